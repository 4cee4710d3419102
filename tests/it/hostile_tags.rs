//! Tags of other people's making: payctl's own keys with absurd values, odd characters, the longest values. payctl
//! leaves such objects alone, and no command stumbles over them. Through the real binary.

use std::collections::{BTreeMap, HashMap};

use aws_config::SdkConfig;
use payctl_sandbox::Sandbox;
use serde_json::Value;

use crate::cli_support::Folder;
use crate::support::{block_on, by_hand};

const CONFIG: &str = "project = \"shop\"\nregion = \"us-east-1\"\ndisposable = true\nttl = \"72h\"\n\n[queues.jobs]\n\n[topics.news]\n\n[tables.orders]\npartition_key = \"id:S\"\n\n[log_groups.app]\n";

type Pairs = BTreeMap<String, String>;

/// The tags that would make an object payctl's, with some of them changed.
fn almost(changes: &[(&str, &str)]) -> Pairs {
    let own = [
        ("payctl:project", "shop"),
        ("payctl:env", "dev"),
        ("payctl:region", "us-east-1"),
        ("payctl:address", "sqs.queue/jobs"),
    ];
    own.iter().chain(changes).map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
}

/// What nobody would write on purpose.
fn absurd() -> Vec<Pairs> {
    let (long, odd) = ("x".repeat(256), "漢字 é =+-@ ٣");
    let mut all: Vec<Pairs> =
        ["", "/", "sqs.queue", "sqs.queue/", "/jobs", "no.kind/jobs/x/y", &long]
            .iter()
            .map(|address| almost(&[("payctl:address", address)]))
            .collect();
    for region in ["", "mars-1", odd, &long] {
        all.push(almost(&[("payctl:region", region)]));
    }
    for (project, env) in [("", ""), ("shop", ""), (odd, odd), (&long, &long), ("shop", "DEV")] {
        all.push(almost(&[("payctl:project", project), ("payctl:env", env)]));
    }
    for time in ["", "yesterday", "9999-99-99T99:99:99Z", "-1", "99999999999999999999", odd, &long]
    {
        let ghost = [("payctl:env", "ghost"), ("payctl:expires", time), ("CreatedAt", time)];
        all.push(almost(&ghost));
    }
    let commas = ",".repeat(256);
    all.push(almost(&[
        ("payctl:env", "ghost"),
        ("payctl:protect", "maybe"),
        ("payctl:disposable", &long),
        ("payctl:tags", "=+-@ / : ="),
        ("payctl:borrows", "  /  : "),
        ("PRNumber", "-1"),
        ("Owner", odd),
    ]));
    all.push(Pairs::from([("payctl:tags".to_owned(), commas.replace(',', "="))]));
    all.push(Pairs::from([("payctl:env".to_owned(), String::new())]));
    all
}

/// Creates a queue, a topic and a log group with each set of tags, under names that hold the environment's.
async fn create(hand: &SdkConfig) {
    let (sqs, sns) = (aws_sdk_sqs::Client::new(hand), aws_sdk_sns::Client::new(hand));
    let logs = aws_sdk_cloudwatchlogs::Client::new(hand);
    for (number, pairs) in absurd().into_iter().enumerate() {
        let name = format!("odd-{number}-dev-shop");
        let tags: HashMap<String, String> = pairs.clone().into_iter().collect();
        let call = sqs.create_queue().queue_name(&name).set_tags(Some(tags.clone()));
        call.send().await.unwrap_or_else(|error| panic!("{pairs:?}: {error:?}"));
        let call = logs.create_log_group().log_group_name(&name).set_tags(Some(tags));
        call.send().await.unwrap_or_else(|error| panic!("{pairs:?}: {error:?}"));
        let mut call = sns.create_topic().name(&name);
        for (key, value) in &pairs {
            let tag = aws_sdk_sns::types::Tag::builder().key(key).value(value).build();
            call = call.tags(tag.expect("a tag"));
        }
        call.send().await.unwrap_or_else(|error| panic!("{pairs:?}: {error:?}"));
    }
}

/// Every object in the sandbox that was created by hand, as it is.
fn odd_ones(world: &Value, at: &str, all: &mut BTreeMap<String, Value>) {
    let Value::Object(members) = world else { return };
    for (key, inner) in members {
        let path = format!("{at}/{key}");
        if key.contains("odd-") && key.contains("-dev-shop") {
            all.insert(path, inner.clone());
        } else {
            odd_ones(inner, &path, all);
        }
    }
}

fn left(folder: &Folder) -> BTreeMap<String, Value> {
    let mut all = BTreeMap::new();
    odd_ones(&folder.world(), "", &mut all);
    all
}

#[test]
fn absurd_tags_of_others_stop_no_command_and_their_objects_stay() {
    let folder = Folder::empty();
    folder.write("config/dev.toml", CONFIG);
    folder.expect(0, "apply --env dev --sandbox --auto-approve");
    let sandbox = Sandbox::open(&folder.path(".payctl/sandbox")).expect("a sandbox");
    block_on(create(&by_hand(&sandbox)));
    drop(sandbox);
    let before = left(&folder);
    assert!(before.len() >= 3 * absurd().len(), "{:?}", before.keys());
    folder.expect(0, "plan --env dev --sandbox --detailed-exitcode");
    folder.expect(0, "plan --all --sandbox");
    folder.edit("config/dev.toml", "[queues.jobs]", "[queues.jobs]\nvisibility_timeout = 77");
    folder.expect(0, "apply --env dev --sandbox --auto-approve");
    let listed = folder.expect(0, "env list --sandbox --json");
    let line: Value = serde_json::from_str(&listed.out).expect("JSON");
    let rows = line["environments"].as_array().expect("a list");
    let state = |name: &str| {
        let row = rows.iter().find(|row| row["name"] == name && row["project"] == "shop");
        row.map(|row| row["state"].clone())
    };
    assert_eq!(state("dev"), Some("live".into()), "{line:#}");
    assert_ne!(state("ghost"), Some("expired".into()), "a time that is none has not passed");
    let table = folder.expect(0, "env list --sandbox");
    assert!(!table.out.contains(['\u{202e}', '\u{7}']), "{}", table.out);
    folder.expect(0, "gc --sandbox --auto-approve");
    assert_eq!(left(&folder), before);
    // Six sets of tags claim the environment, with an address that nothing has.
    let destroyed = folder.expect(3, "destroy --env dev --sandbox --auto-approve");
    assert_eq!(left(&folder), before, "{}", destroyed.err);
    assert_eq!(folder.counts()["sqs.queues"], absurd().len(), "the queue of dev is gone");
    let named = destroyed.err.matches("its payctl:address is none that payctl writes").count();
    assert_eq!(named, 3 * 6, "{}", destroyed.err);
    assert!(!destroyed.err.contains("checking again"), "{}", destroyed.err);
}

//! The lease of an environment and the records of its runs: in the sandbox's DynamoDB, and through the
//! real binary.

use std::time::{Duration, Instant, SystemTime};

use payctl::aws::leases::{Leases, TABLE};
use payctl_engine::lease::{Holder, LeaseStore as _, Record, RunRecord, Wrote};
use payctl_engine::model::error::ErrorClass;
use payctl_sandbox::{Guard, Sandbox};
use serde_json::{Value, json};

use crate::cli_support::{Folder, Ran, ended};
use crate::support::{block_on, by_hand, sample_provider, sandboxed};

const CONFIG: &str =
    "project = \"shop\"\nregion = \"eu-west-1\"\ndisposable = true\n\n[queues.jobs]\n";
const APPLY: &str = "apply --env dev --sandbox --auto-approve";
const DESTROY: &str = "destroy --env dev --sandbox --auto-approve";
const HISTORY: &str = "history --env dev --sandbox";

fn shop() -> Folder {
    let folder = Folder::empty();
    folder.write("config/dev.toml", CONFIG);
    folder
}

pub(crate) fn holder(run: &str) -> Holder {
    Holder {
        run: run.into(),
        who: "arn:aws:iam::000000000000:user/ci".into(),
        person: None,
        task: "apply".into(),
        commit: Some("0123456789abcdef with changes".into()),
        since: "2026-03-01T10:00:00Z".into(),
    }
}

pub(crate) fn run_record(run: &str) -> RunRecord {
    RunRecord {
        began: "2026-03-01T10:00:00Z".into(),
        run: run.into(),
        who: "arn:aws:iam::000000000000:user/ci".into(),
        person: None,
        task: "apply".into(),
        commit: None,
        token: Some(1),
        result: "complete".into(),
        changed: vec!["create sqs.queue/jobs".into()],
        failed: Vec::new(),
        took_from: None,
        heard: None,
        over_budget: None,
        unnamed: 0,
        seconds: 3,
    }
}

fn record(token: u64, beat: u64, run: Option<&str>) -> Record {
    Record { token, beat, holder: run.map(holder), lasts: Duration::from_millis(61_500) }
}

/// The first look makes the table. Until AWS shows it, a look says that it is not ready.
async fn make_table(store: &Leases<'_>) {
    for _ in 0..2 {
        let error = store.read().await.expect_err("AWS is creating the table");
        assert_eq!(error.class, ErrorClass::Busy, "{error}");
    }
    assert_eq!(store.read().await, Ok(None));
}

#[test]
fn a_write_takes_effect_only_over_the_version_that_it_names() {
    block_on(async {
        let provider = sample_provider(&sandboxed(&Sandbox::in_memory())).await;
        let store = Leases::new(provider.aws());
        make_table(&store).await;
        let (one, two) = (record(1, 0, Some("a")), record(1, 1, None));
        assert_eq!(store.write(&one, None).await, Ok(Wrote::Done));
        assert_eq!(store.read().await, Ok(Some(one.clone())));
        assert_eq!(store.write(&one, None).await, Ok(Wrote::Conflict));
        assert_eq!(store.write(&two, Some(two.version())).await, Ok(Wrote::Conflict));
        assert_eq!(store.write(&two, Some(one.version())).await, Ok(Wrote::Done));
        assert_eq!(store.read().await, Ok(Some(two)));
    });
}

#[test]
fn the_table_of_leases_is_tagged_protected_and_expires_runs() {
    block_on(async {
        let sandbox = Sandbox::in_memory();
        let provider = sample_provider(&sandboxed(&sandbox)).await;
        let store = Leases::new(provider.aws());
        make_table(&store).await;
        store.write(&record(1, 0, None), None).await.expect("a write");
        let dynamodb = aws_sdk_dynamodb::Client::new(&by_hand(&sandbox));
        let table = dynamodb.describe_table().table_name(TABLE).send().await.expect("a table");
        let table = table.table.expect("a description");
        assert_eq!(table.deletion_protection_enabled, Some(true));
        let expiry = dynamodb.describe_time_to_live().table_name(TABLE).send().await;
        let expiry = expiry.expect("an expiry").time_to_live_description.expect("a description");
        assert_eq!(expiry.attribute_name(), Some("expires"));
    });
}

#[test]
fn runs_are_read_back_the_last_one_first_until_they_expire() {
    block_on(async {
        let provider = sample_provider(&sandboxed(&Sandbox::in_memory())).await;
        let store = Leases::new(provider.aws());
        let now = SystemTime::now();
        assert_eq!(store.runs(10, now).await, Ok(Vec::new()), "without a table");
        make_table(&store).await;
        let early = run_record("a");
        let late = RunRecord { began: "2026-03-02T10:00:00Z".into(), ..run_record("b") };
        for run in [&early, &late] {
            store.keep(run, now).await.expect("a record");
        }
        assert_eq!(store.runs(10, now).await, Ok(vec![late.clone(), early]));
        assert_eq!(store.runs(1, now).await, Ok(vec![late]));
        let later = now + Duration::from_secs(500 * 24 * 3600);
        assert_eq!(store.runs(10, later).await, Ok(Vec::new()));
    });
}

#[test]
fn of_two_runs_of_the_same_second_the_one_that_ended_later_comes_first() {
    block_on(async {
        let provider = sample_provider(&sandboxed(&Sandbox::in_memory())).await;
        let store = Leases::new(provider.aws());
        make_table(&store).await;
        let now = SystemTime::now();
        let (apply, destroy) = (run_record("b"), run_record("a"));
        store.keep(&apply, now).await.expect("a record");
        store.keep(&destroy, now + Duration::from_millis(1)).await.expect("a record");
        assert_eq!(store.runs(10, now).await, Ok(vec![destroy, apply]));
    });
}

#[test]
fn a_run_without_an_end_runs_as_long_as_its_lease() {
    block_on(async {
        let provider = sample_provider(&sandboxed(&Sandbox::in_memory())).await;
        let store = Leases::new(provider.aws());
        make_table(&store).await;
        let now = SystemTime::now();
        let (ended, begun) =
            (run_record("a"), RunRecord { result: RunRecord::RUNNING.into(), ..run_record("a") });
        let result = async |at| {
            let runs = store.runs(10, at).await.expect("runs");
            assert_eq!(runs.len(), 1, "{runs:?}");
            (runs[0].result.clone(), runs[0].heard.is_some())
        };
        store.write(&record(1, 0, Some("a")), None).await.expect("a write");
        store.begin(&begun, now).await.expect("a record");
        assert_eq!(result(now).await, ("running".into(), true));
        // Its lease lasts 61.5 seconds.
        let later = now + Duration::from_secs(63);
        assert_eq!(result(later).await, ("no_end".into(), true));
        // It was released, or another run has it.
        let free = record(1, 1, None);
        store.write(&free, Some(record(1, 0, None).version())).await.expect("a write");
        assert_eq!(result(now).await, ("no_end".into(), false));
        store.keep(&ended, now).await.expect("a record");
        store.begin(&begun, now).await.expect("the late copy of a lost call changes nothing");
        assert_eq!(result(now).await, ("complete".into(), false));
    });
}

#[test]
fn a_store_that_denies_says_so() {
    block_on(async {
        let sandbox = Sandbox::in_memory();
        let provider = sample_provider(&sandboxed(&sandbox)).await;
        let none = json!({ "Statement": {
            "Effect": "Allow", "Action": "sts:GetCallerIdentity", "Resource": "*",
        } });
        sandbox.guarded_by(Some(Guard::of(&none).expect("a policy")));
        let error = Leases::new(provider.aws()).read().await.expect_err("denied");
        assert_eq!(error.class, ErrorClass::Denied, "{error}");
    });
}

fn runs(ran: &Ran) -> Vec<Value> {
    let line: Value = serde_json::from_str(&ran.out).expect("a JSON line");
    line["runs"].as_array().expect("runs").clone()
}

#[test]
fn an_apply_and_a_destroy_leave_a_record_and_the_table() {
    let folder = shop();
    let none = folder.expect(0, HISTORY);
    assert_eq!(none.out, "No runs are recorded.\n");
    folder.expect(0, APPLY);
    folder.expect(0, DESTROY);
    let kept = runs(&folder.expect(0, &format!("{HISTORY} --json")));
    let told: Vec<_> = kept
        .iter()
        .map(|run| (run["task"].as_str(), run["result"].as_str(), run["changed"].clone()))
        .collect();
    let changed = |verb: &str| json!([format!("{verb} sqs.queue/jobs")]);
    assert_eq!(
        told,
        [
            (Some("destroy"), Some("complete"), changed("delete")),
            (Some("apply"), Some("complete"), changed("create")),
        ]
    );
    assert_eq!((&kept[0]["token"], &kept[1]["token"]), (&json!(2), &json!(1)));
    let text = folder.expect(0, HISTORY).out;
    assert!(text.contains("apply    complete     1 step  no commit  arn:aws:"), "{text}");
}

#[test]
fn a_plan_takes_no_lease() {
    let folder = shop();
    folder.expect(0, "plan --env dev --sandbox");
    assert_eq!(folder.counts(), json!({}));
}

#[test]
fn a_second_run_waits_for_the_first() {
    let folder = shop();
    let mut first = folder.start_slowly(APPLY, Duration::from_millis(1000));
    assert!(first.wait_for("sqs.queue", 1), "{}", first.said());
    let refused = folder.run(&format!("{DESTROY} --lock-timeout 0s"));
    assert_eq!(refused.code, Some(1), "{}", refused.err);
    assert!(refused.err.contains("another run has the lease"), "{}", refused.err);
    assert!(refused.err.contains("apply of arn:aws:"), "{}", refused.err);
    let second = folder.run(DESTROY);
    let (_, code, said) = first.end();
    assert_eq!(code, Some(0), "{said}");
    assert_eq!(second.code, Some(0), "{}", second.err);
    assert_eq!(runs(&folder.expect(0, &format!("{HISTORY} --json"))).len(), 2);
}

#[test]
fn the_lease_of_a_killed_run_expires() {
    let folder = shop();
    let mut first = folder.start_slowly(APPLY, Duration::from_millis(1500));
    assert!(first.wait_for("sqs.queue", 1), "{}", first.said());
    let history = format!("{HISTORY} --json");
    let kept = runs(&folder.expect(0, &history));
    assert_eq!((kept.len(), &kept[0]["result"]), (1, &json!("running")), "{kept:?}");
    first.signal("KILL");
    first.end();
    let began = Instant::now();
    let second = folder.expect(0, APPLY);
    let taken = "Took over a lease that had expired, of apply of arn:aws:";
    assert!(second.err.contains(taken), "{}", second.err);
    assert!(began.elapsed() > Duration::from_secs(4), "{:?}", began.elapsed());
    let kept = runs(&folder.expect(0, &history));
    let results: Vec<_> = kept.iter().map(|run| run["result"].as_str().expect("a word")).collect();
    assert_eq!(results, ["complete", "no_end"]);
    let from = &kept[0]["took_from"];
    assert_eq!((&from["run"], &from["stolen"]), (&kept[1]["run"], &json!(false)));
    assert!(kept[1]["heard"].is_string() && kept[1]["heard"] == from["heard"], "{kept:?}");
    let text = folder.expect(0, HISTORY).out;
    assert!(text.contains("did not end (killed or lost), last heartbeat at 20"), "{text}");
    assert!(text.contains("took over a lease that had expired, of apply of arn:aws:"), "{text}");
}

#[test]
fn a_stopped_run_gives_its_lease_back() {
    let folder = shop();
    let mut first = folder.start_slowly(APPLY, Duration::from_millis(200));
    assert!(first.wait_for("sqs.queue", 1), "{}", first.said());
    first.signal("INT");
    let (_, code, said) = first.end();
    assert!(matches!(code, Some(0 | 130)), "{said}");
    folder.expect(0, &format!("{APPLY} --lock-timeout 0s"));
}

#[test]
fn a_stolen_lease_stops_its_holder() {
    let folder = shop();
    // Two steps, one after the other.
    folder.write("config/dev.toml", &format!("{CONFIG}dead_letter = true\n"));
    // Each call takes so long that the run outlives the theft.
    let mut first = folder.start_slowly(APPLY, Duration::from_millis(1500));
    assert!(first.wait_for("sqs.queue", 1), "{}", first.said());
    let second = folder.expect(0, &format!("{APPLY} --steal-lock"));
    assert!(second.err.contains("Stole the lease of apply"), "{}", second.err);
    let (_, code, said) = first.end();
    assert_eq!(code, Some(3), "{said}");
    assert_eq!((said.matches("error:").count(), said.matches("warning").count()), (1, 0), "{said}");
    let error = said.split_once("error: ").expect("an error").1;
    let lines: Vec<&str> = error.lines().collect();
    let [title, who, done, next] = lines[..] else { panic!("{said}") };
    let scope = "shop dev (account 000000000000, eu-west-1)";
    assert_eq!(title, format!("another run took the lease of {scope}, so this one stopped"));
    assert!(who.starts_with("  what:  apply of arn:aws:") && who.contains(" since 20"), "{who}");
    assert!(who.contains("; this run noticed it at 20"), "{who}");
    assert!(done.trim_start().starts_with("done so far: "), "{done}");
    let same = "  hint:  run the same command again: it waits for the other run, and then does what is left";
    assert_eq!(next, same);
    let kept = runs(&folder.expect(0, &format!("{HISTORY} --json")));
    let stealer = kept.iter().find(|run| run["took_from"]["stolen"] == true);
    let victim = kept.iter().find(|run| run["result"] == "interrupted").expect("the first run");
    assert_eq!(stealer.expect("the second run")["took_from"]["run"], victim["run"]);
}

#[test]
fn a_denied_lease_is_said_and_the_run_goes_on() {
    let folder = shop();
    let policy = folder.policy_without("apply", "dev", "dynamodb:GetItem");
    let mut command = folder.payctl(APPLY);
    let ran = ended(command.env("PAYCTL_SANDBOX_POLICY", policy));
    assert_eq!(ran.code, Some(0), "{}", ran.err);
    assert!(ran.err.contains("goes on without the lease"), "{}", ran.err);
    let folder = shop();
    let ran = folder.expect(0, &format!("{APPLY} --no-lock"));
    assert!(!ran.err.contains("goes on without the lease"), "{}", ran.err);
}

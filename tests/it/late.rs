//! What stays or comes back after a destroy: log groups written late, names that a killed destroy deleted,
//! the record of an environment that is gone.

use std::thread::sleep;
use std::time::Duration;

use payctl_sandbox::Sandbox;
use serde_json::{Value, json};

use crate::cli_support::{Folder, Ran, ended};
use crate::support::{block_on, by_hand};

const HEAD: &str = "project = \"shop\"\nregion = \"us-east-1\"\n";

/// A function, whose log group payctl creates, and a queue.
const THINGS: &str = r#"
[roles.app]
services = ["lambda.amazonaws.com"]

[functions.check]
source = "../functions/check"
runtime = "python3.13"
handler = "index.handler"
role = "app"

[queues.jobs]
"#;

/// The options of a machine without a checkout.
const NOWHERE: &str = "--sandbox --config-dir nowhere --region us-east-1";

const GROUP: &str = "/aws/lambda/pr-7-shop-lambda-check";

fn folder_with(ttl: &str) -> Folder {
    let folder = Folder::empty();
    folder.write("functions/check/index.py", "def handler(event, context):\n    return {}\n");
    let rule = "[template]\npattern = \"pr-[0-9]+\"\nexamples = [\"pr-1\"]\n";
    folder.write("config/pr.toml", &format!("{HEAD}disposable = true\n{ttl}\n{rule}{THINGS}"));
    folder
}

fn apply(folder: &Folder, env: &str) {
    folder.expect(0, &format!("apply --env {env} --sandbox --auto-approve"));
}

fn destroy(folder: &Folder, env: &str) {
    folder.expect(0, &format!("destroy --env {env} --sandbox --auto-approve"));
}

/// Creates log groups as a service does: without tags.
fn write_late(folder: &Folder, groups: &[&str]) {
    let hand = by_hand(&Sandbox::open(&folder.path(".payctl/sandbox")).expect("a sandbox"));
    block_on(async {
        let logs = aws_sdk_cloudwatchlogs::Client::new(&hand);
        for group in groups {
            logs.create_log_group().log_group_name(*group).send().await.expect("a group");
        }
    });
}

fn tag(folder: &Folder, group: &str) {
    let hand = by_hand(&Sandbox::open(&folder.path(".payctl/sandbox")).expect("a sandbox"));
    block_on(async {
        let call = aws_sdk_cloudwatchlogs::Client::new(&hand).tag_resource();
        let arn = format!("arn:aws:logs:us-east-1:000000000000:log-group:{group}");
        call.resource_arn(arn).tags("Team", "audit").send().await.expect("tagged");
    });
}

/// The names of all log groups.
fn groups(folder: &Folder) -> Vec<String> {
    let hand = by_hand(&Sandbox::open(&folder.path(".payctl/sandbox")).expect("a sandbox"));
    block_on(async {
        let call = aws_sdk_cloudwatchlogs::Client::new(&hand).describe_log_groups();
        let groups = call.send().await.expect("groups").log_groups.unwrap_or_default();
        groups.into_iter().filter_map(|group| group.log_group_name).collect()
    })
}

fn leftovers(dry: &Ran) -> Vec<String> {
    let line: Value = serde_json::from_str(dry.out.lines().next().expect("a line")).expect("JSON");
    let all = line["leftovers"].as_array().expect("a list").clone();
    all.iter().filter_map(|one| one["name"].as_str().map(str::to_owned)).collect()
}

#[test]
fn gc_sweeps_a_log_group_that_was_written_late_and_no_look_alike() {
    let folder = folder_with("");
    for env in ["pr-7", "pr-8", "pr-9"] {
        apply(&folder, env);
    }
    for env in ["pr-7", "pr-8"] {
        destroy(&folder, env);
    }
    let named = "/aws/lambda/pr-8-shop-lambda-check";
    // Of other functions, of another environment, of one whose name only begins alike.
    let alike = [
        "/aws/lambda/pr-7-shop-lambda-other",
        "/aws/lambda/pr-77-shop-lambda-check",
        "/aws/lambda/shop-pr-7",
        "pr-7-shop-lambda-check",
    ];
    write_late(&folder, &[GROUP, named]);
    write_late(&folder, &alike);
    // Somebody keeps this one.
    tag(&folder, named);
    let before = groups(&folder);

    let dry = folder.expect(0, &format!("gc {NOWHERE} --dry-run --json"));
    assert_eq!(leftovers(&dry), [GROUP]);
    let dry = folder.expect(0, &format!("gc {NOWHERE} --dry-run"));
    assert!(dry.out.contains(GROUP) && dry.out.contains("shop pr-7"), "{}", dry.out);
    assert_eq!(groups(&folder), before);
    let asked = folder.expect(1, &format!("gc {NOWHERE}"));
    assert!(asked.err.contains("not a terminal"), "{}", asked.err);
    assert_eq!(groups(&folder), before);

    let swept = folder.expect(0, &format!("gc {NOWHERE} --auto-approve"));
    assert!(swept.err.contains("Deleted 1 object"), "{}", swept.err);
    let expected: Vec<String> = before.iter().filter(|name| *name != GROUP).cloned().collect();
    assert_eq!(groups(&folder), expected);
    let history = folder.expect(0, &format!("history --env pr-7 {NOWHERE} -v"));
    assert!(history.out.contains("delete logs.log_group/"), "{}", history.out);
    let again = folder.expect(0, &format!("gc {NOWHERE} --dry-run --json"));
    assert_eq!(leftovers(&again), Vec::<String>::new());
}

#[test]
fn gc_leaves_a_log_group_of_an_environment_that_lives_again() {
    let folder = folder_with("");
    apply(&folder, "pr-7");
    destroy(&folder, "pr-7");
    write_late(&folder, &[GROUP]);
    // The apply adopts it.
    apply(&folder, "pr-7");
    let dry = folder.expect(0, &format!("gc {NOWHERE} --dry-run --json"));
    assert_eq!(leftovers(&dry), Vec::<String>::new());
    folder.expect(0, &format!("gc {NOWHERE} --auto-approve"));
    folder.expect(0, "plan --env pr-7 --sandbox --detailed-exitcode");
}

#[test]
fn a_destroy_that_runs_again_searches_for_what_the_killed_one_deleted() {
    let folder = folder_with("");
    apply(&folder, "pr-7");
    let mut run = folder
        .start_slowly("destroy --env pr-7 --sandbox --auto-approve", Duration::from_millis(30));
    assert!(run.wait_for(" deleted in ", 2), "killed in the middle: {}", run.said());
    run.signal("KILL");
    assert_eq!(run.end().1, None);
    let searched = |line: &str| {
        let ran = folder.expect(0, line);
        let text = ran.err.split("the index of tags, ").nth(1).expect("a receipt").to_owned();
        text.split(" name").next().expect("a number").parse::<usize>().expect("a number")
    };
    let all = searched("destroy --env pr-7 --sandbox --auto-approve");
    assert!(all > 3, "{all}");
    // Neither the plan nor the config of this run has a name.
    let line = format!("destroy --env pr-7 {NOWHERE} --project shop --auto-approve");
    assert_eq!(searched(&line), all);
    apply(&folder, "pr-8");
    assert_eq!(searched("destroy --env pr-8 --sandbox --auto-approve"), all);
}

#[test]
fn the_shipped_template_is_destroyed_from_an_empty_folder() {
    let folder = Folder::shipped();
    folder.edit("config/pr.toml", "ttl = \"72h\"", "ttl = \"1s\"");
    // The second of each does not fit whole into the names of load balancers and target groups.
    let (by_hand, by_time) =
        (["pr-7", "pr-a-branch-with-a-long-name"], ["pr-8", "pr-abcdefghijklmn"]);
    for env in by_hand.into_iter().chain(by_time) {
        apply(&folder, env);
    }
    sleep(Duration::from_millis(1100));
    let long = by_hand[1];
    let ran = folder.expect(0, &format!("destroy --env {long} {NOWHERE} --auto-approve"));
    assert!(ran.err.contains(&format!("Verified: nothing of payment {long}")), "{}", ran.err);
    assert!(!ran.err.contains("Left alone"), "{}", ran.err);
    let ran = folder.expect(0, &format!("destroy --env pr-7 {NOWHERE} --auto-approve"));
    assert!(ran.err.contains("Verified: nothing of payment pr-7"), "{}", ran.err);
    // The database writes its log group again as long as it is there.
    assert!(!ran.err.contains("checking again"), "{}", ran.err);
    assert!(!ran.err.contains("wrote again"), "{}", ran.err);
    let ran = folder.expect(0, &format!("gc {NOWHERE} --auto-approve"));
    for env in by_time {
        assert!(ran.err.contains(&format!("Verified: nothing of payment {env}")), "{}", ran.err);
    }
    assert!(!ran.err.contains("checking again") && !ran.err.contains("Left alone"), "{}", ran.err);
    assert_eq!(groups(&folder), Vec::<String>::new());
    let left = folder.counts();
    for kind in ["load_balancers", "target_groups", "listeners"] {
        let number = &left[format!("elasticloadbalancing.{kind}")];
        assert!(number.is_null() || *number == 0, "{left}");
    }
}

#[test]
fn a_destroy_that_runs_again_deletes_what_a_service_wrote_again() {
    let folder = folder_with("");
    apply(&folder, "pr-7");
    destroy(&folder, "pr-7");
    let alike = "/aws/lambda/pr-77-shop-lambda-check";
    write_late(&folder, &[GROUP, alike]);
    let ran = folder.expect(0, &format!("destroy --env pr-7 {NOWHERE} --auto-approve"));
    assert!(ran.err.contains("Deleted 1 object that a service wrote again"), "{}", ran.err);
    assert!(ran.err.contains("Verified: nothing of shop pr-7"), "{}", ran.err);
    assert_eq!(groups(&folder), [alike]);
}

#[test]
fn a_destroy_that_cannot_show_its_end_is_recorded_as_incomplete_and_runs_again() {
    let folder = folder_with("");
    apply(&folder, "pr-7");
    let policy = folder.policy_without("destroy", "pr-7", "tag:GetResources");
    let mut command = folder.payctl("destroy --env pr-7 --sandbox --auto-approve");
    let ran = ended(command.env("PAYCTL_SANDBOX_POLICY", policy));
    ran.expect(3, "the index is denied");
    assert!(ran.err.contains("run the same command again"), "{}", ran.err);
    let ended = |folder: &Folder| {
        let ran = folder.expect(0, &format!("history --env pr-7 {NOWHERE} --json"));
        let line: Value = serde_json::from_str(&ran.out).expect("a JSON line");
        let runs = line["runs"].as_array().expect("a list").clone();
        let results = runs.iter().map(|run| format!("{} {}", run["task"], run["result"]));
        results.collect::<std::collections::BTreeSet<_>>()
    };
    let (apply, destroyed) = ("\"apply\" \"complete\"", "\"destroy\" \"complete\"");
    let incomplete = "\"destroy\" \"incomplete\"";
    assert_eq!(ended(&folder), [apply, incomplete].map(str::to_owned).into());
    // The same command without a config, although no tag names the environment any more.
    let again = folder.expect(0, &format!("destroy --env pr-7 {NOWHERE} --auto-approve"));
    assert!(again.err.contains("Verified: nothing of shop pr-7"), "{}", again.err);
    assert_eq!(ended(&folder), [apply, destroyed, incomplete].map(str::to_owned).into());
}

#[test]
fn gc_counts_the_calls_of_each_environment_by_itself() {
    let folder = folder_with("ttl = \"1s\"");
    for env in ["pr-7", "pr-8", "pr-9"] {
        apply(&folder, env);
    }
    sleep(Duration::from_millis(1100));
    let ran = folder.expect(0, &format!("gc {NOWHERE} --auto-approve --json"));
    let lines = ran.out.lines().map(|line| serde_json::from_str(line).expect("JSON"));
    let plans: Vec<Value> = lines.filter(|line: &Value| line["type"] == "plan").collect();
    let calls: Vec<u64> = plans.iter().filter_map(|plan| plan["api_calls"].as_u64()).collect();
    assert_eq!(calls.len(), 3, "{calls:?}");
    assert!(calls.iter().all(|each| *each < calls[0] * 3 / 2), "{calls:?}");
}

#[test]
fn the_history_of_an_environment_needs_no_config() {
    let folder = folder_with("");
    apply(&folder, "pr-7");
    let living = folder.expect(0, &format!("history --env pr-7 {NOWHERE} --json"));
    assert_eq!(runs(&living), ["apply"]);
    destroy(&folder, "pr-7");
    let gone = folder.expect(0, &format!("history --env pr-7 {NOWHERE} --json"));
    assert_eq!(runs(&gone), ["destroy", "apply"]);
    let unknown = folder.expect(1, &format!("history --env pr-8 {NOWHERE}"));
    assert!(unknown.err.contains("there is no environment `pr-8`"), "{}", unknown.err);
    let named = folder.expect(0, &format!("history --env pr-8 --project shop {NOWHERE}"));
    assert!(named.out.contains("No runs are recorded"), "{}", named.out);
}

fn runs(ran: &Ran) -> Vec<String> {
    let line: Value = serde_json::from_str(&ran.out).expect("a JSON line");
    let runs = line["runs"].as_array().expect("a list").clone();
    runs.iter().filter_map(|run| run["task"].as_str().map(str::to_owned)).collect()
}

#[test]
fn a_gc_that_is_stopped_between_environments_says_what_is_left() {
    let folder = folder_with("ttl = \"1s\"");
    for env in ["pr-7", "pr-8", "pr-9"] {
        apply(&folder, env);
    }
    sleep(Duration::from_millis(1100));
    let line = format!("gc {NOWHERE} --auto-approve");
    let mut run = folder.start_slowly(&line, Duration::from_millis(20));
    assert!(run.wait_for("nothing of shop pr-7", 1), "{}", run.said());
    run.signal("INT");
    let (_, code, said) = run.end();
    assert_eq!(code, Some(130), "{said}");
    assert!(said.contains("done: pr-7; left: pr-8, pr-9"), "{said}");
    folder.expect(0, &line);
    assert_eq!(folder.counts(), json!({}));
}

#[test]
fn gc_and_the_list_of_environments_run_with_their_policies() {
    let folder = folder_with("ttl = \"1s\"");
    apply(&folder, "pr-6");
    destroy(&folder, "pr-6");
    apply(&folder, "pr-7");
    sleep(Duration::from_millis(1100));
    write_late(&folder, &["/aws/lambda/pr-6-shop-lambda-check"]);
    for (task, file) in [("gc", "gc.json"), ("env-list", "list.json")] {
        let line = format!("policy --for {task} --env pr-7 --any-number --sandbox");
        folder.write(file, &folder.expect(0, &line).out);
    }
    let by = |policy: &str, command: &str| {
        let mut payctl = folder.payctl(&format!("{command} {NOWHERE}"));
        ended(payctl.env("PAYCTL_SANDBOX_POLICY", policy))
    };
    by("list.json", "env list").expect(0, "the list");
    let denied = by("list.json", "gc --auto-approve");
    assert_ne!(denied.code, Some(0), "{}", denied.err);
    by("gc.json", "env list").expect(0, "the list with the policy of gc");
    let done = by("gc.json", "gc --auto-approve");
    done.expect(0, "gc with its policy");
    assert!(done.err.contains("nothing of shop pr-7"), "{}", done.err);
    assert!(!done.err.contains("warning"), "{}", done.err);
    assert_eq!(folder.counts(), json!({}));
}

//! Whole shifts of the real binary on the sandbox.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpListener;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use aws_sdk_cloudwatch::types::StateValue;
use payctl_sandbox::Sandbox;
use serde_json::{Value, json};

use super::listener;
use crate::cli_support::{Folder, Ran, ended};
use crate::elb::{FUNCTIONS, HEAD, NETWORK};
use crate::support::by_hand;

/// A folder for the binary, with an environment that is applied to its sandbox.
fn shifting(more: &str) -> Folder {
    let folder = Folder::empty();
    folder.write("work/index.py", "def handler(event, context):\n    return {}\n");
    let text = format!("{HEAD}{NETWORK}{}", listener(more)).replace("\"work\"", "\"../work\"");
    let text = text.replace("role = \"../work\"", "role = \"work\"");
    folder.write("config/dev.toml", &text);
    folder.expect(0, "apply --env dev --sandbox --auto-approve");
    folder
}

/// Makes the alarm of the sandbox of a folder fire, until it is evaluated again a minute later.
fn fire(folder: &Folder) {
    let sandbox = Sandbox::open(&folder.path(".payctl/sandbox")).expect("the sandbox");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build();
    runtime.expect("a runtime").block_on(async {
        let client = aws_sdk_cloudwatch::Client::new(&by_hand(&sandbox));
        let all = client.describe_alarms().send().await.expect("alarms");
        let name = all.metric_alarms()[0].alarm_name().expect("a name").to_owned();
        let call = client.set_alarm_state().alarm_name(name).state_value(StateValue::Alarm);
        call.state_reason("too many").send().await.expect("the alarm");
    });
}

fn lines(ran: &Ran) -> Vec<Value> {
    ran.out.lines().map(|line| serde_json::from_str(line).expect("a JSON line")).collect()
}

fn percents_of(ran: &Ran, kind: &str) -> Vec<u64> {
    let lines = lines(ran);
    let found = lines.iter().filter(|line| line["type"] == kind);
    found.filter_map(|line| line["percent"].as_u64()).collect()
}

#[test]
fn the_binary_moves_traffic_takes_it_back_and_says_so() {
    let folder = shifting("steps = [50, 100]\nbake = \"1s\"\nwatch = [\"errors\"]");
    let sandbox = "--env dev --sandbox";
    let seen = folder.expect(0, &format!("shift pay {sandbox} --dry-run"));
    assert!(seen.out.contains("A run would give green 50 %, 100 %"), "{}", seen.out);
    // With no more rights than its own policy gives.
    let policy = folder.expect(0, "policy --for shift --env dev --sandbox");
    folder.write("policy.json", &policy.out);
    let mut command = folder.payctl(&format!("shift pay {sandbox} --json"));
    let ran = ended(command.env("PAYCTL_SANDBOX_POLICY", folder.path("policy.json")));
    ran.expect(0, "shift");
    assert_eq!(percents_of(&ran, "shift_moved"), [50, 100], "{}", ran.out);
    let all = lines(&ran);
    let report = all.last().expect("a report");
    assert_eq!((&report["type"], &report["end"]), (&json!("shift"), &json!("done")));
    assert_eq!(report["weights"], json!({ "blue": 0, "green": 100 }));
    assert!(all.iter().any(|line| line["type"] == "shift_baking"), "{}", ran.out);
    folder.expect(0, &format!("plan {sandbox} --detailed-exitcode"));

    let status = folder.expect(0, &format!("shift status {sandbox}"));
    assert!(status.out.contains("green 100 % ##############################"), "{}", status.out);
    let back = folder.expect(0, &format!("shift back pay {sandbox}"));
    assert!(back.err.contains("s: done."), "{}", back.err);
    let status = folder.expect(0, &format!("shift status pay {sandbox} --json"));
    assert_eq!(lines(&status)[0]["shifts"][0]["percent"], 0);

    fire(&folder);
    let refused = folder.expect(5, &format!("shift pay {sandbox}"));
    assert!(refused.err.contains("not begun: all traffic is on blue"), "{}", refused.err);
    assert!(refused.err.contains("is in ALARM since"), "{}", refused.err);
    let seen = folder.expect(0, &format!("shift pay {sandbox} --dry-run"));
    assert!(seen.out.contains("A run would move nothing: alarm "), "{}", seen.out);

    for (line, expected) in [
        ("shift play", "there is no shift `play`"),
        ("shift pay --to red", "the shift has no side `red`"),
        ("shift pay --step 20", "there is no step 20"),
    ] {
        let ran = folder.expect(1, &format!("{line} {sandbox}"));
        assert!(ran.err.contains(expected), "{}", ran.err);
    }
}

/// A run to blue that is stopped at 50 percent, while all other traffic is on green: what it says.
fn stopped_on_its_way_to_blue(folder: &Folder) -> String {
    let to_green = folder.expect(0, "shift back pay --to green --env dev --sandbox");
    assert!(to_green.err.contains("now     green 100 %, blue 0 %"), "{}", to_green.err);
    let mut command = folder.payctl("shift pay --to blue --env dev --sandbox");
    let mut child =
        command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("payctl starts");
    let mut said = BufReader::new(child.stderr.take().expect("a pipe"));
    let mut err = String::new();
    while !err.contains("> blue 50 %") {
        assert_ne!(said.read_line(&mut err).expect("a line"), 0, "{err}");
    }
    let sent = Command::new("kill").args(["-s", "TERM", &child.id().to_string()]).status();
    assert!(sent.expect("kill").success(), "the process is there");
    said.read_to_string(&mut err).expect("the rest");
    assert_eq!(child.wait().expect("an end").code(), Some(130), "{err}");
    err
}

#[test]
fn the_way_back_of_a_run_to_the_other_side_is_what_its_hint_says() {
    let folder = shifting("steps = [50, 100]\nbake = \"60s\"");
    let said = stopped_on_its_way_to_blue(&folder);
    let again = "payctl shift pay --to blue goes on from where traffic stands";
    assert!(said.contains(again), "{said}");
    let hint = said.lines().find_map(|line| line.trim().strip_suffix(" takes all traffic back"));
    let hint = hint.and_then(|line| line.split_once("payctl ")).expect("a hint").1;
    let back = folder.expect(0, &format!("{hint} --env dev --sandbox"));
    assert!(back.err.contains("now     green 100 %, blue 0 %"), "{}", back.err);
}

#[test]
fn the_way_back_without_a_side_is_the_one_of_the_run_that_was_cut_off() {
    let folder = shifting("steps = [50, 100]\nbake = \"60s\"");
    stopped_on_its_way_to_blue(&folder);
    let back = folder.expect(0, "shift back pay --env dev --sandbox");
    assert!(back.err.contains("now     green 100 %, blue 0 %"), "{}", back.err);
}

/// A run that is disturbed once traffic has moved, up to its end with code 5; the kind of what it found.
fn disturbed(folder: &Folder, disturb: impl FnOnce()) -> Value {
    let mut command = folder.payctl("shift pay --env dev --sandbox --json");
    let mut child =
        command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("payctl starts");
    let mut said = BufReader::new(child.stdout.take().expect("a pipe"));
    let mut out = String::new();
    while !out.contains("shift_moved") {
        assert_ne!(said.read_line(&mut out).expect("a line"), 0, "{out}");
    }
    disturb();
    said.read_to_string(&mut out).expect("the rest");
    assert_eq!(child.wait().expect("an end").code(), Some(5), "{out}");
    let ran = Ran { code: Some(5), out, err: String::new() };
    assert_eq!(percents_of(&ran, "shift_moved"), [50, 0], "{}", ran.out);
    let report = lines(&ran).pop().expect("a report");
    assert_eq!(report["end"], "rolled_back");
    let status = folder.expect(0, "shift status pay --env dev --sandbox --json");
    assert_eq!(lines(&status)[0]["shifts"][0]["percent"], 0);
    assert_eq!(lines(&status)[0]["shifts"][0]["claim"], Value::Null);
    report["findings"][0]["kind"].clone()
}

#[test]
fn the_binary_rolls_back_after_an_alarm() {
    let folder = shifting("steps = [50, 100]\nbake = \"60s\"\nwatch = [\"errors\"]");
    assert_eq!(disturbed(&folder, || fire(&folder)), "alarm");
}

#[test]
fn the_binary_rolls_back_after_a_failed_probe() {
    let server = TcpListener::bind("127.0.0.1:0").expect("a port");
    let url = format!("http://{}/health", server.local_addr().expect("an address"));
    let is_ill = Arc::new(AtomicBool::new(false));
    let seen = is_ill.clone();
    std::thread::spawn(move || {
        for stream in server.incoming() {
            let mut stream = stream.expect("a connection");
            let mut request = [0; 1024];
            assert!(stream.read(&mut request).is_ok(), "no request");
            let status = if seen.load(Ordering::SeqCst) { "503 Ill" } else { "200 OK" };
            let answer =
                format!("HTTP/1.1 {status}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
            assert!(stream.write_all(answer.as_bytes()).is_ok(), "no answer");
        }
    });
    let probe = format!("probe = {{ url = \"{url}\", failures = 2 }}");
    let folder = shifting(&format!("steps = [50, 100]\nbake = \"60s\"\n{probe}"));
    assert_eq!(disturbed(&folder, || is_ill.store(true, Ordering::SeqCst)), "probe");
}

/// A shift of a rule, an alias or a stage with no more rights than its own policy gives: its state, a run,
/// and the way back. `next` is the config once there is something to move.
fn shifts_with_its_policy(first: &str, next: Option<&str>) {
    let folder = Folder::empty();
    let source = "def handler(event, context):\n    return {\"statusCode\": 200}\n";
    folder.write("work/index.py", source);
    let write = |text: &str| {
        let text = format!("{HEAD}{NETWORK}{text}").replace("\"work\"", "\"../work\"");
        folder.write("config/dev.toml", &text.replace("role = \"../work\"", "role = \"work\""));
        folder.expect(0, "apply --env dev --sandbox --auto-approve");
    };
    write(first);
    next.into_iter().for_each(write);
    let policy = folder.expect(0, "policy --for shift --env dev --sandbox");
    folder.write("policy.json", &policy.out);
    for (command, percent) in
        [("shift pay", 100), ("shift back pay", 0), ("shift pay --dry-run", 0)]
    {
        for command in [command, "shift status --json"] {
            let mut command = folder.payctl(&format!("{command} --env dev --sandbox"));
            let ran = ended(command.env("PAYCTL_SANDBOX_POLICY", folder.path("policy.json")));
            ran.expect(0, "shift");
            if ran.out.starts_with('{') {
                assert_eq!(lines(&ran)[0]["shifts"][0]["percent"], percent, "{}", ran.out);
            }
        }
    }
}

const QUICK: &str = "steps = [100]\nbake = \"1s\"\n";

#[test]
fn the_shift_of_a_rule_needs_no_more_than_its_policy() {
    let rule = listener(QUICK).replace("listener = \"front:80\"", "rule = \"front:80:beta\"");
    shifts_with_its_policy(&rule, None);
}

#[test]
fn the_shift_of_an_alias_needs_no_more_than_its_policy() {
    let alias = |memory: u32| {
        let memory = format!("[functions.f]\nmemory = {memory}\n");
        let functions = FUNCTIONS.replace("[functions.f]\n", &memory);
        let route = "[apis.pay.routes.\"GET /health\"]\nfunction = \"f:live\"\n";
        // The API wants a signature, which a probe does not have.
        let probe = "probe = { url = \"${apis.pay.url}/health\", status = 403, failures = 1 }\n";
        let shift = format!("[shifts.pay]\nalias = \"f:live\"\n{QUICK}{probe}");
        format!("{functions}[functions.f.aliases.live]\n{route}{shift}")
    };
    shifts_with_its_policy(&alias(512), Some(&alias(600)));
}

#[test]
fn the_shift_of_a_stage_needs_no_more_than_its_policy() {
    let stage = |path: &str| {
        let route = format!("[apis.pay.routes.\"GET /{path}\"]\nfunction = \"f\"\n");
        format!("{FUNCTIONS}{route}[shifts.pay]\nstage = \"pay\"\n{QUICK}")
    };
    shifts_with_its_policy(&stage("one"), Some(&stage("two")));
}

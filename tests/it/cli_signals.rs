//! The real binary, stopped in the middle: Ctrl-C, SIGTERM, SIGHUP and SIGKILL.

use std::time::Duration;

use serde_json::{Value, json};

use crate::cli_support::Folder;

const APPLY: &str = "apply --env dev --sandbox --auto-approve";
const DESTROY: &str = "destroy --env dev --sandbox --auto-approve";
const SLOW: Duration = Duration::from_millis(30);

/// A CI system that cancels a job gives it about this time.
const PATIENCE: Duration = Duration::from_secs(7);

/// What an apply without a signal creates.
fn undisturbed() -> Value {
    let folder = Folder::shipped();
    folder.expect(0, APPLY);
    folder.counts()
}

fn stops_cleanly_at(signal: &str) {
    let folder = Folder::shipped();
    // The tests may run under `nohup`, which ignores SIGHUP.
    let default = format!("--default-signal={signal}");
    let mut run = folder.start_slowly_with(&default, APPLY, SLOW);
    assert!(run.wait_for(" created in ", 6), "stopped in the middle: {}", run.said());
    run.signal(signal);
    let (took, code, said) = run.end();
    assert!(took < PATIENCE, "it took {took:?}");
    assert_eq!(code, Some(130), "{said}");
    let report = said.split_once("Done before the stop:").expect("a report").1;
    let (done, remaining) = report.split_once("Remaining:").expect("something remains");
    let steps = |text: &str| text.lines().filter(|line| line.starts_with("  + ")).count();
    assert!(steps(done) >= 6 && steps(done) + steps(remaining) == 125, "{said}");
    assert!(said.contains("Apply interrupted:"), "{said}");

    folder.expect(0, APPLY);
    folder.expect(0, "plan --env dev --sandbox --detailed-exitcode");
    assert_eq!(folder.counts(), undisturbed());
}

#[test]
fn ctrl_c_stops_cleanly() {
    stops_cleanly_at("INT");
}

#[test]
fn sigterm_stops_cleanly() {
    stops_cleanly_at("TERM");
}

#[test]
fn a_closed_terminal_stops_cleanly() {
    stops_cleanly_at("HUP");
}

#[test]
fn a_second_ctrl_c_stops_at_once() {
    let folder = Folder::shipped();
    // A lease of the sandbox lasts a few seconds, which calls that are so slow cannot keep.
    let line = format!("{APPLY} --no-lock");
    let mut run = folder.start_slowly(&line, Duration::from_millis(2500));
    assert!(run.wait_for(" created in ", 1), "stopped in the middle: {}", run.said());
    run.signal("INT");
    assert!(run.wait_for("Stopping: ", 1), "{}", run.said());
    run.signal("INT");
    let (took, code, said) = run.end();
    assert!(took < Duration::from_millis(1500), "it took {took:?}");
    assert_eq!(code, Some(130), "{said}");
    assert!(said.contains("Stopped at once") && said.contains("Remaining:"), "{said}");
}

#[test]
fn ctrl_c_during_a_survey_changes_nothing() {
    for command in ["plan --env dev --sandbox", APPLY] {
        let folder = Folder::shipped();
        let mut run = folder.start_slowly(command, Duration::from_secs(30));
        // payctl handles signals before it opens the sandbox.
        assert!(run.wait_until(|| folder.path(".payctl/sandbox/lock").exists()), "{}", run.said());
        run.signal("INT");
        let (took, code, said) = run.end();
        assert!(took < Duration::from_secs(10), "it took {took:?}");
        assert_eq!(code, Some(130), "{said}");
        assert!(said.contains("stopped; nothing was changed"), "{said}");
        assert_eq!(folder.counts(), json!({}));
    }
}

#[test]
fn killed_runs_converge() {
    let folder = Folder::shipped();
    for done in [1, 5, 9] {
        let mut run = folder.start_slowly(APPLY, SLOW);
        assert!(run.wait_for("] ", done), "killed in the middle: {}", run.said());
        run.signal("KILL");
        assert_eq!(run.end().1, None);
    }
    folder.expect(0, APPLY);
    folder.expect(0, "plan --env dev --sandbox --detailed-exitcode");
    assert_eq!(folder.counts(), undisturbed());
    for done in [3, 12] {
        let mut run = folder.start_slowly(DESTROY, SLOW);
        assert!(run.wait_for(" deleted in ", done), "killed in the middle: {}", run.said());
        run.signal("KILL");
        assert_eq!(run.end().1, None);
    }
    folder.expect(0, DESTROY);
    assert_eq!(folder.counts(), json!({}));
}

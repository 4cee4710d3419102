//! The real binary at its edges: closed pipes, full disks, control characters, a closed terminal, and
//! values that nobody may see.

use std::fs::{self, File};
use std::io::{BufRead as _, BufReader};
use std::process::{Command, Stdio};
use std::time::Duration;

use serde_json::{Value, json};

use crate::cli_support::{Folder, Ran, ended};

const SMALL: &str = "project = \"shop\"\nregion = \"us-east-1\"\n[queues.jobs]\n[topics.ops]\n\
                     [outputs]\nJobs = \"${queues.jobs.arn}\"\n";
const APPLY: &str = "apply --env dev --sandbox --auto-approve";

fn small() -> Folder {
    let folder = Folder::empty();
    folder.write("config/dev.toml", SMALL);
    folder
}

/// Runs a command whose stdout nobody reads.
fn unread(folder: &Folder, line: &str) -> Ran {
    let mut command = folder.payctl(line);
    let mut child =
        command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("payctl starts");
    drop(child.stdout.take());
    let output = child.wait_with_output().expect("payctl ends");
    let err = String::from_utf8(output.stderr).expect("UTF-8");
    Ran { code: output.status.code(), out: String::new(), err }
}

#[test]
fn apply_does_not_start_when_its_plan_cannot_be_written() {
    let folder = small();
    let ran = unread(&folder, &format!("{APPLY} --json"));
    ran.expect(1, "apply --json, unread");
    assert!(ran.err.contains("error: cannot write the output: its reader has gone"), "{}", ran.err);
    assert!(ran.err.contains("nothing was changed"), "{}", ran.err);
    assert_eq!(folder.counts(), json!({}));

    let mut command = folder.payctl(APPLY);
    let mut child =
        command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().expect("payctl starts");
    drop(child.stderr.take());
    assert_eq!(child.wait().expect("payctl ends").code(), Some(1));
    assert_eq!(folder.counts(), json!({}));
}

#[test]
fn apply_reports_on_stderr_when_stdout_closes() {
    let folder = small();
    let mut command = folder.payctl(&format!("{APPLY} --json"));
    command.env("PAYCTL_SANDBOX_DELAY_MS", "100").stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("payctl starts");
    let stdout = BufReader::new(child.stdout.take().expect("a pipe"));
    let mut lines = stdout.lines().map(|line| line.expect("a line"));
    assert!(lines.any(|line| line.contains("\"type\":\"started\"")));
    drop(lines);
    let output = child.wait_with_output().expect("payctl ends");
    let said = String::from_utf8(output.stderr).expect("UTF-8");
    assert_eq!(output.status.code(), Some(3), "{said}");
    assert!(said.contains("Apply complete: 2 created"), "{said}");
    assert!(said.contains("payctl carried out the whole plan"), "{said}");
    folder.expect(0, "plan --env dev --sandbox --detailed-exitcode");

    // Without --json, stdout holds the outputs alone.
    let folder = small();
    let ran = unread(&folder, APPLY);
    ran.expect(3, "apply, unread");
    assert!(ran.err.contains("Apply complete: 2 created"), "{}", ran.err);
    assert!(ran.err.contains("payctl carried out the whole plan"), "{}", ran.err);
}

#[test]
fn a_plan_is_saved_although_stdout_is_closed() {
    let folder = small();
    folder.write("saved", "an old plan");
    unread(&folder, "plan --env dev --sandbox --detailed-exitcode --out saved")
        .expect(1, "plan --out, unread");
    folder.expect(0, "apply saved --sandbox --auto-approve");
    folder.expect(0, "plan --env dev --sandbox --detailed-exitcode");
}

#[test]
fn a_full_disk_is_an_error() {
    let folder = small();
    for line in ["plan --env dev --sandbox", "plan --env dev --sandbox --json", "schema"] {
        let full = File::options().write(true).open("/dev/full").expect("a full device");
        let mut command = folder.payctl(line);
        let child = command.stdout(full).stderr(Stdio::piped()).spawn().expect("payctl starts");
        let output = child.wait_with_output().expect("payctl ends");
        let said = String::from_utf8(output.stderr).expect("UTF-8");
        assert_eq!(output.status.code(), Some(1), "{said}");
        assert!(said.contains("cannot write the output"), "{said}");
        assert!(said.contains("No space left"), "{said}");
    }
    // A file stands where the sandbox would keep its state.
    let folder = small();
    folder.write(".payctl", "");
    let refused = folder.expect(1, "plan --env dev --sandbox");
    assert!(refused.err.contains("cannot use the sandbox"), "{}", refused.err);
    let refused = small().expect(1, "plan --env dev --sandbox --out none/saved");
    assert!(refused.err.contains("cannot write the plan to none/saved"), "{}", refused.err);
}

#[test]
fn a_process_under_nohup_continues_without_its_terminal() {
    let folder = small();
    let mut run =
        folder.start_slowly_with("--ignore-signal=HUP", APPLY, Duration::from_millis(300));
    assert!(run.wait_for("Plan: 2 to create", 1), "the terminal closes early: {}", run.said());
    run.signal("HUP");
    let (_, code, said) = run.end();
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("Apply complete"), "{said}");
}

#[test]
fn control_characters_are_shown_escaped() {
    let folder = small();
    let hostile = "Bad = \"a\\u001b[31mb\\u009bc\\u202ed\"\n";
    folder.write("config/dev.toml", &format!("{SMALL}{hostile}"));
    let shown = folder.expect(0, "outputs --env dev --sandbox");
    assert!(shown.out.contains("a\\u{1b}[31mb\\u{9b}c\\u{202e}d"), "{}", shown.out);
    let shown = folder.expect(0, "outputs --env dev --sandbox --json");
    assert!(shown.out.contains("a\\u001b[31mb\\u009bc\\u202ed"), "{}", shown.out);
    for format in ["--shell", "--env-file"] {
        let refused = folder.expect(1, &format!("outputs --env dev --sandbox {format}"));
        assert!(refused.err.contains("`Bad` contains control characters"), "{}", refused.err);
    }
}

/// A config with a secret that a person sets and one that payctl generates.
fn with_secrets() -> Folder {
    let folder = Folder::empty();
    let secrets = "project = \"shop\"\nregion = \"us-east-1\"\n[secrets.provider-key]\n\
                   generate = false\n[secrets.made]\n";
    folder.write("config/dev.toml", secrets);
    folder
}

const SET: &str = "secret set provider-key --env dev --sandbox";
const WAITS: &str = "no value yet: run payctl secret set provider-key --env dev --sandbox";

/// Runs `payctl <line>` with this standard input.
fn fed(folder: &Folder, line: &str, input: &[u8]) -> Ran {
    fs::write(folder.path("input"), input).expect("a file");
    ended(folder.payctl(line).stdin(File::open(folder.path("input")).expect("a file")))
}

/// The versions of the secret that a person sets.
fn versions(folder: &Folder) -> Vec<Value> {
    let world = folder.world();
    let secrets = world["secretsmanager"]["secrets"].as_object().expect("secrets");
    let own = secrets.iter().find(|(name, _)| name.contains("provider-key")).expect("the secret");
    own.1["versions"].as_object().expect("versions").values().cloned().collect()
}

#[test]
fn a_secret_takes_its_value_from_standard_input() {
    let folder = with_secrets();
    let missing = fed(&folder, SET, b"sk_live_1");
    missing.expect(1, "secret set before the apply");
    assert!(missing.err.contains("does not exist"), "{}", missing.err);
    assert!(missing.err.contains("run payctl apply to create it"), "{}", missing.err);

    assert!(folder.expect(0, APPLY).err.contains(WAITS));
    let plan = folder.expect(0, "plan --env dev --sandbox --detailed-exitcode");
    assert!(plan.err.contains(WAITS), "{}", plan.err);
    let plan = folder.expect(0, "plan --env dev --sandbox --json");
    assert!(plan.out.contains("\"type\":\"note\""), "{}", plan.out);
    let status = folder.expect(0, "status --env dev --sandbox");
    assert!(status.out.contains("empty"), "{}", status.out);
    assert!(status.out.contains(WAITS), "{}", status.out);
    assert_eq!(versions(&folder), Vec::<Value>::new());

    let set = fed(&folder, &format!("{SET} -vvv"), b"sk_live_1\n");
    set.expect(0, SET);
    assert!(!set.out.contains("sk_live") && !set.err.contains("sk_live"), "{}", set.err);
    assert_eq!(versions(&folder)[0]["text"], "sk_live_1");
    assert_eq!(versions(&folder).len(), 1);
    let plan = folder.expect(0, "plan --env dev --sandbox --detailed-exitcode");
    assert!(!plan.err.contains("no value yet"), "{}", plan.err);
    assert!(!folder.expect(0, "status --env dev --sandbox").out.contains("empty"));

    let set = fed(&folder, &format!("{SET} --json"), b"sk_live_2");
    set.expect(0, SET);
    let line: Value = serde_json::from_str(&set.out).expect("a JSON line");
    assert_eq!(line["type"], "secret");
    assert_eq!(line["address"], "secretsmanager.secret/provider-key");
    let stages = |text: &str| {
        let all = versions(&folder);
        all.iter().find(|version| version["text"] == text).expect("the version")["stages"].clone()
    };
    assert_eq!(stages("sk_live_2"), json!(["AWSCURRENT"]));
    assert_eq!(stages("sk_live_1"), json!(["AWSPREVIOUS"]));
}

#[test]
fn invalid_values_and_secrets_are_refused() {
    let folder = with_secrets();
    folder.expect(0, APPLY);
    let refused = |line: &str, input: &[u8], expected: &str| {
        let ran = fed(&folder, line, input);
        ran.expect(1, line);
        assert!(ran.err.contains(expected), "{}", ran.err);
        assert!(!ran.err.contains("sk_live"), "{}", ran.err);
    };
    refused(SET, b"", "the value is empty");
    refused(SET, b"\n", "the value is empty");
    refused(SET, &[b'x'; 65_537], "at most 65,536 bytes");
    refused(SET, b"sk_live\xff", "is not UTF-8 text");
    let generated = "secret set made --env dev --sandbox";
    refused(generated, b"sk_live", "the value of `made` cannot be set here");
    let unknown = "secret set provider --env dev --sandbox";
    refused(unknown, b"sk_live", "secrets of the config: made, provider-key");
    assert_eq!(versions(&folder), Vec::<Value>::new());
}

/// Types into a terminal. Returns the exit code, whether the echo is on in the end, and the output.
const TERMINAL: &str = r#"
import os, pty, sys, termios
typed, command = sys.argv[1].encode(), sys.argv[2:]
child, terminal = pty.fork()
if child == 0:
    os.execve(command[0], command, dict(os.environ))
seen = b""
def read():
    global seen
    try:
        piece = os.read(terminal, 4096)
    except OSError:
        return False
    seen += piece
    return bool(piece)
while b"(hidden): " not in seen and read():
    pass
os.write(terminal, typed)
while read():
    pass
code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
echo = bool(termios.tcgetattr(terminal)[3] & termios.ECHO)
sys.stdout.write(f"{code} {echo}\n{seen.decode()}")
"#;

#[test]
fn a_secret_prompt_does_not_echo() {
    let folder = with_secrets();
    folder.expect(0, APPLY);
    let typed = |keys: &str| {
        let payctl = folder.payctl(SET);
        let mut python = Command::new("python3");
        python.args(["-c", TERMINAL, keys]).arg(payctl.get_program()).args(payctl.get_args());
        python.current_dir(folder.path(".")).env_clear().env("HOME", folder.path("."));
        python.env("PATH", std::env::var_os("PATH").unwrap_or_default()).env("TERM", "xterm");
        let ran = ended(&mut python);
        ran.expect(0, "a terminal");
        ran.out
    };
    let shown = typed("sk_live_3\n");
    assert!(shown.starts_with("0 True\n"), "{shown}");
    assert!(shown.contains("Value of provider-key (hidden): "), "{shown}");
    assert!(!shown.contains("sk_live"), "{shown}");
    assert_eq!(versions(&folder)[0]["text"], "sk_live_3");
    let shown = typed("sk_live_4\u{3}");
    assert!(shown.starts_with("130 True\n"), "{shown}");
    assert!(!shown.contains("sk_live"), "{shown}");
    assert_eq!(versions(&folder).len(), 1);
}

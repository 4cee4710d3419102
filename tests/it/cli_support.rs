//! The real binary, in a folder of its own with a copy of the shipped config.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use payctl_sandbox::Sandbox;
use serde_json::Value;
use tempfile::TempDir;

/// A folder to run payctl in, without the settings of the machine.
pub struct Folder(TempDir);

/// Copies a folder, if it is there, with everything in it.
pub fn copy(from: &Path, to: &Path) {
    for entry in fs::read_dir(from).into_iter().flatten() {
        let path = entry.expect("a readable folder").path();
        let target = to.join(path.file_name().expect("a file has a name"));
        if path.is_dir() {
            copy(&path, &target);
        } else {
            fs::create_dir_all(to).expect("a writable folder");
            fs::copy(&path, target).expect("a writable folder");
        }
    }
}

/// The result of a command.
pub struct Ran {
    pub code: Option<i32>,
    pub out: String,
    pub err: String,
}

impl Folder {
    /// A folder with the config that payctl ships.
    pub fn shipped() -> Self {
        let folder = Self::empty();
        let shipped = Path::new(env!("CARGO_MANIFEST_DIR"));
        copy(&shipped.join("config"), &folder.path("config"));
        copy(&shipped.join("functions"), &folder.path("functions"));
        folder
    }

    /// A repository with an empty `config`.
    pub fn empty() -> Self {
        let folder = Self(tempfile::tempdir().expect("a temporary folder"));
        fs::create_dir(folder.path(".git")).expect("a writable folder");
        fs::create_dir(folder.path("config")).expect("a writable folder");
        folder
    }

    /// A path inside.
    pub fn path(&self, relative: &str) -> PathBuf {
        self.0.path().join(relative)
    }

    /// Writes a file, with the folders above it.
    pub fn write(&self, relative: &str, text: &str) {
        let path = self.path(relative);
        fs::create_dir_all(path.parent().expect("a parent")).expect("a writable folder");
        fs::write(path, text).expect("a writable folder");
    }

    /// Replaces a text that must be there.
    pub fn edit(&self, relative: &str, from: &str, to: &str) {
        let before = fs::read_to_string(self.path(relative)).expect("the file is there");
        assert!(before.contains(from), "{relative} has no `{from}`");
        self.write(relative, &before.replace(from, to));
    }

    /// The command for `payctl <line>`.
    pub fn payctl(&self, line: &str) -> Command {
        self.program(&[env!("CARGO_BIN_EXE_payctl")], line)
    }

    /// The command for a program and its first arguments, with the words of a line as the others.
    fn program(&self, words: &[&str], line: &str) -> Command {
        let mut command = Command::new(words[0]);
        command
            .args(&words[1..])
            .args(line.split_whitespace())
            .current_dir(self.0.path())
            .env_clear()
            .env("HOME", self.0.path())
            .env("AWS_EC2_METADATA_DISABLED", "true")
            .stdin(Stdio::null());
        command
    }

    /// Runs `payctl <line>`.
    pub fn run(&self, line: &str) -> Ran {
        ended(&mut self.payctl(line))
    }

    /// Runs `payctl <line>` and expects its exit code.
    pub fn expect(&self, code: i32, line: &str) -> Ran {
        let ran = self.run(line);
        ran.expect(code, line);
        ran
    }

    /// Writes the policy of a task without one action, for `PAYCTL_SANDBOX_POLICY`.
    pub fn policy_without(&self, task: &str, env: &str, action: &str) -> PathBuf {
        let ran = self.expect(0, &format!("policy --for {task} --env {env} --sandbox"));
        let mut policy: Value = serde_json::from_str(&ran.out).expect("a policy is JSON");
        for statement in policy["Statement"].as_array_mut().expect("statements") {
            let actions = statement["Action"].as_array_mut().expect("actions");
            actions.retain(|one| one != action);
        }
        self.write("policy.json", &policy.to_string());
        self.path("policy.json")
    }

    /// The number of objects of each type in the sandbox. The table of leases is left out: it belongs to
    /// the account, and is there after the first apply or destroy.
    pub fn counts(&self) -> Value {
        let ran = self.expect(0, "sandbox status --json");
        let line: Value = serde_json::from_str(&ran.out).expect("a JSON line");
        let mut objects = line["objects"].clone();
        let tables = objects["dynamodb.tables"].as_u64().unwrap_or_default();
        let counts = objects.as_object_mut().expect("counts");
        match tables {
            0 | 1 => counts.remove("dynamodb.tables"),
            _ => counts.insert("dynamodb.tables".into(), Value::from(tables - 1)),
        };
        objects
    }

    /// Everything in the sandbox: service, sort of object, name.
    pub fn world(&self) -> Value {
        let sandbox = Sandbox::open(&self.path(".payctl/sandbox")).expect("a sandbox");
        sandbox.snapshot().expect("a state").to_json().expect("JSON")
    }

    /// Starts `payctl <line>` with keys, for an endpoint that accepts any.
    pub fn start_with_keys(&self, line: &str) -> Running {
        let mut command = self.payctl(line);
        command.env("AWS_ACCESS_KEY_ID", "test").env("AWS_SECRET_ACCESS_KEY", "test");
        self.started(&mut command)
    }

    fn started(&self, command: &mut Command) -> Running {
        let said = self.path("said");
        let child = command
            .stdout(Stdio::null())
            .stderr(File::create(&said).expect("a writable folder"))
            .spawn()
            .expect("payctl starts");
        Running { child, said }
    }

    /// Starts `payctl <line>` on a sandbox that delays every call.
    pub fn start_slowly(&self, line: &str, delay: Duration) -> Running {
        self.start_delayed(self.payctl(line), delay)
    }

    /// The same with an option of `env` for a signal: `--ignore-signal=HUP` does what `nohup` does.
    pub fn start_slowly_with(&self, signal: &str, line: &str, delay: Duration) -> Running {
        let words = ["/usr/bin/env", signal, env!("CARGO_BIN_EXE_payctl")];
        self.start_delayed(self.program(&words, line), delay)
    }

    fn start_delayed(&self, mut command: Command, delay: Duration) -> Running {
        self.started(command.env("PAYCTL_SANDBOX_DELAY_MS", delay.as_millis().to_string()))
    }
}

impl Ran {
    /// Expects an exit code.
    pub fn expect(&self, code: i32, what: &str) {
        let Self { code: got, out, err } = self;
        assert_eq!(*got, Some(code), "payctl {what}\n--- stdout\n{out}\n--- stderr\n{err}");
        assert!(!err.contains("panicked"), "{err}");
    }
}

/// Runs a command to its end.
pub fn ended(command: &mut Command) -> Ran {
    let output = command.output().expect("the command starts");
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("UTF-8");
    Ran { code: output.status.code(), out: text(output.stdout), err: text(output.stderr) }
}

/// A running payctl.
pub struct Running {
    child: Child,
    said: PathBuf,
}

impl Running {
    /// The stderr so far.
    pub fn said(&self) -> String {
        fs::read_to_string(&self.said).unwrap_or_default()
    }

    /// Waits until stderr contains a word so many times. Returns false if the run ends before.
    pub fn wait_for(&mut self, word: &str, times: usize) -> bool {
        let said = self.said.clone();
        let text = move || fs::read_to_string(&said).unwrap_or_default();
        self.wait_until(|| text().matches(word).count() >= times)
    }

    /// Waits until something has happened. Returns false if the run ends before.
    pub fn wait_until(&mut self, happened: impl Fn() -> bool) -> bool {
        let began = Instant::now();
        while !happened() {
            if self.child.try_wait().expect("a child").is_some() {
                return false;
            }
            assert!(began.elapsed() < Duration::from_secs(60), "no end: {}", self.said());
            std::thread::sleep(Duration::from_millis(5));
        }
        true
    }

    /// Sends a signal, `INT`.
    pub fn signal(&self, signal: &str) {
        let pid = self.child.id().to_string();
        let sent = Command::new("kill").args(["-s", signal, &pid]).status();
        assert!(sent.expect("kill is there").success());
    }

    /// Waits for the end. Returns how long that took, the exit code, and the stderr.
    pub fn end(mut self) -> (Duration, Option<i32>, String) {
        let began = Instant::now();
        let status = self.child.wait().expect("a child");
        (began.elapsed(), status.code(), self.said())
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // For tests that fail before the end.
        let _ended = self.child.kill().and_then(|()| self.child.wait());
    }
}

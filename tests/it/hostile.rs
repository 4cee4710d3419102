//! Input that nobody would write on purpose: bytes that are not TOML, TOML of the wrong types, thousands
//! of resources, a home that cannot be written.

use std::fmt::Write as _;
use std::fs::{self, File};
use std::path::Path;
use std::time::{Duration, Instant};

use payctl::config;

use crate::cli_support::{Folder, ended};

/// Pieces of which a config might consist.
const WORDS: [&str; 30] = [
    "[queues.",
    "jobs",
    "]",
    "[[",
    "]]",
    "=",
    "\n",
    "\"",
    "'''",
    "${",
    "}",
    "{",
    ",",
    ".",
    "#",
    "project",
    "region",
    "extends",
    "\"a.toml\"",
    "true",
    "-1",
    "1e999",
    "0x",
    "1979-05-27",
    "é",
    "\u{202e}",
    "\u{0}",
    "tables",
    "partition_key",
    "nan",
];

fn loads(folder: &Path, bytes: &[u8]) {
    fs::write(folder.join("a.toml"), bytes).expect("a writable folder");
    for problem in config::load(folder, "a", &|_| None).err().unwrap_or_default() {
        assert!(!problem.to_string().is_empty());
    }
}

#[test]
fn no_bytes_make_the_config_panic() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    for seed in 0..400 {
        let mut random = fastrand::Rng::with_seed(seed);
        let bytes: Vec<u8> = (0..random.usize(..300)).map(|_| random.u8(..)).collect();
        loads(folder.path(), &bytes);
        let words: String =
            (0..random.usize(..60)).map(|_| WORDS[random.usize(..WORDS.len())]).collect();
        loads(folder.path(), words.as_bytes());
    }
    // As deep and as long as nothing should be.
    loads(folder.path(), format!("a = {}", "[".repeat(20_000)).as_bytes());
    loads(folder.path(), format!("a = {}", "{b=".repeat(20_000)).as_bytes());
    loads(folder.path(), format!("[{}a]", "a.".repeat(20_000)).as_bytes());
    loads(folder.path(), "${".repeat(100_000).as_bytes());
}

#[test]
fn thousands_of_resources_are_planned() {
    let folder = Folder::empty();
    let mut text = "project = \"shop\"\nregion = \"us-east-1\"\n".to_owned();
    for number in 0..2000 {
        writeln!(text, "[queues.q{number}]").expect("a string takes all");
    }
    folder.write("config/dev.toml", &text);
    let ran = folder.expect(0, "plan --env dev --sandbox");
    assert!(ran.err.is_empty() || !ran.err.contains("panicked"), "{}", ran.err);
    assert!(ran.out.contains("2000 to create") || ran.err.contains("2000 to create"));
}

#[test]
fn payctl_needs_no_home() {
    let folder = Folder::empty();
    let text = "project = \"shop\"\nregion = \"us-east-1\"\ndisposable = true\n[queues.jobs]\n";
    folder.write("config/dev.toml", text);
    for home in ["/proc", "/nowhere/at/all"] {
        let mut command = folder.payctl("apply --env dev --sandbox --auto-approve");
        let ran = ended(command.env("HOME", home));
        ran.expect(0, home);
    }
    let mut command = folder.payctl("destroy --env dev --sandbox --auto-approve");
    ended(command.env_remove("HOME")).expect(0, "without a home");
}

/// Runs `payctl <line>`, and returns the exit code, stderr and the peak of its memory in MB.
fn measured(folder: &Folder, line: &str) -> (Option<i32>, String, u64) {
    let said = folder.path("said");
    let mut command = folder.payctl(line);
    command.stdout(File::create(folder.path("shown")).expect("a writable folder"));
    command.stderr(File::create(&said).expect("a writable folder"));
    let mut child = command.spawn().expect("payctl starts");
    let (began, mut peak) = (Instant::now(), 0);
    let status = format!("/proc/{}/status", child.id());
    let code = loop {
        let text = fs::read_to_string(&status).unwrap_or_default();
        let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let size = line.and_then(|line| line.trim().strip_suffix("kB")?.trim().parse().ok());
        peak = peak.max(size.unwrap_or(0));
        if let Some(status) = child.try_wait().expect("a child") {
            break status.code();
        }
        assert!(began.elapsed() < Duration::from_secs(240), "no end");
        std::thread::sleep(Duration::from_millis(2));
    };
    (code, fs::read_to_string(&said).expect("stderr"), peak / 1024)
}

/// A file of queues that is almost as large as a config file may be.
fn a_megabyte_of_queues(from: usize) -> String {
    let mut text = String::new();
    for number in from.. {
        if text.len() + 40 > 1 << 20 {
            break;
        }
        writeln!(text, "[queues.q{number}]").expect("a string takes all");
    }
    text
}

#[test]
fn megabytes_of_config_are_refused_in_bounded_memory() {
    let head = "project = \"shop\"\nregion = \"us-east-1\"\n";
    let folder = Folder::empty();
    let refused = |said: &str| {
        let (code, err, peak) = measured(&folder, "plan --env dev --sandbox");
        println!("{said}: {peak} MB");
        assert_eq!(code, Some(1), "{err}");
        assert!(err.contains(said) && !err.contains("panicked"), "no `{said}` in\n{err}");
        assert!(err.len() < 10_000, "{} bytes", err.len());
        assert!(peak < 600, "{said}: {peak} MB");
    };
    folder.write("config/dev.toml", &format!("{head}{}", a_megabyte_of_queues(0)));
    refused("entries together, at most 20000");
    folder.write("config/dev.toml", &format!("{head}#{}", "x".repeat(1 << 20)));
    refused("dev.toml is too large");
    folder.write("config/dev.toml", &format!("{head}[queues.jobs]\n"));
    for number in 0..17 {
        folder.write(&format!("config/more-{number}.toml"), &a_megabyte_of_queues(0));
    }
    refused("the config files are larger than 16 MB together");
}

#[test]
fn ten_thousand_resources_are_planned_in_bounded_memory() {
    let folder = Folder::empty();
    let mut text = "project = \"shop\"\nregion = \"us-east-1\"\n".to_owned();
    for number in 0..10_000 {
        writeln!(text, "[queues.q{number}]").expect("a string takes all");
    }
    folder.write("config/dev.toml", &text);
    let (code, err, peak) = measured(&folder, "plan --env dev --sandbox");
    println!("10,000 queues: {peak} MB");
    assert_eq!(code, Some(0), "{err}");
    assert!(peak < 800, "{peak} MB");
}

//! The shipped Lambda functions: their own tests, in Python, on moto.

use std::path::Path;
use std::process::Command;

use regex_lite::Regex;

use crate::moto::{environment, python};

/// The functions have at least as many tests. Raise the number with each new one, so that none gets lost.
const TESTS: usize = 151;

#[test]
fn the_functions_pass_their_tests() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/functions");
    let python = environment().join("bin/python");
    // -B: payctl packages the folders of the functions, so Python must not leave its cache there.
    let output = Command::new(&python)
        .args(["-B", "-m", "unittest", "discover", "--start-directory"])
        .arg(&folder)
        .output()
        .unwrap_or_else(|error| panic!("cannot start {}: {error}", python.display()));
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stdout));
    let ran = Regex::new(r"(?m)^Ran ([0-9]+) tests").expect("a fixed pattern");
    let ran = ran.captures(&said).and_then(|found| found[1].parse::<usize>().ok());
    assert!(ran >= Some(TESTS), "only {ran:?} of {TESTS} tests ran:\n{said}");
    assert!(!said.contains("skipped="), "tests were skipped:\n{said}");
}

#[test]
fn the_page_of_the_cost_report_is_readable_in_a_browser() {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/browser/report.py");
    let folder = tempfile::tempdir().expect("a temporary folder");
    let output = Command::new(python("browser").join("bin/python"))
        .arg(script)
        .arg(folder.path())
        .output()
        .expect("Python starts");
    let said = [output.stdout, output.stderr].concat();
    let said = String::from_utf8_lossy(&said);
    assert!(output.status.success(), "{said}");
    assert_eq!(said.matches("as it should be").count(), 4, "{said}");
}

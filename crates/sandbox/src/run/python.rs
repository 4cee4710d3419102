//! The Python of this machine, and the files that a call of a function needs.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Mutex;
use std::{fs, io};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use tempfile::TempDir;
use tokio::process::Command;
use tokio::sync::OnceCell;

use crate::toolbox::digest;

/// A Python to run functions with.
#[derive(Clone, Debug)]
pub(super) struct Python {
    pub(super) program: PathBuf,
    /// What it is started with: tests hide boto3 from it.
    pub(super) flags: &'static [&'static str],
}

/// What the folder of functions holds from the start.
const FILES: &[(&str, &str)] = &[
    ("bootstrap.py", include_str!("python/bootstrap.py")),
    ("stand_in/boto3/__init__.py", include_str!("python/boto3/__init__.py")),
    ("stand_in/boto3/dynamodb/__init__.py", include_str!("python/boto3/dynamodb/__init__.py")),
    ("stand_in/boto3/dynamodb/conditions.py", include_str!("python/boto3/dynamodb/conditions.py")),
    ("stand_in/boto3/dynamodb/types.py", include_str!("python/boto3/dynamodb/types.py")),
    ("stand_in/botocore/__init__.py", include_str!("python/botocore/__init__.py")),
    ("stand_in/botocore/config.py", include_str!("python/botocore/config.py")),
    ("stand_in/botocore/exceptions.py", include_str!("python/botocore/exceptions.py")),
];

/// Finds Python once, and keeps the unpacked packages of functions until the sandbox ends.
#[derive(Debug)]
pub(super) struct Pythons {
    found: OnceCell<Result<Python, String>>,
    folder: Mutex<Option<TempDir>>,
    program: &'static str,
    flags: &'static [&'static str],
}

impl Pythons {
    /// The Python of a name, started with flags.
    pub(super) fn of(program: &'static str, flags: &'static [&'static str]) -> Self {
        Self { found: OnceCell::new(), folder: Mutex::default(), program, flags }
    }

    /// The Python of this machine. It tells its own place: a function does not get the environment
    /// in which a shim of `python3` would find it.
    pub(super) async fn python(&self) -> Result<Python, String> {
        let find = || async {
            let mut command = Command::new(self.program);
            command.args(["-c", "import sys; print(sys.executable)"]).kill_on_drop(true);
            command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
            let why = |why: String| {
                let program = self.program;
                format!("the sandbox runs functions with `{program}`, and cannot start it: {why}")
            };
            let done = command.output().await.map_err(|error| why(error.to_string()))?;
            let (out, err) =
                (String::from_utf8_lossy(&done.stdout), String::from_utf8_lossy(&done.stderr));
            if done.status.success() && !out.trim().is_empty() {
                Ok(Python { program: out.trim().into(), flags: self.flags })
            } else {
                Err(why(err.trim().to_owned()))
            }
        };
        self.found.get_or_init(find).await.clone()
    }

    /// The folder of all functions, with the files that each call needs.
    pub(super) fn folder(&self) -> io::Result<PathBuf> {
        let mut folder = self.folder.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if let Some(folder) = &*folder {
            return Ok(folder.path().to_owned());
        }
        let made = tempfile::Builder::new().prefix("payctl-functions-").tempdir()?;
        for (name, text) in FILES {
            let path = made.path().join(name);
            fs::create_dir_all(path.parent().unwrap_or(made.path()))?;
            fs::write(path, text)?;
        }
        fs::create_dir(made.path().join("code"))?;
        let path = made.path().to_owned();
        *folder = Some(made);
        Ok(path)
    }
}

/// Writes a package, in Base64, into the folder unless it is there. Returns its path, and the folder
/// that it is unpacked into.
pub(super) fn keep(folder: &Path, package: &str) -> io::Result<(PathBuf, PathBuf)> {
    let unpacked = folder.join("code").join(&digest(package)[..32]);
    let path = unpacked.with_extension("zip");
    if !path.exists() {
        let bytes = STANDARD.decode(package).map_err(io::Error::other)?;
        let beside = tempfile::NamedTempFile::new_in(folder)?;
        fs::write(beside.path(), bytes)?;
        beside.persist(&path)?;
    }
    Ok((path, unpacked))
}

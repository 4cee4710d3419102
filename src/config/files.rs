//! What a config may read: regular files inside its repository, bounded in number and size.
//!
//! A config may come from somebody who must not see this machine, such as the author of a pull
//! request: whatever it names is checked here before anything is read.

use std::fmt::Display;
use std::fs::{self, File};
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

/// Why something is not read: the message, and what to do.
pub(crate) type Refusal = (String, String);

/// The most that one config file may hold.
pub(crate) const LARGEST_CONFIG: usize = 1 << 20;
/// How many config files a folder may hold.
pub(crate) const MOST_CONFIGS: usize = 1000;

/// The folder that a config may read from.
#[derive(Clone, Debug)]
pub(crate) struct Repository {
    /// Where the config is, without links.
    dir: PathBuf,
    root: PathBuf,
}

impl Repository {
    /// The repository of a config folder: the nearest folder, itself or above, that holds `.git`;
    /// without one, the folder above the config folder.
    pub(crate) fn around(dir: &Path) -> io::Result<Self> {
        let dir = dir.canonicalize()?;
        let marked = dir.ancestors().find(|above| above.join(".git").exists());
        let root = marked.or(dir.parent()).unwrap_or(&dir).to_owned();
        Ok(Self { dir, root })
    }

    /// Where a path leads, if that is inside the repository, and no folder on the way there from
    /// the config is hidden: `.git` holds the credentials of a checkout.
    pub(crate) fn admit(&self, path: &Path) -> Result<PathBuf, Refusal> {
        let real = path.canonicalize().map_err(|error| unreadable(path, error))?;
        if !real.starts_with(&self.root) {
            let message = format!("{} is outside of the repository", path.display());
            let fix = format!(
                "a config reads what is inside of {} alone: the nearest folder with `.git`, else \
                 the one above the config folder",
                self.root.display()
            );
            return Err((message, fix));
        }
        let shared = self.dir.ancestors().find(|above| real.starts_with(above));
        let way = shared.and_then(|shared| real.strip_prefix(shared).ok()).unwrap_or(&real);
        // Kubernetes mounts a ConfigMap through folders that begin with two dots.
        let is_hidden = |step: &[u8]| step.starts_with(b".") && !step.starts_with(b"..");
        if way.iter().any(|step| is_hidden(step.as_encoded_bytes())) {
            let message = format!("{} is hidden", path.display());
            let fix = "a config reads nothing whose path holds a name that begins with a dot";
            return Err((message, fix.to_owned()));
        }
        Ok(real)
    }

    /// The bytes of a regular file that holds no more than `most`.
    pub(crate) fn read(&self, path: &Path, most: usize) -> Result<Vec<u8>, Refusal> {
        let real = self.admit(path)?;
        let failed = |error| unreadable(path, error);
        // Before it is opened: that would wait for the other end of a pipe.
        let facts = fs::metadata(&real).map_err(failed)?;
        if !facts.is_file() {
            let message = format!("{} is no regular file", path.display());
            return Err((message, "a config reads no pipes, sockets and devices".to_owned()));
        }
        let too_large = || {
            let message = format!("{} is too large", path.display());
            Err((message, format!("no more than {} are read here", size(most))))
        };
        if facts.len() > most as u64 {
            return too_large();
        }
        // What its size says may be out of date by now.
        let mut bytes = Vec::new();
        let file = File::open(&real).map_err(failed)?;
        file.take(most as u64 + 1).read_to_end(&mut bytes).map_err(failed)?;
        if bytes.len() > most { too_large() } else { Ok(bytes) }
    }
}

/// A failure of the file system.
pub(crate) fn unreadable(path: &Path, error: impl Display) -> Refusal {
    (format!("cannot read {}: {error}", path.display()), "make it readable".to_owned())
}

/// A number of bytes: `1 MB`.
fn size(bytes: usize) -> String {
    match bytes >> 20 {
        0 => format!("{bytes} bytes"),
        megabytes => format!("{megabytes} MB"),
    }
}

#[cfg(test)]
#[cfg(unix)]
mod tests {
    use std::os::unix::fs::symlink;
    use std::os::unix::net::UnixListener;

    use super::*;

    /// A folder with `repo/config/dev.toml` and `secret` beside `repo`.
    fn place() -> (tempfile::TempDir, PathBuf) {
        let place = tempfile::tempdir().unwrap();
        let root = place.path().canonicalize().unwrap();
        let config = root.join("repo/config");
        fs::create_dir_all(&config).unwrap();
        fs::write(config.join("dev.toml"), "x").unwrap();
        fs::write(root.join("secret"), "s").unwrap();
        (place, config)
    }

    fn refusal(config: &Path, path: &str) -> String {
        let found = Repository::around(config).unwrap().read(&config.join(path), 9);
        found.unwrap_err().0
    }

    #[test]
    fn the_repository_is_the_nearest_git_folder_or_the_folder_above() {
        let (_place, config) = place();
        let root = || Repository::around(&config).unwrap().root;
        assert_eq!(root(), config.parent().unwrap());
        let above = config.parent().unwrap().parent().unwrap();
        // A worktree has a file there.
        fs::write(above.join(".git"), "gitdir: elsewhere").unwrap();
        assert_eq!(root(), above);
        fs::create_dir(config.join(".git")).unwrap();
        assert_eq!(root(), config);
    }

    #[test]
    fn what_is_outside_is_not_read_however_it_is_named() {
        let (_place, config) = place();
        let outside = config.parent().unwrap().parent().unwrap().join("secret");
        symlink(&outside, config.join("link")).unwrap();
        symlink("link", config.join("second")).unwrap();
        for path in
            ["../../secret", outside.to_str().unwrap(), "link", "second", "/proc/self/environ"]
        {
            let message = refusal(&config, path);
            assert!(message.contains("is outside of the repository"), "{message}");
        }
        symlink("dev.toml", config.join("inside")).unwrap();
        let repository = Repository::around(&config).unwrap();
        assert_eq!(repository.read(&config.join("inside"), 9).unwrap(), b"x");
    }

    #[test]
    fn what_is_hidden_is_not_read() {
        let (_place, config) = place();
        let repo = config.parent().unwrap();
        fs::create_dir(repo.join(".git")).unwrap();
        fs::write(repo.join(".git/config"), "token").unwrap();
        symlink("../.git/config", config.join("link")).unwrap();
        for path in ["../.git/config", "link"] {
            let message = refusal(&config, path);
            assert!(message.contains("is hidden"), "{message}");
        }
        fs::create_dir(config.join("..2026")).unwrap();
        fs::write(config.join("..2026/dev.toml"), "z").unwrap();
        symlink("..2026/dev.toml", config.join("mounted.toml")).unwrap();
        let repository = Repository::around(&config).unwrap();
        assert_eq!(repository.read(&config.join("mounted.toml"), 9).unwrap(), b"z");
        // A config in a hidden folder reads what is beside it.
        let hidden = repo.join(".infra/config");
        fs::create_dir_all(&hidden).unwrap();
        fs::write(repo.join(".infra/beside"), "y").unwrap();
        let repository = Repository::around(&hidden).unwrap();
        assert_eq!(repository.read(&hidden.join("../beside"), 9).unwrap(), b"y");
    }

    #[test]
    fn only_regular_files_are_read_and_no_more_than_asked_for() {
        let (_place, config) = place();
        let _listener = UnixListener::bind(config.join("socket")).unwrap();
        let made = std::process::Command::new("mkfifo").arg(config.join("pipe")).status();
        assert!(made.unwrap().success());
        for path in ["socket", "pipe", "."] {
            let message = refusal(&config, path);
            assert!(message.contains("is no regular file"), "{message}");
        }
        fs::write(config.join("nine"), "123456789").unwrap();
        fs::write(config.join("ten"), "1234567890").unwrap();
        let repository = Repository::around(&config).unwrap();
        assert_eq!(repository.read(&config.join("nine"), 9).unwrap().len(), 9);
        let (message, fix) = repository.read(&config.join("ten"), 9).unwrap_err();
        assert!(message.contains("is too large") && fix.contains("9 bytes"), "{message} {fix}");
    }
}

//! The files that a config may read: regular files inside its repository, limited in number and size.
//!
//! The author of a config may be somebody who must not see this machine, such as the author of a pull
//! request. So payctl checks every path here before it reads the file.

use std::fmt::Display;
use std::fs::{self, File};
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

/// The reason why a file is not read: the message, and what to do.
pub(crate) type Refusal = (String, String);

/// The largest size of a config file.
pub(crate) const LARGEST_CONFIG: usize = 1 << 20;
/// The most config files in a folder.
pub(crate) const MOST_CONFIGS: usize = 1000;
/// The largest size of all config files of a folder together.
pub(crate) const LARGEST_TOGETHER: usize = 16 << 20;
/// The most entries that the sections of an environment may have together: some hundred bytes of a config
/// become many times that in memory.
pub(crate) const MOST_ENTRIES: usize = 20_000;

/// The folder that a config may read.
#[derive(Clone, Debug)]
pub(crate) struct Repository {
    /// The folder of the config, with links resolved.
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

    /// Resolves a path, if it is inside the repository, and no folder on the way there from
    /// the config is hidden: `.git` holds the credentials of a checkout.
    pub(crate) fn admit(&self, path: &Path) -> Result<PathBuf, Refusal> {
        let real = path.canonicalize().map_err(|error| unreadable(path, error))?;
        if !real.starts_with(&self.root) {
            let message = format!("{} is outside the repository", path.display());
            let fix = format!(
                "a config can read only files inside {}: the nearest folder with `.git`, or else \
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
            let fix = "a config cannot read a path with a name that begins with a dot";
            return Err((message, fix.to_owned()));
        }
        Ok(real)
    }

    /// The bytes of a regular file that holds no more than `most`.
    pub(crate) fn read(&self, path: &Path, most: usize) -> Result<Vec<u8>, Refusal> {
        let real = self.admit(path)?;
        let failed = |error| unreadable(path, error);
        // Checked before the file is opened, which would wait for the other end of a pipe.
        let facts = fs::metadata(&real).map_err(failed)?;
        if !facts.is_file() {
            let message = format!("{} is not a regular file", path.display());
            return Err((message, "a config cannot read pipes, sockets or devices".to_owned()));
        }
        let too_large = || {
            let message = format!("{} is too large", path.display());
            Err((message, format!("payctl reads at most {} here", size(most))))
        };
        if facts.len() > most as u64 {
            return too_large();
        }
        // The file may have grown since its size was read.
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
pub(crate) fn size(bytes: usize) -> String {
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
    fn the_repository_is_the_nearest_git_folder_or_the_parent() {
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
    fn files_outside_the_repository_are_not_read() {
        let (_place, config) = place();
        let outside = config.parent().unwrap().parent().unwrap().join("secret");
        symlink(&outside, config.join("link")).unwrap();
        symlink("link", config.join("second")).unwrap();
        for path in
            ["../../secret", outside.to_str().unwrap(), "link", "second", "/proc/self/environ"]
        {
            let message = refusal(&config, path);
            assert!(message.contains("is outside the repository"), "{message}");
        }
        symlink("dev.toml", config.join("inside")).unwrap();
        let repository = Repository::around(&config).unwrap();
        assert_eq!(repository.read(&config.join("inside"), 9).unwrap(), b"x");
    }

    #[test]
    fn hidden_files_are_not_read() {
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
        // A config in a hidden folder reads the files beside it.
        let hidden = repo.join(".infra/config");
        fs::create_dir_all(&hidden).unwrap();
        fs::write(repo.join(".infra/beside"), "y").unwrap();
        let repository = Repository::around(&hidden).unwrap();
        assert_eq!(repository.read(&hidden.join("../beside"), 9).unwrap(), b"y");
    }

    #[test]
    fn only_regular_files_within_the_limit_are_read() {
        let (_place, config) = place();
        let _listener = UnixListener::bind(config.join("socket")).unwrap();
        let made = std::process::Command::new("mkfifo").arg(config.join("pipe")).status();
        assert!(made.unwrap().success());
        for path in ["socket", "pipe", "."] {
            let message = refusal(&config, path);
            assert!(message.contains("is not a regular file"), "{message}");
        }
        fs::write(config.join("nine"), "123456789").unwrap();
        fs::write(config.join("ten"), "1234567890").unwrap();
        let repository = Repository::around(&config).unwrap();
        assert_eq!(repository.read(&config.join("nine"), 9).unwrap().len(), 9);
        let (message, fix) = repository.read(&config.join("ten"), 9).unwrap_err();
        assert!(message.contains("is too large") && fix.contains("9 bytes"), "{message} {fix}");
    }
}

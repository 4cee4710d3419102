//! The source folders of functions: read beside the config files, and packed.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use super::Loaded;
use super::problem::Problem;
use crate::model::package::{Files, Package};

/// The packages of the functions, by function.
pub(crate) type Sources = BTreeMap<String, Source>;

/// What a function is made of.
#[derive(Clone, Debug)]
pub(crate) struct Source {
    /// The paths of the files.
    pub(crate) files: Vec<String>,
    /// The files, packed.
    pub(crate) package: Package,
}

/// The most that Lambda takes in a call, zipped and unzipped.
const ZIPPED: usize = 50 << 20;
const UNZIPPED: usize = 250 << 20;

/// Reads the source folders of all functions. `dir` is where the config is.
pub(crate) fn read(loaded: &Loaded, dir: &Path) -> (Sources, Vec<Problem>) {
    let (mut sources, mut problems) = (Sources::new(), Vec::new());
    let mut known: BTreeMap<&str, Source> = BTreeMap::new();
    for (name, function) in &loaded.config.functions {
        let folder = function.source.as_str();
        let found = match known.get(folder) {
            Some(source) => Ok(source.clone()),
            None => pack(&dir.join(folder)),
        };
        match found {
            Ok(source) => {
                known.insert(folder, source.clone());
                sources.insert(name.0.clone(), source);
            }
            Err((message, fix)) => {
                problems.push(loaded.problem(&["functions", name, "source"], message, fix));
            }
        }
    }
    (sources, problems)
}

/// The error is message and fix.
fn pack(folder: &Path) -> Result<Source, (String, &'static str)> {
    if !folder.is_dir() {
        let message = format!("there is no folder {}", folder.display());
        return Err((message, "name the function's folder, relative to the config directory"));
    }
    let mut found = Found::default();
    if let Err(error) = found.collect(folder, "") {
        let message = format!("cannot read {}: {error}", folder.display());
        return Err((message, "make every file in it readable"));
    }
    let Found { files, size, .. } = found;
    if files.is_empty() {
        let message = format!("there are no files in {}", folder.display());
        return Err((message, "put the function's code there"));
    }
    let fix = "leave out what the function does not need";
    if size > UNZIPPED {
        return Err((format!("{} holds more than 250 MB", folder.display()), fix));
    }
    let package = Package::of(&files);
    if package.archive.len() > ZIPPED {
        return Err((format!("{} holds more than 50 MB, zipped", folder.display()), fix));
    }
    Ok(Source { files: files.into_keys().collect(), package })
}

/// What belongs into a package.
#[derive(Default)]
struct Found {
    files: Files,
    /// How many bytes they have. What is too much is only counted.
    size: usize,
    /// The folders around the one that is being read.
    around: Vec<PathBuf>,
}

impl Found {
    /// Gathers the files of a folder. Links are followed, but for those that lead back.
    fn collect(&mut self, folder: &Path, prefix: &str) -> std::io::Result<()> {
        let real = folder.canonicalize()?;
        if self.around.contains(&real) {
            let message = format!("{} is a link to a folder that it is in", folder.display());
            return Err(std::io::Error::other(message));
        }
        self.around.push(real);
        for entry in fs::read_dir(folder)? {
            let path = entry?.path();
            let Some(name) = path.file_name().and_then(|name| name.to_str()) else {
                let message = format!("the name of {} is not UTF-8", path.display());
                return Err(std::io::Error::other(message));
            };
            let is_dir = path.is_dir();
            if is_left_out(name, is_dir) {
                continue;
            }
            let inside = format!("{prefix}{name}");
            if is_dir {
                self.collect(&path, &format!("{inside}/"))?;
                continue;
            }
            let size = usize::try_from(fs::metadata(&path)?.len()).unwrap_or(usize::MAX);
            self.size = self.size.saturating_add(size);
            if self.size <= UNZIPPED {
                self.files.insert(inside, fs::read(&path)?);
            }
        }
        self.around.pop();
        Ok(())
    }
}

/// What a function does not need at work.
fn is_left_out(name: &str, is_dir: bool) -> bool {
    name.starts_with('.')
        || name.ends_with(".pyc")
        || is_dir && ["__pycache__", "tests"].contains(&name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_package_holds_what_runs() {
        let dir = tempfile::tempdir().unwrap();
        let write = |path: &str| {
            let path = dir.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "x").unwrap();
        };
        for path in [
            "index.py",
            "lib/money.py",
            "lib/tests.py",
            ".env",
            ".venv/lib.py",
            "index.pyc",
            "lib/__pycache__/money.cpython-313.pyc",
            "tests/test_index.py",
        ] {
            write(path);
        }
        let source = pack(dir.path()).unwrap();
        assert_eq!(source.files, ["index.py", "lib/money.py", "lib/tests.py"]);
        let digest = source.package.digest;
        // Times do not count; contents do.
        write("index.py");
        assert_eq!(pack(dir.path()).unwrap().package.digest, digest);
        fs::write(dir.path().join("index.py"), "y").unwrap();
        assert_ne!(pack(dir.path()).unwrap().package.digest, digest);
    }

    #[cfg(unix)]
    #[test]
    fn a_link_is_followed_unless_it_leads_back() {
        use std::os::unix::fs::symlink;
        let dir = tempfile::tempdir().unwrap();
        let (work, shared) = (dir.path().join("work"), dir.path().join("shared"));
        for folder in [&work, &shared] {
            fs::create_dir(folder).unwrap();
            fs::write(folder.join("money.py"), "x").unwrap();
        }
        symlink(&shared, work.join("lib")).unwrap();
        symlink(&shared, work.join("again")).unwrap();
        let files = pack(&work).unwrap().files;
        assert_eq!(files, ["again/money.py", "lib/money.py", "money.py"]);
        symlink(&work, shared.join("back")).unwrap();
        let (message, _) = pack(&work).unwrap_err();
        assert!(message.contains("back is a link to a folder that it is in"), "{message}");
    }

    #[test]
    fn a_folder_must_be_there_with_something_in_it() {
        let dir = tempfile::tempdir().unwrap();
        assert!(pack(&dir.path().join("none")).unwrap_err().0.contains("no folder"));
        assert!(pack(dir.path()).unwrap_err().0.contains("no files"));
    }
}

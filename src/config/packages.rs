//! The source folders of functions: read beside the config files, and packed.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use super::Loaded;
use super::files::{Refusal, Repository, unreadable};
use super::key_path::KeyPath;
use super::problem::Problem;
use payctl_engine::model::package::{Files, Package};

/// The packages of the functions, by function.
pub(crate) type Sources = BTreeMap<String, Source>;

/// The source of a function.
#[derive(Clone, Debug)]
pub(crate) struct Source {
    /// The paths of the files.
    pub(crate) files: Vec<String>,
    /// The files, packed.
    pub(crate) package: Package,
}

/// The largest package that Lambda accepts in a call, zipped and unzipped.
const ZIPPED: usize = 50 << 20;
const UNZIPPED: usize = 250 << 20;
/// The largest size of all functions of a config together, unzipped.
const ALL: usize = 2 << 30;
/// The most files and folders that payctl reads for one function.
const MOST: usize = 20_000;

/// Reads the source folders of all functions. `dir` is the folder of the config.
pub(crate) fn read(loaded: &Loaded, dir: &Path) -> (Sources, Vec<Problem>) {
    let (mut sources, mut problems) = (Sources::new(), Vec::new());
    if loaded.config.functions.is_empty() {
        return (sources, problems);
    }
    let mut packer = match Packer::around(dir) {
        Ok(packer) => packer,
        Err((message, fix)) => {
            return (sources, vec![loaded.problem(&KeyPath::of("functions"), message, fix)]);
        }
    };
    for (name, function) in &loaded.config.functions {
        match packer.source(&dir.join(function.source.as_str())) {
            Ok(source) => drop(sources.insert(name.0.clone(), source)),
            Err((message, fix)) => {
                problems.push(loaded.problem(
                    &KeyPath::of("functions").key(name).key("source"),
                    message,
                    fix,
                ));
            }
        }
    }
    (sources, problems)
}

/// Packs folders of a repository, each once.
struct Packer {
    repository: Repository,
    /// By the resolved path of the folder: one folder has many names.
    known: BTreeMap<PathBuf, Source>,
    /// The number of bytes that payctl may still read.
    left: usize,
}

impl Packer {
    fn around(dir: &Path) -> Result<Self, Refusal> {
        let repository = Repository::around(dir).map_err(|error| unreadable(dir, error))?;
        Ok(Self { repository, known: BTreeMap::new(), left: ALL })
    }

    fn source(&mut self, folder: &Path) -> Result<Source, Refusal> {
        if !folder.is_dir() {
            let message = format!("there is no folder {}", folder.display());
            let fix = "name the function's folder, relative to the config directory";
            return Err((message, fix.to_owned()));
        }
        let real = self.repository.admit(folder)?;
        if let Some(source) = self.known.get(&real) {
            return Ok(source.clone());
        }
        let source = self.pack(folder)?;
        self.known.insert(real, source.clone());
        Ok(source)
    }

    fn pack(&mut self, folder: &Path) -> Result<Source, Refusal> {
        let mut found = Found::new(&self.repository);
        found.collect(folder, "")?;
        let Found { files, size, .. } = found;
        if files.is_empty() {
            let message = format!("there are no files in {}", folder.display());
            return Err((message, "put the function's code into the folder".to_owned()));
        }
        let fix = "remove files that the function does not need".to_owned();
        if size > UNZIPPED {
            return Err((format!("{} holds more than 250 MB", folder.display()), fix));
        }
        let Some(left) = self.left.checked_sub(size) else {
            return Err(("the functions hold more than 2 GB together".to_owned(), fix));
        };
        self.left = left;
        let package = Package::of(&files);
        if package.archive.len() > ZIPPED {
            return Err((format!("{} holds more than 50 MB, zipped", folder.display()), fix));
        }
        Ok(Source { files: files.into_keys().collect(), package })
    }
}

/// The files of a package.
struct Found<'a> {
    repository: &'a Repository,
    files: Files,
    /// Their size in bytes. Above the limit, payctl stops reading.
    size: usize,
    /// The number of files and folders read so far.
    seen: usize,
    /// The parents of the folder that is being read.
    around: Vec<PathBuf>,
}

impl<'a> Found<'a> {
    fn new(repository: &'a Repository) -> Self {
        Self { repository, files: Files::new(), size: 0, seen: 0, around: Vec::new() }
    }

    /// Collects the files of a folder. It follows links inside the repository, except links that
    /// lead back.
    fn collect(&mut self, folder: &Path, prefix: &str) -> Result<(), Refusal> {
        let failed = |error: std::io::Error| unreadable(folder, error);
        let real = folder.canonicalize().map_err(failed)?;
        if self.around.contains(&real) {
            let message = format!("{} is a link to a folder that contains it", folder.display());
            return Err((message, "remove the link".to_owned()));
        }
        self.around.push(real);
        for entry in fs::read_dir(folder).map_err(failed)? {
            self.seen += 1;
            if self.seen > MOST {
                let message = format!(
                    "there are too many files: {} is one of more than {MOST}",
                    folder.display()
                );
                return Err((message, "remove files that the function does not need".to_owned()));
            }
            self.take(&entry.map_err(failed)?, prefix)?;
        }
        self.around.pop();
        Ok(())
    }

    fn take(&mut self, entry: &fs::DirEntry, prefix: &str) -> Result<(), Refusal> {
        let path = entry.path();
        let Some(name) = path.file_name().and_then(|name| name.to_str()) else {
            let message = format!("the name of {} is not UTF-8", path.display());
            return Err((message, "rename it".to_owned()));
        };
        let is_dir = path.is_dir();
        if is_left_out(name, is_dir) || self.size > UNZIPPED {
            return Ok(());
        }
        if is_dir {
            self.repository.admit(&path)?;
            return self.collect(&path, &format!("{prefix}{name}/"));
        }
        if is_key_file(name) {
            return Err(key_file(&path));
        }
        let content = self.repository.read(&path, UNZIPPED)?;
        if is_key(name, &content) {
            return Err(key_file(&path));
        }
        self.size += content.len();
        self.files.insert(format!("{prefix}{name}"), content);
        Ok(())
    }
}

/// Whether a function does not need a file at runtime. Hidden files are among them: `.env`, `.npmrc`, `.aws`.
fn is_left_out(name: &str, is_dir: bool) -> bool {
    name.starts_with('.')
        || name.ends_with(".pyc")
        || is_dir && ["__pycache__", "tests"].contains(&name)
}

fn key_file(path: &Path) -> Refusal {
    let message =
        format!("{} is a private key, and payctl does not put keys into a package", path.display());
    let fix =
        "remove it from the folder, and let the function read it from a secret: see [secrets]";
    (message, fix.to_owned())
}

/// Names of files that contain keys. `credentials.py` is a module of many
/// libraries, so only data files of that name count.
fn is_key_file(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    let (stem, ending) = name.rsplit_once('.').unwrap_or((&name, ""));
    let of_ssh = ["id_rsa", "id_dsa", "id_ecdsa", "id_ed25519"];
    let data = ["", "csv", "ini", "json", "toml", "txt", "xml", "yaml", "yml"];
    ["key", "p12", "pfx", "jks", "keystore", "kdbx", "ppk"].contains(&ending)
        || of_ssh.iter().any(|key| name.starts_with(key)) && ending != "pub"
        || data.contains(&ending)
            && ["credentials", "accesskeys", "rootkey"].iter().any(|word| stem.ends_with(word))
}

/// Whether a file is a private key. A `.pem` with only certificates is not one.
fn is_key(name: &str, content: &[u8]) -> bool {
    const MARK: &[u8] = b"PRIVATE KEY";
    let holds = |text: &[u8]| text.windows(MARK.len()).any(|found| found == MARK);
    let content = content.trim_ascii_start();
    let first = content.split(|byte| *byte == b'\n').next().unwrap_or_default();
    let ending = name.rsplit_once('.').map(|(_, ending)| ending.to_ascii_lowercase());
    let is_pem = ending.is_some_and(|ending| ["pem", "crt", "cer"].contains(&ending.as_str()));
    first.starts_with(b"-----BEGIN ") && holds(first) || is_pem && holds(content)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Packs a folder whose repository is the folder above it.
    fn pack(folder: &Path) -> Result<Source, Refusal> {
        Packer::around(folder)?.source(folder)
    }

    #[test]
    fn a_package_contains_only_runtime_files() {
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
    fn links_are_followed_unless_they_form_a_cycle() {
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
        assert!(message.contains("back is a link to a folder that contains it"), "{message}");
    }

    #[cfg(unix)]
    #[test]
    fn files_outside_the_repository_are_not_packed() {
        use std::os::unix::fs::symlink;
        let dir = tempfile::tempdir().unwrap();
        let (work, others) = (dir.path().join("repo/work"), dir.path().join("others"));
        for folder in [&work, &others] {
            fs::create_dir_all(folder).unwrap();
            fs::write(folder.join("index.py"), "x").unwrap();
        }
        for target in [others.clone(), others.join("index.py")] {
            symlink(target, work.join("link")).unwrap();
            let (message, _) = pack(&work).unwrap_err();
            assert!(message.contains("link is outside the repository"), "{message}");
            fs::remove_file(work.join("link")).unwrap();
        }
        let refused = |folder: &Path| Packer::around(&work).unwrap().source(folder).unwrap_err().0;
        assert!(refused(&others).contains("is outside the repository"));
        assert!(refused(&work.join("../../others")).contains("is outside the repository"));
        fs::create_dir(dir.path().join("repo/.git")).unwrap();
        fs::write(dir.path().join("repo/.git/config"), "token").unwrap();
        assert!(refused(&work.join("../.git")).contains("is hidden"));
        // A pipe would never end.
        let made = std::process::Command::new("mkfifo").arg(work.join("pipe")).status();
        assert!(made.unwrap().success());
        assert!(refused(&work).contains("pipe is not a regular file"));
    }

    /// Whether a file is refused as a key.
    fn is_refused(name: &str, content: &str) -> bool {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("index.py"), "x").unwrap();
        fs::write(dir.path().join(name), content).unwrap();
        match pack(dir.path()) {
            Ok(source) => {
                // Hidden files are left out without a message.
                assert_eq!(source.files.contains(&name.to_owned()), !name.starts_with('.'));
                false
            }
            Err((message, _)) => {
                assert!(
                    message.contains(name) && message.contains("is a private key"),
                    "{message}"
                );
                true
            }
        }
    }

    #[test]
    fn private_keys_are_not_packed_but_certificates_are() {
        let certificate = "-----BEGIN CERTIFICATE-----\nMII\n-----END CERTIFICATE-----\n";
        let key = "-----BEGIN RSA PRIVATE KEY-----\nMII\n-----END RSA PRIVATE KEY-----\n";
        for name in ["server.key", "ID_RSA", "id_ed25519_work", "store.p12", "store.PFX", "a.jks"] {
            assert!(is_refused(name, "x"), "{name}");
        }
        for name in ["credentials", "credentials.json", "me_accessKeys.csv", "rootkey.csv"] {
            assert!(is_refused(name, "x"), "{name}");
        }
        for name in ["server.pem", "chain.crt", "notes.txt", "data"] {
            assert!(is_refused(name, key), "{name}");
            assert!(is_refused(name, &format!("\n{}", key.replace("RSA", "ENCRYPTED"))), "{name}");
            assert!(!is_refused(name, certificate), "{name}");
        }
        assert!(is_refused("both.pem", &format!("{certificate}{key}")));
        // Libraries have these.
        assert!(!is_refused("credentials.py", "x"));
        assert!(!is_refused("pem.py", &format!("MARK = b\"\"\"{key}\"\"\"")));
        assert!(!is_refused("id_rsa.pub", "x"));
        for name in [".env", ".env.prod", ".npmrc"] {
            assert!(!is_refused(name, key), "{name}");
        }
    }

    #[test]
    fn a_package_is_bounded_in_number_and_size() {
        let dir = tempfile::tempdir().unwrap();
        let large = fs::File::create(dir.path().join("large")).unwrap();
        large.set_len(UNZIPPED as u64 + 1).unwrap();
        let (message, fix) = pack(dir.path()).unwrap_err();
        assert!(message.contains("is too large") && fix.contains("250 MB"), "{message}: {fix}");
        fs::remove_file(dir.path().join("large")).unwrap();
        for number in 0..=MOST {
            fs::File::create(dir.path().join(number.to_string())).unwrap();
        }
        let (message, _) = pack(dir.path()).unwrap_err();
        assert!(message.contains("is one of more than 20000"), "{message}");
    }

    #[test]
    fn a_folder_with_many_names_is_read_once() {
        let dir = tempfile::tempdir().unwrap();
        let work = dir.path().join("work");
        fs::create_dir(&work).unwrap();
        fs::write(work.join("index.py"), "x").unwrap();
        let mut packer = Packer::around(&work).unwrap();
        for name in ["work", "work/.", "work/../work"] {
            packer.source(&dir.path().join(name)).unwrap();
        }
        assert_eq!((packer.known.len(), packer.left), (1, ALL - 1));
    }

    #[test]
    fn a_source_folder_must_exist_and_contain_files() {
        let dir = tempfile::tempdir().unwrap();
        let mut packer = Packer::around(dir.path()).unwrap();
        let (message, _) = packer.source(&dir.path().join("none")).unwrap_err();
        assert!(message.contains("no folder"), "{message}");
        assert!(pack(dir.path()).unwrap_err().0.contains("no files"));
    }
}

//! What functions run: folders of source files as zip archives that depend on nothing but the
//! files' names and contents, so that an unchanged function has an unchanged digest everywhere.

use std::collections::BTreeMap;
use std::io::{Cursor, Write as _};
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest, Sha256};
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, DateTime, System, ZipWriter};

/// The files of a package by path, with slashes.
pub type Files = BTreeMap<String, Vec<u8>>;

/// A package: an archive and its digest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Package {
    /// The SHA-256 of the archive in base64, as Lambda tells it.
    pub digest: String,
    /// The archive.
    pub archive: Arc<[u8]>,
}

impl Package {
    /// Packs files: sorted, readable for everyone, from the first day that an archive can name.
    /// Which files can be executed follows from their contents: not every file system knows.
    pub fn of(files: &Files) -> Self {
        let options = SimpleFileOptions::default()
            .compression_method(CompressionMethod::Deflated)
            .compression_level(Some(6))
            .last_modified_time(DateTime::DEFAULT)
            .system(System::Unix);
        let memory = "an archive in memory takes every file";
        let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
        for (path, content) in files {
            let mode = if is_program(path, content) { 0o755 } else { 0o644 };
            writer.start_file(path.as_str(), options.unix_permissions(mode)).expect(memory);
            writer.write_all(content).expect(memory);
        }
        let archive = writer.finish().expect(memory).into_inner();
        Self { digest: STANDARD.encode(Sha256::digest(&archive)), archive: archive.into() }
    }
}

/// Whether a file is executed: what starts a runtime of one's own, a binary, or a script.
fn is_program(path: &str, content: &[u8]) -> bool {
    path == BOOTSTRAP || content.starts_with(b"\x7fELF") || content.starts_with(b"#!")
}

/// What Lambda starts in a runtime of one's own.
pub const BOOTSTRAP: &str = "bootstrap";

/// The archives that an environment may have to upload, by digest.
#[derive(Clone, Debug, Default)]
pub struct Packages(Arc<BTreeMap<String, Arc<[u8]>>>);

impl Packages {
    /// The archive with that digest.
    pub fn get(&self, digest: &str) -> Option<&[u8]> {
        self.0.get(digest).map(|archive| &**archive)
    }

    /// What the samples of functions run, for the round trips over all kinds: two packages.
    pub fn samples() -> [Package; 2] {
        ["ok", "changed"].map(|word| {
            let code = format!("def handler(event, context):\n    return \"{word}\"\n");
            Package::of(&Files::from([("index.py".to_owned(), code.into_bytes())]))
        })
    }
}

impl FromIterator<Package> for Packages {
    fn from_iter<T: IntoIterator<Item = Package>>(packages: T) -> Self {
        let pairs = packages.into_iter().map(|package| (package.digest, package.archive));
        Self(Arc::new(pairs.collect()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn files() -> Files {
        let file = |path: &str, content: &str| (path.to_owned(), content.as_bytes().to_vec());
        Files::from([file("index.py", "print(1)\n"), file("lib/money.py", &"x = 1\n".repeat(99))])
    }

    #[test]
    fn an_archive_depends_only_on_its_files() {
        let package = Package::of(&files());
        assert_eq!(package, Package::of(&files()));
        // Pinned: another machine, another day or another order must give these very bytes.
        assert_eq!(package.digest, "+KGfdQMdG/Msd6ZMnT2mlX/Y2mWvvNMmbEHZ6FKW78E=");
        let mut others = files();
        others.insert("index.py".into(), b"print(2)\n".to_vec());
        assert_ne!(package.digest, Package::of(&others).digest);
    }

    #[test]
    fn an_archive_contains_its_files() {
        let package = Package::of(&files());
        let mut archive = zip::ZipArchive::new(Cursor::new(&package.archive)).unwrap();
        let names: Vec<String> = archive.file_names().map(str::to_owned).collect();
        assert_eq!(names, ["index.py", "lib/money.py"]);
        let file = archive.by_name("lib/money.py").unwrap();
        assert_eq!((file.unix_mode(), file.size()), (Some(0o100_644), 594));
        assert!(file.compressed_size() < 100);
    }

    #[test]
    fn programs_stay_executable() {
        let file = |path: &str, content: &[u8]| (path.to_owned(), content.to_vec());
        let package = Package::of(&Files::from([
            file("bootstrap", b"exec handler"),
            file("bin/tool", b"\x7fELF\x02"),
            file("bin/run", b"#!/bin/sh\n"),
            file("bin/bootstrap", b"text"),
            file("bin/notes", b""),
        ]));
        let mut archive = zip::ZipArchive::new(Cursor::new(&package.archive)).unwrap();
        let mut mode = |path| archive.by_name(path).unwrap().unix_mode().unwrap() & 0o777;
        for (path, expected) in [
            ("bootstrap", 0o755),
            ("bin/tool", 0o755),
            ("bin/run", 0o755),
            ("bin/bootstrap", 0o644),
            ("bin/notes", 0o644),
        ] {
            assert_eq!(mode(path), expected, "{path}");
        }
    }
}

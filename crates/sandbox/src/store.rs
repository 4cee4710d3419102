//! The storage of a world: in memory, or in a directory that several processes may use at once.
//!
//! The store replaces `state.json` as a whole: it writes a file beside it and renames it, under a
//! lock that it holds for one call only. It does so after each call with a change and before the
//! answer. A read that advances a state is such a call. So an acknowledged change survives any kill
//! of the process. The store does not sync the file to the disk, so a power failure may lose the
//! last calls. The file starts with a stamp, unique to each write, by which a process sees that
//! another one wrote.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use serde::Deserialize;

use super::World;
use super::pieces::Pieces;

/// The format of the file that this build reads and writes.
const VERSION: u32 = 1;

/// Why the sandbox's state cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum SandboxError {
    /// The directory or a file in it cannot be used.
    #[error("cannot {doing} the sandbox's {}: {source}", path.display())]
    Io {
        /// The verb for what failed.
        doing: &'static str,
        /// The path of the file or directory.
        path: PathBuf,
        /// The error of the system.
        source: io::Error,
    },
    /// The state file is damaged.
    #[error(
        "the sandbox's state file {} is damaged: {reason}; `payctl sandbox reset` empties the \
         sandbox", path.display()
    )]
    Damaged {
        /// The file.
        path: PathBuf,
        /// The damage.
        reason: String,
    },
    /// The state file comes from another version of payctl.
    #[error(
        "the sandbox's state file {} has format {found}; this version of payctl reads only format \
         {VERSION}: use the payctl that wrote it, or empty the sandbox with `payctl sandbox reset`",
        path.display()
    )]
    Version {
        /// The file.
        path: PathBuf,
        /// The format found.
        found: u64,
    },
}

/// The storage of a world.
#[derive(Debug)]
pub(crate) enum Store {
    /// In memory: it ends with the process.
    Memory,
    /// In a directory.
    Disk(Disk),
}

/// A directory with a state file.
#[derive(Debug)]
pub(crate) struct Disk {
    state: PathBuf,
    lock: Arc<File>,
    /// The stamp of the file when this process last read or wrote it; `None` without a file.
    seen: Option<[u8; HEAD]>,
    pieces: Pieces,
}

/// A lock that is released even if the call panics, because other processes wait for it.
struct Held(Arc<File>);

impl Drop for Held {
    fn drop(&mut self) {
        // If this fails, the closing of the file releases the lock.
        if let Err(error) = self.0.unlock() {
            tracing::debug!(%error, "the sandbox's lock could not be given back");
        }
    }
}

/// The first bytes of the file, with the version and the stamp.
const HEAD: usize = 64;

#[derive(Deserialize)]
struct Head {
    version: u64,
}

#[derive(Deserialize)]
struct Whole {
    world: World,
}

impl Store {
    /// Opens a directory, creates it if it is missing, and reads its world.
    pub(crate) fn open(dir: &Path) -> Result<(Self, World), SandboxError> {
        let mut disk = Disk::open(dir)?;
        let mut world = World::default();
        disk.locked(|disk| disk.reload(&mut world))?;
        Ok((Self::Disk(disk), world))
    }

    /// Runs one call on the newest world, and saves its changes before it returns. If the save
    /// fails, it drops the change.
    pub(crate) fn run<T>(
        &mut self,
        world: &mut World,
        is_read: bool,
        call: impl FnOnce(&mut World) -> T,
    ) -> Result<T, SandboxError> {
        let Self::Disk(disk) = self else { return Ok(call(world)) };
        disk.locked(|disk| {
            disk.refresh(world)?;
            let answer = call(world);
            let moved = std::mem::take(&mut world.base.moved);
            if (moved || !is_read)
                && let Err(error) = disk.write(world)
            {
                disk.reload(world)?;
                return Err(error);
            }
            Ok(answer)
        })
    }
}

impl Disk {
    fn open(dir: &Path) -> Result<Self, SandboxError> {
        fs::create_dir_all(dir).map_err(failed("create", dir))?;
        let lock = dir.join("lock");
        let mut options = OpenOptions::new();
        options.create(true).write(true).truncate(false);
        let lock = private(&mut options).open(&lock).map_err(failed("open", &lock))?;
        let lock = Arc::new(lock);
        Ok(Self { state: dir.join("state.json"), lock, seen: None, pieces: Pieces::default() })
    }

    fn locked<T>(
        &mut self,
        run: impl FnOnce(&mut Self) -> Result<T, SandboxError>,
    ) -> Result<T, SandboxError> {
        self.lock.lock().map_err(failed("lock", &self.state))?;
        let _held = Held(Arc::clone(&self.lock));
        run(self)
    }

    /// Reads the world again if another process wrote it.
    fn refresh(&mut self, world: &mut World) -> Result<(), SandboxError> {
        let mut head = [0; HEAD];
        let now = match File::open(&self.state) {
            Ok(mut file) => match file.read_exact(&mut head) {
                Ok(()) => Some(head),
                Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Some([0; HEAD]),
                Err(error) => return Err(failed("read", &self.state)(error)),
            },
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) => return Err(failed("open", &self.state)(error)),
        };
        if now == self.seen { Ok(()) } else { self.reload(world) }
    }

    fn reload(&mut self, world: &mut World) -> Result<(), SandboxError> {
        let bytes = match fs::read(&self.state) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                *world = fresh(World::default(), world);
                self.seen = None;
                return Ok(());
            }
            Err(error) => return Err(failed("read", &self.state)(error)),
        };
        *world = fresh(self.decode(&bytes)?, world);
        self.seen = head_of(&bytes);
        Ok(())
    }

    fn decode(&self, bytes: &[u8]) -> Result<World, SandboxError> {
        let damaged = |error: serde_json::Error| {
            let reason =
                if bytes.is_empty() { "it is empty".to_owned() } else { error.to_string() };
            SandboxError::Damaged { path: self.state.clone(), reason }
        };
        let Head { version } = serde_json::from_slice(bytes).map_err(damaged)?;
        if version != u64::from(VERSION) {
            return Err(SandboxError::Version { path: self.state.clone(), found: version });
        }
        let Whole { world } = serde_json::from_slice(bytes).map_err(damaged)?;
        Ok(world)
    }

    fn write(&mut self, world: &World) -> Result<(), SandboxError> {
        let mut bytes =
            format!("{{\"version\":{VERSION},\"stamp\":\"{}\",\"world\":", stamp()).into_bytes();
        let value = serde_json::to_value(world)
            .map_err(|error| failed("encode", &self.state)(error.into()))?;
        self.pieces.write(value, &mut bytes);
        bytes.push(b'}');
        let beside = self.state.with_extension("json.new");
        let mut options = OpenOptions::new();
        options.create(true).write(true).truncate(true);
        let mut file = private(&mut options).open(&beside).map_err(failed("open", &beside))?;
        file.write_all(&bytes).map_err(failed("write", &beside))?;
        drop(file);
        fs::rename(&beside, &self.state).map_err(failed("replace", &self.state))?;
        self.seen = head_of(&bytes);
        Ok(())
    }
}

/// Empties the sandbox in a directory, whatever its file contains. Returns whether it existed.
pub(crate) fn reset(dir: &Path) -> Result<bool, SandboxError> {
    if !dir.exists() {
        return Ok(false);
    }
    Disk::open(dir)?.locked(|disk| match fs::remove_file(&disk.state) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(failed("remove", &disk.state)(error)),
    })
}

/// A world that was just read, on the clock of the one that it replaces.
fn fresh(mut read: World, replaced: &World) -> World {
    read.base.clock = replaced.base.clock.clone();
    read
}

fn head_of(bytes: &[u8]) -> Option<[u8; HEAD]> {
    Some(bytes.first_chunk().copied().unwrap_or([0; HEAD]))
}

/// A stamp, unique to each write: the time, the process and a counter.
fn stamp() -> String {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let count = COUNT.fetch_add(1, Ordering::Relaxed) & 0xffff;
    let nanos = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |age| age.as_nanos() as u64);
    format!("{nanos:016x}{:08x}{count:04x}", std::process::id())
}

/// Options for files that only the user may read, because the sandbox holds generated secrets.
fn private(options: &mut OpenOptions) -> &mut OpenOptions {
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(options, 0o600);
    options
}

fn failed(doing: &'static str, path: &Path) -> impl FnOnce(io::Error) -> SandboxError {
    let path = path.to_owned();
    move |source| SandboxError::Io { doing, path, source }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn made(store: &mut Store, world: &mut World) -> u64 {
        store.run(world, true, |world| world.base.made).unwrap()
    }

    fn make(store: &mut Store, world: &mut World) -> u64 {
        store.run(world, false, |world| world.base.number()).unwrap();
        world.base.made
    }

    #[test]
    fn writes_of_another_process_are_seen() {
        let dir = tempfile::tempdir().unwrap();
        let (mut one, mut here) = Store::open(dir.path()).unwrap();
        let (mut other, mut there) = Store::open(dir.path()).unwrap();
        assert_eq!(make(&mut one, &mut here), 1);
        assert_eq!(make(&mut other, &mut there), 2);
        assert_eq!(make(&mut one, &mut here), 3);
        assert_eq!(made(&mut other, &mut there), 3);
        assert_eq!(Store::open(dir.path()).unwrap().1.base.made, 3);
        assert!(reset(dir.path()).unwrap());
        assert_eq!(made(&mut one, &mut here), 0);
    }

    #[test]
    fn concurrent_writers_lose_nothing() {
        let dir = tempfile::tempdir().unwrap();
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    let (mut store, mut world) = Store::open(dir.path()).unwrap();
                    for _ in 0..25 {
                        make(&mut store, &mut world);
                    }
                });
            }
        });
        assert_eq!(Store::open(dir.path()).unwrap().1.base.made, 100);
    }

    #[test]
    fn reads_do_not_write() {
        let dir = tempfile::tempdir().unwrap();
        let (mut store, mut world) = Store::open(dir.path()).unwrap();
        made(&mut store, &mut world);
        assert!(!dir.path().join("state.json").exists());
    }

    #[cfg(unix)]
    #[test]
    fn only_the_user_can_read_the_file() {
        use std::os::unix::fs::PermissionsExt;
        let dir = tempfile::tempdir().unwrap();
        let (mut store, mut world) = Store::open(dir.path()).unwrap();
        make(&mut store, &mut world);
        let mode = fs::metadata(dir.path().join("state.json")).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }

    #[test]
    fn a_damaged_file_is_named_and_can_be_reset() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("state.json");
        let check = |content: &str, expected: &str| {
            fs::write(&file, content).unwrap();
            let error = Store::open(dir.path()).unwrap_err().to_string();
            assert!(error.contains(expected), "{error}");
            assert!(error.contains("state.json") && error.contains("payctl sandbox reset"));
        };
        check("", "is damaged: it is empty");
        check("{\"version\":1,\"world\":{\"base\"", "is damaged: EOF");
        check("[]", "is damaged");
        check("{\"version\":1,\"world\":{\"base\":7}}", "is damaged: invalid type");
        check("{\"version\":7,\"universe\":{}}", "has format 7; this version of payctl reads only");
        assert!(reset(dir.path()).unwrap());
        assert!(Store::open(dir.path()).is_ok());
    }

    #[test]
    fn damage_at_run_time_is_an_error_instead_of_a_panic() {
        let dir = tempfile::tempdir().unwrap();
        let (mut store, mut world) = Store::open(dir.path()).unwrap();
        make(&mut store, &mut world);
        fs::write(dir.path().join("state.json"), "nonsense").unwrap();
        let result = store.run(&mut world, true, |world| world.base.made);
        assert!(matches!(result, Err(SandboxError::Damaged { .. })));
    }
}

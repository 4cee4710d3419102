//! The storage of a world: in memory, or in a directory that several processes may use at once.
//!
//! The directory holds an SQLite database (`state.db`) with one row for each object: its place in
//! the world, its name and its JSON text. A call writes only the objects that it changed, in one
//! transaction, before its answer. A read that advances a state is such a call. So an acknowledged
//! change survives any kill of the process. SQLite's log is synced to the disk now and then only:
//! a power failure may lose the last calls, and nothing else.
//!
//! A lock, held for one call, puts the calls of all processes in a row. Each write has a number, the
//! turn, which its rows get. So a process reads only what others have written since its own last
//! turn. A row whose object is gone stays until a process opens the sandbox: then it goes, and a
//! process that has not seen that turn (the floor) reads everything again.

#[cfg(test)]
mod tests;

use std::fs::{self, File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, ErrorCode, OpenFlags, params};
use serde::Deserialize;

use super::World;
use super::shelf::{Kept, Piece, Place};

/// The format that this build reads and writes, as the database's `user_version`.
const VERSION: u64 = 2;
/// The format of `state.json`, one file with the whole world. This build reads it once.
const JSON_VERSION: u64 = 1;

const SCHEMA: &str = "
    CREATE TABLE head (turn INTEGER NOT NULL, floor INTEGER NOT NULL);
    INSERT INTO head VALUES (0, 0);
    CREATE TABLE things (
        place TEXT NOT NULL, name TEXT NOT NULL, value TEXT, turn INTEGER NOT NULL,
        PRIMARY KEY (place, name)
    );
    CREATE INDEX by_turn ON things (turn);
    PRAGMA user_version = 2;
";

/// Writes a row, if it differs from what is there.
const WRITE: &str = "
    INSERT INTO things (place, name, value, turn) VALUES (?1, ?2, ?3, ?4)
    ON CONFLICT DO UPDATE SET value = excluded.value, turn = excluded.turn
    WHERE value IS NOT excluded.value
";

/// How long to wait for another program that has the database open and does not take our lock.
const PATIENCE: Duration = Duration::from_secs(10);

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
    /// The database cannot be used, although it is not damaged: the disk is full, or the file is
    /// read-only.
    #[error("cannot {doing} the sandbox's {}: {reason}", path.display())]
    Database {
        /// The verb for what failed.
        doing: &'static str,
        /// The path of the file.
        path: PathBuf,
        /// The reason that SQLite gives.
        reason: String,
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

/// A directory with a database.
#[derive(Debug)]
pub(crate) struct Disk {
    dir: PathBuf,
    state: PathBuf,
    lock: Arc<File>,
    open: Option<Open>,
}

/// An open database.
#[derive(Debug)]
struct Open {
    database: Connection,
    file: Identity,
    /// The last turn whose rows the world has.
    seen: i64,
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

/// What tells a file from another one under the same path. Windows deletes no open file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Identity(u64, u64);

impl Identity {
    /// The file at a path, if there is one.
    fn of(path: &Path) -> Result<Option<Self>, SandboxError> {
        let found = match fs::metadata(path) {
            Ok(found) => found,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(failed("open", path)(error)),
        };
        #[cfg(unix)]
        let identity = {
            use std::os::unix::fs::MetadataExt;
            Self(found.dev(), found.ino())
        };
        #[cfg(not(unix))]
        let identity = {
            drop(found);
            Self(0, 0)
        };
        Ok(Some(identity))
    }
}

impl Store {
    /// Opens a directory, creates it if it is missing, and reads its world.
    pub(crate) fn open(dir: &Path) -> Result<(Self, World), SandboxError> {
        let mut disk = Disk::new(dir)?;
        let mut world = World::default();
        disk.locked(|disk| disk.refresh(&mut world))?;
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
        let Self::Disk(disk) = self else {
            let answer = call(world);
            world.each(&Place::TOP, &mut |_, piece| piece.saved());
            return Ok(answer);
        };
        disk.locked(|disk| {
            disk.refresh(world)?;
            let answer = call(world);
            let moved = std::mem::take(&mut world.base.moved);
            if moved || !is_read {
                disk.save(world, false)?;
            }
            Ok(answer)
        })
    }

    /// Puts another world in the place of this one.
    pub(crate) fn replace(&mut self, world: &mut World, new: World) -> Result<(), SandboxError> {
        let Self::Disk(disk) = self else {
            *world = new;
            return Ok(());
        };
        disk.locked(|disk| {
            disk.refresh(world)?;
            *world = new;
            disk.save(world, true)
        })
    }
}

impl Disk {
    fn new(dir: &Path) -> Result<Self, SandboxError> {
        fs::create_dir_all(dir).map_err(failed("create", dir))?;
        let lock = dir.join("lock");
        let mut options = OpenOptions::new();
        options.create(true).write(true).truncate(false);
        let lock = private(&mut options).open(&lock).map_err(failed("open", &lock))?;
        Ok(Self {
            dir: dir.to_owned(),
            state: dir.join("state.db"),
            lock: Arc::new(lock),
            open: None,
        })
    }

    fn locked<T>(
        &mut self,
        run: impl FnOnce(&mut Self) -> Result<T, SandboxError>,
    ) -> Result<T, SandboxError> {
        self.lock.lock().map_err(failed("lock", &self.state))?;
        let _held = Held(Arc::clone(&self.lock));
        run(self)
    }

    /// Reads what other processes have changed. Somebody may have deleted the file as well.
    fn refresh(&mut self, world: &mut World) -> Result<(), SandboxError> {
        let file = Identity::of(&self.state)?;
        let Some(open) = self.open.as_mut().filter(|open| Some(open.file) == file) else {
            self.open = None;
            return self.reopen(world);
        };
        let state = &self.state;
        let head = head(&open.database).map_err(|error| refused("read", state, &error))?;
        if head.turn == open.seen {
            return Ok(());
        }
        let clock = world.base.clock.clone();
        if head.floor > open.seen {
            empty(world);
        }
        let since = if head.floor > open.seen { -1 } else { open.seen };
        open.seen = -1;
        let loaded = load(&open.database, state, world, since);
        world.base.clock = clock;
        loaded?;
        open.seen = head.turn;
        Ok(())
    }

    /// Opens the database, and reads everything. A new one takes in `state.json`.
    fn reopen(&mut self, world: &mut World) -> Result<(), SandboxError> {
        let database = self.connect()?;
        let state = &self.state;
        let error = |error: rusqlite::Error| refused("read", state, &error);
        let version: i64 =
            database.query_one("PRAGMA user_version", [], |row| row.get(0)).map_err(error)?;
        let clock = world.base.clock.clone();
        match u64::try_from(version).unwrap_or_default() {
            // A process that was killed may have left it without its tables.
            0 => {
                let before = self.earlier()?;
                let is_moved = before.is_some();
                *world = before.unwrap_or_default();
                world.base.clock = clock;
                self.fill(database, world)?;
                if is_moved {
                    self.leave_word()?;
                }
                return Ok(());
            }
            // A process that was killed may not have left word.
            VERSION if matches!(self.earlier(), Ok(Some(_))) => self.leave_word()?,
            VERSION => {}
            found => return Err(SandboxError::Version { path: state.clone(), found }),
        }
        empty(world);
        let loaded = load(&database, state, world, -1);
        world.base.clock = clock;
        let rows_of_gone = loaded?;
        if rows_of_gone > 0 {
            let forget = "BEGIN; DELETE FROM things WHERE value IS NULL; \
                          UPDATE head SET floor = turn; COMMIT";
            database.execute_batch(forget).map_err(|error| refused("write", state, &error))?;
        }
        let seen = head(&database).map_err(error)?.turn;
        self.keep_open(database, seen)
    }

    fn connect(&self) -> Result<Connection, SandboxError> {
        let mut options = OpenOptions::new();
        // SQLite gives its other files the same mode.
        match private(options.create_new(true).write(true)).open(&self.state) {
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(failed("create", &self.state)(error)),
        }
        let set_up = || -> rusqlite::Result<Connection> {
            let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
            let database = Connection::open_with_flags(&self.state, flags)?;
            database.busy_timeout(PATIENCE)?;
            // It would delete the log by its path, which may be that of another file by then.
            database.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)?;
            database.pragma_update(None, "journal_mode", "wal")?;
            database.pragma_update(None, "synchronous", "normal")?;
            Ok(database)
        };
        set_up().map_err(|error| refused("open", &self.state, &error))
    }

    /// Makes the tables of a new database, with everything that the world holds.
    fn fill(&mut self, database: Connection, world: &mut World) -> Result<(), SandboxError> {
        world.each(&Place::TOP, &mut |_, piece| piece.unsaved());
        let created = database.unchecked_transaction().and_then(|all| {
            all.execute_batch(SCHEMA)?;
            write(&all, world, 1)?;
            all.commit()
        });
        created.map_err(|error| refused("write", &self.state, &error))?;
        // On the disk before anything replaces `state.json`.
        empty_log(&database).map_err(|error| refused("write", &self.state, &error))?;
        self.keep_open(database, 1)
    }

    fn keep_open(&mut self, database: Connection, seen: i64) -> Result<(), SandboxError> {
        let gone = || failed("open", &self.state)(io::ErrorKind::NotFound.into());
        let file = Identity::of(&self.state)?.ok_or_else(gone)?;
        self.open = Some(Open { database, file, seen });
        Ok(())
    }

    /// The world that an earlier version of payctl left in `state.json`.
    fn earlier(&self) -> Result<Option<World>, SandboxError> {
        #[derive(Deserialize)]
        struct Head {
            version: u64,
        }
        #[derive(Deserialize)]
        struct Whole {
            world: World,
        }
        let path = self.earlier_file();
        let bytes = match fs::read(&path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(failed("read", &path)(error)),
        };
        let damaged = |error: serde_json::Error| {
            let reason =
                if bytes.is_empty() { "it is empty".to_owned() } else { error.to_string() };
            SandboxError::Damaged { path: path.clone(), reason }
        };
        let Head { version } = serde_json::from_slice(&bytes).map_err(damaged)?;
        match version {
            JSON_VERSION => {
                let Whole { world } = serde_json::from_slice(&bytes).map_err(damaged)?;
                Ok(Some(world))
            }
            // Only the word that was left there.
            VERSION => Ok(None),
            found => Err(SandboxError::Version { path, found }),
        }
    }

    /// Leaves word in `state.json` that its world has moved: an earlier version of payctl refuses the
    /// file then, instead of starting with an empty sandbox.
    fn leave_word(&self) -> Result<(), SandboxError> {
        let path = self.earlier_file();
        let beside = path.with_extension("json.new");
        let word = format!("{{\"version\":{VERSION},\"moved_to\":\"state.db\"}}\n");
        fs::write(&beside, word).map_err(failed("write", &beside))?;
        fs::rename(&beside, &path).map_err(failed("replace", &path))
    }

    fn earlier_file(&self) -> PathBuf {
        self.dir.join("state.json")
    }

    /// Saves what has changed, or all of another world. If that fails, the world is again what the
    /// database holds.
    fn save(&mut self, world: &mut World, is_other: bool) -> Result<(), SandboxError> {
        let Some(open) = &mut self.open else { return Ok(()) };
        let turn = open.seen + 1;
        let saved = open.database.unchecked_transaction().and_then(|all| {
            if is_other {
                all.execute("DELETE FROM things", [])?;
                // All other processes have to read everything again.
                all.execute("UPDATE head SET floor = ?1", [turn])?;
                world.each(&Place::TOP, &mut |_, piece| piece.unsaved());
            }
            write(&all, world, turn)?;
            all.commit()
        });
        let Err(error) = saved else {
            open.seen = turn;
            return Ok(());
        };
        // If this does not help, the next call tries it again.
        self.open = None;
        if let Err(error) = self.reopen(world) {
            tracing::debug!(%error, "the sandbox could not be read again");
        }
        Err(refused("write", &self.state, &error))
    }
}

impl Drop for Disk {
    /// Puts everything in one file, as long as it is still the one that is open. Nothing is lost if
    /// that fails.
    fn drop(&mut self) {
        let closed = self.locked(|disk| {
            let file = Identity::of(&disk.state)?;
            let Some(open) = disk.open.take().filter(|open| Some(open.file) == file) else {
                return Ok(());
            };
            empty_log(&open.database).map_err(|error| refused("write", &disk.state, &error))
        });
        if let Err(error) = closed {
            tracing::debug!(%error, "the sandbox's log could not be emptied");
        }
    }
}

/// The last turn, and the last one before which rows are missing.
struct Head {
    turn: i64,
    floor: i64,
}

/// Puts what stands in the log into the database itself, and syncs it.
fn empty_log(database: &Connection) -> rusqlite::Result<()> {
    database.query_one("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))
}

fn head(database: &Connection) -> rusqlite::Result<Head> {
    let mut ask = database.prepare_cached("SELECT turn, floor FROM head")?;
    ask.query_one([], |row| Ok(Head { turn: row.get(0)?, floor: row.get(1)? }))
}

/// Writes what has changed, and notes that it is saved.
fn write(database: &Connection, world: &mut World, turn: i64) -> rusqlite::Result<()> {
    let mut write = database.prepare_cached(WRITE)?;
    let mut result = Ok(());
    let mut save = |place: &Place<'_>, piece: &dyn Piece| -> rusqlite::Result<()> {
        let changes = piece.changes();
        let changes =
            changes.map_err(|error| rusqlite::Error::ToSqlConversionFailure(error.into()))?;
        if !changes.is_empty() {
            let place = place.to_string();
            for (name, value) in changes {
                write.execute(params![place, name, value, turn])?;
            }
        }
        Ok(())
    };
    world.each(&Place::TOP, &mut |place, piece| {
        if result.is_ok() {
            result = save(place, piece);
        }
    });
    result?;
    database.prepare_cached("UPDATE head SET turn = ?1")?.execute([turn])?;
    world.each(&Place::TOP, &mut |_, piece| piece.saved());
    Ok(())
}

/// Takes in the rows of all turns after one. Returns how many say that an object is gone.
fn load(
    database: &Connection,
    state: &Path,
    world: &mut World,
    since: i64,
) -> Result<usize, SandboxError> {
    let error = |error: rusqlite::Error| refused("read", state, &error);
    let mut gone = 0;
    let ask = "SELECT place, name, value FROM things WHERE turn > ?1";
    let mut ask = database.prepare_cached(ask).map_err(error)?;
    let mut rows = ask.query([since]).map_err(error)?;
    while let Some(row) = rows.next().map_err(error)? {
        let text = |column: usize| row.get_ref(column)?.as_str().map_err(rusqlite::Error::from);
        let (place, name) = (text(0).map_err(error)?, text(1).map_err(error)?);
        let value = row.get_ref(2).map_err(error)?.as_str_or_null();
        let value = value.map_err(|wrong| error(wrong.into()))?;
        gone += usize::from(value.is_none());
        let path: Vec<&str> = place.split('/').collect();
        // Another version of payctl may keep more than this one knows.
        let Some(piece) = world.reach(&path) else { continue };
        piece.set(name, value).map_err(|error| SandboxError::Damaged {
            path: state.to_owned(),
            reason: format!("{place} {name}: {error}"),
        })?;
    }
    Ok(gone)
}

/// Empties a world, before everything is read again.
fn empty(world: &mut World) {
    world.each(&Place::TOP, &mut |_, piece| piece.clear());
}

/// Empties the sandbox in a directory, whatever its file contains. Returns whether it existed.
pub(crate) fn reset(dir: &Path) -> Result<bool, SandboxError> {
    if !dir.exists() {
        return Ok(false);
    }
    Disk::new(dir)?.locked(|disk| {
        let mut existed = false;
        // The log goes last: SQLite ignores it if the database is new.
        for name in ["state.json", "state.db", "state.db-wal", "state.db-shm"] {
            let path = disk.dir.join(name);
            match fs::remove_file(&path) {
                Ok(()) => existed = true,
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(failed("remove", &path)(error)),
            }
        }
        Ok(existed)
    })
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

/// An error of SQLite in words.
fn refused(doing: &'static str, path: &Path, error: &rusqlite::Error) -> SandboxError {
    let (path, reason) = (path.to_owned(), error.to_string());
    match error.sqlite_error_code() {
        // The last two: a table or a value is missing, or is not as payctl writes it.
        Some(ErrorCode::NotADatabase | ErrorCode::DatabaseCorrupt | ErrorCode::Unknown) | None => {
            SandboxError::Damaged { path, reason }
        }
        Some(_) => SandboxError::Database { doing, path, reason },
    }
}

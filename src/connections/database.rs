//! Connections to the database: one writer, a few readers, and how each is set up.
//!
//! The writer lives on the queue: changes wait in a bounded channel, and one task drains them,
//! up to `write_batch_max` together, into one transaction on a blocking thread, so that a slow
//! SD card never holds the loop. Every change has its own savepoint (one that fails does not
//! spoil its neighbours) and is acknowledged after the commit. Readers live on the loop and are
//! leased for one turn; WAL lets them read while the writer writes.

use std::cell::{Cell, RefCell};
use std::fs::{self, File};
use std::ops::Deref;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::time::Duration;

use async_channel::{Receiver, Sender};
use rusqlite::{Connection, ErrorCode, OpenFlags};
use rustix::fs::{FlockOperation, flock};

use crate::budget::DatabaseLimits;
use crate::error::{Error, Result};
use crate::metrics::Metrics;

/// The schema that this program writes. Version 1 is the first; a reader of version n must be
/// able to read what version n + 1 has written.
const SCHEMA_VERSION: i32 = 1;

/// What is on disk. An `occurrence` is stored where it is searched: by start, in the order of
/// the window that is read. Its times are seconds since 1970 of an instant, or of a floating
/// time or a date as if it were UTC; `form` says which.
///
/// There are no foreign keys: checking them opens a statement journal for each row, which made
/// publishing 20,000 events ten times slower. `feed::store` deletes what belongs together.
const SCHEMA: &str = "
    CREATE TABLE feed (
        id INTEGER PRIMARY KEY,
        name TEXT NOT NULL UNIQUE,
        source INTEGER NOT NULL,
        etag TEXT,
        last_modified TEXT,
        zone TEXT,
        checked_at INTEGER,
        window_start INTEGER NOT NULL DEFAULT 0,
        window_end INTEGER NOT NULL DEFAULT 0,
        default_zone TEXT NOT NULL DEFAULT '',
        skipped INTEGER NOT NULL DEFAULT 0,
        skipped_reasons TEXT NOT NULL DEFAULT ''
    ) STRICT;
    CREATE TABLE component (
        id INTEGER PRIMARY KEY,
        feed INTEGER NOT NULL,
        kind INTEGER NOT NULL,
        uid TEXT NOT NULL,
        hash BLOB NOT NULL,
        text TEXT NOT NULL,
        UNIQUE (feed, hash)
    ) STRICT;
    CREATE INDEX component_uid ON component (feed, kind, uid);
    CREATE TABLE occurrence (
        start INTEGER NOT NULL,
        component INTEGER NOT NULL,
        recurrence INTEGER NOT NULL,
        stop INTEGER NOT NULL,
        form INTEGER NOT NULL,
        PRIMARY KEY (start, component, recurrence)
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX occurrence_component ON occurrence (component);
    PRAGMA user_version = 1;
";

/// Components on their way in, one refresh at a time and feed. They are in a file of their own,
/// without a journal, that is made anew at every start: nothing in it is worth a write more.
const STAGING_SCHEMA: &str = "
    CREATE TABLE staging.staged (
        feed INTEGER NOT NULL,
        hash BLOB NOT NULL,
        kind INTEGER NOT NULL,
        uid TEXT NOT NULL,
        text TEXT,
        UNIQUE (feed, hash)
    ) STRICT;
    CREATE TABLE staging.changed (uid TEXT NOT NULL PRIMARY KEY) STRICT, WITHOUT ROWID;
";

/// Damaged databases that are kept aside for a person to look at.
const QUARANTINE_MAX: usize = 2;
/// How long a connection waits for another process (a `calendarbot next`, a backup).
const BUSY_TIMEOUT: Duration = Duration::from_secs(2);

/// How the file was found.
#[derive(Debug, PartialEq, Eq)]
pub enum Opened {
    /// With yesterday's data in it.
    Existing,
    /// There was none.
    New,
    /// Damaged; it was put aside under this name and a new one was made.
    Rebuilt(PathBuf),
}

/// A change for the writer: what to do inside the transaction, and whom to tell.
type Change = Box<dyn FnOnce(&Connection) -> Acknowledge + Send>;
/// Told the fate of the transaction: `None` is a commit.
type Acknowledge = Box<dyn FnOnce(Option<Error>) + Send>;

/// The database of one data folder.
pub struct Database {
    path: PathBuf,
    limits: DatabaseLimits,
    metrics: Rc<Metrics>,
    changes: Sender<Change>,
    queue: Receiver<Change>,
    writer: Cell<Option<Connection>>,
    readers: RefCell<Vec<Connection>>,
    damage: (Sender<()>, Receiver<()>),
    /// Held as long as the database is open: two servers on one folder would undo each other.
    _lock: File,
}

impl Database {
    /// Opens or makes the database in `folder`. A damaged one is put aside, never deleted.
    ///
    /// # Errors
    /// When the folder cannot be used, in words that name it.
    pub fn open(
        folder: &Path,
        limits: &DatabaseLimits,
        metrics: Rc<Metrics>,
    ) -> Result<(Self, Opened)> {
        fs::create_dir_all(folder).map_err(|error| folder_error(folder, error))?;
        let lock = lock(folder)?;
        let path = folder.join("calendarbot.db");
        let existed = path.exists();
        // A file of no bytes is a lost database, not a new one.
        let is_hollow = existed && fs::metadata(&path).is_ok_and(|file| file.len() == 0);
        let found = if is_hollow {
            Err(Error::corrupt("the database file is empty"))
        } else {
            open_writer(&path, limits)
        };
        let (writer, opened) = match found {
            Ok(writer) => (writer, if existed { Opened::Existing } else { Opened::New }),
            Err(error) if error.is_corrupt() => {
                let aside = quarantine(&path)?;
                (open_writer(&path, limits)?, Opened::Rebuilt(aside))
            }
            Err(error) => return Err(folder_error(folder, error)),
        };
        let (changes, queue) = async_channel::bounded(limits.write_queue_max);
        let database = Self {
            path,
            limits: limits.clone(),
            metrics,
            changes,
            queue,
            writer: Cell::new(Some(writer)),
            readers: RefCell::default(),
            damage: async_channel::bounded(1),
            _lock: lock,
        };
        Ok((database, opened))
    }

    /// One transaction on the calling thread: for setting up, before the loop turns.
    ///
    /// # Errors
    /// Those of `change` and of the commit.
    pub fn set_up<T>(&self, change: impl FnOnce(&Connection) -> Result<T>) -> Result<T> {
        let writer = self.writer.take().ok_or_else(|| Error::store("the writer is at work"))?;
        let result = writer.execute_batch("BEGIN IMMEDIATE").map_err(Error::from).and_then(|()| {
            let result = change(&writer)?;
            writer.execute_batch("COMMIT")?;
            Ok(result)
        });
        self.writer.set(Some(writer));
        result
    }

    /// Completes when some part of the program has met damage in the file.
    pub async fn damaged(&self) {
        // The sender lives as long as the database does.
        let _ = self.damage.1.recv().await;
    }

    /// Tells [`Self::damaged`] when an error means that the file is damaged.
    pub fn examine(&self, error: &Error) {
        if error.is_corrupt() {
            let _ = self.damage.0.try_send(());
        }
    }

    /// Runs `change` in a transaction on the writer and returns what it returned, once that is
    /// committed. Waits while the queue is full.
    ///
    /// # Errors
    /// The change's own error, or the commit's.
    pub async fn write<T: Send + 'static>(
        &self,
        change: impl FnOnce(&Connection) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let (told, outcome) = async_channel::bounded(1);
        let change: Change = Box::new(move |connection| {
            let result = in_savepoint(connection, change);
            Box::new(move |failed| {
                // A change that failed by itself knows better why than the commit does.
                let result = match (result, failed) {
                    (Ok(_), Some(error)) => Err(error),
                    (result, _) => result,
                };
                // Nobody listens when the asker has given up; the change stands all the same.
                let _ = told.try_send(result);
            })
        });
        let closed = || Error::store("the database is closed");
        self.changes.send(change).await.map_err(|_| closed())?;
        outcome.recv().await.map_err(|_| closed())?
    }

    /// Drains the queue until the database is dropped. Run it as a task, once.
    pub async fn run_writer(&self) {
        while let Ok(first) = self.queue.recv().await {
            let mut batch = vec![first];
            while batch.len() < self.limits.write_batch_max {
                let Ok(next) = self.queue.try_recv() else { break };
                batch.push(next);
            }
            self.metrics.database_batched.add(batch.len() as u64);
            let (writer, failure) = self.commit(batch).await;
            match failure {
                None => self.metrics.database_commits.count(),
                Some(failure) => {
                    log::error!("{failure}");
                    self.examine(&failure);
                }
            }
            self.writer.set(writer);
        }
    }

    /// One transaction on a blocking thread. A connection that fails as a whole is not used
    /// again: the next batch opens a new one.
    async fn commit(&self, batch: Vec<Change>) -> (Option<Connection>, Option<Error>) {
        let writer = self.writer.take();
        if writer.is_none() {
            self.metrics.database_reopened.count();
        }
        let (path, limits) = (self.path.clone(), self.limits.clone());
        smol::unblock(move || {
            let writer = match writer {
                Some(writer) => Ok(writer),
                None => open_writer(&path, &limits),
            };
            match writer {
                Ok(writer) => run_batch(writer, batch),
                Err(error) => (None, Some(error)),
            }
        })
        .await
    }

    /// Lends a reading connection until the lease is dropped.
    ///
    /// # Errors
    /// When none can be opened.
    pub fn lease(&self) -> Result<Lease<'_>> {
        let idle = self.readers.borrow_mut().pop();
        let reader = match idle {
            Some(reader) => reader,
            None => open_reader(&self.path, &self.limits)?,
        };
        Ok(Lease { database: self, reader: Some(reader) })
    }

    /// Size of the database file in bytes.
    pub fn file_bytes(&self) -> u64 {
        fs::metadata(&self.path).map_or(0, |file| file.len())
    }
}

/// A reader, lent.
pub struct Lease<'d> {
    database: &'d Database,
    reader: Option<Connection>,
}

impl Deref for Lease<'_> {
    type Target = Connection;

    fn deref(&self) -> &Connection {
        self.reader.as_ref().expect("a lease holds its reader until it is dropped")
    }
}

impl Drop for Lease<'_> {
    fn drop(&mut self) {
        let mut readers = self.database.readers.borrow_mut();
        if let Some(reader) = self.reader.take()
            && readers.len() < self.database.limits.readers_max
        {
            readers.push(reader);
        }
    }
}

fn lock(folder: &Path) -> Result<File> {
    let file = File::create(folder.join("lock")).map_err(|error| folder_error(folder, error))?;
    flock(&file, FlockOperation::NonBlockingLockExclusive).map_err(|_| {
        Error::system(format!(
            "another calendarbot is using the data folder {}; stop it or choose another with \
             --data-dir",
            folder.display()
        ))
    })?;
    Ok(file)
}

/// Opens a database for reading alone, beside a server that may be running: for the command
/// line.
///
/// # Errors
/// When there is none, or it cannot be read.
pub fn open_beside(folder: &Path, limits: &DatabaseLimits) -> Result<Connection> {
    let path = folder.join("calendarbot.db");
    if !path.exists() {
        return Err(Error::store(format!("there is no database in {}", folder.display())));
    }
    open_reader(&path, limits)
}

impl From<rusqlite::Error> for Error {
    fn from(error: rusqlite::Error) -> Self {
        match error.sqlite_error_code() {
            Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => {
                Error::corrupt("the database is damaged").because(error)
            }
            _ => Error::store("database").because(error),
        }
    }
}

fn open_writer(path: &Path, limits: &DatabaseLimits) -> Result<Connection> {
    let connection = Connection::open_with_flags(
        path,
        OpenFlags::SQLITE_OPEN_READ_WRITE
            | OpenFlags::SQLITE_OPEN_CREATE
            | OpenFlags::SQLITE_OPEN_NO_MUTEX,
    )?;
    keep_private(path)?;
    connection.busy_timeout(BUSY_TIMEOUT)?;
    connection.pragma_update(None, "hard_heap_limit", limits.heap_bytes_max)?;
    set_cache(&connection, "main", limits.writer_cache_bytes / 2)?;
    connection.pragma_update(None, "mmap_size", 0)?;
    connection.pragma_update(None, "journal_mode", "WAL")?;
    connection.pragma_update(None, "synchronous", "NORMAL")?;
    connection.pragma_update(None, "journal_size_limit", limits.journal_bytes_max)?;
    let checkpoint_pages = limits.journal_bytes_max / 4096;
    connection.pragma_update(None, "wal_autocheckpoint", checkpoint_pages)?;
    migrate(&connection)?;
    attach_staging(&connection, path, limits)?;
    connection.set_prepared_statement_cache_capacity(24);
    Ok(connection)
}

fn migrate(connection: &Connection) -> Result<()> {
    let version: i32 = connection.pragma_query_value(None, "user_version", |row| row.get(0))?;
    if version == 0 {
        connection.execute_batch(&format!("BEGIN; {SCHEMA} COMMIT;"))?;
    }
    if version > SCHEMA_VERSION + 1 {
        return Err(Error::store(format!(
            "the database was written by a newer calendarbot (schema {version}, this one knows \
             {SCHEMA_VERSION}); install that version or choose another --data-dir"
        )));
    }
    // Damage is found now and not at nine o'clock.
    let verdict: String = connection.pragma_query_value(None, "quick_check", |row| row.get(0))?;
    if verdict != "ok" {
        return Err(Error::corrupt(format!("the database is damaged: {verdict}")));
    }
    Ok(())
}

fn attach_staging(connection: &Connection, path: &Path, limits: &DatabaseLimits) -> Result<()> {
    let staging = path.with_file_name("staging.db");
    remove_if_there(&staging)?;
    let name = staging.to_str().ok_or_else(|| Error::store("the data folder's name is not text"))?;
    connection.execute("ATTACH ?1 AS staging", [name])?;
    keep_private(&staging)?;
    connection.execute_batch(
        "PRAGMA staging.auto_vacuum = FULL; PRAGMA staging.journal_mode = OFF; \
         PRAGMA staging.synchronous = OFF;",
    )?;
    set_cache(connection, "staging", limits.writer_cache_bytes / 2)?;
    connection.execute_batch(STAGING_SCHEMA)?;
    Ok(())
}

fn open_reader(path: &Path, limits: &DatabaseLimits) -> Result<Connection> {
    let connection = Connection::open_with_flags(
        path,
        OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX,
    )?;
    connection.busy_timeout(BUSY_TIMEOUT)?;
    connection.pragma_update(None, "query_only", true)?;
    connection.pragma_update(None, "mmap_size", 0)?;
    set_cache(&connection, "main", limits.reader_cache_bytes)?;
    connection.set_prepared_statement_cache_capacity(16);
    Ok(connection)
}

/// A negative `cache_size` counts KiB.
fn set_cache(connection: &Connection, schema: &str, bytes: usize) -> Result<()> {
    let kib = -((bytes / 1024) as i64);
    Ok(connection.pragma_update(Some(schema), "cache_size", kib)?)
}

fn run_batch(writer: Connection, batch: Vec<Change>) -> (Option<Connection>, Option<Error>) {
    let mut acknowledgements: Vec<Acknowledge> = Vec::with_capacity(batch.len());
    let finished = writer.execute_batch("BEGIN IMMEDIATE").and_then(|()| {
        for change in batch {
            acknowledgements.push(change(&writer));
        }
        writer.execute_batch("COMMIT")
    });
    match finished {
        Ok(()) => {
            acknowledgements.into_iter().for_each(|tell| tell(None));
            (Some(writer), None)
        }
        Err(error) => {
            let text = error.to_string();
            acknowledgements
                .into_iter()
                .for_each(|tell| tell(Some(Error::store(format!("cannot commit: {text}")))));
            (None, Some(Error::from(error)))
        }
    }
}

fn in_savepoint<T>(
    connection: &Connection,
    change: impl FnOnce(&Connection) -> Result<T>,
) -> Result<T> {
    connection.execute_batch("SAVEPOINT change")?;
    let result = change(connection);
    match &result {
        Ok(_) => connection.execute_batch("RELEASE change")?,
        // A full disk or a lack of memory has rolled back the whole transaction already, and the
        // change's own error says why.
        Err(_) => drop(connection.execute_batch("ROLLBACK TO change; RELEASE change")),
    }
    result
}

/// Readable by the owner alone: calendars are private, and so is what feeds them.
fn keep_private(path: &Path) -> Result<()> {
    use std::os::unix::fs::PermissionsExt;
    fs::set_permissions(path, fs::Permissions::from_mode(0o600)).map_err(|error| {
        Error::store(format!("cannot set permissions of {}", path.display())).because(error)
    })
}

/// Puts a damaged database aside as `calendarbot.db.corrupt-N`, with the oldest making room.
fn quarantine(path: &Path) -> Result<PathBuf> {
    let aside = |number: usize| path.with_extension(format!("db.corrupt-{number}"));
    let failed = |error: std::io::Error| {
        Error::store("cannot put the damaged database aside").because(error)
    };
    let number = (1..=QUARANTINE_MAX).find(|number| !aside(*number).exists());
    let number = match number {
        Some(free) => free,
        None => {
            for number in 1..QUARANTINE_MAX {
                fs::rename(aside(number + 1), aside(number)).map_err(failed)?;
                let log = |number: usize| path.with_extension(format!("db.corrupt-{number}-wal"));
                remove_if_there(&log(number))?;
                if log(number + 1).exists() {
                    fs::rename(log(number + 1), log(number)).map_err(failed)?;
                }
            }
            QUARANTINE_MAX
        }
    };
    fs::rename(path, aside(number)).map_err(failed)?;
    // The log belongs to the damaged file: together they may still be mended by hand.
    let log = path.with_extension("db-wal");
    if log.exists() {
        fs::rename(log, path.with_extension(format!("db.corrupt-{number}-wal"))).map_err(failed)?;
    }
    remove_if_there(&path.with_extension("db-shm"))?;
    Ok(aside(number))
}

fn remove_if_there(path: &Path) -> Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(Error::store(format!("cannot remove {}", path.display())).because(error))
        }
        _ => Ok(()),
    }
}

fn folder_error(
    folder: &Path,
    cause: impl Into<Box<dyn std::error::Error + Send + Sync>>,
) -> Error {
    Error::system(format!(
        "the data folder {} cannot be used; choose another with --data-dir",
        folder.display()
    ))
    .because(cause)
}

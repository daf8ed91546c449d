//! Opening the database: schema, pragmas, and what becomes of a damaged file.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::{Connection, OpenFlags};
use rustix::fs::{FlockOperation, flock};

use crate::budget::DatabaseLimits;
use crate::error::{Error, Result};

/// The schema that this program writes, as the step from each version to the next. A reader of
/// version n must be able to read what version n + 1 has written: a step may add, and nothing else.
const MIGRATIONS: [&str; 3] = [
    SCHEMA,
    "ALTER TABLE feed ADD COLUMN warnings TEXT NOT NULL DEFAULT ''; PRAGMA user_version = 2;",
    TRUNCATED,
];

/// What is on disk, as of version 1. An `occurrence` is stored where it is searched: by start, in
/// the order of the window that is read. Its times are seconds since 1970 of an instant, or of a floating
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

/// The series that a cap has cut short, and which one.
const TRUNCATED: &str = "
    CREATE TABLE truncated (
        feed INTEGER NOT NULL,
        uid TEXT NOT NULL,
        reason TEXT NOT NULL,
        PRIMARY KEY (feed, uid)
    ) STRICT, WITHOUT ROWID;
    PRAGMA user_version = 3;
";

/// Components on their way in, one refresh at a time and feed. They are in a file of their own,
/// without a journal, that is made anew whenever the writer is opened: nothing in it is worth a
/// write more. A refresh remembers the epoch that it began to stage in, since what it staged is
/// gone in the next.
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
    CREATE TABLE staging.epoch AS SELECT random() AS number;
";

/// Damaged databases that are kept aside for a person to look at.
const QUARANTINE_MAX: usize = 2;
/// How long a connection waits for another process (a `calendarbot next`, a backup).
const BUSY_TIMEOUT: Duration = Duration::from_secs(2);

pub(super) fn open_writer(path: &Path, limits: &DatabaseLimits) -> Result<Connection> {
    let connection = Connection::open_with_flags(
        path,
        OpenFlags::SQLITE_OPEN_READ_WRITE
            | OpenFlags::SQLITE_OPEN_CREATE
            | OpenFlags::SQLITE_OPEN_NO_MUTEX,
    )?;
    keep_private(path)?;
    connection.busy_timeout(BUSY_TIMEOUT)?;
    limit_heap(&connection, limits.heap_bytes_max)?;
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

/// The limit is the whole process's and can only be lowered; it is read back, since an SQLite
/// that does not count its memory takes it without a word.
fn limit_heap(connection: &Connection, bytes_max: usize) -> Result<()> {
    connection.pragma_update(None, "hard_heap_limit", bytes_max)?;
    match heap_limit(connection)? {
        1.. => Ok(()),
        0 => Err(Error::store("this SQLite does not keep to a limit of memory")),
    }
}

/// SQLite's hard limit on its heap, over all connections.
pub(super) fn heap_limit(connection: &Connection) -> Result<u64> {
    Ok(connection.pragma_query_value(None, "hard_heap_limit", |row| row.get(0))?)
}

fn migrate(connection: &Connection) -> Result<()> {
    let version: usize = connection.pragma_query_value(None, "user_version", |row| row.get(0))?;
    if version > MIGRATIONS.len() + 1 {
        return Err(Error::store(format!(
            "the database was written by a newer calendarbot (schema {version}, this one knows \
             {}); install that version or choose another --data-dir",
            MIGRATIONS.len()
        )));
    }
    for step in MIGRATIONS.iter().skip(version) {
        connection.execute_batch(&format!("BEGIN; {step} COMMIT;"))?;
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
    let name =
        staging.to_str().ok_or_else(|| Error::store("the data folder's name is not text"))?;
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

pub(super) fn open_reader(path: &Path, limits: &DatabaseLimits) -> Result<Connection> {
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

pub(super) fn lock(folder: &Path) -> Result<File> {
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

/// Readable by the owner alone: calendars are private, and so is what feeds them.
fn keep_private(path: &Path) -> Result<()> {
    use std::os::unix::fs::PermissionsExt;
    fs::set_permissions(path, fs::Permissions::from_mode(0o600)).map_err(|error| {
        Error::store(format!("cannot set permissions of {}", path.display())).because(error)
    })
}

/// Puts a damaged database aside as `calendarbot.db.corrupt-N`, with the oldest making room.
pub(super) fn quarantine(path: &Path) -> Result<PathBuf> {
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

pub(super) fn folder_error(
    folder: &Path,
    cause: impl Into<Box<dyn std::error::Error + Send + Sync>>,
) -> Error {
    Error::system(format!(
        "the data folder {} cannot be used; choose another with --data-dir",
        folder.display()
    ))
    .because(cause)
}

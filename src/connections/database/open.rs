//! Opening the database: schema, pragmas, and what becomes of a damaged file.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::{Connection, ErrorCode, OpenFlags};
use rustix::fs::{FlockOperation, flock};

use super::schema::{MIGRATIONS, NAME_FEEDS};
use crate::budget::DatabaseLimits;
use crate::error::{Error, Result};

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
        text TEXT NOT NULL
    ) STRICT;
    CREATE TABLE staging.noted (feed INTEGER, hash BLOB, PRIMARY KEY (feed, hash)) WITHOUT ROWID;
    CREATE TABLE staging.changed (uid TEXT NOT NULL PRIMARY KEY) STRICT, WITHOUT ROWID;
    CREATE TABLE staging.epoch AS SELECT random() AS number;
";

const NOT_TEXT: &str = "the data folder's name is not text";
/// Damaged databases that are kept aside for a person to look at.
const QUARANTINE_MAX: usize = 2;
/// How long a connection that nobody waits for waits for a lock: somebody else opens the file anew
/// after a loss of power, or closes it as the last one.
pub(super) const PATIENCE: Duration = Duration::from_secs(2);
/// The same of a connection that the loop waits for.
pub(super) const NO_PATIENCE: Duration = Duration::ZERO;

/// What is known of the file that the next writer would write to.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Condition {
    /// It was checked at the start.
    Good,
    /// No writer has been opened since the start.
    Unchecked,
    /// It is damaged, and has to be put aside first.
    Damaged,
}

pub(super) fn open_writer(path: &Path, limits: &DatabaseLimits) -> Result<Connection> {
    let connection = Connection::open_with_flags(
        path,
        OpenFlags::SQLITE_OPEN_READ_WRITE
            | OpenFlags::SQLITE_OPEN_CREATE
            | OpenFlags::SQLITE_OPEN_NO_MUTEX,
    )?;
    keep_private(path)?;
    connection.busy_timeout(PATIENCE)?;
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

/// Opens the writer in the place of one that has failed. After damage there is no other one until
/// the app is opened again, but the file is put aside, if that can be done now.
pub(super) fn reopen_writer(
    path: &Path,
    limits: &DatabaseLimits,
    condition: Condition,
) -> Result<Connection> {
    match condition {
        Condition::Good => open_writer(path, limits),
        Condition::Unchecked => open_writer(path, limits).and_then(checked),
        Condition::Damaged => {
            quarantine(path)?;
            Err(Error::corrupt("the damaged database was put aside; all feeds are fetched anew"))
        }
    }
}

/// Sets SQLite's hard limit on its heap, over all connections, and returns it as read back. It can
/// only be lowered, and an SQLite that does not count its memory takes it without a word.
pub(super) fn limit_heap(bytes_max: usize) -> Result<u64> {
    let connection = Connection::open_in_memory()?;
    connection.pragma_update(None, "hard_heap_limit", bytes_max)?;
    match connection.pragma_query_value(None, "hard_heap_limit", |row| row.get(0))? {
        0 => Err(Error::system("this SQLite does not keep to a limit of memory")),
        bytes => Ok(bytes),
    }
}

fn migrate(connection: &Connection) -> Result<()> {
    let version: usize = connection.pragma_query_value(None, "user_version", |row| row.get(0))?;
    if version > MIGRATIONS.len() + 1 {
        return Err(Error::system(format!(
            "the database was written by a newer calendarbot (schema {version}, this one knows \
             {}); install that version or choose another --data-dir",
            MIGRATIONS.len()
        )));
    }
    for step in MIGRATIONS.iter().skip(version) {
        connection.execute_batch(&format!("BEGIN; {step} COMMIT;"))?;
    }
    connection.execute(NAME_FEEDS, [])?;
    Ok(())
}

/// Reads all of the file, to find damage now and not at nine o'clock.
pub(super) fn checked(writer: Connection) -> Result<Connection> {
    let verdict: String =
        writer.pragma_query_value(Some("main"), "quick_check", |row| row.get(0))?;
    if verdict != "ok" {
        return Err(Error::corrupt(format!("the database is damaged: {verdict}")));
    }
    Ok(writer)
}

fn attach_staging(connection: &Connection, path: &Path, limits: &DatabaseLimits) -> Result<()> {
    let staging = path.with_file_name("staging.db");
    remove_if_there(&staging)?;
    let name = staging.to_str().ok_or_else(|| Error::system(NOT_TEXT))?;
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

/// Opens a reader. WAL wants an index of the log beside the database, for readers too. Where none
/// can be made, an `unwritten` database is read without: with an index in memory, for which it must
/// be had alone, or as a file that nobody changes when there is no log either. Such a reader is for
/// one lease.
pub(super) fn open_reader(
    path: &Path,
    limits: &DatabaseLimits,
    unwritten: bool,
    patience: Duration,
) -> Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let open = || Connection::open_with_flags(path, flags);
    let as_reader = |reader| as_reader(reader, limits, patience);
    match open().and_then(as_reader) {
        Err(error) if unwritten && may_be_without_index(&error) => {}
        opened => return Ok(opened?),
    }
    if has_log(path) {
        let reader = open()?;
        reader.pragma_update(None, "locking_mode", "EXCLUSIVE")?;
        return Ok(as_reader(reader)?);
    }
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY
        | OpenFlags::SQLITE_OPEN_NO_MUTEX
        | OpenFlags::SQLITE_OPEN_URI;
    Ok(as_reader(Connection::open_with_flags(immutable(path)?, flags)?)?)
}

/// Neither damage nor the lock of somebody who is writing, who must not be overlooked.
fn may_be_without_index(error: &rusqlite::Error) -> bool {
    !matches!(
        error.sqlite_error_code(),
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase)
    )
}

fn as_reader(
    reader: Connection,
    limits: &DatabaseLimits,
    patience: Duration,
) -> rusqlite::Result<Connection> {
    reader.busy_timeout(patience)?;
    reader.pragma_update(None, "query_only", true)?;
    reader.pragma_update(None, "mmap_size", 0)?;
    set_cache(&reader, "main", limits.reader_cache_bytes)?;
    reader.set_prepared_statement_cache_capacity(16);
    look(&reader)?;
    Ok(reader)
}

/// Whether a reader can read.
pub(super) fn is_well(reader: &Connection) -> bool {
    look(reader).is_ok()
}

/// Ends what a reader holds on to; false when it cannot.
pub(super) fn let_go(reader: &Connection) -> bool {
    reader.is_autocommit() || reader.execute_batch("COMMIT").is_ok()
}

/// Has a connection give back the pages and the rest that it can do without. What is not given
/// back now is the next time.
pub(super) fn release_memory(connection: &Connection) {
    if let Err(error) = connection.release_memory() {
        log::debug!("SQLite keeps its memory: {error}");
    }
}

/// Takes the lock and looks at the first page, without which nothing is read.
fn look(reader: &Connection) -> rusqlite::Result<i64> {
    reader
        .prepare_cached("SELECT count(*) FROM (SELECT 1 FROM sqlite_schema LIMIT 1)")?
        .query_row([], |row| row.get(0))
}

fn has_log(path: &Path) -> bool {
    fs::metadata(path.with_extension("db-wal")).is_ok_and(|log| log.len() > 0)
}

/// The URI of a file that nobody changes (<https://www.sqlite.org/uri.html>).
fn immutable(path: &Path) -> Result<String> {
    let name = path.to_str().ok_or_else(|| Error::system(NOT_TEXT))?;
    let escaped = name.replace('%', "%25").replace('?', "%3f").replace('#', "%23");
    Ok(format!("file:{escaped}?immutable=1"))
}

/// A negative `cache_size` counts KiB.
fn set_cache(connection: &Connection, schema: &str, bytes: usize) -> rusqlite::Result<()> {
    let kib = -((bytes / 1024) as i64);
    connection.pragma_update(Some(schema), "cache_size", kib)
}

/// Locks the folder itself: on a full or read-only disk no file can be made for it.
pub(super) fn lock(folder: &Path) -> Result<File> {
    let file = File::open(folder).map_err(|error| folder_error(folder, error))?;
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
        Error::store(format!("cannot set permissions of {}", name(path))).because(error)
    })
}

/// Puts the database of a folder aside, unopened: damage was seen in it that a check at the next
/// start need not find. Returns where it is kept, if there was one.
///
/// # Errors
/// When the file cannot be renamed, or another server has taken the folder meanwhile.
pub fn put_aside(folder: &Path) -> Result<Option<PathBuf>> {
    let _lock = lock(folder)?;
    quarantine(&folder.join("calendarbot.db"))
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
    limit_heap(limits.heap_bytes_max)?;
    open_reader(&path, limits, true, PATIENCE)
}

/// Puts a damaged database aside as `calendarbot.db.corrupt-N`, with the oldest making room. `None`
/// when there is none any more.
pub(super) fn quarantine(path: &Path) -> Result<Option<PathBuf>> {
    if !path.exists() {
        return Ok(None);
    }
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
    Ok(Some(aside(number)))
}

fn remove_if_there(path: &Path) -> Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(Error::store(format!("cannot remove {}", name(path))).because(error))
        }
        _ => Ok(()),
    }
}

/// A file's name without its folder: where that is, is not for everybody who sees the page.
fn name(path: &Path) -> std::path::Display<'_> {
    Path::new(path.file_name().unwrap_or_default()).display()
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::budget::{FeedLimits, Plan};

    /// What SQLite says of a connection is what the plan says.
    #[test]
    fn the_limits_of_the_plan_are_sqlite_s() {
        for mib in [8, 16, 64] {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("calendarbot.db");
            let limits = Plan::divide(mib << 20, 1, FeedLimits::default()).limits.database;
            let writer = open_writer(&path, &limits).unwrap();
            let reader = open_reader(&path, &limits, false, NO_PATIENCE).unwrap();
            let kib = |bytes: usize| format!("-{}", bytes / 1024);
            for (connection, name, expected) in [
                (&writer, "main.cache_size", kib(limits.writer_cache_bytes / 2)),
                (&writer, "staging.cache_size", kib(limits.writer_cache_bytes / 2)),
                (&writer, "journal_mode", "wal".to_owned()),
                (&writer, "journal_size_limit", limits.journal_bytes_max.to_string()),
                (&writer, "wal_autocheckpoint", (limits.journal_bytes_max / 4096).to_string()),
                (&writer, "synchronous", "1".to_owned()),
                (&reader, "cache_size", kib(limits.reader_cache_bytes)),
                (&reader, "query_only", "1".to_owned()),
                (&writer, "busy_timeout", "2000".to_owned()),
                (&reader, "busy_timeout", "0".to_owned()),
                (&writer, "mmap_size", "0".to_owned()),
                (&reader, "mmap_size", "0".to_owned()),
            ] {
                let sql = format!("PRAGMA {name}");
                let value: rusqlite::types::Value =
                    connection.query_row(&sql, [], |row| row.get(0)).unwrap();
                let value = match value {
                    rusqlite::types::Value::Integer(number) => number.to_string(),
                    rusqlite::types::Value::Text(text) => text,
                    other => panic!("{other:?}"),
                };
                assert_eq!(value, expected, "{name} at {mib} MiB");
            }
        }
    }

    /// A step of the schema adds, and what it adds to a table has a default: only so can the
    /// program of the version before use the file.
    #[test]
    fn a_migration_takes_nothing_away() {
        // Name, type, and whether an older program may leave it out.
        let columns = |connection: &Connection, table: &str| -> Vec<(String, String, bool)> {
            let sql = "SELECT name, type, \"notnull\" = 0 OR dflt_value NOT NULL OR pk \
                       FROM pragma_table_info(?1)";
            let mut select = connection.prepare(sql).unwrap();
            let rows = select.query_map([table], |row| row.try_into()).unwrap();
            rows.collect::<Result<_, _>>().unwrap()
        };
        for (before, steps) in [(1, 2), (2, 3), (3, 4), (4, 5), (5, 6)] {
            let [old, new] = [before, steps].map(|steps| {
                let connection = Connection::open_in_memory().unwrap();
                MIGRATIONS.iter().take(steps).for_each(|s| connection.execute_batch(s).unwrap());
                connection
            });
            let mut select = old.prepare("SELECT name FROM sqlite_schema WHERE type = 'table'");
            let tables = select.as_mut().unwrap().query_map([], |row| row.get(0)).unwrap();
            for table in tables.map(|name: rusqlite::Result<String>| name.unwrap()) {
                let (old, new) = (columns(&old, &table), columns(&new, &table));
                assert_eq!(new[..old.len()], old, "{table}");
                assert!(new[old.len()..].iter().all(|(_, _, optional)| *optional), "{table}");
            }
        }
        assert_eq!(MIGRATIONS.len(), 6, "compare the new step, too");
    }

    /// A link to nowhere is in the place of the log's index, which every reader of WAL wants to
    /// make. The name is no part of a URI's syntax.
    #[test]
    fn a_database_beside_which_nothing_can_be_made_is_read() {
        let limits = Plan::divide(16 << 20, 1, FeedLimits::default()).limits.database;
        for has_log in [false, true] {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("50%25 of #1?.db");
            let writer = open_writer(&path, &limits).unwrap();
            let add = "INSERT INTO feed (name, source) VALUES ('a', 0)";
            writer.execute(add, []).unwrap();
            let log_path = path.with_extension("db-wal");
            let image = [&path, &log_path].map(|path| fs::read(path).unwrap());
            drop(writer);
            if has_log {
                fs::write(&path, &image[0]).unwrap();
                fs::write(&log_path, &image[1]).unwrap();
            }
            std::os::unix::fs::symlink("nowhere/index", path.with_extension("db-shm")).unwrap();
            let open = |unwritten| open_reader(&path, &limits, unwritten, NO_PATIENCE);
            assert!(open(false).is_err());
            let count = open(true).and_then(|reader| {
                Ok(reader.query_row("SELECT count(*) FROM feed", [], |row| row.get::<_, u64>(0))?)
            });
            assert_eq!(count.ok(), Some(1), "log: {has_log}");
        }
    }

    /// Another program has the file to itself. It may be writing.
    #[test]
    fn a_database_that_is_locked_is_not_read_past_the_lock() {
        let limits = Plan::divide(16 << 20, 1, FeedLimits::default()).limits.database;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("calendarbot.db");
        drop(open_writer(&path, &limits).unwrap());
        let other = Connection::open(&path).unwrap();
        let lock =
            "PRAGMA locking_mode = EXCLUSIVE; INSERT INTO feed (name, source) VALUES ('a', 0)";
        other.execute_batch(lock).unwrap();
        for unwritten in [false, true] {
            let error = open_reader(&path, &limits, unwritten, NO_PATIENCE).unwrap_err();
            assert!(error.is_store() && error.to_string().contains("locked"), "{error}");
        }
        drop(other);
        assert!(open_reader(&path, &limits, false, NO_PATIENCE).is_ok());
    }
}

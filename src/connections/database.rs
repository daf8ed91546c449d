//! Connections to the database: one writer, a few readers, and how each is set up.
//!
//! The writer lives on the queue: changes wait in a bounded channel, and one task drains them,
//! up to `write_batch_max` together, into one transaction on a blocking thread, so that a slow
//! SD card never holds the loop. Every change has its own savepoint (one that fails does not
//! spoil its neighbours) and is acknowledged after the commit. Readers live on the loop and are
//! leased for one turn; WAL lets them read while the writer writes. A reader that fails is closed,
//! and what is read next opens another.

mod open;

use std::cell::{Cell, RefCell};
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::rc::Rc;

use async_channel::{Receiver, Sender};
use rusqlite::{Connection, ErrorCode};

use open::{folder_error, heap_limit, lock, open_reader, open_writer, quarantine};

use crate::budget::DatabaseLimits;
use crate::error::{Error, Result};
use crate::metrics::Metrics;

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
type Change = Box<dyn FnOnce(&Connection) -> (Outcome, Acknowledge) + Send>;
/// Whether a change did what it wanted.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Outcome {
    Done,
    Failed,
}

/// Told the fate of the transaction: `None` is a commit.
type Acknowledge = Box<dyn FnOnce(Option<&Error>) + Send>;

/// The database of one data folder.
pub struct Database {
    path: PathBuf,
    limits: DatabaseLimits,
    metrics: Rc<Metrics>,
    changes: Sender<Change>,
    queue: Receiver<Change>,
    writer: Cell<Option<Connection>>,
    readers: RefCell<Vec<Connection>>,
    leased: Cell<u64>,
    /// Off: every lease opens a reader of its own.
    keeping: Cell<bool>,
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
        metrics.database_heap_limit.set(heap_limit(&writer)?);
        let (changes, queue) = async_channel::bounded(limits.write_queue_max);
        let database = Self {
            path,
            limits: limits.clone(),
            metrics,
            changes,
            queue,
            writer: Cell::new(Some(writer)),
            readers: RefCell::default(),
            leased: Cell::new(0),
            keeping: Cell::new(true),
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
            let outcome = if result.is_ok() { Outcome::Done } else { Outcome::Failed };
            let acknowledge: Acknowledge = Box::new(move |failed: Option<&Error>| {
                // A change that failed by itself knows better why than the commit does.
                let result = match (result, failed) {
                    (Ok(_), Some(error)) => Err(Error::store(format!("cannot commit: {error}"))),
                    (result, _) => result,
                };
                // Nobody listens when the asker has given up; the change stands all the same.
                let _ = told.try_send(result);
            });
            (outcome, acknowledge)
        });
        let closed = || Error::store("the database cannot be written");
        self.changes.send(change).await.map_err(|_| closed())?;
        self.metrics.database_waiting_peak.raise(self.changes.len() as u64);
        let result = outcome.recv().await.map_err(|_| closed())?;
        if let Err(error) = &result {
            self.examine(error);
        }
        result
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
            let Committed { writer, acknowledgements, failure } = self.commit(batch).await;
            self.writer.set(writer);
            match &failure {
                None => self.metrics.database_commits.count(),
                Some(failure) => {
                    self.metrics.database_failed.count();
                    log::error!("{failure}");
                    self.examine(failure);
                }
            }
            for acknowledge in acknowledgements {
                acknowledge(failure.as_ref());
            }
        }
    }

    /// One transaction on a blocking thread. A connection that fails as a whole is not used
    /// again: the next batch opens a new one.
    async fn commit(&self, batch: Vec<Change>) -> Committed {
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
                Err(error) => {
                    Committed { writer: None, acknowledgements: Vec::new(), failure: Some(error) }
                }
            }
        })
        .await
    }

    /// Lends a reader until the lease is dropped. Nobody waits for one: what is not idle is
    /// opened, and there are as many leases as there are tasks that answer.
    pub fn lease(&self) -> Lease<'_> {
        let reader = self.readers.borrow_mut().pop();
        self.leased.set(self.leased.get() + 1);
        let lease = Lease { database: self, reader };
        self.count_readers();
        lease
    }

    fn open_reader(&self) -> Result<Connection> {
        self.metrics.readers_opened.count();
        open_reader(&self.path, &self.limits)
    }

    fn count_readers(&self) {
        self.metrics.readers_leased.set(self.leased.get());
        self.metrics.readers_idle.set(self.readers.borrow().len() as u64);
    }

    /// Keeps readers for reuse, or opens one for every lease from now on.
    pub fn keep_connections(&self, keeping: bool) {
        self.keeping.set(keeping);
        if !keeping {
            self.readers.borrow_mut().clear();
            self.count_readers();
        }
    }
}

/// A reader, lent.
pub struct Lease<'d> {
    database: &'d Database,
    /// None until it is needed, and after it has failed.
    reader: Option<Connection>,
}

impl Lease<'_> {
    /// From the next reading on, all see the same state of the database, until the lease ends.
    ///
    /// # Errors
    /// Those of [`Self::read`].
    pub fn hold_snapshot(&mut self) -> Result<()> {
        self.read(|reader| Ok(reader.execute_batch("BEGIN")?))
    }

    /// Reads. A reader that fails is not used again: what is wrong may be the connection alone,
    /// such as a file that has been replaced under it.
    ///
    /// # Errors
    /// Those of `read`, and when no reader can be opened.
    pub fn read<T>(&mut self, read: impl FnOnce(&Connection) -> Result<T>) -> Result<T> {
        let reader = self.reader.take().map_or_else(|| self.database.open_reader(), Ok);
        let result = reader.and_then(|reader| {
            let value = read(&reader)?;
            self.reader = Some(reader);
            Ok(value)
        });
        result.inspect_err(|error| {
            self.database.metrics.readers_failed.count();
            self.database.examine(error);
        })
    }
}

impl Drop for Lease<'_> {
    fn drop(&mut self) {
        let database = self.database;
        let ended =
            |reader: &Connection| reader.is_autocommit() || reader.execute_batch("COMMIT").is_ok();
        if let Some(reader) = self.reader.take().filter(ended)
            && database.keeping.get()
            && database.readers.borrow().len() < database.limits.readers_max
        {
            database.readers.borrow_mut().push(reader);
        }
        database.leased.set(database.leased.get() - 1);
        database.count_readers();
    }
}

/// Puts the database of a folder aside, unopened: damage was seen in it that a check at the next
/// start need not find. Returns where it is kept.
///
/// # Errors
/// When the file cannot be renamed, or another server has taken the folder meanwhile.
pub fn put_aside(folder: &Path) -> Result<PathBuf> {
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

/// What a batch came to.
struct Committed {
    /// The connection, if it may be used again.
    writer: Option<Connection>,
    /// Whom to tell, once the connection is back in its place.
    acknowledgements: Vec<Acknowledge>,
    failure: Option<Error>,
}

fn run_batch(writer: Connection, batch: Vec<Change>) -> Committed {
    let mut acknowledgements: Vec<Acknowledge> = Vec::with_capacity(batch.len());
    let mut outcome = Outcome::Done;
    let finished = writer.execute_batch("BEGIN IMMEDIATE").map_err(Error::from).and_then(|()| {
        for change in batch {
            let (done, acknowledge) = change(&writer);
            acknowledgements.push(acknowledge);
            if done == Outcome::Failed {
                outcome = Outcome::Failed;
            }
            // A full disk, say, has rolled back all of it. The rest of the batch fails, too:
            // each change would be a transaction of its own now.
            if writer.is_autocommit() {
                return Err(Error::store("the transaction was rolled back"));
            }
        }
        Ok(writer.execute_batch("COMMIT")?)
    });
    let failure = finished.err();
    // The staging file has no journal: what a rollback leaves there is not defined. A connection
    // that has rolled back anything is opened anew, and the staging file with it.
    let is_sound = failure.is_none() && outcome == Outcome::Done;
    Committed { writer: is_sound.then_some(writer), acknowledgements, failure }
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

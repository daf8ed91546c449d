//! Connections to the database: one writer, a few readers, and how each is set up.
//!
//! The writer lives on the queue: changes wait in a bounded channel, and one task drains them,
//! up to `write_batch_max` together, into one transaction on a thread of its own, so that a slow
//! SD card never holds the loop. Every change has its own savepoint (one that fails does not
//! spoil its neighbours) and is acknowledged after the commit. Readers live on the loop and are
//! leased for one turn; WAL lets them read while the writer writes.
//!
//! A folder that cannot be written, for now or for good, is no reason to stop: what is stored is
//! read, and every change tries to open the writer again. Nor is a damaged file that cannot be put
//! aside: what can be read of it is, and every change tries to put it aside.

mod aside;
pub mod baseline;
mod open;
pub mod overview;
mod readers;
mod schema;
pub mod settings;
pub mod skips;

use std::cell::Cell;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::rc::Rc;

use async_channel::{Receiver, Sender};
use rusqlite::{Connection, ErrorCode};

use open::{
    Condition, checked, folder_error, limit_heap, lock, open_writer, quarantine, release_memory,
    reopen_writer,
};
pub use open::{open_beside, put_aside};
use readers::Readers;

use crate::budget::DatabaseLimits;
use crate::clock::Clock;
use crate::error::{Error, Result};
use crate::metrics::Metrics;
use crate::worker::Worker;

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

/// A change for the writer.
struct Change {
    durability: Durability,
    make: Box<Make>,
}

/// What to do inside the transaction, or with the reason why there is none, and whom to tell.
type Make = dyn FnOnce(Result<&Connection, &Error>) -> (Outcome, Acknowledge) + Send;

/// What a loss of power may take.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Durability {
    /// The last transactions: a feed can be fetched again.
    Normal,
    /// Nothing that was acknowledged.
    Full,
}

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
    clock: Clock,
    metrics: Rc<Metrics>,
    changes: Sender<Change>,
    queue: Receiver<Change>,
    writer: Cell<Option<Connection>>,
    /// Its thread makes the changes; others who have to wait for the disk may do it there, too.
    pub worker: Worker,
    /// The last transaction was written, as far as is known.
    writable: Cell<bool>,
    condition: Cell<Condition>,
    readers: Readers,
    damage: (Sender<()>, Receiver<()>),
    /// Held as long as the database is open: two servers on one folder would undo each other.
    _lock: File,
}

impl Database {
    /// Opens or makes the database in `folder`. A damaged one is put aside, never deleted. One that
    /// cannot be written just now is opened all the same.
    ///
    /// # Errors
    /// When the folder cannot be used, in words that name it.
    pub fn open(
        folder: &Path,
        limits: &DatabaseLimits,
        clock: Clock,
        metrics: Rc<Metrics>,
    ) -> Result<(Self, Opened)> {
        fs::create_dir_all(folder).map_err(|error| folder_error(folder, error))?;
        let lock = lock(folder)?;
        let path = folder.join("calendarbot.db");
        let existed = path.exists();
        // A file of no bytes is a lost database, not a new one.
        let is_hollow = existed && fs::metadata(&path).is_ok_and(|file| file.len() == 0);
        metrics.database_heap_limit.set(limit_heap(limits.heap_bytes_max)?);
        let mut opened = if existed { Opened::Existing } else { Opened::New };
        let mut found = if is_hollow {
            Err(Error::corrupt("the database file is empty"))
        } else {
            open_writer(&path, limits).and_then(checked)
        };
        let mut condition = Condition::Unchecked;
        if found.as_ref().is_err_and(Error::is_corrupt) {
            condition = Condition::Damaged;
            found = quarantine(&path).and_then(|aside| {
                opened = aside.map_or(Opened::New, Opened::Rebuilt);
                condition = Condition::Unchecked;
                open_writer(&path, limits)
            });
        }
        let writer = match found {
            Ok(writer) => {
                condition = Condition::Good;
                Some(writer)
            }
            Err(error) if error.is_store() => {
                let folder = folder.display();
                log::error!("nothing can be written in the data folder {folder}: {error}");
                None
            }
            Err(error) => return Err(folder_error(folder, error)),
        };
        metrics.database_writable.set(u64::from(writer.is_some()));
        let (changes, queue) = async_channel::bounded(limits.write_queue_max);
        let readers =
            Readers::new(path.clone(), limits.clone(), clock.clone(), Rc::clone(&metrics));
        let database = Self {
            path,
            limits: limits.clone(),
            clock,
            metrics,
            changes,
            queue,
            writable: Cell::new(writer.is_some()),
            condition: Cell::new(condition),
            writer: Cell::new(writer),
            worker: Worker::new("database"),
            readers,
            damage: async_channel::bounded(1),
            _lock: lock,
        };
        Ok((database, opened))
    }

    /// One transaction on the calling thread: for setting up, before the loop turns.
    ///
    /// # Errors
    /// Those of `change` and of the commit, and when nothing can be written.
    pub fn set_up<T>(&self, change: impl FnOnce(&Connection) -> Result<T>) -> Result<T> {
        let writer = self.writer.take().ok_or_else(|| Error::store("it cannot be written"))?;
        let result = writer.execute_batch("BEGIN IMMEDIATE").map_err(Error::from).and_then(|()| {
            let result = change(&writer)?;
            writer.execute_batch("COMMIT")?;
            Ok(result)
        });
        match &result {
            Ok(_) => self.writer.set(Some(writer)),
            // The next change opens another.
            Err(error) => self.note_failure(error),
        }
        result
    }

    /// Takes no further change; those that wait are made, and then the writer is done.
    pub fn close(&self) {
        self.changes.close();
    }

    /// Completes when some part of the program has met damage in the file.
    pub async fn damaged(&self) {
        // The sender lives as long as the database does.
        let _ = self.damage.1.recv().await;
    }

    /// Tells [`Self::damaged`] when an error means that the file is damaged. One that cannot be
    /// put aside is kept in use, since nothing can be written.
    pub fn examine(&self, error: &Error) {
        if error.is_corrupt() {
            self.condition.set(Condition::Damaged);
            if self.writable.get() {
                self.tell_of_damage();
            }
        }
    }

    fn tell_of_damage(&self) {
        // Full means that it has been told.
        let _ = self.damage.0.try_send(());
    }

    /// Runs `change` in a transaction on the writer and returns what it returned, once that is
    /// committed. Waits while the queue is full. A loss of power may undo it: for what can be
    /// fetched again.
    ///
    /// # Errors
    /// The change's own error, or the commit's.
    pub async fn write<T: Send + 'static>(
        &self,
        change: impl FnOnce(&Connection) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        self.change(Durability::Normal, change).await
    }

    /// The same for what a person has changed: it is on the disk when this returns.
    ///
    /// # Errors
    /// The same.
    pub async fn write_durably<T: Send + 'static>(
        &self,
        change: impl FnOnce(&Connection) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        self.change(Durability::Full, change).await
    }

    async fn change<T: Send + 'static>(
        &self,
        durability: Durability,
        change: impl FnOnce(&Connection) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let (told, outcome) = async_channel::bounded(1);
        let make = Box::new(move |connection: Result<&Connection, &Error>| {
            let result = match connection {
                Ok(connection) => in_savepoint(connection, change),
                Err(error) => Err(Error::store(error.to_string())),
            };
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
        self.changes.send(Change { durability, make }).await.map_err(|_| closed())?;
        self.metrics.database_waiting_peak.raise(self.changes.len() as u64);
        let result = outcome.recv().await.map_err(|_| closed())?;
        if let Err(error) = &result {
            self.examine(error);
        }
        result
    }

    /// Drains the queue until the database is closed. Run it as a task, once, and let it end by
    /// itself: what it has begun goes on on its thread, and has the file open.
    pub async fn run_writer(&self) {
        while let Ok(first) = self.queue.recv().await {
            let mut batch = vec![first];
            while batch.len() < self.limits.write_batch_max {
                let Ok(next) = self.queue.try_recv() else { break };
                batch.push(next);
            }
            self.metrics.database_batched.add(batch.len() as u64);
            let Committed { writer, acknowledgements, failure } = self.commit(batch).await;
            match &failure {
                Some(failure) => self.note_failure(failure),
                None => self.note_commit(writer.is_some()),
            }
            self.writer.set(writer);
            for acknowledge in acknowledgements {
                acknowledge(failure.as_ref());
            }
        }
    }

    /// Whoever asked for a change is told each time, the log when things turn.
    fn note_failure(&self, failure: &Error) {
        self.metrics.database_failed.count();
        self.examine(failure);
        self.metrics.database_writable.set(0);
        if self.writable.replace(false) {
            log::error!("nothing can be stored: {failure}");
        }
    }

    /// A transaction of which a part had to be taken back shows nothing: there may be no room.
    fn note_commit(&self, is_whole: bool) {
        self.metrics.database_commits.count();
        if is_whole && !self.writable.replace(true) {
            self.metrics.database_writable.set(1);
            log::info!("changes are stored again");
        }
    }

    /// One transaction on the thread for that. A connection that fails as a whole is not used
    /// again: the next batch opens a new one.
    async fn commit(&self, batch: Vec<Change>) -> Committed {
        let writer = self.writer.take();
        if writer.is_none() {
            self.metrics.database_reopened.count();
        }
        let (path, limits) = (self.path.clone(), self.limits.clone());
        let condition = self.condition.get();
        let committed = self.worker.run(move || {
            let open = || reopen_writer(&path, &limits, condition);
            run_batch(writer.map_or_else(open, Ok), batch)
        });
        let committed = committed.await.unwrap_or_else(|cause| {
            let failure = Error::store("the writer's thread").because(cause);
            Committed { writer: None, acknowledgements: Vec::new(), failure: Some(failure) }
        });
        match &committed.failure {
            None => self.condition.set(Condition::Good),
            Some(failure) if condition == Condition::Damaged && failure.is_corrupt() => {
                log::error!("{failure}");
                self.tell_of_damage();
            }
            Some(_) => {}
        }
        committed
    }

    /// Has the writer let go of its pages, unless it is at work: what comes next is minutes away.
    pub fn release_writer(&self) {
        if let Some(writer) = self.writer.take() {
            release_memory(&writer);
            self.writer.set(Some(writer));
        }
    }

    /// Lends a reader until the lease is dropped.
    pub fn lease(&self) -> Lease<'_> {
        Lease { database: self, number: self.readers.begin() }
    }

    /// Looks after the readers for as long as it is polled: closes what is idle, takes back what
    /// has leaked. Run it as a task, once.
    pub async fn run_readers(&self) {
        loop {
            self.clock.sleep(self.limits.lease_time).await;
            self.readers.tidy();
        }
    }

    /// Keeps so many readers from now on; `None` for as many as there is room for.
    pub fn keep_readers(&self, readers: Option<usize>) {
        self.readers.keep_at_most(readers);
    }

    /// Has the connections that are idle give back the memory that they can do without.
    pub fn release_memory(&self) {
        self.readers.release_memory();
        self.release_writer();
    }

    /// Keeps readers for reuse, or opens one for every lease from now on.
    pub fn keep_connections(&self, keeping: bool) {
        self.readers.keep(keeping);
    }
}

/// A reader, lent. A lease that outlives `lease_time` is taken back, and begins anew with its next
/// read.
pub struct Lease<'d> {
    database: &'d Database,
    number: u64,
}

impl Lease<'_> {
    /// From the next reading on, all see the same state of the database, until the lease ends.
    ///
    /// # Errors
    /// Those of [`Self::read`].
    pub fn hold_snapshot(&mut self) -> Result<()> {
        self.read(|reader| Ok(reader.execute_batch("BEGIN")?))
    }

    /// Reads. A reader that fails is not used again.
    ///
    /// # Errors
    /// Those of `read`, and when no reader can be opened.
    pub fn read<T>(&mut self, read: impl FnOnce(&Connection) -> Result<T>) -> Result<T> {
        let Database { readers, writable, .. } = self.database;
        let result = readers.take(self.number, !writable.get()).and_then(|reader| {
            let value = read(&reader)?;
            readers.put_back(self.number, reader);
            Ok(value)
        });
        result.inspect_err(|error| {
            readers.note_failure();
            self.database.examine(error);
        })
    }
}

impl Drop for Lease<'_> {
    fn drop(&mut self) {
        self.database.readers.end(self.number);
    }
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

fn run_batch(writer: Result<Connection>, batch: Vec<Change>) -> Committed {
    let mut acknowledgements: Vec<Acknowledge> = Vec::with_capacity(batch.len());
    let mut outcome = Outcome::Done;
    let is_durable = batch.iter().any(|change| change.durability == Durability::Full);
    let begin = if is_durable {
        "PRAGMA synchronous = FULL; BEGIN IMMEDIATE"
    } else {
        "PRAGMA synchronous = NORMAL; BEGIN IMMEDIATE"
    };
    let mut batch = batch.into_iter();
    let finished = writer.and_then(|writer| {
        writer.execute_batch(begin)?;
        for change in batch.by_ref() {
            let (done, acknowledge) = (change.make)(Ok(&writer));
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
        writer.execute_batch("COMMIT")?;
        Ok(writer)
    });
    if let Err(failure) = &finished {
        acknowledgements.extend(batch.map(|change| (change.make)(Err(failure)).1));
    }
    let (writer, failure) = match finished {
        // The staging file has no journal: what a rollback leaves there is not defined. A
        // connection that has rolled back anything is opened anew, and the staging file with it.
        Ok(writer) => ((outcome == Outcome::Done).then_some(writer), None),
        Err(failure) => (None, Some(failure)),
    };
    Committed { writer, acknowledgements, failure }
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

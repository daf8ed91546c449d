//! Readers: lent for a turn, kept for the next one.
//!
//! ```text
//!            a lease's first read               the lease ends
//!   idle ─────────────────────────────> lent ───────────────────> idle
//!    │  not well: closed, another        │ failed: closed; the next read opens another
//!    │                                   │ 30 s: leaked; taken back, counted
//!    └─ 60 s: closed, but for the last   └─ more than are kept: closed
//! ```
//!
//! Nobody waits for a reader: when none is idle another is opened, which takes a fraction of the
//! wait that would call for one. As many are kept as the budget has room for.

use std::cell::{Cell, RefCell};
use std::path::PathBuf;
use std::rc::Rc;

use rusqlite::Connection;

use super::open::{NO_PATIENCE, is_well, let_go, open_reader, release_memory};
use crate::budget::DatabaseLimits;
use crate::clock::{Clock, Moment};
use crate::error::Result;
use crate::metrics::Metrics;

/// All readers of a database.
pub(super) struct Readers {
    path: PathBuf,
    limits: DatabaseLimits,
    clock: Clock,
    metrics: Rc<Metrics>,
    /// The one that was used last is the last.
    idle: RefCell<Vec<Idle>>,
    lent: RefCell<Vec<Lent>>,
    leases: Cell<u64>,
    /// Off: every lease opens a reader of its own.
    keeping: Cell<bool>,
    /// Readers that are kept idle, at most.
    kept_max: Cell<usize>,
    /// One has been found broken, and none has been opened since.
    broken: Cell<bool>,
}

struct Idle {
    reader: Connection,
    since: Moment,
}

struct Lent {
    lease: u64,
    since: Moment,
    /// None until it is needed, while it reads, and after it has failed.
    reader: Option<Connection>,
    /// Opened while nobody could write: it may not see what is written from now on, or be in the
    /// way of it, and is closed with the lease.
    is_passing: bool,
}

impl Readers {
    pub(super) fn new(
        path: PathBuf,
        limits: DatabaseLimits,
        clock: Clock,
        metrics: Rc<Metrics>,
    ) -> Self {
        Self {
            path,
            kept_max: Cell::new(limits.readers_max),
            limits,
            clock,
            metrics,
            idle: RefCell::default(),
            lent: RefCell::default(),
            leases: Cell::default(),
            keeping: Cell::new(true),
            broken: Cell::default(),
        }
    }

    /// Begins a lease and returns its number.
    pub(super) fn begin(&self) -> u64 {
        let lease = self.leases.get() + 1;
        self.leases.set(lease);
        self.note(lease);
        lease
    }

    fn note(&self, lease: u64) {
        let since = self.clock.now();
        self.lent.borrow_mut().push(Lent { lease, since, reader: None, is_passing: false });
        self.count();
    }

    /// The reader of a lease, for one read. With `unwritten` even a file beside which nothing can
    /// be made is read.
    pub(super) fn take(&self, lease: u64, unwritten: bool) -> Result<Connection> {
        match self.find(lease, |lent| lent.reader.take()) {
            Some(Some(reader)) => return Ok(reader),
            Some(None) => {}
            // It was taken back, and begins anew.
            None => self.note(lease),
        }
        self.find(lease, |lent| lent.is_passing = unwritten);
        let reader = match self.take_idle() {
            Some(reader) => {
                self.metrics.readers_reused.count();
                Ok(reader)
            }
            None => self.open(unwritten),
        };
        self.count();
        reader
    }

    /// An idle reader that is well; others are closed.
    fn take_idle(&self) -> Option<Connection> {
        let mut idle = self.idle.borrow_mut();
        while let Some(Idle { reader, .. }) = idle.pop() {
            if is_well(&reader) {
                return Some(reader);
            }
            self.broken.set(true);
        }
        None
    }

    fn open(&self, unwritten: bool) -> Result<Connection> {
        self.metrics.readers_opened.count();
        if self.broken.replace(false) {
            self.metrics.readers_reopened.count();
        }
        open_reader(&self.path, &self.limits, unwritten, NO_PATIENCE)
    }

    /// Takes the reader of a lease back after a read that went well.
    pub(super) fn put_back(&self, lease: u64, reader: Connection) {
        self.find(lease, |lent| lent.reader = Some(reader));
    }

    fn find<T>(&self, lease: u64, change: impl FnOnce(&mut Lent) -> T) -> Option<T> {
        self.lent.borrow_mut().iter_mut().find(|lent| lent.lease == lease).map(change)
    }

    /// Counts a read that failed; its reader is closed.
    pub(super) fn note_failure(&self) {
        self.metrics.readers_failed.count();
        self.broken.set(true);
    }

    /// Ends a lease.
    pub(super) fn end(&self, lease: u64) {
        self.retire(|lent| lent.lease == lease);
    }

    /// Ends the leases that `ended` picks and keeps their readers; returns how many there were.
    fn retire(&self, ended: impl Fn(&Lent) -> bool) -> usize {
        let (mut lent, mut idle) = (self.lent.borrow_mut(), self.idle.borrow_mut());
        let before = lent.len();
        for Lent { reader, is_passing, .. } in lent.extract_if(.., |lent| ended(lent)) {
            let keeps = self.keeping.get() && !is_passing && idle.len() < self.kept_max.get();
            if let Some(reader) = reader.filter(|reader| keeps && let_go(reader)) {
                idle.push(Idle { reader, since: self.clock.now() });
            }
        }
        let count = before - lent.len();
        drop((lent, idle));
        self.count();
        count
    }

    /// Closes what has been idle for long, but for the last one, and takes back what has leaked:
    /// whoever holds a lease for that long has forgotten it.
    pub(super) fn tidy(&self) {
        let now = self.clock.now();
        let leaked = self.retire(|lent| now.since(lent.since) >= self.limits.lease_time);
        if leaked > 0 {
            self.metrics.readers_leaked.add(leaked as u64);
            log::error!("{leaked} readers of the database were not given back");
        }
        let mut idle = self.idle.borrow_mut();
        let is_old = |idle: &Idle| now.since(idle.since) >= self.limits.reader_idle_time;
        let old = idle.iter().take_while(|idle| is_old(idle)).count();
        let old = old.min(idle.len().saturating_sub(1));
        idle.drain(..old);
        drop(idle);
        self.count();
    }

    /// Keeps readers for reuse, or opens one for every read from now on.
    pub(super) fn keep(&self, keeping: bool) {
        self.keeping.set(keeping);
        if !keeping {
            self.idle.borrow_mut().clear();
        }
        self.count();
    }

    /// Keeps so many readers from now on, or as many as there is room for.
    pub(super) fn keep_at_most(&self, readers: Option<usize>) {
        let readers = readers.unwrap_or(usize::MAX).min(self.limits.readers_max);
        self.kept_max.set(readers);
        let mut idle = self.idle.borrow_mut();
        let surplus = idle.len().saturating_sub(readers);
        idle.drain(..surplus);
        drop(idle);
        self.count();
    }

    /// Has the idle ones give back the memory that they can do without.
    pub(super) fn release_memory(&self) {
        self.idle.borrow().iter().for_each(|idle| release_memory(&idle.reader));
    }

    fn count(&self) {
        let metrics = &self.metrics;
        metrics.readers_active.set(self.lent.borrow().len() as u64);
        metrics.readers_idle.set(self.idle.borrow().len() as u64);
        let (opened, reused) = (metrics.readers_opened.get(), metrics.readers_reused.get());
        metrics.readers_reuse_percent.set(100 * reused / (opened + reused).max(1));
    }
}

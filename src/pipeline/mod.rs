//! The request pipeline: view key in, shared bytes out.
//!
//! ```text
//!   ask(key) ──> cache ──hit──────────────────────────> the answer, at once
//!                  │ miss
//!                  v                       one turn: up to batch_max keys, one reader
//!               pending ──first asker──> queue ──> render each once ──> cache, askers told
//!                  │ another asker: joins             │ failed: its askers are told, not kept
//!                  │ no room: full                    v
//!                  v                             completions ──> the server
//!                 503
//! ```
//!
//! With the flag off, `ask` renders at once: no cache, no batch, the same bytes.

pub mod cache;
pub mod key;
pub mod pending;

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use async_channel::{Receiver, Sender};
use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use rusqlite::Connection;
use smol::future;

use self::cache::{Cache, Found, Validity};
use self::key::{Bound, View, ViewKey};
use self::pending::{Joined, Pending};
use crate::api::native::EventsQuery;
use crate::api::{lite, native};
use crate::budget::{FeedLimits, Limits, PipelineLimits};
use crate::calendar::{Agenda, CalendarStatus, Entry, selection};
use crate::clock::Clock;
use crate::connections::database::Database;
use crate::display::{self, page};
use crate::error::{Error, Result};
use crate::feed::store::{WindowQuery, read_window};
use crate::feed::{Feeds, Origin};
use crate::http::response::{Answer, Status, media};
use crate::http::slab::Token;
use crate::metrics::Metrics;
use crate::tzdb::tzdb;

/// An answer for one asker.
pub type Completion = (Token, Rc<Answer>);

/// What came of asking.
pub enum Asking {
    /// Here it is.
    Answer(Rc<Answer>),
    /// It will come as a [`Completion`].
    Pending,
    /// Too many others are pending.
    Full,
}

/// Where answers come from.
pub struct Sources {
    /// The clock.
    pub clock: Clock,
    /// Stored calendars.
    pub database: Rc<Database>,
    /// The configured feeds.
    pub feeds: Rc<Feeds>,
    /// Where the pipeline counts.
    pub metrics: Rc<Metrics>,
    /// What one feed may hold.
    pub feed_limits: FeedLimits,
}

/// The pipeline.
pub struct Pipeline {
    sources: Sources,
    limits: PipelineLimits,
    build_id: String,
    enabled: Cell<bool>,
    cache: RefCell<Cache>,
    pending: RefCell<Pending>,
    queue: (Sender<ViewKey>, Receiver<ViewKey>),
    completions: Sender<Completion>,
}

/// Entries that are read for a view that shows a handful: enough for a page and for the rules
/// that pass over some.
const NEXT_ENTRIES: usize = 64;
/// `/api/v1/events` without an end covers this many days.
const EVENTS_DAYS: i64 = 7;

impl Pipeline {
    /// A pipeline, and where its completions come out. They fit: every connection waits for one
    /// answer at a time.
    pub fn new(sources: Sources, limits: &Limits) -> (Self, Receiver<Completion>) {
        let (completions, completed) = async_channel::bounded(limits.http.slots);
        let limits = limits.pipeline.clone();
        let cache = Cache::new(
            limits.cache_bytes_max,
            limits.cache_entries_max,
            limits.cache_entry_bytes_max,
        );
        let pipeline = Self {
            sources,
            build_id: display::build_id(),
            enabled: Cell::new(true),
            cache: RefCell::new(cache),
            pending: RefCell::new(Pending::new(limits.pending_keys_max)),
            queue: async_channel::bounded(limits.pending_keys_max),
            completions,
            limits,
        };
        (pipeline, completed)
    }

    /// Takes effect with the next request.
    pub fn enable(&self, enabled: bool) {
        self.enabled.set(enabled);
    }

    /// Asks for a view at `now`, in seconds since 1970.
    pub fn ask(&self, key: &ViewKey, asker: Token, now: i64) -> Asking {
        let metrics = &self.sources.metrics;
        if !self.enabled.get() {
            return Asking::Answer(self.render_alone(key));
        }
        match self.cache.borrow_mut().get(key, now, self.sources.feeds.generation()) {
            Found::Hit(answer) => {
                metrics.cache_hits.count();
                return Asking::Answer(answer);
            }
            Found::Expired => metrics.cache_expired.count(),
            Found::Miss => {}
        }
        metrics.cache_misses.count();
        match self.pending.borrow_mut().join(key, asker) {
            Joined::Another => metrics.pipeline_joined.count(),
            Joined::Full => {
                metrics.pipeline_refused.count();
                return Asking::Full;
            }
            // The queue has a place for every key that may be pending.
            Joined::First => drop(self.queue.0.try_send(key.clone())),
        }
        Asking::Pending
    }

    /// Makes answers until the program ends. Run it as a task, once.
    pub async fn run(&self) {
        while let Ok(first) = self.queue.1.recv().await {
            let mut keys = vec![first];
            while keys.len() < self.limits.batch_max {
                let Ok(next) = self.queue.1.try_recv() else { break };
                keys.push(next);
            }
            self.sources.metrics.pipeline_turns.count();
            let mut reader = self.sources.database.lease();
            for key in keys {
                let rendered = reader.read(|reader| self.render(reader, &key));
                self.deliver(key, rendered.map_err(|error| self.failed(&error)));
                future::yield_now().await;
            }
        }
    }

    /// Tells the askers of a key what came of it; an answer is kept, one that says why there is
    /// none is not.
    fn deliver(&self, key: ViewKey, rendered: Result<(Rc<Answer>, Validity), Rc<Answer>>) {
        let askers = self.pending.borrow_mut().take(&key);
        let answer = match rendered {
            Ok((answer, validity)) => {
                self.keep(key, Rc::clone(&answer), validity);
                answer
            }
            Err(failed) => failed,
        };
        for asker in askers {
            // Full cannot be: there is a place for every connection.
            let _ = self.completions.try_send((asker, Rc::clone(&answer)));
        }
    }

    fn keep(&self, key: ViewKey, answer: Rc<Answer>, validity: Validity) {
        let metrics = &self.sources.metrics;
        let mut cache = self.cache.borrow_mut();
        let evicted = cache.insert(key, answer, validity);
        metrics.cache_evicted.add(evicted as u64);
        metrics.cache_entries.set(cache.len() as u64);
        metrics.cache_bytes.set(cache.weight_bytes() as u64);
        metrics.cache_bytes_peak.raise(cache.weight_bytes() as u64);
    }

    fn render_alone(&self, key: &ViewKey) -> Rc<Answer> {
        let rendered = self.sources.database.lease().read(|reader| self.render(reader, key));
        rendered.map_or_else(|error| self.failed(&error), |(answer, _)| answer)
    }

    fn failed(&self, error: &Error) -> Rc<Answer> {
        self.sources.metrics.pipeline_failed.count();
        log::error!("cannot make an answer: {error}");
        let status = Status::UNAVAILABLE;
        let detail = "the calendar's data cannot be read just now";
        let body = native::problem(status.code, status.reason(), detail);
        Rc::new(Answer::plain(status, media::PROBLEM, "Retry-After: 10\r\n", body.as_bytes()))
    }

    /// Makes one answer, and says how long it holds.
    fn render(&self, reader: &Connection, key: &ViewKey) -> Result<(Rc<Answer>, Validity)> {
        self.sources.metrics.pipeline_rendered.count();
        let now = self.sources.clock.wall();
        let feeds = self.sources.feeds.list();
        let calendars: Vec<CalendarStatus> = feeds.iter().map(|feed| feed.status(now)).collect();
        let zone = match &key.zone {
            Some(name) => tzdb().get(name).unwrap_or(TimeZone::UTC),
            None => self.sources.feeds.zone(),
        };
        let span = Span::of(&key.view, now, &zone);
        let (entries, truncated) = self.read(reader, &key.view, &span, &calendars)?;
        let agenda = Agenda {
            now,
            clock_is_set: self.sources.clock.is_set(),
            zone: &zone,
            entries: &entries,
            truncated,
            calendars: &calendars,
        };
        let (media_type, body) = match &key.view {
            View::Page => {
                let demo = matches!(&*feeds, [only] if matches!(only.origin, Origin::Demo));
                let build_id = &self.build_id;
                let options = page::PageOptions { build_id, demo, ..Default::default() };
                (media::HTML, page::whats_next(&agenda, &options))
            }
            View::Next { limit } => (media::JSON, native::next(&agenda, usize::from(*limit))),
            View::Events { calendar, limit, .. } => {
                let query = EventsQuery {
                    from: span.from,
                    to: span.to,
                    calendar: calendar.as_deref(),
                    limit: usize::from(*limit).min(self.limits.view_events_max),
                };
                (media::JSON, native::events(&agenda, &query))
            }
            View::Calendars => (media::JSON, native::calendars(&agenda)),
            View::LiteNext => (media::JSON, lite::whats_next(&agenda, &|_| false)),
        };
        let answer = Rc::new(Answer::ok(media_type, body.as_bytes()));
        Ok((answer, self.validity(&key.view, &agenda)))
    }

    fn read(
        &self,
        reader: &Connection,
        view: &View,
        span: &Span,
        calendars: &[CalendarStatus],
    ) -> Result<(Vec<Entry>, bool)> {
        let window = |from, to, calendar, limit| WindowQuery {
            from,
            to,
            zone: &span.zone,
            calendar,
            ended: false,
            limit,
            rows_max: self.limits.view_rows_max,
            bytes_max: self.limits.view_bytes_max,
            calendars,
        };
        let read = |query: WindowQuery<'_>| read_window(reader, &query, &self.sources.feed_limits);
        match view {
            View::Calendars => Ok((Vec::new(), false)),
            View::Events { calendar, limit, .. } => {
                let limit = usize::from(*limit).min(self.limits.view_events_max);
                // One more than is shown tells whether there are more.
                read(window(span.from, span.to, calendar.as_deref(), limit + 1))
            }
            View::Page | View::Next { .. } | View::LiteNext => {
                let wanted = match view {
                    View::Next { limit } => NEXT_ENTRIES + usize::from(*limit),
                    _ => NEXT_ENTRIES,
                };
                let wanted = wanted.min(self.limits.view_events_max);
                // One meeting that is over tells whether today has had any.
                let ended = WindowQuery { ended: true, ..window(span.from, span.now, None, 1) };
                let (mut entries, _) = read(ended)?;
                let (ahead, truncated) = read(window(span.now, span.to, None, wanted))?;
                entries.extend(ahead);
                Ok((entries, truncated))
            }
        }
    }

    fn validity(&self, view: &View, agenda: &Agenda<'_>) -> Validity {
        let from = agenda.now.as_second();
        let minute_turns = from - from.rem_euclid(60) + 60;
        let until = [
            from + view.seconds_max(),
            if view.counts_minutes() { minute_turns } else { i64::MAX },
            selection::changes_at(agenda).as_second(),
        ];
        let until = until.into_iter().min().unwrap_or(from);
        Validity { from, until, generation: self.sources.feeds.generation() }
    }
}

/// The stretch of time that a view covers.
struct Span {
    zone: TimeZone,
    now: Timestamp,
    from: Timestamp,
    to: Timestamp,
}

impl Span {
    fn of(view: &View, now: Timestamp, zone: &TimeZone) -> Self {
        let today = zone.to_datetime(now).date();
        let midnight = |date: Date| {
            date.to_zoned_datetime(zone.clone()).map_or(now, |zoned| zoned.timestamp())
        };
        let moment = |bound: &Bound| match bound {
            Bound::Instant(second) => Timestamp::from_second(*second).unwrap_or(now),
            Bound::Day(date) => midnight(*date),
        };
        let (from, to) = match view {
            View::Events { from, to, .. } => {
                let from = from.as_ref().map_or_else(|| midnight(today), moment);
                let week = || {
                    let first = zone.to_datetime(from).date();
                    let days = jiff::Span::new().days(EVENTS_DAYS);
                    midnight(first.saturating_add(days))
                };
                (from, to.as_ref().map_or_else(week, moment))
            }
            _ => (midnight(today), Timestamp::MAX),
        };
        Self { zone: zone.clone(), now, from, to }
    }
}

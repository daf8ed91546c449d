//! Keeping feeds fresh: when each is due, and one refresh from end to end.
//!
//! ```text
//!       due, or nudged in time        304, or published
//!   Waiting ──────────────> Refreshing ────────────────> Waiting, an interval
//!      ^                        │
//!      └── backing off, jitter ─┘ failed: the old data stays, stale, with its age and the reason
//! ```
//!
//! Every feed has a task of its own; `refresh.at_once` of them may be past waiting. A body is
//! read in small pieces, each parsed and handed on before the next one is read, so that one
//! component at a time is in memory, and the loop turns between two pieces.

mod failure;
mod source;
pub mod trial;
mod webhook;

use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan};
use smol::future;
use smol::lock::{Semaphore, SemaphoreGuard};

use self::failure::{Failure, Retry, wait_after};
use self::source::{Body, FileBody};
use super::fetch::{self, Fetched};
use super::store::{self, FetchedFacts, Publication, Published, Staging};
use super::{Feed, Feeds, Origin, Server};
use crate::alloc;
use crate::budget::{Limits, NOTES_MAX};
use crate::calendar::CalendarStatus;
use crate::clock::{Clock, Moment};
use crate::connections::database::Database;
use crate::connections::outbound::Outbound;
use crate::demo;
use crate::error::Result;
use crate::ical::Window;
use crate::ical::component::{Component, Item, Reader};
use crate::metrics::Metrics;

/// A feed's window is compared with today at least this often. The wall clock alone tells: it
/// jumps when the network sets it, and stands at yesterday after a pause.
const SLIDE_INTERVAL: Duration = Duration::from_secs(300);

/// What refreshing needs from the rest of the program.
pub struct Refresher {
    /// The clock.
    pub clock: Clock,
    /// All limits.
    pub limits: Limits,
    /// Where it counts.
    pub metrics: Rc<Metrics>,
    /// Where feeds are kept.
    pub database: Rc<Database>,
    /// Connections to feed servers.
    pub outbound: Outbound,
    /// Which feeds there are, told when one has changed.
    pub feeds: Rc<Feeds>,
    /// `refresh.at_once` permits.
    pub permits: Semaphore,
    /// How often; [`Refresher::set_pace`] changes it.
    pub pace: Cell<Pace>,
}

/// How often feeds are fetched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pace {
    /// At so many percent of their intervals.
    Percent(u32),
    /// Not at all, as long as there is something to show.
    Halted,
}

impl Pace {
    fn stretched(self, interval: Duration) -> Duration {
        match self {
            Self::Percent(percent) => interval * percent / 100,
            Self::Halted => interval,
        }
    }
}

/// When a feed is fetched again.
#[derive(Clone, Copy)]
enum Next {
    /// Then.
    At(Moment),
    /// An interval after this, at the pace that there is by then.
    Interval(Moment),
    /// Not until somebody wishes it.
    Never,
}

/// How a refresh that did not fail ended.
enum Outcome {
    Unchanged,
    Published(Published),
}

impl Refresher {
    /// Changes how often feeds are fetched, also of those that wait already.
    pub fn set_pace(&self, pace: Pace) {
        if self.pace.replace(pace) != pace {
            self.feeds.list().iter().for_each(|feed| feed.wake());
        }
    }

    /// When a feed is due; `None` while it is not.
    fn due(&self, feed: &Feed, next: Next) -> Option<Moment> {
        let pace = self.pace.get();
        let is_halted = pace == Pace::Halted && self.feeds.has_data();
        let due = match next {
            Next::At(due) => Some(due),
            Next::Interval(since) => Some(since + pace.stretched(feed.interval)),
            Next::Never => None,
        };
        due.filter(|_| !is_halted)
    }

    /// Keeps one feed fresh until the task is dropped.
    pub async fn run(&self, feed: Rc<Feed>) {
        // A start is a wish like any other, and so is a reload.
        let mut next = Next::At(feed.nudge_due(self.clock.now()));
        let mut shown = self.due(&feed, next);
        let mut slide_due = self.clock.now();
        let mut slid_to = None;
        loop {
            let due = self.due(&feed, next);
            if due != shown {
                let wait = due.map(|due| due.since(self.clock.now()));
                let at = wait.and_then(|wait| self.clock.wall().checked_add(wait).ok());
                feed.status.borrow_mut().next_due = at;
                shown = due;
            }
            self.wait(&feed, due.map_or(slide_due, |due| due.min(slide_due))).await;
            if feed.is_wished.take() {
                let nudge_due = feed.nudge_due(self.clock.now());
                next = Next::At(due.map_or(nudge_due, |due| due.min(nudge_due)));
            }
            if self.clock.is_set() && feed.limit_age(self.clock.wall()) {
                self.feeds.changed();
            }
            // Midnight comes for a feed whose server is down or has nothing new, too.
            slide_due = self.clock.now() + SLIDE_INTERVAL;
            let window = self.window();
            if slid_to != window && self.slide(&feed).await {
                slid_to = window;
            }
            if self.due(&feed, next).is_none_or(|due| due > self.clock.now()) {
                continue;
            }
            let permit = self.permit().await;
            feed.no_nudge_before.set(self.clock.now() + self.limits.refresh.nudge_interval);
            let outcome = self.refresh(&feed).await;
            drop(permit);
            if alloc::used_bytes() > self.limits.heap_bytes_max {
                self.outbound.close_idle();
            }
            next = match outcome {
                Ok(outcome) => {
                    if let Outcome::Published(_) = outcome {
                        self.database.release_writer();
                        alloc::give_back();
                    }
                    feed.failures.set(0);
                    self.succeed(&feed, outcome);
                    Next::Interval(self.clock.now())
                }
                Err(failure) => {
                    feed.failures.set(feed.failures.get().saturating_add(1));
                    let limits = &self.limits.refresh;
                    let wait = wait_after(failure.retry, feed.failures.get(), limits);
                    if let Retry::After(wait) = failure.retry {
                        let allowed = self.clock.now() + wait;
                        feed.no_nudge_before.set(feed.no_nudge_before.get().max(allowed));
                    }
                    self.fail(&feed, failure.text, wait);
                    wait.map_or(Next::Never, |wait| Next::At(self.clock.now() + wait))
                }
            };
            self.metrics.memory.feeds.set(self.feeds.weight_bytes());
            self.feeds.changed();
        }
    }

    /// The right to be one of the refreshes under way.
    async fn permit(&self) -> SemaphoreGuard<'_> {
        if let Some(permit) = self.permits.try_acquire() {
            return permit;
        }
        self.metrics.refreshes_waited.count();
        self.permits.acquire().await
    }

    /// Waits until then, or until somebody wishes for a refresh or has changed the pace.
    async fn wait(&self, feed: &Feed, wake: Moment) {
        // It cannot close as long as the feed is there.
        let woken = async { feed.wake.1.recv().await.unwrap_or(()) };
        future::or(woken, self.clock.sleep_until(wake)).await;
    }

    fn succeed(&self, feed: &Feed, outcome: Outcome) {
        let mut status = feed.status.borrow_mut();
        let now = self.clock.wall();
        status.last_success = Some(now);
        if let Some(error) = status.last_error.take() {
            log::info!("feed `{}` ({}) is well again after: {error}", feed.name, status.label);
        }
        self.metrics.refreshes.count();
        match outcome {
            Outcome::Published(published) => {
                match published.changed {
                    true => feed.stored_generation.set(feed.stored_generation.get() + 1),
                    false => self.metrics.refreshes_unchanged.count(),
                }
                take_note(&mut status, published);
            }
            Outcome::Unchanged => self.metrics.refreshes_unchanged.count(),
        }
        self.feeds.has_data.set(true);
    }

    fn fail(&self, feed: &Feed, text: String, wait: Option<Duration>) {
        self.metrics.refreshes_failed.count();
        let mut status = feed.status.borrow_mut();
        let again = match wait {
            Some(wait) => format!("trying again in {} s", wait.as_secs()),
            None => "not trying again until the configuration or the program is reloaded".into(),
        };
        // The same failure again and again is one piece of news.
        let level = if status.last_error.as_ref() == Some(&text) {
            log::Level::Debug
        } else {
            log::Level::Warn
        };
        log::log!(level, "feed `{}` ({}): {text}; {again}", feed.name, status.label);
        status.last_error = Some(text);
    }

    async fn refresh(&self, feed: &Feed) -> Result<Outcome, Failure> {
        let remembered = feed.remembered.borrow().clone();
        let mut body = match &feed.origin {
            Origin::Demo => {
                let zone = self.feeds.zone();
                let today = self.clock.wall().to_zoned_datetime(zone.clone()).date();
                Body::Text(demo::calendar(today, zone.iana_name().unwrap_or("UTC")).into(), 0)
            }
            Origin::File(path) => {
                let limits = &self.limits.refresh;
                Body::File(FileBody::open(path, &self.outbound, &self.clock, limits).await?)
            }
            Origin::Server(server) => {
                let request = fetch::Request {
                    etag: remembered.etag.as_deref(),
                    last_modified: remembered.last_modified.as_deref(),
                    ..self.request(server)
                };
                let limits = &self.limits.refresh;
                match fetch::fetch(&self.outbound, &self.clock, limits, request).await? {
                    Fetched::NotModified => return Ok(Outcome::Unchanged),
                    Fetched::Body(body) => Body::Server(Box::new(body)),
                }
            }
        };
        let id = self.row(feed).await?;
        let read = self.stage(id, &mut body).await?;
        let (etag, last_modified) = (body.etag(), body.last_modified());
        let (skipped, skipped_reasons) = (read.skipped, read.skipped_reasons.clone());
        let facts = FetchedFacts {
            source: feed.source_hash,
            etag: etag.clone(),
            last_modified: last_modified.clone(),
            ..read
        };
        let now = self.clock.is_set().then(|| self.clock.wall());
        let published = self.publish(id, Some(facts), now).await?;
        let mut remembered = feed.remembered.borrow_mut();
        remembered.etag = etag;
        remembered.last_modified = last_modified;
        remembered.source = feed.source_hash;
        let mut status = feed.status.borrow_mut();
        status.skipped = skipped;
        status.skipped_reasons = skipped_reasons;
        status.private = feed.private;
        drop(status);
        Ok(Outcome::Published(published))
    }

    /// What a server is asked for by whoever has nothing of it yet.
    fn request<'s>(&self, server: &'s Server) -> fetch::Request<'s> {
        fetch::Request {
            url: &server.url,
            headers: &server.headers,
            user_agent: &server.user_agent,
            etag: None,
            last_modified: None,
            policy: &server.policy,
            body_bytes_max: self.limits.feed.bytes_max,
            body_time: server.body_time,
        }
    }

    /// The number of a feed's row, which is made now if nothing could be written at the start.
    async fn row(&self, feed: &Feed) -> Result<i64> {
        let id = feed.remembered.borrow().id;
        if id != 0 {
            return Ok(id);
        }
        let (name, source) = (feed.name.clone(), feed.source_hash);
        let register = move |connection: &_| store::register(connection, &name, source);
        let registered = self.database.write(register).await?;
        let id = registered.id;
        *feed.remembered.borrow_mut() = registered;
        Ok(id)
    }

    /// Reads a body to its end into the staging place.
    async fn stage(&self, id: i64, body: &mut Body<'_>) -> Result<FetchedFacts, Failure> {
        let seen_bytes_max = self.limits.refresh.seen_bytes_max;
        let begin = move |connection: &_| store::begin_staging(connection, id, seen_bytes_max);
        let mut staging = self.database.write(begin).await?;
        let mut reader = Reader::new(&self.limits.feed);
        let mut buffer = vec![0; self.limits.refresh.read_buffer_bytes];
        let mut batch = Batch::default();
        let fixed = buffer.len() + seen_bytes_max;
        let mut held = self.metrics.memory.refreshes.hold(fixed);
        loop {
            let count = body.read(&mut buffer).await?;
            if count == 0 {
                break;
            }
            self.metrics.feed_bytes.add(count as u64);
            reader.push(&buffer[..count], &mut |item| batch.take(item))?;
            let read = body.weight_bytes() + reader.weight_bytes() + batch.bytes;
            held.resize(fixed + read);
            if batch.bytes >= self.limits.refresh.stage_bytes_max {
                staging = self.hand_on(id, staging, &mut batch).await?;
            }
            future::yield_now().await;
        }
        let summary = reader.finish(&mut |item| batch.take(item))?;
        let staging = self.hand_on(id, staging, &mut batch).await?;
        self.metrics.components_read.add(summary.components as u64);
        self.metrics.components_skipped.add(batch.skipped);
        Ok(FetchedFacts {
            staging,
            zone: summary.zone,
            skipped: batch.skipped,
            skipped_reasons: batch.reasons,
            ..FetchedFacts::default()
        })
    }

    /// Gives the writer what has been read so far.
    async fn hand_on(&self, id: i64, staging: Staging, batch: &mut Batch) -> Result<Staging> {
        batch.bytes = 0;
        let components = std::mem::take(&mut batch.components);
        self.database
            .write(move |connection| store::stage(connection, id, staging, &components))
            .await
    }

    async fn publish(
        &self,
        feed: i64,
        fetched: Option<FetchedFacts>,
        checked_at: Option<Timestamp>,
    ) -> Result<Published> {
        let (default_zone, window) = (self.feeds.zone(), self.window());
        let publication = Publication { feed, fetched, checked_at, default_zone, window };
        let limits = self.limits.feed.clone();
        let published = self
            .database
            .write(move |connection| store::publish(connection, &publication, &limits))
            .await?;
        // It was there on the database's thread.
        drop(self.metrics.memory.expansion.hold(published.bytes));
        Ok(published)
    }

    /// The window around today; `None` as long as nobody knows what day it is.
    fn window(&self) -> Option<Window> {
        let is_set = self.clock.is_set();
        is_set.then(|| window_around(self.clock.wall(), &self.feeds.zone(), &self.limits))
    }

    /// Moves the window to today; writes nothing on a day on which that was done. False when it
    /// is to be tried again.
    async fn slide(&self, feed: &Feed) -> bool {
        let checked_at = feed.status.borrow().last_success;
        let published = match self.row(feed).await {
            Ok(id) => self.publish(id, None, checked_at).await,
            Err(error) => Err(error),
        };
        let is_done = published.is_ok();
        let turned = feed.is_stuck.replace(!is_done) == is_done;
        match published {
            Ok(published) => {
                if turned {
                    log::info!("feed `{}`: its window moves again", feed.name);
                }
                if published.changed {
                    take_note(&mut feed.status.borrow_mut(), published);
                    self.feeds.changed();
                }
            }
            Err(error) if turned => {
                log::error!("feed `{}`: cannot move its window: {error}", feed.name);
            }
            Err(_) => {}
        }
        is_done
    }
}

/// Takes over what a publication came to, and logs the warnings that are news. Those of a private
/// feed quote what is in it.
fn take_note(status: &mut CalendarStatus, published: Published) {
    status.events = published.events;
    status.truncated_series = published.truncated_series;
    let known = std::mem::replace(&mut status.warnings, published.warnings);
    let name = &status.name;
    let news = status.warnings.iter().filter(|&warning| !known.contains(warning));
    if !status.private {
        news.for_each(|warning| log::warn!("feed `{name}`: {warning}"));
    } else if let count @ 1.. = news.count() {
        log::warn!("feed `{name}`: {count} warnings, which are private");
    }
}

/// From midnight `past_days` ago to midnight in `future_days`, in the display's zone.
fn window_around(now: Timestamp, zone: &TimeZone, limits: &Limits) -> Window {
    let today = now.to_zoned_datetime(zone.clone()).date();
    let midnight = |date: jiff::civil::Date| {
        date.to_zoned_datetime(zone.clone()).map_or(now, |zoned| zoned.timestamp())
    };
    let past = i64::from(limits.feed.past_days).days();
    let future = i64::from(limits.feed.future_days).days();
    Window {
        start: midnight(today.saturating_sub(past)),
        end: midnight(today.saturating_add(future)),
    }
}

/// Components read and not yet handed to the writer, and what was skipped of the whole body.
#[derive(Default)]
struct Batch {
    components: Vec<Component>,
    bytes: usize,
    skipped: u64,
    reasons: Vec<String>,
}

impl Batch {
    fn take(&mut self, item: Item) {
        match item {
            Item::Component(component) => {
                self.bytes += component.text.len() + size_of::<Component>();
                self.components.push(component);
            }
            Item::Skipped(skip) => {
                self.skipped += 1;
                if self.reasons.len() < NOTES_MAX {
                    self.reasons.push(skip.to_string());
                }
            }
        }
    }
}

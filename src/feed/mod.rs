//! Feeds: fetching, reading, keeping.
//!
//! [`Feeds`] is the list of what is configured and how each feed fares; [`refresh`] keeps it
//! fresh; [`fetch`] brings bytes; [`store`] has all the SQL.

pub mod explain;
pub mod fetch;
pub mod refresh;
pub mod store;

use std::cell::{Cell, RefCell};
use std::path::PathBuf;
use std::rc::Rc;
use std::time::Duration;

use async_channel::{Receiver, Sender};
use http_types::Url;
use http_types::auth::BasicAuth;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

use crate::calendar::CalendarStatus;
use crate::clock::Moment;
use crate::config::{Auth, FeedConfig, FeedUrl, Source};
use crate::connections::outbound::{self, Policy};
use crate::secret::Secret;
use store::Remembered;

/// Where a feed comes from.
pub enum Origin {
    /// The calendar that is part of the program, for a first look.
    Demo,
    /// A file, named in the configuration.
    File(PathBuf),
    /// A server.
    Server(Box<Server>),
}

/// How a feed's server is asked.
pub struct Server {
    url: Url,
    headers: Vec<(String, String)>,
    user_agent: String,
    policy: Policy,
    body_time: Duration,
}

impl Origin {
    /// Where a configured feed comes from.
    pub fn of(config: &FeedConfig) -> Self {
        let url = match &config.source {
            Source::File(path) => return Self::File(path.clone()),
            Source::Url(url) => url.expose().clone(),
        };
        let expose = |(name, value): &(String, Secret)| (name.clone(), value.expose().to_owned());
        let mut headers: Vec<_> = config.headers.iter().map(expose).collect();
        headers.extend(authorization(&config.auth));
        let own = outbound::Origin::of(&url);
        let policy = Policy {
            allow_private: config.allow_private_address,
            trusted_origin: own.clone().filter(|_| config.trusted_origin),
            unverified_origin: own.filter(|_| config.insecure_tls),
        };
        let user_agent = config.user_agent.clone();
        Self::Server(Box::new(Server {
            url,
            headers,
            user_agent,
            policy,
            body_time: config.timeout,
        }))
    }
}

/// The field that logs in.
fn authorization(auth: &Auth) -> Option<(String, String)> {
    let value = match auth {
        Auth::None => return None,
        Auth::Basic { user, password } => {
            BasicAuth::new(user.expose(), password.expose()).value().as_str().to_owned()
        }
        Auth::Bearer(token) => format!("Bearer {}", token.expose()),
    };
    Some(("authorization".to_owned(), value))
}

impl Server {
    /// Where alerts are posted to: the operator vouches for it, wherever it is. `None` when the
    /// configuration holds no URL that could be.
    pub fn of_webhook(secret: &Secret) -> Option<Self> {
        let (url, auth) = FeedUrl::of(secret).ok()?;
        let url = url.expose().clone();
        let trusted_origin = outbound::Origin::of(&url);
        Some(Self {
            url,
            headers: authorization(&auth).into_iter().collect(),
            user_agent: concat!("calendarbot/", env!("CARGO_PKG_VERSION")).to_owned(),
            policy: Policy { trusted_origin, ..Policy::default() },
            body_time: Duration::ZERO,
        })
    }
}

/// One configured feed.
pub struct Feed {
    /// Its name in the configuration.
    pub name: String,
    /// Where it comes from.
    pub origin: Origin,
    /// A stable hash of where it comes from, to notice that this has changed.
    pub source_hash: i64,
    /// Whether it is configured as private.
    private: bool,
    /// From one refresh to the next.
    pub interval: Duration,
    /// What people are told.
    status: RefCell<CalendarStatus>,
    /// The row and the validators of the last good answer.
    remembered: RefCell<Remembered>,
    /// Somebody wishes for a refresh.
    is_wished: Cell<bool>,
    wake: (Sender<()>, Receiver<()>),
    /// No wish is served sooner: its server has just been asked, or has said when it may be.
    no_nudge_before: Cell<Moment>,
    /// Rises whenever what is stored of it changes.
    stored_generation: Cell<u64>,
    /// Failures in a row.
    failures: Cell<u32>,
    /// Its window could not be moved when that was tried last.
    is_stuck: Cell<bool>,
}

/// What is stored of a feed, as a whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Stored {
    /// The row's number.
    pub row: i64,
    /// A hash of where the data came from.
    pub source: i64,
    /// Rises whenever the data changes, from the start of the program on.
    pub generation: u64,
    /// Only the times of its events may be seen.
    pub private: bool,
}

/// A feed is stale after this many intervals without a good refresh.
const STALE_INTERVALS: u32 = 3;

impl Feed {
    /// A feed that has not been refreshed since the start, with what was remembered of it.
    pub fn new(
        status: CalendarStatus,
        origin: Origin,
        source_hash: i64,
        interval: Duration,
        mut remembered: Remembered,
    ) -> Self {
        let private = status.private;
        let status = CalendarStatus {
            // What another source has said was never meant for these settings.
            private: private || remembered.source != source_hash,
            events: remembered.events,
            skipped: remembered.skipped,
            // Nobody asks `remembered` for them again.
            skipped_reasons: std::mem::take(&mut remembered.skipped_reasons),
            warnings: std::mem::take(&mut remembered.warnings),
            truncated_series: remembered.truncated_series,
            last_success: remembered.checked_at,
            ..status
        };
        Self {
            name: status.name.clone(),
            origin,
            source_hash,
            private,
            interval,
            status: RefCell::new(status),
            remembered: RefCell::new(remembered),
            is_wished: Cell::default(),
            wake: async_channel::bounded(1),
            no_nudge_before: Cell::default(),
            stored_generation: Cell::default(),
            failures: Cell::default(),
            is_stuck: Cell::default(),
        }
    }

    /// How the feed fares, as of `now`.
    pub fn status(&self, now: Timestamp) -> CalendarStatus {
        let mut status = self.status.borrow().clone();
        let patience = SignedDuration::try_from(self.interval * STALE_INTERVALS)
            .unwrap_or(SignedDuration::MAX);
        let is_old = status.last_success.is_some_and(|at| now.duration_since(at) > patience);
        status.stale = is_old || status.last_error.is_some();
        status
    }

    /// How many components are stored of it.
    pub fn events(&self) -> u64 {
        self.status.borrow().events
    }

    /// When it was last known to be right.
    pub fn last_success(&self) -> Option<Timestamp> {
        self.status.borrow().last_success
    }

    /// What is stored of it, and how much of that may be seen.
    pub fn stored(&self) -> Stored {
        let remembered = self.remembered.borrow();
        Stored {
            row: remembered.id,
            source: remembered.source,
            generation: self.stored_generation.get(),
            private: self.status.borrow().private,
        }
    }

    /// When it was last known to be right, if that is newer than what is written down: its row
    /// and the time.
    pub fn age_to_write(&self) -> Option<(i64, Timestamp)> {
        let remembered = self.remembered.borrow();
        let at = self.status.borrow().last_success?;
        (Some(at) > remembered.checked_at).then_some((remembered.id, at))
    }

    /// Notices that nobody knows how old the data is: it is from the future, so the clock has gone
    /// back. Its age counts from now on, or it would pass for fresh until the clock is there again.
    fn limit_age(&self, now: Timestamp) -> bool {
        let mut status = self.status.borrow_mut();
        let is_future = status.last_success > Some(now);
        if is_future {
            status.last_success = Some(now);
            self.remembered.borrow_mut().checked_at = None;
        }
        is_future
    }

    /// Goes on where the same feed of an older configuration was.
    fn adopt(&self, old: &Feed) {
        let old_status = old.status.borrow();
        let mut status = self.status.borrow_mut();
        status.last_success = old_status.last_success;
        status.last_error.clone_from(&old_status.last_error);
        status.next_due = old_status.next_due;
        self.remembered.borrow_mut().checked_at = old.remembered.borrow().checked_at;
        self.no_nudge_before.set(old.no_nudge_before.get());
        self.failures.set(old.failures.get());
        self.is_stuck.set(old.is_stuck.get());
    }

    /// What it takes in memory; of how its server is asked, what has no bound of its own is in the
    /// configuration.
    fn weight_bytes(&self) -> usize {
        let status = self.status.borrow();
        let CalendarStatus { name, label, color, skipped_reasons, warnings, last_error, .. } =
            &*status;
        let remembered = self.remembered.borrow();
        let validators = [&remembered.etag, &remembered.last_modified];
        let texts = [name, label, color].into_iter().chain(skipped_reasons).chain(warnings);
        let texts = texts.chain(last_error).chain(validators.into_iter().flatten());
        size_of::<Self>() + self.name.capacity() + texts.map(String::capacity).sum::<usize>()
    }

    /// When a wish of `now` is served.
    fn nudge_due(&self, now: Moment) -> Moment {
        self.no_nudge_before.get().max(now)
    }

    /// Asks for a refresh as soon as its server may be asked; several wishes are one.
    pub fn nudge(&self) {
        self.is_wished.set(true);
        self.wake();
    }

    /// Has the feed's task look again at what it waits for.
    fn wake(&self) {
        // Full means that it is about to.
        let _ = self.wake.0.try_send(());
    }
}

/// Every configured feed, and what all answers depend on.
pub struct Feeds {
    list: RefCell<Rc<[Rc<Feed>]>>,
    zone: RefCell<TimeZone>,
    generation: Cell<u64>,
    settings_generation: Cell<u64>,
    /// Who wants to know of changes; whoever is full has not looked since the last one.
    watchers: RefCell<Vec<Sender<()>>>,
    has_data: Cell<bool>,
}

impl Feeds {
    /// The feeds of a configuration. `zone` is that of the display.
    pub fn new(list: Vec<Feed>, zone: TimeZone) -> Self {
        let feeds = Self {
            list: RefCell::new(Rc::new([])),
            zone: RefCell::new(TimeZone::UTC),
            generation: Cell::new(0),
            settings_generation: Cell::new(0),
            watchers: RefCell::default(),
            has_data: Cell::new(false),
        };
        feeds.replace(list, zone);
        feeds
    }

    /// Takes over another configuration.
    pub fn replace(&self, list: Vec<Feed>, zone: TimeZone) {
        for feed in &list {
            let same =
                |old: &&Rc<Feed>| (&old.name, old.source_hash) == (&feed.name, feed.source_hash);
            if let Some(old) = self.list.borrow().iter().find(same) {
                feed.adopt(old);
            }
        }
        self.has_data.set(list.iter().any(|feed| feed.status.borrow().last_success.is_some()));
        *self.list.borrow_mut() = list.into_iter().map(Rc::new).collect();
        *self.zone.borrow_mut() = zone;
        self.settings_changed();
        self.changed();
    }

    /// The feeds, in the order of the configuration.
    pub fn list(&self) -> Rc<[Rc<Feed>]> {
        Rc::clone(&self.list.borrow())
    }

    /// The zone of the display.
    pub fn zone(&self) -> TimeZone {
        self.zone.borrow().clone()
    }

    /// Rises whenever an answer that was right may no longer be.
    pub fn generation(&self) -> u64 {
        self.generation.get()
    }

    /// Rises whenever the configuration changes.
    pub fn settings_generation(&self) -> u64 {
        self.settings_generation.get()
    }

    /// Tells whenever the generation rises from now on; of several times only once.
    pub fn watch(&self) -> Receiver<()> {
        let (sender, changes) = async_channel::bounded(1);
        let mut watchers = self.watchers.borrow_mut();
        watchers.retain(|watcher| !watcher.is_closed());
        watchers.push(sender);
        changes
    }

    /// True once any feed's data is there to be shown.
    pub fn has_data(&self) -> bool {
        self.has_data.get()
    }

    /// Every answer given so far is of an older generation.
    pub fn changed(&self) {
        self.generation.set(self.generation.get() + 1);
        for watcher in &*self.watchers.borrow() {
            let _ = watcher.try_send(());
        }
    }

    /// A key may be normalised in another way from now on.
    pub fn settings_changed(&self) {
        self.settings_generation.set(self.settings_generation.get() + 1);
    }

    /// What they take in memory.
    pub fn weight_bytes(&self) -> usize {
        self.list().iter().map(|feed| feed.weight_bytes()).sum()
    }

    /// Asks for a refresh of every feed, each as soon as its server may be asked.
    pub fn nudge_all(&self) {
        self.list().iter().for_each(|feed| feed.nudge());
    }
}

//! The program as a whole: owns everything, starts it in order, stops it in order.
//!
//! ```text
//!   open: database ─> feeds registered ─> pipeline, api ─> socket bound
//!   run:  writer · pipeline · one task a feed · server, all on one executor
//!   stop: server drains ─> feeds dropped ─> ages written down ─> database closed
//! ```

use std::cell::RefCell;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::rc::Rc;
use std::sync::Arc;

use async_channel::{Receiver, Sender};
use futures_rustls::pki_types::CertificateDer;
use jiff::tz::TimeZone;
use smol::lock::Semaphore;
use smol::{LocalExecutor, Task, future};

use crate::api::Api;
use crate::budget::{FeedLimits, Limits, Plan};
use crate::calendar::CalendarStatus;
use crate::clock::Clock;
use crate::config::{Config, FeedConfig, Source};
use crate::connections::database::{Database, Opened};
use crate::connections::outbound::{Outbound, read_roots};
use crate::error::Result;
use crate::event_loop::EventLoop;
use crate::feed::refresh::Refresher;
use crate::feed::store;
use crate::feed::{Feed, Feeds, Origin};
use crate::hash::fnv1a;
use crate::http::hosts::Hosts;
use crate::http::listener::{Address, Listener};
use crate::http::peer::TrustedProxies;
use crate::http::rate::RateLimit;
use crate::http::server::Server;
use crate::http::service::{Edge, Service};
use crate::metrics::Metrics;
use crate::pipeline::{Pipeline, Sources};
use crate::tzdb::tzdb;

/// The name of the calendar that is shown while none is configured.
const DEMO_NAME: &str = "Demo";

/// What the program may be told while it runs.
pub enum Order {
    /// Take over another configuration, as far as that is possible without a restart.
    Reload(Box<Config>),
    /// Finish what is under way and end.
    Stop,
}

/// Why [`App::run`] ended.
#[derive(Debug, PartialEq)]
pub enum Ended {
    /// It was told to.
    Stopped,
    /// The database turned out to be damaged; opening the app again rebuilds it. With the
    /// configuration that was in force: it may have been reloaded since the start.
    Damaged(Box<Config>),
}

/// The program, ready to run.
pub struct App {
    config: Config,
    limits: Limits,
    feeds: Rc<Feeds>,
    database: Rc<Database>,
    pipeline: Rc<Pipeline>,
    refresher: Rc<Refresher>,
    metrics: Rc<Metrics>,
    addresses: Vec<Address>,
    server: Server,
}

/// What people are told of each configured feed before anything is known of it. Without a feed
/// there is the demo.
pub fn statuses(config: &Config) -> Vec<CalendarStatus> {
    let configured = |feed: &FeedConfig| CalendarStatus {
        name: feed.name.clone(),
        label: feed.source.label().to_owned(),
        color: feed.color.clone(),
        private: feed.private,
        filter: Arc::clone(&feed.filter),
        ..CalendarStatus::default()
    };
    if config.feeds.is_empty() {
        let (name, label) = (DEMO_NAME.to_owned(), "demo".to_owned());
        return vec![CalendarStatus { name, label, ..CalendarStatus::default() }];
    }
    config.feeds.iter().map(configured).collect()
}

/// The same for those who read what is stored: data of another source than the configured one is
/// private.
///
/// # Errors
/// When the database cannot be read.
pub fn stored_statuses(
    config: &Config,
    reader: &rusqlite::Connection,
) -> Result<Vec<CalendarStatus>> {
    let mut statuses = statuses(config);
    for (status, feed) in statuses.iter_mut().zip(&config.feeds) {
        let stored = store::read_feed(reader, &feed.name)?;
        status.private |= stored.is_some_and(|stored| stored.source != source_hash(&feed.source));
    }
    Ok(statuses)
}

/// The plan of a configuration: its budget, divided.
///
/// # Errors
/// When the budget cannot hold the configuration.
pub fn plan(config: &Config) -> Result<Plan> {
    let feeds = config.feeds.len().max(1);
    Plan::lowered(config.memory_budget, feeds, feed_limits(config), &config.ceilings).fitting()
}

/// What one feed may hold under this configuration.
fn feed_limits(config: &Config) -> FeedLimits {
    let (past_days, future_days) = (config.past_days, config.future_days);
    FeedLimits { past_days, future_days, ..FeedLimits::default() }
}

/// The certificate authorities that are trusted beside the public ones.
///
/// # Errors
/// When their file cannot be used.
pub fn roots(config: &Config) -> Result<Vec<CertificateDer<'static>>> {
    config.ca_file.as_deref().map_or(Ok(Vec::new()), read_roots)
}

/// The zone of the display: the configured one, else the system's.
pub fn display_zone(config: &Config) -> TimeZone {
    let configured = config.time_zone.as_ref().and_then(|name| tzdb().get(name));
    configured.unwrap_or_else(|| {
        let system = TimeZone::system();
        system.iana_name().and_then(|name| tzdb().get(name)).unwrap_or(system)
    })
}

impl App {
    /// Opens the data folder and binds the sockets, which `event_loop` will watch.
    ///
    /// # Errors
    /// When either is not possible, in words that say what to change.
    pub fn open(config: Config, clock: Clock, event_loop: Rc<EventLoop>) -> Result<Self> {
        let plan = plan(&config)?;
        let limits = plan.limits.clone();
        let metrics = Rc::new(Metrics::default());
        for term in &plan.terms {
            let is_known = metrics.memory.plan(term.name, term.bytes);
            debug_assert!(is_known, "the term `{}` is measured", term.name);
        }
        let (database, opened) =
            Database::open(&config.data_dir, &limits.database, clock.clone(), Rc::clone(&metrics))?;
        if let Opened::Rebuilt(aside) = opened {
            log::error!(
                "the database was damaged; it was kept as {} and all feeds are fetched anew",
                aside.display()
            );
        }
        let written = database.set_up(|connection| remember_feeds(connection, &config));
        let list = remembered_feeds(&database, &config, written)?;
        let feeds = Rc::new(Feeds::new(list, display_zone(&config)));
        let database = Rc::new(database);
        let sources = Sources {
            clock: clock.clone(),
            database: Rc::clone(&database),
            feeds: Rc::clone(&feeds),
            metrics: Rc::clone(&metrics),
            feed_limits: limits.feed.clone(),
        };
        let (pipeline, completions) = Pipeline::new(sources, &limits);
        let pipeline = Rc::new(pipeline);
        let roots = roots(&config)?;
        let outbound = Outbound::new(clock.clone(), &limits.refresh, Rc::clone(&metrics));
        let refresher = Refresher {
            clock: clock.clone(),
            limits: limits.clone(),
            metrics: Rc::clone(&metrics),
            database: Rc::clone(&database),
            outbound: outbound.with_roots(roots)?,
            feeds: Rc::clone(&feeds),
            permits: Semaphore::new(limits.refresh.at_once),
        };
        let address = SocketAddr::new(config.host, config.port);
        let listeners = Listener::open(address, config.unix_socket.as_deref(), &limits.http)?;
        let addresses = listeners.iter().map(|listener| listener.address().clone()).collect();
        let api = Api::new(clock.clone(), Rc::clone(&metrics), Rc::clone(&feeds), plan);
        let machine = rustix::system::uname();
        let machine = machine.nodename().to_string_lossy();
        let edge = Edge {
            hosts: Hosts::new(&machine, &config.server_names),
            base_path: config.base_path.clone(),
            proxies: TrustedProxies(config.trusted_proxies.clone()),
            rate: RefCell::new(RateLimit::new(config.rate_limit, &limits.http)),
            access_log: config.access_log,
        };
        let (http_limits, counters) = (limits.http.clone(), Rc::clone(&metrics));
        let answers = Rc::clone(&pipeline);
        let service = Service::new(clock, http_limits, edge, counters, answers, Rc::new(api));
        let server = Server::new(service, listeners, completions, event_loop)?;
        let refresher = Rc::new(refresher);
        apply(&config, &pipeline, &database, &refresher);
        Ok(Self {
            config,
            limits,
            feeds,
            database,
            pipeline,
            refresher,
            metrics,
            addresses,
            server,
        })
    }

    /// The same, looking up the hosts of feeds by `lookup` instead of the system's resolver.
    pub fn with_lookup(
        mut self,
        lookup: impl Fn(&str) -> io::Result<Vec<IpAddr>> + Send + Sync + 'static,
    ) -> Self {
        let refresher = Rc::get_mut(&mut self.refresher).expect("nobody refreshes before the run");
        refresher.outbound.set_lookup(lookup);
        self
    }

    /// Where it listens, the TCP port first.
    pub fn addresses(&self) -> &[Address] {
        &self.addresses
    }

    /// The feeds, for those who tell people about them.
    pub fn feeds(&self) -> Rc<Feeds> {
        Rc::clone(&self.feeds)
    }

    /// The request pipeline, for those who switch it while it runs.
    pub fn pipeline(&self) -> Rc<Pipeline> {
        Rc::clone(&self.pipeline)
    }

    /// Everything it counts.
    pub fn metrics(&self) -> Rc<Metrics> {
        Rc::clone(&self.metrics)
    }

    /// Runs until it is told to stop, or its orders' sender is gone.
    pub async fn run(self, executor: &LocalExecutor<'static>, orders: Receiver<Order>) -> Ended {
        let Self { mut config, feeds, database, pipeline, refresher, server, limits, .. } = self;
        let writer = executor.spawn({
            let database = Rc::clone(&database);
            async move { database.run_writer().await }
        });
        let answering = executor.spawn({
            let pipeline = Rc::clone(&pipeline);
            async move { pipeline.run().await }
        });
        let warming = executor.spawn({
            let pipeline = Rc::clone(&pipeline);
            async move { pipeline.keep_warm().await }
        });
        let tidying = executor.spawn({
            let database = Rc::clone(&database);
            async move { database.run_readers().await }
        });
        let closing = executor.spawn({
            let refresher = Rc::clone(&refresher);
            async move { refresher.outbound.run().await }
        });
        let watching = executor.spawn(watch_clock(refresher.clock.clone(), Rc::clone(&feeds)));
        let (stop, stopped): (Sender<()>, _) = async_channel::bounded(1);
        let server = executor.spawn(server.run(stopped));
        let mut refreshing = start_refreshing(executor, &refresher, &feeds);
        let ended = loop {
            let ordered = async { orders.recv().await.unwrap_or(Order::Stop) };
            let damaged = async {
                database.damaged().await;
                None
            };
            match future::or(async { Some(ordered.await) }, damaged).await {
                None => break Ended::Damaged(Box::new(config)),
                Some(Order::Stop) => break Ended::Stopped,
                Some(Order::Reload(new)) => {
                    cancel(refreshing).await;
                    match reload(&config, &new, &database, &feeds, &limits).await {
                        Ok(()) => {
                            apply(&new, &pipeline, &database, &refresher);
                            config = *new;
                            log::info!("the configuration was reloaded");
                        }
                        Err(error) => log::error!("reload: {error}; the old one stays"),
                    }
                    refreshing = start_refreshing(executor, &refresher, &feeds);
                }
            }
        };
        drop(stop);
        server.await;
        cancel(refreshing).await;
        if ended == Ended::Stopped
            && let Err(error) = write_ages(&database, &feeds).await
        {
            log::error!("cannot write down the feeds' ages: {error}");
        }
        cancel(vec![watching, closing, warming, answering, tidying]).await;
        database.close();
        writer.await;
        ended
    }
}

/// Ends tasks and waits until they have let go of what they held: the database must be closed
/// when the program is opened again.
async fn cancel(tasks: Vec<Task<()>>) {
    for task in tasks {
        task.cancel().await;
    }
}

/// When the clock jumps, every answer and every window may be wrong, and nobody knows how old
/// anything is.
async fn watch_clock(clock: Clock, feeds: Rc<Feeds>) {
    let mut jumps = clock.jumps();
    loop {
        let jump = jumps.next().await;
        log::warn!("the clock was set by {} s", jump.as_secs());
        feeds.changed();
        feeds.nudge_all();
    }
}

fn start_refreshing(
    executor: &LocalExecutor<'static>,
    refresher: &Rc<Refresher>,
    feeds: &Feeds,
) -> Vec<Task<()>> {
    let start = |feed: &Rc<Feed>| {
        let (refresher, feed) = (Rc::clone(refresher), Rc::clone(feed));
        executor.spawn(async move { refresher.run(feed).await })
    };
    feeds.list().iter().map(start).collect()
}

/// Hands down what is switched and tuned; it takes effect with the next request and the next
/// refresh.
fn apply(config: &Config, pipeline: &Pipeline, database: &Database, refresher: &Refresher) {
    let flags = config.flags;
    pipeline.tune(config.tuning);
    pipeline.set_flags(flags);
    database.keep_connections(flags.connection_pooling);
    refresher.outbound.keep_connections(flags.connection_pooling);
}

/// Takes over what can change while the program runs: feeds, zone, log level.
async fn reload(
    old: &Config,
    new: &Config,
    database: &Database,
    feeds: &Feeds,
    limits: &Limits,
) -> Result<()> {
    let fixed = [
        ("host", old.host == new.host),
        ("port", old.port == new.port),
        ("unix_socket", old.unix_socket == new.unix_socket),
        ("server_names", old.server_names == new.server_names),
        ("base_path", old.base_path == new.base_path),
        ("trusted_proxies", old.trusted_proxies == new.trusted_proxies),
        ("rate_limit", old.rate_limit == new.rate_limit),
        ("access_log", old.access_log == new.access_log),
        ("data_dir", old.data_dir == new.data_dir),
        ("ca_file", old.ca_file == new.ca_file),
        ("memory_budget", old.memory_budget == new.memory_budget),
        ("the size of a pool or of the cache", old.ceilings == new.ceilings),
        ("past_days", limits.feed.past_days == new.past_days),
        ("future_days", limits.feed.future_days == new.future_days),
    ];
    for (name, _) in fixed.iter().filter(|(_, same)| !same) {
        log::warn!("`{name}` takes effect at the next start");
    }
    // The budget that counts is the one that everything was sized by.
    Plan::new(limits.budget_bytes, new.feeds.len().max(1), limits.feed.clone())?;
    let written = {
        let new = new.clone();
        database.write(move |connection| remember_feeds(connection, &new)).await
    };
    let list = remembered_feeds(database, new, written)?;
    log::set_max_level(new.log_level);
    feeds.replace(list, display_zone(new));
    Ok(())
}

async fn write_ages(database: &Database, feeds: &Feeds) -> Result<()> {
    let ages: Vec<_> = feeds.list().iter().filter_map(|feed| feed.age_to_write()).collect();
    database
        .write(move |connection| {
            ages.iter().try_for_each(|(feed, at)| store::remember_check(connection, *feed, *at))
        })
        .await
}

/// A feed with what the database remembers of it; unlike a [`Feed`] it may cross threads.
struct Described {
    status: CalendarStatus,
    origin: Origin,
    source_hash: i64,
    interval: std::time::Duration,
    remembered: store::Remembered,
}

impl Described {
    fn into_feed(self) -> Feed {
        Feed::new(self.status, self.origin, self.source_hash, self.interval, self.remembered)
    }
}

/// The feeds with what came of writing their rows. When nothing can be written they are as they
/// were stored, and those that were not get their row with their first refresh.
fn remembered_feeds(
    database: &Database,
    config: &Config,
    written: Result<Vec<Described>>,
) -> Result<Vec<Feed>> {
    let described = match written {
        Err(error) if error.is_store() => {
            let recall = |name: &str, source| {
                let stored = |reader: &_| store::recall(reader, name, source);
                Ok(database.lease().read(stored).unwrap_or_default())
            };
            describe_feeds(config, recall)?
        }
        written => written?,
    };
    Ok(described.into_iter().map(Described::into_feed).collect())
}

/// To notice that a feed comes from elsewhere.
fn source_hash(source: &Source) -> i64 {
    (match source {
        Source::Url(url) => fnv1a(url.expose().as_str().as_bytes()),
        Source::File(path) => fnv1a(path.as_os_str().as_encoded_bytes()),
    }) as i64
}

/// Finds or makes the row of every configured feed and removes those of all others. Without a
/// feed in the configuration there is the demo, and all others stay: a file that has got lost
/// may come back, and what the feeds last said is not to be had again.
fn remember_feeds(connection: &rusqlite::Connection, config: &Config) -> Result<Vec<Described>> {
    let register = |name: &str, source| store::register(connection, name, source);
    let described = describe_feeds(config, register)?;
    if config.feeds.is_empty() {
        return Ok(described);
    }
    let names: Vec<String> = described.iter().map(|feed| feed.status.name.clone()).collect();
    store::retire(connection, &names)?;
    Ok(described)
}

/// Every configured feed with what `remember` knows of its name and of where it comes from.
fn describe_feeds(
    config: &Config,
    remember: impl Fn(&str, i64) -> Result<store::Remembered>,
) -> Result<Vec<Described>> {
    let describe = |(index, status): (usize, CalendarStatus)| {
        let (origin, source_hash, interval) = match config.feeds.get(index) {
            Some(feed) => (Origin::of(feed), source_hash(&feed.source), feed.interval),
            None => (Origin::Demo, 0, config.refresh_interval),
        };
        let remembered = remember(&status.name, source_hash)?;
        Ok(Described { status, origin, source_hash, interval, remembered })
    };
    statuses(config).into_iter().enumerate().map(describe).collect()
}

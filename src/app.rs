//! The program as a whole: owns everything, starts it in order, stops it in order.
//!
//! ```text
//!   open: database ─> feeds registered ─> pipeline, api ─> socket bound
//!   run:  writer · pipeline · one task a feed · server, all on one executor
//!   stop: server drains ─> feeds dropped ─> ages written down ─> database closed
//! ```

mod configuration;
mod feeds;
mod health;
mod herald;
mod people;
mod setup;
mod tasks;

use std::cell::{Cell, RefCell};
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::rc::Rc;

use async_channel::{Receiver, Sender};
use futures_rustls::pki_types::CertificateDer;
use jiff::tz::TimeZone;
use smol::lock::Semaphore;
use smol::{LocalExecutor, future};

use crate::api::admin::{Current, Wish};
use crate::api::full::wall::Wall;
use crate::api::people::Book;
use crate::api::setup::{Desk, Trial};
use crate::api::{Api, Known};
use crate::budget::{FeedLimits, Plan};
use crate::clock::Clock;
use crate::config::Config;
use crate::connections::database::{Database, Opened};
use crate::connections::outbound::{Outbound, read_roots};
use crate::daemon::Supervisor;
use crate::error::Result;
use crate::event_loop::EventLoop;
use crate::feed::Feeds;
use crate::feed::refresh::{Pace, Refresher};
use crate::flags::rollout::{Part, Rollout};
use crate::flags::switches::{By, Switchboard, Switches};
use crate::health::history::History;
use crate::health::sample::{self, Machine};
use crate::http::hosts::Hosts;
use crate::http::listener::{Address, Listener};
use crate::http::peer::TrustedProxies;
use crate::http::rate::RateLimit;
use crate::http::server::Server;
use crate::http::service::{Edge, Service};
use crate::http::token::Gates;
use crate::metrics::Metrics;
use crate::pipeline::{Pipeline, Sources};
use crate::tzdb::tzdb;

use self::configuration::{Followers, Force};
use self::feeds::{remember_feeds, remembered_feeds};
pub use self::feeds::{statuses, stored_statuses};
use self::health::{Governed, Governor, recall_health};
use self::herald::{EDGES_MAX, Herald};
pub use self::people::stored_people;
use self::people::{PeopleWriter, recall_people};
use self::setup::Trier;
use self::tasks::{cancel, carry_out, start_refreshing, watch_clock, write_ages};

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
    Damaged(Box<Config>, Box<Turned>),
}

/// What was turned while the program ran, which lasts until it ends.
#[derive(Debug, PartialEq)]
pub struct Turned {
    switches: Switches,
    rollout: Part,
}

/// What the program waits for.
enum Event {
    Ordered(Order),
    Wished(Wish),
    Damaged,
}

/// Wishes that wait until the one before is fulfilled. Each may hold a configuration.
const WISHES_MAX: usize = 2;

/// The program, ready to run.
pub struct App {
    current: Rc<Current>,
    wishes: Receiver<Wish>,
    desk: Rc<Desk>,
    trials: Receiver<Trial>,
    feeds: Rc<Feeds>,
    database: Rc<Database>,
    pipeline: Rc<Pipeline>,
    refresher: Rc<Refresher>,
    metrics: Rc<Metrics>,
    switches: Rc<Switchboard>,
    rollout: Rc<Rollout>,
    gates: Rc<Gates>,
    people_writer: PeopleWriter,
    governor: Governor,
    addresses: Vec<Address>,
    server: Server,
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

/// What must hold before a configuration can be taken over, beyond what its own keys say.
fn judge(config: &Config) -> Result<()> {
    plan(config)?;
    roots(config).map(drop)
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
        let mut reader = database.lease();
        let (health, written_at) = recall_health(&config, &mut reader);
        let (book, wishes) = Book::new(recall_people(&mut reader, &limits.people), &limits.people);
        drop(reader);
        let (book, wall) = (Rc::new(book), Rc::new(Wall::default()));
        wall.set_home(config.layout);
        let sources = Sources {
            clock: clock.clone(),
            database: Rc::clone(&database),
            feeds: Rc::clone(&feeds),
            book: Rc::clone(&book),
            wall: Rc::clone(&wall),
            screen: Cell::new(config.screen),
            frame_ancestors: config.frame_ancestors.clone(),
            metrics: Rc::clone(&metrics),
            feed_limits: limits.feed.clone(),
            takes_debug_time: config.test_time.is_some()
                || config.log_level >= log::LevelFilter::Debug,
        };
        let (pipeline, completions) = Pipeline::new(sources, &limits);
        let pipeline = Rc::new(pipeline);
        let people_writer = PeopleWriter {
            clock: clock.clone(),
            database: Rc::clone(&database),
            feeds: Rc::clone(&feeds),
            pipeline: Rc::clone(&pipeline),
            metrics: Rc::clone(&metrics),
            book: Rc::clone(&book),
            wishes,
        };
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
            pace: Cell::new(Pace::Percent(100)),
        };
        let address = SocketAddr::new(config.host, config.port);
        let listeners = Listener::open(address, config.unix_socket.as_deref(), &limits.http)?;
        let addresses = listeners.iter().map(|listener| listener.address().clone()).collect();
        let health = Rc::new(RefCell::new(health));
        let machine = sample::machine(&config.data_dir, &metrics);
        let history = History::new(&metrics, &machine, clock.now(), clock.http_date());
        let history = Rc::new(RefCell::new(history));
        let switches = Switches::new(config.flags, config.flags_by, clock.wall());
        let switches = Rc::new(Switchboard::new(switches));
        let (percent, by) = config.rollout;
        let rollout = Rc::new(Rollout::new(percent, by, clock.wall()));
        let gates = Rc::new(Gates::default());
        configuration::set_tokens(&gates, &config);
        let (wish, wishes) = async_channel::bounded(WISHES_MAX);
        let config = Rc::new(config);
        let start = Rc::clone(&config);
        let current = Current { start, config: RefCell::new(Rc::clone(&config)), wishes: wish };
        let current = Rc::new(current);
        let (desk, trials) = Desk::new();
        let desk = Rc::new(desk);
        let known = Known {
            clock: clock.clone(),
            metrics: Rc::clone(&metrics),
            feeds: Rc::clone(&feeds),
            book,
            wall,
            switches: Rc::clone(&switches),
            health: Rc::clone(&health),
            history: Rc::clone(&history),
            rollout: Rc::clone(&rollout),
            current: Rc::clone(&current),
            desk: Rc::clone(&desk),
        };
        let api = Api::new(known, plan);
        let machine = rustix::system::uname();
        let machine = machine.nodename().to_string_lossy();
        let rate = Rc::new(RefCell::new(RateLimit::new(config.rate_limit, &limits.http)));
        let edge = Edge {
            hosts: Hosts::new(&machine, &config.server_names),
            base_path: config.base_path.clone(),
            proxies: TrustedProxies(config.trusted_proxies.clone()),
            rate: Rc::clone(&rate),
            access_log: config.access_log,
            gates: Rc::clone(&gates),
            rollout: Rc::clone(&rollout),
        };
        let (http_limits, counters) = (limits.http.clone(), Rc::clone(&metrics));
        let answers = Rc::clone(&pipeline);
        let service = Service::new(clock, http_limits, edge, counters, answers, Rc::new(api));
        let server = Server::new(service, listeners, completions, event_loop)?;
        let refresher = Rc::new(refresher);
        let governor =
            Governor::new((health, written_at), history, rate, Rc::clone(&metrics), &config);
        Ok(Self {
            current,
            wishes,
            desk,
            trials,
            feeds,
            database,
            pipeline,
            refresher,
            metrics,
            switches,
            rollout,
            gates,
            people_writer,
            governor,
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

    /// The same with what was turned before it was opened again.
    pub fn with_turned(self, turned: Turned) -> Self {
        let Turned { switches: mut old, rollout } = turned;
        let (config, now) = (self.current.config(), self.refresher.clock.wall());
        old.configure(config.flags, config.flags_by, now);
        self.switches.change(|switches| *switches = old);
        if rollout.by == By::Api {
            self.rollout.turn(rollout.percent, &rollout.why, rollout.since);
        }
        self
    }

    /// The same, asking `machine` instead of the machine.
    pub fn with_machine(mut self, machine: impl Fn() -> Machine + 'static) -> Self {
        self.governor.machine = Box::new(machine);
        self
    }

    /// The same, telling `supervisor` how it fares.
    pub fn with_supervisor(mut self, supervisor: Rc<Supervisor>) -> Self {
        self.governor.supervisor = supervisor;
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

    /// Its switches, for those who turn them while it runs.
    pub fn switches(&self) -> Rc<Switchboard> {
        Rc::clone(&self.switches)
    }

    /// Everything it counts.
    pub fn metrics(&self) -> Rc<Metrics> {
        Rc::clone(&self.metrics)
    }

    /// Runs until it is told to stop, or its orders' sender is gone.
    pub async fn run(self, executor: &LocalExecutor<'static>, orders: Receiver<Order>) -> Ended {
        let Self { current, wishes, feeds, database, pipeline, refresher, server, .. } = self;
        let Self {
            switches, rollout, gates, people_writer, governor, metrics, desk, trials, ..
        } = self;
        switches.connect({
            let (pipeline, database) = (Rc::clone(&pipeline), Rc::clone(&database));
            let refresher = Rc::clone(&refresher);
            move |flags| carry_out(flags, &pipeline, &database, &refresher)
        });
        let writer = executor.spawn({
            let database = Rc::clone(&database);
            async move { database.run_writer().await }
        });
        let answering = executor.spawn({
            let pipeline = Rc::clone(&pipeline);
            async move { future::zip(pipeline.run(), pipeline.keep_explaining()).await.0 }
        });
        let warming = executor.spawn({
            let pipeline = Rc::clone(&pipeline);
            async move { pipeline.keep_warm().await }
        });
        let keeping = executor.spawn(people_writer.run());
        let trier = Trier {
            current: Rc::clone(&current),
            desk,
            trials,
            refresher: Rc::clone(&refresher),
            pipeline: Rc::clone(&pipeline),
        };
        let trying = executor.spawn(trier.run());
        let tidying = executor.spawn({
            let database = Rc::clone(&database);
            async move { database.run_readers().await }
        });
        let closing = executor.spawn({
            let refresher = Rc::clone(&refresher);
            async move { refresher.outbound.run().await }
        });
        let watching = executor.spawn(watch_clock(refresher.clock.clone(), Rc::clone(&feeds)));
        let supervisor = Rc::clone(&governor.supervisor);
        let (edges, told) = async_channel::bounded(EDGES_MAX);
        let governor = Rc::new(governor.over(Governed {
            clock: refresher.clock.clone(),
            metrics: Rc::clone(&metrics),
            feeds: Rc::clone(&feeds),
            database: Rc::clone(&database),
            wishes: current.wishes.clone(),
            edges,
            pipeline: Rc::clone(&pipeline),
            refresher: Rc::clone(&refresher),
            switches: Rc::clone(&switches),
        }));
        let current_one = Rc::clone(&current);
        let herald = Herald { refresher: Rc::clone(&refresher), current: current_one, edges: told };
        let telling = executor.spawn(herald.run());
        let governing = executor.spawn({
            let governor = Rc::clone(&governor);
            async move { governor.run().await }
        });
        let (stop, stopped): (Sender<()>, _) = async_channel::bounded(1);
        let server = executor.spawn(server.run(stopped));
        let followers = Followers {
            database: Rc::clone(&database),
            feeds: Rc::clone(&feeds),
            pipeline: Rc::clone(&pipeline),
            refresher,
            governor,
            switches: Rc::clone(&switches),
            rollout: Rc::clone(&rollout),
            gates,
            current: Rc::clone(&current),
        };
        let mut force = Force::new(executor, followers, metrics);
        let ended = loop {
            let ordered = async { Event::Ordered(orders.recv().await.unwrap_or(Order::Stop)) };
            let wished = async {
                let wish = wishes.recv().await;
                wish.map_or(Event::Ordered(Order::Stop), Event::Wished)
            };
            let damaged = async {
                database.damaged().await;
                Event::Damaged
            };
            match future::or(ordered, future::or(wished, damaged)).await {
                Event::Damaged => {
                    let config = Config::clone(&current.config());
                    let switches = switches.read().clone();
                    let turned = Turned { switches, rollout: rollout.part() };
                    break Ended::Damaged(Box::new(config), Box::new(turned));
                }
                Event::Ordered(Order::Stop) => break Ended::Stopped,
                Event::Ordered(Order::Reload(new)) => {
                    force.reload(*new).await;
                    supervisor.reloaded();
                }
                Event::Wished(wish) => {
                    if let Some((asker, answer)) = force.fulfil(wish).await {
                        pipeline.complete(asker, answer);
                    }
                }
            }
        };
        drop(stop);
        server.await;
        force.end().await;
        if ended == Ended::Stopped
            && let Err(error) = write_ages(&database, &feeds).await
        {
            log::error!("cannot write down the feeds' ages: {error}");
        }
        cancel(vec![
            telling, governing, watching, closing, trying, keeping, warming, answering, tidying,
        ])
        .await;
        database.close();
        writer.await;
        ended
    }
}

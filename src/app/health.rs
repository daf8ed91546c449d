//! The governor: looks how the program fares, and carries out what health has decided.
//!
//! Once a second while somebody asks, and every ten seconds otherwise. What is decided is carried
//! out as a whole, from how things stand: tuning, rate, pools and pace follow from the actions
//! that are under way, and the switches from what is off. Only releasing memory is done by itself.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;

use async_channel::Sender;
use jiff::Timestamp;

use crate::alloc;
use crate::api::admin::Wish;
use crate::budget::TLS_BYTES;
use crate::calendar::text::span;
use crate::clock::{Clock, Moment};
use crate::config::Config;
use crate::connections::database::baseline::{self, Recorded};
use crate::connections::database::{Database, Lease};
use crate::daemon::Supervisor;
use crate::feed::refresh::{Pace, Refresher};
use crate::feed::{Feed, Feeds};
use crate::flags::switches::{By, Switchboard, Switches};
use crate::flags::{Flag, Flags, Tuning};
use crate::health::alert::{Edge, Level};
use crate::health::baseline::Baseline;
use crate::health::history::History;
use crate::health::respond::{Action, Change, Posture};
use crate::health::rollback::Verdict;
use crate::health::sample::{self, Machine};
use crate::health::window::Counters;
use crate::health::{Health, Reading, Step};
use crate::http::rate::RateLimit;
use crate::metrics::Metrics;
use crate::metrics::memory::Usage;
use crate::pipeline::Pipeline;

/// From one look to the next while somebody asks.
const ACTIVE_INTERVAL: Duration = Duration::from_secs(1);
/// The same while nobody does.
const IDLE_INTERVAL: Duration = Duration::from_secs(10);

/// What is usual is written down once in this time, in seconds, and first after so many minutes
/// of it: a card wears out, and an average of a day is as good as one of an hour.
const WRITE_SECONDS: i64 = 24 * 3600;
const WRITE_MINUTES_MIN: u32 = 60;
const VERSION: &str = env!("CARGO_PKG_VERSION");

/// What is governed.
pub(super) struct Governed {
    pub(super) clock: Clock,
    pub(super) metrics: Rc<Metrics>,
    pub(super) feeds: Rc<Feeds>,
    pub(super) database: Rc<Database>,
    pub(super) pipeline: Rc<Pipeline>,
    pub(super) refresher: Rc<Refresher>,
    pub(super) switches: Rc<Switchboard>,
    pub(super) wishes: Sender<Wish>,
    pub(super) edges: Sender<(Edge, Timestamp)>,
}

/// The governor. Without a government it only holds what belongs to it.
pub(super) struct Governor<G = ()> {
    pub(super) machine: Box<dyn Fn() -> Machine>,
    pub(super) supervisor: Rc<Supervisor>,
    health: Rc<RefCell<Health>>,
    history: Rc<RefCell<History>>,
    rate: Rc<RefCell<RateLimit>>,
    configured: Cell<(Tuning, u32)>,
    /// When what is usual was written down, in seconds since 1970.
    written_at: Cell<i64>,
    /// The last good configuration is wanted back, and nobody has been asked for it yet.
    is_revert_due: Cell<bool>,
    governed: G,
}

/// Health as it is at the start, with what was usual before, and when that was written down.
/// Without it, it is learned anew.
pub(super) fn recall_health(config: &Config, reader: &mut Lease<'_>) -> (Health, i64) {
    let recorded = reader.read(|reader| baseline::read(reader, VERSION));
    let recorded = recorded.inspect_err(|error| log::debug!("what was usual: {error}"));
    let (own, last) = recorded.unwrap_or_default();
    let written_at = own.as_ref().map_or(i64::MIN, |own| own.written_at);
    let usual = |recorded: Recorded| Baseline {
        p95_ms: recorded.p95_us as f32 / 1000.0,
        mean_ms: recorded.mean_us as f32 / 1000.0,
        minutes: recorded.minutes,
    };
    let (own, last) = (own.map(usual), last.map(usual));
    (Health::new(config.health.clone(), config.memory_budget, own, last), written_at)
}

impl Governor {
    pub(super) fn new(
        (health, written_at): (Rc<RefCell<Health>>, i64),
        history: Rc<RefCell<History>>,
        rate: Rc<RefCell<RateLimit>>,
        metrics: Rc<Metrics>,
        config: &Config,
    ) -> Self {
        let folder = config.data_dir.clone();
        metrics.memory.health.set(size_of::<Health>());
        Self {
            machine: Box::new(move || sample::machine(&folder, &metrics)),
            supervisor: Rc::default(),
            health,
            history,
            rate,
            configured: Cell::new((config.tuning, config.rate_limit)),
            written_at: Cell::new(written_at),
            is_revert_due: Cell::new(false),
            governed: (),
        }
    }

    /// The same with something to govern.
    pub(super) fn over(self, governed: Governed) -> Governor<Governed> {
        let Self { machine, supervisor, health, history, rate, configured, written_at, .. } = self;
        let Self { is_revert_due, .. } = self;
        let governor = Governor {
            machine,
            supervisor,
            health,
            history,
            rate,
            configured,
            written_at,
            is_revert_due,
            governed,
        };
        governor.carry_out();
        governor
    }
}

/// How the program fares, in a line for people.
fn status(feeds: &[Rc<Feed>], now: Option<Timestamp>, posture: Posture) -> String {
    let events: u64 = feeds.iter().map(|feed| feed.events()).sum();
    let newest = feeds.iter().filter_map(|feed| feed.last_success()).max();
    let age = match (newest, now) {
        (None, _) => "no data yet".to_owned(),
        (_, None) => "the clock is not set".to_owned(),
        (Some(at), Some(now)) => {
            format!("newest data {} old", span(now.duration_since(at).as_secs()))
        }
    };
    format!("{events} events, {age}, posture {}", posture.name())
}

/// What an operator has turned on: the program cannot switch it off.
fn held(switches: &Switches) -> Flags {
    let mut held = Flags::OFF;
    for flag in Flag::ALL {
        let switch = switches.switch(flag);
        held.set(flag, switch.on && switch.by == By::Api);
    }
    held
}

impl Governor<Governed> {
    /// Looks again and again. Run it as a task, once.
    pub(super) async fn run(&self) {
        let Governed { clock, metrics, .. } = &self.governed;
        let started = clock.now();
        let mut answered = metrics.http_requests.get();
        loop {
            self.look(started);
            self.write_usual().await;
            let before = std::mem::replace(&mut answered, metrics.http_requests.get());
            let is_active = answered != before;
            let due = clock.now() + if is_active { ACTIVE_INTERVAL } else { IDLE_INTERVAL };
            clock.sleep_until(due).await;
            let late = clock.now().since(due).as_millis();
            metrics.loop_late_ms.set(u64::try_from(late).unwrap_or(u64::MAX));
        }
    }

    /// Takes over what a reload has changed. The rate is that of the start.
    pub(super) fn configure(&self, config: &Config) {
        self.health.borrow_mut().configure(config.health.clone());
        self.configured.set((config.tuning, self.configured.get().1));
        self.carry_out();
    }

    fn look(&self, started: Moment) {
        let Governed { clock, metrics, feeds, .. } = &self.governed;
        let machine = (self.machine)();
        let mut history = self.history.borrow_mut();
        if history.is_due(clock.http_date()) {
            sample::process(metrics, clock.now().since(started).as_secs());
            history.tick(metrics, &machine, clock.now(), clock.http_date());
        }
        drop(history);
        let reading = self.reading(started, &machine);
        let steps = self.health.borrow_mut().step(&reading, clock.now(), clock.wall());
        if !steps.is_empty() {
            steps.iter().for_each(|step| self.tell(step));
            self.carry_out();
        }
        self.supervisor.status(clock.now(), || {
            let now = clock.is_set().then(|| clock.wall());
            status(&feeds.list(), now, self.health.borrow().posture())
        });
        // It waits for room among what operators wish.
        if self.is_revert_due.get() && self.governed.wishes.try_send(Wish::Revert).is_ok() {
            self.is_revert_due.set(false);
        }
    }

    /// Writes down what is usual, if that is due.
    async fn write_usual(&self) {
        let Governed { clock, database, .. } = &self.governed;
        let usual = *self.health.borrow().usual();
        let now = clock.wall().as_second();
        // What was written tomorrow, by a clock that was wrong, is not waited for.
        let written_at = self.written_at.get();
        let is_old = now < written_at || now >= written_at.saturating_add(WRITE_SECONDS);
        if usual.minutes < WRITE_MINUTES_MIN || !clock.is_set() || !is_old {
            return;
        }
        self.written_at.set(now);
        let in_us = |ms: f32| (ms * 1000.0) as u32;
        let recorded = Recorded {
            p95_us: in_us(usual.p95_ms),
            mean_us: in_us(usual.mean_ms),
            minutes: usual.minutes,
            written_at: now,
        };
        let write = move |connection: &_| baseline::write(connection, VERSION, &recorded);
        if let Err(error) = database.write(write).await {
            log::debug!("what is usual is not written down: {error}");
        }
    }

    fn reading(&self, started: Moment, machine: &Machine) -> Reading {
        let Governed { clock, metrics, feeds, refresher, switches, .. } = &self.governed;
        let Machine { memory_bytes, cpu_time, celsius, disk_free_bytes } = *machine;
        let cache = &metrics.memory.cache;
        let clock_is_set = clock.is_set();
        let age = || self.feed_age(started, feeds);
        Reading {
            counters: Counters {
                requests: metrics.http_requests.get(),
                failed: metrics.http_failed.get(),
                cpu_us: u64::try_from(cpu_time.as_micros()).unwrap_or(u64::MAX),
                latency_us: metrics.request_seconds.sum_us(),
                cache_hits: metrics.cache_hits.get(),
                cache_misses: metrics.cache_misses.get(),
                cache_expired: metrics.cache_expired.get(),
                ranges_evicted: metrics.ranges_evicted.get(),
                others_evicted: metrics.cache_evicted.get() - metrics.ranges_evicted.get(),
                store_failures: metrics.database_failed.get() + metrics.readers_failed.get(),
                pool_refused: metrics.outbound_refused.get(),
            },
            latencies: metrics.request_seconds.counts(),
            latencies_with: metrics.seconds_with_pipeline.counts(),
            latencies_without: metrics.seconds_without_pipeline.counts(),
            late_ms: metrics.loop_late_ms.get(),
            memory_bytes,
            celsius,
            pool_percent: refresher.outbound.used_percent(),
            cache_percent: 100.0 * cache.used() as f32 / cache.share().max(1) as f32,
            feed_age: clock_is_set.then(age).flatten(),
            clock_is_set,
            is_writable: metrics.database_writable.get() == 1,
            disk_free_bytes,
            terms_over: metrics.memory.over().count(),
            times_over: metrics.memory.times_over(),
            flags: (switches.read().flags(), held(&switches.read())),
        }
    }

    /// Of the feed that is oldest by its interval; one that has never been read is as old as the
    /// run.
    fn feed_age(&self, started: Moment, feeds: &Feeds) -> Option<(f32, f32)> {
        let clock = &self.governed.clock;
        let (now, run) = (clock.wall(), clock.now().since(started).as_secs_f32());
        let list = feeds.list();
        let ages = list.iter().map(|feed| {
            let age = feed.last_success().map(|at| now.duration_since(at).as_secs_f32());
            (age.unwrap_or(run), feed.interval.as_secs_f32())
        });
        ages.max_by(|(a, every), (b, other)| (a / every).total_cmp(&(b / other)))
    }

    /// Each edge is a line in the log, and counted.
    fn tell(&self, step: &Step) {
        let metrics = &self.governed.metrics;
        match step {
            Step::Alert(edge) => self.tell_alert(edge),
            Step::Posture(posture) => {
                metrics.posture.set(*posture as u64);
                log::log!(
                    if *posture == Posture::Normal { log::Level::Info } else { log::Level::Warn },
                    "the program is {} now",
                    posture.name()
                );
            }
            Step::Response(Change::Start(action)) => {
                action.metric(metrics).count();
                log::info!("response {}: begun", action.name());
                self.act(*action);
            }
            Step::Response(Change::Again(action)) => {
                action.metric(metrics).count();
                self.act(*action);
            }
            Step::Response(Change::Undo(action)) => {
                metrics.responses_undone.count();
                log::info!("response {}: taken back", action.name());
            }
            Step::Rollback(Verdict::Off(flag, cause)) => {
                metrics.rollback_switched_off.count();
                log::error!("{} is switched off: {}", flag.name(), cause.why());
            }
            Step::Rollback(Verdict::Back(flag)) => {
                metrics.rollback_brought_back.count();
                log::warn!("{} is switched on again", flag.name());
            }
            Step::Rollback(Verdict::Slower(is_slower)) => {
                metrics.rollback_slower.set(u64::from(*is_slower));
                let percent = self.health.borrow().slower_percent().unwrap_or(0.0);
                let level = if *is_slower { log::Level::Warn } else { log::Level::Info };
                log::log!(level, "answers take {percent:.0} % longer than with the last version");
            }
            Step::Rollback(Verdict::Revert) => {
                log::error!("too many requests fail");
                self.is_revert_due.set(true);
            }
        }
    }

    fn tell_alert(&self, edge: &Edge) {
        let metrics = &self.governed.metrics;
        edge.alert.metric(metrics).set(edge.to as u64);
        let (name, unit) = edge.alert.name_and_unit();
        let value = edge.value.map_or("not known".into(), |value| format!("{value:.1}"));
        let threshold = edge.threshold;
        let (level, is_worse) = (edge.to.name(), edge.to > edge.from);
        if is_worse {
            metrics.alerts_entered.count();
        }
        let severity = match edge.to {
            Level::Critical => log::Level::Error,
            Level::Warning if is_worse => log::Level::Warn,
            _ => log::Level::Info,
        };
        log::log!(severity, "alert {name}: {level} at {value} (bound {threshold:.1}; {unit})");
        if self.health.borrow().has_webhook()
            && self.governed.edges.try_send((*edge, self.governed.clock.wall())).is_err()
        {
            metrics.alerts_not_posted.count();
        }
    }

    /// What is done once, and not for as long as an action is under way.
    fn act(&self, action: Action) {
        if action == Action::ReleaseMemory {
            self.governed.refresher.outbound.close_idle();
            self.governed.database.release_memory();
            alloc::give_back();
        }
    }

    /// How many connections more than planned there may be, out of what the plan has to spare. They
    /// may outlast the need for them, so their share is not taken back.
    fn room_for_connections(&self) -> usize {
        let Governed { metrics, refresher, .. } = &self.governed;
        let (limits, memory) = (&refresher.limits, &metrics.memory);
        let planned = limits.refresh.outbound_total * TLS_BYTES;
        let others = memory.terms().map(Usage::share).sum::<u64>() - memory.outbound.share();
        let spare = limits.budget_bytes.saturating_sub(others as usize + planned);
        let free = limits.heap_bytes_max.saturating_sub(alloc::used_bytes());
        let beyond = limits.refresh.at_once.min(spare.min(free) / TLS_BYTES);
        let share = (planned + beyond * TLS_BYTES).max(memory.outbound.share() as usize);
        memory.plan(memory.outbound.name(), share);
        beyond
    }

    /// Makes everything as health has it now.
    fn carry_out(&self) {
        let Governed { metrics, database, pipeline, refresher, switches, .. } = &self.governed;
        let (tuning, rate) = self.configured.get();
        let health = self.health.borrow();
        let is_active = |action| health.is_active(action);
        pipeline.tune(health.tuned(tuning));
        self.rate.borrow_mut().set_rate(if is_active(Action::HalveRate) {
            rate.div_ceil(2)
        } else {
            rate
        });
        database.keep_readers(is_active(Action::ShrinkReaders).then_some(1));
        refresher.set_pace(health.refresh_percent().map_or(Pace::Halted, Pace::Percent));
        let beyond = if is_active(Action::GrowPool) { self.room_for_connections() } else { 0 };
        refresher.outbound.allow_beyond(beyond);
        let active = Action::ALL.into_iter().filter(|action| is_active(*action));
        metrics.responses_active.set(active.count() as u64);
        let off = Flag::ALL.into_iter().filter(|flag| health.rollback().cause(*flag).is_some());
        metrics.rollback_parts_off.set(off.count() as u64);
        let wall = self.governed.clock.wall();
        switches.change(|switches| {
            for flag in Flag::ALL {
                match health.off(flag) {
                    why if why == switches.automatic(flag) => {}
                    Some(why) => switches.switch_off(flag, why, wall),
                    None => switches.let_go(flag),
                }
            }
        });
    }
}

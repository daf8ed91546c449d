//! Health: what is measured, what it means, and what is to be done about it.
//!
//! ```text
//!   sample ──Reading──> Health::step ──> alerts ──> posture, actions ──> rollback
//!                            │                                             │
//!                            └────────────── Steps, for the app ───────────┘
//! ```
//!
//! [`sample`] reads the machine; everything else is pure, and decides from one [`Reading`] after
//! the other. What is decided is carried out by `app`.

pub mod alert;
pub mod baseline;
pub mod history;
pub mod latch;
pub mod respond;
pub mod rollback;
pub mod sample;
pub mod settings;
#[cfg(test)]
mod tests;
pub mod usage;
pub mod window;

use std::time::Duration;

use jiff::Timestamp;

use self::alert::{Alert, Edge, Level, Rule, Status};
use self::baseline::Baseline;
use self::latch::{Latch, Threshold};
use self::respond::{Action, Change, Posture, Pressure, cache_fares};
use self::rollback::{Symptoms, Verdict};
use self::settings::Settings;
use self::window::{Counters, FIVE_MINUTES, LastMinute, MINUTE, Window};
use crate::clock::Moment;
use crate::flags::{Flag, Flags, Tuning};
use crate::metrics::histogram::{Counts, percentile};

/// What was measured at one moment.
#[derive(Clone, Debug)]
pub struct Reading {
    /// What only rises.
    pub counters: Counters,
    /// How long answers took, since the start.
    pub latencies: Counts,
    /// The same of the clients that have the pipeline, while others do not.
    pub latencies_with: Counts,
    /// And of those that do not.
    pub latencies_without: Counts,
    /// How long whoever is due waits for the loop, in milliseconds.
    pub late_ms: u64,
    /// What the process takes of its budget.
    pub memory_bytes: u64,
    /// Of the hottest sensor.
    pub celsius: Option<f32>,
    /// Outbound connections in use, in percent of those that there may be.
    pub pool_percent: f32,
    /// Weight of the cache in percent of its share.
    pub cache_percent: f32,
    /// Age and refresh interval, in seconds, of the feed that is oldest by its interval.
    pub feed_age: Option<(f32, f32)>,
    /// Somebody knows what time it is.
    pub clock_is_set: bool,
    /// The last transaction was written.
    pub is_writable: bool,
    /// What the disk has left for us.
    pub disk_free_bytes: Option<u64>,
    /// Terms of the budget that are over their share.
    pub terms_over: usize,
    /// How often any went over, since the start.
    pub times_over: u64,
    /// What is on, and of that what an operator holds on.
    pub flags: (Flags, Flags),
}

/// What has been decided, and is to be carried out and told.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Step {
    /// An alert has changed its level.
    Alert(Edge),
    /// The program bears itself in another way.
    Posture(Posture),
    /// An action begins, is repeated or ends.
    Response(Change),
    /// A part goes or comes back, a regression, or the configuration.
    Rollback(Verdict),
}

/// The least time that rates of errors are worked out from, and the fewest answers.
const ERRORS_SPAN_MIN: Duration = Duration::from_secs(30);
const ERRORS_REQUESTS_MIN: u64 = 20;
/// A percentile of fewer answers than this is the luck of one of them.
const LATENCY_REQUESTS_MIN: u64 = 10;
/// Memory is critical from here on, however large the budget.
const MEMORY_CRITICAL_MB: f32 = 400.0;
/// Some figures are over their bounds for a while as a matter of course: so many times the hold.
const PATIENT: u32 = 6;
const MB: f32 = 1_000_000.0;

/// Everything that is remembered from one reading to the next; its size is fixed.
pub struct Health {
    settings: Settings,
    budget_bytes: usize,
    window: Window,
    latencies: [LastMinute; 3],
    alerts: [Status; Alert::COUNT],
    thrash: Latch,
    pressure: Pressure,
    responses: respond::State,
    rollback: rollback::State,
    usual: Baseline,
    last_version: Option<Baseline>,
    learned: Option<Moment>,
    times_over: u64,
}

/// The figures that are worked out from what came lately.
#[derive(Clone, Copy, Debug, Default)]
struct Figures {
    /// Of everybody, of those with the pipeline, of those without.
    latency_ms: [Option<f32>; 3],
    mean_ms: Option<f32>,
    cpu_percent: Option<f32>,
    errors_percent: Option<f32>,
    store_failures: u64,
    pool_percent: f32,
    /// One or more is thrashing.
    thrash: Option<f32>,
    lately: Option<Counters>,
    terms_over: u64,
}

impl Health {
    /// Everything is well as far as is known. `usual` is what this version has learned before, and
    /// `last_version` what the last one had.
    pub fn new(
        settings: Settings,
        budget_bytes: usize,
        usual: Option<Baseline>,
        last_version: Option<Baseline>,
    ) -> Self {
        Self {
            settings,
            budget_bytes,
            window: Window::new(),
            latencies: std::array::from_fn(|_| LastMinute::new()),
            alerts: [Status::default(); Alert::COUNT],
            thrash: Latch::default(),
            pressure: Pressure::default(),
            responses: respond::State::default(),
            rollback: rollback::State::default(),
            usual: usual.unwrap_or_default(),
            last_version: last_version.filter(Baseline::is_known),
            learned: None,
            times_over: 0,
        }
    }

    /// Takes over other settings; what is under way is judged by them from now on.
    pub fn configure(&mut self, settings: Settings) {
        self.settings = settings;
    }

    /// What comes of a reading: at most a step for each alert and action, and a few more.
    pub fn step(&mut self, reading: &Reading, now: Moment, wall: Timestamp) -> Vec<Step> {
        let mut steps = Vec::new();
        let figures = self.figures(reading, now);
        for alert in Alert::ALL {
            let (value, rule) = self.judged(alert, reading, &figures);
            let edge = self.alerts[alert as usize].step(alert, &rule, value, now, wall);
            steps.extend(edge.map(Step::Alert));
        }
        self.learn(&figures, now);
        self.respond(&figures, now, &mut steps);
        let symptoms = self.symptoms(&figures);
        let settings = &self.settings.rollback;
        let tell = |verdict| steps.push(Step::Rollback(verdict));
        self.rollback.step(&symptoms, reading.flags, settings, now, tell);
        steps
    }

    fn figures(&mut self, reading: &Reading, now: Moment) -> Figures {
        self.window.push(now, reading.counters);
        // Some are over their share for an instant only, and never when anybody looks.
        let times_over = std::mem::replace(&mut self.times_over, reading.times_over);
        let terms_over =
            reading.times_over.saturating_sub(times_over).max(reading.terms_over as u64);
        let counts = [&reading.latencies, &reading.latencies_with, &reading.latencies_without];
        let mut figures =
            Figures { pool_percent: reading.pool_percent, terms_over, ..Figures::default() };
        for ((minute, counts), p95) in
            self.latencies.iter_mut().zip(counts).zip(&mut figures.latency_ms)
        {
            let lately = minute.push(now, counts);
            let is_enough = lately.iter().sum::<u64>() >= LATENCY_REQUESTS_MIN;
            *p95 = percentile(&lately, 95).filter(|_| is_enough).map(|us| us as f32 / 1000.0);
        }
        if let Some((took, lately)) = self.window.over(MINUTE, MINUTE) {
            let Counters { cpu_us, requests, latency_us, pool_refused, .. } = lately;
            figures.cpu_percent = Some(100.0 * cpu_us as f32 / took.as_micros() as f32);
            let is_enough = requests >= LATENCY_REQUESTS_MIN;
            figures.mean_ms = is_enough.then_some(latency_us as f32 / 1000.0 / requests as f32);
            if pool_refused > 0 {
                figures.pool_percent = 100.0;
            }
        }
        if let Some((_, lately)) = self.window.over(FIVE_MINUTES, ERRORS_SPAN_MIN) {
            let Counters { requests, failed, store_failures, .. } = lately;
            let is_enough = requests >= ERRORS_REQUESTS_MIN;
            figures.errors_percent = is_enough.then_some(100.0 * failed as f32 / requests as f32);
            figures.store_failures = store_failures;
        }
        figures.lately = self.window.over(FIVE_MINUTES, FIVE_MINUTES).map(|(_, lately)| lately);
        let responses = &self.settings.responses;
        figures.thrash = figures.lately.as_ref().and_then(cache_fares).map(|(hits, dropped)| {
            let few_hits = responses.thrash_hits as f32 / hits.max(1.0);
            few_hits.max(dropped / responses.thrash_evictions as f32)
        });
        figures
    }

    /// The figure of an alert, and its bounds.
    fn judged(&self, alert: Alert, reading: &Reading, figures: &Figures) -> (Option<f32>, Rule) {
        let it = &self.settings.alerts;
        let at = |enter: f32, hold| Threshold {
            enter,
            exit: enter * it.exit_percent as f32 / 100.0,
            hold,
            exit_hold: it.exit_hold,
        };
        let two = |warn: u32, critical: u32| Rule {
            warn: Some(at(warn as f32, it.hold)),
            critical: Some(at(critical as f32, it.hold)),
        };
        let on = |enter: f32, hold| Rule { warn: Some(at(enter, hold)), critical: None };
        let at_once = Duration::ZERO;
        match alert {
            Alert::Memory => {
                let percent_mb = |percent| self.budget_bytes as f32 / MB * percent as f32 / 100.0;
                let critical = percent_mb(it.memory_critical).min(MEMORY_CRITICAL_MB);
                let rule = Rule {
                    warn: Some(at(percent_mb(it.memory_warn).min(critical), it.hold)),
                    critical: Some(at(critical, it.hold)),
                };
                (Some(reading.memory_bytes as f32 / MB), rule)
            }
            Alert::Latency => {
                let critical = self.latency_bound(it.latency_critical);
                let critical = critical.map(|bound| at(bound, it.latency_hold));
                // A request is timed from when it is read, which is late when the loop is.
                let late_ms = reading.late_ms as f32;
                let latency = figures.latency_ms[0].map_or(late_ms, |p95| p95.max(late_ms));
                (Some(latency), Rule { critical, ..on(it.latency_warn as f32, it.hold) })
            }
            Alert::Cpu => (figures.cpu_percent, two(it.cpu_warn, it.cpu_critical)),
            Alert::Errors => (figures.errors_percent, two(it.errors_warn, it.errors_critical)),
            Alert::Pool => (Some(figures.pool_percent), two(it.pool_warn, it.pool_critical)),
            Alert::Cache => {
                // It is full for a moment whenever something comes in, until something goes.
                let hold = it.hold * PATIENT;
                let [warn, critical] =
                    [it.cache_warn, it.cache_critical].map(|bound| Some(at(bound as f32, hold)));
                (Some(reading.cache_percent), Rule { warn, critical })
            }
            Alert::Temperature => {
                (reading.celsius, two(it.temperature_warn, it.temperature_critical))
            }
            Alert::FeedStale => {
                let interval = reading.feed_age.map_or(0.0, |(_, interval)| interval);
                // What is fetched less often on purpose is older.
                let percent = self.refresh_percent().unwrap_or(100);
                let warn = interval * (it.feed_intervals * percent) as f32 / 100.0;
                let critical = warn.max(it.feed_critical.as_secs_f32());
                let bounds = [warn, critical]
                    .map(|enter| Some(Threshold { exit_hold: at_once, ..at(enter, at_once) }));
                let [warn, critical] = bounds;
                (reading.feed_age.map(|(age, _)| age), Rule { warn, critical })
            }
            // The network may take a minute to tell the time after a start.
            Alert::ClockNotSet => (yes(!reading.clock_is_set), on(1.0, it.hold * PATIENT)),
            Alert::StoreErrors => {
                let failing = u64::from(!reading.is_writable);
                (Some(figures.store_failures.max(failing) as f32), on(1.0, at_once))
            }
            Alert::DiskLow => {
                let missing = |free: u64| (it.disk_free as f32 - free as f32) / MB;
                // It is over once there is a tenth more than there should be.
                let exit = it.disk_free as f32 / MB * (it.exit_percent as f32 / 100.0 - 1.0);
                let warn = Some(Threshold { exit, ..at(0.0, it.hold) });
                (reading.disk_free_bytes.map(missing), Rule { warn, critical: None })
            }
            Alert::BudgetTermOver => (Some(figures.terms_over as f32), on(1.0, at_once)),
        }
    }

    /// So many percent of what is usual, but no less than what anybody would notice.
    fn latency_bound(&self, percent: u32) -> Option<f32> {
        let usual = self.usual.is_known().then_some(self.usual.p95_ms)?;
        Some((usual * percent as f32 / 100.0).max(self.settings.alerts.latency_floor as f32))
    }

    /// A minute in which nothing is wrong says what is usual.
    fn learn(&mut self, figures: &Figures, now: Moment) {
        let is_due = self.learned.is_none_or(|at| now.since(at) >= MINUTE);
        let is_well = [Alert::Latency, Alert::Cpu, Alert::Memory, Alert::Errors]
            .into_iter()
            .all(|alert| self.level(alert) == Level::Quiet);
        let is_near = |p95: f32| {
            self.latency_bound(self.settings.rollback.latency_factor)
                .is_none_or(|bound| p95 < bound)
        };
        if let (Some(p95), Some(mean)) = (figures.latency_ms[0], figures.mean_ms)
            && is_due
            && is_well
            && is_near(p95)
        {
            self.usual.learn(p95, mean);
            self.learned = Some(now);
        }
    }

    fn respond(&mut self, figures: &Figures, now: Moment, steps: &mut Vec<Step>) {
        let settings = &self.settings.responses;
        let thrash = Threshold {
            enter: 1.0,
            exit: self.settings.alerts.exit_percent as f32 / 100.0,
            hold: Duration::ZERO,
            exit_hold: self.settings.alerts.exit_hold,
        };
        let thrash = self.thrash.step(figures.thrash, &thrash, now);
        self.pressure = Pressure { thrash, ..self.pressure_of(|_| true) };
        let before = self.responses.posture();
        self.responses.step(&self.pressure, figures.lately.as_ref(), settings, now, |change| {
            steps.push(Step::Response(change));
        });
        let posture = self.responses.posture();
        steps.extend((posture != before).then_some(Step::Posture(posture)));
    }

    /// The pressure of those alerts that count.
    fn pressure_of(&self, counts: impl Fn(Alert) -> bool) -> Pressure {
        let level = |alert| if counts(alert) { self.level(alert) } else { Level::Quiet };
        Pressure {
            memory: level(Alert::Memory),
            cpu: level(Alert::Cpu),
            heat: level(Alert::Temperature),
            pool: level(Alert::Pool),
            thrash: false,
        }
    }

    fn symptoms(&self, figures: &Figures) -> Symptoms {
        let [latency, latency_with, latency_without] = figures.latency_ms;
        Symptoms {
            memory_critical: self.resists(Alert::Memory),
            cpu_critical: self.resists(Alert::Cpu),
            latency,
            latency_bound: self.latency_bound(self.settings.rollback.latency_factor),
            latency_with: latency_with.filter(|_| latency_without.is_some()),
            latency_without,
            slower: self.slower_percent(),
            errors: figures.errors_percent,
        }
    }

    /// True while an alert is critical and its figure has not begun to fall below where that ends.
    fn resists(&self, alert: Alert) -> bool {
        let Status { level, value, threshold, .. } = self.alerts[alert as usize];
        let exit = threshold * self.settings.alerts.exit_percent as f32 / 100.0;
        level == Level::Critical && value.is_some_and(|value| value >= exit)
    }

    /// How much slower than the last version this one is, in percent.
    pub fn slower_percent(&self) -> Option<f32> {
        let last = self.last_version.as_ref()?;
        let is_comparable = self.usual.is_known() && last.mean_ms > 0.0;
        is_comparable.then_some(100.0 * (self.usual.mean_ms / last.mean_ms - 1.0))
    }

    /// What is usual here, as far as is known.
    pub fn usual(&self) -> &Baseline {
        &self.usual
    }

    /// How bad an alert is.
    pub fn level(&self, alert: Alert) -> Level {
        self.alerts[alert as usize].level
    }

    /// How an alert stands.
    pub fn status(&self, alert: Alert) -> &Status {
        &self.alerts[alert as usize]
    }

    /// What is being done about an alert: the actions that it calls for, and the parts that are
    /// off because of it.
    pub fn done(&self, alert: Alert) -> impl Iterator<Item = &'static str> {
        let (pressure, posture) = (self.pressure_of(|it| it == alert), self.posture());
        let is_over = self.level(alert) > Level::Quiet;
        let actions = Action::ALL.into_iter().filter(move |action| {
            is_over && self.is_active(*action) && pressure.calls_for(*action, posture)
        });
        let cause = match alert {
            Alert::Memory => Some(rollback::Cause::Memory),
            Alert::Cpu => Some(rollback::Cause::Cpu),
            Alert::Latency => Some(rollback::Cause::Latency),
            _ => None,
        };
        let parts = Flag::ALL
            .into_iter()
            .filter(move |flag| cause.is_some() && self.rollback.cause(*flag) == cause);
        actions.map(Action::name).chain(parts.map(Flag::name))
    }

    /// Whether alerts are posted somewhere.
    pub fn has_webhook(&self) -> bool {
        self.settings.alerts.webhook.is_some()
    }

    /// How the program bears itself.
    pub fn posture(&self) -> Posture {
        self.responses.posture()
    }

    /// Whether an action is under way.
    pub fn is_active(&self, action: Action) -> bool {
        self.responses.is_active(action)
    }

    /// Since when an action is under way.
    pub fn active_since(&self, action: Action) -> Option<Moment> {
        self.responses.active_since(action)
    }

    /// The matrix.
    pub fn rollback(&self) -> &rollback::State {
        &self.rollback
    }

    /// What the pipeline is tuned by now.
    pub fn tuned(&self, configured: Tuning) -> Tuning {
        self.responses.tuned(configured, &self.pressure)
    }

    /// Why a flag is to be off, if it is.
    pub fn off(&self, flag: Flag) -> Option<&'static str> {
        let part = self.rollback.cause(flag).map(rollback::Cause::why);
        let is_stopped = flag == Flag::Warming && self.is_active(Action::StopWarming);
        part.or(is_stopped.then_some("the processor is busy or the machine is hot"))
    }

    /// Every refresh interval is this many percent of itself; `None` when nothing is fetched as long
    /// as there is something to show.
    pub fn refresh_percent(&self) -> Option<u32> {
        let stretch = self.settings.responses.refresh_stretch;
        let percent = if self.is_active(Action::StretchRefresh) { stretch } else { 100 };
        (!self.is_active(Action::DelayRefresh)).then_some(percent)
    }
}

fn yes(is_so: bool) -> Option<f32> {
    Some(f32::from(u8::from(is_so)))
}

//! What people are told of, and when. Pure.
//!
//! ```text
//!            the warning's latch              the critical one's
//!   quiet ──────────────────────> warning ──────────────────────> critical
//!     ^                            │   ^                            │
//!     └────────────────────────────┘   └────────────────────────────┘
//! ```
//!
//! Each level has a [`Latch`] of its own, so that a figure may well go from quiet to critical and
//! back at once. The table says what each figure is; what its bounds are comes from the settings
//! and, for some, from what was read.

use jiff::Timestamp;

use super::latch::{Latch, Threshold};
use crate::clock::Moment;
use crate::metrics::{Metric, Metrics};

/// Everything that there is an alert about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Alert {
    /// Memory in use.
    Memory,
    /// How long answers take.
    Latency,
    /// The processor.
    Cpu,
    /// Requests that the program has failed.
    Errors,
    /// Connections to feed servers.
    Pool,
    /// The cache's share.
    Cache,
    /// The machine's heat.
    Temperature,
    /// The age of what is shown.
    FeedStale,
    /// Nobody knows what time it is.
    ClockNotSet,
    /// The database.
    StoreErrors,
    /// Room on the disk.
    DiskLow,
    /// A term of the budget is over its share.
    BudgetTermOver,
}

impl Alert {
    /// How many there are.
    pub const COUNT: usize = 12;

    /// All of them, in order.
    pub const ALL: [Self; Self::COUNT] = [
        Self::Memory,
        Self::Latency,
        Self::Cpu,
        Self::Errors,
        Self::Pool,
        Self::Cache,
        Self::Temperature,
        Self::FeedStale,
        Self::ClockNotSet,
        Self::StoreErrors,
        Self::DiskLow,
        Self::BudgetTermOver,
    ];

    /// Its name, and the unit of its figure.
    pub fn name_and_unit(self) -> (&'static str, &'static str) {
        match self {
            Self::Memory => ("memory_usage_mb", "MB"),
            Self::Latency => ("request_latency_ms", "ms"),
            Self::Cpu => ("cpu_usage_percent", "percent"),
            Self::Errors => ("error_rate_percent", "percent"),
            Self::Pool => ("connection_pool_exhaustion", "percent"),
            Self::Cache => ("cache_memory_pressure", "percent"),
            Self::Temperature => ("temperature", "degrees Celsius"),
            Self::FeedStale => ("feed_stale", "seconds"),
            Self::ClockNotSet => ("clock_not_set", "yes or no"),
            Self::StoreErrors => ("store_errors", "errors"),
            Self::DiskLow => ("disk_low", "MB missing"),
            Self::BudgetTermOver => ("budget_term_over", "terms"),
        }
    }

    /// The gauge of its level.
    pub fn metric(self, metrics: &Metrics) -> &Metric {
        match self {
            Self::Memory => &metrics.alert_memory_usage_mb,
            Self::Latency => &metrics.alert_request_latency_ms,
            Self::Cpu => &metrics.alert_cpu_usage_percent,
            Self::Errors => &metrics.alert_error_rate_percent,
            Self::Pool => &metrics.alert_connection_pool_exhaustion,
            Self::Cache => &metrics.alert_cache_memory_pressure,
            Self::Temperature => &metrics.alert_temperature,
            Self::FeedStale => &metrics.alert_feed_stale,
            Self::ClockNotSet => &metrics.alert_clock_not_set,
            Self::StoreErrors => &metrics.alert_store_errors,
            Self::DiskLow => &metrics.alert_disk_low,
            Self::BudgetTermOver => &metrics.alert_budget_term_over,
        }
    }

    /// Its name.
    pub fn name(self) -> &'static str {
        self.name_and_unit().0
    }
}

/// How bad it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// Not at all.
    #[default]
    Quiet,
    /// Worth a look.
    Warning,
    /// Something fails, or soon will.
    Critical,
}

impl Level {
    /// In a word.
    pub fn name(self) -> &'static str {
        match self {
            Self::Quiet => "quiet",
            Self::Warning => "warning",
            Self::Critical => "critical",
        }
    }
}

/// The bounds of one alert; `None` where there is no such level.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Rule {
    /// Of the warning.
    pub warn: Option<Threshold>,
    /// Of the critical level.
    pub critical: Option<Threshold>,
}

/// An alert that has changed its level.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Edge {
    /// Which.
    pub alert: Alert,
    /// Where it comes from.
    pub from: Level,
    /// Where it goes.
    pub to: Level,
    /// The figure that did it; `None` when it is no longer known.
    pub value: Option<f32>,
    /// The bound that it passed.
    pub threshold: f32,
}

/// How an alert stands.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Status {
    warning: Latch,
    critical: Latch,
    /// How bad it is.
    pub level: Level,
    /// Since when.
    pub since: Option<Timestamp>,
    /// The last figure.
    pub value: Option<f32>,
    /// The bound of the level that it is at, or of the first one.
    pub threshold: f32,
}

impl Status {
    /// What the figure of `now` makes of it.
    pub fn step(
        &mut self,
        alert: Alert,
        rule: &Rule,
        value: Option<f32>,
        now: Moment,
        wall: Timestamp,
    ) -> Option<Edge> {
        let latched = |latch: &mut Latch, threshold: &Option<Threshold>| match threshold {
            Some(threshold) => latch.step(value, threshold, now),
            None => false,
        };
        let is_warning = latched(&mut self.warning, &rule.warn);
        let is_critical = latched(&mut self.critical, &rule.critical);
        let (from, to) = (
            self.level,
            match (is_critical, is_warning) {
                (true, _) => Level::Critical,
                (false, true) => Level::Warning,
                (false, false) => Level::Quiet,
            },
        );
        let bounds = [rule.critical, rule.warn];
        let bound =
            if from.max(to) == Level::Critical { bounds[0] } else { bounds[1].or(bounds[0]) };
        self.value = value;
        self.threshold =
            bound.map_or(0.0, |bound| if to < from { bound.exit } else { bound.enter });
        if from == to {
            return None;
        }
        self.level = to;
        self.since = Some(wall);
        Some(Edge { alert, from, to, value, threshold: self.threshold })
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn names_are_in_the_order_of_their_numbers() {
        for (number, alert) in Alert::ALL.into_iter().enumerate() {
            assert_eq!(alert as usize, number);
        }
    }

    #[test]
    fn levels_come_and_go_each_by_its_own_bounds() {
        use Level::{Critical, Quiet, Warning};
        let threshold = |enter, hold| Threshold {
            enter,
            exit: 0.9 * enter,
            hold: Duration::from_secs(hold),
            exit_hold: Duration::from_secs(60),
        };
        let rule = Rule { warn: Some(threshold(60.0, 10)), critical: Some(threshold(80.0, 30)) };
        let mut status = Status::default();
        for (second, value, level, edge) in [
            (0, 90.0, Quiet, None),
            (10, 90.0, Warning, Some(60.0)),
            (29, 90.0, Warning, None),
            (30, 90.0, Critical, Some(80.0)),
            (31, 73.0, Critical, None),
            (40, 71.0, Critical, None),
            (99, 71.0, Critical, None),
            (100, 71.0, Warning, Some(72.0)),
            (200, 50.0, Warning, None),
            (260, 50.0, Quiet, Some(54.0)),
        ] {
            let (now, wall) =
                (Moment::default() + Duration::from_secs(second), Timestamp::UNIX_EPOCH);
            let found = status.step(Alert::Cpu, &rule, Some(value), now, wall);
            assert_eq!(found.map(|edge| edge.threshold), edge, "{second}");
            assert_eq!(status.level, level, "{second}");
        }
    }
}

//! Every threshold and every span of time that health decides by, as configured.
//!
//! Percentages and milliseconds are whole numbers, as people write them.

use std::time::Duration;

use crate::secret::Secret;

/// All of them. By default they are blanks: the table of keys has what holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Settings {
    /// `[alerts]`: when people are told.
    pub alerts: Alerts,
    /// `[responses]`: what is done of itself.
    pub responses: Responses,
    /// `[rollback]`: when a part is switched off.
    pub rollback: Rollback,
}

/// When an alert is entered and when it is over.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Alerts {
    /// Where each edge is posted to, besides being logged.
    pub webhook: Option<Secret>,
    /// Memory in use, in percent of the budget.
    pub memory_warn: u32,
    /// The same.
    pub memory_critical: u32,
    /// The 95th percentile of a minute's answers, in milliseconds.
    pub latency_warn: u32,
    /// The same in percent of what is usual here.
    pub latency_critical: u32,
    /// Below this many milliseconds no latency is critical, however fast it is usually.
    pub latency_floor: u32,
    /// For how long it must be critical.
    pub latency_hold: Duration,
    /// Percent of one core over a minute.
    pub cpu_warn: u32,
    /// The same.
    pub cpu_critical: u32,
    /// Requests that the program has failed in percent of all, over five minutes.
    pub errors_warn: u32,
    /// The same.
    pub errors_critical: u32,
    /// Outbound connections in use, in percent.
    pub pool_warn: u32,
    /// The same.
    pub pool_critical: u32,
    /// Weight of the cache in percent of its share.
    pub cache_warn: u32,
    /// The same.
    pub cache_critical: u32,
    /// Of the hottest sensor, in degrees Celsius.
    pub temperature_warn: u32,
    /// The same.
    pub temperature_critical: u32,
    /// Age of a feed's data in intervals of its refreshes.
    pub feed_intervals: u32,
    /// The age from which it is critical, whatever the interval.
    pub feed_critical: Duration,
    /// Room on the disk that should be left, in bytes.
    pub disk_free: usize,
    /// An alert is over when the figure is below this many percent of what it was entered at.
    pub exit_percent: u32,
    /// For how long a figure must be over before most alerts are entered.
    pub hold: Duration,
    /// For how long it must be below before an alert is over.
    pub exit_hold: Duration,
}

/// What is done against pressure.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Responses {
    /// Off: alerts are told, and nothing is done.
    pub enabled: bool,
    /// For how long a critical figure must resist before work is refused.
    pub shed_after: Duration,
    /// Every refresh interval becomes this many percent of itself.
    pub refresh_stretch: u32,
    /// A cache that answers fewer than this many percent is thrashing.
    pub thrash_hits: u32,
    /// So is one that drops this many answers for a hundred that it gives.
    pub thrash_evictions: u32,
    /// From one adjustment of the cache to the next.
    pub thrash_hold: Duration,
}

/// When a part is switched off, and tried again.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rollback {
    /// Off: what would be switched off stays on.
    pub enabled: bool,
    /// How long memory stays critical, whatever is done, until a part is switched off.
    pub memory_hold: Duration,
    /// The same for the processor.
    pub cpu_hold: Duration,
    /// Percent of what is usual here.
    pub latency_factor: u32,
    /// For how long.
    pub latency_hold: Duration,
    /// So many percent slower than the last version is a regression.
    pub slower: u32,
    /// Percent of failed requests at which the configuration is taken back.
    pub errors: u32,
    /// For how long.
    pub errors_hold: Duration,
    /// How long a part that was switched off stays off once the reason is over.
    pub retry: Duration,
}

/// Two keys of the configuration that rule each other out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Conflict {
    /// The one that must be lower, and its value.
    pub lower: (&'static str, u32),
    /// The other, and its value.
    pub higher: (&'static str, u32),
}

impl Settings {
    /// What cannot be meant: a warning that comes no sooner than what it warns of.
    pub fn conflicts(&self) -> Vec<Conflict> {
        let Self { alerts, .. } = self;
        [
            (
                "alerts.memory_warn",
                alerts.memory_warn,
                "alerts.memory_critical",
                alerts.memory_critical,
            ),
            ("alerts.cpu_warn", alerts.cpu_warn, "alerts.cpu_critical", alerts.cpu_critical),
            (
                "alerts.errors_warn",
                alerts.errors_warn,
                "alerts.errors_critical",
                alerts.errors_critical,
            ),
            ("alerts.pool_warn", alerts.pool_warn, "alerts.pool_critical", alerts.pool_critical),
            (
                "alerts.cache_warn",
                alerts.cache_warn,
                "alerts.cache_critical",
                alerts.cache_critical,
            ),
            (
                "alerts.temperature_warn",
                alerts.temperature_warn,
                "alerts.temperature_critical",
                alerts.temperature_critical,
            ),
        ]
        .into_iter()
        .filter(|(_, lower, _, higher)| lower >= higher)
        .map(|(lower, low, higher, high)| Conflict { lower: (lower, low), higher: (higher, high) })
        .collect()
    }
}

#[cfg(test)]
mod tests {
    use crate::config::usual_health;

    #[test]
    fn a_warning_comes_before_what_it_warns_of() {
        let mut settings = usual_health();
        assert_eq!(settings.conflicts(), []);
        settings.alerts.cpu_warn = 80;
        settings.alerts.memory_critical = 60;
        let conflicts = settings.conflicts();
        let names = conflicts.iter().map(|conflict| (conflict.lower, conflict.higher));
        let memory = (("alerts.memory_warn", 75), ("alerts.memory_critical", 60));
        let cpu = (("alerts.cpu_warn", 80), ("alerts.cpu_critical", 80));
        assert_eq!(names.collect::<Vec<_>>(), [memory, cpu]);
    }
}

//! Rates over the last minutes, from counters that only rise. Pure.
//!
//! The counters are kept as they were at one moment in ten seconds; a rate is what has come since
//! the youngest of those moments that is old enough. Everything is in two rings of a fixed size.

use std::time::Duration;

use crate::clock::Moment;
use crate::metrics::histogram::{BOUNDS_US, Counts};

/// From one kept moment to the next, at least.
const STEP: Duration = Duration::from_secs(10);
/// The span that most figures are about.
pub const MINUTE: Duration = Duration::from_secs(60);
/// The span of what happens less often.
pub const FIVE_MINUTES: Duration = Duration::from_secs(300);

/// Counters since the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Answers.
    pub requests: u64,
    /// Requests that the program has failed.
    pub failed: u64,
    /// Time that the process has had a processor, in microseconds.
    pub cpu_us: u64,
    /// Time that requests have waited for their answers, all together, in microseconds.
    pub latency_us: u64,
    /// Answers from the cache.
    pub cache_hits: u64,
    /// Answers that had to be made.
    pub cache_misses: u64,
    /// Answers found too old.
    pub cache_expired: u64,
    /// Answers about days that were dropped to make room.
    pub ranges_evicted: u64,
    /// Other answers that were.
    pub others_evicted: u64,
    /// Transactions and reads that failed.
    pub store_failures: u64,
    /// Times that no outbound connection was free.
    pub pool_refused: u64,
}

impl Counters {
    /// What has come since `earlier`.
    fn since(&self, earlier: &Self) -> Self {
        let less = |counter: fn(&Self) -> u64| counter(self).saturating_sub(counter(earlier));
        Self {
            requests: less(|it| it.requests),
            failed: less(|it| it.failed),
            cpu_us: less(|it| it.cpu_us),
            latency_us: less(|it| it.latency_us),
            cache_hits: less(|it| it.cache_hits),
            cache_misses: less(|it| it.cache_misses),
            cache_expired: less(|it| it.cache_expired),
            ranges_evicted: less(|it| it.ranges_evicted),
            others_evicted: less(|it| it.others_evicted),
            store_failures: less(|it| it.store_failures),
            pool_refused: less(|it| it.pool_refused),
        }
    }
}

/// The last `N` moments that were kept, the oldest making room.
struct Ring<T, const N: usize> {
    kept: [(Moment, T); N],
    len: usize,
    next: usize,
}

impl<T: Copy + Default, const N: usize> Ring<T, N> {
    fn new() -> Self {
        Self { kept: [(Moment::default(), T::default()); N], len: 0, next: 0 }
    }

    fn push(&mut self, now: Moment, value: T) {
        let last = self.kept[(self.next + N - 1) % N].0;
        if self.len > 0 && now.since(last) < STEP {
            return;
        }
        self.kept[self.next] = (now, value);
        self.next = (self.next + 1) % N;
        self.len = (self.len + 1).min(N);
    }

    /// The youngest moment that is at least `span` old, or the oldest of all if that is at least
    /// `least` old.
    fn before(&self, now: Moment, span: Duration, least: Duration) -> Option<&(Moment, T)> {
        let youngest_first = (1..=self.len).map(|back| &self.kept[(self.next + N - back) % N]);
        let old_enough = youngest_first.clone().find(|(at, _)| now.since(*at) >= span);
        old_enough.or_else(|| youngest_first.last().filter(|(at, _)| now.since(*at) >= least))
    }
}

/// One more than the steps of the span.
const COUNTERS_KEPT: usize = 31;
const LATENCIES_KEPT: usize = 7;

/// The counters' recent past.
pub struct Window {
    counters: Ring<Counters, COUNTERS_KEPT>,
    now: (Moment, Counters),
}

impl Window {
    /// Without a past.
    pub fn new() -> Self {
        Self { counters: Ring::new(), now: <(Moment, Counters)>::default() }
    }

    /// The counters as they stand at `now`.
    pub fn push(&mut self, now: Moment, counters: Counters) {
        self.now = (now, counters);
        self.counters.push(now, counters);
    }

    /// What has come in the last `span` of at most five minutes, and how long that was; what has
    /// come since the first reading as long as that is no longer ago, but at least `least`.
    pub fn over(&self, span: Duration, least: Duration) -> Option<(Duration, Counters)> {
        let (now, counters) = self.now;
        let (at, earlier) = self.counters.before(now, span, least)?;
        Some((now.since(*at), counters.since(earlier)))
    }
}

impl Default for Window {
    fn default() -> Self {
        Self::new()
    }
}

/// A histogram's last minute. It keeps the lower half of each count: what comes in a minute is told
/// by that.
pub struct LastMinute {
    counts: Ring<[u32; BOUNDS_US.len() + 1], LATENCIES_KEPT>,
}

impl LastMinute {
    /// Without a past.
    pub fn new() -> Self {
        Self { counts: Ring::new() }
    }

    /// The histogram as it stands at `now`; what came in the last minute, or since the first
    /// reading.
    pub fn push(&mut self, now: Moment, counts: &Counts) -> Counts {
        let counts = counts.map(|count| count as u32);
        self.counts.push(now, counts);
        let mut came = Counts::default();
        if let Some((_, before)) = self.counts.before(now, MINUTE, Duration::ZERO) {
            for ((came, now), before) in came.iter_mut().zip(counts).zip(before) {
                *came = now.wrapping_sub(*before).into();
            }
        }
        came
    }
}

impl Default for LastMinute {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: u64) -> Moment {
        Moment::default() + Duration::from_secs(second)
    }

    #[test]
    fn a_rate_is_of_its_span_whatever_the_time_between_readings() {
        for step in [1, 7, 10, 45] {
            let mut window = Window::new();
            for second in (0..=2000).step_by(step) {
                let requests = 3 * second;
                window.push(at(second), Counters { requests, ..Counters::default() });
                for span in [MINUTE, FIVE_MINUTES] {
                    let found = window.over(span, span);
                    assert!(found.is_some() || second < span.as_secs() + 2 * step as u64);
                    let Some((took, delta)) = found else { continue };
                    assert_eq!(delta.requests, 3 * took.as_secs(), "every {step} s at {second}");
                    let slack = Duration::from_secs(10 + 2 * step as u64);
                    assert!(took >= span && took <= span + slack, "{took:?} at {second}");
                }
            }
        }
    }

    #[test]
    fn what_came_since_the_start_is_told_once_that_is_long_enough_ago() {
        let mut window = Window::new();
        let least = Duration::from_secs(30);
        for (second, expected) in [(0, None), (29, None), (30, Some(30)), (299, Some(299))] {
            window.push(at(second), Counters::default());
            let took = window.over(FIVE_MINUTES, least).map(|(took, _)| took.as_secs());
            assert_eq!(took, expected, "{second}");
        }
    }

    #[test]
    fn a_histogram_forgets_what_is_older_than_a_minute() {
        let mut minute = LastMinute::new();
        let mut counts: Counts = [u64::from(u32::MAX) - 2; _];
        minute.push(at(0), &counts);
        counts[3] += 5;
        assert_eq!(minute.push(at(5), &counts)[3], 5);
        assert_eq!(minute.push(at(60), &counts)[3], 5);
        assert_eq!(minute.push(at(120), &counts)[3], 0);
    }
}

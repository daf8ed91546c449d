//! How long something takes: counts in buckets with fixed bounds.

use std::cell::Cell;
use std::time::Duration;

/// The upper bounds of the buckets, in microseconds; what is over the last has a bucket of its
/// own. Four a decade, so that a percentile read from them is right to within a factor of two;
/// the bounds of the alerts are among them.
pub const BOUNDS_US: [u64; 21] = [
    100, 200, 300, 500, 1_000, 2_000, 3_000, 5_000, 10_000, 20_000, 30_000, 50_000, 100_000,
    200_000, 300_000, 500_000, 1_000_000, 2_000_000, 3_000_000, 5_000_000, 10_000_000,
];

/// How many fell into each bucket.
pub type Counts = [u64; BOUNDS_US.len() + 1];

/// Durations, counted since the start.
#[derive(Default)]
pub struct Histogram {
    counts: [Cell<u64>; BOUNDS_US.len() + 1],
    sum_us: Cell<u64>,
    max_us: Cell<u64>,
}

impl Histogram {
    /// One more.
    pub fn record(&self, took: Duration) {
        self.record_times(took, 1);
    }

    /// The same `times` over.
    pub fn record_times(&self, took: Duration, times: u64) {
        let us = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        let bucket = BOUNDS_US.iter().position(|bound| us <= *bound).unwrap_or(BOUNDS_US.len());
        let count = &self.counts[bucket];
        count.set(count.get() + times);
        self.sum_us.set(self.sum_us.get().saturating_add(us.saturating_mul(times)));
        self.max_us.set(self.max_us.get().max(us));
    }

    /// Each bucket's count, those of the others not included.
    pub fn counts(&self) -> Counts {
        self.counts.each_ref().map(Cell::get)
    }

    /// How many there are.
    pub fn count(&self) -> u64 {
        self.counts().iter().sum()
    }

    /// All of them together, in microseconds.
    pub fn sum_us(&self) -> u64 {
        self.sum_us.get()
    }

    /// The longest, in microseconds.
    pub fn max_us(&self) -> u64 {
        self.max_us.get()
    }
}

/// The duration that `percent` of these do not exceed, in microseconds: as far into its bucket as
/// its rank is. What is over the last bound counts as the last bound. `None` where there are none.
pub fn percentile(counts: &Counts, percent: u32) -> Option<u64> {
    let all: u64 = counts.iter().sum();
    if all == 0 {
        return None;
    }
    let rank = (u128::from(all) * u128::from(percent)).div_ceil(100).max(1);
    let (mut below, mut floor) = (0, 0);
    for (count, bound) in counts.iter().zip(BOUNDS_US) {
        let (count, width) = (u128::from(*count), u128::from(bound - floor));
        if below + count >= rank {
            let inside = width * (rank - below) / count;
            return Some(floor + u64::try_from(inside).unwrap_or(bound - floor));
        }
        (below, floor) = (below + count, bound);
    }
    Some(floor)
}

/// What came between two readings of the same histogram.
pub fn difference(later: &Counts, earlier: &Counts) -> Counts {
    let mut counts = *later;
    for (count, before) in counts.iter_mut().zip(earlier) {
        *count = count.saturating_sub(*before);
    }
    counts
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filled(durations: &[(u64, u64)]) -> Histogram {
        let histogram = Histogram::default();
        for (us, times) in durations {
            histogram.record_times(Duration::from_micros(*us), *times);
        }
        histogram
    }

    #[test]
    fn a_duration_falls_into_the_bucket_that_ends_with_it() {
        for (us, bucket) in [(0, 0), (100, 0), (101, 1), (1_000, 4), (10_000_001, 21)] {
            let histogram = filled(&[(us, 1)]);
            assert_eq!(histogram.counts()[bucket], 1, "{us}");
            assert_eq!((histogram.count(), histogram.sum_us(), histogram.max_us()), (1, us, us));
        }
        assert_eq!(filled(&[(u64::MAX, 2)]).sum_us(), u64::MAX);
    }

    #[test]
    fn a_percentile_lies_in_the_bucket_of_its_rank() {
        let quick_and_slow = filled(&[(50, 90), (1_500, 10)]);
        for (durations, percent, expected) in [
            (&filled(&[]), 50, None),
            (&filled(&[(50, 1)]), 50, Some(100)),
            (&filled(&[(50, 100)]), 50, Some(50)),
            (&quick_and_slow, 50, Some(55)),
            (&quick_and_slow, 90, Some(100)),
            (&quick_and_slow, 95, Some(1_500)),
            (&quick_and_slow, 100, Some(2_000)),
            (&filled(&[(20_000_000, 1)]), 50, Some(10_000_000)),
        ] {
            assert_eq!(percentile(&durations.counts(), percent), expected, "{percent}");
        }
    }

    #[test]
    fn what_came_between_two_readings_is_told() {
        let histogram = filled(&[(50, 3)]);
        let before = histogram.counts();
        histogram.record(Duration::from_micros(150));
        let between = difference(&histogram.counts(), &before);
        assert_eq!(between.iter().sum::<u64>(), 1);
        assert_eq!(between[1], 1);
    }
}

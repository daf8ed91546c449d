//! How long answers usually take here: an average of the minutes in which enough were asked for
//! and nothing was wrong. Pure.

/// Minutes after which the average is worth something.
const MINUTES_MIN: u32 = 10;
/// Minutes that the average is about: it follows what changes for good within a few hours.
const MINUTES_WEIGHED: u32 = 120;

/// The average of some minutes.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Baseline {
    /// Of the minutes' 95th percentiles, in milliseconds.
    pub p95_ms: f32,
    /// Of the minutes' means, in milliseconds.
    pub mean_ms: f32,
    /// How many minutes there were.
    pub minutes: u32,
}

impl Baseline {
    /// Takes in one more minute.
    pub fn learn(&mut self, p95_ms: f32, mean_ms: f32) {
        self.minutes = self.minutes.saturating_add(1);
        let weight = 1.0 / self.minutes.min(MINUTES_WEIGHED) as f32;
        self.p95_ms += weight * (p95_ms - self.p95_ms);
        self.mean_ms += weight * (mean_ms - self.mean_ms);
    }

    /// True once it is worth comparing with.
    pub fn is_known(&self) -> bool {
        self.minutes >= MINUTES_MIN
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_the_mean_at_first_and_follows_later() {
        let mut baseline = Baseline::default();
        for minute in 1..=20 {
            baseline.learn(if minute % 2 == 0 { 8.0 } else { 4.0 }, 2.0);
            assert_eq!(baseline.is_known(), minute >= 10, "{minute}");
        }
        assert!((baseline.p95_ms - 6.0).abs() < 0.01, "{baseline:?}");
        (0..600).for_each(|_| baseline.learn(60.0, 20.0));
        assert!(baseline.p95_ms > 59.0 && baseline.mean_ms > 19.0, "{baseline:?}");
    }
}

//! A yes or no that does not flutter: it takes one bound, held for a while, to turn it on, and
//! another to turn it off. Pure.
//!
//! ```text
//!          at `enter` or beyond for `hold`
//!   off ─────────────────────────────────────> on
//!    ^                                          │
//!    └──── short of `exit` for `exit_hold` ─────┘
//! ```

use std::time::Duration;

use crate::clock::Moment;

/// When a latch turns.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Threshold {
    /// From here on it wants to be on.
    pub enter: f32,
    /// Below this it wants to be off again.
    pub exit: f32,
    /// How long it must want to be on.
    pub hold: Duration,
    /// How long it must want to be off.
    pub exit_hold: Duration,
}

/// The latch.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Latch {
    on: bool,
    /// Since when it wants to be what it is not.
    turning: Option<Moment>,
}

impl Latch {
    /// Whether it is on once `value` has been seen at `now`. What is not known is short of every
    /// bound.
    pub fn step(&mut self, value: Option<f32>, threshold: &Threshold, now: Moment) -> bool {
        let value = value.unwrap_or(f32::NEG_INFINITY);
        let (wants, hold) = if self.on {
            (value >= threshold.exit, threshold.exit_hold)
        } else {
            (value >= threshold.enter, threshold.hold)
        };
        if wants == self.on {
            self.turning = None;
        } else if now.since(*self.turning.get_or_insert(now)) >= hold {
            *self = Self { on: wants, turning: None };
        }
        self.on
    }

    /// Whether it is on.
    pub fn is_on(&self) -> bool {
        self.on
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_takes_two_bounds_and_two_spans_to_turn_and_turn_back() {
        let seconds = Duration::from_secs;
        let threshold =
            Threshold { enter: 80.0, exit: 70.0, hold: seconds(10), exit_hold: seconds(60) };
        let mut latch = Latch::default();
        for (second, value, on) in [
            (0, Some(79.9), false),
            (1, Some(80.0), false),
            (10, Some(99.0), false),
            // A dip begins the hold anew.
            (11, Some(75.0), false),
            (12, Some(80.0), false),
            (21, Some(80.0), false),
            (22, Some(80.0), true),
            (23, Some(70.0), true),
            (24, Some(69.9), true),
            (83, Some(0.0), true),
            (84, Some(69.9), false),
            (85, Some(80.0), false),
            (95, Some(80.0), true),
            (96, None, true),
            (156, None, false),
        ] {
            let now = Moment::default() + seconds(second);
            assert_eq!(latch.step(value, &threshold, now), on, "{second} s: {value:?}");
            assert_eq!(latch.is_on(), on);
        }
    }
}

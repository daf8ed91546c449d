//! A part of the pipeline that fails again and again by itself is left out for a while. Pure.
//!
//! ```text
//!            five failures in a row, or one while it is tried
//!   on ───────────────────────────────────────────────────────> off
//!    ^                                                            │
//!    └────────────── five minutes later, to be tried ─────────────┘
//! ```
//!
//! What a feed or the database does wrong is no failure of a part, and neither is what is too
//! much. So only two parts can fail:
//!
//! * batching, when a reading for several helps none of them and each is then read for alone;
//! * warming, when an answer was made ahead and the cache does not take it.
//!
//! Caching cannot: an answer that is too heavy, or that others push out, is served all the same,
//! and whether keeping pays is looked at elsewhere. Deduplication cannot: a full queue is an
//! answer (503), more so without it, and there is a place for every completion.

use std::time::Duration;

use crate::clock::Moment;

/// Failures in a row after which a part is left out.
const FAILURES_MAX: u32 = 5;
/// How long it is left out before it is tried again.
const OFF_TIME: Duration = Duration::from_secs(300);

/// A part that can fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// One reading for several answers.
    Batching,
    /// Answers before anybody asks.
    Warming,
}

impl Part {
    /// All of them, in order.
    pub const ALL: [Self; 2] = [Self::Batching, Self::Warming];

    /// Its name, as that of its flag.
    pub fn name(self) -> &'static str {
        match self {
            Part::Batching => "batching",
            Part::Warming => "warming",
        }
    }

    /// What it means that it has failed.
    pub fn reason(self) -> &'static str {
        match self {
            Part::Batching => "readings for several answers helped none of them",
            Part::Warming => "the cache did not take what was made ahead",
        }
    }
}

/// How a part fares.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// It is used.
    On {
        /// In a row, up to now.
        failures: u32,
    },
    /// It is left out.
    Off {
        /// When it is tried again.
        until: Moment,
    },
}

/// What has become of a part, or that time has passed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// It did what it is for.
    Worked,
    /// It did not.
    Failed,
    /// Perhaps it may be tried again.
    Tick,
}

impl State {
    /// Nothing has failed yet.
    pub const GOOD: Self = Self::On { failures: 0 };

    /// What comes of `event` at `now`.
    pub fn step(self, event: Event, now: Moment) -> Self {
        match (self, event) {
            (Self::On { .. }, Event::Worked) => Self::GOOD,
            (Self::On { failures }, Event::Failed) if failures + 1 < FAILURES_MAX => {
                Self::On { failures: failures + 1 }
            }
            (Self::On { .. }, Event::Failed) => Self::Off { until: now + OFF_TIME },
            // The next failure is the last.
            (Self::Off { until }, Event::Tick) if now >= until => {
                Self::On { failures: FAILURES_MAX - 1 }
            }
            // What was under way when it was switched off may still end.
            (state, _) => state,
        }
    }

    /// True while it is used.
    pub fn is_on(self) -> bool {
        self.tried_again().is_none()
    }

    /// When it is tried again, if it is left out.
    pub fn tried_again(self) -> Option<Moment> {
        match self {
            Self::On { .. } => None,
            Self::Off { until } => Some(until),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn five_in_a_row_are_too_many_and_one_while_it_is_tried() {
        use Event::{Failed, Tick, Worked};
        let at = |seconds| Moment::default() + Duration::from_secs(seconds);
        let on = |failures| State::On { failures };
        let off = |seconds| State::Off { until: at(seconds) };
        let mut state = State::GOOD;
        for (seconds, event, expected) in [
            (0, Tick, on(0)),
            (1, Failed, on(1)),
            (2, Failed, on(2)),
            (3, Worked, on(0)),
            (4, Failed, on(1)),
            (4, Failed, on(2)),
            (500, Tick, on(2)),
            (500, Failed, on(3)),
            (600, Failed, on(4)),
            (1000, Failed, off(1300)),
            (1001, Failed, off(1300)),
            (1001, Worked, off(1300)),
            (1299, Tick, off(1300)),
            (1300, Tick, on(4)),
            (1301, Failed, off(1601)),
            (9999, Tick, on(4)),
            (9999, Worked, on(0)),
        ] {
            state = state.step(event, at(seconds));
            assert_eq!(state, expected, "{seconds} s: {event:?}");
            assert_eq!(state.is_on(), !matches!(expected, State::Off { .. }));
        }
    }
}

//! How long a turn waits for further keys. Pure.
//!
//! Whoever comes alone waits for nobody. While keys come in crowds, a turn that is not full waits
//! for more of them, but no longer than the last turn took: a crowd's wait at most doubles, and
//! what it shares (a reader, a transaction, a reading of the same days) is shared by more.

use std::time::Duration;

use crate::clock::Moment;

/// The recent past of the turns.
pub(super) struct Pace {
    wait_max: Duration,
    /// When the last turn ended, how long it took, and whether it had more than one key.
    last: Option<(Moment, Duration, bool)>,
}

impl Pace {
    /// No turn yet, and none will ever wait longer than this.
    pub(super) fn new(wait_max: Duration) -> Self {
        Self { wait_max, last: None }
    }

    /// How long the turn that begins `now` waits.
    pub(super) fn wait(&self, now: Moment) -> Duration {
        match self.last {
            Some((ended, took, true)) if now.since(ended) <= self.wait_max => {
                took.min(self.wait_max)
            }
            _ => Duration::ZERO,
        }
    }

    /// A turn of so many keys is over.
    pub(super) fn ended(&mut self, began: Moment, now: Moment, keys: usize) {
        self.last = Some((now, now.since(began), keys > 1));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_crowds_wait_and_never_longer_than_the_last_turn_took() {
        let ms = Duration::from_millis;
        let at = |millis| Moment::default() + ms(millis);
        for (took, keys, after, wait) in [
            (3, 1, 0, 0),
            (3, 2, 0, 3),
            (3, 2, 25, 3),
            (3, 2, 26, 0),
            (25, 10, 1, 25),
            (26, 10, 1, 25),
            (0, 10, 1, 0),
        ] {
            let mut pace = Pace::new(ms(25));
            assert_eq!(pace.wait(at(0)), ms(0));
            pace.ended(at(100), at(100 + took), keys);
            assert_eq!(pace.wait(at(100 + took + after)), ms(wait), "{took} {keys} {after}");
        }
    }
}

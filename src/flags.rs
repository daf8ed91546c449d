//! What can be switched off, and what can be turned, at start and while the program runs. Off means
//! the direct way with the same answers.

use std::ops::RangeInclusive;
use std::time::Duration;

/// The switches. Read them once, at the edge, and hand them down as a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Flags {
    /// Keep outbound and database connections for reuse.
    pub connection_pooling: bool,
    /// The request pipeline as a whole.
    pub request_pipeline: bool,
    /// Keep answers for the next asker.
    pub caching: bool,
    /// Make the answers to different questions together.
    pub batching: bool,
    /// Make one answer for all who ask the same at the same time.
    pub deduplication: bool,
    /// Make the answers that displays ask for again and again before they do.
    pub warming: bool,
}

impl Flags {
    /// Everything on.
    pub const ON: Self = Self {
        connection_pooling: true,
        request_pipeline: true,
        caching: true,
        batching: true,
        deduplication: true,
        warming: true,
    };

    /// Everything off.
    pub const OFF: Self = Self {
        connection_pooling: false,
        request_pipeline: false,
        caching: false,
        batching: false,
        deduplication: false,
        warming: false,
    };

    /// What they come to: without the pipeline there are none of its parts, and only what is kept
    /// can be warm.
    pub fn effective(self) -> Self {
        let Self { request_pipeline, caching, .. } = self;
        Self {
            caching: request_pipeline && caching,
            batching: request_pipeline && self.batching,
            deduplication: request_pipeline && self.deduplication,
            warming: request_pipeline && caching && self.warming,
            ..self
        }
    }
}

/// What the pipeline is tuned by; every value keeps it inside its share of the budget.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tuning {
    /// How long the answer about some days lives while nothing changes; other answers in
    /// proportion.
    pub ttl: Duration,
    /// The part of the cache that ranges of days may take, in percent: however many somebody asks
    /// for, what the wall shows stays.
    pub ranges_percent: u32,
    /// Answers made in one turn with one reader.
    pub batch_max: u32,
}

impl Tuning {
    /// Bounds of [`Self::ttl`], in seconds.
    pub const TTL_SECONDS: RangeInclusive<u64> = 60..=1200;
    /// Bounds of [`Self::ranges_percent`].
    pub const RANGES_PERCENT: RangeInclusive<u32> = 10..=90;
    /// Bounds of [`Self::batch_max`].
    pub const BATCH_MAX: RangeInclusive<u32> = 1..=32;

    /// The same within its bounds.
    pub fn within_bounds(self) -> Self {
        let within =
            |value: u32, bounds: RangeInclusive<u32>| value.clamp(*bounds.start(), *bounds.end());
        let (shortest, longest) = Self::TTL_SECONDS.into_inner();
        Self {
            ttl: self.ttl.clamp(Duration::from_secs(shortest), Duration::from_secs(longest)),
            ranges_percent: within(self.ranges_percent, Self::RANGES_PERCENT),
            batch_max: within(self.batch_max, Self::BATCH_MAX),
        }
    }
}

impl Default for Tuning {
    fn default() -> Self {
        // Less than what ends the spare room, or nothing is made ahead while ranges fill theirs.
        Self { ttl: Duration::from_secs(300), ranges_percent: 50, batch_max: 10 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tuning_stops_at_its_bounds() {
        let far = Tuning { ttl: Duration::MAX, ranges_percent: 0, batch_max: 0 };
        let near = Tuning { ttl: Duration::from_secs(1200), ranges_percent: 10, batch_max: 1 };
        assert_eq!(far.within_bounds(), near);
        assert_eq!(Tuning::default().within_bounds(), Tuning::default());
    }

    #[test]
    fn without_the_whole_there_are_no_parts() {
        let only_pooling = Flags { connection_pooling: true, ..Flags::OFF };
        for (set, effective) in [
            (Flags::ON, Flags::ON),
            (Flags { request_pipeline: false, ..Flags::ON }, only_pooling),
            (
                Flags { caching: false, ..Flags::ON },
                Flags { caching: false, warming: false, ..Flags::ON },
            ),
            (Flags { batching: false, ..Flags::ON }, Flags { batching: false, ..Flags::ON }),
        ] {
            assert_eq!(set.effective(), effective);
        }
    }
}

//! What can be switched off, and what can be turned, at start and while the program runs. Off means
//! the direct way with the same answers.
//!
//! [`Flags`] is what counts at one moment; [`switches`] knows who turned what, when and why.

pub mod rollout;
pub mod switches;

use std::ops::RangeInclusive;
use std::time::Duration;

/// The name of a switch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flag {
    /// [`Flags::connection_pooling`].
    ConnectionPooling,
    /// [`Flags::request_pipeline`].
    RequestPipeline,
    /// [`Flags::caching`].
    Caching,
    /// [`Flags::batching`].
    Batching,
    /// [`Flags::deduplication`].
    Deduplication,
    /// [`Flags::warming`].
    Warming,
}

impl Flag {
    /// How many there are.
    pub const COUNT: usize = 6;

    /// All of them, in order.
    pub const ALL: [Self; Self::COUNT] = [
        Self::ConnectionPooling,
        Self::RequestPipeline,
        Self::Caching,
        Self::Batching,
        Self::Deduplication,
        Self::Warming,
    ];

    /// As in the configuration and in every answer.
    pub fn name(self) -> &'static str {
        match self {
            Self::ConnectionPooling => "connection_pooling",
            Self::RequestPipeline => "request_pipeline",
            Self::Caching => "caching",
            Self::Batching => "batching",
            Self::Deduplication => "deduplication",
            Self::Warming => "warming",
        }
    }

    /// The one of this name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|flag| flag.name() == name)
    }
}

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

    /// Whether this one is on.
    pub fn is_on(self, flag: Flag) -> bool {
        let mut flags = self;
        *flags.place(flag)
    }

    /// Turns one.
    pub fn set(&mut self, flag: Flag, on: bool) {
        *self.place(flag) = on;
    }

    fn place(&mut self, flag: Flag) -> &mut bool {
        match flag {
            Flag::ConnectionPooling => &mut self.connection_pooling,
            Flag::RequestPipeline => &mut self.request_pipeline,
            Flag::Caching => &mut self.caching,
            Flag::Batching => &mut self.batching,
            Flag::Deduplication => &mut self.deduplication,
            Flag::Warming => &mut self.warming,
        }
    }

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
    /// How long a turn waits for further keys, in percent of what it may.
    pub batch_wait_percent: u32,
    /// The part of its share that the cache uses, in percent.
    pub cache_percent: u32,
    /// Large views are made, too; off, only those that are in the cache are answered.
    pub large_views: bool,
}

impl Tuning {
    /// Bounds of [`Self::ttl`], in seconds.
    pub const TTL_SECONDS: RangeInclusive<u64> = 60..=1200;
    /// Bounds of [`Self::ranges_percent`].
    pub const RANGES_PERCENT: RangeInclusive<u32> = 10..=90;
    /// Bounds of [`Self::batch_max`].
    pub const BATCH_MAX: RangeInclusive<u32> = 1..=32;
    /// Bounds of [`Self::batch_wait_percent`].
    pub const BATCH_WAIT_PERCENT: RangeInclusive<u32> = 0..=100;
    /// Bounds of [`Self::cache_percent`].
    pub const CACHE_PERCENT: RangeInclusive<u32> = 10..=100;

    /// The same within its bounds.
    pub fn within_bounds(self) -> Self {
        let within =
            |value: u32, bounds: RangeInclusive<u32>| value.clamp(*bounds.start(), *bounds.end());
        let (shortest, longest) = Self::TTL_SECONDS.into_inner();
        Self {
            ttl: self.ttl.clamp(Duration::from_secs(shortest), Duration::from_secs(longest)),
            ranges_percent: within(self.ranges_percent, Self::RANGES_PERCENT),
            batch_max: within(self.batch_max, Self::BATCH_MAX),
            batch_wait_percent: within(self.batch_wait_percent, Self::BATCH_WAIT_PERCENT),
            cache_percent: within(self.cache_percent, Self::CACHE_PERCENT),
            large_views: self.large_views,
        }
    }
}

impl Default for Tuning {
    fn default() -> Self {
        // Less than what ends the spare room, or nothing is made ahead while ranges fill theirs.
        Self {
            ttl: Duration::from_secs(300),
            ranges_percent: 50,
            batch_max: 10,
            batch_wait_percent: 100,
            cache_percent: 100,
            large_views: true,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tuning_stops_at_its_bounds() {
        let default = Tuning::default();
        let far = Tuning { ttl: Duration::MAX, ranges_percent: 0, batch_max: 0, ..default };
        let far = Tuning { batch_wait_percent: 101, cache_percent: 0, ..far };
        let near =
            Tuning { ttl: Duration::from_secs(1200), ranges_percent: 10, batch_max: 1, ..default };
        let near = Tuning { cache_percent: 10, ..near };
        assert_eq!(far.within_bounds(), near);
        assert_eq!(Tuning::default().within_bounds(), Tuning::default());
    }

    #[test]
    fn every_flag_has_a_name_and_a_place_of_its_own() {
        for flag in Flag::ALL {
            assert_eq!(Flag::named(flag.name()), Some(flag));
            let mut flags = Flags::ON;
            flags.set(flag, false);
            let off = Flag::ALL.into_iter().filter(|flag| !flags.is_on(*flag));
            assert_eq!(off.collect::<Vec<_>>(), [flag]);
        }
        assert_eq!(Flag::named("everything"), None);
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

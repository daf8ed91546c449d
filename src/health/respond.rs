//! What the program does of itself against pressure, and takes back. Pure.
//!
//! ```text
//!             memory, processor or heat         memory or processor critical
//!             over its warning                  for `shed_after`
//!   Normal ───────────────────────────> Lean ───────────────────────────> Shedding
//!     ^                                 │  ^                                 │
//!     └──────── neither any more ───────┘  └──── no longer critical ─────────┘
//! ```
//!
//! The posture and the alerts' levels say which [`Action`]s are called for; what changes is
//! started or undone. The alerts do not flutter, and so neither does this.

use std::time::Duration;

use super::alert::Level;
use super::latch::{Latch, Threshold};
use super::settings::Responses;
use super::window::Counters;
use crate::clock::Moment;
use crate::flags::Tuning;
use crate::metrics::{Metric, Metrics};

/// How the program bears itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Posture {
    /// Nothing is scarce.
    #[default]
    Normal,
    /// It makes do with less.
    Lean,
    /// It refuses and puts off what is not on the wall.
    Shedding,
}

impl Posture {
    /// In a word.
    pub fn name(self) -> &'static str {
        match self {
            Self::Normal => "normal",
            Self::Lean => "lean",
            Self::Shedding => "shedding",
        }
    }
}

/// One thing that is done, and undone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// The cache makes do with less of its share.
    EvictCache,
    /// Idle connections are closed, SQLite's pages dropped and free memory given back, once a
    /// minute.
    ReleaseMemory,
    /// One reader of the database is kept.
    ShrinkReaders,
    /// Batches are half as large and wait half as long.
    SmallerBatches,
    /// Nothing is made ahead.
    StopWarming,
    /// Feeds are fetched less often.
    StretchRefresh,
    /// Clients may ask half as often.
    HalveRate,
    /// More outbound connections than are kept may be opened, each for one request.
    GrowPool,
    /// Lifetimes and shares in the cache are adjusted.
    TuneCache,
    /// Large views that are not in the cache are refused.
    RefuseLarge,
    /// No feed is fetched, as long as there is something to show.
    DelayRefresh,
}

impl Action {
    /// How many there are.
    pub const COUNT: usize = 11;

    /// All of them, in order.
    pub const ALL: [Self; Self::COUNT] = [
        Self::EvictCache,
        Self::ReleaseMemory,
        Self::ShrinkReaders,
        Self::SmallerBatches,
        Self::StopWarming,
        Self::StretchRefresh,
        Self::HalveRate,
        Self::GrowPool,
        Self::TuneCache,
        Self::RefuseLarge,
        Self::DelayRefresh,
    ];

    /// In a word.
    pub fn name(self) -> &'static str {
        match self {
            Self::EvictCache => "evict_cache",
            Self::ReleaseMemory => "release_memory",
            Self::ShrinkReaders => "shrink_readers",
            Self::SmallerBatches => "smaller_batches",
            Self::StopWarming => "stop_warming",
            Self::StretchRefresh => "stretch_refresh",
            Self::HalveRate => "halve_rate",
            Self::GrowPool => "grow_pool",
            Self::TuneCache => "tune_cache",
            Self::RefuseLarge => "refuse_large",
            Self::DelayRefresh => "delay_refresh",
        }
    }

    /// How often it was done.
    pub fn metric(self, metrics: &Metrics) -> &Metric {
        match self {
            Self::EvictCache => &metrics.response_evict_cache,
            Self::ReleaseMemory => &metrics.response_release_memory,
            Self::ShrinkReaders => &metrics.response_shrink_readers,
            Self::SmallerBatches => &metrics.response_smaller_batches,
            Self::StopWarming => &metrics.response_stop_warming,
            Self::StretchRefresh => &metrics.response_stretch_refresh,
            Self::HalveRate => &metrics.response_halve_rate,
            Self::GrowPool => &metrics.response_grow_pool,
            Self::TuneCache => &metrics.response_tune_cache,
            Self::RefuseLarge => &metrics.response_refuse_large,
            Self::DelayRefresh => &metrics.response_delay_refresh,
        }
    }
}

/// What is scarce, and how much so.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Pressure {
    /// Memory in use.
    pub memory: Level,
    /// The processor.
    pub cpu: Level,
    /// Heat.
    pub heat: Level,
    /// Outbound connections.
    pub pool: Level,
    /// The cache drops what is asked for again.
    pub thrash: bool,
}

impl Pressure {
    /// True when this pressure, in this posture, calls for an action.
    pub fn calls_for(&self, action: Action, posture: Posture) -> bool {
        let [memory, cpu, heat, pool] =
            [self.memory, self.cpu, self.heat, self.pool].map(|level| level > Level::Quiet);
        match action {
            Action::EvictCache | Action::ReleaseMemory | Action::ShrinkReaders => memory,
            Action::SmallerBatches | Action::HalveRate => cpu,
            Action::StopWarming | Action::StretchRefresh => cpu || heat,
            Action::GrowPool => pool,
            Action::TuneCache => self.thrash,
            Action::RefuseLarge => posture == Posture::Shedding,
            Action::DelayRefresh => posture == Posture::Shedding && memory,
        }
    }
}

/// What has become of an action.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// It is done from now on.
    Start(Action),
    /// It is done once more.
    Again(Action),
    /// It is done no longer.
    Undo(Action),
}

/// Memory is released once in this time, as long as it is scarce.
const RELEASE_INTERVAL: Duration = Duration::from_secs(60);

/// Posture, actions and adjustments as they stand.
#[derive(Clone, Debug, Default)]
pub struct State {
    posture: Posture,
    shed: Latch,
    /// Since when each action is under way.
    active: [Option<Moment>; Action::COUNT],
    released: Moment,
    tuned: Moment,
    cache: CacheTuning,
}

/// How far the cache is from what is configured.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct CacheTuning {
    /// Doublings of the lifetimes.
    ttl_doublings: u32,
    /// Added to the ranges' percentage.
    ranges: i32,
}

impl State {
    /// How the program bears itself.
    pub fn posture(&self) -> Posture {
        self.posture
    }

    /// Whether an action is under way.
    pub fn is_active(&self, action: Action) -> bool {
        self.active_since(action).is_some()
    }

    /// Since when an action is under way.
    pub fn active_since(&self, action: Action) -> Option<Moment> {
        self.active[action as usize]
    }

    /// What the pressure of `now` calls for, each change told once. `lately` is what the cache has
    /// done since it was adjusted last.
    pub fn step(
        &mut self,
        pressure: &Pressure,
        lately: Option<&Counters>,
        settings: &Responses,
        now: Moment,
        mut tell: impl FnMut(Change),
    ) {
        self.posture = self.next_posture(pressure, settings, now);
        for action in Action::ALL {
            let is_called_for = settings.enabled && pressure.calls_for(action, self.posture);
            let was_active = self.is_active(action);
            let since = &mut self.active[action as usize];
            match (was_active, is_called_for) {
                (false, true) => {
                    *since = Some(now);
                    tell(Change::Start(action));
                }
                (true, false) => {
                    *since = None;
                    tell(Change::Undo(action));
                }
                _ => {}
            }
            match action {
                Action::ReleaseMemory if !was_active => self.released = now,
                Action::ReleaseMemory if now.since(self.released) >= RELEASE_INTERVAL => {
                    self.released = now;
                    if is_called_for {
                        tell(Change::Again(action));
                    }
                }
                Action::TuneCache if !is_called_for => self.cache = CacheTuning::default(),
                Action::TuneCache
                    if !was_active || now.since(self.tuned) >= settings.thrash_hold =>
                {
                    self.tuned = now;
                    self.cache = lately.map_or(self.cache, |lately| self.cache.adjusted(lately));
                    if was_active {
                        tell(Change::Again(action));
                    }
                }
                _ => {}
            }
        }
    }

    fn next_posture(&mut self, pressure: &Pressure, settings: &Responses, now: Moment) -> Posture {
        let worst = pressure.memory.max(pressure.cpu);
        let critical = Threshold {
            enter: 1.0,
            exit: 1.0,
            hold: settings.shed_after,
            exit_hold: Duration::ZERO,
        };
        let is_critical = if worst == Level::Critical { 1.0 } else { 0.0 };
        let sheds = self.shed.step(Some(is_critical), &critical, now);
        match worst.max(pressure.heat) {
            _ if sheds => Posture::Shedding,
            Level::Quiet => Posture::Normal,
            Level::Warning | Level::Critical => Posture::Lean,
        }
    }

    /// What the pipeline is tuned by while these actions are under way.
    pub fn tuned(&self, configured: Tuning, pressure: &Pressure) -> Tuning {
        let mut tuning = configured;
        if self.is_active(Action::TuneCache) {
            tuning.ttl = configured.ttl * (1 << self.cache.ttl_doublings);
            tuning.ranges_percent =
                configured.ranges_percent.saturating_add_signed(self.cache.ranges);
        }
        if self.is_active(Action::SmallerBatches) {
            tuning.batch_max = configured.batch_max.div_ceil(2);
            tuning.batch_wait_percent = 50;
        }
        if self.is_active(Action::EvictCache) {
            // The steps that the cache itself has, and at the last only what is hot.
            tuning.cache_percent = if pressure.memory == Level::Critical { 35 } else { 70 };
        }
        tuning.large_views = !self.is_active(Action::RefuseLarge);
        tuning.within_bounds()
    }
}

impl CacheTuning {
    /// The next step, away from whatever makes the cache miss. What runs out lives longer; of what
    /// must make room for others, the smaller part gets more of it.
    fn adjusted(self, lately: &Counters) -> Self {
        let Counters { cache_expired, ranges_evicted, others_evicted, .. } = *lately;
        let mut next = self;
        if cache_expired > ranges_evicted + others_evicted {
            next.ttl_doublings = (self.ttl_doublings + 1).min(2);
        }
        if others_evicted > ranges_evicted {
            next.ranges = (self.ranges - 10).max(-40);
        } else if ranges_evicted > 0 {
            // More would end the room in which answers are made ahead.
            next.ranges = (self.ranges + 5).min(15);
        }
        next
    }
}

/// The part of all that were asked for, in percent, that the cache had; and how many it dropped for
/// a hundred of them. `None` as long as it was not asked often enough to tell.
pub fn cache_fares(lately: &Counters) -> Option<(f32, f32)> {
    let Counters { cache_hits: hits, cache_misses: misses, .. } = *lately;
    let asked = hits + misses;
    if asked < ASKED_MIN {
        return None;
    }
    let dropped = lately.ranges_evicted + lately.others_evicted;
    Some((percent(hits, asked), percent(dropped, hits)))
}

/// Fewer requests than this tell nothing of the cache.
const ASKED_MIN: u64 = 100;

fn percent(part: u64, whole: u64) -> f32 {
    100.0 * part as f32 / whole.max(1) as f32
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::usual_health;

    fn at(second: u64) -> Moment {
        Moment::default() + Duration::from_secs(second)
    }

    fn responses() -> Responses {
        usual_health().responses
    }

    #[test]
    fn each_pressure_calls_for_its_actions_and_for_no_others() {
        use Action::*;
        let quiet = Pressure::default();
        let warning = Level::Warning;
        for (pressure, posture, expected) in [
            (quiet, Posture::Normal, vec![]),
            (
                Pressure { memory: warning, ..quiet },
                Posture::Lean,
                vec![EvictCache, ReleaseMemory, ShrinkReaders],
            ),
            (
                Pressure { memory: Level::Critical, ..quiet },
                Posture::Shedding,
                vec![EvictCache, ReleaseMemory, ShrinkReaders, RefuseLarge, DelayRefresh],
            ),
            (
                Pressure { cpu: warning, ..quiet },
                Posture::Lean,
                vec![SmallerBatches, StopWarming, StretchRefresh, HalveRate],
            ),
            (
                Pressure { cpu: Level::Critical, ..quiet },
                Posture::Shedding,
                vec![SmallerBatches, StopWarming, StretchRefresh, HalveRate, RefuseLarge],
            ),
            (
                Pressure { heat: Level::Critical, ..quiet },
                Posture::Lean,
                vec![StopWarming, StretchRefresh],
            ),
            (Pressure { pool: warning, ..quiet }, Posture::Normal, vec![GrowPool]),
            (Pressure { thrash: true, ..quiet }, Posture::Normal, vec![TuneCache]),
        ] {
            let mut state = State::default();
            let mut started = Vec::new();
            for second in [0, 30] {
                state.step(&pressure, None, &responses(), at(second), |change| match change {
                    Change::Start(action) => started.push(action),
                    Change::Again(_) => {}
                    Change::Undo(action) => panic!("{action:?}"),
                });
            }
            assert_eq!((state.posture(), started), (posture, expected.clone()), "{pressure:?}");
            let mut undone = Vec::new();
            state.step(&quiet, None, &responses(), at(31), |change| match change {
                Change::Undo(action) => undone.push(action),
                other => panic!("{other:?}"),
            });
            assert_eq!((state.posture(), undone), (Posture::Normal, expected));
            assert_eq!(state.tuned(Tuning::default(), &quiet), Tuning::default());
        }
    }

    #[test]
    fn work_is_refused_only_while_a_critical_figure_resists() {
        let critical = Pressure { memory: Level::Critical, ..Pressure::default() };
        let warning = Pressure { memory: Level::Warning, ..Pressure::default() };
        let mut state = State::default();
        for (second, pressure, posture) in [
            (0, critical, Posture::Lean),
            (29, critical, Posture::Lean),
            (30, critical, Posture::Shedding),
            (31, warning, Posture::Lean),
            (32, critical, Posture::Lean),
            (62, critical, Posture::Shedding),
            (63, Pressure::default(), Posture::Normal),
        ] {
            state.step(&pressure, None, &responses(), at(second), |_| {});
            assert_eq!(state.posture(), posture, "{second}");
        }
    }

    #[test]
    fn nothing_is_done_where_responses_are_off() {
        let pressure = Pressure { memory: Level::Critical, thrash: true, ..Pressure::default() };
        let settings = Responses { enabled: false, ..responses() };
        let mut state = State::default();
        for second in [0, 60] {
            state.step(&pressure, None, &settings, at(second), |change| panic!("{change:?}"));
        }
        assert_eq!(state.tuned(Tuning::default(), &pressure), Tuning::default());
    }

    #[test]
    fn memory_is_released_once_a_minute() {
        let pressure = Pressure { memory: Level::Warning, ..Pressure::default() };
        let mut state = State::default();
        let mut again = Vec::new();
        for second in 0..=180 {
            state.step(&pressure, None, &responses(), at(second), |change| {
                if change == Change::Again(Action::ReleaseMemory) {
                    again.push(second);
                }
            });
        }
        assert_eq!(again, [60, 120, 180]);
    }

    #[test]
    fn the_cache_is_tuned_away_from_what_makes_it_miss_and_within_bounds() {
        let counters = Counters { cache_hits: 10, cache_misses: 90, ..Counters::default() };
        let minutes = |ttl: u64| Duration::from_secs(60 * ttl);
        for (lately, ttl, ranges) in [
            (Counters { cache_expired: 90, ..counters }, [10, 20, 20, 20, 20, 20], [50; 6]),
            (Counters { ranges_evicted: 90, ..counters }, [5; 6], [55, 60, 65, 65, 65, 65]),
            (Counters { others_evicted: 90, ..counters }, [5; 6], [40, 30, 20, 10, 10, 10]),
        ] {
            let pressure = Pressure { thrash: true, ..Pressure::default() };
            let mut state = State::default();
            for (step, (ttl, ranges)) in (0..).zip(ttl.into_iter().zip(ranges)) {
                state.step(&pressure, Some(&lately), &responses(), at(300 * step), |_| {});
                let tuned = state.tuned(Tuning::default(), &pressure);
                assert_eq!((tuned.ttl, tuned.ranges_percent), (minutes(ttl), ranges), "{lately:?}");
            }
        }
        assert_eq!(cache_fares(&counters), Some((10.0, 0.0)));
        assert_eq!(cache_fares(&Counters { cache_hits: 99, ..Counters::default() }), None);
        let flood = Counters { cache_hits: 50, cache_misses: 50, ranges_evicted: 60, ..counters };
        assert_eq!(cache_fares(&flood), Some((50.0, 120.0)));
    }
}

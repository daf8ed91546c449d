//! What must be read for a view: how far that reaches, and when one reading does for several.

use jiff::Timestamp;

use crate::http::route::Table;

/// So many times as many are read where those were not enough, and again until they are. All that
/// is read so is at most half as much again as the last reading.
const GROWTH: usize = 3;

/// What a view is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::pipeline) enum Scope {
    /// No events.
    Nothing,
    /// How many events each pattern of the settings matches.
    Matches,
    /// Something about the database itself.
    Table(Table),
    /// The last meeting of today that is over, and so many entries from now on.
    Ahead { wanted: usize },
    /// What touches a window, so many events at most.
    Range { from: Timestamp, to: Timestamp, limit: usize },
}

impl Scope {
    /// True when one reading does for both, which are in order.
    pub(super) fn overlaps(self, next: Self) -> bool {
        match (self, next) {
            (Scope::Ahead { .. }, Scope::Ahead { .. }) => true,
            // One without an end is mostly cut off, and no use to others then.
            (Scope::Range { to, .. }, Scope::Range { from, to: end, .. }) => {
                from < to && to.max(end) < Timestamp::MAX
            }
            _ => false,
        }
    }

    /// From when to when a range goes.
    pub(in crate::pipeline) fn window(self, now: Timestamp) -> (Timestamp, Timestamp) {
        match self {
            Scope::Range { from, to, .. } => (from, to),
            Scope::Ahead { .. } => (now, Timestamp::MAX),
            Scope::Nothing | Scope::Matches | Scope::Table(_) => (now, now),
        }
    }

    /// More of the same, once so many were found; `None` when there is no more to be had.
    pub(super) fn wider(self, found: usize, events_max: usize) -> Option<Self> {
        let more = |count: usize| {
            // One that ends before so many has met another bound.
            let is_full = found >= count && count < events_max;
            is_full.then_some((GROWTH * count).min(events_max))
        };
        match self {
            Scope::Ahead { wanted } => more(wanted).map(|wanted| Scope::Ahead { wanted }),
            Scope::Range { from, to, limit } => {
                more(limit).map(|limit| Scope::Range { from, to, limit })
            }
            Scope::Nothing | Scope::Matches | Scope::Table(_) => None,
        }
    }

    pub(super) fn union(self, other: Self) -> Self {
        match (self, other) {
            (Scope::Ahead { wanted: a }, Scope::Ahead { wanted: b }) => {
                Scope::Ahead { wanted: a.max(b) }
            }
            (Scope::Range { from, to, limit }, Scope::Range { from: start, to: end, .. }) => {
                Scope::Range { from: from.min(start), to: to.max(end), limit }
            }
            (scope, _) => scope,
        }
    }
}

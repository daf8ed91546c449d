//! What is counted of cached answers: of all, and of each kind.

use super::Pipeline;
use super::cache::Evicted;
use super::key::Kind;
use crate::metrics::{Metric, Metrics};

/// The same figures of one kind, or of all.
pub(super) struct Figures<'m> {
    pub(super) hits: &'m Metric,
    pub(super) misses: &'m Metric,
    pub(super) expired: &'m Metric,
    pub(super) invalidated: &'m Metric,
    pub(super) evicted: &'m Metric,
}

impl<'m> Figures<'m> {
    fn of_all(metrics: &'m Metrics) -> Self {
        Self {
            hits: &metrics.cache_hits,
            misses: &metrics.cache_misses,
            expired: &metrics.cache_expired,
            invalidated: &metrics.cache_invalidated,
            evicted: &metrics.cache_evicted,
        }
    }

    fn of(kind: Kind, metrics: &'m Metrics) -> Self {
        match kind {
            Kind::WhatsNext => Self {
                hits: &metrics.whats_next_hits,
                misses: &metrics.whats_next_misses,
                expired: &metrics.whats_next_expired,
                invalidated: &metrics.whats_next_invalidated,
                evicted: &metrics.whats_next_evicted,
            },
            Kind::Range => Self {
                hits: &metrics.ranges_hits,
                misses: &metrics.ranges_misses,
                expired: &metrics.ranges_expired,
                invalidated: &metrics.ranges_invalidated,
                evicted: &metrics.ranges_evicted,
            },
            Kind::Setup => Self {
                hits: &metrics.setup_hits,
                misses: &metrics.setup_misses,
                expired: &metrics.setup_expired,
                invalidated: &metrics.setup_invalidated,
                evicted: &metrics.setup_evicted,
            },
        }
    }
}

/// Counts one more of a figure.
pub(super) fn count(
    metrics: &Metrics,
    kind: Kind,
    figure: for<'f, 'm> fn(&'f Figures<'m>) -> &'m Metric,
) {
    figure(&Figures::of_all(metrics)).count();
    figure(&Figures::of(kind, metrics)).count();
}

/// Counts what had to make room.
pub(super) fn count_evicted(metrics: &Metrics, evicted: Evicted) {
    for (kind, count) in Kind::ALL.into_iter().zip(evicted) {
        metrics.cache_evicted.add(count);
        Figures::of(kind, metrics).evicted.add(count);
    }
}

impl Pipeline {
    /// What the cache holds now.
    pub(super) fn gauge(&self) {
        let (metrics, cache) = (&self.sources.metrics, self.cache.borrow());
        metrics.cache_entries.set(cache.len() as u64);
        metrics.cache_bytes.set(cache.weight_bytes() as u64);
        metrics.cache_bytes_peak.raise(cache.weight_bytes() as u64);
        metrics.memory.cache.set(cache.weight_bytes());
    }
}

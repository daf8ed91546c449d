//! What a person may set lower than the budget has it. Never higher: the budget is the bound.

use std::time::Duration;

use super::limits::{Limits, PipelineLimits};

/// Limits of one's own; `None` leaves the plan's.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Ceilings {
    /// [`super::RefreshLimits::outbound_total`].
    pub outbound_total: Option<usize>,
    /// [`super::RefreshLimits::outbound_per_origin`].
    pub outbound_per_origin: Option<usize>,
    /// [`super::DatabaseLimits::readers_max`].
    pub readers_max: Option<usize>,
    /// [`PipelineLimits::cache_entries_max`].
    pub cache_entries_max: Option<usize>,
    /// [`PipelineLimits::cache_bytes_max`].
    pub cache_bytes_max: Option<usize>,
    /// [`PipelineLimits::batch_wait_max`], in milliseconds.
    pub batch_wait_ms: Option<usize>,
}

/// A ceiling that is higher than the plan's.
#[derive(Debug, PartialEq)]
pub struct TooHigh {
    /// Its name in the configuration.
    pub key: &'static str,
    /// What was asked for.
    pub asked: usize,
    /// What the plan has room for.
    pub possible: usize,
}

impl Ceilings {
    /// Puts them in the place of higher limits, and says which of them are not lower.
    pub fn lower(&self, limits: &mut Limits) -> Vec<TooHigh> {
        let PipelineLimits { cache_entries_max, cache_bytes_max, batch_wait_max, .. } =
            &mut limits.pipeline;
        let mut batch_wait_ms = batch_wait_max.as_millis() as usize;
        let refresh = &mut limits.refresh;
        let mut too_high = Vec::new();
        for (key, limit, ceiling) in [
            ("outbound.connections", &mut refresh.outbound_total, self.outbound_total),
            (
                "outbound.connections_per_host",
                &mut refresh.outbound_per_origin,
                self.outbound_per_origin,
            ),
            ("database.readers", &mut limits.database.readers_max, self.readers_max),
            ("pipeline.cache_entries", cache_entries_max, self.cache_entries_max),
            ("pipeline.cache_memory", cache_bytes_max, self.cache_bytes_max),
            ("pipeline.batch_wait_ms", &mut batch_wait_ms, self.batch_wait_ms),
        ] {
            let Some(asked) = ceiling else { continue };
            if asked > *limit {
                too_high.push(TooHigh { key, asked, possible: *limit });
            }
            *limit = asked.min(*limit);
        }
        *batch_wait_max = Duration::from_millis(batch_wait_ms as u64);
        refresh.outbound_per_origin = refresh.outbound_per_origin.min(refresh.outbound_total);
        too_high
    }
}

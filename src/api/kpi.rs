//! The twelve figures that the older documents measured success by, each worked out from what is
//! counted. `None` where there is nothing to compare yet.

use super::stats::Seen;
use crate::metrics::Metric;
use crate::metrics::histogram::percentile;

/// One of them.
pub struct Kpi {
    /// Its name in the older documents.
    pub name: &'static str,
    /// What one unit of it is.
    pub unit: &'static str,
    /// What it says, and from what.
    pub help: &'static str,
    value: fn(&Seen<'_>) -> Option<f64>,
}

impl Kpi {
    pub(super) fn value(&self, seen: &Seen<'_>) -> Option<f64> {
        (self.value)(seen).filter(|value| value.is_finite())
    }
}

const fn kpi(
    name: &'static str,
    unit: &'static str,
    help: &'static str,
    value: fn(&Seen<'_>) -> Option<f64>,
) -> Kpi {
    Kpi { name, unit, help, value }
}

/// All of them, in the order of the older documents.
pub const KPIS: [Kpi; 12] = [
    kpi(
        "pool_memory_usage",
        "bytes",
        "What the connections to feed servers and the database use",
        |seen| Some(pool_bytes(seen)),
    ),
    kpi("cache_memory_usage", "bytes", "What the cache uses", |seen| Some(cache_bytes(seen))),
    kpi("total_optimization_memory", "bytes", "Both together", |seen| {
        Some(pool_bytes(seen) + cache_bytes(seen))
    }),
    kpi("memory_pressure_level", "ratio", "What all terms use, of the budget", |seen| {
        ratio(seen.metrics.memory.used() as f64, seen.plan.limits.budget_bytes as f64)
    }),
    kpi(
        "avg_request_latency",
        "milliseconds",
        "From a whole request to its answer handed to the socket, on average since the start",
        |seen| {
            let durations = &seen.metrics.request_seconds;
            ratio(durations.sum_us() as f64 / 1000.0, durations.count() as f64)
        },
    ),
    kpi(
        "connection_pool_hit_rate",
        "ratio",
        "Uses of an open connection, to feed servers and to the database, of all uses",
        |seen| {
            let metrics = seen.metrics;
            let reused = value(&metrics.outbound_reused) + value(&metrics.readers_reused);
            let opened = value(&metrics.outbound_opened) + value(&metrics.readers_opened);
            ratio(reused, reused + opened)
        },
    ),
    kpi("cache_hit_rate", "ratio", "Views answered from the cache, of all views", |seen| {
        let hits = value(&seen.metrics.cache_hits);
        ratio(hits, hits + value(&seen.metrics.cache_misses))
    }),
    kpi(
        "p95_latency_improvement",
        "ratio",
        "By how much the 95th percentile of all requests is below that of making an answer, which \
         each would take without a cache",
        |seen| {
            let requests = percentile(&seen.metrics.request_seconds.counts(), 95)? as f64;
            let made = percentile(&seen.metrics.made_seconds.counts(), 95)? as f64;
            ratio(made - requests, made)
        },
    ),
    kpi(
        "cpu_utilization_reduction",
        "ratio",
        "The time that answers from the cache would have taken to make, of that and the CPU time \
         taken",
        |seen| {
            let made = &seen.metrics.made_seconds;
            let each = ratio(made.sum_us() as f64 / 1e6, made.count() as f64)?;
            let saved = each * value(&seen.metrics.cache_hits);
            let taken = seen.machine.cpu.as_secs_f64();
            ratio(saved, saved + taken).filter(|_| taken > 0.0)
        },
    ),
    kpi(
        "event_loop_efficiency",
        "requests per turn",
        "Requests answered in one turn of the server's loop, on average",
        |seen| {
            let answered = seen.metrics.request_seconds.count() as f64;
            ratio(answered, value(&seen.metrics.http_turns))
        },
    ),
    kpi(
        "batching_effectiveness",
        "ratio",
        "Turns of the pipeline that were saved because several keys shared one",
        |seen| {
            let drained = value(&seen.metrics.pipeline_drained);
            ratio(drained - value(&seen.metrics.pipeline_turns), drained)
        },
    ),
    kpi(
        "thermal_impact",
        "degrees Celsius",
        "By how much the machine is hotter than it was when it was coolest since the start",
        |seen| Some(f64::from(seen.machine.celsius? - seen.machine.coolest?)),
    ),
];

fn pool_bytes(seen: &Seen<'_>) -> f64 {
    (seen.metrics.memory.outbound.used() + seen.metrics.memory.database.used()) as f64
}

fn cache_bytes(seen: &Seen<'_>) -> f64 {
    seen.metrics.memory.cache.used() as f64
}

fn value(metric: &Metric) -> f64 {
    metric.get() as f64
}

fn ratio(part: f64, whole: f64) -> Option<f64> {
    (whole > 0.0).then(|| part / whole)
}

//! Every metric of the program, declared once: its name, its unit and what it counts.
//!
//! The table below makes the storage, and it is what `/stats`, `/metrics` and docs/METRICS.md show.
//! One thread counts, so a metric is a plain [`Cell`]: no atomics, no lock. Any room may count;
//! `health` and `api` read, and a pool its own figures for its share of reuse.

pub mod histogram;
pub mod memory;
pub mod requests;

use std::cell::Cell;

use self::histogram::Histogram;
use self::memory::Memory;
use self::requests::Requests;

/// What a metric's number means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Only ever rises while the process lives.
    Counter,
    /// The value of this moment.
    Gauge,
}

/// One metric as `/stats` and the documents show it.
#[derive(Clone, Copy, Debug)]
pub struct Reading {
    /// `section.name`, as in the table.
    pub name: &'static str,
    /// What `/metrics` calls it where that is not made from [`Self::name`]; empty when it is not
    /// there by itself, since it follows from others or is in no base unit.
    family: Option<&'static str>,
    /// Counter or gauge.
    pub kind: Kind,
    /// What one unit of the value is.
    pub unit: &'static str,
    /// What it counts.
    pub help: &'static str,
    /// The value now.
    pub value: u64,
}

impl Reading {
    /// The metric family in `/metrics`, without the `_total` of a counter's samples; `None` when
    /// there is none.
    pub fn family(&self) -> Option<String> {
        match self.family {
            Some("") => None,
            Some(family) => Some(family.to_owned()),
            None => Some(format!("calendarbot_{}", self.name.replace('.', "_"))),
        }
    }
}

/// A metric's storage.
#[derive(Default)]
pub struct Metric(Cell<u64>);

impl Metric {
    /// One more.
    pub fn count(&self) {
        self.add(1);
    }

    /// `n` more.
    pub fn add(&self, n: u64) {
        self.0.set(self.0.get().wrapping_add(n));
    }

    /// Takes a gauge to this value.
    pub fn set(&self, value: u64) {
        self.0.set(value);
    }

    /// Raises a gauge to this value if it is higher: a high-water mark.
    pub fn raise(&self, value: u64) {
        self.0.set(self.0.get().max(value));
    }

    /// The value now.
    pub fn get(&self) -> u64 {
        self.0.get()
    }
}

macro_rules! metrics {
    ($($field:ident: $kind:ident $name:literal $(as $family:literal)? $unit:literal $help:literal;)*) => {
        /// Every metric, by name.
        #[derive(Default)]
        pub struct Metrics {
            $(#[doc = $help] pub $field: Metric,)*
            /// From a whole request to its answer handed to the socket, refusals (4xx) apart.
            pub request_seconds: Histogram,
            /// The same while only some clients have the pipeline, without the loop's share: of
            /// those that have it.
            pub seconds_with_pipeline: Histogram,
            /// And of the others.
            pub seconds_without_pipeline: Histogram,
            /// What it takes to make an answer that is not in the cache.
            pub made_seconds: Histogram,
            /// Answers by route, method and status.
            pub requests: Requests,
            /// What the terms of the budget use.
            pub memory: Memory,
        }

        impl Metrics {
            /// All of them in the table's order.
            pub fn readings(&self) -> impl Iterator<Item = Reading> + '_ {
                [$(Reading {
                    name: $name, family: None$(.or(Some($family)))?, kind: Kind::$kind,
                    unit: $unit, help: $help, value: self.$field.get(),
                }),*].into_iter()
            }
        }
    };
}

metrics! {
    slab_slots: Gauge "slab.slots" "connections" "Connections that there is room for";
    slab_used: Gauge "slab.used" "connections" "Connections open now";
    slab_peak: Gauge "slab.peak" "connections" "Most connections open at once";
    slab_evicted: Counter "slab.evicted" "connections" "Connections closed to make room for a new client";
    slab_refused: Counter "slab.refused" "connections" "Clients answered 503 because no slot could be freed";
    accept_errors: Counter "slab.accept_errors" "errors" "Failed accepts, such as no file descriptor left";
    deadline_closed: Counter "slab.deadline_closed" "connections" "Connections closed because a deadline passed";
    http_turns: Counter "http.turns" "turns" "Turns of the server's loop in which requests were answered, and not only refused";
    http_requests: Counter "http.requests" as "" "requests" "Requests answered";
    http_rejected: Counter "http.rejected" "requests" "Requests refused by the framing rules";
    http_limited: Counter "http.limited" "requests" "Requests answered 429 because their client asked too often";
    http_5xx: Counter "http.server_errors" as "" "requests" "Answers with a 5xx status";
    http_failed: Counter "http.failed" "requests" "Requests that the program has failed: answered 500, or their view could not be made; nothing that is refused on purpose";
    http_bytes_in: Counter "http.bytes_in" as "calendarbot_http_received_bytes" "bytes" "Bytes read from clients";
    http_bytes_out: Counter "http.bytes_out" as "calendarbot_http_sent_bytes" "bytes" "Bytes written to clients";
    streams: Gauge "streams.open" as "calendarbot_streams" "connections" "Clients that are told of changes as they happen";
    streams_opened: Counter "streams.opened" "connections" "Clients that have begun to be told of changes";
    streams_refused: Counter "streams.refused" "requests" "Clients that were not, since all places were taken";
    streams_dropped: Counter "streams.dropped" "connections" "Clients that were told no more: they did not read, sent more, or others needed the place";
    loop_late_ms: Gauge "loop.late_ms" as "" "milliseconds" "How late the governor was woken last: as long as anybody waits for the loop";
    cache_entries: Gauge "cache.entries" "answers" "Answers in the cache";
    cache_bytes: Gauge "cache.bytes" "bytes" "Weight of the cache";
    cache_bytes_peak: Gauge "cache.bytes_peak" as "calendarbot_cache_peak_bytes" "bytes" "Most the cache has weighed";
    cache_hits: Counter "cache.hits" "requests" "Requests answered from the cache";
    cache_misses: Counter "cache.misses" "requests" "Requests whose answer had to be made";
    cache_expired: Counter "cache.expired" "answers" "Answers found too old";
    cache_invalidated: Counter "cache.invalidated" "answers" "Answers found to be of older data or settings";
    cache_evicted: Counter "cache.evicted" "answers" "Answers dropped to make room";
    whats_next_hits: Counter "cache.whats_next_hits" "requests" "What's-next views: answered from the cache";
    whats_next_misses: Counter "cache.whats_next_misses" "requests" "What's-next views: answers that had to be made";
    whats_next_expired: Counter "cache.whats_next_expired" "answers" "What's-next views: found too old";
    whats_next_invalidated: Counter "cache.whats_next_invalidated" "answers" "What's-next views: found to be of older data or settings";
    whats_next_evicted: Counter "cache.whats_next_evicted" "answers" "What's-next views: dropped to make room";
    ranges_hits: Counter "cache.ranges_hits" "requests" "Ranges of days: answered from the cache";
    ranges_misses: Counter "cache.ranges_misses" "requests" "Ranges of days: answers that had to be made";
    ranges_expired: Counter "cache.ranges_expired" "answers" "Ranges of days: found too old";
    ranges_invalidated: Counter "cache.ranges_invalidated" "answers" "Ranges of days: found to be of older data or settings";
    ranges_evicted: Counter "cache.ranges_evicted" "answers" "Ranges of days: dropped to make room";
    setup_hits: Counter "cache.setup_hits" "requests" "What is set up: answered from the cache";
    setup_misses: Counter "cache.setup_misses" "requests" "What is set up: answers that had to be made";
    setup_expired: Counter "cache.setup_expired" "answers" "What is set up: found too old";
    setup_invalidated: Counter "cache.setup_invalidated" "answers" "What is set up: found to be of older data or settings";
    setup_evicted: Counter "cache.setup_evicted" "answers" "What is set up: dropped to make room";
    pipeline_joined: Counter "pipeline.joined" "requests" "Requests that joined one already being answered";
    pipeline_turns: Counter "pipeline.turns" "turns" "Turns of the pipeline, each with one reader";
    pipeline_drained: Counter "pipeline.drained" "keys" "Keys that were taken into turns; beside the turns, how large a batch is";
    pipeline_waited: Counter "pipeline.waited" "turns" "Turns that waited for further keys";
    pipeline_readings: Counter "pipeline.readings" "readings" "Readings of the database for answers";
    pipeline_shared: Counter "pipeline.shared" "answers" "Answers made from a reading for several";
    pipeline_warmed: Counter "pipeline.warmed" "answers" "Answers made before anybody asked";
    pipeline_warming_cancelled: Counter "pipeline.warming_cancelled" "times" "Times that nothing was made ahead because room was short or somebody waited";
    pipeline_rendered: Counter "pipeline.rendered" "answers" "Answers made";
    pipeline_refused: Counter "pipeline.refused" "requests" "Requests answered 503 because the queue was full";
    pipeline_failed: Counter "pipeline.failed" "answers" "Answers that could not be made";
    pipeline_parts_off: Gauge "pipeline.parts_off" "parts" "Parts that are left out for five minutes because they failed again and again";
    rollout_percent: Gauge "pipeline.rollout_percent" "percent" "The part of all clients that have the pipeline";
    outbound_opened: Counter "connections.outbound_opened" "connections" "Connections opened to feed servers";
    outbound_reused: Counter "connections.outbound_reused" "connections" "Requests to feed servers on a connection that was open already";
    outbound_reuse_percent: Gauge "connections.outbound_reuse_percent" as "" "percent" "Share of the latter in both";
    outbound_active: Gauge "connections.outbound_active" "connections" "Connections to feed servers in use";
    outbound_idle: Gauge "connections.outbound_idle" "connections" "Connections to feed servers kept for reuse";
    outbound_expired: Counter "connections.outbound_expired" "connections" "Idle ones closed because they had waited long enough";
    outbound_evicted: Counter "connections.outbound_evicted" "connections" "Idle ones closed because room or memory was needed";
    outbound_refused: Counter "connections.outbound_refused" "connections" "Times that all that are set aside were in use";
    outbound_beyond: Counter "connections.outbound_beyond" "connections" "Connections beyond those that are set aside, each for one request";
    outbound_discarded: Counter "connections.outbound_discarded" "connections" "Idle ones that had ended, or had bytes on them that nobody had asked for";
    outbound_retried: Counter "connections.outbound_retried" "requests" "Requests sent again because a kept connection was dead";
    handshakes_full: Counter "connections.handshakes_full" "handshakes" "TLS sessions begun with feed servers";
    handshakes_resumed: Counter "connections.handshakes_resumed" "handshakes" "TLS sessions gone on with, which costs half";
    readers_active: Gauge "connections.database_active" "connections" "Readers of the database lent now";
    readers_idle: Gauge "connections.database_idle" "connections" "Readers of the database kept for the next lease";
    readers_opened: Counter "connections.database_opened" "connections" "Readers of the database opened, while the one who needed it waited";
    readers_reused: Counter "connections.database_reused" "leases" "Leases that got a reader that was open";
    readers_reopened: Counter "connections.database_reopened" "connections" "Readers of the database opened in the place of one that had failed";
    readers_failed: Counter "connections.database_failed" "reads" "Reads that failed, or for which no reader could be opened";
    readers_leaked: Counter "connections.database_leaked" "leases" "Readers of the database taken back because their lease was forgotten";
    readers_reuse_percent: Gauge "connections.database_reuse_percent" as "" "percent" "Readers of the database that were reused, of all that were wanted";
    database_commits: Counter "database.commits" "transactions" "Transactions committed";
    database_failed: Counter "database.failed" "transactions" "Transactions that failed; the old data stayed";
    database_batched: Counter "database.batched" "changes" "Changes that went into transactions";
    database_waiting_peak: Gauge "database.waiting_peak" "changes" "Most changes that waited for the writer at once";
    database_reopened: Counter "database.reopened" "connections" "Times that the writer was opened again after an error";
    database_writable: Gauge "database.writable" "yes or no" "1 when the last transaction could be written, else 0";
    database_heap_limit: Gauge "database.heap_limit" as "calendarbot_database_heap_limit_bytes" "bytes" "SQLite's hard limit on its memory, as read back";
    refreshes: Counter "feeds.refreshes" "refreshes" "Refreshes that ended well, with or without changes";
    refreshes_unchanged: Counter "feeds.unchanged" "refreshes" "Refreshes that wrote nothing because nothing had changed";
    refreshes_waited: Counter "feeds.waited" "refreshes" "Refreshes that waited for others to end";
    refreshes_failed: Counter "feeds.failed" "refreshes" "Refreshes that failed; the old data stayed";
    components_read: Counter "feeds.components" "components" "Events and time zones read from feeds";
    components_skipped: Counter "feeds.skipped" "components" "Malformed components skipped";
    feed_bytes: Counter "feeds.bytes" as "calendarbot_feeds_read_bytes" "bytes" "Bytes of feeds read, decoded";
    memory_rss: Gauge "memory.rss" as "process_resident_memory_bytes" "bytes" "Resident set of the process";
    memory_pss: Gauge "memory.pss" as "calendarbot_memory_proportional_bytes" "bytes" "Resident set of the process, pages shared with others in part; read every ten seconds at most";
    memory_rss_file: Gauge "memory.rss_file" as "calendarbot_memory_resident_file_bytes" "bytes" "The part of it that is pages of files, the program's own first of all: Linux takes them back when memory is short";
    memory_rss_peak: Gauge "memory.rss_peak" as "calendarbot_memory_resident_peak_bytes" "bytes" "Largest resident set so far";
    heap_used: Gauge "memory.heap" as "calendarbot_memory_heap_bytes" "bytes" "Bytes the program's own allocator has handed out";
    heap_peak: Gauge "memory.heap_peak" as "calendarbot_memory_heap_peak_bytes" "bytes" "Most it has handed out at once";
    heap_allocations: Counter "memory.allocations" "allocations" "Allocations made since the start; a reallocation is one";
    disk_written: Counter "disk.written" as "calendarbot_disk_written_bytes" "bytes" "Bytes that the program has had written to storage";
    disk_written_per_day: Gauge "disk.written_per_day" as "" "bytes" "The same for a day, at the rate since the start";
    threads: Gauge "threads.now" as "process_threads" "threads" "Threads of the process";
    alert_memory_usage_mb: Gauge "alerts.memory_usage_mb" as "calendarbot_alert_memory_level" "level" "Memory in use: 0 is quiet, 1 a warning, 2 critical";
    alert_request_latency_ms: Gauge "alerts.request_latency_ms" as "calendarbot_alert_request_latency_level" "level" "How long answers take: 0 is quiet, 1 a warning, 2 critical";
    alert_cpu_usage_percent: Gauge "alerts.cpu_usage_percent" as "calendarbot_alert_cpu_level" "level" "The processor: 0 is quiet, 1 a warning, 2 critical";
    alert_error_rate_percent: Gauge "alerts.error_rate_percent" as "calendarbot_alert_errors_level" "level" "Answers that say that the server failed: 0 is quiet, 1 a warning, 2 critical";
    alert_connection_pool_exhaustion: Gauge "alerts.connection_pool_exhaustion" as "calendarbot_alert_connection_pool_level" "level" "Connections to feed servers: 0 is quiet, 1 a warning, 2 critical";
    alert_cache_memory_pressure: Gauge "alerts.cache_memory_pressure" as "calendarbot_alert_cache_level" "level" "The cache's share: 0 is quiet, 1 a warning, 2 critical";
    alert_temperature: Gauge "alerts.temperature" as "calendarbot_alert_temperature_level" "level" "The machine's heat: 0 is quiet, 1 a warning, 2 critical";
    alert_feed_stale: Gauge "alerts.feed_stale" as "calendarbot_alert_feed_stale_level" "level" "The age of what is shown: 0 is quiet, 1 a warning, 2 critical";
    alert_clock_not_set: Gauge "alerts.clock_not_set" as "calendarbot_alert_clock_not_set_level" "level" "Nobody knows what time it is: 0 is quiet, 1 a warning, 2 critical";
    alert_store_errors: Gauge "alerts.store_errors" as "calendarbot_alert_store_errors_level" "level" "The database: 0 is quiet, 1 a warning, 2 critical";
    alert_disk_low: Gauge "alerts.disk_low" as "calendarbot_alert_disk_low_level" "level" "Room on the disk: 0 is quiet, 1 a warning, 2 critical";
    alert_budget_term_over: Gauge "alerts.budget_term_over" as "calendarbot_alert_budget_term_over_level" "level" "Terms of the budget over their share: 0 is quiet, 1 a warning, 2 critical";
    alerts_entered: Counter "alerts.entered" "alerts" "Alerts that became worse";
    alerts_posted: Counter "alerts.posted" "posts" "Alerts that the webhook has taken";
    alerts_not_posted: Counter "alerts.not_posted" "posts" "Alerts that it has not, however often it was tried";
    posture: Gauge "responses.posture" as "calendarbot_posture_level" "level" "0 is normal, 1 lean, 2 shedding";
    response_evict_cache: Counter "responses.evict_cache" "times" "Times that the cache made do with less";
    response_release_memory: Counter "responses.release_memory" "times" "Times that idle connections were closed and free memory was given back";
    response_shrink_readers: Counter "responses.shrink_readers" "times" "Times that only one reader of the database was kept";
    response_smaller_batches: Counter "responses.smaller_batches" "times" "Times that batches were halved";
    response_stop_warming: Counter "responses.stop_warming" "times" "Times that nothing was made ahead";
    response_stretch_refresh: Counter "responses.stretch_refresh" "times" "Times that feeds were fetched less often";
    response_halve_rate: Counter "responses.halve_rate" "times" "Times that clients might ask half as often";
    response_grow_pool: Counter "responses.grow_pool" "times" "Times that more outbound connections were allowed than are kept";
    response_tune_cache: Counter "responses.tune_cache" "times" "Times that lifetimes and shares in the cache were adjusted";
    response_refuse_large: Counter "responses.refuse_large" "times" "Times that large views were refused";
    response_delay_refresh: Counter "responses.delay_refresh" "times" "Times that no feed was fetched";
    responses_undone: Counter "responses.undone" "times" "Responses taken back";
    responses_active: Gauge "responses.active" "responses" "Responses under way";
    rollback_parts_off: Gauge "rollback.parts_off" "parts" "Parts that are off because they did harm";
    rollback_switched_off: Counter "rollback.switched_off" "times" "Times that a part was switched off";
    rollback_brought_back: Counter "rollback.brought_back" "times" "Times that one was switched on again";
    rollback_reverts: Counter "rollback.reverts" "times" "Times that the program went back to the last good configuration";
    rollback_slower: Gauge "rollback.slower" "yes or no" "1 while this version is slower than the last one";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unique_and_have_a_section() {
        let metrics = Metrics::default();
        let mut names: Vec<&str> = metrics.readings().map(|reading| reading.name).collect();
        assert!(names.iter().all(|name| name.split('.').count() == 2));
        names.sort_unstable();
        let all = names.len();
        names.dedup();
        assert_eq!(names.len(), all);
    }

    #[test]
    fn names_in_the_exposition_are_unique_and_base_units() {
        let metrics = Metrics::default();
        let mut families = Vec::new();
        for reading in metrics.readings() {
            let Some(family) = reading.family() else { continue };
            assert!(!family.ends_with("_total") && !families.contains(&family), "{family}");
            if reading.unit == "bytes" {
                assert!(family.ends_with("_bytes"), "{family}");
            }
            families.push(family);
        }
        assert!(families.len() > 80);
    }

    #[test]
    fn a_high_water_mark_only_rises() {
        let metric = Metric::default();
        metric.raise(7);
        metric.raise(3);
        assert_eq!(metric.get(), 7);
    }
}

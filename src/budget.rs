//! From one number, the memory budget of the whole process, to every limit in the program.
//!
//! [`Plan::new`] divides the budget into named terms and derives [`Limits`] from them. What
//! follows from the budget grows with it; what follows from a protocol or from what people can
//! see on a screen does not. If the terms do not fit, the program prints the plan and refuses to
//! start: a limit that can be broken is no limit.

mod ceilings;
mod limits;
mod show;

use std::time::Duration;

pub use ceilings::{Ceilings, TooHigh};
pub use limits::*;
pub use show::show_bytes;

use crate::error::{Error, Result};

const KIB: usize = 1024;
const MIB: usize = 1024 * KIB;

/// The least budget that the smallest configuration fits in.
pub const BUDGET_BYTES_MIN: usize = 8 * MIB;
/// More than this buys nothing: every limit has reached its natural size.
pub const BUDGET_BYTES_MAX: usize = 1024 * MIB;

/// A machine with at most this much memory gets the small default: a Pi Zero 2W has half of it.
const SMALL_MACHINE_BYTES: u64 = 1 << 30;

/// The budget where none is configured, on a machine with so much memory, if that is known.
pub fn default_bytes(machine_bytes: Option<u64>) -> usize {
    let is_small = machine_bytes.is_none_or(|bytes| bytes <= SMALL_MACHINE_BYTES);
    if is_small { 16 * MIB } else { 32 * MIB }
}

/// One line of the plan.
#[derive(Clone, Debug, PartialEq)]
pub struct Term {
    /// What the memory is for.
    pub name: &'static str,
    /// How much is set aside.
    pub bytes: usize,
    /// The sum behind it.
    pub reason: String,
}

/// A memory budget, divided.
#[derive(Clone, Debug, PartialEq)]
pub struct Plan {
    /// What the program derives its behaviour from.
    pub limits: Limits,
    /// Every term of the sum.
    pub terms: Vec<Term>,
}

/// The program itself: the pages of the binary and of libc that it works with, stacks, the executor,
/// the allocator's slack, time-zone data. Measured with the demo calendar; the next constant says how.
const PROGRAM_BYTES: usize = 5 * MIB + 256 * KIB;
/// Pages of the binary and its libraries that the program works with, at most; a part of the share
/// of the term `program`. In a life with answers of all kinds and a refresh it touches 2.0 MiB of the
/// binary, and less than 1.8 MiB of libc and the loader, which others touch, too (`Referenced` in
/// `smaps`, after `clear_refs`).
///
/// Linux maps what lies around a page along with it, as far as it is cached anyway: some 2 MiB more
/// are resident, which it takes back before anything else. They are in `memory.rss_file`.
pub const PROGRAM_FILE_BYTES_MAX: u64 = 3840 << 10;
/// A connection's struct, its place in the slab's lists, and the kernel's socket itself.
const SLOT_OVERHEAD_BYTES: usize = 512;
/// What is known of one client's rate, with its place in the table.
const RATE_BYTES: usize = 96;
/// A rustls client connection at its handshake's peak: two 16 KiB records and the certificates.
pub const TLS_BYTES: usize = 64 * KIB;
/// An occurrence while its series is expanded, with the room for three eighths more, and once more
/// as the row that it is stored as.
const OCCURRENCE_BYTES: usize = 110 + 50;
/// An EXDATE or RDATE while its series is expanded: as read, and once more in order.
pub const EXCEPTION_BYTES: usize = 40 + 24;
/// Warnings of one feed, and reasons for skipping, that are kept for people to read: the first few
/// tell the story.
pub const NOTES_MAX: usize = 10;
/// What is shown of a UID in one of them: Outlook's are told apart by their hundredth character.
pub const NOTE_UID_BYTES_MAX: usize = 120;
/// A feed's status, validators and notes, each with its UID and a sentence.
const FEED_BYTES: usize = 2 * KIB + 2 * NOTES_MAX * (NOTE_UID_BYTES_MAX + 184);
/// Bands that the occurrences of a feed are counted in, by their distance from today, when it has too
/// many: of an hour and a half with 60 days.
pub const DISTANCE_BANDS: usize = 1024;
/// Components of a feed that are deleted together, their numbers in memory: it may lose all of its
/// own at once.
pub const DELETED_AT_ONCE_MAX: usize = 256;
/// What health remembers of the last minutes, and of the alerts and what was done about them.
pub const HEALTH_BYTES: usize = 7 * KIB + 512;
/// A file of certificate authorities: the public ones together have 220 KB.
pub const CA_FILE_BYTES_MAX: u64 = MIB as u64;
/// The longest that the body of a feed may take, whatever is configured for it: where one refresh
/// goes on at a time, all others wait for its end.
pub const BODY_SECONDS_MAX: u64 = 300;
/// Bytes of a gzip body that are decoded at once: a few dozen kilobytes of calendar.
pub const GZIP_WIRE_BYTES: usize = 2 * KIB;
/// What decodes a gzip body: its window and tables, as measured, and what was received.
pub const GZIP_BYTES: usize = 46 * KIB + GZIP_WIRE_BYTES;
/// Zones of the database that are kept for the next who asks, about 3 KiB each; a part of
/// [`PROGRAM_BYTES`].
pub const ZONES_KEPT_MAX: usize = 32;
/// A change of offset of a zone that a feed defines: jiff keeps it in UTC and in both local times.
pub const ONSET_BYTES: usize = 40;
/// An event with its texts, in a view and in the JSON or HTML made of it.
const VIEW_EVENT_BYTES: usize = 1536;
/// Points of the history, one for every five minutes of a day, and the figures of each. The answer
/// that tells them is made like a view, one at a time, and is smaller than the largest.
pub const HISTORY_POINTS: usize = 288;
/// See [`HISTORY_POINTS`].
pub const HISTORY_FIGURES: usize = 8;
/// SQLite's schema, statements and bookkeeping of a reader, page cache apart.
const CONNECTION_BYTES: usize = 64 * KIB;
/// The same of the writer, which has two schemas, some twenty statements and sorters.
const WRITER_BYTES: usize = 192 * KIB;

impl Plan {
    /// Divides `budget_bytes` for a configuration with `feeds` feeds.
    ///
    /// # Errors
    /// When the terms do not fit, with the whole plan in the message.
    pub fn new(budget_bytes: usize, feeds: usize, feed: FeedLimits) -> Result<Self> {
        Self::divide(budget_bytes, feeds, feed).fitting()
    }

    /// The plan itself, if its terms fit.
    ///
    /// # Errors
    /// When they do not, with the whole plan in the message.
    pub fn fitting(self) -> Result<Self> {
        let (needed, budget) = (self.total_bytes(), self.limits.budget_bytes);
        if needed > budget {
            return Err(Error::config(format!(
                "the memory budget of {} cannot hold this configuration; it needs {}\n\n{self}",
                show_bytes(budget),
                show_bytes(needed),
            )));
        }
        Ok(self)
    }

    /// The same without refusing, for printing.
    pub fn divide(budget_bytes: usize, feeds: usize, feed: FeedLimits) -> Self {
        Self::lowered(budget_bytes, feeds, feed, &Ceilings::default())
    }

    /// The same with limits of one's own.
    pub fn lowered(
        budget_bytes: usize,
        feeds: usize,
        feed: FeedLimits,
        ceilings: &Ceilings,
    ) -> Self {
        let http = http_limits(budget_bytes);
        let pipeline = pipeline_limits(budget_bytes);
        let database = database_limits(budget_bytes, ceilings.readers_max);
        let refresh = refresh_limits(budget_bytes);
        let feed = feed_limits(budget_bytes, feed);
        let people = PeopleLimits::new(budget_bytes, feed.text_bytes_max);
        let heap_bytes_max = budget_bytes.saturating_sub(PROGRAM_BYTES + database.heap_bytes_max);
        let mut limits = Limits {
            budget_bytes,
            heap_bytes_max,
            http,
            pipeline,
            database,
            refresh,
            feed,
            people,
        };
        ceilings.lower(&mut limits);
        let terms = terms(&limits, feeds);
        Self { limits, terms }
    }

    /// The sum of all terms.
    pub fn total_bytes(&self) -> usize {
        self.terms.iter().map(|term| term.bytes).sum()
    }
}

fn http_limits(budget_bytes: usize) -> HttpLimits {
    let slots = (budget_bytes / (128 * KIB)).clamp(64, 512);
    let (head_bytes_max, body_bytes_max, chunk_overhead_bytes_max) = (8 * KIB, 64 * KIB, 4 * KIB);
    let socket_send_bytes = 8 * KIB;
    HttpLimits {
        slots,
        backlog: 4 * slots,
        recent_heads: 8,
        recent_head_bytes_max: KIB,
        listeners_max: 4,
        rate_addresses_max: slots,
        rate_burst_seconds: 4,
        rate_made_tokens: 4,
        streams_max: slots / 4,
        exports_max: (budget_bytes / (8 * MIB)).clamp(1, 4),
        slots_per_address_max: slots / 2,
        slot_buffer_bytes: 2 * KIB,
        large_buffers: (budget_bytes / (8 * MIB)).clamp(1, 16),
        large_buffer_bytes: head_bytes_max + body_bytes_max + chunk_overhead_bytes_max,
        head_bytes_max,
        target_bytes_max: 4 * KIB,
        headers_max: 64,
        body_bytes_max,
        chunk_overhead_bytes_max,
        socket_receive_bytes: 2 * KIB,
        socket_send_bytes,
        blocked_max: slots / 4,
        outgoing_bytes_max: budget_bytes / 96,
        answer_bytes_at_once: 2 * socket_send_bytes,
        progress_bytes_min: 4 * KIB,
        grace_time: Duration::from_secs(1),
        head_time: Duration::from_secs(10),
        body_time: Duration::from_secs(20),
        write_time: Duration::from_secs(10),
        idle_time: Duration::from_secs(15),
        idle_pressed_time: Duration::from_secs(1),
        linger_time: Duration::from_secs(2),
        linger_bytes_max: 256 * KIB,
        drain_time: Duration::from_secs(5),
    }
}

fn pipeline_limits(budget_bytes: usize) -> PipelineLimits {
    let view_events_max = (budget_bytes / (41 * KIB)).clamp(200, 2000);
    PipelineLimits {
        cache_bytes_max: budget_bytes / 48,
        cache_entries_max: 1000,
        cache_entry_bytes_max: 100 * KIB,
        pending_keys_max: 64,
        batch_wait_max: Duration::from_millis(25),
        warm_keys_max: 16,
        warm_lead: Duration::from_secs(2),
        view_events_max,
        view_bytes_max: view_events_max * VIEW_EVENT_BYTES,
        view_rows_max: 20_000,
    }
}

fn database_limits(budget_bytes: usize, readers_asked: Option<usize>) -> DatabaseLimits {
    let readers_max = (budget_bytes / (8 * MIB)).clamp(1, 4);
    let readers_max = readers_asked.map_or(readers_max, |asked| asked.min(readers_max));
    let reader_cache_bytes = (budget_bytes / 128).clamp(64 * KIB, MIB);
    let writer_cache_bytes = (budget_bytes / 40).clamp(192 * KIB, 4 * MIB);
    let work_bytes = (budget_bytes / 32).clamp(256 * KIB, 4 * MIB);
    DatabaseLimits {
        readers_max,
        reader_idle_time: Duration::from_secs(60),
        lease_time: Duration::from_secs(30),
        reader_cache_bytes,
        writer_cache_bytes,
        heap_bytes_max: with_headers(writer_cache_bytes)
            + readers_max * with_headers(reader_cache_bytes)
            + readers_max * CONNECTION_BYTES
            + WRITER_BYTES
            + work_bytes,
        journal_bytes_max: MIB,
        write_queue_max: 64,
        write_batch_max: 10,
    }
}

/// What SQLite holds for so many bytes of pages: each has a header, some 7 % of it.
fn with_headers(page_bytes: usize) -> usize {
    page_bytes + page_bytes / 14
}

fn refresh_limits(budget_bytes: usize) -> RefreshLimits {
    // From 8 connections at 16 MiB, 2 an origin, to 100 and 30 at 100 MB.
    let mib = budget_bytes / MIB;
    let outbound_total = if mib < 16 { 2 } else { (8 + (mib - 16) * 92 / 79).min(100) };
    RefreshLimits {
        feeds_max: 32,
        at_once: (budget_bytes / (8 * MIB)).clamp(1, 4),
        outbound_total,
        outbound_per_origin: (outbound_total * 3 / 10).max(1),
        read_buffer_bytes: 16 * KIB,
        seen_bytes_max: (budget_bytes / 512).min(64 * KIB),
        stage_bytes_max: (budget_bytes / 256).clamp(32 * KIB, 64 * KIB),
        connect_time: Duration::from_secs(10),
        first_byte_time: Duration::from_secs(10),
        answer_time: Duration::from_secs(90),
        body_time: Duration::from_secs(30),
        body_time_max: Duration::from_secs(BODY_SECONDS_MAX),
        body_bytes_per_second_min: 64 * KIB,
        redirects_max: 5,
        head_bytes_max: 16 * KIB,
        interim_max: 8,
        outbound_idle_time: Duration::from_secs(30),
        // Two intervals of most feeds; routers forget connections that are silent for longer.
        outbound_idle_time_max: Duration::from_secs(600),
        outbound_idle_time_margin: Duration::from_secs(1),
        nudge_interval: Duration::from_secs(30),
        backoff_floor: Duration::from_secs(5),
        backoff_min: Duration::from_secs(30),
        backoff_max: Duration::from_secs(3600),
        backoff_refused_max: Duration::from_secs(6 * 3600),
    }
}

/// What one feed may hold, cut down where the budget is a small one.
fn feed_limits(budget_bytes: usize, feed: FeedLimits) -> FeedLimits {
    if budget_bytes >= 16 * MIB {
        return feed;
    }
    FeedLimits {
        occurrences_max: feed.occurrences_max.min(1_000),
        exceptions_max: feed.exceptions_max.min(1_000),
        series_bytes_max: feed.series_bytes_max.min(72 * KIB),
        component_bytes_max: feed.component_bytes_max.min(160 * KIB),
        zones_max: feed.zones_max.min(2),
        zone_onsets_max: feed.zone_onsets_max.min(300),
        ..feed
    }
}

fn terms(limits: &Limits, feeds: usize) -> Vec<Term> {
    let Limits { http, pipeline, database, refresh, feed, people, .. } = limits;
    let term = |name, bytes, reason| Term { name, bytes, reason };
    let (full_sockets, socket_bytes) = (http.blocked_max, http.socket_bytes());
    let refresh_bytes = refresh.read_buffer_bytes
        + refresh.head_bytes_max
        + feed.line_bytes_max
        + feed.component_bytes_max
        + GZIP_BYTES
        + 2 * refresh.stage_bytes_max
        + refresh.seen_bytes_max;
    vec![
        term(
            "program",
            PROGRAM_BYTES,
            "pages of the binary that it works with, stacks, executor, time zones, as measured"
                .into(),
        ),
        term(
            "connections",
            http.slots * (http.slot_buffer_bytes + SLOT_OVERHEAD_BYTES)
                + http.rate_addresses_max * RATE_BYTES
                + http.recent_heads * (http.recent_head_bytes_max + SLOT_OVERHEAD_BYTES),
            format!(
                "{} slots of {} + {} bytes, the rates of {} clients, {} heads",
                http.slots,
                http.slot_buffer_bytes,
                SLOT_OVERHEAD_BYTES,
                http.rate_addresses_max,
                http.recent_heads
            ),
        ),
        term(
            "socket buffers",
            full_sockets * socket_bytes,
            format!(
                "{full_sockets} that are full, of {socket_bytes} bytes each, the kernel's doubling included"
            ),
        ),
        term(
            "large requests",
            http.large_buffers * http.large_buffer_bytes,
            format!(
                "{} buffers of {} bytes: head, body, chunk overhead",
                http.large_buffers, http.large_buffer_bytes
            ),
        ),
        term(
            "cache",
            pipeline.cache_bytes_max,
            "a forty-eighth of the budget, or less by configuration".into(),
        ),
        term(
            "slow readers",
            http.outgoing_bytes_max,
            "answers half sent, one for all who are sent it: a ninety-sixth of the budget".into(),
        ),
        term(
            "views",
            pipeline.view_bytes_max,
            format!(
                "{} events of {} bytes or fewer larger ones, one answer at a time",
                pipeline.view_events_max, VIEW_EVENT_BYTES
            ),
        ),
        term(
            "database",
            database.heap_bytes_max,
            format!(
                "pages of the writer {} KiB and of {} readers {} KiB, schemas, statements at work",
                database.writer_cache_bytes / KIB,
                database.readers_max,
                database.reader_cache_bytes / KIB,
            ),
        ),
        term(
            "refreshes",
            refresh.at_once * refresh_bytes,
            format!(
                "{} at once, {} KiB each: read buffer, gzip window, line, component, staging, marks",
                refresh.at_once,
                refresh_bytes / KIB
            ),
        ),
        term(
            "expansion",
            feed.occurrences_max * OCCURRENCE_BYTES
                + feed.exceptions_max * EXCEPTION_BYTES
                + feed.series_bytes_max
                + DISTANCE_BANDS * size_of::<u32>()
                + feed.zones_max * feed.zone_onsets_max * ONSET_BYTES,
            format!(
                "one series: {} occurrences, {} exceptions, {} KiB of components; {} zones",
                feed.occurrences_max,
                feed.exceptions_max,
                feed.series_bytes_max / KIB,
                feed.zones_max
            ),
        ),
        term(
            "outbound",
            refresh.outbound_total * TLS_BYTES,
            format!("{} TLS connections of {} KiB", refresh.outbound_total, TLS_BYTES / KIB),
        ),
        term("health", HEALTH_BYTES, "the figures of five minutes, alerts and responses".into()),
        term("feeds", feeds * FEED_BYTES, format!("{feeds} configured, {FEED_BYTES} bytes each")),
        term(
            "history",
            HISTORY_POINTS * HISTORY_FIGURES * size_of::<f32>(),
            format!("a day: {HISTORY_POINTS} points of {HISTORY_FIGURES} figures"),
        ),
        term(
            "people",
            people.bytes_max + (people.wishes_max + 1) * people.id_bytes_max,
            format!(
                "what they skip, hide and set in {} KiB; {} ids of {} bytes that are to be stored",
                people.bytes_max / KIB,
                people.wishes_max + 1,
                people.id_bytes_max
            ),
        ),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_budget_holds_its_plan_or_is_refused_with_it() {
        for mib in [8, 16, 32, 100, 1024] {
            let plan = Plan::new(mib * MIB, 4, FeedLimits::default())
                .unwrap_or_else(|error| panic!("{mib} MiB: {error}"));
            assert!(plan.total_bytes() <= mib * MIB);
        }
        let fits = |budget: usize| Plan::new(budget, 4, FeedLimits::default());
        let too_small = (0..=BUDGET_BYTES_MIN).rev().step_by(KIB).find(|kib| fits(*kib).is_err());
        let too_small = too_small.unwrap();
        assert!(fits(too_small + KIB).is_ok());
        let error = fits(too_small).unwrap_err();
        assert_eq!(error.exit_code(), 78);
        assert!(error.to_string().contains("missing"));
    }

    #[test]
    fn ceilings_lower_the_plan_and_never_raise_it() {
        let plan = |ceilings| Plan::lowered(16 * MIB, 1, FeedLimits::default(), &ceilings);
        let (mut whole, none) = (plan(Ceilings::default()), Ceilings::default());
        assert_eq!(none.lower(&mut whole.limits), []);
        let least = Ceilings {
            outbound_total: Some(1),
            outbound_per_origin: None,
            readers_max: Some(1),
            cache_entries_max: Some(1),
            cache_bytes_max: Some(16 * KIB),
            batch_wait_ms: Some(0),
        };
        let small = plan(least);
        let Limits { pipeline, database, refresh, .. } = &small.limits;
        assert_eq!((refresh.outbound_total, refresh.outbound_per_origin), (1, 1));
        assert_eq!((database.readers_max, pipeline.cache_entries_max), (1, 1));
        assert_eq!((pipeline.cache_bytes_max, pipeline.batch_wait_max), (16 * KIB, Duration::ZERO));
        for name in ["cache", "database", "outbound"] {
            let bytes =
                |plan: &Plan| plan.terms.iter().find(|term| term.name == name).unwrap().bytes;
            assert!(bytes(&small) < bytes(&whole), "{name}");
        }
        let more = Ceilings { readers_max: Some(3), cache_entries_max: Some(1000), ..none };
        let too_high = TooHigh { key: "database.readers", asked: 3, possible: 2 };
        assert_eq!(more.lower(&mut whole.limits), [too_high]);
        assert_eq!(plan(more).limits, plan(Ceilings::default()).limits);
    }

    #[test]
    fn the_roadmap_s_pool_is_reached_at_a_hundred_megabytes() {
        let refresh = refresh_limits(100_000_000);
        assert_eq!((refresh.outbound_total, refresh.outbound_per_origin), (100, 30));
        let refresh = refresh_limits(16 * MIB);
        assert_eq!((refresh.outbound_total, refresh.outbound_per_origin), (8, 2));
    }
}

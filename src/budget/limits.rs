//! Every limit of the program, by room: what it bounds and, where a protocol asks for it, which
//! status a peer gets that passes it.

use std::time::Duration;

use super::{KIB, MIB};

/// Every limit of the program. Sizes are bytes, times are durations; the last word of a name
/// says which.
#[derive(Clone, Debug, PartialEq)]
pub struct Limits {
    /// The budget that all of this was derived from.
    pub budget_bytes: usize,
    /// The budget without the program's own pages and SQLite's heap: when the program's allocator
    /// has handed out more, it gives up what it can do without.
    pub heap_bytes_max: usize,
    /// Inbound connections.
    pub http: HttpLimits,
    /// Answers: cached, pending, being made.
    pub pipeline: PipelineLimits,
    /// SQLite connections and the queue of changes.
    pub database: DatabaseLimits,
    /// Outbound connections and refreshes.
    pub refresh: RefreshLimits,
    /// What one feed may hold.
    pub feed: FeedLimits,
    /// What people skip, hide and set.
    pub people: PeopleLimits,
}

/// Limits of the HTTP/1 server.
#[derive(Clone, Debug, PartialEq)]
pub struct HttpLimits {
    /// Connections open at once; each has a slot that is allocated at start.
    pub slots: usize,
    /// Clients that the kernel holds for each socket until they are accepted. When it is full,
    /// clients believe to be connected that are not, and try again for seconds.
    pub backlog: usize,
    /// Requests for views that are known by their bytes.
    pub recent_heads: usize,
    /// A longer one is looked at anew each time.
    pub recent_head_bytes_max: usize,
    /// Sockets listened on at once.
    pub listeners_max: usize,
    /// Clients whose rate of requests is known; the one that was seen longest ago makes room.
    pub rate_addresses_max: usize,
    /// Requests at once are this many times those of a second.
    pub rate_burst_seconds: u32,
    /// Requests that one counts for besides itself when its answer has to be made: that takes a
    /// Pi a hundred times as long as one from the cache, and everybody waits for it.
    pub rate_made_tokens: u32,
    /// Slots of clients that are told of changes as they happen (`/events`); one more is a 503, and
    /// so is one of an address that has a quarter of them, loopback exempt.
    pub streams_max: usize,
    /// Clients that a feed is read out to at once; the same holds for them.
    pub exports_max: usize,
    /// Slots that one address may hold, so that one machine cannot take them all. Loopback is
    /// exempt: a proxy lives there.
    pub slots_per_address_max: usize,
    /// The buffer of each slot: enough for every request that a browser sends for a page.
    pub slot_buffer_bytes: usize,
    /// Buffers for requests that outgrow their slot's; none free is a 503.
    pub large_buffers: usize,
    /// One of them: the largest head, body and chunk overhead together.
    pub large_buffer_bytes: usize,
    /// A request's head, counted on the bytes received (431).
    pub head_bytes_max: usize,
    /// A request's target alone (414).
    pub target_bytes_max: usize,
    /// Header fields (431).
    pub headers_max: usize,
    /// A request's body, decoded (413).
    pub body_bytes_max: usize,
    /// Chunk sizes, extensions and trailers of one body (413).
    pub chunk_overhead_bytes_max: usize,
    /// `SO_RCVBUF` of each connection, as asked for; the kernel doubles it.
    pub socket_receive_bytes: usize,
    /// `SO_SNDBUF` of each connection, as asked for; the kernel doubles it.
    pub socket_send_bytes: usize,
    /// Clients that have left their sockets full: a quarter of the slots. When it is one more, the
    /// slowest loses its answer; when nobody is slow, the next large answer is a 503.
    pub blocked_max: usize,
    /// Answers that clients have yet to take, all together, each divided among those who hold it.
    /// When it is more, those who are slow lose theirs; when nobody is, the next large answer is a
    /// 503. One alone may be larger; what it takes beyond this is not there for the next view.
    pub outgoing_bytes_max: usize,
    /// What an idle connection's socket takes at once; a larger answer is one that waits.
    pub answer_bytes_at_once: usize,
    /// Taking so much of an answer is progress: less, however often, is not.
    pub progress_bytes_min: usize,
    /// Who has been in a state, or without progress in it, for less than this is not slow.
    pub grace_time: Duration,
    /// From the first byte of a request to the end of its head.
    pub head_time: Duration,
    /// From the end of the head to the end of the body.
    pub body_time: Duration,
    /// Without any progress in sending an answer.
    pub write_time: Duration,
    /// Between two requests.
    pub idle_time: Duration,
    /// Between two requests while more than four fifths of the slots are taken.
    pub idle_pressed_time: Duration,
    /// After the last byte of a closing answer, for the client to read it.
    pub linger_time: Duration,
    /// Bytes thrown away while lingering.
    pub linger_bytes_max: usize,
    /// How long a stop waits for answers under way.
    pub drain_time: Duration,
}

impl HttpLimits {
    /// How many of so many places one address may have: a quarter, and one in any case.
    pub fn places_per_address_max(places: usize) -> usize {
        (places / 4).max(1)
    }

    /// What the kernel holds for a connection whose buffers are full.
    pub fn socket_bytes(&self) -> usize {
        2 * (self.socket_receive_bytes + self.socket_send_bytes)
    }
}

/// Limits of the request pipeline.
#[derive(Clone, Debug, PartialEq)]
pub struct PipelineLimits {
    /// Weight of all cached answers: key, head, body and overhead.
    pub cache_bytes_max: usize,
    /// Number of cached answers.
    pub cache_entries_max: usize,
    /// Weight of one; a heavier answer is served and not kept.
    pub cache_entry_bytes_max: usize,
    /// Answers waiting to be made.
    pub pending_keys_max: usize,
    /// A turn that is not full waits no longer for further keys.
    pub batch_wait_max: Duration,
    /// Answers made ahead of time at once.
    pub warm_keys_max: usize,
    /// How long before an answer runs out the next one is made.
    pub warm_lead: Duration,
    /// Events in one answer; more are cut off, and the answer says so.
    pub view_events_max: usize,
    /// The same in bytes: the events, and the texts of them that the answer repeats.
    pub view_bytes_max: usize,
    /// Rows that are looked at for one answer, those that nobody is shown included; with more, the
    /// answer says that something is missing. The loop waits for it.
    pub view_rows_max: usize,
}

/// Limits of the SQLite connections.
#[derive(Clone, Debug, PartialEq)]
pub struct DatabaseLimits {
    /// Readers kept open on the loop.
    pub readers_max: usize,
    /// A reader that is idle for this long is closed, but for the last.
    pub reader_idle_time: Duration,
    /// A lease that is older has been forgotten; its reader is taken back.
    pub lease_time: Duration,
    /// Page cache of each reader.
    pub reader_cache_bytes: usize,
    /// Page cache of the writer, staging included.
    pub writer_cache_bytes: usize,
    /// SQLite's own hard limit on its heap, over all connections.
    pub heap_bytes_max: usize,
    /// The write-ahead log is cut back to this after a checkpoint.
    pub journal_bytes_max: usize,
    /// Changes waiting for the writer.
    pub write_queue_max: usize,
    /// Changes that share one transaction.
    pub write_batch_max: usize,
}

/// Limits of refreshing feeds.
#[derive(Clone, Debug, PartialEq)]
pub struct RefreshLimits {
    /// Feeds in the configuration.
    pub feeds_max: usize,
    /// Refreshes under way at once.
    pub at_once: usize,
    /// Outbound connections, in use and kept for reuse.
    pub outbound_total: usize,
    /// Those of one origin that are kept for reuse.
    pub outbound_per_origin: usize,
    /// One read from a feed server.
    pub read_buffer_bytes: usize,
    /// Components handed to the writer at once.
    pub stage_bytes_max: usize,
    /// Marks of the components of one refresh that are stored already: 16 bytes for 64 that follow
    /// each other. A refresh of more writes to the staging file, even when nothing has changed.
    pub seen_bytes_max: usize,
    /// Looking up, connecting and the TLS handshake, each.
    pub connect_time: Duration,
    /// From the request to the answer's head.
    pub first_byte_time: Duration,
    /// From the beginning of a fetch to the head of the answer that is read: everything that
    /// redirects add up to.
    pub answer_time: Duration,
    /// The whole body: this much, and a second more for every [`Self::body_bytes_per_second_min`].
    pub body_time: Duration,
    /// The same, however long the body is: other feeds wait for it.
    pub body_time_max: Duration,
    /// The slowest server that is waited for.
    pub body_bytes_per_second_min: usize,
    /// Redirects followed.
    pub redirects_max: usize,
    /// An answer's head.
    pub head_bytes_max: usize,
    /// Interim (1xx) answers before the real one.
    pub interim_max: usize,
    /// How long an idle outbound connection is kept whose server does not say how long it keeps it.
    pub outbound_idle_time: Duration,
    /// The longest that one is kept whose server does.
    pub outbound_idle_time_max: Duration,
    /// So much sooner than its server: a request is lost that is on its way when the server closes
    /// the connection.
    pub outbound_idle_time_margin: Duration,
    /// From one attempt to the next that somebody wishes for, by POST or by a reload. A server's
    /// Retry-After may make it longer.
    pub nudge_interval: Duration,
    /// No failure is tried again sooner.
    pub backoff_floor: Duration,
    /// Doubled once for each failure in a row, it is the longest wait before the next attempt;
    /// the wait itself is drawn at random below that.
    pub backoff_min: Duration,
    /// Longest wait after a failure that may pass by itself.
    pub backoff_max: Duration,
    /// Longest wait after a refusal: 401, 403, 404.
    pub backoff_refused_max: Duration,
}

/// What one feed may hold. Passing a cap truncates with a mark; it never drops the feed.
#[derive(Clone, Debug, PartialEq)]
pub struct FeedLimits {
    /// A feed, decoded. A larger one is refused: half a calendar is a wrong calendar.
    pub bytes_max: usize,
    /// An unfolded content line; the property of a longer one is dropped.
    pub line_bytes_max: usize,
    /// `BEGIN` inside `BEGIN`.
    pub nesting_max: usize,
    /// Properties of one component; further ones are dropped. ATTENDEE, EXDATE and RDATE have
    /// limits of their own.
    pub properties_max: usize,
    /// ATTENDEEs of one event, and CATEGORIES: more than any screen shows. Further ones are left
    /// out; but who has declined takes the place of one who has not.
    pub people_max: usize,
    /// The kept lines of one component together; it is skipped when they do not fit.
    pub component_bytes_max: usize,
    /// A DESCRIPTION as it is kept.
    pub description_bytes_max: usize,
    /// SUMMARY, LOCATION and other short texts as they are kept.
    pub text_bytes_max: usize,
    /// EXDATE and RDATE values of one series.
    pub exceptions_max: usize,
    /// What the components of one series take up while it is expanded, their EXDATE and RDATE
    /// values apart; further components are left out, with a mark.
    pub series_bytes_max: usize,
    /// Components of one series; further ones are left out, with a mark.
    pub series_components_max: usize,
    /// Components of one feed; further ones are skipped.
    pub components_max: usize,
    /// VTIMEZONEs of one feed that are followed; real feeds hold a handful, and most of those have
    /// names that everybody knows.
    pub zones_max: usize,
    /// Changes of offset of one such zone: two a year for 130 years, and as many again.
    pub zone_onsets_max: usize,
    /// Steps of the generators of its rules.
    pub zone_steps_max: usize,
    /// Occurrences of one series in the window.
    pub occurrences_max: usize,
    /// Occurrences of one feed in the window; of more, those nearest to today are kept, with a
    /// mark on every series that lacks some. They are on disk: this bounds its wear and the time
    /// that publishing takes.
    pub feed_occurrences_max: usize,
    /// Steps of one series' recurrence generator.
    pub steps_max: usize,
    /// Steps of the generators of all series in one publication; further rules are not followed,
    /// with a mark. There is one writer, and everybody waits for it.
    pub feed_steps_max: usize,
    /// The part of the steps that are left which one series may take, a sixteenth: what a series
    /// needs is there until a hundred others have taken all they could.
    pub series_steps_part: usize,
    /// Days before today that are kept.
    pub past_days: u16,
    /// Days after today that are kept.
    pub future_days: u16,
}

/// Limits of what people skip, hide and set.
#[derive(Clone, Debug, PartialEq)]
pub struct PeopleLimits {
    /// All together; of what is skipped the newest stay, and what is one too many is not hidden.
    pub bytes_max: usize,
    /// The longest id: that of an instance of a series, whose UID is a text of the feed.
    pub id_bytes_max: usize,
    /// Wishes that wait until those before them are on the disk; with more it is a 503.
    pub wishes_max: usize,
}

/// What tells an instance of a series apart, after its UID.
const INSTANCE_BYTES: usize = "_20260105T080000_01234567".len();

impl PeopleLimits {
    /// Those of a budget, where a UID has at most so many bytes.
    pub(super) fn new(budget_bytes: usize, uid_bytes_max: usize) -> Self {
        Self {
            bytes_max: if budget_bytes < 16 * MIB { 4 * KIB } else { 48 * KIB },
            id_bytes_max: uid_bytes_max + INSTANCE_BYTES,
            wishes_max: 4,
        }
    }

    /// What settings may weigh, with what is hidden; the rest is always there for skips.
    pub fn settings_bytes_max(&self) -> usize {
        self.bytes_max / 4 * 3
    }

    /// A text of settings that a client sends (400). One waits at a time, beside all the rest.
    pub fn text_bytes_max(&self) -> usize {
        (self.bytes_max / 2).min(16 * KIB)
    }

    /// A text of settings that is imported (400), which is read at once: as large as what is
    /// exported can be, and as a body may be.
    pub fn import_bytes_max(&self) -> usize {
        self.stored_bytes_max().min(64 * KIB)
    }

    /// Ids that are hidden in such a text (400): more than there is ever room for.
    pub fn hidden_max(&self) -> usize {
        self.settings_bytes_max() / 64
    }

    /// A text of settings in the database, which names each pattern twice.
    pub fn stored_bytes_max(&self) -> usize {
        4 * self.bytes_max
    }
}

impl Default for FeedLimits {
    fn default() -> Self {
        Self {
            bytes_max: 50 * MIB,
            line_bytes_max: 64 * KIB,
            nesting_max: 8,
            properties_max: 512,
            people_max: 50,
            component_bytes_max: 256 * KIB,
            description_bytes_max: 2 * KIB,
            text_bytes_max: 512,
            exceptions_max: 10_000,
            series_bytes_max: MIB,
            series_components_max: 1_000,
            components_max: 100_000,
            zones_max: 16,
            zone_onsets_max: 600,
            zone_steps_max: 300_000,
            occurrences_max: 5_000,
            feed_occurrences_max: 200_000,
            steps_max: 100_000,
            feed_steps_max: 2_000_000,
            series_steps_part: 16,
            past_days: 1,
            future_days: 60,
        }
    }
}

//! The schema, step by step.

/// The schema that this program writes, as the step from each version to the next. A reader of
/// version n must be able to read what version n + 1 has written: a step may add, and nothing else.
pub(super) const MIGRATIONS: [&str; 6] = [
    SCHEMA,
    "ALTER TABLE feed ADD COLUMN warnings TEXT NOT NULL DEFAULT ''; PRAGMA user_version = 2;",
    TRUNCATED,
    OCCURRENCES_OF_FEED,
    BASELINE_AND_SKIPS,
    SETTINGS,
];

/// What is on disk, as of version 1. An `occurrence` is stored where it is searched: by start, in
/// the order of the window that is read. Its times are seconds since 1970 of an instant, or of a
/// floating time or a date as if it were UTC; `form` says which.
///
/// There are no foreign keys: checking them opens a statement journal for each row, which made
/// publishing 20,000 events ten times slower. `feed::store` deletes what belongs together.
const SCHEMA: &str = "
    CREATE TABLE feed (
        id INTEGER PRIMARY KEY,
        name TEXT NOT NULL UNIQUE,
        source INTEGER NOT NULL,
        etag TEXT,
        last_modified TEXT,
        zone TEXT,
        checked_at INTEGER,
        window_start INTEGER NOT NULL DEFAULT 0,
        window_end INTEGER NOT NULL DEFAULT 0,
        default_zone TEXT NOT NULL DEFAULT '',
        skipped INTEGER NOT NULL DEFAULT 0,
        skipped_reasons TEXT NOT NULL DEFAULT ''
    ) STRICT;
    CREATE TABLE component (
        id INTEGER PRIMARY KEY,
        feed INTEGER NOT NULL,
        kind INTEGER NOT NULL,
        uid TEXT NOT NULL,
        hash BLOB NOT NULL,
        text TEXT NOT NULL,
        UNIQUE (feed, hash)
    ) STRICT;
    CREATE INDEX component_uid ON component (feed, kind, uid);
    CREATE TABLE occurrence (
        start INTEGER NOT NULL,
        component INTEGER NOT NULL,
        recurrence INTEGER NOT NULL,
        stop INTEGER NOT NULL,
        form INTEGER NOT NULL,
        PRIMARY KEY (start, component, recurrence)
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX occurrence_component ON occurrence (component);
    PRAGMA user_version = 1;
";

/// The series that a cap has cut short, and which one.
const TRUNCATED: &str = "
    CREATE TABLE truncated (
        feed INTEGER NOT NULL,
        uid TEXT NOT NULL,
        reason TEXT NOT NULL,
        PRIMARY KEY (feed, uid)
    ) STRICT, WITHOUT ROWID;
    PRAGMA user_version = 3;
";

/// The occurrences of one feed by start, so that who asks for it need not walk through all others.
/// The condition keeps the rows that are there out of it: to sort them takes a megabyte.
const OCCURRENCES_OF_FEED: &str = "
    ALTER TABLE occurrence ADD COLUMN feed INTEGER;
    CREATE INDEX occurrence_feed ON occurrence (feed, start, component, recurrence, stop, form)
        WHERE feed NOT NULL;
    PRAGMA user_version = 4;
";

/// How long answers usually took, by version of the program; and what people skip, until when, in
/// seconds since 1970.
const BASELINE_AND_SKIPS: &str = "
    CREATE TABLE baseline (
        version TEXT NOT NULL PRIMARY KEY,
        p95_us INTEGER NOT NULL,
        mean_us INTEGER NOT NULL,
        minutes INTEGER NOT NULL,
        written_at INTEGER NOT NULL
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE skip (
        id TEXT NOT NULL PRIMARY KEY,
        until INTEGER NOT NULL
    ) STRICT;
    PRAGMA user_version = 5;
";

/// What people have set: one row, and how its text is to be read.
const SETTINGS: &str = "
    CREATE TABLE setting (version INTEGER NOT NULL, text TEXT NOT NULL) STRICT;
    PRAGMA user_version = 6;
";

/// Whose the occurrences are that a program of an older version has stored.
pub(super) const NAME_FEEDS: &str = "UPDATE occurrence SET feed =
    (SELECT feed FROM component WHERE id = occurrence.component) WHERE feed IS NULL";

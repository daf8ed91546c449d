//! All SQL on feeds: stage what arrives, publish what changed, read a window.
//!
//! A refresh stages its components beside the database; [`publish`] compares them by content
//! hash with the stored ones, writes the difference, expands the series that it touches and
//! writes the difference of their occurrences, in one transaction. A refresh that brings nothing
//! new writes nothing. [`publish`] with no staged components slides the window.

mod difference;
mod room;
mod stored;
mod warnings;
mod window;

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use ring::digest::{SHA256, digest};
use rusqlite::{Connection, Row, params};

use room::{Room, reconsider_truncated};
pub use stored::{StoredFeed, count_occurrences, for_each_component, read_feed, read_truncated};
use warnings::told;
pub use window::{WindowQuery, read_window};

use self::difference::{Difference, apply_difference};
use crate::budget::FeedLimits;
use crate::error::{Error, Result};
use crate::ical::component::{Component, Kind};
use crate::ical::event::{self, Event, Taken};
use crate::ical::zone::Zones;
use crate::ical::{Occurrence, Time, Window};
use crate::tzdb::tzdb;

/// What is remembered of a feed from one start to the next.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Remembered {
    /// The row's number.
    pub id: i64,
    /// Validators for the next conditional request.
    pub etag: Option<String>,
    /// The same.
    pub last_modified: Option<String>,
    /// When the data was last known to be right, as far as it was written down.
    pub checked_at: Option<Timestamp>,
    /// Events stored.
    pub events: u64,
    /// Components that the last published refresh skipped.
    pub skipped: u64,
    /// The first of them.
    pub skipped_reasons: Vec<String>,
    /// [`Published::warnings`] of the last publication.
    pub warnings: Vec<String>,
    /// Series that a cap has cut short.
    pub truncated_series: u64,
}

/// Finds a feed's row or makes one. `source` is a hash of where it comes from: when that has
/// changed, the validators are forgotten, since they were another server's; the data stays until
/// the new source has answered.
pub fn register(connection: &Connection, name: &str, source: i64) -> Result<Remembered> {
    connection.execute(
        "INSERT INTO feed (name, source) VALUES (?1, ?2)
         ON CONFLICT (name) DO UPDATE SET source = ?2, etag = NULL, last_modified = NULL
         WHERE source <> ?2",
        params![name, source],
    )?;
    let remembered = connection.query_row(
        "SELECT id, etag, last_modified, checked_at, skipped, skipped_reasons, warnings,
                (SELECT count(*) FROM component WHERE feed = feed.id AND kind = ?2),
                (SELECT count(*) FROM truncated WHERE feed = feed.id)
         FROM feed WHERE name = ?1",
        params![name, EVENT],
        |row| {
            let lines = |text: String| text.lines().map(str::to_owned).collect();
            Ok(Remembered {
                id: row.get(0)?,
                etag: row.get(1)?,
                last_modified: row.get(2)?,
                checked_at: row.get::<_, Option<i64>>(3)?.and_then(|at| instant(at).ok()),
                skipped: row.get(4)?,
                skipped_reasons: row.get(5).map(lines)?,
                warnings: row.get(6).map(|text: String| text.lines().map(told).collect())?,
                events: row.get(7)?,
                truncated_series: row.get(8)?,
            })
        },
    )?;
    Ok(remembered)
}

/// Removes the feeds that are no longer configured, with all that they held.
pub fn retire(connection: &Connection, configured: &[String]) -> Result<()> {
    let mut names = connection.prepare("SELECT name FROM feed")?;
    let names: Vec<String> = names.query_map([], |row| row.get(0))?.collect::<Result<_, _>>()?;
    for name in names.iter().filter(|name| !configured.contains(name)) {
        for statement in [
            "DELETE FROM occurrence WHERE component IN
                 (SELECT id FROM component WHERE feed = (SELECT id FROM feed WHERE name = ?1))",
            "DELETE FROM component WHERE feed = (SELECT id FROM feed WHERE name = ?1)",
            "DELETE FROM truncated WHERE feed = (SELECT id FROM feed WHERE name = ?1)",
            "DELETE FROM feed WHERE name = ?1",
        ] {
            connection.execute(statement, [name])?;
        }
    }
    Ok(())
}

/// Writes down when a feed was last known to be right: at a stop and with other news, not after
/// every refresh.
pub fn remember_check(connection: &Connection, feed: i64, at: Timestamp) -> Result<()> {
    let at = at.as_second();
    connection.execute("UPDATE feed SET checked_at = ?2 WHERE id = ?1", params![feed, at])?;
    Ok(())
}

/// Empties the staging place of a feed and returns its epoch, which [`publish`] wants to see
/// again.
pub fn clear_staged(connection: &Connection, feed: i64) -> Result<i64> {
    connection.execute("DELETE FROM staging.staged WHERE feed = ?1", [feed])?;
    staging_epoch(connection)
}

fn staging_epoch(connection: &Connection) -> Result<i64> {
    Ok(connection.query_row("SELECT number FROM staging.epoch", [], |row| row.get(0))?)
}

/// Stages components. Those that are stored already are noted without their text.
pub fn stage(connection: &Connection, feed: i64, components: &[Component]) -> Result<()> {
    let mut insert = connection.prepare_cached(
        "INSERT OR IGNORE INTO staging.staged (feed, hash, kind, uid, text)
         SELECT ?1, ?2, ?3, ?4,
                CASE WHEN EXISTS (SELECT 1 FROM main.component WHERE feed = ?1 AND hash = ?2)
                     THEN NULL ELSE ?5 END",
    )?;
    for Component { kind, uid, text } in components {
        insert.execute(params![feed, content_hash(text), kind_number(*kind), uid, text])?;
    }
    Ok(())
}

/// Half of a SHA-256. It must resist: with a collision whoever may send an invitation could make
/// another event vanish.
fn content_hash(text: &str) -> [u8; 16] {
    let digest = digest(&SHA256, text.as_bytes());
    let (half, _) = digest.as_ref().split_first_chunk().expect("SHA-256 has 32 bytes");
    *half
}

/// What a refresh publishes beside its staged components.
#[derive(Clone, Debug)]
pub struct Publication {
    /// The feed's row.
    pub feed: i64,
    /// The refresh's results; `None` only slides the window.
    pub fetched: Option<FetchedFacts>,
    /// When the data was last known to be right.
    pub checked_at: Option<Timestamp>,
    /// The zone for times that name none that is known.
    pub default_zone: TimeZone,
    /// The stretch of time that is expanded; `None` leaves it where it is.
    pub window: Option<Window>,
}

/// What a complete body says of itself.
#[derive(Clone, Debug, Default)]
pub struct FetchedFacts {
    /// The epoch of the staging place that the body was staged in.
    pub epoch: i64,
    /// Validators for the next request.
    pub etag: Option<String>,
    /// The same.
    pub last_modified: Option<String>,
    /// X-WR-TIMEZONE.
    pub zone: Option<String>,
    /// Components skipped.
    pub skipped: u64,
    /// The first of them.
    pub skipped_reasons: Vec<String>,
}

/// What a publication came to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Published {
    /// Something that people can see has changed.
    pub changed: bool,
    /// Events stored now.
    pub events: u64,
    /// Series that a cap has cut short, now.
    pub truncated_series: u64,
    /// Steps that the recurrence generators took.
    pub steps: usize,
    /// Series that were cut short at a cap, and zones that had to be guessed: the first few, of
    /// all series, whether or not they have changed.
    pub warnings: Vec<String>,
}

/// Publishes what was staged for a feed and slides its window, writing only what differs.
pub fn publish(
    connection: &Connection,
    publication: &Publication,
    limits: &FeedLimits,
) -> Result<Published> {
    let Publication { feed, fetched, checked_at, default_zone, window } = publication;
    let window = window.map_or_else(|| stored_window(connection, *feed), Ok)?;
    let mut published = Published::default();
    connection.execute("DELETE FROM staging.changed", [])?;
    let mut difference = Difference::default();
    if let Some(facts) = fetched {
        // The writer was opened anew in the middle: what is staged is only a part, and the rest
        // would be taken for deleted.
        if facts.epoch != staging_epoch(connection)? {
            return Err(Error::store("the refresh was interrupted by an error of the database"));
        }
        difference = apply_difference(connection, *feed)?;
        published.changed |= difference.any;
        if difference.any {
            reconsider_truncated(connection, *feed)?;
        }
    }
    let everything = remember_facts(connection, publication, window, &difference)?;
    let zones = read_zones(connection, *feed, default_zone.clone(), limits)?;
    if !everything {
        published.warnings = warnings::still_true(connection, *feed)?;
    }
    expand_series(connection, *feed, everything, &zones, window, limits, &mut published)?;
    published.changed |= warnings::remember(connection, *feed, &published.warnings)?;
    published.warnings = published.warnings.iter().map(|warning| told(warning)).collect();
    // By itself the age is not worth a write; along with others it costs nothing.
    if let Some(at) = checked_at.filter(|_| everything || published.changed) {
        remember_check(connection, *feed, at)?;
    }
    clear_staged(connection, *feed)?;
    (published.events, published.truncated_series) = connection.query_row(
        "SELECT (SELECT count(*) FROM component WHERE feed = ?1 AND kind = ?2),
                (SELECT count(*) FROM truncated WHERE feed = ?1)",
        params![feed, EVENT],
        |row| Ok((row.get(0)?, row.get(1)?)),
    )?;
    Ok(published)
}

/// The stretch of time that was expanded last; an empty one in 1970 when none was.
fn stored_window(connection: &Connection, feed: i64) -> Result<Window> {
    let select = "SELECT window_start, window_end FROM feed WHERE id = ?1";
    let (start, end) =
        connection.query_row(select, [feed], |row| Ok((row.get(0)?, row.get(1)?)))?;
    Ok(Window { start: instant_or_epoch(start), end: instant_or_epoch(end) })
}

/// Writes the feed's row where it differs. True when every series must be expanded anew: the
/// window or a zone that applies to all of them has changed.
///
/// Validators are written along with what they came with, and not because they differ: there are
/// servers that have new ones for every answer, and old ones only cost a fetch after a restart.
fn remember_facts(
    connection: &Connection,
    publication: &Publication,
    window: Window,
    difference: &Difference,
) -> Result<bool> {
    let Publication { feed, fetched, checked_at, default_zone, .. } = publication;
    let default_zone = default_zone.iana_name().unwrap_or_default();
    let (start, end) = (window.start.as_second(), window.end.as_second());
    let moved = connection.execute(
        "UPDATE feed SET window_start = ?2, window_end = ?3, default_zone = ?4
         WHERE id = ?1 AND (window_start, window_end, default_zone) <> (?2, ?3, ?4)",
        params![feed, start, end, default_zone],
    )?;
    let Some(facts) = fetched else { return Ok(moved > 0) };
    let rezoned = connection.execute(
        "UPDATE feed SET zone = ?2 WHERE id = ?1 AND zone IS NOT ?2",
        params![feed, facts.zone],
    )?;
    let reasons = facts.skipped_reasons.join("\n");
    connection.execute(
        "UPDATE feed SET etag = ?2, last_modified = ?3, skipped = ?4, skipped_reasons = ?5,
                checked_at = coalesce(?6, checked_at)
         WHERE id = ?1 AND (?7 OR skipped <> ?4 OR skipped_reasons <> ?5
                            OR checked_at IS NULL AND ?6 IS NOT NULL
                            OR coalesce(etag, last_modified) IS NULL
                               AND coalesce(?2, ?3) IS NOT NULL)",
        params![
            feed,
            facts.etag,
            facts.last_modified,
            facts.skipped,
            reasons,
            checked_at.map(Timestamp::as_second),
            difference.any
        ],
    )?;
    Ok(difference.zones || moved + rezoned > 0)
}

/// How the zones of a feed, by its row's number, are found on a display in `default_zone`.
pub fn read_zones(
    connection: &Connection,
    feed: i64,
    default_zone: TimeZone,
    limits: &FeedLimits,
) -> Result<Zones> {
    let calendar_zone: Option<String> =
        connection.query_row("SELECT zone FROM feed WHERE id = ?1", [feed], |row| row.get(0))?;
    let mut zones = Zones::new(tzdb(), default_zone, calendar_zone.as_deref());
    let mut stored =
        connection.prepare("SELECT text FROM component WHERE feed = ?1 AND kind = ?2")?;
    let mut rows = stored.query(params![feed, ZONE])?;
    while let Some(row) = rows.next()? {
        zones.define(row.get_ref(0)?.as_str().unwrap_or_default(), limits);
    }
    Ok(zones)
}

/// Expands every series, or those that have changed, one at a time.
fn expand_series(
    connection: &Connection,
    feed: i64,
    everything: bool,
    zones: &Zones,
    window: Window,
    limits: &FeedLimits,
    published: &mut Published,
) -> Result<()> {
    let mut members = connection.prepare(
        "SELECT id, uid, text FROM component
         WHERE feed = ?1 AND kind = ?2 AND (?3 OR uid IN (SELECT uid FROM staging.changed))
         ORDER BY uid, id",
    )?;
    let mut rows = members.query(params![feed, EVENT, everything])?;
    let mut series = Series::default();
    let mut room = Room::new(limits);
    if !everything {
        room.leave_for_unchanged(connection, feed)?;
    }
    loop {
        let row = rows.next()?;
        let uid = row.map(|row| row.get::<_, String>(1)).transpose()?;
        if uid.as_ref() != Some(&series.uid) {
            let expansion = series.expand(zones, window, limits, &mut room, published);
            published.changed |= series.store(connection, &expansion.occurrences)?;
            let reason = expansion.truncated.as_deref();
            published.changed |= series.remember_truncated(connection, feed, reason)?;
            series = Series { uid: uid.clone().unwrap_or_default(), ..Series::default() };
        }
        let Some(row) = row else {
            room.report(published);
            return Ok(());
        };
        let text = row.get_ref(2)?.as_str().unwrap_or_default();
        series.private |= event::is_private(text);
        match Event::parse_times(text, limits, &mut series.taken) {
            Ok(event) if series.events.len() <= limits.overrides_max => {
                series.ids.push(row.get(0)?);
                series.events.push(event);
            }
            Ok(_) => series.leave_out("more overrides than are kept", published),
            // It was read before it was stored: the series is full, or the database damaged.
            Err(reason) => series.leave_out(&reason, published),
        }
    }
}

/// The components of one UID, with the numbers of their rows.
#[derive(Default)]
struct Series {
    uid: String,
    /// One of them is not for everybody.
    private: bool,
    ids: Vec<i64>,
    events: Vec<Event>,
    taken: Taken,
    /// Components that are not among them.
    left_out: usize,
}

/// One row of `occurrence`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Stored {
    start: i64,
    component: i64,
    recurrence: i64,
    stop: i64,
    form: i64,
}

/// `recurrence` of an event that does not repeat. No time has this number: calendars end in the
/// year 9999.
const NOT_RECURRING: i64 = i64::MIN;

impl Series {
    fn leave_out(&mut self, reason: &str, published: &mut Published) {
        self.warn(reason, published);
        self.left_out += 1;
    }

    /// Makes the stored occurrences these; true when any had to be written.
    fn store(&self, connection: &Connection, occurrences: &[Occurrence]) -> Result<bool> {
        let mut wanted: Vec<Stored> =
            occurrences.iter().map(|occurrence| self.stored(occurrence)).collect();
        wanted.sort_unstable();
        // A floating instance and one of a zone may have the same number, and a row has one end:
        // what a stranger writes must not fail the whole feed.
        wanted.dedup_by_key(|stored| (stored.start, stored.component, stored.recurrence));
        let mut is_new = vec![true; wanted.len()];
        let mut gone = Vec::new();
        let mut existing = connection.prepare_cached(
            "SELECT start, component, recurrence, stop, form FROM occurrence WHERE component = ?1",
        )?;
        for id in &self.ids {
            let mut rows = existing.query([id])?;
            while let Some(row) = rows.next()? {
                let stored = Stored::read(row)?;
                match wanted.binary_search(&stored) {
                    Ok(place) => is_new[place] = false,
                    Err(_) => gone.push(stored),
                }
            }
        }
        let mut delete = connection.prepare_cached(
            "DELETE FROM occurrence WHERE start = ?1 AND component = ?2 AND recurrence = ?3",
        )?;
        for stored in &gone {
            delete.execute(params![stored.start, stored.component, stored.recurrence])?;
        }
        let mut insert = connection.prepare_cached(
            "INSERT INTO occurrence (start, component, recurrence, stop, form)
             VALUES (?1, ?2, ?3, ?4, ?5)",
        )?;
        for (new, _) in wanted.iter().zip(&is_new).filter(|(_, is_new)| **is_new) {
            let Stored { start, component, recurrence, stop, form } = *new;
            insert.execute(params![start, component, recurrence, stop, form])?;
        }
        Ok(!gone.is_empty() || is_new.contains(&true))
    }

    fn stored(&self, occurrence: &Occurrence) -> Stored {
        let (form, start) = number_of(occurrence.start);
        let recurrence = occurrence.recurrence.map_or(NOT_RECURRING, |time| number_of(time).1);
        let stop = number_of(occurrence.end).1;
        Stored { start, component: self.ids[occurrence.event], recurrence, stop, form }
    }
}

impl Stored {
    fn read(row: &Row<'_>) -> rusqlite::Result<Self> {
        Ok(Self {
            start: row.get(0)?,
            component: row.get(1)?,
            recurrence: row.get(2)?,
            stop: row.get(3)?,
            form: row.get(4)?,
        })
    }
}

const EVENT: i64 = 0;
const ZONE: i64 = 1;

fn kind_number(kind: Kind) -> i64 {
    match kind {
        Kind::Event => EVENT,
        Kind::TimeZone => ZONE,
    }
}

/// A time as (form, seconds).
fn number_of(time: Time) -> (i64, i64) {
    let as_if_utc = |civil: DateTime| {
        let zoned = civil.to_zoned_datetime(TimeZone::UTC);
        zoned.map_or(i64::MAX, |zoned| zoned.timestamp().as_second())
    };
    match time {
        Time::Instant(timestamp) => (0, timestamp.as_second()),
        Time::Floating(civil) => (1, as_if_utc(civil)),
        Time::Date(date) => (2, as_if_utc(date.to_datetime(jiff::civil::Time::midnight()))),
    }
}

fn instant(second: i64) -> std::result::Result<Timestamp, jiff::Error> {
    Timestamp::from_second(second)
}

/// The same for what only a damaged database has wrong.
fn instant_or_epoch(second: i64) -> Timestamp {
    instant(second).unwrap_or(Timestamp::UNIX_EPOCH)
}

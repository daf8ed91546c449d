//! What was staged becomes what is stored, and every series that it touches is expanded.

use jiff::Timestamp;
use jiff::tz::TimeZone;
use rusqlite::{Connection, params};

use super::difference::{Difference, apply_difference};
use super::expansion::Expansions;
use super::room::forget_truncated;
use super::row::instant_or_epoch;
use super::staging::{Staging, clear_staged, staging_epoch};
use super::warnings::{self, told};
use super::{EVENT, ZONE, remember_check};
use crate::budget::FeedLimits;
use crate::error::{Error, Result};
use crate::ical::Window;
use crate::ical::zone::Zones;
use crate::tzdb::tzdb;

/// What a refresh publishes beside its staged components.
#[derive(Debug)]
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
#[derive(Debug, Default)]
pub struct FetchedFacts {
    /// Its components.
    pub staging: Staging,
    /// A hash of where it came from.
    pub source: i64,
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
    /// The most that a series took in memory while it was expanded and stored, and the zones of the
    /// feed.
    pub bytes: usize,
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
    let mut difference = Difference::default();
    if let Some(facts) = fetched {
        // The writer was opened anew in the middle: what is staged is only a part, and the rest
        // would be taken for deleted.
        if facts.staging.epoch != staging_epoch(connection)? {
            return Err(Error::store("the refresh was interrupted by an error of the database"));
        }
        difference = apply_difference(connection, *feed, &facts.staging)?;
        published.changed |= difference.any;
        if difference.any {
            forget_truncated(connection, *feed)?;
        }
    }
    let mut everything = remember_facts(connection, publication, window, &difference)?;
    let zones = read_zones(connection, *feed, default_zone.clone(), limits)?;
    // A feed that is too much is looked at as a whole: what has changed may have made room for
    // others, and has no more of it than it will have when the window moves.
    everything |= difference.any && warnings::tell_of_too_much(connection, *feed)?;
    if !everything {
        published.warnings = warnings::still_true(connection, *feed)?;
    }
    let feed_series = Expansions { connection, feed: *feed, zones: &zones, window, limits };
    feed_series.store(everything, &mut published)?;
    published.bytes += zones.weight_bytes(limits);
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
                checked_at = coalesce(?6, checked_at), source = ?8
         WHERE id = ?1 AND (?7 OR source <> ?8 OR skipped <> ?4 OR skipped_reasons <> ?5
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
            difference.any,
            facts.source
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

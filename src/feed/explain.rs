//! Why what is stored of a series is shown as it is: reads what [`crate::calendar::explain`] needs.

use jiff::{SignedDuration, Timestamp};
use rusqlite::Connection;

use super::store::{
    StoredFeed, WindowQuery, count_occurrences, for_each_of_series, read_truncated, read_window,
};
use crate::budget::Limits;
use crate::calendar::Entry;
use crate::calendar::explain::{Draft, Scene};
use crate::calendar::selection::resolve;
use crate::error::Result;

/// What there is to say of a series.
pub struct Explained {
    /// For people.
    pub lines: Vec<String>,
    /// Some of it is left out, since it is private.
    pub is_masked: bool,
}

/// Explains the events of a UID; `None` when there are none.
///
/// # Errors
/// When they cannot be read.
pub fn series(
    scene: Scene<'_>,
    uid: &str,
    reader: &Connection,
    feed: &StoredFeed,
    limits: &Limits,
) -> Result<Option<Explained>> {
    let (mut series, mut is_there) = (Draft::new(scene, uid), false);
    for_each_of_series(reader, feed, uid, &mut |text| {
        is_there = true;
        series.add(text);
    })?;
    if !is_there {
        return Ok(None);
    }
    let series = series.finish();
    let others = others(scene, &series.listed(), reader, limits)?;
    let kept = count_occurrences(reader, feed, uid)?;
    let truncated = read_truncated(reader, feed, Some(uid), 1)?;
    let reason = truncated.first().map(|(_, why)| why.as_str());
    let lines = series.lines(&others, kept, reason);
    Ok(Some(Explained { lines, is_masked: series.is_masked() }))
}

/// What the other calendars hold at the starts of these entries, read as the server reads it.
fn others(
    scene: Scene<'_>,
    listed: &[Entry],
    reader: &Connection,
    limits: &Limits,
) -> Result<Vec<Entry>> {
    let mut others = Vec::new();
    for entry in listed {
        let from = resolve(entry.start, scene.zone);
        let to = from.checked_add(SignedDuration::from_secs(1)).unwrap_or(Timestamp::MAX);
        for (index, other) in scene.calendars.iter().enumerate() {
            if index == scene.calendar {
                continue;
            }
            let query = WindowQuery {
                from,
                to,
                zone: scene.zone,
                calendar: Some(&other.name),
                ended: false,
                limit: limits.pipeline.view_events_max,
                rows_max: limits.pipeline.view_rows_max,
                bytes_max: limits.pipeline.view_bytes_max,
                copies: 1,
                calendars: scene.calendars,
                settings: scene.settings,
            };
            others.extend(read_window(reader, &query, &limits.feed)?.0);
        }
    }
    Ok(others)
}

//! The work that one publication may cause, and which series had to be cut short.

use rusqlite::{Connection, params};

use super::series::Series;
use super::{EVENT, Published};
use crate::budget::FeedLimits;
use crate::calendar::selection;
use crate::error::Result;
use crate::ical::expand::{Expansion, expand};
use crate::ical::zone::Zones;
use crate::ical::{Occurrence, Window};

/// The steps that the series of one publication may still take together. They come by UID, so that
/// it is always the same ones that are cut short.
///
/// No series takes more than a part of the steps that are left: whoever sends invitations could
/// otherwise use them all up, and the weekly meeting behind those, which needs a hundred, would be
/// gone.
pub(super) struct Room {
    steps: usize,
    /// Series that did not fit.
    pub(super) cut: usize,
}

impl Room {
    pub(super) fn new(limits: &FeedLimits) -> Self {
        Self { steps: limits.feed_steps_max, cut: 0 }
    }

    /// The warnings name the first few series; this counts them all. True when there are any.
    pub(super) fn report(&self, published: &mut Published) -> bool {
        if self.cut > 0 {
            published.warnings.push(format!("{}{INCOMPLETE}", self.cut));
        }
        self.cut > 0
    }
}

/// What [`Room::report`] says, behind a number.
const INCOMPLETE: &str = " series are incomplete: the feed is too much";

/// True for what [`Room::report`] says.
pub(super) fn is_report(warning: &str) -> bool {
    let count = warning.strip_suffix(INCOMPLETE);
    count.is_some_and(|count| count.bytes().all(|byte| byte.is_ascii_digit()))
}

/// Forgets the marks of series that are no longer there.
pub(super) fn forget_truncated(connection: &Connection, feed: i64) -> Result<()> {
    connection.execute(
        "DELETE FROM truncated WHERE feed = ?1
            AND NOT EXISTS (SELECT 1 FROM component AS c
                            WHERE c.feed = ?1 AND c.kind = ?2 AND c.uid = truncated.uid)",
        params![feed, EVENT],
    )?;
    Ok(())
}

impl Series {
    /// What may be stored, which is what is shown, with the steps that the feed has left.
    pub(super) fn expand(
        &self,
        zones: &Zones,
        window: Window,
        limits: &FeedLimits,
        room: &mut Room,
        published: &mut Published,
    ) -> Expansion {
        let steps_max = limits.steps_max.min(room.steps / limits.series_steps_part);
        let is_pressed = steps_max < limits.steps_max;
        let reduced = FeedLimits { steps_max, ..limits.clone() };
        let mut expansion = expand(&self.events, zones, window, &reduced);
        room.steps -= expansion.steps;
        published.steps += expansion.steps;
        if expansion.truncated.is_some() && expansion.steps == steps_max && is_pressed {
            let max = limits.feed_steps_max;
            let text = format!("the feed's rules take more than {max} steps (feed_steps_max)");
            expansion.truncated = Some(text);
            room.cut += 1;
        }
        if self.left_out > 0 {
            let text = format!("{} components left out", self.left_out);
            self.warn(&text, published);
            expansion.truncated.get_or_insert(text);
        }
        // Only now: a hidden override takes the place of its instance all the same.
        let details = |found: &Occurrence| &self.events[found.event].details;
        expansion.occurrences.retain(|found| selection::hidden(details(found)).is_none());
        expansion
    }

    /// Writes down which cap has cut the series short, if any; true when that is news.
    pub(super) fn remember_truncated(
        &self,
        connection: &Connection,
        feed: i64,
        reason: Option<&str>,
    ) -> Result<bool> {
        let statement = match reason {
            Some(_) => {
                "INSERT INTO truncated (feed, uid, reason) VALUES (?1, ?2, ?3)
                 ON CONFLICT DO UPDATE SET reason = ?3 WHERE reason <> ?3"
            }
            None => "DELETE FROM truncated WHERE feed = ?1 AND uid = ?2 AND ?3 IS NULL",
        };
        let written =
            connection.prepare_cached(statement)?.execute(params![feed, self.uid, reason])?;
        Ok(written > 0)
    }
}

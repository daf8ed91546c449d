//! Expanding the series of a feed, one at a time, and storing what comes of it.

use rusqlite::{Connection, params};

use super::nearest::Nearest;
use super::pending::Pending;
use super::room::Room;
use super::series::Series;
use super::{EVENT, Published};
use crate::budget::FeedLimits;
use crate::error::Result;
use crate::ical::Window;
use crate::ical::event::{self, Event};
use crate::ical::zone::Zones;

/// The series of one feed, and what they are expanded with.
pub(super) struct Expansions<'a> {
    pub(super) connection: &'a Connection,
    pub(super) feed: i64,
    pub(super) zones: &'a Zones,
    pub(super) window: Window,
    pub(super) limits: &'a FeedLimits,
}

/// What becomes of the occurrences.
enum Keep {
    /// All are stored, as long as there is room for so many.
    All(usize),
    /// None is stored: they are counted.
    Count(Nearest),
    /// Those nearest to today are stored.
    Nearest(Nearest),
}

/// How a walk ended.
#[derive(PartialEq, Eq)]
enum Walked {
    /// All is stored.
    Whole,
    /// The steps of the feed were used up, and some series are incomplete.
    OutOfSteps,
    /// There are too many occurrences, and some series were not looked at.
    OutOfRoom,
}

impl Expansions<'_> {
    /// Expands every series, or those that have changed.
    ///
    /// Those that have changed get no more steps than they will when the window moves: when they
    /// run out of them, the feed is looked at as a whole. A feed that has more occurrences than it
    /// may is walked through twice, first to count them. A feed that is full already is counted at
    /// once: nothing would be stored only to be deleted again.
    pub(super) fn store(&self, everything: bool, published: &mut Published) -> Result<()> {
        let select = "SELECT EXISTS (SELECT 1 FROM staging.changed)";
        if !everything && !self.connection.query_row(select, [], |row| row.get(0))? {
            return Ok(());
        }
        let (stored, unchanged): (usize, usize) = self.connection.query_row(
            "SELECT count(*), count(*) FILTER (WHERE c.uid NOT IN (SELECT uid FROM staging.changed))
             FROM component AS c JOIN occurrence AS o ON o.component = c.id
             WHERE c.feed = ?1 AND c.kind = ?2",
            params![self.feed, EVENT],
            |row| Ok((row.get(0)?, row.get(1)?)),
        )?;
        let max = self.limits.feed_occurrences_max;
        let mut walked = Walked::OutOfRoom;
        if stored < max && !everything {
            let room = max.saturating_sub(unchanged);
            walked = self.walk(false, stored > 0, &mut Keep::All(room), published)?;
        }
        if stored < max && (everything || walked == Walked::OutOfSteps) {
            published.warnings.clear();
            let some = stored > 0 || !everything;
            walked = self.walk(true, some, &mut Keep::All(max), published)?;
        }
        if walked != Walked::OutOfRoom {
            return Ok(());
        }
        let mut keep = Keep::Count(Nearest::new(self.window, self.limits));
        let mut counted = Published::default();
        self.walk(true, true, &mut keep, &mut counted)?;
        published.steps += counted.steps;
        published.bytes = published.bytes.max(counted.bytes);
        published.warnings.clear();
        if let Keep::Count(mut nearest) = keep {
            nearest.make_room(max);
            self.walk(true, true, &mut Keep::Nearest(nearest), published)?;
        }
        Ok(())
    }

    /// One series after the other, by UID. There may be `some` stored occurrences of them.
    fn walk(
        &self,
        everything: bool,
        some: bool,
        keep: &mut Keep,
        published: &mut Published,
    ) -> Result<Walked> {
        let rows_max = self.limits.occurrences_max;
        let mut store = (some, Pending::new(self.connection, self.feed, rows_max));
        let mut members = self.connection.prepare(
            "SELECT id, uid, text FROM component
             WHERE feed = ?1 AND kind = ?2 AND (?3 OR uid IN (SELECT uid FROM staging.changed))
             ORDER BY uid, id",
        )?;
        let mut rows = members.query(params![self.feed, EVENT, everything])?;
        let mut series = Series::default();
        let mut room = Room::new(self.limits);
        loop {
            let row = rows.next()?;
            let uid = row.map(|row| row.get::<_, String>(1)).transpose()?;
            if uid.as_ref() != Some(&series.uid) {
                if !self.settle(&series, &mut room, keep, &mut store, published)? {
                    // What waits has not been stored: another walk decides.
                    return Ok(Walked::OutOfRoom);
                }
                series = Series { uid: uid.clone().unwrap_or_default(), ..Series::default() };
            }
            let Some(row) = row else {
                store.1.insert()?;
                let is_short = room.report(published);
                return Ok(if is_short { Walked::OutOfSteps } else { Walked::Whole });
            };
            let text = row.get_ref(2)?.as_str().unwrap_or_default();
            series.private |= event::is_private(text);
            match Event::parse_times(text, self.limits, &mut series.taken) {
                Ok(event) if series.events.len() <= self.limits.series_components_max => {
                    series.ids.push(row.get(0)?);
                    series.events.push(event);
                }
                Ok(_) => series.leave_out("more overrides than are kept", published),
                // It was read before it was stored: the series is full, or the database damaged.
                Err(reason) => series.leave_out(&reason, published),
            }
        }
    }

    /// Expands one series and stores what is kept of it. False when that is all and does not fit.
    fn settle(
        &self,
        series: &Series,
        room: &mut Room,
        keep: &mut Keep,
        (some, pending): &mut (bool, Pending<'_>),
        published: &mut Published,
    ) -> Result<bool> {
        let Self { connection, feed, zones, window, limits } = *self;
        let mut expansion = series.expand(zones, window, limits, room, published);
        let found = expansion.occurrences.len();
        let counts = if matches!(keep, Keep::All(_)) { 0 } else { Nearest::WEIGHT_BYTES };
        let bytes = counts + pending.weight_bytes() + series.weight_bytes(&expansion.occurrences);
        published.bytes = published.bytes.max(bytes);
        match keep {
            Keep::All(room) if found > *room => return Ok(false),
            Keep::All(room) => *room -= found,
            Keep::Count(nearest) => {
                nearest.count(&expansion.occurrences);
                return Ok(true);
            }
            Keep::Nearest(nearest) => {
                expansion.occurrences.retain(|occurrence| nearest.keeps(occurrence));
                if expansion.occurrences.len() < found {
                    let max = limits.feed_occurrences_max;
                    room.cut += 1;
                    expansion.truncated = Some(format!(
                        "the feed has more than {max} occurrences (feed_occurrences_max)"
                    ));
                }
            }
        }
        for text in expansion.truncated.iter().chain(&expansion.warnings) {
            series.warn(text, published);
        }
        let found = &expansion.occurrences;
        published.changed |= series.store(connection, *some, found, pending)?;
        let reason = expansion.truncated.as_deref();
        published.changed |= series.remember_truncated(connection, feed, reason)?;
        Ok(true)
    }
}

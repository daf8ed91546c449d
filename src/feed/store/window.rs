//! Reading a window of what is stored, for an answer.

use std::collections::HashMap;
use std::collections::hash_map::Entry as Place;
use std::rc::Rc;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use rusqlite::{Connection, OptionalExtension, Row, params};

use super::row::{NOT_RECURRING, Stored, instant};
use crate::budget::FeedLimits;
use crate::calendar::filter::Filter;
use crate::calendar::merge::{Merged, PLACES_BYTES};
use crate::calendar::settings::{Judge, Settings};
use crate::calendar::text::written_bytes;
use crate::calendar::{CalendarStatus, Entry, instance_id, selection};
use crate::error::Result;
use crate::hash::private_name;
use crate::ical::event::Event;
use crate::ical::{Details, Time, Window, known_uid};

/// A floating time or a date is stored as if it were UTC; seen from a zone it may lie up to 14
/// hours earlier or 12 later (and an hour more for safety).
pub const FORM_SLACK_SECONDS: i64 = 15 * 3600;

/// Rows by start, in the order that they are stored in.
macro_rules! touching {
    ($from:literal) => {
        concat!(
            "SELECT o.start, o.component, o.recurrence, o.stop, o.form,
                    c.uid, c.text, f.name, f.source FROM ",
            $from,
            " WHERE o.start < ?2 + ?3 * (o.form <> 0)
                AND (o.stop > ?1 - ?3 * (o.form <> 0) OR o.start >= ?1 - ?3 * (o.form <> 0))
                AND o.start < ?2 + ?3 AND o.start > ?4
              ORDER BY o.start"
        )
    };
}

const TOUCHING: &str = touching!(
    "occurrence AS o JOIN component AS c ON c.id = o.component JOIN feed AS f ON f.id = c.feed"
);
/// Of one feed: all others may be a flood.
const TOUCHING_OF_FEED: &str = touching!(
    "feed AS f CROSS JOIN occurrence AS o ON o.feed = f.id AND f.name = ?5
     JOIN component AS c ON c.id = o.component"
);

const LAST_PASSED_OVER: &str =
    "SELECT start FROM occurrence WHERE start < ?1 ORDER BY start DESC LIMIT 1 OFFSET ?2";
const LAST_PASSED_OVER_OF_FEED: &str =
    "SELECT start FROM occurrence WHERE start < ?1 AND feed = (SELECT id FROM feed WHERE name = ?3)
     ORDER BY start DESC LIMIT 1 OFFSET ?2";

/// What to read for an answer.
pub struct WindowQuery<'q> {
    /// The first instant.
    pub from: Timestamp,
    /// The first instant after it.
    pub to: Timestamp,
    /// Where floating times and dates are seen from.
    pub zone: &'q TimeZone,
    /// Only this feed.
    pub calendar: Option<&'q str>,
    /// Only timed entries that are over by the end of the window.
    pub ended: bool,
    /// This many entries at most.
    pub limit: usize,
    /// This many rows are looked at, those that are not shown included, and as many that began
    /// before it.
    pub rows_max: usize,
    /// This many bytes at most: entries, and what an answer writes of them.
    pub bytes_max: usize,
    /// How often the answer writes the texts of an entry.
    pub copies: usize,
    /// The feeds in the order of the configuration; others are left out.
    pub calendars: &'q [CalendarStatus],
    /// What people do not want to see is left out.
    pub settings: &'q Settings,
}

/// The entries that touch a window and are shown, the earliest first, each meeting once, and
/// whether there were more. What is hidden or the same as another takes no place.
pub fn read_window(
    reader: &Connection,
    query: &WindowQuery<'_>,
    limits: &FeedLimits,
) -> Result<(Vec<Entry>, bool)> {
    judged_window(reader, query, limits, &mut query.settings.judge())
}

/// The same by a judge who may count; see [`Judge::counts`].
pub fn judged_window(
    reader: &Connection,
    query: &WindowQuery<'_>,
    limits: &FeedLimits,
    judge: &mut Judge<'_>,
) -> Result<(Vec<Entry>, bool)> {
    let slack = FORM_SLACK_SECONDS;
    let (from, to) = (query.from.as_second(), query.to.as_second());
    let window = Window { start: query.from, end: query.to };
    let passed_over = last_passed_over(reader, from - slack, query)?;
    let first = passed_over.unwrap_or(i64::MIN);
    let mut select = reader.prepare_cached(match query.calendar {
        None => TOUCHING,
        Some(_) => TOUCHING_OF_FEED,
    })?;
    let mut rows = match query.calendar {
        None => select.query(params![from, to, slack, first]),
        Some(name) => select.query(params![from, to, slack, first, name]),
    }?;
    let mut merged = Merged::new(query.calendars, query.zone);
    let mut events = Events { known: HashMap::new(), bytes: 0, limits };
    let (mut rows_seen, mut bytes, mut hidden) = (0, 0, 0);
    let (mut latest, mut truncated) = (i64::MIN, passed_over.is_some());
    while let Some(row) = rows.next()? {
        rows_seen += 1;
        // What is not shown takes memory, too: that it was looked at is remembered.
        if rows_seen + judge.rows() > query.rows_max || events.bytes + bytes > query.bytes_max {
            truncated = true;
            break;
        }
        let name = row.get_ref(7)?.as_str().unwrap_or_default();
        let stored = Stored::read(row)?;
        let Some((start, end)) = stored.times() else { continue };
        let (first, last) = selection::times(start, end, query.zone);
        let ended = !matches!(start, Time::Date(_)) && last <= query.to;
        if !window.touches(first, last) || (query.ended && !ended) {
            continue;
        }
        let Some(calendar) = query.calendars.iter().position(|known| known.name == name) else {
            continue;
        };
        let CalendarStatus { filter, private, .. } = &query.calendars[calendar];
        let event = events.shown(row, &stored, filter, judge)?;
        let Some(Known { uid, details, is_override }) = event else { continue };
        let is_masked = *private || details.private;
        let overridden = *is_override && !is_masked;
        let id = if is_masked {
            masked_id(&stored, row.get(8)?, name, uid)
        } else {
            id(&stored, uid, name)
        };
        let (uid, details) = (Rc::clone(uid), Rc::clone(details));
        let (also, recurrence) = (Vec::new(), stored.original());
        let entry = Entry { id, uid, overridden, calendar, also, start, end, recurrence, details };
        let (texts, kept) = (query.copies * repeated_bytes(&entry, name), entry.id.len());
        match merged.join(entry) {
            None => bytes += MERGED_BYTES + texts,
            Some(_) if merged.len() - hidden >= query.limit => {
                truncated = true;
                // What begins with the last one may still be the same as it.
                if stored.start > latest {
                    break;
                }
            }
            Some(entry) => {
                let written = texts + query.copies * FRAME_BYTES;
                bytes += size_of::<Entry>() + PLACES_BYTES + kept + written;
                // The first one may be as long as it likes: a day with it alone is not empty.
                if events.bytes + bytes > query.bytes_max && !merged.is_empty() {
                    truncated = true;
                    break;
                }
                latest = stored.start;
                // What is the same as it in another calendar is hidden with it.
                hidden += usize::from(query.settings.hides(&entry));
                merged.push(entry);
            }
        }
    }
    let mut entries = merged.into_entries();
    entries.retain(|entry| !query.settings.hides(entry));
    Ok((entries, truncated))
}

/// The events that the rows belong to, each read once.
struct Events<'l> {
    /// By component; `None` for one that is not shown.
    known: HashMap<i64, Option<Known>>,
    bytes: usize,
    limits: &'l FeedLimits,
}

impl Events<'_> {
    /// The event of a row; `None` when it is hidden.
    fn shown(
        &mut self,
        row: &Row<'_>,
        stored: &Stored,
        filter: &Filter,
        judge: &mut Judge<'_>,
    ) -> Result<Option<&Known>> {
        let place = match self.known.entry(stored.component) {
            Place::Occupied(place) => return Ok(place.into_mut().as_ref()),
            Place::Vacant(place) => place,
        };
        let text = row.get_ref(6)?.as_str().unwrap_or_default();
        let uid = row.get_ref(5)?.as_str().unwrap_or_default();
        let (details, is_override) = Event::shown(text, self.limits);
        let all_day = stored.times().is_some_and(|(start, _)| matches!(start, Time::Date(_)));
        let repeats = stored.recurrence != NOT_RECURRING;
        let is_shown = filter.hides(&details).is_none()
            && judge.unwanted(&details, all_day, repeats).is_none();
        let event = is_shown.then(|| {
            let details = Rc::new(details);
            // One that was stored before they were looked at is as any other.
            Known { uid: Rc::from(&*known_uid(uid)), details, is_override }
        });
        self.bytes += size_of::<(i64, Known)>() + event.as_ref().map_or(0, Known::bytes);
        Ok(place.insert(event).as_ref())
    }
}

/// Of what began before a window some may still go on in it, and each has to be looked at; but not
/// all of a flood, since the loop waits. The start of the last one that there is no time for.
fn last_passed_over(
    reader: &Connection,
    from: i64,
    query: &WindowQuery<'_>,
) -> Result<Option<i64>> {
    let (rows_max, start) = (query.rows_max, |row: &Row<'_>| row.get(0));
    let found = match query.calendar {
        None => reader.prepare_cached(LAST_PASSED_OVER)?.query_row(params![from, rows_max], start),
        Some(name) => reader
            .prepare_cached(LAST_PASSED_OVER_OF_FEED)?
            .query_row(params![from, rows_max, name], start),
    };
    Ok(found.optional()?)
}

/// What is kept of an event while its rows are read.
struct Known {
    uid: Rc<str>,
    details: Rc<Details>,
    is_override: bool,
}

impl Known {
    fn bytes(&self) -> usize {
        self.uid.len() + self.details.bytes()
    }
}

/// The first room for further calendars of a meeting.
const MERGED_BYTES: usize = 4 * size_of::<usize>();

/// An event in an answer without its texts: names of fields, times, brackets.
const FRAME_BYTES: usize = 352;

/// The texts that an answer repeats for every occurrence, as they are written at the longest: its
/// calendar is named twice.
fn repeated_bytes(entry: &Entry, calendar: &str) -> usize {
    let Details { summary, location, url, conference, .. } = &*entry.details;
    let texts = [&entry.id, summary, location, url, conference];
    texts.into_iter().map(|text| written_bytes(text)).sum::<usize>() + 2 * written_bytes(calendar)
}

/// The bare UID, or for an instance of a series, one that tells it from the others by its original
/// start: who has skipped it has skipped it still when it is moved or renamed.
fn id(stored: &Stored, uid: &str, name: &str) -> String {
    match instant(stored.recurrence) {
        Ok(original) if stored.recurrence != NOT_RECURRING => instance_id(uid, name, original),
        _ => uid.to_owned(),
    }
}

/// The UID in the id of an instance of a series, if it has the form of one: a UID may have it, too.
pub fn uid_of(id: &str) -> Option<&str> {
    let (rest, mark) = id.rsplit_once('_')?;
    let (uid, original) = rest.rsplit_once('_')?;
    let is_mark = mark.len() == 8 && mark.bytes().all(|byte| byte.is_ascii_hexdigit());
    let is_original = original.len() == "20260105T080000".len() && original.contains('T');
    (is_mark && is_original && !uid.is_empty()).then_some(uid)
}

/// The id of a private event: it tells neither the UID nor whether a rule made it.
fn masked_id(stored: &Stored, source: i64, name: &str, uid: &str) -> String {
    let instance = stored.recurrence.to_le_bytes();
    private_name(source, &[&instance, name.as_bytes(), uid.as_bytes()])
}

#[cfg(test)]
mod tests {
    use tempfile::TempDir;

    use super::*;
    use crate::budget::{Limits, Plan};
    use crate::clock::Clock;
    use crate::connections::database::Database;
    use crate::feed::store::{EVENT, register};
    use crate::metrics::Metrics;

    fn open() -> (Database, Limits, TempDir) {
        let folder = tempfile::tempdir().unwrap();
        let limits = Plan::divide(16 << 20, 1, FeedLimits::default()).limits;
        let (clock, metrics) = (Clock::system(None), Rc::new(Metrics::default()));
        let opened = Database::open(folder.path(), &limits.database, clock, metrics);
        (opened.unwrap().0, limits, folder)
    }

    /// What this thread has read from files and elsewhere.
    fn read_bytes() -> usize {
        let figures = std::fs::read_to_string("/proc/thread-self/io").unwrap();
        figures.lines().find_map(|line| line.strip_prefix("rchar: ")).unwrap().parse().unwrap()
    }

    /// The loop waits for it: whoever asks for a small calendar does not read the large one.
    #[test]
    fn another_calendar_is_not_read() {
        let (database, limits, _folder) = open();
        let fill = |connection: &Connection, name, events: usize| -> Result<()> {
            let feed = register(connection, name, 0)?.id;
            let mut component = connection.prepare(
                "INSERT INTO component (feed, kind, uid, hash, text)
                 VALUES (?1, ?2, ?3, randomblob(16), ?4) RETURNING id",
            )?;
            let mut occurrence = connection.prepare(
                "INSERT INTO occurrence (start, component, recurrence, stop, form, feed)
                 VALUES (?1, ?2, ?3, ?4, 0, ?5)",
            )?;
            for number in 0..events {
                let text = format!("UID:{number}\nDTSTART:19700101T000000Z\n{}", " ".repeat(900));
                let id: i64 = component
                    .query_row(params![feed, EVENT, number.to_string(), text], |row| row.get(0))?;
                // One event in seven has begun before the window.
                let start = (number % 7) as i64 * 100 + 1;
                occurrence.execute(params![start, id, NOT_RECURRING, 1000, feed])?;
            }
            Ok(())
        };
        let fill = |connection: &_| {
            fill(connection, "large", 20_000).and_then(|()| fill(connection, "small", 30))
        };
        database.set_up(fill).unwrap();
        let calendars = ["small", "large"]
            .map(|name| CalendarStatus { name: name.to_owned(), ..CalendarStatus::default() });
        let query = WindowQuery {
            from: Timestamp::from_second(100).unwrap(),
            to: Timestamp::MAX,
            zone: &TimeZone::UTC,
            calendar: Some("small"),
            ended: false,
            limit: 100,
            rows_max: limits.pipeline.view_rows_max,
            bytes_max: limits.pipeline.view_bytes_max,
            copies: 1,
            calendars: &calendars,
            settings: &Settings::default(),
        };
        let mut lease = database.lease();
        lease.read(|_| Ok(())).unwrap();
        let before = read_bytes();
        let read = lease.read(|reader| read_window(reader, &query, &limits.feed));
        let pages = (read_bytes() - before) / 4096;
        let (entries, truncated) = read.unwrap();
        assert_eq!((entries.len(), truncated), (30, false));
        assert!(pages <= 40, "{pages} pages");
    }

    /// The loop waits for these: they walk along an index, and sort nothing.
    #[test]
    fn rows_come_in_the_order_of_an_index() {
        let (database, _, _folder) = open();
        for (select, expected) in [
            (
                TOUCHING,
                &[
                    "SEARCH o USING PRIMARY KEY (start>? AND start<?)",
                    "SEARCH c USING INTEGER PRIMARY KEY (rowid=?)",
                    "SEARCH f USING INTEGER PRIMARY KEY (rowid=?)",
                ][..],
            ),
            (
                TOUCHING_OF_FEED,
                &[
                    "SEARCH f USING INDEX sqlite_autoindex_feed_1 (name=?)",
                    "SEARCH o USING COVERING INDEX occurrence_feed (feed=? AND start>? AND start<?)",
                    "SEARCH c USING INTEGER PRIMARY KEY (rowid=?)",
                ],
            ),
            (LAST_PASSED_OVER, &["SEARCH occurrence USING PRIMARY KEY (start<?)"]),
            (
                LAST_PASSED_OVER_OF_FEED,
                &[
                    "SEARCH occurrence USING COVERING INDEX occurrence_feed (feed=? AND start<?)",
                    "SCALAR SUBQUERY 1",
                    "SEARCH feed USING COVERING INDEX sqlite_autoindex_feed_1 (name=?)",
                ],
            ),
        ] {
            let plan = database.lease().read(|reader| {
                let mut explain = reader.prepare(&format!("EXPLAIN QUERY PLAN {select}"))?;
                let steps = explain.raw_query().mapped(|row| row.get("detail"));
                Ok(steps.collect::<rusqlite::Result<Vec<String>>>()?)
            });
            assert_eq!(plan.unwrap(), expected, "{select}");
        }
    }
}

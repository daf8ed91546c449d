//! One turn: a few keys, one moment, one generation of the data, one reader and one read
//! transaction. Views of the same time share what is read for them.

use std::rc::Rc;
use std::time::Duration;

use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

use super::Sources;
use super::cache::Validity;
use super::key::{Bound, View, ViewKey, full};
use crate::api::full::database::Found;
use crate::api::people::People;
use crate::budget::PipelineLimits;
use crate::calendar::settings::{self, ConflictMode, Counts, PATTERNS_MAX};
use crate::calendar::{CalendarStatus, Entry, selection};
use crate::connections::database::{Lease, overview};
use crate::display::{Screen, calendar};
use crate::error::Result;
use crate::feed::store::{FORM_SLACK_SECONDS, WindowQuery, judged_window, read_window};
use crate::http::response::Answer;
use crate::http::route::Table;
use crate::ical::{Time, Window};
use crate::tzdb::tzdb;

/// Entries that are read beside those that a view shows: enough on nearly all days, and reading one
/// is most of what such an answer costs.
const SPARE_ENTRIES: usize = 24;
/// The same where those were not enough, and for the rules that pass over many.
pub(super) const SPARE_ENTRIES_MAX: usize = 64;
/// `/api/v1/events` without an end covers this many days.
const EVENTS_DAYS: i64 = 7;

/// What a key comes to, and how long that holds.
pub(super) type Rendered = (Rc<Answer>, Validity);

/// A turn under way.
pub(super) struct Turn<'p> {
    pub(super) sources: &'p Sources,
    pub(super) limits: &'p PipelineLimits,
    /// "Now" of everything that is made in it.
    pub(super) now: Timestamp,
    /// The generation that was current before anything was read.
    pub(super) generation: u64,
    pub(super) calendars: Vec<CalendarStatus>,
    pub(super) people: People,
    /// What was read beside entries.
    pub(super) aside: Aside,
    /// How long the answer about some days lives; others in proportion.
    pub(super) ttl: Duration,
    reader: Lease<'p>,
}

/// A key and what must be read for it.
pub(super) struct Wish<J> {
    /// Whose wish it is.
    pub(super) job: J,
    pub(super) key: ViewKey,
    pub(super) zone: TimeZone,
    /// "Now" of its answer.
    pub(super) now: Timestamp,
    /// The page of days that the wall shows in the place of what's next.
    pub(super) days: Option<calendar::View>,
    pub(super) scope: Scope,
    /// What to read when that was not enough.
    more: Option<Scope>,
}

/// What a view is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Scope {
    /// No events.
    Nothing,
    /// How many events each pattern of the settings matches.
    Matches,
    /// Something about the database itself.
    Table(Table),
    /// The last meeting of today that is over, and so many entries from now on.
    Ahead { wanted: usize },
    /// What touches a window, so many events at most.
    Range { from: Timestamp, to: Timestamp, limit: usize },
}

/// What was read beside entries, for the only view of its turn that asks for such.
#[derive(Default)]
pub(super) enum Aside {
    #[default]
    Nothing,
    Counts(Counts),
    Database(Found),
}

impl Aside {
    pub(super) fn parts(&self) -> (Counts, Option<&Found>) {
        match self {
            Self::Nothing => ([0; PATTERNS_MAX], None),
            Self::Counts(counts) => (*counts, None),
            Self::Database(found) => ([0; PATTERNS_MAX], Some(found)),
        }
    }
}

/// Entries as they were read.
#[derive(Default)]
pub(super) struct Reading {
    /// Those that are over come first; there are as many as [`Self::ended`] says.
    pub(super) entries: Vec<Entry>,
    pub(super) ended: usize,
    pub(super) truncated: bool,
}

impl<J> Wish<J> {
    /// Two wishes of one group are about the same calendars, seen from the same zone and moment.
    fn group(&self) -> (Option<&str>, Option<&str>, Timestamp) {
        (self.key.zone.as_deref(), self.key.view.calendar(), self.now)
    }

    /// True when nothing that the view shows can be missing from these entries: what is next, and
    /// as many as it shows after that.
    ///
    /// They come in the order in which they are stored, in which dates and floating times are
    /// those of UTC: what begins well before the last of them is complete.
    fn is_enough(&self, entries: &[Entry], truncated: bool, turn: &Turn<'_>) -> bool {
        let (now, skips) = (self.now, &turn.people.skips);
        let (view, later) = (&self.key.view, self.key.view.later());
        if !truncated || (later.is_none() && !matches!(view, View::Lite(_))) {
            return true;
        }
        let Some(last) = entries.last() else { return false };
        let last = selection::resolve(last.start, &TimeZone::UTC);
        let complete_until = last.saturating_sub(SignedDuration::from_secs(FORM_SLACK_SECONDS));
        let Ok(complete_until) = complete_until else { return false };
        if let View::Lite(view) = view {
            return view.is_enough(entries, &self.zone, (now, complete_until), skips);
        }
        let (mut ahead, mut is_next_there) = (0, false);
        for entry in entries {
            let start = selection::resolve(entry.start, &self.zone);
            let is_ahead = start > now && start < complete_until;
            if is_ahead && skips.until(entry, now).is_none() {
                ahead += 1;
                is_next_there |= !matches!(entry.start, Time::Date(_));
            }
        }
        // Every other one may have to give way.
        let is_halved = turn.people.settings.conflicts.mode == ConflictMode::Primary;
        let needed = |later: usize| if is_halved { 2 * later } else { later };
        is_next_there && later.is_none_or(|later| ahead > needed(later))
    }
}

impl<'p> Turn<'p> {
    /// Begins a turn as of `now`.
    pub(super) fn begin(
        sources: &'p Sources,
        limits: &'p PipelineLimits,
        now: Timestamp,
        ttl: Duration,
    ) -> Self {
        let generation = sources.feeds.generation();
        let calendars = sources.feeds.list().iter().map(|feed| feed.status(now)).collect();
        let people = sources.book.all();
        let reader = sources.database.lease();
        sources.metrics.pipeline_turns.count();
        let aside = Aside::default();
        Self { sources, limits, now, generation, calendars, people, aside, ttl, reader }
    }

    /// The turn reads one state of the database, whatever is published meanwhile.
    pub(super) fn hold_snapshot(&mut self) {
        // Without one every reading sees a state of its own, as in a turn of one key.
        let _ = self.reader.hold_snapshot();
    }

    /// What must be read for a key.
    pub(super) fn wish<J>(&self, job: J, key: ViewKey) -> Wish<J> {
        let zone = match &key.zone {
            Some(name) => tzdb().get(name).unwrap_or(TimeZone::UTC),
            None => self.sources.zone(),
        };
        let events_max = self.limits.view_events_max;
        let ahead = |wanted: usize| Scope::Ahead { wanted: wanted.min(events_max) };
        let days = self.wall_days(&key.view, &zone);
        let of_days = |view: &calendar::View| {
            let (from, to) = view.window(self.now, &zone, &self.screen().locale);
            Scope::Range { from, to, limit: events_max }
        };
        let scope = match &key.view {
            View::Calendars => Scope::Nothing,
            View::Page | View::Next { .. } => ahead(SPARE_ENTRIES + key.view.later().unwrap_or(0)),
            View::Lite(view) => view.scopes(self.now, &zone, events_max)[0],
            View::Today => {
                let today = zone.to_datetime(self.now).date();
                let tomorrow = today.tomorrow().ok().map(Bound::Day);
                let (from, to) = window(Some(Bound::Day(today)), tomorrow, self.now, &zone);
                Scope::Range { from, to, limit: events_max }
            }
            View::Full(full::View::Database(table)) => Scope::Table(*table),
            View::Full(view) if view.counts_matches() => Scope::Matches,
            View::Full(_) => match &days {
                Some(view) => of_days(view),
                None => ahead(SPARE_ENTRIES + key.view.later().unwrap_or(0)),
            },
            View::Events { from, to, limit, .. } => {
                let (from, to) = window(*from, *to, self.now, &zone);
                Scope::Range { from, to, limit: usize::from(*limit).min(events_max) }
            }
            View::Calendar(view) => of_days(view),
        };
        let more = match &key.view {
            View::Lite(view) => Some(view.scopes(self.now, &zone, events_max)[1]),
            view => view.later().map(|later| ahead(SPARE_ENTRIES_MAX + later)),
        };
        let more = more.filter(|more| days.is_none() && *more != scope);
        let now = if days.is_some() { self.now } else { self.shown_now(&key.view, &zone) };
        Wish { job, key, zone, now, days, scope, more }
    }

    /// How pages are written and coloured: as people have set it, or else the configuration.
    pub(super) fn screen(&self) -> Screen {
        self.sources.screen.get().set(&self.people.settings.display)
    }

    /// The page of days that a view shows, if the wall has such a layout.
    fn wall_days(&self, view: &View, zone: &TimeZone) -> Option<calendar::View> {
        let View::Full(full::View::Calendar | full::View::Html(_)) = view else { return None };
        let layout = match self.sources.wall.layout(self.people.settings.display.layout) {
            settings::Layout::WhatsNext => return None,
            settings::Layout::Portrait => calendar::Layout::Day,
            settings::Layout::Small => calendar::Layout::Agenda,
        };
        let date = self.sources.wall.date(self.now, zone);
        Some(calendar::View { date, days: Some(1), ..calendar::View::of(layout) })
    }

    /// "Now" of a view: another one where it is asked for, or where the wall shows another day.
    fn shown_now(&self, view: &View, zone: &TimeZone) -> Timestamp {
        let View::Full(view) = view else { return self.now };
        match view {
            full::View::Data(Some(at)) => Timestamp::from_second(*at).unwrap_or(self.now),
            view if view.is_of_meetings() => match self.sources.wall.date(self.now, zone) {
                Some(date) => midnight(date, zone, self.now),
                None => self.now,
            },
            _ => self.now,
        }
    }

    /// One reading for all of `wishes`, which are of one [`groups`] and more than one; `None`
    /// when each has to be read for by itself.
    pub(super) fn read_together<J>(&mut self, wishes: &[Wish<J>]) -> Option<Reading> {
        let (first, rest) = wishes.split_first().filter(|(_, rest)| !rest.is_empty())?;
        let scope = rest.iter().fold(first.scope, |scope, wish| scope.union(wish.scope));
        let scope = match scope {
            Scope::Range { from, to, .. } => {
                Scope::Range { from, to, limit: self.limits.view_events_max }
            }
            scope => scope,
        };
        let (zone, calendar) = (&first.zone, first.key.view.calendar());
        let reading = self.read(scope, first.now, zone, calendar).ok()?;
        // What is cut off may belong to any of them: each is read for alone, and beside nothing.
        let is_useless = reading.truncated && matches!(scope, Scope::Range { .. });
        (!is_useless).then_some(reading)
    }

    /// What a wish would have read by itself, out of a reading for several; `None` when that
    /// cannot be told from it.
    pub(super) fn part<'r, J>(
        &self,
        reading: &'r Reading,
        wish: &Wish<J>,
    ) -> Option<(&'r [Entry], bool)> {
        let part = reading.part(wish.scope, &wish.zone);
        part.filter(|(entries, truncated)| wish.is_enough(entries, *truncated, self))
    }

    /// What one wish needs.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub(super) fn read_alone<J>(&mut self, wish: &Wish<J>) -> Result<Reading> {
        let (zone, calendar) = (&wish.zone, wish.key.view.calendar());
        let reading = self.read(wish.scope, wish.now, zone, calendar)?;
        match wish.more {
            Some(more) if !wish.is_enough(&reading.entries, reading.truncated, self) => {
                self.read(more, wish.now, zone, calendar)
            }
            _ => Ok(reading),
        }
    }

    /// What an answer that is on its way to a slow reader has of the room for views.
    pub(super) fn lent_bytes(&self) -> usize {
        (self.sources.metrics.memory.views.used() as usize).min(self.limits.view_bytes_max)
    }

    fn read(
        &mut self,
        scope: Scope,
        now: Timestamp,
        zone: &TimeZone,
        calendar: Option<&str>,
    ) -> Result<Reading> {
        let (limits, calendars, feed_limits) =
            (self.limits, &self.calendars, &self.sources.feed_limits);
        let bytes_max = limits.view_bytes_max - self.lent_bytes();
        let today = midnight(zone.to_datetime(now).date(), zone, now);
        let (settings, week) = (&*self.people.settings, window(None, None, now, zone));
        let window = |from, to, limit| WindowQuery {
            from,
            to,
            zone,
            calendar,
            ended: false,
            limit,
            rows_max: limits.view_rows_max,
            bytes_max,
            calendars,
            settings,
        };
        if scope != Scope::Nothing {
            self.sources.metrics.pipeline_readings.count();
        }
        let aside = &mut self.aside;
        self.reader.read(|reader| match scope {
            Scope::Nothing => Ok(Reading::default()),
            Scope::Table(table) => {
                *aside = Aside::Database(match table {
                    Table::Info => Found::Overview(overview::overview(reader)?),
                    Table::Tables => Found::Objects(overview::objects(reader, true)?),
                    Table::Schema => Found::Objects(overview::objects(reader, false)?),
                });
                Ok(Reading::default())
            }
            Scope::Matches => {
                let mut judge = settings.judge().counting();
                let query = window(week.0, week.1, limits.view_events_max);
                judged_window(reader, &query, feed_limits, &mut judge)?;
                *aside = Aside::Counts(judge.counts());
                Ok(Reading::default())
            }
            Scope::Range { from, to, limit } => {
                // One more than is shown tells whether there are more.
                let query = window(from, to, limit + 1);
                let (entries, truncated) = read_window(reader, &query, feed_limits)?;
                Ok(Reading { entries, ended: 0, truncated })
            }
            Scope::Ahead { wanted } => {
                // One meeting that is over tells whether today has had any.
                let over = WindowQuery { ended: true, ..window(today, now, 1) };
                let (mut entries, _) = read_window(reader, &over, feed_limits)?;
                let ended = entries.len();
                let query = window(now, Timestamp::MAX, wanted);
                let (ahead, truncated) = read_window(reader, &query, feed_limits)?;
                entries.extend(ahead);
                Ok(Reading { entries, ended, truncated })
            }
        })
    }
}

impl Scope {
    /// True when one reading does for both, which are in order.
    fn overlaps(self, next: Self) -> bool {
        match (self, next) {
            (Scope::Ahead { .. }, Scope::Ahead { .. }) => true,
            // One without an end is mostly cut off, and no use to others then.
            (Scope::Range { to, .. }, Scope::Range { from, to: end, .. }) => {
                from < to && to.max(end) < Timestamp::MAX
            }
            _ => false,
        }
    }

    /// From when to when a range goes.
    pub(super) fn window(self, now: Timestamp) -> (Timestamp, Timestamp) {
        match self {
            Scope::Range { from, to, .. } => (from, to),
            Scope::Ahead { .. } => (now, Timestamp::MAX),
            Scope::Nothing | Scope::Matches | Scope::Table(_) => (now, now),
        }
    }

    fn union(self, other: Self) -> Self {
        match (self, other) {
            (Scope::Ahead { wanted: a }, Scope::Ahead { wanted: b }) => {
                Scope::Ahead { wanted: a.max(b) }
            }
            (Scope::Range { from, to, limit }, Scope::Range { from: start, to: end, .. }) => {
                Scope::Range { from: from.min(start), to: to.max(end), limit }
            }
            (scope, _) => scope,
        }
    }
}

impl Reading {
    /// The part of a reading for several that one of them would have read by itself; `None` when
    /// that cannot be told from it.
    fn part(&self, scope: Scope, zone: &TimeZone) -> Option<(&[Entry], bool)> {
        match scope {
            Scope::Nothing | Scope::Matches | Scope::Table(_) => {
                Some((&self.entries, self.truncated))
            }
            Scope::Ahead { wanted } => {
                let end = self.ended + wanted;
                let cut = self.entries.len() > end;
                Some((&self.entries[..end.min(self.entries.len())], cut || self.truncated))
            }
            Scope::Range { from, to, limit } => {
                let window = Window { start: from, end: to };
                let mut touching = 0;
                for entry in &self.entries {
                    let (start, end) = selection::times(entry.start, entry.end, zone);
                    touching += usize::from(window.touches(start, end));
                    // One of the calendars that have a meeting may end it before the window.
                    if start < from && !entry.also.is_empty() {
                        return None;
                    }
                }
                (touching <= limit).then_some((&self.entries, false))
            }
        }
    }
}

/// Puts wishes in order, those first for which one reading does.
pub(super) fn groups<J>(mut wishes: Vec<Wish<J>>) -> Vec<Vec<Wish<J>>> {
    wishes.sort_by(|a, b| (a.group(), a.scope).cmp(&(b.group(), b.scope)));
    let mut groups: Vec<(Scope, Vec<Wish<J>>)> = Vec::new();
    for wish in wishes {
        match groups.last_mut() {
            Some((scope, group))
                if group[0].group() == wish.group() && scope.overlaps(wish.scope) =>
            {
                *scope = scope.union(wish.scope);
                group.push(wish);
            }
            _ => groups.push((wish.scope, vec![wish])),
        }
    }
    groups.into_iter().map(|(_, group)| group).collect()
}

/// From when to when a range goes; without an end it is a week, from the start of today on.
fn window(
    from: Option<Bound>,
    to: Option<Bound>,
    now: Timestamp,
    zone: &TimeZone,
) -> (Timestamp, Timestamp) {
    let moment = |bound| match bound {
        Bound::Instant(second) => Timestamp::from_second(second).unwrap_or(now),
        Bound::Day(date) => midnight(date, zone, now),
    };
    let today = || midnight(zone.to_datetime(now).date(), zone, now);
    let from = from.map_or_else(today, moment);
    let week = || {
        let first = zone.to_datetime(from).date();
        midnight(first.saturating_add(jiff::Span::new().days(EVENTS_DAYS)), zone, now)
    };
    (from, to.map_or_else(week, moment))
}

/// The first moment of a day; `now` where the zone has none that can be told.
fn midnight(date: Date, zone: &TimeZone, now: Timestamp) -> Timestamp {
    date.to_zoned_datetime(zone.clone()).map_or(now, |zoned| zoned.timestamp())
}

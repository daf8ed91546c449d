//! Which meetings a person should see, and what of them. The one view model behind every answer:
//! JSON, pages, pictures and speech all start from [`whats_next`] or [`in_window`].
//!
//! Days are civil days of the agenda's zone. They are 23 or 25 hours long twice a year, so
//! nothing here adds hours to get from one day to another.

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;

use super::conflicts::{self, Ruling};
use super::filter::Hidden;
use super::locale::{Language, Words};
use super::text::web_link;
use super::{Agenda, CalendarStatus, Entry};
use crate::ical::{Busy, Details, Person, Status, Time, Window};

/// An entry that is shown, with its times resolved in the agenda's zone.
#[derive(Clone, Copy, Debug)]
pub struct Meeting<'a> {
    /// What was stored.
    pub entry: &'a Entry,
    /// Where it comes from; [`Meeting::calendars`] are all that have it.
    pub calendar: &'a CalendarStatus,
    /// When it begins. For a date this is its first moment in the agenda's zone.
    pub start: Timestamp,
    /// When it ends, exclusive, and never before `start`.
    pub end: Timestamp,
    /// It fills days rather than hours.
    pub all_day: bool,
    /// Not settled yet: tentative, or shown although it blocks no time.
    pub tentative: bool,
    /// Its time may be seen and nothing else.
    pub private: bool,
    /// Somebody skips it until then: it is not what comes next.
    pub skipped_until: Option<Timestamp>,
    /// It overlaps another meeting, and people want to be told so.
    pub has_conflict: bool,
    /// Those of the agenda.
    all_calendars: &'a [CalendarStatus],
}

/// What is going on, what comes next, and when that changes.
#[derive(Clone, Debug)]
pub struct WhatsNext<'a> {
    /// Timed meetings that are running, in order of their start.
    pub current: Vec<Meeting<'a>>,
    /// The timed meeting that starts next, today or later.
    pub next: Option<Meeting<'a>>,
    /// What comes after it, all-day events of later days included.
    pub later: Vec<Meeting<'a>>,
    /// All-day events that cover today.
    pub all_day: Vec<Meeting<'a>>,
    /// How far today has got.
    pub today: Today,
    /// The next instant at which any of this becomes wrong: a start, an end, the end of a skip, or
    /// midnight.
    pub changes_at: Timestamp,
}

/// How far today has got, all-day events apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Today {
    /// No meeting today.
    Free,
    /// A meeting is running or still to come.
    Ahead,
    /// There were meetings today, and the last is over.
    Done,
}

/// How much the data can be trusted, over all calendars.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Freshness {
    /// Some calendar is stale.
    pub stale: bool,
    /// The oldest moment at which a calendar was last known to be right; `None` when one never
    /// was, or when there is none.
    pub as_of: Option<Timestamp>,
    /// Why, in words, when stale.
    pub reason: Option<String>,
}

/// Calendars that [`Freshness::reason`] names; a screen has no room for more.
const REASONS_MAX: usize = 3;

/// The state of the day at `agenda.now`, with at most `limit` later meetings, without those that
/// somebody skips. Without a clock that is set there are none.
pub fn whats_next<'a>(agenda: &Agenda<'a>, limit: usize) -> WhatsNext<'a> {
    let now = agenda.now;
    let today = agenda.zone.to_datetime(now).date();
    let midnight = day_after(today, agenda.zone);
    let mut meetings: Vec<_> = meetings(agenda).filter(|_| agenda.clock_is_set).collect();
    let ended_today = meetings.iter().any(|m| {
        !m.all_day && m.end <= now && agenda.zone.to_datetime(last_moment(m)).date() == today
    });
    meetings.retain(|m| m.end > now || m.start > now);
    meetings.sort_unstable_by(Meeting::order);

    let mut view = WhatsNext {
        current: Vec::new(),
        next: None,
        later: Vec::new(),
        all_day: Vec::new(),
        today: if ended_today { Today::Done } else { Today::Free },
        changes_at: next_turn(meetings.iter().map(|m| m.turn(now)), now, midnight),
    };
    for meeting in meetings.into_iter().filter(|m| m.skipped_until.is_none()) {
        if !meeting.all_day && meeting.start < midnight {
            view.today = Today::Ahead;
        }
        if meeting.start <= now {
            let running = if meeting.all_day { &mut view.all_day } else { &mut view.current };
            running.push(meeting);
        } else if view.next.is_none() && !meeting.all_day {
            view.next = Some(meeting);
        } else if view.later.len() < limit {
            view.later.push(meeting);
        }
    }
    view
}

/// The meetings that touch `from .. to`, of one calendar or of all, by start, title and id. The
/// second value is true when there are more than the `limit` that are returned.
pub fn in_window<'a>(
    agenda: &Agenda<'a>,
    from: Timestamp,
    to: Timestamp,
    calendar: Option<&str>,
    limit: usize,
) -> (Vec<Meeting<'a>>, bool) {
    let window = Window { start: from, end: to };
    let mut found: Vec<_> = meetings(agenda)
        .filter(|m| window.touches(m.start, m.end))
        .filter(|m| calendar.is_none_or(|name| m.calendars().any(|(_, c)| c.name == name)))
        .collect();
    found.sort_unstable_by(Meeting::order);
    let truncated = agenda.truncated || found.len() > limit;
    found.truncate(limit);
    (found, truncated)
}

/// From when to when today goes in the agenda's zone.
pub fn today(agenda: &Agenda<'_>) -> (Timestamp, Timestamp) {
    day(agenda.zone.to_datetime(agenda.now).date(), agenda.zone)
}

/// The next instant at which [`whats_next`] changes.
pub fn changes_at(agenda: &Agenda<'_>) -> Timestamp {
    let midnight = day_after(agenda.zone.to_datetime(agenda.now).date(), agenda.zone);
    let meetings = meetings(agenda).filter(|_| agenda.clock_is_set);
    next_turn(meetings.map(|m| m.turn(agenda.now)), agenda.now, midnight)
}

/// The first moment of the next day.
pub fn midnight_after(now: Timestamp, zone: &TimeZone) -> Timestamp {
    day_after(zone.to_datetime(now).date(), zone)
}

/// The next instant at which what is said of these meetings changes.
pub fn changes_of(meetings: &[Meeting<'_>], agenda: &Agenda<'_>) -> Timestamp {
    let midnight = day_after(agenda.zone.to_datetime(agenda.now).date(), agenda.zone);
    let meetings = meetings.iter().filter(|_| agenda.clock_is_set);
    next_turn(meetings.map(|m| m.turn(agenda.now)), agenda.now, midnight)
}

/// The first turn or midnight after `now`.
fn next_turn(
    turns: impl Iterator<Item = Timestamp>,
    now: Timestamp,
    midnight: Timestamp,
) -> Timestamp {
    turns.chain([midnight]).filter(|&turn| turn > now).min().unwrap_or(Timestamp::MAX)
}

/// Why an event is not shown by what it says of itself; `None` when it is.
pub fn hidden(details: &Details) -> Option<Hidden<'static>> {
    standing(details).err()
}

/// True when only the time of an entry may be seen.
pub(super) fn is_private(entry: &Entry, calendars: &[CalendarStatus]) -> bool {
    let hides_all = calendars.get(entry.calendar).is_none_or(|calendar| calendar.private);
    hides_all || entry.details.private
}

/// Every entry that is shown at all, in the order of the agenda.
pub fn meetings<'a>(agenda: &Agenda<'a>) -> impl Iterator<Item = Meeting<'a>> + use<'a> {
    let rulings = conflicts::rulings(agenda, shown(agenda));
    shown(agenda).enumerate().filter_map(move |(index, meeting)| {
        match rulings.get(index).copied().unwrap_or_default() {
            Ruling::Shown => Some(meeting),
            Ruling::Marked => Some(Meeting { has_conflict: true, ..meeting }),
            Ruling::Lost => None,
        }
    })
}

/// The same, before those that overlap are looked at.
fn shown<'a>(agenda: &Agenda<'a>) -> impl Iterator<Item = Meeting<'a>> + use<'a> {
    let Agenda { entries, calendars, zone, skips, now, .. } = *agenda;
    entries.iter().filter_map(move |entry| {
        let standing = standing(&entry.details).ok()?;
        let calendar = calendars.get(entry.calendar)?;
        let (start, end) = times(entry.start, entry.end, zone);
        Some(Meeting {
            entry,
            calendar,
            start,
            end,
            all_day: matches!(entry.start, Time::Date(_)),
            tentative: standing == Standing::Tentative,
            private: is_private(entry, calendars),
            skipped_until: skips.until(entry, now),
            has_conflict: false,
            all_calendars: calendars,
        })
    })
}

/// How fresh the data of all calendars together is. Without a clock that is set nobody knows.
pub fn freshness(agenda: &Agenda<'_>) -> Freshness {
    freshness_in(agenda, Language::English.words())
}

/// The same, with the reason in a language as far as it is ours.
pub fn freshness_in(agenda: &Agenda<'_>, words: &Words) -> Freshness {
    let calendars = agenda.calendars;
    let stale: Vec<_> = calendars.iter().filter(|calendar| calendar.stale).collect();
    let complete = calendars.iter().all(|calendar| calendar.last_success.is_some());
    let oldest = calendars.iter().filter_map(|calendar| calendar.last_success).min();
    let mut reasons: Vec<String> =
        stale.iter().take(REASONS_MAX).map(|c| reason(c, words)).collect();
    if !agenda.clock_is_set {
        reasons.insert(0, words.clock_unset.to_owned());
    }
    if stale.len() > REASONS_MAX {
        let more = (stale.len() - REASONS_MAX).to_string();
        reasons.push(words.more_calendars.replace("{}", &more));
    }
    Freshness {
        stale: !reasons.is_empty(),
        as_of: oldest.filter(|_| complete),
        reason: (!reasons.is_empty()).then(|| reasons.join("; ")),
    }
}

/// A calendar's time as a moment: a date is its first moment in `zone`, a floating time is the
/// time on the wall there (RFC 5545 section 3.3.5: in a gap the offset before it, in a fold the
/// first).
pub fn resolve(time: Time, zone: &TimeZone) -> Timestamp {
    let civil = match time {
        Time::Instant(at) => return at,
        Time::Floating(civil) => civil,
        Time::Date(date) => date.at(0, 0, 0, 0),
    };
    let beyond = if civil.year() > 0 { Timestamp::MAX } else { Timestamp::MIN };
    zone.to_timestamp(civil).unwrap_or(beyond)
}

/// From when to when something lasts in `zone`; it never ends before it begins.
pub fn times(start: Time, end: Time, zone: &TimeZone) -> (Timestamp, Timestamp) {
    let (first, last) = (resolve(start, zone), resolve(end, zone));
    match start {
        // An all-day event without a usable end fills its day (RFC 5545 section 3.6.1).
        Time::Date(date) if last <= first => (first, day_after(date, zone)),
        _ => (first, last.max(first)),
    }
}

impl<'a> Meeting<'a> {
    /// SUMMARY, or "Busy" when that is private.
    pub fn title(&self) -> &'a str {
        self.title_in(Language::English.words())
    }

    /// The same in a language.
    pub fn title_in(&self, words: &'static Words) -> &'a str {
        let summary = self.seen(&self.entry.details.summary);
        match summary {
            _ if self.private => words.busy,
            "" => words.untitled,
            _ => summary,
        }
    }

    /// LOCATION; empty when there is none or it is private.
    pub fn location(&self) -> &'a str {
        self.seen(&self.entry.details.location)
    }

    /// DESCRIPTION; empty when there is none or it is private.
    pub fn description(&self) -> &'a str {
        self.seen(&self.entry.details.description)
    }

    /// ORGANIZER; `None` when there is none or it is private.
    pub fn organizer(&self) -> Option<&'a Person> {
        self.entry.details.organizer.as_ref().filter(|_| !self.private)
    }

    /// ATTENDEE; empty when they are private.
    pub fn attendees(&self) -> &'a [Person] {
        if self.private { &[] } else { &self.entry.details.attendees }
    }

    /// Where to click: URL, or CONFERENCE when that is no web link.
    pub fn url(&self) -> Option<&'a str> {
        let details = &self.entry.details;
        web_link(self.seen(&details.url)).or_else(|| web_link(self.seen(&details.conference)))
    }

    /// The original start of an instance that a rule made; `None` when it is private.
    pub fn recurrence(&self) -> Option<Time> {
        self.entry.recurrence.filter(|_| !self.private)
    }

    /// The calendars that have it, each with its index in the agenda, in the agenda's order.
    pub fn calendars(&self) -> impl Iterator<Item = (usize, &'a CalendarStatus)> + use<'a> {
        let (entry, all) = (self.entry, self.all_calendars);
        let indices = std::iter::once(entry.calendar).chain(entry.also.iter().copied());
        indices.filter_map(|index| Some((index, all.get(index)?)))
    }

    /// The last day that it is on in `zone`.
    pub fn last_date(&self, zone: &TimeZone) -> Date {
        zone.to_datetime(last_moment(self)).date()
    }

    /// No calendar that has it is up to date.
    pub fn is_stale(&self) -> bool {
        self.calendars().all(|(_, calendar)| calendar.stale)
    }

    /// It takes place, in part at least, between `from` and `to`.
    pub fn touches(&self, from: Timestamp, to: Timestamp) -> bool {
        Window { start: from, end: to }.touches(self.start, self.end)
    }

    /// The next instant at which what is said of it changes: the end of its skip, its start or its
    /// end.
    fn turn(&self, now: Timestamp) -> Timestamp {
        let own = if self.start > now { self.start } else { self.end };
        self.skipped_until.unwrap_or(own)
    }

    /// By start, then title, then id: an order that no refresh shuffles.
    fn order(a: &Self, b: &Self) -> std::cmp::Ordering {
        let key = |m: &Self| (m.start, m.title(), m.entry.id.as_str());
        key(a).cmp(&key(b))
    }

    fn seen(&self, text: &'a str) -> &'a str {
        if self.private { "" } else { text.trim() }
    }
}

/// Whether an event that is shown is settled.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Standing {
    Confirmed,
    Tentative,
}

/// What an event's own marks say, or why it is not shown. The first rule that applies wins.
fn standing(details: &Details) -> Result<Standing, Hidden<'static>> {
    // Outlook writes this before the subject of a meeting that one only watches.
    let following = details.summary.contains("Following:");
    if details.deleted {
        Err(Hidden::Deleted)
    } else if details.status == Status::Cancelled {
        Err(Hidden::Cancelled)
    } else if details.busy == Some(Busy::Free) {
        if following { Ok(Standing::Tentative) } else { Err(Hidden::Free) }
    } else if details.status == Status::Tentative || details.busy == Some(Busy::Tentative) {
        Ok(Standing::Tentative)
    } else if details.transparent {
        let confirmed = details.status == Status::Confirmed;
        if confirmed { Ok(Standing::Tentative) } else { Err(Hidden::Transparent) }
    } else if following {
        Ok(Standing::Tentative)
    } else {
        Ok(Standing::Confirmed)
    }
}

/// From when to when a day goes.
pub fn day(date: Date, zone: &TimeZone) -> (Timestamp, Timestamp) {
    (resolve(Time::Date(date), zone), day_after(date, zone))
}

/// The first moment of the day after `date`.
fn day_after(date: Date, zone: &TimeZone) -> Timestamp {
    date.tomorrow().map_or(Timestamp::MAX, |tomorrow| resolve(Time::Date(tomorrow), zone))
}

/// A moment that is surely on the last day of a meeting: one that ends at midnight was on the
/// day before.
pub(super) fn last_moment(meeting: &Meeting<'_>) -> Timestamp {
    let before_end = Timestamp::from_second(meeting.end.as_second().saturating_sub(1));
    before_end.map_or(meeting.start, |moment| moment.max(meeting.start))
}

fn reason(calendar: &CalendarStatus, words: &Words) -> String {
    let why = match (&calendar.last_error, calendar.last_success) {
        (Some(error), _) => error,
        (None, Some(_)) => words.not_refreshed,
        (None, None) => words.never_fetched,
    };
    format!("{}: {why}", calendar.name)
}

#[cfg(test)]
mod tests;

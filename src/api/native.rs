//! Our own routes. `docs/API.md` shows these shapes to people; it and this file change together.

use jiff::Timestamp;
use jiff::tz::TimeZone;
use nanoserde::SerJson;

use super::json::{Text, texts};
use crate::calendar::selection::{self, Freshness, Meeting, Today};
use crate::calendar::text::{local, zone_name};
use crate::calendar::{Agenda, CalendarStatus};
use crate::ical::Time;

/// What `GET /api/v1/events` was asked for.
#[derive(Clone, Copy, Debug)]
pub struct EventsQuery<'a> {
    /// The first instant of the window.
    pub from: Timestamp,
    /// The first instant after it.
    pub to: Timestamp,
    /// Only the calendar of this name.
    pub calendar: Option<&'a str>,
    /// At most this many events.
    pub limit: usize,
}

/// `GET /api/v1/next`: what is going on and what comes next, with at most `limit` later events.
pub fn next(agenda: &Agenda<'_>, limit: usize) -> String {
    let view = selection::whats_next(agenda, limit);
    let Freshness { stale, as_of, reason } = selection::freshness(agenda);
    let answer = Next {
        now: local(agenda.now, agenda.zone).into(),
        zone: zone_name(agenda.zone, agenda.now).into(),
        valid_until: local(view.changes_at, agenda.zone).into(),
        stale,
        as_of: as_of.map(|at| local(at, agenda.zone).into()),
        reason: reason.map(Text::from),
        // What was left out begins after all that was read: a full list misses nothing.
        truncated: agenda.truncated && (view.next.is_none() || view.later.len() < limit),
        done_for_today: view.today == Today::Done,
        seconds_until_next: view
            .next
            .map(|meeting| meeting.start.as_second() - agenda.now.as_second()),
        current: listed(&view.current, agenda),
        next: view.next.map(|meeting| event(&meeting, agenda)),
        later: listed(&view.later, agenda),
        all_day: listed(&view.all_day, agenda),
    };
    answer.serialize_json()
}

/// `GET /api/v1/events`: what touches a window.
pub fn events(agenda: &Agenda<'_>, query: &EventsQuery<'_>) -> String {
    let EventsQuery { from, to, calendar, limit } = *query;
    let (meetings, truncated) = selection::in_window(agenda, from, to, calendar, limit);
    let Freshness { stale, as_of, reason } = selection::freshness(agenda);
    let answer = Events {
        now: local(agenda.now, agenda.zone).into(),
        zone: zone_name(agenda.zone, agenda.now).into(),
        from: local(from, agenda.zone).into(),
        to: local(to, agenda.zone).into(),
        stale,
        as_of: as_of.map(|at| local(at, agenda.zone).into()),
        reason: reason.map(Text::from),
        truncated,
        events: listed(&meetings, agenda),
    };
    answer.serialize_json()
}

/// `GET /api/v1/calendars`: the feeds and how they fare.
pub fn calendars(agenda: &Agenda<'_>) -> String {
    let calendars = agenda.calendars.iter().map(|calendar| status(calendar, agenda)).collect();
    let now = local(agenda.now, agenda.zone).into();
    Calendars { now, calendars }.serialize_json()
}

/// Why something is shown or not.
pub struct Explanation<'a> {
    /// Now.
    pub now: Timestamp,
    /// The zone that the answer speaks in.
    pub zone: &'a TimeZone,
    /// What was asked about.
    pub id: &'a str,
    /// Somebody skips it until then.
    pub skipped_until: Option<Timestamp>,
    /// What there is to say, by the name of each calendar that has it.
    pub explained: Vec<(String, Vec<String>)>,
}

/// `GET /api/v1/explain`: why something is shown or not.
pub fn explanation(explanation: &Explanation<'_>) -> String {
    let Explanation { now, zone, id, skipped_until, explained } = explanation;
    let calendars = explained
        .iter()
        .map(|(name, lines)| Explained { name: name.as_str().into(), lines: texts(lines) });
    let answer = Explain {
        now: local(*now, zone).into(),
        zone: zone_name(zone, *now).into(),
        id: (*id).into(),
        skipped_until: skipped_until.map(|at| local(at, zone).into()),
        calendars: calendars.collect(),
    };
    answer.serialize_json()
}

/// The body of an error answer, `application/problem+json` (RFC 9457 section 3). `title` names
/// the sort of problem, `detail` what was wrong this time.
pub fn problem(status: u16, title: &str, detail: &str) -> String {
    let kind = "about:blank".into();
    Problem { kind, title: title.into(), status, detail: detail.into() }.serialize_json()
}

#[derive(SerJson)]
#[nserde(serialize_none_as_null)]
struct Next<'a> {
    now: Text<'a>,
    zone: Text<'a>,
    valid_until: Text<'a>,
    stale: bool,
    as_of: Option<Text<'a>>,
    reason: Option<Text<'a>>,
    truncated: bool,
    done_for_today: bool,
    seconds_until_next: Option<i64>,
    current: Vec<Event<'a>>,
    next: Option<Event<'a>>,
    later: Vec<Event<'a>>,
    all_day: Vec<Event<'a>>,
}

#[derive(SerJson)]
#[nserde(serialize_none_as_null)]
struct Events<'a> {
    now: Text<'a>,
    zone: Text<'a>,
    from: Text<'a>,
    to: Text<'a>,
    stale: bool,
    as_of: Option<Text<'a>>,
    reason: Option<Text<'a>>,
    truncated: bool,
    events: Vec<Event<'a>>,
}

#[derive(SerJson)]
#[nserde(serialize_none_as_null)]
struct Event<'a> {
    id: Text<'a>,
    /// The first of [`Self::calendars`].
    calendar: Text<'a>,
    calendars: Vec<Text<'a>>,
    title: Text<'a>,
    /// A date for an all-day event, else RFC 3339 in the answer's zone.
    start: Text<'a>,
    /// The same, exclusive.
    end: Text<'a>,
    all_day: bool,
    location: Option<Text<'a>>,
    /// `confirmed` or `tentative`.
    status: Text<'a>,
    private: bool,
    url: Option<Text<'a>>,
    recurrence_id: Option<Text<'a>>,
    /// Every calendar that has it is stale.
    stale: bool,
    /// Somebody skips it.
    skipped: bool,
}

#[derive(SerJson)]
struct Calendars<'a> {
    now: Text<'a>,
    calendars: Vec<Calendar<'a>>,
}

#[derive(SerJson)]
#[nserde(serialize_none_as_null)]
struct Calendar<'a> {
    name: Text<'a>,
    source: Text<'a>,
    color: Option<Text<'a>>,
    private: bool,
    events: u64,
    skipped: u64,
    skipped_reasons: Vec<Text<'a>>,
    warnings: Vec<Text<'a>>,
    truncated_series: u64,
    stale: bool,
    last_success: Option<Text<'a>>,
    age_seconds: Option<i64>,
    last_error: Option<Text<'a>>,
    next_due: Option<Text<'a>>,
}

#[derive(SerJson)]
#[nserde(serialize_none_as_null)]
struct Explain<'a> {
    now: Text<'a>,
    zone: Text<'a>,
    id: Text<'a>,
    skipped_until: Option<Text<'a>>,
    calendars: Vec<Explained<'a>>,
}

#[derive(SerJson)]
struct Explained<'a> {
    name: Text<'a>,
    lines: Vec<Text<'a>>,
}

#[derive(SerJson)]
struct Problem<'a> {
    #[nserde(rename = "type")]
    kind: Text<'a>,
    title: Text<'a>,
    status: u16,
    detail: Text<'a>,
}

fn listed<'a>(meetings: &[Meeting<'a>], agenda: &Agenda<'_>) -> Vec<Event<'a>> {
    meetings.iter().map(|meeting| event(meeting, agenda)).collect()
}

fn event<'a>(meeting: &Meeting<'a>, agenda: &Agenda<'_>) -> Event<'a> {
    let entry = meeting.entry;
    // An all-day event without a usable end was given one, so its last day comes from the view.
    let end = if meeting.all_day {
        agenda.zone.to_datetime(meeting.end).date().to_string()
    } else {
        local(meeting.end, agenda.zone)
    };
    Event {
        id: entry.id.as_str().into(),
        calendar: meeting.calendar.name.as_str().into(),
        calendars: meeting.calendars().map(|(_, calendar)| calendar.name.as_str().into()).collect(),
        title: meeting.title().into(),
        start: written(entry.start, agenda).into(),
        end: end.into(),
        all_day: meeting.all_day,
        location: Text::unless_empty(meeting.location()),
        status: if meeting.tentative { "tentative" } else { "confirmed" }.into(),
        private: meeting.private,
        url: meeting.url().map(Text::from),
        recurrence_id: meeting.recurrence().map(|original| written(original, agenda).into()),
        stale: meeting.is_stale(),
        skipped: meeting.skipped_until.is_some(),
    }
}

/// A date as it is, since it means that day everywhere; any other time in the answer's zone.
fn written(time: Time, agenda: &Agenda<'_>) -> String {
    match time {
        Time::Date(date) => date.to_string(),
        time => local(selection::resolve(time, agenda.zone), agenda.zone),
    }
}

fn status<'a>(calendar: &'a CalendarStatus, agenda: &Agenda<'_>) -> Calendar<'a> {
    let at = |moment: Option<Timestamp>| moment.map(|at| local(at, agenda.zone).into());
    Calendar {
        name: calendar.name.as_str().into(),
        source: calendar.label.as_str().into(),
        color: Text::unless_empty(&calendar.color),
        private: calendar.private,
        events: calendar.events,
        skipped: calendar.skipped,
        skipped_reasons: texts(calendar.disclosed(&calendar.skipped_reasons)),
        warnings: texts(calendar.disclosed(&calendar.warnings)),
        truncated_series: calendar.truncated_series,
        stale: calendar.stale,
        last_success: at(calendar.last_success),
        age_seconds: calendar
            .last_success
            .map(|at| (agenda.now.as_second() - at.as_second()).max(0)),
        last_error: calendar.last_error.as_deref().map(Text::from),
        next_due: at(calendar.next_due),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::calendar::fixture::{Desk, at, calendar, entry, time, titled, with};

    #[test]
    fn next_has_the_documented_shape() {
        let rule_made = with(
            titled(entry("u_1", "2025-11-24T13:00:00Z", "2025-11-24T14:00:00Z"), "</b> \"Review\""),
            |e| {
                e.recurrence = Some(time("2025-11-24T12:00:00Z"));
                e.details_mut().location = "Room 4".to_owned();
                e.details_mut().url = "https://example.org/x".to_owned();
            },
        );
        let entries = vec![
            rule_made,
            titled(entry("u_2", "2025-11-24", "2025-11-26"), "Fair"),
            entry("u_3", "2025-11-24T11:30:00Z", "2025-11-24T12:30:00Z"),
        ];
        let mut desk = Desk::new("2025-11-24T12:00:00Z", "Europe/Berlin", entries);
        desk.calendars[0].stale = true;
        desk.calendars[0].last_error = Some("HTTP 503".to_owned());
        let expected = concat!(
            r#"{"now":"2025-11-24T13:00:00+01:00","zone":"Europe/Berlin","#,
            r#""valid_until":"2025-11-24T13:30:00+01:00","stale":true,"#,
            r#""as_of":"2025-11-24T10:00:00+01:00","reason":"work: HTTP 503","#,
            r#""truncated":false,"done_for_today":false,"seconds_until_next":3600,"#,
            r#""current":[{"id":"u_3","calendar":"work","calendars":["work"],"title":"Title u_3","#,
            r#""start":"2025-11-24T12:30:00+01:00","end":"2025-11-24T13:30:00+01:00","#,
            r#""all_day":false,"location":null,"status":"confirmed","private":false,"#,
            r#""url":null,"recurrence_id":null,"stale":true,"skipped":false}],"#,
            r#""next":{"id":"u_1","calendar":"work","calendars":["work"],"title":"\u003c/b> \"Review\"","#,
            r#""start":"2025-11-24T14:00:00+01:00","end":"2025-11-24T15:00:00+01:00","#,
            r#""all_day":false,"location":"Room 4","status":"confirmed","private":false,"#,
            r#""url":"https://example.org/x","recurrence_id":"2025-11-24T13:00:00+01:00","#,
            r#""stale":true,"skipped":false},"later":[],"#,
            r#""all_day":[{"id":"u_2","calendar":"work","calendars":["work"],"title":"Fair","start":"2025-11-24","#,
            r#""end":"2025-11-26","all_day":true,"location":null,"status":"confirmed","#,
            r#""private":false,"url":null,"recurrence_id":null,"stale":true,"skipped":false}]}"#,
        );
        assert_eq!(next(&desk.agenda(), 5), expected);
    }

    #[test]
    fn nothing_next_is_null() {
        let desk = Desk::new("2025-11-24T12:00:00Z", "UTC", vec![]);
        let expected = concat!(
            r#"{"now":"2025-11-24T12:00:00+00:00","zone":"UTC","#,
            r#""valid_until":"2025-11-25T00:00:00+00:00","stale":false,"#,
            r#""as_of":"2025-11-24T09:00:00+00:00","reason":null,"truncated":false,"#,
            r#""done_for_today":false,"seconds_until_next":null,"current":[],"next":null,"#,
            r#""later":[],"all_day":[]}"#,
        );
        assert_eq!(next(&desk.agenda(), 5), expected);
    }

    #[test]
    fn events_and_calendars_have_the_documented_shape() {
        let secret =
            with(entry("s", "2025-11-24", "2025-11-24"), |e| e.details_mut().private = true);
        let mut desk = Desk::new("2025-11-24T12:00:00Z", "UTC", vec![secret]);
        desk.calendars[0].skipped_reasons = vec!["line 7: no DTSTART".to_owned()];
        desk.calendars[0].truncated_series = 2;
        desk.calendars[0].color = "#1d5f8a".to_owned();
        desk.calendars.push(CalendarStatus { last_success: None, ..calendar("home") });
        let query = EventsQuery {
            from: at("2025-11-24T00:00:00Z"),
            to: at("2025-11-25T00:00:00Z"),
            calendar: Some("work"),
            limit: 10,
        };
        let expected = concat!(
            r#"{"now":"2025-11-24T12:00:00+00:00","zone":"UTC","#,
            r#""from":"2025-11-24T00:00:00+00:00","to":"2025-11-25T00:00:00+00:00","#,
            r#""stale":false,"as_of":null,"reason":null,"truncated":false,"#,
            r#""events":[{"id":"s","calendar":"work","calendars":["work"],"title":"Busy","start":"2025-11-24","#,
            r#""end":"2025-11-25","all_day":true,"location":null,"status":"confirmed","#,
            r#""private":true,"url":null,"recurrence_id":null,"stale":false,"skipped":false}]}"#,
        );
        assert_eq!(events(&desk.agenda(), &query), expected);
        let expected = concat!(
            r##"{"now":"2025-11-24T12:00:00+00:00","calendars":[{"name":"work","##,
            r##""source":"work.example.org#ab12","color":"#1d5f8a","private":false,"##,
            r##""events":0,"skipped":0,"skipped_reasons":["line 7: no DTSTART"],"warnings":[],"##,
            r##""truncated_series":2,"stale":false,"last_success":"2025-11-24T09:00:00+00:00","##,
            r##""age_seconds":10800,"last_error":null,"next_due":null},"##,
            r##"{"name":"home","source":"home.example.org#ab12","color":null,"##,
            r##""private":false,"events":0,"skipped":0,"skipped_reasons":[],"warnings":[],"##,
            r##""truncated_series":0,"stale":false,"##,
            r##""last_success":null,"age_seconds":null,"last_error":null,"next_due":null}]}"##,
        );
        assert_eq!(calendars(&desk.agenda()), expected);
    }

    #[test]
    fn problems_are_rfc_9457() {
        let expected = concat!(
            r#"{"type":"about:blank","title":"Bad Request","status":400,"#,
            r#""detail":"`from` is not a time: \u003cx>"}"#,
        );
        assert_eq!(problem(400, "Bad Request", "`from` is not a time: <x>"), expected);
    }
}

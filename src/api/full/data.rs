//! `/api/whats-next/data`: what is on, what comes next and what comes later, in words and minutes.

use jiff::Timestamp;
use nanoserde::SerJson;

use crate::api::json::{Text, Told};
use crate::calendar::Agenda;
use crate::calendar::selection::{self, Meeting};
use crate::calendar::settings::{Layout, Word};
use crate::calendar::text::{day_us, hours_us, local, relative_day};
use crate::ical::Person;

/// Meetings that are running, that come next, and that come later.
const CURRENT_MAX: usize = 1;
const NEXT_MAX: usize = 3;
const LATER_MAX: usize = 5;
/// All of them.
pub const MEETINGS_MAX: usize = CURRENT_MAX + NEXT_MAX + LATER_MAX;
/// Lists that each of them stands in.
pub const COPIES: usize = 2;

/// The answer. `today` is the real one; the agenda's may be another day that the wall shows.
pub fn data(agenda: &Agenda<'_>, layout: Layout, now: Timestamp) -> String {
    let view = selection::whats_next(agenda, NEXT_MAX + LATER_MAX);
    let current = || view.current.iter().take(CURRENT_MAX).map(|meeting| event(meeting, agenda));
    let ahead = || view.next.iter().chain(&view.later).map(|meeting| event(meeting, agenda));
    let freshness = selection::freshness(agenda);
    let (day, today) = (agenda.zone.to_datetime(agenda.now), agenda.zone.to_datetime(now));
    let (day, today) = (day.date(), today.date());
    let relative = relative_day(day, today);
    let display_date = format!("{} - {}", relative.to_uppercase(), day_us(day));
    Shape {
        layout_name: layout.word().into(),
        current_time: local(agenda.now, agenda.zone).into(),
        display_date: display_date.into(),
        current_events: current().collect(),
        next_events: ahead().take(NEXT_MAX).collect(),
        later_events: ahead().skip(NEXT_MAX).take(LATER_MAX).collect(),
        events: current().chain(ahead().take(NEXT_MAX + LATER_MAX)).collect(),
        status_info: StatusShape {
            last_update: freshness.as_of.map(|at| local(at, agenda.zone).into()),
            is_cached: freshness.stale,
            connection_status: if freshness.stale { "offline" } else { "online" }.into(),
            relative_description: relative.into(),
            interactive_mode: true,
            selected_date: day_us(day).into(),
        },
        layout_config: ConfigShape {
            show_hidden_events: false,
            max_events: 8,
            time_format: "12h".into(),
        },
    }
    .serialize_json()
}

fn event<'a>(meeting: &Meeting<'a>, agenda: &Agenda<'_>) -> EventShape<'a> {
    let name = |person: &'a Person| match &*person.name {
        "" => person.address.as_str(),
        name => name,
    };
    let seconds = |from: Timestamp, to: Timestamp| to.as_second() - from.as_second();
    let is_upcoming = meeting.start > agenda.now;
    let mut told = Told::new();
    let description = told.text(meeting.description());
    EventShape {
        graph_id: meeting.entry.id.as_str().into(),
        title: meeting.title().into(),
        start_time: local(meeting.start, agenda.zone).into(),
        end_time: local(meeting.end, agenda.zone).into(),
        location: Text::unless_empty(meeting.location()),
        is_current: !is_upcoming && meeting.end > agenda.now,
        is_upcoming,
        time_until_minutes: is_upcoming.then(|| seconds(agenda.now, meeting.start) / 60),
        duration_minutes: seconds(meeting.start, meeting.end) / 60,
        formatted_time_range: hours_us(meeting.start, meeting.end, agenda.zone).into(),
        organizer: meeting.organizer().map(name).map(|name| told.text(name).into()),
        attendees: told.list(meeting.attendees().iter().map(name)),
        is_hidden: false,
        description: Text::unless_empty(description),
        has_conflict: meeting.has_conflict,
    }
}

#[derive(SerJson)]
struct Shape<'a> {
    layout_name: Text<'a>,
    current_time: Text<'a>,
    display_date: Text<'a>,
    current_events: Vec<EventShape<'a>>,
    next_events: Vec<EventShape<'a>>,
    later_events: Vec<EventShape<'a>>,
    events: Vec<EventShape<'a>>,
    status_info: StatusShape<'a>,
    layout_config: ConfigShape,
}

#[derive(SerJson)]
#[nserde(serialize_none_as_null)]
struct EventShape<'a> {
    graph_id: Text<'a>,
    title: Text<'a>,
    start_time: Text<'a>,
    end_time: Text<'a>,
    location: Option<Text<'a>>,
    is_current: bool,
    is_upcoming: bool,
    time_until_minutes: Option<i64>,
    duration_minutes: i64,
    formatted_time_range: Text<'a>,
    organizer: Option<Text<'a>>,
    attendees: Vec<Text<'a>>,
    is_hidden: bool,
    description: Option<Text<'a>>,
    has_conflict: bool,
}

#[derive(SerJson)]
#[nserde(serialize_none_as_null)]
struct StatusShape<'a> {
    last_update: Option<Text<'a>>,
    is_cached: bool,
    connection_status: Text<'a>,
    relative_description: Text<'a>,
    interactive_mode: bool,
    selected_date: Text<'a>,
}

#[derive(SerJson)]
struct ConfigShape {
    show_hidden_events: bool,
    max_events: u32,
    time_format: Text<'static>,
}

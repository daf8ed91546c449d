//! `GET /api/whats-next`.

use nanoserde::SerJson;

use super::SUBJECT_CHARS_MAX;
use crate::api::json::{Text, Told};
use crate::calendar::text::{cut, utc};
use crate::calendar::{Agenda, lite};

/// Characters of a location that are sent.
const LOCATION_CHARS_MAX: usize = 100;
/// Characters of a description that are sent.
const DESCRIPTION_CHARS_MAX: usize = 500;

/// The one next meeting, without those that somebody skips.
pub(super) fn whats_next(agenda: &Agenda<'_>) -> String {
    let Some(meeting) = lite::next_meeting(agenda) else {
        let status = Status::new("No meetings scheduled", false, false);
        return WhatsNext { meeting: None, status }.serialize_json();
    };
    let mut told = Told::new();
    let description = told.text(cut(meeting.description(), DESCRIPTION_CHARS_MAX));
    let seconds = meeting.start.as_second() - agenda.now.as_second();
    let model = MeetingModel {
        meeting_id: meeting.entry.lite_id().into(),
        subject: cut(meeting.title(), SUBJECT_CHARS_MAX).into(),
        description: description.into(),
        attendees: told.list(meeting.attendees().iter().map(|person| &*person.address)),
        start_iso: utc(meeting.start).into(),
        duration_seconds: meeting.end.as_second() - meeting.start.as_second(),
        location: cut(meeting.location(), LOCATION_CHARS_MAX).into(),
        raw_source: "".into(),
        seconds_until_start: seconds,
    };
    WhatsNext { meeting: Some(model), status: status(seconds) }.serialize_json()
}

fn status(seconds_until_start: i64) -> Status {
    match seconds_until_start {
        ..=0 => Status::new("Meeting in progress", true, false),
        1..=120 => Status::new("Starting very soon", true, true),
        121..=900 => Status::new("Starting soon", true, false),
        901..=3600 => Status::new("Starting within the hour", false, false),
        _ => Status::new("Plenty of time", false, false),
    }
}

#[derive(SerJson)]
#[nserde(serialize_none_as_null)]
struct WhatsNext<'a> {
    meeting: Option<MeetingModel<'a>>,
    status: Status,
}

#[derive(SerJson)]
struct MeetingModel<'a> {
    meeting_id: Text<'a>,
    subject: Text<'a>,
    description: Text<'a>,
    attendees: Vec<Text<'a>>,
    start_iso: Text<'a>,
    duration_seconds: i64,
    location: Text<'a>,
    raw_source: Text<'a>,
    seconds_until_start: i64,
}

#[derive(SerJson)]
struct Status {
    message: Text<'static>,
    is_urgent: bool,
    is_critical: bool,
}

impl Status {
    fn new(message: &'static str, is_urgent: bool, is_critical: bool) -> Self {
        Self { message: message.into(), is_urgent, is_critical }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::calendar::fixture::{Desk, entry, titled, with};
    use crate::ical::Person;

    fn meeting(id: &str, title: &str) -> crate::calendar::Entry {
        titled(entry(id, "2025-11-24T13:00:00Z", "2025-11-24T20:00:00Z"), title)
    }

    #[test]
    fn all_day_counts_from_midnight_utc() {
        let day = entry("day", "2025-11-25", "2025-11-26");
        let desk = Desk::new("2025-11-24T23:30:00Z", "Europe/Berlin", vec![day]);
        let json = whats_next(&desk.agenda());
        let expected = r#""start_iso":"2025-11-25T00:00:00Z","duration_seconds":86400,"#;
        assert!(json.contains(expected), "{json}");
        assert!(json.contains(r#""seconds_until_start":1800}"#), "{json}");
    }

    #[test]
    fn statuses_turn_at_their_bounds() {
        let check = |seconds, message: &str, urgent, critical| {
            let status = status(seconds).serialize_json();
            let expected = format!(
                r#"{{"message":"{message}","is_urgent":{urgent},"is_critical":{critical}}}"#
            );
            assert_eq!(status, expected, "{seconds} s");
        };
        check(-1, "Meeting in progress", true, false);
        check(0, "Meeting in progress", true, false);
        check(1, "Starting very soon", true, true);
        check(120, "Starting very soon", true, true);
        check(121, "Starting soon", true, false);
        check(900, "Starting soon", true, false);
        check(901, "Starting within the hour", false, false);
        check(3600, "Starting within the hour", false, false);
        check(3601, "Plenty of time", false, false);
    }

    #[test]
    fn the_recorded_shapes() {
        let full = with(meeting("uid@x", &"é".repeat(300)), |e| {
            e.details_mut().description = "d".repeat(600);
            e.details_mut().location = "l".repeat(150);
            let ann = Person { address: "ann@example.org".to_owned(), ..Person::default() };
            e.details_mut().attendees = vec![ann];
        });
        let desk = Desk::new("2025-11-24T12:59:00Z", "UTC", vec![full]);
        let expected = format!(
            concat!(
                r#"{{"meeting":{{"meeting_id":"uid@x","subject":"{}","description":"{}","#,
                r#""attendees":["ann@example.org"],"start_iso":"2025-11-24T13:00:00Z","#,
                r#""duration_seconds":25200,"location":"{}","raw_source":"","#,
                r#""seconds_until_start":60}},"status":{{"message":"Starting very soon","#,
                r#""is_urgent":true,"is_critical":true}}}}"#
            ),
            "é".repeat(200),
            "d".repeat(500),
            "l".repeat(100),
        );
        assert_eq!(whats_next(&desk.agenda()), expected);

        let moved = with(meeting("uid@x_20251124T130000_ab12cd34", "x"), |e| {
            (e.uid, e.overridden) = ("uid@x".into(), true);
        });
        let desk = Desk::new("2025-11-24T12:59:00Z", "UTC", vec![moved]);
        let answer = whats_next(&desk.agenda());
        assert!(answer.starts_with(r#"{"meeting":{"meeting_id":"uid@x","#), "{answer}");

        let none = Desk::new("2025-11-24T12:00:00Z", "UTC", vec![]);
        let expected = concat!(
            r#"{"meeting":null,"status":{"message":"No meetings scheduled","#,
            r#""is_urgent":false,"is_critical":false}}"#,
        );
        assert_eq!(whats_next(&none.agenda()), expected);
    }
}

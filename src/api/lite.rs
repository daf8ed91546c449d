//! The routes of `calendarbot_lite`, for the front-ends and devices that were made for it. Its
//! rules are its own (an all-day event begins at midnight UTC, focus time is no meeting, lunch
//! gives way), so they stand here and not in the view model.

use jiff::Timestamp;
use jiff::tz::TimeZone;
use nanoserde::SerJson;

use super::json::Text;
use crate::calendar::Agenda;
use crate::calendar::selection::{self, Meeting};
use crate::calendar::text::{cut, utc};
use crate::pipeline::key::lite::View;

/// Characters of a subject that are sent.
const SUBJECT_CHARS_MAX: usize = 200;
/// Characters of a location that are sent.
const LOCATION_CHARS_MAX: usize = 100;
/// Characters of a description that are sent.
const DESCRIPTION_CHARS_MAX: usize = 500;

/// Subjects with one of these are time set aside, not meetings. "focus" covers "focus time".
const FOCUS_WORDS: [&str; 4] = ["focus", "deep work", "thinking time", "planning time"];
/// A longer subject with "lunch" in it is more than lunch.
const LUNCH_CHARS_MAX: usize = 10;
/// Lunch gives way to a meeting that begins this soon after the earliest.
const LUNCH_YIELDS_SECONDS: i64 = 30 * 60;

/// Data older than this is called degraded.
const DATA_AGE_SECONDS_MAX: u64 = 15 * 60;
/// A refresher that has been silent for longer is called stale.
const HEARTBEAT_AGE_SECONDS_MAX: u64 = 10 * 60;

/// What `GET /api/health` reports that no calendar knows.
#[derive(Clone, Debug)]
pub struct HealthInputs<'a> {
    /// The calendar's now.
    pub now: Timestamp,
    /// Seconds since the process started.
    pub uptime_s: u64,
    /// The process id.
    pub pid: u32,
    /// Events stored.
    pub event_count: u64,
    /// Seconds since a refresh last succeeded, over restarts; `None` before the first one.
    pub refresh_age_s: Option<u64>,
    /// Stored data can be served.
    pub window_initialized: bool,
    /// Seconds since the refresher last showed life.
    pub heartbeat_age_s: Option<u64>,
    /// When a browser last said that it shows the page.
    pub last_probe: Option<Timestamp>,
    /// Operating system.
    pub platform: &'a str,
    /// Our version.
    pub version: &'a str,
}

/// What is said in the place of a view.
pub fn answer(view: &View, agenda: &Agenda<'_>) -> String {
    match view {
        View::Next => whats_next(agenda),
    }
}

/// `GET /api/whats-next`: the one next meeting, without those that somebody skips.
pub fn whats_next(agenda: &Agenda<'_>) -> String {
    let Some(meeting) = next_meeting(agenda) else {
        let status = Status::new("No meetings scheduled", false, false);
        return WhatsNext { meeting: None, status }.serialize_json();
    };
    let seconds = meeting.start.as_second() - agenda.now.as_second();
    let model = MeetingModel {
        meeting_id: meeting.entry.lite_id().into(),
        subject: cut(meeting.title(), SUBJECT_CHARS_MAX).into(),
        description: cut(meeting.description(), DESCRIPTION_CHARS_MAX).into(),
        attendees: meeting.attendees().iter().map(|p| p.address.as_str().into()).collect(),
        start_iso: utc(meeting.start).into(),
        duration_seconds: meeting.end.as_second() - meeting.start.as_second(),
        location: cut(meeting.location(), LOCATION_CHARS_MAX).into(),
        raw_source: "".into(),
        seconds_until_start: seconds,
    };
    WhatsNext { meeting: Some(model), status: status(seconds) }.serialize_json()
}

/// `GET /api/health`: the status code with its body. 503 until a first refresh has succeeded and
/// whenever the last success is more than 15 minutes old.
pub fn health(inputs: &HealthInputs<'_>) -> (u16, String) {
    let fresh = inputs.refresh_age_s.is_some_and(|age| age <= DATA_AGE_SECONDS_MAX);
    let refresher = match inputs.heartbeat_age_s {
        None => "unknown",
        Some(age) if age < HEARTBEAT_AGE_SECONDS_MAX => "running",
        Some(_) => "stale",
    };
    let answer = Health {
        status: if fresh { "ok" } else { "degraded" }.into(),
        server_time_iso: utc(inputs.now).into(),
        server_status: ServerStatus { uptime_s: inputs.uptime_s, pid: inputs.pid },
        data_status: DataStatus {
            event_count: inputs.event_count,
            last_refresh_success_age_s: inputs.refresh_age_s,
            initial_refresh_complete: inputs.refresh_age_s.is_some(),
            event_window_initialized: inputs.window_initialized,
        },
        background_tasks: vec![BackgroundTask {
            name: "refresher_task".into(),
            status: refresher.into(),
            last_heartbeat_age_s: inputs.heartbeat_age_s,
        }],
        display_probe: DisplayProbe {
            last_render_probe_iso: inputs.last_probe.map(|at| utc(at).into()),
            last_probe_ok: inputs.last_probe.is_some(),
            last_probe_notes: inputs.last_probe.map(|_| "browser-heartbeat".into()),
        },
        system_diagnostics: SystemDiagnostics {
            platform: inputs.platform.into(),
            python_version: inputs.version.into(),
            event_loop_running: true,
        },
        last_refresh: LastRefresh { last_success_delta_s: inputs.refresh_age_s },
    };
    (if fresh { 200 } else { 503 }, answer.serialize_json())
}

/// The earliest meeting that has not begun; among those that begin within 30 minutes of it, the
/// earliest that is not lunch.
fn next_meeting<'a>(agenda: &Agenda<'a>) -> Option<Meeting<'a>> {
    let order = |m: &Meeting<'a>| (m.start, m.entry.lite_id());
    let candidates: Vec<_> = selection::meetings(agenda)
        .filter(|_| agenda.clock_is_set)
        .map(at_utc_midnight)
        .filter(|m| m.start >= agenda.now)
        .filter(|m| !is_focus(&m.entry.details.summary) && m.skipped_until.is_none())
        .collect();
    let earliest = *candidates.iter().min_by_key(|&m| order(m))?;
    let near =
        |m: &Meeting<'_>| m.start.as_second() - earliest.start.as_second() <= LUNCH_YIELDS_SECONDS;
    let meeting = candidates
        .iter()
        .filter(|&m| near(m) && !is_lunch(&m.entry.details.summary))
        .min_by_key(|&m| order(m));
    Some(meeting.copied().unwrap_or(earliest))
}

/// In this family an all-day event counts from midnight UTC, wherever the display hangs.
fn at_utc_midnight(mut meeting: Meeting<'_>) -> Meeting<'_> {
    if meeting.all_day {
        meeting.start = selection::resolve(meeting.entry.start, &TimeZone::UTC);
        let end = selection::resolve(meeting.entry.end, &TimeZone::UTC);
        meeting.end = end.max(meeting.start);
    }
    meeting
}

fn is_focus(summary: &str) -> bool {
    let summary = summary.to_lowercase();
    FOCUS_WORDS.iter().any(|word| summary.contains(word))
}

fn is_lunch(summary: &str) -> bool {
    let summary = summary.to_lowercase();
    summary.contains("lunch") && summary.chars().count() <= LUNCH_CHARS_MAX
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

#[derive(SerJson)]
struct Health<'a> {
    status: Text<'a>,
    server_time_iso: Text<'a>,
    server_status: ServerStatus,
    data_status: DataStatus,
    background_tasks: Vec<BackgroundTask<'a>>,
    display_probe: DisplayProbe<'a>,
    system_diagnostics: SystemDiagnostics<'a>,
    last_refresh: LastRefresh,
}

#[derive(SerJson)]
struct ServerStatus {
    uptime_s: u64,
    pid: u32,
}

#[derive(SerJson)]
#[nserde(serialize_none_as_null)]
struct DataStatus {
    event_count: u64,
    last_refresh_success_age_s: Option<u64>,
    initial_refresh_complete: bool,
    event_window_initialized: bool,
}

#[derive(SerJson)]
#[nserde(serialize_none_as_null)]
struct BackgroundTask<'a> {
    name: Text<'a>,
    status: Text<'a>,
    last_heartbeat_age_s: Option<u64>,
}

#[derive(SerJson)]
#[nserde(serialize_none_as_null)]
struct DisplayProbe<'a> {
    last_render_probe_iso: Option<Text<'a>>,
    last_probe_ok: bool,
    last_probe_notes: Option<Text<'a>>,
}

#[derive(SerJson)]
struct SystemDiagnostics<'a> {
    platform: Text<'a>,
    /// The original's name for it; ours is the version of the program.
    python_version: Text<'a>,
    event_loop_running: bool,
}

#[derive(SerJson)]
#[nserde(serialize_none_as_null)]
struct LastRefresh {
    last_success_delta_s: Option<u64>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::calendar::Entry;
    use crate::calendar::fixture::{Desk, at, entry, titled, with};
    use crate::ical::Person;

    fn meeting(id: &str, start: &str, title: &str) -> Entry {
        titled(entry(id, start, "2025-11-24T20:00:00Z"), title)
    }

    /// The id of the next meeting at noon UTC.
    fn check(entries: Vec<Entry>, expected: &str) {
        let mut desk = Desk::new("2025-11-24T12:00:00Z", "Europe/Berlin", entries);
        desk.skip("skipped");
        let next = next_meeting(&desk.agenda()).map_or("-", |m| m.entry.id.as_str());
        assert_eq!(next, expected);
    }

    #[test]
    fn the_earliest_that_has_not_begun() {
        check(vec![], "-");
        check(
            vec![
                meeting("c", "2025-11-24T14:00:00Z", "C"),
                meeting("b", "2025-11-24T13:00:00Z", "B"),
                meeting("a", "2025-11-24T11:59:59Z", "A"),
            ],
            "b",
        );
        check(vec![meeting("a", "2025-11-24T12:00:00Z", "A")], "a");
        let tie = |id| meeting(id, "2025-11-24T13:00:00Z", "A");
        check(vec![tie("2"), tie("1"), tie("3")], "1");
        check(vec![tie("skipped"), tie("z")], "z");
        let cancelled = with(tie("1"), |e| e.details_mut().deleted = true);
        check(vec![cancelled, tie("2")], "2");
    }

    #[test]
    fn focus_time_is_no_meeting() {
        for title in ["Focus", "My FOCUS time", "Deep Work", "thinking time", "Planning Time!"] {
            check(vec![meeting("f", "2025-11-24T13:00:00Z", title)], "-");
        }
        check(vec![meeting("m", "2025-11-24T13:00:00Z", "Planning")], "m");
    }

    #[test]
    fn lunch_gives_way_for_half_an_hour() {
        let lunch = || meeting("lunch", "2025-11-24T13:00:00Z", "Lunch");
        let at = |start| meeting("m", start, "Review");
        check(vec![lunch()], "lunch");
        check(vec![lunch(), at("2025-11-24T13:30:00Z")], "m");
        check(vec![lunch(), at("2025-11-24T13:30:01Z")], "lunch");
        check(vec![lunch(), meeting("m", "2025-11-24T13:10:00Z", "Lunch bag")], "lunch");
        check(vec![lunch(), meeting("m", "2025-11-24T13:10:00Z", "Lunch talks")], "m");
        let early = meeting("e", "2025-11-24T12:50:00Z", "Call");
        check(vec![lunch(), early, at("2025-11-24T13:05:00Z")], "e");
    }

    #[test]
    fn all_day_counts_from_midnight_utc() {
        check(vec![entry("today", "2025-11-24", "2025-11-25")], "-");
        let tomorrow = entry("day", "2025-11-25", "2025-11-26");
        check(vec![tomorrow.clone(), meeting("m", "2025-11-25T00:00:01Z", "M")], "day");
        let desk = Desk::new("2025-11-24T23:30:00Z", "Europe/Berlin", vec![tomorrow]);
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
        let full = with(meeting("uid@x", "2025-11-24T13:00:00Z", &"é".repeat(300)), |e| {
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

        let moved =
            with(meeting("uid@x_20251124T130000_ab12cd34", "2025-11-24T13:00:00Z", "x"), |e| {
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

    #[test]
    fn health_is_degraded_without_fresh_data() {
        let inputs = |refresh_age_s| HealthInputs {
            now: at("2025-11-24T12:00:00Z"),
            uptime_s: 5,
            pid: 42,
            event_count: 3,
            refresh_age_s,
            window_initialized: true,
            heartbeat_age_s: Some(600),
            last_probe: Some(at("2025-11-24T11:59:30Z")),
            platform: "Linux aarch64",
            version: "0.1.0",
        };
        let code = |age| health(&inputs(age)).0;
        assert_eq!([code(None), code(Some(900)), code(Some(901))], [503, 200, 503]);
        let expected = concat!(
            r#"{"status":"ok","server_time_iso":"2025-11-24T12:00:00Z","#,
            r#""server_status":{"uptime_s":5,"pid":42},"data_status":{"event_count":3,"#,
            r#""last_refresh_success_age_s":7,"initial_refresh_complete":true,"#,
            r#""event_window_initialized":true},"background_tasks":[{"name":"refresher_task","#,
            r#""status":"stale","last_heartbeat_age_s":600}],"display_probe":"#,
            r#"{"last_render_probe_iso":"2025-11-24T11:59:30Z","last_probe_ok":true,"#,
            r#""last_probe_notes":"browser-heartbeat"},"system_diagnostics":"#,
            r#"{"platform":"Linux aarch64","python_version":"0.1.0","event_loop_running":true},"#,
            r#""last_refresh":{"last_success_delta_s":7}}"#,
        );
        assert_eq!(health(&inputs(Some(7))).1, expected);
        let waiting = HealthInputs { heartbeat_age_s: None, last_probe: None, ..inputs(None) };
        let (_, body) = health(&waiting);
        for part in [
            r#""status":"degraded""#,
            r#""last_refresh_success_age_s":null,"initial_refresh_complete":false"#,
            r#""status":"unknown","last_heartbeat_age_s":null"#,
            r#""last_render_probe_iso":null,"last_probe_ok":false,"last_probe_notes":null"#,
        ] {
            assert!(body.contains(part), "{part} in {body}");
        }
    }
}

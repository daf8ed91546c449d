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
    /// Occurrences in the stored window.
    pub event_count: u64,
    /// Seconds since a refresh last succeeded; `None` before the first one in this process.
    pub refresh_age_s: Option<u64>,
    /// Stored data can be served.
    pub window_initialized: bool,
    /// Seconds since the refresher last showed life.
    pub heartbeat_age_s: Option<u64>,
    /// When a browser last said that it shows the page.
    pub last_probe: Option<Timestamp>,
    /// Operating system and architecture.
    pub platform: &'a str,
    /// Our version.
    pub version: &'a str,
}

/// `GET /api/whats-next`: the one next meeting, without those that `is_skipped` knows by id.
pub fn whats_next(agenda: &Agenda<'_>, is_skipped: &dyn Fn(&str) -> bool) -> String {
    let Some(meeting) = next_meeting(agenda, is_skipped) else {
        let status = Status::new("No meetings scheduled", false, false);
        return WhatsNext { meeting: None, status }.serialize_json();
    };
    let seconds = meeting.start.as_second() - agenda.now.as_second();
    let model = MeetingModel {
        meeting_id: meeting.entry.id.as_str().into(),
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
fn next_meeting<'a>(agenda: &Agenda<'a>, is_skipped: &dyn Fn(&str) -> bool) -> Option<Meeting<'a>> {
    let order = |m: &Meeting<'a>| (m.start, m.entry.id.as_str());
    let candidates: Vec<_> = selection::meetings(agenda)
        .map(at_utc_midnight)
        .filter(|m| m.start >= agenda.now)
        .filter(|m| !is_focus(&m.entry.details.summary) && !is_skipped(&m.entry.id))
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
fn at_utc_midnight(meeting: Meeting<'_>) -> Meeting<'_> {
    if !meeting.all_day {
        return meeting;
    }
    let start = selection::resolve(meeting.entry.start, &TimeZone::UTC);
    let end = selection::resolve(meeting.entry.end, &TimeZone::UTC);
    Meeting { start, end: end.max(start), ..meeting }
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

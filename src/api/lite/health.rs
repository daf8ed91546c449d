//! `GET /api/health`: what watchdogs of calendarbot_lite look at.

use jiff::Timestamp;
use nanoserde::SerJson;

use crate::api::json::Text;
use crate::calendar::text::utc;

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
    /// For how many seconds a refresh has been due; `None` before one was.
    pub heartbeat_age_s: Option<u64>,
    /// When a browser last said that it shows the page.
    pub last_probe: Option<Timestamp>,
    /// Operating system.
    pub platform: &'a str,
    /// Our version.
    pub version: &'a str,
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
    use crate::calendar::fixture::at;

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

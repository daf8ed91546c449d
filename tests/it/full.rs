//! The full family: what its front-ends ask for, each answer as it was recorded, and a front-end
//! that does what the original's does, over a restart.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::rc::Rc;
use std::time::Duration;

use calendarbot::app::Ended;
use smol::LocalExecutor;
use tempfile::TempDir;

use crate::feed_server::{FeedServer, Script, run};
use crate::rig::{Response, Rig, configure, configure_in, fed, folder, toml};
use crate::routes::WORK;

pub(crate) async fn with_work(executor: &Rc<LocalExecutor<'static>>) -> (Rig, FeedServer, TempDir) {
    let (rig, server, _config, folder) = fed(executor, Script::new().ics("/a.ics", WORK)).await;
    (rig, server, folder)
}

/// Sends `METHOD /path` with a body, if there is one, as JSON.
pub(crate) async fn send(rig: &Rig, line: &str, body: &str) -> Response {
    let mut client = rig.connect().await;
    let content = match body {
        "" => String::new(),
        body => format!("Content-Type: application/json\r\nContent-Length: {}\r\n", body.len()),
    };
    let request = format!("{line} HTTP/1.1\r\nHost: localhost\r\n{content}\r\n{body}");
    client.send(request.as_bytes()).await;
    let method = line.split(' ').next().expect("a method");
    client.response_to(method).await.expect("an answer")
}

/// What changes from run to run.
fn settled(body: &str, port: u16) -> String {
    let body = body.replace(&format!("\"port\": {port}"), "\"port\": 0");
    let mut lines: Vec<String> = body.lines().map(str::to_owned).collect();
    for line in &mut lines {
        if let Some((name, _)) = line.split_once("\"file_size_bytes\":") {
            *line = format!("{name}\"file_size_bytes\": …,");
        }
        // A page has tests of its own.
        if let Some((name, page)) = line.split_once("\"html\": \"") {
            assert!(page.starts_with("\\u003c!DOCTYPE html>"), "{page}");
            *line = format!("{name}\"html\": \"…\"");
        }
    }
    lines.join("\n")
}

/// `BLESS=1` writes the file anew.
fn check_golden(name: &str, found: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data").join(name);
    if std::env::var_os("BLESS").is_some() {
        fs::write(&path, found).expect("written");
    }
    let expected = fs::read_to_string(&path).unwrap_or_default();
    let differing = expected.lines().zip(found.lines()).find(|(a, b)| a != b);
    assert!(expected == found, "{name}: {differing:?}");
}

/// Every route and every error, one after the other.
const ASKED: &[(&str, &str)] = &[
    ("GET /health", ""),
    ("GET /api/status", ""),
    ("GET /api/whats-next/data", ""),
    ("POST /api/whats-next/data", r#"{"debug_time":"2026-01-05T10:00:00+01:00"}"#),
    ("GET /api/layouts", ""),
    ("GET /api/navigate", ""),
    ("GET /api/navigate?action=sideways", ""),
    ("POST /api/navigate", r#"{"action":7}"#),
    ("POST /api/navigate", "{"),
    ("POST /api/navigate", r#"{"action":"next"}"#),
    ("GET /api/whats-next/data", ""),
    ("GET /api/navigate?action=today", ""),
    ("GET /api/layout?layout=5x5", ""),
    ("GET /api/layout", ""),
    ("POST /api/theme", r#"{"layout":"3x4"}"#),
    ("POST /api/layout", r#"{"layout":"whats-next-view"}"#),
    ("POST /api/refresh", ""),
    ("GET /api/events/hidden", ""),
    ("POST /api/events/hide", ""),
    ("POST /api/events/hide", r#"{"graph_id":""}"#),
    ("POST /api/events/hide", r#"{"graph_id":"call"}"#),
    ("GET /api/events/hidden", ""),
    ("POST /api/events/unhide", r#"{"graph_id":"call"}"#),
    ("POST /api/events/unhide", r#"{"graph_id":"call"}"#),
    ("GET /api/settings", ""),
    ("GET /api/settings/filters", ""),
    ("GET /api/settings/display", ""),
    ("GET /api/settings/conflicts", ""),
    ("GET /api/settings/info", ""),
    ("PUT /api/settings/display", r#"{"display_density":"compact","font_sizes":{"body":"large"}}"#),
    ("PUT /api/settings/conflicts", r#"{"conflict_display_mode":"primary"}"#),
    ("PUT /api/settings/filters", r#"{"hide_all_day_events":true}"#),
    ("PUT /api/settings", r#"{"epaper":{"enabled":true,"display_model":"gdey075t7"}}"#),
    ("PUT /api/settings", r#"{"display":{"display_density":"huge"},"epaper":{"rotation":1}}"#),
    ("PUT /api/settings", ""),
    ("PUT /api/settings", "[]"),
    ("PUT /api/settings", "{"),
    ("POST /api/settings/filters/patterns", r#"{"pattern":"^Call","is_regex":true}"#),
    ("POST /api/settings/filters/patterns", r#"{"pattern":"^Call","is_regex":true}"#),
    ("POST /api/settings/filters/patterns", r#"{"pattern":"(","is_regex":true}"#),
    ("POST /api/settings/filters/patterns", r#"{"is_regex":true}"#),
    ("GET /api/settings/info", ""),
    ("DELETE /api/settings/filters/patterns?pattern=%5ECall&is_regex=true", ""),
    ("DELETE /api/settings/filters/patterns", r#"{"pattern":"^Call","is_regex":true}"#),
    ("DELETE /api/settings/filters/patterns", ""),
    ("POST /api/settings/validate", r#"{"display":{"display_density":"huge"}}"#),
    ("POST /api/settings/validate", r#"{"display":{"display_density":"compact"}}"#),
    ("GET /api/settings/export", ""),
    ("POST /api/settings/import", r#"{"display":{"color_theme":"dark"}}"#),
    ("POST /api/settings/reset", ""),
    ("GET /api/database/info", ""),
    ("GET /api/database/tables", ""),
    ("POST /api/database/query", r#"{"query":"SELECT 1"}"#),
    ("GET /api/nothing", ""),
    ("DELETE /api/settings", ""),
    ("POST /calendar", ""),
    ("GET /api/v1/nothing", ""),
    ("GET /api/v1/hidden", ""),
    ("POST /api/v1/hidden/call", ""),
    ("POST /api/v1/hidden/call", ""),
    ("DELETE /api/v1/hidden/call", ""),
    ("DELETE /api/v1/hidden/call", ""),
];

#[test]
fn every_route_answers_as_it_was_recorded() {
    run(|executor| async move {
        let server = FeedServer::start(&executor, Script::new().ics("/a.ics", WORK));
        let folder = folder();
        let text = toml(&[("a", server.url("/a.ics"))]);
        let now = [("CALENDARBOT_TEST_TIME", "2026-01-05T08:45:00+01:00")];
        let rig = Rig::start(&executor, configure_in(&now, folder.path(), &text));
        rig.refreshed(1).await;
        let mut found = String::new();
        for (line, body) in ASKED {
            let answer = send(&rig, line, body).await;
            let media_type = answer.field("content-type").unwrap_or_default();
            let body_found = settled(&answer.body, rig.address.port());
            let _ =
                write!(found, "> {line} {body}\n{} {media_type}\n{body_found}\n", answer.status);
        }
        check_golden("full.txt", &found);
    });
}

#[test]
fn a_page_is_what_front_ends_look_for() {
    run(|executor| async move {
        let (rig, _server, _folder) = with_work(&executor).await;
        let page = rig.get("/calendar").await;
        assert_eq!(page.field("content-type"), Some("text/html; charset=utf-8"));
        for text in [
            "<main class=\"calendar-content\"",
            "data-current-time=\"2026-01-05T08:45:00+01:00\"",
            "data-event-time=\"2026-01-05T09:00:00+01:00\"",
        ] {
            assert!(page.body.contains(text), "{text}: {}", page.body);
        }
        for path in ["/favicon.ico", "/database-viewer", "/static/page.css"] {
            assert_eq!(rig.get(path).await.status, 200, "{path}");
        }
        // Each layout has its page, and so has each day.
        for (layout, class) in [("4x8", "page-day"), ("3x4", "page-agenda")] {
            send(&rig, &format!("GET /api/layout?layout={layout}"), "").await;
            let page = rig.get("/calendar").await.body;
            assert!(page.contains(class) && page.contains("Stand-up"), "{layout}: {page}");
            assert!(!page.contains("Epiphany"), "{layout}");
            send(&rig, "GET /api/navigate?action=next", "").await;
            assert!(rig.get("/calendar").await.body.contains("Epiphany"), "{layout}");
            send(&rig, "GET /api/navigate?action=today", "").await;
        }
    });
}

/// Whoever turns the wall turns it for all; by itself it goes back.
#[test]
fn the_wall_goes_back_to_today() {
    run(|executor| async move {
        let (rig, _server, _folder) = with_work(&executor).await;
        let date = async || rig.get("/api/status").await.body.contains("2026-01-06");
        assert!(!date().await);
        assert_eq!(send(&rig, "POST /api/navigate", r#"{"action":"next"}"#).await.status, 200);
        assert!(date().await);
        let tomorrow = rig.get("/api/whats-next/data").await;
        assert!(tomorrow.body.contains("\"display_date\": \"TOMORROW - Tuesday, January 6\""));
        rig.advance(Duration::from_secs(599));
        assert!(date().await);
        rig.advance(Duration::from_secs(1));
        assert!(!date().await);
        let today = rig.get("/api/whats-next/data").await;
        assert!(today.body.contains("\"display_date\": \"TODAY - Monday, January 5\""));
    });
}

#[test]
fn no_page_of_another_site_turns_the_wall() {
    run(|executor| async move {
        let (rig, _server, _folder) = with_work(&executor).await;
        for path in ["/api/refresh", "/api/navigate?action=next", "/api/layout", "/api/theme"] {
            for field in ["Origin: http://evil", "Origin: null", "Sec-Fetch-Site: cross-site"] {
                let request = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n{field}\r\n\r\n");
                let answer = rig.ask(&request).await;
                assert_eq!(answer.status, 403, "{path} {field}");
                assert!(answer.body.starts_with("{\n  \"error\": \""), "{}", answer.body);
            }
        }
        let status = rig.get("/api/status").await.body;
        assert!(status.contains("whats-next-view") && status.contains("2026-01-05"), "{status}");
    });
}

/// What a client says that "now" is holds for its own answer, and only where that is wanted.
#[test]
fn a_time_for_a_test_poisons_nothing() {
    run(|executor| async move {
        let server = FeedServer::start(&executor, Script::new().ics("/a.ics", WORK));
        for is_test in [true, false] {
            let folder = folder();
            let now = [("CALENDARBOT_TEST_TIME", "2026-01-05T08:45:00+01:00")];
            let env = if is_test { &now[..] } else { &[] };
            let text = toml(&[("a", server.url("/a.ics"))]);
            let rig = Rig::start(&executor, configure_in(env, folder.path(), &text));
            rig.refreshed(1).await;
            let plain = rig.get("/api/whats-next/data").await.body;
            let later = "/api/whats-next/data?debug_time=2026-01-06T12:00:00Z";
            let shifted = rig.get(later).await.body;
            assert_eq!(shifted.contains("\"current_time\": \"2026-01-06T13:00:00"), is_test);
            assert_eq!(rig.get("/api/whats-next/data").await.body, plain);
            assert_eq!(rig.get("/api/whats-next/data?debug_time=soon").await.body, plain);
        }
    });
}

/// Only what an unmodified front-end does.
struct FrontEnd<'r>(&'r Rig);

impl FrontEnd<'_> {
    async fn success(&self, line: &str, body: &str) -> String {
        let answer = send(self.0, line, body).await;
        assert_eq!(answer.status, 200, "{line}: {}", answer.body);
        assert!(answer.body.contains("\"success\": true"), "{line}: {}", answer.body);
        answer.body
    }

    async fn titles(&self) -> Vec<String> {
        let data = send(self.0, "GET /api/whats-next/data", "").await.body;
        let events = data.split("\"events\": [").nth(1).expect("all events");
        let titles = events.split("\"title\": \"").skip(1);
        titles.map(|rest| rest.split('"').next().unwrap_or_default().to_owned()).collect()
    }
}

#[test]
fn an_unmodified_front_end_works_over_a_restart() {
    run(|executor| async move {
        let script = Script::new().ics("/a.ics", WORK);
        let (rig, _server, config, _folder) = fed(&executor, script).await;
        let front = FrontEnd(&rig);
        assert!(rig.get("/calendar").await.body.contains("calendar-content"));
        let all = front.titles().await;
        assert_eq!(all[..3], ["Stand-up", "Call with New York", "Epiphany"]);
        front.success("POST /api/refresh", "{}").await;
        for action in ["next", "prev", "week-start", "week-end", "today"] {
            let body = format!(r#"{{"action":"{action}"}}"#);
            front.success("POST /api/navigate", &body).await;
        }
        assert!(front.success("POST /api/layout", "{}").await.contains("\"layout\": \"4x8\""));
        let hidden = front.success("POST /api/events/hide", r#"{"graph_id":"call"}"#).await;
        assert!(hidden.contains("\"count\": 1") && !hidden.contains("New York"), "{hidden}");
        front.success("POST /api/events/unhide", r#"{"graph_id":"call"}"#).await;
        front.success("POST /api/events/hide", r#"{"graph_id":"call"}"#).await;
        let filters = r#"{"enabled":true,"hide_all_day_events":true,"default_action":"include",
            "title_patterns":[{"pattern":"stand","is_regex":false,"is_active":true}]}"#;
        let set = front.success("PUT /api/settings/filters", filters).await;
        assert!(set.contains("\"match_count\": 1"), "{set}");
        assert_eq!(front.titles().await, Vec::<String>::new());
        let export = send(&rig, "GET /api/settings/export", "").await;
        let disposition = "attachment; filename=calendarbot_settings.json";
        assert_eq!(export.field("content-disposition"), Some(disposition));
        front.success("POST /api/settings/reset", "{}").await;
        assert_eq!(front.titles().await, all);
        front.success("POST /api/settings/import", &export.body).await;
        let settings = front.success("GET /api/settings", "").await;
        assert_eq!(rig.stop().await, Ended::Stopped);

        let rig = Rig::start(&executor, config);
        let front = FrontEnd(&rig);
        assert_eq!(front.success("GET /api/settings", "").await, settings);
        assert_eq!(front.titles().await, Vec::<String>::new());
        let status = rig.get("/api/status").await.body;
        assert!(status.contains("whats-next-view"), "the layout is that of the settings: {status}");
    });
}

/// Where there is no data the wall says so, and settings are there all the same.
#[test]
fn settings_are_there_before_any_calendar() {
    run(|executor| async move {
        let server = FeedServer::start(&executor, Script::new());
        let folder = folder();
        let text = toml(&[("a", server.url("/a.ics"))]);
        let rig = Rig::start(&executor, configure(folder.path(), &text));
        rig.failed(1).await;
        for path in ["/api/whats-next/data", "/api/refresh"] {
            let answer = rig.get(path).await;
            assert_eq!(answer.status, 503, "{path}");
            assert!(answer.field("retry-after").is_some(), "{path}");
        }
        for path in ["/api/settings", "/api/status", "/health", "/api/database/info"] {
            assert_eq!(rig.get(path).await.status, 200, "{path}");
        }
        let set = send(&rig, "PUT /api/settings/display", r#"{"default_layout":"4x8"}"#).await;
        assert_eq!(set.status, 200);
        assert!(rig.get("/api/status").await.body.contains("4x8"));
    });
}

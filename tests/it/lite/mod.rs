//! The routes of calendarbot_lite: what each answers, to the letter, and what they say of errors.

mod client;

use std::fmt::Write;
use std::fs;
use std::rc::Rc;
use std::time::Duration;

use calendarbot::api::json::is_sound;
use smol::LocalExecutor;
use tempfile::TempDir;

use crate::feed_server::{FeedServer, Reply, Script, Step, run};
use crate::rig::{Response, Rig, configure, fed, folder, toml};
use crate::routes::WORK;

const TOKEN: &str = "open sesame";
const ALEXA: [&str; 5] = [
    "/api/alexa/next-meeting",
    "/api/alexa/time-until-next",
    "/api/alexa/done-for-day",
    "/api/alexa/launch-summary",
    "/api/alexa/morning-summary",
];

/// The answer to a request line with further header fields and a body.
async fn send(rig: &Rig, line: &str, fields: &str, body: &str) -> Response {
    let fields = match body {
        "" => fields.to_owned(),
        _ => format!("Content-Length: {}\r\n{fields}", body.len()),
    };
    let request = format!("{line} HTTP/1.1\r\nHost: localhost:1\r\n{fields}\r\n{body}");
    let mut client = rig.connect().await;
    client.send(request.as_bytes()).await;
    let method = line.split(' ').next().expect("a method");
    client.response_to(method).await.expect("an answer")
}

/// A program with two meetings today, whose assistants need [`TOKEN`].
async fn guarded(executor: &Rc<LocalExecutor<'static>>) -> (Rig, FeedServer, TempDir) {
    let server = FeedServer::start(executor, Script::new().ics("/a.ics", WORK));
    let folder = folder();
    let text = toml(&[("a", server.url("/a.ics"))]);
    let text = format!("alexa.bearer_token = \"{TOKEN}\"\n{text}");
    let rig = Rig::start(executor, configure(folder.path(), &text));
    rig.refreshed(1).await;
    (rig, server, folder)
}

/// Fields that say something about an answer of this family.
const FIELDS: [&str; 5] =
    ["content-type", "cache-control", "allow", "retry-after", "www-authenticate"];

/// An answer as it stands in a golden file; what differs from one run to the next is left out.
fn shown(request: &str, answer: &Response) -> String {
    let mut text = format!("> {request}\n{}\n", answer.status);
    for name in FIELDS {
        if let Some(value) = answer.field(name) {
            let _ = writeln!(text, "{name}: {value}");
        }
    }
    let pid = format!("\"pid\":{}", std::process::id());
    let version = format!("\"python_version\":\"{}\"", env!("CARGO_PKG_VERSION"));
    let body = answer.body.replace(&pid, "\"pid\":PID");
    let _ = writeln!(text, "{}\n", body.replace(&version, "\"python_version\":\"VERSION\""));
    text
}

/// These answers are those of a golden file, or become them.
fn check(name: &str, shown: &str) {
    let path = format!("{}/tests/data/lite/{name}", env!("CARGO_MANIFEST_DIR"));
    if std::env::var_os("BLESS").is_some() {
        return fs::write(path, shown).expect("written");
    }
    let expected = fs::read_to_string(path).expect("the golden file");
    for (shown, expected) in shown.split("\n\n").zip(expected.split("\n\n")) {
        assert_eq!(shown, expected, "{name}: make bless");
    }
    assert_eq!(shown.len(), expected.len(), "{name}: make bless");
}

const JSON: &str = "Content-Type: application/json\r\n";

#[test]
fn every_route_answers_as_recorded() {
    run(|executor| async move {
        let (rig, _server, _config, _folder) =
            fed(&executor, Script::new().ics("/a.ics", WORK)).await;
        let mut text = String::new();
        for (line, body) in [
            ("GET /api/health", ""),
            ("POST /api/browser-heartbeat", ""),
            ("GET /api/health", ""),
            ("GET /api/whats-next", ""),
            ("GET /api/done-for-day", ""),
            ("GET /api/done-for-day?tz=America/New_York", ""),
            ("POST /api/morning-summary", ""),
            ("POST /api/morning-summary?date=2026-01-09&timezone=UTC&max_events=1", "{}"),
            ("GET /api/alexa/next-meeting", ""),
            ("GET /api/alexa/time-until-next", ""),
            ("GET /api/alexa/done-for-day?tz=America/New_York", ""),
            ("GET /api/alexa/launch-summary", ""),
            ("GET /api/alexa/morning-summary", ""),
            (
                "GET /api/alexa/morning-summary?date=2026-01-05&detail_level=verbose&prefer_ssml=true",
                "",
            ),
            ("POST /api/skip", r#"{"meeting_id":"call"}"#),
            ("DELETE /api/skip", ""),
            ("GET /api/clear_skips", ""),
        ] {
            let answer = send(&rig, line, if body.is_empty() { "" } else { JSON }, body).await;
            assert!(is_sound(answer.body.as_bytes()), "{line}: {}", answer.body);
            text += &shown(line, &answer);
        }
        check("answers.golden", &text);
    });
}

#[test]
fn without_meetings_every_route_says_so() {
    run(|executor| async move {
        let empty = "BEGIN:VCALENDAR\r\nEND:VCALENDAR\r\n";
        let (rig, _server, _config, _folder) =
            fed(&executor, Script::new().ics("/a.ics", empty)).await;
        let mut text = String::new();
        for line in [
            "GET /api/whats-next",
            "GET /api/done-for-day",
            "POST /api/morning-summary",
            "GET /api/alexa/next-meeting",
            "GET /api/alexa/time-until-next",
            "GET /api/alexa/done-for-day",
            "GET /api/alexa/launch-summary",
            "GET /api/alexa/morning-summary",
        ] {
            text += &shown(line, &send(&rig, line, "", "").await);
        }
        check("nothing.golden", &text);
    });
}

/// A body that is no JSON is refused where nothing is read from it, too; and what nobody asks for
/// spoils no other.
#[test]
fn a_body_is_json_or_refused() {
    run(|executor| async move {
        let (rig, _server, _folder) = guarded(&executor).await;
        for (line, body, status) in [
            ("POST /api/morning-summary", "{bad", 400),
            ("POST /api/morning-summary", "{}", 200),
            ("POST /api/morning-summary", "", 200),
            ("POST /api/skip", "{bad", 400),
            ("POST /api/skip", r#"{"meeting_id":"a","x":1e999}"#, 200),
            ("POST /api/skip", r#"{"meeting_id":7}"#, 400),
            ("POST /api/skip", "[]", 400),
        ] {
            let answer = send(&rig, line, "Content-Type: application/json\r\n", body).await;
            assert_eq!(answer.status, status, "{line} {body}: {}", answer.body);
        }
    });
}

#[test]
fn errors_are_told_in_this_family_s_words() {
    run(|executor| async move {
        let (rig, _server, _folder) = guarded(&executor).await;
        let bearer = format!("Authorization: Bearer {TOKEN}\r\n");
        let foreign = "Origin: http://evil.example\r\n";
        let mut text = String::new();
        for (line, fields, body) in [
            ("GET /api/done-for-day?tz=Mars/Base", "", ""),
            ("POST /api/morning-summary?date=tomorrow", "", ""),
            ("POST /api/morning-summary?date=2201-01-01", "", ""),
            ("POST /api/morning-summary?date=2026-02-30", "", ""),
            ("POST /api/morning-summary?timezone=Mars/Base", "", ""),
            ("POST /api/morning-summary?detail_level=long", "", ""),
            ("POST /api/morning-summary?max_events=0", "", ""),
            ("POST /api/morning-summary?max_events=101", "", ""),
            ("POST /api/morning-summary?max_events=many", "", ""),
            ("GET /api/alexa/next-meeting?tz=Mars/Base", &bearer, ""),
            ("GET /api/alexa/morning-summary?detail_level=long", &bearer, ""),
            ("GET /api/alexa/next-meeting", "", ""),
            ("GET /api/alexa/next-meeting", "Authorization: Bearer open\r\n", ""),
            ("GET /api/morning-summary", "", ""),
            ("POST /api/whats-next", "", ""),
            ("DELETE /api/alexa/next-meeting", "", ""),
            ("BREW /api/whats-next", "", ""),
            ("POST /api/browser-heartbeat", foreign, ""),
            ("POST /api/morning-summary", foreign, ""),
            ("GET /api/clear_skips", foreign, ""),
            ("POST /api/browser-heartbeat", "Content-Type: text/plain\r\n", "x"),
            ("POST /api/browser-heartbeat", JSON, "{"),
            ("POST /api/skip", JSON, "{"),
            ("POST /api/skip", JSON, "{}"),
        ] {
            text += &shown(line, &send(&rig, line, fields, body).await);
        }
        check("errors.golden", &text);
        for max in ["1", "100"] {
            let line = format!("POST /api/morning-summary?max_events={max}");
            assert_eq!(send(&rig, &line, "", "").await.status, 200);
        }
    });
}

#[test]
fn before_there_is_data_there_is_no_answer() {
    run(|executor| async move {
        let stalled = Reply::new([Step::Stall]);
        let server = FeedServer::start(&executor, Script::new().reply("/a.ics", stalled));
        let folder = folder();
        let config = configure(folder.path(), &toml(&[("a", server.url("/a.ics"))]));
        let rig = Rig::start(&executor, config);
        let gets = ["/api/whats-next", "/api/done-for-day"].into_iter().chain(ALEXA);
        let lines = gets.map(|path| format!("GET {path}"));
        for line in lines.chain(["POST /api/morning-summary".to_owned()]) {
            let answer = send(&rig, &line, "", "").await;
            assert_eq!((answer.status, answer.field("retry-after")), (503, Some("5")), "{line}");
            assert_eq!(answer.field("content-type"), Some("application/json"), "{line}");
            assert_eq!(answer.json("error"), "Service Unavailable", "{line}");
        }
        let beat = send(&rig, "POST /api/browser-heartbeat", "", "").await;
        assert_eq!(beat.body, r#"{"status":"ok","timestamp":"2026-01-05T07:45:00Z"}"#);
        let health = rig.get("/api/health").await;
        assert_eq!((health.status, health.json("status")), (503, "degraded"));
        assert_eq!(health.json("last_probe_notes"), "browser-heartbeat");
    });
}

#[test]
fn health_is_degraded_once_the_data_is_a_quarter_of_an_hour_old() {
    run(|executor| async move {
        let script = Script::new().ics("/a.ics", WORK);
        let (rig, server, _config, _folder) = fed(&executor, script).await;
        server.set(Script::new().status("/a.ics", 503));
        rig.advance(Duration::from_secs(900));
        assert_eq!(rig.get("/api/health").await.status, 200);
        rig.advance(Duration::from_secs(1));
        let health = rig.get("/api/health").await;
        assert_eq!((health.status, health.json("status")), (503, "degraded"));
        assert_eq!(health.json("last_refresh_success_age_s"), "901");
        assert_eq!(health.json("initial_refresh_complete"), "true");
    });
}

#[test]
fn an_assistant_shows_its_token_each_time() {
    run(|executor| async move {
        let (rig, server, folder) = guarded(&executor).await;
        let shown = |token: &str| format!("Authorization: Bearer {token}\r\n");
        for path in ALEXA {
            let line = format!("GET {path}");
            // The answer is kept for a second, and the bytes of requests longer: for nobody else.
            for (fields, status) in [(shown(TOKEN), 200), (String::new(), 401), (shown(TOKEN), 200)]
            {
                assert_eq!(send(&rig, &line, &fields, "").await.status, status, "{path}");
            }
        }
        assert_eq!(rig.get("/api/whats-next").await.status, 200, "this one is for everybody");

        let line = "GET /api/alexa/next-meeting";
        for _ in 0..5 {
            let answer = send(&rig, line, &shown("guess"), "").await;
            assert_eq!((answer.status, answer.body.as_str()), (401, r#"{"error":"Unauthorized"}"#));
        }
        let answer = send(&rig, line, &shown(TOKEN), "").await;
        assert_eq!((answer.status, answer.json("error")), (429, "Too Many Requests"));
        assert_eq!(answer.field("retry-after"), Some("61"));
        rig.advance(Duration::from_secs(61));
        assert_eq!(send(&rig, line, &shown(TOKEN), "").await.status, 200);

        // Another configuration has another token, or none.
        let feed = toml(&[("a", server.url("/a.ics"))]);
        fs::write(folder.path().join("token"), "other\n").expect("written");
        let other = format!("alexa.bearer_token_file = \"token\"\n{feed}");
        for (text, token) in [(other.as_str(), "other"), (&feed, "any")] {
            let generation = rig.feeds.settings_generation();
            rig.reload(configure(folder.path(), text)).await;
            rig.until(|rig| rig.feeds.settings_generation() > generation).await;
            assert_eq!(send(&rig, line, &shown(token), "").await.status, 200, "{token}");
        }
        assert_eq!(send(&rig, line, "", "").await.status, 200);
    });
}

/// More than are read beside those that an answer tells of.
#[test]
fn blocks_of_focus_time_do_not_hide_the_meeting_behind_them() {
    run(|executor| async move {
        let event = |n: usize, title: &str| {
            let (day, hour) = (5 + n / 16, 8 + n % 16);
            format!(
                "BEGIN:VEVENT\r\nUID:e{n}\r\nDTSTART:202601{day:02}T{hour:02}0000Z\r\n\
                 SUMMARY:{title}\r\nEND:VEVENT\r\n"
            )
        };
        let mut events: String = (0..150).map(|n| event(n, "Focus time")).collect();
        events += &event(150, "Review");
        let feed = format!("BEGIN:VCALENDAR\r\n{events}END:VCALENDAR\r\n");
        let (rig, _server, _config, _folder) =
            fed(&executor, Script::new().ics("/a.ics", &feed)).await;
        for path in ["/api/whats-next", "/api/alexa/next-meeting", "/api/alexa/launch-summary"] {
            assert_eq!(rig.get(path).await.json("subject"), "Review", "{path}");
        }
        assert_eq!(rig.get("/api/done-for-day").await.json("has_meetings_today"), "false");
    });
}

#[test]
fn answers_hold_for_a_second_and_heads_are_answered() {
    run(|executor| async move {
        let (rig, _server, _config, _folder) =
            fed(&executor, Script::new().ics("/a.ics", WORK)).await;
        let path = "/api/alexa/time-until-next";
        assert_eq!(rig.get(path).await.json("seconds_until_start"), "900");
        rig.advance(Duration::from_secs(1));
        assert_eq!(rig.get(path).await.json("seconds_until_start"), "899");
        for path in ["/api/whats-next", "/api/done-for-day", "/whatsnext.css", "/whatsnext.js"] {
            let head = send(&rig, &format!("HEAD {path}"), "", "").await;
            let full = rig.get(path).await;
            assert_eq!((head.status, full.status, head.body.as_str()), (200, 200, ""), "{path}");
            assert_eq!(head.field("content-length"), full.field("content-length"));
            let tag = format!("If-None-Match: {}\r\n", full.field("etag").expect("a tag"));
            assert_eq!(send(&rig, &format!("GET {path}"), &tag, "").await.status, 304, "{path}");
        }
        let any = send(&rig, "POST /api/morning-summary", "If-None-Match: *\r\n", "").await;
        assert_eq!(any.status, 200, "what is posted is not fetched");
        let css = rig.get("/static/page.css").await;
        assert_eq!(rig.get("/whatsnext.css").await.body, css.body);
    });
}

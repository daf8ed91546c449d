//! What a person skips stays skipped: what each route answers, what it changes, and until when.

use std::fs;
use std::rc::Rc;
use std::time::Duration;

use calendarbot::app::Ended;
use calendarbot::budget::{FeedLimits, Plan};
use calendarbot::flags::Flag;
use smol::LocalExecutor;
use tempfile::TempDir;

use crate::feed_server::{FeedServer, Script, run};
use crate::rig::{Response, Rig, configure, fed};
use crate::routes::WORK;

const DAY: Duration = Duration::from_secs(24 * 3600);
const UNTIL: &str = "2026-01-06T08:45:00+01:00";

async fn with_work(executor: &Rc<LocalExecutor<'static>>) -> (Rig, FeedServer, TempDir) {
    let (rig, server, _config, folder) = fed(executor, Script::new().ics("/a.ics", WORK)).await;
    (rig, server, folder)
}

/// Sends a request without a body, with further header fields.
async fn send(rig: &Rig, line: &str, fields: &str) -> Response {
    let mut client = rig.connect().await;
    let request = format!("{line} HTTP/1.1\r\nHost: localhost:1\r\n{fields}\r\n");
    client.send(request.as_bytes()).await;
    let method = line.split(' ').next().expect("a method");
    client.response_to(method).await.expect("an answer")
}

async fn post_lite(rig: &Rig, body: &str) -> Response {
    let length = body.len();
    rig.ask(&format!(
        "POST /api/skip HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n\
         Content-Length: {length}\r\n\r\n{body}"
    ))
    .await
}

/// The id of the next meeting, for a path.
async fn next_id(rig: &Rig) -> String {
    let answer = rig.get("/api/v1/next").await;
    let next = answer.body.split("\"next\":").nth(1).expect("a next one");
    next.split('"').nth(3).expect("an id").to_owned()
}

async fn skipped(rig: &Rig) -> String {
    let body = rig.get("/api/v1/skips").await.body;
    body.split_once("\"skips\":").expect("a list").1.to_owned()
}

#[test]
fn the_native_routes_have_the_documented_shapes() {
    run(|executor| async move {
        let (rig, _server, _folder) = with_work(&executor).await;
        assert_eq!(skipped(&rig).await, "[]}");
        let (skip, unskip) = ("POST /api/v1/skips/call%20%C3%A9", "DELETE /api/v1/skips/call%20é");
        let expected = format!(r#"{{"id":"call é","skipped_until":"{UNTIL}"}}"#);
        for status in [201, 200] {
            let answer = send(&rig, skip, "").await;
            assert_eq!((answer.status, answer.body.as_str()), (status, expected.as_str()));
            assert_eq!(answer.field("content-type"), Some("application/json"));
        }
        let list = rig.get("/api/v1/skips").await;
        let expected = format!(r#"{{"now":"2026-01-05T08:45:00+01:00","skips":[{expected}]}}"#);
        assert_eq!((list.status, list.body), (200, expected));
        assert_eq!(send(&rig, unskip, "").await.status, 400, "a path is in ASCII");
        let unskip = skip.replace("POST", "DELETE");
        let answer = send(&rig, &unskip, "").await;
        assert_eq!((answer.status, answer.body.as_str()), (204, ""));
        let answer = send(&rig, &unskip, "").await;
        assert_eq!((answer.status, answer.json("status")), (404, "404"));
        assert_eq!(answer.field("content-type"), Some("application/problem+json"));
        assert_eq!(skipped(&rig).await, "[]}");
    });
}

/// What is said at once is what the list says, in the zone that people have set.
#[test]
fn a_skip_is_told_in_the_zone_that_people_have_set() {
    run(|executor| async move {
        let (rig, _server, _folder) = with_work(&executor).await;
        let zone = r#"{"timezone":"America/New_York"}"#;
        let set = crate::full::send(&rig, "PUT /api/settings/display", zone).await;
        assert_eq!(set.status, 200);
        let answer = send(&rig, "POST /api/v1/skips/call", "").await.body;
        assert!(answer.contains("-05:00"), "{answer}");
        assert!(rig.get("/api/v1/skips").await.body.contains(&answer), "{answer}");
    });
}

/// A stranger's text is no way through our paths, whoever resolves them.
#[test]
fn an_id_that_looks_like_a_path_is_skipped_and_hidden_as_any_other() {
    run(|executor| async move {
        const ID: &str = "../../admin/emergency-disable";
        let feed = WORK.replace("UID:call", &format!("UID:{ID}"));
        let script = Script::new().ics("/a.ics", &feed);
        let (rig, _server, _config, _folder) = fed(&executor, script).await;
        let shown = rig.get("/api/v1/events").await.body.contains("Call with New York");
        assert!(shown);
        let query = "id=..%2F..%2Fadmin%2Femergency-disable";
        for what in ["skips", "hidden"] {
            let line = |method| format!("{method} /api/v1/{what}?{query}");
            for status in [201, 200] {
                let answer = send(&rig, &line("POST"), "").await;
                assert_eq!((answer.status, answer.json("id")), (status, ID), "{what}");
            }
            let told = rig.get("/api/v1/events").await.body;
            let is_there = told.contains("Call with New York");
            assert_eq!((is_there, told.contains("\"skipped\":true")), (what == "skips", is_there));
            assert_eq!(rig.get(&format!("/api/v1/{what}")).await.json("id"), ID);
            for status in [204, 404] {
                assert_eq!(send(&rig, &line("DELETE"), "").await.status, status, "{what}");
            }
            for line in ["POST", "DELETE"].map(|method| format!("{method} /api/v1/{what}")) {
                assert_eq!(send(&rig, &line, "").await.status, 400, "{line}");
            }
        }
        let flags = rig.get("/api/admin/flags").await.body;
        assert!(!flags.contains("\"effective\":false"), "{flags}");
    });
}

/// Whoever sends an invitation would make it impossible to skip or hide.
#[test]
fn what_cannot_be_told_is_in_no_id() {
    run(|executor| async move {
        for uid in ["ca\u{202e}ll", "ca\u{85}ll\u{9b}", "ca\u{2028}ll", "\u{200f}call"] {
            let feed = WORK.replace("UID:call", &format!("UID:{uid}"));
            let script = Script::new().ics("/a.ics", &feed);
            let (rig, _server, _config, _folder) = fed(&executor, script).await;
            let events = rig.get("/api/v1/events").await.body;
            let before = events.split("\"title\":\"Call with New York\"").next().expect("events");
            let id = before.rsplit("\"id\":\"").next().and_then(|rest| rest.split('"').next());
            let id = id.expect("an id").to_owned();
            assert!(id.starts_with("odd-"), "{id}");
            let skip = format!("POST /api/v1/skips?id={id}");
            assert_eq!(send(&rig, &skip, "").await.status, 201, "{uid:?}");
            assert!(rig.get("/api/v1/events").await.body.contains("\"skipped\":true"), "{uid:?}");
            let hide = format!("POST /api/v1/hidden?id={id}");
            assert_eq!(send(&rig, &hide, "").await.status, 201, "{uid:?}");
            assert!(!rig.get("/api/v1/events").await.body.contains("New York"), "{uid:?}");
            assert_eq!(rig.get(&format!("/api/v1/explain?id={id}")).await.status, 200, "{uid:?}");
            for what in ["skips", "hidden"] {
                let line = format!("DELETE /api/v1/{what}?id={id}");
                assert_eq!(send(&rig, &line, "").await.status, 204, "{uid:?}");
                let line = format!("POST /api/v1/{what}?id=a%E2%80%AEb");
                assert_eq!(send(&rig, &line, "").await.status, 400, "{uid:?}");
            }
            assert_eq!(post_lite(&rig, "{\"meeting_id\":\"a\\u0085\"}").await.status, 400);
        }
    });
}

#[test]
fn the_lite_routes_have_the_recorded_shapes() {
    run(|executor| async move {
        let (rig, _server, _folder) = with_work(&executor).await;
        for (body, error) in [
            ("", "invalid json"),
            ("{", "invalid json"),
            ("{}", "missing or invalid meeting_id"),
            ("[]", "missing or invalid meeting_id"),
            (r#"{"meeting_id":""}"#, "missing or invalid meeting_id"),
            (r#"{"meeting_id":7}"#, "missing or invalid meeting_id"),
            (r#"{"meeting_id":null}"#, "missing or invalid meeting_id"),
        ] {
            let answer = post_lite(&rig, body).await;
            let expected = format!(r#"{{"error":"{error}"}}"#);
            assert_eq!((answer.status, answer.body), (400, expected), "{body}");
        }
        for id in ["call", "gone"] {
            let answer = post_lite(&rig, &format!(r#"{{"meeting_id":"{id}","more":[1]}}"#)).await;
            let expected = r#"{"skipped_until":"2026-01-06T07:45:00+00:00"}"#;
            assert_eq!((answer.status, answer.body.as_str()), (200, expected));
        }
        let answer = send(&rig, "DELETE /api/skip", "").await;
        assert_eq!((answer.status, answer.body.as_str()), (200, r#"{"cleared":true,"count":2}"#));
        post_lite(&rig, r#"{"meeting_id":"call"}"#).await;
        let answer = rig.get("/api/clear_skips").await;
        let expected = r#"{"cleared":true,"count":1,"message":"Cleared 1 skipped meetings"}"#;
        assert_eq!((answer.status, answer.body.as_str()), (200, expected));
        assert_eq!(skipped(&rig).await, "[]}");
        rig.advance(Duration::from_secs(30));
        rig.refreshed(2).await;
    });
}

#[test]
fn no_page_of_another_site_changes_what_is_skipped() {
    run(|executor| async move {
        let (rig, _server, _folder) = with_work(&executor).await;
        assert_eq!(send(&rig, "POST /api/v1/skips/a", "").await.status, 201);
        // An image or a script of another site, over plain HTTP.
        let image = "User-Agent: Mozilla/5.0 (X11)\r\nAccept: image/avif,*/*;q=0.8\r\n";
        let script = "User-Agent: Mozilla/5.0 (X11)\r\nReferer: http://evil/\r\n";
        let own = "User-Agent: Mozilla/5.0 (X11)\r\nReferer: http://localhost:1/calendar\r\n";
        for path in ["/api/theme", "/api/refresh", "/api/navigate?action=next", "/api/clear_skips"]
        {
            let line = format!("GET {path}");
            for fields in [image, script] {
                assert_eq!(send(&rig, &line, fields).await.status, 403, "{line} {fields}");
            }
            if path != "/api/clear_skips" {
                assert_eq!(send(&rig, &line, own).await.status, 200, "{line}");
            }
        }
        for fields in [
            "Origin: http://evil\r\n",
            "Origin: null\r\n",
            "Sec-Fetch-Site: cross-site\r\n",
            "Sec-Fetch-Site: same-site\r\n",
        ] {
            for line in [
                "POST /api/v1/skips/b",
                "DELETE /api/v1/skips/a",
                "POST /api/skip",
                "DELETE /api/skip",
                "GET /api/clear_skips",
                "HEAD /api/clear_skips",
            ] {
                assert_eq!(send(&rig, line, fields).await.status, 403, "{line} {fields}");
            }
            assert_eq!(send(&rig, "GET /api/v1/skips", fields).await.status, 200);
        }
        assert_eq!(rig.get("/api/v1/skips").await.json("id"), "a");
        let own = "Origin: http://localhost:1\r\nSec-Fetch-Site: same-origin\r\n";
        assert_eq!(send(&rig, "GET /api/clear_skips", own).await.json("count"), "1");
        let text = "Content-Type: text/plain\r\nContent-Length: 2\r\n";
        assert_eq!(send(&rig, "POST /api/v1/skips/a", text).await.status, 415);
        for (line, allow) in [
            ("GET /api/v1/skips/a", "POST, DELETE, OPTIONS"),
            ("PUT /api/v1/skips", "GET, HEAD, POST, DELETE, OPTIONS"),
            ("GET /api/skip", "POST, DELETE, OPTIONS"),
            ("POST /api/clear_skips", "GET, HEAD, OPTIONS"),
        ] {
            let answer = send(&rig, line, "").await;
            assert_eq!((answer.status, answer.field("allow")), (405, Some(allow)), "{line}");
        }
    });
}

/// With every part of the pipeline on and off the next request knows of it.
#[test]
fn what_is_skipped_does_not_come_next_whatever_is_switched_off() {
    run(|executor| async move {
        let (rig, _server, _folder) = with_work(&executor).await;
        let off: Vec<Option<Flag>> = [None].into_iter().chain(Flag::ALL.map(Some)).collect();
        for flag in off {
            let turn = |on| {
                let now = rig.clock.wall();
                flag.inspect(|flag| rig.switches.change(|it| it.turn(*flag, on, "a test", now)));
            };
            turn(false);
            let id = next_id(&rig).await;
            assert!(id.starts_with("standup_20260105T080000_"), "{flag:?}: {id}");
            for path in ["/", "/api/v1/next", "/api/whats-next"] {
                assert!(rig.get(path).await.body.contains("Stand-up"), "{flag:?} {path}");
            }
            let events = rig.get("/api/v1/events").await.body;
            assert!(!events.contains("\"skipped\":true"));
            assert_eq!(send(&rig, &format!("POST /api/v1/skips/{id}"), "").await.status, 201);
            assert_eq!(next_id(&rig).await, "call", "{flag:?}");
            assert_eq!(rig.get("/api/whats-next").await.json("meeting_id"), "call", "{flag:?}");
            let page = rig.get("/").await.body;
            assert!(page.contains("<title>14:30 Call"), "{flag:?}: {page}");
            let events = rig.get("/api/v1/events").await.body;
            assert_eq!(events.matches("\"skipped\":true").count(), 1, "{flag:?}: {events}");
            assert_eq!(send(&rig, &format!("DELETE /api/v1/skips/{id}"), "").await.status, 204);
            assert_eq!(next_id(&rig).await, id, "{flag:?}");
            turn(true);
        }
    });
}

#[test]
fn a_skip_holds_for_a_day_and_over_a_restart() {
    run(|executor| async move {
        let script = Script::new().ics("/a.ics", WORK);
        let (rig, _server, config, _folder) = fed(&executor, script).await;
        for id in ["call", "off"] {
            assert_eq!(send(&rig, &format!("POST /api/v1/skips/{id}"), "").await.status, 201);
        }
        assert_eq!(rig.stop().await, Ended::Stopped);
        // The call is at half past two; "off" is all day tomorrow.
        let rig = Rig::start_at(&executor, config, "2026-01-05T10:00:00+01:00");
        let answer = rig.get("/api/v1/next").await;
        assert!(answer.json("start").starts_with("2026-01-06T09:00"), "{}", answer.body);
        assert!(!answer.body.contains("Epiphany"), "{}", answer.body);
        let ids = skipped(&rig).await;
        assert!(ids.contains(r#""id":"call""#) && ids.contains(r#""id":"off""#), "{ids}");
        rig.advance(DAY - Duration::from_secs(75 * 60 + 1));
        let answer = rig.get("/api/v1/next").await;
        assert_eq!(answer.json("valid_until"), UNTIL);
        assert!(!answer.body.contains("Epiphany"));
        rig.advance(Duration::from_secs(1));
        let answer = rig.get("/api/v1/next").await;
        assert!(answer.body.contains("Epiphany"), "{}", answer.body);
        assert_eq!(skipped(&rig).await, "[]}");
    });
}

#[test]
fn the_newest_fit_and_an_id_has_an_end() {
    run(|executor| async move {
        let (rig, _server, folder) = with_work(&executor).await;
        let config = configure(folder.path(), "");
        let limits = Plan::divide(config.memory_budget, 1, FeedLimits::default()).limits.people;
        let longest = "x".repeat(limits.id_bytes_max - 3);
        let mut last = 0;
        while rig.get("/api/v1/skips").await.body.contains("xx000") || last == 0 {
            let line = format!("POST /api/v1/skips/{longest}{last:03}");
            assert_eq!(send(&rig, &line, "").await.status, 201);
            last += 1;
            assert!(last < 200, "there is a bound");
        }
        let memory = &rig.metrics.memory.people;
        let list = rig.get("/api/v1/skips").await.body;
        assert_eq!(list.matches("\"id\"").count(), last - 1);
        assert!(list.contains("xx001") && memory.used() <= limits.bytes_max as u64);
        let answer = send(&rig, &format!("POST /api/v1/skips/{longest}1234"), "").await;
        assert_eq!(answer.status, 400, "{}", answer.body);
        let answer = post_lite(&rig, &format!(r#"{{"meeting_id":"{longest}1234"}}"#)).await;
        assert_eq!(answer.json("error"), "missing or invalid meeting_id");
        let answer = post_lite(&rig, &format!(r#"{{"meeting_id":"{longest}123"}}"#)).await;
        assert_eq!(answer.status, 200);
    });
}

/// A folder in the place of a file stands for a disk on which none can be made.
#[test]
fn what_cannot_be_stored_is_not_skipped() {
    run(|executor| async move {
        let script = Script::new().ics("/a.ics", WORK);
        let (rig, _server, config, folder) = fed(&executor, script).await;
        assert_eq!(send(&rig, "POST /api/v1/skips/off", "").await.status, 201);
        rig.stop().await;
        let obstacle = folder.path().join("staging.db");
        fs::remove_file(&obstacle).expect("removed");
        fs::create_dir(&obstacle).expect("made");
        let rig = Rig::start(&executor, config);
        let id = next_id(&rig).await;
        let (skip, unskip) = (format!("POST /api/v1/skips/{id}"), "DELETE /api/v1/skips/off");
        for line in [&skip, unskip] {
            let answer = send(&rig, line, "").await;
            assert_eq!((answer.status, answer.field("retry-after")), (503, Some("1")), "{line}");
            assert_eq!(answer.field("content-type"), Some("application/problem+json"));
        }
        let answer = send(&rig, "DELETE /api/skip", "").await;
        assert_eq!(answer.status, 503);
        assert!(answer.body.starts_with("{\"error\":\""), "{}", answer.body);
        assert_eq!(next_id(&rig).await, id);
        assert_eq!(rig.get("/api/v1/skips").await.json("id"), "off");
        fs::remove_dir(&obstacle).expect("removed");
        assert_eq!(send(&rig, &skip, "").await.status, 201);
        assert_eq!(next_id(&rig).await, "call");
    });
}

/// More than are read beside those that an answer shows.
#[test]
fn many_that_are_skipped_do_not_hide_what_comes_after_them() {
    run(|executor| async move {
        let event = |n: usize| {
            let (hour, minute) = (10 + n / 60, n % 60);
            format!(
                "BEGIN:VEVENT\r\nUID:e{n}\r\nDTSTART:20260105T{hour}{minute:02}00Z\r\nEND:VEVENT\r\n"
            )
        };
        let events: String = (0..70).map(event).collect();
        let feed = format!("BEGIN:VCALENDAR\r\n{events}END:VCALENDAR\r\n");
        let (rig, _server, _config, _folder) =
            fed(&executor, Script::new().ics("/a.ics", &feed)).await;
        for n in 0..40 {
            assert_eq!(send(&rig, &format!("POST /api/v1/skips/e{n}"), "").await.status, 201);
        }
        assert_eq!(next_id(&rig).await, "e40");
        assert_eq!(rig.get("/api/v1/next").await.json("truncated"), "false");
        assert_eq!(rig.get("/api/whats-next").await.json("meeting_id"), "e40");
        assert!(rig.get("/").await.body.contains("<title>11:40"), "in Berlin");
    });
}

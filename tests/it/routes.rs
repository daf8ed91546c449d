//! What each route answers, once there is data and before.

use std::time::Duration;

use crate::feed_server::{FeedServer, Reply, Script, Step, run};
use crate::rig::{Rig, configure, folder, toml};

/// A stand-up at nine in Berlin every weekday, lunch with New York, a day off tomorrow.
pub(crate) const WORK: &str = "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//test//EN\r\n\
BEGIN:VEVENT\r\nUID:standup\r\nDTSTART;TZID=Europe/Berlin:20251201T090000\r\n\
DTEND;TZID=Europe/Berlin:20251201T091500\r\nRRULE:FREQ=WEEKLY;BYDAY=MO,TU,WE,TH,FR\r\n\
SUMMARY:Stand-up\r\nLOCATION:Room 4\r\nEND:VEVENT\r\n\
BEGIN:VEVENT\r\nUID:call\r\nDTSTART;TZID=Eastern Standard Time:20260105T083000\r\n\
DURATION:PT1H\r\nSUMMARY:Call with New York\r\nEND:VEVENT\r\n\
BEGIN:VEVENT\r\nUID:off\r\nDTSTART;VALUE=DATE:20260106\r\nSUMMARY:Epiphany\r\nEND:VEVENT\r\n\
END:VCALENDAR\r\n";

/// A program that has read [`WORK`].
async fn with_work(
    executor: std::rc::Rc<smol::LocalExecutor<'static>>,
) -> (Rig, FeedServer, tempfile::TempDir) {
    let server = FeedServer::start(&executor, Script::new().ics("/work.ics", WORK));
    let folder = folder();
    let config = configure(folder.path(), &toml(&[("work", server.url("/work.ics"))]));
    let rig = Rig::start(&executor, config);
    rig.refreshed(1).await;
    (rig, server, folder)
}

#[test]
fn next_has_the_right_local_time() {
    run(|executor| async {
        let (rig, _server, _folder) = with_work(executor).await;
        let answer = rig.get("/api/v1/next").await;
        assert_eq!(answer.status, 200);
        assert_eq!(answer.field("content-type"), Some("application/json"));
        assert_eq!(answer.json("now"), "2026-01-05T08:45:00+01:00");
        assert_eq!(answer.json("seconds_until_next"), "900");
        assert_eq!(answer.json("title"), "Stand-up");
        assert_eq!(answer.json("start"), "2026-01-05T09:00:00+01:00");
        assert!(answer.body.contains("\"start\":\"2026-01-05T14:30:00+01:00\""), "{}", answer.body);
    });
}

#[test]
fn next_speaks_in_the_zone_that_is_asked_for() {
    run(|executor| async {
        let (rig, _server, _folder) = with_work(executor).await;
        let answer = rig.get("/api/v1/next?tz=America/New_York").await;
        assert_eq!(answer.json("zone"), "America/New_York");
        assert_eq!(answer.json("start"), "2026-01-05T03:00:00-05:00");
        let twin = rig.get("/api/v1/next?tz=america%2Fnew_york").await;
        assert_eq!(twin.body, answer.body);
        assert_eq!(rig.metrics.pipeline_rendered.get(), 1, "one answer under two spellings");
    });
}

#[test]
fn events_of_a_window() {
    run(|executor| async {
        let (rig, _server, _folder) = with_work(executor).await;
        let count = |body: &str| body.matches("\"id\":").count();
        for (query, events) in [
            ("from=2026-01-05&to=2026-01-06", 2),
            ("from=2026-01-05&to=2026-01-07", 4),
            ("from=2026-01-06&to=2026-01-07", 2),
            ("from=2026-01-05T08:15:00Z&to=2026-01-05T13:30:00Z", 0),
            ("from=2026-01-05T08:14:59Z&to=2026-01-05T13:30:01Z", 2),
            ("from=2026-01-05&to=2026-01-12&limit=3", 3),
            ("from=2026-01-05&to=2026-01-12&calendar=work", 7),
            ("", 7),
        ] {
            let answer = rig.get(&format!("/api/v1/events?{query}")).await;
            assert_eq!(answer.status, 200, "{query}: {}", answer.body);
            assert_eq!(count(&answer.body), events, "{query}: {}", answer.body);
        }
    });
}

#[test]
fn a_wrong_parameter_is_named() {
    run(|executor| async {
        let (rig, _server, _folder) = with_work(executor).await;
        for (path, named) in [
            ("/api/v1/next?limit=0", "limit"),
            ("/api/v1/next?limit=x", "limit"),
            ("/api/v1/next?limit=2001", "limit"),
            ("/api/v1/next?tz=Mars/Base", "tz"),
            ("/api/v1/next?tz=..%2F..%2Fetc%2Fpasswd", "tz"),
            ("/api/v1/events?from=yesterday", "from"),
            ("/api/v1/events?from=2026-01-06&to=2026-01-05", "to"),
            ("/api/v1/events?from=1899-12-31", "from"),
            ("/api/v1/events?to=2201-01-01T00:00:00Z", "to"),
            ("/api/v1/events?from=-009999-01-02", "from"),
            ("/?tz=x", "tz"),
        ] {
            let answer = rig.get(path).await;
            assert_eq!(answer.status, 400, "{path}");
            assert_eq!(answer.field("content-type"), Some("application/problem+json"));
            assert!(answer.json("detail").contains(&format!("`{named}`")), "{}", answer.body);
        }
        assert_eq!(rig.get("/api/v1/next?limit=2000").await.status, 200);
        let widest = "/api/v1/events?from=1900-01-01&to=2200-12-31T23:59:59Z";
        assert_eq!(rig.get(widest).await.status, 200);
        assert_eq!(rig.get("/api/v1/next?_=1234").await.status, 200);
        let longest_name = "%F0%9F%93%85".repeat(64);
        for (name, status) in [(longest_name.clone(), 404), (longest_name + "x", 400)] {
            let answer = rig.get(&format!("/api/v1/events?calendar={name}")).await;
            assert_eq!(answer.status, status, "{}", answer.body);
        }
    });
}

#[test]
fn before_there_is_data_routes_say_so() {
    run(|executor| async move {
        let stalled = Reply::new([Step::Stall]);
        let server = FeedServer::start(&executor, Script::new().reply("/work.ics", stalled));
        let folder = folder();
        let config = configure(folder.path(), &toml(&[("work", server.url("/work.ics"))]));
        let rig = Rig::start(&executor, config);
        for path in ["/", "/api/v1/next", "/api/v1/events", "/api/whats-next", "/readyz"] {
            let answer = rig.get(path).await;
            assert_eq!(answer.status, 503, "{path}");
            assert_eq!(answer.field("retry-after"), Some("5"), "{path}");
        }
        assert_eq!(rig.get("/healthz").await.status, 200);
        assert_eq!(rig.get("/stats").await.status, 200);
        let health = rig.get("/api/health").await;
        assert_eq!((health.status, health.json("status")), (503, "degraded"));
    });
}

#[test]
fn once_there_is_data_everything_is_ready() {
    run(|executor| async {
        let (rig, _server, _folder) = with_work(executor).await;
        assert_eq!(rig.get("/readyz").await.status, 200);
        let health = rig.get("/api/health").await;
        assert_eq!((health.status, health.json("status")), (200, "ok"));
        assert_eq!(health.json("event_count"), "3");
        let page = rig.get("/").await;
        assert_eq!(page.field("content-type"), Some("text/html; charset=utf-8"));
        assert!(page.body.contains("name=\"calendarbot-ready\""));
        assert!(page.body.contains("Stand-up") && page.body.contains("Room 4"));
        let policy = page.field("content-security-policy").expect("a policy");
        assert!(!policy.contains("unsafe"));
    });
}

#[test]
fn the_lite_route_keeps_its_shape() {
    run(|executor| async {
        let (rig, _server, _folder) = with_work(executor).await;
        let answer = rig.get("/api/whats-next").await;
        assert_eq!(answer.json("subject"), "Stand-up");
        assert_eq!(answer.json("start_iso"), "2026-01-05T08:00:00Z");
        assert_eq!(answer.json("seconds_until_start"), "900");
        assert_eq!(answer.json("duration_seconds"), "900");
        assert_eq!(answer.json("message"), "Starting soon");
        assert!(answer.json("meeting_id").starts_with("standup_20260105T080000_"));
        rig.advance(Duration::from_secs(7));
        assert_eq!(rig.get("/api/whats-next").await.json("seconds_until_start"), "893");
    });
}

#[test]
fn calendars_are_listed_without_their_url() {
    run(|executor| async {
        let (rig, server, _folder) = with_work(executor).await;
        let answer = rig.get("/api/v1/calendars").await;
        assert_eq!(answer.json("name"), "work");
        assert_eq!(answer.json("events"), "3");
        assert!(answer.json("source").starts_with("127.0.0.1#"));
        for path in ["/api/v1/calendars", "/stats", "/", "/api/v1/next"] {
            let body = rig.get(path).await.body;
            assert!(!body.contains("work.ics"), "{path}");
            assert!(!body.contains(&server.address().port().to_string()), "{path}");
        }
    });
}

#[test]
fn stats_are_one_object_with_the_figures_of_this_moment() {
    run(|executor| async {
        let (rig, _server, _folder) = with_work(executor).await;
        rig.get("/api/v1/next").await;
        rig.get("/api/v1/next").await;
        let stats = rig.get("/stats").await;
        assert_eq!(stats.json("hits"), "1");
        assert_eq!(stats.json("misses"), "1");
        assert_eq!(stats.json("refreshes"), "1");
        assert!(stats.json("rss").parse::<u64>().expect("a number") > 1_000_000);
        assert!(stats.json("heap").parse::<u64>().expect("a number") > 10_000);
        let sections = [
            "server",
            "time_zones",
            "budget",
            "slab",
            "http",
            "cache",
            "pipeline",
            "connections",
            "database",
            "feeds",
            "memory",
            "disk",
            "threads",
            "feeds_status",
        ];
        for section in sections {
            assert!(stats.body.contains(&format!("\"{section}\":")), "{section}");
        }
        assert_eq!(rig.get("/api/stats").await.status, 200);
    });
}

#[test]
fn a_refresh_can_be_asked_for_but_not_by_a_foreign_page() {
    run(|executor| async {
        let (rig, server, _folder) = with_work(executor).await;
        let post = |fields: &str| {
            format!("POST /api/v1/refresh HTTP/1.1\r\nHost: localhost:1\r\n{fields}\r\n")
        };
        for fields in [
            "Origin: http://evil.example\r\n",
            "Origin: null\r\n",
            "Origin: http://localhost:2\r\n",
            "Sec-Fetch-Site: cross-site\r\n",
        ] {
            assert_eq!(rig.ask(&post(fields)).await.status, 403, "{fields}");
        }
        assert_eq!(server.requests().len(), 1);
        rig.advance(Duration::from_secs(30));
        let accepted = rig.ask(&post("Origin: http://localhost:1\r\n")).await;
        assert_eq!(accepted.status, 202);
        server.seen(2).await;
        let accepted = rig
            .ask(
                &post("Content-Type: application/json\r\nContent-Length: 2\r\n")
                    .replace("\r\n\r\n", "\r\n\r\n{}"),
            )
            .await;
        assert_eq!(accepted.status, 202);
    });
}

#[test]
fn a_stranger_s_name_is_not_answered() {
    run(|executor| async {
        let (rig, _server, _folder) = with_work(executor).await;
        for (host, status) in [("evil.example", 421), ("127.0.0.1", 200), ("localhost:1", 200)] {
            for path in ["/api/v1/next", "/stats", "/static/page.css"] {
                let request = format!("GET {path} HTTP/1.1\r\nHost: {host}\r\n\r\n");
                assert_eq!(rig.ask(&request).await.status, status, "{host}{path}");
            }
        }
    });
}

#[test]
fn methods_and_paths_that_lead_nowhere() {
    run(|executor| async {
        let (rig, _server, _folder) = with_work(executor).await;
        for (line, status, allow) in [
            ("GET /nothing", 404, None),
            ("GET /static/../stats", 400, None),
            ("POST /stats", 405, Some("GET, HEAD, OPTIONS")),
            ("GET /api/v1/refresh", 405, Some("POST, OPTIONS")),
            ("DELETE /", 405, Some("GET, HEAD, OPTIONS")),
            ("OPTIONS /stats", 204, Some("GET, HEAD, OPTIONS")),
            ("OPTIONS *", 204, Some("GET, HEAD, POST, PUT, DELETE, OPTIONS")),
            ("BREW /", 501, None),
            ("PATCH /", 405, Some("GET, HEAD, POST, PUT, DELETE, OPTIONS")),
        ] {
            let answer = rig.ask(&format!("{line} HTTP/1.1\r\nHost: localhost\r\n\r\n")).await;
            assert_eq!(answer.status, status, "{line}");
            assert_eq!(answer.field("allow"), allow, "{line}");
        }
    });
}

#[test]
fn assets_are_served_and_revalidated() {
    run(|executor| async {
        let (rig, _server, _folder) = with_work(executor).await;
        for (path, media_type) in [
            ("/static/page.css", "text/css; charset=utf-8"),
            ("/static/calendar.css", "text/css; charset=utf-8"),
            ("/static/page.js", "text/javascript; charset=utf-8"),
            ("/favicon.svg", "image/svg+xml"),
            ("/dashboard", "text/html; charset=utf-8"),
            ("/static/dashboard.css", "text/css; charset=utf-8"),
            ("/static/dashboard.js", "text/javascript; charset=utf-8"),
        ] {
            let full = rig.get(path).await;
            assert_eq!((full.status, full.field("content-type")), (200, Some(media_type)));
            assert!(full.body.len() > 100);
            let tag = full.field("etag").expect("a tag");
            let again = rig
                .ask(&format!(
                    "GET {path} HTTP/1.1\r\nHost: localhost\r\nIf-None-Match: {tag}\r\n\r\n"
                ))
                .await;
            assert_eq!((again.status, again.body.len()), (304, 0));
        }
    });
}

#[test]
fn the_page_and_its_files_are_small() {
    run(|executor| async {
        let (rig, _server, _folder) = with_work(executor).await;
        let mut bytes = 0;
        for path in ["/", "/static/page.css", "/static/page.js", "/favicon.svg"] {
            bytes += rig.get(path).await.body.len();
        }
        assert!(bytes <= 40 * 1024, "{bytes} bytes");
    });
}

#[test]
fn without_pipeline_and_pools_the_answers_are_the_same() {
    run(|executor| async move {
        let server = FeedServer::start(&executor, Script::new().ics("/work.ics", WORK));
        let mut bodies = Vec::new();
        for flag in ["true", "false"] {
            let folder = folder();
            let text = toml(&[("work", server.url("/work.ics"))])
                .replace("[[feeds]]", &format!("[flags]\nenabled = {flag}\n[[feeds]]"));
            let rig = Rig::start(&executor, configure(folder.path(), &text));
            rig.refreshed(1).await;
            let mut answers = Vec::new();
            for path in [
                "/",
                "/day",
                "/week",
                "/agenda",
                "/month",
                "/api/v1/next",
                "/api/v1/events",
                "/api/whats-next",
                "/api/done-for-day",
                "/api/alexa/next-meeting",
                "/api/alexa/time-until-next",
                "/api/alexa/done-for-day",
                "/api/alexa/launch-summary",
                "/api/alexa/morning-summary",
            ] {
                answers.push(rig.get(path).await.body);
            }
            bodies.push(answers);
            let cached = rig.metrics.cache_misses.get();
            assert_eq!(cached > 0, flag == "true");
        }
        assert_eq!(bodies[0], bodies[1]);
    });
}

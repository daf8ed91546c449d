//! What is measured, and every way to read it.

use std::time::Duration;

use calendarbot::metrics::histogram::percentile;

use crate::exposition::Page;
use crate::feed_server::{FeedServer, Script, run};
use crate::process::{Process, output, text};
use crate::rig::{Rig, configure, fed, folder, toml};
use crate::routes::WORK;

const OPENMETRICS: &str = "application/openmetrics-text;version=1.0.0;q=0.5,*/*;q=0.1";

async fn page(rig: &Rig, accept: &str) -> Page {
    let request = format!("GET /metrics HTTP/1.1\r\nHost: localhost\r\nAccept: {accept}\r\n\r\n");
    let answer = rig.ask(&request).await;
    let is_openmetrics = accept.contains("openmetrics");
    let media_type = match is_openmetrics {
        true => "application/openmetrics-text; version=1.0.0; charset=utf-8",
        false => "text/plain; version=0.0.4; charset=utf-8",
    };
    assert_eq!(answer.status, 200);
    assert_eq!(answer.field("content-type"), Some(media_type));
    assert_eq!(answer.field("vary"), Some("Accept"));
    Page::read(&answer.body, is_openmetrics)
}

/// A change waits for the disk: its answer is of another turn than its request.
#[test]
fn a_turn_with_an_answer_to_an_earlier_request_counts() {
    run(|executor| async move {
        let (rig, _server, _config, _folder) =
            fed(&executor, Script::new().ics("/a.ics", WORK)).await;
        let (requests, turns) = (rig.metrics.http_requests.get(), rig.metrics.http_turns.get());
        let mut client = rig.connect().await;
        client.send(b"POST /api/v1/skips/call HTTP/1.1\r\nHost: localhost\r\n\r\n").await;
        rig.counted(|metrics| &metrics.http_requests, requests + 1).await;
        rig.advance(Duration::from_millis(1));
        assert_eq!(client.response().await.expect("an answer").status, 201);
        assert_eq!(rig.metrics.http_turns.get(), turns + 1);
    });
}

#[test]
fn both_formats_hold_the_same() {
    run(|executor| async move {
        let (rig, _server, _config, _folder) =
            fed(&executor, Script::new().ics("/a.ics", WORK)).await;
        rig.get("/").await;
        let (text, openmetrics) = (page(&rig, "*/*").await, page(&rig, OPENMETRICS).await);
        let names = |page: &Page| {
            let name = |name: &str| name.trim_end_matches("_total").to_owned();
            page.0
                .iter()
                .map(|family| (name(&family.name), family.kind.clone()))
                .collect::<Vec<_>>()
        };
        assert_eq!(names(&text), names(&openmetrics));
        assert!(text.0.len() > 90, "{}", text.0.len());
        for page in [&text, &openmetrics] {
            let resident = "process_resident_memory_bytes";
            assert!(page.value(resident, resident) > 1e6);
            assert!(page.value("process_start_time_seconds", "process_start_time_seconds") > 1.6e9);
            assert!(page.value("process_open_fds", "process_open_fds") > 3.0);
            assert!(page.value("process_threads", "process_threads") >= 1.0);
        }
        assert_eq!(
            text.value("calendarbot_cache_misses_total", "calendarbot_cache_misses_total"),
            1.0
        );
        assert_eq!(
            openmetrics.value("calendarbot_cache_misses", "calendarbot_cache_misses_total"),
            1.0
        );
        // The system counts in hundredths of a second, and so much a test may not have taken yet.
        let cpu = ("process_cpu_seconds", "process_cpu_seconds_total");
        let mut looks = 0;
        while page(&rig, OPENMETRICS).await.value(cpu.0, cpu.1) <= 0.0 {
            looks += 1;
            assert!(looks < 10_000, "it takes time to say so");
        }
        let build = &text.family("calendarbot_build_info").samples[0];
        assert_eq!((build.label("version"), build.value), (env!("CARGO_PKG_VERSION"), 1.0));
    });
}

#[test]
fn requests_are_counted_by_route_method_and_status() {
    run(|executor| async move {
        let (rig, _server, _config, _folder) =
            fed(&executor, Script::new().ics("/a.ics", WORK)).await;
        for (request, times) in [
            ("GET /api/v1/next HTTP/1.1\r\nHost: localhost\r\n\r\n", 3),
            ("GET /api/v1/next?tz=Nowhere HTTP/1.1\r\nHost: localhost\r\n\r\n", 1),
            ("GET /api/v1/next HTTP/1.1\r\nHost: elsewhere\r\n\r\n", 1),
            ("GET /api/stats HTTP/1.1\r\nHost: localhost\r\n\r\n", 1),
            ("GET /static/page.css HTTP/1.1\r\nHost: localhost\r\nIf-None-Match: *\r\n\r\n", 1),
            ("GET /../etc/passwd HTTP/1.1\r\nHost: localhost\r\n\r\n", 1),
            ("GET /%41%42/c HTTP/1.1\r\nHost: localhost\r\n\r\n", 1),
            ("POST /api/v1/refresh HTTP/1.1\r\nHost: localhost\r\nOrigin: null\r\n\r\n", 1),
            ("OPTIONS * HTTP/1.1\r\nHost: localhost\r\n\r\n", 1),
        ] {
            for _ in 0..times {
                rig.ask(request).await;
            }
        }
        let page = page(&rig, "text/plain").await;
        let counted = page.family("calendarbot_http_requests_total").samples.iter().map(|it| {
            let [route, method, code] = ["route", "method", "code"].map(|name| it.label(name));
            format!("{method} {route} {code} {}", it.value)
        });
        let counted: Vec<String> = counted.collect();
        assert_eq!(
            counted,
            [
                "GET /api/v1/next 200 3",
                "GET /stats 200 1",
                "GET /static/{file} 304 1",
                // Refused by their heads, wherever they led.
                "GET other 400 1",
                "GET other 404 1",
                "GET other 421 1",
                "POST other 403 1",
                "OPTIONS other 204 1",
                "other other 400 1",
                "other other other 0",
            ]
        );
        // Refusals are no latencies.
        let duration = "calendarbot_http_request_duration_seconds";
        assert_eq!(page.value(duration, &format!("{duration}_count")), 6.0);
        let stats = rig.get("/stats").await.body;
        let row = "{\"route\":\"/api/v1/next\",\"method\":\"GET\",\"code\":200,\"count\":3}";
        assert!(stats.contains(row), "{stats}");
    });
}

#[test]
fn an_answer_that_waits_takes_as_long_as_that() {
    run(|executor| async move {
        let (rig, _server, _config, _folder) =
            fed(&executor, Script::new().ics("/a.ics", WORK)).await;
        let mut clients = Vec::new();
        for limit in [1, 2] {
            let mut client = rig.connect().await;
            let path = format!("/api/v1/next?limit={limit}");
            client.send(format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n").as_bytes()).await;
            clients.push(client);
        }
        // Both are there when the server looks, so that neither is alone.
        for client in &mut clients {
            client.response().await.expect("an answer");
        }
        let (durations, made) = (&rig.metrics.request_seconds, &rig.metrics.made_seconds);
        assert_eq!((durations.count(), made.count()), (2, 2));
        assert_eq!(percentile(&durations.counts(), 100), Some(100), "the clock stands still");
        assert_eq!(durations.max_us(), 0);
    });
}

#[test]
fn no_label_holds_what_a_stranger_has_written() {
    run(|executor| async move {
        let server = FeedServer::start(&executor, Script::new().ics("/secret-token.ics", WORK));
        let folder = folder();
        let odd = "a\\\\b \\\"c\\\" {d=e}";
        let config = configure(folder.path(), &toml(&[(odd, server.url("/secret-token.ics"))]));
        let rig = Rig::start(&executor, config);
        rig.refreshed(1).await;
        rig.get("/api/v1/events?calendar=Stand-up").await;
        rig.get("/secret/path").await;
        let answer = rig.get("/metrics").await;
        for word in ["Stand-up", "secret", "127.0.0.1", "http:", "ics"] {
            assert!(!answer.body.contains(word), "{word}: {}", answer.body);
        }
        let page = Page::read(&answer.body, false);
        let success = page.family("calendarbot_feed_last_success_timestamp_seconds");
        assert_eq!(success.samples[0].label("feed"), "a\\b \"c\" {d=e}");
        assert_eq!(success.samples[0].value, 1_767_599_100.0);
    });
}

#[test]
fn before_anything_was_read_there_is_nothing_to_tell_of_it() {
    run(|executor| async move {
        let server = FeedServer::start(&executor, Script::new().status("/a.ics", 500));
        let folder = folder();
        let config = configure(folder.path(), &toml(&[("a", server.url("/a.ics"))]));
        let rig = Rig::start(&executor, config);
        rig.failed(1).await;
        for accept in ["*/*", OPENMETRICS] {
            let page = page(&rig, accept).await;
            let success = "calendarbot_feed_last_success_timestamp_seconds";
            assert_eq!(page.family(success).samples, []);
            assert_eq!(page.family("calendarbot_feed_stale").samples[0].value, 1.0);
        }
        let stats = rig.get("/stats").await;
        assert_eq!(stats.json("p95_latency_improvement"), "null");
        assert_eq!(stats.json("cache_hit_rate"), "null");
    });
}

#[test]
fn the_older_documents_figures_are_worked_out_from_what_is_counted() {
    run(|executor| async move {
        let (rig, _server, _config, _folder) =
            fed(&executor, Script::new().ics("/a.ics", WORK)).await;
        for _ in 0..4 {
            rig.get("/api/v1/next").await;
        }
        let stats = rig.get("/stats").await;
        assert_eq!(stats.json("cache_hit_rate"), "0.750");
        assert_eq!(stats.json("event_loop_efficiency"), "1.000");
        assert_eq!(stats.json("batching_effectiveness"), "null", "nobody has waited in a queue");
        let number = |name| stats.json(name).parse::<f64>().expect("a number");
        let (pool, cache) = (number("pool_memory_usage"), number("cache_memory_usage"));
        assert!(pool > 50_000.0 && cache > 500.0);
        assert_eq!(number("total_optimization_memory"), pool + cache);
        assert_eq!(number("avg_request_latency"), 0.0, "the clock stands still");
        rig.advance(Duration::from_secs(60));
        assert_eq!(rig.get("/stats").await.json("uptime_seconds"), "60");
    });
}

#[test]
fn a_terminal_shows_what_the_running_server_tells() {
    let folder = folder();
    let socket = folder.path().join("calendarbot.sock");
    let socket = socket.to_str().expect("a name in UTF-8");
    let process = Process::start(folder.path(), &["--unix-socket", socket]);
    let port = process.address.port().to_string();
    let url = format!("http://127.0.0.1:{port}/");
    for place in [["--port", &port], ["--url", &url]] {
        let shown = output(folder.path(), &["stats", place[0], place[1]]);
        let page = text(&shown.stdout);
        assert!(shown.status.success(), "{}", text(&shown.stderr));
        assert!(page.starts_with("server\n  name"), "{page}");
        assert!(page.contains("\nbudget\n") && page.contains("slow readers"), "{page}");
        assert!(!page.contains('\x1b') && page.lines().all(|line| line.chars().count() <= 160));
    }
    let shown = output(folder.path(), &["stats", "--json", "--port", "1", "--unix-socket", socket]);
    assert!(text(&shown.stdout).starts_with("{\"server\":{"), "{}", text(&shown.stderr));
    drop(process);
    for arguments in [&["stats", "--port", &port][..], &["stats", "--watch", "--url", &url]] {
        let shown = output(folder.path(), arguments);
        let said = text(&shown.stderr);
        assert_eq!(shown.status.code(), Some(1));
        assert!(said.starts_with("calendarbot: no server answers at http://127.0.0.1:"), "{said}");
        assert!(said.contains("Connection refused") && said.lines().count() == 1, "{said}");
    }
}

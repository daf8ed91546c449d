//! `/feeds/{name}.ics`: the feed again, cleaned, however large it is and however slowly it is taken.

use std::time::Duration;

use calendarbot::alloc;
use smol::future;

use crate::feed_server::{FeedServer, Reply, Script, Step, run, run_within};
use crate::rig::{Client, Rig, configure, fed, folder, toml};

const SECOND: Duration = Duration::from_secs(1);

const FEED: &str = "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nX-WR-TIMEZONE:Europe/Berlin\r\n\
BEGIN:VEVENT\r\nUID:call\r\nDTSTAMP:20260101T000000Z\r\nLAST-MODIFIED:20260102T000000Z\r\n\
DTSTART;TZID=Eastern Standard Time:20260105T083000\r\nDURATION:PT1H\r\nSUMMARY:Call\r\n\
END:VEVENT\r\n\
BEGIN:VEVENT\r\nUID:broken\r\nSUMMARY:Without a start\r\nEND:VEVENT\r\n\
BEGIN:VEVENT\r\nUID:doctor\r\nDTSTART:20260106T080000Z\r\nCLASS:PRIVATE\r\nSUMMARY:Doctor\r\n\
LOCATION:Clinic\r\nEND:VEVENT\r\n\
END:VCALENDAR\r\n";

const CLEANED: &str = "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//calendarbot//calendarbot//EN\r\n\
BEGIN:VEVENT\r\nDTSTAMP:20260102T000000Z\r\nUID:call\r\nLAST-MODIFIED:20260102T000000Z\r\n\
DTSTART;TZID=America/New_York:20260105T083000\r\nDURATION:PT1H\r\nSUMMARY:Call\r\nEND:VEVENT\r\n\
BEGIN:VEVENT\r\nDTSTAMP:19700101T000000Z\r\nSUMMARY:Busy\r\nCLASS:PRIVATE\r\nUID:*\r\n\
DTSTART:20260106T080000Z\r\nEND:VEVENT\r\n\
END:VCALENDAR\r\n";

fn get(version: &str, fields: &str) -> String {
    format!("GET /feeds/a.ics HTTP/{version}\r\nHost: localhost\r\n{fields}\r\n")
}

/// A client that has been sent the head of a feed, and reads no further.
async fn begun(rig: &Rig) -> Client {
    let mut client = rig.connect().await;
    client.send(get("1.1", "").as_bytes()).await;
    let head = client.through("\r\n\r\n").await.expect("a head");
    assert!(head.starts_with("HTTP/1.1 200 OK\r\n"), "{head}");
    client
}

async fn settle() {
    for _ in 0..500 {
        future::yield_now().await;
    }
}

/// The text with the hashed UID of the private event left out.
fn without_hash(text: &str) -> String {
    let (before, after) = text.split_once("UID:private-").expect("a private event");
    format!("{before}UID:*{}", &after[16..])
}

#[test]
fn it_is_the_feed_with_known_zones_and_without_what_nobody_may_read() {
    run(|executor| async move {
        let (rig, _server, _config, _folder) =
            fed(&executor, Script::new().ics("/a.ics", FEED)).await;
        let mut client = rig.connect().await;
        for _ in 0..2 {
            client.send(get("1.1", "").as_bytes()).await;
            let answer = client.response().await.expect("an answer");
            assert_eq!(answer.status, 200);
            assert_eq!(answer.field("content-type"), Some("text/calendar; charset=utf-8"));
            assert_eq!(answer.field("transfer-encoding"), Some("chunked"));
            assert_eq!(without_hash(&answer.body), CLEANED);
        }
        client
            .send(
                format!("{}GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n", get("1.1", ""))
                    .as_bytes(),
            )
            .await;
        assert_eq!(without_hash(&client.response().await.expect("the feed").body), CLEANED);
        assert_eq!(client.response().await.expect("what was asked behind it").body, "alive\n");
        for fields in ["", "Connection: keep-alive\r\n"] {
            let mut old = rig.connect().await;
            old.send(get("1.0", fields).as_bytes()).await;
            let head = old.through("\r\n\r\n").await.expect("a head");
            assert!(
                head.contains("\r\nConnection: close\r\n") && !head.contains("chunked"),
                "{head}"
            );
            assert_eq!(without_hash(&old.rest().await), CLEANED);
        }
    });
}

#[test]
fn a_private_feed_tells_times_and_nothing_else() {
    run(|executor| async move {
        let server = FeedServer::start(&executor, Script::new().ics("/a.ics", FEED));
        let folder = folder();
        let config = toml(&[("my calendar", server.url("/a.ics"))]) + "private = true\n";
        let rig = Rig::start(&executor, configure(folder.path(), &config));
        rig.refreshed(1).await;
        let answer = rig.get("/feeds/my%20calendar.ics").await;
        assert_eq!(answer.body.matches("SUMMARY:Busy\r\n").count(), 2, "{}", answer.body);
        for word in ["Call", "call", "Doctor", "Clinic"] {
            assert!(!answer.body.contains(word), "{word}");
        }
    });
}

#[test]
fn its_tag_changes_with_the_data_and_not_with_every_refresh() {
    run(|executor| async move {
        let (rig, server, _config, _folder) =
            fed(&executor, Script::new().ics("/a.ics", FEED)).await;
        let tag = |answer: &crate::rig::Response| answer.field("etag").expect("a tag").to_owned();
        let first = tag(&rig.ask(&get("1.1", "")).await);
        let known = get("1.1", &format!("If-None-Match: {first}\r\n"));
        assert_eq!(rig.ask(&known).await.status, 304);
        rig.feeds.nudge_all();
        rig.advance(SECOND * 30);
        rig.refreshed(2).await;
        assert_eq!(rig.ask(&known).await.status, 304, "nothing has changed");
        server.set(Script::new().ics("/a.ics", &FEED.replace("Call", "Talk")));
        rig.feeds.nudge_all();
        rig.advance(SECOND * 30);
        rig.refreshed(3).await;
        let changed = rig.ask(&known).await;
        assert_eq!((changed.status, tag(&changed) == first), (200, false));
        assert!(changed.body.contains("SUMMARY:Talk"));
        let mut client = rig.connect().await;
        client.send(get("1.1", "").replace("GET", "HEAD").as_bytes()).await;
        let head = client.response_to("HEAD").await.expect("a head");
        assert_eq!((head.status, tag(&head)), (200, tag(&changed)));
    });
}

#[test]
fn what_is_not_there_is_said() {
    run(|executor| async move {
        let stalled = Reply::new([Step::Stall]);
        let server = FeedServer::start(&executor, Script::new().reply("/a.ics", stalled));
        let folder = folder();
        let config = configure(folder.path(), &toml(&[("a", server.url("/a.ics"))]));
        let rig = Rig::start(&executor, config);
        for (method, path, status) in [
            ("GET", "/feeds/a.ics", 503),
            ("GET", "/feeds/b.ics", 404),
            ("GET", "/feeds/a", 404),
            ("GET", "/feeds/.ics", 404),
            ("GET", "/feeds/%ff.ics", 400),
            ("POST", "/feeds/a.ics", 405),
        ] {
            let request = format!("{method} {path} HTTP/1.1\r\nHost: localhost\r\n\r\n");
            let answer = rig.ask(&request).await;
            assert_eq!(answer.status, status, "{path}");
            assert_eq!(answer.field("content-type"), Some("application/problem+json"), "{path}");
        }
    });
}

/// Nobody holds a large feed: not who sends it, however slowly it is taken.
#[test]
fn twenty_thousand_events_pass_piece_by_piece() {
    run_within(Duration::from_secs(120), |executor| async move {
        let (rig, _server, _config, _folder) =
            fed(&executor, Script::new().generated("/a.ics", 20_000)).await;
        let mut client = begun(&rig).await;
        settle().await;
        alloc::restart_peak();
        let before = alloc::used_bytes();
        let (mut events, mut bytes) = (0, 0);
        loop {
            let size = client.through("\r\n").await.expect("a chunk");
            let size = usize::from_str_radix(size.trim_end(), 16).expect("a size");
            let chunk = client.exactly(size + 2).await.expect("its bytes");
            if size == 0 {
                break;
            }
            events += chunk.matches("END:VEVENT").count();
            bytes += size;
        }
        assert_eq!(events, 20_000);
        let growth = alloc::peak_bytes().saturating_sub(before);
        assert!(bytes > 5 << 20, "{bytes}");
        assert!(growth < 256 << 10, "{growth} bytes");
    });
}

#[test]
fn half_of_one_calendar_is_not_ended_with_half_of_another() {
    run_within(Duration::from_secs(60), |executor| async move {
        let (rig, server, _config, _folder) =
            fed(&executor, Script::new().generated("/a.ics", 2_000)).await;
        let mut client = begun(&rig).await;
        settle().await;
        server.set(Script::new().ics("/a.ics", FEED));
        rig.feeds.nudge_all();
        rig.advance(SECOND * 30);
        rig.refreshed(2).await;
        let rest = client.rest().await;
        assert!(!rest.ends_with("0\r\n\r\n") && !rest.contains("END:VCALENDAR"));
        assert_eq!(rig.ask(&get("1.1", "")).await.status, 200);
    });
}

#[test]
fn a_few_are_read_a_feed_at_once_and_one_more_comes_again() {
    run_within(Duration::from_secs(60), |executor| async move {
        let (rig, _server, _config, _folder) =
            fed(&executor, Script::new().generated("/a.ics", 2_000)).await;
        let (one, _other) = (begun(&rig).await, begun(&rig).await);
        let refused = rig.ask(&get("1.1", "")).await;
        assert_eq!((refused.status, refused.field("retry-after")), (503, Some("5")));
        drop(one);
        rig.until(|rig| rig.metrics.slab_used.get() < 3).await;
        settle().await;
        begun(&rig).await;
        settle().await;
        // Who takes nothing loses its place; who takes its time, in the end, too.
        for _ in 0..11 {
            rig.advance(SECOND);
            settle().await;
        }
        assert_eq!(rig.metrics.slab_used.get(), 0);
        begun(&rig).await;
    });
}

#[test]
fn whoever_sips_at_a_feed_does_not_keep_it_for_ever() {
    run_within(Duration::from_secs(60), |executor| async move {
        let (rig, _server, _config, _folder) =
            fed(&executor, Script::new().generated("/a.ics", 20_000)).await;
        let mut client = begun(&rig).await;
        for second in 0..310 {
            settle().await;
            if rig.metrics.deadline_closed.get() > 0 {
                assert!(second >= 300, "{second}");
                return;
            }
            client.exactly(16 << 10).await.expect("some more");
            rig.advance(SECOND);
        }
        panic!("it is still being read");
    });
}

/// A component that is larger than everything that clients may leave unread is sent all the same.
#[test]
fn a_large_component_passes_in_the_smallest_budget() {
    run(|executor| async move {
        let people: String = (0..40).map(|n| format!("X-A{n}:{}\r\n", "x".repeat(900))).collect();
        let exdates: String = (0..900)
            .map(|n| {
                format!(
                    "EXDATE;TZID=Europe/Berlin:2026{:02}{:02}T{:02}0000\r\n",
                    1 + n / 700,
                    1 + n / 24 % 28,
                    n % 24
                )
            })
            .collect();
        let feed = format!(
            "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nBEGIN:VEVENT\r\nUID:a\r\n\
             DTSTART;TZID=Europe/Berlin:20260101T000000\r\nRRULE:FREQ=HOURLY;COUNT=1000\r\n{people}{exdates}\
             SUMMARY:Large\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n"
        );
        let server = FeedServer::start(&executor, Script::new().ics("/a.ics", &feed));
        let folder = folder();
        let config =
            "memory_budget = \"8MiB\"\n".to_owned() + &toml(&[("a", server.url("/a.ics"))]);
        let rig = Rig::start(&executor, configure(folder.path(), &config));
        rig.refreshed(1).await;
        let answer = rig.get("/feeds/a.ics").await;
        assert_eq!(answer.status, 200);
        assert!(
            answer.body.contains("SUMMARY:Large") && answer.body.ends_with("END:VCALENDAR\r\n")
        );
    });
}

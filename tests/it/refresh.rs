//! Refreshing: when, what is written, and what happens when the server misbehaves.

use std::time::Duration;

use calendarbot::config::Config;
use rustix::fs::{CWD, FileType, Mode, mknodat};
use smol::future;
use tempfile::TempDir;

use crate::feed_server::{FeedServer, Reply, Script, Step, field, run};
use crate::rig::{NOW, Rig, configure, fed, folder, toml};
use crate::routes::WORK;

const INTERVAL: Duration = Duration::from_secs(300);
const DAILY: &str = "BEGIN:VEVENT\r\nUID:daily\r\nDTSTART:20260101T080000Z\r\n\
                     RRULE:FREQ=DAILY\r\nSUMMARY:Daily\r\nEND:VEVENT\r\n";

fn event(uid: &str, summary: &str) -> String {
    format!(
        "BEGIN:VEVENT\r\nUID:{uid}\r\nDTSTART:20260105T100000Z\r\nDTEND:20260105T110000Z\r\n\
         SUMMARY:{summary}\r\nEND:VEVENT\r\n"
    )
}

fn calendar(events: &str) -> String {
    format!("BEGIN:VCALENDAR\r\nVERSION:2.0\r\n{events}END:VCALENDAR\r\n")
}

#[test]
fn a_feed_is_asked_again_after_its_interval_with_its_tag() {
    run(|executor| async move {
        let script = Script::new().ics("/a.ics", WORK).etag("\"one\"");
        let server = FeedServer::start(&executor, script);
        let folder = folder();
        let rig =
            Rig::start(&executor, configure(folder.path(), &toml(&[("a", server.url("/a.ics"))])));
        rig.refreshed(1).await;
        rig.advance(INTERVAL - Duration::from_secs(1));
        for _ in 0..50 {
            future::yield_now().await;
        }
        assert_eq!(
            server.requests().len(),
            1,
            "{:?} {}",
            server.requests(),
            rig.get("/stats").await.body
        );
        rig.advance(Duration::from_secs(1));
        rig.refreshed(2).await;
        let requests = server.requests();
        assert_eq!(field(&requests[0], "if-none-match"), None);
        assert_eq!(field(&requests[1], "if-none-match"), Some("\"one\""));
        assert_eq!(rig.metrics.refreshes_unchanged.get(), 1);
    });
}

#[test]
fn what_changed_is_shown_and_what_is_gone_is_not() {
    run(|executor| async move {
        let script = Script::new()
            .ics("/a.ics", &calendar(&(event("one", "First") + &event("two", "Second"))))
            .ics(
                "/a.ics",
                &calendar(&(event("two", "Second, renamed") + &event("three", "Third"))),
            );
        let server = FeedServer::start(&executor, script);
        let folder = folder();
        let rig =
            Rig::start(&executor, configure(folder.path(), &toml(&[("a", server.url("/a.ics"))])));
        rig.refreshed(1).await;
        let before = rig.get("/api/v1/events").await.body;
        assert!(before.contains("\"First\"") && before.contains("\"Second\""));
        rig.advance(INTERVAL);
        rig.refreshed(2).await;
        let after = rig.get("/api/v1/events").await.body;
        assert!(!after.contains("\"First\"") && !after.contains("\"Second\""), "{after}");
        assert!(after.contains("\"Second, renamed\"") && after.contains("\"Third\""));
    });
}

#[test]
fn an_empty_calendar_is_a_valid_answer() {
    run(|executor| async move {
        let script = Script::new().ics("/a.ics", WORK).ics("/a.ics", &calendar(""));
        let server = FeedServer::start(&executor, script);
        let folder = folder();
        let rig =
            Rig::start(&executor, configure(folder.path(), &toml(&[("a", server.url("/a.ics"))])));
        rig.refreshed(1).await;
        rig.advance(INTERVAL);
        rig.refreshed(2).await;
        let answer = rig.get("/api/v1/next").await;
        assert_eq!((answer.json("next"), answer.json("stale")), ("null", "false"));
    });
}

/// Every answer that cannot be used leaves the old data in place, marked stale with the reason.
#[test]
fn a_bad_answer_changes_nothing_but_the_mark() {
    run(|executor| async move {
        let cut = &WORK[..WORK.len() / 2];
        let short = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{cut}", WORK.len());
        let two = format!(
            "HTTP/1.1 200 OK\r\nContent-Length: {0}\r\nContent-Length: {0}\r\n\r\n{WORK}",
            WORK.len()
        );
        let html = "<!DOCTYPE html><html><body>Log in</body></html>";
        let chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
        let cut_chunk = format!("{chunked}{:x}\r\n{cut}", WORK.len());
        let cases: [(Script, &str); 14] = [
            (Script::new().ics("/a.ics", html), "HTML"),
            (Script::new().ics("/a.ics", ""), "empty"),
            (Script::new().ics("/a.ics", cut), "END:VCALENDAR"),
            (Script::new().ics("/a.ics", "hello"), "BEGIN:VCALENDAR"),
            (Script::new().raw("/a.ics", short), "cut short"),
            (Script::new().raw("/a.ics", two), "Content-Length"),
            (Script::new().raw("/a.ics", cut_chunk), "cut short"),
            (Script::new().status("/a.ics", 204), "204"),
            (Script::new().status("/a.ics", 206), "206"),
            (Script::new().status("/a.ics", 304), "304"),
            (Script::new().status("/a.ics", 401), "401"),
            (Script::new().status("/a.ics", 404), "404"),
            (Script::new().status("/a.ics", 500), "500"),
            (Script::new().reply("/a.ics", Reply::new([Step::Reset])), ""),
        ];
        for (script, reason) in cases {
            let server = FeedServer::start(&executor, Script::new().ics("/a.ics", WORK));
            let folder = folder();
            let config = configure(folder.path(), &toml(&[("a", server.url("/a.ics"))]));
            let rig = Rig::start(&executor, config);
            rig.refreshed(1).await;
            server.set(script);
            rig.advance(INTERVAL);
            rig.failed(1).await;
            let answer = rig.get("/api/v1/next").await;
            assert_eq!((answer.status, answer.json("title")), (200, "Stand-up"), "{reason}");
            assert_eq!(answer.json("stale"), "true");
            assert_eq!(answer.json("as_of"), "2026-01-05T08:45:00+01:00");
            let error = rig.get("/api/v1/calendars").await.json("last_error").to_owned();
            assert!(error.contains(reason), "{reason}: {error}");
            let page = rig.get("/").await.body;
            assert!(page.contains("08:45"), "the page says how old it is");
            // It recovers by itself, within the hour.
            server.set(Script::new().ics("/a.ics", WORK));
            rig.advance(Duration::from_secs(6 * 3600));
            rig.refreshed(2).await;
            rig.until(|rig| {
                rig.feeds
                    .list()
                    .iter()
                    .all(|feed| feed.status(rig.clock.wall()).last_error.is_none())
            })
            .await;
        }
    });
}

#[test]
fn one_bad_event_is_skipped_counted_and_named() {
    run(|executor| async move {
        let bad = "BEGIN:VEVENT\r\nUID:broken\r\nDTSTART:tomorrow\r\nEND:VEVENT\r\n";
        let text = calendar(&(event("one", "First") + bad + &event("two", "Second")));
        let server = FeedServer::start(&executor, Script::new().ics("/a.ics", &text));
        let folder = folder();
        let rig =
            Rig::start(&executor, configure(folder.path(), &toml(&[("a", server.url("/a.ics"))])));
        rig.refreshed(1).await;
        let events = rig.get("/api/v1/events").await.body;
        assert!(events.contains("\"First\"") && events.contains("\"Second\""));
        let calendars = rig.get("/api/v1/calendars").await;
        assert_eq!((calendars.json("events"), calendars.json("skipped")), ("2", "1"));
        assert!(calendars.body.contains("broken"), "{}", calendars.body);
        assert_eq!(rig.metrics.components_skipped.get(), 1);
    });
}

#[test]
fn gone_is_not_asked_again_until_somebody_wants_it() {
    run(|executor| async move {
        let server = FeedServer::start(&executor, Script::new().status("/a.ics", 410));
        let folder = folder();
        let rig =
            Rig::start(&executor, configure(folder.path(), &toml(&[("a", server.url("/a.ics"))])));
        rig.failed(1).await;
        for _ in 0..48 {
            rig.advance(Duration::from_secs(1800));
            for _ in 0..50 {
                future::yield_now().await;
            }
        }
        assert_eq!(server.requests().len(), 1);
        rig.feeds.nudge_all();
        rig.failed(2).await;
        assert_eq!(server.requests().len(), 2);
    });
}

#[test]
fn one_stalled_feed_holds_up_nobody() {
    run(|executor| async move {
        let script =
            Script::new().reply("/slow.ics", Reply::new([Step::Stall])).ics("/fast.ics", WORK);
        let server = FeedServer::start(&executor, script);
        let folder = folder();
        let feeds = [("slow", server.url("/slow.ics")), ("fast", server.url("/fast.ics"))];
        let rig = Rig::start(&executor, configure(folder.path(), &toml(&feeds)));
        server.stalled(1).await;
        rig.refreshed(1).await;
        let answer = rig.get("/api/v1/next").await;
        assert_eq!((answer.status, answer.json("title")), (200, "Stand-up"));
        assert_eq!(rig.clock.now().as_secs(), 0, "nothing waited for a deadline");
    });
}

#[test]
fn several_feeds_are_shown_together() {
    run(|executor| async move {
        let script = Script::new()
            .ics("/a.ics", &calendar(&event("one", "Mine")))
            .ics("/b.ics", &calendar(&event("two", "Yours")));
        let server = FeedServer::start(&executor, script);
        let folder = folder();
        let feeds = [("a", server.url("/a.ics")), ("b", server.url("/b.ics"))];
        let rig = Rig::start(&executor, configure(folder.path(), &toml(&feeds)));
        rig.refreshed(2).await;
        let events = rig.get("/api/v1/events").await.body;
        assert!(events.contains("\"Mine\"") && events.contains("\"Yours\""), "{events}");
        let one = rig.get("/api/v1/events?calendar=b").await.body;
        assert!(!one.contains("\"Mine\"") && one.contains("\"Yours\""), "{one}");
    });
}

#[test]
fn a_reload_takes_over_feeds_and_zone_and_keeps_connections() {
    run(|executor| async move {
        let script = Script::new()
            .ics("/a.ics", &calendar(&event("one", "Mine")))
            .ics("/b.ics", &calendar(&event("two", "Yours")));
        let server = FeedServer::start(&executor, script);
        let folder = folder();
        let first = configure(folder.path(), &toml(&[("a", server.url("/a.ics"))]));
        let rig = Rig::start(&executor, first);
        rig.refreshed(1).await;
        let mut client = rig.connect().await;
        let get = b"GET /api/v1/next HTTP/1.1\r\nHost: localhost\r\n\r\n";
        client.send(get).await;
        assert_eq!(client.response().await.expect("an answer").json("title"), "Mine");
        let text = toml(&[("b", server.url("/b.ics"))]).replace("Europe/Berlin", "Asia/Tokyo");
        rig.reload(configure(folder.path(), &text)).await;
        rig.refreshed(2).await;
        client.send(get).await;
        let answer = client.response().await.expect("the same connection");
        assert_eq!((answer.json("title"), answer.json("zone")), ("Yours", "Asia/Tokyo"));
    });
}

#[test]
fn the_day_turns_without_a_refetch() {
    run(|executor| async move {
        let script = Script::new().ics("/a.ics", &calendar(DAILY)).status("/a.ics", 503);
        let server = FeedServer::start(&executor, script);
        let folder = folder();
        let rig =
            Rig::start(&executor, configure(folder.path(), &toml(&[("a", server.url("/a.ics"))])));
        rig.refreshed(1).await;
        let far = "/api/v1/events?from=2026-03-10&to=2026-03-11";
        assert!(!rig.get(far).await.body.contains("Daily"), "outside the window of 60 days");
        for _ in 0..10 {
            let commits = rig.metrics.database_commits.get();
            rig.advance(Duration::from_secs(24 * 3600));
            rig.counted(|metrics| &metrics.database_commits, commits + 1).await;
        }
        rig.advance(Duration::from_secs(3601));
        let answer = || async { rig.get(far).await.body };
        let mut body = answer().await;
        for _ in 0..1000 {
            if body.contains("Daily") {
                break;
            }
            future::yield_now().await;
            body = answer().await;
        }
        assert!(body.contains("Daily"), "the window has moved: {body}");
        assert_eq!(rig.metrics.refreshes.get(), 1);
    });
}

/// A Pi has no battery: it starts in 1970, and learns the time when the network is back.
#[test]
fn nothing_expires_before_the_clock_is_set() {
    run(|executor| async move {
        let script = Script::new().ics("/a.ics", &calendar(DAILY));
        let (rig, server, config, _folder) = fed(&executor, script.clone()).await;
        rig.stop().await;
        for (case, status) in [("no network", 503), ("nothing new", 304), ("fetched", 200)] {
            server.set(if status == 200 {
                script.clone()
            } else {
                Script::new().status("/a.ics", status)
            });
            let rig = Rig::start_at(&executor, config.clone(), "1970-01-01T00:00:09Z");
            rig.until(|rig| rig.metrics.refreshes.get() + rig.metrics.refreshes_failed.get() == 1)
                .await;
            let path = "/api/v1/events?from=2026-02-01T00:00:00Z&to=2026-02-02T00:00:00Z";
            assert!(rig.get(path).await.body.contains("Daily"), "{case}");
            let generation = rig.feeds.generation();
            rig.clock.set_wall(NOW.parse().expect("a time"));
            rig.until(|rig| rig.feeds.generation() > generation).await;
            let next = rig.get("/api/v1/next").await;
            assert_eq!(next.json("title"), "Daily", "{case}");
            assert_eq!(next.json("now"), NOW, "{case}");
            rig.stop().await;
        }
    });
}

/// A success of a time that has not come yet would look fresh until it has. Nobody knows how old
/// the data is, so its age counts from the start, or from the moment when the clock was set back.
#[test]
fn an_age_from_the_future_counts_from_now() {
    run(|executor| async move {
        let (mut rig, server, config, _folder) =
            fed(&executor, Script::new().ics("/a.ics", WORK)).await;
        server.set(Script::new().status("/a.ics", 503));
        let before = "2026-01-02T08:45:00+01:00";
        for restart in [true, false] {
            if restart {
                rig.stop().await;
                rig = Rig::start_at(&executor, config.clone(), before);
                rig.failed(1).await;
            } else {
                rig.clock.set_wall(before.parse().expect("a time"));
                rig.failed(2).await;
            }
            let calendars = rig.get("/api/v1/calendars").await;
            assert_eq!(calendars.json("last_success"), before, "{restart}");
            assert_eq!(calendars.json("age_seconds"), "0", "{restart}");
            rig.advance(4 * INTERVAL);
            let list = rig.feeds.list();
            assert!(list[0].status(rig.clock.wall()).stale);
        }
    });
}

/// A program that was off for a season, and one whose clock the network sets after the start, move
/// their windows although the server has nothing new, or nothing at all.
#[test]
fn the_window_follows_a_clock_that_jumps() {
    run(|executor| async move {
        let cases =
            [("off, then 304", true, 304), ("off, then 503", true, 503), ("set", false, 304)];
        for (case, is_off, status) in cases {
            let script = Script::new().ics("/a.ics", &calendar(DAILY)).etag("\"one\"");
            let server = FeedServer::start(&executor, script);
            let folder = folder();
            let config = configure(folder.path(), &toml(&[("a", server.url("/a.ics"))]));
            let mut rig = Rig::start(&executor, config.clone());
            rig.refreshed(1).await;
            server.set(Script::new().status("/a.ics", status));
            if is_off {
                rig.stop().await;
                rig = Rig::start_at(&executor, config, "2026-04-05T08:50:00+02:00");
            } else {
                rig.clock.set_wall("2026-04-05T08:45:00+02:00".parse().expect("a time"));
                rig.advance(INTERVAL);
            }
            let attempts =
                |rig: &Rig| rig.metrics.refreshes.get() + rig.metrics.refreshes_failed.get();
            let wanted = if is_off { 1 } else { 2 };
            rig.until(|rig| attempts(rig) == wanted).await;
            assert_eq!(rig.get("/api/v1/next").await.json("title"), "Daily", "{case}");
        }
    });
}

#[test]
fn a_connection_is_kept_for_half_a_minute_and_not_at_all_without_pooling() {
    run(|executor| async move {
        for (flag, kept) in [("true", 1), ("false", 0)] {
            let server = FeedServer::start(&executor, Script::new().ics("/a.ics", WORK));
            let folder = folder();
            // So small a budget refreshes one feed after the other.
            let text = "memory_budget = \"12MiB\"\n".to_owned()
                + &toml(&[("a", server.url("/a.ics")), ("b", server.url("/a.ics"))])
                + &format!("[flags]\nconnection_pooling = {flag}\n");
            let rig = Rig::start(&executor, configure(folder.path(), &text));
            rig.refreshed(2).await;
            assert_eq!(rig.metrics.outbound_reused.get(), kept);
            server.closed(server.connections() - kept as usize).await;
            rig.advance(Duration::from_secs(30));
            server.closed(server.connections()).await;
        }
    });
}

/// Opening or reading one of these could wait for somebody who never comes, and all would wait.
#[test]
fn only_a_regular_file_is_read() {
    run(|executor| async move {
        let folder = folder();
        let path = |name: &str| folder.path().join(name).display().to_string();
        let (fifo, directory) = (path("fifo"), path("directory"));
        let mode = Mode::RUSR | Mode::WUSR;
        mknodat(CWD, &fifo, FileType::Fifo, mode, 0).expect("a FIFO");
        std::fs::create_dir(&directory).expect("a directory");
        for file in [fifo, directory, "/dev/zero".to_owned()] {
            let text = format!("[[feeds]]\nname = \"a\"\nfile = \"{file}\"\n");
            let rig = Rig::start(&executor, configure(folder.path(), &text));
            rig.failed(1).await;
            let error = rig.feeds.list()[0].status(rig.clock.wall()).last_error;
            assert_eq!(error.as_deref(), Some("its file is not a regular file"), "{file}");
            rig.stop().await;
        }
    });
}

/// What asks for a refresh: each of these can be had in any number.
async fn wish(rig: &Rig, config: &Config, is_reload: bool) {
    if is_reload {
        rig.reload(config.clone()).await;
    } else {
        let post = "POST /api/v1/refresh HTTP/1.1\r\nHost: localhost\r\n\
                    Content-Type: application/json\r\nContent-Length: 0\r\n\r\n";
        assert_eq!(rig.ask(post).await.status, 202);
    }
    for _ in 0..100 {
        future::yield_now().await;
    }
}

#[test]
fn no_wish_comes_before_the_server_lets_it() {
    run(|executor| async move {
        let too_many = || Reply::answer(429, &[("Retry-After", "3600")], "");
        let unavailable = || Reply::answer(503, &[], "");
        let cases =
            [(too_many(), false, 3600), (too_many(), true, 3600), (unavailable(), false, 30)];
        for (reply, is_reload, wait) in cases {
            let server = FeedServer::start(&executor, Script::new().reply("/a.ics", reply));
            let folder = folder();
            let config = configure(folder.path(), &toml(&[("a", server.url("/a.ics"))]));
            let rig = Rig::start(&executor, config.clone());
            rig.failed(1).await;
            for _ in 0..10 {
                wish(&rig, &config, is_reload).await;
            }
            assert_eq!(server.requests().len(), 1, "at once");
            rig.advance(Duration::from_secs(wait));
            // A reload would break off the attempt that is due now by itself.
            rig.feeds.nudge_all();
            rig.failed(2).await;
            wish(&rig, &config, is_reload).await;
            assert_eq!(server.requests().len(), 2, "after {wait} s");
        }
    });
}

/// The age that is on disk belongs to the data beside it, whenever the power goes: it is written
/// with every change, and with the window when nothing else changes.
#[test]
fn what_survives_a_power_cut_knows_its_age() {
    run(|executor| async move {
        let [before, after] = ["First", "Second"].map(|title| calendar(&event(title, title)));
        let changed = Script::new().ics("/a.ics", &after);
        let unchanged = Script::new().ics("/a.ics", &before).etag("\"one\"");
        let day = Duration::from_secs(24 * 3600);
        for (script, further, title) in
            [(changed, vec![], "Second"), (unchanged, vec![day], "First")]
        {
            let first = Script::new().ics("/a.ics", &before).etag("\"one\"");
            let server = FeedServer::start(&executor, first);
            let folders = [folder(), folder()];
            let [alive, cut] = [&folders[0], &folders[1]].map(TempDir::path);
            let feeds = toml(&[("a", server.url("/a.ics"))]);
            let rig = Rig::start(&executor, configure(alive, &feeds));
            rig.refreshed(1).await;
            server.set(script);
            for (span, refreshes) in [INTERVAL].into_iter().chain(further).zip(2..) {
                rig.advance(span);
                rig.refreshed(refreshes).await;
            }
            for name in ["calendarbot.db", "calendarbot.db-wal"] {
                std::fs::copy(alive.join(name), cut.join(name)).expect("what is on disk");
            }
            server.set(Script::new().reply("/a.ics", Reply::new([Step::Stall])));
            let later = "2026-01-05T08:50:00+01:00";
            let rig = Rig::start_at(&executor, configure(cut, &feeds), later);
            let answer = rig.get("/api/v1/next").await;
            assert_eq!(answer.json("title"), title);
            assert_eq!(answer.json("as_of"), later, "{title}");
        }
    });
}

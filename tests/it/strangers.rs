//! What a stranger can do to the events of others: somebody who sends invitations into a calendar,
//! or a server that answers oddly.

use std::time::Duration;

use calendarbot::budget::FeedLimits;

use crate::feed_server::{FeedServer, Reply, Script, Step, run};
use crate::publish::publish_in_turn;
use crate::rig::{NOW, Rig, configure, fed, folder, toml};
use crate::routes::WORK;
use crate::storage::image;

const INTERVAL: Duration = Duration::from_secs(300);

fn event(uid: &str, lines: &[&str]) -> String {
    format!("BEGIN:VEVENT\r\nUID:{uid}\r\n{}\r\nEND:VEVENT\r\n", lines.join("\r\n"))
}

fn calendar(events: &[String]) -> String {
    format!("BEGIN:VCALENDAR\r\nVERSION:2.0\r\n{}END:VCALENDAR\r\n", events.concat())
}

/// Two instances of one override, with the same number and the same start, that end an hour apart:
/// one of a zone and one of no zone, of which the override moves the second into a gap.
#[test]
fn one_odd_series_does_not_keep_the_feed_from_being_published() {
    run(|executor| async move {
        let daily = ["DTSTART;TZID=Europe/Berlin:20260320T033000", "RRULE:FREQ=DAILY;COUNT=20"];
        let moved = [
            "DTSTART;TZID=Europe/Berlin:20260321T033000",
            "DURATION:P1D",
            "RECURRENCE-ID;RANGE=THISANDFUTURE;TZID=Europe/Berlin:20260320T033000",
        ];
        let floating = ["DTSTART:20260328T023000", "RRULE:FREQ=DAILY;COUNT=1"];
        let good = ["DTSTART:20260320T190000Z", "SUMMARY:Good"];
        let odd = [event("odd", &daily), event("odd", &moved), event("odd", &floating)];
        let text = calendar(&[&odd[..], &[event("good", &good)]].concat());
        let server = FeedServer::start(&executor, Script::new().ics("/a.ics", &text));
        let folder = folder();
        let config = configure(folder.path(), &toml(&[("a", server.url("/a.ics"))]));
        let rig = Rig::start_at(&executor, config, "2026-03-20T08:45:00+01:00");
        rig.until(|rig| rig.metrics.refreshes.get() + rig.metrics.refreshes_failed.get() > 0).await;
        let told = rig.get("/api/v1/calendars").await;
        assert_eq!(told.json("last_error"), "null", "{}", told.body);
        let events = rig.get("/api/v1/events?to=2026-03-30").await.body;
        assert!(events.contains("\"title\":\"Good\""), "{events}");
    });
}

/// Whatever else is new about an answer: as long as its events are the same, the card is spared.
#[test]
fn nothing_but_events_is_worth_a_write() {
    run(|executor| async move {
        let tagged = (1..=4).fold(Script::new(), |script, number| {
            script.ics("/a.ics", WORK).etag(&format!("\"{number}\""))
        });
        let odd = calendar(&[
            event("cut", &["DTSTART:20260105T090000Z", "RRULE:FREQ=SECONDLY", "SUMMARY:Tick"]),
            event("guessed", &["DTSTART;TZID=Nowhere:20260105T090000", "SUMMARY:Guessed"]),
            event("skipped", &["DTSTART:soon", "SUMMARY:Skipped"]),
        ]);
        for (case, script, now) in [
            ("new validators", tagged, NOW),
            (
                "nobody knows what time it is",
                Script::new().ics("/a.ics", WORK),
                "1970-01-01T00:00:09Z",
            ),
            ("things to warn of", Script::new().ics("/a.ics", &odd), NOW),
        ] {
            let server = FeedServer::start(&executor, script);
            let folder = folder();
            let config = configure(folder.path(), &toml(&[("a", server.url("/a.ics"))]));
            let rig = Rig::start_at(&executor, config, now);
            rig.refreshed(1).await;
            let before = image(folder.path());
            for refresh in 2..=4 {
                rig.advance(INTERVAL);
                rig.refreshed(refresh).await;
            }
            assert_eq!(rig.metrics.refreshes_unchanged.get(), 3, "{case}");
            assert!(before == image(folder.path()), "{case}: the files are not the same");
            rig.stop().await;
        }
    });
}

/// A Pi that does not know the time yet fetches something new: how old the data is at most is known
/// all the same, and the next start has something to show.
#[test]
fn a_refresh_before_the_clock_is_set_takes_no_age_away() {
    run(|executor| async move {
        let first = Script::new().ics("/a.ics", WORK).etag("\"1\"");
        let (rig, server, config, _folder) = fed(&executor, first).await;
        rig.stop().await;
        let renamed = WORK.replace("Stand-up", "Sit-down");
        server.set(Script::new().ics("/a.ics", &renamed).etag("\"2\""));
        let rig = Rig::start_at(&executor, config.clone(), "1970-01-01T00:00:09Z");
        rig.refreshed(1).await;
        rig.stop().await;
        server.set(Script::new().reply("/a.ics", Reply::new([Step::Stall])));
        let rig = Rig::start_at(&executor, config, "2026-01-05T08:50:00+01:00");
        let answer = rig.get("/api/v1/next").await;
        assert_eq!((answer.status, answer.json("title")), (200, "Sit-down"));
        assert_eq!(answer.json("as_of"), NOW);
    });
}

/// A feed that is too much and changes at each refresh says so once.
#[test]
fn what_is_too_much_is_said_once() {
    let tick = |uid: &'static str, number: u32| {
        let rule = "RRULE:FREQ=DAILY;COUNT=20";
        (uid, format!("UID:{uid}\nDTSTART:20260105T10{number:02}00Z\n{rule}\n"))
    };
    let turns = (0..6).map(|number| vec![tick("a", 0), tick("b", 0), tick("c", number)]);
    let limits = FeedLimits { feed_occurrences_max: 25, ..FeedLimits::default() };
    let (published, _) = publish_in_turn(turns.collect(), limits);
    let (last, series) = published.warnings.split_last().expect("warnings");
    assert_eq!(last, "3 series are incomplete: the feed is too much");
    assert_eq!(series.len(), 3, "{:?}", published.warnings);
}

/// Everybody who is invited knows the UID, and could look for it.
#[test]
fn the_uid_of_a_private_event_is_told_to_nobody() {
    run(|executor| async move {
        let unknown = "DTSTART;TZID=Nowhere:20260105T090000";
        let text = calendar(&[
            event("canary-1", &[unknown, "CLASS:PRIVATE"]),
            event("canary-2", &["DTSTART:soon", "CLASS:CONFIDENTIAL"]),
            event("canary-3", &["DTSTART:20260105T090000Z", "RRULE:FREQ=SECONDLY", "CLASS:X-MINE"]),
            event("open", &[unknown, "CLASS:PUBLIC"]),
        ]);
        let server = FeedServer::start(&executor, Script::new().ics("/a.ics", &text));
        let folder = folder();
        let config = configure(folder.path(), &toml(&[("a", server.url("/a.ics"))]));
        let mut rig = Rig::start(&executor, config.clone());
        rig.refreshed(1).await;
        for is_fresh in [true, false] {
            let told = rig.get("/api/v1/calendars").await.body;
            assert!(!told.contains("canary"), "{told}");
            for told_of in [
                ", a private event: DTSTART `soon`",
                "\"a private event: TZID `Nowhere`",
                "\"a private event: more than 5000 occurrences",
                "\"open: TZID `Nowhere`",
            ] {
                assert!(told.contains(told_of), "{told_of}: {told}");
            }
            if is_fresh {
                rig.stop().await;
                server.set(Script::new().status("/a.ics", 503));
                rig = Rig::start(&executor, config.clone());
            }
        }
    });
}

//! What is read for one answer: what is shown, as much as is asked for, and no more than fits.

use std::rc::Rc;

use calendarbot::alloc;
use smol::LocalExecutor;

use crate::feed_server::{FeedServer, Script, run};
use crate::rig::{Response, Rig, configure, folder, toml};

fn event(uid: &str, lines: &[&str]) -> String {
    format!("BEGIN:VEVENT\r\nUID:{uid}\r\n{}\r\nEND:VEVENT\r\n", lines.join("\r\n"))
}

/// So many events that differ in their UID.
fn events(count: usize, lines: &[&str]) -> String {
    (0..count).map(|number| event(&format!("event-{number}"), lines)).collect()
}

/// A program that has read a calendar with these events.
async fn with(
    executor: &Rc<LocalExecutor<'static>>,
    events: &str,
) -> (Rig, FeedServer, tempfile::TempDir) {
    let calendar = format!("BEGIN:VCALENDAR\r\nVERSION:2.0\r\n{events}END:VCALENDAR\r\n");
    let server = FeedServer::start(executor, Script::new().ics("/a.ics", &calendar));
    let folder = folder();
    let config = configure(folder.path(), &toml(&[("a", server.url("/a.ics"))]));
    let rig = Rig::start(executor, config);
    rig.refreshed(1).await;
    (rig, server, folder)
}

fn titles(answer: &Response) -> Vec<&str> {
    let mut parts = answer.body.split("\"title\":\"");
    parts.next();
    parts.filter_map(|part| part.split('"').next()).collect()
}

#[test]
fn what_nobody_sees_leaves_room_for_what_is_shown() {
    run(|executor| async move {
        for mark in ["TRANSP:TRANSPARENT", "X-OUTLOOK-DELETED:TRUE"] {
            let hidden = ["DTSTART:20260104T000000Z", "RRULE:FREQ=MINUTELY", "SUMMARY:x", mark];
            let calendar = event("hidden", &hidden)
                + &event("one", &["DTSTART:20260107T150000Z", "SUMMARY:One"])
                + &event("two", &["DTSTART:20260120T150000Z", "SUMMARY:Two"]);
            let (rig, _server, _folder) = with(&executor, &calendar).await;
            let answer = rig.get("/api/v1/next").await;
            assert_eq!(titles(&answer), ["One", "Two"], "{mark}: {}", answer.body);
            assert_eq!(answer.json("truncated"), "false", "{mark}");
            rig.stop().await;
        }
    });
}

#[test]
fn a_hidden_override_still_takes_the_place_of_its_instance() {
    run(|executor| async move {
        let rule = "RRULE:FREQ=DAILY;COUNT=3";
        let instance = ["RECURRENCE-ID:20260106T100000Z", "DTSTART:20260106T110000Z"];
        let calendar = event("daily", &["DTSTART:20260105T100000Z", rule, "SUMMARY:Daily"])
            + &event("daily", &[instance[0], instance[1], "TRANSP:TRANSPARENT", "SUMMARY:Off"]);
        let (rig, _server, _folder) = with(&executor, &calendar).await;
        let answer = rig.get("/api/v1/events").await;
        assert_eq!(titles(&answer), ["Daily", "Daily"], "{}", answer.body);
        assert!(!answer.body.contains("\"start\":\"2026-01-06"), "{}", answer.body);
    });
}

#[test]
fn next_says_when_the_server_holds_no_more() {
    run(|executor| async move {
        let every_minute = ["DTSTART:20260105T080000Z", "RRULE:FREQ=MINUTELY", "SUMMARY:Tick"];
        let (rig, _server, _folder) = with(&executor, &event("tick", &every_minute)).await;
        for (limit, truncated) in [(5, "false"), (2000, "true")] {
            let answer = rig.get(&format!("/api/v1/next?limit={limit}")).await;
            assert_eq!(answer.json("truncated"), truncated, "{limit}");
        }
    });
    for (days, is_known) in [(100, true), (450, false)] {
        run(move |executor| async move {
            let later = events(days, &["DTSTART;VALUE=DATE:20260106", "SUMMARY:Fair"]);
            let meeting = event("meeting", &["DTSTART:20260107T100000Z", "SUMMARY:Meeting"]);
            let (rig, _server, _folder) = with(&executor, &(later + &meeting)).await;
            let answer = rig.get("/api/v1/next").await;
            assert_eq!(answer.body.contains("\"next\":null"), !is_known, "{days}");
            assert_eq!(answer.json("truncated"), (!is_known).to_string(), "{days}");
        });
    }
}

/// They are read in UTC's order: in Los Angeles tomorrow's days come before this evening's meeting.
#[test]
fn days_of_tomorrow_do_not_hide_what_is_next() {
    run(|executor| async move {
        let days = events(40, &["DTSTART;VALUE=DATE:20260106", "SUMMARY:Fair"]);
        let floating = event("floating", &["DTSTART:20260105T235400", "SUMMARY:Late"]);
        let meeting = event("meeting", &["DTSTART:20260106T010000Z", "SUMMARY:Meeting"]);
        let (rig, _server, _folder) = with(&executor, &(days + &floating + &meeting)).await;
        let answer = rig.get("/api/v1/next?tz=America/Los_Angeles").await;
        assert!(answer.body.contains("\"next\":{\"id\":\"meeting\""), "{}", answer.body);
    });
}

/// A date is stored as if it were UTC's; Berlin is an hour ahead.
#[test]
fn dates_outside_the_window_take_no_place_in_it() {
    run(|executor| async move {
        let yesterday = events(2, &["DTSTART;VALUE=DATE:20260104", "SUMMARY:Yesterday"]);
        let meeting = ["DTSTART:20260105T100000Z", "DTEND:20260105T110000Z", "SUMMARY:Today"];
        let calendar = yesterday + &event("meeting", &meeting);
        let (rig, _server, _folder) = with(&executor, &calendar).await;
        for (query, titled) in [
            ("limit=1", &["Today"][..]),
            ("limit=1&from=2026-01-04", &["Yesterday"]),
            ("limit=1&from=2026-01-05&to=2026-01-06", &["Today"]),
            ("limit=1&from=2026-01-06", &[]),
        ] {
            let answer = rig.get(&format!("/api/v1/events?{query}")).await;
            assert_eq!(titles(&answer), titled, "{query}: {}", answer.body);
        }
    });
}

#[test]
fn the_day_is_done_whatever_else_was_on_it() {
    let early = ["DTSTART:20260105T060000Z", "DTEND:20260105T063000Z", "SUMMARY:Early"];
    let running = ["DTSTART:20260105T073000Z", "DTEND:20260105T080000Z", "SUMMARY:Running"];
    let night = ["DTSTART:20260104T200000Z", "DTEND:20260104T230000Z", "SUMMARY:Night"];
    let birthdays = events(20, &["DTSTART;VALUE=DATE:20260105", "SUMMARY:Birthday"]);
    let yesterdays = events(20, &["DTSTART:20260104T090000Z", "DTEND:20260104T100000Z"]);
    let (early, running) = (event("early", &early), event("running", &running));
    let night = event("night", &night);
    run(move |executor| async move {
        for (calendar, done) in [
            (birthdays.clone() + &early, "true"),
            (yesterdays + &early, "true"),
            (early + &running, "false"),
            (birthdays, "false"),
            (night, "false"),
        ] {
            let (rig, _server, _folder) = with(&executor, &calendar).await;
            let answer = rig.get("/api/v1/next").await;
            assert_eq!(answer.json("done_for_today"), done, "{calendar}: {}", answer.body);
            rig.stop().await;
        }
    });
}

#[test]
fn an_answer_is_bounded_in_bytes() {
    let guests: Vec<String> = (0..50)
        .map(|number| format!("ATTENDEE;CN={}:mailto:{number}@example.org", "n".repeat(400)))
        .collect();
    let guests: Vec<&str> = guests.iter().map(String::as_str).collect();
    let start = "DTSTART:20260105T080000Z";
    let series = event("tick", &[&[start, "RRULE:FREQ=MINUTELY", "SUMMARY:T"], &*guests].concat());
    let single = events(400, &[&[start, "SUMMARY:S"], &*guests].concat());
    for (calendar, shown) in [(series, 300..=400), (single, 5..=100)] {
        run(move |executor| async move {
            let (rig, _server, _folder) = with(&executor, &calendar).await;
            alloc::restart_peak();
            let before = alloc::used_bytes();
            let answer = rig.get("/api/v1/events?limit=400").await;
            let used = alloc::peak_bytes() - before;
            assert!(used < 2 << 20, "{used} bytes");
            assert!(shown.contains(&titles(&answer).len()), "{}", titles(&answer).len());
            assert_eq!(answer.json("truncated"), "true");
            rig.stop().await;
        });
    }
}

/// All of them would have to be looked at for each answer: the loop waits for that.
#[test]
fn a_flood_that_is_over_is_passed_over() {
    run(|executor| async move {
        let flood = ["DTSTART:20260104T000000Z", "RRULE:FREQ=SECONDLY", "SUMMARY:Flood"];
        let good = event("good", &["DTSTART:20260105T190000Z", "SUMMARY:Good"]);
        for (floods, truncated) in [(1, "false"), (5, "true")] {
            let calendar = events(floods, &flood) + &good;
            let (rig, _server, _folder) = with(&executor, &calendar).await;
            let answer = rig.get("/api/v1/next").await;
            assert_eq!((answer.json("title"), answer.json("truncated")), ("Good", truncated));
            rig.stop().await;
        }
    });
}

/// Who asks for one calendar does not wait for the rows of another; who asks for all does.
#[test]
fn a_flood_in_another_calendar_is_passed_by() {
    let flood = ["DTSTART:20260105T080000Z", "RRULE:FREQ=SECONDLY", "SUMMARY:Flood"];
    let good = event("good", &["DTSTART:20260105T190000Z", "SUMMARY:Good"]);
    run(move |executor| async move {
        let wrap = |events: &str| format!("BEGIN:VCALENDAR\r\n{events}END:VCALENDAR\r\n");
        let floods = wrap(&events(5, &flood));
        let script = Script::new().ics("/a.ics", &wrap(&good)).ics("/b.ics", &floods);
        let server = FeedServer::start(&executor, script);
        let folder = folder();
        let feeds = toml(&[("a", server.url("/a.ics")), ("b", server.url("/b.ics"))]);
        let rig = Rig::start(&executor, configure(folder.path(), &feeds));
        rig.refreshed(2).await;
        for (query, titled, truncated) in [
            ("calendar=a&limit=400", "Good", "false"),
            ("calendar=b&limit=400", "Flood", "true"),
            ("limit=400", "Flood", "true"),
        ] {
            let answer = rig.get(&format!("/api/v1/events?{query}")).await;
            let told = (titles(&answer)[0], answer.json("truncated"));
            assert_eq!(told, (titled, truncated), "{query}");
        }
    });
}

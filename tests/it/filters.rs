//! What the owner of a feed wants to see of it, and what nobody is to see: patterns, declined
//! invitations, one meeting in two calendars, private events, series that are cut short.

use std::rc::Rc;
use std::time::Duration;

use calendarbot::budget::FeedLimits;
use smol::LocalExecutor;
use tempfile::TempDir;

use crate::feed_server::{FeedServer, Script, run};
use crate::process::{self, Process};
use crate::publish::publish_in_turn;
use crate::rig::{Response, Rig, configure, folder, toml};

fn event(uid: &str, lines: &[&str]) -> String {
    format!("BEGIN:VEVENT\r\nUID:{uid}\r\n{}\r\nEND:VEVENT\r\n", lines.join("\r\n"))
}

fn calendar(events: &[String]) -> String {
    format!("BEGIN:VCALENDAR\r\nVERSION:2.0\r\n{}END:VCALENDAR\r\n", events.concat())
}

/// An hour at this time of the day.
fn meeting(uid: &str, hour: u32, title: &str) -> String {
    let (start, end) = (format!("DTSTART:20260105T{hour:02}0000Z"), "DURATION:PT1H");
    event(uid, &[&start, end, &format!("SUMMARY:{title}")])
}

/// Everything that follows `"name":"` in an answer, up to the next quote.
fn texts<'a>(answer: &'a Response, name: &str) -> Vec<&'a str> {
    let key = format!("\"{name}\":\"");
    answer.body.split(&key).skip(1).filter_map(|part| part.split('"').next()).collect()
}

/// A program that has read a calendar `work` and a calendar `home`.
async fn with_two(
    executor: &Rc<LocalExecutor<'static>>,
    work: &[String],
    home: &[String],
    keys: &str,
) -> (Rig, FeedServer, TempDir) {
    let script = Script::new().ics("/work.ics", &calendar(work)).ics("/home.ics", &calendar(home));
    let server = FeedServer::start(executor, script);
    let folder = folder();
    let feeds = [("work", server.url("/work.ics")), ("home", server.url("/home.ics"))];
    let rig = Rig::start(executor, configure(folder.path(), &(toml(&feeds) + keys)));
    rig.refreshed(2).await;
    (rig, server, folder)
}

/// A reload changes what is shown with the next answer, and fetches nothing for it.
#[test]
fn a_reload_changes_the_filter_at_once() {
    run(|executor| async move {
        let me = "ATTENDEE;CN=Ann;PARTSTAT=DECLINED:mailto:Ann@example.org";
        let you = "ATTENDEE;PARTSTAT=DECLINED:mailto:bob@example.org";
        let party = ["DTSTART:20260105T180000Z", "SUMMARY:Party", me];
        let daily = "RRULE:FREQ=DAILY;COUNT=2";
        let dinner = ["DTSTART:20260105T190000Z", daily, "SUMMARY:Dinner", you];
        let instance = ["RECURRENCE-ID:20260106T190000Z", "DTSTART:20260106T200000Z"];
        let work = calendar(&[
            meeting("lunch", 11, "Lunch with Ada"),
            meeting("focus", 13, "Focus  time"),
            meeting("team", 15, "Team lunch"),
            event("party", &party),
            event("dinner", &dinner),
            event("dinner", &[instance[0], instance[1], "SUMMARY:Late dinner", me]),
        ]);
        let server = FeedServer::start(&executor, Script::new().ics("/work.ics", &work));
        let folder = folder();
        let text = toml(&[("work", server.url("/work.ics"))]);
        let rig = Rig::start(&executor, configure(folder.path(), &text));
        rig.refreshed(1).await;
        let all = "Lunch with Ada, Focus  time, Team lunch, Party, Dinner, Late dinner";
        for (top, keys, shown) in [
            ("", "", all),
            ("", "exclude = ['^Lunch', 'FOCUS TIME']", "Team lunch, Party, Dinner, Late dinner"),
            ("", "include = ['lunch']", "Lunch with Ada, Team lunch"),
            (
                "",
                "include = ['lunch', 'dinner$']\nexclude = ['^team', 'late']",
                "Lunch with Ada, Dinner",
            ),
            ("", "include = ['nothing']", ""),
            ("", "me = ['ANN@example.org']", "Lunch with Ada, Focus  time, Team lunch, Dinner"),
            ("me = ['ann@example.org']", "exclude = ['u']", "Dinner"),
            ("me = ['ann@example.org']", "show_declined = true", all),
            ("", "me = ['bob@example.org']", &all.replace("Dinner, ", "")),
            ("", "", all),
        ] {
            let before = rig.feeds.generation();
            let text = format!("{top}\n{text}{keys}\n");
            rig.reload(configure(folder.path(), &text)).await;
            rig.until(|rig| rig.feeds.generation() > before).await;
            let answer = rig.get("/api/v1/events?limit=6").await;
            assert_eq!(texts(&answer, "title").join(", "), shown, "{top} {keys}");
            assert_eq!(answer.json("truncated"), "false", "{top} {keys}");
        }
        assert_eq!(server.requests().len(), 1);
    });
}

#[test]
fn what_is_filtered_takes_no_place() {
    run(|executor| async move {
        let tick =
            event("tick", &["DTSTART:20260104T000000Z", "RRULE:FREQ=MINUTELY", "SUMMARY:Tick"]);
        let work = calendar(&[tick, meeting("one", 15, "One"), meeting("two", 17, "Two")]);
        let server = FeedServer::start(&executor, Script::new().ics("/work.ics", &work));
        let folder = folder();
        let text = toml(&[("work", server.url("/work.ics"))]) + "exclude = ['tick']\n";
        let rig = Rig::start(&executor, configure(folder.path(), &text));
        rig.refreshed(1).await;
        for path in ["/api/v1/next", "/api/v1/events", "/api/v1/events?limit=2"] {
            let answer = rig.get(path).await;
            assert_eq!(texts(&answer, "title"), ["One", "Two"], "{path}");
            assert_eq!(answer.json("truncated"), "false", "{path}");
        }
    });
}

#[test]
fn one_meeting_in_two_calendars_is_shown_once_with_both_names() {
    run(|executor| async move {
        let twelve = |name: &str| -> Vec<String> {
            (9..21).map(|hour| meeting(&format!("{name}-{hour}"), hour, "Call")).collect()
        };
        let work = [twelve("work"), vec![meeting("both", 22, "Talk")]].concat();
        let home = [twelve("home"), vec![meeting("both", 22, "TALK")]].concat();
        let (rig, _server, _folder) = with_two(&executor, &work, &home, "").await;
        let answer = rig.get("/api/v1/events?limit=13").await;
        let mut titles = vec!["Call"; 12];
        titles.push("Talk");
        assert_eq!(texts(&answer, "title"), titles);
        assert_eq!(answer.json("truncated"), "false", "a meeting takes one place");
        assert_eq!(answer.body.matches(r#""calendars":["work","home"]"#).count(), 13);
        let cut = rig.get("/api/v1/events?limit=12").await;
        assert_eq!((texts(&cut, "title").len(), cut.json("truncated")), (12, "true"));
        assert_eq!(cut.body.matches(r#""calendars":["work","home"]"#).count(), 12);
        let alone = rig.get("/api/v1/events?calendar=home").await;
        assert_eq!(alone.body.matches(r#""calendars":["home"]"#).count(), 13);
        let page = rig.get("/").await.body;
        assert_eq!(
            page.matches("<span class=\"marks\">").count(),
            page.matches("<bdi>Call").count()
        );
        let lite = rig.get("/api/whats-next").await;
        assert_eq!((lite.json("meeting_id"), lite.json("subject")), ("work-9", "Call"));
    });
}

/// Nothing of a private event but its time is in any answer.
#[test]
fn private_events_leave_no_trace() {
    run(|executor| async move {
        let secret = |uid: &str, hour: u32| {
            let start = format!("DTSTART:20260105T{hour:02}0000Z");
            event(
                uid,
                &[
                    &start,
                    "DURATION:PT30M",
                    "SUMMARY:canary",
                    "LOCATION:canary",
                    "DESCRIPTION:canary",
                    "URL:https://canary.example/",
                    "ORGANIZER;CN=canary:mailto:canary@example.org",
                    "ATTENDEE;CN=canary:mailto:canary@example.org",
                    "CATEGORIES:canary",
                    "CLASS:CONFIDENTIAL",
                ],
            )
        };
        let public = |text: String| text.replace("\r\nCLASS:CONFIDENTIAL", "");
        let series = ["DTSTART:20260105T100000Z", "RRULE:FREQ=DAILY;COUNT=3", "SUMMARY:canary"];
        let instance =
            ["RECURRENCE-ID:20260106T100000Z", "DTSTART:20260106T120000Z", "SUMMARY:canary"];
        let work = [secret("canary-1", 9), meeting("open", 14, "Open")];
        let home = [
            public(secret("canary-1", 9)),
            event("canary-2", &series),
            event("canary-2", &instance),
            event("canary-3", &["DTSTART:canary", "SUMMARY:canary"]),
            meeting("open", 14, "Open"),
        ];
        let (rig, _server, _folder) = with_two(&executor, &work, &home, "private = true\n").await;
        let paths = [
            "/",
            "/api/v1/next",
            "/api/v1/events",
            "/api/v1/calendars",
            "/stats",
            "/api/whats-next",
        ];
        for path in paths {
            let answer = rig.get(path).await;
            assert_eq!(answer.status, 200, "{path}");
            assert!(!answer.body.contains("canary"), "{path}: {}", answer.body);
        }
        let answer = rig.get("/api/v1/events").await;
        let titles = texts(&answer, "title");
        assert_eq!(titles.iter().filter(|title| **title == "Busy").count(), 6, "{titles:?}");
        assert_eq!(titles.len(), 7, "the visible one is not merged with its private copy");
        assert!(answer.body.contains(r#""recurrence_id":null"#));
        let mut ids = texts(&answer, "id");
        assert_eq!(ids.iter().filter(|id| id.starts_with("private-")).count(), 6, "{ids:?}");
        ids.sort_unstable();
        ids.dedup();
        assert_eq!(ids.len(), 7, "every id is one event's: {ids:?}");
        let status = rig.get("/api/v1/calendars").await;
        assert!(status.body.contains(r#""skipped":1,"skipped_reasons":[],"#), "{}", status.body);
        rig.advance(Duration::from_secs(300));
        rig.refreshed(4).await;
        let again = rig.get("/api/v1/events").await;
        let mut later = texts(&again, "id");
        later.sort_unstable();
        assert_eq!(later, ids, "an id stays");
    });
}

/// Who has skipped an instance of a series has skipped it still when it is moved; and each has an
/// id of its own.
#[test]
fn an_instance_keeps_its_id_when_it_is_moved() {
    run(|executor| async move {
        let daily = ["DTSTART:20260105T150000Z", "RRULE:FREQ=DAILY;COUNT=3", "SUMMARY:Call"];
        let moved = |day: u32| {
            let id = format!("RECURRENCE-ID:202601{day:02}T150000Z");
            event("u", &[&id, &format!("DTSTART:202601{day:02}T160000Z"), "SUMMARY:Moved"])
        };
        let before = [event("u", &daily), meeting("once", 12, "Once")];
        let after = [&before[..], &[moved(5), moved(6)]].concat();
        let script = Script::new().ics("/a.ics", &calendar(&before));
        let server = FeedServer::start(&executor, script.ics("/a.ics", &calendar(&after)));
        let folder = folder();
        let config = configure(folder.path(), &toml(&[("a", server.url("/a.ics"))]));
        let rig = Rig::start(&executor, config);
        let mut known = Vec::new();
        for (refreshes, moved) in [(1, 0), (2, 2)] {
            rig.refreshed(refreshes).await;
            let answer = rig.get("/api/v1/events?days=4&to=2026-01-09").await;
            let titles = texts(&answer, "title");
            assert_eq!(titles.iter().filter(|title| **title == "Moved").count(), moved);
            let ids: Vec<String> = texts(&answer, "id").into_iter().map(str::to_owned).collect();
            assert_eq!(ids[0], "once");
            assert!(ids[1].starts_with("u_20260105T150000_"), "{ids:?}");
            assert!(ids.len() == 4 && ids[1..].is_sorted() && ids[1] != ids[2], "{ids:?}");
            assert!(known.is_empty() || known == ids, "{known:?}, now {ids:?}");
            known = ids;
            rig.advance(Duration::from_secs(300));
        }
    });
}

#[test]
fn series_that_are_cut_short_are_counted() {
    run(|executor| async move {
        let tick = |uid: &str| {
            event(uid, &["DTSTART:20260105T100000Z", "RRULE:FREQ=SECONDLY", "SUMMARY:Tick"])
        };
        let one = meeting("one", 15, "One");
        let script = Script::new()
            .ics("/a.ics", &calendar(&[tick("a"), tick("b"), one.clone()]))
            .ics("/a.ics", &calendar(&[tick("a"), one.clone()]))
            .ics("/a.ics", &calendar(&[meeting("a", 10, "Calm"), one]));
        let server = FeedServer::start(&executor, script);
        let folder = folder();
        let config = configure(folder.path(), &toml(&[("a", server.url("/a.ics"))]));
        let mut rig = Rig::start(&executor, config.clone());
        for (refreshes, truncated) in [(1, "2"), (2, "1")] {
            rig.refreshed(refreshes).await;
            for path in ["/api/v1/calendars", "/stats"] {
                assert_eq!(rig.get(path).await.json("truncated_series"), truncated, "{path}");
            }
            rig.advance(Duration::from_secs(300));
        }
        rig.refreshed(3).await;
        assert_eq!(rig.get("/api/v1/calendars").await.json("truncated_series"), "0");
        // What is told is remembered from one start to the next.
        server.set(Script::new().ics("/a.ics", &calendar(&[tick("a")])));
        rig.advance(Duration::from_secs(300));
        rig.refreshed(4).await;
        rig.stop().await;
        server.set(Script::new().status("/a.ics", 503));
        rig = Rig::start(&executor, config);
        rig.failed(1).await;
        assert_eq!(rig.get("/api/v1/calendars").await.json("truncated_series"), "1");
    });
}

/// A feed that grows from one refresh to the next has the same room as one that is large at once.
#[test]
fn the_occurrences_of_a_feed_are_counted_with_those_that_are_there() {
    let daily = |uid: &'static str| {
        (uid, format!("UID:{uid}\nDTSTART:20260105T100000Z\nRRULE:FREQ=DAILY;COUNT=10"))
    };
    let (a, b, c) = (|| daily("a"), || daily("b"), || daily("c"));
    for (turns, truncated) in [
        (vec![vec![a(), b()]], 0),
        (vec![vec![a()], vec![a(), b()]], 0),
        (vec![vec![a(), b(), c()]], 3),
        (vec![vec![a(), b()], vec![a(), b(), c()]], 3),
        (vec![vec![a(), b(), c()], vec![a(), c()]], 0),
    ] {
        let limits = FeedLimits { feed_occurrences_max: 25, ..FeedLimits::default() };
        let names = format!("{turns:?}");
        let (published, _) = publish_in_turn(turns, limits);
        assert_eq!(published.truncated_series, truncated, "{names}: {:?}", published.warnings);
    }
}

/// Beside a running server, out of what it has stored.
#[test]
fn explain_says_why_and_export_gives_it_back() {
    run(|executor| async move {
        let broken = event("broken", &["DTSTART:soon", "SUMMARY:Broken"]);
        let daily = ["DTSTART;TZID=W. Europe Standard Time:20200101T090000", "RRULE:FREQ=DAILY"];
        let daily = event("daily", &[daily[0], daily[1], "SUMMARY:Stand-up"]);
        let lunch = event("lunch", &["DTSTART;VALUE=DATE:20200101", "SUMMARY:Lunch"]);
        let secret =
            event("secret", &["DTSTART:20200101T090000Z", "SUMMARY:canary", "CLASS:PRIVATE"]);
        let calendar = calendar(&[daily, broken, lunch, secret]);
        let server = FeedServer::start(&executor, Script::new().ics("/token.ics", &calendar));
        let folder = folder();
        let url = server.url("/token.ics").to_string();
        let path = process::configure(folder.path(), &url, "");
        let text = std::fs::read_to_string(&path).expect("read") + "exclude = ['^lunch']\n";
        std::fs::write(&path, text).expect("written");
        let server = Process::start(folder.path(), &["-c", &path]);
        server.until("/api/v1/calendars", "\"events\":3").await;
        for (arguments, expected, absent) in [
            (
                &["a"][..],
                &[
                    "feed `a`",
                    "W. Europe Standard Time` is Europe/Berlin",
                    "broken: DTSTART",
                    "\"^lunch\"",
                ][..],
                "canary",
            ),
            (
                &["a", "STAND"],
                &["daily in `a`", "a Windows name", "RRULE:FREQ=DAILY", "Tomorrow"],
                "lunch",
            ),
            (&["a", "lunch"], &["lunch in `a`", "hidden: `exclude`", "0 instances"], "daily"),
            (&["a", "broken"], &["skipped: line ", "DTSTART `soon` is not understood"], "daily"),
            (&["a", "secret"], &["a private event in `a`", "as \"Busy\""], "canary"),
            (&["a", "canary"], &["no event that is stored"], "private"),
            (&["a", "canary", "--show-private"], &["secret in `a`", "SUMMARY:canary"], "daily"),
        ] {
            let arguments = [&["explain", "-c", path.as_str()], arguments].concat();
            let output = process::output(folder.path(), &arguments);
            let said = process::text(&output.stdout);
            assert!(output.status.success(), "{}", process::text(&output.stderr));
            for expected in expected {
                assert!(said.contains(expected), "{arguments:?}: {expected:?} is not in {said}");
            }
            assert!(!said.contains(absent) && !said.contains("token"), "{arguments:?}: {said}");
        }
        for (private, title, absent) in [(false, "Busy", "canary"), (true, "canary", "Busy")] {
            let arguments = ["export", "-c", path.as_str(), "a", "--show-private"];
            let arguments = &arguments[..if private { 5 } else { 4 }];
            let output = process::output(folder.path(), arguments);
            let said = process::text(&output.stdout);
            assert!(said.starts_with("BEGIN:VCALENDAR\r\n"), "{said}");
            assert!(said.ends_with("END:VEVENT\r\nEND:VCALENDAR\r\n"), "{said}");
            assert_eq!(said.matches("BEGIN:VEVENT").count(), 3, "{said}");
            assert!(said.contains("DTSTART;TZID=Europe/Berlin:20200101T090000\r\n"), "{said}");
            assert!(said.contains(&format!("SUMMARY:{title}\r\n")), "{said}");
            assert!(!said.contains(absent) && !said.contains("token"), "{said}");
        }
        let output = process::output(folder.path(), &["explain", "-c", path.as_str(), "b"]);
        assert_eq!(output.status.code(), Some(2));
        assert!(process::text(&output.stderr).contains("there is: a"));
    });
}

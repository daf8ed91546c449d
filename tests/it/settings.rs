//! What people set: what it changes, in every family; that it is on the disk before it is
//! acknowledged; and that nothing wrong changes anything.

use std::fs;
use std::rc::Rc;

use calendarbot::budget::{FeedLimits, Plan};
use calendarbot::connections::database::settings::replace;
use rusqlite::Connection;

use crate::feed_server::{FeedServer, Script, run};
use crate::full::{send, with_work};
use crate::rig::{Rig, configure, fed, folder, toml};
use crate::routes::WORK;

const FILTERS: &str = "PUT /api/settings/filters";

/// The titles that are left of a window of two days, with these filters.
async fn check(rig: &Rig, filters: &str, expected: &str) {
    send(rig, "POST /api/settings/reset", "").await;
    let answer = send(rig, FILTERS, filters).await;
    assert_eq!(answer.status, 200, "{filters}: {}", answer.body);
    let events = rig.get("/api/v1/events?from=2026-01-05&to=2026-01-07").await.body;
    let titles = events.split("\"title\":\"").skip(1);
    let titles: Vec<&str> = titles.map(|rest| &rest[..rest.find('"').unwrap_or(0)]).collect();
    assert_eq!(titles.join(", "), expected, "{filters}");
}

#[test]
fn each_filter_has_its_effect() {
    const ALL: &str = "Stand-up, Call with New York, Epiphany, Stand-up";
    run(|executor| async move {
        let (rig, _server, _folder) = with_work(&executor).await;
        check(&rig, r#"{"enabled":true}"#, ALL).await;
        let no_days = r#"{"hide_all_day_events":true}"#;
        check(&rig, no_days, "Stand-up, Call with New York, Stand-up").await;
        for (pattern, expected) in [
            (r#"{"pattern":"STAND"}"#, "Call with New York, Epiphany"),
            (r#"{"pattern":"STAND","case_sensitive":true}"#, ALL),
            (r#"{"pattern":"STAND","is_active":false}"#, ALL),
            (r#"{"pattern":"^call.*york$","is_regex":true}"#, "Stand-up, Epiphany, Stand-up"),
            (r#"{"pattern":"^york","is_regex":true}"#, ALL),
        ] {
            check(&rig, &format!(r#"{{"title_patterns":[{pattern}]}}"#), expected).await;
            let off = format!(r#"{{"enabled":false,"patterns":[{pattern}]}}"#);
            check(&rig, &off, ALL).await;
        }
        let only = r#"{"default_action":"exclude","patterns":[{"pattern":"call"}]}"#;
        check(&rig, only, "Call with New York").await;
        check(&rig, r#"{"default_action":"exclude"}"#, ALL).await;
        let single = r#"{"recurring_filters":{"recurring":false}}"#;
        check(&rig, single, "Call with New York, Epiphany").await;
        check(&rig, r#"{"attendee_count_filter":{"min_count":1}}"#, "").await;
        check(&rig, r#"{"hidden_events":["call"]}"#, "Stand-up, Epiphany, Stand-up").await;
    });
}

/// In all families, on the pages too, and from the next answer on.
#[test]
fn what_is_hidden_is_nowhere() {
    run(|executor| async move {
        let (rig, _server, _folder) = with_work(&executor).await;
        let paths = ["/", "/day", "/api/v1/next", "/api/v1/events", "/api/whats-next/data"];
        for (hide, unhide) in [
            (("POST /api/v1/hidden/call", ""), ("DELETE /api/v1/hidden/call", "")),
            (
                ("POST /api/events/hide", r#"{"graph_id":"call"}"#),
                ("POST /api/events/unhide", r#"{"graph_id":"call"}"#),
            ),
        ] {
            for path in paths {
                assert!(rig.get(path).await.body.contains("New York"), "{path}");
            }
            assert!(send(&rig, hide.0, hide.1).await.status < 300);
            for path in paths {
                assert!(!rig.get(path).await.body.contains("New York"), "{path}");
            }
            assert_eq!(rig.get("/api/v1/hidden").await.body, r#"{"hidden":[{"id":"call"}]}"#);
            assert!(send(&rig, unhide.0, unhide.1).await.status < 300);
        }
    });
}

#[test]
fn pages_look_as_people_have_set_it() {
    run(|executor| async move {
        let (rig, _server, _folder) = with_work(&executor).await;
        let display = r#"{"color_theme":"dark","display_density":"compact","animation_enabled":false,
            "font_sizes":{"headers":"extra-large"},"timezone":"America/New_York"}"#;
        assert_eq!(send(&rig, "PUT /api/settings/display", display).await.status, 200);
        for path in ["/", "/week", "/calendar"] {
            let page = rig.get(path).await.body;
            for text in [
                "data-theme=\"dark\"",
                "data-density=\"compact\"",
                "data-headers=\"extra-large\"",
                "data-still",
            ] {
                assert!(page.contains(text), "{path} {text}: {page}");
            }
        }
        assert_eq!(rig.get("/api/v1/next").await.json("start"), "2026-01-05T03:00:00-05:00");
        let own = rig.get("/api/v1/next?tz=Europe/Berlin").await;
        assert_eq!(own.json("start"), "2026-01-05T09:00:00+01:00");
        let none = r#"{"timezone":null}"#;
        assert_eq!(send(&rig, "PUT /api/settings/display", none).await.status, 200);
        assert_eq!(rig.get("/api/v1/next").await.json("start"), "2026-01-05T09:00:00+01:00");
    });
}

#[test]
fn of_two_categories_with_one_name_the_last_counts() {
    run(|executor| async move {
        let (rig, _server, _folder) = with_work(&executor).await;
        let twice = r#"{"event_categories":{"a":false,"b":false,"a":true}}"#;
        assert_eq!(send(&rig, FILTERS, twice).await.status, 200);
        let settings = rig.get("/api/settings/filters").await.body;
        let kept = "\"event_categories\": {\n      \"a\": true,\n      \"b\": false\n    }";
        assert!(settings.contains(kept), "{settings}");
    });
}

/// Twenty sorts of what is wrong, none of which changes anything.
#[test]
fn poison_is_refused_and_changes_nothing() {
    run(|executor| async move {
        let (rig, _server, _folder) = with_work(&executor).await;
        let good = r#"{"title_patterns":[{"pattern":"x"}],"hidden_events":["a"]}"#;
        assert_eq!(send(&rig, FILTERS, good).await.status, 200);
        let before = rig.get("/api/settings").await.body;
        let pattern = |pattern: &str| format!(r#"{{"title_patterns":[{pattern}]}}"#);
        let regex = |text: &str| pattern(&format!(r#"{{"pattern":"{text}","is_regex":true}}"#));
        let many = |count: usize| {
            let patterns: Vec<String> =
                (0..count).map(|number| format!(r#"{{"pattern":"p{number}"}}"#)).collect();
            pattern(&patterns.join(","))
        };
        let long = |chars: usize| pattern(&format!(r#"{{"pattern":"{}"}}"#, "x".repeat(chars)));
        let deep = "[".repeat(100) + &"]".repeat(100);
        let huge = format!(r#"{{"enabled":true,"more":"{}"}}"#, "x".repeat(17_000));
        for poison in [
            "{",
            "nonsense",
            "[]",
            "7",
            "null",
            "{}",
            "{\"enabled\":true,}",
            r#"{"enabled":"yes"}"#,
            r#"{"enabled":null}"#,
            r#"{"hide_all_day_events":1}"#,
            r#"{"default_action":"perhaps"}"#,
            r#"{"title_patterns":{}}"#,
            r#"{"title_patterns":[7]}"#,
            r#"{"title_patterns":[{"pattern":7}]}"#,
            r#"{"title_patterns":[{"pattern":"  "}]}"#,
            r#"{"title_patterns":[{"pattern":"x"},{"pattern":"X"}]}"#,
            r#"{"hidden_events":[1]}"#,
            r#"{"hidden_events":"a"}"#,
            r#"{"event_categories":{"a":1}}"#,
            r#"{"attendee_count_filter":{"min_count":2,"max_count":1}}"#,
            &format!(r#"{{"enabled":{deep}}}"#),
            &regex("("),
            &regex("(a{100}){100}"),
            &regex(r"(a)\\1"),
            &many(51),
            &long(501),
            &huge,
        ] {
            let answer = send(&rig, FILTERS, poison).await;
            assert_eq!(answer.status, 400, "{poison:.80}: {}", answer.body);
            assert!(answer.body.starts_with("{\n  \"error\": \""), "{}", answer.body);
            assert_eq!(rig.get("/api/settings").await.body, before, "{poison:.80}");
        }
        let bytes = "PUT /api/settings HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\n\r\n{}";
        assert_eq!(rig.ask(bytes).await.status, 415);
        for good in [many(50), long(500), regex("(a*)*b")] {
            let answer = send(&rig, FILTERS, &good).await;
            assert_eq!(answer.status, 200, "{good:.80}: {}", answer.body);
        }
        let more = r#"{"pattern":"one more"}"#;
        assert_eq!(send(&rig, FILTERS, &many(50)).await.status, 200);
        let one_past = send(&rig, "POST /api/settings/filters/patterns", more).await;
        assert_eq!(one_past.status, 400, "{}", one_past.body);
    });
}

/// At 8 MiB there is less room; it is never passed, and what is hidden stays so: one past the last
/// is refused.
#[test]
fn there_is_room_for_so_much() {
    run(|executor| async move {
        let server = FeedServer::start(&executor, Script::new().ics("/a.ics", WORK));
        let folder = folder();
        let text = toml(&[("a", server.url("/a.ics"))]);
        let text = format!("memory_budget = \"8 MiB\"\n{text}");
        let config = configure(folder.path(), &text);
        let limits = Plan::divide(config.memory_budget, 1, FeedLimits::default()).limits.people;
        let rig = Rig::start(&executor, config);
        rig.refreshed(1).await;
        let id = |number| format!("event-{number:02}@example.org");
        let mut count = 0;
        let refused = loop {
            let answer = send(&rig, &format!("POST /api/v1/hidden/{}", id(count)), "").await;
            assert!(rig.metrics.memory.people.used() <= limits.settings_bytes_max() as u64);
            if answer.status != 201 {
                break answer;
            }
            count += 1;
        };
        assert!((20..60).contains(&count), "{count}");
        assert_eq!(refused.status, 400);
        assert!(refused.body.contains("there is room for no more"), "{}", refused.body);
        let hidden = rig.get("/api/v1/hidden").await.body;
        assert!((0..count).all(|number| hidden.contains(&id(number))), "{hidden}");
        assert!(!hidden.contains(&id(count)), "{hidden}");
        let full = format!(r#"{{"graph_id":"{}"}}"#, id(count));
        let refused = send(&rig, "POST /api/events/hide", &full).await;
        assert_eq!(refused.status, 400);
        assert!(
            refused.body.contains("\"error\": \"there is room for no more"),
            "{}",
            refused.body
        );
        let again = format!("POST /api/v1/hidden/{}", id(count - 1));
        assert_eq!(send(&rig, &again, "").await.status, 200, "what is hidden takes no more room");
        let text = "x".repeat(400);
        let large = format!(r#"{{"title_patterns":[{{"pattern":"{text}"}}]}}"#);
        let answer = send(&rig, FILTERS, &large).await;
        assert_eq!(answer.status, 400, "{}", answer.body);
        assert_eq!(rig.get("/api/v1/hidden").await.body, hidden);
        assert_eq!(send(&rig, "POST /api/v1/skips/a", "").await.status, 201);
        assert!(rig.metrics.memory.people.used() <= limits.bytes_max as u64);
        for number in 0..count {
            let line = format!("DELETE /api/v1/hidden/{}", id(number));
            assert_eq!(send(&rig, &line, "").await.status, 204);
        }
        let id = "x".repeat(limits.id_bytes_max);
        assert_eq!(send(&rig, &format!("POST /api/v1/hidden/{id}"), "").await.status, 201);
        assert_eq!(send(&rig, &format!("POST /api/v1/hidden/{id}y"), "").await.status, 400);
    });
}

/// What is exported can be imported, however full it is and however long its texts are written.
#[test]
fn every_export_can_be_imported() {
    run(|executor| async move {
        let server = FeedServer::start(&executor, Script::new().ics("/a.ics", WORK));
        for (budget, text) in [(8, "‹"), (8, "<"), (8, "a"), (16, "<"), (16, "b")] {
            let folder = folder();
            let feed = toml(&[("a", server.url("/a.ics"))]);
            let config =
                configure(folder.path(), &format!("memory_budget = \"{budget} MiB\"\n{feed}"));
            let rig = Rig::start(&executor, config);
            rig.refreshed(1).await;
            let length = if text == "a" { 1 } else { 60 };
            let pattern = |n: usize| {
                let (text, more) = (text.repeat(length), text.repeat(length / 2));
                format!(r#"{{"pattern":"{n}{text}","description":"{more}"}}"#)
            };
            let mut count = 0;
            let line = "POST /api/settings/filters/patterns";
            while send(&rig, line, &pattern(count)).await.status == 200 {
                count += 1;
            }
            assert!(count > 0, "one has room");
            while send(&rig, &format!("POST /api/v1/hidden/{count}"), "").await.status == 201 {
                count += 1;
            }
            let settings = async || {
                let all = rig.get("/api/settings").await.body;
                all.lines().filter(|line| !line.contains("last_modified")).collect::<String>()
            };
            let before = settings().await;
            let export = rig.get("/api/settings/export").await.body;
            assert_eq!(send(&rig, "POST /api/settings/reset", "{}").await.status, 200);
            assert_ne!(settings().await, before);
            let answer = send(&rig, "POST /api/settings/import", &export).await;
            assert_eq!(answer.status, 200, "{} bytes: {}", export.len(), answer.body);
            assert_eq!(settings().await, before, "{budget} {text}");
        }
    });
}

/// More than any export holds is not looked at.
#[test]
fn an_import_has_a_bound() {
    run(|executor| async move {
        let (rig, _server, _config, _folder) =
            fed(&executor, Script::new().ics("/a.ics", WORK)).await;
        let ids = |count: usize| {
            let ids: Vec<_> = (0..count).map(|n| format!("\"{n}\"")).collect();
            format!(r#"{{"event_filters":{{"hidden_events":[{}]}}}}"#, ids.join(","))
        };
        assert_eq!(send(&rig, "POST /api/settings/import", &ids(100)).await.status, 200);
        let refused = send(&rig, "POST /api/settings/import", &ids(5_000)).await;
        assert_eq!(refused.status, 400);
        assert!(refused.body.contains("at most"), "{}", refused.body);
    });
}

/// What was acknowledged is there when the program is killed the moment after: the file as it is
/// then is copied away.
#[test]
fn what_was_acknowledged_survives() {
    run(|executor| async move {
        let script = Script::new().ics("/a.ics", WORK);
        let (rig, _server, _config, folder) = fed(&executor, script).await;
        assert_eq!(send(&rig, "POST /api/v1/hidden/call", "").await.status, 201);
        let display = r#"{"default_layout":"3x4"}"#;
        assert_eq!(send(&rig, "PUT /api/settings/display", display).await.status, 200);
        let copy = crate::rig::folder();
        for entry in fs::read_dir(folder.path()).expect("a folder") {
            let path = entry.expect("an entry").path();
            let name = path.file_name().expect("a name");
            if name.to_string_lossy().starts_with("calendarbot.db") {
                fs::copy(&path, copy.path().join(name)).expect("copied");
            }
        }
        let toml = fs::read_to_string(folder.path().join("calendarbot.toml")).expect("read");
        let rig = Rig::start(&executor, configure(copy.path(), &toml));
        assert_eq!(rig.get("/api/v1/hidden").await.body, r#"{"hidden":[{"id":"call"}]}"#);
        assert!(rig.get("/api/status").await.body.contains("\"layout\": \"3x4\""));
    });
}

/// A text that cannot be read is told in the log, and the program runs as a new one does.
#[test]
fn a_stored_text_that_cannot_be_read_is_none() {
    run(|executor| async move {
        let script = Script::new().ics("/a.ics", WORK);
        let (rig, _server, config, folder) = fed(&executor, script).await;
        rig.stop().await;
        let connection = Connection::open(folder.path().join("calendarbot.db")).expect("opened");
        for text in ["", "{", "[]", r#"{"display":{"display_density":"huge"}}"#, "\u{0}"] {
            replace(&connection, text).expect("written");
            let rig = Rig::start(&executor, config.clone());
            let settings = rig.get("/api/settings").await;
            assert_eq!(settings.status, 200, "{text}");
            assert!(settings.body.contains("\"display_density\": \"normal\""), "{text}");
            assert_eq!(send(&rig, "POST /api/v1/hidden/a", "").await.status, 201, "{text}");
            rig.stop().await;
        }
        connection.execute_batch("UPDATE setting SET version = 2").expect("written");
        let rig = Rig::start(&executor, config);
        assert_eq!(rig.get("/api/v1/hidden").await.body, r#"{"hidden":[]}"#);
    });
}

/// Nothing changes when nothing can be written.
#[test]
fn what_cannot_be_stored_is_not_set() {
    run(|executor| async move {
        let script = Script::new().ics("/a.ics", WORK);
        let (rig, _server, config, folder) = fed(&executor, script).await;
        rig.stop().await;
        let obstacle = folder.path().join("staging.db");
        fs::remove_file(&obstacle).expect("removed");
        fs::create_dir(&obstacle).expect("made");
        let rig = Rig::start(&executor, config);
        let settings = rig.get("/api/settings").await.body;
        for (line, body) in [
            ("POST /api/v1/hidden/call", ""),
            ("POST /api/events/hide", r#"{"graph_id":"call"}"#),
            (FILTERS, r#"{"enabled":false}"#),
        ] {
            let answer = send(&rig, line, body).await;
            assert_eq!((answer.status, answer.field("retry-after")), (503, Some("1")), "{line}");
        }
        assert_eq!(rig.get("/api/settings").await.body, settings);
    });
}

/// Behind a proxy nobody is on this machine; the home network is let in where that is configured.
#[test]
fn who_may_change_settings() {
    run(|executor| async move {
        let executor = Rc::clone(&executor);
        for (lan, expected) in [(false, 403), (true, 200)] {
            let folder = folder();
            let text = format!(
                "settings_from_lan = {lan}\ntrusted_proxies = [\"127.0.0.1\"]\n{}",
                toml(&[])
            );
            let rig = Rig::start(&executor, configure(folder.path(), &text));
            rig.refreshed(1).await;
            for (client, expected) in [("192.168.1.7", expected), ("8.8.8.8", 403)] {
                let ask = async |line: &str| {
                    let request = format!(
                        "{line} HTTP/1.1\r\nHost: localhost\r\nX-Forwarded-For: {client}\r\n\r\n"
                    );
                    rig.ask(&request).await
                };
                for line in ["GET /api/settings", "POST /api/settings/reset"] {
                    let answer = ask(line).await;
                    assert_eq!(answer.status, expected, "{client} {line}");
                    // Known requests are looked at again, too.
                    assert_eq!(ask(line).await.status, expected, "{client} {line}");
                }
                assert_eq!(ask("POST /api/database/query").await.status, 403, "{client}");
                assert_eq!(ask("POST /api/v1/hidden/a").await.status / 100, 2, "{client}");
            }
        }
    });
}

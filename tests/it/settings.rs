//! What people set: what it changes, in every family; that it is on the disk before it is
//! acknowledged; and that nothing wrong changes anything.

use std::fs;
use std::rc::Rc;

use calendarbot::connections::database::settings::read as read_stored;
use rusqlite::Connection;

use crate::feed_server::{Script, run};
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

/// Whoever sends back what they have read pins nothing, and what is pinned can be taken back.
#[test]
fn an_inherited_zone_stays_inherited() {
    run(|executor| async move {
        let (rig, _server, folder) = with_work(&executor).await;
        let read = |body: String| {
            let (_, rest) = body.split_once("\"timezone\": \"").expect("a zone");
            rest.split('"').next().unwrap_or_default().to_owned()
        };
        let home = read(rig.get("/api/settings/display").await.body);
        let put = async |zone: &str| {
            let body = format!("{{\"timezone\":{zone}}}");
            let answer = send(&rig, "PUT /api/settings/display", &body).await;
            assert_eq!(answer.status, 200, "{}", answer.body);
            read(answer.body)
        };
        // What is stored tells a zone that is set from one that is not.
        let stored = || {
            let path = folder.path().join("calendarbot.db");
            let connection = Connection::open(path).expect("opened");
            read_stored(&connection, 1 << 20).expect("read").unwrap_or_default()
        };
        assert_eq!(put(&format!("\"{home}\"")).await, home);
        assert!(!stored().contains(&home), "{}", stored());
        let export = rig.get("/api/settings/export").await.body;
        assert_eq!(send(&rig, "POST /api/settings/import", &export).await.status, 200);
        assert!(!stored().contains(&home), "{}", stored());
        assert_eq!(put("\"Asia/Tokyo\"").await, "Asia/Tokyo");
        assert!(stored().contains("Asia/Tokyo"));
        assert_eq!(put("null").await, home);
        assert!(!stored().contains("Tokyo") && !stored().contains(&home), "{}", stored());
    });
}

/// The configured layout is the wall's until people set or turn to another one.
#[test]
fn the_wall_begins_with_the_configured_layout() {
    run(|executor| async move {
        let script = Script::new().ics("/a.ics", WORK);
        let (rig, _server, config, folder) = fed(&executor, script).await;
        let toml = fs::read_to_string(folder.path().join("calendarbot.toml")).expect("read");
        rig.stop().await;
        drop(config);
        let toml = format!("{toml}\n[display]\nlayout = \"4x8\"\n");
        let rig = Rig::start(&executor, configure(folder.path(), &toml));
        rig.refreshed(1).await;
        let layout = async || {
            let status = rig.get("/api/status").await.body;
            let (_, rest) = status.split_once("\"layout\": \"").expect("a layout");
            rest.split('"').next().unwrap_or_default().to_owned()
        };
        assert_eq!(layout().await, "4x8");
        let page = rig.get("/calendar").await.body;
        assert!(page.contains("page-day"), "{page}");
        let read = rig.get("/api/settings/display").await.body;
        assert!(read.contains("\"default_layout\": \"4x8\""), "{read}");
        for (set, expected) in [("\"whats-next-view\"", "whats-next-view"), ("null", "4x8")] {
            let body = format!("{{\"default_layout\":{set}}}");
            assert_eq!(send(&rig, "PUT /api/settings/display", &body).await.status, 200);
            assert_eq!(layout().await, expected);
        }
        send(&rig, "POST /api/layout", r#"{"layout":"3x4"}"#).await;
        assert_eq!(layout().await, "3x4");
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
            r#"{"recurring_filters":{"daily":false}}"#,
            r#"{"recurring_filters":{"single":true,"Recurring":false}}"#,
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

/// Calendars with one long meeting that wins against any number of short ones inside it.
fn crowded(losers: usize) -> String {
    let event = |uid: &str, start: &str, end: &str| {
        format!("BEGIN:VEVENT\r\nUID:{uid}\r\nDTSTART:{start}Z\r\nDTEND:{end}Z\r\nEND:VEVENT\r\n")
    };
    let short = |n: usize| {
        let (hour, minute) = (8 + n / 60, n % 60);
        let at = |second: u32| format!("20260105T{hour:02}{minute:02}{second:02}");
        event(&format!("short{n}"), &at(0), &at(30))
    };
    let mut events = event("long", "20260105T070000", "20260105T220000");
    events.extend((0..losers).map(short));
    events += &event("first", "20260106T090000", "20260106T100000");
    events += &event("second", "20260106T110000", "20260106T120000");
    format!("BEGIN:VCALENDAR\r\n{events}END:VCALENDAR\r\n")
}

/// However many have to give way, what comes after them is told of, as far as is read at all.
#[test]
fn those_that_give_way_do_not_hide_what_comes_after_them() {
    run(|executor| async move {
        for (losers, expected) in [(140, "first"), (396, "first"), (500, "null")] {
            let script = Script::new().ics("/a.ics", &crowded(losers));
            let (rig, _server, _config, _folder) = fed(&executor, script).await;
            let primary = r#"{"conflict_display_mode":"primary"}"#;
            assert_eq!(send(&rig, "PUT /api/settings/conflicts", primary).await.status, 200);
            let next = rig.get("/api/v1/next").await;
            let found = match expected {
                "null" => "\"next\":null".to_owned(),
                id => format!("\"next\":{{\"id\":\"{id}\""),
            };
            assert!(next.body.contains(&found), "{losers}: {}", next.body);
            assert_eq!(next.json("truncated"), (expected == "null").to_string(), "{losers}");
            let lite = rig.get("/api/whats-next").await.body;
            let found = if expected == "null" { "\"meeting\":null" } else { expected };
            assert!(lite.contains(found), "{losers}: {lite}");
        }
    });
}

/// `\d` is not `\D`, and `HR` is not `hr` where somebody says so.
#[test]
fn patterns_are_the_same_when_they_mean_the_same() {
    const PATTERNS: &str = "/api/settings/filters/patterns";
    run(|executor| async move {
        let (rig, _server, _folder) = with_work(&executor).await;
        let pattern = |text: &str, is_regex: bool, case_sensitive: bool| {
            let text = text.replace('\\', "\\\\");
            format!(
                r#"{{"pattern":"{text}","is_regex":{is_regex},"case_sensitive":{case_sensitive}}}"#
            )
        };
        for (text, is_regex, case_sensitive, status) in [
            (r"\d{5}", true, false, 200),
            (r"\D{5}", true, false, 200),
            (r"\D{5}", true, false, 400),
            ("HR", false, true, 200),
            ("hr", false, true, 200),
            ("hr", false, true, 400),
            ("hr", false, false, 200),
            ("HR", false, false, 400),
        ] {
            let body = pattern(text, is_regex, case_sensitive);
            let answer = send(&rig, &format!("POST {PATTERNS}"), &body).await;
            assert_eq!(answer.status, status, "{body}: {}", answer.body);
        }
        for (gone, status, left) in [
            (pattern("HR", false, false), 200, r"\d{5} \D{5} HR hr"),
            (pattern("HR", false, false), 404, r"\d{5} \D{5} HR hr"),
            (pattern("hr", false, true), 200, r"\d{5} \D{5} HR"),
            (r#"{"pattern":"HR"}"#.to_owned(), 200, r"\d{5} \D{5}"),
            (pattern(r"\D{5}", true, false), 200, r"\d{5}"),
        ] {
            let answer = send(&rig, &format!("DELETE {PATTERNS}"), &gone).await;
            assert_eq!(answer.status, status, "{gone}: {}", answer.body);
            let listed = rig.get("/api/settings/filters").await.body.replace("\\\\", "\\");
            let (_, list) = listed.split_once("\"patterns\": [").expect("a list");
            let texts = list.split("\"pattern\": \"").skip(1);
            let texts: Vec<&str> = texts.map(|rest| &rest[..rest.find('"').unwrap_or(0)]).collect();
            assert_eq!(texts.join(" "), left, "{gone}");
        }
        let query = format!("POST {PATTERNS}");
        assert_eq!(send(&rig, &query, &pattern("x", false, true)).await.status, 200);
        let line = |sensitive| format!("DELETE {PATTERNS}?pattern=x&case_sensitive={sensitive}");
        assert_eq!(send(&rig, &line(false), "").await.status, 404);
        assert_eq!(send(&rig, &line(true), "").await.status, 200);
    });
}

/// Both names of the list of patterns stand in an answer: whichever a client changes counts.
#[test]
fn either_name_of_the_patterns_may_be_changed() {
    run(|executor| async move {
        let (rig, _server, _folder) = with_work(&executor).await;
        let (old, new) = (r#"{"pattern":"one"}"#, r#"{"pattern":"Stand-up"}"#);
        let both = |titles: &str, patterns: &str| {
            format!(r#"{{"title_patterns":[{titles}],"patterns":[{patterns}]}}"#)
        };
        let grown = format!("{old},{new}");
        for (body, status, counts) in [
            (both(&grown, old), 200, true),
            (both(old, &grown), 200, true),
            (both(old, ""), 200, false),
            (both(old, old), 200, false),
            (both(&grown, &grown), 200, true),
            (both(&grown, new), 400, false),
        ] {
            let stored = format!(r#"{{"patterns":[{old}]}}"#);
            assert_eq!(send(&rig, FILTERS, &stored).await.status, 200);
            let answer = send(&rig, FILTERS, &body).await;
            assert_eq!(answer.status, status, "{body}: {}", answer.body);
            let shown = rig.get("/api/v1/events").await.body.contains("Stand-up");
            assert_eq!(shown, !counts, "{body}");
        }
    });
}

/// The rules of hiding hold for a list of ids, too.
#[test]
fn a_list_of_what_is_hidden_has_ids_each_once() {
    run(|executor| async move {
        let (rig, _server, _folder) = with_work(&executor).await;
        let long = format!(r#"{{"hidden_events":["a","{}"]}}"#, "x".repeat(2000));
        for wrong in [r#"{"hidden_events":["a",""]}"#, &long] {
            let answer = send(&rig, FILTERS, wrong).await;
            assert_eq!(answer.status, 400, "{wrong:.60}: {}", answer.body);
            let import = format!(r#"{{"event_filters":{wrong}}}"#);
            let answer = send(&rig, "POST /api/settings/import", &import).await;
            assert_eq!(answer.status, 400, "{wrong:.60}: {}", answer.body);
            assert_eq!(rig.get("/api/v1/hidden").await.body, r#"{"hidden":[]}"#);
        }
        let twice = r#"{"hidden_events":["a","b","a"]}"#;
        assert_eq!(send(&rig, FILTERS, twice).await.status, 200);
        let hidden = rig.get("/api/v1/hidden").await.body;
        assert_eq!(hidden, r#"{"hidden":[{"id":"a"},{"id":"b"}]}"#);
    });
}

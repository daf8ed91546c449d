//! What is set: how much of it there may be, that it survives, and that it comes back.

use std::fs;

use calendarbot::budget::{FeedLimits, Plan};
use calendarbot::connections::database::settings::replace;
use rusqlite::Connection;

use crate::feed_server::{FeedServer, Script, run};
use crate::full::send;
use crate::rig::{Rig, configure, fed, folder, toml};
use crate::routes::WORK;

const FILTERS: &str = "PUT /api/settings/filters";

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
            let refused = send(&rig, line, &pattern(count)).await.body;
            assert!(count > 0, "{refused}");
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

/// A text that answers would not write as it is made all settings unreadable.
#[test]
fn a_pattern_of_a_control_survives_and_spoils_nothing() {
    run(|executor| async move {
        let script = Script::new().ics("/a.ics", WORK);
        let (rig, _server, config, folder) = fed(&executor, script).await;
        let display = r#"{"default_layout":"3x4"}"#;
        assert_eq!(send(&rig, "PUT /api/settings/display", display).await.status, 200);
        let patterns = "POST /api/settings/filters/patterns";
        for pattern in [r"\u202e", r"\u0085\u2028x"] {
            let body = format!(r#"{{"pattern":"{pattern}"}}"#);
            assert_eq!(send(&rig, patterns, &body).await.status, 200, "{pattern}");
        }
        let settings = send(&rig, "GET /api/settings", "").await.body;
        assert!(settings.contains(r#""pattern": "\u202e""#), "{settings}");
        rig.stop().await;

        let rig = Rig::start(&executor, config.clone());
        assert_eq!(send(&rig, "GET /api/settings", "").await.body, settings);
        let line = "DELETE /api/settings/filters/patterns?pattern=%E2%80%AE";
        assert_eq!(send(&rig, line, "").await.status, 200);
        rig.stop().await;

        let connection = Connection::open(folder.path().join("calendarbot.db")).expect("opened");
        let text = r#"{"display":{"display_density":"huge","default_layout":"3x4"},
            "event_filters":{"patterns":[{"pattern":""},{"pattern":"x"}],"hidden_events":[1,"a"]}}"#;
        replace(&connection, text).expect("written");
        let rig = Rig::start(&executor, config);
        assert_eq!(rig.get("/api/v1/hidden").await.body, r#"{"hidden":[{"id":"a"}]}"#);
        let settings = send(&rig, "GET /api/settings", "").await.body;
        assert!(settings.contains(r#""default_layout": "3x4""#), "{settings}");
        assert_eq!(settings.matches(r#""pattern": "#).count(), 2, "{settings}");
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

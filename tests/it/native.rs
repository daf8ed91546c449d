//! Our own routes against what is written about them: the description that programs read, and the
//! examples that people do.

use std::collections::BTreeSet;
use std::rc::Rc;

use serde_json::Value;
use smol::LocalExecutor;
use tempfile::TempDir;

use crate::feed_server::{FeedServer, Script, run};
use crate::rig::{Response, Rig, configure, folder, toml};
use crate::routes::WORK;

/// A meeting that is over, one that two calendars have, one that nobody shall see, one that is
/// unreadable.
const HOME: &str = "BEGIN:VCALENDAR\r\nVERSION:2.0\r\n\
BEGIN:VEVENT\r\nUID:breakfast\r\nDTSTART;TZID=Europe/Berlin:20260105T070000\r\nDURATION:PT1H\r\n\
SUMMARY:Breakfast\r\nEND:VEVENT\r\n\
BEGIN:VEVENT\r\nUID:call\r\nDTSTART;TZID=Europe/Berlin:20260105T143000\r\nDURATION:PT1H\r\n\
SUMMARY:Call with New York\r\nEND:VEVENT\r\n\
BEGIN:VEVENT\r\nUID:doctor\r\nDTSTART;TZID=Europe/Berlin:20260105T160000\r\nCLASS:PRIVATE\r\n\
SUMMARY:Doctor\r\nEND:VEVENT\r\n\
BEGIN:VEVENT\r\nUID:broken\r\nSUMMARY:Without a start\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n";

/// A program with [`WORK`] and [`HOME`], and a third calendar that is private.
async fn started(executor: &Rc<LocalExecutor<'static>>) -> (Rig, FeedServer, TempDir) {
    let script = Script::new().ics("/work.ics", WORK).ics("/home.ics", HOME);
    let script = script.ics("/secret.ics", &HOME.replace("breakfast", "secret-meeting"));
    let server = FeedServer::start(executor, script);
    let folder = folder();
    let feeds = ["work", "home", "secret"];
    let feeds = feeds.map(|name| (name, server.url(&format!("/{name}.ics"))));
    let config = configure(folder.path(), &(toml(&feeds) + "private = true\n"));
    let rig = Rig::start(executor, config);
    rig.refreshed(3).await;
    (rig, server, folder)
}

fn body(answer: &Response) -> Value {
    serde_json::from_str(&answer.body).unwrap_or_else(|error| panic!("{error}: {}", answer.body))
}

fn titles(list: &Value) -> Vec<&str> {
    list.as_array().expect("a list").iter().filter_map(|event| event["title"].as_str()).collect()
}

#[test]
fn now_and_today_are_parts_of_what_is_next() {
    run(|executor| async move {
        let (rig, _server, _folder) = started(&executor).await;
        let next = body(&rig.get("/api/v1/next").await);
        let now = body(&rig.get("/api/v1/now").await);
        assert_eq!(now["later"], Value::Array(Vec::new()));
        for field in ["now", "valid_until", "current", "next", "all_day", "seconds_until_next"] {
            assert_eq!(now[field], next[field], "{field}");
        }
        let today = body(&rig.get("/api/v1/today?tz=Europe/Berlin").await);
        assert_eq!(today["next"], next["next"]);
        // Tomorrow's events are not today's, and what stands in two calendars is one meeting.
        let later = titles(&today["later"]);
        assert_eq!(later.iter().filter(|title| **title == "Call with New York").count(), 1);
        assert!(!later.contains(&"Epiphany") && !later.contains(&"Breakfast"), "{later:?}");
        assert_eq!(rig.get("/api/v1/today?tz=nowhere").await.status, 400);
    });
}

#[test]
fn it_is_explained_why_something_is_shown() {
    run(|executor| async move {
        let (rig, _server, _folder) = started(&executor).await;
        let skip = "POST /api/v1/skips/call HTTP/1.1\r\nHost: localhost\r\n\r\n";
        assert_eq!(rig.ask(skip).await.status, 201);
        let told = body(&rig.get("/api/v1/explain?id=call").await);
        assert_eq!(
            (&told["id"], &told["skipped_until"]),
            (&"call".into(), &"2026-01-06T08:45:00+01:00".into())
        );
        let calendars = told["calendars"].as_array().expect("a list");
        let names: Vec<_> = calendars.iter().filter_map(|it| it["name"].as_str()).collect();
        assert_eq!(names, ["work", "home"], "of the private one nothing is told");
        assert!(told.to_string().contains("merged with `home`: the same UID, title and start"));
        assert!(!told.to_string().contains("secret"), "{told}");
        let one = body(&rig.get("/api/v1/explain?id=call&calendar=home").await);
        assert_eq!(one["calendars"].as_array().map(Vec::len), Some(1));
        // An instance of a series is told of as one of its series.
        let next = body(&rig.get("/api/v1/next").await);
        let id = next["next"]["id"].as_str().expect("an id");
        assert!(id.starts_with("standup_2026"), "{id}");
        let series = rig.get(&format!("/api/v1/explain?id={id}")).await;
        assert!(series.body.contains("RRULE:FREQ=WEEKLY"), "{}", series.body);
    });
}

#[test]
fn of_what_is_private_nothing_is_explained() {
    run(|executor| async move {
        let (rig, _server, _folder) = started(&executor).await;
        let events = body(&rig.get("/api/v1/events?from=2026-01-05&to=2026-01-06").await);
        let events = events["events"].as_array().expect("a list");
        let private = events.iter().filter(|event| event["private"] == true);
        let ids: Vec<&str> = private.filter_map(|event| event["id"].as_str()).collect();
        assert!(ids.len() > 2, "{ids:?}");
        let nothing = rig.get("/api/v1/explain?id=no-such-event").await;
        for id in ids.into_iter().chain(["secret-meeting", "doctor"]) {
            let answer = rig.get(&format!("/api/v1/explain?id={id}")).await;
            assert_eq!((answer.status, &answer.body), (404, &nothing.body), "{id}");
        }
        assert_eq!(rig.get("/api/v1/explain?id=call&calendar=secret").await.status, 404);
        let long = "x".repeat(640);
        for (query, status) in [
            (String::new(), 400),
            ("?id=".to_owned(), 400),
            (format!("?id={long}"), 404),
            (format!("?id={long}x"), 400),
        ] {
            assert_eq!(rig.get(&format!("/api/v1/explain{query}")).await.status, status);
        }
    });
}

/// Judges a value by a schema, as much of them as the document uses.
fn judge(value: &Value, schema: &Value, document: &Value, place: &str) {
    if let Some(name) = schema["$ref"].as_str() {
        let pointer = name.strip_prefix('#').expect("of this document");
        return judge(value, document.pointer(pointer).expect("a schema"), document, place);
    }
    if let Some(either) = schema["anyOf"].as_array() {
        if !value.is_null() {
            judge(value, &either[0], document, place);
        }
        return;
    }
    assert!(schema.is_object(), "{place} is not described");
    let own = match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(number) if number.is_f64() => "number",
        Value::Number(_) => "integer",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    };
    let types = match &schema["type"] {
        Value::Array(types) => types.iter().filter_map(Value::as_str).collect(),
        Value::String(only) => vec![only.as_str()],
        _ => return,
    };
    let is_number = own == "integer" && types.contains(&"number");
    assert!(is_number || types.contains(&own), "{place}: {own} is none of {types:?}");
    if let Some(allowed) = schema["enum"].as_array() {
        assert!(allowed.contains(value), "{place}: {value}");
    }
    if let Some(items) = value.as_array() {
        items.iter().for_each(|item| judge(item, &schema["items"], document, place));
    }
    let (Some(members), Some(properties)) = (value.as_object(), schema["properties"].as_object())
    else {
        return;
    };
    let names = |keys: Vec<&String>| keys.into_iter().cloned().collect::<BTreeSet<String>>();
    let (found, written) = (names(members.keys().collect()), names(properties.keys().collect()));
    assert_eq!(found, written, "{place}");
    for (name, member) in members {
        judge(member, &properties[name], document, &format!("{place}.{name}"));
    }
}

#[test]
fn answers_are_as_they_are_described() {
    run(|executor| async move {
        let (rig, _server, _folder) = started(&executor).await;
        let document = body(&rig.get("/api/v1/openapi.json").await);
        for id in ["skips/call", "hidden/breakfast"] {
            let request = format!("POST /api/v1/{id} HTTP/1.1\r\nHost: localhost\r\n\r\n");
            let answer = rig.ask(&request).await;
            let path = format!("/api/v1/{}/{{id}}", id.split('/').next().expect("a name"));
            let schema = &document["paths"][&path]["post"]["responses"]["201"]["content"];
            judge(&body(&answer), &schema["application/json"]["schema"], &document, &path);
        }
        for (path, query) in [
            ("/api/v1/next", "?limit=3"),
            ("/api/v1/now", ""),
            ("/api/v1/today", ""),
            ("/api/v1/events", "?from=2026-01-05&to=2026-01-20"),
            ("/api/v1/calendars", ""),
            ("/api/v1/skips", ""),
            ("/api/v1/hidden", ""),
            ("/api/v1/setup", ""),
            ("/api/v1/explain", "?id=call"),
            ("/api/v1/history", ""),
            ("/api/v1/openapi.json", ""),
            ("/stats", ""),
            ("/api/admin/config", ""),
            ("/api/admin/flags", ""),
            ("/api/admin/rollout", ""),
        ] {
            let answer = rig.get(&format!("{path}{query}")).await;
            assert_eq!(answer.status, 200, "{path}");
            let schema = &document["paths"][path]["get"]["responses"]["200"]["content"];
            judge(&body(&answer), &schema["application/json"]["schema"], &document, path);
        }
        let problem = &document["components"]["schemas"]["Problem"];
        for path in ["/api/v1/next?limit=0", "/api/v1/nothing", "/feeds/none.ics", "/events/x"] {
            let answer = rig.get(path).await;
            assert_eq!(answer.field("content-type"), Some("application/problem+json"), "{path}");
            judge(&body(&answer), problem, &document, path);
        }
    });
}

/// What people read is as true as what programs do.
#[test]
fn examples_are_as_answers_are_described() {
    let text = include_str!("../../docs/API.md");
    let document = include_str!("../../src/display/assets/openapi.json");
    let document: Value = serde_json::from_str(document).expect("JSON");
    let native = text.split("\n## ").find(|part| part.starts_with("Native")).expect("a part");
    let mut judged = Vec::new();
    for section in native.split("\n### ").skip(1) {
        let path = section.split('`').nth(1).unwrap_or_default().trim_start_matches("GET ");
        let example = section.rsplit_once("```json\n").map(|(_, rest)| rest);
        let example = example.and_then(|rest| rest.split("```").next());
        let schema = &document["paths"][path]["get"]["responses"]["200"]["content"];
        let schema = &schema["application/json"]["schema"];
        if let (Some(example), false) = (example, schema.is_null()) {
            let example = serde_json::from_str(example).expect("JSON");
            if path != "/api/v1/setup" {
                judge(&example, schema, &document, path);
                judged.push(path);
            }
        }
    }
    assert_eq!(
        judged,
        [
            "/api/v1/next",
            "/api/v1/events",
            "/api/v1/calendars",
            "/api/v1/explain",
            "/api/v1/skips",
            "/api/v1/hidden",
            "/api/v1/history",
        ]
    );
}

/// Whatever is wrong with a request for one of our routes is said in the same way.
#[test]
fn every_error_of_our_routes_is_a_problem() {
    run(|executor| async move {
        let (rig, _server, _folder) = started(&executor).await;
        for (request, status) in [
            ("GET /api/v1/nothing HTTP/1.1\r\nHost: localhost\r\n\r\n", 404),
            ("POST /api/v1/next HTTP/1.1\r\nHost: localhost\r\n\r\n", 405),
            ("DELETE /events HTTP/1.1\r\nHost: localhost\r\n\r\n", 405),
            ("BREW /api/v1/next HTTP/1.1\r\nHost: localhost\r\n\r\n", 501),
            ("GET /api/v1/next HTTP/1.1\r\nHost: evil.example\r\n\r\n", 421),
            ("GET /api/v1/next HTTP/1.1\r\n\r\n", 400),
            ("GET /api/v1/next HTTP/2.0\r\nHost: localhost\r\n\r\n", 505),
            (
                "POST /api/v1/refresh HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\n\
                 Content-Type: text/plain\r\n\r\n{}",
                415,
            ),
            (
                "POST /api/v1/refresh HTTP/1.1\r\nHost: localhost\r\nExpect: tea\r\n\
                 Content-Length: 2\r\nContent-Type: application/json\r\n\r\n{}",
                417,
            ),
            (
                "POST /api/v1/refresh HTTP/1.1\r\nHost: localhost\r\nContent-Length: 70000\r\n\
                 Content-Type: application/json\r\n\r\n",
                413,
            ),
            ("POST /api/v1/refresh HTTP/1.1\r\nHost: localhost\r\nOrigin: null\r\n\r\n", 403),
        ] {
            let answer = rig.ask(request).await;
            assert_eq!(answer.status, status, "{request}");
            let media = answer.field("content-type");
            assert_eq!(media, Some("application/problem+json"), "{request}");
            assert_eq!(body(&answer)["status"], status, "{request}");
        }
    });
}

//! Each term of the budget under a real load, against its share.

use std::rc::Rc;
use std::time::Duration;

use smol::future;

use crate::feed_server::{FeedServer, Script, run_within};
use crate::rig::{Client, Rig, configure, folder, toml};

/// The share of the program itself is for the release build, and not for all tests in one.
const NOT_HERE: &str = "program";

async fn client(rig: &Rig, paths: impl Iterator<Item = String>) -> Client {
    let mut client = rig.connect().await;
    let get = |path: String| format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n");
    client.send(paths.map(get).collect::<String>().as_bytes()).await;
    client
}

fn check(rig: &Rig, when: &str) {
    let terms = rig.metrics.memory.terms().filter(|term| term.name() != NOT_HERE);
    for term in terms {
        let (name, share, peak) = (term.name(), term.share(), term.peak());
        println!("{when}: {name:<16} {peak:>9} of {share:>9}");
        assert!(share < u64::MAX, "{name} is in the plan");
        assert!(peak <= share, "{when}: {name} has used {peak} of {share} bytes");
    }
}

#[test]
fn no_term_goes_over_its_share_at_16_mib() {
    run_within(Duration::from_secs(120), |executor| async move {
        let long = "BEGIN:VCALENDAR\r\nVERSION:2.0\r\n".to_owned()
            + &(0..400).map(long_event).collect::<String>()
            + "END:VCALENDAR\r\n";
        let script = Script::new().generated("/many.ics", 5_000).ics("/long.ics", &long);
        let server = FeedServer::start(&executor, script);
        let folder = folder();
        let feeds = [("many", server.url("/many.ics")), ("long", server.url("/long.ics"))];
        let rig = Rc::new(Rig::start(&executor, configure(folder.path(), &toml(&feeds))));
        rig.refreshed(2).await;
        check(&rig, "read");
        // As many clients as there are slots, with the largest answers that there are, of which
        // some are read and some are not.
        let window = |n: usize| {
            format!("/api/v1/events?limit=2000&from=2026-01-01T00:00:{:02}Z&to=2027-01-01", n % 60)
        };
        let mut clients = Vec::new();
        for n in 0..120 {
            let paths: Box<dyn Iterator<Item = String>> = match n % 3 {
                0 => Box::new((n..n + 4).map(window)),
                1 => Box::new(std::iter::once("/".to_owned())),
                _ => Box::new((1..20).map(|limit| format!("/api/v1/next?limit={limit}"))),
            };
            clients.push(client(&rig, paths).await);
        }
        for (n, client) in clients.iter_mut().enumerate().filter(|(n, _)| n % 2 == 0) {
            assert!(client.response().await.is_some() || n % 3 == 0, "client {n}");
        }
        rig.feeds.nudge_all();
        rig.advance(Duration::from_secs(301));
        for _ in 0..1_000 {
            future::yield_now().await;
        }
        rig.refreshed(4).await;
        rig.get("/stats").await;
        check(&rig, "besieged");
        assert_eq!(rig.metrics.memory.over().filter(|term| term.name() != NOT_HERE).count(), 0);
        let used = |name: &str| {
            let term = rig.metrics.memory.terms().find(|term| term.name() == name);
            term.expect("a term").peak()
        };
        // Where nothing was measured, nothing was shown.
        for name in [
            "connections",
            "socket buffers",
            "cache",
            "slow readers",
            "views",
            "database",
            "refreshes",
            "expansion",
            "outbound",
            "feeds",
        ] {
            assert!(used(name) > 0, "{name}");
        }
    });
}

/// What is written longer than it is: titles and places, and then all that there is. All of it
/// comes in every kind of view, whose room is the same as ever.
#[test]
fn no_term_goes_over_its_share_with_hostile_texts_at_8_mib() {
    hostile("8MiB");
}

#[test]
fn no_term_goes_over_its_share_with_hostile_texts_at_16_mib() {
    hostile("16MiB");
}

fn hostile(budget: &'static str) {
    run_within(Duration::from_secs(300), |executor| async move {
        let feed = |event: fn(usize) -> String| {
            let events = (0..500).map(event).collect::<String>();
            format!("BEGIN:VCALENDAR\r\nVERSION:2.0\r\n{events}END:VCALENDAR\r\n")
        };
        let script = Script::new()
            .ics("/titles.ics", &feed(|n| hostile_event(n, "<", 500, 0, 0)))
            .ics("/all.ics", &feed(|n| hostile_event(n, "<", 500, 1500, 50)))
            .ics("/few.ics", &feed(|n| hostile_event(n, "\"", 500 * usize::from(n < 12), 2000, 50)))
            .ics("/long.ics", &feed(|n| hostile_event(n, "x", 40, 2000, 20)));
        let server = FeedServer::start(&executor, script);
        for name in ["titles", "all", "few", "long"] {
            let folder = folder();
            let feed = server.url(&format!("/{name}.ics"));
            let text = format!("memory_budget = \"{budget}\"\n{}", toml(&[(name, feed)]));
            let rig = Rig::start(&executor, configure(folder.path(), &text));
            rig.refreshed(1).await;
            for path in [
                "/api/v1/events?limit=2000",
                "/api/v1/today",
                "/api/v1/next?limit=200",
                "/api/whats-next",
                "/api/whats-next/data",
                "/api/alexa/launch-summary",
                "/api/alexa/morning-summary",
                "/",
                "/day",
                "/week",
                "/agenda?days=60",
                "/month",
                "/api/refresh",
                "/api/layout?layout=3x4",
                "/api/layout?layout=4x8",
                "/calendar",
            ] {
                let answer = rig.get(path).await;
                assert_eq!(answer.status, 200, "{path}: {}", answer.body);
                check(&rig, &format!("{budget} {name} {path}"));
            }
        }
    });
}

/// A meeting with a title and a place, a description and people, all of the same character.
fn hostile_event(n: usize, c: &str, title: usize, told: usize, people: usize) -> String {
    let (day, hour, minute) = (5 + n / 200, 8 + n % 200 / 15, n % 15 * 4);
    let [title, told, name] = [title, told, 480].map(|length| c.repeat(length));
    let name = if c == "x" { "Somebody Something" } else { &name };
    let person = format!("ATTENDEE;CN='{}':mailto:{name}\r\n", name.replace('"', "'"));
    format!(
        "BEGIN:VEVENT\r\nUID:{c}{n}\r\nDTSTART:202601{day:02}T{hour:02}{minute:02}00Z\r\n\
         DURATION:PT25M\r\nSUMMARY:{title}\r\nLOCATION:{title}\r\nDESCRIPTION:{told}\r\n\
         {}END:VEVENT\r\n",
        person.repeat(people)
    )
}

/// A meeting of every day with much to say.
fn long_event(number: usize) -> String {
    let (hour, minute) = (number / 20 % 24, number % 20 * 3);
    let text = "x".repeat(1_000);
    format!(
        "BEGIN:VEVENT\r\nUID:long-{number}\r\nDTSTART:20260101T{hour:02}{minute:02}00Z\r\n\
         RRULE:FREQ=DAILY;COUNT=30\r\nSUMMARY:Meeting {number}\r\nDESCRIPTION:{text}\r\n\
         LOCATION:{text}\r\nEND:VEVENT\r\n"
    )
}

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

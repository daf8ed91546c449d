//! The legacy path: a connection for every fetch and every read, the same answers, and a switch
//! that nobody notices.

use std::rc::Rc;
use std::time::Duration;

use calendarbot::config::Config;
use smol::future;

use crate::feed_server::{FeedServer, Script, run};
use crate::rig::{Rig, configure, folder, toml};
use crate::routes::WORK;

const INTERVAL: Duration = Duration::from_secs(300);

/// Every route that shows what is stored.
const ROUTES: [&str; 8] = [
    "/",
    "/api/v1/next",
    "/api/v1/next?limit=3&tz=America/New_York",
    "/api/v1/events",
    "/api/v1/events?from=2026-01-01&to=2026-02-01&calendar=b",
    "/api/v1/calendars",
    "/api/whats-next",
    "/readyz",
];

/// The configuration with the flag this way; the pipeline is off where `direct` says so, and then
/// every answer is a read.
fn switched(config: &Config, pooling: bool, direct: bool) -> Config {
    let mut config = config.clone();
    config.flags.connection_pooling = pooling;
    config.flags.request_pipeline = !direct;
    config
}

/// A series of fetches and every route after each: the same whichever way connections are had.
#[test]
fn answers_are_the_same_with_a_connection_for_each_fetch_and_read() {
    run(|executor| async move {
        let mut seen = Vec::new();
        // The same server, whose port is in what people are told.
        let server = FeedServer::start(&executor, Script::new());
        for pooling in [true, false] {
            let folder = folder();
            // So small a budget refreshes one feed after the other.
            let text = toml(&[("a", server.url("/a.ics")), ("b", server.url("/b.ics"))]);
            let text = format!("memory_budget = \"12MiB\"\n{text}");
            let config = switched(&configure(folder.path(), &text), pooling, false);
            let script = |title| {
                let text = WORK.replace("Stand-up", title);
                Script::new().ics("/a.ics", &text).ics("/b.ics", WORK).etag(title)
            };
            server.set(script("\"1\""));
            let rig = Rig::start(&executor, config);
            let mut answers = Vec::new();
            // The third fetch brings nothing new.
            for (round, title) in ["\"1\"", "\"2\"", "\"2\"", "\"3\""].into_iter().enumerate() {
                server.set(script(title));
                if round > 0 {
                    rig.advance(INTERVAL);
                }
                rig.refreshed(2 * (round as u64 + 1)).await;
                for route in ROUTES {
                    let answer = rig.get(route).await;
                    answers.push((route, answer.status, answer.body));
                }
            }
            let reused = [&rig.metrics.outbound_reused, &rig.metrics.readers_reused];
            assert_eq!(reused.map(|metric| metric.get() > 0), [pooling; 2]);
            assert!(answers.iter().all(|(_, status, _)| *status == 200));
            seen.push(answers);
        }
        for (pooled, legacy) in seen[0].iter().zip(&seen[1]) {
            assert_eq!(pooled, legacy);
        }
    });
}

/// Clients ask without a pause, some with half a request on the way, while the flag is turned:
/// everybody is answered on the connection that they have.
#[test]
fn a_switch_while_it_runs_loses_no_request() {
    run(|executor| async move {
        let server = FeedServer::start(&executor, Script::new().ics("/a.ics", WORK));
        let folder = folder();
        let config = configure(folder.path(), &toml(&[("a", server.url("/a.ics"))]));
        let rig = Rc::new(Rig::start(&executor, config.clone()));
        rig.refreshed(1).await;
        let expected = rig.get("/api/v1/events").await.body;
        let (stop, stopped) = async_channel::bounded::<()>(1);
        let asking: Vec<_> = (0..4)
            .map(|_| {
                let (rig, stopped, expected) = (Rc::clone(&rig), stopped.clone(), expected.clone());
                executor.spawn(async move {
                    let mut client = rig.connect().await;
                    let mut answered = 0;
                    while !stopped.is_closed() {
                        client.send(b"GET /api/v1/events HTTP/1.1\r\n").await;
                        future::yield_now().await;
                        client.send(b"Host: localhost\r\n\r\n").await;
                        let answer = client.response().await.expect("an answer");
                        assert_eq!((answer.status, answer.body == expected), (200, true));
                        answered += 1;
                    }
                    answered
                })
            })
            .collect();
        for turn in 0..10 {
            let mut half = rig.connect().await;
            half.send(b"GET /api/v1/events HTTP/1.1\r\n").await;
            let (pooling, direct) = (turn % 2 == 1, turn % 4 < 2);
            let generation = rig.feeds.generation();
            let opened = rig.metrics.readers_opened.get();
            rig.reload(switched(&config, pooling, direct)).await;
            rig.until(|rig| rig.feeds.generation() > generation).await;
            half.send(b"Host: localhost\r\n\r\n").await;
            let answer = half.response().await.expect("an answer");
            assert_eq!((answer.status, answer.body == expected), (200, true));
            if !pooling {
                // It is the other path indeed.
                rig.until(|rig| rig.metrics.readers_opened.get() > opened).await;
            }
        }
        drop((stop, stopped));
        for asking in asking {
            assert!(asking.await > 0);
        }
        assert_eq!(rig.metrics.http_5xx.get(), 0);
    });
}

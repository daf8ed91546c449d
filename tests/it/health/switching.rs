//! Every flag is turned this way and that while many ask: everybody is answered, rightly, on the
//! connection that they have, and the next request goes the new way.

use calendarbot::flags::switches::By;
use calendarbot::flags::{Flag, Flags};
use smol::future;

use super::*;
use crate::feed_server::run_within;

const CLIENTS: usize = 64;
const TURNS: usize = 100;
const PATHS: [&str; 4] = ["/api/v1/events", "/api/v1/next", "/", "/api/whats-next"];

#[test]
fn every_flag_is_turned_a_hundred_times_under_load_and_nobody_notices() {
    run_within(Duration::from_secs(110), |executor| async move {
        let model = turned(&knob(()), |_, ()| {});
        let bench = Bench::start(&executor, "", model, |it| &it.alert_memory_usage_mb).await;
        let rig = Rc::clone(&bench.rig);
        let mut expected = Vec::new();
        for path in PATHS {
            expected.push(rig.get(path).await.body);
        }
        let expected = Rc::new(expected);
        let (stop, stopped) = async_channel::bounded::<()>(1);
        let asking: Vec<_> = (0..CLIENTS)
            .map(|number| {
                let (rig, stopped, expected) =
                    (Rc::clone(&rig), stopped.clone(), Rc::clone(&expected));
                executor.spawn(async move {
                    let mut client = rig.connect().await;
                    let mut answered = 0;
                    while !stopped.is_closed() {
                        let place = (number + answered) % PATHS.len();
                        let request =
                            format!("GET {} HTTP/1.1\r\nHost: localhost\r\n\r\n", PATHS[place]);
                        client.send(request.as_bytes()).await;
                        let answer = client.response().await.expect("an answer");
                        assert_eq!((answer.status, answer.body == expected[place]), (200, true));
                        answered += 1;
                    }
                    answered
                })
            })
            .collect();
        let now = rig.clock.wall();
        let mut client = rig.connect().await;
        for flag in Flag::ALL {
            for turn in 0..TURNS {
                for on in [false, true] {
                    rig.switches.change(|switches| switches.turn(flag, on, "a test", now));
                    let before = Seen::of(&rig.metrics);
                    client.send(b"GET /api/v1/events HTTP/1.1\r\nHost: localhost\r\n\r\n").await;
                    let answer = client.response().await.expect("an answer");
                    assert_eq!((answer.status, answer.body == expected[0]), (200, true));
                    before.check(flag, on, &Seen::of(&rig.metrics), turn);
                    future::yield_now().await;
                }
            }
            let switch = rig.switches.read().switch(flag).clone();
            assert_eq!((switch.on, switch.by, &*switch.why), (true, By::Api, "a test"));
            rig.switches.change(|switches| switches.clear(flag));
        }
        drop((stop, stopped));
        for asking in asking {
            assert!(asking.await >= TURNS);
        }
        assert_eq!(rig.switches.read().flags(), Flags::ON);
        assert_eq!(rig.metrics.http_5xx.get(), 0);
        assert_eq!(rig.metrics.slab_evicted.get() + rig.metrics.deadline_closed.get(), 0);
    });
}

/// What tells which way a request has gone.
struct Seen {
    hits: u64,
    joined: u64,
    misses: u64,
    reused: u64,
    warmed: u64,
    /// Keys beyond the first of each turn.
    batched: i64,
}

impl Seen {
    fn of(metrics: &Metrics) -> Self {
        Self {
            hits: metrics.cache_hits.get(),
            joined: metrics.pipeline_joined.get(),
            misses: metrics.cache_misses.get(),
            reused: metrics.readers_reused.get(),
            warmed: metrics.pipeline_warmed.get(),
            batched: metrics.pipeline_drained.get() as i64 - metrics.pipeline_turns.get() as i64,
        }
    }

    /// Nobody has gone the way that is off since this was seen.
    fn check(&self, flag: Flag, on: bool, after: &Self, turn: usize) {
        if on {
            return;
        }
        match flag {
            Flag::RequestPipeline => {
                let ways = |seen: &Self| (seen.hits, seen.joined, seen.misses);
                assert_eq!(ways(self), ways(after), "{turn}");
            }
            Flag::Caching => assert_eq!(self.hits, after.hits, "{turn}"),
            Flag::Deduplication => assert_eq!(self.joined, after.joined, "{turn}"),
            Flag::ConnectionPooling => assert_eq!(self.reused, after.reused, "{turn}"),
            // A turn at once has no key that was taken into it.
            Flag::Batching => assert!(self.batched >= after.batched, "{turn}"),
            Flag::Warming => assert_eq!(self.warmed, after.warmed, "{turn}"),
        }
    }
}

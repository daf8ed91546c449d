//! One loop for each pressure.

use super::*;
use crate::feed_server::{Reply, Step, run, run_within};

/// A day of its own for each number.
fn day(number: usize) -> String {
    let day = |number: usize| format!("2026-{:02}-{:02}", 1 + number / 28, 1 + number % 28);
    format!("/api/v1/events?from={}&to={}", day(number), day(number + 1))
}

#[test]
fn memory_is_given_back_until_there_is_enough_of_it() {
    run_within(Duration::from_secs(60), |executor| async move {
        // A full cache takes the process from 6 MB to 13.
        let full_bytes = knob(u64::MAX);
        let model: Model = Box::new({
            let full_bytes = Rc::clone(&full_bytes);
            move |app| {
                let (metrics, full_bytes) = (app.metrics(), Rc::clone(&full_bytes));
                Box::new(move || {
                    let cache_bytes = metrics.cache_bytes.get() as f64 / full_bytes.get() as f64;
                    Machine { memory_bytes: 6_000_000 + (7e6 * cache_bytes) as u64, ..ROOMY }
                })
            }
        });
        let mut bench = Bench::start(&executor, "", model, |it| &it.alert_memory_usage_mb).await;
        for number in 0..300 {
            bench.rig.get(&format!("{}&limit=9", day(number))).await;
            bench.rig.get(&format!("/api/v1/next?limit={}", 1 + number % 200)).await;
        }
        full_bytes.set(bench.get(|it| &it.cache_bytes));
        let evicted = bench.get(|it| &it.cache_evicted);
        bench.until("an alert", |rig| rig.metrics.alert_memory_usage_mb.get() == 1).await;
        assert_eq!(bench.get(|it| &it.posture), 1);
        let stats = bench.rig.get("/stats").await.body;
        assert!(stats.contains("\"posture\":\"lean\""), "{stats}");
        let done = "\"done\":[\"evict_cache\",\"release_memory\",\"shrink_readers\"]";
        assert!(stats.contains(done), "{stats}");
        assert!(bench.get(|it| &it.cache_evicted) > evicted);
        assert_eq!(bench.get(|it| &it.outbound_idle), 0);
        bench.until("its end", |rig| rig.metrics.alert_memory_usage_mb.get() == 0).await;
        assert!(bench.is_well());
        assert_eq!(bench.levels, [0, 1, 0]);
        assert_eq!(bench.get(|it| &it.responses_undone), 3);
        // The whole share is there again.
        let kept = bench.get(|it| &it.cache_bytes);
        for number in 0..300 {
            bench.rig.get(&format!("{}&limit=9", day(number))).await;
            bench.rig.get(&format!("/api/v1/next?limit={}", 1 + number % 200)).await;
        }
        assert!(bench.get(|it| &it.cache_bytes) > kept * 5 / 4, "{kept}");
    });
}

#[test]
fn a_busy_processor_is_spared_until_it_is_not_busy() {
    run_within(Duration::from_secs(60), |executor| async move {
        // Every answer takes 175 ms, and one that is refused takes nothing.
        let model: Model = Box::new(|app| {
            let metrics = app.metrics();
            Box::new(move || {
                let made = metrics.http_requests.get() - metrics.http_limited.get();
                Machine { cpu_time: Duration::from_millis(175) * made as u32, ..ROOMY }
            })
        });
        let further = "rate_limit = 4\ntrusted_proxies = [\"127.0.0.1\"]";
        let mut bench =
            Bench::start(&executor, further, model, |it| &it.alert_cpu_usage_percent).await;
        let mut client = bench.rig.connect().await;
        let ask = "GET /readyz HTTP/1.1\r\nHost: localhost\r\nX-Forwarded-For: 192.0.2.7\r\n\r\n";
        let mut answered = Vec::new();
        for second in 0..900 {
            // Somebody asks twice as often as they may, for ten minutes.
            let mut count = 0;
            for _ in 0..if second < 600 { 8 } else { 1 } {
                client.send(ask.as_bytes()).await;
                let answer = client.response().await.expect("an answer");
                count += usize::from(answer.status == 200);
            }
            answered.push(count);
            let before = bench.get(|it| &it.alert_cpu_usage_percent);
            bench.tick().await;
            let now = bench.get(|it| &it.alert_cpu_usage_percent);
            if (before, now) == (0, 1) {
                assert_eq!(answered[second - 1], 4);
                assert!(!bench.rig.switches.read().flags().warming);
                assert!(bench.rig.switches.read().flags().batching);
            } else if (before, now) == (1, 0) && second < 600 {
                assert_eq!(answered[second - 1], 2, "it has been spared");
            }
        }
        // The pressure went on, and so the loop did more than once; each time it was entered once.
        assert!(bench.levels.starts_with(&[0, 1, 0]), "{:?}", bench.levels);
        let entered = bench.levels.iter().filter(|level| **level == 1).count() as u64;
        assert_eq!(bench.get(|it| &it.alerts_entered), entered, "{:?}", bench.levels);
        assert_eq!(bench.get(|it| &it.response_halve_rate), entered);
        assert_eq!(bench.get(|it| &it.responses_undone), 4 * entered);
        assert!(bench.is_well());
        assert!(bench.rig.switches.read().flags().warming);
    });
}

#[test]
fn heat_ends_what_can_wait_until_it_is_cool() {
    run(|executor| async move {
        // 15 degrees of it come from what is made ahead.
        let outside = knob(60.0);
        let model: Model = Box::new({
            let outside = Rc::clone(&outside);
            move |app| {
                let (switches, outside) = (app.switches(), Rc::clone(&outside));
                Box::new(move || {
                    let warming = if switches.read().flags().warming { 15.0 } else { 0.0 };
                    Machine { celsius: Some(outside.get() + warming), ..ROOMY }
                })
            }
        });
        let mut bench = Bench::start(&executor, "", model, |it| &it.alert_temperature).await;
        bench.until("an alert", |rig| rig.metrics.alert_temperature.get() == 1).await;
        let stats = bench.rig.get("/stats").await.body;
        let off = "\"warming\",\"on\":false,\"effective\":false,\"by\":\"automatic\"";
        assert!(stats.contains(off), "{stats}");
        let refreshes = bench.get(|it| &it.refreshes);
        outside.set(45.0);
        bench.until("its end", |rig| rig.metrics.alert_temperature.get() == 0).await;
        assert!(bench.is_well() && bench.rig.switches.read().flags().warming);
        bench.pass(60).await;
        assert_eq!(bench.levels, [0, 1, 0]);
        assert_eq!(bench.get(|it| &it.refreshes), refreshes);
        assert_eq!(bench.get(|it| &it.response_stop_warming), 1);
        assert_eq!(bench.get(|it| &it.response_stretch_refresh), 1);
    });
}

/// A hot machine fetches half as often.
#[test]
fn refreshes_are_stretched_and_come_back() {
    run(|executor| async move {
        let celsius = knob(50.0);
        let model = turned(&celsius, |machine, celsius| machine.celsius = Some(celsius));
        let mut bench = Bench::start(&executor, "", model, |it| &it.alert_temperature).await;
        let mut refreshes = Vec::new();
        for hot in [false, true, false] {
            celsius.set(if hot { 75.0 } else { 50.0 });
            bench.pass(600).await;
            let before = bench.get(|it| &it.refreshes);
            bench.pass(3600).await;
            refreshes.push(bench.get(|it| &it.refreshes) - before);
        }
        // A refresh takes a second or so of this clock, too.
        let [before, hot, after] = refreshes[..] else { panic!("{refreshes:?}") };
        assert!((11..=12).contains(&before) && (11..=12).contains(&after), "{refreshes:?}");
        assert!((5..=6).contains(&hot), "{refreshes:?}");
    });
}

/// Whoever waits does not wait for what is over.
#[test]
fn a_feed_that_waits_follows_the_pace() {
    run(|executor| async move {
        let (cool, hot, full) = ((50.0, 8_000_000), (75.0, 8_000_000), (50.0, 17_000_000));
        let state = knob(cool);
        let model = turned(&state, |machine, (celsius, bytes)| {
            (machine.celsius, machine.memory_bytes) = (Some(celsius), bytes);
        });
        let mut bench = Bench::start(&executor, "", model, |it| &it.alert_temperature).await;
        let next_due = |bench: &Bench| {
            let now = bench.rig.clock.wall();
            let due = bench.rig.feeds.list()[0].status(now).next_due.expect("a time");
            due.duration_since(now).as_secs()
        };
        assert_eq!(next_due(&bench), 300);
        state.set(hot);
        bench.until("an alert", |rig| rig.metrics.alert_temperature.get() == 1).await;
        let waited = 300 - (next_due(&bench) - 300);
        assert!((10..60).contains(&waited), "{waited}");
        bench.pass(330).await;
        assert_eq!(bench.get(|it| &it.refreshes), 1);
        state.set(cool);
        bench.until("its end", |rig| rig.metrics.alert_temperature.get() == 0).await;
        // It was due a while ago; no time passes while this waits.
        bench.rig.refreshed(2).await;
        state.set(full);
        bench.until("shedding", |rig| rig.metrics.posture.get() == 2).await;
        bench.pass(400).await;
        assert_eq!(bench.get(|it| &it.refreshes), 2, "nothing is fetched");
        state.set(cool);
        bench.until("its end", |rig| rig.metrics.posture.get() == 0).await;
        bench.rig.refreshed(3).await;
    });
}

#[test]
fn an_exhausted_pool_grows_until_it_is_enough() {
    run_within(Duration::from_secs(60), |executor| async move {
        let server = FeedServer::start(
            &executor,
            Script::new().reply("/a.ics", Reply::new([Step::Stall])).ics("/b.ics", WORK),
        );
        let folder = folder();
        let feeds = toml(&[("a", server.url("/a.ics")), ("b", server.url("/b.ics"))]);
        let text = format!("refresh_interval = 60\noutbound.connections = 1\n{feeds}");
        let config = configure(folder.path(), &text);
        let rig = Rig::start(&executor, config);
        let mut bench = Bench::of(rig, server, folder, |it| &it.alert_connection_pool_exhaustion);
        bench.stalled = 1;
        let is_entered = |rig: &Rig| rig.metrics.alert_connection_pool_exhaustion.get() > 0;
        bench.until("an alert", is_entered).await;
        assert!(bench.get(|it| &it.outbound_refused) > 0);
        let (refreshes, refused) =
            (bench.get(|it| &it.refreshes), bench.get(|it| &it.outbound_refused));
        // Both must be at it at the same time, which two threads have a part in.
        for round in 0..40 {
            if round >= 10 && bench.get(|it| &it.outbound_beyond) > 0 {
                break;
            }
            bench.rig.feeds.nudge_all();
            bench.pass(31).await;
        }
        assert!(bench.get(|it| &it.outbound_beyond) > 0, "each for one request");
        bench.until("a refresh", |rig| rig.metrics.refreshes.get() > refreshes).await;
        assert_eq!(bench.get(|it| &it.outbound_refused), refused);
        assert!(bench.get(|it| &it.outbound_idle) <= 1);
        assert_eq!(bench.rig.metrics.memory.outbound.times_over(), 0);
        // The server that takes all the time is quick again.
        bench.server.set(Script::new().ics("/a.ics", WORK).ics("/b.ics", WORK));
        bench.until("its end", |rig| !is_entered(rig)).await;
        assert!(bench.is_well());
        assert_eq!(bench.get(|it| &it.response_grow_pool), 1);
        assert!(matches!(bench.levels[..], [0, 1, 0] | [0, 2, 0] | [0, 1, 2, 0] | [0, 1, 2, 1, 0]));
    });
}

#[test]
fn a_cache_that_thrashes_is_adjusted_until_it_hits() {
    run_within(Duration::from_secs(90), |executor| async move {
        let mut bench = Bench::start(
            &executor,
            "refresh_interval = \"24h\"",
            turned(&knob(()), |_, ()| {}),
            |it| &it.alert_cache_memory_pressure,
        )
        .await;
        // One more than there is room for, and a tenth.
        let mut fit = 0;
        while bench.get(|it| &it.ranges_evicted) == 0 {
            bench.rig.get(&day(fit)).await;
            fit += 1;
        }
        let many = fit * 11 / 10;
        let rate =
            |bench: &Bench| (bench.get(|it| &it.cache_hits), bench.get(|it| &it.cache_misses));
        let mut before = rate(&bench);
        let mut ratios = Vec::new();
        for round in 0..240 {
            // Later only what there is room for.
            let asked = if round < 150 { many } else { fit / 2 };
            for number in 0..asked {
                bench.rig.get(&day(number)).await;
            }
            bench.pass(10).await;
            if round % 30 == 29 {
                let (hits, misses) = rate(&bench);
                ratios.push(100 * (hits - before.0) / (hits + misses - before.0 - before.1));
                before = (hits, misses);
            }
        }
        let started = bench.get(|it| &it.response_tune_cache);
        assert!(started >= 1, "{ratios:?}");
        assert!(ratios[0] < 50, "{ratios:?}");
        assert!(ratios[2..].iter().any(|ratio| *ratio > 55), "{ratios:?}");
        assert!(bench.is_well(), "{ratios:?}");
    });
}

/// There is nothing to show, which is no fault; from second 300 to 600 it is as if answers could not
/// be made, and no configuration has served well.
#[test]
fn what_fails_is_told_and_what_is_refused_is_not() {
    run_within(Duration::from_secs(60), |executor| async move {
        let server = FeedServer::start(&executor, Script::new());
        let folder = folder();
        let config = configure(folder.path(), &toml(&[("a", server.url("/a.ics"))]));
        let rig = Rig::start(&executor, config);
        rig.failed(1).await;
        let mut bench = Bench::of(rig, server, folder, |it| &it.alert_error_rate_percent);
        for second in 0..1100 {
            assert_eq!(bench.rig.get("/api/v1/next").await.status, 503);
            if (300..600).contains(&second) {
                bench.rig.metrics.http_failed.count();
            }
            bench.tick().await;
            assert!(second >= 300 || bench.levels == [0], "{second}");
        }
        assert_eq!(bench.levels, [0, 1, 2, 1, 0]);
        assert_eq!(bench.get(|it| &it.rollback_reverts), 0, "there is nothing to go back to");
        assert!(bench.is_well());
    });
}

/// Requests are timed from when they are read, so that theirs does not show it.
#[test]
fn a_loop_that_is_late_is_told_until_it_is_not() {
    run(|executor| async move {
        let model = turned(&knob(()), |_, ()| {});
        let bench = Bench::start(&executor, "", model, |it| &it.alert_request_latency_ms).await;
        // Nobody asks: it is to be woken every ten seconds.
        for (seconds, late_ms, level) in [(12, 2000, 1), (10, 0, 0)] {
            for _ in 0..10 {
                bench.rig.advance(SECOND * seconds);
                settle().await;
            }
            assert_eq!(bench.get(|it| &it.loop_late_ms), late_ms);
            assert_eq!(bench.get(|it| &it.alert_request_latency_ms), level);
        }
    });
}

#[test]
fn data_that_grows_old_is_told_until_it_is_new() {
    run(|executor| async move {
        let model = turned(&knob(()), |_, ()| {});
        let mut bench = Bench::start(&executor, "", model, |it| &it.alert_feed_stale).await;
        bench.server.set(Script::new());
        bench.until("an alert", |rig| rig.metrics.alert_feed_stale.get() == 1).await;
        bench.server.set(Script::new().ics("/a.ics", WORK));
        // Left alone it may wait for an hour by now.
        bench.rig.feeds.nudge_all();
        bench.until("its end", |rig| rig.metrics.alert_feed_stale.get() == 0).await;
        assert_eq!(bench.levels, [0, 1, 0]);
    });
}

#[test]
fn a_clock_that_is_not_set_is_told_until_it_is() {
    run(|executor| async move {
        let folder = folder();
        let config = configure(folder.path(), "time_zone = \"Europe/Berlin\"\n");
        let rig = Rig::start_at(&executor, config, "1970-01-01T00:00:00Z");
        let server = FeedServer::start(&executor, Script::new());
        let mut bench = Bench::of(rig, server, folder, |it| &it.alert_clock_not_set);
        bench.until("an alert", |rig| rig.metrics.alert_clock_not_set.get() == 1).await;
        bench.rig.clock.set_wall(NOW.parse().expect("a time"));
        bench.until("its end", |rig| rig.metrics.alert_clock_not_set.get() == 0).await;
        assert_eq!(bench.levels, [0, 1, 0]);
    });
}

#[test]
fn a_database_that_cannot_be_written_is_told_until_it_can() {
    run(|executor| async move {
        let server = FeedServer::start(&executor, Script::new().ics("/a.ics", WORK));
        let folder = folder();
        let config = configure(folder.path(), &toml(&[("a", server.url("/a.ics"))]));
        // A folder in the place of a file stands for a disk on which none can be made.
        let obstacle = folder.path().join("staging.db");
        std::fs::create_dir(&obstacle).expect("made");
        let rig = Rig::start(&executor, config);
        let mut bench = Bench::of(rig, server, folder, |it| &it.alert_store_errors);
        bench.until("an alert", |rig| rig.metrics.alert_store_errors.get() == 1).await;
        std::fs::remove_dir(&obstacle).expect("removed");
        // The writer's thread has a time of its own.
        bench.rig.feeds.nudge_all();
        bench.pass(31).await;
        bench.rig.refreshed(1).await;
        bench.until("its end", |rig| rig.metrics.alert_store_errors.get() == 0).await;
        assert_eq!(bench.levels, [0, 1, 0]);
        assert!(bench.get(|it| &it.refreshes) > 0);
    });
}

#[test]
fn a_disk_that_fills_is_told_until_there_is_room() {
    run(|executor| async move {
        let free = knob(1_u64 << 30);
        let model = turned(&free, |machine, free| machine.disk_free_bytes = Some(free));
        let mut bench = Bench::start(&executor, "", model, |it| &it.alert_disk_low).await;
        bench.pass(60).await;
        free.set(10 << 20);
        bench.until("an alert", |rig| rig.metrics.alert_disk_low.get() == 1).await;
        // A little more than there should be is not enough.
        free.set(65 << 20);
        bench.pass(300).await;
        free.set(80 << 20);
        bench.until("its end", |rig| rig.metrics.alert_disk_low.get() == 0).await;
        assert_eq!(bench.levels, [0, 1, 0]);
    });
}

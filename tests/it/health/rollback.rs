//! Parts that do harm go, and come back.

use calendarbot::flags::{Flag, Flags};

use super::*;
use crate::feed_server::run_within;

/// Memory that stays critical until there is no cache.
#[test]
fn memory_that_resists_ends_in_shedding_and_without_a_cache_and_all_of_it_is_undone() {
    run_within(Duration::from_secs(60), |executor| async move {
        let leak = knob(false);
        let model: Model = Box::new({
            let leak = Rc::clone(&leak);
            move |app| {
                let (switches, leak) = (app.switches(), Rc::clone(&leak));
                Box::new(move || {
                    let is_critical = leak.get() && switches.read().flags().caching;
                    Machine {
                        memory_bytes: if is_critical { 17_000_000 } else { 8_000_000 },
                        ..ROOMY
                    }
                })
            }
        });
        let mut bench = Bench::start(&executor, "", model, |it| &it.alert_memory_usage_mb).await;
        leak.set(true);
        bench.until("shedding", |rig| rig.metrics.posture.get() == 2).await;
        let large = "/api/v1/events?from=2026-01-01&to=2026-03-01";
        assert_eq!(bench.rig.get(large).await.status, 503);
        assert_eq!(bench.rig.get("/api/v1/events").await.status, 200);
        let refreshes = bench.get(|it| &it.refreshes);
        bench.until("a part off", |rig| rig.metrics.rollback_parts_off.get() == 1).await;
        assert_eq!(bench.rig.switches.read().flags(), Flags { caching: false, ..Flags::ON });
        let stats = bench.rig.get("/stats").await.body;
        assert!(stats.contains("memory stayed critical whatever was done"), "{stats}");
        assert_eq!(bench.rig.get("/api/v1/next").await.json("title"), "Stand-up");
        assert_eq!(bench.get(|it| &it.refreshes), refreshes);
        leak.set(false);
        bench.until("its end", |rig| rig.metrics.rollback_parts_off.get() == 0).await;
        assert!(bench.is_well());
        assert_eq!(bench.rig.switches.read().flags(), Flags::ON);
        assert_eq!(bench.rig.get(large).await.status, 200);
        assert_eq!(bench.levels, [0, 2, 0]);
        assert_eq!(bench.get(|it| &it.rollback_switched_off), 1);
        assert_eq!(bench.get(|it| &it.rollback_brought_back), 1);
    });
}

/// Answers take five times as long with batches, which only shows when these are switched off.
#[test]
fn the_part_that_makes_answers_slow_is_found_and_comes_back() {
    run_within(Duration::from_secs(60), |executor| async move {
        let model = turned(&knob(()), |_, ()| {});
        let mut bench = Bench::start(&executor, "", model, |it| &it.alert_request_latency_ms).await;
        let (metrics, switches) = (Rc::clone(&bench.rig.metrics), Rc::clone(&bench.rig.switches));
        let mut gone = Vec::new();
        for second in 0..3600 {
            let is_slow = (1200..2400).contains(&second) && switches.read().flags().batching;
            let took = Duration::from_millis(if is_slow { 450 } else { 90 });
            metrics.request_seconds.record_times(took, 5);
            metrics.http_requests.add(5);
            let before = switches.read().flags();
            bench.tick().await;
            let now = switches.read().flags();
            for flag in Flag::ALL {
                match (before.is_on(flag), now.is_on(flag)) {
                    (true, false) => gone.push((flag, "off")),
                    (false, true) => gone.push((flag, "on")),
                    _ => {}
                }
            }
        }
        let warming = [(Flag::Warming, "off"), (Flag::Warming, "on")];
        let batching = [(Flag::Batching, "off"), (Flag::Batching, "on")];
        let again = gone.split_off(4);
        assert_eq!(gone, [warming, batching].concat());
        // It came back while it still did harm, and had to go once more.
        assert!(again.is_empty() || again == [warming, batching].concat(), "{again:?}");
        assert!(bench.levels.starts_with(&[0, 2, 0]), "{:?}", bench.levels);
        assert!(bench.is_well());
        assert_eq!(switches.read().flags(), Flags::ON);
    });
}

//! From readings to steps: each alert's figure and bounds, and what is learned.

use super::*;
use crate::config::usual_health;
use crate::metrics::histogram::BOUNDS_US;

const BUDGET: usize = 16 << 20;

/// A reading of a program that is well, at a second since the start.
fn well(second: u64) -> Reading {
    Reading {
        counters: Counters { requests: 5 * second, cache_hits: 5 * second, ..Counters::default() },
        latencies: [0; _],
        latencies_with: [0; _],
        latencies_without: [0; _],
        late_ms: 0,
        memory_bytes: 8_000_000,
        celsius: Some(45.0),
        pool_percent: 12.5,
        cache_percent: 60.0,
        feed_age: Some((120.0, 300.0)),
        clock_is_set: true,
        is_writable: true,
        disk_free_bytes: Some(1 << 30),
        terms_over: 0,
        times_over: 0,
        flags: (Flags::ON, Flags::OFF),
    }
}

fn at(second: u64) -> (Moment, Timestamp) {
    let wall = Timestamp::from_second(1_800_000_000 + second as i64).expect("a time");
    (Moment::default() + Duration::from_secs(second), wall)
}

fn health() -> Health {
    Health::new(usual_health(), BUDGET, None, None)
}

/// The edges of an alert, each with its second, level and threshold in tenths.
fn edges(
    health: &mut Health,
    alert: Alert,
    seconds: std::ops::Range<u64>,
    reading: impl Fn(u64) -> Reading,
) -> Vec<(u64, Level, i32)> {
    let mut edges = Vec::new();
    for second in seconds {
        let (now, wall) = at(second);
        for step in health.step(&reading(second), now, wall) {
            if let Step::Alert(edge) = step
                && edge.alert == alert
            {
                edges.push((second, edge.to, (edge.threshold * 10.0).round() as i32));
            }
        }
    }
    edges
}

/// Each figure is over its bounds from second 400 to second 800 and then well again.
#[test]
fn every_alert_is_entered_once_and_is_over_once() {
    use Level::{Critical, Quiet, Warning};
    type Change = fn(&mut Reading, u64);
    type Row = (Alert, Change, &'static [(u64, Level, i32)]);
    let table: [Row; 16] = [
        (
            Alert::Memory,
            |it, _| it.memory_bytes = 13_000_000,
            &[(410, Warning, 126), (860, Quiet, 113)],
        ),
        (
            Alert::Memory,
            |it, _| it.memory_bytes = 17_000_000,
            &[(410, Critical, 159), (860, Quiet, 143)],
        ),
        // Nothing is usual yet: a latency is only compared with what nobody likes.
        (
            Alert::Latency,
            |it, second| it.latencies[17] = 10 * (second - 400),
            &[(411, Warning, 10_000), (920, Quiet, 9_000)],
        ),
        (Alert::Latency, |it, _| it.late_ms = 1200, &[(410, Warning, 10_000), (860, Quiet, 9_000)]),
        (
            Alert::Cpu,
            |it, second| it.counters.cpu_us = 700_000 * (second - 400),
            &[(470, Warning, 600), (875, Quiet, 540)],
        ),
        (
            Alert::Cpu,
            |it, second| it.counters.cpu_us = 950_000 * (second - 400),
            &[(450, Warning, 600), (464, Critical, 800), (876, Warning, 720), (890, Quiet, 540)],
        ),
        (Alert::Errors, |it, second| it.counters.failed = second - 400, &[]),
        (Alert::Pool, |it, _| it.pool_percent = 90.0, &[(410, Warning, 850), (860, Quiet, 765)]),
        (Alert::Pool, |it, second| it.counters.pool_refused = second - 400, &[]),
        (Alert::Cache, |it, _| it.cache_percent = 92.0, &[(460, Warning, 900), (860, Quiet, 810)]),
        (
            Alert::Temperature,
            |it, _| it.celsius = Some(85.0),
            &[(410, Critical, 800), (860, Quiet, 720)],
        ),
        (
            Alert::FeedStale,
            |it, _| it.feed_age = Some((901.0, 300.0)),
            &[(400, Warning, 9_000), (800, Quiet, 8_100)],
        ),
        (
            Alert::ClockNotSet,
            |it, _| it.clock_is_set = false,
            &[(460, Warning, 10), (860, Quiet, 9)],
        ),
        (
            Alert::StoreErrors,
            |it, _| it.is_writable = false,
            &[(400, Warning, 10), (860, Quiet, 9)],
        ),
        (
            Alert::DiskLow,
            |it, _| it.disk_free_bytes = Some(10 << 20),
            &[(410, Warning, 0), (860, Quiet, -67)],
        ),
        (Alert::BudgetTermOver, |it, _| it.terms_over = 2, &[(400, Warning, 10), (860, Quiet, 9)]),
    ];
    for (alert, change, expected) in table {
        let mut health = health();
        let found = edges(&mut health, alert, 0..1200, |second| {
            let mut reading = well(second);
            if (400..800).contains(&second) {
                change(&mut reading, second);
            } else if second >= 800 {
                // Counters do not fall.
                let mut last = well(800);
                change(&mut last, 800);
                reading.latencies = last.latencies;
                reading.counters.cpu_us = last.counters.cpu_us;
                reading.counters.failed = last.counters.failed;
                reading.counters.pool_refused = last.counters.pool_refused;
            }
            reading
        });
        if expected.is_empty() {
            let levels: Vec<_> = found.iter().map(|(_, level, _)| *level).collect();
            assert_eq!((levels[0], *levels.last().expect("one")), (Warning.max(levels[0]), Quiet));
        } else {
            assert_eq!(found, expected, "{alert:?}");
        }
        assert_eq!(health.posture(), Posture::Normal, "{alert:?}");
        assert!(Action::ALL.into_iter().all(|action| !health.is_active(action)), "{alert:?}");
    }
}

/// Answers a second, all in one bucket.
fn answers(buckets: &[(usize, u64)], second: u64) -> Reading {
    let mut reading = well(second);
    for (bucket, count) in buckets {
        reading.latencies[*bucket] = *count;
        reading.counters.latency_us += count * BOUNDS_US[*bucket];
    }
    reading
}

#[test]
fn what_is_usual_is_learned_while_nothing_is_wrong_and_twice_as_much_is_critical() {
    let mut health = health();
    // A quarter of an hour of answers of up to 100 ms.
    edges(&mut health, Alert::Latency, 0..900, |second| answers(&[(12, second)], second));
    let usual = *health.usual();
    assert!(usual.is_known() && (90.0..100.0).contains(&usual.p95_ms), "{usual:?}");
    // And then of up to half a second.
    let slow = |second: u64| answers(&[(12, 900), (15, second - 900)], second);
    let found = edges(&mut health, Alert::Latency, 900..1300, slow);
    let [(second, Level::Critical, bound)] = found[..] else { panic!("{found:?}") };
    assert!((1083..1200).contains(&second), "{second}");
    assert_eq!(bound, (20.0 * usual.p95_ms).round() as i32);
    assert_eq!(health.usual().p95_ms, usual.p95_ms, "nothing is learned from it");
}

/// Answers are made and a feed is expanded between two looks.
#[test]
fn a_term_that_is_over_its_share_for_an_instant_is_told() {
    let spike = |second| Reading { times_over: u64::from(second >= 400), ..well(second) };
    let found = edges(&mut health(), Alert::BudgetTermOver, 0..600, spike);
    assert_eq!(found, [(400, Level::Warning, 10), (461, Level::Quiet, 9)]);
}

#[test]
fn what_was_done_is_told_with_the_alert() {
    let mut health = health();
    let hot = |second| Reading { celsius: Some(75.0), ..well(second) };
    edges(&mut health, Alert::Temperature, 0..20, hot);
    let done: Vec<_> = health.done(Alert::Temperature).collect();
    assert_eq!(done, ["stop_warming", "stretch_refresh"]);
    assert_eq!(health.done(Alert::Memory).count(), 0);
    assert!(health.off(Flag::Warming).is_some() && health.off(Flag::Caching).is_none());
    assert_eq!(health.refresh_percent(), Some(200));
}

#[test]
fn a_regression_against_the_last_version_is_told() {
    let last = Baseline { p95_ms: 50.0, mean_ms: 40.0, minutes: 100 };
    let usual = Baseline { p95_ms: 60.0, mean_ms: 50.0, minutes: 100 };
    let mut health = Health::new(usual_health(), BUDGET, Some(usual), Some(last));
    assert_eq!(health.slower_percent(), Some(25.0));
    let mut told = Vec::new();
    for second in 0..300 {
        let (now, wall) = at(second);
        let steps = health.step(&well(second), now, wall);
        told.extend(steps.into_iter().map(|step| (second, step)));
    }
    assert_eq!(told, [(180, Step::Rollback(Verdict::Slower(true)))]);
}

/// The budget has a term for it.
#[test]
fn its_size_is_what_is_planned_for() {
    assert!(size_of::<Health>() <= crate::budget::HEALTH_BYTES, "{}", size_of::<Health>());
}

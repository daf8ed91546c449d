//! The last day in figures: a ring of fixed size with a point for every five minutes of the wall
//! clock, from which the dashboard draws its plots.

use std::fmt::Write;
use std::time::Duration;

use jiff::Timestamp;

use super::sample::Machine;
use crate::budget::{HISTORY_FIGURES, HISTORY_POINTS};
use crate::clock::Moment;
use crate::metrics::Metrics;
use crate::metrics::histogram::{Counts, difference, percentile};

/// From one point to the next.
const INTERVAL_SECONDS: i64 = 300;

/// Name and decimals of each figure of a point, in their order.
const FIGURES: [(&str, usize); HISTORY_FIGURES] = [
    ("rss_kib", 0),
    ("heap_kib", 0),
    ("cache_kib", 0),
    ("hit_percent", 1),
    ("requests_per_second", 2),
    ("p95_ms", 2),
    ("cpu_percent", 2),
    ("celsius", 1),
];
/// What a figure is written as at most, so that the answer has a bound.
const FIGURE_MAX: f32 = 9_999_999.0;

/// The figures of one interval; NaN is one that is not known.
type Point = [f32; HISTORY_FIGURES];
const UNKNOWN: Point = [f32::NAN; HISTORY_FIGURES];

/// What only rises, at the end of an interval.
struct Totals {
    at: Moment,
    cpu: Duration,
    requests: u64,
    hits: u64,
    misses: u64,
    latencies: Counts,
}

impl Totals {
    fn of(metrics: &Metrics, machine: &Machine, at: Moment) -> Self {
        Self {
            at,
            cpu: machine.cpu_time,
            requests: metrics.http_requests.get(),
            hits: metrics.cache_hits.get(),
            misses: metrics.cache_misses.get(),
            latencies: metrics.request_seconds.counts(),
        }
    }
}

/// A day of points.
pub struct History {
    /// That of interval `n` since 1970 is at `n` modulo their number.
    points: Box<[Point]>,
    newest: i64,
    before: Totals,
}

impl History {
    /// Nothing is known yet; the first point is about what comes after `now`.
    pub fn new(metrics: &Metrics, machine: &Machine, now: Moment, wall: Timestamp) -> Self {
        let points: Box<[Point]> = vec![UNKNOWN; HISTORY_POINTS].into();
        metrics.memory.history.set(size_of_val(&*points));
        Self { points, newest: interval(wall), before: Totals::of(metrics, machine, now) }
    }

    /// True once an interval has ended whose point is not put down yet.
    pub fn is_due(&self, wall: Timestamp) -> bool {
        interval(wall) != self.newest
    }

    /// Puts down the point of the interval that has just ended: of what rises its mean since the
    /// last one, of all else its value now.
    pub fn tick(&mut self, metrics: &Metrics, machine: &Machine, now: Moment, wall: Timestamp) {
        let totals = Totals::of(metrics, machine, now);
        let before = std::mem::replace(&mut self.before, totals);
        let seconds = now.since(before.at).as_secs_f32();
        let hits = (self.before.hits - before.hits) as f32;
        let misses = (self.before.misses - before.misses) as f32;
        let requests = (self.before.requests - before.requests) as f32;
        let latencies = difference(&self.before.latencies, &before.latencies);
        let p95_us = percentile(&latencies, 95).map_or(f32::NAN, |us| us as f32);
        let cpu = self.before.cpu.saturating_sub(before.cpu).as_secs_f32();
        let kib = |bytes: u64| bytes as f32 / 1024.0;
        let point = [
            kib(metrics.memory_rss.get()),
            kib(metrics.heap_used.get()),
            kib(metrics.cache_bytes.get()),
            100.0 * hits / (hits + misses),
            requests / seconds,
            p95_us / 1000.0,
            100.0 * cpu / seconds,
            machine.celsius.unwrap_or(f32::NAN),
        ];
        self.push(interval(wall), point);
    }

    /// Between this point and the newest nothing is known: nobody counted, or the clock was set.
    fn push(&mut self, interval: i64, point: Point) {
        let last = interval.max(self.newest);
        let after = interval.min(self.newest).max(last - HISTORY_POINTS as i64);
        for between in after + 1..=last {
            self.points[place(between)] = UNKNOWN;
        }
        self.points[place(interval)] = point;
        self.newest = interval;
    }

    /// All figures by name, oldest first, from the first point that is known on; at most 24 KiB.
    pub fn json(&self) -> String {
        let day = (self.newest - HISTORY_POINTS as i64 + 1)..=self.newest;
        let is_known = |point: &&Point| !point.iter().all(|figure| figure.is_nan());
        let points = day.map(|interval| &self.points[place(interval)]);
        let points: Vec<&Point> = points.skip_while(|point| !is_known(point)).collect();
        let until = Timestamp::from_second(self.newest * INTERVAL_SECONDS).unwrap_or_default();
        let mut json = format!("{{\"interval_seconds\":{INTERVAL_SECONDS},\"until\":\"{until}\"");
        for (column, (name, decimals)) in FIGURES.into_iter().enumerate() {
            // Writing to a String cannot fail.
            let _ = write!(json, ",\"{name}\":[");
            for (index, point) in points.iter().enumerate() {
                json.push_str(if index == 0 { "" } else { "," });
                let figure = point[column].clamp(-FIGURE_MAX / 10.0, FIGURE_MAX);
                let _ = match figure.is_nan() {
                    true => write!(json, "null"),
                    false => write!(json, "{figure:.decimals$}"),
                };
            }
            json.push(']');
        }
        json.push('}');
        json
    }
}

/// The interval that a moment is in; the point that is put down in it is about the one before.
fn interval(wall: Timestamp) -> i64 {
    wall.as_second().div_euclid(INTERVAL_SECONDS)
}

fn place(interval: i64) -> usize {
    interval.rem_euclid(HISTORY_POINTS as i64) as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn history(second: i64) -> History {
        History::new(&Metrics::default(), &Machine::default(), Moment::default(), at(second))
    }

    /// The first figure of every point.
    fn first(history: &History) -> String {
        let json = history.json();
        let (_, rest) = json.split_once("\"rss_kib\":[").unwrap();
        rest.split(']').next().unwrap().to_owned()
    }

    #[test]
    fn rates_are_means_of_their_interval_and_nothing_is_made_up() {
        let metrics = Metrics::default();
        let mut history = history(0);
        metrics.memory_rss.set(7 << 20);
        metrics.http_requests.add(600);
        metrics.cache_hits.add(3);
        metrics.cache_misses.add(1);
        metrics.request_seconds.record_times(Duration::from_millis(2), 600);
        let cpu_time = Duration::from_secs(3);
        let machine = Machine { cpu_time, celsius: Some(48.25), ..Machine::default() };
        for (seconds, is_due) in [(0, false), (299, false), (300, true), (599, false), (600, true)]
        {
            let (now, wall) =
                (Moment::default() + Duration::from_secs(seconds), seconds.cast_signed());
            assert_eq!(history.is_due(at(wall)), is_due, "{seconds}");
            if is_due {
                history.tick(&metrics, &machine, now, at(wall));
            }
        }
        assert_eq!(
            history.json(),
            "{\"interval_seconds\":300,\"until\":\"1970-01-01T00:10:00Z\",\
             \"rss_kib\":[7168,7168],\"heap_kib\":[0,0],\"cache_kib\":[0,0],\
             \"hit_percent\":[75.0,null],\"requests_per_second\":[2.00,0.00],\
             \"p95_ms\":[1.95,null],\"cpu_percent\":[1.00,0.00],\"celsius\":[48.2,48.2]}"
        );
    }

    #[test]
    fn a_day_is_kept_and_gaps_stay_open() {
        let check = |steps: &[i64], expected: &str| {
            let mut history = history(0);
            for step in steps {
                history.push(*step, [*step as f32; HISTORY_FIGURES]);
            }
            assert_eq!(first(&history), expected, "{steps:?}");
        };
        check(&[], "");
        check(&[1, 2], "1,2");
        check(&[1, 4], "1,null,null,4");
        check(&[1, 1], "1");
        check(&[1, 288], &format!("1,{}288", "null,".repeat(286)));
        check(&[1, 288, 289], "288,289");
        // The clock was set: by years, back by some minutes, and back by days.
        check(&[1, 5_000_000], "5000000");
        check(&[1, 2, 3, 4, 2, 3], "1,2,3");
        check(&[5000, 5001, 3], "3");
        let days: Vec<i64> = (1..=1000).collect();
        let last: Vec<String> = (713..=1000).map(|step: i64| step.to_string()).collect();
        check(&days, &last.join(","));
    }

    #[test]
    fn the_answer_is_bounded_whatever_is_put_down() {
        for figure in [f32::MAX, f32::MIN, f32::INFINITY, f32::NAN, -0.0] {
            let mut history = history(0);
            for interval in 0..2 * HISTORY_POINTS as i64 {
                history.push(interval, [figure; HISTORY_FIGURES]);
            }
            let json = history.json();
            assert!(json.len() <= 24 * 1024, "{figure}: {}", json.len());
            assert!(crate::api::json::is_sound(json.as_bytes()), "{figure}: {json}");
        }
    }
}

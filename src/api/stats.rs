//! `GET /stats`: everything that is measured, as one JSON object of sections.

mod health;

use std::fmt::Write;
use std::time::Duration;

use nanoserde::SerJson;

use super::endpoints::Known;
use super::json::{Decimal, Text, texts};
use super::kpi::KPIS;
use crate::budget::Plan;
use crate::calendar::CalendarStatus;
use crate::http::route::Series;
use crate::metrics::Metrics;
use crate::metrics::histogram::{Histogram, percentile};
use crate::metrics::memory::Usage;
use crate::tzdb::{Tzdb, tzdb};

/// Everything that is told.
pub(super) struct Seen<'a> {
    pub(super) metrics: &'a Metrics,
    pub(super) plan: &'a Plan,
    pub(super) uptime: Duration,
    pub(super) feeds: &'a [CalendarStatus],
    pub(super) machine: Machine,
}

/// What the kernel tells at this moment.
pub(super) struct Machine {
    pub(super) cpu: Duration,
    pub(super) descriptors: Option<(u64, u64)>,
    pub(super) load: Option<[f32; 3]>,
    pub(super) celsius: Option<f32>,
    /// The lowest that it has been since the start, whenever somebody looked.
    pub(super) coolest: Option<f32>,
}

#[derive(SerJson)]
struct Server<'a> {
    name: &'a str,
    version: &'a str,
    uptime_seconds: u64,
}

#[derive(SerJson)]
struct TimeZones<'a> {
    source: &'a str,
    version: &'a str,
}

#[derive(SerJson)]
struct Budget {
    bytes: usize,
    planned_bytes: u64,
    used_bytes: u64,
    times_over: u64,
    terms: Vec<Term>,
}

#[derive(SerJson)]
struct Term {
    name: &'static str,
    share_bytes: u64,
    used_bytes: u64,
    peak_bytes: u64,
    over: bool,
}

/// Milliseconds; `null` as long as there are none.
#[derive(SerJson)]
#[nserde(serialize_none_as_null)]
struct Latency {
    count: u64,
    p50: Option<Decimal>,
    p90: Option<Decimal>,
    p95: Option<Decimal>,
    p99: Option<Decimal>,
    max: Decimal,
}

#[derive(SerJson)]
struct Answers {
    route: &'static str,
    method: &'static str,
    code: u16,
    count: u64,
}

#[derive(SerJson)]
#[nserde(serialize_none_as_null)]
struct Cpu {
    seconds: Decimal,
    percent_since_start: Option<Decimal>,
    load: Option<Vec<Decimal>>,
}

#[derive(SerJson)]
#[nserde(serialize_none_as_null)]
struct Thermal {
    celsius: Option<Decimal>,
}

#[derive(SerJson)]
#[nserde(serialize_none_as_null)]
struct Descriptors {
    open: Option<u64>,
    most: Option<u64>,
}

#[derive(SerJson)]
#[nserde(serialize_none_as_null)]
struct Feed<'a> {
    name: Text<'a>,
    label: Text<'a>,
    events: u64,
    skipped: u64,
    skipped_reasons: Vec<Text<'a>>,
    warnings: Vec<Text<'a>>,
    truncated_series: u64,
    stale: bool,
    last_success: Option<String>,
    last_error: Option<Text<'a>>,
    next_due: Option<String>,
}

/// The answer.
pub(super) fn stats(seen: &Seen<'_>, known: &Known) -> String {
    let Tzdb { source, version, .. } = tzdb();
    let mut body = String::from("{");
    let server = Server {
        name: "calendarbot",
        version: env!("CARGO_PKG_VERSION"),
        uptime_seconds: seen.uptime.as_secs(),
    };
    section(&mut body, "server", &server);
    section(&mut body, "time_zones", &TimeZones { source, version });
    section(&mut body, "budget", &budget(seen));
    let machine = &seen.machine;
    let (open, most) = machine.descriptors.unzip();
    section(&mut body, "cpu", &cpu(seen));
    section(&mut body, "thermal", &Thermal { celsius: machine.celsius.map(decimal) });
    section(&mut body, "descriptors", &Descriptors { open, most });
    write_table(&mut body, seen.metrics);
    write_kpis(&mut body, seen);
    health::write_health(&mut body, known);
    let feeds: Vec<Feed<'_>> = seen.feeds.iter().map(feed).collect();
    section(&mut body, "feeds_status", &feeds);
    body.push('}');
    body
}

fn section(body: &mut String, name: &str, content: &impl SerJson) {
    let comma = if body.ends_with('{') { "" } else { "," };
    let _ = write!(body, "{comma}\"{name}\":{}", content.serialize_json());
}

fn budget(seen: &Seen<'_>) -> Budget {
    let memory = &seen.metrics.memory;
    let term = |usage: &Usage| Term {
        name: usage.name(),
        share_bytes: usage.share(),
        used_bytes: usage.used(),
        peak_bytes: usage.peak(),
        over: usage.is_over(),
    };
    Budget {
        bytes: seen.plan.limits.budget_bytes,
        planned_bytes: memory.terms().map(Usage::share).sum(),
        used_bytes: memory.used(),
        times_over: memory.times_over(),
        terms: memory.terms().map(term).collect(),
    }
}

fn cpu(seen: &Seen<'_>) -> Cpu {
    let (taken, uptime) = (seen.machine.cpu.as_secs_f64(), seen.uptime.as_secs_f64());
    Cpu {
        seconds: Decimal(taken),
        percent_since_start: (uptime > 0.0).then(|| Decimal(taken / uptime * 100.0)),
        load: seen.machine.load.map(|load| load.into_iter().map(decimal).collect()),
    }
}

fn decimal(value: f32) -> Decimal {
    Decimal(value.into())
}

/// The table of metrics is sorted by section; each section becomes an object.
fn write_table(body: &mut String, metrics: &Metrics) {
    let mut open = "";
    for reading in metrics.readings() {
        let (section, name) = reading.name.split_once('.').unwrap_or(("", reading.name));
        if section != open {
            close_section(body, open, metrics);
            let _ = write!(body, ",\"{section}\":{{");
            open = section;
        } else {
            body.push(',');
        }
        let _ = write!(body, "\"{name}\":{}", reading.value);
    }
    close_section(body, open, metrics);
}

/// What a section has beside its plain numbers, and its end.
fn close_section(body: &mut String, name: &str, metrics: &Metrics) {
    if name == "http" {
        section(body, "latency_ms", &latency(&metrics.request_seconds));
        section(body, "making_ms", &latency(&metrics.made_seconds));
        section(body, "with_pipeline_ms", &latency(&metrics.seconds_with_pipeline));
        section(body, "without_pipeline_ms", &latency(&metrics.seconds_without_pipeline));
        let answers = metrics.requests.rows().into_iter().map(|(series, code, count)| {
            let (route, method) = Series::names(series);
            Answers { route, method, code, count }
        });
        section(body, "routes", &answers.collect::<Vec<_>>());
    }
    if !name.is_empty() {
        body.push('}');
    }
}

fn latency(durations: &Histogram) -> Latency {
    let counts = durations.counts();
    // None of them takes longer than the longest.
    let ms = |us: u64| Decimal(us.min(durations.max_us()) as f64 / 1000.0);
    Latency {
        count: durations.count(),
        p50: percentile(&counts, 50).map(ms),
        p90: percentile(&counts, 90).map(ms),
        p95: percentile(&counts, 95).map(ms),
        p99: percentile(&counts, 99).map(ms),
        max: ms(durations.max_us()),
    }
}

fn write_kpis(body: &mut String, seen: &Seen<'_>) {
    body.push_str(",\"kpi\":{");
    for kpi in &KPIS {
        match kpi.value(seen) {
            Some(value) => section(body, kpi.name, &Decimal(value)),
            None => section(body, kpi.name, &None::<u64>),
        }
    }
    body.push('}');
}

fn feed(status: &CalendarStatus) -> Feed<'_> {
    Feed {
        name: Text::from(status.name.as_str()),
        label: Text::from(status.label.as_str()),
        events: status.events,
        skipped: status.skipped,
        skipped_reasons: texts(status.disclosed(&status.skipped_reasons)),
        warnings: texts(status.disclosed(&status.warnings)),
        truncated_series: status.truncated_series,
        stale: status.stale,
        last_success: status.last_success.map(|at| at.to_string()),
        last_error: status.last_error.as_deref().map(Text::from),
        next_due: status.next_due.map(|at| at.to_string()),
    }
}

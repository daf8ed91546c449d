//! `GET /metrics`: what is measured, for a Prometheus server, in the text format 0.0.4 or in
//! OpenMetrics 1.0.
//!
//! The two differ in little: a counter's family has its samples' `_total` in the first and not in
//! the second, which has units and says where it ends. Labels hold names of routes, terms and
//! feeds as `/stats` shows them, never a URL.

use std::fmt::{Display, Write};

use super::stats::Seen;
use crate::calendar::CalendarStatus;
use crate::calendar::text::harmless;
use crate::health::usage;
use crate::http::route::Series;
use crate::metrics::Kind;
use crate::metrics::histogram::{BOUNDS_US, Histogram};
use crate::metrics::memory::Usage;

/// How it is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Format {
    /// Prometheus' own.
    Text,
    /// OpenMetrics 1.0.
    OpenMetrics,
}

impl Format {
    pub(super) fn media_type(self) -> &'static str {
        match self {
            Self::Text => "text/plain; version=0.0.4; charset=utf-8",
            Self::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
        }
    }
}

/// The body of the answer.
pub(super) fn exposition(seen: &Seen<'_>, format: Format) -> String {
    let mut page = Page { out: String::with_capacity(PAGE_BYTES), format };
    page.process(seen);
    page.table(seen);
    page.requests(seen);
    page.budget(seen);
    page.feeds(seen);
    if format == Format::OpenMetrics {
        page.out.push_str("# EOF\n");
    }
    page.out
}

/// About as long as it gets with a few feeds.
const PAGE_BYTES: usize = 32 * 1024;

#[derive(Clone, Copy, PartialEq)]
enum Type {
    Counter,
    Gauge,
    Histogram,
}

/// The name and the value of each label.
type Labels<'l> = &'l [(&'l str, &'l str)];

struct Page {
    out: String,
    format: Format,
}

impl Page {
    fn process(&mut self, seen: &Seen<'_>) {
        let machine = &seen.machine;
        let family = "calendarbot_build_info";
        self.family(Type::Gauge, family, "The program's version; always 1");
        self.sample(family, "", &[("version", env!("CARGO_PKG_VERSION"))], 1);
        let cpu = Some(machine.cpu.as_secs_f64());
        self.single(Type::Counter, "process_cpu_seconds", "CPU time taken", cpu);
        let help = "When the process started, in seconds since 1970";
        let started = usage::start_seconds();
        self.single(Type::Gauge, "process_start_time_seconds", help, started);
        let (open, most) = machine.descriptors.unzip();
        self.single(Type::Gauge, "process_open_fds", "Open file descriptors", open);
        self.single(Type::Gauge, "process_max_fds", "As many may be open", most);
        let help = "The hottest place that the machine has a sensor at";
        self.single(Type::Gauge, "calendarbot_temperature_celsius", help, machine.celsius);
    }

    /// Everything that is a plain number.
    fn table(&mut self, seen: &Seen<'_>) {
        for reading in seen.metrics.readings() {
            let kind = match reading.kind {
                Kind::Counter => Type::Counter,
                Kind::Gauge => Type::Gauge,
            };
            if let Some(family) = reading.family() {
                self.single(kind, &family, reading.help, Some(reading.value));
            }
        }
    }

    fn requests(&mut self, seen: &Seen<'_>) {
        let requests = &seen.metrics.requests;
        let help = "Answers by method, route and status; what no row was left for is `other`";
        let family = "calendarbot_http_requests";
        self.family(Type::Counter, family, help);
        for (series, code, count) in requests.rows() {
            let (route, method) = Series::names(series);
            let labels = [("method", method), ("route", route), ("code", &code.to_string())];
            self.sample(family, "_total", &labels, count);
        }
        let labels = [("method", "other"), ("route", "other"), ("code", "other")];
        self.sample(family, "_total", &labels, requests.beyond());
        let help = "From a whole request to its answer handed to the socket, refusals (4xx) apart";
        let durations = &seen.metrics.request_seconds;
        self.histogram("calendarbot_http_request_duration_seconds", help, durations);
        let help = "What it takes to make an answer that is not in the cache";
        self.histogram("calendarbot_answer_duration_seconds", help, &seen.metrics.made_seconds);
        let help = "Views for clients that have the pipeline, while others do not";
        let with = &seen.metrics.seconds_with_pipeline;
        self.histogram("calendarbot_with_pipeline_duration_seconds", help, with);
        let help = "Views for clients without the pipeline, while others have it";
        let without = &seen.metrics.seconds_without_pipeline;
        self.histogram("calendarbot_without_pipeline_duration_seconds", help, without);
    }

    fn budget(&mut self, seen: &Seen<'_>) {
        let bytes = seen.plan.limits.budget_bytes;
        let help = "The memory budget of the process";
        self.single(Type::Gauge, "calendarbot_budget_bytes", help, Some(bytes));
        type Column = fn(&Usage) -> u64;
        let columns: [(&str, &str, Column); 3] = [
            ("calendarbot_budget_share_bytes", "What is set aside for a term", Usage::share),
            ("calendarbot_budget_used_bytes", "What a term uses", Usage::used),
            ("calendarbot_budget_peak_bytes", "The most that a term has used", Usage::peak),
        ];
        for (family, help, column) in columns {
            self.family(Type::Gauge, family, help);
            for usage in seen.metrics.memory.terms() {
                self.sample(family, "", &[("term", usage.name())], column(usage));
            }
        }
        let help = "How often a term has gone over its share";
        let times = Some(seen.metrics.memory.times_over());
        self.single(Type::Counter, "calendarbot_budget_exceeded", help, times);
    }

    fn feeds(&mut self, seen: &Seen<'_>) {
        type Column = fn(&CalendarStatus) -> Option<u64>;
        let columns: [(&str, &str, Column); 5] = [
            (
                "calendarbot_feed_last_success_timestamp_seconds",
                "When the feed was last known to be right, in seconds since 1970",
                |feed| u64::try_from(feed.last_success?.as_second()).ok(),
            ),
            ("calendarbot_feed_stale", "1 while the feed is out of date", |feed| {
                Some(u64::from(feed.stale))
            }),
            ("calendarbot_feed_events", "Events stored", |feed| Some(feed.events)),
            (
                "calendarbot_feed_skipped",
                "Malformed components that the last refresh skipped",
                |feed| Some(feed.skipped),
            ),
            ("calendarbot_feed_truncated_series", "Series that a limit has cut short", |feed| {
                Some(feed.truncated_series)
            }),
        ];
        for (family, help, column) in columns {
            self.family(Type::Gauge, family, help);
            for feed in seen.feeds {
                if let Some(value) = column(feed) {
                    self.sample(family, "", &[("feed", &feed.name)], value);
                }
            }
        }
    }

    /// A family with one sample; it is left out without a value.
    fn single(&mut self, kind: Type, family: &str, help: &str, value: Option<impl Display>) {
        if let Some(value) = value {
            self.family(kind, family, help);
            let suffix = if kind == Type::Counter { "_total" } else { "" };
            self.sample(family, suffix, &[], value);
        }
    }

    fn histogram(&mut self, family: &str, help: &str, durations: &Histogram) {
        self.family(Type::Histogram, family, help);
        let mut sum = 0;
        let bounds = BOUNDS_US.iter().map(|us| decimal(*us)).chain(["+Inf".to_owned()]);
        for (count, bound) in durations.counts().into_iter().zip(bounds) {
            sum += count;
            self.sample(family, "_bucket", &[("le", &bound)], sum);
        }
        self.sample(family, "_sum", &[], decimal(durations.sum_us()));
        self.sample(family, "_count", &[], sum);
    }

    fn family(&mut self, kind: Type, family: &str, help: &str) {
        let suffix = match (kind, self.format) {
            (Type::Counter, Format::Text) => "_total",
            _ => "",
        };
        let kind = match kind {
            Type::Counter => "counter",
            Type::Gauge => "gauge",
            Type::Histogram => "histogram",
        };
        let _ = writeln!(self.out, "# TYPE {family}{suffix} {kind}");
        if self.format == Format::OpenMetrics {
            for unit in ["seconds", "bytes", "celsius"] {
                if family.strip_suffix(unit).is_some_and(|rest| rest.ends_with('_')) {
                    let _ = writeln!(self.out, "# UNIT {family} {unit}");
                }
            }
        }
        let _ = write!(self.out, "# HELP {family}{suffix} ");
        self.escaped(help);
        self.out.push('\n');
    }

    fn sample(&mut self, family: &str, suffix: &str, labels: Labels<'_>, value: impl Display) {
        let _ = write!(self.out, "{family}{suffix}");
        let mut before = '{';
        for (name, value) in labels {
            let _ = write!(self.out, "{before}{name}=\"");
            self.escaped(value);
            self.out.push('"');
            before = ',';
        }
        let after = if labels.is_empty() { "" } else { "}" };
        let _ = writeln!(self.out, "{after} {value}");
    }

    /// A text as both formats take it in quotes; controls, and what reorders text, are blanked.
    fn escaped(&mut self, text: &str) {
        for letter in text.chars().map(harmless) {
            if matches!(letter, '\\' | '"') {
                self.out.push('\\');
            }
            self.out.push(letter);
        }
    }
}

/// Microseconds as seconds, with a point as OpenMetrics wants it in `le`.
fn decimal(us: u64) -> String {
    let text = format!("{}.{:06}", us / 1_000_000, us % 1_000_000);
    let short = text.trim_end_matches('0');
    if short.ends_with('.') { format!("{short}0") } else { short.to_owned() }
}

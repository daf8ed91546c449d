//! `GET /stats`: everything that is measured, as one JSON object of sections.

use std::fmt::Write;

use nanoserde::SerJson;

use super::json::{Text, texts};
use crate::budget::Plan;
use crate::calendar::CalendarStatus;
use crate::health::sample;
use crate::metrics::Metrics;
use crate::tzdb::{Tzdb, tzdb};

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
    planned_bytes: usize,
    terms: Vec<Term>,
}

#[derive(SerJson)]
struct Term {
    name: &'static str,
    share_bytes: usize,
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

/// The answer. Process figures are read from `/proc` now.
pub(super) fn stats(
    metrics: &Metrics,
    plan: &Plan,
    uptime_seconds: u64,
    feeds: &[CalendarStatus],
) -> String {
    sample::process(metrics, uptime_seconds);
    let server = Server { name: "calendarbot", version: env!("CARGO_PKG_VERSION"), uptime_seconds };
    let term = |term: &crate::budget::Term| Term { name: term.name, share_bytes: term.bytes };
    let budget = Budget {
        bytes: plan.limits.budget_bytes,
        planned_bytes: plan.total_bytes(),
        terms: plan.terms.iter().map(term).collect(),
    };
    let Tzdb { source, version, .. } = tzdb();
    let zones = TimeZones { source, version };
    let mut body = format!(
        "{{\"server\":{},\"time_zones\":{},\"budget\":{}",
        server.serialize_json(),
        zones.serialize_json(),
        budget.serialize_json()
    );
    write_sections(&mut body, metrics);
    let feeds: Vec<Feed<'_>> = feeds.iter().map(feed).collect();
    body.push_str(",\"feeds_status\":");
    body.push_str(&feeds.serialize_json());
    body.push('}');
    body
}

/// The table of metrics is sorted by section; each section becomes an object.
fn write_sections(body: &mut String, metrics: &Metrics) {
    let mut open = "";
    for reading in metrics.readings() {
        let (section, name) = reading.name.split_once('.').unwrap_or(("", reading.name));
        if section != open {
            let close = if open.is_empty() { "" } else { "}" };
            let _ = write!(body, "{close},\"{section}\":{{");
            open = section;
        } else {
            body.push(',');
        }
        let _ = write!(body, "\"{name}\":{}", reading.value);
    }
    if !open.is_empty() {
        body.push('}');
    }
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

//! The report on calendars: what reading them costs beside others, and what a refresh costs the
//! program.

use std::fmt::{self, Display, Formatter};

use nanoserde::SerJson;

use super::{Bar, head, line};
use crate::goal::Goal;
use crate::readers::{Figures, Reader};
use crate::refresh::Refresh;

/// The readers' figures for one calendar.
#[derive(SerJson)]
pub struct FeedReport {
    feed: String,
    megabytes: f64,
    rows: Vec<ReaderRow>,
}

/// One line of its table.
#[derive(SerJson)]
struct ReaderRow {
    reader: String,
    events: Option<f64>,
    megabytes_per_second: Option<f64>,
    instructions_per_byte: Option<f64>,
    growth_kib: Option<f64>,
}

impl FeedReport {
    /// The table of a calendar of so many bytes; a reader without figures could not read it.
    pub fn new(feed: &str, bytes: usize, figures: &[(Reader, Option<Figures>)]) -> Self {
        let rows = figures.iter().map(|&(reader, figures)| ReaderRow {
            reader: reader.name().to_owned(),
            events: figures.map(|figures| figures.events as f64),
            megabytes_per_second: figures.map(|figures| figures.megabytes_per_second),
            instructions_per_byte: figures.and_then(|figures| figures.instructions_per_byte),
            growth_kib: figures.map(|figures| figures.growth_kib),
        });
        Self { feed: feed.to_owned(), megabytes: bytes as f64 / 1e6, rows: rows.collect() }
    }

    fn title(&self) -> String {
        format!("A calendar of {:.1} MB, {}", self.megabytes, self.feed)
    }

    /// What the product's reader must reach.
    fn bar(&self) -> Option<Bar> {
        let speed = self.rows.first()?.megabytes_per_second?;
        Some(Bar::at_least(
            Goal::Refresh,
            format!("MB/s of user time, {}", self.feed),
            speed,
            150.0,
        ))
    }
}

/// Everything.
#[derive(SerJson)]
pub struct Report {
    conditions: Vec<String>,
    bars: Vec<Bar>,
    feeds: Vec<FeedReport>,
    refresh: Refresh,
}

impl Report {
    /// A report of what was measured under these conditions.
    pub fn new(conditions: Vec<String>, feeds: Vec<FeedReport>, refresh: Refresh) -> Self {
        let mut bars: Vec<Bar> = feeds.iter().filter_map(FeedReport::bar).collect();
        let Refresh { cpu_seconds, growth_kib, turns, .. } = &refresh;
        for (name, figure, bar) in [
            ("CPU of a refresh, s", *cpu_seconds, 1.0),
            ("growth in a refresh, KiB", *growth_kib, 2_048.0),
            ("longest turn, ms", turns.longest_ms, 5.0),
        ] {
            bars.push(Bar::at_most(Goal::Refresh, name, figure, bar));
        }
        Self { conditions, bars, feeds, refresh }
    }
}

impl Display for Report {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        writeln!(f, "# Calendar benchmarks\n\n`make bench-ical` measures and writes this.\n")?;
        self.conditions.iter().try_for_each(|condition| writeln!(f, "* {condition}"))?;
        super::bars(f, &self.bars)?;
        for feed in &self.feeds {
            let columns =
                ["reader", "events", "MB/s", "instructions a byte", "growth at most, KiB"];
            head(f, &feed.title(), "", &columns)?;
            for row in &feed.rows {
                let ReaderRow { events, megabytes_per_second, growth_kib, .. } = *row;
                let figures = [events, megabytes_per_second, row.instructions_per_byte, growth_kib];
                line(f, &row.reader, &figures, "not installed, or cannot read it")?;
            }
        }
        let Refresh { bytes, idle_kib, growth_kib, seconds, cpu_seconds, errors, .. } =
            self.refresh;
        let title = format!("A refresh of {:.1} MB", bytes as f64 / 1e6);
        head(f, &title, "", &["figure", "measured"])?;
        for (name, figure) in [
            ("resident set when idle, KiB", idle_kib),
            ("growth at most, KiB", growth_kib),
            ("until its events are served, s", seconds),
            ("CPU, s", cpu_seconds),
            ("slowest answer meanwhile, µs", self.refresh.answer_max_us),
            ("failed requests", errors as f64),
            ("longest turn, ms", self.refresh.turns.longest_ms),
            ("turns over 1 ms", self.refresh.turns.over_1_ms as f64),
        ] {
            line(f, name, &[Some(figure)], "")?;
        }
        Ok(())
    }
}

//! The report on connections: what it is worth to keep them.

use std::fmt::{self, Display, Formatter};

use nanoserde::SerJson;

use super::{Bar, head, line};
use crate::Result;
use crate::connections::{Operation, Sample};
use crate::goal::Goal;

/// A figure, both ways.
#[derive(SerJson)]
struct Row {
    name: String,
    pooled: f64,
    legacy: f64,
    ratio: f64,
}

/// Everything.
#[derive(SerJson)]
pub struct Report {
    conditions: Vec<String>,
    bars: Vec<Bar>,
    rows: Vec<Row>,
}

/// A figure of a sample, and its name.
type Figure = (&'static str, fn(&Sample) -> f64);
const FIGURES: [Figure; 4] = [
    ("latency, µs", |sample| sample.latency_us),
    ("processor time, µs", |sample| sample.cpu_us),
    ("heap allocations", |sample| sample.allocations),
    ("resident at most, KiB", |sample| sample.peak_kib),
];

impl Report {
    /// A report of what was measured under these conditions.
    ///
    /// # Errors
    /// When nothing was.
    pub fn new(conditions: Vec<String>, operations: &[Operation]) -> Result<Self> {
        let mut rows = Vec::new();
        for operation in operations {
            for (figure, of) in FIGURES {
                let [pooled, legacy, ratio] = operation.medians(of).ok_or("no rounds")?;
                let name = format!("{}: {figure}", operation.name);
                rows.push(Row { name, pooled, legacy, ratio });
            }
        }
        let bar = |row: &Row| {
            let name = format!("{}, pooled to legacy", row.name);
            Bar::at_most(Goal::Pooling, name, row.ratio, 1.0)
        };
        Ok(Self { conditions, bars: rows.iter().map(bar).collect(), rows })
    }
}

impl Display for Report {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let command = "`make bench-connections` measures and writes this.";
        writeln!(f, "# Connection benchmarks\n\n{command}\n")?;
        self.conditions.iter().try_for_each(|condition| writeln!(f, "* {condition}"))?;
        super::bars(f, &self.bars)?;
        head(f, "Both ways", "", &["operation", "pooled", "legacy", "pooled to legacy"])?;
        for Row { name, pooled, legacy, ratio } in &self.rows {
            line(f, name, &[Some(*pooled), Some(*legacy), Some(*ratio)], "")?;
        }
        Ok(())
    }
}

//! The report on the request pipeline: what it is worth, part by part, and beside the Python
//! programs that the product replaces.

use std::fmt::{self, Display, Formatter};

use nanoserde::SerJson;

use super::{Bar, Figure, head, line};
use crate::pipeline::{Case, Table, Variant};
use crate::rounds::Sample;

/// When nobody else asks, the pipeline may cost so much of what the direct way does.
const IDLE_MAX: f64 = 1.02;

/// Figures of the Python programs, as they were published: processor time of a what's-next answer
/// in milliseconds and resident set in megabytes, each from and to, on a calendar of this shape.
const PYTHON: [(&str, [f64; 2], [f64; 2]); 2] = [
    ("calendarbot_lite, in Python", [0.6, 0.9], [80.0, 91.0]),
    ("CalendarBot, in Python", [5.7, 6.7], [80.0, 91.0]),
];

/// One line of a case's table: medians over the rounds.
#[derive(SerJson)]
struct VariantRow {
    variant: String,
    cpu_us: Option<f64>,
    cpu_to_on: Option<f64>,
    instructions: Option<f64>,
    p50_us: Option<f64>,
    p99_us: Option<f64>,
    resident_kib: f64,
    heap_kib: f64,
    made: f64,
    readings: f64,
}

/// The table of a case.
#[derive(SerJson)]
struct CaseReport {
    title: String,
    rows: Vec<VariantRow>,
}

/// A program beside the others.
#[derive(SerJson)]
struct ProgramRow {
    program: String,
    cpu_ms: Vec<f64>,
    resident_mb: Vec<f64>,
}

/// Everything.
#[derive(SerJson)]
pub struct Report {
    conditions: Vec<String>,
    bars: Vec<Bar>,
    programs: Vec<ProgramRow>,
    cases: Vec<CaseReport>,
}

fn cpu(sample: &Sample) -> f64 {
    sample.cpu_us
}

fn p50(sample: &Sample) -> f64 {
    sample.outcome.p50_us
}

impl CaseReport {
    fn new(table: &Table) -> Self {
        let row = |variant: Variant| {
            let row = table.row(variant)?;
            Some(VariantRow {
                variant: variant.name().to_owned(),
                cpu_us: table.median(variant, cpu),
                cpu_to_on: table.ratio(variant, Variant::On, cpu),
                instructions: row.instructions,
                p50_us: table.median(variant, p50),
                p99_us: table.median(variant, |sample| sample.outcome.p99_us),
                resident_kib: row.resident_bytes / 1024.0,
                heap_kib: row.heap_bytes / 1024.0,
                made: row.made,
                readings: row.readings,
            })
        };
        let rows = Variant::ALL.into_iter().filter_map(row).collect();
        Self { title: table.case.title(), rows }
    }
}

fn bars(table: &Table) -> Vec<Bar> {
    let (on, off) = (Variant::On, Variant::Off);
    let mut bars = Vec::new();
    let mut at_most = |name: &str, value: Option<f64>, bar| {
        bars.extend(
            value.map(|value| Bar::at_most(format!("{name}, {:?}", table.case), value, bar)),
        );
    };
    if table.case.is_idle() {
        at_most("CPU, on × off", table.ratio(on, off, cpu), IDLE_MAX);
        at_most("half of the answers within, on × off", table.ratio(on, off, p50), IDLE_MAX);
        at_most("instructions, on × off", table.instructions_ratio(on, off), IDLE_MAX);
    }
    match table.case {
        Case::Hot => {
            // With the rest of the pipeline on, who asks at the same moment shares an answer that is
            // not kept: what keeping is worth shows beside making each.
            let cpu = table.ratio(off, on, cpu);
            let instructions = table.instructions_ratio(off, on);
            let bar = |name: &str, value| {
                Bar::at_least(format!("{name}, answers made × kept, Hot"), value, 20.0)
            };
            bars.extend(cpu.map(|value| bar("CPU", value)));
            bars.extend(instructions.map(|value| bar("instructions", value)));
        }
        Case::Burst => {
            at_most("CPU, on × batching off", table.ratio(on, Variant::NoBatching, cpu), 0.85);
        }
        Case::Warm | Case::Cold => {}
    }
    bars
}

fn programs(tables: &[Table]) -> Vec<ProgramRow> {
    let python = PYTHON.iter().map(|(program, cpu_ms, resident_mb)| ProgramRow {
        program: (*program).to_owned(),
        cpu_ms: cpu_ms.to_vec(),
        resident_mb: resident_mb.to_vec(),
    });
    let hot = tables.iter().find(|table| table.case == Case::Hot);
    let ours = [
        ("calendarbot, from its cache", Variant::On),
        ("calendarbot, made anew each time", Variant::Off),
    ];
    let ours = ours.into_iter().filter_map(|(program, variant)| {
        let resident = hot?.row(variant)?.resident_bytes / 1e6;
        let cpu_ms = vec![hot?.median(variant, cpu)? / 1e3];
        Some(ProgramRow { program: program.to_owned(), cpu_ms, resident_mb: vec![resident] })
    });
    python.chain(ours).collect()
}

impl Report {
    /// A report of what was measured under these conditions.
    pub fn new(conditions: Vec<String>, tables: &[Table]) -> Self {
        Self {
            conditions,
            bars: tables.iter().flat_map(bars).collect(),
            programs: programs(tables),
            cases: tables.iter().map(CaseReport::new).collect(),
        }
    }
}

/// From and to, or one figure.
fn span(figures: &[f64]) -> String {
    let figures: Vec<String> =
        figures.iter().map(|figure| Figure(Some(*figure)).to_string()).collect();
    figures.join(" to ")
}

impl Display for Report {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        writeln!(f, "# Pipeline benchmarks\n\n`make bench-pipeline` measures and writes this.\n")?;
        self.conditions.iter().try_for_each(|condition| writeln!(f, "* {condition}"))?;
        head(f, "Bars", "", &["figure, of calendarbot", "measured", "bar", ""])?;
        self.bars.iter().try_for_each(|bar| writeln!(f, "{bar}"))?;
        let note = "The Python programs' figures are those that were published for them, measured \
                    on another machine and a calendar of the same shape: 500 events, 60 of them \
                    series. calendarbot's are those of the hot case below.";
        let columns = ["program", "CPU of a what's-next answer, ms", "resident set, MB"];
        head(f, "Beside the Python programs", note, &columns)?;
        for ProgramRow { program, cpu_ms, resident_mb } in &self.programs {
            writeln!(f, "| {program} | {} | {} |", span(cpu_ms), span(resident_mb))?;
        }
        for case in &self.cases {
            let columns = [
                "",
                "CPU µs",
                "× on",
                "user instructions",
                "p50 µs",
                "p99 µs",
                "RSS KiB",
                "heap KiB",
                "answers made",
                "readings",
            ];
            head(f, &case.title, "", &columns)?;
            for row in &case.rows {
                let times = [row.cpu_us, row.cpu_to_on, row.instructions, row.p50_us, row.p99_us];
                let rest = [row.resident_kib, row.heap_kib, row.made, row.readings].map(Some);
                line(f, &row.variant, &[&times[..], &rest].concat(), "")?;
            }
        }
        Ok(())
    }
}

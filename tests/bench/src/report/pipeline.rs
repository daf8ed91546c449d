//! The report on the request pipeline: what it is worth, part by part, and beside the Python
//! programs that the product replaces.

use std::fmt::{self, Display, Formatter};

use nanoserde::SerJson;

use super::{Bar, Figure, head, line};
use crate::goal::Goal;
use crate::pipeline::{Case, Table, Variant};
use crate::rounds::Sample;

/// When nobody else asks, the pipeline may cost so much of what the direct way does.
const IDLE_MAX: f64 = 1.02;
/// What is kept needs room: so much of what is resident without it.
const MEMORY_MAX: f64 = 1.1;
/// No part may cost more than this of what goes without it: as much as rounds differ.
const CONFLICT_MAX: f64 = 1.05;
/// Rounds that differ by more say little.
const SPREAD_PERCENT_MAX: f64 = 5.0;

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
    /// Standard deviation over the rounds.
    cpu_spread_percent: Option<f64>,
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
                cpu_spread_percent: table.spread_percent(variant, cpu),
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

/// In the place of a ratio of instructions.
const NO_VALGRIND: &str = "needs valgrind: `make bench-setup`";

fn bars(table: &Table) -> Vec<Bar> {
    let (on, off, all_off) = (Variant::On, Variant::Off, Variant::AllOff);
    let at_most = |goal, name: &str, value: Option<f64>, bar| {
        let name = format!("{name}, {:?}", table.case);
        Bar::at_most(goal, name, value, bar).why_none(NO_VALGRIND)
    };
    let at_least =
        |name: &str, value, bar| Bar { at_most: false, ..at_most(Goal::Flags, name, value, bar) };
    let latency_name = "half of the answers within, on × off";
    let mut bars = match table.case {
        Case::Hot => vec![
            at_most(Goal::Flags, "CPU, on × off", table.ratio(on, all_off, cpu), 0.8),
            at_most(Goal::Flags, latency_name, table.ratio(on, all_off, p50), 1.0),
            at_most(Goal::Flags, "resident set, on × off", resident_ratio(table), MEMORY_MAX),
            // With the rest of the pipeline on, who asks at the same moment shares an answer that is
            // not kept: what keeping is worth shows beside making each.
            at_least("CPU, answers made × kept", table.ratio(off, on, cpu), 20.0),
            at_least("instructions, answers made × kept", table.instructions_ratio(off, on), 20.0),
        ],
        Case::Burst => {
            let ratio = table.ratio(on, Variant::NoBatching, cpu);
            vec![at_most(Goal::Batching, "CPU, on × batching off", ratio, 0.85)]
        }
        Case::Warm | Case::Cold => {
            let instructions = table.instructions_ratio(on, off);
            vec![
                at_most(Goal::Flags, "CPU, on × off", table.ratio(on, off, cpu), IDLE_MAX),
                at_most(Goal::Flags, latency_name, table.ratio(on, off, p50), IDLE_MAX),
                at_most(Goal::Flags, "instructions, on × off", instructions, IDLE_MAX),
            ]
        }
    };
    let parts = Variant::ALL.into_iter().filter(|variant| variant.is_part_off());
    let worst = parts.filter_map(|part| table.ratio(on, part, cpu)).reduce(f64::max);
    let spread = table.spread_percent(on, cpu);
    bars.extend([
        at_most(Goal::Conflicts, "CPU, on × the best with one part off", worst, CONFLICT_MAX),
        at_most(Goal::Variance, "CPU from round to round, ± %", spread, SPREAD_PERCENT_MAX),
    ]);
    bars
}

fn resident_ratio(table: &Table) -> Option<f64> {
    let resident = |variant| Some(table.row(variant)?.resident_bytes);
    Some(resident(Variant::On)? / resident(Variant::AllOff)?)
}

/// What stands beside the least that each Python program was said to need, from the hot case.
fn bars_beside_python(hot: &Table) -> Vec<Bar> {
    let on = Variant::On;
    let cpu_ms = hot.median(on, cpu).map(|us| us / 1e3);
    let [(_, [cpu_least, _], [memory_least, _]), _] = PYTHON;
    let saved_mb = hot.row(on).map(|row| memory_least - row.resident_bytes / 1e6);
    let saved = |ratio: f64| (1.0 - ratio) * 100.0;
    let saved_to_python = cpu_ms.map(|ours| saved(ours / cpu_least));
    let saved_to_off = hot.ratio(on, Variant::AllOff, cpu).map(saved);
    let mut bars: Vec<Bar> = PYTHON
        .iter()
        .map(|(program, [cpu_least, _], _)| {
            let ratio = cpu_ms.map(|ours| ours / cpu_least);
            Bar::at_most(Goal::BesidePython, format!("CPU, × {program}"), ratio, 0.02)
        })
        .collect();
    bars.extend([
        Bar::at_least(
            Goal::CombinedMemory,
            "resident set, MB less than the Python programs",
            saved_mb,
            40.0,
        ),
        Bar::at_least(
            Goal::CombinedLatency,
            "latency, ms less than the Python programs",
            None,
            150.0,
        )
        .why_none("none is known of them; on against off stands with the flags"),
        Bar::at_least(
            Goal::CombinedProcessor,
            "CPU, % less than the Python programs",
            saved_to_python,
            20.0,
        ),
        Bar::at_least(Goal::CombinedProcessor, "CPU, % less on than off, Hot", saved_to_off, 20.0),
    ]);
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
        let hot = tables.iter().filter(|table| table.case == Case::Hot);
        let beside_python = hot.flat_map(bars_beside_python);
        Self {
            conditions,
            bars: tables.iter().flat_map(bars).chain(beside_python).collect(),
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
        super::bars(f, &self.bars)?;
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
                "± %",
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
                let cpu = [row.cpu_us, row.cpu_to_on, row.cpu_spread_percent];
                let times = [row.instructions, row.p50_us, row.p99_us];
                let rest = [row.resident_kib, row.heap_kib, row.made, row.readings].map(Some);
                line(f, &row.variant, &[&cpu[..], &times, &rest].concat(), "")?;
            }
        }
        Ok(())
    }
}

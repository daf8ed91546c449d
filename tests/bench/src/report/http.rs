//! The report on the HTTP server: what a request costs, beside its peers.

use std::fmt::{self, Display, Formatter};

use nanoserde::SerJson;

use super::{Bar, head, line};
use crate::counts::Counts;
use crate::goal::Goal;
use crate::rounds::{Case, Sample, Table};
use crate::server::Kind;

/// In the place of a server's figures.
const ABSENT: &str = "not installed: `make bench-setup`";

/// In the place of a count.
const NO_TOOLS: &str = "needs valgrind and strace: `make bench-setup`";

/// The bars of the counts: they repeat, and so `make gate` asks for them.
pub fn bars_of_counts(counts: Option<&Counts>) -> Vec<Bar> {
    let bar = |goal, name: &str, figure: fn(&Counts) -> Option<f64>, bar| {
        Bar::at_most(goal, name, counts.and_then(figure), bar).why_none(NO_TOOLS)
    };
    vec![
        bar(Goal::Instructions, "user instructions", |it| Some(it.instructions), 1_900.0),
        bar(Goal::Syscalls, "syscalls", |it| Some(it.syscalls), 2.1),
        bar(Goal::Syscalls, "syscalls, one request at a time", |it| it.syscalls_light, 10.0),
        // None for a request. A second's timers make a few, which its requests share: on a machine
        // that is busy with other things they are fewer.
        bar(Goal::Allocations, "heap allocations", |it| it.allocations, 0.02),
    ]
}

/// The bars of the times, from the rounds in which connections are kept alive.
pub fn bars_of_times(tables: &[Table]) -> Vec<Bar> {
    let cpu = |sample: &Sample| sample.cpu_us;
    let rate = |sample: &Sample| sample.outcome.requests_per_second;
    let (ours, nginx, raw) = (Kind::Calendarbot, Kind::NginxReturn, Kind::RawEpoll);
    let mut bars = Vec::new();
    for table in tables.iter().filter(|table| table.case.keep_alive) {
        let connections = table.case.connections;
        let name = |figure: &str, peer: Kind| {
            let clients = if connections == 1 { "connection" } else { "connections" };
            format!("{figure}, {connections} {clients}, × {}", peer.name())
        };
        let cpu_to = |peer, most| {
            let ratio = table.ratio(ours, peer, cpu);
            Bar::at_most(Goal::CachedGet, name("CPU", peer), ratio, most).why_none(ABSENT)
        };
        bars.push(cpu_to(nginx, 0.85));
        bars.push(cpu_to(raw, 1.1));
        let (ratio, name) = (table.ratio(ours, nginx, rate), name("requests/s", nginx));
        bars.push(Bar::at_least(Goal::CachedGet, name, ratio, 1.0).why_none(ABSENT));
    }
    bars
}

/// One line of the table of counts.
#[derive(SerJson)]
pub struct CountRow {
    server: String,
    instructions: Option<f64>,
    allocations: Option<f64>,
    syscalls: Option<f64>,
    syscalls_light: Option<f64>,
}

impl CountRow {
    /// The counts of a server; none when it or a tool is not installed.
    pub fn new(kind: Kind, counts: Option<&Counts>) -> Self {
        Self {
            server: kind.name().to_owned(),
            instructions: counts.map(|counts| counts.instructions),
            allocations: counts.and_then(|counts| counts.allocations),
            syscalls: counts.map(|counts| counts.syscalls),
            syscalls_light: counts.and_then(|counts| counts.syscalls_light),
        }
    }
}

/// One line of the table of memory.
#[derive(SerJson)]
pub struct MemoryRow {
    server: String,
    bytes_at_64: Option<f64>,
    bytes_at_256: Option<f64>,
}

impl MemoryRow {
    /// Bytes a connection of a server; none when it is not installed.
    pub fn new(kind: Kind, bytes: Option<[f64; 2]>) -> Self {
        Self {
            server: kind.name().to_owned(),
            bytes_at_64: bytes.map(|[few, _]| few),
            bytes_at_256: bytes.map(|[_, many]| many),
        }
    }
}

/// The table of one case.
#[derive(SerJson)]
struct CaseReport {
    connections: usize,
    keep_alive: bool,
    rows: Vec<TimeRow>,
}

/// One line of it: medians over the rounds.
#[derive(SerJson)]
struct TimeRow {
    server: String,
    cpu_us: Option<f64>,
    cpu_to_nginx: Option<f64>,
    cpu_to_raw: Option<f64>,
    /// How much of its core the server used.
    busy_percent: Option<f64>,
    requests_per_second: Option<f64>,
    rate_to_nginx: Option<f64>,
    p50_us: Option<f64>,
    p99_us: Option<f64>,
    max_us: Option<f64>,
    errors: u64,
}

impl CaseReport {
    fn new(table: &Table) -> Self {
        let Case { connections, keep_alive } = table.case;
        let rows = Kind::ALL.map(|kind| TimeRow::new(table, kind)).into();
        Self { connections, keep_alive, rows }
    }

    fn title(&self) -> String {
        let manner = if self.keep_alive { "kept alive" } else { "one request each" };
        let clients = if self.connections == 1 { "connection" } else { "connections" };
        format!("{} {clients}, {manner}", self.connections)
    }
}

impl TimeRow {
    fn new(table: &Table, kind: Kind) -> Self {
        let cpu = |sample: &Sample| sample.cpu_us;
        let rate = |sample: &Sample| sample.outcome.requests_per_second;
        Self {
            server: kind.name().to_owned(),
            cpu_us: table.median(kind, cpu),
            cpu_to_nginx: table.ratio(kind, Kind::NginxReturn, cpu),
            cpu_to_raw: table.ratio(kind, Kind::RawEpoll, cpu),
            busy_percent: table.median(kind, |sample| cpu(sample) * rate(sample) / 1e4),
            requests_per_second: table.median(kind, rate),
            rate_to_nginx: table.ratio(kind, Kind::NginxReturn, rate),
            p50_us: table.median(kind, |sample| sample.outcome.p50_us),
            p99_us: table.median(kind, |sample| sample.outcome.p99_us),
            max_us: table.median(kind, |sample| sample.outcome.max_us),
            errors: table.errors(kind),
        }
    }
}

/// Everything.
#[derive(SerJson)]
pub struct Report {
    conditions: Vec<String>,
    bars: Vec<Bar>,
    counts: Vec<CountRow>,
    memory: Vec<MemoryRow>,
    times: Vec<CaseReport>,
}

impl Report {
    /// A report of what was measured under these conditions.
    pub fn new(
        conditions: Vec<String>,
        bars: Vec<Bar>,
        counts: Vec<CountRow>,
        memory: Vec<MemoryRow>,
        tables: &[Table],
    ) -> Self {
        let times = tables.iter().map(CaseReport::new).collect();
        Self { conditions, bars, counts, memory, times }
    }
}

/// For people.
impl Display for Report {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        writeln!(f, "# HTTP benchmarks\n\n`make bench-http` measures and writes this.\n")?;
        self.conditions.iter().try_for_each(|condition| writeln!(f, "* {condition}"))?;
        super::bars(f, &self.bars)?;
        let columns =
            ["server", "user instructions", "heap allocations", "syscalls", "at light load"];
        let note = "64 connections kept alive; at light load one, with one request every 10 ms. \
                    Only calendarbot counts its allocations.";
        head(f, "Counts, a request", note, &columns)?;
        for row in &self.counts {
            let figures = [row.instructions, row.allocations, row.syscalls, row.syscalls_light];
            line(f, &row.server, &figures, ABSENT)?;
        }
        let note = "Bytes by which the resident set grows for each client that has asked once and \
                    stays; the kernel's sockets are not in it.";
        head(f, "Memory, an idle connection", note, &["server", "64 connections", "256"])?;
        for row in &self.memory {
            line(f, &row.server, &[row.bytes_at_64, row.bytes_at_256], ABSENT)?;
        }
        for case in &self.times {
            let columns = [
                "server",
                "CPU µs",
                "× nginx",
                "× raw",
                "busy %",
                "requests/s",
                "× nginx",
                "p50 µs",
                "p99 µs",
                "max µs",
                "errors",
            ];
            head(f, &case.title(), "", &columns)?;
            for row in &case.rows {
                let TimeRow { cpu_us, cpu_to_nginx, cpu_to_raw, busy_percent, .. } = *row;
                let TimeRow { requests_per_second, rate_to_nginx, p50_us, p99_us, max_us, .. } =
                    *row;
                let errors = cpu_us.map(|_| row.errors as f64);
                let cpu = [cpu_us, cpu_to_nginx, cpu_to_raw, busy_percent];
                let rate = [requests_per_second, rate_to_nginx, p50_us, p99_us, max_us, errors];
                line(f, &row.server, &[&cpu[..], &rate].concat(), ABSENT)?;
            }
        }
        Ok(())
    }
}

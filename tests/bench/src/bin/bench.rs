//! `bench`: measures the product and its peers and writes the report; with `--gate` it counts only
//! what repeats and fails when it is over its bar.

use std::process::ExitCode;
use std::time::Duration;

use calendarbot_bench::Result;
use calendarbot_bench::counts::{count, missing_tools};
use calendarbot_bench::goal::Goal;
use calendarbot_bench::memory::bytes_a_connection;
use calendarbot_bench::options::{self, Options};
use calendarbot_bench::report::http::{CountRow, MemoryRow, Report, bars_of_counts, bars_of_times};
use calendarbot_bench::report::{Bar, machine};
use calendarbot_bench::rounds::{Case, measure};
use calendarbot_bench::server::{BUDGET, Kind, Server, Setting, pinning};
use lexopt::ValueExt;

const USAGE: &str = "bench [--gate] [--path /api/v1/next] [--rounds 6] [--seconds 1]";
/// Enough slots for the idle connections to be four fifths of them at most.
const BUDGET_OF_IDLE: &str = "64MiB";

/// How much is done.
#[derive(Clone, Copy)]
struct Effort {
    rounds: usize,
    time: Duration,
}

fn main() -> ExitCode {
    options::end("bench", run())
}

fn run() -> Result<()> {
    let (mut is_gate, mut path) = (false, "/api/v1/next".to_owned());
    let mut effort = Effort { rounds: 6, time: Duration::from_secs(1) };
    let options = Options::read(USAGE, |name, arguments| {
        match name {
            "gate" => is_gate = true,
            "path" => path = arguments.value()?.string()?,
            "rounds" => effort.rounds = arguments.value()?.parse()?,
            "seconds" => effort.time = Duration::from_secs_f64(arguments.value()?.parse()?),
            _ => return Ok(false),
        }
        Ok(true)
    })?;
    let mut setting = options.setting(&path, BUDGET)?;
    let server = Server::start(Kind::Calendarbot, &setting, &[])?;
    setting.body_bytes = server.body(&setting.path)?.len();
    server.stop()?;
    if is_gate { gate(&setting) } else { options.publish(&bench(effort, setting)?, "http") }
}

/// Prints the counts of the product.
///
/// # Errors
/// When one is over its bar.
fn gate(setting: &Setting) -> Result<()> {
    let missing = missing_tools();
    if !missing.is_empty() {
        return Err(format!("{} missing: make bench-setup", missing.join(" and ")).into());
    }
    let mut bars = bars_of_counts(Some(&count(Kind::Calendarbot, setting, false)?));
    bars.retain(Bar::is_measured);
    println!("a cached GET {} at 64 connections:", setting.path);
    bars.iter().for_each(|bar| println!("{bar}"));
    if bars.iter().all(Bar::holds) { Ok(()) } else { Err("a count is over its bar".into()) }
}

/// Measures everything. Times are reported and not judged.
fn bench(effort: Effort, mut setting: Setting) -> Result<Report> {
    let tables =
        measure(&setting, effort.rounds, effort.time, |Case { connections, keep_alive }| {
            eprintln!("times: {connections} connections, kept alive: {keep_alive}");
        })?;
    let has_tools = missing_tools().is_empty();
    let (mut bars, mut counts, mut memory) = (Vec::new(), Vec::new(), Vec::new());
    for kind in Kind::ALL {
        eprintln!("counts: {}", kind.name());
        let counted = match kind.is_there() && has_tools {
            true => Some(count(kind, &setting, true)?),
            false => None,
        };
        counts.push(CountRow::new(kind, counted.as_ref()));
        if kind == Kind::Calendarbot {
            bars.extend(bars_of_counts(counted.as_ref()));
        }
    }
    setting.budget = BUDGET_OF_IDLE;
    for kind in Kind::ALL {
        let bytes = match kind.is_there() {
            true => Some(bytes_a_connection(kind, &setting)?),
            false => None,
        };
        memory.push(MemoryRow::new(kind, bytes));
        if let (Kind::Calendarbot, Some([_, bytes])) = (kind, bytes) {
            let name = "bytes of an idle connection, of 256";
            bars.push(Bar::at_most(Goal::IdleConnection, name, bytes, 2_200.0));
        }
    }
    bars.extend(bars_of_times(&tables));
    Ok(Report::new(conditions(effort, &setting), bars, counts, memory, &tables))
}

fn conditions(effort: Effort, setting: &Setting) -> Vec<String> {
    let Setting { path, body_bytes, .. } = setting;
    vec![
        format!("{}; {}.", machine(), pinning()),
        format!(
            "`GET {path}` of the demo calendar, answered from the cache with a body of \
             {body_bytes} bytes, in {BUDGET} ({BUDGET_OF_IDLE} for the idle connections). The \
             peers answer with as many bytes and much the same header fields."
        ),
        format!(
            "Times: {} rounds of {:?} a server, alternating; medians, and medians of the ratios \
             within a round. CPU is the server's user and system time for a request; where the \
             server is less than 100 % busy, requests/s say more about the load, which is \
             `tests/bench`'s own, a closed loop on one thread.",
            effort.rounds, effort.time
        ),
        "Counts: differences of two run lengths, by callgrind (user code only), strace and the \
         product's counting allocator."
            .to_owned(),
    ]
}

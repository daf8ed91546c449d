//! `bench`: measures the product and its peers and writes the report; `bench gate` counts only
//! what repeats and fails when it is over its bar.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use calendarbot_bench::Result;
use calendarbot_bench::counts::{count, missing_tools};
use calendarbot_bench::memory::bytes_a_connection;
use calendarbot_bench::report::http::{CountRow, MemoryRow, Report, bars_of_counts, bars_of_times};
use calendarbot_bench::report::{Bar, machine, publish};
use calendarbot_bench::rounds::{Case, measure};
use calendarbot_bench::server::{Kind, Server, Setting, pinning};
use lexopt::prelude::*;

const USAGE: &str = "bench [gate] --product FILE [--out FOLDER] [--docs FILE] \
                     [--path /api/v1/next] \
                     [--rounds 6] [--seconds 1]";
/// The budget of a Pi: 128 slots.
const BUDGET: &str = "16MiB";
/// Enough slots for the idle connections to be four fifths of them at most.
const BUDGET_OF_IDLE: &str = "64MiB";

/// The command line.
struct Options {
    is_gate: bool,
    product: PathBuf,
    out: PathBuf,
    docs: Option<PathBuf>,
    path: String,
    rounds: usize,
    time: Duration,
}

fn main() -> ExitCode {
    match options().and_then(|options| run(&options)) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("bench: {error}");
            ExitCode::FAILURE
        }
    }
}

fn options() -> Result<Options> {
    let mut options = Options {
        is_gate: false,
        product: PathBuf::new(),
        out: PathBuf::from("."),
        docs: None,
        path: "/api/v1/next".to_owned(),
        rounds: 6,
        time: Duration::from_secs(1),
    };
    let mut arguments = lexopt::Parser::from_env();
    while let Some(argument) = arguments.next()? {
        match argument {
            Value(value) if value == "gate" => options.is_gate = true,
            Long("product") => options.product = arguments.value()?.into(),
            Long("out") => options.out = arguments.value()?.into(),
            Long("docs") => options.docs = Some(arguments.value()?.into()),
            Long("path") => options.path = arguments.value()?.string()?,
            Long("rounds") => options.rounds = arguments.value()?.parse()?,
            Long("seconds") => {
                options.time = Duration::from_secs_f64(arguments.value()?.parse()?);
            }
            _ => return Err(USAGE.into()),
        }
    }
    options.product = fs::canonicalize(&options.product).map_err(|_| USAGE)?;
    Ok(options)
}

fn run(options: &Options) -> Result<bool> {
    let own_binaries = std::env::current_exe()?.parent().map(Path::to_path_buf);
    let mut setting = Setting {
        product: options.product.clone(),
        own_binaries: own_binaries.ok_or("a program without a folder")?,
        path: options.path.clone(),
        body_bytes: 0,
        budget: BUDGET,
    };
    let server = Server::start(Kind::Calendarbot, &setting, &[])?;
    setting.body_bytes = server.body(&setting.path)?.len();
    server.stop()?;
    if options.is_gate { gate(&setting) } else { bench(options, setting) }
}

/// Prints the counts of the product; false when one is over its bar.
fn gate(setting: &Setting) -> Result<bool> {
    let missing = missing_tools();
    if !missing.is_empty() {
        return Err(format!("{} missing: make bench-setup", missing.join(" and ")).into());
    }
    let bars = bars_of_counts(&count(Kind::Calendarbot, setting, false)?);
    println!("a cached GET {} at 64 connections:", setting.path);
    bars.iter().for_each(|bar| println!("{bar}"));
    Ok(bars.iter().all(Bar::holds))
}

/// Measures everything; always true, since times are reported and not judged.
fn bench(options: &Options, mut setting: Setting) -> Result<bool> {
    let tables =
        measure(&setting, options.rounds, options.time, |Case { connections, keep_alive }| {
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
            bars.extend(counted.iter().flat_map(bars_of_counts));
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
            bars.push(Bar::at_most("bytes of an idle connection, of 256", bytes, 2_200.0));
        }
    }
    bars.extend(bars_of_times(&tables));
    let report = Report::new(conditions(options, &setting), bars, counts, memory, &tables);
    publish(&report, "http", &options.out, options.docs.as_deref())?;
    println!("{report}");
    Ok(true)
}

fn conditions(options: &Options, setting: &Setting) -> Vec<String> {
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
            options.rounds, options.time
        ),
        "Counts: differences of two run lengths, by callgrind (user code only), strace and the \
         product's counting allocator."
            .to_owned(),
    ]
}

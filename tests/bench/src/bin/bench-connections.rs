//! `bench-connections`: measures pooled connections against one for each fetch and read, and
//! writes the report.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use calendarbot_bench::Result;
use calendarbot_bench::connections::{Effort, measure};
use calendarbot_bench::report::connections::Report;
use calendarbot_bench::report::{machine, publish};
use calendarbot_bench::server::{Setting, pinning};
use lexopt::prelude::*;

const USAGE: &str =
    "bench-connections --product FILE [--out FOLDER] [--docs FILE] [--rounds 11] [--fetches 200]";
/// The budget of a Pi.
const BUDGET: &str = "16MiB";

/// The command line.
struct Options {
    product: PathBuf,
    out: PathBuf,
    docs: Option<PathBuf>,
    effort: Effort,
}

fn main() -> ExitCode {
    match options().and_then(|options| run(&options)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("bench-connections: {error}");
            ExitCode::FAILURE
        }
    }
}

fn options() -> Result<Options> {
    let effort = Effort { rounds: 11, fetches: 200, reading: Duration::from_millis(300) };
    let mut options =
        Options { product: PathBuf::new(), out: PathBuf::from("."), docs: None, effort };
    let mut arguments = lexopt::Parser::from_env();
    while let Some(argument) = arguments.next()? {
        match argument {
            Long("product") => options.product = arguments.value()?.into(),
            Long("out") => options.out = arguments.value()?.into(),
            Long("docs") => options.docs = Some(arguments.value()?.into()),
            Long("rounds") => options.effort.rounds = arguments.value()?.parse()?,
            Long("fetches") => options.effort.fetches = arguments.value()?.parse()?,
            _ => return Err(USAGE.into()),
        }
    }
    options.product = fs::canonicalize(&options.product).map_err(|_| USAGE)?;
    Ok(options)
}

fn run(options: &Options) -> Result<()> {
    let own_binaries = std::env::current_exe()?.parent().map(Path::to_path_buf);
    let setting = Setting {
        product: options.product.clone(),
        own_binaries: own_binaries.ok_or("a program without a folder")?,
        path: String::new(),
        body_bytes: 0,
        budget: BUDGET,
    };
    let operations = measure(&setting, options.effort, |name| eprintln!("{name}"))?;
    let report = Report::new(conditions(options.effort), &operations)?;
    publish(&report, "connections", &options.out, options.docs.as_deref())?;
    println!("{report}");
    Ok(())
}

fn conditions(effort: Effort) -> Vec<String> {
    let Effort { rounds, fetches, reading } = effort;
    vec![
        format!("{}.", machine()),
        format!(
            "Pooled is `connection_pooling = true`, legacy is `false`: a connection for each fetch \
             and each read. {rounds} rounds; in each, both are measured one after the other. Shown \
             are the medians of each, and the median of the ratios within a round."
        ),
        format!(
            "A fetch gets a calendar of 50 events from a server on loopback to its end, and parses \
             nothing; {fetches} in a process of their own for each way and round, after one that \
             is not counted. Legacy TLS may go on with an earlier session. Latency \
             is the median of a round; processor time is that of all threads."
        ),
        format!(
            "A read is `/api/v1/next` with the pipeline off, so that each answer is made anew; one \
             client asks for {} ms a round; {}.",
            reading.as_millis(),
            pinning()
        ),
        "Memory is the most that was resident: VmHWM of the fetching process, and of the program, \
         begun anew with each round of reads."
            .to_owned(),
    ]
}

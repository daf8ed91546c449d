//! `bench-pipeline`: measures what the request pipeline and its parts are worth, and writes the
//! report.

use std::fs;
use std::path::PathBuf;
use std::process::ExitCode;

use calendarbot_bench::Result;
use calendarbot_bench::pipeline::{Case, conditions, measure};
use calendarbot_bench::report::pipeline::Report;
use calendarbot_bench::report::{machine, publish};
use calendarbot_bench::server::{Setting, installed, pinning};
use lexopt::prelude::*;

const USAGE: &str = "bench-pipeline --product FILE [--out FOLDER] [--docs FILE] [--rounds 20]";
/// The budget of a Pi.
const BUDGET: &str = "16MiB";

/// The command line.
struct Options {
    product: PathBuf,
    out: PathBuf,
    docs: Option<PathBuf>,
    rounds: u64,
}

fn main() -> ExitCode {
    match options().and_then(|options| run(&options)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("bench-pipeline: {error}");
            ExitCode::FAILURE
        }
    }
}

fn options() -> Result<Options> {
    let mut options =
        Options { product: PathBuf::new(), out: PathBuf::from("."), docs: None, rounds: 20 };
    let mut arguments = lexopt::Parser::from_env();
    while let Some(argument) = arguments.next()? {
        match argument {
            Long("product") => options.product = arguments.value()?.into(),
            Long("out") => options.out = arguments.value()?.into(),
            Long("docs") => options.docs = Some(arguments.value()?.into()),
            Long("rounds") => options.rounds = arguments.value()?.parse()?,
            _ => return Err(USAGE.into()),
        }
    }
    options.product = fs::canonicalize(&options.product).map_err(|_| USAGE)?;
    Ok(options)
}

fn run(options: &Options) -> Result<()> {
    let setting = Setting {
        product: options.product.clone(),
        own_binaries: PathBuf::new(),
        path: String::new(),
        body_bytes: 0,
        budget: BUDGET,
    };
    let counting = installed("valgrind").is_some();
    let measure = |case: Case| {
        eprintln!("{}", case.title());
        measure(&setting, case, options.rounds, counting)
    };
    let tables = Case::ALL.into_iter().map(measure).collect::<Result<Vec<_>>>()?;
    let report = Report::new(in_words(options), &tables);
    publish(&report, "pipeline", &options.out, options.docs.as_deref())?;
    println!("{report}");
    Ok(())
}

fn in_words(options: &Options) -> Vec<String> {
    vec![
        format!("{}; {}.", machine(), pinning()),
        format!(
            "The same program in {BUDGET}, with all of its flags on and with one of them off. {}",
            conditions()
        ),
        format!(
            "Times: {} rounds in which each of them is asked, alternating; medians, and medians of \
             the ratios within a round. CPU is user and system time for a request. Memory is that \
             after the last round.",
            options.rounds
        ),
        "Instructions: the user's, by callgrind, as the difference of two run lengths. Answers \
         made and readings of the database are those for a request."
            .to_owned(),
    ]
}

//! `bench-pipeline`: measures what the request pipeline and its parts are worth, and writes the
//! report.

use std::process::ExitCode;

use calendarbot_bench::Result;
use calendarbot_bench::options::{self, Options};
use calendarbot_bench::pipeline::{Case, conditions, measure};
use calendarbot_bench::report::machine;
use calendarbot_bench::report::pipeline::Report;
use calendarbot_bench::server::{BUDGET, installed, pinning};
use lexopt::ValueExt;

const USAGE: &str = "bench-pipeline [--rounds 20]";

fn main() -> ExitCode {
    options::end("bench-pipeline", run())
}

fn run() -> Result<()> {
    let mut rounds = 20;
    let options = Options::read(USAGE, |name, arguments| {
        if name == "rounds" {
            rounds = arguments.value()?.parse()?;
        }
        Ok(name == "rounds")
    })?;
    let setting = options.setting("", BUDGET)?;
    let counting = installed("valgrind").is_some();
    let measure = |case: Case| {
        eprintln!("{}", case.title());
        measure(&setting, case, rounds, counting)
    };
    let tables = Case::ALL.into_iter().map(measure).collect::<Result<Vec<_>>>()?;
    options.publish(&Report::new(in_words(rounds), &tables), "pipeline")
}

fn in_words(rounds: u64) -> Vec<String> {
    vec![
        format!("{}; {}.", machine(), pinning()),
        format!(
            "The same program in {BUDGET}, with all of its flags on and with one of them off. {}",
            conditions()
        ),
        format!(
            "Times: {rounds} rounds in which each of them is asked, alternating; medians, and medians of \
             the ratios within a round. CPU is user and system time for a request. Memory is that \
             after the last round."
        ),
        "Instructions: the user's, by callgrind, as the difference of two run lengths. Answers \
         made and readings of the database are those for a request."
            .to_owned(),
    ]
}

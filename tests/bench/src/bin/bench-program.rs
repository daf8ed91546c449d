//! `bench-program`: measures the program as a whole, and writes the report.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use calendarbot_bench::Result;
use calendarbot_bench::options::{self, Options};
use calendarbot_bench::program::scale::{self, ASK_INTERVAL};
use calendarbot_bench::program::{EVENTS_WRITTEN, Effort, VIEW, measure};
use calendarbot_bench::report::machine;
use calendarbot_bench::report::program::{Report, Sizes};
use calendarbot_bench::server::{BUDGET, installed, pinning};
use lexopt::ValueExt;

const USAGE: &str =
    "bench-program [--aarch64 FILE] [--starts 40] [--deaths 20] [--rounds 20] [--idle 30]";
/// For each number of clients.
const CLIENTS_TIME: Duration = Duration::from_secs(4);

fn main() -> ExitCode {
    options::end("bench-program", run())
}

fn run() -> Result<()> {
    let mut aarch64 = None;
    let mut effort = Effort { starts: 40, deaths: 20, rounds: 20, idle: Duration::from_secs(30) };
    let options = Options::read(USAGE, |name, arguments| {
        match name {
            "aarch64" => aarch64 = Some(PathBuf::from(arguments.value()?)),
            "starts" => effort.starts = arguments.value()?.parse()?,
            "deaths" => effort.deaths = arguments.value()?.parse()?,
            "rounds" => effort.rounds = arguments.value()?.parse()?,
            "idle" => effort.idle = Duration::from_secs_f64(arguments.value()?.parse()?),
            _ => return Ok(false),
        }
        Ok(true)
    })?;
    let sizes = Sizes::of(&options.product, aarch64.as_deref())?;
    let setting = options.setting(VIEW, BUDGET)?;
    let say = |name: &str| eprintln!("{name}");
    let figures = measure(&setting, effort, say)?;
    say("clients");
    let clients = scale::clients(&setting, CLIENTS_TIME)?;
    let calendars = scale::calendars(&setting, installed("valgrind").is_some(), say)?;
    let report = Report::new(conditions(effort), figures, calendars, clients, sizes);
    options.publish(&report, "program")
}

fn conditions(effort: Effort) -> Vec<String> {
    let Effort { idle, rounds, .. } = effort;
    vec![
        format!("{}; {}.", machine(), pinning()),
        format!(
            "In {BUDGET}, with a calendar of 500 events unless it says otherwise, 12 % of them \
             series, read from a file and stored. Where starts, answers and calendars are \
             measured the file is gone: they come from the store."
        ),
        format!(
            "A start is the time from making the process to the first answer with 200 to \
             `{VIEW}`, asked for every 100 µs. Before a sudden death a calendar of \
             {EVENTS_WRITTEN} events, all of them changed, is being stored, each time a little \
             further."
        ),
        format!(
            "When nobody asks: over {} s, two seconds after the start. Wake-ups are those of all \
             threads.",
            idle.as_secs_f64()
        ),
        format!(
            "Answers: the median of {rounds} rounds; CPU is user and system time of the process. \
             An answer is made for each request, by itself, with `flags.caching`, \
             `flags.deduplication` and `flags.batching` off."
        ),
        "Calendars: 500 events lie within 90 days of a day that stands still; each further 500 a \
         year further back or, on crowded days, on the same days. Instructions are the user's, by \
         callgrind, as the difference of two run lengths. Memory is that after 5000 answers to 64 \
         clients."
            .to_owned(),
        format!(
            "Clients who stay: all are connected, and one after the other asks, one every {} ms.",
            ASK_INTERVAL.as_millis()
        ),
    ]
}

//! `bench-connections`: measures pooled connections against one for each fetch and read, and
//! writes the report.

use std::process::ExitCode;
use std::time::Duration;

use calendarbot_bench::Result;
use calendarbot_bench::connections::{Effort, measure};
use calendarbot_bench::options::{self, Options};
use calendarbot_bench::report::connections::Report;
use calendarbot_bench::report::machine;
use calendarbot_bench::server::{BUDGET, pinning};
use lexopt::ValueExt;

const USAGE: &str = "bench-connections [--rounds 11] [--fetches 200]";

fn main() -> ExitCode {
    options::end("bench-connections", run())
}

fn run() -> Result<()> {
    let mut effort = Effort { rounds: 11, fetches: 200, reading: Duration::from_millis(300) };
    let options = Options::read(USAGE, |name, arguments| {
        match name {
            "rounds" => effort.rounds = arguments.value()?.parse()?,
            "fetches" => effort.fetches = arguments.value()?.parse()?,
            _ => return Ok(false),
        }
        Ok(true)
    })?;
    let setting = options.setting("", BUDGET)?;
    let operations = measure(&setting, effort, |name| eprintln!("{name}"))?;
    options.publish(&Report::new(conditions(effort), &operations)?, "connections")
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

//! `bench-summary`: puts together what the other benchmarks have measured.

use std::process::{Command, ExitCode};

use calendarbot_bench::Result;
use calendarbot_bench::options::{self, Options};
use calendarbot_bench::report::machine;
use calendarbot_bench::report::summary::{Report, publish};

fn main() -> ExitCode {
    options::end("bench-summary", run())
}

fn run() -> Result<()> {
    let options = Options::read("bench-summary", |_, _| Ok(false))?;
    let version = Command::new(&options.product).arg("--version").output()?.stdout;
    let conditions =
        vec![format!("{} on {}.", String::from_utf8_lossy(&version).trim(), machine())];
    let report = Report::read(conditions, &options.out)?;
    publish(&report, &options.out, options.docs.as_deref())?;
    println!("{report}");
    match &report.missing[..] {
        [] => Ok(()),
        missing => Err(format!("not measured: {}", missing.join(", ")).into()),
    }
}

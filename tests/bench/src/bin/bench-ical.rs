//! `bench-ical`: measures how calendars are read, and what a refresh costs, and writes the report.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use calendarbot_bench::Result;
use calendarbot_bench::feeds::Feed;
use calendarbot_bench::readers::{Programs, Reader};
use calendarbot_bench::refresh;
use calendarbot_bench::report::calendars::{FeedReport, Report};
use calendarbot_bench::report::{machine, publish};
use calendarbot_bench::server::Setting;
use lexopt::prelude::*;

const USAGE: &str =
    "bench-ical --product FILE [--python FILE] [--out FOLDER] [--docs FILE] [--events 2000]";
/// The budget of a Pi.
const BUDGET: &str = "16MiB";
/// Events of the feed that is refreshed: more than anybody's calendar has.
const REFRESH_EVENTS: usize = 20_000;

/// The command line.
struct Options {
    product: PathBuf,
    python: Option<PathBuf>,
    out: PathBuf,
    docs: Option<PathBuf>,
    events: usize,
}

fn main() -> ExitCode {
    match options().and_then(|options| run(&options)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("bench-ical: {error}");
            ExitCode::FAILURE
        }
    }
}

fn options() -> Result<Options> {
    let mut options = Options {
        product: PathBuf::new(),
        python: None,
        out: PathBuf::from("."),
        docs: None,
        events: 2_000,
    };
    let mut arguments = lexopt::Parser::from_env();
    while let Some(argument) = arguments.next()? {
        match argument {
            Long("product") => options.product = arguments.value()?.into(),
            Long("python") => options.python = Some(arguments.value()?.into()),
            Long("out") => options.out = arguments.value()?.into(),
            Long("docs") => options.docs = Some(arguments.value()?.into()),
            Long("events") => options.events = arguments.value()?.parse()?,
            _ => return Err(USAGE.into()),
        }
    }
    options.product = fs::canonicalize(&options.product).map_err(|_| USAGE)?;
    // A Python that could not be given its packages is left out, and the report says so.
    options.python = options.python.filter(|python| python.is_file());
    Ok(options)
}

fn run(options: &Options) -> Result<()> {
    let own_binaries = std::env::current_exe()?.parent().map(Path::to_path_buf);
    let own_binaries = own_binaries.ok_or("a program without a folder")?;
    let programs =
        Programs { read_ical: own_binaries.join("read-ical"), python: options.python.clone() };
    let scratch = tempfile::tempdir()?;
    let file = scratch.path().join("calendar.ics");
    let mut feeds = Vec::new();
    for feed in Feed::ALL {
        let text = feed.text(options.events)?;
        fs::write(&file, &text)?;
        let mut figures = Vec::new();
        for reader in Reader::ALL {
            eprintln!("{}: {}", feed.name(), reader.name());
            figures.push((reader, programs.measure(reader, &file, text.len())?));
        }
        feeds.push(FeedReport::new(feed.name(), text.len(), &figures));
    }
    eprintln!("a refresh");
    fs::write(&file, Feed::Outlook.text(REFRESH_EVENTS)?)?;
    let setting = Setting {
        product: options.product.clone(),
        own_binaries,
        path: "/api/v1/next".to_owned(),
        body_bytes: 0,
        budget: BUDGET,
    };
    let refresh = refresh::measure(&setting, &file)?;
    let report = Report::new(conditions(options), feeds, refresh);
    publish(&report, "ical", &options.out, options.docs.as_deref())?;
    println!("{report}");
    Ok(())
}

fn conditions(options: &Options) -> Vec<String> {
    let events = options.events;
    vec![
        format!("{}.", machine()),
        format!(
            "Reading: {events} generated events, or `tests/data` until there are as many. Each \
             reader is a process of its own and reads from the file as it likes best; calendarbot \
             in pieces of 16 KiB. MB/s is of user time, over a second at \
             least and in the fastest of three runs; instructions are \
             the user's, by callgrind, a run of two readings less a run of one; growth is the \
             peak of the resident set (VmHWM) less that before the file is opened. How many \
             events were found stands beside: a limit, or an opinion, may leave some out."
        ),
        format!(
            "The refresh: {REFRESH_EVENTS} events as Outlook writes them, from a server on \
             loopback, in {BUDGET}. The program is idle with a small calendar when the large one \
             begins to come; growth is VmHWM from there less the resident set before. Meanwhile a \
             client asks for `/api/v1/next` every 10 ms; its answers wait for the processor as \
             well as for the loop."
        ),
        "Turns: the same program in a process with a task beside it that is always ready. The \
         longest turn is the most processor time of the loop's thread between two turns of that \
         task, from the program's start to the end of the refresh; the middle one of three runs."
            .to_owned(),
    ]
}

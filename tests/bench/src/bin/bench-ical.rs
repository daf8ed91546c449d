//! `bench-ical`: measures how calendars are read, and what a refresh costs, and writes the report.

use std::fs;
use std::path::PathBuf;
use std::process::ExitCode;

use calendarbot_bench::Result;
use calendarbot_bench::feeds::Feed;
use calendarbot_bench::options::{self, Options};
use calendarbot_bench::readers::{Programs, Reader};
use calendarbot_bench::refresh;
use calendarbot_bench::report::calendars::{FeedReport, Report};
use calendarbot_bench::report::machine;
use calendarbot_bench::server::BUDGET;
use lexopt::ValueExt;

const USAGE: &str = "bench-ical [--python FILE] [--events 2000]";
/// Events of the feed that is refreshed: more than anybody's calendar has.
const REFRESH_EVENTS: usize = 20_000;

fn main() -> ExitCode {
    options::end("bench-ical", run())
}

fn run() -> Result<()> {
    let (mut python, mut events) = (None, 2_000);
    let options = Options::read(USAGE, |name, arguments| {
        match name {
            "python" => python = Some(PathBuf::from(arguments.value()?)),
            "events" => events = arguments.value()?.parse()?,
            _ => return Ok(false),
        }
        Ok(true)
    })?;
    let setting = options.setting("/api/v1/next", BUDGET)?;
    let programs = Programs {
        read_ical: setting.own_binaries.join("read-ical"),
        // A Python that could not be given its packages is left out, and the report says so.
        python: python.filter(|python| python.is_file()),
    };
    let scratch = tempfile::tempdir()?;
    let file = scratch.path().join("calendar.ics");
    let mut feeds = Vec::new();
    for feed in Feed::ALL {
        let text = feed.text(events)?;
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
    let refresh = refresh::measure(&setting, &file)?;
    options.publish(&Report::new(conditions(events), feeds, refresh), "ical")
}

fn conditions(events: usize) -> Vec<String> {
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

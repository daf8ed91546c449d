//! `read-ical READER FILE TIMES`: reads a calendar so many times, and prints how many events it
//! found, the seconds of user time, and by how many KiB the resident set grew at most.

use std::fs::{self, File};
use std::io::{BufReader, Read};
use std::process::ExitCode;

use calendarbot::budget::FeedLimits;
use calendarbot::ical::component::{Item, Kind};
use calendarbot::ical::event::Event;
use calendarbot_bench::Result;
use calendarbot_bench::readers::Reader;
use calendarbot_bench::server::status_kib;

/// What the product reads at once.
const READ_BYTES: usize = 16 << 10;

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("read-ical: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [word, path, times] = &arguments[..] else { return Err("READER FILE TIMES".into()) };
    let reader = Reader::ALL.into_iter().find(|reader| reader.word() == word);
    let reader = reader.ok_or("no such reader")?;
    let (before, began) = (status_kib("self", "VmHWM")?, user_seconds()?);
    let mut events = 0;
    for _ in 0..times.parse::<u64>()? {
        events = read(reader, path)?;
    }
    let seconds = user_seconds()? - began;
    println!("{events} {seconds} {}", status_kib("self", "VmHWM")? - before);
    Ok(())
}

/// Reads the file once; the number of its events.
fn read(reader: Reader, path: &str) -> Result<usize> {
    match reader {
        Reader::Calendarbot => calendarbot(path, |_| Ok(())),
        Reader::CalendarbotEvents => {
            let limits = FeedLimits::default();
            calendarbot(path, |text| {
                std::hint::black_box(Event::parse(text, &limits)?);
                Ok(())
            })
        }
        Reader::Calcard => calcard(path),
        Reader::Icalendar => {
            let calendar: icalendar::Calendar = fs::read_to_string(path)?.parse()?;
            Ok(calendar.events().count())
        }
        Reader::Ical => {
            let mut events = 0;
            for calendar in ical::IcalParser::new(BufReader::new(File::open(path)?)) {
                events += calendar?.events.len();
            }
            Ok(events)
        }
        Reader::Python => Err("that is read-ical.py's".into()),
    }
}

fn calendarbot(path: &str, mut see: impl FnMut(&str) -> Result<()>) -> Result<usize> {
    let mut file = File::open(path)?;
    let mut reader = calendarbot::ical::component::Reader::new(&FeedLimits::default());
    let (mut events, mut seen) = (0, Ok(()));
    let mut sink = |item: Item| {
        if let Item::Component(component) = item
            && component.kind == Kind::Event
            && seen.is_ok()
        {
            events += 1;
            seen = see(&component.text);
        }
    };
    let mut buffer = vec![0; READ_BYTES];
    loop {
        let count = file.read(&mut buffer)?;
        if count == 0 {
            break;
        }
        reader.push(&buffer[..count], &mut sink)?;
    }
    reader.finish(&mut sink)?;
    seen?;
    Ok(events)
}

fn calcard(path: &str) -> Result<usize> {
    use calcard::icalendar::ICalendarComponentType;
    use calcard::{Entry, Parser};

    let text = fs::read_to_string(path)?;
    let mut parser = Parser::new(&text);
    let mut events = 0;
    loop {
        match parser.entry() {
            Entry::ICalendar(calendar) => {
                let is_event = |component: &&calcard::icalendar::ICalendarComponent| {
                    component.component_type == ICalendarComponentType::VEvent
                };
                events += calendar.components.iter().filter(is_event).count();
            }
            Entry::Eof => return Ok(events),
            other => return Err(format!("calcard: {other:?}").into()),
        }
    }
}

/// User time of this process so far.
fn user_seconds() -> Result<f64> {
    let text = fs::read_to_string("/proc/self/stat")?;
    // Behind the name in parentheses, utime is the twelfth figure.
    let (_, figures) = text.rsplit_once(')').ok_or("no name")?;
    let ticks: f64 = figures.split_whitespace().nth(11).ok_or("no utime")?.parse()?;
    Ok(ticks / rustix::param::clock_ticks_per_second() as f64)
}

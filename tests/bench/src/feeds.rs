//! The calendars that are read: made from a seed as Outlook and Google write them, or those of
//! `tests/data`.

use std::fs;
use std::path::Path;

use crate::Result;
use seeded::{Random, fold};

#[path = "../../it/seeded.rs"]
pub(crate) mod seeded;

/// A kind of calendar.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Feed {
    /// Long descriptions, attendees, properties that nobody shows, its own time zones.
    Outlook,
    /// Little more than times and a summary.
    Google,
    /// The calendars of `tests/data`, one after the other, over and over.
    Data,
}

impl Feed {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Outlook, Self::Google, Self::Data];

    /// What the report calls it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Outlook => "as Outlook writes it",
            Self::Google => "as Google writes it",
            Self::Data => "the calendars of `tests/data`, repeated",
        }
    }

    /// A calendar of so many events, or of so many at least.
    ///
    /// # Errors
    /// When the test data cannot be read.
    pub fn text(self, events: usize) -> Result<String> {
        match self {
            Self::Outlook => Ok(calendar(OUTLOOK_ZONE, events, outlook_event)),
            Self::Google => Ok(calendar(GOOGLE_HEAD, events, google_event)),
            Self::Data => test_data(events),
        }
    }
}

const OUTLOOK_ZONE: &str = "METHOD:PUBLISH\r\nX-WR-CALNAME:Calendar\r\nBEGIN:VTIMEZONE\r\n\
TZID:W. Europe Standard Time\r\nBEGIN:STANDARD\r\nDTSTART:16010101T030000\r\n\
TZOFFSETFROM:+0200\r\nTZOFFSETTO:+0100\r\nRRULE:FREQ=YEARLY;INTERVAL=1;BYDAY=-1SU;BYMONTH=10\r\n\
END:STANDARD\r\nBEGIN:DAYLIGHT\r\nDTSTART:16010101T020000\r\nTZOFFSETFROM:+0100\r\n\
TZOFFSETTO:+0200\r\nRRULE:FREQ=YEARLY;INTERVAL=1;BYDAY=-1SU;BYMONTH=3\r\nEND:DAYLIGHT\r\n\
END:VTIMEZONE\r\n";

const GOOGLE_HEAD: &str = "CALSCALE:GREGORIAN\r\nMETHOD:PUBLISH\r\nX-WR-CALNAME:Family\r\n\
X-WR-TIMEZONE:Europe/Berlin\r\n";

/// One letter in forty is not ASCII, as in German.
const WORDS: [&str; 16] = [
    "agenda", "budget", "café", "deliver", "example", "figures", "garden", "hours", "invoice",
    "journey", "Küche", "lesson", "meeting", "notes", "office", "plan",
];

/// Half of the events happen once.
const RULES: [&str; 6] = [
    "",
    "",
    "",
    "RRULE:FREQ=WEEKLY;BYDAY=MO,WE",
    "RRULE:FREQ=DAILY;COUNT=10",
    "RRULE:FREQ=MONTHLY;BYDAY=2TU;UNTIL=20281231T235959Z",
];

/// Takes content lines, not yet folded.
type Lines<'l> = &'l mut dyn FnMut(&str);

fn calendar(head: &str, events: usize, event: fn(&mut Random, Lines<'_>)) -> String {
    let mut random = Random(0x9e37_79b9_7f4a_7c15);
    let mut text = format!("BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//example//EN\r\n{head}");
    for _ in 0..events {
        let mut line = |line: &str| fold(&mut text, line);
        line("BEGIN:VEVENT");
        event(&mut random, &mut line);
        line("END:VEVENT");
    }
    text + "END:VCALENDAR\r\n"
}

fn outlook_event(random: &mut Random, line: Lines<'_>) {
    line(&format!("DESCRIPTION:{}", random.words(70)));
    rule(random, line);
    line(&format!("UID:{:032x}{:048x}", random.next(), random.next()));
    line(&format!("SUMMARY;LANGUAGE=en-us:{}", random.words(5)));
    let start = random.start();
    line(&format!("DTSTART;TZID=W. Europe Standard Time:{start}0000"));
    line(&format!("DTEND;TZID=W. Europe Standard Time:{start}3000"));
    for property in [
        "CLASS:PUBLIC",
        "PRIORITY:5",
        "DTSTAMP:20260105T080000Z",
        "TRANSP:OPAQUE",
        "STATUS:CONFIRMED",
        "SEQUENCE:0",
        "LOCATION;LANGUAGE=en-us:Room 4\\, second floor",
        "X-MICROSOFT-CDO-APPT-SEQUENCE:0",
        "X-MICROSOFT-CDO-BUSYSTATUS:BUSY",
        "X-MICROSOFT-CDO-INTENDEDSTATUS:BUSY",
        "X-MICROSOFT-CDO-ALLDAYEVENT:FALSE",
        "X-MICROSOFT-CDO-IMPORTANCE:1",
        "X-MICROSOFT-CDO-INSTTYPE:0",
        "X-MICROSOFT-DONOTFORWARDMEETING:FALSE",
        "X-MICROSOFT-DISALLOW-COUNTER:FALSE",
        "ORGANIZER;CN=\"Chair, The\":mailto:chair@office.example",
    ] {
        line(property);
    }
    for _ in 0..3 {
        let number = random.below(5_000);
        line(&format!(
            "ATTENDEE;ROLE=REQ-PARTICIPANT;PARTSTAT=ACCEPTED;RSVP=TRUE;CN=Person {number}:\
             mailto:person{number}@office.example"
        ));
    }
    line("BEGIN:VALARM");
    line("DESCRIPTION:REMINDER");
    line("TRIGGER;RELATED=START:-PT15M");
    line("ACTION:DISPLAY");
    line("END:VALARM");
}

fn google_event(random: &mut Random, line: Lines<'_>) {
    let start = random.start();
    line(&format!("DTSTART;TZID=Europe/Berlin:{start}0000"));
    line(&format!("DTEND;TZID=Europe/Berlin:{start}3000"));
    rule(random, line);
    line("DTSTAMP:20260105T080000Z");
    line(&format!("UID:{:026x}@google.example", random.next()));
    line("CREATED:20250901T091500Z");
    line("DESCRIPTION:");
    line("LAST-MODIFIED:20250901T091500Z");
    line("LOCATION:");
    line("SEQUENCE:0");
    line("STATUS:CONFIRMED");
    line(&format!("SUMMARY:{}", random.words(3)));
    line("TRANSP:OPAQUE");
}

fn rule(random: &mut Random, line: Lines<'_>) {
    let rule = RULES[random.below(RULES.len())];
    if !rule.is_empty() {
        line(rule);
    }
}

/// Only those that leave room for others before and behind them: whole, and without a byte-order
/// mark.
fn test_data(events: usize) -> Result<String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../data/ics");
    let mut paths = Vec::new();
    for subject in fs::read_dir(folder)? {
        let subject = subject?.path();
        if subject.is_dir() {
            for file in fs::read_dir(subject)? {
                paths.push(file?.path());
            }
        }
    }
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "ics"));
    paths.sort();
    let mut once = String::new();
    for path in paths {
        let Ok(text) = String::from_utf8(fs::read(path)?) else { continue };
        let text = text.trim_end();
        if text.starts_with("BEGIN:VCALENDAR") && text.ends_with("END:VCALENDAR") {
            once.extend([text, "\n"]);
        }
    }
    let times = events.div_ceil(once.matches("BEGIN:VEVENT").count().max(1));
    Ok(once.repeat(times))
}

impl Random {
    /// A day of 2026 and an hour of it.
    fn start(&mut self) -> String {
        let (month, day, hour) = (1 + self.below(12), 1 + self.below(28), 7 + self.below(12));
        format!("2026{month:02}{day:02}T{hour:02}")
    }

    fn words(&mut self, count: usize) -> String {
        let words: Vec<&str> = (0..count).map(|_| WORDS[self.below(WORDS.len())]).collect();
        // A line end here and there, escaped as RFC 5545 section 3.3.11 has it.
        words.chunks(12).map(|line| line.join(" ")).collect::<Vec<_>>().join("\\n")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calendars_have_as_many_events_as_they_promise_and_look_alike_every_time() {
        for feed in Feed::ALL {
            let text = feed.text(300).unwrap();
            assert_eq!(text, feed.text(300).unwrap());
            let events = text.matches("BEGIN:VEVENT").count();
            assert!(events == 300 || feed == Feed::Data && events >= 300, "{feed:?}: {events}");
            assert!(text.starts_with("BEGIN:VCALENDAR"), "{feed:?}");
            assert!(text.trim_end().ends_with("END:VCALENDAR"), "{feed:?}");
        }
    }
}

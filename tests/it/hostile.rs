//! Feeds made to do harm, through the whole program: each is read to its end within its bounds,
//! says what was wrong with it, and leaves the good event beside it on the screen.

use std::fs;
use std::path::Path;
use std::time::Duration;

use calendarbot::alloc;
use calendarbot::budget::{FeedLimits, Plan};
use calendarbot::calendar::CalendarStatus;
use calendarbot::calendar::explain::{Draft, Scene};
use calendarbot::calendar::settings::Settings;
use calendarbot::calendar::skips::Skips;
use calendarbot::ical::Window;
use calendarbot::ical::zone::Zones;
use calendarbot::tzdb::bundled;

use crate::feed_server::run;
use crate::rig::{Rig, configure, folder};

/// Heap beyond what is held while nothing happens. SQLite's own is bounded by itself.
const GROWTH_MAX: usize = 2 << 20;
const INTERVAL: Duration = Duration::from_secs(300);

/// A feed and what is said of it, in its calendar's reasons or warnings. Empty: nothing is wrong.
struct Case {
    name: &'static str,
    feed: Vec<u8>,
    says: &'static str,
}

impl Case {
    /// These lines, and the good event behind them.
    fn lines(name: &'static str, lines: &str, says: &'static str) -> Self {
        let lines = lines.replace('\n', "\r\n");
        let feed = format!("BEGIN:VCALENDAR\r\n{lines}\r\n{GOOD}END:VCALENDAR\r\n").into_bytes();
        Self { name, feed, says }
    }

    /// A bad event that begins like any other.
    fn event(name: &'static str, lines: &str, says: &'static str) -> Self {
        let start = "BEGIN:VEVENT\nUID:bad\nDTSTART:20260105T090000Z";
        Self::lines(name, &format!("{start}\nSUMMARY:Bad\n{lines}\nEND:VEVENT"), says)
    }

    /// The good event in another encoding.
    fn encoded(name: &'static str, encode: impl Fn(&str) -> Vec<u8>) -> Self {
        let text = format!("BEGIN:VCALENDAR\r\n{GOOD}END:VCALENDAR\r\n");
        Self { name, feed: encode(&text), says: "" }
    }
}

const GOOD: &str = "BEGIN:VEVENT\r\nUID:good\r\nDTSTART:20260105T190000Z\r\nSUMMARY:Good\r\n\
                    END:VEVENT\r\n";

/// `line` with each number in the place of `#`.
fn repeated(line: &str, count: usize) -> String {
    (0..count).map(|number| line.replace('#', &number.to_string())).collect::<Vec<_>>().join("\n")
}

fn all(count: u8) -> String {
    (0..count).map(|number| number.to_string()).collect::<Vec<_>>().join(",")
}

fn rules() -> Vec<Case> {
    let by_all = format!("BYHOUR={};BYMINUTE={m};BYSECOND={m}", all(24), m = all(60));
    let rule = |name, rule: &str, says| Case::event(name, &format!("RRULE:{rule}"), says);
    vec![
        rule("endless seconds", "FREQ=SECONDLY", "(occurrences_max)"),
        rule(
            "every second of a year",
            &format!("FREQ=YEARLY;BYDAY=MO;{by_all}"),
            "(occurrences_max)",
        ),
        rule(
            "a position in millions",
            &format!("FREQ=YEARLY;BYDAY=MO,TU,WE,TH,FR,SA,SU;{by_all};BYSETPOS=-1"),
            "",
        ),
        rule("interval 0", "FREQ=DAILY;INTERVAL=0", "INTERVAL=0 is not understood"),
        rule("a huge interval", "FREQ=YEARLY;INTERVAL=4294967295", ""),
        rule("a huge count", "FREQ=SECONDLY;COUNT=4294967295", "occurrences_max"),
        rule("no such weekday", "FREQ=WEEKLY;BYDAY=€", "BYDAY=€ is not understood"),
        rule("no such day", "FREQ=SECONDLY;BYMONTH=2;BYMONTHDAY=30", ""),
        rule(
            "every part at once",
            &format!(
                "FREQ=SECONDLY;BYMONTH=1,2;BYMONTHDAY=1,-1;BYYEARDAY=1,-1;BYDAY=MO,TU,WE,TH,FR,SA,SU;\
             {by_all};BYSETPOS=1,-1"
            ),
            "",
        ),
        Case::event("a hundred rules", &repeated("RRULE:FREQ=MINUTELY;INTERVAL=1#", 100), "_max)"),
    ]
}

fn sizes() -> Vec<Case> {
    let day = "DTSTART:20260105T090000Z";
    vec![
        Case::event(
            "a hundred thousand EXDATE lines",
            &repeated("EXDATE:20260105T090000Z", 100_000),
            "component_bytes_max",
        ),
        Case::event(
            "as many EXDATE values as a line holds",
            &format!("RRULE:FREQ=DAILY\nEXDATE:{}", vec!["20260105T090000Z"; 3_800].join(",")),
            "",
        ),
        Case::event(
            "a line of 10 MB",
            &format!("DESCRIPTION:{}", "x".repeat(10 << 20)),
            "line_bytes_max",
        ),
        Case::event(
            "a folded line of 10 MB",
            &format!("DESCRIPTION:{}", "x\n ".repeat(3 << 20)),
            "line_bytes_max",
        ),
        Case::event(
            "a hundred thousand people",
            &repeated("ATTENDEE;CN=P#:mailto:p#@example.com", 100_000),
            "",
        ),
        Case::event("a hundred thousand properties", &repeated("COMMENT:#", 100_000), ""),
        Case::event("nested without end", &"BEGIN:X\n".repeat(100_000), "bad: its END is missing"),
        Case::event(
            "nested a hundred thousand deep",
            &["BEGIN:X\n", "END:X\n"].map(|line| line.repeat(100_000)).concat(),
            "nesting_max",
        ),
        Case::lines(
            "ten thousand events of one series",
            &repeated(&format!("BEGIN:VEVENT\nUID:bad\n{day}\nSUMMARY:#\nEND:VEVENT"), 10_000),
            "bad: ",
        ),
        Case::lines(
            "ten thousand overrides",
            &repeated(
                &format!(
                    "BEGIN:VEVENT\nUID:bad\n{day}\nRECURRENCE-ID:20260105T090000Z\nSEQUENCE:#\nEND:VEVENT"
                ),
                10_000,
            ),
            "bad: ",
        ),
        Case::lines(
            "twenty thousand zones",
            &repeated(
                "BEGIN:VTIMEZONE\nTZID:Z#\nBEGIN:STANDARD\nDTSTART:19700101T000000\nTZOFFSETFROM:+0100\nTZOFFSETTO:+0100\nEND:STANDARD\nEND:VTIMEZONE",
                20_000,
            ),
            "",
        ),
        Case::event(
            "a UID of 60 kB",
            &format!("X-A:\nEND:VEVENT\nBEGIN:VEVENT\nUID:{}\n{day}", "u".repeat(60_000)),
            "",
        ),
    ]
}

fn shapes() -> Vec<Case> {
    let bad = |lines: &str| format!("BEGIN:VEVENT\nUID:bad\n{lines}\nEND:VEVENT");
    vec![
        Case::lines("no start", &bad("SUMMARY:Bad"), "bad: DTSTART is missing"),
        Case::lines("year 0", &bad("DTSTART:00000101T000000Z\nRRULE:FREQ=YEARLY"), ""),
        Case::lines("year 99999", &bad("DTSTART:999990101T000000Z"), "bad: DTSTART"),
        Case::lines(
            "the end of time",
            &bad("DTSTART:99991231T235959Z\nDURATION:P99999D\nRRULE:FREQ=YEARLY"),
            "",
        ),
        Case::lines(
            "unterminated",
            "BEGIN:VEVENT\nUID:bad\nDTSTART:20260105T090000Z",
            "bad: its END is missing",
        ),
        Case::lines("ends that nobody began", &"END:VEVENT\nEND:X\n".repeat(10_000), ""),
        Case::lines(
            "a zone of seconds",
            &format!(
                "BEGIN:VTIMEZONE\nTZID:Odd\nBEGIN:STANDARD\nDTSTART:19700101T000000\nTZOFFSETFROM:+0100\n\
                 TZOFFSETTO:+0200\nRRULE:FREQ=SECONDLY\nEND:STANDARD\nEND:VTIMEZONE\n{}",
                bad("DTSTART;TZID=Odd:20260105T090000")
            ),
            "bad: TZID `Odd` is not known: Europe/Berlin is used (the configured zone); its VTIMEZONE \
             is not followed: a rule of it is not a yearly one",
        ),
        Case::event("controls and bad UTF-8 are no matter", "SUMMARY:\u{0}\u{1b}[2J\u{7f}", ""),
        Case::encoded("UTF-16", |text| {
            "\u{feff}"
                .encode_utf16()
                .chain(text.encode_utf16())
                .flat_map(u16::to_le_bytes)
                .collect()
        }),
        Case::encoded("carriage returns alone", |text| text.replace("\r\n", "\r").into_bytes()),
        Case::encoded("bytes that are no text", |text| {
            [b"BEGIN:VCALENDAR\nX:\xff\xfe\xc3\n\xf0\x9f\n".as_slice(), &text.as_bytes()[17..]]
                .concat()
        }),
        Case::encoded("a fold after every byte of a name", |text| {
            text.replace("SUMMARY:Good", "SUMMARY:G\r\n o\r\n o\r\n d").into_bytes()
        }),
    ]
}

fn write(folder: &Path, feed: &[u8]) {
    fs::write(folder.join("feed.ics"), feed).expect("written");
}

#[test]
fn a_hostile_feed_harms_nobody() {
    run(|executor| async move {
        let folder = folder();
        let path = folder.path().join("feed.ics");
        let feed = format!("[[feeds]]\nname = \"a\"\nfile = {:?}\n", path.to_str().expect("UTF-8"));
        let config = configure(folder.path(), &format!("time_zone = \"Europe/Berlin\"\n{feed}"));
        write(folder.path(), &Case::encoded("calm", |text| text.into()).feed);
        let rig = Rig::start(&executor, config);
        rig.refreshed(1).await;
        for (number, case) in (2..).zip([rules(), sizes(), shapes()].into_iter().flatten()) {
            write(folder.path(), &case.feed);
            drop(case.feed);
            alloc::restart_peak();
            let before = alloc::used_bytes();
            rig.advance(INTERVAL);
            rig.refreshed(number).await;
            let growth = alloc::peak_bytes() - before;
            assert!(growth <= GROWTH_MAX, "{}: {growth} bytes", case.name);
            let events = rig.get("/api/v1/events?from=2026-01-05T18:59:59Z&limit=100").await.body;
            assert!(events.contains("\"title\":\"Good\""), "{}: {events}", case.name);
            let told = rig.get("/api/v1/calendars").await.body;
            assert!(told.contains(case.says), "{}: {told}", case.name);
            let silent = told.contains("\"skipped_reasons\":[],\"warnings\":[]");
            assert_eq!(silent, case.says.is_empty(), "{}: {told}", case.name);
        }
    });
}

#[test]
fn a_series_is_explained_in_the_memory_that_a_refresh_has_for_it() {
    let at = |text: &str| text.parse().expect("a time");
    let limits = FeedLimits::default();
    let zone = bundled().get("Europe/Berlin").expect("a zone");
    let scene = Scene {
        now: at("2026-03-01T00:00:00Z"),
        zone: &zone,
        calendars: &[CalendarStatus::default()],
        calendar: 0,
        zones: &Zones::new(bundled(), zone.clone(), None),
        window: Window { start: at("2026-02-28T00:00:00Z"), end: at("2026-04-30T00:00:00Z") },
        limits: &limits,
        settings: &Settings::default(),
        skips: &Skips::default(),
        show_private: false,
    };
    let guest = format!("ATTENDEE;CN={}:mailto:a@example.org\n", "x".repeat(400));
    let rest = format!("EXDATE:{}\n{}", "20260101T000000Z,".repeat(2_000), guest.repeat(50));
    let plan = Plan::divide(16 << 20, 1, limits.clone());
    let share = plan.terms.iter().find(|term| term.name == "expansion").expect("a share").bytes;
    alloc::restart_peak();
    let before = alloc::used_bytes();
    let mut draft = Draft::new(scene, "u");
    for minute in 0..1_400 {
        let at = format!("20260301T{:02}{:02}00Z", minute / 60, minute % 60);
        draft.add(&format!("UID:u\nDTSTART:{at}\nRECURRENCE-ID:{at}\nSUMMARY:Call\n{rest}"));
    }
    let lines = draft.finish().lines(&[], 0, None);
    let bytes = alloc::peak_bytes().saturating_sub(before);
    assert!(lines.iter().any(|line| line.ends_with(" components more")), "{lines:#?}");
    assert!(bytes > rest.len() && bytes <= share, "{bytes} bytes of heap, {share} planned");
}

//! What is said, word by word, and that an assistant can read it whatever strangers write.

use super::*;
use crate::calendar::fixture::{Desk, event};
use crate::calendar::summary::{self, Query};

/// Monday in Berlin, a quarter to nine.
const NOW: &str = "2026-01-05T08:45:00+01:00";

fn desk(now: &str, lines: &[&str]) -> Desk {
    Desk::new(now, "Europe/Berlin", lines.iter().map(|line| event(line)).collect())
}

fn launch(agenda: &Agenda<'_>) -> Speech {
    let (next, last) = (lite::next_meeting(agenda), lite::last_today(agenda));
    launch_summary(agenda, next.as_ref(), last.as_ref())
}

#[test]
fn how_long_it_is_is_said_in_one_or_two_units() {
    for (seconds, expected) in [
        (-1, "now"),
        (0, "now"),
        (1, "in 1 second"),
        (59, "in 59 seconds"),
        (60, "in 1 minute"),
        (119, "in 1 minute"),
        (420, "in 7 minutes"),
        (3599, "in 59 minutes"),
        (3600, "in 1 hour"),
        (3660, "in 1 hour and 1 minute"),
        (7500, "in 2 hours and 5 minutes"),
        (86_399, "in 23 hours and 59 minutes"),
        (86_400, "in 1 day"),
        (90_000, "in 1 day and 1 hour"),
        (180_000, "in 2 days and 2 hours"),
        (i64::MAX, "in 106751991167300 days and 15 hours"),
    ] {
        assert_eq!(until(seconds), expected, "{seconds}");
    }
}

#[test]
fn times_are_said_as_people_say_them() {
    let zone = TimeZone::get("Europe/Berlin").unwrap();
    for (at, expected) in [
        ("2026-01-05T16:00:00Z", "5:00 pm"),
        ("2026-01-05T08:05:00Z", "9:05 am"),
        ("2026-01-05T11:00:00Z", "noon"),
        ("2026-01-05T11:01:00Z", "12:01 pm"),
        ("2026-01-05T23:00:00Z", "midnight"),
        ("2026-01-05T23:30:00Z", "12:30 am"),
    ] {
        assert_eq!(time(at.parse().unwrap(), &zone), expected);
    }
}

#[test]
fn the_next_meeting() {
    let check = |line: &str, expected: [&str; 2]| {
        let desk = desk(NOW, &[line]);
        let agenda = desk.agenda();
        let next = lite::next_meeting(&agenda);
        let said = [next_meeting, time_until_next].map(|say| say(&agenda, next.as_ref()).text);
        assert_eq!(said, expected);
    };
    check(
        "a 2026-01-05T08:52 2026-01-05T09:00 Standup",
        ["Your next meeting is Standup in 7 minutes.", "Your next meeting starts in 7 minutes."],
    );
    check(
        "a 2026-01-05T08:45 2026-01-05T09:00 Standup",
        ["Your next meeting is Standup, which starts now.", "Your next meeting starts now."],
    );
    check("a 2026-01-05T08:30 2026-01-05T09:00 Standup", ["You have no upcoming meetings."; 2]);
    check(
        "a 2026-01-07T08:45 2026-01-07T09:00  \u{202e}\u{7} Stand\n\tup ",
        ["Your next meeting is Stand up in 2 days.", "Your next meeting starts in 2 days."],
    );
    let mut hidden = desk(NOW, &["a 2026-01-05T09:45 2026-01-05T10:00 Secret"]);
    hidden.calendars[0].private = true;
    let agenda = hidden.agenda();
    let said = next_meeting(&agenda, lite::next_meeting(&agenda).as_ref()).text;
    assert_eq!(said, "Your next meeting is a private meeting in 1 hour.");
    let nameless = desk(NOW, &["a 2026-01-05T09:45 2026-01-05T10:00 \u{202e}"]);
    let agenda = nameless.agenda();
    let said = next_meeting(&agenda, lite::next_meeting(&agenda).as_ref()).text;
    assert_eq!(said, "Your next meeting is a meeting without a name in 1 hour.");
}

#[test]
fn when_the_day_is_done() {
    let check = |now: &str, lines: &[&str], expected: &str| {
        let desk = desk(now, lines);
        let agenda = desk.agenda();
        assert_eq!(done_for_day(&agenda, lite::last_today(&agenda).as_ref()).text, expected);
    };
    let work = ["a 2026-01-05T09:00 2026-01-05T17:00 Workshop"];
    check(NOW, &work, "You'll be done at 5:00 pm.");
    check("2026-01-05T16:59:59+01:00", &work, "You'll be done at 5:00 pm.");
    check("2026-01-05T17:00:00+01:00", &work, "You're done for today.");
    check(NOW, &[], "You have no meetings today.");
    check(NOW, &["a 2026-01-06T09:00 2026-01-06T17:00 X"], "You have no meetings today.");
    check(NOW, &["a 2026-01-05T23:00 2026-01-06T00:00 X"], "You'll be done at midnight.");
    check(NOW, &["a 2026-01-05T23:00 2026-01-06T01:00 X"], "You'll be done at 1:00 am tomorrow.");
    // Clocks go forward at two and back at three.
    let spring = ["a 2026-03-29T01:00:00Z 2026-03-29T02:00:00Z X"];
    check("2026-03-29T00:30:00Z", &spring, "You'll be done at 4:00 am.");
    let autumn = ["a 2026-10-25T01:00:00Z 2026-10-25T02:00:00Z X"];
    check("2026-10-25T00:30:00Z", &autumn, "You'll be done at 3:00 am.");
}

#[test]
fn how_the_day_stands() {
    let check = |lines: &[&str], expected: &str| {
        assert_eq!(launch(&desk(NOW, lines).agenda()).text, expected, "{lines:?}");
    };
    const RUNNING: &str = "r 2026-01-05T08:30 2026-01-05T09:15 Standup";
    const NEXT: &str = "n 2026-01-05T09:45 2026-01-05T12:00 Review";
    const OVER: &str = "o 2026-01-05T07:00 2026-01-05T08:00 Breakfast";
    const TOMORROW: &str = "t 2026-01-06T08:45 2026-01-06T12:00 Workshop";
    check(&[], "You have no meetings today. Nothing else is coming up.");
    check(&[NEXT], "Your next meeting is Review in 1 hour. You'll be done at noon.");
    check(
        &[RUNNING, NEXT],
        "You're in Standup until 9:15 am. Your next meeting is Review in 1 hour. \
         You'll be done at noon.",
    );
    check(
        &[RUNNING],
        "You're in Standup until 9:15 am. Nothing else is coming up. You'll be done at 9:15 am.",
    );
    check(&[OVER], "You have no more meetings today. Nothing else is coming up.");
    check(
        &[OVER, TOMORROW],
        "You have no more meetings today. Your next meeting is Workshop in 1 day.",
    );
    check(&[TOMORROW], "You have no meetings today. Your next meeting is Workshop in 1 day.");
    let mut lost = desk(NOW, &[NEXT]);
    lost.clock_is_set = false;
    assert_eq!(launch(&lost.agenda()).text, "I don't know yet what time it is.");
}

fn morning(desk: &Desk, detail: Detail) -> Speech {
    let agenda = desk.agenda();
    let query = Query { date: None, meetings_max: 100, detail };
    morning_summary(&agenda, &summary::morning(&agenda, &query), detail)
}

#[test]
fn what_the_morning_will_be_like() {
    let evening = |lines: &[&str]| desk("2026-01-05T20:00:00+01:00", lines);
    let check = |lines: &[&str], detail, expected: &str| {
        assert_eq!(morning(&evening(lines), detail).text, expected, "{lines:?}");
    };
    check(&[], Detail::Normal, "Good evening. You have no meetings tomorrow morning.");
    let day = "d 2026-01-06 2026-01-07 Epiphany";
    check(
        &[day],
        Detail::Normal,
        "Good evening. You have no meetings tomorrow morning. It's a light morning. \
         All day there is Epiphany.",
    );
    let busy = [
        "a 2026-01-06T07:30 2026-01-06T08:00 Standup",
        "b 2026-01-06T08:00 2026-01-06T09:00 Review",
        "c 2026-01-06T09:10 2026-01-06T10:00 Call",
        "e 2026-01-06T11:00 2026-01-06T12:00 Demo",
        day,
        "f 2026-01-06 2026-01-07 Release",
    ];
    let brief = "Good evening. You have 4 meetings tomorrow morning. It's a busy morning. \
                 You start early, at 7:30 am.";
    check(&busy, Detail::Brief, brief);
    check(
        &busy,
        Detail::Normal,
        &format!(
            "{brief} Your first meeting is Standup at 7:30 am. 2 meetings follow right after \
             another. Your longest free time is from 6:00 am to 7:30 am. All day there is \
             Epiphany and Release."
        ),
    );
    check(
        &busy,
        Detail::Verbose,
        &format!(
            "{brief} Your first meeting is Standup at 7:30 am. Then comes Review at 8:00 am. Then \
             comes Call at 9:10 am. Then comes Demo at 11:00 am. 2 meetings follow right after \
             another. Your longest free time is from 6:00 am to 7:30 am. A good time to get up is \
             6:00 am. All day there is Epiphany and Release."
        ),
    );
    let late = desk("2026-01-06T06:00:00+01:00", &busy);
    let agenda = late.agenda();
    let query = Query {
        date: Some(late.zone.to_datetime(late.now).date()),
        meetings_max: 100,
        detail: Detail::Verbose,
    };
    let said = morning_summary(&agenda, &summary::morning(&agenda, &query), Detail::Verbose).text;
    assert!(said.starts_with("Good morning. You have 4 meetings this morning."), "{said}");
    assert!(!said.contains("get up"), "it is too late for that: {said}");
    check(
        &["n 2026-01-05T22:00 2026-01-06T07:00 Night shift"],
        Detail::Normal,
        "Good evening. You have 1 meeting tomorrow morning. It's a light morning. Your first \
         meeting is Night shift, which goes on until 7:00 am. Your longest free time is from \
         7:00 am to noon.",
    );
}

#[test]
fn a_morning_is_named_from_today() {
    let today: Date = "2026-01-05".parse().unwrap();
    for (date, expected) in [
        ("2026-01-05", "this morning"),
        ("2026-01-06", "tomorrow morning"),
        ("2026-01-11", "on Sunday morning"),
        ("2026-01-12", "on the morning of Monday 12 January"),
        ("2026-01-04", "on the morning of Sunday 4 January"),
    ] {
        assert_eq!(when(date.parse().unwrap(), today), expected);
    }
    for (now, expected) in [
        ("2026-01-05T04:59:59+01:00", "Good evening."),
        ("2026-01-05T05:00:00+01:00", "Good morning."),
        ("2026-01-05T12:00:00+01:00", "Good afternoon."),
        ("2026-01-05T18:00:00+01:00", "Good evening."),
    ] {
        assert_eq!(greeting(&desk(now, &[]).agenda()), expected);
    }
}

/// Panics unless it is XML with a root, in which tags close in order and nothing else is markup.
fn check_xml(ssml: &str) {
    let mut open = Vec::new();
    let mut rest = ssml;
    while let Some(start) = rest.find('<') {
        check_text(&rest[..start]);
        assert!(start == 0 || !open.is_empty(), "text outside the root: {rest}");
        let end = rest.find('>').expect("a tag that ends");
        let tag = &rest[start + 1..end];
        match tag.strip_prefix('/') {
            Some(name) => assert_eq!(open.pop(), Some(name), "{ssml}"),
            None => {
                let (name, attributes) = tag.split_once(' ').unwrap_or((tag, ""));
                assert!(matches!(attributes, "" | "level=\"moderate\""), "{tag}");
                assert!(["speak", "s", "emphasis"].contains(&name), "{tag}");
                assert!(!open.is_empty() || (name == "speak" && rest == ssml), "{ssml}");
                open.push(name);
            }
        }
        rest = &rest[end + 1..];
    }
    assert!(open.is_empty() && rest.is_empty(), "{rest}");
}

fn check_text(text: &str) {
    assert!(!text.contains(['>', '"', '\'']), "{text}");
    for escape in text.split('&').skip(1) {
        let known = ["amp;", "lt;", "gt;", "quot;", "apos;"];
        assert!(known.iter().any(|known| escape.starts_with(known)), "{text}");
    }
    assert!(!text.contains(|c: char| c.is_control() || matches!(c, '\u{fffe}' | '\u{ffff}')));
}

#[test]
fn an_assistant_can_read_whatever_strangers_write() {
    let hostile = [
        "</s></speak><audio src='https://evil.example/x'/>",
        "&lt;&amp;&#0;&unknown; ]]> <!-- --> <?xml?>",
        "\"\"\"\"\"\"\"\"\"\"''''''''''",
        "\u{0}\u{1}\u{b}\u{7f}\u{85}\u{fffe}\u{ffff}\u{202e}\u{2028}x",
        "<speak><speak><speak>",
        "日本語のとても長い予定 🎉🎉🎉",
    ];
    let lines: Vec<String> = (0..100)
        .map(|number| {
            let title = hostile[number % hostile.len()].repeat(40);
            let minute = number % 60;
            format!("{number:02} 2026-01-06T09:{minute:02} 2026-01-06T10:00 {title}")
        })
        .chain((0..3).map(|number| format!("d{number} 2026-01-06 2026-01-07 {}", "\"".repeat(999))))
        .collect();
    let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
    for now in [NOW, "2026-01-06T08:45:00+01:00", "2026-01-06T09:30:00+01:00"] {
        let desk = desk(now, &lines);
        let agenda = desk.agenda();
        let (next, last) = (lite::next_meeting(&agenda), lite::last_today(&agenda));
        let mut said = vec![
            next_meeting(&agenda, next.as_ref()),
            time_until_next(&agenda, next.as_ref()),
            done_for_day(&agenda, last.as_ref()),
            launch(&agenda),
        ];
        for detail in [Detail::Brief, Detail::Normal, Detail::Detailed, Detail::Verbose] {
            said.push(morning(&desk, detail));
        }
        for speech in said {
            check_xml(&speech.ssml);
            let chars = speech.ssml.chars().count();
            assert!(chars <= SSML_CHARS_MAX, "{chars}");
            assert!(!speech.text.contains(|c: char| c.is_control() || is_bidi_control(c)));
            assert!(speech.text.ends_with('.'), "{}", speech.text);
        }
    }
    let verbose = morning(&desk(NOW, &lines), Detail::Verbose);
    assert!(verbose.text.contains(" more. "), "what is left out is counted: {}", verbose.text);
    assert!(verbose.text.contains("All day there is "), "there is room for what follows");
}

#[test]
fn what_fits_is_said_and_a_character_more_is_not() {
    let desk = desk(NOW, &[]);
    let mut speaker = Speaker::begin(&desk.agenda());
    let room = SSML_CHARS_MAX - "<speak><s></s></speak>".len();
    assert!(!speaker.say(&[Words(&"ü".repeat(room + 1))]));
    assert!(speaker.say(&[Words(&"ü".repeat(room))]));
    assert!(!speaker.say(&[Words("")]));
    let speech = speaker.end();
    assert_eq!(speech.ssml.chars().count(), SSML_CHARS_MAX);
    assert_eq!(speech.text.chars().count(), room);
}

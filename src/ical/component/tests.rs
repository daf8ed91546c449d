//! Calendars in, components and reasons out.

use super::*;

fn read(bytes: &[u8], limits: &FeedLimits) -> (Vec<Item>, Result<Summary, NotACalendar>) {
    let mut items = Vec::new();
    let mut reader = Reader::new(limits);
    let pushed = reader.push(bytes, &mut |item| items.push(item));
    let summary = pushed.and_then(|()| reader.finish(&mut |item| items.push(item)));
    (items, summary)
}

/// The components and the reasons of a calendar with these lines in it.
fn check(lines: &str, limits: &FeedLimits, texts: &[&str], reasons: &[&str]) {
    let calendar = format!("BEGIN:VCALENDAR\n{lines}\nEND:VCALENDAR\n");
    let (items, summary) = read(calendar.as_bytes(), limits);
    let (mut found, mut skipped) = (Vec::new(), Vec::new());
    for item in items {
        match item {
            Item::Component(component) => found.push(component.text),
            Item::Skipped(skip) => skipped.push(skip.to_string()),
        }
    }
    assert_eq!(
        (found.as_slice(), skipped.as_slice()),
        (&to_strings(texts)[..], &to_strings(reasons)[..])
    );
    assert_eq!(summary.unwrap().components, texts.len());
}

fn to_strings(texts: &[&str]) -> Vec<String> {
    texts.iter().map(|&text| text.to_owned()).collect()
}

#[test]
fn what_is_no_calendar_says_what_it_is() {
    let limits = FeedLimits { bytes_max: 2 * 1024 * 1024, ..FeedLimits::default() };
    let check = |bytes: &[u8], reason: &str| {
        assert_eq!(read(bytes, &limits).1.unwrap_err().to_string(), reason);
    };
    check(b"", "an empty body");
    check(b"\r\n \r\n", "an empty body");
    check(b"<!DOCTYPE html><title>Sign in</title>", "an HTML page");
    check(b"\xEF\xBB\xBF  <html>", "an HTML page");
    check(b"{\"error\":403}", "no BEGIN:VCALENDAR");
    check(b"PRODID:x\nBEGIN:VCALENDAR\nEND:VCALENDAR", "no BEGIN:VCALENDAR");
    check(b"BEGIN:VEVENT\nEND:VEVENT", "components without BEGIN:VCALENDAR around them");
    check(b"BEGIN:VCALENDAR\nVERSION:2.0\n", "cut off before END:VCALENDAR");
    check(b"BEGIN:VCALENDAR\nEND:VCALENDA", "cut off before END:VCALENDAR");
    check(
        b"BEGIN:VCALENDAR\nEND:VCALENDAR\n<!-- -->\nBEGIN:VCALENDAR",
        "cut off before END:VCALENDAR",
    );
    // An END:VCALENDAR in the middle, such as a description might bring.
    let reason = "text after an END:VCALENDAR that ends nothing";
    check(b"BEGIN:VCALENDAR\nBEGIN:VEVENT\nEND:VCALENDAR\nUID:a\nEND:VEVENT", reason);
    check(b"BEGIN:VCALENDAR\nBEGIN:VTODO\nEND:VCALENDAR\nEND:VTODO\nUID:a", reason);
    check(&vec![b'\n'; limits.bytes_max + 1], "larger than 2 MiB (feed bytes_max)");
}

/// A calendar that is complete is not spoiled by what follows it.
#[test]
fn what_follows_a_calendar_is_counted_and_named() {
    let event = "BEGIN:VEVENT\nUID:a\nDTSTART:20240101\nEND:VEVENT";
    for (behind, components, reasons) in [
        ("", 1, vec![]),
        ("\n\n \n\t\n", 1, vec![]),
        ("\u{feff}\n\u{feff}\n", 1, vec![]),
        ("END:VCALENDAR\nEND:VEVENT\n", 1, vec![]),
        ("<!-- 0.3 s -->", 1, vec!["line 7, no UID: lines after END:VCALENDAR are left out: 1"]),
        (
            "\n# cached\n\u{feff}\nX-A:1\n<p>",
            1,
            vec!["line 8, no UID: lines after END:VCALENDAR are left out: 3"],
        ),
        (
            "# one\nBEGIN:VCALENDAR\nBEGIN:VEVENT\nDTSTART:20240101\nUID:b\nEND:VEVENT\n\
             END:VCALENDAR\n# two\n",
            2,
            vec![
                "line 7, no UID: lines after END:VCALENDAR are left out: 1",
                "line 14, no UID: lines after END:VCALENDAR are left out: 1",
            ],
        ),
        (
            "# one\nBEGIN:VEVENT\nUID:b\nDTSTART:20240101\nEND:VEVENT\n",
            1,
            vec![
                "line 8, b: outside of BEGIN:VCALENDAR",
                "line 7, no UID: lines after END:VCALENDAR are left out: 1",
            ],
        ),
    ] {
        let text = format!("BEGIN:VCALENDAR\n{event}\nEND:VCALENDAR\n{behind}");
        let (items, summary) = read(text.as_bytes(), &FeedLimits::default());
        let told = items.iter().filter_map(|item| match item {
            Item::Skipped(skip) => Some(skip.to_string()),
            Item::Component(_) => None,
        });
        assert_eq!(told.collect::<Vec<_>>(), reasons, "{behind:?}");
        assert_eq!(summary.map(|summary| summary.components), Ok(components), "{behind:?}");
    }
}

#[test]
fn the_calendar_s_own_properties_are_in_the_summary() {
    let text = b"BEGIN:VCALENDAR\nX-WR-TIMEZONE: \nx-wr-timezone:Europe\\;Berlin\n\
        X-WR-TIMEZONE:Asia/Tokyo\nBEGIN:VEVENT\nEND:VEVENT\nEND:VCALENDAR";
    let (items, summary) = read(text, &FeedLimits::default());
    let summary = summary.unwrap();
    assert_eq!(summary.zone.as_deref(), Some("Europe;Berlin"));
    assert_eq!((summary.components, items.len()), (0, 1));
}

#[test]
fn only_what_matters_is_kept_and_in_one_form() {
    check(
        "BEGIN:VEVENT\nuid:a\nDTSTAMP:20240101T000000Z\ndtstart;x-a=1;tzid=Europe/Berlin:20240101T090000\n\
        ATTENDEE;RSVP=TRUE;CN=\"Doe, J\";PARTSTAT=ACCEPTED:mailto:j@x\nX-ALT-DESC:<p>\nEND:VEVENT\n\
        BEGIN:VTIMEZONE\nTZID:Z\nBEGIN:DAYLIGHT\nTZOFFSETTO:+0200\nCOMMENT:x\nEND:DAYLIGHT\nEND:VTIMEZONE",
        &FeedLimits::default(),
        &[
            "UID:a\nDTSTART;TZID=Europe/Berlin:20240101T090000\n\
            ATTENDEE;CN=\"Doe, J\";PARTSTAT=ACCEPTED:mailto:j@x\n",
            "TZID:Z\nBEGIN:DAYLIGHT\nTZOFFSETTO:+0200\nEND:DAYLIGHT\n",
        ],
        &[],
    );
}

/// More people than are kept: who has declined is among those.
#[test]
fn who_has_declined_takes_the_place_of_who_has_not() {
    let limits = FeedLimits { people_max: 2, ..FeedLimits::default() };
    let (a, b, c) =
        ("ATTENDEE:mailto:a@x", "ATTENDEE;PARTSTAT=ACCEPTED:mailto:b@x", "ATTENDEE:c@x");
    let [d, e, f] = ["d", "e", "f"].map(|who| format!("ATTENDEE;PARTSTAT=DECLINED:mailto:{who}@x"));
    for (given, kept) in [
        (vec![a, b, c], vec![a, b]),
        (vec![a, b, &d], vec![a, &d]),
        (vec![&d, a, &e], vec![&d, &e]),
        (vec![a, "SUMMARY:x", b, c, &d, &e, &f, c], vec!["SUMMARY:x", &d, &e]),
    ] {
        let text = |lines: &[&str]| format!("UID:a\nDTSTART:20240101\n{}\n", lines.join("\n"));
        let event = format!("BEGIN:VEVENT\n{}END:VEVENT", text(&given));
        check(&event, &limits, &[&text(&kept)], &[]);
    }
}

#[test]
fn a_made_name_is_the_same_in_every_release() {
    let text = b"BEGIN:VCALENDAR\nBEGIN:VEVENT\nDTSTART:20240101\nEND:VEVENT\nEND:VCALENDAR";
    let (items, _) = read(text, &FeedLimits::default());
    let [Item::Component(component)] = &items[..] else { panic!("{items:?}") };
    assert_eq!(component.uid, "made-457eb1ef1f4b7513");
    assert_eq!(component.text, "DTSTART:20240101\nUID:made-457eb1ef1f4b7513\n");
}

#[test]
fn every_limit_leaves_a_mark() {
    let limits = FeedLimits {
        line_bytes_max: 40,
        nesting_max: 3,
        properties_max: 3,
        people_max: 1,
        component_bytes_max: 60,
        text_bytes_max: 20,
        description_bytes_max: 10,
        components_max: 2,
        ..FeedLimits::default()
    };
    let event = |lines: &str| format!("BEGIN:VEVENT\nUID:a\nDTSTART:20240101\n{lines}\nEND:VEVENT");
    let kept = |line: &str| format!("UID:a\nDTSTART:20240101\n{line}");
    let check = |lines: &str, line: &str, reasons: &[&str]| {
        check(&event(lines), &limits, &[&kept(line)], reasons);
    };
    check(
        "SUMMARY:one two three four five six seven eight",
        "",
        &["line 5, a: SUMMARY dropped: its line is over 40 bytes (line_bytes_max)"],
    );
    check("SUMMARY:one two three four five", "SUMMARY:one two three four f\n", &[]);
    check("DESCRIPTION:one two\\nthree", "DESCRIPTION:one two\\nt\n", &[]);
    check("URL:https://example.com/long", "", &[]);
    check(
        "STATUS:X\nTRANSP:X",
        "STATUS:X\n",
        &["line 6, a: TRANSP dropped: over 3 properties (properties_max)"],
    );
    check("STATUS:X\nATTENDEE:x\nATTENDEE:y", "STATUS:X\nATTENDEE:x\n", &[]);
    // Without it everybody would see the event.
    check("STATUS:X\nCLASS:X", "STATUS:X\nCLASS:X\n", &[]);
    check("CLASS:one two three four five", "CLASS:one two three four f\n", &[]);
    check(
        "BEGIN:A\nBEGIN:B\nBEGIN:C\nEND:C\nEND:B\nEND:A\nTRANSP:X",
        "TRANSP:X\n",
        &["line 6, a: nested deeper than 3 (nesting_max)"],
    );
    let long = event("EXDATE:20240101,20240102\nEXDATE:20240101,20240102");
    super::tests::check(&long, &limits, &[], &["line 2, a: larger than component_bytes_max"]);
    // The name that it is given has to fit, too.
    let nameless = "BEGIN:VEVENT\nDTSTART:20240101\nEXDATE:20240101,20240102\nEND:VEVENT";
    let reason = "line 2, made-8a0019507ce925ed: larger than component_bytes_max";
    super::tests::check(nameless, &limits, &[], &[reason]);
    let three = [event(""), event(""), event("")].join("\n");
    let text = kept("");
    let reason = "line 12, a: more than 2 components (components_max)";
    super::tests::check(&three, &limits, &[&text, &text], &[reason]);
}

#[test]
fn what_is_left_open_or_stands_outside_is_skipped() {
    check(
        "BEGIN:VEVENT\nUID:a\nDTSTART:20240101\nBEGIN:VALARM\nUID:x\n\
        BEGIN:VEVENT\nUID:b\nDTSTART:20240101\nBEGIN:VALARM\nEND:VEVENT\nEND:VTODO\n\
        END:VCALENDAR\nBEGIN:VEVENT\nUID:c\nDTSTART:20240101\nEND:VEVENT\nBEGIN:VCALENDAR\n\
        BEGIN:VTIMEZONE\nEND:VTIMEZONE",
        &FeedLimits::default(),
        &["UID:b\nDTSTART:20240101\n"],
        &[
            "line 2, a: its END is missing",
            "line 14, c: outside of BEGIN:VCALENDAR",
            "line 19, no UID: TZID is missing",
        ],
    );
}

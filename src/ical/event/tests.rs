//! What is read of a VEVENT, and what is left out.

use super::*;

fn parse(lines: &[&str]) -> Result<Event, String> {
    let (text, limits) = (lines.join("\n"), FeedLimits::default());
    let parsed = Event::parse(&text, &limits);
    if let Ok(Event { details, recurrence_id, .. }) = &parsed {
        assert_eq!(Event::shown(&text, &limits), (details.clone(), recurrence_id.is_some()));
    }
    parsed
}

#[test]
fn what_people_see_is_decoded() {
    let event = parse(&[
        "DTSTART:20240101T090000Z",
        r"SUMMARY:Lunch\, then\nwork\; maybe",
        r"DESCRIPTION:One\nTwo",
        r"CATEGORIES:A\,B,C",
        "CATEGORIES:D",
        "X-GOOGLE-CONFERENCE:https://g",
        "CONFERENCE:https://c",
        "ORGANIZER;CN=\"Doe, Jane\":MAILTO:jane@example.com",
        "ATTENDEE;PARTSTAT=declined;CN=^'Bo^':mailto:bo@example.com",
        "STATUS:TENTATIVE",
        "TRANSP:TRANSPARENT",
        "CLASS:CONFIDENTIAL",
        "X-MICROSOFT-CDO-BUSYSTATUS:OOF",
    ]);
    let details = event.unwrap().details;
    assert_eq!(details.summary, "Lunch, then work; maybe");
    assert_eq!(details.description, "One\nTwo");
    assert_eq!(details.categories, ["A,B", "C", "D"]);
    assert_eq!(details.conference, "https://c");
    let organizer = details.organizer.unwrap();
    assert_eq!(
        (organizer.address.as_str(), organizer.name.as_str()),
        ("jane@example.com", "Doe, Jane")
    );
    let attendee = &details.attendees[0];
    assert_eq!((attendee.name.as_str(), attendee.participation.as_str()), ("\"Bo\"", "DECLINED"));
    assert_eq!(details.status, Status::Tentative);
    assert!(details.transparent && details.private && !details.deleted);
    assert_eq!(details.busy, Some(Busy::Away));
}

#[test]
fn an_event_without_a_sound_time_is_none() {
    let check = |lines: &[&str], reason: &str| assert_eq!(parse(lines).unwrap_err(), reason);
    check(&["SUMMARY:x"], "DTSTART is missing");
    check(&["DTSTART:tomorrow"], "DTSTART `tomorrow` is not understood");
    check(&["DTSTART:20240102", "DTEND:20240101"], "DTEND is before DTSTART");
    check(&["DTSTART:20240102", "DURATION:-P1D"], "DURATION is negative");
    check(&["DTSTART:20240102", "RECURRENCE-ID:x"], "RECURRENCE-ID `x` is not understood");
}

#[test]
fn what_is_not_understood_is_left_out_with_a_warning() {
    let event = parse(&[
        "DTSTART;VALUE=DATE:20240101T000000",
        "DTEND:noon",
        "RRULE:FREQ=DAILY;INTERVAL=0",
        "EXDATE:20240102,never",
    ]);
    let event = event.unwrap();
    assert_eq!(event.start.value, Value::parse("20240101").unwrap());
    assert!(!event.repeats());
    assert_eq!(
        event.warnings,
        [
            "DTEND `noon` is not understood",
            "RRULE ignored: INTERVAL=0 is not understood",
            "EXDATE `never` is not understood",
        ]
    );
}

#[test]
fn exceptions_stop_at_their_limit() {
    let limits = FeedLimits { exceptions_max: 3, ..FeedLimits::default() };
    let text = "DTSTART:20240101\nEXDATE:20240102,20240103\nRDATE:20240201,20240202\nEXDATE:x";
    let event = Event::parse(text, &limits).unwrap();
    assert_eq!((event.excluded[0].values.len(), event.extra[0].values.len()), (2, 1));
    assert_eq!(event.warnings, ["more than 3 EXDATE and RDATE values (exceptions_max)"]);
}

#[test]
fn the_components_of_a_series_share_its_room() {
    let limits = FeedLimits { exceptions_max: 3, ..FeedLimits::default() };
    let text = "DTSTART:20240101\nSUMMARY:x\nDESCRIPTION:y\nEXDATE:20240102,20240103";
    let mut taken = Taken::default();
    let mut parse = || Event::parse_times(text, &limits, &mut taken).unwrap();
    assert_eq!(parse().excluded[0].values.len(), 2);
    let second = parse();
    assert_eq!(second.excluded[0].values.len(), 1);
    assert_eq!(second.warnings, ["more than 3 EXDATE and RDATE values (exceptions_max)"]);
    assert!(second.details.description.is_empty());
    let limits = FeedLimits { series_bytes_max: 1_000, ..limits };
    let mut taken = Taken::default();
    let mut parse = || Event::parse_times(text, &limits, &mut taken).map(drop);
    let reason = "the series takes more than 1000 bytes (series_bytes_max)";
    assert_eq!([parse(), parse()], [Ok(()), Err(reason.to_owned())]);
}

#[test]
fn an_event_is_private_when_any_class_of_it_says_so() {
    for (classes, expected) in [
        ("", false),
        ("CLASS: Public \n", false),
        ("CLASS:\n", true),
        ("CLASS:X-MINE\n", true),
        ("CLASS:PRIVATE\nCLASS:PUBLIC\n", true),
        ("SUMMARY:CLASS:PRIVATE\n", false),
    ] {
        let text = format!("DTSTART:20240101\n{classes}");
        let event = Event::parse(&text, &FeedLimits::default()).unwrap();
        assert_eq!((event.details.private, is_private(&text)), (expected, expected), "{classes}");
    }
}

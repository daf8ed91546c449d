//! Stored components back to a calendar (RFC 5545 section 3.4): the feed again, cleaned.
//!
//! Times name the zones that they were understood in, days say that they are days, and of a
//! private event there may be only its time. Reading what is written here gives the same occurrences
//! as the feed did.

use super::line::{ContentLine, cut};
use super::stored;
use super::value::Value;
use super::zone::{Step, Zones};
use crate::hash::private_name;

/// The lines before the first component.
pub const HEAD: &str =
    "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//calendarbot//calendarbot//EN\r\n";
/// The lines behind the last one.
pub const TAIL: &str = "END:VCALENDAR\r\n";

/// The title of a private event.
const MASKED: &str = "SUMMARY:Busy";
/// RFC 5545 wants DTSTAMP, which is not kept: without LAST-MODIFIED nobody knows better.
const NO_STAMP: &str = "19700101T000000Z";

/// A VTIMEZONE, from its stored text; nothing when no event of the feed is understood by it.
pub fn zone(tzid: &str, text: &str, zones: &Zones) -> String {
    let mut out = String::new();
    if zones.resolve(tzid).step == Step::Embedded {
        component("VTIMEZONE", stored::lines(text), &mut out);
    }
    out
}

/// A VEVENT, from its stored text. With a `mask`, the hash of its feed's address, there is only the
/// time of a private one; `private` makes it one whatever its CLASS says.
pub fn event(text: &str, mask: Option<i64>, private: bool, zones: &Zones) -> String {
    let lines = || stored::lines(text).filter_map(stored::content);
    let is_public = |line: ContentLine<'_>| line.value.trim().eq_ignore_ascii_case("PUBLIC");
    let private = private || lines().any(|line| line.name == "CLASS" && !is_public(line));
    let mask = mask.filter(|_| private);
    let stamp = lines().find(|line| line.name == "LAST-MODIFIED");
    let stamp = stamp.and_then(|line| Some(written(Value::parse(line.value)?)));
    let stamp = stamp.filter(|stamp| stamp.ends_with('Z')).unwrap_or_else(|| NO_STAMP.to_owned());
    let mut out = String::new();
    let masks = if mask.is_some() { &[MASKED, "CLASS:PRIVATE"][..] } else { &[] };
    let written: Vec<String> = std::iter::once(format!("DTSTAMP:{stamp}"))
        .chain(masks.iter().map(|&line| line.to_owned()))
        .chain(stored::lines(text).filter_map(|line| rewritten(line, mask, zones)))
        .collect();
    component("VEVENT", written.iter().map(String::as_str), &mut out);
    out
}

/// A line as it is written; `None` when it is not.
fn rewritten(text: &str, mask: Option<i64>, zones: &Zones) -> Option<String> {
    let line = stored::content(text)?;
    match (line.name, mask) {
        (name, _) if stored::is_time(name) => Some(rewritten_time(&line, zones)),
        // It may hold names and addresses.
        ("UID", Some(source)) => {
            Some(format!("UID:{}", private_name(source, &[line.value.as_bytes()])))
        }
        (name, Some(_)) => tells_when(name).then(|| text.to_owned()),
        (_, None) => Some(text.to_owned()),
    }
}

/// True for the further properties by which an event happens, and happens visibly.
fn tells_when(name: &str) -> bool {
    matches!(name, "DURATION" | "RRULE" | "SEQUENCE" | "LAST-MODIFIED" | "STATUS" | "TRANSP")
        || matches!(name, "X-MICROSOFT-CDO-BUSYSTATUS" | "X-OUTLOOK-DELETED")
}

/// A property with dates or times: with the zone by the name that everybody knows.
fn rewritten_time(line: &ContentLine<'_>, zones: &Zones) -> String {
    let parse = stored::reads_values(line);
    let items: Vec<(Option<Value>, String)> = line
        .value
        .split(',')
        .map(|item| match parse(item) {
            Some(value) => (Some(value), written(value)),
            // A period, or what was not understood either.
            None => (None, item.trim().to_owned()),
        })
        .collect();
    let mut out = line.name.to_owned();
    if items.iter().all(|(value, _)| matches!(value, Some(Value::Date(_)))) {
        out += ";VALUE=DATE";
    } else if items.iter().any(|(_, text)| text.contains('/')) {
        out += ";VALUE=PERIOD";
    }
    let is_local = |text: &str| text.contains('T') && !text.ends_with('Z');
    let local = items.iter().any(|(_, text)| text.split('/').any(is_local));
    if let Some(tzid) = stored::tzid(line).filter(|_| local) {
        let found = zones.resolve(&tzid);
        let name = match found.step {
            Step::Embedded => tzid.trim_matches('"'),
            _ => found.zone.iana_name().unwrap_or(&tzid),
        };
        let quote = if name.contains([':', ';', ',']) { "\"" } else { "" };
        out = format!("{out};TZID={quote}{name}{quote}");
    }
    if let Some(range) = line.param("RANGE") {
        out = format!("{out};RANGE={range}");
    }
    let values: Vec<String> = items.into_iter().map(|(_, text)| text).collect();
    format!("{out}:{}", values.join(","))
}

/// A date or time as RFC 5545 writes it.
fn written(value: Value) -> String {
    match value {
        Value::Date(date) => date.strftime("%Y%m%d").to_string(),
        Value::Local(civil) => civil.strftime("%Y%m%dT%H%M%S").to_string(),
        Value::Utc(civil) => civil.strftime("%Y%m%dT%H%M%SZ").to_string(),
    }
}

fn component<'a>(name: &str, lines: impl Iterator<Item = &'a str>, out: &mut String) {
    fold(&format!("BEGIN:{name}"), out);
    lines.for_each(|line| fold(line, out));
    fold(&format!("END:{name}"), out);
}

/// Writes a content line in physical lines of at most 75 bytes (RFC 5545 section 3.1).
fn fold(line: &str, out: &mut String) {
    const WIDTH: usize = 75;
    let mut rest = line;
    let mut width = WIDTH;
    loop {
        let piece = cut(rest, width);
        out.push_str(piece);
        rest = &rest[piece.len()..];
        out.push_str("\r\n");
        if rest.is_empty() {
            return;
        }
        out.push(' ');
        width = WIDTH - 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tzdb::bundled;

    fn zones() -> Zones {
        let database = bundled();
        Zones::new(database, database.get("Europe/Madrid").unwrap(), None)
    }

    fn check(text: &str, private: bool, expected: &[&str]) {
        let expected: String =
            [&["BEGIN:VEVENT"], expected, &["END:VEVENT", ""]].concat().join("\r\n");
        assert_eq!(event(text, Some(7), private, &zones()), expected);
    }

    #[test]
    fn times_name_what_they_were_understood_as() {
        check(
            "UID:a\nLAST-MODIFIED:20240101T000000Z\n\
             DTSTART;TZID=W. Europe Standard Time:20240101T090000\n\
             DTEND;TZID=\"Nowhere, at all\":20240101T100000\n\
             RECURRENCE-ID;TZID=Europe/Rome;RANGE=THISANDFUTURE:20240101T080000Z\n\
             EXDATE;VALUE=DATE;TZID=Europe/Rome:20240102T000000,20240103\n\
             RDATE;TZID=Europe/Rome:20240104T090000/PT1H,20240105T090000",
            false,
            &[
                "DTSTAMP:20240101T000000Z",
                "UID:a",
                "LAST-MODIFIED:20240101T000000Z",
                "DTSTART;TZID=Europe/Berlin:20240101T090000",
                "DTEND;TZID=Europe/Madrid:20240101T100000",
                "RECURRENCE-ID;RANGE=THISANDFUTURE:20240101T080000Z",
                "EXDATE;VALUE=DATE:20240102,20240103",
                "RDATE;VALUE=PERIOD;TZID=Europe/Rome:20240104T090000/PT1H,20240105T090000",
            ],
        );
    }

    #[test]
    fn of_a_private_event_there_is_only_its_time() {
        let expected = [
            "DTSTAMP:19700101T000000Z",
            "SUMMARY:Busy",
            "CLASS:PRIVATE",
            "UID:private-3a9c716594cda0c9",
            "DTSTART:20240101T080000Z",
        ];
        let text = "UID:jane@example.com\nDTSTART:20240101T080000Z\nSUMMARY:Doctor\n\
                    LOCATION:Clinic\nATTENDEE;CN=Jane:jane@example.com";
        check(text, true, &expected);
        check(&format!("{text}\nCLASS:CONFIDENTIAL"), false, &expected);
        assert!(event(text, None, true, &zones()).contains("LOCATION:Clinic"));
    }

    #[test]
    fn long_lines_are_folded_between_characters() {
        let mut out = String::new();
        fold(&"ü".repeat(80), &mut out);
        assert!(out.split("\r\n").all(|line| line.len() <= 75));
        assert_eq!(out.replace("\r\n ", ""), "ü".repeat(80) + "\r\n");
    }
}

//! Stored components back to a calendar (RFC 5545 section 3.4): the feed again, cleaned.
//!
//! Times name the zones that they were understood in, days say that they are days, and of a
//! private event there may be only its time. Reading what is written here gives the same occurrences
//! as the feed did.

use std::borrow::Cow;

use super::event::is_private;
use super::line::{ContentLine, cut};
use super::rule::Rule;
use super::stored;
use super::value::{Duration, Value};
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

/// What stands around the lines of a component, DTSTAMP and a mask included.
const FRAME_BYTES: usize = 256;

/// What must not be seen of a feed.
#[derive(Clone, Copy)]
pub struct Mask {
    /// The hash of the feed's address.
    pub source: i64,
    /// Every event is private, whatever its CLASS says.
    pub everything: bool,
}

/// A VTIMEZONE, from its stored text; nothing when no event of the feed is understood by it. In a
/// feed that is private it has no name but ours, and no text.
pub fn zone(tzid: &str, text: &str, mask: Option<Mask>, zones: &Zones, out: &mut String) {
    if zones.resolve(tzid).step != Step::Embedded {
        return;
    }
    let mask = mask.filter(|mask| mask.everything);
    let mut lines = stored::lines(text).filter_map(|line| match mask {
        None => Some(Cow::Borrowed(line)),
        Some(mask) => masked(line, mask, zones).map(Cow::Owned),
    });
    component("VTIMEZONE", text.len(), &mut lines, out);
}

/// A VEVENT, from its stored text. With a `mask` there is only the time of a private one.
pub fn event(text: &str, mask: Option<Mask>, zones: &Zones, out: &mut String) {
    let mask = mask.filter(|mask| mask.everything || is_private(text));
    let mut lines = stored::lines(text).filter_map(stored::content);
    let stamp = lines.find(|line| line.name == "LAST-MODIFIED");
    let stamp = stamp.and_then(|line| Some(written(Value::parse(line.value)?)));
    let stamp = stamp.filter(|stamp| stamp.ends_with('Z')).unwrap_or_else(|| NO_STAMP.to_owned());
    let masks = if mask.is_some() { &[MASKED, "CLASS:PRIVATE"][..] } else { &[] };
    let mut lines = std::iter::once(Cow::Owned(format!("DTSTAMP:{stamp}")))
        .chain(masks.iter().map(|&line| Cow::Borrowed(line)))
        .chain(stored::lines(text).filter_map(|line| rewritten(line, mask, zones)));
    component("VEVENT", text.len(), &mut lines, out);
}

/// A line of an event as it is written; `None` when it is not.
fn rewritten<'t>(text: &'t str, mask: Option<Mask>, zones: &Zones) -> Option<Cow<'t, str>> {
    if let Some(mask) = mask {
        return masked(text, mask, zones).map(Cow::Owned);
    }
    let line = stored::content(text)?;
    match stored::is_time(line.name) {
        true => rewritten_time(&line, None, zones).map(Cow::Owned),
        false => Some(Cow::Borrowed(text)),
    }
}

/// A line of something private: what tells by which rules and dates it happens, and happens visibly,
/// in our own words, and nothing else.
fn masked(text: &str, mask: Mask, zones: &Zones) -> Option<String> {
    let line = stored::content(text)?;
    let value = line.value.trim();
    let told = match line.name {
        name if stored::is_time(name) => return rewritten_time(&line, Some(mask), zones),
        // It may hold names and addresses.
        "UID" => private_name(mask.source, &[line.value.as_bytes()]),
        "TZID" => zone_name(mask, value),
        "BEGIN" | "END" => value.to_owned(),
        "RRULE" => plain_rule(value)?,
        "DURATION" => Duration::parse(value).map(|_| value.to_ascii_uppercase())?,
        "SEQUENCE" => value.parse::<u32>().ok()?.to_string(),
        "LAST-MODIFIED" => written(Value::parse(value)?),
        "TZOFFSETFROM" | "TZOFFSETTO" => {
            let is_offset = |byte| matches!(byte, b'+' | b'-' | b'0'..=b'9');
            value.bytes().all(is_offset).then(|| value.to_owned())?
        }
        "STATUS" => word(value, &["CONFIRMED", "TENTATIVE", "CANCELLED"])?,
        // Of these the last one counts, and an unknown word means what is written instead.
        "TRANSP" => word(value, &["TRANSPARENT"]).unwrap_or_else(|| "OPAQUE".to_owned()),
        "X-MICROSOFT-CDO-BUSYSTATUS" => {
            let known = ["FREE", "TENTATIVE", "OOF", "WORKINGELSEWHERE"];
            word(value, &known).unwrap_or_else(|| "BUSY".to_owned())
        }
        "X-OUTLOOK-DELETED" => word(value, &["TRUE"]).unwrap_or_else(|| "FALSE".to_owned()),
        _ => return None,
    };
    Some(format!("{}:{told}", line.name))
}

/// The word, when it is one of these.
fn word(value: &str, known: &[&str]) -> Option<String> {
    let found = known.iter().find(|known| value.eq_ignore_ascii_case(known))?;
    Some((*found).to_owned())
}

/// The parts of a rule that is understood by which it is.
fn plain_rule(text: &str) -> Option<String> {
    Rule::parse(text).ok()?;
    let text = text.to_ascii_uppercase();
    let parts = text.split(';').filter_map(|part| part.split_once('='));
    let parts = parts.map(|(name, value)| (name.trim(), value.trim())).filter(|(name, _)| {
        name.starts_with("BY") || matches!(*name, "FREQ" | "INTERVAL" | "COUNT" | "UNTIL" | "WKST")
    });
    Some(parts.map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join(";"))
}

/// A zone that a private feed defines.
fn zone_name(mask: Mask, tzid: &str) -> String {
    private_name(mask.source, &[b"TZID", tzid.as_bytes()])
}

/// A property with dates or times: with the zone by the name that everybody knows. With a mask only
/// what is understood, and nothing when that is nothing.
fn rewritten_time(line: &ContentLine<'_>, mask: Option<Mask>, zones: &Zones) -> Option<String> {
    let parse = stored::reads_values(line);
    let items: Vec<(Option<Value>, String)> = line
        .value
        .split(',')
        .filter_map(|item| match parse(item) {
            Some(value) => Some((Some(value), written(value))),
            None if mask.is_some() => Some((None, period(item)?)),
            // A period, or what was not understood either.
            None => Some((None, item.trim().to_owned())),
        })
        .collect();
    if items.is_empty() {
        return None;
    }
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
        let tzid = tzid.trim_matches('"');
        let name = match (found.step, mask, found.zone.iana_name()) {
            (Step::Embedded, Some(mask), _) if mask.everything => Some(zone_name(mask, tzid)),
            (Step::Embedded, ..) => Some(tzid.to_owned()),
            (_, _, Some(name)) => Some(name.to_owned()),
            // It was not known, and the display's zone has no name.
            (_, mask, None) => mask.is_none().then(|| tzid.to_owned()),
        };
        if let Some(name) = name {
            let quote = if name.contains([':', ';', ',']) { "\"" } else { "" };
            out = format!("{out};TZID={quote}{name}{quote}");
        }
    }
    let range = line.param("RANGE").filter(|range| range.eq_ignore_ascii_case("THISANDFUTURE"));
    if range.is_some() {
        out += ";RANGE=THISANDFUTURE";
    }
    let values: Vec<String> = items.into_iter().map(|(_, text)| text).collect();
    Some(format!("{out}:{}", values.join(",")))
}

/// A period of RDATE that is understood.
fn period(item: &str) -> Option<String> {
    let (start, end) = item.trim().split_once('/')?;
    let end = match Value::parse(end) {
        Some(end) => written(end),
        None => Duration::parse(end).map(|_| end.trim().to_ascii_uppercase())?,
    };
    Some(format!("{}/{end}", written(Value::parse(start)?)))
}

/// A date or time as RFC 5545 writes it.
fn written(value: Value) -> String {
    match value {
        Value::Date(date) => date.strftime("%Y%m%d").to_string(),
        Value::Local(civil) => civil.strftime("%Y%m%dT%H%M%S").to_string(),
        Value::Utc(civil) => civil.strftime("%Y%m%dT%H%M%SZ").to_string(),
    }
}

/// Writes a component whose stored text is so long. It grows by its folds, and hardly more.
fn component<'t>(
    name: &str,
    text_bytes: usize,
    lines: &mut dyn Iterator<Item = Cow<'t, str>>,
    out: &mut String,
) {
    out.reserve_exact(text_bytes + text_bytes / 16 + FRAME_BYTES);
    fold(&format!("BEGIN:{name}"), out);
    lines.for_each(|line| match line.contains(is_control) {
        true => fold(&line.replace(is_control, ""), out),
        false => fold(&line, out),
    });
    fold(&format!("END:{name}"), out);
}

/// What no text has (RFC 5545 section 3.1, CONTROL), nor a terminal should be told (C1).
fn is_control(c: char) -> bool {
    c.is_control() && c != '\t'
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

    fn mask(everything: bool) -> Mask {
        Mask { source: 7, everything }
    }

    fn check(text: &str, private: bool, expected: &[&str]) {
        let expected: String =
            [&["BEGIN:VEVENT"], expected, &["END:VEVENT", ""]].concat().join("\r\n");
        assert_eq!(exported(text, Some(mask(private)), &zones()), expected);
    }

    fn exported(text: &str, mask: Option<Mask>, zones: &Zones) -> String {
        let mut out = String::new();
        event(text, mask, zones, &mut out);
        out
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
        assert!(exported(text, None, &zones()).contains("LOCATION:Clinic"));
    }

    /// Whatever stands where only a time is wanted.
    #[test]
    fn a_private_event_tells_its_time_in_our_words() {
        check(
            "UID:jane@example.com\nLAST-MODIFIED:canary\nSEQUENCE:canary\n\
             DTSTART;TZID=canary;VALUE=canary:20240101T090000\nDTEND:canary\nDURATION:pt1h\n\
             RECURRENCE-ID;RANGE=canary:20240101T080000Z\nDURATION:canary\n\
             RRULE:canary\nRRULE:freq=weekly;X-CANARY=canary; byday = mo , tu;UNTIL=20240301\n\
             RRULE:FREQ=DAILY;BYDAY=canary\nRRULE:FREQ=DAILY;RSCALE=canary\n\
             EXDATE:canary,20240102T080000Z\nEXDATE;TZID=canary:canary\n\
             RDATE;TZID=Europe/Rome:20240104T090000/pt1h,20240105T090000/canary,canary/PT1H\n\
             STATUS:canary\nSTATUS:tentative\nTRANSP:canary\nX-MICROSOFT-CDO-BUSYSTATUS:canary\n\
             X-OUTLOOK-DELETED:canary\nCOLOR:canary",
            true,
            &[
                "DTSTAMP:19700101T000000Z",
                "SUMMARY:Busy",
                "CLASS:PRIVATE",
                "UID:private-3a9c716594cda0c9",
                "DTSTART;TZID=Europe/Madrid:20240101T090000",
                "DURATION:PT1H",
                "RECURRENCE-ID:20240101T080000Z",
                "RRULE:FREQ=WEEKLY;BYDAY=MO , TU;UNTIL=20240301",
                "EXDATE:20240102T080000Z",
                "RDATE;VALUE=PERIOD;TZID=Europe/Rome:20240104T090000/PT1H",
                "STATUS:TENTATIVE",
                "TRANSP:OPAQUE",
                "X-MICROSOFT-CDO-BUSYSTATUS:BUSY",
                "X-OUTLOOK-DELETED:FALSE",
            ],
        );
    }

    #[test]
    fn a_zone_of_a_private_feed_has_a_name_of_ours() {
        let text = "TZID:canary\nX-LIC-LOCATION:canary\nBEGIN:STANDARD\nDTSTART:20000101T000000\n\
                    TZOFFSETFROM:+0130\nTZOFFSETTO:+0130\nTZNAME:canary\nEND:STANDARD\n";
        let mut zones = zones();
        zones.define(text, &crate::budget::FeedLimits::default());
        let told = |everything| {
            let start = "UID:a\nCLASS:PRIVATE\nDTSTART;TZID=canary:20240101T090000";
            let mask = Some(mask(everything));
            let mut out = String::new();
            zone("canary", text, mask, &zones, &mut out);
            event(start, mask, &zones, &mut out);
            out
        };
        let name = zone_name(mask(true), "canary");
        let masked = told(true);
        assert!(!masked.contains("canary"), "{masked}");
        assert!(masked.contains(&format!("TZID:{name}\r\n")), "{masked}");
        assert!(masked.contains(&format!("DTSTART;TZID={name}:20240101T090000\r\n")), "{masked}");
        // The zone is the calendar's, and may be that of an open event.
        assert!(told(false).contains("TZID:canary\r\nX-LIC-LOCATION:canary\r\n"));
    }

    #[test]
    fn no_control_gets_out() {
        let text = "UID:a\u{9b}31m\nDTSTART:20240101T080000Z\nSUMMARY:a\u{85}b\tc\u{200f}d";
        let expected = [
            "DTSTAMP:19700101T000000Z",
            "UID:a31m",
            "DTSTART:20240101T080000Z",
            "SUMMARY:ab\tc\u{200f}d",
        ];
        check(text, false, &expected);
        let tzid = "TZID:a\u{9d}b\nBEGIN:STANDARD\nDTSTART:20000101T000000\n\
                    TZOFFSETFROM:+0130\nTZOFFSETTO:+0130\nTZNAME:a\u{9c}\nEND:STANDARD\n";
        let mut zones = zones();
        zones.define(tzid, &crate::budget::FeedLimits::default());
        let mut out = String::new();
        zone("a\u{9d}b", tzid, None, &zones, &mut out);
        event("DTSTART;TZID=a\u{9d}b:20240101T090000", None, &zones, &mut out);
        assert!(out.contains("TZID:ab\r\n") && out.contains(";TZID=ab:2024"), "{out}");
    }

    #[test]
    fn long_lines_are_folded_between_characters() {
        let mut out = String::new();
        fold(&"ü".repeat(80), &mut out);
        assert!(out.split("\r\n").all(|line| line.len() <= 75));
        assert_eq!(out.replace("\r\n ", ""), "ü".repeat(80) + "\r\n");
    }
}

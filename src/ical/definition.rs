//! A VTIMEZONE to the time zone that it describes (RFC 5545 section 3.6.5).
//!
//! Its observances say when an offset begins to apply: at their start, by yearly rules and on
//! single dates. The onsets of two centuries become a table of transitions, which jiff takes in
//! as a TZif file (RFC 9636): from then on a zone of a feed is a zone like any other.

use jiff::civil::{DateTime, date};
use jiff::tz::{Offset, TimeZone};

use super::recur::{Recurrence, Steps};
use super::rule::{Frequency, Rule};
use super::stored;
use super::value::Value;
use crate::budget::FeedLimits;

/// The zone of the stored text of a VTIMEZONE.
///
/// # Errors
/// In words, why it cannot be followed.
pub(super) fn evaluate(
    tzid: &str,
    text: &str,
    limits: &FeedLimits,
) -> Result<TimeZone, &'static str> {
    let mut onsets = Vec::new();
    let mut steps = Steps::new(limits.zone_steps_max);
    let mut lines = stored::lines(text);
    while lines.any(|line| line.starts_with("BEGIN:")) {
        let block = lines.by_ref().take_while(|line| !line.starts_with("END:"));
        let observance = Observance::parse(block)?;
        observance.onsets(limits.zone_onsets_max, &mut steps, &mut onsets)?;
    }
    // A standard time that begins together with a daylight time: the later line counts.
    onsets.sort_by_key(|onset| onset.at);
    let first = onsets.first().ok_or("it has no observance")?.before;
    // What changes nothing is no transition.
    let mut offset = first;
    onsets.retain(|onset| std::mem::replace(&mut offset, onset.after) != onset.after);
    TimeZone::tzif(tzid, &tzif(first, &onsets)?).map_err(|_| "its offsets make no sense")
}

/// STANDARD or DAYLIGHT: an offset and when it begins to apply.
struct Observance {
    /// In local time by the offset `before`.
    start: DateTime,
    before: i32,
    after: i32,
    rules: Vec<Rule>,
    dates: Vec<DateTime>,
}

/// The beginning of an offset. All in seconds; `at` since the epoch, the offsets east of UTC.
#[derive(Clone, Copy)]
struct Onset {
    at: i64,
    before: i32,
    after: i32,
}

impl Observance {
    fn parse<'t>(block: impl Iterator<Item = &'t str>) -> Result<Observance, &'static str> {
        let (mut start, mut before, mut after) = (None, None, None);
        let (mut rules, mut dates) = (Vec::new(), Vec::new());
        for line in block.filter_map(stored::content) {
            match line.name {
                "DTSTART" => start = Value::parse(line.value).map(Value::civil),
                "TZOFFSETFROM" => before = offset(line.value),
                "TZOFFSETTO" => after = offset(line.value),
                "RRULE" => match Rule::parse(line.value) {
                    Ok(rule) if rule.frequency == Frequency::Yearly => rules.push(rule),
                    Ok(_) => return Err("a rule of it is not a yearly one"),
                    Err(_) => return Err("a rule of it is not understood"),
                },
                "RDATE" => {
                    let values = line.value.split(',').filter_map(Value::parse);
                    dates.extend(values.map(Value::civil));
                }
                _ => {}
            }
        }
        Ok(Observance {
            start: start.ok_or("DTSTART is missing in it")?,
            before: before.ok_or("TZOFFSETFROM is missing in it")?,
            after: after.ok_or("TZOFFSETTO is missing in it")?,
            rules,
            dates,
        })
    }

    /// Adds the onsets: DTSTART itself, the single dates, and what the rules make.
    fn onsets(
        &self,
        onsets_max: usize,
        steps: &mut Steps,
        onsets: &mut Vec<Onset>,
    ) -> Result<(), &'static str> {
        let at = |civil: DateTime| {
            let utc = Offset::UTC.to_timestamp(civil).ok()?.as_second();
            Some(utc - i64::from(self.before))
        };
        let mut add = |civil: DateTime| {
            let onset = at(civil).map(|at| Onset { at, before: self.before, after: self.after });
            onsets.extend(onset);
            if onsets.len() > onsets_max { Err("it has too many onsets") } else { Ok(()) }
        };
        std::iter::once(self.start).chain(self.dates.iter().copied()).try_for_each(&mut add)?;
        for rule in &self.rules {
            let is_over = |civil: DateTime| match rule.until {
                None => false,
                Some(Value::Date(day)) => civil.date() > day,
                Some(Value::Local(until)) => civil > until,
                Some(Value::Utc(until)) => {
                    let until = Offset::UTC.to_timestamp(until).ok();
                    at(civil) > until.map(|until| until.as_second())
                }
            };
            let rule_of_start = rule.completed(self.start, false);
            // Outlook's zones begin in 1601; only counting must begin where they do.
            let from = if rule.count.is_some() { self.start } else { FIRST };
            let mut recurrence = Recurrence::new(rule_of_start, self.start, from, LAST);
            let mut left = rule.count.unwrap_or(u32::MAX);
            while left > 0
                && let Some(civil) = recurrence.next(steps)
                && !is_over(civil)
            {
                left -= 1;
                add(civil)?;
            }
            if steps.spent() {
                return Err("its rules take too many steps");
            }
        }
        Ok(())
    }
}

/// The years in which rules are followed.
const FIRST: DateTime = date(1970, 1, 1).at(0, 0, 0, 0);
const LAST: DateTime = date(2100, 1, 1).at(0, 0, 0, 0);

/// UTC-OFFSET (RFC 5545 section 3.3.14): `+0100`, `-033015`; and `+01:00`, which is no such thing.
fn offset(text: &str) -> Option<i32> {
    let (sign, digits) = text.trim().split_at_checked(1)?;
    let sign = match sign {
        "+" => 1,
        "-" => -1,
        _ => return None,
    };
    let digits = digits.replace(':', "");
    if !matches!(digits.len(), 4 | 6) || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let part = |at: usize| digits.get(at..at + 2).map_or(Ok(0), str::parse::<i32>).ok();
    let (hours, minutes, seconds) = (part(0)?, part(2)?, part(4)?);
    (hours < 24 && minutes < 60 && seconds < 60)
        .then_some(sign * (hours * 3600 + minutes * 60 + seconds))
}

/// A TZif file of version 2 (RFC 9636 section 3): an empty block of 32 bits, the transitions in
/// 64 bits, and a footer that says nothing, so that the last offset stays.
fn tzif(first: i32, onsets: &[Onset]) -> Result<Vec<u8>, &'static str> {
    let mut offsets = vec![first];
    let mut kinds = Vec::with_capacity(onsets.len());
    for onset in onsets {
        let known = offsets.iter().position(|&offset| offset == onset.after);
        let kind = known.unwrap_or(offsets.len());
        if known.is_none() {
            offsets.push(onset.after);
        }
        kinds.push(u8::try_from(kind).map_err(|_| "it has too many offsets")?);
    }
    let mut file = Vec::new();
    block(&mut file, &[first], &[], &[]);
    block(&mut file, &offsets, onsets, &kinds);
    file.extend_from_slice(b"\n\n");
    Ok(file)
}

/// One header and its data: transitions, their kinds, and the offsets of the kinds, none of
/// which has a name.
fn block(file: &mut Vec<u8>, offsets: &[i32], onsets: &[Onset], kinds: &[u8]) {
    const NAMES: &[u8] = b"\0";
    file.extend_from_slice(b"TZif2");
    file.extend_from_slice(&[0; 15]);
    // UT/local and standard/wall indicators, leap seconds: none.
    for count in [0, 0, 0, onsets.len(), offsets.len(), NAMES.len()] {
        file.extend_from_slice(&(count as u32).to_be_bytes());
    }
    onsets.iter().for_each(|onset| file.extend_from_slice(&onset.at.to_be_bytes()));
    file.extend_from_slice(kinds);
    for offset in offsets {
        file.extend_from_slice(&offset.to_be_bytes());
        // Not marked as daylight time, and the name at 0.
        file.extend_from_slice(&[0, 0]);
    }
    file.extend_from_slice(NAMES);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tzdb::bundled;

    const BERLIN: &str = "TZID:Home\n\
        BEGIN:STANDARD\nDTSTART:16010101T030000\nTZOFFSETFROM:+0200\nTZOFFSETTO:+0100\n\
        RRULE:FREQ=YEARLY;INTERVAL=1;BYDAY=-1SU;BYMONTH=10\nEND:STANDARD\n\
        BEGIN:DAYLIGHT\nDTSTART:16010101T020000\nTZOFFSETFROM:+0100\nTZOFFSETTO:+0200\n\
        RRULE:FREQ=YEARLY;INTERVAL=1;BYDAY=-1SU;BYMONTH=3\nEND:DAYLIGHT\n";

    fn zone(text: &str) -> Result<TimeZone, &'static str> {
        evaluate("Home", text, &FeedLimits::default())
    }

    /// An observance; lists of lines without end.
    fn observance(start: &str, from: &str, to: &str, more: &str) -> String {
        format!(
            "BEGIN:STANDARD\nDTSTART:{start}\nTZOFFSETFROM:{from}\nTZOFFSETTO:{to}\n\
             {more}\nEND:STANDARD\n"
        )
    }

    /// Whether two zones agree on every hour from one year to another.
    fn agree(zone: &TimeZone, other: &TimeZone, years: std::ops::Range<i16>) {
        let midnight = |year| date(year, 1, 1).at(0, 0, 0, 0).to_zoned_datetime(TimeZone::UTC);
        let (from, to) = (midnight(years.start).unwrap(), midnight(years.end).unwrap());
        for second in (from.timestamp().as_second()..to.timestamp().as_second()).step_by(1800) {
            let at = jiff::Timestamp::from_second(second).unwrap();
            assert_eq!(zone.to_offset(at), other.to_offset(at), "{at}");
        }
    }

    #[test]
    fn yearly_rules_are_followed_to_the_minute() {
        let database = bundled();
        agree(&zone(BERLIN).unwrap(), &database.get("Europe/Berlin").unwrap(), 1996..2060);
        let lord_howe = observance(
            "20080406T020000",
            "+1100",
            "+1030",
            "RRULE:FREQ=YEARLY;BYMONTH=4;BYDAY=1SU",
        ) + &observance(
            "20081005T020000",
            "+1030",
            "+1100",
            "RRULE:FREQ=YEARLY;BYMONTH=10;BYDAY=1SU",
        );
        let expected = database.get("Australia/Lord_Howe").unwrap();
        agree(&zone(&lord_howe).unwrap(), &expected, 2009..2040);
    }

    #[test]
    fn a_zone_may_change_its_rules() {
        // New York, as Apple writes it: rules that end and rules that follow them.
        let text = observance(
            "19671029T020000",
            "-0400",
            "-0500",
            "RRULE:FREQ=YEARLY;UNTIL=20061029T060000Z;BYMONTH=10;BYDAY=-1SU",
        ) + &observance(
            "20071104T020000",
            "-0400",
            "-0500",
            "RRULE:FREQ=YEARLY;BYMONTH=11;BYDAY=1SU",
        ) + &observance(
            "19870405T020000",
            "-0500",
            "-0400",
            "RRULE:FREQ=YEARLY;UNTIL=20060402T070000Z;BYMONTH=4;BYDAY=1SU",
        ) + &observance(
            "20070311T020000",
            "-0500",
            "-0400",
            "RRULE:FREQ=YEARLY;BYMONTH=3;BYDAY=2SU",
        );
        let expected = bundled().get("America/New_York").unwrap();
        agree(&zone(&text).unwrap(), &expected, 1988..2040);
    }

    #[test]
    fn single_dates_and_the_time_before_them() {
        let text = observance("20110327T020000", "+0300", "+0400", "RDATE:20110327T020000")
            + &observance(
                "20141026T020000",
                "+0400",
                "+0300",
                "RDATE:20141026T020000,20991231T000000",
            );
        let expected = bundled().get("Europe/Moscow").unwrap();
        agree(&zone(&text).unwrap(), &expected, 2011..2040);
        let named = "TZID:BEGIN:STANDARD\n".to_owned();
        let fixed = zone(&(named + &observance("20110327T020000", "-0330", "-0330", ""))).unwrap();
        let at = jiff::Timestamp::from_second(0).unwrap();
        assert_eq!(fixed.to_offset(at).seconds(), -12_600);
    }

    #[test]
    fn what_cannot_be_followed_says_why() {
        let check = |text: &str, reason| assert_eq!(zone(text).map(drop), Err(reason), "{text}");
        let observed = |more| observance("20200101T000000", "+0100", "+0200", more);
        check("TZID:Home\n", "it has no observance");
        check("BEGIN:STANDARD\nEND:STANDARD\n", "DTSTART is missing in it");
        check(&observance("20200101T000000", "", "+0100", ""), "TZOFFSETFROM is missing in it");
        check(&observance("20200101T000000", "+01", "+2500", ""), "TZOFFSETFROM is missing in it");
        check(&observed("RRULE:FREQ=SECONDLY"), "a rule of it is not a yearly one");
        check(&observed("RRULE:FREQ=YEARLY;BYDAY=€"), "a rule of it is not understood");
        let all = (0..60).map(|n| n.to_string()).collect::<Vec<_>>().join(",");
        let many = format!("RRULE:FREQ=YEARLY;BYMINUTE={all}");
        check(&observed(&many), "it has too many onsets");
        let never = "RRULE:FREQ=YEARLY;COUNT=4000000000;BYMONTH=2;BYMONTHDAY=30";
        assert!(zone(&observed(never)).is_ok(), "the rule makes nothing");
        let limits = FeedLimits { zone_steps_max: 10, ..FeedLimits::default() };
        let spent = evaluate("Home", BERLIN, &limits).map(drop);
        assert_eq!(spent, Err("its rules take too many steps"));
    }

    #[test]
    fn a_limit_holds_all_that_it_says() {
        let onsets = |count: usize| {
            let dates = (1..count).map(|n| format!("{}0101T000000", 1000 + n)).collect::<Vec<_>>();
            observance("09990101T000000", "+0100", "+0200", &format!("RDATE:{}", dates.join(",")))
        };
        let max = FeedLimits::default().zone_onsets_max;
        assert!(zone(&onsets(max)).is_ok());
        assert_eq!(zone(&onsets(max + 1)).map(drop), Err("it has too many onsets"));
    }
}

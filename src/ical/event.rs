//! The kept lines of one VEVENT to an [`Event`] (RFC 5545 section 3.6.1).

use std::collections::BTreeSet;

use jiff::Timestamp;
use jiff::tz::Offset;

use super::line::{ContentLine, cut, decode_text, excerpt, split_texts};
use super::rule::Rule;
use super::stored::{self, name};
use super::value::{Duration, Value};
use super::{Busy, Details, Person, Status};
use crate::budget::{EXCEPTION_BYTES, FeedLimits};

/// A VEVENT: what people see of it, and when it happens as it was written. Zones are still
/// names; [`expand`](super::expand::expand) resolves them.
#[derive(Clone, Debug)]
pub struct Event {
    /// UID: the same for all components of one series.
    pub uid: String,
    /// SEQUENCE: the higher one of two revisions counts.
    pub sequence: u32,
    /// LAST-MODIFIED: the later one of two revisions counts when SEQUENCE does not decide.
    pub last_modified: Option<Timestamp>,
    /// Everything but the time.
    pub details: Details,
    /// RECURRENCE-ID: this event stands in for one instance of a series, or for all from there.
    pub recurrence_id: Option<RecurrenceId>,
    /// What was left out because it could not be understood.
    pub warnings: Vec<String>,
    /// DTSTART.
    pub start: Stamp,
    pub(super) end: End,
    pub(super) rules: Vec<Rule>,
    pub(super) extra: Vec<Extra>,
    pub(super) excluded: Vec<Excluded>,
}

/// One date or time and the zone that it is written in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stamp {
    /// The date or time.
    pub value: Value,
    /// TZID.
    pub zone: Option<String>,
}

/// RECURRENCE-ID (RFC 5545 section 3.8.4.4).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecurrenceId {
    /// The original start of the instance.
    pub at: Stamp,
    /// RANGE=THISANDFUTURE.
    pub and_future: bool,
}

/// DTEND, DURATION or neither.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum End {
    Absent,
    At(Stamp),
    After(Duration),
}

/// One line of RDATE values; a period brings its own end.
#[derive(Clone, Debug)]
pub(super) struct Extra {
    pub(super) zone: Option<String>,
    pub(super) values: Vec<(Value, PeriodEnd)>,
}

/// How an RDATE period ends.
#[derive(Clone, Copy, Debug)]
pub(super) enum PeriodEnd {
    /// It is no period: the instance lasts as long as its series does.
    Absent,
    At(Value),
    After(Duration),
}

/// One line of EXDATE values.
#[derive(Clone, Debug)]
pub(super) struct Excluded {
    pub(super) zone: Option<String>,
    pub(super) values: Vec<Value>,
}

impl Event {
    /// Reads the text of a stored component.
    ///
    /// # Errors
    /// In words, why this is no event: no readable DTSTART, an end before the start, an
    /// unreadable RECURRENCE-ID.
    pub fn parse(text: &str, limits: &FeedLimits) -> Result<Event, String> {
        let mut builder = Builder::default();
        for line in stored::lines(text) {
            builder.read(line, limits)?;
        }
        builder.finish()
    }

    /// Reads only what people are shown, and whether it stands in for an instance of a series. Its
    /// times were readable when its occurrences were made, and are not read again.
    pub fn shown(text: &str, limits: &FeedLimits) -> (Details, bool) {
        let (mut builder, mut is_override) = (Builder::default(), false);
        for line in stored::lines(text) {
            let name = name(line);
            is_override |= name == "RECURRENCE-ID";
            if !stored::is_time(name) && !matches!(name, "RRULE" | "UID" | "LAST-MODIFIED") {
                // What can fail is left out.
                let _ = builder.read(line, limits);
            }
        }
        (builder.details(), is_override)
    }

    /// Reads only what [`expand`](super::expand::expand) asks for, as far as the series, of which
    /// `taken` keeps account, still has room. An expansion holds all components of a series at
    /// once: their texts must not be among them.
    ///
    /// # Errors
    /// As [`Event::parse`], and when the series has no room left.
    pub fn parse_times(
        text: &str,
        limits: &FeedLimits,
        taken: &mut Taken,
    ) -> Result<Event, String> {
        let lines = || stored::lines(text).filter(|line| is_about_time(name(line)));
        let bytes = size_of::<Event>() + lines().map(held_bytes).sum::<usize>();
        if taken.bytes + bytes > limits.series_bytes_max {
            let max = limits.series_bytes_max;
            return Err(format!("the series takes more than {max} bytes (series_bytes_max)"));
        }
        let mut builder = Builder { exceptions: taken.exceptions, ..Builder::default() };
        for line in lines() {
            builder.read(line, limits)?;
        }
        taken.exceptions = builder.exceptions;
        taken.bytes += bytes + builder.warnings.iter().map(String::len).sum::<usize>();
        builder.finish()
    }

    /// Whether [`Event::parse`] would succeed, without the work for what cannot fail it.
    pub(super) fn check(text: &str, limits: &FeedLimits) -> Result<(), String> {
        let mut builder = Builder::default();
        for line in stored::lines(text) {
            if matches!(name(line), "DTSTART" | "DTEND" | "DURATION" | "RECURRENCE-ID") {
                builder.read(line, limits)?;
            }
        }
        builder.finish().map(drop)
    }

    /// The TZIDs that its times name, each once and in order.
    pub fn tzids(&self) -> BTreeSet<&str> {
        let end = match &self.end {
            End::At(end) => end.zone.as_ref(),
            End::Absent | End::After(_) => None,
        };
        let instance = self.recurrence_id.as_ref().and_then(|id| id.at.zone.as_ref());
        let extra = self.extra.iter().filter_map(|line| line.zone.as_ref());
        let excluded = self.excluded.iter().filter_map(|line| line.zone.as_ref());
        let single = [self.start.zone.as_ref(), end, instance].into_iter().flatten();
        single.chain(extra).chain(excluded).map(String::as_str).collect()
    }

    /// The same at the times on the wall, wherever that is: without zones.
    pub fn floating(mut self) -> Event {
        self.start.zone = None;
        if let End::At(end) = &mut self.end {
            end.zone = None;
        }
        self
    }

    /// True for an event that happens more than once.
    pub fn repeats(&self) -> bool {
        !self.rules.is_empty() || !self.extra.is_empty()
    }
}

/// True for the text of a component that is not for everybody: CLASS is anything but PUBLIC.
pub fn is_private(text: &str) -> bool {
    let mut classes = text.lines().filter_map(|line| line.strip_prefix("CLASS:"));
    classes.any(|class| !class.trim().eq_ignore_ascii_case("PUBLIC"))
}

/// What the components of one series take up together, so far.
#[derive(Debug, Default)]
pub struct Taken {
    bytes: usize,
    exceptions: usize,
}

impl Taken {
    /// What they take in memory.
    pub fn weight_bytes(&self) -> usize {
        self.bytes + self.exceptions * EXCEPTION_BYTES
    }
}

/// When it is, and whether it is shown at all.
fn is_about_time(name: &str) -> bool {
    matches!(name, "DTSTART" | "DTEND" | "DURATION" | "RECURRENCE-ID" | "RRULE" | "RDATE")
        || matches!(name, "EXDATE" | "SEQUENCE" | "LAST-MODIFIED" | "STATUS" | "TRANSP")
        || matches!(name, "SUMMARY" | "X-MICROSOFT-CDO-BUSYSTATUS" | "X-OUTLOOK-DELETED")
}

/// At least what a line costs as it is held. The values of EXDATE and RDATE have a limit of their
/// own; what remains of their lines is the zone.
fn held_bytes(line: &str) -> usize {
    match name(line) {
        "RRULE" => size_of::<Rule>() + line.len(),
        "EXDATE" | "RDATE" => size_of::<Extra>() + line.rfind(':').unwrap_or(line.len()),
        _ => line.len(),
    }
}

/// An event while its lines are read. Of a property that may stand once, the first one counts.
#[derive(Default)]
struct Builder {
    uid: String,
    sequence: Option<u32>,
    last_modified: Option<Timestamp>,
    details: Details,
    conference: String,
    start: Option<Stamp>,
    end: Option<Stamp>,
    duration: Option<Duration>,
    recurrence_id: Option<RecurrenceId>,
    rules: Vec<Rule>,
    extra: Vec<Extra>,
    excluded: Vec<Excluded>,
    exceptions: usize,
    warnings: Vec<String>,
}

impl Builder {
    fn read(&mut self, text: &str, limits: &FeedLimits) -> Result<(), String> {
        let Some(line) = stored::content(text) else { return Ok(()) };
        let ContentLine { name, value, .. } = line;
        if stored::is_time(name) {
            return self.read_time(&line, limits);
        }
        match name {
            "UID" if self.uid.is_empty() => self.uid = value.trim().to_owned(),
            "SEQUENCE" => self.sequence = self.sequence.or(value.trim().parse().ok()),
            "LAST-MODIFIED" => {
                let modified = Value::parse(value).map(Value::civil);
                let modified = modified.and_then(|civil| Offset::UTC.to_timestamp(civil).ok());
                self.last_modified = self.last_modified.or(modified);
            }
            "DURATION" if self.duration.is_none() => {
                self.duration = Duration::parse(value);
                if self.duration.is_none() {
                    self.warn(format!("DURATION `{}` is not understood", excerpt(value)));
                }
            }
            "RRULE" => match Rule::parse(value) {
                Ok(rule) => self.rules.push(rule),
                Err(reason) => self.warn(format!("RRULE ignored: {reason}")),
            },
            _ => read_details(&mut self.details, &mut self.conference, name, &line, limits),
        }
        Ok(())
    }

    fn read_time(&mut self, line: &ContentLine<'_>, limits: &FeedLimits) -> Result<(), String> {
        let zone = stored::tzid(line);
        let parse = stored::reads_values(line);
        let unreadable = || format!("{} `{}` is not understood", line.name, excerpt(line.value));
        match line.name {
            "DTSTART" if self.start.is_none() => {
                let value = parse(line.value).ok_or_else(unreadable)?;
                self.start = Some(Stamp { value, zone });
            }
            "DTEND" if self.end.is_none() => match parse(line.value) {
                Some(value) => self.end = Some(Stamp { value, zone }),
                None => self.warn(unreadable()),
            },
            "RECURRENCE-ID" if self.recurrence_id.is_none() => {
                let value = parse(line.value).ok_or_else(unreadable)?;
                let range = line.param("RANGE");
                let and_future = range.is_some_and(|r| r.eq_ignore_ascii_case("THISANDFUTURE"));
                let at = Stamp { value, zone };
                self.recurrence_id = Some(RecurrenceId { at, and_future });
            }
            "EXDATE" => {
                let values = self.list(line, limits, parse);
                self.excluded.push(Excluded { zone, values });
            }
            "RDATE" => {
                let values = self.list(line, limits, |text| read_period(text, parse));
                self.extra.push(Extra { zone, values });
            }
            _ => {}
        }
        Ok(())
    }

    /// The values of an EXDATE or RDATE line, as far as the series may still have some.
    fn list<T>(
        &mut self,
        line: &ContentLine<'_>,
        limits: &FeedLimits,
        parse: impl Fn(&str) -> Option<T>,
    ) -> Vec<T> {
        let mut values = Vec::new();
        for text in line.value.split(',').filter(|text| !text.trim().is_empty()) {
            if self.exceptions == limits.exceptions_max {
                let max = limits.exceptions_max;
                self.warn(format!("more than {max} EXDATE and RDATE values (exceptions_max)"));
                break;
            }
            match parse(text) {
                Some(value) => values.push(value),
                None => self.warn(format!("{} `{}` is not understood", line.name, excerpt(text))),
            }
            self.exceptions += 1;
        }
        values.shrink_to_fit();
        values
    }

    /// Warnings are for people: the first few tell the story.
    fn warn(&mut self, warning: String) {
        if self.warnings.len() < 8 && !self.warnings.contains(&warning) {
            self.warnings.push(warning);
        }
    }

    fn details(&mut self) -> Details {
        let mut details = std::mem::take(&mut self.details);
        if details.conference.is_empty() {
            details.conference = std::mem::take(&mut self.conference);
        }
        details
    }

    fn finish(mut self) -> Result<Event, String> {
        let start = self.start.take().ok_or("DTSTART is missing")?;
        let end = match (self.end.take(), self.duration) {
            (Some(end), _) => {
                // Only in one zone can they be compared before zones are known.
                let comparable = end.zone == start.zone
                    && std::mem::discriminant(&end.value) == std::mem::discriminant(&start.value);
                if comparable && end.value.civil() < start.value.civil() {
                    return Err("DTEND is before DTSTART".to_owned());
                }
                End::At(end)
            }
            (None, Some(duration)) if duration.is_negative() => {
                return Err("DURATION is negative".to_owned());
            }
            (None, Some(duration)) => End::After(duration),
            (None, None) => End::Absent,
        };
        Ok(Event {
            details: self.details(),
            uid: self.uid,
            sequence: self.sequence.unwrap_or(0),
            last_modified: self.last_modified,
            recurrence_id: self.recurrence_id,
            warnings: self.warnings,
            start,
            end,
            rules: self.rules,
            extra: self.extra.into_iter().filter(|line| !line.values.is_empty()).collect(),
            excluded: self.excluded,
        })
    }
}

/// One RDATE value: a date, a time, or `start/end` or `start/duration`.
fn read_period(text: &str, parse: impl Fn(&str) -> Option<Value>) -> Option<(Value, PeriodEnd)> {
    let Some((start, end)) = text.split_once('/') else {
        return Some((parse(text)?, PeriodEnd::Absent));
    };
    let end = match Value::parse(end) {
        Some(value) => PeriodEnd::At(value),
        None => PeriodEnd::After(Duration::parse(end).filter(|length| !length.is_negative())?),
    };
    Some((Value::parse(start)?, end))
}

fn read_details(
    details: &mut Details,
    google_conference: &mut String,
    name: &str,
    line: &ContentLine<'_>,
    limits: &FeedLimits,
) {
    let value = line.value;
    let plain = || value.trim().to_owned();
    let is = |word: &str| value.trim().eq_ignore_ascii_case(word);
    let text = |newline, bytes_max| {
        let text = decode_text(value, newline);
        let trimmed = cut(text.trim(), bytes_max);
        if trimmed.len() == text.len() { text } else { trimmed.to_owned() }
    };
    let set = |field: &mut String, text: String| {
        if field.is_empty() {
            *field = text;
        }
    };
    match name {
        "SUMMARY" => set(&mut details.summary, text(' ', limits.text_bytes_max)),
        "DESCRIPTION" => set(&mut details.description, text('\n', limits.description_bytes_max)),
        "LOCATION" => set(&mut details.location, text(' ', limits.text_bytes_max)),
        "URL" => set(&mut details.url, plain()),
        "CONFERENCE" => set(&mut details.conference, plain()),
        "X-GOOGLE-CONFERENCE" => set(google_conference, plain()),
        "COLOR" => set(&mut details.color, plain()),
        "CATEGORIES" => {
            let room = limits.people_max.saturating_sub(details.categories.len());
            let decoded = split_texts(value).map(|part| decode_text(part, ' ').trim().to_owned());
            details.categories.extend(decoded.filter(|part| !part.is_empty()).take(room));
        }
        "ORGANIZER" if details.organizer.is_none() => details.organizer = Some(person(line)),
        "ATTENDEE" if details.attendees.len() < limits.people_max => {
            details.attendees.push(person(line));
        }
        "STATUS" if is("CANCELLED") => details.status = Status::Cancelled,
        "STATUS" if is("CONFIRMED") => details.status = Status::Confirmed,
        "STATUS" if is("TENTATIVE") => details.status = Status::Tentative,
        "TRANSP" => details.transparent = is("TRANSPARENT"),
        // In doubt it is.
        "CLASS" => details.private |= !is("PUBLIC"),
        "X-MICROSOFT-CDO-BUSYSTATUS" => details.busy = busy(value.trim()),
        "X-OUTLOOK-DELETED" => details.deleted = is("TRUE"),
        _ => {}
    }
}

fn person(line: &ContentLine<'_>) -> Person {
    let value = line.value.trim();
    let address = match value.split_at_checked(7) {
        Some((scheme, address)) if scheme.eq_ignore_ascii_case("mailto:") => address,
        _ => value,
    };
    Person {
        address: address.to_owned(),
        name: line.param("CN").unwrap_or_default().into_owned(),
        participation: line.param("PARTSTAT").unwrap_or_default().to_ascii_uppercase(),
    }
}

fn busy(value: &str) -> Option<Busy> {
    Some(match value.to_ascii_uppercase().as_str() {
        "FREE" => Busy::Free,
        "TENTATIVE" => Busy::Tentative,
        "BUSY" => Busy::Busy,
        "OOF" => Busy::Away,
        "WORKINGELSEWHERE" => Busy::Elsewhere,
        _ => return None,
    })
}

#[cfg(test)]
mod tests;

//! What is kept of a component: which properties, which of their parameters, and how much of
//! their text. What does not change what people see, such as DTSTAMP, is left out, so that an
//! event that did not change keeps its text.

use super::event::is_private;
use super::line::{self, ContentLine, Line, cut_escaped};
use super::{known_uid, stored};
use crate::budget::FeedLimits;
use crate::hash::fnv1a;

/// The component being read. Its buffers are used again for the next one.
#[derive(Default)]
pub(super) struct Draft {
    pub(super) text: String,
    pub(super) uid: String,
    /// The line of its BEGIN.
    pub(super) line: u32,
    properties: usize,
    people: usize,
    /// Those of them that have declined.
    declined: usize,
    /// Why it cannot be kept.
    pub(super) unfit: Option<&'static str>,
    /// What was dropped from it: line and reason.
    pub(super) dropped: Vec<(u32, String)>,
}

/// Stands for the UID of a private event.
const PRIVATE: &str = "a private event";

/// A property that is kept, and in which form.
pub(super) type Property = (&'static str, Form);

/// How the value of a kept property is stored.
#[derive(Clone, Copy)]
pub(super) enum Form {
    /// As written, without parameters; dropped when longer than `text_bytes_max`.
    Plain,
    /// As written, without parameters, however long.
    Whole,
    /// Cut to `text_bytes_max`.
    Text,
    /// Cut to `description_bytes_max`.
    Description,
    /// With the parameters TZID, VALUE and RANGE.
    Time,
    /// With the parameters CN and PARTSTAT.
    Person,
}

/// The more frequent ones first.
pub(super) const EVENT: &[Property] = &[
    ("DTSTART", Form::Time),
    ("DTEND", Form::Time),
    ("UID", Form::Whole),
    ("SUMMARY", Form::Text),
    ("DESCRIPTION", Form::Description),
    ("LOCATION", Form::Text),
    ("STATUS", Form::Plain),
    ("TRANSP", Form::Plain),
    ("SEQUENCE", Form::Plain),
    ("LAST-MODIFIED", Form::Plain),
    ("ATTENDEE", Form::Person),
    ("ORGANIZER", Form::Person),
    ("RRULE", Form::Whole),
    ("EXDATE", Form::Time),
    ("RECURRENCE-ID", Form::Time),
    ("DURATION", Form::Plain),
    ("RDATE", Form::Time),
    ("CLASS", Form::Text),
    ("CATEGORIES", Form::Text),
    ("URL", Form::Plain),
    ("COLOR", Form::Plain),
    ("CONFERENCE", Form::Plain),
    ("X-GOOGLE-CONFERENCE", Form::Plain),
    ("X-MICROSOFT-CDO-BUSYSTATUS", Form::Plain),
    ("X-OUTLOOK-DELETED", Form::Plain),
];

pub(super) const TIME_ZONE: &[Property] =
    &[("TZID", Form::Whole), ("X-LIC-LOCATION", Form::Plain), ("TZUNTIL", Form::Plain)];

pub(super) const OBSERVANCE: &[Property] = &[
    ("DTSTART", Form::Time),
    ("TZOFFSETFROM", Form::Plain),
    ("TZOFFSETTO", Form::Plain),
    ("RRULE", Form::Whole),
    ("RDATE", Form::Time),
    ("TZNAME", Form::Plain),
];

impl Draft {
    /// What its buffers take.
    pub(super) fn weight_bytes(&self) -> usize {
        self.text.capacity() + self.uid.capacity()
    }

    pub(super) fn start(&mut self, line: u32) {
        self.text.clear();
        self.uid.clear();
        self.dropped.clear();
        (self.line, self.unfit) = (line, None);
        (self.properties, self.people, self.declined) = (0, 0, 0);
    }

    /// Writes the line down if it is one of `properties`.
    pub(super) fn keep(
        &mut self,
        properties: &[Property],
        name: &[u8],
        line: &Line<'_>,
        limits: &FeedLimits,
    ) {
        let known =
            properties.iter().find(|(known, _)| name.eq_ignore_ascii_case(known.as_bytes()));
        let Some(&(name, form)) = known else { return };
        if line.overlong {
            let max = limits.line_bytes_max;
            let reason = format!("{name} dropped: its line is over {max} bytes (line_bytes_max)");
            return self.drop_line(line.number, reason);
        }
        match name {
            // Their values are counted, when the event is read; and without its CLASS an event
            // would be shown to everybody.
            "EXDATE" | "RDATE" | "CLASS" => {}
            // There are none whose place another could take.
            "ATTENDEE" if self.declined == limits.people_max => return,
            "ATTENDEE" => {}
            _ if self.properties == limits.properties_max => {
                let max = limits.properties_max;
                let reason = format!("{name} dropped: over {max} properties (properties_max)");
                return self.drop_line(line.number, reason);
            }
            _ => self.properties += 1,
        }
        let text = line::text(line.bytes);
        let kept = match form {
            Form::Time => ContentLine::parse_time(&text),
            _ => ContentLine::parse(&text),
        };
        let Some(kept) = kept else { return };
        if matches!(name, "UID" | "TZID") {
            return self.keep_uid(name, kept.value.trim(), limits);
        }
        if name == "ATTENDEE" && !self.has_place_for(&kept, limits) {
            return;
        }
        self.write_property(name, form, &kept, limits);
    }

    fn write_property(
        &mut self,
        name: &str,
        form: Form,
        line: &ContentLine<'_>,
        limits: &FeedLimits,
    ) {
        let (params, value): (&[&str], &str) = match form {
            Form::Plain | Form::Person if line.value.len() > limits.text_bytes_max => return,
            Form::Plain | Form::Whole => (&[], line.value),
            Form::Text => (&[], cut_escaped(line.value, limits.text_bytes_max)),
            Form::Description => (&[], cut_escaped(line.value, limits.description_bytes_max)),
            Form::Time => (&["TZID", "VALUE", "RANGE"], line.value),
            Form::Person => (&["CN", "PARTSTAT"], line.value),
        };
        self.write(&[name], limits);
        for (param, value) in line.params().take_while(|_| !params.is_empty()) {
            let wanted = params.iter().find(|wanted| param.eq_ignore_ascii_case(wanted));
            if let Some(wanted) = wanted
                && value.len() <= limits.text_bytes_max
            {
                let separates = |byte| matches!(byte, b':' | b';' | b',');
                let quote = if value.bytes().any(separates) { "\"" } else { "" };
                self.write(&[";", wanted, "=", quote, value, quote], limits);
            }
        }
        self.write(&[":", value, "\n"], limits);
    }

    /// Whether one more ATTENDEE is kept: in the place of somebody else only who has declined. That
    /// may be whose calendar it is, who then does not want to see the event.
    fn has_place_for(&mut self, attendee: &ContentLine<'_>, limits: &FeedLimits) -> bool {
        let declines = has_declined(attendee);
        if self.people < limits.people_max {
            self.people += 1;
        } else if declines {
            self.drop_last_guest();
        } else {
            return false;
        }
        self.declined += usize::from(declines);
        true
    }

    /// Drops the last ATTENDEE who has not declined.
    fn drop_last_guest(&mut self) {
        let is_guest = |line: &str| {
            stored::name(line) == "ATTENDEE"
                && !stored::content(line).is_some_and(|line| has_declined(&line))
        };
        let (mut end, mut last) = (0, None);
        for line in self.text.split_inclusive('\n') {
            let start = end;
            end += line.len();
            if is_guest(line.trim_end()) {
                last = Some(start..end);
            }
        }
        if let Some(line) = last {
            self.text.replace_range(line, "");
        }
    }

    /// The first UID counts. One that is too long to be a key, or unfit for an id, is replaced by
    /// its hash.
    fn keep_uid(&mut self, name: &str, uid: &str, limits: &FeedLimits) {
        if !self.uid.is_empty() || uid.is_empty() {
            return;
        }
        let uid = match uid.len() > limits.text_bytes_max {
            true => format!("long-{:016x}", fnv1a(uid.as_bytes())),
            false => known_uid(uid).into_owned(),
        };
        self.write(&[name, ":", &uid, "\n"], limits);
        self.uid = uid;
    }

    pub(super) fn name_by_content(&mut self, limits: &FeedLimits) {
        let uid = format!("made-{:016x}", fnv1a(self.text.as_bytes()));
        self.write(&["UID:", &uid, "\n"], limits);
        self.uid = uid;
    }

    pub(super) fn write(&mut self, parts: &[&str], limits: &FeedLimits) {
        let bytes: usize = parts.iter().map(|part| part.len()).sum();
        if self.text.len() + bytes > limits.component_bytes_max {
            self.unfit = Some("larger than component_bytes_max");
        } else {
            self.text.reserve(bytes);
            parts.iter().for_each(|part| self.text.push_str(part));
        }
    }

    /// What people are told of the UID: of a private event nothing, since everybody knows it who is
    /// invited.
    pub(super) fn shown_uid(&self) -> String {
        if is_private(&self.text) { PRIVATE.to_owned() } else { self.uid.clone() }
    }

    /// The first few tell the story.
    pub(super) fn drop_line(&mut self, line: u32, reason: String) {
        if self.dropped.len() < 4 {
            self.dropped.push((line, reason));
        }
    }
}

fn has_declined(attendee: &ContentLine<'_>) -> bool {
    attendee.param("PARTSTAT").is_some_and(|status| status.eq_ignore_ascii_case("DECLINED"))
}

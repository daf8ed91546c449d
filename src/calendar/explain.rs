//! Why a series is shown as it is: what was written, what became of it, and by which rule. From
//! what is stored to lines for a terminal; [`summary`] does the same for a feed.

mod summary;

use std::rc::Rc;

use jiff::tz::{AmbiguousOffset, TimeZone};
use jiff::{SignedDuration, Timestamp};

pub use summary::{NAMED_MAX, Summary, Totals};

use super::merge::likeness;
use super::selection::{self, resolve};
use super::settings::{Settings, Unwanted};
use super::skips::Skips;
use super::text::{columns, folded, harmless, local, zone_name};
use super::{CalendarStatus, Entry, instance_id};
use crate::budget::FeedLimits;
use crate::ical::event::{Event, Taken};
use crate::ical::expand::{Expansion, expand};
use crate::ical::value::Value;
use crate::ical::zone::Zones;
use crate::ical::{Details, Occurrence, Time, Window, stored};

/// Instances that are listed of a series, those beside a change of the clock apart.
const LISTED_MAX: usize = 5;
/// Components that are shown of a series, and lines of each.
const PARTS_MAX: usize = 12;
const LINES_MAX: usize = 40;
/// Characters that are shown of a line.
const LINE_CHARS_MAX: usize = 160;

/// Where and for whom something is explained.
#[derive(Clone, Copy)]
pub struct Scene<'a> {
    /// The calendar's "now".
    pub now: Timestamp,
    /// The zone of the display.
    pub zone: &'a TimeZone,
    /// Every configured feed.
    pub calendars: &'a [CalendarStatus],
    /// The one that is asked about: its place among them.
    pub calendar: usize,
    /// How its zones are found.
    pub zones: &'a Zones,
    /// The stretch of time that occurrences are kept of.
    pub window: Window,
    /// What a feed may hold.
    pub limits: &'a FeedLimits,
    /// What people have set.
    pub settings: &'a Settings,
    /// What they skip.
    pub skips: &'a Skips,
    /// Show what is private, too.
    pub show_private: bool,
}

/// The components of one UID while they are read: as much of them as a refresh holds at once, and
/// the few lines that are shown.
pub struct Draft<'a> {
    scene: Scene<'a>,
    uid: Rc<str>,
    taken: Taken,
    parts: Vec<(Event, Part)>,
}

/// A series, expanded.
pub struct Series<'a> {
    scene: Scene<'a>,
    uid: Rc<str>,
    events: Vec<Event>,
    /// What else is told of each of `events`, the masters first.
    parts: Vec<Part>,
    /// By start.
    expansion: Expansion,
}

/// What is told of one component of a series beside its times.
struct Part {
    lines: Vec<String>,
    /// Why it is hidden, if it is.
    hidden: Option<String>,
    /// Its title, and whether that may be seen.
    details: Rc<Details>,
}

impl Scene<'_> {
    fn status(&self) -> &CalendarStatus {
        &self.calendars[self.calendar]
    }

    /// Whether what is written in an event must not be seen.
    fn hides(&self, details: &Details) -> bool {
        !self.show_private && (self.status().private || details.private)
    }

    /// The lines of a component that are shown when nothing of it is private.
    fn shown_lines(&self, text: &str) -> Vec<String> {
        let mut shown = stored::lines(text).filter(|line| match stored::name(line) {
            "SUMMARY" | "DURATION" | "RRULE" => true,
            "ATTENDEE" => self.is_me(line),
            name => stored::is_time(name) || is_mark(name),
        });
        let mut lines: Vec<String> = shown.by_ref().take(LINES_MAX).map(shortened).collect();
        let more = shown.count();
        lines.extend((more > 0).then(|| format!("and {}", counted(more, "further line"))));
        lines
    }

    /// Why nobody sees an event, by what its feed and people have set.
    fn unwanted(&self, event: &Event, details: &Details) -> Option<String> {
        if let Some(hidden) = self.status().filter.hides(details) {
            return Some(hidden.to_string());
        }
        let all_day = matches!(event.start.value, Value::Date(_));
        let repeats = event.repeats() || event.recurrence_id.is_some();
        let unwanted = self.settings.judge().unwanted(details, all_day, repeats);
        unwanted.map(|unwanted| unwanted.to_string())
    }

    fn is_me(&self, attendee: &str) -> bool {
        let line = attendee.to_ascii_lowercase();
        self.status().filter.me.iter().any(|me| line.ends_with(&format!(":{me}")))
    }

    /// True for an event that somebody means who gives its UID, or a part of its title.
    pub fn is_meant(&self, query: &str, uid: &str, text: &str) -> bool {
        let Ok(event) = Event::parse(text, self.limits) else { return false };
        // Whoever may not see a title must not find out by asking for it.
        let title = folded(&event.details.summary);
        uid == query || (!self.hides(&event.details) && title.contains(&folded(query)))
    }
}

impl<'a> Draft<'a> {
    /// Nothing has been read yet.
    pub fn new(scene: Scene<'a>, uid: &str) -> Self {
        Self { scene, uid: uid.into(), taken: Taken::default(), parts: Vec::new() }
    }

    /// Reads one component, as it is stored. What a refresh leaves out is left out here.
    pub fn add(&mut self, text: &str) {
        let limits = self.scene.limits;
        if self.parts.len() > limits.series_components_max {
            return;
        }
        let Ok(event) = Event::parse_times(text, limits, &mut self.taken) else { return };
        let Ok(Event { details, .. }) = Event::parse(text, limits) else { return };
        let hidden = self.scene.unwanted(&event, &details);
        let is_master = |event: &Event| event.recurrence_id.is_none();
        let same_kind =
            self.parts.iter().filter(|(other, _)| is_master(other) == is_master(&event));
        let lines = match same_kind.count() < PARTS_MAX {
            true => self.scene.shown_lines(text),
            false => Vec::new(),
        };
        let Details { summary, private, .. } = details;
        let details = Rc::new(Details { summary, private, ..Details::default() });
        self.parts.push((event, Part { lines, hidden, details }));
    }

    /// The series is complete.
    pub fn finish(mut self) -> Series<'a> {
        let Self { scene, uid, .. } = self;
        self.parts.sort_by_key(|(event, _)| event.recurrence_id.is_some());
        let (events, parts): (Vec<Event>, Vec<Part>) = self.parts.into_iter().unzip();
        let expansion = expand(&events, scene.zones, scene.window, scene.limits);
        Series { scene, uid, events, parts, expansion }
    }
}

impl Series<'_> {
    /// The instances that [`Self::lines`] lists: the next ones, and those after a change of the
    /// clock.
    pub fn listed(&self) -> Vec<Entry> {
        self.listed_with_changes().into_iter().map(|(entry, _)| entry).collect()
    }

    /// The same, each with the clocks that have changed since the one before it.
    fn listed_with_changes(&self) -> Vec<(Entry, Vec<String>)> {
        let mut listed = Vec::new();
        let mut before: Option<Entry> = None;
        for entry in self.entries() {
            let changes = before.as_ref().map(|before| self.clock_changes(before, &entry));
            let changes = changes.unwrap_or_default();
            let is_ahead = self.times(&entry).1 > self.scene.now;
            if is_ahead && (listed.len() < LISTED_MAX || !changes.is_empty()) {
                listed.push((entry.clone(), changes));
            }
            before = Some(entry);
        }
        listed
    }

    /// True when something of it must not be seen.
    pub fn is_masked(&self) -> bool {
        self.parts.iter().any(|part| self.scene.hides(&part.details))
    }

    /// All there is to say. `others` are entries of the other calendars at the times of
    /// [`Self::listed`]; `kept` is how many occurrences are stored, and `truncated` which cap has
    /// cut them short.
    pub fn lines(&self, others: &[Entry], kept: usize, truncated: Option<&str>) -> Vec<String> {
        let feed = &self.scene.status().name;
        let masked = self.is_masked();
        let mut lines = vec![match masked {
            true => format!("a private event in `{feed}` (--show-private shows it)"),
            false => format!("{} in `{feed}`", self.uid),
        }];
        for index in 0..self.parts.len().min(PARTS_MAX) {
            self.describe(index, masked, &mut lines);
        }
        let more = self.parts.len().saturating_sub(PARTS_MAX);
        if more > 0 {
            lines.push(format!("  and {} more", counted(more, "component")));
        }
        lines.extend(self.gaps().into_iter().map(|gap| format!("  {gap}")));
        let warnings = self.expansion.warnings.iter();
        lines.extend(warnings.map(|warning| format!("  warning: {warning}")));
        self.happens(others, kept, &mut lines);
        if let Some(reason) = truncated.or(self.expansion.truncated.as_deref()) {
            lines.push(format!("  cut short: {reason}"));
        }
        lines.iter().map(|line| made_harmless(line)).collect()
    }

    /// One component: its lines, its zones, and what becomes of it.
    fn describe(&self, index: usize, masked: bool, lines: &mut Vec<String>) {
        let (event, part) = (&self.events[index], &self.parts[index]);
        lines.push(match &event.recurrence_id {
            Some(id) if id.and_future => "  from one instance on:".to_owned(),
            Some(_) => "  for one instance:".to_owned(),
            None => "  the event:".to_owned(),
        });
        let tells = |line: &&String| matches!(stored::name(line), "SUMMARY" | "ATTENDEE");
        let shown = part.lines.iter().filter(|line| !masked || !tells(line));
        lines.extend(shown.map(|line| format!("    {line}")));
        let tzids = event.tzids().into_iter();
        lines.extend(tzids.map(|tzid| format!("    {}", zone_line(tzid, self.scene.zones))));
        lines.extend(self.start_line(event).map(|line| format!("    {line}")));
        lines.push(format!("    {}", self.verdict(index, masked)));
    }

    fn verdict(&self, index: usize, masked: bool) -> String {
        let Part { hidden, details, .. } = &self.parts[index];
        match hidden {
            _ if self.expansion.outdated.contains(&index) => {
                "not used: a newer revision has the same start (SEQUENCE, LAST-MODIFIED)".to_owned()
            }
            // A pattern would tell what the title is like.
            Some(_) if masked => "hidden".to_owned(),
            Some(hidden) => format!("hidden: {hidden}"),
            None if self.scene.status().private || details.private => {
                "shown as \"Busy\": it is private".to_owned()
            }
            None => "shown".to_owned(),
        }
    }

    /// What a written start means where that is not plain.
    fn start_line(&self, event: &Event) -> Option<String> {
        let Value::Local(civil) = event.start.value else { return None };
        let Some(zone) = self.own_zone(event) else {
            return Some("no zone: it is the time on the wall where the display hangs".into());
        };
        let name = zone_name(&zone, self.scene.now);
        match zone.to_ambiguous_timestamp(civil).offset() {
            AmbiguousOffset::Gap { .. } => Some(format!(
                "DST: {civil} does not exist in {name}; it is taken as {}",
                local(resolve(Time::Floating(civil), &zone), &zone)
            )),
            AmbiguousOffset::Fold { .. } => {
                Some(format!("DST: {civil} happens twice in {name}; the first one counts"))
            }
            AmbiguousOffset::Unambiguous { .. } => None,
        }
    }

    /// The zone that an event's start is in, when it names one. TZID says nothing of a day, or of
    /// a time in UTC.
    fn own_zone(&self, event: &Event) -> Option<TimeZone> {
        let tzid = event.start.zone.as_ref()?;
        let is_local = matches!(event.start.value, Value::Local(_));
        is_local.then(|| self.scene.zones.resolve(tzid).zone)
    }

    /// Where a rule would have made an instance at a time that does not exist, which it therefore
    /// has not (RFC 5545 section 3.3.10). What it would have made there, the same rule tells
    /// without its zone.
    fn gaps(&self) -> Vec<String> {
        let mut gaps = Vec::new();
        for event in self.events.iter().filter(|event| event.repeats()).take(PARTS_MAX) {
            let Some(zone) = self.own_zone(event) else { continue };
            let events = [event.clone().floating()];
            let name = zone_name(&zone, self.scene.now);
            let Window { start, end } = self.scene.window;
            for change in zone.following(start).take_while(|change| change.timestamp() < end) {
                let at = change.timestamp();
                let before = at.checked_sub(SignedDuration::from_secs(1)).unwrap_or(at);
                let (from, to) =
                    (zone.to_offset(before).to_datetime(at), change.offset().to_datetime(at));
                let window = Window { start: before, end: at };
                let missing = expand(&events, self.scene.zones, window, self.scene.limits);
                for Occurrence { start, .. } in missing.occurrences {
                    if let Time::Floating(civil) = start
                        && (from..to).contains(&civil)
                    {
                        gaps.push(format!("DST: {civil} does not exist in {name}: no instance"));
                    }
                }
            }
        }
        gaps
    }

    /// When it happens.
    fn happens(&self, others: &[Entry], kept: usize, lines: &mut Vec<String>) {
        let Scene { zone, now, window, .. } = self.scene;
        let count = self.entries().count();
        let date = |at: Timestamp| zone.to_datetime(at).date();
        let times = counted(count, "instance");
        lines.push(format!("  {times} from {} to {}", date(window.start), date(window.end)));
        if kept < count {
            lines.push(format!("  only {kept} of them are kept"));
        }
        for (entry, changes) in self.listed_with_changes() {
            let times = self.times(&entry);
            lines.extend(changes.iter().map(|change| format!("    {change}")));
            let all_day = matches!(entry.start, Time::Date(_));
            let columns = columns(times, all_day, zone, date(now));
            let original = entry.recurrence.map(|original| resolve(original, zone));
            let shifted = original.filter(|&original| original != times.0);
            let shifted = shifted.map(|original| format!("shifted from {}", local(original, zone)));
            let merged = others.iter().filter_map(|other| {
                let how = likeness(&entry, other, self.scene.calendars, zone)?;
                let name = &self.scene.calendars[other.calendar].name;
                let first = other.calendar < entry.calendar;
                let tells = if first && how.is_same() { ", which tells of it" } else { "" };
                let not = if how.is_same() { "" } else { "not " };
                Some(format!("{not}merged with `{name}`{tells}: {how}"))
            });
            let remarks = shifted.into_iter().chain(merged).chain(self.wishes(&entry));
            let remarks: Vec<String> = remarks.collect();
            let line = format!("    {columns} {}", remarks.join("; "));
            lines.push(line.trim_end().to_owned());
        }
    }

    /// What happens in the window and is shown.
    fn entries(&self) -> impl Iterator<Item = Entry> {
        self.expansion.occurrences.iter().filter_map(|found| {
            let Part { hidden, details, .. } = self.parts.get(found.event)?;
            let original = found.recurrence.map(|original| resolve(original, &TimeZone::UTC));
            let name = &self.scene.status().name;
            hidden.is_none().then(|| Entry {
                id: original.map_or((*self.uid).to_owned(), |original| {
                    instance_id(&self.uid, name, original)
                }),
                uid: Rc::clone(&self.uid),
                overridden: self.events[found.event].recurrence_id.is_some(),
                calendar: self.scene.calendar,
                also: Vec::new(),
                start: found.start,
                end: found.end,
                recurrence: found.recurrence,
                details: Rc::clone(details),
            })
        })
    }

    /// What people do about one instance; the id of a private one tells nothing of it.
    fn wishes(&self, entry: &Entry) -> impl Iterator<Item = String> + use<> {
        let Scene { settings, skips, now, zone, .. } = self.scene;
        let is_hidden = settings.hides(entry);
        let hidden = is_hidden.then(|| format!("hidden: {}", Unwanted::Hidden));
        let until = skips.until(entry, now).map(|until| local(until, zone));
        let skipped = until.map(|until| format!("does not come next: skipped until {until}"));
        hidden.into_iter().chain(skipped)
    }

    fn times(&self, entry: &Entry) -> (Timestamp, Timestamp) {
        selection::times(entry.start, entry.end, self.scene.zone)
    }

    /// The clocks that change between two instances: the display's, and that of the event.
    fn clock_changes(&self, before: &Entry, after: &Entry) -> Vec<String> {
        let own = self.events.iter().find_map(|event| self.own_zone(event));
        let own = own.filter(|zone| zone != self.scene.zone);
        let (from, to) = (self.times(before).0, self.times(after).0);
        let change = |zone: &TimeZone| {
            let (old, new) = (zone.to_offset(from), zone.to_offset(to));
            let name = zone_name(zone, self.scene.now);
            (old != new).then(|| format!("DST: {name} goes from {old} to {new}"))
        };
        let timed = !matches!(after.start, Time::Date(_));
        own.iter().chain([self.scene.zone]).filter(|_| timed).filter_map(change).collect()
    }
}

/// What a TZID means, and how that was found.
fn zone_line(tzid: &str, zones: &Zones) -> String {
    let found = zones.resolve(tzid);
    found.guess(tzid).unwrap_or_else(|| {
        let name = found.zone.iana_name().unwrap_or("a zone without a name");
        format!("TZID `{tzid}` is {name}: {}", found.step)
    })
}

/// What an event says of itself beside its times.
fn is_mark(name: &str) -> bool {
    matches!(name, "STATUS" | "TRANSP" | "CLASS" | "SEQUENCE" | "LAST-MODIFIED")
        || matches!(name, "X-MICROSOFT-CDO-BUSYSTATUS" | "X-OUTLOOK-DELETED")
}

/// `1 event`, `2 events`.
fn counted(count: impl TryInto<u64>, noun: &str) -> String {
    match count.try_into().unwrap_or(u64::MAX) {
        1 => format!("1 {noun}"),
        count => format!("{count} {noun}s"),
    }
}

fn shortened(line: &str) -> String {
    let shown = super::text::cut(line, LINE_CHARS_MAX);
    if shown.len() < line.len() { format!("{shown}…") } else { line.to_owned() }
}

fn made_harmless(line: &str) -> String {
    line.chars().map(harmless).collect()
}

#[cfg(test)]
mod tests;

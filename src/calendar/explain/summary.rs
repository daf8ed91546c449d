//! A feed as a whole: what is in it, what is hidden of it, and what it could not hold.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::{Scene, counted, made_harmless, zone_line};
use crate::calendar::filter::{Filter, Pattern};
use crate::calendar::selection;
use crate::calendar::text::{local, zone_name};
use crate::ical::event::Event;

/// Zones, and series that were cut short, that are named.
pub const NAMED_MAX: usize = 40;

/// What is counted while the events of a feed pass by.
pub struct Summary<'a> {
    scene: Scene<'a>,
    /// Series that a cap has cut short, the first of them.
    truncated: Vec<Truncated<'a>>,
    /// Events by TZID.
    zones: BTreeMap<String, u64>,
    /// Events in zones that were too many to name.
    other_zones: u64,
    /// Events by why they are hidden.
    hidden: BTreeMap<String, u64>,
    private: u64,
}

/// What is known of a feed without a look at its events.
pub struct Totals<'a> {
    /// When the data was last known to be right.
    pub checked_at: Option<Timestamp>,
    /// Events stored.
    pub events: u64,
    /// VTIMEZONE definitions stored.
    pub zones: u64,
    /// X-WR-TIMEZONE.
    pub calendar_zone: Option<&'a str>,
    /// Components that could not be read.
    pub skipped: u64,
    /// Why, for the first of them.
    pub skipped_reasons: &'a [String],
    /// Series that a cap has cut short.
    pub truncated: u64,
}

/// A series that was cut short.
struct Truncated<'a> {
    uid: &'a str,
    /// By which cap.
    reason: &'a str,
    private: bool,
}

impl<'a> Summary<'a> {
    /// Nothing has passed by yet. `truncated` are some series that a cap has cut short, by UID, and
    /// which one.
    pub fn new(scene: Scene<'a>, truncated: &'a [(String, String)]) -> Self {
        let (zones, hidden) = (BTreeMap::new(), BTreeMap::new());
        let named = |(uid, reason): &'a (String, String)| Truncated { uid, reason, private: false };
        let truncated = truncated.iter().map(named).collect();
        Self { scene, truncated, zones, other_zones: 0, hidden, private: 0 }
    }

    /// Takes note of one event, as it is stored.
    pub fn add(&mut self, uid: &str, text: &str) {
        let Ok(event) = Event::parse(text, self.scene.limits) else { return };
        for tzid in event.tzids() {
            let has_room = self.zones.len() < NAMED_MAX;
            match self.zones.get_mut(tzid) {
                Some(count) => *count += 1,
                None if has_room => _ = self.zones.insert(tzid.to_owned(), 1),
                None => self.other_zones += 1,
            }
        }
        self.private += u64::from(self.scene.status().private || event.details.private);
        for series in self.truncated.iter_mut().filter(|series| series.uid == uid) {
            series.private |= self.scene.hides(&event.details);
        }
        let by_itself = selection::hidden(&event.details).is_some();
        if let Some(hidden) = self.scene.unwanted(&event, &event.details) {
            // A pattern would tell what the titles are like.
            let reason = match !by_itself && self.scene.hides(&event.details) {
                true => "private (--show-private)".to_owned(),
                false => hidden,
            };
            *self.hidden.entry(reason).or_default() += 1;
        }
    }

    /// All there is to say.
    pub fn lines(&self, totals: &Totals<'_>) -> Vec<String> {
        let Scene { zone, now, window, .. } = self.scene;
        let status = self.scene.status();
        let closed = status.private && !self.scene.show_private;
        let checked = totals.checked_at.map(|at| local(at, zone));
        let date = |at: Timestamp| zone.to_datetime(at).date();
        let mut lines = vec![
            format!("feed `{}` ({})", status.name, status.label),
            format!("  known to be right at {}", checked.as_deref().unwrap_or("no time yet")),
            format!("  {}, {} of them private", counted(totals.events, "event"), self.private),
            format!("  kept from {} to {}", date(window.start), date(window.end)),
            format!("  shown in {}", zone_name(zone, now)),
        ];
        lines.extend(totals.calendar_zone.map(|name| format!("  X-WR-TIMEZONE is `{name}`")));
        lines.extend(filter_lines(&status.filter));
        lines.push(format!("zones ({} of the feed's own):", counted(totals.zones, "definition")));
        for (tzid, &count) in &self.zones {
            let line = zone_line(tzid, self.scene.zones);
            lines.push(format!("  {line} ({})", counted(count, "event")));
        }
        if self.other_zones > 0 {
            lines.push(format!("  further ones ({})", counted(self.other_zones, "event")));
        }
        let hidden: u64 = self.hidden.values().sum();
        lines.push(format!("hidden: {}", counted(hidden, "event")));
        lines.extend(self.hidden.iter().map(|(why, count)| format!("  {count}: {why}")));
        lines.push(format!("skipped: {} as unreadable", counted(totals.skipped, "component")));
        if closed && !totals.skipped_reasons.is_empty() {
            lines.push("  the reasons quote them (--show-private)".to_owned());
        } else {
            lines.extend(totals.skipped_reasons.iter().map(|reason| format!("  {reason}")));
        }
        lines.push(format!("cut short: {} series", totals.truncated));
        for Truncated { uid, reason, private } in &self.truncated {
            let name = if *private { "a private event" } else { uid };
            lines.push(format!("  {name}: {reason}"));
        }
        lines.iter().map(|line| made_harmless(line)).collect()
    }
}

fn filter_lines(filter: &Filter) -> Vec<String> {
    let patterns = |name: &str, patterns: &[Pattern]| {
        let quoted: Vec<String> = patterns.iter().map(|p| format!("\"{p}\"")).collect();
        (!quoted.is_empty()).then(|| format!("  {name}: {}", quoted.join(", ")))
    };
    let me = (!filter.me.is_empty()).then(|| {
        let shown = if filter.show_declined { " (show_declined)" } else { "" };
        format!("  me: {}{shown}", filter.me.join(", "))
    });
    [patterns("include", &filter.include), patterns("exclude", &filter.exclude), me]
        .into_iter()
        .flatten()
        .collect()
}

//! What people want to see: one event after the other, with a bound on the work.

use std::fmt;

use super::{Action, Counts, Filters, PATTERNS_MAX, Pattern, SORTS};
use crate::calendar::regex::Work;
use crate::calendar::text::folded;
use crate::ical::Details;

/// Why people do not see an event that its calendar shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unwanted<'s> {
    /// Somebody has hidden it.
    Hidden,
    /// It lasts for days, and those are not shown.
    AllDay,
    /// It has this category.
    Category(&'s str),
    /// It is one of these: `recurring` or `single`.
    Sort(&'s str),
    /// It has too few attendees, or too many.
    Attendees(u32),
    /// This pattern matches.
    Pattern(&'s str),
    /// No pattern matches, and only what one matches is shown.
    NoPattern,
}

/// Decides about one event after the other.
pub struct Judge<'s> {
    filters: &'s Filters,
    work: Work,
    /// How many events each pattern matches, if that is asked for.
    counts: Option<Counts>,
}

/// As many steps take about as long as looking at a row of the database.
const STEPS_A_ROW: usize = 256;

impl<'s> Judge<'s> {
    /// Who decides by `filters`.
    pub(super) fn new(filters: &'s Filters) -> Self {
        Self { filters, work: Work::default(), counts: None }
    }

    /// The same, and counts what each pattern matches.
    pub fn counting(self) -> Self {
        Self { counts: Some([0; PATTERNS_MAX]), ..self }
    }

    /// How many events each pattern has matched.
    pub fn counts(&self) -> Counts {
        self.counts.unwrap_or([0; PATTERNS_MAX])
    }

    /// The work so far, in rows of the database.
    pub fn rows(&self) -> usize {
        self.work.steps / STEPS_A_ROW
    }

    /// Why people do not want to see an event; `None` when they do. What is hidden by its id is
    /// left to [`Settings::hides`].
    pub fn unwanted(
        &mut self,
        details: &Details,
        all_day: bool,
        repeats: bool,
    ) -> Option<Unwanted<'s>> {
        let filters = self.filters;
        let first = self.first_match(&details.summary);
        if !filters.enabled {
            return None;
        }
        if all_day && filters.hide_all_day {
            return Some(Unwanted::AllDay);
        }
        let sort = SORTS[usize::from(!repeats)];
        if let Some((sort, _)) = filters.recurring.iter().find(|(it, on)| !on && **it == *sort) {
            return Some(Unwanted::Sort(sort));
        }
        let is_off = |(name, on): &&(Box<str>, bool)| {
            !on && details.categories.iter().any(|category| folded(category) == folded(name))
        };
        if let Some((name, _)) = filters.categories.iter().find(is_off) {
            return Some(Unwanted::Category(name));
        }
        let count = u32::try_from(details.attendees.len()).unwrap_or(u32::MAX);
        if filters.attendees.is_some_and(|(min, max)| !(min..=max).contains(&count)) {
            return Some(Unwanted::Attendees(count));
        }
        match (filters.default_action, first) {
            (Action::Include, Some(pattern)) => Some(Unwanted::Pattern(pattern.text())),
            (Action::Exclude, None) if filters.patterns.iter().any(|it| it.is_active) => {
                Some(Unwanted::NoPattern)
            }
            _ => None,
        }
    }

    /// The first active pattern that matches a title.
    fn first_match(&mut self, title: &str) -> Option<&'s Pattern> {
        let (filters, mut first) = (self.filters, None);
        if filters.patterns.is_empty() {
            return None;
        }
        let title_folded = folded(title);
        for (index, pattern) in filters.patterns.iter().enumerate() {
            if !pattern.is_active || !pattern.matches(title, &title_folded, &mut self.work) {
                continue;
            }
            first = first.or(Some(pattern));
            let Some(counts) = &mut self.counts else { break };
            if let Some(count) = counts.get_mut(index) {
                *count += 1;
            }
        }
        first
    }
}

impl fmt::Display for Unwanted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Unwanted::Hidden => f.write_str("somebody has hidden it"),
            Unwanted::AllDay => f.write_str("all-day events are not shown (settings)"),
            Unwanted::Category(name) => {
                write!(f, "its category `{name}` is switched off (settings)")
            }
            Unwanted::Sort(sort) => write!(f, "{sort} events are switched off (settings)"),
            Unwanted::Attendees(count) => {
                write!(f, "it has {count} attendees, too few or too many (settings)")
            }
            Unwanted::Pattern(text) => write!(f, "the settings have the pattern \"{text}\""),
            Unwanted::NoPattern => f.write_str("no pattern of the settings matches its title"),
        }
    }
}

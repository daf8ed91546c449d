//! Which events of a feed its owner wants to see: patterns on their titles, and what was declined.

use std::fmt;

use super::selection;
use super::text::folded;
use crate::ical::{Details, Person};

/// What is configured for one feed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filter {
    /// When there are any, only events with a title that one of them matches are shown.
    pub include: Vec<Pattern>,
    /// Events with a title that one of these matches are not.
    pub exclude: Vec<Pattern>,
    /// The addresses that the owner is invited by.
    pub me: Vec<String>,
    /// Show what the owner has declined, too.
    pub show_declined: bool,
}

/// Why an event is not shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Hidden<'f> {
    /// STATUS:CANCELLED.
    Cancelled,
    /// X-OUTLOOK-DELETED:TRUE.
    Deleted,
    /// X-MICROSOFT-CDO-BUSYSTATUS:FREE.
    Free,
    /// TRANSP:TRANSPARENT, without a STATUS that says that it is to be seen.
    Transparent,
    /// This pattern of `exclude` matches.
    Excluded(&'f Pattern),
    /// There are patterns in `include`, and none of them matches.
    NotIncluded,
    /// This address of the owner has declined.
    Declined(&'f str),
}

impl Filter {
    /// Why an event with these details is not shown; `None` when it is.
    pub fn hides(&self, details: &Details) -> Option<Hidden<'_>> {
        if let Some(hidden) = selection::hidden(details) {
            return Some(hidden);
        }
        if let Some(me) = self.declined(&details.attendees) {
            return Some(Hidden::Declined(me));
        }
        if self.include.is_empty() && self.exclude.is_empty() {
            return None;
        }
        let title = folded(&details.summary);
        let matches = |pattern: &&Pattern| pattern.matches(&title);
        match self.exclude.iter().find(matches) {
            Some(pattern) => Some(Hidden::Excluded(pattern)),
            None if self.include.is_empty() || self.include.iter().any(|p| matches(&p)) => None,
            None => Some(Hidden::NotIncluded),
        }
    }

    fn declined(&self, attendees: &[Person]) -> Option<&str> {
        let declines = |me: &&String| {
            let mut mine =
                attendees.iter().filter(|person| person.address.eq_ignore_ascii_case(me));
            mine.any(|person| person.participation == "DECLINED")
        };
        let me = self.me.iter().filter(|_| !self.show_declined).find(declines)?;
        Some(me)
    }
}

impl fmt::Display for Hidden<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Hidden::Cancelled => "it is cancelled (STATUS)",
            Hidden::Deleted => "it is deleted (X-OUTLOOK-DELETED)",
            Hidden::Free => "it is marked as free (X-MICROSOFT-CDO-BUSYSTATUS)",
            Hidden::Transparent => "it blocks no time (TRANSP), and no STATUS says to show it",
            Hidden::Excluded(pattern) => {
                return write!(f, "`exclude` has the pattern \"{pattern}\"");
            }
            Hidden::NotIncluded => "no pattern of `include` matches its title",
            Hidden::Declined(me) => return write!(f, "{me} has declined it (`show_declined`)"),
        })
    }
}

/// A text that stands anywhere in a title, whatever its case and spacing. `^` in front and `$`
/// behind tie it to the title's beginning and end, and `*` stands for anything.
///
/// Held as what must match the whole title, folded: `^Lunch` is `lunch*`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pattern(String);

impl Pattern {
    /// Reads a pattern.
    ///
    /// # Errors
    /// What is wrong with it, in words.
    pub fn new(text: &str) -> Result<Self, &'static str> {
        // Taken literally they would match nothing, and nobody would know.
        if [r"\", "|", ".*", ".+"].iter().any(|foreign| text.contains(foreign)) {
            return Err("it looks like a regular expression; in a pattern `*` alone stands for \
                        anything, and each alternative is a pattern of its own");
        }
        let (start, text) = match text.trim().strip_prefix('^') {
            Some(rest) => ("", rest),
            None => ("*", text),
        };
        let text = text.trim();
        let (text, end) = match text.strip_suffix('$') {
            Some(rest) => (rest, ""),
            None => (text, "*"),
        };
        let text = folded(text);
        if text.chars().all(|c| c == '*' || c == ' ') {
            return Err("it matches every title");
        }
        Ok(Self(format!("{start}{text}{end}")))
    }

    /// True for a title, folded, that it matches. A part that is found is found for good, so the
    /// time is linear in the title, whatever the pattern.
    fn matches(&self, title: &str) -> bool {
        let mut parts = self.0.split('*');
        let Some(rest) = parts.next().and_then(|first| title.strip_prefix(first)) else {
            return false;
        };
        let Some(last) = parts.next_back() else { return rest.is_empty() };
        let Some(mut rest) = rest.strip_suffix(last) else { return false };
        parts.all(|part| match rest.split_once(part) {
            Some((_, after)) => {
                rest = after;
                true
            }
            None => false,
        })
    }
}

impl fmt::Display for Pattern {
    /// As it may be written in the configuration.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (start, rest) = match self.0.strip_prefix('*') {
            Some(rest) => ("", rest),
            None => ("^", self.0.as_str()),
        };
        match rest.strip_suffix('*') {
            Some(text) => write!(f, "{start}{text}"),
            None => write!(f, "{start}{rest}$"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ical::{Busy, Status};

    #[test]
    fn a_pattern_is_a_part_of_the_title() {
        let check = |pattern: &str, title: &str, expected: bool| {
            let pattern = Pattern::new(pattern).unwrap();
            assert_eq!(pattern.matches(&folded(title)), expected, "{pattern}: {title}");
        };
        for (pattern, matching, other) in [
            ("lunch", "Team LUNCH at noon", "Lun ch"),
            ("^Lunch", "lunch with Ada", "Team lunch"),
            ("lunch$", "Team lunch", "Lunch with Ada"),
            ("^lunch$", " Lunch ", "Lunch!"),
            ("focus time", "Focus \u{a0} Time!", "focustime"),
            ("Ü*ÄH", "Für übermorgen: nähen", "ähnliche Übung"),
            ("^a*b*c$", "a b c", "a b cd"),
            ("^ab*ba$", "abba", "aba"),
            ("a*a*a", "banana", "nanan"),
            ("**x**", "x", "y"),
            ("[EXT]", "[ext] Call", "Text"),
            ("1:1 (Ada)", "1:1 (ada)", "1:1 Ada"),
            ("c^d$e", "C^D$E", "cde"),
            ("^ spaced $", "spaced", "not spaced"),
        ] {
            check(pattern, matching, true);
            check(pattern, other, false);
        }
    }

    #[test]
    fn a_pattern_shows_itself() {
        for text in ["lunch", "^lunch", "lunch$", "^lunch$", "a*b"] {
            assert_eq!(Pattern::new(text).unwrap().to_string(), text);
        }
    }

    #[test]
    fn what_means_nothing_is_no_pattern() {
        for text in ["", " ", "^", "$", "^$", "*", "^ * $", "a|b", r"\d", "a.*b", "a.+"] {
            assert!(Pattern::new(text).is_err(), "{text}");
        }
    }

    fn attendee(address: &str, participation: &str) -> Person {
        Person {
            address: address.to_owned(),
            participation: participation.to_owned(),
            ..Person::default()
        }
    }

    #[test]
    fn the_first_reason_to_hide_is_told() {
        let patterns = |texts: &[&str]| texts.iter().map(|t| Pattern::new(t).unwrap()).collect();
        let filter = Filter {
            include: patterns(&["team", "call"]),
            exclude: patterns(&["^lunch"]),
            me: vec!["ann@example.org".to_owned()],
            show_declined: false,
        };
        let titled = |summary: &str| Details { summary: summary.to_owned(), ..Details::default() };
        let invited = |person: Person| Details {
            attendees: vec![attendee("bob@example.org", "DECLINED"), person],
            ..titled("Call")
        };
        let declined = invited(attendee("Ann@Example.org", "DECLINED"));
        for (details, expected) in [
            (titled("Team call"), None),
            (titled("Lunch with the team"), Some(r#"`exclude` has the pattern "^lunch""#)),
            (titled("Dentist"), Some("no pattern of `include` matches its title")),
            (titled(""), Some("no pattern of `include` matches its title")),
            (invited(attendee("ann@example.org", "ACCEPTED")), None),
            (invited(attendee("annie@example.org", "DECLINED")), None),
            (declined.clone(), Some("ann@example.org has declined it (`show_declined`)")),
            (
                Details { status: Status::Cancelled, ..declined.clone() },
                Some("it is cancelled (STATUS)"),
            ),
            (
                Details { busy: Some(Busy::Free), ..titled("Call") },
                Some("it is marked as free (X-MICROSOFT-CDO-BUSYSTATUS)"),
            ),
        ] {
            let found = filter.hides(&details).map(|hidden| hidden.to_string());
            assert_eq!(found.as_deref(), expected, "{details:?}");
        }
        let shown = Filter { show_declined: true, ..filter };
        assert_eq!(shown.hides(&declined), None);
        assert_eq!(Filter::default().hides(&declined), None, "nobody is me");
    }
}

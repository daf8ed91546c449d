//! A text or a regular expression that people look for in titles.

use crate::calendar::regex::{Regex, Work};
use crate::calendar::text::folded;

/// Characters of a pattern.
const PATTERN_CHARS_MAX: usize = 500;
/// Characters of what somebody writes beside a pattern.
const DESCRIPTION_CHARS_MAX: usize = 200;

/// A text or an expression that is looked for in titles.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pattern {
    text: Box<str>,
    description: Box<str>,
    finder: Finder,
    /// It counts.
    pub is_active: bool,
    /// `A` is not `a`.
    pub case_sensitive: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Finder {
    /// The text as it is.
    Exact,
    /// The text, folded.
    Folded(Box<str>),
    Regex(Regex),
}

impl Pattern {
    /// Reads a pattern.
    ///
    /// # Errors
    /// What is wrong with it, in words.
    pub fn new(
        text: &str,
        is_regex: bool,
        case_sensitive: bool,
        description: &str,
    ) -> Result<Self, String> {
        let (text, description) = (text.trim(), description.trim());
        if text.is_empty() {
            return Err("a pattern cannot be empty".to_owned());
        }
        if text.chars().count() > PATTERN_CHARS_MAX {
            return Err(format!("a pattern has at most {PATTERN_CHARS_MAX} characters"));
        }
        if description.chars().count() > DESCRIPTION_CHARS_MAX {
            return Err(format!("a description has at most {DESCRIPTION_CHARS_MAX} characters"));
        }
        let finder = match (is_regex, case_sensitive) {
            (true, _) => Finder::Regex(
                Regex::new(text, !case_sensitive)
                    .map_err(|why| format!("this expression cannot be used: {why}"))?,
            ),
            (false, true) => Finder::Exact,
            (false, false) => Finder::Folded(folded(text).into()),
        };
        let (text, description) = (text.into(), description.into());
        Ok(Self { text, description, finder, is_active: true, case_sensitive })
    }

    /// As it was written.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// What somebody has written beside it.
    pub fn description(&self) -> &str {
        &self.description
    }

    /// True for an expression.
    pub fn is_regex(&self) -> bool {
        matches!(self.finder, Finder::Regex(_))
    }

    /// True for a pattern that means the same as this text, whether or not it is active. Only of a
    /// text that is looked for in any case does the case not matter: `\d` is not `\D`.
    pub fn is_same(&self, text: &str, is_regex: bool, case_sensitive: bool) -> bool {
        let is_alike = match &self.finder {
            Finder::Folded(own) => **own == *folded(text),
            Finder::Exact | Finder::Regex(_) => *self.text == *text,
        };
        is_alike && self.is_regex() == is_regex && self.case_sensitive == case_sensitive
    }

    pub(super) fn matches(&self, title: &str, title_folded: &str, work: &mut Work) -> bool {
        // Searching for a text is linear, too, and one step of it much faster.
        work.steps += 1 + title.len() / 16;
        match &self.finder {
            Finder::Exact => title.contains(&*self.text),
            Finder::Folded(text) => title_folded.contains(&**text),
            Finder::Regex(regex) => regex.is_match(title, work),
        }
    }

    pub(super) fn weight_bytes(&self) -> usize {
        let finder = match &self.finder {
            Finder::Exact => 0,
            Finder::Folded(text) => text.len(),
            Finder::Regex(regex) => regex.heap_bytes(),
        };
        size_of::<Self>() + self.text.len() + self.description.len() + finder
    }
}

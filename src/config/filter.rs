//! What a feed's owner wants to see of it: patterns, and the addresses that are theirs.

use crate::calendar::filter::{Filter, Pattern};

use super::given::quoted;

/// Patterns of one list: people write a handful, and each is tried on every title.
const PATTERNS_MAX: usize = 16;
const PATTERN_CHARS_MAX: usize = 64;
/// Addresses of one list.
const ADDRESSES_MAX: usize = 8;
/// RFC 5321 section 4.5.3.1.3: a path of 256 bytes, without its brackets.
const ADDRESS_BYTES_MAX: usize = 254;

/// What a list of patterns may hold, in words.
pub(super) fn allowed_patterns() -> String {
    format!(
        "an array of at most {PATTERNS_MAX} texts of 1 to {PATTERN_CHARS_MAX} characters; `^` and \
         `$` stand for a title's beginning and end, `*` for anything"
    )
}

/// What a list of addresses may hold, in words.
pub(super) fn allowed_addresses() -> String {
    format!("at most {ADDRESSES_MAX} addresses, like alice@example.com")
}

/// What the keys of one feed say, before it is known to make sense.
#[derive(Default)]
pub(super) struct FilterDraft {
    pub(super) include: Vec<String>,
    pub(super) exclude: Vec<String>,
    pub(super) me: Vec<String>,
    pub(super) show_declined: bool,
}

/// The texts of a list of patterns, which [`FilterDraft::finish`] looks into: by then the feed has
/// a name that a complaint can tell.
pub(super) fn patterns(texts: &[&str]) -> Option<Vec<String>> {
    let fits = |text: &&str| (1..=PATTERN_CHARS_MAX).contains(&text.chars().count());
    let fit = texts.len() <= PATTERNS_MAX && texts.iter().all(fits);
    fit.then(|| texts.iter().map(|&text| text.to_owned()).collect())
}

/// The addresses of a list, in lower case.
pub(super) fn addresses(texts: &[&str]) -> Option<Vec<String>> {
    let fit = texts.len() <= ADDRESSES_MAX && texts.iter().all(|text| is_address(text));
    fit.then(|| texts.iter().map(|text| text.to_ascii_lowercase()).collect())
}

fn is_address(text: &str) -> bool {
    let sides = text.rsplit_once('@').is_some_and(|(name, host)| {
        !name.is_empty() && !host.is_empty() && !name.starts_with("mailto:")
    });
    sides
        && text.len() <= ADDRESS_BYTES_MAX
        && !text.contains(|c: char| c.is_control() || c.is_whitespace())
}

impl FilterDraft {
    /// The filter; what is wrong goes to `wrong`. `me` are the addresses of all feeds.
    pub(super) fn finish(&self, me: &[String], wrong: &mut Vec<String>) -> Filter {
        let mut read = |key: &str, texts: &[String]| {
            let pattern = |text: &String| {
                let complain =
                    |why| wrong.push(format!("has {} in its `{key}`; {why}", quoted(text)));
                Pattern::new(text).map_err(complain).ok()
            };
            texts.iter().filter_map(pattern).collect()
        };
        let (include, exclude) = (read("include", &self.include), read("exclude", &self.exclude));
        let me = self.me.iter().chain(me).cloned().collect();
        Filter { include, exclude, me, show_declined: self.show_declined }
    }
}

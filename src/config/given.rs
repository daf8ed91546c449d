//! A value as a person wrote it, in whichever source, and what can be read out of it.
//!
//! A reading that fails is `None`: what is allowed instead is known to the key, not here.

use std::net::{IpAddr, Ipv4Addr};
use std::path::Path;
use std::time::Duration;

use jiff::SignedDuration;
use toml::de::DeValue;

use crate::secret::HIDDEN;

/// A value that was given for a key.
pub(super) enum Given<'a> {
    /// An environment variable, an option or a default: text, whatever the key's type.
    Text(&'a str),
    /// A value of the file, and the folder that its relative paths start from.
    Toml(&'a DeValue<'a>, &'a Path),
}

impl<'a> Given<'a> {
    /// A text; numbers and dates of the file are not texts.
    pub(super) fn text(&self) -> Option<&'a str> {
        match self {
            Given::Text(text) => Some(text),
            Given::Toml(value, _) => value.as_str(),
        }
    }

    /// True or false; the environment has more words for it than TOML.
    pub(super) fn switch(&self) -> Option<bool> {
        match self {
            Given::Toml(value, _) => value.as_bool(),
            Given::Text(text) => match text.trim().to_ascii_lowercase().as_str() {
                "true" | "yes" | "on" | "1" => Some(true),
                "false" | "no" | "off" | "0" => Some(false),
                _ => None,
            },
        }
    }

    /// A whole number. In the file it must be written as one.
    pub(super) fn whole(&self) -> Option<u64> {
        match self {
            Given::Text(text) => digits(text.trim()),
            Given::Toml(DeValue::Integer(number), _) => {
                u64::from_str_radix(number.as_str(), number.radix()).ok()
            }
            Given::Toml(..) => None,
        }
    }

    /// A number of bytes: bare, or a text with a unit.
    pub(super) fn bytes(&self) -> Option<u64> {
        self.whole().or_else(|| bytes(self.text()?))
    }

    /// A length of time: bare seconds, or a text with units.
    pub(super) fn span(&self) -> Option<Duration> {
        let seconds = self.whole().map(Duration::from_secs);
        seconds.or_else(|| span(self.text()?))
    }

    /// Texts: an array in the file, separated by commas elsewhere.
    pub(super) fn list(&self) -> Option<Vec<&'a str>> {
        match self {
            Given::Text(text) => Some(text.split(',').map(str::trim).collect()),
            Given::Toml(value, _) => {
                value.as_array()?.iter().map(|item| item.get_ref().as_str()).collect()
            }
        }
    }

    /// Named texts: a table in the file, and nothing elsewhere.
    pub(super) fn pairs(&self) -> Option<Vec<(&'a str, &'a str)>> {
        let Given::Toml(value, _) = self else { return None };
        let table = value.as_table()?.iter();
        table
            .map(|(name, text)| Some((name.get_ref().as_ref(), text.get_ref().as_str()?)))
            .collect()
    }

    /// Where a relative path starts: the file's folder, or wherever the program was started.
    pub(super) fn folder(&self) -> &'a Path {
        match self {
            Given::Toml(_, folder) => folder,
            Given::Text(_) => Path::new(""),
        }
    }

    /// The value for a message; text in quotes, so that its type is seen too.
    pub(super) fn shown(&self) -> String {
        match self {
            Given::Text(text) => quoted(text),
            Given::Toml(DeValue::String(text), _) => quoted(text),
            Given::Toml(DeValue::Integer(number), _) => safe(number.as_str()),
            Given::Toml(DeValue::Float(number), _) => safe(number.as_str()),
            Given::Toml(DeValue::Boolean(on), _) => on.to_string(),
            Given::Toml(DeValue::Datetime(_), _) => "a date".into(),
            Given::Toml(DeValue::Array(_), _) => "an array".into(),
            Given::Toml(DeValue::Table(_), _) => "a table".into(),
        }
    }
}

/// Text fit for a message: short, free of control characters, and hidden where it looks like an
/// address or an account that landed in the wrong place.
pub(super) fn safe(text: &str) -> String {
    const SHOWN_MAX: usize = 80;
    let secret = ["://", "@", "?", ".ics"].iter().any(|mark| text.contains(mark));
    if secret || text.chars().count() > SHOWN_MAX {
        return HIDDEN.into();
    }
    text.chars().map(|c| if plain(c) { c } else { '\u{fffd}' }).collect()
}

/// The same in quotes.
pub(super) fn quoted(text: &str) -> String {
    match safe(text) {
        hidden if hidden == HIDDEN => hidden,
        safe => format!("\"{safe}\""),
    }
}

/// A path for a message, whatever its length, unless it is an address.
pub(super) fn path(path: &Path) -> String {
    let text = path.to_string_lossy();
    if text.contains("://") { HIDDEN.into() } else { text.into_owned() }
}

/// No control character, and none that turns the direction of what follows it on a screen.
pub(super) fn plain(c: char) -> bool {
    !c.is_control()
        && !matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// An address to listen on; `localhost` and `[::1]` are read too.
pub(super) fn host(text: &str) -> Option<IpAddr> {
    let bare = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(text);
    match bare {
        "localhost" => Some(IpAddr::V4(Ipv4Addr::LOCALHOST)),
        _ => bare.parse().ok(),
    }
}

/// A log level; the names that Python's logging has for them are read too.
pub(super) fn level(text: &str) -> Option<log::LevelFilter> {
    match text.to_ascii_lowercase().as_str() {
        "warning" => Some(log::LevelFilter::Warn),
        "critical" => Some(log::LevelFilter::Error),
        name => name.parse().ok(),
    }
}

/// The known name that was most likely meant, if any is near enough to be worth a guess.
pub(super) fn nearest<'a>(
    wrong: &str,
    known: impl IntoIterator<Item = &'a str>,
) -> Option<&'a str> {
    const COMPARED_MAX: usize = 64;
    let wrong: Vec<char> = wrong.to_lowercase().chars().take(COMPARED_MAX).collect();
    let near = known.into_iter().map(|name| (edits(&wrong, name), name));
    let (edits, name) = near.min_by_key(|(edits, _)| *edits)?;
    (edits <= 1 + wrong.len() / 4 && edits < wrong.len()).then_some(name)
}

/// How many letters must be added, removed, changed or swapped with their neighbour to make
/// `right` of `wrong`: the optimal string alignment distance, in three rows.
fn edits(wrong: &[char], right: &str) -> usize {
    let right: Vec<char> = right.to_lowercase().chars().collect();
    let mut before = vec![0; right.len() + 1];
    let mut above: Vec<usize> = (0..=right.len()).collect();
    for i in 1..=wrong.len() {
        let mut row = vec![i; right.len() + 1];
        for j in 1..=right.len() {
            let changed = above[j - 1] + usize::from(wrong[i - 1] != right[j - 1]);
            row[j] = changed.min(above[j] + 1).min(row[j - 1] + 1);
            if i > 1 && j > 1 && wrong[i - 1] == right[j - 2] && wrong[i - 2] == right[j - 1] {
                row[j] = row[j].min(before[j - 2] + 1);
            }
        }
        before = std::mem::replace(&mut above, row);
    }
    above[right.len()]
}

fn digits(text: &str) -> Option<u64> {
    // `parse` alone would take a plus sign.
    text.bytes().all(|b| b.is_ascii_digit()).then(|| text.parse().ok())?
}

fn bytes(text: &str) -> Option<u64> {
    let text = text.trim();
    let (number, unit) = text.split_at(text.find(|c: char| !c.is_ascii_digit())?);
    let scale = match unit.trim_start().to_ascii_lowercase().as_str() {
        "b" => 1,
        "kb" => 1000,
        "mb" => 1000 * 1000,
        "gb" => 1000 * 1000 * 1000,
        "k" | "kib" => 1 << 10,
        "m" | "mib" => 1 << 20,
        "g" | "gib" => 1 << 30,
        _ => return None,
    };
    digits(number)?.checked_mul(scale)
}

fn span(text: &str) -> Option<Duration> {
    let span: SignedDuration = text.trim().parse().ok()?;
    span.try_into().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_and_spans_have_units() {
        let size = |text| Given::Text(text).bytes();
        assert_eq!(size("8388608"), Some(8 << 20));
        assert_eq!(size("16MiB"), Some(16 << 20));
        assert_eq!(size("24 MB"), Some(24_000_000));
        assert_eq!(size("1g"), Some(1 << 30));
        for wrong in ["", "MiB", "1.5MiB", "-1", "+1", "16 mebi", "99999999999999999999 GiB"] {
            assert_eq!(size(wrong), None, "{wrong}");
        }
        let span = |text| Given::Text(text).span().map(|span| span.as_secs());
        assert_eq!(span("300"), Some(300));
        assert_eq!(span("5m"), Some(300));
        assert_eq!(span("1h 30m"), Some(5400));
        assert_eq!(span("PT1H"), Some(3600));
        for wrong in ["", "-5m", "+5", "5 fortnights", "1mo", "m"] {
            assert_eq!(span(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn a_guess_is_made_only_when_it_is_near() {
        let guess = |wrong| nearest(wrong, ["port", "host", "interval", "past_days"]);
        assert_eq!(guess("prot"), Some("port"));
        assert_eq!(guess("intervall"), Some("interval"));
        assert_eq!(guess("Past-Days"), Some("past_days"));
        assert_eq!(guess("x"), None);
        assert_eq!(guess("colour"), None);
        assert_eq!(guess(&"p".repeat(100_000)), None);
    }

    #[test]
    fn what_looks_like_an_address_is_not_shown() {
        assert_eq!(safe("Europe/Berlin"), "Europe/Berlin");
        for secret in ["https://h/p", "me@example.com", "h/x.ics", "h/x?token=1", &"a".repeat(99)] {
            assert_eq!(safe(secret), HIDDEN);
        }
        assert_eq!(quoted("a\u{1b}\u{202e}b"), "\"a\u{fffd}\u{fffd}b\"");
    }
}

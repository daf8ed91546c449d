//! What a key is: its names, the sort of value it takes, and what is said of a wrong one.

use std::fmt::Write;
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::budget::show_bytes;
use crate::http::peer::Network;
use crate::secret::{HIDDEN, Secret};
use crate::tzdb::tzdb;

use super::given::{self, Given, nearest, quoted, safe};
use super::sources::{Origin, Value, note};

/// Names of one list.
const NAMES_MAX: usize = 16;
/// Header fields of one feed.
pub(super) const HEADERS_MAX: usize = 16;
/// More than any URL or token needs; it also bounds what is read from a secret's file.
pub(super) const SECRET_BYTES_MAX: usize = 4096;

/// One thing that can be configured, in a target of type `T`.
pub(super) struct Key<T> {
    /// In the file; empty when it has no place there.
    pub(super) name: &'static str,
    /// Environment variables, the preferred one first.
    pub(super) env: &'static [&'static str],
    /// The long option, without its dashes; empty when there is none.
    pub(super) option: &'static str,
    /// What it may hold, and where that goes.
    pub(super) kind: Kind<T>,
    /// What holds when nothing is given.
    pub(super) default: Preset,
    /// What it is for.
    pub(super) help: &'static str,
}

/// What holds when nothing is given.
pub(super) enum Preset {
    /// This value, in the words of the file.
    Is(&'static str),
    /// Something found at start, or nothing: said in words.
    Says(&'static str),
}

/// The sorts of value, each with its bounds and with the place that takes it.
pub(super) enum Kind<T> {
    Switch(fn(&mut T, bool)),
    Days(RangeInclusive<u16>, fn(&mut T, u16)),
    Port(fn(&mut T, u16)),
    Bytes(RangeInclusive<usize>, fn(&mut T, usize)),
    /// Bounds in seconds.
    Span(RangeInclusive<u64>, fn(&mut T, Duration)),
    /// A text with a form of its own: what is allowed in words, and what reads it.
    Text(&'static str, fn(&mut T, &str) -> Option<()>),
    /// The same for a list of texts.
    Texts(fn() -> String, fn(&mut T, &[&str]) -> Option<()>),
    Zone(fn(&mut T, String)),
    Path(fn(&mut T, PathBuf)),
    Names(fn(&mut T, Vec<String>)),
    Networks(fn(&mut T, Vec<Network>)),
    /// A whole number within bounds.
    Count(RangeInclusive<u32>, fn(&mut T, u32)),
    Secret(&'static str, fn(&mut T, Secret)),
    Headers(fn(&mut T, Vec<(String, Secret)>)),
}

impl<T> Key<T> {
    /// Puts `given` into `target` and a note of it into `noted`, or says in a sentence what is
    /// wrong with it.
    pub(super) fn store(
        &self,
        target: &mut T,
        given: &Given,
        origin: impl FnOnce() -> Origin,
        noted: &mut Vec<Value>,
    ) -> Result<(), String> {
        if self.kind.store(target, given).is_some() {
            note(noted, self.title(), self.shown(given), origin().source());
            return Ok(());
        }
        // Where the name of a scheme belongs people write the whole login.
        let is_hidden = self.is_secret() || self.name == "auth";
        let found = if is_hidden { HIDDEN.into() } else { given.shown() };
        let guess = match (&self.kind, given.text()) {
            (Kind::Zone(_), Some(text)) => nearest_zone(text),
            _ => String::new(),
        };
        let (subject, allowed) = (origin().subject(), self.kind.allowed());
        Err(format!("{subject} is {found}; allowed: {allowed}{guess}"))
    }

    /// A value that was taken, for people; nothing of one that is secret.
    fn shown(&self, given: &Given) -> String {
        let is_path = matches!(self.kind, Kind::Path(_));
        match (given, given.text(), given.list()) {
            _ if self.is_secret() => HIDDEN.into(),
            (_, Some(text), _) if is_path => format!("\"{}\"", given::path(Path::new(text))),
            // Outside the file everything is text.
            (Given::Text(text), ..) if self.is_bare() => safe(text.trim()),
            (Given::Toml(..), None, Some(items)) => {
                let items: Vec<_> = items.into_iter().map(quoted).collect();
                format!("[{}]", items.join(", "))
            }
            _ => given.shown(),
        }
    }

    /// Puts its default into `target`, if the table has one.
    pub(super) fn set_default(&self, target: &mut T) {
        if let Preset::Is(text) = self.default {
            let stored = self.kind.store(target, &Given::Text(text));
            debug_assert!(stored.is_some(), "the default of {} is not allowed", self.name);
        }
    }

    /// True for its name in the file and for its variables.
    pub(super) fn goes_by(&self, name: &str) -> bool {
        !name.is_empty() && (self.name == name || self.env.contains(&name))
    }

    /// Its name in the file, or the variable that it has instead.
    pub(super) fn title(&self) -> &'static str {
        if self.name.is_empty() { self.env.first().unwrap_or(&"") } else { self.name }
    }

    /// All about it but its name, in Markdown that reads well as plain text too.
    pub(super) fn describe(&self) -> String {
        let mut text = format!("{}\n\n", self.help);
        let _ = writeln!(text, "- Allowed: {}", self.kind.allowed());
        let _ = match self.default {
            Preset::Is(value) => writeln!(text, "- Default: `{value}`"),
            Preset::Says(words) => writeln!(text, "- Default: {words}"),
        };
        if !self.env.is_empty() {
            let _ = writeln!(text, "- Environment: `{}`", self.env.join("`, `"));
        }
        if !self.option.is_empty() {
            let _ = writeln!(text, "- Option: `--{}`", self.option);
        }
        text
    }

    /// True when no message may show its value.
    pub(super) fn is_secret(&self) -> bool {
        matches!(self.kind, Kind::Secret(..) | Kind::Headers(_))
    }

    /// True when its value is no text.
    fn is_bare(&self) -> bool {
        matches!(self.kind, Kind::Switch(_) | Kind::Days(..) | Kind::Port(_) | Kind::Count(..))
    }

    /// True when its option stands alone, without a value.
    pub(super) fn is_switch(&self) -> bool {
        matches!(self.kind, Kind::Switch(_))
    }
}

impl<T> Kind<T> {
    fn store(&self, target: &mut T, given: &Given) -> Option<()> {
        match self {
            Kind::Switch(set) => set(target, given.switch()?),
            Kind::Days(range, set) => {
                let days = u16::try_from(given.whole()?).ok()?;
                set(target, range.contains(&days).then_some(days)?);
            }
            Kind::Port(set) => set(target, given.whole()?.try_into().ok()?),
            Kind::Bytes(range, set) => {
                let bytes = usize::try_from(given.bytes()?).ok()?;
                set(target, range.contains(&bytes).then_some(bytes)?);
            }
            Kind::Span(range, set) => {
                let span = given.span()?;
                let (least, most) = (*range.start(), *range.end());
                let bounds = Duration::from_secs(least)..=Duration::from_secs(most);
                set(target, bounds.contains(&span).then_some(span)?);
            }
            Kind::Text(_, read) => return read(target, given.text()?),
            Kind::Texts(_, read) => return read(target, &given.list()?),
            Kind::Zone(set) => {
                // The database finds a name in any case; its own spelling is kept.
                let zone = tzdb().get(given.text()?)?;
                set(target, zone.iana_name()?.to_owned());
            }
            Kind::Path(set) => {
                let text = given.text()?;
                let fits = !text.is_empty() && !text.starts_with('~') && !text.contains("://");
                set(target, fits.then(|| given.folder().join(text))?);
            }
            Kind::Names(set) => {
                let names = given.list()?;
                let fit = names.len() <= NAMES_MAX && names.iter().all(|name| is_host_name(name));
                fit.then(|| set(target, names.iter().map(|n| n.to_ascii_lowercase()).collect()))?;
            }
            Kind::Networks(set) => {
                let networks: Option<Vec<_>> =
                    given.list()?.into_iter().map(Network::parse).collect();
                set(target, networks.filter(|networks| networks.len() <= NAMES_MAX)?);
            }
            Kind::Count(range, set) => {
                let count = u32::try_from(given.whole()?).ok()?;
                set(target, range.contains(&count).then_some(count)?);
            }
            Kind::Secret(_, set) => set(target, secret(given.text()?)?),
            Kind::Headers(set) => set(target, headers(given.pairs()?)?),
        }
        Some(())
    }

    /// What it may hold, in words.
    pub(super) fn allowed(&self) -> String {
        match self {
            Kind::Switch(_) => "true or false".into(),
            Kind::Days(range, _) => {
                format!("a whole number of days, {} to {}", range.start(), range.end())
            }
            Kind::Port(_) => format!("a whole number, 0 to {}", u16::MAX),
            Kind::Bytes(range, _) => format!(
                "a size from {} to {}, like 16MiB, 24MB or 8388608",
                show_bytes(*range.start()),
                show_bytes(*range.end())
            ),
            Kind::Span(range, _) => format!(
                "a time from {} to {}, like 90 (seconds), 5m or 1h",
                show_span(*range.start()),
                show_span(*range.end())
            ),
            Kind::Texts(allowed, _) => allowed(),
            Kind::Text(allowed, _) | Kind::Secret(allowed, _) => (*allowed).into(),
            Kind::Zone(_) => "an IANA time zone, like Europe/Berlin".into(),
            Kind::Path(_) => "a path, without the ~ that only a shell expands".into(),
            Kind::Names(_) => format!("at most {NAMES_MAX} host names, without port"),
            Kind::Networks(_) => {
                format!("at most {NAMES_MAX} addresses or networks, like 192.168.1.7 or 10.0.0.0/8")
            }
            Kind::Count(range, _) => {
                format!("a whole number, {} to {}", range.start(), range.end())
            }
            Kind::Headers(_) => format!(
                "a table of at most {HEADERS_MAX} texts, X-Name = \"value\", that the HTTP client \
                 does not set itself"
            ),
        }
    }
}

/// A secret that can be sent in one line of a request.
pub(super) fn secret(text: &str) -> Option<Secret> {
    let fits = (1..=SECRET_BYTES_MAX).contains(&text.len()) && !text.chars().any(char::is_control);
    fits.then(|| Secret::new(text))
}

/// `5m`, `24h`: whole seconds as people write them.
pub(super) fn show_span(seconds: u64) -> String {
    match seconds {
        s if s % 3600 == 0 => format!("{}h", s / 3600),
        s if s % 60 == 0 => format!("{}m", s / 60),
        s => format!("{s}s"),
    }
}

/// Header fields that are ours to send: of the connection, of the message's framing, and of
/// conditional requests. `Authorization` has keys of its own.
const RESERVED_HEADERS: &[&str] = &[
    "accept-encoding",
    "authorization",
    "connection",
    "content-length",
    "expect",
    "host",
    "if-match",
    "if-modified-since",
    "if-none-match",
    "if-range",
    "if-unmodified-since",
    "keep-alive",
    "range",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "user-agent",
];

pub(super) fn headers(pairs: Vec<(&str, &str)>) -> Option<Vec<(String, Secret)>> {
    // RFC 9110 section 5.6.2: the characters of a token.
    let token = |b: u8| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b);
    let field = |(name, value): (&str, &str)| {
        let lower = name.to_ascii_lowercase();
        let free = !RESERVED_HEADERS.contains(&lower.as_str());
        let named = (1..=64).contains(&name.len()) && name.bytes().all(token);
        if free && named { Some((name.to_owned(), secret(value)?)) } else { None }
    };
    if pairs.len() > HEADERS_MAX {
        return None;
    }
    pairs.into_iter().map(field).collect()
}

fn is_host_name(name: &str) -> bool {
    let label = |label: &str| {
        (1..=63).contains(&label.len())
            && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
    };
    name.len() <= 253 && name.split('.').all(label)
}

fn nearest_zone(wrong: &str) -> String {
    let names: Vec<String> = tzdb().names().collect();
    match nearest(wrong, names.iter().map(String::as_str)) {
        Some(name) => format!("; did you mean {}?", quoted(name)),
        None => String::new(),
    }
}

//! Variables: of the process's environment, and of the `.env` file beside the configuration.
//!
//! An environment is shared with other programs, so an unknown name in it is a warning and not
//! an error. A variable that is set to nothing counts as not set.

use std::collections::BTreeMap;
use std::path::PathBuf;

use super::Problems;
use super::feed_keys::FEED_KEYS;
use super::given::{Given, nearest, safe};
use super::key::Key;
use super::keys::KEYS;
use super::sources::{Origin, Value};

/// Variables of systemd, of the desktop and of terminals that defaults come from.
const SYSTEM: &[&str] = &[
    "HOME",
    "XDG_CONFIG_HOME",
    "XDG_DATA_HOME",
    "STATE_DIRECTORY",
    "RUNTIME_DIRECTORY",
    "XDG_RUNTIME_DIR",
    "CREDENTIALS_DIRECTORY",
    "NO_COLOR",
];
/// Unknown names that are warned of; an environment can hold any number.
const WARNINGS_MAX: usize = 20;

/// True for a variable that the configuration depends on, or that somebody can have meant so.
pub(super) fn matters(name: &str) -> bool {
    SYSTEM.contains(&name) || is_ours(name)
}

/// The variables of one source.
pub(super) struct Variables {
    /// The `.env` file; `None` is the process's environment.
    file: Option<PathBuf>,
    /// Values by name, each with its line.
    values: BTreeMap<String, (usize, String)>,
}

impl Variables {
    pub(super) fn from_process(env: &BTreeMap<String, String>) -> Self {
        let values = env.iter().map(|(name, value)| (name.clone(), (0, value.clone())));
        Self { file: None, values: values.filter(is_set).collect() }
    }

    /// Reads lines of the form `NAME=value`, perhaps after `export`, perhaps in quotes. Nothing
    /// is expanded, and nothing is escaped.
    pub(super) fn from_file(path: PathBuf, text: &str, problems: &mut Problems) -> Self {
        let mut values = BTreeMap::new();
        for (number, line) in (1..).zip(text.lines()) {
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let line = line.strip_prefix("export ").unwrap_or(line);
            let pair = line.split_once('=').map(|(name, value)| (name.trim(), value.trim()));
            let problem = match pair.filter(|(name, _)| is_variable(name)) {
                None => "is not of the form NAME=value".into(),
                Some((name, value)) => match (unquote(value), values.get(name)) {
                    (None, _) => format!("the quotes of {name} do not match"),
                    (_, Some((first, _))) => format!("{name} is already set in line {first}"),
                    (Some(_), _) if name == "CALENDARBOT_CONFIG" => {
                        format!("{name} comes too late here: this file was found beside it")
                    }
                    (Some(value), None) => {
                        values.insert(name.to_owned(), (number, value.to_owned()));
                        continue;
                    }
                },
            };
            problems.push(format!("{}:{number}: {problem}", path.display()));
        }
        Self { file: Some(path), values: values.into_iter().filter(is_set).collect() }
    }

    /// Puts what is set for `keys` into `target`, and notes it.
    pub(super) fn apply<T>(
        &self,
        keys: &[Key<T>],
        target: &mut T,
        noted: &mut Vec<Value>,
        problems: &mut Problems,
    ) {
        for key in keys {
            let mut set =
                key.env.iter().filter_map(|name| Some((*name, &self.values.get(*name)?.1)));
            let Some((name, value)) = set.next() else { continue };
            let other = set.find(|(_, other)| *other != value);
            if let Some((other, _)) = other {
                problems.push(format!("{} and {other} differ; set one", self.place(name)));
            } else if value.contains('\u{fffd}') {
                problems.push(format!("{} is not UTF-8", self.place(name)));
            } else {
                let stored = key.store(target, &Given::Text(value), || self.origin(name), noted);
                problems.extend(stored.err());
            }
        }
    }

    /// True when any of these keys is set here.
    pub(super) fn hold_any<T>(&self, keys: &[Key<T>]) -> bool {
        keys.iter().flat_map(|key| key.env).any(|name| self.values.contains_key(*name))
    }

    /// Adds a line to `warnings` for each name that looks like ours and is not.
    pub(super) fn warn_of_strangers(&self, warnings: &mut Vec<String>) {
        let strangers = self.values.keys().filter(|name| is_ours(name) && !is_known(name));
        for name in strangers.take(WARNINGS_MAX) {
            let hint = match nearest(name, known()) {
                Some(known) => format!("; did you mean {known}?"),
                None => String::new(),
            };
            warnings.push(format!("{} is not known{hint}", self.place(name)));
        }
    }

    fn place(&self, name: &str) -> String {
        self.origin(name).subject()
    }

    fn origin(&self, name: &str) -> Origin {
        match (&self.file, self.values.get(name)) {
            (Some(path), Some((line, _))) => {
                Origin::Line { place: format!("{}:{line}", path.display()), name: name.to_owned() }
            }
            _ => Origin::Variable(safe(name)),
        }
    }
}

fn is_set((_, (_, value)): &(String, (usize, String))) -> bool {
    !value.is_empty()
}

fn known() -> impl Iterator<Item = &'static str> {
    let top = KEYS.iter().flat_map(|key| key.env);
    top.chain(FEED_KEYS.iter().flat_map(|key| key.env)).copied()
}

fn is_known(name: &str) -> bool {
    let family = |prefix: &str| prefix.ends_with('_') && name.starts_with(prefix);
    known().any(|known| known == name)
        || WITHOUT_EFFECT.iter().any(|known| *known == name || family(known))
}

fn is_ours(name: &str) -> bool {
    ["CALENDARBOT_", "PHASE_2A_"].iter().any(|prefix| name.starts_with(prefix))
        || known().any(|known| known == name)
}

fn is_variable(name: &str) -> bool {
    !name.is_empty()
        && name.len() <= 128
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
}

/// The value without its quotes and without a comment behind it.
fn unquote(value: &str) -> Option<&str> {
    let Some(quote) = value.chars().next().filter(|c| ['"', '\''].contains(c)) else {
        let comment = value.find(" #").or(value.starts_with('#').then_some(0));
        return Some(value[..comment.unwrap_or(value.len())].trim_end());
    };
    let (inner, after) = value[1..].split_once(quote)?;
    let after = after.trim_start();
    (after.is_empty() || after.starts_with('#')).then_some(inner)
}

/// Variables of earlier programs that are known and do nothing here; a name that ends in an
/// underscore stands for all that begin with it.
pub(super) static WITHOUT_EFFECT: &[&str] = &["CALENDARBOT_RATE_LIMIT_"];

//! Where the values of a configuration are from, for people; and the sources themselves, to be
//! read again while the program runs.

use std::fmt;
use std::sync::Arc;

use crate::budget::show_bytes;
use crate::error::Result;
use crate::hash::fnv1a;

use super::feed_keys::FEED_KEYS;
use super::health_keys::HEALTH_KEYS;
use super::key::{Key, Preset};
use super::keys::KEYS;
use super::{Arguments, Config, Inputs, load_with};

/// Where a value was given.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Origin {
    /// In a file: `c.toml:7`, and the name that stands there.
    Line { place: String, name: String },
    /// In the environment, by this name.
    Variable(String),
    /// On the command line, by this option.
    Option(&'static str),
}

impl Origin {
    /// What a problem is about.
    pub(super) fn subject(&self) -> String {
        match self {
            Origin::Line { place, name } => format!("{place}: {name}"),
            Origin::Variable(name) => name.clone(),
            Origin::Option(name) => format!("--{name}"),
        }
    }

    /// Which source it is.
    pub(super) fn source(&self) -> String {
        match self {
            Origin::Line { place, .. } => place.clone(),
            Origin::Variable(name) => format!("environment, {name}"),
            Origin::Option(name) => format!("command line, --{name}"),
        }
    }
}

const DEFAULT: &str = "default";

/// What holds for one key, for people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Value {
    /// Its name in the file, or the variable that it has instead.
    pub name: &'static str,
    /// The value as it was given, or what stands in the place of a secret.
    pub shown: String,
    /// `default`, a file with the line, the environment or the command line.
    pub source: String,
}

/// Remembers that a value was given; the last word counts.
pub(super) fn note(noted: &mut Vec<Value>, name: &'static str, shown: String, source: String) {
    let value = Value { name, shown, source };
    match noted.iter_mut().find(|value| value.name == name) {
        Some(old) => *old = value,
        None => noted.push(value),
    }
}

/// What was given in all sources.
#[derive(Debug, Default)]
pub(super) struct AllGiven {
    pub(super) program: Vec<Value>,
    /// By the name of the feed.
    pub(super) feeds: Vec<(String, Vec<Value>)>,
}

/// What a configuration was read from.
#[derive(Clone)]
pub struct Sources(Arc<Read>);

struct Read {
    arguments: Arguments,
    inputs: Inputs,
    /// Of the text of the configuration file.
    text_hash: Option<u64>,
    given: AllGiven,
}

/// The environment may hold secrets.
impl fmt::Debug for Sources {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Sources")
    }
}

/// Two configurations that say the same are the same, wherever they are from.
impl PartialEq for Sources {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Sources {
    pub(super) fn new(
        arguments: &Arguments,
        inputs: &Inputs,
        text: Option<&str>,
        given: AllGiven,
    ) -> Self {
        let (arguments, inputs) = (arguments.clone(), inputs.clone());
        let text_hash = text.map(|text| fnv1a(text.as_bytes()));
        Self(Arc::new(Read { arguments, inputs, text_hash, given }))
    }

    /// What was given for a key of the whole program.
    pub fn given(&self, name: &str) -> Option<&Value> {
        self.0.given.program.iter().find(|value| value.name == name)
    }

    pub(super) fn inputs(&self) -> &Inputs {
        &self.0.inputs
    }

    /// True when the configuration file that was read held this text.
    pub fn held(&self, text: &str) -> bool {
        self.0.text_hash == Some(fnv1a(text.as_bytes()))
    }
}

impl Config {
    /// All sources, read once more, with this text in the place of what the configuration file
    /// holds.
    ///
    /// # Errors
    /// As of [`super::load`].
    pub fn with_text(&self, text: &str) -> Result<Self> {
        let Read { arguments, inputs, .. } = &*self.sources.0;
        load_with(arguments, inputs, self.place().map(|path| (path, text.to_owned())))
    }

    /// What holds for the whole program, in the order of the table of keys.
    pub fn values(&self) -> Vec<Value> {
        let given = &self.sources.0.given.program;
        let mut values = values(KEYS, given);
        values.extend(self::values(HEALTH_KEYS, given));
        for value in values.iter_mut().filter(|value| value.source == DEFAULT) {
            let Some((shown, by)) = self.found(value.name) else { continue };
            value.shown = shown;
            if let Some(other) = given.iter().find(|other| other.name == by) {
                value.source = other.source.clone();
            }
        }
        values
    }

    /// What holds for each feed, by its name.
    pub fn feed_values(&self) -> impl Iterator<Item = (&str, Vec<Value>)> {
        let feeds = self.sources.0.given.feeds.iter();
        feeds.map(|(name, given)| (name.as_str(), values(FEED_KEYS, given)))
    }

    /// What a key comes to that nobody has set by its own name: the machine says so, or the
    /// variable that is another way to say it.
    fn found(&self, name: &str) -> Option<(String, &'static str)> {
        let found = match name {
            "memory_budget" => (show_bytes(self.memory_budget), "PHASE_2A_MAX_MEMORY_MB"),
            "log_level" => {
                (format!("{:?}", self.log_level.as_str().to_lowercase()), "CALENDARBOT_DEBUG")
            }
            "pipeline.cache_memory" => {
                (show_bytes(self.ceilings.cache_bytes_max?), "CACHE_MEMORY_LIMIT_MB")
            }
            "data_dir" => (format!("\"{}\"", self.data_dir.display()), ""),
            _ => return None,
        };
        Some(found)
    }
}

/// Every key that has a name, and those without that were given.
fn values<T>(keys: &'static [Key<T>], given: &[Value]) -> Vec<Value> {
    let value = |key: &'static Key<T>| {
        let name = key.title();
        if let Some(value) = given.iter().find(|value| value.name == name) {
            return Some(value.clone());
        }
        let shown = match key.default {
            _ if key.name.is_empty() => return None,
            Preset::Is(text) => text.into(),
            Preset::Says(words) => format!("({words})"),
        };
        Some(Value { name, shown, source: DEFAULT.into() })
    };
    keys.iter().filter_map(value).collect()
}

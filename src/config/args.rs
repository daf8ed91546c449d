//! The command line: a command, and options before or after it.

use lexopt::Arg;

use crate::error::{Error, Result};

use super::given::{nearest, quoted, safe};
use super::help::{topic, topics};
use super::key::Key;
use super::keys::KEYS;
use super::{Draft, Inputs};

/// Events that `next` shows when nothing is said.
const COUNT_DEFAULT: usize = 5;

/// What the program is asked to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// Serve the calendars.
    Serve,
    /// Read the configuration and say what is wrong with it.
    Check,
    /// Show how the memory budget is divided.
    Plan,
    /// Show what is next.
    Next {
        /// Of this feed only.
        feed: Option<String>,
        /// How many events, 1 to 100.
        count: usize,
        /// As JSON.
        json: bool,
    },
    /// Say why events are shown as they are.
    Explain {
        /// The feed that they are in.
        feed: String,
        /// A UID or a part of a title; without one, the feed as a whole.
        query: Option<String>,
        /// Private ones, too.
        show_private: bool,
    },
    /// Show the configuration, or bring back another one.
    Config(Action),
    /// Write what is stored of a feed as a calendar.
    Export {
        /// The feed.
        feed: String,
        /// Do not mask what is private.
        show_private: bool,
    },
    /// Ask a running server for its figures.
    Stats {
        /// Where it is, when that is not what is configured.
        url: Option<String>,
        /// Again and again.
        watch: bool,
        /// As JSON.
        json: bool,
    },
    /// Show the help; on one command, key, option or variable where a name is given, which is
    /// then a known one.
    Help(Option<String>),
    /// Show the version.
    Version,
}

/// What is to be done with the configuration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// Show every value and where it is from.
    Show,
    /// The same as [`Command::Check`].
    Check,
    /// List the versions that are kept.
    History,
    /// Write a version of that list back, or the last that has served well.
    Revert(Option<usize>),
}

/// A command line that was understood. The values of its settings are checked by
/// [`super::load`], together with those of every other source.
#[derive(Clone)]
pub struct Arguments {
    /// What to do.
    pub command: Command,
    /// In the background; only for [`Command::Serve`].
    pub daemon: bool,
    pub(super) settings: Vec<(&'static Key<Draft>, String)>,
    pub(super) warnings: Vec<String>,
}

impl Arguments {
    /// The last value given for an option.
    pub(super) fn setting(&self, option: &str) -> Option<&str> {
        let given = self.settings.iter().rfind(|(key, _)| key.option == option);
        given.map(|(_, value)| value.as_str())
    }
}

/// Reads the command line.
///
/// # Errors
/// A usage error (exit 2), with a guess where a word is misspelt.
pub fn parse(inputs: &Inputs) -> Result<Arguments> {
    let mut line = Line::default();
    let mut parser = lexopt::Parser::from_args(inputs.args.iter().cloned());
    loop {
        let option = match parser.next().map_err(usage)? {
            None => return line.finish(),
            Some(Arg::Value(word)) => {
                line.word(&word.to_string_lossy())?;
                continue;
            }
            Some(Arg::Long(name)) => option(name)?,
            Some(Arg::Short(letter)) => letter_option(letter)?,
        };
        let value = match option.value {
            "" => parser.optional_value(),
            _ => Some(parser.value().map_err(usage)?),
        };
        let value = value.map(|value| value.into_string());
        let Ok(value) = value.transpose() else {
            return Err(Error::usage(format!("the value of --{} is not UTF-8", option.name)));
        };
        line.option(option, value)?;
    }
}

/// What can be asked for: the word, what may follow it, and a line of help.
pub(super) const COMMANDS: &[(&str, &str, &str)] = &[
    ("serve", "", "serve the calendars; this is what happens without a command"),
    ("check", "", "check the configuration and say what is wrong with it"),
    ("config", "show | check [FILE] | history | revert [N]", "its values and its past"),
    ("plan", "", "show how the memory budget is divided"),
    ("next", "", "show what is next"),
    ("explain", "FEED [UID or part of a title]", "say why events are shown as they are"),
    ("export", "FEED", "write it as a calendar, cleaned"),
    ("stats", "", "ask the running server for its figures"),
    ("help", "[COMMAND, KEY or VARIABLE]", "show this, or all about one of them"),
];

/// The options that only some commands have.
pub(super) const BELONGING: &[(&str, &[&str])] = &[
    ("feed", &["next"]),
    ("count", &["next"]),
    ("json", &["next", "stats"]),
    ("watch", &["stats"]),
    ("url", &["stats"]),
    ("show-private", &["explain", "export"]),
    ("daemon", &["serve"]),
];

/// An option that is understood.
#[derive(Clone, Copy)]
pub(super) struct Opt {
    pub(super) name: &'static str,
    pub(super) letter: Option<char>,
    /// What stands for its value in the help; empty when it stands alone.
    pub(super) value: &'static str,
    pub(super) help: &'static str,
    does: Does,
}

#[derive(Clone, Copy)]
enum Does {
    Set(&'static Key<Draft>),
    /// The same as `--log-level` with this value.
    Log(&'static str),
    Feed,
    Count,
    Json,
    Watch,
    Url,
    ShowPrivate,
    Daemon,
    Help,
    Version,
    /// Kept for old command lines.
    Nothing,
}

/// The options that are no keys of the configuration.
pub(super) const OPTIONS: &[Opt] = &[
    Opt::new("quiet", Some('q'), "", "the same as --log-level warn", Does::Log("warn")),
    Opt::new("verbose", Some('v'), "", "the same as --log-level debug", Does::Log("debug")),
    Opt::new("feed", None, "NAME", "next: of this feed only", Does::Feed),
    Opt::new("count", Some('n'), "N", "next: how many events, 1 to 100 (default 5)", Does::Count),
    Opt::new("json", None, "", "next, stats: as JSON", Does::Json),
    Opt::new("watch", None, "", "stats: again every two seconds", Does::Watch),
    Opt::new("url", None, "URL", "stats: of the server at http://HOST:PORT", Does::Url),
    Opt::new("show-private", None, "", "explain, export: private events, too", Does::ShowPrivate),
    Opt::new("daemon", None, "", "serve: in the background, once it serves", Does::Daemon),
    Opt::new("help", Some('h'), "", "show this", Does::Help),
    Opt::new("version", Some('V'), "", "show the version", Does::Version),
    Opt::new("web", None, "", "accepted: the same as serve", Does::Nothing),
];

impl Opt {
    const fn new(
        name: &'static str,
        letter: Option<char>,
        value: &'static str,
        help: &'static str,
        does: Does,
    ) -> Self {
        Self { name, letter, value, help, does }
    }

    fn of_key(key: &'static Key<Draft>) -> Self {
        let letter = (key.option == "config").then_some('c');
        let value = match key.option {
            _ if key.is_switch() => "",
            "config" => "FILE",
            "unix-socket" | "pid-file" => "PATH",
            "base-path" => "PREFIX",
            "data-dir" => "DIR",
            "memory-budget" => "SIZE",
            "log-level" => "LEVEL",
            "time-zone" => "ZONE",
            "layout" => "NAME",
            "port" => "N",
            _ => "ADDRESS",
        };
        Self::new(key.option, letter, value, key.help, Does::Set(key))
    }
}

pub(super) fn options() -> impl Iterator<Item = Opt> {
    let keys = KEYS.iter().filter(|key| !key.option.is_empty()).map(Opt::of_key);
    keys.chain(OPTIONS.iter().copied())
}

fn option(name: &str) -> Result<Opt> {
    options().find(|option| option.name == name).ok_or_else(|| {
        let hint = nearest(name, options().map(|option| option.name));
        let hint = hint.map(|name| format!("; did you mean --{name}?")).unwrap_or_default();
        Error::usage(format!("unknown option --{}{hint}", safe(name)))
    })
}

fn letter_option(letter: char) -> Result<Opt> {
    let found = options().find(|option| option.letter == Some(letter));
    found.ok_or_else(|| Error::usage(format!("unknown option -{}", safe(&letter.to_string()))))
}

/// A command line, as far as it was read.
#[derive(Default)]
struct Line {
    command: Option<&'static str>,
    topic: Option<String>,
    /// The words after `explain`, `export` and `config`.
    subject: Vec<String>,
    show_private: bool,
    daemon: bool,
    feed: Option<String>,
    count: Option<usize>,
    json: bool,
    watch: bool,
    url: Option<String>,
    help: bool,
    version: bool,
    settings: Vec<(&'static Key<Draft>, String)>,
    warnings: Vec<String>,
}

impl Line {
    fn word(&mut self, word: &str) -> Result<()> {
        let known = COMMANDS.iter().map(|(name, ..)| *name);
        match self.command {
            None => match known.clone().find(|name| *name == word) {
                Some(name) => self.command = Some(name),
                None => {
                    let hint = nearest(word, known);
                    let hint = hint.map(|name| format!("; did you mean {name}?"));
                    let hint = hint.unwrap_or_else(|| "; see calendarbot --help".into());
                    return Err(Error::usage(format!("unknown command {}{hint}", quoted(word))));
                }
            },
            Some("help") if self.topic.is_none() => {
                if topic(word).is_none() {
                    let hint = nearest(word, topics());
                    let hint = hint.map(|name| format!("; did you mean {name}?"));
                    let hint = hint.unwrap_or_default();
                    return Err(Error::usage(format!("no help on {}{hint}", quoted(word))));
                }
                self.topic = Some(word.to_owned());
            }
            Some("explain" | "config") if self.subject.len() < 2 => {
                self.subject.push(word.to_owned())
            }
            Some("export") if self.subject.is_empty() => self.subject.push(word.to_owned()),
            Some(name) => {
                return Err(Error::usage(format!("unexpected {} after {name}", quoted(word))));
            }
        }
        Ok(())
    }

    fn option(&mut self, option: Opt, value: Option<String>) -> Result<()> {
        let given = value.as_deref().unwrap_or_default();
        match option.does {
            Does::Set(key) => {
                self.settings.push((key, value.unwrap_or_else(|| "true".to_owned())));
                return Ok(());
            }
            Does::Feed => self.feed = Some(given.to_owned()),
            Does::Url => self.url = Some(given.to_owned()),
            Does::Count => match given.parse() {
                Ok(count @ 1..=100) => self.count = Some(count),
                _ => {
                    let found = quoted(given);
                    return Err(Error::usage(format!("--count is {found}; allowed: 1 to 100")));
                }
            },
            _ if value.is_some() && option.value.is_empty() => {
                return Err(Error::usage(format!("--{} takes no value", option.name)));
            }
            Does::Log(level) => {
                let key = KEYS.iter().find(|key| key.option == "log-level");
                self.settings.extend(key.map(|key| (key, level.to_owned())));
            }
            Does::Json => self.json = true,
            Does::Watch => self.watch = true,
            Does::ShowPrivate => self.show_private = true,
            Does::Daemon => self.daemon = true,
            Does::Help => self.help = true,
            Does::Version => self.version = true,
            Does::Nothing => {}
        }
        Ok(())
    }

    fn finish(mut self) -> Result<Arguments> {
        let given = |name| match name {
            "feed" => self.feed.is_some(),
            "count" => self.count.is_some(),
            "json" => self.json,
            "watch" => self.watch,
            "url" => self.url.is_some(),
            "daemon" => self.daemon,
            _ => self.show_private,
        };
        let stray = BELONGING.iter().find(|(name, owners)| {
            given(name) && !owners.contains(&self.command.unwrap_or("serve"))
        });
        let command = match self.command {
            command if self.help => {
                Command::Help(command.filter(|name| *name != "help").map(str::to_owned))
            }
            _ if self.version => Command::Version,
            Some("help") => Command::Help(self.topic),
            _ if let Some((name, owners)) = stray => {
                let owners = owners.join(" or ");
                return Err(Error::usage(format!("--{name} belongs to the command {owners}")));
            }
            Some("check") => Command::Check,
            Some("config") => Command::Config(self.action()?),
            Some("plan") => Command::Plan,
            Some("next") => Command::Next {
                feed: self.feed,
                count: self.count.unwrap_or(COUNT_DEFAULT),
                json: self.json,
            },
            Some("stats") => Command::Stats { url: self.url, watch: self.watch, json: self.json },
            Some(command @ ("explain" | "export")) => {
                let mut subject = self.subject.into_iter();
                let feed = subject.next().ok_or_else(|| {
                    Error::usage(format!(
                        "{command} needs the name of a feed: calendarbot {command} FEED"
                    ))
                })?;
                let (query, show_private) = (subject.next(), self.show_private);
                match command {
                    "explain" => Command::Explain { feed, query, show_private },
                    _ => Command::Export { feed, show_private },
                }
            }
            _ => Command::Serve,
        };
        let daemon = self.daemon && command == Command::Serve;
        Ok(Arguments { command, daemon, settings: self.settings, warnings: self.warnings })
    }
}

impl Line {
    fn action(&mut self) -> Result<Action> {
        let mut words = std::mem::take(&mut self.subject).into_iter();
        let (verb, object) = (words.next(), words.next());
        match (verb.as_deref().unwrap_or("show"), object) {
            ("show", None) => Ok(Action::Show),
            ("history", None) => Ok(Action::History),
            ("check", file) => {
                let key = KEYS.iter().find(|key| key.option == "config");
                self.settings.extend(key.zip(file));
                Ok(Action::Check)
            }
            ("revert", None) => Ok(Action::Revert(None)),
            ("revert", Some(number)) => match number.parse() {
                Ok(number @ 1..) => Ok(Action::Revert(Some(number))),
                _ => Err(Error::usage(format!(
                    "config revert {}; allowed: a number of config history",
                    quoted(&number)
                ))),
            },
            ("show" | "history", Some(word)) => {
                Err(Error::usage(format!("unexpected {} after config", quoted(&word))))
            }
            (word, _) => Err(Error::usage(format!(
                "config {}; allowed: show, check, history or revert",
                quoted(word)
            ))),
        }
    }
}

/// lexopt's errors, without the values that it would show.
fn usage(error: lexopt::Error) -> Error {
    Error::usage(match error {
        lexopt::Error::MissingValue { option } => {
            format!("{} needs a value", safe(&option.unwrap_or_default()))
        }
        lexopt::Error::UnexpectedValue { option, .. } => {
            format!("{} takes no value", safe(&option))
        }
        _ => "the command line cannot be read".into(),
    })
}

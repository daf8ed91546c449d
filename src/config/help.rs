//! What the program says about its commands, options, keys and variables.

use std::fmt::Write;

use super::args::{COMMANDS, OPTIONS, options};
use super::feed_keys::FEED_KEYS;
use super::health_keys::HEALTH_KEYS;
use super::key::Key;
use super::keys::KEYS;

/// The help: in general, or on one of the names that [`parse`] lets through.
pub fn help(on: Option<&str>) -> String {
    on.and_then(topic).unwrap_or_else(overview)
}

fn overview() -> String {
    let mut text = String::from(
        "calendarbot shows what is next, on screens around the house.\n\n\
         Usage: calendarbot [COMMAND] [OPTION]...\n\nCommands:\n",
    );
    for (name, arguments, help) in COMMANDS {
        let colon = if arguments.is_empty() { "" } else { ": " };
        let _ = writeln!(text, "  {name:<9}{arguments}{colon}{help}");
    }
    text.push_str("\nOptions:\n");
    for option in options() {
        let letter = option.letter.map_or("    ".into(), |letter| format!("-{letter}, "));
        let name = format!("{letter}--{} {}", option.name, option.value);
        let _ = writeln!(text, "  {name:<27}{}", in_short(option.help));
    }
    text.push_str(
        "\nFeeds stand in the configuration file; others could read an option:\n\n  \
         [[feeds]]\n  name = \"work\"\n  url = \"https://calendar.example/basic.ics\"\n\n\
         Without -c it is calendarbot/calendarbot.toml in ~/.config, else in /etc.\n\
         Options go before environment variables, those before .env beside the file,\n\
         and that before the file. docs/CONFIGURATION.md has every key and variable.\n\n\
         Examples:\n  \
         calendarbot                                  serve at http://127.0.0.1:8080/\n  \
         calendarbot --host 0.0.0.0 --port 80         show the calendars to the network\n  \
         calendarbot check -c /etc/calendarbot/calendarbot.toml\n  \
         calendarbot next --count 3 --json            the next three events\n  \
         calendarbot help refresh_interval            what a key of the file may hold\n\n\
         Exit status: 0 done, 1 failed, 2 wrong usage, 78 wrong configuration.\n",
    );
    text
}

/// The first clause of a help text; `help KEY` has the rest.
pub(super) fn in_short(help: &str) -> String {
    let end = [". ", "; "].iter().filter_map(|end| help.find(end)).min();
    let clause = help[..end.unwrap_or(help.len())].trim_end_matches('.');
    let mut letters = clause.chars();
    letters.next().into_iter().flat_map(char::to_lowercase).chain(letters).collect()
}

/// Every name that `help` knows.
pub(super) fn topics() -> impl Iterator<Item = &'static str> {
    let commands = COMMANDS.iter().map(|(name, ..)| *name);
    let top = KEYS.iter().flat_map(|key| key.env.iter().copied().chain([key.name]));
    let feed = FEED_KEYS.iter().flat_map(|key| key.env.iter().copied().chain([key.name]));
    let options = OPTIONS.iter().map(|option| option.name);
    let health = HEALTH_KEYS.iter().map(|key| key.name);
    commands.chain(top).chain(feed).chain(health).chain(options).filter(|name| !name.is_empty())
}

pub(super) fn topic(name: &str) -> Option<String> {
    fn among<T>(keys: &[Key<T>], name: &str) -> Option<String> {
        let key = keys.iter().find(|key| key.goes_by(name))?;
        Some(format!("{}: {}", key.title(), key.describe()))
    }
    let line = |title: String, help: &str| Some(format!("{title}: {help}.\n"));
    if let Some((command, arguments, help)) = COMMANDS.iter().find(|it| it.0 == name) {
        let title = format!("calendarbot {command} {arguments}");
        return line(title.trim_end().to_owned(), help);
    }
    let keys = among(KEYS, name).or_else(|| among(FEED_KEYS, name));
    keys.or_else(|| among(HEALTH_KEYS, name)).or_else(|| {
        let option = OPTIONS.iter().find(|option| option.name == name)?;
        line(format!("--{name}"), option.help)
    })
}

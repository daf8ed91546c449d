//! Another feed for the configuration file: where that is, and what it holds then. What a person
//! has written into it stays as it is, comments and all.

use std::path::PathBuf;

use crate::secret::Secret;

use super::Config;
use super::file::default_places;

/// A feed that somebody wants to have, as they name it.
#[derive(Clone, Debug)]
pub struct NewFeed {
    /// What it is to be called.
    pub name: String,
    /// Its URL.
    pub link: Secret,
}

/// What a file begins with that was not there.
const HEAD: &str = "\
# What calendarbot does. docs/CONFIGURATION.md has everything that can stand here, and
# `calendarbot check` says what is wrong with it. Links of calendars are secrets: whoever has one
# can read the calendar. So nobody but its owner may read this file.
";

impl NewFeed {
    /// The text of the file with this feed at its end.
    pub fn added_to(&self, text: Option<&str>) -> String {
        let mut text = text.filter(|text| !text.is_empty()).unwrap_or(HEAD).to_owned();
        if !text.ends_with('\n') {
            text.push('\n');
        }
        let (name, link) = (quoted(&self.name), quoted(self.link.expose()));
        text + &format!(
            "\n# From the page for new calendars.\n[[feeds]]\nname = {name}\nurl = {link}\n"
        )
    }
}

/// A basic string of TOML, with nothing in it that ends or changes it.
fn quoted(text: &str) -> String {
    let mut quoted = String::with_capacity(text.len() + 2);
    quoted.push('"');
    for c in text.chars() {
        match c {
            '"' | '\\' => quoted.extend(['\\', c]),
            c if c.is_control() => quoted += &format!("\\u{:04x}", u32::from(c)),
            c => quoted.push(c),
        }
    }
    quoted + "\""
}

impl Config {
    /// The configuration file: the one that was read, or else where it would be found. A `.env` that
    /// was read is beside it, and goes on being read.
    pub fn place(&self) -> Option<PathBuf> {
        let places = || default_places(self.sources.inputs());
        let is_beside = |place: &PathBuf| place.with_file_name(".env").exists();
        self.path.clone().or_else(|| places().find(is_beside)).or_else(|| places().next())
    }

    /// True when the feeds of the file are those that are fetched.
    pub fn has_feed(&self, feed: &NewFeed) -> bool {
        self.feeds.last().is_some_and(|last| last.name == feed.name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn feed(name: &str, link: &str) -> NewFeed {
        NewFeed { name: name.to_owned(), link: Secret::new(link) }
    }

    #[test]
    fn what_is_there_stays_and_the_feed_comes_last() {
        let feed = feed("work", "https://h/a.ics");
        let entry = "\n# From the page for new calendars.\n[[feeds]]\nname = \"work\"\n\
                     url = \"https://h/a.ics\"\n";
        for (before, head) in [
            (None, HEAD),
            (Some(""), HEAD),
            (Some("port = 1 # mine\n"), "port = 1 # mine\n"),
            (Some("[flags]\ncaching = false"), "[flags]\ncaching = false\n"),
        ] {
            assert_eq!(feed.added_to(before), format!("{head}{entry}"), "{before:?}");
        }
    }

    #[test]
    fn no_name_and_no_link_ends_its_string() {
        let odd = "a\"\\\n[admin]\u{7f}\u{85}ü";
        let text = feed(odd, odd).added_to(None);
        let table = toml::de::DeTable::parse(&text).unwrap().into_inner();
        let feeds = table.get("feeds").unwrap().get_ref().as_array().unwrap();
        let only = feeds[0].get_ref().as_table().unwrap();
        for key in ["name", "url"] {
            assert_eq!(only.get(key).unwrap().get_ref().as_str(), Some(odd), "{key}");
        }
        assert_eq!((table.len(), feeds.len()), (1, 1));
    }
}

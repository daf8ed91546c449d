//! The configuration file: found, read, and applied to a draft.

use std::fs::{File, OpenOptions};
use std::io::{self, ErrorKind, Read};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::feed::FeedDraft;
use super::feed_keys::FEED_KEYS;
use super::given::{self, Given, nearest, safe};
use super::health_keys::{HEALTH_KEYS, HEALTH_TABLES};
use super::key::Key;
use super::keys::KEYS;
use super::sources::{Origin, Value};
use super::{Draft, Inputs, Problems};

/// More than any configuration needs.
const FILE_BYTES_MAX: u64 = 256 * 1024;

/// Where the file is looked for when none is named, the first choice first.
pub(super) fn default_places(inputs: &Inputs) -> impl Iterator<Item = PathBuf> {
    let home = inputs.variable("HOME").map(|home| Path::new(home).join(".config"));
    // Relative XDG folders are to be ignored.
    let xdg =
        inputs.variable("XDG_CONFIG_HOME").map(PathBuf::from).filter(|path| path.is_absolute());
    let folders = xdg.or(home).into_iter().chain([PathBuf::from("/etc")]);
    folders.map(|folder| folder.join("calendarbot/calendarbot.toml"))
}

/// Where the database is kept when no folder is named.
pub(super) fn default_data_dir(inputs: &Inputs) -> Option<PathBuf> {
    // systemd separates several folders by colons.
    let state = inputs.variable("STATE_DIRECTORY").and_then(|paths| paths.split(':').next());
    let xdg = || inputs.variable("XDG_DATA_HOME").map(Path::new).filter(|path| path.is_absolute());
    let home = || inputs.variable("HOME").map(|home| Path::new(home).join(".local/share"));
    match state {
        Some(state) => Some(PathBuf::from(state)),
        None => Some(xdg().map(Path::to_owned).or_else(home)?.join("calendarbot")),
    }
}

/// The folder of what lasts as long as the program runs.
pub(super) fn runtime_dir(inputs: &Inputs) -> Option<PathBuf> {
    let ours = inputs.variable("RUNTIME_DIRECTORY").and_then(|paths| paths.split(':').next());
    ours.or_else(|| inputs.variable("XDG_RUNTIME_DIR")).map(PathBuf::from)
}

/// Opens a file to read it. A pipe would be waited for, and with it everybody who is served.
pub(super) fn open_regular(path: &Path) -> io::Result<File> {
    let file = OpenOptions::new().read(true).custom_flags(libc::O_NONBLOCK).open(path)?;
    let kind = file.metadata()?.file_type();
    // To read a folder is an error that says so.
    if kind.is_file() || kind.is_dir() {
        return Ok(file);
    }
    Err(io::Error::new(ErrorKind::InvalidInput, "it is not a regular file"))
}

/// The text of a file, or `None` when there is no such file.
pub(super) fn read(path: &Path) -> Result<Option<String>, String> {
    let shown = given::path(path);
    let mut bytes = Vec::new();
    let read =
        open_regular(path).and_then(|file| file.take(FILE_BYTES_MAX + 1).read_to_end(&mut bytes));
    match read {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(format!("{shown}: cannot be read: {error}")),
        Ok(length) if length as u64 > FILE_BYTES_MAX => {
            return Err(format!("{shown}: is larger than {} KiB", FILE_BYTES_MAX / 1024));
        }
        Ok(_) => {}
    }
    String::from_utf8(bytes).map(Some).map_err(|error| {
        let line = line_of(error.as_bytes(), error.utf8_error().valid_up_to());
        format!("{shown}:{line}: is not UTF-8")
    })
}

/// The file, while it is read into a draft.
pub(super) struct Document<'a> {
    pub(super) path: &'a Path,
    pub(super) text: &'a str,
    /// Further feeds are not looked at.
    pub(super) feeds_max: usize,
    pub(super) problems: &'a mut Problems,
}

/// A table of the configuration file and the names that a stranger in it could belong to.
struct Section<'a, T: 'static> {
    keys: &'static [Key<T>],
    /// `flags.` or nothing.
    prefix: &'a str,
    /// Says where a name belongs that is known, but not here.
    elsewhere: fn(&str) -> Option<String>,
}

impl Document<'_> {
    /// Puts everything of the file into `draft`, notes it, and hands back its feeds with their
    /// places.
    pub(super) fn apply(
        mut self,
        draft: &mut Draft,
        noted: &mut Vec<Value>,
    ) -> Vec<(String, FeedDraft)> {
        let table = match DeTable::parse(self.text) {
            Ok(table) => table.into_inner(),
            Err(error) => {
                // Its Display would show the line, and with it perhaps a secret.
                let at = error.span().map_or(0, |span| span.start);
                self.complain(at, || format!("is not TOML: {}", error.message()));
                return Vec::new();
            }
        };
        let top = Section { keys: KEYS, prefix: "", elsewhere: belongs_to_a_feed };
        self.section(&table, &top, draft, noted);
        for name in HEALTH_TABLES {
            let Some((key, value)) = table.get_key_value(name) else { continue };
            match value.get_ref().as_table() {
                Some(table) => {
                    let prefix = &format!("{name}.");
                    let section = Section { keys: HEALTH_KEYS, prefix, elsewhere: |_| None };
                    self.section(table, &section, &mut draft.config.health, noted);
                }
                None => self.not_a_table(key.span().start, name, value),
            }
        }
        match table.get("feeds") {
            Some(feeds) => self.feeds(feeds),
            None => Vec::new(),
        }
    }

    fn feeds(&mut self, feeds: &Spanned<DeValue>) -> Vec<(String, FeedDraft)> {
        let Some(tables) = feeds.get_ref().as_array() else {
            self.not_a_feed(feeds);
            return Vec::new();
        };
        if let Some(first) = tables.get(self.feeds_max) {
            let (found, allowed) = (tables.len(), self.feeds_max);
            self.complain(first.span().start, || {
                format!("there are {found} feeds; allowed: at most {allowed}")
            });
        }
        let mut drafts = Vec::new();
        for feed in tables.iter().take(self.feeds_max) {
            let Some(table) = feed.get_ref().as_table() else {
                self.not_a_feed(feed);
                continue;
            };
            let problems_before = self.problems.count();
            let mut draft = FeedDraft::new();
            let section = Section { keys: FEED_KEYS, prefix: "", elsewhere: belongs_to_the_top };
            let mut given = Vec::new();
            self.section(table, &section, &mut draft, &mut given);
            draft.given = given;
            // What a wrong key leaves out would only look like a second problem.
            if self.problems.count() == problems_before {
                drafts.push((self.place(feed.span().start), draft));
            }
        }
        drafts
    }

    fn section<T>(
        &mut self,
        table: &DeTable,
        section: &Section<T>,
        target: &mut T,
        noted: &mut Vec<Value>,
    ) {
        let folder = self.path.parent().unwrap_or(Path::new(""));
        let mut pairs: Vec<_> = table.iter().collect();
        // Problems are told in the order of the file.
        pairs.sort_by_key(|(key, _)| key.span().start);
        for (key, value) in pairs {
            let name = format!("{}{}", section.prefix, key.get_ref());
            let inner = format!("{name}.");
            let (at, given) = (key.span().start, Given::Toml(value.get_ref(), folder));
            if let Some(key) = section.key(&name) {
                let origin = || Origin::Line {
                    place: line_place(self.path, self.text, at),
                    name: format!("`{name}`"),
                };
                let stored = key.store(target, &given, origin, noted);
                self.problems.extend(stored.err());
            } else if section.keys.iter().any(|key| key.name.starts_with(&inner)) {
                match value.get_ref().as_table() {
                    Some(table) => {
                        let section = Section { prefix: &inner, ..*section };
                        self.section(table, &section, target, noted);
                    }
                    None => self.not_a_table(at, &name, value),
                }
            } else if !section.is_top() || !own_tables().any(|table| table == name) {
                self.complain(at, || section.stranger(&name));
            }
        }
    }

    fn not_a_table(&mut self, at: usize, name: &str, found: &Spanned<DeValue>) {
        let shown = Given::Toml(found.get_ref(), self.path).shown();
        self.complain(at, || format!("`{name}` is {shown}; allowed: a table"));
    }

    fn not_a_feed(&mut self, found: &Spanned<DeValue>) {
        let shown = Given::Toml(found.get_ref(), self.path).shown();
        self.complain(found.span().start, || {
            format!("`feeds` is {shown}; allowed: tables headed [[feeds]]")
        });
    }

    /// Finding the line takes a walk through the file, so it is done for what is kept only.
    fn complain(&mut self, at: usize, what: impl FnOnce() -> String) {
        let (path, text) = (self.path, self.text);
        self.problems.push_with(|| place(path, text, at) + &what());
    }

    fn place(&self, at: usize) -> String {
        place(self.path, self.text, at)
    }
}

fn place(path: &Path, text: &str, at: usize) -> String {
    line_place(path, text, at) + ": "
}

fn line_place(path: &Path, text: &str, at: usize) -> String {
    format!("{}:{}", path.display(), line_of(text.as_bytes(), at))
}

impl<T> Section<'_, T> {
    fn key(&self, name: &str) -> Option<&'static Key<T>> {
        self.keys.iter().find(|key| key.name == name && !name.is_empty())
    }

    fn is_top(&self) -> bool {
        self.keys.iter().any(|key| key.name == "port") && self.prefix.is_empty()
    }

    /// What to say about a name that is not known here.
    fn stranger(&self, name: &str) -> String {
        let known = self.keys.iter().map(|key| key.name).filter(|name| !name.is_empty());
        let tables = self.is_top().then(|| own_tables().chain(["flags"])).into_iter().flatten();
        let hint = (self.elsewhere)(name).or_else(|| {
            let name = nearest(name, known.chain(tables))?;
            Some(format!("did you mean `{name}`?"))
        });
        let hint = hint.map(|hint| format!("; {hint}")).unwrap_or_default();
        format!("unknown key `{}`{hint}", safe(name))
    }
}

/// The tables of the file whose keys are not those of the top.
fn own_tables() -> impl Iterator<Item = &'static str> {
    ["feeds"].into_iter().chain(HEALTH_TABLES)
}

fn belongs_to_a_feed(name: &str) -> Option<String> {
    let known = FEED_KEYS.iter().any(|key| key.name == name);
    known.then(|| "it belongs under [[feeds]]".into())
}

fn belongs_to_the_top(name: &str) -> Option<String> {
    let known = KEYS.iter().any(|key| !name.is_empty() && key.name == name);
    known.then(|| "it belongs above the first [[feeds]]".into())
}

fn line_of(text: &[u8], at: usize) -> usize {
    1 + text.iter().take(at).filter(|byte| **byte == b'\n').count()
}

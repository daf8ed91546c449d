//! TZID to time zone.
//!
//! A name is tried as an IANA name, then behind a vendor's prefix, then as a Windows name; what
//! none of them knows is looked for among the feed's own VTIMEZONE definitions, then among the
//! names that Outlook shows to people. A name that nobody knows means X-WR-TIMEZONE, and without
//! that the configured zone, with a warning: never UTC in silence.

use std::collections::BTreeMap;
use std::fmt;

use jiff::tz::{TimeZone, TimeZoneDatabase};

use super::line::ContentLine;
use super::windows;

/// Definitions of one feed that are remembered. Real feeds hold a handful; the IANA database
/// has about 600 names.
const DEFINITIONS_MAX: usize = 1_000;

/// The zones of one feed. Can be sent to the thread that expands.
pub struct Zones {
    database: TimeZoneDatabase,
    default: TimeZone,
    calendar_zone: Option<TimeZone>,
    defined: BTreeMap<String, TimeZone>,
}

/// A zone and how it was found.
#[derive(Clone, Debug)]
pub struct Resolved {
    /// The zone.
    pub zone: TimeZone,
    /// The step of the look-up that found it.
    pub step: Step,
    /// False when the name means nothing to us and the zone is a guess.
    pub known: bool,
}

/// The steps of the look-up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// A VTIMEZONE of the feed.
    Embedded,
    /// An IANA name.
    Iana,
    /// An IANA name behind a vendor's prefix.
    VendorPrefix,
    /// A Windows name.
    Windows,
    /// A name as Outlook shows it: `(UTC+01:00) Amsterdam, Berlin, …`.
    DisplayName,
    /// X-WR-TIMEZONE of the calendar.
    CalendarZone,
    /// The configured zone.
    Default,
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Step::Embedded => "the feed's own VTIMEZONE",
            Step::Iana => "an IANA name",
            Step::VendorPrefix => "an IANA name behind a vendor's prefix",
            Step::Windows => "a Windows name",
            Step::DisplayName => "a display name",
            Step::CalendarZone => "X-WR-TIMEZONE",
            Step::Default => "the configured zone",
        })
    }
}

impl Zones {
    /// For a feed whose X-WR-TIMEZONE is `calendar_zone`, on a display in `default`.
    pub fn new(
        database: &TimeZoneDatabase,
        default: TimeZone,
        calendar_zone: Option<&str>,
    ) -> Zones {
        let mut zones = Zones {
            database: database.clone(),
            default,
            calendar_zone: None,
            defined: BTreeMap::new(),
        };
        zones.calendar_zone = calendar_zone.and_then(|name| zones.named(name.trim()));
        zones
    }

    /// Takes in a stored VTIMEZONE. It counts only when its TZID is no known name, and by what
    /// X-LIC-LOCATION says.
    pub fn define(&mut self, text: &str) {
        let value = |name: &str| {
            let line = text.lines().filter_map(ContentLine::parse).find(|line| line.name == name);
            line.map(|line| line.value.trim().to_owned())
        };
        let (tzid, location) = (value("TZID"), value("X-LIC-LOCATION"));
        let (Some(tzid), Some(location)) = (tzid, location) else { return };
        if self.defined.len() < DEFINITIONS_MAX
            && let Some(zone) = self.named(&location)
        {
            self.defined.insert(tzid, zone);
        }
    }

    /// The zone of a TZID.
    pub fn resolve(&self, tzid: &str) -> Resolved {
        let name = tzid.trim().trim_matches('"');
        let found = self
            .iana(name)
            .map(|zone| (zone, Step::Iana))
            .or_else(|| Some((self.behind_prefix(name)?, Step::VendorPrefix)))
            .or_else(|| Some((self.iana(windows::iana_name(name)?)?, Step::Windows)))
            .or_else(|| Some((self.defined.get(name)?.clone(), Step::Embedded)))
            .or_else(|| Some((self.iana(windows::iana_of_display(name)?)?, Step::DisplayName)));
        if let Some((zone, step)) = found {
            return Resolved { zone, step, known: true };
        }
        let (zone, step) = match &self.calendar_zone {
            Some(zone) => (zone.clone(), Step::CalendarZone),
            None => (self.default.clone(), Step::Default),
        };
        Resolved { zone, step, known: false }
    }

    fn named(&self, name: &str) -> Option<TimeZone> {
        self.iana(name)
            .or_else(|| self.behind_prefix(name))
            .or_else(|| self.iana(windows::iana_name(name)?))
    }

    fn iana(&self, name: &str) -> Option<TimeZone> {
        self.database.get(name).ok().filter(|zone| !zone.is_unknown())
    }

    /// `/freeassociation.sourceforge.net/Europe/Berlin`, `/citadel.org/20210210_1/Europe/Berlin`
    /// and `tzone://Microsoft/Utc`: the longest rest behind a slash that is an IANA name. A rest
    /// of one word, such as `UTC`, counts only where the name is clearly a vendor's.
    fn behind_prefix(&self, name: &str) -> Option<TimeZone> {
        let vendor = name.starts_with('/') || name.contains("://");
        let rests = name.match_indices('/').map(|(at, _)| &name[at + 1..]);
        rests
            .filter(|rest| !rest.is_empty() && (vendor || rest.contains('/')))
            .take(8)
            .find_map(|rest| self.iana(rest))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn zones(calendar_zone: Option<&str>) -> Zones {
        let database = TimeZoneDatabase::bundled();
        let default = database.get("Europe/Madrid").unwrap();
        Zones::new(&database, default, calendar_zone)
    }

    #[test]
    fn the_look_up_order_holds() {
        let mut zones = zones(None);
        zones.define("TZID:Home\nX-LIC-LOCATION:Asia/Tokyo\nBEGIN:STANDARD\nEND:STANDARD");
        zones.define("TZID:Europe/Berlin\nX-LIC-LOCATION:Asia/Tokyo");
        let check = |tzid, name, step| {
            let found = zones.resolve(tzid);
            assert_eq!((found.zone.iana_name(), found.step), (Some(name), step), "{tzid}");
        };
        check("Europe/Berlin", "Europe/Berlin", Step::Iana);
        check("europe/berlin", "Europe/Berlin", Step::Iana);
        check("UTC", "UTC", Step::Iana);
        check("Home", "Asia/Tokyo", Step::Embedded);
        check(
            "/freeassociation.sourceforge.net/Europe/Berlin",
            "Europe/Berlin",
            Step::VendorPrefix,
        );
        check(
            "/citadel.org/20210210_1/America/Indiana/Knox",
            "America/Indiana/Knox",
            Step::VendorPrefix,
        );
        check("tzone://Microsoft/Utc", "UTC", Step::VendorPrefix);
        check("W. Europe Standard Time", "Europe/Berlin", Step::Windows);
        check("w. europe standard time 1", "Europe/Berlin", Step::Windows);
        check("Pacific Standard Time", "America/Los_Angeles", Step::Windows);
        check(
            "(UTC+01:00) Amsterdam, Berlin, Bern, Rome, Stockholm, Vienna",
            "Europe/Berlin",
            Step::DisplayName,
        );
        check("(GMT-08:00) Pacific Time (US & Canada)", "America/Los_Angeles", Step::DisplayName);
        check("(UTC+01:00) Berlin / Bern", "Europe/Berlin", Step::DisplayName);
        check("(UTC+01:00)", "Europe/Madrid", Step::Default);
        check("Customized Time Zone", "Europe/Madrid", Step::Default);
        check("Mars/UTC", "Europe/Madrid", Step::Default);
        check("Etc/Unknown", "Europe/Madrid", Step::Default);
        check("", "Europe/Madrid", Step::Default);
        check("../../etc/passwd", "Europe/Madrid", Step::Default);
    }

    #[test]
    fn an_unknown_name_means_the_calendar_s_zone() {
        let check = |calendar_zone, name, step| {
            let found = zones(Some(calendar_zone)).resolve("Customized Time Zone");
            assert_eq!(
                (found.zone.iana_name(), found.step, found.known),
                (Some(name), step, false)
            );
        };
        check("America/New_York", "America/New_York", Step::CalendarZone);
        check("Tokyo Standard Time", "Asia/Tokyo", Step::CalendarZone);
        check("Nowhere", "Europe/Madrid", Step::Default);
    }

    #[test]
    fn zones_can_change_threads() {
        fn is_send<T: Send>() {}
        is_send::<Zones>();
    }
}

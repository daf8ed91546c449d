//! TZID to time zone.
//!
//! A name is tried as an IANA name, then behind a vendor's prefix, then as a Windows name: what a
//! feed says of a zone that everybody knows is often old or wrong. Any other name is looked for
//! among the feed's own VTIMEZONE definitions, then among the names that Outlook shows to people.
//! A name that nobody knows means X-WR-TIMEZONE, and without that the configured zone, with a
//! warning: never UTC in silence.

use std::collections::BTreeMap;
use std::fmt;

use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::definition;
use super::line::cut;
use super::{stored, windows};
use crate::budget::{FeedLimits, ONSET_BYTES};
use crate::tzdb::Tzdb;

/// The zones of one feed. Can be sent to the thread that expands.
pub struct Zones {
    database: &'static Tzdb,
    default: TimeZone,
    calendar_zone: Option<TimeZone>,
    /// The feed's own zones, or why they cannot be followed.
    defined: BTreeMap<String, Result<TimeZone, &'static str>>,
    /// Definitions that cannot be followed, so far.
    refused: usize,
}

/// A zone and how it was found.
#[derive(Clone, Debug)]
pub struct Resolved {
    /// The zone.
    pub zone: TimeZone,
    /// The step of the look-up that found it.
    pub step: Step,
    /// Why the VTIMEZONE of that name is not followed.
    pub refused: Option<&'static str>,
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

impl Step {
    /// True when the name means nothing to us.
    pub fn is_guess(self) -> bool {
        matches!(self, Step::CalendarZone | Step::Default)
    }
}

impl Resolved {
    /// What people are told when `tzid` means nothing to us; `None` when it does.
    pub fn guess(&self, tzid: &str) -> Option<String> {
        let name = self.zone.iana_name().unwrap_or("a zone without a name");
        let refused = self.refused.map(|why| format!("; its VTIMEZONE is not followed: {why}"));
        self.step.is_guess().then(|| {
            format!(
                "TZID `{}` is not known: {name} is used ({}){}",
                cut(tzid, 60),
                self.step,
                refused.unwrap_or_default()
            )
        })
    }
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
    pub fn new(database: &'static Tzdb, default: TimeZone, calendar_zone: Option<&str>) -> Zones {
        let mut zones =
            Zones { database, default, calendar_zone: None, defined: BTreeMap::new(), refused: 0 };
        zones.calendar_zone =
            calendar_zone.and_then(|name| zones.named(name.trim())).map(|(zone, _)| zone);
        zones
    }

    /// Takes in a stored VTIMEZONE, as long as there is room. It counts only when its TZID is no
    /// known name, and only the first of that TZID that can be followed. One that says which IANA
    /// zone it means is that zone.
    pub fn define(&mut self, text: &str, limits: &FeedLimits) {
        let value = |name: &str| {
            let line =
                stored::lines(text).filter_map(stored::content).find(|line| line.name == name);
            line.map(|line| line.value.trim().to_owned())
        };
        let Some(tzid) = value("TZID") else { return };
        if self.named(&tzid).is_some() {
            return;
        }
        let followed = matches!(self.defined.get(&tzid), Some(Ok(_)));
        let is_full = self.defined.len() >= limits.zones_max && !self.defined.contains_key(&tzid);
        // Each of them may have taken all the steps that a zone may take.
        let is_spent = self.refused >= limits.zones_max;
        if followed || is_full || is_spent {
            return;
        }
        let location = value("X-LIC-LOCATION").and_then(|location| self.named(&location));
        let zone = match location {
            Some((zone, _)) => Ok(zone),
            None => definition::evaluate(&tzid, text, limits),
        };
        self.refused += usize::from(zone.is_err());
        self.defined.insert(tzid, zone);
    }

    /// What the feed's own zones take in memory.
    pub fn weight_bytes(&self, limits: &FeedLimits) -> usize {
        let changes =
            |zone: &TimeZone| zone.following(Timestamp::MIN).take(limits.zone_onsets_max).count();
        let own = self.defined.values().flatten();
        own.map(|zone| changes(zone) * ONSET_BYTES).sum()
    }

    /// The zone of a TZID.
    pub fn resolve(&self, tzid: &str) -> Resolved {
        let name = tzid.trim().trim_matches('"');
        let defined = self.defined.get(name);
        let found = self
            .named(name)
            .or_else(|| Some((defined?.clone().ok()?, Step::Embedded)))
            .or_else(|| Some((self.iana(windows::iana_of_display(name)?)?, Step::DisplayName)));
        if let Some((zone, step)) = found {
            return Resolved { zone, step, refused: None };
        }
        let (zone, step) = match &self.calendar_zone {
            Some(zone) => (zone.clone(), Step::CalendarZone),
            None => (self.default.clone(), Step::Default),
        };
        let refused = defined.and_then(|defined| defined.as_ref().err().copied());
        Resolved { zone, step, refused }
    }

    /// The zone that a name means everywhere.
    fn named(&self, name: &str) -> Option<(TimeZone, Step)> {
        self.iana(name)
            .map(|zone| (zone, Step::Iana))
            .or_else(|| Some((self.behind_prefix(name)?, Step::VendorPrefix)))
            .or_else(|| Some((self.iana(windows::iana_name(name)?)?, Step::Windows)))
    }

    fn iana(&self, name: &str) -> Option<TimeZone> {
        self.database.get(name)
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
    use crate::tzdb::bundled;

    fn zones(calendar_zone: Option<&str>) -> Zones {
        let database = bundled();
        let default = database.get("Europe/Madrid").unwrap();
        Zones::new(database, default, calendar_zone)
    }

    #[test]
    fn the_look_up_order_holds() {
        let mut zones = zones(None);
        let limits = FeedLimits::default();
        let observance = |offset: &str| {
            format!(
                "BEGIN:STANDARD\nDTSTART:19700101T000000\nTZOFFSETFROM:{offset}\n\
                 TZOFFSETTO:{offset}\nEND:STANDARD\n"
            )
        };
        zones.define("TZID:Home\nX-LIC-LOCATION:Asia/Tokyo\n", &limits);
        zones.define("TZID:Europe/Berlin\nX-LIC-LOCATION:Asia/Tokyo\n", &limits);
        zones.define(&format!("TZID:Ship\n{}", observance("+0545")), &limits);
        zones.define("TZID:Broken\nX-LIC-LOCATION:Nowhere\n", &limits);
        let check = |tzid, name, step| {
            let found = zones.resolve(tzid);
            assert_eq!((found.zone.iana_name(), found.step), (Some(name), step), "{tzid}");
            assert_eq!(found.step.is_guess(), name == "Europe/Madrid", "{tzid}");
        };
        check("Europe/Berlin", "Europe/Berlin", Step::Iana);
        check("europe/berlin", "Europe/Berlin", Step::Iana);
        check("UTC", "UTC", Step::Iana);
        check("Home", "Asia/Tokyo", Step::Embedded);
        check("Ship", "Ship", Step::Embedded);
        check("Broken", "Europe/Madrid", Step::Default);
        assert_eq!(zones.resolve("Broken").refused, Some("it has no observance"));
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
        check("(UTC-05:00) Eastern Time (US and Canada)", "America/New_York", Step::DisplayName);
        check("(UTC-05:00) Turks and Caicos", "America/Grand_Turk", Step::DisplayName);
        check(
            "(GMT-08:00) Pacific Time (US & Canada); Tijuana",
            "America/Los_Angeles",
            Step::DisplayName,
        );
        check("(UTC+01:00) Berlin / Bern", "Europe/Berlin", Step::DisplayName);
        check("(UTC+01:00)", "Europe/Madrid", Step::Default);
        check("Customized Time Zone", "Europe/Madrid", Step::Default);
        check("Mars/UTC", "Europe/Madrid", Step::Default);
        check("Etc/Unknown", "Europe/Madrid", Step::Default);
        check("", "Europe/Madrid", Step::Default);
        check("../../etc/passwd", "Europe/Madrid", Step::Default);
    }

    #[test]
    fn a_feed_may_define_so_many_zones_and_each_of_them_once() {
        let limits = FeedLimits { zones_max: 2, ..FeedLimits::default() };
        let mut zones = zones(None);
        for (tzid, location) in [
            ("Home", "Nowhere"),
            ("Home", "Asia/Tokyo"),
            ("Home", "Asia/Seoul"),
            ("Europe/Rome", "Asia/Seoul"),
            ("Work", "Asia/Seoul"),
            ("Ship", "Asia/Manila"),
        ] {
            zones.define(&format!("TZID:{tzid}\nX-LIC-LOCATION:{location}\n"), &limits);
        }
        let zone = |tzid| zones.resolve(tzid).zone.iana_name().map(str::to_owned);
        assert_eq!(zone("Home").as_deref(), Some("Asia/Tokyo"));
        assert_eq!(zone("Work").as_deref(), Some("Asia/Seoul"));
        assert_eq!(zone("Ship").as_deref(), Some("Europe/Madrid"));
    }

    /// Each may have taken all the steps that there are.
    #[test]
    fn definitions_that_cannot_be_followed_are_not_tried_for_ever() {
        let limits = FeedLimits { zones_max: 2, ..FeedLimits::default() };
        for (refused, name) in [(1, "Asia/Tokyo"), (2, "Europe/Madrid")] {
            let mut zones = zones(None);
            (0..refused).for_each(|n| zones.define(&format!("TZID:Home\nTZNAME:{n}\n"), &limits));
            zones.define("TZID:Home\nX-LIC-LOCATION:Asia/Tokyo\n", &limits);
            assert_eq!(zones.resolve("Home").zone.iana_name(), Some(name));
        }
    }

    #[test]
    fn an_unknown_name_means_the_calendar_s_zone() {
        let check = |calendar_zone, name, step| {
            let found = zones(Some(calendar_zone)).resolve("Customized Time Zone");
            assert_eq!((found.zone.iana_name(), found.step), (Some(name), step));
            assert!(found.step.is_guess());
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

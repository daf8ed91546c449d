//! What the one wall shows: its layout and its day, which whoever stands before it may change. It is
//! kept in memory alone.
//!
//! ```text
//!             another day
//!   today ──────────────────> that day, until
//!     ^                          │
//!     └── midnight, or ten minutes without another turn
//! ```

use std::cell::Cell;

use jiff::civil::{Date, Weekday};
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp, ToSpan};

use crate::calendar::settings::{Home, Layout};
use crate::ical::YEARS;

/// How long another day is shown after the last turn.
const PATIENCE: SignedDuration = SignedDuration::from_mins(10);

/// The wall.
#[derive(Debug, Default)]
pub struct Wall {
    /// The one that is configured.
    home: Cell<Layout>,
    /// The one that somebody has turned to; otherwise it is that of the settings.
    layout: Cell<Option<Layout>>,
    /// The day that somebody has turned to, and when they did.
    turned: Cell<Option<(Date, Timestamp)>>,
}

/// Where to turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// The day before.
    Previous,
    /// The day after.
    Next,
    /// Today.
    Today,
    /// The Monday of the week.
    WeekStart,
    /// Its Sunday.
    WeekEnd,
}

impl Step {
    /// What clients call it.
    pub fn of(action: &str) -> Option<Self> {
        Some(match action {
            "prev" => Self::Previous,
            "next" => Self::Next,
            "today" => Self::Today,
            "week-start" => Self::WeekStart,
            "week-end" => Self::WeekEnd,
            _ => return None,
        })
    }

    fn from(self, day: Date, today: Date) -> Option<Date> {
        match self {
            Self::Previous => day.yesterday().ok(),
            Self::Next => day.tomorrow().ok(),
            Self::Today => Some(today),
            Self::WeekStart => {
                let days = day.weekday().since(Weekday::Monday);
                day.checked_sub(i64::from(days).days()).ok()
            }
            Self::WeekEnd => {
                let days = day.weekday().until(Weekday::Sunday);
                day.checked_add(i64::from(days).days()).ok()
            }
        }
    }
}

impl Wall {
    /// What is configured, with the display's zone.
    pub fn home(&self, zone: &TimeZone) -> Home {
        let zone = zone.iana_name().unwrap_or_default().into();
        Home { zone, layout: Some(self.home.get()) }
    }

    /// Another one is configured.
    pub fn set_home(&self, layout: Layout) {
        self.home.set(layout);
    }

    /// The layout it shows, where the settings have this one, if they have one.
    pub fn layout(&self, set: Option<Layout>) -> Layout {
        self.layout.get().or(set).unwrap_or(self.home.get())
    }

    /// Shows this layout from now on.
    pub fn set_layout(&self, layout: Layout) {
        self.layout.set(Some(layout));
    }

    /// The day that it shows at `now`, seen from `zone`; `None` when that is today.
    pub fn date(&self, now: Timestamp, zone: &TimeZone) -> Option<Date> {
        let (date, turned) = self.turned.get()?;
        let day = |at: Timestamp| zone.to_datetime(at).date();
        let is_recent = turned <= now && now.duration_since(turned) < PATIENCE;
        let is_there = is_recent && day(turned) == day(now) && date != day(now);
        is_there.then_some(date)
    }

    /// When it goes back to today by itself, midnight apart.
    pub fn returns_at(&self, now: Timestamp, zone: &TimeZone) -> Option<Timestamp> {
        let (_, turned) = self.turned.get()?;
        self.date(now, zone)?;
        turned.checked_add(PATIENCE).ok()
    }

    /// Turns to another day, in the years that calendars are about.
    pub fn turn(&self, step: Step, now: Timestamp, zone: &TimeZone) {
        let today = zone.to_datetime(now).date();
        let day = self.date(now, zone).unwrap_or(today);
        let there = step.from(day, today).filter(|day| YEARS.contains(&day.year()));
        self.turned.set(Some((there.unwrap_or(day), now)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    fn check(steps: &[&str], now: &str, expected: &str) {
        let wall = Wall::default();
        for step in steps {
            wall.turn(Step::of(step).unwrap(), at("2025-11-26T12:00:00Z"), &TimeZone::UTC);
        }
        let date = wall.date(at(now), &TimeZone::UTC).map(|date| date.to_string());
        assert_eq!(date.as_deref().unwrap_or("today"), expected, "{steps:?} {now}");
    }

    #[test]
    fn the_day_is_turned_and_comes_back() {
        const SOON: &str = "2025-11-26T12:09:59Z";
        check(&[], SOON, "today");
        check(&["next"], SOON, "2025-11-27");
        check(&["next"], "2025-11-26T12:10:00Z", "today");
        check(&["next"], "2025-11-26T11:59:59Z", "today");
        check(&["prev", "prev"], SOON, "2025-11-24");
        check(&["next", "prev"], SOON, "today");
        check(&["next", "today"], SOON, "today");
        check(&["week-start"], SOON, "2025-11-24");
        check(&["week-start", "week-start"], SOON, "2025-11-24");
        check(&["week-end"], SOON, "2025-11-30");
        check(&["week-end", "next", "week-end"], SOON, "2025-12-07");
        assert_eq!(Step::of("sideways"), None);
    }

    #[test]
    fn it_comes_back_at_midnight_and_stays_in_the_years_of_calendars() {
        let (wall, late) = (Wall::default(), at("2025-11-26T23:55:00Z"));
        wall.turn(Step::Next, late, &TimeZone::UTC);
        assert!(wall.date(late, &TimeZone::UTC).is_some());
        assert_eq!(wall.date(at("2025-11-27T00:00:00Z"), &TimeZone::UTC), None);
        let last = at("2200-12-31T12:00:00Z");
        wall.turn(Step::Next, last, &TimeZone::UTC);
        assert_eq!(wall.date(last, &TimeZone::UTC), None);
    }
}

//! How a place writes: its words, its clock, its week and its dates.
//!
//! A language is one [`Words`]: a sentence that it lacks does not compile. What is JSON, a log or a
//! terminal stays English.

use jiff::civil::{Date, Weekday};

mod words;

pub use words::Words;

/// What can be chosen about the writing of a page. Configuration decides, and not the browser: one
/// wall has one answer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Locale {
    /// Which words.
    pub language: Language,
    /// `2:05 pm` rather than `14:05`.
    pub hour12: bool,
    /// The first column of a week.
    pub week_start: WeekStart,
    /// Weeks have their numbers beside them (ISO 8601).
    pub week_numbers: bool,
    /// What comes first in a date.
    pub date_order: DateOrder,
}

/// The languages that there are words in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Language {
    /// `en`
    #[default]
    English,
    /// `de`
    German,
    /// `fr`
    French,
    /// `es`
    Spanish,
}

/// The day that a week begins with.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum WeekStart {
    /// As in ISO 8601.
    #[default]
    Monday,
    /// As in the United States.
    Sunday,
    /// As in much of the Arab world.
    Saturday,
    /// Whatever day it is: the week rolls.
    Today,
}

/// What comes first in a date.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum DateOrder {
    /// `Monday 24 November`
    #[default]
    DayMonth,
    /// `Monday, November 24`
    MonthDay,
    /// `Monday 2025-11-24`
    YearMonthDay,
}

impl Language {
    /// Reads `en`, `de`, `fr` or `es`.
    pub fn parse(tag: &str) -> Option<Self> {
        let all = [Self::English, Self::German, Self::French, Self::Spanish];
        all.into_iter().find(|language| language.words().tag == tag)
    }

    /// Its words.
    pub fn words(self) -> &'static Words {
        match self {
            Self::English => &words::ENGLISH,
            Self::German => &words::GERMAN,
            Self::French => &words::FRENCH,
            Self::Spanish => &words::SPANISH,
        }
    }
}

impl WeekStart {
    /// Reads a day in English, or `today`.
    pub fn parse(text: &str) -> Option<Self> {
        Some(match text {
            "monday" => Self::Monday,
            "sunday" => Self::Sunday,
            "saturday" => Self::Saturday,
            "today" => Self::Today,
            _ => return None,
        })
    }

    /// The first day of the week that `date` is in.
    pub fn first_of(self, date: Date) -> Date {
        let first = match self {
            Self::Today => return date,
            Self::Monday => Weekday::Monday,
            Self::Sunday => Weekday::Sunday,
            Self::Saturday => Weekday::Saturday,
        };
        let since = i64::from(date.weekday().since(first));
        date.saturating_sub(jiff::Span::new().days(since))
    }

    /// The same for a month, whose columns are days of the week whatever day it is.
    pub fn in_month(self) -> Self {
        if self == Self::Today { Self::Monday } else { self }
    }
}

impl DateOrder {
    /// Reads `day-month`, `month-day` or `year-month-day`.
    pub fn parse(text: &str) -> Option<Self> {
        Some(match text {
            "day-month" => Self::DayMonth,
            "month-day" => Self::MonthDay,
            "year-month-day" => Self::YearMonthDay,
            _ => return None,
        })
    }
}

impl Locale {
    /// Its words.
    pub fn words(&self) -> &'static Words {
        self.language.words()
    }

    /// The number of the week whose first day this is: that which its Thursday has (ISO 8601).
    pub fn week_number(&self, first: Date) -> i8 {
        let to_thursday = i64::from(Weekday::Thursday.since(first.weekday()));
        let thursday = first.saturating_add(jiff::Span::new().days(to_thursday));
        thursday.iso_week_date().week()
    }
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;

    use super::*;

    #[test]
    fn names_of_the_configuration_are_read() {
        let tags = ["en", "de", "fr", "es"].map(|tag| Language::parse(tag).unwrap().words().tag);
        assert_eq!(tags, ["en", "de", "fr", "es"]);
        assert_eq!(Language::parse("EN"), None);
        assert_eq!(WeekStart::parse("friday"), None);
        assert_eq!(DateOrder::parse("month-day"), Some(DateOrder::MonthDay));
        assert_eq!(DateOrder::parse(""), None);
    }

    #[test]
    fn weeks_begin_where_they_are_said_to() {
        let check = |start: WeekStart, day: Date, expected: Date| {
            assert_eq!(start.first_of(day), expected, "{start:?}");
        };
        let wednesday = date(2025, 11, 26);
        check(WeekStart::Monday, wednesday, date(2025, 11, 24));
        check(WeekStart::Sunday, wednesday, date(2025, 11, 23));
        check(WeekStart::Saturday, wednesday, date(2025, 11, 22));
        check(WeekStart::Today, wednesday, wednesday);
        check(WeekStart::Monday, date(2025, 11, 24), date(2025, 11, 24));
        check(WeekStart::Sunday, date(2025, 11, 29), date(2025, 11, 23));
        check(WeekStart::Monday, Date::MIN, Date::MIN.max(WeekStart::Monday.first_of(Date::MIN)));
    }

    #[test]
    fn weeks_have_the_number_of_their_thursday() {
        let check = |first, expected| assert_eq!(Locale::default().week_number(first), expected);
        check(date(2025, 11, 24), 48);
        check(date(2025, 11, 23), 48);
        check(date(2025, 12, 29), 1);
        check(date(2026, 12, 28), 53);
        check(date(2025, 11, 28), 49);
    }

    /// What stands for something else in a sentence stands there in every language.
    #[test]
    fn sentences_have_the_same_blanks() {
        for language in [Language::English, Language::German, Language::French, Language::Spanish] {
            let words = language.words();
            assert_eq!(words.offline_since.matches("{}").count(), 1);
            assert_eq!(words.starts_in_minutes.matches("{}").count(), 2);
            assert_eq!(words.starts_now.matches("{}").count(), 1);
            assert!(words.months.iter().chain(&words.weekdays).all(|word| !word.is_empty()));
        }
    }
}

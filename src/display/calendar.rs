//! The pages of some days: a day and a week as grids of time, an agenda, a month.
//!
//! A policy forbids inline styles, so what stands where is said by classes: `c` column, `s` columns
//! that it spans, `n` of how many, `r` row; `h`, `m` and `H`, `M` hour and twelfth of an hour of
//! start and end. Each sets one variable that `assets/calendar.css` computes places from.

use jiff::Timestamp;
use jiff::ToSpan;
use jiff::civil::Date;
use jiff::tz::TimeZone;

use super::frame::{Page, Place};
use super::page::PageOptions;
use super::{CALENDAR_CSS, Screen, Theme};
use crate::calendar::Agenda;
use crate::calendar::days::{self, Days, day_at};
use crate::calendar::locale::{Language, Locale};
use crate::calendar::selection::Meeting;
use crate::calendar::text::{day_with_year, days_with_year, local, month_with_year};
use crate::ical::YEARS;

mod grid;
mod list;
mod month;

/// How some days are laid out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Layout {
    /// `/day`: a grid of time.
    Day,
    /// `/week`: the same for seven days.
    Week,
    /// `/agenda`: a list.
    Agenda,
    /// `/month`: whole weeks.
    Month,
}

/// One of these pages, as it is asked for.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct View {
    /// How it is laid out.
    pub layout: Layout,
    /// A day that it shows; `None` is today.
    pub date: Option<Date>,
    /// How many days it shows, where that can be chosen.
    pub days: Option<u8>,
    /// Only this calendar.
    pub calendar: Option<Box<str>>,
    /// Other colours than usual.
    pub theme: Option<Theme>,
    /// Another language than usual.
    pub language: Option<Language>,
}

const AGENDA_DAYS: usize = 14;
/// After how many seconds a browser without JavaScript asks again.
const EVERY: &str = "300";

impl Layout {
    /// Its days at most, where their number can be chosen.
    pub const fn days_max(self) -> Option<u8> {
        match self {
            Self::Day | Self::Week => Some(14),
            Self::Agenda => Some(60),
            Self::Month => None,
        }
    }

    fn path(self) -> &'static str {
        match self {
            Self::Day => "day",
            Self::Week => "week",
            Self::Agenda => "agenda",
            Self::Month => "month",
        }
    }

    fn class(self) -> &'static str {
        match self {
            Self::Day => "page-day",
            Self::Week => "page-week",
            Self::Agenda => "page-agenda",
            Self::Month => "page-month",
        }
    }

    fn place(self) -> Place {
        match self {
            Self::Day => Place::Day,
            Self::Week => Place::Week,
            Self::Agenda => Place::Agenda,
            Self::Month => Place::Month,
        }
    }
}

impl View {
    /// The usual page of a layout.
    pub const fn of(layout: Layout) -> Self {
        Self { layout, date: None, days: None, calendar: None, theme: None, language: None }
    }

    /// Takes a parameter of its query, if it knows one of this name and there is a value.
    ///
    /// # Errors
    /// What was expected instead.
    pub fn read(&mut self, name: &str, value: &str) -> Result<(), String> {
        if value.is_empty() {
            return Ok(());
        }
        match name {
            "date" => {
                let date = value.parse().ok().filter(|date: &Date| YEARS.contains(&date.year()));
                let expected = || "a day such as 2026-11-23, from 1900 to 2200".to_owned();
                self.date = Some(date.ok_or_else(expected)?);
            }
            "days" => {
                let Some(most) = self.layout.days_max() else { return Ok(()) };
                let days = value.parse().ok().filter(|days| (1..=most).contains(days));
                self.days = Some(days.ok_or_else(|| format!("a whole number, 1 to {most}"))?);
            }
            "theme" => {
                let theme = Theme::parse(value);
                self.theme = Some(theme.ok_or("auto, light, dark or eink")?);
            }
            "lang" => {
                let language = Language::parse(value);
                self.language = Some(language.ok_or("en, de, fr or es")?);
            }
            _ => {}
        }
        Ok(())
    }

    /// How it is written and coloured, where everything else is like `usual`.
    pub fn screen(&self, usual: Screen) -> Screen {
        let language = self.language.unwrap_or(usual.locale.language);
        let locale = Locale { language, ..usual.locale };
        Screen { locale, theme: self.theme.unwrap_or(usual.theme) }
    }

    /// Its first day, and how many it shows.
    pub fn days(&self, today: Date, locale: &Locale) -> (Date, usize) {
        let date = self.date.unwrap_or(today);
        let count = self.days.map(usize::from);
        match (self.layout, count) {
            (Layout::Day, _) => (date, count.unwrap_or(1)),
            (Layout::Week, Some(count)) => (date, count),
            (Layout::Week, None) => (locale.week_start.first_of(date), 7),
            (Layout::Agenda, _) => (date, count.unwrap_or(AGENDA_DAYS)),
            (Layout::Month, _) => {
                let first = locale.week_start.in_month().first_of(date.first_of_month());
                let before = date.first_of_month().since(first).map_or(0, |span| span.get_days());
                let days = usize::try_from(before + i32::from(date.days_in_month())).unwrap_or(42);
                (first, days.div_ceil(7) * 7)
            }
        }
    }

    /// The time that it shows.
    pub fn window(
        &self,
        now: Timestamp,
        zone: &TimeZone,
        locale: &Locale,
    ) -> (Timestamp, Timestamp) {
        let (first, count) = self.days(zone.to_datetime(now).date(), locale);
        days::window(first, count, zone)
    }

    /// Days of the pages before and after it.
    fn neighbours(&self, today: Date, (first, count): (Date, usize)) -> [Date; 2] {
        let days = i64::try_from(count).unwrap_or(1);
        match self.layout {
            Layout::Month => {
                let month = self.date.unwrap_or(today).first_of_month();
                [month.saturating_sub(1.month()), month.saturating_add(1.month())]
            }
            _ => [first.saturating_sub(days.days()), day_at(first, count)],
        }
    }

    /// What links to other pages keep of the query, and what those to its neighbours do.
    fn queries(&self, zone: Option<&str>) -> [String; 2] {
        let theme = self.theme.map(|theme| match theme {
            Theme::Auto => "auto",
            Theme::Light => "light",
            Theme::Dark => "dark",
            Theme::Eink => "eink",
        });
        let language = self.language.map(|language| language.words().tag);
        let pairs = [
            ("calendar", self.calendar.as_deref()),
            ("tz", zone),
            ("theme", theme),
            ("lang", language),
        ];
        let mut query = form_urlencoded::Serializer::new(String::new());
        for (name, value) in pairs {
            value.map(|value| query.append_pair(name, value));
        }
        let kept = query.finish();
        let days = self.days.map(|days| format!("days={days}"));
        let joint = if kept.is_empty() || days.is_none() { "" } else { "&" };
        let all = format!("{}{joint}{kept}", days.unwrap_or_default());
        [kept, all]
    }
}

/// One of these pages. `zone` is the one that was asked for, if one was.
pub fn page(
    agenda: &Agenda<'_>,
    view: &View,
    zone: Option<&str>,
    options: &PageOptions<'_>,
) -> String {
    let mut page = Page::new(agenda, options);
    let locale = &options.locale;
    let today = page.today();
    let (first, count) = view.days(today, locale);
    let date = view.date.unwrap_or(today);
    let title = match view.layout {
        Layout::Month => month_with_year(date, locale),
        _ if count == 1 => day_with_year(first, locale),
        _ => days_with_year(first, day_at(first, count - 1), locale),
    };
    let days = Days::new(agenda, first, count, view.calendar.as_deref());
    page.head(&title, Some(CALENDAR_CSS), EVERY);
    page.open(days.changes_at, view.layout.class());
    page.banner(view, &title, (first, count), zone);
    page.notices();
    if days.truncated {
        page.html.markup("<p class=\"notice\" role=\"status\">").text(page.words.not_all);
        page.html.markup("</p>\n");
    }
    page.html.markup("<main class=\"calendar-content\" data-current-time=\"");
    page.html.text(&local(agenda.now, agenda.zone)).markup("\">\n");
    let kept = view.queries(zone)[0].clone();
    match view.layout {
        Layout::Day | Layout::Week => page.grid(&days, &kept),
        Layout::Agenda => page.list(&days, &kept),
        Layout::Month => page.month(&days, date, &kept),
    }
    page.html.markup("</main>\n<footer>\n");
    page.legend();
    page.navigation(view.layout.place(), view.date, &kept);
    page.html.markup("</footer>\n");
    page.close()
}

impl Page<'_> {
    /// What is shown, the way to its neighbours and back to today, and the clock.
    fn banner(&mut self, view: &View, title: &str, span: (Date, usize), zone: Option<&str>) {
        let (words, today) = (self.words, self.today());
        self.html.markup("<header class=\"banner\">\n<h1>").text(title);
        if view.layout == Layout::Week && self.options.locale.week_numbers {
            let number = self.options.locale.week_number(span.0);
            self.html.markup(" <small>").text(words.week_number).markup(" ");
            self.html.number(number.into()).markup("</small>");
        }
        self.html.markup("</h1>\n<nav class=\"steps\">");
        let [before, after] = view.neighbours(today, span);
        let query = &view.queries(zone)[1];
        let steps = [
            (Some(before), "‹", words.earlier),
            (None, words.today, ""),
            (Some(after), "›", words.later),
        ];
        for (date, text, label) in steps {
            self.html.markup("<a href=\"").markup(view.layout.path());
            self.query(date, query);
            if !label.is_empty() {
                self.html.markup("\" aria-label=\"").text(label);
            }
            self.html.markup("\">").text(text).markup("</a>");
        }
        self.html.markup("</nav>\n");
        self.clock();
        self.html.markup("</header>\n");
    }

    /// A class that sets one variable, unless it is the one that it has anyway.
    fn class(&mut self, name: &'static str, value: usize, usual: usize) {
        if value != usual {
            self.html.markup(name).number(i64::try_from(value).unwrap_or(0));
        }
    }

    /// Classes for what can be said of any meeting.
    fn state(&mut self, meeting: &Meeting<'_>) {
        let now = self.agenda.now;
        self.html.markup(if meeting.end <= now && meeting.start < now {
            " past"
        } else if meeting.start <= now && self.agenda.clock_is_set && !meeting.all_day {
            " running"
        } else {
            ""
        });
        self.html.markup(if meeting.skipped_until.is_some() { " skipped" } else { "" });
        self.html.markup(if meeting.tentative { " unsettled" } else { "" });
    }

    /// Events of this day are stored, if there are any.
    fn is_kept(&self, date: Date) -> bool {
        self.options.kept.is_none_or(|(first, last)| (first..=last).contains(&date))
    }

    /// There is nothing on any of these days, or nobody knows.
    fn nothing(&mut self, days: &Days<'_>) {
        let is_known = days.days.iter().any(|day| self.is_kept(day.date));
        let text = if is_known { self.words.no_events } else { self.words.not_kept };
        self.html.markup("<p class=\"nothing\">").text(text).markup("</p>\n");
    }

    /// A link to a day, around whatever `text` writes.
    fn day_link(&mut self, date: Date, kept: &str, text: impl FnOnce(&mut Self)) {
        self.html.markup("<a href=\"day");
        self.query(Some(date), kept);
        self.html.markup("\">");
        text(self);
        self.html.markup("</a>");
    }

    /// How many more there are than are shown; `class` says when that is so.
    fn more(&mut self, class: &'static str, more: usize) {
        if more > 0 {
            self.html.markup("<span class=\"more").markup(class).markup("\"> +");
            self.html.number(i64::try_from(more).unwrap_or(i64::MAX));
            self.html.markup("<span class=\"unseen\"> ").text(self.words.more);
            self.html.markup("</span></span>");
        }
    }
}

#[cfg(test)]
mod tests;

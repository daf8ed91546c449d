//! What all pages have: head, header, notices, links to each other, legend, and how a meeting's
//! title, times and marks are written.

use jiff::Timestamp;
use jiff::civil::Date;

use super::html::Html;
use super::{Asset, FAVICON, PAGE_CSS, PAGE_JS, Theme, mark};
use crate::calendar::locale::{Locale, Words};
use crate::calendar::selection::{self, Meeting};
use crate::calendar::settings::{Density, Display, Word};
use crate::calendar::text::{clock, cut, day_from_in, day_in, local, span_in, utc};
use crate::calendar::{Agenda, CalendarStatus};

/// What a page needs to know beside the agenda.
#[derive(Clone, Copy, Debug, Default)]
pub struct PageOptions<'a> {
    /// Names this build; a page of another one reloads itself.
    pub build_id: &'a str,
    /// How it is written.
    pub locale: Locale,
    /// Colours.
    pub theme: Theme,
    /// The only calendar is the one that is built in.
    pub demo: bool,
    /// The first and the last day whose events are stored, where that has an end.
    pub kept: Option<(Date, Date)>,
}

/// No screen shows more of a title.
const TITLE_CHARS_MAX: usize = 160;
/// Nor of a place.
const PLACE_CHARS_MAX: usize = 80;

/// Links from page to page, in the order in which they stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    WhatsNext,
    Day,
    Week,
    Agenda,
    Month,
    Dashboard,
    Settings,
}

impl Place {
    const ALL: [Self; 7] = [
        Self::WhatsNext,
        Self::Day,
        Self::Week,
        Self::Agenda,
        Self::Month,
        Self::Dashboard,
        Self::Settings,
    ];

    /// Relative, so that it holds behind whatever path a proxy puts in front.
    fn path(self) -> &'static str {
        match self {
            Self::WhatsNext => "./",
            Self::Day => "day",
            Self::Week => "week",
            Self::Agenda => "agenda",
            Self::Month => "month",
            Self::Dashboard => "dashboard",
            Self::Settings => "settings",
        }
    }

    fn title(self, words: &Words) -> &'static str {
        match self {
            Self::WhatsNext => words.whats_next,
            Self::Day => words.day,
            Self::Week => words.week,
            Self::Agenda => words.agenda,
            Self::Month => words.month,
            Self::Dashboard => words.dashboard,
            Self::Settings => words.settings,
        }
    }

    /// It shows the days around one that can be chosen.
    fn has_date(self) -> bool {
        matches!(self, Self::Day | Self::Week | Self::Agenda | Self::Month)
    }
}

/// Language and colours; density, sizes of letters and movement as people have set them.
pub(super) fn html_tag(html: &mut Html, words: &Words, theme: Theme, display: &Display) {
    const SIZED: [&str; 4] =
        [" data-headers=\"", " data-body=\"", " data-times=\"", " data-places=\""];
    html.markup("<!DOCTYPE html>\n<html lang=\"").text(words.tag).markup(match theme {
        Theme::Auto => "\"",
        Theme::Light => "\" data-theme=\"light\"",
        Theme::Dark => "\" data-theme=\"dark\"",
        Theme::Eink => "\" data-theme=\"eink\"",
    });
    html.markup(match display.density {
        Density::Compact => " data-density=\"compact\"",
        Density::Normal => "",
        Density::Spacious => " data-density=\"spacious\"",
    });
    for (part, size) in SIZED.into_iter().zip(display.font_sizes) {
        if let Some(size) = size {
            html.markup(part).markup(size.word()).markup("\"");
        }
    }
    html.markup(if display.animation { ">\n" } else { " data-still=\"1\">\n" });
}

/// A page as it is written.
pub(super) struct Page<'a> {
    pub(super) html: Html,
    pub(super) agenda: &'a Agenda<'a>,
    pub(super) options: &'a PageOptions<'a>,
    pub(super) words: &'static Words,
}

impl<'a> Page<'a> {
    pub(super) fn new(agenda: &'a Agenda<'a>, options: &'a PageOptions<'a>) -> Self {
        Self { html: Html::default(), agenda, options, words: options.locale.words() }
    }

    /// Everything before the part that the script replaces. `sheet` is a stylesheet beside that of
    /// all pages, `every` after how many seconds a browser without JavaScript asks again.
    pub(super) fn head(&mut self, title: &str, sheet: Option<Asset>, every: &'static str) {
        let Self { words, options, .. } = *self;
        let PageOptions { build_id, theme, .. } = *options;
        html_tag(&mut self.html, words, theme, &self.agenda.settings.display);
        self.html.markup(
            "<head>\n<meta charset=\"utf-8\">\n\
             <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
             <meta name=\"color-scheme\" content=\"light dark\">\n\
             <meta name=\"calendarbot-ready\" content=\"1\">\n<title>",
        );
        self.html.text(title);
        let mut link = |before, path: &'static str, after| {
            self.html.markup(before).markup(path.trim_start_matches('/'));
            self.html.markup("?v=").text(build_id).markup(after);
        };
        link("</title>\n<link rel=\"icon\" href=\"", FAVICON.path, "\" type=\"image/svg+xml\">\n");
        for sheet in [Some(PAGE_CSS), sheet].into_iter().flatten() {
            link("<link rel=\"stylesheet\" href=\"", sheet.path, "\">\n");
        }
        link("<script src=\"", PAGE_JS.path, "\" defer></script>\n");
        self.html.markup("<noscript><meta http-equiv=\"refresh\" content=\"").markup(every);
        self.html.markup("\"></noscript>\n</head>\n<body");
        for (name, value) in [
            (" data-now=\"", words.now),
            (" data-minutes=\"", words.minutes),
            (" data-hours=\"", words.hours),
            (" data-offline=\"", words.offline_since),
            (" data-soon=\"", words.starts_in_minutes),
            (" data-starts=\"", words.starts_now),
            (" data-skip=\"", words.skip),
            (" data-hide=\"", words.hide),
            (" data-skipped=\"", words.skipped),
            (" data-hidden=\"", words.hidden),
            (" data-undo=\"", words.undo),
            (" data-failed=\"", words.failed),
        ] {
            self.html.markup(name).text(value).markup("\"");
        }
        self.html.markup(">\n");
    }

    /// Opens the part that the script replaces, with what it needs for that: the server's now, when
    /// the page becomes wrong, the zone's offset in seconds, and the build.
    pub(super) fn open(&mut self, changes_at: Timestamp, class: &'static str) {
        let Agenda { now, zone, .. } = *self.agenda;
        let offset = i64::from(zone.to_offset(now).seconds());
        self.html.markup("<div id=\"view\" class=\"").markup(class);
        self.html.markup("\" data-now=\"").text(&utc(now));
        self.html.markup("\" data-changes=\"").text(&utc(changes_at));
        self.html.markup("\" data-offset=\"").number(offset);
        self.html.markup("\" data-build=\"").text(self.options.build_id);
        self.html.markup(if self.options.locale.hour12 { "\" data-hour12=\"1" } else { "" });
        self.html.markup("\">\n");
        mark::symbols(&mut self.html, self.agenda.calendars, self.options.theme);
    }

    /// The clock on the wall, where anybody knows the time.
    pub(super) fn clock(&mut self) {
        let unset = if self.agenda.clock_is_set { "" } else { " unset" };
        self.html.markup("<p class=\"clock").markup(unset).markup("\">");
        self.time(self.agenda.now);
        self.html.markup("</p>\n");
    }

    /// What the reader must know before they believe the rest.
    pub(super) fn notices(&mut self) {
        let (words, freshness) = (self.words, selection::freshness_in(self.agenda, self.words));
        if freshness.stale {
            self.html.markup("<p class=\"notice stale\" role=\"status\"><strong>");
            match freshness.as_of {
                Some(at) => {
                    self.html.text(words.as_of).markup(" ");
                    self.moment(at);
                }
                None => _ = self.html.text(words.incomplete),
            }
            self.html.markup("</strong> <span>");
            self.html.foreign(freshness.reason.as_deref().unwrap_or_default());
            self.html.markup("</span></p>\n");
        }
        let first_run = if self.agenda.calendars.is_empty() {
            words.no_calendar
        } else if self.options.demo {
            words.demo_calendar
        } else {
            return;
        };
        self.html.markup("<p class=\"notice\">").text(first_run).markup(" <a href=\"setup\">");
        self.html.text(words.add_yours).markup("</a></p>\n");
    }

    /// Links to all other pages. They keep what has been chosen: the day and what `query` holds.
    pub(super) fn navigation(&mut self, here: Place, date: Option<Date>, query: &str) {
        self.html.markup("<nav class=\"places\">\n<ul>\n");
        for place in Place::ALL {
            let date = date.filter(|_| place.has_date());
            self.html.markup("<li><a href=\"").markup(place.path());
            self.query(date, if place.has_date() { query } else { "" });
            self.html.markup(if place == here { "\" aria-current=\"page\">" } else { "\">" });
            self.html.text(place.title(self.words)).markup("</a></li>\n");
        }
        self.html.markup("</ul>\n</nav>\n");
    }

    /// The query of a link to some day.
    pub(super) fn query(&mut self, date: Option<Date>, further: &str) {
        if let Some(date) = date {
            self.html.markup("?date=").text(&date.to_string());
        }
        if !further.is_empty() {
            self.html.markup(if date.is_some() { "&amp;" } else { "?" }).text(further);
        }
    }

    /// Which mark stands for which calendar; nobody needs that for a single one.
    pub(super) fn legend(&mut self) {
        let calendars = self.agenda.calendars;
        if calendars.len() < 2 {
            return;
        }
        self.html.markup("<ul class=\"legend\" aria-label=\"").text(self.words.calendars);
        self.html.markup("\">\n");
        for (index, CalendarStatus { name, .. }) in calendars.iter().enumerate() {
            self.html.markup("<li>");
            mark::write(&mut self.html, index, "");
            self.html.foreign(name).markup("</li>\n");
        }
        self.html.markup("</ul>\n");
    }

    /// Everything after the part that the script replaces.
    pub(super) fn close(mut self) -> String {
        self.html.markup(
            "</div>\n<p id=\"offline\" class=\"notice\" role=\"status\" hidden></p>\n\
             <p id=\"done\" class=\"notice\" role=\"status\" hidden></p>\n\
             <p id=\"announce\" class=\"unseen\" aria-live=\"polite\"></p>\n</body>\n</html>\n",
        );
        self.html.into_string()
    }

    /// The marks of the calendars that have it, in one box.
    pub(super) fn mark(&mut self, meeting: &Meeting<'_>) {
        let shared = meeting.calendars().nth(1).is_some();
        self.html.markup(if shared { "<span class=\"marks\">" } else { "" });
        for (index, CalendarStatus { name, .. }) in meeting.calendars() {
            mark::write(&mut self.html, index, name);
        }
        self.html.markup(if shared { "</span>" } else { "" });
    }

    /// Its title, which leads to where it takes place.
    pub(super) fn title(&mut self, meeting: &Meeting<'_>) {
        let title = cut(meeting.title_in(self.words), TITLE_CHARS_MAX);
        self.overlap(meeting);
        match meeting.url() {
            Some(url) => {
                self.html.markup("<a rel=\"noopener noreferrer\" href=\"").text(url);
                self.html.markup("\">").foreign(title).markup("</a>");
            }
            None => _ = self.html.foreign(title),
        }
    }

    /// It overlaps another one, and people want to know.
    pub(super) fn overlap(&mut self, meeting: &Meeting<'_>) {
        if meeting.has_conflict {
            self.html.markup("<span class=\"overlap\" role=\"img\" aria-label=\"");
            self.html.text(self.words.overlaps).markup("\"></span>");
        }
    }

    pub(super) fn tentative(&mut self, meeting: &Meeting<'_>) {
        if meeting.tentative {
            self.html.markup(" <span class=\"tentative\">").text(self.words.tentative);
            self.html.markup("</span>");
        }
    }

    pub(super) fn place(&mut self, meeting: &Meeting<'_>) {
        if !meeting.location().is_empty() {
            self.html.markup(" <span class=\"place\">");
            self.html.foreign(cut(meeting.location(), PLACE_CHARS_MAX));
            self.html.markup("</span>");
        }
    }

    /// What old front-ends find an event's start by.
    pub(super) fn event_time(&mut self, meeting: &Meeting<'_>) {
        let start = local(meeting.start, self.agenda.zone);
        self.html.markup(" data-event-time=\"").text(&start).markup("\"");
    }

    /// Where the script puts buttons for what a person can do about it.
    pub(super) fn acts(&mut self, meeting: &Meeting<'_>) {
        self.html.markup("<p class=\"acts\" data-id=\"").text(&meeting.entry.id);
        self.html.markup("\"></p>");
    }

    pub(super) fn time(&mut self, at: Timestamp) {
        let Agenda { zone, .. } = *self.agenda;
        self.html.markup("<time datetime=\"").text(&local(at, zone)).markup("\">");
        self.html.text(&clock(at, zone, self.options.locale.hour12)).markup("</time>");
    }

    /// A time of day, with its date when that is not today.
    pub(super) fn moment(&mut self, at: Timestamp) {
        let today = self.today();
        let date = self.agenda.zone.to_datetime(at).date();
        if date != today {
            let day = day_from_in(date, today, &self.options.locale);
            self.html.text(&day).markup(" ");
        }
        self.time(at);
    }

    /// The time until `at` in words; the script makes it tick.
    pub(super) fn countdown(&mut self, at: Timestamp) {
        let left = at.as_second() - self.agenda.now.as_second();
        self.html.markup("<time class=\"countdown words\" datetime=\"").text(&utc(at));
        self.html.markup("\">").text(&span_in(left, &self.options.locale)).markup("</time>");
    }

    /// `until Wednesday 26 November`, of what goes on after `date`.
    pub(super) fn until(&mut self, meeting: &Meeting<'_>, date: Date) {
        let last = meeting.last_date(self.agenda.zone);
        if last > date {
            self.html.markup(" <span class=\"until\">").text(self.words.until).markup(" ");
            self.html.text(&day_in(last, &self.options.locale)).markup("</span>");
        }
    }

    pub(super) fn today(&self) -> Date {
        self.agenda.zone.to_datetime(self.agenda.now).date()
    }
}

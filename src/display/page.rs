//! The What's Next page: everything on it is written here, complete for a browser without
//! JavaScript; `assets/page.js` only counts down and fetches the page again.

use jiff::Timestamp;

use super::html::Html;
use super::{FAVICON, PAGE_CSS, PAGE_JS, mark};
use crate::calendar::selection::{self, Meeting, Today, WhatsNext};
use crate::calendar::text::{clock, day, day_from, local, span, utc};
use crate::calendar::{Agenda, CalendarStatus};

/// What a page needs to know beside the agenda.
#[derive(Clone, Copy, Debug, Default)]
pub struct PageOptions<'a> {
    /// Names this build; a page of another one reloads itself.
    pub build_id: &'a str,
    /// `2:05 pm` rather than `14:05`.
    pub hour12: bool,
    /// Colours.
    pub theme: Theme,
    /// The only calendar is the one that is built in.
    pub demo: bool,
}

/// The colours of a page.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Theme {
    /// As the browser prefers.
    #[default]
    Auto,
    /// Dark on light.
    Light,
    /// Light on dark.
    Dark,
    /// Black on white, nothing moves: for electronic paper.
    Eink,
}

/// Meetings after the next one; more do not fit on any screen.
pub const LATER_MAX: usize = 9;
/// All-day events that are named; the rest is counted.
const ALL_DAY_MAX: usize = 3;
/// Seconds before a start at which the page looks urgent.
const SOON_SECONDS: i64 = 15 * 60;
/// Seconds before a start at which one should get up.
const CRITICAL_SECONDS: i64 = 2 * 60;

/// The page at `/`.
pub fn whats_next(agenda: &Agenda<'_>, options: &PageOptions<'_>) -> String {
    let view = selection::whats_next(agenda, LATER_MAX);
    let mut page = Page { html: Html::default(), agenda, options };
    page.head(&view);
    page.header(&view);
    page.notices();
    page.html.markup("<main>\n");
    page.all_day(&view.all_day);
    page.html.markup("<div class=\"stage\">\n");
    page.hero(&view);
    page.plan(&view);
    page.html.markup("</div>\n</main>\n");
    page.legend();
    page.html.markup(
        "</div>\n<p id=\"offline\" class=\"notice\" role=\"status\" hidden></p>\n\
         <p id=\"announce\" class=\"unseen\" aria-live=\"polite\"></p>\n</body>\n</html>\n",
    );
    page.html.into_string()
}

/// The meeting that the page is about: the one that began last of those that are running, or
/// else the next one of today.
fn hero<'a>(view: &WhatsNext<'a>) -> Option<Meeting<'a>> {
    match view.today {
        Today::Ahead => view.current.last().copied().or(view.next),
        Today::Free | Today::Done => None,
    }
}

struct Page<'a> {
    html: Html,
    agenda: &'a Agenda<'a>,
    options: &'a PageOptions<'a>,
}

impl Page<'_> {
    fn head(&mut self, view: &WhatsNext<'_>) {
        let build_id = self.options.build_id;
        self.html.markup("<!DOCTYPE html>\n<html lang=\"en\"");
        self.html.markup(match self.options.theme {
            Theme::Auto => "",
            Theme::Light => " data-theme=\"light\"",
            Theme::Dark => " data-theme=\"dark\"",
            Theme::Eink => " data-theme=\"eink\"",
        });
        self.html.markup(
            ">\n<head>\n<meta charset=\"utf-8\">\n\
             <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
             <meta name=\"color-scheme\" content=\"light dark\">\n\
             <meta name=\"calendarbot-ready\" content=\"1\">\n<title>",
        );
        match hero(view) {
            Some(meeting) => {
                let start = clock(meeting.start, self.agenda.zone, self.options.hour12);
                self.html.text(&start).markup(" ").text(meeting.title());
            }
            None => _ = self.html.markup("What’s next"),
        }
        // Relative, so that they hold behind whatever path a proxy puts in front.
        let mut link = |before, path: &'static str, after| {
            self.html.markup(before).markup(path.trim_start_matches('/'));
            self.html.markup("?v=").text(build_id).markup(after);
        };
        link("</title>\n<link rel=\"icon\" href=\"", FAVICON.path, "\" type=\"image/svg+xml\">\n");
        link("<link rel=\"stylesheet\" href=\"", PAGE_CSS.path, "\">\n");
        link("<script src=\"", PAGE_JS.path, "\" defer></script>\n");
        self.html.markup("<noscript><meta http-equiv=\"refresh\" content=\"30\"></noscript>\n");
        self.html.markup("</head>\n<body>\n");
    }

    /// Opens the part of the page that the script replaces, with what it needs for that: the
    /// server's now, when the page becomes wrong, the zone's offset in seconds, and the build.
    fn header(&mut self, view: &WhatsNext<'_>) {
        let Agenda { now, zone, .. } = *self.agenda;
        let offset = i64::from(zone.to_offset(now).seconds());
        self.html.markup("<div id=\"view\" data-now=\"").text(&utc(now));
        self.html.markup("\" data-changes=\"").text(&utc(view.changes_at));
        self.html.markup("\" data-offset=\"").number(offset);
        self.html.markup("\" data-build=\"").text(self.options.build_id);
        self.html.markup(if self.options.hour12 { "\" data-hour12=\"1" } else { "" });
        let class = if self.agenda.clock_is_set { "" } else { " class=\"unset\"" };
        self.html.markup("\">\n<header").markup(class).markup(">\n<p class=\"date\">");
        self.html.text(&day(zone.to_datetime(now).date())).markup("</p>\n<p class=\"clock\">");
        self.time(now);
        self.html.markup("</p>\n</header>\n");
    }

    fn notices(&mut self) {
        let freshness = selection::freshness(self.agenda);
        if freshness.stale {
            self.html.markup("<p class=\"notice stale\" role=\"status\"><strong>");
            match freshness.as_of {
                Some(at) => {
                    self.html.markup("as of ");
                    self.moment(at);
                }
                None => _ = self.html.markup("incomplete"),
            }
            self.html.markup("</strong> <span>");
            self.html.foreign(freshness.reason.as_deref().unwrap_or_default());
            self.html.markup("</span></p>\n");
        }
        if self.agenda.calendars.is_empty() {
            self.html.markup("<p class=\"notice\">There is no calendar yet. ");
        } else if self.options.demo {
            self.html.markup("<p class=\"notice\">This is the demo calendar. ");
        } else {
            return;
        }
        self.html.markup("Add yours: <code>CALENDARBOT_ICS_URL=https://…</code></p>\n");
    }

    /// A time of day, with its date when that is not today.
    fn moment(&mut self, at: Timestamp) {
        let today = self.agenda.zone.to_datetime(self.agenda.now).date();
        let date = self.agenda.zone.to_datetime(at).date();
        if date != today {
            self.html.text(&day_from(date, today)).markup(" ");
        }
        self.time(at);
    }

    fn all_day(&mut self, meetings: &[Meeting<'_>]) {
        if meetings.is_empty() {
            return;
        }
        let today = self.agenda.zone.to_datetime(self.agenda.now).date();
        self.html.markup("<ul class=\"all-day\" aria-label=\"All day\">\n");
        for meeting in meetings.iter().take(ALL_DAY_MAX) {
            self.html.markup("<li>");
            self.mark(meeting);
            self.title(meeting);
            let end = self.agenda.zone.to_datetime(meeting.end).date();
            if let Some(last) = end.yesterday().ok().filter(|&last| last > today) {
                self.html.markup(" <span class=\"until\">until ").text(&day(last));
                self.html.markup("</span>");
            }
            self.html.markup("</li>\n");
        }
        if let Some(more) = meetings.len().checked_sub(ALL_DAY_MAX).filter(|&more| more > 0) {
            self.html.markup("<li>+").text(&more.to_string()).markup(" more</li>\n");
        }
        self.html.markup("</ul>\n");
    }

    fn hero(&mut self, view: &WhatsNext<'_>) {
        let Some(meeting) = hero(view) else { return self.rest(view) };
        let now = self.agenda.now.as_second();
        let running = meeting.start <= self.agenda.now;
        let left = meeting.start.as_second() - now;
        self.html.markup(if running {
            "<section class=\"hero now\">\n<p class=\"label\">Now"
        } else if left <= CRITICAL_SECONDS {
            "<section class=\"hero critical\">\n<p class=\"label\">Next"
        } else if left <= SOON_SECONDS {
            "<section class=\"hero soon\">\n<p class=\"label\">Next"
        } else {
            "<section class=\"hero\">\n<p class=\"label\">Next"
        });
        self.html.markup("</p>\n<h1>");
        self.mark(&meeting);
        self.title(&meeting);
        self.html.markup("</h1>\n<p class=\"when\">");
        self.time(meeting.start);
        self.html.markup(" – ");
        self.time(meeting.end);
        self.tentative(&meeting);
        if !meeting.location().is_empty() {
            self.html.markup(" <span class=\"place\">").foreign(meeting.location());
            self.html.markup("</span>");
        }
        self.html.markup("</p>\n<p class=\"count\"><span>");
        self.html.markup(if running { "ends in" } else { "starts in" }).markup("</span> ");
        self.countdown(if running { meeting.end } else { meeting.start });
        self.html.markup("</p>\n");
        if running {
            let start = meeting.start.as_second();
            self.html.markup("<progress aria-label=\"Time passed\" data-start=\"").number(start);
            self.html.markup("\" max=\"").number(meeting.end.as_second() - start);
            self.html.markup("\" value=\"").number(now - start).markup("\"></progress>\n");
        }
        self.html.markup("</section>\n");
    }

    /// What stands in the hero's place when nothing more happens today.
    fn rest(&mut self, view: &WhatsNext<'_>) {
        self.html.markup(
            "<section class=\"hero rest\">\n\
             <svg class=\"dusk\" viewBox=\"0 0 120 60\" aria-hidden=\"true\">\
             <path d=\"M32 48a28 28 0 0 1 56 0z\"/>\
             <path class=\"line\" d=\"M4 48h112M60 4v8M24 19l6 6M96 19l-6 6M40 56h40\"/></svg>\n<h1>",
        );
        self.html.markup(match (view.today, view.next) {
            _ if !self.agenda.clock_is_set => "The clock is not set",
            (Today::Done, _) => "Done for today",
            (_, Some(_)) => "Nothing today",
            (_, None) => "Nothing scheduled",
        });
        self.html.markup("</h1>\n<p class=\"when\">");
        match view.next {
            Some(next) => {
                self.html.markup("Next: ");
                self.moment(next.start);
            }
            None if !self.agenda.clock_is_set => {
                self.html.markup("Waiting for the network to tell the time");
            }
            None => _ = self.html.markup("The days ahead are clear"),
        }
        self.html.markup("</p>\n</section>\n");
    }

    /// What follows the hero: meetings that run beside it, the next one if that is not the hero,
    /// and later ones, under their days.
    fn plan(&mut self, view: &WhatsNext<'_>) {
        let hero = hero(view);
        let is_hero = |m: &Meeting<'_>| hero.is_some_and(|h| std::ptr::eq(h.entry, m.entry));
        let rows = view.current.iter().chain(&view.next).chain(&view.later);
        let mut rows = rows.filter(|&m| !is_hero(m)).peekable();
        if rows.peek().is_none() {
            return;
        }
        let today = self.agenda.zone.to_datetime(self.agenda.now).date();
        let mut shown = None;
        self.html.markup("<section class=\"plan\" aria-label=\"Then\">\n<ol>\n");
        for meeting in rows {
            let date = self.agenda.zone.to_datetime(meeting.start.max(self.agenda.now)).date();
            self.html.markup("<li>");
            if shown.replace(date) != Some(date) {
                self.html.markup("<h2>");
                if date == today {
                    self.html.markup(if hero.is_some() { "Then" } else { "Today" });
                } else {
                    self.html.text(&day_from(date, today));
                }
                self.html.markup("</h2>");
            }
            self.row(meeting, view.next.is_some_and(|n| std::ptr::eq(n.entry, meeting.entry)));
            self.html.markup("</li>\n");
        }
        self.html.markup("</ol>\n</section>\n");
    }

    fn row(&mut self, meeting: &Meeting<'_>, is_next: bool) {
        self.html.markup("<p class=\"time\">");
        if meeting.all_day {
            self.html.markup("all day");
        } else {
            self.time(meeting.start);
            self.html.markup("<span class=\"end\"> – ");
            self.time(meeting.end);
            self.html.markup("</span>");
        }
        self.html.markup("</p>");
        self.mark(meeting);
        self.html.markup("<div class=\"what\"><h3>");
        self.title(meeting);
        self.html.markup("</h3><p>");
        let soon = meeting.start > self.agenda.now
            && meeting.start.as_second() - self.agenda.now.as_second() < 3600;
        if is_next && soon {
            self.html.markup("<span class=\"in\">in ");
            self.countdown(meeting.start);
            self.html.markup("</span>");
        } else if meeting.start <= self.agenda.now {
            self.html.markup("<span class=\"in\">now</span>");
        }
        self.tentative(meeting);
        if !meeting.location().is_empty() {
            self.html.markup(" <span class=\"place\">").foreign(meeting.location());
            self.html.markup("</span>");
        }
        self.html.markup("</p></div>");
    }

    /// Which mark stands for which calendar; nobody needs that for a single one.
    fn legend(&mut self) {
        let calendars = self.agenda.calendars;
        if calendars.len() < 2 {
            return;
        }
        self.html.markup("<footer>\n<ul aria-label=\"Calendars\">\n");
        for (index, CalendarStatus { name, color, .. }) in calendars.iter().enumerate() {
            self.html.markup("<li aria-hidden=\"true\">");
            mark::write(&mut self.html, index, name, color);
            self.html.foreign(name).markup("</li>\n");
        }
        self.html.markup("</ul>\n</footer>\n");
    }

    /// The marks of the calendars that have it, in one box.
    fn mark(&mut self, meeting: &Meeting<'_>) {
        let shared = meeting.calendars().nth(1).is_some();
        self.html.markup(if shared { "<span class=\"marks\">" } else { "" });
        for (index, CalendarStatus { name, color, .. }) in meeting.calendars() {
            mark::write(&mut self.html, index, name, color);
        }
        self.html.markup(if shared { "</span>" } else { "" });
    }

    fn title(&mut self, meeting: &Meeting<'_>) {
        match meeting.url() {
            Some(url) => {
                self.html.markup("<a rel=\"noopener noreferrer\" href=\"").text(url);
                self.html.markup("\">").foreign(meeting.title()).markup("</a>");
            }
            None => _ = self.html.foreign(meeting.title()),
        }
    }

    fn tentative(&mut self, meeting: &Meeting<'_>) {
        if meeting.tentative {
            self.html.markup(" <span class=\"tentative\">tentative</span>");
        }
    }

    fn time(&mut self, at: Timestamp) {
        let Agenda { zone, .. } = *self.agenda;
        self.html.markup("<time datetime=\"").text(&local(at, zone)).markup("\">");
        self.html.text(&clock(at, zone, self.options.hour12)).markup("</time>");
    }

    /// The time until `at` in words; the script makes it tick.
    fn countdown(&mut self, at: Timestamp) {
        let left = at.as_second() - self.agenda.now.as_second();
        self.html
            .markup("<time class=\"countdown words\" datetime=\"")
            .text(&utc(at))
            .markup("\">");
        self.html.text(&span(left)).markup("</time>");
    }
}

#[cfg(test)]
mod tests;

//! The What's Next page: everything on it is written here, complete for a browser without
//! JavaScript; `assets/page.js` counts down, fetches the page again, and skips and hides.

use super::frame::{Page, Place};
use crate::calendar::Agenda;
use crate::calendar::selection::{self, Meeting, Today, WhatsNext};
use crate::calendar::text::{clock, day_from_in, day_in, local};

pub use super::frame::PageOptions;

/// Meetings after the next one; more do not fit on any screen.
pub const LATER_MAX: usize = 9;
/// All-day events that are named; the rest is counted.
const ALL_DAY_MAX: usize = 3;
/// Seconds before a start at which the page looks urgent.
const SOON_SECONDS: i64 = 15 * 60;
/// Seconds before a start at which one should get up.
const CRITICAL_SECONDS: i64 = 2 * 60;
/// After how many seconds a browser without JavaScript asks again.
const EVERY: &str = "30";

/// The page at `/`.
pub fn whats_next(agenda: &Agenda<'_>, options: &PageOptions<'_>) -> String {
    let view = selection::whats_next(agenda, LATER_MAX);
    let mut page = Page::new(agenda, options);
    let title = match hero(&view) {
        Some(meeting) => {
            let start = clock(meeting.start, agenda.zone, options.locale.hour12);
            format!("{start} {}", meeting.title_in(page.words))
        }
        None => page.words.whats_next.to_owned(),
    };
    page.head(&title, None, EVERY);
    page.open(view.changes_at, "whats-next");
    page.header();
    page.notices();
    page.html.markup("<main class=\"calendar-content\" data-current-time=\"");
    page.html.text(&local(agenda.now, agenda.zone)).markup("\">\n");
    page.all_day(&view.all_day);
    page.html.markup("<div class=\"stage\">\n");
    page.hero(&view);
    page.plan(&view);
    page.html.markup("</div>\n</main>\n<footer>\n");
    page.legend();
    page.navigation(Place::WhatsNext, None, "");
    page.html.markup("</footer>\n");
    page.close()
}

/// The meeting that the page is about: the one that began last of those that are running, or
/// else the next one of today.
fn hero<'a>(view: &WhatsNext<'a>) -> Option<Meeting<'a>> {
    match view.today {
        Today::Ahead => view.current.last().copied().or(view.next),
        Today::Free | Today::Done => None,
    }
}

impl Page<'_> {
    fn header(&mut self) {
        let unset = if self.agenda.clock_is_set { "" } else { " class=\"unset\"" };
        self.html.markup("<header").markup(unset).markup(">\n<p class=\"date\">");
        let today = day_in(self.today(), &self.options.locale);
        self.html.text(&today).markup("</p>\n");
        self.clock();
        self.html.markup("</header>\n");
    }

    fn all_day(&mut self, meetings: &[Meeting<'_>]) {
        if meetings.is_empty() {
            return;
        }
        let today = self.today();
        self.html.markup("<ul class=\"all-day\" aria-label=\"").text(self.words.all_day);
        self.html.markup("\">\n");
        for meeting in meetings.iter().take(ALL_DAY_MAX) {
            self.html.markup("<li");
            self.event_time(meeting);
            self.html.markup(">");
            self.mark(meeting);
            self.title(meeting);
            self.until(meeting, today);
            self.html.markup("</li>\n");
        }
        if let Some(more) = meetings.len().checked_sub(ALL_DAY_MAX).filter(|&more| more > 0) {
            let more = format!("+{more} {}", self.words.more);
            self.html.markup("<li>").text(&more).markup("</li>\n");
        }
        self.html.markup("</ul>\n");
    }

    fn hero(&mut self, view: &WhatsNext<'_>) {
        let Some(meeting) = hero(view) else { return self.rest(view) };
        let now = self.agenda.now.as_second();
        let running = meeting.start <= self.agenda.now;
        let left = meeting.start.as_second() - now;
        self.html.markup(if running {
            "<section class=\"hero now\""
        } else if left <= CRITICAL_SECONDS {
            "<section class=\"hero critical\""
        } else if left <= SOON_SECONDS {
            "<section class=\"hero soon\""
        } else {
            "<section class=\"hero\""
        });
        self.event_time(&meeting);
        self.html.markup(">\n<div class=\"top\"><p class=\"label\">");
        self.html.text(if running { self.words.now } else { self.words.next }).markup("</p>");
        self.acts(&meeting);
        self.html.markup("</div>\n<h1>");
        self.mark(&meeting);
        self.title(&meeting);
        self.html.markup("</h1>\n<p class=\"when\">");
        self.time(meeting.start);
        self.html.markup(" – ");
        self.time(meeting.end);
        self.tentative(&meeting);
        self.place(&meeting);
        self.html.markup("</p>\n<p class=\"count\"><span>");
        self.html.text(if running { self.words.ends_in } else { self.words.starts_in });
        self.html.markup("</span> ");
        self.countdown(if running { meeting.end } else { meeting.start });
        self.html.markup("</p>\n");
        if running {
            let start = meeting.start.as_second();
            self.html.markup("<progress aria-label=\"").text(self.words.time_passed);
            self.html.markup("\" data-start=\"").number(start);
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
        let words = self.words;
        self.html.text(match (view.today, view.next) {
            _ if !self.agenda.clock_is_set => words.clock_not_set,
            (Today::Done, _) => words.done_today,
            (_, Some(_)) => words.nothing_today,
            (_, None) => words.nothing_scheduled,
        });
        self.html.markup("</h1>\n<p class=\"when\">");
        match view.next {
            Some(next) => {
                self.html.text(words.next_on).markup(" ");
                self.moment(next.start);
            }
            None if !self.agenda.clock_is_set => _ = self.html.text(words.waiting_for_time),
            None => _ = self.html.text(words.days_clear),
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
        let (today, words) = (self.today(), self.words);
        let mut shown = None;
        self.html.markup("<section class=\"plan\" aria-label=\"").text(words.then);
        self.html.markup("\">\n<ol>\n");
        for meeting in rows {
            let date = self.agenda.zone.to_datetime(meeting.start.max(self.agenda.now)).date();
            self.html.markup("<li");
            self.event_time(meeting);
            self.html.markup(">");
            if shown.replace(date) != Some(date) {
                self.html.markup("<h2>");
                if date == today {
                    self.html.text(if hero.is_some() { words.then } else { words.today });
                } else {
                    self.html.text(&day_from_in(date, today, &self.options.locale));
                }
                self.html.markup("</h2>");
            }
            self.row(meeting, view.next.is_some_and(|n| std::ptr::eq(n.entry, meeting.entry)));
            self.html.markup("</li>\n");
        }
        self.html.markup("</ol>\n</section>\n");
    }

    /// One line of a list: hours, mark, title and place.
    pub(super) fn row(&mut self, meeting: &Meeting<'_>, is_next: bool) {
        self.html.markup(if meeting.all_day {
            "<p class=\"time whole\">"
        } else {
            "<p class=\"time\">"
        });
        if meeting.all_day {
            self.html.text(self.words.all_day);
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
            self.html.markup("<span class=\"in\">").text(self.words.in_time).markup(" ");
            self.countdown(meeting.start);
            self.html.markup("</span>");
        } else if meeting.start <= self.agenda.now && meeting.end > self.agenda.now {
            self.html.markup("<span class=\"in\">").text(self.words.now).markup("</span>");
        }
        self.tentative(meeting);
        self.place(meeting);
        self.html.markup("</p></div>");
        self.acts(meeting);
    }
}

#[cfg(test)]
mod tests;

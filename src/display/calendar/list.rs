//! The agenda: days below each other, each with what happens on it.

use super::super::frame::Page;
use crate::calendar::days::Days;
use crate::calendar::selection::Meeting;
use crate::calendar::text::day_from_in;

/// Events of a page.
const EVENTS_MAX: usize = 40;

impl Page<'_> {
    /// Each event once, on the first of these days that it is on.
    pub(super) fn list(&mut self, days: &Days<'_>, kept: &str) {
        let (today, mut room, mut left_out) = (self.today(), EVENTS_MAX, 0);
        let mut from_here = None;
        self.html.markup("<div class=\"list\">\n");
        for (index, day) in days.days.iter().enumerate() {
            let bars = days.bars.iter().filter(|bar| bar.first == index).map(|bar| bar.meeting);
            // What went over midnight is on the day before.
            let is_first = |meeting: &Meeting<'_>| {
                index == 0 || self.agenda.zone.to_datetime(meeting.start).date() == day.date
            };
            let slots = day.slots.iter().map(|slot| slot.meeting).filter(is_first);
            let meetings: Vec<Meeting<'_>> = bars.chain(slots).collect();
            let shown = meetings.len().min(room);
            room -= shown;
            left_out += meetings.len() - shown;
            if shown < meetings.len() {
                from_here = from_here.or(Some(day.date));
            }
            if shown == 0 {
                continue;
            }
            self.html.markup("<section class=\"plan");
            self.html.markup(if day.is_today { " today\">\n<h2>" } else { "\">\n<h2>" });
            self.day_link(day.date, kept, |page| {
                let name = day_from_in(day.date, today, &page.options.locale);
                page.html.text(&name);
            });
            self.html.markup("</h2>\n<ol>\n");
            for meeting in &meetings[..shown] {
                self.html.markup("<li class=\"entry");
                self.state(meeting);
                self.html.markup("\"");
                self.event_time(meeting);
                self.html.markup(">");
                self.row(meeting, false);
                self.html.markup("</li>\n");
            }
            self.html.markup("</ol>\n</section>\n");
        }
        if let Some(date) = from_here {
            self.html.markup("<p class=\"nothing\">");
            self.day_link(date, kept, |page| {
                let more = format!("+{left_out} {}", page.words.more);
                page.html.text(&more);
            });
            self.html.markup("</p>\n");
        }
        self.html.markup("</div>\n");
        if days.is_empty() {
            self.nothing(days);
        }
    }
}

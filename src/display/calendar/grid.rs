//! Days side by side, with the hours from top to bottom.

use super::super::frame::Page;
use super::super::mark;
use crate::calendar::CalendarStatus;
use crate::calendar::days::{Bar, DAY_MINUTES, Day, Days, Slot};
use crate::calendar::layout::{Place, columns, lanes};
use crate::calendar::text::{clock, cut, day_in, hour, local, weekday_short};

/// The hours that are shown in any case.
const USUAL_HOURS: (u16, u16) = (8, 18);
/// What is shorter is drawn this long, in minutes, and stands beside what it then covers.
const DRAWN_MINUTES_MIN: u16 = 30;
/// What is shorter has one line.
const TWO_LINES_MINUTES: u16 = 50;
/// What lasts as long as this has a line for each of time, title and place.
const THREE_LINES_MINUTES: u16 = 75;
/// Columns of one day, and of seven.
const COLUMNS_MAX: usize = 6;
/// Events of a page, shared out over its days.
const EVENTS_MAX: usize = 77;
/// The same where some have a mark that takes room in the page.
const MARKED_MAX: usize = 56;
/// Bars below each other.
const LANES_MAX: usize = 3;
/// No column shows more of a title or a place.
const TEXT_CHARS_MAX: usize = 48;
/// The parts that an hour is divided into.
const PARTS: u16 = 12;

/// Hours of a grid: the first, and the one after the last.
#[derive(Clone, Copy)]
struct Hours(u16, u16);

impl Hours {
    /// Those in which anything happens.
    fn of(days: &Days<'_>) -> Self {
        let slots = || days.days.iter().flat_map(|day| &day.slots);
        let first = slots().map(|slot| slot.start / 60).min().unwrap_or(USUAL_HOURS.0);
        let last = slots().map(|slot| drawn(slot).1.div_ceil(60)).max().unwrap_or(USUAL_HOURS.1);
        Self(first.min(USUAL_HOURS.0), last.max(USUAL_HOURS.1))
    }
}

/// From when to when a slot is drawn, in minutes.
fn drawn(slot: &Slot<'_>) -> (u16, u16) {
    let start = slot.start.min(DAY_MINUTES - DRAWN_MINUTES_MIN);
    (start, slot.end.max(start + DRAWN_MINUTES_MIN))
}

impl Page<'_> {
    /// Days side by side.
    pub(super) fn grid(&mut self, days: &Days<'_>, kept: &str) {
        let hours = Hours::of(days);
        let lane_of = lanes(&days.bars.iter().map(|bar| (bar.first, bar.last)).collect::<Vec<_>>());
        self.html.markup("<div class=\"grid");
        self.class(" n", days.days.len(), 0);
        self.class(" h", hours.0.into(), usize::MAX);
        self.class(" H", hours.1.into(), usize::MAX);
        self.html.markup("\">\n");
        self.bars(days, &lane_of);
        self.hours(hours);
        let beyond = |column: usize| {
            let bars = days.bars.iter().zip(&lane_of);
            bars.filter(|(bar, lane)| {
                **lane >= LANES_MAX && (bar.first..=bar.last).contains(&column)
            })
            .count()
        };
        let mut slots = days.days.iter().flat_map(|day| &day.slots);
        let is_marked = slots.any(|slot| slot.meeting.has_conflict);
        let events_max = if is_marked { MARKED_MAX } else { EVENTS_MAX };
        for (column, day) in days.days.iter().enumerate() {
            let slots_max = (events_max / days.days.len()).max(1);
            self.column(day, column, (slots_max, beyond(column)), hours, kept);
        }
        self.html.markup("</div>\n");
        if days.is_empty() {
            self.nothing(days);
        }
    }

    fn bars(&mut self, days: &Days<'_>, lane_of: &[usize]) {
        let shown = || days.bars.iter().zip(lane_of).filter(|(_, lane)| **lane < LANES_MAX);
        if shown().next().is_none() {
            return;
        }
        self.html.markup("<ul class=\"bars\" aria-label=\"").text(self.words.all_day);
        self.html.markup("\">\n");
        for (bar, lane) in shown() {
            self.html.markup("<li class=\"bar");
            self.bar_classes(bar, (bar.first, bar.last), 0, *lane);
            self.html.markup("\">");
            self.ground(bar);
            self.html.foreign(cut(bar.meeting.title_in(self.words), TEXT_CHARS_MAX));
            let last = bar.meeting.last_date(self.agenda.zone);
            if bar.first < bar.last || bar.goes_on {
                self.html.markup(" <span class=\"until\">").text(self.words.until).markup(" ");
                self.html.text(&day_in(last, &self.options.locale)).markup("</span>");
            }
            self.html.markup("</li>\n");
        }
        self.html.markup("</ul>\n");
    }

    /// Where a bar, or the part of it from one day to another, stands in a row of days that begins
    /// with the day `base`.
    pub(super) fn bar_classes(
        &mut self,
        bar: &Bar<'_>,
        (first, last): (usize, usize),
        base: usize,
        lane: usize,
    ) {
        self.class(" c", first - base, 0);
        self.class(" s", last - first + 1, 1);
        self.class(" r", lane, 0);
        self.html.markup(if bar.began || first > bar.first { " began" } else { "" });
        self.html.markup(if bar.goes_on || last < bar.last { " goes-on" } else { "" });
        self.state(&bar.meeting);
    }

    pub(super) fn ground(&mut self, bar: &Bar<'_>) {
        self.grounds(bar.meeting.calendars());
    }

    /// The colour and the mark of its calendars; for the eye alone where there is one calendar.
    fn grounds<'c>(&mut self, calendars: impl Iterator<Item = (usize, &'c CalendarStatus)>) {
        let are_many = self.agenda.calendars.len() > 1;
        for (place, (index, calendar)) in calendars.enumerate() {
            let name = if are_many { calendar.name.as_str() } else { "" };
            match place {
                0 => mark::ground(&mut self.html, index, name),
                _ => mark::write(&mut self.html, index, name),
            }
        }
    }

    fn hours(&mut self, Hours(first, end): Hours) {
        self.html.markup("<div class=\"hours\" aria-hidden=\"true\">");
        for number in first + 1..end {
            self.html.markup("<span class=\"h").number(number.into()).markup("\">");
            let hour = hour(i8::try_from(number).unwrap_or(0), &self.options.locale);
            self.html.text(&hour).markup("</span>");
        }
        self.html.markup("</div>\n");
    }

    /// One day. `(slots_max, beyond)`: so many of its slots are shown at most, and so many bars
    /// are not.
    fn column(
        &mut self,
        day: &Day<'_>,
        column: usize,
        (slots_max, beyond): (usize, usize),
        hours: Hours,
        kept: &str,
    ) {
        let spans: Vec<(u16, u16)> = day.slots.iter().map(drawn).collect();
        let shown = &spans[..spans.len().min(slots_max)];
        let places = columns(shown, COLUMNS_MAX);
        let placed = places.iter().flatten().count();
        self.html.markup("<section class=\"day");
        self.class(" c", column, 0);
        self.html.markup(if day.is_today { " today" } else { "" });
        self.html.markup(if self.is_kept(day.date) { "\">\n<h2>" } else { " unkept\">\n<h2>" });
        self.day_link(day.date, kept, |page| {
            page.html.markup("<time datetime=\"").text(&day.date.to_string()).markup("\"><span>");
            page.html.text(weekday_short(day.date, &page.options.locale)).markup("</span> <b>");
            page.html.number(day.date.day().into()).markup("</b></time>");
        });
        if day.hours != 24 {
            self.html.markup(" <small>").number(day.hours).markup(" ").text(self.words.hours);
            self.html.markup("</small>");
        }
        self.more("", day.slots.len() - placed + beyond);
        self.html.markup("</h2>\n<ol class=\"slots\">\n");
        for ((slot, &span), place) in day.slots.iter().zip(shown).zip(&places) {
            if let Some(place) = place {
                self.slot(slot, span, *place);
            }
        }
        if day.is_today {
            self.now_line(hours);
        }
        self.html.markup("</ol>\n</section>\n");
    }

    fn slot(&mut self, slot: &Slot<'_>, (start, end): (u16, u16), place: Place) {
        let meeting = &slot.meeting;
        self.html.markup("<li class=\"event");
        self.class(" c", place.column, 0);
        self.class(" s", place.span, 1);
        self.class(" n", place.of, 1);
        self.minutes([" h", " m"], start);
        self.minutes([" H", " M"], end);
        self.html.markup(match end - start {
            ..TWO_LINES_MINUTES => " short",
            THREE_LINES_MINUTES.. => " long",
            _ => "",
        });
        self.state(meeting);
        self.html.markup("\">");
        self.grounds(meeting.calendars());
        self.html.markup("<div>");
        let Self { agenda, options, words, .. } = *self;
        let time = |at| clock(at, agenda.zone, options.locale.hour12);
        self.html.markup("<time datetime=\"").text(&local(meeting.start, agenda.zone));
        self.html.markup("\">").text(&time(meeting.start)).markup("<i>–");
        self.html.text(&time(meeting.end)).markup("</i></time> ");
        self.overlap(meeting);
        self.html.markup("<b>");
        self.html.text(cut(meeting.title_in(words), TEXT_CHARS_MAX)).markup("</b>");
        if !meeting.location().is_empty() && end - start >= THREE_LINES_MINUTES {
            self.html.markup(" <small>").text(cut(meeting.location(), TEXT_CHARS_MAX));
            self.html.markup("</small>");
        }
        self.html.markup("</div></li>\n");
    }

    /// Hour and part of an hour, in minutes since midnight.
    fn minutes(&mut self, [hour, part]: [&'static str; 2], minutes: u16) {
        self.class(hour, (minutes / 60).into(), usize::MAX);
        self.class(part, (minutes % 60 * PARTS / 60).into(), 0);
    }

    fn now_line(&mut self, Hours(first, end): Hours) {
        let now = self.agenda.zone.to_datetime(self.agenda.now);
        let minutes = u16::try_from(i32::from(now.hour()) * 60 + i32::from(now.minute()));
        let minutes = minutes.unwrap_or(0);
        if (first * 60..end * 60).contains(&minutes) {
            self.html.markup("<li class=\"now-line");
            self.minutes([" h", " m"], minutes);
            self.html.markup("\" aria-hidden=\"true\"></li>\n");
        }
    }
}

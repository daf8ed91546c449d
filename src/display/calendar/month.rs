//! A month in whole weeks: each day a cell, bars over days, and as many events as there is room
//! for. How many rows a cell has depends on the screen, so the number of those that are left out is
//! there for few rows and for all, and the stylesheet shows the one that is right.

use jiff::civil::Date;

use super::super::frame::Page;
use super::super::mark;
use crate::calendar::days::{Bar, Days, Slot, day_at};
use crate::calendar::layout::lanes;
use crate::calendar::text::{clock, cut, local, month_with_year, weekday_short};

/// Rows of a cell on a low screen.
const FEW_ROWS: usize = 2;
/// Rows of a cell, and those that it has when there would be too many events on the page.
const ROWS: [usize; 2] = [4, 3];
/// Events of a page with as many rows as possible.
const EVENTS_MAX: usize = 120;
/// No cell shows more of a title.
const TITLE_CHARS_MAX: usize = 32;

/// The bars and slots of a week, each with its row.
struct Week<'d, 'a> {
    first: usize,
    bars: Vec<(&'d Bar<'a>, usize)>,
    slots: [Vec<(&'d Slot<'a>, usize)>; 7],
}

impl<'d, 'a> Week<'d, 'a> {
    fn new(days: &'d Days<'a>, first: usize) -> Self {
        let part = |bar: &Bar<'_>| (bar.first.max(first), bar.last.min(first + 6));
        let touching = |bar: &&Bar<'_>| bar.first <= first + 6 && bar.last >= first;
        let mut bars: Vec<&Bar<'a>> = days.bars.iter().filter(touching).collect();
        bars.sort_by_key(|bar| part(bar).0);
        let rows = lanes(&bars.iter().map(|bar| part(bar)).collect::<Vec<_>>());
        let bars: Vec<_> = bars.into_iter().zip(rows).collect();
        let slots = std::array::from_fn(|column| {
            let day = first + column;
            let taken: Vec<usize> = bars
                .iter()
                .filter(|(bar, _)| (bar.first..=bar.last).contains(&day))
                .map(|(_, row)| *row)
                .collect();
            let free = (0..).filter(move |row| !taken.contains(row));
            days.days.get(day).map(|day| day.slots.iter().zip(free).collect()).unwrap_or_default()
        });
        Self { first, bars, slots }
    }

    /// Everything that has one of so many rows.
    fn shown(&self, rows: usize) -> usize {
        let slots = self.slots.iter().flatten().filter(|(_, row)| *row < rows).count();
        slots + self.bars.iter().filter(|(_, row)| *row < rows).count()
    }

    /// What is left out of one of its days.
    fn beyond(&self, column: usize, rows: usize) -> usize {
        let day = self.first + column;
        let is_here = |bar: &Bar<'_>| (bar.first..=bar.last).contains(&day);
        let bars = self.bars.iter().filter(|(bar, row)| *row >= rows && is_here(bar)).count();
        bars + self.slots[column].iter().filter(|(_, row)| *row >= rows).count()
    }
}

impl Page<'_> {
    /// The month of `date`.
    pub(super) fn month(&mut self, days: &Days<'_>, date: Date, kept: &str) {
        let weeks: Vec<Week<'_, '_>> =
            (0..days.days.len()).step_by(7).map(|first| Week::new(days, first)).collect();
        let [most, fewer] = ROWS;
        let shown: usize = weeks.iter().map(|week| week.shown(most)).sum();
        let rows = if shown > EVENTS_MAX { fewer } else { most };
        let numbered = self.options.locale.week_numbers;
        self.html.markup("<div class=\"weeks");
        self.class(" n", weeks.len(), 0);
        self.html.markup(if numbered { " numbered\">\n" } else { "\">\n" });
        self.html.markup("<p class=\"weekdays\" aria-hidden=\"true\">");
        for column in 0..7 {
            let day = day_at(days.first, column);
            self.html.markup("<span class=\"c").number(column as i64).markup("\">");
            self.html.text(weekday_short(day, &self.options.locale)).markup("</span>");
        }
        self.html.markup("</p>\n");
        for week in &weeks {
            self.week(days, week, date, rows, kept);
        }
        self.html.markup("</div>\n");
    }

    fn week(&mut self, days: &Days<'_>, week: &Week<'_, '_>, date: Date, rows: usize, kept: &str) {
        let number = self.options.locale.week_number(day_at(days.first, week.first));
        self.html.markup("<ul class=\"row\" aria-label=\"").text(self.words.week_number);
        self.html.markup(" ").number(number.into()).markup("\">\n");
        if self.options.locale.week_numbers {
            self.html.markup("<li class=\"number\" aria-hidden=\"true\">").number(number.into());
            self.html.markup("</li>\n");
        }
        for column in 0..7 {
            self.cell(days, week, column, (date, rows), kept);
            for &(bar, row) in &week.bars {
                let first = bar.first.max(week.first) - week.first;
                if first == column && row < rows {
                    let part = (week.first + first, bar.last.min(week.first + 6));
                    self.html.markup("<li class=\"bar");
                    self.bar_classes(bar, part, week.first, row);
                    self.html.markup("\">");
                    self.ground(bar);
                    self.html.foreign(cut(bar.meeting.title_in(self.words), TITLE_CHARS_MAX));
                    self.html.markup("</li>\n");
                }
            }
            for &(slot, row) in &week.slots[column] {
                if row < rows {
                    self.chip(slot, column, row);
                }
            }
        }
        self.html.markup("</ul>\n");
    }

    fn cell(
        &mut self,
        days: &Days<'_>,
        week: &Week<'_, '_>,
        column: usize,
        (month, rows): (Date, usize),
        kept: &str,
    ) {
        let index = week.first + column;
        let Some(day) = days.days.get(index) else { return };
        let is_other = day.date.month() != month.month();
        self.html.markup("<li class=\"cell");
        self.class(" c", column, 0);
        self.html.markup(if day.is_today { " today" } else { "" });
        self.html.markup(if self.is_kept(day.date) { "" } else { " unkept" });
        self.html.markup(if is_other { " other\">" } else { "\">" });
        self.day_link(day.date, kept, |page| {
            page.html.markup("<time datetime=\"").text(&day.date.to_string()).markup("\">");
            page.html.number(day.date.day().into()).markup("</time>");
            if index == 0 || day.date.day() == 1 {
                let name = month_with_year(day.date, &page.options.locale);
                page.html.markup("<span class=\"unseen\"> ").text(&name).markup("</span>");
            }
        });
        self.more(" few", week.beyond(column, FEW_ROWS));
        self.more(" all", week.beyond(column, rows));
        self.html.markup("</li>\n");
    }

    fn chip(&mut self, slot: &Slot<'_>, column: usize, row: usize) {
        let meeting = &slot.meeting;
        self.html.markup("<li class=\"chip");
        self.class(" c", column, 0);
        self.class(" r", row, 0);
        self.state(meeting);
        self.html.markup("\">");
        let are_many = self.agenda.calendars.len() > 1;
        for (index, calendar) in meeting.calendars() {
            mark::write(&mut self.html, index, if are_many { &calendar.name } else { "" });
        }
        let Self { agenda, options, words, .. } = *self;
        self.html.markup("<time datetime=\"").text(&local(meeting.start, agenda.zone));
        self.html.markup("\">").text(&clock(meeting.start, agenda.zone, options.locale.hour12));
        self.html.markup("</time> ");
        self.overlap(meeting);
        self.html.foreign(cut(meeting.title_in(words), TITLE_CHARS_MAX));
        self.html.markup("</li>\n");
    }
}

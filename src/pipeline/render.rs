//! A key and what was read for it -> the bytes of the answer, and how long they hold.

use std::rc::Rc;

use super::cache::Validity;
use super::key::{RANGE_SECONDS, View};
use super::turn::{Rendered, Turn, Wish};
use crate::api::native::EventsQuery;
use crate::api::{lite, native};
use crate::calendar::{Agenda, Entry, selection};
use crate::display::page;
use crate::display::setup::SETUP_HTML;
use crate::feed::Origin;
use crate::http::response::{Answer, media};

/// Makes the answer to `wish` from what was read for it.
pub(super) fn render<J>(
    turn: &Turn<'_>,
    wish: &Wish<J>,
    entries: &[Entry],
    truncated: bool,
    build_id: &str,
) -> Rendered {
    let agenda = Agenda {
        now: turn.now,
        clock_is_set: turn.sources.clock.is_set(),
        zone: &wish.zone,
        entries,
        truncated,
        calendars: &turn.calendars,
        skips: &turn.skips,
    };
    let view = &wish.key.view;
    let (media_type, body) = match view {
        View::Page => {
            let feeds = turn.sources.feeds.list();
            let is_first_run = matches!(&*feeds, [only] if matches!(only.origin, Origin::Demo));
            let options = page::PageOptions { build_id, ..Default::default() };
            let page = match is_first_run {
                true => String::from_utf8_lossy(SETUP_HTML.bytes).into_owned(),
                false => page::whats_next(&agenda, &options),
            };
            (media::HTML, page)
        }
        View::Next { limit } => (media::JSON, native::next(&agenda, usize::from(*limit))),
        View::Events { calendar, limit, .. } => {
            let (from, to) = wish.scope.window(turn.now);
            let (calendar, limit) = (calendar.as_deref(), usize::from(*limit));
            (media::JSON, native::events(&agenda, &EventsQuery { from, to, calendar, limit }))
        }
        View::Calendars => (media::JSON, native::calendars(&agenda)),
        View::LiteNext => (media::JSON, lite::whats_next(&agenda)),
    };
    turn.sources.metrics.pipeline_rendered.count();
    let answer = Rc::new(Answer::ok(media_type, body));
    let read: usize = entries.iter().map(Entry::weight_bytes).sum();
    // Both are there at this moment.
    drop(turn.sources.metrics.memory.views.hold(read + answer.weight_bytes()));
    (answer, validity(turn, view, &agenda))
}

/// An answer holds for its time to live, and never past the minute that it counts, nor past the
/// next start, end, end of a skip or midnight.
fn validity(turn: &Turn<'_>, view: &View, agenda: &Agenda<'_>) -> Validity {
    let from = agenda.now.as_second();
    let ttl = match view {
        // Whoever counts seconds from an answer without a date cannot have an older one.
        View::LiteNext => RANGE_SECONDS,
        _ => turn.ttl.as_secs() as i64,
    };
    let seconds = view.seconds_max() * ttl / RANGE_SECONDS;
    let minute_turns = from - from.rem_euclid(60) + 60;
    let until = (from + seconds.max(1))
        .min(if view.counts_minutes() { minute_turns } else { i64::MAX })
        .min(selection::changes_at(agenda).as_second());
    Validity { from, until, generation: turn.generation }
}

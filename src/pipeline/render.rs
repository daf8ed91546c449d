//! A key and what was read for it -> the bytes of the answer, and how long they hold.

use std::rc::Rc;

use jiff::ToSpan;
use jiff::tz::TimeZone;

use super::cache::Validity;
use super::key::{self, RANGE_SECONDS, View};
use super::turn::{Rendered, Turn, Wish};
use crate::api::full::Scene;
use crate::api::native::EventsQuery;
use crate::api::{full, lite, native};
use crate::calendar::settings::Home;
use crate::calendar::text::zone_name;
use crate::calendar::{Agenda, Entry, selection};
use crate::display::page::{self, PageOptions};
use crate::display::{Screen, calendar};
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
    let agenda = turn.agenda(wish, entries, truncated);
    let view = &wish.key.view;
    let page = || {
        let options = page_options(turn, turn.screen(), &wish.zone, build_id);
        match &wish.days {
            Some(view) => calendar::page(&agenda, view, wish.key.zone.as_deref(), &options),
            None => page::whats_next(&agenda, &options),
        }
    };
    let (media_type, body) = match view {
        View::Page | View::Full(key::full::View::Calendar) => (media::HTML, page()),
        View::Full(view) => {
            let (counts, database) = turn.aside.parts();
            let layout = turn.sources.wall.layout(agenda.settings.display.layout);
            let zone = turn.sources.feeds.zone();
            let name = zone_name(&zone, turn.now).into();
            let home = Home { zone: name, ..turn.sources.wall.home(&zone) };
            let scene = Scene { layout, home, now: turn.now, page: &page, counts, database };
            let answer = Rc::new(full::answer(view, &agenda, &scene));
            return rendered(turn, wish, answer, &agenda);
        }
        View::Calendar(view) => {
            let screen = view.screen(turn.screen());
            let options = page_options(turn, screen, &wish.zone, build_id);
            (media::HTML, calendar::page(&agenda, view, wish.key.zone.as_deref(), &options))
        }
        View::Next { limit } => (media::JSON, native::next(&agenda, usize::from(*limit))),
        View::Today => (media::JSON, native::next(&agenda, turn.limits.view_events_max)),
        View::Events { calendar, limit, .. } => {
            let (from, to) = wish.scope.window(turn.now);
            let (calendar, limit) = (calendar.as_deref(), usize::from(*limit));
            (media::JSON, native::events(&agenda, &EventsQuery { from, to, calendar, limit }))
        }
        View::Calendars => (media::JSON, native::calendars(&agenda)),
        View::Lite(view) => (media::JSON, lite::answer(view, &agenda)),
    };
    let answer = match media_type {
        media::HTML => Answer::framed(&turn.sources.frame_ancestors, body),
        _ => Answer::ok(media_type, body),
    };
    rendered(turn, wish, Rc::new(answer), &agenda)
}

fn rendered<J>(
    turn: &Turn<'_>,
    wish: &Wish<J>,
    answer: Rc<Answer>,
    agenda: &Agenda<'_>,
) -> Rendered {
    turn.sources.metrics.pipeline_rendered.count();
    let read: usize = agenda.entries.iter().map(Entry::weight_bytes).sum();
    // All of it is there at this moment; a page that is told in JSON is once more, and shorter.
    let told = matches!(wish.key.view, View::Full(key::full::View::Html(_)));
    let made = answer.weight_bytes() * if told { 2 } else { 1 };
    drop(turn.sources.metrics.memory.views.hold(read + made));
    (answer, validity(turn, wish, agenda))
}

/// When an answer changes by itself, in seconds since 1970.
fn turns_at<J>(turn: &Turn<'_>, wish: &Wish<J>, agenda: &Agenda<'_>) -> i64 {
    // Nothing happens on another day that the wall shows until it goes back to today.
    let own = match wish.now == turn.now {
        true => selection::changes_at(agenda),
        false => selection::midnight_after(turn.now, &wish.zone),
    };
    let returns_at = turn.sources.wall.returns_at(turn.now, &wish.zone);
    let returns_at = returns_at.filter(|_| matches!(wish.key.view, View::Full(_)));
    returns_at.map_or(own, |at| at.min(own)).as_second()
}

fn page_options<'b>(
    turn: &Turn<'_>,
    screen: Screen,
    zone: &TimeZone,
    build_id: &'b str,
) -> PageOptions<'b> {
    let feeds = turn.sources.feeds.list();
    let demo = matches!(&*feeds, [only] if matches!(only.origin, Origin::Demo));
    let (today, limits) = (zone.to_datetime(turn.now).date(), &turn.sources.feed_limits);
    let first = today.saturating_sub(i64::from(limits.past_days).days());
    let last = today.saturating_add(i64::from(limits.future_days).days());
    let kept = Some((first, last));
    PageOptions { build_id, locale: screen.locale, theme: screen.theme, demo, kept }
}

/// An answer holds for its time to live, and never past the minute that it counts, nor past the
/// next start, end, end of a skip or midnight.
fn validity<J>(turn: &Turn<'_>, wish: &Wish<J>, agenda: &Agenda<'_>) -> Validity {
    let (from, view) = (turn.now.as_second(), &wish.key.view);
    let ttl = match view {
        // Whoever counts seconds from an answer without a date cannot have an older one.
        View::Lite(_) => RANGE_SECONDS,
        _ => turn.ttl.as_secs() as i64,
    };
    let seconds = match agenda.truncated && turn.lent_bytes() > 0 {
        // With all of the room for views there may be more to show.
        true => 1,
        false => view.seconds_max() * ttl / RANGE_SECONDS,
    };
    let minute_turns = from - from.rem_euclid(60) + 60;
    let until = (from + seconds.max(1))
        .min(if view.counts_minutes() { minute_turns } else { i64::MAX })
        .min(turns_at(turn, wish, agenda));
    Validity { from, until, generation: turn.generation }
}

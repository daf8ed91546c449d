//! `calendarbot explain`: reads what is stored, and has [`crate::calendar::explain`] say what it
//! means.

use super::stored::Stored;
use crate::calendar::explain::{NAMED_MAX, Scene, Summary, Totals};
use crate::clock::Clock;
use crate::config::Config;
use crate::error::Result;
use crate::feed::explain::series;
use crate::feed::store::{StoredFeed, for_each_component, read_truncated};
use crate::ical::component::Kind;

/// Series that are explained at once.
const SERIES_MAX: usize = 10;

/// Out of the stored data: why the events that `query` means are as they are, or, without one,
/// what is in the feed. Works beside a running server.
pub(super) fn explain(
    config: &Config,
    name: &str,
    query: Option<&str>,
    show_private: bool,
) -> Result<String> {
    let stored = Stored::open(config, name)?;
    let scene = Scene {
        now: Clock::system(config.test_time).wall(),
        zone: &stored.zone,
        calendars: &stored.calendars,
        calendar: stored.calendar,
        zones: &stored.zones,
        window: stored.feed.window,
        limits: &stored.limits.feed,
        settings: &stored.people.settings,
        skips: &stored.people.skips,
        show_private,
    };
    let lines = match query {
        None => summary(scene, &stored)?,
        Some(query) => search(scene, query, &stored)?,
    };
    Ok(lines.join("\n") + "\n")
}

fn summary(scene: Scene<'_>, stored: &Stored) -> Result<Vec<String>> {
    let Stored { feed, reader, .. } = stored;
    let truncated = read_truncated(reader, feed, None, NAMED_MAX)?;
    let mut summary = Summary::new(scene, &truncated);
    for_each_component(reader, feed, Kind::Event, &mut |uid, text| summary.add(uid, text))?;
    Ok(summary.lines(&Totals {
        checked_at: feed.checked_at,
        events: feed.events,
        zones: feed.zones,
        calendar_zone: feed.calendar_zone.as_deref(),
        skipped: feed.skipped,
        skipped_reasons: &feed.skipped_reasons,
        truncated: feed.truncated_series,
    }))
}

fn search(scene: Scene<'_>, query: &str, stored: &Stored) -> Result<Vec<String>> {
    let Stored { feed, reader, limits, .. } = stored;
    let (mut found, mut last, mut more) = (Vec::new(), String::new(), 0);
    for_each_component(reader, feed, Kind::Event, &mut |uid, text| {
        if last != uid && scene.is_meant(query, uid, text) {
            uid.clone_into(&mut last);
            match found.len() < SERIES_MAX {
                true => found.push(uid.to_owned()),
                false => more += 1,
            }
        }
    })?;
    let mut lines = skipped(scene, query, feed);
    for uid in &found {
        let explained = series(scene, uid, reader, feed, limits)?;
        lines.extend(explained.map(|explained| explained.lines).unwrap_or_default());
    }
    if more > 0 {
        lines.push(format!("and {more} more; say more of the title"));
    }
    if lines.is_empty() {
        lines.push("no event that is stored has this UID, or a title with this in it".to_owned());
    }
    Ok(lines)
}

/// What was skipped is not stored: only the first reasons may tell of it.
fn skipped(scene: Scene<'_>, query: &str, feed: &StoredFeed) -> Vec<String> {
    let closed = scene.calendars[scene.calendar].private && !scene.show_private;
    let reasons = feed.skipped_reasons.iter().filter(|reason| !closed && reason.contains(query));
    reasons.map(|reason| format!("skipped: {reason}")).collect()
}

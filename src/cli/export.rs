//! `calendarbot export`: writes what is stored of a feed as a calendar, a component at a time.

use std::io::Write;

use super::known;
use crate::app;
use crate::config::Config;
use crate::connections::database;
use crate::error::{Error, Result};
use crate::feed::store::{for_each_event, for_each_zone, read_feed, read_feed_zones};
use crate::ical::export::{HEAD, TAIL, event, zone};

/// Writes a feed to `out`, masked where it is private unless `show_private` says otherwise. Works
/// beside a running server.
pub(super) fn export(
    config: &Config,
    name: &str,
    show_private: bool,
    out: &mut impl Write,
) -> Result<()> {
    let calendars = app::statuses(config);
    let private = calendars[known(&calendars, name)?].private;
    let limits = app::plan(config)?.limits;
    let reader = database::open_beside(&config.data_dir, &limits.database)?;
    let nothing = || Error::store(format!("nothing is stored of the feed `{name}` yet"));
    let feed = read_feed(&reader, name)?.ok_or_else(nothing)?;
    let zones = read_feed_zones(&reader, &feed, app::display_zone(config), &limits.feed)?;
    // A reader that has closed the pipe has read enough.
    let mut written = out.write_all(HEAD.as_bytes());
    let mut write = |text: String| {
        if written.is_ok() {
            written = out.write_all(text.as_bytes());
        }
    };
    for_each_zone(&reader, &feed, &mut |tzid, text| write(zone(tzid, text, &zones)))?;
    for_each_event(&reader, &feed, &mut |_, text| {
        write(event(text, !show_private, private, &zones));
    })?;
    write(TAIL.to_owned());
    Ok(())
}

//! `calendarbot export`: writes what is stored of a feed as a calendar, a component at a time.

use std::io::Write;

use super::stored::Stored;
use crate::config::Config;
use crate::error::Result;
use crate::feed::store::for_each_component;
use crate::ical::component::Kind;
use crate::ical::export::{HEAD, Mask, TAIL, event, zone};

/// Writes a feed to `out`, masked where it is private unless `show_private` says otherwise. Works
/// beside a running server.
pub(super) fn export(
    config: &Config,
    name: &str,
    show_private: bool,
    out: &mut impl Write,
) -> Result<()> {
    let Stored { calendars, calendar, reader, feed, zones, .. } = Stored::open(config, name)?;
    let mask = Mask { source: feed.source, everything: calendars[calendar].private };
    let mask = (!show_private).then_some(mask);
    // A reader that has closed the pipe has read enough.
    let mut written = out.write_all(HEAD.as_bytes());
    let mut piece = String::new();
    for kind in [Kind::TimeZone, Kind::Event] {
        for_each_component(&reader, &feed, kind, &mut |uid, text| {
            piece.clear();
            match kind {
                Kind::TimeZone => zone(uid, text, mask, &zones, &mut piece),
                Kind::Event => event(text, mask, &zones, &mut piece),
            }
            if written.is_ok() {
                written = out.write_all(piece.as_bytes());
            }
        })?;
    }
    if written.is_ok() {
        // Nor is this missed by one that has read enough.
        let _ = out.write_all(TAIL.as_bytes());
    }
    Ok(())
}

//! What is stored of one configured feed, for the commands that look into it beside a running
//! server.

use jiff::tz::TimeZone;
use rusqlite::Connection;

use super::known;
use crate::api::people::People;
use crate::app;
use crate::budget::Limits;
use crate::calendar::CalendarStatus;
use crate::config::Config;
use crate::connections::database;
use crate::error::{Error, Result};
use crate::feed::store::{StoredFeed, read_feed, read_zones};
use crate::ical::zone::Zones;

/// A feed, its zones and the way to its components.
pub(super) struct Stored {
    /// Every configured feed, and which of them is meant.
    pub(super) calendars: Vec<CalendarStatus>,
    pub(super) calendar: usize,
    pub(super) limits: Limits,
    pub(super) reader: Connection,
    pub(super) feed: StoredFeed,
    /// That of the display.
    pub(super) zone: TimeZone,
    pub(super) zones: Zones,
    /// What people have changed.
    pub(super) people: People,
}

impl Stored {
    /// # Errors
    /// When there is no such feed, or nothing of it yet.
    pub(super) fn open(config: &Config, name: &str) -> Result<Self> {
        let calendar = known(&app::statuses(config), name)?;
        let limits = app::plan(config)?.limits;
        let reader = database::open_beside(&config.data_dir, &limits.database)?;
        let calendars = app::stored_statuses(config, &reader)?;
        let nothing = || Error::store(format!("nothing is stored of the feed `{name}` yet"));
        let feed = read_feed(&reader, name)?.ok_or_else(nothing)?;
        let zone = app::display_zone(config);
        let zones = read_zones(&reader, feed.id, zone.clone(), &limits.feed)?;
        let people = app::stored_people(&reader, &limits.people);
        Ok(Self { calendars, calendar, limits, reader, feed, zone, zones, people })
    }
}

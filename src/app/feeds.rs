//! The configured feeds, with what the database remembers of each.

use std::sync::Arc;

use crate::calendar::CalendarStatus;
use crate::config::{Config, FeedConfig, Source};
use crate::connections::database::Database;
use crate::error::Result;
use crate::feed::{Feed, Origin, store};
use crate::hash::fnv1a;

/// The name of the calendar that is shown while none is configured.
const DEMO_NAME: &str = "Demo";

/// What people are told of each configured feed before anything is known of it. Without a feed
/// there is the demo.
pub fn statuses(config: &Config) -> Vec<CalendarStatus> {
    let configured = |feed: &FeedConfig| CalendarStatus {
        name: feed.name.clone(),
        label: feed.source.label().to_owned(),
        color: feed.color.clone(),
        private: feed.private,
        filter: Arc::clone(&feed.filter),
        ..CalendarStatus::default()
    };
    if config.feeds.is_empty() {
        let (name, label) = (DEMO_NAME.to_owned(), "demo".to_owned());
        return vec![CalendarStatus { name, label, ..CalendarStatus::default() }];
    }
    config.feeds.iter().map(configured).collect()
}

/// The same for those who read what is stored: data of another source than the configured one is
/// private.
///
/// # Errors
/// When the database cannot be read.
pub fn stored_statuses(
    config: &Config,
    reader: &rusqlite::Connection,
) -> Result<Vec<CalendarStatus>> {
    let mut statuses = statuses(config);
    for (status, feed) in statuses.iter_mut().zip(&config.feeds) {
        let stored = store::read_feed(reader, &feed.name)?;
        status.private |= stored.is_some_and(|stored| stored.source != source_hash(&feed.source));
    }
    Ok(statuses)
}

/// A feed with what the database remembers of it; unlike a [`Feed`] it may cross threads.
pub(super) struct Described {
    status: CalendarStatus,
    origin: Origin,
    source_hash: i64,
    interval: std::time::Duration,
    remembered: store::Remembered,
}

impl Described {
    fn into_feed(self) -> Feed {
        Feed::new(self.status, self.origin, self.source_hash, self.interval, self.remembered)
    }
}

/// The feeds with what came of writing their rows. When nothing can be written they are as they
/// were stored, and those that were not get their row with their first refresh.
pub(super) fn remembered_feeds(
    database: &Database,
    config: &Config,
    written: Result<Vec<Described>>,
) -> Result<Vec<Feed>> {
    let described = match written {
        Err(error) if error.is_store() => {
            let recall = |name: &str, source| {
                let stored = |reader: &_| store::recall(reader, name, source);
                Ok(database.lease().read(stored).unwrap_or_default())
            };
            describe_feeds(config, recall)?
        }
        written => written?,
    };
    Ok(described.into_iter().map(Described::into_feed).collect())
}

/// To notice that a feed comes from elsewhere.
fn source_hash(source: &Source) -> i64 {
    (match source {
        Source::Url(url) => fnv1a(url.expose().as_str().as_bytes()),
        Source::File(path) => fnv1a(path.as_os_str().as_encoded_bytes()),
    }) as i64
}

/// Finds or makes the row of every configured feed and removes those of all others. Without a
/// feed in the configuration there is the demo, and all others stay: a file that has got lost
/// may come back, and what the feeds last said is not to be had again.
pub(super) fn remember_feeds(
    connection: &rusqlite::Connection,
    config: &Config,
) -> Result<Vec<Described>> {
    let register = |name: &str, source| store::register(connection, name, source);
    let described = describe_feeds(config, register)?;
    if config.feeds.is_empty() {
        return Ok(described);
    }
    let names: Vec<String> = described.iter().map(|feed| feed.status.name.clone()).collect();
    store::retire(connection, &names)?;
    Ok(described)
}

/// Every configured feed with what `remember` knows of its name and of where it comes from.
fn describe_feeds(
    config: &Config,
    remember: impl Fn(&str, i64) -> Result<store::Remembered>,
) -> Result<Vec<Described>> {
    let describe = |(index, status): (usize, CalendarStatus)| {
        let (origin, source_hash, interval) = match config.feeds.get(index) {
            Some(feed) => (Origin::of(feed), source_hash(&feed.source), feed.interval),
            None => (Origin::Demo, 0, config.refresh_interval),
        };
        let remembered = remember(&status.name, source_hash)?;
        Ok(Described { status, origin, source_hash, interval, remembered })
    };
    statuses(config).into_iter().enumerate().map(describe).collect()
}

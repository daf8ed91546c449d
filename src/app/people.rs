//! Writes down what people change, one wish after the other: an answer comes once it is on the
//! disk, and whatever is asked after that knows of it.

use std::rc::Rc;

use async_channel::Receiver;
use rusqlite::Connection;

use crate::api::full;
use crate::api::people::{Book, People, Told, Wish};
use crate::budget::PeopleLimits;
use crate::calendar::settings::Settings;
use crate::calendar::skips::Skips;
use crate::clock::Clock;
use crate::connections::database::{Database, Lease, settings, skips};
use crate::error::Result;
use crate::feed::Feeds;
use crate::metrics::Metrics;
use crate::pipeline::Pipeline;

/// What people had changed when the program ended. What cannot be read is as if nobody had: an
/// older program has made a file that cannot be written now, or somebody else has written in it.
pub fn stored_people(reader: &Connection, limits: &PeopleLimits) -> People {
    let skips = skips::read(reader).map(|rows| Skips::from_rows(rows, limits.bytes_max));
    let skips = skips.unwrap_or_else(|error| {
        log::warn!("what was skipped is not known: {error}");
        Skips::default()
    });
    let settings = stored_settings(reader, limits).unwrap_or_else(|error| {
        log::error!("the settings cannot be read, and those of a new program are used: {error}");
        Settings::default()
    });
    People { skips, settings: Rc::new(settings) }.fitting(limits)
}

fn stored_settings(reader: &Connection, limits: &PeopleLimits) -> Result<Settings> {
    let text = settings::read(reader, limits.stored_bytes_max())?;
    let (settings, faults) = text.map(|text| full::read_stored(&text)).unwrap_or_default();
    for fault in faults {
        log::warn!("a setting cannot be read and is left out: {fault}");
    }
    Ok(settings)
}

/// The same for the program itself.
pub(super) fn recall_people(reader: &mut Lease<'_>, limits: &PeopleLimits) -> People {
    let stored = reader.read(|reader| Ok(stored_people(reader, limits)));
    stored.unwrap_or_else(|error| {
        log::warn!("what people have changed is not known: {error}");
        People::default()
    })
}

/// Who fulfils wishes.
pub(super) struct PeopleWriter {
    pub(super) clock: Clock,
    pub(super) database: Rc<Database>,
    pub(super) feeds: Rc<Feeds>,
    pub(super) pipeline: Rc<Pipeline>,
    pub(super) metrics: Rc<Metrics>,
    pub(super) book: Rc<Book>,
    pub(super) wishes: Receiver<Wish>,
}

impl PeopleWriter {
    /// Run it as a task, once.
    pub(super) async fn run(self) {
        self.metrics.memory.people.set(self.book.all().weight_bytes());
        while let Ok(wish) = self.wishes.recv().await {
            self.book.taken(&wish);
            let answer = match self.fulfil(&wish).await {
                Told::Answer(answer) => answer,
                Told::View(view) => self.pipeline.answer(view),
            };
            self.pipeline.complete(wish.asker, answer);
        }
    }

    async fn fulfil(&self, wish: &Wish) -> Told {
        let now = Some(self.clock.wall()).filter(|_| self.clock.is_set());
        if wish.is_timed() && now.is_none() {
            let detail = "nobody knows until when that would be: the clock is not set";
            return Told::Answer(wish.failed(detail));
        }
        let before = self.book.all();
        let home = self.pipeline.sources().wall.home(&self.feeds.zone());
        let after = match wish.applied(&before, now, &home, self.book.limits()) {
            Ok(after) => after,
            Err(refused) => return Told::Answer(refused),
        };
        if after != before && !self.write(&before, &after).await {
            return Told::Answer(wish.failed("it cannot be stored now, and nothing was changed"));
        }
        if wish.refreshes() {
            self.feeds.nudge_all();
        }
        wish.fulfilled(&before, &after, self.clock.wall(), &self.book.zone(&self.feeds))
    }

    /// Writes what is new; what is written is in force then.
    async fn write(&self, before: &People, after: &People) -> bool {
        let skips = (after.skips != before.skips).then(|| after.skips.clone());
        let has_set = after.settings != before.settings;
        let text = has_set.then(|| full::stored_text(&after.settings));
        let write = self.database.write_durably(move |writer| {
            if let Some(skips) = skips {
                skips::replace(writer, skips.rows())?;
            }
            text.map_or(Ok(()), |text| settings::replace(writer, &text))
        });
        if write.await.is_err() {
            return false;
        }
        self.metrics.memory.people.set(after.weight_bytes());
        self.book.replace(after.clone());
        if has_set {
            self.feeds.settings_changed();
        }
        self.feeds.changed();
        true
    }
}

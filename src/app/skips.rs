//! Writes down what people skip, one wish after the other: an answer comes once it is on the disk,
//! and whatever is asked after that knows of it.

use std::rc::Rc;

use async_channel::Receiver;
use rusqlite::Connection;

use crate::api::skips::{Book, Wish};
use crate::budget::SkipLimits;
use crate::calendar::skips::Skips;
use crate::clock::Clock;
use crate::connections::database::{Database, Lease, skips};
use crate::error::Result;
use crate::feed::Feeds;
use crate::http::response::Answer;
use crate::http::route::Skipping;
use crate::metrics::Metrics;
use crate::pipeline::Pipeline;

/// What was skipped when the program ended, for those who read what is stored.
///
/// # Errors
/// When it cannot be read.
pub fn stored_skips(reader: &Connection, limits: &SkipLimits) -> Result<Skips> {
    Ok(Skips::from_rows(skips::read(reader)?, limits))
}

/// The same for the program itself. Nothing is when it cannot be read: an older program has made a
/// file that cannot be written now.
pub(super) fn recall_skips(reader: &mut Lease<'_>, limits: &SkipLimits) -> Skips {
    let stored = reader.read(|reader| stored_skips(reader, limits));
    stored.unwrap_or_else(|error| {
        log::warn!("what was skipped is not known: {error}");
        Skips::default()
    })
}

/// Who fulfils wishes.
pub(super) struct SkipWriter {
    pub(super) clock: Clock,
    pub(super) database: Rc<Database>,
    pub(super) feeds: Rc<Feeds>,
    pub(super) pipeline: Rc<Pipeline>,
    pub(super) metrics: Rc<Metrics>,
    pub(super) skips: Rc<Book>,
    pub(super) wishes: Receiver<Wish>,
}

impl SkipWriter {
    /// Run it as a task, once.
    pub(super) async fn run(self) {
        self.metrics.memory.skips.set(self.skips.all().weight_bytes());
        while let Ok(wish) = self.wishes.recv().await {
            let answer = self.fulfil(&wish).await;
            self.pipeline.complete(wish.asker, answer);
        }
    }

    async fn fulfil(&self, wish: &Wish) -> Rc<Answer> {
        if !self.clock.is_set() {
            return wish.failed("nobody knows until when that would be: the clock is not set");
        }
        let (now, before) = (self.clock.wall(), self.skips.all());
        let after = wish.applied(&before, now, self.skips.limits());
        if after != before {
            let written = after.clone();
            let write =
                self.database.write_durably(move |writer| skips::replace(writer, written.rows()));
            if write.await.is_err() {
                return wish.failed("it cannot be stored now, and nothing was changed");
            }
            self.metrics.memory.skips.set(after.weight_bytes());
            self.skips.replace(after.clone());
            self.feeds.changed();
        }
        if wish.what == Skipping::LiteClearAndRefresh {
            self.feeds.nudge_all();
        }
        wish.fulfilled(&before, &after, now, &self.feeds.zone())
    }
}

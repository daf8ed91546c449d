//! Tries the links of calendars that somebody wants to add, one at a time.

use std::rc::Rc;
use std::time::Duration;

use async_channel::Receiver;
use smol::future;

use super::configuration::extended;
use crate::api::admin::Current;
use crate::api::setup::{Desk, Trial, too_slow, tried, untried};
use crate::config::Config;
use crate::config::addition::NewFeed;
use crate::connections::outbound::within;
use crate::error::{Error, Result};
use crate::feed::Origin;
use crate::feed::refresh::Refresher;
use crate::http::response::Answer;
use crate::pipeline::Pipeline;

/// A trial may take so long, waiting for its turn among the refreshes included. A person waits.
const TRIAL_TIME: Duration = Duration::from_secs(60);

/// What a feed is called as long as it has no name.
const NAMELESS: &str = "a new calendar";

/// Who tries them.
pub(super) struct Trier {
    pub(super) current: Rc<Current>,
    pub(super) desk: Rc<Desk>,
    pub(super) trials: Receiver<Trial>,
    pub(super) refresher: Rc<Refresher>,
    pub(super) pipeline: Rc<Pipeline>,
}

impl Trier {
    /// Run it as a task, once.
    pub(super) async fn run(self) {
        let clock = &self.refresher.clock;
        while let Ok(Trial { asker, feed }) = self.trials.recv().await {
            let deadline = clock.now() + TRIAL_TIME;
            let trying = async {
                let answer = within(clock, deadline, self.answer(feed)).await;
                Some(answer.unwrap_or_else(too_slow))
            };
            let leaving = async {
                self.desk.gone().await;
                None
            };
            if let Some(answer) = future::or(trying, leaving).await {
                self.pipeline.complete(asker, answer);
            }
            self.desk.free();
        }
    }

    async fn answer(&self, feed: NewFeed) -> Rc<Answer> {
        let config = match self.configured(feed).await {
            Ok(config) => config,
            Err(error) => return untried(&error),
        };
        let origin = config.feeds.last().map(Origin::of);
        let Some(Origin::Server(server)) = origin else {
            return untried(&Error::config("this is not the link of a server"));
        };
        let found = self.refresher.try_out(&server).await;
        tried(found, self.refresher.clock.wall(), &self.pipeline.sources().zone())
    }

    /// The configuration as it would be with this feed, so that it is asked as it will be.
    async fn configured(&self, mut feed: NewFeed) -> Result<Config> {
        if feed.name.is_empty() {
            feed.name = NAMELESS.to_owned();
        }
        let (running, start) = (self.current.config(), &self.current.start);
        let (running, start) = (Config::clone(&running), Config::clone(start));
        let worker = &self.refresher.database.worker;
        let extended = worker.run(move || extended(&running, &start, &feed)).await;
        let failed = |cause| Error::system("the thread for files").because(cause);
        extended.map_err(failed)?.map(|(config, _)| config)
    }
}

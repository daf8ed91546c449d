//! The configuration while the program runs: its file is kept once it has served well.

use std::path::Path;
use std::rc::Rc;
use std::time::Duration;

use crate::clock::Clock;
use crate::config::Config;
use crate::config::history::{History, Standing, read_file};
use crate::error::Result;
use crate::feed::Feeds;
use crate::metrics::Metrics;

/// A configuration has served well when the program was ready with it at the end of such a time,
/// and hardly any of the answers in it was an error of the server.
const PROBATION: Duration = Duration::from_secs(300);
/// Of so many answers in that time, one may be.
const ANSWERS_PER_ERROR: u64 = 20;

/// Where the program's configurations are kept, and what tells how they fare.
#[derive(Clone)]
pub(super) struct Keeper {
    pub(super) history: Rc<History>,
    pub(super) clock: Clock,
    pub(super) feeds: Rc<Feeds>,
    pub(super) metrics: Rc<Metrics>,
}

impl Keeper {
    /// Keeps the file of this configuration once it has served well. Run it as a task, as long as
    /// the configuration is in force.
    pub(super) async fn prove(self, config: Rc<Config>) {
        let Some(path) = &config.path else { return };
        let figures = || [self.metrics.http_requests.get(), self.metrics.http_5xx.get()];
        loop {
            let before = figures();
            self.clock.sleep(PROBATION).await;
            let [answers, errors] = [0, 1].map(|at| figures()[at].saturating_sub(before[at]));
            if self.feeds.has_data() && errors <= answers / ANSWERS_PER_ERROR {
                break;
            }
        }
        match self.keep(path, &config) {
            Ok(true) => log::info!("{} has served well and was kept", path.display()),
            Ok(false) => {}
            Err(error) => log::warn!("{error}"),
        }
    }

    /// What is in the file by now is perhaps not what runs.
    fn keep(&self, path: &Path, config: &Config) -> Result<bool> {
        match read_file(path)? {
            Some(text) if config.sources.held(&text) => {
                self.history.keep(path, &text, Standing::Good, self.clock.wall())
            }
            _ => Ok(false),
        }
    }
}

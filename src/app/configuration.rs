//! The configuration while the program runs: its file is kept once it has served well, written for
//! an operator, and brought back.

use std::io;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use rustix::fs::Access;
use smol::{LocalExecutor, Task};

use super::feeds::{remember_feeds, remembered_feeds};
use super::health::{Governed, Governor};
use super::{cancel, display_zone, judge, start_refreshing};
use crate::api::admin::{Current, Taken, Wish, put_answer, validated};
use crate::api::setup::added;
use crate::budget::Plan;
use crate::clock::Clock;
use crate::config::Config;
use crate::config::addition::NewFeed;
use crate::config::history::{History, Standing, make_folder_of, read_file, write_file};
use crate::connections::database::Database;
use crate::error::{Error, Result};
use crate::feed::Feeds;
use crate::feed::refresh::Refresher;
use crate::flags::rollout::Rollout;
use crate::flags::switches::Switchboard;
use crate::http::response::Answer;
use crate::http::slab::Token;
use crate::http::token::{Bearer, Gates};
use crate::metrics::Metrics;
use crate::pipeline::Pipeline;
use crate::secret::Secret;

/// A configuration has served well when the program was ready with it at the end of such a time,
/// and hardly any of the requests in it was failed.
const PROBATION: Duration = Duration::from_secs(300);
/// Of so many answers in that time, one may be; of fewer, one as well.
const ANSWERS_PER_ERROR: u64 = 20;

/// Where the program's configurations are kept, and what tells how they fare.
#[derive(Clone)]
struct Keeper {
    history: Arc<History>,
    /// Its thread waits for the disk.
    database: Rc<Database>,
    clock: Clock,
    feeds: Rc<Feeds>,
    metrics: Rc<Metrics>,
}

impl Keeper {
    /// Keeps the file of this configuration once it has served well. Run it as a task, as long as
    /// the configuration is in force.
    async fn prove(self, config: Rc<Config>) {
        let Some(path) = &config.path else { return };
        let figures = || [self.metrics.http_requests.get(), self.metrics.http_failed.get()];
        loop {
            let before = figures();
            self.clock.sleep(PROBATION).await;
            let [answers, errors] = [0, 1].map(|at| figures()[at].saturating_sub(before[at]));
            if self.feeds.has_data() && errors <= (answers / ANSWERS_PER_ERROR).max(1) {
                break;
            }
        }
        let (file, sources) = (path.clone(), config.sources.clone());
        // What is in the file by now is perhaps not what runs.
        let kept = self.block(move |history, now| match read_file(&file)? {
            Some(text) if sources.held(&text) => history.keep(&file, &text, Standing::Good, now),
            _ => Ok(false),
        });
        match kept.await {
            Ok(true) => log::info!("{} has served well and was kept", path.display()),
            Ok(false) => {}
            Err(error) => log::warn!("{error}"),
        }
    }

    /// Does work on files where it holds nobody: a card may take seconds to write one.
    async fn block<T: Send + 'static>(
        &self,
        work: impl FnOnce(&History, Timestamp) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let (history, now) = (Arc::clone(&self.history), self.clock.wall());
        let done = self.database.worker.run(move || work(&history, now)).await;
        done.map_err(|cause| Error::system("the thread for files").because(cause))?
    }
}

/// What the configuration file held before another text was written into it.
struct Before {
    path: PathBuf,
    text: Option<String>,
}

impl Before {
    /// Writes it back, since the new one cannot be taken over after all.
    async fn restore(self, keeper: &Keeper) {
        let Some(text) = self.text else { return };
        let restored = keeper.block(move |_, _| write_file(&self.path, &text)).await;
        if let Err(error) = restored {
            log::error!("the old configuration cannot be written back: {error}");
        }
    }
}

impl Keeper {
    /// Writes a text into the configuration file; what it held is kept as a version.
    async fn write(&self, path: PathBuf, text: String) -> Result<Before> {
        let written = self.block(move |history, now| {
            let before = read_file(&path)?;
            match &before {
                Some(before) => _ = history.keep(&path, before, Standing::Replaced, now)?,
                None => make_folder_of(&path)?,
            }
            write_file(&path, &text)?;
            Ok(Before { path, text: before })
        });
        written.await
    }

    /// The last configuration that has served well, with its text. One that has itself makes room
    /// for no other, however long ago that was.
    async fn last_good(&self, running: Config) -> Result<(Config, String)> {
        let found = self.block(move |history, _| {
            let none = || Error::system("no configuration before this one has served well");
            if history.has_good(&|text| running.sources.held(text))? {
                return Err(Error::system("this configuration has served well before"));
            }
            let version = history.last_good(None)?.ok_or_else(none)?;
            let text = history.text(&version)?;
            // One of another file is not this one's.
            if running.path.as_ref() != Some(&version.path) {
                return Err(none());
            }
            Ok((running.with_text(&text)?, text))
        });
        found.await
    }
}

impl Keeper {
    /// What a text of the configuration file comes to with all that is read beside it, and the text.
    async fn judge(
        &self,
        running: &Config,
        start: &Config,
        text: String,
    ) -> Result<(Config, String)> {
        let (running, start) = (running.clone(), start.clone());
        self.block(move |_, _| workable(running.with_text(&text)?, &start).map(|new| (new, text)))
            .await
    }

    /// The same for what the file holds, and another feed.
    async fn extend(
        &self,
        running: &Config,
        start: &Config,
        feed: NewFeed,
    ) -> Result<(Config, String)> {
        let (running, start) = (running.clone(), start.clone());
        self.block(move |_, _| extended(&running, &start, &feed)).await
    }
}

/// What the configuration file would hold with another feed, and what that comes to. It is read for
/// that.
pub(super) fn extended(
    running: &Config,
    start: &Config,
    feed: &NewFeed,
) -> Result<(Config, String)> {
    let path = running.place().unwrap_or_default();
    let text = feed.added_to(read_file(&path)?.as_deref());
    let new = workable(running.with_text(&text)?, start)?;
    if !new.has_feed(feed) {
        return Err(Error::config(
            "CALENDARBOT_ICS_URL is set, and the calendars of the file are not used: take it out of \
             the environment first",
        ));
    }
    Ok((new, text))
}

/// A configuration that the program can be started with, as far as that can be told while it runs
/// by another one: whoever writes it may be far away.
fn workable(new: Config, start: &Config) -> Result<Config> {
    judge(&new)?;
    let unworkable = |name: &str, why: String| {
        let given = new.sources.given(name).map_or(name, |value| value.source.as_str());
        Err(Error::config(format!("{given}: `{name}` {why}")))
    };
    if new.data_dir != start.data_dir
        && let Err(error) = can_hold_files(&new.data_dir)
    {
        return unworkable("data_dir", format!("cannot be used: {error}"));
    }
    if let Some(socket) = new.unix_socket.as_ref().filter(|_| new.unix_socket != start.unix_socket)
        && let Err(error) = can_hold_files(socket.parent().unwrap_or(Path::new(".")))
    {
        return unworkable("unix_socket", format!("cannot be made: {error}"));
    }
    // Where the program listens already, it can: any free port says the same of the address.
    let is_ours = new.port == start.port;
    let port = if is_ours { 0 } else { new.port };
    if (new.host, new.port) != (start.host, start.port)
        && let Err(error) = TcpListener::bind((new.host, port))
    {
        let name = if is_ours { "host" } else { "port" };
        return unworkable(name, format!("cannot be listened on: {error}"));
    }
    Ok(new)
}

/// Checks that a folder is there, or can be made, and takes files.
fn can_hold_files(folder: &Path) -> io::Result<()> {
    let there = folder.ancestors().find(|folder| folder.exists()).unwrap_or(Path::new("."));
    let there = if there.as_os_str().is_empty() { Path::new(".") } else { there };
    if !there.is_dir() {
        return Err(io::ErrorKind::NotADirectory.into());
    }
    Ok(rustix::fs::access(there, Access::WRITE_OK | Access::EXEC_OK)?)
}

/// What an operator should know who is let in by a token.
fn change_of_token(old: &Config, new: &Config) -> Option<&'static str> {
    let (old, new) = (old.admin_token.as_ref()?, new.admin_token.as_ref());
    match new {
        None => Some(
            "the token is gone (admin.token_file): from now on nobody is an operator who is not on \
             the server's own machine",
        ),
        Some(new) if new != old => {
            Some("from now on another token is the right one (admin.token_file)")
        }
        Some(_) => None,
    }
}

/// From now on these tokens are the right ones.
pub(super) fn set_tokens(gates: &Gates, config: &Config) {
    let bearer = |token: &Option<Secret>| Bearer::new(token.as_ref()?.expose());
    gates.operators.set_token(bearer(&config.admin_token));
    gates.assistants.set_token(bearer(&config.alexa_token));
    gates.settings_from_lan.set(config.settings_from_lan);
}

/// Everything that follows the configuration.
pub(super) struct Followers {
    pub(super) database: Rc<Database>,
    pub(super) feeds: Rc<Feeds>,
    pub(super) pipeline: Rc<Pipeline>,
    pub(super) refresher: Rc<Refresher>,
    pub(super) governor: Rc<Governor<Governed>>,
    pub(super) switches: Rc<Switchboard>,
    pub(super) rollout: Rc<Rollout>,
    pub(super) gates: Rc<Gates>,
    pub(super) current: Rc<Current>,
}

/// The configuration in force, and what runs by it.
pub(super) struct Force<'e> {
    executor: &'e LocalExecutor<'static>,
    followers: Followers,
    keeper: Keeper,
    refreshing: Vec<Task<()>>,
    proving: Task<()>,
}

impl<'e> Force<'e> {
    /// Begins to refresh, and to see how the configuration fares.
    pub(super) fn new(
        executor: &'e LocalExecutor<'static>,
        followers: Followers,
        metrics: Rc<Metrics>,
    ) -> Self {
        let config = followers.current.config();
        let keeper = Keeper {
            // A reload may name another folder, which takes effect at the next start.
            history: Arc::new(History::of(&config.data_dir)),
            database: Rc::clone(&followers.database),
            clock: followers.refresher.clock.clone(),
            feeds: Rc::clone(&followers.feeds),
            metrics,
        };
        let proving = executor.spawn(keeper.clone().prove(config));
        let refreshing = start_refreshing(executor, &followers.refresher, &followers.feeds);
        Self { executor, followers, keeper, refreshing, proving }
    }

    /// Takes over what has been read from all sources.
    pub(super) async fn reload(&mut self, new: Config) {
        match self.take_over(new).await {
            Ok(_) => log::info!("the configuration was reloaded"),
            Err(error) => log::error!("reload: {error}; the old one stays"),
        }
    }

    /// Does what was asked for over HTTP: who waits for the answer, and the answer.
    pub(super) async fn fulfil(&mut self, wish: Wish) -> Option<(Token, Rc<Answer>)> {
        let running = self.followers.current.config();
        let start = Rc::clone(&self.followers.current.start);
        match wish {
            Wish::Revert => {
                self.revert().await;
                None
            }
            Wish::Validate { asker, text } => {
                let judged = self.keeper.judge(&running, &start, text).await;
                Some((asker, validated(judged.map(|(config, _)| config), &running)))
            }
            Wish::Put { asker, text } => {
                let outcome = match self.keeper.judge(&running, &start, text).await {
                    Ok((config, text)) => self.put(config, text).await,
                    Err(error) => Err(error),
                };
                Some((asker, put_answer(outcome, &running)))
            }
            Wish::Add { asker, feed } => {
                let outcome = match self.keeper.extend(&running, &start, feed.clone()).await {
                    Ok((config, text)) => self.put(config, text).await,
                    Err(error) => Err(error),
                };
                Some((asker, added(outcome, &feed)))
            }
        }
    }

    /// Writes the configuration file and takes over what it says, or does neither.
    async fn put(&mut self, new: Config, text: String) -> Result<Taken> {
        let path = new.path.clone().unwrap_or_default();
        let old = self.followers.current.config();
        let mut warnings = new.warnings.clone();
        warnings.extend(change_of_token(&old, &new).map(str::to_owned));
        let before = self.keeper.write(path.clone(), text).await?;
        match self.take_over(new).await {
            Ok(at_next_start) => {
                log::warn!("an operator: {} was written and taken over", path.display());
                Ok(Taken { file: path, warnings, at_next_start })
            }
            Err(error) => {
                before.restore(&self.keeper).await;
                Err(error)
            }
        }
    }

    /// Goes back to the last configuration that has served well, if there is one, also when the
    /// file cannot be written.
    pub(super) async fn revert(&mut self) {
        let running = Config::clone(&self.followers.current.config());
        let (old, text) = match self.keeper.last_good(running).await {
            Ok(found) => found,
            Err(error) => return log::error!("nothing to go back to: {error}"),
        };
        let path = old.path.clone().unwrap_or_default();
        // A file that cannot be taken over does not get into the place of one that was.
        if let Err(error) = self.take_over(old).await {
            return log::error!("cannot go back: {error}");
        }
        self.keeper.metrics.rollback_reverts.count();
        match self.keeper.write(path.clone(), text).await {
            Ok(_) => log::error!("{} is the last that has served well again", path.display()),
            Err(error) => {
                log::error!("{error}; what has served well counts until the next start");
            }
        }
    }

    /// Lets go of everything.
    pub(super) async fn end(self) {
        cancel(self.refreshing).await;
        cancel(vec![self.proving]).await;
    }

    /// Hands a configuration down to all who follow it, or changes nothing. Returns the keys that
    /// take effect at the next start.
    async fn take_over(&mut self, new: Config) -> Result<Vec<&'static str>> {
        cancel(std::mem::take(&mut self.refreshing)).await;
        let outcome = self.followers.take_over(new).await;
        let Followers { refresher, feeds, current, .. } = &self.followers;
        if outcome.is_ok() {
            self.proving = self.executor.spawn(self.keeper.clone().prove(current.config()));
        }
        self.refreshing = start_refreshing(self.executor, refresher, feeds);
        outcome
    }
}

impl Followers {
    async fn take_over(&self, new: Config) -> Result<Vec<&'static str>> {
        let limits = &self.refresher.limits;
        // The budget that counts is the one that everything was sized by.
        let feeds = new.feeds.len().max(1);
        let plan = Plan::new(limits.budget_bytes, feeds, limits.feed.clone())?;
        let written = {
            let new = new.clone();
            self.database.write(move |connection| remember_feeds(connection, &new)).await
        };
        let list = remembered_feeds(&self.database, &new, written)?;
        let later = new.at_next_start(&self.current.start);
        for name in &later {
            log::warn!("`{name}` takes effect at the next start");
        }
        if let Some(term) = plan.terms.iter().find(|term| term.name == "feeds") {
            self.refresher.metrics.memory.plan(term.name, term.bytes);
        }
        log::set_max_level(new.log_level);
        self.pipeline.sources().screen.set(new.screen);
        self.pipeline.sources().wall.set_home(new.layout);
        self.feeds.replace(list, display_zone(&new));
        self.governor.configure(&new);
        let now = self.refresher.clock.wall();
        self.switches.change(|switches| switches.configure(new.flags, new.flags_by, now));
        let (percent, by) = new.rollout;
        self.rollout.configure(percent, by, now);
        set_tokens(&self.gates, &new);
        self.current.config.replace(Rc::new(new));
        Ok(later)
    }
}

#[cfg(test)]
mod tests {
    use smol::future;

    use super::*;
    use crate::budget::FeedLimits;

    /// The thread waits for another disk access, as it does with a card that takes its time.
    #[test]
    fn a_disk_that_takes_its_time_does_not_hold_the_loop() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("c.toml");
        let limits = Plan::divide(16 << 20, 1, FeedLimits::default()).limits.database;
        let clock = Clock::manual(Timestamp::UNIX_EPOCH);
        let metrics = Rc::new(Metrics::default());
        let opened = Database::open(folder.path(), &limits, clock.clone(), Rc::clone(&metrics));
        let database = Rc::new(opened.unwrap().0);
        let keeper = Keeper {
            history: Arc::new(History::of(folder.path())),
            database: Rc::clone(&database),
            clock,
            feeds: Rc::new(Feeds::new(Vec::new(), jiff::tz::TimeZone::UTC)),
            metrics,
        };
        let (release, gate) = std::sync::mpsc::channel::<()>();
        smol::block_on(async {
            let mut hanging = Box::pin(database.worker.run(move || gate.recv()));
            assert!(future::poll_once(&mut hanging).await.is_none());
            let mut writing = Box::pin(keeper.write(path.clone(), "port = 80\n".into()));
            assert!(future::poll_once(&mut writing).await.is_none());
            release.send(()).unwrap();
            let before = writing.await.unwrap();
            assert_eq!(before.text, None);
        });
        assert_eq!(read_file(&path).unwrap().as_deref(), Some("port = 80\n"));
    }
}

//! Everything that can be configured, checked before anything starts.
//!
//! Options of the command line go before the environment, the environment before a `.env` file
//! beside the configuration, that before the configuration file, and the file before the
//! defaults. Every source is checked in full, also where another one overrides it, and all
//! problems are told at once: where, what was found, what is allowed. Nothing is clamped,
//! nothing is ignored, and no message shows a feed's address or another secret.
//!
//! [`Inputs::from_process`] is the only place that reads the process's environment.

pub mod addition;
mod args;
mod display_keys;
#[cfg(test)]
mod document;
mod environment;
mod feed;
mod feed_keys;
mod feed_url;
mod file;
mod filter;
mod find;
mod fixed;
mod given;
mod health_keys;
mod help;
pub mod history;
mod key;
mod keys;
mod problems;
mod sources;
#[cfg(test)]
mod tests;
mod tokens;

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::net::{IpAddr, Ipv4Addr};
use std::path::{Path, PathBuf};
use std::time::Duration;

use jiff::Timestamp;

use crate::budget::{Ceilings, FeedLimits, Plan, TooHigh, show_bytes};
use crate::calendar::settings::Layout;
use crate::display::Screen;
use crate::error::Result;
use crate::flags::switches::By;
use crate::flags::{Flag, Flags, Tuning};
use crate::health::settings::Settings;
use crate::http::peer::Network;
use crate::secret::Secret;

use self::environment::Variables;
use self::feed::{FeedDraft, Surroundings};
use self::feed_keys::FEED_KEYS;
use self::file::Document;
use self::given::{Given, safe};
use self::health_keys::HEALTH_KEYS;
use self::key::Key;
use self::keys::KEYS;
use self::problems::Problems;
use self::sources::{AllGiven, Origin};
use self::tokens::Tokens;

pub use self::args::{Action, Arguments, Command, parse};
pub use self::feed::{Auth, FeedConfig, Source};
pub use self::feed_url::FeedUrl;
#[cfg(test)]
pub use self::health_keys::usual_health;
pub use self::help::help;
pub use self::sources::{Sources, Value};

/// What the program does, valid by construction.
#[derive(Clone, Debug, PartialEq)]
pub struct Config {
    /// The address to listen on.
    pub host: IpAddr,
    /// The TCP port to listen on; 0 is any free one.
    pub port: u16,
    /// Host names that requests may carry, besides those that the machine has itself; lower
    /// case, without port.
    pub server_names: Vec<String>,
    /// A Unix socket to listen on beside the TCP port.
    pub unix_socket: Option<PathBuf>,
    /// What stands in front of every path: empty, or segments with a slash before each.
    pub base_path: String,
    /// Whose word about their clients is taken.
    pub trusted_proxies: Vec<Network>,
    /// Requests a second that one client may send.
    pub rate_limit: u32,
    /// Every answer gets a line in the log.
    pub access_log: bool,
    /// The folder of the database.
    pub data_dir: PathBuf,
    /// Where the number of the process is written.
    pub pid_file: Option<PathBuf>,
    /// Certificate authorities that feed servers are trusted by, beside the public ones.
    pub ca_file: Option<PathBuf>,
    /// Bytes for the whole process.
    pub memory_budget: usize,
    /// How much is logged.
    pub log_level: log::LevelFilter,
    /// An IANA name that the time-zone database has, or `None` for the system's zone.
    pub time_zone: Option<String>,
    /// Where the calendar's "now" stands still.
    pub test_time: Option<Timestamp>,
    /// How often a feed is fetched that does not say so itself.
    pub refresh_interval: Duration,
    /// Days before today that are kept.
    pub past_days: u16,
    /// Days after today that are kept.
    pub future_days: u16,
    /// What is switched on at start.
    pub flags: Flags,
    /// By whom each of them was set.
    pub flags_by: [By; Flag::COUNT],
    /// The part of all clients that have the pipeline, in percent, and who said so.
    pub rollout: (u32, By),
    /// What lets operators in who are not on this machine.
    pub admin_token: Option<Secret>,
    /// What a voice assistant has to show; `None` when it need not.
    pub alexa_token: Option<Secret>,
    /// How pages are written and coloured.
    pub screen: Screen,
    /// What the wall shows after a start.
    pub layout: Layout,
    /// The home network may change settings.
    pub settings_from_lan: bool,
    /// The origins that may hold a page in a frame, each with a blank before it.
    pub frame_ancestors: String,
    /// How the pipeline is tuned.
    pub tuning: Tuning,
    /// What health decides by.
    pub health: Settings,
    /// Limits that are lower than the budget has them.
    pub ceilings: Ceilings,
    /// The feeds, each with its own name; none means the demonstration calendar.
    pub feeds: Vec<FeedConfig>,
    /// The configuration file that was read.
    pub path: Option<PathBuf>,
    /// What the operator should know, a sentence each, free of secrets; for the log.
    pub warnings: Vec<String>,
    /// What all of this was read from.
    pub sources: Sources,
}

/// Everything from outside that the configuration depends on, files apart.
#[derive(Clone, Debug, Default)]
pub struct Inputs {
    /// The command line, without the program's name.
    pub args: Vec<OsString>,
    /// The environment, or the part of it that matters.
    pub env: BTreeMap<String, String>,
    /// The memory budget in bytes where none is given.
    pub default_budget: usize,
}

impl Inputs {
    /// The command line and the environment of this process. Bytes that are not UTF-8 become
    /// U+FFFD, which no variable of ours may hold.
    pub fn from_process(default_budget: usize) -> Self {
        let text = |text: OsString| text.to_string_lossy().into_owned();
        Self {
            args: std::env::args_os().skip(1).collect(),
            env: std::env::vars_os()
                .map(|(name, value)| (text(name), text(value)))
                .filter(|(name, _)| environment::matters(name))
                .collect(),
            default_budget,
        }
    }

    /// False when the environment asks for text without colours (<https://no-color.org>).
    pub fn wants_colour(&self) -> bool {
        self.variable("NO_COLOR").is_none()
    }

    /// A variable that is set to something.
    fn variable(&self, name: &str) -> Option<&str> {
        self.env.get(name).map(String::as_str).filter(|value| !value.is_empty())
    }
}

/// Reads every source and checks it.
///
/// # Errors
/// A configuration error (exit 78) with a line for each problem, at most twenty.
pub fn load(arguments: &Arguments, inputs: &Inputs) -> Result<Config> {
    load_with(arguments, inputs, None)
}

/// The same with `text` in the place of what the file at `path` holds.
///
/// # Errors
/// The same.
pub fn load_text(
    arguments: &Arguments,
    inputs: &Inputs,
    path: &Path,
    text: &str,
) -> Result<Config> {
    load_with(arguments, inputs, Some((path.to_owned(), text.to_owned())))
}

/// The configuration file and the data folder, as far as they are told by sources that may be
/// wrong otherwise. The file need not exist.
pub fn locate(arguments: &Arguments, inputs: &Inputs) -> (Option<PathBuf>, PathBuf) {
    let Config { path, data_dir, .. } = Gathered::read(arguments, inputs, None).draft.config;
    (path, data_dir)
}

/// The same as [`load`] with another file, and what it holds, in the place of the one that would
/// be found.
fn load_with(
    arguments: &Arguments,
    inputs: &Inputs,
    file: Option<(PathBuf, String)>,
) -> Result<Config> {
    let Gathered { mut draft, file, file_feeds, env_feed, mut given, mut problems } =
        Gathered::read(arguments, inputs, file);
    given.feeds = draft.feeds(file_feeds, env_feed, inputs, &mut problems);
    draft.config.warnings.extend(arguments.warnings.iter().cloned());
    let text = file.as_ref().map(|(_, text)| text.as_str());
    draft.config.sources = Sources::new(arguments, inputs, text, given);
    draft.tokens(inputs, &mut problems);
    draft.finish(problems)
}

/// What all sources say, before the feeds are looked at.
struct Gathered {
    draft: Draft,
    file: Option<(PathBuf, String)>,
    file_feeds: Vec<(String, FeedDraft)>,
    env_feed: FeedDraft,
    given: AllGiven,
    problems: Problems,
}

impl Gathered {
    fn read(arguments: &Arguments, inputs: &Inputs, file: Option<(PathBuf, String)>) -> Self {
        let mut problems = Problems::default();
        let mut draft = Draft::new(arguments, inputs);
        let (mut file_feeds, mut given) = (Vec::new(), AllGiven::default());

        let file = file.or_else(|| find::file_with_text(arguments, inputs, &mut problems));
        if let Some((path, text)) = &file {
            let plan = Plan::divide(inputs.default_budget, 0, FeedLimits::default());
            let feeds_max = plan.limits.refresh.feeds_max;
            let document = Document { path, text, feeds_max, problems: &mut problems };
            draft.by = By::File;
            file_feeds = document.apply(&mut draft, &mut given.program);
            draft.settle_rollout();
            draft.config.path = Some(path.clone());
        }
        let dotenv = find::dotenv(draft.config.path.as_deref(), inputs, &mut problems);
        let process = Variables::from_process(&inputs.env);
        let mut env_feed = FeedDraft::new();
        draft.by = By::Environment;
        for variables in dotenv.iter().chain([&process]) {
            variables.apply(KEYS, &mut draft, &mut given.program, &mut problems);
            draft.settle_rollout();
            let mut of_feed = std::mem::take(&mut env_feed.given);
            variables.apply(FEED_KEYS, &mut env_feed, &mut of_feed, &mut problems);
            env_feed.given = of_feed;
            variables.warn_of_strangers(&mut draft.config.warnings);
        }
        for (key, value) in &arguments.settings {
            let origin = || Origin::Option(key.option);
            let stored = key.store(&mut draft, &Given::Text(value), origin, &mut given.program);
            problems.extend(stored.err());
        }
        if env_feed.url.is_some() {
            env_feed.name = "calendar".into();
            env_feed.trusted_origin = true;
        } else if dotenv.iter().chain([&process]).any(|variables| variables.hold_any(FEED_KEYS)) {
            draft.warn("CALENDARBOT_ICS_… has no effect without CALENDARBOT_ICS_URL");
        }
        Self { draft, file, file_feeds, env_feed, given, problems }
    }
}

/// A configuration in the making.
struct Draft {
    config: Config,
    /// The source that is being read.
    by: By,
    flags_enabled: bool,
    flags_enabled_by: By,
    /// Of the source that is being read.
    rollout_percent: Option<(u32, By)>,
    tokens: Tokens,
    runtime_dir: Option<PathBuf>,
    allow_private_feeds: bool,
    /// The addresses of the owner that hold for every feed.
    me: Vec<String>,
}

impl Draft {
    fn new(arguments: &Arguments, inputs: &Inputs) -> Self {
        // Blanks, but for what depends on the machine: the table has the defaults.
        let config = Config {
            host: IpAddr::V4(Ipv4Addr::LOCALHOST),
            port: 0,
            server_names: Vec::new(),
            unix_socket: None,
            base_path: String::new(),
            trusted_proxies: Vec::new(),
            rate_limit: 0,
            access_log: false,
            data_dir: file::default_data_dir(inputs).unwrap_or_default(),
            pid_file: None,
            ca_file: None,
            memory_budget: inputs.default_budget,
            log_level: log::LevelFilter::Off,
            time_zone: None,
            test_time: None,
            refresh_interval: Duration::ZERO,
            past_days: 0,
            future_days: 0,
            flags: Flags::OFF,
            flags_by: [By::Default; Flag::COUNT],
            rollout: (100, By::Default),
            admin_token: None,
            alexa_token: None,
            screen: Screen::default(),
            layout: Layout::default(),
            settings_from_lan: false,
            frame_ancestors: String::new(),
            tuning: Tuning::default(),
            health: Settings::default(),
            ceilings: Ceilings::default(),
            feeds: Vec::new(),
            path: None,
            warnings: Vec::new(),
            sources: Sources::new(arguments, inputs, None, AllGiven::default()),
        };
        let mut draft = Self {
            config,
            by: By::Default,
            flags_enabled: false,
            flags_enabled_by: By::Default,
            rollout_percent: None,
            tokens: Tokens::default(),
            runtime_dir: file::runtime_dir(inputs),
            allow_private_feeds: false,
            me: Vec::new(),
        };
        set_defaults(KEYS, &mut draft);
        set_defaults(HEALTH_KEYS, &mut draft.config.health);
        draft
    }

    fn set_flag(&mut self, flag: Flag, on: bool) {
        self.config.flags.set(flag, on);
        self.config.flags_by[flag as usize] = self.by;
    }

    fn enable_flags(&mut self, on: bool) {
        (self.flags_enabled, self.flags_enabled_by) = (on, self.by);
    }

    /// A percentage goes before the stage of the same source, and gives way to that of the next.
    fn settle_rollout(&mut self) {
        self.config.rollout = self.rollout_percent.take().unwrap_or(self.config.rollout);
    }

    fn warn(&mut self, warning: impl Into<String>) {
        self.config.warnings.push(warning.into());
    }

    /// Checks the feeds against each other, and lets the environment's replace the file's. Returns
    /// what was given for those that are left.
    fn feeds(
        &mut self,
        file_feeds: Vec<(String, FeedDraft)>,
        mut env_feed: FeedDraft,
        inputs: &Inputs,
        problems: &mut Problems,
    ) -> Vec<(String, Vec<Value>)> {
        let mut all_given = Vec::new();
        let config = &mut self.config;
        let around = Surroundings {
            credentials: inputs.variable("CREDENTIALS_DIRECTORY").map(Path::new),
            interval: config.refresh_interval,
            allow_private: self.allow_private_feeds,
            me: &self.me,
        };
        for (place, mut feed) in file_feeds {
            let name = feed.name.clone();
            all_given.push((name.clone(), std::mem::take(&mut feed.given)));
            if !name.is_empty() && config.feeds.iter().any(|feed| feed.name == name) {
                problems.push(format!("{place}there is another feed `{}`", safe(&name)));
            }
            config.feeds.extend(feed.finish(&place, &around, problems));
        }
        if env_feed.url.is_some() {
            if !config.feeds.is_empty() {
                let warning = "CALENDARBOT_ICS_URL is set: the configured feeds are not used";
                config.warnings.push(warning.into());
            }
            let given = std::mem::take(&mut env_feed.given);
            all_given = vec![(env_feed.name.clone(), given)];
            let place = "CALENDARBOT_ICS_URL: ";
            config.feeds = env_feed.finish(place, &around, problems).into_iter().collect();
        }
        all_given
    }

    fn finish(mut self, mut problems: Problems) -> Result<Config> {
        if self.config.data_dir.as_os_str().is_empty() {
            problems.push(
                "there is no folder for data: give --data-dir, or set CALENDARBOT_DATA_DIR, \
                 STATE_DIRECTORY, XDG_DATA_HOME or HOME"
                    .into(),
            );
        }
        let budget = self.config.memory_budget;
        let mut limits = Plan::divide(budget, 1, FeedLimits::default()).limits;
        for TooHigh { key, asked, possible } in self.config.ceilings.lower(&mut limits) {
            let (key, budget) = (keys::ceiling_names(key), show_bytes(budget));
            problems.push(format!(
                "{key} is {asked}; a memory budget of {budget} has room for {possible}"
            ));
        }
        problems.extend(health_keys::problems(&self.config.health));
        problems.into_result()?;
        if !self.flags_enabled {
            self.config.flags = Flags::OFF;
            self.config.flags_by = [self.flags_enabled_by; Flag::COUNT];
        }
        if !self.config.host.is_loopback() {
            let (host, port) = (self.config.host, self.config.port);
            self.warn(format!(
                "listening on {host} port {port}: whoever reaches it can read the calendars"
            ));
        }
        let warnings: Vec<_> = self.config.feeds.iter().flat_map(feed_warnings).collect();
        self.config.warnings.extend(warnings);
        Ok(self.config)
    }
}

fn feed_warnings(feed: &FeedConfig) -> impl Iterator<Item = String> {
    let plain = matches!(&feed.source, Source::Url(url) if url.expose().scheme() == "http");
    let logs_in = feed.auth != Auth::None || !feed.headers.is_empty();
    let name = &feed.name;
    let any_certificate = feed.insecure_tls.then(|| {
        format!("feed `{name}`: its server's certificate is not checked (insecure_tls): whoever is on the way can read and change the calendar")
    });
    let open_login = (plain && logs_in)
        .then(|| format!("feed `{name}`: its login is sent over http, where others can read it"));
    any_certificate.into_iter().chain(open_login)
}

/// Gives every key that has a default in the table this value.
fn set_defaults<T>(keys: &[Key<T>], target: &mut T) {
    keys.iter().for_each(|key| key.set_default(target));
}

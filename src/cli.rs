//! The commands, and what they print. Exit codes: 0 ok, 1 failed, 2 usage, 78 configuration.

mod configuration;
mod explain;
mod export;
mod stats;
mod stored;

use std::fmt::Write as _;
use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;
use std::rc::Rc;
use std::time::Duration;

use async_channel::{Receiver, Sender};
use jiff::Timestamp;
use smol::{LocalExecutor, future};

use crate::api::native;
use crate::api::people::People;
use crate::app::{self, App, Ended, Order};
use crate::budget::{default_bytes, show_bytes};
use crate::calendar::selection::{self, Meeting};
use crate::calendar::text::{columns, harmless, span};
use crate::calendar::{Agenda, CalendarStatus, Entry};
use crate::clock::{Clock, Moment};
use crate::config::{self, Arguments, Command, Config, Inputs};
use crate::connections::database;
use crate::daemon::{self, Background, PidFile, Started, Supervisor, Wish, Wishes};
use crate::error::{Error, Result};
use crate::event_loop::EventLoop;
use crate::feed::store::{WindowQuery, read_window};
use crate::health::sample;
use crate::http::listener::Address;

/// Runs the command line of this process.
pub fn main() -> ExitCode {
    let inputs = Inputs::from_process(default_bytes(sample::total_memory_bytes()));
    let print = |text: &str| {
        // A reader that has closed the pipe has read enough.
        let _ = std::io::stdout().write_all(text.as_bytes());
        ExitCode::SUCCESS
    };
    let done = config::parse(&inputs).and_then(|arguments| {
        let background = if arguments.daemon { Background::enter() } else { None };
        if !arguments.daemon || background.is_some() {
            return run(&arguments, &inputs, background).map(|text| print(&text));
        }
        Ok(match daemon::start()? {
            Started::Serves(text) => print(&text),
            Started::Failed(code) => ExitCode::from(code),
        })
    });
    match done {
        Ok(code) => code,
        Err(error) => {
            let _ = writeln!(std::io::stderr(), "calendarbot: {error}");
            ExitCode::from(error.exit_code())
        }
    }
}

/// Runs one command and returns what it has to say on standard output.
fn run(arguments: &Arguments, inputs: &Inputs, background: Option<Background>) -> Result<String> {
    match &arguments.command {
        Command::Serve => serve(arguments, inputs, background).map(|()| String::new()),
        Command::Check => check(&config::load(arguments, inputs)?),
        Command::Config(action) => configuration::run(*action, arguments, inputs),
        Command::Plan => plan(&config::load(arguments, inputs)?),
        Command::Next { feed, count, json } => {
            next(&config::load(arguments, inputs)?, feed.as_deref(), *count, *json)
        }
        Command::Explain { feed, query, show_private } => {
            let config = config::load(arguments, inputs)?;
            explain::explain(&config, feed, query.as_deref(), *show_private)
        }
        Command::Export { feed, show_private } => {
            let config = config::load(arguments, inputs)?;
            let mut out = std::io::BufWriter::new(std::io::stdout());
            export::export(&config, feed, *show_private, &mut out).map(|()| String::new())
        }
        Command::Stats { url, watch, json } => {
            let config = config::load(arguments, inputs)?;
            stats::stats(&config, url.as_deref(), *watch, *json, inputs.wants_colour())
        }
        Command::Help(topic) => Ok(config::help(topic.as_deref())),
        Command::Version => Ok(format!("calendarbot {}\n", env!("CARGO_PKG_VERSION"))),
    }
}

/// Serves until told to stop. A damaged database opens the app anew, which rebuilds it.
fn serve(arguments: &Arguments, inputs: &Inputs, mut background: Option<Background>) -> Result<()> {
    let mut config = config::load(arguments, inputs)
        .map_err(|error| configuration::with_way_back(error, arguments, inputs))?;
    daemon::log_to_stderr(config.log_level);
    config.warnings.iter().for_each(|warning| log::warn!("{warning}"));
    let supervisor = Rc::new(Supervisor::from_environment());
    daemon::forbid_core_dumps();
    daemon::warn_of_root();
    let event_loop = Rc::new(EventLoop::new()?);
    let executor = Rc::new(LocalExecutor::new());
    let (arguments, inputs) = (arguments.clone(), inputs.clone());
    let main = {
        let (event_loop, executor) = (Rc::clone(&event_loop), Rc::clone(&executor));
        async move {
            let (orders, taken) = async_channel::bounded(4);
            let wishes = Wishes::listen()?;
            let _signals = {
                let file = config.path.clone();
                let supervisor = Rc::clone(&supervisor);
                executor.spawn(pass_on(wishes, orders, arguments, inputs, file, supervisor))
            };
            let clock = Clock::system(None);
            let _watching = executor.spawn(Rc::clone(&supervisor).watch(clock.clone()));
            let mut rebuilt: Option<Moment> = None;
            let mut turned = None;
            let mut pid_file = None;
            loop {
                supervisor.opening();
                let mut app = App::open(
                    config.clone(),
                    Clock::system(config.test_time),
                    Rc::clone(&event_loop),
                )?
                .with_supervisor(Rc::clone(&supervisor));
                if let Some(turned) = turned.take() {
                    app = app.with_turned(turned);
                }
                if let Some(path) = config.pid_file.as_deref().filter(|_| pid_file.is_none()) {
                    pid_file = Some(PidFile::write(path)?);
                }
                let address = announce(app.addresses(), &config);
                supervisor.ready(&address);
                background.take().map_or(Ok(()), |background| background.serves(&address))?;
                // A reload may name another folder, which takes effect at the next start.
                let folder = config.data_dir.clone();
                match app.run(&executor, taken.clone()).await {
                    Ended::Stopped => break log::info!("stopped"),
                    Ended::Damaged(current, by_hand) => {
                        (config, turned) = (*current, Some(*by_hand));
                        match database::put_aside(&folder) {
                            Ok(Some(aside)) => {
                                let aside = aside.display();
                                log::error!("the damaged database was kept as {aside}");
                            }
                            Ok(None) => {}
                            // Its readable part is better than nothing.
                            Err(error) => log::error!("{error}"),
                        }
                        // A card that damages every new one must not keep the program busy.
                        let is_hasty =
                            rebuilt.is_some_and(|at| clock.now().since(at) < REBUILD_PAUSE);
                        if is_hasty && pause(&clock, &taken, &mut config).await == Pause::Stopped {
                            break log::info!("stopped");
                        }
                        rebuilt = Some(clock.now());
                    }
                }
            }
            Ok(())
        }
    };
    event_loop.run(&executor, main)
}

/// Between two databases that had to be rebuilt.
const REBUILD_PAUSE: Duration = Duration::from_secs(5);

/// How a pause ended.
#[derive(Debug, PartialEq)]
enum Pause {
    Over,
    Stopped,
}

/// Waits for [`REBUILD_PAUSE`], or until it is told to stop. A configuration that comes meanwhile
/// is the one to start with.
async fn pause(clock: &Clock, orders: &Receiver<Order>, config: &mut Config) -> Pause {
    let end = clock.now() + REBUILD_PAUSE;
    loop {
        let ordered = async { Some(orders.recv().await.unwrap_or(Order::Stop)) };
        let over = async {
            clock.sleep_until(end).await;
            None
        };
        match future::or(ordered, over).await {
            None => return Pause::Over,
            Some(Order::Stop) => return Pause::Stopped,
            Some(Order::Reload(new)) => {
                log::set_max_level(new.log_level);
                *config = *new;
            }
        }
    }
}

/// Turns signals into orders. The second wish to stop is not discussed.
async fn pass_on(
    mut wishes: Wishes,
    orders: Sender<Order>,
    arguments: Arguments,
    inputs: Inputs,
    started_from: Option<PathBuf>,
    supervisor: Rc<Supervisor>,
) {
    let mut stopping = false;
    loop {
        let order = match wishes.next().await {
            Wish::Stop if stopping => std::process::exit(1),
            Wish::Stop => {
                stopping = true;
                supervisor.stopping();
                Order::Stop
            }
            Wish::Reload => {
                supervisor.reloading();
                match config::load(&arguments, &inputs) {
                    Ok(config) if config.path.is_none() && started_from.is_some() => {
                        log::error!("reload: the configuration file is gone; the old one stays");
                        supervisor.reloaded();
                        continue;
                    }
                    Ok(config) => Order::Reload(Box::new(config)),
                    Err(error) => {
                        log::error!("reload: {error}; the old configuration stays");
                        supervisor.reloaded();
                        continue;
                    }
                }
            }
        };
        // Full means that as much has been ordered already; a stop takes the place of a reload.
        let _ = match order {
            Order::Stop => orders.force_send(order).map(drop).map_err(drop),
            Order::Reload(_) => orders.try_send(order).map_err(drop),
        };
    }
}

/// Says in the log where it serves and what; returns the first address.
fn announce(addresses: &[Address], config: &Config) -> String {
    let first = addresses.first().map(Address::to_string).unwrap_or_default();
    let version = env!("CARGO_PKG_VERSION");
    let budget = show_bytes(config.memory_budget);
    for address in addresses {
        log::info!("calendarbot {version} serves at {address} within {budget}");
    }
    log::info!("data is kept in {}", config.data_dir.display());
    if config.feeds.is_empty() {
        log::info!("this is the demo calendar; try: curl -s {first}api/v1/next");
        log::info!(
            "yours instead: CALENDARBOT_ICS_URL=https://… calendarbot, or calendarbot -c FILE \
             (calendarbot help)"
        );
    }
    first
}

fn check(config: &Config) -> Result<String> {
    let plan = app::plan(config)?;
    app::roots(config)?;
    let mut text = String::new();
    for warning in &config.warnings {
        let _ = writeln!(text, "warning: {warning}");
    }
    let file = match &config.path {
        Some(path) => format!("{} is good", path.display()),
        None => "the configuration is good; there is no file".to_owned(),
    };
    let _ = writeln!(text, "{file}");
    for feed in &config.feeds {
        let (name, label) = (&feed.name, feed.source.label());
        let _ = writeln!(text, "feed `{name}`: {label}, every {} s", feed.interval.as_secs());
    }
    if config.feeds.is_empty() {
        let _ = writeln!(text, "no feed: the demo calendar is served");
    }
    let (used, budget) = (show_bytes(plan.total_bytes()), show_bytes(config.memory_budget));
    let _ = writeln!(
        text,
        "serves at http://{}:{}/, data in {}, {used} of {budget} planned",
        config.host,
        config.port,
        config.data_dir.display()
    );
    Ok(text)
}

fn plan(config: &Config) -> Result<String> {
    Ok(format!("{}\n", app::plan(config)?))
}

/// What is next, out of the stored data: works beside a running server.
fn next(config: &Config, feed: Option<&str>, count: usize, json: bool) -> Result<String> {
    let limits = app::plan(config)?.limits;
    let reader = database::open_beside(&config.data_dir, &limits.database)?;
    let calendars = app::stored_statuses(config, &reader)?;
    if let Some(feed) = feed {
        known(&calendars, feed)?;
    }
    let clock = Clock::system(config.test_time);
    let now = clock.wall();
    let zone = app::display_zone(config);
    let People { skips, settings } = app::stored_people(&reader, &limits.people);
    let query = WindowQuery {
        from: now,
        to: Timestamp::MAX,
        zone: &zone,
        calendar: feed,
        ended: false,
        limit: count,
        rows_max: limits.pipeline.view_rows_max,
        bytes_max: limits.pipeline.view_bytes_max,
        copies: 1,
        calendars: &calendars,
        settings: &settings,
    };
    let (entries, truncated) = read_window(&reader, &query, &limits.feed)?;
    let agenda = Agenda {
        now,
        clock_is_set: clock.is_set(),
        zone: &zone,
        entries: &entries,
        truncated,
        calendars: &calendars,
        skips: &skips,
        settings: &settings,
    };
    if json {
        return Ok(native::next(&agenda, count) + "\n");
    }
    Ok(listing(&agenda, &entries))
}

/// Where the feed of this name stands.
fn known(calendars: &[CalendarStatus], name: &str) -> Result<usize> {
    calendars.iter().position(|calendar| calendar.name == name).ok_or_else(|| {
        let names: Vec<&str> = calendars.iter().map(|calendar| calendar.name.as_str()).collect();
        let name: String = name.chars().map(harmless).collect();
        Error::usage(format!("there is no feed `{name}`; there is: {}", names.join(", ")))
    })
}

fn listing(agenda: &Agenda<'_>, entries: &[Entry]) -> String {
    let (meetings, _) =
        selection::in_window(agenda, agenda.now, Timestamp::MAX, None, entries.len());
    if meetings.is_empty() {
        return "nothing is coming up\n".to_owned();
    }
    meetings.iter().map(|meeting| line(meeting, agenda)).collect()
}

fn line(meeting: &Meeting<'_>, agenda: &Agenda<'_>) -> String {
    let zone = agenda.zone;
    let today = zone.to_datetime(agenda.now).date();
    let columns = columns((meeting.start, meeting.end), meeting.all_day, zone, today);
    let until = meeting.start.as_second() - agenda.now.as_second();
    let when = match until {
        _ if meeting.skipped_until.is_some() => "skipped".to_owned(),
        1.. => format!("in {}", span(until)),
        _ => "now".to_owned(),
    };
    let text = format!("{columns} {} ({when})", meeting.title());
    text.chars().map(harmless).collect::<String>() + "\n"
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(port: &str) -> Box<Config> {
        let args = ["--port", port, "--data-dir", "data"].map(Into::into).into();
        let inputs = Inputs { args, default_budget: 16 << 20, ..Inputs::default() };
        let arguments = config::parse(&inputs).unwrap();
        Box::new(config::load(&arguments, &inputs).unwrap())
    }

    /// A stop ends a pause at once: the clock of those that are told to stop stands still.
    #[test]
    fn a_pause_ends_with_its_time_or_at_a_stop() {
        let reload = || Order::Reload(config("81"));
        for (orders, ended, port) in [
            (vec![], Pause::Over, 80),
            (vec![Order::Stop], Pause::Stopped, 80),
            (vec![reload()], Pause::Over, 81),
            (vec![reload(), Order::Stop], Pause::Stopped, 81),
        ] {
            let clock = Clock::manual(Timestamp::UNIX_EPOCH);
            let (order, ordered) = async_channel::bounded(4);
            orders.into_iter().for_each(|given| order.try_send(given).unwrap());
            let mut config = config("80");
            let passing = async {
                if ended == Pause::Over {
                    clock.advance(REBUILD_PAUSE);
                }
            };
            let pausing = pause(&clock, &ordered, &mut config);
            assert_eq!(smol::block_on(future::zip(pausing, passing)).0, ended);
            assert_eq!(config.port, port);
        }
    }
}

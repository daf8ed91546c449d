//! Pressure on the running program, from its first sign to its end: the alert is entered once, the
//! response acts, the figure falls, the response undoes itself, the alert is over.

mod loops;
mod rollback;
mod switching;
mod webhook;

use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

use calendarbot::app::App;
use calendarbot::feed::Feed;
use calendarbot::health::sample::Machine;
use calendarbot::metrics::{Metric, Metrics};
use smol::LocalExecutor;
use tempfile::TempDir;

use crate::feed_server::{FeedServer, Script};
use crate::pipeline::settle;
use crate::rig::{NOW, ROOMY, Rig, configure, folder, toml};
use crate::routes::WORK;

const SECOND: Duration = Duration::from_secs(1);

/// A program with one feed, on a machine that the test makes up.
struct Bench {
    rig: Rc<Rig>,
    server: FeedServer,
    _folder: TempDir,
    /// Connections that no feed server answers on.
    stalled: u64,
    /// Levels that an alert has had, in order.
    levels: Vec<u64>,
    alert: fn(&Metrics) -> &Metric,
}

/// How the machine is, which may depend on what the program does.
type Model = Box<dyn Fn(&App) -> Box<dyn Fn() -> Machine>>;

impl Bench {
    /// Fetches its only feed once, and watches this alert.
    async fn start(
        executor: &Rc<LocalExecutor<'static>>,
        further: &str,
        model: Model,
        alert: fn(&Metrics) -> &Metric,
    ) -> Self {
        let server = FeedServer::start(executor, Script::new().ics("/a.ics", WORK));
        let folder = folder();
        let text = format!("{further}\n{}", toml(&[("a", server.url("/a.ics"))]));
        let config = configure(folder.path(), &text);
        let rig = Rig::start_changed(executor, config, NOW, |app| {
            let machine = model(&app);
            app.with_machine(machine)
        });
        rig.refreshed(1).await;
        Self::of(rig, server, folder, alert)
    }

    /// The same around a program that runs.
    fn of(rig: Rig, server: FeedServer, folder: TempDir, alert: fn(&Metrics) -> &Metric) -> Self {
        let (rig, levels) = (Rc::new(rig), vec![0]);
        Self { rig, server, _folder: folder, stalled: 0, levels, alert }
    }

    /// Lets a second pass, and whoever is being answered by a feed server read to the end: its time
    /// is not the test's.
    async fn tick(&mut self) {
        self.rig.advance(SECOND);
        settle().await;
        // The same goes for the writer's thread: a refresh that is due ends before time goes on.
        let (stalled, now) = (self.stalled, self.rig.clock.wall());
        let is_due = |feed: &Rc<Feed>| feed.status(now).next_due.is_some_and(|due| due <= now);
        let due = |rig: &Rig| rig.feeds.list().iter().filter(|feed| is_due(feed)).count() as u64;
        let is_done = |rig: &Rig| rig.metrics.outbound_active.get().max(due(rig)) <= stalled;
        self.rig.until(is_done).await;
        settle().await;
        let level = (self.alert)(&self.rig.metrics).get();
        if self.levels.last() != Some(&level) {
            self.levels.push(level);
        }
    }

    /// Lets seconds pass until something is so.
    async fn until(&mut self, what: &str, is_so: impl Fn(&Rig) -> bool) {
        for _ in 0..1800 {
            if is_so(&self.rig) {
                return;
            }
            self.tick().await;
        }
        panic!("half an hour, and not: {what}; levels {:?}", self.levels);
    }

    /// Lets so many seconds pass.
    async fn pass(&mut self, seconds: u64) {
        for _ in 0..seconds {
            self.tick().await;
        }
    }

    fn get(&self, metric: fn(&Metrics) -> &Metric) -> u64 {
        metric(&self.rig.metrics).get()
    }

    /// Everything is as it was before: nothing is done, and nothing is off.
    fn is_well(&self) -> bool {
        self.get(|metrics| &metrics.responses_active) == 0
            && self.get(|metrics| &metrics.rollback_parts_off) == 0
            && self.get(|metrics| &metrics.posture) == 0
            && self.get(self.alert) == 0
    }
}

/// A figure that the test moves.
type Knob<T> = Rc<Cell<T>>;

fn knob<T>(value: T) -> Knob<T> {
    Rc::new(Cell::new(value))
}

/// A machine that is roomy but for what a knob says.
fn turned<T: Copy + 'static>(knob: &Knob<T>, turn: fn(&mut Machine, T)) -> Model {
    let knob = Rc::clone(knob);
    Box::new(move |_| {
        let knob = Rc::clone(&knob);
        Box::new(move || {
            let mut machine = ROOMY;
            turn(&mut machine, knob.get());
            machine
        })
    })
}

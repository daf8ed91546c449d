//! The request pipeline: view key in, shared bytes out.
//!
//! ```text
//!   ask(key) ──> cache ──hit──────────────────────────> the answer, at once
//!                  │ miss
//!                  v                       one turn: up to batch_max keys, one reader
//!               pending ──first asker──> queue ──> read what they share, make each once
//!                  │ another asker: joins             │             │
//!                  │ no room: full                    v             v failed: its askers are
//!                  v                          cache, completions      told, it is not kept
//!                 503
//!
//!   keep_warm() ──> the hot keys that run out ──> a turn ahead of time ──> cache
//! ```
//!
//! With the flag off, `ask` renders at once: no cache, no batch, the same bytes. Each part can be
//! switched off by itself, under load, and nobody who waits is lost. A part that fails again and
//! again switches itself off for a while.

pub mod cache;
pub mod explain;
pub mod export;
pub mod fallback;
mod figures;
pub mod key;
mod pace;
pub mod pending;
mod render;
mod sources;
mod turn;
mod warm;

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;

use async_channel::{Receiver, Sender};
use jiff::Timestamp;
use smol::future;

use self::cache::{Cache, Found, Share};
use self::explain::Questions;
use self::fallback::{Event, Part, State};
use self::figures::{count, count_evicted};
use self::key::{View, ViewKey};
use self::pace::Pace;
use self::pending::{Joined, Pending, Whom};
pub use self::sources::Sources;
use self::turn::{Reading, Rendered, Turn, Wish, groups};
use crate::api::errors;
use crate::budget::{Limits, PipelineLimits};
use crate::clock::Moment;
use crate::display;
use crate::error::{Error, Result};
use crate::flags::{Flags, Tuning};
use crate::http::response::{Answer, Status};
use crate::http::route::Family;
use crate::http::slab::Token;

/// An answer for one asker.
pub type Completion = (Token, Rc<Answer>);

/// What came of asking.
pub enum Asking {
    /// Here it is, from the cache.
    Kept(Rc<Answer>),
    /// Here it is, made at once.
    Made(Rc<Answer>),
    /// It will come as a [`Completion`].
    Pending,
    /// Too many others are pending.
    Full,
}

/// An answer to be made.
struct Job {
    key: ViewKey,
    whom: Whom,
}

/// From one line in the log about answers that cannot be made to the next, at least.
const FAILURE_LOG_INTERVAL: Duration = Duration::from_secs(60);

/// The pipeline.
pub struct Pipeline {
    sources: Sources,
    limits: PipelineLimits,
    build_id: String,
    /// What was asked for, and that without the parts that have failed.
    flags_set: Cell<Flags>,
    flags: Cell<Flags>,
    parts: Cell<[State; Part::ALL.len()]>,
    /// When it was last logged that an answer cannot be made.
    failure_logged: Cell<Option<Moment>>,
    tuning: Cell<Tuning>,
    cache: RefCell<Cache>,
    pending: RefCell<Pending>,
    pace: RefCell<Pace>,
    queue: (Sender<Job>, Receiver<Job>),
    completions: Sender<Completion>,
    questions: Questions,
}

impl Pipeline {
    /// A pipeline, and where its completions come out. They fit: every connection waits for one
    /// answer at a time.
    pub fn new(sources: Sources, limits: &Limits) -> (Self, Receiver<Completion>) {
        let (completions, completed) = async_channel::bounded(limits.http.slots);
        let questions = Questions::new(limits);
        let (limits, tuning) = (limits.pipeline.clone(), Tuning::default());
        let share = Share {
            bytes_max: limits.cache_bytes_max,
            entries_max: limits.cache_entries_max,
            entry_bytes_max: limits.cache_entry_bytes_max,
            ranges_percent: tuning.ranges_percent as usize,
        };
        let pipeline = Self {
            sources,
            build_id: display::build_id(),
            flags_set: Cell::new(Flags::ON),
            flags: Cell::new(Flags::ON),
            parts: Cell::new([State::GOOD; Part::ALL.len()]),
            failure_logged: Cell::default(),
            tuning: Cell::new(tuning),
            cache: RefCell::new(Cache::new(share)),
            pending: RefCell::new(Pending::new(limits.pending_keys_max)),
            pace: RefCell::new(Pace::new(limits.batch_wait_max)),
            queue: async_channel::bounded(limits.pending_keys_max),
            completions,
            questions,
            limits,
        };
        (pipeline, completed)
    }

    /// Takes effect with the next request. Who waits already gets an answer all the same.
    pub fn set_flags(&self, flags: Flags) {
        self.flags_set.set(flags);
        self.switch();
    }

    fn switch(&self) {
        let [batching, warming] = self.parts.get().map(State::is_on);
        let set = self.flags_set.get();
        let (batching, warming) = (set.batching && batching, set.warming && warming);
        let flags = Flags { batching, warming, ..set }.effective();
        self.flags.set(flags);
        if !flags.caching {
            self.cache.borrow_mut().clear();
            self.gauge();
        }
    }

    /// The parts that have switched themselves off; each says why.
    pub fn parts_off(&self) -> impl Iterator<Item = Part> {
        let parts = self.parts.get();
        Part::ALL.into_iter().filter(move |part| !parts[*part as usize].is_on())
    }

    /// Something has become of a part.
    fn note(&self, part: Part, event: Event) {
        let mut parts = self.parts.get();
        let state = &mut parts[part as usize];
        let was_on = state.is_on();
        *state = state.step(event, self.sources.clock.now());
        let is_on = state.is_on();
        self.parts.set(parts);
        if is_on == was_on {
            return;
        }
        if is_on {
            log::info!("{} is tried again", part.name());
        } else {
            log::warn!("{} is switched off for a while: {}", part.name(), part.reason());
        }
        self.sources.metrics.pipeline_parts_off.set(self.parts_off().count() as u64);
        self.switch();
    }

    /// Takes effect with the next answer that is made.
    pub fn tune(&self, tuning: Tuning) {
        let tuning = tuning.within_bounds();
        self.tuning.set(tuning);
        let mut cache = self.cache.borrow_mut();
        let evicted = [
            cache.set_bytes_percent(tuning.cache_percent as usize),
            cache.set_ranges_percent(tuning.ranges_percent as usize),
        ];
        drop(cache);
        evicted.into_iter().for_each(|evicted| count_evicted(&self.sources.metrics, evicted));
        self.gauge();
    }

    /// What answers are made from. Those that are kept are dropped with the feeds.
    pub fn sources(&self) -> &Sources {
        &self.sources
    }

    /// The one key of all that get the same bytes.
    pub fn normalized(&self, key: ViewKey) -> ViewKey {
        let mut key = key.normalized(&self.sources.zone(), self.limits.view_events_max);
        if let View::Full(key::full::View::Data(debug_time)) = &mut key.view
            && !self.sources.takes_debug_time
        {
            *debug_time = None;
        }
        key
    }

    /// Rises when a key may be normalised in another way.
    pub fn settings_generation(&self) -> u64 {
        self.sources.feeds.settings_generation()
    }

    /// Asks for a view, by its normalised key, at `now`, in seconds since 1970. Who is alone, and
    /// has nobody before it, gets its answer at once: it would be made as soon as that anyway, and
    /// a turn of the loop is saved.
    pub fn ask(&self, key: &ViewKey, asker: Token, now: i64, is_alone: bool) -> Asking {
        let flags = self.flags.get();
        if !flags.request_pipeline {
            return self.refuse_large(key).unwrap_or_else(|| Asking::Made(self.make_at_once(key)));
        }
        let (kind, metrics) = (key.view.kind(), &self.sources.metrics);
        if flags.caching {
            let generation = self.sources.feeds.generation();
            match self.cache.borrow_mut().get(key, now, generation) {
                Found::Hit(answer) => {
                    count(metrics, kind, |figures| figures.hits);
                    return Asking::Kept(answer);
                }
                Found::Expired => count(metrics, kind, |figures| figures.expired),
                Found::Invalidated => count(metrics, kind, |figures| figures.invalidated),
                Found::Miss => {}
            }
            count(metrics, kind, |figures| figures.misses);
        }
        if let Some(refused) = self.refuse_large(key) {
            return refused;
        }
        if is_alone && self.queue.1.is_empty() && self.pending.borrow().is_empty() {
            return Asking::Made(self.make_at_once(key));
        }
        let whom = if flags.deduplication { Whom::Askers } else { Whom::One(asker) };
        let joined = match whom {
            Whom::Askers => self.pending.borrow_mut().join(key, asker),
            Whom::One(_) | Whom::Later => self.pending.borrow_mut().join_none(asker),
        };
        let is_full = match joined {
            Joined::Another => {
                self.sources.metrics.pipeline_joined.count();
                false
            }
            Joined::First => self.queue.0.try_send(Job { key: key.clone(), whom }).is_err(),
            Joined::Full => true,
        };
        if is_full {
            self.sources.metrics.pipeline_refused.count();
            if joined == Joined::First {
                self.pending.borrow_mut().take(key, whom);
            }
            return Asking::Full;
        }
        Asking::Pending
    }

    /// The same for a client that is to have none of the pipeline's parts.
    pub fn ask_directly(&self, key: &ViewKey) -> Asking {
        let made = || match self.render_now(key) {
            (_, Ok((answer, _))) => Asking::Made(answer),
            (_, Err(error)) => Asking::Made(self.failed(&key.view, &error)),
        };
        self.refuse_large(key).unwrap_or_else(made)
    }

    /// The answer to somebody whose change has been made.
    pub fn answer(&self, view: View) -> Rc<Answer> {
        match self.ask_directly(&ViewKey { view, zone: None }) {
            Asking::Kept(answer) | Asking::Made(answer) => answer,
            // No such view is a large one.
            Asking::Pending | Asking::Full => {
                let detail = "too much is being asked";
                Rc::new(errors::error(Family::Full, Status::UNAVAILABLE, detail, ""))
            }
        }
    }

    /// What comes of asking for a large view while none is made.
    fn refuse_large(&self, key: &ViewKey) -> Option<Asking> {
        let is_refused = !self.tuning.get().large_views && key.view.is_large();
        is_refused.then(|| {
            self.sources.metrics.pipeline_refused.count();
            Asking::Full
        })
    }

    /// An asker has gone; what nobody waits for any more is not made.
    pub fn leave(&self, asker: Token) {
        self.pending.borrow_mut().leave(asker);
    }

    /// Makes answers until the program ends. Run it as a task, once.
    pub async fn run(&self) {
        let clock = &self.sources.clock;
        while let Ok(first) = self.queue.1.recv().await {
            let wait = self.pace.borrow().wait(clock.now());
            let wait = wait * self.tuning.get().batch_wait_percent / 100;
            let jobs = self.gather(first, wait).await;
            let (began, count) = (clock.now(), jobs.len());
            self.make(jobs, clock.wall()).await;
            self.pace.borrow_mut().ended(began, clock.now(), count);
        }
    }

    /// What is made together with `first`: what waits already, and what comes while this waits.
    async fn gather(&self, first: Job, wait: Duration) -> Vec<Job> {
        let mut jobs = vec![first];
        if !self.flags.get().batching {
            return jobs;
        }
        let jobs_max = self.tuning.get().batch_max as usize;
        while jobs.len() < jobs_max
            && let Ok(next) = self.queue.1.try_recv()
        {
            jobs.push(next);
        }
        if jobs.len() < jobs_max && !wait.is_zero() {
            self.sources.metrics.pipeline_waited.count();
            let fill = async {
                while jobs.len() < jobs_max
                    && let Ok(next) = self.queue.1.recv().await
                {
                    jobs.push(next);
                }
            };
            let enough = async { self.sources.clock.sleep(wait).await };
            future::or(fill, enough).await;
        }
        jobs
    }

    /// One turn as of `now`.
    async fn make(&self, jobs: Vec<Job>, now: Timestamp) {
        let mut turn = Turn::begin(&self.sources, &self.limits, now, self.tuning.get().ttl);
        if jobs.len() > 1 {
            turn.hold_snapshot();
        }
        self.sources.metrics.pipeline_drained.add(jobs.len() as u64);
        let wishes = jobs.into_iter().map(|job| turn.wish(job.whom, job.key)).collect();
        for mut group in groups(wishes) {
            group.retain(|wish| self.is_wanted(wish));
            let is_shared = group.len() > 1;
            let together = turn.read_together(&group);
            let mut outcome = None;
            for wish in group {
                // Some may have gone since the last answer.
                if self.is_wanted(&wish) && !self.is_put_off(&turn, &wish) {
                    let began = self.sources.clock.now();
                    let part = together.as_ref().and_then(|reading| turn.part(reading, &wish));
                    let (helped, rendered) = match part {
                        Some((entries, truncated)) => {
                            self.sources.metrics.pipeline_shared.count();
                            let build_id = &self.build_id;
                            (true, Ok(render::render(&turn, &wish, entries, truncated, build_id)))
                        }
                        None => (false, self.render_alone(&mut turn, &wish)),
                    };
                    if helped {
                        outcome = Some(Event::Worked);
                    } else if rendered.is_ok() {
                        outcome = outcome.or(Some(Event::Failed));
                    }
                    self.note_made(began);
                    self.deliver(wish, rendered);
                }
                future::yield_now().await;
            }
            if let Some(event) = outcome.filter(|_| is_shared) {
                self.note(Part::Batching, event);
            }
        }
    }

    /// True when the data has changed since the turn began and the answer is left to another one:
    /// whoever has joined since then has perhaps made the change.
    fn is_put_off(&self, turn: &Turn<'_>, wish: &Wish<Whom>) -> bool {
        let is_current = turn.generation == self.sources.feeds.generation();
        match wish.job {
            _ if is_current => false,
            Whom::Askers => {
                self.queue.0.try_send(Job { key: wish.key.clone(), whom: wish.job }).is_ok()
            }
            // It asked before the turn began.
            Whom::One(_) => false,
            // The change has everything looked at anew.
            Whom::Later => true,
        }
    }

    /// False when all who asked have gone; it is no longer pending then.
    fn is_wanted(&self, wish: &Wish<Whom>) -> bool {
        let mut pending = self.pending.borrow_mut();
        let is_wanted = pending.is_wanted(&wish.key, wish.job);
        if !is_wanted {
            pending.take(&wish.key, wish.job);
        }
        is_wanted
    }

    fn render_alone<J>(&self, turn: &mut Turn<'_>, wish: &Wish<J>) -> Result<Rendered> {
        let Reading { entries, truncated, .. } = turn.read_alone(wish)?;
        Ok(render::render(turn, wish, &entries, truncated, &self.build_id))
    }

    /// Hands out what came of a wish.
    fn deliver(&self, wish: Wish<Whom>, rendered: Result<Rendered>) {
        let askers = self.pending.borrow_mut().take(&wish.key, wish.job);
        if rendered.is_err() {
            self.sources.metrics.http_failed.add(askers.len() as u64);
        }
        let answer = self.keep(wish.key, wish.job, rendered);
        for asker in askers {
            // Full cannot be: there is a place for every connection.
            let _ = self.completions.try_send((asker, Rc::clone(&answer)));
        }
    }

    /// Brings an answer to somebody who waits, from elsewhere.
    pub fn complete(&self, asker: Token, answer: Rc<Answer>) {
        // Full cannot be: there is a place for every connection.
        let _ = self.completions.try_send((asker, answer));
    }

    fn make_at_once(&self, key: &ViewKey) -> Rc<Answer> {
        let (key, rendered) = self.render_now(key);
        self.keep(key, Whom::Askers, rendered)
    }

    fn render_now(&self, key: &ViewKey) -> (ViewKey, Result<Rendered>) {
        let (now, began) = (self.sources.clock.wall(), self.sources.clock.now());
        let mut turn = Turn::begin(&self.sources, &self.limits, now, self.tuning.get().ttl);
        let wish = turn.wish((), key.clone());
        let rendered = self.render_alone(&mut turn, &wish);
        if rendered.is_err() {
            self.sources.metrics.http_failed.count();
        }
        self.note_made(began);
        (wish.key, rendered)
    }

    /// An answer has been made since then, or could not be.
    fn note_made(&self, began: Moment) {
        let clock = &self.sources.clock;
        self.sources.metrics.made_seconds.record(clock.now().since(began));
    }

    /// What came of a wish as an answer, which is kept; one that says why there is none is not.
    fn keep(&self, key: ViewKey, whom: Whom, rendered: Result<Rendered>) -> Rc<Answer> {
        let (answer, validity) = match rendered {
            Ok(rendered) => rendered,
            Err(error) => return self.failed(&key.view, &error),
        };
        if !self.flags.get().caching {
            return answer;
        }
        let (metrics, kept) = (&self.sources.metrics, Rc::clone(&answer));
        let evicted = if whom == Whom::Later {
            let now = self.sources.clock.wall().as_second();
            let is_known = self.cache.borrow().knows(&key);
            let (is_kept, evicted) = self.cache.borrow_mut().keep_next(&key, kept, validity, now);
            metrics.pipeline_warmed.add(u64::from(is_kept));
            if is_known {
                self.note(Part::Warming, if is_kept { Event::Worked } else { Event::Failed });
            }
            evicted
        } else {
            self.cache.borrow_mut().insert(key, kept, validity)
        };
        count_evicted(metrics, evicted);
        self.gauge();
        answer
    }

    fn failed(&self, view: &View, error: &Error) -> Rc<Answer> {
        self.sources.metrics.pipeline_failed.count();
        // Whoever asks a thousand times a second fills no disk with it.
        let now = self.sources.clock.now();
        if self.failure_logged.get().is_none_or(|at| now.since(at) >= FAILURE_LOG_INTERVAL) {
            self.failure_logged.set(Some(now));
            log::error!("cannot make an answer: {error}");
        }
        let (status, detail) = (Status::UNAVAILABLE, "the calendar's data cannot be read just now");
        Rc::new(errors::error(view.family(), status, detail, "Retry-After: 10\r\n"))
    }
}

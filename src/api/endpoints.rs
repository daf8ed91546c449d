//! Everything that is not a view of the calendar: health, statistics, assets, wishes, refusals.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::rc::{Rc, Weak};
use std::time::Duration;

use async_channel::Receiver;
use jiff::Timestamp;

use super::errors::error;
use super::full::wall::Wall;
use super::full::{self, changes, database, turning};
use super::people::{Book, Wanted};
use super::prometheus::Format;
use super::stats::{Machine, Seen};
use super::{admin, hidden, json, lite, prometheus, setup, skips, stats};
use crate::budget::Plan;
use crate::calendar::text::{utc, zone_name};
use crate::clock::{Clock, Moment};
use crate::display::waiting::{self, Face};
use crate::display::{self, Screen};
use crate::feed::Feeds;
use crate::flags::rollout::Rollout;
use crate::flags::switches::Switchboard;
use crate::health::history::History;
use crate::health::{Health, sample, usage};
use crate::http::response::{Answer, Status, media};
use crate::http::route::{
    ANY, Admin, Allow, Change, Family, Figures, FullFigures, Refusal, Setting, Setup, Skipping,
};
use crate::http::slab::Token;
use crate::http::token::Barred;
use crate::metrics::Metrics;
use crate::pipeline::key::{View, ViewKey};

/// What these endpoints know of the rest of the program.
pub struct Known {
    /// The clock.
    pub clock: Clock,
    /// Everything that is counted.
    pub metrics: Rc<Metrics>,
    /// The configured feeds.
    pub feeds: Rc<Feeds>,
    /// What people skip, hide and set.
    pub book: Rc<Book>,
    /// What the wall shows.
    pub wall: Rc<Wall>,
    /// What can be switched.
    pub switches: Rc<Switchboard>,
    /// How the program fares.
    pub health: Rc<RefCell<Health>>,
    /// How it fared.
    pub history: Rc<RefCell<History>>,
    /// Which clients have the pipeline.
    pub rollout: Rc<Rollout>,
    /// What is configured.
    pub current: Rc<admin::Current>,
    /// Where links are tried.
    pub desk: Rc<setup::Desk>,
}

/// What came of asking for a change.
pub enum Done {
    /// This.
    Answer(Rc<Answer>),
    /// It comes as a completion.
    Later,
    /// What this view says now.
    View(ViewKey),
}

/// What these endpoints answer from.
pub struct Api {
    known: Known,
    plan: Plan,
    started: Moment,
    /// Files as they are, and compressed, that somebody is being sent: who else asks shares them,
    /// and nobody holds what nobody asks for.
    assets: RefCell<HashMap<(&'static str, bool), Weak<Answer>>>,
    /// When the proportional size of the process was read last.
    proportional_read: Cell<Option<Moment>>,
    /// The lowest temperature that anybody has been told.
    coolest: Cell<Option<f32>>,
    /// When a browser last said that it shows the page.
    heartbeat: Cell<Option<Timestamp>>,
}

/// From one reading of the proportional size to the next: the kernel walks all pages for it.
const PROPORTIONAL_INTERVAL: Duration = Duration::from_secs(10);

/// Seconds after which a client without data may ask again: the first refresh takes about that.
const RETRY_SECONDS: u32 = 5;
/// The same for a page of a calendar that is not there: it may be configured one day.
const RETRY_UNKNOWN_SECONDS: u32 = 60;

impl Api {
    /// The endpoints of a program that starts now.
    pub fn new(known: Known, plan: Plan) -> Self {
        let (started, assets) = (known.clock.now(), RefCell::default());
        let (proportional_read, coolest) = (Cell::default(), Cell::default());
        let heartbeat = Cell::default();
        Self { known, plan, started, assets, proportional_read, coolest, heartbeat }
    }

    /// True once there is anything to show.
    pub fn has_data(&self) -> bool {
        self.known.feeds.has_data()
    }

    /// The answer while there is not.
    pub fn no_data(&self, family: Family) -> Rc<Answer> {
        let detail = "no calendar has been read yet; it is being fetched";
        self.failure(family, Status::UNAVAILABLE, detail)
    }

    /// Rises whenever an answer that was right may no longer be.
    pub fn generation(&self) -> u64 {
        self.known.feeds.generation()
    }

    /// Tells whenever that rises from now on; of several times only once.
    pub fn changes(&self) -> Receiver<()> {
        self.known.feeds.watch()
    }

    /// The answer to a view of which there is nothing: no data yet, or no calendar of this name.
    pub fn nothing(&self, view: &View, screen: &Cell<Screen>) -> Option<Rc<Answer>> {
        let is_early = view.needs_data() && !self.has_data();
        let list = self.known.feeds.list();
        let is_unknown = |name: &&str| list.iter().all(|feed| feed.name != *name);
        let unknown = view.calendar().filter(is_unknown);
        if !is_early && unknown.is_none() {
            return None;
        }
        if !view.is_page() {
            let detail = "there is no calendar of this name";
            return Some(match is_early {
                true => self.no_data(view.family()),
                false => self.failure(view.family(), Status::NOT_FOUND, detail),
            });
        }
        let settings = self.known.book.settings();
        let screen = view.screen(screen.get().set(&settings.display));
        let (display, build_id) = (&settings.display, &*display::build_id());
        let face = |seconds| Face { screen, display, build_id, seconds };
        Some(Rc::new(match unknown.filter(|_| !is_early) {
            Some(name) => {
                let names = list.iter().map(|feed| &*feed.name);
                let page = waiting::unknown(&face(RETRY_UNKNOWN_SECONDS), name, names);
                Answer::page(Status::NOT_FOUND, "", page.as_bytes())
            }
            None => {
                let further = format!("Retry-After: {RETRY_SECONDS}\r\n");
                let page = waiting::page(&face(RETRY_SECONDS));
                Answer::page(Status::UNAVAILABLE, &further, page.as_bytes())
            }
        }))
    }

    /// A file that is part of the program, or a page, filled in for a screen.
    pub fn asset(&self, path: &str, accepts_gzip: bool, screen: Screen) -> Rc<Answer> {
        let Some(asset) = display::asset(path) else {
            let detail = "there is nothing at this path";
            return self.failure(Family::Native, Status::NOT_FOUND, detail);
        };
        if asset.gzip.is_empty() {
            let Known { book, feeds, clock, .. } = &self.known;
            let home = zone_name(&feeds.zone(), clock.wall());
            let page = display::setup::page(asset, screen, &book.settings().display, &home);
            return Rc::new(Answer::ok(asset.content_type, page));
        }
        let mut assets = self.assets.borrow_mut();
        let shared = assets.entry((asset.path, accepts_gzip)).or_default();
        shared.upgrade().unwrap_or_else(|| {
            let (coding, bytes) = match accepts_gzip {
                true => (Some("gzip"), asset.gzip.to_vec()),
                false => (None, asset.plain()),
            };
            let answer = Rc::new(Answer::encoded(asset.content_type, coding, bytes));
            *shared = Rc::downgrade(&answer);
            answer
        })
    }

    /// What the program tells about itself.
    pub fn figures(&self, figures: Figures) -> Rc<Answer> {
        match figures {
            Figures::Stats => self.stats(),
            Figures::History => self.history(),
            Figures::LiteHealth => self.lite_health(),
            Figures::Alive => word(b"alive\n"),
            Figures::Ready if self.has_data() => word(b"ready\n"),
            Figures::Ready => self.no_data(Family::Native),
            Figures::Full(figures) => self.full_figures(figures),
        }
    }

    /// Does what is asked, or has it done.
    pub fn change(&self, change: Change, body: &[u8], asker: Token) -> Done {
        let family = change.family();
        let is_sound = body.is_empty() || json::is_sound(body);
        let wanted = match change {
            Change::Skips(what @ Skipping::LiteSkip, _) => match skips::lite_id(body) {
                Ok(id) => Wanted::Skip(what, id),
                Err(refused) => return Done::Answer(refused),
            },
            _ if !is_sound && family == Family::Full => {
                return Done::Answer(full::error(Status::BAD_REQUEST, "Invalid JSON"));
            }
            _ if !is_sound => {
                let detail = "the body is not valid JSON";
                return Done::Answer(self.failure(family, Status::BAD_REQUEST, detail));
            }
            Change::Skips(what, id) => Wanted::Skip(what, id),
            Change::Hide(what, id) => Wanted::Hide(what, hidden::id(what, id, body)),
            Change::Set(Setting::Validate, _) => {
                let Known { book, .. } = &self.known;
                let limits = book.limits();
                return Done::Answer(changes::validate(body, &book.settings(), limits));
            }
            Change::Set(Setting::Import, _) => {
                let Known { book, feeds, wall, .. } = &self.known;
                match changes::imported(body, &wall.home(&feeds.zone()), book.limits()) {
                    Ok(settings) => Wanted::Import(Box::new(settings)),
                    Err(refused) => return Done::Answer(refused),
                }
            }
            Change::Set(what, query) => Wanted::Set(what, changes::text(what, &query, body)),
            Change::Refresh => {
                self.known.feeds.nudge_all();
                let body = "{\"status\":\"accepted\"}";
                return Done::Answer(Rc::new(Answer::json(Status::ACCEPTED, body)));
            }
            Change::Heartbeat => return Done::Answer(self.heartbeat()),
            Change::Wall(what, query) => {
                let Known { wall, feeds, book, clock, .. } = &self.known;
                let said = turning::Said { query: &query, body };
                return turning::turn(what, &said, &turning::Room { wall, feeds, book, clock });
            }
            Change::AskData => return Done::View(turning::asked_data(body)),
            Change::AskDatabase => return Done::Answer(database::refused()),
        };
        match self.known.book.ask(asker, wanted) {
            Some(refused) => Done::Answer(refused),
            None => Done::Later,
        }
    }

    /// `GET /api/v1/skips`.
    pub fn skips(&self) -> Rc<Answer> {
        let Known { book, feeds, clock, .. } = &self.known;
        skips::list(&book.all().skips, clock.wall(), &book.zone(feeds))
    }

    /// `GET /api/v1/hidden`.
    pub fn hidden(&self) -> Rc<Answer> {
        hidden::list(&self.known.book.settings())
    }

    fn full_figures(&self, figures: FullFigures) -> Rc<Answer> {
        let Known { book, wall, feeds, clock, current, .. } = &self.known;
        let (settings, now, zone) = (book.settings(), clock.wall(), book.zone(feeds));
        match figures {
            FullFigures::Health => full::health(now, &zone),
            FullFigures::Layouts => full::layouts(),
            FullFigures::Hidden => full::hidden(&settings),
            FullFigures::Status => {
                let day = wall.date(now, &zone).unwrap_or(zone.to_datetime(now).date());
                let (config, layout) = (current.config(), wall.layout(settings.display.layout));
                full::status(&config.host.to_string(), config.port, layout, day)
            }
        }
    }

    /// What an operator asks for; `None` when the answer will come as a completion.
    pub fn administer(&self, what: Admin, body: &[u8], asker: Token) -> Option<Rc<Answer>> {
        admin::answer(&self.known, what, body, asker)
    }

    /// What is asked of a new feed; `None` when the answer will come as a completion.
    pub fn set_up(&self, what: Setup, body: &[u8], asker: Token) -> Option<Rc<Answer>> {
        setup::answer(&self.known, what, body, asker)
    }

    /// A client has gone that waited for a completion.
    pub fn leave(&self, asker: Token) {
        self.known.desk.leave(asker);
    }

    /// The answer to a client that is kept out of that.
    pub fn barred(&self, family: Family, barred: Barred) -> Rc<Answer> {
        let (status, detail, further) = match barred {
            Barred::NoToken => {
                let detail = "this is for programs on the server's own machine; others need a \
                              token, see admin.token_file in the configuration";
                (Status::FORBIDDEN, detail, String::new())
            }
            Barred::Wrong => {
                let further = "WWW-Authenticate: Bearer\r\n".to_owned();
                (Status::UNAUTHORIZED, "this needs the token of admin.token_file", further)
            }
            Barred::Locked(wait) => {
                let further = format!("Retry-After: {}\r\n", wait.as_secs() + 1);
                (Status::TOO_MANY, "there were too many wrong tokens", further)
            }
        };
        Rc::new(error(family, status, detail, &further))
    }

    /// Which methods there are.
    pub fn options(&self, Allow(methods): Allow) -> Rc<Answer> {
        let allow = format!("Allow: {methods}\r\n");
        Rc::new(Answer::plain(Status::NO_CONTENT, "", &allow, b""))
    }

    /// Everything is at `path`.
    pub fn moved(&self, path: &str) -> Rc<Answer> {
        let place = format!("Location: {path}\r\n");
        Rc::new(Answer::plain(Status::PERMANENT_REDIRECT, media::TEXT, &place, b""))
    }

    /// An error, in the words of a family of routes.
    pub fn failure(&self, family: Family, status: Status, detail: &str) -> Rc<Answer> {
        let further = match status {
            Status::UNAVAILABLE => format!("Retry-After: {RETRY_SECONDS}\r\n"),
            // From framing, which knows no routes: this method is answered nowhere.
            Status::METHOD_NOT_ALLOWED => format!("Allow: {}\r\n", ANY.0),
            _ => String::new(),
        };
        Rc::new(error(family, status, detail, &further))
    }

    /// The answer to a request that leads nowhere.
    pub fn refusal(&self, family: Family, refusal: &Refusal) -> Rc<Answer> {
        match refusal.allow {
            Some(Allow(methods)) => {
                let further = format!("Allow: {methods}\r\n");
                Rc::new(error(family, refusal.status, &refusal.detail, &further))
            }
            None => self.failure(family, refusal.status, &refusal.detail),
        }
    }

    /// The answer to a client that is to wait so long before it asks again.
    pub fn too_often(&self, family: Family, wait: Duration) -> Rc<Answer> {
        let further = format!("Retry-After: {}\r\n", wait.as_secs() + 1);
        Rc::new(error(family, Status::TOO_MANY, "this client asks too often", &further))
    }

    fn stats(&self) -> Rc<Answer> {
        let body = self.look(|seen| stats::stats(seen, &self.known));
        Rc::new(Answer::json(Status::OK, &body))
    }

    /// The same for a Prometheus server, in OpenMetrics 1.0 or its own text format.
    pub fn metrics(&self, is_openmetrics: bool) -> Rc<Answer> {
        let format = if is_openmetrics { Format::OpenMetrics } else { Format::Text };
        let body = self.look(|seen| prometheus::exposition(seen, format));
        let further = "Vary: Accept\r\n";
        Rc::new(Answer::plain(Status::OK, format.media_type(), further, body.as_bytes()))
    }

    /// Says what is measured at this moment.
    fn look(&self, say: impl FnOnce(&Seen<'_>) -> String) -> String {
        let (wall, now) = (self.known.clock.wall(), self.known.clock.now());
        let uptime = now.since(self.started);
        sample::process(&self.known.metrics, uptime.as_secs());
        usage::terms(&self.known.metrics);
        self.known.metrics.rollout_percent.set(self.known.rollout.part().percent.into());
        if self.proportional_read.get().is_none_or(|at| now.since(at) >= PROPORTIONAL_INTERVAL) {
            self.proportional_read.set(Some(now));
            self.known.metrics.memory_pss.set(usage::proportional_bytes().unwrap_or(0));
        }
        let celsius = usage::celsius();
        let coolest = celsius.into_iter().chain(self.coolest.get()).reduce(f32::min);
        self.coolest.set(coolest);
        let feeds: Vec<_> = self.known.feeds.list().iter().map(|feed| feed.status(wall)).collect();
        say(&Seen {
            metrics: &self.known.metrics,
            plan: &self.plan,
            uptime,
            feeds: &feeds,
            machine: Machine {
                cpu: usage::cpu_time(),
                descriptors: usage::descriptors(),
                load: usage::load(),
                celsius,
                coolest,
            },
        })
    }

    fn history(&self) -> Rc<Answer> {
        let body = self.known.history.borrow().json();
        Rc::new(Answer::json(Status::OK, &body))
    }

    /// Notes that a browser shows the page.
    fn heartbeat(&self) -> Rc<Answer> {
        let now = self.known.clock.wall();
        self.heartbeat.set(Some(now));
        let body = format!("{{\"status\":\"ok\",\"timestamp\":\"{}\"}}", utc(now));
        Rc::new(Answer::json(Status::OK, &body))
    }

    fn lite_health(&self) -> Rc<Answer> {
        let now = self.known.clock.wall();
        let statuses: Vec<_> =
            self.known.feeds.list().iter().map(|feed| feed.status(now)).collect();
        let newest = statuses.iter().filter_map(|status| status.last_success).max();
        let seconds_since = |at| u64::try_from(now.duration_since(at).as_secs()).unwrap_or(0);
        // A refresh that is due and does not end is what shows no life.
        let due = statuses.iter().filter_map(|status| status.next_due).min();
        let (code, body) = lite::health(&lite::HealthInputs {
            now,
            uptime_s: self.known.clock.now().since(self.started).as_secs(),
            pid: std::process::id(),
            event_count: statuses.iter().map(|status| status.events).sum(),
            refresh_age_s: newest.map(seconds_since),
            window_initialized: self.has_data(),
            heartbeat_age_s: due.map(seconds_since),
            last_probe: self.heartbeat.get(),
            platform: std::env::consts::OS,
            version: env!("CARGO_PKG_VERSION"),
        });
        let status = if code == Status::OK.code { Status::OK } else { Status::UNAVAILABLE };
        Rc::new(Answer::json(status, &body))
    }
}

fn word(text: &'static [u8]) -> Rc<Answer> {
    Rc::new(Answer::plain(Status::OK, media::TEXT, "", text))
}

pub(super) fn failure(status: Status, detail: &str, further: &str) -> Answer {
    error(Family::Native, status, detail, further)
}

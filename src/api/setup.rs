//! `/api/v1/setup`: a calendar that is not configured yet is tried by its link, and then added to
//! the configuration. Nothing that is said here holds anything of the link.

#![allow(clippy::question_mark, reason = "nanoserde's derive writes it out")]

use std::cell::Cell;
use std::rc::Rc;

use async_channel::{Receiver, Sender};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use nanoserde::{DeJson, SerJson};

use super::admin::{Current, Taken, Wish, read};
use super::endpoints::{Known, failure};
use super::json::{Text, texts};
use crate::calendar::selection::{self, Meeting};
use crate::calendar::settings::Settings;
use crate::calendar::skips::Skips;
use crate::calendar::text::{clock, day_from, local};
use crate::calendar::{Agenda, CalendarStatus, Entry};
use crate::config::FeedUrl;
use crate::config::addition::NewFeed;
use crate::error::{Error, Result};
use crate::feed::fetch::{Cause, FetchError, Kind};
use crate::feed::refresh::trial::{Found, Unusable};
use crate::http::response::{Answer, Status};
use crate::http::route::Setup;
use crate::http::slab::Token;
use crate::ical::component::NotACalendar;
use crate::secret::Secret;

/// A link that somebody wants to have tried, and waits for.
pub struct Trial {
    /// Who it is.
    pub asker: Token,
    /// The link, and a name for it.
    pub feed: NewFeed,
}

/// Where links are handed in. One at a time is tried: each keeps a connection to a server that
/// somebody else has chosen.
pub struct Desk {
    trials: Sender<Trial>,
    sitting: Cell<Option<Token>>,
    left: (Sender<()>, Receiver<()>),
}

impl Desk {
    /// A desk, and where trials come out.
    pub fn new() -> (Self, Receiver<Trial>) {
        let (trials, taken) = async_channel::bounded(1);
        (Self { trials, sitting: Cell::new(None), left: async_channel::bounded(1) }, taken)
    }

    fn ask(&self, trial: Trial) -> Option<Rc<Answer>> {
        let asker = trial.asker;
        if self.sitting.get().is_some() || self.trials.try_send(trial).is_err() {
            let detail = "another link is being tried; try again when that is done";
            return Some(Rc::new(failure(Status::UNAVAILABLE, detail, "Retry-After: 5\r\n")));
        }
        self.sitting.set(Some(asker));
        None
    }

    /// A client has gone; if it is the one whose link is tried, nobody waits for that any more.
    pub fn leave(&self, asker: Token) {
        if self.sitting.get() == Some(asker) {
            // Full means that it is known.
            let _ = self.left.0.try_send(());
        }
    }

    /// Completes when whoever waits for the trial has gone.
    pub async fn gone(&self) {
        // The sender lives as long as this does.
        let _ = self.left.1.recv().await;
    }

    /// The trial has ended, and the next may begin.
    pub fn free(&self) {
        self.sitting.set(None);
        let _ = self.left.1.try_recv();
    }
}

/// Answers at once, or has the link tried or the feed added.
pub(super) fn answer(known: &Known, what: Setup, body: &[u8], asker: Token) -> Option<Rc<Answer>> {
    if what == Setup::About {
        return Some(about(&known.current));
    }
    match (new_feed(body), what) {
        (Ok(feed), Setup::Try) => known.desk.ask(Trial { asker, feed }),
        (Ok(feed), _) if feed.name.is_empty() => {
            Some(problem(Status::UNPROCESSABLE, "the calendar needs a name"))
        }
        (Ok(feed), _) => known.current.wish(Wish::Add { asker, feed }),
        (Err(problem), _) => Some(problem),
    }
}

fn problem(status: Status, detail: &str) -> Rc<Answer> {
    Rc::new(failure(status, detail, ""))
}

fn json(status: Status, body: &impl SerJson) -> Rc<Answer> {
    Rc::new(Answer::json(status, &body.serialize_json()))
}

#[derive(SerJson)]
#[nserde(serialize_none_as_null)]
struct About<'a> {
    file: Option<Text<'a>>,
    calendars: Vec<Text<'a>>,
}

fn about(current: &Current) -> Rc<Answer> {
    let config = current.config();
    let calendars = config.feeds.iter().map(|feed| feed.name.as_str().into()).collect();
    let file = config.path.as_ref().map(|path| path.display().to_string().into());
    json(Status::OK, &About { file, calendars })
}

#[derive(DeJson)]
struct Asked {
    link: String,
    name: Option<String>,
}

/// The feed that a body asks for, if its link can be one.
fn new_feed(body: &[u8]) -> Result<NewFeed, Rc<Answer>> {
    let Asked { link, name } = read(body, "expected {\"link\": …, \"name\": …}")?;
    let link = link.trim();
    FeedUrl::parse(link).map_err(|why| {
        let detail = format!(
            "this is not the link of a calendar ({why}); one begins with https:// or webcal://"
        );
        problem(Status::UNPROCESSABLE, &detail)
    })?;
    let name = name.unwrap_or_default().trim().to_owned();
    Ok(NewFeed { name, link: Secret::new(link) })
}

#[derive(SerJson)]
struct Upcoming<'a> {
    title: Text<'a>,
    start: Text<'a>,
    all_day: bool,
}

#[derive(SerJson)]
#[nserde(serialize_none_as_null)]
struct Tried<'a> {
    message: Text<'a>,
    events: usize,
    next: Option<Upcoming<'a>>,
    skipped: u64,
    skipped_reasons: Vec<Text<'a>>,
}

/// What came of a trial, as of `now`.
pub fn tried(outcome: Result<Found, Unusable>, now: Timestamp, zone: &TimeZone) -> Rc<Answer> {
    match outcome {
        Ok(found) => report(found, now, zone),
        Err(unusable) => problem(Status::UNPROCESSABLE, &in_plain_words(&unusable)),
    }
}

/// The answer to a trial that could not begin, since nothing could be configured by it.
pub fn untried(error: &Error) -> Rc<Answer> {
    problem(Status::UNPROCESSABLE, first_line(&error.to_string()))
}

/// The answer to a trial that takes too long.
pub fn too_slow() -> Rc<Answer> {
    problem(Status::UNPROCESSABLE, "the server of this link is too slow; try again later")
}

fn report(mut found: Found, now: Timestamp, zone: &TimeZone) -> Rc<Answer> {
    let entries: Vec<Entry> =
        std::mem::take(&mut found.ahead).into_iter().map(|it| it.into_entry()).collect();
    let agenda = Agenda {
        now,
        clock_is_set: true,
        zone,
        entries: &entries,
        truncated: false,
        calendars: &[CalendarStatus::default()],
        skips: &Skips::default(),
        settings: &Settings::default(),
    };
    let view = selection::whats_next(&agenda, 1);
    let next = view.next.or_else(|| view.all_day.into_iter().chain(view.later).next());
    let message = in_a_sentence(&found, next.as_ref(), now, zone);
    let upcoming = next.map(|meeting| Upcoming {
        title: meeting.title().into(),
        start: local(meeting.start, zone).into(),
        all_day: meeting.all_day,
    });
    let tried = Tried {
        message: message.into(),
        events: found.events,
        next: upcoming,
        skipped: found.skipped,
        skipped_reasons: texts(&found.skipped_reasons),
    };
    json(Status::OK, &tried)
}

fn in_a_sentence(
    found: &Found,
    next: Option<&Meeting<'_>>,
    now: Timestamp,
    zone: &TimeZone,
) -> String {
    let mut said = match found.events {
        0 => "This is a calendar, and nothing is in it yet.".to_owned(),
        1 => "Found 1 event.".to_owned(),
        events => format!("Found {events} events."),
    };
    if let Some(meeting) = next {
        let [date, today] = [meeting.start, now].map(|at| zone.to_datetime(at).date());
        let day = day_from(date, today);
        let time =
            if meeting.all_day { "all day".into() } else { clock(meeting.start, zone, false) };
        said += &format!(" Next: {}, {day}, {time}.", meeting.title());
    } else if found.events > 0 {
        said += " None of them lies ahead.";
    }
    match found.skipped {
        0 => {}
        1 => said += " 1 entry cannot be read.",
        skipped => said += &format!(" {skipped} entries cannot be read."),
    }
    said
}

/// What is wrong with a link, and what can be done about it.
fn in_plain_words(unusable: &Unusable) -> String {
    match unusable {
        Unusable::Fetch(error) => not_fetched(error),
        Unusable::Body(NotACalendar::Html) => {
            "this link leads to a web page and not to a calendar, perhaps to one that asks you to \
             log in: look for the secret address in iCal format, which mostly ends in .ics"
                .into()
        }
        Unusable::Body(NotACalendar::Empty) => "the server sends nothing at this link".into(),
        Unusable::Body(why @ NotACalendar::TooLarge(_)) => {
            format!("this calendar is too large for this machine: {why}")
        }
        Unusable::Body(why) => format!("what comes from this link is no calendar: {why}"),
        Unusable::Ours(error) => format!("this cannot be tried now: {error}"),
    }
}

fn not_fetched(error: &FetchError) -> String {
    let advice = match (error.status(), error.kind()) {
        (Some(401 | 403), _) => {
            "the server does not let anybody in by this link alone: take the secret address of the \
             calendar, or share it by link"
        }
        (Some(404 | 410), _) => {
            "there is nothing at this link: it was perhaps copied in part, or the calendar is no \
             longer shared"
        }
        (Some(429), _) => "the server has been asked too often; try again later",
        (Some(500..), _) => "the server of this link is out of order; try again later",
        (_, Kind::Transient(Cause::Dns)) => {
            "the server of this link is not found: look for a typing mistake, and whether this \
             machine is online"
        }
        (_, Kind::Transient(Cause::Address)) => {
            "this link leads into a private network, which is not asked for what anybody types in \
             here; for a server of your own set allow_private_feeds = true in the configuration"
        }
        (_, Kind::Transient(Cause::Connect | Cause::Reset)) => {
            "the server of this link does not answer"
        }
        (_, Kind::Transient(Cause::Tls)) => {
            "there is no secure connection to the server of this link; for a certificate of your \
             own see ca_file in the configuration"
        }
        (_, Kind::Transient(Cause::Timeout)) => {
            "the server of this link is too slow; try again later"
        }
        (_, Kind::Transient(Cause::Busy)) => "too much is fetched just now; try again in a moment",
        _ => "what the server sends at this link cannot be used",
    };
    format!("{advice} ({error})")
}

fn first_line(said: &str) -> &str {
    said.lines().next().unwrap_or_default()
}

#[derive(SerJson)]
struct Added<'a> {
    name: Text<'a>,
    file: Text<'a>,
    warnings: Vec<Text<'a>>,
    at_next_start: Vec<Text<'a>>,
}

/// The answer to [`Wish::Add`].
pub fn added(outcome: Result<Taken>, feed: &NewFeed) -> Rc<Answer> {
    match outcome {
        Ok(taken) => {
            let added = Added {
                name: feed.name.as_str().into(),
                file: taken.file.display().to_string().into(),
                warnings: texts(&taken.warnings),
                at_next_start: taken.at_next_start.into_iter().map(Text::from).collect(),
            };
            json(Status::CREATED, &added)
        }
        Err(error) if error.is_config() => untried(&error),
        Err(error) => problem(Status::INTERNAL, &format!("nothing was changed: {error}")),
    }
}

//! Why something is shown or not, for `/api/v1/explain`. Series are expanded on the database's
//! thread, one at a time, and so are those that somebody asks about: the loop waits for none of it.

use std::rc::Rc;

use async_channel::{Receiver, Sender};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use rusqlite::Connection;

use super::Pipeline;
use super::key::View;
use crate::api::native::{self, Explanation};
use crate::budget::Limits;
use crate::calendar::CalendarStatus;
use crate::calendar::explain::Scene;
use crate::calendar::settings::Settings;
use crate::calendar::skips::Skips;
use crate::error::Result;
use crate::feed::explain::series;
use crate::feed::store::{read_feed, read_zones, uid_of};
use crate::http::response::{Answer, Status, media};
use crate::http::slab::Token;
use crate::tzdb::tzdb;

/// Questions that wait for the answer to the one before them.
const QUESTIONS_MAX: usize = 2;
/// Lines of an answer, all calendars together, in bytes.
const LINES_BYTES_MAX: usize = 32 << 10;

/// What somebody wants to know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Question {
    /// The id of an occurrence, or the UID of an event.
    pub id: String,
    /// Only of this calendar.
    pub calendar: Option<Box<str>>,
    /// The zone that the answer speaks in; `None` is the configured one.
    pub zone: Option<Box<str>>,
}

/// Where questions wait.
pub(super) struct Questions {
    sender: Sender<(Token, Question)>,
    waiting: Receiver<(Token, Question)>,
    limits: Limits,
}

impl Questions {
    pub(super) fn new(limits: &Limits) -> Self {
        let (sender, waiting) = async_channel::bounded(QUESTIONS_MAX);
        Self { sender, waiting, limits: limits.clone() }
    }
}

impl Pipeline {
    /// Asks; the answer comes as a completion. False when too many others do.
    pub fn ask_why(&self, asker: Token, question: Question) -> bool {
        self.questions.sender.try_send((asker, question)).is_ok()
    }

    /// Answers questions until the program ends. Run it as a task, once.
    pub async fn keep_explaining(&self) {
        while let Ok((asker, question)) = self.questions.waiting.recv().await {
            let answer = match self.explain(question).await {
                Ok(answer) => answer,
                Err(error) => self.failed(&View::Calendars, &error),
            };
            self.complete(asker, answer);
        }
    }

    async fn explain(&self, question: Question) -> Result<Rc<Answer>> {
        let (now, feeds) = (self.sources.clock.wall(), &self.sources.feeds);
        let (people, book) = (self.sources.book.all(), &self.sources.book);
        let named = question.zone.as_deref().and_then(|name| tzdb().get(name));
        let zone = named.unwrap_or_else(|| book.zone(feeds));
        let (default_zone, limits) = (feeds.zone(), self.questions.limits.clone());
        let calendars: Vec<_> = feeds.list().iter().map(|feed| feed.status(now)).collect();
        let (settings, skips) = (Settings::clone(&people.settings), people.skips.clone());
        let skipped_until = people.skips.at(now).find(|skip| *skip.id == *question.id);
        let skipped_until = skipped_until.map(|skip| skip.until);
        let read = self.sources.database.read_aside(move |reader| {
            let explainer =
                Explainer { reader, calendars, settings, skips, zone, default_zone, now, limits };
            let explained = explainer.all(&question)?;
            let Explainer { zone, .. } = explainer;
            Ok((question, zone, explained))
        });
        let (Question { id, .. }, zone, explained) = read.await?;
        if explained.is_empty() {
            let detail = "there is no event with this id of which anything may be told";
            let status = Status::NOT_FOUND;
            let body = native::problem(status.code, status.reason(), detail);
            return Ok(Rc::new(Answer::plain(status, media::PROBLEM, "", body.as_bytes())));
        }
        let explanation = Explanation { now, zone: &zone, id: &id, skipped_until, explained };
        let body = native::explanation(&explanation);
        drop(self.sources.metrics.memory.views.hold(body.len()));
        Ok(Rc::new(Answer::json(Status::OK, &body)))
    }
}

/// What is needed on the other thread.
struct Explainer<'r> {
    reader: &'r Connection,
    calendars: Vec<CalendarStatus>,
    settings: Settings,
    skips: Skips,
    zone: TimeZone,
    default_zone: TimeZone,
    now: Timestamp,
    limits: Limits,
}

impl Explainer<'_> {
    /// What every calendar that has it says of it. Of what is private nothing is told, not even
    /// that it is there.
    fn all(&self, question: &Question) -> Result<Vec<(String, Vec<String>)>> {
        let Question { id, calendar, .. } = question;
        let mut explained = Vec::new();
        let mut bytes_left = LINES_BYTES_MAX;
        for (index, status) in self.calendars.iter().enumerate() {
            let is_meant = calendar.as_deref().is_none_or(|name| name == status.name);
            if !is_meant || status.private {
                continue;
            }
            let Some(mut lines) = self.one(index, id)? else { continue };
            lines.retain(|line| {
                bytes_left = bytes_left.saturating_sub(line.len());
                bytes_left > 0
            });
            explained.push((status.name.clone(), lines));
        }
        Ok(explained)
    }

    fn one(&self, calendar: usize, id: &str) -> Result<Option<Vec<String>>> {
        let Some(feed) = read_feed(self.reader, &self.calendars[calendar].name)? else {
            return Ok(None);
        };
        let limits = &self.limits.feed;
        let zones = read_zones(self.reader, feed.id, self.default_zone.clone(), limits)?;
        let scene = Scene {
            now: self.now,
            zone: &self.zone,
            calendars: &self.calendars,
            calendar,
            zones: &zones,
            window: feed.window,
            limits,
            settings: &self.settings,
            skips: &self.skips,
            show_private: false,
        };
        for uid in [Some(id), uid_of(id)].into_iter().flatten() {
            if let Some(found) = series(scene, uid, self.reader, &feed, &self.limits)? {
                return Ok((!found.is_masked).then_some(found.lines));
            }
        }
        Ok(None)
    }
}

//! What people change: what they skip, what they hide, what they set. Wishes wait in one short
//! queue; `app/people` fulfils one after the other, and an answer comes once it is on the disk.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use async_channel::{Receiver, Sender};
use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::full::{self, changes};
use super::{hidden, skips};
use crate::budget::PeopleLimits;
use crate::calendar::settings::{Home, Settings};
use crate::calendar::skips::Skips;
use crate::feed::Feeds;
use crate::http::response::{Answer, Status};
use crate::http::route::{Hiding, Setting, Skipping};
use crate::http::slab::Token;
use crate::pipeline::key::View;
use crate::tzdb::tzdb;

/// Everything that people have changed. A copy shares it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct People {
    /// What does not come next for a while.
    pub skips: Skips,
    /// What is shown, and how.
    pub settings: Rc<Settings>,
}

/// What somebody wants to have changed, and waits for.
pub struct Wish {
    /// Who it is.
    pub asker: Token,
    /// What it is.
    pub what: Wanted,
}

/// What is to be changed, with the id of the occurrence that it is about; empty where it is about
/// all of them. Settings come as they were sent.
pub enum Wanted {
    /// What is skipped.
    Skip(Skipping, String),
    /// What is hidden.
    Hide(Hiding, String),
    /// What is set.
    Set(Setting, Box<[u8]>),
    /// What is set in the place of everything.
    Import(Box<Settings>),
}

impl Wanted {
    /// There is room for one such.
    fn is_long(&self) -> bool {
        matches!(self, Self::Set(..) | Self::Import(_))
    }
}

/// What an asker is told once its wish is fulfilled.
pub enum Told {
    /// This.
    Answer(Rc<Answer>),
    /// What this view says now.
    View(View),
}

/// What people have changed, as it is on the disk, and the way to change it.
pub struct Book {
    people: RefCell<People>,
    limits: PeopleLimits,
    wishes: Sender<Wish>,
    /// A text of settings waits; there is room for one.
    text_waits: Cell<bool>,
}

impl People {
    /// What fits into the room that there is for all of it: settings as a whole, what is hidden
    /// and skipped as far as it is new.
    pub fn fitting(self, limits: &PeopleLimits) -> Self {
        let settings = match self.settings.weight_bytes() > limits.settings_bytes_max() {
            true => Rc::new((*self.settings).clone().dropping_oldest(limits.settings_bytes_max())),
            false => self.settings,
        };
        let room = limits.bytes_max.saturating_sub(settings.weight_bytes());
        Self { skips: self.skips.within(room), settings }
    }

    /// What they take in memory.
    pub fn weight_bytes(&self) -> usize {
        self.skips.weight_bytes() + self.settings.weight_bytes()
    }
}

impl Book {
    /// A book of `people`, and where wishes come out, to be fulfilled one after the other.
    pub fn new(people: People, limits: &PeopleLimits) -> (Self, Receiver<Wish>) {
        let (wishes, taken) = async_channel::bounded(limits.wishes_max);
        let (people, limits) = (RefCell::new(people), limits.clone());
        (Self { people, limits, wishes, text_waits: Cell::default() }, taken)
    }

    /// What people have changed.
    pub fn all(&self) -> People {
        self.people.borrow().clone()
    }

    /// What they have set.
    pub fn settings(&self) -> Rc<Settings> {
        Rc::clone(&self.people.borrow().settings)
    }

    /// The zone that answers speak in where nothing else is asked for: the one that people have
    /// set, or the display's.
    pub fn zone(&self, feeds: &Feeds) -> TimeZone {
        let set = self.settings().display.zone.as_deref().and_then(|name| tzdb().get(name));
        set.unwrap_or_else(|| feeds.zone())
    }

    /// It has been changed.
    pub fn replace(&self, people: People) {
        self.people.replace(people);
    }

    /// The bounds of what it may be.
    pub fn limits(&self) -> &PeopleLimits {
        &self.limits
    }

    /// Asks for a change. The answer comes later, unless there is one already.
    pub(super) fn ask(&self, asker: Token, what: Wanted) -> Option<Rc<Answer>> {
        let is_text = what.is_long();
        let wish = Wish { asker, what };
        if let Some(refused) = self.refused(&wish) {
            return Some(refused);
        }
        if is_text && self.text_waits.get() {
            return Some(wish.failed(TOO_MANY));
        }
        match self.wishes.try_send(wish) {
            Ok(()) => {
                self.text_waits.set(is_text || self.text_waits.get());
                None
            }
            Err(full) => Some(full.into_inner().failed(TOO_MANY)),
        }
    }

    /// The wish has been taken out of the queue.
    pub fn taken(&self, wish: &Wish) {
        if wish.what.is_long() {
            self.text_waits.set(false);
        }
    }

    /// What is too long to be kept.
    fn refused(&self, wish: &Wish) -> Option<Rc<Answer>> {
        let limits = &self.limits;
        match &wish.what {
            Wanted::Skip(what, id) => skips::refused(*what, id, limits.id_bytes_max),
            Wanted::Hide(what, id) => hidden::refused(*what, id, limits.id_bytes_max),
            Wanted::Set(what, text) => changes::refused(*what, text, limits.text_bytes_max()),
            Wanted::Import(_) => None,
        }
    }
}

const TOO_MANY: &str = "too many wait for the disk";

impl Wish {
    /// True for what ends at some time: it needs a clock that is set.
    pub fn is_timed(&self) -> bool {
        matches!(self.what, Wanted::Skip(..))
    }

    /// True when the feeds are to be fetched as well.
    pub fn refreshes(&self) -> bool {
        matches!(self.what, Wanted::Skip(Skipping::LiteClearAndRefresh, _))
    }

    /// What there is once it is fulfilled, where the configuration has `home`.
    ///
    /// # Errors
    /// The answer to a wish that cannot be fulfilled.
    pub fn applied(
        &self,
        before: &People,
        now: Option<Timestamp>,
        home: &Home,
        limits: &PeopleLimits,
    ) -> Result<People, Rc<Answer>> {
        let mut after = before.clone();
        let settings = &*before.settings;
        match &self.what {
            Wanted::Skip(what, id) => {
                let room = limits.bytes_max.saturating_sub(settings.weight_bytes());
                let now = now.unwrap_or_default();
                after.skips = skips::applied(*what, id, &before.skips, now, room);
                return Ok(after);
            }
            Wanted::Hide(what, id) => {
                let hidden = hidden::applied(*what, id, settings, limits.settings_bytes_max())?;
                after.settings = Rc::new(hidden);
            }
            Wanted::Set(what, text) => {
                let set = changes::applied(*what, text, settings, home, limits)?;
                after.settings = Rc::new(set);
            }
            Wanted::Import(imported) => after.settings = Rc::new((**imported).clone()),
        }
        if after.settings != before.settings {
            Rc::make_mut(&mut after.settings).modified = now;
        }
        Ok(after.fitting(limits))
    }

    /// What to tell when that is on the disk.
    pub fn fulfilled(
        &self,
        before: &People,
        after: &People,
        now: Timestamp,
        zone: &TimeZone,
    ) -> Told {
        match &self.what {
            Wanted::Skip(what, id) => {
                let skips = (&before.skips, &after.skips);
                Told::Answer(skips::fulfilled(*what, id, skips, now, zone))
            }
            Wanted::Hide(what, id) => hidden::fulfilled(*what, id, &before.settings),
            Wanted::Set(what, _) => changes::fulfilled(*what),
            Wanted::Import(_) => changes::fulfilled(Setting::Import),
        }
    }

    /// The answer when nothing was changed, since it cannot be now.
    pub fn failed(&self, detail: &str) -> Rc<Answer> {
        match &self.what {
            Wanted::Skip(what, _) => skips::unavailable(*what, detail),
            Wanted::Hide(what, _) => hidden::unavailable(*what, detail),
            Wanted::Set(..) | Wanted::Import(_) => full::error(Status::UNAVAILABLE, detail),
        }
    }
}

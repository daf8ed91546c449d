//! The views of calendarbot_lite. Their clients count seconds from answers that have no date.

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;

use super::Kind;
use crate::calendar::summary::timeframe;
use crate::calendar::{Agenda, lite, selection};
use crate::pipeline::turn::{SPARE_ENTRIES_MAX, Scope};

pub use crate::calendar::summary::{Detail, Query as Morning};

/// One of them.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum View {
    /// `GET /api/whats-next`.
    Next,
    /// `GET /api/done-for-day`.
    DoneForDay,
    /// `POST /api/morning-summary`.
    Morning(Morning),
    /// `GET /api/alexa/…`.
    Alexa(Intent),
}

/// What an assistant is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Intent {
    /// `next-meeting`.
    NextMeeting,
    /// `time-until-next`.
    TimeUntilNext,
    /// `done-for-day`.
    DoneForDay,
    /// `launch-summary`.
    LaunchSummary,
    /// `morning-summary`.
    MorningSummary(Morning),
}

/// Which entries a view is made from.
enum Span {
    /// From now on.
    Ahead,
    Today,
    /// From the start of today on.
    FromToday,
    /// A morning; `None` is that of tomorrow.
    Morning(Option<Date>),
}

impl View {
    pub(super) fn kind(&self) -> Kind {
        match self.span() {
            // Anybody can ask for any of very many.
            Span::Morning(_) => Kind::Range,
            Span::Ahead | Span::Today | Span::FromToday => Kind::WhatsNext,
        }
    }

    /// What must be read for it at first; at most `limit` entries.
    pub(in crate::pipeline) fn scope(
        &self,
        now: Timestamp,
        zone: &TimeZone,
        limit: usize,
    ) -> Scope {
        let few = SPARE_ENTRIES_MAX.min(limit);
        let (today, tomorrow) = selection::day(zone.to_datetime(now).date(), zone);
        match self.span() {
            Span::Ahead => Scope::Ahead { wanted: few },
            Span::Today => Scope::Range { from: today, to: tomorrow, limit },
            Span::FromToday => Scope::Range { from: today, to: Timestamp::MAX, limit: few },
            Span::Morning(date) => {
                let (_, [from, to]) = timeframe(date, now, zone);
                Scope::Range { from, to, limit }
            }
        }
    }

    /// True when nothing that it tells of can be missing from an agenda that has all that begins
    /// before `complete`.
    pub(in crate::pipeline) fn is_enough(&self, agenda: &Agenda<'_>, complete: Timestamp) -> bool {
        match self.span() {
            Span::Ahead => lite::is_next_known(agenda, complete),
            Span::FromToday => {
                let (_, tomorrow) = selection::today(agenda);
                complete >= tomorrow && lite::is_next_known(agenda, complete)
            }
            Span::Today | Span::Morning(_) => true,
        }
    }

    fn span(&self) -> Span {
        match self {
            Self::Next | Self::Alexa(Intent::NextMeeting | Intent::TimeUntilNext) => Span::Ahead,
            Self::DoneForDay | Self::Alexa(Intent::DoneForDay) => Span::Today,
            Self::Alexa(Intent::LaunchSummary) => Span::FromToday,
            Self::Morning(query) | Self::Alexa(Intent::MorningSummary(query)) => {
                Span::Morning(query.date)
            }
        }
    }
}

//! The views of the full family: what its front-ends ask for, and what they are told once
//! something was changed.

use super::{Cost, Kind, LIST_BYTES, PAGE_BYTES};
use crate::api::full::data;
use crate::api::json::TOLD_BYTES_MAX;
use crate::display::page;
use crate::http::route::{Part, Shown, Table};

/// Meetings after the next one in `/api/whats-next/data`: two beside it, and five later ones.
const LATER_MAX: usize = data::MEETINGS_MAX - 2;

/// One of them.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum View {
    /// `GET /calendar`: the page that the wall shows.
    Calendar,
    /// The same page as a member of a JSON object.
    Html(Shown),
    /// `/api/whats-next/data`, as of an instant of its own where that is allowed.
    Data(Option<i64>),
    /// The same once something was hidden or is no longer, and what to say of that.
    Changed(&'static str),
    /// A part of the settings, and what to say of it if it was changed.
    Settings(Part, Option<&'static str>),
    /// The pattern that was added last.
    AddedPattern,
    /// `GET /api/settings/export`.
    Export,
    /// `GET /api/settings/info`.
    Info,
    /// `/api/database/…`
    Database(Table),
}

impl View {
    pub(super) fn kind(&self) -> Kind {
        if self.is_of_meetings() { Kind::WhatsNext } else { Kind::Setup }
    }

    /// True for what is about meetings, and counts minutes until they begin.
    pub fn is_of_meetings(&self) -> bool {
        matches!(self, Self::Calendar | Self::Html(_) | Self::Data(_) | Self::Changed(_))
    }

    pub(super) fn seconds_max(&self) -> i64 {
        match self {
            Self::Data(Some(_)) | Self::Changed(_) | Self::AddedPattern => 1,
            Self::Settings(_, Some(_)) | Self::Database(_) => 1,
            _ => 60,
        }
    }

    pub(super) fn later(&self) -> Option<usize> {
        match self {
            Self::Calendar | Self::Html(_) => Some(page::LATER_MAX),
            Self::Data(_) | Self::Changed(_) => Some(LATER_MAX),
            _ => None,
        }
    }

    /// What it takes in memory beside entries: a page stands once as itself and once more in JSON,
    /// where each of its tags is longer; meetings stand in two lists.
    pub(super) fn cost(&self) -> Cost {
        match self {
            Self::Calendar => Cost { copies: 1, frame_bytes: PAGE_BYTES },
            Self::Html(_) => Cost { copies: 3, frame_bytes: 3 * PAGE_BYTES },
            Self::Data(_) | Self::Changed(_) => {
                let told = data::COPIES * data::MEETINGS_MAX * TOLD_BYTES_MAX;
                Cost { copies: data::COPIES, frame_bytes: LIST_BYTES + told }
            }
            _ => Cost { copies: 1, frame_bytes: LIST_BYTES },
        }
    }

    /// True for what tells how many events each pattern of the settings matches.
    pub fn counts_matches(&self) -> bool {
        matches!(self, Self::Settings(..) | Self::AddedPattern | Self::Export | Self::Info)
    }
}

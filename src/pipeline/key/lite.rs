//! The views of calendarbot_lite. Their clients count seconds from answers that have no date.

use super::Kind;

/// One of them.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum View {
    /// `GET /api/whats-next`.
    Next,
}

impl View {
    pub(super) fn kind(&self) -> Kind {
        Kind::WhatsNext
    }
}

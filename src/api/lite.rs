//! The routes of `calendarbot_lite`, for the front-ends and devices that were made for it: a file
//! for each shape. What they tell of is found by [`crate::calendar::lite`].

mod alexa;
mod health;
mod morning;
mod next;

use crate::calendar::Agenda;
use crate::pipeline::key::lite::View;

pub use health::{HealthInputs, health};

/// Characters of a subject that are sent.
const SUBJECT_CHARS_MAX: usize = 200;

/// What is said in the place of a view.
pub fn answer(view: &View, agenda: &Agenda<'_>) -> String {
    match view {
        View::Next => next::whats_next(agenda),
        View::DoneForDay => alexa::done_for_day(agenda),
        View::Morning(query) => morning::summary(agenda, query),
        View::Alexa(intent) => alexa::answer(agenda, *intent),
    }
}

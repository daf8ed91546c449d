//! What calendarbot_lite takes for a meeting, and which of them it tells of. Its rules are its own:
//! focus time is no meeting, lunch gives way, and an all-day event begins at midnight UTC.

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

use super::Agenda;
use super::selection::{self, Meeting};

/// Subjects with one of these are time set aside, not meetings. "focus" covers "focus time".
const FOCUS_WORDS: [&str; 4] = ["focus", "deep work", "thinking time", "planning time"];
/// A longer subject with "lunch" in it is more than lunch.
const LUNCH_CHARS_MAX: usize = 10;
/// Lunch gives way to a meeting that begins this soon after the earliest.
const LUNCH_YIELDS: SignedDuration = SignedDuration::from_mins(30);

/// The earliest meeting that has not begun; among those that begin within 30 minutes of it, the
/// earliest that is not lunch. Equal starts go by id.
pub fn next_meeting<'a>(agenda: &Agenda<'a>) -> Option<Meeting<'a>> {
    let order = |m: &Meeting<'a>| (m.start, m.entry.lite_id());
    let ahead = |m: &Meeting<'a>| m.start >= agenda.now;
    let candidates: Vec<_> = meetings(agenda).map(at_utc_midnight).filter(ahead).collect();
    let earliest = *candidates.iter().min_by_key(|&m| order(m))?;
    let near = |m: &Meeting<'_>| m.start.duration_since(earliest.start) <= LUNCH_YIELDS;
    let meeting = candidates
        .iter()
        .filter(|&m| near(m) && !is_lunch(&m.entry.details.summary))
        .min_by_key(|&m| order(m));
    Some(meeting.copied().unwrap_or(earliest))
}

/// True when [`next_meeting`] cannot come to another answer by entries that begin at `complete` or
/// later.
pub fn is_next_known(agenda: &Agenda<'_>, complete: Timestamp) -> bool {
    let is_settled =
        |m: Meeting<'_>| m.start >= agenda.now && complete.duration_since(m.start) > LUNCH_YIELDS;
    !agenda.clock_is_set || meetings(agenda).map(at_utc_midnight).any(is_settled)
}

/// Of the timed meetings that touch today the one that ends last.
pub fn last_today<'a>(agenda: &Agenda<'a>) -> Option<Meeting<'a>> {
    let (from, to) = selection::today(agenda);
    timed(agenda).filter(|m| m.touches(from, to)).max_by_key(|m| (m.end, m.start))
}

/// The timed meeting that is running; of several the one that began last.
pub fn running<'a>(agenda: &Agenda<'a>) -> Option<Meeting<'a>> {
    let is_running = |m: &Meeting<'a>| m.start <= agenda.now && m.end > agenda.now;
    timed(agenda).filter(is_running).max_by_key(|m| (m.start, m.entry.lite_id()))
}

/// True for a subject that sets time aside.
pub fn is_focus(summary: &str) -> bool {
    let summary = summary.to_lowercase();
    FOCUS_WORDS.iter().any(|word| summary.contains(word))
}

/// All that nobody skips. Without a clock that is set there are none.
fn meetings<'a>(agenda: &Agenda<'a>) -> impl Iterator<Item = Meeting<'a>> {
    let clock_is_set = agenda.clock_is_set;
    selection::meetings(agenda).filter(move |m| {
        clock_is_set && m.skipped_until.is_none() && !is_focus(&m.entry.details.summary)
    })
}

fn timed<'a>(agenda: &Agenda<'a>) -> impl Iterator<Item = Meeting<'a>> {
    meetings(agenda).filter(|m| !m.all_day)
}

/// In this family an all-day event counts from midnight UTC, wherever the display hangs.
fn at_utc_midnight(mut meeting: Meeting<'_>) -> Meeting<'_> {
    if meeting.all_day {
        let entry = meeting.entry;
        (meeting.start, meeting.end) = selection::times(entry.start, entry.end, &TimeZone::UTC);
    }
    meeting
}

fn is_lunch(summary: &str) -> bool {
    let summary = summary.to_lowercase();
    summary.contains("lunch") && summary.chars().count() <= LUNCH_CHARS_MAX
}

#[cfg(test)]
mod tests;

//! `POST /api/morning-summary`.

use jiff::Timestamp;
use nanoserde::SerJson;

use super::SUBJECT_CHARS_MAX;
use crate::api::json::{Decimal, Text};
use crate::calendar::Agenda;
use crate::calendar::selection::Meeting;
use crate::calendar::summary::{self, Density, Gap, Morning, Query};
use crate::calendar::text::{cut, local, weekday_long};

pub(super) fn summary(agenda: &Agenda<'_>, query: &Query) -> String {
    let morning = summary::morning(agenda, query);
    let iso = |at| local(at, agenda.zone).into();
    let summary = Summary {
        timeframe_start: iso(morning.start),
        timeframe_end: iso(morning.end),
        analysis_time: iso(agenda.now),
        total_meetings_equivalent: equivalent(&morning),
        early_start_flag: morning.early.is_some(),
        density: density(&morning),
        back_to_back_count: morning.back_to_back,
        meeting_insights: morning.meetings.iter().map(|m| Insight::new(m, agenda)).collect(),
        free_blocks: morning.free.iter().map(|gap| FreeBlock::new(gap, agenda)).collect(),
        metadata: Metadata {
            preview_for: preview_for(&morning, query).into(),
            truncated: morning.truncated,
        },
        wake_up_recommendation_time: morning.wake_up().map(iso),
    };
    Answer { summary }.serialize_json()
}

pub(super) fn equivalent(morning: &Morning<'_>) -> Decimal {
    Decimal(morning.halves() as f64 / 2.0)
}

pub(super) fn density(morning: &Morning<'_>) -> Text<'static> {
    match morning.density() {
        Density::Light => "light".into(),
        Density::Moderate => "moderate".into(),
        Density::Busy => "busy".into(),
    }
}

/// `tomorrow_morning`, or `monday_morning` where somebody has named a day.
pub(super) fn preview_for(morning: &Morning<'_>, query: &Query) -> String {
    let day = query.date.map_or("tomorrow", |date| weekday_long(date));
    debug_assert!(query.date.is_none_or(|date| date == morning.date));
    format!("{}_morning", day.to_lowercase())
}

/// What can be done in a gap of so many minutes, the longest first.
const ACTIONS: [(i64, &str); 3] =
    [(120, "deep work"), (90, "work on a project"), (45, "preparation")];

#[derive(SerJson)]
struct Answer<'a> {
    summary: Summary<'a>,
}

#[derive(SerJson)]
struct Summary<'a> {
    timeframe_start: Text<'a>,
    timeframe_end: Text<'a>,
    analysis_time: Text<'a>,
    total_meetings_equivalent: Decimal,
    early_start_flag: bool,
    density: Text<'a>,
    back_to_back_count: usize,
    meeting_insights: Vec<Insight<'a>>,
    free_blocks: Vec<FreeBlock<'a>>,
    metadata: Metadata<'a>,
    /// Left out where there is none, as calendarbot_lite does.
    wake_up_recommendation_time: Option<Text<'a>>,
}

#[derive(SerJson)]
#[nserde(serialize_none_as_null)]
struct Insight<'a> {
    meeting_id: Text<'a>,
    subject: Text<'a>,
    start_time: Text<'a>,
    end_time: Text<'a>,
    time_until_minutes: Option<i64>,
    preparation_needed: bool,
    is_online: bool,
    attendees_count: Option<usize>,
    short_note: Option<Text<'a>>,
}

#[derive(SerJson)]
#[nserde(serialize_none_as_null)]
struct FreeBlock<'a> {
    start_time: Text<'a>,
    end_time: Text<'a>,
    duration_minutes: i64,
    recommended_action: Option<Text<'a>>,
    is_significant: bool,
}

#[derive(SerJson)]
struct Metadata<'a> {
    preview_for: Text<'a>,
    truncated: bool,
}

impl<'a> Insight<'a> {
    fn new(meeting: &Meeting<'a>, agenda: &Agenda<'_>) -> Self {
        let minutes = |at: Timestamp| at.duration_since(agenda.now).as_mins();
        let attendees = meeting.attendees().len();
        Self {
            meeting_id: meeting.entry.lite_id().into(),
            subject: cut(meeting.title(), SUBJECT_CHARS_MAX).into(),
            start_time: local(meeting.start, agenda.zone).into(),
            end_time: local(meeting.end, agenda.zone).into(),
            time_until_minutes: Some(meeting.start).filter(|at| *at > agenda.now).map(minutes),
            // calendarbot_lite has the field and never says yes.
            preparation_needed: false,
            is_online: meeting.url().is_some(),
            attendees_count: Some(attendees).filter(|count| *count > 0),
            short_note: meeting.tentative.then(|| "tentative".into()),
        }
    }
}

impl FreeBlock<'_> {
    fn new(gap: &Gap, agenda: &Agenda<'_>) -> Self {
        let minutes = gap.minutes();
        let action = ACTIONS.iter().find(|(least, _)| minutes >= *least);
        Self {
            start_time: local(gap.start, agenda.zone).into(),
            end_time: local(gap.end, agenda.zone).into(),
            duration_minutes: minutes,
            recommended_action: action.map(|(_, action)| (*action).into()),
            is_significant: gap.is_significant(),
        }
    }
}

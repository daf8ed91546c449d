//! `GET /api/alexa/…`: what an assistant says, and what it is about; and `GET /api/done-for-day`,
//! which says the same in figures alone.

use nanoserde::SerJson;

use super::SUBJECT_CHARS_MAX;
use super::morning::{density, equivalent, preview_for};
use crate::api::json::{Decimal, Text};
use crate::calendar::selection::{self, Meeting};
use crate::calendar::speech::{self, Speech, until};
use crate::calendar::summary::{self, Query};
use crate::calendar::text::{cut, local, utc, zone_name};
use crate::calendar::{Agenda, lite};
use crate::pipeline::key::lite::Intent;

pub(super) fn answer(agenda: &Agenda<'_>, intent: Intent) -> String {
    match intent {
        Intent::NextMeeting => next_meeting(agenda),
        Intent::TimeUntilNext => time_until_next(agenda),
        Intent::DoneForDay => spoken_done_for_day(agenda),
        Intent::LaunchSummary => launch_summary(agenda),
        Intent::MorningSummary(query) => morning_summary(agenda, &query),
    }
}

/// `GET /api/done-for-day`.
pub(super) fn done_for_day(agenda: &Agenda<'_>) -> String {
    DoneForDay::new(agenda, lite::last_today(agenda).as_ref()).serialize_json()
}

fn next_meeting(agenda: &Agenda<'_>) -> String {
    let next = lite::next_meeting(agenda);
    let Speech { text, ssml } = speech::next_meeting(agenda, next.as_ref());
    let meeting = next.map(|next| SpokenMeeting::new(&next, agenda, &text, Some(&ssml)));
    NextMeeting { meeting, speech_text: text.as_str().into(), ssml: ssml.as_str().into() }
        .serialize_json()
}

fn time_until_next(agenda: &Agenda<'_>) -> String {
    let next = lite::next_meeting(agenda);
    let Speech { text, ssml } = speech::time_until_next(agenda, next.as_ref());
    let seconds = next.map(|next| seconds_until(&next, agenda));
    let answer = TimeUntilNext {
        seconds_until_start: seconds,
        duration_spoken: seconds.map(until).unwrap_or_default().into(),
        speech_text: text.into(),
        ssml: ssml.into(),
    };
    answer.serialize_json()
}

fn spoken_done_for_day(agenda: &Agenda<'_>) -> String {
    let last = lite::last_today(agenda);
    let Speech { text, ssml } = speech::done_for_day(agenda, last.as_ref());
    let day = DoneForDay::new(agenda, last.as_ref());
    joined(&day, &Spoken { speech_text: text.into(), ssml: ssml.into() })
}

fn launch_summary(agenda: &Agenda<'_>) -> String {
    let (next, last) = (lite::next_meeting(agenda), lite::last_today(agenda));
    let Speech { text, ssml } = speech::launch_summary(agenda, next.as_ref(), last.as_ref());
    let done_for_day = DoneForDay::new(agenda, last.as_ref());
    let answer = LaunchSummary {
        speech_text: text.as_str().into(),
        ssml: ssml.into(),
        has_meetings_today: done_for_day.has_meetings_today,
        next_meeting: next.map(|next| SpokenMeeting::new(&next, agenda, &text, None)),
        done_for_day,
    };
    answer.serialize_json()
}

fn morning_summary(agenda: &Agenda<'_>, query: &Query) -> String {
    let morning = summary::morning(agenda, query);
    let Speech { text, ssml } = speech::morning_summary(agenda, &morning, query.detail);
    let iso = |at| local(at, agenda.zone).into();
    let summary = Preview {
        preview_for: preview_for(&morning, query).into(),
        total_meetings_equivalent: equivalent(&morning),
        early_start_flag: morning.early.is_some(),
        density: density(&morning),
        back_to_back_count: morning.back_to_back,
        timeframe_start: iso(morning.start),
        timeframe_end: iso(morning.end),
        wake_up_recommendation: morning.wake_up().map(iso),
    };
    MorningSummary { speech_text: text.into(), summary, ssml: ssml.into() }.serialize_json()
}

/// One object with the fields of two.
fn joined(first: &impl SerJson, second: &impl SerJson) -> String {
    let (mut joined, second) = (first.serialize_json(), second.serialize_json());
    joined.pop();
    joined.push(',');
    joined.push_str(&second[1..]);
    joined
}

fn seconds_until(meeting: &Meeting<'_>, agenda: &Agenda<'_>) -> i64 {
    meeting.start.as_second() - agenda.now.as_second()
}

#[derive(SerJson)]
#[nserde(serialize_none_as_null)]
struct NextMeeting<'a> {
    meeting: Option<SpokenMeeting<'a>>,
    speech_text: Text<'a>,
    ssml: Text<'a>,
}

#[derive(SerJson)]
struct SpokenMeeting<'a> {
    subject: Text<'a>,
    start_iso: Text<'a>,
    seconds_until_start: i64,
    speech_text: Text<'a>,
    duration_spoken: Text<'a>,
    ssml: Option<Text<'a>>,
}

impl<'a> SpokenMeeting<'a> {
    fn new(
        meeting: &Meeting<'a>,
        agenda: &Agenda<'_>,
        text: &'a str,
        ssml: Option<&'a str>,
    ) -> Self {
        let seconds = seconds_until(meeting, agenda);
        Self {
            subject: cut(meeting.title(), SUBJECT_CHARS_MAX).into(),
            start_iso: utc(meeting.start).into(),
            seconds_until_start: seconds,
            speech_text: text.into(),
            duration_spoken: until(seconds).into(),
            ssml: ssml.map(Text::from),
        }
    }
}

#[derive(SerJson)]
#[nserde(serialize_none_as_null)]
struct TimeUntilNext<'a> {
    seconds_until_start: Option<i64>,
    duration_spoken: Text<'a>,
    speech_text: Text<'a>,
    ssml: Text<'a>,
}

/// When the last timed meeting of today ends.
#[derive(SerJson)]
#[nserde(serialize_none_as_null)]
struct DoneForDay {
    now_iso: Text<'static>,
    tz: Text<'static>,
    has_meetings_today: bool,
    last_meeting_start_iso: Option<Text<'static>>,
    last_meeting_end_iso: Option<Text<'static>>,
    last_meeting_end_local_iso: Option<Text<'static>>,
    /// Why it may be wrong.
    note: Option<Text<'static>>,
}

impl DoneForDay {
    fn new(agenda: &Agenda<'_>, last: Option<&Meeting<'_>>) -> Self {
        Self {
            now_iso: utc(agenda.now).into(),
            tz: zone_name(agenda.zone, agenda.now).into(),
            has_meetings_today: last.is_some(),
            last_meeting_start_iso: last.map(|last| utc(last.start).into()),
            last_meeting_end_iso: last.map(|last| utc(last.end).into()),
            last_meeting_end_local_iso: last.map(|last| local(last.end, agenda.zone).into()),
            note: selection::freshness(agenda).reason.map(Text::from),
        }
    }
}

#[derive(SerJson)]
struct Spoken<'a> {
    speech_text: Text<'a>,
    ssml: Text<'a>,
}

#[derive(SerJson)]
#[nserde(serialize_none_as_null)]
struct LaunchSummary<'a> {
    speech_text: Text<'a>,
    ssml: Text<'a>,
    has_meetings_today: bool,
    next_meeting: Option<SpokenMeeting<'a>>,
    done_for_day: DoneForDay,
}

#[derive(SerJson)]
struct MorningSummary<'a> {
    speech_text: Text<'a>,
    summary: Preview<'a>,
    ssml: Text<'a>,
}

#[derive(SerJson)]
#[nserde(serialize_none_as_null)]
struct Preview<'a> {
    preview_for: Text<'a>,
    total_meetings_equivalent: Decimal,
    early_start_flag: bool,
    density: Text<'a>,
    back_to_back_count: usize,
    timeframe_start: Text<'a>,
    timeframe_end: Text<'a>,
    wake_up_recommendation: Option<Text<'a>>,
}

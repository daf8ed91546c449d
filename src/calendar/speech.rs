//! What a voice assistant says: every sentence of it, as plain text and as SSML. Nothing that a
//! stranger wrote gets further than a pair of tags, and no answer is longer than an assistant takes.

use std::borrow::Cow;

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;

use super::selection::{Meeting, today};
use super::summary::{Density, Detail, Morning};
use super::text::{clock, cut, day, is_bidi_control, weekday_long};
use super::{Agenda, lite};

/// What Alexa takes, in characters, tags included.
pub const SSML_CHARS_MAX: usize = 8000;
/// Nobody listens to a longer subject.
const SUBJECT_CHARS_MAX: usize = 100;
/// Meetings that are told one by one where not all are asked for.
const TOLD_MAX: usize = 5;
/// All-day events that are told by name.
const ALL_DAY_TOLD_MAX: usize = 3;

/// What is said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Speech {
    /// As text.
    pub text: String,
    /// The same as SSML: well-formed XML of at most [`SSML_CHARS_MAX`] characters.
    pub ssml: String,
}

/// `in 7 minutes`: how long it is until something, in words that follow "starts".
pub fn until(seconds: i64) -> String {
    let (minutes, hours, days) = (seconds / 60, seconds / 3600, seconds / 86_400);
    match seconds {
        ..=0 => "now".to_owned(),
        1..60 => format!("in {}", count(seconds, "second")),
        60..3600 => format!("in {}", count(minutes, "minute")),
        3600..86_400 => format!("in {}{}", count(hours, "hour"), and(minutes % 60, "minute")),
        _ => format!("in {}{}", count(days, "day"), and(hours % 24, "hour")),
    }
}

/// `5:00 pm`, `noon`, `midnight`.
pub fn time(at: Timestamp, zone: &TimeZone) -> String {
    let time = zone.to_datetime(at).time();
    match (time.hour(), time.minute()) {
        (12, 0) => "noon".to_owned(),
        (0, 0) => "midnight".to_owned(),
        _ => clock(at, zone, true),
    }
}

/// What comes next.
pub fn next_meeting(agenda: &Agenda<'_>, next: Option<&Meeting<'_>>) -> Speech {
    let mut speaker = Speaker::begin(agenda);
    match next {
        Some(next) => speaker.next(agenda, next),
        None => speaker.say(&[Words("You have no upcoming meetings.")]),
    };
    speaker.end()
}

/// How long it is until then.
pub fn time_until_next(agenda: &Agenda<'_>, next: Option<&Meeting<'_>>) -> Speech {
    let mut speaker = Speaker::begin(agenda);
    match next {
        Some(next) => {
            let until = seconds_until(agenda, next);
            speaker.say(&[Words("Your next meeting starts "), Words(&until), Words(".")])
        }
        None => speaker.say(&[Words("You have no upcoming meetings.")]),
    };
    speaker.end()
}

/// When the last meeting of today ends.
pub fn done_for_day(agenda: &Agenda<'_>, last: Option<&Meeting<'_>>) -> Speech {
    let mut speaker = Speaker::begin(agenda);
    speaker.done(agenda, last);
    speaker.end()
}

/// How the day stands, for whoever begins to talk.
pub fn launch_summary(
    agenda: &Agenda<'_>,
    next: Option<&Meeting<'_>>,
    last: Option<&Meeting<'_>>,
) -> Speech {
    let mut speaker = Speaker::begin(agenda);
    let (_, midnight) = today(agenda);
    if let Some(running) = lite::running(agenda) {
        let end = time(running.end, agenda.zone);
        let until = [Words(" until "), Words(&end), Words(".")];
        speaker.say(&[&[Words("You're in "), Title(&running)][..], &until].concat());
    } else if last.is_some() && next.is_none_or(|next| next.start >= midnight) {
        speaker.say(&[Words("You have no more meetings today.")]);
    }
    if last.is_none() {
        speaker.done(agenda, None);
    }
    match next {
        Some(next) => speaker.next(agenda, next),
        None => speaker.say(&[Words("Nothing else is coming up.")]),
    };
    if last.is_some_and(|last| last.end > agenda.now) {
        speaker.done(agenda, last);
    }
    speaker.end()
}

/// What a morning will be like.
pub fn morning_summary(agenda: &Agenda<'_>, morning: &Morning<'_>, detail: Detail) -> Speech {
    let mut speaker = Speaker::begin(agenda);
    let zone = agenda.zone;
    let when = when(morning.date, zone.to_datetime(agenda.now).date());
    speaker.say(&[Words(greeting(agenda))]);
    let total = match morning.meetings.len() {
        0 => "no meetings".to_owned(),
        meetings => count(meetings as i64, "meeting"),
    };
    speaker.say(&[Words("You have "), Words(&total), Words(" "), Words(&when), Words(".")]);
    if morning.halves() > 0 {
        speaker.say(&[Words(match morning.density() {
            Density::Light => "It's a light morning.",
            Density::Moderate => "It's a moderate morning.",
            Density::Busy => "It's a busy morning.",
        })]);
    }
    if let Some(early) = &morning.early {
        let start = time(early.start, zone);
        speaker.say(&[Words("You start early, at "), Words(&start), Words(".")]);
    }
    if detail >= Detail::Normal {
        speaker.meetings(agenda, morning, detail);
        speaker.room(agenda, morning, detail);
        speaker.all_day(&morning.all_day);
    }
    speaker.end()
}

/// A piece of a sentence.
#[derive(Clone, Copy)]
enum Part<'t> {
    /// Words of this program.
    Words(&'t str),
    /// What a meeting is called, in a stranger's words.
    Title(&'t Meeting<'t>),
}

use Part::{Title, Words};

/// Says one sentence after the other, as long as there is room.
struct Speaker {
    text: String,
    ssml: String,
    ssml_chars: usize,
    /// Nothing can be said without knowing what time it is.
    is_mute: bool,
}

const OPEN: &str = "<speak>";
const CLOSE: &str = "</speak>";

impl Speaker {
    fn begin(agenda: &Agenda<'_>) -> Self {
        let ssml_chars = OPEN.len() + CLOSE.len();
        let mut speaker =
            Self { text: String::new(), ssml: OPEN.to_owned(), ssml_chars, is_mute: false };
        if !agenda.clock_is_set {
            speaker.say(&[Words("I don't know yet what time it is.")]);
            speaker.is_mute = true;
        }
        speaker
    }

    fn end(mut self) -> Speech {
        self.ssml.push_str(CLOSE);
        Speech { text: self.text, ssml: self.ssml }
    }

    /// Says a sentence, or nothing of it: false when there is no room.
    fn say(&mut self, parts: &[Part<'_>]) -> bool {
        let (mut text, mut ssml) = (String::new(), "<s>".to_owned());
        for part in parts {
            match part {
                Words(words) => {
                    text.push_str(words);
                    escape(words, &mut ssml);
                }
                Title(meeting) => {
                    let title = name(meeting);
                    ssml.push_str("<emphasis level=\"moderate\">");
                    escape(&title, &mut ssml);
                    ssml.push_str("</emphasis>");
                    text.push_str(&title);
                }
            }
        }
        ssml.push_str("</s>");
        let chars = self.ssml_chars + ssml.chars().count();
        if self.is_mute || chars > SSML_CHARS_MAX {
            return false;
        }
        if !self.text.is_empty() {
            self.text.push(' ');
        }
        self.text.push_str(&text);
        self.ssml.push_str(&ssml);
        self.ssml_chars = chars;
        true
    }

    fn next(&mut self, agenda: &Agenda<'_>, next: &Meeting<'_>) -> bool {
        let until = seconds_until(agenda, next);
        let how = if next.start > agenda.now { " " } else { ", which starts " };
        let parts = [Title(next), Words(how), Words(&until), Words(".")];
        self.say(&[&[Words("Your next meeting is ")][..], &parts].concat())
    }

    fn done(&mut self, agenda: &Agenda<'_>, last: Option<&Meeting<'_>>) -> bool {
        let Some(last) = last else { return self.say(&[Words("You have no meetings today.")]) };
        if last.end <= agenda.now {
            return self.say(&[Words("You're done for today.")]);
        }
        let end = time(last.end, agenda.zone);
        // A minute past midnight is tomorrow; midnight itself belongs to the night.
        let (_, midnight) = today(agenda);
        let day = if last.end > midnight { " tomorrow." } else { "." };
        self.say(&[Words("You'll be done at "), Words(&end), Words(day)])
    }

    /// The first meeting, the first few, or all.
    fn meetings(&mut self, agenda: &Agenda<'_>, morning: &Morning<'_>, detail: Detail) {
        let told_max = match detail {
            Detail::Brief | Detail::Normal => 1,
            Detail::Detailed => TOLD_MAX,
            Detail::Verbose => usize::MAX,
        };
        let mut told = 0;
        for meeting in morning.meetings.iter().take(told_max) {
            let which = if told == 0 { "Your first meeting is " } else { "Then comes " };
            let (how, at) = if meeting.start < morning.start {
                (", which goes on until ", meeting.end)
            } else {
                (" at ", meeting.start)
            };
            let at = time(at, agenda.zone);
            let parts = [Words(which), Title(meeting), Words(how), Words(&at), Words(".")];
            // What is left has to be said, and so do the sentences after it.
            if self.ssml_chars > SSML_CHARS_MAX - TAIL_CHARS_MAX || !self.say(&parts) {
                break;
            }
            told += 1;
        }
        let left = morning.meetings.len() - told;
        if told > 1 && left > 0 {
            let left = left.to_string();
            self.say(&[Words("And "), Words(&left), Words(" more.")]);
        }
    }

    /// How tight it is, where there is time, and when to get up.
    fn room(&mut self, agenda: &Agenda<'_>, morning: &Morning<'_>, detail: Detail) {
        match morning.back_to_back {
            0 => {}
            1 => _ = self.say(&[Words("One meeting follows right after another.")]),
            count => {
                let count = count.to_string();
                self.say(&[Words(&count), Words(" meetings follow right after another.")]);
            }
        }
        if let Some(gap) = morning.longest_gap().filter(|_| !morning.meetings.is_empty()) {
            let [from, to] = [gap.start, gap.end].map(|at| time(at, agenda.zone));
            let parts = [Words(&from), Words(" to "), Words(&to), Words(".")];
            self.say(&[&[Words("Your longest free time is from ")][..], &parts].concat());
        }
        let wake_up = morning.wake_up().filter(|at| *at > agenda.now && detail >= Detail::Detailed);
        if let Some(wake_up) = wake_up {
            let wake_up = time(wake_up, agenda.zone);
            self.say(&[Words("A good time to get up is "), Words(&wake_up), Words(".")]);
        }
    }

    fn all_day(&mut self, events: &[Meeting<'_>]) {
        if events.len() > ALL_DAY_TOLD_MAX {
            let events = events.len().to_string();
            self.say(&[Words("There are also "), Words(&events), Words(" all-day events.")]);
            return;
        }
        let Some((last, others)) = events.split_last() else { return };
        let mut parts = vec![Words("All day there is ")];
        for (place, other) in others.iter().enumerate() {
            let and = if place + 1 == others.len() { " and " } else { ", " };
            parts.extend([Title(other), Words(and)]);
        }
        parts.extend([Title(last), Words(".")]);
        self.say(&parts);
    }
}

/// What the sentences after the meetings of a morning take at most: five with titles of which each
/// character is escaped, and tags.
const TAIL_CHARS_MAX: usize = 5 * (SUBJECT_CHARS_MAX * "&quot;".len() + 80);

fn greeting(agenda: &Agenda<'_>) -> &'static str {
    match agenda.zone.to_datetime(agenda.now).hour() {
        5..12 => "Good morning.",
        12..18 => "Good afternoon.",
        _ => "Good evening.",
    }
}

/// `tomorrow morning`, `on Monday morning`: which morning it is, in words that end a sentence.
fn when(date: Date, today: Date) -> String {
    let days = (date - today).get_days();
    match days {
        0 => "this morning".to_owned(),
        1 => "tomorrow morning".to_owned(),
        2..=6 => format!("on {} morning", weekday_long(date)),
        _ => format!("on the morning of {}", day(date)),
    }
}

fn seconds_until(agenda: &Agenda<'_>, meeting: &Meeting<'_>) -> String {
    until(meeting.start.as_second() - agenda.now.as_second())
}

fn count(number: i64, unit: &str) -> String {
    let plural = if number == 1 { "" } else { "s" };
    format!("{number} {unit}{plural}")
}

/// What is left beside a larger unit, if anything is.
fn and(number: i64, unit: &str) -> Cow<'static, str> {
    if number == 0 { "".into() } else { format!(" and {}", count(number, unit)).into() }
}

/// What a meeting is called when one talks of it.
fn name(meeting: &Meeting<'_>) -> String {
    match spoken(&meeting.entry.details.summary) {
        _ if meeting.private => "a private meeting".to_owned(),
        name if name.is_empty() => "a meeting without a name".to_owned(),
        name => name,
    }
}

/// A stranger's text as it can be said: one line without controls, and not too long.
fn spoken(text: &str) -> String {
    let silent =
        |c: char| c.is_control() || is_bidi_control(c) || matches!(c, '\u{fffe}'..='\u{ffff}');
    let mut spoken = String::new();
    for word in text.split_whitespace() {
        let before = spoken.len();
        spoken.push_str(if before == 0 { "" } else { " " });
        let from = spoken.len();
        spoken.extend(word.chars().filter(|&c| !silent(c)));
        if spoken.len() == from {
            spoken.truncate(before);
        }
    }
    cut(&spoken, SUBJECT_CHARS_MAX).trim_end().to_owned()
}

/// Text as the content of an element (XML 1.0 section 2.4).
fn escape(text: &str, out: &mut String) {
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&apos;"),
            c => out.push(c),
        }
    }
}

#[cfg(test)]
mod tests;

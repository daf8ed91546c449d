//! `/api/admin/…`: what an operator sees and turns while the program runs. Who may is decided
//! before this; another configuration is judged and taken over by the app.

#![allow(clippy::question_mark, reason = "nanoserde's derive writes it out")]

use std::cell::RefCell;
use std::path::PathBuf;
use std::rc::Rc;

use async_channel::Sender;
use jiff::Timestamp;
use nanoserde::{DeJson, SerJson};

use super::endpoints::{Known, failure};
use super::json::{self, Text, texts};
use crate::config::addition::NewFeed;
use crate::config::{Config, Value};
use crate::error::{Error, Result};
use crate::flags::rollout::{STAGES, stage};
use crate::flags::{Flag, Flags};
use crate::http::response::{Answer, Status, media};
use crate::http::route::Admin;
use crate::http::slab::Token;

/// What is asked of the app.
pub enum Wish {
    /// Say what is wrong with this text of the configuration file.
    Validate {
        /// Who waits for the answer.
        asker: Token,
        /// The text.
        text: String,
    },
    /// Write this text into the configuration file, and take over what it says.
    Put {
        /// Who waits for the answer.
        asker: Token,
        /// The text.
        text: String,
    },
    /// The same with what the file holds, and another feed.
    Add {
        /// Who waits for the answer.
        asker: Token,
        /// The feed.
        feed: NewFeed,
    },
    /// Go back to the last configuration that has served well.
    Revert,
}

/// The configuration in force, and the way to another one.
pub struct Current {
    /// What the program was started with.
    pub start: Rc<Config>,
    /// What was read last.
    pub config: RefCell<Rc<Config>>,
    /// To the app, which fulfils one after the other.
    pub wishes: Sender<Wish>,
}

impl Current {
    /// The configuration in force.
    pub fn config(&self) -> Rc<Config> {
        Rc::clone(&self.config.borrow())
    }

    /// Has the app do something. Its answer comes later, unless it has too much to do.
    pub(super) fn wish(&self, wish: Wish) -> Option<Rc<Answer>> {
        let is_busy = self.wishes.try_send(wish).is_err();
        is_busy.then(|| {
            let detail = "another configuration is being taken over";
            Rc::new(failure(Status::UNAVAILABLE, detail, "Retry-After: 1\r\n"))
        })
    }
}

/// Answers at once, or has the app do it.
pub(super) fn answer(known: &Known, what: Admin, body: &[u8], asker: Token) -> Option<Rc<Answer>> {
    let done = match what {
        Admin::Config => Ok(config(&known.current)),
        Admin::PutConfig => return put(known, body, asker),
        Admin::Validate => return validate(known, body, asker),
        Admin::Flags => Ok(flags(known)),
        Admin::TurnFlag => turn_flag(known, body),
        Admin::EmergencyDisable => disable(known, body),
        Admin::Rollout => Ok(rollout(known)),
        Admin::TurnRollout => turn_rollout(known, body),
    };
    Some(done.unwrap_or_else(|problem| problem))
}

/// An answer, or one that says what is wrong.
type Outcome = Result<Rc<Answer>, Rc<Answer>>;

fn ok(body: &str) -> Rc<Answer> {
    Rc::new(Answer::json(Status::OK, body))
}

fn problem(status: Status, detail: &str) -> Rc<Answer> {
    Rc::new(failure(status, detail, ""))
}

#[derive(SerJson)]
struct Shown<'a> {
    name: &'static str,
    value: Text<'a>,
    source: Text<'a>,
}

#[derive(SerJson)]
struct FeedShown<'a> {
    name: Text<'a>,
    values: Vec<Shown<'a>>,
}

#[derive(SerJson)]
#[nserde(serialize_none_as_null)]
struct ConfigShown<'a> {
    file: Option<Text<'a>>,
    values: Vec<Shown<'a>>,
    feeds: Vec<FeedShown<'a>>,
    at_next_start: Vec<Text<'a>>,
}

fn config(current: &Current) -> Rc<Answer> {
    let config = current.config();
    let shown = |Value { name, shown, source }: Value| Shown {
        name,
        value: shown.into(),
        source: source.into(),
    };
    let all = |values: Vec<Value>| values.into_iter().map(shown).collect();
    let feed = |(name, values): (&str, Vec<Value>)| FeedShown {
        name: name.to_owned().into(),
        values: all(values),
    };
    let file = config.path.as_ref().map(|path| path.display().to_string().into());
    let feeds = config.feed_values().map(feed).collect();
    let values = all(config.values());
    let later = config.at_next_start(&current.start);
    let at_next_start = later.into_iter().map(Text::from).collect();
    ok(&ConfigShown { file, values, feeds, at_next_start }.serialize_json())
}

/// What is wrong, and where in the text.
#[derive(SerJson)]
#[nserde(serialize_none_as_null)]
struct Wrong<'a> {
    line: Option<usize>,
    detail: Text<'a>,
}

/// RFC 9457, with a list of all that is wrong.
#[derive(SerJson)]
struct Problem<'a> {
    #[nserde(rename = "type")]
    kind: Text<'a>,
    title: Text<'a>,
    status: u16,
    detail: Text<'a>,
    errors: Vec<Wrong<'a>>,
}

#[derive(SerJson)]
struct Validated<'a> {
    valid: bool,
    errors: Vec<Wrong<'a>>,
    warnings: Vec<Text<'a>>,
}

#[derive(SerJson)]
struct Applied<'a> {
    status: Text<'a>,
    warnings: Vec<Text<'a>>,
    at_next_start: Vec<Text<'a>>,
}

/// Every sentence of an error by itself; those about the file begin with its name and the line.
fn wrong<'a>(said: &'a str, config: &Config) -> Vec<Wrong<'a>> {
    let file = config.path.as_ref().map(|path| format!("{}:", path.display()));
    let sentence = |sentence: &'a str| {
        let placed = file.as_ref().and_then(|file| {
            let (line, detail) = sentence.strip_prefix(file.as_str())?.split_once(": ")?;
            Some(Wrong { line: Some(line.parse().ok()?), detail: detail.into() })
        });
        placed.unwrap_or(Wrong { line: None, detail: sentence.into() })
    };
    said.lines().map(sentence).collect()
}

/// Nothing was changed, since the text is wrong.
pub(super) fn refused(error: &Error, config: &Config) -> Rc<Answer> {
    let (said, status) = (error.to_string(), Status::UNPROCESSABLE);
    let problem = Problem {
        kind: "about:blank".into(),
        title: status.reason().into(),
        status: status.code,
        detail: said.lines().next().unwrap_or_default().into(),
        errors: wrong(&said, config),
    };
    let body = problem.serialize_json();
    Rc::new(Answer::plain(status, media::PROBLEM, "", body.as_bytes()))
}

#[derive(DeJson)]
struct TomlBody {
    toml: String,
}

/// The text of a configuration: as it is, or as a member of a JSON object. No TOML begins with a
/// brace.
fn toml(body: &[u8]) -> Result<String, Rc<Answer>> {
    let expected = "expected TOML, or {\"toml\": \"…\"}";
    if body.trim_ascii_start().first() == Some(&b'{') {
        return read::<TomlBody>(body, expected).map(|body| body.toml);
    }
    let text = std::str::from_utf8(body).map_err(|_| problem(Status::BAD_REQUEST, expected))?;
    Ok(text.to_owned())
}

pub(super) fn read<T: DeJson>(body: &[u8], expected: &str) -> Result<T, Rc<Answer>> {
    let text = std::str::from_utf8(body).ok().filter(|_| json::is_sound(body));
    let read = text.and_then(|text| T::deserialize_json(text).ok());
    read.ok_or_else(|| problem(Status::BAD_REQUEST, expected))
}

fn validate(known: &Known, body: &[u8], asker: Token) -> Option<Rc<Answer>> {
    match toml(body) {
        Ok(text) => known.current.wish(Wish::Validate { asker, text }),
        Err(problem) => Some(problem),
    }
}

/// The answer to [`Wish::Validate`]; `running` is what counts meanwhile.
pub fn validated(judged: Result<Config>, running: &Config) -> Rc<Answer> {
    let (said, warnings) = match judged {
        Ok(config) => (String::new(), config.warnings),
        Err(error) => (error.to_string(), Vec::new()),
    };
    let errors = wrong(&said, running);
    let (valid, warnings) = (errors.is_empty(), texts(&warnings));
    ok(&Validated { valid, errors, warnings }.serialize_json())
}

fn put(known: &Known, body: &[u8], asker: Token) -> Option<Rc<Answer>> {
    if known.current.config().path.is_none() {
        let detail = "there is no configuration file to write: start the server with -c FILE";
        return Some(problem(Status::CONFLICT, detail));
    }
    match toml(body) {
        // By mistake it takes away every feed, and the token that it came with.
        Ok(text) if text.trim().is_empty() => {
            Some(problem(Status::BAD_REQUEST, "there is no configuration in the body"))
        }
        Ok(text) => known.current.wish(Wish::Put { asker, text }),
        Err(problem) => Some(problem),
    }
}

/// What came of another configuration that was taken over.
#[derive(Default)]
pub struct Taken {
    /// The file that was written.
    pub file: PathBuf,
    /// What the operator should know, a sentence each.
    pub warnings: Vec<String>,
    /// The keys that take effect later.
    pub at_next_start: Vec<&'static str>,
}

/// The answer to [`Wish::Put`]; `running` is what counts now.
pub fn put_answer(outcome: Result<Taken>, running: &Config) -> Rc<Answer> {
    match outcome {
        Ok(taken) => {
            let at_next_start = taken.at_next_start.into_iter().map(Text::from).collect();
            let (status, warnings) = ("applied".into(), texts(&taken.warnings));
            ok(&Applied { status, warnings, at_next_start }.serialize_json())
        }
        Err(error) if error.is_config() => refused(&error, running),
        Err(error) => problem(Status::INTERNAL, &format!("nothing was changed: {error}")),
    }
}

#[derive(SerJson)]
struct FlagShown<'a> {
    name: &'static str,
    on: bool,
    effective: bool,
    by: &'static str,
    why: Text<'a>,
    since: String,
}

fn flags(known: &Known) -> Rc<Answer> {
    ok(&format!("{{\"flags\":{}}}", flags_json(known)))
}

/// How all flags stand: a list, here and in `/stats`.
pub(super) fn flags_json(known: &Known) -> String {
    let switches = known.switches.read();
    let effective: Flags = switches.flags().effective();
    let flag = |flag: Flag| {
        let switch = switches.switch(flag);
        FlagShown {
            name: flag.name(),
            on: switch.on,
            effective: effective.is_on(flag),
            by: switch.by.name(),
            why: switch.why.as_ref().into(),
            since: switch.since.to_string(),
        }
    };
    Flag::ALL.map(flag).serialize_json()
}

#[derive(DeJson)]
struct FlagWish {
    name: Option<String>,
    on: Option<bool>,
    clear: Option<bool>,
    why: Option<String>,
}

fn turn_flag(known: &Known, body: &[u8]) -> Outcome {
    let expected = "expected {\"name\": …, \"on\": …, \"why\": …}, {\"name\": …, \"clear\": true} or \
                    {\"clear\": true}";
    let FlagWish { name, on, clear, why } = read(body, expected)?;
    let named = |name: &String| {
        let names = Flag::ALL.map(Flag::name).join(", ");
        let unknown = || problem(Status::BAD_REQUEST, &format!("`name`: expected one of {names}"));
        Flag::named(name).ok_or_else(unknown)
    };
    let flag = name.as_ref().map(named).transpose()?;
    let why = why.unwrap_or_default();
    match (flag, on, clear.unwrap_or(false)) {
        (Some(flag), Some(on), false) => turn(known, &[flag], Some(on), &why),
        (Some(flag), None, true) => turn(known, &[flag], None, &why),
        (None, None, true) => turn(known, &Flag::ALL, None, &why),
        _ => return Err(problem(Status::BAD_REQUEST, expected)),
    }
    Ok(flags(known))
}

/// Turns flags, or takes back what was turned, and says so in the log.
fn turn(known: &Known, turned: &[Flag], on: Option<bool>, why: &str) {
    let now = known.clock.wall();
    known.switches.change(|switches| {
        for flag in turned {
            match on {
                Some(on) => switches.turn(*flag, on, why, now),
                None => switches.clear(*flag),
            }
        }
    });
    let names: Vec<_> = turned.iter().map(|flag| flag.name()).collect();
    let word = on.map_or("left to the configuration", |on| if on { "on" } else { "off" });
    log::warn!("an operator: {} {word}{}", names.join(", "), reason(why));
}

fn reason(why: &str) -> String {
    if why.is_empty() { String::new() } else { format!(": {why}") }
}

#[derive(DeJson)]
struct Reason {
    why: Option<String>,
}

fn disable(known: &Known, body: &[u8]) -> Outcome {
    // A body, since a browser cannot be made to send one by a path alone.
    let why = read::<Reason>(body, "expected {}, or {\"why\": …}")?.why;
    turn(known, &Flag::ALL, Some(false), why.as_deref().unwrap_or("emergency"));
    Ok(flags(known))
}

#[derive(SerJson)]
#[nserde(serialize_none_as_null)]
struct RolloutShown<'a> {
    percent: u32,
    stage: Option<&'static str>,
    by: &'static str,
    why: Text<'a>,
    since: String,
}

fn rollout(known: &Known) -> Rc<Answer> {
    ok(&rollout_json(known))
}

/// How far the pipeline is rolled out: an object, here and in `/stats`.
pub(super) fn rollout_json(known: &Known) -> String {
    let part = known.rollout.part();
    let shown = RolloutShown {
        percent: part.percent,
        stage: part.stage(),
        by: part.by.name(),
        why: part.why.as_ref().into(),
        since: part.since.to_string(),
    };
    shown.serialize_json()
}

#[derive(DeJson)]
struct RolloutWish {
    stage: Option<String>,
    percent: Option<u32>,
    clear: Option<bool>,
    why: Option<String>,
}

fn turn_rollout(known: &Known, body: &[u8]) -> Outcome {
    let names = STAGES.map(|(name, _)| name).join(", ");
    let expected = format!(
        "expected {{\"stage\": …}} with one of {names}, {{\"percent\": 0 to 100}} or \
         {{\"clear\": true}}"
    );
    let RolloutWish { stage: name, percent, clear, why } = read(body, &expected)?;
    let wanted = match (name.as_deref().map(stage), percent, clear.unwrap_or(false)) {
        (Some(Some(percent)), None, false) => Some(percent),
        (None, Some(percent @ 0..=100), false) => Some(percent),
        (None, None, true) => None,
        _ => return Err(problem(Status::BAD_REQUEST, &expected)),
    };
    let (why, now): (String, Timestamp) = (why.unwrap_or_default(), known.clock.wall());
    match wanted {
        Some(percent) => known.rollout.turn(percent, &why, now),
        None => known.rollout.clear(),
    }
    let percent = known.rollout.part().percent;
    log::warn!("an operator: the pipeline for {percent} % of the clients{}", reason(&why));
    Ok(rollout(known))
}

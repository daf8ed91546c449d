//! What `/stats` says of health: how things stand, since when, and who has turned what.

use std::fmt::Write;

use nanoserde::SerJson;

use super::super::admin::{flags_json, rollout_json};
use super::super::endpoints::Known;
use super::super::json::{Decimal, Text};
use crate::flags::Flag;
use crate::health::alert::Alert;
use crate::health::respond::Action;

#[derive(SerJson)]
#[nserde(serialize_none_as_null)]
struct AlertStatus {
    name: &'static str,
    level: &'static str,
    since: Option<String>,
    value: Option<Decimal>,
    threshold: Decimal,
    unit: &'static str,
    done: Vec<Text<'static>>,
}

#[derive(SerJson)]
#[nserde(serialize_none_as_null)]
struct ResponseStatus {
    name: &'static str,
    active: bool,
    since: Option<String>,
    times: u64,
}

#[derive(SerJson)]
struct PartOff {
    name: &'static str,
    why: &'static str,
    on_trial: bool,
}

#[derive(SerJson)]
#[nserde(serialize_none_as_null)]
struct RollbackStatus {
    off: Vec<PartOff>,
    usual_p95_ms: Option<Decimal>,
    usual_mean_ms: Option<Decimal>,
    slower_than_last_version_percent: Option<Decimal>,
}

/// The sections, each after a comma.
pub(super) fn write_health(body: &mut String, known: &Known) {
    let health = known.health.borrow();
    let (now, wall) = (known.clock.now(), known.clock.wall());
    let alert = |alert: Alert| {
        let status = health.status(alert);
        let (name, unit) = alert.name_and_unit();
        AlertStatus {
            name,
            level: status.level.name(),
            since: status.since.map(|since| since.to_string()),
            value: status.value.map(decimal),
            threshold: decimal(status.threshold),
            unit,
            done: health.done(alert).map(Text::from).collect(),
        }
    };
    let response = |action: Action| {
        let since = health.active_since(action);
        let since = since.and_then(|since| wall.checked_sub(now.since(since)).ok());
        ResponseStatus {
            name: action.name(),
            active: health.is_active(action),
            since: since.map(|since| since.to_string()),
            times: action.metric(&known.metrics).get(),
        }
    };
    let rollback = health.rollback();
    let part = |flag: Flag| {
        let why = rollback.cause(flag)?.why();
        Some(PartOff { name: flag.name(), why, on_trial: rollback.is_on_trial(flag) })
    };
    let usual = Some(health.usual()).filter(|usual| usual.is_known());
    let rollback = RollbackStatus {
        off: Flag::ALL.into_iter().filter_map(part).collect(),
        usual_p95_ms: usual.map(|usual| decimal(usual.p95_ms)),
        usual_mean_ms: usual.map(|usual| decimal(usual.mean_ms)),
        slower_than_last_version_percent: health.slower_percent().map(decimal),
    };
    let _ = write!(
        body,
        ",\"posture\":\"{}\",\"flags_status\":{},\"rollout\":{},\"alerts_status\":{},\"responses_status\":{},\
         \"rollback_status\":{}",
        health.posture().name(),
        flags_json(known),
        rollout_json(known),
        Alert::ALL.map(alert).serialize_json(),
        Action::ALL.map(response).serialize_json(),
        rollback.serialize_json(),
    );
}

fn decimal(figure: f32) -> Decimal {
    Decimal(figure.into())
}

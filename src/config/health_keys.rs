//! The table of health's keys: `[alerts]`, `[responses]` and `[rollback]` of the file.

use std::ops::RangeInclusive;

use super::feed_url::FeedUrl;
use super::key::{Key, Kind, Preset};
use super::keys::SECRET_URL;
use crate::budget::BUDGET_BYTES_MAX;
use crate::health::settings::{Conflict, Settings};
use crate::secret::HIDDEN;

/// The tables of the file that these keys are in.
pub(super) const HEALTH_TABLES: [&str; 3] = ["alerts", "responses", "rollback"];

const PERCENT: RangeInclusive<u32> = 1..=100;
/// Of what is usual.
const FACTOR: RangeInclusive<u32> = 110..=1000;
const MILLISECONDS: RangeInclusive<u32> = 1..=60_000;
const HOLD: RangeInclusive<u64> = 1..=3600;

/// All of them.
pub(super) static HEALTH_KEYS: &[Key<Settings>] = &[
    count(
        "alerts.memory_warn",
        PERCENT,
        "75",
        |it, percent| it.alerts.memory_warn = percent,
        "Memory in use, in percent of the budget, from which there is a warning.",
    ),
    count(
        "alerts.memory_critical",
        PERCENT,
        "95",
        |it, percent| it.alerts.memory_critical = percent,
        "The same for a critical alert. 400 MB are critical whatever the budget.",
    ),
    count(
        "alerts.latency_warn",
        MILLISECONDS,
        "1000",
        |it, ms| it.alerts.latency_warn = ms,
        "Milliseconds that 95 of 100 answers of a minute take at most; more is a warning.",
    ),
    count(
        "alerts.latency_critical",
        FACTOR,
        "200",
        |it, percent| it.alerts.latency_critical = percent,
        "The same in percent of what is usual here, which is learned; more is critical.",
    ),
    count(
        "alerts.latency_floor",
        MILLISECONDS,
        "100",
        |it, ms| it.alerts.latency_floor = ms,
        "Milliseconds below which no latency is critical, however short it usually is.",
    ),
    span(
        "alerts.latency_hold",
        "3m",
        |it, span| it.alerts.latency_hold = span,
        "How long a latency must last to be critical.",
    ),
    count(
        "alerts.cpu_warn",
        PERCENT,
        "60",
        |it, percent| it.alerts.cpu_warn = percent,
        "Percent of one processor core over a minute from which there is a warning.",
    ),
    count(
        "alerts.cpu_critical",
        PERCENT,
        "80",
        |it, percent| it.alerts.cpu_critical = percent,
        "The same for a critical alert.",
    ),
    count(
        "alerts.errors_warn",
        PERCENT,
        "5",
        |it, percent| it.alerts.errors_warn = percent,
        "Percent of the answers of five minutes that say that the server failed, from which there \
         is a warning.",
    ),
    count(
        "alerts.errors_critical",
        PERCENT,
        "20",
        |it, percent| it.alerts.errors_critical = percent,
        "The same for a critical alert.",
    ),
    count(
        "alerts.pool_warn",
        PERCENT,
        "85",
        |it, percent| it.alerts.pool_warn = percent,
        "Percent of the outbound connections in use from which there is a warning.",
    ),
    count(
        "alerts.pool_critical",
        PERCENT,
        "95",
        |it, percent| it.alerts.pool_critical = percent,
        "The same for a critical alert.",
    ),
    count(
        "alerts.cache_warn",
        PERCENT,
        "90",
        |it, percent| it.alerts.cache_warn = percent,
        "Percent of the cache's memory in use, for a minute, from which there is a warning.",
    ),
    count(
        "alerts.cache_critical",
        PERCENT,
        "95",
        |it, percent| it.alerts.cache_critical = percent,
        "The same for a critical alert.",
    ),
    count(
        "alerts.temperature_warn",
        1..=150,
        "70",
        |it, degrees| it.alerts.temperature_warn = degrees,
        "Degrees Celsius of the machine from which there is a warning.",
    ),
    count(
        "alerts.temperature_critical",
        1..=150,
        "80",
        |it, degrees| it.alerts.temperature_critical = degrees,
        "The same for a critical alert.",
    ),
    count(
        "alerts.feed_intervals",
        1..=1000,
        "3",
        |it, intervals| it.alerts.feed_intervals = intervals,
        "Refresh intervals without a good answer after which a feed is stale.",
    ),
    Key {
        name: "alerts.feed_critical",
        env: &[],
        option: "",
        kind: Kind::Span(60..=30 * 24 * 3600, |it, span| it.alerts.feed_critical = span),
        default: Preset::Is("24h"),
        help: "The age of a feed's data from which that is critical.",
    },
    Key {
        name: "alerts.disk_free",
        env: &[],
        option: "",
        kind: Kind::Bytes(1 << 20..=BUDGET_BYTES_MAX, |it, bytes| it.alerts.disk_free = bytes),
        default: Preset::Is("64MiB"),
        help: "Room that the disk of the data folder should have left; less is a warning.",
    },
    count(
        "alerts.exit_percent",
        10..=100,
        "90",
        |it, percent| it.alerts.exit_percent = percent,
        "An alert is over when its figure is below so many percent of where it began.",
    ),
    span(
        "alerts.hold",
        "10s",
        |it, span| it.alerts.hold = span,
        "How long a figure must last before most alerts begin.",
    ),
    span(
        "alerts.exit_hold",
        "1m",
        |it, span| it.alerts.exit_hold = span,
        "How long it must be well before they are over.",
    ),
    Key {
        name: "alerts.webhook",
        env: &["CALENDARBOT_ALERT_WEBHOOK"],
        option: "",
        kind: Kind::Secret(SECRET_URL, |it, url| it.alerts.webhook = Some(url)),
        default: Preset::Says("none"),
        help: "Where each alert is posted to as JSON when it begins, changes and ends.",
    },
    switch(
        "responses.enabled",
        |it, on| it.responses.enabled = on,
        "Do something about what is scarce. `false` only tells.",
    ),
    span(
        "responses.shed_after",
        "30s",
        |it, span| it.responses.shed_after = span,
        "How long memory or the processor must be critical before large views are refused and \
         refreshes put off.",
    ),
    count(
        "responses.refresh_stretch",
        // A page calls a feed stale after three of its intervals.
        100..=250,
        "200",
        |it, percent| it.responses.refresh_stretch = percent,
        "Percent of their intervals at which feeds are fetched while the processor is busy or the \
         machine is hot.",
    ),
    count(
        "responses.thrash_hits",
        PERCENT,
        "50",
        |it, percent| it.responses.thrash_hits = percent,
        "A cache that has fewer than so many percent of what was asked for in five minutes is \
         adjusted.",
    ),
    count(
        "responses.thrash_evictions",
        1..=10_000,
        "100",
        |it, count| it.responses.thrash_evictions = count,
        "So is one that has dropped so many answers for a hundred that it gave.",
    ),
    span(
        "responses.thrash_hold",
        "5m",
        |it, span| it.responses.thrash_hold = span,
        "From one adjustment of the cache to the next.",
    ),
    switch(
        "rollback.enabled",
        |it, on| it.rollback.enabled = on,
        "Switch off what does harm. `false` switches on again what has been switched off.",
    ),
    span(
        "rollback.memory_hold",
        "1m",
        |it, span| it.rollback.memory_hold = span,
        "How long memory must stay critical, whatever is done, before the cache is switched off, \
         and then the pools.",
    ),
    span(
        "rollback.cpu_hold",
        "5m",
        |it, span| it.rollback.cpu_hold = span,
        "The same of the processor, before batching is. Nothing is made ahead by then.",
    ),
    count(
        "rollback.latency_factor",
        FACTOR,
        "200",
        |it, percent| it.rollback.latency_factor = percent,
        "Percent of the usual latency at which the part is looked for without which it falls.",
    ),
    span(
        "rollback.latency_hold",
        "3m",
        |it, span| it.rollback.latency_hold = span,
        "How long that latency must last.",
    ),
    count(
        "rollback.slower",
        1..=1000,
        "10",
        |it, percent| it.rollback.slower = percent,
        "So many percent slower than the version before is a regression.",
    ),
    count(
        "rollback.errors",
        PERCENT,
        "5",
        |it, percent| it.rollback.errors = percent,
        "Percent of failed answers at which the last good configuration is wanted back.",
    ),
    span(
        "rollback.errors_hold",
        "1m",
        |it, span| it.rollback.errors_hold = span,
        "How long they must last.",
    ),
    span(
        "rollback.retry",
        "5m",
        |it, span| it.rollback.retry = span,
        "How long a part stays off once its reason is over; twice as long each time that it comes \
         back too soon.",
    ),
];

/// What holds where nothing is configured.
#[cfg(test)]
pub fn usual_health() -> Settings {
    let mut settings = Settings::default();
    super::set_defaults(HEALTH_KEYS, &mut settings);
    settings
}

/// What cannot be meant, a sentence each.
pub(super) fn problems(settings: &Settings) -> impl Iterator<Item = String> {
    let wrong = settings.alerts.webhook.as_ref().and_then(|url| FeedUrl::of(url).err());
    let wrong =
        wrong.map(|why| format!("`alerts.webhook` is {HIDDEN}; allowed: {SECRET_URL}; {why}"));
    settings.conflicts().into_iter().map(|conflict| describe(&conflict)).chain(wrong)
}

/// What to say of two keys that rule each other out.
fn describe(conflict: &Conflict) -> String {
    let Conflict { lower: (lower, low), higher: (higher, high) } = conflict;
    format!("`{lower}` is {low} and `{higher}` is {high}; the first must be lower")
}

const fn count(
    name: &'static str,
    range: RangeInclusive<u32>,
    default: &'static str,
    set: fn(&mut Settings, u32),
    help: &'static str,
) -> Key<Settings> {
    let kind = Kind::Count(range, set);
    Key { name, env: &[], option: "", kind, default: Preset::Is(default), help }
}

const fn span(
    name: &'static str,
    default: &'static str,
    set: fn(&mut Settings, std::time::Duration),
    help: &'static str,
) -> Key<Settings> {
    let kind = Kind::Span(HOLD, set);
    Key { name, env: &[], option: "", kind, default: Preset::Is(default), help }
}

const fn switch(
    name: &'static str,
    set: fn(&mut Settings, bool),
    help: &'static str,
) -> Key<Settings> {
    Key { name, env: &[], option: "", kind: Kind::Switch(set), default: Preset::Is("true"), help }
}

//! The table of keys: what can be configured, under which names, within which bounds.
//!
//! Reading the file, the environment and the command line, guessing what a misspelt name meant,
//! the help text and `docs/CONFIGURATION.md` all follow from it. The names of variables that
//! earlier programs had are read here and nowhere else.

use std::ops::RangeInclusive;
use std::path::Path;

use crate::budget::{BUDGET_BYTES_MAX, BUDGET_BYTES_MIN};
use crate::flags::rollout::stage;
use crate::flags::{Flag, Tuning};
use crate::http::peer::is_base_path;

use super::Draft;
use super::display_keys as display;
use super::filter::{addresses, allowed_addresses};
use super::given::{host, level};
use super::key::{Key, Kind, Preset};

/// Often enough for a screen, and seldom enough for a server; a day is still news.
pub(super) const INTERVAL_SECONDS: RangeInclusive<u64> = 60..=24 * 3600;
pub(super) const SECRET_URL: &str = "an http, https or webcal URL of at most 4096 bytes";
pub(super) const SECRET_TEXT: &str = "1 to 4096 bytes without control characters";

/// The settings of the whole program.
pub(super) static KEYS: &[Key<Draft>] = &[
    Key {
        name: "",
        env: &["CALENDARBOT_CONFIG"],
        option: "config",
        kind: Kind::Path(|draft, path| draft.config.path = Some(path)),
        default: Preset::Says(
            "`calendarbot/calendarbot.toml` in `$XDG_CONFIG_HOME` (`~/.config`), then in `/etc`",
        ),
        help: "The configuration file. It must exist when it is named.",
    },
    Key {
        name: "host",
        env: &["CALENDARBOT_WEB_HOST", "CALENDARBOT_SERVER_BIND"],
        option: "host",
        kind: Kind::Text("an IP address or localhost", |draft, text| {
            draft.config.host = host(text)?;
            Some(())
        }),
        default: Preset::Is("127.0.0.1"),
        help: "The address to listen on. 0.0.0.0 or :: shows the calendars to the whole network.",
    },
    Key {
        name: "port",
        env: &["CALENDARBOT_WEB_PORT", "CALENDARBOT_SERVER_PORT"],
        option: "port",
        kind: Kind::Port(|draft, port| draft.config.port = port),
        default: Preset::Is("8080"),
        help: "The TCP port to listen on; 0 takes any free one.",
    },
    Key {
        name: "server_names",
        env: &["CALENDARBOT_SERVER_NAMES"],
        option: "",
        kind: Kind::Names(|draft, names| draft.config.server_names = names),
        default: Preset::Says("none"),
        help: "Names that browsers may reach this server by, besides its addresses, localhost \
               and its host name.",
    },
    Key {
        name: "unix_socket",
        env: &["CALENDARBOT_UNIX_SOCKET"],
        option: "unix-socket",
        kind: Kind::Path(|draft, path| draft.config.unix_socket = Some(path)),
        default: Preset::Says("none"),
        help: "A Unix socket to listen on as well. It is for a proxy on this machine: whoever may \
               write to it is trusted as one. Sockets that a supervisor hands over (LISTEN_FDS) \
               take the place of this and of host and port.",
    },
    Key {
        name: "base_path",
        env: &["CALENDARBOT_BASE_PATH"],
        option: "base-path",
        kind: Kind::Text("a path of plain segments, like /calendar, or nothing", |draft, text| {
            let path = text.strip_suffix('/').unwrap_or(text);
            is_base_path(path).then(|| draft.config.base_path = path.into())
        }),
        default: Preset::Says("none"),
        help: "What stands in front of every path. For a proxy that passes requests on with it.",
    },
    Key {
        name: "trusted_proxies",
        env: &["CALENDARBOT_TRUSTED_PROXIES"],
        option: "",
        kind: Kind::Networks(|draft, networks| draft.config.trusted_proxies = networks),
        default: Preset::Says("none"),
        help: "Proxies that are believed what they say in X-Forwarded-For, -Proto and -Prefix.",
    },
    Key {
        name: "rate_limit",
        env: &["CALENDARBOT_REQUESTS_PER_SECOND"],
        option: "",
        kind: Kind::Count(1..=10_000, |draft, rate| draft.config.rate_limit = rate),
        default: Preset::Is("50"),
        help: "Requests a second, on average, that one client may send; four times as many at \
               once. Clients on this machine are not limited.",
    },
    Key {
        name: "access_log",
        env: &["CALENDARBOT_ACCESS_LOG"],
        option: "access-log",
        kind: Kind::Switch(|draft, on| draft.config.access_log = on),
        default: Preset::Is("false"),
        help: "Log every answer. A line says client, request line, status and bytes.",
    },
    Key {
        name: "data_dir",
        env: &["CALENDARBOT_DATA_DIR"],
        option: "data-dir",
        kind: Kind::Path(|draft, path| draft.config.data_dir = path),
        default: Preset::Says(
            "`$STATE_DIRECTORY`, else `calendarbot` in `$XDG_DATA_HOME` (`~/.local/share`)",
        ),
        help: "The folder of the database.",
    },
    Key {
        name: "pid_file",
        env: &["CALENDARBOT_PID_FILE"],
        option: "pid-file",
        kind: Kind::Text(
            "an absolute path, or a name in `$RUNTIME_DIRECTORY` or `$XDG_RUNTIME_DIR`, whichever is \
             set",
            |draft, text| {
                let path = draft.runtime_dir.as_deref().unwrap_or(Path::new("")).join(text);
                let fits = !text.is_empty() && path.is_absolute();
                fits.then(|| draft.config.pid_file = Some(path))
            },
        ),
        default: Preset::Says("none"),
        help: "A file for the number of the process. It is there for as long as the program serves, \
               and for scripts: service managers know the number without.",
    },
    Key {
        name: "ca_file",
        env: &["CALENDARBOT_CA_FILE"],
        option: "",
        kind: Kind::Path(|draft, path| draft.config.ca_file = Some(path)),
        default: Preset::Says("none"),
        help: "A PEM file of certificate authorities that feed servers are trusted by, beside the \
               public ones. It is read at the start.",
    },
    Key {
        name: "",
        env: &["PHASE_2A_MAX_MEMORY_MB"],
        option: "",
        kind: Kind::Count(BUDGET_MIB, |draft, mib| {
            draft.config.memory_budget = (mib as usize) << 20;
        }),
        default: Preset::Says("nothing"),
        help: "Another way to say `CALENDARBOT_MEMORY_BUDGET`, which goes first, in MiB.",
    },
    Key {
        name: "memory_budget",
        env: &["CALENDARBOT_MEMORY_BUDGET"],
        option: "memory-budget",
        kind: Kind::Bytes(BUDGET_BYTES_MIN..=BUDGET_BYTES_MAX, |draft, bytes| {
            draft.config.memory_budget = bytes;
        }),
        default: Preset::Says("16 MiB where there is at most 1 GiB of memory, else 32 MiB"),
        help: "Memory of the whole process; `calendarbot plan` shows how it is divided.",
    },
    Key {
        name: "",
        env: &["CALENDARBOT_DEBUG"],
        option: "",
        kind: Kind::Switch(|draft, on| {
            if on {
                draft.config.log_level = log::LevelFilter::Debug;
            }
        }),
        default: Preset::Is("false"),
        help: "`true` is another way to say `CALENDARBOT_LOG_LEVEL=debug`, which goes first.",
    },
    Key {
        name: "log_level",
        env: &["CALENDARBOT_LOG_LEVEL"],
        option: "log-level",
        kind: Kind::Text("off, error, warn, info, debug or trace", |draft, text| {
            draft.config.log_level = level(text)?;
            Some(())
        }),
        default: Preset::Is("info"),
        help: "How much is logged.",
    },
    Key {
        name: "time_zone",
        env: &["CALENDARBOT_DEFAULT_TIMEZONE"],
        option: "time-zone",
        kind: Kind::Zone(|draft, zone| draft.config.time_zone = Some(zone)),
        default: Preset::Says("the system's"),
        help: "The zone that days and times are shown in.",
    },
    display::LANGUAGE,
    display::HOUR12,
    display::WEEK_START,
    display::WEEK_NUMBERS,
    display::DATE_ORDER,
    display::THEME,
    display::LAYOUT,
    display::FRAME_ANCESTORS,
    Key {
        name: "me",
        env: &["CALENDARBOT_ME"],
        option: "",
        kind: Kind::Texts(allowed_addresses, |draft, texts| {
            draft.me = addresses(texts)?;
            Some(())
        }),
        default: Preset::Says("none"),
        help: "The addresses that you are invited by. An event that one of them has declined \
               (ATTENDEE with PARTSTAT=DECLINED) is not shown.",
    },
    Key {
        name: "",
        env: &["CALENDARBOT_TEST_TIME"],
        option: "",
        kind: Kind::Text(
            "a time with its offset, like 2025-11-23T08:00:00+01:00",
            |draft, text| {
                draft.config.test_time = Some(text.parse().ok()?);
                Some(())
            },
        ),
        default: Preset::Says("none"),
        help: "The calendar's \"now\" stands still at this time. For tests.",
    },
    Key {
        name: "refresh_interval",
        env: &["CALENDARBOT_REFRESH_INTERVAL", "CALENDARBOT_REFRESH_INTERVAL_SECONDS"],
        option: "",
        kind: Kind::Span(INTERVAL_SECONDS, |draft, span| draft.config.refresh_interval = span),
        default: Preset::Is("5m"),
        help: "How often each feed is fetched.",
    },
    Key {
        name: "past_days",
        env: &["CALENDARBOT_PAST_DAYS"],
        option: "",
        kind: Kind::Days(1..=31, |draft, days| draft.config.past_days = days),
        default: Preset::Is("1"),
        help: "Days before today that are kept.",
    },
    Key {
        name: "future_days",
        env: &["CALENDARBOT_FUTURE_DAYS"],
        option: "",
        kind: Kind::Days(7..=400, |draft, days| draft.config.future_days = days),
        default: Preset::Is("60"),
        help: "Days after today that are kept.",
    },
    Key {
        name: "allow_private_feeds",
        env: &["CALENDARBOT_ALLOW_PRIVATE_FEEDS"],
        option: "allow-private-feeds",
        kind: Kind::Switch(|draft, on| draft.allow_private_feeds = on),
        default: Preset::Is("false"),
        help: "Feeds may come from private and loopback addresses.",
    },
    flag(
        "flags.enabled",
        &["PHASE_2A_ENABLED"],
        Draft::enable_flags,
        "`false` turns every flag below off.",
    ),
    flag(
        "flags.connection_pooling",
        &["PHASE_2A_CONNECTION_POOLING", "CONNECTION_POOL_ENABLED"],
        |draft, on| draft.set_flag(Flag::ConnectionPooling, on),
        "Keep outbound and database connections for reuse.",
    ),
    flag(
        "flags.request_pipeline",
        &["PHASE_2A_REQUEST_PIPELINE", "REQUEST_PIPELINE_ENABLED"],
        |draft, on| draft.set_flag(Flag::RequestPipeline, on),
        "Cache answers and make them in batches. `false` turns the four flags below off, too.",
    ),
    flag(
        "flags.caching",
        &[],
        |draft, on| draft.set_flag(Flag::Caching, on),
        "Keep answers for the next asker.",
    ),
    flag(
        "flags.batching",
        &["REQUEST_BATCHING"],
        |draft, on| draft.set_flag(Flag::Batching, on),
        "Make the answers to different questions together.",
    ),
    flag(
        "flags.deduplication",
        &[],
        |draft, on| draft.set_flag(Flag::Deduplication, on),
        "Make one answer for all who ask the same at the same time.",
    ),
    flag(
        "flags.warming",
        &[],
        |draft, on| draft.set_flag(Flag::Warming, on),
        "Make the answers that displays ask for again and again before they do.",
    ),
    Key {
        name: "flags.rollout",
        env: &["PHASE_2A_ROLLOUT"],
        option: "",
        kind: Kind::Text("disabled, canary, gradual, majority or full", |draft, text| {
            draft.config.rollout = (stage(text)?, draft.by);
            Some(())
        }),
        default: Preset::Is("full"),
        help: "The part of all clients that have the request pipeline: none, 5, 25, 75 or 100 %. The \
               others get the same answers the direct way. A client is an address and a User-Agent.",
    },
    Key {
        name: "flags.rollout_percentage",
        env: &["PHASE_2A_ROLLOUT_PERCENTAGE"],
        option: "",
        kind: Kind::Count(0..=100, |draft, percent| {
            draft.rollout_percent = Some((percent, draft.by));
        }),
        default: Preset::Says("what `flags.rollout` says"),
        help: "The same in percent; it goes before a `flags.rollout` of the same source.",
    },
    Key {
        name: "settings_from_lan",
        env: &["CALENDARBOT_SETTINGS_FROM_LAN"],
        option: "",
        kind: Kind::Switch(|draft, on| draft.config.settings_from_lan = on),
        default: Preset::Is("false"),
        help: "Whoever is in the home network, that is at a private address, may change settings. \
               Else that takes a program on this machine or the token of `admin.token_file`.",
    },
    Key {
        name: "admin.token_file",
        env: &["CALENDARBOT_ADMIN_TOKEN_FILE"],
        option: "",
        kind: Kind::Path(|draft, path| draft.tokens.admin_file = Some(path)),
        default: Preset::Says("none: programs on this machine only"),
        help: "A file whose only line is the token that operators show (`Authorization: Bearer …`) \
               to see and change flags and configuration under `/api/admin`. \
               `$CREDENTIALS_DIRECTORY/NAME` is a systemd credential. Programs on this machine need \
               none: a proxy here that sends no X-Forwarded-For must keep `/api/admin` to itself.",
    },
    Key {
        name: "alexa.bearer_token",
        env: &["CALENDARBOT_ALEXA_BEARER_TOKEN"],
        option: "",
        kind: Kind::Secret(SECRET_TEXT, |draft, text| draft.tokens.alexa = Some(text)),
        default: Preset::Says("none: whoever may ask anything may ask this"),
        help: "The token that a voice assistant shows (`Authorization: Bearer …`) under \
               `/api/alexa`. Programs on this machine need it, too: an assistant comes through a \
               tunnel that ends here.",
    },
    Key {
        name: "alexa.bearer_token_file",
        env: &["CALENDARBOT_ALEXA_BEARER_TOKEN_FILE"],
        option: "",
        kind: Kind::Path(|draft, path| draft.tokens.alexa_file = Some(path)),
        default: Preset::Says("none"),
        help: "A file whose only line is that token. `$CREDENTIALS_DIRECTORY/NAME` is a systemd \
               credential.",
    },
    Key {
        name: "pipeline.cache_ttl",
        env: &["CACHE_TTL_SECONDS"],
        option: "",
        kind: Kind::Span(Tuning::TTL_SECONDS, |draft, ttl| draft.config.tuning.ttl = ttl),
        default: Preset::Is("5m"),
        help: "How long the answer about some days is given again while nothing changes; other \
               answers in proportion.",
    },
    Key {
        name: "pipeline.ranges_share",
        env: &[],
        option: "",
        kind: Kind::Count(Tuning::RANGES_PERCENT, |draft, percent| {
            draft.config.tuning.ranges_percent = percent;
        }),
        default: Preset::Is("50"),
        help: "The part of the cache that answers about days may take, in percent.",
    },
    Key {
        name: "pipeline.batch_size",
        env: &["BATCH_SIZE"],
        option: "",
        kind: Kind::Count(Tuning::BATCH_MAX, |draft, size| draft.config.tuning.batch_max = size),
        default: Preset::Is("10"),
        help: "Answers made together, at most.",
    },
    ceiling(
        "pipeline.batch_wait_ms",
        &["BATCH_TIMEOUT_MS"],
        0,
        |draft, ms| draft.config.ceilings.batch_wait_ms = Some(ms as usize),
        "Milliseconds that a batch waits for more questions while many are asked, at most.",
    ),
    ceiling(
        "pipeline.cache_entries",
        &["CACHE_MAX_SIZE"],
        1,
        |draft, count| draft.config.ceilings.cache_entries_max = Some(count as usize),
        "Answers that are kept, at most.",
    ),
    ceiling(
        "",
        CACHE_MIB,
        1,
        |draft, mib| draft.config.ceilings.cache_bytes_max = Some((mib as usize) << 20),
        "The same as `pipeline.cache_memory`, in MiB.",
    ),
    Key {
        name: "pipeline.cache_memory",
        env: &[],
        option: "",
        kind: Kind::Bytes(16 << 10..=BUDGET_BYTES_MAX, |draft, bytes| {
            draft.config.ceilings.cache_bytes_max = Some(bytes);
        }),
        default: ROOM,
        help: "Memory of the answers that are kept.",
    },
    ceiling(
        "outbound.connections",
        &["HTTP_POOL_SIZE"],
        1,
        |draft, count| draft.config.ceilings.outbound_total = Some(count as usize),
        "Connections to feed servers, at most.",
    ),
    ceiling(
        "outbound.connections_per_host",
        &["HTTP_CONNECTIONS_PER_HOST"],
        1,
        |draft, count| draft.config.ceilings.outbound_per_origin = Some(count as usize),
        "Those to one server that are kept for reuse, at most.",
    ),
    ceiling(
        "database.readers",
        &["DB_POOL_SIZE"],
        1,
        |draft, count| draft.config.ceilings.readers_max = Some(count as usize),
        "Readers of the database that are kept for reuse, at most.",
    ),
    Key {
        name: "",
        env: &["PHASE_2A_MONITORING"],
        option: "",
        kind: Kind::Switch(|draft, on| {
            if !on {
                draft.warn("PHASE_2A_MONITORING=false has no effect: to count costs nothing");
            }
        }),
        default: Preset::Is("true"),
        help: "Everything that `/stats` shows is always counted.",
    },
];

const BUDGET_MIB: RangeInclusive<u32> =
    (BUDGET_BYTES_MIN >> 20) as u32..=(BUDGET_BYTES_MAX >> 20) as u32;
const CACHE_MIB: &[&str] = &["CACHE_MEMORY_LIMIT_MB"];
/// What holds for a ceiling that nobody sets.
const ROOM: Preset = Preset::Says("what the memory budget has room for");

/// A ceiling by all of its names.
pub(super) fn ceiling_names(name: &str) -> String {
    let key = KEYS.iter().find(|key| key.name == name);
    let env = key.map(|key| key.env).filter(|env| !env.is_empty()).unwrap_or(CACHE_MIB);
    format!("`{name}` ({})", env.join(", "))
}

/// A limit that may be set lower than the budget has it; more than that is refused later, when the
/// budget is known.
const fn ceiling(
    name: &'static str,
    env: &'static [&'static str],
    least: u32,
    set: fn(&mut Draft, u32),
    help: &'static str,
) -> Key<Draft> {
    let kind = Kind::Count(least..=10_000, set);
    Key { name, env, option: "", kind, default: ROOM, help }
}

const fn flag(
    name: &'static str,
    env: &'static [&'static str],
    set: fn(&mut Draft, bool),
    help: &'static str,
) -> Key<Draft> {
    Key { name, env, option: "", kind: Kind::Switch(set), default: Preset::Is("true"), help }
}

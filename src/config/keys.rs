//! The table of keys: what can be configured, under which names, within which bounds.
//!
//! Reading the file, the environment and the command line, guessing what a misspelt name meant,
//! the help text and `docs/CONFIGURATION.md` all follow from it. The names of variables that
//! earlier programs had are read here and nowhere else.

use std::ops::RangeInclusive;

use crate::budget::{BUDGET_BYTES_MAX, BUDGET_BYTES_MIN};
use crate::http::peer::is_base_path;

use super::Draft;
use super::feed::{AuthScheme, FeedDraft};
use super::filter::{ADDRESSES, PATTERNS, addresses, patterns};
use super::given::{host, level, plain};
use super::key::{Key, Kind, Preset};

/// Often enough for a screen, and seldom enough for a server; a day is still news.
const INTERVAL_SECONDS: RangeInclusive<u64> = 60..=24 * 3600;
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
        name: "ca_file",
        env: &["CALENDARBOT_CA_FILE"],
        option: "",
        kind: Kind::Path(|draft, path| draft.config.ca_file = Some(path)),
        default: Preset::Says("none"),
        help: "A PEM file of certificate authorities that feed servers are trusted by, beside the \
               public ones. It is read at the start.",
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
    Key {
        name: "me",
        env: &["CALENDARBOT_ME"],
        option: "",
        kind: Kind::Texts(ADDRESSES, |draft, texts| {
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
    Key {
        name: "flags.enabled",
        env: &["PHASE_2A_ENABLED"],
        option: "",
        kind: Kind::Switch(|draft, on| draft.flags_enabled = on),
        default: Preset::Is("true"),
        help: "`false` turns every flag below off.",
    },
    Key {
        name: "flags.connection_pooling",
        env: &["PHASE_2A_CONNECTION_POOLING", "CONNECTION_POOL_ENABLED"],
        option: "",
        kind: Kind::Switch(|draft, on| draft.config.flags.connection_pooling = on),
        default: Preset::Is("true"),
        help: "Keep outbound and database connections for reuse.",
    },
    Key {
        name: "flags.request_pipeline",
        env: &["PHASE_2A_REQUEST_PIPELINE", "REQUEST_PIPELINE_ENABLED"],
        option: "",
        kind: Kind::Switch(|draft, on| draft.config.flags.request_pipeline = on),
        default: Preset::Is("true"),
        help: "Cache answers and make them in batches.",
    },
];

/// The settings of one feed: a `[[feeds]]` table, or the environment's single feed.
pub(super) static FEED_KEYS: &[Key<FeedDraft>] = &[
    Key {
        name: "name",
        env: &[],
        option: "",
        kind: Kind::Text("1 to 64 characters, none of them a control character", |feed, text| {
            let fits = (1..=64).contains(&text.chars().count()) && text.chars().all(plain);
            // An address must not become a name: names are logged.
            (fits && !text.contains("://")).then(|| feed.name = text.into())
        }),
        default: Preset::Says("must be given, and be unlike the others"),
        help: "What the feed is called, in the log and to people.",
    },
    Key {
        name: "url",
        env: &["CALENDARBOT_ICS_URL"],
        option: "",
        kind: Kind::Secret(SECRET_URL, |feed, url| feed.url = Some(url)),
        default: Preset::Says("none"),
        help: "Where the feed is. `webcal://` means `https://`. A user name and password in it \
               are sent as basic authentication.",
    },
    Key {
        name: "url_file",
        env: &[],
        option: "",
        kind: Kind::Path(|feed, path| feed.url_file = Some(path)),
        default: Preset::Says("none"),
        help: "A file whose only line is the feed's URL.",
    },
    Key {
        name: "credential",
        env: &[],
        option: "",
        kind: Kind::Text(
            "the name of a file in $CREDENTIALS_DIRECTORY, without /",
            |feed, text| {
                let name =
                    !text.is_empty() && !text.contains(['/', '\0']) && !text.starts_with('.');
                name.then(|| feed.credential = Some(text.into()))
            },
        ),
        default: Preset::Says("none"),
        help: "A systemd credential whose only line is the feed's URL.",
    },
    Key {
        name: "file",
        env: &[],
        option: "",
        kind: Kind::Path(|feed, path| feed.file = Some(path)),
        default: Preset::Says("none"),
        help: "An iCalendar file on this machine instead of a URL; a regular one, no pipe or device.",
    },
    Key {
        name: "color",
        env: &[],
        option: "",
        kind: Kind::Text("a colour like #3366cc", |feed, text| {
            let digits = text.strip_prefix('#')?;
            let hex = digits.len() == 6 && digits.bytes().all(|b| b.is_ascii_hexdigit());
            hex.then(|| feed.color = text.to_ascii_lowercase())
        }),
        default: Preset::Says("chosen by the display"),
        help: "The colour of its events.",
    },
    Key {
        name: "interval",
        env: &[],
        option: "",
        kind: Kind::Span(INTERVAL_SECONDS, |feed, span| feed.interval = Some(span)),
        default: Preset::Says("`refresh_interval`"),
        help: "How often this feed is fetched.",
    },
    Key {
        name: "timeout",
        env: &["CALENDARBOT_ICS_TIMEOUT"],
        option: "",
        kind: Kind::Span(1..=600, |feed, span| feed.timeout = span),
        default: Preset::Is("30s"),
        help: "How long an answer may take from its first byte to its last, beyond what its \
               size needs.",
    },
    Key {
        name: "auth",
        env: &["CALENDARBOT_ICS_AUTH_TYPE"],
        option: "",
        kind: Kind::Text("none, basic or bearer", |feed, text| {
            feed.auth = Some(AuthScheme::from_name(text)?);
            Some(())
        }),
        default: Preset::Says("what the keys below say"),
        help: "How to log in. It need not be given; when it is, the keys below must agree.",
    },
    Key {
        name: "username",
        env: &["CALENDARBOT_ICS_USERNAME"],
        option: "",
        kind: Kind::Secret(SECRET_TEXT, |feed, text| feed.username = Some(text)),
        default: Preset::Says("none"),
        help: "For basic authentication.",
    },
    Key {
        name: "password",
        env: &["CALENDARBOT_ICS_PASSWORD"],
        option: "",
        kind: Kind::Secret(SECRET_TEXT, |feed, text| feed.password = Some(text)),
        default: Preset::Says("none"),
        help: "For basic authentication.",
    },
    Key {
        name: "password_file",
        env: &[],
        option: "",
        kind: Kind::Path(|feed, path| feed.password_file = Some(path)),
        default: Preset::Says("none"),
        help: "A file whose only line is the password.",
    },
    Key {
        name: "bearer_token",
        env: &["CALENDARBOT_ICS_BEARER_TOKEN"],
        option: "",
        kind: Kind::Secret(SECRET_TEXT, |feed, text| feed.bearer_token = Some(text)),
        default: Preset::Says("none"),
        help: "For bearer authentication.",
    },
    Key {
        name: "bearer_token_file",
        env: &[],
        option: "",
        kind: Kind::Path(|feed, path| feed.bearer_token_file = Some(path)),
        default: Preset::Says("none"),
        help: "A file whose only line is the token.",
    },
    Key {
        name: "headers",
        env: &[],
        option: "",
        kind: Kind::Headers(|feed, headers| feed.headers = headers),
        default: Preset::Says("none"),
        help: "Further header fields of the request, as in `headers = { X-Key = \"…\" }`.",
    },
    Key {
        name: "private",
        env: &[],
        option: "",
        kind: Kind::Switch(|feed, on| feed.private = on),
        default: Preset::Is("false"),
        help: "Show every event of this feed as \"Busy\".",
    },
    Key {
        name: "include",
        env: &[],
        option: "",
        kind: Kind::Texts(PATTERNS, |feed, texts| {
            feed.filter.include = patterns(texts)?;
            Some(())
        }),
        default: Preset::Says("every event"),
        help: "Show only events with a title that one of these patterns matches. A pattern is a \
               part of the title, whatever its case and spacing, as in \
               `include = [\"^Team\", \"on call\"]`.",
    },
    Key {
        name: "exclude",
        env: &[],
        option: "",
        kind: Kind::Texts(PATTERNS, |feed, texts| {
            feed.filter.exclude = patterns(texts)?;
            Some(())
        }),
        default: Preset::Says("no event"),
        help: "Leave out events with a title that one of these patterns matches, as in \
               `exclude = [\"^Lunch\", \"focus time\"]`. It goes before `include`.",
    },
    Key {
        name: "me",
        env: &[],
        option: "",
        kind: Kind::Texts(ADDRESSES, |feed, texts| {
            feed.filter.me = addresses(texts)?;
            Some(())
        }),
        default: Preset::Says("none"),
        help: "Further addresses that you are invited by, for this feed.",
    },
    Key {
        name: "show_declined",
        env: &[],
        option: "",
        kind: Kind::Switch(|feed, on| feed.filter.show_declined = on),
        default: Preset::Is("false"),
        help: "Show what `me` has declined, too.",
    },
    Key {
        name: "allow_private_address",
        env: &[],
        option: "",
        kind: Kind::Switch(|feed, on| feed.allow_private_address = on),
        default: Preset::Is("false"),
        help: "Let this feed come from a private or loopback address.",
    },
    Key {
        name: "insecure_tls",
        env: &[],
        option: "",
        kind: Kind::Switch(|feed, on| feed.insecure_tls = on),
        default: Preset::Is("false"),
        help: "Accept any certificate from this feed's own server. `ca_file` is the better way where \
               there is a certificate authority of one's own.",
    },
    Key {
        name: "user_agent",
        env: &[],
        option: "",
        kind: Kind::Text("1 to 256 visible ASCII characters", |feed, text| {
            let fits = (1..=256).contains(&text.len());
            let visible = text.bytes().all(|b| matches!(b, b' '..=b'~'));
            (fits && visible).then(|| feed.user_agent = text.into())
        }),
        default: Preset::Is(concat!("calendarbot/", env!("CARGO_PKG_VERSION"))),
        help: "The User-Agent that its server sees.",
    },
];

/// Variables of earlier programs that are known and do nothing here; a name that ends in an
/// underscore stands for all that begin with it.
pub(super) static WITHOUT_EFFECT: &[&str] = &[
    "CALENDARBOT_WEB_LAYOUT",
    "CALENDARBOT_ALEXA_BEARER_TOKEN",
    "CALENDARBOT_RATE_LIMIT_",
    "PHASE_2A_ROLLOUT",
    "PHASE_2A_ROLLOUT_PERCENTAGE",
    "PHASE_2A_MAX_MEMORY_MB",
    "PHASE_2A_MONITORING",
];

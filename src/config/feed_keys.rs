//! What can be configured for one feed.

use super::feed::{AuthScheme, FeedDraft};
use super::filter::{addresses, allowed_addresses, allowed_patterns, patterns};
use super::given::plain;
use super::key::{Key, Kind, Preset};
use super::keys::{INTERVAL_SECONDS, SECRET_TEXT, SECRET_URL};
use crate::budget::BODY_SECONDS_MAX;

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
        help: "A file whose only line is the feed's URL. `$CREDENTIALS_DIRECTORY/NAME` is a systemd \
               credential, here and in every other `…_file` of a feed.",
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
        kind: Kind::Span(1..=BODY_SECONDS_MAX, |feed, span| feed.timeout = span),
        default: Preset::Is("30s"),
        help: "How long an answer may take from its first byte to its last, beyond what its \
               size needs; never more than five minutes in all.",
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
        name: "headers_file",
        env: &[],
        option: "",
        kind: Kind::Path(|feed, path| feed.headers_file = Some(path)),
        default: Preset::Says("none"),
        help: "A file of such fields, one a line, as in `X-Key: …`.",
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
        kind: Kind::Texts(allowed_patterns, |feed, texts| {
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
        kind: Kind::Texts(allowed_patterns, |feed, texts| {
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
        kind: Kind::Texts(allowed_addresses, |feed, texts| {
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

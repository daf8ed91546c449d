//! Every default, the order of the sources, and a canary in every place where a secret can land.

mod errors;

use std::path::Path;

use super::*;
use crate::calendar::filter::{Filter, Pattern};
use crate::secret::Secret;

/// A folder with a configuration, and an environment beside it.
struct Case {
    folder: tempfile::TempDir,
    inputs: Inputs,
}

impl Case {
    fn new(toml: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("c.toml"), toml).unwrap();
        let mut case = Self { folder, inputs: Inputs::default() };
        case.inputs.default_budget = 16 << 20;
        let config = case.folder.path().join("c.toml").to_string_lossy().into_owned();
        case.env(&[("HOME", "/home/u"), ("CALENDARBOT_CONFIG", &config)])
    }

    fn env(mut self, env: &[(&str, &str)]) -> Self {
        self.inputs
            .env
            .extend(env.iter().map(|(name, value)| (name.to_string(), value.to_string())));
        self
    }

    fn args(mut self, args: &str) -> Self {
        self.inputs.args = args.split_whitespace().map(OsString::from).collect();
        self
    }

    fn file(self, name: &str, text: impl AsRef<[u8]>) -> Self {
        std::fs::write(self.folder.path().join(name), text).unwrap();
        self
    }

    fn load(&self) -> Result<Config> {
        load(&parse(&self.inputs)?, &self.inputs)
    }

    fn config(&self) -> Config {
        self.load().unwrap_or_else(|error| panic!("{error}"))
    }

    /// What is wrong, without the folder's name.
    fn error(&self) -> String {
        let error = self.load().err().map(|error| (error.exit_code(), error.to_string()));
        let (code, text) = error.unwrap_or((0, "nothing is wrong".into()));
        assert_ne!(code, 1, "{text}");
        text.replace(&format!("{}/", self.folder.path().display()), "")
    }
}

#[test]
fn commands_and_options_in_any_order() {
    let command = |args: &str| parse(&Case::new("").args(args).inputs).unwrap().command;
    let next =
        |feed: Option<&str>, count, json| Command::Next { feed: feed.map(Into::into), count, json };
    assert_eq!(command(""), Command::Serve);
    assert_eq!(command("--web --layout 4x8 --port 80"), Command::Serve);
    assert_eq!(Case::new("").args("--layout 3x4").config().layout, Layout::Small);
    assert_eq!(command("--port 80 check"), Command::Check);
    assert_eq!(command("plan --memory-budget=8MiB"), Command::Plan);
    assert_eq!(command("next"), next(None, 5, false));
    assert_eq!(command("--json next -n3 --feed work"), next(Some("work"), 3, true));
    let explain = |feed: &str, query: Option<&str>, show_private| Command::Explain {
        feed: feed.into(),
        query: query.map(Into::into),
        show_private,
    };
    assert_eq!(command("explain work"), explain("work", None, false));
    assert_eq!(
        command("--show-private explain work stand-up"),
        explain("work", Some("stand-up"), true)
    );
    let export = |show_private| Command::Export { feed: "work".into(), show_private };
    assert_eq!(command("export work"), export(false));
    assert_eq!(command("export --show-private work"), export(true));
    let stats =
        |url: Option<&str>, watch, json| Command::Stats { url: url.map(Into::into), watch, json };
    assert_eq!(command("stats"), stats(None, false, false));
    let args = "stats --watch --json --url http://pi.local";
    assert_eq!(command(args), stats(Some("http://pi.local"), true, true));
    let config = |args: &str| match command(args) {
        Command::Config(action) => action,
        other => panic!("{other:?}"),
    };
    assert_eq!(config("config"), Action::Show);
    assert_eq!(config("config show --port 80"), Action::Show);
    assert_eq!(config("config check"), Action::Check);
    assert_eq!(config("config history"), Action::History);
    assert_eq!(config("config revert"), Action::Revert(None));
    assert_eq!(config("config revert 2"), Action::Revert(Some(2)));
    assert_eq!(command("-h"), Command::Help(None));
    assert_eq!(command("next --help --json"), Command::Help(Some("next".into())));
    assert_eq!(command("help refresh_interval"), Command::Help(Some("refresh_interval".into())));
    assert_eq!(command("help --help"), Command::Help(None));
    assert_eq!(command("-V"), Command::Version);
    let log = |args: &str| Case::new("").args(args).config().log_level;
    assert_eq!(log("--quiet"), log::LevelFilter::Warn);
    assert_eq!(log("-v"), log::LevelFilter::Debug);
    assert_eq!(log("-q --log-level TRACE"), log::LevelFilter::Trace);
}

#[test]
fn the_help_fits_a_screen_and_knows_every_name() {
    let text = help(None);
    assert!(text.lines().count() <= 60, "{text}");
    assert!(text.lines().all(|line| line.chars().count() <= 80), "{text}");
    let names = KEYS.iter().flat_map(|key| key.env.iter().copied().chain([key.name]));
    let health = HEALTH_KEYS.iter().map(|key| key.name);
    let names = names.chain(FEED_KEYS.iter().map(|key| key.name)).chain(health);
    for name in names.chain(["next", "quiet"]) {
        assert!(name.is_empty() || help(Some(name)) != text, "{name}");
    }
}

#[test]
fn defaults() {
    let config = Case::new("").config();
    let budget = FeedLimits::default();
    assert_eq!((config.host, config.port), (IpAddr::V4(Ipv4Addr::LOCALHOST), 8080));
    assert_eq!(config.server_names, [""; 0]);
    assert_eq!(config.data_dir, Path::new("/home/u/.local/share/calendarbot"));
    assert_eq!(config.memory_budget, 16 << 20);
    assert_eq!(config.log_level, log::LevelFilter::Info);
    assert_eq!((config.time_zone, config.test_time), (None, None));
    assert_eq!(config.refresh_interval, Duration::from_secs(300));
    assert_eq!((config.past_days, config.future_days), (budget.past_days, budget.future_days));
    assert_eq!((config.flags, config.tuning), (Flags::ON, Tuning::default()));
    let Settings { alerts, responses, rollback } = config.health;
    assert_eq!((alerts.cpu_critical, responses.thrash_hits, rollback.errors), (80, 50, 5));
    assert_eq!((config.feeds.len(), config.warnings.len()), (0, 0));
    assert!(config.path.is_some_and(|path| path.ends_with("c.toml")));

    let config = Case::new("[[feeds]]\nname = 'w'\nfile = 'x.ics'").config();
    let FeedConfig { source, auth, .. } = &config.feeds[0];
    assert_eq!(*source, Source::File(config.path.unwrap().with_file_name("x.ics")));
    assert_eq!((source.label(), auth), ("file", &Auth::None));
    let feed = &config.feeds[0];
    assert_eq!((feed.name.as_str(), feed.color.as_str()), ("w", ""));
    let body_time = Plan::divide(16 << 20, 1, budget).limits.refresh.body_time;
    assert_eq!((feed.interval, feed.timeout), (Duration::from_secs(300), body_time));
    assert!(!feed.private && !feed.allow_private_address && !feed.trusted_origin);
    assert!(!feed.insecure_tls && feed.headers.is_empty());
    assert_eq!(*feed.filter, Filter::default());
    assert_eq!(feed.user_agent, concat!("calendarbot/", env!("CARGO_PKG_VERSION")));

    let folder = |env: &[(&str, &str)]| Case::new("").env(env).config().data_dir;
    assert_eq!(folder(&[("XDG_DATA_HOME", "/x")]), Path::new("/x/calendarbot"));
    assert_eq!(folder(&[("XDG_DATA_HOME", "x")]), Path::new("/home/u/.local/share/calendarbot"));
    assert_eq!(folder(&[("XDG_DATA_HOME", "/x"), ("STATE_DIRECTORY", "/s:/t")]), Path::new("/s"));
}

#[test]
fn each_source_goes_before_the_next() {
    let port = |env: &[(&str, &str)], dotenv: &str, args: &str| {
        Case::new("port = 1").file(".env", dotenv).env(env).args(args).config().port
    };
    let env = [("CALENDARBOT_SERVER_PORT", "3")];
    assert_eq!(port(&[], "", ""), 1);
    assert_eq!(port(&[], "export CALENDARBOT_WEB_PORT=\"2\" # two", ""), 2);
    assert_eq!(port(&env, "CALENDARBOT_WEB_PORT=2", ""), 3);
    assert_eq!(port(&env, "CALENDARBOT_WEB_PORT=2", "--port 4 --port=5"), 5);
    assert_eq!(port(&[("CALENDARBOT_WEB_PORT", "")], "", ""), 1);

    let flags = |toml: &str, env: &[(&str, &str)]| {
        let flags = Case::new(toml).env(env).config().flags;
        (flags.connection_pooling, flags.request_pipeline)
    };
    let pooling_on = ("PHASE_2A_CONNECTION_POOLING", "true");
    assert_eq!(flags("flags.enabled = false", &[]), (false, false));
    assert_eq!(flags("flags.enabled = false", &[("PHASE_2A_ENABLED", "1")]), (true, true));
    assert_eq!(flags("", &[("PHASE_2A_ENABLED", "false"), pooling_on]), (false, false));
    assert_eq!(flags("flags.connection_pooling = false", &[]), (false, true));
    assert_eq!(flags("flags.connection_pooling = false", &[pooling_on]), (true, true));
    assert_eq!(flags("", &[("REQUEST_PIPELINE_ENABLED", "off")]), (true, false));
    let by = |toml: &str, env: &[(&str, &str)]| {
        Case::new(toml).env(env).config().flags_by[Flag::Batching as usize]
    };
    assert_eq!(by("flags.warming = false", &[("PHASE_2A_ENABLED", "1")]), By::Default);
    assert_eq!(by("flags.batching = true", &[]), By::File);
    assert_eq!(by("flags.batching = false", &[("REQUEST_BATCHING", "1")]), By::Environment);
    assert_eq!(by("flags.batching = false", &[("PHASE_2A_ENABLED", "0")]), By::Environment);

    let budget = |env: &[(&str, &str)]| Case::new("").env(env).config().memory_budget;
    let old = ("PHASE_2A_MAX_MEMORY_MB", "100");
    assert_eq!(budget(&[old]), 100 << 20);
    assert_eq!(budget(&[old, ("CALENDARBOT_MEMORY_BUDGET", "9MiB")]), 9 << 20);

    let level = |env: &[(&str, &str)]| Case::new("log_level = 'error'").env(env).config().log_level;
    assert_eq!(level(&[("CALENDARBOT_DEBUG", "true")]), log::LevelFilter::Debug);
    assert_eq!(level(&[("CALENDARBOT_DEBUG", "false")]), log::LevelFilter::Error);
    let both = [("CALENDARBOT_DEBUG", "true"), ("CALENDARBOT_LOG_LEVEL", "WARNING")];
    assert_eq!(level(&both), log::LevelFilter::Warn);
}

#[test]
fn a_file_is_looked_for_only_when_none_is_named() {
    let case = Case::new("port = 1");
    let folder = case.folder.path().join("calendarbot");
    std::fs::create_dir(&folder).unwrap();
    std::fs::write(folder.join("calendarbot.toml"), "port = 2").unwrap();
    std::fs::write(folder.join(".env"), "CALENDARBOT_WEB_HOST=::1").unwrap();
    let home = case.folder.path().to_string_lossy().into_owned();
    let mut case = case.env(&[("XDG_CONFIG_HOME", &home)]);
    assert_eq!(case.config().port, 1);
    case.inputs.env.remove("CALENDARBOT_CONFIG");
    assert_eq!((case.config().port, case.config().host), (2, "::1".parse().unwrap()));
    std::fs::remove_file(folder.join("calendarbot.toml")).unwrap();
    let config = case.config();
    // A machine that has calendarbot installed has a file in /etc, which then is the next one.
    let installed = Path::new("/etc/calendarbot/calendarbot.toml");
    assert_eq!(config.path.as_deref(), installed.exists().then_some(installed));
    assert!(installed.exists() || config.host == "::1".parse::<IpAddr>().unwrap());
}

#[test]
fn every_key_reaches_its_place() {
    let case = Case::new(
        "host = '[::1]'\nport = 0\nserver_names = ['Wall.example']\ndata_dir = 'd'\n\
         memory_budget = '24 MB'\nlog_level = 'off'\ntime_zone = 'europe/berlin'\n\
         me = ['A@x.example']\nrefresh_interval = '1h 30m'\npast_days = 31\nfuture_days = 400\n\
         [[feeds]]\nname = 'Büro'\nurl_file = 'url'\ncolor = '#AABBCC'\ninterval = 60\n\
         timeout = '1m'\nauth = 'basic'\nusername = 'u'\npassword_file = 'password'\n\
         headers_file = 'headers'\nprivate = true\nallow_private_address = true\n\
         insecure_tls = true\nuser_agent = 'a b'\ninclude = ['^A']\n\
         exclude = ['B', 'c$']\nme = ['b@X.example']\nshow_declined = true\n\
         [[feeds]]\nname = 'c'\ncredential = 'cal'\nbearer_token_file = '$CREDENTIALS_DIRECTORY/token'\n",
    )
    .file("url", "webcal://h.example/p\n")
    .file("cal", "http://u:p@h.example/q")
    .file("password", "p w")
    .file("headers", "X-Key: k\r\n\nx-more:l:m \n")
    .file("token", "t\r\n");
    let folder = case.folder.path().to_string_lossy().into_owned();
    let case = case.env(&[
        ("CREDENTIALS_DIRECTORY", &folder),
        ("CALENDARBOT_TEST_TIME", "1970-01-01T01:00:09+01:00"),
    ]);
    let error = case.error();
    assert_eq!(error, "c.toml:30: feed `c` has a user in its URL and a login beside it; keep one");
    let config = case.file("cal", "http://h.example/q").config();
    assert_eq!((config.host, config.port), ("::1".parse().unwrap(), 0));
    assert_eq!(config.server_names, ["wall.example"]);
    assert_eq!(config.data_dir, Path::new(&folder).join("d"));
    assert_eq!((config.memory_budget, config.log_level), (24_000_000, log::LevelFilter::Off));
    assert_eq!(config.time_zone.as_deref(), Some("Europe/Berlin"));
    assert_eq!(config.test_time, Timestamp::from_second(9).ok());
    assert_eq!(config.refresh_interval, Duration::from_secs(5400));
    assert_eq!((config.past_days, config.future_days), (31, 400));
    let [a, b] = &config.feeds[..] else { panic!("two feeds") };
    let Source::Url(url) = &a.source else { panic!("a URL") };
    assert_eq!(url.expose().as_str(), "https://h.example/p");
    assert_eq!(
        (a.name.as_str(), a.color.as_str(), a.user_agent.as_str()),
        ("Büro", "#aabbcc", "a b")
    );
    assert_eq!((a.interval.as_secs(), a.timeout.as_secs()), (60, 60));
    assert_eq!(a.auth, Auth::Basic { user: Secret::new("u"), password: Secret::new("p w") });
    let headers = [("X-Key", "k"), ("x-more", "l:m")];
    let headers = headers.map(|(name, value)| (name.to_owned(), Secret::new(value)));
    assert_eq!(a.headers, headers);
    assert!(a.private && a.allow_private_address && a.insecure_tls && !a.trusted_origin);
    let shown = |patterns: &[Pattern]| patterns.iter().map(Pattern::to_string).collect::<Vec<_>>();
    assert_eq!(
        (shown(&a.filter.include), shown(&a.filter.exclude)),
        (vec!["^a".into()], vec!["b".into(), "c$".into()])
    );
    assert_eq!(
        (a.filter.me.join(" "), a.filter.show_declined),
        ("b@x.example a@x.example".into(), true)
    );
    assert_eq!((b.filter.me.join(" "), b.filter.show_declined), ("a@x.example".into(), false));
    assert_eq!((&b.auth, b.interval), (&Auth::Bearer(Secret::new("t")), config.refresh_interval));
    assert_eq!(
        config.warnings,
        [
            "feed `Büro`: its server's certificate is not checked (insecure_tls): whoever is on the way can read and change the calendar",
            "feed `c`: its login is sent over http, where others can read it",
        ]
    );
}

#[test]
fn every_value_tells_where_it_is_from() {
    let case = Case::new(
        "port = 1\nserver_names = ['a', 'b.c']\nca_file = 'ca.pem'\n[flags]\nwarming = false\n\
         [[feeds]]\nname = 'w'\nurl = 'https://h/canary'\ninterval = '1h'\nexclude = ['x']\n\
         headers = { A = 'canary' }\n",
    );
    let case = case.file(".env", "CALENDARBOT_DATA_DIR=d\nCALENDARBOT_WEB_HOST=::1\n");
    let env = [("CALENDARBOT_WEB_PORT", "2"), ("PHASE_2A_MAX_MEMORY_MB", "9")];
    let folder = format!("{}/", case.folder.path().display());
    let config = case.env(&env).args("--port 3 --access-log").config();
    let shown = |values: Vec<Value>, name: &str| {
        let value = values.into_iter().find(|value| value.name == name).expect(name);
        (value.shown, value.source.replace(&folder, ""))
    };
    for (name, value, source) in [
        ("port", "3", "command line, --port"),
        ("access_log", "true", "command line, --access-log"),
        ("host", "\"::1\"", ".env:2"),
        ("data_dir", "\"d\"", ".env:1"),
        ("server_names", "[\"a\", \"b.c\"]", "c.toml:2"),
        ("ca_file", "\"ca.pem\"", "c.toml:3"),
        ("flags.warming", "false", "c.toml:5"),
        ("flags.caching", "true", "default"),
        ("memory_budget", "9 MiB", "environment, PHASE_2A_MAX_MEMORY_MB"),
        ("time_zone", "(the system's)", "default"),
    ] {
        assert_eq!(shown(config.values(), name), (value.into(), source.into()), "{name}");
    }
    let feeds: Vec<_> = config.feed_values().collect();
    let [("w", values)] = &feeds[..] else { panic!("one feed") };
    for (name, value, source) in [
        ("url", "(hidden)", "c.toml:8"),
        ("headers", "(hidden)", "c.toml:11"),
        ("interval", "\"1h\"", "c.toml:9"),
        ("exclude", "[\"x\"]", "c.toml:10"),
        ("private", "false", "default"),
    ] {
        assert_eq!(shown(values.clone(), name), (value.into(), source.into()), "{name}");
    }
}

#[test]
fn limits_below_the_budget_by_their_older_names() {
    let config = Case::new("pipeline.cache_memory = '100KiB'\ndatabase.readers = 2").env(&[
        ("HTTP_POOL_SIZE", "4"),
        ("HTTP_CONNECTIONS_PER_HOST", "1"),
        ("DB_POOL_SIZE", "1"),
        ("CACHE_MAX_SIZE", "500"),
        ("BATCH_TIMEOUT_MS", "0"),
        ("PHASE_2A_MONITORING", "false"),
    ]);
    let config = config.config();
    let expected = Ceilings {
        outbound_total: Some(4),
        outbound_per_origin: Some(1),
        readers_max: Some(1),
        cache_entries_max: Some(500),
        cache_bytes_max: Some(100 << 10),
        batch_wait_ms: Some(0),
    };
    assert_eq!(config.ceilings, expected);
    assert_eq!(
        config.warnings,
        ["PHASE_2A_MONITORING=false has no effect: to count costs nothing"]
    );
    let env = [("PHASE_2A_MAX_MEMORY_MB", "96"), ("CACHE_MEMORY_LIMIT_MB", "2")];
    assert_eq!(Case::new("").env(&env).config().ceilings.cache_bytes_max, Some(2 << 20));
}

#[test]
fn the_environment_s_feed_is_the_only_one() {
    let case = Case::new("[[feeds]]\nname = 'w'\nfile = 'x'").env(&[
        ("CALENDARBOT_ICS_URL", "http://10.0.0.1/c"),
        ("CALENDARBOT_ICS_TIMEOUT", "9"),
        ("CALENDARBOT_ALLOW_PRIVATE_FEEDS", "yes"),
    ]);
    let config = case.config();
    let [feed] = &config.feeds[..] else { panic!("one feed") };
    assert_eq!((feed.name.as_str(), feed.timeout.as_secs()), ("calendar", 9));
    assert!(feed.trusted_origin && feed.allow_private_address);
    assert_eq!(config.warnings, ["CALENDARBOT_ICS_URL is set: the configured feeds are not used"]);
}

#[test]
fn warnings() {
    let case = Case::new("").file(".env", "CALENDARBOT_WEB_PROT=1\nOTHER=1\n").env(&[
        ("CALENDARBOT_ICS_USERNAME", "u"),
        ("CALENDARBOT_RATE_LIMIT_MAX", "1"),
        ("CALENDARBOT_WEB_LAYOUT", "4x8"),
        ("PHASE_2A_CACHING_LEVEL", "1"),
        ("CALENDARBOT_WEB_HOST", "0.0.0.0"),
    ]);
    let folder = case.folder.path().display().to_string();
    assert_eq!(
        case.config().warnings,
        [
            &format!(
                "{folder}/.env:1: CALENDARBOT_WEB_PROT is not known; did you mean CALENDARBOT_WEB_PORT?"
            ),
            "PHASE_2A_CACHING_LEVEL is not known",
            "CALENDARBOT_ICS_… has no effect without CALENDARBOT_ICS_URL",
            "listening on 0.0.0.0 port 8080: whoever reaches it can read the calendars",
        ]
    );
}

#[test]
fn no_message_shows_a_secret() {
    const CANARY: &str = "https://h.example/canary-4711/basic.ics";
    let shows = |case: &Case| {
        let said = match case.load() {
            Ok(config) => format!("{config:?}\n{config:#?}\n{}", config.warnings.join("\n")),
            Err(error) => format!("{error}\n{error:?}"),
        };
        // A stage of the rollout has this name.
        assert!(!said.replace("disabled, canary,", "").contains("canary"), "{said}");
    };
    let names = KEYS.iter().map(|key| key.name);
    for name in names.chain(["feeds", "flags", CANARY]).filter(|name| !name.is_empty()) {
        let name = if name == CANARY { format!("'{name}'") } else { name.into() };
        shows(&Case::new(&format!("{name} = '{CANARY}'")));
        shows(&Case::new(&format!("{name} = ['{CANARY}']")));
        shows(&Case::new(&format!("{name} = {CANARY}")));
    }
    for key in FEED_KEYS {
        let feed = format!("[[feeds]]\nname = 'w'\nurl = 'ftp://canary/'\n{} = ", key.name);
        for value in [
            format!("'{CANARY}'"),
            "\"canary\\u0007\"".into(),
            "{ A = \"canary\\n\" }".into(),
            "canary".into(),
            "'canary\nurl = 5".into(),
        ] {
            if key.is_secret() || value.contains("https") {
                shows(&Case::new(&format!("{feed}{value}\n")));
            }
        }
    }
    let login = "username = 'canary'\npassword = 'canary'\nheaders = { X = 'canary' }\n";
    shows(&Case::new(&format!("[[feeds]]\nname = 'w'\nurl = '{CANARY}'\n{login}")));
    shows(&Case::new(
        "[[feeds]]\nname = 'w'\nurl = 'https://canary:canary@h/'\nbearer_token = 'canary'",
    ));
    for name in KEYS.iter().flat_map(|key| key.env).chain(FEED_KEYS.iter().flat_map(|key| key.env))
    {
        shows(&Case::new("").env(&[(name, CANARY)]));
        shows(&Case::new("").env(&[("CALENDARBOT_ICS_URL", "x"), (name, CANARY)]));
        shows(&Case::new("").file(".env", format!("{name}={CANARY}")));
        shows(&Case::new("").file(".env", format!("{name}='{CANARY}")));
    }
    shows(&Case::new("").file(".env", CANARY));
    for args in [
        "X",
        "--url=X",
        "--url X",
        "--X",
        "--port X",
        "--config X",
        "--web=X",
        "next X",
        "help X",
        "--feed X",
        "next -n X",
    ] {
        shows(&Case::new("").args(&args.replace('X', CANARY)));
    }
}

#[test]
fn no_file_is_too_odd_to_be_answered() {
    const SEED: u64 = 0x5eed_0001;
    let sound = "port = 80\nserver_names = ['a']\n[flags]\nenabled = true\n[[feeds]]\nname = 'é'\n\
                 url = 'https://u:p%20@h/'\nheaders = { A = 'b' }\ninterval = '1h'\n";
    let mut state = SEED;
    let mut random = |below: usize| {
        // Marsaglia's xorshift.
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state % below as u64) as usize
    };
    let mut read = 0;
    for _ in 0..5_000 {
        let mut text: Vec<char> = sound.chars().collect();
        for _ in 0..=random(3) {
            let (at, from) = (random(text.len()), random(text.len()));
            match random(3) {
                0 => text[at] = text[from],
                1 => drop(text.remove(at)),
                _ => text.insert(at, ['[', '"', '.', '=', '\n', '\0', '9', '%'][random(8)]),
            }
        }
        let text: String = text.into_iter().collect();
        let inputs = Inputs { default_budget: 16 << 20, ..Inputs::default() };
        let mut problems = Problems::default();
        let mut draft = Draft::new(&parse(&inputs).unwrap(), &inputs);
        let path = Path::new("c.toml");
        let feeds = Document { path, text: &text, feeds_max: 4, problems: &mut problems }
            .apply(&mut draft, &mut Vec::new());
        draft.feeds(feeds, FeedDraft::new(), &inputs, &mut problems);
        Variables::from_file(path.into(), &text, &mut Problems::default());
        read += usize::from(problems.count() == 0);
    }
    assert!((100..4_900).contains(&read), "seed {SEED:#x}: {read} were right");
}

//! Every error, one a row.

use super::Case;

#[track_caller]
fn check_file(toml: &str, expected: &str) {
    assert_eq!(Case::new(toml).error(), expected, "{toml}");
}

/// The expected text is what is said of the one feed.
#[track_caller]
fn check_feed(toml: &str, expected: &str) {
    let case = Case::new(&format!("[[feeds]]\nname = 'w'\n{toml}"))
        .file("empty", "")
        .file("two", "a\nb\n")
        .file("url", "ftp://h/\n")
        .file("token", "t\n")
        .file("headers", "X-Key: k\nHost: h\n");
    assert_eq!(case.error(), expected, "{toml}");
}

#[track_caller]
fn check_env(env: &[(&str, &str)], expected: &str) {
    assert_eq!(Case::new("").env(env).error(), expected, "{env:?}");
}

#[track_caller]
fn check_args(args: &str, code: u8, expected: &str) {
    let case = Case::new("").args(args);
    assert_eq!(case.error(), expected, "{args}");
    assert_eq!(case.load().map_err(|error| error.exit_code()).err(), Some(code), "{args}");
}

const SPAN: &str = "allowed: a time from 1m to 24h, like 90 (seconds), 5m or 1h";
const SIZE: &str = "allowed: a size from 8 MiB to 1024 MiB, like 16MiB, 24MB or 8388608";
const URL: &str = "allowed: an http, https or webcal URL of at most 4096 bytes";

#[test]
fn errors_of_the_file() {
    let port = "allowed: a whole number, 0 to 65535";
    check_file("port = 65536", &format!("c.toml:1: `port` is 65536; {port}"));
    check_file("\n\nport = -1", &format!("c.toml:3: `port` is -1; {port}"));
    check_file("port = '80'", &format!("c.toml:1: `port` is \"80\"; {port}"));
    check_file("port = 80.0", &format!("c.toml:1: `port` is 80.0; {port}"));
    check_file("port = true", &format!("c.toml:1: `port` is true; {port}"));
    check_file("port = [80]", &format!("c.toml:1: `port` is an array; {port}"));
    check_file("[port]\nx = 1", &format!("c.toml:1: `port` is a table; {port}"));
    check_file("port = 2025-01-01", &format!("c.toml:1: `port` is a date; {port}"));
    let host = "allowed: an IP address or localhost";
    check_file("host = 'pi.local'", &format!("c.toml:1: `host` is \"pi.local\"; {host}"));
    check_file("host = '127.1'", &format!("c.toml:1: `host` is \"127.1\"; {host}"));
    check_file("host = 1", &format!("c.toml:1: `host` is 1; {host}"));
    check_file("memory_budget = '4MiB'", &format!("c.toml:1: `memory_budget` is \"4MiB\"; {SIZE}"));
    check_file("memory_budget = '2GiB'", &format!("c.toml:1: `memory_budget` is \"2GiB\"; {SIZE}"));
    check_file("memory_budget = 'big'", &format!("c.toml:1: `memory_budget` is \"big\"; {SIZE}"));
    check_file(
        "log_level = 'loud'",
        "c.toml:1: `log_level` is \"loud\"; allowed: off, error, warn, info, debug or trace",
    );
    let layouts = "allowed: 4x8, 3x4 or whats-next-view";
    check_env(
        &[("CALENDARBOT_WEB_LAYOUT", "5x5")],
        &format!("CALENDARBOT_WEB_LAYOUT is \"5x5\"; {layouts}"),
    );
    check_args("--layout wall", 78, &format!("--layout is \"wall\"; {layouts}"));
    check_file("refresh_interval = 59", &format!("c.toml:1: `refresh_interval` is 59; {SPAN}"));
    check_file(
        "refresh_interval = '25h'",
        &format!("c.toml:1: `refresh_interval` is \"25h\"; {SPAN}"),
    );
    check_file(
        "refresh_interval = '-5m'",
        &format!("c.toml:1: `refresh_interval` is \"-5m\"; {SPAN}"),
    );
    let zone = "allowed: an IANA time zone, like Europe/Berlin";
    check_file(
        "time_zone = 'Europe/Berln'",
        &format!(
            "c.toml:1: `time_zone` is \"Europe/Berln\"; {zone}; did you mean \"Europe/Berlin\"?"
        ),
    );
    check_file(
        "time_zone = 'W. Europe Standard Time'",
        &format!("c.toml:1: `time_zone` is \"W. Europe Standard Time\"; {zone}"),
    );
    check_file(
        "past_days = 0",
        "c.toml:1: `past_days` is 0; allowed: a whole number of days, 1 to 31",
    );
    check_file(
        "future_days = 401",
        "c.toml:1: `future_days` is 401; allowed: a whole number of days, 7 to 400",
    );
    let path = "allowed: a path, without the ~ that only a shell expands";
    check_file("data_dir = ''", &format!("c.toml:1: `data_dir` is \"\"; {path}"));
    check_file("data_dir = '~/d'", &format!("c.toml:1: `data_dir` is \"~/d\"; {path}"));
    let names = "allowed: at most 16 host names, without port";
    check_file("server_names = 'pi'", &format!("c.toml:1: `server_names` is \"pi\"; {names}"));
    check_file(
        "server_names = ['pi:80']",
        &format!("c.toml:1: `server_names` is an array; {names}"),
    );
    check_file("server_names = [1]", &format!("c.toml:1: `server_names` is an array; {names}"));
    let switch = "allowed: true or false";
    check_file(
        "allow_private_feeds = 'true'",
        &format!("c.toml:1: `allow_private_feeds` is \"true\"; {switch}"),
    );
    check_file("[flags]\nenabled = 1", &format!("c.toml:2: `flags.enabled` is 1; {switch}"));
    check_file("flags = true", "c.toml:1: `flags` is true; allowed: a table");
    check_file("feeds = 1", "c.toml:1: `feeds` is 1; allowed: tables headed [[feeds]]");
    check_file(
        "[feeds]\nname = 'w'",
        "c.toml:1: `feeds` is a table; allowed: tables headed [[feeds]]",
    );
    check_file("feeds = ['w']", "c.toml:1: `feeds` is \"w\"; allowed: tables headed [[feeds]]");
}

/// More than the plan has room for; the earlier program's defaults are among it.
#[test]
fn errors_of_health() {
    let percent = "allowed: a whole number, 1 to 100";
    check_file("[alerts]\n\ncpu_warn = 0", &format!("c.toml:3: `alerts.cpu_warn` is 0; {percent}"));
    check_file(
        "[alerts]\ncpu_wran = 50",
        "c.toml:2: unknown key `alerts.cpu_wran`; did you mean `alerts.cpu_warn`?",
    );
    check_file("alert.cpu_warn = 50", "c.toml:1: unknown key `alert`; did you mean `alerts`?");
    check_file("port = 1\nrollback = true", "c.toml:2: `rollback` is true; allowed: a table");
    check_file(
        "rollback.retry = '2h'",
        "c.toml:1: `rollback.retry` is \"2h\"; allowed: a time from 1s to 1h, like 90 (seconds), \
         5m or 1h",
    );
    check_file(
        "alerts.cpu_warn = 90\nalerts.memory_critical = 75",
        "`alerts.memory_warn` is 75 and `alerts.memory_critical` is 75; the first must be lower\n\
         `alerts.cpu_warn` is 90 and `alerts.cpu_critical` is 80; the first must be lower",
    );
    let health = Case::new("alerts.hold = 5\n[responses]\nenabled = false").config().health;
    assert_eq!((health.alerts.hold.as_secs(), health.responses.enabled), (5, false));
}

#[test]
fn limits_above_the_budget() {
    for (name, value, expected) in [
        ("HTTP_POOL_SIZE", "100", "`outbound.connections` (HTTP_POOL_SIZE) is 100; 8"),
        (
            "HTTP_CONNECTIONS_PER_HOST",
            "30",
            "`outbound.connections_per_host` (HTTP_CONNECTIONS_PER_HOST) is 30; 2",
        ),
        ("DB_POOL_SIZE", "10", "`database.readers` (DB_POOL_SIZE) is 10; 2"),
        ("CACHE_MAX_SIZE", "1001", "`pipeline.cache_entries` (CACHE_MAX_SIZE) is 1001; 1000"),
        (
            "CACHE_MEMORY_LIMIT_MB",
            "20",
            "`pipeline.cache_memory` (CACHE_MEMORY_LIMIT_MB) is 20971520; 349525",
        ),
        ("BATCH_TIMEOUT_MS", "50", "`pipeline.batch_wait_ms` (BATCH_TIMEOUT_MS) is 50; 25"),
    ] {
        let room = "; a memory budget of 16 MiB has room for ";
        check_env(&[(name, value)], &expected.replace("; ", room));
    }
    check_file(
        "database.readers = 5",
        "`database.readers` (DB_POOL_SIZE) is 5; a memory budget of 16 MiB has room for 2",
    );
    let more = [("DB_POOL_SIZE", "4"), ("PHASE_2A_MAX_MEMORY_MB", "32")];
    check_env(&more, "nothing is wrong");
}

#[test]
fn names_that_are_not_known() {
    check_file("prot = 1", "c.toml:1: unknown key `prot`; did you mean `port`?");
    check_file("Port = 1", "c.toml:1: unknown key `Port`; did you mean `port`?");
    check_file("frobnicate = 1", "c.toml:1: unknown key `frobnicate`");
    check_file("'' = 1", "c.toml:1: unknown key ``");
    check_file("feed = 1", "c.toml:1: unknown key `feed`; did you mean `feeds`?");
    check_file("interval = 300", "c.toml:1: unknown key `interval`; it belongs under [[feeds]]");
    check_file("test_time = 1", "c.toml:1: unknown key `test_time`");
    check_file(
        "[flags]\nconection_pooling = true",
        "c.toml:2: unknown key `flags.conection_pooling`; did you mean `flags.connection_pooling`?",
    );
    check_feed(
        "file = 'x'\nport = 1",
        "c.toml:4: unknown key `port`; it belongs above the first [[feeds]]",
    );
    check_feed("file = 'x'\ncolour = 1", "c.toml:4: unknown key `colour`; did you mean `color`?");
}

#[test]
fn files_that_cannot_be_read() {
    check_file(
        "port = ",
        "c.toml:1: is not TOML: string values must be quoted, expected literal string",
    );
    check_file("\nport = 1\nport = 2", "c.toml:3: is not TOML: duplicate key");
    check_file(
        &format!("x = {}", "[".repeat(1000)),
        "c.toml:1: is not TOML: cannot recurse further; max recursion depth met",
    );
    check_file(&format!("{}x = 1", "a.".repeat(1000)), "c.toml:1: is not TOML: recursion limit");
    check_file(&"#".repeat(256 * 1024 + 1), "c.toml: is larger than 256 KiB");
    let case = Case::new("").file("c.toml", b"port = 1\n# \xff");
    assert_eq!(case.error(), "c.toml:2: is not UTF-8");
    check_args("-c /nowhere/c.toml", 78, "--config is /nowhere/c.toml; there is no such file");
    check_args("-c /", 78, "/: cannot be read: Is a directory (os error 21)");
    check_args("-c /dev/zero", 78, "/dev/zero: cannot be read: it is not a regular file");
    check_env(
        &[("CALENDARBOT_CONFIG", "/nowhere/c.toml")],
        "CALENDARBOT_CONFIG is /nowhere/c.toml; there is no such file",
    );
}

#[test]
fn deep_and_wide_files_are_read_to_the_end() {
    // 79 inline tables of 79 dotted names each: as deep as the parser lets anything be.
    let path = ["a"; 79].join(".");
    let deep =
        format!("{}1{}", format!("{path}={{").repeat(78), "}".repeat(78)).replacen("{1", "{", 1);
    check_file(&deep, "c.toml:1: unknown key `a`");
    let wide: String = (0..20_000).map(|n| format!("x{n}=1\n")).collect();
    let error = Case::new(&wide).error();
    assert_eq!(error.lines().count(), 21);
    assert!(error.ends_with("\nand 19980 more"), "{error}");
}

#[test]
fn all_problems_are_told_at_once() {
    let case = Case::new("port = 'x'\n\n[[feeds]]\nname = 'w'\n[[feeds]]\nulr = 5\n")
        .env(&[("CALENDARBOT_WEB_HOST", "x")])
        .args("--log-level x");
    assert_eq!(
        case.error().lines().collect::<Vec<_>>(),
        [
            "c.toml:1: `port` is \"x\"; allowed: a whole number, 0 to 65535",
            "c.toml:6: unknown key `ulr`; did you mean `url`?",
            "CALENDARBOT_WEB_HOST is \"x\"; allowed: an IP address or localhost",
            "--log-level is \"x\"; allowed: off, error, warn, info, debug or trace",
            "c.toml:3: feed `w` has no address: give `url`, `url_file`, `credential` or `file`",
        ]
    );
}

#[test]
fn errors_of_a_feed() {
    check_feed(
        "",
        "c.toml:1: feed `w` has no address: give `url`, `url_file`, `credential` or `file`",
    );
    check_feed(
        "url = 'https://h/'\nurl_file = 'url'",
        "c.toml:1: feed `w` has both `url` and `url_file`; keep one",
    );
    check_feed(
        "file = 'x'\ncredential = 'x'",
        "c.toml:1: feed `w` has both `credential` and `file`; keep one",
    );
    check_feed("url = 1", &format!("c.toml:3: `url` is (hidden); {URL}"));
    let odd = |why: &str| format!("c.toml:1: feed `w` has (hidden) for a URL; {URL}; {why}");
    check_feed("url = 'ftp://h/'", &odd("its scheme is another one"));
    check_feed("url = 'h/x.ics'", &odd("it has no scheme"));
    check_feed("url = 'https:h'", &odd("it has no // after its scheme"));
    check_feed("url = 'file:///x'", &odd("a file of this machine is configured with `file`"));
    check_feed("url = 'https://'", &odd("it cannot be parsed"));
    check_feed(
        "url = 'https://h/ x'",
        &odd("it is too long, or holds a space or a control character"),
    );
    check_feed("url_file = 'url'", &odd("its scheme is another one"));
    let line = "that holds (hidden); allowed: one line, 1 to 4096 bytes without control characters";
    check_feed(
        "url_file = 'empty'",
        &format!("c.toml:1: feed `w` has a `url_file` \"empty\" {line}"),
    );
    check_feed("url_file = 'two'", &format!("c.toml:1: feed `w` has a `url_file` \"two\" {line}"));
    check_feed(
        "url_file = 'none'",
        "c.toml:1: feed `w` cannot read its `url_file` \"none\": No such file or directory (os error 2)",
    );
    check_feed(
        "credential = 'x'",
        "c.toml:1: feed `w` has a `credential`, but $CREDENTIALS_DIRECTORY is not set",
    );
    check_feed(
        "file = 'x'\ncredential = '../x'",
        "c.toml:4: `credential` is \"../x\"; allowed: the name of a file in $CREDENTIALS_DIRECTORY, \
         without /",
    );
    let url = "url = 'https://h/'\n";
    let with = |rest: &str, said: &str| check_feed(&format!("{url}{rest}"), said);
    with("color = 'red'", "c.toml:4: `color` is \"red\"; allowed: a colour like #3366cc");
    with("interval = 1", &format!("c.toml:4: `interval` is 1; {SPAN}"));
    with(
        "timeout = 0",
        "c.toml:4: `timeout` is 0; allowed: a time from 1s to 5m, like 90 (seconds), 5m or 1h",
    );
    with(
        "user_agent = \"a\\nb\"",
        "c.toml:4: `user_agent` is \"a\u{fffd}b\"; allowed: 1 to 256 visible ASCII characters",
    );
    let patterns = "allowed: an array of at most 16 texts of 1 to 64 characters; `^` and `$` \
                    stand for a title's beginning and end, `*` for anything";
    with("exclude = 'x'", &format!("c.toml:4: `exclude` is \"x\"; {patterns}"));
    with("include = ['']", &format!("c.toml:4: `include` is an array; {patterns}"));
    with("include = [1]", &format!("c.toml:4: `include` is an array; {patterns}"));
    let many = format!("exclude = [{}]", "'x',".repeat(17));
    with(&many, &format!("c.toml:4: `exclude` is an array; {patterns}"));
    let long = format!("exclude = ['{}']", "x".repeat(65));
    with(&long, &format!("c.toml:4: `exclude` is an array; {patterns}"));
    let addresses = "allowed: at most 8 addresses, like alice@example.com";
    for wrong in ["'ann'", "'@example.org'", "'mailto:ann@example.org'", "'a b@example.org'"] {
        with(&format!("me = [{wrong}]"), &format!("c.toml:4: `me` is an array; {addresses}"));
    }
    let headers = "c.toml:4: `headers` is (hidden); allowed: a table of at most 16 texts, \
                   X-Name = \"value\", that the HTTP client does not set itself";
    with("headers = { Host = 'x' }", headers);
    with("headers = { Range = 'bytes=0-' }", headers);
    with("headers = { transfer-encoding = 'chunked' }", headers);
    with("headers = { Authorization = 'x' }", headers);
    with("headers = { 'a b' = 'x' }", headers);
    with("headers = { A = \"x\\r\\nB: y\" }", headers);
    with("headers = { A = 1 }", headers);
    with("headers = 'A: x'", headers);
    with(
        "headers_file = 'headers'",
        "c.toml:1: feed `w` has a `headers_file` \"headers\" that holds (hidden); allowed: at most 16 \
         lines, X-Name: value, that the HTTP client does not set itself",
    );
    with(
        "headers_file = 'headers'\nheaders = { A = 'x' }",
        "c.toml:1: feed `w` has both `headers` and `headers_file`; keep one",
    );
    with(
        "auth = 'bearer'\nbearer_token_file = '$CREDENTIALS_DIRECTORY/token'",
        "c.toml:1: feed `w` has a `bearer_token_file` in $CREDENTIALS_DIRECTORY, which is not set",
    );
    let text = "allowed: 1 to 4096 bytes without control characters";
    with("username = 'u'\npassword = ''", &format!("c.toml:5: `password` is (hidden); {text}"));
    with("auth = 'Bearer c4n4ry'", "c.toml:4: `auth` is (hidden); allowed: none, basic or bearer");
    let feed = |rest: &str, said: &str| with(rest, &format!("c.toml:1: feed `w` {said}"));
    feed("exclude = ['^ok', '^$']", "has \"^$\" in its `exclude`; it matches every title");
    feed(
        "include = ['Lunch.*']",
        "has \"Lunch.*\" in its `include`; it looks like a regular expression; in a pattern `*` \
         alone stands for anything, and each alternative is a pattern of its own",
    );
    feed("username = 'u'", "has a `username` and no `password`");
    feed("password = 'p'", "has basic authentication and no `username`");
    feed("auth = 'basic'", "has basic authentication and no `username`");
    feed("auth = 'bearer'", "has `auth` bearer and no `bearer_token`");
    feed("auth = 'bearer'\nusername = 'u'", "has `auth` bearer and a user or password");
    feed("auth = 'basic'\nbearer_token = 't'", "has `auth` basic and a bearer token");
    feed("auth = 'none'\nbearer_token = 't'", "has `auth` none and a login beside it");
    feed(
        "bearer_token = 't'\nbearer_token_file = 'token'",
        "has both `bearer_token` and `bearer_token_file`; keep one",
    );
    feed(
        "username = 'u'\npassword = 'p'\nbearer_token = 't'",
        "has both a password and a bearer token; keep one",
    );
    feed(
        "username = 'u:v'\npassword = 'p'",
        "has a colon in its `username`, which basic authentication cannot send",
    );
    feed("bearer_token = 'é'", "has a bearer token with characters that are not visible ASCII");
    check_feed(
        "url = 'https://u:p@h/'\nbearer_token = 't'",
        "c.toml:1: feed `w` has a user in its URL and a login beside it; keep one",
    );
    check_feed(
        "file = 'x'\nbearer_token = 't'",
        "c.toml:1: feed `w` is a local file, which needs neither login nor `headers`",
    );
    check_file("[[feeds]]\nfile = 'x'", "c.toml:1: this feed has no `name`");
    check_file(
        "[[feeds]]\nname = 'a'\nfile = 'x'\n[[feeds]]\nname = 'a'\nfile = 'y'",
        "c.toml:4: there is another feed `a`",
    );
    let name = "allowed: 1 to 64 characters, none of them a control character";
    check_file("[[feeds]]\nname = ''\nfile = 'x'", &format!("c.toml:2: `name` is \"\"; {name}"));
    let many: String = (0..33).map(|n| format!("[[feeds]]\nname = '{n}'\nfile = 'x'\n")).collect();
    check_file(&many, "c.toml:97: there are 33 feeds; allowed: at most 32");
}

#[test]
fn errors_of_the_environment() {
    check_env(
        &[("CALENDARBOT_WEB_PORT", "http")],
        "CALENDARBOT_WEB_PORT is \"http\"; allowed: a whole number, 0 to 65535",
    );
    check_env(
        &[("CALENDARBOT_WEB_PORT", "80"), ("CALENDARBOT_SERVER_PORT", "81")],
        "CALENDARBOT_WEB_PORT and CALENDARBOT_SERVER_PORT differ; set one",
    );
    check_env(
        &[("CALENDARBOT_REFRESH_INTERVAL_SECONDS", "0")],
        &format!("CALENDARBOT_REFRESH_INTERVAL_SECONDS is \"0\"; {SPAN}"),
    );
    check_env(
        &[("HTTP_POOL_SIZE", "0")],
        "HTTP_POOL_SIZE is \"0\"; allowed: a whole number, 1 to 10000",
    );
    check_env(
        &[("CACHE_MEMORY_LIMIT_MB", "1.5")],
        "CACHE_MEMORY_LIMIT_MB is \"1.5\"; allowed: a whole number, 1 to 10000",
    );
    check_env(
        &[("PHASE_2A_MAX_MEMORY_MB", "4")],
        "PHASE_2A_MAX_MEMORY_MB is \"4\"; allowed: a whole number, 8 to 1024",
    );
    check_env(
        &[("PHASE_2A_MONITORING", "2")],
        "PHASE_2A_MONITORING is \"2\"; allowed: true or false",
    );
    check_env(
        &[("PHASE_2A_ENABLED", "maybe")],
        "PHASE_2A_ENABLED is \"maybe\"; allowed: true or false",
    );
    check_env(
        &[("CALENDARBOT_TEST_TIME", "2025-11-23T08:00:00")],
        "CALENDARBOT_TEST_TIME is \"2025-11-23T08:00:00\"; allowed: a time with its offset, like \
         2025-11-23T08:00:00+01:00",
    );
    check_env(&[("CALENDARBOT_DATA_DIR", "a\u{fffd}")], "CALENDARBOT_DATA_DIR is not UTF-8");
    check_env(
        &[("CALENDARBOT_ICS_URL", "https://h/"), ("CALENDARBOT_ICS_AUTH_TYPE", "digest")],
        "CALENDARBOT_ICS_AUTH_TYPE is (hidden); allowed: none, basic or bearer",
    );
    check_env(
        &[("CALENDARBOT_ICS_URL", "file:///x")],
        &format!(
            "CALENDARBOT_ICS_URL: feed `calendar` has (hidden) for a URL; {URL}; a file of this \
             machine is configured with `file`"
        ),
    );
    check_env(
        &[("HOME", "")],
        "there is no folder for data: give --data-dir, or set CALENDARBOT_DATA_DIR, \
         STATE_DIRECTORY, XDG_DATA_HOME or HOME",
    );
    let dotenv = |line: &str, expected: &str| {
        assert_eq!(Case::new("").file(".env", format!("# one\n{line}\n")).error(), expected);
    };
    dotenv("nonsense", ".env:2: is not of the form NAME=value");
    dotenv("A B=1", ".env:2: is not of the form NAME=value");
    dotenv("A='b", ".env:2: the quotes of A do not match");
    dotenv("A=1\nA=2", ".env:3: A is already set in line 2");
    dotenv(
        "CALENDARBOT_CONFIG=x",
        ".env:2: CALENDARBOT_CONFIG comes too late here: this file was found beside it",
    );
    dotenv(
        "CALENDARBOT_WEB_PORT=x # y",
        ".env:2: CALENDARBOT_WEB_PORT is \"x\"; allowed: a whole number, 0 to 65535",
    );
}

#[test]
fn errors_of_the_command_line() {
    check_args("--prot 80", 2, "unknown option --prot; did you mean --port?");
    check_args("--xyzzy", 2, "unknown option --xyzzy");
    check_args("-x", 2, "unknown option -x");
    check_args("chekc", 2, "unknown command \"chekc\"; did you mean check?");
    check_args("frobnicate", 2, "unknown command \"frobnicate\"; see calendarbot --help");
    check_args("check plan", 2, "unexpected \"plan\" after check");
    check_args("--port", 2, "--port needs a value");
    check_args("--web=yes", 2, "--web takes no value");
    check_args("--version=1", 2, "--version takes no value");
    check_args("--json", 2, "--json belongs to the command next or stats");
    let stray = "--show-private belongs to the command explain or export";
    check_args("next --show-private", 2, stray);
    check_args("export", 2, "export needs the name of a feed: calendarbot export FEED");
    check_args("export work a", 2, "unexpected \"a\" after export");
    check_args("explain", 2, "explain needs the name of a feed: calendarbot explain FEED");
    check_args("explain work a b", 2, "unexpected \"b\" after explain");
    check_args("next --count 0", 2, "--count is \"0\"; allowed: 1 to 100");
    check_args("help prot", 2, "no help on \"prot\"; did you mean port?");
    check_args("--port=x", 78, "--port is \"x\"; allowed: a whole number, 0 to 65535");
    check_args("--host x", 78, "--host is \"x\"; allowed: an IP address or localhost");
    check_args(
        "--allow-private-feeds=perhaps",
        78,
        "--allow-private-feeds is \"perhaps\"; allowed: true or false",
    );
}

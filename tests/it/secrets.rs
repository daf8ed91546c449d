//! A feed's URL, login and header fields open it for whoever knows them: they are written nowhere.

use std::fs;
use std::path::Path;
use std::time::Duration;

use crate::feed_server::{FeedServer, Reply, Script, Step, field, run};
use crate::fetch::tls::Authority;
use crate::process::{self, Process};
use crate::rig::{Rig, configure, configure_in, folder, toml};
use crate::routes::WORK;

/// In every secret, and in no feed.
const CANARY: &str = "canary";

/// A server that answers in every way that may end up in a message.
fn script() -> Script {
    let at = |name: &str| format!("/{CANARY}/{name}?key={CANARY}");
    let moved = format!("/{CANARY}/elsewhere");
    let html = Reply::answer(200, &[], "<html>sign in</html>");
    Script::new()
        .ics(&at("good"), WORK)
        .status(&at("refused"), 401)
        .status(&at("broken"), 500)
        .reply(&at("moved"), Reply::answer(302, &[("Location", &moved)], ""))
        .reply(&at("away"), Reply::answer(302, &[("Location", "http://canary.invalid/")], ""))
        .reply(&at("page"), html)
        .reply(&at("reset"), Reply::new([Step::Reset]))
        .raw(&at("odd"), "HTTP/1.1 200 OK\r\nContent-Length: canary\r\n\r\n")
}

/// A configuration with a feed for each answer, and for what can go wrong before there is one.
fn configuration(server: &FeedServer) -> String {
    let host = server.address();
    let mut text = format!("alexa.bearer_token = \"{CANARY}-alexa\"\n");
    let mut feed = |name: &str, url: &str| {
        text += &format!(
            "[[feeds]]\nname = \"{name}\"\nurl = \"{url}\"\nallow_private_address = true\n\
             headers = {{ X-Key = \"{CANARY}-header\" }}\n"
        );
    };
    for name in ["good", "refused", "broken", "moved", "away", "page", "reset", "odd"] {
        let login = format!("{CANARY}-user:{CANARY}-password@");
        feed(name, &format!("http://{login}{host}/{CANARY}/{name}?key={CANARY}"));
    }
    feed("lost", &format!("https://feeds.invalid/{CANARY}"));
    feed("plain", &format!("https://{host}/{CANARY}"));
    text += &format!("bearer_token = \"{CANARY}-token\"\n");
    text
}

#[test]
fn what_opens_a_feed_is_written_nowhere() {
    run(|executor| async move {
        let server = FeedServer::start(&executor, script());
        let folder = folder();
        let path = folder.path().join("calendarbot.toml");
        fs::write(&path, configuration(&server)).expect("written");
        let path = path.to_str().expect("a name in UTF-8");
        let mut process =
            Process::start(folder.path(), &["-c", path, "--log-level", "trace", "--access-log"]);
        let log = process.collect_log();
        // Every feed has had its answer, but for names that are still looked up.
        process
            .until_it("/stats", |stats| {
                let (_, feeds) = stats.split_once("\"feeds\":{").expect("the section");
                let sum = process::number(feeds, "refreshes") + process::number(feeds, "failed");
                sum >= 8
            })
            .await;
        let mut said = Vec::new();
        for route in [
            "/",
            "/stats",
            "/dashboard",
            "/api/v1/history",
            "/healthz",
            "/readyz",
            "/static/page.js",
        ] {
            said.push((route, process.get(route)));
        }
        for route in ["/api/admin/config", "/api/admin/flags", "/api/admin/rollout"] {
            said.push((route, process.get(route)));
        }
        for route in ["/api/v1/next", "/api/v1/events", "/api/v1/calendars", "/api/health"] {
            said.push((route, process.get(route)));
        }
        let commands = [
            &["check"][..],
            &["config", "show"],
            &["config", "history"],
            &["plan"],
            &["next"],
            &["explain", "good"],
            &["export", "good"],
        ];
        for command in commands {
            let output = process::output(folder.path(), &[command, &["-c", path]].concat());
            assert!(output.status.success(), "{command:?}: {}", process::text(&output.stderr));
            said.push((command[0], process::text(&output.stdout) + &process::text(&output.stderr)));
        }
        let line = format!("/proc/{}/cmdline", process.child.id());
        said.push(("the command line", fs::read_to_string(line).expect("read")));
        files(&folder.path().join("data"), &mut said);
        process.signal("-TERM");
        assert_eq!(process.wait(), Some(0));
        files(&folder.path().join("data"), &mut said);
        let log = log.join().expect("read");
        assert!(log.contains("feed `refused` ("), "{log}");
        said.push(("the log", log));
        for (who, text) in said {
            let place = text.to_lowercase().find(CANARY);
            let around = place.map(|at| text.get(at.saturating_sub(80)..).unwrap_or(&text));
            assert_eq!(
                around.map(|text| text.chars().take(200).collect::<String>()),
                None,
                "{who}"
            );
        }
    });
}

/// The contents of every file, the log of the database included.
fn files(folder: &Path, said: &mut Vec<(&str, String)>) {
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        said.push(("a file", process::text(&fs::read(path).expect("read"))));
    }
}

/// Data that another address brought is shown as "Busy" until the present one has answered: what
/// was private there must not be read here because the settings are new. The same address is its
/// owner's word about this very data, and counts at once.
#[test]
fn data_of_another_address_is_private_until_the_present_one_answers() {
    const BUSY: &str = "Busy";
    const CLEAR: &str = "Stand-up";
    run(|executor| async move {
        // What each configuration says, and what the last one shows before its answer.
        type PathAndPrivate = (&'static str, bool);
        let cases: [(&str, &[PathAndPrivate], &str); 5] = [
            ("private elsewhere", &[("/a", true), ("/b", false)], BUSY),
            ("public elsewhere", &[("/a", false), ("/b", false)], BUSY),
            ("private elsewhere, twice", &[("/a", true), ("/b", true), ("/b", false)], BUSY),
            ("elsewhere and back", &[("/a", false), ("/b", false), ("/a", false)], CLEAR),
            ("no longer private", &[("/a", true), ("/a", false)], CLEAR),
        ];
        for (case, steps, shown) in cases {
            let server = FeedServer::start(&executor, Script::new().ics("/a", WORK));
            let folder = folder();
            let config = |(path, private): PathAndPrivate| {
                let text = toml(&[("a", server.url(path))]) + &format!("private = {private}\n");
                configure(folder.path(), &text)
            };
            let mut rig = Rig::start(&executor, config(steps[0]));
            rig.refreshed(1).await;
            server.set(Script::new().status("/a", 503).status("/b", 503));
            let title = async |rig: &Rig| rig.get("/api/v1/next").await.json("title").to_owned();
            for step in &steps[1..] {
                let generation = rig.feeds.generation();
                rig.reload(config(*step)).await;
                rig.until(|rig| rig.feeds.generation() > generation).await;
            }
            assert_eq!(title(&rig).await, shown, "{case}: after a reload");
            rig.stop().await;
            let last = steps[steps.len() - 1];
            rig = Rig::start(&executor, config(last));
            rig.failed(1).await;
            assert_eq!(title(&rig).await, shown, "{case}: after a start");
            server.set(Script::new().ics(last.0, WORK));
            rig.advance(Duration::from_secs(3600));
            rig.refreshed(1).await;
            assert_ne!(title(&rig).await, BUSY, "{case}: after an answer");
            rig.stop().await;
        }
    });
}

/// Each way to say where a feed is and how to log in ends in what its server gets.
#[test]
fn every_login_reaches_the_server() {
    const BASIC: &str = "Basic bWU6c2VzYW1l"; // me:sesame
    const BEARER: &str = "Bearer sesame";
    run(|executor| async move {
        let authority = Authority::new();
        let script = Script::new().ics("/a", WORK);
        let server = FeedServer::start_tls(&executor, script, authority.server(|_| {}));
        let (folder, credentials) = (folder(), crate::rig::folder());
        let address = server.address();
        let write = |folder: &Path, name: &str, text: &str| {
            fs::write(folder.join(name), text).expect("written");
        };
        write(folder.path(), "ca.pem", &authority.pem());
        write(folder.path(), "url", &format!("webcal://{address}/a\n"));
        write(folder.path(), "password", "sesame\n");
        write(folder.path(), "token", "sesame");
        write(folder.path(), "headers", "X-Key: sesame\r\nX-Other: a:b\r\n");
        write(credentials.path(), "url", &format!("https://me:sesame@{address}/a"));
        write(credentials.path(), "password", "sesame");
        let url = format!("url = 'https://{address}/a'");
        let url_file = "url_file = 'url'";
        let credential = "credential = 'url'";
        let basic = || ("authorization", Some(BASIC.to_owned()));
        let bearer = || ("authorization", Some(BEARER.to_owned()));
        let open = ("authorization", None::<String>);
        for (at, login, expected) in [
            (url.as_str(), "", [open.clone(), ("x-key", None)]),
            (url_file, "", [open.clone(), ("host", Some(address.to_string()))]),
            (credential, "", [basic(), ("x-key", None)]),
            ("url_file = '$CREDENTIALS_DIRECTORY/url'", "", [basic(), ("x-key", None)]),
            (&url, "username = 'me'\npassword = 'sesame'", [basic(), ("x-key", None)]),
            (&url, "username = 'me'\npassword_file = 'password'", [basic(), ("x-key", None)]),
            (
                &url,
                "username = 'me'\npassword_file = '$CREDENTIALS_DIRECTORY/password'",
                [basic(), ("x-key", None)],
            ),
            (&url, "bearer_token = 'sesame'", [bearer(), ("x-key", None)]),
            (&url, "bearer_token_file = 'token'", [bearer(), ("x-key", None)]),
            (
                &url,
                "headers = { X-Key = 'sesame' }",
                [open.clone(), ("x-key", Some("sesame".to_owned()))],
            ),
            (
                &url,
                "headers_file = 'headers'\nuser_agent = 'wall/2'",
                [("x-other", Some("a:b".to_owned())), ("user-agent", Some("wall/2".to_owned()))],
            ),
        ] {
            let text = format!(
                "ca_file = 'ca.pem'\n[[feeds]]\nname = 'a'\nallow_private_address = true\n\
                 interval = '10m'\n{at}\n{login}\n"
            );
            let env = [("CREDENTIALS_DIRECTORY", credentials.path().to_str().expect("UTF-8"))];
            let rig = Rig::start(&executor, configure_in(&env, folder.path(), &text));
            rig.refreshed(1).await;
            let requests = server.requests();
            for (name, value) in expected {
                assert_eq!(field(&requests[0], name), value.as_deref(), "{at} {login}: {name}");
            }
            let now = rig.clock.wall();
            let next_due = |rig: &Rig| rig.feeds.list()[0].status(now).next_due;
            rig.until(|rig| next_due(rig).is_some()).await;
            assert_eq!(next_due(&rig), now.checked_add(Duration::from_secs(600)).ok(), "{login}");
            let said = rig.get("/stats").await.body + &rig.get("/api/v1/calendars").await.body;
            assert!(!said.contains("sesame"), "{said}");
            rig.stop().await;
            server.forget();
        }
    });
}

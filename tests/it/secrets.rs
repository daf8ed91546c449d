//! A feed's URL, login and header fields open it for whoever knows them: they are written nowhere.

use std::fs;
use std::path::Path;

use crate::feed_server::{FeedServer, Reply, Script, Step, run};
use crate::process::{self, Process};
use crate::rig::folder;
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
    let (host, mut text) = (server.address(), String::new());
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
        for route in ["/", "/stats", "/healthz", "/readyz", "/static/page.js"] {
            said.push((route, process.get(route)));
        }
        for route in ["/api/v1/next", "/api/v1/events", "/api/v1/calendars", "/api/health"] {
            said.push((route, process.get(route)));
        }
        let commands =
            [&["check"][..], &["plan"], &["next"], &["explain", "good"], &["export", "good"]];
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

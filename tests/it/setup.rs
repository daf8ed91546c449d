//! The first calendar, and every other one: its link is tried, and then it is configured.

use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::rc::Rc;
use std::time::Duration;

use calendarbot::config::{self, Config, Inputs};
use smol::LocalExecutor;
use tempfile::TempDir;

use crate::feed_server::{FeedServer, Reply, Script, Step, run};
use crate::fetch::tls::Authority;
use crate::full::send;
use crate::rig::{NOW, Response, Rig, configure, configure_in, folder, toml};
use crate::routes::WORK;

/// In every link, and in no answer.
const CANARY: &str = "canary";
const OPEN: &str = "allow_private_feeds = true\ntime_zone = \"Europe/Berlin\"\n";

async fn post(rig: &Rig, path: &str, fields: &str, body: &str) -> Response {
    let length = body.len();
    rig.ask(&format!(
        "POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n\
         Content-Length: {length}\r\n{fields}\r\n{body}"
    ))
    .await
}

fn asked(link: &str, name: &str) -> String {
    format!("{{\"link\": {link:?}, \"name\": {name:?}}}")
}

/// Has a link tried; nothing of it comes back.
async fn tried(rig: &Rig, link: &str) -> Response {
    let answer = post(rig, "/api/v1/setup/try", "", &asked(link, "")).await;
    assert!(!answer.body.contains(CANARY), "{}", answer.body);
    answer
}

fn demo(executor: &Rc<LocalExecutor<'static>>, text: &str) -> (Rig, TempDir) {
    let folder = folder();
    (Rig::start(executor, configure(folder.path(), text)), folder)
}

/// Without any file, in a home that is this folder.
fn homeless(folder: &Path) -> Config {
    let text = folder.to_str().expect("UTF-8").to_owned();
    let env = [("HOME", &*text), ("CALENDARBOT_ALLOW_PRIVATE_FEEDS", "true")];
    let inputs = Inputs {
        args: ["--port", "0"].into_iter().map(Into::into).collect(),
        env: env.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect(),
        default_budget: 16 << 20,
    };
    let arguments = config::parse(&inputs).expect("arguments");
    config::load(&arguments, &inputs).expect("a configuration")
}

#[test]
fn a_link_is_tried_and_nothing_is_kept() {
    run(|executor| async move {
        let broken = WORK.replace("DTSTART;VALUE=DATE:20260106", "X-NOTHING:1");
        let moved = Reply::answer(302, &[("Location", "/canary/work.ics")], "");
        let empty = "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nEND:VCALENDAR\r\n";
        let script = Script::new()
            .ics("/canary/work.ics", WORK)
            .ics("/canary/broken.ics", &broken)
            .ics("/canary/empty.ics", empty)
            .ics(
                "/canary/past.ics",
                &WORK
                    .replace("2026", "2019")
                    .replace("2025", "2018")
                    .replace(";BYDAY=MO,TU,WE,TH,FR", ";COUNT=3"),
            )
            .reply("/canary/moved", moved);
        let server = FeedServer::start(&executor, script);
        let (rig, folder) = demo(&executor, OPEN);
        rig.refreshed(1).await;
        let generation = rig.feeds.generation();
        for (path, message) in [
            ("work.ics", "Found 3 events. Next: Stand-up, Today, 09:00."),
            ("moved", "Found 3 events. Next: Stand-up, Today, 09:00."),
            ("broken.ics", "Found 2 events. Next: Stand-up, Today, 09:00. 1 entry cannot be read."),
            ("empty.ics", "This is a calendar, and nothing is in it yet."),
            ("past.ics", "Found 3 events. None of them lies ahead."),
        ] {
            let answer = tried(&rig, server.url(&format!("/canary/{path}")).as_str()).await;
            assert_eq!((answer.status, answer.json("message")), (200, message), "{}", answer.body);
            let is_broken = path == "broken.ics";
            assert_eq!(answer.body.contains("\"skipped_reasons\":[]"), !is_broken, "{path}");
            assert_eq!(answer.body.contains("off: DTSTART is missing"), is_broken, "{path}");
        }
        assert_eq!((rig.feeds.generation(), rig.feeds.list().len()), (generation, 1));
        assert_eq!(fs::read_to_string(folder.path().join("calendarbot.toml")).expect("read"), OPEN);
        assert!(!rig.get("/stats").await.body.contains(CANARY));
        assert!(!rig.get("/metrics").await.body.contains(CANARY));
    });
}

#[test]
fn what_is_wrong_with_a_link_is_said_in_plain_words() {
    run(|executor| async move {
        let html = Reply::answer(200, &[], "<!DOCTYPE html><title>sign in</title>");
        let script = Script::new()
            .status("/canary/401", 401)
            .status("/canary/403", 403)
            .status("/canary/404", 404)
            .status("/canary/410", 410)
            .status("/canary/429", 429)
            .status("/canary/500", 500)
            .reply("/canary/html", html)
            .reply("/canary/nothing", Reply::answer(200, &[], ""))
            .reply("/canary/text", Reply::answer(200, &[], "hello"))
            .raw("/canary/large", "HTTP/1.1 200 OK\r\nContent-Length: 999999999\r\n\r\nBEGIN:")
            .reply("/canary/cut", Reply::answer(200, &[], "BEGIN:VCALENDAR\r\n"))
            .reply("/canary/reset", Reply::new([Step::Reset]));
        let server = FeedServer::start(&executor, script);
        let stranger = Authority::new().server(|_| {});
        let stranger = FeedServer::start_tls(&executor, Script::new(), stranger);
        let folder = folder();
        let config = configure(folder.path(), OPEN);
        let unknown = |_: &str| Err(io::ErrorKind::NotFound.into());
        let rig = Rig::start_changed(&executor, config, NOW, |app| app.with_lookup(unknown));
        for (path, words) in [
            ("401", "does not let anybody in"),
            ("403", "does not let anybody in"),
            ("404", "nothing at this link"),
            ("410", "nothing at this link"),
            ("429", "asked too often"),
            ("500", "out of order"),
            ("html", "a web page"),
            ("nothing", "sends nothing"),
            ("text", "no calendar: no BEGIN:VCALENDAR"),
            ("large", "feed_bytes_max"),
            ("cut", "cut off"),
            ("reset", "does not answer"),
        ] {
            let answer = tried(&rig, server.url(&format!("/canary/{path}")).as_str()).await;
            assert_eq!(answer.status, 422, "{path}: {}", answer.body);
            assert_eq!(answer.field("content-type"), Some("application/problem+json"));
            assert!(answer.json("detail").contains(words), "{path}: {}", answer.body);
        }
        for (link, words) in [
            (stranger.url("/canary").to_string(), "no secure connection"),
            ("https://feeds.invalid/canary".to_owned(), "is not found"),
            ("http://127.0.0.1:1/canary".to_owned(), "does not answer"),
            ("calendar.example/canary".to_owned(), "begins with https://"),
            ("file:///canary".to_owned(), "begins with https://"),
            ("javascript:canary".to_owned(), "begins with https://"),
            (format!("https://h/{}", "canary".repeat(700)), "too long"),
            (String::new(), "begins with https://"),
        ] {
            let answer = tried(&rig, &link).await;
            assert_eq!(answer.status, 422, "{link}: {}", answer.body);
            assert!(answer.json("detail").contains(words), "{link}: {}", answer.body);
        }
        for body in ["", "[]", "{}", "{\"link\": 1}", "{\"link\": \"canary\",}"] {
            let answer = post(&rig, "/api/v1/setup/try", "", body).await;
            assert_eq!(answer.status, 400, "{body}");
            assert!(!answer.body.contains(CANARY), "{body}");
        }
    });
}

#[test]
fn a_private_network_is_not_asked_for_what_anybody_types_in() {
    run(|executor| async move {
        let server = FeedServer::start(&executor, Script::new().ics("/canary.ics", WORK));
        let (rig, _folder) = demo(&executor, "");
        let answer = tried(&rig, server.url("/canary.ics").as_str()).await;
        assert_eq!(answer.status, 422, "{}", answer.body);
        assert!(answer.json("detail").contains("a private network"), "{}", answer.body);
        assert_eq!(server.requests().len(), 0);
    });
}

#[test]
fn one_link_is_tried_at_a_time_until_it_is_late_or_its_client_goes() {
    run(|executor| async move {
        let script = Script::new()
            .reply("/canary/slow", Reply::new([Step::Stall]))
            .ics("/canary/work.ics", WORK);
        let server = FeedServer::start(&executor, script);
        let (rig, _folder) = demo(&executor, OPEN);
        rig.refreshed(1).await;
        let body = asked(server.url("/canary/slow").as_str(), "");
        let request = format!(
            "POST /api/v1/setup/try HTTP/1.1\r\nHost: localhost\r\n\
             Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        );
        let work = server.url("/canary/work.ics");
        let mut first = rig.connect().await;
        first.send(request.as_bytes()).await;
        server.seen(1).await;
        let second = tried(&rig, work.as_str()).await;
        assert_eq!((second.status, second.field("retry-after")), (503, Some("5")));
        // Its end alone says that it has gone.
        first.finish();
        assert!(first.response().await.is_none());
        assert_eq!(
            tried(&rig, work.as_str()).await.status,
            200,
            "{}",
            rig.metrics.http_requests.get()
        );
        let mut third = rig.connect().await;
        third.send(request.as_bytes()).await;
        server.seen(3).await;
        rig.advance(Duration::from_secs(10));
        let late = third.response().await.expect("an answer");
        assert!(late.json("detail").contains("too slow"), "{}", late.body);
        assert_eq!(tried(&rig, work.as_str()).await.status, 200);
        // The next one waits for a refresh that does not end.
        rig.stop().await;
    });
}

#[test]
fn a_calendar_is_added_and_taken_over() {
    run(|executor| async move {
        let server = FeedServer::start(&executor, Script::new().ics("/canary.ics", WORK));
        let before = format!("# mine\n{OPEN}port = 0 # any\n");
        let (rig, folder) = demo(&executor, &before);
        rig.refreshed(1).await;
        assert!(rig.get("/").await.body.contains("<a href=\"setup\">Add yours</a>"));
        let link = server.url("/canary.ics");
        for (name, words) in
            [("", "needs a name"), (&"x".repeat(65), "allowed"), ("a\nb", "allowed")]
        {
            let answer = post(&rig, "/api/v1/setup", "", &asked(link.as_str(), name)).await;
            assert_eq!(answer.status, 422, "{}", answer.body);
            assert!(answer.body.contains(words), "{}", answer.body);
        }
        let path = folder.path().join("calendarbot.toml");
        assert_eq!(fs::read_to_string(&path).expect("read"), before);
        let added = post(&rig, "/api/v1/setup", "", &asked(link.as_str(), "work")).await;
        assert_eq!((added.status, added.json("name")), (201, "work"), "{}", added.body);
        assert!(added.body.contains("\"at_next_start\":[]"), "{}", added.body);
        assert!(!added.body.contains(CANARY), "{}", added.body);
        let text = fs::read_to_string(&path).expect("read");
        let entry = format!("[[feeds]]\nname = \"work\"\nurl = \"{link}\"\n");
        assert!(text.starts_with(&before) && text.ends_with(&entry), "{text}");
        rig.refreshed(2).await;
        assert_eq!(rig.get("/api/v1/next").await.json("title"), "Stand-up");
        assert!(rig.get("/").await.body.contains("Stand-up"));
        assert!(rig.get("/api/v1/setup").await.body.contains("\"calendars\":[\"work\"]"));
        let again = post(&rig, "/api/v1/setup", "", &asked(link.as_str(), "work")).await;
        assert!(again.body.contains("another feed `work`"), "{}", again.body);
        assert_eq!(fs::read_to_string(&path).expect("read"), text);
        let kept = fs::read_to_string(folder.path().join("configurations/000001.toml"));
        assert!(kept.expect("kept").ends_with(&before));
    });
}

#[test]
fn without_a_file_one_is_made_where_it_is_found() {
    run(|executor| async move {
        let server = FeedServer::start(&executor, Script::new().ics("/canary.ics", WORK));
        let folder = folder();
        let rig = Rig::start(&executor, homeless(folder.path()));
        rig.refreshed(1).await;
        assert!(rig.get("/api/v1/setup").await.body.starts_with("{\"file\":null,"));
        for name in ["work", "home"] {
            let link = server.url("/canary.ics");
            let added = post(&rig, "/api/v1/setup", "", &asked(link.as_str(), name)).await;
            assert_eq!(added.status, 201, "{}", added.body);
        }
        rig.stop().await;
        let path = folder.path().join(".config/calendarbot/calendarbot.toml");
        let mode = |path: &Path| fs::metadata(path).expect("there").permissions().mode() & 0o777;
        assert_eq!((mode(&path), mode(path.parent().expect("a folder"))), (0o600, 0o700));
        let names: Vec<_> =
            homeless(folder.path()).feeds.into_iter().map(|feed| feed.name).collect();
        assert_eq!(names, ["work", "home"]);
    });
}

#[test]
fn a_calendar_that_cannot_be_added_changes_nothing() {
    run(|executor| async move {
        let server = FeedServer::start(&executor, Script::new().ics("/canary.ics", WORK));
        let link = server.url("/canary.ics");
        let body = asked(link.as_str(), "work");
        let refused = async |rig: &Rig, status, words: &str| {
            let answer = post(rig, "/api/v1/setup", "", &body).await;
            assert_eq!(answer.status, status, "{}", answer.body);
            assert!(answer.body.contains(words), "{words}: {}", answer.body);
            assert!(!answer.body.contains(CANARY), "{}", answer.body);
        };
        let in_environment = folder();
        let env = [("CALENDARBOT_ICS_URL", link.as_str())];
        let config = configure_in(&env, in_environment.path(), "");
        let rig = Rig::start(&executor, config);
        refused(&rig, 422, "CALENDARBOT_ICS_URL is set").await;
        let (rig, _folder) = demo(&executor, "feeds = []\n");
        refused(&rig, 422, "is not TOML").await;
        let (rig, folder) = demo(&executor, "");
        fs::create_dir(folder.path().join("calendarbot.toml.new")).expect("made");
        refused(&rig, 500, "nothing was changed: ").await;
        assert_eq!(rig.feeds.list()[0].name, "Demo");
        let full: Vec<_> = (0..32).map(|at| (format!("c{at}"), link.clone())).collect();
        let full: Vec<_> = full.iter().map(|(name, url)| (&**name, url.clone())).collect();
        let (rig, _folder) = demo(&executor, &toml(&full));
        refused(&rig, 422, "33 feeds; allowed: at most 32").await;
    });
}

#[test]
fn calendars_are_added_as_long_as_the_budget_holds_them() {
    run(|executor| async move {
        let server = FeedServer::start(&executor, Script::new().ics("/canary.ics", WORK));
        let link = server.url("/canary.ics");
        let small = "memory_budget = \"8MiB\"\n".to_owned() + &toml(&[("a", link.clone())]);
        let (rig, folder) = demo(&executor, &small);
        for at in 0..30 {
            let path = folder.path().join("calendarbot.toml");
            let before = fs::read_to_string(&path).expect("read");
            let body = asked(link.as_str(), &format!("c{at}"));
            let answer = post(&rig, "/api/v1/setup", "", &body).await;
            if answer.status != 201 {
                let words = "the memory budget of 8 MiB cannot hold this configuration";
                assert_eq!((answer.status, answer.body.contains(words)), (422, true));
                assert_eq!(fs::read_to_string(&path).expect("read"), before);
                assert!(at > 0, "another one fits");
                return;
            }
            let stats = rig.get("/stats").await.body;
            let share = format!("\"name\":\"feeds\",\"share_bytes\":{},", (at + 2) * 8128);
            assert!(stats.contains(&share), "{stats}");
        }
        panic!("the budget holds everything");
    });
}

#[test]
fn only_its_owner_sets_it_up() {
    run(|executor| async move {
        let folder = folder();
        fs::write(folder.path().join("token"), "sesame\n").expect("written");
        let text = "[admin]\ntoken_file = \"token\"\n";
        let rig = Rig::start_at(&executor, configure(folder.path(), text), NOW);
        rig.refreshed(1).await;
        let elsewhere = "X-Forwarded-For: 203.0.113.7\r\n";
        let link = asked("https://h/a.ics", "work");
        for path in ["/api/v1/setup", "/api/v1/setup/try"] {
            assert_eq!(post(&rig, path, elsewhere, &link).await.status, 401, "{path}");
            let foreign = post(&rig, path, "Origin: http://evil.example\r\n", &link).await;
            assert_eq!(foreign.status, 403, "{path}");
            let own = format!("{elsewhere}Authorization: Bearer sesame\r\n");
            assert_eq!(post(&rig, path, &own, "{}").await.status, 400, "{path}");
        }
        let get = format!("GET /api/v1/setup HTTP/1.1\r\nHost: localhost\r\n{elsewhere}\r\n");
        assert_eq!(rig.ask(&get).await.status, 401);
        let page = rig.ask(&get.replace("/api/v1/setup", "/setup")).await;
        assert_eq!(page.status, 200, "it says how to be let in");
        assert!(page.body.contains("settings_from_lan"));
    });
}

/// The pages that are not about some days are in the wall's language and colours, too.
#[test]
fn pages_to_set_something_up_are_of_the_same_house() {
    run(|executor| async move {
        let folder = folder();
        let text = "[display]\ntheme = \"eink\"\nlanguage = \"de\"\n";
        let rig = Rig::start_at(&executor, configure(folder.path(), text), NOW);
        rig.refreshed(1).await;
        for (path, language) in [("/setup", "de"), ("/settings", "de"), ("/dashboard", "en")] {
            let page = rig.get(path).await;
            let tag = format!("<html lang=\"{language}\" data-theme=\"eink\"");
            assert!(page.body.starts_with(&format!("<!DOCTYPE html>\n{tag}")), "{}", page.body);
            assert!(page.body.contains("href=\"static/eink.css\""), "{}", page.body);
            assert!(!page.body.contains("{{"), "{}", page.body);
        }
        assert_eq!(rig.get("/static/eink.css").await.status, 200);
        assert!(rig.get("/settings").await.body.contains("<h1>Einstellungen</h1>"));
        let dark = r#"{"color_theme":"dark"}"#;
        assert_eq!(send(&rig, "PUT /api/settings/display", dark).await.status, 200);
        for path in ["/setup", "/settings", "/dashboard"] {
            let page = rig.get(path).await.body;
            assert!(page.contains(" data-theme=\"dark\"") && page.contains("static/dark.css"));
        }
    });
}

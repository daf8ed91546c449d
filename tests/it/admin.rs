//! What an operator sees and turns while the program runs, and who is one.

use std::fs;
use std::rc::Rc;
use std::time::Duration;

use smol::LocalExecutor;
use tempfile::TempDir;

use crate::feed_server::{FeedServer, Script, run};
use crate::rig::{Response, Rig, configure, configure_alone, folder, toml};
use crate::routes::WORK;

const JSON: &str = "application/json";
/// Of a proxy, so that who asks is from elsewhere.
const ELSEWHERE: &str = "X-Forwarded-For: 203.0.113.7\r\n";

async fn send(rig: &Rig, line: &str, fields: &str, media_type: &str, body: &str) -> Response {
    let length = body.len();
    rig.ask(&format!(
        "{line} HTTP/1.1\r\nHost: localhost\r\nContent-Type: {media_type}\r\n\
         Content-Length: {length}\r\n{fields}\r\n{body}"
    ))
    .await
}

pub(crate) async fn post(rig: &Rig, path: &str, body: &str) -> Response {
    send(rig, &format!("POST /api/admin/{path}"), "", JSON, body).await
}

/// A program that has read its only feed.
async fn fed(
    executor: &Rc<LocalExecutor<'static>>,
    further: &str,
) -> (Rig, FeedServer, TempDir, String) {
    let server = FeedServer::start(executor, Script::new().ics("/a.ics", WORK));
    let folder = folder();
    let text = further.to_owned() + &toml(&[("a", server.url("/a.ics"))]);
    let rig = Rig::start(executor, configure(folder.path(), &text));
    rig.refreshed(1).await;
    (rig, server, folder, text)
}

#[test]
fn whoever_is_elsewhere_shows_the_token() {
    run(|executor| async move {
        let folder = folder();
        fs::write(folder.path().join("token"), "sesame\n").expect("written");
        let get = |fields: &str| {
            format!("GET /api/admin/flags HTTP/1.1\r\nHost: localhost\r\n{fields}\r\n")
        };
        let rig = Rig::start(&executor, configure(folder.path(), ""));
        assert_eq!(rig.get("/api/admin/flags").await.status, 200);
        let token = "Authorization: Bearer sesame\r\n";
        assert_eq!(rig.ask(&get(&format!("{ELSEWHERE}{token}"))).await.status, 403);
        let text = "[admin]\ntoken_file = \"token\"\n";
        let generation = rig.feeds.settings_generation();
        rig.reload(configure(folder.path(), text)).await;
        rig.until(|rig| rig.feeds.settings_generation() > generation).await;
        for (fields, status) in [
            ("", 200),
            (ELSEWHERE, 401),
            (&format!("{ELSEWHERE}{token}"), 200),
            ("Forwarded: for=192.0.2.1\r\n", 401),
            ("Via: 1.1 proxy\r\n", 401),
        ] {
            let answer = rig.ask(&get(fields)).await;
            assert_eq!(answer.status, status, "{fields}");
            let asks = answer.field("www-authenticate") == Some("Bearer");
            assert_eq!(asks, status == 401, "{fields}");
        }
        for _ in 0..5 {
            let wrong = format!("{ELSEWHERE}Authorization: Bearer guess\r\n");
            assert_eq!(rig.ask(&get(&wrong)).await.status, 401);
        }
        let right = get(&format!("{ELSEWHERE}{token}"));
        let locked = rig.ask(&right).await;
        assert_eq!((locked.status, locked.field("retry-after")), (429, Some("61")));
        assert_eq!(rig.get("/api/admin/flags").await.status, 200, "not from here");
        rig.advance(Duration::from_secs(60));
        assert_eq!(rig.ask(&right).await.status, 200);
        // Its body is not even read.
        let head = format!(
            "PUT /api/admin/config HTTP/1.1\r\nHost: localhost\r\nContent-Type: {JSON}\r\n\
             Content-Length: 60000\r\n{ELSEWHERE}\r\n"
        );
        assert_eq!(rig.ask(&head).await.status, 401);
        rig.stop().await;
    });
}

/// A proxy that does not say that it is one would make operators of all its clients.
#[test]
fn a_trusted_proxy_on_this_machine_is_no_operator() {
    run(|executor| async move {
        let folder = folder();
        let proxy = "trusted_proxies = [\"127.0.0.1\"]";
        let rig = Rig::start(&executor, configure(folder.path(), proxy));
        assert_eq!(rig.get("/api/admin/flags").await.status, 403);
        assert_eq!(rig.get("/stats").await.status, 200);
        rig.stop().await;
    });
}

#[test]
fn a_page_of_another_site_changes_nothing() {
    run(|executor| async move {
        let folder = folder();
        let rig = Rig::start(&executor, configure(folder.path(), ""));
        for (path, fields, media_type, status) in [
            ("POST /api/admin/flags", "Origin: http://evil.example\r\n", JSON, 403),
            ("POST /api/admin/emergency-disable", "Sec-Fetch-Site: cross-site\r\n", JSON, 403),
            ("POST /api/admin/emergency-disable", "", "text/plain", 415),
            ("PUT /api/admin/config", "", "text/plain", 415),
            ("POST /api/admin/flags", "", "application/toml", 415),
            ("GET /api/admin/emergency-disable", "", JSON, 405),
        ] {
            let answer = send(&rig, path, fields, media_type, "{}").await;
            assert_eq!(answer.status, status, "{path} {fields}");
        }
        assert!(rig.get("/api/admin/flags").await.body.contains("\"on\":true"));
        assert!(!rig.get("/api/admin/flags").await.body.contains("\"on\":false"));
    });
}

#[test]
fn flags_are_turned_explained_and_given_back() {
    run(|executor| async move {
        let (rig, _server, _folder, _) = fed(&executor, "").await;
        let flag = async |name: &str| {
            let body = rig.get("/api/admin/phase2a/flags").await.body;
            let (_, rest) = body.split_once(&format!("\"name\":\"{name}\",")).expect("the flag");
            rest.split('}').next().unwrap_or_default().to_owned()
        };
        assert!(
            flag("caching").await.starts_with("\"on\":true,\"effective\":true,\"by\":\"default\"")
        );
        let body = "{\"name\":\"caching\",\"on\":false,\"why\":\"a <test>\"}";
        let answer = post(&rig, "flags", body).await;
        assert_eq!(answer.status, 200, "{}", answer.body);
        let now = "\"on\":false,\"effective\":false,\"by\":\"api\",\"why\":\"a \\u003ctest>\",\
                   \"since\":\"2026-01-05T07:45:00Z\"";
        assert_eq!(flag("caching").await, now);
        assert!(flag("warming").await.starts_with("\"on\":true,\"effective\":false"));
        rig.get("/api/v1/next").await;
        rig.get("/api/v1/next").await;
        assert_eq!(rig.metrics.cache_entries.get(), 0);
        assert_eq!(post(&rig, "flags", "{\"name\":\"caching\",\"clear\":true}").await.status, 200);
        assert!(flag("caching").await.starts_with("\"on\":true"));
        assert_eq!(post(&rig, "emergency-disable", "").await.status, 400);
        let off = post(&rig, "emergency-disable", "{}").await;
        assert_eq!((off.status, off.body.matches("\"on\":false").count()), (200, 6));
        let next = rig.get("/api/v1/next").await;
        assert_eq!(next.status, 200, "{}", next.body);
        let on = post(&rig, "flags", "{\"clear\":true}").await;
        assert_eq!(on.body.matches("\"effective\":true").count(), 6);
        for (body, detail) in [
            ("", "expected {"),
            ("[]", "expected {"),
            ("{}", "expected {"),
            ("{\"name\":\"caching\"}", "expected {"),
            ("{\"name\":\"caching\",\"on\":\"yes\"}", "expected {"),
            ("{\"name\":\"caching\",\"on\":true,\"clear\":true}", "expected {"),
            ("{\"name\":\"cashing\",\"on\":true}", "`name`: expected one of connection_pooling"),
        ] {
            let answer = post(&rig, "flags", body).await;
            assert_eq!(answer.status, 400, "{body}");
            assert!(answer.json("detail").starts_with(detail), "{body}: {}", answer.body);
        }
    });
}

#[test]
fn a_configuration_is_written_and_taken_over_or_neither() {
    run(|executor| async move {
        let (rig, server, folder, old) = fed(&executor, "").await;
        let path = folder.path().join("calendarbot.toml");
        let file = || fs::read_to_string(&path).expect("read");
        let tokyo = toml(&[("a", server.url("/a.ics"))]).replace("Europe/Berlin", "Asia/Tokyo");
        for (media_type, body, status, line, detail) in [
            ("application/toml", format!("{tokyo}prot = 80\n"), 422, "6", "unknown key `prot`"),
            ("application/toml", "port = 'x'".to_owned(), 422, "1", "`port` is"),
            (JSON, "{\"toml\": \"a = \"}".to_owned(), 422, "1", "is not TOML"),
            (JSON, "{\"tmol\": \"\"}".to_owned(), 400, "", ""),
            (JSON, "{\"toml\": \"\"".to_owned(), 400, "", ""),
        ] {
            for line_and_path in ["PUT /api/admin/config", "POST /api/admin/validate"] {
                let answer = send(&rig, line_and_path, "", media_type, &body).await;
                let is_judged = line_and_path.starts_with("POST") && status == 422;
                assert_eq!(answer.status, if is_judged { 200 } else { status }, "{body}");
                if status == 422 {
                    assert_eq!(answer.json("line"), line, "{}", answer.body);
                    assert!(answer.body.contains(&format!("\"detail\":\"{detail}")), "{body}");
                }
            }
            assert_eq!(file(), old);
        }
        let zone = async || rig.get("/api/v1/next").await.json("zone").to_owned();
        assert_eq!(zone().await, "Europe/Berlin");
        let valid = send(&rig, "POST /api/admin/validate", "", "application/toml", &tokyo).await;
        assert_eq!((valid.status, valid.json("valid")), (200, "true"));
        assert_eq!((file(), zone().await.as_str()), (old.clone(), "Europe/Berlin"));

        let empty = send(&rig, "PUT /api/admin/config", "", "application/toml", " \n").await;
        assert_eq!((empty.status, file()), (400, old.clone()));

        let more = format!("past_days = 2\n{tokyo}");
        let later = "\"at_next_start\":[\"past_days\"]";
        for time in ["once", "again"] {
            let put = send(&rig, "PUT /api/admin/config", "", "application/toml", &more).await;
            assert_eq!((put.status, put.json("status")), (200, "applied"), "{}", put.body);
            assert!(put.body.contains(later), "{time}: {}", put.body);
        }
        assert_eq!((file(), zone().await.as_str()), (more, "Asia/Tokyo"));
        let shown = rig.get("/api/admin/config").await.body;
        let value = "{\"name\":\"time_zone\",\"value\":\"\\\"Asia/Tokyo\\\"\",\"source\":\"";
        assert!(shown.contains(value) && shown.contains(later), "{shown}");
        assert!(shown.contains("{\"name\":\"url\",\"value\":\"(hidden)\""), "{shown}");
        assert!(!shown.contains("a.ics"), "{shown}");
        let body = format!("{{\"toml\": {old:?}}}");
        let back = send(&rig, "PUT /api/admin/phase2a/config", "", JSON, &body).await;
        assert_eq!(back.status, 200, "{}", back.body);
        assert!(back.body.contains("\"at_next_start\":[]"), "{}", back.body);
        assert_eq!((file(), zone().await.as_str()), (old, "Europe/Berlin"));
    });
}

#[test]
fn a_configuration_that_cannot_be_written_is_not_taken_over() {
    run(|executor| async move {
        let (rig, _server, folder, text) = fed(&executor, "").await;
        let path = folder.path().join("calendarbot.toml");
        // In the place of what is written first.
        fs::create_dir(folder.path().join("calendarbot.toml.new")).expect("made");
        let tokyo = text.replace("Europe/Berlin", "Asia/Tokyo");
        let put = send(&rig, "PUT /api/admin/config", "", "application/toml", &tokyo).await;
        assert_eq!(put.status, 500, "{}", put.body);
        assert!(put.json("detail").starts_with("nothing was changed: "), "{}", put.body);
        assert_eq!(rig.get("/api/v1/next").await.json("zone"), "Europe/Berlin");
        assert_eq!(fs::read_to_string(&path).expect("read"), text);
    });
}

#[test]
fn some_clients_have_the_pipeline_and_all_get_the_same() {
    run(|executor| async move {
        let (rig, _server, _folder, _) = fed(&executor, "flags.rollout = 'majority'\n").await;
        assert_eq!(rig.get("/api/admin/rollout").await.json("stage"), "majority");
        assert_eq!(rig.get("/api/admin/rollout").await.json("by"), "file");
        let ask = async |agent: usize| {
            let fields = format!("Host: localhost\r\nUser-Agent: display/{agent}\r\n");
            rig.ask(&format!("GET /api/v1/next HTTP/1.1\r\n{fields}\r\n")).await.body
        };
        let [with, without] =
            [&rig.metrics.seconds_with_pipeline, &rig.metrics.seconds_without_pipeline];
        let first = ask(0).await;
        for agent in (1..100).chain(1..100) {
            assert_eq!(ask(agent).await, first, "{agent}");
        }
        let (many, few) = (with.count(), without.count());
        assert_eq!(many + few, 199);
        assert!((30..=70).contains(&few), "{few} of 199 without");
        for (body, percent, stage) in [
            ("{\"percent\":0}", "0", "disabled"),
            ("{\"stage\":\"canary\"}", "5", "canary"),
            ("{\"percent\":30,\"why\":\"x\"}", "30", "null"),
            ("{\"clear\":true}", "75", "majority"),
            ("{\"stage\":\"full\"}", "100", "full"),
        ] {
            let answer = post(&rig, "rollout", body).await;
            assert_eq!((answer.json("percent"), answer.json("stage")), (percent, stage), "{body}");
        }
        for body in ["", "{}", "{\"percent\":101}", "{\"stage\":\"all\"}", "{\"percent\":-1}"] {
            assert_eq!(post(&rig, "rollout", body).await.status, 400, "{body}");
        }
        ask(1).await;
        assert_eq!((with.count(), without.count()), (many, few), "nothing to compare");
        post(&rig, "rollout", "{\"stage\":\"disabled\"}").await;
        let shown = rig.get("/api/admin/rollout").await.body;
        assert!(shown.contains("\"stage\":\"disabled\",\"by\":\"api\""), "{shown}");
        let stats = rig.get("/stats").await.body;
        assert!(stats.contains(&format!(",\"rollout\":{shown},")), "{stats}");
        assert!(stats.contains("\"name\":\"caching\",\"on\":true,\"effective\":true"), "{stats}");
        let gauge = "\ncalendarbot_pipeline_rollout_percent 0\n";
        assert!(rig.get("/metrics").await.body.contains(gauge));
        let hits = rig.metrics.cache_hits.get();
        assert_eq!(ask(1).await, first);
        assert_eq!(rig.metrics.cache_hits.get(), hits);
    });
}

/// Whoever writes it may be far away, and the next start is.
#[test]
fn a_configuration_that_no_start_can_use_is_not_written() {
    run(|executor| async move {
        let (rig, _server, folder, old) = fed(&executor, "").await;
        let path = folder.path().join("calendarbot.toml");
        let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("bound");
        let port = taken.local_addr().expect("an address").port();
        fs::write(folder.path().join("file"), "").expect("written");
        // Options go first: these tell of the port and the folder, and of nothing else.
        for (line, words) in [
            ("host = \"192.0.2.1\"".to_owned(), ":1: `host` cannot be listened on"),
            ("unix_socket = \"file/socket\"".to_owned(), ":1: `unix_socket` cannot be made"),
        ] {
            let text = format!("{line}\n{old}");
            let put = send(&rig, "PUT /api/admin/config", "", "application/toml", &text).await;
            assert_eq!(put.status, 422, "{line}: {}", put.body);
            assert!(put.body.contains(words), "{line}: {}", put.body);
            let valid = send(&rig, "POST /api/admin/validate", "", "application/toml", &text).await;
            assert_eq!(valid.json("valid"), "false", "{}", valid.body);
            assert_eq!(fs::read_to_string(&path).expect("read"), old);
        }
        drop(rig);
        let bare = configure_alone(folder.path(), &old);
        let rig = Rig::start(&executor, bare);
        for (line, words) in [
            (format!("port = {port}"), ":1: `port` cannot be listened on"),
            ("data_dir = \"file\"".to_owned(), ":1: `data_dir` cannot be used"),
            ("data_dir = \"file/data\"".to_owned(), ":1: `data_dir` cannot be used"),
        ] {
            let text = format!("{line}\n{old}");
            let put = send(&rig, "PUT /api/admin/config", "", "application/toml", &text).await;
            assert_eq!(put.status, 422, "{line}: {}", put.body);
            assert!(put.body.contains(words), "{line}: {}", put.body);
        }
        let text = format!("data_dir = \"new/data\"\nport = 0\n{old}");
        let put = send(&rig, "PUT /api/admin/config", "", "application/toml", &text).await;
        assert_eq!(put.status, 200, "{}", put.body);
        assert!(put.body.contains("\"at_next_start\":[\"data_dir\"]"), "{}", put.body);
    });
}

#[test]
fn an_operator_is_told_that_their_token_goes() {
    run(|executor| async move {
        let folder = folder();
        fs::write(folder.path().join("token"), "sesame\n").expect("written");
        fs::write(folder.path().join("other"), "simsim\n").expect("written");
        let text = "[admin]\ntoken_file = \"token\"\n";
        let rig = Rig::start(&executor, configure(folder.path(), text));
        for (text, words) in [
            (text.replace("token\"", "other\""), "another token is the right one"),
            (text.replace("token\"", "other\"") + "# still\n", "\"warnings\":[]"),
            ("# nothing\n".to_owned(), "the token is gone"),
        ] {
            let put = send(&rig, "PUT /api/admin/config", "", "application/toml", &text).await;
            assert_eq!(put.status, 200, "{}", put.body);
            assert!(put.body.contains(words), "{}", put.body);
        }
    });
}

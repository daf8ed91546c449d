//! What holds for every route of the table, whichever is added to it: who may ask, who may change
//! anything, and what a browser is told about the answer.

use calendarbot::http::frame::Method;
use calendarbot::http::route::{Route, places};

use crate::feed_server::{FeedServer, Script, run};
use crate::rig::{Response, Rig, configure, folder, toml};
use crate::routes::WORK;

/// It goes on until one of both sides ends it.
const ENDLESS: &str = "/events";

/// Every route as (method, path that leads there).
fn routes() -> Vec<(&'static str, String)> {
    let mut routes = Vec::new();
    for (place, allow) in places() {
        let path = match place {
            "/static/{file}" => "/static/page.css".to_owned(),
            // An id stands in the query, too.
            "/api/v1/skips" | "/api/v1/hidden" => format!("{place}?id=x"),
            // Braces stand for a name, an id or a part of one.
            _ => {
                place.split('{').next().unwrap_or(place).to_owned()
                    + if place.contains('{') { "x" } else { "" }
                    + place.split('}').nth(1).unwrap_or_default()
            }
        };
        let methods = allow.0.split(", ").filter(|method| *method != "OPTIONS");
        routes.extend(methods.map(|method| (method, path.clone())));
    }
    assert!(routes.len() > 30, "{routes:?}");
    routes
}

/// True for what changes something, whatever the method.
fn is_change(method: &str, path: &str) -> bool {
    let asks = matches!(method, "GET" | "HEAD");
    let found = Route::of(path).find(Method::Get, path, "");
    !asks || found.is_ok_and(|endpoint| endpoint.is_change())
}

async fn ask(rig: &Rig, method: &str, path: &str, fields: &str) -> Response {
    let mut client = rig.connect().await;
    client.send(format!("{method} {path} HTTP/1.1\r\n{fields}\r\n").as_bytes()).await;
    client.response_to(method).await.expect("an answer")
}

async fn fed(
    executor: &std::rc::Rc<smol::LocalExecutor<'static>>,
    further: &str,
) -> (Rig, FeedServer, tempfile::TempDir) {
    let server = FeedServer::start(executor, Script::new().ics("/a.ics", WORK));
    let folder = folder();
    let text = further.to_owned() + &toml(&[("a", server.url("/a.ics"))]);
    let rig = Rig::start(executor, configure(folder.path(), &text));
    rig.refreshed(1).await;
    (rig, server, folder)
}

#[test]
fn a_stranger_s_name_gets_no_answer_anywhere() {
    run(|executor| async move {
        let (rig, _server, _folder) = fed(&executor, "").await;
        for (method, path) in routes() {
            for host in ["evil.example", "localhost.evil.example:8080"] {
                let answer = ask(&rig, method, &path, &format!("Host: {host}\r\n")).await;
                assert_eq!(answer.status, 421, "{method} {path} {host}");
            }
        }
    });
}

#[test]
fn a_page_of_another_site_changes_nothing_anywhere() {
    run(|executor| async move {
        let (rig, server, _folder) = fed(&executor, "").await;
        let generation = rig.feeds.generation();
        let mut changes = 0;
        for (method, path) in routes().into_iter().filter(|(method, path)| is_change(method, path))
        {
            changes += 1;
            for field in [
                "Origin: http://evil.example",
                "Origin: null",
                "Origin: http://localhost:1",
                "Sec-Fetch-Site: cross-site",
                "Sec-Fetch-Site: same-site",
            ] {
                let fields = format!("Host: localhost\r\n{field}\r\n");
                let answer = ask(&rig, method, &path, &fields).await;
                assert_eq!(answer.status, 403, "{method} {path} {field}");
            }
            if !matches!(method, "GET" | "HEAD") {
                let text = "Host: localhost\r\nContent-Type: text/plain\r\nContent-Length: 2\r\n";
                let answer = ask(&rig, method, &path, text).await;
                assert_eq!(answer.status, 415, "{method} {path}");
            }
        }
        assert!(changes >= 15, "{changes}");
        assert_eq!((rig.feeds.generation(), server.requests().len()), (generation, 1));
    });
}

#[test]
fn a_browser_is_told_what_it_may_do_with_every_answer() {
    run(|executor| async move {
        let origins =
            "display.frame_ancestors = [\"http://hall.local:8123\", \"https://w.example\"]\n";
        let (rig, _server, _folder) = fed(&executor, origins).await;
        let mut pages = Vec::new();
        for (method, path) in routes() {
            let method = if path == ENDLESS { "HEAD" } else { method };
            let answer = ask(&rig, method, &path, "Host: localhost\r\n").await;
            for (name, value) in [
                ("x-content-type-options", "nosniff"),
                ("referrer-policy", "no-referrer"),
                ("cross-origin-resource-policy", "same-origin"),
            ] {
                assert_eq!(answer.field(name), Some(value), "{method} {path}");
            }
            for name in ["access-control-allow-origin", "set-cookie", "server"] {
                assert_eq!(answer.field(name), None, "{method} {path}");
            }
            let is_page =
                answer.field("content-type").is_some_and(|it| it.starts_with("text/html"));
            let policy = answer.field("content-security-policy");
            assert_eq!(policy.is_some(), is_page, "{method} {path}");
            if let Some(policy) = policy {
                assert!(policy.starts_with("default-src 'none'; script-src 'self'; "), "{policy}");
                assert!(!policy.contains("unsafe") && !policy.contains('*'), "{policy}");
                let framed = policy
                    .ends_with("frame-ancestors 'self' http://hall.local:8123 https://w.example");
                // What changes something is not to be clicked on in somebody else's page.
                let is_own = ["/setup", "/settings", "/dashboard"].contains(&&*path);
                assert_eq!(framed, !is_own, "{path}: {policy}");
                assert!(!is_own || policy.ends_with("frame-ancestors 'self'"), "{policy}");
                pages.push(path);
            }
        }
        for page in ["/", "/day", "/month", "/setup", "/settings", "/dashboard"] {
            assert!(pages.iter().any(|path| path == page), "{page} of {pages:?}");
        }
        let page = rig.get("/").await;
        let tag = page.field("etag").expect("a tag");
        let fields = format!("Host: localhost\r\nIf-None-Match: {tag}\r\n");
        let unchanged = ask(&rig, "GET", "/", &fields).await;
        assert_eq!(unchanged.status, 304);
        let policies = [&page, &unchanged].map(|answer| answer.field("content-security-policy"));
        assert_eq!(policies[0], policies[1]);
    });
}

#[test]
fn whoever_is_elsewhere_sets_nothing_up_anywhere() {
    run(|executor| async move {
        let (rig, _server, _folder) = fed(&executor, "").await;
        for (method, path) in routes() {
            let is_owner_s = path.starts_with("/api/admin/")
                || path.starts_with("/api/v1/setup")
                || path.starts_with("/api/settings");
            if is_owner_s {
                let fields = "Host: localhost\r\nX-Forwarded-For: 203.0.113.7\r\n";
                let answer = ask(&rig, method, &path, fields).await;
                assert_eq!(answer.status, 403, "{method} {path}");
            }
        }
    });
}

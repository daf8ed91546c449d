//! The dashboard and the history that it draws; `make browser` looks at the page in a browser.

use std::time::Duration;

use crate::feed_server::run;
use crate::rig::{Rig, configure, folder};

#[test]
fn the_dashboard_and_all_that_it_names_are_served() {
    run(|executor| async move {
        let folder = folder();
        let rig = Rig::start(&executor, configure(folder.path(), ""));
        rig.refreshed(1).await;
        let page = rig.get("/dashboard").await;
        assert_eq!((page.status, page.field("cache-control")), (200, Some("no-cache")));
        let policy = rig.get("/").await;
        let policy = policy.field("content-security-policy").expect("a policy");
        assert!(policy.contains("script-src 'self'; style-src 'self'"), "{policy}");
        assert_eq!(page.field("content-security-policy"), Some(policy));
        let named = page.body.split(['"']).filter(|part| {
            part.starts_with("static/") || ["favicon.svg", "./", "stats"].contains(part)
        });
        let named: Vec<&str> = named.collect();
        assert_eq!(named.len(), 8, "{named:?}");
        for path in named.into_iter().chain(["api/v1/history"]) {
            let path = path.trim_start_matches("./");
            assert_eq!(rig.get(&format!("/{path}")).await.status, 200, "{path}");
        }
    });
}

#[test]
fn a_point_is_put_down_every_five_minutes() {
    run(|executor| async move {
        let folder = folder();
        let rig = Rig::start(&executor, configure(folder.path(), ""));
        rig.refreshed(1).await;
        let answer = rig.get("/api/v1/history").await;
        assert_eq!(answer.field("cache-control"), Some("no-store"));
        assert!(answer.body.contains("\"interval_seconds\":300,"), "{}", answer.body);
        assert!(answer.body.contains("\"rss_kib\":[],"), "{}", answer.body);
        for points in 1..=3 {
            for _ in 0..30 {
                rig.get("/api/v1/next").await;
            }
            rig.advance(Duration::from_secs(301));
            let known = |body: &str| {
                let (_, rest) = body.split_once("\"requests_per_second\":[").expect("the figure");
                rest.split(']').next().map_or(0, |list| list.split("0.").count() - 1)
            };
            let mut body = rig.get("/api/v1/history").await.body;
            while known(&body) < points {
                body = rig.get("/api/v1/history").await.body;
            }
            assert_eq!(known(&body), points, "{body}");
            assert!(body.contains("\"requests_per_second\":[0.1"), "{body}");
        }
    });
}

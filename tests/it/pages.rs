//! The pages of some days in the running program: what they take, what they are before there is
//! data, and what they follow.

use std::time::Duration;

use crate::feed_server::{FeedServer, Reply, Script, Step, run};
use crate::full::{send, with_work};
use crate::rig::{Rig, configure, fed, folder, toml};
use crate::routes::WORK;

const PAGES: [&str; 4] = ["/day", "/week", "/agenda", "/month"];

#[test]
fn each_page_shows_what_is_on() {
    run(|executor| async move {
        let (rig, _server, _config, _folder) =
            fed(&executor, Script::new().ics("/a.ics", WORK)).await;
        for path in PAGES {
            let page = rig.get(path).await;
            assert_eq!(page.status, 200, "{path}");
            assert_eq!(page.field("content-type"), Some("text/html; charset=utf-8"));
            let policy = page.field("content-security-policy").expect("a policy");
            assert!(!policy.contains("unsafe"), "{policy}");
            assert!(page.body.contains("Stand-up") && !page.body.contains(" style="), "{path}");
            let tag = page.field("etag").expect("a tag");
            let again =
                format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nIf-None-Match: {tag}\r\n\r\n");
            assert_eq!(rig.ask(&again).await.status, 304, "{path}");
        }
        assert!(rig.get("/week").await.body.contains("Epiphany"));
        assert!(rig.get("/day?date=2026-01-06").await.body.contains("Epiphany"));
        assert!(!rig.get("/day").await.body.contains("Epiphany"));
        // Another zone has other hours and, here, the same days.
        let abroad = rig.get("/day?tz=America%2FNew_York").await;
        assert!(abroad.body.contains(">03:00<"), "{}", abroad.body);
        assert!(abroad.body.contains("href=\"day?tz=America%2FNew_York\""), "{}", abroad.body);
    });
}

#[test]
fn a_wrong_parameter_is_named() {
    run(|executor| async move {
        let (rig, _server, _config, _folder) =
            fed(&executor, Script::new().ics("/a.ics", WORK)).await;
        for (target, status) in [
            ("/week?days=14", 200),
            ("/week?days=15", 400),
            ("/day?days=0", 400),
            ("/day?days=300", 400),
            ("/agenda?days=60", 200),
            ("/agenda?days=61", 400),
            // A month has as many days as it has.
            ("/month?days=99", 200),
            ("/day?date=1900-01-01", 200),
            ("/day?date=2200-12-31", 200),
            ("/month?date=2200-12-31", 200),
            ("/day?date=1899-12-31", 400),
            ("/day?date=2201-01-01", 400),
            ("/day?date=tomorrow", 400),
            ("/day?theme=pink", 400),
            ("/day?theme=eink", 200),
            ("/day?lang=de", 200),
            ("/day?lang=en-GB", 400),
            ("/day?tz=Mars", 400),
            ("/day?date=&days=&theme=&lang=", 200),
            ("/day?_=17", 200),
        ] {
            let answer = rig.get(target).await;
            assert_eq!(answer.status, status, "{target}: {}", answer.body);
            let named = target.split(['?', '=']).nth(1).expect("a parameter");
            assert!(
                status == 200 || answer.body.contains(&format!("`{named}`")),
                "{}",
                answer.body
            );
        }
    });
}

#[test]
fn before_there_is_data_a_page_says_that_it_comes() {
    run(|executor| async move {
        let stalled = Reply::new([Step::Stall]);
        let server = FeedServer::start(&executor, Script::new().reply("/work.ics", stalled));
        let folder = folder();
        let text = toml(&[("work", server.url("/work.ics"))])
            .replace("[[feeds]]", "[display]\nlanguage = \"fr\"\n[[feeds]]");
        let rig = Rig::start(&executor, configure(folder.path(), &text));
        for path in PAGES.into_iter().chain(["/", "/calendar"]) {
            let page = rig.get(path).await;
            assert_eq!((page.status, page.field("retry-after")), (503, Some("5")), "{path}");
            assert_eq!(page.field("content-type"), Some("text/html; charset=utf-8"));
            assert_eq!(page.field("cache-control"), Some("no-store"));
            assert!(page.field("content-security-policy").is_some());
            assert!(page.body.contains("http-equiv=\"refresh\" content=\"5\""), "{}", page.body);
            assert!(page.body.contains("Vos calendriers se chargent…"), "{}", page.body);
        }
        assert_eq!(rig.get("/api/v1/next").await.json("status"), "503");
        let display = r#"{"color_theme":"eink","display_density":"spacious"}"#;
        assert_eq!(send(&rig, "PUT /api/settings/display", display).await.status, 200);
        for (path, tag) in [
            ("/", "<html lang=\"fr\" data-theme=\"eink\" data-density=\"spacious\""),
            ("/calendar", "<html lang=\"fr\" data-theme=\"eink\" data-density=\"spacious\""),
            ("/day?lang=de&theme=dark", "<html lang=\"de\" data-theme=\"dark\" data-density="),
        ] {
            let page = rig.get(path).await.body;
            assert!(page.contains(tag), "{path}: {page}");
        }
    });
}

/// A typo in the address of a wall is no empty calendar.
#[test]
fn a_calendar_that_is_not_there_is_said_to_be_so() {
    run(|executor| async move {
        let (rig, _server, _folder) = with_work(&executor).await;
        let answer = rig.get("/api/v1/events?calendar=wrok").await;
        assert_eq!((answer.status, answer.json("status")), (404, "404"));
        assert_eq!(answer.field("content-type"), Some("application/problem+json"));
        for path in PAGES {
            let page = rig.get(&format!("{path}?calendar=%3Cb%3E&lang=de&theme=dark")).await;
            assert_eq!(page.status, 404, "{path}");
            assert_eq!(page.field("content-type"), Some("text/html; charset=utf-8"));
            for part in [
                "<html lang=\"de\" data-theme=\"dark\"",
                "&lt;b&gt;",
                "href=\"?calendar=a\"",
                "http-equiv=\"refresh\"",
            ] {
                assert!(page.body.contains(part), "{path}: {part} is not in {}", page.body);
            }
            assert!(!page.body.contains("<b>"), "{path}: {}", page.body);
            assert_eq!(rig.get(&format!("{path}?calendar=a")).await.status, 200, "{path}");
        }
    });
}

#[test]
fn pages_follow_the_configuration_and_what_people_skip() {
    run(|executor| async move {
        let (rig, server, _config, folder) =
            fed(&executor, Script::new().ics("/a.ics", WORK)).await;
        assert!(rig.get("/week").await.body.contains("<small>Week 2</small>"));
        let text = toml(&[("a", server.url("/a.ics"))]).replace(
            "[[feeds]]",
            "[display]\nlanguage = \"de\"\nhour12 = true\ntheme = \"eink\"\nweek_start = \"sunday\"\n\
             date_order = \"month-day\"\n[[feeds]]",
        );
        rig.reload(configure(folder.path(), &text)).await;
        rig.until(|rig| rig.pipeline.sources().screen.get().locale.hour12).await;
        let week = rig.get("/week").await.body;
        for part in [
            "lang=\"de\" data-theme=\"eink\"",
            "Januar 4 – 10, 2026 <small>KW 2</small>",
            "9:00 am",
        ] {
            assert!(week.contains(part), "{part} is not in {week}");
        }
        assert!(rig.get("/").await.body.contains("Als Nächstes"));

        let id = rig.get("/api/v1/next").await.json("id").to_owned();
        let skip = format!(
            "POST /api/v1/skips/{id} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n"
        );
        assert_eq!(rig.ask(&skip).await.status, 201);
        assert!(rig.get("/day").await.body.contains(" skipped\">"));
        rig.advance(Duration::from_secs(3600));
        assert!(rig.get("/day").await.body.contains(" past skipped\">"));
    });
}

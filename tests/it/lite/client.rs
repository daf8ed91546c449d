//! A front-end of calendarbot_lite, the watchdog of its kiosk and a voice assistant: each does what
//! it did there, and nothing else.

use std::time::Duration;

use super::*;

/// A wall with a screen.
struct Kiosk<'r>(&'r Rig);

/// What the screen shows of the next meeting.
#[derive(Debug, PartialEq)]
struct Shown {
    subject: String,
    seconds: i64,
    status: String,
}

impl Kiosk<'_> {
    /// The watchdog: 200 is well.
    async fn is_well(&self) -> bool {
        let answer = self.0.get("/api/health").await;
        assert!(is_sound(answer.body.as_bytes()));
        let is_well = answer.status == 200;
        assert_eq!(answer.json("status"), if is_well { "ok" } else { "degraded" });
        is_well
    }

    /// The watchdog's look at the page, and what the browser loads with it.
    async fn shows_the_page(&self) -> bool {
        for path in ["/whatsnext.css", "/whatsnext.js"] {
            assert_eq!(self.0.get(path).await.status, 200, "{path}");
        }
        let page = self.0.get("/").await;
        page.status == 200 && page.body.contains("name=\"calendarbot-ready\"")
    }

    /// The browser's sign of life, and what the watchdog sees of it.
    async fn beats(&self) {
        let fields =
            "Accept: application/json\r\nContent-Length: 0\r\nOrigin: http://localhost:1\r\n";
        let beat = send(self.0, "POST /api/browser-heartbeat", fields, "").await;
        assert_eq!((beat.status, beat.json("status")), (200, "ok"));
        let health = self.0.get("/api/health").await;
        assert_eq!(health.json("last_render_probe_iso"), beat.json("timestamp"));
        assert_eq!(health.json("last_probe_ok"), "true");
        assert_eq!(health.json("last_probe_notes"), "browser-heartbeat");
    }

    async fn polls(&self) -> Shown {
        let answer = send(
            self.0,
            "GET /api/whats-next",
            "Accept: application/json\r\nCache-Control: no-cache\r\n",
            "",
        )
        .await;
        assert_eq!(answer.status, 200, "{}", answer.body);
        let seconds = answer.json("seconds_until_start").parse().expect("a number");
        let text = |name| answer.json(name).to_owned();
        Shown { subject: text("subject"), seconds, status: text("message") }
    }

    /// The cross beside the meeting.
    async fn skips_it(&self) {
        let next = self.0.get("/api/whats-next").await;
        let body = format!("{{\"meeting_id\":\"{}\"}}", next.json("meeting_id"));
        let answer = send(self.0, "POST /api/skip", JSON, &body).await;
        assert_eq!(answer.json("skipped_until"), "2026-01-06T07:45:15+00:00");
    }

    async fn hears(&self, intent: &str) -> String {
        let bearer = format!("Authorization: Bearer {TOKEN}\r\n");
        let line = format!("GET /api/alexa/{intent}?tz=Europe/Berlin");
        let answer = send(self.0, &line, &bearer, "").await;
        assert_eq!(answer.status, 200, "{intent}: {}", answer.body);
        let is_whole = |part| answer.body.contains(part);
        assert!(is_whole("\"ssml\":\"\\u003cspeak>") && is_whole("\\u003c/speak>\""), "{intent}");
        answer.json("speech_text").to_owned()
    }
}

fn shown(subject: &str, seconds: i64, status: &str) -> Shown {
    Shown { subject: subject.to_owned(), seconds, status: status.to_owned() }
}

#[test]
fn a_kiosk_lives_through_a_morning_and_a_restart() {
    run(|executor| async move {
        let slow = Reply::new([Step::Stall]);
        let server = FeedServer::start(&executor, Script::new().reply("/a.ics", slow));
        let folder = folder();
        let text = toml(&[("a", server.url("/a.ics"))]);
        let text = format!("alexa.bearer_token = \"{TOKEN}\"\n{text}");
        let config = configure(folder.path(), &text);
        let rig = Rig::start(&executor, config.clone());
        let kiosk = Kiosk(&rig);
        assert!(!kiosk.is_well().await, "nothing has been fetched");
        assert_eq!(rig.get("/api/whats-next").await.status, 503);
        rig.stop().await;

        server.set(Script::new().ics("/a.ics", WORK));
        let rig = Rig::start(&executor, config.clone());
        rig.refreshed(1).await;
        let kiosk = Kiosk(&rig);
        assert!(kiosk.is_well().await && kiosk.shows_the_page().await);
        for seconds in [900, 895, 890] {
            assert_eq!(kiosk.polls().await, shown("Stand-up", seconds, "Starting soon"));
            kiosk.beats().await;
            rig.advance(Duration::from_secs(5));
        }
        assert_eq!(
            kiosk.hears("next-meeting").await,
            "Your next meeting is Stand-up in 14 minutes."
        );
        kiosk.skips_it().await;
        assert_eq!(kiosk.polls().await.subject, "Call with New York");
        rig.stop().await;

        // What was fetched and skipped is there again before anything is fetched.
        server.set(Script::new().status("/a.ics", 500));
        let rig = Rig::start(&executor, config);
        let kiosk = Kiosk(&rig);
        assert!(kiosk.shows_the_page().await);
        let call = shown("Call with New York", 20_700, "Plenty of time");
        assert_eq!(kiosk.polls().await, call);
        let launch = "Your next meeting is Call with New York in 5 hours and 45 minutes. \
                      You'll be done at 3:30 pm.";
        assert_eq!(kiosk.hears("launch-summary").await, launch);
        let cleared = rig.get("/api/clear_skips").await;
        assert_eq!((cleared.json("cleared"), cleared.json("count")), ("true", "1"));
        assert_eq!(kiosk.polls().await, shown("Stand-up", 900, "Starting soon"));
        kiosk.beats().await;
        for (intent, expected) in [
            ("time-until-next", "Your next meeting starts in 15 minutes."),
            ("done-for-day", "You'll be done at 3:30 pm."),
            (
                "morning-summary",
                "Good morning. You have 1 meeting tomorrow morning. It's a light morning. Your \
                 first meeting is Stand-up at 9:00 am. Your longest free time is from 6:00 am to \
                 9:00 am. All day there is Epiphany.",
            ),
        ] {
            assert_eq!(kiosk.hears(intent).await, expected, "{intent}");
        }
        assert_eq!(send(&rig, "GET /api/alexa/next-meeting", "", "").await.status, 401);
    });
}

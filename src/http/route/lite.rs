//! The routes of calendarbot_lite.

use super::query::Query;
use super::table::{allowed, routes};
use super::{Change, Endpoint, Figures, Skipping, skips};
use crate::display::{PAGE_CSS, PAGE_JS};
use crate::pipeline::key::View;
use crate::pipeline::key::lite::{self, Intent};

/// What the routes about a morning know.
const MORNING: [&str; 5] = ["timezone", "tz", "date", "detail_level", "max_events"];

routes! { (path, query)
    "/whatsnext.css": Get => Endpoint::Asset(PAGE_CSS.path);
    "/whatsnext.js": Get => Endpoint::Asset(PAGE_JS.path);
    "/api/skip":
        Post => skips(Skipping::LiteSkip, String::new()),
        Delete => skips(Skipping::LiteClear, String::new());
    "/api/clear_skips": Get => skips(Skipping::LiteClearAndRefresh, String::new());
    "/api/whats-next": Get => in_zone("", lite::View::Next)?;
    "/api/health": Get => Endpoint::Figures(Figures::LiteHealth);
    "/api/browser-heartbeat": Post => Endpoint::Change(Change::Heartbeat);
    "/api/done-for-day": Get => in_zone(query, lite::View::DoneForDay)?;
    "/api/morning-summary": Post => Query::read(query, &MORNING)?
        .view(|query| View::Lite(lite::View::Morning(query.morning())));
    "/api/alexa/next-meeting": Get => asked(query, Intent::NextMeeting)?;
    "/api/alexa/time-until-next": Get => asked(query, Intent::TimeUntilNext)?;
    "/api/alexa/done-for-day": Get => asked(query, Intent::DoneForDay)?;
    "/api/alexa/launch-summary": Get => asked(query, Intent::LaunchSummary)?;
    "/api/alexa/morning-summary": Get => Query::read(query, &MORNING)?.view(|query| {
        View::Lite(lite::View::Alexa(Intent::MorningSummary(query.morning())))
    });
}

fn asked(query: &str, intent: Intent) -> Result<Endpoint, super::Refusal> {
    in_zone(query, lite::View::Alexa(intent))
}

fn in_zone(query: &str, view: lite::View) -> Result<Endpoint, super::Refusal> {
    Ok(Query::read(query, &["tz"])?.view(|_| View::Lite(view)))
}

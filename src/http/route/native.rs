//! Our own routes.

use super::operator::file;
use super::query::{Query, id, part};
use super::table::{allowed, routes};
use super::{Change, Endpoint, Hiding, Setup, Skipping, skips, view};
use crate::display::calendar::Layout;
use crate::pipeline::key::View;

/// Later events in `/api/v1/next` and on the page when nothing is said.
const NEXT_DEFAULT: u16 = 5;

routes! { (path, query)
    "/": Get => Query::read(query, &["tz"])?.view(|_| View::Page);
    "/day": Get => Query::pages(query, Layout::Day)?;
    "/week": Get => Query::pages(query, Layout::Week)?;
    "/agenda": Get => Query::pages(query, Layout::Agenda)?;
    "/month": Get => Query::pages(query, Layout::Month)?;
    "/api/v1/next": Get => Query::read(query, &["tz", "limit"])?
        .view(|query| View::Next { limit: query.limit.unwrap_or(NEXT_DEFAULT) });
    "/api/v1/events": Get => Query::read(query, &["tz", "limit", "from", "to", "calendar"])?
        .view(Query::events);
    "/api/v1/calendars": Get => view(View::Calendars);
    "/api/v1/refresh": Post => Endpoint::Change(Change::Refresh);
    "/api/v1/now": Get => Query::read(query, &["tz"])?.view(|_| View::Next { limit: 0 });
    "/api/v1/today": Get => Query::read(query, &["tz"])?.view(|_| View::Today);
    "/api/v1/explain": Get => Query::read(query, &["tz", "calendar"])?.question(query)?;
    "/feeds/{name}.ics": Get => Endpoint::Feed(part(path, "/feeds/", ".ics")?);
    "/events": Get => Endpoint::Events;
    "/setup": Get => file(path)?;
    "/settings": Get => file(path)?;
    "/api/v1/setup": Get => Endpoint::Setup(Setup::About), Post => Endpoint::Setup(Setup::Add);
    "/api/v1/setup/try": Post => Endpoint::Setup(Setup::Try);
    "/api/v1/openapi.json": Get => file(path)?;
    "/api/v1/skips":
        Get => Endpoint::Skips,
        Post => skips(Skipping::Skip, id(query)?),
        Delete => skips(Skipping::Unskip, id(query)?);
    "/api/v1/skips/{id}":
        Post => skips(Skipping::Skip, part(path, "/api/v1/skips/", "")?),
        Delete => skips(Skipping::Unskip, part(path, "/api/v1/skips/", "")?);
    "/api/v1/hidden":
        Get => Endpoint::Hidden,
        Post => hide(Hiding::Hide, id(query)?),
        Delete => hide(Hiding::Unhide, id(query)?);
    "/api/v1/hidden/{id}":
        Post => hide(Hiding::Hide, part(path, "/api/v1/hidden/", "")?),
        Delete => hide(Hiding::Unhide, part(path, "/api/v1/hidden/", "")?);
}

fn hide(what: Hiding, id: String) -> Endpoint {
    Endpoint::Change(Change::Hide(what, id))
}

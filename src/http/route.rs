//! (method, path, query) -> what is asked for. Pure.

use form_urlencoded::parse as parse_query;

use super::frame::Method;
use super::response::Status;
use crate::display;
use crate::pipeline::key::{Bound, View, ViewKey};
use crate::tzdb::tzdb;

/// What a request asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Endpoint {
    /// A view of the calendar, through the pipeline.
    View(ViewKey),
    /// A file that is part of the program.
    Asset(&'static str),
    /// The program about itself.
    Figures(Figures),
    /// The same for a Prometheus server.
    Metrics,
    /// What people skip.
    Skips,
    /// Something is to be done.
    Change(Change),
    /// An operator's, who has to show that they are one.
    Admin(Admin),
    /// `OPTIONS`: which methods there are.
    Options(Allow),
    /// Everything is at this path.
    Moved(String),
}

/// What the program tells about itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Figures {
    /// `GET /stats`.
    Stats,
    /// `GET /api/v1/history`.
    History,
    /// `GET /api/health`, for watchdogs of calendarbot_lite.
    LiteHealth,
    /// `GET /healthz`.
    Alive,
    /// `GET /readyz`.
    Ready,
}

/// What may be asked to be done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// `POST /api/v1/refresh`.
    Refresh,
    /// Something is skipped or no longer is; with the id that is part of the path, if one is.
    Skips(Skipping, String),
}

/// What becomes of skips.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Skipping {
    /// `POST /api/v1/skips/{id}`.
    Skip,
    /// `DELETE /api/v1/skips/{id}`.
    Unskip,
    /// `POST /api/skip`, with the id in its body.
    LiteSkip,
    /// `DELETE /api/skip`.
    LiteClear,
    /// `GET /api/clear_skips`, which refreshes, too.
    LiteClearAndRefresh,
}

/// What an operator may ask for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Admin {
    /// `GET /api/admin/config`.
    Config,
    /// `PUT /api/admin/config`.
    PutConfig,
    /// `POST /api/admin/validate`.
    Validate,
    /// `GET /api/admin/flags`.
    Flags,
    /// `POST /api/admin/flags`.
    TurnFlag,
    /// `POST /api/admin/emergency-disable`.
    EmergencyDisable,
    /// `GET /api/admin/rollout`.
    Rollout,
    /// `POST /api/admin/rollout`.
    TurnRollout,
}

impl Endpoint {
    /// True when asking for it changes something, whatever the method.
    pub fn is_change(&self) -> bool {
        matches!(self, Self::Change(_))
    }

    /// True for what is made anew for everybody who asks, views apart.
    pub fn is_made(&self) -> bool {
        matches!(self, Self::Metrics | Self::Figures(Figures::Stats | Figures::History))
    }

    /// The media types that a body may have. A page of another site can send none of them without
    /// being asked first.
    pub fn media_types(&self) -> &'static [&'static str] {
        match self {
            Self::Admin(Admin::PutConfig | Admin::Validate) => {
                &["application/json", "application/toml"]
            }
            _ => &["application/json"],
        }
    }
}

/// The methods of a route, as `Allow` lists them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Allow(pub &'static str);

/// All methods that are answered anywhere.
pub const ANY: Allow = Allow("GET, HEAD, POST, PUT, DELETE, OPTIONS");

/// Why a request leads nowhere.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The status to answer with.
    pub status: Status,
    /// What is wrong, for the person who wrote the request.
    pub detail: String,
    /// For 405.
    pub allow: Option<Allow>,
}

/// The most events that one answer may be asked for; the budget may allow fewer.
const LIMIT_MAX: u16 = 2000;
/// Events in `/api/v1/events` when nothing is said.
const EVENTS_DEFAULT: u16 = 200;
/// Later events in `/api/v1/next` and on the page when nothing is said.
const NEXT_DEFAULT: u16 = 5;
/// A longer value in a query is refused. A calendar's name has up to 64 characters, each of up to
/// four bytes; no zone or time is longer.
const VALUE_BYTES_MAX: usize = 64 * 4;

/// One row of the table.
struct Row {
    /// The first is its template, which the others are counted under.
    paths: &'static [&'static str],
    allow: Allow,
    /// What a method (GET for HEAD) asks for at a path with a query; `None` for one that is not
    /// allowed.
    find: fn(Method, &str, &str) -> Result<Option<Endpoint>, Refusal>,
}

macro_rules! routes {
    (($path:ident, $query:ident)
     $($($place:literal)|+: $($method:ident => $endpoint:expr),+;)*) => {
        /// Every route, once.
        const ROUTES: &[Row] = &[$(Row {
            paths: &[$($place),+],
            allow: Allow(concat!($(allowed!($method),)+ "OPTIONS")),
            find: |method, $path, $query| {
                let _ = ($path, $query);
                Ok(Some(match method {
                    $(Method::$method => $endpoint,)+
                    _ => return Ok(None),
                }))
            },
        }),*];
    };
}

/// What `Allow` says of a method in the table; whoever answers GET answers HEAD.
macro_rules! allowed {
    (Get) => {
        "GET, HEAD, "
    };
    (Post) => {
        "POST, "
    };
    (Put) => {
        "PUT, "
    };
    (Delete) => {
        "DELETE, "
    };
}

routes! { (path, query)
    "/": Get => Query::read(query, &["tz"])?.view(|_| View::Page);
    "/api/v1/next": Get => Query::read(query, &["tz", "limit"])?
        .view(|query| View::Next { limit: query.limit.unwrap_or(NEXT_DEFAULT) });
    "/api/v1/events": Get => Query::read(query, &["tz", "limit", "from", "to", "calendar"])?
        .view(Query::events);
    "/api/v1/calendars": Get => view(View::Calendars);
    "/api/v1/refresh": Post => Endpoint::Change(Change::Refresh);
    "/api/v1/skips": Get => Endpoint::Skips;
    "/api/v1/skips/{id}":
        Post => skips(Skipping::Skip, last_part(path, "/api/v1/skips/")?),
        Delete => skips(Skipping::Unskip, last_part(path, "/api/v1/skips/")?);
    "/api/skip":
        Post => skips(Skipping::LiteSkip, String::new()),
        Delete => skips(Skipping::LiteClear, String::new());
    "/api/clear_skips": Get => skips(Skipping::LiteClearAndRefresh, String::new());
    "/api/whats-next": Get => view(View::LiteNext);
    "/api/health": Get => Endpoint::Figures(Figures::LiteHealth);
    "/stats" | "/api/stats": Get => Endpoint::Figures(Figures::Stats);
    "/metrics": Get => Endpoint::Metrics;
    "/api/v1/history": Get => Endpoint::Figures(Figures::History);
    "/dashboard": Get => file(path)?;
    "/healthz": Get => Endpoint::Figures(Figures::Alive);
    "/readyz": Get => Endpoint::Figures(Figures::Ready);
    "/api/admin/config" | "/api/admin/phase2a/config":
        Get => Endpoint::Admin(Admin::Config), Put => Endpoint::Admin(Admin::PutConfig);
    "/api/admin/flags" | "/api/admin/phase2a/flags":
        Get => Endpoint::Admin(Admin::Flags), Post => Endpoint::Admin(Admin::TurnFlag);
    "/api/admin/rollout" | "/api/admin/phase2a/rollout":
        Get => Endpoint::Admin(Admin::Rollout), Post => Endpoint::Admin(Admin::TurnRollout);
    "/api/admin/emergency-disable" | "/api/admin/phase2a/emergency-disable":
        Post => Endpoint::Admin(Admin::EmergencyDisable);
    "/api/admin/validate" | "/api/admin/phase2a/validate":
        Post => Endpoint::Admin(Admin::Validate);
    "/static/{file}": Get => file(path)?;
}

/// The last row: files have a table of their own.
const FILES: usize = ROUTES.len() - 1;

/// A route, by its place in the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Route(u8);

impl Route {
    /// Where there is nothing.
    pub const NONE: Self = Self(u8::MAX);

    /// The route of a path as framing has passed it, without the base path.
    pub fn of(path: &str) -> Self {
        let is_at = |row: &Row| row.paths.iter().any(|place| leads_to(place, path));
        let place = ROUTES.iter().position(is_at);
        let place = place.or_else(|| display::asset(path).map(|_| FILES));
        place.and_then(|place| u8::try_from(place).ok()).map_or(Self::NONE, Self)
    }

    /// Its path as people write it; `other` where there is nothing.
    pub fn template(self) -> &'static str {
        ROUTES.get(usize::from(self.0)).map_or("other", |row| row.paths[0])
    }

    /// Says what is asked for at one of its paths.
    ///
    /// # Errors
    /// The refusal to answer with.
    pub fn find(self, method: Method, path: &str, query: &str) -> Result<Endpoint, Refusal> {
        if method == Method::Unknown {
            return Err(refusal(Status::NOT_IMPLEMENTED, "this method is not known here"));
        }
        if path == "*" {
            return Ok(Endpoint::Options(ANY));
        }
        let row = ROUTES.get(usize::from(self.0)).ok_or_else(nothing)?;
        let found = match method {
            Method::Options => return Ok(Endpoint::Options(row.allow)),
            Method::Head => (row.find)(Method::Get, path, query)?,
            _ => (row.find)(method, path, query)?,
        };
        found.ok_or_else(|| Refusal {
            allow: Some(row.allow),
            ..refusal(Status::METHOD_NOT_ALLOWED, "this route does not answer to this method")
        })
    }
}

/// What a request is counted by, beside the status of its answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Series {
    /// Where it leads.
    pub route: Route,
    /// Its method.
    pub method: Method,
}

impl Series {
    /// Bytes that are no request.
    pub const NONE: Self = Self { route: Route::NONE, method: Method::Unknown };

    /// As two small numbers.
    pub fn to_bytes(self) -> [u8; 2] {
        [self.route.0, self.method as u8]
    }

    /// The template and the method that [`Self::to_bytes`] stands for.
    pub fn names([route, method]: [u8; 2]) -> (&'static str, &'static str) {
        let known = Method::NAMED.into_iter().find(|(named, _)| *named as u8 == method);
        (Route(route).template(), known.map_or("other", |(_, name)| name))
    }
}

/// True for a place in the table that a path is at. One that ends with `{id}` has all paths with
/// something in its place: an id may have slashes, which cannot come escaped.
fn leads_to(place: &str, path: &str) -> bool {
    match place.strip_suffix("{id}") {
        Some(before) => path.strip_prefix(before).is_some_and(|id| !id.is_empty()),
        None => place == path,
    }
}

/// What a path has after `before`, without the escapes (RFC 3986 section 2.1).
fn last_part(path: &str, before: &str) -> Result<String, Refusal> {
    let mut parts = path.strip_prefix(before).unwrap_or_default().split('%');
    let mut bytes = parts.next().unwrap_or_default().as_bytes().to_vec();
    for part in parts {
        // Framing has passed no other escapes than those of two digits.
        let (digits, after) = part.split_at_checked(2).ok_or_else(nothing)?;
        bytes.push(u8::from_str_radix(digits, 16).map_err(|_| nothing())?);
        bytes.extend_from_slice(after.as_bytes());
    }
    let detail = "the last part of this path is not UTF-8";
    String::from_utf8(bytes).map_err(|_| refusal(Status::BAD_REQUEST, detail))
}

fn skips(what: Skipping, id: String) -> Endpoint {
    Endpoint::Change(Change::Skips(what, id))
}

fn view(view: View) -> Endpoint {
    Endpoint::View(ViewKey { view, zone: None })
}

fn file(path: &str) -> Result<Endpoint, Refusal> {
    display::asset(path).map(|asset| Endpoint::Asset(asset.path)).ok_or_else(nothing)
}

/// The parameters that views know, each checked.
#[derive(Default)]
struct Query {
    zone: Option<Box<str>>,
    limit: Option<u16>,
    from: Option<Bound>,
    to: Option<Bound>,
    calendar: Option<Box<str>>,
}

impl Query {
    /// Parameters that the route does not know are ignored, so that a cache-busting `?_=…` does
    /// no harm and splits no cache; of two with one name the last counts.
    fn read(query: &str, known: &[&str]) -> Result<Self, Refusal> {
        let mut read = Self::default();
        for (name, value) in parse_query(query.as_bytes()) {
            if !known.contains(&&*name) || value.is_empty() {
                continue;
            }
            let bad = |expected: &str| {
                refusal(Status::BAD_REQUEST, &format!("parameter `{name}`: expected {expected}"))
            };
            if value.len() > VALUE_BYTES_MAX {
                return Err(bad(&format!("at most {VALUE_BYTES_MAX} bytes")));
            }
            match &*name {
                "tz" => {
                    let zone = tzdb().get(&value);
                    let name = zone.as_ref().and_then(|zone| zone.iana_name());
                    let name = name.ok_or_else(|| bad("an IANA zone such as Europe/Berlin"))?;
                    read.zone = Some(name.into());
                }
                "limit" => {
                    let limit = value.parse().ok().filter(|limit| (1..=LIMIT_MAX).contains(limit));
                    let expected = || bad(&format!("a whole number, 1 to {LIMIT_MAX}"));
                    read.limit = Some(limit.ok_or_else(expected)?);
                }
                "calendar" => read.calendar = Some(value.into()),
                _ => {
                    let expected =
                        "a time such as 2026-11-23T09:00:00+01:00 or a date, from 1900 to 2200";
                    let bound = Some(Bound::parse(&value).ok_or_else(|| bad(expected))?);
                    if name == "from" { read.from = bound } else { read.to = bound }
                }
            }
        }
        let backwards = match (read.from, read.to) {
            (Some(Bound::Instant(from)), Some(Bound::Instant(to))) => from >= to,
            (Some(Bound::Day(from)), Some(Bound::Day(to))) => from >= to,
            _ => false,
        };
        if backwards {
            let detail = "parameter `to`: expected a time after `from`";
            return Err(refusal(Status::BAD_REQUEST, detail));
        }
        Ok(read)
    }

    fn view(self, make: impl FnOnce(&Self) -> View) -> Endpoint {
        let view = make(&self);
        Endpoint::View(ViewKey { view, zone: self.zone })
    }

    fn events(&self) -> View {
        View::Events {
            from: self.from,
            to: self.to,
            calendar: self.calendar.clone(),
            limit: self.limit.unwrap_or(EVENTS_DEFAULT),
        }
    }
}

fn nothing() -> Refusal {
    refusal(Status::NOT_FOUND, "there is nothing at this path")
}

fn refusal(status: Status, detail: &str) -> Refusal {
    Refusal { status, detail: detail.to_owned(), allow: None }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_path_has_one_route() {
        let paths = || ROUTES.iter().flat_map(|row| row.paths);
        for path in paths() {
            assert_eq!(paths().filter(|other| *other == path).count(), 1, "{path}");
        }
        assert!(ROUTES.len() < usize::from(u8::MAX));
    }

    #[test]
    fn aliases_and_files_are_counted_under_one_template() {
        for (path, template) in [
            ("/", "/"),
            ("/stats", "/stats"),
            ("/api/stats", "/stats"),
            ("/static/page.css", "/static/{file}"),
            ("/favicon.svg", "/static/{file}"),
            ("/static/nothing.css", "other"),
            ("/stats/", "other"),
            ("/api/v1/skips", "/api/v1/skips"),
            ("/api/v1/skips/", "other"),
            ("/api/v1/skips/a", "/api/v1/skips/{id}"),
            ("/api/v1/skips/a/b", "/api/v1/skips/{id}"),
            ("*", "other"),
        ] {
            assert_eq!(Route::of(path).template(), template, "{path}");
        }
        let series = Series { route: Route::of("/api/stats"), method: Method::Head };
        assert_eq!(Series::names(series.to_bytes()), ("/stats", "HEAD"));
        assert_eq!(Series::names(Series::NONE.to_bytes()), ("other", "other"));
    }

    #[test]
    fn an_id_in_a_path_comes_without_its_escapes() {
        for (escaped, expected) in [
            ("a@b", Some("a@b")),
            ("a+b%20c%25%c3%A9", Some("a+b c%é")),
            ("AAMk/x=", Some("AAMk/x=")),
            ("%ff", None),
        ] {
            let path = format!("/api/v1/skips/{escaped}");
            let found = Route::of(&path).find(Method::Delete, &path, "");
            match expected {
                Some(id) => assert_eq!(found, Ok(skips(Skipping::Unskip, id.to_owned()))),
                None => assert_eq!(found.map_err(|it| it.status), Err(Status::BAD_REQUEST)),
            }
        }
    }

    #[test]
    fn a_route_says_which_methods_it_has() {
        for (path, methods) in [
            ("/stats", "GET, HEAD, OPTIONS"),
            ("/api/v1/refresh", "POST, OPTIONS"),
            ("*", "GET, HEAD, POST, PUT, DELETE, OPTIONS"),
        ] {
            let options = Route::of(path).find(Method::Options, path, "");
            assert_eq!(options, Ok(Endpoint::Options(Allow(methods))), "{path}");
        }
        let refused = Route::of("/stats").find(Method::Put, "/stats", "").unwrap_err();
        let allow = Some(Allow("GET, HEAD, OPTIONS"));
        assert_eq!((refused.status, refused.allow), (Status::METHOD_NOT_ALLOWED, allow));
    }
}

//! (method, path, query) -> what is asked for. Pure.

mod full;
mod lite;
mod native;
mod operator;
pub mod query;
mod table;

pub use self::full::{FullFigures, Hiding, Part, Setting, Shown, Table, Turning};
use self::table::Row;
use super::frame::Method;
use super::response::Status;
use crate::display;
use crate::pipeline::explain::Question;
use crate::pipeline::key::{View, ViewKey};

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
    /// A view that is not for everybody.
    Guarded(ViewKey),
    /// What people skip.
    Skips,
    /// Changes, as they happen.
    Events,
    /// What people hide.
    Hidden,
    /// The feed of this name, as a calendar.
    Feed(String),
    /// Why something is shown or not.
    Explain(Question),
    /// Something is to be done.
    Change(Change),
    /// An operator's, who has to show that they are one.
    Admin(Admin),
    /// A new feed, which is the owner's, too.
    Setup(Setup),
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
    /// Short answers to front-ends of the full family.
    Full(FullFigures),
}

/// What may be asked to be done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// `POST /api/v1/refresh`.
    Refresh,
    /// `POST /api/browser-heartbeat`.
    Heartbeat,
    /// Something is skipped or no longer is; with the id that is part of the path, if one is.
    Skips(Skipping, String),
    /// Something is hidden or no longer is; with the id where the path has one.
    Hide(Hiding, String),
    /// Something is set; with the query.
    Set(Setting, String),
    /// The wall shows something else; with the query.
    Wall(Turning, String),
    /// `POST /api/whats-next/data`: nothing changes, but a body says what is asked for.
    AskData,
    /// `POST /api/database/query`: not answered here.
    AskDatabase,
}

impl Change {
    /// Whose route it is asked for by.
    pub fn family(&self) -> Family {
        match self {
            Self::Refresh | Self::Skips(Skipping::Skip | Skipping::Unskip, _) => Family::Native,
            Self::Heartbeat | Self::Skips(..) => Family::Lite,
            Self::Hide(Hiding::Hide | Hiding::Unhide, _) => Family::Native,
            Self::Hide(..) | Self::Set(..) | Self::Wall(..) => Family::Full,
            Self::AskData | Self::AskDatabase => Family::Full,
        }
    }
}

/// What becomes of skips.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Skipping {
    /// `POST /api/v1/skips?id` and `/api/v1/skips/{id}`.
    Skip,
    /// `DELETE` of the same.
    Unskip,
    /// `POST /api/skip`, with the id in its body.
    LiteSkip,
    /// `DELETE /api/skip`.
    LiteClear,
    /// `GET /api/clear_skips`, which refreshes, too.
    LiteClearAndRefresh,
}

/// Who may ask for something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Clearance {
    /// Whoever reaches the server.
    Anyone,
    /// Who is on this machine or has the token; the home network where that is configured.
    Settings,
    /// The same without the home network.
    Operator,
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

/// What may be asked for of a new feed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Setup {
    /// `GET /api/v1/setup`.
    About,
    /// `POST /api/v1/setup/try`.
    Try,
    /// `POST /api/v1/setup`.
    Add,
}

impl Endpoint {
    /// True when asking for it changes something, whatever the method.
    pub fn is_change(&self) -> bool {
        matches!(self, Self::Change(_))
    }

    /// Who may ask for it.
    pub fn clearance(&self) -> Clearance {
        match self {
            Self::Guarded(_) | Self::Setup(_) | Self::Change(Change::Set(..)) => {
                Clearance::Settings
            }
            Self::Admin(_) | Self::Change(Change::AskDatabase) => Clearance::Operator,
            _ => Clearance::Anyone,
        }
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

/// Whose clients a route is for: they are told of errors in their own words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Family {
    /// Ours: RFC 9457 problems.
    Native,
    /// Of calendarbot_lite.
    Lite,
    /// Of the Python web server.
    Full,
}

/// Every route, family by family. Files have a table of their own, and the last row.
const FAMILIES: [(Family, &[Row]); 4] = [
    (Family::Native, native::ROUTES),
    (Family::Lite, lite::ROUTES),
    (Family::Full, full::ROUTES),
    (Family::Native, operator::ROUTES),
];

fn rows() -> impl Iterator<Item = &'static Row> {
    FAMILIES.into_iter().flat_map(|(_, rows)| rows)
}

/// Every place in the table, aliases included, with the methods that it answers to.
pub fn places() -> impl Iterator<Item = (&'static str, Allow)> {
    rows().flat_map(|row| row.paths.iter().map(|path| (*path, row.allow)))
}

/// A route, by its place in the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Route(u8);

impl Route {
    /// Where there is nothing.
    pub const NONE: Self = Self(u8::MAX);

    /// The route of a path as framing has passed it, without the base path.
    pub fn of(path: &str) -> Self {
        let is_at = |row: &Row| row.paths.iter().any(|place| leads_to(place, path));
        let place = rows().position(is_at);
        let place = place.or_else(|| display::asset(path).map(|_| rows().count() - 1));
        place.and_then(|place| u8::try_from(place).ok()).map_or(Self::NONE, Self)
    }

    /// Whose the route at `path` is. Where there is nothing, an old interface is that of the full
    /// family.
    pub fn family(self, path: &str) -> Family {
        if self == Self::NONE && path.starts_with("/api/") && !is_ours(path) {
            return Family::Full;
        }
        let families =
            FAMILIES.into_iter().flat_map(|(family, rows)| rows.iter().map(move |_| family));
        families.into_iter().nth(usize::from(self.0)).unwrap_or(Family::Native)
    }

    /// Its path as people write it; `other` where there is nothing.
    pub fn template(self) -> &'static str {
        rows().nth(usize::from(self.0)).map_or("other", |row| row.paths[0])
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
        let row = rows().nth(usize::from(self.0)).ok_or_else(nothing)?;
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

/// True for a place in the table that a path is at. One with `{id}` or `{name}` has all paths with
/// something in its place: it may have slashes, which cannot come escaped.
fn leads_to(place: &str, path: &str) -> bool {
    let named = ["{id}", "{name}"].into_iter().find_map(|part| place.split_once(part));
    let Some((before, after)) = named else { return place == path };
    let part = path.strip_prefix(before).and_then(|rest| rest.strip_suffix(after));
    part.is_some_and(|part| !part.is_empty())
}

/// True below the interfaces of which every path is ours.
fn is_ours(path: &str) -> bool {
    ["/api/v1/", "/api/admin/"].iter().any(|ours| path.starts_with(ours))
}

fn skips(what: Skipping, id: String) -> Endpoint {
    Endpoint::Change(Change::Skips(what, id))
}

fn view(view: View) -> Endpoint {
    Endpoint::View(ViewKey { view, zone: None })
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
    fn the_description_of_our_routes_has_each_of_them_and_no_other() {
        let text = crate::display::OPENAPI.plain();
        let document: serde_json::Value = serde_json::from_slice(&text).unwrap();
        let described = document["paths"].as_object().unwrap().iter().flat_map(|(path, item)| {
            let methods = item.as_object().unwrap().keys().filter(|key| *key != "parameters");
            methods.map(move |method| format!("{} {path}", method.to_uppercase()))
        });
        let native = FAMILIES.into_iter().filter(|(family, _)| *family == Family::Native);
        let routed = native.flat_map(|(_, rows)| rows).flat_map(|row| {
            let methods =
                row.allow.0.split(", ").filter(|name| !["HEAD", "OPTIONS"].contains(name));
            methods.map(move |method| format!("{method} {}", row.paths[0]))
        });
        let (mut described, mut routed): (Vec<_>, Vec<_>) = (described.collect(), routed.collect());
        described.sort();
        routed.sort();
        assert_eq!(described, routed);
    }

    #[test]
    fn every_path_has_one_route() {
        let paths = || rows().flat_map(|row| row.paths);
        for path in paths() {
            assert_eq!(paths().filter(|other| *other == path).count(), 1, "{path}");
        }
        assert!(rows().count() < usize::from(u8::MAX));
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
            ("/feeds/a.b.ics", "/feeds/{name}.ics"),
            ("/feeds/.ics", "other"),
            ("/feeds/a", "other"),
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
    fn an_id_in_a_query_may_look_like_a_path() {
        for (query, expected) in [
            ("id=a%40b", Some("a@b")),
            ("x=1&id=..%2F..%2Fadmin%2Femergency-disable", Some("../../admin/emergency-disable")),
            ("id=a%2Bb+c%26d%3D%C3%A9", Some("a+b c&d=é")),
            ("id=.", Some(".")),
            ("", None),
            ("id=", None),
            ("ID=a", None),
        ] {
            let path = "/api/v1/skips";
            let found = Route::of(path).find(Method::Post, path, query);
            match expected {
                Some(id) => assert_eq!(found, Ok(skips(Skipping::Skip, id.to_owned())), "{query}"),
                None => assert_eq!(found.map_err(|it| it.status), Err(Status::BAD_REQUEST)),
            }
        }
        for (length, is_one) in [(640, true), (641, false)] {
            let query = format!("id={}", "a".repeat(length));
            let found = Route::of("/api/v1/hidden").find(Method::Delete, "/api/v1/hidden", &query);
            assert_eq!(found.is_ok(), is_one, "{length}");
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

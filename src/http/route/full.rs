//! The routes of the Python web server. What turns the wall answers to GET as well, since its
//! front-ends ask in this way; pages of other sites may not.

use super::query::Query;
use super::table::{allowed, routes};
use super::{Change, Endpoint, Figures, view};
use crate::pipeline::key::full::View::{self, Calendar, Data, Database, Export, Info};
use crate::pipeline::key::{self, ViewKey};

/// The short answers of the full family.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FullFigures {
    /// `GET /health`.
    Health,
    /// `GET /api/status`.
    Status,
    /// `GET /api/layouts`.
    Layouts,
    /// `GET /api/events/hidden`.
    Hidden,
}

/// What becomes of what is hidden.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hiding {
    /// `POST /api/v1/hidden?id` and `/api/v1/hidden/{id}`.
    Hide,
    /// `DELETE` of the same.
    Unhide,
    /// `POST /api/events/hide`, with the id in its body.
    FullHide,
    /// `POST /api/events/unhide`, with the id in its body.
    FullUnhide,
}

/// What becomes of the settings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Setting {
    /// A part is set.
    Put(Part),
    /// `POST /api/settings/import`: all of them are.
    Import,
    /// `POST /api/settings/reset`.
    Reset,
    /// `POST /api/settings/filters/patterns`.
    AddPattern,
    /// `DELETE /api/settings/filters/patterns`.
    RemovePattern,
    /// `POST /api/settings/validate`: nothing is, but they are judged.
    Validate,
}

/// A part of the settings.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Part {
    /// All of them.
    All,
    /// Which events are shown.
    Filters,
    /// How pages look.
    Display,
    /// What becomes of meetings that overlap.
    Conflicts,
}

/// What becomes of what the wall shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Turning {
    /// `/api/refresh`: the same, from feeds that are fetched again.
    Refresh,
    /// `/api/navigate`: another day.
    Date,
    /// `/api/layout`, `/api/theme`: another layout.
    Layout,
}

/// What is told with the page that the wall shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Shown {
    /// Nothing.
    Page,
    /// Its layout.
    Layout,
}

/// What may be asked of the database.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Table {
    /// How large it is, and what it holds.
    Info,
    /// Its tables.
    Tables,
    /// How they were made.
    Schema,
}

routes! { (path, query)
    "/calendar": Get => of(Calendar);
    "/health": Get => figures(FullFigures::Health);
    "/api/status": Get => figures(FullFigures::Status);
    "/api/layouts": Get => figures(FullFigures::Layouts);
    "/api/whats-next/data":
        Get => Query::read(query, &["debug_time"])?.view(|query| key::View::Full(
            Data(query.debug_time))),
        Post => Endpoint::Change(Change::AskData);
    "/api/refresh": Get => turn(Turning::Refresh, query), Post => turn(Turning::Refresh, query);
    "/api/navigate": Get => turn(Turning::Date, query), Post => turn(Turning::Date, query);
    "/api/layout" | "/api/theme":
        Get => turn(Turning::Layout, query), Post => turn(Turning::Layout, query);
    "/api/events/hide": Post => hide(Hiding::FullHide);
    "/api/events/unhide": Post => hide(Hiding::FullUnhide);
    "/api/events/hidden": Get => figures(FullFigures::Hidden);
    "/api/settings": Get => part(Part::All), Put => set(Setting::Put(Part::All), query);
    "/api/settings/filters":
        Get => part(Part::Filters), Put => set(Setting::Put(Part::Filters), query);
    "/api/settings/display":
        Get => part(Part::Display), Put => set(Setting::Put(Part::Display), query);
    "/api/settings/conflicts":
        Get => part(Part::Conflicts), Put => set(Setting::Put(Part::Conflicts), query);
    "/api/settings/filters/patterns":
        Post => set(Setting::AddPattern, query), Delete => set(Setting::RemovePattern, query);
    "/api/settings/validate": Post => set(Setting::Validate, query);
    "/api/settings/export": Get => guarded(Export);
    "/api/settings/import": Post => set(Setting::Import, query);
    "/api/settings/reset": Post => set(Setting::Reset, query);
    "/api/settings/info": Get => guarded(Info);
    "/api/database/info": Get => of(Database(Table::Info));
    "/api/database/tables": Get => of(Database(Table::Tables));
    "/api/database/schema": Get => of(Database(Table::Schema));
    "/api/database/query": Post => Endpoint::Change(Change::AskDatabase);
}

fn of(of: View) -> Endpoint {
    view(key::View::Full(of))
}

fn guarded(view: View) -> Endpoint {
    Endpoint::Guarded(ViewKey { view: key::View::Full(view), zone: None })
}

fn part(part: Part) -> Endpoint {
    guarded(View::Settings(part, None))
}

fn figures(figures: FullFigures) -> Endpoint {
    Endpoint::Figures(Figures::Full(figures))
}

fn turn(what: Turning, query: &str) -> Endpoint {
    Endpoint::Change(Change::Wall(what, query.to_owned()))
}

fn hide(what: Hiding) -> Endpoint {
    Endpoint::Change(Change::Hide(what, String::new()))
}

fn set(what: Setting, query: &str) -> Endpoint {
    Endpoint::Change(Change::Set(what, query.to_owned()))
}

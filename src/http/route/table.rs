//! How a family of routes is written down: a row for each, with its methods and what they ask for.

use super::{Allow, Endpoint, Refusal};
use crate::http::frame::Method;

/// One row of the table.
pub(super) struct Row {
    /// The first is its template, which the others are counted under.
    pub(super) paths: &'static [&'static str],
    pub(super) allow: Allow,
    /// What a method (GET for HEAD) asks for at a path with a query; `None` for one that is not
    /// allowed.
    pub(super) find: fn(Method, &str, &str) -> Result<Option<Endpoint>, Refusal>,
}

macro_rules! routes {
    (($path:ident, $query:ident)
     $($($place:literal)|+: $($method:ident => $endpoint:expr),+;)*) => {
        /// The routes of this family, each once.
        pub(super) const ROUTES: &[$crate::http::route::table::Row] =
            &[$($crate::http::route::table::Row {
                paths: &[$($place),+],
            allow: $crate::http::route::Allow(concat!($(allowed!($method),)+ "OPTIONS")),
            find: |method, $path, $query| {
                let _ = ($path, $query);
                Ok(Some(match method {
                    $($crate::http::frame::Method::$method => $endpoint,)+
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

pub(super) use {allowed, routes};

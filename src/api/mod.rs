//! Endpoints: what each route answers. One file a family; all of them say what
//! [`crate::calendar::selection`] found, in the words of [`crate::calendar::text`].

pub mod admin;
mod endpoints;
pub(crate) mod errors;
pub mod json;
pub mod kpi;
pub mod lite;
pub mod native;
mod prometheus;
pub mod setup;
pub mod skips;
mod stats;

pub use endpoints::{Api, Known};

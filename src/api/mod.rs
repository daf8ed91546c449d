//! Endpoints: what each route answers. One file a family; all of them say what
//! [`crate::calendar::selection`] found, in the words of [`crate::calendar::text`].

pub mod admin;
mod endpoints;
pub(crate) mod errors;
pub mod full;
mod hidden;
pub mod json;
pub mod kpi;
pub mod lite;
pub mod native;
pub mod people;
mod prometheus;
pub mod setup;
mod skips;
mod stats;

pub use endpoints::{Api, Done, Known};

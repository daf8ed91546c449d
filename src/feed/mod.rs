//! Feeds: fetching, reading, keeping.

pub mod fetch;

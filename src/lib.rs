//! calendarbot: a calendar server for a Raspberry Pi Zero 2W, on one executor thread, inside a memory
//! budget.
//!
//! A feed comes in through [`feed`] (fetch, stage, publish) and [`ical`] (bytes to occurrences),
//! rests in SQLite ([`connections::database`]), and goes out through [`pipeline`] (one answer
//! for many askers), [`api`] and [`display`] (what a person should see, from [`calendar`]) and
//! [`http`] (bytes in, bytes out). [`app`] owns everything; `docs/ARCHITECTURE.md` has the map.

pub mod alloc;
pub mod api;
pub mod app;
pub mod budget;
pub mod calendar;
pub mod cli;
pub mod clock;
pub mod config;
pub mod connections;
pub mod daemon;
pub mod demo;
pub mod display;
pub mod error;
pub mod event_loop;
pub mod feed;
pub mod flags;
pub mod hash;
pub mod health;
pub mod http;
pub mod ical;
pub mod metrics;
pub mod pipeline;
pub mod secret;
pub mod tzdb;
pub mod worker;

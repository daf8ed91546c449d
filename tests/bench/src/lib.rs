//! What calendarbot costs: its HTTP server and its reader of calendars beside their peers, its
//! connections and pipeline beside itself without them, and the program as a whole.
//!
//! The product is started as a program, like every peer; what it costs is read from the system,
//! from valgrind and from strace. It is linked into three programs alone: `read-ical`, where its
//! reader stands beside others, `refresh-turns`, which looks at its loop from inside, and
//! `fetch-probe`, which fetches more often than the whole program would.

pub mod answer;
mod calendar;
pub mod connections;
pub mod counts;
pub mod feed_peer;
pub mod feeds;
pub mod goal;
pub mod load;
pub mod memory;
pub mod options;
pub mod pipeline;
pub mod program;
pub mod readers;
pub mod refresh;
pub mod report;
pub mod rounds;
pub mod server;

/// Whatever goes wrong ends the measurement, in words.
pub type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

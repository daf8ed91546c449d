//! What calendarbot's HTTP server costs, beside its peers: the servers, the load and the figures.
//!
//! Nothing of the product is linked here. It is started as a program, like every peer, and asked
//! over loopback; what it costs is read from the system, from valgrind and from strace.

pub mod answer;
pub mod counts;
pub mod load;
pub mod memory;
pub mod report;
pub mod rounds;
pub mod server;

/// Whatever goes wrong ends the measurement, in words.
pub type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

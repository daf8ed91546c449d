//! The connection manager: connections to feed servers and to the database.

pub mod database;
pub mod outbound;

//! The HTTP/1 server: bytes in, bytes out.
//!
//! [`server`] is one task that drains one epoll set; [`connection`] is the state of one slot;
//! [`frame`] judges raw bytes; [`route`] says what is asked for; [`response`] is what goes out.
//! Nothing here knows what a calendar is.

pub mod accept;
mod buffers;
pub mod connection;
pub mod decode;
pub mod frame;
pub mod guard;
pub mod hosts;
pub mod listener;
pub mod peer;
pub mod rate;
mod recent;
pub mod response;
pub mod route;
pub mod server;
pub mod service;
pub mod slab;
mod stream;
pub mod token;

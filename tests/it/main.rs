//! Integration tests: the program's parts beside a scripted feed server, on one thread.

mod feed_server;
mod fetch;
mod generate;

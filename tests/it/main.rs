//! Integration tests: the program beside a scripted feed server, on one thread and at a clock
//! that the test moves; and the program as a process of its own, for what only a process has.

mod admin;
mod attack;
mod budget_proof;
mod calendar;
mod cgroup;
mod configurations;
mod corpus;
mod daemon;
mod dashboard;
mod database;
mod documents;
mod edge;
mod exports;
mod exposition;
mod fallback;
mod feed_server;
mod fetch;
mod filters;
mod framing;
mod full;
mod generate;
mod guarded;
mod health;
mod hostile;
mod http;
mod lite;
mod markup;
mod metrics;
mod native;
mod outbound;
mod pages;
mod pipeline;
mod pooling;
mod process;
mod publish;
mod refresh;
mod reload;
mod rig;
mod routes;
mod secrets;
mod seeded;
mod settings;
mod settings_kept;
mod setup;
mod shares;
mod skips;
mod slow_readers;
mod soak;
mod storage;
mod strangers;
mod streams;
mod switches;
mod turns;
mod warmth;
mod window;

/// Tests that look at memory read the same figures as the program does.
#[global_allocator]
static ALLOCATOR: calendarbot::alloc::Counting = calendarbot::alloc::Counting;

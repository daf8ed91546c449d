//! `calendarbot`: see [`calendarbot::cli`].

use std::process::ExitCode;

use calendarbot::{alloc, cli};

#[global_allocator]
static ALLOCATOR: alloc::Counting = alloc::Counting;

fn main() -> ExitCode {
    alloc::configure();
    cli::main()
}

//! `load`: asks a server and prints as JSON what came of it.

use std::time::Duration;

use calendarbot_bench::Result;
use calendarbot_bench::load::{End, Plan, run};
use lexopt::prelude::*;
use nanoserde::SerJson;

const USAGE: &str = "load ADDRESS [--path /] [--connections 64] [--requests N | --seconds S] \
                     [--close] [--every-ms N]";

fn main() -> Result<()> {
    println!("{}", run(&plan()?)?.serialize_json());
    Ok(())
}

fn plan() -> Result<Plan> {
    let mut address = None;
    let mut path = String::from("/");
    let mut connections = 64;
    let mut end = End::Time(Duration::from_secs(2));
    let mut keep_alive = true;
    let mut interval = None;
    let mut arguments = lexopt::Parser::from_env();
    while let Some(argument) = arguments.next()? {
        match argument {
            Value(value) => address = Some(value.parse()?),
            Long("path") => path = arguments.value()?.string()?,
            Long("connections") => connections = arguments.value()?.parse()?,
            Long("requests") => end = End::Requests(arguments.value()?.parse()?),
            Long("seconds") => {
                end = End::Time(Duration::from_secs_f64(arguments.value()?.parse()?))
            }
            Long("close") => keep_alive = false,
            Long("every-ms") => {
                interval = Some(Duration::from_millis(arguments.value()?.parse()?));
            }
            Long("help") => return Err(USAGE.into()),
            _ => return Err(argument.unexpected().into()),
        }
    }
    let address = address.ok_or(USAGE)?;
    Ok(Plan { address, path, connections, end, keep_alive, interval })
}

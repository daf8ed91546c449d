//! `refresh-turns CONFIG DATA BUDGET`: the whole program in this process, from its start to the
//! end of its first refresh, and a task beside it that is always ready and measures what the
//! others take.
//!
//! Between two turns of that task every other task that is ready has had one. What it measures is
//! the thread's time on the processor, so that what else runs on the machine, and the program's
//! own other threads, are not in it.

use std::process::ExitCode;
use std::rc::Rc;
use std::time::Duration;

use calendarbot::app::App;
use calendarbot::clock::Clock;
use calendarbot::config::{self, Inputs};
use calendarbot::event_loop::EventLoop;
use calendarbot::metrics::Metrics;
use calendarbot_bench::Result;
use calendarbot_bench::refresh::Turns;
use nanoserde::SerJson;
use rustix::time::{ClockId, clock_gettime};
use smol::{LocalExecutor, future};

fn main() -> ExitCode {
    match run() {
        Ok(turns) => {
            println!("{}", turns.serialize_json());
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("refresh-turns: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<Turns> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [file, data, budget] = &arguments[..] else { return Err("CONFIG DATA BUDGET".into()) };
    let args = ["-c", file, "--data-dir", data, "--memory-budget", budget, "--port", "0"];
    let inputs = Inputs { args: args.map(Into::into).into(), ..Inputs::default() };
    let config = config::load(&config::parse(&inputs)?, &inputs)?;
    let event_loop = Rc::new(EventLoop::new()?);
    let app = App::open(config, Clock::system(None), Rc::clone(&event_loop))?;
    let metrics = app.metrics();
    let executor = Rc::new(LocalExecutor::new());
    let (_orders, taken) = async_channel::bounded(1);
    let program = {
        let executor = Rc::clone(&executor);
        async move {
            app.run(&executor, taken).await;
            Err("the program ended".into())
        }
    };
    event_loop.run(&executor, future::or(program, probe(metrics)))
}

async fn probe(metrics: Rc<Metrics>) -> Result<Turns> {
    let mut turns = Turns::default();
    let mut before = processor_time();
    while metrics.refreshes.get() == 0 {
        if metrics.refreshes_failed.get() > 0 {
            return Err("the refresh failed".into());
        }
        future::yield_now().await;
        let now = processor_time();
        let milliseconds = now.saturating_sub(before).as_secs_f64() * 1e3;
        turns.over_1_ms += u64::from(milliseconds > 1.0);
        turns.longest_ms = turns.longest_ms.max(milliseconds);
        before = now;
    }
    Ok(turns)
}

/// Of this thread.
fn processor_time() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(time.tv_sec.unsigned_abs(), u32::try_from(time.tv_nsec).unwrap_or(0))
}

//! `fetch-probe POOLING URL FETCHES AUTHORITY`: fetches a calendar again and again, through the
//! product's pool or with a connection for each, and prints what one fetch took. The authority is
//! a certificate in a file, which only TLS needs.

use std::process::ExitCode;
use std::rc::Rc;
use std::time::{Duration, Instant};

use calendarbot::alloc;
use calendarbot::budget::{FeedLimits, Plan};
use calendarbot::clock::Clock;
use calendarbot::connections::outbound::{Outbound, Policy};
use calendarbot::feed::fetch::{Fetched, Request, fetch};
use calendarbot::metrics::Metrics;
use calendarbot_bench::Result;
use calendarbot_bench::connections::Sample;
use calendarbot_bench::rounds::median;
use calendarbot_bench::server::status_kib;
use nanoserde::SerJson;
use rustix::time::{ClockId, clock_gettime};

/// The budget of a Pi.
const BUDGET_BYTES: usize = 16 << 20;

#[global_allocator]
static ALLOCATOR: alloc::Counting = alloc::Counting;

fn main() -> ExitCode {
    match smol::block_on(run()) {
        Ok(sample) => {
            println!("{}", sample.serialize_json());
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("fetch-probe: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn run() -> Result<Sample> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [pooling, url, fetches, authority] = &arguments[..] else {
        return Err("POOLING URL FETCHES AUTHORITY".into());
    };
    let limits = Plan::divide(BUDGET_BYTES, 1, FeedLimits::default()).limits;
    let clock = Clock::system(None);
    let outbound = Outbound::new(clock.clone(), &limits.refresh, Rc::new(Metrics::default()));
    let url = url.parse()?;
    let roots = std::fs::read(authority).ok().map(Into::into).into_iter().collect();
    let outbound = outbound.with_roots(roots)?;
    outbound.keep_connections(pooling.parse()?);
    let policy = Policy { allow_private: true, ..Policy::default() };
    let request = || Request {
        url: &url,
        headers: &[],
        user_agent: "fetch-probe",
        etag: None,
        last_modified: None,
        policy: &policy,
        body_bytes_max: limits.feed.bytes_max,
        body_time: limits.refresh.body_time,
    };
    let fetches: u32 = fetches.parse()?;
    let mut buffer = vec![0; limits.refresh.read_buffer_bytes];
    let mut latencies = Vec::new();
    let mut spent = Duration::ZERO;
    let mut allocations = 0;
    // The first one is what every program begins with.
    for fetch_number in 0..=fetches {
        let (began, before, allocated) = (Instant::now(), processor_time(), alloc::allocations());
        match fetch(&outbound, &clock, &limits.refresh, request()).await? {
            Fetched::Body(mut body) => while body.read(&mut buffer).await? > 0 {},
            Fetched::NotModified => return Err("nobody has asked whether it was".into()),
        }
        if fetch_number > 0 {
            latencies.push(began.elapsed().as_secs_f64() * 1e6);
            spent += processor_time().saturating_sub(before);
            allocations += alloc::allocations() - allocated;
        }
    }
    Ok(Sample {
        latency_us: median(latencies).ok_or("no fetch")?,
        cpu_us: spent.as_secs_f64() * 1e6 / f64::from(fetches),
        allocations: allocations as f64 / f64::from(fetches),
        peak_kib: status_kib("self", "VmHWM")? as f64,
    })
}

/// Of all threads.
fn processor_time() -> Duration {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    Duration::new(time.tv_sec.unsigned_abs(), u32::try_from(time.tv_nsec).unwrap_or(0))
}

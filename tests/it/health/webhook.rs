//! Alerts are posted to a server of the operator's.

use calendarbot::config::{Inputs, load, parse};

use super::*;
use crate::feed_server::{Reply, run_within};

/// Celsius from which the machine is too hot, and far from it.
const HOT: f32 = 90.0;
const COOL: f32 = 40.0;

/// A program with a webhook, in a machine whose temperature the test sets.
async fn start(executor: &Rc<LocalExecutor<'static>>, hook: &FeedServer) -> (Bench, Knob<f32>) {
    let heat = knob(COOL);
    let model = turned(&heat, |machine, celsius| machine.celsius = Some(celsius));
    let further = format!("alerts.webhook = \"{}\"", hook.url("/hook?key=secret"));
    (Bench::start(executor, &further, model, |it| &it.alert_temperature).await, heat)
}

fn posts(hook: &FeedServer) -> Vec<String> {
    let posted = |request: &String| request.split_once("\r\n\r\n").map(|(_, body)| body.to_owned());
    hook.requests().iter().filter_map(posted).collect()
}

#[test]
fn each_edge_of_an_alert_is_posted_once_and_tells_nothing_of_the_feeds() {
    run_within(Duration::from_secs(60), |executor| async move {
        let taken = Reply::answer(204, &[], "");
        let hook = FeedServer::start(&executor, Script::new().reply("/hook?key=secret", taken));
        let (mut bench, heat) = start(&executor, &hook).await;
        heat.set(HOT);
        bench.until("an alert", |rig| rig.metrics.alerts_posted.get() > 0).await;
        heat.set(COOL);
        bench.until("its end", |rig| rig.metrics.alert_temperature.get() == 0).await;
        let posted = |rig: &Rig| rig.metrics.alerts_posted.get() == hook.requests().len() as u64;
        bench.until("the post", posted).await;
        let said = posts(&hook);
        let first = "{\"alert\":\"temperature\",\"level\":\"critical\",\"was\":\"quiet\",\
                     \"value\":90.0,\"threshold\":80.0,\"unit\":\"degrees Celsius\",\"at\":\"2026-";
        assert!(said[0].starts_with(first), "{}", said[0]);
        let last = said.last().expect("a post");
        assert!(last.contains("\"level\":\"quiet\""), "{last}");
        let own = bench.server.address().to_string();
        assert!(hook.requests().iter().all(|request| !request.contains(&own)));
        assert!(hook.requests()[0].contains("\r\ncontent-type: application/json\r\n"));
        assert_eq!(bench.get(|it| &it.alerts_not_posted), 0);
    });
}

#[test]
fn what_is_not_taken_is_posted_again_and_then_given_up() {
    run_within(Duration::from_secs(60), |executor| async move {
        let hook = FeedServer::start(&executor, Script::new().status("/hook?key=secret", 500));
        let (mut bench, heat) = start(&executor, &hook).await;
        heat.set(HOT);
        bench.until("the end of it", |rig| rig.metrics.alerts_not_posted.get() == 1).await;
        let said = posts(&hook);
        assert!(said.len() == 3 && said.iter().all(|post| *post == said[0]), "{said:?}");
        assert_eq!(bench.get(|it| &it.alerts_posted), 0);
    });
}

#[test]
fn only_a_url_is_a_webhook_and_nobody_is_shown_it() {
    let folder = folder();
    let check = |url: &str| {
        let text = format!("alerts.webhook = \"{url}\"\n");
        let path = folder.path().join("c.toml");
        std::fs::write(&path, text).expect("written");
        let args = ["-c", path.to_str().expect("UTF-8"), "--data-dir", "/tmp"];
        let args = args.iter().map(Into::into).collect();
        let inputs = Inputs { args, default_budget: 16 << 20, ..Inputs::default() };
        load(&parse(&inputs).expect("arguments"), &inputs)
    };
    check("https://example.org/hook").expect("a URL");
    let error = check("ftp://example.org/secret").map(|_| ()).expect_err("no URL").to_string();
    assert!(error.contains("alerts.webhook") && !error.contains("secret"), "{error}");
}

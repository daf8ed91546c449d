//! Tells of alerts elsewhere: each edge is posted to the webhook, if there is one, in order.

use std::rc::Rc;
use std::time::Duration;

use async_channel::Receiver;
use jiff::Timestamp;

use crate::api::admin::Current;
use crate::feed::Server;
use crate::feed::refresh::Refresher;
use crate::health::alert::Edge;

/// Edges that wait to be posted. With more, the log has them.
pub(super) const EDGES_MAX: usize = 16;

/// How long to wait before each attempt; after the last one the edge is given up.
const WAITS: [Duration; 3] = [Duration::ZERO, Duration::from_secs(30), Duration::from_secs(300)];

/// Who posts.
pub(super) struct Herald {
    pub(super) refresher: Rc<Refresher>,
    pub(super) current: Rc<Current>,
    pub(super) edges: Receiver<(Edge, Timestamp)>,
}

impl Herald {
    /// Run it as a task, once.
    pub(super) async fn run(self) {
        while let Ok((edge, at)) = self.edges.recv().await {
            let server = {
                let config = self.current.config();
                config.health.alerts.webhook.as_ref().and_then(Server::of_webhook)
            };
            if let Some(server) = server {
                self.post(&server, &edge, at).await;
            }
        }
    }

    async fn post(&self, server: &Server, edge: &Edge, at: Timestamp) {
        let (metrics, text) = (&self.refresher.metrics, text(edge, at));
        for (wait, left) in WAITS.into_iter().zip((0..WAITS.len()).rev()) {
            self.refresher.clock.sleep(wait).await;
            match self.refresher.post(server, &text).await {
                Ok(()) => return metrics.alerts_posted.count(),
                Err(error) if left == 0 => log::warn!("an alert was not posted: {error}"),
                Err(error) => log::info!("an alert is posted again in a while: {error}"),
            }
        }
        metrics.alerts_not_posted.count();
    }
}

/// An edge as JSON. Nothing in it was ever anybody's text.
fn text(edge: &Edge, at: Timestamp) -> String {
    let (name, unit) = edge.alert.name_and_unit();
    let value = edge.value.map_or("null".into(), |value| format!("{value:.1}"));
    format!(
        "{{\"alert\":\"{name}\",\"level\":\"{}\",\"was\":\"{}\",\"value\":{value},\
         \"threshold\":{:.1},\"unit\":\"{unit}\",\"at\":\"{at}\"}}",
        edge.to.name(),
        edge.from.name(),
        edge.threshold,
    )
}

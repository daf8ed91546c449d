//! Posting to a server of the operator's, through the connections to feed servers.

use super::Refresher;
use crate::feed::Server;
use crate::feed::fetch::{self, FetchError};

impl Refresher {
    /// Posts a text as JSON. It takes the memory of a refresh, so it waits to be one of those under
    /// way.
    ///
    /// # Errors
    /// When the server cannot be reached or does not take it, in words without its URL.
    pub async fn post(&self, server: &Server, text: &str) -> Result<(), FetchError> {
        let _permit = self.permit().await;
        let request = fetch::Request {
            url: &server.url,
            headers: &server.headers,
            user_agent: &server.user_agent,
            etag: None,
            last_modified: None,
            policy: &server.policy,
            body_bytes_max: 0,
            body_time: server.body_time,
        };
        fetch::post(&self.outbound, &self.clock, &self.limits.refresh, &request, text).await
    }
}

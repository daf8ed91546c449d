//! Who is let in: where a message leads, and what its head and its way here say about it.

use std::net::IpAddr;
use std::rc::Rc;
use std::time::Duration;

use super::{Asker, Service};
use crate::clock::Moment;
use crate::http::frame::Message;
use crate::http::guard;
use crate::http::peer::{Forwarded, Peer, came_directly};
use crate::http::response::{Answer, Status};
use crate::http::route::{Clearance, Endpoint, Route};

/// The address that a client's requests are counted by; programs on this machine may ask freely.
fn metered(client: Peer) -> Option<IpAddr> {
    match client {
        Peer::Address(address) if !client.is_near() => Some(address),
        Peer::Address(_) | Peer::Local => None,
    }
}

impl Service {
    /// Where a message leads, and its path from there on: without the base path, which alone
    /// leaves nothing.
    pub(super) fn place<'b>(&self, message: &Message<'_, 'b>) -> (Route, &'b str) {
        match message.path.strip_prefix(&*self.edge.base_path) {
            Some(path) if path.is_empty() || path.starts_with('/') => (Route::of(path), path),
            _ => (Route::NONE, message.path),
        }
    }

    /// Judges a message by its head and its way here.
    pub(super) fn admit(
        &self,
        asker: &Asker<'_>,
        message: &Message<'_, '_>,
        (route, path): (Route, &str),
        way: &Forwarded<'_>,
        now: Moment,
    ) -> Result<Endpoint, Rc<Answer>> {
        let (edge, family) = (&self.edge, route.family(path));
        if !asker.is_admitted
            && let Err(wait) = self.charge(way.client, now)
        {
            self.metrics.http_limited.count();
            return Err(self.api.too_often(family, wait));
        }
        if !edge.hosts.are_ours(message.host) {
            let detail = "this server has another name; see server_names in the configuration";
            return Err(self.api.failure(family, Status::MISDIRECTED, detail));
        }
        let endpoint = match path {
            "" => Endpoint::Moved(format!("{}{}/", way.prefix, edge.base_path)),
            _ => {
                let found = route.find(message.method, path, message.query);
                found.map_err(|refusal| self.api.refusal(family, &refusal))?
            }
        };
        guard::check_change(message, way.scheme, endpoint.is_change(), endpoint.media_types())
            .map_err(|(status, detail)| self.api.failure(family, status, detail))?;
        let (clearance, shown) = (endpoint.clearance(), message.field("authorization"));
        let admitted = match &endpoint {
            Endpoint::View(key) if key.view.is_spoken() => {
                edge.gates.assistants.admit_if_set(way.client, shown, now)
            }
            _ if clearance == Clearance::Anyone => Ok(()),
            _ => {
                let is_here =
                    came_directly(asker.peer, message.headers) && !edge.proxies.trust(asker.peer);
                let is_open =
                    clearance == Clearance::Settings && edge.gates.opens_settings(way.client);
                edge.gates.operators.admit(is_here || is_open, way.client, shown, now)
            }
        };
        admitted.map_err(|barred| self.api.barred(family, barred))?;
        Ok(endpoint)
    }

    pub(super) fn charge(&self, client: Peer, now: Moment) -> Result<(), Duration> {
        let address = metered(client);
        address.map_or(Ok(()), |address| self.edge.rate.borrow_mut().take(address, now))
    }

    /// An answer that had to be made costs its client more than one that was there.
    pub(super) fn owe(&self, client: Peer, now: Moment) {
        if let Some(address) = metered(client) {
            self.edge.rate.borrow_mut().owe(address, self.limits.rate_made_tokens, now);
        }
    }
}

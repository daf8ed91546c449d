//! A feed is tried before anybody configures it: fetched and read as a refresh does it, and nothing
//! of it is kept.

use smol::future;

use super::{Batch, Refresher, window_around};
use crate::calendar::prospect::{Candidate, Prospect};
use crate::error::Error;
use crate::feed::Server;
use crate::feed::fetch::{self, FetchError, Fetched};
use crate::ical::Window;
use crate::ical::component::{Kind, NotACalendar, Reader};
use crate::ical::zone::Zones;
use crate::tzdb::tzdb;

/// What a feed turned out to hold.
#[derive(Debug, Default)]
pub struct Found {
    /// Events that can be read.
    pub events: usize,
    /// Components that cannot.
    pub skipped: u64,
    /// The first of them, each with UID, line and reason.
    pub skipped_reasons: Vec<String>,
    /// What comes first from now on, in the window that would be kept.
    pub ahead: Vec<Candidate>,
}

/// Why a feed cannot be used.
#[derive(Debug)]
pub enum Unusable {
    /// It does not come.
    Fetch(FetchError),
    /// What comes is no calendar.
    Body(NotACalendar),
    /// Something here is out of order.
    Ours(Error),
}

impl From<FetchError> for Unusable {
    fn from(error: FetchError) -> Self {
        Self::Fetch(error)
    }
}

impl From<NotACalendar> for Unusable {
    fn from(error: NotACalendar) -> Self {
        Self::Body(error)
    }
}

impl Refresher {
    /// Looks at a feed. It takes the place of a refresh, which may wait for it.
    ///
    /// # Errors
    /// Why it cannot be used.
    pub async fn try_out(&self, server: &Server) -> Result<Found, Unusable> {
        let _permit = self.permit().await;
        let limits = &self.limits.refresh;
        let request = self.request(server);
        let fetched = fetch::fetch(&self.outbound, &self.clock, limits, request).await?;
        // It was asked for without a condition.
        let Fetched::Body(mut body) = fetched else { return Ok(Found::default()) };
        let mut reader = Reader::new(&self.limits.feed);
        let mut buffer = vec![0; limits.read_buffer_bytes];
        let (mut batch, mut found) = (Batch::default(), Found::default());
        let (now, zone) = (self.clock.wall(), self.feeds.zone());
        let window = Window { start: now, ..window_around(now, &zone, &self.limits) };
        let zones = Zones::new(tzdb(), zone.clone(), None);
        let mut prospect = Prospect::new(zones, zone, window, &self.limits.feed);
        let mut held = self.metrics.memory.refreshes.hold(buffer.len());
        loop {
            let count = body.read(&mut buffer).await?;
            if count == 0 {
                break;
            }
            self.metrics.feed_bytes.add(count as u64);
            reader.push(&buffer[..count], &mut |item| batch.take(item))?;
            let read = body.weight_bytes() + reader.weight_bytes() + batch.bytes;
            held.resize(buffer.len() + read + prospect.weight_bytes());
            if batch.bytes >= limits.stage_bytes_max {
                prospect = self.look(prospect, &mut batch, &mut found).await?;
            }
            future::yield_now().await;
        }
        reader.finish(&mut |item| batch.take(item))?;
        prospect = self.look(prospect, &mut batch, &mut found).await?;
        (found.skipped, found.skipped_reasons) = (batch.skipped, batch.reasons);
        found.ahead = prospect.finish();
        Ok(found)
    }

    /// Looks through what has been read so far, on the thread that expands recurrences for the
    /// database: how long that takes is the feed's choice.
    async fn look(
        &self,
        mut prospect: Prospect,
        batch: &mut Batch,
        found: &mut Found,
    ) -> Result<Prospect, Unusable> {
        batch.bytes = 0;
        let components = std::mem::take(&mut batch.components);
        found.events += components.iter().filter(|it| it.kind == Kind::Event).count();
        let looked = self.database.worker.run(move || {
            components.iter().for_each(|component| prospect.see(component));
            prospect
        });
        let failed = |cause| Error::system("the thread for expansions").because(cause);
        looked.await.map_err(|cause| Unusable::Ours(failed(cause)))
    }
}

//! A feed as a calendar again, for `/feeds/{name}.ics`: piece by piece, as its client takes them, so
//! that nobody holds more of it than one piece.

use std::rc::Rc;

use super::Pipeline;
use crate::error::{Error, Result};
use crate::feed::store::{Place, read_on, read_zones};
use crate::feed::{Feed, Stored};
use crate::hash::fnv1a_parts;
use crate::ical::component::Kind;
use crate::ical::export::{HEAD, Mask, TAIL, event, zone};

/// A piece is full with this much: the socket takes it at once, unless its last component is a very
/// large one.
const PIECE_BYTES: usize = 8 << 10;

/// A feed that is being read out.
pub struct Export {
    feed: Rc<Feed>,
    /// As it was in the beginning.
    stored: Stored,
    settings_generation: u64,
    /// Of what the last piece ended with; `None` before the first.
    place: Option<Place>,
}

/// Why there is nothing to read out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Nothing {
    /// No feed has this name.
    Unknown,
    /// It has not been read yet.
    NoData,
}

impl Pipeline {
    /// The feed of this name, from its beginning.
    ///
    /// # Errors
    /// When there is none, or nothing of it.
    pub fn export(&self, name: &str) -> Result<Export, Nothing> {
        let feeds = &self.sources.feeds;
        let list = feeds.list();
        let feed = list.iter().find(|feed| feed.name == name).ok_or(Nothing::Unknown)?;
        let stored = feed.stored();
        if feed.last_success().is_none() || stored.row == 0 {
            return Err(Nothing::NoData);
        }
        let settings_generation = feeds.settings_generation();
        Ok(Export { feed: Rc::clone(feed), stored, settings_generation, place: None })
    }

    /// Adds the next piece to `piece`. True when it is the last one.
    ///
    /// # Errors
    /// When it cannot be read, and when it is of other data than the pieces before it: half of one
    /// calendar and half of another are a wrong one.
    pub fn next_piece(&self, export: &mut Export, piece: &mut String) -> Result<bool> {
        let Export { feed, stored, settings_generation, place } = export;
        let feeds = &self.sources.feeds;
        if feed.stored() != *stored || feeds.settings_generation() != *settings_generation {
            return Err(Error::store("the feed has changed while it was read out"));
        }
        let place = place.get_or_insert_with(|| {
            piece.push_str(HEAD);
            Place::first(Kind::TimeZone)
        });
        let mask = Some(Mask { source: stored.source, everything: stored.private });
        let limits = &self.sources.feed_limits;
        let is_last = self.sources.database.lease().read(|reader| {
            let zones = read_zones(reader, stored.row, feeds.zone(), limits)?;
            loop {
                let kind = place.kind;
                let is_through = read_on(reader, stored.row, place, &mut |uid, text| {
                    match kind {
                        Kind::TimeZone => zone(uid, text, mask, &zones, piece),
                        Kind::Event => event(text, mask, &zones, piece),
                    }
                    piece.len() < PIECE_BYTES
                })?;
                match kind {
                    _ if !is_through => return Ok(false),
                    Kind::TimeZone => *place = Place::first(Kind::Event),
                    Kind::Event => return Ok(true),
                }
            }
        })?;
        if is_last {
            piece.push_str(TAIL);
        }
        drop(self.sources.metrics.memory.views.hold(piece.capacity()));
        Ok(is_last)
    }
}

impl Export {
    /// Names what is read out: the same only for the same data, seen in the same way. `process`
    /// tells this life of the program from others, since its numbers begin anew.
    pub fn entity_tag(&self, process: u64) -> String {
        let Stored { row, source, generation, private } = self.stored;
        let numbers = [process, self.settings_generation, row as u64, source as u64, generation];
        let bytes = numbers.map(u64::to_le_bytes);
        let [a, b, c, d, e] = &bytes;
        format!("\"{:016x}\"", fnv1a_parts(&[a, b, c, d, e, &[u8::from(private)]]))
    }
}

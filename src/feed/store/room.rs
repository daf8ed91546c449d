//! The work and the rows that one publication may cause.

use super::warnings::warn;
use super::{Published, Series};
use crate::budget::FeedLimits;
use crate::calendar::selection;
use crate::ical::expand::expand;
use crate::ical::zone::Zones;
use crate::ical::{Occurrence, Window};

/// What the series of one publication may still take up together. They come by UID, so that it
/// is always the same ones that are cut short.
pub(super) struct Room {
    occurrences: usize,
    steps: usize,
    /// Series that did not fit.
    cut: usize,
}

impl Room {
    pub(super) fn new(limits: &FeedLimits) -> Self {
        Self { occurrences: limits.feed_occurrences_max, steps: limits.feed_steps_max, cut: 0 }
    }

    /// The warnings name the first few series; this counts them all.
    pub(super) fn report(&self, published: &mut Published) {
        if self.cut > 0 {
            let text = format!("{} series are incomplete: the feed is too much", self.cut);
            published.warnings.push(text);
        }
    }
}

impl Series {
    /// The occurrences that are to be stored, those that are shown, out of the room that the feed has left.
    pub(super) fn expand(
        &self,
        zones: &Zones,
        window: Window,
        limits: &FeedLimits,
        room: &mut Room,
        published: &mut Published,
    ) -> Vec<Occurrence> {
        if self.left_out > 0 {
            let text = format!("{} components left out", self.left_out);
            warn(&mut published.warnings, &self.uid, &text);
        }
        let steps_max = limits.steps_max.min(room.steps);
        let reduced = FeedLimits { steps_max, ..limits.clone() };
        let expansion = expand(&self.events, zones, window, &reduced);
        room.steps -= expansion.steps;
        published.steps += expansion.steps;
        if expansion.truncated.is_some() && room.steps == 0 {
            let max = limits.feed_steps_max;
            let text = format!("the feed's rules take more than {max} steps (feed_steps_max)");
            warn(&mut published.warnings, &self.uid, &text);
            room.cut += 1;
        }
        for text in expansion.truncated.iter().chain(&expansion.warnings) {
            warn(&mut published.warnings, &self.uid, text);
        }
        let mut occurrences = expansion.occurrences;
        // Only now: a hidden override takes the place of its instance all the same.
        let details = |found: &Occurrence| &self.events[found.event].details;
        occurrences.retain(|found| selection::hidden(details(found)).is_none());
        if occurrences.len() > room.occurrences {
            warn(&mut published.warnings, &self.uid, "the feed has more occurrences than are kept");
            occurrences.truncate(room.occurrences);
            room.cut += 1;
        }
        room.occurrences -= occurrences.len();
        occurrences
    }
}

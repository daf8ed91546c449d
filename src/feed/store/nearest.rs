//! Which occurrences a feed keeps when it has more than it may: those nearest to today.
//!
//! All are counted first, by their distance from today, in bands: there may be millions. Then each
//! band has room for as many as fit behind those before it.

use super::row::Stored;
use crate::budget::{DISTANCE_BANDS, FeedLimits};
use crate::ical::{Occurrence, Window};

/// A count of occurrences for each band, and then the room for them.
pub(super) struct Nearest {
    today: i64,
    band_seconds: i64,
    bands: Vec<u32>,
}

impl Nearest {
    /// What the counts take in memory.
    pub(super) const WEIGHT_BYTES: usize = DISTANCE_BANDS * size_of::<u32>();

    /// With nothing counted. The window lies around today: an hour of DST more or less is no matter
    /// here.
    pub(super) fn new(window: Window, limits: &FeedLimits) -> Self {
        let (start, end) = (window.start.as_second(), window.end.as_second());
        let (past, future) = (i64::from(limits.past_days), i64::from(limits.future_days));
        let seconds = end - start;
        Self {
            today: start + seconds * past / (past + future).max(1),
            band_seconds: (seconds / DISTANCE_BANDS as i64).max(1),
            bands: vec![0; DISTANCE_BANDS],
        }
    }

    pub(super) fn count(&mut self, occurrences: &[Occurrence]) {
        for occurrence in occurrences {
            let band = self.band(occurrence);
            self.bands[band] = self.bands[band].saturating_add(1);
        }
    }

    /// Turns the counts into room for so many in all.
    pub(super) fn make_room(&mut self, occurrences_max: usize) {
        let mut left = u32::try_from(occurrences_max).unwrap_or(u32::MAX);
        for band in &mut self.bands {
            *band = left.min(*band);
            left -= *band;
        }
    }

    /// Whether there is room for one that was counted; it is taken.
    pub(super) fn keeps(&mut self, occurrence: &Occurrence) -> bool {
        let band = self.band(occurrence);
        let has_room = self.bands[band] > 0;
        self.bands[band] -= u32::from(has_room);
        has_room
    }

    /// What goes on while today begins is nearest of all.
    fn band(&self, occurrence: &Occurrence) -> usize {
        let Stored { start, stop, .. } = Stored::new(occurrence, 0);
        let distance = (start - self.today).max(self.today - stop).max(0);
        usize::try_from(distance / self.band_seconds).map_or(0, |band| band.min(DISTANCE_BANDS - 1))
    }
}

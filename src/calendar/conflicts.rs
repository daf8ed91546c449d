//! Meetings that overlap: which of them goes first, by what people have set.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use jiff::Timestamp;

use super::Agenda;
use super::selection::Meeting;
use super::settings::{ConflictMode, Conflicts};

/// What becomes of one meeting.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Ruling {
    /// It is shown.
    #[default]
    Shown,
    /// It is shown, with a mark.
    Marked,
    /// Another one goes first.
    Lost,
}

/// What becomes of each of `meetings`; nothing is said where all are shown as they are. What lasts
/// for days, or no time, is in nobody's way, and so is what somebody skips.
pub(super) fn rulings<'a>(
    agenda: &Agenda<'a>,
    meetings: impl Iterator<Item = Meeting<'a>>,
) -> Vec<Ruling> {
    let conflicts = &agenda.settings.conflicts;
    if conflicts.mode == ConflictMode::All {
        return Vec::new();
    }
    let meetings: Vec<Meeting<'a>> = meetings.collect();
    let mut rulings = vec![Ruling::Shown; meetings.len()];
    let takes_time = |m: &Meeting<'_>| !m.all_day && m.start < m.end && m.skipped_until.is_none();
    let mut order: Vec<usize> =
        (0..meetings.len()).filter(|index| takes_time(&meetings[*index])).collect();
    if conflicts.mode == ConflictMode::Indicator {
        order.sort_unstable_by_key(|index| meetings[*index].start);
        mark(&meetings, &order, &mut rulings);
    } else {
        order.sort_unstable_by_key(|index| rank(&meetings[*index], conflicts));
        settle(&meetings, &order, &mut rulings);
    }
    if !conflicts.show_multiple {
        let marked = rulings.iter_mut().filter(|ruling| **ruling == Ruling::Marked);
        marked.for_each(|ruling| *ruling = Ruling::Shown);
    }
    rulings
}

/// What goes first is the smallest.
fn rank<'m>(
    meeting: &Meeting<'m>,
    conflicts: &Conflicts,
) -> (bool, Reverse<usize>, bool, Timestamp, &'m str, &'m str) {
    let attendees = meeting.entry.details.attendees.len();
    let has_none = meeting.entry.details.organizer.is_none();
    (
        conflicts.by_acceptance && meeting.tentative,
        Reverse(if conflicts.by_attendee_count { attendees } else { 0 }),
        conflicts.by_organizer && has_none,
        meeting.start,
        meeting.title(),
        meeting.entry.id.as_str(),
    )
}

/// Marks what overlaps its neighbours, in order of their starts.
fn mark(meetings: &[Meeting<'_>], order: &[usize], rulings: &mut [Ruling]) {
    let mut last: Option<usize> = None;
    for &index in order {
        let Some(before) = last.replace(index) else { continue };
        if meetings[index].start < meetings[before].end {
            (rulings[before], rulings[index]) = (Ruling::Marked, Ruling::Marked);
        }
        // The one that ends last is the one that later ones may overlap.
        if meetings[before].end > meetings[index].end {
            last = Some(before);
        }
    }
}

/// Shows what overlaps nothing that goes before it.
fn settle(meetings: &[Meeting<'_>], order: &[usize], rulings: &mut [Ruling]) {
    // Those that are shown overlap each other nowhere.
    let mut shown: BTreeMap<Timestamp, usize> = BTreeMap::new();
    for &index in order {
        let Meeting { start, end, .. } = meetings[index];
        // Of all that begin before this one ends, only the last can go on when it begins.
        let other = shown.range(..end).next_back().map(|(_, other)| *other);
        match other.filter(|other| meetings[*other].end > start) {
            Some(other) => {
                rulings[index] = Ruling::Lost;
                rulings[other] = Ruling::Marked;
            }
            None => _ = shown.insert(start, index),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::calendar::fixture::{Desk, entry, with};
    use crate::calendar::selection::whats_next;
    use crate::ical::{Person, Status};

    /// The ids that are shown of meetings `id hour hour`, those with a mark with a `!`.
    fn check(meetings: &[&str], set: impl FnOnce(&mut Conflicts), expected: &str) {
        let read = |line: &&str| {
            let parts: Vec<&str> = line.split(' ').collect();
            let at = |hour: &str| format!("2025-11-24T{hour}:00:00Z");
            with(entry(parts[0], &at(parts[1]), &at(parts[2])), |entry| {
                let details = entry.details_mut();
                details.attendees = vec![Person::default(); parts[0].matches('x').count()];
                details.organizer = parts[0].contains('o').then(Person::default);
                if parts[0].contains('t') {
                    details.status = Status::Tentative;
                }
            })
        };
        let mut desk =
            Desk::new("2025-11-24T08:00:00Z", "UTC", meetings.iter().map(read).collect());
        desk.skip("skipped");
        set(&mut desk.settings.conflicts);
        let agenda = desk.agenda();
        let view = whats_next(&agenda, 9);
        let all = view.current.iter().chain(&view.next).chain(&view.later);
        let show = |m: &Meeting<'_>| m.entry.id.clone() + if m.has_conflict { "!" } else { "" };
        assert_eq!(all.map(show).collect::<Vec<_>>().join(" "), expected, "{meetings:?}");
    }

    #[test]
    fn all_are_shown_unless_somebody_wants_it_otherwise() {
        check(&["a 09 11", "b 10 12"], |_| {}, "a b");
        let mark = |conflicts: &mut Conflicts| conflicts.mode = ConflictMode::Indicator;
        check(&["a 09 11", "b 10 12", "c 12 13"], mark, "a! b! c");
        check(&["a 09 15", "b 10 11", "c 12 13", "d 15 16"], mark, "a! b! c! d");
        check(&["a 09 10", "skipped 09 12", "b 10 11"], mark, "a b");
        let quiet = |conflicts: &mut Conflicts| {
            (conflicts.mode, conflicts.show_multiple) = (ConflictMode::Indicator, false);
        };
        check(&["a 09 11", "b 10 12"], quiet, "a b");
    }

    #[test]
    fn only_the_first_is_shown_by_the_rules_that_are_on() {
        let primary = |conflicts: &mut Conflicts| conflicts.mode = ConflictMode::Primary;
        check(&["a 09 11", "b 10 12", "c 11 13"], primary, "a! c");
        check(&["a 09 10", "b 10 11"], primary, "a b");
        check(&["t 09 11", "b 10 12"], primary, "b!");
        check(&["skipped 09 12", "b 10 11"], primary, "b");
        let none = |conflicts: &mut Conflicts| {
            (conflicts.mode, conflicts.by_acceptance) = (ConflictMode::Primary, false);
        };
        check(&["t 09 11", "b 10 12"], none, "t!");
        let people = |conflicts: &mut Conflicts| {
            (conflicts.mode, conflicts.by_attendee_count) = (ConflictMode::Primary, true);
        };
        check(&["a 09 11", "bxx 10 12", "cx 11 13"], people, "bxx!");
        check(&["txx 09 11", "b 10 12"], people, "b!");
        let organized = |conflicts: &mut Conflicts| {
            (conflicts.mode, conflicts.by_organizer) = (ConflictMode::Primary, true);
        };
        check(&["a 09 11", "bo 10 12"], organized, "bo!");
    }
}

//! Where things stand beside each other: meetings in a day, and bars over days.

/// Where a meeting stands in its day.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// The first of its columns, from 0.
    pub column: usize,
    /// How many columns it takes.
    pub span: usize,
    /// Columns that share the width there.
    pub of: usize,
}

/// Puts spans of time, `(start, end)` in order of their starts, beside each other where they
/// overlap: each in the first column that is free, as wide as nobody else is in its way. One that
/// finds none among `columns_max` has no place. Whoever has none takes no room from others.
///
/// ```text
///   A A B    A overlaps B, B overlaps C, C overlaps D alone:
///   A A B    one chain, three columns wide where the most are at once,
///   C D B    and D as wide as there is room.
///   C D D
/// ```
pub fn columns(spans: &[(u16, u16)], columns_max: usize) -> Vec<Option<Place>> {
    let mut places: Vec<Option<Place>> = Vec::with_capacity(spans.len());
    let mut chain = 0;
    while chain < spans.len() {
        let mut ends: Vec<u16> = Vec::new();
        let mut chain_end = 0;
        let mut next = chain;
        while let Some(&(start, end)) = spans.get(next) {
            if next > chain && start >= chain_end {
                break;
            }
            let free = ends.iter().position(|&taken_until| taken_until <= start);
            let column = free.or_else(|| {
                (ends.len() < columns_max).then(|| {
                    ends.push(0);
                    ends.len() - 1
                })
            });
            if let Some(column) = column {
                ends[column] = end;
                chain_end = chain_end.max(end);
            }
            places.push(column.map(|column| Place { column, span: 1, of: 1 }));
            next += 1;
        }
        let of = ends.len().max(1);
        for index in chain..next {
            let room = room_beside(spans, &places, index, chain..next, of);
            if let Some(place) = &mut places[index] {
                (place.of, place.span) = (of, room);
            }
        }
        chain = next;
    }
    places
}

/// How many columns one can take before another is in its way.
fn room_beside(
    spans: &[(u16, u16)],
    places: &[Option<Place>],
    index: usize,
    chain: std::ops::Range<usize>,
    of: usize,
) -> usize {
    let (Some(own), (start, end)) = (places[index], spans[index]) else { return 1 };
    let in_the_way = chain
        .filter(|&other| spans[other].0 < end && start < spans[other].1)
        .filter_map(|other| places[other])
        .filter(|place| place.column > own.column)
        .map(|place| place.column)
        .min();
    in_the_way.unwrap_or(of) - own.column
}

/// Puts bars over days, `(first, last)` in order of their first days, below each other where they
/// share a day: each in the first lane that is free on all of its days.
pub fn lanes(bars: &[(usize, usize)]) -> Vec<usize> {
    let mut taken_until: Vec<usize> = Vec::new();
    let mut lane_of = |&(first, last): &(usize, usize)| {
        let lane = taken_until.iter().position(|&until| until <= first).unwrap_or_else(|| {
            taken_until.push(0);
            taken_until.len() - 1
        });
        taken_until[lane] = last + 1;
        lane
    };
    bars.iter().map(&mut lane_of).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Places as `column+span/of`, and `-` for none.
    fn check(spans: &[(u16, u16)], columns_max: usize, expected: &str) {
        let show = |place: Option<Place>| match place {
            Some(Place { column, span, of }) => format!("{column}+{span}/{of}"),
            None => "-".to_owned(),
        };
        let places: Vec<_> = columns(spans, columns_max).into_iter().map(show).collect();
        assert_eq!(places.join(" "), expected, "{spans:?}");
    }

    #[test]
    fn meetings_stand_beside_each_other_where_they_overlap() {
        check(&[], 6, "");
        check(&[(0, 60)], 6, "0+1/1");
        // One after the other.
        check(&[(0, 60), (60, 120)], 6, "0+1/1 0+1/1");
        // Two at once, and one afterwards.
        check(&[(0, 60), (30, 90), (90, 120)], 6, "0+1/2 1+1/2 0+1/1");
        // A chain: the third has the first's column back.
        check(&[(0, 60), (30, 90), (60, 120)], 6, "0+1/2 1+1/2 0+1/2");
        // Nested: what is beside two short ones is beside each.
        check(&[(0, 240), (30, 60), (90, 120)], 6, "0+1/2 1+1/2 1+1/2");
        // Nested twice: the first of the inner ones is as wide as there is room.
        check(&[(0, 240), (10, 40), (60, 120), (90, 120)], 6, "0+1/3 1+2/3 1+1/3 2+1/3");
        // The same times.
        check(&[(0, 60), (0, 60), (0, 60)], 6, "0+1/3 1+1/3 2+1/3");
    }

    #[test]
    fn what_lasts_no_time_is_in_nobody_s_way() {
        // Whoever draws them gives them a height before.
        check(&[(60, 60)], 6, "0+1/1");
        check(&[(60, 60), (60, 60)], 6, "0+1/1 0+1/1");
        check(&[(0, 120), (60, 60)], 6, "0+1/2 1+1/2");
    }

    #[test]
    fn one_past_the_columns_has_no_place() {
        let all = |count: usize| vec![(0_u16, 60_u16); count];
        check(&all(3), 3, "0+1/3 1+1/3 2+1/3");
        check(&all(4), 3, "0+1/3 1+1/3 2+1/3 -");
        // It takes no room from those that come when it would still be there.
        check(&[(0, 60), (0, 60), (0, 600), (60, 120)], 2, "0+1/2 1+1/2 - 0+1/1");
        check(&all(1), 0, "-");
    }

    #[test]
    fn thirty_a_day_do_not_cover_each_other() {
        // Lengths and starts of a linear congruential generator.
        let mut state = 7_u32;
        let mut next = |below: u32| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 16) % below
        };
        for _ in 0..200 {
            let mut spans: Vec<(u16, u16)> = Vec::new();
            for _ in 0..30 {
                let start = next(1380) as u16;
                spans.push((start, start + 30 + next(180) as u16));
            }
            spans.sort_unstable();
            let places = columns(&spans, 30);
            for (a, first) in places.iter().enumerate() {
                let first = first.unwrap();
                assert!(first.column + first.span <= first.of);
                for (b, second) in places.iter().enumerate().skip(a + 1) {
                    let second = second.unwrap();
                    let at_once = spans[a].0 < spans[b].1 && spans[b].0 < spans[a].1;
                    let side_by_side = first.column + first.span <= second.column
                        || second.column + second.span <= first.column;
                    assert!(!at_once || (side_by_side && first.of == second.of), "{spans:?}");
                }
            }
        }
    }

    #[test]
    fn bars_stand_below_each_other_where_they_share_a_day() {
        let check = |bars: &[(usize, usize)], expected: &[usize]| {
            assert_eq!(lanes(bars), expected, "{bars:?}");
        };
        check(&[], &[]);
        check(&[(0, 6)], &[0]);
        check(&[(0, 2), (3, 6)], &[0, 0]);
        check(&[(0, 2), (2, 6)], &[0, 1]);
        check(&[(0, 6), (1, 1), (2, 2), (2, 4), (4, 5)], &[0, 1, 1, 2, 1]);
    }
}

//! The cache's rules one by one, and all of them against a list that follows the same.

use super::super::key::{Bound, View, lite};
use super::*;
use crate::flags::Tuning;
use crate::http::response::media;

fn next(limit: u16) -> ViewKey {
    ViewKey { view: View::Next { limit }, zone: None }
}

fn range(day: u16) -> ViewKey {
    let from = Some(Bound::Instant(i64::from(day) * 86_400));
    ViewKey { view: View::Events { from, to: None, calendar: None, limit: 200 }, zone: None }
}

fn answer(bytes: usize) -> Rc<Answer> {
    Rc::new(Answer::ok(media::JSON, vec![b'x'; bytes]))
}

fn share(bytes_max: usize) -> Share {
    Share { bytes_max, entries_max: 1000, entry_bytes_max: bytes_max, ranges_percent: 75 }
}

/// Asks for a key in so many further minutes.
fn heat_up(cache: &mut Cache, key: &ViewKey, minutes: usize) {
    for _ in 0..minutes {
        cache.cool(100, 1);
        assert!(is_hit(&cache.get(key, 100, 1)));
    }
}

/// What an entry with an answer of so many bytes weighs.
fn weight(key: ViewKey, bytes: usize) -> usize {
    let mut cache = Cache::new(share(1_000_000));
    cache.insert(key, answer(bytes), VALID);
    cache.weight_bytes()
}

fn fill(cache: &mut Cache, limits: std::ops::RangeInclusive<u16>) {
    limits.for_each(|limit| assert_eq!(cache.insert(next(limit), answer(2000), VALID), [0; 3]));
}

const VALID: Validity = Validity { from: 100, until: 160, generation: 1 };
const AFTER: Validity = Validity { from: 160, until: 220, generation: 1 };

fn is_hit(found: &Found) -> bool {
    matches!(found, Found::Hit(_))
}

#[test]
fn an_answer_is_good_from_its_making_until_its_end_and_not_a_second_longer() {
    for (now, generation, expected) in [
        (100, 1, "Hit"),
        (159, 1, "Hit"),
        (160, 1, "Expired"),
        (99, 1, "Expired"),
        (120, 2, "Invalidated"),
    ] {
        let mut cache = Cache::new(share(10_000));
        cache.insert(next(1), answer(10), VALID);
        let found = format!("{:?}", cache.get(&next(1), now, generation));
        assert!(found.starts_with(expected), "{now} {generation}: {found}");
        if expected != "Hit" {
            assert!(matches!(cache.get(&next(1), 120, 1), Found::Miss), "{expected}");
        }
    }
}

#[test]
fn the_least_recently_used_goes_first() {
    let mut cache = Cache::new(Share { entries_max: 2, ..share(1_000_000) });
    cache.insert(next(1), answer(1), VALID);
    cache.insert(next(2), answer(1), VALID);
    assert!(is_hit(&cache.get(&next(1), 100, 1)));
    assert_eq!(cache.insert(next(3), answer(1), VALID), [1, 0, 0]);
    assert!(is_hit(&cache.get(&next(1), 100, 1)));
    assert!(!is_hit(&cache.get(&next(2), 100, 1)));
}

/// However fast somebody asks for one thing after the other, and for each of them again.
#[test]
fn a_flood_drops_what_is_as_cold_as_itself() {
    for entries_max in [1000, 8] {
        let mut cache = Cache::new(Share { entries_max, ..share(40_000) });
        cache.insert(next(0), answer(2000), VALID);
        heat_up(&mut cache, &next(0), 1);
        let mut evicted = Evicted::default();
        for variant in 1..=1000 {
            evicted = cache.insert(next(variant), answer(2000), VALID);
            (0..9).for_each(|_| drop(cache.get(&next(variant), 100, 1)));
        }
        assert!(is_hit(&cache.get(&next(0), 100, 1)), "{entries_max}");
        assert!(is_hit(&cache.get(&next(1000), 100, 1)), "{entries_max}: {evicted:?}");
        assert!(cache.has_spare_room());
        assert!(cache.keep_next(&next(0), answer(2000), AFTER, 100).0, "{entries_max}");
        // What has been asked for in many minutes goes before what has been in more.
        let minutes = [(1, 20), (2, 3)];
        let mut cache = Cache::new(Share { entries_max: 2, ..share(40_000) });
        for (limit, _) in minutes {
            cache.insert(next(limit), answer(2000), VALID);
        }
        for (limit, minutes) in minutes {
            heat_up(&mut cache, &next(limit), minutes);
        }
        assert_eq!(cache.insert(next(3), answer(2000), VALID), [1, 0, 0]);
        assert!(is_hit(&cache.get(&next(1), 100, 1)));
    }
}

#[test]
fn an_answer_at_the_entry_limit_is_kept_and_one_byte_more_is_not() {
    let weight = weight(next(1), 1000);
    for (entry_bytes_max, kept) in [(weight, 1), (weight - 1, 0)] {
        let mut cache = Cache::new(Share { entry_bytes_max, ..share(1_000_000) });
        cache.insert(next(1), answer(1000), VALID);
        assert_eq!(cache.len(), kept);
    }
}

#[test]
fn the_same_key_again_replaces_the_answer() {
    let mut cache = Cache::new(share(100_000));
    cache.insert(next(1), answer(10), VALID);
    let weight = cache.weight_bytes();
    cache.insert(next(1), answer(10), VALID);
    assert_eq!((cache.len(), cache.weight_bytes()), (1, weight));
}

#[test]
fn over_85_percent_the_dead_go_and_over_95_the_oldest_until_85() {
    let one = weight(next(1), 2000);
    // Room for 20.
    let mut cache = Cache::new(share(one * 20 + 1000));
    let dead = Validity { until: 101, ..VALID };
    cache.insert(next(1), answer(2000), dead);
    fill(&mut cache, 2..=17);
    assert_eq!(cache.len(), 17, "85 percent, the dead one included");
    let alive = Validity { from: 101, ..VALID };
    assert_eq!(cache.insert(next(18), answer(2000), alive), [0; 3]);
    assert_eq!(cache.weight_bytes() / one, 17, "its bytes are gone");
    assert_eq!(cache.insert(next(19), answer(2000), VALID), [0; 3]);
    assert_eq!(cache.insert(next(20), answer(2000), VALID), [0; 3], "95 percent");
    assert_eq!(cache.weight_bytes() / one, 19);
    assert_eq!(cache.insert(next(21), answer(2000), VALID), [3, 0, 0]);
    assert_eq!(cache.weight_bytes() / one, 17, "85 percent again");
    assert!(!is_hit(&cache.get(&next(4), 120, 1)));
    assert!(is_hit(&cache.get(&next(5), 120, 1)));
}

#[test]
fn ranges_never_push_out_what_the_wall_shows() {
    let mut cache = Cache::new(share(40_000));
    cache.insert(next(1), answer(2000), VALID);
    let evicted: u64 = (0..100).map(|day| cache.insert(range(day), answer(3000), VALID)[1]).sum();
    assert!(evicted > 80, "{evicted}");
    assert!(cache.weight_bytes() > 20_000);
    assert!(is_hit(&cache.get(&next(1), 120, 1)));
    cache.set_ranges_percent(10);
    assert!(cache.weight_bytes() < 40_000 / 10 + 3000);
    assert!(is_hit(&cache.get(&next(1), 120, 1)));
}

#[test]
fn a_part_of_the_share_is_all_there_is_until_the_rest_is_given_back() {
    let mut cache = Cache::new(share(40_000));
    let fill = |cache: &mut Cache| {
        for number in 0..40 {
            cache.insert(next(number), answer(2000), VALID);
        }
        cache.weight_bytes()
    };
    assert!(fill(&mut cache) > 30_000);
    let evicted = cache.set_bytes_percent(35);
    assert!(evicted[0] > 5 && cache.weight_bytes() <= 14_000, "{evicted:?}");
    assert!(fill(&mut cache) <= 14_000);
    cache.clear();
    assert!(fill(&mut cache) <= 14_000, "clearing gives nothing back");
    assert_eq!(cache.set_bytes_percent(100), [0; 3]);
    assert!(fill(&mut cache) > 30_000);
}

/// However many days somebody walks through, displays stay warm.
#[test]
fn ranges_leave_spare_room() {
    let ranges_percent = Tuning::default().ranges_percent as usize;
    let mut cache = Cache::new(Share { ranges_percent, ..share(100_000) });
    cache.insert(next(1), answer(5000), VALID);
    for day in 0..100 {
        cache.insert(range(day), answer(3000), VALID);
        assert!(cache.keep_next(&next(1), answer(5000), AFTER, 150).0, "day {day}");
    }
}

#[test]
fn what_is_made_ahead_follows_when_its_time_has_come() {
    let mut cache = Cache::new(share(100_000));
    assert!(!cache.keep_next(&next(1), answer(20), AFTER, 150).0, "nobody has asked for it");
    cache.insert(next(1), answer(10), VALID);
    assert!(cache.keep_next(&next(1), answer(20), AFTER, 150).0);
    for (now, bytes) in [(159, 10), (160, 20), (219, 20)] {
        let Found::Hit(found) = cache.get(&next(1), now, 1) else { panic!("a hit at {now}") };
        assert_eq!(found.weight_bytes(), answer(bytes).weight_bytes(), "{now}");
    }
    assert!(matches!(cache.get(&next(1), 220, 1), Found::Expired));
    assert!(cache.keep_next(&next(1), answer(10), VALID, 110).0, "in the place of none");
    assert!(is_hit(&cache.get(&next(1), 110, 1)));
    assert!(cache.keep_next(&next(1), answer(10), AFTER, 110).0);
    let newer = Validity { generation: 2, ..VALID };
    assert!(cache.keep_next(&next(1), answer(10), newer, 110).0, "in the place of both");
    assert!(is_hit(&cache.get(&next(1), 110, 2)));
    assert!(matches!(cache.get(&next(1), 160, 2), Found::Expired));
}

#[test]
fn what_is_made_ahead_takes_spare_room_and_that_of_what_is_not_hot() {
    let one = weight(next(1), 2000);
    for (entries, hot, expected) in [
        (12, 12..=12, (true, [0; 3])),
        (14, 14..=14, (true, [1, 0, 0])),
        (14, 2..=14, (true, [1, 0, 0])),
        (14, 1..=14, (false, [0; 3])),
    ] {
        let mut cache = Cache::new(share(one * 20 + 1000));
        fill(&mut cache, 1..=entries);
        cache.cool(100, 1);
        hot.for_each(|limit| assert!(is_hit(&cache.get(&next(limit), 100, 1))));
        assert_eq!(cache.keep_next(&next(entries), answer(2000), AFTER, 110), expected);
    }
}

/// Two answers of more than half of what an entry may weigh.
#[test]
fn what_has_run_out_makes_place_for_what_follows() {
    let mut cache = Cache::new(Share { entry_bytes_max: weight(next(1), 3000), ..share(100_000) });
    cache.insert(next(1), answer(2000), VALID);
    assert!(!cache.keep_next(&next(1), answer(2000), AFTER, 159).0);
    assert!(is_hit(&cache.get(&next(1), 159, 1)));
    assert!(cache.keep_next(&next(1), answer(2000), AFTER, 160).0);
    assert!(is_hit(&cache.get(&next(1), 160, 1)));
}

#[test]
fn what_is_asked_for_again_is_hot_and_cools() {
    let mut cache = Cache::new(share(100_000));
    let hot = |cache: &Cache, now| cache.running_out(now, 2, 1, 10);
    cache.insert(next(1), answer(10), VALID);
    assert_eq!(hot(&cache, 158), (vec![], None), "asked for once");
    cache.get(&next(1), 120, 1);
    assert_eq!(hot(&cache, 158), (vec![], None), "in one minute");
    cache.cool(120, 1);
    cache.get(&next(1), 120, 1);
    assert_eq!(hot(&cache, 157), (vec![], Some(158)));
    assert_eq!(hot(&cache, 158), (vec![(160, next(1))], None));
    assert_eq!(cache.running_out(120, 2, 2, 10), (vec![(120, next(1))], None), "newer data");
    assert_eq!(cache.running_out(158, 2, 1, 0), (vec![], None), "no room for it");
    cache.keep_next(&next(1), answer(10), AFTER, 158);
    assert_eq!(hot(&cache, 158), (vec![], Some(218)));
    cache.insert(ViewKey { view: View::Lite(lite::View::Next), zone: None }, answer(10), VALID);
    let lite = ViewKey { view: View::Lite(lite::View::Next), zone: None };
    (0..9).for_each(|_| drop(cache.get(&lite, 120, 1)));
    assert_eq!(hot(&cache, 218).0, [(220, next(1))], "what holds for a second is left alone");
    let cooled = (1..).find(|_| {
        cache.cool(110, 1);
        hot(&cache, 300).0.is_empty()
    });
    assert_eq!(cooled, Some(8), "minutes after two in which it was asked for");
}

#[test]
fn a_display_that_asks_every_five_minutes_stays_hot() {
    let mut cache = Cache::new(share(100_000));
    for minute in 0..60 {
        let now = minute * 60;
        let valid = Validity { from: now, until: now + 60, generation: 1 };
        if minute % 5 == 0 && !is_hit(&cache.get(&next(1), now, 1)) {
            cache.insert(next(1), answer(10), valid);
        }
        let (due, _) = cache.running_out(now + 58, 2, 1, 10);
        assert_eq!(due.len(), usize::from(minute >= 5), "minute {minute}");
        for (at, key) in due {
            let next = Validity { from: at, until: at + 60, generation: 1 };
            cache.keep_next(&key, answer(10), next, now + 58);
        }
        cache.cool(now + 59, 1);
    }
}

/// What an answer weighs, and when it holds.
type Listed = Option<(usize, Validity)>;

/// An entry in the plainest way.
#[derive(Clone)]
struct Line {
    key: ViewKey,
    current: Listed,
    next: Listed,
    heat: u32,
    is_asked_for: bool,
}

impl Line {
    fn warm_up(&mut self) {
        if !self.is_asked_for {
            (self.is_asked_for, self.heat) = (true, (self.heat + 16).min(255));
        }
    }
}

/// The cache as a list.
struct Model {
    share: Share,
    empty_bytes: usize,
    entries: Vec<Line>,
}

impl Model {
    fn weight_of(&self, line: &Line) -> usize {
        let answers = [line.current, line.next].into_iter().flatten();
        self.empty_bytes + answers.map(|(bytes, _)| bytes).sum::<usize>()
    }

    fn weight(&self, only: Option<Kind>) -> usize {
        let of_kind = |line: &&Line| only.is_none_or(|kind| line.key.view.kind() == kind);
        self.entries.iter().filter(of_kind).map(|line| self.weight_of(line)).sum()
    }

    fn own_share(&self, kind: Kind) -> usize {
        let Share { bytes_max, ranges_percent, .. } = self.share;
        if kind == Kind::Range { bytes_max / 100 * ranges_percent } else { bytes_max }
    }

    fn get(&mut self, key: &ViewKey, now: i64, generation: u64) -> Option<usize> {
        let place = self.entries.iter().position(|line| line.key == *key)?;
        let mut line = self.entries.remove(place);
        line.warm_up();
        let good = |answer: &Listed| {
            answer.filter(|(_, v)| v.generation == generation && v.from <= now && now < v.until)
        };
        if good(&line.current).is_none() {
            line.current = good(&line.next);
            line.next = None;
        }
        let found = line.current.map(|(bytes, _)| bytes);
        self.entries.push(line);
        found
    }

    fn drop_dead(&mut self, now: i64, generation: u64) {
        for Line { current, next, .. } in &mut self.entries {
            for answer in [current, next] {
                *answer = answer.filter(|(_, v)| v.generation == generation && now < v.until);
            }
        }
        self.entries.retain(|line| line.current.is_some() || line.next.is_some() || line.heat > 0);
    }

    fn evict(&mut self, bytes_max: usize, only: Option<Kind>, heat_max: u32) {
        while self.weight(only) > bytes_max {
            let is_foreign = |line: &Line| only.is_some_and(|kind| kind != line.key.view.kind());
            let goes = |line: &Line| !is_foreign(line) && line.heat <= heat_max;
            let Some(place) = self.entries.iter().position(goes) else { return };
            self.entries.remove(place);
        }
    }

    fn insert(&mut self, key: ViewKey, bytes: usize, valid: Validity) {
        let known = self.entries.iter().position(|line| line.key == key);
        let known = known.map(|place| self.entries.remove(place));
        let (heat, is_asked_for) = known.map_or((0, false), |line| (line.heat, line.is_asked_for));
        let kind = key.view.kind();
        let mut line = Line { key, current: Some((bytes, valid)), next: None, heat, is_asked_for };
        line.warm_up();
        let (share, own, weight) = (self.share, self.own_share(kind), self.weight_of(&line));
        let percent = |percent| share.bytes_max / 100 * percent;
        if weight > share.entry_bytes_max.min(own / 100 * 85) {
            return;
        }
        if self.weight(None) + weight > percent(85) {
            self.drop_dead(valid.from, valid.generation);
        }
        if self.weight(Some(kind)) + weight > own {
            for heat in [16, 128, 255] {
                self.evict(own / 100 * 85 - weight, Some(kind), heat);
            }
        }
        if self.weight(None) + weight > percent(95) {
            for heat in [16, 128, 255] {
                self.evict(percent(85) - weight, None, heat);
            }
        }
        if self.entries.len() >= share.entries_max {
            let coldest = |heat| self.entries.iter().position(|line| line.heat <= heat);
            self.entries.remove([16, 128, 255].into_iter().find_map(coldest).unwrap());
        }
        self.entries.push(line);
    }

    fn keep_next(&mut self, key: &ViewKey, bytes: usize, valid: Validity, now: i64) {
        let kind = key.view.kind();
        let (own, spare) = (self.own_share(kind), self.share.bytes_max / 100 * 70);
        let Some(place) = self.entries.iter().position(|line| line.key == *key) else { return };
        let is_good = |(_, v): &(usize, Validity)| {
            v.generation == valid.generation && v.from <= now && now < v.until
        };
        let line = &mut self.entries[place];
        (line.current, line.next) = (line.current.filter(is_good), None);
        let all = self.weight_of(&self.entries[place]) + bytes;
        if all > self.share.entry_bytes_max.min(own).min(spare) {
            return;
        }
        self.evict(own - bytes, Some(kind), 16);
        self.evict(spare - bytes, None, 16);
        if self.weight(None) + bytes > spare || self.weight(Some(kind)) + bytes > own {
            return;
        }
        let Some(line) = self.entries.iter_mut().find(|line| line.key == *key) else { return };
        if line.current.is_some() {
            line.next = Some((bytes, valid));
        } else {
            line.current = Some((bytes, valid));
        }
    }
}

#[test]
fn a_hundred_thousand_operations_agree_with_a_list() {
    let share = Share { entries_max: 12, ..share(30_000) };
    let mut cache = Cache::new(share);
    let empty_bytes = weight(next(1), 0) - answer(0).weight_bytes();
    let mut model = Model { share, empty_bytes, entries: Vec::new() };
    let mut seed = 7_u64;
    let mut random = |below: u64| {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (seed >> 33) % below
    };
    let (mut now, mut generation, mut hits) = (1000_i64, 1, 0);
    for turn in 0..100_000 {
        let place = random(16) as u16;
        let key = if place < 8 { next(place) } else { range(place) };
        let made = answer((random(8) * random(8) * 60) as usize);
        let bytes = made.weight_bytes();
        let (from, length) = (now + random(3) as i64, 1 + random(40) as i64);
        let valid = Validity { from, until: from + length, generation };
        match random(20) {
            0..9 => {
                let found = match cache.get(&key, now, generation) {
                    Found::Hit(found) => Some(found.weight_bytes()),
                    _ => None,
                };
                hits += u32::from(found.is_some());
                let expected = model.get(&key, now, generation);
                assert_eq!(found, expected, "turn {turn}");
            }
            9..14 => {
                cache.insert(key.clone(), made, valid);
                model.insert(key, bytes, valid);
            }
            14..17 => {
                cache.keep_next(&key, made, valid, now);
                model.keep_next(&key, bytes, valid, now);
            }
            17 => {
                cache.cool(now, generation);
                for line in &mut model.entries {
                    line.heat -= line.heat.div_ceil(16);
                    line.is_asked_for = false;
                }
                model.drop_dead(now, generation);
            }
            18 => now += random(30) as i64 - 3,
            _ => generation += u64::from(random(4) == 0),
        }
        assert!(cache.weight_bytes() <= share.bytes_max, "turn {turn}");
        assert_eq!(cache.weight_bytes(), model.weight(None), "turn {turn}");
        let order = cache.entries.keys().eq(model.entries.iter().map(|line| &line.key));
        assert!(order, "turn {turn}: {:?}", cache.entries.keys().collect::<Vec<_>>());
        let heats = cache.entries.values().map(|entry| u32::from(entry.heat));
        assert!(heats.eq(model.entries.iter().map(|line| line.heat)), "turn {turn}");
    }
    assert!(hits > 5_000, "{hits}");
}

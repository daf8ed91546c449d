//! What is accepted is there after a restart, and one fault in what is stored spoils nothing else.

use fastrand::Rng;

use super::changes::applied;
use super::reading::read;
use super::{read_stored, stored_text};
use crate::budget::{FeedLimits, Plan};
use crate::calendar::settings::{Home, Settings, Word};
use crate::http::route::{Part, Setting};

const ROUNDS: u64 = 2000;
/// What a writer or a reader of JSON may lose.
const LETTERS: &str = "a\u{e9}\u{1f389}\\\"</\u{0}\u{1}\u{8}\n\t\u{7f}\u{85}\u{9b}\u{61c}\u{200e}\u{200f}\
                       \u{202e}\u{2066}\u{2028}\u{2029}\u{feff}\u{fffd}\u{ffff}%{}";

/// A string in JSON, each letter as it is or escaped.
fn quoted(random: &mut Rng, chars_max: usize) -> String {
    let letters: Vec<char> = LETTERS.chars().collect();
    let mut text = "\"".to_owned();
    for _ in 0..random.usize(..=chars_max) {
        let letter = letters[random.usize(..letters.len())];
        let must = letter < ' ' || "\\\"".contains(letter);
        match must || random.bool() {
            true => {
                let units = letter.encode_utf16(&mut [0; 2]).to_vec();
                text.extend(units.into_iter().map(|unit| format!("\\u{unit:04x}")));
            }
            false => text.push(letter),
        }
    }
    text + "\""
}

fn settings(random: &mut Rng) -> String {
    let mut list = |write: &dyn Fn(&mut Rng) -> String| {
        let count = random.usize(..4);
        (0..count).map(|_| write(random)).collect::<Vec<_>>().join(",")
    };
    let patterns = list(&|random| {
        let (pattern, description) = (quoted(random, 6), quoted(random, 6));
        let [is_regex, is_active, case_sensitive] = [(); 3].map(|()| random.bool());
        format!(
            r#"{{"pattern":{pattern},"description":{description},"is_regex":{is_regex},"is_active":{is_active},"case_sensitive":{case_sensitive}}}"#
        )
    });
    let categories = list(&|random| format!("{}:{}", quoted(random, 4), random.bool()));
    let hidden = list(&|random| quoted(random, 4));
    let most = random.u32(..);
    format!(
        r#"{{"event_filters":{{"patterns":[{patterns}],"event_categories":{{{categories}}},"hidden_events":[{hidden}],"attendee_count_filter":{{"min_count":0,"max_count":{most}}}}}}}"#
    )
}

#[test]
fn what_is_accepted_is_read_as_it_is_after_a_restart() {
    let limits = Plan::divide(16 << 20, 1, FeedLimits::default()).limits.people;
    let (seed, mut accepted) = (fastrand::u64(..), 0);
    for round in 0..ROUNDS {
        let said = format!("seed {seed}, round {round}");
        let text = settings(&mut Rng::with_seed(seed.wrapping_add(round)));
        let default = Settings::default();
        let Ok(settings) = read(text.as_bytes(), Part::All, &default, limits.id_bytes_max) else {
            continue;
        };
        let stored = stored_text(&settings);
        assert!(stored.len() <= limits.stored_bytes_max(), "{said}");
        assert_eq!(read_stored(&stored), (settings, Vec::new()), "{said}: {text:?}");
        let set = applied(Setting::Import, text.as_bytes(), &default, &Home::default(), &limits);
        assert!(set.is_ok(), "{said}: {text:?}");
        accepted += 1;
    }
    assert!(accepted > ROUNDS / 20, "{accepted} of {ROUNDS}, seed {seed}");
}

#[test]
fn a_fault_in_what_is_stored_spoils_nothing_else() {
    let set = r#"{"event_filters":{"hide_all_day_events":true,"hidden_events":["a",7,"\u202eb","c"],
        "title_patterns":[{"pattern":"one"},{"pattern":""},{"pattern":"("},{"pattern":"ONE"},{"pattern":"two"}],
        "event_categories":{"x":false,"":true,"y":1,"z":true}},
        "conflict_resolution":7,"display":{"display_density":"huge","color_theme":"eink"}}"#;
    let (settings, faults) = read_stored(set);
    let patterns = settings.filters.patterns.iter().map(|it| it.text()).collect::<Vec<_>>();
    assert_eq!(patterns[..1], ["one"]);
    assert_eq!(patterns.last(), Some(&"two"));
    assert_eq!(settings.filters.hidden.iter().map(|id| &**id).collect::<Vec<_>>(), ["a", "c"]);
    let categories: Vec<_> = settings.filters.categories.iter().map(|it| &*it.0).collect();
    assert_eq!(categories, ["x", "z"]);
    assert!(settings.filters.hide_all_day);
    assert_eq!((settings.display.density.word(), &*settings.display.theme), ("normal", "eink"));
    assert_eq!(faults.len(), 7, "{faults:?}");
    for text in ["", "{", "[]", "null"] {
        let (settings, faults) = read_stored(text);
        assert_eq!((settings, faults.len()), (Settings::default(), 1), "{text}");
    }
}

/// A person's own words come back to them, too, and nothing of them reaches a terminal.
#[test]
fn what_reorders_text_is_escaped() {
    let limits = Plan::divide(16 << 20, 1, FeedLimits::default()).limits.people;
    let pattern = "{\"pattern\":\"\u{202e}\u{85}x\"}".as_bytes();
    let settings =
        applied(Setting::AddPattern, pattern, &Settings::default(), &Home::default(), &limits);
    let settings = settings.unwrap_or_default();
    let stored = stored_text(&settings);
    assert_eq!(stored.matches(r#""pattern":"\u202e\u0085x""#).count(), 2, "{stored}");
    let read =
        applied(Setting::Put(Part::All), stored.as_bytes(), &settings, &Home::default(), &limits);
    assert_eq!(read.ok(), Some(settings));
}

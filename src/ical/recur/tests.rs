//! The times of rules, worked out by hand.

use jiff::civil::date;

use super::super::value::Value;
use super::*;

fn times(text: &str, start: &str, from: Option<&str>, steps: &mut Steps) -> Vec<String> {
    let civil = |text: &str| Value::parse(text).unwrap().civil();
    let dated = start.len() == 8;
    let start = civil(start);
    let rule = Rule::parse(text).unwrap();
    let count = rule.count.unwrap_or(20) as usize;
    let rule = rule.completed(start, dated);
    let to = date(2100, 1, 1).at(0, 0, 0, 0);
    let mut recurrence = Recurrence::new(rule, start, from.map_or(start, civil), to);
    let format = if dated { "%Y%m%d" } else { "%Y%m%dT%H%M%S" };
    std::iter::from_fn(|| recurrence.next(steps))
        .take(count)
        .map(|time| time.strftime(format).to_string())
        .collect()
}

/// The first times of a rule, worked out by hand.
fn check(rule: &str, start: &str, expected: &str) {
    let found = times(rule, start, None, &mut Steps::new(100_000));
    let expected: Vec<&str> = expected.split_whitespace().collect();
    assert_eq!(found[..expected.len().min(found.len())], expected, "{rule}");
}

#[test]
fn weeks_count_from_their_own_beginning() {
    let biweekly = |week_start| format!("FREQ=WEEKLY;INTERVAL=2;BYDAY=TU,SU;WKST={week_start}");
    check(&biweekly("MO"), "20240102", "20240102 20240107 20240116 20240121");
    check(&biweekly("SU"), "20240102", "20240102 20240114 20240116 20240128");
    check("FREQ=WEEKLY;BYDAY=MO", "20240103", "20240108 20240115");
    check("FREQ=WEEKLY", "20240103", "20240103 20240110");
}

#[test]
fn months_and_years_skip_days_that_do_not_exist() {
    check("FREQ=MONTHLY", "20240131", "20240131 20240331 20240531");
    check("FREQ=YEARLY", "20240229", "20240229 20280229 20320229");
    check("FREQ=MONTHLY;BYMONTHDAY=-1", "20240131", "20240131 20240229 20240331");
    check("FREQ=MONTHLY;BYDAY=-1FR", "20240126", "20240126 20240223 20240329");
    check("FREQ=MONTHLY;BYDAY=2TU,MO", "20240501", "20240506 20240513 20240514 20240520");
    check("FREQ=MONTHLY;BYDAY=MO,TU,WE,TH,FR;BYSETPOS=-1", "20240601", "20240628 20240731");
    check("FREQ=MONTHLY;BYDAY=FR;BYMONTHDAY=13", "20240101", "20240913 20241213 20250613");
    check("FREQ=YEARLY;BYMONTH=11;BYDAY=4TH", "20240101", "20241128 20251127");
    check("FREQ=YEARLY;BYDAY=1MO,-1MO", "20240101", "20240101 20241230 20250106 20251229");
    check("FREQ=YEARLY;BYYEARDAY=1,-1", "20240101", "20240101 20241231 20250101");
}

#[test]
fn what_a_rule_leaves_out_comes_from_its_start() {
    check("FREQ=YEARLY;BYMONTH=6,7", "20240610", "20240610 20240710 20250610");
    check("FREQ=YEARLY;BYMONTHDAY=-1", "20240201", "20240229 20250228");
    check("FREQ=YEARLY;BYWEEKNO=20", "20240514", "20240514 20250513");
    check("FREQ=YEARLY;BYWEEKNO=53;BYDAY=TU,SA", "20130101", "20151229 20160102");
    check("FREQ=DAILY;BYHOUR=9,10", "20240101", "20240101 20240102");
    check(
        "FREQ=HOURLY;INTERVAL=6;BYMINUTE=0,30",
        "20240101T090000",
        "20240101T090000 20240101T093000 20240101T150000",
    );
}

#[test]
fn parts_of_a_day_are_reached_without_walking() {
    let mut steps = Steps::new(200);
    let rule = "FREQ=SECONDLY;BYMONTH=3;BYMONTHDAY=1;BYHOUR=9;BYMINUTE=30;BYSECOND=15";
    let found = times(&format!("{rule};COUNT=1"), "20240201T000000", None, &mut steps);
    assert_eq!(found, ["20240301T093015"]);
    check(
        "FREQ=MINUTELY;INTERVAL=61;BYMINUTE=5,25",
        "20250101T050500",
        "20250101T050500 20250102T012500 20250103T180500",
    );
}

#[test]
fn a_huge_period_is_never_built() {
    let all = |last: u8| (0..=last).map(|n| n.to_string()).collect::<Vec<_>>().join(",");
    let rule = format!(
        "FREQ=YEARLY;BYDAY=MO,TU,WE,TH,FR,SA,SU;BYHOUR={};BYMINUTE={};BYSECOND={};BYSETPOS=-1,1",
        all(23),
        all(59),
        all(59),
    );
    let mut steps = Steps::new(366 + 2 + 2);
    let found = times(&format!("{rule};COUNT=2"), "20240101T000000", None, &mut steps);
    assert_eq!(found, ["20240101T000000", "20241231T235959"]);
}

#[test]
fn the_window_is_reached_by_a_jump() {
    for (rule, expected) in [
        ("FREQ=SECONDLY;INTERVAL=7", "20240501T000003"),
        ("FREQ=DAILY;INTERVAL=3", "20240502T090000"),
        ("FREQ=WEEKLY;INTERVAL=2;BYDAY=WE", "20240508T090000"),
        ("FREQ=MONTHLY;INTERVAL=5;BYMONTHDAY=7", "20240807T090000"),
        ("FREQ=YEARLY;INTERVAL=4;BYMONTH=1,12", "20260101T090000"),
    ] {
        let slow = times(rule, "19700101T090000", None, &mut Steps::new(1_000)).len();
        let mut steps = Steps::new(200);
        let found = times(rule, "19700101T090000", Some("20240501T000000"), &mut steps);
        assert_eq!((slow > 0, found[0].as_str()), (true, expected), "{rule}");
    }
}

#[test]
fn a_rule_that_never_matches_ends() {
    let mut steps = Steps::new(100_000);
    let found = times("FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30", "20240101", None, &mut steps);
    assert_eq!((found.len(), steps.spent()), (0, false));
    let found = times(
        "FREQ=SECONDLY;BYMONTH=2;BYMONTHDAY=30",
        "20240101T000000",
        None,
        &mut Steps::new(50),
    );
    assert!(found.is_empty());
}

#[test]
fn a_regular_rule_is_counted_as_it_is_walked() {
    let civil = |text: &str| Value::parse(text).unwrap().civil();
    let start = civil("20240103T093015");
    let end = civil("20240401T000000");
    for text in [
        "FREQ=SECONDLY;INTERVAL=301",
        "FREQ=MINUTELY;INTERVAL=7;BYSECOND=0,15,16",
        "FREQ=HOURLY;INTERVAL=5;BYMINUTE=0,30,59;BYSECOND=15",
        "FREQ=HOURLY;BYMINUTE=0,30,59;BYSETPOS=-1",
        "FREQ=DAILY;INTERVAL=3;BYHOUR=8,9,10",
        "FREQ=DAILY;BYHOUR=8,9,10;BYMINUTE=0,30;BYSETPOS=1,-1",
        "FREQ=WEEKLY;INTERVAL=2;BYDAY=MO,WE,FR;WKST=SU",
        "FREQ=WEEKLY;BYDAY=SU;WKST=WE",
    ] {
        let rule = Rule::parse(text).unwrap().completed(start, false);
        let mut steps = Steps::new(1_000_000);
        let mut recurrence = Recurrence::new(rule.clone(), start, start, end);
        let walked: Vec<DateTime> =
            std::iter::from_fn(|| recurrence.next(&mut steps)).take_while(|t| *t < end).collect();
        let tally = Tally::new(&rule, start, &mut steps).unwrap();
        for (index, time) in walked.iter().enumerate().chain([(walked.len(), &end)]) {
            assert_eq!(tally.before(*time, &mut steps), Some(index as i64), "{text} {time}");
        }
        assert!(walked.len() > 10 && !steps.spent(), "{text}");
    }
    for text in ["FREQ=MONTHLY", "FREQ=DAILY;BYDAY=MO", "FREQ=HOURLY;BYHOUR=9"] {
        let rule = Rule::parse(text).unwrap().completed(start, false);
        assert!(Tally::new(&rule, start, &mut Steps::new(100)).is_none(), "{text}");
    }
}

#[test]
fn a_year_costs_the_days_that_are_looked_at() {
    let check = |rule, expected| {
        let mut steps = Steps::new(1_000);
        times(&format!("{rule};COUNT=1"), "20240101", None, &mut steps);
        assert_eq!(1_000 - steps.left(), expected, "{rule}");
    };
    check("FREQ=YEARLY;BYDAY=MO", 366 + 1);
    check("FREQ=YEARLY;BYYEARDAY=1,2;BYSETPOS=2", 366 + 1 + 1);
    check("FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=28", 29 + 11 + 1);
    check("FREQ=MONTHLY;BYMONTHDAY=31", 31 + 1);
}

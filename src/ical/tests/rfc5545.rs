//! The examples of RFC 5545 section 3.8.5.3, in the order in which they stand there.

use jiff::tz::TimeZone;

use super::super::event::Event;
use super::super::expand::expand;
use super::super::zone::Zones;
use super::super::{Time, Window};
use super::database;
use crate::budget::FeedLimits;

/// What follows DTSTART's TZID, the rule and what else stands in the event, and the instances:
/// each day at the time of DTSTART, `+` for the days one by one up to the next, or a day and a
/// time. A series that goes on ends in `…`.
const EXAMPLES: &[(&str, &str, &str)] = &[
    ("19970902T090000", "FREQ=DAILY;COUNT=10", "19970902 + 19970911"),
    ("19970902T090000", "FREQ=DAILY;UNTIL=19971224T000000Z", "19970902 + 19971223"),
    ("19970902T090000", "FREQ=DAILY;INTERVAL=2", "19970902 19970904 19970906 19970908 19970910 …"),
    (
        "19970902T090000",
        "FREQ=DAILY;INTERVAL=10;COUNT=5",
        "19970902 19970912 19970922 19971002 19971012",
    ),
    (
        "19980101T090000",
        "FREQ=YEARLY;UNTIL=20000131T140000Z;BYMONTH=1;BYDAY=SU,MO,TU,WE,TH,FR,SA",
        "19980101 + 19980131 19990101 + 19990131 20000101 + 20000131",
    ),
    (
        "19980101T090000",
        "FREQ=DAILY;UNTIL=20000131T140000Z;BYMONTH=1",
        "19980101 + 19980131 19990101 + 19990131 20000101 + 20000131",
    ),
    (
        "19970902T090000",
        "FREQ=WEEKLY;COUNT=10",
        "19970902 19970909 19970916 19970923 19970930 19971007 19971014 19971021 19971028 19971104",
    ),
    (
        "19970902T090000",
        "FREQ=WEEKLY;UNTIL=19971224T000000Z",
        "19970902 19970909 19970916 19970923 19970930 19971007 19971014 19971021 19971028 19971104 \
         19971111 19971118 19971125 19971202 19971209 19971216 19971223",
    ),
    (
        "19970902T090000",
        "FREQ=WEEKLY;INTERVAL=2;WKST=SU",
        "19970902 19970916 19970930 19971014 19971028 19971111 19971125 19971209 19971223 \
         19980106 19980120 …",
    ),
    (
        "19970902T090000",
        "FREQ=WEEKLY;UNTIL=19971007T000000Z;WKST=SU;BYDAY=TU,TH",
        "19970902 19970904 19970909 19970911 19970916 19970918 19970923 19970925 19970930 19971002",
    ),
    (
        "19970902T090000",
        "FREQ=WEEKLY;COUNT=10;WKST=SU;BYDAY=TU,TH",
        "19970902 19970904 19970909 19970911 19970916 19970918 19970923 19970925 19970930 19971002",
    ),
    (
        "19970901T090000",
        "FREQ=WEEKLY;INTERVAL=2;UNTIL=19971224T000000Z;WKST=SU;BYDAY=MO,WE,FR",
        "19970901 19970903 19970905 19970915 19970917 19970919 19970929 19971001 19971003 \
         19971013 19971015 19971017 19971027 19971029 19971031 19971110 19971112 19971114 \
         19971124 19971126 19971128 19971208 19971210 19971212 19971222",
    ),
    (
        "19970902T090000",
        "FREQ=WEEKLY;INTERVAL=2;COUNT=8;WKST=SU;BYDAY=TU,TH",
        "19970902 19970904 19970916 19970918 19970930 19971002 19971014 19971016",
    ),
    (
        "19970905T090000",
        "FREQ=MONTHLY;COUNT=10;BYDAY=1FR",
        "19970905 19971003 19971107 19971205 19980102 19980206 19980306 19980403 19980501 19980605",
    ),
    (
        "19970905T090000",
        "FREQ=MONTHLY;UNTIL=19971224T000000Z;BYDAY=1FR",
        "19970905 19971003 19971107 19971205",
    ),
    (
        "19970907T090000",
        "FREQ=MONTHLY;INTERVAL=2;COUNT=10;BYDAY=1SU,-1SU",
        "19970907 19970928 19971102 19971130 19980104 19980125 19980301 19980329 19980503 19980531",
    ),
    (
        "19970922T090000",
        "FREQ=MONTHLY;COUNT=6;BYDAY=-2MO",
        "19970922 19971020 19971117 19971222 19980119 19980216",
    ),
    (
        "19970928T090000",
        "FREQ=MONTHLY;BYMONTHDAY=-3",
        "19970928 19971029 19971128 19971229 19980129 19980226 …",
    ),
    (
        "19970902T090000",
        "FREQ=MONTHLY;COUNT=10;BYMONTHDAY=2,15",
        "19970902 19970915 19971002 19971015 19971102 19971115 19971202 19971215 19980102 19980115",
    ),
    (
        "19970930T090000",
        "FREQ=MONTHLY;COUNT=10;BYMONTHDAY=1,-1",
        "19970930 19971001 19971031 19971101 19971130 19971201 19971231 19980101 19980131 19980201",
    ),
    (
        "19970910T090000",
        "FREQ=MONTHLY;INTERVAL=18;COUNT=10;BYMONTHDAY=10,11,12,13,14,15",
        "19970910 + 19970915 19990310 + 19990313",
    ),
    (
        "19970902T090000",
        "FREQ=MONTHLY;INTERVAL=2;BYDAY=TU",
        "19970902 19970909 19970916 19970923 19970930 19971104 19971111 19971118 19971125 \
         19980106 19980113 19980120 19980127 19980303 19980310 19980317 19980324 19980331 …",
    ),
    (
        "19970610T090000",
        "FREQ=YEARLY;COUNT=10;BYMONTH=6,7",
        "19970610 19970710 19980610 19980710 19990610 19990710 20000610 20000710 20010610 20010710",
    ),
    (
        "19970310T090000",
        "FREQ=YEARLY;INTERVAL=2;COUNT=10;BYMONTH=1,2,3",
        "19970310 19990110 19990210 19990310 20010110 20010210 20010310 20030110 20030210 20030310",
    ),
    (
        "19970101T090000",
        "FREQ=YEARLY;INTERVAL=3;COUNT=10;BYYEARDAY=1,100,200",
        "19970101 19970410 19970719 20000101 20000409 20000718 20030101 20030410 20030719 20060101",
    ),
    ("19970519T090000", "FREQ=YEARLY;BYDAY=20MO", "19970519 19980518 19990517 …"),
    ("19970512T090000", "FREQ=YEARLY;BYWEEKNO=20;BYDAY=MO", "19970512 19980511 19990517 …"),
    (
        "19970313T090000",
        "FREQ=YEARLY;BYMONTH=3;BYDAY=TH",
        "19970313 19970320 19970327 19980305 19980312 19980319 19980326 19990304 19990311 \
         19990318 19990325 …",
    ),
    (
        "19970605T090000",
        "FREQ=YEARLY;BYDAY=TH;BYMONTH=6,7,8",
        "19970605 19970612 19970619 19970626 19970703 19970710 19970717 19970724 19970731 \
         19970807 19970814 19970821 19970828 19980604 19980611 19980618 19980625 19980702 …",
    ),
    (
        "19970902T090000",
        "FREQ=MONTHLY;BYDAY=FR;BYMONTHDAY=13\nEXDATE;TZID=America/New_York:19970902T090000",
        "19980213 19980313 19981113 19990813 20001013 …",
    ),
    (
        "19970913T090000",
        "FREQ=MONTHLY;BYDAY=SA;BYMONTHDAY=7,8,9,10,11,12,13",
        "19970913 19971011 19971108 19971213 19980110 19980207 19980307 19980411 19980509 \
         19980613 …",
    ),
    (
        "19961105T090000",
        "FREQ=YEARLY;INTERVAL=4;BYMONTH=11;BYDAY=TU;BYMONTHDAY=2,3,4,5,6,7,8",
        "19961105 20001107 20041102 …",
    ),
    (
        "19970904T090000",
        "FREQ=MONTHLY;COUNT=3;BYDAY=TU,WE,TH;BYSETPOS=3",
        "19970904 19971007 19971106",
    ),
    (
        "19970929T090000",
        "FREQ=MONTHLY;BYDAY=MO,TU,WE,TH,FR;BYSETPOS=-2",
        "19970929 19971030 19971127 19971230 19980129 19980226 19980330 …",
    ),
    // The standard writes UNTIL=19970902T170000Z, which is 13:00 in New York, and lists 15:00.
    (
        "19970902T090000",
        "FREQ=HOURLY;INTERVAL=3;UNTIL=19970902T210000Z",
        "19970902T090000 19970902T120000 19970902T150000",
    ),
    (
        "19970902T090000",
        "FREQ=MINUTELY;INTERVAL=15;COUNT=6",
        "19970902T090000 19970902T091500 19970902T093000 19970902T094500 19970902T100000 \
         19970902T101500",
    ),
    (
        "19970902T090000",
        "FREQ=MINUTELY;INTERVAL=90;COUNT=4",
        "19970902T090000 19970902T103000 19970902T120000 19970902T133000",
    ),
    (
        "19970902T090000",
        "FREQ=DAILY;BYHOUR=9,10,11,12,13,14,15,16;BYMINUTE=0,20,40",
        TWENTY_MINUTES,
    ),
    ("19970902T090000", "FREQ=MINUTELY;INTERVAL=20;BYHOUR=9,10,11,12,13,14,15,16", TWENTY_MINUTES),
    (
        "19970805T090000",
        "FREQ=WEEKLY;INTERVAL=2;COUNT=4;BYDAY=TU,SU;WKST=MO",
        "19970805 19970810 19970819 19970824",
    ),
    (
        "19970805T090000",
        "FREQ=WEEKLY;INTERVAL=2;COUNT=4;BYDAY=TU,SU;WKST=SU",
        "19970805 19970817 19970819 19970831",
    ),
    (
        "20070115T090000",
        "FREQ=MONTHLY;BYMONTHDAY=15,30;COUNT=5",
        "20070115 20070130 20070215 20070315 20070330",
    ),
];

const TWENTY_MINUTES: &str = "19970902T090000 19970902T092000 19970902T094000 19970902T100000 \
    19970902T102000 19970902T104000 19970902T110000 19970902T112000 19970902T114000 \
    19970902T120000 19970902T122000 19970902T124000 19970902T130000 19970902T132000 \
    19970902T134000 19970902T140000 19970902T142000 19970902T144000 19970902T150000 \
    19970902T152000 19970902T154000 19970902T160000 19970902T162000 19970902T164000 \
    19970903T090000 19970903T092000 …";

/// The civil times that an example names.
fn listed(start: &str, instances: &str) -> Vec<String> {
    let mut times: Vec<String> = Vec::new();
    let mut one_by_one = false;
    for word in instances.split_whitespace().filter(|word| *word != "…") {
        if word == "+" {
            one_by_one = true;
            continue;
        }
        let time = if word.len() == 8 { format!("{word}{}", &start[8..]) } else { word.to_owned() };
        while let Some(last) = times.last().filter(|_| one_by_one) {
            let last: jiff::civil::DateTime = last.parse().unwrap();
            let next = last.tomorrow().unwrap().strftime("%Y%m%dT%H%M%S").to_string();
            if next == time {
                break;
            }
            times.push(next);
        }
        one_by_one = false;
        times.push(time);
    }
    times
}

#[test]
fn the_examples_of_the_standard_come_out_as_written() {
    let zone = database().get("America/New_York").unwrap();
    let zones = Zones::new(database(), zone.clone(), None);
    let instant = |text: &str| text.parse().unwrap();
    let window =
        Window { start: instant("1996-01-01T00:00:00Z"), end: instant("2010-01-01T00:00:00Z") };
    // The longest of the endless ones has 24 instances a day.
    let limits = FeedLimits { occurrences_max: 200, ..FeedLimits::default() };
    for (start, rule, instances) in EXAMPLES {
        let text = format!("DTSTART;TZID=America/New_York:{start}\nRRULE:{rule}\n");
        let event = Event::parse(&text, &limits).unwrap();
        let found = expand(&[event], &zones, window, &limits).occurrences;
        let mut found: Vec<String> =
            found.iter().map(|occurrence| civil(occurrence.start, &zone)).collect();
        let expected = listed(start, instances);
        if instances.ends_with('…') {
            assert!(found.len() > expected.len(), "{rule}");
            found.truncate(expected.len());
        }
        assert_eq!(found, expected, "{rule}");
    }
}

fn civil(time: Time, zone: &TimeZone) -> String {
    match time {
        Time::Instant(instant) => zone.to_datetime(instant).strftime("%Y%m%dT%H%M%S").to_string(),
        other => panic!("{other:?}"),
    }
}

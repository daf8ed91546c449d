"""How calendars are to be read that break RFC 5545, or that the oracle reads otherwise than it
says: each rule mends one such thing in the text.

The oracle is asked again about the mended text, and its answer must then be ours: a rule
explains what follows from its mistake and hides nothing else. A rule gives the text back as it was
where the mistake is not made.
"""

import re
import zoneinfo
from datetime import date, datetime, timezone
from typing import Callable

# The zones of the tzdata package, as we use a copy of our own: not those of the machine.
zoneinfo.reset_tzpath(to=[])

ZONES = {name.lower(): name for name in zoneinfo.available_timezones()}
EVENT = re.compile(r"BEGIN:VEVENT\n.*?END:VEVENT", re.S)
WEEKDAYS = ["MO", "TU", "WE", "TH", "FR", "SA", "SU"]
DATED = r"^(DTSTART|DTEND|EXDATE|RDATE|RECURRENCE-ID)"
# What Windows calls its zones on the screen, without "(UTC-08:00)".
DISPLAYED = {
    "pacific time": "America/Los_Angeles",
    "eastern time": "America/New_York",
    "canberra, melbourne, sydney": "Australia/Sydney",
}


def replace(pattern: str, by: str) -> Callable[[str], str]:
    return lambda text: re.sub(pattern, by, text, flags=re.M)


def in_events(mend: Callable[[str], str]) -> Callable[[str], str]:
    return lambda text: EVENT.sub(lambda event: mend(event[0]), text)


def day_without_time(text: str) -> str:
    def mend(line: re.Match) -> str:
        return re.sub(r"(\d{8})T\d{4,6}Z?", r"\1", line[0])

    return re.sub(DATED + r"[^:\n]*;VALUE=DATE[;:][^\n]*", mend, text, flags=re.M)


def one_type(event: str) -> str:
    """DTSTART decides for the properties that have to be of its type."""
    start = re.search(r"^DTSTART([^:\n]*):(\d{8})(T\d{6}Z?)?$", event, re.M)
    if not start:
        return event
    parameters, _, time = start.groups()
    if time is None:
        event = re.sub(r"^DURATION:P?T[^\n]*\n", "", event, flags=re.M)
        return re.sub(
            r"^(DTEND|RECURRENCE-ID)[^:\n]*:(\d{8})T\w+$", r"\1;VALUE=DATE:\2", event, flags=re.M
        )
    utc = "Z" if time.endswith("Z") else ""
    event = re.sub(
        r"^DTEND;VALUE=DATE:(\d{8})$", rf"DTEND{parameters}:\1T000000{utc}", event, flags=re.M
    )
    if not utc and "TZID" not in parameters:
        event = re.sub(r"^DTEND:(\d{8}T\d{6})Z$", r"DTEND:\1", event, flags=re.M)
    return event


def whole_last_day(event: str) -> str:
    if not re.search(r"^DTSTART:\d{8}T\d{6}Z$", event, re.M):
        return event
    return re.sub(r"^(RRULE:.*UNTIL=\d{8})(?=;|$)", r"\1T235959Z", event, flags=re.M)


def from_start(event: str) -> str:
    """The weekday of DTSTART for a week, and its month for days of a month."""
    start = re.search(r"^DTSTART[^:\n]*:(\d{8})", event, re.M)
    rule = re.search(r"^RRULE:.*FREQ=YEARLY.*$", event, re.M)
    if not start or not rule or re.search("BY(YEARDAY|DAY|MONTH)=", rule[0]):
        return event
    day = date.fromisoformat(start[1])
    parts = {"BYWEEKNO": f"BYDAY={WEEKDAYS[day.weekday()]}", "BYMONTHDAY": f"BYMONTH={day.month}"}
    missing = [part for name, part in parts.items() if name in rule[0]]
    return event.replace(rule[0], f"{rule[0]};{missing[0]}") if len(missing) == 1 else event


def until_in_zone(event: str) -> str:
    zone = zone_of(event)

    def mend(until: re.Match) -> str:
        local = datetime.strptime(until[0], "%Y%m%dT%H%M%S").replace(tzinfo=zone)
        return f"{local.astimezone(timezone.utc):%Y%m%dT%H%M%SZ}"

    return re.sub(r"(?<=;UNTIL=)\d{8}T\d{6}(?!Z)", mend, event) if zone else event


def exceptions_in_zone(event: str) -> str:
    zone = zone_of(event)

    def mend(line: re.Match) -> str:
        other = ZONES.get(line[1].lower())
        if other in (None, str(zone)):
            return line[0]
        times = (datetime.strptime(time, "%Y%m%dT%H%M%S") for time in line[2].split(","))
        moved = (time.replace(tzinfo=zoneinfo.ZoneInfo(other)).astimezone(zone) for time in times)
        return f"EXDATE;TZID={zone}:" + ",".join(f"{time:%Y%m%dT%H%M%S}" for time in moved)

    lines = r"^EXDATE;TZID=([^:;\n]+):(\d{8}T\d{6}(?:,\d{8}T\d{6})*)$"
    return re.sub(lines, mend, event, flags=re.M) if zone else event


def zone_of(event: str) -> zoneinfo.ZoneInfo | None:
    start = re.search(r"^DTSTART;TZID=([^:;\n]+):", event, re.M)
    name = ZONES.get(start[1].lower()) if start else None
    return zoneinfo.ZoneInfo(name) if name else None


def known_zones(text: str) -> str:
    def mend(name: re.Match) -> str:
        before, quoted, bare = name.groups()
        given = quoted or bare
        parts = given.split("/")
        shown = re.match(r"\((?:gmt|utc)[^)]*\) ([a-z, ]+?) *(?:\(|$)", given.lower())
        names = ["/".join(parts[at:]).lower() for at in range(len(parts) if given[0] == "/" else 1)]
        known = next((ZONES[name] for name in names if name in ZONES), None)
        if shown:
            known = DISPLAYED.get(shown[1], known)
        return f"{before}{known}" if known else name[0]

    return re.sub(r'([;\n]TZID[=:])(?:"([^"\n]+)"|([^":;\n]+))', mend, text)


def starts_apart(text: str) -> str:
    """A UID of its own for every event that starts elsewhere than the first one of its UID."""
    starts: dict[str, list[str]] = {}

    def mend(event: str) -> str:
        uid = re.search(r"^UID[^:\n]*:(.*)$", event, re.M)
        start = re.search(r"^DTSTART.*$", event, re.M)
        if not uid or not start or re.search("^RECURRENCE-ID", event, re.M):
            return event
        seen = starts.setdefault(uid[1], [])
        if start[0] not in seen:
            seen.append(start[0])
        at = seen.index(start[0])
        return event.replace(uid[0], f"{uid[0]}-{at}", 1) if at else event

    return in_events(mend)(text)


RULES: dict[str, Callable[[str], str]] = {
    "3.1: blanks behind a value that is no text say nothing": replace(
        r"^(BEGIN|END|DTSTART|DTEND|DURATION|RRULE|EXDATE|RDATE)([^\n]*?)[ \t]+$", r"\1\2"
    ),
    "3.3.10: blanks between the parts of a rule say nothing": replace(
        r"(?<=,) +(?=[A-Z]{2}\b)", ""
    ),
    "3.3.10: what a rule leaves out comes from DTSTART": in_events(from_start),
    "3.2.19: a day has no zone": replace(
        DATED + r"([^:\n]*);TZID=[^:;\n]+([^:\n]*:\d{8})$", r"\1\2\3"
    ),
    "3.3.4: a DATE holds no time; the day is meant": day_without_time,
    "3.3.6: a week is no time of day; P1W is meant by PT1W": replace(
        r"^DURATION:(-?)PT(\d+W)$", r"DURATION:\1P\2"
    ),
    "3.8.2.2: DTEND, DURATION and RECURRENCE-ID are of the type of DTSTART": in_events(one_type),
    "3.3.10: UNTIL is inclusive, and a date means its whole day": in_events(whole_last_day),
    "3.8.5.1: an exception without a value is none": replace(r"^EXDATE[^:\n]*: *\n", ""),
    "3.2.19: a name that everybody knows is that zone, whatever is before it": known_zones,
    "3.3.10: a local UNTIL is meant in the zone of DTSTART": in_events(until_in_zone),
    "3.8.5.1: an exception in another zone excludes an instant": in_events(exceptions_in_zone),
    "3.3.5: a floating time floats; X-WR-TIMEZONE is no part of RFC 5545": replace(
        r"^X-WR-TIMEZONE[^\n]*\n", ""
    ),
    "3.8.4.7: two starts under one UID are a mistake of the sender; both are shown": starts_apart,
}


def mended(text: str) -> tuple[str, list[str]]:
    """The text as it is to be read, and the rules that changed it."""
    broken = []
    for rule, mend in RULES.items():
        better = mend(text)
        if better != text:
            broken.append(rule)
            text = better
    return text, broken

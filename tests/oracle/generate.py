"""Chooses what to compare: the calendars of tests/data/ics, made ones, and those of a folder.

Writes made calendars, and `cases`: a set, a window, a zone and a path a line. Only what RFC 5545
gives a meaning is made; what it leaves open, or the oracle is known to read otherwise, has its
place among the calendars of tests/data/ics.
"""

import argparse
import re
from datetime import datetime, timedelta, timezone
from itertools import islice
from pathlib import Path
from random import Random

from dateutil.rrule import rrulestr

ZONES = """Europe/Berlin America/New_York America/Sao_Paulo Australia/Sydney Pacific/Auckland
Australia/Lord_Howe Africa/Casablanca Europe/Dublin Pacific/Apia Asia/Kathmandu America/St_Johns
Asia/Tehran America/Mexico_City Africa/Cairo Europe/Istanbul""".split()
WEEKDAYS = ["MO", "TU", "WE", "TH", "FR", "SA", "SU"]
# How far a window may lie from the start, and how long it is: finer rules fill it sooner.
REACH = {
    "YEARLY": (3000, 800), "MONTHLY": (1500, 200), "WEEKLY": (700, 61), "DAILY": (500, 61),
    "HOURLY": (20, 4), "MINUTELY": (1, 0.3), "SECONDLY": (0.02, 0.02),
}


def some(random: Random, choices: list[int], most: int = 3) -> str:
    return ",".join(map(str, sorted(random.sample(choices, random.randint(1, most)))))


def numbers(size: int) -> list[int]:
    """1 to `size` and their counterparts from the end."""
    return [*range(1, size + 1), *range(-size, 0)]


def rule_of(random: Random, frequency: str, is_day: bool) -> str:
    parts = {"FREQ": frequency, "INTERVAL": str(random.choice([1, 1, 1, 2, 3, 5, 7]))}
    chance = random.random
    coarse = frequency in ("YEARLY", "MONTHLY")
    if chance() < 0.35:
        parts["BYMONTH"] = some(random, list(range(1, 13)), 4)
    if frequency == "YEARLY" and chance() < 0.25:
        parts["BYYEARDAY"] = some(random, numbers(366), 5)
    elif frequency == "YEARLY" and "BYMONTH" not in parts and chance() < 0.25:
        parts["BYWEEKNO"] = some(random, numbers(53), 4)
        parts["BYDAY"] = ",".join(random.sample(WEEKDAYS, random.randint(1, 3)))
    elif frequency != "WEEKLY" and (frequency != "YEARLY" or "BYMONTH" in parts) and chance() < 0.3:
        # The oracle looks for a 30th of February until the year 9999, day by day.
        parts["BYMONTHDAY"] = some(random, numbers(31 if coarse else 28), 6)
    if "BYDAY" not in parts and chance() < 0.4:
        days = random.sample(WEEKDAYS, random.randint(1, 4))
        if coarse and chance() < 0.6:
            most = 5 if frequency == "MONTHLY" or "BYMONTH" in parts else 53
            days = [f"{random.choice(numbers(most))}{day}" for day in days]
        parts["BYDAY"] = ",".join(days)
    if not is_day:
        for name, size in (("BYHOUR", 24), ("BYMINUTE", 60), ("BYSECOND", 60)):
            if chance() < 0.12:
                parts[name] = some(random, list(range(size)))
    if any(name.startswith("BY") for name in parts) and chance() < 0.25:
        parts["BYSETPOS"] = some(random, [1, -1, 2, -2, 3] if coarse else [1, -1], 2)
    if chance() < 0.3:
        parts["WKST"] = random.choice(WEEKDAYS)
    return ";".join(f"{name}={value}" for name, value in parts.items())


def written(moment: datetime, form: str) -> str:
    """`NAME` is to be put before it: `;TZID=Europe/Berlin:20240101T090000`."""
    if form == "DATE":
        return f";VALUE=DATE:{moment:%Y%m%d}"
    zone = f";TZID={form}" if "/" in form else ""
    return f"{zone}:{moment:%Y%m%dT%H%M%S}" + ("Z" if form == "UTC" else "")


def first_of(rule: str, start: datetime, days: float) -> list[datetime] | None:
    """`None` for a rule that the oracle refuses, such as one whose INTERVAL meets no BYHOUR."""
    until = start + timedelta(days=days)
    try:
        return list(islice(rrulestr(f"{rule};UNTIL={until:%Y%m%dT%H%M%S}", dtstart=start), 60))
    except ValueError:
        return None


def calendar(random: Random) -> tuple[str, datetime, datetime, str]:
    """A made calendar, a window of it and the zone of the display."""
    form = random.choice([*random.sample(ZONES, 5), "UTC", "floating", "DATE", "DATE"])
    is_day = form == "DATE"
    frequency = random.choice(list(REACH)[: {"DATE": 4, "floating": 6}.get(form, 7)])
    reach, width = REACH[frequency]
    start = datetime(2014, 1, 1) + timedelta(days=random.randrange(4500))
    if not is_day:
        start += timedelta(minutes=15 * random.randrange(96))
    instances = None
    while instances is None:
        rule = rule_of(random, frequency, is_day)
        instances = first_of(rule, start, reach + width)
    if instances and random.random() < 0.7:
        start = instances[0]
    else:
        instances = [start, *instances]
    ending = random.random()
    if ending < 0.25:
        rule += f";COUNT={random.randint(1, 40)}"
    elif ending < 0.45:
        last = random.choice(instances)
        if is_day:
            rule += f";UNTIL={last:%Y%m%d}"
        elif form == "floating":
            rule += f";UNTIL={last:%Y%m%dT%H%M%S}"
        else:
            rule += f";UNTIL={last + timedelta(minutes=random.randrange(-700, 700)):%Y%m%dT%H%M%SZ}"
    unit = timedelta(days=1) if is_day else timedelta(minutes=15)
    event = ["UID:made", "SUMMARY:master", f"DTSTART{written(start, form)}", f"RRULE:{rule}"]
    if frequency != "SECONDLY":  # an hour of each would be more at once than is shown
        event += length(random, start, form, unit)
    overrides: list[list[str]] = []
    # The oracle compares a UTC time with a local one too: what happens once a day stays apart.
    if frequency not in ("HOURLY", "MINUTELY", "SECONDLY") and "BYHOUR" not in rule:
        replaced = random.sample(instances, min(len(instances), random.randrange(3)))
        days = {instance.date() for instance in replaced}
        for instance in random.sample(instances, min(len(instances), random.randrange(4))):
            # The oracle has a day exclude an instance, but not what stands in for one.
            as_day = random.random() < 0.2 and instance.date() not in days
            event.append(f"EXDATE{written(instance, 'DATE' if as_day else form)}")
        if random.random() < 0.3:
            extra = random.choice(instances) + unit * random.randrange(1, 40)
            event.append(f"RDATE{written(extra, form)}")
        for instance in replaced:
            moved = instance + unit * random.randrange(-50, 50)
            future = ";RANGE=THISANDFUTURE" if random.random() < 0.15 else ""
            status = "CANCELLED" if not future and random.random() < 0.2 else "CONFIRMED"
            overrides.append([
                "UID:made", f"SUMMARY:instead of {instance:%Y%m%dT%H%M}", f"STATUS:{status}",
                f"RECURRENCE-ID{future}{written(instance, form)}", f"DTSTART{written(moved, form)}",
                *length(random, moved, form, unit),
            ])
    events = random.sample([event, *overrides], len(overrides) + 1)
    lines = ["BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:-//made//EN"]
    for properties in events:
        lines += ["BEGIN:VEVENT", *properties, "END:VEVENT"]
    opens = random.choice(instances) - timedelta(days=random.random() * width)
    opens = opens.replace(microsecond=0, tzinfo=timezone.utc)
    zone = random.choice(ZONES)
    return "\n".join([*lines, "END:VCALENDAR", ""]), opens, opens + timedelta(days=width), zone


def length(random: Random, start: datetime, form: str, unit: timedelta) -> list[str]:
    units = random.randrange(1, 9)
    end = f"DTEND{written(start + unit * units, form)}"
    duration = f"DURATION:P{units}D" if form == "DATE" else f"DURATION:PT{units * 15}M"
    return random.choice([[], [end], [end], [duration]])


def windows(text: str) -> list[tuple[datetime, datetime]]:
    """Where the events of a calendar are: at most eight stretches of two months."""
    days = set()
    text = re.sub(r"BEGIN:VTIMEZONE.*?END:VTIMEZONE", "", text, flags=re.S)
    for written_day in re.findall(r"^(?:DTSTART|RECURRENCE-ID|RDATE)[^\r\n]*:(\d{8})", text, re.M):
        try:
            days.add(datetime.strptime(written_day, "%Y%m%d").replace(day=1, tzinfo=timezone.utc))
        except ValueError:
            continue
    months = sorted(day for day in days if 1900 < day.year < 2150)
    months = months[:: max(1, len(months) // 7)]
    months += [day.replace(year=day.year + 1) for day in months[:1]]
    return [(day - timedelta(days=1), day + timedelta(days=61)) for day in months]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out", type=Path)
    parser.add_argument("--count", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--unseen", type=Path, help="a folder of .ics files")
    arguments = parser.parse_args()
    cases = []
    for path in sorted(Path("tests/data/ics").rglob("*.ics")):
        _, opens, closes, zone = path.with_suffix(".golden").read_text().splitlines()[0].split(" ")
        cases.append(f"golden {opens} {closes} {zone} {path.resolve()}")
    made = arguments.out.resolve() / "made"
    made.mkdir(parents=True, exist_ok=True)
    for seed in range(arguments.seed, arguments.seed + arguments.count):
        text, *window, zone = calendar(Random(seed))
        path = made / f"{seed}.ics"
        path.write_text(text)
        opens, closes = (f"{moment:%Y-%m-%dT%H:%M:%SZ}" for moment in window)
        cases.append(f"made {opens} {closes} {zone} {path}")
    if arguments.unseen:
        for path in sorted(arguments.unseen.resolve().rglob("*.[iI][cC][sS]")):
            for opens, closes in windows(path.read_text(errors="replace")):
                span = f"{opens:%Y-%m-%dT%H:%M:%SZ} {closes:%Y-%m-%dT%H:%M:%SZ}"
                cases.append(f"unseen {span} Europe/Berlin {path}")
    (arguments.out / "cases").write_text("\n".join(cases) + "\n")


if __name__ == "__main__":
    main()

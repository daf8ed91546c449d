"""Compares our expansions with those of recurring-ical-events, an independent implementation.

Reads `answers`, as `answers_for_the_oracle` in src/ical/tests.rs writes them: a `#` line for each
case and below it one occurrence a line (start, end, original start, summary). What must agree is
the multiset of (start, end, summary). A difference is explained when `explained` names it, one of
the rules below shows that RFC 5545 is on our side, or, in calendars that others wrote, the oracle
agrees once the text is mended by `rules.py`.
"""

import argparse
import re
import signal
import zoneinfo
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta, timezone
from pathlib import Path
from typing import Iterator

import icalendar
import recurring_ical_events

from rules import ZONES, mended

DAY = timedelta(days=1)
SECONDS_MAX = 60
# What we say when an input breaks a rule, and the rule. The oracle takes it all the same, or leaves
# out more; only calendars that others wrote are judged by it.
BROKEN = {
    "BEGIN:VCALENDAR": "3.4: an event outside of a calendar is none",
    "END:VCALENDAR": "3.4: what ends otherwise is not a calendar, and nothing of it is shown",
    "DTEND is before DTSTART": "3.8.2.2: DTEND is later than DTSTART",
    "is not understood": "3.3: a value that is none is left out, the event stands",
    "RRULE ignored": "3.3.10: a rule that is none is left out, the event stands",
    "occurrences_max": "no part of RFC 5545: a limit of ours",
}
# Start, end and summary.
Occurrence = tuple[str, str, str]


@dataclass
class Case:
    """One calendar in one window, with our answer."""

    set: str
    opens: datetime
    closes: datetime
    zone: zoneinfo.ZoneInfo
    path: Path
    ours: list[Occurrence] = field(default_factory=list)
    marks: list[str] = field(default_factory=list)


def read_answers(path: Path) -> Iterator[Case]:
    case = None
    for line in path.read_text().split("\n")[:-1]:
        if line.startswith("# "):
            if case:
                yield case
            name, opens, closes, zone, file = line[2:].split(" ", 4)
            window = (instant(opens), instant(closes))
            case = Case(name, *window, zoneinfo.ZoneInfo(zone), Path(file))
        elif line.startswith("! "):
            case.marks.append(line[2:])
        else:
            start, end, _, summary = line.split(" ", 3)
            case.ours.append((normal(start), normal(end), " ".join(summary.split())))
    if case:
        yield case


def instant(time: str) -> datetime:
    return datetime.fromisoformat(time.replace("Z", "+00:00"))


def normal(time: str) -> str:
    """An instant in UTC; days and floating times as they are."""
    return shown(datetime.fromisoformat(time)) if "+" in time or time.count("-") == 3 else time


def shown(time: date) -> str:
    if isinstance(time, datetime) and time.tzinfo:
        return f"{time.astimezone(timezone.utc):%Y-%m-%dT%H:%M:%SZ}"
    return time.isoformat()


def decoded(data: bytes) -> str:
    """The text, unfolded, as icalendar can read it: reading is not what is compared."""
    if data[:2] in (b"\xff\xfe", b"\xfe\xff"):
        data = data.decode("utf-16").encode()
    lines = re.sub(rb"\r+\n|\r", b"\n", data)
    return re.sub(rb"\n[ \t]", b"", lines).decode("utf-8-sig", errors="replace")


def give_zone(event: icalendar.Event, zone: zoneinfo.ZoneInfo) -> None:
    """A TZID that means nothing is the display's zone here; icalendar would have it float."""
    for name in ("DTSTART", "DTEND", "RECURRENCE-ID", "EXDATE", "RDATE"):
        values = event.get(name, [])
        for value in values if isinstance(values, list) else [values]:
            tzid = getattr(value, "params", {}).get("TZID")
            if tzid is None:
                continue
            meant = zoneinfo.ZoneInfo(ZONES[tzid.lower()]) if tzid.lower() in ZONES else zone
            for stamp in getattr(value, "dts", [value]):
                if isinstance(stamp.dt, datetime) and stamp.dt.tzinfo is None:
                    stamp.dt = stamp.dt.replace(tzinfo=meant)


def expected(case: Case, text: str) -> list[tuple[Occurrence, icalendar.Event]]:
    """What the oracle finds in the window, as far as it is an answer to our question."""
    found = []
    icalendar.use_zoneinfo()  # anew, or the zones of one calendar serve the next
    for calendar in icalendar.Calendar.from_ical(text, multiple=True):
        for event in calendar.walk("VEVENT"):
            give_zone(event, case.zone)
        query = recurring_ical_events.of(calendar, skip_bad_series=True)
        # Floating times are seen from further away; rules of seconds, which are made for short
        # windows, do not float, and four more days of them would take minutes.
        slack = 2 * DAY if case.closes - case.opens > timedelta(hours=1) else timedelta(0)
        for event in query.between(case.opens - slack, case.closes + slack):
            start, end = event["DTSTART"].dt, event["DTEND"].dt
            if event.get("STATUS", "").upper() != "CANCELLED" and touches(case, start, end):
                summary = " ".join(str(event.get("SUMMARY", "")).split())
                found.append(((shown(start), shown(end), summary), event))
    return found


def touches(case: Case, start: date, end: date) -> bool:
    """As `frame.rs` has it: days and floating times have a day of slack."""
    if isinstance(start, datetime) and start.tzinfo:
        slack = timedelta(0)
    else:
        slack = DAY
        start, end = (utc(moment) for moment in (start, end))
    opens, closes = case.opens - slack, case.closes + slack
    return start < closes and (end > opens or start >= opens)


def utc(moment: date) -> datetime:
    if not isinstance(moment, datetime):
        return datetime(moment.year, moment.month, moment.day, tzinfo=timezone.utc)
    return moment.replace(tzinfo=timezone.utc)


def in_gap(event: icalendar.Event) -> bool:
    start = event["DTSTART"].dt
    if not isinstance(start, datetime) or start.tzinfo is None:
        return False
    there_and_back = start.astimezone(timezone.utc).astimezone(start.tzinfo)
    return there_and_back.replace(tzinfo=None) != start.replace(tzinfo=None)


def offset_change(event: icalendar.Event) -> timedelta:
    start, end = event["DTSTART"].dt, event["DTEND"].dt
    if not isinstance(start, datetime) or start.tzinfo is None:
        return timedelta(0)
    return end.astimezone(start.tzinfo).utcoffset() - start.utcoffset()


def explain(ours: Counter, theirs: Counter, events: dict[Occurrence, icalendar.Event]) -> str:
    """Takes out of both what RFC 5545 explains; returns by which sections."""
    sections = set()
    for occurrence in list(theirs):
        event = events[occurrence]
        if in_gap(event):
            sections.add("3.3.10: a time that a rule makes in a gap is ignored")
            del theirs[occurrence]
    for start, end, summary in list(theirs):
        if start == end and len(start) == len("2024-01-31"):
            one_day = (start, shown(date.fromisoformat(start) + DAY), summary)
            sections.add("3.6.1: a day lasts a day, whatever DTEND says")
            ours[one_day] -= theirs.pop((start, end, summary))
            continue
        change = offset_change(events[start, end, summary])
        exact = shown(instant(end) + change) if change else end
        if change and ours[start, exact, summary]:
            sections.add("3.8.5.3: an instance lasts exactly as long as the first")
            ours[start, exact, summary] -= theirs.pop((start, end, summary))
    return "; ".join(sorted(sections))


def read_explained(path: Path) -> dict[str, str]:
    lines = [line for line in path.read_text().splitlines() if line and not line.startswith("#")]
    return dict(line.split("\t", 1) for line in lines)


def too_long(*_: object) -> None:
    raise TimeoutError(f"over {SECONDS_MAX} s")


def judge(case: Case, explained: dict[str, str]) -> tuple[str, str]:
    """One of `empty`, `exact`, `explained`, `different` and `unread`, and why."""
    name = case.path.parent.name + "/" + case.path.stem
    why_ours = explained.get(name, "") if case.set == "golden" else ""
    if why_ours.startswith("not asked: "):
        return "explained", why_ours
    text = decoded(case.path.read_bytes())
    verdict, why = ask(case, text)
    if verdict != "different":
        return verdict, why
    if why_ours:
        return "explained", why_ours
    if case.set == "unseen":
        text, broken = mended(text)
        if broken and ask(case, text)[0] in ("exact", "explained"):
            return "explained", "; ".join(broken)
        for words, rule in BROKEN.items():
            if any(words in mark for mark in case.marks):
                return "explained", rule
    return verdict, why


def ask(case: Case, text: str) -> tuple[str, str]:
    """The verdict of the oracle alone, about this text."""
    signal.alarm(SECONDS_MAX)
    try:
        found = expected(case, text)
    except Exception as error:  # whatever the oracle stumbles over is not ours to judge
        return "unread", f"{type(error).__name__}: {error}".split("\n")[0]
    finally:
        signal.alarm(0)
    ours, theirs = Counter(case.ours), Counter(occurrence for occurrence, _ in found)
    if not ours and not theirs:
        return "empty", ""
    if ours == theirs:
        return "exact", ""
    ours, theirs = ours - theirs, theirs - ours
    sections = explain(ours, theirs, dict(found))
    if not +ours and not +theirs:
        return "explained", sections
    rows = [f"  only ours: {' '.join(row)}" for row in sorted(+ours)[:4]]
    rows += [f"  only the oracle's: {' '.join(row)}" for row in sorted(+theirs)[:4]]
    rows += [f"  we said: {mark}" for mark in case.marks[:3]]
    return "different", "\n".join(["", *rows])


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out", type=Path)
    parser.add_argument("--unseen", type=Path, help="the folder; each in it is a corpus")
    parser.add_argument("--verbose", action="store_true", help="name what is explained as well")
    arguments = parser.parse_args()
    explained = read_explained(Path(__file__).with_name("explained.tsv"))
    signal.signal(signal.SIGALRM, too_long)
    verdicts: dict[str, Counter] = defaultdict(Counter)
    calendars: dict[str, set[Path]] = defaultdict(set)
    unseen = arguments.unseen.resolve() if arguments.unseen else None
    for case in read_answers(arguments.out / "answers"):
        verdict, why = judge(case, explained)
        names = [case.set]
        if unseen and case.set == "unseen":
            names.append("unseen: " + case.path.relative_to(unseen).parts[0])
        for name in names:
            verdicts[name][verdict] += 1
            calendars[name].add(case.path)
        if verdict in ("different", "unread") or arguments.verbose and why:
            print(f"{verdict} {case.path} {case.opens:%Y-%m-%d}: {why}")
    columns = ["exact", "explained", "different", "empty", "unread"]
    print("| set | calendars | windows |", " | ".join(columns), "|\n" + "|---" * 8 + "|")
    for name, counts in sorted(verdicts.items()):
        row = [name, len(calendars[name]), counts.total(), *(counts[column] for column in columns)]
        print("|", " | ".join(map(str, row)), "|")
    seen = verdicts["golden"] + verdicts["made"]
    return 1 if seen["different"] or seen["unread"] else 0


if __name__ == "__main__":
    raise SystemExit(main())

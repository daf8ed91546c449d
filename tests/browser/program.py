"""The program with feeds of its own, and what those feeds say."""

import datetime
import http.server
import json
import pathlib
import subprocess
import sys
import threading
import time
import urllib.request

from chromium import DEADLINE_SECONDS

HOSTILE = "<img src=x onerror=alert(1)> & co"
UTC = datetime.timezone.utc
# A week that one could have: day of the week from Monday, start, minutes, title, place.
WORK = [
    (0, "09:15", 15, "Stand-up", "Room 2.14"),
    (1, "09:15", 15, "Stand-up", "Room 2.14"),
    (2, "09:15", 15, "Stand-up", "Room 2.14"),
    (3, "09:15", 15, "Stand-up", "Room 2.14"),
    (4, "09:15", 15, "Stand-up", "Room 2.14"),
    (0, "10:30", 60, "Design review: the new dial", "Large meeting room"),
    (0, "13:00", 90, "Workshop on tolerances", "Lab 3"),
    (0, "13:30", 45, "Call with Delft", ""),
    (0, "14:30", 60, "Interview: A. Lovelace", "Room 1.02"),
    (1, "11:00", 30, "One-to-one with Barbara", "Café on the corner"),
    (1, "14:00", 120, "Monthly review", "Large meeting room"),
    (2, "10:00", 120, "Focus: escapement paper", ""),
    (2, "15:00", 60, "Sprint planning", "Room 2.14"),
    (3, "11:30", 45, "Suppliers", "Room 1.02"),
    (3, "17:00", 30, "Call with the team abroad", ""),
    (4, "10:00", 60, "Demo", "Auditorium"),
    (4, "13:00", 180, "Hack afternoon", "Lab 3"),
]
FAMILY = [
    (0, "17:30", 60, "Piano lesson", "Music school"),
    (1, "18:00", 90, "Climbing with Grace", "Boulder hall"),
    (2, "08:15", 30, "Dentist", "Dr. Hopper"),
    (3, "19:30", 150, "Choir", "St. Mary"),
    (4, "20:00", 120, "Dinner at Edsger’s", "Canal street 4"),
    (5, "10:00", 120, "Farmers’ market", ""),
    (5, "15:00", 180, "Birthday of Alan", "The garden"),
    (6, "11:00", 120, "Brunch", ""),
]
# The same for whole days: first day, days, title.
DAYS = [(0, 5, "Visitors from Delft"), (2, 1, "Rent is due"), (4, 4, "Grandparents are here")]
# Ids are a stranger's text, too: as a path the first one leads to what nobody has clicked on.
IDS = ["../../admin/emergency-disable", "1", "2", "3", "a/b?c", "5", "6", "7"]
# The calendars stand still at this moment.
STILL = "2026-03-09T10:12:00+01:00"
MONDAY = datetime.date(2026, 3, 9)


def weekly(events, whole_days=()):
    """Four weeks of them, from two before the one that stands still."""
    lines = []
    for week in range(-2, 3):
        monday = MONDAY + datetime.timedelta(weeks=week)
        for number, (day, start, minutes, title, place) in enumerate(events):
            begin = f"{monday + datetime.timedelta(days=day):%Y%m%d}T{start.replace(':', '')}00"
            lines += ["BEGIN:VEVENT", f"UID:{number}-{week}@{title[:3]}", f"DURATION:PT{minutes}M"]
            lines += [f"DTSTART;TZID=Europe/Berlin:{begin}", f"SUMMARY:{title}", f"LOCATION:{place}"]
            lines += ["END:VEVENT"]
        for number, (day, days, title) in enumerate(whole_days if week in (0, 1) else ()):
            first = monday + datetime.timedelta(days=day)
            last = first + datetime.timedelta(days=days)
            lines += ["BEGIN:VEVENT", f"UID:day-{number}-{week}", f"SUMMARY:{title}"]
            lines += [f"DTSTART;VALUE=DATE:{first:%Y%m%d}", f"DTEND;VALUE=DATE:{last:%Y%m%d}"]
            lines += ["END:VEVENT"]
    return lines


def long_titled():
    """One meeting whose title is longer than any card."""
    title = "Quarterly planning with the whole department about tolerances, dials and the new escapement"
    lines = ["BEGIN:VEVENT", "UID:long", "DTSTART;TZID=Europe/Berlin:20260309T101500"]
    return [*lines, "DURATION:PT2H", f"SUMMARY:{title}", "LOCATION:Large meeting room", "END:VEVENT"]


def running():
    """Meetings of which the first is under way, whatever the time of day, and some whole days."""
    lines, now = [], datetime.datetime.now(UTC)
    for number, uid in enumerate(IDS):
        start = now + datetime.timedelta(hours=number, minutes=-5)
        lines += ["BEGIN:VEVENT", f"UID:{uid}", f"DTSTART:{start:%Y%m%dT%H%M%SZ}"]
        lines += ["DURATION:PT30M", f"SUMMARY:Meeting {number} {HOSTILE}", "END:VEVENT"]
    # From yesterday on, whatever the zone.
    first = now.date() - datetime.timedelta(days=1)
    lines += ["BEGIN:VEVENT", "UID:day", f"DTSTART;VALUE=DATE:{first:%Y%m%d}", "DURATION:P3D"]
    return [*lines, "SUMMARY:All day long", "END:VEVENT"]


class Feeds(http.server.BaseHTTPRequestHandler):
    """Feeds by their paths; one that is not there fails."""

    feeds = {}

    def do_GET(self):
        lines = self.feeds.get(self.path)
        text = "\r\n".join(["BEGIN:VCALENDAR", "VERSION:2.0", *(lines or []), "END:VCALENDAR", ""])
        body = text.encode() if lines is not None else b""
        self.send_response(503 if lines is None else 200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


def serve_feeds():
    """Serves the feeds, on a port of their own."""
    Feeds.feeds["/live.ics"] = running()
    Feeds.feeds["/long.ics"] = long_titled()
    Feeds.feeds["/work.ics"] = weekly(WORK, DAYS[:1])
    Feeds.feeds["/family.ics"] = weekly(FAMILY, DAYS[1:])
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Feeds)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server.server_address[1]


class Program:
    """The program on a free port."""

    def __init__(self, binary, folder, port, feeds, settings="", environment=()):
        folder = pathlib.Path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        config = folder / "calendarbot.toml"
        lines = ['time_zone = "Europe/Berlin"', settings]
        for name, path, color in feeds:
            lines += ["[[feeds]]", f'name = "{name}"', f'color = "{color}"' if color else ""]
            lines += [f'url = "http://127.0.0.1:{port}/{path}"', "allow_private_address = true"]
        config.write_text("\n".join(lines))
        command = [binary, "serve", "-c", config, "--port", "0", "--data-dir", folder / "data"]
        environment = {"TZ": "UTC", **dict(environment)}
        self.process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=environment)
        for line in self.process.stderr:
            if "serves at http://" in line:
                self.url = "http://" + line.split("serves at http://")[1].split("/")[0]
                threading.Thread(target=self.process.stderr.read, daemon=True).start()
                return
        sys.exit("the program did not start")

    def is_ready(self):
        """True once each feed has answered, one way or another."""
        feeds = json.loads(self.get("/stats"))["feeds_status"]
        return all(feed["last_success"] or feed["last_error"] for feed in feeds)

    def get(self, path):
        with urllib.request.urlopen(self.url + path, timeout=DEADLINE_SECONDS) as answer:
            return answer.read().decode()

    def post(self, path):
        request = urllib.request.Request(self.url + path, method="POST")
        with urllib.request.urlopen(request, timeout=DEADLINE_SECONDS) as answer:
            return answer.status

    def stop(self):
        self.process.kill()
        self.process.wait()


def wait_until_ready(programs):
    deadline = time.monotonic() + DEADLINE_SECONDS
    for program in programs:
        while not program.is_ready():
            assert time.monotonic() < deadline, "the feeds were not read"

"""Looks at the pages in Chromium, with the program and its feeds running: browser.py PROGRAM FOLDER.

The browser is driven over a pipe (DevTools protocol), the standard library is enough. Everything
is waited for by its condition, each for at most DEADLINE_SECONDS. Screenshots go into FOLDER.
"""

import base64
import datetime
import http.server
import json
import os
import pathlib
import select
import shutil
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request

DEADLINE_SECONDS = 60
REQUESTS = 25
# Name, width, height, colour scheme, a phone.
SCREENS = [
    ("light", 1280, 800, "light", False),
    ("dark", 1280, 800, "dark", False),
    ("tablet", 800, 1024, "dark", False),
    ("phone", 360, 780, "light", True),
]
HOSTILE = "<img src=x onerror=alert(1)> & co"


class Browser:
    """One page of a headless Chromium, and what it complains about."""

    def __init__(self, folder):
        names = ["chromium", "chromium-browser", "google-chrome", "chrome"]
        program = next(filter(None, map(shutil.which, names)), None)
        if not program:
            sys.exit("Chromium is missing: sudo apt install chromium")
        command = [program, "--headless", "--remote-debugging-pipe", f"--user-data-dir={folder}"]
        command += ["--no-first-run", "--disable-background-networking", "--disable-gpu"]
        command += ["--hide-scrollbars"] + ["--no-sandbox"] * (os.geteuid() == 0)
        # The browser reads from descriptor 3 and writes to 4.
        pipes = 'exec "$@" 3<&0 4>&1 </dev/null >/dev/null 2>&1'
        self.process = subprocess.Popen(
            ["sh", "-c", pipes, "sh", *command], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        self.received, self.number, self.session = b"", 0, None
        # Complaints, and answers to give instead of the program's, by path.
        self.complaints, self.instead = [], {}
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        attached = self.call("Target.attachToTarget", targetId=target, flatten=True)
        self.session = attached["sessionId"]
        for domain in ["Page", "Runtime", "Log"]:
            self.call(f"{domain}.enable")
        self.call("Fetch.enable", patterns=[{"urlPattern": f"*/{end}"} for end in ("stats", "history")])
        source = "addEventListener('securitypolicyviolation', (e) => console.error('CSP: ' + e.violatedDirective))"
        self.call("Page.addScriptToEvaluateOnNewDocument", source=source)

    def send(self, method, parameters):
        self.number += 1
        message = {"id": self.number, "method": method, "params": parameters}
        if self.session:
            message["sessionId"] = self.session
        self.process.stdin.write(json.dumps(message).encode() + b"\0")
        self.process.stdin.flush()
        return self.number

    def call(self, method, **parameters):
        number, deadline = self.send(method, parameters), time.monotonic() + DEADLINE_SECONDS
        while True:
            message = self.receive(deadline, method, parameters)
            if message.get("id") == number:
                if "error" in message:
                    raise AssertionError(f"{method}: {message['error']}")
                return message["result"]
            self.note(message)

    def receive(self, deadline, *about):
        while b"\0" not in self.received:
            left = max(0, deadline - time.monotonic())
            if not select.select([self.process.stdout], [], [], left)[0]:
                raise AssertionError(f"waited too long: {about}; {self.complaints}")
            piece = os.read(self.process.stdout.fileno(), 1 << 16)
            if not piece:
                raise AssertionError("the browser has ended")
            self.received += piece
        message, _, self.received = self.received.partition(b"\0")
        return json.loads(message)

    def note(self, message):
        method, about = message.get("method"), message.get("params", {})
        if method == "Fetch.requestPaused":
            path = about["request"]["url"].rsplit("/", 1)[1]
            body, request = self.instead.get(path), {"requestId": about["requestId"]}
            if body is None:
                self.send("Fetch.continueRequest", request)
            else:
                date = datetime.datetime.now(datetime.timezone.utc)
                fields = {"Content-Type": "application/json", "Date": f"{date:%a, %d %b %Y %T} GMT"}
                request["responseHeaders"] = [{"name": n, "value": v} for n, v in fields.items()]
                request["body"] = base64.b64encode(json.dumps(body).encode()).decode()
                self.send("Fetch.fulfillRequest", request | {"responseCode": 200})
        elif method == "Runtime.exceptionThrown":
            details = about["exceptionDetails"]
            self.complaints.append(details.get("exception", details).get("description", details))
        elif method == "Log.entryAdded" and about["entry"]["level"] == "error":
            self.complaints.append(about["entry"]["text"] + " " + about["entry"].get("url", ""))
        elif method == "Runtime.consoleAPICalled" and about["type"] in ("error", "warning", "assert"):
            self.complaints.append(" ".join(str(a.get("value")) for a in about["args"]))

    def ask(self, expression):
        """The value of an expression in the page; of a promise what it comes to."""
        asked = {"expression": expression, "awaitPromise": True, "returnByValue": True}
        result = self.call("Runtime.evaluate", **asked)
        assert "exceptionDetails" not in result, (expression, result)
        return result["result"].get("value")

    def until(self, condition):
        look = f"const look = () => ({condition}) ? done() : requestAnimationFrame(look); look();"
        self.ask(f"new Promise((done) => {{ {look} }})")

    def texts(self, selector):
        return self.ask(f"[...document.querySelectorAll({selector!r})].map((n) => n.innerText)")

    def poll(self, condition):
        """Has the dashboard ask at once rather than in five seconds, until that shows."""
        nudge = "document.dispatchEvent(new Event('visibilitychange'))"
        self.until(f"({nudge}, {condition})")

    def open(self, url, screen, ready):
        _, width, height, scheme, phone = screen
        size = {"width": width, "height": height, "deviceScaleFactor": 2 if phone else 1}
        self.call("Emulation.setDeviceMetricsOverride", mobile=phone, **size)
        feature = {"name": "prefers-color-scheme", "value": scheme}
        self.call("Emulation.setEmulatedMedia", features=[feature])
        self.call("Page.navigate", url=url)
        self.until(f"location.href === {url!r} && document.readyState === 'complete' && ({ready})")

    def photograph(self, path):
        width, height = self.ask("[innerWidth, document.documentElement.scrollHeight]")
        clip = {"x": 0, "y": 0, "width": width, "height": height, "scale": 1}
        picture = self.call("Page.captureScreenshot", captureBeyondViewport=True, clip=clip)
        path.write_bytes(base64.b64decode(picture["data"]))


class Feeds(http.server.BaseHTTPRequestHandler):
    """One feed that works, and one that does not."""

    def do_GET(self):
        now = datetime.datetime.now(datetime.timezone.utc)
        event = "BEGIN:VEVENT\nUID:{0}\nDTSTART:{1:%Y%m%dT%H%M%SZ}\nDURATION:PT30M\nSUMMARY:{2}\nEND:VEVENT\n"
        # The first is under way: on the page whatever the time of day.
        starts = [now + datetime.timedelta(hours=hours, minutes=-5) for hours in range(8)]
        events = "".join(
            event.format(number, start, f"Meeting {number} {HOSTILE}")
            for number, start in enumerate(starts)
        )
        body = f"BEGIN:VCALENDAR\nVERSION:2.0\nPRODID:-//test//EN\n{events}END:VCALENDAR\n".encode()
        works = self.path == "/work.ics"
        self.send_response(200 if works else 503)
        self.send_header("Content-Length", str(len(body) if works else 0))
        self.end_headers()
        if works:
            self.wfile.write(body)

    def log_message(self, *_):
        pass


def serve_feeds():
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Feeds)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server.server_address[1]


def start(program, folder, feeds):
    """The program on a free port, and where it serves."""
    config = folder / "calendarbot.toml"
    feed = '[[feeds]]\nname = "{0}"\nurl = "http://127.0.0.1:{1}/{2}.ics"\nallow_private_address = true\n'
    named = [("work", "work"), ("broken", "broken")]
    config.write_text("".join(feed.format(name, feeds, path) for name, path in named))
    command = [program, "serve", "-c", config, "--port", "0", "--data-dir", folder / "data"]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env={"TZ": "UTC"})
    for line in process.stderr:
        if "serves at http://" in line:
            url = "http://" + line.split("serves at http://")[1].split("/")[0]
            threading.Thread(target=process.stderr.read, daemon=True).start()
            return process, url
    sys.exit("the program did not start")


def get(url):
    with urllib.request.urlopen(url, timeout=DEADLINE_SECONDS) as answer:
        return answer.read().decode()


def are_read(feeds):
    return all(feed["last_success"] or feed["last_error"] for feed in feeds)


def check_page(browser, url, screen, folder):
    browser.open(f"{url}/", screen, "document.querySelector('.countdown')")
    assert HOSTILE in browser.ask("document.querySelector('h1').innerText")
    check_frame(browser, screen)
    browser.photograph(folder / f"page-{screen[0]}.png")


def check_dashboard(browser, url, screen, folder):
    browser.open(f"{url}/dashboard", screen, "!document.querySelector('main').hidden")
    stats = json.loads(get(f"{url}/stats"))
    answered = dict(zip(browser.texts("#http dt"), browser.texts("#http dd")))["answered"]
    assert REQUESTS <= int(answered.replace(",", "")) <= stats["http"]["requests"], answered
    feeds = " ".join(browser.texts("#feeds_status tbody tr"))
    assert all(word in feeds for word in ["work", "fresh", "broken", "stale", "503"]), feeds
    terms = browser.texts("#budget tbody th")
    assert terms == [term["name"] for term in stats["budget"]["terms"]], terms
    memory = browser.texts(".vital .big")[0]
    assert memory.endswith("MiB") and float(memory.split("MiB")[0]) > 1, memory
    assert "out of date" in browser.texts("#reason")[0]
    nameless = "table:not(:has(caption)), .vital:not([hidden]) svg:not([aria-label])"
    assert browser.ask(f"document.querySelectorAll({nameless!r}).length") == 0
    check_frame(browser, screen)
    browser.photograph(folder / f"dashboard-{screen[0]}.png")


def check_frame(browser, screen):
    wide = browser.ask("document.documentElement.scrollWidth")
    assert wide <= screen[1], f"{screen[0]}: {wide} pixels wide"
    assert not browser.complaints, browser.complaints


def check_day(browser, url, folder):
    """A day is drawn as it is told, with its gaps, and read under a pointer."""
    points = [None if 100 < at < 110 else 1 + at % 96 / 96 for at in range(200)]
    figures = json.loads(get(f"{url}/api/v1/history"))
    lists = {name: points for name, value in figures.items() if isinstance(value, list)}
    browser.instead["history"] = figures | lists | {"rss_kib": [p and p * 4096 for p in points]}
    browser.open(f"{url}/dashboard", SCREENS[0], "!document.querySelector('main').hidden")
    plots = "[...document.querySelectorAll('.vital svg')].map((plot) => plot.ariaLabel)"
    assert "Memory, 24 h: lowest 4.0 MiB" in browser.ask(plots)[0], browser.ask(plots)
    lines = browser.ask("document.querySelector('.value').getAttribute('d').match(/M/g).length")
    assert lines == 2, "one before and one after the gap"
    browser.photograph(folder / "dashboard-day.png")
    moved = "new PointerEvent('pointermove', {clientX: innerWidth / 2})"
    browser.ask(f"document.querySelector('.plot').dispatchEvent({moved})")
    assert all(text.startswith("at ") for text in browser.texts(".vital:not([hidden]) .sub"))
    check_frame(browser, SCREENS[0])
    browser.instead.clear()


def check_parts(browser, url):
    """Whatever is missing or strange in the figures, the rest is drawn."""
    browser.open(f"{url}/dashboard", SCREENS[-1], "!document.querySelector('main').hidden")
    stats = json.loads(get(f"{url}/stats"))
    alert = {"name": HOSTILE, "level": "critical", "since": None, "value": 71.5}
    alert |= {"threshold": 70, "unit": "degrees Celsius", "done": [HOSTILE]}
    flag = {"name": HOSTILE, "on": False, "by": HOSTILE, "why": HOSTILE, "since": "yesterday"}
    odd = stats | {"alerts_status": [alert], "flags_status": [flag], "posture": HOSTILE}
    odd["rollback_status"] = {"off": [{"name": HOSTILE, "why": HOSTILE}]}
    odd["feeds_status"] = [{"name": HOSTILE, "last_error": HOSTILE, "stale": True}]
    odd["http"] = {"routes": [{"route": HOSTILE, "method": HOSTILE, "code": 500}]}
    without = [{k: v for k, v in stats.items() if k != name} for name in stats if name != "server"]
    empty = [stats | {name: type(part)()} for name, part in stats.items() if name != "server"]
    for number, part in enumerate([{}, odd, *without, *empty, odd], 1):
        # Told apart by the days that the program has been up.
        server = stats["server"] | {"uptime_seconds": number * 86400}
        browser.instead["stats"] = part | {"server": server}
        browser.poll(f"document.querySelector('header p').innerText.endsWith('up {number} d')")
        check_frame(browser, SCREENS[-1])
    assert browser.texts("#alerts_status small")[0] == HOSTILE
    assert browser.ask("document.querySelectorAll('main img').length") == 0
    assert browser.ask("document.title").startswith("(!)")
    browser.instead.clear()


def check_silence(browser, url, process, folder):
    """When the program is gone the last figures stay, and it is said from when they are."""
    browser.open(f"{url}/dashboard", SCREENS[0], "!document.querySelector('main').hidden")
    process.kill()
    process.wait()
    browser.poll("document.body.className === 'gone'")
    assert "does not answer" in browser.texts("#verdict")[0]
    assert "from" in browser.texts("#reason")[0]
    assert browser.texts("#feeds_status tbody tr"), "the last figures stay"
    browser.photograph(folder / "dashboard-gone.png")


def main(program, folder):
    folder = pathlib.Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    # Chromium may still be writing to its profile.
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as scratch:
        scratch = pathlib.Path(scratch)
        process, url = start(os.path.abspath(program), scratch, serve_feeds())
        browser = None
        try:
            deadline = time.monotonic() + DEADLINE_SECONDS
            while not are_read(json.loads(get(f"{url}/stats"))["feeds_status"]):
                assert time.monotonic() < deadline, "the feeds were not read"
            for _ in range(REQUESTS):
                get(f"{url}/api/v1/next")
            browser = Browser(scratch / "browser")
            for screen in SCREENS:
                check_page(browser, url, screen, folder)
                check_dashboard(browser, url, screen, folder)
            check_day(browser, url, folder)
            check_parts(browser, url)
            check_silence(browser, url, process, folder)
        finally:
            process.kill()
            if browser:
                browser.process.kill()
                browser.process.wait()
    print(f"pages and dashboard are sound on {len(SCREENS)} screens; pictures in {folder}")


if __name__ == "__main__":
    main(*sys.argv[1:])

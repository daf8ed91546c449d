#!/usr/bin/env python3
"""Counts what the program executes on the Pi's processor, under QEMU's user emulation.

pi-count.py crypto PROGRAM TOOLS: fetches over TLS without the AES and SHA instructions, which a
Pi Zero 2W has not.
pi-count.py gate PROGRAM TOOLS RECORDED: instructions of fixed work, within 1 % of those recorded;
with BLESS=1 in the environment they are recorded anew.

TOOLS is the folder of count.so and mask.so. A line a check; ends with 1 when one fails.
"""

import contextlib
import http.client
import http.server
import os
import pathlib
import signal
import ssl
import subprocess
import sys
import tempfile
import threading
import time

QEMU = ["qemu-aarch64", "-cpu", "cortex-a53", "-L", "/usr/aarch64-linux-gnu"]
# "Now" for the calendar; the timers run.
NOW = "2026-01-05T08:45:00+01:00"
EVENTS = 2000
# What one wait may take, in seconds; none takes a tenth of it.
PATIENCE = 120
MARGIN = 0.01

PASSED = True


def check(holds, text):
    global PASSED
    PASSED = PASSED and holds
    print(f"{'PASS' if holds else 'FAIL'}: {text}", flush=True)


def calendar():
    lines = ["BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:-//calendarbot//pi//EN"]
    for i in range(EVENTS):
        day, hour, minute = 5 + i % 20, 8 + i // 20 % 10, i % 6 * 10
        lines += ["BEGIN:VEVENT", f"UID:{i}@pi.example", "DTSTAMP:20260101T000000Z"]
        lines += [f"DTSTART;TZID=Europe/Berlin:202601{day:02}T{hour:02}{minute:02}00"]
        lines += ["DURATION:PT30M", f"SUMMARY:Event {i}", "END:VEVENT"]
    return "\r\n".join([*lines, "END:VCALENDAR", ""]).encode()


class Feed(http.server.ThreadingHTTPServer):
    """One calendar, over TLS where there is a context, and whatever its askers agreed on."""

    daemon_threads = True

    def __init__(self, context=None):
        super().__init__(("127.0.0.1", 0), Answer)
        self.body, self.suites, self.context = calendar(), set(), context
        self.answers = threading.Semaphore(0)
        threading.Thread(target=self.serve_forever, daemon=True).start()
        scheme = "https" if context else "http"
        self.url = f"{scheme}://127.0.0.1:{self.server_address[1]}/a.ics"

    def finish_request(self, request, client):
        if self.context:
            request.settimeout(PATIENCE)
            request = self.context.wrap_socket(request, server_side=True)
            self.suites.add(request.cipher()[0])
        super().finish_request(request, client)


class Answer(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        is_known = self.headers.get("If-None-Match") == '"1"'
        self.send_response(304 if is_known else 200)
        self.send_header("ETag", '"1"')
        if not is_known:
            self.send_header("Content-Length", str(len(self.server.body)))
        self.end_headers()
        if not is_known:
            self.wfile.write(self.server.body)
        self.server.answers.release()

    def log_message(self, *_):
        pass


@contextlib.contextmanager
def running(program, tools, folder, feed, masked=True, authority=None):
    """The program with that feed, and its port; counts are read after its end."""
    ca = f'ca_file = "{authority}"\n' if authority else ""
    (folder / "c.toml").write_text(
        f'time_zone = "Europe/Berlin"\n{ca}[[feeds]]\nname = "a"\n'
        f'url = "{feed.url}"\nallow_private_address = true\n'
    )
    mask = ["-E", f"LD_PRELOAD={tools / 'mask.so'}"] if masked else []
    count = ["-plugin", f"{tools / 'count.so'},out={folder / 'counts'}"]
    options = ["-c", folder / "c.toml", "--port", "0", "--data-dir", folder / "data"]
    child = subprocess.Popen(
        [*QEMU, *count, *mask, program, *options, "--memory-budget", "16MiB"],
        env={"HOME": str(folder), "CALENDARBOT_TEST_TIME": NOW, "PATH": os.environ["PATH"]},
        stderr=subprocess.PIPE,
        text=True,
    )
    end = threading.Timer(PATIENCE, child.kill)
    end.start()
    try:
        for line in child.stderr:
            if "serves at http://" in line:
                break
        else:
            sys.exit("FAIL: the program does not start")
        threading.Thread(target=child.stderr.read, daemon=True).start()
        yield int(line.split("serves at http://")[1].split("/")[0].rsplit(":", 1)[1])
        child.send_signal(signal.SIGTERM)
        if child.wait() != 0:
            sys.exit(f"FAIL: the program ends with {child.returncode}")
    finally:
        end.cancel()
        child.kill()
        child.wait()


def get(connection, path):
    connection.request("GET", path)
    answer = connection.getresponse()
    body = answer.read()
    if answer.status != 200:
        sys.exit(f"FAIL: GET {path}: {answer.status}")
    return body


def counted(program, tools, folder, feed, paths=(), **how):
    """Runs until the feed was read and these paths were answered: [instructions, crypto]."""
    with running(program, tools, folder, feed, **how) as port:
        if not feed.answers.acquire(timeout=PATIENCE):
            sys.exit("FAIL: the feed is not asked for")
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE)
        for _ in range(PATIENCE):
            # Seldom, since this is counted, too.
            time.sleep(1)
            connection.request("GET", "/api/v1/next")
            answer = connection.getresponse()
            if answer.status == 200 and b"Event" in answer.read():
                break
            answer.read()
        else:
            sys.exit("FAIL: the feed is not shown")
        for path in paths:
            get(connection, path)
        connection.close()
    _, instructions, _, crypto = (folder / "counts").read_text().split()
    return int(instructions), int(crypto)


def certificate(folder):
    """An authority, and what it says of 127.0.0.1: files of both, and of the latter's key."""
    files = [folder / name for name in ("ca.pem", "ca.key", "server.pem", "server.key")]
    ca, ca_key, server, key = files
    new = ["openssl", "req", "-x509", "-config", "/dev/null", "-newkey", "ec", "-pkeyopt"]
    new += ["ec_paramgen_curve:P-256", "-nodes", "-days", "2"]
    is_ca = "basicConstraints=critical,CA:"
    for command in [
        [*new, "-subj", "/CN=ca", "-addext", f"{is_ca}TRUE", "-keyout", ca_key, "-out", ca],
        [*new, "-subj", "/CN=pi", "-addext", f"{is_ca}FALSE", "-keyout", key, "-out", server]
        + ["-addext", "subjectAltName=IP:127.0.0.1", "-CA", ca, "-CAkey", ca_key],
    ]:
        subprocess.run(command, check=True, capture_output=True)
    return ca, server, key


def crypto(program, tools):
    with tempfile.TemporaryDirectory() as top:
        top = pathlib.Path(top)
        authority, *own = certificate(top)
        aes = "ECDHE-ECDSA-AES128-GCM-SHA256"
        cases = [
            ("with the instructions, AES alone is offered", False, aes),
            ("without them, AES alone is offered", True, aes),
            ("without them, the client chooses", True, None),
        ]
        for number, (name, masked, only) in enumerate(cases):
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(*own)
            context.options &= ~ssl.OP_CIPHER_SERVER_PREFERENCE
            if only:
                context.maximum_version = ssl.TLSVersion.TLSv1_2
                context.set_ciphers(only)
            folder = top / str(number)
            folder.mkdir()
            feed = Feed(context)
            _, found = counted(program, tools, folder, feed, masked=masked, authority=authority)
            suites = " ".join(feed.suites)
            # Where there are such instructions, the count must see them.
            holds = (found == 0) == masked and (only or "CHACHA20" in suites)
            check(holds, f"TLS {name}: {suites}, {found} AES, SHA and PMULL instructions")
            feed.shutdown()


def figures(program, tools):
    """(what, instructions) of work that is always the same."""
    zones = ["Europe/Berlin", "America/New_York", "Asia/Tokyo", "UTC"]
    paths = [
        f"/api/v1/events?from=2026-01-{day:02}&to=2026-01-{day + 1:02}&tz={zone}"
        for zone in zones
        for day in range(5, 25)
    ]
    cached = 5000
    with tempfile.TemporaryDirectory() as top:
        feed = Feed()

        def total(paths=()):
            return counted(program, tools, pathlib.Path(top), feed, paths)[0]

        yield f"first start, {EVENTS} events read and stored", total()
        again = total()
        yield "start with stored events, none of them new", again
        yield "cached GET /api/v1/next", (total(["/api/v1/next"] * cached) - again) / cached
        yield "GET /api/v1/events of a day, not cached", (total(paths) - again) / len(paths)
        feed.shutdown()


def gate(program, tools, recorded):
    recorded = pathlib.Path(recorded)
    found = [(name, round(count)) for name, count in figures(program, tools)]
    if os.environ.get("BLESS") == "1":
        lines = recorded.read_text().splitlines() if recorded.exists() else []
        lines = [line for line in lines if line.startswith("#")]
        lines += [f"{name}\t{count}" for name, count in found]
        recorded.write_text("\n".join([*lines, ""]))
    lines = [line for line in recorded.read_text().splitlines() if not line.startswith("#")]
    bars = {name: int(count) for name, count in (line.split("\t") for line in lines)}
    for name, count in found:
        bar = bars.get(name, 0)
        off = count / bar - 1 if bar else 1
        check(abs(off) <= MARGIN, f"{name}: {count} instructions, {off:+.2%} of {bar}")


if __name__ == "__main__":
    command, program, tools, *rest = sys.argv[1:]
    {"crypto": crypto, "gate": gate}[command](program, pathlib.Path(tools), *rest)
    sys.exit(0 if PASSED else 1)

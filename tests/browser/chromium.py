"""One page of a headless Chromium, driven over a pipe (DevTools protocol)."""

import base64
import datetime
import json
import os
import select
import shutil
import subprocess
import sys
import time

DEADLINE_SECONDS = 60


class Browser:
    """One page of a headless Chromium, and what it complains about."""

    def __init__(self, folder, pointer):
        """Its profile is in a folder. A mouse is there or, as on a wall, nothing to point with."""
        names = ["chromium", "chromium-browser", "google-chrome", "chrome"]
        program = next(filter(None, map(shutil.which, names)), None)
        if not program:
            sys.exit("Chromium is missing: sudo apt install chromium")
        command = [program, "--headless", "--remote-debugging-pipe", f"--user-data-dir={folder}"]
        command += ["--no-first-run", "--disable-background-networking", "--disable-gpu"]
        # As Blink numbers them: a fine pointer that hovers, or none.
        fine, hover = (4, 2) if pointer else (1, 1)
        names = [f"{prefix}{kind}" for prefix in ("primary", "available") for kind in ("PointerType", "HoverType")]
        settings = [f"{name}{'s' * name.startswith('available')}={fine if 'Pointer' in name else hover}" for name in names]
        command += [f"--blink-settings={','.join(settings)}"]
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
        for domain in ["Page", "Runtime", "Log", "Network"]:
            self.call(f"{domain}.enable")
        self.call("Fetch.enable", patterns=[{"urlPattern": f"*/{end}"} for end in ("stats", "history")])
        source = "addEventListener('securitypolicyviolation', (e) => console.error('CSP: ' + e.violatedDirective))"
        self.call("Page.addScriptToEvaluateOnNewDocument", source=source)

    def stop(self):
        self.process.kill()
        self.process.wait()

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

    def until_loaded_anew(self, condition):
        """The same while the page goes and another comes, which ends whatever was asked of it."""
        deadline = time.monotonic() + DEADLINE_SECONDS
        while True:
            try:
                return self.until(condition)
            except AssertionError:
                assert time.monotonic() < deadline, condition

    def texts(self, selector):
        return self.ask(f"[...document.querySelectorAll({selector!r})].map((n) => n.innerText)")

    def poll(self, condition):
        """Has the dashboard ask at once rather than in five seconds, until that shows."""
        nudge = "document.dispatchEvent(new Event('visibilitychange'))"
        self.until(f"({nudge}, {condition})")

    def open(self, url, screen, ready="true", motion="no-preference"):
        _, width, height, scheme, phone = screen
        size = {"width": width, "height": height, "deviceScaleFactor": 2 if phone else 1}
        self.call("Emulation.setDeviceMetricsOverride", mobile=phone, **size)
        self.call("Emulation.setTouchEmulationEnabled", enabled=phone)
        wanted = {"prefers-color-scheme": scheme, "prefers-reduced-motion": motion}
        features = [{"name": name, "value": value} for name, value in wanted.items()]
        self.call("Emulation.setEmulatedMedia", features=features)
        self.call("Page.navigate", url=url)
        self.until(f"location.href === {url!r} && document.readyState === 'complete' && ({ready})")

    def press(self, key):
        """A key of the keyboard."""
        named = {"Enter": (13, "\r"), "Tab": (9, "")}
        code, text = named[key]
        about = {"key": key, "code": key, "windowsVirtualKeyCode": code}
        self.call("Input.dispatchKeyEvent", type="keyDown", text=text, **about)
        self.call("Input.dispatchKeyEvent", type="keyUp", **about)

    def click(self, selector):
        """A click with the mouse into the middle of an element."""
        box = f"document.querySelector({selector!r}).getBoundingClientRect()"
        x, y = self.ask(f"(({{x, y, width, height}}) => [x + width / 2, y + height / 2])({box})")
        for kind in ("mouseMoved", "mousePressed", "mouseReleased"):
            about = {} if kind == "mouseMoved" else {"button": "left", "clickCount": 1}
            self.call("Input.dispatchMouseEvent", type=kind, x=x, y=y, **about)

    def go(self, online):
        """Takes the network away, or gives it back."""
        conditions = {"latency": 0, "downloadThroughput": -1, "uploadThroughput": -1}
        self.call("Network.emulateNetworkConditions", offline=not online, **conditions)

    def photograph(self, path, whole=True):
        """A picture of the page, or of what is seen of it without scrolling."""
        height = "document.documentElement.scrollHeight" if whole else "innerHeight"
        width, height = self.ask(f"[innerWidth, {height}]")
        clip = {"x": 0, "y": 0, "width": width, "height": height, "scale": 1}
        picture = self.call("Page.captureScreenshot", captureBeyondViewport=True, clip=clip)
        path.write_bytes(base64.b64decode(picture["data"]))


def check_frame(browser, screen):
    """Nothing is wider than the screen, and nothing has been complained about."""
    wide = browser.ask("document.documentElement.scrollWidth")
    assert wide <= screen[1], f"{screen[0]}: {wide} pixels wide"
    assert not browser.complaints, browser.complaints

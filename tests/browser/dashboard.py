"""The dashboard: what it draws of what is told, whatever is missing, and when nothing is told."""

import json

from chromium import check_frame
from program import HOSTILE

# Of clients before the browser comes.
REQUESTS = 25
# Name, width, height, colour scheme, a phone.
SCREENS = [
    ("light", 1280, 800, "light", False),
    ("dark", 1280, 800, "dark", False),
    ("tablet", 800, 1024, "dark", False),
    ("phone", 360, 780, "light", True),
]


def check_dashboard(browser, program, screen, folder):
    url = program.url
    browser.open(f"{url}/dashboard", screen, "!document.querySelector('main').hidden")
    stats = json.loads(program.get("/stats"))
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


def check_day(browser, program, folder):
    """A day is drawn as it is told, with its gaps, and read under a pointer."""
    url = program.url
    points = [None if 100 < at < 110 else 1 + at % 96 / 96 for at in range(200)]
    figures = json.loads(program.get("/api/v1/history"))
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


def check_parts(browser, program):
    """Whatever is missing or strange in the figures, the rest is drawn."""
    url = program.url
    browser.open(f"{url}/dashboard", SCREENS[-1], "!document.querySelector('main').hidden")
    stats = json.loads(program.get("/stats"))
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


def check_silence(browser, program, folder):
    """When the program is gone the last figures stay, and it is said from when they are."""
    url = program.url
    browser.open(f"{url}/dashboard", SCREENS[0], "!document.querySelector('main').hidden")
    program.stop()
    browser.poll("document.body.className === 'gone'")
    assert "does not answer" in browser.texts("#verdict")[0]
    assert "from" in browser.texts("#reason")[0]
    assert browser.texts("#feeds_status tbody tr"), "the last figures stay"
    browser.photograph(folder / "dashboard-gone.png")

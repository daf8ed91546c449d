"""Looks at the pages in Chromium, with the program and its feeds running:

    python3 tests/browser PROGRAM FOLDER AXE

Everything is waited for by its condition, each for at most a minute; the standard library is
enough. Screenshots go into FOLDER; AXE is the file axe.min.js.
"""

import os
import pathlib
import sys
import tempfile

import axe
import dashboard
import live
import pages
import setup
from chromium import Browser
from program import STILL, Program, serve_feeds, wait_until_ready

FEEDS = [("work", "work.ics", "#1d5f8a"), ("family", "family.ics", "#b5472a")]
LIVE = [("work", "live.ics", ""), ("broken", "broken.ics", "")]
AT = [("CALENDARBOT_TEST_TIME", STILL)]
EINK = '[display]\ntheme = "eink"'


def check_walls(browser, still, eink, long, folder):
    """Panels without anything to point with."""
    for screen in pages.WALLS:
        for path in pages.PAGES:
            pages.check_page(browser, still, path, screen, "light", folder, True)
            pages.check_page(browser, still, path, screen, "dark", folder, True)
            pages.check_page(browser, eink, path, screen, "eink", folder, True)
    pages.check_long_title(browser, long, [*pages.WALLS, pages.DESKS[0]], folder, True)


def check_desks(browser, still, eink, long, folder):
    """Screens in front of which somebody sits, or that somebody holds."""
    for screen in pages.DESKS:
        for path in pages.PAGES:
            pages.check_page(browser, still, path, screen, "light", folder, False)
            pages.check_page(browser, still, path, screen, "dark", folder, False)
            pages.check_page(browser, eink, path, screen, "eink", folder, False)
    pages.check_long_title(browser, long, pages.DESKS, folder, False)


def check_access(browser, still, eink, source):
    """What axe says of every page, in light, dark and black and white."""
    ready = {
        "/dashboard": "!document.querySelector('main').hidden",
        "/settings": "!document.querySelector('#settings').hidden",
    }
    screens = [
        (still, ("light", 1280, 800, "light", False)),
        (still, ("dark", 360, 800, "dark", True)),
        (eink, ("eink", 800, 480, "light", False)),
    ]
    for path in [*pages.PAGES, "/dashboard", "/setup", "/settings"]:
        for program, screen in screens:
            axe.check(browser, source, program.url + path, screen, ready.get(path, "document.body"))


def check_dashboard(browser, program, folder):
    for screen in dashboard.SCREENS:
        dashboard.check_dashboard(browser, program, screen, folder)
    dashboard.check_day(browser, program, folder)
    dashboard.check_parts(browser, program)
    dashboard.check_silence(browser, program, folder)


def main(binary, folder, source):
    binary, folder = os.path.abspath(binary), pathlib.Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    running = []
    # Chromium may still be writing to its profile.
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as scratch:
        scratch, port = pathlib.Path(scratch), serve_feeds()

        def start(name, feeds, settings="", environment=()):
            running.append(Program(binary, scratch / name, port, feeds, settings, environment))
            return running[-1]

        def browse(pointer):
            running.append(Browser(scratch / f"browser-{pointer}", pointer))
            return running[-1]

        try:
            still, eink = start("still", FEEDS, "", AT), start("eink", FEEDS, EINK, AT)
            long, moving = start("long", [("long", "long.ics", "")], "", AT), start("live", LIVE)
            wait_until_ready(running)
            for _ in range(dashboard.REQUESTS):
                moving.get("/api/v1/next")
            wall = browse(pointer=False)
            check_walls(wall, still, eink, long, folder)
            wall.stop()
            desk = browse(pointer=True)
            check_desks(desk, still, eink, long, folder)
            check_access(desk, still, eink, source)
            setup.check(desk, start, port, folder)
            pages.check_hostile(desk, moving, folder)
            for check in live.CHECKS:
                check(desk, moving)
            check_dashboard(desk, moving, folder)
        finally:
            for process in running:
                process.stop()
    print(f"all pages are sound; pictures in {folder}")


if __name__ == "__main__":
    main(*sys.argv[1:])

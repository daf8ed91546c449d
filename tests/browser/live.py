"""What's Next as it lives: it counts, follows the server, survives its silence, skips and hides."""

import datetime

from chromium import check_frame
from program import UTC, Feeds

SCREEN = ("desktop", 1280, 800, "light", False)
TITLE = "document.querySelector('.hero h1').innerText"
MARK = "window.marked"


def open_page(browser, program):
    browser.open(f"{program.url}/", SCREEN, "document.querySelector('.hero .acts button')")
    browser.ask(f"{MARK} = true")


def check_countdown(browser, program):
    """It moves by the second, and is said aloud by words, not by seconds."""
    open_page(browser, program)
    first = browser.texts(".hero .countdown")[0]
    browser.until(f"document.querySelector('.hero .countdown').innerText !== {first!r}")
    assert browser.ask("document.querySelector('#announce').getAttribute('aria-live')") == "polite"


def check_events(browser, program):
    """What a refresh brings shows by itself, in the same document."""
    open_page(browser, program)
    start = datetime.datetime.now(UTC) - datetime.timedelta(minutes=1)
    new = ["BEGIN:VEVENT", "UID:new", f"DTSTART:{start:%Y%m%dT%H%M%SZ}", "DURATION:PT20M"]
    Feeds.feeds["/live.ics"] += [*new, "SUMMARY:It has come", "END:VEVENT"]
    program.post("/api/v1/refresh")
    browser.until(f"{TITLE}.includes('It has come')")
    assert browser.ask(MARK), "the page was not loaded again"


def check_silence(browser, program):
    """What is shown stays, says since when, and is followed again."""
    open_page(browser, program)
    browser.go(online=False)
    browser.until("!document.querySelector('#offline').hidden")
    assert "Offline since" in browser.texts("#offline")[0]
    assert browser.ask(TITLE), "the last plan stays"
    browser.go(online=True)
    browser.until("document.querySelector('#offline').hidden")
    # The browser complains about what it could not load meanwhile.
    browser.complaints.clear()


def check_acts(browser, program):
    """A meeting is skipped and hidden, by mouse and by keyboard, and is back again."""
    for number, said in [(1, "Skipped"), (2, "Hidden")]:
        button = f".hero .acts button:nth-child({number})"
        for act in ("click", "press"):
            open_page(browser, program)
            before = browser.ask(TITLE)
            if act == "click":
                browser.click(button)
            else:
                browser.ask(f"document.querySelector({button!r}).focus()")
                browser.press("Enter")
            browser.until(f"document.querySelector('#done').innerText.includes({said!r})")
            browser.until(f"{TITLE} !== {before!r}")
            assert browser.ask("document.activeElement.innerText") == "Undo"
            if act == "click":
                browser.click("#done button")
            else:
                browser.press("Enter")
            browser.until(f"{TITLE} === {before!r}")
            assert browser.ask(MARK), "all of it in one document"
    check_frame(browser, SCREEN)


def check_build(browser, program):
    """A page of another build loads itself anew once the server answers."""
    open_page(browser, program)
    browser.ask("document.querySelector('#view').dataset.build = 'another'")
    browser.ask("dispatchEvent(new Event('online'))")
    browser.until_loaded_anew(f"!{MARK} && document.querySelector('.hero')")


def check_motion(browser, program):
    """Who wants nothing to move sees nothing move."""
    moves = "getComputedStyle(document.querySelector('.hero .label')).animationName"
    for motion, moved in [("no-preference", True), ("reduce", False)]:
        browser.open(f"{program.url}/", SCREEN, "document.querySelector('.hero')", motion)
        browser.ask("document.querySelector('.hero').className = 'hero critical'")
        assert (browser.ask(moves) != "none") == moved, motion


CHECKS = [check_countdown, check_silence, check_acts, check_build, check_motion, check_events]

"""Adds the first calendar as a person does, and looks at the settings."""

from urllib.parse import quote

from chromium import check_frame
from program import HOSTILE, IDS

# Loads of a page between a click and what follows from it.
NAVIGATIONS_MAX = 5
# Name, width, height, colour scheme, a phone.
SCREENS = [("light", 1280, 800, "light", False), ("dark", 1280, 800, "dark", False)]
SCREENS += [("phone", 360, 780, "light", True)]


def check_form(browser, screen, expected=()):
    """Every control has a name, and nobody complains but of what is expected."""
    nameless = "[...document.querySelectorAll('input, select')].filter((n) => !n.labels.length)"
    assert browser.ask(f"{nameless}.map((n) => n.id)") == []
    browser.complaints[:] = [text for text in browser.complaints if not any(word in text for word in expected)]
    check_frame(browser, screen)


def arrive(browser, condition):
    """Waits for that on the page that the browser is on its way to; a question gets lost with the old one."""
    for _ in range(NAVIGATIONS_MAX):
        try:
            return browser.until(condition)
        except AssertionError as error:
            if "navigated or closed" not in str(error):
                raise
    raise AssertionError("the browser comes to no rest")


def fill(browser, field, text):
    browser.ask(f"document.querySelector({field!r}).focus()")
    browser.ask(f"document.querySelector({field!r}).select()")
    browser.call("Input.insertText", text=text)


def click(browser, selector):
    """A click with the mouse, once the element is where the mouse can be."""
    browser.ask(f"document.querySelector({selector!r}).scrollIntoView({{block: 'center'}})")
    browser.click(selector)


def check_setup(browser, program, port, screen, folder):
    """From the demonstration over a link that is wrong to the calendar on the screen."""
    url = program.url
    browser.open(f"{url}/", screen, "document.querySelector('a[href=setup]')")
    browser.ask("document.querySelector('a[href=setup]').click()")
    arrive(browser, "location.pathname === '/setup' && document.readyState === 'complete'")
    check_form(browser, screen)
    browser.photograph(folder / f"setup-{screen[0]}.png")
    fill(browser, "#link", f"http://127.0.0.1:{port}/nothing.ics")
    fill(browser, "#name", "live")
    browser.press("Enter")
    browser.until("document.querySelector('#outcome').className === 'bad'")
    assert "out of order" in browser.texts("#message")[0]
    assert browser.ask("document.querySelector('#add').hidden")
    browser.photograph(folder / f"setup-wrong-{screen[0]}.png")
    check_form(browser, screen, ["422"])
    fill(browser, "#link", f"http://127.0.0.1:{port}/live.ics")
    browser.press("Enter")
    browser.until("document.activeElement.id === 'add'")
    said = browser.texts("#message")[0]
    assert said.startswith("Found 8 events. Next: Meeting") and HOSTILE in said, said
    browser.photograph(folder / f"setup-found-{screen[0]}.png")
    check_form(browser, screen)
    browser.press("Enter")
    arrive(browser, "location.pathname === '/' && document.querySelector('.countdown')")
    assert HOSTILE in browser.ask("document.querySelector('h1').innerText")
    browser.photograph(folder / f"setup-done-{screen[0]}.png")
    check_form(browser, screen)
    assert "127.0.0.1:" not in program.get("/api/v1/setup")


def check_settings(browser, program, screen, folder):
    """Everything that is set is there, and what is skipped can be taken back."""
    for uid in (IDS[3], IDS[4]):
        assert program.post(f"/api/v1/skips?id={quote(uid, safe='')}") == 201
    ready = "document.querySelectorAll('#skips button').length === 2"
    browser.open(f"{program.url}/settings", screen, ready)
    assert "live" in browser.texts("#calendars li")[0] and "8 events" in browser.texts("#calendars")[0]
    assert HOSTILE in browser.texts("#skips li")[0], browser.texts("#skips li")
    check_form(browser, screen)
    browser.photograph(folder / f"settings-{screen[0]}.png")
    for left in (1, 0):
        click(browser, "#skips button")
        browser.until(f"document.querySelectorAll('#skips button').length === {left}")
    assert browser.texts("#outcome") == ["Saved."]
    if browser.ask("!document.querySelector('#settings').hidden"):
        fill(browser, "#pattern", "MEETING 5")
        browser.until("document.querySelector('#matching').textContent.startsWith('1 event of')")
        browser.press("Enter")
        browser.until("document.querySelectorAll('#patterns button').length === 1")
        assert "Meeting 5" not in program.get("/agenda")
        browser.photograph(folder / f"settings-filter-{screen[0]}.png")
        click(browser, "#patterns button")
        browser.until("document.querySelectorAll('#patterns button').length === 0")
        browser.until("document.querySelector('#outcome').textContent === 'Saved.'")
        assert "Meeting 5" in program.get("/agenda")
    check_form(browser, screen)


def check(browser, start, port, folder):
    """Each screen with a program that has no calendar yet."""
    for screen in SCREENS:
        program = start(f"setup-{screen[0]}", [], "allow_private_feeds = true")
        check_setup(browser, program, port, screen, folder)
        check_settings(browser, program, screen, folder)

"""Adds the first calendar as a person does, and looks at the settings."""

import json
from urllib.parse import quote

from chromium import check_frame
from program import HOSTILE, IDS, wait_until_ready

# Loads of a page between a click and what follows from it.
NAVIGATIONS_MAX = 5
ENGLISH = {
    "found": "Found 9 events. Next: Meeting",
    "saved": "Saved.",
    "matching": "1 event of",
    "heading": "Settings",
}
GERMAN = {
    "found": "Gefunden: 9 Termine. Als Nächstes: Meeting",
    "saved": "Gespeichert.",
    "matching": "1 Termin der",
    "heading": "Einstellungen",
}
# Name, width, height, colour scheme, a phone; the configuration of the display; what it says.
SCREENS = [
    (("light", 1280, 800, "light", False), "", ENGLISH),
    (("dark", 1280, 800, "dark", False), "", ENGLISH),
    (("phone", 360, 780, "light", True), "", ENGLISH),
    (("configured-dark", 800, 480, "light", False), 'theme = "dark"', ENGLISH),
    (("eink", 800, 480, "dark", False), 'theme = "eink"', ENGLISH),
    (("german", 480, 800, "light", False), 'language = "de"', GERMAN),
]
# What the form of the display says, where its effect is seen, and what is there then.
SAVED = [
    ("layout", "4x8", "/calendar", "page-day"),
    ("theme", "dark", "/", 'data-theme="dark"'),
    ("theme", "eink", "/", 'data-theme="eink"'),
    ("density", "compact", "/", 'data-density="compact"'),
    ("zone", "Asia/Tokyo", "/", "+09:00"),
    ("zone", "", "/", "+0"),
]


def check_form(browser, screen, expected=()):
    """Every control has a name, and nobody complains but of what is expected."""
    nameless = "[...document.querySelectorAll('input, select')].filter((n) => !n.labels.length)"
    assert browser.ask(f"{nameless}.map((n) => n.id)") == []
    browser.complaints[:] = [text for text in browser.complaints if not any(word in text for word in expected)]
    check_frame(browser, screen)


def check_look(browser, display, words):
    """It is in the colours and the language of the configuration."""
    theme = browser.ask("document.documentElement.dataset.theme || ''")
    assert theme == (display.split('"')[1] if "theme" in display else ""), theme
    assert browser.ask("document.documentElement.lang") == ("de" if words is GERMAN else "en")
    if theme == "eink":
        colors = "['color', 'backgroundColor'].map((name) => getComputedStyle(document.body)[name])"
        assert browser.ask(colors) == ["rgb(0, 0, 0)", "rgb(255, 255, 255)"]


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


def check_setup(browser, program, port, screen, display, words, folder):
    """From the demonstration over a link that is wrong to the calendar on the screen."""
    url = program.url
    browser.open(f"{url}/", screen, "document.querySelector('a[href=setup]')")
    browser.ask("document.querySelector('a[href=setup]').click()")
    arrive(browser, "location.pathname === '/setup' && document.readyState === 'complete'")
    check_look(browser, display, words)
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
    assert said.startswith(words["found"]) and HOSTILE in said, said
    browser.photograph(folder / f"setup-found-{screen[0]}.png")
    check_form(browser, screen)
    browser.press("Enter")
    arrive(browser, "location.pathname === '/' && document.querySelector('.countdown')")
    assert HOSTILE in browser.ask("document.querySelector('h1').innerText")
    browser.photograph(folder / f"setup-done-{screen[0]}.png")
    check_form(browser, screen)
    assert "127.0.0.1:" not in program.get("/api/v1/setup")


def open_settings(browser, program, screen):
    browser.open(f"{program.url}/settings", screen, "!document.querySelector('#settings').hidden")


def save(browser, words, act):
    """Does something that is saved, and waits until it is."""
    browser.ask("document.querySelector('#outcome').textContent = ''")
    act()
    browser.until(f"document.querySelector('#outcome').textContent === {words['saved']!r}")


def check_settings(browser, program, screen, display, words, folder):
    """Everything that is set is there, and what is skipped can be taken back."""
    for uid in (IDS[3], IDS[4]):
        assert program.post(f"/api/v1/skips?id={quote(uid, safe='')}") == 201
    open_settings(browser, program, screen)
    browser.until("document.querySelectorAll('#skips button').length === 2")
    assert browser.texts("h1") == [words["heading"]]
    assert "live" in browser.texts("#calendars li")[0] and " 9 " in browser.texts("#calendars")[0]
    assert HOSTILE in browser.texts("#skips li")[0], browser.texts("#skips li")
    check_look(browser, display, words)
    check_form(browser, screen)
    browser.photograph(folder / f"settings-{screen[0]}.png")
    for left in (1, 0):
        save(browser, words, lambda: click(browser, "#skips button"))
        browser.until(f"document.querySelectorAll('#skips button').length === {left}")
    check_filters(browser, program, screen, words, folder)
    check_display(browser, program, screen, words)
    check_form(browser, screen)


def check_filters(browser, program, screen, words, folder):
    """A pattern and the box for whole days: each has its effect, and can be taken back."""
    fill(browser, "#pattern", "MEETING 5")
    browser.until(f"document.querySelector('#matching').textContent.startsWith({words['matching']!r})")
    save(browser, words, lambda: browser.press("Enter"))
    browser.until("document.querySelectorAll('#patterns button').length === 1")
    assert browser.texts("#patterns small")[0].strip().startswith(words["matching"])
    assert "Meeting 5" not in program.get("/agenda")
    browser.photograph(folder / f"settings-filter-{screen[0]}.png")
    save(browser, words, lambda: click(browser, "#patterns button"))
    browser.until("document.querySelectorAll('#patterns button').length === 0")
    assert "Meeting 5" in program.get("/agenda")
    for is_hidden in (True, False):
        save(browser, words, lambda: click(browser, "#all-day"))
        assert ("All day long" in program.get("/")) != is_hidden
        open_settings(browser, program, screen)
        assert browser.ask("document.querySelector('#all-day').checked") == is_hidden


def check_display(browser, program, screen, words):
    """Each part of the form is saved, is there when the page is opened again, and has its effect."""
    for field, value, path, effect in SAVED:
        if field == "zone":
            fill(browser, "#zone", value)
            if not value:
                browser.ask("document.querySelector('#zone').value = ''")
        else:
            browser.ask(f"document.querySelector('#{field}').value = {value!r}")
        save(browser, words, lambda: click(browser, "#display button"))
        assert effect in program.get(path), f"{field} {value}"
        open_settings(browser, program, screen)
        assert browser.ask(f"document.querySelector('#{field}').value") == value, field
        if field == "theme":
            assert browser.ask("document.documentElement.dataset.theme") == value
    assert "+09:00" not in program.get("/"), "an empty field takes the zone back"
    assert json.loads(program.get("/api/settings"))["data"]["display"]["timezone"] == "Europe/Berlin"


def check(browser, start, port, folder):
    """Each screen with a program that has no calendar yet."""
    for screen, display, words in SCREENS:
        settings = f"allow_private_feeds = true\n[display]\n{display}"
        program = start(f"setup-{screen[0]}", [], settings)
        wait_until_ready([program])
        check_setup(browser, program, port, screen, display, words, folder)
        check_settings(browser, program, screen, display, words, folder)

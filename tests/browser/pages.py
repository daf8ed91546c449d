"""Every page on every screen in every theme: it fits, and nothing that matters is cut off."""

from chromium import check_frame
from program import HOSTILE

# Name, width, height, a phone. On a wall there is nothing to point with.
WALLS = [
    ("panel", 800, 480, False),
    ("tall", 480, 800, False),
    ("small", 400, 300, False),
    ("narrow", 300, 400, False),
]
DESKS = [("desktop", 1280, 800, False), ("phone", 360, 780, True)]
PAGES = ["/", "/day", "/week", "/agenda", "/month"]

# Elements that stand outside of others, as far as both are there.
OUTSIDE = """
([inner, outer]) => [...document.querySelectorAll(inner)].filter((node) => {
  const [a, frame] = [node.getBoundingClientRect(), outer && node.closest(outer)];
  const b = frame ? frame.getBoundingClientRect() : { left: 0, top: 0, right: innerWidth, bottom: innerHeight };
  const [w, h] = [a.width, a.height];
  const out = a.left < b.left - 1 || a.top < b.top - 1 || a.right > b.right + 1 || a.bottom > b.bottom + 1;
  return w && h && (frame || !outer) && out;
}).map((node) => `${inner} ${node.className}: ${node.textContent.slice(0, 40)}`)
"""
# What stands in what; nothing is the screen.
ALWAYS = [
    (".hero > *", ".hero"),
    (".countdown", ".hero"),
    (".event", ".slots"),
    (".now-line", ".slots"),
    (".bar", ".bars"),
    (".row", ".weeks"),
    (".cell a", ".cell"),
    (".clock", "header"),
]
ON_A_WALL = [(".hero", ""), (".grid", ""), (".weeks", ""), (".clock", ""), (".cell a", "")]


def name_of(path):
    return path.strip("/") or "whats-next"


def check_page(browser, program, path, screen, theme, folder, is_wall):
    """One page on one screen."""
    name, width, height, phone = screen
    scheme = "dark" if theme == "dark" else "light"
    about = (name, width, height, scheme, phone)
    browser.open(program.url + path, about, "document.querySelector('.clock time')")
    check_frame(browser, about)
    place = f"{name_of(path)} {name} {theme}"
    for inner, outer in ALWAYS + (ON_A_WALL if is_wall else []):
        found = browser.ask(f"({OUTSIDE})({[inner, outer]!r})")
        assert not found, f"{place}: {found}"
    if is_wall:
        tall = browser.ask("document.documentElement.scrollHeight")
        assert tall <= height, f"{place}: {tall} pixels high, and nobody can scroll"
    if theme == "eink":
        colors = "[...document.querySelectorAll('symbol g')].map((g) => g.getAttribute('fill'))"
        assert set(browser.ask(colors)) == {"#000000"}, place
    browser.photograph(folder / f"{name_of(path)}-{name}-{theme}.png", whole=not is_wall)


def check_long_title(browser, program, screens, folder, is_wall):
    """A title that is longer than its card leaves the countdown its place."""
    for screen in screens:
        check_page(browser, program, "/", screen, "long", folder, is_wall)


def check_hostile(browser, program, folder):
    """A title of markup is a title."""
    for path in PAGES:
        about = ("desktop", 1280, 800, "light", False)
        browser.open(program.url + path, about, "document.querySelector('.clock time')")
        # A cell of a month shows the beginning of a title.
        assert HOSTILE[:20] in browser.ask("document.querySelector('main').textContent"), path
        assert browser.ask("document.querySelectorAll('main img').length") == 0
        check_frame(browser, about)

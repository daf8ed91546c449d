"""Asks axe-core about a page: nothing serious, nothing critical."""

import json
import pathlib

GRAVE = ("serious", "critical")


def check(browser, source, url, screen, ready):
    browser.open(url, screen, ready)
    browser.ask(pathlib.Path(source).read_text() + "; 0")
    browser.call("Page.bringToFront")
    result = browser.ask("axe.run(document, {resultTypes: ['violations']}).then((r) => JSON.stringify(r.violations))")
    grave = [
        f"{found['id']} ({found['impact']}): {node['target']} {node.get('failureSummary', '')}"
        for found in json.loads(result)
        if found["impact"] in GRAVE
        for node in found["nodes"][:3]
    ]
    assert not grave, f"{url} on {screen[0]}:\n" + "\n".join(grave)

"""How the pages look: nothing sticks out, controls are large enough, and pictures are there to be looked at."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import pytest
from playwright.sync_api import Browser, Page

from tests.mails import mail
from tests.pages.visit import Visit
from tests.served import Served

STICKS_OUT = """() => {
    const wide = document.documentElement.clientWidth;
    const found = document.documentElement.scrollWidth > wide ? ["the page itself"] : [];
    for (const one of document.querySelectorAll("body *")) {
        const box = one.getBoundingClientRect();
        if (box.width && box.right > wide + 1 && !one.closest("pre, .scroll, .skip")) found.push(one.outerHTML.slice(0, 120));
    }
    return found;
}"""
TOO_SMALL = """() => [...document.querySelectorAll(".btn, main input, select, summary, .top nav a")]
    .filter(one => one.checkVisibility() && !["hidden", "radio"].includes(one.type))
    .filter(one => one.getBoundingClientRect().height < 43.5)
    .map(one => one.outerHTML.slice(0, 120))"""
UNNAMED = """() => [...document.querySelectorAll("main input:not([type=hidden]), select")]
    .filter(one => !one.labels.length).map(one => one.outerHTML.slice(0, 120))"""


@pytest.fixture(scope="session")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the pictures of this run lie."""
    return tmp_path_factory.mktemp("pictures")


def look(page: Page, name: str, *, pictures: Path) -> None:
    page.screenshot(path=pictures / f"{name}.png", full_page=True)
    assert page.evaluate(STICKS_OUT) == [], name
    assert page.evaluate(TOO_SMALL) == [], name
    assert page.evaluate(UNNAMED) == [], name


@pytest.mark.parametrize(("width", "scheme"), [(390, "light"), (1280, "dark")])
def test_pages_fit(
    chromium: Browser, service: Served, pictures: Path, *, width: int, scheme: Literal["light", "dark"]
) -> None:
    with Visit.at(chromium, service, script=True, width=width, scheme=scheme) as visit:
        for path in ("/", "/root", "/enrol", "/check"):
            visit.page.goto(path)
            look(visit.page, f"{path.strip('/') or 'home'}-{width}", pictures=pictures)
        visit.enter(f"{'x' * 50}{width}@campus.example")
        look(visit.page, f"mine-empty-{width}", pictures=pictures)
        for summary in visit.page.locator("summary").all():
            summary.click()
        look(visit.page, f"mine-open-{width}", pictures=pictures)
        visit.press("Make my file")
        visit.page.wait_for_selector("#passphrase")
        look(visit.page, f"file-{width}", pictures=pictures)
        visit.follow("Show my certificates")
        visit.arrive("My certificates")
        look(visit.page, f"mine-{width}", pictures=pictures)
        visit.page.goto("/outbox")
        look(visit.page, f"outbox-{width}", pictures=pictures)
        visit.check(mail())
        visit.page.wait_for_selector(".verdict")
        look(visit.page, f"checked-{width}", pictures=pictures)
    assert len(list(pictures.glob(f"*-{width}.png"))) == 10


def test_keyboard_reaches_the_content_first(scripted: Visit) -> None:
    scripted.page.goto("/enrol")
    scripted.page.keyboard.press("Tab")
    assert scripted.page.evaluate("document.activeElement.textContent") == "Skip to the content"
    ring = "getComputedStyle(document.activeElement).outlineStyle"
    assert scripted.page.evaluate(ring) == "solid"

from __future__ import annotations

import re

from api.pages.desk import Letter
from tests.api.pages.browser import Browser, heading
from tests.api.pages.desk import ALICE, NOW, FakeDesk, application


def letter(**changed: object) -> Letter:
    made = {
        "id": "1",
        "mailbox": ALICE,
        "subject": "Your <link>",
        "at": NOW,
        "text": "Open <this>:",
        "links": (
            "https://ca.campus.example/enrol/abc",
            "https://ca.campus.example.evil.example/x",
            "javascript:alert(1)",
        ),
    }
    return Letter(**(made | changed))  # type: ignore[arg-type]  # by name, in tests alone


def test_letters_are_text_and_only_our_links_can_be_followed(browser: Browser, desk: FakeDesk) -> None:
    desk.written = [letter()]
    page = browser.get("/outbox")
    assert (page.status_code, heading(page)) == (200, "Letters of the demo")
    assert "<bdi>Your &lt;link&gt;</bdi>" in page.text
    assert re.findall(r'<a class="btn p" href="([^"]*)"', page.text) == ["/enrol/abc"]
    assert "Open &lt;this&gt;:" in page.text


def test_no_letter_yet(browser: Browser) -> None:
    assert "No letter has been written yet" in browser.get("/outbox").text


def test_only_the_demo_has_the_page(desk: FakeDesk) -> None:
    desk.written = [letter()]
    real = Browser(application(desk, demo=False))
    page = real.get("/outbox")
    assert page.status_code == 404
    assert "DEMO" not in page.text
    assert "/outbox" not in real.get("/enrol").text

from __future__ import annotations

import pytest

from tests.api.pages.browser import Browser
from tests.api.pages.desk import TOKEN, FakeDesk, application


@pytest.fixture
def desk() -> FakeDesk:
    return FakeDesk()


@pytest.fixture
def browser(desk: FakeDesk) -> Browser:
    """A browser that has been nowhere."""
    return Browser(application(desk))


@pytest.fixture
def inside(browser: Browser) -> Browser:
    """A browser in which the link was opened."""
    browser.get(f"/enrol/{TOKEN}")
    assert browser.post(f"/enrol/{TOKEN}/open").status_code == 303
    return browser

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, sync_playwright

from tests.pages.visit import Visit
from tests.served import Served, serve

CHROMIUM = Path("/usr/bin/chromium")
FLAGS = (
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


@pytest.fixture(scope="session")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """The demo, as people find it."""
    with serve(tmp_path_factory.mktemp("pages")) as served:
        yield served


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    """One browser for the tests of a file; each has contexts of its own.

    No longer than that: while it is open an event loop counts as running, and nobody else can run theirs.
    """
    if not CHROMIUM.exists():
        reason = f"{CHROMIUM} missing: apt-get install --no-install-recommends chromium"
        if os.environ.get("MAILSEAL_REQUIRE_ALL") == "1":
            pytest.fail(reason)
        pytest.skip(reason)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=CHROMIUM, headless=True, chromium_sandbox=False, args=list(FLAGS)
        )
        yield browser
        browser.close()


@pytest.fixture(params=["script", "no_script"])
def visit(request: pytest.FixtureRequest, chromium: Browser, service: Served) -> Iterator[Visit]:
    """Somebody at a browser, once with and once without JavaScript."""
    with Visit.at(chromium, service, script=request.param == "script") as one:
        yield one


@pytest.fixture
def scripted(chromium: Browser, service: Served) -> Iterator[Visit]:
    """Somebody at a browser with JavaScript."""
    with Visit.at(chromium, service, script=True) as one:
        yield one

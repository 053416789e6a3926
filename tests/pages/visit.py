"""A visit of somebody at a browser, who follows what the pages say."""

from __future__ import annotations

import itertools
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from playwright.sync_api import Browser, Page, expect

from tests.served import Served

LETTER_SECONDS = 30
_number = itertools.count(1)


@dataclass
class Visit:
    """One browser context with its own cookies; `complaints` are what the browser told its console."""

    page: Page
    service: Served
    script: bool
    complaints: list[str] = field(default_factory=list)

    @classmethod
    @contextmanager
    def at(
        cls,
        chromium: Browser,
        service: Served,
        *,
        script: bool,
        width: int = 1280,
        scheme: Literal["light", "dark"] = "light",
    ) -> Iterator[Visit]:
        """A new context; at its end the browser must not have complained."""
        context = chromium.new_context(
            java_script_enabled=script,
            viewport={"width": width, "height": 900},
            color_scheme=scheme,
            base_url=service.url,
        )
        context.set_default_timeout(15_000)
        visit = cls(page=context.new_page(), service=service, script=script)
        visit.listen(visit.page)
        try:
            yield visit
        finally:
            context.close()
        assert visit.complaints == []

    def listen(self, page: Page) -> None:
        """Note what the console of a page is told: a violation of the policy is an error there."""
        page.on(
            "console", lambda said: self.complaints.append(said.text) if said.type in {"error", "warning"} else None
        )
        page.on("pageerror", lambda error: self.complaints.append(str(error)))

    def expect_complaint(self, status: int) -> None:
        """What Chromium says by itself of an answer with this status; nothing else may have been said."""
        said = [self.complaints.pop() for _ in range(len(self.complaints))]
        assert len(said) == 1, said
        assert f"status of {status}" in said[0]

    def arrive(self, heading: str) -> None:
        """Wait for the page with this heading, the one of the first rank."""
        expect(self.page.locator("h1")).to_have_text(heading)

    def press(self, name: str) -> None:
        """Press the button with this name."""
        self.page.get_by_role("button", name=name, exact=True).click()

    def follow(self, name: str) -> None:
        """Follow the link with this name."""
        self.page.get_by_role("link", name=name, exact=True).first.click()

    def ask(self, address: str | None = None) -> str:
        """Ask for a link as a person does, from the first page on; the address, a new one by default."""
        address = address or f"student{next(_number)}@campus.example"
        self.page.goto("/")
        self.page.get_by_role("navigation", name="Main").get_by_role("link", name="Get my certificate").click()
        self.page.get_by_label("Your mail address").fill(address)
        self.press("Mail me a link")
        self.arrive("Look into your mailbox")
        return address

    def link(self, address: str) -> str:
        """The path of the link in the newest letter to this address, from the page that only the demo has."""
        deadline = time.monotonic() + LETTER_SECONDS
        while time.monotonic() < deadline:
            self.page.goto("/outbox")
            letter = self.page.locator("article").filter(has_text=f"To {address},").filter(has_text="/enrol/")
            if letter.count():
                found = letter.first.get_by_role("link", name="Open the link").first.get_attribute("href")
                assert found is not None
                return found
            self.page.wait_for_timeout(100)
        raise AssertionError(f"no letter to {address} in {LETTER_SECONDS} s")

    def enter(self, address: str | None = None) -> str:
        """From an address to its certificates."""
        address = self.ask(address)
        self.page.goto(self.link(address))
        self.press("Open my certificates")
        self.arrive("My certificates")
        return address

    def send_request(self, content: bytes) -> None:
        """Send a certificate request, as a program made it."""
        field = self.page.get_by_label("Certificate request made by your program")
        if not field.is_visible():
            self.page.get_by_text("My program made the key itself").click()
        field.set_input_files({"name": "r.pem", "mimeType": "text/plain", "buffer": content})
        self.press("Send the request")

    def make_file(self, *, format_: str = "For this computer and modern phones", key: str | None = "p256") -> None:
        """Make a file on the page of the certificates."""
        self.page.get_by_text(format_, exact=True).click()
        if key is not None:
            self.page.get_by_text("Choose the kind of key").click()
            self.page.get_by_label("Kind of key", exact=True).select_option(key)
        self.press("Make my file")

    def save_file(self, folder: Path) -> tuple[Path, str]:
        """Save the file that was made; where it is, and the passphrase on the page."""
        self.arrive("Your file and its passphrase")
        with self.page.expect_download() as coming:
            self.page.get_by_role("link", name=re.compile(r"^Save .*\.p12$")).click()
        file = folder / coming.value.suggested_filename
        coming.value.save_as(file)
        return file, self.page.locator("#passphrase").inner_text()

    def check(self, message: bytes) -> None:
        """Check a message."""
        self.page.goto("/check")
        self.page.get_by_label("The saved message").set_input_files(
            {"name": "message.eml", "mimeType": "message/rfc822", "buffer": message}
        )
        self.press("Check it")

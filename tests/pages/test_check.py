"""From a browser alone: a message checked, signed, unsigned and altered; with and without JavaScript."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from tests.mails import SENDER, mail
from tests.pages.visit import Visit
from tests.served import Served


@pytest.fixture(scope="session")
def signed(service: Served) -> bytes:
    """A message that the service signed."""
    small = {"mailbox": SENDER, "key": "p256", "encryption_key": "p256"}
    service.post("/v1/identities", status=201, json=small)
    return service.sign(mail())


def test_signed_altered_and_unsigned(visit: Visit, signed: bytes) -> None:
    for message, verdict, title in (
        (signed, "valid", "Genuine: signed by its sender and not altered"),
        (signed.replace(b"Friday", b"Monday"), "invalid", "Do not trust this message"),
        (signed.replace(b"notices@", b"president@"), "invalid", "Do not trust this message"),
        (mail(), "not_signed", "Not signed: anybody could have written this message"),
    ):
        visit.check(message)
        visit.arrive(title)
        assert visit.page.locator(".verdict").get_attribute("data-verdict") == verdict
        assert "Nothing of the message was kept." in visit.page.locator("main").inner_text()


def test_reasons_are_sentences(scripted: Visit, signed: bytes) -> None:
    scripted.check(signed.replace(b"Friday", b"Monday"))
    scripted.arrive("Do not trust this message")
    assert scripted.page.locator("main li").all_inner_texts() == ["The message was altered after it was signed."]


def test_what_is_no_message_says_what_to_do(visit: Visit) -> None:
    visit.check(b"\x00\x01\x02")
    expect(visit.page.locator("#fault")).to_contain_text("Save the message as below")
    visit.expect_complaint(400)


def test_nothing_chosen_is_said_by_the_browser(visit: Visit) -> None:
    visit.page.goto("/check")
    visit.press("Check it")
    visit.arrive("Check a message")


def test_file_can_be_dropped(scripted: Visit, signed: bytes) -> None:
    scripted.page.goto("/check")
    scripted.page.evaluate(
        """text => {
            const carried = new DataTransfer();
            carried.items.add(new File([text], "m.eml", {type: "message/rfc822"}));
            const zone = document.querySelector("[data-drop]");
            zone.dispatchEvent(new DragEvent("drop", {dataTransfer: carried, bubbles: true, cancelable: true}));
        }""",
        signed.decode(),
    )
    scripted.press("Check it")
    scripted.arrive("Genuine: signed by its sender and not altered")

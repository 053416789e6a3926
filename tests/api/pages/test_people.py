"""The pages with the real services behind them: from an address to a certificate and its end, on each database."""

from __future__ import annotations

import html
import re
from base64 import b64decode

from cryptography.hazmat.primitives.serialization import pkcs12

from api.app import people
from tests.api.door import PKCS10, Door
from tests.api.pages.browser import Browser, heading, hidden
from tests.campus import csr
from tests.mails import mail
from tests.services import letters


def enter(browser: Browser, door: Door, address: str) -> None:
    assert browser.post("/enrol", {"address": address}).status_code == 200
    letters.run(letters.with_sender(door.campus))
    (link,) = re.findall(r'href="(/enrol/[^"]+)"', browser.get("/outbox").text)
    browser.get(link)
    assert browser.post(f"{link}/open").headers["location"] == "/mine"


def test_from_address_to_certificate_and_end(door: Door) -> None:
    browser = Browser(door.client.app)
    enter(browser, door, "alice@campus.example")
    page = browser.get("/mine")
    fields = {"of": hidden(page, "of"), "once": hidden(page, "once"), "key": "p256", "format": "modern"}

    made = browser.post("/mine/file", fields)
    assert heading(made) == "Your file and its passphrase"
    encoded = re.findall(r"base64,([A-Za-z0-9+/=]+)", made.text)[0]
    passphrase = re.findall(r'id="passphrase"[^>]*>([^<]+)<', made.text)[0]
    held = pkcs12.load_pkcs12(b64decode(encoded), html.unescape(passphrase).encode())
    assert held.cert is not None
    serial = f"{held.cert.certificate.serial_number:x}"
    assert door.get(f"/v1/certificates/{serial}").json()["proof"] == "link"

    again = browser.post("/mine/file", fields)
    assert (again.status_code, "The file was handed out once" in again.text) == (409, True)

    browser.post("/mine/end", {"of": fields["of"], "serial": serial, "reason": "stolen"})
    assert "lost or stolen" in browser.get("/mine").text
    assert door.get(f"/v1/certificates/{serial}").json()["revocation"]["reason"] == "keyCompromise"


def test_request_of_a_program_is_held_to_the_mailbox(door: Door) -> None:
    browser = Browser(door.client.app)
    enter(browser, door, "alice@campus.example")
    page = browser.get("/mine")
    fields = {"of": hidden(page, "of"), "once": hidden(page, "once")}
    refused = browser.post("/mine/request", files={"request": csr("bob@campus.example")}, data=fields)
    assert (refused.status_code, "Error:" in refused.text) == (422, True)
    made = browser.post("/mine/request", files={"request": csr("alice@campus.example")}, data=fields)
    assert heading(made) == "Your certificate"
    assert len(door.get("/v1/certificates?mailbox=bob@campus.example").json()["items"]) == 0


def test_known_and_unknown_addresses_get_the_same_page_and_a_foreign_one_no_letter(door: Door) -> None:
    browser = Browser(door.client.app)
    door.made("/v1/certificates", content=csr("alice@campus.example"), headers=PKCS10)
    before = door.rows()
    known, unknown, foreign = "alice@campus.example", "bob@campus.example", "alice@elsewhere.example"
    pages = [
        browser.post("/enrol", {"address": address}).text.replace(address, "X") for address in (known, unknown, foreign)
    ]
    assert pages[0] == pages[1] != pages[2]
    after = door.rows()
    assert after["enrolments"] - before["enrolments"] == 2


def test_check_keeps_nothing(door: Door) -> None:
    signed, before = (door.identity(), door.signed())[1], door.rows()
    stranger = Browser(door.client.app)
    assert heading(stranger.post("/check", files={"message": signed})).startswith("Genuine")
    altered = signed.replace(b"Friday", b"Monday")
    assert heading(stranger.post("/check", files={"message": altered})) == "Do not trust this message"
    assert heading(stranger.post("/check", files={"message": mail()})).startswith("Not signed")
    assert door.rows() == before


def test_answer_waits_by_default(door: Door) -> None:
    assert people(door.campus.context).patience >= 0.4

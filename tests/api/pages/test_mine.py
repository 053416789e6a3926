from __future__ import annotations

import base64
import re
from dataclasses import replace

import pytest

from api.pages import mine
from formats.mailbox import Mailbox
from tests.api.made_up import SITE
from tests.api.pages.browser import OURS, Browser, heading, hidden
from tests.api.pages.desk import ALICE, P12, PASSPHRASE, TOKEN, FakeDesk, application, session, unreadable, view

POSTS = ("/mine/file", "/mine/end", "/mine/leave", "/mine/request")


def form(page: object, **fields: str) -> dict[str, str]:
    return {"of": hidden(page, "of"), **fields}  # type: ignore[arg-type]  # httpx's answer


def make(inside: Browser, **changed: str) -> dict[str, str]:
    page = inside.get("/mine")
    return form(page, once=hidden(page, "once"), key="rsa3072", format="modern") | changed


# --- only with a session ----------------------------------------------------------------------------------------------
@pytest.mark.parametrize("path", ["/mine", "/mine/certificates/4f2a91c07e.pem"])
def test_nobody_sees_anything_without_a_session(browser: Browser, desk: FakeDesk, path: str) -> None:
    desk.held.append(view())
    for cookies in ({}, {"__Host-mailseal": "guessed"}, {"mailseal": "S"}, {"__Host-mailseal": "x" * 5000}):
        browser.cookies = cookies
        page = browser.get(path)
        assert (page.status_code, heading(page)) == (403, "No certificates are open in this browser")
        assert 'href="/enrol"' in page.text
        assert "4F2A" not in page.text


def test_nobody_changes_anything_without_a_session(browser: Browser, desk: FakeDesk) -> None:
    desk.held.append(view())
    fields = {"of": "e1", "once": "o", "key": "p256", "format": "modern"}
    assert browser.post("/mine/file", fields).status_code == 403
    assert browser.post("/mine/end", {"of": "e1", "serial": "4f2a91c07e", "reason": "stopped"}).status_code == 403
    assert browser.post("/mine/leave", {"of": "e1"}).status_code == 403
    assert browser.post("/mine/request", files={"request": b"r"}, data={"of": "e1", "once": "o"}).status_code == 403
    assert [one.status for one in desk.held] == ["active"]
    assert desk.requests == []


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Sec-Fetch-Site": "cross-site", "Origin": "https://ca.campus.example"},
        {"Origin": "null"},
        {"Origin": "https://evil.example"},
        {"Origin": "https://ca.campus.example.evil.example"},
        {"Origin": "http://[::1"},
        {"Origin": "https://ca.campus.example:99999"},
        {"Origin": "http://ca.campus.example"},
        {"Origin": "https://ca.campus.example:8443"},
        {"Origin": "ftp://ca.campus.example"},
        {"Origin": "http://mailseal.campus.example"},  # the Host that was asked, as whoever asks pleases
        {"Referer": "https://ca.campus.example/mine"},
    ],
)
def test_form_from_elsewhere_does_nothing(inside: Browser, desk: FakeDesk, headers: dict[str, str]) -> None:
    desk.held.append(view())
    fields = make(inside)
    for path in (*POSTS, f"/enrol/{TOKEN}/open", "/enrol", "/check"):
        page = inside.post(path, fields, headers=headers)
        assert (page.status_code, heading(page)) == (403, "This form was not sent from our own page"), path
    assert (desk.made, desk.asked, desk.checked, len(desk.opened)) == (set(), [], [], 1)


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://ca.campus.example"},
        {"Origin": "HTTPS://CA.campus.example:443"},
        {"Sec-Fetch-Site": "same-origin", "Origin": "null"},
    ],
)
def test_form_of_our_own_page_counts(inside: Browser, headers: dict[str, str]) -> None:
    assert inside.post("/mine/file", make(inside), headers=headers).status_code == 200


@pytest.mark.parametrize("name", ["localhost", "127.0.0.1", "[::1]"])
def test_forms_of_the_demo_come_from_any_name_of_this_machine(desk: FakeDesk, name: str) -> None:
    browser = Browser(application(desk, site=replace(SITE, public_url="http://localhost:8000")))
    for origin, status in ((f"http://{name}:8000", 200), (f"http://{name}:1", 403), ("http://evil.example:8000", 403)):
        page = browser.post("/enrol", {"address": "alice@campus.example"}, headers={"Origin": origin})
        assert page.status_code == status, origin


@pytest.mark.parametrize("path", POSTS)
def test_form_of_another_tabs_session_does_nothing(inside: Browser, desk: FakeDesk, path: str) -> None:
    desk.held.append(view())
    fields = make(inside)
    (browser,) = desk.opened
    desk.opened[browser] = session(enrolment_id="e2", mailbox=Mailbox.parse("bob@campus.example"))
    if path == "/mine/request":
        page = inside.post(path, files={"request": b"r"}, data={"of": "e1", "once": "o"})
    else:
        known = {"/mine/file": set(fields), "/mine/end": {"of"}, "/mine/leave": {"of"}}[path]
        page = inside.post(path, {name: value for name, value in fields.items() if name in known})
    assert (page.status_code, heading(page)) == (409, "Another address is open in this browser now")
    assert (desk.made, desk.requests, [one.status for one in desk.held]) == (set(), [], ["active"])
    assert desk.opened


# --- the list ---------------------------------------------------------------------------------------------------------
def test_list_shows_status_use_and_number(inside: Browser, desk: FakeDesk) -> None:
    desk.held += [view(), view("00ff", status="expired", use="encrypt")]
    page = inside.get("/mine")
    assert (page.status_code, page.headers["cache-control"]) == (200, "no-store")
    assert "<bdi>alice@campus.example</bdi>" in page.text
    assert "Open for 30 minutes more" in page.text
    assert "4F2A 91C0 7E" in page.text
    assert ("Sign and encrypt" in page.text, "Encrypt only" in page.text) == (True, True)
    assert page.text.count(">End it</button>") == 1  # only what is active can be ended


def test_empty_list_leads_to_making_one(inside: Browser) -> None:
    page = inside.get("/mine")
    assert "You have no certificate yet" in page.text
    assert "Make my file" in page.text


def test_pages_of_a_session_speak_no_jargon(inside: Browser, desk: FakeDesk) -> None:
    desk.held.append(view())
    pages = [inside.get("/mine"), inside.post("/mine/file", make(inside)), inside.get("/enrol"), inside.get("/check")]
    for page in pages:
        shown = re.sub(r"<[^>]*>", " ", page.text)
        assert re.findall(r"\b(PKI|CSR|OCSP|CRL|PKCS|X\.509|ASN)\b", shown) == []


# --- a file -----------------------------------------------------------------------------------------------------------
def test_file_and_passphrase_are_shown_and_not_stored(inside: Browser) -> None:
    page = inside.post("/mine/file", make(inside))
    assert (page.status_code, page.headers["cache-control"]) == (200, "no-store")
    assert f">{PASSPHRASE}<" in page.text
    link = f'download="alice-4f2a91c0.p12" href="data:application/x-pkcs12;base64,{base64.b64encode(P12).decode()}"'
    assert link in page.text


def test_file_is_handed_out_once(inside: Browser, desk: FakeDesk) -> None:
    fields = make(inside)
    inside.post("/mine/file", fields)
    page = inside.post("/mine/file", fields)
    assert page.status_code == 409
    assert "The file was handed out once" in page.text
    assert (">End it</button>" in page.text, "Make my file" in page.text) == (True, True)
    assert PASSPHRASE not in page.text
    assert hidden(page, "once") not in desk.made


@pytest.mark.parametrize("changed", [{"key": "dsa"}, {"format": ""}, {"key": "rsa2048"}])
def test_what_the_form_does_not_offer_is_refused(inside: Browser, desk: FakeDesk, changed: dict[str, str]) -> None:
    page = inside.post("/mine/file", make(inside, **changed))
    assert (page.status_code, heading(page)) == (422, "This is not one of the choices")
    assert desk.made == set()


def test_making_has_a_pace(inside: Browser, desk: FakeDesk) -> None:
    answers = [inside.post("/mine/file", make(inside)).status_code for _ in range(12)]
    assert answers == [200] * 10 + [429] * 2


@pytest.mark.parametrize(
    ("local", "name"),
    [
        ("alice", "alice-4f2a91c0.p12"),
        ('"a b;\\"c"', "a-b-c-4f2a91c0.p12"),
        ("\u05d0", "certificate-4f2a91c0.p12"),
        ('"a/../b"', "a-..-b-4f2a91c0.p12"),
        ("x" * 64, "x" * 40 + "-4f2a91c0.p12"),
    ],
)
def test_file_has_a_plain_name(local: str, name: str) -> None:
    assert mine.file_name(Mailbox.parse(f"{local}@campus.example"), view=view(), ending="p12") == name


# --- a request made by a program --------------------------------------------------------------------------------------
def test_request_becomes_a_certificate_to_save(inside: Browser, desk: FakeDesk) -> None:
    page = inside.post("/mine/request", files={"request": b"\x30\x82"}, data=form(inside.get("/mine"), once="once"))
    assert (page.status_code, heading(page)) == (200, "Your certificate")
    assert page.text.count("-----BEGIN CERTIFICATE-----") == 3
    assert desk.requests == [b"\x30\x82"]
    saved = inside.get("/mine/certificates/4f2a91c07e.pem")
    assert saved.headers["content-type"] == "application/pem-certificate-chain"
    assert saved.headers["cache-control"] == "no-store"
    assert saved.headers["content-disposition"] == 'attachment; filename="alice-4f2a91c0.pem"'
    assert saved.text.count("-----BEGIN CERTIFICATE-----") == 3


def test_request_that_is_refused_says_why_at_its_field(inside: Browser, desk: FakeDesk) -> None:
    desk.refusal = unreadable()
    page = inside.post("/mine/request", files={"request": b"junk"}, data=form(inside.get("/mine"), once="once"))
    assert (page.status_code, heading(page)) == (422, "My certificates")
    assert "The &lt;file&gt; is not what it says. Read `the rules`." in page.text
    assert "<details open>" in page.text


def test_no_file_chosen_is_said(inside: Browser, desk: FakeDesk) -> None:
    page = inside.post("/mine/request", files={"request": ("", b"")}, data=form(inside.get("/mine"), once="once"))
    assert page.status_code == 422
    assert "Choose the file with your request first." in page.text


@pytest.mark.parametrize("octets", [64 * 1024 + 1, 2 * 1024 * 1024])
def test_request_that_is_too_large_is_not_read(inside: Browser, desk: FakeDesk, octets: int) -> None:
    page = inside.post("/mine/request", files={"request": bytes(octets)}, data=form(inside.get("/mine"), once="once"))
    assert (page.status_code, heading(page)) == (413, "This file is too large")
    assert desk.requests == []


@pytest.mark.parametrize("serial", ["00", "4f2a91c07f", "4F2A91C07E", "..%2f..%2fmine", "%3Cb%3E"])
def test_only_certificates_of_the_session_can_be_saved(inside: Browser, desk: FakeDesk, serial: str) -> None:
    desk.held += [view(), view("00", certificate=None)]
    page = inside.get(f"/mine/certificates/{serial}.pem")
    assert page.status_code == 404
    assert "BEGIN CERTIFICATE" not in page.text


# --- the end ----------------------------------------------------------------------------------------------------------
def test_one_button_ends_a_certificate(inside: Browser, desk: FakeDesk) -> None:
    desk.held.append(view())
    fields = form(inside.get("/mine"), serial="4f2a91c07e", reason="replaced")
    for _ in range(2):  # a double click is one
        answer = inside.post("/mine/end", fields)
        assert (answer.status_code, answer.headers["location"]) == (303, "/mine?done")
    page = inside.get("/mine?done")
    assert "The certificate was ended" in page.text
    assert "Ended on 2 Mar 2026" in page.text
    assert "replaced by a new one" in page.text


@pytest.mark.parametrize("reason", ["", "keyCompromise", "<b>"])
def test_end_needs_a_reason_that_is_offered(inside: Browser, desk: FakeDesk, reason: str) -> None:
    desk.held.append(view())
    page = inside.post("/mine/end", form(inside.get("/mine"), serial="4f2a91c07e", reason=reason))
    assert page.status_code == 422
    assert "Choose why you end it. Nothing was ended." in page.text
    assert [one.status for one in desk.held] == ["active"]


def test_certificate_of_somebody_else_is_not_there(inside: Browser) -> None:
    page = inside.post("/mine/end", form(inside.get("/mine"), serial="00aa", reason="stolen"))
    assert (page.status_code, heading(page)) == (404, "There is no such certificate")


def test_leaving_ends_the_session_and_forgets_the_cookie(inside: Browser, desk: FakeDesk) -> None:
    answer = inside.post("/mine/leave", form(inside.get("/mine")))
    assert (answer.status_code, answer.headers["location"]) == (303, "/")
    assert (desk.opened, inside.cookies) == ({}, {})
    assert "max-age=0" in answer.headers["set-cookie"].lower()
    assert inside.get("/mine").status_code == 403


def test_markup_in_an_address_is_text(inside: Browser, desk: FakeDesk) -> None:
    (browser,) = desk.opened
    desk.opened[browser] = replace(desk.opened[browser], mailbox=Mailbox.parse('"<b>&x"@campus.example'))
    page = inside.get("/mine")
    assert "<bdi>&#34;&lt;b&gt;&amp;x&#34;@campus.example</bdi>" in page.text


def test_browsers_that_send_junk_see_a_page(inside: Browser) -> None:
    urlencoded = {**OURS, "Content-Type": "application/x-www-form-urlencoded"}
    for body, status in (
        (b"of=e1&of=e1", 400),
        (b"of=e1&what=1", 400),
        (b"of", 400),
        (b"of=%FF", 400),
        (b"of=%00", 400),
        (b"\xff=1", 400),
        (b"&".join(b"of=1" for _ in range(100)), 400),
        (b"of=" + b"x" * 20_000, 413),
    ):
        page = inside.post("/mine/leave", content=body, headers=urlencoded)
        assert (page.status_code, heading(page)) in {
            (status, "We could not read this"),
            (status, "This file is too large"),
        }, body[:20]
    assert inside.post("/mine/leave", content=b"{}", headers={**OURS, "Content-Type": "text/plain"}).status_code == 415
    assert str(ALICE) in inside.get("/mine").text

from __future__ import annotations

import time
from dataclasses import replace
from typing import Any

import pytest

from formats.mailbox import Mailbox
from tests.api.made_up import SITE
from tests.api.pages.browser import Browser, heading
from tests.api.pages.desk import TOKEN, FakeDesk, application

LINK = f"/enrol/{TOKEN}"
LOOPBACK = replace(SITE, public_url="http://localhost:8000")


# --- asking for a link ------------------------------------------------------------------------------------------------
def test_form_names_the_mail_domains(browser: Browser) -> None:
    page = browser.get("/enrol")
    assert (page.status_code, heading(page)) == (200, "Get my certificate")
    assert "<bdi>@campus.example</bdi> or <bdi>@cuhk.example</bdi>" in page.text
    assert '<label for="address">' in page.text


def test_every_readable_address_of_the_campus_gets_the_same_answer(browser: Browser, desk: FakeDesk) -> None:
    asked = ["alice@campus.example", "nobody@campus.example", "alice+list@CUHK.example"]
    answers = [browser.post("/enrol", {"address": address}).text.replace(address, "X") for address in asked]
    assert len(set(answers)) == 1
    assert "If <strong><bdi>X</bdi></strong> belongs to this campus" in answers[0]
    assert [address.lower() for address in asked] == desk.asked


@pytest.mark.parametrize(
    "address", ["eve@elsewhere.example", "eve@sub.campus.example", "eve@campus.example.evil.example"]
)
def test_address_of_another_domain_is_told_so_at_once(browser: Browser, desk: FakeDesk, address: str) -> None:
    page = browser.post("/enrol", {"address": address})
    assert page.status_code == 422
    assert "addresses end in @campus.example or @cuhk.example." in page.text
    assert f'value="{address}"' in page.text
    assert desk.asked == []


def test_answer_is_held_back_to_its_least_time(desk: FakeDesk) -> None:
    browser = Browser(application(desk, patience=0.05))
    began = time.monotonic()
    browser.post("/enrol", {"address": "alice@campus.example"})
    assert time.monotonic() - began >= 0.05


def test_blanks_around_an_address_are_no_fault(browser: Browser, desk: FakeDesk) -> None:
    assert browser.post("/enrol", {"address": "  alice@campus.example\n"}).status_code == 200
    assert desk.asked == ["alice@campus.example"]


@pytest.mark.parametrize(
    "address",
    [
        "",
        "alice",
        "<script>alert(1)</script>",
        '"><b>@campus.example',
        "alice@campus.example\r\nBcc: eve@elsewhere.example",
        "alice@campus.example, eve@elsewhere.example",
        "Alice <alice@campus.example>",
        "ali\u202ece@campus.example",
        "a" * 5000 + "@campus.example",
    ],
)
def test_unreadable_address_is_an_error_beside_its_field(browser: Browser, desk: FakeDesk, address: str) -> None:
    page = browser.post("/enrol", {"address": address})
    assert (page.status_code, heading(page)) == (422, "Get my certificate")
    assert 'class="fault" id="fault"' in page.text
    assert 'aria-invalid="true"' in page.text
    assert "<script>alert" not in page.text
    assert "<b>@" not in page.text
    assert "<title>Error: " in page.text
    assert desk.asked == []


def test_value_is_kept_and_escaped(browser: Browser) -> None:
    assert 'value="a&amp;b&lt;c&#34;"' in browser.post("/enrol", {"address": 'a&b<c"'}).text


def test_right_to_left_letters_are_isolated(browser: Browser) -> None:
    address = "\u05d0\u05d1@campus.example"
    assert f"<bdi>{address}</bdi>" in browser.post("/enrol", {"address": address}).text


def test_too_many_requests_of_a_network_see_a_page(browser: Browser, desk: FakeDesk) -> None:
    pages = [browser.post("/enrol", {"address": "alice@campus.example"}) for _ in range(40)]
    (last,) = [page for page in pages if page.status_code == 429][:1]
    assert int(last.headers["retry-after"]) >= 1
    assert heading(last) == "Too many requests at once"
    assert "then try again" in last.text
    assert len(desk.asked) == 30


# --- the link ---------------------------------------------------------------------------------------------------------
def test_getting_a_link_uses_nothing_up(browser: Browser, desk: FakeDesk) -> None:
    for _ in range(3):
        page = browser.get(LINK)
        assert (page.status_code, page.headers["cache-control"]) == (200, "no-store")
    assert desk.opened == {}
    assert f'action="{LINK}/open"' in page.text


def test_cookie_over_https_is_bound_to_this_host(browser: Browser) -> None:
    cookie = browser.get(LINK).headers["set-cookie"]
    assert cookie.startswith("__Host-mailseal=")
    assert {part.strip().lower() for part in cookie.split(";")[1:]} == {
        "httponly", "path=/", "samesite=strict", "secure"
    }  # fmt: skip


def test_cookie_on_loopback_needs_no_https(desk: FakeDesk) -> None:
    cookie = Browser(application(desk, site=LOOPBACK)).get(LINK).headers["set-cookie"]
    assert cookie.startswith("mailseal=")
    assert {part.strip().lower() for part in cookie.split(";")[1:]} == {"httponly", "path=/", "samesite=strict"}


def test_second_tab_keeps_the_secret(browser: Browser, desk: FakeDesk) -> None:
    browser.get(LINK)
    assert "set-cookie" not in browser.get(LINK).headers
    assert desk.secrets == 1


@pytest.mark.parametrize("origin", ["cross-site", "same-site"])
def test_arrival_from_another_site_is_sent_here_once_more(browser: Browser, desk: FakeDesk, origin: str) -> None:
    """As the browser keeps a strict cookie back, and a new secret would end what is open in it."""
    page = browser.get(LINK, **{"Sec-Fetch-Site": origin})
    assert f'<meta http-equiv="refresh" content="0;url={LINK}?here">' in page.text
    assert "set-cookie" not in page.headers
    foreign = browser.get(f"{LINK}?here", **{"Sec-Fetch-Site": origin})
    assert "set-cookie" not in foreign.headers, "a link on another site says so too"
    again = browser.get(f"{LINK}?here", **{"Sec-Fetch-Site": "same-origin"})
    assert "refresh" not in again.text
    assert desk.secrets == 1


def test_opening_leads_to_the_certificates(browser: Browser, desk: FakeDesk) -> None:
    browser.get(LINK)
    for _ in range(2):  # a double click is one
        answer = browser.post(f"{LINK}/open")
        assert (answer.status_code, answer.headers["location"]) == (303, "/mine")
    assert list(desk.opened) == [browser.cookies["__Host-mailseal"]]


def test_link_that_this_browser_has_opened_leads_back_to_the_certificates(browser: Browser) -> None:
    browser.get(LINK)
    browser.post(f"{LINK}/open")
    answer = browser.get(LINK)
    assert (answer.status_code, answer.headers["location"]) == (303, "/mine")


def test_opening_replaces_the_secret(browser: Browser, desk: FakeDesk) -> None:
    before = browser.get(LINK).headers["set-cookie"].partition(";")[0]
    after = browser.post(f"{LINK}/open").headers["set-cookie"].partition(";")[0]
    assert before.startswith("__Host-mailseal=")
    assert after.startswith("__Host-mailseal=")
    assert before != after


@pytest.mark.parametrize("planted", ["\xa0__Host-mailseal", "\x85__Host-mailseal", "__Host-mailseal"])
def test_cookie_of_another_host_does_not_hide_ours(browser: Browser, desk: FakeDesk, planted: str) -> None:
    browser.get(LINK)
    browser.post(f"{LINK}/open")
    (ours,) = desk.opened
    desk.opened["A" * 22] = replace(desk.opened[ours], mailbox=Mailbox.parse("eve@campus.example"))
    browser.cookies.clear()
    header = f"__Host-mailseal={ours}; {planted}={'A' * 22}".encode("latin-1")
    page = browser.call("GET", "/mine", headers={"cookie": header})
    assert "eve@" not in page.text
    assert ("alice@" in page.text) == (planted != "__Host-mailseal")


@pytest.mark.parametrize("cookie", ["x", "A" * 21, "A" * 23, "A" * 21 + "+", "A" * 3000])
def test_cookie_of_another_form_is_replaced(browser: Browser, cookie: str) -> None:
    browser.cookies["__Host-mailseal"] = cookie
    assert browser.get(LINK).headers["set-cookie"].startswith("__Host-mailseal=")


def test_without_the_cookie_a_page_says_what_to_do(browser: Browser, desk: FakeDesk) -> None:
    page = browser.post(f"{LINK}/open")
    assert (page.status_code, heading(page)) == (400, "Your browser did not keep our cookie")
    assert desk.opened == {}


@pytest.mark.parametrize("token", ["x", TOKEN[:-1], TOKEN + "x", "%3Cb%3E", "..", "a" * 3000, "%00"[:0] + "%F0%9F"])
def test_link_that_does_not_count_is_gone(browser: Browser, token: str) -> None:
    page = browser.get(f"/enrol/{token}")
    assert page.status_code == (200 if token == ".." else 410)  # the front page
    assert "<b>/open" not in page.text
    browser.get(LINK)
    page = browser.post(f"/enrol/{token}/open")
    assert page.status_code == (404 if token == ".." else 410)
    assert token == ".." or 'href="/enrol">Ask for a new link' in page.text


def test_log_and_pages_never_tell_a_token(browser: Browser, logged: list[dict[str, Any]], desk: FakeDesk) -> None:
    browser.get(LINK)
    browser.post("/enrol/wrong-token/open")
    answer = browser.post(f"{LINK}/open")
    assert TOKEN not in repr(logged)
    assert "wrong-token" not in repr(logged)
    assert [entry["route"] for entry in logged if entry["event"] == "request"] == [
        "/enrol/{token}", "/enrol/{token}/open", "/enrol/{token}/open"
    ]  # fmt: skip
    assert TOKEN not in answer.text
    refused = browser.post("/enrol/wrong-token/open")
    assert "wrong-token" not in refused.text

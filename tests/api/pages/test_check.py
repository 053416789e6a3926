from __future__ import annotations

import pytest

from formats.mailbox import Mailbox
from smime.report import Verdict
from tests.api.made_up import SITE
from tests.api.pages.browser import Browser, heading
from tests.api.pages.desk import FakeDesk, report, unreadable

EML = b"From: alice@campus.example\r\n\r\nhello\r\n"


def test_form_says_how_to_save_a_message(browser: Browser) -> None:
    page = browser.get("/check")
    assert (page.status_code, heading(page)) == (200, "Check a message")
    assert "at most 195 KB" in page.text
    assert 'enctype="multipart/form-data"' in page.text


@pytest.mark.parametrize(
    ("verdict", "reasons", "title", "sign"),
    [
        (Verdict.VALID, (), "Genuine: signed by its sender and not altered", "✓"),
        (Verdict.INVALID, ("message_altered",), "Do not trust this message", "✕"),
        (Verdict.NOT_SIGNED, (), "Not signed: anybody could have written this message", "!"),
        (
            Verdict.INDETERMINATE,
            ("revocation_unknown",),
            "It cannot be decided whether this message is genuine",
            "?",
        ),
        (Verdict.INDETERMINATE, ("message_encrypted",), "Sealed: only its recipients can read this message", "▣"),
    ],
)
def test_verdict_in_words_and_with_a_sign(
    browser: Browser, desk: FakeDesk, *, verdict: Verdict, reasons: tuple[str, ...], title: str, sign: str
) -> None:
    desk.report = report(verdict, *reasons)
    page = browser.post("/check", files={"message": ("m.eml", EML)})
    assert (page.status_code, heading(page)) == (200, title)
    assert f">{sign}</span>" in page.text
    assert desk.checked == [EML]


def test_each_reason_is_a_sentence(browser: Browser, desk: FakeDesk) -> None:
    desk.report = report(Verdict.INVALID, "message_altered", "address_mismatch")
    page = browser.post("/check", files={"message": EML})
    assert "<li>The message was altered after it was signed.</li>" in page.text
    assert "<li>The sender&#39;s address is not one of those in the signer&#39;s certificate.</li>" in page.text
    assert "message_altered" not in page.text


def test_sender_is_escaped_and_isolated(browser: Browser, desk: FakeDesk) -> None:
    senders = (Mailbox.parse('"<i>"@campus.example'), Mailbox.parse("\u05d0\u05d1@campus.example"))
    desk.report = report(Verdict.NOT_SIGNED, senders=senders)
    page = browser.post("/check", files={"message": EML})
    assert "<bdi>&#34;&lt;i&gt;&#34;@campus.example</bdi>" in page.text
    assert "<bdi>\u05d0\u05d1@campus.example</bdi>" in page.text


def test_unreadable_file_says_what_to_do(browser: Browser, desk: FakeDesk) -> None:
    desk.refusal = unreadable()
    page = browser.post("/check", files={"message": b"\x00"})
    assert (page.status_code, heading(page)) == (422, "Check a message")
    assert "the &lt;file&gt; is not what it says" in page.text
    assert "Save the message as below" in page.text


@pytest.mark.parametrize("files", [{"message": ("", b"")}, {"message": ("empty.eml", b"")}])
def test_no_file_is_said(browser: Browser, desk: FakeDesk, files: dict[str, tuple[str, bytes]]) -> None:
    page = browser.post("/check", files=files)
    assert (page.status_code, "No file was chosen, or the file is empty." in page.text) == (422, True)
    assert desk.checked == []


def test_message_over_the_limit_is_not_judged(browser: Browser, desk: FakeDesk) -> None:
    assert browser.post("/check", files={"message": bytes(SITE.message_octets)}).status_code == 200
    page = browser.post("/check", files={"message": bytes(SITE.message_octets + 1)})
    assert (page.status_code, heading(page)) == (413, "This file is too large")
    assert len(desk.checked) == 1


def test_broken_forms_see_a_page(browser: Browser, desk: FakeDesk) -> None:
    cases = (
        ("multipart/form-data; boundary=x", b"--x\r\nContent-Disposition: form-data; name=message\r\n\r\ncut", 400),
        ("multipart/form-data", b"", 400),
        ("application/x-www-form-urlencoded", b"message=x", 415),
    )
    for kind, body, status in cases:
        headers = {"Sec-Fetch-Site": "same-origin", "Content-Type": kind}
        page = browser.post("/check", content=body, headers=headers)
        assert (page.status_code, heading(page)) == (status, "We could not read this")
    twice = [("message", EML), ("message", EML)]
    assert browser.post("/check", files=twice).status_code == 400
    assert desk.checked == []


def test_checks_have_a_pace(browser: Browser) -> None:
    answers = [browser.post("/check", files={"message": EML}).status_code for _ in range(62)]
    assert answers == [200] * 60 + [429] * 2

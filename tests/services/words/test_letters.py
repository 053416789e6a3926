from __future__ import annotations

import re
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from services.words import letters
from services.words.letters import Campus, Issued, Text

LINK = f"https://mail.campus.example/enrol/{'x' * 200}"
CAMPUS = Campus(
    name="Example University",
    public_url="https://mail.campus.example",
    help_email="help@campus.example",
    help_url=None,
)


def issued(*, has_button: bool = True, is_kept: bool = False, **changes: str) -> Issued:
    told = {"serial": "4a", "subject": "CN=Alice", "use": "sign", "proof": "own", "by": "", "sha256": "ab" * 32}
    until = datetime(2027, 12, 31, tzinfo=UTC)
    return Issued(until=until, has_button=has_button, is_kept=is_kept, **{**told, **changes})


LINKED = letters.enrolment_link(CAMPUS, address="alice@campus.example", link=LINK, minutes="60")
TOLD = letters.certificate_issued(CAMPUS, address="alice@campus.example", issued=issued())


KEPT = letters.certificate_issued(
    CAMPUS, address="desk@campus.example", issued=issued(has_button=False, is_kept=True, subject="CN=Desk")
)


def words(text: Text) -> str:
    return " ".join(text.body.split())


def test_a_link_stands_alone_in_its_line_unbroken() -> None:
    assert LINK in LINKED.body.splitlines()


def test_a_link_s_letter_says_how_long_how_often_and_when_to_do_nothing() -> None:
    assert "valid for 60 minutes from now and can be used once" in words(LINKED)
    assert "If you did not ask for it, do nothing." in words(LINKED)
    assert "nobody else can sign it so" in words(LINKED)


def test_a_notice_says_how_to_end_what_one_did_not_ask_for() -> None:
    assert "If it was not you, end it, so that nobody can sign as you" in words(TOLD)
    assert "https://mail.campus.example/enrol" in TOLD.body.splitlines()
    assert "Valid until: 31 December 2027" in TOLD.body


def test_a_notice_of_what_no_page_ends_says_who_does_and_how_to_reach_them() -> None:
    assert "button" not in KEPT.body
    assert "https://mail.campus.example" not in KEPT.body
    assert "tell those who run this service at Example University, with the serial number above" in words(KEPT)
    assert "You reach them here: help@campus.example" in words(KEPT)
    nowhere = letters.certificate_issued(
        replace(CAMPUS, help_email=None), address="a@b.example", issued=issued(has_button=False)
    )
    assert "reach" not in nowhere.body


def test_a_notice_says_who_has_the_key() -> None:
    assert "Whoever holds its key can use it to sign mail as this address." in words(TOLD)
    assert "The service keeps its key, and uses it to sign mail as this address when a program of your" in words(KEPT)


@pytest.mark.parametrize(
    ("proof", "by", "sentence"),
    [
        ("link", "", "opened a link that was mailed to this address"),
        ("own", "", "on the service's own account"),
        ("api_client", "registrar", 'a department or program of the campus that uses the key named "registrar".'),
        ("api_client", "", "by a department or program of the campus."),
        ("of_a_later_version", "", "It was asked for at the campus."),
    ],
)
def test_a_notice_says_how_it_was_proven(proof: str, by: str, sentence: str) -> None:
    told = letters.certificate_issued(CAMPUS, address="a@campus.example", issued=issued(proof=proof, by=by))
    assert sentence in words(told)


@pytest.mark.parametrize("text", [LINKED, TOLD, KEPT], ids=["link", "notice", "kept"])
def test_every_letter_names_help_and_uses_no_word_of_the_trade(text: Text) -> None:
    assert "here: help@campus.example" in words(text)
    assert text.body.endswith("Nobody reads what is answered to it.\n")
    assert not re.search(r"\b(PKI|CSR|OCSP|CRL|S/MIME|X\.509|PKCS|RFC)\b", text.subject + text.body)

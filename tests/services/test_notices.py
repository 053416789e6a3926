from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from db.engine import new_id
from formats.mailbox import Mailbox
from services import notices
from services.outbox import Fact
from smime.message import read_message
from tests.campus import Campus
from tests.services.deeds import ALICE
from tests.services.letters import parsed, text_of

ISSUED = {
    "serial": "4" * 32,
    "subject": "CN=Alice",
    "use": "dual",
    "not_after": "2027-03-02T08:30:00+00:00",
    "proof": "link",
    "by": "",
    "sha256": "ab" * 32,
}


def fact(mailbox: str = ALICE, **details: str) -> Fact:
    return Fact(kind="certificate_issued", mailbox=Mailbox.parse(mailbox), unique="one", details={**ISSUED, **details})


def compose(campus: Campus, told: Fact) -> bytes:
    return notices.compose(campus.context, told, row_id=new_id(), now=campus.clock())


def named(campus: Campus, name: str) -> Campus:
    """The same campus with another name."""
    issuers = replace(campus.context.issuers, campus=replace(campus.context.issuers.campus, campus_name=name))
    return replace(campus, context=replace(campus.context, issuers=issuers))


def test_a_letter_says_for_whom_until_when_and_how_it_was_proven(campus: Campus) -> None:
    data = compose(campus, fact())
    assert parsed(data)["Subject"] == f"A certificate was issued for {ALICE}"
    text = text_of(data)
    assert "Valid until: 2 March 2027" in text
    assert f"Serial number: {'4' * 32}" in text
    assert "opened a link that was mailed to this address" in " ".join(text.split())
    assert f"\n{campus.context.settings.public_url}/enrol\n" in text


def test_plain_ascii_travels_as_it_is_and_all_else_encoded(campus: Campus) -> None:
    assert b"Content-Transfer-Encoding: 7bit\r\n" in compose(campus, fact())
    data = compose(campus, fact(subject="CN=陳大文"))
    assert data.isascii()
    assert b"Content-Transfer-Encoding: quoted-printable\r\n" in data
    assert "For: CN=陳大文" in text_of(data)


def test_what_nobody_can_see_is_taken_out_of_every_fact(campus: Campus) -> None:
    evil = "CN=A\r\nBcc: eve@evil.example\r\n\r\nSend your password\u202egnp.exe\u2066\x00\x1b[31m\u2028end"
    text = text_of(compose(campus, fact(subject=evil, by=evil, proof="api_client")))
    assert "For: CN=A Bcc: eve@evil.example Send your password gnp.exe [31m end\n" in text
    assert not any(mark in text for mark in "\u202e\u2066\x00\x1b\u2028")


def test_a_long_fact_is_cut(campus: Campus) -> None:
    assert max(map(len, text_of(compose(campus, fact(subject="x" * 100_000))).splitlines())) < 600


@pytest.mark.parametrize(
    "name", ['A "quoted\\" name, <eve@evil.example>', "香港大學", "Ümläut University of Long Names"]
)
def test_the_campus_name_stands_before_our_address_and_is_no_second_one(campus: Campus, name: str) -> None:
    data = compose(named(campus, name), fact())
    (sender,) = parsed(data)["From"].addresses
    assert (sender.display_name, sender.addr_spec) == (name, "mailseal@campus.example")
    assert [str(mailbox) for mailbox in read_message(data).senders()] == ["mailseal@campus.example"]


@pytest.mark.parametrize("mailbox", ['"a, b <c>"@campus.example', '"a@b"@campus.example', "o'neil+x=y@campus.example"])
def test_an_odd_address_is_one_address(campus: Campus, mailbox: str) -> None:
    (field,) = [one for one in read_message(compose(campus, fact(mailbox))).fields if one.name == "to"]
    assert field.value.strip() == f"<{mailbox}>".encode()
    assert len(parsed(compose(campus, fact(mailbox)))["To"].addresses) == 1


def test_an_address_outside_ascii_stays_as_it_is(campus: Campus) -> None:
    assert "To: <大學@campus.example>\r\n".encode() in compose(campus, fact("大學@campus.example"))


@given(st.text(max_size=600))
def test_a_fact_is_always_one_visible_line(text: str) -> None:
    line = notices.plain(text)
    assert line == notices.plain(line)
    assert line == " ".join(line.split())
    assert all(character.isprintable() or character.isspace() for character in line)


def test_a_fact_without_words_is_a_bug(campus: Campus) -> None:
    with pytest.raises(ValueError, match="no words for a fact of the kind weather"):
        compose(campus, replace(fact(), kind="weather"))


def test_help_is_named_where_the_campus_has_some(campus: Campus) -> None:
    assert "find help" not in text_of(compose(campus, fact()))
    settings = campus.context.settings.model_copy(
        update={"help_email": "help@campus.example", "help_url": "https://campus.example/help"}
    )
    helped = replace(campus, context=replace(campus.context, settings=settings))
    assert "help@campus.example or https://campus.example/help" in " ".join(text_of(compose(helped, fact())).split())

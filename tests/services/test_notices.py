from __future__ import annotations

import re
from dataclasses import replace
from email.header import decode_header, make_header

import pytest
from hypothesis import given
from hypothesis import strategies as st

from db.engine import new_id
from formats.mailbox import Mailbox
from services import notices
from services.outbox import Fact
from services.words import visible
from smime.message import read_message
from tests.campus import Campus
from tests.services.deeds import ALICE, add_identity, issue
from tests.services.letters import FakeWay, parsed, run, text_of, with_sender, with_way

# What others may put into a letter to make it say what we do not.
ENCODED = ("=?", "?=", "?q?", "=?utf-8?q?Pay=20now?=", "=?utf-8?b?UGF5IG5vdw==?=")
HIDDEN = (
    "\u202e",
    "\u2066",
    "\u200b",
    "\u00ad",
    "\ufe0f",
    "\U000e0041",
    "\u3164",
    "\u2800",
    "\u2028",
    "\u2029",
    "\x85",
)
PLAIN = ('"', "\\", "<", ">", ",", " ", "x" * 90, "\r\n", "Bcc: eve@evil.example", "陳大文", "é", "e\u0301", "ab")
NASTY = st.lists(st.sampled_from(ENCODED + HIDDEN + PLAIN) | st.text(max_size=5), max_size=12).map("".join)
INVISIBLE = re.compile(
    "[\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u2028-\u202e\u2060-\u206f\u2800\u3164\ufe00-\ufe0f"
    "\ufeff\uffa0\U000e0000-\U000e0fff\x00-\x09\x0b-\x1f\x7f-\x9f]"
)

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


def test_who_has_the_button_is_told_of_it_and_a_department_is_told_whom_to_ask(campus: Campus) -> None:
    way = FakeWay()
    add_identity(with_sender(campus), Mailbox.parse("desk@campus.example"))
    issue(campus)
    run(with_way(campus, way))
    texts = {str(letter.recipient): " ".join(text_of(letter.data).split()) for letter in way.taken}
    assert "press the button beside this certificate. http://localhost:8000/enrol" in texts[ALICE]
    assert "Whoever holds its key" in texts[ALICE]
    assert "tell those who run this service at Example University" in texts["desk@campus.example"]
    assert "The service keeps its key" in texts["desk@campus.example"]
    assert "/enrol" not in texts["desk@campus.example"]


def test_a_fact_of_an_earlier_version_still_makes_a_letter(campus: Campus) -> None:
    assert "press the button" in " ".join(text_of(compose(campus, fact())).split())


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


def local_parts(text: str) -> str:
    """A quoted local part that says the text, or as much of it as an address holds."""
    fitting = "".join(one for one in text if one == " " or (one.isprintable() and not one.isspace()))
    while len(fitting.encode()) > 40:
        fitting = fitting[:-1]
    return '"' + re.sub(r'([\\"])', r"\\\1", fitting) + ' "@campus.example'


def as_most_programs_read(data: bytes, field: str) -> str:
    """The field with every encoded word decoded, even where RFC 2047 forbids that."""
    (found,) = [one for one in read_message(data).fields if one.name == field]
    return str(make_header(decode_header(re.sub(rb"\r\n(?=[ \t])", b"", found.value).strip().decode())))


def test_no_text_of_others_hides_or_deceives(campus: Campus) -> None:
    @given(NASTY, NASTY, NASTY.map(local_parts), NASTY.filter(lambda name: visible.plain(name, limit=500) != ""))
    def holds(subject: str, by: str, mailbox: str, name: str) -> None:
        told = fact(mailbox, subject=subject, by=by, proof="api_client")
        data = compose(named(campus, name), told)
        text, title = text_of(data), as_most_programs_read(data, "subject")
        address = visible.address(told.mailbox)
        assert title == f"A certificate was issued for {address}"
        assert not set(address.rpartition("@")[0].strip('"')) & set(' "<>,:;()[]@')
        assert not INVISIBLE.search(title + text)
        assert f"\nFor: {visible.plain(subject, limit=500)}".rstrip() + "\n" in text.replace("For: \n", "For:\n")
        assert [one.name for one in read_message(data).fields].count("bcc") == 0
        assert [str(mailbox) for mailbox in read_message(data).senders()] == ["mailseal@campus.example"]
        shown = as_most_programs_read(data, "from").removesuffix(" <mailseal@campus.example>")
        if data.startswith(b'From: "'):
            shown = re.sub(r"\\(.)", r"\1", shown[1:-1])
        assert shown == visible.plain(name, limit=500)
        assert all(len(line) <= 76 for line in data.partition(b"\r\nTo: ")[0].split(b"\r\n"))

    holds()


@pytest.mark.parametrize("name", ["=?utf-8?q?Payroll?=", "A =?utf-8?q?Payroll?= B"])
def test_what_looks_encoded_in_a_name_is_shown_as_it_was_written(campus: Campus, name: str) -> None:
    data = compose(named(campus, name), fact())
    assert as_most_programs_read(data, "from").startswith(name)
    assert b"=?utf-8?q?Payroll?=" not in data.partition(b"\r\n\r\n")[0]


def test_a_sentence_in_an_address_does_not_read_as_one(campus: Campus) -> None:
    data = compose(campus, fact('"alice+ pay at http://evil.example "@campus.example'))
    shown = r'"alice+\20pay\20at\20http\3a//evil.example\20"@campus.example'
    assert shown in text_of(data)
    assert parsed(data)["Subject"] == f"A certificate was issued for {shown}"


@pytest.mark.parametrize("mark", ["\ufe0f", "\u3164", "\u115f", "\u034f", "\U000e0100"])
def test_an_address_shows_what_is_hidden_in_it(campus: Campus, mark: str) -> None:
    pairs = "".join(f"\\{octet:02x}" for octet in mark.encode())
    assert f"the address ali{pairs}ce@campus.example." in " ".join(
        text_of(compose(campus, fact(f"ali{mark}ce@campus.example"))).split()
    )


def test_what_is_hidden_in_a_name_is_left_out_without_parting_it(campus: Campus) -> None:
    told = fact(subject="CN=Al\u00adi\u200bce\ufe0f 葛\U000e0100城")
    assert "For: CN=Alice 葛城\n" in text_of(compose(campus, told))


def test_a_key_s_name_ends_where_its_quotes_end(campus: Campus) -> None:
    told = fact(proof="api_client", by='registrar". Your account is closed. Ask "eve')
    text = " ".join(text_of(compose(campus, told)).split())
    assert "the key named \"registrar'. Your account is closed. Ask 'eve\"." in text


@given(st.text(max_size=600) | NASTY)
def test_a_fact_is_always_one_visible_line(text: str) -> None:
    line = visible.plain(text, limit=500)
    assert line == visible.plain(line, limit=500)
    assert line == " ".join(line.split())
    assert all(character.isprintable() for character in line)
    assert not any(map(visible.is_hidden, line))


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

from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from formats.errors import Refusal
from smime.errors import (
    FieldMalformed,
    FromAbsent,
    FromAmbiguous,
    FromUnparseable,
    HeaderTooLarge,
    MessageMalformed,
    MessageTooLarge,
)
from smime.message import Message, read_message


def test_reads_lf_as_crlf() -> None:
    message = read_message(b"From: a@campus.example\nX: y\n\none\ntwo\r\nthree\rstill three")
    assert message.raw == b"From: a@campus.example\r\nX: y\r\n\r\none\r\ntwo\r\nthree\rstill three"
    assert [one.name for one in message.fields] == ["from", "x"]


def test_refuses_more_than_its_limit() -> None:
    assert len(read_message(b"X: y\n\n" + b"x" * 94, limit=100).root.body) == 94
    with pytest.raises(MessageTooLarge):
        read_message(b"X: y\n\n" + b"x" * 95, limit=100)


def test_refuses_40_mib() -> None:
    with pytest.raises(MessageTooLarge):
        read_message(b"X: y\n\n" + bytes(40 * 1024 * 1024))


@pytest.mark.parametrize("data", [b"", b"\n", b" \r\n\r\n", b"just words", bytes(100), b"{}"])
def test_refuses_what_is_no_mail(data: bytes) -> None:
    with pytest.raises(MessageMalformed):
        read_message(data)


def test_names_its_senders() -> None:
    message = read_message(b"From: a@campus.example,\n B <b@Campus.example>\n\n")
    assert [str(sender) for sender in message.senders()] == ["a@campus.example", "b@campus.example"]


@pytest.mark.parametrize(
    ("header", "error"),
    [
        (b"To: b@campus.example\n", FromAbsent),
        (b"From:\n", FromAbsent),
        (b"From: (me)\n", FromAbsent),
        (b"From: nobody:;\n", FromAbsent),
        (b"From: a@campus.example\nFrom: a@campus.example\n", FromAmbiguous),
        (b"From: a@campus.example\nFROM: b@campus.example\n", FromAmbiguous),
        (b"From: Alice\n", FromUnparseable),
        (b"From: manager@big.example <eve@campus.example>\n", FromUnparseable),
        (b"From: \xff@campus.example\n", FromUnparseable),
    ],
)
def test_never_guesses_a_sender(header: bytes, error: type[Refusal]) -> None:
    message = read_message(header + b"\nFrom: body@campus.example\n")
    with pytest.raises(error):
        message.senders()


def test_a_sender_field_is_no_from() -> None:
    with pytest.raises(FromAbsent):
        read_message(b"Sender: a@campus.example\nX-From: b@campus.example\n\n").senders()


@pytest.mark.parametrize("sender", [b"x" * 500_000, b"a@campus.example," * 20_000, b"(" * 6000])
def test_refuses_a_giant_sender(sender: bytes) -> None:
    with pytest.raises((HeaderTooLarge, FromUnparseable)):
        read_message(b"From: " + sender + b"\n\n").senders()


def test_a_forwarded_message_has_a_sender_of_its_own() -> None:
    message = read_message(b"From: a@campus.example\nContent-Type: message/rfc822\n\nFrom: b@campus.example\n\nhello")
    forwarded = Message(message.root.children[0])
    assert [str(sender) for sender in forwarded.senders()] == ["b@campus.example"]
    assert forwarded.raw == b"From: b@campus.example\r\n\r\nhello"


def test_tells_its_date() -> None:
    assert read_message(b"Date: Tue, 24 Nov 2026 12:00:00 +0000\n\n").date() == datetime(2026, 11, 24, 12, tzinfo=UTC)
    assert read_message(b"X: y\n\n").date() is None


@pytest.mark.parametrize("header", [b"Date: today\n", b"Date: Tue, 24 Nov 2026 12:00:00 +0000\n" * 2])
def test_refuses_a_date_that_is_none_or_two(header: bytes) -> None:
    with pytest.raises(FieldMalformed):
        read_message(header + b"\n").date()


@given(st.binary(max_size=200))
@settings(max_examples=200)
def test_nothing_but_a_refusal_escapes(data: bytes) -> None:
    try:
        message = read_message(b"From:" + data)
        message.senders()
        message.date()
    except Refusal:
        return


def test_a_mail_whose_line_breaks_were_taken_out_is_refused_with_the_cause() -> None:
    with pytest.raises(MessageMalformed, match="--data-binary"):
        read_message(b"From: alice@campus.example" + b"Subject: x" * 30)

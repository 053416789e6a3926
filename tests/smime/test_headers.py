from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from smime.errors import FieldMalformed
from smime.headers import has_group, names_another_address, read_date, read_mailboxes, read_token, write_date


def addresses(value: str) -> list[str]:
    return [str(mailbox) for mailbox in read_mailboxes(value.encode())]


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("alice@campus.example", ["alice@campus.example"]),
        ("<alice@campus.example>", ["alice@campus.example"]),
        ("Alice <alice@Campus.Example>", ["alice@campus.example"]),
        ("John Q. Public <john@campus.example>", ["john@campus.example"]),
        ('"manager@big.example" <eve@campus.example>', ["eve@campus.example"]),
        ('"Smith, \\"J\\"" <j@campus.example>', ["j@campus.example"]),
        ("a@campus.example, B <b@campus.example>", ["a@campus.example", "b@campus.example"]),
        ("alice@campus.example (Alice (nested) \\) here)", ["alice@campus.example"]),
        # RFC 5322 A.5: blanks and comments are legal around local part and domain, as a whole.
        ("Pete(A nice \\) chap) <pete(his account)@campus.example(his host)>", ["pete@campus.example"]),
        ("Staff: a@campus.example, B <b@campus.example>;", ["a@campus.example", "b@campus.example"]),
        ("undisclosed-recipients:;", []),
        ("", []),
        (" (nobody) ", []),
        ('"alice"@campus.example', ["alice@campus.example"]),
        ('"a b"@campus.example', ['"a b"@campus.example']),
        ("=?utf-8?q?Alice=40big?= <alice@campus.example>", ["alice@campus.example"]),
        ("Zo\u00eb <zo\u00eb@campus.example>", ["zo\u00eb@campus.example"]),
        ("a@b\u00fccher.example", ["a@xn--bcher-kva.example"]),
    ],
)
def test_reads_addresses(value: str, expected: list[str]) -> None:
    assert addresses(value) == expected


@pytest.mark.parametrize(
    "value",
    [
        "manager@big.example <eve@campus.example>",
        "<manager@big.example> eve@campus.example",
        "manager@big.example eve@campus.example",
        "<eve@campus.example> <manager@big.example>",
        "eve@campus.example@big.example",
        "Alice <@relay.example:alice@campus.example>",
        "<@relay.example,@b.example:alice@campus.example>",
        "alice . b@campus.example",
        "alice(x).b@campus.example",
        "alice b@campus.example",
        'a"b"c@campus.example',
        '"a".b@campus.example',
        "alice@campus . example",
        "alice@campus(x).example",
        "alice@[192.0.2.1]",
        "alice@localhost",
        "alice.@campus.example",
        ".alice@campus.example",
        "al..ice@campus.example",
        "alice@",
        "@campus.example",
        "alice",
        "Alice <>",
        "Alice <alice>",
        "Alice <alice@campus.example",
        "alice@campus.example>",
        "Alice <<alice@campus.example>>",
        ". <alice@campus.example>",
        ", alice@campus.example",
        "alice@campus.example,",
        "a@campus.example,,b@campus.example",
        "a@campus.example; b@campus.example",
        "Staff: alice@campus.example",
        ": alice@campus.example;",
        "a: b: c@campus.example;;",
        "Staff: a@campus.example,;",
        "[IT] Desk <desk@campus.example>",
        '"Alice <alice@campus.example>',
        "alice@campus.example (",
        "=?utf-8?b?YWxpY2U=?=@campus.example",
        "=?utf-8?q?alice=40campus=2Eexample?=",
        "alice@campus.example\u2028",
        "a\u200bb@campus.example",
        "alice@campus.example\\",
    ],
)
def test_refuses_what_must_be_guessed(value: str) -> None:
    with pytest.raises(FieldMalformed):
        addresses(value)


def test_refuses_latin1() -> None:
    with pytest.raises(FieldMalformed):
        read_mailboxes(b"Zo\xeb <zoe@campus.example>")


@given(st.text(alphabet='ab@.<>,:;"\\() \u00e9=?', max_size=60))
@settings(max_examples=200)
def test_nothing_but_its_own_error_escapes_from_addresses(value: str) -> None:
    try:
        read_mailboxes(value.encode())
    except FieldMalformed:
        return


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (b"Tue, 24 Nov 2026 12:00:05 +0000", datetime(2026, 11, 24, 12, 0, 5, tzinfo=UTC)),
        (b"24 nov 2026 20:00 +0800 (HKT)", datetime(2026, 11, 24, 12, 0, tzinfo=UTC)),
        (b"Tue, 24 Nov 2026 04:30:00 -0730", datetime(2026, 11, 24, 12, 0, tzinfo=UTC)),
        (b"Tue, 1 Dec 2026 12:00:60 GMT", datetime(2026, 12, 1, 12, 0, 59, tzinfo=UTC)),
        (b"Tue, 24 Nov 2026 07:00:00 EST", datetime(2026, 11, 24, 12, 0, tzinfo=UTC)),
    ],
)
def test_reads_a_date(value: bytes, expected: datetime) -> None:
    assert read_date(value) == expected
    assert read_date(value).tzinfo is UTC


@pytest.mark.parametrize(
    "value",
    [
        b"",
        b"2026-11-24T12:00:00Z",
        b"Tue, 24 Nov 26 12:00:00 +0000",
        b"Tue, 24 Nov 2026 12:00:00",
        b"Tue, 24 Nov 2026 12:00:00 A",
        b"Tue, 31 Feb 2026 12:00:00 +0000",
        b"Tue, 24 Nov 2026 25:00:00 +0000",
        b"Tue, 24 Nov 2026 12:00:00 +2400",
        b"Tue, 24 Nov 2026 12:00:00 +0060",
        b"Tue, 24 Nov 2026 12:00:00 +0000 and more",
        b"Sat, 01 Jan 0001 00:00:00 +0100",
        b"Fri, 31 Dec 9999 23:59:59 -0100",
        b"Tue, 24 Nov 0000 12:00:00 +0000",
        "Tue, 24 Nov 2026 12:00:0\u0665 +0000".encode(),
    ],
)
def test_refuses_what_is_no_date(value: bytes) -> None:
    with pytest.raises(FieldMalformed):
        read_date(value)


def test_writes_a_date_in_utc() -> None:
    at = datetime(2026, 11, 4, 20, 1, 2, 999_999, tzinfo=timezone(timedelta(hours=8)))
    assert write_date(at) == b"Wed, 04 Nov 2026 12:01:02 +0000"


@given(st.datetimes(min_value=datetime(1000, 1, 1)))  # noqa: DTZ001 - hypothesis wants its bounds naive
@settings(max_examples=100)
def test_reads_the_dates_it_writes(moment: datetime) -> None:
    at = moment.replace(microsecond=0, tzinfo=UTC)
    assert read_date(write_date(at)) == at


@pytest.mark.parametrize(("value", "expected"), [(b"Base64", "base64"), (b" 7bit (as ever)", "7bit")])
def test_reads_a_token(value: bytes, expected: str) -> None:
    assert read_token(value) == expected


@pytest.mark.parametrize("value", [b"", b"base64 7bit", b"base64;", b"(base64)"])
def test_refuses_what_is_not_one_token(value: bytes) -> None:
    with pytest.raises(FieldMalformed):
        read_token(value)


@pytest.mark.parametrize(
    "value",
    [
        '"rector@campus.example" <alice@campus.example>',
        '"The Rector <rector@campus.example>" <alice@campus.example>',
        "alice@campus.example (rector@campus.example)",
        '"rector@campus.example": alice@campus.example;',
        "=?utf-8?q?rector=40campus=2Eexample?= <alice@campus.example>",
        "=?utf-8?B?cmVjdG9yQGNhbXB1cy5leGFtcGxl?= <alice@campus.example>",
        "=?utf-8?q?rector=40?= =?utf-8?q?campus=2Eexample?= <alice@campus.example>",
        '"rector\uff20campus.example" <alice@campus.example>',
    ],
)
def test_tells_a_name_that_is_another_address(value: str) -> None:
    assert names_another_address(value.encode(), read_mailboxes(value.encode()))


@pytest.mark.parametrize(
    "value",
    [
        "alice@campus.example",
        "Alice (at home) <alice@campus.example>",
        '"ALICE@Campus.Example" <alice@campus.example>',
        "\"'alice@campus.example'\" <alice@campus.example>",
        '"Alice @ Campus" <alice@campus.example>',
        "=?utf-8?q?alice=40campus=2Eexample?= <alice@campus.example>",
        "=?utf-8?b?A?= <alice@campus.example>",
        '"anna@b\u00fccher.example" <anna@xn--bcher-kva.example>',
        "alice@campus.example, Bob <bob@campus.example>",
    ],
)
def test_a_name_without_another_address_is_only_a_name(value: str) -> None:
    assert not names_another_address(value.encode(), read_mailboxes(value.encode()))


@given(st.text(max_size=60))
@settings(max_examples=100)
def test_any_name_is_looked_through(name: str) -> None:
    try:
        value = f"{name} <alice@campus.example>".encode()
        mailboxes = read_mailboxes(value)
    except (FieldMalformed, UnicodeEncodeError):
        return
    assert names_another_address(value, [*mailboxes]) in {True, False}


def test_knows_a_group() -> None:
    assert has_group(b"Staff: alice@campus.example;")
    assert not has_group(b'"a:b" <alice@campus.example> (c:d)')

from __future__ import annotations

import subprocess
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from formats import ber, der
from formats.der import DerError
from formats.errors import Unacceptable


@pytest.mark.parametrize(
    ("n", "octets"),
    [(0, "00"), (127, "7f"), (128, "8180"), (255, "81ff"), (256, "820100"), (65_536, "83010000")],
)
def test_lengths_are_minimal(n: int, octets: str) -> None:
    assert der.length(n).hex() == octets


@pytest.mark.parametrize(
    ("value", "octets"),
    [(0, "020100"), (127, "02017f"), (128, "02020080"), (-1, "0201ff"), (-128, "020180"), (-129, "0202ff7f")],
)
def test_integers_are_minimal(value: int, octets: str) -> None:
    assert der.integer(value).hex() == octets


def test_constructed_values_carry_the_bit() -> None:
    assert der.sequence(der.null()).hex() == "30020500"
    assert der.set_of(der.null()).hex() == "31020500"
    assert der.explicit(3, der.null()).hex() == "a3020500"
    assert der.implicit(0, b"ab", constructed=False).hex() == "80026162"
    assert der.implicit(0, der.null(), constructed=True).hex() == "a0020500"
    assert der.header(ber.OCTET_STRING, 300, False).hex() == "0482012c"


def test_set_of_is_sorted_by_encoding() -> None:
    parts = [der.integer(300), der.integer(2), der.octets(b""), der.integer(1)]
    assert der.set_of(*parts) == der.set_of(*reversed(parts))
    assert ber.is_sorted_set(ber.read_der(der.set_of(*parts)))


def test_booleans_are_00_and_ff() -> None:
    assert der.boolean(True).hex() == "0101ff"
    assert der.boolean(False).hex() == "010100"


def test_unused_bits_are_written_as_zero() -> None:
    assert der.bits(b"\xff", unused=4).hex() == "030204f0"
    assert der.bits(b"").hex() == "030100"
    for value, unused in ((b"", 1), (b"a", 8), (b"a", -1)):
        with pytest.raises(DerError):
            der.bits(value, unused=unused)


@pytest.mark.parametrize(
    ("positions", "octets"),
    [((), "030100"), ((0,), "03020780"), ((5, 6), "03020106"), ((0, 8), "0303078080"), ((0, 0), "03020780")],
)
def test_named_bits_lose_trailing_zeros(positions: tuple[int, ...], octets: str) -> None:
    assert der.named_bits(*positions).hex() == octets


@pytest.mark.parametrize("dotted", ["1.2.840.113549.1.7.2", "2.999.1", "0.0", "2.5.29.17", "1.39", f"2.{2**80}"])
def test_identifiers_read_back(dotted: str) -> None:
    assert ber.read_der(der.oid(dotted)).oid() == dotted


@pytest.mark.parametrize("dotted", ["", "1", "3.1", "1.40", "1.2.", ".1.2", "1.02", "1.-2", "1.2\n", "a.b", "1.\u0662"])
def test_refuses_what_is_no_identifier(dotted: str) -> None:
    with pytest.raises(DerError):
        der.oid(dotted)


def test_strings_hold_what_their_type_allows() -> None:
    assert der.utf8("\xe9").hex() == "0c02c3a9"
    assert der.printable("Campus (1)").hex() == "130a" + b"Campus (1)".hex()
    assert der.ia5("a@b").hex() == "1603614062"
    with pytest.raises(DerError):
        der.utf8("\ud800")
    with pytest.raises(DerError):
        der.ia5("\xe9")
    for text in ("a@b", "a*", "a_b", "a\n", "\xe9"):
        with pytest.raises(DerError):
            der.printable(text)
    assert issubclass(DerError, Unacceptable)


@pytest.mark.parametrize(
    ("moment", "octets"),
    [
        (datetime(2049, 12, 31, 23, 59, 59, tzinfo=UTC), b"\x17\x0d491231235959Z"),
        (datetime(2050, 1, 1, tzinfo=UTC), b"\x18\x0f20500101000000Z"),
        (datetime(1950, 1, 1, tzinfo=UTC), b"\x17\x0d500101000000Z"),
        (datetime(1949, 12, 31, tzinfo=UTC), b"\x18\x0f19491231000000Z"),
        (datetime(2026, 1, 1, 0, 30, 0, 999_999, tzinfo=timezone(timedelta(hours=1))), b"\x17\x0d251231233000Z"),
    ],
)
def test_times_change_form_in_2050(moment: datetime, octets: bytes) -> None:
    assert der.time(moment) == octets


def test_generalized_time_has_four_digits_of_year() -> None:
    assert der.generalized_time(datetime(987, 6, 5, tzinfo=UTC)) == b"\x18\x0f09870605000000Z"


def test_refuses_times_without_zone_or_out_of_range() -> None:
    with pytest.raises(DerError):
        der.time(datetime(2026, 1, 1))  # noqa: DTZ001 - the fault that is refused
    with pytest.raises(DerError):
        der.generalized_time(datetime(9999, 12, 31, 23, tzinfo=timezone(timedelta(hours=-5))))


@given(st.datetimes(min_value=datetime(1900, 1, 1), max_value=datetime(2200, 1, 1), timezones=st.just(UTC)))  # noqa: DTZ001 - hypothesis wants naive bounds
@settings(max_examples=100, deadline=None)
def test_times_read_back_in_whole_seconds(moment: datetime) -> None:
    assert ber.read_der(der.time(moment)).time() == moment.replace(microsecond=0)


@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=50))
@settings(max_examples=100, deadline=None)
def test_texts_read_back(text: str) -> None:
    assert ber.read_der(der.utf8(text)).text() == text


def test_openssl_reads_what_we_write() -> None:
    data = der.sequence(
        der.oid("1.2.840.113549.1.7.2"),
        der.explicit(
            0, der.set_of(der.integer(-129), der.boolean(True), der.utf8("\xe9"), der.bits(b"\xa0", unused=5))
        ),
        der.time(datetime(2049, 12, 31, tzinfo=UTC)),
        der.octets(bytes(300)),
    )
    done = subprocess.run(
        ["openssl", "asn1parse", "-inform", "DER"], input=data, capture_output=True, check=True, timeout=60
    )
    for expected in (b"pkcs7-signedData", b"cont [ 0 ]", b"-81", b"UTCTIME", b"491231000000Z", b"l= 300 prim: OCTET"):
        assert expected in done.stdout

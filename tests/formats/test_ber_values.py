from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from formats import ber, der
from formats.ber import BerError, Element, read, read_der
from tests.formats.conftest import ACCESSORS


def unhex(text: str) -> bytes:
    return bytes.fromhex(text)


@pytest.mark.parametrize("value", [0, 1, 127, 128, 255, 256, -1, -128, -129, 2**159, -(2**200)])
def test_reads_integers(value: int) -> None:
    assert read_der(der.integer(value)).integer() == value


@pytest.mark.parametrize(
    ("data", "dotted"),
    [
        ("06032a0304", "1.2.3.4"),
        ("0601 00", "0.0"),
        ("0601 27", "0.39"),
        ("0601 28", "1.0"),
        ("0601 50", "2.0"),
        ("0603 883703", "2.999.3"),
        ("0609 2a864886f70d010702", "1.2.840.113549.1.7.2"),
    ],
)
def test_reads_object_identifiers(data: str, dotted: str) -> None:
    assert read(unhex(data)).oid() == dotted


@pytest.mark.parametrize("data", ["0600", "060180", "06022a80", "06032a8001", "06022a86"])
def test_refuses_object_identifiers_that_cannot_be(data: str) -> None:
    with pytest.raises(BerError):
        read(unhex(data)).oid()


def test_refuses_a_huge_object_identifier() -> None:
    with pytest.raises(BerError):
        read(der.encode(ber.OID, b"\x2a" + b"\xff" * 4000 + b"\x01", constructed=False)).oid()


def test_reads_booleans_as_ber_does() -> None:
    assert read(unhex("0101ff")).boolean()
    assert read(unhex("010101")).boolean()
    assert not read(unhex("010100")).boolean()
    with pytest.raises(BerError):
        read(unhex("0100")).boolean()


def test_joins_the_pieces_of_an_octet_string() -> None:
    data = unhex("2480 0402 6162 2480 0401 63 2400 0000 0401 64 0000")
    assert read(data).octets() == b"abcd"


def test_joins_implicitly_tagged_pieces() -> None:
    assert read(unhex("a080 04026162 040163 0000")).octets(tag=ber.context(0)) == b"abc"


def test_refuses_pieces_of_another_type() -> None:
    with pytest.raises(BerError):
        read(unhex("2403 020161")).octets()
    with pytest.raises(BerError):
        read(unhex("2303 040161")).bits()


def test_joins_the_pieces_of_a_bit_string() -> None:
    assert read(unhex("2308 0302 00aa 0302 04f0")).bit_string() == (b"\xaa\xf0", 4)


def test_refuses_unused_bits_before_the_last_piece() -> None:
    with pytest.raises(BerError):
        read(unhex("2308 0302 04a0 0302 00ff")).bit_string()


def test_bits_are_whole_octets() -> None:
    assert read(unhex("0303 00beef")).bits() == b"\xbe\xef"
    with pytest.raises(BerError):
        read(unhex("0302 0780")).bits()


@pytest.mark.parametrize(
    ("data", "text"),
    [
        ("0c03 c3a962", "\xe9b"),
        ("1302 6162", "ab"),
        ("1602 6140", "a@"),
        ("1402 e962", "\xe9b"),
        ("1a02 6162", "ab"),
        ("1202 3132", "12"),
        ("1e04 00e90062", "\xe9b"),
        ("1c04 0001f600", "\U0001f600"),
        ("2c80 0c00 0000", None),
        ("2c80 0402 c3a9 0000", "\xe9"),
        ("0c02 c328", None),
        ("0c03 eda080", None),  # half a surrogate pair
        ("1601 e9", None),
        ("1e03 006100", None),
        ("1c04 00110000", None),
        ("0401 61", None),  # not a character string
    ],
)
def test_reads_texts_strictly(data: str, text: str | None) -> None:
    element = read(unhex(data))
    if text is None:
        with pytest.raises(BerError):
            element.text()
    else:
        assert element.text() == text


def test_reads_implicit_texts_as_their_kind() -> None:
    assert read(unhex("8102 6140")).text(tag=0x81) == "a@"
    assert read(unhex("8102 c3a9")).text(tag=0x81, kind=ber.UTF8_STRING) == "\xe9"
    with pytest.raises(BerError):
        read(unhex("8102 c3a9")).text(tag=0x81)


@pytest.mark.parametrize(
    ("tag", "text", "moment"),
    [
        (ber.UTC_TIME, b"260102030405Z", datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)),
        (ber.UTC_TIME, b"2601020304Z", datetime(2026, 1, 2, 3, 4, tzinfo=UTC)),
        (ber.UTC_TIME, b"491231235959Z", datetime(2049, 12, 31, 23, 59, 59, tzinfo=UTC)),
        (ber.UTC_TIME, b"500101000000Z", datetime(1950, 1, 1, tzinfo=UTC)),
        (ber.GENERALIZED_TIME, b"20500101000000Z", datetime(2050, 1, 1, tzinfo=UTC)),
        (ber.GENERALIZED_TIME, b"99991231235959Z", datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC)),
        (ber.GENERALIZED_TIME, b"20260102030405.25Z", datetime(2026, 1, 2, 3, 4, 5, 250_000, tzinfo=UTC)),
        (ber.GENERALIZED_TIME, b"20260102030405.1234567Z", datetime(2026, 1, 2, 3, 4, 5, 123_456, tzinfo=UTC)),
        (ber.UTC_TIME, b"260102030405", None),
        (ber.UTC_TIME, b"260102030405+0100", None),
        (ber.UTC_TIME, b"260230000000Z", None),
        (ber.UTC_TIME, b"260102030460Z", None),
        (ber.UTC_TIME, b"2601020304 5Z", None),
        (ber.UTC_TIME, b"260102030405Z\n", None),
        (ber.UTC_TIME, "26\u0661102030405Z".encode(), None),
        (ber.GENERALIZED_TIME, b"202601020304Z", None),
        (ber.GENERALIZED_TIME, b"20260102030405.Z", None),
        (ber.GENERALIZED_TIME, b"20260102030405.50Z", None),
        (ber.GENERALIZED_TIME, b"00000102030405Z", None),
        (ber.GENERALIZED_TIME, b"", None),
        (ber.OCTET_STRING, b"20500101000000Z", None),
    ],
)
def test_reads_times(tag: int, text: bytes, moment: datetime | None) -> None:
    element = read(der.encode(tag, text, constructed=False))
    if moment is None:
        with pytest.raises(BerError):
            element.time()
    else:
        assert element.time() == moment


def test_reads_an_implicit_generalized_time() -> None:
    assert read(der.implicit(0, b"20500101000000Z", constructed=False)).time(tag=0x80).year == 2050


def test_null_has_no_content() -> None:
    read(unhex("0500")).null()
    with pytest.raises(BerError):
        read(unhex("050100")).null()


@pytest.mark.parametrize("accessor", ACCESSORS)
def test_accessors_refuse_another_tag(accessor: Callable[[Element], Any]) -> None:
    with pytest.raises(BerError):
        accessor(read(unhex("a302 0500")))


@pytest.mark.parametrize("data", ["22 03 020101", "26 03 06012a", "21 03 0101ff", "25 00", "37 00"])
def test_constructed_forms_of_primitive_types_are_refused(data: str) -> None:
    element = read(unhex(data))
    for accessor in ACCESSORS:
        with pytest.raises(BerError):
            accessor(element)


# --- fields ---


def test_fields_are_taken_in_order() -> None:
    fields = read(der.sequence(der.integer(1), der.octets(b"x"), der.null(), der.null())).fields(ber.SEQUENCE)
    assert fields.optional(ber.OCTET_STRING) is None
    assert fields.take(ber.INTEGER).integer() == 1
    octets = fields.optional(ber.OCTET_STRING)
    assert octets is not None
    assert octets.octets() == b"x"
    assert fields.any().tag == ber.NULL
    with pytest.raises(BerError):
        fields.end()
    assert len(fields.rest()) == 1
    assert fields.any_optional() is None
    assert fields.optional(ber.NULL) is None
    fields.end()
    with pytest.raises(BerError):
        fields.any()


def test_fields_refuse_a_wrong_tag_and_a_primitive() -> None:
    with pytest.raises(BerError):
        read(der.sequence(der.null())).fields().take(ber.INTEGER)
    with pytest.raises(BerError):
        read(der.octets(b"")).fields()
    with pytest.raises(BerError):
        read(der.set_of()).fields(ber.SEQUENCE)

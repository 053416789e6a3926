from __future__ import annotations

from collections.abc import Callable

import pytest

from formats import ber, der
from formats.ber import BerError, BerTooLarge, Element, is_der, is_sorted_set, read, read_der
from formats.errors import Malformed, TooLarge
from tests.formats.conftest import READERS


def unhex(text: str) -> bytes:
    return bytes.fromhex(text)


# --- shape ---


def test_reads_tags_children_and_offsets() -> None:
    data = der.sequence(der.integer(5), der.explicit(2, der.octets(b"abc")))
    root = read(data)
    assert (root.tag, root.constructed, root.indefinite) == (ber.SEQUENCE, True, False)
    assert root.raw == data
    assert len(root) == len(data)
    number, wrapped = root.children
    assert (number.tag, number.content, number.children) == (ber.INTEGER, b"\x05", [])
    assert (wrapped.tag, wrapped.raw) == (ber.context(2), data[5:])
    assert wrapped.children[0].octets() == b"abc"


def test_reads_a_memoryview_into_bytes() -> None:
    element = read(memoryview(der.octets(b"abc")))
    assert isinstance(element.raw, bytes)
    assert isinstance(element.content, bytes)
    assert element.octets() == b"abc"
    assert read(memoryview(der.integer(-3))).integer() == -3


def test_reads_indefinite_lengths_inside_one_another() -> None:
    data = unhex("3080 3080 020107 0000 0401ff 0000")
    root = read(data)
    assert root.indefinite
    assert root.raw == data
    assert root.content == data[2:-2]
    assert root.children[0].raw == unhex("3080 020107 0000")
    assert root.children[1].octets() == b"\xff"


def test_reads_an_indefinite_value_inside_a_definite_one() -> None:
    root = read(unhex("3007 3080 020101 0000"))
    assert root.children[0].children[0].integer() == 1


def test_repr_shows_no_content() -> None:
    assert "secret" not in repr(read(der.octets(b"secret")))


@pytest.mark.parametrize("reader", READERS)
@pytest.mark.parametrize(
    "data",
    [
        "",
        "30",
        "0201",  # cut off
        "3003 0201",  # a child cut off
        "3003 020201",  # a child reaches beyond its parent
        "02820001",  # the content is not there
        "0285 0000000001 05",  # five length octets
        "02ff",
        "02 84ffffffff 00",
        "020105 00",  # trailing octet
        "020105 020105",
        "3080 020105",  # no end of contents
        "3080 020105 00",
        "3080 020105 000100",  # end of contents with content
        "3080 008100",  # and with a long length
        "3080 2000 0000",  # and constructed
        "0480 0000",  # primitive and indefinite
        "3002 0000",  # end of contents in a definite value
        "0000",
        "1f8101 00",  # high tag number
        "3f1f00",
        "1000",  # a primitive SEQUENCE
        "3102 1100",  # a primitive SET
        "3004 3080 0000 0000",
    ],
)
def test_refuses_what_is_not_ber(data: str, reader: Callable[[bytes], Element]) -> None:
    with pytest.raises(BerError):
        reader(unhex(data))


def test_errors_are_of_the_two_kinds() -> None:
    assert issubclass(BerError, Malformed)
    assert issubclass(BerTooLarge, TooLarge)
    assert (BerError.code, BerTooLarge.code) == ("ber_malformed", "ber_too_large")


# --- bounds ---


@pytest.mark.parametrize("open_octets", ["3080", "a080", "2480"])
def test_refuses_ten_thousand_levels(open_octets: str) -> None:
    with pytest.raises(BerTooLarge):
        read(unhex(open_octets) * 10_000)


def test_refuses_ten_thousand_definite_levels() -> None:
    nested = der.null()
    for _ in range(10_000):
        nested = der.sequence(nested)
    with pytest.raises(BerTooLarge):
        read(nested)


def test_counts_depth_to_the_limit_exactly() -> None:
    nested = der.sequence(der.sequence(der.sequence(der.null())))
    assert read(nested, max_depth=3).raw == nested
    with pytest.raises(BerTooLarge):
        read(nested, max_depth=2)


def test_counts_elements_to_the_limit_exactly() -> None:
    data = der.sequence(*[der.null()] * 9)
    assert len(read(data, max_elements=10).children) == 9
    with pytest.raises(BerTooLarge):
        read(data, max_elements=9)


def test_refuses_more_than_two_hundred_thousand_elements() -> None:
    with pytest.raises(BerTooLarge):
        read(der.sequence(der.null() * 200_000))


# --- DER ---


@pytest.mark.parametrize(
    ("data", "part"),
    [
        ("3080 0000", "indefinite"),
        ("048101ff", "length"),  # 81 where one octet does
        ("0482 0001 ff", "length"),
        ("2403 0401ff", "constructed"),
        ("2303 0301 00", "constructed"),
        ("2c03 0c0161", "constructed"),
        ("2203 020101", "constructed"),
        ("010101", "boolean"),
        ("0102ffff", "boolean"),
        ("02020005", "integer"),
        ("0202ff80", "integer"),
        ("0200", "integer"),
        ("0a020001", "integer"),
        ("0300", "unused"),
        ("030108", "unused"),
        ("030101", "unused"),
        ("03020101", "unused"),
        ("3003 010101", "boolean"),  # inside another as well
    ],
)
def test_der_forbids_what_ber_allows_or_nobody_does(data: str, part: str) -> None:
    with pytest.raises(BerError, match=part):
        read_der(unhex(data))
    assert not is_der(read(unhex(data)))


@pytest.mark.parametrize("data", ["02020080", "0202ff7f", "020100", "0101ff", "010100", "030100", "03020780", "0500"])
def test_der_allows_the_shortest_forms(data: str) -> None:
    assert is_der(read(unhex(data)))
    assert read_der(unhex(data)).raw == unhex(data)


@pytest.mark.parametrize("size", [0, 127, 128, 255, 256, 65_535, 65_536])
def test_der_allows_every_minimal_length(size: int) -> None:
    assert len(read_der(der.octets(bytes(size))).content) == size


def test_tells_a_sorted_set() -> None:
    assert is_sorted_set(read(unhex("3106 020101 020102")))
    assert is_sorted_set(read(unhex("3106 020101 020101")))
    assert not is_sorted_set(read(unhex("3106 020102 020101")))
    assert is_sorted_set(read(unhex("3100")))

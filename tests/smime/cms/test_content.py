from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from formats import ber, der, oids
from formats.ber import BerError, BerTooLarge
from smime.cms.content import read_content_info, to_der
from smime.cms.errors import CmsMalformed


def test_reads_type_and_content() -> None:
    oid, content = read_content_info(der.sequence(der.oid(oids.DATA), der.explicit(0, der.octets(b"fees"))))
    assert oid == oids.DATA
    assert content.octets() == b"fees"


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"Content-Type: text/plain\r\n\r\n",
        der.octets(b"fees"),
        der.sequence(),
        der.sequence(der.oid(oids.DATA)),
        der.sequence(der.oid(oids.DATA), der.octets(b"fees")),
        der.sequence(der.oid(oids.DATA), der.explicit(0, b"")),
        der.sequence(der.oid(oids.DATA), der.explicit(0, der.null() + der.null())),
        der.sequence(der.oid(oids.DATA), der.explicit(0, der.null()), der.null()),
        der.sequence(der.oid(oids.DATA), der.explicit(0, der.null())) + b"\0",
        b"\x30\x84\xff\xff\xff\xff\x06\x01",
    ],
)
def test_refuses_what_is_no_content_info(data: bytes) -> None:
    with pytest.raises(CmsMalformed):
        read_content_info(data)


def test_refuses_ten_thousand_levels() -> None:
    with pytest.raises(BerTooLarge):
        read_content_info(b"\x30\x80" * 10_000)


BER_AND_DER = {
    "indefinite sequence": (b"\x30\x80\x02\x01\x05\x00\x00", der.sequence(der.integer(5))),
    "long length": (b"\x30\x82\x00\x03\x02\x01\x05", der.sequence(der.integer(5))),
    "octets in pieces": (b"\x24\x80\x04\x01a\x24\x03\x04\x01b\x00\x00", der.octets(b"ab")),
    "text in pieces": (b"\x2c\x06\x04\x01a\x04\x01b", der.utf8("ab")),
    "bits in pieces": (b"\x23\x80\x03\x02\x00\xff\x03\x02\x04\xf0\x00\x00", der.bits(b"\xff\xf0", unused=4)),
    "unsorted set": (b"\x31\x06\x02\x01\x02\x02\x01\x01", der.set_of(der.integer(1), der.integer(2))),
    "boolean": (b"\x01\x01\x01", der.boolean(True)),
    "implicit tag": (b"\xa3\x80\x02\x01\x05\x00\x00", der.explicit(3, der.integer(5))),
}


@pytest.mark.parametrize(("encoded", "expected"), BER_AND_DER.values(), ids=BER_AND_DER.keys())
def test_ber_becomes_der(encoded: bytes, expected: bytes) -> None:
    assert to_der(ber.read(encoded)) == expected


def test_a_string_of_other_things_has_no_der() -> None:
    with pytest.raises(BerError):
        to_der(ber.read(b"\x24\x03\x02\x01\x05"))


@settings(max_examples=200, deadline=None)
@given(
    st.recursive(st.binary(max_size=20).map(der.octets), lambda inner: st.lists(inner).map(lambda x: der.set_of(*x)))
)
def test_der_stays_as_it_is(encoded: bytes) -> None:
    assert to_der(ber.read_der(encoded)) == encoded

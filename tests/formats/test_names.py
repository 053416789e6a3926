from __future__ import annotations

import pytest
from cryptography import x509
from cryptography.x509.oid import NameOID
from hypothesis import given, settings
from hypothesis import strategies as st

from formats import der, names, oids
from formats.ber import BerError, Element, read_der


def name(*relative: list[tuple[str, bytes]]) -> Element:
    sets = [der.set_of(*(der.sequence(der.oid(oid), value) for oid, value in pairs)) for pairs in relative]
    return read_der(der.sequence(*sets))


def test_last_relative_name_comes_first() -> None:
    one = name([(oids.COUNTRY, der.printable("SE"))], [(oids.COMMON_NAME, der.utf8("Zo\xeb"))])
    assert names.text(one) == "CN=Zo\xeb,C=SE"


def test_several_attributes_are_joined_with_plus() -> None:
    one = name([(oids.COMMON_NAME, der.utf8("a")), (oids.USER_ID, der.utf8("b"))])
    assert names.text(one) in {"CN=a+UID=b", "UID=b+CN=a"}


def test_empty_name_is_an_empty_text() -> None:
    assert names.text(name()) == ""


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("a,b", "a\\,b"),
        ('+"\\<>;', '\\+\\"\\\\\\<\\>\\;'),
        ("#a#", "\\#a#"),
        (" a ", "\\ a\\ "),
        (" ", "\\ "),
        ("", ""),
        ("a=b", "a=b"),
        ("a\0b\n", "a\\00b\\0a"),
        ("\u202ea", "\\e2\\80\\aea"),
    ],
)
def test_special_characters_are_escaped(value: str, text: str) -> None:
    """RFC 4514 2.4; what would break a line or hide is written as hex pairs."""
    assert names.text(name([(oids.COMMON_NAME, der.utf8(value))])) == f"CN={text}"


def test_unknown_attributes_and_values_keep_their_octets() -> None:
    assert names.text(name([("1.2.3.4", der.utf8("x"))])) == "1.2.3.4=x"
    assert names.text(name([(oids.COMMON_NAME, der.integer(5))])) == "CN=#020105"
    assert names.text(name([(oids.COMMON_NAME, der.encode(0x0C, b"\xff", constructed=False))])) == "CN=#0c01ff"


def test_mail_addresses_are_found_and_made_visible() -> None:
    one = name(
        [(oids.EMAIL_ADDRESS, der.ia5("a@campus.example"))],
        [(oids.EMAIL_ADDRESS, der.ia5("b@campus.example\0"))],
        [(oids.EMAIL_ADDRESS, der.integer(1))],
    )
    assert names.email_addresses(one) == ("a@campus.example", "b@campus.example\\00")


@pytest.mark.parametrize(
    "encoded",
    [
        der.set_of(),
        der.sequence(der.set_of()),
        der.sequence(der.sequence()),
        der.sequence(der.set_of(der.sequence(der.oid(oids.COMMON_NAME)))),
        der.sequence(der.set_of(der.sequence(der.null(), der.null()))),
        der.sequence(der.set_of(der.sequence(der.oid(oids.COMMON_NAME), der.utf8("a"), der.utf8("b")))),
    ],
)
def test_refuses_what_is_no_name(encoded: bytes) -> None:
    with pytest.raises(BerError):
        names.text(read_der(encoded))


@given(st.lists(st.text(st.characters(codec="utf-8"), min_size=1, max_size=20), min_size=1, max_size=3))
@settings(max_examples=100, deadline=None)
def test_cryptography_reads_the_same_name_out_of_our_text(values: list[str]) -> None:
    one = name(*[[(oids.ORGANIZATIONAL_UNIT, der.utf8(value))] for value in values])
    parsed = x509.Name.from_rfc4514_string(names.text(one))
    assert [attribute.value for attribute in parsed] == values
    assert {attribute.oid for attribute in parsed} == {NameOID.ORGANIZATIONAL_UNIT_NAME}

from __future__ import annotations

import pytest
from cryptography import x509
from cryptography.x509.oid import NameOID

from formats import der, oids
from formats.ber import BerError, read_der
from formats.certificate import Certificate
from formats.mailbox import Mailbox
from smime.path import names
from smime.path.names import Form, Name
from tests.smime.path import pki


def common_name(value: bytes) -> bytes:
    return der.sequence(der.set_of(der.sequence(der.oid(oids.COMMON_NAME), value)))


def test_string_types_case_and_blanks_do_not_matter() -> None:
    plain = names.distinguished(common_name(der.utf8("Campus CA G1")))
    assert plain == names.distinguished(common_name(der.printable("Campus CA G1")))
    assert plain == names.distinguished(common_name(der.utf8("  CAMPUS \t ca  g1 ")))
    assert plain == names.distinguished(
        common_name(der.encode(0x1E, "Campus CA G1".encode("utf-16-be"), constructed=False))
    )


def test_letters_beyond_ascii_are_folded_and_normalised() -> None:
    composed, decomposed = "Universität", "universita\u0308T"
    assert names.distinguished(common_name(der.utf8(composed))) == names.distinguished(
        common_name(der.utf8(decomposed))
    )


def test_other_letters_types_and_orders_do_matter() -> None:
    one = names.distinguished(common_name(der.utf8("Campus")))
    assert one != names.distinguished(common_name(der.utf8("Campus2")))
    assert one != names.distinguished(common_name(der.utf8("Cam pus")))
    assert one != names.distinguished(
        der.sequence(der.set_of(der.sequence(der.oid(oids.ORGANIZATION), der.utf8("Campus"))))
    )
    both = [der.set_of(der.sequence(der.oid(oid), der.utf8("x"))) for oid in (oids.COMMON_NAME, oids.LOCALITY)]
    assert names.distinguished(der.sequence(*both)) != names.distinguished(der.sequence(*reversed(both)))


def test_values_that_are_no_strings_are_compared_octet_by_octet() -> None:
    assert names.distinguished(common_name(der.octets(b"A"))) != names.distinguished(common_name(der.octets(b"a")))
    broken = [der.encode(0x0C, octets, constructed=False) for octets in (b"A\xff", b"a\xff")]
    assert names.distinguished(common_name(broken[0])) != names.distinguished(common_name(broken[1]))


@pytest.mark.parametrize("junk", [b"", b"\x30", der.integer(1), der.sequence(der.integer(1))])
def test_refuses_what_is_no_name(junk: bytes) -> None:
    with pytest.raises(BerError):
        names.distinguished(junk)


def test_certificate_binds_subject_address_in_it_and_alternative_names() -> None:
    subject = x509.Name(
        [
            x509.NameAttribute(NameOID.COMMON_NAME, "Alice"),
            x509.NameAttribute(NameOID.EMAIL_ADDRESS, "alice@old.example"),
        ]
    )
    alternative = x509.SubjectAlternativeName(
        [
            x509.RFC822Name("alice@campus.example"),
            x509.OtherName(x509.ObjectIdentifier(oids.SMTP_UTF8_MAILBOX), der.utf8("алиса@campus.example")),
            x509.OtherName(x509.ObjectIdentifier("1.2.3"), der.utf8("alice")),
            x509.DNSName("WWW.campus.example"),
            x509.RegisteredID(x509.ObjectIdentifier("1.2.3")),
        ]
    )
    leaf = pki.person(pki.authority(), subject=subject, names=alternative).certificate
    assert list(names.bound_by(leaf)) == [
        Name(form=Form.DIRECTORY, value=names.distinguished(leaf.subject_der)),
        Name(form=Form.EMAIL, value=Mailbox("alice", "old.example")),
        Name(form=Form.EMAIL, value=Mailbox("alice", "campus.example")),
        Name(form=Form.EMAIL, value=Mailbox("алиса", "campus.example")),
        Name(form="0:1.2.3"),
        Name(form=Form.DNS, value="www.campus.example"),
        Name(form="8"),
    ]


def test_address_in_the_subject_that_is_no_text_is_still_bound() -> None:
    odd = der.sequence(der.set_of(der.sequence(der.oid(oids.EMAIL_ADDRESS), der.octets(b"alice@campus.example"))))
    plain = pki.person(pki.authority()).certificate
    fields = [child.raw for child in read_der(plain.tbs).children]
    fields[5] = odd
    whole = der.sequence(der.sequence(*fields), plain.signature_algorithm_der, der.bits(plain.signature))
    bound = list(names.bound_by(Certificate.from_der(whole)))
    assert Name(form=Form.EMAIL, value=None) in bound


def test_empty_subject_binds_no_directory_name() -> None:
    leaf = pki.person(pki.authority(), subject=x509.Name([])).certificate
    assert [name.form for name in names.bound_by(leaf)] == [Form.EMAIL]


def test_emails_in_a_subject_are_read_up_to_a_hundred() -> None:
    """What is unread counts as one that meets no constraint."""
    emails = [x509.NameAttribute(NameOID.EMAIL_ADDRESS, f"a{number}@campus.example") for number in range(105)]
    found = names.bound_by(pki.authority(subject=x509.Name(emails)).certificate)
    values = [name.value for name in found if name.form == "rfc822Name"]
    assert (len(values), values.count(None)) == (101, 1)

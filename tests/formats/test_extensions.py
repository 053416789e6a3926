from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from cryptography import x509
from hypothesis import given, settings
from hypothesis import strategies as st

from formats import der, extensions, oids
from formats.ber import BerError, BerTooLarge, read_der
from formats.extensions import AlternativeNames, BasicConstraints
from formats.mailbox import Mailbox

READERS: list[Callable[[bytes], Any]] = [
    extensions.basic_constraints,
    extensions.key_usage,
    extensions.extended_key_usage,
    extensions.subject_key_id,
    extensions.authority_key_id,
    extensions.policies,
    extensions.alternative_names,
    extensions.distribution_urls,
    extensions.access_urls,
]


def other_name(oid: str, value: bytes) -> bytes:
    return der.implicit(0, der.oid(oid) + der.explicit(0, value), constructed=True)


def rfc822(text: str) -> bytes:
    return der.implicit(1, text.encode("latin-1"), constructed=False)


def smtp_utf8(text: str) -> bytes:
    return other_name(oids.SMTP_UTF8_MAILBOX, der.utf8(text))


def names_of(*names: bytes) -> AlternativeNames:
    return extensions.alternative_names(der.sequence(*names))


# --- the list ---


def entry(oid: str, value: bytes = b"\5\0", *, critical: bytes = b"") -> bytes:
    return der.sequence(der.oid(oid), critical, der.octets(value))


def test_reads_the_list_with_criticality() -> None:
    found = extensions.read_extensions(
        read_der(der.sequence(entry("1.2.3"), entry("1.2.4", critical=der.boolean(True)), entry("1.2.5", b"anything")))
    )
    assert [(oid, one.critical, one.value) for oid, one in found.items()] == [
        ("1.2.3", False, b"\5\0"),
        ("1.2.4", True, b"\5\0"),
        ("1.2.5", False, b"anything"),
    ]


@pytest.mark.parametrize(
    "encoded",
    [
        der.sequence(),
        der.sequence(entry("1.2.3"), entry("1.2.3")),
        der.sequence(*(entry(f"1.2.{n}") for n in range(extensions.MAX_EXTENSIONS + 1))),
        der.sequence(der.sequence(der.oid("1.2.3"))),
        der.sequence(der.sequence(der.oid("1.2.3"), der.octets(b""), der.null())),
        der.sequence(der.sequence(der.oid("1.2.3"), der.null())),
    ],
)
def test_refuses_lists_that_are_empty_double_long_or_malformed(encoded: bytes) -> None:
    with pytest.raises(BerError):
        extensions.read_extensions(read_der(encoded))


# --- against cryptography's encoder ---


@pytest.mark.parametrize("path_length", [None, 0, 7])
def test_reads_basic_constraints(path_length: int | None) -> None:
    value = x509.BasicConstraints(ca=True, path_length=path_length).public_bytes()
    assert extensions.basic_constraints(value) == BasicConstraints(ca=True, path_length=path_length)
    assert extensions.basic_constraints(der.sequence()) == BasicConstraints(ca=False, path_length=None)


def test_refuses_a_negative_path_length() -> None:
    with pytest.raises(BerError):
        extensions.basic_constraints(der.sequence(der.boolean(True), der.integer(-1)))


@pytest.mark.parametrize(
    ("positions", "names"),
    [
        ((0,), {"digitalSignature"}),
        ((1, 2), {"nonRepudiation", "keyEncipherment"}),
        ((3, 4), {"dataEncipherment", "keyAgreement"}),
        ((5, 6), {"keyCertSign", "cRLSign"}),
        ((7, 8), {"encipherOnly", "decipherOnly"}),
        ((), set()),
        ((9, 20), set()),  # bits that nobody has named
    ],
)
def test_reads_key_usage_by_the_names_of_its_bits(positions: tuple[int, ...], names: set[str]) -> None:
    assert extensions.key_usage(der.named_bits(*positions)) == names


def test_reads_extended_key_usage() -> None:
    usage = x509.ExtendedKeyUsage([x509.ObjectIdentifier(oids.EMAIL_PROTECTION), x509.ObjectIdentifier("1.2.3")])
    assert extensions.extended_key_usage(usage.public_bytes()) == {oids.EMAIL_PROTECTION, "1.2.3"}
    with pytest.raises(BerError):
        extensions.extended_key_usage(der.sequence())


def test_reads_key_identifiers() -> None:
    issuer = [x509.DirectoryName(x509.Name([]))]
    both = x509.AuthorityKeyIdentifier(b"key", issuer, 5).public_bytes()
    without_key = x509.AuthorityKeyIdentifier(None, issuer, 5).public_bytes()
    assert extensions.subject_key_id(x509.SubjectKeyIdentifier(b"key").public_bytes()) == b"key"
    assert extensions.authority_key_id(both) == b"key"
    assert extensions.authority_key_id(without_key) is None


def test_refuses_a_constructed_key_identifier() -> None:
    with pytest.raises(BerError):
        extensions.authority_key_id(der.sequence(der.implicit(0, der.octets(b"key"), constructed=True)))


def test_reads_policies_in_order_and_passes_over_qualifiers() -> None:
    policies = x509.CertificatePolicies(
        [
            x509.PolicyInformation(x509.ObjectIdentifier("1.2.9"), ["http://pki.campus.example/cps"]),
            x509.PolicyInformation(x509.ObjectIdentifier("1.2.3"), None),
        ]
    )
    assert extensions.policies(policies.public_bytes()) == ("1.2.9", "1.2.3")


def test_reads_urls_of_full_names_only() -> None:
    url, directory = x509.UniformResourceIdentifier, x509.DirectoryName(x509.Name([]))
    relative = x509.RelativeDistinguishedName([x509.NameAttribute(x509.ObjectIdentifier(oids.COMMON_NAME), "c")])
    points = x509.CRLDistributionPoints(
        [
            x509.DistributionPoint([url("http://a.example/1"), directory, url("http://a.example/2")], None, None, None),
            x509.DistributionPoint(None, relative, None, None),
            x509.DistributionPoint(None, None, None, [directory]),
            x509.DistributionPoint([url("ldap://b.example/")], None, None, None),
        ]
    )
    expected = ("http://a.example/1", "http://a.example/2", "ldap://b.example/")
    assert extensions.distribution_urls(points.public_bytes()) == expected


def test_reads_access_urls_by_method() -> None:
    def access(method: str, name: x509.GeneralName) -> x509.AccessDescription:
        return x509.AccessDescription(x509.ObjectIdentifier(method), name)

    value = x509.AuthorityInformationAccess(
        [
            access(oids.OCSP, x509.UniformResourceIdentifier("http://a.example/ocsp")),
            access(oids.CA_ISSUERS, x509.UniformResourceIdentifier("http://a.example/ca.cer")),
            access(oids.OCSP, x509.UniformResourceIdentifier("http://b.example/ocsp")),
            access(oids.OCSP, x509.DNSName("c.example")),
        ]
    )
    assert extensions.access_urls(value.public_bytes()) == {
        oids.OCSP: ("http://a.example/ocsp", "http://b.example/ocsp"),
        oids.CA_ISSUERS: ("http://a.example/ca.cer",),
    }


# --- alternative names ---


def test_reads_both_forms_of_mailboxes_and_passes_over_other_names() -> None:
    value = x509.SubjectAlternativeName(
        [
            x509.DNSName("campus.example"),
            x509.RFC822Name("alice@campus.example"),
            x509.OtherName(x509.ObjectIdentifier(oids.SMTP_UTF8_MAILBOX), der.utf8("zo\xeb@campus.example")),
            x509.OtherName(x509.ObjectIdentifier("1.3.6.1.4.1.311.20.2.3"), der.utf8("alice@ad.campus.example")),
            x509.RFC822Name("alice@campus.example"),
        ]
    )
    assert extensions.alternative_names(value.public_bytes()) == AlternativeNames(
        mailboxes=(Mailbox.parse("alice@campus.example"), Mailbox.parse("zo\xeb@campus.example")), odd=()
    )


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        (rfc822("campus.example"), "campus.example"),
        (rfc822("Alice <alice@campus.example>"), "Alice <alice@campus.example>"),
        (rfc822("alice@campus.example\0@evil.example"), "alice@campus.example\\00@evil.example"),
        (rfc822("*@campus.example"), "*@campus.example"),
        (rfc822("zo\xeb@campus.example"), "zo\xeb@campus.example"),  # RFC 9598 3: not in an rfc822Name
        (smtp_utf8("alice@campus.example"), "alice@campus.example"),  # and ASCII not in a SmtpUTF8Mailbox
        (smtp_utf8("\ufeffzo\xeb@campus.example"), "\\ef\\bb\\bfzo\xeb@campus.example"),
    ],
)
def test_names_that_are_no_mailbox_are_listed_and_never_matched(name: bytes, shown: str) -> None:
    good = rfc822("bob@campus.example")
    assert names_of(name, good) == AlternativeNames(mailboxes=(Mailbox.parse("bob@campus.example"),), odd=(shown,))


@pytest.mark.parametrize(
    "value",
    [
        der.sequence(),
        der.sequence(rfc822("a@campus.example") * (extensions.MAX_NAMES + 1)),
        der.sequence(rfc822("a@campus.example") * (extensions.MAX_MAILBOXES + 1)),
        der.sequence(rfc822("none") * extensions.MAX_MAILBOXES, smtp_utf8("zo\xeb@campus.example")),
        der.sequence(der.implicit(1, der.ia5("a@campus.example"), constructed=True)),
        der.sequence(der.implicit(0, b"", constructed=False)),
        der.sequence(der.implicit(0, der.oid(oids.SMTP_UTF8_MAILBOX), constructed=True)),
        der.sequence(other_name(oids.SMTP_UTF8_MAILBOX, der.ia5("a@campus.example"))),
        der.sequence(other_name(oids.SMTP_UTF8_MAILBOX, der.utf8("a") + der.utf8("b"))),
        der.sequence(other_name(oids.SMTP_UTF8_MAILBOX, der.encode(0x0C, b"\xff", constructed=False))),
    ],
)
def test_refuses_malformed_alternative_names(value: bytes) -> None:
    with pytest.raises(BerError):
        extensions.alternative_names(value)


# --- any octets ---


@pytest.mark.parametrize("reader", READERS)
@pytest.mark.parametrize("value", [b"", b"\5\0", b"\x30", b"\x30\x02\5\0", b"\x30\x80\0\0", b"\x04\x81\x01a"])
def test_readers_refuse_other_shapes(reader: Callable[[bytes], Any], value: bytes) -> None:
    with pytest.raises(BerError):
        reader(value)


@given(
    st.recursive(
        st.binary(max_size=8),
        lambda inner: st.builds(
            lambda tag, constructed, parts: der.encode(tag, b"".join(parts), constructed=constructed),
            st.sampled_from([1, 2, 3, 4, 6, 0x0C, 0x10, 0x80, 0x81, 0x86]),
            st.booleans(),
            st.lists(inner, max_size=3),
        ),
        max_leaves=12,
    )
)
@settings(max_examples=200, deadline=None)
def test_any_octets_bring_only_our_errors(value: bytes) -> None:
    for reader in READERS:
        try:
            reader(value)
        except (BerError, BerTooLarge):
            continue


def test_many_names_that_are_no_mailboxes_and_a_hundred_that_are_can_be_read() -> None:
    mailboxes = [rfc822(f"a{number}@campus.example") for number in range(extensions.MAX_MAILBOXES)]
    host = der.implicit(2, b"campus.example", constructed=False)
    assert len(names_of(*mailboxes, *[host] * 900).mailboxes) == extensions.MAX_MAILBOXES

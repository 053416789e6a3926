from __future__ import annotations

import ipaddress
from collections.abc import Sequence

import pytest
from cryptography import x509
from cryptography.x509.oid import NameOID

from formats import der, oids
from formats.ber import BerError
from smime.path import constraints
from smime.path.effort import Effort
from tests.smime.path import pki
from tests.smime.path.pki import Node

Names = Sequence[x509.GeneralName]


@pytest.fixture(scope="module")
def root() -> Node:
    return pki.authority()


def smtp_utf8(mailbox: str) -> x509.OtherName:
    return x509.OtherName(x509.ObjectIdentifier(oids.SMTP_UTF8_MAILBOX), der.utf8(mailbox))


def directory(*pairs: tuple[x509.ObjectIdentifier, str]) -> x509.DirectoryName:
    return x509.DirectoryName(x509.Name([x509.NameAttribute(oid, value) for oid, value in pairs]))


def fault(root: Node, *names: x509.GeneralName, permitted: Names = (), excluded: Names = ()) -> str | None:
    """The finding about a certificate with these names under these constraints."""
    extension = x509.NameConstraints(list(permitted) or None, list(excluded) or None)
    above = constraints.read(pki.authority(root, (extension, True)).certificate)
    assert above is not None
    leaf = pki.person(root, names=x509.SubjectAlternativeName(names), subject=x509.Name([])).certificate
    return constraints.fault(leaf, [above], effort=Effort())


MAIL = x509.RFC822Name
DNS = x509.DNSName
URI = x509.UniformResourceIdentifier
O_CAMPUS = directory((NameOID.ORGANIZATION_NAME, "Campus"))

INSIDE: list[tuple[x509.GeneralName, x509.GeneralName]] = [
    (MAIL("campus.example"), MAIL("alice@campus.example")),
    (MAIL("campus.example"), MAIL("alice@CAMPUS.example")),
    (MAIL(".campus.example"), MAIL("alice@physics.campus.example")),
    (MAIL("alice@campus.example"), MAIL("alice@campus.example")),
    (MAIL("alice@Campus.example"), MAIL("alice@campus.example")),
    (MAIL("campus.example"), smtp_utf8("алиса@campus.example")),
    (MAIL(".campus.example"), smtp_utf8("алиса@physics.campus.example")),
    (MAIL("xn--strae-oqa.example"), smtp_utf8("алиса@xn--strae-oqa.example")),
    (DNS("campus.example"), DNS("campus.example")),
    (DNS("campus.example"), DNS("www.Campus.example")),
    (DNS("campus.example"), DNS("*.campus.example")),
    (DNS(""), DNS("www.campus.example")),
    (DNS(".campus.example"), DNS("www.campus.example")),
    (URI("campus.example"), URI("https://campus.example/a?b#c")),
    (URI("campus.example"), URI("https://campus.example:8443/")),
    (URI(".campus.example"), URI("ldap://ldap.campus.example/cn=x")),
    (x509.IPAddress(ipaddress.ip_network("192.0.2.0/24")), x509.IPAddress(ipaddress.ip_address("192.0.2.77"))),
    (x509.IPAddress(ipaddress.ip_network("2001:db8::/32")), x509.IPAddress(ipaddress.ip_address("2001:db8::7"))),
    (O_CAMPUS, directory((NameOID.ORGANIZATION_NAME, "CAMPUS "), (NameOID.COMMON_NAME, "Alice"))),
    (O_CAMPUS, O_CAMPUS),
    (directory(), directory((NameOID.COMMON_NAME, "Alice"))),
]

OUTSIDE: list[tuple[x509.GeneralName, x509.GeneralName]] = [
    (MAIL("campus.example"), MAIL("alice@physics.campus.example")),
    (MAIL("campus.example"), MAIL("alice@evilcampus.example")),
    (MAIL("campus.example"), MAIL("alice@campus.example.evil.example")),
    (MAIL(".campus.example"), MAIL("alice@campus.example")),
    (MAIL(".campus.example"), MAIL("alice@evilcampus.example")),
    (MAIL("alice@campus.example"), MAIL("bob@campus.example")),
    (MAIL("campus.example"), smtp_utf8("алиса@other.example")),
    (MAIL(".campus.example"), smtp_utf8("алиса@campus.example")),
    (DNS("campus.example"), DNS("evilcampus.example")),
    (DNS("www.campus.example"), DNS("campus.example")),
    (DNS(".campus.example"), DNS("campus.example")),
    (URI("campus.example"), URI("https://www.campus.example/")),
    (URI(".campus.example"), URI("https://campus.example/")),
    (x509.IPAddress(ipaddress.ip_network("192.0.2.0/24")), x509.IPAddress(ipaddress.ip_address("192.0.3.1"))),
    (x509.IPAddress(ipaddress.ip_network("::/0")), x509.IPAddress(ipaddress.ip_address("192.0.2.1"))),
    (O_CAMPUS, directory((NameOID.COMMON_NAME, "Alice"), (NameOID.ORGANIZATION_NAME, "Campus"))),
    (O_CAMPUS, directory((NameOID.ORGANIZATION_NAME, "Campus 2"))),
]

UNREADABLE: list[tuple[x509.GeneralName, x509.GeneralName]] = [
    (MAIL("campus.example"), MAIL("dots..dots@campus.example")),
    (MAIL("campus.example"), MAIL("alice@localhost")),
    (DNS("campus.example"), DNS("campus.example.")),
    (URI("campus.example"), URI("urn:campus.example")),
    (URI("campus.example"), URI("https://campus.example@evil.example/")),
    (URI("campus.example"), URI("https://user:word@campus.example/")),
    (URI("campus.example"), URI("https://192.0.2.1/")),
    (URI("campus.example"), URI("https://[2001:db8::1]/")),
    (URI("campus.example"), URI("https://evil.example\\@campus.example/")),
]


@pytest.mark.parametrize(("subtree", "name"), INSIDE)
def test_name_inside_a_subtree(root: Node, subtree: x509.GeneralName, name: x509.GeneralName) -> None:
    assert fault(root, name, permitted=[subtree]) is None
    assert fault(root, name, excluded=[subtree]) == constraints.VIOLATED


@pytest.mark.parametrize(("subtree", "name"), OUTSIDE)
def test_name_outside_a_subtree(root: Node, subtree: x509.GeneralName, name: x509.GeneralName) -> None:
    assert fault(root, name, permitted=[subtree]) == constraints.VIOLATED
    assert fault(root, name, excluded=[subtree]) is None


@pytest.mark.parametrize(("subtree", "name"), UNREADABLE)
def test_name_that_cannot_be_read_meets_no_constraint(
    root: Node, subtree: x509.GeneralName, name: x509.GeneralName
) -> None:
    assert fault(root, name, permitted=[subtree]) == constraints.VIOLATED
    assert fault(root, name, excluded=[subtree]) == constraints.VIOLATED


def test_directory_name_that_cannot_be_read_meets_no_constraint(root: Node) -> None:
    value = der.sequence(der.explicit(4, der.integer(1)))
    odd = pki.person(root, (pki.unknown(value, oid=oids.SUBJECT_ALT_NAME), False), names=None).certificate
    subtree = constraints.Subtree(form="directoryName", value=())
    above = constraints.NameConstraints(permitted=(subtree,), excluded=(), critical=True)
    assert constraints.fault(odd, [above], effort=Effort()) == constraints.VIOLATED


def test_local_part_is_permitted_as_written_and_excluded_in_any_case(root: Node) -> None:
    one = MAIL("alice@campus.example")
    assert fault(root, MAIL("Alice@campus.example"), permitted=[one]) == constraints.VIOLATED
    assert fault(root, MAIL("Alice@campus.example"), excluded=[one]) == constraints.VIOLATED


def test_wildcard_is_excluded_with_each_of_its_names(root: Node) -> None:
    assert fault(root, DNS("*.campus.example"), excluded=[DNS("www.campus.example")]) == constraints.VIOLATED
    assert fault(root, DNS("*.campus.example"), permitted=[DNS("www.campus.example")]) == constraints.VIOLATED
    assert fault(root, DNS("*.campus.example"), excluded=[DNS("www.other.example")]) is None


def test_forms_that_are_not_named_are_free(root: Node) -> None:
    assert fault(root, DNS("www.other.example"), permitted=[MAIL("campus.example")]) is None
    assert fault(root, MAIL("alice@campus.example"), excluded=[DNS("")]) is None


def test_every_name_counts(root: Node) -> None:
    names = (MAIL("alice@campus.example"), MAIL("alice@other.example"))
    assert fault(root, *names, permitted=[MAIL("campus.example")]) == constraints.VIOLATED
    assert fault(root, *names, permitted=[MAIL("campus.example"), MAIL("other.example")]) is None


def test_excluded_wins_over_permitted(root: Node) -> None:
    name = MAIL("alice@physics.campus.example")
    excluded = [MAIL("physics.campus.example")]
    assert fault(root, name, permitted=[MAIL(".campus.example")], excluded=excluded) == constraints.VIOLATED


def test_constraints_of_several_authorities_add_up(root: Node) -> None:
    wide = constraints.NameConstraints(
        permitted=(constraints.Subtree(form="rfc822Name", value=constraints.Mail(local=None, host=".example")),),
        excluded=(),
        critical=True,
    )
    narrow = constraints.NameConstraints(
        permitted=(constraints.Subtree(form="rfc822Name", value=constraints.Mail(local=None, host="other.example")),),
        excluded=(),
        critical=True,
    )
    leaf = pki.person(root).certificate
    assert constraints.fault(leaf, [wide], effort=Effort()) is None
    assert constraints.fault(leaf, [wide, narrow], effort=Effort()) == constraints.VIOLATED
    assert constraints.fault(leaf, [narrow, wide], effort=Effort()) == constraints.VIOLATED


def upn(value: str) -> x509.OtherName:
    return x509.OtherName(x509.ObjectIdentifier("1.3.6.1.4.1.311.20.2.3"), der.utf8(value))


@pytest.mark.parametrize(
    ("subtree", "name"),
    [
        (upn("campus.example"), upn("alice@campus.example")),
        (x509.RegisteredID(x509.ObjectIdentifier("1.2.3")), x509.RegisteredID(x509.ObjectIdentifier("1.2.3.4"))),
    ],
)
def test_form_that_is_not_looked_into_is_told(root: Node, subtree: x509.GeneralName, name: x509.GeneralName) -> None:
    assert fault(root, name, permitted=[subtree]) == constraints.UNSUPPORTED
    assert fault(root, MAIL("alice@campus.example"), permitted=[subtree]) is None
    assert fault(root, smtp_utf8("алиса@campus.example"), permitted=[subtree]) is None


def test_form_that_is_not_looked_into_may_be_passed_over_when_not_critical(root: Node) -> None:
    extension = x509.NameConstraints([upn("campus.example")], None)
    above = constraints.read(pki.authority(root, (extension, False)).certificate)
    assert above is not None
    leaf = pki.person(root, names=x509.SubjectAlternativeName([upn("alice@other.example")])).certificate
    assert constraints.fault(leaf, [above], effort=Effort()) is None


def test_constraints_that_are_not_critical_bind_too(root: Node) -> None:
    extension = x509.NameConstraints([MAIL("other.example")], None)
    above = constraints.read(pki.authority(root, (extension, False)).certificate)
    assert above is not None
    assert constraints.fault(pki.person(root).certificate, [above], effort=Effort()) == constraints.VIOLATED


def test_certificate_without_constraints(root: Node) -> None:
    assert constraints.read(root.certificate) is None


def _mail(host: bytes) -> bytes:
    return der.implicit(1, host, constructed=False)


def _permitted(*parts: bytes) -> bytes:
    return der.sequence(der.implicit(0, der.sequence(*parts), constructed=True))


@pytest.mark.parametrize(
    "value",
    [
        der.sequence(),
        der.sequence(der.implicit(0, b"", constructed=True)),
        _permitted(_mail(b"@campus.example")),
        _permitted(_mail(b"a@.campus.example")),
        _permitted(_mail(b"")),
        _permitted(_mail(b"campus example")),
        _permitted(_mail(b"caf\xe9.example")),
        _permitted(_mail(b"campus.example"), der.implicit(0, b"\x01", constructed=False)),
        _permitted(_mail(b"campus.example"), der.implicit(1, b"\x01", constructed=False)),
        _permitted(der.implicit(7, b"\x0a\x00\x00\x00", constructed=False)),
        _permitted(der.implicit(6, b"https://campus.example", constructed=False)),
        der.integer(1),
    ],
)
def test_constraints_that_cannot_be_relied_on_are_refused(root: Node, value: bytes) -> None:
    odd = pki.authority(root, (pki.unknown(value, oid=oids.NAME_CONSTRAINTS), True))
    with pytest.raises(BerError):
        constraints.read(odd.certificate)


def test_minimum_of_zero_may_be_written_out(root: Node) -> None:
    value = _permitted(_mail(b"campus.example"), der.implicit(0, b"\x00", constructed=False))
    read = constraints.read(pki.authority(root, (pki.unknown(value, oid=oids.NAME_CONSTRAINTS), True)).certificate)
    assert read is not None
    assert len(read.permitted) == 1


def test_comparisons_are_counted_and_bounded(root: Node) -> None:
    subtree = constraints.Subtree(form="rfc822Name", value=constraints.Mail(local=None, host="campus.example"))
    above = constraints.NameConstraints(permitted=(subtree,) * 100, excluded=(), critical=True)
    names = pki.mail_names(*(f"a{number}@campus.example" for number in range(50)))
    leaf = pki.person(root, names=names).certificate
    effort = Effort()
    before = effort.comparisons
    assert constraints.fault(leaf, [above], effort=effort) is None
    assert before - effort.comparisons == 100 * 50 + 1  # the subject, which no subtree is for, costs one
    effort.comparisons = 4999
    assert constraints.fault(leaf, [above], effort=effort) == constraints.VIOLATED
    assert effort.exhausted


def test_names_of_forms_that_no_subtree_is_for_are_counted_too(root: Node) -> None:
    above = constraints.NameConstraints(
        permitted=(constraints.Subtree(form="dNSName", value=""),) * 100, excluded=(), critical=True
    )
    names = pki.mail_names(*(f"a{number}@campus.example" for number in range(50)))
    leaf = pki.person(root, names=names).certificate
    effort = Effort()
    effort.comparisons = 51
    assert constraints.fault(leaf, [above], effort=effort) is None
    assert effort.comparisons == 0
    assert constraints.fault(leaf, [above], effort=effort) == constraints.VIOLATED
    assert effort.exhausted


def _holding(permitted: int, excluded: int) -> bytes:
    sides = (der.sequence(_mail(b"campus.example")) * count for count in (permitted, excluded))
    return der.sequence(*(der.implicit(tag, side, constructed=True) for tag, side in enumerate(sides) if side))


@pytest.mark.parametrize(("permitted", "excluded"), [(1001, 0), (0, 1001), (500, 501), (3000, 0)])
def test_more_than_a_thousand_subtrees_are_refused_each_time(root: Node, permitted: int, excluded: int) -> None:
    value = _holding(permitted, excluded)
    many = pki.authority(root, (pki.unknown(value, oid=oids.NAME_CONSTRAINTS), True)).certificate
    for _ in range(2):
        with pytest.raises(BerError):
            constraints.read(many)


def test_a_thousand_subtrees_are_read_once_and_grouped(root: Node) -> None:
    value = _holding(500, 500)
    many = pki.authority(root, (pki.unknown(value, oid=oids.NAME_CONSTRAINTS), True)).certificate
    read = constraints.read(many)
    assert read is not None
    assert {form: tuple(map(len, sides)) for form, sides in read.by_form.items()} == {"rfc822Name": (500, 500)}
    assert constraints.read(many) is read


def test_constraint_that_is_longer_than_any_mailbox_is_refused(root: Node) -> None:
    for text in (b"a" * 321, b"a" * 320 + b"@campus.example"):
        odd = pki.authority(root, (pki.unknown(_permitted(_mail(text)), oid=oids.NAME_CONSTRAINTS), True))
        with pytest.raises(BerError):
            constraints.read(odd.certificate)

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from hypothesis import given, settings
from hypothesis import strategies as st

from formats import der, oids
from formats.ber import BerError, BerTooLarge, read_der
from formats.serial import Serial
from smime.path import crls
from smime.path.crls import Lookup
from tests.smime.path import pki
from tests.smime.path.pki import AT, DAY, Node, Revoked

SERIALS = [1, 127, 128, 255, 256, 1 << 126, (1 << 159) - 1]
WHEN = der.time(AT)


@pytest.fixture(scope="module")
def root() -> Node:
    return pki.authority()


@pytest.fixture(scope="module")
def filled(root: Node) -> bytes:
    return pki.crl(root, *(Revoked(serial=serial) for serial in SERIALS))


def entries(*each: bytes) -> bytes:
    """An unsigned CRL with these entries as they are."""
    algorithm = der.sequence(der.oid(oids.ECDSA_WITH_SHA256))
    listed = [der.sequence(*each)] if each else []
    tbs = der.sequence(der.integer(1), algorithm, der.sequence(), WHEN, WHEN, *listed)
    return der.sequence(tbs, algorithm, der.bits(b"none"))


def entry(serial: int, *rest: bytes) -> bytes:
    return der.sequence(der.integer(serial), WHEN, *rest)


def extension(oid: str, value: bytes, *, critical: bool = False) -> bytes:
    return der.sequence(der.oid(oid), *([der.boolean(True)] if critical else []), der.octets(value))


def test_header_is_what_cryptography_reads(root: Node, filled: bytes) -> None:
    own, other = crls.read_crl(filled), x509.load_der_x509_crl(filled)
    assert own.signed.tbs == other.tbs_certlist_bytes
    assert own.signed.signature == other.signature
    assert own.this_update == other.last_update_utc
    assert own.next_update == other.next_update_utc
    assert own.issuer_der == root.certificate.subject_der
    assert own.key_id == root.certificate.subject_key_id
    assert own.algorithms_agree


@pytest.mark.parametrize("serial", SERIALS)
def test_every_listed_serial_is_found(filled: bytes, serial: int) -> None:
    found = crls.look_up(crls.read_crl(filled), Serial(serial))
    assert found.fault is None
    assert found.entry is not None
    assert found.entry.revoked_at == AT - 10 * DAY


@pytest.mark.parametrize("serial", [0, -1, 2, 129, 1 << 125, 1 << 160])
def test_no_other_serial_is_found(filled: bytes, serial: int) -> None:
    assert crls.look_up(crls.read_crl(filled), Serial(serial)) == Lookup()


def test_serial_inside_another_entry_is_not_found() -> None:
    inner = entry(77)
    crl = crls.read_crl(entries(entry(5, der.sequence(extension("1.2.3", inner)))))
    assert crls.look_up(crl, Serial(77)) == Lookup()


def test_empty_crl_lists_nothing(root: Node) -> None:
    assert crls.look_up(crls.read_crl(pki.crl(root)), Serial(1)) == Lookup()


def test_reason_and_invalidity_date_are_read(root: Node) -> None:
    since = datetime(2026, 11, 1, tzinfo=UTC)
    extensions = (
        (x509.CRLReason(x509.ReasonFlags.key_compromise), False),
        (x509.InvalidityDate(since.replace(tzinfo=None)), False),
    )
    found = crls.look_up(crls.read_crl(pki.crl(root, Revoked(serial=5, extensions=extensions))), Serial(5)).entry
    assert found is not None
    assert (found.reason, found.invalidity_date) == ("keyCompromise", since)


def test_revoked_for_good_wins_over_a_hold_in_the_same_crl() -> None:
    hold = der.sequence(extension(oids.CRL_REASON, der.encode(0x0A, b"\x06", constructed=False)))
    for order in ((entry(5, hold), entry(5)), (entry(5), entry(5, hold))):
        found = crls.look_up(crls.read_crl(entries(*order)), Serial(5)).entry
        assert found is not None
        assert found.reason is None


def test_critical_reason_is_understood() -> None:
    reason = der.sequence(extension(oids.CRL_REASON, der.encode(0x0A, b"\x01", constructed=False), critical=True))
    found = crls.look_up(crls.read_crl(entries(entry(5, reason))), Serial(5))
    assert found.entry is not None
    assert found.entry.reason == "keyCompromise"


@pytest.mark.parametrize(
    ("rest", "fault"),
    [
        (der.sequence(extension("1.2.3", b"\x05\x00", critical=True)), "crl_critical_extension"),
        (der.sequence(extension(oids.CERTIFICATE_ISSUER, der.sequence())), "crl_indirect"),
        (der.sequence(extension(oids.CERTIFICATE_ISSUER, der.sequence(), critical=True)), "crl_indirect"),
    ],
)
def test_entry_of_somebody_else_may_forbid_to_use_the_crl(rest: bytes, fault: str) -> None:
    crl = crls.read_crl(entries(entry(5), entry(6, rest)))
    assert crls.look_up(crl, Serial(5)) == Lookup(fault=fault)


@pytest.mark.parametrize(
    "odd",
    [
        der.integer(5),
        der.sequence(),
        der.sequence(der.integer(5)),
        der.sequence(der.utf8("5"), WHEN),
        der.sequence(b"\x02\x02\x00\x05", WHEN),
        der.sequence(b"\x02\x00", WHEN),
        der.sequence(b"\x02\x02\xff\xff", WHEN),
        der.sequence(der.integer(5), der.integer(5)),
        b"\x30\x81\x03\x02\x01\x05",
        b"\x30",
    ],
)
def test_entry_that_cannot_be_read_makes_the_crl_unusable(odd: bytes) -> None:
    crl = crls.read_crl(entries(entry(4), odd))
    assert crls.look_up(crl, Serial(4)) == Lookup(fault="crl_malformed")
    assert crls.look_up(crl, Serial(5)) == Lookup(fault="crl_malformed")


def test_long_crl_is_searched_without_an_object_for_each_entry() -> None:
    crl = crls.read_crl(entries(*(entry(1000 + number) for number in range(20_000))))
    assert crls.look_up(crl, Serial(20_999)).entry is not None
    assert crls.look_up(crl, Serial(21_000)) == Lookup()


def test_entries_with_long_extensions_are_walked_too() -> None:
    wordy = der.sequence(extension("1.2.3", bytes(300)))
    crl = crls.read_crl(entries(entry(4, wordy), entry(5, wordy)))
    assert crls.look_up(crl, Serial(5)).entry is not None


def test_crl_of_too_many_entries_with_critical_extensions_is_not_used() -> None:
    reason = der.encode(0x0A, b"\x01", constructed=False)
    each = [
        der.sequence(
            extension(oids.CRL_REASON, reason, critical=True),
            extension(oids.INVALIDITY_DATE, der.generalized_time(AT - number * DAY)),
        )
        for number in range(crls.MAX_ENTRIES_WITH_CRITICAL + 1)
    ]
    crl = crls.read_crl(entries(*(entry(5, rest) for rest in each)))
    assert crls.look_up(crl, Serial(5)) == Lookup(fault="crl_too_complex")


def test_refuses_what_is_no_crl(filled: bytes) -> None:
    other_version = filled.replace(b"\x02\x01\x01\x30", b"\x02\x01\x02\x30", 1)
    tbs, *rest = (child.raw for child in read_der(filled).children)
    longer = der.sequence(*(child.raw for child in read_der(tbs).children), der.integer(1))
    junk = [
        der.sequence(longer, *rest),
        b"",
        filled[:-1],
        filled + b"\0",
        der.sequence(filled),
        der.integer(1),
        other_version,
    ]
    for data in junk:
        with pytest.raises(BerError):
            crls.read_crl(data)


def test_refuses_a_huge_one_unread() -> None:
    with pytest.raises(BerTooLarge):
        crls.read_crl(bytes(crls.MAX_SIZE + 1))


def test_refuses_a_certificate(root: Node) -> None:
    with pytest.raises(BerError):
        crls.read_crl(root.certificate.der)


def test_refuses_extensions_in_version_1(root: Node) -> None:
    algorithm = der.sequence(der.oid(oids.ECDSA_WITH_SHA256))
    wrapped = der.explicit(0, der.sequence(extension(oids.CRL_NUMBER, der.integer(1))))
    tbs = der.sequence(algorithm, root.certificate.subject_der, WHEN, WHEN, wrapped)
    with pytest.raises(BerError):
        crls.read_crl(der.sequence(tbs, algorithm, der.bits(b"none")))


@settings(max_examples=200, deadline=None)
@given(data=st.binary(max_size=200))
def test_random_octets_give_only_our_errors(data: bytes) -> None:
    with pytest.raises((BerError, BerTooLarge)):
        crls.read_crl(data)


@settings(max_examples=200, deadline=None)
@given(at=st.integers(min_value=0), octet=st.integers(min_value=0, max_value=255))
def test_mutations_give_only_our_errors(filled: bytes, at: int, octet: int) -> None:
    mutated = bytearray(filled)
    mutated[at % len(mutated)] = octet
    try:
        found = crls.look_up(crls.read_crl(bytes(mutated)), Serial(128))
    except (BerError, BerTooLarge):
        return
    assert isinstance(found, Lookup)


def test_serialised_by_cryptography_and_read_the_same(root: Node) -> None:
    builder = x509.CertificateRevocationListBuilder().issuer_name(pki.name("x"))
    builder = builder.last_update(AT).next_update(datetime(2055, 1, 1, tzinfo=UTC))
    made = builder.sign(root.key, hashes.SHA256()).public_bytes(serialization.Encoding.DER)
    assert crls.read_crl(made).next_update == datetime(2055, 1, 1, tzinfo=UTC)

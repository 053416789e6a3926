from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID

from formats import ber, der, oids
from formats.ber import BerError
from formats.certificate import Certificate
from smime.cms.errors import RecipientCertificateRefused, TooManyRecipients
from smime.cms.key_transport import KeyTransport
from smime.cms.recipients import (
    MAX_RECIPIENTS,
    RecipientId,
    RecipientInfo,
    RecipientKind,
    content_key,
    read_recipients,
    require_sealable,
    write_recipient,
)
from tests.smime.campus import NOW, Authority, Person, person
from tests.smime.cms.conftest import AGREEING, ENCIPHERING
from tests.smime.cms.forging import issuer_and_serial
from tests.smime.cms.sealing import CONTENT_KEY, kari, ktri

OTHERS = [der.implicit(n, der.integer(4) + der.octets(b"kek, password or other"), constructed=True) for n in (2, 3, 4)]


def read(*infos: bytes) -> tuple[RecipientInfo, ...]:
    return read_recipients(ber.read(der.encode(ber.SET, b"".join(infos), constructed=True)))


def key_id_of(one: Person) -> bytes:
    assert one.certificate.subject_key_id is not None
    return one.certificate.subject_key_id


# --- reading ----------------------------------------------------------------------------------------------------------
def test_a_key_transport_names_its_recipient_by_issuer_and_serial(bob: Person, alice: Person) -> None:
    (info,) = read(ktri(bob, encrypted_key=b"k"))
    assert (info.kind, info.encrypted_key) == (RecipientKind.KTRI, b"k")
    assert info.id in RecipientId.of(bob.certificate)
    assert info.id not in RecipientId.of(alice.certificate)


def test_a_key_transport_names_its_recipient_by_key_identifier(bob: Person, alice: Person) -> None:
    (info,) = read(ktri(bob, encrypted_key=b"k", identifier=der.implicit(0, key_id_of(bob), constructed=False)))
    assert info.id in RecipientId.of(bob.certificate)
    assert info.id not in RecipientId.of(alice.certificate)


@pytest.mark.parametrize("more", [b"", der.generalized_time(NOW), der.generalized_time(NOW) + der.sequence()])
def test_a_key_agreement_names_its_recipient_by_key_identifier(carol: Person, alice: Person, more: bytes) -> None:
    rid = der.implicit(0, der.octets(key_id_of(carol)) + more, constructed=True)
    (info,) = read(kari(carol, rid=rid))
    assert info.kind is RecipientKind.KARI
    assert info.id in RecipientId.of(carol.certificate)
    assert info.id not in RecipientId.of(alice.certificate)


def test_the_same_serial_of_another_issuer_is_another_recipient(root: Authority, bob: Person) -> None:
    twin = person(root, bob.key, serial=bob.certificate.serial.value, key_id=b"another identifier!!")
    (info,) = read(ktri(bob, encrypted_key=b"k"))
    assert info.id not in RecipientId.of(twin.certificate)


def test_a_certificate_without_key_identifier_is_named_by_issuer_and_serial(issuing: Authority) -> None:
    certificate = _certified_rsa(issuing, modulus=(1 << 3072) - 1)
    only = RecipientId(issuer=certificate.issuer_der, serial=certificate.serial.value)
    assert RecipientId.of(certificate) == {only}


def test_a_key_agreement_has_a_recipient_for_each_of_its_keys(carol: Person) -> None:
    found = read(kari(carol, recipients=3))
    assert [info.id in RecipientId.of(carol.certificate) for info in found] == [True] * 3


@pytest.mark.parametrize("other", OTHERS)
def test_other_kinds_are_kept_and_fit_nobody(bob: Person, other: bytes) -> None:
    found = read(other, ktri(bob, encrypted_key=b"k"))
    assert [info.kind for info in found] == [RecipientKind.OTHER, RecipientKind.KTRI]
    assert found[0].id is None


def test_a_static_originator_fits_nobody(carol: Person) -> None:
    (info,) = read(kari(carol, originator=issuer_and_serial(carol.certificate)))
    assert (info.kind, info.id) == (RecipientKind.KARI, None)


def test_1000_recipients_are_read_and_no_more(bob: Person, carol: Person) -> None:
    """The attacks' table, row 30."""
    one = ktri(bob, encrypted_key=b"k")
    assert len(read(*[one] * MAX_RECIPIENTS)) == MAX_RECIPIENTS == 1000
    for too_many in (
        [one] * 1001,
        [OTHERS[0]] * 1001,
        [kari(carol, recipients=1001)],
        [kari(carol, recipients=501)] * 2,
    ):
        with pytest.raises(TooManyRecipients):
            read(*too_many)


@pytest.mark.parametrize(
    "info",
    [
        der.sequence(),
        der.sequence(der.integer(0)),
        der.sequence(der.integer(0), der.sequence(), der.sequence(), der.octets(b"")),
        der.sequence(der.integer(0), der.sequence(der.sequence(), der.integer(1)), der.sequence(), der.null()),
        der.sequence(
            der.integer(0), der.sequence(der.sequence(), der.integer(1)), der.sequence(), der.octets(b""), der.null()
        ),
        der.implicit(1, b"", constructed=True),
        der.implicit(1, b"", constructed=False),
        der.implicit(1, der.integer(3) + der.explicit(0, b""), constructed=True),
        der.implicit(1, der.integer(3) + der.explicit(0, der.implicit(1, b"", constructed=True)), constructed=True),
    ],
)
def test_other_shapes_are_malformed(info: bytes) -> None:
    with pytest.raises(BerError):
        read(info)


def test_no_key_is_shown(bob: Person, carol: Person) -> None:
    for info in read(ktri(bob, encrypted_key=b"k" * 20), kari(carol)):
        assert "kkkk" not in repr(info)
        assert "\\x" not in repr(info)


# --- finding the content key ------------------------------------------------------------------------------------------
@pytest.mark.parametrize("transport", KeyTransport)
@pytest.mark.parametrize("recipient", ["bob", "carol", "dave"], indirect=True)
def test_the_content_key_is_found(recipient: Person, transport: KeyTransport) -> None:
    (info,) = read(write_recipient(recipient.certificate, content_key=CONTENT_KEY, transport=transport))
    assert content_key(info, key=recipient.key, size=32) == CONTENT_KEY


@pytest.mark.parametrize("size", [16, 24, 32])
def test_a_random_key_stands_in_for_one_that_is_not_found(
    bob: Person, carol: Person, dave: Person, alice_rsa: Person, size: int
) -> None:
    """The attacks' table, row 25 (RFC 3218 2.3.2): every failure looks the same, and is never the same key."""
    right = read(
        write_recipient(bob.certificate, content_key=CONTENT_KEY[: 48 - size]),
        write_recipient(carol.certificate, content_key=CONTENT_KEY),
    )
    wrong = [
        (right[0], alice_rsa),  # a ciphertext of another size
        (right[0], carol),  # a key of another kind
        (right[1], bob),
        (right[1], dave),  # another curve
        (RecipientInfo(kind=RecipientKind.OTHER), bob),
        *((info, bob) for info in read(ktri(bob, encrypted_key=b""), ktri(bob, encrypted_key=b"\xff" * 384))),
        *((info, bob) for info in read(ktri(bob, encrypted_key=b"k", algorithm=der.sequence()))),
    ]
    found = [content_key(info, key=one.key, size=size) for info, one in wrong for _ in range(2)]
    assert {len(key) for key in found} == {size}
    assert len(set(found)) == len(found)


def test_a_content_key_of_another_size_is_not_used(bob: Person) -> None:
    (info,) = read(write_recipient(bob.certificate, content_key=CONTENT_KEY))
    found = content_key(info, key=bob.key, size=16)
    assert len(found) == 16
    assert found != CONTENT_KEY[:16]


# --- who may be sealed to ---------------------------------------------------------------------------------------------
@pytest.mark.parametrize("recipient", ["bob", "carol", "dave"], indirect=True)
def test_mail_is_sealed_to_valid_certificates(recipient: Person) -> None:
    for at in (recipient.certificate.not_before, NOW, recipient.certificate.not_after):
        require_sealable(recipient.certificate, at=at)


def test_a_certificate_without_usages_may_be_sealed_to(issuing: Authority, bob: Person) -> None:
    require_sealable(person(issuing, bob.key, usage=None, ekus=None).certificate, at=NOW)
    anything = (ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE,)
    require_sealable(person(issuing, bob.key, usage=ENCIPHERING, ekus=anything).certificate, at=NOW)


@pytest.mark.parametrize(
    ("changed", "why"),
    [
        ({"usage": {"digital_signature": True}}, "lacks keyEncipherment"),
        ({"usage": AGREEING}, "lacks keyEncipherment"),
        ({"ekus": (ExtendedKeyUsageOID.SERVER_AUTH,)}, "lacks emailProtection"),
        ({"is_ca": True}, "is the certificate of a CA"),
        ({"not_before": NOW + timedelta(days=1)}, "is not valid before 2026-11-25"),
        ({"not_before": NOW - timedelta(days=10), "days": 9}, "expired on 2026-11-23"),
    ],
)
def test_other_certificates_are_refused_with_the_reason(
    issuing: Authority, bob: Person, changed: dict[str, Any], why: str
) -> None:
    made = person(issuing, bob.key, **({"usage": ENCIPHERING} | changed))
    with pytest.raises(RecipientCertificateRefused, match=why) as refusal:
        require_sealable(made.certificate, at=NOW)
    assert str(made.certificate.serial) in refusal.value.detail
    assert "alice@campus.example" in refusal.value.detail


def test_a_key_on_a_curve_needs_key_agreement(issuing: Authority, carol: Person) -> None:
    with pytest.raises(RecipientCertificateRefused, match="lacks keyAgreement"):
        require_sealable(person(issuing, carol.key, usage=ENCIPHERING).certificate, at=NOW)


@pytest.mark.parametrize("at", [timedelta(seconds=-1), timedelta(days=365, seconds=1)])
def test_validity_ends_on_the_second(bob: Person, at: timedelta) -> None:
    with pytest.raises(RecipientCertificateRefused):
        require_sealable(bob.certificate, at=bob.certificate.not_before + at)


@pytest.mark.parametrize("curve", [ec.SECP521R1(), ec.SECP256K1(), ec.BrainpoolP256R1()])
def test_nothing_is_sealed_to_other_curves(issuing: Authority, curve: ec.EllipticCurve) -> None:
    _refuses_key(person(issuing, ec.generate_private_key(curve), usage=AGREEING).certificate)


def test_nothing_is_sealed_to_keys_that_only_sign(issuing: Authority) -> None:
    _refuses_key(person(issuing, ed25519.Ed25519PrivateKey.generate(), usage=AGREEING).certificate)


def test_nothing_is_sealed_to_short_rsa_keys(alice_rsa1024: Person) -> None:
    _refuses_key(alice_rsa1024.certificate)


@pytest.mark.parametrize("bits", [8200, 16_384, 65_536])
def test_nothing_is_sealed_to_huge_rsa_keys(issuing: Authority, bits: int) -> None:
    _refuses_key(_certified_rsa(issuing, modulus=(1 << bits) - 1))


@pytest.mark.parametrize("exponent", [1, 4, (1 << 65) + 1])
def test_nothing_is_sealed_to_odd_exponents(issuing: Authority, exponent: int) -> None:
    _refuses_key(_certified_rsa(issuing, modulus=(1 << 3072) - 1, exponent=exponent))


def test_nothing_is_sealed_to_a_key_for_pss_alone(issuing: Authority, bob: Person) -> None:
    _refuses_key(_certified_rsa(issuing, modulus=_modulus(bob), algorithm=oids.RSASSA_PSS))


def test_a_refused_certificate_with_a_giant_serial_is_named_shortly(issuing: Authority, bob: Person) -> None:
    made = _certified_rsa(issuing, modulus=(1 << 1024) - 1, serial=1 << 100_000)
    with pytest.raises(RecipientCertificateRefused) as refusal:
        require_sealable(made, at=NOW)
    assert len(refusal.value.detail) < 200


def _refuses_key(certificate: Certificate) -> None:
    """Before anything is computed, whether it was asked before or not."""
    with pytest.raises(RecipientCertificateRefused):
        require_sealable(certificate, at=NOW)
    with pytest.raises(RecipientCertificateRefused):
        write_recipient(certificate, content_key=CONTENT_KEY)


def _modulus(one: Person) -> int:
    assert isinstance(one.key, rsa.RSAPrivateKey)
    return one.key.public_key().public_numbers().n


def _certified_rsa(
    issuing: Authority,
    *,
    modulus: int,
    exponent: int = 65_537,
    algorithm: str = oids.RSA_ENCRYPTION,
    serial: int = 7,
) -> Certificate:
    """A certificate around these numbers, whether or not they are a key; nobody has signed it."""
    parameters = der.null() if algorithm == oids.RSA_ENCRYPTION else b""
    key = der.bits(der.sequence(der.integer(modulus), der.integer(exponent)))
    spki = der.sequence(der.sequence(der.oid(algorithm), parameters), key)
    signing = der.sequence(der.oid(oids.ECDSA_WITH_SHA256))
    validity = der.sequence(der.time(NOW - timedelta(days=1)), der.time(NOW + timedelta(days=1)))
    name = issuing.certificate.subject_der
    tbs = der.sequence(der.explicit(0, der.integer(2)), der.integer(serial), signing, name, validity, name, spki)
    return Certificate.from_der(der.sequence(tbs, signing, der.bits(b"not looked at")))

"""Recipients of sealed content (RFC 5652 6.2): whom a content key is sealed to, and what finds it again."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from itertools import islice
from typing import Final

from cryptography import exceptions
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes
from cryptography.hazmat.primitives.keywrap import InvalidUnwrap

from formats import algorithms, ber, der, oids
from formats.algorithms import AlgorithmRefused, UnsupportedAlgorithm
from formats.ber import BerError, Element, Fields, context
from formats.certificate import Certificate
from smime.cms.content import to_der
from smime.cms.errors import RecipientCertificateRefused, TooManyRecipients
from smime.cms.key_agreement import (
    WRITTEN_CURVES,
    Agreement,
    agreed_key,
    read_agreement,
    write_key_agreement,
)
from smime.cms.key_transport import KeyTransport, transported_key, write_key_transport

MAX_RECIPIENTS: Final = 1000

_MAIL: Final = frozenset({oids.EMAIL_PROTECTION, oids.ANY_EXTENDED_KEY_USAGE})
_KARI: Final = context(1)
_KEY_ID: Final = context(0)
_SHOWN_SERIAL: Final = 40  # digits of a serial number that RFC 5280 4.1.2.2 allows


@dataclass(frozen=True, slots=True, kw_only=True)
class RecipientId:
    """Which certificate is meant: by issuer and serial number, or by its key identifier."""

    issuer: bytes | None = field(default=None, repr=False)
    serial: int | None = None
    key_id: bytes | None = field(default=None, repr=False)

    @classmethod
    def of(cls, certificate: Certificate) -> frozenset[RecipientId]:
        """Every identifier that means this certificate."""
        named = cls(issuer=certificate.issuer_der, serial=certificate.serial.value)
        if certificate.subject_key_id is None:
            return frozenset({named})
        return frozenset({named, cls(key_id=certificate.subject_key_id)})


class RecipientKind(StrEnum):
    """How a content key is sealed: key transport and key agreement are opened here, nothing else is."""

    KTRI = "ktri"
    KARI = "kari"
    OTHER = "other"


@dataclass(frozen=True, slots=True, kw_only=True)
class RecipientInfo:
    """One recipient as it was read; a KeyAgreeRecipientInfo gives one for each of its encrypted keys.

    `algorithm` is the AlgorithmIdentifier of a key transport, `agreement` what a key agreement has. Of another kind,
    and where the originator's key is a static one, there is no `id`: it fits nobody.
    """

    kind: RecipientKind
    id: RecipientId | None = None
    algorithm: Element | None = None
    agreement: Agreement | None = None
    encrypted_key: bytes = field(default=b"", repr=False)


# --- writing ----------------------------------------------------------------------------------------------------------
def write_recipient(
    certificate: Certificate, *, content_key: bytes, transport: KeyTransport = KeyTransport.PKCS1
) -> bytes:
    """The DER RecipientInfo that seals the content key to this certificate, named by issuer and serial number.

    Key transport for RSA, key agreement for P-256 and P-384, where `transport` means nothing. Of the certificate only
    the key is looked at; RecipientCertificateRefused where it will not do.
    """
    key = _sealing_key(certificate)
    recipient = der.sequence(certificate.issuer_der, der.integer(certificate.serial.value))
    if isinstance(key, rsa.RSAPublicKey):
        return write_key_transport(key, recipient=recipient, content_key=content_key, transport=transport)
    return write_key_agreement(key, recipient=recipient, content_key=content_key)


def require_sealable(certificate: Certificate, *, at: datetime) -> None:
    """RecipientCertificateRefused unless mail may be sealed to this certificate at that time (RFC 8550 4.4).

    Whether it is revoked, and who vouches for it, is asked elsewhere.
    """
    key = _sealing_key(certificate)
    if at < certificate.not_before:
        raise _refused(certificate, f"is not valid before {certificate.not_before:%Y-%m-%d}")
    if at > certificate.not_after:
        raise _refused(certificate, f"expired on {certificate.not_after:%Y-%m-%d}")
    if certificate.is_ca:
        raise _refused(certificate, "is the certificate of a CA")
    needed = "keyEncipherment" if isinstance(key, rsa.RSAPublicKey) else "keyAgreement"
    if certificate.key_usage is not None and needed not in certificate.key_usage:
        raise _refused(certificate, f"may not be used for encryption, its key usage lacks {needed}")
    if certificate.extended_key_usage is not None and not certificate.extended_key_usage & _MAIL:
        raise _refused(certificate, "may not be used for mail, its extended key usage lacks emailProtection")


def _sealing_key(certificate: Certificate) -> rsa.RSAPublicKey | ec.EllipticCurvePublicKey:
    """The key, where one may seal to it; nothing is computed with a key that is refused."""
    try:
        key = certificate.public_key
        algorithms.check_public_key_strength(key)
    except (UnsupportedAlgorithm, AlgorithmRefused) as error:
        raise _refused(certificate, f"has {error.detail}") from error
    if isinstance(key, rsa.RSAPublicKey) and _key_algorithm(certificate) == oids.RSA_ENCRYPTION:
        return key
    if isinstance(key, ec.EllipticCurvePublicKey) and key.curve.name in WRITTEN_CURVES:
        return key
    raise _refused(certificate, "has a key that nothing is sealed to")


def _key_algorithm(certificate: Certificate) -> str:
    """The algorithm that the key is certified for: one for RSA-PSS signs only (RFC 4055 1.2)."""
    return ber.read_der(certificate.spki).fields().take(ber.SEQUENCE).fields().take(ber.OID).oid()


def _refused(certificate: Certificate, why: str) -> RecipientCertificateRefused:
    mailbox = next((f" of {mailbox}" for mailbox in certificate.mailboxes), "")
    serial = str(certificate.serial)[:_SHOWN_SERIAL]
    return RecipientCertificateRefused(f"the certificate {serial}{mailbox} {why}")


# --- reading ----------------------------------------------------------------------------------------------------------
def read_recipients(element: Element) -> tuple[RecipientInfo, ...]:
    """Read RecipientInfos; BerError for a wrong shape, TooManyRecipients for more than 1,000."""
    infos = (one for info in element.fields(ber.SET).rest() for one in _recipient_infos(info))
    found = tuple(islice(infos, MAX_RECIPIENTS + 1))
    if len(found) > MAX_RECIPIENTS:
        raise TooManyRecipients(f"more than {MAX_RECIPIENTS} recipients")
    return found


def content_key(info: RecipientInfo, *, key: PrivateKeyTypes, size: int) -> bytes:
    """The content key of `size` octets, or a random one where this key does not find one (RFC 3218 2.3.2).

    So whoever asks learns nothing but that the content cannot be opened.
    """
    substitute = secrets.token_bytes(size)
    found = _found_key(info, key)
    return found if len(found) == size else substitute


def _found_key(info: RecipientInfo, key: PrivateKeyTypes) -> bytes:
    """What the recipient's key makes of the encrypted one, empty where that fails in any way."""
    try:
        if isinstance(key, rsa.RSAPrivateKey) and info.algorithm is not None:
            return transported_key(key, algorithm=info.algorithm, encrypted_key=info.encrypted_key)
        if isinstance(key, ec.EllipticCurvePrivateKey) and info.agreement is not None:
            return agreed_key(key, agreement=info.agreement, encrypted_key=info.encrypted_key)
    except (BerError, ValueError, InvalidUnwrap, exceptions.UnsupportedAlgorithm):
        pass
    return b""


def _recipient_infos(info: Element) -> Iterator[RecipientInfo]:
    if info.tag == ber.SEQUENCE:
        yield _key_transport(info.fields())
    elif info.tag == _KARI:
        yield from _key_agreement(info.fields())
    else:
        yield RecipientInfo(kind=RecipientKind.OTHER)


def _key_transport(fields: Fields) -> RecipientInfo:
    fields.take(ber.INTEGER).integer()
    key_id = fields.optional(_KEY_ID)
    if key_id is not None:
        id_ = RecipientId(key_id=key_id.octets(tag=_KEY_ID))
    else:
        id_ = _issuer_and_serial(fields.take(ber.SEQUENCE))
    algorithm = fields.take(ber.SEQUENCE)
    encrypted_key = fields.take(ber.OCTET_STRING).octets()
    fields.end()
    return RecipientInfo(kind=RecipientKind.KTRI, id=id_, algorithm=algorithm, encrypted_key=encrypted_key)


def _key_agreement(fields: Fields) -> Iterator[RecipientInfo]:
    fields.take(ber.INTEGER).integer()
    wrapped = fields.take(context(0)).fields()
    originator = wrapped.any()
    wrapped.end()
    ukm = fields.optional(context(1))
    algorithm = fields.take(ber.SEQUENCE)
    keys = fields.take(ber.SEQUENCE)
    fields.end()
    agreement = read_agreement(originator, ukm=None if ukm is None else _only_octets(ukm), algorithm=algorithm)
    for encrypted in keys.fields().rest():
        yield _agreed_recipient(encrypted.fields(ber.SEQUENCE), agreement)


def _agreed_recipient(fields: Fields, agreement: Agreement | None) -> RecipientInfo:
    key_id = fields.optional(_KEY_ID)
    id_ = _recipient_key_id(key_id) if key_id is not None else _issuer_and_serial(fields.take(ber.SEQUENCE))
    encrypted_key = fields.take(ber.OCTET_STRING).octets()
    fields.end()
    return RecipientInfo(
        kind=RecipientKind.KARI,
        id=None if agreement is None else id_,
        agreement=agreement,
        encrypted_key=encrypted_key,
    )


def _only_octets(wrapped: Element) -> bytes:
    fields = wrapped.fields()
    octets = fields.take(ber.OCTET_STRING).octets()
    fields.end()
    return octets


def _issuer_and_serial(element: Element) -> RecipientId:
    fields = element.fields()
    issuer = to_der(fields.take(ber.SEQUENCE))
    serial = fields.take(ber.INTEGER).integer()
    fields.end()
    return RecipientId(issuer=issuer, serial=serial)


def _recipient_key_id(element: Element) -> RecipientId:
    """RecipientKeyIdentifier: date and other attribute help none to find the key (RFC 5652 6.2.2)."""
    fields = element.fields()
    key_id = fields.take(ber.OCTET_STRING).octets()
    fields.optional(ber.GENERALIZED_TIME)
    fields.optional(ber.SEQUENCE)
    fields.end()
    return RecipientId(key_id=key_id)

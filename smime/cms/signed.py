"""SignedData (RFC 5652 5): read from BER within bounds, and written in DER from what is constant for a signer."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache
from typing import Final, Self, TypeVar

from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes

from formats import algorithms, ber, der, oids
from formats.algorithms import Digest, Scheme, SignatureAlgorithm
from formats.ber import BerError, Element, Fields, context
from formats.certificate import Certificate, CertificateMalformed
from smime.cms import attributes
from smime.cms.attributes import SignedAttributes
from smime.cms.content import read_content_info, to_der
from smime.cms.errors import CmsMalformed, CmsTooLarge, ContentRefused
from smime.signer import Signer

MAX_SIGNERS: Final = 64
MAX_CERTIFICATES: Final = 64
CAPABILITIES: Final = (oids.AES256_CBC, oids.AES128_CBC)  # the same as in the certificates

Read = TypeVar("Read")


@dataclass(frozen=True, slots=True, kw_only=True)
class SignerId:
    """Which certificate signed: by issuer and serial number, or by its key identifier."""

    issuer: bytes | None = None
    serial: int | None = None
    key_id: bytes | None = None

    def names(self, certificate: Certificate) -> bool:
        """Whether this may be that certificate; never by serial number alone, since issuers share those."""
        if self.key_id is not None:
            return certificate.subject_key_id == self.key_id
        return (certificate.issuer_der, certificate.serial.value) == (self.issuer, self.serial)


@dataclass(frozen=True, slots=True, kw_only=True)
class SignerInfo:
    """One signature and what it says of itself; nothing of it is checked yet.

    `digest` and `signature_algorithm` are AlgorithmIdentifiers; `faults` are the slugs of attributes that stand
    among the unsigned ones and must be signed.
    """

    id: SignerId
    digest: Element
    signed_attributes: SignedAttributes | None
    signature_algorithm: Element
    signature: bytes
    faults: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class SignedData:
    """A SignedData as it was read.

    `content` is None where it is detached. `skipped` counts certificates that cannot be read; attribute
    certificates and other kinds are passed over. CRLs are only counted: those inside a message are no evidence.
    """

    content_type: str
    content: bytes | None
    certificates: tuple[Certificate, ...]
    signers: tuple[SignerInfo, ...]
    skipped: int = 0
    crls: int = 0


# --- reading ----------------------------------------------------------------------------------------------------------
def read_signed_data(data: bytes | memoryview, *, max_elements: int = ber.MAX_ELEMENTS) -> SignedData:
    """Read a ContentInfo that holds a SignedData, in BER or DER.

    CmsMalformed where it is none, CmsTooLarge for more than 64 signers or certificates, BerTooLarge where it nests
    too deep or has too many elements.
    """
    oid, content = read_content_info(data, max_elements=max_elements)
    if oid != oids.SIGNED_DATA:
        raise CmsMalformed(f"expected signed data, found the content type {oid}")
    return signed_data(content)


def signed_data(content: Element) -> SignedData:
    """Read the SignedData inside a ContentInfo; errors as in `read_signed_data`."""
    try:
        return _signed_data(content.fields(ber.SEQUENCE))
    except BerError as error:
        raise CmsMalformed(f"not a SignedData: {error.detail}") from error


def _signed_data(fields: Fields) -> SignedData:
    fields.take(ber.INTEGER).integer()  # the version follows from the rest, and readers differ in what they write
    fields.take(ber.SET)  # digestAlgorithms help a reader in one pass; each signer names its own
    content_type, content = _encapsulated(fields.take(ber.SEQUENCE))
    choices = fields.optional(context(0))
    revocations = fields.optional(context(1))
    signers = fields.take(ber.SET)
    fields.end()
    certificates, skipped = _certificates(choices)
    return SignedData(
        content_type=content_type,
        content=content,
        certificates=certificates,
        skipped=skipped,
        crls=len(revocations.children) if revocations is not None else 0,
        signers=tuple(_bounded(signers, MAX_SIGNERS, "signers", _signer_info)),
    )


def _encapsulated(element: Element) -> tuple[str, bytes | None]:
    fields = element.fields()
    content_type = fields.take(ber.OID).oid()
    wrapped = fields.optional(context(0))
    fields.end()
    if wrapped is None:
        return content_type, None
    inner = wrapped.fields()
    content = inner.take(ber.OCTET_STRING).octets()
    inner.end()
    return content_type, content


def _certificates(choices: Element | None) -> tuple[tuple[Certificate, ...], int]:
    if choices is None:
        return (), 0
    found = _bounded(choices, MAX_CERTIFICATES, "certificates", _certificate)
    readable = [certificate for certificate in found if isinstance(certificate, Certificate)]
    return tuple(dict.fromkeys(readable)), found.count(CertificateMalformed)


def _certificate(choice: Element) -> Certificate | type[CertificateMalformed] | None:
    if choice.tag != ber.SEQUENCE:
        return None  # CertificateChoices [0] to [3], RFC 5652 10.2.2
    try:
        return Certificate.from_der(choice.raw)
    except CertificateMalformed:
        return CertificateMalformed


def _bounded(element: Element, limit: int, what: str, read: Callable[[Element], Read]) -> list[Read]:
    if len(element.children) > limit:
        raise CmsTooLarge(f"more than {limit} {what}")
    return [read(child) for child in element.fields().rest()]


def _signer_info(element: Element) -> SignerInfo:
    fields = element.fields(ber.SEQUENCE)
    fields.take(ber.INTEGER).integer()
    id_ = _signer_id(fields)
    digest = fields.take(ber.SEQUENCE)
    signed = fields.optional(context(0))
    signature_algorithm = fields.take(ber.SEQUENCE)
    signature = fields.take(ber.OCTET_STRING).octets()
    unsigned = fields.optional(context(1))
    fields.end()
    return SignerInfo(
        id=id_,
        digest=digest,
        signed_attributes=attributes.read_signed_attributes(signed) if signed is not None else None,
        signature_algorithm=signature_algorithm,
        signature=signature,
        faults=attributes.read_unsigned_attributes(unsigned),
    )


def _signer_id(fields: Fields) -> SignerId:
    key_id = fields.optional(context(0))
    if key_id is not None:
        return SignerId(key_id=key_id.octets(tag=context(0)))
    named = fields.take(ber.SEQUENCE).fields()
    issuer = to_der(named.take(ber.SEQUENCE))
    serial = named.take(ber.INTEGER).integer()
    named.end()
    return SignerId(issuer=issuer, serial=serial)


# --- writing ----------------------------------------------------------------------------------------------------------
@dataclass(frozen=True, slots=True, kw_only=True)
class SignedContent:
    """A ContentInfo in DER, the signature's octets, and the digest of the content by the signer's algorithm."""

    der: bytes
    signature: bytes
    digest: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class ConstantParts:
    """What every SignedData of a signer shares, encoded once: see `_constant_parts`."""

    algorithm: SignatureAlgorithm
    attributes: tuple[bytes, ...]
    before_content: bytes
    certificates: bytes
    before_attributes: bytes
    before_signature: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class SignerTemplate:
    """A signer with the parts of its SignedData that do not depend on the message."""

    key: PrivateKeyTypes = field(repr=False)
    parts: ConstantParts = field(repr=False)

    @classmethod
    def for_signer(cls, signer: Signer) -> Self:
        """The template for this signer; its parts are kept for the next time."""
        parts = _constant_parts(signer.certificate, signer.chain, signer.encryption_certificate)
        return cls(key=signer.key, parts=parts)

    @property
    def digest(self) -> Digest:
        """The digest that micalg names (RFC 8551 3.5.3.2)."""
        return self.parts.algorithm.digest


def sign_content(template: SignerTemplate, *, content: bytes, detached: bool, signing_time: datetime) -> SignedContent:
    """Sign content of type id-data, always with signed attributes; the output is definite DER.

    ContentRefused for content that reads as signed attributes: its signature could be turned into another one.
    """
    if attributes.reads_as_signed_attributes(content):
        raise ContentRefused("the content reads as a set of signed attributes")
    parts = template.parts
    digest = parts.algorithm.digest.digest(content)
    signed = der.set_of(*parts.attributes, attributes.signing_time(signing_time), attributes.message_digest(digest))
    signature = algorithms.sign(template.key, signed, algorithm=parts.algorithm)
    signer_info = der.sequence(
        parts.before_attributes, b"\xa0", signed[1:], parts.before_signature, der.octets(signature)
    )
    encapsulated = [der.oid(oids.DATA)]
    if not detached:
        encapsulated += _nested(context(0), [der.header(ber.OCTET_STRING, len(content), False), content])
    pieces = [
        parts.before_content,
        *_nested(ber.SEQUENCE, encapsulated),
        parts.certificates,
        der.set_of(signer_info),
    ]
    content_info = [der.oid(oids.SIGNED_DATA), *_nested(context(0), _nested(ber.SEQUENCE, pieces))]
    return SignedContent(der=b"".join(_nested(ber.SEQUENCE, content_info)), signature=signature, digest=digest)


@lru_cache(maxsize=1024)
def _constant_parts(
    certificate: Certificate, chain: tuple[Certificate, ...], encryption_certificate: Certificate | None
) -> ConstantParts:
    """Encode what is the same for every message.

    Both versions are 1, since the signer is named by issuer and serial number and the content is id-data (RFC 5652
    5.1, 5.3). The root is not among the certificates: who trusts it has it.
    """
    algorithm = algorithms.signature_algorithm_for(certificate.public_key)
    digest, signature = algorithm.digest.identifier, _signature_identifier(algorithm)
    issuer_and_serial = der.sequence(certificate.issuer_der, der.integer(certificate.serial.value))
    constant = [
        attributes.content_type(oids.DATA),
        attributes.signing_certificate(certificate),
        attributes.smime_capabilities(*CAPABILITIES),
        attributes.algorithm_protection(digest=digest, signature=signature),
    ]
    if encryption_certificate is not None and encryption_certificate != certificate:
        constant.append(attributes.encryption_key_preference(encryption_certificate))
    return ConstantParts(
        algorithm=algorithm,
        attributes=tuple(constant),
        before_content=der.integer(1) + der.set_of(digest),
        certificates=_certificate_set([certificate, *chain]),
        before_attributes=der.integer(1) + issuer_and_serial + digest,
        before_signature=signature,
    )


def _certificate_set(certificates: Iterable[Certificate]) -> bytes:
    """[0] IMPLICIT CertificateSet, in DER order."""
    return b"\xa0" + der.set_of(*(one.der for one in dict.fromkeys(certificates)))[1:]


def _signature_identifier(algorithm: SignatureAlgorithm) -> bytes:
    """RSA is written as rsaEncryption, the one form that every reader must know (RFC 3370 3.2)."""
    if algorithm.scheme is Scheme.RSA:
        return der.sequence(der.oid(oids.RSA_ENCRYPTION), der.null())
    return algorithm.identifier


def _nested(tag: int, pieces: list[bytes]) -> list[bytes]:
    """The pieces with a header before them: large content is copied once, at the end."""
    return [der.header(tag, sum(map(len, pieces)), True), *pieces]

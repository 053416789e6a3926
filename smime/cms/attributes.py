"""The attributes of a signer (RFC 5652 11, RFC 8551 2.5, RFC 5035, RFC 6211): read with their faults, and written."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType
from typing import Any, Final

from formats import ber, der, oids
from formats.algorithms import Digest
from formats.ber import BerError, BerTooLarge, Element, context
from formats.certificate import Certificate
from smime.cms.content import to_der
from smime.cms.errors import CmsTooLarge

MAX_ATTRIBUTES: Final = 64

Identifier = tuple[str, bytes]
"""An AlgorithmIdentifier for comparison: its OID and the DER of its parameters, empty for none and for NULL."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CertificateHash:
    """The signer's certificate as an ESSCertID or ESSCertIDv2 names it; `digest` is the identifier of the hash."""

    digest: str
    value: bytes
    issuer: bytes | None = None
    serial: int | None = None

    def names(self, certificate: Certificate) -> bool:
        """Whether this is that certificate; UnsupportedAlgorithm where the hash is not known here."""
        if self.serial is not None and (self.issuer, self.serial) != (certificate.issuer_der, certificate.serial.value):
            return False
        return Digest.by_oid(self.digest).digest(certificate.der) == self.value


@dataclass(frozen=True, slots=True, kw_only=True)
class AlgorithmProtection:
    """The algorithms that the signer says it used (RFC 6211 2)."""

    digest: Identifier
    signature: Identifier | None


@dataclass(frozen=True, slots=True, kw_only=True)
class SignedAttributes:
    """What the signature covers besides the content.

    `encoded` is the DER SET OF that was signed. What is missing, or stands there wrongly, is None and has a slug
    in `faults`; a signer with a fault is never valid.
    """

    encoded: bytes
    content_type: str | None
    message_digest: bytes | None
    signing_time: datetime | None
    signing_certificates: tuple[CertificateHash, ...]
    algorithm_protection: AlgorithmProtection | None
    faults: tuple[str, ...]


# --- reading ----------------------------------------------------------------------------------------------------------
def read_signed_attributes(element: Element) -> SignedAttributes:
    """Read the [0] signedAttrs; BerError where it is no set of attributes, CmsTooLarge for more than 64."""
    values = _values(element)
    faults = [fault for name, (oid, _) in _SINGLE.items() for fault in _count_faults(name, values.get(oid))]
    faults += [f"{name}_missing" for name in ("content_type", "message_digest") if _SINGLE[name][0] not in values]
    if oids.COUNTERSIGNATURE in values:
        faults.append("countersignature_signed")  # RFC 5652 11.4: never a signed one
    read = {name: _read(name, values.get(oid), faults) for name, (oid, _) in _SINGLE.items()}
    return SignedAttributes(
        encoded=_encoded(element),
        content_type=read["content_type"],
        message_digest=read["message_digest"],
        signing_time=read["signing_time"],
        signing_certificates=tuple(
            one for one in (read["signing_certificate_v2"], read["signing_certificate"]) if one is not None
        ),
        algorithm_protection=read["algorithm_protection"],
        faults=tuple(faults),
    )


def read_unsigned_attributes(element: Element | None) -> tuple[str, ...]:
    """The slugs of what stands among the unsigned attributes and must be signed (RFC 5652 11, RFC 8551 2.5)."""
    if element is None:
        return ()
    values = _values(element)
    return tuple(f"{name}_unsigned" for name, (oid, _) in _SINGLE.items() if oid in values)


def read_identifier(element: Element, *, tag: int = ber.SEQUENCE) -> Identifier:
    """An AlgorithmIdentifier for comparison: absent parameters and NULL are the same (RFC 5754 2)."""
    fields = element.fields(tag)
    oid = fields.take(ber.OID).oid()
    parameters = fields.any_optional()
    fields.end()
    return oid, b"" if parameters is None or parameters.tag == ber.NULL else to_der(parameters)


def reads_as_signed_attributes(content: bytes) -> bool:
    """Whether content is itself a SET OF Attribute with contentType and messageDigest.

    The signature of such content without signed attributes is also one of other content with these attributes, and
    the other way round (draft-ietf-lamps-cms-euf-cma-signeddata).
    """
    if not content.startswith(b"\x31"):
        return False
    try:
        values = _values(ber.read(content))
    except BerError:
        return False
    except (BerTooLarge, CmsTooLarge):
        return True
    return oids.CONTENT_TYPE in values and oids.MESSAGE_DIGEST in values


def _values(element: Element) -> dict[str, list[list[Element]]]:
    """For each attribute the values of each of its instances."""
    found: dict[str, list[list[Element]]] = {}
    if len(element.children) > MAX_ATTRIBUTES:
        raise CmsTooLarge(f"more than {MAX_ATTRIBUTES} attributes in one set")
    for attribute in element.fields().rest():
        fields = attribute.fields(ber.SEQUENCE)
        oid = fields.take(ber.OID).oid()
        found.setdefault(oid, []).append(fields.take(ber.SET).children)
        fields.end()
    return found


def _count_faults(name: str, instances: list[list[Element]] | None) -> Iterable[str]:
    """RFC 5652 11.1 to 11.3, RFC 8551 2.5, RFC 5035 3, RFC 6211 2: one instance, one value."""
    if instances is None:
        return
    if len(instances) > 1:
        yield f"{name}_repeated"
    if any(len(values) != 1 for values in instances):
        yield f"{name}_not_single"


def _read(name: str, instances: list[list[Element]] | None, faults: list[str]) -> Any:
    """The one value; None where there is not exactly one, or where it is malformed, which adds a fault."""
    if instances is None or len(instances) != 1 or len(instances[0]) != 1:
        return None
    try:
        return _SINGLE[name][1](instances[0][0])
    except BerError:
        faults.append(f"{name}_malformed")
        return None


def _encoded(element: Element) -> bytes:
    """The attributes under the tag of SET OF, in DER even where they came in BER (RFC 5652 5.4)."""
    if ber.is_der(element) and ber.is_sorted_set(element):
        return b"\x31" + element.raw[1:]
    return der.set_of(*(to_der(child) for child in element.children))


def _signing_certificate(element: Element, *, version: int) -> CertificateHash:
    """The first ESSCertID, which is the signer's (RFC 5035 3)."""
    fields = element.fields(ber.SEQUENCE)
    identifiers = fields.take(ber.SEQUENCE).fields()
    fields.optional(ber.SEQUENCE)  # the policies
    fields.end()
    first = identifiers.take(ber.SEQUENCE).fields()
    digest = oids.SHA1
    if version == 2:
        named = first.optional(ber.SEQUENCE)
        digest = oids.SHA256 if named is None else read_identifier(named)[0]
    value = first.take(ber.OCTET_STRING).octets()
    issuer_serial = first.optional(ber.SEQUENCE)
    first.end()
    if issuer_serial is None:
        return CertificateHash(digest=digest, value=value)
    issuer, serial = _issuer_serial(issuer_serial)
    return CertificateHash(digest=digest, value=value, issuer=issuer, serial=serial)


def _issuer_serial(element: Element) -> tuple[bytes, int]:
    """RFC 5755 4.1: one directoryName, and the serial number."""
    fields = element.fields()
    names = fields.take(ber.SEQUENCE).fields()
    name = names.take(context(4)).fields()
    names.end()
    serial = fields.take(ber.INTEGER).integer()
    fields.optional(ber.BIT_STRING)  # the issuer's unique identifier
    fields.end()
    return to_der(name.take(ber.SEQUENCE)), serial


def _algorithm_protection(element: Element) -> AlgorithmProtection:
    fields = element.fields(ber.SEQUENCE)
    digest = read_identifier(fields.take(ber.SEQUENCE))
    signature = fields.optional(context(1))
    fields.end()  # [2] is for messages with a MAC
    if signature is None:
        raise BerError("algorithm protection without the signature algorithm")
    return AlgorithmProtection(digest=digest, signature=read_identifier(signature, tag=context(1)))


_SINGLE: Final[Mapping[str, tuple[str, Callable[[Element], Any]]]] = MappingProxyType(
    {
        "content_type": (oids.CONTENT_TYPE, lambda element: element.oid()),
        "message_digest": (oids.MESSAGE_DIGEST, lambda element: element.octets()),
        "signing_time": (oids.SIGNING_TIME, lambda element: element.time()),
        "signing_certificate_v2": (
            oids.SIGNING_CERTIFICATE_V2,
            lambda element: _signing_certificate(element, version=2),
        ),
        "signing_certificate": (oids.SIGNING_CERTIFICATE, lambda element: _signing_certificate(element, version=1)),
        "algorithm_protection": (oids.CMS_ALGORITHM_PROTECTION, _algorithm_protection),
        "smime_capabilities": (oids.SMIME_CAPABILITIES, lambda element: element.fields(ber.SEQUENCE)),
        "encryption_key_preference": (oids.ENCRYPTION_KEY_PREFERENCE, lambda element: element.tag),
    }
)


# --- writing ----------------------------------------------------------------------------------------------------------
def content_type(oid: str) -> bytes:
    """RFC 5652 11.1."""
    return _attribute(oids.CONTENT_TYPE, der.oid(oid))


def message_digest(digest: bytes) -> bytes:
    """RFC 5652 11.2."""
    return _attribute(oids.MESSAGE_DIGEST, der.octets(digest))


def signing_time(moment: datetime) -> bytes:
    """RFC 5652 11.3: UTCTime through 2049."""
    return _attribute(oids.SIGNING_TIME, der.time(moment))


def signing_certificate(certificate: Certificate) -> bytes:
    """SigningCertificateV2 with SHA-256, which is the default and so not written (RFC 5035 3)."""
    issuer = der.sequence(der.explicit(4, certificate.issuer_der))
    issuer_serial = der.sequence(issuer, der.integer(certificate.serial.value))
    identifier = der.sequence(der.octets(hashlib.sha256(certificate.der).digest()), issuer_serial)
    return _attribute(oids.SIGNING_CERTIFICATE_V2, der.sequence(der.sequence(identifier)))


def smime_capabilities(*ciphers: str) -> bytes:
    """SMIMECapabilities in the order of preference, without parameters (RFC 8551 2.5.2)."""
    return _attribute(oids.SMIME_CAPABILITIES, der.sequence(*(der.sequence(der.oid(one)) for one in ciphers)))


def encryption_key_preference(certificate: Certificate) -> bytes:
    """SMIMEEncryptionKeyPreference by issuer and serial number (RFC 8551 2.5.3)."""
    name = certificate.issuer_der + der.integer(certificate.serial.value)
    return _attribute(oids.ENCRYPTION_KEY_PREFERENCE, der.implicit(0, name, constructed=True))


def algorithm_protection(*, digest: bytes, signature: bytes) -> bytes:
    """CMSAlgorithmProtection from the two AlgorithmIdentifiers that the SignerInfo holds (RFC 6211 2)."""
    implicit = b"\xa1" + signature[1:]  # [1] IMPLICIT: another tag on the same SEQUENCE
    return _attribute(oids.CMS_ALGORITHM_PROTECTION, der.sequence(digest, implicit))


def _attribute(oid: str, value: bytes) -> bytes:
    return der.sequence(der.oid(oid), der.set_of(value))

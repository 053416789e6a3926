"""Conformance, what linters miss: a certificate held against exactly what was meant (RFC 5280, SBR 7.1)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from ca import key_ids
from ca.errors import Finding
from formats import names, oids
from formats.ber import read_der
from formats.certificate import Certificate
from formats.mailbox import Mailbox
from formats.serial import Serial

# SBR 7.1.3.2, byte for byte: RSA PKCS#1 with SHA-256 (NULL present), ECDSA with SHA-256 and SHA-384 (parameters absent).
SIGNATURE_ALGORITHMS: Final = {
    "rsa": bytes.fromhex("300d06092a864886f70d01010b0500"),
    "p256": bytes.fromhex("300a06082a8648ce3d040302"),
    "p384": bytes.fromhex("300a06082a8648ce3d040303"),
}
# SBR 7.1.3.1, the beginning of the SubjectPublicKeyInfo: rsaEncryption with NULL, and the two named curves.
KEY_ALGORITHMS: Final = {
    "rsa": bytes.fromhex("300d06092a864886f70d0101010500"),
    "p256": bytes.fromhex("301306072a8648ce3d020106082a8648ce3d030107"),
    "p384": bytes.fromhex("301006072a8648ce3d020106052b81040022"),
}
# SBR 7.1.4.2.2: an address belongs into the subjectAltName; a unit would have to be an affiliate's legal name.
_FORBIDDEN_ATTRIBUTES: Final = {oids.EMAIL_ADDRESS, oids.ORGANIZATIONAL_UNIT}
MIN_SERIAL: Final = 1 << 64
MAX_SERIAL: Final = 1 << 159


@dataclass(frozen=True, slots=True, kw_only=True)
class Expected:
    """What a certificate must say. `issuer` is None where it is its own issuer.

    `criticality` names every extension that must be there and whether it is critical; no other may be. `values` are
    the contents of those that are compared byte for byte.
    """

    issuer: Certificate | None
    serial: Serial
    not_before: datetime
    not_after: datetime
    subject_der: bytes
    spki: bytes
    key_usage: frozenset[str]
    criticality: Mapping[str, bool]
    extended_key_usage: frozenset[str] | None = None
    mailboxes: tuple[Mailbox, ...] = ()
    policies: tuple[str, ...] = ()
    crl_urls: tuple[str, ...] = ()
    ocsp_urls: tuple[str, ...] = ()
    issuer_urls: tuple[str, ...] = ()
    values: Mapping[str, bytes] = field(default_factory=dict)
    longest: timedelta | None = None


def check(certificate: Certificate, *, expected: Expected) -> tuple[Finding, ...]:
    """Every point in which the certificate is not what was meant; none is the only acceptable number."""
    checks = (_form, _naming, _times, _key, _extensions, _purposes, _status)
    return tuple(
        Finding(code=f"own.{code}", severity="ERROR", where=where, message=message)
        for find in checks
        for code, where, message in find(certificate, expected)
    )


_Faults = Iterator[tuple[str, str, str]]


def _form(certificate: Certificate, expected: Expected) -> _Faults:
    signer = certificate if expected.issuer is None else expected.issuer
    algorithm = SIGNATURE_ALGORITHMS.get(_kind(signer.spki) or "")
    if certificate.version != 3:
        yield "version", "version", "not a certificate of version 3"
    if not certificate.algorithms_agree or certificate.signature_algorithm_der != algorithm:
        yield "signature_algorithm", "signature", "not the encoding of SBR 7.1.3.2 for the issuer's key"
    if certificate.serial != expected.serial or not MIN_SERIAL <= certificate.serial.value < MAX_SERIAL:
        yield "serial", "serialNumber", "not the serial number that was given, or not of 64 to 159 bits"


def _naming(certificate: Certificate, expected: Expected) -> _Faults:
    issuer_der = expected.subject_der if expected.issuer is None else expected.issuer.subject_der
    if certificate.issuer_der != issuer_der:
        yield "issuer", "issuer", "not the issuer's subject, octet for octet"
    if certificate.subject_der != expected.subject_der:
        yield "subject", "subject", "not the subject that was meant, octet for octet"
    if _FORBIDDEN_ATTRIBUTES & _attributes(certificate.subject_der):
        yield "subject_attribute", "subject", "an emailAddress or organizational unit in the subject"
    if certificate.mailboxes != expected.mailboxes or certificate.odd_names:
        yield "mailboxes", "subjectAltName", "not exactly the mailboxes that were asked for"


def _times(certificate: Certificate, expected: Expected) -> _Faults:
    begin, end = certificate.not_before, certificate.not_after
    if (begin, end) != (expected.not_before, expected.not_after) or not begin < end:
        yield "validity", "validity", "not the validity that was meant"
    if expected.issuer is not None and not expected.issuer.not_before <= begin < end <= expected.issuer.not_after:
        yield "validity_of_issuer", "validity", "not within the issuer's validity"
    # SBR 6.3.2: a day is 86,400 seconds, and both ends count.
    if expected.longest is not None and end - begin + timedelta(seconds=1) > expected.longest:
        yield "validity_too_long", "validity", f"more than {expected.longest.days} days"


def _key(certificate: Certificate, expected: Expected) -> _Faults:
    if certificate.spki != expected.spki:
        yield "key", "subjectPublicKeyInfo", "not the key that was given"
    if _kind(certificate.spki) is None:
        yield "key_algorithm", "subjectPublicKeyInfo", "not an encoding of SBR 7.1.3.1"
    if certificate.subject_key_id != key_ids.subject_key_id(certificate.spki):
        yield "subject_key_id", "subjectKeyIdentifier", "not made from the key by RFC 7093 method 1"
    signer = certificate if expected.issuer is None else expected.issuer
    if certificate.authority_key_id is None or certificate.authority_key_id != signer.subject_key_id:
        yield "authority_key_id", "authorityKeyIdentifier", "not the issuer's subject key identifier"


def _extensions(certificate: Certificate, expected: Expected) -> _Faults:
    found = {oid: extension.critical for oid, extension in certificate.extensions.items()}
    for oid in sorted(found.keys() | expected.criticality.keys()):
        if oid not in found:
            yield "extension_absent", oid, f"the extension {oid} is missing"
        elif oid not in expected.criticality:
            yield "extension_unexpected", oid, f"the extension {oid} does not belong here"
        elif found[oid] != expected.criticality[oid]:
            yield "extension_criticality", oid, f"the extension {oid} is critical where it must not be, or the reverse"
    for oid, value in expected.values.items():
        if oid in found and certificate.extensions[oid].value != value:
            yield "extension_value", oid, f"the extension {oid} does not hold what was meant"


def _purposes(certificate: Certificate, expected: Expected) -> _Faults:
    if certificate.key_usage != expected.key_usage:
        yield "key_usage", "keyUsage", "not the key usage of this profile, use and key"
    if certificate.extended_key_usage != expected.extended_key_usage:
        yield "extended_key_usage", "extKeyUsage", "not exactly the purpose of this profile"
    if certificate.policies != expected.policies:
        yield "policies", "certificatePolicies", "not the policies of this profile"
    issuer = expected.issuer
    allowed = issuer.policies if issuer is not None else ()
    if allowed and oids.ANY_POLICY not in allowed and not set(certificate.policies) <= set(allowed):
        yield "policies_of_issuer", "certificatePolicies", "a policy that the issuer may not assert"


def _status(certificate: Certificate, expected: Expected) -> _Faults:
    urls = (*certificate.crl_urls, *certificate.ocsp_urls, *certificate.ca_issuer_urls)
    if any(not url.startswith("http://") for url in urls):
        yield "url_scheme", "authorityInfoAccess", "a status URL that is not http"
    if certificate.crl_urls != expected.crl_urls:
        yield "crl_url", "cRLDistributionPoints", "not exactly the one URL of the issuer's CRL"
    if certificate.ocsp_urls != expected.ocsp_urls or certificate.ca_issuer_urls != expected.issuer_urls:
        yield "access_url", "authorityInfoAccess", "not exactly the issuer's URLs"


def _attributes(name_der: bytes) -> set[str]:
    return {oid for pairs in names.attributes(read_der(name_der)) for oid, _ in pairs}


def _kind(spki: bytes) -> str | None:
    return next((kind for kind, identifier in KEY_ALGORITHMS.items() if identifier in spki[:32]), None)

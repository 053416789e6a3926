"""OCSP (RFC 6960, 9654, 9919): one request read, one answer written."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from types import MappingProxyType
from typing import Final, Literal

from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes

from ca import key_ids
from ca.errors import OcspRequestMalformed, ValidityRefused
from ca.reasons import Reason
from formats import algorithms, der, extensions, oids
from formats.ber import INTEGER, OCTET_STRING, OID, SEQUENCE, BerError, BerTooLarge, Element, Fields, context, read_der
from formats.certificate import Certificate
from formats.serial import Serial

MAX_REQUEST: Final = 4096
MAX_SERIAL_OCTETS: Final = 64
MAX_NONCE: Final = 128  # RFC 9654 2.1

_ENUMERATED: Final = 0x0A
_ERRORS: Final[Mapping[str, int]] = MappingProxyType(
    {"malformed": 1, "internal": 2, "try_later": 3, "unauthorized": 6}  # RFC 6960 4.2.1
)
_HASHES: Final[Mapping[str, str]] = MappingProxyType({oids.SHA1: "sha1", oids.SHA256: "sha256"})


@dataclass(frozen=True, slots=True, kw_only=True)
class OcspRequest:
    """The one certificate that is asked for; `cert_id_der` is its CertID as it was sent."""

    serial: Serial
    issuer_name_hash: bytes
    issuer_key_hash: bytes
    hash_oid: str
    cert_id_der: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Good:
    """Issued here, and not revoked."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Revoked:
    """Revoked at a moment, for a reason if one is known."""

    at: datetime
    reason: Reason | None


Status = Good | Revoked


def read_ocsp_request(data: bytes) -> OcspRequest:
    """Read a request of at most 4 KiB for exactly one certificate.

    A requestor's name and signature are passed over (RFC 9919 3.1.2). A nonce of 0 or of more than 128 octets is
    malformed (RFC 9654 2.1); another one is allowed and not echoed.
    """
    if len(data) > MAX_REQUEST:
        raise OcspRequestMalformed(f"an OCSP request of more than {MAX_REQUEST} octets")
    try:
        return _read_request(read_der(data, max_depth=20, max_elements=1000))
    except (BerError, BerTooLarge) as error:
        raise OcspRequestMalformed(f"not an OCSP request: {error.detail}") from error


def matches(request: OcspRequest, issuer: Certificate) -> bool:
    """Whether the request names this issuer, by SHA-1 or SHA-256 of its name and key; another hash never does."""
    hash_name = _HASHES.get(request.hash_oid)
    if hash_name is None:
        return False
    return (request.issuer_name_hash, request.issuer_key_hash) == _issuer_hashes(issuer, hash_name)


def build_ocsp_answer(
    request: OcspRequest,
    status: Status,
    *,
    delegate: Certificate,
    key: PrivateKeyTypes,
    this_update: datetime,
    next_update: datetime,
    produced_at: datetime,
) -> bytes:
    """A successful answer in DER for the CertID of the request, signed by the delegate, whose certificate it carries.

    The responder is named by its key (RFC 9919 3.2.2). Times lose their fractions.
    """
    if not this_update <= produced_at <= next_update <= delegate.not_after:
        raise ValidityRefused("an OCSP answer whose times are out of order, or outlive its signer")
    single = der.sequence(
        request.cert_id_der,
        _cert_status(status),
        der.generalized_time(this_update),
        der.explicit(0, der.generalized_time(next_update)),
    )
    responder = der.explicit(2, der.octets(_responder_hash(delegate)))
    tbs = der.sequence(responder, der.generalized_time(produced_at), der.sequence(single))
    algorithm = algorithms.signature_algorithm_for(key)
    basic = der.sequence(
        tbs,
        algorithm.identifier,
        der.bits(algorithms.sign(key, tbs, algorithm=algorithm)),
        der.explicit(0, der.sequence(delegate.der)),
    )
    return der.sequence(_response_status(0), der.explicit(0, der.sequence(der.oid(oids.OCSP_BASIC), der.octets(basic))))


def error_answer(error: Literal["malformed", "unauthorized", "try_later", "internal"]) -> bytes:
    """The unsigned answer `malformed`, `internal`, `try_later` or `unauthorized`, without response bytes."""
    return der.sequence(_response_status(_ERRORS[error]))


def _read_request(root: Element) -> OcspRequest:
    outer = root.fields(SEQUENCE)
    tbs = outer.take(SEQUENCE).fields()
    outer.optional(context(0))  # the signature
    outer.end()
    version = tbs.optional(context(0))
    if version is not None and version.fields().take(INTEGER).integer() != 0:
        raise BerError("a version other than 1")
    tbs.optional(context(1))  # the requestor's name
    requests = tbs.take(SEQUENCE).fields().rest()
    _check_extensions(tbs.optional(context(2)))
    tbs.end()
    if len(requests) != 1:
        raise BerError("not exactly one certificate is asked for")
    request = requests[0].fields(SEQUENCE)
    cert_id = request.take(SEQUENCE)
    _check_extensions(request.optional(context(0)))
    request.end()
    return _read_cert_id(cert_id)


def _read_cert_id(element: Element) -> OcspRequest:
    fields = element.fields(SEQUENCE)
    hash_oid = _hash_oid(fields.take(SEQUENCE).fields())
    name_hash, key_hash = fields.take(OCTET_STRING).octets(), fields.take(OCTET_STRING).octets()
    serial = fields.take(INTEGER)
    fields.end()
    if len(serial.content) > MAX_SERIAL_OCTETS:
        raise BerError("a serial number that is too long")
    return OcspRequest(
        serial=Serial(serial.integer()),
        issuer_name_hash=name_hash,
        issuer_key_hash=key_hash,
        hash_oid=hash_oid,
        cert_id_der=element.raw,
    )


def _hash_oid(fields: Fields) -> str:
    oid = fields.take(OID).oid()
    parameters = fields.any_optional()
    if parameters is not None:
        parameters.null()
    fields.end()
    return oid


def _check_extensions(wrapped: Element | None) -> None:
    """RFC 6960 4.4: a critical extension that is not known is refused; of the others only the nonce is looked at."""
    if wrapped is None:
        return
    fields = wrapped.fields()
    found = extensions.read_extensions(fields.take(SEQUENCE))
    fields.end()
    for oid, extension in found.items():
        if oid == oids.OCSP_NONCE:
            if not 0 < len(read_der(extension.value).octets()) <= MAX_NONCE:
                raise BerError("a nonce of no octets, or of too many")
        elif extension.critical:
            raise BerError(f"the critical extension {oid}, which is not known here")


@lru_cache(maxsize=32)
def _issuer_hashes(issuer: Certificate, hash_name: str) -> tuple[bytes, bytes]:
    subject = hashlib.new(hash_name, issuer.subject_der, usedforsecurity=False)
    key = hashlib.new(hash_name, key_ids.key_bits(issuer.spki), usedforsecurity=False)
    return subject.digest(), key.digest()


@lru_cache(maxsize=32)
def _responder_hash(delegate: Certificate) -> bytes:
    return key_ids.sha1_key_hash(delegate.spki)


def _cert_status(status: Status) -> bytes:
    if isinstance(status, Good):
        return der.implicit(0, b"", constructed=False)
    at = der.generalized_time(status.at)
    # RFC 6960 4.2.1: the reason belongs into RevokedInfo; SBR 7.3 forbids it among the single extensions.
    reason = b""
    if status.reason is not None:
        reason = der.explicit(0, der.encode(_ENUMERATED, bytes((status.reason.code,)), constructed=False))
    return der.implicit(1, at + reason, constructed=True)


def _response_status(code: int) -> bytes:
    return der.encode(_ENUMERATED, bytes((code,)), constructed=False)

"""OCSP requests for the tests, written by hand so that each part can be wrong."""

from __future__ import annotations

import hashlib

from ca import key_ids
from formats import der, oids
from formats.certificate import Certificate
from formats.serial import Serial

_OIDS = {"sha1": oids.SHA1, "sha256": oids.SHA256, "sha384": oids.SHA384}


def cert_id(issuer: Certificate, serial: Serial, *, digest: str = "sha1") -> bytes:
    return der.sequence(
        der.sequence(der.oid(_OIDS[digest]), der.null()),
        der.octets(hashlib.new(digest, issuer.subject_der).digest()),
        der.octets(hashlib.new(digest, key_ids.key_bits(issuer.spki)).digest()),
        der.integer(serial.value),
    )


def request_of(*cert_ids: bytes, extensions: bytes = b"", requestor: bytes = b"", signature: bytes = b"") -> bytes:
    """An OCSPRequest for these CertIDs; `extensions` are encoded Extension values."""
    listed = der.sequence(*(der.sequence(one) for one in cert_ids))
    asked = der.explicit(2, der.sequence(extensions)) if extensions else b""
    return der.sequence(der.sequence(requestor, listed, asked), signature)


def request_for(issuer: Certificate, serial: Serial, *, digest: str = "sha1") -> bytes:
    return request_of(cert_id(issuer, serial, digest=digest))


def extension(oid: str, value: bytes, *, critical: bool = False) -> bytes:
    flag = der.boolean(True) if critical else b""
    return der.sequence(der.oid(oid), flag, der.octets(value))


def nonce(octets: int) -> bytes:
    return extension(oids.OCSP_NONCE, der.octets(bytes(octets)))

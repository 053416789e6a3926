"""Key identifiers: names of a key, made from the bits of its SubjectPublicKeyInfo."""

from __future__ import annotations

import hashlib

from formats.ber import BIT_STRING, SEQUENCE, read_der


def key_bits(spki: bytes) -> bytes:
    """The subjectPublicKey's octets, without tag, length and count of unused bits (RFC 5280 4.2.1.2)."""
    fields = read_der(spki).fields(SEQUENCE)
    fields.take(SEQUENCE)
    return fields.take(BIT_STRING).bits()


def subject_key_id(spki: bytes) -> bytes:
    """The leftmost 160 bits of the SHA-256 of the key's bits (RFC 7093 2, method 1)."""
    return hashlib.sha256(key_bits(spki)).digest()[:20]


def sha1_key_hash(spki: bytes) -> bytes:
    """The SHA-1 that OCSP names a responder by (RFC 6960 4.2.1)."""
    return hashlib.sha1(key_bits(spki), usedforsecurity=False).digest()

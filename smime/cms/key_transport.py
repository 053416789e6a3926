"""Key transport (RFC 5652 6.2.1, RFC 3370 4.2.1, RFC 3560): a content key encrypted to an RSA key, and found again."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import Final

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from formats import ber, der, oids
from formats.algorithms import Digest
from formats.ber import BerError, Element, Fields, context


class KeyTransport(StrEnum):
    """How a content key is encrypted to an RSA key: PKCS#1 v1.5 is read everywhere, OAEP (SHA-256) by newer programs."""

    PKCS1 = "pkcs1"
    OAEP = "oaep"


_HASHES: Final[Mapping[str, hashes.HashAlgorithm]] = MappingProxyType(
    {digest.oid: digest.hash for digest in (Digest.SHA1, Digest.SHA256, Digest.SHA384, Digest.SHA512)}
)


def _oaep(digest: str, mask_digest: str) -> padding.OAEP:
    return padding.OAEP(mgf=padding.MGF1(_HASHES[mask_digest]), algorithm=_HASHES[digest], label=None)


_SHA256: Final = der.sequence(der.oid(oids.SHA256), der.null())  # NULL: RFC 4055 2.1, and what openssl writes
_OAEP_PARAMETERS: Final = der.sequence(
    der.explicit(0, _SHA256), der.explicit(1, der.sequence(der.oid(oids.MGF1), _SHA256))
)
_IDENTIFIERS: Final[Mapping[KeyTransport, bytes]] = MappingProxyType(
    {
        KeyTransport.PKCS1: der.sequence(der.oid(oids.RSA_ENCRYPTION), der.null()),  # RFC 3370 4.2.1
        KeyTransport.OAEP: der.sequence(der.oid(oids.RSAES_OAEP), _OAEP_PARAMETERS),  # RFC 4055 4.1
    }
)
_PADDINGS: Final[Mapping[KeyTransport, padding.AsymmetricPadding]] = MappingProxyType(
    {KeyTransport.PKCS1: padding.PKCS1v15(), KeyTransport.OAEP: _oaep(oids.SHA256, oids.SHA256)}
)


def write_key_transport(
    public_key: rsa.RSAPublicKey, *, recipient: bytes, content_key: bytes, transport: KeyTransport
) -> bytes:
    """A KeyTransRecipientInfo of version 0; `recipient` is its IssuerAndSerialNumber."""
    encrypted = public_key.encrypt(content_key, _PADDINGS[transport])
    return der.sequence(der.integer(0), recipient, _IDENTIFIERS[transport], der.octets(encrypted))


def transported_key(private_key: rsa.RSAPrivateKey, *, algorithm: Element, encrypted_key: bytes) -> bytes:
    """What the RSA key makes of the encrypted key: anything of any length, where it was made for another key.

    BerError for an algorithm that is not known here, ValueError where the padding says so (RFC 3218 2.3).
    """
    return private_key.decrypt(encrypted_key, _read_padding(algorithm))


def _read_padding(algorithm: Element) -> padding.AsymmetricPadding:
    fields = algorithm.fields(ber.SEQUENCE)
    oid = fields.take(ber.OID).oid()
    if oid == oids.RSAES_OAEP:
        parameters = fields.take(ber.SEQUENCE).fields()
        fields.end()
        return _read_oaep(parameters)
    if oid != oids.RSA_ENCRYPTION:
        raise BerError(f"the key transport {oid} is not known here")
    null = fields.any_optional()  # it must be there (RFC 3370 4.2.1), and is left out by some
    if null is not None:
        null.null()
    fields.end()
    return padding.PKCS1v15()


def _read_oaep(fields: Fields) -> padding.OAEP:
    """RSAES-OAEP-params; their defaults are SHA-1, MGF1 with SHA-1, and no label (RFC 4055 4.1)."""
    digest, mask, source = (_explicit(fields, n) for n in range(3))
    fields.end()
    if source is not None:
        _refuse_label(source.fields(ber.SEQUENCE))
    return _oaep(
        oids.SHA1 if digest is None else _hash(digest),
        oids.SHA1 if mask is None else _mask_hash(mask.fields(ber.SEQUENCE)),
    )


def _explicit(fields: Fields, n: int) -> Element | None:
    wrapped = fields.optional(context(n))
    if wrapped is None:
        return None
    inner = wrapped.fields()
    element = inner.any()
    inner.end()
    return element


def _hash(element: Element) -> str:
    fields = element.fields(ber.SEQUENCE)
    oid = fields.take(ber.OID).oid()
    null = fields.any_optional()
    if null is not None:
        null.null()
    fields.end()
    if oid not in _HASHES:
        raise BerError(f"OAEP with the digest {oid} is not known here")
    return oid


def _mask_hash(fields: Fields) -> str:
    if fields.take(ber.OID).oid() != oids.MGF1:
        raise BerError("OAEP whose mask is not MGF1")
    digest = _hash(fields.any())
    fields.end()
    return digest


def _refuse_label(fields: Fields) -> None:
    if fields.take(ber.OID).oid() != oids.P_SPECIFIED or fields.take(ber.OCTET_STRING).octets():
        raise BerError("OAEP with a label")
    fields.end()

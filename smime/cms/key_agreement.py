"""Key agreement (RFC 5652 6.2.2, RFC 5753): a content key wrapped under what ephemeral ECDH agrees on, and unwrapped."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final

from cryptography.hazmat.primitives import hashes, keywrap
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.kdf.x963kdf import X963KDF
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from formats import ber, der, oids
from formats.algorithms import Digest
from formats.ber import BerError, Element, context
from smime.cms.content import to_der

_KDFS: Final[Mapping[str, hashes.HashAlgorithm]] = MappingProxyType(
    {
        oids.ECDH_SHA1_KDF: Digest.SHA1.hash,  # what openssl writes unless told otherwise; safe in a KDF
        oids.ECDH_SHA256_KDF: Digest.SHA256.hash,
        oids.ECDH_SHA384_KDF: Digest.SHA384.hash,
        oids.ECDH_SHA512_KDF: Digest.SHA512.hash,
    }
)
_WRAP_KEY_SIZES: Final[Mapping[str, int]] = MappingProxyType(
    {oids.AES128_WRAP: 16, oids.AES192_WRAP: 24, oids.AES256_WRAP: 32}
)
_WRAPS: Final = {size: oid for oid, size in _WRAP_KEY_SIZES.items()}
_CURVES: Final[Mapping[str, str]] = MappingProxyType(
    {oids.SECP256R1: "secp256r1", oids.SECP384R1: "secp384r1", oids.SECP521R1: "secp521r1"}
)
_SCHEMES: Final[Mapping[str, str]] = MappingProxyType(
    {"secp256r1": oids.ECDH_SHA256_KDF, "secp384r1": oids.ECDH_SHA384_KDF}
)
WRITTEN_CURVES: Final = frozenset(_SCHEMES)


@dataclass(frozen=True, slots=True, kw_only=True)
class Agreement:
    """What a KeyAgreeRecipientInfo has in common for its recipients.

    `originator` and `algorithm` are the AlgorithmIdentifiers of the ephemeral key and of the scheme, `point` is that
    key; `ukm` is None where it is absent.
    """

    originator: Element
    point: bytes = field(repr=False)
    ukm: bytes | None = field(repr=False)
    algorithm: Element


def write_key_agreement(public_key: ec.EllipticCurvePublicKey, *, recipient: bytes, content_key: bytes) -> bytes:
    """A KeyAgreeRecipientInfo for one recipient, with an ephemeral key of its own and no ukm.

    `recipient` is its IssuerAndSerialNumber; the curve must be one of WRITTEN_CURVES. The key that wraps is as long
    as the one that is wrapped (RFC 8551 2.3).
    """
    ephemeral = ec.generate_private_key(public_key.curve)
    scheme = _SCHEMES[public_key.curve.name]
    wrap = _WRAPS[len(content_key)]
    wrap_identifier = der.sequence(der.oid(wrap))  # parameters absent: RFC 3565 2.3.2
    kek = _kek(
        ephemeral.exchange(ec.ECDH(), public_key), scheme=scheme, wrap=wrap, wrap_identifier=wrap_identifier, ukm=None
    )
    # Parameters absent (RFC 5753 3.1.1): the one form that every program tried writes or reads
    key_identifier = der.sequence(der.oid(oids.EC_PUBLIC_KEY))
    point = ephemeral.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
    originator_key = der.implicit(1, key_identifier + der.bits(point), constructed=True)
    content = (
        der.integer(3)
        + der.explicit(0, originator_key)
        + der.sequence(der.oid(scheme), wrap_identifier)
        + der.sequence(der.sequence(recipient, der.octets(keywrap.aes_key_wrap(kek, content_key))))
    )
    return der.implicit(1, content, constructed=True)


def read_agreement(originator: Element, *, ukm: bytes | None, algorithm: Element) -> Agreement | None:
    """The agreement, or None where the originator is a certificate: static keys are never agreed with."""
    if originator.tag != context(1):
        return None
    fields = originator.fields()
    identifier = fields.take(ber.SEQUENCE)
    point = fields.take(ber.BIT_STRING).bits()
    fields.end()
    return Agreement(originator=identifier, point=point, ukm=ukm, algorithm=algorithm)


def agreed_key(private_key: ec.EllipticCurvePrivateKey, *, agreement: Agreement, encrypted_key: bytes) -> bytes:
    """The content key that was wrapped.

    BerError for an algorithm that is not known here or another curve, ValueError for a point that is not on it,
    InvalidUnwrap where the key was wrapped for somebody else or changed.
    """
    scheme, wrap, wrap_identifier = _read_scheme(agreement.algorithm)
    _refuse_other_curve(agreement.originator, curve=private_key.curve)
    peer = ec.EllipticCurvePublicKey.from_encoded_point(private_key.curve, agreement.point)  # checks the curve
    secret = private_key.exchange(ec.ECDH(), peer)
    kek = _kek(secret, scheme=scheme, wrap=wrap, wrap_identifier=wrap_identifier, ukm=agreement.ukm)
    return keywrap.aes_key_unwrap(kek, encrypted_key)


def _kek(secret: bytes, *, scheme: str, wrap: str, wrap_identifier: bytes, ukm: bytes | None) -> bytes:
    """The key that wraps, from the shared secret and ECC-CMS-SharedInfo (RFC 5753 7.2, SEC 1 3.6.1)."""
    size = _WRAP_KEY_SIZES[wrap]
    shared = der.sequence(
        wrap_identifier,
        b"" if ukm is None else der.explicit(0, der.octets(ukm)),
        der.explicit(2, der.octets((8 * size).to_bytes(4, "big"))),
    )
    return X963KDF(algorithm=_KDFS[scheme], length=size, sharedinfo=shared).derive(secret)


def _read_scheme(algorithm: Element) -> tuple[str, str, bytes]:
    """Scheme, wrap, and the wrap's AlgorithmIdentifier as the originator wrote it (RFC 5753 7.1.4)."""
    fields = algorithm.fields(ber.SEQUENCE)
    scheme = fields.take(ber.OID).oid()
    identifier = fields.take(ber.SEQUENCE)
    fields.end()
    wrap = identifier.fields().take(ber.OID).oid()
    if scheme not in _KDFS or wrap not in _WRAP_KEY_SIZES:
        raise BerError(f"the key agreement {scheme} with the wrap {wrap} is not known here")
    return scheme, wrap, to_der(identifier)


def _refuse_other_curve(originator: Element, *, curve: ec.EllipticCurve) -> None:
    """RFC 5753 3.1.1: an id-ecPublicKey; absent parameters, and NULL, mean the recipient's curve."""
    fields = originator.fields(ber.SEQUENCE)
    if fields.take(ber.OID).oid() != oids.EC_PUBLIC_KEY:
        raise BerError("an originator's key that is not one of an elliptic curve")
    parameters = fields.any_optional()
    fields.end()
    if parameters is None:
        return
    if parameters.tag == ber.NULL:
        parameters.null()
    elif _CURVES.get(parameters.oid()) != curve.name:
        raise BerError("an originator's key on another curve")

"""Algorithms: what their identifiers mean, which are strong enough, and raw signatures made and checked.

UnsupportedAlgorithm   Unacceptable: not known here
AlgorithmRefused       Unacceptable: known, and too weak, too costly or put together wrongly
SignatureWrong         Unacceptable: the signature is not by this key over these bytes
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from enum import Enum, StrEnum
from typing import ClassVar, Final, Self

from cryptography import exceptions
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes, PublicKeyTypes

from formats import der, oids, pss
from formats.ber import NULL, OID, SEQUENCE, BerError, Element, read_der
from formats.errors import Unacceptable

MIN_RSA_BITS: Final = 2048
MAX_RSA_BITS: Final = 8192
MAX_TRIED_RSA_BITS: Final = 16_384
MAX_PSS_SALT: Final = 512
MAX_RSA_EXPONENT_BITS: Final = 64  # beyond this OpenSSL itself refuses, and a check costs seconds


class UnsupportedAlgorithm(Unacceptable):
    """An algorithm or kind of key that is not known here."""

    code: ClassVar[str] = "unsupported_algorithm"
    hint: ClassVar[str] = "use RSA, ECDSA on P-256 or P-384, or Ed25519, with SHA-256, SHA-384 or SHA-512"


class AlgorithmRefused(Unacceptable):
    """A known algorithm or key that is too weak, too costly, or put together wrongly."""

    code: ClassVar[str] = "algorithm_refused"
    hint: ClassVar[str] = "use RSA of 2048 to 8192 bits or a named NIST curve, with SHA-256 or better throughout"


class SignatureWrong(Unacceptable):
    """The signature was not made by this key over these bytes."""

    code: ClassVar[str] = "signature_wrong"
    hint: ClassVar[str] = "sign again with the key that belongs to it, or send the bytes unchanged"


class KeyKind(StrEnum):
    """The kinds of key that may be certified here."""

    RSA2048 = "rsa2048"
    RSA3072 = "rsa3072"
    RSA4096 = "rsa4096"
    P256 = "p256"
    P384 = "p384"

    @classmethod
    def of(cls, public_key: PublicKeyTypes) -> Self | None:
        """The kind of this key, or None where it is of none of them."""
        described = describe_key(public_key)
        name = f"rsa{described.bits}" if described.algorithm == "RSA" else (described.curve or "").replace("-", "")
        return next((kind for kind in cls if kind.value == name.lower()), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyDescription:
    """What a key is: algorithm `RSA`, `EC`, `Ed25519` or `other`; size in bits; the curve's name, such as `P-256`."""

    algorithm: str
    bits: int | None
    curve: str | None


class Digest(Enum):
    """A message digest; the weak ones are recognised, never accepted in a signature."""

    SHA256 = "sha256"
    SHA384 = "sha384"
    SHA512 = "sha512"
    SHA1 = "sha1"
    SHA224 = "sha224"
    MD5 = "md5"

    @classmethod
    def by_oid(cls, oid: str) -> Digest:
        """The digest with this identifier; UnsupportedAlgorithm where there is none."""
        found = _DIGEST_BY_OID.get(oid)
        if found is None:
            raise UnsupportedAlgorithm(f"the digest algorithm {oid} is not known here")
        return found

    @property
    def oid(self) -> str:
        """Its object identifier."""
        return _DIGEST_OIDS[self]

    @property
    def weak(self) -> bool:
        """Whether it is too weak to sign with."""
        return self in _WEAK

    @property
    def size(self) -> int:
        """Octets of a digest."""
        return _HASHES[self].digest_size

    @property
    def identifier(self) -> bytes:
        """The DER AlgorithmIdentifier, parameters absent (RFC 5754 2)."""
        return der.sequence(der.oid(self.oid))

    @property
    def hash(self) -> hashes.HashAlgorithm:
        """The object that cryptography's signature calls want."""
        return _HASHES[self]

    def digest(self, data: bytes | memoryview) -> bytes:
        """The digest of the data."""
        return hashlib.new(self.value, data, usedforsecurity=False).digest()

    def refuse_weak(self) -> None:
        """AlgorithmRefused where the digest is too weak to sign with."""
        if self.weak:
            raise AlgorithmRefused(f"{self.value} is too weak for a signature")


_WEAK: Final = frozenset({Digest.SHA1, Digest.SHA224, Digest.MD5})
_DIGEST_OIDS: Final = {
    Digest.SHA256: oids.SHA256,
    Digest.SHA384: oids.SHA384,
    Digest.SHA512: oids.SHA512,
    Digest.SHA1: oids.SHA1,
    Digest.SHA224: oids.SHA224,
    Digest.MD5: oids.MD5,
}
_DIGEST_BY_OID: Final = {oid: digest for digest, oid in _DIGEST_OIDS.items()}
_HASHES: Final[dict[Digest, hashes.HashAlgorithm]] = {
    Digest.SHA256: hashes.SHA256(),
    Digest.SHA384: hashes.SHA384(),
    Digest.SHA512: hashes.SHA512(),
    Digest.SHA1: hashes.SHA1(),  # noqa: S303 - recognised, refused in signatures
    Digest.SHA224: hashes.SHA224(),
    Digest.MD5: hashes.MD5(),  # noqa: S303 - recognised, refused in signatures
}


class Scheme(StrEnum):
    """How a signature is made from a digest or a message."""

    RSA = "rsa"
    RSA_PSS = "rsa-pss"
    ECDSA = "ecdsa"
    ED25519 = "ed25519"


@dataclass(frozen=True, slots=True, kw_only=True)
class SignatureAlgorithm:
    """One signature algorithm; `identifier` is its DER AlgorithmIdentifier as X.509 and CMS write it.

    For Ed25519 `digest` is the one that CMS pairs with it (RFC 8419 3.1). `salt` is PSS's salt in octets.
    """

    name: str
    identifier: bytes
    digest: Digest
    scheme: Scheme
    salt: int = 0


_RSA_OIDS: Final = {
    oids.SHA256_WITH_RSA: Digest.SHA256,
    oids.SHA384_WITH_RSA: Digest.SHA384,
    oids.SHA512_WITH_RSA: Digest.SHA512,
    oids.SHA224_WITH_RSA: Digest.SHA224,
    oids.SHA1_WITH_RSA: Digest.SHA1,
    oids.SHA1_WITH_RSA_OIW: Digest.SHA1,
    oids.MD5_WITH_RSA: Digest.MD5,
}
_ECDSA_OIDS: Final = {
    oids.ECDSA_WITH_SHA256: Digest.SHA256,
    oids.ECDSA_WITH_SHA384: Digest.SHA384,
    oids.ECDSA_WITH_SHA512: Digest.SHA512,
    oids.ECDSA_WITH_SHA224: Digest.SHA224,
    oids.ECDSA_WITH_SHA1: Digest.SHA1,
}


def _rsa(digest: Digest) -> SignatureAlgorithm:
    oid = next(oid for oid, known in _RSA_OIDS.items() if known is digest)
    identifier = der.sequence(der.oid(oid), der.null())  # NULL, not absent: RFC 4055 5
    return SignatureAlgorithm(name=f"rsa-{digest.value}", identifier=identifier, digest=digest, scheme=Scheme.RSA)


def _pss(digest: Digest, *, salt: int) -> SignatureAlgorithm:
    return SignatureAlgorithm(
        name=f"rsa-pss-{digest.value}",
        identifier=pss.write(digest.oid, salt=salt),
        digest=digest,
        scheme=Scheme.RSA_PSS,
        salt=salt,
    )


def _ecdsa(digest: Digest) -> SignatureAlgorithm:
    oid = next(oid for oid, known in _ECDSA_OIDS.items() if known is digest)
    identifier = der.sequence(der.oid(oid))  # parameters absent: RFC 5758 3.2
    return SignatureAlgorithm(name=f"ecdsa-{digest.value}", identifier=identifier, digest=digest, scheme=Scheme.ECDSA)


RSA_SHA256: Final = _rsa(Digest.SHA256)
RSA_PSS_SHA256: Final = _pss(Digest.SHA256, salt=32)
ECDSA_SHA256: Final = _ecdsa(Digest.SHA256)
ECDSA_SHA384: Final = _ecdsa(Digest.SHA384)
ECDSA_SHA512: Final = _ecdsa(Digest.SHA512)
ED25519: Final = SignatureAlgorithm(
    name="ed25519", identifier=der.sequence(der.oid(oids.ED25519)), digest=Digest.SHA512, scheme=Scheme.ED25519
)
_BY_CURVE: Final = {"secp256r1": ECDSA_SHA256, "secp384r1": ECDSA_SHA384, "secp521r1": ECDSA_SHA512}
_CURVE_NAMES: Final = {"secp256r1": "P-256", "secp384r1": "P-384", "secp521r1": "P-521"}


def describe_key(public_key: PublicKeyTypes) -> KeyDescription:
    """What this key is, for reports and records."""
    if isinstance(public_key, rsa.RSAPublicKey):
        return KeyDescription(algorithm="RSA", bits=public_key.key_size, curve=None)
    if isinstance(public_key, ec.EllipticCurvePublicKey):
        curve = public_key.curve.name
        return KeyDescription(algorithm="EC", bits=public_key.key_size, curve=_CURVE_NAMES.get(curve, curve))
    if isinstance(public_key, ed25519.Ed25519PublicKey):
        return KeyDescription(algorithm="Ed25519", bits=256, curve=None)
    return KeyDescription(algorithm="other", bits=None, curve=None)


def spki_der(public_key: PublicKeyTypes) -> bytes:
    """The key's SubjectPublicKeyInfo (RFC 5280 4.1)."""
    return public_key.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)


def spki_sha256(public_key: PublicKeyTypes) -> str:
    """The SHA-256 of the key's SubjectPublicKeyInfo, in hexadecimal."""
    return hashlib.sha256(spki_der(public_key)).hexdigest()


def load_public_key(spki: bytes) -> PublicKeyTypes:
    """The key in a DER SubjectPublicKeyInfo; UnsupportedAlgorithm where it cannot be used here.

    A curve written out in parameters is refused, never matched against the named ones (CVE-2020-0601).
    """
    try:
        identifier = read_der(spki).fields(SEQUENCE).take(SEQUENCE).fields()
        if identifier.take(OID).oid() == oids.EC_PUBLIC_KEY and identifier.optional(OID) is None:
            raise AlgorithmRefused("an elliptic-curve key whose curve is not named")
        return serialization.load_der_public_key(spki)
    except (BerError, ValueError, TypeError, exceptions.UnsupportedAlgorithm) as error:
        raise UnsupportedAlgorithm("a public key that cannot be read here") from error


def check_public_key_strength(public_key: PublicKeyTypes) -> None:
    """AlgorithmRefused unless RSA of 2048 to 8192 bits with an odd exponent from 3, a NIST curve, or Ed25519."""
    if isinstance(public_key, rsa.RSAPublicKey):
        if not MIN_RSA_BITS <= public_key.key_size <= MAX_RSA_BITS:
            raise AlgorithmRefused(f"an RSA key of {public_key.key_size} bits")
        exponent = public_key.public_numbers().e
        if exponent < 3 or exponent % 2 == 0 or exponent.bit_length() > MAX_RSA_EXPONENT_BITS:
            raise AlgorithmRefused("an RSA key whose public exponent is even, 1, or too large")
    elif isinstance(public_key, ec.EllipticCurvePublicKey):
        if public_key.curve.name not in _CURVE_NAMES:
            raise AlgorithmRefused(f"a key on the curve {public_key.curve.name}")
    elif not isinstance(public_key, ed25519.Ed25519PublicKey):
        raise AlgorithmRefused("a key that is neither RSA, nor on a NIST curve, nor Ed25519")


def signature_algorithm_for(key: PublicKeyTypes | PrivateKeyTypes) -> SignatureAlgorithm:
    """The algorithm that this key signs with by default: the one that every reader knows."""
    if isinstance(key, rsa.RSAPublicKey | rsa.RSAPrivateKey):
        return RSA_SHA256
    if isinstance(key, ec.EllipticCurvePublicKey | ec.EllipticCurvePrivateKey):
        algorithm = _BY_CURVE.get(key.curve.name)
        if algorithm is not None:
            return algorithm
    if isinstance(key, ed25519.Ed25519PublicKey | ed25519.Ed25519PrivateKey):
        return ED25519
    raise UnsupportedAlgorithm("a key of a kind that does not sign here")


def sign(private_key: PrivateKeyTypes, data: bytes, *, algorithm: SignatureAlgorithm) -> bytes:
    """The signature's octets over the data, by any object of cryptography's private-key classes."""
    algorithm.digest.refuse_weak()
    scheme = algorithm.scheme
    if isinstance(private_key, rsa.RSAPrivateKey) and scheme in {Scheme.RSA, Scheme.RSA_PSS}:
        return private_key.sign(data, _padding(algorithm), algorithm.digest.hash)
    if isinstance(private_key, ec.EllipticCurvePrivateKey) and scheme is Scheme.ECDSA:
        return private_key.sign(data, ec.ECDSA(algorithm.digest.hash))
    if isinstance(private_key, ed25519.Ed25519PrivateKey) and scheme is Scheme.ED25519:
        return private_key.sign(data)
    raise UnsupportedAlgorithm(f"this key cannot sign with {algorithm.name}")


def verify(public_key: PublicKeyTypes, signature: bytes, data: bytes, *, algorithm: SignatureAlgorithm) -> None:
    """SignatureWrong unless the signature is by this key over the data.

    Whether the key is strong enough is asked with `check_public_key_strength`; here only a key that would cost
    too much is not tried (AlgorithmRefused).
    """
    algorithm.digest.refuse_weak()
    scheme = algorithm.scheme
    try:
        if isinstance(public_key, rsa.RSAPublicKey) and scheme in {Scheme.RSA, Scheme.RSA_PSS}:
            _refuse_costly(public_key)
            public_key.verify(signature, data, _padding(algorithm), algorithm.digest.hash)
        elif isinstance(public_key, ec.EllipticCurvePublicKey) and scheme is Scheme.ECDSA:
            public_key.verify(signature, data, ec.ECDSA(algorithm.digest.hash))
        elif isinstance(public_key, ed25519.Ed25519PublicKey) and scheme is Scheme.ED25519:
            public_key.verify(signature, data)
        else:
            raise AlgorithmRefused(f"the key is not of the kind that {algorithm.name} needs")
    except (exceptions.InvalidSignature, ValueError) as error:
        raise SignatureWrong("the signature was not made by this key over these bytes") from error
    except exceptions.UnsupportedAlgorithm as error:
        raise UnsupportedAlgorithm("the key is of a kind that cannot be checked here") from error


def read_signature_algorithm(element: Element, *, digest: Digest | None) -> SignatureAlgorithm:
    """The algorithm that an AlgorithmIdentifier names.

    In CMS give the SignerInfo's `digest`: the hash must be the same (RFC 8933), and identifiers that leave the
    hash open (rsaEncryption, ecPublicKey) take it. In X.509 give None. AlgorithmRefused where the hash is weak
    or does not fit, or the PSS parameters are; BerError where the shape is wrong.
    """
    fields = element.fields(SEQUENCE)
    oid = fields.take(OID).oid()
    parameters = fields.any_optional()
    fields.end()
    if oid == oids.RSASSA_PSS:
        algorithm = _read_pss(parameters)
    elif oid == oids.ED25519:
        algorithm = ED25519
        if parameters is not None:
            raise UnsupportedAlgorithm("an Ed25519 identifier with parameters")
    else:
        algorithm = _read_plain(oid, parameters, digest=digest)
    algorithm.digest.refuse_weak()
    if digest is not None and algorithm.digest is not digest:
        raise AlgorithmRefused(f"the signature algorithm {algorithm.name} does not fit the digest {digest.value}")
    return algorithm


def _read_plain(oid: str, parameters: Element | None, *, digest: Digest | None) -> SignatureAlgorithm:
    if oid == oids.EC_PUBLIC_KEY and digest is not None:
        digest.refuse_weak()
        return _ecdsa(digest)  # parameters here repeat the curve; the key's own counts
    if parameters is not None:
        if parameters.tag != NULL:
            raise UnsupportedAlgorithm(f"parameters that the signature algorithm {oid} does not have")
        parameters.null()
    if oid == oids.RSA_ENCRYPTION and digest is not None:
        return _rsa(digest)
    if oid in _RSA_OIDS:
        return _rsa(_RSA_OIDS[oid])
    if oid in _ECDSA_OIDS:
        return _ecdsa(_ECDSA_OIDS[oid])
    raise UnsupportedAlgorithm(f"the signature algorithm {oid} is not known here")


def _read_pss(element: Element | None) -> SignatureAlgorithm:
    """One hash for message and mask, a salt no shorter than it, trailer 1 (RFC 8551 2.2, RFC 4055 3.1)."""
    if element is None:
        raise AlgorithmRefused("an RSA-PSS identifier without parameters")
    parameters = pss.read(element)
    digest = Digest.by_oid(parameters.digest)
    digest.refuse_weak()
    if parameters.mask != oids.MGF1 or parameters.mask_digest != parameters.digest:
        raise AlgorithmRefused("RSA-PSS whose mask is not MGF1 with the same hash")
    if parameters.trailer != 1 or not digest.size <= parameters.salt <= MAX_PSS_SALT:
        raise AlgorithmRefused("RSA-PSS with a short salt, a huge one, or another trailer")
    return _pss(digest, salt=parameters.salt)


def _padding(algorithm: SignatureAlgorithm) -> padding.AsymmetricPadding:
    if algorithm.scheme is Scheme.RSA:
        return padding.PKCS1v15()
    return padding.PSS(mgf=padding.MGF1(algorithm.digest.hash), salt_length=algorithm.salt)


def _refuse_costly(public_key: rsa.RSAPublicKey) -> None:
    exponent = public_key.public_numbers().e
    if public_key.key_size > MAX_TRIED_RSA_BITS or exponent.bit_length() > MAX_RSA_EXPONENT_BITS:
        raise AlgorithmRefused(f"an RSA key of {public_key.key_size} bits is not tried")

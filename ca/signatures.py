"""Signatures on certificates: a worthless one for the linters, the real one over the very same bytes."""

from __future__ import annotations

from functools import lru_cache
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes, PublicKeyTypes

from ca.errors import AuthorityRefused, IssuerKeyWrong, KeyRefused, TbsDiffers
from formats import algorithms, der
from formats.algorithms import KeyKind
from formats.certificate import Certificate

_RSA_BITS: Final = {KeyKind.RSA2048: 2048, KeyKind.RSA3072: 3072, KeyKind.RSA4096: 4096}
_CURVES: Final = {KeyKind.P256: ec.SECP256R1(), KeyKind.P384: ec.SECP384R1()}


def lookalike(builder: x509.CertificateBuilder, *, issuer_key: PublicKeyTypes) -> bytes:
    """The certificate in DER, signed by a throw-away key of the issuer's kind: it verifies under no key of ours.

    Its TBS is what the issuer will sign: the linters may look at it before anything irrevocable is done (SBR
    4.3.1.2).
    """
    kind = KeyKind.of(issuer_key)
    if kind is None:
        raise AuthorityRefused("an issuer whose key is of a kind that does not sign certificates here")
    digest = hashes.SHA384() if kind is KeyKind.P384 else hashes.SHA256()
    return builder.sign(_throw_away_key(kind), digest).public_bytes(serialization.Encoding.DER)


def sign_tbs(tbs: bytes, *, key: PrivateKeyTypes, public_key: PublicKeyTypes) -> Certificate:
    """The certificate over these octets, its signature checked under `public_key`.

    IssuerKeyWrong where the signature does not hold, TbsDiffers where what was signed does not read as these octets.
    """
    algorithm = algorithms.signature_algorithm_for(key)
    signature = algorithms.sign(key, tbs, algorithm=algorithm)
    certificate = Certificate.from_der(der.sequence(tbs, algorithm.identifier, der.bits(signature)))
    if certificate.tbs != tbs or not certificate.algorithms_agree:
        raise TbsDiffers("the signed certificate is not what was prepared")
    try:
        algorithms.verify(public_key, certificate.signature, certificate.tbs, algorithm=algorithm)
    except (algorithms.SignatureWrong, algorithms.AlgorithmRefused) as error:
        raise IssuerKeyWrong("the key does not sign for this issuer") from error
    return certificate


def public_half(key: PrivateKeyTypes) -> PublicKeyTypes:
    """The public key that belongs to it; KeyRefused where it is of a kind that signs no certificates here."""
    if not isinstance(key, rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey):
        raise KeyRefused("an authority's key is RSA, or on P-256 or P-384")
    return key.public_key()


@lru_cache(maxsize=len(KeyKind))
def _throw_away_key(kind: KeyKind) -> rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey:
    """One a process and kind; never stored, and nobody trusts it."""
    if kind in _RSA_BITS:
        return rsa.generate_private_key(public_exponent=65537, key_size=_RSA_BITS[kind])
    return ec.generate_private_key(_CURVES[kind])

from __future__ import annotations

from itertools import product

import pytest
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from formats import ber, der, oids
from formats.algorithms import Digest
from formats.ber import BerError
from smime.cms.key_transport import KeyTransport, transported_key, write_key_transport
from tests.smime.campus import Person
from tests.smime.cms.forging import issuer_and_serial
from tests.smime.cms.sealing import CONTENT_KEY

DIGESTS = (Digest.SHA1, Digest.SHA256, Digest.SHA384, Digest.SHA512)
PKCS1 = der.sequence(der.oid(oids.RSA_ENCRYPTION), der.null())


def oaep(*parameters: bytes) -> bytes:
    return der.sequence(der.oid(oids.RSAES_OAEP), der.sequence(*parameters))


def hash_(digest: Digest, n: int = 0) -> bytes:
    return der.explicit(n, der.sequence(der.oid(digest.oid), der.null()))


def mask(digest: Digest, *, function: str = oids.MGF1) -> bytes:
    return der.explicit(1, der.sequence(der.oid(function), der.sequence(der.oid(digest.oid), der.null())))


def label(value: bytes) -> bytes:
    return der.explicit(2, der.sequence(der.oid(oids.P_SPECIFIED), der.octets(value)))


def encrypted(recipient: Person, algorithm: padding.AsymmetricPadding, content_key: bytes = CONTENT_KEY) -> bytes:
    key = recipient.key.public_key()
    assert isinstance(key, rsa.RSAPublicKey)
    return key.encrypt(content_key, algorithm)


def found(recipient: Person, identifier: bytes, encrypted_key: bytes) -> bytes:
    assert isinstance(recipient.key, rsa.RSAPrivateKey)
    return transported_key(recipient.key, algorithm=ber.read(identifier), encrypted_key=encrypted_key)


@pytest.mark.parametrize("transport", KeyTransport)
def test_what_is_written_is_read(bob: Person, transport: KeyTransport) -> None:
    assert isinstance(bob.key, rsa.RSAPrivateKey)
    written = write_key_transport(
        bob.key.public_key(),
        recipient=issuer_and_serial(bob.certificate),
        content_key=CONTENT_KEY,
        transport=transport,
    )
    version, _, algorithm, key = ber.read_der(written).children
    assert version.integer() == 0
    assert transported_key(bob.key, algorithm=algorithm, encrypted_key=key.octets()) == CONTENT_KEY
    expected = PKCS1 if transport is KeyTransport.PKCS1 else oaep(hash_(Digest.SHA256), mask(Digest.SHA256))
    assert algorithm.raw == expected


@pytest.mark.parametrize(("digest", "mask_digest"), list(product(DIGESTS, DIGESTS)))
def test_opens_oaep_with_the_hashes_that_are_declared(bob: Person, digest: Digest, mask_digest: Digest) -> None:
    scheme = padding.OAEP(mgf=padding.MGF1(mask_digest.hash), algorithm=digest.hash, label=None)
    identifier = oaep(hash_(digest), mask(mask_digest), label(b""))
    assert found(bob, identifier, encrypted(bob, scheme)) == CONTENT_KEY


def test_oaep_without_parameters_of_its_own_means_sha_1(bob: Person) -> None:
    scheme = padding.OAEP(mgf=padding.MGF1(Digest.SHA1.hash), algorithm=Digest.SHA1.hash, label=None)
    assert found(bob, oaep(), encrypted(bob, scheme)) == CONTENT_KEY


def test_other_hashes_than_the_declared_ones_open_nothing(bob: Person) -> None:
    scheme = padding.OAEP(mgf=padding.MGF1(Digest.SHA1.hash), algorithm=Digest.SHA256.hash, label=None)
    with pytest.raises(ValueError, match=r".*"):
        found(bob, oaep(hash_(Digest.SHA256), mask(Digest.SHA256)), encrypted(bob, scheme))


@pytest.mark.parametrize(
    "identifier",
    [
        oaep(label(b"x")),
        oaep(der.explicit(2, der.sequence(der.oid(oids.MGF1), der.octets(b"")))),
        oaep(hash_(Digest.MD5)),
        oaep(hash_(Digest.SHA224)),
        oaep(mask(Digest.MD5)),
        oaep(mask(Digest.SHA1, function=oids.P_SPECIFIED)),
        oaep(der.explicit(1, der.sequence(der.oid(oids.MGF1)))),
        oaep(mask(Digest.SHA1), hash_(Digest.SHA1)),
        oaep(hash_(Digest.SHA1, n=3)),
        oaep(der.explicit(0, der.null())),
        oaep(der.explicit(0, b"")),
        der.sequence(der.oid(oids.RSAES_OAEP)),
        der.sequence(der.oid(oids.RSAES_OAEP), der.null()),
        der.sequence(der.oid(oids.RSA_ENCRYPTION), der.octets(b"")),
        der.sequence(der.oid(oids.RSA_ENCRYPTION), der.null(), der.null()),
        der.sequence(der.oid(oids.EC_PUBLIC_KEY)),
        der.sequence(),
    ],
)
def test_other_algorithms_are_not_tried(bob: Person, identifier: bytes) -> None:
    with pytest.raises(BerError):
        found(bob, identifier, bytes(384))


def test_pkcs1_without_its_null_is_read(bob: Person) -> None:
    identifier = der.sequence(der.oid(oids.RSA_ENCRYPTION))
    assert found(bob, identifier, encrypted(bob, padding.PKCS1v15())) == CONTENT_KEY


def test_rejection_is_implicit(bob: Person) -> None:
    """The attacks' table, row 25: wrong padding is not told apart, something always comes back (RFC 3218)."""
    whole = encrypted(bob, padding.PKCS1v15())
    for n in range(20):
        changed = whole[:100] + bytes([whole[100] ^ (n + 1)]) + whole[101:]
        assert found(bob, PKCS1, changed) != CONTENT_KEY

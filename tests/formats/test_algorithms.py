from __future__ import annotations

import hashlib
import subprocess
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, padding, rsa, x25519

from formats import algorithms, der, oids, pss
from formats.algorithms import (
    AlgorithmRefused,
    Digest,
    KeyDescription,
    KeyKind,
    SignatureAlgorithm,
    SignatureWrong,
    UnsupportedAlgorithm,
)
from formats.ber import BerError, read_der
from formats.errors import Unacceptable

DATA = b"Content-Type: text/plain\r\n\r\nfees are due\r\n"


def identifier(oid: str, *parameters: bytes) -> bytes:
    return der.sequence(der.oid(oid), *parameters)


def read(encoded: bytes, *, digest: Digest | None = None) -> SignatureAlgorithm:
    return algorithms.read_signature_algorithm(read_der(encoded), digest=digest)


# --- keys ---


def test_kinds_are_named_by_family_and_size(
    rsa2048: rsa.RSAPrivateKey,
    rsa1024: rsa.RSAPrivateKey,
    p256: ec.EllipticCurvePrivateKey,
    p384: ec.EllipticCurvePrivateKey,
) -> None:
    assert KeyKind.of(rsa2048.public_key()) is KeyKind.RSA2048
    assert KeyKind.of(p256.public_key()) is KeyKind.P256
    assert KeyKind.of(p384.public_key()) is KeyKind.P384
    assert KeyKind.of(rsa1024.public_key()) is None
    assert KeyKind.of(ec.generate_private_key(ec.SECP521R1()).public_key()) is None
    assert KeyKind("rsa3072") is KeyKind.RSA3072


def test_keys_are_described(
    rsa2048: rsa.RSAPrivateKey, p384: ec.EllipticCurvePrivateKey, ed25519_key: ed25519.Ed25519PrivateKey
) -> None:
    described = [
        algorithms.describe_key(key)
        for key in (
            rsa2048.public_key(),
            p384.public_key(),
            ed25519_key.public_key(),
            x25519.X25519PrivateKey.generate().public_key(),
            ec.generate_private_key(ec.BrainpoolP256R1()).public_key(),
        )
    ]
    assert described == [
        KeyDescription(algorithm="RSA", bits=2048, curve=None),
        KeyDescription(algorithm="EC", bits=384, curve="P-384"),
        KeyDescription(algorithm="Ed25519", bits=256, curve=None),
        KeyDescription(algorithm="other", bits=None, curve=None),
        KeyDescription(algorithm="EC", bits=256, curve="brainpoolP256r1"),
    ]


def test_public_keys_round_trip_through_their_spki(p256: ec.EllipticCurvePrivateKey) -> None:
    spki = algorithms.spki_der(p256.public_key())
    assert algorithms.load_public_key(spki) == p256.public_key()
    assert algorithms.spki_sha256(p256.public_key()) == hashlib.sha256(spki).hexdigest()


def test_refuses_a_curve_written_out_in_parameters(tmp_path: Path) -> None:
    """CVE-2020-0601: such a key can share its point with a CA's and have another generator."""
    words = "ecparam -name prime256v1 -param_enc explicit -genkey -noout -out key.pem"
    subprocess.run(["openssl", *words.split()], cwd=tmp_path, check=True, capture_output=True, timeout=60)
    words = "ec -in key.pem -param_enc explicit -pubout -outform DER"
    done = subprocess.run(["openssl", *words.split()], cwd=tmp_path, check=True, capture_output=True, timeout=60)
    assert len(done.stdout) > 200
    with pytest.raises(AlgorithmRefused):
        algorithms.load_public_key(done.stdout)


@pytest.mark.parametrize(
    "spki",
    [
        b"",
        b"\x30\x00",
        der.sequence(der.sequence(), der.bits(b"")),
        der.sequence(identifier("1.2.3.4"), der.bits(b"abc")),
        der.sequence(identifier(oids.EC_PUBLIC_KEY, der.oid("1.2.3.4")), der.bits(b"\4abcd")),
        der.sequence(identifier(oids.EC_PUBLIC_KEY, der.oid(oids.SECP256R1)), der.bits(b"\4" + b"\1" * 64)),
        der.sequence(identifier(oids.RSA_ENCRYPTION, der.null()), der.bits(b"\x30\x00")),
        der.sequence(identifier(oids.ED25519), der.bits(b"short")),
    ],
)
def test_refuses_public_keys_that_cannot_be_read(spki: bytes) -> None:
    with pytest.raises(UnsupportedAlgorithm):
        algorithms.load_public_key(spki)


def test_strong_keys_pass(
    rsa2048: rsa.RSAPrivateKey, p256: ec.EllipticCurvePrivateKey, ed25519_key: ed25519.Ed25519PrivateKey
) -> None:
    for key in (rsa2048.public_key(), p256.public_key(), ed25519_key.public_key(), rsa_public(8192)):
        algorithms.check_public_key_strength(key)
    algorithms.check_public_key_strength(rsa_public(2048, e=3))


def rsa_public(bits: int, *, e: int = 65_537) -> rsa.RSAPublicKey:
    """A public key of that size; nobody knows its factors, and nobody needs them."""
    return rsa.RSAPublicNumbers(e, (1 << bits) - 159).public_key()


def test_weak_and_costly_keys_are_refused(rsa1024: rsa.RSAPrivateKey) -> None:
    weak: list[Any] = [
        rsa1024.public_key(),
        rsa_public(2047),
        rsa_public(8193),
        rsa_public(2048, e=(1 << 64) + 1),
        ec.generate_private_key(ec.SECP256K1()).public_key(),
        ec.generate_private_key(ec.BrainpoolP256R1()).public_key(),
        x25519.X25519PrivateKey.generate().public_key(),
        ed448.Ed448PrivateKey.generate().public_key(),
    ]
    for key in weak:
        with pytest.raises(AlgorithmRefused):
            algorithms.check_public_key_strength(key)


# --- digests ---


@pytest.mark.parametrize("digest", list(Digest))
def test_digests_agree_with_hashlib(digest: Digest) -> None:
    assert Digest.by_oid(digest.oid) is digest
    expected = hashlib.new(digest.value, DATA, usedforsecurity=False).digest()
    assert digest.digest(DATA) == digest.digest(memoryview(DATA)) == expected
    assert digest.size == len(expected)


def test_digest_identifiers_leave_parameters_out() -> None:
    """RFC 5754 2: absent on output."""
    assert Digest.SHA256.identifier.hex() == "300b0609608648016503040201"


def test_weak_digests_are_known_and_marked() -> None:
    assert {digest for digest in Digest if digest.weak} == {Digest.MD5, Digest.SHA1, Digest.SHA224}
    with pytest.raises(UnsupportedAlgorithm):
        Digest.by_oid("1.2.3.4")


# --- raw signatures ---


def test_default_algorithms_follow_the_key(
    rsa2048: rsa.RSAPrivateKey,
    p256: ec.EllipticCurvePrivateKey,
    p384: ec.EllipticCurvePrivateKey,
    ed25519_key: ed25519.Ed25519PrivateKey,
) -> None:
    names = []
    for key in (rsa2048, p256, p384, ed25519_key):
        algorithm = algorithms.signature_algorithm_for(key)
        assert algorithms.signature_algorithm_for(key.public_key()) == algorithm
        signature = algorithms.sign(key, DATA, algorithm=algorithm)
        algorithms.verify(key.public_key(), signature, DATA, algorithm=algorithm)
        with pytest.raises(SignatureWrong):
            algorithms.verify(key.public_key(), signature, DATA + b" ", algorithm=algorithm)
        with pytest.raises(SignatureWrong):
            algorithms.verify(key.public_key(), signature[:-1], DATA, algorithm=algorithm)
        with pytest.raises(SignatureWrong):
            algorithms.verify(key.public_key(), b"", DATA, algorithm=algorithm)
        names.append(algorithm.name)
    assert names == ["rsa-sha256", "ecdsa-sha256", "ecdsa-sha384", "ed25519"]


def test_pss_signs_with_a_salt_of_the_hash_s_size(rsa2048: rsa.RSAPrivateKey) -> None:
    signature = algorithms.sign(rsa2048, DATA, algorithm=algorithms.RSA_PSS_SHA256)
    algorithms.verify(rsa2048.public_key(), signature, DATA, algorithm=algorithms.RSA_PSS_SHA256)
    scheme = padding.PSS(padding.MGF1(hashes.SHA256()), salt_length=32)
    rsa2048.public_key().verify(signature, DATA, scheme, hashes.SHA256())
    with pytest.raises(SignatureWrong):
        algorithms.verify(rsa2048.public_key(), signature, DATA, algorithm=algorithms.RSA_SHA256)


def test_key_of_another_kind_does_not_fit(p256: ec.EllipticCurvePrivateKey, rsa2048: rsa.RSAPrivateKey) -> None:
    signature = algorithms.sign(p256, DATA, algorithm=algorithms.ECDSA_SHA256)
    with pytest.raises(AlgorithmRefused):
        algorithms.verify(rsa2048.public_key(), signature, DATA, algorithm=algorithms.ECDSA_SHA256)
    with pytest.raises(UnsupportedAlgorithm):
        algorithms.sign(p256, DATA, algorithm=algorithms.RSA_SHA256)
    with pytest.raises(UnsupportedAlgorithm):
        algorithms.signature_algorithm_for(ec.generate_private_key(ec.SECP256K1()))
    with pytest.raises(UnsupportedAlgorithm):
        algorithms.signature_algorithm_for(x25519.X25519PrivateKey.generate())


def test_weak_digests_neither_sign_nor_verify(rsa2048: rsa.RSAPrivateKey) -> None:
    weak = SignatureAlgorithm(name="rsa-sha1", identifier=b"", digest=Digest.SHA1, scheme=algorithms.Scheme.RSA)
    with pytest.raises(AlgorithmRefused):
        algorithms.sign(rsa2048, DATA, algorithm=weak)
    with pytest.raises(AlgorithmRefused):
        algorithms.verify(rsa2048.public_key(), b"\0" * 256, DATA, algorithm=weak)


def test_huge_rsa_keys_are_not_even_tried() -> None:
    with pytest.raises(AlgorithmRefused):
        algorithms.verify(rsa_public(16_385), bytes(2049), DATA, algorithm=algorithms.RSA_SHA256)
    with pytest.raises(AlgorithmRefused):
        algorithms.verify(rsa_public(2048, e=(1 << 65) + 1), bytes(256), DATA, algorithm=algorithms.RSA_SHA256)


def test_openssl_verifies_what_we_sign(
    tmp_path: Path, rsa2048: rsa.RSAPrivateKey, p256: ec.EllipticCurvePrivateKey
) -> None:
    (tmp_path / "data").write_bytes(DATA)
    for key in (rsa2048, p256):
        public = key.public_key().public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        )
        (tmp_path / "public.pem").write_bytes(public)
        algorithm = algorithms.signature_algorithm_for(key)
        (tmp_path / "signature").write_bytes(algorithms.sign(key, DATA, algorithm=algorithm))
        words = "dgst -sha256 -verify public.pem -signature signature data"
        done = subprocess.run(["openssl", *words.split()], cwd=tmp_path, check=True, capture_output=True, timeout=60)
        assert b"Verified OK" in done.stdout


# --- identifiers ---


@pytest.mark.parametrize(
    ("oid", "name"),
    [
        (oids.SHA256_WITH_RSA, "rsa-sha256"),
        (oids.SHA384_WITH_RSA, "rsa-sha384"),
        (oids.SHA512_WITH_RSA, "rsa-sha512"),
        (oids.ECDSA_WITH_SHA256, "ecdsa-sha256"),
        (oids.ECDSA_WITH_SHA384, "ecdsa-sha384"),
        (oids.ECDSA_WITH_SHA512, "ecdsa-sha512"),
    ],
)
@pytest.mark.parametrize("parameters", [(), (der.null(),)])
def test_reads_identifiers_with_parameters_null_or_absent(oid: str, name: str, parameters: tuple[bytes, ...]) -> None:
    algorithm = read(identifier(oid, *parameters))
    assert algorithm.name == name
    assert read(algorithm.identifier) == algorithm


def test_our_identifiers_are_those_of_the_standards() -> None:
    assert algorithms.RSA_SHA256.identifier.hex() == "300d06092a864886f70d01010b0500"
    assert algorithms.ECDSA_SHA256.identifier.hex() == "300a06082a8648ce3d040302"
    assert algorithms.ECDSA_SHA384.identifier.hex() == "300a06082a8648ce3d040303"
    assert algorithms.ED25519.identifier.hex() == "300506032b6570"
    # the octets that the CA/Browser Forum's S/MIME requirements 7.1.3.2.1 give for RSASSA-PSS with SHA-256
    assert algorithms.RSA_PSS_SHA256.identifier.hex() == (
        "304106092a864886f70d01010a3034a00f300d06096086480165030402010500a11c301a06092a864886f70d010108"
        "300d06096086480165030402010500a203020120"
    )


def test_open_identifiers_take_the_digest_of_the_signer() -> None:
    assert read(identifier(oids.RSA_ENCRYPTION, der.null()), digest=Digest.SHA384).name == "rsa-sha384"
    assert read(identifier(oids.EC_PUBLIC_KEY, der.oid(oids.SECP256R1)), digest=Digest.SHA256).name == "ecdsa-sha256"
    for oid in (oids.RSA_ENCRYPTION, oids.EC_PUBLIC_KEY):
        with pytest.raises(UnsupportedAlgorithm):
            read(identifier(oid))
        with pytest.raises(AlgorithmRefused):
            read(identifier(oid), digest=Digest.SHA1)


@pytest.mark.parametrize(
    "encoded",
    [
        algorithms.RSA_SHA256.identifier,
        algorithms.ECDSA_SHA256.identifier,
        algorithms.RSA_PSS_SHA256.identifier,
        algorithms.ED25519.identifier,
    ],
)
def test_hash_must_equal_the_digest_algorithm(encoded: bytes) -> None:
    """RFC 8933 3; for Ed25519 RFC 8419 3.1."""
    expected = Digest.SHA512 if encoded == algorithms.ED25519.identifier else Digest.SHA256
    assert read(encoded, digest=expected).identifier == encoded
    for digest in set(Digest) - {expected}:
        with pytest.raises(AlgorithmRefused):
            read(encoded, digest=digest)


@pytest.mark.parametrize(
    "oid",
    [oids.MD5_WITH_RSA, oids.SHA1_WITH_RSA, oids.SHA1_WITH_RSA_OIW, oids.ECDSA_WITH_SHA1, oids.ECDSA_WITH_SHA224],
)
def test_weak_identifiers_are_refused_as_weak(oid: str) -> None:
    with pytest.raises(AlgorithmRefused):
        read(identifier(oid, der.null()))


@pytest.mark.parametrize(
    "encoded",
    [
        identifier("1.2.3.4"),
        identifier("1.3.6.1.5.5.7.6.36"),  # id-alg-unsigned (RFC 9925) is never a signature
        identifier(oids.SHA256),
        identifier(oids.SHA256_WITH_RSA, der.integer(1)),
        identifier(oids.ED25519, der.null()),
    ],
)
def test_unknown_identifiers_are_unsupported(encoded: bytes) -> None:
    with pytest.raises(UnsupportedAlgorithm):
        read(encoded)


@pytest.mark.parametrize(
    "encoded", [b"\x30\x00", der.sequence(der.null()), identifier(oids.ED25519, der.null(), der.null())]
)
def test_malformed_identifiers_are_malformed(encoded: bytes) -> None:
    with pytest.raises(BerError):
        read(encoded)


def pss_identifier(
    digest: str, mask_digest: str, salt: int, *, mask: str = oids.MGF1, trailer: int | None = None
) -> bytes:
    parts = [
        der.explicit(0, identifier(digest)),
        der.explicit(1, identifier(mask, identifier(mask_digest, der.null()))),
        der.explicit(2, der.integer(salt)),
    ]
    if trailer is not None:
        parts.append(der.explicit(3, der.integer(trailer)))
    return identifier(oids.RSASSA_PSS, der.sequence(*parts))


def test_pss_takes_one_hash_and_a_salt_no_shorter() -> None:
    algorithm = read(pss_identifier(oids.SHA256, oids.SHA256, 222))
    assert (algorithm.name, algorithm.salt) == ("rsa-pss-sha256", 222)
    assert read(pss_identifier(oids.SHA384, oids.SHA384, 48, trailer=1)).name == "rsa-pss-sha384"


@pytest.mark.parametrize(
    "encoded",
    [
        identifier(oids.RSASSA_PSS),  # RFC 4056 3: parameters must be there
        identifier(oids.RSASSA_PSS, der.sequence()),  # the defaults are SHA-1
        pss_identifier(oids.SHA256, oids.SHA1, 32),
        pss_identifier(oids.SHA256, oids.SHA512, 32),
        pss_identifier(oids.SHA1, oids.SHA1, 20),
        pss_identifier(oids.SHA256, oids.SHA256, 31),
        pss_identifier(oids.SHA256, oids.SHA256, 0),
        pss_identifier(oids.SHA256, oids.SHA256, -1),
        pss_identifier(oids.SHA256, oids.SHA256, 2**64),
        pss_identifier(oids.SHA256, oids.SHA256, 32, trailer=2),
        pss_identifier(oids.SHA256, oids.SHA256, 32, mask="1.2.3.4"),
    ],
)
def test_pss_parameter_games_are_refused(encoded: bytes) -> None:
    with pytest.raises(AlgorithmRefused):
        read(encoded)


def test_pss_with_a_salt_longer_than_the_key_allows_is_a_wrong_signature(rsa2048: rsa.RSAPrivateKey) -> None:
    algorithm = read(pss.write(oids.SHA256, salt=500))
    with pytest.raises(SignatureWrong):
        algorithms.verify(rsa2048.public_key(), bytes(256), DATA, algorithm=algorithm)


def test_errors_are_unacceptable_with_codes_of_their_own() -> None:
    leaves = (UnsupportedAlgorithm, AlgorithmRefused, SignatureWrong)
    assert all(issubclass(leaf, Unacceptable) for leaf in leaves)
    assert [leaf.code for leaf in leaves] == ["unsupported_algorithm", "algorithm_refused", "signature_wrong"]

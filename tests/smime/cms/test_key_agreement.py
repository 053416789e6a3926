from __future__ import annotations

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from formats import ber, der, oids
from smime.cms.ciphers import ContentCipher
from smime.cms.errors import DecryptionFailed, NoKeyForMessage
from smime.cms.key_agreement import write_key_agreement
from tests.smime.campus import Authority, Person, person
from tests.smime.cms.forging import issuer_and_serial
from tests.smime.cms.sealing import CONTENT, CONTENT_KEY, kari, opened, sealed

SCHEMES = [
    (oids.ECDH_SHA1_KDF, "sha1"),
    (oids.ECDH_SHA256_KDF, "sha256"),
    (oids.ECDH_SHA384_KDF, "sha384"),
    (oids.ECDH_SHA512_KDF, "sha512"),
]
WRAPS = [(oids.AES128_WRAP, 128), (oids.AES192_WRAP, 192), (oids.AES256_WRAP, 256)]


def refuses(info: bytes, recipient: Person) -> None:
    """In GCM, where a random content key cannot open anything by chance."""
    with pytest.raises(DecryptionFailed):
        opened(sealed([info], cipher=ContentCipher.AES256_GCM), recipient)


@pytest.mark.parametrize(("scheme", "digest"), SCHEMES)
@pytest.mark.parametrize(("wrap", "bits"), WRAPS)
@pytest.mark.parametrize("recipient", ["carol", "dave"], indirect=True)
def test_opens_every_scheme_with_every_wrap(recipient: Person, scheme: str, digest: str, wrap: str, bits: int) -> None:
    info = kari(recipient, scheme=scheme, digest=digest, wrap=wrap, bits=bits)
    assert opened(sealed([info]), recipient) == CONTENT


def test_opens_what_is_sealed_to_p_521(issuing: Authority) -> None:
    erin = person(issuing, ec.generate_private_key(ec.SECP521R1()))
    info = kari(erin, scheme=oids.ECDH_SHA512_KDF, digest="sha512", parameters=der.oid(oids.SECP521R1))
    assert opened(sealed([info]), erin) == CONTENT


@pytest.mark.parametrize("ukm", [b"", b"u" * 64])
def test_ukm_is_part_of_the_shared_info(carol: Person, ukm: bytes) -> None:
    assert opened(sealed([kari(carol, ukm=ukm)]), carol) == CONTENT
    refuses(kari(carol, ukm=ukm, shared_ukm=b"another"), carol)


def test_the_size_of_the_wrapping_key_is_part_of_the_shared_info(carol: Person) -> None:
    refuses(kari(carol, stated_bits=128), carol)
    refuses(kari(carol, stated_bits=32), carol)


@pytest.mark.parametrize("parameters", [b"", der.null(), der.oid(oids.SECP256R1)])
def test_the_originators_curve_is_absent_or_the_recipients(carol: Person, parameters: bytes) -> None:
    assert opened(sealed([kari(carol, parameters=parameters)]), carol) == CONTENT


@pytest.mark.parametrize("parameters", [der.oid(oids.SECP384R1), der.oid(oids.ED25519), der.sequence(), der.integer(1)])
def test_another_curve_is_refused_by_its_name(carol: Person, parameters: bytes) -> None:
    refuses(kari(carol, parameters=parameters), carol)


@pytest.mark.parametrize("curve", [ec.SECP384R1(), ec.SECP521R1(), ec.SECP256K1()])
def test_another_curve_is_refused_by_its_point(carol: Person, curve: ec.EllipticCurve) -> None:
    refuses(kari(carol, curve=curve), carol)


def test_a_point_beside_the_curve_is_refused(carol: Person) -> None:
    """The attacks' table, row 29: invalid curves."""
    key = ec.generate_private_key(ec.SECP256R1()).public_key()
    point = bytearray(key.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint))
    point[-1] ^= 1
    for wrong in (bytes(point), b"\0", b"\4", bytes(65), b"\4" + bytes(64), bytes(point[:-1])):
        refuses(kari(carol, point=wrong), carol)


@pytest.mark.parametrize(
    "originator",
    [
        der.sequence(der.sequence(), der.integer(7)),
        der.implicit(0, b"12345678901234567890", constructed=False),
    ],
)
def test_static_keys_are_never_agreed_with(carol: Person, originator: bytes) -> None:
    """The attacks' table, row 29."""
    with pytest.raises(NoKeyForMessage):
        opened(sealed([kari(carol, originator=originator)]), carol)


@pytest.mark.parametrize(
    ("scheme", "wrap"),
    [
        (oids.ECDH_HKDF_SHA256, oids.AES256_WRAP),
        (oids.RSA_ENCRYPTION, oids.AES256_WRAP),
        (oids.ECDH_SHA256_KDF, oids.AES256_CBC),
    ],
)
def test_other_schemes_and_wraps_open_nothing(carol: Person, scheme: str, wrap: str) -> None:
    refuses(kari(carol, scheme=scheme, wrap=wrap), carol)


def test_a_key_wrapped_for_somebody_else_opens_nothing(carol: Person, alice: Person) -> None:
    refuses(kari(alice, rid=issuer_and_serial(carol.certificate)), carol)


def test_a_content_key_of_another_size_opens_nothing(carol: Person) -> None:
    refuses(kari(carol, content_key=CONTENT_KEY[:16]), carol)


@pytest.mark.parametrize(
    ("recipient", "scheme"),
    [("carol", oids.ECDH_SHA256_KDF), ("dave", oids.ECDH_SHA384_KDF)],
    indirect=["recipient"],
)
@pytest.mark.parametrize(("size", "wrap"), [(16, oids.AES128_WRAP), (32, oids.AES256_WRAP)])
def test_the_wrap_is_as_long_as_the_content_key(recipient: Person, scheme: str, size: int, wrap: str) -> None:
    """RFC 8551 2.3 and RFC 5753 3.1.1, to the octet."""
    key = recipient.key.public_key()
    assert isinstance(key, ec.EllipticCurvePublicKey)
    own = issuer_and_serial(recipient.certificate)
    info = ber.read_der(write_key_agreement(key, recipient=own, content_key=CONTENT_KEY[:size]))
    version, originator, algorithm, keys = info.children
    assert version.integer() == 3
    assert originator.children[0].children[0].raw == der.sequence(der.oid(oids.EC_PUBLIC_KEY))
    assert algorithm.raw == der.sequence(der.oid(scheme), der.sequence(der.oid(wrap)))
    assert keys.children[0].children[0].raw == own
    assert len(keys.children[0].children[1].octets()) == size + 8


def test_the_ephemeral_key_never_comes_again(carol: Person) -> None:
    key = carol.key.public_key()
    assert isinstance(key, ec.EllipticCurvePublicKey)
    own = issuer_and_serial(carol.certificate)
    written = [write_key_agreement(key, recipient=own, content_key=CONTENT_KEY) for _ in range(10)]
    points = {ber.read_der(one).children[1].children[0].children[1].bits() for one in written}
    assert len(points) == 10

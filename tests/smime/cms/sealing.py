"""Sealed content put together by hand, each part as the test wants it, and the ways to open it."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Sequence
from dataclasses import replace

import pytest
from cryptography.hazmat.primitives import keywrap
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from formats import der, oids
from smime.cms.ciphers import ContentCipher, ContentEncryption
from smime.cms.content import read_content_info
from smime.cms.enveloped import Enveloped, OpeningKey, open_content, read_enveloped
from smime.cms.errors import DecryptionFailed
from smime.cms.recipients import write_recipient
from tests.smime.campus import OpenSsl, Person, pem_key
from tests.smime.cms.forging import issuer_and_serial

CONTENT = b"Content-Type: text/plain\r\n\r\nyour marks are in this letter\r\n"
CONTENT_KEY = bytes(range(32))


def read(data: bytes) -> Enveloped:
    return read_enveloped(*read_content_info(data))


def opened(data: bytes, *people: Person) -> bytes:
    return first_content(read(data), keys=[opening(one) for one in people])


def first_content(enveloped: Enveloped, *, keys: Sequence[OpeningKey]) -> bytes:
    return next(one.data for one in open_content(enveloped, keys=keys) if one.is_whole)


def opening(one: Person) -> OpeningKey:
    return OpeningKey(certificate=one.certificate, key=one.key)


def info_for(one: Person) -> bytes:
    return write_recipient(one.certificate, content_key=CONTENT_KEY)


def fails(data: bytes, *people: Person) -> None:
    with pytest.raises(DecryptionFailed):
        opened(data, *people)


def sealed(
    infos: Sequence[bytes],
    *,
    content: bytes = CONTENT,
    cipher: ContentCipher = ContentCipher.AES256_CBC,
    encryption: ContentEncryption | None = None,
    identifier: bytes | None = None,
    encrypted: bytes | None = None,
    tag: bytes | None = None,
    oid: str | None = None,
    content_type: str = oids.DATA,
    originator_info: bytes = b"",
    attributes: bytes = b"",
    last_attributes: bytes = b"",
) -> bytes:
    """Sealed under CONTENT_KEY, or with these octets for what is encrypted and for the tag."""
    encryption = encryption or encryption_with(cipher)
    pieces, own_tag = encryption.encrypt(content, key=CONTENT_KEY[: encryption.cipher.key_size])
    body = b"".join(pieces) if encrypted is None else encrypted
    information = der.sequence(
        der.oid(content_type), identifier or encryption.identifier, der.implicit(0, body, constructed=False)
    )
    oid = oid or (oids.AUTH_ENVELOPED_DATA if encryption.cipher.is_authenticated else oids.ENVELOPED_DATA)
    parts = [der.integer(0), originator_info, der.set_of(*infos), information, attributes]
    if oid == oids.AUTH_ENVELOPED_DATA:
        parts += [der.octets(own_tag if tag is None else tag), last_attributes]
    return der.sequence(der.oid(oid), der.explicit(0, der.sequence(*parts)))


def ktri(
    recipient: Person, *, encrypted_key: bytes, algorithm: bytes | None = None, identifier: bytes | None = None
) -> bytes:
    algorithm = algorithm or der.sequence(der.oid(oids.RSA_ENCRYPTION), der.null())
    identifier = identifier or issuer_and_serial(recipient.certificate)
    return der.sequence(der.integer(0), identifier, algorithm, der.octets(encrypted_key))


def kari(
    recipient: Person,
    *,
    scheme: str = oids.ECDH_SHA256_KDF,
    digest: str = "sha256",
    wrap: str = oids.AES256_WRAP,
    bits: int = 256,
    stated_bits: int | None = None,
    ukm: bytes | None = None,
    shared_ukm: bytes | None = None,
    curve: ec.EllipticCurve | None = None,
    originator: bytes | None = None,
    parameters: bytes = b"",
    point: bytes | None = None,
    rid: bytes | None = None,
    recipients: int = 1,
    content_key: bytes = CONTENT_KEY,
) -> bytes:
    """A KeyAgreeRecipientInfo whose key derivation is written out once more, apart from the one that is tested."""
    public_key = recipient.key.public_key()
    assert isinstance(public_key, ec.EllipticCurvePublicKey)
    ephemeral = ec.generate_private_key(public_key.curve)
    wrap_identifier = der.sequence(der.oid(wrap))
    shared = der.sequence(
        wrap_identifier,
        der.explicit(0, der.octets(ukm if shared_ukm is None else shared_ukm)) if ukm is not None else b"",
        der.explicit(2, der.octets((stated_bits or bits).to_bytes(4, "big"))),
    )
    secret = ephemeral.exchange(ec.ECDH(), public_key)
    stream = b"".join(hashlib.new(digest, secret + bytes((0, 0, 0, n)) + shared).digest() for n in (1, 2))
    if curve is not None:
        ephemeral = ec.generate_private_key(curve)
    point = point or ephemeral.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
    named = der.sequence(der.oid(oids.EC_PUBLIC_KEY), parameters) + der.bits(point)
    encrypted_key = keywrap.aes_key_wrap(stream[: bits // 8], content_key)
    encrypted = der.sequence(rid or issuer_and_serial(recipient.certificate), der.octets(encrypted_key))
    content = (
        der.integer(3)
        + der.explicit(0, originator or der.implicit(1, named, constructed=True))
        + (der.explicit(1, der.octets(ukm)) if ukm is not None else b"")
        + der.sequence(der.oid(scheme), wrap_identifier)
        + der.sequence(*[encrypted] * recipients)
    )
    return der.implicit(1, content, constructed=True)


def seal_by_openssl(openssl: OpenSsl, content: bytes, *people: Person, options: str = "-aes256") -> bytes:
    """Seal with `openssl cms -encrypt`; the options after a `|` stand behind each recipient."""
    openssl.write("content", content)
    before, _, behind = options.partition("|")
    words = [f"cms -encrypt -binary -in content -outform DER {before}"]
    for number, one in enumerate(people):
        words.append(f"-recip {openssl.write(f'recipient{number}.pem', one.certificate.pem)} {behind}")
    return openssl.run(" ".join(words)).stdout


def open_by_openssl(openssl: OpenSsl, data: bytes, one: Person) -> bytes:
    """Open with `openssl cms -decrypt`, which here says so when it cannot."""
    openssl.write("sealed", data)
    openssl.write("recipient.pem", one.certificate.pem)
    openssl.write("recipient.key", pem_key(one.key))
    return openssl.run(
        "cms -decrypt -binary -inform DER -in sealed -recip recipient.pem -inkey recipient.key -debug_decrypt"
    ).stdout


def encryption_with(cipher: ContentCipher) -> ContentEncryption:
    """Also for the ciphers that are only read."""
    if cipher.is_authenticated:
        return ContentEncryption(cipher=cipher, iv=secrets.token_bytes(12), tag_size=16)
    return ContentEncryption(cipher=cipher, iv=secrets.token_bytes(16))


def with_tag(encryption: ContentEncryption, size: int) -> ContentEncryption:
    return replace(encryption, tag_size=size)

"""Sealed messages that no honest program writes, and openssl as the program of a recipient."""

from __future__ import annotations

import os
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from formats import der, oids
from formats.certificate import Certificate
from smime.cms.ciphers import ContentCipher, ContentEncryption
from smime.cms.enveloped import seal_content
from smime.cms.key_transport import KeyTransport, write_key_transport
from smime.cms.recipients import write_recipient
from tests.interop.wrapping import ENTITY, sealed_mail
from tests.openssl import Answer, openssl
from tests.smime.campus import Authority, authority, person

PrivateKey = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey
STRANGER = "someone@elsewhere.example"
BLOCK = 16


@dataclass(frozen=True)
class Reader:
    """Somebody outside with a key and a certificate, who opens mail with openssl."""

    certificate: Certificate
    key: PrivateKey

    def open(self, message: bytes, folder: Path) -> Answer:
        """The plaintext, in which openssl leaves every octet as it is."""
        key, certificate = folder / "reader.key", folder / "reader.pem"
        key.write_bytes(self.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
        certificate.write_text(self.certificate.pem)
        return openssl("cms", "-decrypt", "-recip", certificate, "-inkey", key, given=message)


def imposter(certificate: Certificate) -> Certificate:
    """A certificate of the same issuer and serial number with another key: what is sealed to it has the wrong key."""
    real = certificate.x509
    key: PrivateKey = (
        rsa.generate_private_key(65537, 2048)
        if isinstance(real.public_key(), rsa.RSAPublicKey)
        else ec.generate_private_key(ec.SECP256R1())
    )
    builder = x509.CertificateBuilder(real.issuer, real.subject, key.public_key(), real.serial_number)
    made = builder.not_valid_before(real.not_valid_before_utc).not_valid_after(real.not_valid_after_utc)
    return Certificate.from_der(made.sign(key, hashes.SHA256()).public_bytes(Encoding.DER))


@dataclass(frozen=True)
class _Public:
    """A key of which only the public half is known."""

    half: rsa.RSAPublicKey

    def public_key(self) -> rsa.RSAPublicKey:
        return self.half


@cache
def _elsewhere() -> Authority:
    return authority("Elsewhere CA")


def stranger(mailbox: str, *, at: datetime, **more: Any) -> Reader:
    """Somebody with a P-256 key, certified elsewhere, by default for encryption."""
    key: Any = more.pop("key", None) or ec.generate_private_key(ec.SECP256R1())
    is_rsa = isinstance(key.public_key(), rsa.RSAPublicKey)
    wanted = {
        "usage": {"key_encipherment" if is_rsa else "key_agreement": True},
        "not_before": at - timedelta(days=10),
        "mailboxes": (mailbox,),
        **more,
    }
    return Reader(certificate=person(_elsewhere(), key, **wanted).certificate, key=key)


def giant() -> Any:
    """An RSA key of 16,384 bits; nobody knows its private half, and making it would take minutes."""
    modulus = int.from_bytes(b"\xff" + os.urandom(2046) + b"\x01", "big")
    return _Public(rsa.RSAPublicNumbers(65537, modulus).public_key())


def with_wrong_key(certificate: Certificate) -> bytes:
    return _mail(seal_content(ENTITY, certificates=[imposter(certificate)]))


def with_bad_padding(certificate: Certificate) -> bytes:
    """The last octet of the padding becomes 0, which no padding is (RFC 5652 6.3)."""
    sealed = bytearray(seal_content(ENTITY, certificates=[certificate]))
    sealed[-BLOCK - 1] ^= BLOCK - len(ENTITY) % BLOCK
    return _mail(bytes(sealed))


def with_bad_tag(certificate: Certificate) -> bytes:
    sealed = bytearray(seal_content(ENTITY, certificates=[certificate], cipher=ContentCipher.AES256_GCM))
    sealed[-1] ^= 1
    return _mail(bytes(sealed), kind="authEnveloped-data")


def with_short_tag(certificate: Certificate) -> bytes:
    """A true tag cut to four octets, as it is declared (RFC 5084 3.2 wants 12 to 16)."""
    cipher = ContentCipher.AES256_GCM
    encryption = ContentEncryption(cipher=cipher, iv=os.urandom(12), tag_size=4)
    key = os.urandom(cipher.key_size)
    pieces, tag = encryption.encrypt(ENTITY, key=key)
    sealed = _sealed(certificate, key, encryption.identifier, b"".join(pieces))
    content = der.sequence(der.integer(0), *sealed, der.octets(tag[:4]))
    return _mail(der.sequence(der.oid(oids.AUTH_ENVELOPED_DATA), der.explicit(0, content)), kind="authEnveloped-data")


def with_bad_mime(certificate: Certificate) -> bytes:
    return _mail(seal_content(b"no header\0 at all", certificates=[certificate]))


def with_bad_signature_structure(certificate: Certificate) -> bytes:
    """A plaintext that says it is signed, and is no CMS."""
    content = (
        b"Content-Type: application/pkcs7-mime; smime-type=signed-data\r\nContent-Transfer-Encoding: base64\r\n\r\nAAAA"
    )
    return _mail(seal_content(content, certificates=[certificate]))


def with_old_cipher(certificate: Certificate) -> bytes:
    """The identifier of 3DES in the place of AES."""
    algorithm = der.sequence(der.oid(oids.DES_EDE3_CBC), der.octets(bytes(8)))
    content = der.sequence(der.integer(0), *_sealed(certificate, bytes(24), algorithm, bytes(16)))
    return _mail(der.sequence(der.oid(oids.ENVELOPED_DATA), der.explicit(0, content)))


def naming(certificate: Certificate, *, serial: int) -> bytes:
    """A recipient with another serial number of the same issuer."""
    name = der.sequence(certificate.issuer_der, der.integer(serial))
    key = rsa.generate_private_key(65537, 2048).public_key()
    info = write_key_transport(key, recipient=name, content_key=bytes(32), transport=KeyTransport.PKCS1)
    algorithm = der.sequence(der.oid(oids.AES256_CBC), der.octets(bytes(16)))
    encrypted = der.sequence(der.oid(oids.DATA), algorithm, der.implicit(0, bytes(16), constructed=False))
    content = der.sequence(der.integer(0), der.set_of(info), encrypted)
    return _mail(der.sequence(der.oid(oids.ENVELOPED_DATA), der.explicit(0, content)))


FAILURES = (
    with_wrong_key,
    with_bad_padding,
    with_bad_tag,
    with_short_tag,
    with_bad_mime,
    with_bad_signature_structure,
)


def sealed_to(certificate: Certificate, content: bytes = ENTITY, *, modern: bool = False) -> bytes:
    """A message from outside, sealed to this certificate."""
    cipher = ContentCipher.AES256_GCM if modern else ContentCipher.AES256_CBC
    kind = "authEnveloped-data" if modern else "enveloped-data"
    return _mail(seal_content(content, certificates=[certificate], cipher=cipher), kind=kind)


def _sealed(certificate: Certificate, key: bytes, algorithm: bytes, encrypted: bytes) -> tuple[bytes, bytes]:
    """The recipient and the encrypted content."""
    content = der.sequence(der.oid(oids.DATA), algorithm, der.implicit(0, encrypted, constructed=False))
    return der.set_of(write_recipient(certificate, content_key=key)), content


def _mail(cms: bytes, *, kind: str = "enveloped-data") -> bytes:
    return sealed_mail(cms, sender=STRANGER, kind=kind)

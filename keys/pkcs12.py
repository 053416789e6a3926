"""PKCS#12, the file in which a key and its certificates travel to a mail program (RFC 7292, RFC 9879)."""

from __future__ import annotations

import re
import secrets
from collections.abc import Sequence
from enum import StrEnum
from typing import Final

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding, PrivateFormat, pkcs12
from cryptography.hazmat.primitives.serialization.pkcs12 import PBES

from formats.algorithms import spki_der
from formats.certificate import Certificate, CertificateMalformed
from keys.effort import check_pkcs12_effort
from keys.errors import KeyFileMalformed, KeyFileTooLarge, PassphraseRefused, PassphraseWrong
from keys.software import PrivateKey, as_private_key, passphrase_octets

MAX_FILE: Final = 256 * 1024
MODERN_ROUNDS: Final = 600_000
COMPATIBLE_ROUNDS: Final = 20_000

# 31 letters and digits that nobody mistakes for another (no 0, 1, i, l, o): 25 of them carry 123 bits. SBR 6.1.2 asks
# for 112, and so must we: the MAC stays at 2,048 rounds, whatever the encryption costs, so the rounds protect nothing.
ALPHABET: Final = "abcdefghjkmnpqrstuvwxyz23456789"
GROUPS: Final = 5
GROUP: Final = 5

# PBES2 takes a passphrase as UTF-8 and the MAC as BMPString, so only ASCII is read alike everywhere. The bounds keep
# out what somebody types; macOS cannot open a file without a passphrase at all.
_WRITABLE: Final = re.compile(r"[\x20-\x7e]{20,256}")


class Format(StrEnum):
    """`modern` for programs since 2024; `compatible` for older macOS, Windows, Android and for gpgsm."""

    MODERN = "modern"
    COMPATIBLE = "compatible"


_SCHEMES: Final = {
    Format.MODERN: (PBES.PBESv2SHA256AndAES256CBC, MODERN_ROUNDS),
    Format.COMPATIBLE: (PBES.PBESv1SHA1And3KeyTripleDESCBC, COMPATIBLE_ROUNDS),
}


def generate_passphrase() -> str:
    """A fresh passphrase of 123 random bits: five groups of five letters and digits, joined by hyphens."""
    groups = ("".join(secrets.choice(ALPHABET) for _ in range(GROUP)) for _ in range(GROUPS))
    return "-".join(groups)


def write_pkcs12(
    key: PrivateKey,
    *,
    certificate: Certificate,
    chain: Sequence[Certificate],
    passphrase: str,
    format: Format,  # noqa: A002 - the word of the API
    friendly_name: str,
) -> bytes:
    """The file with the key, its certificate, and the chain above it; `modern` takes about 0.2 seconds.

    `modern` is AES-256-CBC by PBKDF2 with HMAC-SHA-256 and a MAC with SHA-256, `compatible` is triple DES and a MAC
    with SHA-1: secure only by the passphrase. Raises PassphraseRefused and, where the certificate is of another key,
    KeyFileMalformed.
    """
    if not _WRITABLE.fullmatch(passphrase):
        del passphrase
        raise PassphraseRefused("not a passphrase of 20 to 256 printable ASCII characters")
    _same_key(key, certificate)
    above = [pkcs12.PKCS12Certificate(each.x509, None) for each in chain]
    scheme, rounds = _SCHEMES[format]
    mac = hashes.SHA256() if format is Format.MODERN else hashes.SHA1()  # noqa: S303 - the only one old programs read
    protection = PrivateFormat.PKCS12.encryption_builder().kdf_rounds(rounds).key_cert_algorithm(scheme).hmac_hash(mac)
    return pkcs12.serialize_key_and_certificates(
        friendly_name.encode(), key, certificate.x509, above or None, protection.build(passphrase.encode())
    )


def read_pkcs12(data: bytes, passphrase: str) -> tuple[PrivateKey, Certificate, tuple[Certificate, ...]]:
    """The key of a file, its certificate, and the other certificates in the file's order.

    Raises KeyFileMalformed, KeyFileTooLarge, KeyKindRefused and PassphraseWrong.
    """
    if len(data) > MAX_FILE:
        raise KeyFileTooLarge(f"a PKCS#12 file of more than {MAX_FILE} octets")
    check_pkcs12_effort(data)
    found = _open(data, passphrase=passphrase_octets(passphrase))
    if found.key is None or found.cert is None:
        raise KeyFileMalformed("a PKCS#12 file without a private key and the certificate that belongs to it")
    key = as_private_key(found.key)
    try:
        certificate, *chain = (
            Certificate.from_der(each.certificate.public_bytes(Encoding.DER))
            for each in (found.cert, *found.additional_certs)
        )
    except CertificateMalformed as refusal:
        raise KeyFileMalformed(refusal.detail) from None
    _same_key(key, certificate)
    return key, certificate, tuple(chain)


def _open(data: bytes, *, passphrase: bytes) -> pkcs12.PKCS12KeyAndCertificates:
    try:
        return pkcs12.load_pkcs12(data, passphrase)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        wrong = "password" in str(error)  # one text stands for a wrong passphrase and for a changed file
        del data, passphrase
        if wrong:
            raise PassphraseWrong("the passphrase does not open the file, or the file was changed") from None
        raise KeyFileMalformed("not a PKCS#12 file that can be read") from None


def _same_key(key: PrivateKey, certificate: Certificate) -> None:
    if spki_der(key.public_key()) != certificate.spki:
        raise KeyFileMalformed("the certificate does not belong to the private key")

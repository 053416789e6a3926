"""Private keys as software: made, written, and read from files."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from cryptography.exceptions import UnsupportedAlgorithm as LibraryRefuses
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_der_private_key,
)

from formats import pem
from formats.algorithms import AlgorithmRefused, KeyKind, check_public_key_strength
from formats.algorithms import UnsupportedAlgorithm as UnknownKey
from formats.errors import Malformed, TooLarge
from keys.effort import check_key_effort, is_encrypted
from keys.errors import KeyFileMalformed, KeyFileTooLarge, KeyKindRefused, PassphraseWrong

PrivateKey = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey

MAX_KEY_FILE: Final = 64 * 1024
MAX_PASSPHRASE: Final = 1024

_CURVES: Final[Mapping[KeyKind, ec.EllipticCurve]] = {KeyKind.P256: ec.SECP256R1(), KeyKind.P384: ec.SECP384R1()}
_RSA_BITS: Final = {KeyKind.RSA2048: 2048, KeyKind.RSA3072: 3072, KeyKind.RSA4096: 4096}
_LABELS: Final = ("PRIVATE KEY", "ENCRYPTED PRIVATE KEY", "RSA PRIVATE KEY", "EC PRIVATE KEY")


def generate(kind: KeyKind) -> PrivateKey:
    """Make a new private key of this kind; RSA takes 0.1 to 0.5 seconds."""
    if (curve := _CURVES.get(kind)) is not None:
        return ec.generate_private_key(curve)
    return rsa.generate_private_key(public_exponent=65537, key_size=_RSA_BITS[kind])


def to_pkcs8(key: PrivateKey) -> bytes:
    """The key as unencrypted PKCS#8 DER (RFC 5958): only for the vault to seal, never to be stored as it is."""
    return key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())


def to_pem(key: PrivateKey, *, passphrase: str | None) -> bytes:
    """The key as PKCS#8 PEM for a file of its owner's, encrypted unless `passphrase` is None (the demo's root)."""
    sealing = NoEncryption() if passphrase is None else BestAvailableEncryption(passphrase_octets(passphrase))
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, sealing)


def load_pkcs8(der: bytes, *, check: bool) -> PrivateKey:
    """Load an unencrypted key: `check=True` for any from outside, `check=False` for what was sealed here.

    The check of an RSA key takes 30 to 90 ms and proves that its parts belong together; without it loading takes
    microseconds. Raises KeyFileMalformed and KeyKindRefused.
    """
    key = _load(der, passphrase=None, check=False)
    if check and isinstance(key, rsa.RSAPrivateKey):  # its size is known to be bounded only now
        return _load(der, passphrase=None, check=True)
    return key


def read_pem_private(data: bytes, passphrase: str | None) -> PrivateKey:
    """Read the one private key of a file, PEM or DER: PKCS#8, encrypted or not, or unencrypted PKCS#1 or SEC 1.

    A passphrase that an unencrypted file does not need is passed over. Raises KeyFileMalformed, KeyFileTooLarge,
    KeyKindRefused and PassphraseWrong.
    """
    der = _only_key(data)
    if not is_encrypted(der):
        return load_pkcs8(der, check=True)
    check_key_effort(der)
    if passphrase is None:
        raise PassphraseWrong("the key is encrypted and no passphrase was given")
    return load_pkcs8(to_pkcs8(_load(der, passphrase=passphrase_octets(passphrase), check=False)), check=True)


def passphrase_octets(passphrase: str) -> bytes:
    """The octets of a passphrase that opens a file; PassphraseWrong where no file can have it."""
    try:
        octets = passphrase.encode()
    except UnicodeEncodeError:
        octets = b""
    if not 0 < len(octets) <= MAX_PASSPHRASE:
        del passphrase
        raise PassphraseWrong(f"a passphrase has 1 to {MAX_PASSPHRASE} octets of UTF-8")
    return octets


def as_private_key(key: object) -> PrivateKey:
    """The same key, once it is known to be of a kind and size that is used here; else KeyKindRefused."""
    if not isinstance(key, rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey):
        raise KeyKindRefused("a private key that is neither RSA nor EC")
    try:
        check_public_key_strength(key.public_key())
    except (AlgorithmRefused, UnknownKey) as refusal:
        raise KeyKindRefused(refusal.detail) from None
    return key


def _only_key(data: bytes) -> bytes:
    if len(data) > MAX_KEY_FILE:
        raise KeyFileTooLarge(f"a key file of more than {MAX_KEY_FILE} octets")
    try:
        found = pem.unwrap(data, *_LABELS)
    except (Malformed, TooLarge) as refusal:
        raise KeyFileMalformed(refusal.detail) from None
    if len(found) != 1:
        raise KeyFileMalformed("more than one private key in one file")
    return found[0]


def _load(der: bytes, *, passphrase: bytes | None, check: bool) -> PrivateKey:
    """Load and judge the key; neither its octets nor the passphrase stay where a traceback would show them."""
    try:
        key = load_der_private_key(der, passphrase, unsafe_skip_rsa_key_validation=not check)
    except (ValueError, TypeError, LibraryRefuses):
        encrypted = passphrase is not None
        del der, passphrase
        if encrypted:
            raise PassphraseWrong("the passphrase does not open the key") from None
        raise KeyFileMalformed("not a private key that can be read, or its parts do not belong together") from None
    del der, passphrase
    return as_private_key(key)

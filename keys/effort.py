"""Effort, the work that an encrypted key file demands before its passphrase can be tried, and the bounds on it.

Whoever writes a file chooses the rounds of its key derivation, so a small file can ask for hours. What is counted here
lies in the clear: PBES2 with PBKDF2 or scrypt (RFC 8018, RFC 7914), the PKCS#12 schemes, and both MACs of a PKCS#12
file (RFC 7292 4, RFC 9879).
"""

from __future__ import annotations

from typing import Final

from formats import ber, oids
from formats.errors import Malformed, TooLarge
from keys.errors import KeyFileMalformed, KeyFileTooLarge

MAX_ROUNDS: Final = 10_000_000  # of all derivations of one file together: some seconds
MAX_SCRYPT: Final = 1 << 20  # N * r * p: at most 128 MiB (RFC 7914 2), about a second
MAX_ENCRYPTED_KEY: Final = 8 * 1024  # an RSA-8192 key has 4.7 KiB, and the check of a much larger one takes minutes
MAX_BAGS: Final = 100

_PBES2: Final = "1.2.840.113549.1.5.13"
_PBMAC1: Final = "1.2.840.113549.1.5.14"
_PBKDF2: Final = "1.2.840.113549.1.5.12"
_SCRYPT: Final = "1.3.6.1.4.1.11591.4.11"
_SALT_AND_ROUNDS: Final = ("1.2.840.113549.1.5.", "1.2.840.113549.1.12.1.")  # PBES1 and the PKCS#12 schemes
_BAGS: Final = "1.2.840.113549.1.12.10.1."
_KEY_BAG, _SHROUDED_KEY_BAG, _NESTED_BAG = f"{_BAGS}1", f"{_BAGS}2", f"{_BAGS}6"


def is_encrypted(der: bytes) -> bool:
    """Whether this is an EncryptedPrivateKeyInfo (RFC 5958 3), which alone of all forms begins with a SEQUENCE."""
    try:
        return ber.read(der).fields(ber.SEQUENCE).any().tag == ber.SEQUENCE
    except (Malformed, TooLarge):
        return False


def check_key_effort(der: bytes) -> None:
    """Refuse an EncryptedPrivateKeyInfo that costs more than MAX_ROUNDS (or MAX_SCRYPT) to open: KeyFileTooLarge."""
    try:
        _bound(_encrypted_key_rounds(ber.read(der)))
    except (Malformed, TooLarge) as refusal:
        raise _as_key_file(refusal) from None


def check_pkcs12_effort(data: bytes) -> None:
    """Refuse a PFX (RFC 7292 4) that costs more than MAX_ROUNDS to open, or whose shape hides what it costs."""
    try:
        pfx = ber.read(data).fields(ber.SEQUENCE)
        pfx.take(ber.INTEGER)
        rounds = _safe_rounds(_content(pfx.take(ber.SEQUENCE)))
        mac = pfx.optional(ber.SEQUENCE)
        if mac is None:
            raise KeyFileMalformed("a PKCS#12 file without a MAC")
        _bound(rounds + _mac_rounds(mac))
    except (Malformed, TooLarge) as refusal:
        raise _as_key_file(refusal) from None


def _as_key_file(refusal: Malformed | TooLarge) -> Malformed | TooLarge:
    if isinstance(refusal, KeyFileMalformed | KeyFileTooLarge):
        return refusal
    kind = KeyFileTooLarge if isinstance(refusal, TooLarge) else KeyFileMalformed
    return kind(refusal.detail)


def _bound(rounds: int) -> None:
    if rounds > MAX_ROUNDS:
        raise KeyFileTooLarge(f"more than {MAX_ROUNDS} rounds of key derivation")


def _count(element: ber.Element) -> int:
    number = element.integer()
    if number < 1:
        raise KeyFileMalformed("a count of rounds below one")
    return number


def _content(info: ber.Element) -> ber.Element:
    """The octets of a ContentInfo of type data, read as BER again."""
    fields = info.fields(ber.SEQUENCE)
    if fields.take(ber.OID).oid() != oids.DATA:
        raise KeyFileMalformed("a PKCS#12 file that is protected by public keys")
    return ber.read(_only(fields.take(ber.context(0))).octets())


def _only(wrapped: ber.Element) -> ber.Element:
    fields = wrapped.fields()
    inner = fields.any()
    fields.end()
    return inner


def _safe_rounds(safe: ber.Element) -> int:
    """The rounds of an AuthenticatedSafe (RFC 7292 4.1)."""
    infos = safe.fields(ber.SEQUENCE).rest()
    if len(infos) > MAX_BAGS:
        raise KeyFileTooLarge(f"more than {MAX_BAGS} parts in one file")
    return sum(map(_info_rounds, infos))


def _info_rounds(info: ber.Element) -> int:
    fields = info.fields(ber.SEQUENCE)
    if fields.take(ber.OID).oid() != oids.ENCRYPTED_DATA:
        return _bags_rounds(_content(info))
    encrypted = _only(fields.take(ber.context(0))).fields(ber.SEQUENCE)
    encrypted.take(ber.INTEGER)
    content = encrypted.take(ber.SEQUENCE).fields()
    content.take(ber.OID)
    return _algorithm_rounds(content.take(ber.SEQUENCE))


def _bags_rounds(bags: ber.Element) -> int:
    found = bags.fields(ber.SEQUENCE).rest()
    if len(found) > MAX_BAGS:
        raise KeyFileTooLarge(f"more than {MAX_BAGS} bags in one part")
    return sum(map(_bag_rounds, found))


def _bag_rounds(bag: ber.Element) -> int:
    fields = bag.fields(ber.SEQUENCE)
    kind = fields.take(ber.OID).oid()
    if kind == _NESTED_BAG:
        raise KeyFileMalformed("a PKCS#12 file with bags inside bags")
    value = _only(fields.take(ber.context(0)))
    if kind == _KEY_BAG and len(value) > MAX_ENCRYPTED_KEY:
        raise KeyFileTooLarge("a private key that is too large")
    return _encrypted_key_rounds(value) if kind == _SHROUDED_KEY_BAG else 0


def _encrypted_key_rounds(key: ber.Element) -> int:
    if len(key) > MAX_ENCRYPTED_KEY:
        raise KeyFileTooLarge("a private key that is too large")
    return _algorithm_rounds(key.fields(ber.SEQUENCE).take(ber.SEQUENCE))


def _algorithm_rounds(identifier: ber.Element) -> int:
    """The rounds of a password-based AlgorithmIdentifier; a scheme that cannot be counted is refused."""
    fields = identifier.fields(ber.SEQUENCE)
    oid = fields.take(ber.OID).oid()
    parameters = fields.take(ber.SEQUENCE).fields()
    if oid in {_PBES2, _PBMAC1}:
        return _derivation_rounds(parameters.take(ber.SEQUENCE))
    if not oid.startswith(_SALT_AND_ROUNDS):
        raise KeyFileMalformed(f"the encryption scheme {oid} is not known here")
    parameters.take(ber.OCTET_STRING)
    return _count(parameters.take(ber.INTEGER))


def _derivation_rounds(identifier: ber.Element) -> int:
    fields = identifier.fields()
    oid = fields.take(ber.OID).oid()
    parameters = fields.take(ber.SEQUENCE).fields()
    parameters.take(ber.OCTET_STRING)
    if oid == _PBKDF2:
        return _count(parameters.take(ber.INTEGER))
    if oid != _SCRYPT:
        raise KeyFileMalformed(f"the key derivation {oid} is not known here")
    cost = _count(parameters.take(ber.INTEGER)) * _count(parameters.take(ber.INTEGER))
    if cost * _count(parameters.take(ber.INTEGER)) > MAX_SCRYPT:
        raise KeyFileTooLarge("a key derivation by scrypt that needs too much memory")
    return 1


def _mac_rounds(mac: ber.Element) -> int:
    """The rounds of a MacData: those it states itself, or with PBMAC1 those in its algorithm (RFC 9879 3)."""
    fields = mac.fields()
    digest = fields.take(ber.SEQUENCE).fields()
    identifier = digest.take(ber.SEQUENCE)
    if identifier.fields().take(ber.OID).oid() == _PBMAC1:
        return _algorithm_rounds(identifier)
    fields.take(ber.OCTET_STRING)
    rounds = fields.optional(ber.INTEGER)
    return 1 if rounds is None else _count(rounds)

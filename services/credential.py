"""Credential, the secret of an API key: how it is made, how it looks, and the form in which it is stored."""

from __future__ import annotations

import hashlib
import re
import secrets
import zlib
from types import MappingProxyType
from typing import Final

_PREFIX: Final = "ms_live_"
_ALPHABET: Final = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_DIGITS: Final = MappingProxyType({digit: value for value, digit in enumerate(_ALPHABET)})
_OCTETS: Final = 32
_SECRET_WIDTH: Final = 43
_CHECK_WIDTH: Final = 6
_FORM: Final = re.compile(rf"{_PREFIX}([0-9A-Za-z]{{{_SECRET_WIDTH}}})([0-9A-Za-z]{{{_CHECK_WIDTH}}})", re.ASCII)


def new() -> str:
    """A fresh one: prefix, 32 random octets and their CRC-32, in base 62, so that a double click selects all of it."""
    return _written(secrets.token_bytes(_OCTETS))


def is_well_formed(text: str) -> bool:
    """Whether it could be one of ours: an empty or mistyped credential never reaches the database."""
    match = _FORM.fullmatch(text)
    if match is None:
        return False
    number = 0
    for digit in match[1]:
        number = number * len(_ALPHABET) + _DIGITS[digit]
    return number < 1 << 8 * _OCTETS and _check(number.to_bytes(_OCTETS, "big")) == match[2]


def hash_of(text: str) -> str:
    """The form in which it is stored: it holds 256 random bits, so one SHA-256 is enough."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def hint_of(text: str) -> str:
    """Its first characters, by which people tell keys apart."""
    return text[: len(_PREFIX) + 4]


def _written(octets: bytes) -> str:
    secret = _base62(int.from_bytes(octets, "big"), width=_SECRET_WIDTH)
    return _PREFIX + secret + _check(octets)


def _check(octets: bytes) -> str:
    return _base62(zlib.crc32(octets), width=_CHECK_WIDTH)


def _base62(number: int, *, width: int) -> str:
    digits = []
    for _ in range(width):
        number, digit = divmod(number, len(_ALPHABET))
        digits.append(_ALPHABET[digit])
    return "".join(reversed(digits))

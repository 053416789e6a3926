"""The DER writer (X.690): definite, minimal encodings.

DerError   Unacceptable: the value has no encoding in the type that was asked for
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from functools import lru_cache
from typing import ClassVar, Final

from formats.ber import (
    BIT_STRING,
    BOOLEAN,
    GENERALIZED_TIME,
    IA5_STRING,
    INTEGER,
    NULL,
    OCTET_STRING,
    OID,
    PRINTABLE_STRING,
    SEQUENCE,
    SET,
    UTC_TIME,
    UTF8_STRING,
    context,
)
from formats.errors import Unacceptable

_CONSTRUCTED: Final = 0x20
_PRINTABLE: Final = re.compile(r"[A-Za-z0-9 '()+,\-./:=?]*")
_DOTTED: Final = re.compile(r"[0-2](?:\.(?:0|[1-9][0-9]{0,99})){1,100}", re.ASCII)


class DerError(Unacceptable):
    """The value has no encoding in the type that was asked for."""

    code: ClassVar[str] = "der_unencodable"
    hint: ClassVar[str] = "leave out the characters that cannot be written"


def length(n: int) -> bytes:
    """The length octets of a content of `n` octets."""
    if n < 0x80:
        return bytes((n,))
    octets = (n.bit_length() + 7) // 8
    return bytes((0x80 | octets,)) + n.to_bytes(octets, "big")


def header(tag: int, n: int, constructed: bool) -> bytes:
    """Identifier and length octets of a content of `n` octets."""
    return bytes((tag | _CONSTRUCTED if constructed else tag,)) + length(n)


def encode(tag: int, content: bytes, *, constructed: bool) -> bytes:
    """One value; `tag` as in formats.ber, without the constructed bit."""
    return header(tag, len(content), constructed) + content


def sequence(*parts: bytes) -> bytes:
    """A SEQUENCE of parts that are encoded already."""
    return encode(SEQUENCE, b"".join(parts), constructed=True)


def set_of(*parts: bytes) -> bytes:
    """A SET OF parts that are encoded already, in the order of X.690 11.6."""
    return encode(SET, b"".join(sorted(parts)), constructed=True)


def integer(value: int) -> bytes:
    """An INTEGER."""
    size = (value if value >= 0 else value + 1).bit_length() // 8 + 1
    return encode(INTEGER, value.to_bytes(size, "big", signed=True), constructed=False)


def boolean(value: bool) -> bytes:
    """A BOOLEAN."""
    return encode(BOOLEAN, b"\xff" if value else b"\0", constructed=False)


def octets(value: bytes) -> bytes:
    """An OCTET STRING."""
    return encode(OCTET_STRING, value, constructed=False)


def bits(value: bytes, *, unused: int = 0) -> bytes:
    """A BIT STRING whose last `unused` bits (0 to 7) do not count; they are written as zero (X.690 11.2.1)."""
    if not 0 <= unused <= 7 or (unused and not value):
        raise DerError("a bit string cannot have that many unused bits")
    if unused:
        value = value[:-1] + bytes((value[-1] >> unused << unused,))
    return encode(BIT_STRING, bytes((unused,)) + value, constructed=False)


def named_bits(*positions: int) -> bytes:
    """A BIT STRING with these bits set and no trailing zero bit (X.690 11.2.2)."""
    size = max(positions, default=-1) + 1
    octet_count = (size + 7) // 8
    value = sum(1 << (8 * octet_count - 1 - position) for position in set(positions))
    return bits(value.to_bytes(octet_count, "big"), unused=8 * octet_count - size)


def null() -> bytes:
    """NULL."""
    return bytes((NULL, 0))


@lru_cache(maxsize=1024)
def oid(dotted: str) -> bytes:
    """An OBJECT IDENTIFIER from its dotted form."""
    if not _DOTTED.fullmatch(dotted):
        raise DerError("not an object identifier in dotted form")
    first, second, *arcs = map(int, dotted.split("."))
    if first < 2 and second > 39:
        raise DerError("not an object identifier: its second arc is above 39")
    content = b"".join(_arc(arc) for arc in (40 * first + second, *arcs))
    return encode(OID, content, constructed=False)


def utf8(value: str) -> bytes:
    """A UTF8String."""
    try:
        return encode(UTF8_STRING, value.encode("utf-8"), constructed=False)
    except UnicodeEncodeError as error:
        raise DerError("a text with half of a surrogate pair") from error


def printable(value: str) -> bytes:
    """A PrintableString; DerError for a character outside its repertoire (X.680 41.4)."""
    if not _PRINTABLE.fullmatch(value):
        raise DerError("a character that a PrintableString cannot hold")
    return encode(PRINTABLE_STRING, value.encode("ascii"), constructed=False)


def ia5(value: str) -> bytes:
    """An IA5String; DerError for a character outside ASCII."""
    if not value.isascii():
        raise DerError("a character that an IA5String cannot hold")
    return encode(IA5_STRING, value.encode("ascii"), constructed=False)


def explicit(n: int, inner: bytes) -> bytes:
    """[n] EXPLICIT around one encoded value."""
    return encode(context(n), inner, constructed=True)


def implicit(n: int, content: bytes, *, constructed: bool) -> bytes:
    """[n] IMPLICIT: the content octets of a value under another tag."""
    return encode(context(n), content, constructed=constructed)


def time(moment: datetime) -> bytes:
    """UTCTime from 1950 to 2049, else GeneralizedTime (RFC 5280 4.1.2.5); fractions of a second are cut."""
    utc = _utc(moment)
    if not 1950 <= utc.year <= 2049:
        return generalized_time(utc)
    return encode(UTC_TIME, f"{utc:%y%m%d%H%M%SZ}".encode(), constructed=False)


def generalized_time(moment: datetime) -> bytes:
    """GeneralizedTime in whole seconds; fractions of a second are cut."""
    utc = _utc(moment)
    return encode(GENERALIZED_TIME, f"{utc.year:04}{utc:%m%d%H%M%SZ}".encode(), constructed=False)


def _utc(moment: datetime) -> datetime:
    if moment.tzinfo is None:
        raise DerError("a time without a zone")
    try:
        return moment.astimezone(UTC)
    except OverflowError as error:
        raise DerError("a time outside the years 1 to 9999") from error


def _arc(arc: int) -> bytes:
    octets_ = [arc & 0x7F]
    while arc := arc >> 7:
        octets_.append(0x80 | arc & 0x7F)
    return bytes(reversed(octets_))

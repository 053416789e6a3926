"""Content octets of primitive values: what they mean, and what DER forbids in them (X.690 8 and 11)."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Final

MAX_OID_OCTETS: Final = 128

_UTC_TIME: Final = re.compile(rb"([0-9]{2})([0-9]{2})([0-9]{2})([0-9]{2})([0-9]{2})([0-9]{2})?Z")
_GENERALIZED_TIME: Final = re.compile(
    rb"([0-9]{4})([0-9]{2})([0-9]{2})([0-9]{2})([0-9]{2})([0-9]{2})(?:\.([0-9]{0,30}[1-9]))?Z"
)


@lru_cache(maxsize=1024)
def dotted(content: bytes) -> str | None:
    """The dotted form of an object identifier, or None where it is none (X.690 8.19)."""
    if not content or len(content) > MAX_OID_OCTETS or content[-1] & 0x80:
        return None
    arcs: list[int] = []
    arc = 0
    fresh = True
    for octet in content:
        if fresh and octet == 0x80:  # a padded arc: two encodings of one identifier
            return None
        arc = arc << 7 | octet & 0x7F
        fresh = not octet & 0x80
        if fresh:
            arcs.append(arc)
            arc = 0
    first = min(arcs[0] // 40, 2)
    return ".".join(map(str, (first, arcs[0] - 40 * first, *arcs[1:])))


def utc_time(content: bytes) -> datetime | None:
    """The moment of a UTCTime YYMMDDhhmm[ss]Z, 1950 to 2049 (RFC 5280 4.1.2.5.1), or None where it is none."""
    match = _UTC_TIME.fullmatch(content)
    if match is None:
        return None
    year, *rest = (int(part or 0) for part in match.groups())
    return _moment([year + (1900 if year >= 50 else 2000), *rest])


def generalized_time(content: bytes) -> datetime | None:
    """The moment of a GeneralizedTime YYYYMMDDhhmmss[.f]Z (X.690 11.7), or None where it is none."""
    match = _GENERALIZED_TIME.fullmatch(content)
    if match is None:
        return None
    *whole, fraction = match.groups(b"0")
    moment = _moment([int(part) for part in whole])
    return moment and moment + timedelta(microseconds=int(fraction[:6].ljust(6, b"0")))


def boolean_fault(content: bytes) -> str | None:
    """What DER forbids in a BOOLEAN (X.690 11.1)."""
    return None if content in {b"\0", b"\xff"} else "a boolean other than 00 or FF, which DER forbids"


def integer_fault(content: bytes) -> str | None:
    """What X.690 8.3.2 forbids in an INTEGER."""
    if not content:
        return "an integer without octets"
    if len(content) > 1 and ((content[0] == 0 and content[1] < 0x80) or (content[0] == 0xFF and content[1] >= 0x80)):
        return "an integer longer than it need be"
    return None


def bits_fault(content: bytes) -> str | None:
    """What X.690 8.6.2 and 11.2.1 forbid in a primitive BIT STRING."""
    if impossible_unused(content):
        return "a bit string whose count of unused bits cannot be"
    return "unused bits that are not zero" if content[0] and content[-1] & ((1 << content[0]) - 1) else None


def impossible_unused(content: bytes) -> bool:
    """Whether the first octet of a primitive BIT STRING is no count of unused bits."""
    return not content or content[0] > 7 or (content[0] > 0 and len(content) == 1)


def _moment(parts: list[int]) -> datetime | None:
    year, month, day, hour, minute, second = parts
    try:
        return datetime(year, month, day, hour, minute, second, tzinfo=UTC)
    except ValueError:
        return None

"""Timestamp, a time on the wire: RFC 3339 in UTC with Z and whole seconds; fractions in a request are cut."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Annotated, Final

from pydantic import BeforeValidator, PlainSerializer, WithJsonSchema

_RFC3339: Final = re.compile(
    r"(\d{4}-\d{2}-\d{2})[Tt]((?:[01]\d|2[0-3]):\d{2}:\d{2})(?:\.\d{1,20})?(?:[Zz]|([+-]\d{2}:\d{2}))", re.ASCII
)


def read(text: object) -> datetime:
    """The time that a text of RFC 3339 section 5.6 names; ValueError for anything else, also without a zone."""
    if isinstance(text, datetime):
        return text
    match = _RFC3339.fullmatch(text) if isinstance(text, str) else None
    if match is None:
        raise ValueError("not a time like 2026-01-31T09:00:00Z (RFC 3339)")
    day, clock, offset = match.groups()
    try:
        return datetime.fromisoformat(f"{day}T{clock}{offset or '+00:00'}").astimezone(UTC)
    except (ValueError, OverflowError):
        raise ValueError("not a time that exists") from None


def write(at: datetime) -> str:
    """The time as text, with Z and whole seconds."""
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


Timestamp = Annotated[
    datetime,
    BeforeValidator(read),
    PlainSerializer(write),
    WithJsonSchema({"type": "string", "format": "date-time", "examples": ["2026-01-31T09:00:00Z"]}),
]

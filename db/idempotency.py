"""Idempotency keys: what a principal's request made, so that its repetition makes nothing."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy import Column, Table, select

from db.columns import METADATA, Line, UtcDateTime
from db.engine import Read, Write


@dataclass(frozen=True, slots=True, kw_only=True)
class IdempotencyRow:
    """The digest of a request, and kind and id of what it made."""

    principal: str
    key: str
    request_sha256: str
    kind: str
    object_id: str | None
    created_at: datetime


IDEMPOTENCY: Final = Table(
    "idempotency",
    METADATA,
    Column("principal", Line(1000), primary_key=True),
    Column("key", Line(1000), primary_key=True),
    Column("request_sha256", Line(), nullable=False),
    Column("kind", Line(), nullable=False),
    Column("object_id", Line()),
    Column("created_at", UtcDateTime(), nullable=False),
)


def insert(write: Write, row: IdempotencyRow) -> None:
    """Store what the request made; AlreadyThere if this principal used the key before."""
    write.insert(IDEMPOTENCY, row)


def find(read: Read, principal: str, key: str) -> IdempotencyRow | None:
    """What this principal's key stands for."""
    return read.one(
        select(IDEMPOTENCY).where(IDEMPOTENCY.c.principal == principal, IDEMPOTENCY.c.key == key), IdempotencyRow
    )

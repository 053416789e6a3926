"""Private keys kept here, each sealed by the vault; what opens it is bound to its id, owner and purpose."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from sqlalchemy import Column, LargeBinary, Table, bindparam, select

from db.columns import METADATA, Line, UtcDateTime, one_of
from db.engine import Read, Write
from db.prepared import Prepared


@dataclass(frozen=True, slots=True, kw_only=True)
class PrivateKeyRow:
    """One sealed key; it is kept after its certificate ends, where it opens old mail."""

    id: str
    owner: str
    purpose: str
    kind: str
    spki_sha256: str
    kek_id: str
    wrapped_key: bytes = field(repr=False)
    ciphertext: bytes = field(repr=False)
    created_at: datetime


PRIVATE_KEYS: Final = Table(
    "private_keys",
    METADATA,
    Column("id", Line(), primary_key=True),
    Column("owner", Line(), nullable=False),
    Column("purpose", Line(), nullable=False),
    Column("kind", Line(), nullable=False),
    Column("spki_sha256", Line(), nullable=False),
    Column("kek_id", Line(), nullable=False),
    Column("wrapped_key", LargeBinary, nullable=False),
    Column("ciphertext", LargeBinary, nullable=False),
    Column("created_at", UtcDateTime(), nullable=False),
    one_of("purpose", "ca", "ocsp", "sign", "decrypt"),
)
_BY_ID: Final = Prepared(
    select(PRIVATE_KEYS).where(PRIVATE_KEYS.c.id == bindparam("key_id", type_=Line())), PrivateKeyRow
)


def insert(write: Write, row: PrivateKeyRow) -> None:
    """Store a sealed key; AlreadyThere if its id is."""
    write.insert(PRIVATE_KEYS, row)


def find(read: Read, key_id: str) -> PrivateKeyRow | None:
    """One key by its id."""
    return next(iter(read.ask(_BY_ID, key_id=key_id)), None)

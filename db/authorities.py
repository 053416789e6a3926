"""Authorities: our own CA certificates, the root first."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from sqlalchemy import Column, ForeignKey, LargeBinary, Table, select

from db.columns import METADATA, Line, UtcDateTime, one_of
from db.engine import Read, Write


@dataclass(frozen=True, slots=True, kw_only=True)
class AuthorityRow:
    """One CA: `id` stands in its URLs; `key_id` is None where the key is not kept here."""

    id: str
    kind: str
    common_name: str
    certificate: bytes = field(repr=False)
    serial: str
    sha256: str
    key_id: str | None
    not_before: datetime
    not_after: datetime
    created_at: datetime


AUTHORITIES: Final = Table(
    "authorities",
    METADATA,
    Column("id", Line(), primary_key=True),
    Column("kind", Line(), nullable=False),
    Column("common_name", Line(8000), nullable=False),
    Column("certificate", LargeBinary, nullable=False),
    Column("serial", Line(), nullable=False, unique=True),
    Column("sha256", Line(), nullable=False, unique=True),
    Column("key_id", Line(), ForeignKey("private_keys.id")),
    Column("not_before", UtcDateTime(), nullable=False),
    Column("not_after", UtcDateTime(), nullable=False),
    Column("created_at", UtcDateTime(), nullable=False),
    one_of("kind", "root", "issuing"),
)


def insert(write: Write, row: AuthorityRow) -> None:
    """Store a CA; AlreadyThere if there is one of this id, serial or certificate."""
    write.insert(AUTHORITIES, row)


def find(read: Read, authority_id: str) -> AuthorityRow | None:
    """One CA by its id."""
    return read.one(select(AUTHORITIES).where(AUTHORITIES.c.id == authority_id), AuthorityRow)


def all_(read: Read) -> list[AuthorityRow]:
    """All CAs: the root, then the others as they were made."""
    by_age = (AUTHORITIES.c.kind == "issuing", AUTHORITIES.c.created_at, AUTHORITIES.c.id)
    return read.many(select(AUTHORITIES).order_by(*by_age), AuthorityRow)


def lock(write: Write, authority_id: str) -> bool:
    """Let nobody else who locks this CA go on before this Write ends; False if there is no such CA."""
    return bool(write.values(select(AUTHORITIES.c.id).where(AUTHORITIES.c.id == authority_id).with_for_update()))

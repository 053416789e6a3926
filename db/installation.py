"""The installation: the one row that says what this CA was founded as, and what its certificates say for years."""

from __future__ import annotations

from dataclasses import dataclass, fields
from datetime import datetime
from typing import Final

from sqlalchemy import Boolean, Column, Integer, Table, select

from db.columns import METADATA, Line, UtcDateTime, Words, one_of, rule
from db.engine import Read, Write

_ONLY: Final = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Installation:
    """What was fixed by the founding, and the id of the key-encryption key that seals every private key."""

    demo: bool
    campus_name: str
    country: str
    organization_id: str
    mail_domains: tuple[str, ...]
    status_url: str
    name_constraints: str
    policy_arc: str
    kek_id: str
    created_at: datetime


INSTALLATION: Final = Table(
    "installation",
    METADATA,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("demo", Boolean, nullable=False),
    Column("campus_name", Line(), nullable=False),
    Column("country", Line(), nullable=False),
    Column("organization_id", Line(), nullable=False),
    Column("mail_domains", Words(), nullable=False),
    Column("status_url", Line(), nullable=False),
    Column("name_constraints", Line(), nullable=False),
    Column("policy_arc", Line(), nullable=False),
    Column("kek_id", Line(), nullable=False),
    Column("created_at", UtcDateTime(), nullable=False),
    rule("only_one", "id = 1"),
    one_of("name_constraints", "critical", "noncritical", "off"),
)
_ROW: Final = select(*(INSTALLATION.c[field.name] for field in fields(Installation)))


def find(read: Read) -> Installation | None:
    """The installation, or None before the founding."""
    return read.one(_ROW, Installation)


def insert(write: Write, row: Installation) -> None:
    """Store the installation; AlreadyThere if somebody founded before."""
    write.insert(INSTALLATION, row, id=_ONLY)

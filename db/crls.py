"""CRLs as they were signed: their numbers rise by one and never fork."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from sqlalchemy import BigInteger, Column, ForeignKey, LargeBinary, Table, func, select

from db import authorities
from db.columns import METADATA, Line, UtcDateTime, rule
from db.engine import Read, Write


@dataclass(frozen=True, slots=True, kw_only=True)
class CrlRow:
    """One CRL; the root's are signed ahead, so `this_update` may lie in the future."""

    authority_id: str
    number: int
    this_update: datetime
    next_update: datetime
    der: bytes = field(repr=False)
    created_at: datetime


CRLS: Final = Table(
    "crls",
    METADATA,
    Column("authority_id", Line(), ForeignKey("authorities.id"), primary_key=True),
    Column("number", BigInteger, primary_key=True, autoincrement=False),
    Column("this_update", UtcDateTime(), nullable=False),
    Column("next_update", UtcDateTime(), nullable=False),
    Column("der", LargeBinary, nullable=False),
    Column("created_at", UtcDateTime(), nullable=False),
    rule("number", "number > 0"),
    rule("span", "this_update < next_update"),
)


def insert(write: Write, row: CrlRow) -> None:
    """Store a CRL; AlreadyThere if the authority has one of this number."""
    write.insert(CRLS, row)


def current(read: Read, authority_id: str, now: datetime) -> CrlRow | None:
    """The CRL of the greatest number whose time has begun."""
    begun = select(CRLS).where(CRLS.c.authority_id == authority_id, CRLS.c.this_update <= now)
    return read.one(begun.order_by(CRLS.c.number.desc()).limit(1), CrlRow)


def last_number(read: Read, authority_id: str) -> int:
    """The greatest number given so far; 0 if none was."""
    (number,) = read.values(
        select(func.coalesce(func.max(CRLS.c.number), 0)).where(CRLS.c.authority_id == authority_id)
    )
    return int(number)


def next_number(write: Write, authority_id: str) -> int:
    """The next number, which nobody else is given before this Write ends.

    Take it before the entries are read, so that of two CRLs the higher number never knows less.
    """
    authorities.lock(write, authority_id)
    return last_number(write, authority_id) + 1

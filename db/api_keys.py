"""API keys, stored as hashes; a key and its successors in rotation share a lineage."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from sqlalchemy import Column, Integer, Table, UniqueConstraint, and_, bindparam, or_, select, update

from db.columns import METADATA, Line, UtcDateTime, Words, rule
from db.engine import Database, Read, Write
from db.prepared import Prepared


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiKeyRow:
    """One key: `lineage` is the id of the first of its line, `position` its place in it, from 0.

    `ended_at` may lie in the future: until then an old key and its successor both count.
    """

    id: str
    name: str
    key_sha256: str = field(repr=False)
    prefix_hint: str
    scopes: tuple[str, ...]
    mailboxes: tuple[str, ...]
    cidrs: tuple[str, ...]
    expires_at: datetime | None
    created_at: datetime
    created_by: str
    last_used_at: datetime | None
    ended_at: datetime | None
    lineage: str
    position: int


API_KEYS: Final = Table(
    "api_keys",
    METADATA,
    Column("id", Line(), primary_key=True),
    Column("name", Line(), nullable=False),
    Column("key_sha256", Line(), nullable=False, unique=True),
    Column("prefix_hint", Line(), nullable=False),
    Column("scopes", Words(), nullable=False),
    Column("mailboxes", Words(), nullable=False),
    Column("cidrs", Words(), nullable=False),
    Column("expires_at", UtcDateTime()),
    Column("created_at", UtcDateTime(), nullable=False),
    Column("created_by", Line(), nullable=False),
    Column("last_used_at", UtcDateTime()),
    Column("ended_at", UtcDateTime()),
    Column("lineage", Line(), nullable=False),
    Column("position", Integer, nullable=False),
    UniqueConstraint("lineage", "position"),
    rule("position", "position >= 0"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Member(ApiKeyRow):
    """A key, once for each of its line up to it."""

    member: str


_LINE: Final = API_KEYS.alias("line")
_BY_HASH: Final = Prepared(
    select(API_KEYS, _LINE.c.id.label("member"))
    .join(_LINE, and_(_LINE.c.lineage == API_KEYS.c.lineage, _LINE.c.position <= API_KEYS.c.position))
    .where(API_KEYS.c.key_sha256 == bindparam("key_sha256", type_=Line()))
    .order_by(_LINE.c.position),
    _Member,
)


def insert(write: Write, row: ApiKeyRow) -> None:
    """Store a key; AlreadyThere if its id, its hash or its place in the lineage is taken."""
    write.insert(API_KEYS, row)


def find_with_lineage(read: Read | Database, key_sha256: str) -> tuple[ApiKeyRow, tuple[str, ...]] | None:
    """The key of this hash, whether it still counts or not, and the ids of its predecessors and itself, oldest first."""
    rows = read.ask(_BY_HASH, key_sha256=key_sha256)
    return (rows[0], tuple(row.member for row in rows)) if rows else None


def find(read: Read, key_id: str) -> ApiKeyRow | None:
    """One key by its id."""
    return read.one(select(API_KEYS).where(API_KEYS.c.id == key_id), ApiKeyRow)


def page(read: Read, *, before_id: str | None, limit: int) -> list[ApiKeyRow]:
    """Up to `limit` keys, newest first, older than `before_id`."""
    rows = select(API_KEYS).order_by(API_KEYS.c.id.desc()).limit(limit)
    return read.many(rows if before_id is None else rows.where(API_KEYS.c.id < before_id), ApiKeyRow)


def touch(write: Write, key_id: str, *, now: datetime) -> bool:
    """Note that a key was used; False if there is none, or a later use was noted."""
    used = API_KEYS.c.last_used_at
    return bool(
        write.change(
            update(API_KEYS).where(API_KEYS.c.id == key_id, or_(used.is_(None), used < now)).values(last_used_at=now)
        )
    )


def end(write: Write, key_id: str, *, now: datetime) -> bool:
    """End a key at this time, which may come later; False if there is none, or it ends before."""
    ended = API_KEYS.c.ended_at
    return bool(
        write.change(
            update(API_KEYS).where(API_KEYS.c.id == key_id, or_(ended.is_(None), ended > now)).values(ended_at=now)
        )
    )


def lineage_ids(read: Read, lineage: str, *, up_to_position: int) -> list[str]:
    """The ids of a key and its predecessors, oldest first."""
    line = API_KEYS.c.lineage == lineage
    return read.values(
        select(API_KEYS.c.id).where(line, API_KEYS.c.position <= up_to_position).order_by(API_KEYS.c.position)
    )


def live_in_lineage(write: Write, lineage: str, *, now: datetime) -> list[ApiKeyRow]:
    """The keys of a line that have neither ended nor expired; nobody else is told before this Write ends."""
    # The first of the line is locked by itself, so that what is read next holds what the other before us inserted.
    write.execute(select(API_KEYS.c.id).where(API_KEYS.c.id == lineage).with_for_update())
    ended, expires = API_KEYS.c.ended_at, API_KEYS.c.expires_at
    live = (or_(ended.is_(None), ended > now), or_(expires.is_(None), expires > now))
    rows = select(API_KEYS).where(API_KEYS.c.lineage == lineage, *live)
    return write.many(rows.order_by(API_KEYS.c.position), ApiKeyRow)

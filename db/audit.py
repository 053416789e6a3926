"""The audit record: who did what when, one row for each change and each signature, never changed and never deleted."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Final

from sqlalchemy import Column, ColumnElement, Index, Select, Table, select

from db.columns import METADATA, Facts, Json, Line, UtcDateTime, one_of
from db.engine import Read, Write
from formats.mailbox import Mailbox


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditRow:
    """One entry; `signature_sha256` finds the record of a signature by the signature's value."""

    id: str
    at: datetime
    request_id: str
    action: str
    actor_kind: str
    actor_id: str | None
    actor_name: str
    object_kind: str
    object_id: str | None
    mailbox: str | None
    details: dict[str, Json]
    signature_sha256: str | None


AUDIT: Final = Table(
    "audit",
    METADATA,
    Column("id", Line(), primary_key=True),
    Column("at", UtcDateTime(), nullable=False),
    Column("request_id", Line(), nullable=False),
    Column("action", Line(), nullable=False),
    Column("actor_kind", Line(), nullable=False),
    Column("actor_id", Line()),
    Column("actor_name", Line(), nullable=False),
    Column("object_kind", Line(), nullable=False),
    Column("object_id", Line()),
    Column("mailbox", Line()),
    Column("mailbox_key", Line()),
    Column("details", Facts(), nullable=False),
    Column("signature_sha256", Line()),
    one_of("actor_kind", "api_key", "operator", "job", "link"),
)
_SIGNED: Final = AUDIT.c.signature_sha256.is_not(None)
Index(None, AUDIT.c.at)
Index(None, AUDIT.c.request_id)
Index(None, AUDIT.c.actor_id, AUDIT.c.id)
Index(None, AUDIT.c.object_id, AUDIT.c.id)
Index(None, AUDIT.c.mailbox_key, AUDIT.c.id)
Index(None, AUDIT.c.signature_sha256, sqlite_where=_SIGNED, postgresql_where=_SIGNED)

_ROW: Final = select(*(AUDIT.c[field.name] for field in fields(AuditRow)))


def insert(write: Write, row: AuditRow) -> None:
    """Store an entry."""
    write.insert(AUDIT, row, mailbox_key=_key(row.mailbox))


def insert_many(write: Write, rows: Iterable[AuditRow]) -> None:
    """Store several entries."""
    for row in rows:
        insert(write, row)


def find(read: Read, entry_id: str) -> AuditRow | None:
    """One entry by its id."""
    return read.one(_ROW.where(AUDIT.c.id == entry_id), AuditRow)


def page(
    read: Read,
    *,
    actor_ids: Sequence[str] | None,
    action: str | None = None,
    object_kind: str | None = None,
    object_id: str | None = None,
    mailbox: str | None = None,
    request_id: str | None = None,
    since: datetime | None = None,
    until: datetime | None = None,
    before_id: str | None,
    limit: int,
) -> list[AuditRow]:
    """Up to `limit` entries, newest first, older than `before_id`, from `since` on and before `until`.

    `actor_ids` None means everybody's entries, and none of them nobody's.
    """
    same = {
        "action": action,
        "object_kind": object_kind,
        "object_id": object_id,
        "mailbox_key": _key(mailbox),
        "request_id": request_id,
    }
    wanted: list[ColumnElement[bool]] = [AUDIT.c[name] == value for name, value in same.items() if value is not None]
    if actor_ids is not None:
        wanted.append(AUDIT.c.actor_id.in_(actor_ids))
    if since is not None:
        wanted.append(AUDIT.c.at >= since)
    if until is not None:
        wanted.append(AUDIT.c.at < until)
    if before_id is not None:
        wanted.append(AUDIT.c.id < before_id)
    return read.many(_ROW.where(*wanted).order_by(AUDIT.c.id.desc()).limit(limit), AuditRow)


def by_signature(read: Read, signature_sha256s: Sequence[str]) -> list[AuditRow]:
    """The records of these signatures, oldest first."""
    return read.many(_of_signatures(signature_sha256s), AuditRow)


def _of_signatures(signature_sha256s: Sequence[str]) -> Select[tuple[object, ...]]:
    return _ROW.where(_SIGNED, AUDIT.c.signature_sha256.in_(signature_sha256s)).order_by(AUDIT.c.id)


def _key(mailbox: str | None) -> str | None:
    return None if mailbox is None else Mailbox.parse(mailbox).key

"""The record of who did what: one row in the transaction of each change, and the list that auditors read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from db import audit
from db.audit import AuditRow, insert
from db.engine import new_id
from services import access
from services.access import Principal
from services.context import Context
from services.errors import AuditEntryNotFound

__all__ = ["AuditRow", "Filter", "entry", "insert", "page", "show"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Filter:
    """What a list of audit entries is narrowed to."""

    action: str | None = None
    object_kind: str | None = None
    object_id: str | None = None
    mailbox: str | None = None
    request_id: str | None = None
    since: datetime | None = None
    until: datetime | None = None


def entry(
    principal: Principal,
    *,
    at: datetime,
    action: str,
    object_kind: str,
    object_id: str | None,
    mailbox: str | None = None,
    details: Mapping[str, str | int | bool | None] | None = None,
    signature_sha256: str | None = None,
) -> AuditRow:
    """A new audit row; the caller inserts it in the transaction of the change that it records."""
    return AuditRow(
        id=new_id(),
        at=at,
        request_id=principal.request_id,
        action=action,
        actor_kind=principal.kind,
        actor_id=principal.id,
        actor_name=principal.name,
        object_kind=object_kind,
        object_id=object_id,
        mailbox=mailbox,
        details=dict(details or {}),
        signature_sha256=signature_sha256,
    )


def page(
    context: Context, principal: Principal, *, narrowed: Filter, before_id: str | None, limit: int
) -> list[AuditRow]:
    """Up to `limit` entries, newest first, older than `before_id`; without audit:read only the key's own."""
    with context.database.read() as read:
        return audit.page(
            read,
            actor_ids=_actors(principal),
            action=narrowed.action,
            object_kind=narrowed.object_kind,
            object_id=narrowed.object_id,
            mailbox=narrowed.mailbox,
            request_id=narrowed.request_id,
            since=narrowed.since,
            until=narrowed.until,
            before_id=before_id,
            limit=limit,
        )


def show(context: Context, principal: Principal, *, entry_id: str) -> AuditRow:
    """One entry; AuditEntryNotFound also for one that this key may not read."""
    actors = _actors(principal)
    with context.database.read() as read:
        row = audit.find(read, entry_id)
    if row is None or (actors is not None and row.actor_id not in actors):
        raise AuditEntryNotFound("there is no such audit entry for this key")
    return row


def _actors(principal: Principal) -> tuple[str, ...] | None:
    """Whose entries the principal reads; None for everybody's."""
    access.allow(principal, "audit.own")
    return None if access.may(principal, "audit.all") else principal.lineage

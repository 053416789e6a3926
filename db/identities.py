"""Identities: department mailboxes with two certificates each, whose keys are kept here."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import Boolean, Column, ForeignKey, Table, or_, select, update

from db.certificates import CERTIFICATES
from db.columns import METADATA, Line, UtcDateTime
from db.engine import Read, Write
from formats.mailbox import Mailbox


@dataclass(frozen=True, slots=True, kw_only=True)
class IdentityRow:
    """One identity with the serials of its present certificates."""

    id: str
    mailbox: str
    mailbox_key: str
    profile: str
    signing_kind: str
    encryption_kind: str
    signing_serial: str
    encryption_serial: str
    paused: bool
    created_at: datetime
    renewed_at: datetime


IDENTITIES: Final = Table(
    "identities",
    METADATA,
    Column("id", Line(), primary_key=True),
    Column("mailbox", Line(), nullable=False),
    Column("mailbox_key", Line(), nullable=False, unique=True),
    Column("profile", Line(), nullable=False),
    Column("signing_kind", Line(), nullable=False),
    Column("encryption_kind", Line(), nullable=False),
    Column("signing_serial", Line(), ForeignKey("certificates.serial"), nullable=False),
    Column("encryption_serial", Line(), ForeignKey("certificates.serial"), nullable=False),
    Column("paused", Boolean, nullable=False),
    Column("created_at", UtcDateTime(), nullable=False),
    Column("renewed_at", UtcDateTime(), nullable=False),
)


def insert(write: Write, row: IdentityRow) -> None:
    """Store an identity; AlreadyThere if the mailbox has one."""
    write.insert(IDENTITIES, row)


def find(read: Read, mailbox_key: str) -> IdentityRow | None:
    """The identity of a mailbox."""
    return read.one(select(IDENTITIES).where(IDENTITIES.c.mailbox_key == mailbox_key), IdentityRow)


def page(
    read: Read, *, visible: Sequence[tuple[str | None, str]] | None, before_id: str | None, limit: int
) -> list[IdentityRow]:
    """Up to `limit` identities, newest first, older than `before_id`.

    `visible` are the mailboxes (local part, domain) and whole domains (None, domain) that count; None is no bound.
    """
    rows = select(IDENTITIES).order_by(IDENTITIES.c.id.desc()).limit(limit)
    if visible is not None:
        exact = [Mailbox(local, domain).key for local, domain in visible if local is not None]
        # A domain holds no @, so what ends with @domain is in the domain, whatever its local part quotes.
        domains = [
            IDENTITIES.c.mailbox_key.endswith(f"@{domain}", autoescape=True)
            for local, domain in visible
            if local is None
        ]
        rows = rows.where(or_(IDENTITIES.c.mailbox_key.in_(exact), *domains))
    return read.many(rows if before_id is None else rows.where(IDENTITIES.c.id < before_id), IdentityRow)


def update_serials(
    write: Write,
    identity_id: str,
    *,
    expected_signing_serial: str,
    signing_serial: str,
    encryption_serial: str,
    renewed_at: datetime,
) -> bool:
    """Put new certificates in the place of the present ones; False if somebody did so before."""
    statement = (
        update(IDENTITIES)
        .where(IDENTITIES.c.id == identity_id, IDENTITIES.c.signing_serial == expected_signing_serial)
        .values(signing_serial=signing_serial, encryption_serial=encryption_serial, renewed_at=renewed_at)
    )
    return bool(write.change(statement))


def set_paused(write: Write, identity_id: str, *, paused: bool) -> bool:
    """Pause an identity or let it go on; False if there is none."""
    return bool(write.change(update(IDENTITIES).where(IDENTITIES.c.id == identity_id).values(paused=paused)))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Life:
    id: str
    signing_from: datetime
    signing_until: datetime
    encryption_from: datetime
    encryption_until: datetime

    def is_due(self, now: datetime) -> bool:
        return (
            _two_thirds(self.signing_from, self.signing_until) <= now
            or _two_thirds(self.encryption_from, self.encryption_until) <= now
        )


def due_for_renewal(read: Read, *, now: datetime, limit: int) -> list[IdentityRow]:
    """Up to `limit` identities with a certificate that has lived two thirds of its life, the first to end first.

    Paused ones are left alone, and so are those whose signing certificate is revoked.
    """
    signing, encryption = CERTIFICATES.alias("signing"), CERTIFICATES.alias("encryption")
    lives = (
        select(
            IDENTITIES.c.id,
            signing.c.not_before.label("signing_from"),
            signing.c.not_after.label("signing_until"),
            encryption.c.not_before.label("encryption_from"),
            encryption.c.not_after.label("encryption_until"),
        )
        .join(signing, signing.c.serial == IDENTITIES.c.signing_serial)
        .join(encryption, encryption.c.serial == IDENTITIES.c.encryption_serial)
        .where(IDENTITIES.c.paused.is_(False), signing.c.revoked_at.is_(None))
        .order_by(signing.c.not_after, IDENTITIES.c.id)
    )
    # Counted here, because the two databases have no arithmetic of time in common; identities are few.
    due = [life.id for life in read.many(lives, _Life) if life.is_due(now)][:limit]
    found = {row.id: row for row in read.many(select(IDENTITIES).where(IDENTITIES.c.id.in_(due)), IdentityRow)}
    return [found[identity_id] for identity_id in due if identity_id in found]


def _two_thirds(start: datetime, end: datetime) -> datetime:
    life: timedelta = end - start
    return start + life * 2 / 3

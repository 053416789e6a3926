"""Settles issuing that was interrupted: what may have been signed and was never handed out ends as revoked."""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from ca import crl
from ca.reasons import Reason
from db import certificates, jobs
from db.certificates import CertificateRow
from db.jobs import Lease
from formats.serial import Serial
from services import audit
from services.access import Principal
from services.context import Context

EVERY: Final = timedelta(seconds=10)
AT_A_TIME: Final = 100


def settle(context: Context, principal: Principal, *, lease: Lease) -> int:
    """Revoke every serial whose intent is past its deadline; returns how many.

    If issuing and settling tie, settling wins: both change the row only while it is `intended`.
    """
    with context.database.read() as read:
        overdue = certificates.overdue(read, context.clock(), limit=AT_A_TIME)
    return sum(_settle(context, principal, row, lease=lease) for row in overdue)


def _settle(context: Context, principal: Principal, row: CertificateRow, *, lease: Lease) -> bool:
    reason = Reason.CESSATION_OF_OPERATION
    with context.database.write() as write:
        now = context.clock()
        jobs.confirm(write, lease, now=now)
        entry = crl.encode_entry(Serial.parse(row.serial), revoked_at=now, reason=reason, invalidity_date=None)
        if not certificates.settle(write, row.serial, owner=row.owner, now=now, reason=reason.value, crl_entry=entry):
            return False
        jobs.hasten(write, f"crl:{row.issuer_id}", due_at=now)
        audit.insert(
            write,
            audit.entry(
                principal,
                at=now,
                action="certificate.settled",
                object_kind="certificate",
                object_id=row.serial,
                mailbox=row.mailboxes[0] if row.mailboxes else None,
                details={"reason": reason.value},
            ),
        )
    return True

"""Revocation, a one-way door: only an upgrade to keyCompromise is left afterwards."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from datetime import datetime

from ca import crl, reasons
from ca.reasons import Reason
from db import certificates, jobs
from db.certificates import CertificateRow
from db.engine import AlreadyThere, Write
from formats.serial import Serial
from services import access, audit, idempotency
from services.access import Principal
from services.certificates import CertificateView, own, view
from services.context import Context
from services.errors import AlreadyRevoked, InvalidityDateRefused


@dataclass(frozen=True, slots=True, kw_only=True)
class Cause:
    """Why a certificate ends; `invalidity_date` is since when its key may have been in other hands."""

    reason: str
    invalidity_date: datetime | None = None
    note: str | None = None


def revoke(
    context: Context, principal: Principal, *, serial: Serial, cause: Cause, idempotency_key: str | None = None
) -> CertificateView:
    """Revoke a certificate of the principal's: in OCSP at once, in the CRL within a minute."""
    access.allow(principal, "certificates.revoke")
    reason = reasons.parse(cause.reason)
    claimed = idempotency.claim(
        principal, idempotency_key, operation="certificates.revoke", request=definite_form(cause, of=str(serial))
    )
    try:
        with context.database.write() as write:
            # Held before the key is looked for, so that of two at once the second finds what the first did.
            row = own(principal, certificates.find(write, str(serial)))
            if idempotency.earlier(write, claimed) is None:
                row = end(write, context, principal, row, cause=cause, reason=reason)
                idempotency.record(write, claimed, kind="revocation", object_id=row.serial, now=context.clock())
    except AlreadyThere:
        # The same Idempotency-Key came at once for another certificate, and the other was faster.
        idempotency.came_first(context.database, claimed)
        raise
    return view(context, row)


def definite_form(cause: Cause, *, of: str) -> bytes:
    """The same bytes for the same revocation of the same thing."""
    return idempotency.definite_form(of=of, **asdict(cause))


def end(
    write: Write, context: Context, principal: Principal, row: CertificateRow, *, cause: Cause, reason: Reason
) -> CertificateRow:
    """Revoke one row in the caller's transaction, with its audit entry, and call for a new CRL."""
    now = context.clock()
    _refuse_wrong_date(row, cause.invalidity_date, now=now)
    if row.reason is not None and not reasons.may_upgrade(Reason(row.reason), reason):
        raise AlreadyRevoked(f"the certificate {row.serial} is revoked already")
    ended = _ended(row, cause, reason=reason, now=now)
    changed = certificates.revoke(
        write,
        row.serial,
        revoked_at=ended.revoked_at or now,
        reason=reason.value,
        invalidity_date=ended.invalidity_date,
        note=ended.note,
        crl_entry=ended.crl_entry or b"",
        only_if_reason_is=row.reason,
    )
    if not changed:
        raise AlreadyRevoked(f"the certificate {row.serial} is revoked already")
    audit.insert(
        write,
        audit.entry(
            principal,
            at=now,
            action="certificate.revoked",
            object_kind="certificate",
            object_id=row.serial,
            mailbox=row.mailboxes[0] if row.mailboxes else None,
            details={"reason": reason.value, "before": row.reason},
        ),
    )
    jobs.hasten(write, f"crl:{row.issuer_id}", due_at=now)
    return ended


def _ended(row: CertificateRow, cause: Cause, *, reason: Reason, now: datetime) -> CertificateRow:
    """The row as it is once revoked; an upgrade keeps the moment of the revocation (RFC 5280 5.3.2)."""
    revoked_at = row.revoked_at or now
    date = cause.invalidity_date or row.invalidity_date
    invalidity_date = None if date is None else min(date, revoked_at)
    return replace(
        row,
        revoked_at=revoked_at,
        reason=reason.value,
        invalidity_date=invalidity_date,
        note=cause.note if cause.note is not None else row.note,
        crl_entry=crl.encode_entry(
            Serial.parse(row.serial), revoked_at=revoked_at, reason=reason, invalidity_date=invalidity_date
        ),
    )


def _refuse_wrong_date(row: CertificateRow, date: datetime | None, *, now: datetime) -> None:
    if date is not None and not row.not_before <= date <= now:
        raise InvalidityDateRefused("the invalidity date is not between the certificate's start and now")

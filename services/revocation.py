"""Revocation, a one-way door: only an upgrade to keyCompromise is left afterwards."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime

from ca import crl, reasons
from ca.reasons import Reason
from db import certificates, jobs
from db.certificates import CertificateRow
from db.engine import Write
from formats.serial import Serial
from services import access, audit
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


def revoke(context: Context, principal: Principal, *, serial: Serial, cause: Cause) -> CertificateView:
    """Revoke a certificate of the principal's: in OCSP at once, in the CRL within a minute."""
    access.allow(principal, "certificates.revoke")
    reason = reasons.parse(cause.reason)
    with context.database.write() as write:
        row = own(principal, certificates.find(write, str(serial)))
        revoked = end(write, context, principal, row, cause=cause, reason=reason)
    return view(context, revoked)


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

"""Identities: department mailboxes with two keys kept here, one to sign and one to decrypt."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

import structlog

from ca import reasons
from ca.reasons import Reason
from db import certificates, identities
from db.certificates import CertificateRow
from db.engine import AlreadyThere, Read, Write, new_id
from db.identities import IdentityRow
from db.jobs import Lease, confirm, hasten
from formats.algorithms import KeyKind
from formats.certificate import Certificate
from formats.errors import Refusal
from formats.mailbox import Mailbox
from services import access, audit, idempotency, pairs, revocation
from services import certificates as issuing
from services.access import Principal
from services.context import Context
from services.errors import AlreadyRevoked, IdentityKeysDiffer, IdentityNotFound, InProgress, NotCompleted
from services.handover import key_kind
from services.idempotency import Claim
from services.revocation import Cause

RENEWAL_EVERY: Final = timedelta(hours=1)
# As many pairs of RSA keys as a lease has time for.
RENEWALS_AT_A_TIME: Final = 10
JOB: Final = "identities"
DEFAULT_KIND: Final = KeyKind.RSA3072
_ADDED: Final = "identity"

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class IdentityView:
    """An identity as its readers see it."""

    mailbox: str
    profile: str
    status: str
    serial: str
    certificate: Certificate
    encryption_serial: str
    encryption_certificate: Certificate
    chain: tuple[Certificate, ...]
    cursor: str


def add(
    context: Context,
    principal: Principal,
    *,
    mailbox: Mailbox,
    key: str | None = None,
    encryption_key: str | None = None,
    idempotency_key: str | None = None,
) -> tuple[IdentityView, bool]:
    """Make the identity of a mailbox, or find it as it is; True if it was made.

    Both keys and both certificates come into being together or not at all. IdentityKeysDiffer if it exists with keys
    of another kind than those named.
    """
    access.allow(principal, "identities.add")
    issuing.refuse_foreign_domains(context, (mailbox,))
    access.allow(principal, "identities.add", mailboxes=[mailbox])
    asked = idempotency.definite_form(mailbox=str(mailbox), key=key, encryption_key=encryption_key)
    claimed = idempotency.claim(principal, idempotency_key, operation="identities.add", request=asked)
    signing_kind = key_kind(key) if key else None
    encryption_kind = key_kind(encryption_key) if encryption_key else None
    made = _made_before(context, claimed, mailbox)
    if (existing := _existing(context, mailbox, signing_kind, encryption_kind)) is not None:
        return existing, bool(made)
    pair = pairs.draft(context, principal, mailbox, (signing_kind or DEFAULT_KIND, encryption_kind or DEFAULT_KIND))
    now = context.clock()
    row = IdentityRow(
        id=new_id(),
        mailbox=str(mailbox),
        mailbox_key=mailbox.key,
        profile="role",
        signing_kind=pair.keys[0].kind,
        encryption_kind=pair.keys[1].kind,
        signing_serial=pair.serials[0],
        encryption_serial=pair.serials[1],
        paused=False,
        created_at=now,
        renewed_at=now,
    )

    def remember_intent(write: Write) -> None:
        idempotency.record(write, claimed, kind=_ADDED, object_id=pair.serials[0], now=now)

    def remember(write: Write) -> None:
        identities.insert(write, row)
        _record(write, context, principal, row, action="identity.added")

    try:
        pairs.issue(context, principal, pair, with_intent=remember_intent, with_certificate=remember)
    except AlreadyThere:
        # Somebody made it meanwhile, perhaps under the same Idempotency-Key; if our two certificates are recorded at
        # all, then as intended, and they will be settled.
        made = _made_before(context, claimed, mailbox)
        found = _existing(context, mailbox, signing_kind, encryption_kind)
        if found is None:
            raise
        return found, bool(made)
    return show(context, principal, mailbox=mailbox), True


def page(context: Context, principal: Principal, *, before_id: str | None, limit: int) -> list[IdentityView]:
    """Up to `limit` identities of the principal's, newest first."""
    access.allow(principal, "identities.list")
    with context.database.read() as read:
        rows = identities.page(read, visible=access.bounds(principal), before_id=before_id, limit=limit)
        serials = [serial for row in rows for serial in (row.signing_serial, row.encryption_serial)]
        issued = {row.serial: row for row in certificates.find_many(read, serials)}
    return [_view(context, row, issued) for row in rows]


def show(context: Context, principal: Principal, *, mailbox: Mailbox) -> IdentityView:
    """One identity; IdentityNotFound if there is none."""
    access.allow(principal, "identities.show", mailboxes=[mailbox])
    return _view_of(context, _find(context, mailbox))


def renew(
    context: Context, principal: Principal, *, mailbox: Mailbox, idempotency_key: str | None = None
) -> IdentityView:
    """Make two new keys and certificates; the old ones stay valid, and old mail stays readable.

    A renewal ends a revocation, not a pause.
    """
    access.allow(principal, "identities.renew", mailboxes=[mailbox])
    asked = idempotency.definite_form(mailbox=str(mailbox))
    claimed = idempotency.claim(principal, idempotency_key, operation="identities.renew", request=asked)
    # Taken before the identity is read, so that whatever replaces what was read is newer.
    began = context.clock()
    row = _find(context, mailbox)
    if _made_before(context, claimed, mailbox) is None:
        _renew(context, principal, row, claimed=claimed, began=began)
    return show(context, principal, mailbox=mailbox)


def set_paused(context: Context, principal: Principal, *, mailbox: Mailbox, paused: bool) -> IdentityView:
    """Stop signing in this identity's name, or go on: the stop that can be taken back."""
    access.allow(principal, "identities.pause", mailboxes=[mailbox])
    with context.database.write() as write:
        row = _hold(write, mailbox)
        identities.set_paused(write, row.id, paused=paused)
        _record(write, context, principal, row, action="identity.paused" if paused else "identity.resumed")
    return show(context, principal, mailbox=mailbox)


def revoke(
    context: Context, principal: Principal, *, mailbox: Mailbox, cause: Cause, idempotency_key: str | None = None
) -> IdentityView:
    """End both certificates; the keys that open old mail are kept. AlreadyRevoked the second time."""
    access.allow(principal, "identities.revoke", mailboxes=[mailbox])
    reason = reasons.parse(cause.reason)
    asked = revocation.definite_form(cause, of=str(mailbox))
    claimed = idempotency.claim(principal, idempotency_key, operation="identities.revoke", request=asked)
    try:
        with context.database.write() as write:
            row = _hold(write, mailbox)
            if idempotency.earlier(write, claimed) is None:
                _end_both(write, context, principal, row, cause=cause, reason=reason)
                idempotency.record(write, claimed, kind="revocation", object_id=row.id, now=context.clock())
    except AlreadyThere:
        # The same Idempotency-Key came at once for another identity, and the other was faster.
        idempotency.came_first(context.database, claimed)
        raise
    return show(context, principal, mailbox=mailbox)


def renew_due(context: Context, principal: Principal, *, lease: Lease) -> int:
    """Renew what has lived two thirds of its life, unless it is paused or revoked; returns how many.

    One that cannot be renewed is logged and tried again the next time; it does not keep the others waiting.
    """
    with context.database.read() as read:
        due = identities.due_for_renewal(read, now=context.clock(), limit=RENEWALS_AT_A_TIME)
    renewed = 0
    for row in due:
        try:
            renewed += _renew(context, principal, row, lease=lease)
        except Refusal as refusal:
            _log.error("identity not renewed", identity=row.id, request_id=principal.request_id, code=refusal.code)
    if renewed and len(due) == RENEWALS_AT_A_TIME:
        with context.database.write() as write:
            hasten(write, JOB, due_at=context.clock())
    return renewed


def _end_both(
    write: Write, context: Context, principal: Principal, row: IdentityRow, *, cause: Cause, reason: Reason
) -> None:
    held = certificates.find_many(write, [row.signing_serial, row.encryption_serial])
    open_ones = [one for one in held if one.reason is None or reasons.may_upgrade(Reason(one.reason), reason)]
    if not open_ones:
        raise AlreadyRevoked(f"both certificates of {row.mailbox} are revoked already")
    for one in open_ones:
        revocation.end(write, context, principal, one, cause=cause, reason=reason)
    _record(write, context, principal, row, action="identity.revoked", reason=reason.value)


def _made_before(context: Context, claimed: Claim | None, mailbox: Mailbox) -> bool | None:
    """Whether this Idempotency-Key made what is there now: False if somebody else did so meanwhile, None if it is new.

    InProgress or NotCompleted if nothing came of it.
    """
    if claimed is None:
        return None
    with context.database.read() as read:
        earlier = idempotency.earlier(read, claimed)
        if earlier is None:
            return None
        # In this order: what is stored with the certificate is never missed beside it.
        identity = identities.find(read, mailbox.key)
        certificate = certificates.find(read, earlier.object_id or "")
    if certificate is not None and certificate.state == "issued":
        return True
    if identity is not None and (earlier.kind == _ADDED or identity.renewed_at > earlier.created_at):
        return False
    if certificate is not None and certificate.state == "settled":
        raise NotCompleted("the first request with this Idempotency-Key was interrupted")
    raise InProgress("the first request with this Idempotency-Key is being worked on")


def _renew(
    context: Context,
    principal: Principal,
    row: IdentityRow,
    *,
    lease: Lease | None = None,
    claimed: Claim | None = None,
    began: datetime | None = None,
) -> bool:
    """Put a new pair in the place of the present one; False if somebody else did so, or ended or paused it.

    A job, which has a lease, never ends a revocation.
    """
    kinds = KeyKind(row.signing_kind), KeyKind(row.encryption_kind)
    pair = pairs.draft(context, principal, Mailbox.parse(row.mailbox), kinds)

    def under_lease(write: Write) -> None:
        if lease is not None:
            confirm(write, lease, now=context.clock())

    def remember_intent(write: Write) -> None:
        under_lease(write)
        idempotency.record(write, claimed, kind="renewal", object_id=pair.serials[0], now=began or context.clock())

    def remember(write: Write) -> None:
        under_lease(write)
        renewed = identities.update_serials(
            write,
            row.id,
            expected_signing_serial=row.signing_serial,
            signing_serial=pair.serials[0],
            encryption_serial=pair.serials[1],
            renewed_at=context.clock(),
        )
        if not renewed or (lease is not None and _was_stopped(write, row)):
            raise AlreadyThere("the identity was renewed, ended or paused meanwhile")
        _record(write, context, principal, row, action="identity.renewed")

    try:
        pairs.issue(context, principal, pair, with_intent=remember_intent, with_certificate=remember)
    except AlreadyThere:
        # What somebody else did meanwhile stands, and our pair is settled; the same Idempotency-Key is told how it is.
        _made_before(context, claimed, Mailbox.parse(row.mailbox))
        return False
    return True


def _was_stopped(write: Write, row: IdentityRow) -> bool:
    now = identities.find(write, row.mailbox_key)
    signing = certificates.find(write, row.signing_serial)
    return now is None or now.paused or signing is None or signing.revoked_at is not None


def _existing(
    context: Context, mailbox: Mailbox, signing_kind: KeyKind | None, encryption_kind: KeyKind | None
) -> IdentityView | None:
    with context.database.read() as read:
        row = identities.find(read, mailbox.key)
    if row is None:
        return None
    if (signing_kind or row.signing_kind) != row.signing_kind or (
        encryption_kind or row.encryption_kind
    ) != row.encryption_kind:
        raise IdentityKeysDiffer(f"the identity has a {row.signing_kind} and a {row.encryption_kind} key")
    return _view_of(context, row)


def _find(context: Context, mailbox: Mailbox) -> IdentityRow:
    with context.database.read() as read:
        return _found(read, mailbox)


def _found(read: Read, mailbox: Mailbox) -> IdentityRow:
    row = identities.find(read, mailbox.key)
    if row is None:
        raise IdentityNotFound(f"there is no identity of {mailbox}")
    return row


def _hold(write: Write, mailbox: Mailbox) -> IdentityRow:
    """The identity as it is until this Write ends: a renewal at the same moment comes before it or after it."""
    row = _found(write, mailbox)
    while not identities.update_serials(
        write,
        row.id,
        expected_signing_serial=row.signing_serial,
        signing_serial=row.signing_serial,
        encryption_serial=row.encryption_serial,
        renewed_at=row.renewed_at,
    ):
        row = _found(write, mailbox)
    return row


def _view_of(context: Context, row: IdentityRow) -> IdentityView:
    with context.database.read() as read:
        issued = certificates.find_many(read, [row.signing_serial, row.encryption_serial])
    return _view(context, row, {one.serial: one for one in issued})


def _view(context: Context, row: IdentityRow, issued: dict[str, CertificateRow]) -> IdentityView:
    signing, decrypting = issued[row.signing_serial], issued[row.encryption_serial]
    return IdentityView(
        mailbox=row.mailbox,
        profile=row.profile,
        status=_status(row, signing),
        serial=signing.serial,
        certificate=Certificate.from_der(signing.certificate or b""),
        encryption_serial=decrypting.serial,
        encryption_certificate=Certificate.from_der(decrypting.certificate or b""),
        chain=context.issuers.issuing.chain,
        cursor=row.id,
    )


def _status(row: IdentityRow, signing: CertificateRow) -> str:
    if signing.revoked_at is not None:
        return "revoked"
    return "paused" if row.paused else "active"


def _record(
    write: Write, context: Context, principal: Principal, row: IdentityRow, *, action: str, reason: str | None = None
) -> None:
    audit.insert(
        write,
        audit.entry(
            principal,
            at=context.clock(),
            action=action,
            object_kind="identity",
            object_id=row.id,
            mailbox=row.mailbox,
            details={"reason": reason} if reason else None,
        ),
    )

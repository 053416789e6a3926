"""Certificates: issuing one from a request, and finding what was issued.

Issuing takes six steps, so that nothing signed is ever lost (docs/adr/0002):

(1) may they have it?
(2) read the request: its signature, the key's quality, the addresses, the profile
(3) prepare: build what will be signed, sign a look-alike with a throw-away key, and lint that
(4) store serial, look-alike, owner, deadline, Idempotency-Key and audit "intended" in a transaction of its own
(5) sign; what was signed is byte for byte what was prepared
(6) store the certificate and audit "issued", unless the deadline has passed and the serial is settled as revoked
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Final

from cryptography.hazmat.primitives.asymmetric.types import PublicKeyTypes

from ca import keycheck, profiles, requests
from ca.errors import MailboxesRefused, SubjectRefused
from ca.issuance import Blueprint
from ca.profiles import Use
from ca.subjects import Subject
from db import certificates
from db.certificates import CertificateRow
from db.engine import AlreadyThere, Write
from formats.algorithms import KeyDescription, describe_key, spki_sha256
from formats.certificate import Certificate
from formats.mailbox import Mailbox
from formats.serial import Serial
from services import access, idempotency, intents
from services.access import Principal
from services.context import Context
from services.errors import (
    CertificateNotFound,
    ChoiceUnknown,
    InProgress,
    MailDomainRefused,
    NotCompleted,
    ProofInsufficient,
)
from services.idempotency import Claim
from services.intents import Draft

MAILBOXES: Final = 10
# What a mailed link shows and ends; it issues the first alone, as it proves no name and no role.
LINK_PROFILES: Final = ("mailbox", "person")

_SUBJECT_FIELDS: Final = ("given_name", "surname", "pseudonym", "title", "serial_number", "common_name")


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What a caller asks for; `request` is the PKCS#10, absent where the key is made here."""

    request: bytes | None = None
    profile: str = "mailbox"
    use: str = "dual"
    mailboxes: tuple[str, ...] | None = None
    person: str | None = None
    subject: Mapping[str, str] | None = None
    days: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Revocation:
    """Why and since when a certificate no longer counts."""

    reason: str
    revoked_at: datetime
    invalidity_date: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class CertificateView:
    """A certificate as its readers see it; `certificate` is None where signing was interrupted and settled."""

    serial: str
    issuer: str
    profile: str
    use: str
    subject: str
    person: str | None
    proof: str
    mailboxes: tuple[str, ...]
    not_before: datetime
    not_after: datetime
    status: str
    revocation: Revocation | None
    sha256: str | None
    key: KeyDescription
    certificate: Certificate | None
    chain: tuple[Certificate, ...]
    cursor: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Filter:
    """What a list of certificates is narrowed to."""

    mailbox: Mailbox | None = None
    status: str | None = None
    serial: Serial | None = None
    sha256: str | None = None
    person: str | None = None
    q: str | None = None
    profiles: tuple[str, ...] | None = None


def issue(
    context: Context, principal: Principal, *, order: Order, idempotency_key: str | None = None
) -> CertificateView:
    """Issue a certificate for the key of a PKCS#10 request, by the six steps of this module."""
    # (1) may they have it? First the scope, then, once the addresses are read, those
    access.allow(principal, "certificates.issue")
    claimed = idempotency.claim(
        principal, idempotency_key, operation="certificates.issue", request=definite_form(order)
    )
    if claimed is not None and (made := made_before(context, claimed)) is not None:
        return made

    # (2) read the request
    request = requests.read_request(order.request or b"")
    mailboxes = agree_on_mailboxes(order.mailboxes, asked=request.mailboxes)
    refuse_foreign_domains(context, mailboxes)
    access.allow(principal, "certificates.issue", mailboxes=mailboxes)
    keycheck.check_key(request.public_key)

    # (3) prepare
    draft = prepare(context, principal, order=order, public_key=request.public_key, mailboxes=mailboxes)

    # (4) to (6)
    def remember(write: Write) -> None:
        if claimed is not None:
            idempotency.record(
                write, claimed, kind="certificate", object_id=str(draft.prepared.serial), now=context.clock()
            )

    try:
        (row,) = intents.issue_together(context, principal, [draft], with_intent=remember)
    except AlreadyThere:
        # The same Idempotency-Key came twice at once, and the other was faster.
        if claimed is None or (made := made_before(context, claimed)) is None:
            raise
        return made
    return view(context, row)


def prepare(
    context: Context,
    principal: Principal,
    *,
    order: Order,
    public_key: PublicKeyTypes,
    mailboxes: tuple[Mailbox, ...],
    key_id: str | None = None,
    proof: str = intents.API_CLIENT,
) -> Draft:
    """Step 3 for an order: everything decided, built and linted, nothing stored, nothing signed by the CA."""
    if principal.kind == "link":
        _refuse_more_than_a_mailbox(order)
        proof = intents.LINK
    profile = profiles.profile(order.profile)
    blueprint = Blueprint(
        profile=profile,
        use=_use(order.use),
        public_key=public_key,
        mailboxes=mailboxes,
        subject=_subject(context, order),
        days=order.days,
        not_after=None,
    )
    prepared = context.issuers.issuing.prepare(blueprint, serial=Serial.random(), now=context.clock())
    return Draft(
        prepared=prepared,
        profile=profile.name,
        use=blueprint.use.value,
        mailboxes=mailboxes,
        spki_sha256=spki_sha256(public_key),
        person=order.person,
        proof=proof,
        proof_detail=_proof_detail(principal, proof),
        key_id=key_id,
    )


def page(
    context: Context, principal: Principal, *, narrowed: Filter, before_id: str | None, limit: int
) -> list[CertificateView]:
    """Up to `limit` certificates that are all the principal's, newest first, older than `before_id`."""
    access.allow(principal, "certificates.list", mailboxes=[narrowed.mailbox] if narrowed.mailbox else [])
    if narrowed.status is not None and narrowed.status not in {"active", "revoked", "expired"}:
        raise ChoiceUnknown("status is one of active, revoked, expired", pointers=("/status",))
    with context.database.read() as read:
        rows = certificates.page(
            read,
            visible=access.bounds(principal),
            mailbox_key=narrowed.mailbox.key if narrowed.mailbox else None,
            status=narrowed.status,
            now=context.clock(),
            serial=str(narrowed.serial) if narrowed.serial else None,
            sha256=narrowed.sha256,
            person=narrowed.person,
            q=narrowed.q,
            profiles=_profiles(principal, narrowed.profiles),
            before_id=before_id,
            limit=limit,
        )
    return [view(context, row) for row in rows]


def show(context: Context, principal: Principal, *, serial: Serial) -> CertificateView:
    """One certificate; CertificateNotFound also for one that is not the principal's."""
    access.allow(principal, "certificates.show")
    with context.database.read() as read:
        row = certificates.find(read, str(serial))
    return view(context, own(principal, row))


def own(principal: Principal, row: CertificateRow | None) -> CertificateRow:
    """The row, if it is there for this principal; an intent is not there yet."""
    if row is None or row.state == "intended" or not access.covers_all(principal, row.mailboxes):
        raise CertificateNotFound("there is no such certificate for this key")
    # Who reads a department's mailbox is not yet the department.
    if principal.kind == "link" and row.profile not in LINK_PROFILES:
        raise CertificateNotFound("there is no such certificate for this key")
    return row


def view(context: Context, row: CertificateRow) -> CertificateView:
    """The row as its readers see it."""
    held = Certificate.from_der(row.certificate or row.lookalike)
    return CertificateView(
        serial=row.serial,
        issuer=held.issuer,
        profile=row.profile,
        use=row.use,
        subject=row.subject,
        person=row.person,
        proof=row.proof,
        mailboxes=row.mailboxes,
        not_before=row.not_before,
        not_after=row.not_after,
        status=_status(row, context.clock()),
        revocation=_revocation(row),
        sha256=row.sha256,
        key=describe_key(held.public_key),
        certificate=held if row.certificate is not None else None,
        chain=context.issuers.issuing.chain,
        cursor=row.id,
    )


def definite_form(order: Order) -> bytes:
    """The same bytes for the same order, for comparing a repeated request with the first."""
    asked = {field.name: getattr(order, field.name) for field in fields(order)}
    asked["request"] = hashlib.sha256(order.request or b"").hexdigest()
    asked["subject"] = None if order.subject is None else dict(order.subject)
    return idempotency.definite_form(**asked)


def made_before(context: Context, claimed: Claim) -> CertificateView | None:
    """What this Idempotency-Key made before, read again; InProgress or NotCompleted if that is no certificate."""
    with context.database.read() as read:
        earlier = idempotency.earlier(read, claimed)
        if earlier is None:
            return None
        row = certificates.find(read, earlier.object_id or "")
    if row is None or row.state == "intended":
        raise InProgress("the first request with this Idempotency-Key is being worked on")
    if row.state == "settled":
        raise NotCompleted("the first request with this Idempotency-Key was interrupted")
    return view(context, row)


def agree_on_mailboxes(named: tuple[str, ...] | None, *, asked: tuple[Mailbox, ...]) -> tuple[Mailbox, ...]:
    """The addresses to certify: those named in the call, else those in the request; if both, the same ones."""
    if len(asked if named is None else named) > MAILBOXES:
        raise MailboxesRefused(f"more than {MAILBOXES} mailboxes are named")
    chosen = asked if named is None else tuple(Mailbox.parse(text) for text in named)
    if not chosen:
        raise MailboxesRefused("no mailbox is named, neither in the call nor in the request")
    if len({mailbox.key for mailbox in chosen}) < len(chosen):
        raise MailboxesRefused("a mailbox is named twice")
    if asked and {str(mailbox) for mailbox in asked} != {str(mailbox) for mailbox in chosen}:
        raise MailboxesRefused("the mailboxes of the call and of the request differ")
    return chosen


def refuse_foreign_domains(context: Context, mailboxes: tuple[Mailbox, ...]) -> None:
    """Refuse with MailDomainRefused what lies outside the campus; a sub-domain counts only if it is listed."""
    for mailbox in mailboxes:
        if mailbox.domain not in context.issuers.campus.mail_domains:
            raise MailDomainRefused(f"{mailbox} is outside the mail domains of this campus")


def _refuse_more_than_a_mailbox(order: Order) -> None:
    if order.profile != "mailbox" or order.person is not None or order.subject is not None:
        raise ProofInsufficient("a mailed link proves a mailbox only")


def _proof_detail(principal: Principal, proof: str) -> str | None:
    """What stands behind a proof: the key's name, or the enrolment whose link was mailed."""
    details = {intents.API_CLIENT: principal.name, intents.LINK: principal.id}
    return details.get(proof)


def _profiles(principal: Principal, wanted: tuple[str, ...] | None) -> tuple[str, ...] | None:
    if principal.kind != "link":
        return wanted
    return tuple(profile for profile in LINK_PROFILES if wanted is None or profile in wanted)


def _use(text: str) -> Use:
    try:
        return Use(text)
    except ValueError:
        raise ChoiceUnknown("use is one of dual, sign, encrypt", pointers=("/use",)) from None


def _subject(context: Context, order: Order) -> Subject:
    """The subject by profile: the campus comes from the CA, a name only with the profile `person`.

    Without a common name the craft takes the first mailbox, where it is short enough.
    """
    given = dict(order.subject or {})
    unknown = sorted(set(given) - set(_SUBJECT_FIELDS))
    if unknown:
        raise SubjectRefused(f"unknown subject field {unknown[0][:40]!r}", pointers=("/subject",))
    installed = context.issuers.campus
    campus = {
        "country": installed.country,
        "organization": installed.campus_name,
        "organization_id": installed.organization_id,
    }
    if order.profile == "person":
        if not order.person:
            raise SubjectRefused("the profile person needs `person`, the person's identifier", pointers=("/person",))
        return Subject(**(campus | given))
    if given:
        raise SubjectRefused("only the profile person takes a subject", pointers=("/subject",))
    return Subject() if order.profile == "mailbox" else Subject(**campus)


def _status(row: CertificateRow, now: datetime) -> str:
    if row.revoked_at is not None:
        return "revoked"
    return "expired" if row.not_after < now else "active"


def _revocation(row: CertificateRow) -> Revocation | None:
    if row.revoked_at is None:
        return None
    return Revocation(reason=row.reason or "", revoked_at=row.revoked_at, invalidity_date=row.invalidity_date)

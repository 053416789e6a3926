"""Nothing signed is ever lost: the intent is durable before the signature, and settled if the signing is interrupted.

Steps 4 to 6 of issuing (services/certificates tells the whole story). They take several drafts at a time, because an
identity's two certificates are made together or not at all.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

from ca.issuance import Prepared
from ca.reasons import Reason
from db import authorities, certificates
from db.certificates import CertificateRow, KeyUse
from db.engine import Write, new_id
from formats.certificate import Certificate
from formats.mailbox import Mailbox
from services import audit, outbox
from services.access import Principal
from services.context import Context
from services.errors import IssuingTooLate, KeyCompromised, KeyOfAnotherPerson, MailboxSpelledOtherwise
from services.outbox import Fact

DEADLINE: Final = timedelta(seconds=60)
API_CLIENT: Final = "api_client"
LINK: Final = "link"
OWN: Final = "own"


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """A prepared certificate with the facts that are stored beside it."""

    prepared: Prepared
    profile: str
    use: str
    mailboxes: tuple[Mailbox, ...]
    spki_sha256: str
    person: str | None = None
    proof: str
    proof_detail: str | None = None
    key_id: str | None = None


Change = Callable[[Write], None]


def nothing(_write: Write) -> None:
    """Nothing more belongs into this transaction."""


def issue_together(
    context: Context,
    principal: Principal,
    drafts: Sequence[Draft],
    *,
    with_intent: Change = nothing,
    with_certificate: Change = nothing,
) -> tuple[CertificateRow, ...]:
    """Steps 4 to 6: record the intents, sign, record the certificates; all of them or none.

    `with_intent` and `with_certificate` join the two transactions. IssuingTooLate if the pass that settles open
    intents came first: then the certificates were destroyed unsent, and their serials are revoked.
    """
    owner = secrets.token_hex(16)
    intents = [
        _intent(draft, issuer_id=context.issuers.issuing.id, owner=owner, now=context.clock()) for draft in drafts
    ]

    # (4) store the intents in a transaction of their own
    with context.database.write() as write:
        authorities.lock(write, context.issuers.issuing.id)
        for draft, row in zip(drafts, intents, strict=True):
            _refuse_taken_key(write, draft)
            _refuse_other_spelling(write, draft)
            certificates.insert_intended(write, row)
            _record(write, context, principal, row, action="certificate.intended")
        with_intent(write)

    # (5) sign; the craft compares what it signed with what it prepared, and checks the signature
    signed = [context.issuers.issuing.issue(draft.prepared) for draft in drafts]

    # (6) record the certificates, unless the settling pass was faster
    with context.database.write() as write:
        rows = tuple(
            _complete(write, context, principal, row, certificate)
            for row, certificate in zip(intents, signed, strict=True)
        )
        with_certificate(write)
    return rows


def _intent(draft: Draft, *, issuer_id: str, owner: str, now: datetime) -> CertificateRow:
    prepared = draft.prepared
    return CertificateRow(
        serial=str(prepared.serial),
        id=new_id(),
        issuer_id=issuer_id,
        state="intended",
        owner=owner,
        deadline=now + DEADLINE,
        profile=draft.profile,
        use=draft.use,
        subject=prepared.subject,
        person=draft.person,
        proof=draft.proof,
        proof_detail=draft.proof_detail,
        lookalike=prepared.lookalike,
        certificate=None,
        sha256=None,
        spki_sha256=draft.spki_sha256,
        subject_key_id=None,
        key_id=draft.key_id,
        not_before=prepared.not_before,
        not_after=prepared.not_after,
        created_at=now,
        revoked_at=None,
        reason=None,
        invalidity_date=None,
        note=None,
        crl_entry=None,
        mailboxes=tuple(str(mailbox) for mailbox in draft.mailboxes),
    )


def _refuse_taken_key(write: Write, draft: Draft) -> None:
    """A key belongs to one holder for ever, and a compromised key to nobody (S/MIME BR 6.1.1.3)."""
    uses = certificates.uses_of_key(write, draft.spki_sha256)
    if any(use.reason == Reason.KEY_COMPROMISE for use in uses):
        raise KeyCompromised("this key was reported as compromised")
    if not all(_is_same_holder(use, draft) for use in uses):
        raise KeyOfAnotherPerson("this key is in a certificate of somebody else")


def _is_same_holder(use: KeyUse, draft: Draft) -> bool:
    """A person is known by their identifier, whatever their addresses are; anybody else by a mailbox in common."""
    if use.person is not None and draft.person is not None:
        return use.person == draft.person
    ours = {mailbox.key for mailbox in draft.mailboxes}
    return not ours.isdisjoint(Mailbox.parse(text).key for text in use.mailboxes)


def _refuse_other_spelling(write: Write, draft: Draft) -> None:
    for mailbox in draft.mailboxes:
        if certificates.mailbox_spellings(write, mailbox.key) - {str(mailbox)}:
            raise MailboxSpelledOtherwise(f"{mailbox} is certified already in other upper and lower case")


def _complete(
    write: Write, context: Context, principal: Principal, row: CertificateRow, certificate: Certificate
) -> CertificateRow:
    now = context.clock()
    key_id = certificate.subject_key_id.hex() if certificate.subject_key_id else None
    if not certificates.complete(
        write,
        row.serial,
        owner=row.owner,
        certificate=certificate.der,
        sha256=certificate.sha256,
        subject_key_id=key_id,
        now=now,
    ):
        raise IssuingTooLate("the certificate was not ready before its deadline")
    _record(write, context, principal, row, action="certificate.issued")
    issued = replace(row, state="issued", certificate=certificate.der, sha256=certificate.sha256, subject_key_id=key_id)
    _tell(write, context, issued, now=now)
    return issued


def _tell(write: Write, context: Context, row: CertificateRow, *, now: datetime) -> None:
    """Post a notice to everybody whose mailbox it is; our own identity's, which signs the notices, needs none."""
    ours = outbox.our_mailbox(context)
    for mailbox in map(Mailbox.parse, row.mailboxes):
        if mailbox.same_as(ours):
            continue
        details = {
            "serial": row.serial,
            "subject": row.subject,
            "use": row.use,
            "not_after": row.not_after.isoformat(),
            "proof": row.proof,
            "by": row.proof_detail or "" if row.proof == API_CLIENT else "",
            "sha256": row.sha256 or "",
            "profile": row.profile,
            "is_kept": "yes" if row.key_id else "",
        }
        unique = f"certificate_issued:{row.serial}:{mailbox.key}"
        outbox.post(
            write, context, Fact(kind="certificate_issued", mailbox=mailbox, unique=unique, details=details), now=now
        )


def _record(write: Write, context: Context, principal: Principal, row: CertificateRow, *, action: str) -> None:
    entry = audit.entry(
        principal,
        at=context.clock(),
        action=action,
        object_kind="certificate",
        object_id=row.serial,
        mailbox=row.mailboxes[0] if row.mailboxes else None,
        details={"profile": row.profile, "use": row.use, "proof": row.proof, "proof_detail": row.proof_detail},
    )
    audit.insert(write, entry)

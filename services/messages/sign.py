"""Sign a message in the name of an identity, on the record."""

from __future__ import annotations

import asyncio
import hashlib
from dataclasses import dataclass
from typing import Final

from db import signers
from db.audit import AuditRow
from formats.certificate import known
from formats.mailbox import Mailbox
from services import access, audit, custody
from services.access import Principal
from services.context import Context
from services.errors import CertificateRevoked, ChoiceUnknown, FromNotIdentity, IdentityPaused, IdentityUnknown
from smime.errors import FromAmbiguous
from smime.message import Message, read_message
from smime.sign import Form, SignedMessage, sign_message
from smime.signer import Signer

# Above this size, and for RSA, signing takes long enough to be worth a thread hop (performance: 68 us).
INLINE_OCTETS: Final = 64 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Signed:
    """A signed message with what the answer's headers say of it; `record` is the audit entry's id."""

    data: bytes
    identity: str
    serial: str
    record: str
    changes: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """How the caller wants it signed: `identity` None takes the From mailbox."""

    form: str = "detached"
    identity: Mailbox | None = None
    date: str = "refuse"


async def sign(context: Context, principal: Principal, *, data: bytes, wish: Wish) -> Signed:
    """Sign a message and answer once its record is durable.

    (1) may the caller sign at all, and in this mailbox's name?
    (2) find the identity: known, not paused, its certificate neither revoked nor expired
    (3) sign
    (4) record, and wait until the record is durable
    """
    access.allow(principal, "messages.sign")
    form = _form(wish)
    if len(data) <= INLINE_OCTETS:
        signed, entry, serial = _sign(context, principal, data, wish, form)
    else:
        signed, entry, serial = await asyncio.to_thread(_sign, context, principal, data, wish, form)
    # (4) wait until the record is durable
    await asyncio.wrap_future(context.journal.submit(lambda write: audit.insert(write, entry)))
    return Signed(
        data=signed.data, identity=entry.mailbox or "", serial=serial, record=entry.id, changes=signed.changes
    )


def sign_unrecorded(
    context: Context, principal: Principal, *, data: bytes, wish: Wish
) -> tuple[SignedMessage, AuditRow, str]:
    """Sign a message as part of another call, which stores the audit entry before anything leaves; and the serial."""
    access.allow(principal, "messages.sign")
    return _sign(context, principal, data, wish, _form(wish))


def _sign(
    context: Context, principal: Principal, data: bytes, wish: Wish, form: Form
) -> tuple[SignedMessage, AuditRow, str]:
    message = read_message(data, limit=context.settings.message_limit)
    mailbox = _sender(message, wish.identity)
    access.allow(principal, "messages.sign", mailboxes=[mailbox])  # (1)
    now = context.clock()
    signer = find_signer(context, mailbox)  # (2)
    signed = sign_message(message, signer=signer, form=form, now=now, date=wish.date)  # (3)
    entry = audit.entry(
        principal,
        at=now,
        action="message.signed",
        object_kind="certificate",
        object_id=str(signer.certificate.serial),
        # as it is certified, whatever the case in From
        mailbox=str(signer.certificate.mailboxes[0]),
        details={"content_sha256": signed.content_sha256, "form": form.value},
        signature_sha256=hashlib.sha256(signed.signature).hexdigest(),
    )
    return signed, entry, str(signer.certificate.serial)


def find_signer(context: Context, mailbox: Mailbox) -> Signer:
    """The signer of a mailbox's identity; refused when unknown, paused, revoked or expired.

    It is read anew each time: who pauses or revokes stops the very next signature.
    """
    row = signers.find(context.database, mailbox.key)
    if row is None:
        raise IdentityUnknown(f"no identity is kept here for {mailbox}")
    if row.paused:
        raise IdentityPaused(f"the identity of {mailbox} is paused")
    key = row.key
    if key is None or row.certificate is None:
        raise IdentityUnknown(f"no signing key is kept here for {mailbox}")
    if row.revoked_at is not None:
        raise CertificateRevoked(f"the signing certificate of {mailbox} is revoked")
    if row.not_after < context.clock():
        raise CertificateRevoked(f"the signing certificate of {mailbox} has expired")
    encryption = row.encryption_certificate if row.encryption_revoked_at is None else None
    return Signer(
        certificate=known(row.certificate),
        chain=context.issuers.issuing.chain[:-1],
        key=custody.key_of(context.vault, key),
        encryption_certificate=known(encryption) if encryption else None,
    )


def _sender(message: Message, identity: Mailbox | None) -> Mailbox:
    """The one From mailbox, which must be the identity's."""
    senders = message.senders()
    if len(senders) != 1:
        raise FromAmbiguous("the From field names several mailboxes")
    sender = senders[0]
    if identity is not None and not identity.same_as(sender):
        raise FromNotIdentity(f"the message is from {sender}, the identity is {identity}")
    return sender


def _form(wish: Wish) -> Form:
    if wish.date not in {"refuse", "now"}:
        raise ChoiceUnknown("date is refuse or now", pointers=("/date",))
    try:
        return Form(wish.form)
    except ValueError:
        raise ChoiceUnknown("as is detached or opaque", pointers=("/as",)) from None

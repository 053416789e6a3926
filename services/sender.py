"""The sender of our own letters: an identity like a department's, which makes itself and signs with no one's leave."""

from __future__ import annotations

from dataclasses import replace

from formats.mailbox import MailboxPattern
from services import identities, outbox
from services.access import Principal
from services.audit import AuditRow
from services.authority import MATRIX
from services.context import Context
from services.errors import IdentityUnknown
from services.messages import sign
from services.messages.sign import Wish


def sign_letter(context: Context, principal: Principal, data: bytes) -> tuple[bytes, AuditRow]:
    """A letter of ours, signed, with the audit entry that the caller stores before the letter leaves.

    The identity is made when it is not there yet, with the proof `own`. Whoever paused or revoked it has stopped our
    letters too: they wait, and IdentityPaused or CertificateRevoked says why.
    """
    mine = _for_our_mailbox(context, principal)
    try:
        signed, entry, _ = sign.sign_unrecorded(context, mine, data=data, wish=Wish())
    except IdentityUnknown:
        identities.add(context, mine, mailbox=outbox.our_mailbox(context))
        signed, entry, _ = sign.sign_unrecorded(context, mine, data=data, wish=Wish())
    return signed.data, entry


def _for_our_mailbox(context: Context, principal: Principal) -> Principal:
    """The job with the right to make one identity and to sign in its name, and no other."""
    scopes = {MATRIX[operation].scope for operation in ("identities.add", "identities.show", "messages.sign")}
    return replace(
        principal,
        scopes=frozenset(scope for scope in scopes if scope is not None),
        mailboxes=(MailboxPattern.parse(str(outbox.our_mailbox(context))),),
    )

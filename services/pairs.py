"""Pair, what a new or renewed identity is made of: a key to sign and one to decrypt, each with its certificate."""

from __future__ import annotations

from dataclasses import dataclass

from db import private_keys
from db.engine import Write
from db.private_keys import PrivateKeyRow
from formats.algorithms import KeyKind
from formats.mailbox import Mailbox
from keys import software
from services import certificates, custody, intents
from services.access import Principal
from services.certificates import Order
from services.context import Context
from services.intents import Draft


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """Two drafts and their two sealed keys, the signing one first."""

    drafts: tuple[Draft, Draft]
    keys: tuple[PrivateKeyRow, PrivateKeyRow]

    @property
    def serials(self) -> tuple[str, str]:
        """The serial numbers of both certificates."""
        return str(self.drafts[0].prepared.serial), str(self.drafts[1].prepared.serial)


def draft(context: Context, principal: Principal, mailbox: Mailbox, kinds: tuple[KeyKind, KeyKind]) -> Pair:
    """Make both keys, and steps 1 to 3 of issuing for each: one to sign, one to decrypt; nothing is stored yet."""
    signing = _draft(context, principal, mailbox, kinds[0], use="sign", purpose="sign")
    decrypting = _draft(context, principal, mailbox, kinds[1], use="encrypt", purpose="decrypt")
    return Pair(drafts=(signing[0], decrypting[0]), keys=(signing[1], decrypting[1]))


def _draft(
    context: Context, principal: Principal, mailbox: Mailbox, kind: KeyKind, *, use: str, purpose: str
) -> tuple[Draft, PrivateKeyRow]:
    key = software.generate(kind)
    row = custody.seal(
        context.vault, key, kind=kind, owner=f"identity:{mailbox.key}", purpose=purpose, now=context.clock()
    )
    drafted = certificates.prepare(
        context,
        principal,
        order=Order(profile="role", use=use),
        public_key=key.public_key(),
        mailboxes=(mailbox,),
        key_id=row.id,
        proof=intents.API_CLIENT if principal.kind == "api_key" else intents.OWN,
    )
    return drafted, row


def issue(
    context: Context,
    principal: Principal,
    pair: Pair,
    *,
    with_intent: intents.Change,
    with_certificate: intents.Change,
) -> None:
    """Steps 4 to 6 for both at once; the sealed keys are stored with the intents."""

    def keep_keys(write: Write) -> None:
        with_intent(write)
        for key in pair.keys:
            private_keys.insert(write, key)

    intents.issue_together(context, principal, pair.drafts, with_intent=keep_keys, with_certificate=with_certificate)

"""The outbox: facts that are told later, posted in the transaction of the change that they tell of."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from db import outbox
from db.engine import Write, new_id
from db.outbox import OutboxRow
from formats.mailbox import Mailbox
from keys.vault import Label, Sealed, Vault
from services.context import Context

JOB: Final = "delivery"
FACT: Final = "fact"
LETTER: Final = "letter"
# What could not be sent for so long is given up; a link sooner, when it opens nothing any more.
KEPT: Final = timedelta(days=3)


@dataclass(frozen=True, slots=True, kw_only=True)
class Fact:
    """What happened, and whom it is told: once, however often it is posted under the same `unique`.

    `minutes` among the details is how long it is worth telling.
    """

    kind: str
    mailbox: Mailbox = field(repr=False)
    unique: str = field(repr=False)
    details: Mapping[str, str] = field(repr=False)


def post(write: Write, context: Context, fact: Fact, *, now: datetime) -> bool:
    """Store a fact in the caller's transaction, and wake the delivery; False if it was posted before."""
    row_id = new_id()
    sealed = seal(context.vault, _octets(fact), row_id=row_id, purpose=FACT)
    minutes = fact.details.get("minutes")
    row = OutboxRow(
        id=row_id,
        kind=fact.kind,
        # It names whom it is for, which the row must not.
        unique_sha256=hashlib.sha256(fact.unique.encode()).hexdigest(),
        state="waiting",
        kek_id=sealed.kek_id,
        wrapped_key=sealed.wrapped_key,
        ciphertext=sealed.ciphertext,
        attempts=0,
        due_at=now,
        expires_at=now + (timedelta(minutes=int(minutes)) if minutes else KEPT),
        created_at=now,
        sent_at=None,
        error=None,
    )
    if not outbox.insert_if_absent(write, row):
        return False
    outbox.wake(write, JOB, now=now)
    return True


def read_fact(vault: Vault, row: OutboxRow) -> Fact:
    """The fact that a waiting row holds."""
    stored = json.loads(open_payload(vault, row, purpose=FACT))
    return Fact(
        kind=row.kind,
        mailbox=Mailbox.parse(stored["mailbox"]),
        unique=row.unique_sha256,
        details=stored["details"],
    )


def seal(vault: Vault, octets: bytes, *, row_id: str, purpose: str) -> Sealed:
    """Seal what a row holds: as a FACT, or later as a LETTER."""
    return vault.seal(octets, label=_label(row_id, purpose))


def open_payload(vault: Vault, row: OutboxRow, *, purpose: str) -> bytes:
    """What a row holds; SealBroken if it was changed or is another row's, KekWrong if another KEK sealed it."""
    sealed = Sealed(kek_id=row.kek_id or "", wrapped_key=row.wrapped_key or b"", ciphertext=row.ciphertext or b"")
    return vault.open(sealed, label=_label(row.id, purpose))


def our_mailbox(context: Context) -> Mailbox:
    """The mailbox that letters come from, whose identity signs them."""
    return Mailbox.parse(context.settings.mail_from or f"mailseal@{context.issuers.campus.mail_domains[0]}")


def _octets(fact: Fact) -> bytes:
    return json.dumps({"mailbox": str(fact.mailbox), "details": dict(fact.details)}).encode()


def _label(row_id: str, purpose: str) -> Label:
    return Label(key_id=row_id, owner="outbox", purpose=purpose)

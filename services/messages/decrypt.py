"""Decrypt a message with a key that is kept here, on the record, and tell what protected it.

Whatever fails inside is one refusal, `decryption_failed`: which step failed is what an attacker asks for, thousands
of times (Bleichenbacher, RFC 3218; Vaudenay's padding oracle; EFAIL).
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice
from typing import Final, Protocol

from db import certificates, private_keys
from db.audit import AuditRow
from db.certificates import CertificateRow
from db.engine import Read
from db.private_keys import PrivateKeyRow
from formats.certificate import known
from formats.errors import Malformed, TooLarge, Unacceptable
from formats.mailbox import Mailbox
from formats.serial import Serial
from services import access, audit, custody
from services.access import Principal
from services.context import Context
from services.messages import verify
from services.trust import Given
from smime.cms.enveloped import MAX_OPENING_KEYS, OpeningKey
from smime.cms.errors import DecryptionFailed, NoKeyForMessage
from smime.cms.recipients import RecipientId, RecipientInfo
from smime.decrypt import OpenedMail, SealedMail, open_sealed, read_sealed
from smime.message import read_message
from smime.report import Report, Verdict

# A signed letter without attachments; an RSA key takes a millisecond, and the first time ninety.
INLINE_OCTETS: Final = 24 * 1024
# More may name so many of ours that finding them is worth a thread hop.
INLINE_RECIPIENTS: Final = 50
# Certificates that are looked at where recipients are named by key identifier: a key stays the same when it is renewed.
KEPT: Final = 1_000

_PURPOSE: Final = "decrypt"
_EC: Final = "p"
_SERIAL_BITS: Final = 128


@dataclass(frozen=True, slots=True, kw_only=True)
class Decrypted:
    """The message in the clear with what is known of it; `record` is the audit entry's id.

    `integrity`: `signed` where the signature inside is valid, else `aead` where the cipher finds changes, else
    `none`. `report` judges the message in the clear, `outer_report` the signature that stood around the sealed part,
    which proves who sent the sealed octets on, and nothing of the text.
    """

    data: bytes = field(repr=False)
    integrity: str
    record: str
    report: Report
    outer_report: Report | None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Kept:
    """A certificate among the recipients whose key is kept here."""

    row: CertificateRow
    key: PrivateKeyRow


@dataclass(frozen=True, slots=True, kw_only=True)
class _Case:
    """What is to be opened, and with what."""

    sealed: SealedMail
    kept: tuple[_Kept, ...]


class Failures(Protocol):
    """How often each of our keys has failed to open something for this caller lately."""

    def ask(self, key_ids: Sequence[str]) -> None:
        """Refuse if that was too often for one of these."""

    def count(self, key_ids: Sequence[str]) -> None:
        """Count a failure of each."""


async def decrypt(
    context: Context, principal: Principal, *, data: bytes, failures: Failures, identity: Mailbox | None = None
) -> Decrypted:
    """Open a message and answer once its record is durable, whether it opens or not.

    Keys are kept to open old mail: those of certificates that ended, and of identities that are paused or revoked,
    open it as well. `failures` is asked before anything is opened: a refusal that only those get that fail would tell
    them from the others. NoKeyForMessage where none of the caller's mailboxes is among the recipients.

    (1) may the caller decrypt at all, and in this mailbox's name?
    (2) find what is sealed, and our keys among its recipients
    (3) open it, and judge the signature inside
    (4) record how it went, and wait until the record is durable
    """
    access.allow(principal, "messages.decrypt", mailboxes=[] if identity is None else [identity])  # (1)
    is_small = len(data) <= INLINE_OCTETS
    sealed = _read(context, data) if is_small else await asyncio.to_thread(_read, context, data)
    if is_small and len(sealed.enveloped.recipients) <= INLINE_RECIPIENTS:
        case = _find(context, principal, sealed, identity)  # (2)
    else:
        case = await asyncio.to_thread(_find, context, principal, sealed, identity)
    key_ids = [one.key.id for one in case.kept]
    failures.ask(key_ids)
    try:
        if is_small and all(one.key.kind.startswith(_EC) for one in case.kept):
            found = _open(context, principal, data, case)  # (3)
        else:
            found = await asyncio.to_thread(_open, context, principal, data, case)
    except DecryptionFailed:
        tried = case.kept[0].row
        serials = " ".join(one.row.serial for one in case.kept)
        entry = _entry(context, principal, data, case, tried, action="message.decryption_failed", tried=serials)
        failures.count(key_ids)
        await _record(context, entry)  # (4)
        raise DecryptionFailed from None
    await _record(context, found[1])
    return found[0]


async def _record(context: Context, entry: AuditRow) -> None:
    await asyncio.wrap_future(context.journal.submit(lambda write: audit.insert(write, entry)))


# --- keys -------------------------------------------------------------------------------------------------------------
def _read(context: Context, data: bytes) -> SealedMail:
    return read_sealed(read_message(data, limit=context.settings.message_limit))


def _find(context: Context, principal: Principal, sealed: SealedMail, identity: Mailbox | None) -> _Case:
    with context.database.read(timeout=1.0) as read:
        named = _named(context, read, sealed.enveloped.recipients)
        allowed = (row for row in named if _may_use(principal, row, identity))
        kept = tuple(_with_keys(read, allowed))
    if not kept:
        raise NoKeyForMessage("none of your keys is among the recipients")
    return _Case(sealed=sealed, kept=kept)


def _named(context: Context, read: Read, recipients: Sequence[RecipientInfo]) -> list[CertificateRow]:
    """Our certificates that the recipients name, newest first."""
    issuer = context.issuers.issuing.certificate.subject_der
    ids = {info.id for info in recipients if info.id is not None}
    serials = [serial for id_ in ids if id_.issuer == issuer and (serial := _serial(id_)) is not None]
    rows = [row for row in certificates.find_many(read, serials) if row.certificate is not None]
    key_ids = [id_.key_id.hex() for id_ in ids if id_.key_id is not None]
    if key_ids:
        rows += certificates.with_kept_keys(read, key_ids, limit=KEPT)
    found = {row.serial: row for row in rows}
    return sorted(found.values(), key=lambda row: row.id, reverse=True)


def _serial(id_: RecipientId) -> str | None:
    """In our own form; None where it cannot be one of ours."""
    if id_.serial is None or not 0 < id_.serial.bit_length() <= _SERIAL_BITS:
        return None
    return str(Serial(id_.serial))


def _may_use(principal: Principal, row: CertificateRow, identity: Mailbox | None) -> bool:
    is_asked_for = identity is None or identity.key in {Mailbox.parse(text).key for text in row.mailboxes}
    return is_asked_for and access.covers_all(principal, row.mailboxes)


def _with_keys(read: Read, rows: Iterable[CertificateRow]) -> Iterator[_Kept]:
    """The first 8 whose key is kept for decrypting: keys that sign are for nothing else."""
    keys = ((row, private_keys.find(read, row.key_id)) for row in rows if row.key_id is not None)
    kept = (_Kept(row=row, key=key) for row, key in keys if key is not None and key.purpose == _PURPOSE)
    return islice(kept, MAX_OPENING_KEYS)


# --- opening ----------------------------------------------------------------------------------------------------------
def _open(context: Context, principal: Principal, data: bytes, case: _Case) -> tuple[Decrypted, AuditRow]:
    keys = [
        OpeningKey(certificate=known(one.row.certificate or b""), key=custody.key_of(context.vault, one.key))
        for one in case.kept
    ]
    opened = open_sealed(case.sealed, keys=keys)
    report = _judged(context, opened)
    outer = verify.judge(context, data, Given()).report if case.sealed.is_signed_outside else None
    integrity = _integrity(report, case.sealed)
    row = next(one.row for one in case.kept if one.row.certificate == opened.certificate.der)
    entry = _entry(context, principal, data, case, row, action="message.decrypted", integrity=integrity)
    found = Decrypted(data=opened.data, integrity=integrity, record=entry.id, report=report, outer_report=outer)
    return found, entry


def _judged(context: Context, opened: OpenedMail) -> Report:
    """The report on the message in the clear; what cannot be read in there is no reason of its own."""
    try:
        report = verify.judge(context, opened.data, Given()).report
    except (Malformed, TooLarge, Unacceptable):
        raise DecryptionFailed from None
    return replace(report, findings=(*report.findings, *opened.findings))


def _integrity(report: Report, sealed: SealedMail) -> str:
    if report.verdict is Verdict.VALID:
        return "signed"
    return "aead" if sealed.enveloped.authenticated else "none"


def _entry(
    context: Context, principal: Principal, data: bytes, case: _Case, row: CertificateRow, *, action: str, **more: str
) -> AuditRow:
    """The record: whose key opened which sealed octets, or was the first to try, and nothing of what came out."""
    return audit.entry(
        principal,
        at=context.clock(),
        action=action,
        object_kind="certificate",
        object_id=row.serial,
        mailbox=row.mailboxes[0],
        details={
            "sealed_sha256": hashlib.sha256(data).hexdigest(),
            "cipher": case.sealed.enveloped.cipher.value,
            **more,
        },
    )

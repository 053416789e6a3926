"""Recipients: the certificates to which a mailbox's mail is sealed, by our own records or as a caller gives them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from db import certificates
from db.certificates import CertificateRow
from formats.algorithms import KeyDescription, describe_key
from formats.certificate import Certificate, known
from formats.mailbox import Mailbox
from services import access
from services.access import Principal
from services.context import Context
from smime.binding import Addresses
from smime.cms.errors import RecipientCertificateRefused, TooManyRecipients
from smime.cms.recipients import MAX_RECIPIENTS, require_sealable
from smime.recipient import Recipient

_CERTIFICATE: Final = ("/certificate",)
_SERIAL: Final = 16  # octets of ours

Found = dict[str, tuple[Certificate, ...]]


@dataclass(frozen=True, slots=True, kw_only=True)
class RecipientCertificate:
    """A certificate to which mail can be sealed now; `cursor` sorts by time of making."""

    certificate: Certificate
    mailboxes: tuple[str, ...]
    key: KeyDescription
    cursor: str


def page(
    context: Context, principal: Principal, *, mailbox: Mailbox, before_id: str | None, limit: int
) -> list[RecipientCertificate]:
    """Up to `limit` certificates to which this mailbox's mail can be sealed now, newest first, older than `before_id`.

    None for a mailbox that is not known here, and for one whose certificates nobody may see: both look alike.
    """
    access.allow(principal, "recipients.list")
    now = context.clock()
    with context.database.read() as read:
        rows = certificates.valid_for_encryption(read, [mailbox.key], now=now)
    older = [row for row in rows if before_id is None or row.id < before_id]
    return [_view(row, certificate) for row, certificate in _sealable(older, now)][:limit]


def find(context: Context, mailboxes: Sequence[Mailbox], *, given: Sequence[bytes]) -> tuple[Recipient, ...]:
    """Each of these mailboxes with its certificates, none where there are none.

    `given` are certificates in PEM or DER, several in one allowed: they take the place of ours for the mailboxes that
    they name. RecipientCertificateRefused for one that names none of these mailboxes, that nothing may be sealed to
    now, or that is ours and revoked; TooManyRecipients for more than 1,000.
    """
    now = context.clock()
    theirs = _given(context, mailboxes, given, now=now)
    wanted = [mailbox.key for mailbox in mailboxes if mailbox.key not in theirs]
    found = {**_ours(context, wanted, now=now), **theirs}
    return tuple(Recipient(mailbox=mailbox, certificates=found.get(mailbox.key, ())) for mailbox in mailboxes)


def _ours(context: Context, keys: Sequence[str], *, now: datetime) -> Found:
    if not keys:
        return {}
    with context.database.read(timeout=1.0) as read:
        rows = certificates.valid_for_encryption(read, keys, now=now)
    named = [(certificate, _keys(row.mailboxes)) for row, certificate in _sealable(rows, now)]
    return _by_mailbox(named, set(keys))


def _given(context: Context, mailboxes: Sequence[Mailbox], parts: Sequence[bytes], *, now: datetime) -> Found:
    """(1) read them all, without their issuers (2) each names a recipient (3) each can be sealed to (4) none is ours and revoked."""
    wanted = {mailbox.key for mailbox in mailboxes}
    read = _without_chains(dict.fromkeys(one for part in parts for one in Certificate.read_many(part)), wanted)  # (1)
    if len(read) > MAX_RECIPIENTS:
        raise TooManyRecipients(f"more than {MAX_RECIPIENTS} certificates", pointers=_CERTIFICATE)
    named = [(one, _named(one)) for one in read]
    for certificate, keys in named:
        if not keys & wanted:  # (2)
            raise _refused(certificate, "names nobody in `to`, To, Cc or Bcc")
        try:
            require_sealable(certificate, at=now)  # (3)
        except RecipientCertificateRefused as refusal:
            raise RecipientCertificateRefused(refusal.detail, pointers=_CERTIFICATE) from None
    _refuse_revoked(context, read)  # (4)
    return _by_mailbox(named, wanted)


def _without_chains(given: Iterable[Certificate], wanted: set[str]) -> list[Certificate]:
    """Without the CAs that are nobody's: who sends a certificate along often has it with its chain in one file."""
    read = list(given)
    return [one for one in read if not one.is_ca or wanted & _named(one)] or read


def _named(certificate: Certificate) -> set[str]:
    return {mailbox.key for mailbox in Addresses.of(certificate).mailboxes}


def _refuse_revoked(context: Context, given: Sequence[Certificate]) -> None:
    issuer = context.issuers.issuing.certificate.subject_der
    ours = {str(one.serial): one for one in given if one.issuer_der == issuer and len(one.serial.octets) == _SERIAL}
    if not ours:
        return
    with context.database.read(timeout=1.0) as read:
        rows = certificates.find_many(read, ours)
    for row in rows:
        if row.revoked_at is not None:
            raise _refused(ours[row.serial], "is revoked")


def _by_mailbox(named: Iterable[tuple[Certificate, set[str]]], wanted: set[str]) -> Found:
    found: dict[str, dict[Certificate, None]] = {}
    for certificate, keys in named:
        for key in keys & wanted:
            found.setdefault(key, {})[certificate] = None
    return {key: tuple(each) for key, each in found.items()}


def _sealable(rows: Iterable[CertificateRow], now: datetime) -> list[tuple[CertificateRow, Certificate]]:
    pairs = [(row, known(row.certificate)) for row in rows if row.certificate is not None]
    return [(row, certificate) for row, certificate in pairs if _is_sealable(certificate, now)]


def _is_sealable(certificate: Certificate, now: datetime) -> bool:
    try:
        require_sealable(certificate, at=now)
    except RecipientCertificateRefused:
        return False
    return True


def _keys(mailboxes: Iterable[str]) -> set[str]:
    return {Mailbox.parse(text).key for text in mailboxes}


def _refused(certificate: Certificate, why: str) -> RecipientCertificateRefused:
    serial = str(certificate.serial)[:40]
    return RecipientCertificateRefused(f"the certificate {serial} {why}", pointers=_CERTIFICATE)


def _view(row: CertificateRow, certificate: Certificate) -> RecipientCertificate:
    return RecipientCertificate(
        certificate=certificate,
        mailboxes=row.mailboxes,
        key=describe_key(certificate.public_key),
        cursor=row.id,
    )

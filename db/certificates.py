"""Certificates, from the intent to issue one on; a row is never deleted, and revocation is a one-way door."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, fields
from datetime import datetime
from typing import Final

from sqlalchemy import (
    BindParameter,
    Column,
    ColumnElement,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    Select,
    Table,
    and_,
    bindparam,
    insert,
    or_,
    select,
    update,
)

from db.columns import METADATA, Line, UtcDateTime, Words, one_of, rule
from db.engine import Read, Write
from db.prepared import Prepared
from formats.mailbox import Mailbox

# SQLite takes at most 32,766 parameters in one statement.
_AT_A_TIME: Final = 1000
_FINAL_REASON: Final = "keyCompromise"


@dataclass(frozen=True, slots=True, kw_only=True)
class CertificateRow:
    """One serial of ours: `intended` before it is signed, then `issued`, or `settled` if the signing was interrupted.

    A settled one may have been signed and was never handed out, so it is revoked. `id` sorts by time of making.
    """

    serial: str
    id: str
    issuer_id: str
    state: str
    owner: str
    deadline: datetime
    profile: str
    use: str
    subject: str
    person: str | None
    proof: str
    proof_detail: str | None
    lookalike: bytes = field(repr=False)
    certificate: bytes | None = field(repr=False)
    sha256: str | None
    spki_sha256: str
    subject_key_id: str | None
    key_id: str | None
    not_before: datetime
    not_after: datetime
    created_at: datetime
    revoked_at: datetime | None
    reason: str | None
    invalidity_date: datetime | None
    note: str | None
    crl_entry: bytes | None = field(repr=False)
    mailboxes: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class StatusRow:
    """What an OCSP answer needs to know."""

    state: str
    revoked_at: datetime | None
    reason: str | None
    not_after: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyUse:
    """One certificate that a key is in."""

    serial: str
    person: str | None
    mailboxes: tuple[str, ...]
    reason: str | None


CERTIFICATES: Final = Table(
    "certificates",
    METADATA,
    # One key for all: serials are unique over everything that is issued here.
    Column("serial", Line(), primary_key=True),
    Column("id", Line(), nullable=False, unique=True),
    Column("issuer_id", Line(), ForeignKey("authorities.id"), nullable=False),
    Column("state", Line(), nullable=False),
    Column("owner", Line(), nullable=False),
    Column("deadline", UtcDateTime(), nullable=False),
    Column("profile", Line(), nullable=False),
    Column("use", Line(), nullable=False),
    Column("subject", Line(8000), nullable=False),
    Column("person", Line()),
    Column("proof", Line(), nullable=False),
    Column("proof_detail", Line(8000)),
    Column("lookalike", LargeBinary, nullable=False),
    Column("certificate", LargeBinary),
    Column("sha256", Line(), unique=True),
    Column("spki_sha256", Line(), nullable=False, index=True),
    # In hexadecimal, as the certificate says it: sealed messages may name it by this alone.
    Column("subject_key_id", Line(), index=True),
    # Looked at when the transaction ends, so that certificate and key may be stored in either order.
    Column("key_id", Line(), ForeignKey("private_keys.id", deferrable=True, initially="DEFERRED")),
    Column("not_before", UtcDateTime(), nullable=False),
    Column("not_after", UtcDateTime(), nullable=False),
    Column("created_at", UtcDateTime(), nullable=False),
    Column("revoked_at", UtcDateTime()),
    Column("reason", Line()),
    Column("invalidity_date", UtcDateTime()),
    Column("note", Line(8000)),
    Column("crl_entry", LargeBinary),
    Column("mailboxes", Words(), nullable=False),
    one_of("state", "intended", "issued", "settled"),
    one_of("use", "dual", "sign", "encrypt"),
    one_of("proof", "idp", "link", "acme_email", "api_client", "own"),
    one_of("reason", "keyCompromise", "affiliationChanged", "superseded", "cessationOfOperation", "privilegeWithdrawn"),
    rule("serial", "length(serial) = 32"),
    rule("issued", "(state = 'issued') = (certificate IS NOT NULL) AND (certificate IS NULL) = (sha256 IS NULL)"),
    rule("settled", "state <> 'settled' OR revoked_at IS NOT NULL"),
    rule("intended", "state <> 'intended' OR revoked_at IS NULL"),
    rule("revoked", "(revoked_at IS NULL) = (reason IS NULL) AND (revoked_at IS NULL) = (crl_entry IS NULL)"),
    rule("span", "not_before < not_after"),
)
_OPEN: Final = CERTIFICATES.c.state == "intended"
_REVOKED: Final = CERTIFICATES.c.crl_entry.is_not(None)
Index(None, CERTIFICATES.c.deadline, sqlite_where=_OPEN, postgresql_where=_OPEN)
Index(None, CERTIFICATES.c.issuer_id, CERTIFICATES.c.not_after, sqlite_where=_REVOKED, postgresql_where=_REVOKED)
Index(None, CERTIFICATES.c.issuer_id, CERTIFICATES.c.profile, CERTIFICATES.c.not_after)
Index(None, CERTIFICATES.c.person)

# The same mailboxes once more, to be found by.
CERTIFICATE_MAILBOXES: Final = Table(
    "certificate_mailboxes",
    METADATA,
    Column("serial", Line(), ForeignKey("certificates.serial"), primary_key=True),
    Column("position", Integer, primary_key=True, autoincrement=False),
    Column("mailbox", Line(), nullable=False),
    Column("mailbox_key", Line(), nullable=False, index=True),
    Column("domain", Line(), nullable=False, index=True),
)
_M: Final = CERTIFICATE_MAILBOXES.c
_C: Final = CERTIFICATES.c
_ROW: Final[Select[tuple[object, ...]]] = select(*(_C[column.name] for column in fields(CertificateRow)))
_ISSUER: Final = _C.issuer_id == bindparam("issuer_id", type_=Line())
_STATUS: Final = Prepared(
    select(_C.state, _C.revoked_at, _C.reason, _C.not_after).where(
        _C.serial == bindparam("serial", type_=Line()), _ISSUER
    ),
    StatusRow,
)

Visible = tuple[tuple[str | None, str], ...]


def insert_intended(write: Write, row: CertificateRow) -> None:
    """Store the intent to issue a certificate; AlreadyThere if its serial or id is."""
    write.insert(CERTIFICATES, row)
    for position, text in enumerate(row.mailboxes):
        mailbox = Mailbox.parse(text)
        write.execute(
            insert(CERTIFICATE_MAILBOXES).values(
                serial=row.serial, position=position, mailbox=text, mailbox_key=mailbox.key, domain=mailbox.domain
            )
        )


def complete(
    write: Write,
    serial: str,
    *,
    owner: str,
    certificate: bytes,
    sha256: str,
    subject_key_id: str | None,
    now: datetime,
) -> bool:
    """Store the certificate of an intent; False if it is not this owner's, is settled, or its deadline has come."""
    statement = (
        update(CERTIFICATES)
        .where(_C.serial == serial, _C.owner == owner, _OPEN, _C.deadline > now)
        .values(state="issued", certificate=certificate, sha256=sha256, subject_key_id=subject_key_id)
    )
    return bool(write.change(statement))


def settle(write: Write, serial: str, *, owner: str, now: datetime, reason: str, crl_entry: bytes) -> bool:
    """Revoke an intent whose deadline has come; False if it is completed or settled already."""
    statement = (
        update(CERTIFICATES)
        .where(_C.serial == serial, _C.owner == owner, _OPEN, _C.deadline <= now)
        .values(state="settled", revoked_at=now, reason=reason, crl_entry=crl_entry)
    )
    return bool(write.change(statement))


def overdue(read: Read, now: datetime, *, limit: int) -> list[CertificateRow]:
    """Up to `limit` intents whose deadline has come, the oldest first."""
    return read.many(
        _ROW.where(_OPEN, _C.deadline <= now).order_by(_C.deadline, _C.serial).limit(limit), CertificateRow
    )


def revoke(
    write: Write,
    serial: str,
    *,
    revoked_at: datetime,
    reason: str,
    invalidity_date: datetime | None,
    note: str | None,
    crl_entry: bytes,
    only_if_reason_is: str | None = None,
) -> bool:
    """Revoke a certificate, or with `only_if_reason_is` change its reason, which only keyCompromise may replace.

    False if that is not how things stand: an intent, another reason than expected, a step back.
    """
    if only_if_reason_is is None:
        expected: ColumnElement[bool] = _C.reason.is_(None)
    elif reason == _FINAL_REASON:
        expected = and_(_C.reason == only_if_reason_is, _C.reason != _FINAL_REASON)
    else:
        return False
    statement = (
        update(CERTIFICATES)
        .where(_C.serial == serial, _C.state != "intended", expected)
        .values(revoked_at=revoked_at, reason=reason, invalidity_date=invalidity_date, note=note, crl_entry=crl_entry)
    )
    return bool(write.change(statement))


def find(read: Read, serial: str) -> CertificateRow | None:
    """One certificate; given a Write, nobody else changes it before that ends."""
    return read.one(_locked(read, _ROW.where(_C.serial == serial)), CertificateRow)


def find_many(read: Read, serials: Iterable[str]) -> list[CertificateRow]:
    """Those of these serials that are ours, by serial; given a Write, nobody else changes them before that ends."""
    # Locked in one order by everybody, so that nobody waits in a circle.
    wanted = sorted(set(serials))
    return [
        row
        for start in range(0, len(wanted), _AT_A_TIME)
        for row in read.many(
            _locked(read, _ROW.where(_C.serial.in_(wanted[start : start + _AT_A_TIME])).order_by(_C.serial)),
            CertificateRow,
        )
    ]


def page(
    read: Read,
    *,
    visible: Visible | None,
    mailbox_key: str | None = None,
    status: str | None = None,
    now: datetime,
    serial: str | None = None,
    sha256: str | None = None,
    person: str | None = None,
    q: str | None = None,
    profiles: Sequence[str] | None = None,
    before_id: str | None,
    limit: int,
) -> list[CertificateRow]:
    """Up to `limit` certificates, newest first, older than `before_id`; no intents, and no OCSP delegates.

    `visible` are the mailboxes (local part, domain) and whole domains (None, domain) that count: a certificate is
    shown if it has mailboxes and all of them count; None is no bound. `status` is active, revoked or expired. `q` is
    looked for in subject, person and mailboxes, in either case of ASCII letters.
    """
    wanted = [_C.state != "intended", _C.profile != "ocsp"]
    if visible is not None:
        wanted.append(_is_visible(visible))
    if mailbox_key is not None:
        wanted.append(_C.serial.in_(select(_M.serial).where(_M.mailbox_key == mailbox_key)))
    if status is not None:
        wanted.append(_has_status(status, now))
    if q is not None:
        wanted.append(_speaks_of(q))
    if profiles is not None:
        wanted.append(_C.profile.in_(profiles))
    if before_id is not None:
        wanted.append(_C.id < before_id)
    same = {"serial": serial, "sha256": sha256, "person": person}
    wanted.extend(_C[name] == value for name, value in same.items() if value is not None)
    return read.many(_ROW.where(*wanted).order_by(_C.id.desc()).limit(limit), CertificateRow)


def status_of(read: Read, issuer_id: str, serial: str) -> StatusRow | None:
    """What OCSP says about a serial of this issuer."""
    return next(iter(read.ask(_STATUS, serial=serial, issuer_id=issuer_id)), None)


def crl_entries(read: Read, issuer_id: str, *, not_expired_since: datetime) -> list[bytes]:
    """The CRL entries of all that is revoked and had not expired before that time, oldest revocation first."""
    entries = select(_C.crl_entry).where(_C.issuer_id == issuer_id, _REVOKED, _C.not_after >= not_expired_since)
    return read.values(entries.order_by(_C.revoked_at, _C.serial))


def valid_for_encryption(read: Read, mailbox_keys: Iterable[str], *, now: datetime) -> list[CertificateRow]:
    """The certificates of these mailboxes for encryption that are issued, valid now and not revoked, newest first.

    Beyond a thousand mailboxes the order starts anew, and one that names several of them may come again.
    """
    keys, uses = sorted(set(mailbox_keys)), ("dual", "encrypt")
    return [
        row
        for start in range(0, len(keys), _AT_A_TIME)
        for row in read.many(
            _ROW.where(
                _C.serial.in_(select(_M.serial).where(_M.mailbox_key.in_(keys[start : start + _AT_A_TIME]))),
                _C.use.in_(uses),
                _is_valid(now),
            ).order_by(_C.id.desc()),
            CertificateRow,
        )
    ]


def with_kept_keys(read: Read, subject_key_ids: Iterable[str], *, limit: int) -> list[CertificateRow]:
    """Up to `limit` certificates for encryption that these key identifiers name and whose keys are kept here.

    Newest first, also those that have ended; of more than a thousand identifiers the first thousand count.
    """
    named = _C.subject_key_id.in_(sorted(set(subject_key_ids))[:_AT_A_TIME])
    kept = (_C.key_id.is_not(None), _C.certificate.is_not(None), _C.use == "encrypt", _C.profile != "ocsp")
    return read.many(_ROW.where(named, *kept).order_by(_C.id.desc()).limit(limit), CertificateRow)


def uses_of_key(read: Read, spki_sha256: str) -> list[KeyUse]:
    """The certificates that a key is in, oldest first; settled ones, which nobody got, only if it was compromised."""
    counts = or_(_C.state != "settled", _C.reason == _FINAL_REASON)
    columns = select(_C.serial, _C.person, _C.mailboxes, _C.reason)
    return read.many(columns.where(_C.spki_sha256 == spki_sha256, counts).order_by(_C.id), KeyUse)


def mailbox_spellings(read: Read, mailbox_key: str) -> set[str]:
    """How a mailbox is spelled in certificates that are intended or issued and not revoked."""
    spelled = select(_M.mailbox).join(CERTIFICATES, _C.serial == _M.serial)
    return set(read.values(spelled.where(_M.mailbox_key == mailbox_key, _C.revoked_at.is_(None)).distinct()))


def _is_valid(now: datetime | BindParameter[datetime]) -> ColumnElement[bool]:
    return and_(_C.state == "issued", _C.revoked_at.is_(None), _C.not_before <= now, _C.not_after >= now)


_DELEGATE: Final = Prepared(
    _ROW.where(_ISSUER, _C.profile == "ocsp", _is_valid(bindparam("now", type_=UtcDateTime())))
    .order_by(_C.not_after.desc(), _C.id.desc())
    .limit(1),
    CertificateRow,
)


def current_delegate(read: Read, issuer_id: str, now: datetime) -> CertificateRow | None:
    """The OCSP delegate of an issuer that is valid for the longest, if one is."""
    return next(iter(read.ask(_DELEGATE, issuer_id=issuer_id, now=now)), None)


def _locked(read: Read, statement: Select[tuple[object, ...]]) -> Select[tuple[object, ...]]:
    return statement.with_for_update() if isinstance(read, Write) else statement


def _has_status(status: str, now: datetime) -> ColumnElement[bool]:
    if status == "revoked":
        return _C.revoked_at.is_not(None)
    return and_(_C.revoked_at.is_(None), _C.not_after < now if status == "expired" else _C.not_after >= now)


def _is_visible(visible: Visible) -> ColumnElement[bool]:
    domains = [domain for local, domain in visible if local is None]
    keys = [Mailbox(local, domain).key for local, domain in visible if local is not None]
    covered = or_(_M.domain.in_(domains), _M.mailbox_key.in_(keys))
    uncovered = select(_M.serial).where(_M.serial == _C.serial, ~covered)
    return and_(_C.serial.in_(select(_M.serial).where(covered)), ~uncovered.exists())


def _speaks_of(q: str) -> ColumnElement[bool]:
    spelled = select(_M.serial).where(_M.mailbox.icontains(q, autoescape=True))
    return or_(
        _C.subject.icontains(q, autoescape=True), _C.person.icontains(q, autoescape=True), _C.serial.in_(spelled)
    )

"""Enrolments: a link that is mailed to an address proves it, and opens the certificates of that mailbox for a while.

A link and what it opens are told by random texts of 128 bits, of which only the SHA-256 is kept. Whoever opened a link
is a principal of the kind `link`: it may have, see and end mailbox certificates of its one mailbox, and nothing else.
"""

from __future__ import annotations

import base64
import hashlib
import re
import secrets
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from ca import reasons, requests
from ca.errors import ReasonNotAllowed
from db import authorities, certificates, enrolments, idempotency, jobs
from db.engine import Read, Write, new_id
from db.enrolments import EnrolmentRow
from db.jobs import Lease
from formats.mailbox import Mailbox
from formats.serial import Serial
from services import access, audit, handover, outbox, revocation
from services import certificates as issuing
from services.access import Principal
from services.certificates import LINK_PROFILES, CertificateView, Filter, Order
from services.context import Context
from services.errors import ChoiceUnknown, IdempotencyKeyMalformed, LinkRefused, SessionEnded, TooManyCertificates
from services.handover import Handover
from services.outbox import Fact
from services.revocation import Cause

JOB: Final = "enrolments"
FORGET_EVERY: Final = timedelta(days=1)
LINK_LIFE: Final = timedelta(hours=1)
SESSION_LIFE: Final = timedelta(minutes=30)
LETTERS: Final = 3
LETTERS_WITHIN: Final = timedelta(hours=1)
KEPT: Final = timedelta(days=90)
FORGOTTEN_AT_A_TIME: Final = 1000
REQUEST_OCTETS: Final = requests.MAX_SIZE
KEY_KINDS: Final = ("rsa3072", "p256")
ACTIVE_AT_MOST: Final = 50
ACTIVE_SHOWN: Final = 200
ENDED_SHOWN: Final = 50
END_WORDS: Final = ("stolen", "replaced", "stopped")

_OCTETS: Final = 16
_SECRET: Final = re.compile(r"[A-Za-z0-9_-]{22}", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """What a browser that opened a link may work with until `expires_at`."""

    enrolment_id: str
    mailbox: Mailbox
    principal: Principal
    expires_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenedSession:
    """A session, and the secret by which its browser is known from now on."""

    session: Session
    secret: str = field(repr=False)


def request_link(context: Context, *, address: str, request_id: str) -> None:
    """Mail a link to an address of the campus; MailboxError if it cannot be read.

    For a foreign address nothing happens, nor for one that was sent three letters within the hour, where all details
    of a mailbox count as one; and nothing tells.
    Nobody's address is looked up, so it is the same for known and unknown people. What a link costs is drawn in every
    case; the seal and the commit, some milliseconds, are not, so the door answers after a least time.
    """
    typed, enrolment_id, token, now = Mailbox.parse(address), new_id(), _new_secret(), context.clock()
    token_sha256 = _hash(token)
    # Refused here like any other, as no link could ever be for it: a `*` within a local part.
    access.link(enrolment_id, mailbox=typed, request_id=request_id)
    if typed.domain not in context.issuers.campus.mail_domains:
        with context.database.read() as read:
            _is_enough(read, typed, now=now)
        return
    with context.database.write() as write:
        # Held so that of several at once each counts the others.
        authorities.lock(write, context.issuers.issuing.id)
        if _is_enough(write, typed, now=now):
            return
        mailbox = _as_certified(write, typed)
        enrolments.insert(
            write,
            EnrolmentRow(
                id=enrolment_id,
                mailbox=str(mailbox),
                token_sha256=token_sha256,
                created_at=now,
                expires_at=now + LINK_LIFE,
            ),
        )
        link = f"{context.settings.public_url.rstrip('/')}/enrol/{token}"
        details = {"link": link, "minutes": str(LINK_LIFE // timedelta(minutes=1))}
        fact = Fact(kind="enrolment_link", mailbox=mailbox, unique=enrolment_id, details=details)
        outbox.post(write, context, fact, now=now)
        principal = access.link(enrolment_id, mailbox=mailbox, request_id=request_id)
        _record(write, principal, mailbox, action="enrolment.requested", now=now)


def new_browser_secret() -> str:
    """What a browser keeps to be known again: 128 random bits in 22 characters of base64url."""
    return _new_secret()


def find_link(context: Context, *, token: str, browser: str | None) -> bool:
    """Whether this browser has opened this link already, and its session goes on; nothing is used up.

    LinkRefused, as when it is opened, for a link that is used by another browser, expired, foreign or truncated.
    """
    if not _SECRET.fullmatch(token):
        raise _refused()
    now = context.clock()
    with context.database.read() as read:
        row = enrolments.find_by_token(read, _hash(token))
    if row is not None and row.used_at is None and now < row.expires_at:
        return False
    if row is None or browser is None or row.browser_sha256 != _hash(browser) or not _is_open(row, now):
        raise _refused()
    return True


def open_session(context: Context, *, token: str, browser: str, request_id: str) -> OpenedSession:
    """Use a link up for this browser, which has one session at a time; a double click opens the same session again.

    The session hangs on a new secret. The one that the browser had may be known to somebody else, who had it set there;
    only together with the link does it tell a double click, or a second tab, from somebody else who has the link.
    LinkRefused, in the same words, for a link that is used, expired, foreign or truncated.
    """
    if not _SECRET.fullmatch(token) or not _SECRET.fullmatch(browser):
        raise _refused()
    token_sha256, secret, now = _hash(token), _session_secret(token, browser), context.clock()
    with context.database.read() as read:
        # Whoever guesses must not hold up those who write.
        if enrolments.find_by_token(read, token_sha256) is None:
            raise _refused()
    with context.database.write() as write:
        is_first = enrolments.use(
            write, token_sha256, browser_sha256=_hash(secret), now=now, session_until=now + SESSION_LIFE
        )
        row = enrolments.find_by_token(write, token_sha256)
        # The browser has the new secret already where the second click comes after the first one's answer.
        known = None if row is None else {_hash(one): one for one in (browser, secret)}.get(row.browser_sha256 or "")
        if row is None or known is None or not _is_open(row, now):
            raise _refused()
        opened = _session(row, request_id=request_id)
        if is_first:
            enrolments.end_others(write, _hash(browser), but=row.id, now=now)
            _record(write, opened.principal, opened.mailbox, action="enrolment.confirmed", now=now)
    return OpenedSession(session=opened, secret=known)


def session(context: Context, *, browser: str | None, request_id: str) -> Session:
    """What this browser has open; SessionEnded if that is nothing."""
    if browser is None or not _SECRET.fullmatch(browser):
        raise _ended()
    with context.database.read() as read:
        row = enrolments.session_of(read, _hash(browser), now=context.clock())
    if row is None:
        raise _ended()
    return _session(row, request_id=request_id)


def end_session(context: Context, session: Session) -> None:
    """End it now; one that has ended already stays so."""
    now = context.clock()
    with context.database.write() as write:
        if enrolments.end(write, session.enrolment_id, now=now):
            _record(write, session.principal, session.mailbox, action="enrolment.ended", now=now)


def mine(context: Context, session: Session) -> list[CertificateView]:
    """The certificates of this mailbox alone, newest first; a department's are not the mailbox reader's.

    Those that can be ended come first, up to 200, then up to 50 others.
    """
    _require_open(context, session)
    active = _page(context, session, status="active", limit=ACTIVE_SHOWN)
    shown = {one.serial for one in active}
    newest = _page(context, session, status=None, limit=ENDED_SHOWN + len(active))
    return [*active, *[one for one in newest if one.serial not in shown][:ENDED_SHOWN]]


def _page(context: Context, session: Session, *, status: str | None, limit: int) -> list[CertificateView]:
    narrowed = Filter(mailbox=session.mailbox, profiles=LINK_PROFILES, status=status)
    return issuing.page(context, session.principal, narrowed=narrowed, before_id=None, limit=limit)


def _refuse_more(context: Context, session: Session, once: str) -> None:
    """Nobody needs so many; who has them in a hurry fills the register, and the list in which they are ended.

    A form that is sent again makes no more.
    """
    with context.database.read() as read:
        if idempotency.find(read, session.enrolment_id, _once(once)) is not None:
            return
    active = _page(context, session, status="active", limit=ACTIVE_SHOWN)
    if sum(one.proof == "link" for one in active) >= ACTIVE_AT_MOST:
        raise TooManyCertificates(f"{session.mailbox} has {ACTIVE_AT_MOST} certificates that are valid now")


def make_file(context: Context, session: Session, *, key: str, file_format: str, once: str) -> Handover:
    """A new key and its certificate in one file; AlreadyDelivered when the same form is sent again."""
    _require_open(context, session)
    if key not in KEY_KINDS:
        raise ChoiceUnknown(f"the kind of a key is one of {', '.join(KEY_KINDS)}", pointers=("/key",))
    _refuse_more(context, session, once)
    return handover.issue(
        context,
        session.principal,
        order=Order(mailboxes=(_certified(context, session),)),
        key=key,
        file_format=file_format,
        idempotency_key=_once(once),
    )


def certify_request(context: Context, session: Session, *, request: bytes, once: str) -> CertificateView:
    """A certificate for the key of a PKCS#10 request; the same form sent again gives the same certificate."""
    _require_open(context, session)
    _refuse_more(context, session, once)
    order = Order(request=request, mailboxes=(_certified(context, session),))
    return issuing.issue(context, session.principal, order=order, idempotency_key=_once(once))


def end(context: Context, session: Session, *, serial: str, reason: str) -> CertificateView:
    """Revoke a certificate of this mailbox, because its key was stolen, or it was replaced or stopped."""
    _require_open(context, session)
    if reason not in END_WORDS:
        raise ReasonNotAllowed(f"the reason is not one of {', '.join(END_WORDS)}")
    cause = Cause(reason=reasons.parse_word(reason).value)
    return revocation.revoke(context, session.principal, serial=Serial.parse(serial), cause=cause)


def forget_old(
    context: Context,
    principal: Principal,  # noqa: ARG001  # as every job is called
    *,
    lease: Lease,
    at_a_time: int = FORGOTTEN_AT_A_TIME,
) -> int:
    """Delete links and sessions 90 days after they expired; returns how many. Certificates keep the enrolment's id."""
    forgotten = 0
    while True:
        with context.database.write() as write:
            now = context.clock()
            jobs.confirm(write, lease, now=now)
            gone = enrolments.forget(write, expired_before=now - KEPT, limit=at_a_time)
        forgotten += gone
        if gone < at_a_time:
            return forgotten


def _new_secret() -> str:
    return secrets.token_urlsafe(_OCTETS)


def _session_secret(token: str, browser: str) -> str:
    """The secret of the session that this browser opens by this link: whoever knows one of both cannot tell it."""
    digest = hashlib.sha256(f"mailseal session {token} {browser}".encode("ascii")).digest()
    return base64.urlsafe_b64encode(digest[:_OCTETS]).rstrip(b"=").decode("ascii")


def _hash(secret: str) -> str:
    """The form in which it is stored and looked up: it holds 128 random bits, so one SHA-256 is enough."""
    return hashlib.sha256(secret.encode("ascii")).hexdigest()


def _once(text: str) -> str:
    """The random text of a form as its Idempotency-Key, and nothing else that somebody could send."""
    if not _SECRET.fullmatch(text):
        raise IdempotencyKeyMalformed("the form does not carry the text that it was given")
    return text


def _is_enough(read: Read, mailbox: Mailbox, *, now: datetime) -> bool:
    """Three letters for each mailbox without detail, and three for all details of one together.

    Apart, because a link for a detail is of no use to the person who is to end what was issued for the mailbox itself.
    """
    recent = enrolments.mailboxes_since(read, mailbox, since=now - LETTERS_WITHIN, limit=2 * LETTERS)
    return sum(_has_detail(one) == _has_detail(mailbox) for one in recent) >= LETTERS


def _has_detail(mailbox: Mailbox) -> bool:
    return mailbox.key != mailbox.key_without_detail


def _as_certified(read: Read, mailbox: Mailbox) -> Mailbox:
    """The mailbox as its certificates spell it, if it has any: it stays certified in one spelling.

    The letter goes there too, so that a mail system to which upper and lower case differ tells no stranger.
    """
    spellings = certificates.mailbox_spellings(read, mailbox.key)
    return Mailbox.parse(spellings.pop()) if len(spellings) == 1 else mailbox


def _certified(context: Context, session: Session) -> str:
    """As it is certified now: the link may have been asked for before its first certificate was."""
    with context.database.read() as read:
        return str(_as_certified(read, session.mailbox))


def _session(row: EnrolmentRow, *, request_id: str) -> Session:
    mailbox = Mailbox.parse(row.mailbox)
    return Session(
        enrolment_id=row.id,
        mailbox=mailbox,
        principal=access.link(row.id, mailbox=mailbox, request_id=request_id),
        expires_at=row.session_until or row.expires_at,
    )


def _is_open(row: EnrolmentRow, now: datetime) -> bool:
    return row.ended_at is None and row.session_until is not None and now < row.session_until


def _require_open(context: Context, session: Session) -> None:
    """A Session is a value that may have been kept; what counts is its row, now."""
    with context.database.read() as read:
        row = enrolments.find(read, session.enrolment_id)
    if row is None or not _is_open(row, context.clock()):
        raise _ended()


def _record(write: Write, principal: Principal, mailbox: Mailbox, *, action: str, now: datetime) -> None:
    entry = audit.entry(
        principal,
        at=now,
        action=action,
        object_kind="enrolment",
        object_id=principal.id,
        mailbox=str(mailbox),
    )
    audit.insert(write, entry)


def _refused() -> LinkRefused:
    return LinkRefused("the link was used, has expired, or is not one of ours")


def _ended() -> SessionEnded:
    return SessionEnded("no session is open in this browser")

"""Enrolments: links that were mailed to prove a mailbox, and the session of the browser that used one.

Of a link and of a browser's secret only the SHA-256 is kept, by which it is looked up.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from sqlalchemy import Column, ColumnElement, Index, Table, and_, delete, select, update

from db.columns import METADATA, Line, UtcDateTime, rule
from db.engine import Read, Write
from formats.mailbox import Mailbox


@dataclass(frozen=True, slots=True, kw_only=True)
class EnrolmentRow:
    """One link; from `used_at` on it is one browser's session, until `session_until` or `ended_at`."""

    id: str
    mailbox: str
    token_sha256: str = field(repr=False)
    created_at: datetime
    expires_at: datetime
    used_at: datetime | None = None
    browser_sha256: str | None = field(default=None, repr=False)
    session_until: datetime | None = None
    ended_at: datetime | None = None


ENROLMENTS: Final = Table(
    "enrolments",
    METADATA,
    Column("id", Line(), primary_key=True),
    Column("mailbox", Line(), nullable=False),
    # Without detail: what is counted is how many letters one person gets.
    Column("mailbox_key", Line(), nullable=False),
    Column("token_sha256", Line(), nullable=False, unique=True),
    Column("created_at", UtcDateTime(), nullable=False),
    Column("expires_at", UtcDateTime(), nullable=False),
    Column("used_at", UtcDateTime()),
    Column("browser_sha256", Line(), index=True),
    Column("session_until", UtcDateTime()),
    Column("ended_at", UtcDateTime()),
    rule("used", "(used_at IS NULL) = (browser_sha256 IS NULL) AND (used_at IS NULL) = (session_until IS NULL)"),
    rule("ended", "ended_at IS NULL OR used_at IS NOT NULL"),
    rule("span", "created_at < expires_at"),
)
_E: Final = ENROLMENTS.c
Index(None, _E.mailbox_key, _E.created_at)

_ROW: Final = select(*(column for column in _E if column.name != "mailbox_key"))


def insert(write: Write, row: EnrolmentRow) -> None:
    """Store a link that nobody has used yet; AlreadyThere if its id or token is."""
    write.insert(ENROLMENTS, row, mailbox_key=Mailbox.parse(row.mailbox).key_without_detail)


def find(read: Read, enrolment_id: str) -> EnrolmentRow | None:
    """One enrolment by its id."""
    return read.one(_ROW.where(_E.id == enrolment_id), EnrolmentRow)


def find_by_token(read: Read, token_sha256: str) -> EnrolmentRow | None:
    """The enrolment of a link, whatever became of it."""
    return read.one(_ROW.where(_E.token_sha256 == token_sha256), EnrolmentRow)


def session_of(read: Read, browser_sha256: str, *, now: datetime) -> EnrolmentRow | None:
    """The session that a browser has open; if there were two, the one that it opened last."""
    last = _ROW.where(_is_open(browser_sha256, now)).order_by(_E.used_at.desc(), _E.id.desc()).limit(1)
    return read.one(last, EnrolmentRow)


def mailboxes_since(read: Read, mailbox: Mailbox, *, since: datetime, limit: int) -> list[Mailbox]:
    """For which mailboxes links were made after that time: this one and all others of the same person, newest first."""
    same = select(_E.mailbox).where(_E.mailbox_key == mailbox.key_without_detail, _E.created_at > since)
    return [Mailbox.parse(text) for text in read.values(same.order_by(_E.created_at.desc()).limit(limit))]


def use(write: Write, token_sha256: str, *, browser_sha256: str, now: datetime, session_until: datetime) -> bool:
    """Let a browser use a link up; False if it is used, has expired or never was. Of two at once one gets it."""
    statement = (
        update(ENROLMENTS)
        .where(_E.token_sha256 == token_sha256, _E.used_at.is_(None), _E.expires_at > now)
        .values(used_at=now, browser_sha256=browser_sha256, session_until=session_until)
    )
    return bool(write.change(statement))


def end(write: Write, enrolment_id: str, *, now: datetime) -> bool:
    """End a session; False if it has ended or run out, or the link was never used."""
    open_ = and_(_E.ended_at.is_(None), _E.session_until > now)
    return bool(write.change(update(ENROLMENTS).where(_E.id == enrolment_id, open_).values(ended_at=now)))


def end_others(write: Write, browser_sha256: str, *, but: str, now: datetime) -> int:
    """End what a browser has open besides this; how many sessions that were."""
    others = and_(_is_open(browser_sha256, now), _E.id != but)
    return write.change(update(ENROLMENTS).where(others).values(ended_at=now))


def forget(write: Write, *, expired_before: datetime, limit: int) -> int:
    """Delete up to `limit` links that expired before that time, with their sessions; how many that were."""
    old = select(_E.id).where(_E.expires_at < expired_before).order_by(_E.expires_at, _E.id).limit(limit)
    return write.change(delete(ENROLMENTS).where(_E.id.in_(old)))


def _is_open(browser_sha256: str, now: datetime) -> ColumnElement[bool]:
    return and_(_E.browser_sha256 == browser_sha256, _E.ended_at.is_(None), _E.session_until > now)

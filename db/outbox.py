"""The outbox: what is to leave later, sealed until it has left, then blank.

The recipient stands in the sealed payload alone. `attempts` is the fence of a row: whoever begins an attempt counts it
up, and changes the row afterwards only while the count is still theirs.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Column, Index, Integer, LargeBinary, Table, func, null, or_, select, update

from db.columns import METADATA, Line, UtcDateTime, one_of, rule
from db.engine import Read, Write
from db.jobs import JOBS

STATES: Final = ("waiting", "composed", "sent", "given_up")
OPEN: Final = ("waiting", "composed")


@dataclass(frozen=True, slots=True, kw_only=True)
class OutboxRow:
    """One thing to send: `waiting` as a fact, `composed` as a letter, then `sent` or `given_up`, and its payload blank.

    It is given up at `expires_at` at the latest. `error` is the code of the last failure.
    """

    id: str
    kind: str
    unique_sha256: str
    state: str
    kek_id: str | None
    wrapped_key: bytes | None = field(repr=False)
    ciphertext: bytes | None = field(repr=False)
    attempts: int
    due_at: datetime
    expires_at: datetime
    created_at: datetime
    sent_at: datetime | None
    error: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Count:
    """How many rows of one kind are in one state, and since when the oldest is there."""

    kind: str
    state: str
    number: int
    oldest: datetime


OUTBOX: Final = Table(
    "outbox",
    METADATA,
    Column("id", Line(), primary_key=True),
    Column("kind", Line(), nullable=False),
    Column("unique_sha256", Line(), nullable=False, unique=True),
    Column("state", Line(), nullable=False),
    Column("kek_id", Line()),
    Column("wrapped_key", LargeBinary),
    Column("ciphertext", LargeBinary),
    Column("attempts", Integer, nullable=False),
    Column("due_at", UtcDateTime(), nullable=False),
    Column("expires_at", UtcDateTime(), nullable=False),
    Column("created_at", UtcDateTime(), nullable=False),
    Column("sent_at", UtcDateTime()),
    Column("error", Line()),
    one_of("state", *STATES),
    rule("attempts", "attempts >= 0"),
    rule(
        "payload",
        "(ciphertext IS NULL) = (state IN ('sent', 'given_up'))"
        " AND (kek_id IS NULL) = (ciphertext IS NULL)"
        " AND (wrapped_key IS NULL) = (ciphertext IS NULL)",
    ),
    rule("sent_at", "(sent_at IS NOT NULL) = (state = 'sent')"),
)
_OPEN: Final = OUTBOX.c.state.in_(OPEN)
Index(None, OUTBOX.c.due_at, sqlite_where=_OPEN, postgresql_where=_OPEN)
_BLANK: Final[dict[str, Any]] = {"kek_id": null(), "wrapped_key": null(), "ciphertext": null()}


def insert_if_absent(write: Write, row: OutboxRow) -> bool:
    """Store what is to be sent; False if it was stored before, whatever became of it."""
    return write.insert_if_absent(OUTBOX, row)


def find(read: Read, row_id: str) -> OutboxRow | None:
    """One row by its id."""
    return read.one(select(OUTBOX).where(OUTBOX.c.id == row_id), OutboxRow)


def wake(write: Write, job: str, *, now: datetime) -> None:
    """Let the job that sends be wanted from now on, unless it is already.

    Who finds it wanted does not touch its row, on which all who post would else wait for one another, and which the
    job could not take up as long as they do. Rarely the job is taken up just then and has looked before this Write
    ends; then it looks again when it is due.
    """
    is_later = or_(JOBS.c.wanted_at.is_(None), JOBS.c.wanted_at > now)
    write.execute(update(JOBS).where(JOBS.c.name == job, is_later).values(wanted_at=now))


def due(read: Read, *, now: datetime, limit: int) -> list[OutboxRow]:
    """What is due by now and still to be sent, the longest overdue first."""
    overdue = select(OUTBOX).where(_OPEN, OUTBOX.c.due_at <= now)
    return read.many(overdue.order_by(OUTBOX.c.due_at, OUTBOX.c.id).limit(limit), OutboxRow)


def next_due(read: Read) -> datetime | None:
    """When the next row is due; None if nothing is still to be sent."""
    (found,) = read.values(select(func.min(OUTBOX.c.due_at, type_=UtcDateTime())).where(_OPEN))
    return found  # type: ignore[no-any-return]  # the column's type


def begin(write: Write, row: OutboxRow, *, hold_until: datetime) -> bool:
    """Begin the attempt after `row.attempts`, which keeps others away for a while; False if somebody was faster."""
    return _change(write, row, attempts=row.attempts + 1, due_at=hold_until)


def compose(
    write: Write, row: OutboxRow, *, kek_id: str, wrapped_key: bytes, ciphertext: bytes, hold_until: datetime
) -> bool:
    """Put the composed letter in the place of the fact, and hold on to the row; False if it is in other hands."""
    sealed: dict[str, Any] = {"kek_id": kek_id, "wrapped_key": wrapped_key, "ciphertext": ciphertext}
    return _change(write, row, was="waiting", state="composed", due_at=hold_until, **sealed)


def postpone(write: Write, row: OutboxRow, *, due_at: datetime, error: str) -> bool:
    """Let it be due again later; False if the row is in other hands."""
    return _change(write, row, due_at=due_at, error=error)


def sent(write: Write, row: OutboxRow, *, at: datetime) -> bool:
    """Blank what has been sent; False if the row is in other hands."""
    return _change(write, row, state="sent", sent_at=at, error=null(), **_BLANK)


def give_up(write: Write, row: OutboxRow, *, error: str) -> bool:
    """Blank what will never be sent; False if the row is in other hands."""
    return _change(write, row, state="given_up", error=error, **_BLANK)


def counts(read: Read) -> list[Count]:
    """How much of each kind is in each state."""
    statement = (
        select(
            OUTBOX.c.kind,
            OUTBOX.c.state,
            func.count().label("number"),
            func.min(OUTBOX.c.created_at, type_=UtcDateTime()).label("oldest"),
        )
        .group_by(OUTBOX.c.kind, OUTBOX.c.state)
        .order_by(OUTBOX.c.kind, OUTBOX.c.state)
    )
    return read.many(statement, Count)


def _change(write: Write, row: OutboxRow, *, was: str | None = None, **values: Any) -> bool:
    state = _OPEN if was is None else OUTBOX.c.state == was
    statement = update(OUTBOX).where(OUTBOX.c.id == row.id, OUTBOX.c.attempts == row.attempts, state)
    return bool(write.change(statement.values(**values)))

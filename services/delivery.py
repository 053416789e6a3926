"""Delivery: the job that makes letters of facts, signs them, and sends each once.

A row of the outbox is `waiting` with a fact, `composed` with a letter, then `sent` or `given_up` and blank. For each row:

(1) begin an attempt, under the lease: it is counted, and for as long as sending may take the row is nobody else's
(2) compose and sign, unless that is done: the letter and the record of its signature are stored together
(3) send
(4) mark it as sent and blank it

Each step but the third is one transaction, and changes the row only while the attempt is ours, so whatever ends the
process loses nothing. Between the relay's last word in (3) and the commit of (4) nobody can know whether a letter has
left: if the process ends just there, or that word does not come, the letter is sent again, with the same Message-ID. Into
the folder it comes once even then, because its file has the row's name.
"""

from __future__ import annotations

import time
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from typing import Final, Protocol

import structlog

from db import audit, jobs, outbox
from db.jobs import Lease, LeaseLost
from db.outbox import OutboxRow
from formats.errors import NotReady, Refusal
from formats.mailbox import Mailbox
from net import letter as net
from net.errors import AddressNotCarried, LetterRefused, OutboxFolderClosed, RelayUnreachable, RelayUnwilling, Stopped
from services import notices, sender
from services.access import Principal
from services.context import Context
from services.letterbox import Letter, demo_letters
from services.outbox import JOB, LETTER, open_payload, our_mailbox, read_fact, seal

__all__ = ["JOB", "Letter", "deliver", "demo_letters"]

# Mostly it is hastened; this is for what was posted while it began to look (db/outbox says when).
EVERY: Final = timedelta(seconds=15)
ROWS: Final = 50
# Less than a lease, so that the last letter of a run begins under it.
RUN_SECONDS: Final = 15.0
# Beyond what sending may take, for the commit of its end.
HOLD_MARGIN: Final = timedelta(seconds=15)
MARK_TRIES: Final = 10
PAUSES: Final = tuple(timedelta(seconds=seconds) for seconds in (5, 30, 120, 300, 600, 1200, 1800, 3600))
EXPIRED: Final = "letter_expired"

_FOR_GOOD: Final = (LetterRefused, AddressNotCarried)
_FOR_ALL: Final = (RelayUnreachable, RelayUnwilling, OutboxFolderClosed)

_log = structlog.get_logger(__name__)


class _Way(Protocol):
    def send(self, letter: net.Letter) -> None: ...


def deliver(context: Context, principal: Principal, *, lease: Lease) -> int:
    """Send what is due, the longest overdue first, for a bounded time; returns how many letters have left.

    A letter that fails is due again later and keeps no other waiting; what no relay will ever take, and what has
    expired, is given up.
    """
    until = time.monotonic() + RUN_SECONDS
    with context.database.read() as read:
        rows = outbox.due(read, now=context.clock(), limit=ROWS)
    sent = 0
    with suppress(Stopped), context.outgoing.open() as way:
        for row in rows:
            if time.monotonic() > until:
                break
            begun = _begin(context, row, lease)
            if begun is None:
                continue
            failure = _attempt(context, principal, begun, way)
            sent += failure is None
            if isinstance(failure, _FOR_ALL):
                break
    _come_again(context)
    return sent


def _begin(context: Context, row: OutboxRow, lease: Lease) -> OutboxRow | None:
    """Step 1; None if the row has expired, or somebody else has begun."""
    now = context.clock()
    with context.database.write() as write:
        jobs.confirm(write, lease, now=now)
        if now < row.expires_at:
            is_ours = outbox.begin(write, row, hold_until=now + _hold(context))
            return replace(row, attempts=row.attempts + 1) if is_ours else None
    _give_up(context, row, code=EXPIRED)
    return None


def _attempt(context: Context, principal: Principal, row: OutboxRow, way: _Way) -> Exception | None:
    """Steps 2 to 4; what went wrong has been noted in the row, and is returned."""
    try:
        letter = _letter(context, principal, row)
        way.send(letter)
    except Stopped:
        with suppress(Refusal):
            _postpone(context, row, after=timedelta(), code="stopped")
        raise
    except LeaseLost:
        raise
    except _FOR_GOOD as refusal:
        _give_up(context, row, code=refusal.code, detail=refusal.detail)
        return refusal
    except Refusal as refusal:
        _fail(context, row, code=refusal.code, detail=refusal.detail)
        return refusal
    except Exception as error:  # noqa: BLE001  # one letter must not keep the others waiting
        # Without its text, which may hold what the letter says.
        _fail(context, row, code="internal_error", detail=type(error).__name__)
        return error
    _mark(context, row)
    return None


def _letter(context: Context, principal: Principal, row: OutboxRow) -> net.Letter:
    """The composed letter of a row, after step 2."""
    if row.state == "composed":
        address, _, data = open_payload(context.vault, row, purpose=LETTER).partition(b"\n")
        recipient = Mailbox.parse(address.decode())
    else:
        recipient, data = _compose(context, principal, row)
    return net.Letter(id=row.id, sender=our_mailbox(context), recipient=recipient, data=data)


def _compose(context: Context, principal: Principal, row: OutboxRow) -> tuple[Mailbox, bytes]:
    """Step 2."""
    fact = read_fact(context.vault, row)
    unsigned = notices.compose(context, fact, row_id=row.id, now=context.clock())
    data, entry = sender.sign_letter(context, principal, unsigned)
    payload = f"{fact.mailbox}\n".encode() + data
    sealed = seal(context.vault, payload, row_id=row.id, purpose=LETTER)
    with context.database.write() as write:
        is_ours = outbox.compose(
            write,
            row,
            kek_id=sealed.kek_id,
            wrapped_key=sealed.wrapped_key,
            ciphertext=sealed.ciphertext,
            hold_until=context.clock() + _hold(context),
        )
        if not is_ours:
            raise LeaseLost("the letter is in other hands by now")
        audit.insert(write, entry)
    return fact.mailbox, data


def _mark(context: Context, row: OutboxRow) -> None:
    """Step 4; it asks for no lease, because what has been sent has been sent, and waits for a database that is away."""
    for tries in range(1, MARK_TRIES + 1):
        try:
            with context.database.write() as write:
                outbox.sent(write, row, at=context.clock())
        except NotReady:
            if tries == MARK_TRIES:
                raise
            time.sleep(0.2 * tries)
        else:
            _log.info("letter sent", outbox=row.id, kind=row.kind, attempts=row.attempts)
            return


def _fail(context: Context, row: OutboxRow, *, code: str, detail: str) -> None:
    pause = PAUSES[min(row.attempts, len(PAUSES)) - 1]
    _postpone(context, row, after=pause, code=code)
    _log.warning("letter delayed", outbox=row.id, kind=row.kind, attempts=row.attempts, code=code, detail=detail)


def _postpone(context: Context, row: OutboxRow, *, after: timedelta, code: str) -> None:
    due_at = min(context.clock() + after, row.expires_at)
    with context.database.write() as write:
        outbox.postpone(write, row, due_at=due_at, error=code)


def _give_up(context: Context, row: OutboxRow, *, code: str, detail: str = "") -> None:
    with context.database.write() as write:
        given_up = outbox.give_up(write, row, error=code)
    if given_up:
        _log.error("letter given up", outbox=row.id, kind=row.kind, attempts=row.attempts, code=code, detail=detail)


def _come_again(context: Context) -> None:
    """Be due again when the next row is."""
    with context.database.write() as write:
        if (due_at := outbox.next_due(write)) is not None:
            jobs.hasten(write, JOB, due_at=max(due_at, context.clock()))


def _hold(context: Context) -> timedelta:
    return timedelta(seconds=context.outgoing.seconds) + HOLD_MARGIN

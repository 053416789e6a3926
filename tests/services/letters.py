"""What the tests of letters do again and again: post, deliver, look into the outbox."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import timedelta
from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import Any, Self

from db import jobs as job_table
from db import outbox as table
from db.engine import Database, Read, Write
from db.jobs import Lease
from db.outbox import OutboxRow
from formats.mailbox import Mailbox
from net.letter import Letter
from services import access, delivery, jobs, outbox
from services.context import Outgoing
from services.outbox import Fact
from tests.campus import Campus
from tests.services.deeds import ALICE, add_identity

SECRET = "SECRET-of-the-link"


class Died(BaseException):
    """Stands for a process that ends here: nothing of ours catches it."""


@dataclass(kw_only=True)
class FakeWay:
    """A way out that takes letters, unless `before` or `after` raises something."""

    taken: list[Letter] = field(default_factory=list)
    before: Callable[[Letter], None] = lambda _letter: None
    after: Callable[[Letter], None] = lambda _letter: None
    seconds: float = 30.0

    @contextmanager
    def open(self) -> Iterator[Self]:
        yield self

    def send(self, letter: Letter) -> None:
        self.before(letter)
        self.taken.append(letter)
        self.after(letter)

    def stop(self) -> None:
        """Nothing is under way."""

    @property
    def recipients(self) -> list[str]:
        return [str(letter.recipient) for letter in self.taken]


class DyingDatabase:
    """A database where something goes wrong at a point such as `before 2`, its second Write, or just after its commit.

    By default the process ends there; `failure` may also do something, and give back nothing to raise.
    """

    def __init__(self, database: Database, *, point: str, failure: Callable[[], BaseException | None] = Died) -> None:
        self._database = database
        self._point = point
        self._failure = failure
        self._writes = 0

    def read(self, **options: Any) -> Any:
        return self._database.read(**options)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._database, name)

    @contextmanager
    def write(self) -> Iterator[Write]:
        self._writes += 1
        number = self._writes
        self._pass(f"before {number}")
        with self._database.write() as write:
            yield write
        self._pass(f"after {number}")

    def _pass(self, point: str) -> None:
        if self._point == point and (failure := self._failure()) is not None:
            raise failure


def with_way(campus: Campus, way: FakeWay | Outgoing) -> Campus:
    """The same campus with another way out."""
    return replace(campus, context=replace(campus.context, outgoing=way))  # type: ignore[arg-type]  # a fake


def with_database(campus: Campus, database: DyingDatabase) -> Campus:
    """The same campus on a database that fails."""
    return replace(campus, context=replace(campus.context, database=database))  # type: ignore[arg-type]  # a fake


def with_sender(campus: Campus) -> Campus:
    """The campus with our own identity, whose keys are made quickly."""
    add_identity(campus, outbox.our_mailbox(campus.context))
    return campus


def post(campus: Campus, *mailboxes: str, minutes: str = "60") -> list[str]:
    """Post a link to each of these; the ids of the rows."""
    before = {row.id for row in every_row(campus)}
    for mailbox in mailboxes or (ALICE,):
        details = {"link": f"http://localhost:8000/enrol/{SECRET}", "minutes": minutes}
        fact = Fact(
            kind="enrolment_link",
            mailbox=Mailbox.parse(mailbox),
            unique=f"{mailbox} {len(before)} {minutes}",
            details=details,
        )
        with campus.context.database.write() as write:
            assert outbox.post(write, campus.context, fact, now=campus.clock())
    return [row.id for row in every_row(campus) if row.id not in before]


def run(campus: Campus) -> None:
    """Let the delivery run, if it is due."""
    jobs.run_due(campus.context, holder="test", lane=jobs.OUTSIDE)


def claim(campus: Campus) -> Lease:
    """The lease of the delivery."""
    with campus.context.database.write() as write:
        lease = job_table.claim(
            write, holder="me", now=campus.clock(), lease_seconds=jobs.LEASE_SECONDS, names=(delivery.JOB,)
        )
    assert lease is not None
    return lease


def deliver(campus: Campus, lease: Lease | None = None) -> int:
    """Deliver under a lease, without the timetable, which would catch what goes wrong."""
    who = access.job(delivery.JOB, request_id="test")
    return delivery.deliver(campus.context, who, lease=lease or claim(campus))


def every_row(campus: Campus) -> list[OutboxRow]:
    """All of the outbox, oldest first."""

    def look(read: Read) -> list[OutboxRow]:
        return read.many(table.OUTBOX.select().order_by(table.OUTBOX.c.id), OutboxRow)

    with campus.context.database.read() as read:
        return look(read)


def the_row(campus: Campus) -> OutboxRow:
    """The only row of the outbox."""
    (row,) = every_row(campus)
    return row


def wait_out(campus: Campus, span: timedelta = timedelta(minutes=10)) -> None:
    """Let so much time pass that no lease and no hold is left."""
    campus.clock.advance(span)


def parsed(data: bytes) -> EmailMessage:
    """A letter as a mail program reads it."""
    message = message_from_bytes(data, policy=policy.default)
    assert isinstance(message, EmailMessage)
    return message


def text_of(data: bytes) -> str:
    """What a person reads in a letter."""
    part = parsed(data).get_body(("plain",))
    assert part is not None
    return str(part.get_content()).replace("\r\n", "\n")

"""Jobs: one row each, leased to one holder at a time, with a fence that tells a late holder from the next one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import BigInteger, Column, ColumnElement, Table, and_, case, null, or_, select, update

from db.columns import METADATA, Line, UtcDateTime
from db.engine import Read, Write
from db.errors import LeaseLost

__all__ = ["JOBS", "JobRow", "Lease", "LeaseLost", "all_", "claim", "confirm", "ensure", "finish", "hasten"]


@dataclass(frozen=True, slots=True, kw_only=True)
class JobRow:
    """One job: due at `due_at`, or at `wanted_at` if somebody hastened it and nobody has taken it up since."""

    name: str
    due_at: datetime
    wanted_at: datetime | None
    holder: str | None
    fence: int
    leased_until: datetime | None
    finished_at: datetime | None
    error: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Lease:
    """The right to do one job until `leased_until`; the fence is of this lease alone."""

    name: str
    holder: str
    fence: int
    leased_until: datetime


JOBS: Final = Table(
    "jobs",
    METADATA,
    Column("name", Line(), primary_key=True),
    Column("due_at", UtcDateTime(), nullable=False),
    Column("wanted_at", UtcDateTime()),
    Column("holder", Line()),
    Column("fence", BigInteger, nullable=False),
    Column("leased_until", UtcDateTime()),
    Column("finished_at", UtcDateTime()),
    Column("error", Line()),
)


def ensure(write: Write, name: str, *, due_at: datetime) -> bool:
    """Enter a job unless it is there, which then stays as it is; True if it was entered."""
    row = JobRow(
        name=name,
        due_at=due_at,
        wanted_at=None,
        holder=None,
        fence=0,
        leased_until=None,
        finished_at=None,
        error=None,
    )
    return write.insert_if_absent(JOBS, row)


def all_(read: Read) -> list[JobRow]:
    """Every job, by name."""
    return read.many(select(JOBS).order_by(JOBS.c.name), JobRow)


def claim(
    write: Write, *, holder: str, now: datetime, lease_seconds: float, names: Sequence[str] | None = None
) -> Lease | None:
    """Lease the job that is overdue the longest, of these names; None if nothing is due that nobody holds."""
    free = or_(JOBS.c.leased_until.is_(None), JOBS.c.leased_until <= now)
    due = or_(JOBS.c.due_at <= now, JOBS.c.wanted_at <= now)
    listed = [] if names is None else [JOBS.c.name.in_(names)]
    # A job that another process is taking at this moment is passed over, not waited for.
    first = select(JOBS.c.name).where(free, due, *listed).order_by(JOBS.c.due_at, JOBS.c.name).limit(1)
    statement = (
        update(JOBS)
        .where(JOBS.c.name == first.with_for_update(skip_locked=True).scalar_subquery())
        .values(
            holder=holder,
            fence=JOBS.c.fence + 1,
            leased_until=now + timedelta(seconds=lease_seconds),
            # Due from now on, so that it is taken up again if this holder never finishes; and what is wanted from here
            # on is wanted once more, because this holder may have begun to read already.
            due_at=case((JOBS.c.due_at > now, now), else_=JOBS.c.due_at),
            wanted_at=null(),
        )
        .returning(JOBS.c.name, JOBS.c.holder, JOBS.c.fence, JOBS.c.leased_until)
    )
    found = write.execute(statement).mappings().one_or_none()
    return None if found is None else Lease(**found)


def confirm(write: Write, lease: Lease, *, now: datetime) -> None:
    """Hold on to a lease until this Write ends; LeaseLost if its time is over or somebody else holds the job."""
    if now >= lease.leased_until:
        raise LeaseLost(f"the lease of the job {lease.name} has run out")
    if not write.values(select(JOBS.c.name).where(_held(lease)).with_for_update()):
        raise LeaseLost(f"the job {lease.name} is somebody else's by now")


def finish(write: Write, lease: Lease, *, now: datetime, next_due: datetime, error: str | None) -> bool:
    """End a lease, and say when the job is due again; False if somebody else holds the job by now.

    A job that was hastened meanwhile stays wanted.
    """
    statement = (
        update(JOBS)
        .where(_held(lease))
        .values(holder=null(), leased_until=null(), due_at=next_due, finished_at=now, error=error)
    )
    return bool(write.change(statement))


def hasten(write: Write, name: str, *, due_at: datetime) -> bool:
    """Let a job be due at this time at the latest; False if there is no such job.

    It does so also for a job that is being done, whose holder may have read before what is written in this Write.
    """
    wanted = case((JOBS.c.wanted_at < due_at, JOBS.c.wanted_at), else_=due_at)
    return bool(write.change(update(JOBS).where(JOBS.c.name == name).values(wanted_at=wanted)))


def _held(lease: Lease) -> ColumnElement[bool]:
    return and_(JOBS.c.name == lease.name, JOBS.c.holder == lease.holder, JOBS.c.fence == lease.fence)

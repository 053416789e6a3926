"""The timetable of jobs: leases decide which process runs what, and a job whose lease has run out publishes nothing."""

from __future__ import annotations

import secrets
import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

import structlog

from db import jobs
from db.jobs import Lease
from services import access, delivery, enrolments, identities, publication, settlement
from services.access import Principal
from services.context import Context

# Short enough that a CRL comes within a minute even if who began it has died.
LEASE_SECONDS: Final = 30
# One thread each: what waits for a mail relay keeps no CRL waiting.
HOUSE: Final = "jobs"
OUTSIDE: Final = "delivery"
LANES: Final = (HOUSE, OUTSIDE)
# As long as an end waits for a job of the lane OUTSIDE, which has been told to come to its own.
STOP_SECONDS: Final = 15.0
RETRY_AFTER: Final = timedelta(seconds=15)
LOOK_EVERY_SECONDS: Final = 1.0

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One entry of the timetable: what runs, how long after a success it is due again, and in which lane it runs."""

    name: str
    every: timedelta
    run: Callable[[Context, Principal, Lease], object]
    lane: str = HOUSE


def timetable(context: Context) -> dict[str, Job]:
    """Every job by its name."""
    issuer = context.issuers.issuing.id
    entries = (
        Job(
            name=f"delegate:{issuer}",
            every=publication.DELEGATE_CHECK_EVERY,
            run=lambda context, who, lease: publication.renew_delegate(context, who, lease=lease),
        ),
        Job(
            name=f"crl:{issuer}",
            every=publication.CRL_EVERY,
            run=lambda context, who, lease: publication.publish_crl(context, who, lease=lease),
        ),
        Job(
            name="settling",
            every=settlement.EVERY,
            run=lambda context, who, lease: settlement.settle(context, who, lease=lease),
        ),
        Job(
            name=identities.JOB,
            every=identities.RENEWAL_EVERY,
            run=lambda context, who, lease: identities.renew_due(context, who, lease=lease),
        ),
        Job(
            name=enrolments.JOB,
            every=enrolments.FORGET_EVERY,
            run=lambda context, who, lease: enrolments.forget_old(context, who, lease=lease),
        ),
        Job(
            name=delivery.JOB,
            every=delivery.EVERY,
            run=lambda context, who, lease: delivery.deliver(context, who, lease=lease),
            lane=OUTSIDE,
        ),
    )
    return {job.name: job for job in entries}


def enter(context: Context) -> None:
    """Enter every job into the table of jobs, due now; those that are there stay as they are."""
    with context.database.write() as write:
        for name in timetable(context):
            jobs.ensure(write, name, due_at=context.clock())


def run_due(context: Context, *, holder: str, lane: str = HOUSE) -> int:
    """Run what is due in a lane and not leased by somebody else, until nothing is; returns how many jobs ran."""
    entries = {name: job for name, job in timetable(context).items() if job.lane == lane}
    ran = 0
    # A job that is due again at once must not keep the others, or a stop, waiting for ever.
    for _ in range(2 * len(entries)):
        with context.database.write() as write:
            lease = jobs.claim(
                write, holder=holder, now=context.clock(), lease_seconds=LEASE_SECONDS, names=tuple(entries)
            )
        if lease is None:
            break
        _run(context, entries[lease.name], lease)
        ran += 1
    return ran


def _run(context: Context, job: Job, lease: Lease) -> None:
    """Run one job; whatever goes wrong is logged, kept with the job, and tried again soon."""
    request_id = f"job-{secrets.token_hex(8)}"
    failure: str | None = None
    try:
        job.run(context, access.job(job.name, request_id=request_id), lease)
    except Exception as error:  # noqa: BLE001  # one failing job must not end the others
        failure = type(error).__name__
        _log.error("job failed", job=job.name, request_id=request_id, error=failure, exc_info=error)
    now = context.clock()
    with context.database.write() as write:
        jobs.finish(write, lease, now=now, next_due=now + (RETRY_AFTER if failure else job.every), error=failure)


class Timetable:
    """A thread for each lane, that looks for due jobs every second until it is stopped."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._holder = secrets.token_hex(8)
        self._stopping = threading.Event()
        self._threads = {
            lane: threading.Thread(target=self._work, args=(lane,), name=lane, daemon=True) for lane in LANES
        }

    def start(self) -> None:
        """Enter the jobs that this version has and the table has not, and start the threads."""
        enter(self._context)
        for thread in self._threads.values():
            thread.start()

    def stop(self) -> None:
        """Let the running jobs end, then end the threads; letters on their way out are told to come to an end."""
        self._stopping.set()
        self._context.outgoing.stop()
        self._threads[HOUSE].join()
        self._threads[OUTSIDE].join(STOP_SECONDS)
        if self._threads[OUTSIDE].is_alive():
            _log.error("a letter is left on its way", seconds=STOP_SECONDS)

    def _work(self, lane: str) -> None:
        while not self._stopping.is_set():
            try:
                run_due(self._context, holder=self._holder, lane=lane)
            except Exception as error:  # noqa: BLE001  # a database that is away for a while
                _log.error("jobs cannot run", lane=lane, error=type(error).__name__, exc_info=error)
            self._stopping.wait(LOOK_EVERY_SECONDS)

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
from services import access, identities, publication, settlement
from services.access import Principal
from services.context import Context

# Short enough that a CRL comes within a minute even if who began it has died.
LEASE_SECONDS: Final = 30
RETRY_AFTER: Final = timedelta(seconds=15)
LOOK_EVERY_SECONDS: Final = 1.0

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One entry of the timetable: what runs, and how long after a success it is due again."""

    name: str
    every: timedelta
    run: Callable[[Context, Principal, Lease], object]


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
    )
    return {job.name: job for job in entries}


def enter(context: Context) -> None:
    """Enter every job into the table of jobs, due now; those that are there stay as they are."""
    with context.database.write() as write:
        for name in timetable(context):
            jobs.ensure(write, name, due_at=context.clock())


def run_due(context: Context, *, holder: str) -> int:
    """Run what is due and not leased by somebody else, until nothing is; returns how many jobs ran."""
    entries = timetable(context)
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
    """A thread that looks for due jobs every second until it is stopped."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._holder = secrets.token_hex(8)
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._work, name="jobs", daemon=True)

    def start(self) -> None:
        """Enter the jobs that this version has and the table has not, and start the thread."""
        enter(self._context)
        self._thread.start()

    def stop(self) -> None:
        """Let the running job end, then end the thread."""
        self._stopping.set()
        self._thread.join()

    def _work(self) -> None:
        while not self._stopping.is_set():
            try:
                run_due(self._context, holder=self._holder)
            except Exception as error:  # noqa: BLE001  # a database that is away for a while
                _log.error("jobs cannot run", error=type(error).__name__, exc_info=error)
            self._stopping.wait(LOOK_EVERY_SECONDS)

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

from db import jobs as table
from db.jobs import JobRow
from services import jobs
from services.context import Context
from services.jobs import Timetable
from tests.campus import Campus


def job(campus: Campus, name: str) -> JobRow:
    with campus.context.database.read() as read:
        return {row.name: row for row in table.all_(read)}[name]


def broken(campus: Campus) -> Context:
    """The campus with a linter that fails, so that no delegate can be made."""

    class Broken:
        def certificate(self, *_: Any, **__: Any) -> None:
            raise RuntimeError("broken")

    held = campus.context.issuers
    issuing = replace(held.issuing, linter=Broken())  # type: ignore[arg-type]  # that is the point
    return replace(campus.context, issuers=replace(held, issuing=issuing))


def test_enters_every_job_once(campus: Campus) -> None:
    jobs.enter(campus.context)
    with campus.context.database.read() as read:
        assert {row.name for row in table.all_(read)} == {
            "crl:g1",
            "delegate:g1",
            "delivery",
            "enrolments",
            "identities",
            "settling",
        }


def test_runs_each_that_is_due_once(campus: Campus) -> None:
    assert jobs.run_due(campus.context, holder="a") == 5
    assert jobs.run_due(campus.context, holder="a") == 0
    campus.clock.advance(timedelta(seconds=10))
    assert jobs.run_due(campus.context, holder="a") == 1


def test_leaves_alone_what_somebody_else_holds(campus: Campus) -> None:
    with campus.context.database.write() as write:
        for _ in range(6):
            table.claim(write, holder="b", now=campus.clock(), lease_seconds=30)
    assert jobs.run_due(campus.context, holder="a") == 0
    campus.clock.advance(timedelta(seconds=30))
    assert jobs.run_due(campus.context, holder="a") == 5


def test_a_failing_job_is_noted_tried_again_soon_and_harms_no_other(campus: Campus) -> None:
    assert jobs.run_due(broken(campus), holder="a") == 5
    assert job(campus, "delegate:g1").error == "RuntimeError"
    assert job(campus, "crl:g1").error is None
    campus.clock.advance(jobs.RETRY_AFTER)
    campus.run_jobs()
    assert job(campus, "delegate:g1").error is None


def test_a_timetable_runs_what_is_due_and_stops(campus: Campus) -> None:
    timetable = Timetable(campus.context)
    timetable.start()
    waited = wait_for(lambda: job(campus, "crl:g1").finished_at is not None)
    timetable.stop()
    assert waited
    assert not [thread for thread in threading.enumerate() if thread.name in jobs.LANES]


def test_each_job_has_its_lane_and_runs_in_no_other(campus: Campus) -> None:
    assert {job.name for job in jobs.timetable(campus.context).values() if job.lane == jobs.OUTSIDE} == {"delivery"}
    assert jobs.run_due(campus.context, holder="a", lane=jobs.OUTSIDE) == 1
    assert jobs.run_due(campus.context, holder="a", lane=jobs.OUTSIDE) == 0
    assert job(campus, "crl:g1").finished_at is None


def wait_for(condition: Callable[[], bool]) -> bool:
    """Whether the condition comes true within a while."""
    tick = threading.Event()
    return any(condition() or tick.wait(0.05) for _ in range(400))

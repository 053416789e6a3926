import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta

import pytest

from db import jobs
from db.engine import Database
from db.errors import LeaseLost
from db.jobs import Lease
from tests.database import opened
from tests.db.rows import DAY, HOUR, NOW

SECOND = timedelta(seconds=1)


def ensure(database: Database, *names: str, due_at: datetime = NOW) -> None:
    with database.write() as write:
        for name in names:
            jobs.ensure(write, name, due_at=due_at)


def claim(
    database: Database, holder: str = "me", *, now: datetime = NOW, names: tuple[str, ...] | None = None
) -> Lease | None:
    with database.write() as write:
        return jobs.claim(write, holder=holder, now=now, lease_seconds=60, names=names)


def claimed(database: Database, holder: str = "me", *, now: datetime = NOW) -> Lease:
    lease = claim(database, holder, now=now)
    assert lease is not None
    return lease


def confirm(database: Database, lease: Lease, *, now: datetime = NOW) -> None:
    with database.write() as write:
        jobs.confirm(write, lease, now=now)


def finish(database: Database, lease: Lease, *, next_due: datetime = NOW + DAY, error: str | None = None) -> bool:
    with database.write() as write:
        return jobs.finish(write, lease, now=NOW, next_due=next_due, error=error)


def hasten(database: Database, name: str, *, due_at: datetime = NOW) -> bool:
    with database.write() as write:
        return jobs.hasten(write, name, due_at=due_at)


def test_job_that_is_there_stays_as_it_is(database: Database) -> None:
    ensure(database, "a", due_at=NOW + DAY)
    with database.write() as write:
        assert not jobs.ensure(write, "a", due_at=NOW)
    assert claim(database) is None


def test_two_may_enter_the_same_job_at_once(database: Database) -> None:
    with ThreadPoolExecutor(6) as pool:
        list(pool.map(lambda _: ensure(database, "a", "b"), range(12)))
    with database.read() as read:
        assert [row.name for row in jobs.all_(read)] == ["a", "b"]


def test_due_jobs_are_leased_the_longest_overdue_first(database: Database) -> None:
    ensure(database, "late", due_at=NOW - HOUR)
    ensure(database, "now", due_at=NOW)
    ensure(database, "not yet", due_at=NOW + SECOND)
    leases = [claim(database) for _ in range(3)]
    assert [lease and lease.name for lease in leases] == ["late", "now", None]
    assert leases[0] == Lease(name="late", holder="me", fence=1, leased_until=NOW + timedelta(seconds=60))


def test_only_jobs_of_these_names_are_leased(database: Database) -> None:
    ensure(database, "a", "b")
    assert claim(database, names=()) is None
    assert claim(database, names=("c",)) is None
    lease = claim(database, names=("c", "b"))
    assert lease is not None
    assert lease.name == "b"


def test_leased_job_is_nobody_else_s(database: Database) -> None:
    ensure(database, "a")
    claimed(database)
    assert claim(database, "other") is None
    assert claim(database, "me") is None


def test_each_job_is_done_once_by_many_holders(database_url: str) -> None:
    """Four threads with two handles, as in two processes."""
    names = [f"job-{number:03}" for number in range(60)]
    done: list[str] = []
    with opened(database_url) as first, opened(database_url) as second:
        ensure(first, *names)

        def work(number: int) -> None:
            database = (first, second)[number % 2]
            while lease := claim(database, f"holder-{number}"):
                confirm(database, lease)
                done.append(lease.name)
                assert finish(database, lease)

        with ThreadPoolExecutor(4) as pool:
            list(pool.map(work, range(4)))
        # A holder passes over what another is taking, so it may stop early; what is left is nobody's.
        work(0)
    assert Counter(done) == Counter(names)


def test_job_that_another_is_taking_is_passed_over_on_postgresql(database: Database) -> None:
    ensure(database, "a", "b")
    if database.is_sqlite:
        assert claimed(database).name == "a"
        assert claimed(database).name == "b"
        return
    with database.write() as write, database.write() as other:
        first = jobs.claim(write, holder="me", now=NOW, lease_seconds=60)
        second = jobs.claim(other, holder="other", now=NOW, lease_seconds=60)
        assert first is not None
        assert second is not None
        assert {first.name, second.name} == {"a", "b"}
        assert jobs.claim(other, holder="other", now=NOW, lease_seconds=60) is None


def test_finished_job_is_due_when_its_holder_said(database: Database) -> None:
    ensure(database, "a")
    assert finish(database, claimed(database), next_due=NOW + HOUR, error="Boom")
    assert claim(database, now=NOW + HOUR - SECOND) is None
    with database.read() as read:
        (row,) = jobs.all_(read)
    assert (row.holder, row.leased_until, row.finished_at, row.error) == (None, None, NOW, "Boom")
    assert claimed(database, now=NOW + HOUR).fence == 2


def test_lease_that_has_run_out_is_taken_by_the_next(database: Database) -> None:
    ensure(database, "a")
    old = claimed(database, "old")
    assert claim(database, "new", now=old.leased_until - SECOND) is None
    new = claimed(database, "new", now=old.leased_until)
    assert (new.holder, new.fence) == ("new", old.fence + 1)


def test_stale_holder_is_refused_and_ends_nothing(database: Database) -> None:
    ensure(database, "a")
    old = claimed(database, "old")
    confirm(database, old)
    new = claimed(database, "new", now=old.leased_until)
    with pytest.raises(LeaseLost, match="somebody else's"):
        confirm(database, old)
    assert not finish(database, old)
    confirm(database, new, now=old.leased_until)
    assert finish(database, new)


def test_same_holder_with_an_older_fence_is_refused(database: Database) -> None:
    ensure(database, "a")
    old = claimed(database)
    claimed(database, now=old.leased_until)
    with pytest.raises(LeaseLost):
        confirm(database, old)


def test_lease_whose_time_is_over_is_refused_even_if_nobody_took_it(database: Database) -> None:
    ensure(database, "a")
    lease = claimed(database)
    confirm(database, lease, now=lease.leased_until - SECOND)
    with pytest.raises(LeaseLost, match="run out"):
        confirm(database, lease, now=lease.leased_until)


def test_finished_lease_is_refused(database: Database) -> None:
    ensure(database, "a")
    lease = claimed(database)
    assert finish(database, lease)
    with pytest.raises(LeaseLost):
        confirm(database, lease)


def test_confirmed_job_is_nobody_else_s_until_the_write_ends(database: Database) -> None:
    ensure(database, "a")
    lease = claimed(database)
    taken: list[Lease | None] = []
    with database.write() as write:
        jobs.confirm(write, lease, now=lease.leased_until - SECOND)
        thread = threading.Thread(target=lambda: taken.append(claim(database, "other", now=lease.leased_until + DAY)))
        thread.start()
        if not database.is_sqlite:  # on SQLite it waits for this Write
            thread.join()
            assert taken == [None]
    thread.join()
    assert claim(database, "other", now=lease.leased_until + 2 * DAY) is not None


def test_hastened_job_is_due_at_once(database: Database) -> None:
    ensure(database, "a", due_at=NOW + DAY)
    assert hasten(database, "a")
    assert claimed(database).name == "a"
    assert not hasten(database, "nowhere")


def test_job_is_never_put_off_by_hastening(database: Database) -> None:
    ensure(database, "a", due_at=NOW)
    hasten(database, "a", due_at=NOW + DAY)
    assert finish(database, claimed(database), next_due=NOW + DAY)
    hasten(database, "a", due_at=NOW)
    hasten(database, "a", due_at=NOW + HOUR)
    assert claim(database) is not None


def test_job_hastened_while_it_is_done_is_done_once_more(database: Database) -> None:
    """A revocation that commits after the CRL's entries were read must not wait for the next regular CRL."""
    ensure(database, "crl")
    lease = claimed(database)
    hasten(database, "crl")
    assert claim(database, "other") is None
    assert finish(database, lease, next_due=NOW + DAY)
    again = claimed(database)
    assert finish(database, again, next_due=NOW + DAY)
    assert claim(database) is None


def test_hastened_job_whose_holder_vanished_is_taken_up_again(database: Database) -> None:
    ensure(database, "crl", due_at=NOW + DAY)
    hasten(database, "crl")
    lease = claimed(database)
    assert claimed(database, "other", now=lease.leased_until).fence == 2

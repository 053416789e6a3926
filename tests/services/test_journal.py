from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

import pytest

from db import audit
from db.audit import AuditRow
from db.engine import Database, DatabaseFull, Write, new_id
from services import access, journal
from services.audit import entry
from services.errors import Overloaded
from services.journal import Journal

SECONDS = 20


def record(name: str) -> AuditRow:
    who = access.job("test", request_id=name)
    return entry(who, at=datetime(2026, 3, 2, tzinfo=UTC), action="tried", object_kind="test", object_id=name)


def inserting(row: AuditRow) -> Callable[[Write], None]:
    return lambda write: audit.insert(write, row)


def stored(database: Database) -> list[str | None]:
    with database.read() as read:
        return [row.object_id for row in audit.page(read, actor_ids=None, before_id=None, limit=1000)][::-1]


class Counting:
    """A database that counts its write transactions."""

    def __init__(self, database: Database, failure: Exception | None = None) -> None:
        self.database, self.failure, self.writes = database, failure, 0

    @contextmanager
    def write(self) -> Iterator[Write]:
        self.writes += 1
        if self.failure is not None:
            raise self.failure
        with self.database.write() as write:
            yield write


class Held:
    """A journal whose thread is kept busy until `release`, so that entries queue up behind it."""

    def __init__(self, database: object) -> None:
        self._gate, begun = threading.Event(), threading.Event()

        def wait(_: Write) -> None:
            begun.set()
            self._gate.wait(SECONDS)

        self.journal = Journal(database)  # type: ignore[arg-type]  # or one that counts
        self.journal.submit(wait)
        begun.wait(SECONDS)

    def release(self) -> None:
        self._gate.set()


def test_an_entry_is_durable_once_its_future_is_done(database: Database) -> None:
    one = Journal(database)
    one.submit(inserting(record("a"))).result(SECONDS)
    assert stored(database) == ["a"]
    one.close()


def test_what_is_queued_together_is_committed_together_and_in_order(database: Database) -> None:
    counting = Counting(database)
    held = Held(counting)
    names = [f"{number:02}" for number in range(journal.BATCH)]
    rows = sorted((record(name) for name in names), key=lambda row: row.id)
    futures = [held.journal.submit(inserting(row)) for row in rows]
    held.release()
    for future in futures:
        future.result(SECONDS)
    assert counting.writes == 2
    assert stored(database) == names
    held.journal.close()


def test_more_than_a_batch_takes_several_commits(database: Database) -> None:
    counting = Counting(database)
    held = Held(counting)
    futures = [held.journal.submit(inserting(record(str(number)))) for number in range(journal.BATCH + 1)]
    held.release()
    held.journal.close()
    assert all(future.exception() is None for future in futures)
    assert counting.writes == 3


def test_a_bad_entry_harms_nobody_but_itself(database: Database) -> None:
    held, twice = Held(database), record("twice")

    def bad(write: Write) -> None:
        raise ValueError("bad")

    changes = [inserting(record("a")), bad, inserting(twice), inserting(twice), inserting(record("z"))]
    futures = [held.journal.submit(change) for change in changes]
    held.release()
    held.journal.close()
    failed = [type(future.exception(SECONDS)).__name__ for future in futures]
    assert failed == ["NoneType", "ValueError", "NoneType", "AlreadyThere", "NoneType"]
    assert sorted(filter(None, stored(database))) == ["a", "twice", "z"]


def test_a_database_that_cannot_write_is_asked_once_for_all() -> None:
    broken = Counting(None, DatabaseFull("full"))  # type: ignore[arg-type]  # it never gets that far
    one = Journal(broken)  # type: ignore[arg-type]
    gate = threading.Event()
    futures = [one.submit(lambda _write: gate.wait(SECONDS)) for _ in range(20)]
    one.close()
    assert {type(future.exception(SECONDS)) for future in futures} == {DatabaseFull}
    assert broken.writes < 20


def test_who_no_longer_waits_ends_nothing_for_the_others(database: Database) -> None:
    held = Held(database)
    gone, here = (held.journal.submit(inserting(record(name))) for name in ("gone", "here"))
    assert gone.cancel()
    held.release()
    here.result(SECONDS)
    held.journal.submit(inserting(record("later"))).result(SECONDS)
    assert sorted(filter(None, stored(database))) == ["here", "later"]
    held.journal.close()


def test_closing_writes_what_is_queued_and_takes_no_more(database: Database) -> None:
    held = Held(database)
    futures = [held.journal.submit(inserting(record(str(number)))) for number in range(100)]
    held.release()
    held.journal.close()
    assert all(future.done() and future.exception() is None for future in futures)
    assert len(stored(database)) == 100
    with pytest.raises(Overloaded):
        held.journal.submit(inserting(record(new_id())))


def test_refuses_when_too_many_wait(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(journal, "WAITING", 3)
    held = Held(database)
    futures = [held.journal.submit(inserting(record(str(number)))) for number in range(3)]
    with pytest.raises(Overloaded):
        held.journal.submit(inserting(record("too many")))
    held.release()
    held.journal.close()
    assert all(future.exception() is None for future in futures)
    assert sorted(filter(None, stored(database))) == ["0", "1", "2"]

import re
import shutil
import sqlite3
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from pathlib import Path

import pytest
from sqlalchemy import column, func, select, text

from db import jobs
from db.engine import Database, Write, new_id
from db.errors import (
    AlreadyThere,
    DatabaseAbsent,
    DatabaseBusy,
    DatabaseReadOnly,
    DatabaseUnreachable,
    StatementRefused,
)
from tests.database import migrate, opened
from tests.db.rows import NOW


def names(database: Database) -> list[str]:
    with database.read() as read:
        return [row.name for row in jobs.all_(read)]


def test_write_is_kept_once_its_context_has_ended(database: Database, database_url: str) -> None:
    with database.write() as write:
        jobs.ensure(write, "a", due_at=NOW)
        assert names(database) == []
    with opened(database_url) as another:
        assert names(another) == ["a"]


def test_write_is_undone_by_an_exception_which_goes_on(database: Database) -> None:
    def change_and_fail() -> None:
        with database.write() as write:
            jobs.ensure(write, "a", due_at=NOW)
            raise KeyError("mine")

    with pytest.raises(KeyError, match="mine"):
        change_and_fail()
    assert names(database) == []


def test_read_cannot_write(database: Database) -> None:
    with pytest.raises(DatabaseReadOnly), database.read() as read:
        read.execute(text("DELETE FROM jobs"))
    with database.write() as write:
        assert jobs.ensure(write, "a", due_at=NOW)  # the next one on that connection can


def test_read_on_sqlite_sees_one_moment(database_url: str) -> None:
    with opened(database_url) as database, database.read() as read:
        assert jobs.all_(read) == []
        with opened(database_url) as other, other.write() as write:
            jobs.ensure(write, "a", due_at=NOW)
        assert [row.name for row in jobs.all_(read)] == ([] if database.is_sqlite else ["a"])


def test_what_is_there_is_told_and_the_transaction_undone(database: Database) -> None:
    with database.write() as write:
        jobs.ensure(write, "a", due_at=NOW)
    (row,) = read_jobs(database)

    def insert_two() -> None:
        with database.write() as write:
            jobs.ensure(write, "b", due_at=NOW)
            write.insert(jobs.JOBS, row)

    with pytest.raises(AlreadyThere):
        insert_two()
    assert names(database) == ["a"]


def test_write_that_goes_on_after_a_failed_statement_is_refused_and_undone(database: Database) -> None:
    """PostgreSQL itself would answer the COMMIT with a silent ROLLBACK."""

    def swallow(write: Write) -> None:
        with suppress(AlreadyThere):
            write.insert(jobs.JOBS, row)

    with database.write() as write:
        jobs.ensure(write, "a", due_at=NOW)
    (row,) = read_jobs(database)
    with pytest.raises(StatementRefused, match="goes on after"), database.write() as write:
        swallow(write)

    def go_on() -> None:
        with database.write() as write:
            swallow(write)
            jobs.hasten(write, "a", due_at=NOW)

    with pytest.raises(StatementRefused, match="goes on after"):
        go_on()
    assert read_jobs(database) == [row]


def read_jobs(database: Database) -> list[jobs.JobRow]:
    with database.read() as read:
        return jobs.all_(read)


def test_insert_if_absent_lets_the_transaction_go_on(database: Database) -> None:
    with database.write() as write:
        assert jobs.ensure(write, "a", due_at=NOW)
        assert not jobs.ensure(write, "a", due_at=NOW)
        assert jobs.ensure(write, "b", due_at=NOW)
    assert names(database) == ["a", "b"]


def test_forty_threads_read_and_write_without_one_refusal(database: Database) -> None:
    rounds, threads = 5, 40

    def work(number: int) -> None:
        for turn in range(rounds):
            with database.write() as write:
                jobs.ensure(write, f"{number}-{turn}", due_at=NOW)
            with database.read() as read:
                assert f"{number}-{turn}" in {row.name for row in jobs.all_(read)}

    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(work, range(threads)))
    assert len(names(database)) == rounds * threads


def test_writes_of_two_handles_on_one_database_do_not_lose_each_other(database_url: str) -> None:
    """Two processes, as far as the database can tell: each handle has its own lock and its own connections."""

    def count(_: int) -> None:
        with opened(database_url) as database:
            for _turn in range(20):
                with database.write() as write:
                    write.execute(text("UPDATE jobs SET fence = fence + 1"))

    with opened(database_url) as database:
        with database.write() as write:
            jobs.ensure(write, "a", due_at=NOW)
        with ThreadPoolExecutor(2) as pool:
            list(pool.map(count, range(2)))
        assert read_jobs(database)[0].fence == 40


def test_readers_do_not_wait_for_a_writer(database: Database) -> None:
    with database.write() as write:
        jobs.ensure(write, "a", due_at=NOW)
        with database.read(timeout=0.1) as read:
            assert jobs.all_(read) == []


def test_lock_that_somebody_else_holds_makes_busy(database_url: str) -> None:
    with opened(database_url) as other, opened(database_url, busy_seconds=0.05) as database:
        with database.write() as write:
            jobs.ensure(write, "a", due_at=NOW)
        with other.write() as holding:
            holding.execute(text("UPDATE jobs SET fence = 1"))
            with pytest.raises(DatabaseBusy), database.write() as write:
                write.execute(text("UPDATE jobs SET fence = 2"))
        with database.write() as write:
            write.execute(text("UPDATE jobs SET fence = 3"))
        assert read_jobs(database)[0].fence == 3


def test_all_connections_in_use_makes_busy(database_url: str) -> None:
    with opened(database_url, busy_seconds=0.05) as database:
        database._engine = database._engine.execution_options()
        pool = database._engine.pool
        held = [pool.connect() for _ in range(45)]
        try:
            with pytest.raises(DatabaseBusy, match="all connections"), database.read():
                pass
        finally:
            for connection in held:
                connection.close()


def test_statement_over_its_time_is_stopped_on_postgresql(database: Database) -> None:
    if database.is_sqlite:
        assert names(database) == []  # SQLite has no server that could stop it; only its locks are timed
        return
    with pytest.raises(DatabaseBusy), database.read(timeout=0.05) as read:
        read.execute(text("SELECT pg_sleep(5)"))
    with database.read() as read:
        read.execute(text("SELECT pg_sleep(0.1)"))  # the limit ended with its transaction


def test_write_inside_a_write_is_a_bug_and_told_at_once(database: Database) -> None:
    if not database.is_sqlite:
        with database.write(), database.write() as inner:
            assert jobs.ensure(inner, "a", due_at=NOW)
        return
    with pytest.raises(StatementRefused, match="inside a Write"), database.write(), database.write():
        pass
    with database.write() as write:
        assert jobs.ensure(write, "a", due_at=NOW)


def test_turn_to_write_is_given_back_when_beginning_fails(tmp_path: Path) -> None:
    with opened(f"sqlite:///{tmp_path / 'a.db'}") as database:
        for _ in range(2):
            with pytest.raises(DatabaseAbsent), database.write():
                pass
        migrate(f"sqlite:///{tmp_path / 'a.db'}")
        with database.write() as write:
            assert jobs.ensure(write, "a", due_at=NOW)


def test_opening_and_reading_never_make_a_file(tmp_path: Path) -> None:
    absent = pytest.raises(DatabaseAbsent, match=re.escape("a.db"))
    with opened(f"sqlite:///{tmp_path / 'a.db'}") as database, absent, database.read():
        pass
    assert list(tmp_path.iterdir()) == []


def test_relative_file_stays_where_it_was_when_the_folder_changes(
    tmp_path: Path, sqlite_template: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "elsewhere").mkdir()
    shutil.copyfile(sqlite_template, tmp_path / "a.db")
    monkeypatch.chdir(tmp_path)
    with opened("sqlite:///a.db") as database:
        monkeypatch.chdir(tmp_path / "elsewhere")
        assert names(database) == []


def test_sqlite_is_durable_and_checks_what_rows_refer_to(tmp_path: Path, sqlite_template: Path) -> None:
    shutil.copyfile(sqlite_template, tmp_path / "a.db")
    with opened(f"sqlite:///{tmp_path / 'a.db'}") as database:
        for transaction in (database.read, database.write):
            with transaction() as read:
                settings = {
                    name: read.execute(text(f"PRAGMA {name}")).scalar()
                    for name in ("journal_mode", "synchronous", "foreign_keys", "busy_timeout", "query_only")
                }
            assert settings == {
                "journal_mode": "wal",
                "synchronous": 2,
                "foreign_keys": 1,
                "busy_timeout": 5000,
                "query_only": int(not isinstance(read, Write)),
            }


def test_postgresql_commits_durably_and_reads_committed_rows_in_utc(database: Database) -> None:
    if database.is_sqlite:
        assert repr(database).endswith("mailseal.db)")
        return
    with database.write() as write:
        settings = {
            name: write.execute(text(f"SHOW {name}")).scalar()
            for name in ("synchronous_commit", "transaction_isolation", "timezone", "lock_timeout")
        }
    assert settings == {
        "synchronous_commit": "on",
        "transaction_isolation": "read committed",
        "timezone": "UTC",
        "lock_timeout": "5s",
    }


def test_password_is_in_no_repr() -> None:
    database = Database.open("postgresql+psycopg://user:hush@127.0.0.1/name")
    assert "hush" not in repr(database)
    assert "user" in repr(database)
    assert database._engine.hide_parameters


def test_server_that_is_not_there_is_unreachable() -> None:
    with opened("postgresql+psycopg://user:hush@127.0.0.1:1/name") as database:
        for transaction in (database.read, database.write, database.migrate):
            with pytest.raises(DatabaseUnreachable) as caught, transaction():
                pass
            assert "hush" not in str(caught.value)


def test_connections_cut_by_the_server_are_replaced(database: Database, database_url: str) -> None:
    assert names(database) == []  # leaves a connection in the pool
    if not database.is_sqlite:
        with opened(database_url) as other, other.write() as write:
            cut = write.values(
                select(func.pg_terminate_backend(column("pid")))
                .select_from(text("pg_stat_activity"))
                .where(text("datname = current_database() AND pid <> pg_backend_pid()"))
            )
        assert cut == [True]
    assert names(database) == []


def test_connection_cut_in_a_transaction_is_unreachable_and_the_next_one_works(database: Database) -> None:
    if database.is_sqlite:
        assert names(database) == []
        return

    def change_and_break() -> None:
        with database.write() as write:
            jobs.ensure(write, "a", due_at=NOW)
            write.execute(text("SELECT pg_terminate_backend(pg_backend_pid())"))

    with pytest.raises(DatabaseUnreachable):
        change_and_break()
    assert names(database) == []


def test_file_that_is_no_database_is_unreachable(tmp_path: Path) -> None:
    (tmp_path / "a.db").write_bytes(b"this is no database, and never was one" * 100)
    refused = pytest.raises(DatabaseUnreachable, match="NOTADB")
    with opened(f"sqlite:///{tmp_path / 'a.db'}") as database, refused, database.read():
        pass


def test_folder_that_takes_no_file_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    refused = pytest.raises(DatabaseReadOnly, match="cannot be made")
    with opened(f"sqlite:///{tmp_path / 'file' / 'a.db'}") as database, refused, database.migrate():
        pass


def test_file_that_another_was_faster_to_make_is_taken_as_it_is(tmp_path: Path) -> None:
    urls = [f"sqlite:///{tmp_path / 'a.db'}"] * 8
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(migrate, urls))
    assert [path.name for path in tmp_path.iterdir()] == ["a.db"]


def test_writing_thread_waits_for_a_writer_in_another_program(tmp_path: Path, sqlite_template: Path) -> None:
    shutil.copyfile(sqlite_template, tmp_path / "a.db")
    started = threading.Event()

    def write_one(database: Database) -> None:
        started.set()
        with database.write() as write:
            jobs.ensure(write, "a", due_at=NOW)

    with opened(f"sqlite:///{tmp_path / 'a.db'}") as database, ThreadPoolExecutor(1) as pool:
        with closing(sqlite3.connect(tmp_path / "a.db", isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            waiting = pool.submit(write_one, database)
            started.wait()
            assert not waiting.done()
            other.execute("COMMIT")
            waiting.result()
        assert names(database) == ["a"]


def test_ids_are_opaque_and_sort_by_time_of_making() -> None:
    ids = [new_id() for _ in range(2000)]
    assert len(set(ids)) == 2000
    assert all(re.fullmatch(r"[0-9a-f]{12}7[0-9a-f]{3}[89ab][0-9a-f]{15}", one) for one in ids)
    # Within one microsecond the order is chance; beyond it, it is time.
    assert [one[:15] for one in ids] == sorted(one[:15] for one in ids)


def test_errors_tell_no_value(database: Database) -> None:
    with database.write() as write:
        jobs.ensure(write, "hush", due_at=NOW)
    (row,) = read_jobs(database)
    refused: list[Callable[[Write], object]] = [
        lambda write: write.insert(jobs.JOBS, row),
        lambda write: write.execute(text("INSERT INTO jobs (name, due_at) VALUES ('hushed', :due)"), {"due": NOW}),
        lambda write: write.execute(text("INSERT INTO nowhere VALUES (:name)"), {"name": "hush"}),
        lambda write: jobs.ensure(write, "hush \0", due_at=NOW),
    ]
    for change in refused:
        with pytest.raises(Exception) as caught, database.write() as write:  # noqa: PT011  # any of them
            change(write)
        assert type(caught.value).__module__ == "db.errors"
        assert "hush" not in f"{caught.value!r} {caught.value.__cause__!r}"
        assert caught.value.__suppress_context__

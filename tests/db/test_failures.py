import shutil
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import text
from sqlalchemy.exc import InvalidRequestError, OperationalError, StatementError

from db import jobs
from db.engine import Database
from db.errors import (
    DatabaseBusy,
    DatabaseFull,
    DatabaseReadOnly,
    DatabaseUnreachable,
    SchemaBehind,
    StatementRefused,
    TextRefused,
)
from db.failures import read_failure
from tests.database import opened
from tests.db.rows import NOW


def test_full_disk_is_told_and_what_was_stored_stays(tmp_path: Path, sqlite_template: Path) -> None:
    shutil.copyfile(sqlite_template, tmp_path / "a.db")

    def fill_up(database: Database) -> None:
        with database.write() as write:
            write.execute(text("PRAGMA max_page_count = 1"))  # SQLite takes the present size instead
            for number in range(10_000):
                jobs.ensure(write, f"more-{number}", due_at=NOW)

    with opened(f"sqlite:///{tmp_path / 'a.db'}") as database:
        with database.write() as write:
            jobs.ensure(write, "kept", due_at=NOW)
        with pytest.raises(DatabaseFull, match="no space is left"):
            fill_up(database)
        with database.read() as read:
            assert [row.name for row in jobs.all_(read)] == ["kept"]


def test_file_that_may_not_be_written_is_read_only(tmp_path: Path, sqlite_template: Path) -> None:
    shutil.copyfile(sqlite_template, tmp_path / "a.db")

    def write_all_the_same(database: Database) -> None:
        with database.write() as write:
            write.execute(text("PRAGMA query_only = ON"))  # for root there is no file that may not be written
            jobs.ensure(write, "a", due_at=NOW)

    with opened(f"sqlite:///{tmp_path / 'a.db'}") as database, pytest.raises(DatabaseReadOnly):
        write_all_the_same(database)


def test_missing_table_and_missing_column_mean_that_the_schema_is_behind(database: Database) -> None:
    for statement in ("SELECT * FROM people", "SELECT colour FROM jobs", "UPDATE jobs SET colour = 1"):
        with pytest.raises(SchemaBehind), database.write() as write:
            write.execute(text(statement))


def test_broken_rule_is_a_bug_and_named(database: Database) -> None:
    statement = "INSERT INTO crls (authority_id, number) VALUES ('hush', 0)"
    with pytest.raises(StatementRefused) as caught, database.write() as write:
        write.execute(text(statement))
    assert "hush" not in str(caught.value)


class Broken(psycopg.OperationalError):
    """An error of the server with this SQLSTATE."""

    def __init__(self, state: str | None) -> None:
        super().__init__("hush")
        self.sqlstate = state


@pytest.mark.parametrize(
    ("state", "kind"),
    [
        ("53100", DatabaseFull),
        ("53200", DatabaseBusy),
        ("53300", DatabaseBusy),
        ("40001", DatabaseBusy),
        ("40P01", DatabaseBusy),
        ("55P03", DatabaseBusy),
        ("57014", DatabaseBusy),
        ("57P01", DatabaseUnreachable),
        ("57P03", DatabaseUnreachable),
        ("08006", DatabaseUnreachable),
        ("28P01", DatabaseUnreachable),
        ("3D000", DatabaseUnreachable),
        ("25006", DatabaseReadOnly),
        ("42P01", SchemaBehind),
        (None, DatabaseUnreachable),
        ("22001", StatementRefused),
    ],
)
def test_state_of_the_server_has_its_error(state: str | None, kind: type[Exception]) -> None:
    failure = read_failure(OperationalError("SELECT 1", None, Broken(state)))
    assert type(failure) is kind
    assert "hush" not in str(failure)


def test_refused_text_is_told_as_it_is() -> None:
    refused = TextRefused("a text with a NUL")
    assert read_failure(StatementError("x", "SELECT 1", None, refused)) is refused


def test_what_sqlalchemy_itself_refuses_is_a_bug() -> None:
    assert isinstance(read_failure(InvalidRequestError("closed")), StatementRefused)

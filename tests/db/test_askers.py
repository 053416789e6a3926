"""A statement that is asked without a Read: it sees what is committed, and nothing else."""

from __future__ import annotations

import sqlite3
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from sqlalchemy import bindparam, select

from db import api_keys
from db.api_keys import API_KEYS, ApiKeyRow
from db.askers import KEPT, Askers
from db.columns import Line
from db.engine import Database
from db.errors import DatabaseAbsent, StatementRefused, TextRefused
from db.prepared import Prepared
from tests.db.rows import api_key

BY_NAME = Prepared(
    select(API_KEYS).where(API_KEYS.c.name == bindparam("name", type_=Line())).order_by(API_KEYS.c.id), ApiKeyRow
)


def test_finds_what_is_committed_in_the_types_of_its_columns(database: Database) -> None:
    row = api_key(name="press", scopes=("messages:sign", "admin"), cidrs=("10.0.0.0/8",))
    with database.write() as write:
        api_keys.insert(write, row)
    assert database.ask(BY_NAME, name="press") == [row]
    assert database.ask(BY_NAME, name="nobody") == []


def test_within_a_read_it_is_the_same(database: Database) -> None:
    row = api_key(name="press")
    with database.write() as write:
        api_keys.insert(write, row)
        assert write.ask(BY_NAME, name="press") == [row]
    with database.read() as read:
        assert read.ask(BY_NAME, name="press") == [row]


def test_what_is_not_committed_is_not_seen(database: Database) -> None:
    with database.write() as write:
        api_keys.insert(write, api_key(name="press"))
        assert database.ask(BY_NAME, name="press") == []


def test_a_text_that_no_database_takes_is_refused(database: Database) -> None:
    with pytest.raises((TextRefused, StatementRefused)):
        database.ask(BY_NAME, name="nul\0")


def test_many_threads_ask_at_once(database: Database) -> None:
    row = api_key(name="press")
    with database.write() as write:
        api_keys.insert(write, row)
    with ThreadPoolExecutor(4 * KEPT) as threads:
        assert list(threads.map(lambda _: database.ask(BY_NAME, name="press"), range(200))) == [[row]] * 200


def test_a_file_that_is_not_there_is_told_and_not_made(tmp_path: Path) -> None:
    askers = Askers(tmp_path / "mailseal.db")
    with pytest.raises(DatabaseAbsent):
        askers.ask(BY_NAME, {"name": "press"})
    assert list(tmp_path.iterdir()) == []


def test_it_cannot_write(sqlite_template: Path) -> None:
    askers = Askers(sqlite_template)
    connection = askers._lend()
    with pytest.raises(sqlite3.OperationalError, match="readonly"):
        connection.execute("DELETE FROM api_keys")
    askers._take_back(connection)
    askers.close()

"""The two databases that every test of the database runs on: SQLite, and a PostgreSQL of our own or a given one."""

from __future__ import annotations

import os
import secrets
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
import pytest
from sqlalchemy import make_url

from db import migration
from db.engine import Database
from db.tables import TABLES

DATABASES = ("sqlite", "postgresql")
START_SECONDS = 60


# The revision, and every column of every table and index: by it a changed schema is known.
_SCHEMA = """
    SELECT (SELECT string_agg(version_num, ' ') FROM alembic_version)
           || md5(string_agg(relname || '.' || attname, ' ' ORDER BY relname, attnum))
    FROM pg_attribute JOIN pg_class ON pg_class.oid = attrelid
    WHERE relnamespace = 'public'::regnamespace AND NOT attisdropped
"""
_CUT = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
_EMPTY = ";".join(f"DELETE FROM {table.name}" for table in reversed(TABLES))


@dataclass(kw_only=True)
class Server:
    """A PostgreSQL server on which databases may be made.

    One with the schema at head is kept from test to test and emptied in between, which is ten times as fast as a copy.
    """

    url: str
    kept: str | None = None
    schema: str | None = None

    def url_of(self, name: str) -> str:
        return make_url(self.url).set(database=name).render_as_string(hide_password=False)

    @contextmanager
    def migrated(self) -> Iterator[str]:
        """A database without rows and with the schema at head."""
        if self.kept is None:
            name = self.make()
            migrate(self.url_of(name))
            with self.connection(name) as connection:
                self.schema = _schema(connection)
        else:
            name, self.kept = self.kept, None  # nobody else's until it is empty again
        try:
            yield self.url_of(name)
        finally:
            if self.is_emptied(name):
                self.kept = name
            else:
                self.drop(name)

    @contextmanager
    def database(self) -> Iterator[str]:
        """A database without schema, dropped at the end."""
        name = self.make()
        try:
            yield self.url_of(name)
        finally:
            self.drop(name)

    def is_emptied(self, name: str) -> bool:
        """Cut what is still connected, and delete every row; False if the schema is not what it was."""
        with self.connection(name) as connection:
            connection.execute(_CUT.encode())
            if _schema(connection) != self.schema:
                return False
            connection.execute(_EMPTY.encode())
            return True

    def make(self) -> str:
        name = f"mailseal_test_{secrets.token_hex(6)}"
        with self.connection() as connection:
            connection.execute(f'CREATE DATABASE "{name}"'.encode())
        return name

    def drop(self, name: str | None) -> None:
        if name is not None:
            with self.connection() as connection:
                connection.execute(f'DROP DATABASE "{name}" WITH (FORCE)'.encode())

    def connection(self, name: str | None = None) -> psycopg.Connection[tuple[Any, ...]]:
        """A connection without transactions, closed at the end of its context."""
        url = make_url(self.url_of(name) if name else self.url).set(drivername="postgresql")
        return psycopg.connect(url.render_as_string(hide_password=False), autocommit=True)


def _schema(connection: psycopg.Connection[tuple[Any, ...]]) -> str | None:
    try:
        row = connection.execute(_SCHEMA.encode()).fetchone()
    except psycopg.errors.UndefinedTable:
        return None
    return None if row is None else row[0]


@contextmanager
def opened(url: str, *, busy_seconds: float = 5.0) -> Iterator[Database]:
    """A database that is closed at the end."""
    database = Database.open(url, busy_seconds=busy_seconds)
    try:
        yield database
    finally:
        database.dispose()


def migrate(url: str) -> None:
    """Bring a database to head and close it."""
    with opened(url) as database:
        migration.upgrade(database)


@contextmanager
def postgresql() -> Iterator[Server]:
    """The server that TEST_DATABASE_URL names, or one started from the binaries of this machine."""
    if given := os.environ.get("TEST_DATABASE_URL"):
        server = Server(url=given)
        try:
            yield server
        finally:
            server.drop(server.kept)
        return
    with _started(_binaries()) as server:
        yield server


def _binaries() -> Path:
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres"), key=lambda path: int(path.parts[4]))
    onpath = shutil.which("postgres")
    if found:
        return found[-1].parent
    if onpath:
        return Path(onpath).parent
    reason = "no PostgreSQL here: apt-get install postgresql, or set TEST_DATABASE_URL"
    if os.environ.get("MAILSEAL_REQUIRE_ALL") == "1":
        pytest.fail(reason)
    pytest.skip(reason)


@contextmanager
def _started(binaries: Path) -> Iterator[Server]:
    # Not below pytest's folders, whose paths are too long for a socket and closed to the account nobody.
    folder = Path(tempfile.mkdtemp(prefix="mailseal-pg-", dir="/tmp"))
    account: dict[str, object] = {"cwd": folder, "env": {"LC_ALL": "C", "PATH": os.environ.get("PATH", "")}}
    if os.geteuid() == 0:  # PostgreSQL refuses to run as root
        shutil.chown(folder, "nobody", "nogroup")
        account |= {"user": "nobody", "group": "nogroup", "extra_groups": []}
    try:
        made = [binaries / "initdb", "-D", folder / "data", "-U", "postgres", "-A", "trust", "--no-sync", "-E", "UTF8"]
        subprocess.run([*made, "--locale=C"], check=True, capture_output=True, **account)  # type: ignore[call-overload]
        command = [binaries / "postgres", "-D", folder / "data", "-k", folder, *_options()]
        with (folder / "log").open("wb") as log:
            process = subprocess.Popen(command, stdout=log, stderr=log, **account)  # type: ignore[call-overload]
        try:
            url = f"postgresql+psycopg://postgres@/postgres?host={folder}"
            _wait(process, folder)
            yield Server(url=url)
        finally:
            process.send_signal(signal.SIGINT)  # fast shutdown
            process.wait(START_SECONDS)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _options() -> list[str]:
    settings = {
        "listen_addresses": "",
        "fsync": "off",
        "synchronous_commit": "off",
        "full_page_writes": "off",
        "max_connections": "150",
        "shared_buffers": "64MB",
        "timezone": "Asia/Hong_Kong",  # so that a time that is not stored as UTC comes to light
    }
    return [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]


def _wait(process: subprocess.Popen[bytes], folder: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while True:
        try:
            psycopg.connect(host=str(folder), user="postgres", dbname="postgres").close()
        except psycopg.OperationalError as error:
            if process.poll() is not None or time.monotonic() > deadline:
                raise AssertionError(f"PostgreSQL did not start: {(folder / 'log').read_text()}") from error
            time.sleep(0.05)
        else:
            return

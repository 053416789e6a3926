"""The database: opened by URL, read and written in transactions of two types, on SQLite and PostgreSQL alike.

Every function of this room takes a Read or a Write as its first argument, and so says what it does. A Write is a Read.
Some take a Database as well, and then ask one statement that is a moment of its own.
"""

from __future__ import annotations

import os
import secrets
import sqlite3
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Self

from sqlalchemy import (
    Connection,
    CursorResult,
    Engine,
    Executable,
    Select,
    Table,
    create_engine,
    event,
    insert,
    make_url,
    text,
)
from sqlalchemy.exc import SQLAlchemyError

from db.askers import ASK_SECONDS, Askers
from db.errors import (
    AlreadyThere,
    DatabaseAbsent,
    DatabaseBusy,
    DatabaseFull,
    DatabaseReadOnly,
    DatabaseUnreachable,
    SchemaBehind,
    StatementRefused,
    TextRefused,
)
from db.failures import of_sqlite, read_failure
from db.prepared import Prepared, Row

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

__all__ = [
    "AlreadyThere",
    "Database",
    "DatabaseAbsent",
    "DatabaseBusy",
    "DatabaseFull",
    "DatabaseReadOnly",
    "DatabaseUnreachable",
    "Read",
    "SchemaBehind",
    "StatementRefused",
    "TextRefused",
    "Write",
    "new_id",
]

BUSY_SECONDS: Final = 5.0
QUEUE_SECONDS: Final = 30.0
MIGRATION_SECONDS: Final = 120.0
# 40 threads of requests, the journal, the jobs and the event loop.
POOL_SIZE: Final = 5
POOL_OVERFLOW: Final = 40
# A connection that was idle for longer may have been cut by a firewall.
POOL_RECYCLE_SECONDS: Final = 1800
_MILLISECONDS: Final = 1000


def new_id() -> str:
    """A fresh opaque id of 32 hexadecimal digits that sorts by time of making, to the microsecond (RFC 9562 5.7)."""
    nanoseconds = time.time_ns()
    milliseconds, rest = divmod(nanoseconds, 1_000_000)
    fraction = rest * 4096 // 1_000_000  # RFC 9562 6.2, method 3
    return f"{milliseconds:012x}7{fraction:03x}{0b10 << 62 | secrets.randbits(62):016x}"


class Read:
    """A transaction that reads."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self._is_broken = False

    def execute(self, statement: Executable, parameters: Mapping[str, object] | None = None) -> CursorResult[Any]:
        """The result of one statement; raises our own errors only, and after one of them nothing but a bug's."""
        self.refuse_if_broken()
        try:
            return self.connection.execute(statement, parameters)
        except SQLAlchemyError as error:
            self._is_broken = True
            raise read_failure(error) from None

    def refuse_if_broken(self) -> None:
        """Refuse to go on after a failed statement.

        PostgreSQL would answer COMMIT by rolling back without a word; SQLite, when the disk is full, has rolled back by
        itself, and would keep each later statement by itself.
        """
        if self._is_broken:
            raise StatementRefused("a transaction goes on after a statement of it failed")

    def one(self, statement: Select[Any], kind: type[Row]) -> Row | None:
        """The only row, as `kind`, whose fields are named as the columns are."""
        found = self.execute(statement).mappings().one_or_none()
        return None if found is None else kind(**found)

    def many(self, statement: Select[Any], kind: type[Row]) -> list[Row]:
        """All rows, as `kind`."""
        return [kind(**found) for found in self.execute(statement).mappings()]

    def ask(self, prepared: Prepared[Row], **asked: object) -> list[Row]:
        """All rows that a prepared statement finds; on SQLite by the driver itself, which takes a tenth of the time."""
        driver = self.connection.connection.driver_connection
        if not isinstance(driver, sqlite3.Connection):
            return [prepared.kind(**found) for found in self.execute(prepared.statement, asked).mappings()]
        self.refuse_if_broken()
        try:
            return prepared.on_sqlite(driver, asked)
        except sqlite3.Error as error:
            self._is_broken = True
            raise of_sqlite(error) from None

    def values(self, statement: Select[Any]) -> list[Any]:
        """The first column of all rows."""
        return list(self.execute(statement).scalars())


class Write(Read):
    """A transaction that reads and writes, and is durable once its context has ended without an exception."""

    def insert(self, table: Table, row: DataclassInstance, **more: object) -> None:
        """Insert a row whose fields are named as the columns are, and more columns; AlreadyThere if its key is."""
        # As parameters, because values within the statement would be part of what SQLAlchemy looks it up by.
        self.execute(insert(table), {field.name: getattr(row, field.name) for field in fields(row)} | more)

    def insert_if_absent(self, table: Table, row: DataclassInstance) -> bool:
        """Insert a row unless one with its key is there; False if one is. The transaction goes on in either case."""
        savepoint = self.connection.begin_nested()
        try:
            self.insert(table, row)
        except AlreadyThere:
            # After other errors there may be no savepoint left.
            savepoint.rollback()
            self._is_broken = False
            return False
        savepoint.commit()
        return True

    def change(self, statement: Executable) -> int:
        """How many rows a statement changed."""
        return self.execute(statement).rowcount


class Database:
    """One SQLite file or PostgreSQL database, for all threads of a process.

    `busy_seconds` is how long is waited for a lock that somebody else holds, until DatabaseBusy.
    """

    def __init__(self, engine: Engine, *, file: Path | None, busy_seconds: float) -> None:
        self._engine = engine
        self._file = file
        self._busy_seconds = busy_seconds
        # Behind it one thread at a time begins to write: with SQLite's own waiting alone, which is not fair, 40 threads
        # starve one another ("database is locked").
        self._turn = threading.Lock()
        self._writer: int | None = None
        self._askers = None if file is None else Askers(file)

    @classmethod
    def open(cls, url: str, *, busy_seconds: float = BUSY_SECONDS) -> Self:
        """Open `sqlite:///file` or `postgresql+psycopg://...`; nothing is connected or made yet."""
        parsed = make_url(url)
        if parsed.get_backend_name() != "sqlite":
            engine = create_engine(
                parsed,
                isolation_level="READ COMMITTED",
                pool_pre_ping=True,
                **_pool(busy_seconds),
            )
            event.listen(engine, "connect", _prepare_postgresql(busy_seconds))
            return cls(engine, file=None, busy_seconds=busy_seconds)
        # Absolute, so that a later change of folder leads nowhere else.
        file = Path(parsed.database or "").absolute()
        engine = create_engine(
            parsed.set(database=file.as_uri(), query={"uri": "true", "mode": "rw"}),
            connect_args={"timeout": busy_seconds, "isolation_level": None},
            **_pool(busy_seconds),
        )
        event.listen(engine, "connect", _prepare_sqlite)
        event.listen(engine, "begin", _begin_on_sqlite)
        return cls(engine, file=file, busy_seconds=busy_seconds)

    def __repr__(self) -> str:
        return f"Database({self._file or self._engine.url.render_as_string(hide_password=True)})"

    @property
    def is_sqlite(self) -> bool:
        """Whether this is a SQLite file."""
        return self._file is not None

    @contextmanager
    def read(self, *, timeout: float | None = None) -> Iterator[Read]:
        """A transaction that reads; on SQLite all its statements see one moment.

        `timeout` is in seconds: for each statement on PostgreSQL, for locks on SQLite, where readers do not wait for
        writers. DatabaseBusy when it has run out.
        """
        with self._transaction({"postgresql_readonly": True, "seconds": timeout or self._busy_seconds}) as connection:
            if timeout is not None and not self.is_sqlite:
                _limit(connection, "statement_timeout", timeout)
            yield Read(connection)

    def ask(self, prepared: Prepared[Row], **asked: object) -> list[Row]:
        """All rows that one prepared statement finds, in a Read of its own with a timeout of a second.

        On SQLite without the words around it: one statement sees one moment anyway.
        """
        if self._askers is None:
            with self.read(timeout=ASK_SECONDS) as read:
                return read.ask(prepared, **asked)
        return self._askers.ask(prepared, asked)

    @contextmanager
    def write(self) -> Iterator[Write]:
        """A transaction that writes, committed when its context ends, rolled back by an exception."""
        with self._in_turn(), self._transaction({"writes": True, "seconds": self._busy_seconds}) as connection:
            write = Write(connection)
            yield write
            write.refuse_if_broken()

    @contextmanager
    def migrate(self) -> Iterator[Write]:
        """A Write that changes the schema; others wait for minutes, and SQLite checks foreign keys at its end."""
        options = {"writes": True, "rebuilds": True, "seconds": MIGRATION_SECONDS}
        self._make_file()
        with self._in_turn(), self._transaction(options) as connection:
            if not self.is_sqlite:
                _limit(connection, "lock_timeout", MIGRATION_SECONDS)
            write = Write(connection)
            yield write
            write.refuse_if_broken()
            if self.is_sqlite and connection.execute(text("PRAGMA foreign_key_check")).first() is not None:
                raise StatementRefused("a migration leaves a row without what it refers to")

    def dispose(self) -> None:
        """Close every connection."""
        self._engine.dispose()
        if self._askers is not None:
            self._askers.close()

    @contextmanager
    def _transaction(self, options: Mapping[str, Any]) -> Iterator[Connection]:
        try:
            with self._engine.connect().execution_options(**options) as connection, connection.begin():
                yield connection
        except SQLAlchemyError as error:
            if self._file is not None and not self._file.exists():
                raise DatabaseAbsent(f"there is no database at {self._file}") from None
            raise read_failure(error) from None

    @contextmanager
    def _in_turn(self) -> Iterator[None]:
        """The turn to write; PostgreSQL lets many write at once."""
        if not self.is_sqlite:
            yield
            return
        if self._writer == threading.get_ident():
            raise StatementRefused("a Write inside a Write of the same thread")
        if not self._turn.acquire(timeout=QUEUE_SECONDS):
            raise DatabaseBusy("too many wait to write to the database")
        self._writer = threading.get_ident()
        try:
            yield
        finally:
            self._writer = None
            self._turn.release()

    def _make_file(self) -> None:
        """Make the SQLite file, if there is none: whole, in WAL mode, readable by its owner only."""
        if self._file is None or self._file.exists():
            return
        draft = self._file.with_name(f".{self._file.name}-{secrets.token_hex(8)}")
        try:
            os.close(os.open(draft, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
            with closing(sqlite3.connect(draft)) as connection:
                connection.execute("PRAGMA journal_mode = WAL")
            # A link, unlike a rename, never replaces what another process was faster to make.
            os.link(draft, self._file)
        except FileExistsError:
            pass
        except (OSError, sqlite3.Error) as error:
            raise DatabaseReadOnly(f"the database {self._file} cannot be made ({type(error).__name__})") from None
        finally:
            with suppress(OSError):
                draft.unlink()


def _pool(busy_seconds: float) -> dict[str, Any]:
    return {
        "pool_size": POOL_SIZE,
        "max_overflow": POOL_OVERFLOW,
        "pool_timeout": busy_seconds,
        "pool_recycle": POOL_RECYCLE_SECONDS,
        # What a statement was given may be a person's data, and must not stand in a traceback.
        "hide_parameters": True,
    }


def _limit(connection: Connection, name: str, seconds: float) -> None:
    connection.exec_driver_sql(f"SET LOCAL {name} = {int(seconds * _MILLISECONDS)}")


def _prepare_postgresql(busy_seconds: float) -> Any:
    """Settings of a session.

    UTC, because another zone could make the year 9999 overflow; no wait for a lock without an end; and a commit that is
    durable, whatever the server's default is, because an answer leaves only after its record is.
    """

    def prepare(connection: Any, _record: object) -> None:
        connection.autocommit = True
        connection.execute(
            f"SET TIME ZONE 'UTC'; SET lock_timeout = {int(busy_seconds * _MILLISECONDS)};"
            " SELECT set_config('synchronous_commit', 'on', false)"
            " WHERE current_setting('synchronous_commit') = 'off'"
        )
        connection.autocommit = False

    return prepare


def _prepare_sqlite(connection: Any, _record: object) -> None:
    connection.execute("PRAGMA journal_mode = WAL")
    # The default of WAL, NORMAL, loses the last commits with the power: a certificate handed out would be forgotten.
    connection.execute("PRAGMA synchronous = FULL")


def _begin_on_sqlite(connection: Connection) -> None:
    """BEGIN in our own words: a Write takes the lock at once, because a Read that later writes cannot wait for it."""
    options = connection.get_execution_options()
    writes, rebuilds = options.get("writes", False), options.get("rebuilds", False)
    driver: Any = connection.connection.dbapi_connection
    driver.execute(f"PRAGMA busy_timeout = {int(options.get('seconds', BUSY_SECONDS) * _MILLISECONDS)}")
    driver.execute(f"PRAGMA query_only = {'OFF' if writes else 'ON'}")
    driver.execute(f"PRAGMA foreign_keys = {'OFF' if rebuilds else 'ON'}")
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")

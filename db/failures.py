"""Failures, read: which of our own errors an error of SQLAlchemy, sqlite3 or psycopg is.

No text of a driver is handed on, because it may repeat the values of a row.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

import psycopg
from sqlalchemy.exc import DBAPIError, SQLAlchemyError, StatementError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from db.errors import (
    AlreadyThere,
    DatabaseBusy,
    DatabaseFull,
    DatabaseReadOnly,
    DatabaseUnreachable,
    SchemaBehind,
    StatementRefused,
    TextRefused,
)

_Kind = type[DatabaseBusy | DatabaseFull | DatabaseReadOnly | DatabaseUnreachable | SchemaBehind]

# Primary result codes: the low octet (https://www.sqlite.org/rescode.html).
_SQLITE: Final[Mapping[int, _Kind]] = MappingProxyType(
    {
        sqlite3.SQLITE_BUSY: DatabaseBusy,
        sqlite3.SQLITE_LOCKED: DatabaseBusy,
        sqlite3.SQLITE_INTERRUPT: DatabaseBusy,
        sqlite3.SQLITE_FULL: DatabaseFull,
        sqlite3.SQLITE_READONLY: DatabaseReadOnly,
        sqlite3.SQLITE_CANTOPEN: DatabaseUnreachable,
        sqlite3.SQLITE_PERM: DatabaseUnreachable,
        sqlite3.SQLITE_IOERR: DatabaseUnreachable,
        sqlite3.SQLITE_CORRUPT: DatabaseUnreachable,
        sqlite3.SQLITE_NOTADB: DatabaseUnreachable,
    }
)
# SQLSTATE, a whole one or its class (PostgreSQL, Appendix A).
_POSTGRESQL: Final[Mapping[str, _Kind]] = MappingProxyType(
    {
        "08": DatabaseUnreachable,
        "25006": DatabaseReadOnly,
        "25P03": DatabaseBusy,
        "28": DatabaseUnreachable,
        "3D": DatabaseUnreachable,
        "40": DatabaseBusy,
        "42P01": SchemaBehind,
        "42703": SchemaBehind,
        "53100": DatabaseFull,
        "53": DatabaseBusy,
        "55P03": DatabaseBusy,
        "57014": DatabaseBusy,
        "57": DatabaseUnreachable,
        "58": DatabaseUnreachable,
    }
)
_DETAILS: Final[Mapping[_Kind, str]] = MappingProxyType(
    {
        DatabaseBusy: "the database is busy",
        DatabaseFull: "no space is left for the database",
        DatabaseReadOnly: "the database cannot be written",
        DatabaseUnreachable: "the database cannot be reached",
        SchemaBehind: "the database lacks a table or column that this version needs",
    }
)
_UNIQUE: Final = frozenset({"SQLITE_CONSTRAINT_UNIQUE", "SQLITE_CONSTRAINT_PRIMARYKEY", "23505"})
_MISSING: Final = ("no such table", "no such column")


def read_failure(error: SQLAlchemyError) -> Exception:
    """Our own error for one of SQLAlchemy's."""
    if isinstance(error, PoolTimeoutError):
        return DatabaseBusy("all connections to the database are in use")
    origin = error.orig if isinstance(error, StatementError) else None
    if isinstance(origin, TextRefused):
        return origin
    if isinstance(origin, sqlite3.Error):
        return of_sqlite(origin)
    if isinstance(origin, psycopg.Error):
        return _of_postgresql(origin, is_broken=isinstance(error, DBAPIError) and error.connection_invalidated)
    # From our own column types, whose texts repeat no value, or from SQLAlchemy itself.
    return StatementRefused(f"{type(error).__name__}: {type(origin).__name__}: {origin}")


def of_sqlite(error: sqlite3.Error) -> Exception:
    """Our own error for one of the driver's."""
    name: str = getattr(error, "sqlite_errorname", type(error).__name__)
    if name in _UNIQUE:
        return AlreadyThere(str(error))  # names the columns, never a value
    kind = _SQLITE.get(getattr(error, "sqlite_errorcode", 0) & 0xFF)
    if kind is None and str(error).startswith(_MISSING):
        kind = SchemaBehind
    return StatementRefused(str(error)) if kind is None else kind(f"{_DETAILS[kind]} ({name})")


def _of_postgresql(error: psycopg.Error, *, is_broken: bool) -> Exception:
    state = error.sqlstate or ""
    if state in _UNIQUE:
        return AlreadyThere(str(error.diag.constraint_name))
    kind = _POSTGRESQL.get(state) or _POSTGRESQL.get(state[:2])
    if kind is None and (is_broken or (not state and isinstance(error, psycopg.OperationalError))):
        kind = DatabaseUnreachable
    if kind is None:
        return StatementRefused(f"{type(error).__name__} {state} {error.diag.constraint_name or ''}".rstrip())
    return kind(f"{_DETAILS[kind]} ({state or 'no connection'})")

"""Askers, connections to a SQLite file that only read, each lent for one statement at a time.

They stand beside SQLAlchemy's pool, where checking out and in takes longer than finding a row.
"""

from __future__ import annotations

import sqlite3
from collections import deque
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from db.errors import DatabaseAbsent
from db.failures import of_sqlite
from db.prepared import Prepared, Row

ASK_SECONDS: Final = 1.0
KEPT: Final = 5


class Askers:
    """Safe for threads; as many as ask at the same time, of which five are kept."""

    __slots__ = ("_file", "_idle")

    def __init__(self, file: Path) -> None:
        self._file = file
        self._idle: deque[sqlite3.Connection] = deque()

    def ask(self, prepared: Prepared[Row], asked: Mapping[str, object]) -> list[Row]:
        """All rows that one statement finds at this moment; waits for a second at most."""
        try:
            connection = self._lend()
        except sqlite3.Error as error:
            raise self._told(error) from None
        try:
            rows = prepared.on_sqlite(connection, asked)
        except sqlite3.Error as error:
            connection.close()
            raise self._told(error) from None
        except BaseException:
            connection.close()
            raise
        self._take_back(connection)
        return rows

    def close(self) -> None:
        """Close those that nobody uses."""
        while self._idle:
            self._idle.pop().close()

    def _lend(self) -> sqlite3.Connection:
        try:
            return self._idle.pop()
        except IndexError:
            return _connect(self._file)

    def _take_back(self, connection: sqlite3.Connection) -> None:
        if len(self._idle) < KEPT:
            self._idle.append(connection)
        else:
            connection.close()

    def _told(self, error: sqlite3.Error) -> Exception:
        return of_sqlite(error) if self._file.exists() else DatabaseAbsent(f"there is no database at {self._file}")


def _connect(file: Path) -> sqlite3.Connection:
    address = f"{file.as_uri()}?mode=rw"
    # One thread uses it at a time, and not always the same one.
    connection = sqlite3.connect(address, uri=True, timeout=ASK_SECONDS, isolation_level=None, check_same_thread=False)
    connection.execute("PRAGMA query_only = ON")
    return connection

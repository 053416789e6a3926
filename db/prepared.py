"""Prepared, a statement that reads and is asked again and again, so that it is compiled once.

SQLAlchemy takes 20 times as long as SQLite does to find a row. So on SQLite the driver gets the text of the statement
as it is; the types of the columns, which both ways share, keep the values the same.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Final, Generic, TypeVar

from sqlalchemy import Select
from sqlalchemy.dialects import sqlite
from sqlalchemy.types import TypeEngine

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

    Row = TypeVar("Row", bound=DataclassInstance)
else:
    Row = TypeVar("Row")

_SQLITE: Final = sqlite.dialect(paramstyle="qmark")
_Converter = Callable[[Any], Any]


class Prepared(Generic[Row]):
    """A statement with `bindparam`s for what is asked by, and the type of its rows, whose fields are named as its columns."""

    __slots__ = ("_binds", "_columns", "_text", "kind", "statement")

    def __init__(self, statement: Select[Any], kind: type[Row]) -> None:
        self.statement: Final = statement
        self.kind: Final = kind
        compiled = statement.compile(dialect=_SQLITE)
        self._text: Final = str(compiled)
        self._binds: Final = [
            (name, compiled.params[name], _to_sqlite(compiled.binds[name].type)) for name in compiled.positiontup or ()
        ]
        self._columns: Final = [(str(column.key), _from_sqlite(column.type)) for column in statement.selected_columns]

    def on_sqlite(self, connection: sqlite3.Connection, asked: Mapping[str, object]) -> list[Row]:
        """The rows, by the driver; raises its errors, and TextRefused."""
        values = [convert(asked.get(name, default)) for name, default, convert in self._binds]
        return [self._row(found) for found in connection.execute(self._text, values).fetchall()]

    def _row(self, found: tuple[Any, ...]) -> Row:
        return self.kind(**{name: convert(value) for (name, convert), value in zip(self._columns, found, strict=True)})


def _to_sqlite(type_: TypeEngine[Any]) -> _Converter:
    return type_.dialect_impl(_SQLITE).bind_processor(_SQLITE) or _as_it_is


def _from_sqlite(type_: TypeEngine[Any]) -> _Converter:
    return type_.dialect_impl(_SQLITE).result_processor(_SQLITE, None) or _as_it_is


def _as_it_is(value: Any) -> Any:
    return value

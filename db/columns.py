"""Columns: the types in which values are stored, alike on both databases, and the names of what constrains them."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any, Final

from sqlalchemy import CheckConstraint, DateTime, Dialect, MetaData, Text
from sqlalchemy.types import TypeDecorator, TypeEngine

from db.errors import TextRefused

Json = str | int | bool | None

# Without names, SQLite's batch mode could not change a constraint later.
METADATA: Final = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)


class UtcDateTime(TypeDecorator[datetime]):
    """An aware datetime with its microseconds; SQLite keeps it as text that sorts as time does."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        """The database's own type for it."""
        return dialect.type_descriptor(Text() if dialect.name == "sqlite" else DateTime(timezone=True))

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> Any:
        """The stored form, in UTC; a naive datetime is a bug."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("a datetime without a time zone")
        moment = value.astimezone(UTC)
        if dialect.name != "sqlite":
            return moment
        return moment.replace(tzinfo=None).isoformat(timespec="microseconds") + "Z"

    def process_result_value(self, value: Any, dialect: Dialect) -> datetime | None:
        """The datetime in UTC."""
        if value is None:
            return None
        return (datetime.fromisoformat(value) if dialect.name == "sqlite" else value).astimezone(UTC)


class Line(TypeDecorator[str]):
    """Text of at most so many octets, without NUL, which PostgreSQL cannot hold; else TextRefused.

    The usual limit fits into PostgreSQL's index entries (2,704 octets).
    """

    impl = Text
    cache_ok = True

    def __init__(self, octets: int = 2000) -> None:
        super().__init__()
        self.octets = octets

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:  # noqa: ARG002  # the same on both
        """The text as it is, if it can be stored."""
        if value is None:
            return None
        if "\0" in value:
            raise TextRefused("a text with a NUL")
        try:
            size = len(value.encode())
        except UnicodeEncodeError:
            raise TextRefused("a text with half a character") from None
        if size > self.octets:
            raise TextRefused(f"a text of more than {self.octets} octets")
        return value


class Words(TypeDecorator[tuple[str, ...]]):
    """Several texts in their order, as a JSON array."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: tuple[str, ...] | None, dialect: Dialect) -> str | None:  # noqa: ARG002  # the same on both
        """The JSON text."""
        return None if value is None else json.dumps(list(value), separators=(",", ":"))

    def process_result_value(self, value: Any, dialect: Dialect) -> tuple[str, ...] | None:  # noqa: ARG002  # the same on both
        """The texts."""
        return None if value is None else tuple(json.loads(value))


class Facts(TypeDecorator[dict[str, Json]]):
    """Named facts, as a JSON object; each is a text, a number, a truth value or nothing."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: dict[str, Json] | None, dialect: Dialect) -> str | None:  # noqa: ARG002  # the same on both
        """The JSON text, the same for the same facts."""
        return None if value is None else json.dumps(value, separators=(",", ":"), sort_keys=True)

    def process_result_value(self, value: Any, dialect: Dialect) -> dict[str, Json] | None:  # noqa: ARG002  # the same on both
        """The facts."""
        return None if value is None else dict(json.loads(value))


def one_of(column: str, *values: str) -> CheckConstraint:
    """The rule that a column holds one of these words, or nothing where it may."""
    words = ", ".join(f"'{value}'" for value in values)
    return CheckConstraint(f"{column} IN ({words})", name=column)


def rule(name: str, text: str) -> CheckConstraint:
    """A rule that every row keeps, in SQL that both databases read alike."""
    return CheckConstraint(text, name=name)

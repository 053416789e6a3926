from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Column, Integer, MetaData, Table, insert, select

from db.columns import Facts, Json, Line, UtcDateTime, Words
from db.engine import Database, Read, Write
from db.errors import StatementRefused, TextRefused

SHELF = Table(
    "shelf",
    MetaData(),
    Column("id", Integer, primary_key=True),
    Column("moment", UtcDateTime()),
    Column("line", Line(100)),
    Column("words", Words()),
    Column("facts", Facts()),
)
TEXTS = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=25)
KEPT = settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])


@contextmanager
def shelf(database: Database) -> Iterator[Write]:
    """A table of every column type, gone at the end."""
    with database.write() as write:
        SHELF.create(write.connection)
        yield write
        SHELF.drop(write.connection)


def kept(write: Write, **values: object) -> Any:
    """What comes back of a row."""
    write.execute(SHELF.delete())
    write.execute(insert(SHELF).values(id=1, **values))
    return write.execute(select(SHELF)).one()


def found(read: Read, name: str, value: object) -> bool:
    return bool(read.execute(select(SHELF.c.id).where(SHELF.c[name] == value)).all())


@KEPT
@given(st.datetimes(timezones=st.just(UTC)))
def test_every_moment_comes_back_to_the_microsecond_and_in_utc(database: Database, moment: datetime) -> None:
    with shelf(database) as write:
        row = kept(write, moment=moment)
        assert row.moment == moment
        assert row.moment.tzinfo is UTC
        assert found(write, "moment", moment)


@KEPT
@given(st.lists(st.datetimes(timezones=st.just(UTC)), min_size=2, max_size=5, unique=True))
def test_moments_sort_as_time_does(database: Database, moments: list[datetime]) -> None:
    with shelf(database) as write:
        for number, moment in enumerate(moments):
            write.execute(insert(SHELF).values(id=number, moment=moment))
        assert write.values(select(SHELF.c.moment).order_by(SHELF.c.moment)) == sorted(moments)
        assert (
            write.values(select(SHELF.c.moment).where(SHELF.c.moment < max(moments)).order_by(SHELF.c.moment))
            == (sorted(moments)[:-1])
        )


def test_moment_of_another_zone_is_the_same_moment(database: Database) -> None:
    moment = datetime(2026, 3, 2, 8, 30, tzinfo=timezone(timedelta(hours=8)))
    with shelf(database) as write:
        assert kept(write, moment=moment).moment == moment
        assert found(write, "moment", moment.astimezone(UTC))


def test_moment_without_a_zone_is_a_bug(database: Database) -> None:
    naive = datetime(2026, 3, 2, 8, 30)  # noqa: DTZ001  # what is refused
    with pytest.raises(StatementRefused, match="without a time zone"), shelf(database) as write:
        kept(write, moment=naive)


@KEPT
@given(TEXTS)
def test_every_text_comes_back(database: Database, line: str) -> None:
    with shelf(database) as write:
        assert kept(write, line=line).line == line
        assert found(write, "line", line)


@pytest.mark.parametrize("line", ["a\0b", "\ud800", "x" * 101, "大" * 34], ids=["nul", "half", "long", "octets"])
def test_text_that_cannot_be_kept_is_refused_in_rows_and_in_questions(database: Database, line: str) -> None:
    with pytest.raises(TextRefused), shelf(database) as write:
        kept(write, line=line)
    for asking in (SHELF.c.line == line, SHELF.c.line < line, SHELF.c.line.icontains(line, autoescape=True)):
        with pytest.raises(TextRefused), shelf(database) as write:
            write.execute(select(SHELF).where(asking))


@KEPT
@given(st.lists(st.text(max_size=10), max_size=5).map(tuple))
def test_words_come_back_in_their_order(database: Database, words: tuple[str, ...]) -> None:
    with shelf(database) as write:
        assert kept(write, words=words).words == words


@KEPT
@given(
    st.dictionaries(
        st.text(max_size=10),
        st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.text(max_size=10),
        max_size=5,
    )
)
def test_facts_come_back(database: Database, facts: dict[str, Json]) -> None:
    with shelf(database) as write:
        assert kept(write, facts=facts).facts == facts


def test_nothing_stays_nothing(database: Database) -> None:
    with shelf(database) as write:
        assert tuple(kept(write, moment=None, line=None, words=None, facts=None)) == (1, None, None, None, None)

from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, replace
from datetime import datetime

import pytest

from db import api_keys
from db.api_keys import ApiKeyRow
from db.engine import Database, Write, new_id
from db.errors import AlreadyThere, DatabaseBusy
from tests.database import opened
from tests.db.rows import DAY, HOUR, NOW, api_key


def successor(row: ApiKeyRow, **changes: object) -> ApiKeyRow:
    return api_key(lineage=row.lineage, position=row.position + 1, **changes)


def stored(write: Write, **changes: object) -> ApiKeyRow:
    row = api_key(**changes)
    api_keys.insert(write, row)
    return row


def test_key_is_found_by_id_and_by_hash_whether_it_counts_or_not(database: Database) -> None:
    with database.write() as write:
        row = stored(write, cidrs=("10.0.0.0/8", "::1/128"), expires_at=NOW - DAY, ended_at=NOW - HOUR, scopes=())
        assert api_keys.find(write, row.id) == row
        by_hash = api_keys.find_with_lineage(write, row.key_sha256)
        assert by_hash is not None
        assert {name: getattr(by_hash[0], name) for name in asdict(row)} == {
            name: getattr(row, name) for name in asdict(row)
        }
        assert by_hash[1] == (row.id,)
        assert api_keys.find_with_lineage(write, "00" * 32) is None
        assert api_keys.find(write, "nowhere") is None


def test_hash_and_place_in_the_lineage_are_unique(database: Database) -> None:
    with database.write() as write:
        row = stored(write)
    for clash in (
        api_key(key_sha256=row.key_sha256),
        api_key(lineage=row.lineage, position=0),
        replace(api_key(), id=row.id),
    ):
        with pytest.raises(AlreadyThere), database.write() as write:
            api_keys.insert(write, clash)


def test_repr_shows_no_hash() -> None:
    row = api_key()
    assert row.key_sha256 not in repr(row)


def test_pages_come_newest_first(database: Database) -> None:
    with database.write() as write:
        rows = [stored(write) for _ in range(5)]
        first = api_keys.page(write, before_id=None, limit=3)
        assert [*first, *api_keys.page(write, before_id=first[-1].id, limit=3)] == rows[::-1]


def test_last_use_only_goes_forward(database: Database) -> None:
    with database.write() as write:
        row = stored(write)
        assert api_keys.touch(write, row.id, now=NOW)
        assert not api_keys.touch(write, row.id, now=NOW - HOUR)
        assert not api_keys.touch(write, "nowhere", now=NOW)
        found = api_keys.find(write, row.id)
        assert found == replace(row, last_used_at=NOW)


def test_end_only_comes_nearer(database: Database) -> None:
    with database.write() as write:
        row = stored(write)

        def ended_at() -> datetime | None:
            found = api_keys.find(write, row.id)
            assert found is not None
            return found.ended_at

        assert api_keys.end(write, row.id, now=NOW + DAY)
        assert not api_keys.end(write, row.id, now=NOW + 2 * DAY)
        assert ended_at() == NOW + DAY
        assert api_keys.end(write, row.id, now=NOW)
        assert not api_keys.end(write, row.id, now=NOW)
        assert ended_at() == NOW
        assert not api_keys.end(write, "nowhere", now=NOW)


def test_lineage_is_the_key_and_its_predecessors(database: Database) -> None:
    with database.write() as write:
        stored(write)
        first = stored(write)
        second, third = successor(first), successor(successor(first))
        for row in (second, third):
            api_keys.insert(write, row)
        assert api_keys.lineage_ids(write, first.lineage, up_to_position=0) == [first.id]
        assert api_keys.lineage_ids(write, first.lineage, up_to_position=1) == [first.id, second.id]
        assert api_keys.lineage_ids(write, first.lineage, up_to_position=2) == [first.id, second.id, third.id]
        assert [
            (found[0].id, found[1])
            for row in (first, third)
            if (found := api_keys.find_with_lineage(write, row.key_sha256)) is not None
        ] == [(first.id, (first.id,)), (third.id, (first.id, second.id, third.id))]


def test_live_keys_of_a_lineage_have_neither_ended_nor_expired(database: Database) -> None:
    with database.write() as write:
        stored(write)
        first = stored(write, ended_at=NOW)
        second = successor(first, expires_at=NOW)
        third = successor(second, ended_at=NOW + HOUR, expires_at=NOW + DAY)
        fourth = successor(third)
        for row in (second, third, fourth):
            api_keys.insert(write, row)
        assert api_keys.live_in_lineage(write, first.lineage, now=NOW) == [third, fourth]


def test_lineage_is_looked_at_by_one_write_at_a_time(database_url: str) -> None:
    with opened(database_url) as one, opened(database_url, busy_seconds=0.05) as other:
        with one.write() as write:
            first = stored(write)
        with one.write() as write:
            api_keys.live_in_lineage(write, first.lineage, now=NOW)
            with pytest.raises(DatabaseBusy), other.write() as late:
                api_keys.live_in_lineage(late, first.lineage, now=NOW)


def test_two_rotations_at_once_see_one_another(database: Database) -> None:
    with database.write() as write:
        first = stored(write)

    def rotate(_: int) -> bool:
        with database.write() as write:
            live = api_keys.live_in_lineage(write, first.lineage, now=NOW)
            if len(live) > 1:
                return False
            api_keys.insert(write, successor(first, id=new_id()))
            return True

    with ThreadPoolExecutor(6) as pool:
        assert sorted(pool.map(rotate, range(6))) == [False] * 5 + [True]

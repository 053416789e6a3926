from concurrent.futures import ThreadPoolExecutor

import pytest

from db import authorities, certificates, crls
from db.engine import Database
from db.errors import AlreadyThere, StatementRefused
from tests.database import opened
from tests.db.rows import DAY, HOUR, NOW, crl, found, issue, revoke


def test_current_crl_has_the_greatest_number_whose_time_has_begun(database: Database) -> None:
    with database.write() as write:
        found(write)
        assert crls.current(write, "g1", NOW) is None
        for number, begins in ((1, NOW - DAY), (2, NOW), (3, NOW + DAY)):
            crls.insert(write, crl(number, this_update=begins))
        crls.insert(write, crl(9, authority_id="root"))
    with database.read() as read:
        assert crls.current(read, "g1", NOW) == crl(2, this_update=NOW)
        assert crls.current(read, "g1", NOW - HOUR) == crl(1, this_update=NOW - DAY)
        assert crls.current(read, "g1", NOW - 2 * DAY) is None
        assert crls.current(read, "g1", NOW + DAY) == crl(3, this_update=NOW + DAY)
        assert crls.current(read, "nowhere", NOW) is None


def test_numbers_are_counted_by_authority(database: Database) -> None:
    with database.write() as write:
        found(write)
        assert (crls.last_number(write, "g1"), crls.next_number(write, "g1")) == (0, 1)
        crls.insert(write, crl(6, authority_id="root"))
        assert (crls.next_number(write, "g1"), crls.next_number(write, "root")) == (1, 7)


def test_number_is_given_once(database: Database) -> None:
    with database.write() as write:
        found(write)
        crls.insert(write, crl(1))
    with pytest.raises(AlreadyThere), database.write() as write:
        crls.insert(write, crl(1, this_update=NOW + DAY))


@pytest.mark.parametrize("wrong", [crl(0), crl(1, authority_id="nowhere")], ids=["number", "authority"])
def test_crl_that_cannot_be_is_refused(database: Database, wrong: crls.CrlRow) -> None:
    with database.write() as write:
        found(write)
    with pytest.raises(StatementRefused), database.write() as write:
        crls.insert(write, wrong)


def test_numbers_rise_without_fork_or_gap_however_many_publish_at_once(database_url: str) -> None:
    """And of two CRLs the higher number never knows less, while certificates are revoked all the time."""
    with opened(database_url) as first, opened(database_url) as second:
        with first.write() as write:
            found(write)
            serials = [issue(write).serial for _ in range(12)]

        def publish(number: int) -> tuple[int, int]:
            database = (first, second)[number % 2]
            with database.write() as write:
                revoke(write, serials[number])
            with database.write() as write:
                taken = crls.next_number(write, "g1")
                entries = certificates.crl_entries(write, "g1", not_expired_since=NOW)
                crls.insert(write, crl(taken))
            return taken, len(entries)

        with ThreadPoolExecutor(6) as pool:
            published = sorted(pool.map(publish, range(12)))
        assert [number for number, _ in published] == list(range(1, 13))
        known = [entries for _, entries in published]
        assert known == sorted(known)
        assert known[-1] == 12


def test_lock_is_on_an_authority_that_is_there(database: Database) -> None:
    with database.write() as write:
        found(write)
        assert authorities.lock(write, "g1")
        assert not authorities.lock(write, "nowhere")

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta

import pytest

from db import enrolments
from db.engine import Database, Read
from db.enrolments import EnrolmentRow
from db.errors import AlreadyThere, StatementRefused
from formats.mailbox import Mailbox
from tests.db.rows import DAY, HOUR, NOW, enrolment

BROWSER, OTHER = "b1" * 32, "b2" * 32
HALF = timedelta(minutes=30)
SECOND = timedelta(seconds=1)


def insert(database: Database, *rows: EnrolmentRow) -> None:
    with database.write() as write:
        for row in rows:
            enrolments.insert(write, row)


def use(database: Database, row: EnrolmentRow, browser: str = BROWSER, *, after: timedelta = SECOND) -> bool:
    now = NOW + after
    with database.write() as write:
        return enrolments.use(write, row.token_sha256, browser_sha256=browser, now=now, session_until=now + HALF)


def open_in(read: Read, browser: str = BROWSER, *, after: timedelta = 2 * SECOND) -> str | None:
    row = enrolments.session_of(read, browser, now=NOW + after)
    return None if row is None else row.id


def test_link_comes_back_as_it_was_stored(database: Database) -> None:
    row = enrolment()
    insert(database, row)
    with database.read() as read:
        assert enrolments.find(read, row.id) == row
        assert enrolments.find_by_token(read, row.token_sha256) == row
        assert enrolments.find(read, "nowhere") is None
        assert enrolments.find_by_token(read, row.token_sha256[:-1]) is None


def test_hashes_stand_in_no_repr() -> None:
    row = enrolment(used_at=NOW, browser_sha256=BROWSER, session_until=NOW + HALF)
    assert row.token_sha256 not in repr(row)
    assert BROWSER not in repr(row)


def test_token_is_one_link_s(database: Database) -> None:
    row = enrolment()
    insert(database, row)
    with pytest.raises(AlreadyThere):
        insert(database, enrolment(token_sha256=row.token_sha256))


@pytest.mark.parametrize(
    "wrong",
    [
        {"used_at": NOW},
        {"browser_sha256": BROWSER},
        {"used_at": NOW, "browser_sha256": BROWSER},
        {"ended_at": NOW},
        {"expires_at": NOW},
    ],
)
def test_half_a_use_is_refused(database: Database, wrong: dict[str, object]) -> None:
    with pytest.raises(StatementRefused):
        insert(database, enrolment(**wrong))


def test_link_is_used_once_and_not_after_its_time(database: Database) -> None:
    row, late = enrolment(), enrolment()
    insert(database, row, late)
    assert use(database, row)
    assert not use(database, row)
    assert not use(database, row, OTHER)
    assert not use(database, late, after=HOUR)
    assert not use(database, enrolment())
    with database.read() as read:
        found = enrolments.find(read, row.id)
        assert found == replace(row, used_at=NOW + SECOND, browser_sha256=BROWSER, session_until=NOW + SECOND + HALF)
        assert enrolments.find(read, late.id) == late


def test_of_many_at_once_one_gets_the_link(database: Database) -> None:
    row = enrolment()
    insert(database, row)
    browsers = [f"{number:064x}" for number in range(8)]
    with ThreadPoolExecutor(8) as pool:
        got = list(pool.map(lambda browser: use(database, row, browser), browsers))
    assert sum(got) == 1
    with database.read() as read:
        found = enrolments.find(read, row.id)
    assert found is not None
    assert found.browser_sha256 == browsers[got.index(True)]


def test_session_is_its_browser_s_until_it_ends_or_runs_out(database: Database) -> None:
    row = enrolment()
    insert(database, row)
    use(database, row)
    with database.read() as read:
        assert open_in(read) == row.id
        assert open_in(read, OTHER) is None
        assert open_in(read, after=HALF + SECOND) is None
    with database.write() as write:
        assert enrolments.end(write, row.id, now=NOW + 2 * SECOND)
        assert not enrolments.end(write, row.id, now=NOW + 3 * SECOND)
    with database.read() as read:
        assert open_in(read) is None
        ended = enrolments.find(read, row.id)
    assert ended is not None
    assert ended.ended_at == NOW + 2 * SECOND


def test_neither_an_unused_link_nor_a_session_that_ran_out_is_ended(database: Database) -> None:
    unused, over = enrolment(), enrolment()
    insert(database, unused, over)
    use(database, over)
    with database.write() as write:
        assert not enrolments.end(write, unused.id, now=NOW + SECOND)
        assert not enrolments.end(write, over.id, now=NOW + HOUR)


def test_what_a_browser_opens_ends_what_it_had_open(database: Database) -> None:
    first, second, foreign = enrolment(), enrolment(), enrolment()
    insert(database, first, second, foreign)
    use(database, first)
    use(database, second, after=2 * SECOND)
    use(database, foreign, OTHER)
    with database.write() as write:
        assert open_in(write, after=3 * SECOND) == second.id
        assert enrolments.end_others(write, BROWSER, but=first.id, now=NOW + 3 * SECOND) == 1
        assert open_in(write, after=3 * SECOND) == first.id
        assert open_in(write, OTHER, after=3 * SECOND) == foreign.id


def test_links_are_counted_by_mailbox_whatever_its_spelling(database: Database) -> None:
    insert(database, enrolment(), enrolment(mailbox="alice@campus.example"), enrolment(mailbox="bob@campus.example"))
    with database.read() as read:
        counted = {
            (text, hours): len(enrolments.mailboxes_since(read, Mailbox.parse(text), since=NOW - hours * HOUR, limit=9))
            for text in ("alice@campus.example", "alice+x@campus.example", "carol@campus.example")
            for hours in (1, 0)
        }
    assert list(counted.values()) == [2, 0, 2, 0, 0, 0]


def test_old_ones_are_forgotten_a_few_at_a_time(database: Database) -> None:
    kept = enrolment(created_at=NOW + DAY, expires_at=NOW + DAY + HOUR)
    insert(database, enrolment(), enrolment(), enrolment(), kept)
    with database.write() as write:
        assert enrolments.forget(write, expired_before=NOW + DAY, limit=2) == 2
        assert enrolments.forget(write, expired_before=NOW + DAY, limit=2) == 1
        assert enrolments.forget(write, expired_before=NOW + DAY, limit=2) == 0
        assert enrolments.find(write, kept.id) == kept

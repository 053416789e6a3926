from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from db import jobs, outbox
from db.engine import Database, StatementRefused
from db.outbox import Count, OutboxRow
from tests.db.rows import HOUR, NOW, outbox_row

SECOND = timedelta(seconds=1)


def insert(database: Database, *rows: OutboxRow) -> None:
    with database.write() as write:
        for row in rows:
            assert outbox.insert_if_absent(write, row)


def found(database: Database, row: OutboxRow) -> OutboxRow:
    with database.read() as read:
        row_now = outbox.find(read, row.id)
    assert row_now is not None
    return row_now


def test_the_same_fact_is_stored_once_and_the_transaction_goes_on(database: Database) -> None:
    first = outbox_row()
    insert(database, first)
    with database.write() as write:
        assert not outbox.insert_if_absent(write, outbox_row(unique_sha256=first.unique_sha256))
        assert outbox.insert_if_absent(write, outbox_row())
    with database.read() as read:
        assert len(outbox.due(read, now=NOW, limit=10)) == 2


def test_what_is_due_comes_longest_overdue_first_and_only_while_it_is_to_be_sent(database: Database) -> None:
    late, later, tomorrow, gone = (outbox_row(due_at=NOW + at * SECOND) for at in (-9, -3, 60, -5))
    insert(database, later, late, tomorrow, gone)
    with database.write() as write:
        assert outbox.sent(write, gone, at=NOW)
    with database.read() as read:
        assert outbox.due(read, now=NOW, limit=10) == [late, later]
        assert outbox.due(read, now=NOW, limit=1) == [late]
        assert outbox.next_due(read) == late.due_at


def test_nothing_is_due_when_nothing_is_to_be_sent(database: Database) -> None:
    with database.read() as read:
        assert outbox.next_due(read) is None
        assert outbox.counts(read) == []


def test_an_attempt_is_one_holder_s_alone(database: Database) -> None:
    row = outbox_row()
    insert(database, row)
    with database.write() as write:
        assert outbox.begin(write, row, hold_until=NOW + HOUR)
        assert not outbox.begin(write, row, hold_until=NOW + HOUR)
    begun = replace(row, attempts=1, due_at=NOW + HOUR)
    assert found(database, row) == begun
    with database.write() as write:
        for late in (
            outbox.compose(write, row, kek_id="k", wrapped_key=b"w", ciphertext=b"c", hold_until=NOW),
            outbox.postpone(write, row, due_at=NOW, error="relay_defers"),
            outbox.sent(write, row, at=NOW),
            outbox.give_up(write, row, error="letter_refused"),
        ):
            assert not late
    assert found(database, row) == begun


def test_a_letter_is_composed_once(database: Database) -> None:
    row = outbox_row()
    insert(database, row)
    with database.write() as write:
        assert outbox.compose(write, row, kek_id="k2", wrapped_key=b"w2", ciphertext=b"c2", hold_until=NOW + HOUR)
        assert not outbox.compose(write, row, kek_id="k3", wrapped_key=b"w3", ciphertext=b"c3", hold_until=NOW)
    assert found(database, row) == replace(
        row, state="composed", kek_id="k2", wrapped_key=b"w2", ciphertext=b"c2", due_at=NOW + HOUR
    )


def test_what_is_sent_or_given_up_is_blank_and_stays_so(database: Database) -> None:
    sent, given_up = outbox_row(error="relay_defers"), outbox_row()
    insert(database, sent, given_up)
    with database.write() as write:
        assert outbox.sent(write, sent, at=NOW + HOUR)
        assert outbox.give_up(write, given_up, error="letter_refused")
        for row in (sent, given_up):
            assert not outbox.begin(write, row, hold_until=NOW)
            assert not outbox.postpone(write, row, due_at=NOW, error="again")
    blank: dict[str, Any] = {"kek_id": None, "wrapped_key": None, "ciphertext": None}
    assert found(database, sent) == replace(sent, state="sent", sent_at=NOW + HOUR, error=None, **blank)
    assert found(database, given_up) == replace(given_up, state="given_up", error="letter_refused", **blank)


def test_a_failure_is_noted_with_the_time_of_the_next_attempt(database: Database) -> None:
    row = outbox_row()
    insert(database, row)
    with database.write() as write:
        assert outbox.postpone(write, row, due_at=NOW + HOUR, error="relay_defers")
    assert found(database, row) == replace(row, due_at=NOW + HOUR, error="relay_defers")


def test_counts_by_kind_and_state(database: Database) -> None:
    older = outbox_row(kind="certificate_issued", created_at=NOW - HOUR)
    gone = outbox_row()
    insert(database, older, outbox_row(kind="certificate_issued"), outbox_row(), gone)
    with database.write() as write:
        outbox.give_up(write, gone, error="letter_expired")
    with database.read() as read:
        assert outbox.counts(read) == [
            Count(kind="certificate_issued", state="waiting", number=2, oldest=NOW - HOUR),
            Count(kind="enrolment_link", state="given_up", number=1, oldest=NOW),
            Count(kind="enrolment_link", state="waiting", number=1, oldest=NOW),
        ]


@pytest.mark.parametrize(
    "impossible",
    [
        outbox_row(state="lost"),
        outbox_row(attempts=-1),
        outbox_row(ciphertext=None),
        outbox_row(state="sent", sent_at=NOW),
        outbox_row(sent_at=NOW),
    ],
    ids=["state", "attempts", "waiting and blank", "sent and not blank", "sent before it is"],
)
def test_no_row_contradicts_itself(database: Database, impossible: OutboxRow) -> None:
    with pytest.raises(StatementRefused), database.write() as write:
        outbox.insert_if_absent(write, impossible)


def test_a_row_shows_nothing_that_it_holds() -> None:
    assert "sealed" not in repr(outbox_row())


def test_the_job_is_wanted_from_the_first_that_is_posted(database: Database) -> None:
    with database.write() as write:
        jobs.ensure(write, "delivery", due_at=NOW + HOUR)
        outbox.wake(write, "delivery", now=NOW)
        outbox.wake(write, "delivery", now=NOW + SECOND)
        outbox.wake(write, "settling", now=NOW)
        assert [(job.name, job.wanted_at) for job in jobs.all_(write)] == [("delivery", NOW)]
        assert jobs.claim(write, holder="me", now=NOW, lease_seconds=60) is not None
        outbox.wake(write, "delivery", now=NOW + SECOND)
        assert [job.wanted_at for job in jobs.all_(write)] == [NOW + SECOND]


def test_who_posts_does_not_wait_for_somebody_who_posts(database: Database) -> None:
    with database.write() as write:
        jobs.ensure(write, "delivery", due_at=NOW + HOUR)
        outbox.wake(write, "delivery", now=NOW)
    if database.is_sqlite:
        return  # where one writes at a time anyway
    with database.write() as one, database.write() as other:
        outbox.wake(one, "delivery", now=NOW + SECOND)
        outbox.wake(other, "delivery", now=NOW + SECOND)
        with database.write() as third:
            assert jobs.claim(third, holder="me", now=NOW, lease_seconds=60) is not None

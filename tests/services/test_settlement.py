from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from cryptography.x509 import ocsp

from db import jobs as table
from db.engine import Database, DatabaseFull, Write
from db.jobs import Lease, LeaseLost
from formats.serial import Serial
from services import access, certificates, intents, settlement
from tests.campus import Campus
from tests.services.deeds import ALICE, ask_ocsp, crl_serials, entries, interrupted, issue, revoke, row_of, rows

WHO = access.job("settling", request_id="job-1")


def lease(campus: Campus) -> Lease:
    with campus.context.database.write() as write:
        found = table.claim(write, holder="test", now=campus.clock(), lease_seconds=30, names=("settling",))
    assert found is not None
    return found


class Full:
    """A database with space for so many writes."""

    def __init__(self, database: Database, writes: int) -> None:
        self.database, self.writes, self.read = database, writes, database.read

    @contextmanager
    def write(self) -> Iterator[Write]:
        self.writes -= 1
        with self.database.write() as write:
            yield write
            if self.writes < 0:
                raise DatabaseFull("no space is left for the database")


@pytest.mark.parametrize(("writes", "settled"), [(0, 0), (1, 1)])
def test_where_the_database_gets_full_nothing_is_half_done_and_nothing_lost(
    campus: Campus, writes: int, settled: int
) -> None:
    full: Any = Full(campus.context.database, writes)
    with pytest.raises(DatabaseFull):
        issue(replace(campus, context=replace(campus.context, database=full)))
    assert len(rows(campus, "intended")) == settled
    campus.clock.advance(intents.DEADLINE)
    campus.run_jobs()
    assert len(rows(campus, "settled")) == settled
    assert rows(campus, "issued") == [row for row in rows(campus, "issued") if row.profile == "ocsp"]
    issue(campus)


def test_an_intent_before_its_deadline_is_left_alone(campus: Campus) -> None:
    serial = interrupted(campus)
    campus.clock.advance(intents.DEADLINE - timedelta(seconds=1))
    campus.run_jobs()
    assert row_of(campus, serial).state == "intended"
    assert ask_ocsp(campus, row_of(campus, serial)).response_status is ocsp.OCSPResponseStatus.UNAUTHORIZED


def test_an_intent_past_its_deadline_is_revoked_in_the_api_in_ocsp_and_in_the_crl(campus: Campus) -> None:
    serial = interrupted(campus)
    campus.clock.advance(intents.DEADLINE)
    campus.run_jobs()
    view = certificates.show(campus.context, campus.admin, serial=Serial.parse(serial))
    assert (view.status, view.certificate, view.mailboxes) == ("revoked", None, (ALICE,))
    answer = ask_ocsp(campus, row_of(campus, serial))
    assert answer.certificate_status is ocsp.OCSPCertStatus.REVOKED
    assert crl_serials(campus) == {serial}


def test_records_what_it_settled(campus: Campus) -> None:
    serial = interrupted(campus)
    campus.clock.advance(intents.DEADLINE)
    campus.run_jobs()
    found = entries(campus, object_id=serial)
    assert [entry.action for entry in found] == ["certificate.intended", "certificate.settled"]
    assert (found[-1].actor_kind, found[-1].actor_name) == ("job", "settling")


def test_what_is_issued_is_never_settled(campus: Campus) -> None:
    serial = issue(campus).serial
    campus.clock.advance(intents.DEADLINE * 2)
    campus.run_jobs()
    assert row_of(campus, serial).state == "issued"
    assert row_of(campus, serial).revoked_at is None


def test_what_was_settled_is_settled_once(campus: Campus) -> None:
    interrupted(campus)
    campus.clock.advance(intents.DEADLINE)
    held = lease(campus)
    assert settlement.settle(campus.context, WHO, lease=held) == 1
    assert settlement.settle(campus.context, WHO, lease=held) == 0


def test_a_settled_one_can_still_turn_out_to_be_compromised(campus: Campus) -> None:
    serial = interrupted(campus)
    campus.clock.advance(intents.DEADLINE)
    campus.run_jobs()
    assert revoke(campus, serial, "keyCompromise").status == "revoked"


def test_a_holder_past_its_lease_settles_nothing(campus: Campus) -> None:
    serial = interrupted(campus)
    campus.clock.advance(intents.DEADLINE)
    held = lease(campus)
    campus.clock.advance(timedelta(seconds=30))
    with pytest.raises(LeaseLost):
        settlement.settle(campus.context, WHO, lease=held)
    assert row_of(campus, serial).state == "intended"

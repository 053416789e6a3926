"""A kill at each numbered step of issuing: nothing that was signed is ever lost."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
from cryptography.x509 import ocsp

from db.engine import Database
from formats.serial import Serial
from services import certificates, identities, intents
from services.errors import IdentityNotFound
from tests.campus import Campus, campus_on
from tests.kill.mortal import Deed, End, carry_out
from tests.services.deeds import NOTICES, ask_ocsp, crl_serials, row_of, rows

# Steps 4 to 6; before them nothing is stored.
STEPS = (
    "before intents.issue_together 1",
    "after intents.issue_together 1",
    "before signature 1",
    "after signature 1",
    "before intents.issue_together 2",
    "after intents.issue_together 2",
)
NEVER = "never"


def killed_at_each_step(campus: Campus, url: str, verb: str, folder: Path) -> list[End]:
    now = campus.clock().isoformat()
    deeds = [Deed(verb=verb, point=point, url=url, folder=str(folder), now=now) for point in (*STEPS, NEVER)]
    ends = carry_out(deeds)
    assert [end.point for end in ends if end.killed] == list(STEPS)
    return ends


def settle(campus: Campus) -> None:
    campus.clock.advance(intents.DEADLINE + timedelta(seconds=1))
    campus.run_jobs()
    campus.run_jobs()


@pytest.mark.parametrize("verb", ["issue", "add_identity"])
def test_killed_anywhere_nothing_signed_is_lost(
    database: Database, database_url: str, tmp_path: Path, verb: str
) -> None:
    with campus_on(database, tmp_path) as campus:
        campus.run_jobs()
        ends = killed_at_each_step(campus, database_url, verb, tmp_path)
        settle(campus)
        in_the_crl = crl_serials(campus)
        # (a) what a client was given is stored as issued, and good
        given = {serial for end in ends for serial in end.given}
        assert given
        for serial in given:
            assert row_of(campus, serial).state == "issued"
            assert ask_ocsp(campus, row_of(campus, serial)).certificate_status is ocsp.OCSPCertStatus.GOOD
        # (b) every serial that was signed is issued, or settled: revoked in API, OCSP and CRL
        signed = {serial for end in ends for serial in end.signed}
        assert len(signed) > len(given)
        for serial in signed:
            view = certificates.show(campus.context, campus.admin, serial=Serial.parse(serial))
            is_settled = row_of(campus, serial).state == "settled"
            assert (view.status == "revoked") is is_settled
            assert (serial in in_the_crl) is is_settled
            answer = ask_ocsp(campus, row_of(campus, serial)).certificate_status
            assert (answer is ocsp.OCSPCertStatus.REVOKED) is is_settled
        # (c) no intent is left open
        assert rows(campus, "intended") == []


def test_killed_before_the_intent_is_durable_nothing_is_stored_or_signed(
    database: Database, database_url: str, tmp_path: Path
) -> None:
    with campus_on(database, tmp_path) as campus:
        now = campus.clock().isoformat()
        deed = Deed(verb="issue", point=STEPS[0], url=database_url, folder=str(tmp_path), now=now)
        (end,) = carry_out([deed])
        assert end.killed
        assert end.signed == []
        assert rows(campus, "intended") == []


def test_killed_between_the_two_there_is_never_half_an_identity(
    database: Database, database_url: str, tmp_path: Path
) -> None:
    with campus_on(database, tmp_path) as campus:
        now = campus.clock().isoformat()
        points = ("after signature 1", "after signature 2", "before intents.issue_together 2")
        deeds = [
            Deed(verb="add_identity", point=point, url=database_url, folder=str(tmp_path), now=now) for point in points
        ]
        assert [len(end.signed) for end in carry_out(deeds)] == [1, 2, 2]
        settle(campus)
        assert len(rows(campus, "settled")) == 6
        with pytest.raises(IdentityNotFound):
            identities.show(campus.context, campus.admin, mailbox=NOTICES)

"""A worker that is frozen in the midst of issuing, and wakes up after others have settled its serial."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
from cryptography.x509 import ocsp

from db.engine import Database
from services import intents
from tests.campus import campus_on
from tests.kill.mortal import Deed, frozen
from tests.services.deeds import ask_ocsp, crl_serials, row_of, rows

BETWEEN_4_AND_6 = ("after intents.issue_together 1", "before signature 1", "after signature 1")


@pytest.mark.parametrize("point", BETWEEN_4_AND_6)
def test_frozen_past_its_deadline_a_worker_never_hands_out_its_certificate(
    database: Database, database_url: str, tmp_path: Path, point: str
) -> None:
    with campus_on(database, tmp_path) as campus:
        campus.run_jobs()
        now = campus.clock().isoformat()
        deed = Deed(verb="issue", point=point, url=database_url, folder=str(tmp_path), now=now, frozen=True)
        with frozen(deed) as wake:
            (serial,) = (row.serial for row in rows(campus, "intended"))
            campus.clock.advance(intents.DEADLINE + timedelta(seconds=1))
            campus.run_jobs()
            campus.run_jobs()
            assert row_of(campus, serial).state == "settled"
            end = wake()
        assert end.signed == [serial]
        assert end.given == []
        assert row_of(campus, serial).state == "settled"
        assert row_of(campus, serial).certificate is None
        assert ask_ocsp(campus, row_of(campus, serial)).certificate_status is ocsp.OCSPCertStatus.REVOKED
        assert serial in crl_serials(campus)


def test_woken_in_time_it_hands_it_out(database: Database, database_url: str, tmp_path: Path) -> None:
    with campus_on(database, tmp_path) as campus:
        now = campus.clock().isoformat()
        deed = Deed(
            verb="issue", point=BETWEEN_4_AND_6[0], url=database_url, folder=str(tmp_path), now=now, frozen=True
        )
        with frozen(deed) as wake:
            campus.run_jobs()
            end = wake()
        assert end.given == end.signed
        assert row_of(campus, end.given[0]).state == "issued"

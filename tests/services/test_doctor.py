from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from db import api_keys, jobs
from services import doctor, founding
from services.api_keys import Grant, add_local
from services.doctor import Finding, Severity
from tests.campus import Campus
from tests.services.deeds import issue
from tests.services.letters import run


def found(campus: Campus, about: str) -> list[Finding]:
    return list(doctor.CHECKS[about](campus.context))


def as_production(campus: Campus, *, status_url: str | None = None) -> Campus:
    ours = campus.context.issuers.campus
    ours = replace(ours, demo=False, status_url=status_url or ours.status_url)
    issuers = replace(campus.context.issuers, campus=ours)
    return replace(campus, context=replace(campus.context, issuers=issuers))


def test_before_the_first_jobs_there_is_no_status_to_tell(campus: Campus) -> None:
    assert {one.severity for one in found(campus, "status")} == {Severity.FAILURE}
    campus.run_jobs()
    assert found(campus, "status") == []


def test_the_roots_crls_run_out_unnoticed_by_nobody(campus: Campus) -> None:
    campus.clock.advance(timedelta(days=700))
    campus.run_jobs()
    assert "root's CRLs" in found(campus, "status")[-1].detail


def test_a_job_that_failed_or_is_late_is_told(campus: Campus) -> None:
    campus.run_jobs()
    assert found(campus, "jobs") == []
    campus.clock.advance(timedelta(hours=13))
    assert {one.severity for one in found(campus, "jobs")} == {Severity.WARNING}
    with campus.context.database.write() as write:
        lease = jobs.claim(write, holder="h", now=campus.clock(), lease_seconds=30, names=("settling",))
        assert lease is not None
        jobs.finish(write, lease, now=campus.clock(), next_due=campus.clock(), error="OSError")
    assert "the job settling failed with OSError" in [one.detail for one in found(campus, "jobs")]


def test_a_production_root_key_on_the_machine_is_told(campus: Campus) -> None:
    key = campus.context.settings.data / founding.ROOT_KEY
    key.parent.mkdir(exist_ok=True)
    key.touch()
    assert found(campus, "root key") == []
    assert str(key) in found(as_production(campus), "root key")[0].detail


def test_admin_keys_that_end_soon_are_told(campus: Campus) -> None:
    assert "two weeks" in found(campus, "admin keys")[0].detail
    grant = Grant(
        name="duty", scopes=("admin",), mailboxes=(), cidrs=(), expires_at=campus.clock() + timedelta(days=30)
    )
    made = add_local(campus.context, grant=grant, request_id="test")
    assert found(campus, "admin keys") == []
    campus.clock.advance(timedelta(days=17))
    assert "two weeks" in found(campus, "admin keys")[0].detail
    campus.clock.advance(timedelta(days=-17))
    with campus.context.database.write() as write:
        api_keys.end(write, made.row.id, now=campus.clock())
    assert "two weeks" in found(campus, "admin keys")[0].detail


def test_addresses_that_nobody_can_reach_are_told(campus: Campus) -> None:
    assert "demo" in found(campus, "addresses")[0].detail
    assert campus.context.issuers.campus.status_url in found(as_production(campus), "addresses")[0].detail


def test_the_first_admin_key_is_told_until_it_has_ended(campus: Campus) -> None:
    grant = Grant(
        name="admin", scopes=("admin",), mailboxes=(), cidrs=(), expires_at=campus.clock() + timedelta(days=30)
    )
    made = add_local(campus.context, grant=grant, request_id="test")
    file = founding.admin_key_file(campus.context.settings)
    file.parent.mkdir(exist_ok=True)
    file.write_text(f"{made.key}\n")
    assert found(campus, "admin keys") == []
    (told,) = found(as_production(campus), "admin keys")
    assert str(file) in told.detail
    assert f"mailseal api-keys delete {made.row.id}" in told.hint
    add_local(campus.context, grant=replace(grant, name="duty"), request_id="test")
    with campus.context.database.write() as write:
        api_keys.end(write, made.row.id, now=campus.clock())
    assert file.exists()
    assert found(as_production(campus), "admin keys") == []


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("http://localhost:8000", "only this machine"),
        ("http://127.0.0.2", "only this machine"),
        ("http://[::1]:8000", "only this machine"),
        ("http://pki.campus.example", "nobody can have"),
        ("http://pki.campus.test./status", "nobody can have"),
    ],
)
def test_a_status_address_without_a_way_to_it_is_told_with_why(campus: Campus, url: str, why: str) -> None:
    told = found(as_production(campus, status_url=url), "addresses")[0].detail
    assert url in told
    assert why in told


@pytest.mark.parametrize(
    "url",
    [
        "http://pki.testing.edu",
        "http://pki.test.edu",
        "http://pki.examples.edu/.example/",
        "http://localhost.campus.edu",
        "http://127.0.0.1.campus.edu",
    ],
)
def test_a_name_that_only_looks_like_a_reserved_one_is_good(campus: Campus, url: str) -> None:
    assert not [one for one in found(as_production(campus, status_url=url), "addresses") if url in one.detail]


def test_an_issuing_ca_near_its_end_is_told(campus: Campus) -> None:
    assert found(campus, "authorities") == []
    campus.clock.advance(timedelta(days=9 * 366))
    assert found(campus, "authorities") != []


def test_a_full_disk_is_told(campus: Campus, monkeypatch: pytest.MonkeyPatch) -> None:
    assert found(campus, "disk") == []
    monkeypatch.setattr(doctor, "FREE_OCTETS", 2**62)
    assert "MiB are free" in found(campus, "disk")[0].detail


def test_what_keeps_it_from_starting_is_the_one_finding(campus: Campus, tmp_path: Path) -> None:
    settings = campus.context.settings.model_copy(update={"database_url": f"sqlite:///{tmp_path / 'empty.db'}"})
    examined = doctor.examine(settings, demo=True)
    assert [one.about for one in examined.findings] == ["start"]
    assert not examined.is_well
    assert "migrate" in examined.findings[0].hint or "init" in examined.findings[0].hint


def test_letters_that_wait_or_were_given_up_are_told(campus: Campus) -> None:
    issue(campus)
    assert found(campus, "letters") == []
    campus.clock.advance(timedelta(minutes=16))
    assert "1 letters (certificate_issued) wait" in found(campus, "letters")[0].detail
    campus.clock.advance(timedelta(days=4))
    run(campus)
    assert [one.severity for one in found(campus, "letters")] == [Severity.WARNING]
    assert "given up" in found(campus, "letters")[0].detail


def test_production_without_a_relay_is_told(campus: Campus) -> None:
    assert "MAILSEAL_SMTP_URL" in found(as_production(campus), "letters")[0].hint


def test_a_row_that_no_timetable_runs_is_no_late_job(campus: Campus) -> None:
    """Founding takes its turn by such a row, which stays."""
    campus.run_jobs()
    with campus.context.database.write() as write:
        jobs.ensure(write, founding.TURN, due_at=campus.clock())
    campus.clock.advance(timedelta(minutes=6))
    assert founding.TURN not in " ".join(one.detail for one in found(campus, "jobs"))

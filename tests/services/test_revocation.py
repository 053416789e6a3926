from __future__ import annotations

import threading
from datetime import timedelta

import pytest
from cryptography import x509
from cryptography.x509 import ocsp

from ca.errors import ReasonNotAllowed
from formats.errors import Refusal
from services import jobs
from services.certificates import Order
from services.errors import AlreadyRevoked, CertificateNotFound, InvalidityDateRefused, ScopeMissing
from tests.campus import Campus, csr
from tests.services.deeds import (
    ALICE,
    ask_ocsp,
    crl_number,
    crl_serials,
    current_crl,
    entries,
    interrupted,
    issue,
    revoke,
    row_of,
)

REASONS = ["keyCompromise", "affiliationChanged", "superseded", "cessationOfOperation", "privilegeWithdrawn"]


@pytest.mark.parametrize("reason", REASONS)
def test_revokes_for_each_reason_that_exists(campus: Campus, reason: str) -> None:
    view = revoke(campus, issue(campus).serial, reason)
    assert view.status == "revoked"
    assert view.revocation is not None
    assert (view.revocation.reason, view.revocation.revoked_at) == (reason, campus.clock())


@pytest.mark.parametrize("reason", ["certificateHold", "removeFromCRL", "unspecified", "cACompromise", "stolen", ""])
def test_refuses_other_reasons(campus: Campus, reason: str) -> None:
    serial = issue(campus).serial
    with pytest.raises(ReasonNotAllowed):
        revoke(campus, serial, reason)
    assert row_of(campus, serial).revoked_at is None


def test_a_revocation_is_a_one_way_door(campus: Campus) -> None:
    serial = issue(campus).serial
    first = revoke(campus, serial, "superseded")
    campus.clock.advance(timedelta(hours=1))
    for reason in ("superseded", "affiliationChanged"):
        with pytest.raises(AlreadyRevoked):
            revoke(campus, serial, reason)
    assert row_of(campus, serial).revoked_at == first.revocation.revoked_at  # type: ignore[union-attr]  # it is revoked


def test_only_an_upgrade_to_key_compromise_is_left_and_keeps_the_moment(campus: Campus) -> None:
    serial = issue(campus).serial
    first = revoke(campus, serial, "superseded", note="left the lab").revocation
    campus.clock.advance(timedelta(hours=1))
    second = revoke(campus, serial, "keyCompromise").revocation
    assert first is not None
    assert second is not None
    assert (second.reason, second.revoked_at) == ("keyCompromise", first.revoked_at)
    assert row_of(campus, serial).note == "left the lab"
    with pytest.raises(AlreadyRevoked):
        revoke(campus, serial, "keyCompromise")


def test_records_who_revoked_why(campus: Campus) -> None:
    serial = issue(campus).serial
    revoke(campus, serial, "superseded")
    revoke(campus, serial, "keyCompromise")
    found = entries(campus, object_id=serial, action="certificate.revoked")
    assert [entry.details for entry in found] == [
        {"before": None, "reason": "superseded"},
        {"before": "superseded", "reason": "keyCompromise"},
    ]
    assert {entry.actor_id for entry in found} == {campus.admin.id}


def test_is_in_ocsp_at_once_and_in_the_crl_after_the_next_run(campus: Campus) -> None:
    campus.run_jobs()
    serial = issue(campus).serial
    assert ask_ocsp(campus, row_of(campus, serial)).certificate_status is ocsp.OCSPCertStatus.GOOD
    revoke(campus, serial, "keyCompromise")
    answer = ask_ocsp(campus, row_of(campus, serial))
    assert answer.certificate_status is ocsp.OCSPCertStatus.REVOKED
    assert answer.revocation_reason is x509.ReasonFlags.key_compromise
    before = crl_number(campus)
    campus.run_jobs()
    assert crl_number(campus) == before + 1
    assert crl_serials(campus) == {serial}


def test_without_a_revocation_no_new_crl_is_made(campus: Campus) -> None:
    campus.run_jobs()
    before = crl_number(campus)
    issue(campus)
    campus.clock.advance(timedelta(seconds=60))
    campus.run_jobs()
    assert crl_number(campus) == before


def test_a_dead_holder_of_the_crl_job_delays_the_crl_by_less_than_a_minute(campus: Campus) -> None:
    assert jobs.LEASE_SECONDS + jobs.LOOK_EVERY_SECONDS < 60


def test_tells_since_when_the_key_was_in_other_hands(campus: Campus) -> None:
    view = issue(campus)
    date = view.not_before + timedelta(minutes=10)
    revocation = revoke(campus, view.serial, "keyCompromise", invalidity_date=date).revocation
    assert revocation is not None
    assert revocation.invalidity_date == date
    campus.run_jobs()
    (entry,) = current_crl(campus)
    stated = entry.extensions.get_extension_for_class(x509.InvalidityDate).value
    assert stated.invalidity_date_utc == date


def test_refuses_an_invalidity_date_in_the_future_or_before_the_certificate(campus: Campus) -> None:
    view = issue(campus)
    for date in (campus.clock() + timedelta(seconds=1), view.not_before - timedelta(seconds=1)):
        with pytest.raises(InvalidityDateRefused):
            revoke(campus, view.serial, "keyCompromise", invalidity_date=date)
    assert row_of(campus, view.serial).revoked_at is None


def test_an_upgrade_never_moves_the_invalidity_date_behind_the_revocation(campus: Campus) -> None:
    serial = issue(campus).serial
    first = revoke(campus, serial, "superseded").revocation
    later = campus.clock.advance(timedelta(days=1))
    second = revoke(campus, serial, "keyCompromise", invalidity_date=later).revocation
    assert first is not None
    assert second is not None
    assert second.invalidity_date == first.revoked_at


def refuse(campus: Campus, serial: str, *scopes: str, mailboxes: tuple[str, ...], refusal: type[Refusal]) -> None:
    with pytest.raises(refusal):
        revoke(campus, serial, by=campus.principal(*scopes, mailboxes=mailboxes))
    assert row_of(campus, serial).revoked_at is None


def test_only_a_certificate_of_ones_own_can_be_revoked(campus: Campus) -> None:
    serial = issue(campus, order=Order(request=csr(None), mailboxes=(ALICE, "bob@campus.example"))).serial
    refuse(campus, serial, "certificates:read", mailboxes=("*@campus.example",), refusal=ScopeMissing)
    refuse(campus, serial, "certificates:revoke", mailboxes=(ALICE,), refusal=CertificateNotFound)
    refuse(campus, serial, "certificates:revoke", mailboxes=(), refusal=CertificateNotFound)
    with pytest.raises(CertificateNotFound):
        revoke(campus, "00" * 16)


def test_an_intent_cannot_be_revoked(campus: Campus) -> None:
    serial = interrupted(campus)
    with pytest.raises(CertificateNotFound):
        revoke(campus, serial)


def test_of_two_revocations_at_once_one_counts(campus: Campus) -> None:
    serial, outcomes = issue(campus).serial, list[str]()
    start = threading.Barrier(2)

    def attempt(reason: str) -> None:
        start.wait()
        try:
            revoke(campus, serial, reason)
            outcomes.append(reason)
        except AlreadyRevoked:
            outcomes.append("already")

    threads = [threading.Thread(target=attempt, args=(reason,)) for reason in ("superseded", "affiliationChanged")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(outcomes) == 2
    assert outcomes.count("already") == 1
    assert row_of(campus, serial).reason in outcomes

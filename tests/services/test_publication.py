from __future__ import annotations

import threading
from dataclasses import replace
from datetime import timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import ocsp

from ca.errors import Finding as Found
from ca.errors import LintRefused
from ca.lint import Linter
from db import certificates, crls
from db import jobs as table
from db.jobs import Lease, LeaseLost
from formats.certificate import Certificate
from services import access, jobs, publication
from services.certificates import Order
from services.context import Context
from tests.campus import Campus, charter, csr
from tests.services.deeds import (
    ask_ocsp,
    crl_number,
    crl_serials,
    current_crl,
    interrupted,
    issue,
    ocsp_request,
    revoke,
    row_of,
    rows,
)

WHO = access.job("crl:g1", request_id="job-1")


def lease(campus: Campus, name: str = "crl:g1", *, seconds: float = 30) -> Lease:
    """The lease of a job, whoever holds it now."""
    with campus.context.database.write() as write:
        table.hasten(write, name, due_at=campus.clock())
        found = table.claim(write, holder="test", now=campus.clock(), lease_seconds=seconds, names=(name,))
    assert found is not None
    return found


def delegate_of(campus: Campus) -> Certificate:
    with campus.context.database.read() as read:
        row = certificates.current_delegate(read, "g1", campus.clock())
    assert row is not None
    return Certificate.from_der(row.certificate or b"")


# --- CRLs --------------------------------------------------------------------------------------------------------------


def test_a_crl_is_signed_by_the_issuing_ca_and_counts_from_five_minutes_ago_for_two_days(campus: Campus) -> None:
    campus.run_jobs()
    crl = current_crl(campus)
    issuer = campus.context.issuers.issuing.certificate
    assert crl.is_signature_valid(issuer.x509.public_key())  # type: ignore[arg-type]  # an RSA key
    assert crl.issuer == issuer.x509.subject
    assert crl.last_update_utc == campus.clock() - timedelta(minutes=5)
    assert crl.next_update_utc == crl.last_update_utc + timedelta(hours=48)


def test_a_crl_lints_clean(campus: Campus) -> None:
    revoke(campus, issue(campus).serial)
    campus.run_jobs()
    der = current_crl(campus).public_bytes(Encoding.DER)
    assert campus.context.issuers.linter.crl(der) == ()


class Finding(Linter):
    """A linter that finds something in every CRL and OCSP answer."""

    found = (Found(code="test.finding", severity="ERROR", where="", message=""),)

    def crl(self, der: bytes) -> tuple[Found, ...]:
        assert x509.load_der_x509_crl(der).is_signature_valid(charter().made.issuing.x509.public_key())  # type: ignore[arg-type]  # an RSA key
        return self.found

    def ocsp(self, der: bytes) -> tuple[Found, ...]:
        assert ocsp.load_der_ocsp_response(der).certificate_status is ocsp.OCSPCertStatus.GOOD
        return self.found


def finding(campus: Campus) -> Context:
    linter = Finding(policy_arc=campus.context.issuers.campus.policy_arc)
    return replace(campus.context, issuers=replace(campus.context.issuers, linter=linter))


def test_a_crl_that_breaks_a_rule_is_not_published(campus: Campus) -> None:
    with pytest.raises(LintRefused, match=r"test\.finding"):
        publication.publish_crl(finding(campus), WHO, lease=lease(campus))
    with campus.context.database.read() as read:
        assert crls.last_number(read, "g1") == 0


def test_a_delegate_whose_answers_break_a_rule_is_not_made(campus: Campus) -> None:
    with pytest.raises(LintRefused, match=r"test\.finding"):
        publication.renew_delegate(finding(campus), WHO, lease=lease(campus, "delegate:g1"))
    assert rows(campus, "intended") == []


def test_a_crl_of_many_entries_holds_them_all(campus: Campus) -> None:
    serials = {issue(campus).serial for _ in range(publication.LINTED_ENTRIES + 2)}
    for serial in serials:
        revoke(campus, serial)
    publication.publish_crl(campus.context, WHO, lease=lease(campus))
    assert crl_serials(campus) == serials


def test_crl_numbers_rise_by_one(campus: Campus) -> None:
    held = lease(campus)
    numbers = [publication.publish_crl(campus.context, WHO, lease=held) for _ in range(3)]
    assert numbers == [1, 2, 3]
    assert crl_number(campus) == 3


def test_a_new_crl_comes_every_twelve_hours(campus: Campus) -> None:
    campus.run_jobs()
    campus.clock.advance(timedelta(hours=12) - timedelta(seconds=1))
    campus.run_jobs()
    assert crl_number(campus) == 1
    campus.clock.advance(timedelta(seconds=1))
    campus.run_jobs()
    assert crl_number(campus) == 2


def test_an_expired_certificate_leaves_the_crl_only_after_two_days(campus: Campus) -> None:
    view = issue(campus, order=Order(request=csr(), days=1))
    revoke(campus, view.serial)
    campus.clock.now = view.not_after + timedelta(hours=47)
    publication.publish_crl(campus.context, WHO, lease=lease(campus))
    assert crl_serials(campus) == {view.serial}
    campus.clock.now = view.not_after + timedelta(hours=49)
    publication.publish_crl(campus.context, WHO, lease=lease(campus))
    assert crl_serials(campus) == set()


def test_a_holder_past_its_lease_publishes_nothing(campus: Campus) -> None:
    held = lease(campus)
    campus.clock.advance(timedelta(seconds=30))
    with pytest.raises(LeaseLost):
        publication.publish_crl(campus.context, WHO, lease=held)
    with campus.context.database.read() as read:
        assert crls.last_number(read, "g1") == 0


def test_a_holder_whose_job_is_another_ones_by_now_publishes_nothing(campus: Campus) -> None:
    late = lease(campus)
    campus.clock.advance(timedelta(seconds=30))
    next_one = lease(campus)
    slow_clock = replace(campus.context, clock=lambda: campus.clock() - timedelta(seconds=30))
    with pytest.raises(LeaseLost):
        publication.publish_crl(slow_clock, WHO, lease=late)
    assert publication.publish_crl(campus.context, WHO, lease=next_one) == 1


def test_crl_numbers_never_fork_and_a_higher_one_never_holds_less(campus: Campus) -> None:
    held = lease(campus)
    serials = [issue(campus).serial for _ in range(6)]
    failures = list[BaseException]()

    def publish() -> None:
        try:
            for _ in range(3):
                publication.publish_crl(campus.context, WHO, lease=held)
        except BaseException as failure:  # noqa: BLE001  # told to the test
            failures.append(failure)

    def revoke_all() -> None:
        for serial in serials:
            revoke(campus, serial)

    threads = [threading.Thread(target=work) for work in (publish, publish, publish, revoke_all)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    publication.publish_crl(campus.context, WHO, lease=held)
    assert failures == []
    with campus.context.database.read() as read:
        assert crls.last_number(read, "g1") == 10
    assert crl_serials(campus) == set(serials)
    assert [len(crl) for crl in published(campus)] == sorted(len(crl) for crl in published(campus))


def published(campus: Campus) -> list[x509.CertificateRevocationList]:
    """Every CRL of the issuing CA by its number, as a reader would have seen it at the time."""
    statement = "SELECT der FROM crls WHERE authority_id = 'g1' ORDER BY number"
    with campus.context.database.read() as read:
        return [x509.load_der_x509_crl(bytes(row.der)) for row in read.connection.exec_driver_sql(statement)]


def test_of_two_timetables_one_publishes(campus: Campus) -> None:
    campus.run_jobs()
    revoke(campus, issue(campus).serial)
    threads = [threading.Thread(target=jobs.run_due, args=(campus.context,), kwargs={"holder": name}) for name in "ab"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert crl_number(campus) == 2


# --- OCSP --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("sha1", [True, False])
def test_answers_good_for_what_was_issued(campus: Campus, sha1: bool) -> None:
    campus.run_jobs()
    row = row_of(campus, issue(campus).serial)
    answer = ask_ocsp(campus, row, sha1=sha1)
    assert answer.certificate_status is ocsp.OCSPCertStatus.GOOD
    assert isinstance(answer.hash_algorithm, hashes.SHA1 if sha1 else hashes.SHA256)
    assert f"{answer.serial_number:032x}" == row.serial


def test_an_answer_counts_for_a_day_from_five_minutes_ago(campus: Campus) -> None:
    campus.run_jobs()
    answer = ask_ocsp(campus, row_of(campus, issue(campus).serial))
    assert answer.this_update_utc == campus.clock() - timedelta(minutes=5)
    assert answer.next_update_utc == answer.this_update_utc + timedelta(hours=24)
    assert answer.produced_at_utc == campus.clock()


def test_an_answer_is_signed_by_the_delegate_and_lints_clean(campus: Campus) -> None:
    campus.run_jobs()
    answer = ask_ocsp(campus, row_of(campus, issue(campus).serial))
    assert [Certificate.from_der(one.public_bytes(Encoding.DER)) for one in answer.certificates] == [
        delegate_of(campus)
    ]
    delegate_of(campus).x509.verify_directly_issued_by(campus.context.issuers.issuing.certificate.x509)
    assert campus.context.issuers.linter.ocsp(answer.public_bytes(Encoding.DER)) == ()


def test_says_unauthorized_of_what_was_never_issued(campus: Campus) -> None:
    campus.run_jobs()
    row = row_of(campus, issue(campus).serial)
    for serial in (interrupted(campus), "7f" * 16):
        unknown = replace(row, serial=serial)
        issuer = campus.context.issuers.issuing.certificate.x509
        builder = ocsp.OCSPRequestBuilder().add_certificate_by_hash(
            *issuer_hashes(issuer), int(unknown.serial, 16), hashes.SHA256()
        )
        answer = publication.answer_ocsp(campus.context, "g1", builder.build().public_bytes(Encoding.DER))
        loaded = ocsp.load_der_ocsp_response(answer.der)
        assert loaded.response_status is ocsp.OCSPResponseStatus.UNAUTHORIZED
        assert answer.next_update is None


def issuer_hashes(issuer: x509.Certificate) -> tuple[bytes, bytes]:
    request = ocsp.OCSPRequestBuilder().add_certificate(issuer, issuer, hashes.SHA256()).build()
    return request.issuer_name_hash, request.issuer_key_hash


def test_says_unauthorized_of_another_issuers_certificates(campus: Campus) -> None:
    campus.run_jobs()
    held = row_of(campus, issue(campus).serial)
    certificate = Certificate.from_der(held.certificate or b"")
    foreign = ocsp_request(certificate, campus.context.issuers.root)
    ours = ocsp_request(certificate, campus.context.issuers.issuing.certificate)
    for authority_id, request in (("g1", foreign), ("root", ours), ("root", foreign), ("g2", ours)):
        answer = publication.answer_ocsp(campus.context, authority_id, request)
        loaded = ocsp.load_der_ocsp_response(answer.der)
        assert loaded.response_status is ocsp.OCSPResponseStatus.UNAUTHORIZED


@pytest.mark.parametrize("request_der", [b"", b"\x30\x00", b"no request", b"\x30" * 5000])
def test_calls_a_malformed_request_malformed(campus: Campus, request_der: bytes) -> None:
    answer = publication.answer_ocsp(campus.context, "g1", request_der)
    loaded = ocsp.load_der_ocsp_response(answer.der)
    assert loaded.response_status is ocsp.OCSPResponseStatus.MALFORMED_REQUEST


def test_asks_to_try_later_while_there_is_no_delegate(campus: Campus) -> None:
    answer = ask_ocsp(campus, row_of(campus, issue(campus).serial))
    assert answer.response_status is ocsp.OCSPResponseStatus.TRY_LATER


# --- the delegate ------------------------------------------------------------------------------------------------------


def test_is_ready_once_there_are_a_crl_and_a_delegate(campus: Campus) -> None:
    assert not publication.is_ready(campus.context)
    publication.publish_crl(campus.context, WHO, lease=lease(campus))
    assert not publication.is_ready(campus.context)
    publication.renew_delegate(campus.context, WHO, lease=lease(campus, "delegate:g1"))
    assert publication.is_ready(campus.context)
    campus.clock.advance(timedelta(hours=48))
    assert not publication.is_ready(campus.context)


def test_the_delegate_is_renewed_once_two_thirds_of_its_life_are_over(campus: Campus) -> None:
    campus.run_jobs()
    first = delegate_of(campus)
    campus.clock.now = first.not_before + timedelta(days=19)
    campus.run_jobs()
    assert delegate_of(campus) == first
    campus.clock.now = first.not_before + timedelta(days=20, hours=6)
    campus.run_jobs()
    second = delegate_of(campus)
    assert second.spki != first.spki
    assert second.not_after > first.not_after
    campus.run_jobs()
    assert delegate_of(campus) == second


def test_an_answer_never_outlives_its_delegate(campus: Campus) -> None:
    campus.run_jobs()
    serial = issue(campus).serial
    campus.clock.now = delegate_of(campus).not_after - timedelta(hours=1)
    answer = ask_ocsp(campus, row_of(campus, serial))
    assert answer.next_update_utc == delegate_of(campus).not_after


def test_a_holder_past_its_lease_makes_no_delegate(campus: Campus) -> None:
    held = lease(campus, "delegate:g1")
    campus.clock.advance(timedelta(seconds=30))
    with pytest.raises(LeaseLost):
        publication.renew_delegate(campus.context, WHO, lease=held)
    with campus.context.database.read() as read:
        assert certificates.current_delegate(read, "g1", campus.clock()) is None


def test_the_campus_of_these_tests_is_a_demo() -> None:
    assert charter().plan.root_name.startswith("DEMO - DO NOT TRUST")

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding

from ca.errors import (
    KeyRefused,
    MailboxesRefused,
    ProfileUnknown,
    RequestMalformed,
    RequestSignatureWrong,
    SubjectRefused,
    ValidityRefused,
)
from db import certificates as table
from db import idempotency as keys
from formats.certificate import Certificate
from formats.errors import Refusal
from formats.mailbox import Mailbox, MailboxError
from formats.serial import Serial
from services import certificates, intents
from services.access import operator
from services.certificates import Filter, Order
from services.errors import (
    CertificateNotFound,
    ChoiceUnknown,
    IdempotencyKeyMalformed,
    IdempotencyMismatch,
    InProgress,
    IssuingTooLate,
    KeyCompromised,
    KeyOfAnotherPerson,
    MailboxNotAllowed,
    MailboxSpelledOtherwise,
    MailDomainRefused,
    NotCompleted,
    ScopeMissing,
)
from tests.campus import Campus, csr
from tests.services.deeds import ALICE, entries, interrupted, issue, revoke, row_of, rows, slow

PERSON: dict[str, Any] = {
    "profile": "person",
    "person": "idp|4711",
    "subject": {"given_name": "Alice", "surname": "Liddell"},
}


# --- issuing -------------------------------------------------------------------------------------------------------


def test_issues_for_the_mailbox_of_the_request(campus: Campus) -> None:
    view = issue(campus)
    assert view.certificate is not None
    assert (view.status, view.profile, view.use, view.proof) == ("active", "mailbox", "dual", "api_client")
    assert view.mailboxes == (ALICE,)
    assert view.certificate.mailboxes == (Mailbox.parse(ALICE),)
    assert view.serial == str(view.certificate.serial)
    assert view.chain[-1] == campus.context.issuers.root


def test_stores_what_it_hands_out(campus: Campus) -> None:
    view = issue(campus)
    row = row_of(campus, view.serial)
    assert view.certificate is not None
    assert (row.state, row.certificate, row.sha256) == ("issued", view.certificate.der, view.sha256)
    assert row.proof_detail == campus.admin.name
    assert row.lookalike != row.certificate
    assert Certificate.from_der(row.lookalike).tbs == view.certificate.tbs


def test_records_intent_and_issue_under_the_request_id(campus: Campus) -> None:
    view = issue(campus, by=replace(campus.admin, request_id="request-7"))
    found = entries(campus, object_id=view.serial)
    assert [entry.action for entry in found] == ["certificate.intended", "certificate.issued"]
    assert {entry.request_id for entry in found} == {"request-7"}
    assert {entry.actor_id for entry in found} == {campus.admin.id}
    assert {entry.mailbox for entry in found} == {ALICE}


def test_the_intent_is_durable_before_the_signature(campus: Campus) -> None:
    serial = interrupted(campus)
    row = row_of(campus, serial)
    assert row.certificate is None
    assert row.deadline > campus.clock()
    assert [entry.action for entry in entries(campus, object_id=serial)] == ["certificate.intended"]


def test_a_certificate_that_comes_after_its_deadline_is_destroyed(campus: Campus) -> None:
    with pytest.raises(IssuingTooLate):
        issue(slow(campus, lambda: campus.clock.advance(intents.DEADLINE)))
    (row,) = rows(campus, "intended")
    assert row.certificate is None


def test_if_issuing_and_settling_tie_settling_wins(campus: Campus) -> None:
    def settle_meanwhile() -> None:
        campus.clock.advance(intents.DEADLINE)
        campus.run_jobs()
        campus.clock.advance(-intents.DEADLINE)  # a clock that runs behind on the node that issues

    with pytest.raises(IssuingTooLate):
        issue(slow(campus, settle_meanwhile))
    assert [row.reason for row in rows(campus, "settled")] == ["cessationOfOperation"]


def test_names_the_campus_in_a_role_certificate_only(campus: Campus) -> None:
    assert "Example University" in issue(campus, order=Order(request=csr(), profile="role")).subject
    assert "Example University" not in issue(campus, order=Order(request=csr())).subject


def test_names_a_person_only_with_their_identifier(campus: Campus) -> None:
    view = issue(campus, order=Order(request=csr(), **PERSON))
    assert "Liddell" in view.subject
    assert view.person == "idp|4711"
    with pytest.raises(SubjectRefused):
        issue(campus, order=Order(request=csr(), **(PERSON | {"person": None})))


@pytest.mark.parametrize("profile", ["mailbox", "role"])
def test_only_a_person_has_a_name(campus: Campus, profile: str) -> None:
    with pytest.raises(SubjectRefused):
        issue(campus, order=Order(request=csr(), profile=profile, subject={"surname": "Liddell"}))


def test_refuses_a_subject_field_that_is_none(campus: Campus) -> None:
    with pytest.raises(SubjectRefused, match="organization"):
        issue(campus, order=Order(request=csr(), **(PERSON | {"subject": {"organization": "Other University"}})))


@pytest.mark.parametrize(("use", "bits"), [("sign", {"digitalSignature"}), ("encrypt", {"keyAgreement"})])
def test_certifies_the_use_that_is_asked_for(campus: Campus, use: str, bits: set[str]) -> None:
    view = issue(campus, order=Order(request=csr(), use=use))
    assert view.certificate is not None
    assert view.certificate.key_usage == frozenset(bits)


def test_lives_as_long_as_is_asked_for(campus: Campus) -> None:
    view = issue(campus, order=Order(request=csr(), days=7))
    assert view.not_after - view.not_before == timedelta(days=7, seconds=-1)


def test_a_mailbox_may_hold_several_certificates(campus: Campus) -> None:
    assert issue(campus).serial != issue(campus).serial


def test_a_mailbox_too_long_for_a_name_is_certified_without_one(campus: Campus) -> None:
    address = f"{'long-' * 12}@campus.example"
    assert issue(campus, address).mailboxes == (address,)


def test_the_request_may_leave_the_mailbox_to_the_call(campus: Campus) -> None:
    view = issue(campus, order=Order(request=csr(None), mailboxes=(ALICE, "al@cuhk.example")))
    assert view.mailboxes == (ALICE, "al@cuhk.example")


def test_call_and_request_must_agree_on_the_mailboxes(campus: Campus) -> None:
    assert issue(campus, order=Order(request=csr(ALICE), mailboxes=(ALICE,))).mailboxes == (ALICE,)
    with pytest.raises(MailboxesRefused):
        issue(campus, order=Order(request=csr(ALICE), mailboxes=("bob@campus.example",)))


@pytest.mark.parametrize(
    "mailboxes",
    [(), (ALICE, ALICE), (ALICE, "ALICE@campus.example"), tuple(f"a{n}@campus.example" for n in range(11))],
)
def test_refuses_none_too_many_and_repeated_mailboxes(campus: Campus, mailboxes: tuple[str, ...]) -> None:
    with pytest.raises(MailboxesRefused):
        issue(campus, order=Order(request=csr(None), mailboxes=mailboxes))


# --- refusals ------------------------------------------------------------------------------------------------------


def weak_rsa(bits: int, exponent: int) -> bytes:
    return csr(key=rsa.generate_private_key(exponent, bits))


def altered() -> bytes:
    """A request in which the name was changed after it was signed."""
    return csr(encoding=Encoding.DER).replace(b"whatever", b"whatelse")


@pytest.mark.parametrize(
    ("order", "refusal"),
    [
        (Order(request=b""), RequestMalformed),
        (Order(request=b"neither DER nor PEM"), RequestMalformed),
        (Order(request=altered()), RequestSignatureWrong),
        (Order(request=weak_rsa(1024, 65537)), KeyRefused),
        (Order(request=weak_rsa(2048, 3)), KeyRefused),
        (Order(request=csr(key=ec.generate_private_key(ec.SECP521R1()))), KeyRefused),
        (Order(request=csr("alice@elsewhere.example")), MailDomainRefused),
        (Order(request=csr("alice@dept.campus.example")), MailDomainRefused),
        (Order(request=csr(), mailboxes=("no mailbox",)), MailboxError),
        (Order(request=csr(), profile="web"), ProfileUnknown),
        (Order(request=csr(), use="everything"), ChoiceUnknown),
        (Order(request=csr(), days=0), ValidityRefused),
        (Order(request=csr(), days=825), ValidityRefused),
    ],
    ids=lambda value: value.__name__ if isinstance(value, type) else None,
)
def test_refuses_and_stores_nothing(campus: Campus, order: Order, refusal: type[Refusal]) -> None:
    before = entries(campus)
    with pytest.raises(refusal):
        issue(campus, order=order, idempotency_key="once")
    assert entries(campus) == before
    with campus.context.database.read() as read:
        assert keys.find(read, campus.admin.id or "", "once") is None


def test_refuses_a_domain_that_is_not_the_campuss_whoever_asks(campus: Campus) -> None:
    with pytest.raises(MailDomainRefused):
        issue(campus, "alice@dept.campus.example", by=operator(request_id="local"))


def test_refuses_a_caller_without_the_scope(campus: Campus) -> None:
    with pytest.raises(ScopeMissing):
        issue(campus, by=campus.principal("certificates:read"))


def test_refuses_a_mailbox_that_the_key_is_not_for(campus: Campus) -> None:
    department = campus.principal("certificates:issue", mailboxes=("bob@campus.example",))
    issue(campus, "bob@campus.example", by=department)
    with pytest.raises(MailboxNotAllowed):
        issue(campus, by=department)
    with pytest.raises(MailboxNotAllowed):
        issue(campus, by=department, order=Order(request=csr(None), mailboxes=("bob@campus.example", ALICE)))


def test_refuses_the_key_of_somebody_else(campus: Campus) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    issue(campus, order=Order(request=csr(ALICE, key=key)))
    with pytest.raises(KeyOfAnotherPerson):
        issue(campus, order=Order(request=csr("bob@campus.example", key=key)))
    issue(campus, order=Order(request=csr(ALICE, key=key)))


def test_refuses_the_key_of_somebody_else_even_after_its_certificate_was_revoked(campus: Campus) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    revoke(campus, issue(campus, order=Order(request=csr(ALICE, key=key))).serial, "superseded")
    with pytest.raises(KeyOfAnotherPerson):
        issue(campus, order=Order(request=csr("bob@campus.example", key=key)))


def test_a_persons_key_goes_with_the_person_not_with_the_address(campus: Campus) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    issue(campus, order=Order(request=csr(ALICE, key=key), **PERSON))
    issue(campus, order=Order(request=csr("a.liddell@campus.example", key=key), **PERSON))
    with pytest.raises(KeyOfAnotherPerson):
        issue(campus, order=Order(request=csr(ALICE, key=key), **(PERSON | {"person": "idp|4712"})))


def test_refuses_a_compromised_key_to_everybody(campus: Campus) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    revoke(campus, issue(campus, order=Order(request=csr(ALICE, key=key))).serial, "keyCompromise")
    for mailbox in (ALICE, "bob@campus.example"):
        with pytest.raises(KeyCompromised):
            issue(campus, order=Order(request=csr(mailbox, key=key)))


def test_refuses_a_mailbox_that_differs_by_case_only(campus: Campus) -> None:
    held = issue(campus)
    with pytest.raises(MailboxSpelledOtherwise):
        issue(campus, "Alice@campus.example")
    revoke(campus, held.serial)
    issue(campus, "Alice@campus.example")


# --- Idempotency-Key -------------------------------------------------------------------------------------------------


def test_the_same_key_and_request_make_one_certificate(campus: Campus) -> None:
    order = Order(request=csr())
    first = issue(campus, order=order, idempotency_key="once")
    assert issue(campus, order=order, idempotency_key="once") == first
    assert len(rows(campus, "issued")) == 1


def test_a_replay_reads_the_certificate_again(campus: Campus) -> None:
    order = Order(request=csr())
    revoke(campus, issue(campus, order=order, idempotency_key="once").serial)
    assert issue(campus, order=order, idempotency_key="once").status == "revoked"


@pytest.mark.parametrize(
    "changed", [{"request": csr()}, {"days": 9}, {"use": "sign"}, {"person": "p"}, {"mailboxes": (ALICE,)}]
)
def test_the_same_key_with_another_request_is_refused(campus: Campus, changed: dict[str, Any]) -> None:
    order = Order(request=csr())
    issue(campus, order=order, idempotency_key="once")
    with pytest.raises(IdempotencyMismatch):
        issue(campus, order=replace(order, **changed), idempotency_key="once")


def test_an_idempotency_key_is_its_callers_own(campus: Campus) -> None:
    other = campus.principal("certificates:issue")
    order = Order(request=csr())
    first = issue(campus, order=order, idempotency_key="once")
    assert issue(campus, order=order, by=other, idempotency_key="once").serial != first.serial


def test_a_request_that_is_still_worked_on_is_in_progress_then_not_completed(campus: Campus) -> None:
    order = Order(request=csr())
    interrupted(campus, order=order, idempotency_key="once")
    with pytest.raises(InProgress):
        issue(campus, order=order, idempotency_key="once")
    campus.clock.advance(intents.DEADLINE)
    campus.run_jobs()
    with pytest.raises(NotCompleted):
        issue(campus, order=order, idempotency_key="once")


def test_a_refused_request_does_not_use_its_key_up(campus: Campus) -> None:
    with pytest.raises(ValidityRefused):
        issue(campus, order=Order(request=csr(), days=900), idempotency_key="once")
    issue(campus, order=Order(request=csr(), days=90), idempotency_key="once")


@pytest.mark.parametrize("key", ["", "with space", "x" * 256, "tab\t", "ünicode", "line\n"])
def test_refuses_a_malformed_idempotency_key(campus: Campus, key: str) -> None:
    with pytest.raises(IdempotencyKeyMalformed):
        issue(campus, idempotency_key=key)


# --- finding -----------------------------------------------------------------------------------------------------------


def listed(campus: Campus, *, mailboxes: tuple[str, ...] = ("*@campus.example",), **narrowed: Any) -> list[str]:
    reader = campus.principal("certificates:read", mailboxes=mailboxes)
    views = certificates.page(campus.context, reader, narrowed=Filter(**narrowed), before_id=None, limit=50)
    return [view.serial for view in views]


def test_lists_the_newest_first_and_page_by_page(campus: Campus) -> None:
    serials = [issue(campus).serial for _ in range(3)]
    assert listed(campus) == serials[::-1]
    first = certificates.page(campus.context, campus.admin, narrowed=Filter(), before_id=None, limit=2)
    rest = certificates.page(campus.context, campus.admin, narrowed=Filter(), before_id=first[-1].cursor, limit=2)
    assert [view.serial for view in (*first, *rest)] == serials[::-1]


def test_a_key_sees_only_certificates_all_of_whose_mailboxes_are_its_own(campus: Campus) -> None:
    mine = issue(campus)
    both = issue(campus, order=Order(request=csr(None), mailboxes=(ALICE, "bob@campus.example")))
    assert listed(campus, mailboxes=(ALICE,)) == [mine.serial]
    assert listed(campus, mailboxes=()) == []
    reader = campus.principal("certificates:read", mailboxes=(ALICE,))
    assert certificates.show(campus.context, reader, serial=Serial.parse(mine.serial)).serial == mine.serial
    with pytest.raises(CertificateNotFound):
        certificates.show(campus.context, reader, serial=Serial.parse(both.serial))


def test_finds_by_what_is_asked(campus: Campus) -> None:
    alice = issue(campus, order=Order(request=csr(), person="p-1"))
    bob = issue(campus, "bob@campus.example")
    revoke(campus, bob.serial)
    assert listed(campus, mailbox=Mailbox.parse("ALICE@campus.example")) == [alice.serial]
    assert listed(campus, status="revoked") == [bob.serial]
    assert listed(campus, status="active") == [alice.serial]
    assert listed(campus, status="expired") == []
    assert listed(campus, serial=Serial.parse(bob.serial)) == [bob.serial]
    assert listed(campus, sha256=alice.sha256) == [alice.serial]
    assert listed(campus, person="p-1") == [alice.serial]
    assert listed(campus, q="BOB@") == [bob.serial]


def test_a_certificate_expires(campus: Campus) -> None:
    serial = issue(campus, order=Order(request=csr(), days=1)).serial
    campus.clock.advance(timedelta(days=1))
    assert listed(campus, status="expired") == [serial]
    assert certificates.show(campus.context, campus.admin, serial=Serial.parse(serial)).status == "expired"


def test_refuses_an_unknown_status_and_a_foreign_mailbox(campus: Campus) -> None:
    with pytest.raises(ChoiceUnknown):
        listed(campus, status="on_hold")
    with pytest.raises(MailboxNotAllowed):
        listed(campus, mailboxes=(ALICE,), mailbox=Mailbox.parse("bob@campus.example"))


def test_neither_an_intent_nor_an_ocsp_delegate_is_shown(campus: Campus) -> None:
    serial = interrupted(campus)
    campus.run_jobs()
    assert listed(campus) == []
    with campus.context.database.read() as read:
        delegate = table.current_delegate(read, "g1", campus.clock())
    assert delegate is not None
    for hidden in (serial, delegate.serial, "00" * 16):
        with pytest.raises(CertificateNotFound):
            certificates.show(campus.context, campus.admin, serial=Serial.parse(hidden))

from __future__ import annotations

import base64
from dataclasses import replace
from typing import Any

import pytest

from formats.algorithms import spki_der
from formats.errors import Refusal
from keys.pkcs12 import read_pkcs12
from keys.software import to_pkcs8
from services import handover, intents
from services.certificates import Order
from services.errors import (
    AlreadyDelivered,
    ChoiceUnknown,
    IdempotencyMismatch,
    InProgress,
    MailboxNotAllowed,
    MailDomainRefused,
    NotCompleted,
    ScopeMissing,
)
from services.handover import Handover
from tests.campus import Campus
from tests.services.deeds import ALICE, Ended, ending, entries, row_of, rows

ORDER = Order(mailboxes=(ALICE,))


def hand_over(campus: Campus, **changed: Any) -> Handover:
    asked: dict[str, Any] = {"order": ORDER, "key": "p256", "file_format": "modern"} | changed
    return handover.issue(campus.context, asked.pop("by", campus.admin), **asked)


@pytest.mark.parametrize("file_format", ["modern", "compatible"])
def test_hands_over_a_key_its_certificate_and_the_chain(campus: Campus, file_format: str) -> None:
    made = hand_over(campus, file_format=file_format)
    key, certificate, chain = read_pkcs12(made.pkcs12, made.passphrase)
    assert certificate == made.view.certificate
    assert certificate.spki == spki_der(key.public_key())
    assert chain == made.view.chain
    assert made.view.mailboxes == (ALICE,)


def test_keeps_neither_key_nor_passphrase(campus: Campus) -> None:
    made = hand_over(campus)
    key, _, _ = read_pkcs12(made.pkcs12, made.passphrase)
    row = row_of(campus, made.view.serial)
    assert row.key_id is None
    stored = repr(row) + repr(entries(campus))
    assert made.passphrase not in repr(made) + stored
    for secret in (made.pkcs12, to_pkcs8(key)):
        assert base64.b64encode(secret).decode() not in stored
        assert secret not in (row.lookalike, row.certificate)


def test_makes_the_kind_of_key_that_is_asked_for(campus: Campus) -> None:
    assert hand_over(campus, key="p384").view.key.curve == "P-384"


@pytest.mark.parametrize(
    ("asked", "refusal"),
    [
        ({"key": "rsa1024"}, ChoiceUnknown),
        ({"key": "dsa"}, ChoiceUnknown),
        ({"file_format": "old"}, ChoiceUnknown),
        ({"order": Order(mailboxes=("bob@elsewhere.example",))}, MailDomainRefused),
    ],
)
def test_refuses_and_stores_nothing(campus: Campus, asked: dict[str, Any], refusal: type[Refusal]) -> None:
    before = entries(campus)
    with pytest.raises(refusal):
        hand_over(campus, **asked)
    assert entries(campus) == before


def test_refuses_callers_who_may_not(campus: Campus) -> None:
    with pytest.raises(ScopeMissing):
        hand_over(campus, by=campus.principal("certificates:read"))
    with pytest.raises(MailboxNotAllowed):
        hand_over(campus, by=campus.principal("certificates:issue", mailboxes=("bob@campus.example",)))
    everywhere = campus.principal("certificates:issue", mailboxes=("*@elsewhere.example",))
    with pytest.raises(MailDomainRefused):
        hand_over(campus, by=everywhere, order=Order(mailboxes=("a@elsewhere.example",)))


def test_the_file_is_delivered_once(campus: Campus) -> None:
    hand_over(campus, idempotency_key="once")
    with pytest.raises(AlreadyDelivered):
        hand_over(campus, idempotency_key="once")
    assert len(rows(campus, "issued")) == 1


@pytest.mark.parametrize("changed", [{"key": "p384"}, {"file_format": "compatible"}, {"order": replace(ORDER, days=9)}])
def test_the_same_idempotency_key_with_another_request_is_refused(campus: Campus, changed: dict[str, Any]) -> None:
    hand_over(campus, idempotency_key="once")
    with pytest.raises(IdempotencyMismatch):
        hand_over(campus, idempotency_key="once", **changed)


def test_an_interrupted_one_is_in_progress_then_not_completed(campus: Campus) -> None:
    with pytest.raises(Ended):
        handover.issue(
            ending(campus).context,
            campus.admin,
            order=ORDER,
            key="p256",
            file_format="modern",
            idempotency_key="once",
        )
    with pytest.raises(InProgress):
        hand_over(campus, idempotency_key="once")
    campus.clock.advance(intents.DEADLINE)
    campus.run_jobs()
    with pytest.raises(NotCompleted):
        hand_over(campus, idempotency_key="once")

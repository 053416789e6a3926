from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from db import jobs as job_table
from db import outbox as table
from db.outbox import OutboxRow
from formats.mailbox import Mailbox
from keys.errors import SealBroken
from services import outbox
from services.outbox import Fact
from tests.campus import Campus
from tests.services.deeds import ALICE, add_identity, interrupted, issue

LINK = Fact(
    kind="enrolment_link",
    mailbox=Mailbox.parse(ALICE),
    unique="enrolment_link:1",
    details={"link": "http://localhost:8000/enrol/SECRET", "minutes": "60"},
)


def waiting(campus: Campus) -> list[OutboxRow]:
    with campus.context.database.read() as read:
        return table.due(read, now=campus.clock(), limit=100)


def post(campus: Campus, fact: Fact = LINK) -> bool:
    with campus.context.database.write() as write:
        return outbox.post(write, campus.context, fact, now=campus.clock())


def test_a_fact_is_posted_once_and_wakes_the_delivery(campus: Campus) -> None:
    assert post(campus)
    assert not post(campus)
    (row,) = waiting(campus)
    assert outbox.read_fact(campus.context.vault, row).details == LINK.details
    assert outbox.read_fact(campus.context.vault, row).mailbox == LINK.mailbox
    with campus.context.database.read() as read:
        wanted = {job.name: job.wanted_at for job in job_table.all_(read)}
    assert wanted["delivery"] == campus.clock()


def test_a_fact_belongs_to_the_transaction_of_its_change(campus: Campus) -> None:
    def change() -> None:
        with campus.context.database.write() as write:
            outbox.post(write, campus.context, LINK, now=campus.clock())
            raise RuntimeError("the change fails")

    with pytest.raises(RuntimeError):
        change()
    assert waiting(campus) == []


def test_a_row_says_neither_whom_nor_what(campus: Campus, tmp_path: Path) -> None:
    post(campus)
    (row,) = waiting(campus)
    stored = b"".join(str(value).encode() for value in (row.id, row.kind, row.unique_sha256, row.ciphertext))
    for file in tmp_path.glob("mailseal.db*"):
        stored += file.read_bytes()
    assert b"alice" not in stored
    assert b"SECRET" not in stored
    assert "alice" not in repr(LINK)
    assert "SECRET" not in repr(LINK)


def test_a_payload_opens_in_its_own_row_and_for_its_own_purpose(campus: Campus) -> None:
    post(campus)
    post(campus, Fact(kind="enrolment_link", mailbox=LINK.mailbox, unique="other", details=LINK.details))
    one, other = waiting(campus)
    vault = campus.context.vault
    with pytest.raises(SealBroken):
        outbox.open_payload(vault, one, purpose=outbox.LETTER)
    swapped = OutboxRow(**{name: getattr(one, name) for name in one.__slots__} | {"id": other.id})
    with pytest.raises(SealBroken):
        outbox.read_fact(vault, swapped)


def test_a_link_expires_with_its_hour_and_all_else_after_three_days(campus: Campus) -> None:
    post(campus)
    post(campus, Fact(kind="certificate_issued", mailbox=LINK.mailbox, unique="c", details={}))
    assert {row.kind: row.expires_at - campus.clock() for row in waiting(campus)} == {
        "enrolment_link": timedelta(minutes=60),
        "certificate_issued": timedelta(days=3),
    }


def test_everybody_hears_of_a_certificate_for_their_mailbox(campus: Campus) -> None:
    view = issue(campus)
    (row,) = waiting(campus)
    fact = outbox.read_fact(campus.context.vault, row)
    assert (fact.kind, str(fact.mailbox)) == ("certificate_issued", ALICE)
    assert fact.details["serial"] == view.serial
    assert fact.details["sha256"] == view.sha256
    assert fact.details["not_after"] == view.not_after.isoformat()
    assert (fact.details["proof"], fact.details["by"]) == ("api_client", "admin")


def test_each_mailbox_of_each_certificate_is_told(campus: Campus) -> None:
    add_identity(campus)
    rows = [outbox.read_fact(campus.context.vault, row) for row in waiting(campus)]
    assert {str(fact.mailbox) for fact in rows} == {"notices@campus.example"}
    assert {fact.details["use"] for fact in rows} == {"sign", "encrypt"}


def test_nobody_is_told_of_delegates_or_of_the_identity_that_signs_the_notices(campus: Campus) -> None:
    campus.run_jobs()
    add_identity(campus, outbox.our_mailbox(campus.context))
    assert waiting(campus) == []


def test_a_certificate_that_was_never_issued_is_not_told(campus: Campus) -> None:
    interrupted(campus)
    assert waiting(campus) == []


def test_our_mailbox_is_that_of_the_setting_or_in_the_first_domain(campus: Campus) -> None:
    assert str(outbox.our_mailbox(campus.context)) == f"mailseal@{campus.context.issuers.campus.mail_domains[0]}"

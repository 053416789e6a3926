from datetime import timedelta

import pytest

import db.audit
from db import audit
from db.audit import AuditRow
from db.engine import Database, Read
from db.errors import AlreadyThere, StatementRefused
from formats.mailbox import MailboxError
from tests.db.rows import HOUR, NOW, entry


def page(read: Read, **filters: object) -> list[AuditRow]:
    return audit.page(read, **({"actor_ids": None, "before_id": None, "limit": 50} | filters))  # type: ignore[arg-type]  # filters by name


def test_entry_comes_back_as_it_was_stored(database: Database) -> None:
    row, bare = entry(), entry(actor_kind="job", actor_id=None, object_id=None, mailbox=None, details={})
    with database.write() as write:
        audit.insert_many(write, [row, bare])
    with database.read() as read:
        assert audit.find(read, row.id) == row
        assert audit.find(read, bare.id) == bare
        assert audit.find(read, "nowhere") is None


def test_entry_is_neither_repeated_nor_by_an_unknown_kind_of_actor(database: Database) -> None:
    row = entry()
    with database.write() as write:
        audit.insert(write, row)
    with pytest.raises(AlreadyThere), database.write() as write:
        audit.insert(write, row)
    with pytest.raises(StatementRefused), database.write() as write:
        audit.insert(write, entry(actor_kind="ghost"))


def test_there_is_no_way_to_change_or_delete() -> None:
    assert [name for name in dir(db.audit) if name.startswith(("delete", "update", "set", "remove"))] == []


def test_pages_come_newest_first_without_gap_or_repetition(database: Database) -> None:
    with database.write() as write:
        rows = [entry() for _ in range(7)]
        audit.insert_many(write, rows)
        seen: list[AuditRow] = []
        while piece := page(write, before_id=seen[-1].id if seen else None, limit=3):
            seen.extend(piece)
        assert seen == sorted(rows, key=lambda row: row.id, reverse=True)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("action", "certificate.revoked"),
        ("object_kind", "identity"),
        ("object_id", "12" * 16),
        ("mailbox", "press@campus.example"),
        ("request_id", "r2"),
    ],
)
def test_every_filter_narrows(database: Database, field: str, value: str) -> None:
    wanted, other = entry(**{field: value}), entry()
    with database.write() as write:
        audit.insert_many(write, [other, wanted])
        only: dict[str, object] = {field: value}
        assert page(write, **only) == [wanted]
        assert page(write, **(only | {"object_kind": "nothing"})) == []


def test_mailbox_is_compared_as_mailboxes_are(database: Database) -> None:
    row = entry(mailbox="Notices@campus.example")
    with database.write() as write:
        audit.insert(write, row)
        assert page(write, mailbox="notices@CAMPUS.example") == [row]
        with pytest.raises(MailboxError):
            page(write, mailbox="notices")


def test_actors_are_everybody_or_those_named_and_no_names_are_nobody(database: Database) -> None:
    mine, older, job = entry(actor_id="key-1"), entry(actor_id="key-0"), entry(actor_kind="job", actor_id=None)
    with database.write() as write:
        audit.insert_many(write, [mine, older, job, entry(actor_id="key-2")])
        assert len(page(write)) == 4
        assert page(write, actor_ids=("key-1",)) == [mine]
        assert {row.id for row in page(write, actor_ids=("key-0", "key-1"))} == {mine.id, older.id}
        assert page(write, actor_ids=()) == []


def test_time_goes_from_since_on_to_before_until(database: Database) -> None:
    rows = [entry(at=NOW + number * HOUR) for number in range(3)]
    with database.write() as write:
        audit.insert_many(write, rows)
        assert {row.id for row in page(write, since=NOW + HOUR)} == {rows[1].id, rows[2].id}
        assert page(write, since=NOW + HOUR, until=NOW + 2 * HOUR) == [rows[1]]
        assert page(write, until=NOW) == []
        assert page(write, until=NOW + timedelta(microseconds=1)) == [rows[0]]


def test_record_of_a_signature_is_found_by_its_digest(database: Database) -> None:
    first, second = entry(signature_sha256="12" * 32), entry(signature_sha256="34" * 32)
    with database.write() as write:
        audit.insert_many(write, [entry(), first, second])
        assert audit.by_signature(write, ["34" * 32, "56" * 32]) == [second]
        assert {row.id for row in audit.by_signature(write, ["12" * 32, "34" * 32])} == {first.id, second.id}
        assert audit.by_signature(write, []) == []

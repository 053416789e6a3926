from collections.abc import Iterator
from dataclasses import replace

import pytest

from db import identities
from db.engine import Database, Write
from db.errors import AlreadyThere, StatementRefused
from db.identities import IdentityRow
from tests.db.rows import DAY, HOUR, NOW, found, identity, issue, revoke


@pytest.fixture
def write(database: Database) -> Iterator[Write]:
    """A Write in which root and issuing CA are there."""
    with database.write() as one:
        found(one)
        yield one


def add(write: Write, mailbox: str = "notices@campus.example", *, days: int = 300, **changes: object) -> IdentityRow:
    """An identity whose certificates began just now and last so many days."""
    life = {"not_before": NOW, "not_after": NOW + days * DAY}
    signing, encryption = issue(write, mailbox, **life), issue(write, mailbox, **life)
    row = replace(identity(signing, encryption, mailbox=mailbox, mailbox_key=mailbox.lower()), **changes)  # type: ignore[arg-type]  # changes by name
    identities.insert(write, row)
    return row


def test_identity_is_found_by_its_mailbox(write: Write) -> None:
    row = add(write, "Notices@campus.example")
    assert identities.find(write, "notices@campus.example") == row
    assert identities.find(write, "press@campus.example") is None


def test_mailbox_has_one_identity(database: Database) -> None:
    with database.write() as write:
        found(write)
        add(write)
    with pytest.raises(AlreadyThere), database.write() as write:
        add(write)


def test_identity_without_its_certificates_is_refused(database: Database) -> None:
    with database.write() as write:
        found(write)
        row = add(write)
    with pytest.raises(StatementRefused), database.write() as write:
        identities.insert(write, replace(row, id="other", mailbox_key="other@campus.example", signing_serial="00" * 16))


def test_pause_comes_and_goes(write: Write) -> None:
    row = add(write)
    assert identities.set_paused(write, row.id, paused=True)
    assert identities.find(write, row.mailbox_key) == replace(row, paused=True)
    assert identities.set_paused(write, row.id, paused=False)
    assert identities.find(write, row.mailbox_key) == row
    assert not identities.set_paused(write, "nowhere", paused=True)


def test_of_two_renewals_the_second_is_refused(write: Write) -> None:
    row = add(write)
    fresh = [issue(write, row.mailbox).serial for _ in range(4)]

    def renew(signing: str, encryption: str) -> bool:
        return identities.update_serials(
            write,
            row.id,
            expected_signing_serial=row.signing_serial,
            signing_serial=signing,
            encryption_serial=encryption,
            renewed_at=NOW + HOUR,
        )

    assert renew(fresh[0], fresh[1])
    assert not renew(fresh[2], fresh[3])
    renewed = identities.find(write, row.mailbox_key)
    assert renewed is not None
    assert (renewed.signing_serial, renewed.encryption_serial, renewed.renewed_at) == (*fresh[:2], NOW + HOUR)


@pytest.mark.parametrize(
    ("visible", "names"),
    [
        (None, ["sub", "cuhk", "press", "notices"]),
        ((), []),
        (((None, "campus.example"),), ["press", "notices"]),
        ((("PRESS", "campus.example"), (None, "cuhk.example")), ["cuhk", "press"]),
        (((None, "ampus.example"),), []),
        (((None, "%.example"),), []),
        ((("%", "campus.example"),), []),
    ],
)
def test_page_shows_what_is_visible_newest_first(
    write: Write, visible: tuple[tuple[str | None, str], ...] | None, names: list[str]
) -> None:
    made = {
        "notices": add(write, "Notices@campus.example"),
        "press": add(write, "press@campus.example"),
        "cuhk": add(write, "a@cuhk.example"),
        "sub": add(write, '"x@campus.example"@sub.campus.example'),
    }
    assert identities.page(write, visible=visible, before_id=None, limit=10) == [made[name] for name in names]


def test_pages_go_on_where_the_last_ended(write: Write) -> None:
    rows = [add(write, f"n{number}@campus.example") for number in range(5)]
    first = identities.page(write, visible=None, before_id=None, limit=3)
    second = identities.page(write, visible=None, before_id=first[-1].id, limit=3)
    assert [*first, *second] == rows[::-1]


def test_renewal_is_due_after_two_thirds_of_the_life_the_first_to_end_first(write: Write) -> None:
    long, short = add(write, "long@campus.example", days=300), add(write, "short@campus.example", days=30)

    def due(days: int, limit: int = 10) -> list[IdentityRow]:
        return identities.due_for_renewal(write, now=NOW + days * DAY, limit=limit)

    assert due(19) == []
    assert due(20) == [short]
    assert due(199) == [short]
    assert due(200) == [short, long]
    assert due(200, limit=1) == [short]


def test_renewal_is_due_when_either_certificate_is(write: Write) -> None:
    encryption = issue(write, "notices@campus.example", not_before=NOW, not_after=NOW + 3 * DAY)
    row = add(write, encryption_serial=encryption.serial)
    assert identities.due_for_renewal(write, now=NOW + 2 * DAY, limit=10) == [row]


def test_paused_and_revoked_identities_are_not_renewed(write: Write) -> None:
    add(write, "paused@campus.example", paused=True)
    revoked = add(write, "revoked@campus.example")
    revoke(write, revoked.signing_serial)
    half = add(write, "half@campus.example")
    revoke(write, half.encryption_serial)
    assert identities.due_for_renewal(write, now=NOW + 300 * DAY, limit=10) == [half]

from datetime import timedelta

import pytest

from db import authorities, private_keys
from db.engine import Database
from db.errors import AlreadyThere, StatementRefused
from tests.db.rows import NOW, authority, private_key


def test_authorities_come_root_first_then_by_age(database: Database) -> None:
    key = private_key(purpose="ca")
    rows = [
        authority("g2", created_at=NOW + timedelta(days=1)),
        authority("g1", key_id=key.id),
        authority("root", created_at=NOW + timedelta(days=2)),
    ]
    with database.write() as write:
        private_keys.insert(write, key)
        for row in rows:
            authorities.insert(write, row)
    with database.read() as read:
        assert authorities.all_(read) == rows[::-1]
        assert authorities.find(read, "g1") == rows[1]
        assert authorities.find(read, "g3") is None


def test_id_serial_and_certificate_are_unique(database: Database) -> None:
    row = authority("g1")
    with database.write() as write:
        authorities.insert(write, row)
    for clash in (authority("g1"), authority("g2", serial=row.serial), authority("g2", sha256=row.sha256)):
        with pytest.raises(AlreadyThere), database.write() as write:
            authorities.insert(write, clash)


@pytest.mark.parametrize("wrong", [{"kind": "timestamping"}, {"key_id": "nowhere"}], ids=str)
def test_authority_that_cannot_be_is_refused(database: Database, wrong: dict[str, str]) -> None:
    with pytest.raises(StatementRefused), database.write() as write:
        authorities.insert(write, authority("g1", **wrong))

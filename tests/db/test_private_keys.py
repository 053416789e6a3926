import pytest

from db import private_keys
from db.engine import Database
from db.errors import AlreadyThere, StatementRefused
from tests.db.rows import private_key


def test_sealed_key_comes_back_octet_for_octet(database: Database) -> None:
    row = private_key(ciphertext=bytes(range(256)))
    with database.write() as write:
        private_keys.insert(write, row)
    with database.read() as read:
        found = private_keys.find(read, row.id)
        assert found == row
        assert found is not None
        assert isinstance(found.ciphertext, bytes)
        assert private_keys.find(read, "nowhere") is None


def test_id_is_unique_and_purpose_is_known(database: Database) -> None:
    row = private_key()
    with database.write() as write:
        private_keys.insert(write, row)
    with pytest.raises(AlreadyThere), database.write() as write:
        private_keys.insert(write, private_key(id=row.id))
    with pytest.raises(StatementRefused), database.write() as write:
        private_keys.insert(write, private_key(purpose="anything"))


def test_repr_shows_no_sealed_octets() -> None:
    row = private_key(wrapped_key=b"W" * 40, ciphertext=b"C" * 40)
    assert "WWWW" not in repr(row)
    assert "CCCC" not in repr(row)

import pytest

from db import idempotency
from db.engine import Database
from db.errors import AlreadyThere
from tests.db.rows import idempotency_key


def test_key_is_one_principal_s(database: Database) -> None:
    mine, theirs = idempotency_key(object_id="ab" * 16), idempotency_key(principal="key-2")
    with database.write() as write:
        idempotency.insert(write, mine)
        idempotency.insert(write, theirs)
    with database.read() as read:
        assert idempotency.find(read, "key-1", "once") == mine
        assert idempotency.find(read, "key-2", "once") == theirs
        assert idempotency.find(read, "key-1", "twice") is None


def test_key_is_used_once(database: Database) -> None:
    with database.write() as write:
        idempotency.insert(write, idempotency_key())
    with pytest.raises(AlreadyThere), database.write() as write:
        idempotency.insert(write, idempotency_key(request_sha256="00" * 32))

from __future__ import annotations

import pytest

from db import identities, private_keys, signers
from db.engine import Database, Write
from db.private_keys import PrivateKeyRow
from tests.db.rows import DAY, NOW, found, identity, issue, private_key, revoke

MAILBOX = "notices@campus.example"


def add(write: Write, *, key: PrivateKeyRow | None) -> tuple[str, str]:
    """An identity with two certificates, whose signing key is kept here or not; the serials of both."""
    found(write)
    if key is not None:
        private_keys.insert(write, key)
    signing = issue(write, MAILBOX, key_id=key.id if key else None, not_after=NOW + 30 * DAY)
    encryption = issue(write, MAILBOX)
    identities.insert(write, identity(signing, encryption))
    return signing.serial, encryption.serial


def test_identity_certificates_and_key_come_together(database: Database) -> None:
    key = private_key(purpose="sign")
    with database.write() as write:
        add(write, key=key)
    with database.read() as read:
        row = signers.find(read, MAILBOX)
    assert row is not None
    assert (row.paused, row.certificate, row.not_after) == (False, b"der", NOW + 30 * DAY)
    assert (row.revoked_at, row.encryption_certificate, row.encryption_revoked_at) == (None, b"der", None)
    assert row.key == key


def test_the_database_itself_is_asked_like_a_read(database: Database) -> None:
    with database.write() as write:
        add(write, key=private_key(purpose="sign"))
    with database.read() as read:
        assert signers.find(database, MAILBOX) == signers.find(read, MAILBOX)


def test_a_key_that_is_not_kept_here_is_none(database: Database) -> None:
    with database.write() as write:
        add(write, key=None)
    row = signers.find(database, MAILBOX)
    assert row is not None
    assert row.key is None


def test_a_mailbox_without_identity_has_no_signer(database: Database) -> None:
    assert signers.find(database, MAILBOX) is None


@pytest.mark.parametrize("which", [0, 1], ids=["signing", "encryption"])
def test_a_revocation_is_seen_by_the_very_next_question(database: Database, which: int) -> None:
    with database.write() as write:
        serials = add(write, key=private_key(purpose="sign"))
    assert signers.find(database, MAILBOX) is not None
    with database.write() as write:
        assert revoke(write, serials[which])
    row = signers.find(database, MAILBOX)
    assert row is not None
    assert [row.revoked_at, row.encryption_revoked_at] == ([NOW, None] if which == 0 else [None, NOW])


def test_a_row_shows_no_octets(database: Database) -> None:
    key = private_key(purpose="sign")
    with database.write() as write:
        add(write, key=key)
    shown = repr(signers.find(database, MAILBOX))
    assert repr(key.ciphertext) not in shown
    assert repr(key.wrapped_key) not in shown

"""Custody of the private keys kept here: sealed by the vault, stored as rows, opened as key objects."""

from __future__ import annotations

from datetime import datetime
from typing import Final

from db.engine import new_id
from db.private_keys import PrivateKeyRow
from formats.algorithms import KeyKind, spki_sha256
from keys import software
from keys.software import PrivateKey
from keys.vault import Label, Sealed, Vault

VERSION: Final = 1


def seal(vault: Vault, key: PrivateKey, *, kind: KeyKind, owner: str, purpose: str, now: datetime) -> PrivateKeyRow:
    """A row with the key under the KEK, bound to its id, owner and purpose; the caller inserts it."""
    key_id = new_id()
    sealed = vault.seal(
        software.to_pkcs8(key), label=Label(key_id=key_id, owner=owner, purpose=purpose, version=VERSION)
    )
    return PrivateKeyRow(
        id=key_id,
        owner=owner,
        purpose=purpose,
        kind=kind.value,
        spki_sha256=spki_sha256(key.public_key()),
        kek_id=sealed.kek_id,
        wrapped_key=sealed.wrapped_key,
        ciphertext=sealed.ciphertext,
        created_at=now,
    )


def key_of(vault: Vault, row: PrivateKeyRow) -> PrivateKey:
    """The key object of a row; from memory, if it was opened lately."""
    return vault.private_key(
        Sealed(kek_id=row.kek_id, wrapped_key=row.wrapped_key, ciphertext=row.ciphertext),
        label=Label(key_id=row.id, owner=row.owner, purpose=row.purpose, version=VERSION),
    )

"""Idempotency-Key: what was made under a key is made once (see docs/adr/0005)."""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from db import idempotency
from db.engine import Database, Read, Write
from db.idempotency import IdempotencyRow
from services.access import Principal
from services.errors import IdempotencyKeyMalformed, IdempotencyMismatch

_KEY: Final = re.compile(r"[\x21-\x7e]{1,255}", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """An Idempotency-Key of a principal together with the digest of the request that it was sent with."""

    principal: str
    key: str
    request_sha256: str


def claim(principal: Principal, key: str | None, *, operation: str, request: bytes) -> Claim | None:
    """Read the key, if one was sent; `request` is a definite form of all that the request asks for."""
    if key is None:
        return None
    if not _KEY.fullmatch(key):
        raise IdempotencyKeyMalformed("the Idempotency-Key is empty, too long or not printable ASCII")
    digest = hashlib.sha256(operation.encode() + b"\0" + request).hexdigest()
    return Claim(principal=principal.id or principal.kind, key=key, request_sha256=digest)


def definite_form(**asked: object) -> bytes:
    """The same bytes for the same wishes, for comparing a repeated request with the first."""
    return json.dumps(asked, sort_keys=True, default=str).encode()


def earlier(read: Read, claimed: Claim | None) -> IdempotencyRow | None:
    """The row that this key left before, if any; IdempotencyMismatch if it was for another request."""
    if claimed is None:
        return None
    row = idempotency.find(read, claimed.principal, claimed.key)
    if row is not None and row.request_sha256 != claimed.request_sha256:
        raise IdempotencyMismatch("this Idempotency-Key was used with another request")
    return row


def came_first(database: Database, claimed: Claim | None) -> IdempotencyRow | None:
    """The row that `earlier` finds, in a transaction of its own: before the work, or after `record` was too slow."""
    if claimed is None:
        return None
    with database.read() as read:
        return earlier(read, claimed)


def record(write: Write, claimed: Claim | None, *, kind: str, object_id: str, now: datetime) -> None:
    """Store what was made under the key, in the transaction that makes it; db.AlreadyThere if somebody was faster."""
    if claimed is None:
        return
    idempotency.insert(
        write,
        IdempotencyRow(
            principal=claimed.principal,
            key=claimed.key,
            request_sha256=claimed.request_sha256,
            kind=kind,
            object_id=object_id,
            created_at=now,
        ),
    )

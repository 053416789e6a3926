"""API keys: made, listed, rotated and ended; the key itself is shown once and stored as a hash."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timedelta
from typing import Final

from db import api_keys
from db.api_keys import ApiKeyRow
from db.engine import AlreadyThere, Read, Write, new_id
from db.idempotency import IdempotencyRow
from formats.mailbox import MailboxPattern
from services import access, audit, credential, idempotency
from services.access import Principal
from services.authority import SCOPES
from services.context import Context
from services.errors import (
    AlreadyDelivered,
    ApiKeyNotFound,
    ExpiryRefused,
    GrantExceedsOwn,
    NameRefused,
    NetworkMalformed,
    ScopeUnknown,
    TwoLiveKeys,
)
from services.idempotency import Claim

__all__ = ["ApiKeyRow", "Grant", "NewKey", "add", "add_local", "delete", "page", "rotate", "show"]

# After a rotation both keys work until the older one is deleted, or this time is over.
OVERLAP: Final = timedelta(days=7)
# How the record names those who are no API key.
_TAKEN: Final = ("operator", "job")
_LAST: Final = 2**31 - 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Grant:
    """What a key is for; empty lists mean none, and no `cidrs` mean any network."""

    name: str
    scopes: tuple[str, ...]
    mailboxes: tuple[str, ...]
    cidrs: tuple[str, ...] = ()
    expires_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class NewKey:
    """A key just made: its row, and the secret that is shown this once."""

    row: ApiKeyRow
    key: str

    def __repr__(self) -> str:
        return f"NewKey(id={self.row.id})"


def add(context: Context, principal: Principal, *, grant: Grant, idempotency_key: str | None = None) -> NewKey:
    """Make a key; GrantExceedsOwn for a scope or mailbox that the principal lacks, AlreadyDelivered when repeated."""
    access.allow(principal, "api_keys.manage")
    asked = idempotency.definite_form(**asdict(grant))
    claimed = idempotency.claim(principal, idempotency_key, operation="api_keys.add", request=asked)
    _refuse_delivered(idempotency.came_first(context.database, claimed))
    checked = _check(grant, now=context.clock())
    _refuse_excess(principal, checked)
    try:
        return _insert(context, principal, checked, claimed=claimed)
    except AlreadyThere:
        # The same Idempotency-Key came twice at once, and the other was faster.
        _refuse_delivered(idempotency.came_first(context.database, claimed))
        raise


def add_local(context: Context, *, grant: Grant, request_id: str) -> NewKey:
    """Make any key for whoever holds the machine, audited as operator."""
    return _insert(context, access.operator(request_id=request_id), _check(grant, now=context.clock()))


def page(context: Context, principal: Principal, *, before_id: str | None, limit: int) -> list[ApiKeyRow]:
    """Up to `limit` keys, newest first."""
    access.allow(principal, "api_keys.manage")
    with context.database.read() as read:
        return api_keys.page(read, before_id=before_id, limit=limit)


def show(context: Context, principal: Principal, *, key_id: str) -> ApiKeyRow:
    """One key, without its secret."""
    access.allow(principal, "api_keys.manage")
    with context.database.read() as read:
        return _found(read, key_id)


def rotate(context: Context, principal: Principal, *, key_id: str, idempotency_key: str | None = None) -> NewKey:
    """Make the successor of a key, with the same rights; both live on for a week, or until the older is deleted.

    TwoLiveKeys if a successor is alive already; GrantExceedsOwn as for a new key; AlreadyDelivered when repeated.
    """
    access.allow(principal, "api_keys.manage")
    asked = idempotency.definite_form(key_id=key_id)
    claimed = idempotency.claim(principal, idempotency_key, operation="api_keys.rotate", request=asked)
    try:
        with context.database.write() as write:
            return _rotate(write, principal, key_id=key_id, claimed=claimed, now=context.clock())
    except AlreadyThere:
        # The same Idempotency-Key came at once for another key, and the other was faster.
        _refuse_delivered(idempotency.came_first(context.database, claimed))
        raise


def delete(context: Context, principal: Principal, *, key_id: str) -> None:
    """End a key at once; what it did stays in the record."""
    access.allow(principal, "api_keys.manage")
    now = context.clock()
    with context.database.write() as write:
        row = _found(write, key_id)
        if api_keys.end(write, row.id, now=now):
            _record(write, principal, row, action="api_key.deleted", now=now)


def insert_key(write: Write, *, grant: Grant, secret: str, principal: Principal, now: datetime) -> ApiKeyRow:
    """Store a key in the caller's transaction, with its audit entry."""
    row = _row(grant, secret, created_by=principal.name, now=now)
    api_keys.insert(write, row)
    _record(write, principal, row, action="api_key.added", now=now)
    return row


def _insert(context: Context, principal: Principal, grant: Grant, *, claimed: Claim | None = None) -> NewKey:
    secret, now = credential.new(), context.clock()
    with context.database.write() as write:
        row = insert_key(write, grant=grant, secret=secret, principal=principal, now=now)
        idempotency.record(write, claimed, kind="api_key", object_id=row.id, now=now)
    return NewKey(row=row, key=secret)


def _rotate(write: Write, principal: Principal, *, key_id: str, claimed: Claim | None, now: datetime) -> NewKey:
    old = _found(write, key_id)
    live = api_keys.live_in_lineage(write, old.lineage, now=now)
    # The line is held: of two at once, the second finds here what the first did.
    _refuse_delivered(idempotency.earlier(write, claimed))
    _refuse_excess(principal, _grant_of(old))
    if old.id not in {row.id for row in live}:
        raise ApiKeyNotFound("this API key has ended")
    if len(live) > 1:
        raise TwoLiveKeys("two keys of this rotation are alive already")
    secret = credential.new()
    row = replace(
        _row(_grant_of(old), secret, created_by=principal.name, now=now),
        lineage=old.lineage,
        # After its predecessors and a successor that was deleted, if there was one.
        position=len(api_keys.lineage_ids(write, old.lineage, up_to_position=_LAST)),
    )
    api_keys.insert(write, row)
    api_keys.end(write, old.id, now=now + OVERLAP)
    _record(write, principal, row, action="api_key.rotated", now=now)
    idempotency.record(write, claimed, kind="api_key", object_id=row.id, now=now)
    return NewKey(row=row, key=secret)


def _refuse_delivered(earlier: IdempotencyRow | None) -> None:
    if earlier is not None:
        raise AlreadyDelivered("the API key for this Idempotency-Key was handed out")


def _row(grant: Grant, secret: str, *, created_by: str, now: datetime) -> ApiKeyRow:
    key_id = new_id()
    return ApiKeyRow(
        id=key_id,
        name=grant.name,
        key_sha256=credential.hash_of(secret),
        prefix_hint=credential.hint_of(secret),
        scopes=grant.scopes,
        mailboxes=grant.mailboxes,
        cidrs=grant.cidrs,
        expires_at=grant.expires_at,
        created_at=now,
        created_by=created_by,
        last_used_at=None,
        ended_at=None,
        lineage=key_id,
        position=0,
    )


def _grant_of(row: ApiKeyRow) -> Grant:
    return Grant(name=row.name, scopes=row.scopes, mailboxes=row.mailboxes, cidrs=row.cidrs, expires_at=row.expires_at)


def _check(grant: Grant, *, now: datetime) -> Grant:
    """The grant in definite form: scopes that exist, patterns and networks as they are compared, a future expiry."""
    for scope in grant.scopes:
        if scope not in SCOPES:
            raise ScopeUnknown(
                f"there is no scope {scope[:40]!r}; the scopes are {', '.join(SCOPES)}", pointers=("/scopes",)
            )
    if grant.expires_at is not None and grant.expires_at <= now:
        raise ExpiryRefused("the expiry lies in the past", pointers=("/expires_at",))
    _refuse_name(grant.name)
    return replace(
        grant,
        scopes=tuple(scope for scope in SCOPES if scope in grant.scopes),
        mailboxes=tuple(dict.fromkeys(str(MailboxPattern.parse(text)) for text in grant.mailboxes)),
        cidrs=tuple(dict.fromkeys(_network(text) for text in grant.cidrs)),
    )


def _refuse_name(name: str) -> None:
    """A name stands in the record, where it must not pass for somebody else or hide what it is."""
    if not name.isprintable() or name != name.strip() or not name or name in _TAKEN:
        raise NameRefused("the name is empty, too long, or not plain printable text", pointers=("/name",))


def _network(text: str) -> str:
    try:
        network = ipaddress.ip_network(text)
    except ValueError:
        raise NetworkMalformed(f"{text[:60]!r} is not a network", pointers=("/cidrs",)) from None
    if isinstance(network, ipaddress.IPv6Network) and network.network_address.ipv4_mapped is not None:
        # Callers are compared by their IPv4 address, which such a network would never hold.
        raise NetworkMalformed(f"{text[:60]!r} is to be written as an IPv4 network", pointers=("/cidrs",))
    return str(network)


def _refuse_excess(principal: Principal, grant: Grant) -> None:
    """Nobody grants a scope, a mailbox or a network that they lack themselves."""
    lacking = [scope for scope in grant.scopes if scope not in principal.scopes]
    if lacking:
        raise GrantExceedsOwn(f"your own key lacks the scope {lacking[0]}", pointers=("/scopes",))
    if principal.kind == "operator":
        return
    if principal.cidrs and not (grant.cidrs and all(_lies_in(cidr, principal.cidrs) for cidr in grant.cidrs)):
        raise GrantExceedsOwn(
            "your own key is bound to networks, and this one is not within them", pointers=("/cidrs",)
        )
    for text in grant.mailboxes:
        wanted = MailboxPattern.parse(text)
        if not any(own.covers_pattern(wanted) for own in principal.mailboxes):
            raise GrantExceedsOwn(f"your own key is not for {text}", pointers=("/mailboxes",))


def _lies_in(cidr: str, bounds: Iterable[str]) -> bool:
    inner = ipaddress.ip_network(cidr)
    for bound in bounds:
        outer = ipaddress.ip_network(bound)
        if inner.version == outer.version and outer.supernet_of(inner):  # type: ignore[arg-type]  # of one version
            return True
    return False


def _found(read: Read, key_id: str) -> ApiKeyRow:
    row = api_keys.find(read, key_id)
    if row is None:
        raise ApiKeyNotFound("there is no such API key")
    return row


def _record(write: Write, principal: Principal, row: ApiKeyRow, *, action: str, now: datetime) -> None:
    audit.insert(
        write,
        audit.entry(
            principal,
            at=now,
            action=action,
            object_kind="api_key",
            object_id=row.id,
            details={"name": row.name, "scopes": " ".join(row.scopes), "mailboxes": " ".join(row.mailboxes)},
        ),
    )

"""Who is asking now, and whether they may."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Final, Literal

from db import api_keys
from db.api_keys import ApiKeyRow
from formats.mailbox import Mailbox, MailboxPattern
from services.authority import MATRIX, SCOPES, Rule
from services.context import Context
from services.credential import hash_of, is_well_formed
from services.errors import CredentialRefused, MailboxNotAllowed, Overloaded, ScopeMissing

LAST_USE_EVERY: Final = timedelta(hours=1)
_KEYS: Final = frozenset({"api_key", "operator"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Principal:
    """Who is asking: an API key, the operator at the machine, one of our own jobs, or the person a link was mailed to.

    `request_id` names this request.

    `lineage` are the ids of the key and its predecessors in rotation.
    """

    kind: Literal["api_key", "operator", "job", "link"]
    id: str | None
    name: str
    scopes: frozenset[str]
    mailboxes: tuple[MailboxPattern, ...]
    lineage: tuple[str, ...]
    request_id: str
    cidrs: tuple[str, ...] = ()
    expires_at: datetime | None = None


def operator(*, request_id: str) -> Principal:
    """Whoever holds the machine: the root of authority, without HTTP."""
    return Principal(
        kind="operator",
        id=None,
        name="operator",
        scopes=frozenset(SCOPES),
        mailboxes=(),
        lineage=(),
        request_id=request_id,
    )


def job(name: str, *, request_id: str) -> Principal:
    """One of our own jobs, which acts for nobody and holds no scope."""
    return Principal(
        kind="job", id=None, name=name, scopes=frozenset(), mailboxes=(), lineage=(), request_id=request_id
    )


def link(enrolment_id: str, *, mailbox: Mailbox, request_id: str) -> Principal:
    """Whoever reads a mailbox, as a mailed link proves: may have, see and end certificates of that mailbox alone."""
    return Principal(
        kind="link",
        id=enrolment_id,
        name=str(mailbox),
        scopes=frozenset({"certificates:read", "certificates:issue", "certificates:revoke"}),
        mailboxes=(MailboxPattern.parse(str(mailbox)),),
        lineage=(),
        request_id=request_id,
    )


def authenticate(context: Context, secret: str | None, *, address: str | None, request_id: str) -> Principal:
    """Find the principal of a bearer credential; one refusal for unknown, expired, ended and wrong network."""
    if secret is None or not is_well_formed(secret):
        raise CredentialRefused("no valid credential was given")
    now = context.clock()
    found = api_keys.find_with_lineage(context.database, hash_of(secret))
    if found is None or not _counts(found[0], now=now, address=address):
        raise CredentialRefused("no valid credential was given")
    row, lineage = found
    if row.last_used_at is None or now - row.last_used_at >= LAST_USE_EVERY:
        _note_use(context, row.id, now=now)
    return Principal(
        kind="api_key",
        id=row.id,
        name=row.name,
        scopes=frozenset(row.scopes),
        mailboxes=_patterns(row.mailboxes),
        lineage=lineage,
        request_id=request_id,
        cidrs=row.cidrs,
        expires_at=row.expires_at,
    )


@lru_cache(maxsize=1024)
def _patterns(texts: tuple[str, ...]) -> tuple[MailboxPattern, ...]:
    """Remembered by what they say, so that each call reads its key's row and none parses it again."""
    return tuple(MailboxPattern.parse(text) for text in texts)


def _note_use(context: Context, key_id: str, *, now: datetime) -> None:
    """Let the journal note it; a journal that is full is no reason to refuse a caller."""
    with suppress(Overloaded):
        context.journal.submit(lambda write: api_keys.touch(write, key_id, now=now))


def _counts(row: ApiKeyRow, *, now: datetime, address: str | None) -> bool:
    if row.ended_at is not None and row.ended_at <= now:
        return False
    if row.expires_at is not None and row.expires_at <= now:
        return False
    return not row.cidrs or _in_networks(address, row.cidrs)


def _in_networks(address: str | None, cidrs: Iterable[str]) -> bool:
    try:
        host = ipaddress.ip_address(address or "")
    except ValueError:
        return False
    if isinstance(host, ipaddress.IPv6Address) and host.ipv4_mapped is not None:
        host = host.ipv4_mapped
    return any(host in ipaddress.ip_network(cidr) for cidr in cidrs)


def allow(principal: Principal, operation: str, *, mailboxes: Iterable[Mailbox] = ()) -> None:
    """Refuse with ScopeMissing or MailboxNotAllowed unless the principal may do this for all these mailboxes."""
    rule = MATRIX[operation]
    if not _may(principal, rule):
        raise ScopeMissing(f"this call needs the scope {rule.scope}" if rule.scope else "this call needs an API key")
    if rule.bound:
        for mailbox in mailboxes:
            if not covers(principal, mailbox):
                raise MailboxNotAllowed(f"this key is not for {mailbox}")


def may(principal: Principal, operation: str) -> bool:
    """Whether the principal holds the scope that the operation needs."""
    return _may(principal, MATRIX[operation])


def _may(principal: Principal, rule: Rule) -> bool:
    """What needs no scope is for keys: a link and a job may only what they were given."""
    return principal.kind in _KEYS if rule.scope is None else rule.scope in principal.scopes


def covers(principal: Principal, mailbox: Mailbox) -> bool:
    """Whether the principal is for this mailbox; an empty list is for none, and the operator is for all."""
    return principal.kind == "operator" or any(pattern.covers(mailbox) for pattern in principal.mailboxes)


def covers_all(principal: Principal, mailboxes: Iterable[str]) -> bool:
    """Whether a thing with these mailboxes is the principal's: it has some, and all of them are covered."""
    parsed = [Mailbox.parse(text) for text in mailboxes]
    return bool(parsed) and all(covers(principal, mailbox) for mailbox in parsed)


def bounds(principal: Principal) -> tuple[tuple[str | None, str], ...] | None:
    """The mailboxes that bound what the principal reads, in the form that `db` takes; None for no bound."""
    if principal.kind == "operator":
        return None
    return tuple((pattern.local, pattern.domain) for pattern in principal.mailboxes)

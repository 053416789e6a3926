from __future__ import annotations

import re
import threading
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from formats.errors import Refusal
from formats.mailbox import MailboxError
from services import access, api_keys, credential
from services.access import Principal
from services.api_keys import ApiKeyRow, Grant, NewKey
from services.authority import SCOPES
from services.errors import (
    ApiKeyNotFound,
    CredentialRefused,
    ExpiryRefused,
    GrantExceedsOwn,
    NameRefused,
    NetworkMalformed,
    ScopeMissing,
    ScopeUnknown,
    TwoLiveKeys,
)
from tests.campus import Campus
from tests.services.deeds import entries


def grant(**changed: Any) -> Grant:
    asked: dict[str, Any] = {"name": "mailer", "scopes": ("messages:sign",), "mailboxes": ("*@campus.example",)}
    return Grant(**(asked | changed))


def add(campus: Campus, **changed: Any) -> NewKey:
    return api_keys.add(campus.context, campus.admin, grant=grant(**changed))


def enter(campus: Campus, key: str | None, *, address: str | None = "192.0.2.7") -> Principal:
    return access.authenticate(campus.context, key, address=address, request_id="request-1")


def last_use(campus: Campus, key_id: str) -> Any:
    """When the key was used last, once the journal has written what waits."""
    campus.context.journal.submit(lambda _write: None).result(timeout=10)
    return api_keys.show(campus.context, campus.admin, key_id=key_id).last_used_at


# --- making ------------------------------------------------------------------------------------------------------------


def test_a_key_is_shown_once_and_kept_as_a_hash(campus: Campus) -> None:
    made = add(campus)
    assert re.fullmatch(r"ms_live_[0-9A-Za-z]{49}", made.key)
    row = api_keys.show(campus.context, campus.admin, key_id=made.row.id)
    assert row == made.row
    assert row.key_sha256 == credential.hash_of(made.key)
    assert made.key not in repr(made) + repr(row) + repr(entries(campus))


def test_keys_are_never_the_same() -> None:
    assert len({credential.new() for _ in range(100)}) == 100


def test_records_who_made_it_and_what_for(campus: Campus) -> None:
    made = add(campus)
    (entry,) = entries(campus, object_id=made.row.id)
    assert (entry.action, entry.actor_id) == ("api_key.added", campus.admin.id)
    assert entry.details == {"name": "mailer", "scopes": "messages:sign", "mailboxes": "*@campus.example"}


def test_a_grant_is_kept_in_definite_form(campus: Campus) -> None:
    row = add(
        campus,
        scopes=("messages:verify", "certificates:read", "messages:verify"),
        mailboxes=("*@CAMPUS.example", "*@campus.example"),
        cidrs=("192.0.2.0/24", "2001:db8::/32", "192.0.2.0/24"),
    ).row
    assert row.scopes == ("certificates:read", "messages:verify")
    assert row.mailboxes == ("*@campus.example",)
    assert row.cidrs == ("192.0.2.0/24", "2001:db8::/32")


@pytest.mark.parametrize(
    ("asked", "refusal"),
    [
        ({"scopes": ("root",)}, ScopeUnknown),
        ({"mailboxes": ("nobody",)}, MailboxError),
        ({"mailboxes": ("*",)}, MailboxError),
        ({"mailboxes": ("*@elsewhere.example",)}, GrantExceedsOwn),
        ({"mailboxes": ("*@dept.campus.example",)}, GrantExceedsOwn),
        ({"cidrs": ("192.0.2.1/24",)}, NetworkMalformed),
        ({"cidrs": ("anywhere",)}, NetworkMalformed),
    ],
)
def test_refuses_and_stores_nothing(campus: Campus, asked: dict[str, Any], refusal: type[Refusal]) -> None:
    with pytest.raises(refusal):
        add(campus, **asked)
    assert api_keys.page(campus.context, campus.admin, before_id=None, limit=10) == []


def test_refuses_an_expiry_that_is_over(campus: Campus) -> None:
    with pytest.raises(ExpiryRefused):
        add(campus, expires_at=campus.clock())


def test_nobody_grants_what_they_lack(campus: Campus) -> None:
    dean = campus.principal("admin", "messages:sign", mailboxes=("dean@campus.example",))
    api_keys.add(campus.context, dean, grant=grant(mailboxes=("dean@campus.example",)))
    for excess in (
        {"scopes": ("audit:read",)},
        {"mailboxes": ("*@campus.example",)},
        {"mailboxes": ("x@campus.example",)},
    ):
        with pytest.raises(GrantExceedsOwn):
            api_keys.add(campus.context, dean, grant=grant(**({"mailboxes": ()} | excess)))


def test_only_an_administrator_manages_keys(campus: Campus) -> None:
    other = campus.principal(*(scope for scope in SCOPES if scope != "admin"))
    made = add(campus)
    for act in (
        lambda: api_keys.add(campus.context, other, grant=grant()),
        lambda: api_keys.page(campus.context, other, before_id=None, limit=10),
        lambda: api_keys.show(campus.context, other, key_id=made.row.id),
        lambda: api_keys.rotate(campus.context, other, key_id=made.row.id),
        lambda: api_keys.delete(campus.context, other, key_id=made.row.id),
    ):
        with pytest.raises(ScopeMissing):
            act()


def test_whoever_holds_the_machine_makes_any_key_on_the_record(campus: Campus) -> None:
    made = api_keys.add_local(
        campus.context, grant=grant(scopes=SCOPES, mailboxes=("*@elsewhere.example",)), request_id="local-1"
    )
    (entry,) = entries(campus, object_id=made.row.id)
    assert (entry.actor_kind, entry.actor_id, entry.request_id) == ("operator", None, "local-1")


# --- entering ----------------------------------------------------------------------------------------------------------


def test_a_key_brings_its_row(campus: Campus) -> None:
    made = add(campus)
    caller = enter(campus, made.key)
    assert (caller.kind, caller.id, caller.name, caller.request_id) == ("api_key", made.row.id, "mailer", "request-1")
    assert caller.scopes == {"messages:sign"}
    assert [str(pattern) for pattern in caller.mailboxes] == ["*@campus.example"]
    assert caller.lineage == (made.row.id,)


def test_every_credential_that_does_not_count_gets_one_answer(campus: Campus) -> None:
    soon = add(campus, expires_at=campus.clock() + timedelta(hours=1))
    ended, bound = add(campus), add(campus, cidrs=("198.51.100.0/24",))
    api_keys.delete(campus.context, campus.admin, key_id=ended.row.id)
    campus.clock.advance(timedelta(hours=1))
    wrong = [None, "", "ms_live_", "ms_live_" + "0" * 49, ended.key + "x", "\udcff", soon.key, ended.key, bound.key]
    answers = set()
    for secret in wrong:
        with pytest.raises(CredentialRefused) as caught:
            enter(campus, secret)
        answers.add((type(caught.value), caught.value.detail))
    assert len(answers) == 1


def test_a_key_counts_until_it_expires(campus: Campus) -> None:
    made = add(campus, expires_at=campus.clock() + timedelta(hours=1))
    campus.clock.advance(timedelta(minutes=59))
    assert enter(campus, made.key).expires_at == made.row.expires_at


@pytest.mark.parametrize(
    ("address", "enters"),
    [
        ("192.0.2.7", True),
        ("::ffff:192.0.2.7", True),
        ("2001:db8::1", True),
        ("192.0.3.7", False),
        ("2001:db9::1", False),
        ("localhost", False),
        (None, False),
    ],
)
def test_a_key_counts_in_its_networks_only(campus: Campus, address: str | None, enters: bool) -> None:
    made = add(campus, cidrs=("192.0.2.0/24", "2001:db8::/32"))
    if enters:
        assert enter(campus, made.key, address=address).id == made.row.id
    else:
        with pytest.raises(CredentialRefused):
            enter(campus, made.key, address=address)


def test_last_use_is_noted_at_most_hourly(campus: Campus) -> None:
    made, first = add(campus), campus.clock()
    assert last_use(campus, made.row.id) is None
    enter(campus, made.key)
    assert last_use(campus, made.row.id) == first
    campus.clock.advance(timedelta(minutes=59))
    enter(campus, made.key)
    assert last_use(campus, made.row.id) == first
    second = campus.clock.advance(timedelta(minutes=1))
    enter(campus, made.key)
    assert last_use(campus, made.row.id) == second


# --- rotating and ending -------------------------------------------------------------------------------------------------


def test_after_a_rotation_two_keys_live_with_the_same_rights(campus: Campus) -> None:
    old = add(campus, cidrs=("192.0.2.0/24",))
    new = api_keys.rotate(campus.context, campus.admin, key_id=old.row.id)
    assert new.key != old.key
    assert rights(new.row) == rights(old.row)
    assert enter(campus, old.key).lineage == (old.row.id,)
    assert enter(campus, new.key).lineage == (old.row.id, new.row.id)


def rights(row: ApiKeyRow) -> tuple[object, ...]:
    return row.name, row.scopes, row.mailboxes, row.cidrs, row.expires_at


def test_the_older_key_of_a_rotation_ends_after_a_week(campus: Campus) -> None:
    old = add(campus)
    new = api_keys.rotate(campus.context, campus.admin, key_id=old.row.id)
    campus.clock.advance(timedelta(days=7))
    with pytest.raises(CredentialRefused):
        enter(campus, old.key)
    assert enter(campus, new.key).id == new.row.id


def test_there_are_never_three_live_keys(campus: Campus) -> None:
    old = add(campus)
    new = api_keys.rotate(campus.context, campus.admin, key_id=old.row.id)
    for row in (old.row, new.row):
        with pytest.raises(TwoLiveKeys):
            api_keys.rotate(campus.context, campus.admin, key_id=row.id)
    api_keys.delete(campus.context, campus.admin, key_id=old.row.id)
    third = api_keys.rotate(campus.context, campus.admin, key_id=new.row.id)
    assert enter(campus, third.key).lineage == (old.row.id, new.row.id, third.row.id)


def test_a_successor_that_was_deleted_can_be_made_again(campus: Campus) -> None:
    old = add(campus)
    lost = api_keys.rotate(campus.context, campus.admin, key_id=old.row.id)
    api_keys.delete(campus.context, campus.admin, key_id=lost.row.id)
    again = api_keys.rotate(campus.context, campus.admin, key_id=old.row.id)
    assert enter(campus, again.key).id == again.row.id


def test_rotated_by_two_at_once_there_is_one_successor(campus: Campus) -> None:
    old, outcomes, start = add(campus), list[str](), threading.Barrier(2)

    def rotate() -> None:
        start.wait()
        try:
            api_keys.rotate(campus.context, campus.admin, key_id=old.row.id)
            outcomes.append("made")
        except TwoLiveKeys:
            outcomes.append("refused")

    threads = [threading.Thread(target=rotate) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcomes) == ["made", "refused"]


def test_a_key_with_more_rights_than_ones_own_is_not_rotated(campus: Campus) -> None:
    made = add(campus)
    with pytest.raises(GrantExceedsOwn):
        api_keys.rotate(campus.context, campus.principal("admin"), key_id=made.row.id)


def test_a_key_that_has_ended_or_never_was_is_not_rotated(campus: Campus) -> None:
    made = add(campus)
    api_keys.delete(campus.context, campus.admin, key_id=made.row.id)
    for key_id in (made.row.id, "nobody"):
        with pytest.raises(ApiKeyNotFound):
            api_keys.rotate(campus.context, campus.admin, key_id=key_id)


def test_a_deleted_key_stays_in_the_list_and_is_deleted_once(campus: Campus) -> None:
    made = add(campus)
    for _ in range(2):
        api_keys.delete(campus.context, campus.admin, key_id=made.row.id)
    (row,) = api_keys.page(campus.context, campus.admin, before_id=None, limit=10)
    assert row.ended_at == campus.clock()
    assert [entry.action for entry in entries(campus, object_id=row.id)] == ["api_key.added", "api_key.deleted"]
    with pytest.raises(ApiKeyNotFound):
        api_keys.delete(campus.context, campus.admin, key_id="nobody")


@pytest.mark.parametrize("name", ["", " ", "a\nb", "a\u202eb", " a", "operator"])
def test_a_name_that_could_deceive_is_refused(campus: Campus, name: str) -> None:
    with pytest.raises(NameRefused):
        api_keys.add(campus.context, campus.admin, grant=Grant(name=name, scopes=(), mailboxes=()))


def test_a_key_bound_to_networks_grants_only_within_them(campus: Campus) -> None:
    bound = replace(campus.admin, cidrs=("192.0.2.0/24", "2001:db8::/32"))

    def add(*cidrs: str) -> None:
        api_keys.add(campus.context, bound, grant=Grant(name="child", scopes=(), mailboxes=(), cidrs=cidrs))

    add("192.0.2.128/25", "2001:db8:1::/48")
    for wider in ((), ("0.0.0.0/0",), ("192.0.2.0/24", "198.51.100.0/24"), ("2001::/16",)):
        with pytest.raises(GrantExceedsOwn):
            add(*wider)


def test_an_ipv4_network_is_written_as_one(campus: Campus) -> None:
    grant = Grant(name="child", scopes=(), mailboxes=(), cidrs=("::ffff:127.0.0.0/104",))
    with pytest.raises(NetworkMalformed):
        api_keys.add(campus.context, campus.admin, grant=grant)

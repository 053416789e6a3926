from __future__ import annotations

from dataclasses import replace

import pytest

from formats.mailbox import Mailbox, MailboxPattern
from services import access
from services.access import Principal
from services.authority import MATRIX, SCOPES
from services.errors import MailboxNotAllowed, ScopeMissing

OWN, FOREIGN = Mailbox.parse("a@campus.example"), Mailbox.parse("a@dept.campus.example")
CALLER = Principal(
    kind="api_key",
    id="k",
    name="k",
    scopes=frozenset(SCOPES),
    mailboxes=(MailboxPattern.parse("*@campus.example"), MailboxPattern.parse("b@cuhk.example")),
    lineage=("k",),
    request_id="r",
)


def test_every_operation_needs_a_scope_that_exists_but_for_what_any_key_may() -> None:
    assert {rule.scope for rule in MATRIX.values()} - {None} <= set(SCOPES)
    assert {name for name, rule in MATRIX.items() if rule.scope is None} == {"me.show", "audit.own"}


def test_what_names_or_returns_a_mailbox_is_bound_to_the_keys_mailboxes() -> None:
    unbound = {name for name, rule in MATRIX.items() if not rule.bound}
    assert unbound == {
        "me.show",
        "messages.verify",
        "messages.verify_custom",
        "messages.encrypt",
        "recipients.list",
        "api_keys.manage",
        "audit.own",
        "audit.all",
    }


@pytest.mark.parametrize("operation", MATRIX)
@pytest.mark.parametrize("scope", SCOPES)
def test_each_scope_alone_allows_exactly_its_operations(operation: str, scope: str) -> None:
    caller = replace(CALLER, scopes=frozenset({scope}))
    if MATRIX[operation].scope in {None, scope}:
        access.allow(caller, operation, mailboxes=[OWN])
        assert access.may(caller, operation)
    else:
        with pytest.raises(ScopeMissing):
            access.allow(caller, operation, mailboxes=[OWN])
        assert not access.may(caller, operation)


@pytest.mark.parametrize("operation", MATRIX)
def test_a_foreign_mailbox_is_refused_wherever_mailboxes_bound(operation: str) -> None:
    if MATRIX[operation].bound:
        with pytest.raises(MailboxNotAllowed):
            access.allow(CALLER, operation, mailboxes=[OWN, FOREIGN])
    else:
        access.allow(CALLER, operation, mailboxes=[OWN, FOREIGN])


def test_the_scope_is_looked_at_before_the_mailbox() -> None:
    with pytest.raises(ScopeMissing):
        access.allow(replace(CALLER, scopes=frozenset()), "certificates.issue", mailboxes=[FOREIGN])


def test_an_operation_outside_the_matrix_is_refused() -> None:
    with pytest.raises(KeyError):
        access.allow(CALLER, "certificates.forge")


def test_no_mailboxes_means_none() -> None:
    nobody = replace(CALLER, mailboxes=())
    assert not access.covers(nobody, OWN)
    assert access.bounds(nobody) == ()


def test_a_domain_does_not_cover_its_sub_domains_and_an_address_only_itself() -> None:
    assert access.covers(CALLER, OWN)
    assert not access.covers(CALLER, FOREIGN)
    assert access.covers(CALLER, Mailbox.parse("B@cuhk.example"))
    assert not access.covers(CALLER, Mailbox.parse("c@cuhk.example"))


def test_a_thing_is_ones_own_only_with_all_its_mailboxes_and_never_without_any() -> None:
    assert access.covers_all(CALLER, [str(OWN), "b@cuhk.example"])
    assert not access.covers_all(CALLER, [str(OWN), str(FOREIGN)])
    assert not access.covers_all(CALLER, [])


def test_bounds_are_what_the_database_takes() -> None:
    assert access.bounds(CALLER) == ((None, "campus.example"), ("b", "cuhk.example"))


def test_the_operator_holds_every_scope_and_is_bound_by_no_mailbox() -> None:
    who = access.operator(request_id="r")
    for operation in MATRIX:
        access.allow(who, operation, mailboxes=[OWN, FOREIGN])
    assert access.bounds(who) is None


def test_a_job_holds_no_scope_and_no_mailbox() -> None:
    who = access.job("crl:g1", request_id="r")
    assert not any(access.may(who, name) for name, rule in MATRIX.items() if rule.scope is not None)
    assert access.bounds(who) == ()

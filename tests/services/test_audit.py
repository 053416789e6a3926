from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from services import access, api_keys, audit
from services.access import Principal
from services.api_keys import Grant
from services.audit import Filter
from services.errors import AuditEntryNotFound, ScopeMissing
from tests.campus import Campus
from tests.services.deeds import ALICE, entries, issue, revoke


def actions(campus: Campus, who: Principal, **narrowed: object) -> list[str]:
    wanted = Filter(**narrowed)  # type: ignore[arg-type]  # the test says what it means
    return [row.action for row in audit.page(campus.context, who, narrowed=wanted, before_id=None, limit=100)]


def test_an_auditor_sees_everybodys_entries_newest_first(campus: Campus) -> None:
    serial = issue(campus).serial
    revoke(campus, serial)
    auditor = campus.principal("audit:read", mailboxes=())
    assert actions(campus, auditor, object_id=serial) == [
        "certificate.revoked",
        "certificate.issued",
        "certificate.intended",
    ]
    assert "authority.founded" in actions(campus, auditor)


def test_without_the_scope_a_key_sees_its_own_entries_only(campus: Campus) -> None:
    department = campus.principal("certificates:issue")
    issue(campus)
    issue(campus, "bob@campus.example", by=department)
    assert actions(campus, department) == ["certificate.issued", "certificate.intended"]
    assert actions(campus, campus.principal("certificates:issue")) == []
    with pytest.raises(ScopeMissing):
        actions(campus, access.job("crl:g1", request_id="j"))


def test_a_key_sees_what_its_predecessors_in_rotation_did_but_not_its_successors(campus: Campus) -> None:
    grant = Grant(name="k", scopes=("certificates:issue",), mailboxes=("*@campus.example",))
    old = api_keys.add(campus.context, campus.admin, grant=grant)
    new = api_keys.rotate(campus.context, campus.admin, key_id=old.row.id)
    first, second = (access.authenticate(campus.context, made.key, address=None, request_id="r") for made in (old, new))
    issue(campus, by=first)
    issue(campus, by=second)
    assert len(actions(campus, first)) == 2
    assert len(actions(campus, second)) == 4


def test_shows_an_entry_only_to_whom_it_is_listed(campus: Campus) -> None:
    department = campus.principal("certificates:issue")
    issue(campus, by=department)
    entry = entries(campus, action="certificate.issued")[0]
    for who in (department, campus.principal("audit:read")):
        assert audit.show(campus.context, who, entry_id=entry.id) == entry
    for who, entry_id in ((campus.principal("admin"), entry.id), (department, "nobody"), (campus.admin, "nobody")):
        with pytest.raises(AuditEntryNotFound):
            audit.show(campus.context, who, entry_id=entry_id)


def test_an_operators_or_jobs_entry_is_nobodys_own(campus: Campus) -> None:
    founded = entries(campus, action="authority.founded")[0]
    keyless = replace(campus.principal("admin"), id=None, lineage=())
    with pytest.raises(AuditEntryNotFound):
        audit.show(campus.context, keyless, entry_id=founded.id)


def test_finds_by_what_is_asked(campus: Campus) -> None:
    first = issue(campus, by=replace(campus.admin, request_id="first")).serial
    start = campus.clock.advance(timedelta(hours=1))
    issue(campus, "bob@campus.example", by=replace(campus.admin, request_id="second"))
    assert len(actions(campus, campus.admin, mailbox=ALICE.upper().replace("CAMPUS.EXAMPLE", "campus.example"))) == 2
    assert len(actions(campus, campus.admin, request_id="second")) == 2
    assert len(actions(campus, campus.admin, action="certificate.issued")) == 2
    assert len(actions(campus, campus.admin, object_kind="certificate", object_id=first)) == 2
    assert len(actions(campus, campus.admin, since=start)) == 2
    assert len(actions(campus, campus.admin, object_kind="certificate", until=start)) == 2


def test_goes_on_where_the_page_before_ended(campus: Campus) -> None:
    issue(campus)
    everything = audit.page(campus.context, campus.admin, narrowed=Filter(), before_id=None, limit=100)
    first = audit.page(campus.context, campus.admin, narrowed=Filter(), before_id=None, limit=2)
    rest = audit.page(campus.context, campus.admin, narrowed=Filter(), before_id=first[-1].id, limit=100)
    assert [*first, *rest] == everything

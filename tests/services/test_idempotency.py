"""The four cases of an Idempotency-Key for all that changes something; issuing has its own in test_certificates."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

import pytest

from db import idempotency as keys
from db.idempotency import IdempotencyRow
from formats.errors import Refusal
from formats.mailbox import Mailbox
from formats.serial import Serial
from services import api_keys, identities, intents, revocation
from services.access import Principal
from services.api_keys import Grant
from services.errors import (
    AlreadyDelivered,
    AlreadyRevoked,
    IdempotencyKeyMalformed,
    IdempotencyMismatch,
    IdentityKeysDiffer,
    InProgress,
    NotCompleted,
)
from services.revocation import Cause
from tests.campus import Campus
from tests.services.deeds import (
    ALICE,
    NOTICES,
    Ended,
    add_identity,
    ending,
    entries,
    issue,
    row_of,
    rows,
    slow,
)

OTHER: Final = Mailbox.parse("library@campus.example")
SUPERSEDED: Final = Cause(reason="superseded")


@dataclass(frozen=True, kw_only=True)
class Deed:
    """Something that is done to a thing, by its name, under a key: `prepare` gives a thing to do it to."""

    prepare: Callable[[Campus, Mailbox], str]
    do: Callable[[Campus, str, str | None, Principal | None], object]
    action: str
    is_secret: bool = False

    def __call__(self, campus: Campus, thing: str, *, key: str | None = "once", by: Principal | None = None) -> Any:
        return self.do(campus, thing, key, by)


def add(campus: Campus, mailbox: str, key: str | None = "once", by: Principal | None = None, **kinds: str) -> Any:
    wanted = {"key": "p256", "encryption_key": "p256", **kinds}
    view, made = identities.add(
        campus.context, by or campus.admin, mailbox=Mailbox.parse(mailbox), idempotency_key=key, **wanted
    )
    return view, made


def renew(campus: Campus, mailbox: str, key: str | None = "once", by: Principal | None = None) -> Any:
    return identities.renew(campus.context, by or campus.admin, mailbox=Mailbox.parse(mailbox), idempotency_key=key)


def end_identity(campus: Campus, mailbox: str, key: str | None = "once", by: Principal | None = None) -> Any:
    return identities.revoke(
        campus.context, by or campus.admin, mailbox=Mailbox.parse(mailbox), cause=SUPERSEDED, idempotency_key=key
    )


def end_certificate(
    campus: Campus, serial: str, key: str | None = "once", by: Principal | None = None, *, cause: Cause = SUPERSEDED
) -> Any:
    return revocation.revoke(
        campus.context, by or campus.admin, serial=Serial.parse(serial), cause=cause, idempotency_key=key
    )


def add_key(campus: Campus, name: str, key: str | None = "once", by: Principal | None = None) -> Any:
    grant = Grant(name=name, scopes=("messages:sign",), mailboxes=())
    return api_keys.add(campus.context, by or campus.admin, grant=grant, idempotency_key=key)


def rotate_key(campus: Campus, key_id: str, key: str | None = "once", by: Principal | None = None) -> Any:
    return api_keys.rotate(campus.context, by or campus.admin, key_id=key_id, idempotency_key=key)


def an_identity(campus: Campus, mailbox: Mailbox) -> str:
    return add_identity(campus, mailbox).mailbox


DEEDS: Final = {
    "identities.add": Deed(prepare=lambda _, mailbox: str(mailbox), do=add, action="identity.added"),
    "identities.renew": Deed(prepare=an_identity, do=renew, action="identity.renewed"),
    "identities.revoke": Deed(prepare=an_identity, do=end_identity, action="identity.revoked"),
    "certificates.revoke": Deed(
        prepare=lambda campus, mailbox: issue(campus, str(mailbox)).serial,
        do=end_certificate,
        action="certificate.revoked",
    ),
    "api_keys.add": Deed(prepare=lambda _, mailbox: mailbox.local, do=add_key, action="api_key.added", is_secret=True),
    "api_keys.rotate": Deed(
        prepare=lambda campus, mailbox: add_key(campus, mailbox.local, None).row.id,
        do=rotate_key,
        action="api_key.rotated",
        is_secret=True,
    ),
}
deeds = pytest.mark.parametrize("deed", [pytest.param(deed, id=name) for name, deed in DEEDS.items()])


def times(campus: Campus, deed: Deed) -> int:
    return len(entries(campus, action=deed.action))


def stored(campus: Campus, key: str = "once") -> IdempotencyRow | None:
    with campus.context.database.read() as read:
        return keys.find(read, campus.admin.id or "", key)


# --- a repetition ------------------------------------------------------------------------------------------------------
@deeds
def test_what_was_made_is_made_once_and_read_again(campus: Campus, deed: Deed) -> None:
    thing = deed.prepare(campus, NOTICES)
    before = times(campus, deed)
    first = deed(campus, thing)
    for _ in range(2):
        if deed.is_secret:
            with pytest.raises(AlreadyDelivered):
                deed(campus, thing)
        else:
            assert deed(campus, thing) == first
    assert times(campus, deed) == before + 1


@deeds
def test_no_key_means_that_nothing_is_remembered(campus: Campus, deed: Deed) -> None:
    deed(campus, deed.prepare(campus, NOTICES), key=None)
    assert stored(campus) is None


@deeds
def test_a_key_stands_for_one_request(campus: Campus, deed: Deed) -> None:
    thing, other = deed.prepare(campus, NOTICES), deed.prepare(campus, OTHER)
    deed(campus, thing)
    done = times(campus, deed)
    with pytest.raises(IdempotencyMismatch):
        deed(campus, other)
    assert times(campus, deed) == done
    deed(campus, other, key="another")


@deeds
def test_a_key_stands_for_one_operation(campus: Campus, deed: Deed) -> None:
    thing = deed.prepare(campus, NOTICES)
    issue(campus, ALICE, idempotency_key="once")
    with pytest.raises(IdempotencyMismatch):
        deed(campus, thing)


@deeds
def test_a_key_is_its_callers_own(campus: Campus, deed: Deed) -> None:
    thing, other = deed.prepare(campus, NOTICES), deed.prepare(campus, OTHER)
    deed(campus, thing)
    everything = campus.principal(*campus.admin.scopes)
    deed(campus, other, by=everything)
    assert times(campus, deed) >= 2


@deeds
@pytest.mark.parametrize("key", ["", "with space", "x" * 256])
def test_a_malformed_key_changes_nothing(campus: Campus, deed: Deed, key: str) -> None:
    thing = deed.prepare(campus, NOTICES)
    before = times(campus, deed)
    with pytest.raises(IdempotencyKeyMalformed):
        deed(campus, thing, key=key)
    assert times(campus, deed) == before


def test_what_was_refused_leaves_the_key_free(campus: Campus) -> None:
    serial = issue(campus).serial
    end_certificate(campus, serial, key="first")
    with pytest.raises(AlreadyRevoked):
        end_certificate(campus, serial)
    assert stored(campus) is None
    end_certificate(campus, serial, cause=Cause(reason="keyCompromise"))
    assert row_of(campus, serial).reason == "keyCompromise"


@pytest.mark.parametrize(
    "changed", [Cause(reason="keyCompromise"), Cause(reason="superseded", note="lost")], ids=["reason", "note"]
)
def test_another_cause_is_another_request(campus: Campus, changed: Cause) -> None:
    serial = issue(campus).serial
    end_certificate(campus, serial)
    with pytest.raises(IdempotencyMismatch):
        end_certificate(campus, serial, cause=changed)


def test_a_replay_tells_the_present_truth(campus: Campus) -> None:
    add(campus, str(NOTICES))
    renewed = renew(campus, str(NOTICES), key="renewal")
    view, made = add(campus, str(NOTICES))
    assert (view, made) == (renewed, True)
    end_identity(campus, str(NOTICES), key="end")
    assert add(campus, str(NOTICES))[0].status == "revoked"
    assert renew(campus, str(NOTICES), key="renewal").status == "revoked"
    renew(campus, str(NOTICES), key="again")
    assert end_identity(campus, str(NOTICES), key="end").status == "active"


def test_a_replay_of_an_old_grant_is_a_replay_even_when_the_expiry_has_come(campus: Campus) -> None:
    grant = Grant(name="short", scopes=(), mailboxes=(), expires_at=campus.clock() + timedelta(hours=1))
    api_keys.add(campus.context, campus.admin, grant=grant, idempotency_key="once")
    campus.clock.advance(timedelta(hours=2))
    with pytest.raises(AlreadyDelivered):
        api_keys.add(campus.context, campus.admin, grant=grant, idempotency_key="once")


def test_what_is_found_as_it_is_was_made_by_nobody(campus: Campus) -> None:
    add_identity(campus)
    assert add(campus, str(NOTICES))[1] is False
    assert stored(campus) is None


# --- between the intent and the certificate ----------------------------------------------------------------------------
@pytest.mark.parametrize("name", ["identities.add", "identities.renew"])
def test_while_the_first_is_at_work_the_second_hears_so(campus: Campus, name: str) -> None:
    deed, heard = DEEDS[name], list[type[Refusal]]()
    thing = deed.prepare(campus, NOTICES)
    campus.clock.advance(timedelta(minutes=1))

    def meanwhile() -> None:
        with pytest.raises(Refusal) as refused:
            deed(campus, thing)
        heard.append(type(refused.value))

    before = times(campus, deed)
    first = deed(slow(campus, meanwhile), thing)
    assert heard == [InProgress, InProgress]  # between the two certificates, and after them
    assert deed(campus, thing) == first
    assert times(campus, deed) == before + 1


@pytest.mark.parametrize("name", ["identities.add", "identities.renew"])
def test_what_was_interrupted_is_in_progress_until_it_is_settled(campus: Campus, name: str) -> None:
    deed = DEEDS[name]
    thing = deed.prepare(campus, NOTICES)
    campus.clock.advance(timedelta(minutes=1))
    before = times(campus, deed)
    with pytest.raises(Ended):
        deed(ending(campus), thing)
    with pytest.raises(InProgress):
        deed(campus, thing)
    campus.clock.advance(intents.DEADLINE + timedelta(seconds=1))
    campus.run_jobs()
    assert rows(campus, "intended") == []
    with pytest.raises(NotCompleted):
        deed(campus, thing)
    assert times(campus, deed) == before
    deed(campus, thing, key="another")
    assert times(campus, deed) == before + 1


def test_what_was_interrupted_and_then_made_by_somebody_else_is_found(campus: Campus) -> None:
    with pytest.raises(Ended):
        add(ending(campus), str(NOTICES))
    theirs = add_identity(campus)
    assert add(campus, str(NOTICES)) == (theirs, False)
    campus.clock.advance(intents.DEADLINE + timedelta(seconds=1))
    campus.run_jobs()
    assert add(campus, str(NOTICES)) == (theirs, False)


def test_what_somebody_else_made_of_other_keys_is_refused_as_at_first(campus: Campus) -> None:
    with pytest.raises(Ended):
        add(ending(campus), str(NOTICES), key="once", encryption_key="p384")
    add_identity(campus)
    with pytest.raises(IdentityKeysDiffer):
        add(campus, str(NOTICES), key="once", encryption_key="p384")


def test_renewal_that_somebody_else_overtook_is_answered_alike_each_time(campus: Campus) -> None:
    add_identity(campus)
    theirs = list[identities.IdentityView]()

    def meanwhile() -> None:
        if not theirs:
            campus.clock.advance(timedelta(seconds=1))
            theirs.append(renew(campus, str(NOTICES), key="theirs"))

    first = renew(slow(campus, meanwhile), str(NOTICES), key="ours")
    assert [first] == theirs
    assert renew(campus, str(NOTICES), key="ours") == first
    assert len(entries(campus, action="identity.renewed")) == 1


# --- at once ------------------------------------------------------------------------------------------------------------
@deeds
def test_the_same_request_many_times_at_once_is_done_once(campus: Campus, deed: Deed) -> None:
    thing = deed.prepare(campus, NOTICES)
    before = times(campus, deed)
    outcomes = at_once(*[lambda: deed(campus, thing)] * 4)
    views = [outcome for outcome in outcomes if not isinstance(outcome, Refusal)]
    refusals = {type(outcome) for outcome in outcomes if isinstance(outcome, Refusal)}
    assert refusals <= ({AlreadyDelivered} if deed.is_secret else {InProgress})
    assert len(views) >= 1
    assert len({repr(view) for view in views}) == 1
    assert len(views) == 1 or not deed.is_secret
    assert times(campus, deed) == before + 1


@deeds
def test_two_requests_under_one_key_at_once_are_told_apart(campus: Campus, deed: Deed) -> None:
    things = [deed.prepare(campus, mailbox) for mailbox in (NOTICES, OTHER)]
    before = times(campus, deed)
    outcomes = at_once(*[lambda thing=thing: deed(campus, thing) for thing in things])
    assert sorted(isinstance(outcome, Refusal) for outcome in outcomes) == [False, True]
    (refusal,) = [outcome for outcome in outcomes if isinstance(outcome, Refusal)]
    assert isinstance(refusal, IdempotencyMismatch)
    assert times(campus, deed) == before + 1


def at_once(*calls: Callable[[], object]) -> list[object]:
    """What each gives or refuses, begun together; anything else that is raised is a failure."""
    start, outcomes, lock = threading.Barrier(len(calls)), list[object](), threading.Lock()

    def run(call: Callable[[], object]) -> None:
        outcome: object = None
        start.wait()
        try:
            outcome = call()
        except BaseException as error:  # noqa: BLE001  # the thread that waits looks at it
            outcome = error
        with lock:
            outcomes.append(outcome)

    threads = [threading.Thread(target=run, args=(call,)) for call in calls]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [
        outcome for outcome in outcomes if isinstance(outcome, BaseException) and not isinstance(outcome, Refusal)
    ] == []
    return outcomes

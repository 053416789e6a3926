from __future__ import annotations

import threading
from datetime import timedelta
from typing import Any

import pytest

from ca.errors import ReasonNotAllowed
from db import certificates as table
from db import identities as rows_of_identities
from db import jobs, private_keys
from db.identities import IdentityRow
from formats.algorithms import spki_der
from formats.mailbox import Mailbox
from services import access, custody, identities
from services.errors import (
    AlreadyRevoked,
    CertificateRevoked,
    ChoiceUnknown,
    IdentityKeysDiffer,
    IdentityNotFound,
    IdentityPaused,
    IdentityUnknown,
    MailboxNotAllowed,
    MailDomainRefused,
    ScopeMissing,
)
from services.identities import IdentityView
from services.messages.sign import find_signer
from services.revocation import Cause
from tests.campus import Campus
from tests.services.deeds import NOTICES, Ended, add_identity, ending, entries, revoke, row_of, rows, slow

OTHER = Mailbox.parse("library@campus.example")


def show(campus: Campus) -> IdentityView:
    return identities.show(campus.context, campus.admin, mailbox=NOTICES)


def renew(campus: Campus) -> IdentityView:
    return identities.renew(campus.context, campus.admin, mailbox=NOTICES)


def end(campus: Campus, reason: str = "superseded") -> IdentityView:
    return identities.revoke(campus.context, campus.admin, mailbox=NOTICES, cause=Cause(reason=reason))


def pause(campus: Campus, *, paused: bool = True) -> IdentityView:
    return identities.set_paused(campus.context, campus.admin, mailbox=NOTICES, paused=paused)


def identity_row(campus: Campus, mailbox: Mailbox = NOTICES) -> IdentityRow | None:
    with campus.context.database.read() as read:
        return rows_of_identities.find(read, mailbox.key)


# --- making ------------------------------------------------------------------------------------------------------------


def test_has_two_keys_one_to_sign_and_one_to_decrypt(campus: Campus) -> None:
    view = add_identity(campus)
    assert view.certificate.spki != view.encryption_certificate.spki
    assert view.certificate.key_usage == frozenset({"digitalSignature"})
    assert view.encryption_certificate.key_usage == frozenset({"keyAgreement"})
    for certificate in (view.certificate, view.encryption_certificate):
        assert certificate.mailboxes == (NOTICES,)
        assert "Example University" in certificate.subject
    assert (view.status, view.profile, view.mailbox) == ("active", "role", str(NOTICES))
    assert view.chain == campus.context.issuers.issuing.chain


def test_its_keys_are_kept_under_the_kek_and_fit_the_certificates(campus: Campus) -> None:
    view = add_identity(campus)
    for serial, certificate, purpose in (
        (view.serial, view.certificate, "sign"),
        (view.encryption_serial, view.encryption_certificate, "decrypt"),
    ):
        key_id = row_of(campus, serial).key_id or ""
        with campus.context.database.read() as read:
            held = private_keys.find(read, key_id)
        assert held is not None
        assert (held.owner, held.purpose) == (f"identity:{NOTICES.key}", purpose)
        opened = custody.key_of(campus.context.vault, held)
        assert spki_der(opened.public_key()) == certificate.spki


def test_rsa_of_3072_bits_is_the_default(campus: Campus) -> None:
    view, made = identities.add(campus.context, campus.admin, mailbox=NOTICES, encryption_key="p256")
    row = identity_row(campus)
    assert made
    assert view.certificate.public_key.key_size == 3072  # type: ignore[union-attr]  # an RSA key
    assert row is not None
    assert (row.signing_kind, row.encryption_kind) == ("rsa3072", "p256")


def test_made_twice_it_is_found_as_it_is(campus: Campus) -> None:
    first = add_identity(campus)
    for keys in ({}, {"key": "p256"}, {"encryption_key": "p256"}):
        again, made = identities.add(campus.context, campus.admin, mailbox=NOTICES, **keys)
        assert not made
        assert again == first
    in_capitals = Mailbox.parse("NOTICES@campus.example")
    assert identities.add(campus.context, campus.admin, mailbox=in_capitals) == (first, False)
    assert len(rows(campus, "issued")) == 2


@pytest.mark.parametrize(
    "keys", [{"key": "p384"}, {"encryption_key": "rsa2048"}, {"key": "p256", "encryption_key": "p384"}]
)
def test_with_keys_of_another_kind_it_is_a_conflict(campus: Campus, keys: dict[str, Any]) -> None:
    add_identity(campus)
    with pytest.raises(IdentityKeysDiffer):
        identities.add(campus.context, campus.admin, mailbox=NOTICES, **keys)


def test_made_by_two_at_once_there_is_one(campus: Campus) -> None:
    made = list[bool]()
    start = threading.Barrier(2)

    def add() -> None:
        start.wait()
        _, new = identities.add(campus.context, campus.admin, mailbox=NOTICES, key="p256", encryption_key="p256")
        made.append(new)

    threads = [threading.Thread(target=add) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(made) == [False, True]
    assert {row.serial for row in rows(campus, "issued")} == {show(campus).serial, show(campus).encryption_serial}


def test_made_while_somebody_else_makes_it_ours_is_settled(campus: Campus) -> None:
    slowed = slow(campus, lambda: identity_row(campus) or add_identity(campus))
    _, made = identities.add(slowed.context, campus.admin, mailbox=NOTICES, key="p256", encryption_key="p256")
    assert not made
    assert len(rows(campus, "intended")) == 2
    campus.clock.advance(timedelta(seconds=60))
    campus.run_jobs()
    assert len(rows(campus, "settled")) == 2
    assert show(campus).status == "active"


def test_interrupted_there_is_none_and_the_next_attempt_makes_it(campus: Campus) -> None:
    with pytest.raises(Ended):
        add_identity(ending(campus))
    assert identity_row(campus) is None
    assert add_identity(campus).status == "active"


def test_refuses_foreign_mailboxes_kinds_and_callers(campus: Campus) -> None:
    with pytest.raises(MailDomainRefused):
        add_identity(campus, Mailbox.parse("a@elsewhere.example"))
    with pytest.raises(MailboxNotAllowed):
        add_identity(campus, by=campus.principal("identities:manage", mailboxes=("bob@campus.example",)))
    with pytest.raises(ScopeMissing):
        add_identity(campus, by=campus.principal("certificates:issue"))
    with pytest.raises(MailDomainRefused):
        add_identity(campus, Mailbox.parse("a@elsewhere.example"), by=access.operator(request_id="local"))
    with pytest.raises(ChoiceUnknown):
        identities.add(campus.context, campus.admin, mailbox=NOTICES, key="ed25519")
    assert entries(campus, object_kind="certificate") == []


def test_there_is_nothing_to_show_renew_pause_or_revoke_where_there_is_no_identity(campus: Campus) -> None:
    for act in (show, renew, end, pause):
        with pytest.raises(IdentityNotFound):
            act(campus)


def test_lists_ones_own_newest_first(campus: Campus) -> None:
    for mailbox in (NOTICES, OTHER):
        add_identity(campus, mailbox)
    found = identities.page(campus.context, campus.admin, before_id=None, limit=10)
    assert [view.mailbox for view in found] == [str(OTHER), str(NOTICES)]
    older = identities.page(campus.context, campus.admin, before_id=found[0].cursor, limit=10)
    assert [view.mailbox for view in older] == [str(NOTICES)]
    mine = campus.principal("identities:manage", mailboxes=(str(OTHER),))
    assert [view.mailbox for view in identities.page(campus.context, mine, before_id=None, limit=10)] == [str(OTHER)]


# --- pausing and ending ------------------------------------------------------------------------------------------------


def test_a_pause_can_be_taken_back(campus: Campus) -> None:
    add_identity(campus)
    assert pause(campus).status == "paused"
    assert pause(campus, paused=False).status == "active"
    actions = [entry.action for entry in entries(campus, object_kind="identity")]
    assert actions == ["identity.added", "identity.paused", "identity.resumed"]


def test_a_revocation_ends_both_certificates_and_keeps_the_keys(campus: Campus) -> None:
    view = add_identity(campus)
    assert end(campus).status == "revoked"
    for serial in (view.serial, view.encryption_serial):
        row = row_of(campus, serial)
        assert row.reason == "superseded"
        with campus.context.database.read() as read:
            assert private_keys.find(read, row.key_id or "") is not None


def test_revoked_twice_is_a_conflict_but_for_the_upgrade(campus: Campus) -> None:
    view = add_identity(campus)
    end(campus)
    with pytest.raises(AlreadyRevoked):
        end(campus)
    end(campus, "keyCompromise")
    assert {row_of(campus, one).reason for one in (view.serial, view.encryption_serial)} == {"keyCompromise"}
    with pytest.raises(AlreadyRevoked):
        end(campus, "keyCompromise")


def test_where_one_certificate_was_revoked_alone_the_other_is_ended(campus: Campus) -> None:
    view = add_identity(campus)
    revoke(campus, view.serial)
    assert show(campus).status == "revoked"
    end(campus, "affiliationChanged")
    assert row_of(campus, view.serial).reason == "superseded"
    assert row_of(campus, view.encryption_serial).reason == "affiliationChanged"


def test_ends_only_for_a_reason_that_exists(campus: Campus) -> None:
    add_identity(campus)
    with pytest.raises(ReasonNotAllowed):
        end(campus, "certificateHold")


# --- renewing ----------------------------------------------------------------------------------------------------------


def test_a_renewal_makes_two_new_keys_and_the_old_certificates_live_on(campus: Campus) -> None:
    old = add_identity(campus)
    new = renew(campus)
    spkis = {one.spki for view in (old, new) for one in (view.certificate, view.encryption_certificate)}
    assert len(spkis) == 4
    for serial in (old.serial, old.encryption_serial):
        assert row_of(campus, serial).revoked_at is None


def test_a_renewal_ends_a_revocation_but_not_a_pause(campus: Campus) -> None:
    add_identity(campus)
    pause(campus)
    end(campus)
    assert show(campus).status == "revoked"
    assert renew(campus).status == "paused"


def test_renewed_by_two_at_once_one_pair_stands(campus: Campus) -> None:
    add_identity(campus)
    view = identities.renew(slow(campus, Once(lambda: renew(campus))).context, campus.admin, mailbox=NOTICES)
    assert view == show(campus)
    assert len(rows(campus, "issued")) == 4
    assert len(rows(campus, "intended")) == 2


def test_a_revocation_at_the_same_moment_as_a_renewal_ends_the_pair_that_stands(
    campus: Campus, monkeypatch: pytest.MonkeyPatch
) -> None:
    add_identity(campus)
    revoking, update = threading.Thread(target=end, args=(campus,)), rows_of_identities.update_serials

    def update_while_revoking(*args: Any, **kwargs: Any) -> bool:
        changed = update(*args, **kwargs)
        if threading.current_thread() is threading.main_thread():
            revoking.start()
            revoking.join(0.3)  # it gets as far as it can before the renewal is committed
        return changed

    monkeypatch.setattr(rows_of_identities, "update_serials", update_while_revoking)
    renew(campus)
    revoking.join()
    assert show(campus).status == "revoked"


def test_signing_is_refused_while_paused_and_from_a_revocation_until_the_renewal(campus: Campus) -> None:
    with pytest.raises(IdentityUnknown):
        find_signer(campus.context, NOTICES)
    old = add_identity(campus)
    assert find_signer(campus.context, NOTICES).certificate == old.certificate
    pause(campus)
    with pytest.raises(IdentityPaused):
        find_signer(campus.context, NOTICES)
    pause(campus, paused=False)
    end(campus)
    with pytest.raises(CertificateRevoked):
        find_signer(campus.context, NOTICES)
    new = renew(campus)
    assert find_signer(campus.context, NOTICES).certificate == new.certificate


class Once:
    """Does it the first time and never again."""

    def __init__(self, deed: Any) -> None:
        self.deed = deed

    def __call__(self) -> None:
        deed, self.deed = self.deed, lambda: None
        deed()


def test_the_job_renews_at_two_thirds_of_the_life_with_overlap(campus: Campus) -> None:
    old = add_identity(campus)
    life = old.certificate.not_after - old.certificate.not_before
    campus.clock.now = old.certificate.not_before + life * 2 / 3 - timedelta(minutes=1)
    campus.run_jobs()
    assert show(campus) == old
    campus.clock.advance(timedelta(hours=1))
    campus.run_jobs()
    new = show(campus)
    assert new.serial != old.serial
    assert row_of(campus, old.serial).revoked_at is None
    assert old.certificate.not_after - campus.clock() > timedelta(days=120)
    (entry,) = entries(campus, action="identity.renewed")
    assert (entry.actor_kind, entry.actor_name) == ("job", "identities")


@pytest.mark.parametrize("stop", [pause, end])
def test_the_job_leaves_alone_what_is_paused_or_revoked(campus: Campus, stop: Any) -> None:
    old = add_identity(campus)
    stop(campus)
    campus.clock.advance(timedelta(days=300))
    campus.run_jobs()
    assert show(campus).serial == old.serial


@pytest.mark.parametrize("stop", [pause, end])
def test_the_job_never_undoes_what_was_stopped_while_it_worked(campus: Campus, stop: Any) -> None:
    old = add_identity(campus)
    campus.clock.advance(timedelta(days=300))
    context = slow(campus, Once(lambda: stop(campus))).context
    assert identities.renew_due(context, access.job("identities", request_id="j"), lease=lease(campus)) == 0
    assert show(campus).serial == old.serial
    assert show(campus).status in {"paused", "revoked"}


def lease(campus: Campus) -> jobs.Lease:
    with campus.context.database.write() as write:
        found = jobs.claim(write, holder="t", now=campus.clock(), lease_seconds=30, names=(identities.JOB,))
    assert found is not None
    return found


def test_a_holder_past_its_lease_renews_nothing(campus: Campus) -> None:
    old = add_identity(campus)
    campus.clock.advance(timedelta(days=300))
    held = lease(campus)
    campus.clock.advance(timedelta(seconds=30))
    with pytest.raises(jobs.LeaseLost):
        identities.renew_due(campus.context, access.job("identities", request_id="j"), lease=held)
    assert show(campus) == old


def test_one_that_cannot_be_renewed_does_not_keep_the_others_waiting(campus: Campus) -> None:
    for mailbox in (NOTICES, OTHER):
        add_identity(campus, mailbox)
    first = show(campus)
    campus.clock.advance(timedelta(days=300))
    # Somebody certified the same mailbox in other letters while this one was revoked.
    with campus.context.database.write() as write:
        write.connection.exec_driver_sql(
            "UPDATE certificate_mailboxes SET mailbox = 'Notices@campus.example' WHERE mailbox_key LIKE 'notices@%%'"
        )
    assert identities.renew_due(campus.context, access.job("identities", request_id="j"), lease=lease(campus)) == 1
    assert show(campus).serial == first.serial
    renewed = identity_row(campus, OTHER)
    assert renewed is not None
    assert renewed.renewed_at == campus.clock()


def test_a_full_batch_calls_for_the_next(campus: Campus, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(identities, "RENEWALS_AT_A_TIME", 1)
    for mailbox in (NOTICES, OTHER):
        add_identity(campus, mailbox)
    campus.clock.advance(timedelta(days=300))
    campus.run_jobs()
    campus.run_jobs()
    assert len(entries(campus, action="identity.renewed")) == 2
    with campus.context.database.read() as read:
        assert len(table.valid_for_encryption(read, [OTHER.key], now=campus.clock())) == 2

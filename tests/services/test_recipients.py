from __future__ import annotations

from datetime import timedelta

import pytest

from formats.certificate import Certificate
from formats.mailbox import Mailbox
from services import recipients
from services.certificates import Order
from services.errors import ScopeMissing
from smime.cms.errors import RecipientCertificateRefused, TooManyRecipients
from tests.campus import Campus, csr
from tests.sealed import imposter, stranger
from tests.services.deeds import NOTICES, add_identity, issue, revoke

ALICE, BOB = (Mailbox.parse(f"{name}@campus.example") for name in ("alice", "bob"))


def issued(campus: Campus, *mailboxes: Mailbox, use: str = "dual") -> Certificate:
    names = tuple(map(str, mailboxes))
    view = issue(campus, order=Order(request=csr(None), mailboxes=names, use=use))
    assert view.certificate is not None
    return view.certificate


def listed(
    campus: Campus, mailbox: Mailbox = ALICE, *, limit: int = 50, before: str | None = None
) -> list[Certificate]:
    found = recipients.page(campus.context, campus.admin, mailbox=mailbox, before_id=before, limit=limit)
    return [one.certificate for one in found]


def found(campus: Campus, *mailboxes: Mailbox, given: tuple[bytes, ...] = ()) -> list[set[Certificate]]:
    return [set(one.certificates) for one in recipients.find(campus.context, mailboxes, given=given)]


def test_lists_what_mail_is_sealed_to_now(campus: Campus) -> None:
    dual, encrypting = issued(campus, ALICE), issued(campus, ALICE, use="encrypt")
    issued(campus, ALICE, use="sign")
    issued(campus, BOB)
    ended = issued(campus, ALICE)
    revoke(campus, str(ended.serial))
    assert listed(campus) == [encrypting, dual]
    assert listed(campus, limit=1) == [encrypting]
    assert listed(campus, Mailbox.parse("ALICE@campus.example")) == [encrypting, dual]
    first = recipients.page(campus.context, campus.admin, mailbox=ALICE, before_id=None, limit=1)[0]
    assert listed(campus, before=first.cursor) == [dual]
    campus.clock.advance(timedelta(days=398))
    assert listed(campus) == []


def test_identities_list_the_certificate_that_encrypts(campus: Campus) -> None:
    identity = add_identity(campus)
    assert listed(campus, NOTICES) == [identity.encryption_certificate]


def test_needs_the_scope_and_no_mailbox(campus: Campus) -> None:
    issued(campus, ALICE)
    reader = campus.principal("recipients:read", mailboxes=())
    assert recipients.page(campus.context, reader, mailbox=ALICE, before_id=None, limit=1)
    with pytest.raises(ScopeMissing):
        recipients.page(campus.context, campus.principal("admin"), mailbox=ALICE, before_id=None, limit=1)


def test_finds_each_mailbox_in_its_place(campus: Campus) -> None:
    alice, both = issued(campus, ALICE), issued(campus, ALICE, BOB)
    nobody = Mailbox.parse("nobody@campus.example")
    assert found(campus, BOB, nobody, ALICE) == [{both}, set(), {alice, both}]


def test_given_ones_replace_ours_for_the_mailboxes_that_they_name(campus: Campus) -> None:
    alice, bob = issued(campus, ALICE), issued(campus, BOB)
    given = stranger(str(BOB), at=campus.clock()).certificate
    assert found(campus, ALICE, BOB, given=(given.der, given.der)) == [{alice}, {given}]
    assert found(campus, ALICE, BOB, given=(given.pem.encode() + bob.pem.encode(),)) == [{alice}, {given, bob}]


def test_revoked_one_of_ours_is_refused_by_issuer_and_serial(campus: Campus) -> None:
    alice = issued(campus, ALICE)
    revoke(campus, str(alice.serial))
    for certificate in (alice, imposter(alice)):
        with pytest.raises(RecipientCertificateRefused):
            found(campus, ALICE, given=(certificate.der,))


def test_given_ones_are_bounded(campus: Campus) -> None:
    given = stranger(str(ALICE), at=campus.clock()).certificate
    assert found(campus, ALICE, given=(given.der,) * 1001) == [{given}]
    many = tuple(stranger(str(ALICE), at=campus.clock()).certificate.der for _ in range(1001))
    with pytest.raises(TooManyRecipients):
        found(campus, ALICE, given=many)

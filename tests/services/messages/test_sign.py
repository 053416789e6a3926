import asyncio
import hashlib
from datetime import timedelta

import pytest

from formats.errors import Refusal
from formats.mailbox import Mailbox
from services import audit, identities
from services.errors import (
    CertificateRevoked,
    ChoiceUnknown,
    FromNotIdentity,
    IdentityPaused,
    IdentityUnknown,
    MailboxNotAllowed,
    ScopeMissing,
)
from services.messages.sign import Signed, Wish, sign
from services.revocation import Cause
from smime import verify as craft
from smime.errors import AlreadySigned, DateRefused, FromAbsent, FromAmbiguous
from smime.message import read_message
from tests.campus import Campus
from tests.mails import BODIES, mail

DESK = Mailbox.parse("desk@campus.example")


@pytest.fixture
def desk(campus: Campus) -> Campus:
    identities.add(campus.context, campus.admin, mailbox=DESK, key="p256", encryption_key="p256")
    return campus


def signed(campus: Campus, data: bytes, **wish: object) -> Signed:
    return asyncio.run(sign(campus.context, campus.admin, data=data, wish=Wish(**wish)))  # type: ignore[arg-type]


def from_desk(campus: Campus, body: bytes = BODIES["plain"]) -> bytes:
    return mail(body, sender=str(DESK), at=campus.clock())


def test_record_is_durable_before_the_answer_and_names_the_signature(desk: Campus) -> None:
    answer = signed(desk, from_desk(desk))
    entry = audit.show(desk.context, desk.admin, entry_id=answer.record)
    (signer,) = craft.read(read_message(answer.data)).signers
    assert entry.action == "message.signed"
    assert entry.signature_sha256 == hashlib.sha256(signer.signature).hexdigest()
    assert (entry.mailbox, entry.object_id) == (str(DESK), answer.serial)
    assert "closed" not in str(entry)


def test_many_at_once_have_a_record_each(desk: Campus) -> None:
    async def many() -> list[Signed]:
        wish = Wish()
        return await asyncio.gather(
            *(sign(desk.context, desk.admin, data=from_desk(desk), wish=wish) for _ in range(30))
        )

    answers = asyncio.run(many())
    narrowed = audit.Filter(action="message.signed")
    entries = audit.page(desk.context, desk.admin, narrowed=narrowed, before_id=None, limit=100)
    assert {answer.record for answer in answers} == {entry.id for entry in entries}
    assert len(entries) == 30


def test_needs_the_scope_and_the_mailbox(desk: Campus) -> None:
    data = from_desk(desk)
    for who, refusal in (
        (desk.principal("messages:verify"), ScopeMissing),
        (desk.principal("messages:sign", mailboxes=("other@campus.example",)), MailboxNotAllowed),
        (desk.principal("messages:sign", mailboxes=()), MailboxNotAllowed),
    ):
        with pytest.raises(refusal):
            asyncio.run(sign(desk.context, who, data=data, wish=Wish()))


def refused(campus: Campus, kind: type[Refusal], data: bytes, **wish: object) -> None:
    with pytest.raises(kind):
        signed(campus, data, **wish)
    narrowed = audit.Filter(action="message.signed")
    assert audit.page(campus.context, campus.admin, narrowed=narrowed, before_id=None, limit=1) == []


def test_unknown_identity(campus: Campus) -> None:
    refused(campus, IdentityUnknown, from_desk(campus))


def test_paused_identity_until_the_pause_ends(desk: Campus) -> None:
    identities.set_paused(desk.context, desk.admin, mailbox=DESK, paused=True)
    refused(desk, IdentityPaused, from_desk(desk))
    identities.set_paused(desk.context, desk.admin, mailbox=DESK, paused=False)
    assert signed(desk, from_desk(desk)).identity == str(DESK)


def test_revoked_identity_until_it_is_renewed(desk: Campus) -> None:
    identities.revoke(desk.context, desk.admin, mailbox=DESK, cause=Cause(reason="superseded"))
    refused(desk, CertificateRevoked, from_desk(desk))
    renewed = identities.renew(desk.context, desk.admin, mailbox=DESK)
    assert signed(desk, from_desk(desk)).serial == renewed.serial


def test_expired_certificate(desk: Campus) -> None:
    desk.clock.advance(timedelta(days=400))
    refused(desk, CertificateRevoked, from_desk(desk))


def test_sender_is_the_identity(desk: Campus) -> None:
    refused(desk, FromNotIdentity, from_desk(desk), identity=Mailbox.parse("dean@campus.example"))
    refused(desk, FromAmbiguous, from_desk(desk).replace(b"From: ", b"From: dean@campus.example, "))
    refused(desk, FromAbsent, from_desk(desk).replace(b"From: ", b"Reply-To: "))


def test_identity_in_other_case_is_the_same(desk: Campus) -> None:
    assert signed(desk, from_desk(desk).replace(b"From: desk@", b"From: Desk@")).identity == str(DESK)


def test_date_is_of_this_hour(desk: Campus) -> None:
    data = from_desk(desk)
    desk.clock.advance(timedelta(hours=1, minutes=1))
    refused(desk, DateRefused, data)
    assert "date-replaced" in signed(desk, data, date="now").changes


def test_signed_already(desk: Campus) -> None:
    once = signed(desk, from_desk(desk))
    with pytest.raises(AlreadySigned):
        signed(desk, once.data)


@pytest.mark.parametrize("wish", [{"form": "clear"}, {"date": "yesterday"}])
def test_unknown_wishes(desk: Campus, wish: dict[str, str]) -> None:
    refused(desk, ChoiceUnknown, from_desk(desk), **wish)

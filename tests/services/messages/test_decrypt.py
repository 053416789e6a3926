from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path

import pytest

from db import certificates
from formats.certificate import Certificate
from formats.errors import Refusal
from formats.mailbox import Mailbox
from services import audit, identities
from services.access import Principal
from services.errors import MailboxNotAllowed, Overloaded, ScopeMissing
from services.messages import encrypt as sealing
from services.messages import sign
from services.messages.decrypt import Decrypted, decrypt
from services.messages.encrypt import encrypt
from services.revocation import Cause
from smime.cms.ciphers import ContentCipher
from smime.cms.enveloped import seal_content
from smime.cms.errors import ContentCipherRefused, DecryptionFailed, NoKeyForMessage
from smime.cms.signed import SignerTemplate, sign_content
from smime.decrypt import INNER_LEFT_OUT, INNER_TAKEN
from smime.errors import NotEncrypted
from smime.report import Verdict
from tests.campus import Campus
from tests.interop.wrapping import ENTITY, sealed_mail, signed_mail
from tests.mails import BODIES, mail
from tests.openssl import openssl
from tests.sealed import FAILURES, STRANGER, imposter, naming, sealed_to, stranger, with_bad_tag, with_old_cipher
from tests.services.deeds import NOTICES, add_identity, entries, row_of

DESK = Mailbox.parse("desk@campus.example")
TEXT = ENTITY.partition(b"\r\n\r\n")[2]


@pytest.fixture
def notices(campus: Campus) -> Certificate:
    """The encryption certificate of an identity."""
    return add_identity(campus).encryption_certificate


class Counted:
    """Counts what failed by which key, and refuses when it is told to."""

    def __init__(self, *, refuses: bool = False) -> None:
        self.asked: list[str] = []
        self.failed: list[str] = []
        self.refuses = refuses

    def ask(self, key_ids: Sequence[str]) -> None:
        self.asked += key_ids
        if self.refuses:
            raise Overloaded("too many failures")

    def count(self, key_ids: Sequence[str]) -> None:
        self.failed += key_ids


def opened(
    campus: Campus,
    data: bytes,
    *,
    by: Principal | None = None,
    identity: Mailbox | None = None,
    failures: Counted | None = None,
) -> Decrypted:
    return asyncio.run(
        decrypt(campus.context, by or campus.admin, data=data, identity=identity, failures=failures or Counted())
    )


def refused(campus: Campus, kind: type[Refusal], data: bytes, **more: object) -> Refusal:
    before = entries(campus)
    with pytest.raises(kind) as caught:
        opened(campus, data, **more)  # type: ignore[arg-type]
    assert entries(campus) == before
    return caught.value


def letter(campus: Campus, body: bytes = BODIES["plain"]) -> bytes:
    return mail(body, sender=str(NOTICES), at=campus.clock(), crlf=True)


def sealed_here(campus: Campus, data: bytes, *, to: Mailbox = NOTICES, is_signed: bool = True, **more: str) -> bytes:
    """What encrypt makes of it."""
    wish = sealing.Wish(to=(to,), signing=sign.Wish() if is_signed else None, **more)  # type: ignore[arg-type]
    (one,) = asyncio.run(encrypt(campus.context, campus.admin, data=data, wish=wish)).messages
    return one.data


def signed_here(campus: Campus, data: bytes, **wish: str) -> bytes:
    wanted = sign.Wish(**wish)  # type: ignore[arg-type]
    return asyncio.run(sign.sign(campus.context, campus.admin, data=data, wish=wanted)).data


# --- what comes out ---------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("kind", ["rsa3072", "p256", "p384"])
@pytest.mark.parametrize("algorithms", ["compatible", "modern"])
def test_opens_what_is_sealed_here_for_each_kind_of_key(campus: Campus, kind: str, algorithms: str) -> None:
    identities.add(campus.context, campus.admin, mailbox=NOTICES, key="p256", encryption_key=kind)
    data = letter(campus)
    found = opened(campus, sealed_here(campus, data, algorithms=algorithms))
    assert (found.integrity, found.report.verdict) == ("signed", Verdict.VALID)
    assert found.outer_report is None
    assert b"The library is closed on Friday." in found.data
    found = opened(campus, sealed_here(campus, data, is_signed=False, algorithms=algorithms))
    assert (found.integrity, found.report.verdict) == (
        "none" if algorithms == "compatible" else "aead",
        Verdict.NOT_SIGNED,
    )


@pytest.mark.parametrize("body", BODIES.values(), ids=BODIES.keys())
def test_unsigned_message_comes_back_as_it_was(campus: Campus, notices: Certificate, body: bytes) -> None:
    data = letter(campus, body)
    found = opened(campus, sealed_here(campus, data, is_signed=False))
    head, _, text = data.partition(b"\r\n\r\n")
    assert found.data.partition(b"\r\n\r\n")[2] == text
    # A message that names no type is of this one (RFC 2045 5.2).
    names_none = b"Content-Type" not in head
    default = b"\r\nContent-Type: text/plain; charset=us-ascii" if names_none else b""
    assert found.data.partition(b"\r\n\r\n")[0] == head + default


def test_binary_part_keeps_its_octets(campus: Campus, notices: Certificate) -> None:
    body = b"Content-Type: application/octet-stream\r\nContent-Transfer-Encoding: binary\r\n\r\n\x00\n\r\r\n\n\xff"
    data = letter(campus).partition(b"\r\n\r\n")[0] + b"\r\n" + body
    found = opened(campus, sealed_here(campus, data, is_signed=False))
    assert found.data.endswith(body)


def test_large_message(campus: Campus, notices: Certificate) -> None:
    body = b"\n" + b"A line of a large message.\n" * 5_000
    found = opened(campus, sealed_here(campus, letter(campus, body)))
    assert found.integrity == "signed"
    assert found.data.count(b"A line of a large message.\r\n") == 5_000


@pytest.mark.parametrize("form", ["detached", "opaque"])
def test_signature_around_is_taken_off_and_reported(campus: Campus, notices: Certificate, form: str) -> None:
    add_identity(campus, DESK)
    sealed = sealed_to(notices).replace(STRANGER.encode(), str(DESK).encode())
    # Our own signer refuses a sealed root, so the layers are put together by hand.
    signed = around(campus, sealed, form=form)
    found = opened(campus, signed)
    assert found.outer_report is not None
    assert found.outer_report.verdict is Verdict.VALID
    assert (found.integrity, found.report.verdict) == ("none", Verdict.NOT_SIGNED)
    assert found.data.endswith(TEXT)
    assert b"pkcs7" not in found.data


def around(campus: Campus, sealed: bytes, *, form: str) -> bytes:
    """A signature by the desk over a whole sealed entity."""
    at = sealed.index(b"Content-Type: application/pkcs7-mime")
    entity = sealed[at:].rstrip(b"\r\n") + b"\r\n"
    template = SignerTemplate.for_signer(sign.find_signer(campus.context, DESK))
    is_detached = form == "detached"
    cms = sign_content(template, content=entity, detached=is_detached, signing_time=campus.clock()).der
    return signed_mail(cms, entity if is_detached else None, sender=str(DESK))


def test_altered_signature_inside_is_reported_and_protects_nothing(campus: Campus, notices: Certificate) -> None:
    signed = signed_here(campus, letter(campus)).replace(b"Friday", b"Monday")
    at = signed.index(b"Content-Type: multipart/signed")
    for modern, integrity in ((False, "none"), (True, "aead")):
        found = opened(
            campus, sealed_to(notices, signed[at:], modern=modern).replace(STRANGER.encode(), b"notices@campus.example")
        )
        assert (found.integrity, found.report.verdict) == (integrity, Verdict.INVALID)


def test_valid_signature_of_somebody_else_than_the_outer_sender_protects_nothing(
    campus: Campus, notices: Certificate
) -> None:
    signed = signed_here(campus, letter(campus))
    found = opened(campus, sealed_to(notices, signed[signed.index(b"Content-Type: multipart/signed") :]))
    assert found.integrity == "none"
    assert "address_mismatch" in found.report.reasons


# --- fields of the plaintext ------------------------------------------------------------------------------------------
def test_outer_fields_are_never_replaced(campus: Campus, notices: Certificate) -> None:
    inner = b"From: dean@campus.example\r\nSubject: Fees\r\nReply-To: x@evil.example\r\n" + ENTITY
    found = opened(campus, sealed_to(notices, inner))
    head = found.data.partition(b"\r\n\r\n")[0]
    assert f"From: {STRANGER}".encode() in head
    assert b"dean@" not in head
    assert b"Subject: Library" in head
    assert b"Reply-To: x@evil.example" in head
    assert {INNER_TAKEN, INNER_LEFT_OUT} <= set(found.report.findings)


def test_whole_message_inside_fills_an_empty_header(campus: Campus, notices: Certificate) -> None:
    cms = seal_content(letter(campus), certificates=[notices])
    bare = sealed_mail(cms, sender=STRANGER).partition(b"MIME-Version")
    found = opened(campus, bare[1] + bare[2])
    head = found.data.partition(b"\r\n\r\n")[0]
    for line in (b"From: notices@campus.example", b"Subject: Library", b"To: all@campus.example"):
        assert line in head
    assert head.count(b"MIME-Version") == 1
    assert found.report.findings == (INNER_TAKEN,)


@pytest.mark.parametrize("name", [b"Authentication-Results", b"Received", b"Bcc", b"X-Spam-Status", b"List-Id"])
def test_what_servers_vouch_for_never_comes_from_inside(campus: Campus, notices: Certificate, name: bytes) -> None:
    found = opened(campus, sealed_to(notices, name + b": mx.campus.example; dkim=pass\r\n" + ENTITY))
    assert name not in found.data
    assert found.report.findings == (INNER_LEFT_OUT,)


def test_field_twice_inside_is_not_taken(campus: Campus, notices: Certificate) -> None:
    found = opened(campus, sealed_to(notices, b"Reply-To: a@x.example\r\nReply-To: b@x.example\r\n" + ENTITY))
    assert b"Reply-To" not in found.data


def test_forwarded_message_inside_stays_one(campus: Campus, notices: Certificate) -> None:
    inner = b"Content-Type: message/rfc822\r\n\r\nFrom: dean@campus.example\r\nSubject: Fees\r\n\r\nx\r\n"
    found = opened(campus, sealed_to(notices, inner))
    assert found.data.endswith(inner)
    assert found.report.findings == ()


# --- keys -------------------------------------------------------------------------------------------------------------
def test_old_mail_opens_after_renewal_revocation_expiry_and_in_a_pause(campus: Campus, notices: Certificate) -> None:
    sealed = sealed_to(notices)
    identities.renew(campus.context, campus.admin, mailbox=NOTICES)
    assert opened(campus, sealed).data.endswith(TEXT)
    identities.revoke(campus.context, campus.admin, mailbox=NOTICES, cause=Cause(reason="keyCompromise"))
    assert opened(campus, sealed).data.endswith(TEXT)
    identities.set_paused(campus.context, campus.admin, mailbox=NOTICES, paused=True)
    campus.clock.advance(timedelta(days=800))
    assert opened(campus, sealed).data.endswith(TEXT)


def test_foreign_mail_and_mail_for_nobody_are_answered_alike(campus: Campus, notices: Certificate) -> None:
    other = campus.principal("messages:decrypt", mailboxes=("other@campus.example",))
    nobody = stranger(str(NOTICES), at=campus.clock()).certificate
    details = {
        refused(campus, NoKeyForMessage, sealed_to(notices), by=other).detail,
        refused(campus, NoKeyForMessage, sealed_to(nobody)).detail,
        refused(campus, NoKeyForMessage, sealed_to(notices), identity=DESK).detail,
    }
    assert len(details) == 1


def test_needs_the_scope_and_the_mailbox_that_is_named(campus: Campus, notices: Certificate) -> None:
    sealed = sealed_to(notices)
    refused(campus, ScopeMissing, sealed, by=campus.principal("messages:encrypt"))
    narrow = campus.principal("messages:decrypt", mailboxes=(str(DESK),))
    refused(campus, MailboxNotAllowed, sealed, by=narrow, identity=NOTICES)
    holder = campus.principal("messages:decrypt", mailboxes=(str(NOTICES),))
    assert opened(campus, sealed, by=holder, identity=Mailbox.parse("Notices@campus.example")).data.endswith(TEXT)


def test_key_that_signs_opens_nothing(campus: Campus) -> None:
    view, _ = identities.add(campus.context, campus.admin, mailbox=NOTICES, key="rsa2048", encryption_key="p256")
    refused(campus, NoKeyForMessage, sealed_to(view.certificate))


@pytest.mark.parametrize("serial", [0, -1, 1 << 127, 1 << 128, 1 << 5_000])
def test_serial_numbers_that_are_none_of_ours_are_nobodys(campus: Campus, notices: Certificate, serial: int) -> None:
    refused(campus, NoKeyForMessage, naming(notices, serial=serial))


@pytest.mark.parametrize("kind", ["p256", "rsa2048"])
def test_key_is_found_by_its_identifier_too(campus: Campus, tmp_path: Path, kind: str) -> None:
    view, _ = identities.add(campus.context, campus.admin, mailbox=NOTICES, key="p256", encryption_key=kind)
    file = tmp_path / "certificate.pem"
    file.write_text(view.encryption_certificate.pem)
    made = openssl(
        "cms", "-encrypt", "-binary", "-outform", "DER", "-aes256", "-keyid", "-recip", file, given=ENTITY
    )  # fmt: skip
    sealed = sealed_mail(made.out, sender=STRANGER)
    assert opened(campus, sealed).data.endswith(TEXT)
    identities.renew(campus.context, campus.admin, mailbox=NOTICES)
    assert opened(campus, sealed).data.endswith(TEXT)
    other = campus.principal("messages:decrypt", mailboxes=(str(DESK),))
    refused(campus, NoKeyForMessage, sealed, by=other)


def test_several_recipients_with_keys_here(campus: Campus, notices: Certificate) -> None:
    desk = add_identity(campus, DESK).encryption_certificate
    both = sealed_mail(seal_content(ENTITY, certificates=[desk, notices]), sender=STRANGER)
    for identity in (None, DESK, NOTICES):
        assert opened(campus, both, identity=identity).data.endswith(TEXT)


# --- what fails inside ------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("make", FAILURES)
@pytest.mark.parametrize("kind", ["p256", "rsa2048"])
def test_all_that_fails_inside_is_one_refusal_and_on_the_record(campus: Campus, make: object, kind: str) -> None:
    view, _ = identities.add(campus.context, campus.admin, mailbox=NOTICES, key="p256", encryption_key=kind)
    data = make(view.encryption_certificate)  # type: ignore[operator]
    with pytest.raises(DecryptionFailed) as caught:
        opened(campus, data)
    assert (caught.value.detail, caught.value.pointers) == ("the message cannot be opened", ())
    assert caught.value.__cause__ is None
    entry = entries(campus)[-1]
    assert (entry.action, entry.mailbox) == ("message.decryption_failed", str(NOTICES))
    assert entry.object_id == str(view.encryption_certificate.serial)
    assert entry.details["sealed_sha256"] == hashlib.sha256(data).hexdigest()


def test_old_cipher_is_refused_as_what_it_is(campus: Campus, notices: Certificate) -> None:
    refused(campus, ContentCipherRefused, with_old_cipher(notices))


# --- what is not sealed -----------------------------------------------------------------------------------------------
def test_message_that_is_not_sealed(campus: Campus, notices: Certificate) -> None:
    assert refused(campus, NotEncrypted, letter(campus)).detail == "the message is not sealed"
    refused(campus, NotEncrypted, signed_here(campus, letter(campus)))


def test_sealed_part_further_in_is_not_opened(campus: Campus, notices: Certificate) -> None:
    sealed = sealed_to(notices)
    part = sealed[sealed.index(b"Content-Type: application/pkcs7-mime") :]
    mixed = b"From: a@x.example\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n" + part + b"\r\n--b--\r\n"
    attached = b"From: a@x.example\r\nContent-Type: message/rfc822\r\n\r\n" + sealed
    for data in (mixed, attached):
        assert refused(campus, NotEncrypted, data).detail == "only a part of the message is sealed"


# --- the record -------------------------------------------------------------------------------------------------------
def test_record_is_durable_before_the_answer_and_holds_no_text(campus: Campus, notices: Certificate) -> None:
    data = sealed_to(notices)
    found = opened(campus, data)
    entry = audit.show(campus.context, campus.admin, entry_id=found.record)
    assert (entry.action, entry.mailbox, entry.object_id) == (
        "message.decrypted",
        str(NOTICES),
        str(notices.serial),
    )
    assert entry.details == {
        "sealed_sha256": hashlib.sha256(data).hexdigest(),
        "cipher": "aes256-cbc",
        "integrity": "none",
    }
    assert "Friday" not in str(entry)


def test_certificates_are_stored_with_the_key_identifier_that_they_state(campus: Campus, notices: Certificate) -> None:
    assert notices.subject_key_id is not None
    with campus.context.database.read() as read:
        rows = certificates.with_kept_keys(read, [notices.subject_key_id.hex()], limit=10)
    assert [row.serial for row in rows] == [str(notices.serial)]


def test_record_names_the_certificate_whose_key_opened_it(campus: Campus, notices: Certificate) -> None:
    newest = add_identity(campus, DESK).encryption_certificate
    both = seal_content(ENTITY, certificates=[imposter(newest), notices], cipher=ContentCipher.AES256_GCM)
    data = sealed_mail(both, sender=STRANGER, kind="authEnveloped-data")
    entry = audit.show(campus.context, campus.admin, entry_id=opened(campus, data).record)
    assert (entry.object_id, entry.mailbox) == (str(notices.serial), str(NOTICES))


def test_failures_are_counted_by_private_key_and_asked_before_anything_is_opened(
    campus: Campus, notices: Certificate
) -> None:
    desk = add_identity(campus, DESK).encryption_certificate
    key_id = row_of(campus, str(notices.serial)).key_id
    counted = Counted()
    opened(campus, sealed_to(notices), failures=counted)
    assert (counted.asked, counted.failed) == ([key_id], [])
    with pytest.raises(DecryptionFailed):
        opened(campus, with_bad_tag(notices), failures=counted)
    assert (counted.asked, counted.failed) == ([key_id] * 2, [key_id])
    refused(campus, Overloaded, sealed_to(desk), failures=Counted(refuses=True))


def test_record_of_a_failure_names_all_that_were_tried(campus: Campus, notices: Certificate) -> None:
    desk = add_identity(campus, DESK).encryption_certificate
    both = seal_content(ENTITY, certificates=[imposter(desk), imposter(notices)], cipher=ContentCipher.AES256_GCM)
    with pytest.raises(DecryptionFailed):
        opened(campus, sealed_mail(both, sender=STRANGER, kind="authEnveloped-data"))
    (entry,) = audit.page(
        campus.context,
        campus.admin,
        narrowed=audit.Filter(action="message.decryption_failed"),
        before_id=None,
        limit=9,
    )
    assert entry.details["tried"] == f"{desk.serial} {notices.serial}"

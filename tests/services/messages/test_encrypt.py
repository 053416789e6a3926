from __future__ import annotations

import asyncio
import base64
import hashlib
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from formats.certificate import Certificate
from formats.errors import Malformed, Refusal, TooLarge
from formats.mailbox import Mailbox
from services import audit
from services.access import Principal
from services.certificates import Order
from services.errors import (
    AlgorithmsNotOffered,
    ChoiceUnknown,
    IdentityUnknown,
    MailboxNotAllowed,
    Overloaded,
    RecipientWithoutCertificate,
    ScopeMissing,
    SeveralMessages,
)
from services.messages import sign
from services.messages.encrypt import COPIES, SEALINGS, Encrypted, Sealed, Wish, encrypt
from smime.cms.content import read_content_info
from smime.cms.enveloped import Enveloped, read_enveloped
from smime.cms.errors import RecipientCertificateRefused, RecipientsMissing, TooManyRecipients
from smime.message import read_message
from tests.campus import Campus, csr
from tests.mails import BODIES, mail
from tests.sealed import PrivateKey, Reader, giant, stranger
from tests.services.deeds import NOTICES, add_identity, entries, issue, revoke

Encode = Callable[[Certificate], bytes]

ALICE, BOB, CAROL, DAVE = (f"{name}@campus.example" for name in ("alice", "bob", "carol", "dave"))


@cache
def key_of(kind: str) -> PrivateKey:
    if kind == "rsa3072":
        return rsa.generate_private_key(65537, 3072)
    return ec.generate_private_key({"p256": ec.SECP256R1(), "p384": ec.SECP384R1()}[kind])


def reader(campus: Campus, mailbox: str, *, key: PrivateKey | None = None, use: str = "dual") -> Reader:
    """Somebody outside with a certificate of ours."""
    key = key or ec.generate_private_key(ec.SECP256R1())
    view = issue(campus, order=Order(request=csr(mailbox, key=key), use=use))
    assert view.certificate is not None
    return Reader(certificate=view.certificate, key=key)


def letter(campus: Campus, *, to: str = ALICE, more: str = "", body: bytes = BODIES["plain"]) -> bytes:
    """A message of the identity, with more header fields."""
    plain = mail(body, sender=str(NOTICES), at=campus.clock(), crlf=True)
    return plain.replace(b"To: all@campus.example\r\n", f"To: {to}\r\n{more}".encode())


def sealed(campus: Campus, data: bytes, *, by: Principal | None = None, **wish: object) -> Encrypted:
    return asyncio.run(encrypt(campus.context, by or campus.admin, data=data, wish=Wish(**wish)))  # type: ignore[arg-type]


def refused(
    campus: Campus, kind: type[Refusal], data: bytes, *, by: Principal | None = None, **wish: object
) -> Refusal:
    """Nothing is written where nothing was sealed."""
    before = entries(campus)
    with pytest.raises(kind) as caught:
        sealed(campus, data, by=by, **wish)
    assert entries(campus) == before
    return caught.value


def enveloped(one: Sealed) -> Enveloped:
    return read_enveloped(*read_content_info(read_message(one.data).root.decoded_body()))


def named(one: Sealed) -> list[int | None]:
    return [info.id.serial for info in enveloped(one).recipients if info.id is not None]


# --- what comes out ---------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("kind", ["rsa3072", "p256", "p384"])
@pytest.mark.parametrize("algorithms", ["compatible", "modern"])
def test_openssl_opens_what_is_sealed(campus: Campus, tmp_path: Path, kind: str, algorithms: str) -> None:
    alice = reader(campus, ALICE, key=key_of(kind))
    (one,) = sealed(campus, letter(campus), algorithms=algorithms).messages
    opened = alice.open(one.data, tmp_path)
    assert opened.ok, opened.text
    assert opened.out == b"Content-Type: text/plain; charset=us-ascii\r\n\r\nThe library is closed on Friday.\r\n"


@pytest.mark.parametrize("body", BODIES.values(), ids=BODIES.keys())
def test_body_is_left_as_it_was_given(campus: Campus, tmp_path: Path, body: bytes) -> None:
    alice = reader(campus, ALICE)
    made = sealed(campus, letter(campus, body=body))
    opened = alice.open(made.messages[0].data, tmp_path)
    assert opened.out.endswith(body.replace(b"\n", b"\r\n").removeprefix(b"\r\n"))
    assert made.changes == ()


def test_header_stays_in_its_order(campus: Campus) -> None:
    reader(campus, ALICE)
    data = letter(campus, more="X-Note: a\r\nDKIM-Signature: v=1\r\nBcc: alice@campus.example\r\n")
    made = sealed(campus, data)
    head = made.messages[0].data.partition(b"\r\n\r\n")[0].decode()
    names = [line.partition(":")[0] for line in head.split("\r\n") if line[0] != " "]
    assert names == [
        *("From", "To", "X-Note", "Subject", "Date", "Message-ID", "MIME-Version"),
        *("Content-Type", "Content-Transfer-Encoding", "Content-Disposition"),
    ]
    assert "smime-type=enveloped-data" in head
    assert set(made.changes) == {"bcc-dropped", "dkim-dropped"}


def test_compatible_and_modern_name_their_algorithms(campus: Campus) -> None:
    reader(campus, ALICE)
    for algorithms, cipher in (("compatible", "aes256-cbc"), ("modern", "aes256-gcm")):
        (one,) = sealed(campus, letter(campus), algorithms=algorithms).messages
        assert enveloped(one).cipher.value == cipher


def test_all_valid_encryption_certificates_are_used_and_no_other(campus: Campus) -> None:
    good = [reader(campus, ALICE), reader(campus, ALICE, use="encrypt")]
    reader(campus, ALICE, use="sign")
    revoked = reader(campus, ALICE)
    revoke(campus, str(revoked.certificate.serial))
    reader(campus, BOB)
    (one,) = sealed(campus, letter(campus)).messages
    assert sorted(map(str, named(one))) == sorted(str(each.certificate.serial.value) for each in good)


def test_expired_certificates_are_not_used(campus: Campus) -> None:
    reader(campus, ALICE)
    campus.clock.advance(timedelta(days=398))
    refused(campus, RecipientWithoutCertificate, letter(campus))


def test_large_message_is_sealed_in_a_thread_to_the_same_end(campus: Campus, tmp_path: Path) -> None:
    alice = reader(campus, ALICE)
    body = b"\n" + b"A line of a large message.\n" * 5_000
    (one,) = sealed(campus, letter(campus, body=body)).messages
    assert alice.open(one.data, tmp_path).out.count(b"A line of a large message.\r\n") == 5_000


# --- blind recipients -------------------------------------------------------------------------------------------------
def test_blind_recipients_show_nowhere_but_in_their_own_message(campus: Campus, tmp_path: Path) -> None:
    people = {mailbox: reader(campus, mailbox) for mailbox in (ALICE, BOB, CAROL, DAVE)}
    data = letter(campus, more=f"Cc: {BOB}\r\nBcc: Carol <{CAROL}>,\r\n {DAVE}\r\nResent-Bcc: {DAVE}\r\n")
    made = sealed(campus, data)
    assert [one.envelope_to for one in made.messages] == [(ALICE, BOB), (CAROL,), (DAVE,)]
    for one in made.messages:
        cms = read_message(one.data).root.decoded_body()
        everything = one.data + cms
        assert b"bcc" not in everything.lower()
        for mailbox, person in people.items():
            opened = person.open(one.data, tmp_path)
            is_theirs = mailbox in one.envelope_to
            assert (b"Friday" in opened.out) is is_theirs
            if is_theirs:
                everything += opened.out
        for mailbox in {CAROL, DAVE} - set(one.envelope_to):
            certificate = people[mailbox].certificate
            for trace in (mailbox.encode(), certificate.serial.octets, certificate.subject_key_id or b"none"):
                assert trace not in everything
                assert base64.b64encode(trace).rstrip(b"=")[:-1] not in everything
                assert trace.hex().encode() not in everything.lower()


def test_whoever_is_named_and_not_seen_is_blind(campus: Campus) -> None:
    for mailbox in (ALICE, BOB, CAROL):
        reader(campus, mailbox)
    to = tuple(map(Mailbox.parse, (CAROL, ALICE, "Alice@campus.example")))
    made = sealed(campus, letter(campus, more=f"Cc: {BOB}\r\n"), to=to)
    assert [one.envelope_to for one in made.messages] == [(ALICE,), (CAROL,)]


def test_recipient_in_to_and_bcc_is_seen(campus: Campus) -> None:
    reader(campus, ALICE)
    made = sealed(campus, letter(campus, more=f"Bcc: {ALICE}\r\n"))
    assert [one.envelope_to for one in made.messages] == [(ALICE,)]


def test_several_messages_where_one_is_wanted(campus: Campus) -> None:
    for mailbox in (ALICE, BOB):
        reader(campus, mailbox)
    refused(campus, SeveralMessages, letter(campus, more=f"Bcc: {BOB}\r\n"), only_one=True)
    assert len(sealed(campus, letter(campus, to=f"{ALICE}, {BOB}"), only_one=True).messages) == 1


# --- signing first ----------------------------------------------------------------------------------------------------
def test_signed_once_for_all_and_both_on_the_record(campus: Campus, tmp_path: Path) -> None:
    identity = add_identity(campus)
    alice, bob = reader(campus, ALICE), reader(campus, BOB)
    made = sealed(campus, letter(campus, more=f"Bcc: {BOB}\r\n"), signing=sign.Wish())
    assert (made.identity, made.serial) == (str(NOTICES), identity.serial)
    inside = [person.open(one.data, tmp_path).out for person, one in zip((alice, bob), made.messages, strict=True)]
    assert inside[0] == inside[1]
    assert inside[0].startswith(b"Content-Type: multipart/signed;")
    signing, sealing = entries(campus)[-2:]
    assert (signing.action, sealing.action) == ("message.signed", "message.encrypted")
    assert sealing.id == made.record


def test_signing_keeps_its_own_rules(campus: Campus) -> None:
    add_identity(campus)
    reader(campus, ALICE)
    holder = campus.principal("messages:encrypt")
    for who, kind in (
        (holder, ScopeMissing),
        (campus.principal("messages:encrypt", "messages:sign", mailboxes=(ALICE,)), MailboxNotAllowed),
    ):
        refused(campus, kind, letter(campus), by=who, signing=sign.Wish())
    assert sealed(campus, letter(campus), by=holder).messages
    foreign = letter(campus).replace(b"notices@", b"dean@")
    refused(campus, IdentityUnknown, foreign, signing=sign.Wish())


def test_encrypting_alone_is_bound_by_no_mailbox(campus: Campus) -> None:
    reader(campus, ALICE)
    assert sealed(campus, letter(campus), by=campus.principal("messages:encrypt", mailboxes=())).messages
    with pytest.raises(ScopeMissing):
        sealed(campus, letter(campus), by=campus.principal("messages:sign", "messages:decrypt"))


# --- who has none -----------------------------------------------------------------------------------------------------
def test_refusal_says_who_has_no_certificate(campus: Campus) -> None:
    reader(campus, ALICE)
    reader(campus, DAVE, use="sign")
    refusal = refused(campus, RecipientWithoutCertificate, letter(campus, more=f"Cc: {BOB}\r\nBcc: {DAVE}\r\n"))
    assert isinstance(refusal, RecipientWithoutCertificate)
    assert [pointer for pointer, _ in refusal.places] == ["/message", "/message"]
    assert BOB in refusal.places[0][1]
    assert DAVE in refusal.places[1][1]
    to = (Mailbox.parse(ALICE), Mailbox.parse(BOB))
    refusal = refused(campus, RecipientWithoutCertificate, letter(campus), to=to)
    assert [pointer for pointer, _ in getattr(refusal, "places", ())] == ["/to/1"]


def test_long_lists_of_them_are_cut(campus: Campus) -> None:
    to = tuple(Mailbox.parse(f"n{number}@campus.example") for number in range(500))
    refusal = refused(campus, RecipientWithoutCertificate, letter(campus), to=to)
    assert len(getattr(refusal, "places", ())) == 100
    assert "and 495 more" in refusal.detail


def test_skips_whom_it_says_it_skips(campus: Campus) -> None:
    reader(campus, ALICE)
    made = sealed(campus, letter(campus, more=f"Cc: {BOB}\r\nBcc: {DAVE}\r\n"), missing="skip")
    assert (made.skipped, [one.envelope_to for one in made.messages]) == ((BOB, DAVE), [(ALICE,)])


def test_nobody_left(campus: Campus) -> None:
    refused(campus, RecipientWithoutCertificate, letter(campus), missing="skip")
    refused(campus, RecipientsMissing, letter(campus, to="undisclosed-recipients:;"))
    refused(campus, RecipientsMissing, letter(campus), to=())


def test_more_than_a_thousand(campus: Campus) -> None:
    to = tuple(Mailbox.parse(f"n{number}@campus.example") for number in range(1001))
    refused(campus, TooManyRecipients, letter(campus), to=to)


def test_copies_are_bounded_together(campus: Campus) -> None:
    body = b"\n" + b"x" * 70 + b"\n"
    size = campus.context.settings.message_limit // 10
    data = letter(campus, body=body * (size // len(body)))
    to = tuple(Mailbox.parse(f"n{number}@campus.example") for number in range(10 * COPIES + 2))
    given = [stranger(str(mailbox), at=campus.clock()).certificate.pem.encode() for mailbox in to]
    refused(campus, TooManyRecipients, data, to=to, certificates=tuple(given))


def test_sealings_are_bounded_together(campus: Campus) -> None:
    """A certificate that names many blind recipients is sealed to in each of their messages."""
    people = tuple(Mailbox.parse(f"n{number}@campus.example") for number in range(60))
    shared = tuple(map(str, people))
    certificates = [stranger(ALICE, at=campus.clock(), mailboxes=shared).certificate for _ in range(SEALINGS // 60 + 1)]
    given = "".join(one.pem for one in certificates).encode()
    refusal = refused(campus, TooManyRecipients, letter(campus), to=people, certificates=(given,))
    assert str(SEALINGS) in refusal.detail


def test_room_is_made_for_all_messages_before_any_is_sealed(campus: Campus) -> None:
    for mailbox in (ALICE, BOB, DAVE):
        reader(campus, mailbox)
    data = letter(campus, body=b"\n" + b"x" * 70_000 + b"\n", more=f"Bcc: {BOB}, {DAVE}\r\n")
    asked: list[int] = []
    wish = Wish(to=None)
    made = asyncio.run(encrypt(campus.context, campus.admin, data=data, wish=wish, make_room=asked.append))
    size = sum(len(one.data) for one in made.messages)
    assert len(asked) == 1
    assert 0.95 * size < asked[0] < 1.2 * size

    def refuse(octets: int) -> None:
        raise Overloaded(f"no room for {octets}")

    before = entries(campus)
    with pytest.raises(Overloaded):
        asyncio.run(encrypt(campus.context, campus.admin, data=data, wish=wish, make_room=refuse))
    assert entries(campus) == before


# --- certificates that are given --------------------------------------------------------------------------------------
@pytest.mark.parametrize("encode", [lambda one: one.pem.encode(), lambda one: one.der], ids=["pem", "der"])
def test_given_certificates_take_the_place_of_ours(campus: Campus, tmp_path: Path, encode: Encode) -> None:
    ours, bob = reader(campus, ALICE), reader(campus, BOB)
    given = stranger(ALICE.upper(), at=campus.clock())
    data = letter(campus, to=f"{ALICE}, {BOB}")
    (one,) = sealed(campus, data, certificates=(encode(given.certificate),)).messages
    assert [person.open(one.data, tmp_path).out.count(b"Friday") for person in (given, bob, ours)] == [1, 1, 0]


def test_several_given_in_one_file(campus: Campus, tmp_path: Path) -> None:
    people = [stranger(mailbox, at=campus.clock()) for mailbox in (ALICE, ALICE, BOB)]
    file = "".join(one.certificate.pem for one in people).encode()
    (one,) = sealed(campus, letter(campus, to=f"{ALICE}, {BOB}"), certificates=(file,)).messages
    assert all(person.open(one.data, tmp_path).ok for person in people)


def test_given_certificate_of_nobody_who_gets_it(campus: Campus) -> None:
    reader(campus, ALICE)
    certificate = stranger(BOB, at=campus.clock()).certificate
    refusal = refused(campus, RecipientCertificateRefused, letter(campus), certificates=(certificate.der,))
    assert "names nobody in `to`, To, Cc or Bcc" in refusal.detail
    assert refusal.pointers == ("/certificate",)


@pytest.mark.parametrize(
    ("more", "why"),
    [
        ({"days": 9}, "expired on"),
        ({"usage": {"digital_signature": True}}, "lacks keyAgreement"),
        ({"not_before": datetime(2199, 1, 1, tzinfo=UTC)}, "is not valid before"),
        ({"is_ca": True}, "is the certificate of a CA"),
        ({"key": giant()}, "RSA"),
        ({"key": rsa.generate_private_key(65537, 1024)}, "RSA"),
    ],
    ids=["expired", "sign-only", "not yet", "ca", "16384 bits", "1024 bits"],
)
def test_given_certificate_that_nothing_is_sealed_to(campus: Campus, more: dict[str, object], why: str) -> None:
    certificate = stranger(ALICE, at=campus.clock(), **more).certificate
    refusal = refused(campus, RecipientCertificateRefused, letter(campus), certificates=(certificate.der,))
    assert why in refusal.detail


def test_given_certificate_of_ours_that_is_revoked(campus: Campus) -> None:
    alice = reader(campus, ALICE)
    revoke(campus, str(alice.certificate.serial))
    refusal = refused(campus, RecipientCertificateRefused, letter(campus), certificates=(alice.certificate.der,))
    assert "is revoked" in refusal.detail


def test_given_file_that_is_none(campus: Campus) -> None:
    for file in (b"", b"nonsense", b"\x30\x80" * 1000):
        with pytest.raises((Malformed, TooLarge)):
            sealed(campus, letter(campus), certificates=(file,))


# --- wishes and the record --------------------------------------------------------------------------------------------
def test_unknown_wishes(campus: Campus) -> None:
    reader(campus, ALICE)
    refused(campus, AlgorithmsNotOffered, letter(campus), algorithms="pqc")
    refused(campus, ChoiceUnknown, letter(campus), algorithms="rot13")
    refused(campus, ChoiceUnknown, letter(campus), missing="guess")


def test_record_holds_digests_and_no_recipient_nor_subject(campus: Campus) -> None:
    for mailbox in (ALICE, BOB):
        reader(campus, mailbox)
    made = sealed(campus, letter(campus, more=f"Bcc: {BOB}\r\n"))
    entry = audit.show(campus.context, campus.admin, entry_id=made.record)
    digests = [hashlib.sha256(one.data).hexdigest() for one in made.messages]
    assert entry.details["sealed_sha256"] == hashlib.sha256(bytes.fromhex("".join(digests))).hexdigest()
    only = audit.show(campus.context, campus.admin, entry_id=(one := sealed(campus, letter(campus))).record)
    assert only.details["sealed_sha256"] == hashlib.sha256(one.messages[0].data).hexdigest()
    assert (entry.action, entry.details["recipients"], entry.details["messages"]) == ("message.encrypted", 2, 2)
    assert (entry.details["cipher"], entry.details["key_transport"]) == ("aes256-cbc", "pkcs1")
    for word in ("alice", "bob", "Library", "Friday"):
        assert word not in str(entry)


def test_given_certificates_may_come_with_their_chain(campus: Campus, tmp_path: Path) -> None:
    alice = reader(campus, ALICE)
    chain = "".join(one.pem for one in (alice.certificate, *campus.context.issuers.issuing.chain)).encode()
    (one,) = sealed(campus, letter(campus), certificates=(chain,)).messages
    assert alice.open(one.data, tmp_path).ok
    issuers = "".join(one.pem for one in campus.context.issuers.issuing.chain).encode()
    refused(campus, RecipientCertificateRefused, letter(campus), certificates=(issuers,))

from __future__ import annotations

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from formats.mailbox import Mailbox
from smime.cms.ciphers import ContentCipher
from smime.cms.errors import RecipientsMissing
from smime.cms.key_transport import KeyTransport
from smime.encrypt import NamedRecipients, named_recipients, prepare, seal_message
from smime.errors import FieldMalformed, MessageMalformed
from smime.message import Message, read_message
from tests.smime.campus import Authority, OpenSsl, Person, pem_key, person

ENCRYPTING = {"key_encipherment": True, "key_agreement": True}
TEXT = b"Fees are due on Friday.\r\n"


@pytest.fixture(scope="module", params=["rsa", "p256", "p384"])
def bob(request: pytest.FixtureRequest, issuing: Authority) -> Person:
    curve = {"p256": ec.SECP256R1(), "p384": ec.SECP384R1()}.get(request.param)
    key = ec.generate_private_key(curve) if curve else rsa.generate_private_key(65537, 3072)
    return person(issuing, key, mailboxes=("bob@campus.example",), usage=ENCRYPTING)


def letter(fields: str = "To: bob@campus.example\r\n", body: bytes = TEXT) -> Message:
    return read_message(b"From: alice@campus.example\r\n" + fields.encode() + b"Subject: Fees\r\n\r\n" + body)


def texts(mailboxes: tuple[Mailbox, ...]) -> list[str]:
    return [str(mailbox) for mailbox in mailboxes]


# --- who gets it ------------------------------------------------------------------------------------------------------
def test_those_in_to_and_cc_are_seen_and_those_in_bcc_are_not() -> None:
    named = named_recipients(
        letter(
            "To: Bob <bob@x.example>, students: a@x.example, b@x.example;\r\nCc: c@x.example\r\nBcc: d@x.example\r\n"
        )
    )
    assert texts(named.visible) == ["bob@x.example", "a@x.example", "b@x.example", "c@x.example"]
    assert texts(named.blind) == ["d@x.example"]
    assert texts(named.all) == [*texts(named.visible), "d@x.example"]


def test_each_mailbox_counts_once_in_the_first_spelling() -> None:
    named = named_recipients(
        letter("To: Bob@x.example\r\nCc: bob@X.example\r\nBcc: BOB@x.example, d@x.example, D@x.example\r\n")
    )
    assert (texts(named.visible), texts(named.blind)) == (["Bob@x.example"], ["d@x.example"])


@pytest.mark.parametrize("fields", ["", "Bcc:\r\n", "To: undisclosed-recipients:;\r\n", "To: (nobody)\r\n"])
def test_message_to_nobody(fields: str) -> None:
    assert named_recipients(letter(fields)) == NamedRecipients(visible=(), blind=())


@pytest.mark.parametrize("name", ["To", "Cc", "Bcc"])
def test_refuses_a_field_twice_and_one_that_must_be_guessed(name: str) -> None:
    with pytest.raises(MessageMalformed):
        named_recipients(letter(f"{name}: a@x.example\r\n{name}: b@x.example\r\n"))
    with pytest.raises(FieldMalformed, match=f"{name} cannot be read"):
        named_recipients(letter(f"{name}: a@b <c@x.example>\r\n"))


def test_narrowed_to_some_of_them_and_others() -> None:
    named = named_recipients(letter("To: a@x.example\r\nCc: b@x.example\r\nBcc: d@x.example\r\n"))
    wanted = named.narrowed(Mailbox.parse(text) for text in ("e@x.example", "B@x.example", "d@x.example"))
    assert texts(wanted.visible) == ["B@x.example"]
    assert texts(wanted.blind) == ["e@x.example", "d@x.example"]


# --- what they get ----------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("cipher", [ContentCipher.AES256_CBC, ContentCipher.AES128_CBC, ContentCipher.AES256_GCM])
@pytest.mark.parametrize("transport", KeyTransport)
def test_openssl_opens_it(bob: Person, openssl: OpenSsl, cipher: ContentCipher, transport: KeyTransport) -> None:
    sealed = seal_message(letter(), certificates=[bob.certificate], cipher=cipher, transport=transport)
    openssl.write("bob.pem", bob.certificate.pem)
    openssl.write("bob.key", pem_key(bob.key))
    done = openssl.run("cms -decrypt -recip bob.pem -inkey bob.key", stdin=sealed)
    assert done.stdout == b"Content-Type: text/plain; charset=us-ascii\r\n\r\n" + TEXT


@pytest.mark.parametrize(
    ("cipher", "kind"),
    [(ContentCipher.AES256_CBC, "enveloped-data"), (ContentCipher.AES256_GCM, "authEnveloped-data")],
)
def test_header_says_what_it_is(alice: Person, cipher: ContentCipher, kind: str) -> None:
    root = read_message(seal_message(letter(), certificates=[alice.certificate], cipher=cipher)).root
    assert root.content_type.media == "application/pkcs7-mime"
    assert root.content_type.get("smime-type") == kind
    assert (root.content_type.get("name"), root.filename) == ("smime.p7m", "smime.p7m")
    assert root.transfer_encoding == "base64"


def test_other_fields_stay_in_their_order_and_blind_ones_go(alice: Person) -> None:
    message = letter(
        "X-A: 1\r\nTo: b@x.example\r\nBcc: c@x.example\r\nX-B: 2\r\n folded\r\nResent-Bcc: d@x.example\r\n"
        "DKIM-Signature: x\r\nContent-Length: 7\r\n"
    )
    sealed = seal_message(message, certificates=[alice.certificate])
    assert [one.name for one in read_message(sealed).fields][:6] == [
        "from",
        "x-a",
        "to",
        "x-b",
        "subject",
        "mime-version",
    ]
    assert b"X-B: 2\r\n folded\r\n" in sealed
    assert b"c@x.example" not in sealed
    assert b"d@x.example" not in sealed
    assert prepare(message).changes == ("bcc-dropped", "dkim-dropped", "content-length-dropped")
    assert prepare(letter()).changes == ()


@pytest.mark.parametrize(
    "field", ["X-Bcc", "Delivered-To", "Envelope-To", "X-Original-To", "Apparently-To", "X-Envelope-To"]
)
def test_fields_that_tell_who_else_gets_it_are_left_out(alice: Person, field: str) -> None:
    message = letter(f"{field}: c@x.example\r\n")
    assert b"c@x.example" not in seal_message(message, certificates=[alice.certificate])
    assert prepare(message).changes == ("bcc-dropped",)


def test_there_is_one_mime_version(alice: Person) -> None:
    for fields in ("", "MIME-Version: 1.0\r\n"):
        sealed = seal_message(letter(fields), certificates=[alice.certificate])
        assert sealed.lower().count(b"mime-version") == 1


def test_every_line_is_fit_for_the_way(alice: Person) -> None:
    sealed = seal_message(letter(body=b"\xff\x00\n" * 500 + b"x" * 5000), certificates=[alice.certificate])
    assert sealed.isascii()
    assert b"\n" not in sealed.replace(b"\r\n", b"")
    assert max(map(len, sealed.split(b"\r\n"))) <= 78


def test_no_two_are_alike(alice: Person) -> None:
    assert len({seal_message(letter(), certificates=[alice.certificate]) for _ in range(3)}) == 3


def test_sealed_to_nobody_is_refused() -> None:
    with pytest.raises(RecipientsMissing):
        seal_message(letter(), certificates=[])


@pytest.mark.parametrize(
    "field",
    [
        "Received: from a by b for <Bob@X.example>; Tue, 24 Nov 2026 10:00:00 +0000",
        "Original-Recipient: rfc822;bob@x.example",
        "X-Forwarded-To: c@x.example,\r\n bob@x.example",
        "X-Any: to=bob@x.example.",
        "X-Ulabel: someone@b\u00fccher.example",
        'Resent-To: "B" (note) <bob@x.example>',
    ],
)
def test_field_in_which_a_blind_mailbox_stands_is_left_out(field: str) -> None:
    blind = [
        Mailbox.parse(text)
        for text in ("bob@x.example", "someone@xn--bcher-kva.example", "\u00c9va@b\u00fccher.example")
    ]
    message = letter(f"To: alice@x.example\r\n{field}\r\nX-Other: bobby@x.example, bob@x.example.org\r\n")
    prepared = prepare(message, blind=blind)
    assert prepared.changes == ("bcc-dropped",)
    assert field.split(":", maxsplit=1)[0].encode() not in prepared.header
    assert b"X-Other: bobby@x.example" in prepared.header
    assert prepare(message).changes == ()


def test_what_the_sender_shows_is_left_whoever_stands_in_it() -> None:
    message = letter("To: bob@x.example\r\nReply-To: bob@x.example\r\n")
    assert prepare(message, blind=[Mailbox.parse("bob@x.example")]).changes == ()


def test_sender_who_gets_a_blind_copy_hides_nothing() -> None:
    message = letter(
        "To: bob@x.example\r\nSubject: ticket of alice@campus.example\r\nDisposition-Notification-To: alice@campus.example\r\n"
    )
    assert prepare(message, blind=[Mailbox.parse("alice@campus.example")]).changes == ()


def test_what_is_written_by_hand_stays() -> None:
    message = letter("To: bob@x.example\r\nReferences: <carol@x.example>\r\nComments: for carol@x.example\r\n")
    assert prepare(message, blind=[Mailbox.parse("carol@x.example")]).changes == ()

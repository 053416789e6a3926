import email
import hashlib
import re
from datetime import timedelta
from email.message import Message as Parsed

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from formats.algorithms import Digest
from formats.errors import Refusal
from smime import transfer
from smime.cms.errors import CmsMalformed
from smime.cms.signed import SignerTemplate, read_signed_data
from smime.errors import (
    AlreadySigned,
    DateRefused,
    FromAbsent,
    FromAmbiguous,
    FromUnparseable,
    MessageMalformed,
    PartNotSafe,
    RootNotAllowed,
)
from smime.headers import write_date
from smime.message import read_message
from smime.sign import Form, SignedMessage, sign_message
from tests.smime.campus import NOW, Authority, OpenSsl, Person, person

FROM = "From: Alice <alice@campus.example>\n"
DATE = "Date: " + write_date(NOW).decode() + "\n"
HEADER = FROM + DATE + "Message-ID: <1@campus.example>\nMIME-Version: 1.0\n"


@pytest.fixture(scope="session")
def alice_rsa3072(issuing: Authority) -> Person:
    return person(issuing, rsa.generate_private_key(public_exponent=65_537, key_size=3072))


@pytest.fixture(params=["p256", "p384", "rsa3072"])
def signing(request: pytest.FixtureRequest, alice: Person, alice_p384: Person, alice_rsa3072: Person) -> Person:
    return {"p256": alice, "p384": alice_p384, "rsa3072": alice_rsa3072}[request.param]


def sign(
    text: str | bytes, by: Person, *, form: Form = Form.DETACHED, date: str = "refuse", late: timedelta = timedelta()
) -> SignedMessage:
    data = text.encode() if isinstance(text, str) else text
    return sign_message(read_message(data), signer=by.signer, form=form, now=NOW + late, date=date)


def fields(data: bytes) -> list[str]:
    return data.decode().partition("\r\n\r\n")[0].split("\r\n")


def signed_entity(signed: SignedMessage) -> Parsed:
    parts = email.message_from_bytes(signed.data).get_payload()
    assert isinstance(parts, list)
    assert len(parts) == 2
    assert isinstance(parts[0], Parsed)
    return parts[0]


MESSAGES: dict[str, tuple[bytes, bytes]] = {
    "text": (b"Content-Type: text/plain; charset=us-ascii\n", b"hello\r\n"),
    "without a type": (b"", b"hello\r\n"),
    "without a body": (b"", b""),
    "8-bit utf-8": (b"Content-Type: text/plain; charset=utf-8\n", "Gr\u00fc\u00dfe \u9999\u6e2f\r\n".encode()),
    "utf-8 that is not named": (b"", "Gr\u00fc\u00dfe\r\n".encode()),
    "latin-1": (b"Content-Type: text/html; charset=iso-8859-1\n", b"Gr\xfc\xdfe\r\n"),
    "trailing blanks": (b"", b"one \r\ntwo\t\r\n-- \r\nme\r\n"),
    "From and dots": (b"", b"From me\r\n.\r\nFrom you\r\n..\r\n."),
    "a lone CR": (b"", b"one\rtwo\r\n"),
    "long lines": (b"", b"word " * 400 + b"\r\n" + b"x" * 2000 + b"\r\n"),
    "blank lines at the end": (b"", b"hello\r\n\r\n\r\n\r\n"),
    "no line end at the end": (b"", b"hello"),
    "binary": (b"Content-Type: application/octet-stream\nContent-Transfer-Encoding: binary\n", bytes(range(256)) * 9),
    "lines of dashes": (b"", b"--\r\n-- \r\n" + b"-" * 200 + b"\r\n"),
}


@pytest.mark.parametrize("name", MESSAGES)
@pytest.mark.parametrize("form", Form)
def test_openssl_verifies_and_the_text_is_the_same(
    name: str, form: Form, alice: Person, root: Authority, openssl: OpenSsl
) -> None:
    header, body = MESSAGES[name]
    signed = sign(HEADER.encode() + header + b"\n" + body, alice, form=form)
    assert openssl.verifies(signed.data, anchor=root.certificate)
    content = openssl.read("verified")
    assert signed.content_sha256 == hashlib.sha256(content).hexdigest()
    assert transfer.is_safe(content)
    assert email.message_from_bytes(content).get_payload(decode=True) == body


NESTED = (
    HEADER.encode()
    + b"Content-Type: multipart/mixed; boundary=outer\nContent-Transfer-Encoding: 8bit\n\npreamble\n--outer\n"
    b"Content-Type: multipart/alternative; boundary=inner\nContent-Transfer-Encoding: 8bit\n\n"
    b"--inner\nContent-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: 8bit\n\nGr\xc3\xbc\xc3\x9fe \n\n"
    b"--inner\nContent-Type: text/html; charset=utf-8\nContent-Transfer-Encoding: 8bit\n\n<p>Gr\xc3\xbc\xc3\x9fe</p>\n"
    b"--inner--\n--outer\nContent-Type: application/pdf; name=a.pdf\nContent-Disposition: attachment; filename=a.pdf\n"
    b"Content-Transfer-Encoding: base64\n\nJVBERi0xLjQK\n--outer\nContent-Type: message/rfc822\n\n"
    b"From: b@campus.example\nSubject: forwarded\n\nFrom b\n--outer--\nepilogue\n"
)


@pytest.mark.parametrize("form", Form)
def test_openssl_verifies_nested_parts_by_every_kind_of_key(
    form: Form, signing: Person, root: Authority, openssl: OpenSsl
) -> None:
    signed = sign(NESTED, signing, form=form)
    assert openssl.verifies(signed.data, anchor=root.certificate)
    bodies = [one.get_payload(decode=True) for one in email.message_from_bytes(openssl.read("verified")).walk()]
    assert [body for body in bodies if body is not None] == [
        "Gr\u00fc\u00dfe \r\n".encode(),
        "<p>Gr\u00fc\u00dfe</p>".encode(),
        b"%PDF-1.4\n",
        b"From b",
    ]
    assert signed.changes == ("7bit", "quoted-printable")


def test_an_altered_copy_does_not_verify(alice: Person, root: Authority, openssl: OpenSsl) -> None:
    signed = sign(HEADER + "\nhello\n", alice)
    assert openssl.verifies(signed.data, anchor=root.certificate)
    assert not openssl.verifies(signed.data.replace(b"hello", b"hallo"), anchor=root.certificate)


def test_the_bytes_signed_are_the_bytes_sent(alice: Person) -> None:
    signed = sign(NESTED, alice)
    root = read_message(signed.data).root
    assert hashlib.sha256(root.children[0].raw).hexdigest() == signed.content_sha256
    assert (root.has_preamble, root.has_epilogue) == (False, False)


def test_the_signature_is_detached_and_its_octets_are_told(alice: Person) -> None:
    signed = sign(HEADER + "\nhello\n", alice)
    data = read_signed_data(read_message(signed.data).root.children[1].decoded_body())
    assert data.content is None
    assert data.signers[0].signature == signed.signature
    assert [certificate.subject for certificate in data.certificates] != []


def test_an_opaque_signature_holds_the_content(alice: Person) -> None:
    signed = sign(HEADER + "\nhello\n", alice, form=Form.OPAQUE)
    root = read_message(signed.data).root
    assert (root.content_type.media, root.content_type.get("smime-type")) == ("application/pkcs7-mime", "signed-data")
    assert root.filename == "smime.p7m"
    data = read_signed_data(root.decoded_body())
    assert hashlib.sha256(data.content or b"").hexdigest() == signed.content_sha256


def test_headers_are_those_of_the_standard(signing: Person) -> None:
    root = read_message(sign(HEADER + "\nhello\n", signing).data).root
    assert root.content_type.media == "multipart/signed"
    assert root.content_type.get("protocol") == "application/pkcs7-signature"
    digest = SignerTemplate.for_signer(signing.signer).digest
    assert root.content_type.get("micalg") == {Digest.SHA256: "sha-256", Digest.SHA384: "sha-384"}[digest]
    assert root.children[1].filename == "smime.p7s"
    assert root.children[1].transfer_encoding == "base64"


def test_fields_keep_their_bytes_and_order_and_content_fields_move_in(alice: Person) -> None:
    header = (
        "Received: from a\n\tby b; today\n" + DATE + "Subject:  =?utf-8?q?x?=\n =?utf-8?q?y?=  \n"
        "MIME-Version: 1.0 (as ever)\nContent-Type: text/html;\n\tcharset=utf-8\nX-Y: z\n"
        + FROM
        + "To: Zo\u00eb <zo\u00eb@campus.example>\nContent-Language: de\nBcc: c@campus.example\nMessage-ID: <1@x>\n"
    )
    signed = sign(header + "\nhello\n", alice)
    outside = [line for line in header.split("\n") if line and "ontent-" not in line and "charset" not in line]
    assert fields(signed.data)[:-2] == outside
    assert fields(signed.data)[-2].startswith("Content-Type: multipart/signed;")
    assert signed_entity(signed).items() == [
        ("Content-Type", "text/html;\r\n\tcharset=utf-8"),
        ("Content-Language", "de"),
    ]
    assert signed.changes == ()


def test_adds_what_is_missing_and_says_so(alice: Person) -> None:
    signed = sign("From: alice@Campus.Example\n", alice)
    assert signed.changes == ("date-added", "message-id-added")
    lines = fields(signed.data)
    assert lines[:2] == ["From: alice@Campus.Example", DATE.strip()]
    assert re.fullmatch(r"Message-ID: <[0-9a-f]{32}@campus\.example>", lines[2])
    assert lines[3] == "MIME-Version: 1.0"
    assert sign(FROM, alice).data != sign(FROM, alice).data  # each message has an id of its own


def test_drops_what_the_new_body_makes_stale(alice: Person) -> None:
    signed = sign("DKIM-Signature: v=1;\n b=x\nDKIM-Signature: v=1\nContent-Length: 6\n" + HEADER + "\nhello\n", alice)
    assert signed.changes == ("dkim-dropped", "content-length-dropped")
    assert fields(signed.data)[0] == FROM.strip()
    assert b"ontent-Length" not in signed.data


@pytest.mark.parametrize("late", [timedelta(hours=1), -timedelta(hours=1), timedelta()])
def test_takes_a_date_within_the_hour(late: timedelta, alice: Person) -> None:
    assert DATE.strip() in fields(sign(HEADER + "\n", alice, late=late).data)


@pytest.mark.parametrize("late", [timedelta(hours=1, seconds=1), -timedelta(hours=1, seconds=1)])
def test_refuses_a_date_that_is_further_away(late: timedelta, alice: Person) -> None:
    with pytest.raises(DateRefused):
        sign(HEADER + "\n", alice, late=late)


def test_refuses_a_date_that_is_none(alice: Person) -> None:
    with pytest.raises(DateRefused):
        sign(FROM + "Date: today\n\n", alice)


@pytest.mark.parametrize("old", ["Date: today\n", "Date: Tue, 24 Nov 1998 12:00:00 +0000\n", DATE])
def test_replaces_the_date_in_its_place_when_asked(old: str, alice: Person) -> None:
    signed = sign(old + FROM + "Message-ID: <1@x>\n\n", alice, date="now", late=timedelta(days=1))
    assert signed.changes == ("date-replaced",)
    assert fields(signed.data)[:2] == ["Date: Wed, 25 Nov 2026 12:00:00 +0000", FROM.strip()]


@pytest.mark.parametrize(
    ("header", "error"),
    [
        ("To: b@campus.example\n", FromAbsent),
        ("From: \n", FromAbsent),
        (FROM + FROM, FromAmbiguous),
        ("From: alice@campus.example, bob@campus.example\n", FromAmbiguous),
        ("From: Staff: alice@campus.example, bob@campus.example;\n", FromAmbiguous),
        ("From: Manager: alice@campus.example;\n", FromUnparseable),
        ("From: manager@big.example <alice@campus.example>\n", FromUnparseable),
        (FROM + DATE + DATE, MessageMalformed),
        (FROM + "MIME-Version: 1.0\nMime-version: 1.0\n", MessageMalformed),
        (FROM + "Content-Type: text/plain\nContent-Type: text/html\n", MessageMalformed),
        (FROM + "Content-Disposition: inline\nContent-Disposition: inline\n", MessageMalformed),
        (FROM + "Subject: one\nSubject: two\n", MessageMalformed),
        (FROM + "Sender: a@campus.example\nSender: b@campus.example\n", MessageMalformed),
        (FROM + "Content-Type: text/plain; a b; hp=clear\n", MessageMalformed),
        (FROM + "Content-Type: text/plain; hp=clear\n", RootNotAllowed),
        (FROM + 'Content-Type: text/plain; HP="cipher"\n', RootNotAllowed),
        (FROM + "Content-Type: text/plain; hp*=utf-8''clear\n", RootNotAllowed),
        (FROM + "Content-Type: text/plain; hp*0=cle; hp*1=ar\n", RootNotAllowed),
        (FROM + "Content-Type: multipart/mixed; boundary=b; protected-headers=v1\n", RootNotAllowed),
        (FROM + "Content-Type: message/rfc822\n", RootNotAllowed),
        (FROM + "Content-Type: Message/Global\n", RootNotAllowed),
        (FROM + "Content-Type: message/partial; id=x; number=1\n", RootNotAllowed),
        (FROM + "Content-Type: multipart/encrypted; boundary=b\n", RootNotAllowed),
        (FROM + "Content-Type: application/pkcs7-mime; smime-type=enveloped-data\n", RootNotAllowed),
        (FROM + "Content-Type: application/pkcs7-mime\n", RootNotAllowed),
        (FROM + "Content-Type: application/x-pkcs7-signature\n", RootNotAllowed),
        (FROM + "Content-Type: application/octet-stream; name=SMIME.P7M\n", RootNotAllowed),
        (
            FROM + "Content-Type: application/octet-stream\nContent-Disposition: attachment; filename=smime.p7m\n",
            RootNotAllowed,
        ),
        (FROM + 'Content-Type: application/octet-stream; name="smime.p7m "\n', RootNotAllowed),
        (
            FROM
            + "Content-Type: application/octet-stream; name=smime.P7M\n"
            + "Content-Disposition: attachment; filename=a.txt\n",
            RootNotAllowed,
        ),
        (FROM + "Content-Type: multipart/signed; boundary=b\n", AlreadySigned),
        (FROM + "Content-Type: application/x-pkcs7-mime; smime-type=Signed-Data\n", AlreadySigned),
        (FROM + "Content-Type: multipart/alternative; boundary=b\nContent-Description: \u00fc\n", PartNotSafe),
    ],
)
def test_refuses(header: str, error: type[Refusal], alice: Person) -> None:
    with pytest.raises(error):
        sign(header + "\n--b\n\none\n--b--\n", alice, date="now")


@pytest.mark.parametrize("form", Form)
def test_refuses_what_it_signed_itself(form: Form, alice: Person) -> None:
    with pytest.raises(AlreadySigned):
        sign(sign(HEADER + "\nhello\n", alice, form=form).data, alice)


def test_signs_a_signed_message_as_an_attachment(alice: Person, root: Authority, openssl: OpenSsl) -> None:
    inner = sign(HEADER + "\nhello\n", alice).data
    mixed = HEADER.encode() + b"Content-Type: multipart/mixed; boundary=o\n\n--o\nContent-Type: message/rfc822\n\n"
    signed = sign(mixed + inner + b"\n--o--\n", alice)
    assert inner in signed.data
    assert openssl.verifies(signed.data, anchor=root.certificate)
    assert signed.changes == ()


def test_never_signs_signed_attributes(alice: Person) -> None:
    attributes = (
        read_signed_data(read_message(sign(HEADER + "\nhello\n", alice).data).root.children[1].decoded_body())
        .signers[0]
        .signed_attributes
    )
    assert attributes is not None
    head = HEADER.encode() + b"Content-Type: application/octet-stream\nContent-Transfer-Encoding: binary\n\n"
    content = read_message(sign(head + attributes.encoded, alice).data).root.children[0].raw
    assert content.startswith(b"Content-Type: ")  # a MIME entity begins with a letter, and is no SET
    with pytest.raises(CmsMalformed):
        read_signed_data(content)


def test_the_boundary_is_not_in_the_content(alice: Person) -> None:
    signed = sign(HEADER + "\n" + "".join(f"--=_{n:032x}\n" for n in range(100)), alice)
    root = read_message(signed.data).root
    assert len(root.children) == 2
    assert root.content_type.get("boundary").encode() not in root.children[0].raw

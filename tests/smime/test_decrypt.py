from __future__ import annotations

import random
import re
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from formats.errors import Refusal
from smime.cms.ciphers import ContentCipher, ContentEncryption
from smime.cms.enveloped import OpenedContent, OpeningKey, open_content, seal_content
from smime.cms.errors import CmsMalformed, DecryptionFailed, NoKeyForMessage
from smime.cms.recipients import write_recipient
from smime.decrypt import INNER_LEFT_OUT, INNER_TAKEN, OpenedMail, open_sealed, read_sealed
from smime.encrypt import seal_message
from smime.errors import NotEncrypted
from smime.message import read_message
from smime.transfer import encode_base64
from tests.smime.campus import Person
from tests.smime.cms.sealing import CONTENT_KEY, encryption_with
from tests.smime.cms.sealing import sealed as put_together
from tests.smime.mails import ENTITY, HEAD, cms, detached, opaque

TEXT = ENTITY.partition(b"\r\n\r\n")[2]


def wrapped(
    der: bytes, *, head: bytes = HEAD, kind: str = "application/pkcs7-mime; smime-type=enveloped-data"
) -> bytes:
    return head + part(der, kind=kind)


def part(der: bytes, *, kind: str = "application/pkcs7-mime; smime-type=enveloped-data") -> bytes:
    fields = f'Content-Type: {kind}; name="smime.p7m"\r\nContent-Transfer-Encoding: base64\r\n\r\n'
    return fields.encode() + encode_base64(der)


def sealed(person: Person, content: bytes = ENTITY, **more: Any) -> bytes:
    return seal_content(content, certificates=[person.certificate], **more)


def opened(message: bytes, person: Person) -> OpenedMail:
    key = OpeningKey(certificate=person.certificate, key=person.key)
    return open_sealed(read_sealed(read_message(message)), keys=[key])


def garbage_key(encryption: ContentEncryption, encrypted: bytes) -> bytes:
    """A wrong content key to which CBC opens nevertheless, as one in 256 does: what comes out is garbage."""
    for number in range(100_000):
        key = number.to_bytes(32, "big")
        content = encryption.decrypt(encrypted, key=key)
        if content is not None and re.search(rb"[\x00-\x08]", content.partition(b":")[0]):
            return key
    raise AssertionError("no key opens to garbage")


# --- what is sealed ---------------------------------------------------------------------------------------------------
def test_opens_what_seal_message_seals(alice: Person, alice_rsa: Person) -> None:
    message = read_message(HEAD + b"MIME-Version: 1.0\r\n" + ENTITY)
    for person in (alice, alice_rsa):
        for cipher in (ContentCipher.AES256_CBC, ContentCipher.AES128_GCM):
            made = seal_message(message, certificates=[alice.certificate, alice_rsa.certificate], cipher=cipher)
            found = opened(made, person)
            assert (found.data, found.findings) == (message.raw, ())
            read = read_sealed(read_message(made))
            assert (read.enveloped.authenticated, read.is_signed_outside) == (cipher.is_authenticated, False)
            assert "Friday" not in repr(found) + repr(read)


@pytest.mark.parametrize(
    "kind",
    [
        "application/x-pkcs7-mime",
        "application/octet-stream",
        "APPLICATION/PKCS7-MIME; smime-type=authenveloped-data",
        "application/pkcs7-mime; smime-type=signed-data",
    ],
)
def test_what_the_octets_say_counts_and_not_the_label(alice: Person, kind: str) -> None:
    assert opened(wrapped(sealed(alice), kind=kind), alice).data.endswith(TEXT)


def test_signatures_around_are_taken_off(alice: Person, mallory: Person) -> None:
    entity = part(sealed(alice)).rstrip(b"\r\n")
    for message in (
        detached(cms(mallory, entity), content=entity),
        opaque(cms(mallory, entity, detached=False)),
        detached(b"".join([cms(alice, b"other")]), content=entity),  # whether it is good is for the report
    ):
        assert read_sealed(read_message(message)).is_signed_outside
        found = opened(message, alice)
        assert found.data.endswith(TEXT)
        assert b"pkcs7" not in found.data


def test_signatures_around_signatures(alice: Person) -> None:
    entity = part(sealed(alice)).rstrip(b"\r\n")
    once = opaque(cms(alice, entity, detached=False), head=b"")
    twice = opaque(cms(alice, once, detached=False))
    assert opened(twice, alice).data.endswith(TEXT)


def test_sealed_twice_opens_layer_by_layer(alice: Person) -> None:
    twice = wrapped(sealed(alice, part(sealed(alice))))
    once = opened(twice, alice).data
    assert opened(once, alice).data.endswith(TEXT)


def test_sealed_further_in_is_not_the_message(alice: Person) -> None:
    entity = part(sealed(alice))
    mixed = b"Content-Type: multipart/mixed; boundary=m\r\n\r\n--m\r\n" + entity + b"\r\n--m--\r\n"
    for message in (
        HEAD + mixed,
        HEAD + b"Content-Type: message/rfc822\r\n\r\n" + HEAD + entity,
        detached(cms(alice, mixed), content=mixed),
        opaque(cms(alice, mixed, detached=False)),
    ):
        with pytest.raises(NotEncrypted, match="only a part"):
            read_sealed(read_message(message))


def test_not_sealed_at_all(alice: Person) -> None:
    for message in (HEAD + ENTITY, detached(cms(alice)), opaque(cms(alice, detached=False))):
        with pytest.raises(NotEncrypted, match="the message is not sealed"):
            read_sealed(read_message(message))


def test_other_kinds_of_sealing_are_not_read_here() -> None:
    encrypted_data = bytes.fromhex("300f06092a864886f70d010706a0023000")
    with pytest.raises(CmsMalformed):
        read_sealed(read_message(wrapped(encrypted_data)))


# --- what was inside --------------------------------------------------------------------------------------------------
def test_header_outside_stays_and_content_fields_are_those_inside(alice: Person) -> None:
    head = b"X-First: 1\r\n" + HEAD + b"Content-Language: de\r\nMIME-Version: 1.0\r\nX-Last: 2\r\n"
    inner = b"Content-Language: en\r\n" + ENTITY
    assert opened(wrapped(sealed(alice, inner), head=head), alice).data == (
        b"X-First: 1\r\n" + HEAD + b"X-Last: 2\r\nMIME-Version: 1.0\r\n" + inner
    )


@pytest.mark.parametrize(
    ("inner", "head", "findings"),
    [
        (b"MIME-Version: 1.0\r\n", HEAD, ()),
        (b"Subject: other\r\n", HEAD, (INNER_LEFT_OUT,)),
        (b"Subject: other\r\n", b"From: a@x.example\r\n", (INNER_TAKEN,)),
        (b"Subject: other\r\nSubject: another\r\n", b"From: a@x.example\r\n", (INNER_LEFT_OUT,)),
        (b"Subject: other\r\nReceived: x\r\n", b"From: a@x.example\r\n", (INNER_TAKEN, INNER_LEFT_OUT)),
        (b"Return-Path: <>\r\n", HEAD, (INNER_LEFT_OUT,)),
    ],
)
def test_other_fields_inside(alice: Person, inner: bytes, head: bytes, findings: tuple[str, ...]) -> None:
    found = opened(wrapped(sealed(alice, inner + ENTITY), head=head), alice)
    assert found.findings == findings
    assert (b"Subject: other" in found.data) is (INNER_TAKEN in findings)
    assert b"another" not in found.data
    assert found.data.startswith(head)


def test_bare_line_feeds_inside_become_line_ends(alice: Person) -> None:
    assert opened(wrapped(sealed(alice, ENTITY.replace(b"\r\n", b"\n"))), alice).data.endswith(ENTITY)


def test_empty_plaintext_is_an_empty_message(alice: Person) -> None:
    assert opened(wrapped(sealed(alice, b"")), alice).data == HEAD + b"MIME-Version: 1.0\r\n\r\n"


@pytest.mark.parametrize(
    "content",
    [
        b"no header\0 at all",
        b"A: 1\rB: 2\r\n\r\nx",
        b"Content-Type: multipart/mixed\r\n\r\nx",
        b"Content-Type: text/plain\r\nContent-Type: text/html\r\n\r\nx",
        b"Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\nnever closed",
        b"X: " + b"y" * 300_000 + b"\r\n\r\n",
        b"Content-Type: message/rfc822\r\n\r\n" * 40,
    ],
    ids=range(7),
)
def test_plaintext_that_is_no_mime_entity_fails_like_all_else(alice: Person, content: bytes) -> None:
    with pytest.raises(DecryptionFailed) as caught:
        opened(wrapped(sealed(alice, content)), alice)
    assert (caught.value.detail, caught.value.__cause__) == ("the message cannot be opened", None)


def test_octets_of_chance_do_not_pass_for_a_message(alice: Person) -> None:
    """What one wrong key in 256 opens to under CBC."""
    chance = random.Random(1)
    for beginning in (b"", b"\n") * 50:
        with pytest.raises(DecryptionFailed):
            opened(wrapped(sealed(alice, beginning + chance.randbytes(chance.randint(90, 400)))), alice)


def test_text_with_an_empty_header_is_a_message(alice: Person) -> None:
    text = "\r\n你好\r\n".encode()
    assert opened(wrapped(sealed(alice, text)), alice).data.endswith(text)


def test_no_key_fits(alice: Person, mallory: Person) -> None:
    with pytest.raises(NoKeyForMessage):
        opened(wrapped(sealed(alice)), mallory)


@settings(max_examples=150, deadline=None)
@given(content=st.binary(max_size=300))
def test_any_plaintext_opens_or_fails_as_one(alice: Person, content: bytes) -> None:
    with suppress(DecryptionFailed):
        assert opened(wrapped(sealed(alice, content)), alice).data.startswith(HEAD)


@settings(max_examples=150, deadline=None)
@given(at=st.integers(min_value=0), octet=st.integers(0, 255))
def test_any_altered_octet_is_one_of_our_refusals(alice: Person, at: int, octet: int) -> None:
    der = bytearray(sealed(alice))
    der[at % len(der)] = octet
    with suppress(Refusal):
        opened(wrapped(bytes(der)), alice)


def test_a_broken_recipient_does_not_spoil_a_good_one(alice: Person, alice_rsa: Person) -> None:
    encryption = encryption_with(ContentCipher.AES256_CBC)
    encrypted = b"".join(encryption.encrypt(ENTITY, key=CONTENT_KEY)[0])
    wrong = write_recipient(alice.certificate, content_key=garbage_key(encryption, encrypted))
    good = write_recipient(alice_rsa.certificate, content_key=CONTENT_KEY)
    message = wrapped(put_together([wrong, good], encryption=encryption, encrypted=encrypted))
    keys = [OpeningKey(certificate=one.certificate, key=one.key) for one in (alice, alice_rsa)]
    found = open_sealed(read_sealed(read_message(message)), keys=keys)
    assert found.data.endswith(TEXT)
    assert found.certificate == alice_rsa.certificate
    with pytest.raises(DecryptionFailed):
        open_sealed(read_sealed(read_message(message)), keys=keys[:1])


def test_wrong_padding_is_read_like_the_rest_and_never_opens(alice: Person) -> None:
    """How long it takes to refuse must not tell that the padding was wrong; what is read is what was deciphered."""
    encryption = encryption_with(ContentCipher.AES256_CBC)
    encrypted = b"".join(encryption.encrypt(ENTITY + bytes(16), key=CONTENT_KEY)[0])[:-16]
    good = write_recipient(alice.certificate, content_key=CONTENT_KEY)
    message = read_message(wrapped(put_together([good], encryption=encryption, encrypted=encrypted)))
    keys = [OpeningKey(certificate=alice.certificate, key=alice.key)]
    sealed_mail = read_sealed(message)
    with pytest.raises(DecryptionFailed):
        open_sealed(sealed_mail, keys=keys)
    found: list[OpenedContent] = []
    with suppress(DecryptionFailed):
        found.extend(open_content(sealed_mail.enveloped, keys=keys))
    assert [(one.is_whole, one.data.startswith(ENTITY)) for one in found] == [(False, True)]

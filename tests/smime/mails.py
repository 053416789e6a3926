"""Mails as they arrive: signed by us or put together by hand around any CMS bytes."""

from __future__ import annotations

from datetime import datetime

from smime.cms.signed import SignerTemplate, sign_content
from smime.message import read_message
from smime.sign import Form, sign_message
from smime.transfer import encode_base64
from tests.smime.campus import ALICE, NOW, Person

ENTITY = b"Content-Type: text/plain; charset=us-ascii\r\n\r\nFees are due on Friday.\r\n"
DATE = b"Date: Tue, 24 Nov 2026 12:00:00 +0000\r\n"
INNER_FIELDS = b'Content-Type: multipart/signed; protocol="application/pkcs7-signature"; boundary=outer\r\n'
HEAD = b"From: alice@campus.example\r\nTo: all@campus.example\r\nSubject: Fees\r\n" + DATE


def signed_mail(
    signer: Person, *, form: Form = Form.DETACHED, sender: str = ALICE, body: bytes = ENTITY, now: datetime = NOW
) -> bytes:
    """Let our own signer make it."""
    plain = f"From: {sender}\r\nTo: all@campus.example\r\nSubject: Fees\r\nMIME-Version: 1.0\r\n".encode() + body
    return sign_message(read_message(plain), signer=signer.signer, form=form, now=now).data


def cms(signer: Person, content: bytes = ENTITY, *, detached: bool = True, now: datetime = NOW) -> bytes:
    template = SignerTemplate.for_signer(signer.signer)
    return sign_content(template, content=content, detached=detached, signing_time=now).der


def detached(
    signature: bytes,
    *,
    content: bytes = ENTITY,
    head: bytes = HEAD,
    kind: str = "application/pkcs7-signature",
    protocol: str = "application/pkcs7-signature",
    preamble: bytes = b"",
    epilogue: bytes = b"",
    further: bytes = b"",
) -> bytes:
    """Put content and signature side by side."""
    fields = f'Content-Type: multipart/signed; protocol="{protocol}"; micalg=sha-256; boundary=outer\r\n'.encode()
    return (head + b"MIME-Version: 1.0\r\n" if head else b"") + signed_part(
        fields, content, signature_part(signature, kind) + further, preamble=preamble, epilogue=epilogue
    )


def signed_part(fields: bytes, content: bytes, second: bytes, *, preamble: bytes = b"", epilogue: bytes = b"") -> bytes:
    lines = [fields, b"\r\n", preamble, b"--outer\r\n", content, b"\r\n--outer\r\n", second, b"\r\n--outer--\r\n"]
    return b"".join([*lines, epilogue])


def signature_part(signature: bytes, kind: str = "application/pkcs7-signature") -> bytes:
    fields = f"Content-Type: {kind}; name=smime.p7s\r\nContent-Transfer-Encoding: base64\r\n\r\n".encode()
    return fields + encode_base64(signature).rstrip(b"\r\n")


def opaque(signature: bytes, *, head: bytes = HEAD, kind: str = "application/pkcs7-mime; name=smime.p7m") -> bytes:
    fields = f"MIME-Version: 1.0\r\nContent-Type: {kind}\r\nContent-Transfer-Encoding: base64\r\n\r\n".encode()
    return head + fields + encode_base64(signature)


def mixed(*parts: bytes, head: bytes = HEAD) -> bytes:
    fields = b"MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=around\r\n\r\n" if head else b""
    fields = fields or b"Content-Type: multipart/mixed; boundary=around\r\n\r\n"
    return head + fields + b"".join(b"--around\r\n" + part + b"\r\n" for part in parts) + b"--around--\r\n"


def inner(signer: Person, content: bytes = ENTITY) -> bytes:
    """Make a signed part of a message."""
    return signed_part(INNER_FIELDS, content, signature_part(cms(signer, content)))

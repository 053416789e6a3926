"""The MIME around CMS, as mail programs write and take it off; with nothing of the service's own."""

from __future__ import annotations

import base64
import email
import re
from datetime import UTC, datetime
from email.utils import format_datetime

ENTITY = b"Content-Type: text/plain; charset=us-ascii\r\n\r\nThe library is closed on Friday.\r\n"


def taken_apart(message: bytes) -> tuple[bytes, bytes | None]:
    """The CMS in DER or BER, and the exact octets of the signed entity if they stand beside it."""
    parsed = email.message_from_bytes(message)
    if parsed.get_content_type() != "multipart/signed":
        assert parsed.get_content_type() == "application/pkcs7-mime", message[:500]
        return base64.b64decode(message.split(b"\r\n\r\n", 1)[1]), None
    boundary = str(parsed.get_boundary()).encode()
    _, content, signature, _ = re.split(rb"(?:^|\r\n)--" + re.escape(boundary) + rb"(?:--)?[ \t]*(?:\r\n|$)", message)
    return base64.b64decode(signature.split(b"\r\n\r\n", 1)[1]), content


def signed_mail(cms: bytes, content: bytes | None, *, sender: str) -> bytes:
    """A mail of now around a signature; detached if the content is given."""
    if content is None:
        return _head(sender) + _pkcs7("signed-data", cms)
    return _head(sender) + multipart(cms, content)


def multipart(cms: bytes, content: bytes) -> bytes:
    """The multipart/signed of an entity and its signature."""
    return (
        b'Content-Type: multipart/signed; protocol="application/pkcs7-signature"; micalg=sha-256; boundary="sig"\r\n'
        b"\r\n--sig\r\n" + content + b'\r\n--sig\r\nContent-Type: application/pkcs7-signature; name="smime.p7s"\r\n'
        b"Content-Transfer-Encoding: base64\r\n\r\n" + _base64(cms) + b"\r\n--sig--\r\n"
    )


def sealed_mail(cms: bytes, *, sender: str, kind: str = "enveloped-data") -> bytes:
    """A mail of now around sealed content."""
    return _head(sender) + _pkcs7(kind, cms)


def _head(sender: str) -> bytes:
    date = format_datetime(datetime.now(UTC))
    return (
        f"From: {sender}\r\nTo: all@campus.example\r\nSubject: Library\r\nDate: {date}\r\n"
        "Message-ID: <2@campus.example>\r\nMIME-Version: 1.0\r\n"
    ).encode()


def _pkcs7(kind: str, cms: bytes) -> bytes:
    return (
        f'Content-Type: application/pkcs7-mime; smime-type={kind}; name="smime.p7m"\r\n'
        "Content-Transfer-Encoding: base64\r\n\r\n"
    ).encode() + _base64(cms)


def _base64(cms: bytes) -> bytes:
    return base64.encodebytes(cms).replace(b"\n", b"\r\n")

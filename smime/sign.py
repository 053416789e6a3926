"""Sign a mail: make it fit for the way, sign it, and wrap it so that the bytes signed are the bytes sent (RFC 8551)."""

from __future__ import annotations

import hashlib
import secrets
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from formats.algorithms import Digest
from formats.mailbox import Mailbox
from smime import canonical, transfer
from smime.cms.signed import SignedContent, SignerTemplate, sign_content
from smime.entity import Entity, Field
from smime.errors import (
    AlreadySigned,
    DateRefused,
    FieldMalformed,
    FromAmbiguous,
    FromUnparseable,
    MessageMalformed,
    RootNotAllowed,
)
from smime.headers import has_group, write_date
from smime.message import Message
from smime.signer import Signer

MAX_DATE_DISTANCE: Final = timedelta(hours=1)  # Thunderbird distrusts a signature beyond it

# RFC 5322 3.6: none of these may stand twice. Two From fields have an error of their own.
_SINGLE: Final = frozenset(
    {"date", "sender", "reply-to", "to", "cc", "bcc", "message-id", "in-reply-to", "references", "subject"}
    | {"mime-version", "content-disposition", "content-id", "content-description"}
)
_PKCS7: Final = frozenset({"pkcs7-mime", "x-pkcs7-mime", "pkcs7-signature", "x-pkcs7-signature"})
_PKCS7_NAMES: Final = (".p7m", ".p7s", ".p7c", ".p7z")
_MICALG: Final = {Digest.SHA256: b"sha-256", Digest.SHA384: b"sha-384", Digest.SHA512: b"sha-512"}  # RFC 8551 3.5.3.2


class Form(StrEnum):
    """How the signature travels: beside the content, which every mail program shows, or around it."""

    DETACHED = "detached"
    OPAQUE = "opaque"


@dataclass(frozen=True, slots=True, kw_only=True)
class SignedMessage:
    """A signed mail with CRLF, what was changed for it, the signature's octets, and the SHA-256 of what is signed."""

    data: bytes = field(repr=False)
    changes: tuple[str, ...]
    signature: bytes = field(repr=False)
    content_sha256: str


def sign_message(message: Message, *, signer: Signer, form: Form, now: datetime, date: str = "refuse") -> SignedMessage:
    """Sign a message in its sender's name.

    `date` is `refuse`, or `now` to replace the field. Whether the signer may use the sender's name is the caller's
    affair.

    (1) refuse more or less than one sender, and fields twice that may stand once
    (2) refuse a Date more than an hour from now, unless it is to be replaced
    (3) refuse a root that is signed already, or whose signature would be good for something else
    (4) take the body with its Content fields and make it safe for every relay
    (5) sign these bytes
    (6) keep all other fields as they are and in their order, add what is missing
    (7) put it together around the very bytes that were signed
    """
    sender = _sender(message)  # (1)
    _require_single_fields(message)
    if date != "now":  # (2)
        _require_present_date(message, now)
    _require_plain_root(message.root)  # (3)
    content, encodings = canonical.make_seven_bit_safe(  # (4)
        message.root, fields=canonical.inner_fields(message.root)
    )
    template = SignerTemplate.for_signer(signer)  # (5)
    signed = sign_content(template, content=content, detached=form is Form.DETACHED, signing_time=now)
    header, additions = _outer_header(message, sender=sender, now=now, replace_date=date == "now")  # (6)
    wrap = _detached if form is Form.DETACHED else _opaque  # (7)
    return SignedMessage(
        data=b"".join([*header, *wrap(content, signed, template.digest)]),
        changes=(*additions, *encodings),
        signature=signed.signature,
        content_sha256=hashlib.sha256(content).hexdigest(),
    )


def _sender(message: Message) -> Mailbox:
    senders = message.senders()
    if len(senders) > 1:
        raise FromAmbiguous("From names several mailboxes")
    if any(has_group(one.value) for one in message.root.get("from")):  # its name would be shown as the sender's
        raise FromUnparseable("From names a group")
    return senders[0]


def _require_single_fields(message: Message) -> None:
    counts = Counter(one.name for one in message.fields)
    twice = sorted(name for name in _SINGLE if counts[name] > 1)
    if twice:
        raise MessageMalformed(f"the field {twice[0]} twice")


def _require_present_date(message: Message, now: datetime) -> None:
    try:
        claimed = message.date()
    except FieldMalformed as error:
        raise DateRefused(f"Date cannot be read: {error.detail}") from error
    if claimed is not None and abs(claimed - now) > MAX_DATE_DISTANCE:
        raise DateRefused("Date is more than an hour from now")


def _require_plain_root(root: Entity) -> None:
    """Keep from signing what reads as a signature over something else (RFC 9788 and its forerunners)."""
    kind = root.content_type
    names = (root.filename, kind.get("name"))  # mail programs differ in which of them counts
    is_named = any(name.strip().lower().endswith(_PKCS7_NAMES) for name in names)
    is_pkcs7 = kind.type == "application" and (kind.subtype in _PKCS7 or is_named)
    if kind.media == "multipart/signed" or (is_pkcs7 and kind.get("smime-type").lower() == "signed-data"):
        raise AlreadySigned("the message is signed already")
    if is_pkcs7 or kind.type == "message" or kind.media == "multipart/encrypted":
        raise RootNotAllowed(f"a message of the type {kind.media} is not signed")
    if "hp" in kind.parameters or "protected-headers" in kind.parameters:
        raise RootNotAllowed("the Content-Type claims header fields that are protected")
    if not root.is_readable:  # one of those may stand where we cannot see it
        raise MessageMalformed("the Content-Type of the message cannot be read")


def _outer_header(
    message: Message, *, sender: Mailbox, now: datetime, replace_date: bool
) -> tuple[list[bytes], list[str]]:
    changes: list[str] = []
    date = b"Date: " + write_date(now) + b"\r\n"
    lines: list[bytes] = []
    for one in canonical.outer_fields(message.root):
        if one.name == "dkim-signature":  # stale, since the body changes
            changes.append("dkim-dropped")
        elif one.name == "date" and replace_date:
            changes.append("date-replaced")
            lines.append(date)
        else:
            lines.append(_whole(one))
    if message.root.get("content-length"):  # an mbox's count of the old body
        changes.append("content-length-dropped")
    present = {one.name for one in message.fields}
    added = {
        "date": date,
        "message-id": f"Message-ID: <{secrets.token_hex(16)}@{sender.domain}>\r\n".encode("ascii"),
        "mime-version": b"MIME-Version: 1.0\r\n",
    }
    missing = [name for name in added if name not in present]
    changes += [f"{name}-added" for name in missing if name != "mime-version"]
    return [*lines, *(added[name] for name in missing)], list(dict.fromkeys(changes))


def _whole(one: Field) -> bytes:
    """The field with the CRLF that the last line of a message without body may lack."""
    return one.raw if one.raw.endswith(b"\r\n") else one.raw + b"\r\n"


def _detached(content: bytes, signed: SignedContent, digest: Digest) -> Iterable[bytes]:
    boundary = _boundary(content)
    return [
        b'Content-Type: multipart/signed; protocol="application/pkcs7-signature";\r\n',
        b" micalg=" + _MICALG[digest] + b'; boundary="' + boundary + b'"\r\n\r\n',
        b"--" + boundary + b"\r\n",
        content,
        b"\r\n--" + boundary + b"\r\n",
        b'Content-Type: application/pkcs7-signature; name="smime.p7s"\r\n',
        b"Content-Transfer-Encoding: base64\r\n",
        b'Content-Disposition: attachment; filename="smime.p7s"\r\n\r\n',
        transfer.encode_base64(signed.der),
        b"--" + boundary + b"--\r\n",
    ]


def _opaque(content: bytes, signed: SignedContent, digest: Digest) -> Iterable[bytes]:  # noqa: ARG001 - as _detached
    return [
        b'Content-Type: application/pkcs7-mime; smime-type=signed-data;\r\n name="smime.p7m"\r\n',
        b"Content-Transfer-Encoding: base64\r\n",
        b'Content-Disposition: attachment; filename="smime.p7m"\r\n\r\n',
        transfer.encode_base64(signed.der),
    ]


def _boundary(content: bytes) -> bytes:
    """A boundary that the content does not hold; `=_` cannot stand in quoted-printable or base64 (RFC 2045 6.7)."""
    candidates = iter(lambda: b"=_" + secrets.token_hex(16).encode("ascii"), None)
    return next(boundary for boundary in candidates if boundary not in content)

"""Notices: a fact becomes a mail, in plain text, to the one whom it is told."""

from __future__ import annotations

import unicodedata
from datetime import datetime
from email.header import Header
from typing import Final

from formats.mailbox import Mailbox
from services import outbox
from services.context import Context
from services.outbox import Fact
from services.words import letters
from services.words.letters import Campus, Issued, Text
from smime.headers import write_date
from smime.transfer import encode_quoted_printable, is_safe

MAX_VALUE: Final = 500


def compose(context: Context, fact: Fact, *, row_id: str, now: datetime) -> bytes:
    """The mail that tells a fact, unsigned; its Message-ID is always the same for the same row."""
    text = _text(context, fact)
    sender = outbox.our_mailbox(context)
    body = text.body.replace("\n", "\r\n").encode()
    encoding = b"7bit" if is_safe(body) else b"quoted-printable"
    fields = (
        b"From: " + _name(context.issuers.campus.campus_name) + _in_brackets(sender),
        b"To: " + _in_brackets(fact.mailbox),
        b"Subject: " + _words("Subject", text.subject),
        b"Date: " + write_date(now),
        f"Message-ID: <{row_id}@{sender.domain}>".encode("ascii"),
        # RFC 3834 5: so that no holiday notice answers it.
        b"Auto-Submitted: auto-generated",
        b"MIME-Version: 1.0",
        b"Content-Type: text/plain; charset=utf-8",
        b"Content-Transfer-Encoding: " + encoding,
    )
    return b"\r\n".join((*fields, b"", body if encoding == b"7bit" else encode_quoted_printable(body)))


def plain(text: str) -> str:
    """One line without anything that nobody can see: controls, line ends, marks that turn the direction of reading."""
    seen = (" " if unicodedata.category(one)[0] == "C" or one in "\u2028\u2029" else one for one in text[:MAX_VALUE])
    return " ".join("".join(seen).split())


def _text(context: Context, fact: Fact) -> Text:
    """The words for a fact, whose details are harmless from here on."""
    details = {name: plain(value) for name, value in fact.details.items()}
    settings = context.settings
    campus = Campus(
        name=plain(context.issuers.campus.campus_name),
        public_url=settings.public_url,
        help_email=settings.help_email,
        help_url=settings.help_url,
    )
    address = fact.mailbox.unicode
    match fact.kind:
        case "enrolment_link":
            return letters.enrolment_link(campus, address=address, link=details["link"], minutes=details["minutes"])
        case "certificate_issued":
            return letters.certificate_issued(campus, address=address, issued=_issued(details))
    raise ValueError(f"no words for a fact of the kind {fact.kind}")


def _issued(details: dict[str, str]) -> Issued:
    return Issued(
        serial=details["serial"],
        subject=details["subject"],
        use=details["use"],
        until=datetime.fromisoformat(details["not_after"]),
        proof=details["proof"],
        by=details.get("by", ""),
        sha256=details["sha256"],
    )


def _name(name: str) -> bytes:
    """A display name: in quotes, or encoded (RFC 5322 3.2.5, RFC 2047 5)."""
    if name.isascii():
        escaped = plain(name).replace("\\", "\\\\").replace('"', '\\"')
        return f'"{escaped}" '.encode("ascii")
    return _words("From", plain(name)) + b"\r\n "


def _words(field: str, text: str) -> bytes:
    """Text of a field, in lines of at most 76 characters, encoded where it is not ASCII."""
    charset = "us-ascii" if text.isascii() else "utf-8"
    return Header(text, charset, maxlinelen=76, header_name=field).encode(linesep="\r\n").encode("ascii")


def _in_brackets(mailbox: Mailbox) -> bytes:
    """An address, which is read whole and so holds nothing that ends the field; UTF-8 stays as it is (RFC 6532)."""
    return f"<{mailbox}>".encode()

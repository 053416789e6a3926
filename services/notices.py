"""Notices: a fact becomes a mail, in plain text, to the one whom it is told."""

from __future__ import annotations

from datetime import datetime
from email.header import Header
from typing import Final

from formats.mailbox import Mailbox
from services import outbox
from services.certificates import LINK_PROFILES
from services.context import Context
from services.outbox import Fact
from services.words import letters, visible
from services.words.letters import Campus, Issued, Text
from smime.headers import write_date
from smime.transfer import encode_quoted_printable, is_safe

MAX_VALUE: Final = 500
# Longer words cannot be folded into lines of a field, and so are encoded.
_MAX_WORD: Final = 60
# Most mail programs decode it even where RFC 2047 forbids that, within quotes.
_ENCODED_WORD: Final = "=?"


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


def _text(context: Context, fact: Fact) -> Text:
    """The words for a fact, whose details are harmless from here on."""
    details = {name: _plain(value) for name, value in fact.details.items()}
    settings = context.settings
    campus = Campus(
        name=_plain(context.issuers.campus.campus_name),
        public_url=settings.public_url,
        help_email=settings.help_email,
        help_url=settings.help_url,
    )
    address = visible.address(fact.mailbox)
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
        has_button=details.get("profile", LINK_PROFILES[0]) in LINK_PROFILES,
        is_kept=bool(details.get("is_kept")),
    )


def _plain(text: str) -> str:
    return visible.plain(text, limit=MAX_VALUE)


def _name(name: str) -> bytes:
    """A display name: in quotes, or encoded (RFC 5322 3.2.5, RFC 2047 5)."""
    shown = _plain(name)
    if not _is_literal(shown):
        return _words("From", shown) + b"\r\n "
    escaped = shown.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}" '.encode("ascii")


def _words(field: str, text: str) -> bytes:
    """Text of a field, in lines of at most 76 characters, encoded unless every mail program shows it as it is."""
    charset = "us-ascii" if _is_literal(text) else "utf-8"
    return Header(text, charset, maxlinelen=76, header_name=field).encode(linesep="\r\n").encode("ascii")


def _is_literal(text: str) -> bool:
    return text.isascii() and _ENCODED_WORD not in text and all(len(word) <= _MAX_WORD for word in text.split())


def _in_brackets(mailbox: Mailbox) -> bytes:
    """An address, which is read whole and so holds nothing that ends the field; UTF-8 stays as it is (RFC 6532)."""
    return f"<{mailbox}>".encode()

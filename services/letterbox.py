"""Letterbox, the folder in which letters lie where there is no relay: for the page that the demo shows."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from email import message_from_bytes, policy
from email.errors import MessageError
from email.message import Message
from typing import Final

from formats.mailbox import Mailbox, MailboxError
from net.folder import Folder
from services.context import Context

SHOWN: Final = 20
MAX_LETTER: Final = 64 * 1024
_LINK: Final = re.compile(r"^https?://[!-~]{1,500}$", re.MULTILINE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Letter:
    """A letter as it lies in the folder; `links` are those that stand in a line of their own."""

    id: str
    mailbox: Mailbox
    subject: str
    at: datetime
    text: str
    links: tuple[str, ...]


def demo_letters(context: Context, limit: int = SHOWN) -> list[Letter]:
    """The newest letters in the folder, newest first; none where a relay takes them, or in production."""
    if not isinstance(context.outgoing, Folder) or not context.issuers.campus.demo:
        return []
    files = context.outgoing.newest(limit, octets=MAX_LETTER)
    letters = (_read(letter_id, data) for letter_id, data in files)
    return [letter for letter in letters if letter is not None]


def _read(letter_id: str, data: bytes) -> Letter | None:
    """The letter, or None for what is none of ours: anybody with access to the folder may have laid it there."""
    try:
        message = message_from_bytes(data, policy=policy.default)
        part = message.get_body(("plain",))
        if part is None:
            return None
        text = str(part.get_content()).replace("\r\n", "\n")
        return Letter(
            id=letter_id,
            mailbox=_recipient(message),
            subject=str(message["subject"]),
            at=message["date"].datetime.astimezone(UTC),
            text=text,
            links=tuple(_LINK.findall(text)),
        )
    except (MailboxError, MessageError, ValueError, LookupError, AttributeError, TypeError, RecursionError):
        return None


def _recipient(message: Message) -> Mailbox:
    """The one in To, with a local part that looks like an encoded word left as it is (RFC 2047 5)."""
    (value,) = [value for name, value in message.raw_items() if name.lower() == "to"]
    return Mailbox.parse(str(value).encode("ascii", "surrogateescape").decode().strip().strip("<>"))

"""Message, a mail read once: raw bytes, root entity, header fields (RFC 5322)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from formats.mailbox import Mailbox
from smime.entity import Entity, Field, read_entity
from smime.errors import (
    FieldMalformed,
    FromAbsent,
    FromAmbiguous,
    FromUnparseable,
    MessageMalformed,
    MessageTooLarge,
)
from smime.headers import read_date, read_mailboxes
from smime.source import Source

MAX_MESSAGE: Final = 25 * 1024 * 1024
# RFC 5322 2.1.1 wants lines of at most 998 octets; a mail of one line is shorter than this, if there is any.
LONGEST_LINE: Final = 200


@dataclass(frozen=True, slots=True)
class Message:
    """A mail; also the one within a forwarding part, as `Message(entity.children[0])`."""

    root: Entity

    @property
    def raw(self) -> bytes:
        """All of it, with CRLF at every line's end."""
        return self.root.raw

    @property
    def fields(self) -> tuple[Field, ...]:
        """The header fields in their order."""
        return self.root.fields

    def senders(self) -> tuple[Mailbox, ...]:
        """Every mailbox of the one From field.

        FromAbsent where there is none, FromAmbiguous where the field stands twice, FromUnparseable where it cannot
        be read without guessing.
        """
        found = self.root.get("from")
        if len(found) > 1:
            raise FromAmbiguous("several From fields")
        try:
            mailboxes = read_mailboxes(found[0].value) if found else ()
        except FieldMalformed as error:
            raise FromUnparseable(f"From cannot be read: {error.detail}") from error
        if not mailboxes:
            raise FromAbsent("no From field that names a mailbox")
        return mailboxes

    def date(self) -> datetime | None:
        """The moment that Date claims, None without the field; FieldMalformed where it stands twice or is none."""
        found = self.root.get("date")
        if len(found) > 1:
            raise FieldMalformed("several Date fields")
        return read_date(found[0].value) if found else None


def read_message(data: bytes, *, limit: int = MAX_MESSAGE) -> Message:
    """Read a mail of at most `limit` octets; a bare LF is read as CRLF, and what is not structure is left as it is.

    MessageTooLarge, HeaderTooLarge, TooManyParts and NestedTooDeep beyond the limits, MessageMalformed where the
    structure cannot be trusted (smime.entity says when).
    """
    if len(data) > limit:
        raise MessageTooLarge(f"a message of more than {limit} octets")
    if not data.strip():
        raise MessageMalformed("an empty message")
    if len(data) > LONGEST_LINE and b"\n" not in data:
        # What comes first of all mistakes: a program on the way took the line breaks out.
        raise MessageMalformed("there is no line break in it; `curl -d` takes them out, `curl --data-binary` does not")
    return Message(read_entity(Source(data)))

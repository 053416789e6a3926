"""Letter, a mail with its envelope: who it is from, whom it is for, and its octets."""

from __future__ import annotations

from dataclasses import dataclass, field

from formats.mailbox import Mailbox


@dataclass(frozen=True, slots=True, kw_only=True)
class Letter:
    """One mail for one mailbox; `id` is a name that no other letter has, and safe as a file's."""

    id: str
    sender: Mailbox
    recipient: Mailbox = field(repr=False)
    data: bytes = field(repr=False)

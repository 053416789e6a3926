"""Recipient, a mailbox that a message goes to, with the certificates to which it is sealed for it."""

from __future__ import annotations

from dataclasses import dataclass

from formats.certificate import Certificate
from formats.mailbox import Mailbox


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipient:
    """A mailbox and all of its certificates: its owner may read mail with any of their keys."""

    mailbox: Mailbox
    certificates: tuple[Certificate, ...]

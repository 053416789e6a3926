"""Reason, why a certificate was revoked (RFC 5280 5.3.1): the five that are used here."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import Final

from ca.errors import ReasonNotAllowed


class Reason(StrEnum):
    """A reason by its name in RFC 5280; there is no hold, and never `unspecified` (SBR 7.2.2)."""

    KEY_COMPROMISE = "keyCompromise"
    AFFILIATION_CHANGED = "affiliationChanged"
    SUPERSEDED = "superseded"
    CESSATION_OF_OPERATION = "cessationOfOperation"
    PRIVILEGE_WITHDRAWN = "privilegeWithdrawn"

    @property
    def code(self) -> int:
        """Its CRLReason number."""
        return _CODES[self]


_CODES: Final[Mapping[Reason, int]] = MappingProxyType(
    {
        Reason.KEY_COMPROMISE: 1,
        Reason.AFFILIATION_CHANGED: 3,
        Reason.SUPERSEDED: 4,
        Reason.CESSATION_OF_OPERATION: 5,
        Reason.PRIVILEGE_WITHDRAWN: 9,
    }
)

WORDS: Final[Mapping[str, Reason]] = MappingProxyType(
    {
        "stolen": Reason.KEY_COMPROMISE,
        "left": Reason.AFFILIATION_CHANGED,
        "replaced": Reason.SUPERSEDED,
        "stopped": Reason.CESSATION_OF_OPERATION,
        "withdrawn": Reason.PRIVILEGE_WITHDRAWN,
    }
)


def parse(text: str) -> Reason:
    """The reason of this name, exactly as RFC 5280 spells it."""
    try:
        return Reason(text)
    except ValueError:
        raise ReasonNotAllowed(f"the reason is not one of {', '.join(Reason)}") from None


def parse_word(text: str) -> Reason:
    """The reason of this name or plain word (`stolen`, `left`, `replaced`, `stopped`, `withdrawn`)."""
    try:
        return WORDS.get(text) or parse(text)
    except ReasonNotAllowed:
        raise ReasonNotAllowed(f"the reason is not one of {', '.join([*WORDS, *Reason])}") from None


def may_upgrade(old: Reason, new: Reason) -> bool:
    """Whether a revocation may still change so: only to keyCompromise, since the door is one-way."""
    return new is Reason.KEY_COMPROMISE and old is not Reason.KEY_COMPROMISE

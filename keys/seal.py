"""Sealed, what the vault makes of a secret, and the Label that says whose secret it is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

_CONTEXT: Final = "mailseal sealed secret"


@dataclass(frozen=True, slots=True, kw_only=True)
class Label:
    """Which row a secret belongs to; authenticated, not stored with it, so a sealed secret opens in its row alone."""

    key_id: str
    owner: str
    purpose: str
    version: int = 1

    @property
    def octets(self) -> bytes:
        """The canonical encoding: each part behind its length in four octets, so no two labels encode alike."""
        parts = (_CONTEXT, str(self.version), self.key_id, self.owner, self.purpose)
        return b"".join(len(part).to_bytes(4, "big") + part for part in (each.encode() for each in parts))


@dataclass(frozen=True, slots=True, kw_only=True)
class Sealed:
    """A secret under a data key of its own, and that data key under the KEK: safe to store.

    `wrapped_key` is AES key wrap with padding (RFC 5649); `ciphertext` is AES-256-GCM: nonce of 12 octets, the
    encrypted secret, tag of 16 octets.
    """

    kek_id: str
    wrapped_key: bytes
    ciphertext: bytes

    def __repr__(self) -> str:
        return f"<Sealed {len(self.ciphertext)} octets under {self.kek_id}>"

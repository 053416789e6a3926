"""Vault, what seals secrets under the key-encryption key (KEK) and keeps opened private keys for a while."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final, NoReturn, Self

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.keywrap import (
    InvalidUnwrap,
    aes_key_unwrap_with_padding,
    aes_key_wrap_with_padding,
)

from keys.errors import KekMalformed, KekWrong, KeyFileMalformed, KeyKindRefused, SealBroken
from keys.kek import SIZE, create_kek, kek_id, read_kek
from keys.seal import Label, Sealed
from keys.shelf import Shelf
from keys.software import PrivateKey, load_pkcs8

__all__ = ["Label", "Sealed", "Vault"]

KEPT_KEYS: Final = 256
KEPT_SECONDS: Final = 900.0

_NONCE: Final = 12
_TAG: Final = 16
_WRAPPED: Final = SIZE + 8  # RFC 5649 4.1: one block of eight octets more than the key


class Vault:
    """Seals and opens secrets; keeps at most `size` loaded private keys, each for at most `seconds`.

    Safe for threads. Neither it nor anything it raises shows a secret, and it cannot be copied or pickled.
    """

    __slots__ = ("_kek", "_shelf", "kek_id")

    def __init__(
        self,
        kek: bytes,
        *,
        size: int = KEPT_KEYS,
        seconds: float = KEPT_SECONDS,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self.kek_id: Final = kek_id(kek)
        if len(kek) != SIZE:
            del kek
            raise KekMalformed(f"a key-encryption key has {SIZE} octets")
        self._kek = kek
        self._shelf = Shelf(size=size, seconds=seconds, monotonic=monotonic)

    @classmethod
    def from_file(cls, path: Path) -> Self:
        """The vault of the KEK in this file; raises KekMissing, KekUnsafe, KekUnreadable and KekMalformed."""
        return cls(read_kek(path))

    @classmethod
    def create_file(cls, path: Path) -> Self:
        """The vault of the KEK in this file, made first if it is not there; several processes may call it at once."""
        return cls(create_kek(path))

    def __repr__(self) -> str:
        return f"<Vault {self.kek_id}>"

    def __reduce_ex__(self, _protocol: object) -> NoReturn:
        raise TypeError("a vault is not copied or pickled")

    def seal(self, plaintext: bytes, *, label: Label) -> Sealed:
        """Seal a secret for the row that the label names."""
        data_key = secrets.token_bytes(SIZE)
        nonce = secrets.token_bytes(_NONCE)
        return Sealed(
            kek_id=self.kek_id,
            wrapped_key=aes_key_wrap_with_padding(self._kek, data_key),
            ciphertext=nonce + AESGCM(data_key).encrypt(nonce, plaintext, label.octets),
        )

    def open(self, sealed: Sealed, *, label: Label) -> bytes:
        """The secret; KekWrong where another KEK sealed it, SealBroken where anything about it was changed."""
        if sealed.kek_id != self.kek_id:
            raise KekWrong(f"sealed under the key-encryption key {sealed.kek_id}, and this one is {self.kek_id}")
        if len(sealed.wrapped_key) != _WRAPPED or len(sealed.ciphertext) < _NONCE + _TAG:
            raise SealBroken("a sealed secret that is cut off or has octets too many")
        nonce, encrypted = sealed.ciphertext[:_NONCE], sealed.ciphertext[_NONCE:]
        try:
            # The data key gets no name here, so that no traceback with variables can show it.
            return AESGCM(self._unwrap(sealed.wrapped_key)).decrypt(nonce, encrypted, label.octets)
        except (InvalidTag, InvalidUnwrap, ValueError):
            raise SealBroken("a sealed secret that was changed or belongs to another row") from None

    def private_key(self, sealed: Sealed, *, label: Label) -> PrivateKey:
        """The private key that is sealed here as PKCS#8, from memory where it was opened a short while ago."""
        if (kept := self._shelf.find(label, sealed=sealed)) is not None:
            return kept
        try:
            key = load_pkcs8(self.open(sealed, label=label), check=False)
        except (KeyFileMalformed, KeyKindRefused):
            raise SealBroken("a sealed secret that is no private key") from None
        self._shelf.put(label, sealed=sealed, key=key)
        return key

    def forget(self, key_id: str) -> None:
        """Give up what is kept in memory of the key with this id."""
        self._shelf.forget(key_id)

    def _unwrap(self, wrapped_key: bytes) -> bytes:
        return aes_key_unwrap_with_padding(self._kek, wrapped_key)

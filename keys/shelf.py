"""Shelf, the private keys that are kept loaded in memory: few, for a while, the least used given up first."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NoReturn

from keys.seal import Label, Sealed
from keys.software import PrivateKey


@dataclass(frozen=True, slots=True, kw_only=True)
class _Loaded:
    sealed: Sealed
    key: PrivateKey = field(repr=False)
    until: float


class Shelf:
    """At most `size` keys, each for at most `seconds` by the monotonic clock; safe for threads."""

    __slots__ = ("_keys", "_lock", "_monotonic", "_seconds", "_size")

    def __init__(self, *, size: int, seconds: float, monotonic: Callable[[], float]) -> None:
        self._size = size
        self._seconds = seconds
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._keys: OrderedDict[Label, _Loaded] = OrderedDict()

    def __repr__(self) -> str:
        return f"<Shelf of {len(self._keys)} keys>"

    def __len__(self) -> int:
        return len(self._keys)

    def __reduce_ex__(self, _protocol: object) -> NoReturn:
        raise TypeError("a shelf of private keys is not copied or pickled")

    def find(self, label: Label, *, sealed: Sealed) -> PrivateKey | None:
        """The loaded key, if it came from exactly these sealed bytes and its time is not over."""
        with self._lock:
            loaded = self._keys.get(label)
            if loaded is None or loaded.sealed != sealed:
                return None
            if loaded.until <= self._monotonic():
                del self._keys[label]
                return None
            self._keys.move_to_end(label)
            return loaded.key

    def put(self, label: Label, *, sealed: Sealed, key: PrivateKey) -> None:
        """Keep the key; what is over time goes, then what was used longest ago."""
        with self._lock:
            now = self._monotonic()
            for old in [each for each, loaded in self._keys.items() if loaded.until <= now]:
                del self._keys[old]
            self._keys[label] = _Loaded(sealed=sealed, key=key, until=now + self._seconds)
            self._keys.move_to_end(label)
            while len(self._keys) > self._size:
                self._keys.popitem(last=False)

    def forget(self, key_id: str) -> None:
        """Give up the key with this id, whatever else its label says."""
        with self._lock:
            for old in [each for each in self._keys if each.key_id == key_id]:
                del self._keys[old]

"""Pace, how often somebody may do something: a bucket of tokens for each, refilled evenly, in the memory of one process."""

from __future__ import annotations

import ipaddress
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from functools import lru_cache
from typing import Final

from api.errors import TooManyRequests

KEYS: Final = 10_000
UNKNOWN: Final = "unknown"
_V4_PREFIX: Final = 24
_SECONDS: Final = 60


class Pace:
    """Lets each key act `burst` times at once and `per_minute` times a minute; remembers at most `keys` keys.

    `clock` gives seconds that only go on. Each process counts by itself.
    """

    __slots__ = ("_buckets", "_burst", "_clock", "_keys", "_lock", "_per_second")

    def __init__(
        self, *, per_minute: int, burst: int, clock: Callable[[], float] = time.monotonic, keys: int = KEYS
    ) -> None:
        self._keys = keys
        self._per_second = per_minute / _SECONDS
        self._burst = burst
        self._clock = clock
        # What is left and when that was so, by key; the key that acted longest ago comes first.
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()
        self._lock = threading.Lock()

    def take(self, key: str) -> None:
        """Count one act of this key; TooManyRequests says in how many seconds the next one may be."""
        with self._lock:
            now = self._clock()
            left = self._left(key, now)
            self._require(left)
            self._keep(key, left - 1, now)

    def ask(self, key: str) -> None:
        """Count nothing; TooManyRequests if an act of this key would be refused now."""
        with self._lock:
            self._require(self._left(key, self._clock()))

    def count(self, key: str) -> None:
        """Count an act that was done already, be it one too many: the next one waits for longer then."""
        with self._lock:
            now = self._clock()
            self._keep(key, self._left(key, now) - 1, now)

    def _require(self, left: float) -> None:
        if left < 1:
            raise TooManyRequests("too many requests in too short a time", retry_after=(1 - left) / self._per_second)

    def _left(self, key: str, now: float) -> float:
        left, since = self._buckets.get(key, (self._burst, now))
        return min(self._burst, left + (now - since) * self._per_second)

    def _keep(self, key: str, left: float, now: float) -> None:
        self._buckets[key] = (left, now)
        self._buckets.move_to_end(key)
        if len(self._buckets) > self._keys:
            # The one that goes has rested longest, and is all but full again.
            self._buckets.popitem(last=False)


@lru_cache(maxsize=KEYS)
def network_of(address: str | None, *, v6_prefix: int = 64) -> str:
    """The network that an address counts for, /24 or /64, as a key of a pace; one for all that have no address."""
    try:
        host = ipaddress.ip_address((address or "").partition("%")[0])
    except ValueError:
        return UNKNOWN
    if isinstance(host, ipaddress.IPv6Address) and host.ipv4_mapped is not None:
        host = host.ipv4_mapped
    return str(ipaddress.ip_network((host, _V4_PREFIX if host.version == 4 else v6_prefix), strict=False))  # IPv4

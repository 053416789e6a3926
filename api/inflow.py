"""Inflow, the body of a request on its way in, bounded in octets and in time before anybody reads it.

All of them together are bounded by the Basin: each is small enough, but a hundred at a time would fill the memory.
Strangers have a basin of their own, so that they never take the room of callers with a key.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import Final
from weakref import WeakValueDictionary

from starlette.datastructures import Headers
from starlette.requests import ClientDisconnect, HTTPConnection
from starlette.types import Message, Receive

from api.errors import BodyTooLarge, RequestMalformed, RequestTimeout
from services.errors import Overloaded

SMALL: Final = 64 * 1024
# A body up to here is never refused for what others hold.
LIGHT: Final = 1024 * 1024
# The same for a stranger; more than this takes only the page that checks messages.
STRANGERS_LIGHT: Final = 128 * 1024
# What JSON brings is there as text and, decoded from base64, once more.
_JSON_WEIGHT: Final = 2
_LENGTH_DIGITS: Final = 15


class Basin:
    """How many octets of bodies one process holds at a time, from their first octet to the end of their answer.

    A basin may be a part of another one: what it holds is then held `within` that one too.
    """

    __slots__ = ("__weakref__", "_light", "_octets", "_within", "held")

    def __init__(self, octets: int, *, light: int = LIGHT, within: Basin | None = None) -> None:
        self._octets = octets
        self._light = light
        self._within = within
        self.held = 0

    def fill(self, octets: int, *, more_than: int) -> None:
        """Hold so many octets for a body, `more_than` those that it holds; Overloaded if others leave no room for them.

        One that is alone has room, whatever its size: what a call takes is bounded elsewhere.
        """
        others = self.held - more_than
        if others and octets + more_than > self._light and self.held + octets > self._octets:
            raise Overloaded("too many large bodies are being taken in at this moment")
        if self._within is not None:
            self._within.fill(octets, more_than=more_than)
        self.held += octets

    def drain(self, octets: int) -> None:
        """Let go of so many octets."""
        self.held -= octets
        if self._within is not None:
            self._within.drain(octets)


class Shares:
    """The basin of all callers, or of all strangers, and in it one for each key, or network, so that none takes all."""

    __slots__ = ("_basins", "_light", "_share", "all")

    def __init__(self, octets: int, *, share: int, light: int = LIGHT) -> None:
        self.all = Basin(octets, light=light)
        self._share = share
        self._light = light
        # Each is there as long as somebody holds it.
        self._basins: WeakValueDictionary[str, Basin] = WeakValueDictionary()

    def basin_of(self, who: str) -> Basin:
        """The basin of a key or a network."""
        basin = self._basins.get(who)
        if basin is None:
            basin = Basin(self._share, light=self._light, within=self.all)
            self._basins[who] = basin
        return basin


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """How a body is taken in: what it fills, and how many seconds it may be silent and take in all.

    With `in_advance` all that is declared is held at once: the body has its room, or is refused before it is read.
    """

    basin: Basin
    silence: float
    duration: float
    in_advance: bool


class Inflow:
    """Counts a body while it comes; a call that takes more than 64 KiB has to say so first, by `allow`.

    It comes on the terms of a stranger until somebody who has checked the key of its request says `admit`; `admitted`
    gives the terms of a caller.
    """

    __slots__ = (
        "_admitted",
        "_basin",
        "_began",
        "_count",
        "_declared",
        "_held",
        "_limit",
        "_receive",
        "_terms",
        "_weight",
        "complete",
    )

    def __init__(
        self, receive: Receive, *, headers: Headers, stranger: Terms, admitted: Callable[[str], Terms]
    ) -> None:
        self._receive = receive
        self._terms = stranger
        self._admitted = admitted
        self._basin = stranger.basin
        self._held = 0
        self._weight = _JSON_WEIGHT if headers.get("content-type", "").lower().startswith("application/json") else 1
        self._declared = _declared_length(headers)
        self._limit = SMALL
        self._began = asyncio.get_running_loop().time()
        self._count = 0
        self.complete = self._declared == 0

    def admit(self, caller: str) -> None:
        """Take the body in on the terms of this caller, whose key was checked."""
        self.release()
        self._terms = self._admitted(caller)
        self._basin = self._terms.basin

    def allow(self, octets: int) -> None:
        """Set how many octets the call takes."""
        self._limit = octets

    async def receive(self) -> Message:
        """The ASGI `receive`: BodyTooLarge once too much is declared or has come, RequestTimeout if it comes too slowly.

        Overloaded if all bodies together are too much; for a caller who is admitted, before it is read.
        """
        if self.complete:
            return await self._receive()
        if self._declared is not None and self._declared > self._limit:
            raise self._too_large()
        if self._terms.in_advance:
            self._hold(self._declared or 0)
        try:
            async with asyncio.timeout_at(self._deadline()):
                message = await self._receive()
        except TimeoutError:
            raise RequestTimeout("the body of the request came too slowly") from None
        if message["type"] == "http.request":
            self._count += len(message.get("body", b""))
            if self._count > self._limit:
                raise self._too_large()
            self._hold(self._count)
            self.complete = not message.get("more_body", False)
        return message

    async def chunks(self) -> AsyncIterator[bytes]:
        """The body piece by piece; ClientDisconnect if the client goes away."""
        while not self.complete:
            message = await self.receive()
            if message["type"] == "http.disconnect":
                raise ClientDisconnect
            yield message.get("body", b"")

    async def read(self, *, limit: int = SMALL) -> bytes:
        """The whole body of at most `limit` octets."""
        self.allow(limit)
        return b"".join([chunk async for chunk in self.chunks()])

    def hold_more(self, octets: int) -> None:
        """Hold so many octets for the answer too; Overloaded if there is no room for them."""
        self._basin.fill(octets, more_than=self._held)
        self._held += octets

    def release(self) -> None:
        """Give back what body and answer hold, at the end of the request, however that ends."""
        self._basin.drain(self._held)
        self._held = 0

    @property
    def must_close(self) -> bool:
        """Whether so much of the body may still come that the connection is better closed than drained."""
        return not self.complete and (self._declared is None or self._declared - self._count > SMALL)

    def _deadline(self) -> float:
        silent_until = asyncio.get_running_loop().time() + self._terms.silence
        return min(silent_until, self._began + self._terms.duration)

    def _hold(self, octets: int) -> None:
        if not self._terms.in_advance:
            octets = -(-octets // SMALL) * SMALL  # in steps: pieces of any size come at a stranger's pleasure
        missing = octets * self._weight - self._held
        if missing > 0:
            self._basin.fill(missing, more_than=self._held)
            self._held += missing

    def _too_large(self) -> BodyTooLarge:
        return BodyTooLarge(f"the body of this request is limited to {self._limit} octets")


def inflow_of(connection: HTTPConnection) -> Inflow:
    """The inflow of this request."""
    inflow: Inflow = connection.scope["state"]["inflow"]
    return inflow


def _declared_length(headers: Headers) -> int | None:
    """What Content-Length says; 0 without a body, None for one that comes in chunks."""
    if "transfer-encoding" in headers:
        return None
    text = headers.get("content-length", "0")
    if not (text.isascii() and text.isdigit() and len(text) <= _LENGTH_DIGITS):
        raise RequestMalformed("Content-Length is not a number of octets")
    return int(text)

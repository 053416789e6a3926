"""Inflow, the body of a request on its way in, bounded in octets and in time before anybody reads it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Final

from starlette.datastructures import Headers
from starlette.requests import ClientDisconnect, HTTPConnection
from starlette.types import Message, Receive

from api.errors import BodyTooLarge, RequestMalformed, RequestTimeout

SMALL: Final = 64 * 1024
_LENGTH_DIGITS: Final = 15


class Inflow:
    """Counts a body while it comes; a call that takes more than 64 KiB has to say so first, by `allow`."""

    __slots__ = ("_count", "_deadline", "_declared", "_limit", "_receive", "_silence", "complete")

    def __init__(self, receive: Receive, *, headers: Headers, silence: float, duration: float) -> None:
        self._receive = receive
        self._declared = _declared_length(headers)
        self._limit = SMALL
        self._silence = silence
        self._deadline = asyncio.get_running_loop().time() + duration
        self._count = 0
        self.complete = self._declared == 0

    def allow(self, octets: int) -> None:
        """Set how many octets the call takes."""
        self._limit = octets

    async def receive(self) -> Message:
        """The ASGI `receive`: BodyTooLarge once too much is declared or has come, RequestTimeout if it comes too slowly."""
        if self.complete:
            return await self._receive()
        if self._declared is not None and self._declared > self._limit:
            raise self._too_large()
        try:
            async with asyncio.timeout_at(min(asyncio.get_running_loop().time() + self._silence, self._deadline)):
                message = await self._receive()
        except TimeoutError:
            raise RequestTimeout("the body of the request came too slowly") from None
        if message["type"] == "http.request":
            self._count += len(message.get("body", b""))
            if self._count > self._limit:
                raise self._too_large()
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

    @property
    def must_close(self) -> bool:
        """Whether so much of the body may still come that the connection is better closed than drained."""
        return not self.complete and (self._declared is None or self._declared - self._count > SMALL)

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

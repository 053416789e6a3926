"""Bodies on their way in, one by one and in a crowd."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace

import httpx
from starlette.datastructures import Headers
from starlette.types import Message

from api.inflow import LIGHT, Basin, Inflow, Terms
from tests.api.made_up import KEY, SITE, application

RAW = {"Content-Type": "message/rfc822"}


def messages(*chunks: bytes, end: bool = True) -> Callable[[], Awaitable[Message]]:
    waiting = list(chunks)

    async def receive() -> Message:
        if not waiting:
            await asyncio.Event().wait()
        chunk = waiting.pop(0)
        return {"type": "http.request", "body": chunk, "more_body": bool(waiting) or not end}

    return receive


def coming(receive: Callable[[], Awaitable[Message]], *, stranger: Terms, admitted: Terms, **headers: str) -> Inflow:
    named = Headers({name.replace("_", "-"): value for name, value in headers.items()})
    return Inflow(receive, headers=named, stranger=stranger, admitted=lambda _: admitted)


def terms(basin: Basin | None = None, *, duration: float = 5, in_advance: bool = True) -> Terms:
    return Terms(basin=basin or Basin(LIGHT), silence=0.05, duration=duration, in_advance=in_advance)


class Crowd:
    """Requests to one application that send their bodies in the test's own time, those with KEY as callers with a key."""

    def __init__(self) -> None:
        site = replace(
            SITE,
            message_octets=8 * LIGHT,
            inflow_octets=5 * LIGHT,
            strangers_octets=4 * LIGHT,
            network_octets=2 * LIGHT,
            body_silence=5.0,
            body_duration=9.0,
            strangers_silence=5.0,
            strangers_duration=9.0,
        )
        self.app = application(site=site)
        self.basin: Basin = self.app._callers.all  # type: ignore[attr-defined]  # what all its requests share
        self.strangers: Basin = self.app._strangers.all  # type: ignore[attr-defined]  # the same for strangers

    async def post(
        self, body: AsyncIterator[bytes] | bytes, *, address: str = "127.0.0.1", **more: str
    ) -> httpx.Response:
        transport = httpx.ASGITransport(self.app, raise_app_exceptions=False, client=(address, 1))
        async with httpx.AsyncClient(transport=transport, base_url="http://mailseal.campus.example") as client:
            return await client.post("/v1/echo", content=body, headers={**RAW, "Accept": "message/rfc822", **more})

    async def post_with_key(self, body: AsyncIterator[bytes] | bytes, **more: str) -> httpx.Response:
        return await self.post(body, **KEY, **more)

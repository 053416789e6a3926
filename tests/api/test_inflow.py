from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest
from starlette.datastructures import Headers
from starlette.requests import ClientDisconnect
from starlette.types import Message

from api.errors import BodyTooLarge, RequestMalformed, RequestTimeout
from api.inflow import SMALL, Inflow
from tests.api.made_up import Client, problem


def messages(*chunks: bytes, end: bool = True) -> Callable[[], Awaitable[Message]]:
    waiting = list(chunks)

    async def receive() -> Message:
        if not waiting:
            await asyncio.Event().wait()
        chunk = waiting.pop(0)
        return {"type": "http.request", "body": chunk, "more_body": bool(waiting) or not end}

    return receive


def inflow(receive: Callable[[], Awaitable[Message]], *, duration: float = 5, **headers: str) -> Inflow:
    named = Headers({name.replace("_", "-"): value for name, value in headers.items()})
    return Inflow(receive, headers=named, silence=0.05, duration=duration)


def test_reads_a_body_of_exactly_the_limit() -> None:
    async def run() -> bytes:
        return await inflow(messages(b"ab", b"cd"), content_length="4").read(limit=4)

    assert asyncio.run(run()) == b"abcd"


def test_declared_too_large_is_refused_before_a_byte_is_read() -> None:
    async def never() -> Message:
        raise AssertionError("read")

    async def run() -> None:
        await inflow(never, content_length=str(SMALL + 1)).read()

    with pytest.raises(BodyTooLarge, match=str(SMALL)):
        asyncio.run(run())


def test_chunked_too_large_is_refused_while_it_comes() -> None:
    async def run() -> None:
        await inflow(messages(b"ab", b"cde", b"f"), transfer_encoding="chunked").read(limit=4)

    with pytest.raises(BodyTooLarge):
        asyncio.run(run())


def test_length_that_lies_is_bounded_by_what_comes() -> None:
    async def run() -> None:
        await inflow(messages(b"abcdef"), content_length="1").read(limit=4)

    with pytest.raises(BodyTooLarge):
        asyncio.run(run())


@pytest.mark.parametrize("length", ["-1", "1e3", " ", "9" * 40, "²"])
def test_odd_length_is_malformed(length: str) -> None:
    async def run() -> None:
        inflow(messages(b""), content_length=length)

    with pytest.raises(RequestMalformed):
        asyncio.run(run())


def test_silence_ends_the_wait() -> None:
    async def run() -> None:
        await inflow(messages(b"ab", end=False), content_length="4").read()

    with pytest.raises(RequestTimeout):
        asyncio.run(run())


def test_drip_ends_too() -> None:
    async def drip() -> Message:
        await asyncio.sleep(0.01)
        return {"type": "http.request", "body": b"x", "more_body": True}

    async def run() -> None:
        await inflow(drip, transfer_encoding="chunked", duration=0.1).read()

    with pytest.raises(RequestTimeout):
        asyncio.run(run())


def test_vanished_client_is_no_error_of_ours() -> None:
    async def gone() -> Message:
        return {"type": "http.disconnect"}

    async def run() -> None:
        await inflow(gone, content_length="4").read()

    with pytest.raises(ClientDisconnect):
        asyncio.run(run())


def test_request_without_a_body_is_complete() -> None:
    async def run() -> bytes:
        return await inflow(messages(end=False)).read()

    assert asyncio.run(run()) == b""


def test_small_calls_take_no_more_than_64_kib(client: Client) -> None:
    problem(client.post("/v1/colours", json={"name": "x" * SMALL}), "body_too_large", 413)


def test_413_closes_the_connection_where_much_would_come(client: Client) -> None:
    async def endless() -> AsyncIterator[bytes]:
        for _ in range(1000):
            yield b" " * 1024

    response = client.post("/v1/echo", content=endless(), headers={"Content-Type": "message/rfc822"})
    problem(response, "body_too_large", 413)
    assert response.headers["connection"] == "close"


def test_413_names_the_limit(client: Client) -> None:
    response = client.post("/v1/echo", content=b"x" * 200_001, headers={"Content-Type": "message/rfc822"})
    assert "200000" in problem(response, "body_too_large", 413)["detail"]
    assert "connection" not in response.headers or response.headers["connection"] == "close"


def test_408_for_a_body_that_stops(client: Client) -> None:
    async def stops() -> AsyncIterator[bytes]:
        yield b"From"
        await asyncio.Event().wait()

    response = client.post("/v1/echo", content=stops(), headers={"Content-Type": "message/rfc822"})
    problem(response, "request_timeout", 408)
    assert response.headers["connection"] == "close"

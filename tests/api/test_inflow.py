from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest
from starlette.requests import ClientDisconnect
from starlette.types import Message

from api.errors import BodyTooLarge, RequestMalformed, RequestTimeout
from api.inflow import LIGHT, SMALL, Basin, Inflow, Shares
from services.errors import Overloaded
from tests.api.bodies import Crowd, coming, messages, terms
from tests.api.made_up import Client, problem


def inflow(
    receive: Callable[[], Awaitable[Message]], *, duration: float = 5, basin: Basin | None = None, **headers: str
) -> Inflow:
    """The body of a caller with a key."""
    made = coming(receive, stranger=terms(duration=0), admitted=terms(basin, duration=duration), **headers)
    made.admit("a key")
    return made


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


# --- all bodies together -----------------------------------------------------------------------------------------------
async def never() -> Message:
    raise AssertionError("read")


def test_declared_large_body_is_refused_before_it_is_read_while_others_leave_no_room() -> None:
    async def run() -> None:
        basin = Basin(4 * LIGHT)
        basin.fill(2 * LIGHT, more_than=0)
        with pytest.raises(Overloaded):
            await inflow(never, basin=basin, content_length=str(2 * LIGHT + 1)).read(limit=9 * LIGHT)
        assert basin.held == 2 * LIGHT

    asyncio.run(run())


def test_counted_large_body_is_refused_while_it_comes() -> None:
    async def run() -> None:
        basin, piece = Basin(4 * LIGHT), b"x" * LIGHT
        basin.fill(2 * LIGHT, more_than=0)
        body = inflow(messages(piece, piece, piece), basin=basin, transfer_encoding="chunked")
        with pytest.raises(Overloaded):
            await body.read(limit=9 * LIGHT)
        assert basin.held == 4 * LIGHT
        body.release()
        assert basin.held == 2 * LIGHT

    asyncio.run(run())


def test_light_body_passes_however_full_it_is() -> None:
    async def run() -> None:
        basin = Basin(LIGHT)
        basin.fill(9 * LIGHT, more_than=0)
        body = inflow(messages(b"x" * LIGHT), basin=basin, content_length=str(LIGHT))
        assert len(await body.read(limit=LIGHT)) == LIGHT
        assert basin.held == 10 * LIGHT
        body.release()
        body.release()
        assert basin.held == 9 * LIGHT

    asyncio.run(run())


def test_one_that_is_alone_has_room() -> None:
    async def run() -> None:
        basin, piece = Basin(LIGHT), b"x" * LIGHT
        for name, value in (("content_length", str(3 * LIGHT)), ("transfer_encoding", "chunked")):
            body = inflow(messages(piece, piece, piece), basin=basin, duration=5, **{name: value})
            assert len(await body.read(limit=9 * LIGHT)) == 3 * LIGHT
            body.release()
        assert basin.held == 0

    asyncio.run(run())


def test_json_counts_twice_for_what_is_decoded_from_it() -> None:
    async def run() -> None:
        basin = Basin(LIGHT)
        await inflow(
            messages(b"{}"), basin=basin, content_length="2", content_type="application/json; charset=utf-8"
        ).read()
        assert basin.held == 4

    asyncio.run(run())


def test_503_while_large_bodies_come_and_room_again_once_they_are_answered() -> None:
    async def run() -> None:
        crowd, go_on, begun = Crowd(), asyncio.Event(), asyncio.Event()

        async def slowly() -> AsyncIterator[bytes]:
            yield b"x" * LIGHT
            begun.set()
            await go_on.wait()
            yield b"x" * LIGHT

        slow = asyncio.create_task(crowd.post_with_key(slowly(), **{"Content-Length": str(2 * LIGHT)}))
        await begun.wait()
        assert crowd.basin.held == 2 * LIGHT
        refused = await crowd.post_with_key(b"x" * (4 * LIGHT))
        found = problem(refused, "overloaded", 503)
        assert refused.headers["retry-after"] == "1"
        assert "large" in found["detail"]
        assert (await crowd.post_with_key(b"x" * 1000)).status_code == 200
        go_on.set()
        assert (await slow).content == b"x" * (2 * LIGHT)
        assert crowd.basin.held == 0
        assert (await crowd.post_with_key(b"x" * (4 * LIGHT))).status_code == 200

    asyncio.run(run())


@pytest.mark.parametrize("how", ["vanishes", "too large", "refused", "cancelled"])
def test_room_is_given_back_however_a_request_ends(how: str) -> None:
    async def run() -> None:
        crowd, begun = Crowd(), asyncio.Event()

        async def vanishes() -> AsyncIterator[bytes]:
            yield b"x" * LIGHT
            assert crowd.basin.held == 3 * LIGHT
            begun.set()
            if how == "cancelled":
                await asyncio.Event().wait()
            if how == "vanishes":
                raise ClientDisconnect

        if how == "too large":
            assert (await crowd.post_with_key(b"x" * (8 * LIGHT + 1))).status_code == 413
        elif how == "refused":
            assert (await crowd.post_with_key(b"x" * (2 * LIGHT), Accept="image/png")).status_code == 406
        else:
            task = asyncio.create_task(crowd.post_with_key(vanishes(), **{"Content-Length": str(3 * LIGHT)}))
            await begun.wait()
            if how == "cancelled":
                task.cancel()
            await asyncio.gather(task, return_exceptions=True)
        assert crowd.basin.held == 0

    asyncio.run(run())


def test_many_at_once_never_hold_more_than_there_is_room_for() -> None:
    async def run() -> None:
        crowd = Crowd()
        answers = await asyncio.gather(*[crowd.post_with_key(b"x" * (2 * LIGHT)) for _ in range(20)])
        assert {answer.status_code for answer in answers} <= {200, 503}
        assert any(answer.status_code == 200 for answer in answers)
        assert crowd.basin.held == 0

    asyncio.run(run())


def test_key_has_its_share_and_leaves_the_rest_to_others() -> None:
    shares = Shares(4 * LIGHT, share=2 * LIGHT)
    one, other = shares.basin_of("one"), shares.basin_of("other")
    one.fill(LIGHT, more_than=0)
    with pytest.raises(Overloaded):
        one.fill(LIGHT + 1, more_than=0)
    other.fill(2 * LIGHT, more_than=0)
    assert shares.all.held == 3 * LIGHT

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest
from starlette.types import Message

from api.errors import RequestTimeout
from api.inflow import LIGHT, SMALL, STRANGERS_LIGHT, Basin, Inflow, Shares
from services.errors import Overloaded
from tests.api.bodies import Crowd, coming, messages, terms
from tests.api.made_up import problem


def strange(receive: Callable[[], Awaitable[Message]], *, basin: Basin, duration: float = 5, **headers: str) -> Inflow:
    """The body of somebody who has shown no key."""
    stranger = terms(basin, duration=duration, in_advance=False)
    return coming(receive, stranger=stranger, admitted=terms(), **headers)


def test_stranger_holds_what_has_come_and_not_what_is_declared() -> None:
    async def run() -> None:
        basin = Basin(4 * LIGHT)
        body = strange(messages(b"x", b"x" * SMALL, end=False), basin=basin, content_length=str(9 * LIGHT))
        body.allow(9 * LIGHT)
        assert basin.held == 0
        await body.receive()
        assert basin.held == SMALL
        await body.receive()
        assert basin.held == 2 * SMALL
        with pytest.raises(RequestTimeout):
            await body.receive()
        body.release()
        assert basin.held == 0

    asyncio.run(run())


def test_stranger_who_drips_is_cut_off_sooner_than_a_caller_with_a_key() -> None:
    async def drip() -> Message:
        await asyncio.sleep(0.01)
        return {"type": "http.request", "body": b"x", "more_body": True}

    async def run() -> None:
        stranger = terms(duration=0.1, in_advance=False)
        body = coming(drip, stranger=stranger, admitted=terms(duration=60), transfer_encoding="chunked")
        with pytest.raises(RequestTimeout):
            await body.read()

    asyncio.run(run())


def test_what_was_held_as_a_stranger_is_given_back_on_admission() -> None:
    async def run() -> None:
        theirs, ours = Basin(4 * LIGHT), Basin(4 * LIGHT)
        body = coming(
            messages(b"x", b"y"),
            stranger=terms(theirs, in_advance=False),
            admitted=terms(ours),
            content_length=str(2 * SMALL),
        )
        body.allow(LIGHT)
        await body.receive()
        body.admit("a key")
        await body.receive()
        assert (theirs.held, ours.held) == (0, 2 * SMALL)

    asyncio.run(run())


def test_small_body_of_a_stranger_passes_however_full_it_is() -> None:
    async def run() -> None:
        strangers = Shares(LIGHT, share=LIGHT, light=STRANGERS_LIGHT)
        basin = strangers.basin_of("a")
        strangers.basin_of("b").fill(9 * LIGHT, more_than=0)
        small = strange(messages(b"x" * STRANGERS_LIGHT), basin=basin, transfer_encoding="chunked")
        assert len(await small.read(limit=LIGHT)) == STRANGERS_LIGHT
        with pytest.raises(Overloaded):
            await strange(messages(b"x" * (STRANGERS_LIGHT + 1)), basin=basin, transfer_encoding="chunked").read(
                limit=LIGHT
            )

    asyncio.run(run())


def test_network_of_strangers_has_its_share_and_what_it_lacks_is_held_nowhere() -> None:
    strangers = Shares(4 * LIGHT, share=2 * LIGHT, light=STRANGERS_LIGHT)
    one, other = strangers.basin_of("a"), strangers.basin_of("b")
    assert strangers.basin_of("a") is one
    one.fill(LIGHT, more_than=0)
    with pytest.raises(Overloaded):
        one.fill(LIGHT + 1, more_than=0)
    assert (one.held, strangers.all.held) == (LIGHT, LIGHT)
    other.fill(2 * LIGHT, more_than=0)
    strangers.basin_of("c").fill(LIGHT, more_than=0)
    with pytest.raises(Overloaded):
        one.fill(LIGHT, more_than=0)
    assert (one.held, strangers.all.held) == (LIGHT, 4 * LIGHT)
    one.drain(LIGHT)
    assert (one.held, strangers.all.held) == (0, 3 * LIGHT)


@pytest.mark.parametrize("credential", [{}, {"Authorization": "Bearer somebody's"}])
def test_strangers_who_fill_their_basin_leave_callers_with_a_key_untouched(credential: dict[str, str]) -> None:
    async def run() -> None:
        crowd, all_begun, go_on = Crowd(), asyncio.Barrier(5), asyncio.Event()

        async def slowly() -> AsyncIterator[bytes]:
            yield b"x" * LIGHT
            await all_begun.wait()
            await go_on.wait()

        stalled = [
            asyncio.create_task(crowd.post(slowly(), address=f"192.0.{net}.1", **credential)) for net in (0, 0, 1, 1)
        ]
        await all_begun.wait()
        assert crowd.strangers.held == 4 * LIGHT
        for net in (0, 2):
            found = problem(await crowd.post(b"x" * LIGHT, address=f"192.0.{net}.2"), "overloaded", 503)
            assert "large" in found["detail"]
        assert crowd.basin.held == 0
        whole = b"x" * (5 * LIGHT)
        assert (await crowd.post_with_key(whole, address="192.0.0.1")).content == whole
        go_on.set()
        assert {answer.status_code for answer in await asyncio.gather(*stalled)} == {200}
        assert crowd.strangers.held == 0

    asyncio.run(run())


def test_strangers_who_declare_much_and_send_nothing_take_nothing() -> None:
    async def run() -> None:
        crowd, begun, go_on = Crowd(), asyncio.Event(), asyncio.Event()

        async def silent() -> AsyncIterator[bytes]:
            begun.set()
            await go_on.wait()
            yield b""

        stalled = [asyncio.create_task(crowd.post(silent(), **{"Content-Length": str(8 * LIGHT)})) for _ in range(10)]
        await begun.wait()
        assert crowd.strangers.held == 0
        assert (await crowd.post(b"x" * (2 * LIGHT))).status_code == 200
        go_on.set()
        await asyncio.gather(*stalled)

    asyncio.run(run())

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import httpx
import pytest

from api import callers
from api.app import create_app
from api.callers import AT_A_TIME, FAILURES, Gate, failed_decryptions
from api.errors import TooManyRequests
from api.inflow import LIGHT
from api.site import STRANGERS_OCTETS
from services.access import Principal
from services.words.problems import TITLES
from tests.api.door import RFC822, Door, refused
from tests.api.made_up import Client
from tests.campus import Campus


def door_with(campus: Campus, *, rate_limit: int) -> Door:
    """The door of a campus whose operator set this limit, for a key that may only verify."""
    settings = campus.context.settings.model_copy(update={"rate_limit": rate_limit})
    limited = replace(campus, context=replace(campus.context, settings=settings))
    client = Client(create_app(limited.context, titles=TITLES))
    return Door(campus=limited, client=client, key=None).as_("messages:verify")


def caller(key: str = "a", *scopes: str) -> Principal:
    return Principal(
        kind="api_key", id=key, name=key, scopes=frozenset(scopes), mailboxes=(), lineage=(key,), request_id="test"
    )


# --- the pace of a key -------------------------------------------------------------------------------------------------
def test_key_without_admin_keeps_the_pace_that_is_set(campus: Campus) -> None:
    door = door_with(campus, rate_limit=3)
    assert [door.get("/v1/me").status_code for _ in range(3)] == [200] * 3
    answer = door.get("/v1/me")
    refused(answer, "too_many_requests", 429)
    assert answer.headers["retry-after"] == "20"
    assert door.as_("messages:verify").get("/v1/me").status_code == 200


def test_what_is_refused_for_its_pace_reads_no_body_and_leaves_no_record(campus: Campus) -> None:
    door = door_with(campus, rate_limit=1)
    assert door.post("/v1/verify", content=door.mail(), headers=RFC822).status_code == 200
    before = door.rows()
    refused(door.post("/v1/verify", content=b"", headers={"Content-Type": "image/png"}), "too_many_requests", 429)
    assert door.rows() == before


def test_key_with_admin_has_no_pace(campus: Campus) -> None:
    door = door_with(campus, rate_limit=1).as_("admin")
    assert [door.get("/v1/me").status_code for _ in range(5)] == [200] * 5


def test_zero_is_no_limit(campus: Campus) -> None:
    door = door_with(campus, rate_limit=0)
    assert [door.get("/v1/me").status_code for _ in range(5)] == [200] * 5


# --- the room for bodies -----------------------------------------------------------------------------------------------
def test_only_a_key_that_was_checked_has_the_room_of_callers(campus: Campus) -> None:
    app = create_app(campus.context, titles=TITLES)
    door = Door(campus=campus, client=Client(app), key=None).as_("messages:verify")
    app._strangers.all.fill(2 * STRANGERS_OCTETS, more_than=0)
    message = door.mail() + b"x" * LIGHT
    assert door.post("/v1/verify", content=message, headers=RFC822).status_code == 200
    form = {"files": {"message": message}, "headers": {"Sec-Fetch-Site": "same-origin"}}
    for one in (replace(door, key=None), replace(door, key="ms_live_made_up"), door):
        refused(one.post("/check", **form), "overloaded", 503)


# --- at a time ---------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("scopes", [(), ("admin",)])
def test_64_requests_of_a_key_are_served_at_a_time(scopes: tuple[str, ...]) -> None:
    gate, one = Gate(rate_limit=0), caller("a", *scopes)
    for _ in range(AT_A_TIME):
        gate.enter(one)
    with pytest.raises(TooManyRequests) as found:
        gate.enter(one)
    assert found.value.retry_after == 1
    gate.enter(caller("b"))
    gate.leave(one)
    gate.enter(one)


def test_those_who_left_are_forgotten() -> None:
    gate = Gate(rate_limit=0)
    for name in "abc":
        gate.enter(caller(name))
        gate.leave(caller(name))
    assert gate._inside == {}


def test_request_that_is_turned_away_for_its_pace_takes_no_room() -> None:
    gate = Gate(rate_limit=1)
    gate.enter(caller())
    for _ in range(AT_A_TIME):
        with pytest.raises(TooManyRequests):
            gate.enter(caller())
    assert gate._inside == {"a": 1}


def test_the_65th_is_answered_429_and_the_others_in_the_end(door: Door) -> None:
    async def run() -> tuple[list[httpx.Response], httpx.Response, httpx.Response]:
        go_on, waiting = asyncio.Event(), asyncio.Semaphore(0)

        async def body() -> Any:
            waiting.release()
            await go_on.wait()
            yield door.mail()

        transport = httpx.ASGITransport(door.client.app)
        key = {"Authorization": f"Bearer {door.key}"}
        async with httpx.AsyncClient(transport=transport, base_url="http://mailseal.campus.example") as client:
            tasks = [
                asyncio.create_task(client.post("/v1/verify", content=body(), headers={**key, **RFC822}))
                for _ in range(AT_A_TIME)
            ]
            for _ in tasks:
                await waiting.acquire()
            over = await client.get("/v1/me", headers=key)
            go_on.set()
            answers = await asyncio.gather(*tasks)
            return answers, over, await client.get("/v1/me", headers=key)

    answers, over, after = asyncio.run(run())
    refused(over, "too_many_requests", 429)
    assert over.headers["retry-after"] == "1"
    assert {answer.status_code for answer in answers} == {200}
    assert after.status_code == 200


@pytest.mark.parametrize(
    ("call", "status"),
    [
        (lambda door: door.get("/v1/me"), 200),
        (lambda door: door.get("/v1/certificates/xyz"), 400),
        (lambda door: door.post("/v1/sign", content=b"x", headers={"Content-Type": "image/png"}), 415),
        (lambda door: door.post("/v1/verify", content=b"x" * (26 << 20), headers=RFC822), 413),
    ],
)
def test_room_is_made_however_a_request_ends(door: Door, call: Callable[[Door], httpx.Response], status: int) -> None:
    assert call(door).status_code == status
    assert gate_behind(door)._inside == {}


def gate_behind(door: Door) -> Gate:
    gate: Gate = door.client.app._app.state.gate  # type: ignore[attr-defined]  # the application inside the envelope
    return gate


# --- wrong credentials -------------------------------------------------------------------------------------------------
def test_wrong_credentials_of_a_network_are_429_after_60_and_a_right_one_still_passes(door: Door) -> None:
    stranger = door.with_key("ms_live_wrong")
    for _ in range(FAILURES):
        refused(stranger.get("/v1/me"), "unauthorized", 401)
    answer = stranger.get("/v1/me")
    refused(answer, "too_many_requests", 429)
    assert int(answer.headers["retry-after"]) >= 1
    assert "www-authenticate" not in answer.headers
    assert door.get("/v1/me").status_code == 200
    refused(door.with_key(None).get("/v1/me"), "unauthorized", 401)


def test_wrong_credentials_of_one_network_do_not_count_for_another() -> None:
    gate = Gate(rate_limit=0)
    for _ in range(FAILURES):
        gate.turn_away("192.0.2.1")
    with pytest.raises(TooManyRequests):
        gate.turn_away("192.0.2.200")
    gate.turn_away("198.51.100.1")
    gate.turn_away("2001:db8::1")
    gate.turn_away(None)


# --- failed decryptions ------------------------------------------------------------------------------------------------
def test_failed_decryptions_by_a_private_key_are_429_after_60_and_by_others_pass() -> None:
    request: Any = SimpleNamespace(app=SimpleNamespace(state=SimpleNamespace(gate=Gate(rate_limit=0))))
    failures = failed_decryptions(request, caller("a", "admin"))
    for _ in range(FAILURES):
        failures.ask(["registry", "press"])
        failures.count(["registry"])
    for tried in (["registry"], ["press", "registry"]):
        with pytest.raises(TooManyRequests):
            failures.ask(tried)
    failures.ask(["press"])
    failed_decryptions(request, caller("b")).ask(["registry"])
    assert callers.gate_of(request) is request.app.state.gate

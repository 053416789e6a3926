from __future__ import annotations

import contextlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from starlette.requests import Request

from api import negotiation
from api.errors import NotAcceptable
from tests.api.made_up import Client, problem

OFFERS = ("message/rfc822", "application/json", "text/plain")


def choose(*accept: str) -> str:
    headers = [(b"accept", value.encode("latin-1")) for value in accept]
    return negotiation.choose(Request({"type": "http", "headers": headers}), OFFERS)


@pytest.mark.parametrize(
    ("accept", "chosen"),
    [
        ([], "message/rfc822"),
        (["*/*"], "message/rfc822"),
        ([""], "message/rfc822"),
        (["application/json"], "application/json"),
        (["APPLICATION/JSON;charset=utf-8"], "application/json"),
        (["text/*"], "text/plain"),
        (["text/plain, application/json"], "application/json"),
        (["text/plain, application/json;q=0.9"], "text/plain"),
        (["text/plain;q=0.3", "application/json; q=0.4"], "application/json"),
        (["*/*;q=0.1, text/plain"], "text/plain"),
        (["message/rfc822;q=0, */*"], "application/json"),
        (["image/png, */*;q=0.1"], "message/rfc822"),
        (["nonsense"], "message/rfc822"),
        (["text/plain;q=high, application/json"], "application/json"),
        (["text/plain;q=7, application/json"], "application/json"),
    ],
)
def test_chooses_as_rfc_9110_says(accept: list[str], chosen: str) -> None:
    assert choose(*accept) == chosen


@pytest.mark.parametrize("accept", ["image/png", "*/*;q=0", "image/*, application/xml", "message/rfc822;q=0"])
def test_406_where_nothing_fits(accept: str) -> None:
    with pytest.raises(NotAcceptable, match="application/json"):
        choose(accept)


@given(st.text(alphabet="*/;,q=.01 ax", max_size=40))
@settings(max_examples=200)
def test_only_406_escapes(accept: str) -> None:
    with contextlib.suppress(NotAcceptable):
        assert choose(accept) in OFFERS


def test_two_ways_out(client: Client) -> None:
    raw = {"Content-Type": "message/rfc822"}
    assert client.post("/v1/echo", content=b"x", headers=raw | {"Accept": "message/rfc822"}).content == b"x"
    assert client.post("/v1/echo", content=b"x", headers=raw).json()["message"] == "x"
    problem(client.post("/v1/echo", content=b"x", headers=raw | {"Accept": "image/png"}), "not_acceptable", 406)

from __future__ import annotations

import contextlib
import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import BaseModel, ConfigDict, Field

from api import strict_json
from api.errors import JsonMalformed, ParameterTwice, RequestInvalid
from formats.errors import Refusal


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"{",
        b'{"a": 1} x',
        b"[1]",
        b'"a"',
        b"null",
        b'{"a": NaN}',
        b'{"a": -Infinity}',
        b'{"a": "\\u0000"}',
        b'{"a\\u0000": 1}',
        b'{"a": ["\\u0000"]}',
        b'{"a": "\\ud800"}',
        b'{"a": [["\\udfff"]]}',
        b'{"a": "\xff"}',
        '{"a": 1}'.encode("utf-16"),
        b'{"a": ' + b"9" * 5000 + b"}",
        b'{"a": ' + b"[" * 50_000 + b"]" * 50_000 + b"}",
        b'{"a":' * 20_000 + b"1" + b"}" * 20_000,
    ],
)
def test_refuses_what_is_not_one_storable_object(text: bytes) -> None:
    with pytest.raises(JsonMalformed):
        strict_json.read_object(text)


@pytest.mark.parametrize("text", [b'{"a": 1, "a": 1}', b'{"b": {"a": 1, "\\u0061": 2}}'])
def test_refuses_a_member_that_stands_there_twice(text: bytes) -> None:
    with pytest.raises(ParameterTwice):
        strict_json.read_object(text)


def test_backslash_before_u0000_is_only_text() -> None:
    assert strict_json.read_object(rb'{"a": "\\u0000"}') == {"a": r"\u0000"}


@given(st.dictionaries(st.text(), st.one_of(st.none(), st.booleans(), st.integers(), st.text(), st.lists(st.text()))))
@settings(max_examples=100)
def test_reads_what_json_writes(members: dict[str, object]) -> None:
    text = json.dumps(members)
    if "\\u0000" in text or "\\ud" in text:
        return
    assert strict_json.read_object(text.encode()) == members


@given(st.binary(max_size=60))
@settings(max_examples=200)
def test_only_our_refusals_escape(text: bytes) -> None:
    with contextlib.suppress(Refusal):
        strict_json.read_object(text)


class Name(BaseModel):
    model_config = ConfigDict(extra="forbid")

    given: str = ""


class Thing(BaseModel):
    model_config = ConfigDict(extra="forbid")

    as_: str = Field(default="", alias="as")
    colour: str = ""
    name: Name | None = None
    names: list[Name] = []


@pytest.mark.parametrize(
    ("members", "pointer", "known"),
    [
        ({"color": "red"}, "/color", "as, colour, name, names"),
        ({"name": {"surname": "x"}}, "/name/surname", "given"),
        ({"names": [{"given": "a"}, {"x/y": "x"}]}, "/names/1/x~1y", "given"),
    ],
)
def test_unknown_member_is_named_with_the_known_ones(members: dict[str, Any], pointer: str, known: str) -> None:
    with pytest.raises(RequestInvalid) as refused:
        strict_json.read_model(Thing, members)
    assert refused.value.places == ((pointer, f"there is no such member; known are {known}"),)
    assert refused.value.detail.endswith(known)

from __future__ import annotations

import pytest

from tests.api.made_up import Client, problem


def test_json_becomes_the_model(client: Client) -> None:
    response = client.post("/v1/colours", json={"name": "red", "shades": [1], "since": "2026-01-31T17:00:00.5+08:00"})
    assert response.status_code == 201
    assert response.json() == {"name": "red", "shades": [1], "since": "2026-01-31T09:00:00Z"}


@pytest.mark.parametrize("media", ["application/json", "APPLICATION/JSON; charset=utf-8"])
def test_media_type_is_read_without_case_and_parameters(client: Client, media: str) -> None:
    assert client.post("/v1/colours", content=b'{"name": "red"}', headers={"Content-Type": media}).status_code == 201


@pytest.mark.parametrize("headers", [{}, {"Content-Type": "text/plain"}, {"Content-Type": "application/jsonx"}])
def test_other_media_types_are_refused(client: Client, headers: dict[str, str]) -> None:
    found = problem(client.post("/v1/colours", content=b"{}", headers=headers), "unsupported_media_type", 415)
    assert "application/json" in found["detail"]


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"[" * 60_000])
def test_unreadable_json_is_400(client: Client, body: bytes) -> None:
    problem(
        client.post("/v1/colours", content=body, headers={"Content-Type": "application/json"}), "json_malformed", 400
    )


def test_member_that_stands_there_twice(client: Client) -> None:
    body = b'{"name": "a", "name": "b"}'
    problem(
        client.post("/v1/colours", content=body, headers={"Content-Type": "application/json"}), "parameter_twice", 400
    )


@pytest.mark.parametrize("members", [{"name": 1}, {"name": "x", "shades": ["1"]}, {"name": "x", "shades": [True]}])
def test_no_value_is_bent_into_another_type(client: Client, members: dict[str, object]) -> None:
    problem(client.post("/v1/colours", json=members), "request_invalid", 422)

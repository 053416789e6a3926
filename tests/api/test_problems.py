from __future__ import annotations

from typing import Any

import pytest

from api import problems
from formats.errors import KINDS, leaves
from tests.api.made_up import Client, problem


@pytest.mark.parametrize(
    ("code", "status"),
    [
        ("made_malformed", 400),
        ("made_too_large", 413),
        ("made_unknown_caller", 401),
        ("made_forbidden", 403),
        ("made_not_found", 404),
        ("made_conflict", 409),
        ("made_unacceptable", 422),
        ("made_too_many", 429),
        ("made_not_ready", 503),
    ],
)
def test_each_kind_has_its_status(client: Client, code: str, status: int) -> None:
    found = problem(client.get(f"/v1/refuse/{code}"), code, status)
    assert found["detail"] == "it is like that"
    assert found["errors"] == [{"pointer": "/a/0", "detail": "it is like that"}]
    assert found["hint"]
    assert set(found) == {"type", "title", "status", "detail", "code", "request_id", "errors", "hint"}


def test_every_kind_is_mapped() -> None:
    assert set(problems.STATUSES) == set(KINDS)


def test_every_leaf_has_a_status() -> None:
    assert all(400 <= problems.status_of(leaf) < 600 for leaf in leaves())


def test_title_comes_from_the_words_or_else_from_the_status(client: Client) -> None:
    assert client.get("/v1/refuse/made_forbidden").json()["title"] == "Not for you"
    assert client.get("/v1/refuse/made_conflict").json()["title"] == "Conflict"


def test_401_names_the_scheme(client: Client) -> None:
    assert client.get("/v1/refuse/made_unknown_caller").headers["www-authenticate"] == "Bearer"


def test_later_says_when(client: Client) -> None:
    assert client.get("/v1/refuse/made_too_many").headers["retry-after"] == "7"
    assert client.get("/v1/refuse/made_not_ready").headers["retry-after"] == "5"


def test_unknown_path(client: Client) -> None:
    problem(client.get("/v1/nothing"), "route_not_found", 404)


def test_trailing_slash_is_another_path_and_no_redirect(client: Client) -> None:
    problem(client.get("/v1/colours/x/"), "route_not_found", 404)


def test_405_lists_the_methods_of_all_routes_at_the_path(client: Client) -> None:
    response = client.call("DELETE", "/v1/colours")
    found = problem(response, "method_not_allowed", 405)
    assert response.headers["allow"] == "GET, HEAD, POST"
    assert found["detail"] == "this address takes GET and POST"


def test_405_of_a_path_with_one_method_names_it(client: Client) -> None:
    found = problem(client.get("/v1/echo"), "method_not_allowed", 405)
    assert found["detail"] == "this address takes POST"


def test_unforeseen_error_says_nothing_of_its_cause(client: Client, logged: list[dict[str, Any]]) -> None:
    response = client.get("/v1/break", headers={"X-Request-Id": "abc"})
    problem(response, "internal_error", 500)
    assert "4711" not in response.text
    entry = next(entry for entry in logged if entry["event"] == "internal_error")
    assert entry["request_id"] == "abc"
    assert entry["exc_info"]


def test_wrong_values_are_pointed_to(client: Client) -> None:
    response = client.post("/v1/colours", json={"name": "", "shades": [1, "2"], "a/b~": 1})
    found = problem(response, "request_invalid", 422)
    pointers = {place["pointer"] for place in found["errors"]}
    assert pointers == {"/name", "/shades/1", "/a~1b~0"}
    assert all(place["detail"][0].islower() for place in found["errors"])
    assert found["detail"].endswith("and 2 more")


def test_wrong_query_value_is_pointed_to(client: Client) -> None:
    found = problem(client.get("/v1/colours?limit=0"), "request_invalid", 422)
    assert found["errors"][0]["pointer"] == "/limit"


def test_values_are_never_repeated(client: Client) -> None:
    response = client.post("/v1/colours", json={"name": "x", "since": "hunter2", "shades": ["hunter2"]})
    problem(response, "request_invalid", 422)
    assert "hunter2" not in response.text


def test_at_most_twenty_places_are_told(client: Client) -> None:
    found = problem(client.post("/v1/colours", json={"name": "x", "shades": ["no"] * 500}), "request_invalid", 422)
    assert len(found["errors"]) == 20


def test_unknown_query_parameter_is_named(client: Client) -> None:
    found = problem(client.get("/v1/colours?nmae=red"), "unknown_parameter", 400)
    assert "'nmae'" in found["detail"]

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from starlette.types import Message, Scope

from api.site import Site
from tests.api.made_up import Client, application, problem


@pytest.mark.parametrize("given", ["a", "A-b_c.9", "x" * 64])
def test_keeps_a_good_request_id(client: Client, given: str) -> None:
    assert client.get("/healthz", headers={"X-Request-Id": given}).headers["x-request-id"] == given


@pytest.mark.parametrize("given", ["", "x" * 65, "a b", "a\tb", "ä", "<a>"])
def test_replaces_a_bad_request_id(client: Client, given: str) -> None:
    made = client.get("/healthz", headers={"X-Request-Id": given.encode()}).headers["x-request-id"]
    assert made != given
    assert len(made) == 32


def test_two_request_ids_are_none(client: Client) -> None:
    response = client.get("/healthz", headers=[("X-Request-Id", "a"), ("X-Request-Id", "b")])
    assert len(response.headers["x-request-id"]) == 32


@pytest.mark.parametrize(
    "path", ["/", "/healthz", "/docs", "/nothing", "/static/app.css", "/v1/break", "/openapi.yaml"]
)
def test_security_headers_are_on_every_answer(client: Client, path: str) -> None:
    headers = client.get(path).headers
    policy = headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "script" not in policy
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "no-referrer"
    assert headers["cross-origin-opener-policy"] == "same-origin"
    assert headers["cross-origin-resource-policy"] == "same-origin"
    assert "max-age" in headers["strict-transport-security"]


def test_no_strict_transport_on_loopback() -> None:
    client = Client(application(site=Site(public_url="http://localhost:8000")))
    assert "strict-transport-security" not in client.get("/healthz").headers


def test_answers_are_not_stored_unless_they_say_so(client: Client) -> None:
    assert client.get("/v1/colours").headers["cache-control"] == "no-store"
    assert "immutable" in client.get("/static/app.css").headers["cache-control"]


@pytest.mark.parametrize("path", ["/", "/healthz", "/v1/colours", "/docs", "/v1/refuse/made_conflict", "/nothing"])
def test_head_is_get_without_the_body(client: Client, path: str) -> None:
    with_body, without = client.get(path), client.call("HEAD", path)
    assert without.status_code == with_body.status_code
    assert without.content == b""
    assert without.headers["content-type"] == with_body.headers["content-type"]
    assert without.headers["content-length"] == str(len(with_body.content)) or with_body.status_code >= 400


def test_head_where_there_is_no_get(client: Client) -> None:
    response = client.call("HEAD", "/v1/echo")
    assert (response.status_code, response.headers["allow"]) == (405, "POST")


@pytest.mark.parametrize("address", ["/v1/colours?name=%00", "/v1/colours/%00"])
def test_refuses_null_characters_in_the_address(client: Client, address: str) -> None:
    problem(client.get(address), "request_malformed", 400)


def test_one_log_line_a_request_with_route_and_code(client: Client, logged: list[dict[str, Any]]) -> None:
    client.get("/v1/refuse/made_conflict", headers={"X-Request-Id": "abc"})
    (entry,) = [entry for entry in logged if entry["event"] == "request"]
    assert entry["request_id"] == "abc"
    assert entry["route"] == "/v1/refuse/{code}"
    assert (entry["method"], entry["status"], entry["problem"]) == ("GET", 409, "made_conflict")


@pytest.mark.parametrize(
    ("address", "template"),
    [
        ("/", "/"),
        ("/docs", "/docs"),
        ("/problems/internal_error", "/problems/{code}"),
        ("/static/app.css", "/static/app.css"),
        ("/healthz", "/healthz"),
        ("/nothing/eve@campus.example", None),
    ],
)
def test_log_names_the_template_of_every_kind_of_route(
    client: Client, logged: list[dict[str, Any]], address: str, template: str | None
) -> None:
    client.get(address)
    (entry,) = [entry for entry in logged if entry["event"] == "request"]
    assert entry["route"] == template


def test_log_holds_neither_path_nor_query_nor_address(client: Client, logged: list[dict[str, Any]]) -> None:
    client.call("DELETE", "/v1/colours/eve@campus.example?name=mallory")
    text = repr(logged)
    assert "eve@" not in text
    assert "mallory" not in text
    assert "127.0.0.1" not in text


def test_broken_request_breaks_nothing_else(client: Client) -> None:
    problem(client.get("/v1/break"), "internal_error", 500)
    assert client.get("/healthz").status_code == 200


@pytest.mark.parametrize(
    "error",
    [
        RuntimeError("unable to perform operation on <TCPTransport closed=True 0x1>; the handler is closed"),
        BrokenPipeError(),
    ],
)
@pytest.mark.parametrize("path", ["/healthz", "/v1/break-midway"])
def test_client_that_is_gone_is_no_bug_of_ours(logged: list[dict[str, Any]], error: Exception, path: str) -> None:
    call(path, send_raises=error)
    (entry,) = logged
    assert (entry["event"], entry["problem"]) == ("request", None)


def test_other_errors_of_the_server_are_logged(logged: list[dict[str, Any]]) -> None:
    call("/healthz", send_raises=RuntimeError("Response content longer than Content-Length"))
    assert [entry["problem"] for entry in logged if entry["event"] == "request"] == ["internal_error"]


def call(path: str, *, send_raises: Exception) -> None:
    """A GET whose answer the server cannot send."""

    async def receive() -> Message:
        await asyncio.Event().wait()
        return {"type": "http.disconnect"}

    async def send(_message: Message) -> None:
        raise send_raises

    scope: Scope = {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": "1.1",
        "method": "GET",
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "root_path": "",
        "query_string": b"",
        "headers": [],
        "client": ("127.0.0.1", 1),
        "server": ("127.0.0.1", 80),
    }
    asyncio.run(application()(scope, receive, send))  # type: ignore[arg-type]  # a coroutine function's call

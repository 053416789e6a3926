from __future__ import annotations

import base64
import json
from typing import Any

import pytest

from tests.api.made_up import Client, problem

MAIL = b"From: a@campus.example\r\n\r\n\xe4\x00 text\n"
RAW = {"Content-Type": "message/rfc822"}


def read(client: Client, url: str = "/v1/echo", **more: Any) -> dict[str, Any]:
    response = client.post(url, **more)
    assert response.status_code == 200, response.text
    found: dict[str, Any] = response.json()
    assert found.pop("message").encode("latin-1") == MAIL
    return found


def test_raw_way(client: Client) -> None:
    found = read(client, "/v1/echo?as=opaque&loud=true&at=2026-01-31T09:00:00Z", content=MAIL, headers=RAW)
    assert found["way"] == "message/rfc822"
    assert (found["as"], found["loud"], found["at"]) == ("opaque", True, "2026-01-31T09:00:00Z")


def test_form_way(client: Client) -> None:
    files = [("message", ("mail.eml", MAIL)), ("anchor", ("a.pem", b"1")), ("anchor", ("b.der", b"\xff"))]
    found = read(client, "/v1/echo?loud=1", files=files, data={"as": "opaque", "options": '{"x": true}'})
    assert found["way"] == "multipart/form-data"
    assert found["files"] == {"anchor": ["1", "ÿ"]}
    assert (found["as"], found["loud"], found["options"]) == ("opaque", True, {"x": True})


def test_form_way_with_a_message_that_is_a_field(client: Client) -> None:
    response = client.post("/v1/echo", files={"message": (None, b"x" * 150_000)})
    assert len(response.json()["message"]) == 150_000


@pytest.mark.parametrize(
    "encoded",
    [
        base64.b64encode(MAIL).decode(),
        base64.b64encode(MAIL).decode().rstrip("="),
        base64.urlsafe_b64encode(MAIL).decode(),
        base64.encodebytes(MAIL * 1).decode(),
        " \r\n".join(base64.b64encode(MAIL).decode()),
    ],
)
def test_json_way(client: Client, encoded: str) -> None:
    members = {"message": encoded, "as": "opaque", "options": {"x": False}}
    found = read(client, "/v1/echo?loud=true&at=2026-01-31T09:00:00Z", json=members)
    assert found["way"] == "application/json"
    assert (found["as"], found["loud"], found["options"]) == ("opaque", True, {"x": False})
    assert found["at"] == "2026-01-31T09:00:00Z"


def test_large_json_is_read_in_a_thread_to_the_same_end(client: Client) -> None:
    message = MAIL + b"x" * (200_000 - len(MAIL))
    response = client.post("/v1/echo", json={"message": base64.encodebytes(message).decode()})
    assert response.json()["message"].encode("latin-1") == message


def test_limit_is_on_the_decoded_message(client: Client) -> None:
    over = b"x" * 200_001
    problem(client.post("/v1/echo", content=over, headers=RAW), "body_too_large", 413)
    problem(client.post("/v1/echo", json={"message": base64.b64encode(over).decode()}), "body_too_large", 413)
    problem(client.post("/v1/echo", files={"message": over}), "body_too_large", 413)
    assert client.post("/v1/echo", content=over[1:], headers=RAW).status_code == 200
    assert client.post("/v1/echo", files={"message": over[1:]}).status_code == 200


@pytest.mark.parametrize("text", ["a", "a=b=", "%%%%", "ä", "AAAA=AAAA"])
def test_bad_base64(client: Client, text: str) -> None:
    found = problem(client.post("/v1/echo", json={"message": text}), "base64_malformed", 400)
    assert found["errors"][0]["pointer"] == "/message"


@pytest.mark.parametrize("members", [{}, {"message": ""}, {"message": None}, {"message": 1}, {"as": "opaque"}])
def test_json_without_a_message(client: Client, members: dict[str, object]) -> None:
    problem(client.post("/v1/echo", json=members), "message_missing", 400)


def test_raw_and_form_without_a_message(client: Client) -> None:
    problem(client.post("/v1/echo", content=b"", headers=RAW), "message_missing", 400)
    problem(client.post("/v1/echo", files={"anchor": b"1"}), "message_missing", 400)


@pytest.mark.parametrize("line_end", [b"\r\n", b"\n"])
def test_message_that_lost_its_line_ends_is_told_of_the_line_that_works(client: Client, line_end: bytes) -> None:
    eaten = MAIL.replace(b"\r\n", b"\n").replace(b"\n", b"")
    found = problem(client.post("/v1/echo", content=eaten, headers=RAW), "line_ends_missing", 400)
    assert "no line end" in found["detail"]
    assert "--data-binary" in found["hint"]
    whole = MAIL.replace(b"\r\n", b"\n").replace(b"\n", line_end)
    assert client.post("/v1/echo", content=whole, headers=RAW).status_code == 200


def test_twice_in_the_query(client: Client) -> None:
    problem(client.post("/v1/echo?as=a&as=a", content=MAIL, headers=RAW), "parameter_twice", 400)


def test_twice_in_the_form(client: Client) -> None:
    twice = [("message", MAIL), ("as", (None, "a")), ("as", (None, "a"))]
    problem(client.post("/v1/echo", files=twice), "parameter_twice", 400)
    problem(client.post("/v1/echo", files=[("message", MAIL), ("message", MAIL)]), "parameter_twice", 400)


@pytest.mark.parametrize("way", ["form", "json"])
def test_in_the_query_and_in_the_body(client: Client, way: str) -> None:
    more: dict[str, Any] = (
        {"files": {"message": MAIL}, "data": {"as": "a"}} if way == "form" else {"json": {"message": "AAAA", "as": "a"}}
    )
    found = problem(client.post("/v1/echo?as=a", **more), "parameter_twice", 400)
    assert "'as'" in found["detail"]


def test_unknown_scalar_is_named_in_each_place(client: Client) -> None:
    for response in (
        client.post("/v1/echo?idenity=x", content=MAIL, headers=RAW),
        client.post("/v1/echo", files={"message": MAIL}, data={"idenity": "x"}),
        client.post("/v1/echo", json={"message": "AAAA", "idenity": "x"}),
        client.post("/v1/echo?idenity=x", json={"message": "AAAA"}),
    ):
        assert "'idenity'" in problem(response, "unknown_parameter", 400)["detail"]


def test_message_is_no_query_parameter(client: Client) -> None:
    problem(client.post("/v1/echo?message=AAAA", content=MAIL, headers=RAW), "unknown_parameter", 400)


def test_file_part_is_no_scalar(client: Client) -> None:
    problem(client.post("/v1/echo?anchor=x", content=MAIL, headers=RAW), "unknown_parameter", 400)
    problem(client.post("/v1/echo", json={"message": "AAAA", "anchor": "x"}), "unknown_parameter", 400)


def test_wrong_scalars_are_pointed_to(client: Client) -> None:
    found = problem(client.post("/v1/echo?at=now", content=MAIL, headers=RAW), "request_invalid", 422)
    assert found["errors"][0]["pointer"] == "/at"
    found = problem(client.post("/v1/echo", json={"message": "AAAA", "loud": "true"}), "request_invalid", 422)
    assert found["errors"][0]["pointer"] == "/loud"


def test_options_that_are_not_json(client: Client) -> None:
    problem(client.post("/v1/echo?options=x", content=MAIL, headers=RAW), "json_malformed", 400)


def test_field_that_is_not_utf_8(client: Client) -> None:
    problem(client.post("/v1/echo", files=[("message", MAIL), ("as", (None, b"\xff"))]), "multipart_malformed", 400)


def test_too_many_files(client: Client) -> None:
    files = [("message", MAIL), *[("anchor", b"1")] * 1001]
    problem(client.post("/v1/echo", files=files), "body_too_large", 413)
    assert client.post("/v1/echo", files=files[:-1]).status_code == 200


def test_members_beside_the_message_are_bounded(client: Client) -> None:
    response = client.post("/v1/echo", json={"message": "AAAA", "as": "x" * 70_000})
    problem(response, "body_too_large", 413)


@pytest.mark.parametrize("media", ["", "application/x-www-form-urlencoded", "text/plain", "message/rfc8222"])
def test_415_shows_the_line_that_works(client: Client, media: str) -> None:
    response = client.post("/v1/echo", content=MAIL, headers={"Content-Type": media} if media else {})
    found = problem(response, "unsupported_media_type", 415)
    assert "--data-binary @mail.eml" in found["detail"]
    assert "https://ca.campus.example/v1/echo" in found["detail"]


def test_no_plaintext_in_problem_or_log(client: Client, logged: list[dict[str, Any]]) -> None:
    secret = {"message": base64.b64encode(b"topsecret").decode(), "at": "topsecret", "as": ["topsecret"]}
    response = client.post("/v1/echo", content=json.dumps(secret), headers={"Content-Type": "application/json"})
    problem(response, "request_invalid", 422)
    assert "topsecret" not in response.text + repr(logged)

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from api import ocsp
from api.assembly import Parts, assemble
from tests.api.made_up import MADE, SITE, Client, problem

NOW = datetime(2026, 1, 31, 9, 0, 0, tzinfo=UTC)
# Base64 of this holds plus signs, slashes, doubled slashes and padding.
REQUEST = b"0\x82" + b"\xff\xff\xff\xfb\xef\xbe\x00" * 9
TYPE = {"Content-Type": "application/ocsp-request"}


@dataclass(frozen=True)
class Answer:
    der: bytes
    this_update: datetime | None = NOW - timedelta(minutes=5)
    next_update: datetime | None = NOW + timedelta(hours=24)


def made(*, next_update: datetime = NOW + timedelta(hours=24)) -> Client:
    def answer_to(authority: str, request: bytes) -> Answer:
        if authority != "g1" or request != REQUEST:
            return Answer(b"0error", None, None)
        return Answer(b"0good", next_update=next_update)

    routes = ocsp.routes(answer_to=answer_to, clock=lambda: NOW)
    parts = Parts(site=SITE, routers=[], context=None, is_ready=lambda: True, home=lambda: MADE, status_routes=routes)
    return Client(assemble(parts))


def test_log_names_the_template_and_not_the_request(logged: list[dict[str, Any]]) -> None:
    made().call("GET", "/ocsp/g1/" + base64.b64encode(REQUEST).decode())
    made().call("POST", "/ocsp/g1", content=REQUEST, headers=TYPE)
    routes = [entry["route"] for entry in logged if entry["event"] == "request"]
    assert routes == ["/ocsp/{authority}/{encoded:path}", "/ocsp/{authority}"]


def encoded(*, quoted: str = "") -> str:
    text = base64.b64encode(REQUEST).decode()
    assert "+" in text
    assert "//" in text
    assert text.endswith("=")
    for character in quoted:
        text = text.replace(character, f"%{ord(character):02X}")
    return text


@pytest.mark.parametrize("quoted", ["", "+", "/", "=", "+/="])
def test_get_takes_the_request_escaped_or_not(quoted: str) -> None:
    assert made().get(f"/ocsp/g1/{encoded(quoted=quoted)}").content == b"0good"


@pytest.mark.parametrize("prefix", ["/", "//", "%2F"])
def test_get_bears_slashes_that_proxies_double(prefix: str) -> None:
    assert made().get(f"/ocsp/g1/{prefix}{encoded()}").content == b"0good"


def test_get_bears_lost_padding_and_blanks() -> None:
    assert made().get(f"/ocsp/g1/{encoded().rstrip('=')}").content == b"0good"
    assert made().get(f"/ocsp/g1/{encoded().replace('+', '%20')}").content == b"0good"


@pytest.mark.parametrize("path", ["/ocsp/g1", "/ocsp/g1/"])
def test_post(path: str) -> None:
    client = made()
    assert client.post(path, content=REQUEST, headers=TYPE).content == b"0good"
    assert client.post(path, content=REQUEST).content == b"0good"


def test_headers_of_an_answer() -> None:
    headers = made().post("/ocsp/g1", content=REQUEST, headers=TYPE).headers
    assert headers["content-type"] == "application/ocsp-response"
    assert headers["content-length"] == "5"
    assert headers["last-modified"] == "Sat, 31 Jan 2026 08:55:00 GMT"
    assert headers["expires"] == "Sun, 01 Feb 2026 09:00:00 GMT"
    assert headers["etag"] == f'"{hashlib.sha256(b"0good").hexdigest()}"'
    assert headers["cache-control"] == "max-age=600, public, no-transform, must-revalidate"
    assert "pragma" not in headers


def test_answer_is_kept_no_longer_than_it_counts() -> None:
    headers = made(next_update=NOW + timedelta(seconds=30)).get(f"/ocsp/g1/{encoded()}").headers
    assert headers["cache-control"].startswith("max-age=30,")


def test_304_for_who_has_the_answer() -> None:
    client = made()
    tag = client.get(f"/ocsp/g1/{encoded()}").headers["etag"]
    assert client.get(f"/ocsp/g1/{encoded()}", headers={"If-None-Match": tag}).status_code == 304


@pytest.mark.parametrize("path", ["/ocsp/g1/!!", "/ocsp/g1/" + "A" * 1100, "/ocsp/g2/AAAA", "/ocsp/g1/"])
def test_errors_are_answers_that_nobody_keeps(path: str) -> None:
    response = made().get(path)
    assert (response.status_code, response.content) == (200, b"0error")
    assert response.headers["cache-control"] == "no-store"
    assert "etag" not in response.headers


def test_large_requests_are_refused_unread() -> None:
    problem(made().post("/ocsp/g1", content=b"0" * 4097, headers=TYPE), "body_too_large", 413)


def test_wrong_media_type() -> None:
    response = made().post("/ocsp/g1", content=REQUEST, headers={"Content-Type": "text/plain"})
    problem(response, "unsupported_media_type", 415)

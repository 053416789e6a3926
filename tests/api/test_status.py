from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pytest

from api import status
from api.assembly import Parts, assemble
from tests.api.made_up import MADE, SITE, Client, MadeNotFound, problem

NOW = datetime(2026, 1, 31, 9, 0, 0, tzinfo=UTC)


@dataclass(frozen=True)
class Crl:
    der: bytes = b"0crl"
    this_update: datetime = NOW - timedelta(minutes=5)
    next_update: datetime = NOW + timedelta(hours=48)


def made(crl: Crl | None = None) -> Client:
    def crl_of(authority: str) -> Crl:
        if authority != "g1":
            raise MadeNotFound("no such authority")
        return crl or Crl()

    def issuer_of(authority: str) -> bytes:
        return crl_of(authority).der

    routes = status.routes(crl_of=crl_of, issuer_of=issuer_of, clock=lambda: NOW)
    parts = Parts(site=SITE, routers=[], context=None, is_ready=lambda: True, home=lambda: MADE, status_routes=routes)
    return Client(assemble(parts))


def test_crl_says_how_long_it_counts() -> None:
    response = made().get("/crl/g1.crl")
    assert (response.status_code, response.content) == (200, b"0crl")
    assert response.headers["content-type"] == "application/pkix-crl"
    assert response.headers["last-modified"] == "Sat, 31 Jan 2026 08:55:00 GMT"
    assert response.headers["expires"] == "Mon, 02 Feb 2026 09:00:00 GMT"
    assert "max-age=60" in response.headers["cache-control"]
    assert response.headers["etag"] == f'"{hashlib.sha256(b"0crl").hexdigest()}"'


def test_old_crl_is_not_kept() -> None:
    client = made(Crl(next_update=NOW - timedelta(seconds=1)))
    assert "max-age=0" in client.get("/crl/g1.crl").headers["cache-control"]


@pytest.mark.parametrize("form", ["{}", "W/{}", '"other", {}'])
def test_304_for_who_has_it(form: str) -> None:
    client = made()
    tag = client.get("/crl/g1.crl").headers["etag"]
    response = client.get("/crl/g1.crl", headers={"If-None-Match": form.format(tag)})
    assert (response.status_code, response.content, response.headers["etag"]) == (304, b"", tag)
    assert "content-length" not in response.headers


def test_200_for_who_has_another() -> None:
    assert made().get("/crl/g1.crl", headers={"If-None-Match": '"other"'}).status_code == 200


def test_issuer_certificate() -> None:
    response = made().get("/ca/g1.crt")
    assert response.headers["content-type"] == "application/pkix-cert"
    assert "max-age=86400" in response.headers["cache-control"]


@pytest.mark.parametrize("path", ["/crl/g2.crl", "/ca/g2.crt"])
def test_stranger_is_refused(path: str) -> None:
    problem(made().get(path), "made_not_found", 404)


def test_only_read() -> None:
    response = made().post("/crl/g1.crl")
    problem(response, "method_not_allowed", 405)
    assert response.headers["allow"] == "GET, HEAD"

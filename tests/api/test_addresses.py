from __future__ import annotations

import ipaddress

import pytest
from starlette.requests import Request

from api.addresses import address_of

TRUSTED = [ipaddress.ip_network("10.0.0.0/8"), ipaddress.ip_network("2001:db8::/32")]


def address(peer: str | None, *forwarded: str) -> str | None:
    headers = [(b"x-forwarded-for", value.encode()) for value in forwarded]
    scope = {"type": "http", "headers": headers, "client": (peer, 1) if peer else None}
    return address_of(Request(scope), trusted=TRUSTED)


@pytest.mark.parametrize(
    ("peer", "forwarded", "expected"),
    [
        ("192.0.2.1", [], "192.0.2.1"),
        ("192.0.2.1", ["10.0.0.9"], "192.0.2.1"),
        ("10.0.0.1", [], "10.0.0.1"),
        ("10.0.0.1", ["192.0.2.7"], "192.0.2.7"),
        ("10.0.0.1", ["203.0.113.5, 192.0.2.7"], "192.0.2.7"),
        ("10.0.0.1", ["203.0.113.5", "192.0.2.7, 10.0.0.2"], "192.0.2.7"),
        ("10.0.0.1", ["10.0.0.3, 10.0.0.2"], "10.0.0.3"),
        ("::ffff:10.0.0.1", ["192.0.2.7"], "192.0.2.7"),
        ("2001:db8::1", ["2001:db9::5"], "2001:db9::5"),
        ("10.0.0.1", ["192.0.2.7, nonsense"], "nonsense"),
        (None, ["10.0.0.2"], None),
    ],
)
def test_believes_only_trusted_proxies(peer: str | None, forwarded: list[str], expected: str | None) -> None:
    assert address(peer, *forwarded) == expected


def test_long_chains_are_cut() -> None:
    assert address("10.0.0.1", ",".join(["192.0.2.7"] + ["10.0.0.2"] * 100_000)) == "10.0.0.2"

"""Address, where a request comes from, behind the proxies that the operator trusts."""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from typing import Final

from starlette.requests import HTTPConnection

HOPS: Final = 32
Network = ipaddress.IPv4Network | ipaddress.IPv6Network


def address_of(connection: HTTPConnection, *, trusted: Sequence[Network]) -> str | None:
    """The nearest address that is not a trusted proxy: what proxies add stands at the right, and only they are believed."""
    nearest = connection.client.host if connection.client else None
    forwarded = ",".join(connection.headers.getlist("x-forwarded-for")).split(",")
    for hop in reversed(forwarded[-HOPS:]):
        if not _is_trusted(nearest, trusted):
            break
        if hop.strip():
            nearest = hop.strip()
    return nearest


def _is_trusted(address: str | None, trusted: Sequence[Network]) -> bool:
    try:
        parsed = ipaddress.ip_address(address or "")
    except ValueError:
        return False
    if isinstance(parsed, ipaddress.IPv6Address) and parsed.ipv4_mapped is not None:
        parsed = parsed.ipv4_mapped
    return any(parsed in network for network in trusted)

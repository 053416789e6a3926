"""Site, what the door knows about itself: its address, the titles of its problems, its limits."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from starlette.requests import HTTPConnection

from api.addresses import Network

MESSAGE_OCTETS: Final = 25 * 1024 * 1024
INFLOW_OCTETS: Final = 256 * 1024 * 1024
CALLER_OCTETS: Final = 128 * 1024 * 1024
# Room for six of the largest messages, one and a half of them from one network.
STRANGERS_OCTETS: Final = 160 * 1024 * 1024
NETWORK_OCTETS: Final = 40 * 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """`public_url` has no slash at its end; `message_octets` bounds a decoded message; silences and durations are in seconds.

    `inflow_octets` bounds the bodies that are held at a time for callers with a key, `caller_octets` those for one key,
    `strangers_octets` those for all others and `network_octets` those for one network of them; `rate_limit` bounds the
    requests of a key a minute, 0 is no limit.
    """

    public_url: str
    titles: Mapping[str, str] = field(default_factory=dict)
    message_octets: int = MESSAGE_OCTETS
    inflow_octets: int = INFLOW_OCTETS
    caller_octets: int = CALLER_OCTETS
    strangers_octets: int = STRANGERS_OCTETS
    network_octets: int = NETWORK_OCTETS
    rate_limit: int = 0
    body_silence: float = 30.0
    body_duration: float = 600.0
    strangers_silence: float = 10.0
    strangers_duration: float = 120.0
    trusted_proxies: Sequence[Network] = ()


def site_of(connection: HTTPConnection) -> Site:
    """The site that serves this request."""
    site: Site = connection.app.state.site
    return site

"""Status: CRLs and issuer certificates over plain HTTP, at the addresses that certificates carry.

These routes need no key and no framework beyond Starlette, so that a process without keys can serve them.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Final, Protocol

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from api import conditional

CRL_TYPE: Final = "application/pkix-crl"
CERTIFICATE_TYPE: Final = "application/pkix-cert"
# A changed CRL is out within 60 seconds, so nobody should keep the old one for longer.
CRL_AGE: Final = timedelta(seconds=60)
ISSUER_AGE: Final = timedelta(days=1)


class PublishedCrl(Protocol):
    """A CRL as it was stored."""

    @property
    def der(self) -> bytes:
        """The signed bytes."""

    @property
    def this_update(self) -> datetime:
        """From when it counts."""

    @property
    def next_update(self) -> datetime:
        """When there will be a newer one."""


def routes(
    *,
    crl_of: Callable[[str], PublishedCrl],
    issuer_of: Callable[[str], bytes],
    clock: Callable[[], datetime],
    crl_path: str = "/crl/{authority}.crl",
    issuer_path: str = "/ca/{authority}.crt",
) -> list[Route]:
    """The routes; both callables take an authority's id, do at most one short read, and refuse a stranger (NotFound)."""

    async def crl(request: Request) -> Response:
        found = crl_of(request.path_params["authority"])
        left = max(int((found.next_update - clock()).total_seconds()), 0)
        headers = {
            "Last-Modified": conditional.http_date(found.this_update),
            "Expires": conditional.http_date(found.next_update),
            "Cache-Control": f"max-age={min(left, int(CRL_AGE.total_seconds()))}, public, no-transform, must-revalidate",
        }
        return conditional.answer(request, found.der, media_type=CRL_TYPE, headers=headers)

    async def issuer(request: Request) -> Response:
        found = issuer_of(request.path_params["authority"])
        headers = {"Cache-Control": f"max-age={int(ISSUER_AGE.total_seconds())}, public, no-transform"}
        return conditional.answer(request, found, media_type=CERTIFICATE_TYPE, headers=headers)

    return [Route(crl_path, crl), Route(issuer_path, issuer)]

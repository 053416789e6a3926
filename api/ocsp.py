"""OCSP over HTTP (RFC 6960 appendix A, RFC 9919 6 and 7): requests by GET and POST, answers that caches may keep."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable
from datetime import datetime
from typing import Final, Protocol

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from api import conditional
from api.bodies import media_type
from api.errors import UnsupportedMediaType
from api.inflow import inflow_of

REQUEST_TYPE: Final = "application/ocsp-request"
ANSWER_TYPE: Final = "application/ocsp-response"
REQUEST_OCTETS: Final = 4 * 1024
PATH_CHARACTERS: Final = 1024
MAX_AGE: Final = 600


class OcspAnswer(Protocol):
    """A signed answer, or an unsigned error, which has no times."""

    @property
    def der(self) -> bytes:
        """The bytes to send."""

    @property
    def this_update(self) -> datetime | None:
        """From when it counts."""

    @property
    def next_update(self) -> datetime | None:
        """Until when it counts."""


def routes(
    *, answer_to: Callable[[str, bytes], OcspAnswer], clock: Callable[[], datetime], path: str = "/ocsp/{authority}"
) -> list[Route]:
    """The routes; `answer_to` takes the authority's id and the request's bytes (empty for an unreadable one)."""

    async def ocsp_post(request: Request) -> Response:
        if media_type(request) not in {"", REQUEST_TYPE}:
            raise UnsupportedMediaType(f"this address takes {REQUEST_TYPE}")
        return answer(request, await inflow_of(request).read(limit=REQUEST_OCTETS))

    async def ocsp_get(request: Request) -> Response:
        return answer(request, _from_path(request.path_params["encoded"]))

    def answer(request: Request, octets: bytes) -> Response:
        found = answer_to(request.path_params["authority"], octets)
        return _respond(request, found, now=clock())

    return [
        Route(path, ocsp_post, methods=["POST"]),
        Route(path + "/", ocsp_post, methods=["POST"]),
        Route(path + "/{encoded:path}", ocsp_get),
    ]


def _from_path(encoded: str) -> bytes:
    """The request in the path: base64, in which proxies double slashes and turn plus signs into blanks."""
    text = encoded.lstrip("/").replace(" ", "+")  # a request begins with 0x30, so its base64 never with a slash
    if len(text) > PATH_CHARACTERS:
        return b""
    text = text.rstrip("=")
    try:
        return base64.b64decode(text + "=" * (-len(text) % 4), validate=True)
    except (binascii.Error, ValueError):
        return b""


def _respond(request: Request, found: OcspAnswer, *, now: datetime) -> Response:
    if found.this_update is None or found.next_update is None:
        return Response(found.der, media_type=ANSWER_TYPE, headers={"Cache-Control": "no-store"})
    left = max(int((found.next_update - now).total_seconds()), 0)
    headers = {
        "Last-Modified": conditional.http_date(found.this_update),
        "Expires": conditional.http_date(found.next_update),
        "Cache-Control": f"max-age={min(MAX_AGE, left)}, public, no-transform, must-revalidate",
    }
    return conditional.answer(request, found.der, media_type=ANSWER_TYPE, headers=headers)

"""Visitor, a browser at the pages for people: its network, its cookie, and the session that it has open."""

from __future__ import annotations

import re
from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from api.addresses import address_of
from api.pace import network_of
from api.pages.desk import People
from api.site import site_of

# A cookie of this form, 128 bits in base64url, is one of ours; anything else counts as none, and is replaced.
_SECRET: Final = re.compile(r"[A-Za-z0-9_-]{22}", re.ASCII)


def network(request: Request, *, people: People) -> str:
    """The network that the visitor counts for."""
    return network_of(address_of(request, trusted=people.trusted_proxies))


def request_id(request: Request) -> str:
    """The id of this request."""
    found: str = request.scope["state"]["request_id"]
    return found


def browser(request: Request) -> str | None:
    """The secret of the browser, if it sent one."""
    found = request.cookies.get(_name(request))
    return found if found and _SECRET.fullmatch(found) else None


def remember(request: Request, response: Response, *, secret: str) -> None:
    """Let the browser keep its secret until it is closed, for this site alone."""
    response.set_cookie(_name(request), secret, path="/", secure=_is_secure(request), httponly=True, samesite="strict")


def forget(request: Request, response: Response) -> None:
    """Let the browser forget its secret."""
    response.delete_cookie(_name(request), path="/", secure=_is_secure(request), httponly=True, samesite="strict")


def _name(request: Request) -> str:
    # A browser takes the prefix only over https, where it keeps other hosts of the domain from setting the cookie.
    return "__Host-mailseal" if _is_secure(request) else "mailseal"


def _is_secure(request: Request) -> bool:
    return site_of(request).public_url.startswith("https:")

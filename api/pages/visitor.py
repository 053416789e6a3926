"""Visitor, a browser at the pages for people: its network, its cookie, and the session that it has open."""

from __future__ import annotations

import re
from collections.abc import Iterator
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
    found = [value for name, value in _cookies(request) if name == _name(request)]
    # Two of a name: one of them is somebody else's.
    return found[0] if len(found) == 1 and _SECRET.fullmatch(found[0]) else None


def remember(request: Request, response: Response, *, secret: str) -> None:
    """Let the browser keep its secret until it is closed, for this site alone."""
    response.set_cookie(_name(request), secret, path="/", secure=_is_secure(request), httponly=True, samesite="strict")


def forget(request: Request, response: Response) -> None:
    """Let the browser forget its secret."""
    response.delete_cookie(_name(request), path="/", secure=_is_secure(request), httponly=True, samesite="strict")


def _cookies(request: Request) -> Iterator[tuple[str, str]]:
    """Names and values to the letter (RFC 6265 4.2.1).

    Python's strip() takes octets off a name that browsers leave, and would make ours of another host's.
    """
    for header in request.headers.getlist("cookie"):
        for pair in header.split(";"):
            name, _, value = pair.strip(" \t").partition("=")
            yield name, value


def _name(request: Request) -> str:
    # A browser takes the prefix only over https, where it keeps other hosts of the domain from setting the cookie.
    return "__Host-mailseal" if _is_secure(request) else "mailseal"


def _is_secure(request: Request) -> bool:
    return site_of(request).public_url.startswith("https:")

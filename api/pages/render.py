"""Render a template as a page; everything that is put in is escaped."""

from __future__ import annotations

import hashlib
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib import resources
from types import MappingProxyType
from typing import Any, Final

from jinja2 import Environment, PackageLoader, StrictUndefined
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from api import conditional
from api.envelope import SECURITY

STYLE: Final = "/static/app.css"
SCRIPT: Final = "/static/app.js"
ICON: Final = "/static/icon.svg"
_MEDIA: Final = {STYLE: "text/css", SCRIPT: "text/javascript", ICON: "image/svg+xml"}
_POLICY: Final = "Content-Security-Policy"
# The whole address of a page may hold the secret of a link; without any referrer a browser hides the origin of a form too.
FORM_HEADERS: Final[Mapping[str, str]] = MappingProxyType(
    {
        _POLICY: SECURITY[_POLICY] + "; script-src 'self'",
        "Cache-Control": "no-store",
        "Referrer-Policy": "strict-origin",
    }
)
Endpoint = Callable[[Request], Awaitable[Response]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Frame:
    """What stands around every page; `people` says whether there are pages for people."""

    people: bool = False
    demo: bool = False
    help_url: str | None = None
    help_email: str | None = None


def templates(frame: Frame | None = None) -> Environment:
    """The templates, read from the package."""
    made = Environment(
        loader=PackageLoader("api.pages", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.globals["style"] = _address(STYLE)
    made.globals["icon"] = _address(ICON)
    made.globals["frame"] = frame or Frame()
    return made


def page(environment: Environment, template: str, /, **values: Any) -> HTMLResponse:
    """The page; callers may keep it, as it does not depend on who asks."""
    return HTMLResponse(environment.get_template(template).render(values), headers={"Cache-Control": "no-cache"})


def form_page(environment: Environment, template: str, /, *, status: int = 200, **values: Any) -> HTMLResponse:
    """A page with a form, or what came of one: never kept, and with the one script, which it works without."""
    content = environment.get_template(template).render(values, script=_address(SCRIPT))
    return HTMLResponse(content, status, headers=dict(FORM_HEADERS))


def route(path: str, endpoint: Endpoint, *, methods: Sequence[str] = ("GET",)) -> Route:
    """A route that the log names by its path with placeholders, never by the address that was asked for."""

    async def named(request: Request) -> Response:
        request.scope["route"] = made
        return await endpoint(request)

    made = Route(path, named, methods=list(methods))
    return made


def asset_routes() -> list[Route]:
    """The routes of the style sheet, the script and the icon; their addresses change with their content, so they may be kept."""
    return [_asset_route(path) for path in _MEDIA]


def _asset_route(path: str) -> Route:
    content = _content(path)

    async def asset(request: Request) -> Response:
        headers = {"Cache-Control": "public, max-age=31536000, immutable"}
        return conditional.answer(request, content, media_type=_MEDIA[path], headers=headers)

    return Route(path, asset)


def _address(path: str) -> str:
    return f"{path}?{hashlib.sha256(_content(path)).hexdigest()[:16]}"


def _content(path: str) -> bytes:
    return resources.files("api.pages").joinpath("static", path.rpartition("/")[2]).read_bytes()

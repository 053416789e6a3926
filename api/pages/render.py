"""Render a template as a page; everything that is put in is escaped."""

from __future__ import annotations

import hashlib
from importlib import resources
from typing import Any, Final

from jinja2 import Environment, PackageLoader, StrictUndefined
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from api import conditional

STYLE: Final = "/static/app.css"


def templates() -> Environment:
    """The templates, read from the package."""
    made = Environment(
        loader=PackageLoader("api.pages", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.globals["style"] = f"{STYLE}?{hashlib.sha256(_style()).hexdigest()[:16]}"
    return made


def page(environment: Environment, name: str, **values: Any) -> HTMLResponse:
    """The page; callers may keep it, as it does not depend on who asks."""
    return HTMLResponse(environment.get_template(name).render(values), headers={"Cache-Control": "no-cache"})


def style_route() -> Route:
    """The route of the one style sheet; its address changes with its content, so it may be kept for ever."""
    content = _style()

    async def style(request: Request) -> Response:
        headers = {"Cache-Control": "public, max-age=31536000, immutable"}
        return conditional.answer(request, content, media_type="text/css", headers=headers)

    return Route(STYLE, style)


def _style() -> bytes:
    return resources.files("api.pages").joinpath("static", "app.css").read_bytes()

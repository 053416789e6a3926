"""Yardsticks: two routes that only the bench has, beside the calls that are measured by them.

`POST /bench/echo` takes a JSON object as /v1/sign does and answers it; `/bench/static` answers fixed bytes. Both stand
on the very application that is served, inside its envelope, and each right behind the call that it measures, because
routes are tried one after the other.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from fastapi import APIRouter, FastAPI
from pydantic import BaseModel
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from api.ocsp import ANSWER_TYPE

if TYPE_CHECKING:
    from api.envelope import Envelope

ECHO = "/bench/echo"
STATIC = "/bench/static"
# As long as an OCSP answer.
STATIC_BODY = bytes(900)


class Echo(BaseModel):
    """A message, base64."""

    message: str


async def echo(given: Echo) -> Echo:
    """The same again."""
    return given


async def static(request: Request) -> Response:
    """Fixed bytes, once the request is there."""
    await request.body()
    return Response(STATIC_BODY, media_type=ANSWER_TYPE)


def mount(served: Envelope) -> None:
    """Put both on the application."""
    app: FastAPI = served._app  # type: ignore[assignment]  # noqa: SLF001  # what is measured is the whole of it
    router = APIRouter()
    router.add_api_route(ECHO, echo, methods=["POST"])
    routes = app.router.routes
    app.include_router(router)
    # Each beside what it is held against, because routes are tried one by one: the status routes come first, and the
    # first router is that of /v1/sign.
    first = next(place for place, route in enumerate(routes) if not isinstance(route, Route))
    routes.insert(first + 1, routes.pop())
    routes.insert(first, Route(STATIC, static, methods=["GET", "POST"]))

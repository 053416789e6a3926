"""The page of the campus root: its file and fingerprint, and what adding it means and does not mean."""

from __future__ import annotations

from collections.abc import Callable

from jinja2 import Environment
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from api.pages import home, render
from api.pages.home import Home


def route(environment: Environment, *, facts: Callable[[], Home]) -> Route:
    """The route; `facts` is asked each time, in a thread."""

    async def root(_request: Request) -> Response:
        shown = await run_in_threadpool(facts)
        return render.page(environment, "root.html", home=shown, fingerprint=home.spaced(shown.root_sha256))

    return render.route("/root", root)

"""The page that only the demo has: the letters that a real installation would have sent."""

from __future__ import annotations

from jinja2 import Environment
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from api.pages import render
from api.pages.desk import Letter, People
from api.site import site_of
from services.words import pages as words


def routes(environment: Environment, *, people: People) -> list[Route]:
    """The route, in the demo alone."""

    async def outbox(request: Request) -> Response:
        letters = await run_in_threadpool(people.desk.letters)
        site = site_of(request).public_url
        shown = [(letter, _ours(letter, site=site)) for letter in letters]
        return render.form_page(environment, "outbox.html", letters=shown, words=words)

    return [render.route("/outbox", outbox)] if people.demo else []


def _ours(letter: Letter, *, site: str) -> list[str]:
    """The links of a letter that lead here, as paths, so that they work under each name of this machine."""
    return [link.removeprefix(site) for link in letter.links if link.startswith(f"{site}/")]

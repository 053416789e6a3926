"""Check a message: somebody sends a saved message and reads whether it is genuine; nothing of it is kept."""

from __future__ import annotations

from typing import Final

from jinja2 import Environment
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from api import problems
from api.pace import Pace
from api.pages import forms, render, visitor
from api.pages.desk import People
from api.site import site_of
from formats.errors import Malformed, Refusal, TooLarge, Unacceptable
from services.words import pages as words

# Of one network, which may be a lecture hall of people behind one address.
CHECKS: Final = 60


def routes(environment: Environment, *, people: People) -> list[Route]:
    """The routes of the form and its answer."""
    pace = Pace(per_minute=CHECKS, burst=CHECKS)

    async def form(request: Request) -> Response:
        return _page(request, environment)

    async def check(request: Request) -> Response:
        forms.refuse_from_elsewhere(request)
        pace.take(visitor.network(request, people=people))
        content, _ = await forms.read_file(request, file="message", limit=site_of(request).message_octets)
        if not content:  # a browser sends the same for a file that is empty
            return _page(request, environment, status=422, fault="No file was chosen, or the file is empty.")
        try:
            found = await run_in_threadpool(people.desk.check, content)
        except (Malformed, TooLarge, Unacceptable) as refusal:
            return _page(request, environment, status=problems.status_of(refusal), fault=_unreadable(refusal))
        report = found.report
        return render.form_page(environment, "checked.html", report=report, found=words.finding(report), words=words)

    return [render.route("/check", form), render.route("/check", check, methods=["POST"])]


def _page(request: Request, environment: Environment, *, status: int = 200, fault: str | None = None) -> Response:
    limit = words.size(site_of(request).message_octets)
    return render.form_page(environment, "check.html", status=status, limit=limit, fault=fault)


def _unreadable(refusal: Refusal) -> str:
    return f"This file cannot be read as a message: {refusal.detail}."

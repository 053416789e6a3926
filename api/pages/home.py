"""The page at /: what this is, what it offers to people, and the lines to paste for departments."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from jinja2 import Environment
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from api.pages import render


@dataclass(frozen=True, slots=True, kw_only=True)
class Home:
    """What the page shows; `lines` are for a shell, `root_sha256` is hexadecimal, `help_url` may be a mailto: link."""

    campus_name: str
    demo: bool
    mail_domains: tuple[str, ...]
    root_name: str
    root_sha256: str
    lines: str
    root_pem: str = "/v1/authorities/root.pem"
    root_crt: str = "/v1/authorities/root.crt"
    help_url: str | None = None


def route(environment: Environment, *, facts: Callable[[], Home]) -> Route:
    """The route; `facts` is asked each time, in a thread."""

    async def home(_request: Request) -> Response:
        shown = await run_in_threadpool(facts)
        return render.page(environment, "home.html", home=shown, fingerprint=spaced(shown.root_sha256))

    return render.route("/", home)


def spaced(fingerprint: str) -> str:
    """The fingerprint in pairs, which people can compare."""
    pairs = [fingerprint[index : index + 2] for index in range(0, len(fingerprint), 2)]
    return " ".join(pairs).upper()

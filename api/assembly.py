"""Assembly of the application: routers, pages and problems inside the envelope; it knows no service."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from functools import cache, partial

from fastapi import APIRouter, FastAPI
from fastapi.routing import APIRoute
from jinja2 import Environment
from starlette.routing import Route

from api import description, health, problems
from api.callers import Gate
from api.envelope import Envelope
from api.lane import lane
from api.pages import check, docs, enrol, home, mine, outbox, problem, render, root
from api.pages.desk import People
from api.pages.home import Home
from api.pages.render import Frame
from api.site import Site

Lifespan = Callable[[FastAPI], AbstractAsyncContextManager[None]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """What the application is put together from; `context` is handed to the calls unopened.

    Without `people` there are no pages with forms.
    """

    site: Site
    routers: Sequence[APIRouter]
    context: object
    is_ready: Callable[[], bool]
    home: Callable[[], Home]
    people: People | None = None
    status_routes: Sequence[Route] = ()
    lifespan: Lifespan | None = None


def assemble(parts: Parts) -> Envelope:
    """The whole ASGI application."""
    app = bare(parts.routers, is_ready=parts.is_ready, lifespan=parts.lifespan)
    app.state.site = parts.site
    app.state.context = parts.context
    app.state.lane = lane()
    app.state.gate = Gate(rate_limit=parts.site.rate_limit)
    problems.install(app)
    # Made when first asked for: it takes longer than all the rest of a start.
    spec = cache(partial(description.describe, app))
    templates = render.templates(_frame(parts.people))
    problem.install(app, environment=templates)
    app.router.routes += [
        home.route(templates, facts=parts.home),
        root.route(templates, facts=parts.home),
        *(people_routes(templates, parts.people) if parts.people else ()),
        docs.route(templates, spec=spec),
        description.route(spec),
        *render.asset_routes(),
        *problem.routes(templates, titles=parts.site.titles),
    ]
    # First, because routes are tried one by one, and the mail programs of the whole world ask for these.
    app.router.routes[:0] = parts.status_routes
    return Envelope(app, site=parts.site, for_reader=partial(problem.for_reader, templates))


def people_routes(templates: Environment, people: People) -> list[Route]:
    """The pages with forms, and the demo's letters."""
    return [
        *enrol.routes(templates, people=people),
        *mine.routes(templates, people=people),
        *check.routes(templates, people=people),
        *outbox.routes(templates, people=people),
    ]


def _frame(people: People | None) -> Frame:
    if people is None:
        return Frame()
    return Frame(people=True, demo=people.demo, help_url=people.help_url, help_email=people.help_email)


def bare(
    routers: Sequence[APIRouter], *, is_ready: Callable[[], bool] = bool, lifespan: Lifespan | None = None
) -> FastAPI:
    """The application as far as its description knows it."""
    app = FastAPI(
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
        redirect_slashes=False,
        lifespan=lifespan,
        telemetry={"tracing": False, "metrics": False, "logs": False},
        generate_unique_id_function=_operation_id,
    )
    for router in (*routers, health.router(is_ready=is_ready)):
        app.include_router(router)
    return app


def _operation_id(route: APIRoute) -> str:
    return route.name

"""A page for each problem code, where the `type` of a problem leads; and each refusal as a page, for who reads HTML."""

from __future__ import annotations

import inspect
import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Final, cast

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from jinja2 import Environment
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from api import negotiation, problems
from api.errors import HttpRefusal, NotAcceptable, ProblemNotFound
from api.pages import render
from formats.errors import KINDS, Refusal, leaves
from services.words import pages as words
from services.words.pages import Said

HTML: Final = "text/html"
# What programs ask for; their problems stay JSON whatever they accept.
_PROGRAMS: Final = ("/v1/", "/ocsp/", "/crl/", "/ca/", "/healthz", "/readyz", "/openapi.yaml", "/static/")
# What HTTP can say of a page and no kind of error does.
_STATUSES: Final[Mapping[str, int]] = {"link_refused": HTTPStatus.GONE, "session_ended": HTTPStatus.FORBIDDEN}
Answer = Callable[[Request, Exception], Awaitable[Response]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """What the page of a code shows."""

    code: str
    status: int
    title: str
    happened: str
    hint: str


def explanations(titles: Mapping[str, str]) -> dict[str, Explanation]:
    """All codes that are known when this is called, so import every room before."""
    known = (*KINDS, HttpRefusal)
    found = [leaf for leaf in leaves() if issubclass(leaf, known) and hasattr(leaf, "hint")]
    return {leaf.code: _explain(leaf, titles=titles) for leaf in reversed(found)}


def routes(environment: Environment, *, titles: Mapping[str, str]) -> list[Route]:
    """The routes of the list and of the pages."""
    known = explanations(titles)

    async def problem_list(_request: Request) -> Response:
        return render.page(environment, "problems.html", problems=sorted(known.values(), key=lambda one: one.code))

    async def problem(request: Request) -> Response:
        found = known.get(request.path_params["code"])
        if found is None:
            raise ProblemNotFound("there is no problem with this code")
        return render.page(environment, "problem.html", problem=found)

    return [render.route("/problems", problem_list), render.route("/problems/{code}", problem)]


def install(app: FastAPI, *, environment: Environment) -> None:
    """Let every refusal be a page for who asks for one, by the same codes; to be called after `problems.install`."""
    for kind in (Refusal, RequestValidationError, HTTPException, Exception):
        app.add_exception_handler(kind, _as_page(cast("Answer", app.exception_handlers[kind]), environment=environment))


def _as_page(answer: Answer, *, environment: Environment) -> Answer:
    async def answer_person(request: Request, error: Exception) -> Response:
        return for_reader(environment, request, await answer(request, error))

    return answer_person


def for_reader(environment: Environment, request: Request, answer: Response) -> Response:
    """The answer with a problem, or the page of it for a person."""
    return refusal_page(environment, answer) if reads_html(request) else answer


def reads_html(request: Request) -> bool:
    """Whether a person is asking: the path is not one for programs, and HTML is liked better than a problem."""
    if request.url.path.startswith(_PROGRAMS):
        return False
    try:
        return negotiation.choose(request, (problems.MEDIA_TYPE, HTML)) == HTML
    except NotAcceptable:
        return False


def refusal_page(environment: Environment, answer: Response) -> Response:
    """The problem of an answer as a page, with the status and headers that belong to it."""
    found: dict[str, Any] = json.loads(bytes(answer.body))
    said = words.REFUSALS.get(found["code"]) or Said(
        found["title"], f"{words.sentence(found['detail'])} {words.sentence(found['hint'])}"
    )
    page = render.form_page(
        environment,
        "refusal.html",
        status=_STATUSES.get(found["code"], answer.status_code),
        said=said,
        request_id=found["request_id"],
        wait=answer.headers.get("retry-after"),
    )
    for name in ("retry-after", "allow", "connection"):
        if name in answer.headers:
            page.headers[name] = answer.headers[name]
    return page


def _explain(leaf: type[Refusal], *, titles: Mapping[str, str]) -> Explanation:
    title = problems.title_of(leaf, titles=titles)
    hint = leaf.hint[:1].upper() + leaf.hint[1:]
    return Explanation(
        code=leaf.code,
        status=problems.status_of(leaf),
        title=title,
        happened=inspect.cleandoc(leaf.__doc__ or title).partition("\n\n")[0],
        hint=hint if hint.endswith((".", "`")) else hint + ".",
    )

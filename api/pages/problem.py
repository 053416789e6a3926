"""A page for each problem code: what happened, and what to do; the `type` of a problem leads here."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from dataclasses import dataclass

from jinja2 import Environment
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from api import problems
from api.errors import HttpRefusal, ProblemNotFound
from api.pages import render
from formats.errors import KINDS, Refusal, leaves


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

    return [Route("/problems", problem_list), Route("/problems/{code}", problem)]


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

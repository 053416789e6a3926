"""Problem, the one shape of every 4xx and 5xx answer (RFC 9457), and the only place where kinds of errors become statuses."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from http import HTTPStatus
from types import MappingProxyType
from typing import Any, Final

import structlog
from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from fastapi.routing import iter_route_contexts
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import compile_path

from api import errors as door
from api.site import Site, site_of
from formats import errors as kinds
from formats.errors import Refusal
from services.errors import RecipientWithoutCertificate

MEDIA_TYPE: Final = "application/problem+json"
PLACES: Final = 20

STATUSES: Final[Mapping[type[Refusal], HTTPStatus]] = MappingProxyType(
    {
        kinds.Malformed: HTTPStatus.BAD_REQUEST,
        kinds.TooLarge: HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
        kinds.UnknownCaller: HTTPStatus.UNAUTHORIZED,
        kinds.Forbidden: HTTPStatus.FORBIDDEN,
        kinds.NotFound: HTTPStatus.NOT_FOUND,
        kinds.Conflict: HTTPStatus.CONFLICT,
        kinds.Unacceptable: HTTPStatus.UNPROCESSABLE_ENTITY,
        kinds.TooMany: HTTPStatus.TOO_MANY_REQUESTS,
        kinds.NotReady: HTTPStatus.SERVICE_UNAVAILABLE,
    }
)


class ProblemPlace(BaseModel):
    """Where in the request something is wrong."""

    pointer: str = Field(description="JSON pointer (RFC 6901) to the member or parameter", examples=["/mailboxes/0"])
    detail: str = Field(description="What is wrong with it", examples=["field required"])


class Problem(BaseModel):
    """Every answer of 400 and above (RFC 9457)."""

    type: str = Field(
        description="A page that explains this problem", examples=["https://ca.campus.example/problems/x"]
    )
    title: str = Field(description="What kind of problem it is; the same for the same code")
    status: int = Field(description="The status of the answer", examples=[422])
    detail: str = Field(description="What is wrong this time")
    code: str = Field(description="Stable name of the problem, for programs", examples=["request_invalid"])
    request_id: str = Field(description="Equal to the header X-Request-Id and to `request_id` in the audit")
    errors: list[ProblemPlace] = Field(description="Where in the request the cause lies")
    hint: str = Field(description="What to do about it")


def status_of(refusal: Refusal | type[Refusal]) -> HTTPStatus:
    """The status of a refusal, by its kind."""
    leaf = refusal if isinstance(refusal, type) else type(refusal)
    if issubclass(leaf, door.HttpRefusal):
        return HTTPStatus(leaf.status)
    return next(status for kind, status in STATUSES.items() if issubclass(leaf, kind))


def title_of(leaf: type[Refusal], *, titles: Mapping[str, str]) -> str:
    """The words for a code, or the phrase of its status where there are none."""
    return titles.get(leaf.code) or status_of(leaf).phrase


def respond(
    refusal: Refusal,
    *,
    site: Site,
    state: dict[str, Any],
    headers: Mapping[str, str] | None = None,
    extensions: Mapping[str, Any] | None = None,
) -> Response:
    """The answer for a refusal; `state` is that of the request, `extensions` are members beside the standard ones."""
    status = status_of(refusal)
    state["problem"] = refusal.code
    problem = Problem(
        type=f"{site.public_url}/problems/{refusal.code}",
        title=title_of(type(refusal), titles=site.titles),
        status=status,
        detail=refusal.detail,
        code=refusal.code,
        request_id=state["request_id"],
        errors=_places(refusal),
        hint=refusal.hint,
    )
    content = {**(extensions or {}), **problem.model_dump()}
    return JSONResponse(content, status, headers={**_headers(refusal), **(headers or {})}, media_type=MEDIA_TYPE)


def install(app: FastAPI) -> None:
    """Let the application answer every exception with a problem."""
    for kind, handler in (
        (Refusal, _answer_refusal),
        (RequestValidationError, _answer_invalid),
        (HTTPException, _answer_http),
        (Exception, _answer_unforeseen),
    ):
        app.add_exception_handler(kind, handler)


async def _answer_refusal(request: Request, error: Exception) -> Response:
    refusal = error if isinstance(error, Refusal) else door.InternalError("something broke")
    return respond(refusal, site=site_of(request), state=request.scope["state"])


async def _answer_invalid(request: Request, error: Exception) -> Response:
    found = error.errors() if isinstance(error, RequestValidationError) else []
    return await _answer_refusal(request, invalid(found))


async def _answer_http(request: Request, error: Exception) -> Response:
    if isinstance(error.__cause__, Refusal):
        # FastAPI turns whatever is raised while it reads a body into a bare 400, and keeps the cause.
        return await _answer_refusal(request, error.__cause__)
    status = error.status_code if isinstance(error, HTTPException) else 500
    site, state = site_of(request), request.scope["state"]
    if status == HTTPStatus.METHOD_NOT_ALLOWED:
        methods = _methods(request)
        refusal = door.MethodNotAllowed(f"this address takes {_listed(methods)}")
        return respond(refusal, site=site, state=state, headers={"Allow": ", ".join(methods)})
    return respond(_foreign(status), site=site, state=state)


async def _answer_unforeseen(request: Request, error: Exception) -> Response:
    if isinstance(error, ClientDisconnect):
        raise error  # nobody is there to be answered, and nothing broke
    return respond(unforeseen(), site=site_of(request), state=request.scope["state"])


def unforeseen() -> Refusal:
    """The refusal for a bug: it says nothing of the cause, and logs the traceback under the request id."""
    structlog.get_logger("api").exception("internal_error")
    return door.InternalError("something broke here; it is in our log under the request id")


def invalid(found: Iterable[Mapping[str, Any]]) -> Refusal:
    """The refusal for errors that pydantic found."""
    found = list(found)
    for error in found:
        location = error["loc"]
        if error["type"] == "json_invalid":
            return door.JsonMalformed("the body is not well-formed JSON")
        if error["type"] == "extra_forbidden" and location[0] == "query":
            return door.UnknownParameter(
                f"this call knows no parameter {_name(location)!r}", pointers=(_pointer(location),)
            )
    places = tuple((_pointer(error["loc"]), _plain(error["msg"])) for error in found[:PLACES])
    named = [f"{pointer.lstrip('/') or 'the body'}: {text}" for pointer, text in places[:1]]
    more = [f"and {len(found) - 1} more"] if len(found) > 1 else []
    return door.RequestInvalid(", ".join(named + more) or "a value is not allowed", places=places)


def _foreign(status: int) -> Refusal:
    """A refusal for a status that the web framework chose."""
    texts: dict[int, Refusal] = {
        404: door.RouteNotFound("there is nothing at this path"),
        406: door.NotAcceptable("none of the media types in Accept can be given"),
        413: door.BodyTooLarge("the body of the request is too large"),
        415: door.UnsupportedMediaType("this call does not take this media type"),
    }
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        return unforeseen()
    return texts.get(status) or door.RequestMalformed("the request cannot be read")


def _places(refusal: Refusal) -> list[ProblemPlace]:
    if isinstance(refusal, door.RequestInvalid | RecipientWithoutCertificate):
        return [ProblemPlace(pointer=pointer, detail=text) for pointer, text in refusal.places]
    return [ProblemPlace(pointer=pointer, detail=refusal.detail) for pointer in refusal.pointers[:PLACES]]


def _headers(refusal: Refusal) -> dict[str, str]:
    if isinstance(refusal, kinds.UnknownCaller):
        return {"WWW-Authenticate": "Bearer"}
    if isinstance(refusal, kinds.TooMany | kinds.NotReady):
        return {"Retry-After": str(refusal.retry_after)}
    if isinstance(refusal, door.RequestTimeout):
        return {"Connection": "close"}
    return {}


def _methods(request: Request) -> list[str]:
    """Every method that some route at this path knows; Starlette names only those of the first one."""
    path = request.scope["path"]
    known: set[str] = set()
    for route in iter_route_contexts(request.app.routes):
        if route.path and compile_path(route.path)[0].match(path):
            known |= route.methods or set()
    return sorted(known | ({"HEAD"} if "GET" in known else set()))


def _listed(methods: list[str]) -> str:
    """The methods in words; HEAD goes without saying where there is GET."""
    told = [method for method in methods if method != "HEAD" or "GET" not in methods]
    return " and ".join(filter(None, (", ".join(told[:-1]), *told[-1:])))


def _pointer(location: tuple[str | int, ...]) -> str:
    steps = location[1:] if location and location[0] in {"body", "query", "path", "header"} else location
    return "".join("/" + str(step)[:100].replace("~", "~0").replace("/", "~1") for step in steps)


def _name(location: tuple[str | int, ...]) -> str:
    return str(location[-1])[:40]


def _plain(text: str) -> str:
    text = text.removeprefix("Value error, ")[:200]
    return text[:1].lower() + text[1:]

"""An application of made-up calls: one for each kind of refusal, and one for each way in and out."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Annotated, Any, Final

import httpx
from fastapi import APIRouter, Depends, Query
from pydantic import BaseModel, ConfigDict, Field
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.types import ASGIApp

from api import negotiation, paging
from api.assembly import Parts, assemble
from api.bodies import JsonBody
from api.inflow import inflow_of
from api.pages.home import Home
from api.paging import Once, Page, PageQuery
from api.site import Site
from api.submission import MessageBody, Submission
from api.times import Timestamp
from formats import errors as kinds
from formats.errors import Refusal


class MadeMalformed(kinds.Malformed):
    """It was made up to be malformed."""

    code = "made_malformed"
    hint = "make it well-formed"


class MadeTooLarge(kinds.TooLarge):
    """It was made up to be too large."""

    code = "made_too_large"
    hint = "make it smaller"


class MadeUnknownCaller(kinds.UnknownCaller):
    """It was made up to come from nobody."""

    code = "made_unknown_caller"
    hint = "say who you are"


class MadeForbidden(kinds.Forbidden):
    """It was made up to be forbidden."""

    code = "made_forbidden"
    hint = "ask somebody else"


class MadeNotFound(kinds.NotFound):
    """It was made up to be nowhere."""

    code = "made_not_found"
    hint = "look elsewhere"


class MadeConflict(kinds.Conflict):
    """It was made up to clash."""

    code = "made_conflict"
    hint = "take another one"


class MadeUnacceptable(kinds.Unacceptable):
    """It was made up to be <unacceptable>."""

    code = "made_unacceptable"
    hint = "read `the rules`"


class MadeTooMany(kinds.TooMany):
    """It was made up to come too often."""

    code = "made_too_many"
    hint = "wait"
    retry_after = 7


class MadeNotReady(kinds.NotReady):
    """It was made up to be unready."""

    code = "made_not_ready"
    hint = "wait"


LEAVES: Final[dict[str, type[Refusal]]] = {
    leaf.code: leaf
    for leaf in (
        MadeMalformed,
        MadeTooLarge,
        MadeUnknownCaller,
        MadeForbidden,
        MadeNotFound,
        MadeConflict,
        MadeUnacceptable,
        MadeTooMany,
        MadeNotReady,
    )
}

SITE: Final = Site(
    public_url="https://ca.campus.example",
    titles={"made_forbidden": "Not for you"},
    message_octets=200_000,
    body_silence=0.2,
    body_duration=2.0,
    strangers_silence=0.2,
    strangers_duration=2.0,
)
KEY: Final = {"Authorization": "Bearer made-up"}

MADE = Home(
    campus_name="Example University",
    demo=True,
    mail_domains=("campus.example", "cuhk.example"),
    root_name="CN=Example <Root>",
    root_sha256="ab" * 32,
    lines='curl "$URL/v1/sign" --data-binary @notice.eml',
)


class Colour(BaseModel):
    """Something with members of several types."""

    model_config = ConfigDict(extra="forbid")

    name: str = Field(min_length=1, max_length=20)
    shades: list[int] = []
    since: Timestamp | None = None


class Kept(BaseModel):
    """What a made-up call keeps."""

    name: str
    shades: list[int]
    since: Timestamp | None


class Wish(BaseModel):
    """The scalars of a made-up message call."""

    model_config = ConfigDict(extra="forbid")

    as_: str = Field(default="detached", alias="as", description="how it is signed")
    loud: bool = False
    at: Timestamp | None = None
    options: dict[str, bool] | None = None


class Filter(PageQuery):
    """The filters of a made-up list."""

    name: str | None = None


async def know(request: Request) -> None:
    """Let in whoever has the made-up key, and pass the others on as strangers."""
    if request.headers.get("authorization") == KEY["Authorization"]:
        inflow_of(request).admit("made up")


WISHED = MessageBody(
    fields=Wish, files={"anchor": "whom to believe, in PEM: `-F anchor=@root.pem`"}, objects=frozenset({"options"})
)
KEPT = JsonBody(Colour)


def made_up_router() -> APIRouter:
    router = APIRouter(tags=["made up"])

    @router.get("/v1/refuse/{code}")
    def refuse(code: str) -> None:
        raise LEAVES[code]("it is like that", pointers=("/a/0",))

    @router.get("/v1/break")
    def break_down() -> None:
        raise RuntimeError("the secret is 4711")

    @router.get("/v1/break-midway")
    def break_midway() -> StreamingResponse:
        async def pieces() -> AsyncIterator[bytes]:
            yield b"begun"
            raise RuntimeError("the secret is 4711")

        return StreamingResponse(pieces())

    @router.post("/v1/colours", status_code=201)
    def keep_colour(colour: Annotated[Colour, Depends(KEPT.read)]) -> Kept:
        return Kept(**colour.model_dump())

    @router.get("/v1/colours")
    def list_colours(_once: Once, query: Annotated[Filter, Query()], request: Request, response: Response) -> Page[str]:
        names = [f"{number:03}" for number in range(120, 0, -1)]
        rows = [name for name in names if query.before_id is None or name < query.before_id][: query.limit + 1]
        items, following = paging.cut(rows, limit=query.limit, id_of=str, request=request, response=response)
        return Page(items=list(items), next=following)

    @router.delete("/v1/colours/{name}", status_code=204)
    def drop_colour(name: str) -> None:
        return None

    @router.post("/v1/echo", response_model=None)
    def echo(
        _known: Annotated[None, Depends(know)],
        said: Annotated[Submission[Wish], Depends(WISHED.read)],
        request: Request,
    ) -> Response | dict[str, Any]:
        media = negotiation.choose(request, ["application/json", "message/rfc822"])
        if media == "message/rfc822":
            return Response(said.message, media_type=media)
        files = {name: [content.decode("latin-1") for content in contents] for name, contents in said.files.items()}
        fields = said.fields.model_dump(by_alias=True)
        return {"message": said.message.decode("latin-1"), "way": said.way, "files": files, **fields}

    return router


class Client:
    """Calls an ASGI application in the process."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    def call(self, method: str, url: str, **more: Any) -> httpx.Response:
        async def ask() -> httpx.Response:
            transport = httpx.ASGITransport(self.app)
            async with httpx.AsyncClient(transport=transport, base_url="http://mailseal.campus.example") as client:
                return await client.request(method, url, **more)

        return asyncio.run(ask())

    def get(self, url: str, **more: Any) -> httpx.Response:
        return self.call("GET", url, **more)

    def post(self, url: str, **more: Any) -> httpx.Response:
        return self.call("POST", url, **more)


def application(*, site: Site = SITE, ready: bool = True) -> ASGIApp:
    return assemble(
        Parts(site=site, routers=[made_up_router()], context=None, is_ready=lambda: ready, home=lambda: MADE)
    )


def problem(response: httpx.Response, code: str, status: int) -> dict[str, Any]:
    """The problem that the response must be."""
    assert response.headers["content-type"] == "application/problem+json", response.text
    found: dict[str, Any] = response.json()
    assert (found["code"], found["status"], response.status_code) == (code, status, status), found
    assert found["request_id"] == response.headers["x-request-id"]
    assert found["type"] == f"https://ca.campus.example/problems/{code}"
    return found

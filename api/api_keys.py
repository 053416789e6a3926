"""API keys: made, listed, rotated and ended; the key itself is in one answer only."""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal, Self

from fastapi import APIRouter, Depends, Query
from pydantic import BaseModel, ConfigDict, Field
from starlette.requests import Request
from starlette.responses import Response

from api import paging
from api.bodies import JsonBody
from api.callers import Caller, Ctx
from api.idempotency import IdempotencyKey
from api.paging import Once, Page, PageQuery
from api.times import Timestamp
from services import api_keys
from services.api_keys import ApiKeyRow, Grant, NewKey

ENTRIES: Final = 200

router: Final = APIRouter(tags=["API keys"])


class ApiKeyOrder(BaseModel):
    """What a new key is for; nobody grants what their own key lacks, and empty lists mean none."""

    model_config = ConfigDict(extra="forbid")

    name: str = Field(min_length=1, max_length=100, description="What the key is for", examples=["library notices"])
    scopes: list[str] = Field(default=[], max_length=ENTRIES, examples=[["messages:sign", "messages:verify"]])
    mailboxes: list[str] = Field(
        default=[],
        max_length=ENTRIES,
        description="Addresses, or all of a domain as `*@dept.campus.example`",
        examples=[["notices@campus.example"]],
    )
    cidrs: list[str] = Field(
        default=[],
        max_length=ENTRIES,
        description="Networks from which the key counts; none: from everywhere",
        examples=[["192.0.2.0/24"]],
    )
    expires_at: Timestamp | None = Field(default=None, description="When it ends; null: never")
    test: Literal[False] = Field(default=False, description="There are no test keys yet")

    @property
    def grant(self) -> Grant:
        """The grant as the services take it."""
        return Grant(
            name=self.name,
            scopes=tuple(self.scopes),
            mailboxes=tuple(self.mailboxes),
            cidrs=tuple(self.cidrs),
            expires_at=self.expires_at,
        )


class ApiKeyJson(BaseModel):
    """An API key without its secret."""

    id: str = Field(examples=["019a8f3c5b7e7d6c8a9b0c1d2e3f4a5b"])
    name: str = Field(examples=["library notices"])
    starts_with: str = Field(description="How the key begins, to tell it from others", examples=["ms_live_4Fq2"])
    scopes: list[str] = Field(examples=[["messages:sign", "messages:verify"]])
    mailboxes: list[str] = Field(examples=[["notices@campus.example"]])
    cidrs: list[str] = Field(examples=[["192.0.2.0/24"]])
    expires_at: Timestamp | None
    created_at: Timestamp
    created_by: str = Field(description="The name of the key that made it, or `operator`", examples=["admin"])
    last_used_at: Timestamp | None = Field(description="When it was last used, to the hour")
    ended_at: Timestamp | None = Field(
        description="When it was deleted, or ends because it was rotated", examples=[None]
    )

    @classmethod
    def of(cls, row: ApiKeyRow) -> Self:
        """The key as JSON."""
        return cls(**_members(row))


class NewApiKeyJson(ApiKeyJson):
    """A key just made; only this answer holds it."""

    key: str = Field(description="The key itself, shown this once", examples=["ms_live_..."])

    @classmethod
    def made(cls, made: NewKey) -> Self:
        """The key as JSON, with its secret."""
        return cls(**_members(made.row), key=made.key)


API_KEY: Final = JsonBody(ApiKeyOrder)


@router.post(
    "/v1/api-keys",
    status_code=201,
    responses={
        201: {"description": "Made"},
        409: {"description": "The key for this Idempotency-Key was handed out"},
    },
)
def add_api_key(
    response: Response,
    context: Ctx,
    caller: Caller,
    order: Annotated[ApiKeyOrder, Depends(API_KEY.read)],
    idempotency_key: IdempotencyKey,
) -> NewApiKeyJson:
    """Make an API key, which is shown in this answer only."""
    return _shown_once(response, api_keys.add(context, caller, grant=order.grant, idempotency_key=idempotency_key))


@router.get("/v1/api-keys")
def list_api_keys(
    request: Request,
    response: Response,
    context: Ctx,
    caller: Caller,
    _once: Once,
    query: Annotated[PageQuery, Query()],
) -> Page[ApiKeyJson]:
    """List all API keys, newest first."""
    rows = api_keys.page(context, caller, before_id=query.before_id, limit=query.limit + 1)
    piece, following = paging.cut(rows, limit=query.limit, id_of=lambda row: row.id, request=request, response=response)
    return Page(items=[ApiKeyJson.of(row) for row in piece], next=following)


@router.get("/v1/api-keys/{key_id}")
def show_api_key(context: Ctx, caller: Caller, key_id: str) -> ApiKeyJson:
    """Show an API key, without its secret."""
    return ApiKeyJson.of(api_keys.show(context, caller, key_id=key_id))


@router.delete("/v1/api-keys/{key_id}", status_code=204, responses={204: {"description": "Ended"}})
def delete_api_key(context: Ctx, caller: Caller, key_id: str) -> None:
    """End an API key at once; what it did stays on the record."""
    api_keys.delete(context, caller, key_id=key_id)


@router.post(
    "/v1/api-keys/{key_id}/rotation",
    status_code=201,
    responses={
        201: {"description": "Made"},
        409: {"description": "Two keys of this rotation are alive already, or this Idempotency-Key's was handed out"},
    },
)
def rotate_api_key(
    response: Response, context: Ctx, caller: Caller, key_id: str, idempotency_key: IdempotencyKey
) -> NewApiKeyJson:
    """Make the successor of an API key, with the same rights.

    Both work for a week, or until the older one is deleted.
    """
    return _shown_once(response, api_keys.rotate(context, caller, key_id=key_id, idempotency_key=idempotency_key))


def _shown_once(response: Response, made: NewKey) -> NewApiKeyJson:
    response.headers["Location"] = f"/v1/api-keys/{made.row.id}"
    response.headers["Cache-Control"] = "no-store"
    return NewApiKeyJson.made(made)


def _members(row: ApiKeyRow) -> dict[str, Any]:
    return {
        "id": row.id,
        "name": row.name,
        "starts_with": row.prefix_hint,
        "scopes": list(row.scopes),
        "mailboxes": list(row.mailboxes),
        "cidrs": list(row.cidrs),
        "expires_at": row.expires_at,
        "created_at": row.created_at,
        "created_by": row.created_by,
        "last_used_at": row.last_used_at,
        "ended_at": row.ended_at,
    }

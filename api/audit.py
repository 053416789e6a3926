"""Audit: who did what; without the scope audit:read a key sees what itself and its predecessors in rotation did."""

from __future__ import annotations

from typing import Annotated, Final, Self

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field
from starlette.requests import Request
from starlette.responses import Response

from api import paging
from api.callers import Caller, Ctx
from api.paging import Once, Page, PageQuery
from api.times import Timestamp
from api.x509 import SERIAL_EXAMPLE
from services import audit
from services.audit import AuditRow, Filter

router: Final = APIRouter(tags=["audit"])


class Actor(BaseModel):
    """Who did it."""

    kind: str = Field(
        description="`api_key`, `operator`, `job`, or `link` for a person by a mailed link", examples=["api_key"]
    )
    id: str | None = Field(description="The id of the API key", examples=["019a8f3c5b7e7d6c8a9b0c1d2e3f4a5b"])
    name: str = Field(examples=["library notices"])


class Object(BaseModel):
    """What it was done to."""

    kind: str = Field(examples=["certificate"])
    id: str | None = Field(description="A serial number, or the id of what has one", examples=[SERIAL_EXAMPLE])


class AuditEntryJson(BaseModel):
    """One entry of the record."""

    id: str = Field(examples=["019a8f3c5b7e7d6c8a9b0c1d2e3f4a5b"])
    at: Timestamp
    request_id: str = Field(
        description="X-Request-Id of the answer to the request that did it", examples=["f3b1c2d4e5"]
    )
    action: str = Field(examples=["message.signed"])
    actor: Actor
    object: Object
    mailbox: str | None = Field(examples=["notices@campus.example"])
    details: dict[str, str | int | bool | None] = Field(examples=[{"form": "detached"}])
    signature_sha256: str | None = Field(
        description="The SHA-256 of the signature, for a signature", examples=["5e" * 32]
    )

    @classmethod
    def of(cls, row: AuditRow) -> Self:
        """The entry as JSON."""
        return cls(
            id=row.id,
            at=row.at,
            request_id=row.request_id,
            action=row.action,
            actor=Actor(kind=row.actor_kind, id=row.actor_id, name=row.actor_name),
            object=Object(kind=row.object_kind, id=row.object_id),
            mailbox=row.mailbox,
            details=row.details,
            signature_sha256=row.signature_sha256,
        )


class AuditFilter(PageQuery):
    """What a list of entries is narrowed to."""

    action: str | None = Field(default=None, max_length=64, examples=["message.signed"])
    object_kind: str | None = Field(default=None, max_length=64, examples=["certificate"])
    object_id: str | None = Field(default=None, max_length=64)
    mailbox: str | None = Field(default=None, max_length=400, examples=["notices@campus.example"])
    request_id: str | None = Field(default=None, max_length=64)
    since: Timestamp | None = Field(default=None, description="From this time on")
    until: Timestamp | None = Field(default=None, description="Before this time")

    @property
    def narrowed(self) -> Filter:
        """The filter as the services take it."""
        return Filter(
            action=self.action,
            object_kind=self.object_kind,
            object_id=self.object_id,
            mailbox=self.mailbox,
            request_id=self.request_id,
            since=self.since,
            until=self.until,
        )


@router.get("/v1/audit")
def list_audit(
    request: Request,
    response: Response,
    context: Ctx,
    caller: Caller,
    _once: Once,
    query: Annotated[AuditFilter, Query()],
) -> Page[AuditEntryJson]:
    """List the entries of the record, newest first.

    Without the scope audit:read the list holds what this key and its predecessors in rotation did.
    """
    rows = audit.page(context, caller, narrowed=query.narrowed, before_id=query.before_id, limit=query.limit + 1)
    piece, following = paging.cut(rows, limit=query.limit, id_of=lambda row: row.id, request=request, response=response)
    return Page(items=[AuditEntryJson.of(row) for row in piece], next=following)


@router.get("/v1/audit/{entry_id}")
def show_audit(context: Ctx, caller: Caller, entry_id: str) -> AuditEntryJson:
    """Show one entry of the record, such as the `Mailseal-Record` of a signature."""
    return AuditEntryJson.of(audit.show(context, caller, entry_id=entry_id))

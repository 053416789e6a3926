"""Me: what the key of this request is for."""

from __future__ import annotations

from typing import Final

from fastapi import APIRouter
from pydantic import BaseModel, Field

from api.callers import Caller
from api.times import Timestamp
from services.authority import SCOPES

router: Final = APIRouter(tags=["API keys"])


class MeJson(BaseModel):
    """What the caller's own key is for."""

    name: str = Field(examples=["library notices"])
    scopes: list[str] = Field(examples=[["messages:sign", "messages:verify"]])
    mailboxes: list[str] = Field(examples=[["notices@campus.example"]])
    cidrs: list[str] = Field(examples=[["192.0.2.0/24"]])
    expires_at: Timestamp | None


@router.get("/v1/me")
async def show_me(caller: Caller) -> MeJson:
    """Show what the key of this request is for."""
    return MeJson(
        name=caller.name,
        scopes=[scope for scope in SCOPES if scope in caller.scopes],
        mailboxes=[str(pattern) for pattern in caller.mailboxes],
        cidrs=list(caller.cidrs),
        expires_at=caller.expires_at,
    )

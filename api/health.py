"""Health: whether the process lives, and whether it can serve; it says no more to strangers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

from fastapi import APIRouter
from pydantic import BaseModel
from starlette.responses import Response

NOT_READY = 503


class Health(BaseModel):
    """The process answers."""

    status: Literal["ok"]


class Readiness(BaseModel):
    """Whether every endpoint answers."""

    status: Literal["ready", "not_ready"]


def router(*, is_ready: Callable[[], bool]) -> APIRouter:
    """The two calls; `is_ready` does at most one short read, on the event loop."""
    made = APIRouter(tags=["health"])

    @made.get("/healthz")
    async def healthz() -> Health:
        """Say that the process lives."""
        return Health(status="ok")

    @made.get("/readyz", responses={NOT_READY: {"model": Readiness, "description": "Not ready"}})
    async def readyz(response: Response) -> Readiness:
        """Say whether every endpoint answers."""
        # Not in a thread: while every thread is busy, the process still can serve.
        if is_ready():
            return Readiness(status="ready")
        response.status_code = NOT_READY
        return Readiness(status="not_ready")

    return made

"""Idempotency-Key, the header with which a repeated request makes nothing twice."""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends, Header
from starlette.requests import Request

from api.errors import ParameterTwice


async def read_key(
    request: Request,
    given: Annotated[
        str | None,
        Header(alias="Idempotency-Key", description="1 to 255 printable characters: the same key makes it only once"),
    ] = None,
) -> str | None:
    """The key as it came; ParameterTwice if there are two, and services/idempotency judges the rest."""
    if len(request.headers.getlist("idempotency-key")) > 1:
        raise ParameterTwice("the header Idempotency-Key is given twice", pointers=("/Idempotency-Key",))
    return given


# Stands behind the body in the signature of every call that changes something.
IdempotencyKey = Annotated[str | None, Depends(read_key)]

"""Caller, who is asking: the credential of a request becomes a Principal, or the request ends with 401."""

from __future__ import annotations

from typing import Annotated, Final

from fastapi import Depends, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from api.addresses import address_of
from services import access
from services.access import Principal
from services.context import Context

BEARER: Final = HTTPBearer(scheme_name="apiKey", bearerFormat="ms_live_...", description="An API key", auto_error=False)


def context_of(request: Request) -> Context:
    """The context, passed on unopened."""
    context: Context = request.app.state.context
    return context


async def authenticate(
    request: Request,
    context: Annotated[Context, Depends(context_of)],
    credential: Annotated[HTTPAuthorizationCredentials | None, Depends(BEARER)],
) -> Principal:
    """The principal; CredentialRefused, by one path, for a credential that is missing, unknown, ended or misplaced."""
    state = request.scope["state"]
    principal = access.authenticate(
        context,
        credential.credentials if credential else None,
        address=address_of(request, trusted=context.settings.trusted_proxies),
        request_id=state["request_id"],
    )
    state["caller"] = principal.id
    return principal


# `Ctx` and `Caller` stand in a call's signature before its body: who may not come in learns nothing of what is wrong.
Ctx = Annotated[Context, Depends(context_of)]
Caller = Annotated[Principal, Depends(authenticate)]

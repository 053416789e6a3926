"""Identities: department mailboxes with two keys kept here, one to sign and one to decrypt."""

from __future__ import annotations

from typing import Annotated, Final, Literal, Self
from urllib.parse import quote

from fastapi import APIRouter, Depends, Query
from pydantic import BaseModel, ConfigDict, Field
from starlette.requests import Request
from starlette.responses import Response

from api import paging
from api.bodies import JsonBody
from api.callers import Caller, Ctx
from api.certificates import REVOCATION, RevocationOrder
from api.idempotency import IdempotencyKey
from api.lane import in_lane
from api.paging import Once, Page, PageQuery
from api.x509 import Chain, PemText, SerialText
from formats.mailbox import Mailbox
from services import identities
from services.identities import IdentityView

_KINDS: Final = "`rsa3072`, `rsa2048`, `rsa4096`, `p256` or `p384`; the default is `rsa3072`"

router: Final = APIRouter(tags=["identities"])


class IdentityOrder(BaseModel):
    """The identity of a mailbox, to be made or found as it is."""

    model_config = ConfigDict(extra="forbid")

    mailbox: str = Field(min_length=1, max_length=400, examples=["notices@campus.example"])
    profile: Literal["role"] = "role"
    key: str | None = Field(default=None, max_length=64, description=f"The key that signs: {_KINDS}", examples=["p256"])
    encryption_key: str | None = Field(
        default=None, max_length=64, description=f"The key that decrypts: {_KINDS}", examples=["rsa3072"]
    )


class IdentityJson(BaseModel):
    """An identity."""

    mailbox: str = Field(examples=["notices@campus.example"])
    profile: str = Field(examples=["role"])
    status: Literal["active", "paused", "revoked"]
    serial: SerialText = Field(description="The serial number of the certificate that signs")
    certificate: PemText = Field(description="The certificate that signs, PEM")
    encryption_serial: SerialText
    encryption_certificate: PemText
    chain: Chain

    @classmethod
    def of(cls, view: IdentityView) -> Self:
        """The identity as JSON."""
        return cls(
            mailbox=view.mailbox,
            profile=view.profile,
            status=view.status,
            serial=view.serial,
            certificate=view.certificate.pem,
            encryption_serial=view.encryption_serial,
            encryption_certificate=view.encryption_certificate.pem,
            chain=[issuer.pem for issuer in view.chain],
        )


IDENTITY: Final = JsonBody(IdentityOrder)


@router.post(
    "/v1/identities",
    status_code=201,
    responses={
        200: {"model": IdentityJson, "description": "It was there already"},
        201: {"description": "Made"},
        409: {"description": "It exists with keys of another kind, or the Idempotency-Key is in use"},
    },
)
async def add_identity(
    request: Request,
    response: Response,
    *,
    context: Ctx,
    caller: Caller,
    order: Annotated[IdentityOrder, Depends(IDENTITY.read)],
    idempotency_key: IdempotencyKey,
) -> IdentityJson:
    """Make the identity of a mailbox, with its two keys and certificates.

    If it exists, it is answered as it is.
    """
    view, made = await in_lane(
        request,
        identities.add,
        context,
        caller,
        mailbox=Mailbox.parse(order.mailbox),
        key=order.key,
        encryption_key=order.encryption_key,
        idempotency_key=idempotency_key,
    )
    if made:
        response.headers["Location"] = f"/v1/identities/{quote(view.mailbox, safe='')}"
    else:
        response.status_code = 200
    return IdentityJson.of(view)


@router.get("/v1/identities")
def list_identities(
    request: Request,
    response: Response,
    context: Ctx,
    caller: Caller,
    _once: Once,
    query: Annotated[PageQuery, Query()],
) -> Page[IdentityJson]:
    """List the identities whose mailboxes the key covers, newest first."""
    rows = identities.page(context, caller, before_id=query.before_id, limit=query.limit + 1)
    piece, following = paging.cut(
        rows, limit=query.limit, id_of=lambda view: view.cursor, request=request, response=response
    )
    return Page(items=[IdentityJson.of(view) for view in piece], next=following)


# These stand before the bare path, whose {mailbox} would take their last word as a part of an address.
@router.post(
    "/v1/identities/{mailbox:path}/renewal",
    status_code=201,
    responses={201: {"description": "Renewed"}, 409: {"description": "The Idempotency-Key is in use"}},
)
async def renew_identity(
    request: Request, context: Ctx, caller: Caller, mailbox: str, idempotency_key: IdempotencyKey
) -> IdentityJson:
    """Give an identity new keys and certificates.

    The old certificates stay valid until they end, and old mail stays readable. A renewal ends a revocation, not a
    pause.
    """
    renewed = await in_lane(
        request, identities.renew, context, caller, mailbox=Mailbox.parse(mailbox), idempotency_key=idempotency_key
    )
    return IdentityJson.of(renewed)


@router.put("/v1/identities/{mailbox:path}/pause", responses={200: {"description": "Paused"}})
def pause_identity(context: Ctx, caller: Caller, mailbox: str) -> IdentityJson:
    """Stop signing in an identity's name, until the pause is ended."""
    return IdentityJson.of(identities.set_paused(context, caller, mailbox=Mailbox.parse(mailbox), paused=True))


@router.delete("/v1/identities/{mailbox:path}/pause", responses={200: {"description": "Active again"}})
def resume_identity(context: Ctx, caller: Caller, mailbox: str) -> IdentityJson:
    """End the pause of an identity."""
    return IdentityJson.of(identities.set_paused(context, caller, mailbox=Mailbox.parse(mailbox), paused=False))


@router.post(
    "/v1/identities/{mailbox:path}/revocation",
    status_code=201,
    responses={201: {"description": "Revoked"}, 409: {"description": "Both certificates are revoked already"}},
)
def revoke_identity(
    context: Ctx,
    caller: Caller,
    mailbox: str,
    order: Annotated[RevocationOrder, Depends(REVOCATION.read)],
    idempotency_key: IdempotencyKey,
) -> IdentityJson:
    """Revoke both certificates of an identity.

    The keys that open old mail are kept. Until a renewal, nothing is signed in its name.
    """
    revoked = identities.revoke(
        context, caller, mailbox=Mailbox.parse(mailbox), cause=order.cause, idempotency_key=idempotency_key
    )
    return IdentityJson.of(revoked)


@router.get("/v1/identities/{mailbox:path}")
def show_identity(context: Ctx, caller: Caller, mailbox: str) -> IdentityJson:
    """Show an identity."""
    return IdentityJson.of(identities.show(context, caller, mailbox=Mailbox.parse(mailbox)))

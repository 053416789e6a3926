"""Authorities: the campus's CAs, public, and the root as a file to install."""

from __future__ import annotations

from typing import Any, Final, Self

from fastapi import APIRouter
from pydantic import BaseModel, Field
from starlette.requests import Request
from starlette.responses import Response

from api import conditional
from api.callers import Ctx
from api.certificates import PEM
from api.paging import Page
from api.times import Timestamp
from api.x509 import PEM_EXAMPLE, PemText, SerialText, Sha256Text
from formats.certificate import Certificate
from services import start, status
from services.context import Context
from services.status import AuthorityView

# Phones and browsers offer to install a root only under this type.
ROOT_TYPE: Final = "application/x-x509-ca-cert"
_CACHED: Final = {"Cache-Control": "max-age=3600, public"}
_AS_PEM: Final[dict[int | str, dict[str, Any]]] = {
    200: {"content": {PEM: {"schema": {"type": "string"}, "example": PEM_EXAMPLE}}, "description": "The root as PEM"}
}
_AS_DER: Final[dict[int | str, dict[str, Any]]] = {
    200: {"content": {ROOT_TYPE: {"schema": {"type": "string"}}}, "description": "The root as DER"}
}

router: Final = APIRouter(tags=["authorities"])


class AuthorityUrls(BaseModel):
    """Where an authority's CRL, OCSP answers and certificate are, by plain HTTP."""

    crl: str = Field(examples=["http://ca.campus.example/crl/g1.crl"])
    ocsp: str | None = Field(description="null for the root", examples=["http://ca.campus.example/ocsp/g1"])
    issuer: str = Field(examples=["http://ca.campus.example/ca/g1.crt"])


class AuthorityJson(BaseModel):
    """A CA of this campus."""

    id: str = Field(examples=["g1"])
    kind: str = Field(description="`root` or `issuing`", examples=["issuing"])
    subject: str = Field(examples=["CN=Example University S/MIME CA G1,O=Example University,C=HK"])
    serial: SerialText
    not_before: Timestamp
    not_after: Timestamp
    sha256: Sha256Text
    sha1: str = Field(description="The SHA-1 of the DER, as old programs show it; proves nothing", examples=["5e" * 20])
    certificate: PemText
    urls: AuthorityUrls

    @classmethod
    def of(cls, view: AuthorityView, *, status_url: str) -> Self:
        """The authority as JSON; its URLs begin with `status_url`."""
        held, urls = view.certificate, start.status_urls(status_url, view.id)
        return cls(
            id=view.id,
            kind=view.kind,
            subject=held.subject,
            serial=str(held.serial),
            not_before=held.not_before,
            not_after=held.not_after,
            sha256=held.sha256,
            sha1=held.sha1,
            certificate=held.pem,
            urls=AuthorityUrls(crl=urls.crl, ocsp=urls.ocsp, issuer=urls.issuer),
        )


@router.get("/v1/authorities")
def list_authorities(context: Ctx) -> Page[AuthorityJson]:
    """List all CAs of this campus, the root first."""
    with context.database.read() as read:
        views = status.every_authority(read)
    status_url = context.issuers.campus.status_url
    return Page(items=[AuthorityJson.of(view, status_url=status_url) for view in views], next=None)


@router.get("/v1/authorities/root.pem", name="show_root_pem", response_class=Response, responses=_AS_PEM)
@router.get("/root.pem", name="download_root_pem", response_class=Response, responses=_AS_PEM)
def root_pem(request: Request, context: Ctx) -> Response:
    """Get the campus root as PEM."""
    return conditional.answer(request, _root(context).pem.encode(), media_type=PEM, headers=_CACHED)


@router.get("/v1/authorities/root.crt", name="show_root_crt", response_class=Response, responses=_AS_DER)
@router.get("/root.crt", name="download_root_crt", response_class=Response, responses=_AS_DER)
def root_crt(request: Request, context: Ctx) -> Response:
    """Get the campus root as DER, which phones and mail programs install."""
    return conditional.answer(request, _root(context).der, media_type=ROOT_TYPE, headers=_CACHED)


def _root(context: Context) -> Certificate:
    with context.database.read() as read:
        return status.root(read).certificate

"""Certificates: issued from a request or with a key made here, found, shown in the forms that programs read, revoked."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Final, Literal, Self

from fastapi import APIRouter, Depends, Query
from pydantic import BaseModel, ConfigDict, Field
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from api import answers, negotiation, paging
from api.bodies import JSON, JsonBody
from api.callers import Caller, Ctx
from api.idempotency import IdempotencyKey
from api.lane import in_lane
from api.orders import KeyOrder, OrderBody
from api.paging import Once, Page, PageQuery
from api.times import Timestamp
from api.x509 import PEM_EXAMPLE, Chain, KeyJson, SerialText
from formats.certificate import Certificate
from formats.mailbox import Mailbox
from formats.serial import Serial
from services import certificates, handover, revocation
from services.certificates import CertificateView, Filter, Order
from services.errors import CertificateNotFound
from services.revocation import Cause
from smime.cms.certs_only import write_certs_only

DER: Final = "application/pkix-cert"
PEM: Final = "application/x-pem-file"
CHAIN: Final = "application/pem-certificate-chain"
CERTS_ONLY: Final = "application/pkcs7-mime"
FORMS: Final = (JSON, DER, PEM, CHAIN, CERTS_ONLY)

router: Final = APIRouter(tags=["certificates"])


class RevocationJson(BaseModel):
    """Why and since when a certificate no longer counts."""

    reason: str = Field(examples=["keyCompromise"])
    revoked_at: Timestamp
    invalidity_date: Timestamp | None = Field(description="Since when its key may have been in other hands")


class CertificateJson(BaseModel):
    """A certificate."""

    serial: SerialText
    issuer: str = Field(examples=["CN=Example University S/MIME CA G1,O=Example University,C=HK"])
    profile: str = Field(examples=["mailbox"])
    use: str = Field(examples=["dual"])
    subject: str = Field(examples=["CN=alice@campus.example"])
    person: str | None = Field(description="The person's identifier at the campus", examples=[None])
    proof: str = Field(description="How it was proved that the holder may have it", examples=["api_client"])
    mailboxes: list[str] = Field(examples=[["alice@campus.example"]])
    not_before: Timestamp
    not_after: Timestamp
    status: Literal["active", "revoked", "expired"]
    revocation: RevocationJson | None
    sha256: str | None = Field(
        description="The SHA-256 of the DER; null where signing was interrupted", examples=["5e" * 32]
    )
    key: KeyJson
    certificate: str | None = Field(description="PEM; null where signing was interrupted", examples=[PEM_EXAMPLE])
    chain: Chain

    @classmethod
    def of(cls, view: CertificateView) -> Self:
        """The certificate as JSON."""
        return cls(**_members(view))


class HandoverJson(CertificateJson):
    """A certificate with its key in a file that is handed over once."""

    pkcs12: str = Field(description="The PKCS#12 file, base64", examples=["MIIKPAIBAzCCCfYGCSqGSIb3DQEHAa..."])
    passphrase: str = Field(description="Opens the file; it is stored nowhere", examples=["k7mtw-..."])


class CertificateFilter(PageQuery):
    """What a list of certificates is narrowed to."""

    mailbox: str | None = Field(default=None, max_length=400, description="An address", examples=["a@campus.example"])
    status: str | None = Field(default=None, max_length=64, description="`active`, `revoked` or `expired`")
    serial: str | None = Field(default=None, max_length=64, description="A serial number in hexadecimal")
    sha256: str | None = Field(default=None, max_length=128, description="A fingerprint, colons allowed")
    person: str | None = Field(default=None, max_length=255, description="A person's identifier")
    q: str | None = Field(default=None, max_length=255, description="A part of a subject or address")

    @property
    def narrowed(self) -> Filter:
        """The filter as the services take it; refuses what is no address and no serial number."""
        return Filter(
            mailbox=None if self.mailbox is None else Mailbox.parse(self.mailbox),
            status=self.status,
            serial=None if self.serial is None else Serial.parse(self.serial),
            sha256=None if self.sha256 is None else self.sha256.replace(":", "").lower(),
            person=self.person,
            q=self.q,
        )


class RevocationOrder(BaseModel):
    """Why something is revoked; there is no way back."""

    model_config = ConfigDict(extra="forbid")

    reason: str = Field(
        max_length=64,
        description=(
            "`keyCompromise`, `affiliationChanged`, `superseded`, `cessationOfOperation` or `privilegeWithdrawn`"
        ),
        examples=["keyCompromise"],
    )
    invalidity_date: Timestamp | None = Field(
        default=None, description="Since when the key may have been in other hands"
    )
    note: str | None = Field(default=None, max_length=500, description="A remark for the record, never published")

    @property
    def cause(self) -> Cause:
        """The cause as the services take it."""
        return Cause(reason=self.reason, invalidity_date=self.invalidity_date, note=self.note)


ORDER: Final = OrderBody()
KEY_ORDER: Final = JsonBody(KeyOrder)
REVOCATION: Final = JsonBody(RevocationOrder)
_IN_FORMS: Final[dict[str, Any]] = {
    DER: {"schema": {"type": "string", "contentMediaType": DER}},
    PEM: {"schema": {"type": "string"}, "example": PEM_EXAMPLE},
    CHAIN: {"schema": {"type": "string"}, "example": PEM_EXAMPLE * 2},
    CERTS_ONLY: {"schema": {"type": "string", "contentMediaType": CERTS_ONLY}},
}
_LOCATION: Final[dict[str, Any]] = {
    "Location": {"description": "The path of the certificate", "schema": {"type": "string"}}
}


@router.post(
    "/v1/certificates",
    status_code=201,
    response_model=None,
    responses={
        201: {"model": CertificateJson, "content": _IN_FORMS, "description": "Issued", "headers": _LOCATION},
        409: {"description": "The key belongs to somebody else, or the Idempotency-Key is in use"},
    },
)
def issue_certificate(
    request: Request,
    context: Ctx,
    caller: Caller,
    order: Annotated[Order, Depends(ORDER.read)],
    idempotency_key: IdempotencyKey,
) -> Response:
    """Issue a certificate for a PKCS#10 request.

    Nothing is copied from the request but its key and the addresses that may be certified. If addresses stand both in
    the request and in the call, they must be the same. The profile `person` is asked for by JSON only.
    """
    media = negotiation.choose(request, FORMS)
    made = certificates.issue(context, caller, order=order, idempotency_key=idempotency_key)
    return _answer(made, media, status=201, headers={"Location": f"/v1/certificates/{made.serial}"})


@router.post(
    "/v1/certificates/pkcs12",
    status_code=201,
    responses={
        201: {"description": "Issued, with its key", "headers": _LOCATION},
        409: {"description": "The file for this Idempotency-Key was handed out"},
    },
)
async def issue_with_key(
    request: Request,
    response: Response,
    *,
    context: Ctx,
    caller: Caller,
    order: Annotated[KeyOrder, Depends(KEY_ORDER.read)],
    idempotency_key: IdempotencyKey,
) -> HandoverJson:
    """Issue a certificate together with a new key, in a PKCS#12 file.

    The key is handed over in this answer only and not kept.
    """
    made = await in_lane(
        request,
        handover.issue,
        context,
        caller,
        order=order.order(None),
        key=order.key,
        file_format=order.format,
        idempotency_key=idempotency_key,
    )
    response.headers["Location"] = f"/v1/certificates/{made.view.serial}"
    response.headers["Cache-Control"] = "no-store"
    return HandoverJson(**_members(made.view), pkcs12=answers.as_base64(made.pkcs12), passphrase=made.passphrase)


@router.get("/v1/certificates")
def list_certificates(
    request: Request,
    response: Response,
    context: Ctx,
    caller: Caller,
    _once: Once,
    query: Annotated[CertificateFilter, Query()],
) -> Page[CertificateJson]:
    """List certificates, newest first.

    The list holds what belongs to the key: certificates all of whose mailboxes it covers.
    """
    rows = certificates.page(context, caller, narrowed=query.narrowed, before_id=query.before_id, limit=query.limit + 1)
    piece, following = paging.cut(
        rows, limit=query.limit, id_of=lambda view: view.cursor, request=request, response=response
    )
    return Page(items=[CertificateJson.of(view) for view in piece], next=following)


@router.get(
    "/v1/certificates/{serial}",
    response_model=None,
    responses={200: {"model": CertificateJson, "content": _IN_FORMS, "description": "The certificate"}},
)
def show_certificate(request: Request, context: Ctx, caller: Caller, serial: str) -> Response:
    """Show a certificate, in the form that Accept asks for.

    JSON; DER alone (`application/pkix-cert`); PEM alone (`application/x-pem-file`); PEM with its chain
    (`application/pem-certificate-chain`); all of them in one file (`application/pkcs7-mime`, certs-only).
    """
    media = negotiation.choose(request, FORMS)
    return _answer(certificates.show(context, caller, serial=Serial.parse(serial)), media)


@router.post(
    "/v1/certificates/{serial}/revocation",
    status_code=201,
    responses={
        201: {"description": "Revoked"},
        409: {"description": "Revoked already, and this is no upgrade to keyCompromise"},
    },
)
def revoke_certificate(
    context: Ctx,
    caller: Caller,
    serial: str,
    order: Annotated[RevocationOrder, Depends(REVOCATION.read)],
    idempotency_key: IdempotencyKey,
) -> CertificateJson:
    """Revoke a certificate.

    There is no way back, only the upgrade to keyCompromise. New checks by OCSP see it within a second, the CRL within
    a minute.
    """
    revoked = revocation.revoke(
        context, caller, serial=Serial.parse(serial), cause=order.cause, idempotency_key=idempotency_key
    )
    return CertificateJson.of(revoked)


def _members(view: CertificateView) -> dict[str, Any]:
    ended = view.revocation
    return {
        "serial": view.serial,
        "issuer": view.issuer,
        "profile": view.profile,
        "use": view.use,
        "subject": view.subject,
        "person": view.person,
        "proof": view.proof,
        "mailboxes": list(view.mailboxes),
        "not_before": view.not_before,
        "not_after": view.not_after,
        "status": view.status,
        "revocation": ended
        and RevocationJson(reason=ended.reason, revoked_at=ended.revoked_at, invalidity_date=ended.invalidity_date),
        "sha256": view.sha256,
        "key": KeyJson.of(view.key),
        "certificate": view.certificate.pem if view.certificate else None,
        "chain": [issuer.pem for issuer in view.chain],
    }


def _answer(
    view: CertificateView, media: str, *, status: int = 200, headers: Mapping[str, str] | None = None
) -> Response:
    """The certificate in one of FORMS."""
    if media == JSON:
        return JSONResponse(CertificateJson.of(view).model_dump(mode="json"), status, headers=headers)
    if view.certificate is None:
        raise CertificateNotFound("signing this certificate was interrupted; only its serial number is revoked")
    content = _encoded(view.certificate, view.chain, media)
    full = f"{media}; smime-type=certs-only; name=smime.p7c" if media == CERTS_ONLY else media
    return Response(content, status, headers={**(headers or {}), "Content-Type": full})


def _encoded(certificate: Certificate, chain: tuple[Certificate, ...], media: str) -> bytes:
    match media:
        case "application/pkix-cert":
            return certificate.der
        case "application/x-pem-file":
            return certificate.pem.encode()
        case "application/pem-certificate-chain":
            return "".join(one.pem for one in (certificate, *chain)).encode()
        case _:
            return write_certs_only((certificate, *chain))

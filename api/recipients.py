"""Recipients: the certificates to which a mailbox's mail can be sealed."""

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
from api.x509 import KeyJson, PemText, SerialText, Sha256Text
from formats.mailbox import Mailbox
from services import recipients
from services.recipients import RecipientCertificate

router: Final = APIRouter(tags=["recipients"])


class RecipientCertificateJson(BaseModel):
    """A certificate to which mail can be sealed now."""

    serial: SerialText
    sha256: Sha256Text
    mailboxes: list[str] = Field(description="All mailboxes that it names", examples=[["alice@campus.example"]])
    not_before: Timestamp
    not_after: Timestamp
    key: KeyJson
    certificate: PemText

    @classmethod
    def of(cls, found: RecipientCertificate) -> Self:
        """The certificate as JSON."""
        certificate = found.certificate
        return cls(
            serial=str(certificate.serial),
            sha256=certificate.sha256,
            mailboxes=list(found.mailboxes),
            not_before=certificate.not_before,
            not_after=certificate.not_after,
            key=KeyJson.of(found.key),
            certificate=certificate.pem,
        )


@router.get("/v1/recipients/{mailbox:path}/certificates")
def list_recipient_certificates(
    request: Request,
    response: Response,
    *,
    context: Ctx,
    caller: Caller,
    _once: Once,
    mailbox: str,
    query: Annotated[PageQuery, Query()],
) -> Page[RecipientCertificateJson]:
    """List the valid certificates for encryption of a mailbox, newest first.

    For a mailbox that is not known here the list is empty, as it is for one that publishes nothing.
    """
    rows = recipients.page(
        context, caller, mailbox=Mailbox.parse(mailbox), before_id=query.before_id, limit=query.limit + 1
    )
    piece, following = paging.cut(
        rows, limit=query.limit, id_of=lambda found: found.cursor, request=request, response=response
    )
    return Page(items=[RecipientCertificateJson.of(found) for found in piece], next=following)

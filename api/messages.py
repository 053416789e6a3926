"""Messages: signed in the name of an identity, and verified with a report."""

from __future__ import annotations

import asyncio
import json
from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends
from pydantic import BaseModel, ConfigDict, Field, WithJsonSchema
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response

from api import answers, problems, samples
from api.bodies import JSON
from api.callers import Caller, Ctx
from api.reports import ReportJson
from api.site import site_of
from api.submission import IN_A_THREAD, MessageBody, Submission, Way
from api.times import Timestamp
from api.x509 import SerialText
from formats.mailbox import Mailbox
from services.errors import NotValid
from services.messages import sign, verify
from services.messages.sign import Signed, Wish
from services.messages.verify import Verified
from services.trust import Given
from services.words import reports
from smime.report import Verdict, as_json

TEXT: Final = "text/plain"
_AS_MESSAGE: Final[dict[str, Any]] = {
    Way.RAW.value: {"schema": {"type": "string", "contentMediaType": Way.RAW.value}, "example": samples.MESSAGE}
}
_OPTIONS: Final[dict[str, Any]] = {
    "type": "object",
    "additionalProperties": False,
    "properties": {
        "address_binding": {
            "enum": ["required", "off"],
            "default": "required",
            "description": "Whether the From address has to stand in the signer's certificate",
        },
        "revocation": {
            "enum": ["hard", "soft", "off"],
            "default": "hard",
            "description": "With `hard` a message whose certificates have no known status is not valid, with `soft` that "
            "is only told",
        },
        "require_email_eku": {
            "type": "boolean",
            "default": True,
            "description": "Whether the certificate has to be one for mail",
        },
        "policies": {
            "type": "array",
            "items": {"type": "string"},
            "description": "The certificate policies that are accepted, by OID (RFC 5280 6.1.1); all, if there is none",
        },
        **{
            name: {"type": "boolean", "default": False, "description": "As in RFC 5280 6.1.1"}
            for name in ("require_explicit_policy", "inhibit_policy_mapping", "inhibit_any_policy")
        },
    },
    "description": "The rules of this verification, as a JSON object; needs messages:verify-custom",
    "examples": [{"revocation": "soft"}],
}

router: Final = APIRouter(tags=["messages"])


class SignFields(BaseModel):
    """How a message is to be signed."""

    model_config = ConfigDict(extra="forbid")

    as_: str = Field(
        default="detached",
        alias="as",
        max_length=64,
        description="`detached` (readable everywhere) or `opaque`",
        examples=["detached"],
    )
    identity: str | None = Field(
        default=None,
        max_length=400,
        description="Whose; the default is the From mailbox",
        examples=["notices@campus.example"],
    )
    date: str = Field(
        default="refuse",
        max_length=64,
        description="A Date that is off by more than an hour: `refuse`, or set it to `now`",
        examples=["refuse"],
    )

    @property
    def wish(self) -> Wish:
        """The wish as the services take it."""
        identity = None if self.identity is None else Mailbox.parse(self.identity)
        return Wish(form=self.as_, identity=identity, date=self.date)


class VerifyFields(BaseModel):
    """By what a message is to be judged."""

    model_config = ConfigDict(extra="forbid")

    at: Timestamp | None = Field(
        default=None, description="The moment at which everything is judged; needs messages:verify-custom"
    )
    options: Annotated[dict[str, Any] | None, WithJsonSchema(_OPTIONS)] = None


class SignedJson(BaseModel):
    """A signed message."""

    message: str = Field(
        description="The signed message, base64", examples=["RnJvbTogbm90aWNlc0BjYW1wdXMuZXhhbXBsZQ0K..."]
    )
    identity: str = Field(description="In whose name it was signed", examples=["notices@campus.example"])
    serial: SerialText = Field(description="The serial number of the certificate that signed")
    record: str = Field(description="The id of the audit entry", examples=["019a8f3c5b7e7d6c8a9b0c1d2e3f4a5b"])
    changes: list[str] = Field(description="What was added or encoded anew before signing", examples=[["message_id"]])


SIGN: Final = MessageBody(fields=SignFields)
VERIFY: Final = MessageBody(
    fields=VerifyFields,
    files={
        "anchor": "Certificates to trust in place of the service's own root; PEM or DER, several in one part and several "
        "parts allowed: `-F anchor=@root.pem`; needs messages:verify-custom",
        "intermediate": "Certificates between an anchor and the signer that the message may lack; PEM or DER, several in "
        "one part and several parts allowed: `-F intermediate=@issuing.pem`; needs messages:verify-custom",
        "crl": "CRLs of the issuers, for nothing is fetched; PEM or DER, several in one part and several parts allowed: "
        "`-F crl=@issuing.crl`; needs messages:verify-custom",
    },
    objects=frozenset({"options"}),
)
_FACTS: Final[dict[str, Any]] = {
    name: {"schema": {"type": "string"}, "description": text}
    for name, text in (
        ("Mailseal-Identity", "In whose name it was signed"),
        ("Mailseal-Serial", "The serial number of the certificate that signed"),
        ("Mailseal-Record", "The id of the audit entry"),
        ("Mailseal-Changes", "What was added or encoded anew, with commas"),
    )
}
_VERDICT: Final[dict[str, Any]] = {
    "Mailseal-Verdict": {
        "schema": {"enum": [verdict.value for verdict in Verdict]},
        "description": "The verdict on the message",
    }
}


@router.post(
    "/v1/sign",
    response_model=None,
    responses={
        200: {
            "model": SignedJson,
            "content": _AS_MESSAGE,
            "headers": _FACTS,
            "description": "The signed message; as JSON for a JSON request, or if Accept says so",
        }
    },
)
async def sign_message(
    request: Request, context: Ctx, caller: Caller, given: Annotated[Submission[SignFields], Depends(SIGN.read)]
) -> Response:
    """Sign a message in the name of an identity.

    The From mailbox must be the identity's. A missing Date or Message-ID is added, and 8-bit text is encoded so that
    no relay has to change it; `Mailseal-Changes` says what was done. The answer leaves once its record is durable.
    """
    media = answers.choose_media(request, way=given.way)
    signed = await sign.sign(context, caller, data=given.message, wish=given.fields.wish)
    facts = {
        "identity": signed.identity,
        "serial": signed.serial,
        "record": signed.record,
        "changes": signed.changes,
    }
    if media == JSON:
        is_large = len(signed.data) > IN_A_THREAD
        content = await asyncio.to_thread(_signed_json, signed) if is_large else _signed_json(signed)
        return Response(content, media_type=JSON, headers=answers.headers(facts))
    return answers.message(signed.data, facts=facts)


@router.post(
    "/v1/verify",
    response_model=None,
    responses={
        200: {
            "model": ReportJson,
            "content": {
                TEXT: {"schema": {"type": "string"}, "example": reports.VERDICTS["valid"] + "\n"},
                **_AS_MESSAGE,
            },
            "headers": _VERDICT,
            "description": "The report, also for a bad signature; in text/plain its sentences; in message/rfc822 "
            "what was really signed",
        }
    },
)
async def verify_message(
    request: Request, context: Ctx, caller: Caller, given: Annotated[Submission[VerifyFields], Depends(VERIFY.read)]
) -> Response:
    """Verify a message, and report what was found.

    Own anchors, intermediates, CRLs, time and options need the scope messages:verify-custom; given anchors replace the
    service's own. Nothing is fetched. With `Accept: message/rfc822` the answer is what was really signed, if the
    message is valid, else the problem `not_valid` with the report as its member `report`.
    """
    media = answers.choose_media(request, way=given.way, is_report=True, also=(TEXT,))
    found = await verify.verify(context, caller, data=given.message, given=_given(given))
    verdict = answers.headers({"verdict": found.report.verdict.value})
    if media == TEXT:
        return PlainTextResponse("\n".join(reports.sentences(found.report)) + "\n", headers=verdict)
    if media == Way.RAW.value:
        return _signed_bytes(request, found, headers=verdict)
    return JSONResponse(_report(found), headers=verdict)


def _given(given: Submission[VerifyFields]) -> Given:
    """The trust material of this request, as the services take it."""
    return Given(
        anchors=given.files.get("anchor", ()),
        intermediates=given.files.get("intermediate", ()),
        crls=given.files.get("crl", ()),
        at=given.fields.at,
        options=None if given.fields.options is None else json.dumps(given.fields.options),
    )


def _report(found: Verified) -> dict[str, Any]:
    return as_json(found.report, summary=reports.sentences(found.report))


def _signed_bytes(request: Request, found: Verified, *, headers: dict[str, str]) -> Response:
    """What was signed, if it is valid: nobody takes the bytes of a bad signature for good ones."""
    report = found.report
    if report.verdict is Verdict.VALID and found.signed_bytes is not None:
        return Response(found.signed_bytes, media_type=Way.RAW.value, headers=headers)
    refusal = NotValid(f"the message is {report.verdict.value.replace('_', ' ')}", report=report)
    return problems.respond(
        refusal,
        site=site_of(request),
        state=request.scope["state"],
        headers=headers,
        extensions={"report": _report(found)},
    )


def _signed_json(signed: Signed) -> bytes:
    made = SignedJson(
        message=answers.as_base64(signed.data),
        identity=signed.identity,
        serial=signed.serial,
        record=signed.record,
        changes=list(signed.changes),
    )
    return made.model_dump_json().encode()

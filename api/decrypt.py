"""Decrypt: sealed messages opened with the keys that are kept here."""

from __future__ import annotations

import asyncio
import json
from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends
from pydantic import BaseModel, ConfigDict, Field
from starlette.requests import Request
from starlette.responses import Response

from api import answers, samples
from api.bodies import JSON
from api.callers import Caller, Ctx, failed_decryptions
from api.reports import ReportJson
from api.submission import IN_A_THREAD, MessageBody, Submission, Way
from formats.mailbox import Mailbox
from services.messages import decrypt
from services.messages.decrypt import Decrypted
from services.words import reports
from smime.report import Report, Verdict, as_json

_AS_MESSAGE: Final[dict[str, Any]] = {
    Way.RAW.value: {"schema": {"type": "string", "contentMediaType": Way.RAW.value}, "example": samples.MESSAGE}
}
_FACTS: Final[dict[str, Any]] = {
    "Mailseal-Record": {"schema": {"type": "string"}, "description": "The id of the audit entry"},
    "Mailseal-Integrity": {
        "schema": {"enum": ["signed", "aead", "none"]},
        "description": "What protected the message",
    },
    "Mailseal-Verdict": {
        "schema": {"enum": [verdict.value for verdict in Verdict]},
        "description": "The verdict on the signature inside, if there is one",
    },
}

router: Final = APIRouter(tags=["messages"])


class DecryptFields(BaseModel):
    """With whose key a message is to be opened."""

    model_config = ConfigDict(extra="forbid")

    identity: str | None = Field(
        default=None,
        max_length=400,
        description="Whose; the default is whichever of the key's mailboxes is among the recipients",
        examples=["notices@campus.example"],
    )


class DecryptedJson(BaseModel):
    """A message in the clear."""

    message: str = Field(
        description="The message in the clear, base64", examples=["RnJvbTogbm90aWNlc0BjYW1wdXMuZXhhbXBsZQ0K..."]
    )
    integrity: str = Field(
        description="What protected it: `signed` (a signature inside is valid), `aead` (the cipher finds changes) or "
        "`none` (it may have been changed on the way)",
        examples=["signed"],
    )
    record: str = Field(description="The id of the audit entry", examples=["019a8f3c5b7e7d6c8a9b0c1d2e3f4a5b"])
    report: ReportJson = Field(description="What is to be said of the message in the clear and its signature")
    outer_report: ReportJson | None = Field(
        default=None,
        description="What is to be said of a signature around the sealed part, where there was one; it tells who sent "
        "the sealed octets, and nothing of the text",
    )


DECRYPT: Final = MessageBody(fields=DecryptFields, example=samples.SEALED)


@router.post(
    "/v1/decrypt",
    response_model=None,
    responses={
        200: {
            "model": DecryptedJson,
            "content": _AS_MESSAGE,
            "headers": _FACTS,
            "description": "The message in the clear; as JSON for a JSON request, or if Accept says so",
        }
    },
)
async def decrypt_message(
    request: Request,
    context: Ctx,
    caller: Caller,
    given: Annotated[Submission[DecryptFields], Depends(DECRYPT.read)],
) -> Response:
    """Open a sealed message with a key that is kept here.

    The key is found by the recipients that the message names, among the identities of the caller's mailboxes; keys whose
    certificates have ended open old mail as well. A signature around the sealed part is taken off and reported in
    `outer_report`. The header stays as it is outside; what people write (From, Subject, ...) is taken from inside only
    where it is missing outside. Whatever fails inside is answered alike with `decryption_failed`, and is on the record;
    after 60 of them in a minute by one private key, nothing is opened by it for a while.
    """
    media = answers.choose_media(request, way=given.way)
    named = given.fields.identity
    identity = None if named is None else Mailbox.parse(named)
    failures = failed_decryptions(request, caller)
    found = await decrypt.decrypt(context, caller, data=given.message, identity=identity, failures=failures)
    is_signed = found.report.verdict is not Verdict.NOT_SIGNED
    facts = {
        "record": found.record,
        "integrity": found.integrity,
        "verdict": found.report.verdict.value if is_signed else "",
    }
    if media == JSON:
        is_large = len(found.data) > IN_A_THREAD
        content = await asyncio.to_thread(_decrypted_json, found) if is_large else _decrypted_json(found)
        return Response(content, media_type=JSON, headers=answers.headers(facts))
    return answers.message(found.data, facts=facts)


def _decrypted_json(found: Decrypted) -> bytes:
    content = {
        "message": answers.as_base64(found.data),
        "integrity": found.integrity,
        "record": found.record,
        "report": _report(found.report),
    }
    if found.outer_report is not None:
        content["outer_report"] = _report(found.outer_report)
    return json.dumps(content, ensure_ascii=False).encode()


def _report(report: Report) -> dict[str, Any]:
    return as_json(report, summary=reports.sentences(report))

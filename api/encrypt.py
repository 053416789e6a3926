"""Encrypt: messages sealed to their recipients."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends
from pydantic import BaseModel, ConfigDict, Field
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from api import answers, negotiation, samples
from api.bodies import JSON
from api.callers import Caller, Ctx
from api.errors import NotAcceptable
from api.inflow import inflow_of
from api.submission import IN_A_THREAD, MessageBody, Submission, Way
from formats.mailbox import Mailbox, MailboxError
from services.errors import ChoiceUnknown
from services.messages import encrypt, sign
from services.messages.encrypt import Sealed
from smime.errors import FieldMalformed
from smime.headers import read_mailboxes

SHOWN: Final = 50
_DATE: Final = "refuse"
_AS_MESSAGE: Final[dict[str, Any]] = {
    Way.RAW.value: {"schema": {"type": "string", "contentMediaType": Way.RAW.value}, "example": samples.SEALED}
}
_FACTS: Final[dict[str, Any]] = {
    name: {"schema": {"type": "string"}, "description": text}
    for name, text in (
        ("Mailseal-Record", "The id of the audit entry"),
        ("Mailseal-Identity", "In whose name it was signed"),
        ("Mailseal-Serial", "The serial number of the certificate that signed"),
        ("Mailseal-Changes", "What was added, left out or encoded anew, with commas"),
        (
            "Mailseal-Envelope-To",
            "The mailboxes that the message is for, with commas: the first 50, then how many more; JSON names all",
        ),
        (
            "Mailseal-Skipped",
            "Recipients without a certificate, with commas: the first 50, then how many more; JSON names all",
        ),
    )
}

router: Final = APIRouter(tags=["messages"])


class EncryptFields(BaseModel):
    """To whom and with what a message is to be sealed."""

    model_config = ConfigDict(extra="forbid")

    to: list[Annotated[str, Field(max_length=400)]] | str | None = Field(
        default=None,
        description="To whom: addresses, in one text with commas or one by one; the default is everybody in To, Cc and "
        "Bcc. Whoever is not in To or Cc gets a message of their own",
        examples=[["notices@campus.example"]],
    )
    sign: bool = Field(default=False, description="Sign it first, which needs messages:sign", examples=[False])
    identity: str | None = Field(
        default=None,
        max_length=400,
        description="With `sign`, in whose name; the default is the From mailbox",
    )
    date: str | None = Field(
        default=None,
        max_length=64,
        description="With `sign`, a Date that is off by more than an hour: `refuse` (the default), or set it to `now`",
    )
    algorithms: str = Field(
        default="compatible",
        max_length=64,
        description="`compatible` (AES-256-CBC; RSA PKCS#1 v1.5 or ECDH), which mail programs in use read, or `modern` "
        "(AES-256-GCM; RSA-OAEP or ECDH)",
        examples=["compatible"],
    )
    missing: str = Field(
        default="refuse",
        max_length=64,
        description="A recipient without a certificate: `refuse` the message, or `skip` them",
        examples=["refuse"],
    )

    def wish(self, *, certificates: tuple[bytes, ...], only_one: bool) -> encrypt.Wish:
        """The wish as the services take it."""
        return encrypt.Wish(
            to=_recipients(self.to),
            signing=_signing(self),
            algorithms=self.algorithms,
            missing=self.missing,
            certificates=certificates,
            only_one=only_one,
        )


class EnvelopeJson(BaseModel):
    """One sealed message."""

    envelope_to: list[str] = Field(
        description="The mailboxes that this message is for: send it to them alone",
        examples=[["notices@campus.example"]],
    )
    message: str = Field(
        description="The sealed message, base64", examples=["RnJvbTogbm90aWNlc0BjYW1wdXMuZXhhbXBsZQ0K..."]
    )


class EncryptedJson(BaseModel):
    """Sealed messages: one for all in To and Cc, one for each blind recipient."""

    messages: list[EnvelopeJson]
    skipped: list[str] = Field(description="Recipients without a certificate, for missing=skip", examples=[[]])
    record: str = Field(description="The id of the audit entry", examples=["019a8f3c5b7e7d6c8a9b0c1d2e3f4a5b"])


# A thousand addresses, each of 400 octets.
ENCRYPT: Final = MessageBody(
    fields=EncryptFields,
    files={
        "certificate": "Certificates of recipients, in place of ours for the mailboxes that they name; PEM or DER, several "
        "in one part and several parts allowed: `-F certificate=@alice.pem`"
    },
    lists=frozenset({"to"}),
    texts=512 * 1024,
    example=samples.TO_ONE,
)


@router.post(
    "/v1/encrypt",
    response_model=None,
    responses={
        200: {
            "model": EncryptedJson,
            "content": _AS_MESSAGE,
            "headers": _FACTS,
            "description": "The sealed message; as JSON for a JSON request, if Accept says so, and wherever there are "
            "several",
        }
    },
)
async def encrypt_message(
    request: Request,
    context: Ctx,
    caller: Caller,
    given: Annotated[Submission[EncryptFields], Depends(ENCRYPT.read)],
) -> Response:
    """Seal a message to its recipients.

    The body is left as given; Bcc is left out. Everybody in To and Cc shares one message; each blind recipient gets one
    in which no other shows, so the answer is JSON then. All valid certificates of a mailbox are used; those given in
    `certificate` parts take their place for the mailboxes that they name. With `sign=true`, for which the key needs
    messages:sign and the From mailbox, it is signed first, once for all.
    """
    media = answers.choose_media(request, way=given.way)
    wish = given.fields.wish(
        certificates=given.files.get("certificate", ()), only_one=media != JSON and not _takes_json(request)
    )
    make_room = inflow_of(request).hold_more
    made = await encrypt.encrypt(context, caller, data=given.message, wish=wish, make_room=make_room)
    facts = {
        "record": made.record,
        "identity": made.identity,
        "serial": made.serial,
        "changes": made.changes,
        "skipped": _shown(made.skipped),
    }
    if media != JSON and len(made.messages) == 1:
        only = made.messages[0]
        return answers.message(only.data, facts={**facts, "envelope_to": _shown(only.envelope_to)})
    headers, waiting = answers.headers({**facts, "skipped": ()}), deque(made.messages)
    pieces = _in_pieces(waiting, skipped=made.skipped, record=made.record)
    if sum(len(one.data) for one in waiting) > IN_A_THREAD:
        # An answer that breaks off stays in a circle of references for a while.
        request.scope["state"]["at_end"].append(waiting.clear)
        return StreamingResponse(pieces, media_type=JSON, headers=headers)
    return Response(b"".join(pieces), media_type=JSON, headers=headers)


def _recipients(to: list[str] | str | None) -> tuple[Mailbox, ...] | None:
    """The mailboxes; a text is read as an address list, for a comma may stand in an address that is quoted."""
    if to is None:
        return None
    if isinstance(to, list):
        return tuple(map(Mailbox.parse, to))
    try:
        return read_mailboxes(to.encode())
    except FieldMalformed as error:
        raise MailboxError(error.detail, pointers=("/to",)) from None


def _signing(fields: EncryptFields) -> sign.Wish | None:
    """How to sign; a wish about a signature that is not asked for is a mistake that would be found too late."""
    if fields.sign:
        identity = None if fields.identity is None else Mailbox.parse(fields.identity)
        return sign.Wish(identity=identity, date=fields.date or _DATE)
    preset = {"identity": None, "date": _DATE}
    given = [name for name, value in preset.items() if getattr(fields, name) not in {None, value}]
    if given:
        names = " and ".join(given)
        count, them = ("counts", "it") if len(given) == 1 else ("count", "them")
        raise ChoiceUnknown(
            f"{names} {count} only with a signature: set sign to true, or leave {them} out",
            pointers=tuple(f"/{name}" for name in given),
        )
    return None


def _shown(mailboxes: tuple[str, ...]) -> list[str]:
    """As many as a header field may hold on its way through proxies."""
    more = len(mailboxes) - SHOWN
    return [*mailboxes[:SHOWN], *([f"+{more}"] if more > 0 else [])]


def _takes_json(request: Request) -> bool:
    """Whether the caller takes JSON, be it less gladly or by a range."""
    try:
        negotiation.choose(request, (JSON,))
    except NotAcceptable:
        return False
    return True


def _in_pieces(waiting: deque[Sealed], *, skipped: Sequence[str], record: str) -> Iterator[bytes]:
    """An EncryptedJson message by message: the text of all of them at once would be as large again, and more."""
    before = '{"messages":['
    while waiting:
        yield (before + _envelope_json(waiting.popleft())).encode()
        before = ","
    rest = EncryptedJson(messages=[], skipped=list(skipped), record=record)
    yield b"]," + rest.model_dump_json(exclude={"messages"}).removeprefix("{").encode()


def _envelope_json(one: Sealed) -> str:
    return EnvelopeJson(envelope_to=list(one.envelope_to), message=answers.as_base64(one.data)).model_dump_json()

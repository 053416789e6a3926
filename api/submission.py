"""Submission, what a message call brings in: the message and its scalars, by any of three ways.

The message is the body (message/rfc822), the part `message` of a form (multipart/form-data), or base64 in the member
`message` of a JSON object. Every scalar is a query parameter, a field of the form or a member of the object.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import json
import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final, Generic, TypeVar

from pydantic import BaseModel, ValidationError
from starlette.requests import Request

from api import bodies, multipart, problems, samples, strict_json
from api.errors import (
    Base64Malformed,
    BodyTooLarge,
    JsonMalformed,
    LineEndsMissing,
    MessageMissing,
    MultipartMalformed,
    ParameterTwice,
    UnknownParameter,
    UnsupportedMediaType,
)
from api.inflow import SMALL, inflow_of
from api.multipart import Budget
from api.site import site_of

F = TypeVar("F", bound=BaseModel)

FILES_OCTETS: Final = 32 * 1024 * 1024
FILES: Final = 1_000
# Commas and brackets in JSON: a thousand recipients, each with some in quotes.
MARKS: Final = 16 * 1024
IN_A_THREAD: Final = 256 * 1024
# The text `message`, in which no letter is written by its number: base64 needs none.
_MESSAGE: Final = re.compile(rb'"message"[ \t\r\n]*:[ \t\r\n]*"([^"\\\x80-\xff]*(?:\\[^u][^"\\\x80-\xff]*)*)"')
# Octets of a letter that is written by its number.
_ESCAPE: Final = 6
_BLANKS: Final = re.compile(r"[\t\n\r ]+")


class Way(StrEnum):
    """How a message came in."""

    RAW = "message/rfc822"
    FORM = "multipart/form-data"
    JSON = "application/json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Submission(Generic[F]):
    """`files` are the other parts of a form, by name; a name that was not given is not there."""

    message: bytes
    fields: F
    files: Mapping[str, tuple[bytes, ...]]
    way: Way


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageBody(Generic[F]):
    """What a message call takes: the model of its scalars, all of them optional, and its file parts with their meaning.

    `objects` are the scalars that are JSON objects; in the query or a form they come as JSON text. `lists` are those
    that may be given several times there, or once with commas. `texts` is how many octets all scalars may have,
    `example` a message that the description shows.
    """

    fields: type[F]
    files: Mapping[str, str] = field(default_factory=dict)
    objects: frozenset[str] = frozenset()
    lists: frozenset[str] = frozenset()
    texts: int = SMALL
    example: str = samples.MESSAGE

    async def read(self, request: Request) -> Submission[F]:
        """The submission of this request, with at most `message_octets` of decoded message."""
        in_query = _pairs(request.query_params.multi_items(), lists=self.lists)
        self._refuse_unknown(in_query)
        limit = site_of(request).message_octets
        match bodies.media_type(request):
            case Way.RAW:
                message = _in_lines(await inflow_of(request).read(limit=limit))
                return Submission(message=message, fields=self._from_texts(in_query), files={}, way=Way.RAW)
            case Way.FORM:
                return await self._read_form(request, in_query=in_query, limit=limit)
            case Way.JSON:
                return await self._read_json(request, in_query=in_query, limit=limit)
        raise _unsupported(request)

    async def _read_form(self, request: Request, *, in_query: dict[str, str], limit: int) -> Submission[F]:
        inflow = inflow_of(request)
        files_octets = FILES_OCTETS if self.files else 0
        # The overhead of a part is a boundary and a few headers; the budgets below count what is inside.
        inflow.allow(limit + files_octets + 4 * self.texts + 1024 * multipart.PARTS)
        parts = await multipart.read_form(
            inflow.chunks(),
            content_type=request.headers["content-type"],
            budgets=(
                Budget(frozenset({"message"}), limit),
                Budget(frozenset(self.files), files_octets, repeats=True),
                Budget(self._names() - self.lists, self.texts),
                Budget(self.lists, self.texts, repeats=True),
            ),
        )
        messages = [content for name, content in parts if name == "message"]
        files = multipart.grouped([part for part in parts if part[0] in self.files])
        if sum(map(len, files.values())) > FILES:
            raise BodyTooLarge(f"the form has more than {FILES} file parts")
        given = [(name, _text(content, name)) for name, content in parts if name in self._names()]
        texts = _pairs(given, lists=self.lists)
        message = _given(messages[0] if messages else b"")
        return Submission(message=message, fields=self._from_texts(_merged(in_query, texts)), files=files, way=Way.FORM)

    async def _read_json(self, request: Request, *, in_query: dict[str, str], limit: int) -> Submission[F]:
        # Base64 may be broken into lines, each line end written as four characters.
        body = await inflow_of(request).read(limit=limit * 3 // 2 + self.texts)
        if len(body) > IN_A_THREAD:
            message, members = await asyncio.to_thread(_open_json, body, limit, self.texts)
        else:
            message, members = _open_json(body, limit, self.texts)
        self._refuse_unknown(members)
        _refuse_twice(in_query, members)
        if in_query:
            # Members keep JSON's types, so what came as text is read as text, and the model joins both.
            members = {
                **self._from_texts(in_query).model_dump(mode="json", by_alias=True, exclude_unset=True),
                **members,
            }
        return Submission(message=message, fields=strict_json.read_model(self.fields, members), files={}, way=Way.JSON)

    def _from_texts(self, texts: dict[str, str]) -> F:
        values: dict[str, Any] = dict(texts)
        for name in self.objects & values.keys():
            values[name] = strict_json.read_object(values[name])
        try:
            return self.fields.model_validate(values)
        except ValidationError as error:
            raise problems.invalid(error.errors(include_url=False, include_input=False)) from None

    def _names(self) -> frozenset[str]:
        return frozenset(field.alias or name for name, field in self.fields.model_fields.items())

    def _refuse_unknown(self, given: Mapping[str, object]) -> None:
        for name in given:
            if name not in self._names():
                raise UnknownParameter(f"this call knows no parameter {name[:40]!r}", pointers=(f"/{name[:40]}",))

    def content(self) -> dict[str, dict[str, Any]]:
        """The three ways in."""
        scalars = self.parameters()
        octets = {"type": "string", "contentMediaType": "application/octet-stream"}
        files = {
            name: {"type": "array", "items": octets, "maxItems": FILES, "description": text}
            for name, text in self.files.items()
        }
        text = {
            "type": "string",
            "minLength": 1,
            "contentEncoding": "base64",
            "description": "The message in base64 or base64url",
            "examples": [base64.b64encode(self.example.encode()).decode()],
        }
        part = {
            "type": "string",
            "minLength": 1,
            "contentMediaType": Way.RAW.value,
            "description": "The message as it is: `-F message=@mail.eml`",
        }
        return {
            Way.RAW.value: {
                "schema": {"type": "string", "minLength": 1, "description": "The message as it is"},
                "example": self.example,
            },
            Way.FORM.value: {"schema": _closed_object({"message": part, **files, **scalars})},
            Way.JSON.value: {"schema": _closed_object({"message": text, **scalars})},
        }

    def parameters(self) -> dict[str, dict[str, Any]]:
        """The scalars."""
        template = "#/components/schemas/{model}"
        properties: dict[str, dict[str, Any]] = self.fields.model_json_schema(ref_template=template)["properties"]
        return properties

    def models(self) -> tuple[type[BaseModel], ...]:
        """The model of the scalars; its own nested models come along."""
        return (self.fields,)


def _closed_object(properties: dict[str, dict[str, Any]]) -> dict[str, Any]:
    return {"type": "object", "required": ["message"], "properties": properties, "additionalProperties": False}


def _open_json(body: bytes, limit: int, texts: int) -> tuple[bytes, dict[str, Any]]:
    """The message and the other members.

    Of a large body the message is cut out first: no parser is bounded by itself, and one escape or one letter beyond
    ASCII makes four octets of each of its text.
    """
    rest, mark, cut_out = _without_message(body, texts) if len(body) > IN_A_THREAD else (body, None, "")
    members = _read_members(rest)
    text = members.pop("message", None)
    if mark is not None and text != mark:
        raise MessageMissing("the text `message` is not a member of the object itself", pointers=("/message",))
    if not isinstance(text, str) or not text:
        raise MessageMissing("the JSON object has no text `message`", pointers=("/message",))
    message = _decode(text if mark is None else cut_out)
    if len(message) > limit:
        raise BodyTooLarge(f"the message is limited to {limit} octets")
    if len(json.dumps(members, ensure_ascii=False).encode()) > texts:
        raise BodyTooLarge("the members beside the message are too large")
    return message, members


def _without_message(body: bytes, texts: int) -> tuple[bytes, str, str]:
    """The object with a mark in place of its text `message`, the mark, and the text."""
    found = _MESSAGE.search(body)
    if found is None:
        if b'"message"' in body:
            raise _not_base64()
        raise MessageMissing("the JSON object has no text `message`", pointers=("/message",))
    begin, end = found.span(1)
    if len(body) - (end - begin) > _ESCAPE * texts + SMALL:
        raise BodyTooLarge("the members beside the message are too large")
    mark = secrets.token_hex()
    try:
        text: str = json.loads(b'"' + found[1] + b'"')
    except ValueError:  # a line end or another control that is not escaped, a letter that is none
        raise JsonMalformed("the text `message` is not well-formed JSON") from None
    return body[:begin] + mark.encode() + body[end:], mark, text


def _read_members(body: bytes) -> dict[str, Any]:
    # Each of these may become an object of fifty octets; base64 holds none of them.
    if sum(body.count(sign) for sign in (b",", b"[", b"{")) > MARKS:
        raise BodyTooLarge("the JSON object has too many members and items")
    return strict_json.read_object(body)


def _decode(text: str) -> bytes:
    """Base64 or base64url (RFC 4648 4 and 5), also broken into lines, padding optional."""
    if not text.isascii():
        raise _not_base64()
    plain = _BLANKS.sub("", text).rstrip("=").replace("-", "+").replace("_", "/")
    try:
        return base64.b64decode(plain + "=" * (-len(plain) % 4), validate=True)
    except (binascii.Error, ValueError):
        raise _not_base64() from None


def _not_base64() -> Base64Malformed:
    return Base64Malformed("the member `message` is not base64", pointers=("/message",))


def _given(message: bytes) -> bytes:
    if not message:
        raise MessageMissing("the request brings no message")
    return message


def _in_lines(message: bytes) -> bytes:
    """A raw body; a header that goes on without a line end has lost them on its way to us."""
    if b":" in _given(message) and b"\n" not in message and b"\r" not in message:
        raise LineEndsMissing("the body is one line: it holds no line end at all, as if sent with `curl -d`")
    return message


def _pairs(items: list[tuple[str, str]], *, lists: frozenset[str] = frozenset()) -> dict[str, str]:
    """The values by name; only a list may stand several times, and is joined with commas."""
    pairs: dict[str, list[str]] = {}
    for name, value in items:
        if name in pairs and name not in lists:
            raise ParameterTwice(f"the parameter {name[:40]!r} is given twice", pointers=(f"/{name[:40]}",))
        if "\x00" in value:
            raise JsonMalformed("a text holds a null character")
        pairs.setdefault(name, []).append(value)
    return {name: ",".join(values) for name, values in pairs.items()}


def _refuse_twice(in_query: Mapping[str, object], in_body: Mapping[str, object]) -> None:
    for name in sorted(in_query.keys() & in_body.keys()):
        raise ParameterTwice(f"{name!r} is given in the query and in the body", pointers=(f"/{name}",))


def _merged(in_query: dict[str, str], in_body: dict[str, str]) -> dict[str, str]:
    _refuse_twice(in_query, in_body)
    return in_query | in_body


def _text(content: bytes, name: str) -> str:
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError:
        raise MultipartMalformed(f"the field {name!r} is not UTF-8") from None


def _unsupported(request: Request) -> UnsupportedMediaType:
    """The refusal that shows the line which works: `curl -d` sends a form and eats line ends."""
    address = f"{site_of(request).public_url}{request.url.path}"
    return UnsupportedMediaType(
        f"this call takes {Way.RAW}, {Way.FORM} or {Way.JSON}; for a file: curl --data-binary @mail.eml "
        f"-H 'Content-Type: {Way.RAW}' -H 'Authorization: Bearer ms_live_...' {address}"
    )

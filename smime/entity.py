"""Entity, a node of a MIME message: slices of the raw bytes, found without copying or changing them (RFC 2045, 2046).

What is hashed and compared are these slices. A message whose structure two readers could see differently is refused
as malformed: a header line without a colon, a blank before the colon, NUL or a lone CR in a header, Content-Type,
Content-Transfer-Encoding or a parameter twice, a multipart without boundary, with an encoded body, never opened or
never closed, a line that begins with a boundary and goes on, a lone CR around the parts, a comment in the Content-Type
of a multipart or message, and a backslash in a boundary. Only within a forwarded message is that let through:
it counts as one piece then, for bounces quote messages that are cut off.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Final

from smime import transfer
from smime.content_type import (
    MESSAGE_RFC822,
    OCTET_STREAM,
    TEXT_PLAIN,
    ContentType,
    has_comments,
    read_content_type,
    read_disposition,
)
from smime.errors import (
    FieldMalformed,
    HeaderTooLarge,
    MessageMalformed,
    MessageTooLarge,
    NestedTooDeep,
    TooManyParts,
)
from smime.headers import read_token
from smime.source import Source

MAX_DEPTH: Final = 30
MAX_PARTS: Final = 1000
MAX_HEADER: Final = 256 * 1024
MAX_FIELD: Final = 64 * 1024
MAX_FROM: Final = 8 * 1024
MAX_FIELDS: Final = 20_000  # of a message, over all its parts
MAX_DECODED: Final = 25 * 1024 * 1024

_FIELD: Final = re.compile(rb"([!-9;-~]+):([^\r\n]*(?:\r\n[ \t][^\r\n]*)*)(?:\r\n|\Z)")
_BOUNDARY: Final = re.compile(r"[!-~](?:[ -~]{0,198}[!-~])?")
_LONE_CR: Final = re.compile(rb"\r(?!\n)")
_BACKSLASH_IN_BOUNDARY: Final = re.compile(rb'\bboundary[*0-9 \t]*=[ \t]*"[^"]*\\', re.IGNORECASE)
# A type that these words begin or are part of decides what a message is; it is never guessed.
_STRUCTURAL: Final = re.compile(rb"\A\s*(?:multipart|message)\b|pkcs7", re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """One header field; `name` is in lower case, `raw` is all of it with its folds and its CRLF, if it has one."""

    name: str
    raw: bytes

    @property
    def value(self) -> bytes:
        """What stands behind the colon, unfolded (RFC 5322 2.2.3), without the blanks around it."""
        return self.raw.partition(b":")[2].replace(b"\r\n", b"").strip(b" \t")


@dataclass(slots=True, kw_only=True, eq=False)
class Entity:
    """One entity: header and body as slices of the message.

    `part` is its number, as in `1.2`, "" for the root; what a forwarded message holds is its part 1. `children` are
    those of a multipart, or the one message within message/rfc822 and message/global. `has_preamble` and
    `has_epilogue` tell of text around a multipart's parts. `is_readable` is False where a leaf has a Content-Type
    that cannot be read, which then counts as application/octet-stream, and where a forwarded message is malformed.
    """

    source: Source = field(repr=False)
    part: str
    start: int
    body_start: int
    end: int
    fields: tuple[Field, ...] = field(repr=False)
    content_type: ContentType
    transfer_encoding: str
    is_readable: bool = True
    children: tuple[Entity, ...] = ()
    has_preamble: bool = False
    has_epilogue: bool = False

    @property
    def raw(self) -> bytes:
        """The whole entity."""
        return self.source.raw[self.start : self.end]

    @property
    def body(self) -> bytes:
        """The body as it is encoded."""
        return self.source.raw[self.body_start : self.end]

    @property
    def given_body(self) -> bytes:
        """The body with its line ends as they were given."""
        return self.source.as_given(self.body_start, self.end)

    @property
    def is_multipart(self) -> bool:
        """Whether it is made of parts."""
        return self.content_type.type == "multipart"

    @property
    def is_forwarded(self) -> bool:
        """Whether it is a whole message within another, not encoded."""
        return self.content_type.media in {"message/rfc822", "message/global"} and (
            self.transfer_encoding in transfer.IDENTITY
        )

    @property
    def filename(self) -> str:
        """The name that Content-Disposition or else Content-Type gives the body, or the empty string."""
        for found in self.get("content-disposition"):
            try:
                name = read_disposition(found.value).parameters.get("filename")
            except FieldMalformed:
                continue
            if name:
                return name
        return self.content_type.get("name")

    def get(self, name: str) -> list[Field]:
        """Every field of this name, given in lower case."""
        return [found for found in self.fields if found.name == name]

    def decoded_body(self, *, limit: int = MAX_DECODED) -> bytes:
        """The body without its transfer encoding; MessageMalformed where it breaks it."""
        if self.end - self.body_start > 3 * limit:  # quoted-printable needs three octets for one
            raise MessageTooLarge(f"a part of more than {limit} octets")
        octets = transfer.decode(self.body, encoding=self.transfer_encoding)
        if len(octets) > limit:
            raise MessageTooLarge(f"a part of more than {limit} octets")
        return octets


def read_entity(source: Source) -> Entity:
    """Read a message into its tree, level by level, never by recursion.

    MessageMalformed as the module says; HeaderTooLarge, TooManyParts and NestedTooDeep beyond the limits.
    """
    budget = _Budget()
    root = _entity(source, "", (0, len(source.raw)), default=TEXT_PLAIN, budget=budget)
    waiting: list[tuple[Entity, int, Entity | None]] = [(root, 0, None)]
    while waiting:
        entity, depth, within = waiting.pop()
        if not (entity.is_multipart or entity.is_forwarded):
            continue
        if depth >= MAX_DEPTH:
            raise NestedTooDeep(f"parts within parts, more than {MAX_DEPTH} deep")
        within = entity if entity.is_forwarded else within
        try:
            entity.children = _children(entity, budget)
        except MessageMalformed:
            if within is None:
                raise
            within.children, within.is_readable = (), False
            continue
        waiting += [(child, depth + 1, within) for child in entity.children]
    return root


@dataclass(slots=True)
class _Budget:
    """What may still be read of this message."""

    parts: int = MAX_PARTS
    fields: int = MAX_FIELDS

    def part(self) -> None:
        self.parts -= 1
        if self.parts < 0:
            raise TooManyParts(f"more than {MAX_PARTS} parts")

    def field(self) -> None:
        self.fields -= 1
        if self.fields < 0:
            raise HeaderTooLarge(f"more than {MAX_FIELDS} header fields")


def _children(entity: Entity, budget: _Budget) -> tuple[Entity, ...]:
    source, part = entity.source, entity.part
    prefix = f"{part}." if part else ""
    if entity.is_forwarded:
        budget.part()
        span = (entity.body_start, entity.end)
        return (_entity(source, f"{prefix}1", span, default=TEXT_PLAIN, budget=budget),)
    default = MESSAGE_RFC822 if entity.content_type.subtype == "digest" else TEXT_PLAIN  # RFC 2046 5.1.5
    return tuple(
        _entity(source, f"{prefix}{number}", span, default=default, budget=budget)
        for number, span in enumerate(_spans(entity, budget), start=1)
    )


def _spans(entity: Entity, budget: _Budget) -> list[tuple[int, int]]:
    """Where each part of a multipart begins and ends: the CRLF before a boundary belongs to it (RFC 2046 5.1.1)."""
    raw, end = entity.source.raw, entity.end
    needle = b"\r\n--" + _boundary(entity)
    spans: list[tuple[int, int]] = []
    # The CRLF of the blank line before the body serves a boundary at its very start.
    at = raw.find(needle, entity.body_start - 2, end)
    entity.has_preamble = _is_text(raw, entity.body_start, max(at, entity.body_start))
    start = None
    while at >= 0:
        line_end = raw.find(b"\r\n", at + len(needle), end)
        line_end = end if line_end < 0 else line_end
        rest = raw[at + len(needle) : line_end].rstrip(b" \t")
        if rest not in {b"", b"--"}:
            # RFC 2046 has readers take such a line for the boundary, and many do not.
            raise MessageMalformed("a line that begins with a boundary and goes on")
        if start is not None:
            spans.append((start, max(start, at)))
        if rest == b"--" and start is not None:
            entity.has_epilogue = _is_text(raw, line_end, end)
            return spans
        if rest == b"--":
            raise MessageMalformed("a multipart that is closed before it is opened")
        budget.part()
        start = min(line_end + 2, end)
        at = raw.find(needle, line_end, end)
    raise MessageMalformed("a multipart that is never opened" if start is None else "a multipart that is never closed")


def _is_text(raw: bytes, start: int, end: int) -> bool:
    """Whether there is text around the parts; some readers end a line at a lone CR, and find a boundary behind it."""
    if _LONE_CR.search(raw, start, end):
        raise MessageMalformed("a lone CR before or behind the parts of a multipart")
    return bool(raw[start:end].strip())


def _boundary(entity: Entity) -> bytes:
    boundary = entity.content_type.get("boundary")
    if not _BOUNDARY.fullmatch(boundary):
        raise MessageMalformed("a multipart without a usable boundary")
    if entity.transfer_encoding not in transfer.IDENTITY:  # RFC 2045 6.4
        raise MessageMalformed("a multipart whose body is encoded as a whole")
    return boundary.encode("ascii")


def _entity(source: Source, part: str, span: tuple[int, int], *, default: ContentType, budget: _Budget) -> Entity:
    start, end = span
    header_end, body_start = _header(source.raw, start, end)
    fields = _fields(source.raw[start:header_end], budget)
    content_type, is_readable = _content_type(fields, default)
    return Entity(
        source=source,
        part=part,
        start=start,
        body_start=body_start,
        end=end,
        fields=fields,
        content_type=content_type,
        transfer_encoding=_transfer_encoding(fields),
        is_readable=is_readable,
    )


def _header(raw: bytes, start: int, end: int) -> tuple[int, int]:
    """Where the header ends and the body begins; without a blank line all is header (RFC 5322 3.5)."""
    if raw.startswith(b"\r\n", start, end):
        return start, start + 2
    blank = raw.find(b"\r\n\r\n", start, min(end, start + MAX_HEADER + 4))
    if blank >= 0:
        return blank + 2, blank + 4
    if end - start > MAX_HEADER:
        raise HeaderTooLarge(f"a header of more than {MAX_HEADER} octets")
    return end, end


def _fields(block: bytes, budget: _Budget) -> tuple[Field, ...]:
    if b"\0" in block:
        raise MessageMalformed("NUL in a header")
    fields: list[Field] = []
    position = 0
    while position < len(block):
        match = _FIELD.match(block, position)
        if match is None:
            raise MessageMalformed("a header line that is no field, or has a lone CR")
        budget.field()
        name = match[1].decode("ascii").lower()
        if match.end() - position > (MAX_FROM if name == "from" else MAX_FIELD):
            raise HeaderTooLarge(f"a {name[:40]} field that is too long")
        fields.append(Field(name=name, raw=match[0]))
        position = match.end()
    return tuple(fields)


def _content_type(fields: tuple[Field, ...], default: ContentType) -> tuple[ContentType, bool]:
    value = _single(fields, "content-type")
    if value is None:
        return default, True
    try:
        found = read_content_type(value)
    except FieldMalformed as error:
        if _STRUCTURAL.search(value):
            raise MessageMalformed(f"Content-Type: {error.detail}") from error
        return OCTET_STREAM, False
    _require_one_reading(value, found)
    return found, True


def _require_one_reading(value: bytes, found: ContentType) -> None:
    """Refuse what readers without a full grammar take for another type or boundary, and so show other parts."""
    if found.type in {"multipart", "message"} and has_comments(value):
        raise MessageMalformed("a comment in the Content-Type of a multipart or message")
    if found.type == "multipart" and (_BACKSLASH_IN_BOUNDARY.search(value) or "\\" in found.get("boundary")):
        raise MessageMalformed("a backslash in a boundary")


def _transfer_encoding(fields: tuple[Field, ...]) -> str:
    value = _single(fields, "content-transfer-encoding")
    if value is None:
        return "7bit"
    try:
        return read_token(value)
    except FieldMalformed as error:
        raise MessageMalformed(f"Content-Transfer-Encoding: {error.detail}") from error


def _single(fields: tuple[Field, ...], name: str) -> bytes | None:
    values = [found.value for found in fields if found.name == name]
    if len(values) > 1:
        raise MessageMalformed(f"the field {name} twice")
    return values[0] if values else None

"""Canonical form: an entity whose bytes survive the way, and change only where they would not (RFC 8551 3.1)."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Final

from smime import transfer
from smime.content_type import TEXT_PLAIN, ContentType, Disposition, read_content_type, read_disposition
from smime.entity import Entity, Field
from smime.errors import FieldMalformed, MessageMalformed, PartNotSafe

_BLANKS_AT_END: Final = re.compile(rb"(?<![ \t])[ \t]++(?=\r\n)")
_EMPTY_FOLD: Final = re.compile(rb"\r\n(?=\r\n)")
_PARAMETERISED: Final[dict[str, Callable[[bytes], ContentType | Disposition]]] = {
    "content-type": read_content_type,
    "content-disposition": read_disposition,
}
# What is in these is signed or sealed by somebody: not an octet of it may change (RFC 1847 2.1).
_SEALED: Final = frozenset({"multipart/signed", "multipart/encrypted"})


def make_seven_bit_safe(entity: Entity, *, fields: tuple[Field, ...] | None = None) -> tuple[bytes, tuple[str, ...]]:
    """The entity as bytes that no relay alters, with slugs of what was changed for it.

    `fields` are the header fields to keep, by default all. Leaves are encoded anew where their bytes are at risk:
    text in quoted-printable, all else in base64. PartNotSafe where that is not allowed, or would not help: inside
    multipart/signed and multipart/encrypted, in an encoding that is not known, and for header fields with 8-bit
    text or endless lines.
    """
    writing = _Writing()
    made = b"".join(writing.entity(entity, entity.fields if fields is None else fields))
    if not transfer.is_safe(made):
        # Bodies are safe by now, or were refused.
        raise PartNotSafe("a header field of the body or of a part is not ASCII, or has a line without end")
    return made, tuple(dict.fromkeys(writing.changes))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Leaf:
    """A leaf's body as it will be sent, in which encoding, and its Content-Type where that must change."""

    body: bytes
    encoding: str
    content_type: ContentType | None = None


@dataclass(slots=True)
class _Writing:
    """One pass over a tree, which the reader has bounded in depth and size."""

    changes: list[str] = field(default_factory=list)

    def entity(self, entity: Entity, fields: Iterable[Field]) -> Iterable[bytes]:
        """Header, blank line and body; of a part without any of them, nothing."""
        fields = tuple(fields)
        if entity.start == entity.end and not fields:
            return []
        if _is_kept_apart(entity):
            # Whatever its parts were, they are 7-bit now.
            header = self.header(entity, fields, encoding="7bit", content_type=None)
            body = self.sealed(entity) if entity.content_type.media in _SEALED else self.inner(entity)
        else:
            leaf = self.leaf(entity)
            header = self.header(entity, fields, encoding=leaf.encoding, content_type=leaf.content_type)
            body = [leaf.body]
        return [*header, b"\r\n", *body]

    def sealed(self, entity: Entity) -> Iterable[bytes]:
        if not transfer.is_safe(entity.body):
            raise PartNotSafe(f"the part {entity.part} is signed or encrypted, and is not 7-bit safe")
        return [entity.body]

    def inner(self, entity: Entity) -> Iterable[bytes]:
        """The children, with what stands between them as it is."""
        children, raw = entity.children, entity.source.raw
        if not entity.is_multipart:
            return self.entity(children[0], children[0].fields)
        starts = [entity.body_start, *(child.end for child in children)]
        ends = [*(child.start for child in children), entity.end]
        gaps = [raw[start:end] for start, end in zip(starts, ends, strict=True)]
        gaps[0], gaps[-1] = self.preamble(entity, gaps[0]), self.epilogue(entity, gaps[-1])
        pieces = [_BLANKS_AT_END.sub(b"", gaps[0])]
        for child, gap in zip(children, gaps[1:], strict=True):
            pieces += [*self.entity(child, child.fields), _BLANKS_AT_END.sub(b"", gap)]
        return pieces

    def preamble(self, entity: Entity, gap: bytes) -> bytes:
        """What stands before the first part; text that is at risk goes, since nobody sees it (RFC 2046 5.1.1)."""
        if not entity.has_preamble or transfer.is_safe(gap):
            return gap
        self.changes.append("preamble-dropped")
        return b"--" + entity.content_type.get("boundary").encode("ascii") + b"\r\n"

    def epilogue(self, entity: Entity, gap: bytes) -> bytes:
        if not entity.has_epilogue or transfer.is_safe(gap):
            return gap
        self.changes.append("epilogue-dropped")
        return b"\r\n--" + entity.content_type.get("boundary").encode("ascii") + b"--\r\n"

    def leaf(self, entity: Entity) -> _Leaf:
        """(1) keep what is safe (2) decode and encode what is encoded badly (3) encode what is not encoded."""
        encoding = entity.transfer_encoding
        is_identity = encoding in transfer.IDENTITY
        is_text = entity.content_type.type == "text" and entity.is_readable
        body = entity.given_body if encoding == "binary" and not is_text else entity.body
        if transfer.is_safe(body):  # (1)
            return _Leaf(body=body, encoding="7bit" if is_identity else encoding)
        if entity.content_type.media == "message/rfc822" and is_identity:
            raise PartNotSafe(
                f"the forwarded message in part {entity.part} cannot be read, nor encoded (RFC 2046 5.2.1)"
            )
        if not is_identity:  # (2)
            return self.encoded(_decoded(entity), as_text=encoding == "quoted-printable")
        if not is_text or b"\0" in body:  # (3)
            return self.encoded(entity.given_body if encoding == "binary" else body, as_text=False)
        return self.text(entity, body)

    def text(self, entity: Entity, body: bytes) -> _Leaf:
        """Encode text; where its character set is not named, UTF-8 is told by its shape, and nothing is guessed."""
        if body.isascii() or (entity.content_type.get("charset") and entity.get("content-type")):
            return self.encoded(body, as_text=True)
        charset = "utf-8" if _is_utf8(body) else "unknown-8bit"  # RFC 1428 3
        self.changes.append(f"charset-{charset}")
        parameters = MappingProxyType({**entity.content_type.parameters, "charset": charset})
        leaf = self.encoded(body, as_text=charset == "utf-8")
        return replace(leaf, content_type=replace(entity.content_type, parameters=parameters))

    def encoded(self, octets: bytes, *, as_text: bool) -> _Leaf:
        encoding = "quoted-printable" if as_text else "base64"
        self.changes.append(encoding)
        encode = transfer.encode_quoted_printable if as_text else transfer.encode_base64
        return _Leaf(body=encode(octets), encoding=encoding)

    def header(
        self, entity: Entity, fields: Iterable[Field], *, encoding: str, content_type: ContentType | None
    ) -> list[bytes]:
        """The fields in their order, with these two as they must be now: in place, or else at the end."""
        anew: dict[str, bytes] = {}
        if encoding != entity.transfer_encoding:
            anew["content-transfer-encoding"] = b"Content-Transfer-Encoding: " + encoding.encode("ascii") + b"\r\n"
            if encoding == "7bit":
                self.changes.append("7bit")
        if content_type is not None:
            anew["content-type"] = b"Content-Type: " + content_type.encode() + b"\r\n"
        lines = [anew.pop(one.name) if one.name in anew else self.field(one) for one in fields]
        return [*lines, *anew.values()]

    def field(self, one: Field) -> bytes:
        """The field as it is, or written anew where a relay could alter it and its meaning is known."""
        raw = one.raw if one.raw.endswith(b"\r\n") else one.raw + b"\r\n"
        if transfer.is_safe(raw):
            return raw
        self.changes.append("part-header")
        if one.name in _PARAMETERISED and not raw.isascii():
            raw = _parameterised(one)
        return _EMPTY_FOLD.sub(b"", _BLANKS_AT_END.sub(b"", raw))


def outer_fields(entity: Entity) -> tuple[Field, ...]:
    """The header fields that say nothing of the body, and so stay outside of what is signed."""
    return tuple(one for one in entity.fields if not one.name.startswith("content-"))


def inner_fields(entity: Entity) -> tuple[Field, ...]:
    """The header fields that go with the body; there is always a Content-Type (RFC 8551 3.1)."""
    found = tuple(one for one in entity.fields if one.name.startswith("content-") and one.name != "content-length")
    if entity.get("content-type"):
        return found
    return (Field(name="content-type", raw=b"Content-Type: " + TEXT_PLAIN.encode() + b"\r\n"), *found)


def _is_kept_apart(entity: Entity) -> bool:
    """Whether its parts are made safe one by one; message/global may be encoded whole (RFC 6532 3.7)."""
    if entity.content_type.media == "message/global":
        return bool(entity.children) and transfer.is_safe(entity.body)
    return bool(entity.children)


def _decoded(entity: Entity) -> bytes:
    try:
        return transfer.decode(entity.body, encoding=entity.transfer_encoding)
    except MessageMalformed as error:
        place = f"part {entity.part}" if entity.part else "the message"
        raise PartNotSafe(f"the body of {place} cannot be encoded anew: {error.detail}") from error


def _parameterised(one: Field) -> bytes:
    """The field with its 8-bit parameters in ASCII (RFC 2231)."""
    name = one.raw.partition(b":")[0]
    try:
        return name + b": " + _PARAMETERISED[one.name](one.value).encode() + b"\r\n"
    except FieldMalformed as error:
        raise PartNotSafe(f"the field {one.name} has 8-bit text that cannot be encoded") from error


def _is_utf8(octets: bytes) -> bool:
    try:
        octets.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True

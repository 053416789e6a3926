"""Plaintext, the MIME entity that is sealed: a body with the fields that say what it is (RFC 8551 3.1)."""

from __future__ import annotations

from typing import Final

from smime import canonical
from smime.entity import Entity, Field

_BINARY: Final = "binary"


def write_plaintext(entity: Entity) -> bytes:
    """The Content fields of a message and its body, in which nothing is encoded anew."""
    fields = [whole(one) for one in canonical.inner_fields(entity)]
    return b"".join([*fields, b"\r\n", body_of(entity)])


def body_of(entity: Entity) -> bytes:
    """The body with CRLF at every line's end; as it was given where a part of it is binary, which has no lines."""
    waiting = [entity]
    while waiting:
        one = waiting.pop()
        if one.transfer_encoding == _BINARY and not one.children and one.content_type.type != "text":
            return entity.given_body  # RFC 2045 2.9
        waiting.extend(one.children)
    return entity.body


def whole(one: Field) -> bytes:
    """The field with the CRLF that the last line of a message without body may lack."""
    return one.raw if one.raw.endswith(b"\r\n") else one.raw + b"\r\n"

"""Open a sealed mail: find what is sealed in it, and put what was inside in its place (RFC 8551 3.3, 3.4, 3.8)."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from formats.certificate import Certificate
from formats.errors import Malformed, TooLarge
from smime.cms.enveloped import Enveloped, OpeningKey, open_content, read_enveloped
from smime.cms.errors import DecryptionFailed
from smime.entity import Entity, Field, read_entity
from smime.errors import NotEncrypted
from smime.layers import find_layers
from smime.message import Message
from smime.plaintext import body_of, whole
from smime.source import Source

INNER_TAKEN: Final = "inner_fields_taken"
INNER_LEFT_OUT: Final = "inner_fields_left_out"

_CONTROLS: Final = re.compile(rb"[\x00-\x08\x0b\x0e-\x1f\x7f]")

# What people wrote (RFC 5322 3.6.1 to 3.6.5). No trace of the way, and nothing that a mail server vouches for, ever
# comes from inside, where no server has looked.
_WRITTEN: Final = frozenset(
    {"from", "sender", "reply-to", "to", "cc", "date", "message-id", "in-reply-to", "references"}
    | {"subject", "comments", "keywords"}
)


@dataclass(frozen=True, slots=True, kw_only=True)
class SealedMail:
    """A mail whose whole body is sealed; `is_signed_outside` where a signature stands around that."""

    message: Message = field(repr=False)
    enveloped: Enveloped
    is_signed_outside: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenedMail:
    """The mail with its plaintext in place, slugs of what was seen on the way, and whose key opened it."""

    data: bytes = field(repr=False)
    findings: tuple[str, ...]
    certificate: Certificate


def read_sealed(message: Message) -> SealedMail:
    """Find what is sealed: the root, or what lies directly within signatures around it.

    NotEncrypted for everything else, a message with a sealed part or attachment too: such a part is opened as the
    message that it is, by itself. CmsMalformed, CmsTooLarge, TooManyRecipients or ContentCipherRefused where the
    structure cannot be read, or is not read here.
    """
    found = find_layers(message).found
    layers = {layer.part: layer for layer in found if not layer.is_attached}
    part = ""
    while (layer := layers.get(part)) is not None and layer.is_signed and not layer.is_sealed:
        part = f"{part}.1" if part else "1"
    if layer is None or layer.sealed is None:
        is_further_in = any(one.is_sealed for one in found)
        raise NotEncrypted("only a part of the message is sealed" if is_further_in else "the message is not sealed")
    oid, content = layer.sealed
    return SealedMail(message=message, enveloped=read_enveloped(oid, content), is_signed_outside=bool(part))


def open_sealed(sealed: SealedMail, *, keys: Sequence[OpeningKey]) -> OpenedMail:
    """The mail as it was before it was sealed, and before it was signed outside.

    Its Content fields and its body are those of the plaintext (RFC 8551 3.1). Of other fields in there, those that
    people write are taken where the header outside has none of that name; an outer field is never replaced. The
    findings say which of both happened. A forwarded message as plaintext stays one.
    NoKeyForMessage where no key fits; DecryptionFailed for everything that fails inside, a plaintext that is no MIME
    entity too.
    """
    for content in open_content(sealed.enveloped, keys=keys):
        inner = _entity(content.data)
        if inner is not None and content.is_whole:
            return _in_place(sealed, inner, certificate=content.certificate)
    raise DecryptionFailed


def _entity(content: bytes) -> Entity | None:
    """The plaintext as a MIME entity.

    CBC does not prove its content: what one wrong key in 256 opens to must not be told from what others do not.
    """
    try:
        inner = read_entity(Source(content))
    except (Malformed, TooLarge):
        return None
    return None if not inner.fields and _CONTROLS.search(content) else inner


def _in_place(sealed: SealedMail, inner: Entity, *, certificate: Certificate) -> OpenedMail:
    outer = [one for one in sealed.message.fields if not _is_of_the_body(one)]
    taken, findings = _taken(inner, {one.name for one in outer})
    lines = [
        *(whole(one) for one in (*outer, *taken)),
        b"MIME-Version: 1.0\r\n",
        *(whole(one) for one in inner.fields if one.name.startswith("content-")),
    ]
    data = b"".join([*lines, b"\r\n", body_of(inner)])
    return OpenedMail(data=data, findings=findings, certificate=certificate)


def _taken(inner: Entity, present: set[str]) -> tuple[list[Field], tuple[str, ...]]:
    """The inner fields that go up, and findings about them."""
    others = [one for one in inner.fields if not _is_of_the_body(one)]
    counts = Counter(one.name for one in others)
    taken = [one for one in others if one.name in _WRITTEN - present and counts[one.name] == 1]
    findings = (INNER_TAKEN,) if taken else ()
    return taken, (*findings, INNER_LEFT_OUT) if len(others) > len(taken) else findings


def _is_of_the_body(one: Field) -> bool:
    return one.name.startswith("content-") or one.name == "mime-version"

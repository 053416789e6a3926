"""Layers: the signed and the sealed entities of a message, from the outside in (RFC 8551 3)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Final

from formats import oids
from formats.algorithms import Digest, UnsupportedAlgorithm
from formats.ber import MAX_ELEMENTS, BerError, Element, context
from formats.errors import Refusal
from smime import transfer
from smime.binding import Sender
from smime.cms.attributes import read_identifier
from smime.cms.content import read_content_info
from smime.cms.errors import CmsMalformed
from smime.cms.signed import MAX_CERTIFICATES, SignedData, SignerInfo, signed_data
from smime.content_type import has_comments
from smime.entity import Entity
from smime.errors import FromAbsent, FromAmbiguous, FromUnparseable
from smime.message import Message, read_message

MAX_LAYERS: Final = 16
MAX_LEVEL: Final = 8  # opaque signatures within each other
MAX_INNER_ELEMENTS: Final = 20_000  # of a structure further in, so that many cannot cost more than one at the root

MALFORMED: Final = "signature_malformed"
UNLOOKED: Final = "signatures_not_looked_at"

_SIGNATURE: Final = re.compile(r"application/(x-)?pkcs7-signature")
_MIME: Final = re.compile(r"application/(x-)?pkcs7-mime")
_NAME: Final = re.compile(r".*\.p7[mscz]", re.IGNORECASE | re.DOTALL)
_SEALED: Final = frozenset({oids.ENVELOPED_DATA, oids.AUTH_ENVELOPED_DATA, oids.ENCRYPTED_DATA})


@dataclass(frozen=True, slots=True, kw_only=True)
class Layer:
    """One entity that is signed or sealed, or looks it.

    `part` is its number in the message, "" for the root. `content` is what the signature covers, None where that is
    missing. `is_attached`: it belongs to a message attached to this one, whose sender then is meant. `sealed` is the
    content type and the content of what is sealed. `reasons` keep it from being valid whoever its signers are.
    """

    part: str
    sender: Sender
    is_attached: bool = False
    is_sealed: bool = False
    sealed: tuple[str, Element] | None = field(default=None, repr=False)
    content: bytes | None = None
    data: SignedData | None = None
    reasons: tuple[str, ...] = ()
    findings: tuple[str, ...] = ()

    @property
    def signers(self) -> tuple[SignerInfo, ...]:
        """Its signers in their order."""
        return self.data.signers if self.data is not None else ()

    @property
    def is_signed(self) -> bool:
        """Whether it claims to be signed: certificates alone, or no signers, claim nothing."""
        return bool(self.signers or self.reasons)


@dataclass(frozen=True, slots=True, kw_only=True)
class Layers:
    """The layers of a message, outer ones before those within them, and what else was seen."""

    found: tuple[Layer, ...]
    findings: tuple[str, ...] = ()


class _Unlooked(Exception):
    """The certificates of a structure are more than are left for its message."""


@dataclass(slots=True, kw_only=True)
class _Budget:
    """How many certificates of one message may still be read, repeated and malformed ones included."""

    certificates: int = MAX_CERTIFICATES

    def take(self, count: int) -> None:
        if count > MAX_CERTIFICATES:  # refused by the reader, which then reads none
            return
        if count > self.certificates:
            raise _Unlooked
        self.certificates -= count


@dataclass(frozen=True, slots=True, kw_only=True)
class _Place:
    """An entity that is still to be looked at; `level` counts the opaque signatures around it."""

    entity: Entity
    sender: Sender
    prefix: str = ""
    is_attached: bool = False
    level: int = 0
    budget: _Budget = field(default_factory=_Budget)

    @property
    def part(self) -> str:
        return ".".join(number for number in (self.prefix, self.entity.part) if number)

    @property
    def is_root(self) -> bool:
        return not self.part

    @property
    def max_elements(self) -> int:
        return MAX_ELEMENTS if self.is_root else MAX_INNER_ELEMENTS

    def layer(self, *, findings: tuple[str, ...] = (), reasons: tuple[str, ...] = ()) -> Layer:
        return Layer(
            part=self.part, sender=self.sender, is_attached=self.is_attached, findings=findings, reasons=reasons
        )


def find_layers(message: Message) -> Layers:
    """Find every layer, through parts, attached messages and opaque signatures.

    All of them share 64 certificates: the search ends at the first that holds more than are left.
    A signature at the root that cannot be read is an error: CmsMalformed, or one of size. One further in is a layer
    that is malformed, since the message around it can be read.
    """
    found: list[Layer] = []
    findings: list[str] = []
    waiting = [_Place(entity=message.root, sender=sender_of(message))]
    while waiting:
        place = waiting.pop()
        if len(found) >= MAX_LAYERS or place.level > MAX_LEVEL:
            findings.append(UNLOOKED)
            break
        try:
            layer = _open(place)
        except _Unlooked:
            findings.append(UNLOOKED)
            break
        except Refusal:
            if place.is_root:
                raise
            layer = place.layer(reasons=(MALFORMED,))
        if layer is not None:
            found.append(layer)
        waiting.extend(reversed(list(_inside(place, layer))))
    return Layers(found=tuple(found), findings=tuple(findings))


def sender_of(message: Message) -> Sender:
    """The From mailboxes of a message, or why there are none to rely on."""
    try:
        return Sender(mailboxes=message.senders())
    except (FromAbsent, FromAmbiguous, FromUnparseable) as error:
        return Sender(fault=error.code)


def _inside(place: _Place, layer: Layer | None) -> Iterator[_Place]:
    """What lies within a place: parts, an attached message with a sender of its own, or the content of a signature."""
    entity = place.entity
    if _is_detached(entity):  # what stands beside the signed part is no content
        yield from (replace(place, entity=child) for child in entity.children[:1])
    elif entity.is_forwarded:
        for child in entity.children:
            yield replace(place, entity=child, sender=sender_of(Message(child)), is_attached=True)
    elif entity.children:
        yield from (replace(place, entity=child) for child in entity.children)
    elif layer is not None and layer.content:
        try:
            inner = read_message(layer.content).root
        except Refusal:  # a signature over what is no MIME entity is still one
            return
        prefix = f"{place.part}.1" if place.part else "1"
        yield replace(place, entity=inner, prefix=prefix, level=place.level + 1)


def _open(place: _Place) -> Layer | None:
    """The layer that an entity is, if it is one."""
    entity = place.entity
    if _is_detached(entity):
        return _detached(place)
    if entity.content_type.media == "multipart/signed":
        return place.layer(findings=("signature_of_another_kind",))  # such as OpenPGP's, RFC 3156
    if _MIME.fullmatch(entity.content_type.media):
        return _opaque(place, findings=_x_type(entity, _MIME))
    if entity.content_type.media == "application/octet-stream" and _NAME.fullmatch(entity.filename):
        return _opaque_by_name(place)
    return None


# --- multipart/signed (RFC 1847 2.1, RFC 8551 3.5.3) -------------------------------------------------------------------
def _is_detached(entity: Entity) -> bool:
    """Whether this is multipart/signed of our kind, by its protocol or, since that may be wrong, by a part."""
    if entity.content_type.media != "multipart/signed":
        return False
    return bool(_SIGNATURE.fullmatch(_protocol(entity))) or any(map(_is_signature, entity.children[1:]))


def _detached(place: _Place) -> Layer:
    """The signature is always held against the first part: content inside it is refused (CVE-2018-18509)."""
    entity = place.entity
    findings = [*_surroundings(entity), *_x_type(entity, _SIGNATURE)]
    if len(entity.children) != 2:
        return place.layer(findings=(*findings, "parts_not_two"), reasons=(MALFORMED,))
    signed, signature = entity.children
    if not _is_labelled(signature):
        return place.layer(findings=tuple(findings), reasons=(MALFORMED,))
    oid, content = read_content_info(_octets(signature), max_elements=place.max_elements)
    if oid != oids.SIGNED_DATA:
        raise CmsMalformed(f"expected signed data, found the content type {oid}")
    data = _signed_data(place, content)
    if data.signers and not _micalg_fits(entity, data):
        findings.append("micalg_differs")
    if not data.signers:
        return replace(place.layer(findings=(*findings, "no_signers")), data=data)
    layer = replace(place.layer(findings=tuple(findings)), data=data, content=signed.raw)
    if data.content is not None:
        return replace(layer, findings=(*findings, "content_in_detached_signature"), reasons=(MALFORMED,))
    return layer


def _is_signature(entity: Entity) -> bool:
    media = entity.content_type.media
    if media == "application/octet-stream":
        return entity.filename.lower().endswith(".p7s")
    return bool(_SIGNATURE.fullmatch(media))


def _is_labelled(entity: Entity) -> bool:
    """Whether no mail program shows a signature as text: what its unsigned attributes hold could be HTML."""
    if not entity.is_readable or any(has_comments(found.value) for found in entity.get("content-type")):
        return False
    media = entity.content_type.media
    if media == "application/octet-stream" or _MIME.fullmatch(media):
        names = (entity.filename, entity.content_type.get("name"))
        return any(name.strip().lower().endswith((".p7s", ".p7m")) for name in names)
    return bool(_SIGNATURE.fullmatch(media))


def _protocol(entity: Entity) -> str:
    return entity.content_type.get("protocol").strip().lower()


def _surroundings(entity: Entity) -> Iterator[str]:
    if entity.has_preamble:
        yield "preamble"
    if entity.has_epilogue:
        yield "epilogue"


def _x_type(entity: Entity, expected: re.Pattern[str]) -> tuple[str, ...]:
    """The old names and wrong ones are told and do no harm (RFC 8551 3.2, messages of many gateways)."""
    detached = expected is _SIGNATURE
    names = [_protocol(entity)] if detached else [entity.content_type.media]
    names += [child.content_type.media for child in entity.children[1:2]] if detached else []
    if any(expected.fullmatch(name) is None for name in names):
        return ("content_type_odd",)
    return ("content_type_old",) if any("/x-" in name for name in names) else ()


def _micalg_fits(entity: Entity, data: SignedData) -> bool:
    """Whether micalg names the digests of the signers; it is advice for readers in one pass (RFC 8551 3.5.3.2)."""
    named = {name.strip().lower().replace("-", "") for name in entity.content_type.get("micalg").split(",")}
    return named == {""} or named == {_digest_name(signer) for signer in data.signers}


def _digest_name(signer: SignerInfo) -> str:
    try:
        return Digest.by_oid(read_identifier(signer.digest)[0]).value
    except (BerError, UnsupportedAlgorithm):
        return "unknown"


# --- application/pkcs7-mime (RFC 8551 3.2, 3.5.2) ----------------------------------------------------------------------
def _opaque(place: _Place, *, findings: tuple[str, ...]) -> Layer:
    """What the CMS says it is counts, not smime-type, which nothing protects."""
    oid, content = read_content_info(_octets(place.entity), max_elements=place.max_elements)
    if oid in _SEALED:
        return replace(place.layer(findings=findings), is_sealed=True, sealed=(oid, content))
    if oid == oids.COMPRESSED_DATA:
        return place.layer(findings=(*findings, "compressed"))
    if oid != oids.SIGNED_DATA:
        raise CmsMalformed(f"a message of the content type {oid}")
    data = _signed_data(place, content)
    layer = replace(place.layer(findings=findings), data=data, content=data.content)
    if not data.signers:
        return replace(layer, findings=(*findings, "certificates_only"))
    if data.content is None:
        return replace(layer, findings=(*findings, "content_missing"), reasons=(MALFORMED,))
    return layer


def _opaque_by_name(place: _Place) -> Layer:
    """A file that is named like a signature is one only if it reads as one and holds its content."""
    try:
        layer = _opaque(place, findings=("recognised_by_name",))
    except Refusal:
        return place.layer(findings=("named_like_a_signature",))
    if not (layer.is_sealed or layer.content is not None):
        return place.layer(findings=("named_like_a_signature",))
    return layer


def _signed_data(place: _Place, content: Element) -> SignedData:
    place.budget.take(sum(len(child.children) for child in content.children if child.tag == context(0)))
    return signed_data(content)


def _octets(entity: Entity) -> bytes:
    """The CMS bytes; without a transfer encoding a bare LF in them is no line break."""
    if entity.transfer_encoding in transfer.IDENTITY:
        return entity.given_body
    return entity.decoded_body()

"""Verify a message: read what it claims, then judge that by what the caller trusts (RFC 8551, RFC 8550)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import timedelta
from enum import StrEnum
from typing import Final

from formats.certificate import Certificate
from formats.errors import Refusal
from formats.mailbox import Mailbox
from smime import binding, layers
from smime.binding import Sender
from smime.cms.signatures import Content
from smime.cms.signed import SignerInfo
from smime.entity import Entity
from smime.errors import FieldMalformed
from smime.headers import names_another_address
from smime.judgement import Bench, judge_signer, with_findings
from smime.layers import Layer
from smime.message import Message, read_message
from smime.report import Coverage, NestedReport, Report, SignerReport, Verdict, verdict_of, wire, worst_first
from smime.trust import Trust

# Thunderbird distrusts a signature whose time is further from Date than this.
DATE_TOLERANCE: Final = timedelta(hours=1)

_OUTER_FIELDS: Final = frozenset({"from", "sender", "reply-to", "to", "cc", "date", "subject", "message-id"})


class Kind(StrEnum):
    """What a message is on the outside."""

    SIGNED = "signed"
    ENCRYPTED = "encrypted"
    UNSIGNED = "unsigned"


@dataclass(frozen=True, slots=True, kw_only=True)
class Opened:
    """A message that was read; nothing of it is judged yet.

    `layer` is the outermost signature, `nested` are those further in or in attached messages. `certificates` are
    all that the message brings.
    """

    message: Message
    kind: Kind
    sender: Sender
    layer: Layer | None
    nested: tuple[Layer, ...]
    findings: tuple[str, ...]

    @property
    def senders(self) -> tuple[Mailbox, ...]:
        """The From mailboxes, none where the field cannot be relied on."""
        return self.sender.mailboxes

    @property
    def signers(self) -> tuple[SignerInfo, ...]:
        """The signers of the outermost signature."""
        return self.layer.signers if self.layer is not None else ()

    @property
    def certificates(self) -> tuple[Certificate, ...]:
        """The certificates in all signatures, each once."""
        signed = [*([self.layer] if self.layer is not None else []), *self.nested]
        found = [one for layer in signed if layer.data is not None for one in layer.data.certificates]
        return tuple(dict.fromkeys(found))

    @property
    def wanted_status(self) -> tuple[Certificate, ...]:
        """The certificates whose status would help the judgement."""
        return self.certificates


def read(message: Message) -> Opened:
    """Find what is signed, by whom it claims to be, and what it brings along.

    CmsMalformed, CmsTooLarge or BerTooLarge where the signature at the root cannot be read; MessageMalformed where
    its transfer encoding is broken.
    """
    found = layers.find_layers(message)
    signed = [layer for layer in found.found if layer.is_signed]
    outer = min((layer for layer in signed if not layer.is_attached), key=_depth, default=None)
    findings = [finding for layer in found.found if not layer.is_signed for finding in layer.findings]
    sealed = [layer for layer in found.found if layer.is_sealed]
    sender = layers.sender_of(message)
    if sender.mailboxes and names_another_address(message.root.get("from")[0].value, sender.mailboxes):
        findings.append("display_name_is_address")
    kind = Kind.SIGNED if outer is not None else Kind.UNSIGNED
    if any(not layer.part for layer in sealed):
        kind = Kind.ENCRYPTED
    elif sealed:
        findings.append("encrypted_part")
    return Opened(
        message=message,
        kind=kind,
        sender=sender,
        layer=outer,
        nested=tuple(layer for layer in signed if layer is not outer),
        findings=tuple(dict.fromkeys((*found.findings, *findings))),
    )


def judge(opened: Opened, *, trust: Trust) -> Report:
    """Judge a message: the verdict is that of its outermost signature, for the whole message and its sender.

    (1) every signer by itself
    (2) whether they are who the message is from
    (3) whether all of the message is signed
    (4) the worst of it is the verdict
    (5) signatures further in are told, and change nothing
    """
    bench = Bench(trust=trust)
    layer = opened.layer
    if layer is None:
        return _unsigned(opened, bench)
    found = _judge_layer(layer, bench, findings=_date_findings(opened.message, layer))  # (1), (2)
    coverage = Coverage.PARTIAL if layer.part else Coverage.FULL  # (3)
    reasons = worst_first((*found.reasons, *(["coverage_partial"] if layer.part else [])))
    return Report(
        verdict=verdict_of(reasons),  # (4)
        reasons=reasons,
        senders=opened.senders,
        coverage=coverage,
        signed_part=layer.part,
        nested=tuple(_judge_layer(nested, bench) for nested in opened.nested),  # (5)
        signers=found.signers,
        findings=tuple(dict.fromkeys((*opened.findings, *layer.findings))),
        checked_at=trust.now,
        policy=_policy(trust),
    )


def signed_bytes(opened: Opened) -> bytes:
    """The message as it was signed: the outer address, date and subject fields, then the signed entity.

    Fields of these names inside the entity are left out, since the sender that was judged is the outer one. Empty
    where nothing is signed.
    """
    layer = opened.layer
    if layer is None or layer.content is None:
        return b""
    outer = b"".join(_line(field.raw) for field in opened.message.fields if field.name in _OUTER_FIELDS)
    try:
        inner: Entity | None = read_message(layer.content).root
    except Refusal:
        inner = None
    if inner is None or not inner.fields:
        return outer + b"MIME-Version: 1.0\r\n\r\n" + layer.content.removeprefix(b"\r\n")
    if not any(field.name == "mime-version" for field in inner.fields):
        outer += b"MIME-Version: 1.0\r\n"
    return outer + _without_outer_fields(inner, layer.content)


def _unsigned(opened: Opened, bench: Bench) -> Report:
    encrypted = opened.kind is Kind.ENCRYPTED
    return Report(
        verdict=Verdict.INDETERMINATE if encrypted else Verdict.NOT_SIGNED,
        reasons=("message_encrypted",) if encrypted else (),
        senders=opened.senders,
        coverage=Coverage.NONE,
        signed_part=None,
        nested=tuple(_judge_layer(nested, bench) for nested in opened.nested),
        signers=(),
        findings=opened.findings,
        checked_at=bench.trust.now,
        policy=_policy(bench.trust),
    )


def _judge_layer(layer: Layer, bench: Bench, *, findings: Iterable[str] = ()) -> NestedReport:
    """Judge the signers of one signature and bind them to its sender."""
    reports: list[SignerReport] = []
    if layer.data is not None and layer.content is not None:
        content = Content(layer.content, content_type=layer.data.content_type)
        certificates = layer.data.certificates
        reports = [
            judge_signer(info, content=content, certificates=certificates, bench=bench) for info in layer.signers
        ]
    bound = binding.unchecked(len(reports))
    if bench.trust.options.address_binding != "off":
        bound = binding.bind(layer.sender, [report.certificate for report in reports])
    seen = (*layer.findings, *_bag_findings(layer), *findings)
    signers = tuple(
        replace(with_findings(report, seen), address_binding=one)
        for report, one in zip(reports, bound.signers, strict=True)
    )
    reasons = [reason for report in reports for reason in report.reasons]
    reasons = [*layer.reasons, *reasons, *(bound.reasons if reports else ())]
    return NestedReport(
        part=layer.part,
        verdict=verdict_of(reasons),
        reasons=worst_first(reasons),
        senders=layer.sender.mailboxes,
        signers=signers,
    )


def _bag_findings(layer: Layer) -> Iterable[str]:
    if layer.data is not None and layer.data.skipped:
        yield "certificate_unreadable"
    if layer.data is not None and layer.data.crls:
        yield "crls_not_used"  # whoever sends a message does not say whether its certificate is revoked


def _date_findings(message: Message, layer: Layer) -> Iterable[str]:
    try:
        date = message.date()
    except FieldMalformed:
        date = None
    times = [info.signed_attributes.signing_time for info in layer.signers if info.signed_attributes is not None]
    if date is not None and any(time is not None and abs(time - date) > DATE_TOLERANCE for time in times):
        yield "signing_time_off_date"


def _depth(layer: Layer) -> int:
    return len(layer.part.split(".")) if layer.part else 0


def _policy(trust: Trust) -> dict[str, object]:
    return {**trust.options.as_json(), "at": wire(trust.at)}


def _without_outer_fields(inner: Entity, content: bytes) -> bytes:
    if not any(field.name in _OUTER_FIELDS for field in inner.fields):
        return content
    kept = b"".join(_line(field.raw) for field in inner.fields if field.name not in _OUTER_FIELDS)
    return kept + b"\r\n" + inner.given_body


def _line(raw: bytes) -> bytes:
    return raw if raw.endswith(b"\r\n") else raw + b"\r\n"

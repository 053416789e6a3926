"""Trust: whom a verification believes, and what our own records say about the certificates in question."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Final

from db import audit, certificates
from db.certificates import CertificateRow
from db.engine import Read
from formats import pem
from formats.certificate import Certificate
from formats.errors import TooLarge
from formats.serial import Serial
from services.context import Context
from services.errors import OptionsRefused
from smime.path.chains import Anchor
from smime.path.evidence import Evidence, StatusRecord
from smime.trust import Options, TimeRecord, Trust
from smime.verify import Opened

PARTS: Final = 1000
POLICIES: Final = 100
PARTS_OCTETS: Final = 32 * 1024 * 1024


class TooMuchEvidence(TooLarge):
    """More trust material than one verification may bring."""

    code = "too_much_evidence"
    hint = "send at most 1,000 parts and 32 MiB of anchors, intermediates and CRLs together"


@dataclass(frozen=True, slots=True, kw_only=True)
class Given:
    """Trust material that a caller brings: PEM or DER, several objects per part allowed."""

    anchors: tuple[bytes, ...] = ()
    intermediates: tuple[bytes, ...] = ()
    crls: tuple[bytes, ...] = ()
    at: datetime | None = None
    options: str | None = None

    @property
    def is_custom(self) -> bool:
        """Whether anything was given, which needs the scope messages:verify-custom."""
        return self != Given()


def gather(context: Context, opened: Opened, *, given: Given) -> Trust:
    """The trust for one message: given anchors replace our own, and our records speak for our certificates only."""
    _refuse_too_much(given)
    now = context.clock()
    ours = context.issuers.issuing.chain
    anchors = _certificates(given.anchors) or [context.issuers.root]
    intermediates = [*_certificates(given.intermediates), *ours[:-1]]
    with context.database.read() as read:
        records = _status_records(read, context, opened)
        times = _time_records(read, context, opened)
    return Trust(
        anchors=tuple(Anchor.of(certificate) for certificate in anchors),
        intermediates=tuple(intermediates),
        evidence=Evidence(crls=tuple(_crls(given.crls)), records=tuple(records)),
        at=given.at or now,
        now=now,
        options=read_options(given.options),
        records_of_time=tuple(times),
    )


def read_options(text: str | None) -> Options:
    """The verification options from their JSON form; OptionsRefused names the member that is wrong."""
    members = _members(text) if text is not None else {}
    known = {field.name for field in fields(Options)}
    for name in members.keys() - known:
        raise _refused(name)
    return Options(
        address_binding=_choice(members, "address_binding", ("required", "off")),
        revocation=_choice(members, "revocation", ("hard", "soft", "off")),
        require_email_eku=_flag(members, "require_email_eku", default=True),
        policies=_policies(members),
        require_explicit_policy=_flag(members, "require_explicit_policy", default=False),
        inhibit_policy_mapping=_flag(members, "inhibit_policy_mapping", default=False),
        inhibit_any_policy=_flag(members, "inhibit_any_policy", default=False),
    )


def _members(text: str) -> dict[str, object]:
    try:
        members = json.loads(text)
    except (ValueError, RecursionError):
        raise OptionsRefused("the options are not JSON", pointers=("/options",)) from None
    if not isinstance(members, dict):
        raise OptionsRefused("the options are not a JSON object", pointers=("/options",))
    return members


def _choice(members: Mapping[str, object], name: str, choices: tuple[str, ...]) -> str:
    value = members.get(name, choices[0])
    if not isinstance(value, str) or value not in choices:
        raise _refused(name)
    return value


def _flag(members: Mapping[str, object], name: str, *, default: bool) -> bool:
    value = members.get(name, default)
    if not isinstance(value, bool):
        raise _refused(name)
    return value


def _policies(members: Mapping[str, object]) -> tuple[str, ...]:
    value = members.get("policies", [])
    if not isinstance(value, list) or len(value) > POLICIES:
        raise _refused("policies")
    policies = tuple(entry for entry in value if isinstance(entry, str))
    if len(policies) < len(value):
        raise _refused("policies")
    return policies


def _refused(name: str) -> OptionsRefused:
    return OptionsRefused(f"unknown option or wrong value: {name[:40]!r}", pointers=(f"/options/{name[:40]}",))


def _refuse_too_much(given: Given) -> None:
    parts = [*given.anchors, *given.intermediates, *given.crls]
    if len(parts) > PARTS or sum(map(len, parts)) > PARTS_OCTETS:
        raise TooMuchEvidence("more than 1,000 parts or 32 MiB of trust material")


def _certificates(parts: Iterable[bytes]) -> list[Certificate]:
    return [certificate for part in parts for certificate in Certificate.read_many(part)]


def _crls(parts: Iterable[bytes]) -> list[bytes]:
    return [der for part in parts for der in pem.unwrap(part, "X509 CRL")]


def _status_records(read: Read, context: Context, opened: Opened) -> list[StatusRecord]:
    """What we know of the wanted certificates that name one of our authorities as issuer.

    Whether they really are ours is for the path to find out: a record counts only below the issuer that it names.
    """
    root, issuing = context.issuers.root, context.issuers.issuing.certificate
    wanted = [one for one in opened.wanted_status if one.issuer_der == issuing.subject_der]
    rows = {row.serial: row for row in certificates.find_many(read, [str(one.serial) for one in wanted])}
    records = [_record(issuing, one, rows.get(str(one.serial))) for one in wanted]
    return [*records, StatusRecord(issuer_sha256=root.sha256, serial=issuing.serial, status="good")]


def _record(issuer: Certificate, certificate: Certificate, row: CertificateRow | None) -> StatusRecord:
    if row is None or row.state == "intended":
        return StatusRecord(issuer_sha256=issuer.sha256, serial=certificate.serial, status="unknown")
    if row.revoked_at is None:
        return StatusRecord(issuer_sha256=issuer.sha256, serial=certificate.serial, status="good")
    return StatusRecord(
        issuer_sha256=issuer.sha256,
        serial=certificate.serial,
        status="revoked",
        reason=row.reason,
        revoked_at=row.revoked_at,
        invalidity_date=row.invalidity_date,
    )


def _time_records(read: Read, context: Context, opened: Opened) -> list[TimeRecord]:
    """The moments at which we made the signatures in this message, by our own durable record of them."""
    issuer = context.issuers.issuing.certificate.subject_der
    digests = [hashlib.sha256(signer.signature).hexdigest() for signer in opened.signers]
    return [
        TimeRecord(
            signature_sha256=row.signature_sha256 or "",
            content_sha256=str(row.details.get("content_sha256")),
            serial=Serial.parse(row.object_id),
            issuer_der=issuer,
            at=row.at,
        )
        for row in audit.by_signature(read, digests)
        if row.object_id is not None
    ]

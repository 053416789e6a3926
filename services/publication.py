"""Signs what tells the world a certificate's status: CRLs and OCSP answers."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.ocsp import OCSPRequestBuilder

from ca import crl, ocsp
from ca.errors import OcspRequestMalformed
from ca.lint import require_clean
from ca.ocsp import Good, OcspRequest, Revoked, Status
from ca.reasons import Reason
from db import certificates, crls, jobs, private_keys
from db.certificates import CertificateRow
from db.crls import CrlRow
from db.engine import Read, Write
from db.jobs import Lease
from db.private_keys import PrivateKeyRow
from formats.algorithms import KeyKind
from formats.certificate import Certificate, known
from formats.serial import Serial
from keys import software
from keys.software import PrivateKey
from services import audit, custody, intents
from services.access import Principal
from services.context import Context
from services.intents import Draft

# Clocks of readers run late: what was signed now counts from five minutes ago.
BACKDATE: Final = timedelta(minutes=5)
CRL_SPAN: Final = timedelta(hours=48)
CRL_EVERY: Final = timedelta(hours=12)
LINTED_ENTRIES: Final = 20
OCSP_SPAN: Final = timedelta(hours=24)
DELEGATE_DAYS: Final = 30
DELEGATE_CHECK_EVERY: Final = timedelta(hours=6)


@dataclass(frozen=True, slots=True, kw_only=True)
class OcspAnswer:
    """A DER OCSP response; the times are None for an unsigned error."""

    der: bytes
    this_update: datetime | None = None
    next_update: datetime | None = None


def publish_crl(context: Context, principal: Principal, *, lease: Lease) -> int:
    """Sign and store the issuing CA's next CRL; returns its number.

    The number is taken under a lock before the entries are read, so that numbers rise, never fork, and a higher one
    never holds less (RFC 5280 5.2.3). A job whose lease has run out publishes nothing.
    """
    issuer = context.issuers.issuing
    with context.database.write() as write:
        number = crls.next_number(write, issuer.id)
        now = context.clock()
        jobs.confirm(write, lease, now=now)
        this_update, next_update = now - BACKDATE, now - BACKDATE + CRL_SPAN
        # RFC 5280 3.3: an entry stays until one CRL was issued after the certificate's end.
        entries = certificates.crl_entries(write, issuer.id, not_expired_since=now - CRL_SPAN)
        der = _signed_crl(context, entries, number=number, this_update=this_update, next_update=next_update)
        row = CrlRow(
            authority_id=issuer.id,
            number=number,
            this_update=this_update,
            next_update=next_update,
            der=der,
            created_at=now,
        )
        crls.insert(write, row)
        audit.insert(
            write,
            audit.entry(
                principal,
                at=now,
                action="crl.published",
                object_kind="authority",
                object_id=issuer.id,
                details={"number": number, "entries": len(entries), "sha256": hashlib.sha256(der).hexdigest()},
            ),
        )
    return number


def _signed_crl(
    context: Context, entries: list[bytes], *, number: int, this_update: datetime, next_update: datetime
) -> bytes:
    """The CRL, linted with its newest entries: pkilint takes half a millisecond for each, and they are alike."""
    issuer = context.issuers.issuing

    def build(some: list[bytes]) -> bytes:
        return crl.build_crl(
            some,
            number=number,
            issuer=issuer.certificate,
            key=issuer.key,
            this_update=this_update,
            next_update=next_update,
        )

    der = build(entries)
    require_clean(
        context.issuers.linter.crl(der if len(entries) <= LINTED_ENTRIES else build(entries[-LINTED_ENTRIES:]))
    )
    return der


def answer_ocsp(context: Context, authority_id: str, request: bytes) -> OcspAnswer:
    """Answer one OCSP request from the row, signed by the delegate; never raises for what was sent.

    `unauthorized` for another issuer's certificates and for serials that we never issued (RFC 9919 3.2.3).
    """
    issuer = context.issuers.issuing
    try:
        asked = ocsp.read_ocsp_request(request)
    except OcspRequestMalformed:
        return OcspAnswer(der=ocsp.error_answer("malformed"))
    if authority_id != issuer.id or not ocsp.matches(asked, issuer.certificate):
        return OcspAnswer(der=ocsp.error_answer("unauthorized"))
    now = context.clock()
    with context.database.read(timeout=1.0) as read:
        status = _status(read, issuer.id, asked.serial)
        delegate = certificates.current_delegate(read, issuer.id, now)
        key_row = private_keys.find(read, delegate.key_id) if delegate and delegate.key_id else None
    if status is None:
        return OcspAnswer(der=ocsp.error_answer("unauthorized"))
    if delegate is None or key_row is None:
        return OcspAnswer(der=ocsp.error_answer("try_later"))
    return _signed(context, asked, status, delegate=delegate, key_row=key_row, now=now)


def _status(read: Read, issuer_id: str, serial: Serial) -> Status | None:
    row = certificates.status_of(read, issuer_id, str(serial))
    if row is None or row.state == "intended":
        return None
    if row.revoked_at is None:
        return Good()
    return Revoked(at=row.revoked_at, reason=Reason(row.reason) if row.reason else None)


def _signed(
    context: Context,
    asked: OcspRequest,
    status: Status,
    *,
    delegate: CertificateRow,
    key_row: PrivateKeyRow,
    now: datetime,
) -> OcspAnswer:
    certificate = known(delegate.certificate or b"")
    return _build(asked, status, delegate=certificate, key=custody.key_of(context.vault, key_row), now=now)


def _build(asked: OcspRequest, status: Status, *, delegate: Certificate, key: PrivateKey, now: datetime) -> OcspAnswer:
    this_update = now - BACKDATE
    next_update = min(this_update + OCSP_SPAN, delegate.not_after)
    der = ocsp.build_ocsp_answer(
        asked,
        status,
        delegate=delegate,
        key=key,
        this_update=this_update,
        next_update=next_update,
        produced_at=now,
    )
    return OcspAnswer(der=der, this_update=this_update, next_update=next_update)


def is_ready(context: Context) -> bool:
    """Whether status can be told: there are a current CRL and an OCSP delegate."""
    now = context.clock()
    with context.database.read(timeout=1.0) as read:
        current = crls.current(read, context.issuers.issuing.id, now)
        delegate = certificates.current_delegate(read, context.issuers.issuing.id, now)
    return current is not None and current.next_update > now and delegate is not None


def renew_delegate(context: Context, principal: Principal, *, lease: Lease) -> bool:
    """Make a new OCSP delegate once two thirds of the current one's life are over; True if one was made."""
    issuer = context.issuers.issuing
    now = context.clock()
    with context.database.read() as read:
        current = certificates.current_delegate(read, issuer.id, now)
    if current is not None and now < current.not_before + (current.not_after - current.not_before) * 2 / 3:
        return False
    draft, key_row = draft_delegate(context)

    def under_lease(write: Write) -> None:
        jobs.confirm(write, lease, now=context.clock())
        private_keys.insert(write, key_row)

    intents.issue_together(context, principal, [draft], with_intent=under_lease)
    return True


def draft_delegate(context: Context) -> tuple[Draft, PrivateKeyRow]:
    """A new P-256 key for OCSP answers, sealed, with its prepared certificate; a first answer with both is linted."""
    issuer = context.issuers.issuing
    key = software.generate(KeyKind.P256)
    prepared = issuer.prepare_delegate(
        key.public_key(), serial=Serial.random(), now=context.clock(), days=DELEGATE_DAYS
    )
    _lint_first_answer(context, Certificate.from_der(prepared.lookalike), key)
    key_row = custody.seal(
        context.vault, key, kind=KeyKind.P256, owner=f"authority:{issuer.id}", purpose="ocsp", now=context.clock()
    )
    draft = Draft(
        prepared=prepared,
        profile="ocsp",
        use="sign",
        mailboxes=(),
        spki_sha256=key_row.spki_sha256,
        proof=intents.OWN,
        key_id=key_row.id,
    )
    return draft, key_row


def _lint_first_answer(context: Context, delegate: Certificate, key: PrivateKey) -> None:
    """Refuse with LintRefused a delegate whose answers would break a rule; linting every answer would cost too much."""
    issuer = context.issuers.issuing.certificate
    builder = OCSPRequestBuilder().add_certificate(delegate.x509, issuer.x509, SHA256())
    asked = ocsp.read_ocsp_request(builder.build().public_bytes(Encoding.DER))
    answer = _build(asked, Good(), delegate=delegate, key=key, now=context.clock())
    require_clean(context.issuers.linter.ocsp(answer.der))

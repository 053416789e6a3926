"""What the tests of the services do and look up again and again."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields, replace
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import ocsp

from ca.issuance import Issuer, Prepared
from db import audit, certificates, crls
from db.audit import AuditRow
from db.certificates import CertificateRow
from formats.certificate import Certificate
from formats.mailbox import Mailbox
from formats.serial import Serial
from services import certificates as issuing
from services import identities, publication, revocation
from services.access import Principal
from services.certificates import CertificateView, Order
from services.identities import IdentityView
from services.revocation import Cause
from tests.campus import Campus, csr


class Ended(Exception):
    """Stands for a process that ends here."""


class _Ending(Issuer):
    """An issuer whose process ends when it is to sign."""

    def issue(self, prepared: Prepared) -> Certificate:
        raise Ended(prepared.serial)


class _Slow(Issuer):
    """An issuer that signs, and something happens before the certificate is stored."""

    __slots__ = ("meanwhile",)
    meanwhile: Callable[[], object]

    def issue(self, prepared: Prepared) -> Certificate:
        signed = Issuer.issue(self, prepared)
        self.meanwhile()
        return signed


ALICE = "alice@campus.example"
NOTICES = Mailbox.parse("notices@campus.example")


def ending(campus: Campus) -> Campus:
    """The same campus in a process that ends when it is to sign."""
    return _with_issuer(campus, _Ending)


def slow(campus: Campus, meanwhile: Callable[[], object]) -> Campus:
    """The same campus, where something happens between signing and storing."""
    slowed = _with_issuer(campus, _Slow)
    object.__setattr__(slowed.context.issuers.issuing, "meanwhile", meanwhile)  # it is frozen
    return slowed


def _with_issuer(campus: Campus, kind: type[Issuer]) -> Campus:
    held = campus.context.issuers.issuing
    issuer = kind(**{field.name: getattr(held, field.name) for field in fields(held) if field.init})
    issuers = replace(campus.context.issuers, issuing=issuer)
    return replace(campus, context=replace(campus.context, issuers=issuers))


def interrupted(campus: Campus, **asked: Any) -> str:
    """Begin to issue and end before the signature; the serial that is left behind."""
    before = {row.serial for row in rows(campus, "intended")}
    with pytest.raises(Ended):
        issue(ending(campus), **asked)
    (serial,) = {row.serial for row in rows(campus, "intended")} - before
    return serial


def issue(
    campus: Campus,
    mailbox: str = ALICE,
    *,
    by: Principal | None = None,
    order: Order | None = None,
    idempotency_key: str | None = None,
) -> CertificateView:
    """Issue one, by default from a request with a new P-256 key."""
    return issuing.issue(
        campus.context, by or campus.admin, order=order or Order(request=csr(mailbox)), idempotency_key=idempotency_key
    )


def revoke(
    campus: Campus, serial: str, reason: str = "superseded", *, by: Principal | None = None, **cause: Any
) -> CertificateView:
    """Revoke one."""
    return revocation.revoke(
        campus.context,
        by or campus.admin,
        serial=Serial.parse(serial),
        cause=Cause(reason=reason, **cause),
    )


def add_identity(campus: Campus, mailbox: Mailbox = NOTICES, *, by: Principal | None = None) -> IdentityView:
    """Make an identity with keys that are made quickly."""
    view, _ = identities.add(campus.context, by or campus.admin, mailbox=mailbox, key="p256", encryption_key="p256")
    return view


def row_of(campus: Campus, serial: str) -> CertificateRow:
    """The row of a certificate, which must be there."""
    with campus.context.database.read() as read:
        row = certificates.find(read, serial)
    assert row is not None
    return row


def rows(campus: Campus, state: str) -> list[CertificateRow]:
    """All that is in this state, by way of its audit entries, which each has from its intent on."""
    serials = {entry.object_id or "" for entry in entries(campus, action="certificate.intended")}
    with campus.context.database.read() as read:
        return [row for row in certificates.find_many(read, serials) if row.state == state]


def entries(campus: Campus, **narrowed: Any) -> list[AuditRow]:
    """The audit entries, oldest first."""
    with campus.context.database.read() as read:
        found = audit.page(read, actor_ids=None, before_id=None, limit=1000, **narrowed)
    return found[::-1]


def ocsp_request(certificate: Certificate, issuer: Certificate, *, sha1: bool = False) -> bytes:
    """An OCSP request in DER."""
    algorithm = hashes.SHA1() if sha1 else hashes.SHA256()
    builder = ocsp.OCSPRequestBuilder().add_certificate(certificate.x509, issuer.x509, algorithm)
    return builder.build().public_bytes(Encoding.DER)


def ask_ocsp(campus: Campus, row: CertificateRow, *, sha1: bool = False) -> ocsp.OCSPResponse:
    """What OCSP says about a row of ours, issued or not."""
    asked = Certificate.from_der(row.certificate or row.lookalike)
    request = ocsp_request(asked, campus.context.issuers.issuing.certificate, sha1=sha1)
    return ocsp.load_der_ocsp_response(publication.answer_ocsp(campus.context, "g1", request).der)


def current_crl(campus: Campus, authority_id: str = "g1") -> x509.CertificateRevocationList:
    """The CRL that counts now."""
    with campus.context.database.read() as read:
        row = crls.current(read, authority_id, campus.clock())
    assert row is not None
    return x509.load_der_x509_crl(row.der)


def crl_serials(campus: Campus) -> set[str]:
    """The serials in the CRL that counts now."""
    return {str(Serial(entry.serial_number)) for entry in current_crl(campus)}


def crl_number(campus: Campus) -> int:
    """The number of the CRL that counts now."""
    number = current_crl(campus).extensions.get_extension_for_class(x509.CRLNumber).value
    return number.crl_number

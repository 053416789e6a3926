"""Rows for tests: each whole and allowed, with only what a test is about named in the test."""

from __future__ import annotations

import secrets
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import select

from db import (
    api_keys,
    audit,
    authorities,
    certificates,
    crls,
    enrolments,
    idempotency,
    identities,
    installation,
    jobs,
    outbox,
    private_keys,
)
from db.api_keys import ApiKeyRow
from db.audit import AuditRow
from db.authorities import AuthorityRow
from db.certificates import CertificateRow
from db.crls import CrlRow
from db.engine import Database, Write, new_id
from db.enrolments import EnrolmentRow
from db.idempotency import IdempotencyRow
from db.identities import IdentityRow
from db.installation import Installation
from db.outbox import OutboxRow
from db.private_keys import PrivateKeyRow
from db.tables import TABLES

NOW = datetime(2026, 3, 2, 8, 30, 0, 123456, tzinfo=UTC)
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
DEADLINE = NOW + timedelta(minutes=1)

INSTALLATION = Installation(
    demo=True,
    campus_name="Example University 大學",
    country="HK",
    organization_id="NTRHK-00000000",
    mail_domains=("campus.example", "cuhk.example"),
    status_url="http://localhost:8000",
    name_constraints="critical",
    policy_arc="2.25.1",
    kek_id="0123456789abcdef",
    created_at=NOW,
)


def authority(authority_id: str = "g1", **changes: Any) -> AuthorityRow:
    row = AuthorityRow(
        id=authority_id,
        kind="root" if authority_id == "root" else "issuing",
        common_name=f"CN={authority_id}",
        certificate=b"\x30\x00\xff",
        serial=secrets.token_hex(16),
        sha256=secrets.token_hex(32),
        key_id=None,
        not_before=NOW - DAY,
        not_after=NOW + 3650 * DAY,
        created_at=NOW,
    )
    return replace(row, **changes)


def private_key(**changes: Any) -> PrivateKeyRow:
    row = PrivateKeyRow(
        id=new_id(),
        owner="authority:g1",
        purpose="ocsp",
        kind="p256",
        spki_sha256=secrets.token_hex(32),
        kek_id="0123456789abcdef",
        wrapped_key=secrets.token_bytes(40),
        ciphertext=secrets.token_bytes(200),
        created_at=NOW,
    )
    return replace(row, **changes)


def intent(*mailboxes: str, **changes: Any) -> CertificateRow:
    """An intent of now, for these mailboxes."""
    row = CertificateRow(
        serial=f"4{secrets.token_hex(16)[1:]}",
        id=new_id(),
        issuer_id="g1",
        state="intended",
        owner="me",
        deadline=DEADLINE,
        profile="mailbox",
        use="dual",
        subject="CN=alice@campus.example",
        person=None,
        proof="api_client",
        proof_detail="department",
        lookalike=b"look-alike",
        certificate=None,
        sha256=None,
        spki_sha256=secrets.token_hex(32),
        subject_key_id=None,
        key_id=None,
        not_before=NOW - HOUR,
        not_after=NOW + 365 * DAY,
        created_at=NOW,
        revoked_at=None,
        reason=None,
        invalidity_date=None,
        note=None,
        crl_entry=None,
        mailboxes=mailboxes,
    )
    return replace(row, **changes)


def issue(write: Write, *mailboxes: str, **changes: Any) -> CertificateRow:
    """A certificate that was issued now."""
    row = intent(*mailboxes, **changes)
    certificates.insert_intended(write, row)
    done: dict[str, Any] = {
        "certificate": b"der",
        "sha256": secrets.token_hex(32),
        "subject_key_id": row.subject_key_id or secrets.token_hex(20),
    }
    assert certificates.complete(write, row.serial, owner="me", now=NOW, **done)
    return replace(row, state="issued", **done)


def revoke(write: Write, serial: str, **changes: Any) -> bool:
    """Revoke a certificate, by default because it was replaced."""
    cause: dict[str, Any] = {
        "revoked_at": NOW,
        "reason": "superseded",
        "invalidity_date": None,
        "note": None,
        "crl_entry": b"entry " + serial.encode(),
    }
    return certificates.revoke(write, serial, **(cause | changes))


def crl(number: int, *, authority_id: str = "g1", this_update: datetime = NOW) -> CrlRow:
    return CrlRow(
        authority_id=authority_id,
        number=number,
        this_update=this_update,
        next_update=this_update + 2 * DAY,
        der=b"crl %d" % number,
        created_at=NOW,
    )


def identity(signing: CertificateRow, encryption: CertificateRow, **changes: Any) -> IdentityRow:
    row = IdentityRow(
        id=new_id(),
        mailbox="Notices@campus.example",
        mailbox_key="notices@campus.example",
        profile="role",
        signing_kind="rsa3072",
        encryption_kind="rsa3072",
        signing_serial=signing.serial,
        encryption_serial=encryption.serial,
        paused=False,
        created_at=NOW,
        renewed_at=NOW,
    )
    return replace(row, **changes)


def api_key(**changes: Any) -> ApiKeyRow:
    key_id = new_id()
    row = ApiKeyRow(
        id=key_id,
        name="department",
        key_sha256=secrets.token_hex(32),
        prefix_hint="ms_live_abcd",
        scopes=("certificates:read", "messages:sign"),
        mailboxes=("*@campus.example",),
        cidrs=(),
        expires_at=None,
        created_at=NOW,
        created_by="admin",
        last_used_at=None,
        ended_at=None,
        lineage=key_id,
        position=0,
    )
    return replace(row, **changes)


def entry(**changes: Any) -> AuditRow:
    row = AuditRow(
        id=new_id(),
        at=NOW,
        request_id="r1",
        action="message.signed",
        actor_kind="api_key",
        actor_id="key-1",
        actor_name="department",
        object_kind="certificate",
        object_id="ab" * 16,
        mailbox="Notices@campus.example",
        details={"form": "detached", "number": 7, "ok": True, "nothing": None, "text": "大學 \u0000"},
        signature_sha256=None,
    )
    return replace(row, **changes)


def idempotency_key(**changes: Any) -> IdempotencyRow:
    row = IdempotencyRow(
        principal="key-1", key="once", request_sha256="cd" * 32, kind="certificate", object_id=None, created_at=NOW
    )
    return replace(row, **changes)


def outbox_row(**changes: Any) -> OutboxRow:
    row = OutboxRow(
        id=new_id(),
        kind="enrolment_link",
        unique_sha256=secrets.token_hex(32),
        state="waiting",
        kek_id="0123456789abcdef",
        wrapped_key=b"\x00wrapped",
        ciphertext=b"\xffsealed",
        attempts=0,
        due_at=NOW,
        expires_at=NOW + HOUR,
        created_at=NOW,
        sent_at=None,
        error=None,
    )
    return replace(row, **changes)


def enrolment(**changes: Any) -> EnrolmentRow:
    row = EnrolmentRow(
        id=new_id(),
        mailbox="Alice@campus.example",
        token_sha256=secrets.token_hex(32),
        created_at=NOW,
        expires_at=NOW + HOUR,
    )
    return replace(row, **changes)


FIRST_KEY = private_key()
FIRST = (
    FIRST_KEY,
    authority("root"),
    authority("g1", key_id=FIRST_KEY.id),
    intent("Notices@campus.example", key_id=FIRST_KEY.id),
    api_key(),
    entry(signature_sha256="ef" * 32),
)
FIRST_LETTER = outbox_row()
FIRST_LINK = enrolment()


def found(write: Write) -> None:
    """A root and an issuing CA, to which certificates and CRLs refer."""
    for authority_id in ("root", "g1"):
        authorities.insert(write, authority(authority_id))


def fill(database: Database) -> None:
    """The same row in every table, whenever it is called."""
    key, root, issuing, certificate, one_api_key, one_entry = FIRST
    with database.write() as write:
        installation.insert(write, INSTALLATION)
        private_keys.insert(write, key)
        authorities.insert(write, root)
        authorities.insert(write, issuing)
        crls.insert(write, crl(1))
        certificates.insert_intended(write, certificate)
        identities.insert(write, identity(certificate, certificate, id="identity"))
        api_keys.insert(write, one_api_key)
        audit.insert(write, one_entry)
        idempotency.insert(write, idempotency_key())
        jobs.ensure(write, "settling", due_at=NOW)
        outbox.insert_if_absent(write, FIRST_LETTER)
        enrolments.insert(write, FIRST_LINK)


def snapshot(database: Database) -> dict[str, list[tuple[Any, ...]]]:
    """Every row of every table."""
    with database.read() as read:
        return {table.name: [tuple(row) for row in read.execute(select(table))] for table in TABLES}

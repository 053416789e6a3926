"""A founded campus for tests: its keys and certificates are made once per session, its rows once per test."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from ca.lint import Linter
from db import installation
from db.engine import Database
from db.installation import Installation
from formats.algorithms import KeyKind
from formats.mailbox import MailboxPattern
from keys import software
from keys.vault import Vault
from net.folder import Folder
from services import charter as signing
from services import founding, jobs, start
from services.access import Principal
from services.authority import SCOPES
from services.charter import Plan
from services.context import Clock, Context
from services.journal import Journal
from services.settings import Settings, load_settings
from tests.fakes import FakeClock

KEK = bytes(range(32))


@cache
def linter(policy_arc: str) -> Linter:
    """One for all tests, because it is slow to warm up."""
    return Linter(policy_arc=policy_arc)


@dataclass(frozen=True)
class Charter:
    """What founding makes, ready to be stored."""

    plan: Plan
    made_at: datetime
    made: signing.Charter


@cache
def charter() -> Charter:
    """The certificates of the demo campus, made at the session's start."""
    settings = demo_settings(Path("unused"))
    now = datetime.now(UTC).replace(microsecond=0)
    plan = founding._plan(settings, demo=True)
    made = signing.sign(plan, root_key=software.generate(KeyKind.RSA4096), vault=Vault(KEK), now=now)
    return Charter(plan=plan, made_at=now, made=made)


def demo_settings(folder: Path, **environ: str) -> Settings:
    """The demo's settings with its data in this folder."""
    return load_settings({"MAILSEAL_DATA": str(folder), **environ}, demo=True)


@dataclass(frozen=True)
class Campus:
    """An open context on a founded database, with the clock in the test's hand."""

    context: Context
    clock: FakeClock
    admin: Principal

    def principal(self, *scopes: str, mailboxes: tuple[str, ...] = ("*@campus.example",)) -> Principal:
        """A caller with just these scopes and mailboxes."""
        key_id = secrets.token_hex(8)
        return replace(
            self.admin,
            id=key_id,
            lineage=(key_id,),
            name="department",
            scopes=frozenset(scopes),
            mailboxes=tuple(MailboxPattern.parse(pattern) for pattern in mailboxes),
        )

    def run_jobs(self) -> None:
        """Run what is due now."""
        jobs.run_due(self.context, holder="test")


def open_campus_context(database: Database, folder: Path, *, vault: Vault, clock: Clock) -> Context:
    """The context of a campus that is founded on this database."""
    with database.read() as read:
        installed = installation.find(read)
    assert installed is not None
    issuers, warm = start.open_issuers(database, vault, installed), linter(installed.policy_arc)
    return Context(
        settings=demo_settings(folder),
        database=database,
        vault=vault,
        issuers=replace(issuers, linter=warm, issuing=replace(issuers.issuing, linter=warm)),
        clock=clock,
        journal=Journal(database),
        outgoing=Folder(folder / "outbox"),
    )


def founded(database: Database) -> Installation:
    """Found the demo campus on an empty database, by its rows alone."""
    made = charter()
    row = founding._installation(Vault(KEK), made.plan, demo=True, now=made.made_at)
    with database.write() as write:
        installation.insert(write, row)
        signing.store(write, made.made, now=made.made_at)
    return row


@contextmanager
def campus_on(database: Database, folder: Path) -> Iterator[Campus]:
    """Found the demo campus on an empty database, and close what was opened."""
    clock, vault = FakeClock(charter().made_at + timedelta(minutes=1)), Vault(KEK)
    founded(database)
    context = open_campus_context(database, folder, vault=vault, clock=clock)
    jobs.enter(context)
    admin = Principal(
        kind="api_key",
        id=secrets.token_hex(8),
        name="admin",
        scopes=frozenset(SCOPES),
        mailboxes=tuple(MailboxPattern.parse(f"*@{domain}") for domain in charter().plan.mail_domains),
        lineage=(),
        request_id="test",
    )
    try:
        yield Campus(context=context, clock=clock, admin=replace(admin, lineage=(admin.id or "",)))
    finally:
        context.journal.close()


def csr(
    mailbox: str | None = "alice@campus.example",
    *,
    key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey | None = None,
    encoding: Encoding = Encoding.PEM,
) -> bytes:
    """A PKCS#10 request, by default with a new P-256 key."""
    builder = x509.CertificateSigningRequestBuilder().subject_name(
        x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "whatever")])
    )
    if mailbox is not None:
        builder = builder.add_extension(x509.SubjectAlternativeName([x509.RFC822Name(mailbox)]), critical=False)
    return builder.sign(key or ec.generate_private_key(ec.SECP256R1()), hashes.SHA256()).public_bytes(encoding)


__all__ = ["Campus", "Charter", "campus_on", "charter", "csr", "demo_settings", "founded", "open_campus_context"]

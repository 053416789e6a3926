"""Builds the Context from the settings, and refuses to where the two and the CA do not belong together."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Final
from urllib.parse import urlsplit

from ca import profiles
from ca.issuance import Issuer, StatusUrls
from ca.lint import Linter
from db import authorities, installation, migration, private_keys
from db.engine import Database
from db.installation import Installation
from formats.certificate import Certificate
from formats.mailbox import Mailbox
from keys.errors import KekMissing, KekWrong
from keys.vault import Vault
from net.folder import Folder
from net.smtp import Relay, Route
from services import custody
from services.context import Clock, Context, Issuers, Outgoing
from services.errors import NotADemo, NotInitialised, SettingsDiffer
from services.journal import Journal
from services.settings import Settings, variable

ROOT: Final = "root"
ISSUING: Final = "g1"
# What the CA certificates say for years, so that a setting must not say otherwise.
BAKED_IN: Final = (
    "campus_name",
    "country",
    "organization_id",
    "mail_domains",
    "status_url",
    "policy_arc",
    "name_constraints",
)


_LOCALHOST: Final = re.compile(r"^http://localhost(?=[:/]|$)")


def now() -> datetime:
    """The time, by the system's clock."""
    return datetime.now(UTC)


def open_context(settings: Settings, *, demo: bool, clock: Clock = now) -> Context:
    """Open everything a request needs.

    (1) the database, with its schema at head
    (2) the installation, which the settings must not contradict
    (3) the vault, with the KEK that the installation was made with
    (4) the issuers
    (5) the way out for letters
    """
    database = Database.open(settings.resolved_database_url)
    try:
        installed = _installed(database)  # (1)
        agree(settings, installed, demo=demo)  # (2)
        vault = open_vault(settings, installed)  # (3)
        issuers = open_issuers(database, vault, installed)  # (4)
    except BaseException:
        database.dispose()
        raise
    return Context(
        settings=settings,
        database=database,
        vault=vault,
        issuers=issuers,
        clock=clock,
        journal=Journal(database),
        outgoing=open_outgoing(settings),  # (5)
    )


def _installed(database: Database) -> Installation:
    with database.read() as read:
        migration.require_head(read)
        installed = installation.find(read)
    if installed is None:
        raise NotInitialised("there is no CA in this database yet")
    return installed


def close_context(context: Context) -> None:
    """Write what is queued and let everything go."""
    context.journal.close()
    context.database.dispose()


def migrate(settings: Settings) -> None:
    """Bring the database's schema to head; two processes may ask at once."""
    database = Database.open(settings.resolved_database_url)
    try:
        migration.upgrade(database)
    finally:
        database.dispose()


def agree(settings: Settings, installed: Installation, *, demo: bool) -> None:
    """Refuse with SettingsDiffer or NotADemo what contradicts the CA: both values are named."""
    if installed.demo != demo:
        made, asked = ("a demo", "production") if installed.demo else ("production", "a demo")
        raise NotADemo(f"this CA was made as {made} and is asked to run as {asked}")
    for field in BAKED_IN:
        here, there = getattr(settings, field), getattr(installed, field)
        # A second node of the demo has another port and the same CA, so its default is no contradiction.
        if field in settings.model_fields_set and _text(here) != _text(there):
            raise SettingsDiffer(f"{variable(field)} is {_text(here)}, and the CA was made with {_text(there)}")

    if settings.mail_from is not None and Mailbox.parse(settings.mail_from).domain not in installed.mail_domains:
        there = _text(installed.mail_domains)
        raise SettingsDiffer(f"{variable('mail_from')} is {settings.mail_from}, and the mail domains are {there}")


def _text(value: str | tuple[str, ...]) -> str:
    """The value for people and for comparing; the order in which domains are listed says nothing."""
    return value if isinstance(value, str) else ",".join(sorted(value))


def open_vault(settings: Settings, installed: Installation) -> Vault:
    """The vault under the KEK that the installation was made with; KekMissing or KekWrong otherwise."""
    if settings.kek_file is None:
        raise KekMissing("MAILSEAL_KEK_FILE is not set, and is needed at every start")
    vault = Vault.from_file(settings.kek_file)
    if vault.kek_id != installed.kek_id:
        raise KekWrong("the key-encryption key is not the one that this CA was made with")
    return vault


def open_outgoing(settings: Settings) -> Outgoing:
    """The relay that the settings name, or else the folder `outbox` in the data folder."""
    if settings.smtp_url is None:
        return Folder(settings.data / "outbox")
    return Relay(Route.from_url(settings.smtp_url), hello=urlsplit(settings.public_url).hostname or "localhost")


def open_issuers(database: Database, vault: Vault, installed: Installation) -> Issuers:
    """The root's certificate and the issuing CA with its key."""
    profiles.validate()
    with database.read() as read:
        root = authorities.find(read, ROOT)
        issuing = authorities.find(read, ISSUING)
        key_row = private_keys.find(read, issuing.key_id) if issuing and issuing.key_id else None
    if root is None or issuing is None or key_row is None:
        raise NotInitialised("the CA in this database is incomplete")
    certificate, root_certificate = Certificate.from_der(issuing.certificate), Certificate.from_der(root.certificate)
    linter = Linter(policy_arc=installed.policy_arc)
    issuer = Issuer(
        id=ISSUING,
        certificate=certificate,
        key=custody.key_of(vault, key_row),
        chain=(certificate, root_certificate),
        urls=status_urls(installed.status_url, ISSUING),
        policy_arc=installed.policy_arc,
        linter=linter,
    )
    return Issuers(campus=installed, root=root_certificate, issuing=issuer, linter=linter)


def status_urls(here: str, authority_id: str) -> StatusUrls:
    """Where an authority's CRL, certificate and OCSP answers are, below the status URL; the root has no OCSP.

    A demo on this machine says 127.0.0.1, which it listens on: `localhost` may mean ::1 first, and pkilint takes a URL
    with it for malformed.
    """
    here = _LOCALHOST.sub("http://127.0.0.1", here)
    return StatusUrls(
        crl=f"{here}/crl/{authority_id}.crl",
        ocsp=None if authority_id == ROOT else f"{here}/ocsp/{authority_id}",
        issuer=f"{here}/ca/{authority_id}.crt",
    )

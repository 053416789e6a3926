"""Founding: makes the campus CA once, however often it is asked to and wherever it is interrupted.

What must not be made twice lies in files before anything is signed: the key-encryption key, the root key and the
first API key are loaded if they are there and made if they are not. Everything else is one transaction, which also
keeps other nodes waiting. So an interrupted founding leaves files that the next one takes up, and never half a CA or a
second root.
"""

from __future__ import annotations

import itertools
import secrets
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

from db import installation, migration
from db import jobs as timetable
from db.engine import Database, Write
from db.installation import Installation
from formats.algorithms import KeyKind
from formats.certificate import Certificate
from keys import software
from keys.errors import PassphraseWrong
from keys.software import PrivateKey
from keys.vault import Vault
from services import access, api_keys, credential, jobs, publication, start
from services.api_keys import Grant
from services.authority import SCOPES
from services.charter import Plan, rehearse, sign, store
from services.context import Clock
from services.errors import DataUnsafe, FolderNotWritable, NotADemo
from services.secret_files import check_owner, remove_drafts, write_once
from services.settings import Settings, SettingsWrong

DEMO_PREFIX: Final = "DEMO - DO NOT TRUST "
ADMIN_KEY: Final = "admin.key"
ROOT_KEY: Final = "root.key"
DEMO_MARK: Final = "DEMO-DO-NOT-TRUST"
ADMIN_KEY_LIFE: Final = timedelta(days=30)
# The row that says whose turn it is to found; no job runs under this name.
TURN: Final = "founding"
TURN_SECONDS: Final = 60.0
LOOK_EVERY_SECONDS: Final = 0.5
_ANYBODYS_ARC: Final = "1.2.840.113556.1.8000.2554"


@dataclass(frozen=True, slots=True, kw_only=True)
class Founded:
    """What a founding found or made; `made` is False if the CA was there already."""

    made: bool
    root: Certificate
    admin_key_file: Path
    root_key_file: Path
    passphrase_file: Path | None


class FoundingDeclined(Exception):
    """Whoever was asked said no; nothing was made."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Secrets:
    """The keys that lie in files."""

    vault: Vault
    root_key: PrivateKey
    admin_key: str

    def __repr__(self) -> str:
        return "_Secrets()"


def found(
    settings: Settings,
    *,
    demo: bool,
    clock: Clock = start.now,
    progress: Callable[[str], None],
    agree: Callable[[Plan], bool],
) -> Founded:
    """Make the CA, or find it made.

    (1) the data folder, which nobody else may write
    (2) the database at head; if there is a CA in it, it stays as it is
    (3) what will be permanent, rehearsed with throw-away keys, shown and agreed on
    (4) the mark of a demo, the key-encryption key, the root key and the first API key: taken if there, made if not
    (5) root, issuing CA and the root's CRLs, made and stored; (4) and (5) are one transaction and one node's turn
    (6) the jobs, run once: from here on there are a CRL and an OCSP delegate
    """
    folder = _make_folder(settings, demo=demo)  # (1)
    progress("preparing the database")
    database = Database.open(settings.resolved_database_url, busy_seconds=TURN_SECONDS)
    made = False
    try:
        migration.upgrade(database)  # (2)
        installed = _installed(database)
        if installed is None:
            plan = _plan(settings, demo=demo)  # (3)
            rehearse(plan, now=clock())
            if not agree(plan):
                raise FoundingDeclined
            made = _make(database, settings, plan, demo=demo, clock=clock, progress=progress)  # (4) (5)
        else:
            start.agree(settings, installed, demo=demo)
            if demo:
                _mark(settings)
    finally:
        database.dispose()
    if made:
        progress("publishing the first CRL")
    root = _first_jobs(settings, demo=demo, clock=clock)  # (6)
    return Founded(
        made=made,
        root=root,
        admin_key_file=admin_key_file(settings),
        root_key_file=folder / ROOT_KEY,
        passphrase_file=None if demo else settings.root_passphrase_file,
    )


def is_demo(folder: Path) -> bool:
    """Whether the data folder was made as a demo."""
    return (folder / DEMO_MARK).exists()


def admin_key_file(settings: Settings) -> Path:
    """Where the first API key lies."""
    return settings.data / ADMIN_KEY


def _make_folder(settings: Settings, *, demo: bool) -> Path:
    mark = settings.data / DEMO_MARK
    if not demo and mark.exists():
        # Its root key would lie there unencrypted.
        raise NotADemo(f"the data folder {settings.data} was made as a demo and is asked to become production")
    try:
        settings.data.mkdir(mode=0o700, parents=True, exist_ok=True)
        probe = settings.data / f".probe-{secrets.token_hex(4)}"
        probe.touch()
        probe.unlink()
    except OSError as error:
        raise FolderNotWritable(f"the data folder {settings.data} cannot be written: {error.strerror}") from None
    check_owner(settings.data.stat(), path=settings.data, others=0o022)
    return settings.data


def _mark(settings: Settings) -> None:
    """Write into the data folder that it is a demo's, for ever."""
    try:
        (settings.data / DEMO_MARK).touch()
    except OSError as error:
        raise FolderNotWritable(f"the data folder {settings.data} cannot be written: {error.strerror}") from None


def _installed(database: Database) -> Installation | None:
    with database.read() as read:
        return installation.find(read)


def _plan(settings: Settings, *, demo: bool) -> Plan:
    missing = [] if demo else settings.missing_for_init()
    if missing:
        raise SettingsWrong([f"{name}: needed to found a CA" for name in missing])
    prefix = DEMO_PREFIX if demo else ""
    return Plan(
        campus_name=settings.campus_name or "",
        country=settings.country or "",
        organization_id=settings.organization_id or "",
        mail_domains=settings.mail_domains,
        status_url=settings.status_url or "",
        policy_arc=_policy_arc(settings),
        root_name=f"{prefix}{settings.campus_name} Mail Root",
        issuing_name=f"{prefix}{settings.campus_name} S/MIME CA G1",
        name_constraints=settings.name_constraints,
    )


def _policy_arc(settings: Settings) -> str:
    """The arc that was set, or one of our own without registration, made from a UUID as Microsoft lets anybody do.

    Not below 2.25 (ITU-T X.667): that takes a UUID as one number, and pkilint, like many programs, reads 32 bits.
    """
    if settings.policy_arc is not None:
        return settings.policy_arc
    digits = uuid.uuid4().hex
    parts = [digits[start:end] for start, end in itertools.pairwise((0, 4, 8, 12, 16, 20, 26, 32))]
    return ".".join((_ANYBODYS_ARC, *(str(int(part, 16)) for part in parts)))


def _make(
    database: Database,
    settings: Settings,
    plan: Plan,
    *,
    demo: bool,
    clock: Clock,
    progress: Callable[[str], None],
) -> bool:
    """Steps 4 and 5; False if another node was faster, whose CA then stands."""
    with database.write() as write:
        _take_turn(write, now=clock())
        if (installed := installation.find(write)) is not None:
            start.agree(settings, installed, demo=demo)
            return False
        kept = _load_or_make(settings, demo=demo, progress=progress)
        progress("making the campus root and its issuing CA")
        now = clock()
        made = sign(plan, root_key=kept.root_key, vault=kept.vault, now=now)
        installation.insert(write, _installation(kept.vault, plan, demo=demo, now=now))
        store(write, made, now=now)
        _store_admin_key(write, plan, kept.admin_key, demo=demo, now=now)
    return True


def _take_turn(write: Write, *, now: datetime) -> None:
    """Let other nodes that want to found wait until this Write ends: each of these two locks a row for PostgreSQL.

    Else each would make a root key in its own folder, and all but one for nothing.
    """
    timetable.ensure(write, TURN, due_at=now)
    timetable.hasten(write, TURN, due_at=now)


def _load_or_make(settings: Settings, *, demo: bool, progress: Callable[[str], None]) -> _Secrets:
    root_file, admin_file = settings.data / ROOT_KEY, admin_key_file(settings)
    if demo:
        _mark(settings)  # before there is a root key that is not encrypted
    for path in (settings.root_passphrase_file, root_file, admin_file):
        remove_drafts(path)
    vault = Vault.create_file(settings.kek_file or settings.data / "kek")
    passphrase = None if demo else _passphrase(settings, root_file)
    if not root_file.exists():
        progress("making the root key, RSA-4096 (a second or two)")
    root_key = _root_key(write_once(root_file, lambda: _root_key_pem(passphrase)), passphrase, root_file)
    admin_key = _admin_key(write_once(admin_file, f"{credential.new()}\n".encode), admin_file)
    return _Secrets(vault=vault, root_key=root_key, admin_key=admin_key)


def _root_key(pem: bytes, passphrase: str | None, path: Path) -> PrivateKey:
    """The key that is in the file, whoever laid it there, if it is as one that is made here."""
    if passphrase is not None and b"ENCRYPTED PRIVATE KEY" not in pem:
        raise DataUnsafe(f"the root key in {path} is not encrypted")
    key = software.read_pem_private(pem, passphrase)
    if KeyKind.of(key.public_key()) is not KeyKind.RSA4096:
        raise DataUnsafe(f"the root key in {path} is not an RSA-4096 key")
    return key


def _admin_key(text: bytes, path: Path) -> str:
    secret = text.decode("ascii", "replace").strip()
    if not credential.is_well_formed(secret):
        raise DataUnsafe(f"{path} does not hold an API key")
    return secret


def _root_key_pem(passphrase: str | None) -> bytes:
    return software.to_pem(software.generate(KeyKind.RSA4096), passphrase=passphrase)


def _passphrase(settings: Settings, root_file: Path) -> str:
    path = settings.root_passphrase_file
    if root_file.exists() and not path.exists():
        raise PassphraseWrong(f"there is a root key in {root_file}, and no file {path} with its passphrase")
    return write_once(path, f"{secrets.token_urlsafe(32)}\n".encode).decode().strip()


def _installation(vault: Vault, plan: Plan, *, demo: bool, now: datetime) -> Installation:
    return Installation(
        demo=demo,
        campus_name=plan.campus_name,
        country=plan.country,
        organization_id=plan.organization_id,
        mail_domains=plan.mail_domains,
        status_url=plan.status_url,
        name_constraints=plan.name_constraints,
        policy_arc=plan.policy_arc,
        kek_id=vault.kek_id,
        created_at=now,
    )


def _store_admin_key(write: Write, plan: Plan, admin_key: str, *, demo: bool, now: datetime) -> None:
    grant = Grant(
        name="admin",
        scopes=SCOPES,
        mailboxes=tuple(f"*@{domain}" for domain in plan.mail_domains),
        expires_at=None if demo else now + ADMIN_KEY_LIFE,
    )
    who = access.operator(request_id="founding")
    api_keys.insert_key(write, grant=grant, secret=admin_key, principal=who, now=now)


def _first_jobs(settings: Settings, *, demo: bool, clock: Clock) -> Certificate:
    """Enter the jobs and run them, waiting a while if another node, or one that died, has begun one."""
    context = start.open_context(settings, demo=demo, clock=clock)
    deadline = time.monotonic() + jobs.LEASE_SECONDS + 5
    try:
        jobs.enter(context)
        jobs.run_due(context, holder=f"founding-{secrets.token_hex(8)}")
        while not publication.is_ready(context) and time.monotonic() < deadline:
            time.sleep(LOOK_EVERY_SECONDS)
            jobs.run_due(context, holder=f"founding-{secrets.token_hex(8)}")
        return context.issuers.root
    finally:
        start.close_context(context)

"""Doctor, who looks over a whole installation and says what is wrong with it and what to do."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from itertools import chain
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from db import api_keys, certificates, crls, jobs, outbox
from db.api_keys import ApiKeyRow
from formats.errors import Refusal
from services import credential, founding, setting_values, start
from services.context import Context
from services.jobs import timetable
from services.settings import Settings

LATE_LETTER: Final = timedelta(minutes=15)
LATE_JOB: Final = timedelta(minutes=5)
ROOT_CRLS_LEFT: Final = timedelta(days=90)
AUTHORITY_LEFT: Final = timedelta(days=365)
ADMIN_KEY_LEFT: Final = timedelta(days=14)
FREE_OCTETS: Final = 512 * 1024 * 1024
KEYS: Final = 10_000
KEY_OCTETS: Final = 4096


class Severity(StrEnum):
    """How bad it is: a failure keeps something from working, a warning will or may."""

    FAILURE = "failure"
    WARNING = "warning"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing that is wrong, and what to do about it."""

    severity: Severity
    about: str
    detail: str
    hint: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Examination:
    """What was looked at, and what was found."""

    looked_at: tuple[str, ...]
    findings: tuple[Finding, ...]

    @property
    def is_well(self) -> bool:
        """Whether nothing was found."""
        return not self.findings


Check = Callable[[Context], Iterator[Finding]]


def examine(settings: Settings, *, demo: bool) -> Examination:
    """Look over the installation of this machine; nothing is changed, and nothing is sent anywhere.

    What keeps the service from starting at all (schema, KEK, settings against the CA) is the one finding then.
    """
    try:
        context = start.open_context(settings, demo=demo)
    except Refusal as refusal:
        broken = _failure("start", refusal.detail, hint=refusal.hint)
        return Examination(looked_at=("start",), findings=(broken,))
    try:
        found = tuple(chain.from_iterable(check(context) for check in CHECKS.values()))
    finally:
        start.close_context(context)
    return Examination(looked_at=("start", *CHECKS), findings=found)


def _root_key(context: Context) -> Iterator[Finding]:
    """A root key that lies on the machine can be stolen with it; the demo's always does."""
    if context.issuers.campus.demo:
        return
    for path, name in (
        (context.settings.data / founding.ROOT_KEY, "the encrypted root key"),
        (context.settings.root_passphrase_file, "the root key's passphrase"),
    ):
        if path.exists():
            yield _warning("root key", f"{name} is still on this machine: {path}", hint="move it off, to a safe place")


def _admin_keys(context: Context) -> Iterator[Finding]:
    now = context.clock()
    with context.database.read() as read:
        rows = api_keys.page(read, before_id=None, limit=KEYS)
    ends = [_end(row, far=now + 2 * ADMIN_KEY_LEFT) for row in rows if "admin" in row.scopes]
    if max(ends, default=now) <= now + ADMIN_KEY_LEFT:
        yield _warning(
            "admin keys",
            "no API key with the scope admin counts in two weeks",
            hint="mailseal api-keys add NAME --local --scope admin",
        )
    file = founding.admin_key_file(context.settings)
    if not context.issuers.campus.demo and (key_id := _counting_key(context, file)):
        yield _warning(
            "admin keys",
            f"the first admin key still counts, and lies in {file}",
            hint=f"make yourself a key with mailseal api-keys add, then end this one: mailseal api-keys delete {key_id}",
        )


def _status(context: Context) -> Iterator[Finding]:
    """CRL, OCSP delegate, and the root's CRLs that were signed ahead."""
    now, issuer = context.clock(), context.issuers.issuing.id
    with context.database.read() as read:
        current = crls.current(read, issuer, now)
        delegate = certificates.current_delegate(read, issuer, now)
        root_crl = crls.current(read, start.ROOT, now + ROOT_CRLS_LEFT)
    if current is None or current.next_update <= now:
        yield _failure("status", "there is no CRL that counts now", hint="see the job crl in the log")
    if delegate is None:
        yield _failure("status", "there is no OCSP delegate", hint="see the job delegate in the log")
    if root_crl is None or root_crl.next_update <= now + ROOT_CRLS_LEFT:
        yield _warning(
            "status",
            "the root's CRLs that were signed ahead end within 90 days",
            hint="sign new ones with the root key",
        )


def _authorities(context: Context) -> Iterator[Finding]:
    ends = context.issuers.issuing.certificate.not_after
    if ends - context.clock() < AUTHORITY_LEFT:
        yield _warning(
            "authorities",
            f"the issuing CA ends on {ends:%Y-%m-%d}, and certificates cannot outlive it",
            hint="plan the next issuing CA",
        )


def _jobs(context: Context) -> Iterator[Finding]:
    now = context.clock()
    ours = timetable(context)
    with context.database.read() as read:
        # Founding takes its turn by a row of the same table, which no timetable runs.
        rows = [row for row in jobs.all_(read) if row.name in ours]
    for row in rows:
        if row.error is not None:
            yield _failure("jobs", f"the job {row.name} failed with {row.error}", hint="the log tells why")
        elif row.due_at < now - LATE_JOB:
            yield _warning(
                "jobs", f"the job {row.name} has been due since {row.due_at:%Y-%m-%d %H:%M} UTC", hint="is it serving?"
            )


def _letters(context: Context) -> Iterator[Finding]:
    now = context.clock()
    with context.database.read() as read:
        counted = outbox.counts(read)
    for one in counted:
        if one.state in outbox.OPEN and one.oldest < now - LATE_LETTER:
            yield _failure(
                "letters",
                f"{one.number} letters ({one.kind}) wait, the oldest since {one.oldest:%Y-%m-%d %H:%M} UTC",
                hint="see the job delivery in the log, and whether the relay of MAILSEAL_SMTP_URL answers",
            )
        if one.state == "given_up":
            yield _warning(
                "letters",
                f"{one.number} letters ({one.kind}) were given up since {one.oldest:%Y-%m-%d}",
                hint="the log names each by its id, and tells why",
            )
    if context.settings.smtp_url is None and not context.issuers.campus.demo:
        yield _warning("letters", "letters only go into the folder outbox", hint="set MAILSEAL_SMTP_URL")


def _addresses(context: Context) -> Iterator[Finding]:
    campus = context.issuers.campus
    if campus.demo:
        yield _warning("addresses", "this is a demo, whose root nobody should trust", hint="see README: a real campus")
    elif why := _unreachable(campus.status_url):
        yield _warning(
            "addresses",
            f"certificates send mail programs to {campus.status_url}, {why}",
            hint="the status URL is permanent: make the CA with one that the world can reach",
        )
    if context.settings.help_email is None and context.settings.help_url is None:
        yield _warning(
            "addresses",
            "people are not told where to find help",
            hint="set MAILSEAL_HELP_EMAIL or MAILSEAL_HELP_URL",
        )


def _disk(context: Context) -> Iterator[Finding]:
    free = shutil.disk_usage(_existing(context.settings.data)).free
    if free < FREE_OCTETS:
        yield _warning("disk", f"only {free // 2**20} MiB are free at {context.settings.data}", hint="make room")


CHECKS: Final[dict[str, Check]] = {
    "root key": _root_key,
    "admin keys": _admin_keys,
    "status": _status,
    "authorities": _authorities,
    "jobs": _jobs,
    "letters": _letters,
    "addresses": _addresses,
    "disk": _disk,
}


def _counting_key(context: Context, file: Path) -> str | None:
    """The id of the API key in this file, or a word for it where nobody may read it; None if none counts there."""
    try:
        with file.open("rb") as opened:
            secret = opened.read(KEY_OCTETS).decode("ascii", "replace").strip()
    except FileNotFoundError:
        return None
    except OSError:
        return "ID"
    now = context.clock()
    with context.database.read() as read:
        found = api_keys.find_with_lineage(read, credential.hash_of(secret))
    return found[0].id if found and _end(found[0], far=now + ADMIN_KEY_LEFT) > now else None


def _end(row: ApiKeyRow, *, far: datetime) -> datetime:
    """When a key ends; one that never does ends far away."""
    return min(row.expires_at or far, row.ended_at or far)


def _unreachable(url: str) -> str | None:
    """Why no mail program elsewhere can reach this address; None if nothing is known against it."""
    host = (urlsplit(url).hostname or "").rstrip(".")
    if setting_values.is_loopback(host):
        return "which only this machine can reach"
    if setting_values.is_nobodys(host):
        return "a name that is set aside for examples and tests, which nobody can have"
    return None


def _existing(folder: Path) -> Path:
    return folder if folder.exists() else folder.resolve().parent


def _failure(about: str, detail: str, *, hint: str) -> Finding:
    return Finding(severity=Severity.FAILURE, about=about, detail=detail, hint=hint)


def _warning(about: str, detail: str, *, hint: str) -> Finding:
    return Finding(severity=Severity.WARNING, about=about, detail=detail, hint=hint)

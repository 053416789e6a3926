"""What a request needs and did not bring along: built once in services/start, handed down, passed on unopened by doors."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from ca.issuance import Issuer
from ca.lint import Linter
from db.engine import Database
from db.installation import Installation
from formats.certificate import Certificate
from keys.vault import Vault
from net.folder import Folder
from net.smtp import Relay
from services.journal import Journal
from services.settings import Settings

Clock = Callable[[], datetime]
Outgoing = Folder | Relay


@dataclass(frozen=True, slots=True, kw_only=True)
class Issuers:
    """What the CA is: the campus as its certificates say, the root, the issuing CA, and the linter they are held against."""

    campus: Installation
    root: Certificate
    issuing: Issuer
    linter: Linter


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """Settings, database, vault, issuers, clock, journal and the way out for letters; an eighth field is one too many."""

    settings: Settings
    database: Database
    vault: Vault
    issuers: Issuers
    clock: Clock
    journal: Journal
    outgoing: Outgoing

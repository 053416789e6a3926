"""Every table: what the migrations must arrive at."""

from __future__ import annotations

from typing import Final

from db.api_keys import API_KEYS
from db.audit import AUDIT
from db.authorities import AUTHORITIES
from db.certificates import CERTIFICATE_MAILBOXES, CERTIFICATES
from db.columns import METADATA
from db.crls import CRLS
from db.enrolments import ENROLMENTS
from db.idempotency import IDEMPOTENCY
from db.identities import IDENTITIES
from db.installation import INSTALLATION
from db.jobs import JOBS
from db.outbox import OUTBOX
from db.private_keys import PRIVATE_KEYS

__all__ = ["METADATA", "TABLES"]

TABLES: Final = (
    INSTALLATION,
    PRIVATE_KEYS,
    AUTHORITIES,
    CRLS,
    CERTIFICATES,
    CERTIFICATE_MAILBOXES,
    IDENTITIES,
    API_KEYS,
    AUDIT,
    IDEMPOTENCY,
    JOBS,
    OUTBOX,
    ENROLMENTS,
)

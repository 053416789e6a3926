"""Signers: what it takes to sign for a mailbox, joined from identity, certificates and key as they are at one moment."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from datetime import datetime
from typing import Final

from sqlalchemy import bindparam, select

from db.certificates import CERTIFICATES
from db.columns import Line
from db.engine import Database, Read
from db.identities import IDENTITIES
from db.prepared import Prepared
from db.private_keys import PRIVATE_KEYS, PrivateKeyRow


@dataclass(frozen=True, slots=True, kw_only=True)
class SignerRow:
    """An identity with its two present certificates; from `id` on the columns of the key that signs."""

    paused: bool
    certificate: bytes | None = field(repr=False)
    not_after: datetime
    revoked_at: datetime | None
    encryption_certificate: bytes | None = field(repr=False)
    encryption_revoked_at: datetime | None
    id: str | None
    owner: str
    purpose: str
    kind: str
    spki_sha256: str
    kek_id: str
    wrapped_key: bytes = field(repr=False)
    ciphertext: bytes = field(repr=False)
    created_at: datetime

    @property
    def key(self) -> PrivateKeyRow | None:
        """The key that signs; None where it is not kept here."""
        return None if self.id is None else PrivateKeyRow(**{name: getattr(self, name) for name in _KEY})


_KEY: Final = tuple(column.name for column in fields(PrivateKeyRow))
_SIGNING: Final = CERTIFICATES.alias("signing")
_ENCRYPTION: Final = CERTIFICATES.alias("encryption")
_OF_MAILBOX: Final = Prepared(
    select(
        IDENTITIES.c.paused,
        _SIGNING.c.certificate,
        _SIGNING.c.not_after,
        _SIGNING.c.revoked_at,
        _ENCRYPTION.c.certificate.label("encryption_certificate"),
        _ENCRYPTION.c.revoked_at.label("encryption_revoked_at"),
        PRIVATE_KEYS,
    )
    .join(_SIGNING, _SIGNING.c.serial == IDENTITIES.c.signing_serial)
    .join(_ENCRYPTION, _ENCRYPTION.c.serial == IDENTITIES.c.encryption_serial)
    .outerjoin(PRIVATE_KEYS, PRIVATE_KEYS.c.id == _SIGNING.c.key_id)
    .where(IDENTITIES.c.mailbox_key == bindparam("mailbox_key", type_=Line())),
    SignerRow,
)


def find(read: Read | Database, mailbox_key: str) -> SignerRow | None:
    """What signs for a mailbox, whether it may or not; None if the mailbox has no identity."""
    return next(iter(read.ask(_OF_MAILBOX, mailbox_key=mailbox_key)), None)

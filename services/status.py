"""Serves what is public about the authorities: CRLs, issuer certificates, fingerprints. Reaches no key."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from db import authorities, crls
from db.authorities import AuthorityRow
from db.crls import CrlRow
from db.engine import Read
from formats.certificate import Certificate
from services.errors import AuthorityNotFound

__all__ = ["AuthorityView", "CrlRow", "authority", "crl", "every_authority", "root"]


@dataclass(frozen=True, slots=True, kw_only=True)
class AuthorityView:
    """A CA as its readers see it."""

    id: str
    kind: str
    certificate: Certificate


def every_authority(read: Read) -> list[AuthorityView]:
    """All CAs, the root first."""
    return [_view(row) for row in authorities.all_(read)]


def authority(read: Read, authority_id: str) -> AuthorityView:
    """One CA; AuthorityNotFound if there is none of that id."""
    row = authorities.find(read, authority_id)
    if row is None:
        raise AuthorityNotFound("there is no such authority")
    return _view(row)


def root(read: Read) -> AuthorityView:
    """The campus root, which people install."""
    return authority(read, "root")


def crl(read: Read, authority_id: str, *, at: datetime) -> CrlRow:
    """The CRL of an authority that counts at this time; AuthorityNotFound if there is none."""
    row = crls.current(read, authority_id, at)
    if row is None:
        raise AuthorityNotFound("there is no CRL of such an authority")
    return row


def _view(row: AuthorityRow) -> AuthorityView:
    return AuthorityView(id=row.id, kind=row.kind, certificate=Certificate.from_der(row.certificate))

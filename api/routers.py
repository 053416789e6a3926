"""The routers of all nouns, in the order of the API's description."""

from __future__ import annotations

from typing import Final

from fastapi import APIRouter

from api import api_keys, audit, authorities, certificates, decrypt, encrypt, identities, me, messages, recipients

ROUTERS: Final[tuple[APIRouter, ...]] = (
    messages.router,
    encrypt.router,
    decrypt.router,
    recipients.router,
    identities.router,
    certificates.router,
    authorities.router,
    api_keys.router,
    me.router,
    audit.router,
)

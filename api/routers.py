"""The routers of all nouns, in the order of the API's description."""

from __future__ import annotations

from typing import Final

from fastapi import APIRouter

from api import api_keys, audit, authorities, certificates, identities, me, messages

ROUTERS: Final[tuple[APIRouter, ...]] = (
    messages.router,
    identities.router,
    certificates.router,
    authorities.router,
    api_keys.router,
    me.router,
    audit.router,
)

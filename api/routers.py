"""The routers of all nouns, in the order of the API's description."""

from __future__ import annotations

from typing import Final

from fastapi import APIRouter

ROUTERS: Final[tuple[APIRouter, ...]] = ()

"""Negotiation, which of several media types an answer has (RFC 9110 12.5.1)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from starlette.requests import Request

from api.errors import NotAcceptable

RANGES: Final = 64
_Range = tuple[str, str, float]


def choose(request: Request, offers: Sequence[str]) -> str:
    """The offer that Accept likes best, among equals the first; so the first is also the answer to `*/*` or none."""
    ranges = _ranges(",".join(request.headers.getlist("accept")))
    if not ranges:
        return offers[0]
    ranked = [(_quality(offer, ranges), -index, offer) for index, offer in enumerate(offers)]
    quality, _, offer = max(ranked)
    if quality == 0:
        raise NotAcceptable(f"this call answers with {', '.join(offers)}")
    return offer


def _ranges(accept: str) -> list[_Range]:
    found = [_range(text) for text in accept.split(",", RANGES)[:RANGES]]
    return [item for item in found if item is not None]


def _range(text: str) -> _Range | None:
    """One media range with its weight; None for what is not one, as the field is only a wish."""
    media, *parameters = (piece.strip().lower() for piece in text.split(";"))
    kind, slash, subtype = media.partition("/")
    if not (kind and slash and subtype):
        return None
    weight = next((value for name, _, value in (item.partition("=") for item in parameters) if name == "q"), "1")
    try:
        quality = float(weight)
    except ValueError:
        return None
    return (kind, subtype, quality) if 0 <= quality <= 1 else None


def _quality(offer: str, ranges: list[_Range]) -> float:
    """The weight of the most specific range that covers the offer."""
    kind, _, subtype = offer.partition("/")
    for wanted in ((kind, subtype), (kind, "*"), ("*", "*")):
        weights = [quality for *named, quality in ranges if tuple(named) == wanted]
        if weights:
            return max(weights)
    return 0.0

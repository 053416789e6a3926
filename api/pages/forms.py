"""Form, what a browser sends from one of our pages: read strictly, bounded, and only from a page of this site."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from types import MappingProxyType
from typing import Final
from urllib.parse import parse_qsl, urlsplit

from starlette.requests import Request

from api import multipart
from api.bodies import media_type
from api.errors import ParameterTwice, RequestMalformed, UnknownParameter, UnsupportedMediaType
from api.inflow import inflow_of
from api.multipart import Budget
from api.pages.errors import FormFromElsewhere
from api.site import site_of

OCTETS: Final = 16 * 1024
FIELDS: Final = 16
URLENCODED: Final = "application/x-www-form-urlencoded"
MULTIPART: Final = "multipart/form-data"
_FIELD_OCTETS: Final = 4 * 1024
# Boundaries, the headers of the parts, and their line ends.
_OVERHEAD: Final = 16 * 1024
# `none` is a form that the person sends again by themselves, as after a page was closed.
_OUR_OWN: Final = frozenset({"same-origin", "none"})
_PORTS: Final = MappingProxyType({"http": 80, "https": 443})
_LOOPBACK: Final = frozenset({"localhost", "127.0.0.1", "::1"})
_Origin = tuple[str, str, int]


def refuse_from_elsewhere(request: Request) -> None:
    """Refuse with FormFromElsewhere what no page of this site sent, or a browser that does not say who did.

    Sec-Fetch-Site counts where there is one; older browsers send Origin alone.
    """
    site = request.headers.getlist("sec-fetch-site")
    if site:
        if len(site) > 1 or site[0] not in _OUR_OWN:
            raise FormFromElsewhere("the form was sent from another site")
        return
    given = request.headers.getlist("origin")
    origin = _origin(given[0]) if len(given) == 1 else None
    if origin is None or origin not in _our_origins(site_of(request).public_url):
        raise FormFromElsewhere("the request does not say that a page of this site sent it")


def _origin(text: str) -> _Origin | None:
    """The origin of an address (RFC 6454 4); None for one that has none, such as `null`."""
    try:
        parts = urlsplit(text)
        port = parts.port or _PORTS.get(parts.scheme)
    except ValueError:  # brackets without an address, a port that is none
        return None
    return (parts.scheme, parts.hostname, port) if parts.hostname and port and parts.scheme in _PORTS else None


def _our_origins(public_url: str) -> frozenset[_Origin]:
    """The one origin of this site; on this machine by every name that this machine has."""
    ours = _origin(public_url)
    if ours is None:
        return frozenset()
    scheme, host, port = ours
    return frozenset((scheme, name, port) for name in (_LOOPBACK if host in _LOOPBACK else {host}))


async def read(request: Request, *, names: Collection[str]) -> Mapping[str, str]:
    """The fields of a form of at most 16 KiB, sent from this site; a field that was left out is empty."""
    refuse_from_elsewhere(request)
    if media_type(request) != URLENCODED:
        raise UnsupportedMediaType(f"this form is sent as {URLENCODED}")
    body = await inflow_of(request).read(limit=OCTETS)
    try:
        pairs = parse_qsl(
            body.decode("ascii"),
            keep_blank_values=True,
            strict_parsing=bool(body),
            errors="strict",
            max_num_fields=FIELDS,
        )
    except ValueError:  # not ASCII, not UTF-8 inside, no `=`, too many fields
        raise RequestMalformed("the form cannot be read") from None
    return _once_each(pairs, names=names)


async def read_file(
    request: Request, *, file: str, limit: int, names: Collection[str] = ()
) -> tuple[bytes, Mapping[str, str]]:
    """The one file of a form, of at most `limit` octets and empty if none was chosen, and the fields beside it."""
    refuse_from_elsewhere(request)
    if media_type(request) != MULTIPART:
        raise UnsupportedMediaType(f"this form is sent as {MULTIPART}")
    inflow = inflow_of(request)
    inflow.allow(limit + _FIELD_OCTETS + _OVERHEAD)
    parts = await multipart.read_form(
        inflow.chunks(),
        content_type=request.headers["content-type"],
        budgets=(Budget(frozenset({file}), limit), Budget(frozenset(names), _FIELD_OCTETS)),
    )
    files = [content for name, content in parts if name == file]
    try:
        fields = [(name, content.decode()) for name, content in parts if name != file]
    except UnicodeDecodeError:
        raise RequestMalformed("the form cannot be read") from None
    return (files[0] if files else b""), _once_each(fields, names=names)


def _once_each(pairs: list[tuple[str, str]], *, names: Collection[str]) -> Mapping[str, str]:
    fields = dict.fromkeys(names, "")
    seen: set[str] = set()
    for name, value in pairs:
        if name not in fields:
            raise UnknownParameter(f"this form knows no field {name[:40]!r}")
        if name in seen:
            raise ParameterTwice(f"the form holds {name} twice")
        if "\x00" in value:
            raise RequestMalformed("the form holds a null character")
        seen.add(name)
        fields[name] = value
    return fields

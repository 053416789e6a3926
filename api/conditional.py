"""Conditional answers (RFC 9110 13): stored bytes with a strong ETag, and 304 for who has them already."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from datetime import datetime
from email.utils import format_datetime

from starlette.requests import Request
from starlette.responses import Response

NOT_MODIFIED = 304
_ONLY_WITH_CONTENT = ("content-length", "content-type")


def answer(request: Request, content: bytes, *, media_type: str, headers: Mapping[str, str]) -> Response:
    """200 with the content, or 304 if If-None-Match names it; the ETag is the SHA-256 of the content."""
    tag = f'"{hashlib.sha256(content).hexdigest()}"'
    response = Response(content, media_type=media_type, headers={**headers, "ETag": tag})
    if request.scope["method"] == "GET" and tag in _tags(request):
        response.status_code = NOT_MODIFIED
        response.body = b""
        for name in _ONLY_WITH_CONTENT:
            del response.headers[name]
    return response


def http_date(at: datetime) -> str:
    """The time as HTTP writes it; `at` is UTC."""
    return format_datetime(at, usegmt=True)


def _tags(request: Request) -> set[str]:
    listed = ",".join(request.headers.getlist("if-none-match"))
    return {tag.strip().removeprefix("W/") for tag in listed.split(",")}

"""Paging: lists come in pieces, newest first; an opaque cursor says where the next piece begins.

It names the last item that was given, so that what is added meanwhile neither moves nor hides what was there.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
from collections.abc import Callable, Sequence
from typing import Annotated, Final, Generic, TypeVar
from urllib.parse import quote, urlencode

from fastapi import Depends
from pydantic import BaseModel, ConfigDict, Field
from starlette.requests import Request
from starlette.responses import Response

from api.errors import CursorMalformed, ParameterTwice

T = TypeVar("T")

VERSION: Final = 2
LONGEST: Final = 512
# What may differ from piece to piece.
_OF_THE_PIECE: Final = ("cursor", "limit")


class PageQuery(BaseModel):
    """The query of a list; a noun adds its filters. Use as `Annotated[..., Query()]`."""

    model_config = ConfigDict(extra="forbid")

    limit: int = Field(default=50, ge=1, le=200, description="How many items at most")
    cursor: str | None = Field(default=None, max_length=LONGEST, description="`next` of the answer before")

    @property
    def before_id(self) -> str | None:
        """The id that the cursor names; CursorMalformed unless we made it."""
        return None if self.cursor is None else read_cursor(self.cursor)[0]


async def check_query(request: Request) -> None:
    """Let nothing stand twice in the query of a list, and no cursor that was made for another list or other filters."""
    seen: set[str] = set()
    for name, _ in request.query_params.multi_items():
        if name in seen:
            raise ParameterTwice(f"the parameter {name[:40]!r} is given twice", pointers=(f"/{name[:40]}",))
        seen.add(name)
    cursor = request.query_params.get("cursor", "")
    if "cursor" in seen and len(cursor) <= LONGEST and read_cursor(cursor)[1] != _list_of(request):
        raise CursorMalformed("this cursor belongs to another list, or to other filters", pointers=("/cursor",))


# Stands in a list's signature behind the caller: who may not come in learns nothing of what is wrong.
Once = Annotated[None, Depends(check_query)]


class Page(BaseModel, Generic[T]):
    """A piece of the list."""

    items: list[T]
    next: str | None = Field(description="The cursor of the next piece, or null at the end")


def cut(
    rows: Sequence[T], *, limit: int, id_of: Callable[[T], str], request: Request, response: Response
) -> tuple[Sequence[T], str | None]:
    """The piece, and the cursor of the next one, also as a Link header; ask for `limit` + 1 rows, to know if there is one."""
    piece = rows[:limit]
    if len(rows) <= limit:
        return piece, None
    cursor = write_cursor(id_of(piece[-1]), of=_list_of(request))
    others = [(name, value) for name, value in request.query_params.multi_items() if name != "cursor"]
    # Relative, so that it is right behind every proxy (RFC 8288 3.1).
    response.headers["Link"] = (
        f'<{quote(request.scope["path"])}?{urlencode([*others, ("cursor", cursor)])}>; rel="next"'
    )
    return piece, cursor


def write_cursor(item_id: str, *, of: str) -> str:
    """The cursor for what comes after this item of this list."""
    text = json.dumps({"v": VERSION, "before": item_id, "of": of}, separators=(",", ":"))
    return base64.urlsafe_b64encode(text.encode()).rstrip(b"=").decode()


def read_cursor(cursor: str) -> tuple[str, str]:
    """The item after which the list goes on, and the list; CursorMalformed unless we made it."""
    try:
        text = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
        match json.loads(text):
            case {"v": 2, "before": str(item_id), "of": str(of), **rest} if not rest and _is_plain(item_id):
                return item_id, of
    except (binascii.Error, ValueError, RecursionError):
        pass
    raise CursorMalformed("this cursor was not made here", pointers=("/cursor",))


def _list_of(request: Request) -> str:
    filters = [item for item in request.query_params.multi_items() if item[0] not in _OF_THE_PIECE]
    return name_of(request.scope["path"], filters)


def name_of(path: str, filters: Sequence[tuple[str, str]]) -> str:
    """A short name of a list with its filters, by which its cursors are known."""
    return hashlib.sha256(json.dumps([path, sorted(filters)]).encode()).hexdigest()[:16]


def _is_plain(item_id: str) -> bool:
    return item_id.isascii() and item_id.isprintable()

"""Paging: lists come in pieces, newest first; an opaque cursor says where the next piece begins."""

from __future__ import annotations

import base64
import binascii
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

VERSION: Final = 1


class PageQuery(BaseModel):
    """The query of a list; a noun adds its filters. Use as `Annotated[..., Query()]`."""

    model_config = ConfigDict(extra="forbid")

    limit: int = Field(default=50, ge=1, le=200, description="How many items at most")
    cursor: str | None = Field(default=None, max_length=512, description="`next` of the answer before")

    @property
    def before_id(self) -> str | None:
        """The id that the cursor names; CursorMalformed unless we made it."""
        return None if self.cursor is None else read_cursor(self.cursor)


async def refuse_doubled(request: Request) -> None:
    """Let nothing stand twice in the query of a list."""
    seen: set[str] = set()
    for name, _ in request.query_params.multi_items():
        if name in seen:
            raise ParameterTwice(f"the parameter {name[:40]!r} is given twice", pointers=(f"/{name[:40]}",))
        seen.add(name)


# Stands in a list's signature behind the caller: who may not come in learns nothing of what is wrong.
Once = Annotated[None, Depends(refuse_doubled)]


class Page(BaseModel, Generic[T]):
    """A piece of a list."""

    items: list[T]
    next: str | None = Field(description="The cursor of the next piece, or null at the end")


def cut(
    rows: Sequence[T], *, limit: int, id_of: Callable[[T], str], request: Request, response: Response
) -> tuple[Sequence[T], str | None]:
    """The piece, and the cursor of the next one, also as a Link header; ask for `limit` + 1 rows, to know if there is one."""
    piece = rows[:limit]
    if len(rows) <= limit:
        return piece, None
    cursor = write_cursor(id_of(piece[-1]))
    others = [(name, value) for name, value in request.query_params.multi_items() if name != "cursor"]
    # Relative, so that it is right behind every proxy (RFC 8288 3.1).
    response.headers["Link"] = (
        f'<{quote(request.scope["path"])}?{urlencode([*others, ("cursor", cursor)])}>; rel="next"'
    )
    return piece, cursor


def write_cursor(item_id: str) -> str:
    """The cursor for what comes after this item."""
    text = json.dumps({"v": VERSION, "before": item_id}, separators=(",", ":"))
    return base64.urlsafe_b64encode(text.encode()).rstrip(b"=").decode()


def read_cursor(cursor: str) -> str:
    """The item after which the list goes on."""
    try:
        text = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
        match json.loads(text):
            case {"v": 1, "before": str(item_id), **rest} if not rest and item_id.isascii() and item_id.isprintable():
                return item_id
    except (binascii.Error, ValueError, RecursionError):
        pass
    raise CursorMalformed("this cursor was not made here", pointers=("/cursor",))

"""Mailseal within this process: a demo CA in a temporary folder, and requests without a network."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from api import log
from api.app import create_app
from api.envelope import Envelope
from bench.client import Request
from bench.errors import Failed
from bench.mail import MAILBOX
from formats.mailbox import Mailbox
from services import access, founding, identities, start
from services.context import Context
from services.settings import load_settings
from services.words.problems import TITLES

AT_A_TIME = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class Within:
    """The context, the application around it, and the first administrator's key."""

    context: Context
    app: Envelope
    key: str


@contextmanager
def within(parent: Path | None = None) -> Iterator[Within]:
    """Found a demo CA with one identity whose keys are P-256, in a new folder of `parent`, and open it here."""
    with tempfile.TemporaryDirectory(dir=parent, prefix="mailseal-bench-") as folder:
        settings = load_settings({"MAILSEAL_DATA": folder}, demo=True)
        founding.found(settings, demo=True, progress=lambda _: None, agree=lambda _: True)
        log.configure(settings.log_level)
        context = start.open_context(settings, demo=True)
        try:
            caller = access.operator(request_id="bench")
            mailbox = Mailbox.parse(MAILBOX)
            identities.add(context, caller, mailbox=mailbox, key="p256", encryption_key="p256")
            key = Path(folder, founding.ADMIN_KEY).read_text().strip()
            yield Within(context=context, app=create_app(context, titles=TITLES), key=key)
        finally:
            start.close_context(context)


def scope_of(request: Request) -> dict[str, Any]:
    """The ASGI scope, as uvicorn makes it."""
    headers = (("host", "localhost:8000"), ("content-length", str(len(request.body))), *request.headers)
    path, _, query = request.path.partition("?")
    return {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": "1.1",
        "server": ("127.0.0.1", 8000),
        "client": ("127.0.0.1", 50000),
        "scheme": "http",
        "method": request.method,
        "root_path": "",
        "path": unquote(path),
        "raw_path": path.encode(),
        "query_string": query.encode(),
        "headers": [(name.lower().encode(), value.encode()) for name, value in headers],
        "state": {},
    }


async def ask(app: Envelope, request: Request) -> tuple[int, bytes]:
    """Make one request; status and body of the answer."""
    status, pieces, is_sent = 0, [], False

    async def receive() -> dict[str, Any]:
        nonlocal is_sent
        if is_sent:
            await asyncio.Event().wait()
        is_sent = True
        return {"type": "http.request", "body": request.body, "more_body": False}

    async def send(message: Any) -> None:
        nonlocal status
        status = message.get("status", status)
        pieces.append(message.get("body", b""))

    await app(scope_of(request), receive, send)
    return status, b"".join(pieces)


async def require(app: Envelope, request: Request) -> bytes:
    """Make one request; the body of an answer that is a success."""
    status, body = await ask(app, request)
    if status // 100 != 2:
        raise Failed(f"{request.method} {request.path[:40]} was answered with {status}: {body[:500]!r}")
    return body


async def repeat(app: Envelope, request: Request, *, times: int) -> None:
    """Make a request so many times, 16 at a time; Failed if an answer is not a success."""
    turns = count()

    async def one_after_the_other() -> None:
        while next(turns) < times:
            await require(app, request)

    await asyncio.gather(*(one_after_the_other() for _ in range(AT_A_TIME)))

"""The command line's way to the service: HTTP with an API key, and its refusals in the words of the terminal."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import httpx

from cli import terminal
from cli.terminal import COULD_NOT_RUN, NO, Stop
from services import credential, founding
from services.settings import data_folder, local_port

TIMEOUT_SECONDS: Final = 60.0
KEY_OCTETS: Final = 4096

Query = Mapping[str, str | int | None]


@contextmanager
def connect() -> Iterator[httpx.Client]:
    """A client of the service at MAILSEAL_URL (this machine's) with the key in MAILSEAL_API_KEY_FILE (the local admin key)."""
    # A key of this campus must not go to whatever else listens on the usual port.
    url = os.environ.get("MAILSEAL_URL") or f"http://localhost:{local_port(os.environ)}"
    if not url.startswith(("http://", "https://")):
        terminal.stop(
            "MAILSEAL_URL does not begin with http:// or https://", hint="write it like http://localhost:8000"
        )
    headers = {"Authorization": f"Bearer {_key()}"}
    try:
        with httpx.Client(
            base_url=url, headers=headers, timeout=TIMEOUT_SECONDS, trust_env=not _is_local(url)
        ) as client:
            yield client
    except httpx.TransportError as error:
        terminal.stop(
            f"{url} does not answer: {error}", hint="is the service running there? MAILSEAL_URL names another one"
        )
    except httpx.InvalidURL:
        terminal.stop("MAILSEAL_URL is not a URL", hint="write it like https://mailseal.campus.example")


def call(
    client: httpx.Client,
    method: str,
    path: str,
    *,
    query: Query | None = None,
    body: object = None,
    content: bytes | None = None,
    media_type: str | None = None,
    accept: str = "application/json",
) -> httpx.Response:
    """One call; a refusal ends the command with the problem's words: exit 1 for a no, 2 for what could not run."""
    headers = {"Accept": accept} | ({"Content-Type": media_type} if media_type else {})
    response = client.request(
        method,
        path,
        params={name: value for name, value in (query or {}).items() if value is not None},
        json=body,
        content=content,
        headers=headers,
    )
    if not response.is_success:
        raise _refusal(response)
    return response


def every_item(client: httpx.Client, path: str, *, query: Query) -> Iterator[dict[str, object]]:
    """Every entry of a list, page by page."""
    cursor: str | None = None
    while True:
        page = call(client, "GET", path, query={**query, "limit": 200, "cursor": cursor}).json()
        yield from page["items"]
        cursor = page.get("next")
        if cursor is None:
            return


def _key() -> str:
    named = os.environ.get("MAILSEAL_API_KEY_FILE")
    path = Path(named) if named else data_folder(os.environ) / founding.ADMIN_KEY
    hint = "name its file: MAILSEAL_API_KEY_FILE=/path/to/key; a lost one is replaced by mailseal api-keys add --local"
    try:
        text = path.read_bytes()[:KEY_OCTETS].decode("ascii", "replace").strip()
    except OSError:
        terminal.stop(f"no API key can be read in {path}", hint=hint)
    # Whatever else is in the file, perhaps a private key, goes nowhere: neither into a request nor into a message.
    if not credential.is_well_formed(text):
        terminal.stop(f"{path} does not hold an API key", hint=hint)
    return text


def _is_local(url: str) -> bool:
    """Calls to this machine never go through a proxy."""
    return httpx.URL(url).host in {"localhost", "127.0.0.1", "::1"}


def _refusal(response: httpx.Response) -> Stop:
    problem = _problem(response)
    detail = str(problem.get("detail") or problem.get("title") or f"the service answered {response.status_code}")
    code = problem.get("code")
    return Stop(
        f"{detail} ({code})" if code else detail,
        hint=str(problem.get("hint") or ""),
        exit_code=COULD_NOT_RUN if response.status_code >= 500 else NO,
    )


def _problem(response: httpx.Response) -> dict[str, object]:
    try:
        problem = response.json()
    except ValueError:
        return {}
    return problem if isinstance(problem, dict) else {}

"""The real service, as a user starts it: a process of its own with a demo CA in a temporary folder."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

READY_SECONDS = 60
STOP_SECONDS = 20


@dataclass(frozen=True)
class Served:
    """A running service: its address, its data folder, its process and a client with the first admin key."""

    url: str
    data: Path
    process: subprocess.Popen[bytes]
    http: httpx.Client
    environ: Mapping[str, str]

    @property
    def key_file(self) -> Path:
        return self.data / "admin.key"

    @property
    def log(self) -> str:
        return (self.data.parent / "log").read_text()

    def wait_for(self, line: str) -> bool:
        """Whether the log holds this line, within a while."""
        deadline = time.monotonic() + READY_SECONDS
        while line not in self.log.splitlines():
            if time.monotonic() > deadline:
                return False
            time.sleep(0.1)
        return True

    def post(self, path: str, *, status: int = 200, **request: Any) -> httpx.Response:
        """A POST that must be answered with this status."""
        answer = self.http.post(path, **request)
        assert answer.status_code == status, answer.text
        return answer

    def sign(self, message: bytes, **query: str) -> bytes:
        """Sign a message by the service."""
        return self.post("/v1/sign", content=message, params=query, headers={"Content-Type": "message/rfc822"}).content

    def verify(self, message: bytes) -> dict[str, Any]:
        """The report on a message."""
        answer = self.post("/v1/verify", content=message, headers={"Content-Type": "message/rfc822"})
        report: dict[str, Any] = answer.json()
        return report


def free_port() -> int:
    """A port of this machine that nobody uses just now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@contextmanager
def serve(
    folder: Path, *, port: int | None = None, workers: int = 1, key: str | None = None, **settings: str
) -> Iterator[Served]:
    """Start the service as `mailseal serve --init --demo` and stop it, and only it, at the end.

    `key` is the API key for a second node, which has no first admin key of its own.
    """
    chosen = port or free_port()
    environ = {name: value for name, value in os.environ.items() if not name.startswith("MAILSEAL_")} | {
        "MAILSEAL_DATA": str(folder / "data"),
        "MAILSEAL_PORT": str(chosen),
        "MAILSEAL_URL": f"http://localhost:{chosen}",
        **settings,
    }
    command = [sys.executable, "-m", "cli", "serve", "--init", "--demo", "--workers", str(workers)]
    with (folder / "log").open("ab") as log:
        process = subprocess.Popen(command, env=environ, stdout=log, stderr=log, start_new_session=True)
    url = f"http://localhost:{chosen}"
    try:
        _wait_until_ready(url, process, folder / "log")
        key = key or (folder / "data" / "admin.key").read_text().strip()
        with httpx.Client(
            base_url=url, headers={"Authorization": f"Bearer {key}"}, timeout=30, trust_env=False
        ) as client:
            yield Served(url=url, data=folder / "data", process=process, http=client, environ=environ)
    finally:
        _stop(process)


def _wait_until_ready(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + READY_SECONDS
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise AssertionError(f"the service ended with {process.returncode}:\n{log.read_text()}")
        try:
            if httpx.get(f"{url}/readyz", timeout=2, trust_env=False).status_code == 200:
                return
        except httpx.TransportError:
            pass
        time.sleep(0.1)
    raise AssertionError(f"the service was not ready in {READY_SECONDS} s:\n{log.read_text()}")


def _stop(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is None:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait(STOP_SECONDS)

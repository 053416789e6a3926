"""The service with the bench's yardsticks, in processes of its own, as `mailseal serve` runs it.

`python -m bench.served FILE_DESCRIPTOR WORKERS` is such a service; `serving` starts one and stops it.
"""

from __future__ import annotations

import ctypes
import http.client
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import uvicorn
from uvicorn.supervisors import Multiprocess

from api import main as served
from bench import yardsticks
from bench.client import Pressed, Request, press
from bench.errors import Failed

if TYPE_CHECKING:
    from api.envelope import Envelope

ROOT = Path(__file__).parents[1]
READY_SECONDS = 40
STOP_SECONDS = 20
_PR_SET_PDEATHSIG = 1
_READY = "BENCH_READY"


@dataclass(frozen=True, slots=True, kw_only=True)
class Served:
    """A running service on a port of this machine."""

    port: int
    process: subprocess.Popen[bytes]

    def press(self, request: Request, *, connections: int, seconds: float) -> Pressed:
        """Ask for so long, and count what the service's processes took for it."""
        before = cpu_seconds(self.process.pid)
        pressed = press(request, port=self.port, connections=connections, seconds=seconds)
        after = cpu_seconds(self.process.pid)
        if before is None or after is None:
            return pressed
        # What was under way at the end of the turn was worked on as well.
        share = pressed.turn.times / max(pressed.answers, 1)
        return pressed.answered_in((after - before) * share)

    def ask(self, request: Request) -> bytes:
        """Make the request once; the body of its answer."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        try:
            connection.request(request.method, request.path, request.body, dict(request.headers))
            answer = connection.getresponse()
            body = answer.read()
        except (OSError, http.client.HTTPException) as error:
            raise Failed(f"{request.method} {request.path[:40]}: {error}") from None
        finally:
            connection.close()
        if answer.status // 100 != 2:
            raise Failed(f"{request.method} {request.path[:40]} was answered with {answer.status}: {body[:500]!r}")
        return body


@contextmanager
def serving(data: Path, *, workers: int) -> Iterator[Served]:
    """Serve the CA in this folder with so many processes until the end, and stop them and only them."""
    bound = socket.create_server(("127.0.0.1", 0), backlog=2048)
    with bound, tempfile.TemporaryDirectory(dir=data, prefix="bench-") as folder:
        port = bound.getsockname()[1]
        environ = {name: value for name, value in os.environ.items() if not name.startswith("MAILSEAL_")} | {
            "MAILSEAL_DATA": str(data),
            "MAILSEAL_URL": f"http://localhost:{port}",
            _READY: folder,
        }
        log = Path(folder, "log")
        command = [sys.executable, "-m", "bench.served", str(bound.fileno()), str(workers)]
        with log.open("wb") as sink:
            process = subprocess.Popen(
                command, cwd=ROOT, env=environ, stdout=sink, stderr=sink, pass_fds=[bound.fileno()],
                start_new_session=True,
            )  # fmt: skip
        bound.close()
        try:
            _wait_until_ready(process, Path(folder), workers=workers)
            yield Served(port=port, process=process)
        finally:
            _stop(process)


def _wait_until_ready(process: subprocess.Popen[bytes], folder: Path, *, workers: int) -> None:
    deadline = time.monotonic() + READY_SECONDS
    while len(list(folder.glob("ready-*"))) < workers:
        if process.poll() is not None or time.monotonic() > deadline:
            said = (folder / "log").read_text(errors="replace")[-2000:]
            raise Failed(f"the service did not start:\n{said}")
        time.sleep(0.05)


def _stop(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is not None:
        return
    process.send_signal(signal.SIGTERM)
    try:
        process.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)  # its own session: it and its workers
        process.wait(STOP_SECONDS)


def cpu_seconds(pid: int) -> float | None:
    """What a process and its children have taken so far; None where the system does not tell."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    except OSError:
        return None
    mine = (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    return mine + sum(cpu_seconds(int(child)) or 0.0 for child in children)


def create() -> Envelope:
    """The application that `mailseal serve` serves, with the yardsticks."""
    app = served.create()
    yardsticks.mount(app)
    Path(os.environ[_READY], f"ready-{os.getpid()}").touch()
    return app


def main() -> None:
    bound = socket.socket(fileno=int(sys.argv[1]))
    bound.set_inheritable(True)
    if sys.platform == "linux":  # a bench that is killed leaves nothing behind
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
    workers = int(sys.argv[2])
    config = uvicorn.Config(
        "bench.served:create",
        factory=True,
        workers=workers,
        log_config=None,
        access_log=False,
        server_header=False,
        http="api.connection:Connection",
        ws="none",
        date_header=True,
        proxy_headers=False,
        timeout_keep_alive=30,
        timeout_worker_healthcheck=30,
    )
    if workers == 1:
        uvicorn.Server(config).run(sockets=[bound])
    else:
        Multiprocess(config, sockets=[bound]).run()


if __name__ == "__main__":
    main()

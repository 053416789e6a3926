"""`mailseal serve`: binds first, founds if asked to, then serves API and pages with one process per worker."""

from __future__ import annotations

import os
import socket
from typing import Annotated

import typer
import uvicorn
from uvicorn.supervisors import Multiprocess

from cli import init, terminal
from services import start
from services.settings import Settings
from services.words import first_steps

# A worker that is busy signing must not be taken for dead.
HEALTH_CHECK_SECONDS = 30


def serve(
    make: Annotated[bool, typer.Option("--init", help="Make the CA first, if there is none.")] = False,
    demo: Annotated[bool, typer.Option("--demo", help="Serve a demonstration CA that nobody should trust.")] = False,
    workers: Annotated[int | None, typer.Option("--workers", min=1, max=64, help="How many processes.")] = None,
) -> None:
    """Serve the API, the pages and the timetable of jobs."""
    settings, is_demo = init.settings_of_this_machine(demo=demo)
    with _bind(settings) as bound:
        if make:
            init.found(settings, demo=is_demo, yes=False)
        else:
            # Refuses here, with one line, what every worker would refuse with a traceback.
            start.close_context(start.open_context(settings, demo=is_demo))
        if is_demo:
            terminal.say(first_steps.lines(settings.public_url, key_file=str((settings.data / "admin.key").resolve())))
        _run(settings, bound, workers=workers or settings.workers)


def _bind(settings: Settings) -> socket.socket:
    """A listening socket, before anything slow is done: a taken port is told at once."""
    try:
        family = socket.getaddrinfo(settings.host, settings.port, type=socket.SOCK_STREAM)[0][0]
        bound = socket.socket(family, socket.SOCK_STREAM)
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.bind((settings.host, settings.port))
        bound.listen(2048)
    except OSError as error:
        terminal.stop(
            f"{settings.host} port {settings.port} cannot be used: {error.strerror or error}",
            hint="stop what uses it, or choose another: MAILSEAL_PORT=8001",
        )
    bound.set_inheritable(True)
    return bound


def _run(settings: Settings, bound: socket.socket, *, workers: int) -> None:
    config = uvicorn.Config(
        "api.main:create",
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
        timeout_worker_healthcheck=HEALTH_CHECK_SECONDS,
    )
    os.environ["MAILSEAL_DATA"] = str(settings.data.resolve())
    host = f"[{settings.host}]" if ":" in settings.host else settings.host
    here = f"listening on http://{host}:{settings.port} as {settings.public_url}, stop with Ctrl-C"
    if workers == 1:
        _Server(config, here=here).run(sockets=[bound])
    else:
        _Workers(config, sockets=[bound], here=here).run()


class _Server(uvicorn.Server):
    """Uvicorn's, that says where it listens once it does."""

    def __init__(self, config: uvicorn.Config, *, here: str) -> None:
        super().__init__(config)
        self._here = here

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            terminal.note(self._here)


class _Workers(Multiprocess):
    """Uvicorn's, that says where they listen once all of them do."""

    def __init__(self, config: uvicorn.Config, *, sockets: list[socket.socket], here: str) -> None:
        super().__init__(config, sockets)
        self._here = here
        self._is_told = False

    def keep_subprocess_alive(self) -> None:
        super().keep_subprocess_alive()
        if not self._is_told and all(process.is_ready(HEALTH_CHECK_SECONDS) for process in self.processes):
            self._is_told = True
            terminal.note(self._here)

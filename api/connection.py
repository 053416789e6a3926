"""Connection, what uvicorn does with one TCP connection, with bounds on heads, trailers and readers who do not read.

uvicorn itself waits for ever for a head and for a reader, keeps a head of any size in memory, and takes trailers for
headers. Give it to uvicorn as `http="api.connection:Connection"`.
"""

from __future__ import annotations

import asyncio
from typing import Any, Final

from uvicorn._types import ASGI3Application
from uvicorn.config import Config
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle
from uvicorn.server import ServerState

HEAD_OCTETS: Final = 64 * 1024
HEAD_SECONDS: Final = 10.0
TRAILER_OCTETS: Final = 64 * 1024
UNREAD_SECONDS: Final = 60.0
# What waits must be read within so many times that.
UNREAD_TURNS: Final = 10
_TOO_LARGE: Final = b"HTTP/1.1 431 Request Header Fields Too Large\r\nconnection: close\r\ncontent-length: 0\r\n\r\n"


class Connection(HttpToolsProtocol):
    """A connection with bounds; what oversteps one is closed.

    A head may take 10 s and about 64 KiB, trailers about 64 KiB, and a client may leave answers unread for 60 s,
    or read a tenth of what waits in that time.
    """

    head_seconds = HEAD_SECONDS
    unread_seconds = UNREAD_SECONDS

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        self._head_octets = 0
        self._head_timer: asyncio.TimerHandle | None = None
        self._in_body = False
        self._trailer_octets = 0
        self._unread_timer: asyncio.TimerHandle | None = None
        self._unread_octets = self._unread_share = 0
        self._running: RequestResponseCycle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as in uvicorn
        """Begin to wait for the first head."""
        super().connection_made(transport)
        self._await_head()

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop waiting, and let the request that runs know."""
        self._end_head()
        self._end_unread()
        self._leave_running()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Read on; outside a body every octet belongs to a head."""
        if not self._in_body:
            self._await_head()
        self._head_octets += len(data)
        self._trailer_octets += len(data)
        super().data_received(data)
        if self._in_body and self._trailer_octets > TRAILER_OCTETS:
            self.transport.abort()
        if self._head_timer is not None and self._head_octets > HEAD_OCTETS and not self.transport.is_closing():
            self.transport.write(_TOO_LARGE)
            self.transport.close()

    def on_message_begin(self) -> None:
        """A head begins, perhaps behind the body before it."""
        self._await_head()
        super().on_message_begin()

    def on_header(self, name: bytes, value: bytes) -> None:
        """A header; trailers are dropped, since no call knows of any (RFC 9110 6.5.1)."""
        if not self._in_body:
            super().on_header(name, value)

    def on_headers_complete(self) -> None:
        """The head is there."""
        self._end_head()
        self._in_body = True
        self._trailer_octets = 0
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        """A piece of the body; only what comes behind the last one can be trailers."""
        # Octets are counted and not fields, because the parser keeps an unfinished field of any size.
        self._trailer_octets = 0
        super().on_body(body)

    def on_message_complete(self) -> None:
        """The body is there."""
        self._in_body = False
        super().on_message_complete()

    def pause_writing(self) -> None:
        """The client does not read: give it a while."""
        super().pause_writing()
        if self._unread_timer is None:
            self._unread_octets = self.transport.get_write_buffer_size()
            self._unread_share = self._unread_octets // UNREAD_TURNS
            self._await_reading()

    def resume_writing(self) -> None:
        """The client reads."""
        self._end_unread()
        super().resume_writing()

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: ASGI3Application) -> None:
        self._running = cycle
        super()._start_asgi_task(cycle, app)

    def _leave_running(self) -> None:
        # uvicorn tells only the newest of several pipelined requests, and the one that runs writes on.
        if self._running is not None and not self._running.response_complete:
            self._running.disconnected = True
            self._running.message_event.set()

    def _end_unread(self) -> None:
        if self._unread_timer is not None:
            self._unread_timer.cancel()
            self._unread_timer = None

    def _await_reading(self) -> None:
        self._unread_timer = self.loop.call_later(self.unread_seconds, self._look_at_unread)

    def _look_at_unread(self) -> None:
        """Hang up on who reads next to nothing; one who reads slowly gets a large answer whole."""
        left = self.transport.get_write_buffer_size()
        if self._unread_octets - left <= self._unread_share:
            self.transport.abort()
            return
        self._unread_octets = left
        self._await_reading()

    def _await_head(self) -> None:
        if self._head_timer is None:
            self._head_octets = 0
            self._head_timer = self.loop.call_later(self.head_seconds, self._give_up)

    def _end_head(self) -> None:
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None

    def _give_up(self) -> None:
        self._head_timer = None
        if self._in_answer():
            self._await_head()  # a stray line end behind a body must not end the answer that is being made
        else:
            self.transport.close()

    def _in_answer(self) -> bool:
        cycle: RequestResponseCycle | None = self.cycle
        return cycle is not None and not cycle.response_complete

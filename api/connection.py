"""Connection, what uvicorn does with one TCP connection, with bounds on the head of a request.

uvicorn itself waits for ever for a head, and keeps one of any size in memory. Give it to uvicorn as
`http="api.connection:Connection"`.
"""

from __future__ import annotations

import asyncio
from typing import Any, Final

from uvicorn.config import Config
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle
from uvicorn.server import ServerState

HEAD_OCTETS: Final = 64 * 1024
HEAD_SECONDS: Final = 10.0
_TOO_LARGE: Final = b"HTTP/1.1 431 Request Header Fields Too Large\r\nconnection: close\r\ncontent-length: 0\r\n\r\n"


class Connection(HttpToolsProtocol):
    """A connection that is closed when a head takes longer than 10 s or more than about 64 KiB."""

    head_seconds = HEAD_SECONDS

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

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as in uvicorn
        """Begin to wait for the first head."""
        super().connection_made(transport)
        self._await_head()

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop waiting."""
        self._end_head()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Read on; outside a body every octet belongs to a head."""
        if not self._in_body:
            self._await_head()
        self._head_octets += len(data)
        super().data_received(data)
        if self._head_timer is not None and self._head_octets > HEAD_OCTETS and not self.transport.is_closing():
            self.transport.write(_TOO_LARGE)
            self.transport.close()

    def on_message_begin(self) -> None:
        """A head begins, perhaps behind the body before it."""
        self._await_head()
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        """The head is there."""
        self._end_head()
        self._in_body = True
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        """The body is there."""
        self._in_body = False
        super().on_message_complete()

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

"""Relay, the mail server that takes our letters by SMTP (RFC 5321), and nothing else that we would connect to."""

from __future__ import annotations

import asyncio
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Self
from urllib.parse import unquote, urlsplit

from net.connection import Client, Connection, Times


class Encryption(StrEnum):
    """Whether the connection is encrypted: at once, by STARTTLS without exception, or by STARTTLS if it is offered."""

    AT_ONCE = "at once"
    REQUIRED = "required"
    OFFERED = "if offered"


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """Where the relay is, how the connection is encrypted, and as whom we log in, if we do."""

    host: str
    port: int
    encryption: Encryption
    user: str | None = field(default=None, repr=False)
    password: str | None = field(default=None, repr=False)

    @classmethod
    def from_url(cls, url: str) -> Self:
        """The route that smtp:// or smtps:// names; the settings have judged the URL."""
        parts = urlsplit(url)
        at_once = parts.scheme == "smtps"
        plain = Encryption.REQUIRED if parts.query == "starttls=required" else Encryption.OFFERED
        return cls(
            host=parts.hostname or "",
            port=parts.port or (465 if at_once else 25),
            encryption=Encryption.AT_ONCE if at_once else plain,
            user=None if parts.username is None else unquote(parts.username),
            password=None if parts.password is None else unquote(parts.password),
        )


class Relay:
    """Hands letters to one relay, to which `hello` is our name; each thread opens a connection of its own.

    `tls` is what the relay's certificate is judged by, by default as the machine trusts. STARTTLS that is used only
    because it is offered looks at no certificate: whoever stands in between could simply not offer it (RFC 7435).
    """

    def __init__(
        self, route: Route, *, hello: str, tls: ssl.SSLContext | None = None, times: Times | None = None
    ) -> None:
        self._route = route
        self._hello = hello
        self._tls = tls
        self._times = times or Times()
        self._lock = threading.Lock()
        self._connections: set[Connection] = set()
        self._is_stopped = False

    def __repr__(self) -> str:
        return f"<Relay {self._route.host}:{self._route.port}>"

    @property
    def seconds(self) -> float:
        """How long a letter takes at most, in seconds."""
        return self._times.prelude + self._times.command + self._times.answer

    @contextmanager
    def open(self) -> Iterator[Connection]:
        """A connection for several letters, made when the first is sent, and closed when the context ends."""
        with asyncio.Runner() as runner:
            connection = Connection(runner, make_client=self._client, times=self._times)
            with self._lock:
                self._connections.add(connection)
                if self._is_stopped:
                    connection.stop()
            try:
                yield connection
            finally:
                with self._lock:
                    self._connections.discard(connection)
                connection.close()

    def stop(self) -> None:
        """Send nothing more; what the relay has in hands already gets a short grace."""
        with self._lock:
            self._is_stopped = True
            for connection in self._connections:
                connection.stop()

    def _client(self) -> Client:
        route = self._route
        return Client(
            hostname=route.host,
            port=route.port,
            username=route.user,
            password=route.password,
            local_hostname=self._hello,
            timeout=self._times.command,
            use_tls=route.encryption is Encryption.AT_ONCE,
            start_tls={Encryption.AT_ONCE: False, Encryption.REQUIRED: True}.get(route.encryption),
            tls_context=self._context(),
        )

    def _context(self) -> ssl.SSLContext:
        if self._route.encryption is not Encryption.OFFERED:
            return self._tls or ssl.create_default_context()
        context = ssl.create_default_context()
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        return context

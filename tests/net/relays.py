"""Relays for tests: a real SMTP server in a thread, and one that says what a test wants it to say."""

from __future__ import annotations

import asyncio
import socketserver
import ssl
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Any

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult, Envelope, LoginPassword, Session
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from formats.mailbox import Mailbox
from net.connection import Times
from net.letter import Letter

# Short, because a test waits as long.
TIMES = Times(command=0.3, prelude=0.6, answer=0.6, grace=0.2)
HANG = None
HANG_UP = b""


@dataclass(frozen=True, kw_only=True)
class Taken:
    """A letter as a relay took it."""

    sender: str
    recipients: list[str]
    data: bytes
    options: list[str]
    session: int
    encrypted: bool
    user: bytes | None


@dataclass(kw_only=True)
class RealRelay:
    """What a real SMTP server has taken so far, and where it is."""

    port: int = 0
    taken: list[Taken] = field(default_factory=list)
    answer: str = "250 taken"

    @property
    def url(self) -> str:
        return f"smtp://127.0.0.1:{self.port}"

    async def handle_DATA(  # noqa: N802  # the name that aiosmtpd looks for
        self, _server: object, session: Session, envelope: Envelope
    ) -> str:
        login: object = session.auth_data
        self.taken.append(
            Taken(
                sender=envelope.mail_from or "",
                recipients=list(envelope.rcpt_tos),
                data=envelope.original_content or b"",
                options=list(envelope.mail_options),
                session=id(session),
                encrypted=_is_there(session.ssl),
                user=login.login if isinstance(login, LoginPassword) else None,
            )
        )
        return self.answer


def _is_there(value: object) -> bool:
    """Whether it is set; aiosmtpd's types say that it never is."""
    return value is not None


class _Controller(Controller):
    """One that takes whatever port is free."""

    def _trigger_server(self) -> None:
        assert isinstance(self.server, asyncio.Server)
        self.port = self.server.sockets[0].getsockname()[1]
        super()._trigger_server()  # type: ignore[no-untyped-call]  # aiosmtpd's


@contextmanager
def real_relay(*, answer: str = "250 taken", **options: Any) -> Iterator[RealRelay]:
    """A real SMTP server (aiosmtpd) on the loopback address, which says `answer` to each letter."""
    relay = RealRelay(answer=answer)
    controller = _Controller(relay, hostname="127.0.0.1", port=0, **options)
    controller.start()
    relay.port = controller.port
    try:
        yield relay
    finally:
        controller.stop()


def let_in(user: bytes, password: bytes) -> Any:
    """An authenticator that knows one user."""

    def authenticate(_server: object, _session: object, _envelope: object, _mechanism: str, data: Any) -> AuthResult:
        return AuthResult(success=(data.login, data.password) == (user, password), auth_data=data, handled=False)

    return authenticate


@dataclass(kw_only=True)
class ScriptedRelay:
    """A server that answers each command as it was told to; `.` stands for the end of a letter."""

    answers: dict[str, bytes | None]
    port: int = 0
    heard: list[str] = field(default_factory=list)
    letters: list[bytes] = field(default_factory=list)
    reached: threading.Event = field(default_factory=threading.Event)

    @property
    def url(self) -> str:
        return f"smtp://127.0.0.1:{self.port}"


_POLITE: Mapping[str, bytes | None] = {
    "greeting": b"220 relay\r\n",
    "EHLO": b"250-relay\r\n250 HELP\r\n",
    "HELO": b"250 relay\r\n",
    "MAIL": b"250 ok\r\n",
    "RCPT": b"250 ok\r\n",
    "DATA": b"354 go ahead\r\n",
    ".": b"250 taken\r\n",
    "QUIT": b"221 bye\r\n",
}


@contextmanager
def scripted_relay(**answers: bytes | None) -> Iterator[ScriptedRelay]:
    """A server that is polite but for these answers: HANG, HANG_UP, or the octets; `end` is the end of a letter."""
    told = {name if name == "greeting" else name.upper(): answer for name, answer in answers.items() if name != "end"}
    relay = ScriptedRelay(answers={**_POLITE, **told} | ({".": answers["end"]} if "end" in answers else {}))

    class Handler(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            with suppress(OSError):  # the test has hung up
                _converse(relay, self.rfile, self.wfile)

    class Server(socketserver.ThreadingTCPServer):
        daemon_threads = True
        block_on_close = False

    with closing_server(Server(("127.0.0.1", 0), Handler)) as server:
        relay.port = server.server_address[1]
        yield relay


@contextmanager
def closing_server(server: socketserver.BaseServer) -> Iterator[Any]:
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def _converse(relay: ScriptedRelay, heard: Any, say: Any) -> None:
    if not _answer(relay, "greeting", heard, say):
        return
    while line := heard.readline():
        verb = line.split(maxsplit=1)[0].decode("latin-1").upper() if line.strip() else ""
        relay.heard.append(line.decode("latin-1").strip())
        if not _answer(relay, verb, heard, say):
            return
        if verb == "DATA" and (relay.answers["DATA"] or b"").startswith(b"354"):
            letter = b""
            while (line := heard.readline()) and line != b".\r\n":
                letter += line
            relay.letters.append(letter)
            if not _answer(relay, ".", heard, say):
                return


def _answer(relay: ScriptedRelay, verb: str, heard: Any, say: Any) -> bool:
    answer = relay.answers.get(verb, b"502 not known\r\n")
    if answer is HANG or answer == HANG_UP:
        relay.reached.set()
    if answer is HANG:
        heard.read()  # until the other side hangs up
    if not answer:
        return False
    say.write(answer)
    return True


def letter(
    recipient: str = "alice@campus.example", *, letter_id: str = "0" * 31 + "1", data: bytes | None = None
) -> Letter:
    """A short letter."""
    return Letter(
        id=letter_id,
        sender=Mailbox.parse("mailseal@campus.example"),
        recipient=Mailbox.parse(recipient),
        data=data or b"Subject: hello\r\n\r\n.a dot at the start\r\n",
    )


@dataclass(frozen=True)
class Tls:
    """A server's certificate for 127.0.0.1, and what believes it."""

    server: ssl.SSLContext
    client: ssl.SSLContext


def tls(folder: Path) -> Tls:
    """A certificate that signs itself."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "relay")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem = certificate.public_bytes(Encoding.PEM)
    file = folder / "relay.pem"
    file.write_bytes(pem + key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    server = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    server.load_cert_chain(file)
    return Tls(server=server, client=ssl.create_default_context(cadata=pem.decode()))


__all__ = [
    "HANG",
    "HANG_UP",
    "TIMES",
    "RealRelay",
    "ScriptedRelay",
    "Taken",
    "Tls",
    "let_in",
    "letter",
    "real_relay",
    "scripted_relay",
    "tls",
]

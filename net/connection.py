"""Connection, one conversation with a relay, which carries letter after letter (RFC 5321)."""

from __future__ import annotations

import asyncio
import re
import ssl
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

from aiosmtplib import SMTP, SMTPException, SMTPResponseException, SMTPServerDisconnected
from aiosmtplib.response import SMTPResponse

from formats.errors import Refusal
from net.errors import AddressNotCarried, LetterRefused, RelayDefers, RelayUnreachable, RelayUnwilling, Stopped
from net.letter import Letter

# RFC 4954 6, RFC 3207 4: these are about us, whichever command they answer.
_ABOUT_US: Final = frozenset({530, 534, 535, 538})
_UTF8: Final = "SMTPUTF8"
_GO_AHEAD: Final = 354
_LINE_END: Final = re.compile(rb"\r\n|\r|\n")
_LEADING_DOT: Final = re.compile(rb"^\.", re.MULTILINE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Times:
    """How long is waited, in seconds.

    `prelude` is for all that comes before a letter's content, `answer` for what the relay says to the content: RFC 5321
    4.5.3.2.6 names ten minutes, because who gives up earlier may send a letter twice; a minute keeps the other letters
    from waiting too long. `grace` is what is left of it when the process is to end.
    """

    command: float = 10.0
    prelude: float = 30.0
    answer: float = 60.0
    grace: float = 5.0


class Client(SMTP):
    """aiosmtplib's, that hangs up at once: with TLS it would wait for the other side's goodbye, which may not come."""

    def close(self) -> None:
        """Let the connection go."""
        transport = self.transport
        super().close()
        if isinstance(transport, asyncio.WriteTransport):
            transport.abort()


class Connection:
    """Sends letters, connecting when it must; one thread uses it, and any thread may stop it."""

    def __init__(self, runner: asyncio.Runner, *, make_client: Callable[[], Client], times: Times) -> None:
        self._runner = runner
        self._loop = runner.get_loop()
        self._make_client = make_client
        self._times = times
        self._client: Client | None = None
        self._task: asyncio.Task[None] | None = None
        self._is_with_relay = False
        self._is_stopped = False

    def send(self, letter: Letter) -> None:
        """Hand over one letter, which the relay has taken when this returns.

        LetterRefused and AddressNotCarried are for good; RelayUnreachable, RelayUnwilling and RelayDefers may pass.
        Stopped if the process ends meanwhile.
        """
        if self._is_stopped:
            raise Stopped
        try:
            self._runner.run(self._carry(letter))
        except asyncio.CancelledError:
            raise Stopped from None

    def stop(self) -> None:
        """End what is under way, after a grace where the content is with the relay already, and send nothing more."""
        self._is_stopped = True
        with suppress(RuntimeError):  # the loop is closed already
            self._loop.call_soon_threadsafe(self._interrupt)

    def close(self) -> None:
        """Take leave of the relay."""
        self._runner.run(self._leave())

    def _interrupt(self) -> None:
        if self._task is None:
            return
        if self._is_with_relay:
            self._loop.call_later(self._times.grace, self._task.cancel)
        else:
            self._task.cancel()

    async def _carry(self, letter: Letter) -> None:
        self._task = asyncio.current_task()
        try:
            async with asyncio.timeout(self._times.prelude):
                client = await self._announce(letter)
            self._is_with_relay = True
            async with asyncio.timeout(self._times.command + self._times.answer):
                await _talk(_hand_over(client, letter.data, seconds=self._times.answer), blame=LetterRefused)
        except TimeoutError:
            self._drop()
            raise RelayUnreachable("the relay does not answer in time") from None
        except BaseException:
            # What the relay now expects next is not known.
            self._drop()
            raise
        finally:
            self._is_with_relay = False
            self._task = None

    async def _announce(self, letter: Letter) -> Client:
        """Connect, unless we are connected, and name sender and recipient; a kept connection may be broken by now."""
        client, is_new = await self._connected()
        try:
            await _name(client, letter)
        except (RelayUnreachable, RelayDefers):
            if is_new or client.is_connected:
                raise
            client, _ = await self._connected()
            await _name(client, letter)
        return client

    async def _connected(self) -> tuple[Client, bool]:
        if self._client is not None and self._client.is_connected:
            return self._client, False
        self._client = self._make_client()
        await _talk(_greet(self._client), blame=RelayUnwilling)
        return self._client, True

    async def _leave(self) -> None:
        if self._client is not None and self._client.is_connected and not self._is_stopped:
            with suppress(SMTPException, OSError, ValueError):
                await self._client.quit(timeout=min(self._times.command, self._times.grace))
        self._drop()
        await asyncio.sleep(0)  # what was closed is let go in the loop's next round

    def _drop(self) -> None:
        if self._client is not None:
            self._client.close()
        self._client = None


async def _greet(client: Client) -> None:
    await client.connect()
    if client.is_ehlo_or_helo_needed:
        await client.ehlo()


async def _name(client: Client, letter: Letter) -> None:
    addresses = (letter.sender, letter.recipient)
    options = []
    if not all(address.is_ascii for address in addresses):
        if not client.supports_extension(_UTF8):
            raise AddressNotCarried("the relay takes only addresses in ASCII")
        options = [_UTF8.encode("ascii")]
    sender, recipient = (f"<{address}>".encode() for address in addresses)
    await _ask(client, b"MAIL", b"FROM:" + sender, *options, blame=RelayUnwilling)
    await _ask(client, b"RCPT", b"TO:" + recipient, blame=LetterRefused)


async def _hand_over(client: Client, data: bytes, *, seconds: float) -> None:
    """Say DATA and the content, which the relay has taken with whatever number of the two hundreds.

    aiosmtplib's own `data` takes nothing but 250 for a yes, though what is taken must not be sent again (RFC 5321 4.2.1).
    """
    answer = await client.execute_command(b"DATA", timeout=seconds)
    if answer.code != _GO_AHEAD:
        raise SMTPResponseException(answer.code, "")
    if client.protocol is None:
        raise SMTPServerDisconnected("")
    client.protocol.write(_as_content(data))
    answer = await client.protocol.read_response(timeout=seconds)
    if not _is_yes(answer):
        raise SMTPResponseException(answer.code, "")


def _as_content(data: bytes) -> bytes:
    """Lines with a dot more where they begin with one, and the end (RFC 5321 4.5.2), every line end whole."""
    lines = _LEADING_DOT.sub(b"..", _LINE_END.sub(b"\r\n", data))
    return lines + (b".\r\n" if lines.endswith(b"\r\n") else b"\r\n.\r\n")


async def _ask(client: Client, *words: bytes, blame: type[Refusal]) -> None:
    """Say one command, to which the relay must agree."""

    async def say() -> SMTPResponse:
        answer = await client.execute_command(*words)
        if not _is_yes(answer):
            raise SMTPResponseException(answer.code, "")
        return answer

    await _talk(say(), blame=blame)


def _is_yes(answer: SMTPResponse) -> bool:
    return 200 <= answer.code < 300


async def _talk(said: Awaitable[object], *, blame: type[Refusal]) -> None:
    """Wait for an answer, and tell what is wrong in our own words: the relay's may hold an address."""
    try:
        await said
    except SMTPResponseException as error:
        raise _refusal(error.code, blame) from None
    except OSError as error:
        if isinstance(error, ssl.SSLError) or isinstance(error.__cause__, ssl.SSLError):
            raise RelayUnwilling("the relay's TLS is not to be trusted") from None
        slow = isinstance(error, TimeoutError)
        raise RelayUnreachable(f"the relay {'does not answer in time' if slow else 'is away or hung up'}") from None
    except SMTPException:
        raise RelayUnwilling("the relay does not offer what MAILSEAL_SMTP_URL asks for") from None
    except ValueError:
        raise RelayUnreachable("the relay answers what is not SMTP") from None


def _refusal(code: int, blame: type[Refusal]) -> Refusal:
    if 400 <= code < 500:
        return RelayDefers(f"the relay answered {code}")
    if code in _ABOUT_US:
        return RelayUnwilling(f"the relay answered {code}")
    if 500 <= code < 600:
        return blame(f"the relay answered {code}")
    return RelayUnreachable("the relay answers what is not SMTP")

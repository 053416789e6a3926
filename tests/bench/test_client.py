import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from bench.client import Request, press
from bench.errors import Failed

GOOD = b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\nx: y\r\n\r\nhello"
PING = Request(method="POST", path="/ping", body=b"ping", headers=(("X-Key", "secret"),))


@contextmanager
def answering(*pieces: bytes, closes: bool = False) -> Iterator[int]:
    """A server that answers every request of one connection with these pieces; its port."""

    def serve() -> None:
        connection, _ = listening.accept()
        with connection:
            while connection.recv(65536):
                for piece in pieces:
                    connection.sendall(piece)
                if closes:
                    return

    with socket.create_server(("127.0.0.1", 0)) as listening:
        thread = threading.Thread(target=serve)
        thread.start()
        yield listening.getsockname()[1]
        thread.join(10)
        assert not thread.is_alive()


def test_request_goes_over_the_wire_whole() -> None:
    assert PING.wire == b"POST /ping HTTP/1.1\r\nHost: localhost\r\nContent-Length: 4\r\nX-Key: secret\r\n\r\nping"


def test_credentials_are_not_shown() -> None:
    assert "secret" not in repr(PING)


@pytest.mark.parametrize("pieces", [(GOOD,), (GOOD[:10], GOOD[10:40], GOOD[40:])], ids=["whole", "in pieces"])
def test_counts_answers_and_waits_for_the_last(pieces: tuple[bytes, ...]) -> None:
    with answering(*pieces) as port:
        pressed = press(PING, port=port, connections=1, seconds=0.1)
    assert pressed.turn.times > 1
    assert pressed.answers in {pressed.turn.times, pressed.turn.times + 1}
    assert pressed.turn.asking is not None


@pytest.mark.parametrize(
    ("answer", "closes"),
    [
        (b"HTTP/1.1 503 Service Unavailable\r\ncontent-length: 0\r\n\r\n", False),
        (b"HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nfour", False),
        (b"HTTP/1.1 200 OK\r\n\r\n", False),
        (b"", True),
    ],
    ids=["no success", "too short", "without length", "hung up"],
)
def test_refuses_what_is_no_answer(answer: bytes, closes: bool) -> None:
    request = Request(method="GET", path="/", shortest=5)
    with answering(answer, closes=closes) as port, pytest.raises(Failed, match="GET /"):
        press(request, port=port, connections=1, seconds=5)

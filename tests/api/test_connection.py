"""The application behind a real server on a loopback port."""

from __future__ import annotations

import asyncio
import http.client
import socket
import threading
import tracemalloc
from collections.abc import AsyncIterator, Iterator

import httpx
import pytest
import uvicorn
from starlette.responses import StreamingResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from api.connection import HEAD_OCTETS, Connection
from tests.api.made_up import application

GIB = 1 << 30
ENDED = threading.Event()


class QuickConnection(Connection):
    """As in production, but with less patience."""

    head_seconds = 0.3
    unread_seconds = 0.3


def with_endless(app: ASGIApp) -> ASGIApp:
    """The application with an answer that never ends by itself, at /endless."""

    async def serve(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["path"] != "/endless":
            await app(scope, receive, send)
            return
        try:
            await StreamingResponse(zeros())(scope, receive, send)
        finally:
            ENDED.set()

    async def zeros() -> AsyncIterator[bytes]:
        while True:
            await asyncio.sleep(0)
            yield bytes(65536)

    return serve


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    config = uvicorn.Config(
        with_endless(application()), http=QuickConnection, ws="none", lifespan="off", log_config=None, access_log=False
    )
    server = uvicorn.Server(config)
    with socket.create_server(("127.0.0.1", 0)) as bound:
        thread = threading.Thread(target=server.run, kwargs={"sockets": [bound]})
        thread.start()
        yield bound.getsockname()[1]
        server.should_exit = True
        thread.join()


@pytest.fixture
def wire(port: int) -> Iterator[socket.socket]:
    with socket.create_connection(("127.0.0.1", port), timeout=5) as connected:
        yield connected


@pytest.fixture
def kept(port: int) -> Iterator[http.client.HTTPConnection]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    yield connection
    connection.close()


def rest(wire: socket.socket) -> bytes:
    """All that comes until the server hangs up."""
    pieces = []
    while piece := wire.recv(65536):
        pieces.append(piece)
    return b"".join(pieces)


@pytest.mark.parametrize("declared", [True, False])
def test_a_gigabyte_is_refused_early_and_in_flat_memory(port: int, declared: bool) -> None:
    sent = 0

    def gigabyte() -> Iterator[bytes]:
        nonlocal sent
        for _ in range(GIB >> 16):
            sent += 1 << 16
            yield bytes(1 << 16)

    headers = {"Content-Type": "message/rfc822"} | ({"Content-Length": str(GIB)} if declared else {})
    tracemalloc.start()
    response = httpx.post(f"http://127.0.0.1:{port}/v1/echo", content=gigabyte(), headers=headers, trust_env=False)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert (response.status_code, response.json()["code"]) == (413, "body_too_large")
    assert response.headers["connection"] == "close"
    assert sent < GIB >> 4
    assert peak < 16 << 20


def test_large_body_is_refused_before_100_continue(wire: socket.socket) -> None:
    wire.sendall(
        b"POST /v1/echo HTTP/1.1\r\nHost: a\r\nContent-Type: message/rfc822\r\n"
        b"Content-Length: 99999999\r\nExpect: 100-continue\r\n\r\n"
    )
    assert rest(wire).startswith(b"HTTP/1.1 413 ")


def test_connection_survives_every_error(kept: http.client.HTTPConnection) -> None:
    kept.connect()
    first = kept.sock
    for path, status in (("/v1/break", 500), ("/nothing", 404), ("/v1/refuse/made_conflict", 409), ("/healthz", 200)):
        kept.request("GET", path)
        response = kept.getresponse()
        response.read()
        assert response.status == status
        assert kept.sock is first


def test_connection_survives_a_small_body_that_nobody_read(kept: http.client.HTTPConnection) -> None:
    kept.connect()
    first = kept.sock
    for _ in range(2):
        kept.request("POST", "/nothing", body=b"x" * 60_000)
        response = kept.getresponse()
        response.read()
        assert (response.status, kept.sock is first) == (404, True)


def test_answer_that_breaks_midway_is_seen_as_cut_short(kept: http.client.HTTPConnection) -> None:
    kept.request("GET", "/v1/break-midway")
    with pytest.raises(http.client.IncompleteRead):
        kept.getresponse().read()


def test_head_has_a_length_and_no_body(kept: http.client.HTTPConnection) -> None:
    for _ in range(2):
        kept.request("HEAD", "/healthz")
        response = kept.getresponse()
        assert (response.status, response.read(), response.headers["content-length"]) == (200, b"", "15")


def test_slow_body_gets_408(wire: socket.socket) -> None:
    wire.sendall(b"POST /v1/echo HTTP/1.1\r\nHost: a\r\nContent-Type: message/rfc822\r\nContent-Length: 9\r\n\r\nFrom")
    assert rest(wire).startswith(b"HTTP/1.1 408 ")


def test_slow_head_is_hung_up_on(wire: socket.socket) -> None:
    wire.sendall(b"GET /healthz HTTP/1.1\r\nHost: a\r\nX-Slow")
    assert rest(wire) == b""


def test_silence_is_hung_up_on(wire: socket.socket) -> None:
    assert rest(wire) == b""


def test_slow_second_head_is_hung_up_on(wire: socket.socket) -> None:
    wire.sendall(b"GET /healthz HTTP/1.1\r\nHost: a\r\n\r\nGET /hea")
    assert rest(wire).count(b"HTTP/1.1 ") == 1


def test_endless_head_gets_431(wire: socket.socket) -> None:
    wire.sendall(b"GET /healthz HTTP/1.1\r\nX: " + b"y" * (HEAD_OCTETS + 1))
    assert rest(wire).startswith(b"HTTP/1.1 431 ")


def test_stray_line_end_behind_a_body_harms_nothing(wire: socket.socket) -> None:
    request = b"POST /v1/echo HTTP/1.1\r\nHost: a\r\nContent-Type: message/rfc822\r\nContent-Length: 4\r\n\r\nFrom\r\n"
    wire.sendall(request + request.replace(b"Host: a", b"Host: a\r\nConnection: close"))
    assert rest(wire).count(b"HTTP/1.1 200 ") == 2


def test_two_requests_at_once_are_answered_in_order(wire: socket.socket) -> None:
    wire.sendall(
        b"GET /healthz HTTP/1.1\r\nHost: a\r\n\r\nGET /nothing HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
    )
    answers = rest(wire)
    assert answers.index(b"HTTP/1.1 200 ") < answers.index(b"HTTP/1.1 404 ")


CHUNKED = b"POST /v1/echo HTTP/1.1\r\nHost: a\r\nContent-Type: message/rfc822\r\nTransfer-Encoding: chunked\r\n"


def hung_up_on(wire: socket.socket, piece: bytes) -> bool:
    """Whether the server closes while 64 times this piece is sent."""
    try:
        for _ in range(64):
            wire.sendall(piece)
        return not rest(wire)
    except (ConnectionResetError, BrokenPipeError):
        return True


@pytest.mark.parametrize("piece", [b"x" * 65536, b"X-T: y\r\n" * 8192], ids=["one field", "many fields"])
def test_endless_trailers_are_hung_up_on(wire: socket.socket, piece: bytes) -> None:
    wire.sendall(CHUNKED + b"\r\n4\r\nFrom\r\n0\r\nX-T: ")
    assert hung_up_on(wire, piece)


def test_trailers_are_no_headers(wire: socket.socket) -> None:
    wire.sendall(CHUNKED + b"Connection: close\r\n\r\n4\r\nFrom\r\n0\r\nAccept: image/png\r\nX-T: y\r\n\r\n")
    assert rest(wire).startswith(b"HTTP/1.1 200 ")


def test_large_body_in_chunks_holds_no_trailers(wire: socket.socket) -> None:
    wire.sendall(CHUNKED + b"Connection: close\r\n\r\n")
    for _ in range(48):
        wire.sendall(b"1000\r\n" + b"x" * 0x1000 + b"\r\n")
    wire.sendall(b"0\r\n\r\n")
    assert rest(wire).startswith(b"HTTP/1.1 200 ")


@pytest.mark.parametrize("behind", [b"", b"GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n"], ids=["alone", "pipelined"])
def test_reader_that_does_not_read_is_hung_up_on(port: int, caplog: pytest.LogCaptureFixture, behind: bytes) -> None:
    with socket.socket() as wire:
        wire.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        wire.settimeout(5)
        wire.connect(("127.0.0.1", port))
        ENDED.clear()
        wire.sendall(b"GET /endless HTTP/1.1\r\nHost: a\r\n\r\n" + behind)
        assert ENDED.wait(5)
    # One more request, so that the server has done with the one before.
    assert httpx.get(f"http://127.0.0.1:{port}/healthz", trust_env=False).status_code == 200
    assert [record for record in caplog.records if record.levelname == "ERROR"] == []

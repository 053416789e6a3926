"""Envelope, what surrounds every request and its answer.

It gives the request id and the security headers, answers HEAD, writes the log line, and is the last net for exceptions.
"""

from __future__ import annotations

import re
import secrets
import time
from collections.abc import Callable, Mapping
from typing import Any, Final

import structlog
from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import ClientDisconnect, HTTPConnection, Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api import problems
from api.addresses import address_of
from api.errors import RequestMalformed
from api.inflow import STRANGERS_LIGHT, Inflow, Shares, Terms
from api.pace import network_of
from api.site import Site
from formats.errors import Refusal

# One site has a /48 of IPv6, and each of its machines may have a /64.
_OF_A_SITE: Final = 48
# How uvloop names a write to a connection that is closed.
_CLOSED: Final = "the handler is closed"
REQUEST_ID: Final = re.compile(r"[A-Za-z0-9._-]{1,64}", re.ASCII)

SECURITY: Final[Mapping[str, str]] = {
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}


class Envelope:
    """The outermost ASGI application: nothing but an answer ever leaves it, so the connection survives every error.

    `for_reader` makes a page of a problem where a person is asking.
    """

    def __init__(self, app: ASGIApp, *, site: Site, for_reader: Callable[[Request, Response], Response]) -> None:
        self._app = app
        self._site = site
        self._for_reader = for_reader
        self._strangers = Shares(site.strangers_octets, share=site.network_octets, light=STRANGERS_LIGHT)
        self._callers = Shares(site.inflow_octets, share=site.caller_octets)
        self._headers = dict(SECURITY)
        if site.public_url.startswith("https:"):
            self._headers["Strict-Transport-Security"] = "max-age=63072000"

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request; other scopes pass through."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        state = {**scope.get("state", {}), "request_id": _request_id(Headers(scope=scope)), "at_end": []}
        # A copy: the server reads the method of its own scope when it drops the body of an answer to HEAD.
        inner: Scope = {**scope, "state": state, "method": "GET" if scope["method"] == "HEAD" else scope["method"]}
        reply = _Reply(send, state=state, headers=self._headers, bodiless=scope["method"] == "HEAD")
        began = time.perf_counter()
        with structlog.contextvars.bound_contextvars(request_id=state["request_id"]):
            try:
                await self._serve(inner, receive, reply)
            finally:
                for end in state["at_end"]:
                    end()
                _log(inner, method=scope["method"], status=reply.status, seconds=time.perf_counter() - began)

    async def _serve(self, scope: Scope, receive: Receive, reply: _Reply) -> None:
        try:
            inflow = Inflow(
                receive, headers=Headers(scope=scope), stranger=self._stranger(scope), admitted=self._caller
            )
            scope["state"]["inflow"] = inflow
            scope["state"]["at_end"].append(inflow.release)
            _refuse_null(scope)
            await self._app(scope, inflow.receive, reply.send)
        except ClientDisconnect:
            return
        except Refusal as refusal:
            await self._last_answer(refusal, scope=scope, receive=receive, reply=reply)
        except Exception:  # noqa: BLE001  # the last net: what is not caught here would cost the connection
            if reply.complete:
                return  # the framework answered, logged and raised again
            await self._last_answer(problems.unforeseen(), scope=scope, receive=receive, reply=reply)

    def _stranger(self, scope: Scope) -> Terms:
        address = address_of(HTTPConnection(scope), trusted=self._site.trusted_proxies)
        return Terms(
            basin=self._strangers.basin_of(network_of(address, v6_prefix=_OF_A_SITE)),
            silence=self._site.strangers_silence,
            duration=self._site.strangers_duration,
            in_advance=False,
        )

    def _caller(self, who: str) -> Terms:
        return Terms(
            basin=self._callers.basin_of(who),
            silence=self._site.body_silence,
            duration=self._site.body_duration,
            in_advance=True,
        )

    async def _last_answer(self, refusal: Refusal, *, scope: Scope, receive: Receive, reply: _Reply) -> None:
        """Answer from out here, unless the answer has begun: then the server sees it cut short, and hangs up."""
        if reply.status is None:
            problem = problems.respond(refusal, site=self._site, state=scope["state"])
            answer = self._for_reader(Request(scope), problem)
            await answer(scope, receive, reply.send)


class _Reply:
    """The answer on its way out."""

    __slots__ = ("_bodiless", "_headers", "_send", "_state", "complete", "status")

    def __init__(self, send: Send, *, state: dict[str, Any], headers: Mapping[str, str], bodiless: bool) -> None:
        self._send = send
        self._state = state
        self._headers = headers
        self._bodiless = bodiless
        self.status: int | None = None
        self.complete = False

    async def send(self, message: Message) -> None:
        """The ASGI `send`, which adds the headers and drops the body of an answer to HEAD; ClientDisconnect if it is gone."""
        if message["type"] == "http.response.start":
            self.status = message["status"]
            self._add_headers(message)
        elif message["type"] == "http.response.body":
            if self._bodiless:
                message = {**message, "body": b""}
            self.complete = not message.get("more_body", False)
        try:
            await self._send(message)
        except (OSError, RuntimeError) as error:
            if isinstance(error, OSError) or _CLOSED in str(error):
                raise ClientDisconnect from None
            raise

    def _add_headers(self, message: Message) -> None:
        headers = MutableHeaders(raw=list(message.get("headers", [])))
        headers["X-Request-Id"] = self._state["request_id"]
        for name, value in self._headers.items():
            headers.setdefault(name, value)
        inflow = self._state.get("inflow")
        if inflow is not None and inflow.must_close:
            headers["Connection"] = "close"
        message["headers"] = headers.raw


def _request_id(headers: Headers) -> str:
    given = headers.getlist("x-request-id")
    if len(given) == 1 and REQUEST_ID.fullmatch(given[0]):
        return given[0]
    return secrets.token_hex(16)


def _refuse_null(scope: Scope) -> None:
    # No name here holds a null character, and PostgreSQL cannot store one.
    if "\x00" in scope["path"] or b"%00" in scope["query_string"]:
        raise RequestMalformed("the address of the request holds a null character")


def _log(scope: Scope, *, method: str, status: int | None, seconds: float) -> None:
    """One line a request. The route and not the path, which may name a mailbox or a token; no address of the client."""
    state = scope["state"]
    structlog.get_logger("api").info(
        "request",
        method=method,
        route=_route(scope),
        status=status,
        problem=state.get("problem"),
        caller=state.get("caller"),
        milliseconds=round(seconds * 1000, 1),
    )


def _route(scope: Scope) -> str | None:
    """The template of the route that served the request; FastAPI notes its route, Starlette only what it called."""
    if (noted := getattr(scope.get("route"), "path", None)) is not None:
        return str(noted)
    called, app = scope.get("endpoint"), scope.get("app")
    if called is None or app is None:
        return None
    return next((route.path for route in app.routes if getattr(route, "endpoint", None) is called), None)

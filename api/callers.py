"""Caller, who is asking: the credential of a request becomes a Principal, or the request ends with 401, or with 429."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Annotated, Final

from fastapi import Depends, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from api.addresses import address_of
from api.errors import TooManyRequests
from api.inflow import inflow_of
from api.pace import Pace, network_of
from services import access
from services.access import Principal
from services.context import Context
from services.errors import CredentialRefused

# Requests of one key that are served at the same time, by each process.
AT_A_TIME: Final = 64
# Wrong credentials of one network, and failed decryptions of one caller by one private key, that are answered as such
# in a minute.
FAILURES: Final = 60
BEARER: Final = HTTPBearer(scheme_name="apiKey", bearerFormat="ms_live_...", description="An API key", auto_error=False)


class Gate:
    """How much each caller has asked for lately and is asking for now, as one process sees it.

    `rate_limit` is in requests of a key a minute; 0 is no limit, and the keys of administrators have none.
    """

    __slots__ = ("_inside", "_rate", "_wrong_credentials", "failed_decryptions")

    def __init__(self, *, rate_limit: int) -> None:
        self._rate = Pace(per_minute=rate_limit, burst=rate_limit) if rate_limit else None
        self._wrong_credentials = Pace(per_minute=FAILURES, burst=FAILURES)
        self.failed_decryptions = Pace(per_minute=FAILURES, burst=FAILURES)
        self._inside: Counter[str] = Counter()

    def enter(self, principal: Principal) -> None:
        """Let a request in, which will `leave`; TooManyRequests if its key has too many within, or too often."""
        key = principal.id or principal.kind
        if self._inside[key] >= AT_A_TIME:
            raise TooManyRequests(f"{AT_A_TIME} requests of this key are being served at this moment")
        if self._rate is not None and "admin" not in principal.scopes:
            self._rate.take(key)
        self._inside[key] += 1

    def leave(self, principal: Principal) -> None:
        """Make room for the next request of this key."""
        key = principal.id or principal.kind
        self._inside[key] -= 1
        if not self._inside[key]:
            del self._inside[key]

    def turn_away(self, address: str | None) -> None:
        """Count a wrong credential; TooManyRequests if there are too many of this network."""
        self._wrong_credentials.take(network_of(address))


def context_of(request: Request) -> Context:
    """The context, passed on unopened."""
    context: Context = request.app.state.context
    return context


async def authenticate(
    request: Request,
    context: Annotated[Context, Depends(context_of)],
    credential: Annotated[HTTPAuthorizationCredentials | None, Depends(BEARER)],
) -> Principal:
    """The principal; CredentialRefused, by one path, for a credential that is missing, unknown, ended or misplaced.

    TooManyRequests for too many of a key, and for a wrong credential after too many of them; a right one passes.
    """
    state, gate = request.scope["state"], gate_of(request)
    address = address_of(request, trusted=context.settings.trusted_proxies)
    secret = credential.credentials if credential else None
    try:
        principal = access.authenticate(context, secret, address=address, request_id=state["request_id"])
    except CredentialRefused:
        if secret is not None:  # none at all is no guess
            gate.turn_away(address)
        raise
    state["caller"] = principal.id
    gate.enter(principal)
    state["at_end"].append(partial(gate.leave, principal))
    inflow_of(request).admit(principal.id or principal.kind)
    return principal


def gate_of(request: Request) -> Gate:
    """The gate of this process."""
    gate: Gate = request.app.state.gate
    return gate


@dataclass(frozen=True, slots=True, kw_only=True)
class FailedDecryptions:
    """How often a caller's decryptions failed lately, for each private key that they tried.

    Anybody can mail what does not open; so one department's keys are held back, and not all that a caller opens.
    """

    pace: Pace
    caller: str

    def ask(self, key_ids: Sequence[str]) -> None:
        """TooManyRequests if one of these keys failed too often."""
        for key_id in key_ids:
            self.pace.ask(f"{self.caller} {key_id}")

    def count(self, key_ids: Sequence[str]) -> None:
        """Count a failure of each."""
        for key_id in key_ids:
            self.pace.count(f"{self.caller} {key_id}")


def failed_decryptions(request: Request, caller: Principal) -> FailedDecryptions:
    """Those of this caller."""
    return FailedDecryptions(pace=gate_of(request).failed_decryptions, caller=caller.id or caller.kind)


# `Ctx` and `Caller` stand in a call's signature before its body: who may not come in learns nothing of what is wrong.
Ctx = Annotated[Context, Depends(context_of)]
Caller = Annotated[Principal, Depends(authenticate)]

"""Answer of a message call, in two ways: the message itself with facts in headers, or JSON that holds both."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Final
from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import Response

from api import negotiation
from api.bodies import JSON
from api.submission import Way

# What may stand in a header as it is: printable ASCII but the percent sign, which marks everything else.
_AS_IT_IS: Final = "".join(chr(code) for code in range(0x21, 0x7F) if chr(code) != "%")
HEADERS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "identity": "Mailseal-Identity",
        "serial": "Mailseal-Serial",
        "record": "Mailseal-Record",
        "changes": "Mailseal-Changes",
        "verdict": "Mailseal-Verdict",
        "integrity": "Mailseal-Integrity",
        "skipped": "Mailseal-Skipped",
        "envelope_to": "Mailseal-Envelope-To",
    }
)


def choose_media(request: Request, *, way: Way, is_report: bool = False, also: Sequence[str] = ()) -> str:
    """The media type by Accept; where that leaves the choice, JSON for JSON requests and for reports, else the message."""
    ways = (JSON, Way.RAW.value) if is_report or way is Way.JSON else (Way.RAW.value, JSON)
    return negotiation.choose(request, (*ways, *also))


def message(content: bytes, *, facts: Mapping[str, str | Sequence[str]]) -> Response:
    """The message as it is; `facts` go into headers by their names in HEADERS."""
    return Response(content, media_type=Way.RAW.value, headers=headers(facts))


def headers(facts: Mapping[str, str | Sequence[str]]) -> dict[str, str]:
    """The facts as header fields: lists with commas, what is not ASCII percent-encoded as UTF-8; empty ones left out."""
    texts = {name: fact if isinstance(fact, str) else ",".join(fact) for name, fact in facts.items()}
    return {HEADERS[name]: quote(text, safe=_AS_IT_IS) for name, text in texts.items() if text}


def as_base64(content: bytes) -> str:
    """The message for JSON."""
    return base64.b64encode(content).decode("ascii")

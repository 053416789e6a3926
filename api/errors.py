"""What the door itself refuses, before or instead of a service.

Malformed        RequestMalformed, JsonMalformed, MultipartMalformed, Base64Malformed, MessageMissing, LineEndsMissing,
                 ParameterTwice, UnknownParameter, CursorMalformed
TooLarge         BodyTooLarge
NotFound         RouteNotFound, ProblemNotFound
Unacceptable     RequestInvalid
TooMany          TooManyRequests
HttpRefusal      what only HTTP knows, each with a status of its own
├── MethodNotAllowed       405
├── NotAcceptable          406
├── RequestTimeout         408
├── UnsupportedMediaType   415
└── InternalError          500
"""

from __future__ import annotations

import math
from typing import ClassVar

from formats.errors import Malformed, NotFound, Refusal, TooLarge, TooMany, Unacceptable


class HttpRefusal(Refusal):
    """A refusal that only HTTP knows, and so with a status of its own."""

    status: ClassVar[int]


class RequestMalformed(Malformed):
    """The request cannot be read."""

    code = "request_malformed"
    hint = "compare the request with the API's description at /docs"


class JsonMalformed(Malformed):
    """The body, or a value that should be JSON, is not well-formed JSON in UTF-8."""

    code = "json_malformed"
    hint = "send one JSON object in UTF-8, without NaN and without null characters"


class MultipartMalformed(Malformed):
    """The multipart/form-data body is broken or cut short."""

    code = "multipart_malformed"
    hint = "let a library or `curl -F message=@mail.eml` write the form"


class Base64Malformed(Malformed):
    """The message in the JSON body is not base64."""

    code = "base64_malformed"
    hint = "encode the message as base64 or base64url; padding may be left out"


class MessageMissing(Malformed):
    """The request brings no message."""

    code = "message_missing"
    hint = "send the message as the body: curl --data-binary @mail.eml -H 'Content-Type: message/rfc822'"


class LineEndsMissing(Malformed):
    """The message is one line: whatever sent it has dropped the line ends, as `curl -d` does."""

    code = "line_ends_missing"
    hint = "send the file as it is: curl --data-binary @mail.eml, for -d drops line ends"


class ParameterTwice(Malformed):
    """The same parameter is given twice, so that it is not clear which one counts."""

    code = "parameter_twice"
    hint = "give each parameter once, either in the query or in the body"


class UnknownParameter(Malformed):
    """The request holds a parameter that this call does not know."""

    code = "unknown_parameter"
    hint = "check the spelling; the API's description at /docs lists the parameters of each call"


class CursorMalformed(Malformed):
    """The cursor is not one that this service handed out for this list with these filters."""

    code = "cursor_malformed"
    hint = "send `next` of the last answer back unchanged, with the same filters, or leave it out to begin anew"


class BodyTooLarge(TooLarge):
    """The body is larger than this call takes; the rest of it was not read."""

    code = "body_too_large"
    hint = "send less; attachments that large are better linked than mailed"


class RouteNotFound(NotFound):
    """There is nothing at this path."""

    code = "route_not_found"
    hint = "check the path; the API's description is at /docs"


class ProblemNotFound(NotFound):
    """There is no problem with this code."""

    code = "problem_not_found"
    hint = "follow the `type` of a problem as it was given"


class RequestInvalid(Unacceptable):
    """The request can be read, and a value in it is missing or not allowed; `errors` says which."""

    code = "request_invalid"
    hint = "mend the values that `errors` points to"

    def __init__(self, detail: str, *, places: tuple[tuple[str, str], ...] = ()) -> None:
        """Each place is a JSON pointer with a text of its own."""
        super().__init__(detail, pointers=tuple(pointer for pointer, _ in places))
        self.places = places


class TooManyRequests(TooMany):
    """Too many requests in too short a time, or at a time."""

    code = "too_many_requests"
    hint = "wait as many seconds as the header Retry-After says, and ask again"

    def __init__(self, detail: str, *, retry_after: float = 1) -> None:
        """`retry_after` is in seconds, and rounded up to whole ones, as RFC 9110 10.2.3 wants them."""
        super().__init__(detail)
        self.retry_after = max(1, math.ceil(retry_after))


class MethodNotAllowed(HttpRefusal):
    """The path exists, but not for this method; the header Allow lists the methods."""

    status = 405
    code = "method_not_allowed"
    hint = "use one of the methods that the detail names"


class NotAcceptable(HttpRefusal):
    """None of the media types in Accept can be given."""

    status = 406
    code = "not_acceptable"
    hint = "ask for one of the media types that the detail lists, or leave Accept out"


class RequestTimeout(HttpRefusal):
    """The body of the request came too slowly."""

    status = 408
    code = "request_timeout"
    hint = "send the request again over a faster line"


class UnsupportedMediaType(HttpRefusal):
    """The body has a media type that this call does not take."""

    status = 415
    code = "unsupported_media_type"
    hint = "set Content-Type to one of the media types that the detail lists"


class InternalError(HttpRefusal):
    """Something broke here, and it is in our log under the request id."""

    status = 500
    code = "internal_error"
    hint = "tell the operator the request id"

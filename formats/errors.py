"""The nine kinds of errors, without HTTP: every room's errors grow from these.

Refusal
├── Malformed        the bytes cannot be read
├── TooLarge         more than we are willing to read
├── UnknownCaller    no credential, or none that counts
├── Forbidden        known, but may not
├── NotFound         is not there, or not for this caller
├── Conflict         clashes with what is already so
├── Unacceptable     readable, but the rules say no
├── TooMany          too often, or too many at a time
└── NotReady         cannot now; later or after a repair it can

A leaf lives in the room that raises it, is a subclass of one kind, and sets `code` and `hint`:

    class RequestSignatureWrong(Unacceptable):
        code = "csr_signature_wrong"
        hint = "make the request again with the key that it names"
"""

from __future__ import annotations

from typing import ClassVar


class Refusal(Exception):
    """A no with its reason: what is wrong, a stable code, and what to do about it.

    `detail` is for people: no capital at its start, no full stop, no secret. `pointers` are JSON pointers (RFC 6901)
    into the request where the cause lies, if it has such places.
    """

    code: ClassVar[str]
    hint: ClassVar[str]

    def __init__(self, detail: str, *, pointers: tuple[str, ...] = ()) -> None:
        super().__init__(detail)
        self.detail = detail
        self.pointers = pointers


class Malformed(Refusal):
    """The bytes cannot be read as what they claim to be."""


class TooLarge(Refusal):
    """More octets, parts, levels or entries than we are willing to read."""


class UnknownCaller(Refusal):
    """No credential, or none that counts here and now."""


class Forbidden(Refusal):
    """The caller is known and lacks the right."""


class NotFound(Refusal):
    """There is no such thing, or none that this caller may know of."""


class Conflict(Refusal):
    """The request clashes with what is already so."""


class Unacceptable(Refusal):
    """Readable and understood, but the rules say no."""


class TooMany(Refusal):
    """Too often, or too many at a time; `retry_after` is in seconds."""

    retry_after: int = 1


class NotReady(Refusal):
    """Cannot be done now; `retry_after` is in seconds."""

    retry_after: int = 5


KINDS: tuple[type[Refusal], ...] = (
    Malformed,
    TooLarge,
    UnknownCaller,
    Forbidden,
    NotFound,
    Conflict,
    Unacceptable,
    TooMany,
    NotReady,
)


def leaves(kind: type[Refusal] = Refusal) -> list[type[Refusal]]:
    """Every error class below `kind` that has a code of its own, in the order of their codes."""
    found: list[type[Refusal]] = []
    for child in kind.__subclasses__():
        if "code" in vars(child):
            found.append(child)
        found.extend(leaves(child))
    return sorted(found, key=lambda leaf: leaf.code)

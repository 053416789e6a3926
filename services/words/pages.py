"""What the pages for people say: of refusals, of certificates, and of what a check of a message found."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Final

from services.words import reports
from smime.report import Coverage, Report, SignerReport


@dataclass(frozen=True, slots=True)
class Said:
    """A page in words: what happened, what to do, and where to go on (label and path)."""

    title: str
    text: str
    onward: tuple[str, str] | None = None


_NEW_LINK: Final = ("Ask for a new link", "/enrol")
_MINE: Final = ("Show my certificates", "/mine")
_AGAIN: Final = "Wait a moment, then try again."

REFUSALS: Final[Mapping[str, Said]] = MappingProxyType(
    {
        "link_refused": Said(
            "This link does not work any more",
            "A link works once, for one hour, and in the browser that pressed its button first. Perhaps it was used, is too old, "
            "or was cut off when it was copied. Ask for a new one; it takes a minute.",
            _NEW_LINK,
        ),
        "session_ended": Said(
            "No certificates are open in this browser",
            "To protect you, they stay open for half an hour, in the browser that opened your link. Nothing was lost. "
            "Ask for a new link to go on.",
            _NEW_LINK,
        ),
        "cookie_missing": Said(
            "Your browser did not keep our cookie",
            "Without it we cannot know that it is still you. Allow cookies for this site, then open the link in the "
            "letter again: it has not been used up.",
        ),
        "form_from_elsewhere": Said(
            "This form was not sent from our own page",
            "To protect you, we take forms only from the pages of this site. Open the page here, and send its form again.",
            ("Go to the first page", "/"),
        ),
        "session_changed": Said(
            "Another address is open in this browser now",
            "The page that you used was for another address, so nothing was done. Look which address is open now, or "
            "open the link in the other letter again.",
            _MINE,
        ),
        "too_many_requests": Said(
            "Too many requests at once",
            "Too many requests came from you, or from the network that you are in, in a short time.",
        ),
        "overloaded": Said("Too much is going on just now", _AGAIN),
        "database_busy": Said("Too much is going on just now", _AGAIN),
        "issuing_too_late": Said(
            "That took too long", "Your certificate was not made, and nothing is left of it. Try again.", _MINE
        ),
        "not_completed": Said(
            "Your file was not made", "We were interrupted, and nothing is left of it. Make a new one.", _MINE
        ),
        "idempotency_mismatch": Said(
            "This form was sent before", "It was sent with other choices. Look what you have, then choose again.", _MINE
        ),
        "idempotency_key_malformed": Said("We could not read this", "Load the page anew, and try again.", _MINE),
        "in_progress": Said("Your file is being made", "Look at your certificates in a minute.", _MINE),
        "body_too_large": Said(
            "This file is too large",
            "What you sent is larger than this page takes, so it was not read. Choose a smaller file.",
        ),
        "request_timeout": Said(
            "Your browser took too long", "What you sent came too slowly. Try again, over a better network if you can."
        ),
        "request_malformed": Said("We could not read this", "Go back, load the page anew, and try again."),
        "multipart_malformed": Said("We could not read this", "The file came here broken. Go back, and send it again."),
        "unknown_parameter": Said("We could not read this", "Go back, load the page anew, and try again."),
        "parameter_twice": Said("We could not read this", "Go back, load the page anew, and try again."),
        "unsupported_media_type": Said("We could not read this", "Go back, load the page anew, and try again."),
        "choice_unknown": Said("This is not one of the choices", "Go back, load the page anew, and choose again."),
        "certificate_not_found": Said(
            "There is no such certificate", "It is not one of yours, or its number is wrong.", _MINE
        ),
        "route_not_found": Said(
            "There is no page here",
            "Check the address, or begin at the first page.",
            ("Go to the first page", "/"),
        ),
        "method_not_allowed": Said(
            "This page cannot be opened like that", "Begin at the first page.", ("Go to the first page", "/")
        ),
        "internal_error": Said(
            "Something broke here",
            "It is our fault, and it is in our log. Try again later; if it happens again, tell the help desk the number "
            "below.",
        ),
    }
)
"""Codes of refusals that a person may meet; of any other, the problem's own title and hint are shown."""

HANDED_OUT: Final = Said(
    "The file was handed out once",
    "You asked for the same file twice, and it is given out only once, as we do not keep it. If you did not get it, "
    "end the newest certificate below and make a new one.",
)

MAKERS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "rsa3072": "RSA 3072 (every mail program)",
        "p256": "P-256 (small and quick; some programs cannot read it)",
    }
)
"""The kinds of key that the page offers, the first by default."""

FORMATS: Final[Mapping[str, tuple[str, str]]] = MappingProxyType(
    {
        "modern": (
            "For this computer and modern phones",
            "Windows 10 and 11, macOS 15, iOS 18, Thunderbird, and newer",
        ),
        "compatible": (
            "For older programs",
            "Older computers and phones, most of Android, or where a program calls the right passphrase wrong",
        ),
    }
)

USES: Final[Mapping[str, str]] = MappingProxyType(
    {"dual": "Sign and encrypt", "sign": "Sign only", "encrypt": "Encrypt only"}
)
STATUSES: Final[Mapping[str, tuple[str, str]]] = MappingProxyType(
    {"active": ("Active", "ok"), "expired": ("Expired", ""), "revoked": ("Ended", "bad")}
)
REASONS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "stolen": "Lost or stolen",
        "replaced": "Replaced by a new one",
        "stopped": "No longer needed",
    }
)
"""Why a person ends a certificate, by the word that services/revocation takes."""

_ENDED: Final[Mapping[str, str]] = MappingProxyType(
    {
        "keyCompromise": "lost or stolen",
        "superseded": "replaced by a new one",
        "cessationOfOperation": "no longer needed",
        "affiliationChanged": "no longer a member of the campus",
        "privilegeWithdrawn": "withdrawn by the campus",
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """What a check found, in words; `sign` and `kind` repeat the verdict without and with colour."""

    sign: str
    kind: str
    title: str
    text: str
    reasons: tuple[str, ...]
    covered: str


_VERDICTS: Final[Mapping[str, tuple[str, str, str, str]]] = MappingProxyType(
    {
        "valid": (
            "✓",
            "ok",
            "Genuine: signed by its sender and not altered",
            "The body is just as the sender signed it. Subject, date and recipients are not protected by a signature.",
        ),
        "invalid": (
            "✕",
            "bad",
            "Do not trust this message",
            "Do not open its files, follow its links or answer it. Ask the sender in another way, such as by telephone.",
        ),
        "indeterminate": (
            "?",
            "warn",
            "It cannot be decided whether this message is genuine",
            "Treat it like a message without a signature. If it matters, ask the sender in another way.",
        ),
        "not_signed": (
            "!",
            "warn",
            "Not signed: anybody could have written this message",
            "That does not make it false, but nothing in it proves who sent it.",
        ),
    }
)
_SEALED: Final = (
    "▣",
    "warn",
    "Sealed: only its recipients can read this message",
    "Whether it is signed shows only in the mail program of a recipient, who has the key that opens it.",
)
_COVERED: Final[Mapping[Coverage, str]] = MappingProxyType(
    {
        Coverage.FULL: "The whole body with all attachments",
        Coverage.PARTIAL: "Only a part of the body; the rest could be from anybody",
        Coverage.NONE: "Nothing",
    }
)
_STATUS_OF_SIGNER: Final[Mapping[str, str]] = MappingProxyType(
    {
        "good": "Not ended when we looked",
        "revoked": "Ended",
        "on_hold": "Suspended",
        "unknown": "Not known whether it was ended",
        "not_checked": "Not looked up",
    }
)


def finding(report: Report) -> Finding:
    """The verdict of a report in words, with each reason as a sentence, worst first."""
    sealed = report.reasons == ("message_encrypted",)
    sign, kind, title, text = _SEALED if sealed else _VERDICTS[report.verdict.value]
    return Finding(
        sign=sign,
        kind=kind,
        title=title,
        text=text,
        reasons=tuple(reports.why(reason, report) or reason for reason in report.reasons if not sealed),
        covered=_COVERED[report.coverage],
    )


def status_of_signer(signer: SignerReport) -> str:
    """Whether the signer's certificate still counted."""
    return _STATUS_OF_SIGNER.get(signer.revocation.status, "Not known whether it was ended")


def why_ended(reason: str) -> str:
    """Why a certificate was ended; empty where no reason was given."""
    return _ENDED.get(reason, "")


def size(octets: int) -> str:
    """A limit in the largest unit of which there is one, rounded down."""
    for unit, name in ((1024 * 1024, "MB"), (1024, "KB")):
        if octets >= unit:
            return f"{octets // unit} {name}"
    return f"{octets} bytes"


def day(moment: datetime) -> str:
    """A day as people write it, whatever the language of the machine."""
    months = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
    return f"{moment.day} {months[moment.month - 1]} {moment.year}"


def minute(moment: datetime) -> str:
    """A day and time in UTC."""
    return f"{day(moment)}, {moment:%H:%M} UTC"


def left(span: timedelta) -> str:
    """How much time is left, in minutes."""
    minutes = max(0, int(span.total_seconds() // 60))
    return "less than a minute" if minutes == 0 else "1 minute" if minutes == 1 else f"{minutes} minutes"


def grouped(digits: str, *, by: int = 4) -> str:
    """A number in groups, which people can compare."""
    return " ".join(digits[index : index + by] for index in range(0, len(digits), by)).upper()


def not_of_this_campus(domains: Sequence[str]) -> str:
    """Why an address gets no link, in a sentence that names the mail domains of the campus."""
    return f"This is no address of this campus, whose addresses end in {' or '.join(f'@{one}' for one in domains)}."


def sentence(text: str) -> str:
    """A detail or hint as a sentence."""
    text = text[:1].upper() + text[1:]
    return text if text.endswith((".", "!", "?")) else f"{text}."

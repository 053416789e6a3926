"""Letters: every sentence that a person reads in mail from us."""

from __future__ import annotations

import textwrap
import unicodedata
from dataclasses import dataclass
from datetime import datetime
from typing import Final

_WIDTH: Final = 72
# Characters of a key's name.
_NAME: Final = 60
_MONTHS: Final = (
    *("January", "February", "March", "April", "May", "June"),
    *("July", "August", "September", "October", "November", "December"),
)
_USES: Final = {
    "dual": "to sign mail as this address and to read mail that was sealed for it",
    "sign": "to sign mail as this address",
    "encrypt": "to read mail that was sealed for this address",
}
_PROOFS: Final = {
    "link": "Whoever asked for it opened a link that was mailed to this address.",
    "own": "It was made on the service's own account, mostly in place of one that was about to end.",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Text:
    """The subject and the body of a letter; the body's lines end in LF."""

    subject: str
    body: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Campus:
    """Who writes: the campus, its service's URL, and where people find help, which may be nowhere."""

    name: str
    public_url: str
    help_email: str | None
    help_url: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Issued:
    """What a person is told about a certificate; `by` is the key of the program that asked for it, or empty.

    `has_button` is whether the page that a link opens can end it; `is_kept` is whether its key is kept by the service.
    """

    serial: str
    subject: str
    use: str
    until: datetime
    proof: str
    by: str
    sha256: str
    has_button: bool
    is_kept: bool


def enrolment_link(campus: Campus, *, address: str, link: str, minutes: str) -> Text:
    """The link that whoever reads this mailbox may use once."""
    return _letter(
        campus,
        f"Your link to get a certificate at {campus.name}",
        _prose(
            f"Somebody, most likely you, asked {campus.name} for a certificate for the address {address}. With it you"
            " sign your mail: everybody sees that it is from you, and nobody else can sign it so."
        ),
        "Open this link to go on:",
        link,
        _prose(
            f"The link is valid for {minutes} minutes from now and can be used once. Do not pass it on: whoever uses it gets the"
            " certificate in your place."
        ),
        _prose("If you did not ask for it, do nothing. Nothing happens unless somebody uses the link."),
    )


def certificate_issued(campus: Campus, *, address: str, issued: Issued) -> Text:
    """The notice that everybody gets whose address stands in a new certificate."""
    facts = (
        f"For: {issued.subject}",
        f"Valid until: {_day(issued.until)}",
        f"Serial number: {issued.serial}",
        f"Fingerprint: {issued.sha256}",
    )
    return _letter(
        campus,
        f"A certificate was issued for {address}",
        _prose(f"{campus.name} has issued a certificate for the address {address}. {_holder(issued)}"),
        "\n".join(facts),
        _prose(_proof(issued)),
        _prose("If this was you or your department, you need not do anything."),
        *_way_to_end(campus, issued),
        help_is="You find help here" if issued.has_button else "You reach them here",
    )


def _holder(issued: Issued) -> str:
    use = _USES.get(issued.use, _USES["dual"])
    if issued.is_kept:
        return f"The service keeps its key, and uses it {use} when a program of your department asks for that."
    return f"Whoever holds its key can use it {use}."


def _way_to_end(campus: Campus, issued: Issued) -> tuple[str, ...]:
    if issued.has_button:
        ask = _prose(
            "If it was not you, end it, so that nobody can sign as you: ask for a link here, open it, and press the"
            " button beside this certificate."
        )
        return ask, f"{campus.public_url}/enrol"
    return (
        _prose(
            "If it was not, let it be ended, so that nobody can sign as this address: tell those who run this service at"
            f" {campus.name}, with the serial number above. They can end it; no page that a mailed link opens can."
        ),
    )


def _proof(issued: Issued) -> str:
    if issued.proof == "api_client":
        # Whatever the name says, it ends where its quotes end.
        name = "".join("'" if _is_quote(one) else one for one in issued.by[:_NAME])
        by = f' that uses the key named "{name}"' if name else ""
        return f"It was asked for by a department or program of the campus{by}."
    return _PROOFS.get(issued.proof, "It was asked for at the campus.")


def _is_quote(character: str) -> bool:
    return character in '"\uff02' or unicodedata.category(character) in {"Pi", "Pf"}


def _letter(campus: Campus, subject: str, *paragraphs: str, help_is: str = "You find help here") -> Text:
    places = " or ".join(place for place in (campus.help_email, campus.help_url) if place)
    last = [_prose(f"{help_is}: {places}")] if places else []
    end = f"{campus.name}\nA machine wrote this letter. Nobody reads what is answered to it."
    return Text(subject=subject, body="\n\n".join((*paragraphs, *last, end)) + "\n")


def _day(moment: datetime) -> str:
    """Never in the words of the process's locale."""
    return f"{moment.day} {_MONTHS[moment.month - 1]} {moment.year}"


def _prose(text: str) -> str:
    """A paragraph in short lines, in which no address and no link is broken."""
    return textwrap.fill(text, width=_WIDTH, break_long_words=False, break_on_hyphens=False)

"""Values that settings can have: each function gives back the value in the form that counts, or says what is wrong."""

from __future__ import annotations

import ipaddress
import re
from typing import Final
from urllib.parse import SplitResult, unquote, urlsplit

from pydantic_core import PydanticCustomError

from formats.mailbox import Mailbox, MailboxError, parse_domain

Network = ipaddress.IPv4Network | ipaddress.IPv6Network

# RFC 2606 2-3, RFC 6761: names that are nobody's, which is why a demo may certify addresses in them.
_NOBODYS: Final = ("example", "test", "invalid", "example.com", "example.net", "example.org", "example.edu")

# ISO 3166-1 alpha-2.
COUNTRIES: Final = (
    "AD AE AF AG AI AL AM AO AQ AR AS AT AU AW AX AZ BA BB BD BE BF BG BH BI BJ BL BM BN BO BQ BR BS BT BV BW BY "
    "BZ CA CC CD CF CG CH CI CK CL CM CN CO CR CU CV CW CX CY CZ DE DJ DK DM DO DZ EC EE EG EH ER ES ET FI FJ FK "
    "FM FO FR GA GB GD GE GF GG GH GI GL GM GN GP GQ GR GS GT GU GW GY HK HM HN HR HT HU ID IE IL IM IN IO IQ IR "
    "IS IT JE JM JO JP KE KG KH KI KM KN KP KR KW KY KZ LA LB LC LI LK LR LS LT LU LV LY MA MC MD ME MF MG MH MK "
    "ML MM MN MO MP MQ MR MS MT MU MV MW MX MY MZ NA NC NE NF NG NI NL NO NP NR NU NZ OM PA PE PF PG PH PK PL PM "
    "PN PR PS PT PW PY QA RE RO RS RU RW SA SB SC SD SE SG SH SI SJ SK SL SM SN SO SR SS ST SV SX SY SZ TC TD TF "
    "TG TH TJ TK TL TM TN TO TR TT TV TW TZ UA UG UM US UY UZ VA VC VE VG VI VN VU WF WS YE YT ZA ZM ZW"
)
_ORGANIZATION_ID: Final = re.compile(
    r"NTR([A-Z]{2})(?:\+[A-Z0-9]{1,3})?-[!-~]{1,50}"
    r"|VAT([A-Z]{2})-[!-~]{1,50}"
    r"|PSD([A-Z]{2})-[A-Z]{2,8}-[!-~]{1,40}"
    r"|GOV([A-Z]{2})(?:\+[A-Z0-9]{1,3})?"
    r"|LEIXG-[A-Z0-9]{18}[0-9]{2}|INTXG"
)
_OID: Final = re.compile(r"(?:[01]\.[1-3]?[0-9]|2\.(?:0|[1-9][0-9]{0,8}))(?:\.(?:0|[1-9][0-9]{0,38})){1,20}")
_HOST_NAME: Final = re.compile(r"(?!-)[A-Za-z0-9_-]{1,63}(?:\.[A-Za-z0-9_-]{1,63}){0,20}")
_URL: Final = re.compile(r"[A-Za-z0-9._~:/\[\]!$&'()*+,;=%-]{1,200}")


def _wrong(text: str) -> PydanticCustomError:
    return PydanticCustomError("setting", "{text}", {"text": text})


def listed(value: object) -> object:
    """The parts of a list that is separated by commas."""
    return [part.strip() for part in value.split(",") if part.strip()] if isinstance(value, str) else value


def database_url(url: str) -> str:
    """A database URL of a kind that is served here; nothing of it is ever repeated, it may hold a password."""
    try:
        parts = urlsplit(url)
    except ValueError:
        raise _wrong("is not a URL") from None
    if parts.scheme not in {"sqlite", "postgresql+psycopg"}:
        raise _wrong("must begin with postgresql+psycopg:// or sqlite:///")
    if len(parts.path) < 2:
        raise _wrong("names no database")
    if parts.scheme == "sqlite" and (parts.netloc or parts.path == "/:memory:"):
        raise _wrong("must name a file: sqlite:///relative/path or sqlite:////absolute/path")
    return url


def host_name(host: str) -> str:
    """A host name or an IP address."""
    if not _is_address(host) and (not _HOST_NAME.fullmatch(host) or host.rpartition(".")[2].isdigit()):
        raise _wrong("must be a host name or an IP address, without port")
    return host


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def is_loopback(host: str) -> bool:
    """Whether this host name or address is always this very machine (RFC 6761 6.3)."""
    if _is_address(host):
        return ipaddress.ip_address(host).is_loopback
    return host == "localhost" or host.endswith(".localhost")


def _split(url: str, *, schemes: tuple[str, ...]) -> SplitResult:
    """The parts of a URL without credentials, query or fragment."""
    try:
        parts = urlsplit(url)
        host, _port = parts.hostname, parts.port
    except ValueError:
        raise _wrong("is not a URL") from None
    if parts.scheme not in schemes:
        raise _wrong(f"must begin with {' or '.join(f'{scheme}://' for scheme in schemes)}")
    if not host or not _URL.fullmatch(url):
        raise _wrong("must be a plain URL: host, perhaps a port and a path, in ASCII")
    host_name(host)
    return parts


def public_url(url: str) -> str:
    """The URL of the service itself: scheme, host and port; https unless it is this machine."""
    parts = _split(url, schemes=("https", "http"))
    if parts.path.strip("/"):
        raise _wrong("must end behind the host and port")
    if parts.scheme == "http" and not is_loopback(parts.hostname or ""):
        raise _wrong("must begin with https:// unless it names this machine itself")
    return url.rstrip("/")


def status_url(url: str) -> str:
    """A plain http URL: https would need a certificate check to do a certificate check (RFC 5280 8)."""
    _split(url, schemes=("http",))
    return url.rstrip("/")


def help_url(url: str) -> str:
    """A URL that a browser opens."""
    _split(url, schemes=("https", "http"))
    return url


def campus_name(name: str) -> str:
    """A name that leaves room for other words in the 64 characters of a CA's name (RFC 5280 A.1)."""
    if not 1 <= len(name) <= 30 or name != name.strip():
        raise _wrong("must have 1 to 30 characters, and no blank at either end")
    return name


def country(code: str) -> str:
    """Two letters of ISO 3166-1."""
    if code not in COUNTRIES.split(" "):
        raise _wrong("must be two capital letters of ISO 3166, such as HK")
    return code


def organization_id(text: str) -> str:
    """An organizationIdentifier in a form of SBR 7.1.4.2.2."""
    if not _ORGANIZATION_ID.fullmatch(text):
        raise _wrong("must be scheme, country and number as in NTRHK-00000000 (NTR, VAT, PSD, GOV, LEIXG- or INTXG)")
    return text


def mail_domains(domains: tuple[str, ...]) -> tuple[str, ...]:
    """Mail domains in lower-case A-labels, each once."""
    try:
        parsed = tuple(map(parse_domain, domains))
    except MailboxError as refusal:
        raise _wrong(f"names {refusal.detail}") from None
    if len(set(parsed)) != len(parsed):
        raise _wrong("names a domain twice")
    if len(parsed) > 100:
        raise _wrong("names more than 100 domains")
    return parsed


def policy_arc(text: str) -> str:
    """An object identifier in dotted form."""
    if not _OID.fullmatch(text):
        raise _wrong("must be an object identifier in numbers and dots, such as 1.3.6.1.4.1.32473.1")
    # The linter, like many programs, reads numbers of 32 bits only.
    if any(int(number) >= 1 << 32 for number in text.split(".")):
        raise _wrong("must be an object identifier whose numbers are below 2^32")
    return text


def mail_from(text: str) -> str:
    """One mailbox in ASCII, because a letter from another reaches few."""
    mailbox = help_email(text)
    if not mailbox.isascii():
        raise _wrong("must be an address in ASCII")
    return mailbox


def smtp_url(url: str) -> str:
    """A relay's URL; nothing of it is ever repeated, it may hold a password.

    A password goes over an encrypted connection, or one within the machine.
    """
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
        credentials = [unquote(part, errors="strict") for part in (parts.username, parts.password) if part is not None]
    except ValueError:
        raise _wrong("is not a URL") from None
    if parts.scheme not in {"smtp", "smtps"}:
        raise _wrong("must begin with smtp:// or smtps://")
    if parts.path.strip("/") or parts.fragment or parts.query not in {"", "starttls=required"} or port == 0:
        raise _wrong("must be smtp://host:port or smtps://host:port, perhaps with ?starttls=required")
    if parts.scheme == "smtps" and parts.query:
        raise _wrong("is encrypted at once with smtps://, so leave starttls out")
    host_name(host)
    if any(not part.isascii() or not part.isprintable() for part in credentials) or len(credentials) == 1:
        raise _wrong("must have user and password in printable ASCII, or neither")
    if credentials and parts.scheme == "smtp" and not parts.query and not is_loopback(host):
        raise _wrong("holds a password, and so must be smtps:// or end in ?starttls=required")
    return url


def help_email(text: str) -> str:
    """One mailbox."""
    try:
        return str(Mailbox.parse(text))
    except MailboxError as refusal:
        raise _wrong(f"is {refusal.detail}") from None


def network(text: object) -> object:
    """A network in CIDR form."""
    if not isinstance(text, str):
        return text
    try:
        return ipaddress.ip_network(text)
    except ValueError:
        raise _wrong("must be networks like 192.0.2.0/24 or 2001:db8::/32") from None


def lower(value: object) -> object:
    """The text in lower case."""
    return value.lower() if isinstance(value, str) else value


def registered_in(organization_id: str | None) -> str | None:
    """The country that an organization identifier names; LEI and INT name none (SBR 7.1.4.2.2)."""
    match = _ORGANIZATION_ID.fullmatch(organization_id or "")
    found = next((country for country in match.groups() if country), None) if match else None
    return {"EL": "GR"}.get(found, found) if found else None


def is_nobodys(domain: str) -> bool:
    """Whether the domain is set aside for examples and tests, so that nobody's mail can be meant."""
    return any(domain == name or domain.endswith(f".{name}") for name in _NOBODYS)

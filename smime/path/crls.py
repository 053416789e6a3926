"""CRLs (RFC 5280 5), read without making an object of every entry: a serial is searched in the octets."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType
from typing import Final

from formats import der as writer
from formats import extensions, oids
from formats.ber import (
    BIT_STRING,
    ENUMERATED,
    GENERALIZED_TIME,
    INTEGER,
    SEQUENCE,
    UTC_TIME,
    BerError,
    BerTooLarge,
    Element,
    Fields,
    context,
    read_der,
)
from formats.extensions import Extension
from formats.serial import Serial
from smime.path import names
from smime.path.effort import Signed

MAX_SIZE: Final = 32 * 1024 * 1024
MAX_HEADER_ELEMENTS: Final = 10_000
MAX_ENTRIES_WITH_CRITICAL: Final = 10_000

_REASONS: Final = {
    1: "keyCompromise",
    2: "cACompromise",
    3: "affiliationChanged",
    4: "superseded",
    5: "cessationOfOperation",
    6: "certificateHold",
    9: "privilegeWithdrawn",
    10: "aACompromise",
}
HOLD: Final = "certificateHold"

_SEQUENCE: Final = 0x20 | SEQUENCE
_EXTENSIONS: Final = 0x20 | context(0)
_TIMES: Final = frozenset({UTC_TIME, GENERALIZED_TIME})
_KNOWN_OF_ENTRIES: Final = frozenset({oids.CRL_REASON, oids.INVALIDITY_DATE})
_CERTIFICATE_ISSUER: Final = writer.oid(oids.CERTIFICATE_ISSUER)
_TRUE: Final = b"\x01\x01\xff"


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """What a CRL says of one certificate; `reason` is None where it gives none."""

    revoked_at: datetime
    reason: str | None
    invalidity_date: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """An issuingDistributionPoint (RFC 5280 5.2.5); `names` are comparable, None where it gives none."""

    names: frozenset[object] | None = None
    only_users: bool = False
    only_authorities: bool = False
    only_attributes: bool = False
    some_reasons: bool = False
    indirect: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Crl:
    """One CRL; `entries` are the bounds of the revoked certificates in `der`. Nothing is checked beyond the form."""

    der: bytes
    signed: Signed
    algorithms_agree: bool
    issuer_der: bytes
    this_update: datetime
    next_update: datetime | None
    extensions: Mapping[str, Extension]
    scope: Scope
    key_id: bytes | None
    entries: tuple[int, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Lookup:
    """What a search found; with a `fault` the whole CRL must not be used for any certificate (RFC 5280 5.3)."""

    entry: Entry | None = None
    fault: str | None = None


@dataclass(frozen=True, slots=True)
class _Part:
    """Where one value begins and ends; `tag` is the whole identifier octet."""

    tag: int
    start: int
    begin: int
    end: int


def read_crl(der: bytes) -> Crl:
    """Read a CRL in DER of at most 32 MiB; BerError where it is none. The entries are not yet looked at."""
    if len(der) > MAX_SIZE:
        raise BerTooLarge(f"a CRL of more than {MAX_SIZE} octets")
    (whole,) = _parts(der, 0, len(der), at_most=1)
    outer = _Cursor(der, _parts(der, whole.begin, whole.end, at_most=3))
    listed, algorithm, signature = outer.take(_SEQUENCE), outer.element(_SEQUENCE), outer.element(BIT_STRING)
    tbs = _Cursor(der, _parts(der, listed.begin, listed.end, at_most=7))
    version = tbs.optional(INTEGER)
    inner, issuer, this_update = tbs.element(_SEQUENCE), tbs.element(_SEQUENCE), tbs.element(*_TIMES).time()
    next_update = tbs.optional(*_TIMES)
    revoked = tbs.part(_SEQUENCE)
    wrapped = tbs.optional(_EXTENSIONS)
    tbs.end()
    outer.end()
    if version is not None and version.integer() != 1:
        raise BerError("a CRL version other than 2")
    found = extensions.read_extensions(wrapped.fields().any()) if wrapped is not None else {}
    if found and version is None:
        raise BerError("extensions in a CRL that is not of version 2")
    key_id = found.get(oids.AUTHORITY_KEY_ID)
    return Crl(
        der=der,
        signed=Signed(tbs=der[listed.start : listed.end], algorithm_der=algorithm.raw, signature=signature.bits()),
        algorithms_agree=algorithm.raw == inner.raw,
        issuer_der=issuer.raw,
        this_update=this_update,
        next_update=None if next_update is None else next_update.time(),
        extensions=MappingProxyType(found),
        scope=_scope(found),
        key_id=None if key_id is None else extensions.authority_key_id(key_id.value),
        entries=(0, 0) if revoked is None else (revoked.begin, revoked.end),
    )


def look_up(crl: Crl, serial: Serial) -> Lookup:
    """What the CRL says of the serial number; every entry is looked at, since one may forbid to use any."""
    try:
        return _search(crl.der, crl.entries, writer.integer(serial.value))
    except (BerError, BerTooLarge, IndexError):
        return Lookup(fault="crl_malformed")


def point_names(point: Element) -> frozenset[object]:
    """The names of a DistributionPointName, comparable; one relative to the issuer is none that we compare."""
    fields = point.fields()
    full = fields.optional(context(0))
    if full is None:
        return frozenset()
    return frozenset(map(_comparable, full.fields().rest()))


def directory_name(der: bytes) -> object:
    """The comparable form of a directoryName among the names of a distribution point."""
    return names.distinguished(der)


def _comparable(name: Element) -> object:
    if name.tag == context(4):
        return directory_name(name.fields().any().raw)
    return name.raw


def _search(der: bytes, entries: tuple[int, int], wanted: bytes) -> Lookup:
    """Walk the entries by offsets: a CRL may hold a million of them."""
    position, stop = entries
    found: Entry | None = None
    clean: set[bytes] = set()
    while position < stop:
        length = der[position + 1]
        if der[position] == _SEQUENCE and length < 0x80:
            begin = position + 2
            end = begin + length
        else:
            part = _part(der, position, stop)
            if part.tag != _SEQUENCE:
                raise BerError("an entry that is none")
            begin, end = part.begin, part.end
        moment = begin + 2 + der[begin + 1]
        rest = moment + 2 + der[moment + 1]
        if der[begin] != INTEGER or der[moment] not in _TIMES or rest > end or end > stop or _padded(der, begin):
            raise BerError("an entry that cannot be read")
        if rest < end and (_TRUE in (tail := der[rest:end]) or _CERTIFICATE_ISSUER in tail) and tail not in clean:
            fault = _entry_fault(tail)
            if fault is not None or len(clean) >= MAX_ENTRIES_WITH_CRITICAL:
                return Lookup(fault=fault or "crl_too_complex")
            clean.add(tail)
        if der[begin:moment] == wanted and (found is None or found.reason == HOLD):
            found = _entry(read_der(der[position:end]))
        position = end
    return Lookup(entry=found)


def _padded(der: bytes, at: int) -> bool:
    """Whether the INTEGER is empty, huge, or longer than it need be: then it would escape the comparison."""
    size = der[at + 1]
    if size == 0 or size > 0x7F:
        return True
    first = der[at + 2]
    return size > 1 and ((first == 0 and der[at + 3] < 0x80) or (first == 0xFF and der[at + 3] >= 0x80))


def _entry_fault(tail: bytes) -> str | None:
    found = extensions.read_extensions(read_der(tail))
    if oids.CERTIFICATE_ISSUER in found:
        return "crl_indirect"
    if any(extension.critical and oid not in _KNOWN_OF_ENTRIES for oid, extension in found.items()):
        return "crl_critical_extension"
    return None


def _entry(element: Element) -> Entry:
    fields = element.fields(SEQUENCE)
    fields.take(INTEGER)
    revoked_at = fields.any().time()
    rest = fields.optional(SEQUENCE)
    fields.end()
    found = {} if rest is None else extensions.read_extensions(rest)
    reason, invalidity = found.get(oids.CRL_REASON), found.get(oids.INVALIDITY_DATE)
    return Entry(
        revoked_at=revoked_at,
        reason=None if reason is None else _REASONS.get(read_der(reason.value).integer(tag=ENUMERATED)),
        invalidity_date=None if invalidity is None else read_der(invalidity.value).time(),
    )


def _scope(found: Mapping[str, Extension]) -> Scope:
    extension = found.get(oids.ISSUING_DISTRIBUTION_POINT)
    if extension is None:
        return Scope()
    fields = read_der(extension.value).fields(SEQUENCE)
    point = fields.optional(context(0))
    users, authorities = _flag(fields, 1), _flag(fields, 2)
    some_reasons = fields.optional(context(3)) is not None
    indirect, attributes = _flag(fields, 4), _flag(fields, 5)
    fields.end()
    return Scope(
        names=None if point is None else point_names(point),
        only_users=users,
        only_authorities=authorities,
        only_attributes=attributes,
        some_reasons=some_reasons,
        indirect=indirect,
    )


def _flag(fields: Fields, number: int) -> bool:
    element = fields.optional(context(number))
    return element is not None and element.boolean(tag=context(number))


class _Cursor:
    """A cursor over parts; each but the entries is small and is read whole when it is taken."""

    def __init__(self, der: bytes, parts: list[_Part]) -> None:
        self._der = der
        self._parts = parts[::-1]

    def part(self, *tags: int) -> _Part | None:
        """The next part if it has one of these tags."""
        return self._parts.pop() if self._parts and self._parts[-1].tag in tags else None

    def take(self, *tags: int) -> _Part:
        """The next part, which must have one of these tags."""
        part = self.part(*tags)
        if part is None:
            raise BerError("a field of a CRL is missing or of the wrong type")
        return part

    def optional(self, *tags: int) -> Element | None:
        """The next value if it has one of these tags."""
        part = self.part(*tags)
        return None if part is None else self._read(part)

    def element(self, *tags: int) -> Element:
        """The next value, which must have one of these tags."""
        return self._read(self.take(*tags))

    def end(self) -> None:
        """Refuse what is left."""
        if self._parts:
            raise BerError("a field too many in a CRL")

    def _read(self, part: _Part) -> Element:
        return read_der(self._der[part.start : part.end], max_elements=MAX_HEADER_ELEMENTS)


def _parts(der: bytes, start: int, stop: int, *, at_most: int) -> list[_Part]:
    """The values side by side between the bounds, at least one."""
    found: list[_Part] = []
    while start < stop or not found:
        if len(found) == at_most:
            raise BerError("octets behind the end of a value")
        found.append(_part(der, start, stop))
        start = found[-1].end
    return found


def _part(der: bytes, start: int, limit: int) -> _Part:
    """One header in DER (X.690 8.1, 10.1), its content not looked at."""
    if start + 2 > limit:
        raise BerError("a value is cut off")
    tag, length, begin = der[start], der[start + 1], start + 2
    if tag & 0x1F == 0x1F:
        raise BerError("a tag number above 30")
    if length >= 0x80:
        octets = length & 0x7F
        begin += octets
        if not 0 < octets <= 4 or begin > limit:
            raise BerError("a length that cannot be")
        length = int.from_bytes(der[start + 2 : begin], "big")
        if length < 0x80 or length >> (8 * (octets - 1)) == 0:
            raise BerError("a length longer than it need be, which DER forbids")
    if begin + length > limit:
        raise BerError("a length that reaches beyond its surroundings")
    return _Part(tag, start, begin, begin + length)

"""Name constraints (RFC 5280 4.2.1.10 and 6.1.4 g, RFC 9598 6): which names an authority may certify."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from types import MappingProxyType
from typing import Any, Final

from formats import oids
from formats.ber import SEQUENCE, BerError, BerTooLarge, Element, Fields, context, read_der
from formats.certificate import Certificate
from formats.mailbox import Mailbox
from smime.path import names
from smime.path.effort import Effort
from smime.path.names import DistinguishedName, Form, Name

MALFORMED: Final = "name_constraints_malformed"
VIOLATED: Final = "name_constraint_violated"
UNSUPPORTED: Final = "name_constraint_unsupported"

MAX_SUBTREES: Final = 1000  # in one certificate, permitted and excluded together
MAX_TEXT: Final = 320  # the longest mailbox, RFC 5321 4.5.3.1

_HOST: Final = re.compile(r"\.?[a-z0-9_](?:[a-z0-9_-]*[a-z0-9_])?(?:\.[a-z0-9_](?:[a-z0-9_-]*[a-z0-9_])?)*")


@dataclass(frozen=True, slots=True, kw_only=True)
class Mail:
    """An rfc822Name constraint: one mailbox, or with `local` None the hosts under `host`."""

    local: str | None
    host: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Subtree:
    """One subtree of the form's kind; `value` is None where the form is not looked into."""

    form: str
    value: Mail | DistinguishedName | str | bytes | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class NameConstraints:
    """What one certificate permits and excludes for all that follow it; `by_form` holds the same, grouped once."""

    permitted: tuple[Subtree, ...]
    excluded: tuple[Subtree, ...]
    critical: bool
    by_form: Mapping[str, tuple[list[Subtree], list[Subtree]]] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "by_form", _by_form(self.permitted, self.excluded))


def read(certificate: Certificate) -> NameConstraints | None:
    """The certificate's name constraints, if it has any; BerError where they cannot be relied on."""
    extension = certificate.extensions.get(oids.NAME_CONSTRAINTS)
    if extension is None:
        return None
    found = _known(extension.value, extension.critical)
    if isinstance(found, str):
        raise BerError(found)
    return found


@lru_cache(maxsize=64)
def _known(value: bytes, critical: bool) -> NameConstraints | str:
    """Read once what stands in many chains; where it is refused why, since a cache keeps no errors."""
    try:
        return _read(value, critical=critical)
    except (BerError, BerTooLarge) as error:
        return error.detail


def _read(value: bytes, *, critical: bool) -> NameConstraints:
    fields = read_der(value).fields(SEQUENCE)
    permitted, excluded = _subtrees(fields, context(0)), _subtrees(fields, context(1))
    fields.end()
    if not permitted and not excluded:
        raise BerError("name constraints that name no subtree")
    if len(permitted) + len(excluded) > MAX_SUBTREES:
        raise BerError(f"more than {MAX_SUBTREES} subtrees")
    return NameConstraints(permitted=permitted, excluded=excluded, critical=critical)


def _by_form(
    permitted: Iterable[Subtree], excluded: Iterable[Subtree]
) -> Mapping[str, tuple[list[Subtree], list[Subtree]]]:
    found: dict[str, tuple[list[Subtree], list[Subtree]]] = {}
    for side, subtrees in enumerate((permitted, excluded)):
        for subtree in subtrees:
            found.setdefault(subtree.form, ([], []))[side].append(subtree)
    return found


def fault(certificate: Certificate, above: Iterable[NameConstraints], *, effort: Effort) -> str | None:
    """The first finding by which a name of the certificate offends the constraints above it, None where none does."""
    constraints = list(above)
    bound = list(names.bound_by(certificate)) if constraints else []
    offences = (_fault(name, own, effort) for own in constraints for name in bound)
    return next((offence for offence in offences if offence is not None), None)


def _fault(name: Name, constraints: NameConstraints, effort: Effort) -> str | None:
    """A name costs as many comparisons as there are subtrees of its form, and one where there are none."""
    permitted, excluded = constraints.by_form.get(name.form, ((), ()))
    if not effort.compare(len(permitted) + len(excluded) or 1):
        return VIOLATED
    if not permitted and not excluded:
        return None
    if name.form not in _MATCHES:  # RFC 5280 4.2.1.10: process a critical one or reject
        return UNSUPPORTED if constraints.critical else None
    if name.value is None:
        return VIOLATED
    matches = _MATCHES[name.form]
    if any(matches(name.value, subtree.value, exclude=True) for subtree in excluded):
        return VIOLATED
    if permitted and not any(matches(name.value, subtree.value, exclude=False) for subtree in permitted):
        return VIOLATED
    return None


def _matches_mail(name: Mailbox, subtree: Mail, *, exclude: bool) -> bool:
    """A mailbox is excluded in any spelling of its letters' case, and permitted only in its own."""
    if subtree.local is None:
        return _matches_host(name.domain, subtree.host)
    if exclude:
        return Mailbox(subtree.local, subtree.host).same_as(name)
    return (name.local, name.domain) == (subtree.local, subtree.host)


def _matches_host(name: str, subtree: str, *, exclude: bool = False) -> bool:  # noqa: ARG001 - one shape for all
    """`host` is that host, `.host` whatever is under it."""
    return name.endswith(subtree) if subtree.startswith(".") else name == subtree


def _matches_domain(name: str, subtree: str, *, exclude: bool) -> bool:
    """A dNSName is in the subtree of every name that it ends in by whole labels; a wildcard may stand for any.

    `*.x` is permitted only under what is permitted, and excluded as soon as one of its names is.
    """
    if subtree in {"", name} or name.endswith(subtree if subtree.startswith(".") else "." + subtree):
        return True
    return exclude and name.startswith("*.") and _matches_domain(subtree.lstrip("."), name[2:], exclude=False)


def _matches_directory(name: DistinguishedName, subtree: DistinguishedName, *, exclude: bool) -> bool:  # noqa: ARG001
    return name[: len(subtree)] == subtree


def _matches_network(name: bytes, subtree: bytes, *, exclude: bool) -> bool:  # noqa: ARG001 - one shape for all
    size = len(name)
    if len(subtree) != 2 * size:
        return False
    network, mask = int.from_bytes(subtree[:size], "big"), int.from_bytes(subtree[size:], "big")
    return int.from_bytes(name, "big") & mask == network & mask


_MATCHES: Final[Mapping[str, Callable[..., bool]]] = MappingProxyType(
    {
        Form.EMAIL: _matches_mail,
        Form.DNS: _matches_domain,
        Form.DIRECTORY: _matches_directory,
        Form.URI: _matches_host,
        Form.IP: _matches_network,
    }
)


def _subtrees(fields: Fields, tag: int) -> tuple[Subtree, ...]:
    element = fields.optional(tag)
    if element is None:
        return ()
    found = element.fields().rest()
    if not 0 < len(found) <= MAX_SUBTREES:
        raise BerError(f"a list without a subtree, or with more than {MAX_SUBTREES}")
    return tuple(map(_subtree, found))


def _subtree(element: Element) -> Subtree:
    """RFC 5280 4.2.1.10: minimum is 0, which some authorities write out, and maximum is absent."""
    fields = element.fields(SEQUENCE)
    base = fields.any()
    minimum = fields.optional(context(0))
    fields.end()
    if minimum is not None and minimum.integer(tag=context(0)) != 0:
        raise BerError("a subtree that begins below its base")
    form = names.FORMS.get(base.tag)
    if form is None:
        return Subtree(form=names.form_key(base))
    value: Any = _READERS[form](base)
    return Subtree(form=form, value=value)


def _text(base: Element) -> str:
    text = base.text(tag=base.tag)
    if len(text) > MAX_TEXT:  # each comparison costs as much as the text is long
        raise BerError("a constraint longer than any mailbox or host")
    return text


def _read_mail(base: Element) -> Mail:
    text = _text(base)
    local, at, host = text.rpartition("@")
    if at and (not local or host.startswith(".")):
        raise BerError("a constraint on mailboxes without a local part or host")
    return Mail(local=local if at else None, host=_host(host))


def _read_domain(base: Element) -> str:
    text = _text(base)
    return _host(text) if text else ""


def _read_host(base: Element) -> str:
    return _host(_text(base))


def _read_network(base: Element) -> bytes:
    octets = base.octets(tag=base.tag)
    if len(octets) not in {8, 32}:
        raise BerError("a constraint on addresses that is no network and mask")
    return octets


def _read_directory(base: Element) -> DistinguishedName:
    fields = base.fields()
    inner = fields.any()
    fields.end()
    return names.distinguished(inner.raw)


_READERS: Final[Mapping[Form, Callable[[Element], Any]]] = MappingProxyType(
    {
        Form.EMAIL: _read_mail,
        Form.DNS: _read_domain,
        Form.DIRECTORY: _read_directory,
        Form.URI: _read_host,
        Form.IP: _read_network,
    }
)


def _host(text: str) -> str:
    host = text.lower()
    if not _HOST.fullmatch(host):
        raise BerError("a constraint on hosts that is no host")
    return host

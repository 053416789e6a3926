"""Content-Type and its kin: a value with parameters (RFC 2045 5.1, RFC 2183, RFC 2231)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final

from smime.errors import FieldMalformed
from smime.tokens import readable, unquoted, without_comments

MAX_PARAMETERS: Final = 100

# RFC 2045 has mailers quote what holds a tspecial. Many do not (`type=text/html`, `boundary=a=b`); where such a value
# ends is not in doubt.
_NAME: Final = r"[A-Za-z0-9!#$%&'*+^_`{|}~.-]+"
_MEDIA: Final = re.compile(rf"[ \t]*({_NAME})[ \t]*/[ \t]*({_NAME})[ \t]*")
_TOKEN: Final = re.compile(rf"[ \t]*({_NAME})[ \t]*")
_PARAMETER: Final = re.compile(
    rf';[ \t]*(?:({_NAME})[ \t]*=[ \t]*(?:("(?:[^"\\]|\\.)*")|([A-Za-z0-9!#$%&\'*+^_`{{|}}~./=?:@<>\[\]-]+))[ \t]*)?'
)
_SECTION: Final = re.compile(r"([^*]+)(?:\*(0|[1-9][0-9]?))?(\*)?")
_EXTENDED: Final = re.compile(r"([A-Za-z0-9-]*)'[A-Za-z0-9-]*'(.*)", re.DOTALL)
_CHARSETS: Final = {"utf-8": "utf-8", "us-ascii": "ascii", "": "ascii", "iso-8859-1": "latin-1"}
_FLAT: Final = 60  # with the field's name before it, a line of the usual length
_PERCENT: Final = re.compile(rb"%([0-9A-Fa-f]{2})")
_PLAIN_VALUE: Final = re.compile(r"[A-Za-z0-9!#$&+^_`{|}~.-]+")


@dataclass(frozen=True, slots=True, kw_only=True)
class ContentType:
    """A media type in lower case, with its parameters by their names in lower case."""

    type: str
    subtype: str
    parameters: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))

    @property
    def media(self) -> str:
        """Type and subtype, as in `multipart/signed`."""
        return f"{self.type}/{self.subtype}"

    def get(self, name: str) -> str:
        """The parameter of this name, or the empty string."""
        return self.parameters.get(name, "")

    def encode(self) -> bytes:
        """The field value in ASCII, folded."""
        return _encode(self.media, self.parameters)


@dataclass(frozen=True, slots=True, kw_only=True)
class Disposition:
    """A Content-Disposition, with its parameters by their names in lower case."""

    kind: str
    parameters: Mapping[str, str]

    def encode(self) -> bytes:
        """The field value in ASCII, folded."""
        return _encode(self.kind, self.parameters)


TEXT_PLAIN: Final = ContentType(
    type="text", subtype="plain", parameters=MappingProxyType({"charset": "us-ascii"})
)  # RFC 2045 5.2
MESSAGE_RFC822: Final = ContentType(type="message", subtype="rfc822")
OCTET_STREAM: Final = ContentType(type="application", subtype="octet-stream")


def read_content_type(value: bytes) -> ContentType:
    """Read a Content-Type; FieldMalformed where it breaks its grammar or has one parameter twice."""
    text = without_comments(readable(value))
    match = _MEDIA.match(text)
    if match is None:
        raise FieldMalformed("a Content-Type without type and subtype")
    return ContentType(
        type=match[1].lower(), subtype=match[2].lower(), parameters=_parameters(text, position=match.end())
    )


def has_comments(value: bytes) -> bool:
    """Whether comments stand in a value that can be read: mail programs differ in where the type then ends."""
    text = readable(value)
    return without_comments(text) != text


def read_disposition(value: bytes) -> Disposition:
    """Read a Content-Disposition; FieldMalformed as for a Content-Type."""
    text = without_comments(readable(value))
    match = _TOKEN.match(text)
    if match is None:
        raise FieldMalformed("a Content-Disposition without its kind")
    return Disposition(kind=match[1].lower(), parameters=_parameters(text, position=match.end()))


def _parameters(text: str, *, position: int) -> Mapping[str, str]:
    if position == len(text):
        return MappingProxyType({})
    sections: dict[str, dict[str, str]] = {}
    count = 0
    while position < len(text):
        match = _PARAMETER.match(text, position)
        if match is None:
            raise FieldMalformed("parameters that cannot be read")
        position = match.end()
        if match[1] is None:  # a semicolon with nothing behind it
            continue
        count += 1
        _add(sections, match[1].lower(), match[3] if match[2] is None else unquoted(match[2]))
        if count > MAX_PARAMETERS:
            raise FieldMalformed("too many parameters")
    return MappingProxyType({name: _joined(name, parts) for name, parts in sections.items()})


def _add(sections: dict[str, dict[str, str]], name: str, value: str) -> None:
    """File a parameter under its name without RFC 2231 marks: `a*1*` is the section `1*` of `a`."""
    match = _SECTION.fullmatch(name)
    if match is None:
        raise FieldMalformed("a parameter name that cannot be read")
    section = (match[2] or "") + (match[3] or "")
    parts = sections.setdefault(match[1], {})
    if section in parts:
        raise FieldMalformed(f"the parameter {match[1]} twice")
    parts[section] = value


def _joined(name: str, parts: dict[str, str]) -> str:
    if len(parts) == 1 and "" in parts:
        return parts[""]
    if "" in parts and name in {"name", "filename"}:
        # Mailers give a file's name twice, for old readers and in full; nothing but the name hangs on it.
        parts = {section: value for section, value in parts.items() if section}
    if set(parts) == {"*"}:
        return _decoded([("*", parts["*"])])
    ordered = [_section(parts, number) for number in range(len(parts))]
    if None in ordered:
        raise FieldMalformed(f"the parameter {name} twice, or in sections that do not join")
    return _decoded([section for section in ordered if section])


def _section(parts: dict[str, str], number: int) -> tuple[str, str] | None:
    """The section of this number with its mark, None where it is missing or there twice."""
    found = [(mark, parts[f"{number}{mark}"]) for mark in ("", "*") if f"{number}{mark}" in parts]
    return found[0] if len(found) == 1 else None


def _decoded(sections: list[tuple[str, str]]) -> str:
    """Join sections: the first, if it is marked, names the character set of all marked ones (RFC 2231 4.1)."""
    charset = "ascii"
    if sections[0][0]:
        match = _EXTENDED.fullmatch(sections[0][1])
        if match is None or match[1].lower() not in _CHARSETS:
            raise FieldMalformed("a parameter in a character set that is not known")
        charset = _CHARSETS[match[1].lower()]
        sections = [("*", match[2]), *sections[1:]]
    octets = b"".join(_unescaped(value) if mark else value.encode("utf-8") for mark, value in sections)
    try:
        return readable(octets.decode(charset if sections[0][0] else "utf-8").encode("utf-8"))
    except UnicodeDecodeError as error:
        raise FieldMalformed("a parameter that is not in the character set it names") from error


def _encode(head: str, parameters: Mapping[str, str]) -> bytes:
    pieces = [head, *_written(parameters.items())]
    flat = "; ".join(pieces)
    return (flat if len(flat) <= _FLAT else ";\r\n ".join(pieces)).encode("ascii")


def _written(parameters: Iterable[tuple[str, str]]) -> Iterable[str]:
    for name, value in parameters:
        if _PLAIN_VALUE.fullmatch(value):
            yield f"{name}={value}"
        elif value.isascii():
            escaped = value.replace("\\", "\\\\").replace('"', '\\"')
            yield f'{name}="{escaped}"'
        else:
            yield f"{name}*=utf-8''{_escaped(value)}"


def _unescaped(value: str) -> bytes:
    return _PERCENT.sub(lambda match: bytes.fromhex(match[1].decode("ascii")), value.encode("utf-8"))


def _escaped(value: str) -> str:
    return "".join(chr(octet) if chr(octet).isalnum() and octet < 0x80 else f"%{octet:02X}" for octet in value.encode())

"""The bounded BER reader (X.690): one pass over a buffer into elements that point into it.

BerError      Malformed: not BER, or not of the shape that was asked for
BerTooLarge   TooLarge: deeper or of more elements than we are willing to read
"""

from __future__ import annotations

from datetime import datetime
from itertools import pairwise
from typing import ClassVar, Final

from formats import contents
from formats.errors import Malformed, TooLarge

BOOLEAN: Final = 0x01
INTEGER: Final = 0x02
BIT_STRING: Final = 0x03
OCTET_STRING: Final = 0x04
NULL: Final = 0x05
OID: Final = 0x06
ENUMERATED: Final = 0x0A
UTF8_STRING: Final = 0x0C
SEQUENCE: Final = 0x10
SET: Final = 0x11
NUMERIC_STRING: Final = 0x12
PRINTABLE_STRING: Final = 0x13
T61_STRING: Final = 0x14
IA5_STRING: Final = 0x16
UTC_TIME: Final = 0x17
GENERALIZED_TIME: Final = 0x18
VISIBLE_STRING: Final = 0x1A
UNIVERSAL_STRING: Final = 0x1C
BMP_STRING: Final = 0x1E

MAX_DEPTH: Final = 64
MAX_ELEMENTS: Final = 200_000

_CONSTRUCTED: Final = 0x20
_CONSTRUCTED_ONLY: Final = frozenset({SEQUENCE, SET})
_UNIVERSAL_BELOW: Final = 0x20  # our tags keep the class in the two top bits, so universal ones stay under this

_ENCODINGS: Final = {
    UTF8_STRING: "utf-8",
    NUMERIC_STRING: "ascii",
    PRINTABLE_STRING: "ascii",
    T61_STRING: "latin-1",  # what every producer means by it; nobody writes real T.61
    IA5_STRING: "ascii",
    VISIBLE_STRING: "ascii",
    UNIVERSAL_STRING: "utf-32-be",
    BMP_STRING: "utf-16-be",
}
_DER_CHECKS: Final = {
    BOOLEAN: contents.boolean_fault,
    INTEGER: contents.integer_fault,
    ENUMERATED: contents.integer_fault,
    BIT_STRING: contents.bits_fault,
}


class BerError(Malformed):
    """The bytes are not BER, or not of the shape that was asked for."""

    code: ClassVar[str] = "ber_malformed"
    hint: ClassVar[str] = "send the bytes as they were made, whole and unchanged"


class BerTooLarge(TooLarge):
    """Deeper or of more elements than we are willing to read."""

    code: ClassVar[str] = "ber_too_large"
    hint: ClassVar[str] = "send a smaller or less deeply nested structure"


def context(n: int) -> int:
    """The tag of [n], n from 0 to 30."""
    return 0x80 | n


class Element:
    """One BER value: offsets into the buffer it was read from, and its children in order.

    `tag` holds class and number without the constructed bit: SEQUENCE is 0x10, [0] is 0x80. A property, an
    accessor or a slice copies; nothing else does. `len()` is the size of `raw`, in octets.
    """

    __slots__ = ("begin", "children", "constructed", "end", "indefinite", "source", "start", "stop", "tag")

    def __init__(self, tag: int, source: bytes | memoryview, start: int, begin: int, stop: int) -> None:
        self.tag = tag & ~_CONSTRUCTED
        self.constructed = bool(tag & _CONSTRUCTED)
        self.source = source
        self.start = start  # the identifier octet
        self.begin = begin  # the first content octet
        self.indefinite = stop < 0
        self.stop = stop  # behind the last content octet
        self.end = stop  # behind the end-of-contents octets, if there are any
        self.children: list[Element] = []

    def __len__(self) -> int:
        return self.end - self.start

    def __repr__(self) -> str:
        return f"<Element {self.tag:#04x}, {len(self)} octets at {self.start}>"

    @property
    def raw(self) -> bytes:
        """The whole encoding, with header and end-of-contents octets."""
        return bytes(self.source[self.start : self.end])

    @property
    def content(self) -> bytes:
        """The content octets as they are encoded."""
        return bytes(self.source[self.begin : self.stop])

    def fields(self, tag: int | None = None) -> Fields:
        """A cursor over the children; BerError if this is primitive, or not tagged `tag` where one is given."""
        if tag is not None and self.tag != tag:
            raise BerError(f"expected tag {tag:#04x}, found {self.tag:#04x}")
        if not self.constructed:
            raise BerError(f"expected a constructed value, found a primitive one with tag {self.tag:#04x}")
        return Fields(self)

    def oid(self, *, tag: int = OID) -> str:
        """The dotted form of an OBJECT IDENTIFIER."""
        dotted = contents.dotted(self._primitive(tag))
        if dotted is None:
            raise BerError("an object identifier that cannot be")
        return dotted

    def integer(self, *, tag: int = INTEGER) -> int:
        """The value of an INTEGER, of any sign and size."""
        content = self._primitive(tag)
        if not content:
            raise BerError("an integer without octets")
        return int.from_bytes(content, "big", signed=True)

    def boolean(self, *, tag: int = BOOLEAN) -> bool:
        """The value of a BOOLEAN; any octet but 0 is true (X.690 8.2.2)."""
        content = self._primitive(tag)
        if len(content) != 1:
            raise BerError("a boolean that is not one octet")
        return content != b"\0"

    def null(self, *, tag: int = NULL) -> None:
        """Refuse what is not NULL."""
        if self._primitive(tag):
            raise BerError("a NULL with content")

    def octets(self, *, tag: int = OCTET_STRING) -> bytes:
        """The value of an OCTET STRING, its pieces joined where it is constructed (X.690 8.7.3)."""
        self._expect(tag)
        if not self.constructed:
            return self.content
        return b"".join(piece.content for piece in self._pieces(OCTET_STRING))

    def bit_string(self, *, tag: int = BIT_STRING) -> tuple[bytes, int]:
        """The octets of a BIT STRING and how many bits of the last one are unused (X.690 8.6)."""
        self._expect(tag)
        joined: list[bytes] = []
        unused = 0
        for piece in self._pieces(BIT_STRING) if self.constructed else [self]:
            content = piece.content
            if unused or contents.impossible_unused(content):
                raise BerError("a bit string whose count of unused bits cannot be")
            unused = content[0]
            joined.append(content[1:])
        return b"".join(joined), unused

    def bits(self, *, tag: int = BIT_STRING) -> bytes:
        """The octets of a BIT STRING that is made of whole octets."""
        octets, unused = self.bit_string(tag=tag)
        if unused:
            raise BerError("a bit string that is not made of whole octets")
        return octets

    def text(self, *, tag: int | None = None, kind: int = IA5_STRING) -> str:
        """The value of a character string; with `tag` (implicit tagging) read as the string type `kind`."""
        if tag is None:
            kind = self.tag
        self._expect(kind if tag is None else tag)
        encoding = _ENCODINGS.get(kind)
        if encoding is None:
            raise BerError(f"tag {kind:#04x} is not a character string")
        try:
            return self.octets(tag=self.tag).decode(encoding)
        except UnicodeDecodeError as error:
            raise BerError("a character string with octets that its type does not allow") from error

    def time(self, *, tag: int | None = None) -> datetime:
        """The value of a UTCTime or GeneralizedTime that ends in Z; with `tag`, of an implicit GeneralizedTime.

        UTCTime means 1950 to 2049 (RFC 5280 4.1.2.5.1), and may lack its seconds as BER allows.
        """
        if tag is None and self.tag == UTC_TIME:
            moment = contents.utc_time(self._primitive(UTC_TIME))
        else:
            moment = contents.generalized_time(self._primitive(GENERALIZED_TIME if tag is None else tag))
        if moment is None:
            raise BerError("a time that does not exist, or not in the form YYMMDDhhmmssZ or YYYYMMDDhhmmssZ")
        return moment

    def _expect(self, tag: int) -> None:
        if self.tag != tag:
            raise BerError(f"expected tag {tag:#04x}, found {self.tag:#04x}")

    def _primitive(self, tag: int) -> bytes:
        self._expect(tag)
        if self.constructed:
            raise BerError(f"tag {tag:#04x} must be primitive here")
        return bytes(self.source[self.begin : self.stop])

    def _pieces(self, tag: int) -> list[Element]:
        """The primitive pieces of a constructed string, in order."""
        pieces: list[Element] = []
        waiting = self.children[::-1]
        while waiting:
            piece = waiting.pop()
            if piece.tag != tag:
                raise BerError(f"a constructed string with a piece of tag {piece.tag:#04x}")
            if piece.constructed:
                waiting.extend(reversed(piece.children))
            else:
                pieces.append(piece)
        return pieces


class Fields:
    """A cursor over the children of one element, in their order."""

    __slots__ = ("_at", "_children")

    def __init__(self, element: Element) -> None:
        self._children = element.children
        self._at = 0

    def take(self, tag: int) -> Element:
        """The next child, which must be there and be tagged `tag`."""
        element = self.any()
        if element.tag != tag:
            raise BerError(f"expected tag {tag:#04x}, found {element.tag:#04x}")
        return element

    def optional(self, tag: int) -> Element | None:
        """The next child if it is tagged `tag`."""
        if self._at < len(self._children) and self._children[self._at].tag == tag:
            return self.any()
        return None

    def any(self) -> Element:
        """The next child, which must be there."""
        if self._at >= len(self._children):
            raise BerError("a field is missing")
        self._at += 1
        return self._children[self._at - 1]

    def any_optional(self) -> Element | None:
        """The next child if there is one."""
        return self.any() if self._at < len(self._children) else None

    def rest(self) -> list[Element]:
        """All children that are left."""
        left = self._children[self._at :]
        self._at = len(self._children)
        return left

    def end(self) -> None:
        """Refuse what is left."""
        if self._at < len(self._children):
            raise BerError(f"unexpected field with tag {self._children[self._at].tag:#04x}")


def read(data: bytes | memoryview, *, max_depth: int = MAX_DEPTH, max_elements: int = MAX_ELEMENTS) -> Element:
    """Read exactly one BER value; trailing octets, lengths that lie and tags above 30 are refused."""
    return _scan(data, max_depth=max_depth, max_elements=max_elements, der=False)


def read_der(data: bytes | memoryview, *, max_depth: int = MAX_DEPTH, max_elements: int = MAX_ELEMENTS) -> Element:
    """Read exactly one value and refuse what DER forbids (X.690 10 and 11), but for the order of sets."""
    return _scan(data, max_depth=max_depth, max_elements=max_elements, der=True)


def is_der(element: Element) -> bool:
    """Whether the element and all below it could stand in DER; the order of sets is not looked at."""
    waiting = [element]
    while waiting:
        next_one = waiting.pop()
        if _der_fault(next_one):
            return False
        waiting.extend(next_one.children)
    return True


def is_sorted_set(element: Element) -> bool:
    """Whether the children stand in the order that DER wants of a SET OF (X.690 11.6)."""
    return all(left.raw <= right.raw for left, right in pairwise(element.children))


def _scan(data: bytes | memoryview, *, max_depth: int, max_elements: int, der: bool) -> Element:
    """Walk the buffer once, with a stack of the elements that are open and the limits around them."""
    parent = top = Element(SEQUENCE | _CONSTRUCTED, data, 0, 0, len(data))
    stack: list[tuple[Element, int]] = []
    limit = len(data)
    position = 0
    for _ in range(max_elements):
        element = _element_at(data, position, limit)
        position = element.stop
        if element.tag == 0:
            _close(parent, element)
        else:
            if der:
                _refuse_other_than_der(element)
            parent.children.append(element)
            if element.constructed:
                if len(stack) >= max_depth:
                    raise BerTooLarge(f"nested more than {max_depth} levels deep")
                stack.append((parent, limit))
                parent = element
                position = element.begin
                limit = limit if element.indefinite else element.stop
        while stack and position == parent.end:
            parent, limit = stack.pop()
        if not stack:
            break
    else:
        raise BerTooLarge(f"more than {max_elements} elements")
    if position != len(data):
        raise BerError("octets are left behind the end of the value")
    return top.children[0]


def _element_at(data: bytes | memoryview, start: int, limit: int) -> Element:
    """Read one header; `stop` is -1 where the length is indefinite."""
    if start + 2 > limit:
        raise BerError("a value is cut off, or its end-of-contents octets are missing")
    tag = data[start]
    length = data[start + 1]
    begin = start + 2
    if tag & 0x1F == 0x1F:
        raise BerError("a tag number above 30")
    if tag & ~_CONSTRUCTED in _CONSTRUCTED_ONLY and not tag & _CONSTRUCTED:
        raise BerError("a primitive SEQUENCE or SET")
    if length < 0x80:
        stop = begin + length
    elif length == 0x80:
        if not tag & _CONSTRUCTED:
            raise BerError("a primitive value of indefinite length")
        return Element(tag, data, start, begin, -1)
    else:
        octets = length & 0x7F
        begin += octets
        if octets > 4 or begin > limit:
            raise BerError("a length that cannot be")
        stop = begin + int.from_bytes(data[start + 2 : begin], "big")
    if stop > limit:
        raise BerError("a length that reaches beyond its surroundings")
    return Element(tag, data, start, begin, stop)


def _close(parent: Element, mark: Element) -> None:
    """End the indefinite `parent` with its end-of-contents octets (X.690 8.1.5)."""
    if not parent.indefinite or mark.constructed or len(mark) != 2:
        raise BerError("end-of-contents octets where none belong")
    parent.stop = mark.start
    parent.end = mark.end


def _refuse_other_than_der(element: Element) -> None:
    fault = _der_fault(element)
    if fault is not None:
        raise BerError(fault)


def _der_fault(element: Element) -> str | None:
    """What DER forbids in this one element (X.690 10.1, 10.2, 11.1, 11.2, 8.3.2, 8.19.2)."""
    if element.indefinite:
        return "an indefinite length, which DER forbids"
    if not _is_minimal(element):
        return "a length longer than it need be, which DER forbids"
    if element.tag >= _UNIVERSAL_BELOW or element.tag in _CONSTRUCTED_ONLY:
        return None
    if element.constructed:
        return "a constructed string, which DER forbids"
    check = _DER_CHECKS.get(element.tag)
    return check(element.content) if check else None


def _is_minimal(element: Element) -> bool:
    octets = element.begin - element.start - 2
    if octets == 0:
        return True
    length = element.stop - element.begin
    return length >= 0x80 and length >> (8 * (octets - 1)) > 0

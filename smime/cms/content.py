"""ContentInfo, the outermost structure of CMS (RFC 5652 3), and what BER becomes in DER."""

from __future__ import annotations

from typing import Final

from formats import ber, der
from formats.ber import BerError, Element, context
from smime.cms.errors import CmsMalformed

_CHARACTER_STRINGS: Final = frozenset(
    {
        ber.UTF8_STRING,
        ber.NUMERIC_STRING,
        ber.PRINTABLE_STRING,
        ber.T61_STRING,
        ber.IA5_STRING,
        ber.VISIBLE_STRING,
        ber.UNIVERSAL_STRING,
        ber.BMP_STRING,
        ber.OCTET_STRING,
    }
)


def read_content_info(data: bytes | memoryview, *, max_elements: int = ber.MAX_ELEMENTS) -> tuple[str, Element]:
    """The content type of a ContentInfo and the content itself; nothing may follow it.

    CmsMalformed where the bytes are not one, BerTooLarge where they nest too deep or have too many elements.
    """
    try:
        fields = ber.read(data, max_elements=max_elements).fields(ber.SEQUENCE)
        oid = fields.take(ber.OID).oid()
        wrapped = fields.take(context(0)).fields()
        fields.end()
        content = wrapped.any()
        wrapped.end()
    except BerError as error:
        raise CmsMalformed(f"not a CMS structure: {error.detail}") from error
    return oid, content


def to_der(element: Element) -> bytes:
    """The DER of an element that may be BER: what signed attributes are verified over (RFC 5652 5.4).

    The reader has bounded the depth. A string under an implicit tag stays in its pieces, since nothing says that
    it is one. BerError where a constructed string is not made of strings.
    """
    if not element.constructed:
        content = element.content
        if element.tag == ber.BOOLEAN and content not in {b"\0", b"\xff"}:
            content = b"\xff"
        return der.encode(element.tag, content, constructed=False)
    if element.tag == ber.BIT_STRING:
        octets, unused = element.bit_string()
        return der.bits(octets, unused=unused)
    if element.tag in _CHARACTER_STRINGS:
        return der.encode(element.tag, element.octets(tag=element.tag), constructed=False)
    children = [to_der(child) for child in element.children]
    if element.tag == ber.SET:
        return der.set_of(*children)
    return der.encode(element.tag, b"".join(children), constructed=True)

"""EnvelopedData and AuthEnvelopedData (RFC 5652 6, RFC 5083): content sealed to recipients, read, and opened."""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final

from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes

from formats import ber, der, oids
from formats.ber import BerError, Element, Fields, context
from formats.certificate import Certificate
from smime.cms.attributes import MAX_ATTRIBUTES
from smime.cms.ciphers import ContentCipher, ContentEncryption
from smime.cms.content import to_der
from smime.cms.errors import (
    CmsMalformed,
    CmsTooLarge,
    ContentCipherRefused,
    DecryptionFailed,
    NoKeyForMessage,
    RecipientsMissing,
    TooManyRecipients,
)
from smime.cms.key_transport import KeyTransport
from smime.cms.recipients import (
    MAX_RECIPIENTS,
    RecipientId,
    RecipientInfo,
    content_key,
    read_recipients,
    write_recipient,
)

MAX_OPENING_KEYS: Final = 8

_KARI_OCTET: Final = 0xA1


@dataclass(frozen=True, slots=True, kw_only=True)
class Enveloped:
    """Sealed content as it was read; `authenticated` where it came as AuthEnvelopedData.

    `attributes` is the DER that the tag covers besides the content, empty for none (RFC 5083 2.2).
    """

    recipients: tuple[RecipientInfo, ...] = field(repr=False)
    encryption: ContentEncryption = field(repr=False)
    encrypted: bytes | memoryview = field(repr=False)
    authenticated: bool
    attributes: bytes = field(default=b"", repr=False)
    tag: bytes = field(default=b"", repr=False)

    @property
    def cipher(self) -> ContentCipher:
        """What the content is sealed with."""
        return self.encryption.cipher


@dataclass(frozen=True, slots=True, kw_only=True)
class OpeningKey:
    """A private key, and the certificate by which messages name it."""

    certificate: Certificate
    key: PrivateKeyTypes = field(repr=False, compare=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenedContent:
    """What sealed content opened to, and the certificate whose key did it; not `is_whole` where the padding is wrong."""

    data: bytes = field(repr=False)
    certificate: Certificate
    is_whole: bool


# --- writing ----------------------------------------------------------------------------------------------------------
def seal_content(
    content: bytes,
    *,
    certificates: Sequence[Certificate],
    cipher: ContentCipher = ContentCipher.AES256_CBC,
    transport: KeyTransport = KeyTransport.PKCS1,
) -> bytes:
    """Seal content of type id-data to each of the certificates, once, under a new key; a ContentInfo in DER.

    AuthEnvelopedData for a GCM cipher, else EnvelopedData. Who may be sealed to is asked with `require_sealable`;
    here RecipientCertificateRefused says only that a key will not do. RecipientsMissing for nobody, TooManyRecipients
    for more than 1,000.
    """
    unique = list(dict.fromkeys(certificates))
    if not unique:
        raise RecipientsMissing("a message that is sealed to nobody")
    if len(unique) > MAX_RECIPIENTS:
        raise TooManyRecipients(f"more than {MAX_RECIPIENTS} recipients")
    encryption = ContentEncryption.fresh(cipher)
    key = secrets.token_bytes(cipher.key_size)
    infos = [write_recipient(one, content_key=key, transport=transport) for one in unique]
    encrypted, tag = encryption.encrypt(content, key=key)
    before = der.integer(_version(infos, authenticated=cipher.is_authenticated)) + der.set_of(*infos)
    size = sum(map(len, encrypted))
    information = [
        der.oid(oids.DATA),
        encryption.identifier,
        der.header(context(0), size, False),
        *encrypted,
    ]
    pieces = [before, *_nested(ber.SEQUENCE, information)]
    if cipher.is_authenticated:
        pieces.append(der.octets(tag))
    oid = oids.AUTH_ENVELOPED_DATA if cipher.is_authenticated else oids.ENVELOPED_DATA
    content_info = [der.oid(oid), *_nested(context(0), _nested(ber.SEQUENCE, pieces))]
    return b"".join(_nested(ber.SEQUENCE, content_info))


def _version(infos: Sequence[bytes], *, authenticated: bool) -> int:
    """RFC 5652 6.1: 2 where a recipient is of another version than 0; RFC 5083 2.1: always 0."""
    return 2 if not authenticated and any(info[0] == _KARI_OCTET for info in infos) else 0


def _nested(tag: int, pieces: list[bytes]) -> list[bytes]:
    """The pieces with a header before them: large content is copied once, at the end."""
    return [der.header(tag, sum(map(len, pieces)), True), *pieces]


# --- reading ----------------------------------------------------------------------------------------------------------
def read_enveloped(oid: str, content: Element) -> Enveloped:
    """Read the EnvelopedData or AuthEnvelopedData that `read_content_info` found, in BER or DER.

    CmsMalformed where it is none, TooManyRecipients for more than 1,000, CmsTooLarge for more than 64 attributes,
    ContentCipherRefused for a cipher that is old, or that does not belong into this structure (RFC 9709 1).
    """
    if oid not in {oids.ENVELOPED_DATA, oids.AUTH_ENVELOPED_DATA}:
        raise CmsMalformed(f"expected sealed content, found the content type {oid}")
    try:
        return _read(content.fields(ber.SEQUENCE), authenticated=oid == oids.AUTH_ENVELOPED_DATA)
    except BerError as error:
        raise CmsMalformed(f"not sealed content: {error.detail}") from error


def _read(fields: Fields, *, authenticated: bool) -> Enveloped:
    fields.take(ber.INTEGER).integer()  # the version follows from the rest, and writers differ in it
    fields.optional(context(0))  # originatorInfo: certificates and CRLs that nobody needs here
    recipients = read_recipients(fields.take(ber.SET))
    encryption, encrypted = _content_info(fields.take(ber.SEQUENCE).fields(), authenticated=authenticated)
    attributes = _bounded(fields.optional(context(1)))  # RFC 5083: authenticated; RFC 5652: unprotected
    tag = fields.take(ber.OCTET_STRING).octets() if authenticated else b""
    if authenticated:
        _bounded(fields.optional(context(2)))
    fields.end()
    return Enveloped(
        recipients=recipients,
        encryption=encryption,
        encrypted=encrypted,
        authenticated=authenticated,
        attributes=_authenticated_data(attributes) if authenticated else b"",
        tag=tag,
    )


def _content_info(fields: Fields, *, authenticated: bool) -> tuple[ContentEncryption, bytes | memoryview]:
    """EncryptedContentInfo: the content of mail is id-data (RFC 8551 2.4.1), and it is not elsewhere."""
    if fields.take(ber.OID).oid() != oids.DATA:
        raise BerError("sealed content of a type that mail does not have")
    encryption = ContentEncryption.read(fields.take(ber.SEQUENCE))
    if encryption.cipher.is_authenticated != authenticated:
        raise ContentCipherRefused(f"{encryption.cipher.value} where it must not stand")
    encrypted = fields.take(context(0))
    fields.end()
    return encryption, _octets(encrypted)


def _octets(element: Element) -> bytes | memoryview:
    """The content of [0] OCTET STRING; uncopied where it is in one piece."""
    if element.constructed:
        return element.octets(tag=element.tag)
    return memoryview(element.source)[element.begin : element.stop]


def _bounded(attributes: Element | None) -> Element | None:
    if attributes is not None and len(attributes.children) > MAX_ATTRIBUTES:
        raise CmsTooLarge(f"more than {MAX_ATTRIBUTES} attributes in one set")
    return attributes


def _authenticated_data(attributes: Element | None) -> bytes:
    """The authenticated attributes in DER under the tag of SET OF, whatever they came in (RFC 5083 2.2)."""
    if attributes is None:
        return b""
    return der.set_of(*(to_der(attribute) for attribute in attributes.fields().rest()))


# --- opening ----------------------------------------------------------------------------------------------------------
def open_content(enveloped: Enveloped, *, keys: Sequence[OpeningKey]) -> Iterator[OpenedContent]:
    """What the content opens to, by one after the other of these keys that the recipients name.

    The first is the content where the cipher proves it. CBC does not: about one in 256 changed messages, or keys that
    a broken recipient gives, opens to garbage, so whoever cannot use what came takes the next, until DecryptionFailed
    says that there is none. What is not whole has a wrong padding, and is to be read like the rest before it is thrown
    away: how long a refusal takes must not tell which it was. DecryptionFailed stands for everything that fails: a wrong key, padding or tag, and an algorithm not
    known here. NoKeyForMessage where the recipients name none of the keys. Every key that fits, at most 8, is used
    once, on the first recipient that names it, whether or not another has opened the content already.
    """
    fitting = _fitting(enveloped.recipients, keys)
    if not fitting:
        raise NoKeyForMessage("none of the keys at hand is among the recipients")
    size = enveloped.cipher.key_size
    found = [(content_key(info, key=opening.key, size=size), opening.certificate) for info, opening in fitting]
    for key, certificate in found:
        made = enveloped.encryption.decipher(
            enveloped.encrypted, key=key, tag=enveloped.tag, authenticated=enveloped.attributes
        )
        if made is not None:
            yield OpenedContent(data=made.content, certificate=certificate, is_whole=made.is_whole)
    raise DecryptionFailed


def _fitting(recipients: Sequence[RecipientInfo], keys: Sequence[OpeningKey]) -> list[tuple[RecipientInfo, OpeningKey]]:
    """The first recipient that names each key, for the first 8 keys that are named at all."""
    places: dict[RecipientId, int] = {}
    for place, info in enumerate(recipients):
        if info.id is not None:
            places.setdefault(info.id, place)
    found: list[tuple[RecipientInfo, OpeningKey]] = []
    for opening in keys:
        named = [places[id_] for id_ in RecipientId.of(opening.certificate) if id_ in places]
        if named and len(found) < MAX_OPENING_KEYS:
            found.append((recipients[min(named)], opening))
    return found

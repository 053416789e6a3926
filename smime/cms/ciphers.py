"""Content ciphers (RFC 3565, RFC 5084): AES in CBC and GCM, their identifiers read and written, content sealed and opened."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from types import MappingProxyType
from typing import Final, Self

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.padding import PKCS7

from formats import ber, der, oids
from formats.ber import BerError, Element
from smime.cms.errors import ContentCipherRefused

BLOCK: Final = 16
NONCE: Final = 12  # RFC 5084 3.2
TAG: Final = 16
MIN_TAG: Final = 12  # RFC 5084 3.2: 12 to 16 octets
DEFAULT_TAG: Final = 12  # RFC 5084 3.2: aes-ICVlen where it is absent
NONCES: Final = range(8, 129)  # what cryptography takes

_OLD: Final[Mapping[str, str]] = MappingProxyType({oids.DES_EDE3_CBC: "3DES", oids.DES_CBC: "DES", oids.RC2_CBC: "RC2"})


class ContentCipher(Enum):
    """A cipher for content; AES-192 is read, never written."""

    AES128_CBC = "aes128-cbc"
    AES192_CBC = "aes192-cbc"
    AES256_CBC = "aes256-cbc"
    AES128_GCM = "aes128-gcm"
    AES192_GCM = "aes192-gcm"
    AES256_GCM = "aes256-gcm"

    @classmethod
    def by_oid(cls, oid: str) -> ContentCipher:
        """The cipher with this identifier; ContentCipherRefused where it is old or not known here."""
        found = _BY_OID.get(oid)
        if found is None:
            raise ContentCipherRefused(f"the content is sealed with {_OLD.get(oid, f'the cipher {oid}')}")
        return found

    @property
    def oid(self) -> str:
        """Its object identifier."""
        return _OIDS[self]

    @property
    def key_size(self) -> int:
        """Octets of a key."""
        return int(self.value[3:6]) // 8

    @property
    def is_authenticated(self) -> bool:
        """Whether changed content is found out: GCM belongs into AuthEnvelopedData, CBC into EnvelopedData."""
        return self.value.endswith("gcm")

    @property
    def is_written(self) -> bool:
        """Whether content may be sealed with it here."""
        return self.key_size != 24


_OIDS: Final[Mapping[ContentCipher, str]] = MappingProxyType(
    {
        ContentCipher.AES128_CBC: oids.AES128_CBC,
        ContentCipher.AES192_CBC: oids.AES192_CBC,
        ContentCipher.AES256_CBC: oids.AES256_CBC,
        ContentCipher.AES128_GCM: oids.AES128_GCM,
        ContentCipher.AES192_GCM: oids.AES192_GCM,
        ContentCipher.AES256_GCM: oids.AES256_GCM,
    }
)
_BY_OID: Final = {oid: cipher for cipher, oid in _OIDS.items()}


@dataclass(frozen=True, slots=True, kw_only=True)
class Deciphered:
    """What a key made of encrypted content; not `is_whole` where its padding is wrong."""

    content: bytes = field(repr=False)
    is_whole: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class ContentEncryption:
    """A contentEncryptionAlgorithm: the cipher with its IV or nonce; `tag_size` in octets is 0 for CBC."""

    cipher: ContentCipher
    iv: bytes
    tag_size: int = 0

    @classmethod
    def fresh(cls, cipher: ContentCipher) -> Self:
        """The cipher with a new random IV or nonce; ContentCipherRefused for one that is only read."""
        if not cipher.is_written:
            raise ContentCipherRefused(f"nothing is sealed with {cipher.value}")
        if cipher.is_authenticated:
            return cls(cipher=cipher, iv=os.urandom(NONCE), tag_size=TAG)
        return cls(cipher=cipher, iv=os.urandom(BLOCK))

    @classmethod
    def read(cls, element: Element) -> Self:
        """Read an AlgorithmIdentifier; ContentCipherRefused for another cipher, BerError for a wrong shape.

        Whether the size of the tag will do is seen only when the content is opened.
        """
        fields = element.fields(ber.SEQUENCE)
        cipher = ContentCipher.by_oid(fields.take(ber.OID).oid())
        parameters = fields.any()
        fields.end()
        if cipher.is_authenticated:
            nonce, tag_size = _gcm_parameters(parameters)
            return cls(cipher=cipher, iv=nonce, tag_size=tag_size)
        iv = parameters.octets()
        if len(iv) != BLOCK:
            raise BerError("an initialisation vector that is not one block")
        return cls(cipher=cipher, iv=iv)

    @property
    def identifier(self) -> bytes:
        """The DER AlgorithmIdentifier; the size of the tag is always written where it is not the default."""
        parameters = der.octets(self.iv)
        if self.cipher.is_authenticated:
            size = der.integer(self.tag_size) if self.tag_size != DEFAULT_TAG else b""
            parameters = der.sequence(parameters, size)
        return der.sequence(der.oid(self.cipher.oid), parameters)

    def encrypt(self, content: bytes, *, key: bytes) -> tuple[list[bytes], bytes]:
        """The encrypted content in pieces, so that large content is not copied, and the tag, empty for CBC."""
        if self.cipher.is_authenticated:
            sealing = Cipher(algorithms.AES(key), modes.GCM(self.iv)).encryptor()
            pieces = [sealing.update(content), sealing.finalize()]
            return pieces, sealing.tag
        whole = len(content) - len(content) % BLOCK
        padding = BLOCK - len(content) % BLOCK
        last = content[whole:] + bytes((padding,)) * padding  # RFC 5652 6.3
        encryptor = Cipher(algorithms.AES(key), modes.CBC(self.iv)).encryptor()
        return [encryptor.update(memoryview(content)[:whole]), encryptor.update(last), encryptor.finalize()], b""

    def decrypt(
        self, encrypted: bytes | memoryview, *, key: bytes, tag: bytes = b"", authenticated: bytes = b""
    ) -> bytes | None:
        """The content, or None where anything at all is wrong with key, tag, padding or length.

        `authenticated` is what the tag covers besides the content.
        """
        found = self.decipher(encrypted, key=key, tag=tag, authenticated=authenticated)
        return found.content if found is not None and found.is_whole else None

    def decipher(
        self, encrypted: bytes | memoryview, *, key: bytes, tag: bytes = b"", authenticated: bytes = b""
    ) -> Deciphered | None:
        """The content; of CBC also its blocks where the padding is wrong, for whoever must not tell one from the other.

        None where tag or length are wrong.
        """
        try:
            if self.cipher.is_authenticated:
                content = self._decrypt_gcm(encrypted, key=key, tag=tag, authenticated=authenticated)
                return None if content is None else Deciphered(content=content, is_whole=True)
            return self._decipher_cbc(encrypted, key=key)
        except (InvalidTag, ValueError):
            return None

    def _decrypt_gcm(
        self, encrypted: bytes | memoryview, *, key: bytes, tag: bytes, authenticated: bytes
    ) -> bytes | None:
        """RFC 5084 3.2: the tag has the size that is declared. Nothing leaves before the tag is checked."""
        if len(tag) != self.tag_size or not MIN_TAG <= self.tag_size <= TAG:
            return None
        mode = modes.GCM(self.iv, tag, min_tag_length=MIN_TAG)
        decryptor = Cipher(algorithms.AES(key), mode).decryptor()
        decryptor.authenticate_additional_data(authenticated)
        content = decryptor.update(encrypted)
        decryptor.finalize()
        return content

    def _decipher_cbc(self, encrypted: bytes | memoryview, *, key: bytes) -> Deciphered | None:
        """RFC 5652 6.3: every octet of the padding is checked."""
        decryptor = Cipher(algorithms.AES(key), modes.CBC(self.iv)).decryptor()
        padded = decryptor.update(encrypted)
        decryptor.finalize()
        if not padded:
            return None
        unpadder = PKCS7(8 * BLOCK).unpadder()
        try:
            last = unpadder.update(padded[-BLOCK:]) + unpadder.finalize()
        except ValueError:
            return Deciphered(content=padded, is_whole=False)
        return Deciphered(content=padded[: len(padded) - BLOCK + len(last)], is_whole=True)


def _gcm_parameters(element: Element) -> tuple[bytes, int]:
    """Nonce, and size of the tag (RFC 5084 3.2)."""
    fields = element.fields(ber.SEQUENCE)
    nonce = fields.take(ber.OCTET_STRING).octets()
    declared = fields.optional(ber.INTEGER)
    fields.end()
    if len(nonce) not in NONCES:
        raise BerError("a nonce of a size that no sender uses")
    return nonce, DEFAULT_TAG if declared is None else declared.integer()

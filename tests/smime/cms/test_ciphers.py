from __future__ import annotations

import pytest
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from formats import ber, der, oids
from formats.ber import BerError
from smime.cms.ciphers import ContentCipher, ContentEncryption
from smime.cms.errors import ContentCipherRefused
from tests.smime.cms.sealing import CONTENT, CONTENT_KEY, with_tag

WRITTEN = [cipher for cipher in ContentCipher if cipher.is_written]
IV = bytes(16)


def key_for(cipher: ContentCipher) -> bytes:
    return CONTENT_KEY[: cipher.key_size]


def cbc(padded: bytes) -> bytes:
    encryptor = Cipher(algorithms.AES(CONTENT_KEY), modes.CBC(IV)).encryptor()
    return encryptor.update(padded) + encryptor.finalize()


def read(identifier: bytes) -> ContentEncryption:
    return ContentEncryption.read(ber.read(identifier))


@pytest.mark.parametrize("cipher", ContentCipher)
def test_a_cipher_is_found_by_its_identifier(cipher: ContentCipher) -> None:
    assert ContentCipher.by_oid(cipher.oid) is cipher
    assert cipher.value == f"aes{8 * cipher.key_size}-{'gcm' if cipher.is_authenticated else 'cbc'}"


@pytest.mark.parametrize(
    ("oid", "name"),
    [
        (oids.DES_EDE3_CBC, "3DES"),
        (oids.DES_CBC, "DES"),
        (oids.RC2_CBC, "RC2"),
        (oids.CHACHA20_POLY1305, oids.CHACHA20_POLY1305),
    ],
)
def test_old_and_unknown_ciphers_are_refused_by_name(oid: str, name: str) -> None:
    with pytest.raises(ContentCipherRefused, match=name) as refusal:
        ContentCipher.by_oid(oid)
    assert "not switched on" in refusal.value.hint


def test_aes_192_is_only_read() -> None:
    with pytest.raises(ContentCipherRefused):
        ContentEncryption.fresh(ContentCipher.AES192_CBC)
    with pytest.raises(ContentCipherRefused):
        ContentEncryption.fresh(ContentCipher.AES192_GCM)


@pytest.mark.parametrize("cipher", WRITTEN)
def test_the_identifier_is_read_as_it_was_written(cipher: ContentCipher) -> None:
    fresh = ContentEncryption.fresh(cipher)
    assert ber.is_der(ber.read_der(fresh.identifier))
    assert read(fresh.identifier) == fresh


@pytest.mark.parametrize("cipher", WRITTEN)
def test_iv_and_nonce_never_come_again(cipher: ContentCipher) -> None:
    assert len({ContentEncryption.fresh(cipher).iv for _ in range(50)}) == 50


def test_gcm_has_a_nonce_of_12_octets_and_says_the_size_of_its_tag() -> None:
    fresh = ContentEncryption.fresh(ContentCipher.AES256_GCM)
    assert len(fresh.iv) == 12
    parameters = ber.read_der(fresh.identifier).children[1]
    assert [child.tag for child in parameters.children] == [ber.OCTET_STRING, ber.INTEGER]
    assert parameters.children[1].integer() == 16


def test_an_absent_size_of_the_tag_means_12() -> None:
    parameters = der.sequence(der.octets(bytes(12)))
    assert read(der.sequence(der.oid(oids.AES128_GCM), parameters)).tag_size == 12
    default = ContentEncryption(cipher=ContentCipher.AES128_GCM, iv=bytes(12), tag_size=12)
    assert default.identifier == der.sequence(der.oid(oids.AES128_GCM), parameters)


@pytest.mark.parametrize(
    "identifier",
    [
        der.sequence(der.oid(oids.AES256_CBC)),
        der.sequence(der.oid(oids.AES256_CBC), der.null()),
        der.sequence(der.oid(oids.AES256_CBC), der.octets(bytes(15))),
        der.sequence(der.oid(oids.AES256_CBC), der.octets(bytes(16)), der.null()),
        der.sequence(der.oid(oids.AES256_GCM), der.octets(bytes(12))),
        der.sequence(der.oid(oids.AES256_GCM), der.sequence(der.octets(b""))),
        der.sequence(der.oid(oids.AES256_GCM), der.sequence(der.octets(bytes(7)), der.integer(16))),
        der.sequence(der.oid(oids.AES256_GCM), der.sequence(der.octets(bytes(129)), der.integer(16))),
        der.sequence(der.oid(oids.AES256_GCM), der.sequence(der.octets(bytes(12)), der.integer(16), der.null())),
        der.octets(b""),
    ],
)
def test_other_parameters_are_malformed(identifier: bytes) -> None:
    with pytest.raises(BerError):
        read(identifier)


@pytest.mark.parametrize("size", [0, 1, 15, 16, 17, 31, 32, 4096])
@pytest.mark.parametrize("cipher", WRITTEN)
def test_content_of_every_size_comes_back(cipher: ContentCipher, size: int) -> None:
    fresh = ContentEncryption.fresh(cipher)
    content = bytes(n % 251 for n in range(size))
    pieces, tag = fresh.encrypt(content, key=key_for(cipher))
    encrypted = b"".join(pieces)
    assert len(encrypted) == (size if cipher.is_authenticated else size + 16 - size % 16)
    assert len(tag) == fresh.tag_size
    assert fresh.decrypt(encrypted, key=key_for(cipher), tag=tag) == content
    assert fresh.decrypt(memoryview(encrypted), key=key_for(cipher), tag=tag) == content


@pytest.mark.parametrize("padding", range(1, 17))
def test_every_right_padding_is_taken_off(padding: int) -> None:
    encryption = ContentEncryption(cipher=ContentCipher.AES256_CBC, iv=IV)
    content = b"x" * (32 - padding)
    assert encryption.decrypt(cbc(content + bytes([padding]) * padding), key=CONTENT_KEY) == content


@pytest.mark.parametrize("wrong", range(16))
def test_every_octet_of_the_padding_counts(wrong: int) -> None:
    encryption = ContentEncryption(cipher=ContentCipher.AES256_CBC, iv=IV)
    padding = bytearray([16]) * 16
    padding[wrong] ^= 0x40
    assert encryption.decrypt(cbc(b"x" * 16 + padding), key=CONTENT_KEY) is None


@pytest.mark.parametrize("last", [0, 17, 32, 255])
def test_no_padding_is_longer_than_a_block_or_empty(last: int) -> None:
    encryption = ContentEncryption(cipher=ContentCipher.AES256_CBC, iv=IV)
    assert encryption.decrypt(cbc(bytes([last]) * 32), key=CONTENT_KEY) is None


@pytest.mark.parametrize("size", [0, 1, 15, 17, 31])
def test_cbc_content_is_made_of_whole_blocks(size: int) -> None:
    encryption = ContentEncryption(cipher=ContentCipher.AES256_CBC, iv=IV)
    assert encryption.decrypt(bytes(size), key=CONTENT_KEY) is None


@pytest.mark.parametrize(("size", "opens"), [(n, 12 <= n <= 16) for n in range(18)])
def test_tags_have_12_to_16_octets(size: int, *, opens: bool) -> None:
    fresh = ContentEncryption.fresh(ContentCipher.AES256_GCM)
    pieces, tag = fresh.encrypt(CONTENT, key=CONTENT_KEY)
    short = (tag + b"\0")[:size]
    found = with_tag(fresh, size).decrypt(b"".join(pieces), key=CONTENT_KEY, tag=short)
    assert found == (CONTENT if opens else None)


@pytest.mark.parametrize(("declared", "actual"), [(12, 16), (16, 12), (16, 15), (-16, 16), (1 << 70, 16)])
def test_the_declared_size_of_the_tag_is_its_size(declared: int, actual: int) -> None:
    fresh = ContentEncryption.fresh(ContentCipher.AES256_GCM)
    pieces, tag = fresh.encrypt(CONTENT, key=CONTENT_KEY)
    assert with_tag(fresh, declared).decrypt(b"".join(pieces), key=CONTENT_KEY, tag=tag[:actual]) is None


def test_gcm_opens_nothing_that_was_changed() -> None:
    fresh = ContentEncryption.fresh(ContentCipher.AES256_GCM)
    pieces, tag = fresh.encrypt(CONTENT, key=CONTENT_KEY)
    encrypted = b"".join(pieces)
    assert fresh.decrypt(encrypted[:-1] + b"?", key=CONTENT_KEY, tag=tag) is None
    assert fresh.decrypt(encrypted, key=bytes(32), tag=tag) is None
    assert fresh.decrypt(encrypted, key=CONTENT_KEY, tag=bytes(16)) is None
    assert fresh.decrypt(encrypted, key=CONTENT_KEY, tag=tag, authenticated=b"more") is None

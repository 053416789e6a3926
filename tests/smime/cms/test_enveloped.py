from __future__ import annotations

import secrets
from typing import Final

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from formats import ber, der, oids
from smime.cms.ciphers import ContentCipher, ContentEncryption
from smime.cms.enveloped import seal_content
from smime.cms.errors import (
    CmsMalformed,
    CmsTooLarge,
    ContentCipherRefused,
    RecipientCertificateRefused,
    RecipientsMissing,
    TooManyRecipients,
)
from smime.cms.key_transport import KeyTransport
from smime.cms.recipients import write_recipient
from tests.smime.campus import Authority, Person, person
from tests.smime.cms.conftest import AGREEING
from tests.smime.cms.sealing import CONTENT, CONTENT_KEY, fails, info_for, opened, opening, read, sealed

WRITTEN = [cipher for cipher in ContentCipher if cipher.is_written]
GCM: Final = ContentCipher.AES256_GCM


# --- sealing ----------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("transport", KeyTransport)
@pytest.mark.parametrize("cipher", WRITTEN)
@pytest.mark.parametrize("recipient", ["bob", "carol", "dave"], indirect=True)
def test_what_was_sealed_opens(recipient: Person, cipher: ContentCipher, transport: KeyTransport) -> None:
    data = seal_content(CONTENT, certificates=[recipient.certificate], cipher=cipher, transport=transport)
    assert opened(data, recipient) == CONTENT
    assert (read(data).cipher, read(data).authenticated) == (cipher, cipher.is_authenticated)


@pytest.mark.parametrize("cipher", WRITTEN)
def test_everything_is_definite_der_with_sorted_sets(
    bob: Person, carol: Person, dave: Person, cipher: ContentCipher
) -> None:
    certificates = [one.certificate for one in (dave, bob, carol)]
    data = seal_content(CONTENT, certificates=certificates, cipher=cipher)
    info = ber.read_der(data)
    assert ber.is_sorted_set(info.children[1].children[0].children[1])
    assert not info.children[1].children[0].children[2].children[2].constructed


@pytest.mark.parametrize(
    ("names", "cipher", "version"),
    [
        (["bob"], ContentCipher.AES256_CBC, 0),
        (["carol"], ContentCipher.AES256_CBC, 2),
        (["bob", "dave"], ContentCipher.AES128_CBC, 2),
        (["bob"], GCM, 0),
        (["bob", "carol"], GCM, 0),
    ],
)
def test_the_version_follows_from_the_recipients(
    request: pytest.FixtureRequest, names: list[str], cipher: ContentCipher, version: int
) -> None:
    """RFC 5652 6.1, RFC 5083 2.1."""
    certificates = [request.getfixturevalue(name).certificate for name in names]
    data = ber.read_der(seal_content(CONTENT, certificates=certificates, cipher=cipher))
    expected = oids.AUTH_ENVELOPED_DATA if cipher.is_authenticated else oids.ENVELOPED_DATA
    assert data.children[0].oid() == expected
    assert data.children[1].children[0].children[0].integer() == version


def test_aes_256_in_cbc_with_pkcs1_is_what_everybody_reads(bob: Person) -> None:
    envelope = ber.read_der(seal_content(CONTENT, certificates=[bob.certificate])).children[1].children[0]
    _, infos, information = envelope.children
    assert infos.children[0].children[2].raw == der.sequence(der.oid(oids.RSA_ENCRYPTION), der.null())
    assert information.children[0].oid() == oids.DATA
    assert information.children[1].children[0].oid() == oids.AES256_CBC


def test_no_two_sealings_have_anything_in_common(bob: Person) -> None:
    enveloped = [read(seal_content(CONTENT, certificates=[bob.certificate])) for _ in range(10)]
    assert len({one.encryption.iv for one in enveloped}) == 10
    assert len({bytes(one.encrypted) for one in enveloped}) == 10
    assert len({one.recipients[0].encrypted_key for one in enveloped}) == 10


def test_a_certificate_is_sealed_to_once(bob: Person) -> None:
    assert len(read(seal_content(CONTENT, certificates=[bob.certificate] * 3)).recipients) == 1


def test_nothing_is_sealed_to_nobody() -> None:
    with pytest.raises(RecipientsMissing):
        seal_content(CONTENT, certificates=[])


def test_nothing_is_sealed_with_a_cipher_that_is_only_read(bob: Person) -> None:
    with pytest.raises(ContentCipherRefused):
        seal_content(CONTENT, certificates=[bob.certificate], cipher=ContentCipher.AES192_CBC)


def test_nothing_is_sealed_when_one_key_will_not_do(bob: Person, alice_rsa1024: Person) -> None:
    with pytest.raises(RecipientCertificateRefused):
        seal_content(CONTENT, certificates=[bob.certificate, alice_rsa1024.certificate])


def test_nothing_is_sealed_to_more_than_1000(issuing: Authority, carol: Person) -> None:
    certificates = [person(issuing, carol.key, usage=AGREEING, serial=n).certificate for n in range(1, 1002)]
    with pytest.raises(TooManyRecipients):
        seal_content(CONTENT, certificates=certificates)


# --- reading ----------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("cipher", "oid"),
    [(ContentCipher.AES256_GCM, oids.ENVELOPED_DATA), (ContentCipher.AES256_CBC, oids.AUTH_ENVELOPED_DATA)],
)
def test_a_cipher_in_the_wrong_structure_is_refused(bob: Person, cipher: ContentCipher, oid: str) -> None:
    """The attacks' table, row 28: AuthEnvelopedData labelled anew, so that its tag is not looked at."""
    with pytest.raises(ContentCipherRefused):
        read(sealed([info_for(bob)], cipher=cipher, oid=oid))


@pytest.mark.parametrize("oid", [oids.DES_EDE3_CBC, oids.DES_CBC, oids.RC2_CBC, oids.CHACHA20_POLY1305])
def test_other_ciphers_are_refused_when_read(bob: Person, oid: str) -> None:
    with pytest.raises(ContentCipherRefused):
        read(sealed([info_for(bob)], identifier=der.sequence(der.oid(oid), der.octets(bytes(8)))))


@pytest.mark.parametrize("oid", [oids.SIGNED_DATA, oids.DATA, oids.ENCRYPTED_DATA])
def test_other_content_is_not_sealed_content(bob: Person, oid: str) -> None:
    with pytest.raises(CmsMalformed):
        read(sealed([info_for(bob)], oid=oid))


def test_the_sealed_content_is_mail(bob: Person) -> None:
    with pytest.raises(CmsMalformed):
        read(sealed([info_for(bob)], content_type=oids.SIGNED_DATA))


def test_content_that_is_elsewhere_cannot_be_opened(bob: Person) -> None:
    information = der.sequence(der.oid(oids.DATA), ContentEncryption.fresh(ContentCipher.AES256_CBC).identifier)
    envelope = der.sequence(der.integer(0), der.set_of(info_for(bob)), information)
    with pytest.raises(CmsMalformed):
        read(der.sequence(der.oid(oids.ENVELOPED_DATA), der.explicit(0, envelope)))


def test_a_missing_tag_is_malformed(bob: Person) -> None:
    whole = ber.read_der(sealed([info_for(bob)], cipher=GCM)).children[1].children[0]
    cut = der.sequence(*(child.raw for child in whole.children[:-1]))
    with pytest.raises(CmsMalformed):
        read(der.sequence(der.oid(oids.AUTH_ENVELOPED_DATA), der.explicit(0, cut)))


@pytest.mark.parametrize("cipher", [ContentCipher.AES192_CBC, ContentCipher.AES192_GCM])
def test_aes_192_is_opened(bob: Person, cipher: ContentCipher) -> None:
    info = write_recipient(bob.certificate, content_key=CONTENT_KEY[:24])
    assert opened(sealed([info], cipher=cipher), bob) == CONTENT


@pytest.mark.parametrize("cipher", [ContentCipher.AES256_CBC, GCM])
def test_indefinite_lengths_and_pieces_within_pieces_are_read(bob: Person, cipher: ContentCipher) -> None:
    fresh = ContentEncryption.fresh(cipher)
    pieces, tag = fresh.encrypt(CONTENT, key=CONTENT_KEY)
    whole = b"".join(pieces)
    content = der.octets(whole[:5]) + b"\x24\x80" + der.octets(whole[5:6]) + der.octets(b"") + b"\0\0"
    content = b"\xa0\x80" + content + der.octets(whole[6:]) + b"\0\0"
    information = b"\x30\x80" + der.oid(oids.DATA) + fresh.identifier + content + b"\0\0"
    infos = b"\x31\x80" + info_for(bob) + b"\0\0"
    split_tag = b"\x24\x80" + der.octets(tag[:3]) + der.octets(tag[3:]) + b"\0\0" if tag else b""
    envelope = b"\x30\x80" + der.integer(0) + infos + information + split_tag + b"\0\0"
    oid = oids.AUTH_ENVELOPED_DATA if tag else oids.ENVELOPED_DATA
    assert opened(b"\x30\x80" + der.oid(oid) + b"\xa0\x80" + envelope + b"\0\0\0\0", bob) == CONTENT


def test_originator_and_unprotected_attributes_are_passed_over(bob: Person) -> None:
    originator = der.implicit(0, der.implicit(0, bob.certificate.der, constructed=True), constructed=True)
    attribute = der.sequence(der.oid(oids.SIGNING_TIME), der.set_of(der.null()))
    unprotected = der.implicit(1, attribute, constructed=True)
    assert opened(sealed([info_for(bob)], originator_info=originator, attributes=unprotected), bob) == CONTENT
    unauthenticated = der.implicit(2, attribute, constructed=True)
    gcm = sealed([info_for(bob)], cipher=GCM, originator_info=originator, last_attributes=unauthenticated)
    assert opened(gcm, bob) == CONTENT


@pytest.mark.parametrize("cipher", [ContentCipher.AES256_CBC, GCM])
def test_attributes_are_counted(bob: Person, cipher: ContentCipher) -> None:
    many = der.implicit(1, der.sequence() * 65, constructed=True)
    with pytest.raises(CmsTooLarge):
        read(sealed([info_for(bob)], cipher=cipher, attributes=many))
    with pytest.raises(CmsTooLarge):
        read(
            sealed([info_for(bob)], cipher=GCM, last_attributes=der.implicit(2, der.sequence() * 65, constructed=True))
        )


def test_no_octets_are_shown(bob: Person) -> None:
    enveloped = read(seal_content(CONTENT, certificates=[bob.certificate], cipher=GCM))
    assert repr(enveloped) == "Enveloped(authenticated=True)"
    assert repr(opening(bob)) == f"OpeningKey(certificate={bob.certificate!r})"


# --- authenticated attributes (RFC 5083 2.2) --------------------------------------------------------------------------
def with_attributes(info: bytes, covered: bytes, carried: bytes) -> bytes:
    nonce = secrets.token_bytes(12)
    whole = AESGCM(CONTENT_KEY).encrypt(nonce, CONTENT, covered)
    encryption = ContentEncryption(cipher=GCM, iv=nonce, tag_size=16)
    return sealed([info], encryption=encryption, encrypted=whole[:-16], tag=whole[-16:], attributes=carried)


FIRST = der.sequence(der.oid(oids.CONTENT_TYPE), der.set_of(der.oid(oids.DATA)))
SECOND = der.sequence(der.oid(oids.SIGNING_TIME), der.set_of(der.octets(b"any time")))


def test_the_tag_covers_the_authenticated_attributes(bob: Person) -> None:
    covered = der.set_of(FIRST, SECOND)
    carried = der.implicit(1, ber.read_der(covered).content, constructed=True)
    assert opened(with_attributes(info_for(bob), covered, carried), bob) == CONTENT
    fails(with_attributes(info_for(bob), der.set_of(FIRST), carried), bob)
    fails(with_attributes(info_for(bob), covered, b""), bob)
    fails(with_attributes(info_for(bob), b"", carried), bob)


def test_the_tag_covers_the_attributes_in_der(bob: Person) -> None:
    covered = der.set_of(FIRST, SECOND)
    in_other_order = b"".join(sorted((FIRST, SECOND), reverse=True))
    carried = b"\xa1\x80" + in_other_order + b"\0\0"
    assert opened(with_attributes(info_for(bob), covered, carried), bob) == CONTENT

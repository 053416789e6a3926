"""Sealed content as openssl makes and opens it."""

from __future__ import annotations

import pytest

from formats import ber
from smime.cms.ciphers import ContentCipher
from smime.cms.enveloped import seal_content
from smime.cms.errors import ContentCipherRefused, DecryptionFailed
from smime.cms.key_transport import KeyTransport
from tests.smime.campus import OpenSsl, Person
from tests.smime.cms.sealing import CONTENT, open_by_openssl, opened, opening, read, seal_by_openssl

WRITTEN = [cipher for cipher in ContentCipher if cipher.is_written]
LONG = bytes(range(256)) * 400


# --- openssl seals ----------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("options", "cipher"),
    [
        ("-aes128", ContentCipher.AES128_CBC),
        ("-aes192", ContentCipher.AES192_CBC),
        ("-aes256", ContentCipher.AES256_CBC),
        ("-aes-128-gcm", ContentCipher.AES128_GCM),
        ("-aes-192-gcm", ContentCipher.AES192_GCM),
        ("-aes-256-gcm", ContentCipher.AES256_GCM),
    ],
)
@pytest.mark.parametrize("how", ["", " -stream", " -indef -keyid", " -keyid"])
@pytest.mark.parametrize("recipient", ["bob", "carol", "dave"], indirect=True)
def test_opens_what_openssl_seals(
    openssl: OpenSsl, recipient: Person, options: str, cipher: ContentCipher, how: str
) -> None:
    data = seal_by_openssl(openssl, CONTENT, recipient, options=options + how)
    assert ber.read(data).indefinite == ("-stream" in how or "-indef" in how)
    assert read(data).cipher is cipher
    assert opened(data, recipient) == CONTENT


@pytest.mark.parametrize("options", ["-aes256", "-aes-256-gcm"])
def test_opens_what_openssl_seals_in_many_pieces(openssl: OpenSsl, carol: Person, options: str) -> None:
    data = seal_by_openssl(openssl, LONG, carol, options=f"{options} -stream")
    assert opened(data, carol) == LONG


@pytest.mark.parametrize("digest", ["sha1", "sha256", "sha384", "sha512"])
@pytest.mark.parametrize("mask", ["", " -keyopt rsa_mgf1_md:sha1", " -keyopt rsa_mgf1_md:sha384"])
def test_opens_oaep_of_openssl(openssl: OpenSsl, bob: Person, digest: str, mask: str) -> None:
    options = f"-aes256|-keyopt rsa_padding_mode:oaep -keyopt rsa_oaep_md:{digest}{mask}"
    assert opened(seal_by_openssl(openssl, CONTENT, bob, options=options), bob) == CONTENT


def test_opens_no_oaep_with_a_label(openssl: OpenSsl, bob: Person) -> None:
    options = "-aes-256-gcm|-keyopt rsa_padding_mode:oaep -keyopt rsa_oaep_label:6d61726b73"
    data = seal_by_openssl(openssl, CONTENT, bob, options=options)
    with pytest.raises(DecryptionFailed):
        opened(data, bob)


@pytest.mark.parametrize("digest", ["sha1", "sha256", "sha384", "sha512"])
@pytest.mark.parametrize("wrap", ["", " -aes128-wrap", " -aes192-wrap", " -aes256-wrap"])
@pytest.mark.parametrize("recipient", ["carol", "dave"], indirect=True)
def test_opens_key_agreement_of_openssl(openssl: OpenSsl, recipient: Person, digest: str, wrap: str) -> None:
    data = seal_by_openssl(openssl, CONTENT, recipient, options=f"-aes256{wrap}|-keyopt ecdh_kdf_md:{digest}")
    assert opened(data, recipient) == CONTENT


def test_each_recipient_opens_what_openssl_sealed_to_several(
    openssl: OpenSsl, bob: Person, carol: Person, dave: Person
) -> None:
    data = seal_by_openssl(openssl, CONTENT, bob, carol, dave)
    assert [opened(data, one) for one in (bob, carol, dave)] == [CONTENT] * 3


def test_refuses_triple_des(openssl: OpenSsl, bob: Person) -> None:
    data = seal_by_openssl(openssl, CONTENT, bob, options="-des3")
    with pytest.raises(ContentCipherRefused, match="3DES"):
        read(data)


# --- openssl opens ----------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("transport", KeyTransport)
@pytest.mark.parametrize("cipher", WRITTEN)
@pytest.mark.parametrize("recipient", ["bob", "carol", "dave"], indirect=True)
def test_openssl_opens_it(openssl: OpenSsl, recipient: Person, cipher: ContentCipher, transport: KeyTransport) -> None:
    data = seal_content(CONTENT, certificates=[recipient.certificate], cipher=cipher, transport=transport)
    assert open_by_openssl(openssl, data, recipient) == CONTENT


@pytest.mark.parametrize("cipher", WRITTEN)
def test_openssl_opens_it_for_each_of_several(
    openssl: OpenSsl, bob: Person, carol: Person, dave: Person, cipher: ContentCipher
) -> None:
    people = [bob, carol, dave]
    data = seal_content(LONG, certificates=[one.certificate for one in people], cipher=cipher)
    assert [open_by_openssl(openssl, data, one) for one in people] == [LONG] * 3


@pytest.mark.parametrize("recipient", ["bob", "carol"], indirect=True)
def test_it_is_written_as_openssl_would_write_it(openssl: OpenSsl, recipient: Person) -> None:
    """The same structure, octet for octet, but for what is random: read and written anew, nothing is changed."""
    openssl.write("sealed", seal_content(CONTENT, certificates=[recipient.certificate]))
    again = openssl.run("cms -cmsout -inform DER -in sealed -outform DER").stdout
    assert again == openssl.read("sealed")
    assert opening(recipient).certificate == recipient.certificate

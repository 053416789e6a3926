from __future__ import annotations

from contextlib import suppress
from datetime import UTC, datetime

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from formats import ber, der, oids
from formats.ber import BerTooLarge
from formats.errors import Refusal
from smime.cms.errors import CmsMalformed, CmsTooLarge, ContentRefused
from smime.cms.signed import SignedData, SignerTemplate, read_signed_data, sign_content
from smime.signer import Signer
from tests.smime.campus import NOW, Authority, OpenSsl, Person, person
from tests.smime.cms.forging import signed_data, signer_info, usual_attributes

CONTENT = b"Content-Type: text/plain\r\n\r\nfees are due\r\n"


def attribute_oids(data: bytes) -> list[str]:
    info = ber.read_der(data).children[1].children[0].children[-1].children[0]
    return [attribute.children[0].oid() for attribute in info.children[3].children]


# --- reading ----------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("options", ["-nodetach", "-nodetach -stream", "", "-keyid"])
def test_reads_what_openssl_writes(openssl: OpenSsl, alice: Person, issuing: Authority, options: str) -> None:
    data = openssl.sign(CONTENT, [alice], f"-outform DER {options}")
    found = read_signed_data(data)
    assert found.content == (CONTENT if "-nodetach" in options else None)
    assert found.content_type == oids.DATA
    assert set(found.certificates) == {alice.certificate, issuing.certificate}
    (signer,) = found.signers
    assert signer.id.names(alice.certificate)
    assert not signer.id.names(issuing.certificate)
    assert signer.signed_attributes is not None
    assert signer.signed_attributes.faults == ()


def test_reads_content_in_many_pieces(openssl: OpenSsl, alice: Person) -> None:
    content = bytes(range(256)) * 1000
    assert read_signed_data(openssl.sign(content, [alice], "-outform DER -nodetach -stream")).content == content


def test_reads_a_signer_named_by_key_identifier(openssl: OpenSsl, alice: Person, issuing: Authority) -> None:
    (signer,) = read_signed_data(openssl.sign(CONTENT, [alice], "-outform DER -keyid")).signers
    assert signer.id.key_id == alice.certificate.subject_key_id
    assert signer.id.names(alice.certificate)
    assert not signer.id.names(issuing.certificate)


def test_the_same_serial_of_another_issuer_is_another_certificate(alice: Person, root: Authority) -> None:
    twin = person(root, alice.key, serial=alice.certificate.serial.value)
    (signer,) = read_signed_data(signed_data([signer_info(alice, usual_attributes(CONTENT))])).signers
    assert signer.id.names(alice.certificate)
    assert not signer.id.names(twin.certificate)


def test_reads_a_signer_without_attributes(openssl: OpenSsl, alice: Person) -> None:
    (signer,) = read_signed_data(openssl.sign(CONTENT, [alice], "-outform DER -noattr")).signers
    assert signer.signed_attributes is None


def test_reads_a_bag_of_certificates(openssl: OpenSsl, alice: Person) -> None:
    openssl.write("alice.pem", alice.certificate.pem)
    openssl.run("crl2pkcs7 -nocrl -certfile alice.pem -outform DER -out bag")
    found = read_signed_data(openssl.read("bag"))
    assert found.signers == ()
    assert found.certificates == (alice.certificate,)


def test_passes_over_certificates_that_cannot_be_read(alice: Person) -> None:
    others = [alice.certificate.der, der.sequence(der.null()), der.implicit(2, b"\x05\x00", constructed=True)]
    found = read_signed_data(signed_data([], certificates=[*others, alice.certificate.der]))
    assert found.certificates == (alice.certificate,)
    assert found.skipped == 1


def test_counts_the_crls_and_leaves_them(alice: Person) -> None:
    assert read_signed_data(signed_data([], crls=[der.sequence(), der.sequence()])).crls == 2


def test_empty_content_is_content(alice: Person) -> None:
    assert read_signed_data(signed_data([], content=b"")).content == b""
    assert read_signed_data(signed_data([])).content is None


def test_refuses_more_than_64_signers(alice: Person) -> None:
    info = signer_info(alice, usual_attributes(CONTENT))
    assert len(read_signed_data(signed_data([info] * 64)).signers) == 64
    with pytest.raises(CmsTooLarge):
        read_signed_data(signed_data([info] * 65))


def test_refuses_more_than_64_certificates(alice: Person) -> None:
    with pytest.raises(CmsTooLarge):
        read_signed_data(signed_data([], certificates=[alice.certificate.der] * 65))


def wrapped(*fields: bytes) -> bytes:
    return der.sequence(der.oid(oids.SIGNED_DATA), der.explicit(0, der.sequence(*fields)))


DIGESTS, ENCAPSULATED, NO_SIGNERS = der.set_of(), der.sequence(der.oid(oids.DATA)), der.set_of()


@pytest.mark.parametrize(
    "data",
    [
        b"",
        der.sequence(der.oid(oids.ENVELOPED_DATA), der.explicit(0, der.sequence())),
        der.sequence(der.oid(oids.SIGNED_DATA), der.explicit(0, der.octets(b""))),
        wrapped(),
        wrapped(der.integer(1), DIGESTS, ENCAPSULATED),
        wrapped(der.integer(1), DIGESTS, ENCAPSULATED, NO_SIGNERS, der.null()),
        wrapped(der.integer(1), DIGESTS, ENCAPSULATED, der.set_of(der.null())),
        wrapped(der.integer(1), DIGESTS, der.sequence(der.oid(oids.DATA), der.explicit(0, der.null())), NO_SIGNERS),
        wrapped(der.integer(1), DIGESTS, ENCAPSULATED, NO_SIGNERS) + b"\0",
    ],
)
def test_refuses_what_is_no_signed_data(data: bytes) -> None:
    with pytest.raises(CmsMalformed):
        read_signed_data(data)


def test_refuses_ten_thousand_levels() -> None:
    with pytest.raises(BerTooLarge):
        read_signed_data(b"\x30\x80" * 10_000 + b"\0\0" * 10_000)


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(edits=st.lists(st.tuples(st.integers(0, 5000), st.integers(0, 255)), min_size=1, max_size=4))
def test_only_our_own_errors_come_out(alice: Person, edits: list[tuple[int, int]]) -> None:
    whole = bytearray(
        signed_data([signer_info(alice, usual_attributes(CONTENT))], certificates=[alice.certificate.der])
    )
    for position, octet in edits:
        whole[position % len(whole)] = octet
    with suppress(Refusal):
        assert isinstance(read_signed_data(bytes(whole)), SignedData)


# --- writing ----------------------------------------------------------------------------------------------------------
@pytest.fixture(params=["alice", "alice_p384", "alice_rsa"])
def signer(request: pytest.FixtureRequest) -> Person:
    found: Person = request.getfixturevalue(request.param)
    return found


@pytest.mark.parametrize("detached", [True, False])
def test_openssl_verifies_what_we_sign(openssl: OpenSsl, signer: Person, root: Authority, *, detached: bool) -> None:
    signed = sign_content(
        SignerTemplate.for_signer(signer.signer), content=CONTENT, detached=detached, signing_time=NOW
    )
    openssl.write("content", CONTENT)
    options = "-inform DER -binary" + (" -content content" if detached else "")
    assert openssl.verifies(signed.der, anchor=root.certificate, options=options)
    assert openssl.read("verified") == CONTENT


def test_openssl_refuses_what_we_signed_of_other_content(openssl: OpenSsl, alice: Person, root: Authority) -> None:
    signed = sign_content(SignerTemplate.for_signer(alice.signer), content=CONTENT, detached=True, signing_time=NOW)
    openssl.write("content", CONTENT + b"altered")
    assert not openssl.verifies(signed.der, anchor=root.certificate, options="-inform DER -binary -content content")


def test_writes_der_and_reads_it_again(signer: Person) -> None:
    template = SignerTemplate.for_signer(signer.signer)
    signed = sign_content(template, content=CONTENT, detached=False, signing_time=NOW)
    ber.read_der(signed.der)
    found = read_signed_data(signed.der)
    assert found.content == CONTENT
    assert found.signers[0].signature == signed.signature
    assert signed.digest == template.digest.digest(CONTENT)


@pytest.mark.parametrize("detached", [True, False])
def test_every_set_is_in_der_order(alice: Person, *, detached: bool) -> None:
    signed = sign_content(SignerTemplate.for_signer(alice.signer), content=CONTENT, detached=detached, signing_time=NOW)
    sets = 0
    waiting = [ber.read_der(signed.der)]
    while waiting:
        element = waiting.pop()
        waiting.extend(element.children)
        if element.tag == ber.SET:
            sets += 1
            assert ber.is_sorted_set(element)
    assert sets >= 8
    body = ber.read_der(signed.der).children[1].children[0]
    assert ber.is_sorted_set(body.children[3])  # the certificates, under an implicit tag
    assert ber.is_sorted_set(body.children[-1].children[0].children[3])  # the signed attributes, likewise


def test_signs_the_attributes_that_mail_wants(alice: Person) -> None:
    """RFC 8551 2.5, each once; no preference for an encryption key where the same key decrypts."""
    signed = sign_content(SignerTemplate.for_signer(alice.signer), content=CONTENT, detached=True, signing_time=NOW)
    assert sorted(attribute_oids(signed.der)) == sorted(
        [
            oids.CONTENT_TYPE,
            oids.MESSAGE_DIGEST,
            oids.SIGNING_TIME,
            oids.SIGNING_CERTIFICATE_V2,
            oids.SMIME_CAPABILITIES,
            oids.CMS_ALGORITHM_PROTECTION,
        ]
    )


def test_prefers_the_other_certificate_for_encryption(issuing: Authority, alice: Person) -> None:
    other = person(issuing, ec.generate_private_key(ec.SECP256R1()), usage={"key_agreement": True})
    signer = Signer(
        certificate=alice.certificate, chain=alice.chain, key=alice.key, encryption_certificate=other.certificate
    )
    signed = sign_content(SignerTemplate.for_signer(signer), content=CONTENT, detached=True, signing_time=NOW)
    info = ber.read_der(signed.der).children[1].children[0].children[-1].children[0]
    (preference,) = [
        one.children[1].children[0]
        for one in info.children[3].children
        if one.children[0].oid() == oids.ENCRYPTION_KEY_PREFERENCE
    ]
    assert preference.tag == ber.context(0)
    assert preference.children[0].raw == other.certificate.issuer_der
    assert preference.children[1].integer() == other.certificate.serial.value


def test_carries_leaf_and_issuing_ca_and_not_the_root(alice: Person, issuing: Authority) -> None:
    signed = sign_content(SignerTemplate.for_signer(alice.signer), content=CONTENT, detached=True, signing_time=NOW)
    assert set(read_signed_data(signed.der).certificates) == {alice.certificate, issuing.certificate}


def test_versions_are_one(alice: Person) -> None:
    """RFC 5652 5.1 and 5.3: id-data, X.509 certificates, issuer and serial number."""
    signed = sign_content(SignerTemplate.for_signer(alice.signer), content=CONTENT, detached=True, signing_time=NOW)
    body = ber.read_der(signed.der).children[1].children[0]
    assert body.children[0].integer() == 1
    assert body.children[-1].children[0].children[0].integer() == 1


def test_parameters_are_absent_for_digests_and_null_for_rsa(alice_rsa: Person) -> None:
    """RFC 5754 2, RFC 3370 3.2."""
    signed = sign_content(SignerTemplate.for_signer(alice_rsa.signer), content=CONTENT, detached=True, signing_time=NOW)
    (info,) = read_signed_data(signed.der).signers
    assert info.digest.raw == der.sequence(der.oid(oids.SHA256))
    assert info.signature_algorithm.raw == der.sequence(der.oid(oids.RSA_ENCRYPTION), der.null())


def test_signs_after_2049(alice: Person) -> None:
    moment = datetime(2050, 1, 1, tzinfo=UTC)
    signed = sign_content(SignerTemplate.for_signer(alice.signer), content=CONTENT, detached=True, signing_time=moment)
    (info,) = read_signed_data(signed.der).signers
    assert info.signed_attributes is not None
    assert info.signed_attributes.signing_time == moment
    assert (
        info.signed_attributes.encoded
        == b"\x31" + ber.read(signed.der).children[1].children[0].children[-1].children[0].children[3].raw[1:]
    )


def test_signs_with_ed25519(issuing: Authority) -> None:
    """RFC 8419: SHA-512 beside it."""
    signer = person(issuing, ed25519.Ed25519PrivateKey.generate())
    template = SignerTemplate.for_signer(signer.signer)
    signed = sign_content(template, content=CONTENT, detached=True, signing_time=NOW)
    (info,) = read_signed_data(signed.der).signers
    assert info.digest.raw == der.sequence(der.oid(oids.SHA512))


def test_refuses_to_sign_a_set_of_attributes(alice: Person) -> None:
    with pytest.raises(ContentRefused):
        sign_content(
            SignerTemplate.for_signer(alice.signer),
            content=der.set_of(*usual_attributes(CONTENT)),
            detached=True,
            signing_time=NOW,
        )


def test_no_key_shows(alice: Person) -> None:
    assert "key" not in repr(SignerTemplate.for_signer(alice.signer)).lower()

from __future__ import annotations

from collections.abc import Sequence

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519

from formats import algorithms, der, oids, pss
from formats.algorithms import Digest, Scheme, SignatureAlgorithm
from smime.cms import attributes
from smime.cms.signatures import Content, Outcome, SignatureResult, check
from smime.cms.signed import SignerTemplate, read_signed_data, sign_content
from tests.smime.campus import NOW, Authority, OpenSsl, Person, pem_key, person
from tests.smime.cms.forging import attribute, signed_data, signer_info, usual_attributes

CONTENT = b"Content-Type: text/plain\r\n\r\nfees are due\r\n"
SHA256 = der.sequence(der.oid(oids.SHA256))
ECDSA = der.sequence(der.oid(oids.ECDSA_WITH_SHA256))


def judge(data: bytes, signer: Person, *, content: bytes = CONTENT) -> SignatureResult:
    found = read_signed_data(data)
    (info,) = found.signers
    return check(info, content=Content(content, content_type=found.content_type), certificate=signer.certificate)


def forged(signer: Person, attributes_: Sequence[bytes] | None, **changes: object) -> SignatureResult:
    return judge(signed_data([signer_info(signer, attributes_, **changes)]), signer)  # type: ignore[arg-type]  # passed on


def is_good(result: SignatureResult) -> bool:
    return (result.integrity, result.signature, result.reasons) == (Outcome.OK, Outcome.OK, ())


@pytest.mark.parametrize("name", ["alice", "alice_p384", "alice_rsa"])
def test_our_own_signature_is_good(request: pytest.FixtureRequest, name: str) -> None:
    signer: Person = request.getfixturevalue(name)
    signed = sign_content(SignerTemplate.for_signer(signer.signer), content=CONTENT, detached=True, signing_time=NOW)
    result = judge(signed.der, signer)
    assert is_good(result)
    assert result.findings == ()


def test_ed25519_is_good(issuing: Authority) -> None:
    signer = person(issuing, ed25519.Ed25519PrivateKey.generate())
    signed = sign_content(SignerTemplate.for_signer(signer.signer), content=CONTENT, detached=True, signing_time=NOW)
    result = judge(signed.der, signer)
    assert is_good(result)
    assert result.algorithm == "ed25519"


@pytest.mark.parametrize(
    ("options", "algorithm"),
    [
        ("", "rsa-sha256"),
        ("-stream", "rsa-sha256"),
        ("-keyid", "rsa-sha256"),
        ("-nosmimecap", "rsa-sha256"),
        ("-cades", "rsa-sha256"),
        ("-md sha384", "rsa-sha384"),
        ("-md sha512", "rsa-sha512"),
    ],
)
def test_what_openssl_signs_is_good(openssl: OpenSsl, alice_rsa: Person, options: str, algorithm: str) -> None:
    result = judge(openssl.sign(CONTENT, [alice_rsa], f"-outform DER {options}"), alice_rsa)
    assert is_good(result)
    assert result.algorithm == algorithm


@pytest.mark.parametrize(("salt", "good"), [("digest", True), ("max", True), ("20", False)])
def test_pss_wants_a_salt_no_shorter_than_the_hash(
    openssl: OpenSsl, alice_rsa: Person, salt: str, *, good: bool
) -> None:
    openssl.write("content", CONTENT)
    openssl.write("signer.pem", alice_rsa.certificate.pem)
    openssl.write("key.pem", pem_key(alice_rsa.key))
    words = "cms -sign -binary -in content -outform DER -signer signer.pem -inkey key.pem -md sha256"
    done = openssl.run(f"{words} -keyopt rsa_padding_mode:pss -keyopt rsa_pss_saltlen:{salt}")
    result = judge(done.stdout, alice_rsa)
    assert is_good(result) is good
    assert result.reasons == (() if good else ("algorithm_refused",))


def test_altered_content(alice: Person) -> None:
    data = signed_data([signer_info(alice, usual_attributes(CONTENT))])
    result = judge(data, alice, content=CONTENT + b" ")
    assert (result.integrity, result.signature) == (Outcome.FAILED, Outcome.OK)
    assert result.reasons == ("message_altered",)


def test_altered_attributes(alice: Person) -> None:
    later = [*usual_attributes(CONTENT)[:2], attributes.signing_time(NOW.replace(year=2027))]
    result = forged(alice, usual_attributes(CONTENT), embedded=b"\xa0" + der.set_of(*later)[1:])
    assert (result.integrity, result.signature) == (Outcome.OK, Outcome.FAILED)
    assert result.reasons == ("signature_wrong",)


def test_digest_and_attributes_altered_together(alice: Person) -> None:
    altered = CONTENT + b"and more"
    other = b"\xa0" + der.set_of(*usual_attributes(altered))[1:]
    data = signed_data([signer_info(alice, usual_attributes(CONTENT), embedded=other)])
    result = judge(data, alice, content=altered)
    assert (result.integrity, result.signature) == (Outcome.OK, Outcome.FAILED)


def test_another_key(alice: Person, mallory: Person) -> None:
    data = signed_data([signer_info(alice, usual_attributes(CONTENT))])
    assert judge(data, mallory).reasons == ("signature_wrong",)


def test_without_certificate_the_content_is_judged_alone(alice: Person) -> None:
    (info,) = read_signed_data(signed_data([signer_info(alice, usual_attributes(CONTENT))])).signers
    result = check(info, content=Content(CONTENT, content_type=oids.DATA), certificate=None)
    assert (result.integrity, result.signature) == (Outcome.OK, Outcome.NOT_CHECKED)
    assert result.reasons == ()


def test_without_signed_attributes_it_is_never_good(openssl: OpenSsl, alice: Person) -> None:
    result = judge(openssl.sign(CONTENT, [alice], "-outform DER -noattr"), alice)
    assert result.reasons == ("signed_attributes_wrong",)
    assert result.findings == ("signed_attributes_absent",)


def test_the_signed_attributes_confusion_is_seen(openssl: OpenSsl, alice: Person, root: Authority) -> None:
    """Alice's signature over her attributes is also one over a message whose content these attributes are."""
    signed = sign_content(SignerTemplate.for_signer(alice.signer), content=CONTENT, detached=True, signing_time=NOW)
    (info,) = read_signed_data(signed.der).signers
    assert info.signed_attributes is not None
    content = info.signed_attributes.encoded
    forgery = signed_data(
        [signer_info(alice, None, signature=info.signature)],
        content=content,
        certificates=[alice.certificate.der, *(one.der for one in alice.chain)],
    )
    assert openssl.verifies(forgery, anchor=root.certificate, options="-inform DER"), "others are taken in by it"
    result = judge(forgery, alice, content=content)
    assert result.reasons == ("signed_attributes_wrong",)
    assert "signed_attributes_confusion" in result.findings


def test_a_fault_in_the_attributes_outweighs_a_good_signature(alice: Person) -> None:
    usual = usual_attributes(CONTENT)
    for wrong in (usual[1:], usual[::2], [*usual, usual[2]], [*usual, attributes.signing_time(NOW.replace(year=2025))]):
        result = forged(alice, wrong)
        assert result.signature is Outcome.OK
        assert result.reasons == ("signed_attributes_wrong",)


@pytest.mark.parametrize("index", range(3))
def test_what_must_be_signed_may_not_stand_unsigned(alice: Person, index: int) -> None:
    usual = usual_attributes(CONTENT)
    result = forged(alice, usual, unsigned=[usual[index]])
    assert result.reasons == ("signed_attributes_wrong",)


def test_unsigned_attributes_of_other_kinds_do_no_harm(alice: Person) -> None:
    assert is_good(forged(alice, usual_attributes(CONTENT), unsigned=[attribute("1.2.3.4", der.null())]))


def test_content_type_must_be_that_of_the_content(alice: Person) -> None:
    usual = [attributes.content_type(oids.TST_INFO), *usual_attributes(CONTENT)[1:]]
    assert forged(alice, usual).findings == ("content_type_differs",)


def test_content_must_be_data(alice: Person) -> None:
    """RFC 8551 2.4.1."""
    usual = [attributes.content_type(oids.TST_INFO), *usual_attributes(CONTENT)[1:]]
    data = signed_data([signer_info(alice, usual)], content=CONTENT, content_type=oids.TST_INFO)
    result = judge(data, alice)
    assert result.reasons == ("signed_attributes_wrong",)
    assert result.findings == ("content_type_not_data",)


def protection(digest: bytes, signature: bytes) -> bytes:
    return attributes.algorithm_protection(digest=digest, signature=signature)


NULL_SHA256 = der.sequence(der.oid(oids.SHA256), der.null())


@pytest.mark.parametrize(
    ("digest", "signature", "good"),
    [
        (SHA256, ECDSA, True),
        (NULL_SHA256, ECDSA, True),
        (der.sequence(der.oid(oids.SHA512)), ECDSA, False),
        (SHA256, der.sequence(der.oid(oids.ECDSA_WITH_SHA512)), False),
    ],
)
def test_algorithm_protection_must_agree(alice: Person, digest: bytes, signature: bytes, *, good: bool) -> None:
    """RFC 6211 4."""
    result = forged(alice, [*usual_attributes(CONTENT), protection(digest, signature)])
    assert is_good(result) is good
    assert result.findings == (() if good else ("algorithm_protection_differs",))


def test_a_certificate_swapped_for_another_with_the_same_key(alice: Person, issuing: Authority) -> None:
    """RFC 5035: the signature fits both certificates, the attribute names one."""
    twin = person(issuing, alice.key, mailboxes=("rector@campus.example",))
    signed = sign_content(SignerTemplate.for_signer(alice.signer), content=CONTENT, detached=True, signing_time=NOW)
    result = judge(signed.der, twin)
    assert result.signature is Outcome.OK
    assert result.reasons == ("signed_attributes_wrong",)
    assert result.findings == ("signing_certificate_differs",)


def test_a_certificate_named_by_an_unknown_hash(alice: Person) -> None:
    identifier = der.sequence(der.sequence(der.oid("1.2.3.4")), der.octets(bytes(32)))
    named = attribute(oids.SIGNING_CERTIFICATE_V2, der.sequence(der.sequence(identifier)))
    assert forged(alice, [*usual_attributes(CONTENT), named]).reasons == ("unsupported_algorithm",)


@pytest.mark.parametrize(
    ("digest", "reasons"),
    [
        (NULL_SHA256, ()),
        (der.sequence(der.oid(oids.SHA256), der.integer(1)), ("unsupported_algorithm",)),
        (der.sequence(der.oid("1.2.3.4")), ("unsupported_algorithm",)),
        (der.sequence(der.integer(1)), ("unsupported_algorithm",)),
        (der.sequence(der.oid(oids.SHA512)), ("message_altered", "algorithm_refused")),
    ],
)
def test_digest_algorithms(alice: Person, digest: bytes, reasons: tuple[str, ...]) -> None:
    """RFC 5754 2: NULL or nothing. RFC 8933: the hash of the signature and of the content are one."""
    assert forged(alice, usual_attributes(CONTENT), digest=digest).reasons == reasons


@pytest.mark.parametrize("digest", [Digest.SHA1, Digest.MD5, Digest.SHA224])
def test_weak_digests_are_refused_though_the_content_is_whole(alice_rsa: Person, digest: Digest) -> None:
    result = forged(
        alice_rsa, usual_attributes(CONTENT, digest=digest), digest=der.sequence(der.oid(digest.oid), der.null())
    )
    assert (result.integrity, result.signature) == (Outcome.OK, Outcome.NOT_CHECKED)
    assert result.reasons == ("algorithm_refused",)


def test_what_openssl_signs_with_sha1_is_refused(openssl: OpenSsl, alice_rsa: Person) -> None:
    result = judge(openssl.sign(CONTENT, [alice_rsa], "-outform DER -md sha1"), alice_rsa)
    assert result.reasons == ("algorithm_refused",)


def test_a_hash_of_the_signature_other_than_the_digest_is_refused(alice: Person) -> None:
    """RFC 8933, row 21: digest SHA-256, signature SHA-512, each right by itself."""
    algorithm = algorithms.ECDSA_SHA512
    result = forged(alice, usual_attributes(CONTENT), algorithm=algorithm, digest=SHA256)
    assert result.integrity is Outcome.OK
    assert result.reasons == ("algorithm_refused",)


def test_rsa_of_1024_bits_is_refused(alice_rsa1024: Person) -> None:
    result = forged(alice_rsa1024, usual_attributes(CONTENT))
    assert (result.integrity, result.signature) == (Outcome.OK, Outcome.NOT_CHECKED)
    assert result.reasons == ("algorithm_refused",)


def test_a_curve_that_is_not_ours_is_refused(issuing: Authority) -> None:
    signer = person(issuing, ec.generate_private_key(ec.SECP256K1()))
    assert forged(signer, usual_attributes(CONTENT), algorithm=algorithms.ECDSA_SHA256).reasons == (
        "algorithm_refused",
    )


def test_an_unknown_signature_algorithm_is_not_decided(alice: Person) -> None:
    identifier = der.sequence(der.oid("1.2.3.4"))
    assert forged(alice, usual_attributes(CONTENT), identifier=identifier).reasons == ("unsupported_algorithm",)


def test_an_algorithm_of_another_kind_of_key_is_refused(alice: Person) -> None:
    identifier = algorithms.RSA_SHA256.identifier
    assert forged(alice, usual_attributes(CONTENT), identifier=identifier).reasons == ("algorithm_refused",)


def test_parameters_out_of_shape_are_refused(alice_rsa: Person) -> None:
    identifier = der.sequence(der.oid(oids.RSASSA_PSS), der.sequence(der.null()))
    assert forged(alice_rsa, usual_attributes(CONTENT), identifier=identifier).reasons == ("algorithm_refused",)


def test_pss_with_another_hash_for_the_mask_is_refused(alice_rsa: Person) -> None:
    whole = pss.write(oids.SHA256, salt=32)
    sha1_mask = der.sequence(der.oid(oids.MGF1), der.sequence(der.oid(oids.SHA1)))
    parameters = der.sequence(der.explicit(0, SHA256), der.explicit(1, sha1_mask), der.explicit(2, der.integer(32)))
    identifier = der.sequence(der.oid(oids.RSASSA_PSS), parameters)
    algorithm = SignatureAlgorithm(
        name="rsa-pss-sha256", identifier=whole, digest=Digest.SHA256, scheme=Scheme.RSA_PSS, salt=32
    )
    assert is_good(forged(alice_rsa, usual_attributes(CONTENT), algorithm=algorithm))
    result = forged(alice_rsa, usual_attributes(CONTENT), algorithm=algorithm, identifier=identifier)
    assert result.reasons == ("algorithm_refused",)


def test_ed25519_with_another_digest_than_sha512_is_refused(issuing: Authority) -> None:
    """RFC 8419 3.1."""
    signer = person(issuing, ed25519.Ed25519PrivateKey.generate())
    result = forged(signer, usual_attributes(CONTENT), digest=SHA256)
    assert result.reasons == ("algorithm_refused",)


def test_a_hundred_signers_digest_the_content_once() -> None:
    content = Content(CONTENT, content_type=oids.DATA)
    assert content.digest(Digest.SHA256) is content.digest(Digest.SHA256)

from __future__ import annotations

import hashlib
import random
import subprocess
from datetime import UTC, datetime
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from formats import algorithms, der, oids, pem
from formats.algorithms import AlgorithmRefused, UnsupportedAlgorithm
from formats.ber import read_der
from formats.certificate import Certificate, CertificateMalformed, known
from formats.errors import Malformed
from formats.extensions import BasicConstraints
from formats.mailbox import Mailbox
from formats.serial import Serial
from tests.formats.conftest import MakeCertificate

OTHER = x509.Name([x509.NameAttribute(x509.ObjectIdentifier(oids.COMMON_NAME), "Campus S/MIME CA G1")])


def person_extensions(key: ec.EllipticCurvePrivateKey) -> list[x509.ExtensionType]:
    url = x509.UniformResourceIdentifier
    return [
        x509.SubjectAlternativeName(
            [
                x509.RFC822Name("alice@campus.example"),
                x509.OtherName(x509.ObjectIdentifier(oids.SMTP_UTF8_MAILBOX), der.utf8("zo\xeb@campus.example")),
                x509.RFC822Name("no mailbox"),
            ]
        ),
        x509.KeyUsage(
            digital_signature=True,
            content_commitment=True,
            key_encipherment=False,
            data_encipherment=False,
            key_agreement=True,
            key_cert_sign=False,
            crl_sign=False,
            encipher_only=False,
            decipher_only=True,
        ),
        x509.ExtendedKeyUsage([x509.ObjectIdentifier(oids.EMAIL_PROTECTION)]),
        x509.SubjectKeyIdentifier.from_public_key(key.public_key()),
        x509.AuthorityKeyIdentifier(b"issuer", None, None),
        x509.CertificatePolicies([x509.PolicyInformation(x509.ObjectIdentifier("1.2.3"), None)]),
        x509.CRLDistributionPoints([x509.DistributionPoint([url("http://pki.campus.example/c")], None, None, None)]),
        x509.AuthorityInformationAccess(
            [
                x509.AccessDescription(x509.ObjectIdentifier(oids.OCSP), url("http://pki.campus.example/o")),
                x509.AccessDescription(x509.ObjectIdentifier(oids.CA_ISSUERS), url("http://pki.campus.example/i")),
            ]
        ),
        x509.UnrecognizedExtension(x509.ObjectIdentifier(oids.SMIME_CAPABILITIES), der.sequence()),
    ]


def rewrite(
    data: bytes,
    *,
    fields: dict[int, bytes] | None = None,
    append: bytes = b"",
    outer_algorithm: bytes | None = None,
) -> bytes:
    """Put other fields into a certificate; its signature is then wrong, which this room does not look at."""
    tbs, algorithm, signature = read_der(data).children
    parts = [(fields or {}).get(at, field.raw) for at, field in enumerate(tbs.children)]
    return der.sequence(der.sequence(*parts, append), outer_algorithm or algorithm.raw, signature.raw)


# --- what it says ---


def test_says_what_cryptography_says(make_certificate: MakeCertificate, p256: ec.EllipticCurvePrivateKey) -> None:
    data = make_certificate(*person_extensions(p256), issuer=OTHER, critical=(x509.KeyUsage,))
    judge = x509.load_der_x509_certificate(data)
    certificate = Certificate.from_der(data)
    assert certificate.der == data
    assert certificate.version == 3
    assert certificate.serial == Serial(judge.serial_number)
    assert certificate.tbs == judge.tbs_certificate_bytes
    assert certificate.signature == judge.signature
    assert certificate.subject_der == judge.subject.public_bytes()
    assert certificate.issuer_der == judge.issuer.public_bytes()
    assert certificate.subject == "CN=Alice Lindgren,O=Campus Example,C=SE"
    assert certificate.issuer == "CN=Campus S/MIME CA G1"
    assert certificate.not_before == judge.not_valid_before_utc
    assert certificate.not_after == judge.not_valid_after_utc
    assert certificate.public_key == judge.public_key()
    assert certificate.spki == algorithms.spki_der(judge.public_key())
    assert certificate.sha256 == judge.fingerprint(hashes.SHA256()).hex()
    assert certificate.sha1 == hashlib.sha1(data, usedforsecurity=False).hexdigest()
    assert certificate.x509 == judge
    assert {one.oid.dotted_string: one.critical for one in judge.extensions} == {
        one.oid: one.critical for one in certificate.extensions.values()
    }


def test_says_what_its_extensions_say(make_certificate: MakeCertificate, p256: ec.EllipticCurvePrivateKey) -> None:
    certificate = Certificate.from_der(make_certificate(*person_extensions(p256), issuer=OTHER))
    key_id = x509.SubjectKeyIdentifier.from_public_key(p256.public_key()).digest
    assert certificate.mailboxes == (Mailbox.parse("alice@campus.example"), Mailbox.parse("zo\xeb@campus.example"))
    assert certificate.odd_names == ("no mailbox",)
    assert certificate.key_usage == frozenset({"digitalSignature", "nonRepudiation", "keyAgreement", "decipherOnly"})
    assert certificate.extended_key_usage == frozenset({oids.EMAIL_PROTECTION})
    assert (certificate.subject_key_id, certificate.authority_key_id) == (key_id, b"issuer")
    assert certificate.policies == ("1.2.3",)
    assert certificate.crl_urls == ("http://pki.campus.example/c",)
    assert certificate.ocsp_urls == ("http://pki.campus.example/o",)
    assert certificate.ca_issuer_urls == ("http://pki.campus.example/i",)
    assert certificate.smime_capabilities_der == b"\x30\x00"
    assert certificate.basic_constraints is None
    assert not certificate.is_ca
    assert not certificate.is_self_issued


def test_says_nothing_without_extensions(make_certificate: MakeCertificate) -> None:
    certificate = Certificate.from_der(make_certificate())
    assert certificate.extensions == {}
    assert certificate.mailboxes == ()
    assert certificate.odd_names == certificate.policies == ()
    assert certificate.crl_urls == certificate.ocsp_urls == certificate.ca_issuer_urls == ()
    assert certificate.key_usage is None
    assert certificate.extended_key_usage is None
    assert certificate.subject_key_id is None
    assert certificate.authority_key_id is None
    assert certificate.smime_capabilities_der is None


def test_knows_a_ca(make_certificate: MakeCertificate) -> None:
    certificate = Certificate.from_der(make_certificate(x509.BasicConstraints(ca=True, path_length=0)))
    assert certificate.basic_constraints == BasicConstraints(ca=True, path_length=0)
    assert certificate.is_ca
    assert certificate.is_self_issued


def test_covers_only_mailboxes_that_it_binds(make_certificate: MakeCertificate) -> None:
    subject = x509.Name([x509.NameAttribute(x509.ObjectIdentifier(oids.EMAIL_ADDRESS), "bursar@campus.example")])
    names = x509.SubjectAlternativeName([x509.RFC822Name("Alice@campus.example"), x509.DNSName("campus.example")])
    certificate = Certificate.from_der(make_certificate(names, subject=subject))
    assert certificate.covers(Mailbox.parse("alice@CAMPUS.example"))
    assert not certificate.covers(Mailbox.parse("bob@campus.example"))
    assert not certificate.covers(Mailbox.parse("bursar@campus.example"))
    assert certificate.subject_emails == ("bursar@campus.example",)


@pytest.mark.parametrize("year", [1950, 2049, 2050, 9999])
def test_reads_both_forms_of_time(make_certificate: MakeCertificate, year: int) -> None:
    end = datetime(year, 12, 31, 23, 59, 59, tzinfo=UTC)
    data = make_certificate(not_before=datetime(1950, 1, 1, tzinfo=UTC), not_after=end)
    assert Certificate.from_der(data).not_after == end


def test_is_described_in_one_line(make_certificate: MakeCertificate) -> None:
    certificate = Certificate.from_der(make_certificate())
    line = "CN=Alice Lindgren,O=Campus Example,C=SE, serial 4a5b, until 2028-01-01"
    assert certificate.description() == line
    assert repr(certificate) == f"<Certificate {line}>"
    assert Certificate.from_der(make_certificate(subject=x509.Name([]))).description().startswith("(no subject)")


def test_is_equal_where_the_der_is(make_certificate: MakeCertificate) -> None:
    data = make_certificate()
    other = rewrite(data, fields={1: der.integer(5)})
    assert Certificate.from_der(data) == Certificate.from_der(bytes(bytearray(data)))
    assert len({Certificate.from_der(data), Certificate.from_der(data), Certificate.from_der(other)}) == 2
    assert Certificate.from_der(data) != data


# --- signatures ---


def test_its_signature_can_be_checked_with_raw_verify(make_certificate: MakeCertificate) -> None:
    certificate = Certificate.from_der(make_certificate())
    algorithm = certificate.signature_algorithm
    assert algorithm == algorithms.ECDSA_SHA256
    assert certificate.algorithms_agree
    algorithms.verify(certificate.public_key, certificate.signature, certificate.tbs, algorithm=algorithm)


def test_shows_when_its_two_algorithms_differ(make_certificate: MakeCertificate) -> None:
    data = rewrite(make_certificate(), outer_algorithm=algorithms.RSA_SHA256.identifier)
    certificate = Certificate.from_der(data)
    assert not certificate.algorithms_agree
    assert certificate.signature_algorithm == algorithms.RSA_SHA256
    assert certificate.inner_signature_algorithm_der == algorithms.ECDSA_SHA256.identifier


@pytest.mark.parametrize(
    ("identifier", "error"),
    [
        (der.sequence(der.oid(oids.SHA1_WITH_RSA), der.null()), AlgorithmRefused),
        (der.sequence(der.oid("1.3.6.1.5.5.7.6.36")), UnsupportedAlgorithm),  # id-alg-unsigned, RFC 9925
        (der.sequence(der.oid(oids.SHA256_WITH_RSA), der.null(), der.null()), UnsupportedAlgorithm),
    ],
)
def test_unusable_signature_algorithm_is_told_when_asked(
    make_certificate: MakeCertificate, identifier: bytes, error: type[Exception]
) -> None:
    certificate = Certificate.from_der(rewrite(make_certificate(), outer_algorithm=identifier))
    with pytest.raises(error):
        _ = certificate.signature_algorithm


# --- foreign certificates ---


def test_unknown_key_is_told_when_asked(make_certificate: MakeCertificate) -> None:
    spki = der.sequence(der.sequence(der.oid("1.2.3.4")), der.bits(b"key"))
    certificate = Certificate.from_der(rewrite(make_certificate(), fields={6: spki}))
    assert certificate.spki == spki
    with pytest.raises(UnsupportedAlgorithm):
        _ = certificate.public_key


@pytest.mark.parametrize("serial", [0, -5, 2**200])
def test_odd_serials_are_read(make_certificate: MakeCertificate, serial: int) -> None:
    """RFC 5280 4.1.2.2: be prepared for them."""
    certificate = Certificate.from_der(rewrite(make_certificate(), fields={1: der.integer(serial)}))
    assert certificate.serial == Serial(serial)
    assert certificate.x509.public_key() == certificate.public_key


def test_reads_version_1_and_unique_identifiers(make_certificate: MakeCertificate) -> None:
    data = make_certificate()
    assert Certificate.from_der(rewrite(data, fields={0: b""})).version == 1
    unique = der.implicit(1, b"\0a", constructed=False) + der.implicit(2, b"\0b", constructed=False)
    assert Certificate.from_der(rewrite(data, append=unique)).version == 3


def test_what_cryptography_refuses_is_malformed_when_asked(make_certificate: MakeCertificate) -> None:
    null_parameters = der.sequence(der.oid(oids.ECDSA_WITH_SHA256), der.null())
    data = rewrite(make_certificate(), fields={2: null_parameters}, outer_algorithm=null_parameters)
    with pytest.raises(CertificateMalformed):
        _ = Certificate.from_der(data).x509


# --- what is refused ---


def extension(oid: str, value: bytes) -> bytes:
    return der.sequence(der.oid(oid), der.octets(value))


@pytest.mark.parametrize(
    "append",
    [
        der.explicit(3, der.sequence(extension("1.2.3", b"\5\0"), extension("1.2.3", b"\5\0"))),
        der.explicit(3, der.sequence()),
        der.explicit(3, der.sequence(extension("1.2.3", b"\5\0")) + der.null()),
        der.explicit(3, der.sequence(extension(oids.BASIC_CONSTRAINTS, b"\5\0"))),
        der.explicit(3, der.sequence(extension(oids.KEY_USAGE, b""))),
        der.explicit(4, der.null()),
        der.null(),
    ],
)
def test_refuses_duplicate_and_malformed_extensions(make_certificate: MakeCertificate, append: bytes) -> None:
    with pytest.raises(CertificateMalformed):
        Certificate.from_der(rewrite(make_certificate(), append=append))


@pytest.mark.parametrize(
    "fields",
    [
        {0: der.explicit(0, der.integer(3))},
        {0: der.explicit(0, der.integer(-1))},
        {1: der.octets(b"5")},
        {2: der.sequence()},
        {3: der.null()},
        {4: der.sequence(der.time(datetime(2026, 1, 1, tzinfo=UTC)))},
        {4: der.sequence(*[der.encode(0x17, b"269901000000Z", constructed=False)] * 2)},
        {4: der.sequence(*[der.utf8("260101000000Z")] * 2)},
        {6: der.null()},
        {6: b""},
    ],
)
def test_refuses_malformed_fields(make_certificate: MakeCertificate, fields: dict[int, bytes]) -> None:
    with pytest.raises(CertificateMalformed):
        Certificate.from_der(rewrite(make_certificate(), fields=fields))


def test_refuses_extensions_before_version_3(make_certificate: MakeCertificate) -> None:
    data = make_certificate(x509.BasicConstraints(ca=True, path_length=None))
    for version in (b"", der.explicit(0, der.integer(1))):
        with pytest.raises(CertificateMalformed):
            Certificate.from_der(rewrite(data, fields={0: version}))


def test_refuses_what_is_not_one_der_value(make_certificate: MakeCertificate) -> None:
    data = make_certificate()
    indefinite = b"\x30\x80" + b"".join(child.raw for child in read_der(data).children) + b"\0\0"
    for broken in (b"", b"\x30\x00", data[:-1], data + b"\0", indefinite, der.octets(data), der.sequence(data)):
        with pytest.raises(CertificateMalformed):
            Certificate.from_der(broken)
    assert issubclass(CertificateMalformed, Malformed)


def test_refuses_more_than_64_kib_and_deep_nesting(make_certificate: MakeCertificate) -> None:
    nested = der.null()
    for _ in range(30):
        nested = der.sequence(nested)
    big = der.explicit(3, der.sequence(extension("1.2.3", bytes(64 * 1024))))
    for append in (nested, big):
        with pytest.raises(CertificateMalformed):
            Certificate.from_der(rewrite(make_certificate(), append=append))


# --- PEM ---


def test_reads_pem_as_text_or_octets(make_certificate: MakeCertificate) -> None:
    certificate = Certificate.from_der(make_certificate())
    assert Certificate.from_pem(certificate.pem) == certificate
    assert Certificate.from_pem(b"some text\n" + certificate.pem.encode()) == certificate
    with pytest.raises(CertificateMalformed):
        Certificate.from_pem(certificate.pem * 2)
    with pytest.raises(pem.PemError):
        Certificate.from_pem(certificate.pem.replace("CERTIFICATE", "X509 CRL"))
    with pytest.raises((pem.PemError, CertificateMalformed)):
        Certificate.from_pem("\ud800")


def test_reads_one_der_or_many_pem(make_certificate: MakeCertificate) -> None:
    first = Certificate.from_der(make_certificate())
    second = Certificate.from_der(rewrite(first.der, fields={1: der.integer(5)}))
    assert Certificate.read_many(first.der) == [first]
    assert Certificate.read_many((first.pem + "between\n" + second.pem).encode()) == [first, second]
    with pytest.raises(CertificateMalformed):
        Certificate.read_many(first.der + second.der)


# --- hostile and foreign ---


@pytest.mark.parametrize("seed", range(4))
def test_mutations_bring_only_our_errors(
    seed: int, make_certificate: MakeCertificate, p256: ec.EllipticCurvePrivateKey
) -> None:
    dice = random.Random(seed)
    original = make_certificate(*person_extensions(p256))
    for _ in range(150):
        data = bytearray(original)
        for _ in range(dice.randint(1, 3)):
            data[dice.randrange(len(data))] = dice.randrange(256)
        try:
            certificate = Certificate.from_der(bytes(data))
        except CertificateMalformed:
            continue
        assert certificate.description().isprintable()
        assert certificate.subject_emails is not None
        for lazy, allowed in (
            ("public_key", (UnsupportedAlgorithm, AlgorithmRefused)),
            ("signature_algorithm", (UnsupportedAlgorithm, AlgorithmRefused)),
            ("x509", (CertificateMalformed,)),
        ):
            try:
                getattr(certificate, lazy)
            except allowed:
                continue


def test_reads_what_openssl_makes(tmp_path: Path, rsa2048: rsa.RSAPrivateKey) -> None:
    key = rsa2048.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    (tmp_path / "key.pem").write_bytes(key)
    words = (
        "req -new -x509 -key key.pem -sha512 -sigopt rsa_padding_mode:pss -sigopt rsa_pss_saltlen:64 -days 30"
        " -set_serial 0x0abc -addext subjectAltName=email:alice@campus.example -addext keyUsage=digitalSignature"
        " -subj /O=Campus/CN=Alice"
    )
    done = subprocess.run(["openssl", *words.split()], cwd=tmp_path, capture_output=True, check=True, timeout=60)
    certificate = Certificate.from_pem(done.stdout)
    assert (str(certificate.serial), certificate.subject) == ("0abc", "CN=Alice,O=Campus")
    assert certificate.covers(Mailbox.parse("alice@campus.example"))
    algorithm = certificate.signature_algorithm
    assert (algorithm.name, algorithm.salt) == ("rsa-pss-sha512", 64)
    algorithms.verify(certificate.public_key, certificate.signature, certificate.tbs, algorithm=algorithm)


def test_known_certificate_is_read_once(make_certificate: MakeCertificate) -> None:
    leaf_der = make_certificate()
    assert known(leaf_der) is known(bytes(bytearray(leaf_der)))
    assert known(leaf_der) == Certificate.from_der(leaf_der)

from __future__ import annotations

from datetime import UTC, datetime
from itertools import permutations

import pytest

from formats import ber, der, oids
from formats.algorithms import UnsupportedAlgorithm
from formats.ber import BerError
from formats.certificate import Certificate
from smime.cms import attributes
from smime.cms.attributes import (
    SignedAttributes,
    read_identifier,
    read_signed_attributes,
    read_unsigned_attributes,
    reads_as_signed_attributes,
)
from smime.cms.errors import CmsTooLarge
from tests.smime.campus import NOW, Person
from tests.smime.cms.forging import attribute, usual_attributes

CONTENT = b"Content-Type: text/plain\r\n\r\nfees are due\r\n"
SHA256 = der.sequence(der.oid(oids.SHA256))
ECDSA = der.sequence(der.oid(oids.ECDSA_WITH_SHA256))


def read(*encoded: bytes) -> SignedAttributes:
    return read_signed_attributes(ber.read(der.implicit(0, b"".join(encoded), constructed=True)))


def test_reads_what_is_there() -> None:
    found = read(*usual_attributes(CONTENT))
    assert found.faults == ()
    assert found.content_type == oids.DATA
    assert found.signing_time == NOW
    assert found.message_digest is not None
    assert len(found.message_digest) == 32


def test_unknown_attributes_are_passed_over() -> None:
    assert read(*usual_attributes(CONTENT), attribute("1.2.3.4", der.null(), der.integer(1))).faults == ()


@pytest.mark.parametrize("order", list(permutations(range(3))))
def test_what_was_signed_is_the_sorted_set(order: tuple[int, ...]) -> None:
    """RFC 5652 5.4: the signature is over DER, however the set came."""
    usual = usual_attributes(CONTENT)
    assert read(*(usual[i] for i in order)).encoded == der.set_of(*usual)


def test_what_was_signed_is_der_even_if_it_came_in_ber() -> None:
    usual = usual_attributes(CONTENT)
    indefinite = b"\xa0\x80" + b"".join(b"\x30\x80" + one[2:] + b"\0\0" for one in usual) + b"\0\0"
    assert read_signed_attributes(ber.read(indefinite)).encoded == der.set_of(*usual)


SINGLE = {
    "content_type": attributes.content_type(oids.DATA),
    "message_digest": attributes.message_digest(bytes(32)),
    "signing_time": attributes.signing_time(NOW),
    "smime_capabilities": attributes.smime_capabilities(oids.AES256_CBC),
    "algorithm_protection": attributes.algorithm_protection(digest=SHA256, signature=ECDSA),
    "signing_certificate_v2": attribute(
        oids.SIGNING_CERTIFICATE_V2, der.sequence(der.sequence(der.sequence(der.octets(bytes(32)))))
    ),
    "signing_certificate": attribute(
        oids.SIGNING_CERTIFICATE, der.sequence(der.sequence(der.sequence(der.octets(bytes(20)))))
    ),
    "encryption_key_preference": attribute(oids.ENCRYPTION_KEY_PREFERENCE, der.implicit(2, b"id", constructed=False)),
}


def with_the_rest(name: str, *encoded: bytes) -> SignedAttributes:
    rest = [SINGLE[other] for other in ("content_type", "message_digest") if other != name]
    return read(*rest, *encoded)


@pytest.mark.parametrize("name", SINGLE)
def test_each_may_stand_once(name: str) -> None:
    assert with_the_rest(name, SINGLE[name]).faults == ()


@pytest.mark.parametrize("name", SINGLE)
def test_refuses_an_attribute_that_stands_twice(name: str) -> None:
    assert with_the_rest(name, SINGLE[name], SINGLE[name]).faults == (f"{name}_repeated",)


@pytest.mark.parametrize("name", SINGLE)
def test_refuses_an_attribute_with_two_values(name: str) -> None:
    oid = ber.read(SINGLE[name]).children[0].oid()
    value = ber.read(SINGLE[name]).children[1].children[0].raw
    assert with_the_rest(name, attribute(oid, value, value)).faults == (f"{name}_not_single",)


@pytest.mark.parametrize("name", SINGLE)
def test_refuses_an_attribute_without_a_value(name: str) -> None:
    oid = ber.read(SINGLE[name]).children[0].oid()
    assert with_the_rest(name, attribute(oid)).faults == (f"{name}_not_single",)


@pytest.mark.parametrize("name", [name for name in SINGLE if name != "encryption_key_preference"])
def test_refuses_an_attribute_of_another_form(name: str) -> None:
    oid = ber.read(SINGLE[name]).children[0].oid()
    assert with_the_rest(name, attribute(oid, der.boolean(True))).faults == (f"{name}_malformed",)


@pytest.mark.parametrize("name", ["content_type", "message_digest"])
def test_refuses_to_do_without(name: str) -> None:
    assert with_the_rest(name).faults == (f"{name}_missing",)


@pytest.mark.parametrize("name", SINGLE)
def test_notices_what_must_not_be_unsigned(name: str) -> None:
    unsigned = ber.read(der.implicit(1, SINGLE[name], constructed=True))
    assert read_unsigned_attributes(unsigned) == (f"{name}_unsigned",)


def test_a_countersignature_may_only_be_unsigned() -> None:
    encoded = attribute(oids.COUNTERSIGNATURE, der.sequence())
    assert read(*usual_attributes(CONTENT), encoded).faults == ("countersignature_signed",)
    assert read_unsigned_attributes(ber.read(der.implicit(1, encoded, constructed=True))) == ()


def test_algorithm_protection_of_a_signature_names_its_algorithm() -> None:
    """RFC 6211 2: [2] would be for a message with a MAC."""
    for rest in (b"", der.implicit(2, ECDSA[2:], constructed=True)):
        wrong = attribute(oids.CMS_ALGORITHM_PROTECTION, der.sequence(SHA256, rest))
        assert with_the_rest("algorithm_protection", wrong).faults == ("algorithm_protection_malformed",)


def test_a_time_that_does_not_exist_is_a_fault() -> None:
    wrong = attribute(oids.SIGNING_TIME, der.encode(ber.UTC_TIME, b"261332000000Z", constructed=False))
    assert with_the_rest("signing_time", wrong).faults == ("signing_time_malformed",)


@pytest.mark.parametrize(
    ("moment", "tag"),
    [
        (datetime(2049, 12, 31, 23, 59, 59, tzinfo=UTC), ber.UTC_TIME),
        (datetime(2050, 1, 1, tzinfo=UTC), ber.GENERALIZED_TIME),
    ],
)
def test_signing_time_is_utc_time_through_2049(moment: datetime, tag: int) -> None:
    """RFC 8551 2.5.1."""
    encoded = attributes.signing_time(moment)
    assert ber.read_der(encoded).children[1].children[0].tag == tag
    assert with_the_rest("signing_time", encoded).signing_time == moment


def test_refuses_more_than_64_attributes() -> None:
    many = [attribute(f"1.2.3.{n}", der.null()) for n in range(65)]
    with pytest.raises(CmsTooLarge):
        read(*many)


@pytest.mark.parametrize("encoded", [der.null(), der.sequence(), der.sequence(der.oid("1.2.3"), der.sequence())])
def test_refuses_what_is_no_attribute(encoded: bytes) -> None:
    with pytest.raises(BerError):
        read(encoded)


def test_absent_parameters_and_null_are_the_same() -> None:
    """RFC 5754 2."""
    null = ber.read(der.sequence(der.oid(oids.SHA256), der.null()))
    assert read_identifier(ber.read(SHA256)) == read_identifier(null)
    other = ber.read(der.sequence(der.oid(oids.SHA256), der.integer(1)))
    assert read_identifier(ber.read(SHA256)) != read_identifier(other)


def test_signing_certificate_names_only_this_certificate(alice: Person, mallory: Person) -> None:
    found = with_the_rest("signing_certificate_v2", attributes.signing_certificate(alice.certificate))
    (named,) = found.signing_certificates
    assert named.digest == oids.SHA256
    assert named.names(alice.certificate)
    assert not named.names(mallory.certificate)


@pytest.mark.parametrize("serial", [0, 1])
def test_signing_certificate_compares_the_serial_too(alice: Person, serial: int) -> None:
    certificate: Certificate = alice.certificate
    issuer = der.sequence(der.explicit(4, certificate.issuer_der))
    issuer_serial = der.sequence(issuer, der.integer(certificate.serial.value + serial))
    identifier = der.sequence(der.octets(bytes.fromhex(certificate.sha256)), issuer_serial)
    encoded = attribute(oids.SIGNING_CERTIFICATE_V2, der.sequence(der.sequence(identifier)))
    (named,) = with_the_rest("signing_certificate_v2", encoded).signing_certificates
    assert named.names(certificate) is (serial == 0)


def test_signing_certificate_of_the_first_version_is_compared_by_sha1(alice: Person, mallory: Person) -> None:
    identifier = der.sequence(der.octets(bytes.fromhex(alice.certificate.sha1)))
    encoded = attribute(oids.SIGNING_CERTIFICATE, der.sequence(der.sequence(identifier)))
    (named,) = with_the_rest("signing_certificate", encoded).signing_certificates
    assert named.names(alice.certificate)
    assert not named.names(mallory.certificate)


def test_signing_certificate_by_an_unknown_hash_is_not_decided(alice: Person) -> None:
    identifier = der.sequence(der.sequence(der.oid("1.2.3.4")), der.octets(bytes(32)))
    encoded = attribute(oids.SIGNING_CERTIFICATE_V2, der.sequence(der.sequence(identifier)))
    (named,) = with_the_rest("signing_certificate_v2", encoded).signing_certificates
    with pytest.raises(UnsupportedAlgorithm):
        named.names(alice.certificate)


def test_knows_content_that_is_itself_a_set_of_attributes() -> None:
    assert reads_as_signed_attributes(der.set_of(*usual_attributes(CONTENT)))


@pytest.mark.parametrize(
    "content",
    [
        b"",
        CONTENT,
        b"1st-Field: fees\r\n\r\n",
        b"1\x80",
        der.set_of(),
        der.set_of(attributes.content_type(oids.DATA)),
        der.sequence(*usual_attributes(CONTENT)),
    ],
)
def test_other_content_is_no_set_of_attributes(content: bytes) -> None:
    assert not reads_as_signed_attributes(content)


def test_a_set_beyond_our_limits_counts_as_attributes() -> None:
    assert reads_as_signed_attributes(b"\x31\x80" * 100)

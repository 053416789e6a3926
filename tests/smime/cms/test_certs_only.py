from __future__ import annotations

from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.hazmat.primitives.serialization.pkcs7 import load_der_pkcs7_certificates

from formats import ber
from formats.certificate import Certificate
from smime.cms.certs_only import write_certs_only
from smime.cms.signed import read_signed_data
from tests.smime.campus import Person


def test_carries_each_certificate_once_and_no_signature(alice: Person) -> None:
    held = (alice.certificate, *alice.chain)
    octets = write_certs_only([*held, alice.certificate])
    read = read_signed_data(octets)
    assert set(read.certificates) == set(held)
    assert (read.signers, read.content, read.crls) == ((), None, 0)
    assert ber.read_der(octets).raw == octets


def test_others_read_it(alice: Person) -> None:
    held = (alice.certificate, *alice.chain)
    found = load_der_pkcs7_certificates(write_certs_only(held))
    assert {Certificate.from_der(one.public_bytes(Encoding.DER)) for one in found} == set(held)

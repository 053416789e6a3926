from __future__ import annotations

from ipaddress import ip_network

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec

from ca import extensions
from ca.extensions import CAPABILITIES
from formats import oids
from formats.mailbox import Mailbox


def parsed(extension: x509.UnrecognizedExtension) -> x509.ExtensionType:
    """What cryptography reads in it, put into a certificate request by way of a parser of its own."""
    builder = x509.CertificateSigningRequestBuilder().subject_name(x509.Name([]))
    request = builder.add_extension(extension, critical=False).sign(
        ec.generate_private_key(ec.SECP256R1()), hashes.SHA256()
    )
    value: x509.ExtensionType = next(iter(request.extensions)).value
    return value


def test_an_ascii_local_part_is_an_rfc822_name_and_another_a_smtp_utf8_mailbox() -> None:
    mailboxes = [Mailbox.parse("ada@campus.example.edu"), Mailbox.parse("jörg@straße.example")]
    assert parsed(extensions.subject_alt_name(mailboxes)) == x509.SubjectAlternativeName(
        [
            x509.RFC822Name("ada@campus.example.edu"),
            x509.OtherName(
                x509.ObjectIdentifier(oids.SMTP_UTF8_MAILBOX),
                b"\x0c\x1b" + "jörg@xn--strae-oqa.example".encode(),
            ),
        ]
    )


def test_mail_constraints_hold_the_host_and_the_domain_form() -> None:
    assert parsed(extensions.mail_name_constraints(["campus.example.edu"])) == x509.NameConstraints(
        [x509.RFC822Name("campus.example.edu"), x509.RFC822Name(".campus.example.edu")], None
    )


def test_server_constraints_exclude_every_name_and_address() -> None:
    assert parsed(extensions.no_server_name_constraints()) == x509.NameConstraints(
        None,
        [x509.DNSName(""), x509.IPAddress(ip_network("0.0.0.0/0")), x509.IPAddress(ip_network("::/0"))],
    )


def test_policies_have_no_qualifier() -> None:
    assert parsed(extensions.policies(["1.2.3.4"])) == x509.CertificatePolicies(
        [x509.PolicyInformation(x509.ObjectIdentifier("1.2.3.4"), None)]
    )


def test_capabilities_are_the_two_ciphers_that_every_client_reads() -> None:
    # RFC 4262 and RFC 8551 2.5.2: SEQUENCE OF SEQUENCE { aes256-CBC }, { aes128-CBC }, parameters absent.
    assert CAPABILITIES.hex() == "301a" + "300b" + "060960864801650304012a" + "300b" + "0609608648016503040102"


def test_key_usage_sets_only_the_named_bits() -> None:
    usage = extensions.key_usage({"keyAgreement"})
    assert usage.key_agreement
    assert not usage.digital_signature
    assert not usage.encipher_only
    assert not usage.content_commitment

"""Certificate extensions (RFC 5280 4.2) as this authority writes them: a function for each."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from ipaddress import IPv4Network, IPv6Network
from typing import Final

from cryptography import x509
from cryptography.x509.oid import AuthorityInformationAccessOID

from ca import key_ids
from formats import der, oids
from formats.mailbox import Mailbox

_RFC822_NAME: Final = 1
_DNS_NAME: Final = 2
_IP_ADDRESS: Final = 7
_KEY_USAGES: Final = {
    "digitalSignature": "digital_signature",
    "nonRepudiation": "content_commitment",
    "keyEncipherment": "key_encipherment",
    "dataEncipherment": "data_encipherment",
    "keyAgreement": "key_agreement",
    "keyCertSign": "key_cert_sign",
    "cRLSign": "crl_sign",
    "encipherOnly": "encipher_only",
    "decipherOnly": "decipher_only",
}

# RFC 4262; what every client can read, strongest first.
CAPABILITIES: Final = der.sequence(der.sequence(der.oid(oids.AES256_CBC)), der.sequence(der.oid(oids.AES128_CBC)))


def subject_key_id(spki: bytes) -> x509.SubjectKeyIdentifier:
    """RFC 5280 4.2.1.2, by RFC 7093 2 method 1."""
    return x509.SubjectKeyIdentifier(key_ids.subject_key_id(spki))


def authority_key_id(key_id: bytes) -> x509.AuthorityKeyIdentifier:
    """RFC 5280 4.2.1.1, with the key's identifier alone."""
    return x509.AuthorityKeyIdentifier(key_id, None, None)


def key_usage(names: Iterable[str]) -> x509.KeyUsage:
    """RFC 5280 4.2.1.3, by the names of its bits."""
    wanted = {_KEY_USAGES[name] for name in names}
    return x509.KeyUsage(**{name: name in wanted for name in _KEY_USAGES.values()})


def extended_key_usage(oid: str) -> x509.ExtendedKeyUsage:
    """RFC 5280 4.2.1.12, one purpose."""
    return x509.ExtendedKeyUsage([x509.ObjectIdentifier(oid)])


def policies(policy_oids: Sequence[str]) -> x509.UnrecognizedExtension:
    """RFC 5280 4.2.1.4, without qualifiers; DerError where one is no object identifier."""
    return _own(oids.CERTIFICATE_POLICIES, der.sequence(*(der.sequence(der.oid(oid)) for oid in policy_oids)))


def crl_distribution_point(url: str) -> x509.CRLDistributionPoints:
    """RFC 5280 4.2.1.13: one distribution point with one URL."""
    names = [x509.UniformResourceIdentifier(url)]
    return x509.CRLDistributionPoints([x509.DistributionPoint(names, None, None, None)])


def authority_info_access(*, ocsp: str | None, issuer: str) -> x509.AuthorityInformationAccess:
    """RFC 5280 4.2.2.1: OCSP where there is one, and the issuer's certificate."""
    methods = [(AuthorityInformationAccessOID.OCSP, ocsp), (AuthorityInformationAccessOID.CA_ISSUERS, issuer)]
    return x509.AuthorityInformationAccess(
        [x509.AccessDescription(method, x509.UniformResourceIdentifier(url)) for method, url in methods if url]
    )


def subject_alt_name(mailboxes: Sequence[Mailbox]) -> x509.UnrecognizedExtension:
    """RFC 5280 4.2.1.6: rfc822Name, or SmtpUTF8Mailbox where the local part is not ASCII (RFC 9598 3).

    Written here, since the library's rfc822Name parses addresses its own way.
    """
    return _own(oids.SUBJECT_ALT_NAME, der.sequence(*map(_general_name, mailboxes)))


def smime_capabilities() -> x509.UnrecognizedExtension:
    """RFC 4262: what the holder can decrypt."""
    return _own(oids.SMIME_CAPABILITIES, CAPABILITIES)


def mail_name_constraints(domains: Sequence[str]) -> x509.UnrecognizedExtension:
    """RFC 5280 4.2.1.10: mailboxes of these domains (`d`) and of their sub-domains (`.d`), and no others."""
    forms = [form for domain in domains for form in (domain, f".{domain}")]
    subtrees = [_subtree(_RFC822_NAME, form.encode("ascii")) for form in forms]
    return _own(oids.NAME_CONSTRAINTS, der.sequence(der.implicit(0, b"".join(subtrees), constructed=True)))


def no_server_name_constraints() -> x509.UnrecognizedExtension:
    """RFC 5280 4.2.1.10: every DNS name and every IP address excluded, so that no web site can be certified."""
    networks = (IPv4Network("0.0.0.0/0"), IPv6Network("::/0"))
    subtrees = [_subtree(_DNS_NAME, b"")]
    subtrees += [_subtree(_IP_ADDRESS, net.network_address.packed + net.netmask.packed) for net in networks]
    return _own(oids.NAME_CONSTRAINTS, der.sequence(der.implicit(1, b"".join(subtrees), constructed=True)))


def _subtree(name: int, base: bytes) -> bytes:
    return der.sequence(der.implicit(name, base, constructed=False))


def _general_name(mailbox: Mailbox) -> bytes:
    text = str(mailbox)
    if mailbox.is_ascii:
        return der.implicit(_RFC822_NAME, text.encode("ascii"), constructed=False)
    other = der.oid(oids.SMTP_UTF8_MAILBOX) + der.explicit(0, der.utf8(text))
    return der.implicit(0, other, constructed=True)


def _own(oid: str, value: bytes) -> x509.UnrecognizedExtension:
    return x509.UnrecognizedExtension(x509.ObjectIdentifier(oid), value)

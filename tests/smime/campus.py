"""A small campus: root, issuing CA and people, and `openssl` as the judge outside."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from formats.certificate import Certificate
from smime.message import read_message
from smime.path.chains import Anchor
from smime.path.evidence import Evidence, StatusRecord
from smime.report import Report
from smime.signer import Signer
from smime.trust import Options, TimeRecord, Trust
from smime.verify import judge, read

PrivateKey = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey
NOW = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
ALICE = "alice@campus.example"

SIGNING = {"digital_signature": True}
ISSUING = {"key_cert_sign": True, "crl_sign": True}
_USAGES = (
    "digital_signature",
    "content_commitment",
    "key_encipherment",
    "data_encipherment",
    "key_agreement",
    "key_cert_sign",
    "crl_sign",
    "encipher_only",
    "decipher_only",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Authority:
    """A CA with its key."""

    certificate: Certificate
    key: ec.EllipticCurvePrivateKey

    @property
    def name(self) -> x509.Name:
        return self.certificate.x509.subject


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """A certificate with its key, and the chain that goes with it."""

    certificate: Certificate
    key: PrivateKey
    chain: tuple[Certificate, ...] = ()

    @property
    def signer(self) -> Signer:
        return Signer(certificate=self.certificate, chain=self.chain, key=self.key, encryption_certificate=None)


def name(common_name: str, *, email: str | None = None) -> x509.Name:
    attributes = [x509.NameAttribute(NameOID.COMMON_NAME, common_name)]
    if email is not None:
        attributes.append(x509.NameAttribute(NameOID.EMAIL_ADDRESS, email))
    return x509.Name(attributes)


def authority(common_name: str, *, issuer: Authority | None = None, path_length: int | None = None) -> Authority:
    key = ec.generate_private_key(ec.SECP256R1())
    subject = name(common_name)
    builder = _begun(subject, issuer.name if issuer else subject, key, NOW - timedelta(days=400), 4000)
    builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=path_length), critical=True)
    builder = builder.add_extension(_usage(ISSUING), critical=True)
    builder = builder.add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    if issuer is not None:
        builder = builder.add_extension(_authority_key(issuer), critical=False)
    made = builder.sign(issuer.key if issuer else key, hashes.SHA256())
    return Authority(certificate=_view(made), key=key)


def person(
    issuer: Authority,
    key: PrivateKey,
    *,
    mailboxes: tuple[str, ...] = (ALICE,),
    subject: x509.Name | None = None,
    usage: dict[str, bool] | None = SIGNING,
    ekus: tuple[x509.ObjectIdentifier, ...] | None = (ExtendedKeyUsageOID.EMAIL_PROTECTION,),
    not_before: datetime = NOW - timedelta(days=100),
    days: int = 365,
    serial: int | None = None,
    is_ca: bool = False,
    key_id: bytes | None = None,
) -> Person:
    builder = _begun(subject or name("Alice Lindgren"), issuer.name, key, not_before, days, serial=serial)
    builder = builder.add_extension(x509.BasicConstraints(ca=is_ca, path_length=None), critical=True)
    if mailboxes:
        names = x509.SubjectAlternativeName([x509.RFC822Name(mailbox) for mailbox in mailboxes])
        builder = builder.add_extension(names, critical=False)
    if usage is not None:
        builder = builder.add_extension(_usage(usage), critical=True)
    if ekus is not None:
        builder = builder.add_extension(x509.ExtendedKeyUsage(ekus), critical=False)
    own = x509.SubjectKeyIdentifier(key_id) if key_id else x509.SubjectKeyIdentifier.from_public_key(key.public_key())
    builder = builder.add_extension(own, critical=False).add_extension(_authority_key(issuer), critical=False)
    made = builder.sign(issuer.key, hashes.SHA256())
    chain = () if issuer.certificate.is_self_issued else (issuer.certificate,)
    return Person(certificate=_view(made), key=key, chain=chain)


class OpenSsl:
    """The `openssl` program in a folder of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def write(self, file: str, content: bytes | str) -> str:
        (self.folder / file).write_bytes(content if isinstance(content, bytes) else content.encode())
        return file

    def read(self, file: str) -> bytes:
        return (self.folder / file).read_bytes()

    def run(self, words: str, *, check: bool = True, stdin: bytes = b"") -> subprocess.CompletedProcess[bytes]:
        done = subprocess.run(
            ["openssl", *words.split()], cwd=self.folder, input=stdin, capture_output=True, check=False, timeout=60
        )
        if check and done.returncode != 0:
            raise AssertionError(done.stderr.decode(errors="replace"))
        return done

    def sign(self, content: bytes, signers: list[Person], options: str = "") -> bytes:
        """Sign with `openssl cms -sign` and these options: S/MIME unless they say `-outform DER`."""
        self.write("content", content)
        words = ["cms -sign -binary -in content", options]
        for number, signer in enumerate(signers):
            self.write(f"signer{number}.pem", signer.certificate.pem)
            self.write(f"key{number}.pem", pem_key(signer.key))
            words.append(f"-signer signer{number}.pem -inkey key{number}.pem")
        chain = "".join(issuer.pem for signer in signers for issuer in signer.chain)
        if chain and "-certfile" not in options and "-nocerts" not in options:
            words.append("-certfile " + self.write("chain.pem", chain))
        return self.run(" ".join(words)).stdout

    def verifies(self, message: bytes, *, anchor: Certificate, options: str = "") -> bool:
        """Whether `openssl cms -verify` accepts the message under this root, at the campus's time."""
        self.write("message", message)
        self.write("anchor.pem", anchor.pem)
        moment = int(NOW.timestamp())
        words = f"cms -verify -in message -CAfile anchor.pem -attime {moment} -out verified {options}"
        return self.run(words, check=False).returncode == 0


def pem_key(key: PrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def _begun(
    subject: x509.Name,
    issuer: x509.Name,
    key: PrivateKey,
    not_before: datetime,
    days: int,
    *,
    serial: int | None = None,
) -> x509.CertificateBuilder:
    builder = x509.CertificateBuilder().subject_name(subject).issuer_name(issuer).public_key(key.public_key())
    builder = builder.serial_number(serial if serial is not None else x509.random_serial_number())
    return builder.not_valid_before(not_before).not_valid_after(not_before + timedelta(days=days))


def _usage(wanted: dict[str, bool]) -> x509.KeyUsage:
    return x509.KeyUsage(**(dict.fromkeys(_USAGES, False) | wanted))


def _authority_key(issuer: Authority) -> x509.AuthorityKeyIdentifier:
    return x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer.key.public_key())


def _view(made: x509.Certificate) -> Certificate:
    return Certificate.from_der(made.public_bytes(serialization.Encoding.DER))


def good(issuer: Authority, certificate: Certificate) -> StatusRecord:
    return StatusRecord(issuer_sha256=issuer.certificate.sha256, serial=certificate.serial, status="good")


def revoked(
    issuer: Authority,
    certificate: Certificate,
    *,
    reason: str | None,
    at: datetime,
    invalidity_date: datetime | None = None,
) -> StatusRecord:
    return StatusRecord(
        issuer_sha256=issuer.certificate.sha256,
        serial=certificate.serial,
        status="revoked",
        reason=reason,
        revoked_at=at,
        invalidity_date=invalidity_date,
    )


def trust_in(
    *anchors: Authority,
    records: Sequence[StatusRecord] = (),
    intermediates: Sequence[Certificate] = (),
    at: datetime = NOW,
    times: Sequence[TimeRecord] = (),
    options: Options | None = None,
) -> Trust:
    return Trust(
        anchors=tuple(Anchor.of(anchor.certificate) for anchor in anchors),
        intermediates=tuple(intermediates),
        evidence=Evidence(records=tuple(records)),
        at=at,
        now=NOW,
        options=options or Options(),
        records_of_time=tuple(times),
    )


def verdict(data: bytes, trust: Trust) -> Report:
    """Read and judge a message."""
    return judge(read(read_message(data)), trust=trust)

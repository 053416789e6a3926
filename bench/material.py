"""Material: the requests of the bench, a person's key and certificate, and the files that openssl works with."""

from __future__ import annotations

import base64
import json
import sqlite3
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote, urlsplit

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA1, SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.ocsp import OCSPRequestBuilder

from api.ocsp import ANSWER_TYPE, REQUEST_TYPE
from bench import command, yardsticks
from bench.client import Request
from bench.command import Signer
from bench.mail import mail
from bench.served import Served
from bench.within import Within
from ca.profiles import profile
from formats.certificate import Certificate


@dataclass(frozen=True, slots=True, kw_only=True)
class Material:
    """Everything that is measured with; `lint` holds the issued certificate against the linters that issuing runs."""

    sign: Request
    sign_raw: Request
    echo: Request
    issue: Request
    ocsp_post: Request
    ocsp_get: Request
    static_post: Request
    static_get: Request
    signer: Signer
    certificate: Certificate
    opened: Within

    def lint(self) -> None:
        issuers = self.opened.context.issuers
        found = issuers.linter.certificate(
            self.certificate.der, profile=profile("mailbox"), issuer=issuers.issuing.certificate
        )
        assert found == ()


def make(opened: Within, ask: Callable[[Request], bytes], *, folder: Path) -> Material:
    """Issue a certificate by asking the service, and build the rest around it."""
    key = ec.generate_private_key(ec.SECP256R1())
    bearer = ("Authorization", f"Bearer {opened.key}")
    as_json = (bearer, ("Content-Type", "application/json"))
    issue = Request(method="POST", path="/v1/certificates", body=_order(key), headers=as_json)
    certificate = Certificate.from_pem(json.loads(ask(issue))["certificate"])
    body = json.dumps({"message": base64.b64encode(mail()).decode()}).encode()
    asked = _asked(certificate, issuer=opened.context.issuers.issuing.certificate)
    status = urlsplit(certificate.ocsp_urls[0]).path
    shortest = len(yardsticks.STATIC_BODY) // 2  # an unsigned error has five octets
    to_status = (("Content-Type", REQUEST_TYPE), ("Accept", ANSWER_TYPE))
    encoded = quote(base64.b64encode(asked), safe="")
    return Material(
        sign=Request(method="POST", path="/v1/sign", body=body, headers=as_json, shortest=len(body)),
        sign_raw=Request(
            method="POST", path="/v1/sign", body=mail(), headers=(bearer, ("Content-Type", "message/rfc822")),
            shortest=len(mail()),
        ),
        echo=Request(method="POST", path=yardsticks.ECHO, body=body, headers=as_json, shortest=len(body) - 10),
        issue=issue,
        ocsp_post=Request(method="POST", path=status, body=asked, headers=to_status, shortest=shortest),
        ocsp_get=Request(method="GET", path=f"{status}/{encoded}", headers=to_status[1:], shortest=shortest),
        static_post=Request(method="POST", path=yardsticks.STATIC, body=asked, headers=to_status),
        static_get=Request(method="GET", path=yardsticks.STATIC, headers=to_status[1:]),
        signer=_signer(folder, opened, key=key, certificate=certificate),
        certificate=certificate,
        opened=opened,
    )  # fmt: skip


def require_true(material: Material, served: Served, *, folder: Path) -> None:
    """Failed unless openssl verifies a signature of each way and an OCSP answer."""
    root = folder / "root.pem"
    for name, request in (("raw", material.sign_raw), ("json", material.sign)):
        answer = served.ask(request)
        signed = folder / f"{name}.eml"
        signed.write_bytes(answer if name == "raw" else base64.b64decode(json.loads(answer)["message"]))
        command.require_signed(signed, root=root)
    answer_file = folder / "answer"
    for request in (material.ocsp_post, material.ocsp_get):
        answer_file.write_bytes(served.ask(request))
        command.require_answered(
            answer_file, certificate=material.signer.certificate, issuer=material.signer.chain, root=root
        )


def records(opened: Within) -> int:
    """How many signatures are on record."""
    database = opened.context.settings.data / "mailseal.db"
    connection = sqlite3.connect(f"{database.as_uri()}?mode=ro", uri=True)
    try:
        found = connection.execute("SELECT count(*) FROM audit WHERE action = 'message.signed'").fetchone()
        return int(found[0])
    finally:
        connection.close()


def _order(key: ec.EllipticCurvePrivateKey) -> bytes:
    names = x509.SubjectAlternativeName([x509.RFC822Name("alice@campus.example")])
    request = x509.CertificateSigningRequestBuilder(subject_name=x509.Name([])).add_extension(names, critical=False)
    csr = request.sign(key, SHA256()).public_bytes(Encoding.PEM)
    return json.dumps({"csr": csr.decode()}).encode()


def _asked(certificate: Certificate, *, issuer: Certificate) -> bytes:
    """With SHA-1, as most programs ask."""
    builder = OCSPRequestBuilder().add_certificate(certificate.x509, issuer.x509, SHA1())
    return builder.build().public_bytes(Encoding.DER)


def _signer(folder: Path, opened: Within, *, key: ec.EllipticCurvePrivateKey, certificate: Certificate) -> Signer:
    issuers = opened.context.issuers
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    files = {
        "mail": mail(),
        "key.pem": pem,
        "certificate.pem": certificate.pem.encode(),
        "chain.pem": issuers.issuing.certificate.pem.encode(),
        "root.pem": issuers.root.pem.encode(),
    }
    for name, content in files.items():
        (folder / name).write_bytes(content)
    return Signer(
        mail=folder / "mail",
        key=folder / "key.pem",
        certificate=folder / "certificate.pem",
        chain=folder / "chain.pem",
    )

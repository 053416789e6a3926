"""What is tried with openssl alone: its options, and its view of chain, OCSP and CRL."""

import base64
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.interop.conftest import Client
from tests.openssl import Answer, openssl
from tests.served import Served

Certify = Callable[..., Client]


@pytest.mark.parametrize("kind", ["rsa", "p256"])
@pytest.mark.parametrize(
    "options",
    [[], ["-nodetach"], ["-stream"], ["-nodetach", "-stream"], ["-nosmimecap"], ["-keyid"], ["-md", "sha512"]],
    ids=lambda options: " ".join(options) or "default",
)
def test_service_verifies_what_openssl_signs(service: Served, certify: Certify, kind: str, options: list[str]) -> None:
    bob = certify(f"bob-{kind}-{'-'.join(options).strip('-')}x@campus.example", kind=kind)
    signed = sign_by_openssl(bob, options)
    report = service.verify(signed)
    assert report["verdict"] == "valid", report


@pytest.mark.parametrize("options", [[], ["-nodetach", "-stream"]], ids=["detached", "opaque-ber"])
def test_service_refuses_what_openssl_signed_and_somebody_altered(
    service: Served, certify: Certify, options: list[str]
) -> None:
    signed = sign_by_openssl(certify(f"carol{len(options)}@campus.example"), options)
    altered = altered_inside(signed) if options else signed.replace(b"Friday", b"Monday")
    assert altered != signed
    report = service.verify(altered)
    assert report["verdict"] == "invalid", report


def test_signature_without_signed_attributes_is_not_valid(service: Served, certify: Certify) -> None:
    report = service.verify(sign_by_openssl(certify("dora@campus.example"), ["-noattr"]))
    assert (report["verdict"], report["reasons"]) == ("invalid", ["signed_attributes_wrong"])


def test_sender_that_the_certificate_does_not_name_is_invalid(service: Served, certify: Certify) -> None:
    signed = sign_by_openssl(certify("eve@campus.example"), [])
    forged = signed.replace(b"From: eve@", b"From: dean@")
    report = service.verify(forged)
    assert (report["verdict"], report["reasons"]) == ("invalid", ["address_mismatch"])
    assert report["signers"][0]["integrity"] == "ok"


def test_chain_and_status_agree_with_openssl_before_and_after_a_revocation(
    service: Served, root: Path, certify: Certify, tmp_path: Path
) -> None:
    frank = certify("frank@campus.example")
    signed = sign_by_openssl(frank, [])
    assert chain_check(service, root, frank, tmp_path).ok
    for digest in ("-sha1", "-sha256"):
        assert f"{frank.certificate}: good" in ocsp(service, root, frank, digest)
    assert service.verify(signed)["verdict"] == "valid"

    service.post(f"/v1/certificates/{frank.serial}/revocation", status=201, json={"reason": "keyCompromise"})

    for digest in ("-sha1", "-sha256"):
        answer = ocsp(service, root, frank, digest)
        assert f"{frank.certificate}: revoked" in answer
        assert "Reason: keyCompromise" in answer
    report = service.verify(signed)
    assert (report["verdict"], report["reasons"]) == ("invalid", ["signer_revoked"])
    judged = wait_for_revocation_in_crl(service, root, frank, tmp_path)
    assert "certificate revoked" in judged


def altered_inside(signed: bytes) -> bytes:
    """An opaque message with another word in the content that it wraps."""
    head, _, body = signed.partition(b"\n\n")
    wrapped = base64.b64decode(body)
    assert wrapped.count(b"Friday") == 1
    return head + b"\n\n" + base64.encodebytes(wrapped.replace(b"Friday", b"Monday"))


def sign_by_openssl(client: Client, options: list[str]) -> bytes:
    """A message from the client, signed by openssl cms; its own headers come first, as a mail program writes them."""
    content = b"Content-Type: text/plain\r\n\r\nThe library is closed on Friday.\r\n"
    signed = openssl(
        "cms", "-sign", "-signer", client.certificate, "-inkey", client.key, "-certfile", client.chain, *options,
        given=content,
    )  # fmt: skip
    assert signed.ok, signed.text
    return f"From: {client.mailbox}\nSubject: Library\n".encode() + signed.out


def chain_check(service: Served, root: Path, client: Client, folder: Path) -> Answer:
    crls = folder / "crls.pem"
    with crls.open("w") as file:
        for authority in ("g1", "root"):
            der = service.http.get(f"/crl/{authority}.crl").content
            converted = openssl("crl", "-inform", "DER", given=der)
            assert converted.ok, converted.text
            file.write(converted.out.decode())
    return openssl(
        "verify", "-crl_check_all", "-CAfile", root, "-CRLfile", crls, "-untrusted", client.chain, client.certificate
    )


def ocsp(service: Served, root: Path, client: Client, digest: str) -> str:
    answer = openssl(
        "ocsp", digest, "-issuer", client.chain, "-cert", client.certificate, "-url", f"{service.url}/ocsp/g1",
        "-CAfile", root, "-no_nonce",
    )  # fmt: skip
    assert answer.ok, answer.text
    assert "Response verify OK" in answer.text
    return answer.text


def wait_for_revocation_in_crl(service: Served, root: Path, client: Client, folder: Path) -> str:
    """The CRL follows within a minute; the test gives it just that."""
    deadline = time.monotonic() + 60
    while (judged := chain_check(service, root, client, folder)).ok:
        assert time.monotonic() < deadline, "the revocation did not reach the CRL within 60 s"
        time.sleep(0.2)
    return judged.text

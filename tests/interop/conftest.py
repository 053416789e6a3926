from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.mails import SENDER
from tests.openssl import openssl
from tests.served import Served, serve


@dataclass(frozen=True)
class Client:
    """Somebody with a key and certificate of their own, as openssl uses them."""

    mailbox: str
    key: Path
    certificate: Path
    chain: Path
    serial: str


@pytest.fixture(scope="session")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with serve(tmp_path_factory.mktemp("service")) as served:
        for mailbox, kind in ((SENDER, "rsa3072"), ("press@campus.example", "p256")):
            served.post("/v1/identities", status=201, json={"mailbox": mailbox, "key": kind})
        yield served


@pytest.fixture(scope="session")
def root(service: Served, tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("root") / "root.pem"
    file.write_bytes(service.http.get("/root.pem").content)
    return file


@pytest.fixture
def certify(service: Served, tmp_path: Path) -> Callable[..., Client]:
    """Make a key by openssl and have it certified by the service."""

    def make(mailbox: str, *, kind: str = "rsa", use: str = "dual") -> Client:
        key, request = tmp_path / "key.pem", tmp_path / "request.pem"
        options = {"rsa": ["rsa:3072"], "p256": ["ec", "-pkeyopt", "ec_paramgen_curve:P-256"]}[kind]
        made = openssl("req", "-new", "-newkey", *options, "-nodes", "-keyout", key, "-subj", "/CN=x", "-out", request)
        assert made.ok, made.text
        issued = service.post(
            "/v1/certificates",
            status=201,
            content=request.read_bytes(),
            params={"mailbox": mailbox, "use": use},
            headers={"Content-Type": "application/pkcs10"},
        ).json()
        certificate, chain = tmp_path / "certificate.pem", tmp_path / "chain.pem"
        certificate.write_text(issued["certificate"])
        chain.write_text(issued["chain"][0])
        return Client(mailbox=mailbox, key=key, certificate=certificate, chain=chain, serial=issued["serial"])

    return make

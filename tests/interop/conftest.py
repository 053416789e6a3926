import base64
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest

from tests.gpgsm import Gpgsm, gpgsm_trusting
from tests.interop.matrix import COLUMNS, PROPERTY
from tests.mails import SENDER
from tests.nss import Nss
from tests.openssl import openssl
from tests.openssl_cms import OpenSsl
from tests.programs import Person, Program
from tests.served import Served, serve

PRESS = "press@campus.example"


@dataclass(frozen=True)
class Client:
    """Somebody with a key and certificate of their own, as openssl uses them."""

    mailbox: str
    key: Path
    certificate: Path
    chain: Path
    serial: str


def pairs(kinds: dict[str, tuple[str, ...]]) -> pytest.MarkDecorator:
    """Run a test for each program with each kind of key that it takes."""
    each = [(program, kind) for program, some in kinds.items() for kind in some]
    ids = [f"{program}-{kind}" for program, kind in each]
    return pytest.mark.parametrize(("program", "alice"), each, indirect=True, ids=ids)


def encrypt(service: Served, message: bytes, *to: str, **query: str) -> bytes:
    """Seal a message to these mailboxes, which stand in To, by the service."""
    addressed = message.replace(b"To: all@campus.example", f"To: {', '.join(to)}".encode(), 1)
    assert addressed != message
    return service.post(
        "/v1/encrypt", content=addressed, params=query, headers={"Content-Type": "message/rfc822"}
    ).content


@pytest.fixture(scope="session")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with serve(tmp_path_factory.mktemp("service")) as served:
        for mailbox, kind in ((SENDER, "rsa3072"), (PRESS, "p256")):
            served.post("/v1/identities", status=201, json={"mailbox": mailbox, "key": kind, "encryption_key": kind})
        yield served


@pytest.fixture(scope="session")
def root(service: Served, tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("root") / "root.pem"
    file.write_bytes(service.http.get("/root.pem").content)
    return file


@pytest.fixture(scope="session")
def by_openssl(root: Path, tmp_path_factory: pytest.TempPathFactory) -> OpenSsl:
    return OpenSsl(tmp_path_factory.mktemp("openssl"), root.read_text())


@pytest.fixture(scope="session")
def by_nss(service: Served, root: Path, tmp_path_factory: pytest.TempPathFactory) -> Nss:
    authorities = {one["id"]: one["certificate"] for one in service.http.get("/v1/authorities").json()["items"]}
    return Nss.trusting(root.read_text(), issuing=authorities["g1"], folder=tmp_path_factory.mktemp("nss"))


@pytest.fixture(scope="session")
def by_gpgsm(root: Path) -> Iterator[Gpgsm]:
    with gpgsm_trusting(root.read_text()) as one:
        yield one


@pytest.fixture(params=["openssl", "nss", "gpgsm"])
def program(request: pytest.FixtureRequest) -> Program:
    """Each of the outside programs; what the test finds goes into the matrix."""
    one: Program = request.getfixturevalue(f"by_{request.param}")
    named = f"{request.param} {one.version}"
    request.node.user_properties.append((PROPERTY, (named, COLUMNS[request.path.stem])))
    return one


@pytest.fixture(scope="session")
def person(service: Served) -> Callable[[str], Person]:
    """The one who got a key of this kind from the service: of RSA in a file that every program reads."""

    @cache
    def make(kind: str) -> Person:
        made = service.post(
            "/v1/certificates/pkcs12",
            status=201,
            json={
                "mailboxes": [f"alice-{kind}@campus.example"],
                "key": kind,
                "format": "compatible" if kind.startswith("rsa") else "modern",
            },
        ).json()
        return Person(
            mailbox=made["mailboxes"][0],
            kind=kind,
            serial=made["serial"],
            certificate=made["certificate"],
            pkcs12=base64.b64decode(made["pkcs12"]),
            passphrase=made["passphrase"],
        )

    return make


@pytest.fixture
def alice(request: pytest.FixtureRequest, person: Callable[[str], Person]) -> Person:
    """The person with the key of the kind that the test names, else with the one that every program takes."""
    return person(getattr(request, "param", "rsa3072"))


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

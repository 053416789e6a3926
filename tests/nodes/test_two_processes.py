"""Two processes on one database: a revocation is seen by all of them at once, and CRL numbers never fork."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import partial

import httpx
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import ocsp

from db import audit
from tests.campus import csr
from tests.database import Server, opened
from tests.served import Served, serve

ROUNDS = 8


@pytest.fixture(scope="module")
def nodes(postgresql_server: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Served, Served, str]]:
    """Two services on one PostgreSQL, the second finding the CA that the first has made."""
    with ExitStack() as stack:
        url = stack.enter_context(postgresql_server.database())
        first = stack.enter_context(serve(tmp_path_factory.mktemp("first"), MAILSEAL_DATABASE_URL=url))
        second = stack.enter_context(
            serve(
                tmp_path_factory.mktemp("second"),
                key=first.key_file.read_text().strip(),
                MAILSEAL_DATABASE_URL=url,
                MAILSEAL_KEK_FILE=str(first.data / "kek"),
                MAILSEAL_STATUS_URL=first.url,
            )
        )
        yield first, second, url


@pytest.fixture(scope="module")
def two_workers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with serve(tmp_path_factory.mktemp("workers"), workers=2) as served:
        yield served


def test_second_node_finds_the_ca_and_makes_nothing(nodes: tuple[Served, Served, str]) -> None:
    first, second, _ = nodes
    assert first.http.get("/root.pem").content == second.http.get("/root.pem").content
    assert not (second.data / "root.key").exists()
    assert not (second.data / "admin.key").exists()


def test_a_revocation_on_one_node_is_in_ocsp_on_the_other_within_a_second(
    nodes: tuple[Served, Served, str],
) -> None:
    first, second, _ = nodes
    for number in range(ROUNDS):
        revoked_here, asked_there = (first, second) if number % 2 else (second, first)
        certificate, issuer = issue(first, f"nodes{number}@campus.example")
        assert status(asked_there.url, certificate, issuer) == ocsp.OCSPCertStatus.GOOD
        revoke(revoked_here, certificate)
        assert seen_within_a_second(asked_there.url, certificate, issuer)


def test_a_revocation_is_in_ocsp_on_every_worker_within_a_second(two_workers: Served) -> None:
    certificate, issuer = issue(two_workers, "workers@campus.example")
    revoke(two_workers, certificate)
    time.sleep(1)
    # Every request comes on a connection of its own, so that both workers are asked.
    answers = [status(two_workers.url, certificate, issuer) for _ in range(40)]
    assert set(answers) == {ocsp.OCSPCertStatus.REVOKED}


def test_crl_numbers_rise_and_never_fork(nodes: tuple[Served, Served, str]) -> None:
    first, second, url = nodes
    stopping, numbers = threading.Event(), dict[int, bytes]()

    def revoke_on(node: Served, name: str) -> None:
        for number in range(ROUNDS):
            revoke(node, issue(node, f"{name}{number}@campus.example")[0])

    def watch(node: Served) -> None:
        last = 0
        with httpx.Client(base_url=node.url, trust_env=False) as client:
            while not stopping.is_set():
                der = client.get("/crl/g1.crl").content
                number = number_of(der)
                assert number >= last
                last = number
                assert numbers.setdefault(number, der) == der, f"two CRLs have the number {number}"

    watchers = [Watched(watch, first), Watched(watch, second)]
    revokers = [Watched(revoke_on, first, "left"), Watched(revoke_on, second, "right")]
    for thread in (*watchers, *revokers):
        thread.start()
    for thread in revokers:
        thread.join()
    time.sleep(3)
    stopping.set()
    for thread in watchers:
        thread.join()
    assert [thread.failure for thread in (*watchers, *revokers) if thread.failure] == []
    with opened(url) as database, database.read() as read:
        published = audit.page(read, actor_ids=None, action="crl.published", before_id=None, limit=200)
    signed = [entry.details["number"] for entry in published]
    assert len(signed) == len(set(signed)) > 1


def test_each_job_runs_once_at_a_time(nodes: tuple[Served, Served, str]) -> None:
    _, _, url = nodes
    with opened(url) as database, database.read() as read:
        delegates = audit.page(read, actor_ids=None, action="certificate.issued", before_id=None, limit=200)
    assert len([entry for entry in delegates if entry.details["profile"] == "ocsp"]) == 1


class Watched(threading.Thread):
    """A thread that keeps what went wrong in it."""

    def __init__(self, work: Callable[..., None], *arguments: object) -> None:
        super().__init__()
        self.failure: BaseException | None = None
        self._work = partial(work, *arguments)

    def run(self) -> None:
        try:
            self._work()
        except BaseException as failure:  # noqa: BLE001
            self.failure = failure


def issue(node: Served, mailbox: str) -> tuple[x509.Certificate, x509.Certificate]:
    issued = node.post(
        "/v1/certificates", status=201, content=csr(mailbox), headers={"Content-Type": "application/pkcs10"}
    ).json()
    leaf, issuer = issued["certificate"], issued["chain"][0]
    return x509.load_pem_x509_certificate(leaf.encode()), x509.load_pem_x509_certificate(issuer.encode())


def revoke(node: Served, certificate: x509.Certificate) -> None:
    serial = f"{certificate.serial_number:032x}"
    node.post(f"/v1/certificates/{serial}/revocation", status=201, json={"reason": "superseded"})


def status(url: str, certificate: x509.Certificate, issuer: x509.Certificate) -> ocsp.OCSPCertStatus:
    request = ocsp.OCSPRequestBuilder().add_certificate(certificate, issuer, hashes.SHA256()).build()
    answer = httpx.post(
        f"{url}/ocsp/g1",
        content=request.public_bytes(Encoding.DER),
        headers={"Content-Type": "application/ocsp-request", "Connection": "close"},
        trust_env=False,
    )
    return ocsp.load_der_ocsp_response(answer.content).certificate_status


def seen_within_a_second(url: str, certificate: x509.Certificate, issuer: x509.Certificate) -> bool:
    deadline = time.monotonic() + 1
    while time.monotonic() < deadline:
        if status(url, certificate, issuer) == ocsp.OCSPCertStatus.REVOKED:
            return True
    return False


def number_of(der: bytes) -> int:
    crl = x509.load_der_x509_crl(der)
    return crl.extensions.get_extension_for_class(x509.CRLNumber).value.crl_number

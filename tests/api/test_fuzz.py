"""Whatever is sent, the answer is below 500, and a refusal is a problem with a code."""

from __future__ import annotations

from typing import Any, Final
from urllib.parse import quote

import httpx
from cryptography.hazmat.primitives.serialization import Encoding
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.api.door import PKCS10, RFC822, Door
from tests.campus import csr
from tests.mails import BODIES

SOME: Final = settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
# Where to cut, what to put there instead, and how many octets to leave out.
CUTS: Final = st.lists(st.tuples(st.integers(0, 20_000), st.binary(max_size=12), st.integers(0, 40)), max_size=4)
PIECES: Final = (
    "From: notices@campus.example", "From: ", "Content-Type: multipart/signed; boundary=b", "Content-Type: ", "--b",
    "--b--", "Content-Type: application/pkcs7-mime; smime-type=signed-data", "Content-Transfer-Encoding: base64",
    "MIAGCSqGSIb3DQEHAqCAMIACAQExADCABgkqhkiG9w0BBwEAADEAAAAAAAAA", "Date: Mon, 2 Mar 2026 08:30:00 +0000", "", " x",
    "Content-Type: message/rfc822", 'Content-Type: multipart/mixed; boundary="b"; boundary*0=c', "MIME-Version: 1.0",
)  # fmt: skip


def cut(octets: bytes, cuts: list[tuple[int, bytes, int]]) -> bytes:
    for place, put, left_out in cuts:
        at = place % (len(octets) + 1)
        octets = octets[:at] + put + octets[at + left_out :]
    return octets


def holds(answer: httpx.Response) -> None:
    assert answer.status_code < 500, answer.text
    if answer.status_code >= 400:
        found = answer.json()
        assert found["code"] not in {"", "internal_error"}
        assert found["request_id"] == answer.headers["x-request-id"]


def test_sign_and_verify_take_any_octets(door: Door) -> None:
    door.identity()

    @SOME
    @given(octets=st.binary(max_size=400), path=st.sampled_from(["/v1/sign", "/v1/verify"]))
    def check(octets: bytes, path: str) -> None:
        holds(door.post(path, content=octets, headers=RFC822))
        holds(door.post(path, files={"message": octets, "anchor": octets[:20], "crl": octets[20:]}))

    check()


def test_sign_and_verify_take_any_lines(door: Door) -> None:
    door.identity()

    @SOME
    @given(lines=st.lists(st.sampled_from(PIECES), max_size=25), path=st.sampled_from(["/v1/sign", "/v1/verify"]))
    def check(lines: list[str], path: str) -> None:
        holds(door.post(path, content="\r\n".join(lines).encode() + b"\r\n", headers=RFC822))

    check()


def test_verify_takes_any_wounded_signature(door: Door) -> None:
    door.identity()
    whole = [door.signed(door.mail(BODIES["nested"]), **{"as": form}) for form in ("detached", "opaque")]

    @SOME
    @given(message=st.sampled_from(whole), cuts=CUTS)
    def check(message: bytes, cuts: list[tuple[int, bytes, int]]) -> None:
        wounded = cut(message, cuts)
        answer = door.post("/v1/verify", content=wounded, headers=RFC822)
        holds(answer)
        if answer.status_code == 200 and answer.json()["verdict"] == "valid":
            accepted = door.post("/v1/verify", content=wounded, headers={**RFC822, "Accept": "message/rfc822"})
            assert b"AAECAwQFBgcICQoLDA0ODw==" in accepted.content

    check()


def test_certificates_take_any_request(door: Door) -> None:
    whole = csr(encoding=Encoding.DER)

    @SOME
    @given(octets=st.one_of(st.binary(max_size=300), CUTS.map(lambda cuts: cut(whole, cuts))))
    def check(octets: bytes) -> None:
        holds(door.post("/v1/certificates", content=octets, headers=PKCS10))

    check()


def test_json_calls_take_any_json(door: Door) -> None:
    plain = st.one_of(
        st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False, allow_infinity=False), st.text(max_size=20)
    )
    values = st.one_of(plain, st.lists(plain, max_size=3), st.dictionaries(st.text(max_size=5), plain, max_size=2))
    names = st.sampled_from(
        ["csr", "profile", "mailboxes", "use", "person", "subject", "days", "key", "name", "scopes"]
    )
    paths = ("/v1/certificates", "/v1/certificates/pkcs12", "/v1/identities", "/v1/api-keys", "/v1/sign", "/v1/verify")

    @SOME
    @given(order=st.dictionaries(names, values, max_size=5), path=st.sampled_from(paths))
    def check(order: dict[str, Any], path: str) -> None:
        holds(door.post(path, json=order))

    check()


def test_reading_calls_take_any_query(door: Door) -> None:
    names = st.sampled_from(["mailbox", "status", "serial", "sha256", "person", "q", "limit", "cursor", "since"])
    paths = ("/v1/certificates", "/v1/identities", "/v1/api-keys", "/v1/audit")

    @SOME
    @given(query=st.dictionaries(names, st.text(max_size=30), max_size=3), path=st.sampled_from(paths))
    def check(query: dict[str, str], path: str) -> None:
        holds(door.get(path, params=query))
        for value in query.values():
            holds(door.get(f"{path}/{quote(value, safe='')}"))

    check()

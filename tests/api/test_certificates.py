from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.hazmat.primitives.serialization.pkcs12 import load_pkcs12

from api.certificates import CertificateJson
from formats.certificate import Certificate
from tests.api.door import PKCS10, THEIRS, Door, refused
from tests.campus import csr
from tests.openssl import openssl

ORDER = {"mailboxes": ["alice@campus.example"], "key": "p256"}


def issue(door: Door, mailbox: str = "alice@campus.example", **query: str) -> dict[str, object]:
    return door.made("/v1/certificates", content=csr(mailbox), params=query, headers=PKCS10)


# --- issuing ----------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("encoding", [Encoding.PEM, Encoding.DER])
def test_issues_for_a_request_with_its_own_address(door: Door, encoding: Encoding) -> None:
    answer = door.post("/v1/certificates", content=csr(encoding=encoding), headers=PKCS10)
    assert answer.status_code == 201
    made = answer.json()
    assert list(made) == list(CertificateJson.model_fields)
    assert answer.headers["location"] == f"/v1/certificates/{made['serial']}"
    assert len(made["serial"]) == 32
    assert (made["profile"], made["use"], made["status"]) == ("mailbox", "dual", "active")
    assert (made["proof"], made["person"], made["revocation"]) == ("api_client", None, None)
    assert made["mailboxes"] == ["alice@campus.example"]
    assert (made["key"]["algorithm"], made["key"]["curve"]) == ("EC", "P-256")
    held = Certificate.from_pem(made["certificate"])
    assert (str(held.serial), held.sha256, held.subject) == (made["serial"], made["sha256"], made["subject"])
    issuer, root = (Certificate.from_pem(text) for text in made["chain"])
    assert (held.issuer, issuer.issuer) == (issuer.subject, root.subject)
    assert made["not_after"] == held.not_after.strftime("%Y-%m-%dT%H:%M:%SZ")


def test_issues_for_addresses_that_only_the_call_names(door: Door) -> None:
    query = {"mailbox": ["a@campus.example", "b@campus.example"], "use": "sign", "days": "30", "profile": "role"}
    made = door.made("/v1/certificates", content=csr(None), params=query, headers=PKCS10)
    assert (made["mailboxes"], made["use"], made["profile"]) == (query["mailbox"], "sign", "role")


def test_issues_by_json_for_a_person(door: Door) -> None:
    order = {
        "csr": csr().decode(),
        "profile": "person",
        "mailboxes": ["alice@campus.example"],
        "person": "s1234567",
        "subject": {"given_name": "Alice", "surname": "Chan", "common_name": "Alice Chan"},
        "days": 90,
    }
    made = door.made("/v1/certificates", json=order)
    assert (made["person"], made["profile"]) == ("s1234567", "person")
    assert "Alice Chan" in made["subject"]
    listed = door.get("/v1/certificates", params={"person": "s1234567"}).json()
    assert [item["serial"] for item in listed["items"]] == [made["serial"]]


def test_answers_with_the_chain_where_accept_says_so(door: Door) -> None:
    answer = door.post(
        "/v1/certificates", content=csr(), headers={**PKCS10, "Accept": "application/pem-certificate-chain"}
    )
    assert (answer.status_code, answer.headers["content-type"]) == (201, "application/pem-certificate-chain")
    leaf, issuer, root = Certificate.read_many(answer.content)
    assert leaf.mailboxes[0].local == "alice"
    assert (leaf.issuer, issuer.issuer, root.issuer) == (issuer.subject, root.subject, root.subject)


def test_nothing_is_issued_for_an_answer_that_nobody_can_give(door: Door) -> None:
    before = door.rows()
    answer = door.post("/v1/certificates", content=csr(), headers={**PKCS10, "Accept": "image/png"})
    refused(answer, "not_acceptable", 406)
    assert door.rows() == before


def test_audit_entries_carry_the_request_id(door: Door) -> None:
    made = door.made("/v1/certificates", content=csr(), headers={**PKCS10, "X-Request-Id": "issue-1"})
    entries = door.get("/v1/audit", params={"request_id": "issue-1"}).json()["items"]
    assert [entry["action"] for entry in entries] == ["certificate.issued", "certificate.intended"]
    assert {entry["object"]["id"] for entry in entries} == {made["serial"]}


@pytest.mark.parametrize("query", [{"days": "x"}, {"days": "9" * 5000}, {"use": ""}, {"profile": "p" * 65}])
def test_refuses_wrong_wishes(door: Door, query: dict[str, str]) -> None:
    answer = door.post("/v1/certificates", content=csr(), params=query, headers=PKCS10)
    assert answer.status_code == 422, answer.text


@pytest.mark.parametrize("days", ["0", "-1", "826", "1000000000000"])
def test_refuses_a_life_that_the_profile_does_not_allow(door: Door, days: str) -> None:
    refused(
        door.post("/v1/certificates", content=csr(), params={"days": days}, headers=PKCS10), "validity_refused", 422
    )


def test_refuses_unknown_and_doubled_parameters(door: Door) -> None:
    call = {"content": csr(), "headers": PKCS10}
    refused(door.post("/v1/certificates?mailboxes=a@campus.example", **call), "unknown_parameter", 400)
    refused(door.post("/v1/certificates?use=sign&use=dual", **call), "parameter_twice", 400)
    refused(door.post("/v1/certificates?use=sign", json={"csr": csr().decode()}), "unknown_parameter", 400)
    pointer = refused(door.post("/v1/certificates", json={"csr": "x", "key": "p256"}), "request_invalid", 422)
    assert pointer["errors"][0]["pointer"] == "/key"


def test_refuses_a_person_without_json(door: Door) -> None:
    refused(
        door.post("/v1/certificates", content=csr(), params={"profile": "person"}, headers=PKCS10),
        "subject_refused",
        422,
    )


def test_415_shows_the_line_that_works(door: Door) -> None:
    found = refused(
        door.post("/v1/certificates", content=csr(), headers={"Content-Type": "text/plain"}),
        "unsupported_media_type",
        415,
    )
    assert "curl --data-binary @request.pem -H 'Content-Type: application/pkcs10'" in found["detail"]


# --- Idempotency-Key --------------------------------------------------------------------------------------------------
def test_same_idempotency_key_makes_one_certificate(door: Door) -> None:
    call = {"content": csr(), "headers": {**PKCS10, "Idempotency-Key": "one"}}
    first = door.made("/v1/certificates", **call)
    before = door.rows()
    assert door.made("/v1/certificates", **call) == first
    assert door.rows() == before


def test_same_idempotency_key_with_another_body_is_refused(door: Door) -> None:
    headers = {**PKCS10, "Idempotency-Key": "one"}
    door.made("/v1/certificates", content=csr(), headers=headers)
    before = door.rows()
    refused(door.post("/v1/certificates", content=csr(), headers=headers), "idempotency_mismatch", 422)
    assert door.rows() == before


@pytest.mark.parametrize(
    ("path", "body"),
    [("", {"content": csr(), "headers": PKCS10}), ("/pkcs12", {"json": ORDER, "headers": {}})],
)
def test_refuses_two_idempotency_keys(door: Door, path: str, body: dict[str, Any]) -> None:
    before = door.rows()
    headers = [("Authorization", f"Bearer {door.key}"), *body["headers"].items()]
    twice = [("Idempotency-Key", "one"), ("Idempotency-Key", "two")]
    answer = door.client.post(f"/v1/certificates{path}", **{**body, "headers": [*headers, *twice]})
    refused(answer, "parameter_twice", 400)
    assert door.rows() == before


def test_idempotency_keys_of_two_callers_are_two(door: Door) -> None:
    headers = {**PKCS10, "Idempotency-Key": "one"}
    mine = door.made("/v1/certificates", content=csr(), headers=headers)
    theirs = door.as_("certificates:issue").made("/v1/certificates", content=csr(), headers=headers)
    assert mine["serial"] != theirs["serial"]


@pytest.mark.parametrize("key", ["", "x" * 256, "a b", "\u00e4".encode("latin-1")])
def test_refuses_what_is_no_idempotency_key(door: Door, key: str | bytes) -> None:
    answer = door.post("/v1/certificates", content=csr(), headers={**PKCS10, "Idempotency-Key": key})
    refused(answer, "idempotency_key_malformed", 422)


# --- with a key made here ---------------------------------------------------------------------------------------------
def test_hands_over_a_key_once(door: Door) -> None:
    answer = door.post("/v1/certificates/pkcs12", json=ORDER, headers={"Idempotency-Key": "file"})
    assert (answer.status_code, answer.headers["cache-control"]) == (201, "no-store")
    made = answer.json()
    assert answer.headers["location"] == f"/v1/certificates/{made['serial']}"
    opened = load_pkcs12(base64.b64decode(made["pkcs12"]), made["passphrase"].encode())
    assert opened.cert is not None
    assert opened.cert.certificate.public_bytes(Encoding.DER) == Certificate.from_pem(made["certificate"]).der
    assert isinstance(opened.key, ec.EllipticCurvePrivateKey)
    before = door.rows()
    again = door.post("/v1/certificates/pkcs12", json=ORDER, headers={"Idempotency-Key": "file"})
    refused(again, "already_delivered", 409)
    assert door.rows() == before


def test_compatible_file_is_read_by_openssl(door: Door, tmp_path: Path) -> None:
    made = door.made("/v1/certificates/pkcs12", json={**ORDER, "key": "rsa2048", "format": "compatible"})
    (tmp_path / "key.p12").write_bytes(base64.b64decode(made["pkcs12"]))
    opened = load_pkcs12(base64.b64decode(made["pkcs12"]), made["passphrase"].encode())
    assert isinstance(opened.key, rsa.RSAPrivateKey)
    read = openssl("pkcs12", "-legacy", "-in", tmp_path / "key.p12", "-passin", f"pass:{made['passphrase']}", "-nokeys")
    assert read.ok, read.text
    assert read.text.count("BEGIN CERTIFICATE") >= 2


@pytest.mark.parametrize("wrong", [{"key": "rsa1024"}, {"key": "ed25519"}, {"format": "zip"}, {"use": "both"}])
def test_refuses_unknown_choices(door: Door, wrong: dict[str, str]) -> None:
    before = door.rows()
    refused(door.post("/v1/certificates/pkcs12", json={**ORDER, **wrong}), "choice_unknown", 422)
    assert door.rows() == before


def test_takes_no_request_beside_the_key_made_here(door: Door) -> None:
    answer = door.post("/v1/certificates/pkcs12", json={**ORDER, "csr": csr().decode()})
    assert refused(answer, "request_invalid", 422)["errors"][0]["pointer"] == "/csr"


# --- reading ----------------------------------------------------------------------------------------------------------
def test_shows_every_form(door: Door, tmp_path: Path) -> None:
    made = issue(door)
    leaf = Certificate.from_pem(str(made["certificate"]))
    chain = [Certificate.from_pem(text) for text in made["chain"]]  # type: ignore[attr-defined]  # a list of PEM
    address = f"/v1/certificates/{made['serial']}"

    def shown(accept: str) -> tuple[str, bytes]:
        answer = door.get(address, headers={"Accept": accept})
        assert answer.status_code == 200
        return answer.headers["content-type"], answer.content

    assert door.get(address).json() == made
    assert shown("application/pkix-cert") == ("application/pkix-cert", leaf.der)
    assert shown("application/x-pem-file") == ("application/x-pem-file", leaf.pem.encode())
    assert Certificate.read_many(shown("application/pem-certificate-chain")[1]) == [leaf, *chain]
    media, content = shown("application/pkcs7-mime")
    assert media.startswith("application/pkcs7-mime; smime-type=certs-only")
    listed = openssl("pkcs7", "-inform", "DER", "-print_certs", given=content)
    assert listed.ok, listed.text
    assert set(Certificate.read_many(listed.out)) == {leaf, *chain}


def test_serial_is_read_in_upper_case_too(door: Door) -> None:
    made = issue(door)
    assert door.get(f"/v1/certificates/{str(made['serial']).upper()}").json() == made


def test_refuses_what_is_no_serial_and_does_not_find_what_is_not_there(door: Door) -> None:
    refused(door.get("/v1/certificates/xyz"), "serial_malformed", 400)
    refused(door.get("/v1/certificates/" + "ab" * 16), "certificate_not_found", 404)
    refused(door.get("/v1/certificates/" + "ab" * 16, headers={"Accept": "image/png"}), "not_acceptable", 406)


def test_lists_newest_first_in_pieces(door: Door) -> None:
    serials = [str(issue(door, f"user{number}@campus.example")["serial"]) for number in range(5)]
    seen: list[str] = []
    url = "/v1/certificates?limit=2&status=active"
    while url:
        answer = door.get(url)
        seen += [item["serial"] for item in answer.json()["items"]]
        following = answer.json()["next"]
        assert ("link" in answer.headers) == (following is not None)
        url = answer.headers["link"].partition(">")[0][1:] if following else ""
    assert seen == serials[::-1]


def test_list_is_narrowed(door: Door) -> None:
    alice, bob = issue(door), issue(door, "bob@campus.example")
    door.made(f"/v1/certificates/{bob['serial']}/revocation", json={"reason": "superseded"})

    def found(**query: object) -> list[str]:
        answer = door.get("/v1/certificates", params=query)
        assert answer.status_code == 200, answer.text
        return [item["serial"] for item in answer.json()["items"]]

    a, b = alice["serial"], bob["serial"]
    assert found() == [b, a]
    assert found(mailbox="ALICE@campus.example") == [a]
    assert found(status="revoked") == [b]
    assert found(status="expired") == []
    assert found(serial=str(a).upper()) == [a]
    fingerprint = str(b and bob["sha256"]).upper()
    assert found(sha256=":".join(fingerprint[index : index + 2] for index in range(0, 64, 2))) == [b]
    assert found(q="bob") == [b]
    assert found(q="%") == []


@pytest.mark.parametrize(
    ("query", "code", "status"),
    [
        ("cursor=abc", "cursor_malformed", 400),
        ("limit=0", "request_invalid", 422),
        ("limit=201", "request_invalid", 422),
        ("status=on_hold", "choice_unknown", 422),
        ("mailbox=nobody", "mailbox_malformed", 400),
        ("serial=xyz", "serial_malformed", 400),
        ("colour=red", "unknown_parameter", 400),
    ],
)
def test_refuses_a_wrong_query(door: Door, query: str, code: str, status: int) -> None:
    refused(door.get(f"/v1/certificates?{query}"), code, status)


def test_foreign_certificates_are_not_there(door: Door) -> None:
    made = issue(door)
    other = door.as_("certificates:read", "certificates:revoke", mailboxes=(THEIRS,))
    refused(other.get(f"/v1/certificates/{made['serial']}"), "certificate_not_found", 404)
    assert other.get("/v1/certificates").json() == {"items": [], "next": None}
    refused(other.get("/v1/certificates?mailbox=alice@campus.example"), "mailbox_not_allowed", 403)
    revocation = other.post(f"/v1/certificates/{made['serial']}/revocation", json={"reason": "superseded"})
    refused(revocation, "certificate_not_found", 404)
    assert door.get(f"/v1/certificates/{made['serial']}").json()["status"] == "active"


# --- revoking ---------------------------------------------------------------------------------------------------------
def test_revokes_one_way_with_the_one_upgrade(door: Door) -> None:
    made = issue(door)
    address = f"/v1/certificates/{made['serial']}/revocation"
    ended = door.made(address, json={"reason": "superseded", "note": "a new laptop"})
    assert (ended["status"], ended["revocation"]["reason"]) == ("revoked", "superseded")
    assert "laptop" not in door.get(f"/v1/certificates/{made['serial']}").text
    refused(door.post(address, json={"reason": "superseded"}), "already_revoked", 409)
    refused(door.post(address, json={"reason": "affiliationChanged"}), "already_revoked", 409)
    upgraded = door.made(address, json={"reason": "keyCompromise"})
    assert upgraded["revocation"]["revoked_at"] == ended["revocation"]["revoked_at"]
    refused(door.post(address, json={"reason": "keyCompromise"}), "already_revoked", 409)


@pytest.mark.parametrize("reason", ["certificateHold", "removeFromCRL", "unspecified", "stolen", "", "1"])
def test_refuses_other_reasons(door: Door, reason: str) -> None:
    made = issue(door)
    answer = door.post(f"/v1/certificates/{made['serial']}/revocation", json={"reason": reason})
    refused(answer, "reason_not_allowed", 422)
    assert door.get(f"/v1/certificates/{made['serial']}").json()["status"] == "active"


def test_invalidity_date_is_kept_in_whole_seconds(door: Door) -> None:
    made = issue(door)
    date = str(made["not_before"])
    ended = door.made(
        f"/v1/certificates/{made['serial']}/revocation",
        json={"reason": "keyCompromise", "invalidity_date": date.replace("Z", ".987Z")},
    )
    assert ended["revocation"]["invalidity_date"] == date


def test_refuses_an_invalidity_date_that_cannot_be(door: Door) -> None:
    made = issue(door)
    answer = door.post(
        f"/v1/certificates/{made['serial']}/revocation",
        json={"reason": "keyCompromise", "invalidity_date": "2999-01-01T00:00:00Z"},
    )
    refused(answer, "invalidity_date_refused", 422)

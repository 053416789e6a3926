from __future__ import annotations

import pytest

from api.authorities import AuthorityJson
from formats.certificate import Certificate
from tests.api.door import Door
from tests.openssl import openssl


def test_lists_all_authorities_to_everybody(door: Door) -> None:
    answer = door.with_key(None).get("/v1/authorities")
    assert (answer.status_code, answer.json()["next"]) == (200, None)
    root, issuing = answer.json()["items"]
    assert list(root) == list(AuthorityJson.model_fields)
    assert ((root["id"], root["kind"]), (issuing["id"], issuing["kind"])) == (("root", "root"), ("g1", "issuing"))
    held = Certificate.from_pem(issuing["certificate"])
    assert (held.sha256, held.sha1, str(held.serial)) == (issuing["sha256"], issuing["sha1"], issuing["serial"])
    assert held.issuer == root["subject"]
    assert issuing["urls"]["ocsp"].endswith("/ocsp/g1")
    assert root["urls"]["ocsp"] is None


def test_their_urls_are_those_that_the_service_answers(door: Door) -> None:
    door.campus.run_jobs()
    stranger = door.with_key(None)
    for authority in stranger.get("/v1/authorities").json()["items"]:
        path = {name: "/" + url.split("/", 3)[3] for name, url in authority["urls"].items() if url}
        issuer = stranger.get(path["issuer"])
        assert issuer.headers["content-type"] == "application/pkix-cert"
        assert issuer.content == Certificate.from_pem(authority["certificate"]).der
        crl = stranger.get(path["crl"])
        assert (crl.status_code, crl.headers["content-type"]) == (200, "application/pkix-crl")
        assert openssl("crl", "-inform", "DER", "-noout", "-text", given=crl.content).ok


@pytest.mark.parametrize("path", ["/root", "/v1/authorities/root"])
def test_root_in_both_forms(door: Door, path: str) -> None:
    root = door.campus.context.issuers.root
    stranger = door.with_key(None)
    pem, crt = stranger.get(f"{path}.pem"), stranger.get(f"{path}.crt")
    assert (pem.headers["content-type"], pem.text) == ("application/x-pem-file", root.pem)
    assert (crt.headers["content-type"], crt.content) == ("application/x-x509-ca-cert", root.der)
    assert stranger.get(f"{path}.crt", headers={"If-None-Match": crt.headers["etag"]}).status_code == 304
    assert stranger.call("HEAD", f"{path}.crt").headers["content-length"] == str(len(root.der))


def test_wrong_credential_does_not_close_what_is_public(door: Door) -> None:
    assert door.with_key("ms_live_wrong").get("/v1/authorities").status_code == 200

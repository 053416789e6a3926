from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from api.bodies import JSON
from tests.api.door import Door, refused

WRITTEN = Path(__file__).parents[2] / "openapi.yaml"
RAW = ("message/rfc822", "application/pkcs10")

# What a request that stands in the description is answered on a demo with the one identity notices@campus.example.
HONEST = {
    ("POST /v1/decrypt", JSON): ("no_key_for_message", 422),
    ("POST /v1/decrypt", "message/rfc822"): ("no_key_for_message", 422),
    ("POST /v1/certificates/{serial}/revocation", JSON): ("certificate_not_found", 404),
}


def shown() -> Iterator[Any]:
    for path, methods in yaml.safe_load(WRITTEN.read_text())["paths"].items():
        for method, operation in methods.items():
            for media, held in operation.get("requestBody", {}).get("content", {}).items():
                if "example" in held:
                    name = f"{method.upper()} {path}"
                    yield pytest.param(name, media, held["example"], id=f"{name} {media}")


SHOWN = list(shown())


def send(door: Door, name: str, media: str, example: Any) -> Any:
    method, path = name.split()
    url = path.format(mailbox="notices@campus.example", serial="5c7a1f0e9b3d4c2a8e6f7d5b4a392817")
    body = {"json": example} if media == JSON else {"content": example.encode()}
    return door.call(method, url, headers={"Content-Type": media, "Idempotency-Key": "shown"}, **body)


def test_each_call_with_a_body_shows_a_request() -> None:
    names = {(name, media) for name, media, _ in (param.values for param in SHOWN)}
    assert names >= {(f"POST /v1/{call}", way) for call in ("sign", "verify", "encrypt") for way in (JSON, RAW[0])}
    assert names >= HONEST.keys() | {("POST /v1/certificates", JSON), ("POST /v1/certificates", RAW[1])}
    assert {media for _, media in names} == {JSON, *RAW}


@pytest.mark.parametrize(("name", "media", "example"), SHOWN)
def test_request_that_is_shown_is_taken_as_it_stands(door: Door, name: str, media: str, example: Any) -> None:
    if name != "POST /v1/identities":
        door.identity()
    answer = send(door, name, media, example)
    if (name, media) in HONEST:
        refused(answer, *HONEST[name, media])
    else:
        assert answer.status_code in {200, 201}, answer.text

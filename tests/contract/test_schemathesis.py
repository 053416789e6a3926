"""The application keeps what openapi.yaml promises, whatever is sent: schemathesis asks a served demo.

It draws requests from the schema; half of them are made to fit by naming what exists there, so that every operation also
says yes.
"""

from __future__ import annotations

import base64
import secrets
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Final

import pytest
import schemathesis
import yaml
from cryptography.hazmat.primitives.serialization import Encoding
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from schemathesis.config import SchemathesisConfig
from schemathesis.core.result import Ok
from schemathesis.specs.openapi.checks import ignored_auth, negative_data_rejection

from tests.campus import csr
from tests.house.source import ROOT
from tests.mails import BODIES, mail
from tests.served import Served, serve

EXAMPLES: Final = 30
SOME: Final = settings(
    max_examples=EXAMPLES,
    deadline=None,
    database=None,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)
CONFIG: Final = SchemathesisConfig.from_dict(
    {"checks": {"positive_data_acceptance": {"expected-statuses": ["2xx", "4xx"]}}, "generation": {"mode": "positive"}}
)
Case = schemathesis.Case[Any]
MAILS: Final = [mail(body) for body in BODIES.values()]
SENDER: Final = "notices@campus.example"

schemathesis.openapi.media_type(
    "message/rfc822", st.one_of(st.sampled_from(MAILS), st.binary(min_size=1, max_size=200))
)
schemathesis.openapi.media_type(
    "application/pkcs10",
    st.one_of(
        st.sampled_from([csr(f"c{number}@campus.example") for number in range(4)]), st.binary(min_size=1, max_size=200)
    ),
)

SPEC: Final[dict[str, Any]] = yaml.safe_load((ROOT / "openapi.yaml").read_text(encoding="utf-8"))
SCHEMA: Final = schemathesis.openapi.from_dict(SPEC, config=CONFIG)
FOUND: Final = [result.ok() for result in SCHEMA.get_all_operations() if isinstance(result, Ok)]
OPERATIONS: Final = {found.definition.raw["operationId"]: found for found in FOUND}


@dataclass(frozen=True, kw_only=True)
class World:
    """What exists at the service."""

    served: Served
    serials: list[str]
    identities: list[str]
    keys: list[str]
    entries: list[str]
    sealed: bytes


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with serve(tmp_path_factory.mktemp("contract"), MAILSEAL_LOG_LEVEL="warning") as served:
        names = [SENDER, *(f"i{number}@campus.example" for number in range(4))]
        for name in names:
            wanted = {"mailbox": name, "key": "p256", "encryption_key": "p256"}
            served.post("/v1/identities", status=201, json=wanted)
        serials = [issued(served, f"s{number}@campus.example") for number in range(8)]
        keys = [added_key(served) for _ in range(2)]
        entries = [entry["id"] for entry in served.http.get("/v1/audit").json()["items"]]
        sealed = served.post(
            "/v1/encrypt", content=mail_to_sender(), headers={"Content-Type": "message/rfc822"}
        ).content
        yield World(served=served, serials=serials, identities=names, keys=keys, entries=entries, sealed=sealed)


def issued(served: Served, mailbox: str) -> str:
    answer = served.post(
        "/v1/certificates", status=201, content=csr(mailbox), headers={"Content-Type": "application/pkcs10"}
    )
    serial: str = answer.json()["serial"]
    return serial


def added_key(served: Served) -> str:
    answer = served.post("/v1/api-keys", status=201, json={"name": "k", "scopes": [], "mailboxes": []})
    key_id: str = answer.json()["id"]
    return key_id


def fit(case: Case, operation: str, world: World) -> None:
    """Make a drawn request one that the service can say yes to; the identity that signs is never ended."""
    spare = world.identities[1:] if operation in {"revoke_identity", "pause_identity"} else world.identities
    known = {"serial": world.serials, "mailbox": spare, "key_id": world.keys, "entry_id": world.entries}
    # What an operation uses up it gets new, so that the order of the operations does not matter.
    if operation == "revoke_certificate":
        known["serial"] = [issued(world.served, fresh())]
    if operation in {"delete_api_key", "rotate_api_key"}:
        known["key_id"] = [added_key(world.served)]
    path = case.path_parameters or {}
    case.path_parameters = {
        name: secrets.choice(known[name]) if name in known else value for name, value in path.items()
    }
    case.query = {}
    case.headers.clear()
    body = BODIES_THAT_FIT.get((operation, case.media_type))
    if body is not None:
        case.body = body(world)


def fresh() -> str:
    return f"n{secrets.token_hex(4)}@campus.example"


def mail_to_sender() -> bytes:
    return mail().replace(b"all@campus.example", SENDER.encode())


def as_base64(message: bytes) -> str:
    return base64.b64encode(message).decode()


BODIES_THAT_FIT: Final[dict[tuple[str, str | None], Callable[[World], Any]]] = {
    ("issue_certificate", "application/json"): lambda _: {"csr": csr(fresh(), encoding=Encoding.PEM).decode()},
    ("issue_certificate", "application/pkcs10"): lambda _: csr(fresh()),
    ("issue_with_key", "application/json"): lambda _: {"mailboxes": [fresh()], "key": "p256", "format": "modern"},
    ("add_identity", "application/json"): lambda _: {"mailbox": fresh(), "key": "p256", "encryption_key": "p256"},
    ("add_api_key", "application/json"): lambda _: {"name": "made", "scopes": ["messages:verify"], "mailboxes": []},
    ("revoke_certificate", "application/json"): lambda _: {"reason": "superseded"},
    ("revoke_identity", "application/json"): lambda _: {"reason": "superseded"},
    ("sign_message", "message/rfc822"): lambda _: mail(),
    ("sign_message", "application/json"): lambda _: {"message": as_base64(mail())},
    ("sign_message", "multipart/form-data"): lambda _: {"message": mail()},
    ("verify_message", "message/rfc822"): lambda _: mail(),
    ("verify_message", "application/json"): lambda _: {"message": as_base64(mail())},
    ("verify_message", "multipart/form-data"): lambda _: {"message": mail()},
    ("encrypt_message", "message/rfc822"): lambda _: mail_to_sender(),
    ("encrypt_message", "application/json"): lambda _: {"message": as_base64(mail()), "to": [SENDER]},
    ("encrypt_message", "multipart/form-data"): lambda _: {"message": mail_to_sender(), "sign": "true"},
    ("decrypt_message", "message/rfc822"): lambda world: world.sealed,
    ("decrypt_message", "application/json"): lambda world: {"message": as_base64(world.sealed)},
    ("decrypt_message", "multipart/form-data"): lambda world: {"message": world.sealed},
}


@pytest.mark.parametrize("operation", sorted(OPERATIONS))
def test_an_operation_keeps_its_promise_and_says_yes(operation: str, world: World) -> None:
    """No 500, no status, header or body that the description does not name; and a 2xx at least once."""
    found: set[int] = set()
    key = world.served.key_file.read_text().strip()

    @SOME
    @given(case=OPERATIONS[operation].as_strategy(), should_fit=st.booleans())
    def ask(case: Case, should_fit: bool) -> None:
        if should_fit:
            fit(case, operation, world)
        answer = case.call(base_url=world.served.url, headers={"Authorization": f"Bearer {key}"}, timeout=30)
        found.add(answer.status_code)
        assert answer.status_code < 500, answer.text
        # Wrong credentials are tried on every route elsewhere, and many of them from one network are slowed down.
        # What was made to fit is no longer what was drawn to be wrong.
        case.validate_response(
            answer, excluded_checks=[ignored_auth, *([negative_data_rejection] if should_fit else [])]
        )

    ask()
    assert any(200 <= status < 300 for status in found), found

"""After a day's work no secret and no text of a mail lies about: not in the database, its log, the logs or the folders."""

from __future__ import annotations

import base64
import re
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from sqlalchemy import text

from keys import pkcs12
from tests.database import Server, opened
from tests.mails import mail
from tests.served import Served, serve

RFC822 = {"Content-Type": "message/rfc822"}
# Files of the demo that hold a secret because that is what they are for; nobody else may read them.
OWN_PLACES = {"admin.key", "kek", "root.key"}
PARAGRAPH = "the marks of the winter term will be told on the ninth floor"


def forms(name: str, secret: bytes) -> dict[str, bytes]:
    """The forms in which a secret could lie about; base64 depends on where in a stream it begins."""
    encoded = {f"{name} as base64 at {shift}": _base64(secret, shift=shift) for shift in range(3)}
    return {name: secret, f"{name} in hexadecimal": secret.hex().encode(), **encoded}


def _base64(secret: bytes, *, shift: int) -> bytes:
    whole = base64.b64encode(b"\0" * shift + secret)
    return whole[4:-4]


class Secrets:
    """What went through the service and must not be found."""

    def __init__(self) -> None:
        self.forms: dict[str, bytes] = {}

    def add(self, name: str, secret: str | bytes) -> None:
        octets = secret.encode() if isinstance(secret, str) else secret
        assert len(octets) >= 16, name
        self.forms |= forms(name, octets)

    def found_in(self, content: bytes) -> list[str]:
        return [name for name, form in self.forms.items() if form in content]


def work(served: Served, secrets: Secrets) -> None:
    """Everything that takes or gives a secret or a text, once and in several ways."""
    secrets.add("the admin key", served.key_file.read_text().strip())
    secrets.add("the KEK", (served.data / "kek").read_text().strip())
    hand_over(served, secrets)
    make_keys(served, secrets)
    exchange_mail(served, secrets)
    exchange_sealed_mail(served, secrets)
    ask_for_a_certificate(served, secrets)


def hand_over(served: Served, secrets: Secrets) -> None:
    for number, form in enumerate(("modern", "compatible")):
        wanted = {"mailboxes": [f"h{number}@campus.example"], "key": "p256", "format": form}
        made = served.post("/v1/certificates/pkcs12", status=201, json=wanted).json()
        secrets.add(f"the passphrase of {form}", made["passphrase"])
        key, _, _ = pkcs12.read_pkcs12(base64.b64decode(made["pkcs12"]), made["passphrase"])
        der = key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
        # What follows holds the public key too, which may lie about.
        secrets.add(f"the key of {form}", der[36:68])


def make_keys(served: Served, secrets: Secrets) -> None:
    made = served.post(
        "/v1/api-keys", status=201, json={"name": "traces", "scopes": ["messages:verify"], "mailboxes": []}
    ).json()
    secrets.add("an API key", made["key"])
    rotated = served.post(f"/v1/api-keys/{made['id']}/rotation", status=201).json()
    secrets.add("its successor", rotated["key"])
    wrong = "ms_live_" + "W" * 43 + "wrong"
    served.http.get("/v1/me", headers={"Authorization": f"Bearer {wrong}"})
    secrets.add("a wrong API key", wrong)


def exchange_mail(served: Served, secrets: Secrets) -> None:
    secrets.add("the text of a mail", PARAGRAPH)
    secrets.add("the subject of a mail", "Sommerfest am Steilufer")
    wanted = {"mailbox": "notices@campus.example", "key": "p256", "encryption_key": "rsa2048"}
    served.post("/v1/identities", status=201, json=wanted)
    letter = mail(f"\n{PARAGRAPH}\n".encode()).replace(b"Subject: Library", b"Subject: Sommerfest am Steilufer")
    large = letter + f"{PARAGRAPH}\n".encode() * 60_000
    for one in (letter, large):
        signed = served.sign(one)
        assert served.verify(signed)["verdict"] == "valid"
        served.post("/v1/sign", files={"message": one})
        served.post("/v1/sign", json={"message": base64.b64encode(one).decode()})
    served.http.post("/v1/sign", content=letter.replace(b"notices@", b"nobody@"), headers=RFC822)
    served.http.post("/v1/verify", content=letter.replace(b"From:", b"From"), headers=RFC822)
    served.http.post("/v1/sign", content=PARAGRAPH.encode(), headers={"Content-Type": "text/plain"})


def exchange_sealed_mail(served: Served, secrets: Secrets) -> None:
    """Sealed with and without a signature, opened, altered and not opened; what is small and what is large."""
    letter = mail(f"\n{PARAGRAPH}\n".encode()).replace(b"all@campus.example", b"notices@campus.example")
    for one in (letter, letter + f"{PARAGRAPH}\n".encode() * 60_000):
        for query in ({}, {"sign": "true"}):
            sealed = served.post("/v1/encrypt", content=one, params=query, headers=RFC822).content
            opened_again = served.post("/v1/decrypt", content=sealed, headers=RFC822).content
            assert PARAGRAPH.encode() in opened_again
        lines = sealed.split(b"\r\n")
        for place in (-3, 20):
            altered = b"\r\n".join([*lines[:place], lines[place][::-1], *lines[place:][1:]])
            assert served.http.post("/v1/decrypt", content=altered, headers=RFC822).status_code < 500


def ask_for_a_certificate(served: Served, secrets: Secrets) -> None:
    """By the page, the letter and its link; the demo's letter itself lies in its folder, as the relay would have it."""
    address = "kim@campus.example"
    asked = served.post("/enrol", data={"address": address}, headers={"Sec-Fetch-Site": "same-origin"})
    assert "letter" in asked.text
    token = token_of(served, address)
    secrets.add("the token of a link", token)
    browser = httpx.Client(base_url=served.url, trust_env=False, follow_redirects=True)
    with browser:
        browser.get(f"/enrol/{token}")
        secrets.add("the secret of a browser", browser.cookies["mailseal"])
        form = {"Sec-Fetch-Site": "same-origin", "Content-Type": "application/x-www-form-urlencoded"}
        shown = browser.post(f"/enrol/{token}/open", headers=form)
        assert shown.status_code == 200, shown.text
        assert address in shown.text
        secrets.add("the secret of a session", browser.cookies["mailseal"])


def token_of(served: Served, address: str) -> str:
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        for path in (served.data / "outbox").glob("*"):
            letter = path.read_bytes()
            found = re.search(rb"/enrol/([A-Za-z0-9_-]{22})", letter.replace(b"=\r\n", b""))
            if found is not None and address.encode() in letter:
                return found.group(1).decode()
        time.sleep(0.2)
    raise AssertionError("no letter came")


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path / 'data' / 'mailseal.db'}"
    else:
        server: Server = request.getfixturevalue("postgresql_server")
        with server.database() as url:
            yield url


def test_no_secret_and_no_text_lies_about(database_url: str, tmp_path: Path) -> None:
    secrets = Secrets()
    (tmp_path / "tmp").mkdir()
    with serve(
        tmp_path, MAILSEAL_DATABASE_URL=database_url, MAILSEAL_LOG_LEVEL="debug", TMPDIR=str(tmp_path / "tmp")
    ) as served:
        work(served, secrets)
        # While it serves: the write-ahead log of SQLite goes when it ends.
        assert traces(tmp_path, database_url, secrets) == []
    assert traces(tmp_path, database_url, secrets) == []


def traces(folder: Path, database_url: str, secrets: Secrets) -> list[str]:
    """Where something was found: in a file below the folder, or in a row of PostgreSQL."""
    files = [path for path in sorted(folder.rglob("*")) if path.is_file() and not is_own_place(path)]
    assert [path.name for path in files if path.name == "log"]
    found = [f"{name} in {path}" for path in files for name in secrets.found_in(path.read_bytes())]
    if database_url.startswith("postgresql"):
        found += [f"{name} in a row" for name in secrets.found_in(every_row(database_url))]
    return found


def is_own_place(path: Path) -> bool:
    """Where a secret may be: a file made for it, and a letter on its way, which nobody else may read either."""
    if path.name not in OWN_PLACES and path.parent.name != "outbox":
        return False
    assert path.stat().st_mode & 0o077 == 0, path
    return True


def every_row(url: str) -> bytes:
    """All rows of all tables: bytes as they are, everything else as text."""
    pieces: list[bytes] = []
    with opened(url) as database, database.read() as read:
        names = read.connection.execute(text("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")).scalars()
        for name in list(names):
            for row in read.connection.execute(text(f'SELECT * FROM "{name}"')):
                pieces += [value if isinstance(value, bytes) else str(value).encode() for value in row]
    assert pieces
    return b"\n".join(pieces)


def test_what_lies_about_is_found() -> None:
    """Otherwise the search would prove nothing."""
    secrets = Secrets()
    secrets.add("a word", "sixteen letters!")
    for content in (b"xx sixteen letters! xx", b"sixteen letters!".hex().encode()):
        assert secrets.found_in(content) != []
    for shift in range(3):
        assert secrets.found_in(base64.b64encode(b"y" * shift + b"sixteen letters!" + b"z" * 9)) != []
    assert secrets.found_in(b"sixteen letter") == []

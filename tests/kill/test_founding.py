"""A kill at each step of founding: never two roots, never half a CA, and the next attempt completes it."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import cache
from pathlib import Path

from db import api_keys, authorities, crls
from db.authorities import AuthorityRow
from formats.algorithms import KeyKind, spki_der
from formats.certificate import Certificate
from keys import software
from services import credential, jobs, publication, start
from tests.campus import demo_settings
from tests.database import opened
from tests.fakes import FakeClock
from tests.kill.mortal import Deed, carry_out, later

# In their order: an attempt that is killed at one gets to the next one in the attempt after.
FILES_AND_CA = (
    "preparing the database",
    "making the root key, RSA-4096 (a second or two)",
    "_write_draft root",
    "_write root",
    "_write_draft admin",
    "_write admin",
    "making the campus root and its issuing CA",
    "before founding._make 1",
)
JOBS = (
    "after founding._make 1",
    "before jobs.enter 1",
    "after jobs.enter 1",
    "before jobs.run_due 1",
    "after jobs.run_due 1",
    "before publication.publish_crl 1",
    "after publication.publish_crl 1",
    "before intents.issue_together 1",
    "after intents.issue_together 1",
    "before intents.issue_together 2",
    "after intents.issue_together 2",
    "before jobs._run 1",
    "after jobs._run 1",
)
NOW = datetime(2026, 3, 2, 8, 30, tzinfo=UTC)
ROOT_KEYS, ISSUING_KEYS = 3, 3


@cache
def pool() -> dict[str, bytes]:
    """RSA keys made ahead, more of them than are needed if none is made twice."""
    wanted = [(KeyKind.RSA4096, ROOT_KEYS), (KeyKind.RSA3072, ISSUING_KEYS)]
    return {
        f"{kind.value}-{number}": software.to_pkcs8(software.generate(kind))
        for kind, count in wanted
        for number in range(count)
    }


def rows_of(url: str) -> list[AuthorityRow]:
    with opened(url) as database, database.read() as read:
        return authorities.all_(read)


def test_killed_anywhere_and_repeated_there_is_one_whole_ca(empty_database_url: str, tmp_path: Path) -> None:
    (tmp_path / "pool").mkdir()
    for name, key in pool().items():
        (tmp_path / "pool" / name).write_bytes(key)
    data = tmp_path / "data"

    def attempt(points: tuple[str, ...], *, first: int) -> list[bool]:
        # A minute between two attempts, so that the lease of the killed one has run out.
        deeds = [
            Deed(
                verb="found",
                point=point,
                url=empty_database_url,
                folder=str(tmp_path),
                now=later(NOW, first + number),
            )
            for number, point in enumerate(points)
        ]
        return [end.killed for end in carry_out(deeds)]

    # (1) before the founding is committed there are files, and no CA
    assert all(attempt(FILES_AND_CA, first=0))
    assert rows_of(empty_database_url) == []
    root_key_file = (data / "root.key").read_bytes()
    # (2) once it is committed, the CA stays as it is
    assert all(attempt(JOBS[:1], first=20))
    founded = rows_of(empty_database_url)
    assert [row.id for row in founded] == ["root", "g1"]
    assert all(attempt(JOBS[1:], first=40))
    # (3) the next attempt completes it, and the one after has nothing to do
    assert attempt(("never", "never"), first=80) == [False, False]
    assert rows_of(empty_database_url) == founded
    # (4) one root key was made, and it is the root's
    assert (data / "root.key").read_bytes() == root_key_file
    made = software.read_pem_private(root_key_file, None)
    assert Certificate.from_der(founded[0].certificate).spki == spki_der(made.public_key())
    # Killed while the file was being written, the key in it was lost before it had signed anything.
    assert len(list((tmp_path / "pool").glob("rsa4096-*"))) == ROOT_KEYS - 2
    assert sorted(path.name for path in data.iterdir() if "mailseal.db" not in path.name) == [
        "DEMO-DO-NOT-TRUST",
        "admin.key",
        "kek",
        "root.key",
    ]
    assert_it_works(empty_database_url, data)


def assert_it_works(url: str, data: Path) -> None:
    """The first key counts, status can be told, CRL numbers have no gap, and no intent is left open."""
    clock = FakeClock(datetime.fromisoformat(later(NOW, 90)))
    context = start.open_context(demo_settings(data, MAILSEAL_DATABASE_URL=url), demo=True, clock=clock)
    try:
        jobs.run_due(context, holder="test")
        assert publication.is_ready(context)
        with context.database.read() as read:
            admin = api_keys.find_with_lineage(read, credential.hash_of((data / "admin.key").read_text().strip()))
            assert admin is not None
            assert admin[0].expires_at is None
            assert crls.last_number(read, "root") == 6
            states = read.connection.exec_driver_sql("SELECT state, count(*) FROM certificates GROUP BY state").all()
        assert {state for state, _ in states} == {"issued", "settled"}
    finally:
        start.close_context(context)

from __future__ import annotations

import asyncio
import html
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
from starlette.types import Message, Scope

from api.app import create_app, is_ready
from db.engine import Database
from services import publication
from services.words.problems import TITLES
from tests.api.door import RFC822, Door, door_of, refused
from tests.campus import campus_on


def test_ready_once_there_are_a_crl_and_a_delegate(door: Door) -> None:
    stranger = door.with_key(None)
    answer = stranger.get("/readyz")
    assert (answer.status_code, answer.json()) == (503, {"status": "not_ready"})
    door.campus.run_jobs()
    answer = stranger.get("/readyz")
    assert (answer.status_code, answer.json()) == (200, {"status": "ready"})
    assert publication.is_ready(door.campus.context)


def test_not_ready_while_the_crl_is_too_old(door: Door) -> None:
    door.campus.run_jobs()
    door.campus.clock.advance(timedelta(days=3))
    assert door.with_key(None).get("/readyz").status_code == 503


def test_not_ready_without_its_database(tmp_path: Path, door: Door) -> None:
    with door.campus.context.database.write() as write:
        write.connection.exec_driver_sql("ALTER TABLE crls RENAME TO gone")
    assert not is_ready(door.campus.context)


def test_page_at_the_root_shows_lines_and_fingerprint(door: Door) -> None:
    text = html.unescape(door.with_key(None).get("/").text)
    key_file = (door.campus.context.settings.data / "admin.key").resolve()
    assert key_file.is_absolute()
    assert f"KEY=$(cat {key_file})" in text
    root = door.campus.context.issuers.root.sha256.upper()
    assert " ".join(root[index : index + 2] for index in range(0, 64, 2)) in text
    assert "This is a demo" in text


def test_every_problem_has_its_page_and_title(door: Door) -> None:
    stranger = door.with_key(None)
    listed = stranger.get("/problems").text
    for code, title in list(TITLES.items())[::7]:
        page = stranger.get(f"/problems/{code}")
        assert page.status_code == 200, code
        assert html.escape(title, quote=False) in html.unescape(page.text) or title in html.unescape(page.text)
        assert code in listed
    refused(door.get("/v1/nothing"), "route_not_found", 404)


def test_revocation_is_in_ocsp_at_once_and_in_the_crl_with_the_next_job(door: Door) -> None:
    door.campus.run_jobs()
    made = door.identity()
    before = door.get("/crl/g1.crl").content
    door.made(f"/v1/certificates/{made['serial']}/revocation", json={"reason": "keyCompromise"})
    door.campus.run_jobs()
    after = door.get("/crl/g1.crl").content
    serial = bytes.fromhex(made["serial"])
    assert serial not in before
    assert serial in after


def test_failure_of_the_database_is_a_problem(door: Door) -> None:
    with door.campus.context.database.write() as write:
        write.connection.exec_driver_sql("ALTER TABLE identities RENAME TO gone")
    found = refused(door.post("/v1/sign", content=door.mail(), headers=RFC822), "schema_not_at_head", 503)
    assert "identities" not in str(found)


# --- the lifespan -----------------------------------------------------------------------------------------------------
async def through_a_life(app: Any, during: Any) -> list[str]:
    """Start the application, do something, and stop it, as a server does."""
    to_app: asyncio.Queue[Message] = asyncio.Queue()
    said: list[str] = []
    started = asyncio.Event()

    async def send(message: Message) -> None:
        said.append(message["type"])
        started.set()

    scope: Scope = {"type": "lifespan", "asgi": {"version": "3.0"}, "state": {}}
    serving = asyncio.create_task(app(scope, to_app.get, send))
    await to_app.put({"type": "lifespan.startup"})
    await started.wait()
    await during()
    await to_app.put({"type": "lifespan.shutdown"})
    await serving
    return said


def test_jobs_run_while_it_serves_and_all_is_closed_at_its_end(database: Database, tmp_path: Path) -> None:
    with campus_on(database, tmp_path) as campus:
        app = create_app(campus.context, titles=TITLES)

        async def until_ready() -> None:
            async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://x.example") as client:
                async with asyncio.timeout(30):
                    while (await client.get("/readyz")).status_code != 200:  # noqa: ASYNC110  # as a load balancer asks
                        await asyncio.sleep(0.01)

        said = asyncio.run(through_a_life(app, until_ready))
        assert said == ["lifespan.startup.complete", "lifespan.shutdown.complete"]
        assert not campus.context.journal._thread.is_alive()


def test_door_of_production_shows_no_path(door: Door) -> None:
    context = door.campus.context
    campus = replace(context.issuers.campus, demo=False)
    real = replace(door.campus, context=replace(context, issuers=replace(context.issuers, campus=campus)))
    text = html.unescape(door_of(real).with_key(None).get("/").text)
    assert "KEY=$(cat admin.key)" in text
    assert str(context.settings.data) not in text
    assert "This is a demo" not in text

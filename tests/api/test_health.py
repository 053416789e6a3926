from __future__ import annotations

import threading

import pytest

from api.assembly import Parts, assemble
from tests.api.made_up import MADE, SITE, Client, application


@pytest.mark.parametrize("ready", [True, False])
def test_alive_says_nothing_of_ready(ready: bool) -> None:
    response = Client(application(ready=ready)).get("/healthz")
    assert (response.status_code, response.json()) == (200, {"status": "ok"})


def test_ready() -> None:
    response = Client(application(ready=True)).get("/readyz")
    assert (response.status_code, response.json()) == (200, {"status": "ready"})


def test_not_ready_says_only_that() -> None:
    response = Client(application(ready=False)).get("/readyz")
    assert (response.status_code, response.json()) == (503, {"status": "not_ready"})


def test_ready_needs_no_thread() -> None:
    here = threading.get_ident()
    parts = Parts(
        site=SITE, routers=[], context=None, is_ready=lambda: threading.get_ident() == here, home=lambda: MADE
    )
    assert Client(assemble(parts)).get("/readyz").json() == {"status": "ready"}

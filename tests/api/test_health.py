from __future__ import annotations

import pytest

from tests.api.made_up import Client, application


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

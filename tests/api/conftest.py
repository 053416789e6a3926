from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import structlog

from tests.api.made_up import Client, application


@pytest.fixture
def client() -> Client:
    return Client(application())


@pytest.fixture(autouse=True)
def logged() -> Iterator[list[dict[str, Any]]]:
    with structlog.testing.capture_logs(processors=[structlog.contextvars.merge_contextvars]) as entries:
        yield entries  # type: ignore[misc]  # structlog's entries are mutable mappings

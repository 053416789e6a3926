from __future__ import annotations

from api import description
from api.assembly import bare
from api.routers import ROUTERS
from services.authority import SCOPES
from tests.api.test_access_matrix import TABLE


def test_description_names_the_scopes_that_the_calls_really_ask_for() -> None:
    """The table of the access matrix is what was tried; a call that asks for more by what it is sent stands first as it is."""
    tried: dict[tuple[str, str], list[str]] = {}
    for entry in TABLE:
        method, path = entry.route
        tried.setdefault((path.replace(":path}", "}"), method.lower()), list(entry.scopes))
    # For others' entries; every key reads its own.
    tried["/v1/audit/{entry_id}", "get"] = []
    named = {
        (path, method): [scope for one in operation["security"] for scope in one["apiKey"]]
        for path, methods in description.describe(bare(ROUTERS))["paths"].items()
        for method, operation in methods.items()
        if operation["security"]
    }
    assert named == tried
    assert {scope for scopes in named.values() for scope in scopes} <= set(SCOPES)

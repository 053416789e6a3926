"""Who may do what: the scopes, and for each operation the scope it needs and whether mailboxes bound it.

The matrix is data; one test walks it over all routes. What is not in it is refused.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

SCOPES: Final[tuple[str, ...]] = (
    "certificates:read",
    "certificates:issue",
    "certificates:revoke",
    "messages:sign",
    "messages:verify",
    "messages:verify-custom",
    "messages:encrypt",
    "messages:decrypt",
    "messages:send",
    "identities:manage",
    "recipients:read",
    "audit:read",
    "people:manage",
    "admin",
)


@dataclass(frozen=True, slots=True)
class Rule:
    """`scope` None: any live key may. `bound`: only for mailboxes that the key covers, in what it names and reads."""

    scope: str | None
    bound: bool


MATRIX: Final[Mapping[str, Rule]] = MappingProxyType(
    {
        "me.show": Rule(None, bound=False),
        "certificates.issue": Rule("certificates:issue", bound=True),
        "certificates.list": Rule("certificates:read", bound=True),
        "certificates.show": Rule("certificates:read", bound=True),
        "certificates.revoke": Rule("certificates:revoke", bound=True),
        "identities.add": Rule("identities:manage", bound=True),
        "identities.list": Rule("identities:manage", bound=True),
        "identities.show": Rule("identities:manage", bound=True),
        "identities.renew": Rule("identities:manage", bound=True),
        "identities.pause": Rule("identities:manage", bound=True),
        "identities.revoke": Rule("identities:manage", bound=True),
        "messages.sign": Rule("messages:sign", bound=True),
        "messages.verify": Rule("messages:verify", bound=False),
        "messages.verify_custom": Rule("messages:verify-custom", bound=False),
        "messages.encrypt": Rule("messages:encrypt", bound=False),
        "messages.decrypt": Rule("messages:decrypt", bound=True),
        "recipients.list": Rule("recipients:read", bound=False),
        "api_keys.manage": Rule("admin", bound=False),
        # Without audit:read a key sees what itself and its predecessors in rotation did; services/audit narrows it.
        "audit.own": Rule(None, bound=False),
        "audit.all": Rule("audit:read", bound=False),
    }
)

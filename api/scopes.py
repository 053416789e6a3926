"""Scopes that a call needs, for its description; whether it gets through is decided by the services alone."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from services.authority import MATRIX

# What each call asks the matrix for, by operation id; tests hold it against what the calls really let through.
_ASKED: Final[Mapping[str, str]] = MappingProxyType(
    {
        "sign_message": "messages.sign",
        "verify_message": "messages.verify",
        "encrypt_message": "messages.encrypt",
        "decrypt_message": "messages.decrypt",
        "list_recipient_certificates": "recipients.list",
        "add_identity": "identities.add",
        "list_identities": "identities.list",
        "show_identity": "identities.show",
        "renew_identity": "identities.renew",
        "pause_identity": "identities.pause",
        "resume_identity": "identities.pause",
        "revoke_identity": "identities.revoke",
        "issue_certificate": "certificates.issue",
        "issue_with_key": "certificates.issue",
        "list_certificates": "certificates.list",
        "show_certificate": "certificates.show",
        "revoke_certificate": "certificates.revoke",
        "add_api_key": "api_keys.manage",
        "list_api_keys": "api_keys.manage",
        "show_api_key": "api_keys.manage",
        "delete_api_key": "api_keys.manage",
        "rotate_api_key": "api_keys.manage",
    }
)


def scopes_of(operation_id: str) -> tuple[str, ...]:
    """The scopes without which the call is refused; none where any key may call."""
    rule = MATRIX.get(_ASKED.get(operation_id, ""))
    return () if rule is None or rule.scope is None else (rule.scope,)

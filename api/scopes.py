"""Scopes: what each is for and which one a call needs, for the description; who gets through, the services decide."""

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

WORDS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "certificates:read": "List and show certificates",
        "certificates:issue": "Issue certificates",
        "certificates:revoke": "Revoke certificates",
        "messages:sign": "Sign messages, also before they are encrypted",
        "messages:verify": "Verify messages",
        "messages:verify-custom": "Verify with anchors, intermediates, CRLs, a time or options of one's own",
        "messages:encrypt": "Encrypt messages",
        "messages:decrypt": "Decrypt messages",
        "messages:send": "Nothing yet: no call asks for it",
        "identities:manage": "Add, show, renew, pause and revoke the identities that sign and decrypt here",
        "recipients:read": "Ask for the certificates of a recipient",
        "audit:read": "Read the whole record; without it a key reads what itself and its predecessors in rotation did",
        "people:manage": "Nothing yet: no call asks for it",
        "admin": "Add, show, rotate and delete API keys; the requests of such a key a minute are not limited",
    }
)


def scopes_of(operation_id: str) -> tuple[str, ...]:
    """The scopes without which the call is refused; none where any key may call."""
    rule = MATRIX.get(_ASKED.get(operation_id, ""))
    return () if rule is None or rule.scope is None else (rule.scope,)

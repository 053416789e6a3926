"""The lines to paste into a shell: sign a message, verify it, revoke the key, see the verdict change."""

from __future__ import annotations

import shlex

# What explains a step is an argument of the command that does nothing: to zsh, as people use it, # is no comment.
_LINES = r"""
: Paste these lines into a shell, as often as you like.
URL={url}; KEY=$(cat {key_file})
: 1. an identity, the mailbox of a department with its keys, kept by Mailseal
curl -sS "$URL/v1/identities" -H "Authorization: Bearer $KEY" -H 'Content-Type: application/json' \
     -d '{{"mailbox": "notices@{domain}"}}' -o identity.json
: 2. a message of today, signed
printf 'From: Notices <notices@{domain}>\nTo: all@{domain}\nSubject: Library\nDate: %s\n\nClosed on Friday.\n' \
     "$(LC_ALL=C date '+%a, %d %b %Y %H:%M:%S %z')" > notice.eml
curl -sS "$URL/v1/sign" -H "Authorization: Bearer $KEY" -H 'Content-Type: message/rfc822' \
     --data-binary @notice.eml -o signed.eml
: 3. its verdict, then that of an altered copy, then that of one with a forged sender
curl -sS "$URL/v1/verify" -H "Authorization: Bearer $KEY" -H 'Content-Type: message/rfc822' \
     -H 'Accept: text/plain' --data-binary @signed.eml
sed 's/Friday/Monday/' signed.eml | curl -sS "$URL/v1/verify" -H "Authorization: Bearer $KEY" \
     -H 'Content-Type: message/rfc822' -H 'Accept: text/plain' --data-binary @-
sed 's/notices@/president@/' signed.eml | curl -sS "$URL/v1/verify" -H "Authorization: Bearer $KEY" \
     -H 'Content-Type: message/rfc822' -H 'Accept: text/plain' --data-binary @-
"""
_END = r"""
: 4. the key is stolen, so revoke it and ask again
curl -sS "$URL/v1/identities/notices@{domain}/revocation" -H "Authorization: Bearer $KEY" \
     -H 'Content-Type: application/json' -d '{{"reason": "keyCompromise"}}' -o revoked.json
curl -sS "$URL/v1/verify" -H "Authorization: Bearer $KEY" -H 'Content-Type: message/rfc822' \
     -H 'Accept: text/plain' --data-binary @signed.eml
: 5. new keys, so that the department can sign again
curl -sS -X POST "$URL/v1/identities/notices@{domain}/renewal" -H "Authorization: Bearer $KEY" -o identity.json
"""


def lines(url: str, *, key_file: str, domain: str = "campus.example", is_demo: bool = True) -> str:
    """The lines for the service at this URL, with the API key in this file; only the demo's end with a revocation."""
    text = _LINES.strip() + (f"\n{_END.strip()}" if is_demo else "")
    return text.format(url=shlex.quote(url), key_file=shlex.quote(key_file), domain=domain)

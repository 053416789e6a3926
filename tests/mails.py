"""Messages of the shapes that mail comes in."""

from __future__ import annotations

from datetime import UTC, datetime
from email.utils import format_datetime

SENDER = "notices@campus.example"

_NESTED = b"""Content-Type: multipart/mixed; boundary="outer"

--outer
Content-Type: multipart/alternative; boundary="inner"

--inner
Content-Type: text/plain; charset=utf-8
Content-Transfer-Encoding: 8bit

\xe5\xad\xb8\xe7\x94\x9f

--inner
Content-Type: text/html; charset=us-ascii

<p>students</p>
--inner--
--outer
Content-Type: application/octet-stream; name="list.bin"
Content-Transfer-Encoding: base64
Content-Disposition: attachment; filename="list.bin"

AAECAwQFBgcICQoLDA0ODw==
--outer--
"""

BODIES = {
    "plain": b"\nThe library is closed on Friday.\n",
    "utf8": b"Content-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: 8bit\n\nGr\xc3\xbc\xc3\x9fe, \xe4\xbd\xa0\xe5\xa5\xbd\n",
    "nested": _NESTED,
    "trailing_blanks": b"\nblanks   \nand a tab\t\n\n\n",
    "from_line": b"\nFrom here it begins.\n.\nFrom there too.\n..\n",
    "long_line": b"\n" + b"word " * 400 + b"\n",
    "empty": b"\n",
    "no_final_newline": b"\nends abruptly",
}


def mail(
    body: bytes = BODIES["plain"], *, sender: str = SENDER, at: datetime | None = None, crlf: bool = False
) -> bytes:
    """A message of today from this sender."""
    date = format_datetime(at or datetime.now(UTC))
    head = (
        f"From: {sender}\nTo: all@campus.example\nSubject: Library\nDate: {date}\n"
        f"Message-ID: <1@campus.example>\nMIME-Version: 1.0\n"
    )
    message = head.encode() + body
    return message.replace(b"\n", b"\r\n") if crlf else message

"""What can be wrong with CMS bytes.

Refusal
├── Malformed
│   └── CmsMalformed     not CMS, or not of the shape that RFC 5652 gives it
├── TooLarge
│   └── CmsTooLarge      more signers, certificates or attributes than we are willing to read
└── Unacceptable
    └── ContentRefused   content that must never be signed
"""

from __future__ import annotations

from typing import ClassVar

from formats.errors import Malformed, TooLarge, Unacceptable


class CmsMalformed(Malformed):
    """The bytes are not CMS, or not of the shape that RFC 5652 gives it."""

    code: ClassVar[str] = "cms_malformed"
    hint: ClassVar[str] = "send the message as it was received, whole and unchanged"


class CmsTooLarge(TooLarge):
    """More signers, certificates or attributes than we are willing to read."""

    code: ClassVar[str] = "cms_too_large"
    hint: ClassVar[str] = "send a message with fewer signers and certificates"


class ContentRefused(Unacceptable):
    """Content that must never be signed, since its signature would be good for something else."""

    code: ClassVar[str] = "content_refused"
    hint: ClassVar[str] = "send a mail, not an encoded structure"

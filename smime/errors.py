"""What can be wrong with a message, before any signature is looked at.

Refusal
├── Malformed
│   ├── MessageMalformed   not a mail, or its structure can be read in more than one way
│   └── FieldMalformed     a header field that does not follow its grammar
├── TooLarge
│   ├── MessageTooLarge    more octets than the limit
│   ├── HeaderTooLarge     a header, or one field of it, beyond its limit
│   ├── TooManyParts       more MIME parts than we are willing to read
│   └── NestedTooDeep      parts within parts within parts
└── Unacceptable
    ├── FromAbsent         no sender
    ├── FromAmbiguous      several senders, or several From fields
    ├── FromUnparseable    a sender that cannot be read without guessing
    ├── DateRefused        no moment, or one too far from now
    ├── AlreadySigned      a message that is signed as it is
    ├── RootNotAllowed     a root whose signature would be good for something else
    ├── PartNotSafe        a part that would not survive the way, and may not be encoded anew
    └── NotEncrypted       a message that is not sealed as a whole
"""

from __future__ import annotations

from typing import ClassVar

from formats.errors import Malformed, TooLarge, Unacceptable


class MessageMalformed(Malformed):
    """Not a mail, or one whose structure can be read in more than one way."""

    code: ClassVar[str] = "message_malformed"
    hint: ClassVar[str] = "send one whole mail: header fields, a blank line, the body, with every multipart closed"


class FieldMalformed(Malformed):
    """A header field that does not follow its grammar."""

    code: ClassVar[str] = "field_malformed"
    hint: ClassVar[str] = "write the field as RFC 5322 and RFC 2045 do, with quotes around what is not plain"


class MessageTooLarge(TooLarge):
    """More octets than the limit for messages."""

    code: ClassVar[str] = "message_too_large"
    hint: ClassVar[str] = "send a smaller message, or put the large attachment elsewhere"


class HeaderTooLarge(TooLarge):
    """A header, or one field of it, beyond its limit."""

    code: ClassVar[str] = "header_too_large"
    hint: ClassVar[str] = "send fewer and shorter header fields"


class TooManyParts(TooLarge):
    """More MIME parts than we are willing to read."""

    code: ClassVar[str] = "too_many_parts"
    hint: ClassVar[str] = "send fewer attachments, or one archive of them"


class NestedTooDeep(TooLarge):
    """Parts within parts, deeper than we are willing to follow."""

    code: ClassVar[str] = "nested_too_deep"
    hint: ClassVar[str] = "send the attachments side by side instead of within each other"


class FromAbsent(Unacceptable):
    """The message names no sender."""

    code: ClassVar[str] = "from_absent"
    hint: ClassVar[str] = "add a From field with one mailbox"


class FromAmbiguous(Unacceptable):
    """The message has several From fields, or names several senders."""

    code: ClassVar[str] = "from_ambiguous"
    hint: ClassVar[str] = "name exactly one mailbox in exactly one From field"


class FromUnparseable(Unacceptable):
    """The sender cannot be read without guessing."""

    code: ClassVar[str] = "from_unparseable"
    hint: ClassVar[str] = 'write From as "Name" <mailbox@domain>, with quotes around a name that holds more than words'


class DateRefused(Unacceptable):
    """Date is no moment, or one too far from now: mail programs then distrust the signature."""

    code: ClassVar[str] = "date_refused"
    hint: ClassVar[str] = "send the message with the present time in Date, without Date, or with date=now"


class AlreadySigned(Unacceptable):
    """The message is signed as it is."""

    code: ClassVar[str] = "already_signed"
    hint: ClassVar[str] = "send the message without its signature, or as an attachment of a new one"


class RootNotAllowed(Unacceptable):
    """A root type whose signature would be good for something other than this message."""

    code: ClassVar[str] = "root_not_allowed"
    hint: ClassVar[str] = "put the content inside a multipart/mixed, without hp or protected-headers parameters"


class PartNotSafe(Unacceptable):
    """A part that would not survive the way, and may not be encoded anew."""

    code: ClassVar[str] = "part_not_safe"
    hint: ClassVar[str] = "make every part 7-bit: base64 or quoted-printable bodies, ASCII header fields, short lines"


class NotEncrypted(Unacceptable):
    """The message is not sealed as a whole."""

    code: ClassVar[str] = "not_encrypted"
    hint: ClassVar[str] = (
        "send the sealed message itself, as it was received; a sealed attachment is a message of its own"
    )

"""What goes wrong on the way out, without an address, a credential or a word of the other side in it.

Refusal
├── Unacceptable
│   ├── LetterRefused         the relay will never take this letter
│   └── AddressNotCarried     the address is not ASCII, and the relay carries only such
└── NotReady
    ├── RelayUnreachable      no connection, or it broke, or no answer that can be read
    ├── RelayUnwilling        the relay will have nothing to do with us, or we not with it
    ├── RelayDefers           the relay asks us to come again later
    └── OutboxFolderClosed    the folder for letters cannot be written

Exception
└── Stopped                   this process ends, and nothing more is begun
"""

from __future__ import annotations

from formats.errors import NotReady, Unacceptable


class LetterRefused(Unacceptable):
    """The relay refused the recipient or the content for good; the detail holds its number and nothing of its text."""

    code = "letter_refused"
    hint = "check that the mailbox exists; the relay's own log says why"


class AddressNotCarried(Unacceptable):
    """The address has letters outside ASCII, and the relay does not offer SMTPUTF8 (RFC 6531)."""

    code = "address_not_carried"
    hint = "use a relay that offers SMTPUTF8, or an address in ASCII"


class RelayUnreachable(NotReady):
    """The relay cannot be reached, does not answer in time, hangs up, or answers what is not SMTP."""

    code = "relay_unreachable"
    hint = "check MAILSEAL_SMTP_URL and that the relay runs; letters wait meanwhile"


class RelayUnwilling(NotReady):
    """The relay refuses the connection, the credentials or the sender, or its TLS is not what was asked for."""

    code = "relay_unwilling"
    hint = "check MAILSEAL_SMTP_URL, its credentials and MAILSEAL_MAIL_FROM against the relay; letters wait meanwhile"


class RelayDefers(NotReady):
    """The relay cannot take the letter at present."""

    code = "relay_defers"
    hint = "wait; the letter is sent again by itself, and the relay's own log says why"


class OutboxFolderClosed(NotReady):
    """The folder for letters cannot be written."""

    code = "outbox_folder_closed"
    hint = "let this account write the folder `outbox` in the data folder, and free space there"


class Stopped(Exception):
    """The process ends: the letter was not handed over, or nobody waits for the answer any longer."""

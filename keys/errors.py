"""What goes wrong with keys, the files they come in, and the key-encryption key (KEK) that seals them.

Refusal
├── Malformed
│   └── KeyFileMalformed     a key file or PKCS#12 file that cannot be read
├── TooLarge
│   └── KeyFileTooLarge      more octets, or more work to decrypt, than we are willing to spend
├── Unacceptable
│   ├── KeyKindRefused       a readable key of a kind that is not used here
│   ├── PassphraseWrong      the passphrase is missing or does not open the file
│   └── PassphraseRefused    a passphrase that no file may be written with
└── NotReady
    ├── KekMissing           there is no KEK file
    ├── KekMalformed         the KEK file does not hold a KEK
    ├── KekUnsafe            others can read the KEK file
    ├── KekUnreadable        the KEK file cannot be read or written
    ├── KekWrong             what is to be opened was sealed under another KEK
    └── SealBroken           what is to be opened was changed, cut off, or belongs to another row
"""

from __future__ import annotations

from formats.errors import Malformed, NotReady, TooLarge, Unacceptable


class KeyFileMalformed(Malformed):
    """A key file or PKCS#12 file that cannot be read as one."""

    code = "key_file_malformed"
    hint = "give one private key in PEM or PKCS#8, or one PKCS#12 file with a key and its certificate"


class KeyFileTooLarge(TooLarge):
    """A key file with more octets, or more rounds of key derivation, than we are willing to work through."""

    code = "key_file_too_large"
    hint = "write the file again with the usual settings of your program"


class KeyKindRefused(Unacceptable):
    """A readable private key of a kind, curve or size that is not used here."""

    code = "key_kind_refused"
    hint = "use an RSA key of 2048 to 8192 bits, or an EC key on P-256, P-384 or P-521"


class PassphraseWrong(Unacceptable):
    """The file is encrypted, and the passphrase is missing or does not open it."""

    code = "passphrase_wrong"
    hint = "give the passphrase that was shown when the file was made, with its hyphens"


class PassphraseRefused(Unacceptable):
    """A passphrase that no file may be written with: programs would read it in different ways, or not at all."""

    code = "passphrase_refused"
    hint = "use a generated passphrase, or 20 to 256 printable ASCII characters"


class KekMissing(NotReady):
    """There is no file with the key-encryption key."""

    code = "kek_missing"
    hint = "restore the key-encryption key to MAILSEAL_KEK_FILE; without it no stored key can be opened"


class KekMalformed(NotReady):
    """The file does not hold a key-encryption key."""

    code = "kek_malformed"
    hint = "restore the file from its backup: one line, the base64 of 32 octets"


class KekUnsafe(NotReady):
    """Others than its owner can read or change the file with the key-encryption key."""

    code = "kek_unsafe"
    hint = "let the service's user own the file and take every right from the others: chmod 600"


class KekUnreadable(NotReady):
    """The file with the key-encryption key cannot be read or written."""

    code = "kek_unreadable"
    hint = "let the service's user own the file and reach its folder"


class KekWrong(NotReady):
    """The key-encryption key is not the one that sealed what is to be opened."""

    code = "kek_wrong"
    hint = "set MAILSEAL_KEK_FILE to the key-encryption key that belongs to this database"


class SealBroken(NotReady):
    """What is sealed was changed, cut off, or moved to another row."""

    code = "seal_broken"
    hint = "restore the row from a backup; somebody or something has changed the database"

"""gpgsm, the S/MIME engine of GnuPG (KMail, Claws Mail), with CRL checks by dirmngr."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from tests.openssl import SECONDS, Answer, openssl
from tests.programs import Person, laid, require

# GnuPG 2.2 does not know critical name constraints and would refuse the issuing CA; dirmngr reads a file of its own.
_UNKNOWN = "ignore-cert-extension 2.5.29.30"
_STATUS = re.compile(r"^\[GNUPG:\] (\w+)", re.MULTILINE)
_FINGERPRINT = re.compile(r"=([0-9A-F:]+)")
_LOOPBACK = ("--pinentry-mode", "loopback", "--passphrase-fd", "0")


@dataclass
class Gpgsm:
    """A home folder of GnuPG's own that trusts the campus root."""

    home: Path
    people: set[str] = field(default_factory=set)

    @cached_property
    def version(self) -> str:
        return self.run("gpgsm", "--version").text.split("\n")[0].split()[-1]

    def run(self, command: str, *arguments: str | Path, given: bytes = b"") -> Answer:
        """Run one command of GnuPG on this home."""
        environ = {**os.environ, "GNUPGHOME": str(self.home), "LC_ALL": "C"}
        ran = subprocess.run(
            [command, *map(str, arguments)], input=given, capture_output=True, timeout=SECONDS, check=False, env=environ
        )
        return Answer(ok=ran.returncode == 0, out=ran.stdout, text=(ran.stdout + ran.stderr).decode(errors="replace"))

    def must(self, command: str, *arguments: str | Path, given: bytes = b"") -> Answer:
        """Run a command that has to succeed."""
        answer = self.run(command, *arguments, given=given)
        assert answer.ok, answer.text
        return answer

    def verify(self, cms: bytes, content: bytes | None) -> Answer:
        """Whether the signature is good and its signer fully trusted: a revoked one is still GOODSIG, TRUST_NEVER."""
        given = [] if content is None else [laid(self.home, content)]
        answer = self.run("gpgsm", "--status-fd", "1", "--verify", laid(self.home, cms), *given)
        words = set(_STATUS.findall(answer.text))
        return Answer(ok=answer.ok and {"GOODSIG", "TRUST_FULLY"} <= words, out=answer.out, text=answer.text)

    def sign(self, content: bytes, *, by: Person, detached: bool) -> bytes:
        """A signature in BER of indefinite length."""
        self.take(by)
        form = "--detach-sign" if detached else "--sign"
        return self.must(
            "gpgsm", *_LOOPBACK, "--local-user", by.mailbox, form, "--output", "-", laid(self.home, content),
            given=by.passphrase.encode(),
        ).out  # fmt: skip

    def open(self, sealed: bytes, *, by: Person) -> Answer:
        """What was sealed to somebody; not ok if it cannot be opened.

        By its status: it exits with 2 where it knows another recipient's certificate too, and has opened the message.
        """
        self.take(by)
        answer = self.run(
            "gpgsm", *_LOOPBACK, "--status-fd", "2", "--decrypt", laid(self.home, sealed), given=by.passphrase.encode()
        )
        opened = "DECRYPTION_OKAY" in _STATUS.findall(answer.text)
        return Answer(ok=opened, out=answer.out, text=answer.text)

    def seal(self, content: bytes, *, to: str) -> bytes:
        """Content sealed to a certificate whose CRL says nothing against it; in BER."""
        answer = self.try_to_seal(content, to=to)
        assert answer.ok, answer.text
        return answer.out

    def try_to_seal(self, content: bytes, *, to: str) -> Answer:
        """What `seal` answers."""
        self.must("gpgsm", "--import", laid(self.home, to.encode()))
        return self.run(
            "gpgsm", "--encrypt", "--recipient", _fingerprint(to), "--output", "-", laid(self.home, content)
        )

    def hear_of_revocations(self, crls: list[bytes]) -> None:
        """Let dirmngr forget the CRLs it has."""
        del crls  # it fetches them by itself, from where the certificates say
        self.must("gpg-connect-agent", "--dirmngr", "FLUSHCRLS", "/bye")

    def take(self, person: Person) -> None:
        """Import somebody's PKCS#12 file, once; gpgsm 2.2 reads only the compatible ones, and of RSA keys."""
        if person.serial not in self.people:
            taken = self.try_to_take(person.pkcs12, passphrase=person.passphrase)
            assert taken.ok, taken.text
            self.people.add(person.serial)

    def try_to_take(self, pkcs12: bytes, *, passphrase: str) -> Answer:
        """Import a PKCS#12 file; not ok if no key came of it, whatever the exit code."""
        answer = self.run("gpgsm", *_LOOPBACK, "--import", laid(self.home, pkcs12), given=passphrase.encode())
        return Answer(ok=answer.ok and "secret keys imported: 1" in answer.text, out=answer.out, text=answer.text)


@contextmanager
def gpgsm_trusting(root: str) -> Iterator[Gpgsm]:
    """A new home that trusts this root; agent and dirmngr of this home, and only they, are ended with it."""
    require("gpgsm", "dirmngr", "gpg-agent", "gpgconf", "gpg-connect-agent", package="gpgsm dirmngr gpg-agent")
    # Not below pytest's folders, whose paths are too long for the sockets of agent and dirmngr.
    one = Gpgsm(Path(tempfile.mkdtemp(prefix="mailseal-gpg-", dir="/tmp")))
    try:
        for name, lines in _configuration(root).items():
            (one.home / name).write_text("\n".join([*lines, ""]))
        one.must("gpgsm", "--import", laid(one.home, root.encode()))
        yield one
    finally:
        one.run("gpgconf", "--kill", "all")
        shutil.rmtree(one.home, ignore_errors=True)


def _configuration(root: str) -> dict[str, list[str]]:
    return {
        "gpgsm.conf": [_UNKNOWN, "enable-crl-checks", "batch"],
        "dirmngr.conf": [_UNKNOWN, "disable-ldap"],
        "gpg-agent.conf": ["allow-loopback-pinentry"],
        "trustlist.txt": [f"{_fingerprint(root)} S relax"],
    }


def _fingerprint(certificate: str) -> str:
    """SHA-1, by which GnuPG names certificates."""
    printed = openssl("x509", "-noout", "-fingerprint", "-sha1", given=certificate.encode()).text
    found = _FINGERPRINT.search(printed)
    assert found, printed
    return found.group(1).replace(":", "")
